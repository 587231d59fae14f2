"""What the class got wrong: counted rightly, true after a rerun, and a page that everyone can read."""

import json

import course
import pytest
from axe_playwright_python.sync_playwright import Axe

from rnncourse.grading import report
from rnncourse.grading.report import Graded
from rnncourse.grading.spec import Task, tasks_of

DIAGNOSIS = "\nc.Sandbox.diagnosis = '(twice .*)'\n"
MET = {"misconception": "twice 1 is 2", "students": 2}
EVIL = "<img src='x' onerror='alert(1)'>"
HALF = {"double": course.RIGHT["double"]}


def hand_in(root, student, answers):
    course.hand_in(root, student, course.answered(root, answers))


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A course with a class of five, graded, one of them not."""
    root = course.make(tmp_path_factory.mktemp("toy"))
    with open(root / "nbgrader_config.py", "a") as config:
        config.write(DIAGNOSIS)
    for student, answers in {
        "right": course.RIGHT,
        "wrong": course.WRONG,
        "half": HALF,
        EVIL: {},
    }.items():
        hand_in(root, student, answers)
    hand_in(root, "also", course.RIGHT | {"double": course.WRONG["double"]})
    (root / "submitted/absent/toy").mkdir(parents=True)
    course.grade(root, "--unsafe")
    return root


def told(root) -> dict:
    result = course.run(root, "rnncourse", "report", "toy")
    assert result.returncode == 0, result.stderr
    return json.loads((root / "reports/toy.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def content(graded):
    return told(graded)


def test_it_counts_mistakes_scores_and_students(content):
    double, mean, six = content["tasks"]
    assert [task["task"] for task in content["tasks"]] == ["double", "mean", "six"]
    assert double["misconceptions"] == [MET]
    assert (double["points"], double["full"], double["nothing"]) == (6, 2, 1)
    assert mean["misconceptions"] == []
    assert (mean["full"], mean["not_recognised"]) == (2, 3)
    assert (six["mean"], content["maximum"], content["students"]) == (2 / 5, course.MOST, 5)
    assert sum(step["students"] for step in content["scores"]) == 5
    assert content["scores"][-1]["students"] == 1
    assert content["not_graded"] == ["absent"]


def test_who_is_stuck(content):
    assert {one["student"] for one in content["stuck"]} == {"wrong", "half", EVIL}
    [wrong] = [one for one in content["stuck"] if one["student"] == "wrong"]
    assert wrong == {"student": "wrong", "score": course.LEAST, "tasks": ["double", "mean", "six"]}


def test_it_is_the_same_after_a_run_that_had_nothing_to_do_and_follows_the_next(graded, content):
    course.grade(graded, "--unsafe")
    assert told(graded) == content
    hand_in(graded, "wrong", course.RIGHT)
    course.grade(graded, "--unsafe")
    assert told(graded)["tasks"][0]["misconceptions"] == [MET | {"students": 1}]
    hand_in(graded, "wrong", course.WRONG)
    course.grade(graded, "--unsafe")
    assert told(graded) == content


@pytest.mark.parametrize(("words", "reason"), [("none", "release it first"), ("toy", "nbgrader_config.py")])
def test_what_cannot_be_reported_is_said(graded, tmp_path, words, reason):
    result = course.run(graded if words == "none" else tmp_path, "rnncourse", "report", words)
    assert result.returncode == 2
    assert reason in result.stderr
    assert "Traceback" not in result.stderr


# --- The definitions, in numbers ------------------------------------------------------------------------------------

TASKS = [Task("book", name, (f"{name}-check", f"{name}-values")) for name in "abcd"]
MOST = {("book", f"{name}-values"): 2.0 for name in "abcd"}


def student(points: str, **mistakes: str) -> Graded:
    """One digit a task, or a dash where a person has to look; mistakes by task."""
    given = {("book", f"{name}-values"): None if p == "-" else float(p) for name, p in zip("abcd", points, strict=True)}
    return Graded(given, {("book", f"{name}-check"): words for name, words in mistakes.items()})


@pytest.mark.parametrize(
    ("known", "tasks"),
    [
        (student("2222"), ""),
        (student("0022"), ""),  # half is not more than half
        (student("0002"), "abc"),
        (student("1111"), ""),  # half of the points is not less than half
        (student("1111", a="x", b="x", c="x"), "abc"),
        (student("00-2"), "ab"),  # two of three
        (student("----"), ""),
        (student("----", a="x"), ""),
    ],
)
def test_stuck(known, tasks):
    worth = dict.fromkeys(TASKS, 2.0)
    assert [task.name for task in report.stuck_in(known, worth)] == list(tasks)


def test_a_task_waits_for_a_person():
    told = report.summary(TASKS, MOST, {"one": student("-220"), "two": student("1220", a="x")})
    assert told["tasks"][0]["waiting"] == 1
    assert told["tasks"][0]["mean"] == 1
    assert told["tasks"][3]["nothing"] == 2


def test_full_marks_and_extra_credit_are_in_the_last_step():
    told = report.summary(TASKS, MOST, {"full": student("2222"), "more": student("2229"), "none": student("0000")})
    assert [step["students"] for step in told["scores"]] == [1, *[0] * 8, 2]


def test_no_student_at_all():
    told = report.summary(TASKS, MOST, {})
    assert "Students graded: 0." in report.page({"assignment": "empty", "not_graded": [], **told})


def test_tasks_are_answers_and_the_tests_after_them():
    found = tasks_of("toy", course.source())
    assert [task.name for task in found] == list(course.RIGHT)
    assert found[0].cells == ("double", "double-check", "double-values", "double-clean", "double-share")


# --- The page -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_for_everyone_and_asks_no_one(graded, content, browser, scheme, width):
    opened = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 800})
    asked = []
    opened.on("request", lambda request: asked.append(request.url))
    address = (graded / "reports/toy.html").as_uri()
    opened.goto(address)
    assert asked == [address]
    assert opened.locator("img").count() == 0
    assert EVIL in opened.inner_text("main")
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    assert opened.locator(".bar span").first.evaluate("e => getComputedStyle(e).height") != "0px"
    violations = Axe().run(opened).response["violations"]
    assert [(rule["id"], *(node["target"] for node in rule["nodes"])) for rule in violations] == []
    opened.close()
