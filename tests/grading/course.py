"""A small nbgrader course, quick to grade, for tests: its source, its answers, what students hand in."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.api import Gradebook

HIDDEN = "hidden-7f3a91c2"  # stands in every hidden test; no student must ever see it
CONFIG = """
import os, sys
c = get_config()
os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
c.CourseDirectory.course_id = "toy"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
c.Autograde.exporter_class = "rnncourse.grading.repair.SubmissionExporter"
c.Autograde.autograde_preprocessors = [
    "rnncourse.grading.execute.Execute",
    "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.GenerateFeedback.exporter_class = "rnncourse.grading.feedback.FeedbackExporter"
c.GenerateFeedback.preprocessors = [
    "rnncourse.grading.feedback.HideTests",
    "nbgrader.preprocessors.GetGrades",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]
"""
RIGHT = {
    "double": "def double(x):\n    return 2 * x",
    "mean": "def mean(numbers):\n    return sum(numbers) / len(numbers)",
    "six": "six = 6",
}
WRONG = {"double": "def double(x):\n    return x", "mean": "def mean(numbers):\n    return 1", "six": "six = 5"}
TESTS = {  # name: (points, source)
    "double-check": (0, "assert double(1) == 2, 'twice 1 is 2'"),
    "double-values": (3, "np.testing.assert_allclose(double(np.arange(3.0)), 2 * np.arange(3.0))"),
    "double-clean": (1, "a = np.ones(2)\nassert double(a)[0] == 2 and a[0] == 1"),
    "double-share": (2, "want = 14\n2.0 if double(7) == want else 0.5 * float(double(0) == 0)"),
    "mean-values": (2, "assert abs(mean([1, 2, 6]) - 3) < 1e-9\nassert mean([2]) == 2"),
    "six-value": (1, "assert six == 6"),
}
MOST = 9.0  # points of the right answers
LEAST = 0.5  # of the wrong ones, through partial credit


def cell(name: str, source: str, **kind):
    record = {"grade_id": name, "schema_version": 3, "locked": False, "solution": False, "grade": False, "task": False}
    return new_code_cell(source, id=name, metadata={"nbgrader": {**record, **kind}})


def source() -> nbformat.NotebookNode:
    """The instructor's notebook."""
    cells = [new_markdown_cell("# Toy", id="title"), cell("imports", "import numpy as np", locked=True)]
    for task, answer in RIGHT.items():
        head, _, body = answer.partition("\n")
        solved = f"### BEGIN SOLUTION\n{answer}\n### END SOLUTION" if not body else None
        solved = solved or f"{head}\n    ### BEGIN SOLUTION\n{body}\n    ### END SOLUTION"
        cells.append(cell(task, solved, solution=True))
        for name, (points, text) in TESTS.items():
            if name.startswith(f"{task}-"):
                hidden = f"### BEGIN HIDDEN TESTS\nsecret = '{HIDDEN}'\n{text}\n### END HIDDEN TESTS"
                text = text if points == 0 else f"# {points} points\n{hidden}"
                cells.append(cell(name, text, grade=True, locked=True, points=points))
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return new_notebook(cells=cells, metadata=kernel)


def make(root: Path, more: str = "") -> Path:
    """A course with the exercise `toy`, released; `more` is to stand in its configuration, too."""
    (root / "solutions/toy").mkdir(parents=True)
    nbformat.write(source(), root / "solutions/toy/toy.ipynb")
    (root / "nbgrader_config.py").write_text(CONFIG + more)
    result = run(root, "nbgrader", "generate_assignment", "toy")
    assert result.returncode == 0, result.stderr
    return root


def run(course: Path, *command: str, **settings) -> subprocess.CompletedProcess:
    """Run a program of this environment from the root of the course."""
    return run_program(course, sys.executable, "-m", *command, **settings)


def run_program(course: Path, *program: str, **settings) -> subprocess.CompletedProcess:
    return subprocess.run(program, cwd=course, capture_output=True, text=True, check=False, **settings)


def grade(course: Path, *options: str, **settings) -> dict[str, dict]:
    """``rnncourse grade toy``: what it says of each student."""
    result = run(course, "rnncourse", "grade", "toy", "--json", *options, **settings)
    assert result.returncode in (0, 1), result.stderr
    return {row["student"]: row for row in json.loads(result.stdout)["students"]}


def answered(course: Path, answers: dict[str, str], first: str = "") -> nbformat.NotebookNode:
    """The released notebook with these answers; `first` is a cell of the student's own before all others."""
    notebook = nbformat.read(course / "exercises/toy/toy.ipynb", as_version=4)
    for each in notebook.cells:
        name = each.metadata.get("nbgrader", {}).get("grade_id")
        each.source = answers.get(name, each.source)
    if first:
        notebook.cells.insert(0, new_code_cell(first, id="first"))
    return notebook


def hand_in(course: Path, student: str, notebook) -> Path:
    """Hand in a notebook, or the text or bytes of a file in its place; the student's folder."""
    folder = course / "submitted" / student / "toy"
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(notebook, bytes):
        (folder / "toy.ipynb").write_bytes(notebook)
    else:
        text = notebook if isinstance(notebook, str) else nbformat.writes(notebook)
        (folder / "toy.ipynb").write_text(text, encoding="utf-8")
    return folder


def scores(course: Path, student: str) -> dict[str, float]:
    """What the gradebook holds."""
    with Gradebook(f"sqlite:///{course}/gradebook.db", "toy") as gradebook:
        record = gradebook.find_submission_notebook("toy", "toy", student)
        return {grade.name: grade.auto_score for grade in record.grades}


def graded(course: Path, student: str) -> nbformat.NotebookNode:
    return nbformat.read(course / "autograded" / student / "toy/toy.ipynb", as_version=4)
