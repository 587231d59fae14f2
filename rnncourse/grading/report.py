"""What the class got wrong, as a page (reports/ASSIGNMENT.html) and as data (reports/ASSIGNMENT.json).

Points come from the gradebook, since people may have changed them there; what was recognised is read from the graded
notebooks, whichever program graded them. So a report needs no record of its own and is true after any rerun.
"""

import argparse
import collections
import json
import os
import sys
import warnings
from pathlib import Path
from typing import NamedTuple

import nbformat
from jinja2 import Environment, PackageLoader, StrictUndefined
from nbgrader.api import BaseCell, Grade, Gradebook, Notebook, SubmittedAssignment, SubmittedNotebook
from sqlalchemy import select
from sqlalchemy.exc import SAWarning

from rnncourse.grading import folder
from rnncourse.grading.coordinator import Course
from rnncourse.grading.settings import Sandbox
from rnncourse.grading.spec import Task, find, tasks_of
from rnncourse.grading.submission import recognised

STUCK = (
    "A student is stuck who handed in and who, in more than half of the tasks, got less than half of the points or "
    "made a mistake that a test recognised. A task that still waits for a person's points does not count."
)
STEP = 10  # per cent of the points that one bar of the scores stands for

Cell = tuple[str, str]  # notebook and grade_id


class Graded(NamedTuple):
    """What is known of one student."""

    points: dict[Cell, float | None]  # None: waits for a person
    recognised: dict[Cell, str]

    def of(self, task: Task) -> float | None:
        """The points for a task; None while some wait for a person."""
        points = [self.points[task.notebook, cell] for cell in task.cells if (task.notebook, cell) in self.points]
        return None if None in points else sum(points)

    def mistakes(self, task: Task) -> list[str]:
        """The mistakes recognised in a task."""
        found = [self.recognised.get((task.notebook, cell)) for cell in task.cells]
        return list(dict.fromkeys(words for words in found if words))


# --- What is known ------------------------------------------------------------------------------------------------


def read(course: Course, gradebook: Gradebook, assignment: str) -> dict:
    """The report. Raises ValueError for an assignment that is not released or that no one handed in."""
    found = find(gradebook, assignment)
    maximum = {(n.name, cell.name): cell.max_score for n in found.notebooks for cell in [*n.grade_cells, *n.task_cells]}
    tasks = [task for notebook in found.notebooks for task in _tasks(course, assignment, notebook.name)]
    handed_in = folder.students(course.dirs, assignment)
    pattern = Sandbox(config=course.config).diagnosis
    students = {
        student: Graded(points, _recognised(course, assignment, student, pattern))
        for student, points in _points(gradebook, found.id).items()
        if Path(_graded(course, assignment, student)).is_dir()
    }
    waiting = [student for student in handed_in if student not in students]
    return {"assignment": assignment, "not_graded": waiting, **summary(tasks, maximum, students)}


def _tasks(course: Course, assignment: str, name: str) -> list[Task]:
    path = Path(course.dirs.format_path(course.dirs.source_directory, ".", assignment), f"{name}.ipynb")
    if not path.exists():
        raise ValueError(f"{path} is not there, which says which tests belong to which task")
    return tasks_of(name, nbformat.read(path, as_version=4))


def _points(gradebook: Gradebook, assignment: str) -> dict[str, dict[Cell, float | None]]:
    """By student and cell, in one query."""
    query = (
        select(SubmittedAssignment.student_id, Notebook.name, BaseCell.name, Grade.score, Grade.needs_manual_grade)
        .join(SubmittedNotebook, SubmittedNotebook.id == Grade.notebook_id)
        .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
        .join(Notebook, Notebook.id == SubmittedNotebook.notebook_id)
        .join(BaseCell, BaseCell.id == Grade.cell_id)
        .where(SubmittedAssignment.assignment_id == assignment)
        .order_by(SubmittedAssignment.student_id)
    )
    points = collections.defaultdict(dict)
    for student, notebook, cell, score, waits in gradebook.db.execute(query):
        points[student][notebook, cell] = None if waits else score
    return points


def _recognised(course: Course, assignment: str, student: str, pattern: str) -> dict[Cell, str]:
    notebooks = {
        path.stem: nbformat.from_dict(json.loads(path.read_bytes()))
        for path in sorted(Path(_graded(course, assignment, student)).glob("*.ipynb"))
    }
    return {(name, cell): words for name, nb in notebooks.items() for cell, words in recognised(nb, pattern).items()}


