"""Every exercise through real nbgrader: the release is what the solution makes, a right and a wrong student get
what they deserve, and the feedback says why."""

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbgrader.api import Gradebook

from rnncourse.check import matrix
from rnncourse.check.notebooks import answered, scores
from rnncourse.check.task import edited

ROOT = Path(__file__).parents[2]


def run(course: Path, *command: str) -> None:
    program = [sys.executable, "-m", *command]
    result = subprocess.run(program, cwd=course, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def read(folder: str, name: str):
    return nbformat.read(ROOT / folder / name / f"{name}.ipynb", as_version=4)


@pytest.fixture(scope="module", params=matrix.EXERCISES)
def graded(request, tmp_path_factory):
    """An exercise's name and a course in which it was released, handed in twice and graded."""
    name, course = request.param, tmp_path_factory.mktemp("course")
    shutil.copytree(ROOT / "solutions" / name, course / "solutions" / name)
    shutil.copy(ROOT / "nbgrader_config.py", course)
    run(course, "nbgrader", "generate_assignment", name)
    blank = nbformat.read(course / "exercises" / name / f"{name}.ipynb", as_version=4)
    for student, answers in handed_in(name).items():
        folder = course / "submitted" / student / name
        folder.mkdir(parents=True)
        nbformat.write(answered(blank, answers), folder / f"{name}.ipynb")
    run(course, "rnncourse", "grade", name, "--feedback")
    return name, course


def handed_in(name: str) -> dict[str, dict[str, str]]:
    tasks = matrix.EXERCISES[name]
    return {
        "right": {task.name: task.source for task in tasks},
        "wrong": {task.name: edited(task.source, task.mistakes[0]) for task in tasks},
    }


def test_the_committed_release_is_what_nbgrader_makes_of_the_solution(graded):
    name, course = graded
    made = course / "exercises" / name / f"{name}.ipynb"
    assert made.read_bytes() == (ROOT / "exercises" / name / f"{name}.ipynb").read_bytes()
    assert [path.name for path in (ROOT / "exercises" / name).iterdir() if path.is_file()] == [f"{name}.ipynb"]


def test_the_release_holds_no_hidden_test_and_no_solution(graded):
    name, _ = graded
    release = (ROOT / "exercises" / name / f"{name}.ipynb").read_text(encoding="utf-8")
    assert "BEGIN" not in release
    for cell in read("solutions", name).cells:
        secrets = [part for part in cell.source.split("### ") if part.startswith(("BEGIN SOLUTION", "BEGIN HIDDEN"))]
        for line in "\n".join(secrets).splitlines():
            if len(line.strip()) > 30 and not line.startswith(("import ", "from ", "BEGIN")):
                assert line.strip() not in release.replace('\\"', '"'), line


@pytest.mark.parametrize("student", ["right", "wrong"])
def test_nbgraders_scores_are_those_of_the_matrix(graded, student):
    name, course = graded
    solution = read("solutions", name)
    expected = scores(answered(solution, handed_in(name)[student]))
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        record = gradebook.find_submission_notebook(name, name, student)
        got = {grade.name: grade.auto_score for grade in record.grades}
    assert {cell: got[cell] for cell in expected} == expected
    if student == "right":
        full = {cell.metadata.nbgrader.grade_id: cell.metadata.nbgrader.get("points") for cell in solution.cells}
        assert expected == {cell: full[cell] for cell in expected}


@pytest.mark.parametrize("student", ["right", "wrong"])
def test_the_feedback_holds_no_hidden_test(graded, student):
    name, course = graded
    page = (course / "feedback" / student / name / f"{name}.html").read_text(encoding="utf-8")
    shown = "".join(BeautifulSoup(page, "html.parser").get_text().split())
    assert "andhiddentests" in shown
    openly = [cell.source for cell in read("exercises", name).cells] + list(handed_in(name)[student].values())
    known = "".join("".join(openly).split())
    for cell in read("solutions", name).cells:
        hidden = cell.source.partition("### BEGIN HIDDEN TESTS")[2].partition("### END")[0]
        for line in ("".join(line.split()) for line in hidden.splitlines()):
            assert len(line) < 25 or line in known or line not in shown, line


def test_the_feedback_on_right_answers_finds_nothing_wrong(graded):
    name, course = graded
    page = (course / "feedback/right" / name / f"{name}.html").read_text(encoding="utf-8")
    words = " ".join(BeautifulSoup(page, "html.parser").get_text(" ").split())
    assert "is not right yet" not in words
    for task in matrix.EXERCISES[name]:
        assert f"{task.name} is right" in words


def test_the_feedback_says_what_is_wrong_and_why(graded):
    name, course = graded
    page = (course / "feedback/wrong" / name / f"{name}.html").read_text(encoding="utf-8")
    words = " ".join(BeautifulSoup(page, "html.parser").get_text(" ").split())
    for task in matrix.EXERCISES[name]:
        assert f"{task.name} is not right yet" in words
    first = matrix.EXERCISES[name][0]
    assert " ".join(first.mistakes[0].sentence.split()) in words
