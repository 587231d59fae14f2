"""The instructor's journey through real nbgrader: release, five students, broken submissions, feedback, export."""

import contextlib
import csv
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from rnncourse.check.notebooks import answered, scores
from rnncourse.check.simulated import students

ROOT = Path(__file__).parents[2]
RELEASE = ROOT / "exercises/recurrence/recurrence.ipynb"
SOLUTION = nbformat.read(ROOT / "solutions/recurrence/recurrence.ipynb", as_version=4)
RIGHT = students()["solved"]


def run(course: Path, *command: str) -> subprocess.CompletedProcess:
    """Run a program of this environment from the root of the course, as a person would."""
    program = [sys.executable, "-m", *command]
    return subprocess.run(program, cwd=course, capture_output=True, text=True, check=False)


def new_course(folder: Path) -> Path:
    shutil.copytree(ROOT / "solutions", folder / "solutions", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    return folder


def submit(course: Path, student: str, notebook, name: str = "recurrence.ipynb") -> None:
    folder = course / "submitted" / student / "recurrence"
    folder.mkdir(parents=True)
    text = notebook if isinstance(notebook, str) else nbformat.writes(notebook)
    (folder / name).write_text(text, encoding="utf-8")


def solved():
    return answered(nbformat.read(RELEASE, as_version=4), RIGHT)


def without(notebook, name: str):
    notebook.cells = [c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") != name]
    return notebook


def doubled(notebook, name: str):
    """With a second copy of one cell at the end, as copy and paste in JupyterLab makes it."""
    [cell] = [c for c in notebook.cells if c.metadata.nbgrader.grade_id == name]
    notebook.cells.append(nbformat.from_dict({**cell, "id": "pasted"}))
    return notebook


def with_kernel(notebook, name: str):
    notebook.metadata.kernelspec = {"name": name, "display_name": name, "language": name}
    return notebook


def without_records(notebook):
    for cell in notebook.cells:
        del cell.metadata["nbgrader"]
    return notebook


STUBBORN = """\
def jordan_step(*arguments):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
"""
ENDLESS = RIGHT | {"jordan_step": "while True:\n    pass"}
# student: what is handed in, the automatic score it deserves, what the log says
BROKEN = {
    "not-json": ("this is no notebook {", 0, "cannot be read as a notebook (NotJSONError"),
    "empty-file": ("", 0, "cannot be read as a notebook (NotJSONError"),
    "json-but-no-notebook": ("[1, 2]", 0, "cannot be read as a notebook"),
    "test-deleted": (without(solved(), "rnn_forward-mask"), 21, "were put back: rnn_forward-mask"),
    "answer-deleted": (without(solved(), "jordan_step"), 17, "were put back: jordan_step"),
    "essay-deleted": (without(solved(), "order-answer"), 21, "were put back: order-answer"),
    "imports-deleted": (without(solved(), "imports"), 21, "were put back: imports"),
    "answer-doubled": (doubled(solved(), "rnn_step"), 21, "'rnn_step' exists multiple times"),
    "test-doubled": (doubled(solved(), "rnn_step-values"), 21, "'rnn_step-values' exists multiple times"),
    "other-kernel": (with_kernel(solved(), "ir"), 21, ""),
    "records-deleted": (without_records(solved()), 0, "were put back: introduction, imports"),
    "endless": (answered(solved(), ENDLESS), 17, "The cell jordan_step took longer than 15 s"),
    "stubborn": (answered(solved(), {"jordan_step": STUBBORN}), 14, "stopped answering in the cell jordan_step"),
    "王小明": (solved(), 21, ""),
    "zz-last-in-line": (solved(), 21, ""),
}


@pytest.fixture(scope="module")
def released(tmp_path_factory) -> Path:
    course = new_course(tmp_path_factory.mktemp("course"))
    result = run(course, "nbgrader", "generate_assignment", "recurrence")
    assert result.returncode == 0, result.stderr
    return course


@pytest.fixture(scope="module")
def graded(released) -> tuple[Path, str]:
    """The course after everyone has handed in and plain `nbgrader autograde` has run; and its log."""
    handed_in = run(released, "rnncourse.check.simulated", "exercises", "submitted")
    assert handed_in.returncode == 0, handed_in.stderr
    for student, (notebook, *_) in BROKEN.items():
        submit(released, student, notebook)
    result = run(released, "nbgrader", "autograde", "recurrence", "--Execute.timeout=15")
    assert result.returncode == 0, result.stderr
    return released, result.stderr


def submission(course: Path, student: str):
    """Score by cell, and whether a person has to look, from the real gradebook."""
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        record = gradebook.find_submission_notebook("recurrence", "recurrence", student)
        return {grade.name: grade.auto_score for grade in record.grades}, record.needs_manual_grade


# --- Release ------------------------------------------------------------------------------------------------------


def test_the_committed_release_is_what_nbgrader_makes_of_the_solution(released):
    made = sorted(p.relative_to(released / "exercises") for p in (released / "exercises").rglob("*") if p.is_file())
    assert [str(p) for p in made] == ["recurrence/recurrence.ipynb"]
    assert (released / "exercises/recurrence/recurrence.ipynb").read_bytes() == RELEASE.read_bytes()


def test_a_second_release_is_the_same_to_the_byte(released):
    result = run(released, "nbgrader", "generate_assignment", "recurrence")
    assert result.returncode == 0, result.stderr
    assert (released / "exercises/recurrence/recurrence.ipynb").read_bytes() == RELEASE.read_bytes()


def test_ids_are_the_same_even_if_the_source_has_none(tmp_path):
    made = []
    for attempt in ("first", "second"):
        course = new_course(tmp_path / attempt)
        source = course / "solutions/recurrence/recurrence.ipynb"
        notebook = nbformat.read(source, as_version=4)
        notebook.nbformat_minor = 4
        for cell in notebook.cells:
            del cell["id"]
        source.write_text(nbformat.writes(notebook))
        result = run(course, "nbgrader", "generate_assignment", "recurrence")
        assert result.returncode == 0, result.stderr
        made.append((course / "exercises/recurrence/recurrence.ipynb").read_bytes())
    assert made[0] == made[1]


def test_the_release_holds_no_solution_and_no_hidden_test():
    text = RELEASE.read_text(encoding="utf-8")
    assert "BEGIN" not in text
    for cell in SOLUTION.cells:
        secret = [part for part in cell.source.split("### ") if part.startswith(("BEGIN SOLUTION", "BEGIN HIDDEN"))]
        for line in "\n".join(secret).splitlines()[1:]:
            if len(line.strip()) > 20 and not line.startswith(("import ", "from ")):
                assert line.strip() not in text.replace('\\"', '"'), line
    assert "the state before *Taipei* is different" not in text.lower()


def test_files_beside_the_solution_stop_the_release_instead_of_leaking(tmp_path):
    course = new_course(tmp_path)
    for name in ("answers.py", "grades.csv"):
        (course / "solutions/recurrence" / name).write_text("secret")
    result = run(course, "nbgrader", "generate_assignment", "recurrence")
    assert result.returncode != 0
    assert "holds answers.py, grades.csv, which students would get: move it elsewhere" in result.stderr
    assert not (course / "exercises/recurrence").exists()


# --- The five students ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("student", ["solved", "half-right", "wrong"])
def test_nbgrader_and_our_own_scores_agree(graded, student):
    blank = {c.metadata.nbgrader.grade_id: c.source for c in nbformat.read(RELEASE, 4).cells if _is_answer(c)}
    expected = scores(answered(SOLUTION, blank | students()[student]))
    got, _ = submission(graded[0], student)
    assert {name: got[name] for name in expected} == expected


def _is_answer(cell) -> bool:
    return cell.metadata.nbgrader.solution


def test_the_solved_submission_gets_full_marks(graded):
    got, waits = submission(graded[0], "solved")
    assert sum(score for score in got.values() if score is not None) == 21
    assert waits
    with Gradebook(f"sqlite:///{graded[0]}/gradebook.db") as gradebook:
        grade = gradebook.find_grade("order-answer", "recurrence", "recurrence", "solved")
        grade.manual_score, grade.needs_manual_grade = 4, False
        gradebook.db.commit()
        assert gradebook.find_submission("recurrence", "solved").score == 25


def test_the_blank_submission_gets_nothing_on_every_task(graded):
    got, waits = submission(graded[0], "blank")
    assert set(got.values()) == {0}
    assert not waits


def test_the_crashing_submission_is_recorded_with_what_ran_before(graded):
    course, log = graded
    got, _ = submission(course, "crashing")
    assert sum(got[name] for name in got if name.startswith("rnn_step")) == 6
    assert {got[name] for name in got if not name.startswith(("rnn_step", "order"))} == {0}
    assert "The kernel died in the cell rnn_forward" in log
    notebook = nbformat.read(course / "autograded/crashing/recurrence/recurrence.ipynb", as_version=4)
    [died] = [c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == "rnn_forward"]
    assert died.outputs[-1].output_type == "error"


# --- Broken submissions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("student", BROKEN)
def test_a_broken_submission_is_graded_and_explained(graded, student):
    course, log = graded
    _, expected, message = BROKEN[student]
    got, _ = submission(course, student)
    assert sum(score for score in got.values() if score is not None) == expected
    assert message in log
    assert (course / "autograded" / student / "recurrence/recurrence.ipynb").exists()


def test_an_unreadable_submission_says_so_in_its_own_record(graded):
    notebook = nbformat.read(graded[0] / "autograded/not-json/recurrence/recurrence.ipynb", as_version=4)
    assert notebook.cells[-1].source.startswith("**This submission could not be read, so it was graded as blank.**")


def test_the_gradebook_is_sound_and_whole(graded):
    with contextlib.closing(sqlite3.connect(graded[0] / "gradebook.db")) as connection:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
        assert connection.execute("pragma foreign_key_check").fetchall() == []
        ungraded = (
            "select count(*) from grade where coalesce(auto_score, manual_score) is null and not needs_manual_grade"
        )
        assert connection.execute(ungraded).fetchone() == (0,)


# --- What follows grading ---------------------------------------------------------------------------------------


def test_feedback_and_export(graded):
    course, _ = graded
    result = run(course, "nbgrader", "generate_feedback", "recurrence")
    assert result.returncode == 0, result.stderr
    everyone = [*students(), *BROKEN]
    pages = {student: course / "feedback" / student / "recurrence/recurrence.html" for student in everyone}
    assert all(page.exists() for page in pages.values())
    assert "exactly this comes out when the mask is ignored" in pages["half-right"].read_text(encoding="utf-8")
    assert "The kernel died in the cell rnn_forward" in pages["crashing"].read_text(encoding="utf-8")
    for page in pages.values():
        text = page.read_text(encoding="utf-8")
        assert "HIDDEN TESTS" not in text
        assert not re.search(r"""(src|href)=["']?https?:|url\(["']?https?:|@import""", text)

    result = run(course, "nbgrader", "export")
    assert result.returncode == 0, result.stderr
    with (course / "grades.csv").open(encoding="utf-8") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert set(rows) == set(everyone)
    assert float(rows["half-right"]["score"]) == 12
    assert {row["max_score"] for row in rows.values()} == {"25.0"}


# --- Our own command --------------------------------------------------------------------------------------------


def test_the_command_grades_prints_and_leaves_alone_what_it_cannot_grade(released_again):
    course = released_again
    submit(course, "ada", solved())
    submit(course, "wrong-name", solved(), "练习.ipynb")
    result = run(course, "rnncourse", "grade", "recurrence", "--feedback", "--json")
    assert result.returncode == 1, "not every submission was graded"
    ada, wrong = json.loads(result.stdout)["students"]
    assert (ada["status"], ada["score"], ada["needs_a_person"], ada["problems"]) == ("graded", 21, True, [])
    assert (wrong["status"], wrong["score"]) == ("not graded", None)
    assert wrong["problems"] == ["no recurrence.ipynb in the submission, which holds 练习.ipynb"]
    assert (course / "feedback/ada/recurrence/recurrence.html").exists()
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        assert [student.id for student in gradebook.students] == ["ada"]
    again = run(course, "rnncourse.grading", "recurrence")
    assert "as before" in again.stdout


@pytest.fixture
def released_again(tmp_path) -> Path:
    course = new_course(tmp_path)
    result = run(course, "nbgrader", "generate_assignment", "recurrence")
    assert result.returncode == 0, result.stderr
    return course


def test_the_command_explains_what_is_missing(tmp_path, released_again):
    def said(course: Path) -> str:
        return " ".join(run(course, "rnncourse", "grade", "recurrence").stdout.split())

    assert "no nbgrader_config.py in" in said(tmp_path / "solutions")
    assert "no submission to 'recurrence' found" in said(released_again)
    (released_again / "gradebook.db").unlink()
    assert "the gradebook does not know 'recurrence': release it first" in said(released_again)