def _graded(course: Course, assignment: str, student: str) -> str:
    return course.dirs.format_path(course.dirs.autograded_directory, student, assignment)


# --- What it comes to ---------------------------------------------------------------------------------------------


def summary(tasks: list[Task], maximum: dict[Cell, float], students: dict[str, Graded]) -> dict:
    """Per task who made which mistake, how the scores are distributed, and who is stuck."""
    worth = {task: sum(maximum.get((task.notebook, cell), 0) for cell in task.cells) for task in tasks}
    everything = sum(maximum.values())
    scores = {student: sum(p or 0 for p in graded.points.values()) for student, graded in students.items()}
    return {
        "students": len(students),
        "maximum": everything,
        "mean": _mean(list(scores.values())),
        "scores": _distribution([score / everything if everything else 0 for score in scores.values()]),
        "tasks": [_task(task, worth[task], list(students.values())) for task in tasks],
        "stuck": [
            {"student": student, "score": scores[student], "tasks": [task.name for task in where]}
            for student, graded in students.items()
            if (where := stuck_in(graded, worth))
        ],
        "stuck_means": STUCK,
    }


def _task(task: Task, worth: float, students: list[Graded]) -> dict:
    points = [graded.of(task) for graded in students]
    known = [p for p in points if p is not None]
    counts = collections.Counter(words for graded in students for words in graded.mistakes(task))
    lost = [graded for graded, p in zip(students, points, strict=True) if p is not None and p < worth]
    return {
        "notebook": task.notebook,
        "task": task.name,
        "points": worth,
        "mean": _mean(known),
        "full": sum(p >= worth for p in known) if worth else None,
        "nothing": sum(p == 0 for p in known) if worth else None,
        "waiting": len(points) - len(known),
        "misconceptions": [{"misconception": words, "students": n} for words, n in counts.most_common()],
        "not_recognised": sum(not graded.mistakes(task) for graded in lost),
    }


def stuck_in(graded: Graded, worth: dict[Task, float]) -> list[Task]:
    """The tasks in which a student is in trouble, if these are so many that the student is stuck; else none."""
    counted = [task for task, points in worth.items() if points and graded.of(task) is not None]
    trouble = [task for task in counted if graded.of(task) < worth[task] / 2 or graded.mistakes(task)]
    return trouble if 2 * len(trouble) > len(counted) else []


def _distribution(shares: list[float]) -> list[dict]:
    """How many have what part of the points, in steps; full marks are in the last."""
    counts = collections.Counter(min(int(100 * share / STEP), 100 // STEP - 1) for share in shares)
    return [{"from": STEP * i, "to": STEP * (i + 1), "students": counts[i]} for i in range(100 // STEP)]


def _mean(numbers: list[float]) -> float | None:
    return sum(numbers) / len(numbers) if numbers else None


# --- The page and the command -------------------------------------------------------------------------------------


def page(content: dict) -> str:
    """The report as HTML that needs no other file and no other host."""
    environment = Environment(
        loader=PackageLoader("rnncourse.grading", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(content)


def _write(path: Path, text: str) -> None:
    aside = path.with_name(f"{path.name}.new")
    aside.write_text(text, encoding="utf-8")
    os.replace(aside, path)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("assignment")


def main(options: argparse.Namespace) -> int:
    """Write the report of ``options.assignment``; the exit code."""
    warnings.simplefilter("ignore", SAWarning)  # of nbgrader's own queries; nothing a teacher can act on
    try:
        course = Course(Path.cwd())
        with course.gradebook() as gradebook:
            content = read(course, gradebook, options.assignment)
    except (FileNotFoundError, ValueError) as error:
        print(f"rnncourse report: {error}", file=sys.stderr)
        return 2
    reports = course.root / "reports"
    reports.mkdir(exist_ok=True)
    _write(reports / f"{options.assignment}.json", json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    _write(reports / f"{options.assignment}.html", page(content))
    graded, waiting, stuck = content["students"], len(content["not_graded"]), len(content["stuck"])
    print(f"reports/{options.assignment}.html: {graded} graded, {waiting} not yet, {stuck} stuck")
    return 0
