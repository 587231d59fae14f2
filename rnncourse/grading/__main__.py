"""``python -m rnncourse.grading ASSIGNMENT``: grade a class with nbgrader, write feedback, print a table.

Run from the root of an nbgrader course (where nbgrader_config.py is). Exits with 0 if every submission was graded
and recorded, else with 1.
"""

import argparse
import re
import sys
import warnings
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout
from nbgrader.api import MissingEntry
from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TimeRemainingColumn
from rich.table import Table
from sqlalchemy.exc import SAWarning
from traitlets.config.loader import PyFileConfigLoader


class Graded(NamedTuple):
    """One row of the table."""

    student: str
    score: float | None  # None: not graded
    needs_a_person: bool
    note: str


def main() -> int:
    parser = argparse.ArgumentParser(prog="rnncourse.grading", description=__doc__.split(":")[1].strip())
    parser.add_argument("assignment")
    parser.add_argument("--force", action="store_true", help="grade again what is graded already")
    options = parser.parse_args()
    console = Console(highlight=False)
    try:
        api = open_course(Path.cwd())
        students = submitters(api, options.assignment)
        maximum = _maximum(api, options.assignment)
    except (FileNotFoundError, MissingEntry, ValueError) as error:
        console.print(f"rnncourse.grading: {error}", style="red")
        return 2
    try:
        with FileLock(Path.cwd() / ".grading.lock", blocking=False):  # let go even if this process is killed
            rows = grade_all(api, options.assignment, students, options.force, console)
    except Timeout:
        console.print("rnncourse.grading: another run is grading this course; wait until it ends", style="red")
        return 2
    console.print(table(options.assignment, rows, maximum))
    return 0 if all(row.score is not None for row in rows) else 1


def grade_all(api: NbGraderAPI, assignment: str, students: list[str], force: bool, console: Console) -> list[Graded]:
    """Grade one student after the other, with progress."""
    columns = (SpinnerColumn(), *Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        return [grade(api, assignment, s, force) for s in progress.track(students, description="Grading")]


def open_course(root: Path) -> NbGraderAPI:
    """nbgrader's own interface to the course at `root`. Raises FileNotFoundError without nbgrader_config.py."""
    if not (root / "nbgrader_config.py").exists():
        raise FileNotFoundError(f"no nbgrader_config.py in {root}: run this from the root of a course")
    config = PyFileConfigLoader("nbgrader_config.py", str(root)).load_config()
    config.CourseDirectory.root = str(root)
    return NbGraderAPI(CourseDirectory(config=config), config=config)


def submitters(api: NbGraderAPI, assignment: str) -> list[str]:
    """The students with a folder for this assignment. Raises ValueError if there is none."""
    found = sorted(api.get_submitted_students(assignment))
    if not found:
        where = api.coursedir.format_path(api.coursedir.submitted_directory, "STUDENT", assignment)
        raise ValueError(f"no submission to {assignment!r} found; they belong into {where}")
    return found


def grade(api: NbGraderAPI, assignment: str, student: str, force: bool) -> Graded:
    """Grade one submission and write its feedback; what cannot be graded is left alone and explained."""
    problem = _wrong_names(api, assignment, student)
    if problem:
        return Graded(student, None, False, problem)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)  # of nbgrader's own queries; nothing a teacher can act on
        again = force or _interrupted(api, assignment, student)
        result = api.autograde(assignment, student, force=again, create=True)
        if not result["success"]:
            return Graded(student, None, False, _reasons(result["log"]) or result["error"].strip().splitlines()[-1])
        feedback = api.generate_feedback(assignment, student, force=True)
    note = _reasons(result["log"]) if feedback["success"] else f"feedback failed: {_reasons(feedback['log'])}"
    with api.gradebook as gradebook:
        submission = gradebook.find_submission(assignment, student)
        return Graded(student, submission.score, submission.needs_manual_grade, note)


def table(assignment: str, rows: list[Graded], maximum: float) -> Table:
    out = Table("student", title=assignment, title_justify="left", expand=False)
    out.add_column(f"score of {maximum:g}", justify="right")
    out.add_column("note", overflow="fold")
    for row in rows:
        score = "not graded" if row.score is None else f"{row.score:g}"
        waiting = "one answer waits for a person" if row.needs_a_person else ""
        out.add_row(row.student, score, "; ".join(filter(None, [row.note, waiting])))
    return out


def _maximum(api: NbGraderAPI, assignment: str) -> float:
    with api.gradebook as gradebook:
        try:
            return gradebook.find_assignment(assignment).max_score
        except MissingEntry:
            raise ValueError(
                f"the gradebook does not know {assignment!r}: release it first, with "
                f"`nbgrader generate_assignment {assignment}`"
            ) from None


def _interrupted(api: NbGraderAPI, assignment: str, student: str) -> bool:
    """Whether an earlier run was killed over this submission: nbgrader would take what it left for finished."""
    with api.gradebook as gradebook:
        try:
            notebooks = gradebook.find_submission(assignment, student).notebooks
        except MissingEntry:
            return False
        for notebook in notebooks:
            by_hand = {cell.name for cell in notebook.notebook.solution_cells}
            if any(grade.auto_score is None and grade.name not in by_hand for grade in notebook.grades):
                return True
    return False


def _wrong_names(api: NbGraderAPI, assignment: str, student: str) -> str | None:
    """Why no notebook of the submission can be graded: none has the name that was released."""
    with api.gradebook as gradebook:
        expected = {f"{notebook.name}.ipynb" for notebook in gradebook.find_assignment(assignment).notebooks}
    folder = Path(api.coursedir.format_path(api.coursedir.submitted_directory, student, assignment))
    found = {path.name for path in folder.iterdir()}
    if expected & found:
        return None
    return f"no {' or '.join(sorted(expected))} in the submission, which holds {', '.join(sorted(found)) or 'nothing'}"


def _reasons(log: str) -> str:
    """The first error or repair that the log tells of, without its prefix and this machine's path."""
    told = re.findall(r"^\[.*?(?:ERROR|WARNING)\] (?!Attribute |Kernel died|Traceback|Removing)(.*)$", log, re.M)
    return re.sub(r"\S*/(?=submitted/)", "", told[0]).rstrip(".!") if told else ""


if __name__ == "__main__":
    sys.exit(main())
