"""``python -m benchmarks.grading``: our grader against stock nbgrader on the same submissions of this course.

Nothing is timed before the scores agree. CPU time is that of the command and of every process it started, as the system
counts them; stock nbgrader grades one submission after the other, ours two at a time.
"""

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbgrader.api import Gradebook
from rich.console import Console

from rnncourse.check import matrix
from rnncourse.check.notebooks import answered
from rnncourse.check.task import Task, edited

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).with_name("grading.json")
EXERCISE, MANY, FLAT = "lstm", 200, (100, 5000)
STOCK = """
c = get_config()
c.CourseDirectory.course_id = "rnncourse"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
"""
BROKEN = (  # what stands in an answer cell, or is put before it
    "raise RuntimeError('not today')",
    "def f(:\n    pass",
    "undefined_name + 1",
    "import no_such_package",
    "print('x' * 2_000_000)",
    "1 / 0",
)


class Cost(NamedTuple):
    """What a run took."""

    submissions: int
    seconds: float
    cpu: float
    memory: int  # MiB at most, of the largest process

    def each(self) -> str:
        return f"{self.seconds / self.submissions:.3f} s, {self.cpu / self.submissions:.3f} s CPU"


# --- The class ----------------------------------------------------------------------------------------------------


def answers(tasks: tuple[Task, ...]) -> Iterator[dict[str, str]]:
    """Answers without end: right ones, none, each known mistake and right variant of each task, broken ones."""
    right = {task.name: task.source for task in tasks}
    kinds = [right, {}]
    kinds += [right | {task.name: edited(task.source, mistake)} for task in tasks for mistake in task.mistakes]
    kinds += [right | {task.name: variant.source} for task in tasks for variant in task.variants]
    kinds += [right | {task.name: text} for task in tasks for text in BROKEN]
    for round_number in itertools.count():
        for kind in kinds:
            yield {name: f"{text}\n# {round_number}" if round_number else text for name, text in kind.items()}


def make_course(root: Path, exercise: str, config: str, submissions: int) -> Path:
    """A course with one exercise, released and handed in so many times."""
    shutil.copytree(ROOT / "solutions" / exercise, root / "solutions" / exercise)
    (root / "nbgrader_config.py").write_text(config)
    run(root, "nbgrader", "generate_assignment", exercise)
    blank = nbformat.read(root / "exercises" / exercise / f"{exercise}.ipynb", as_version=4)
    for number, own in enumerate(itertools.islice(answers(matrix.EXERCISES[exercise]), submissions)):
        folder = root / "submitted" / f"student-{number:05}" / exercise
        folder.mkdir(parents=True)
        nbformat.write(answered(blank, own), folder / f"{exercise}.ipynb")
    return root


# --- Both graders -------------------------------------------------------------------------------------------------


def run(course: Path, *command: str) -> tuple[float, float, int]:
    """Run a program of this environment in the course; seconds, seconds of CPU, and MiB of its own process."""
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}
    with open(course / "log.txt", "ab") as log:
        started = time.monotonic()
        program = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=course, env=environment, stdout=log, stderr=log
        )
        _, status, usage = os.wait4(program.pid, 0)
        program.returncode = os.waitstatus_to_exitcode(status)
    if program.returncode:
        raise RuntimeError(f"{' '.join(command)} failed; see {course}/log.txt")
    return time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss >> 10


def stock(course: Path, exercise: str, submissions: int) -> Cost:
    return Cost(submissions, *run(course, "nbgrader", "autograde", exercise))


def ours(course: Path, exercise: str, submissions: int, *options: str) -> Cost:
    return Cost(submissions, *run(course, "rnncourse", "grade", exercise, "--jobs=2", *options))


def results(course: Path, exercise: str) -> dict[str, dict]:
    """Of each student the scores, and of each cell the types of its outputs and the names of its errors."""
    found = {}
    with Gradebook(f"sqlite:///{course}/gradebook.db", "rnncourse") as gradebook:
        for submission in gradebook.assignment_submissions(exercise):
            student = submission.student.id
            path = course / "autograded" / student / exercise / f"{exercise}.ipynb"
            cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
            grades = {grade.name: grade.auto_score for book in submission.notebooks for grade in book.grades}
            outputs = [[kind for kind, _ in itertools.groupby(map(kind_of, cell.outputs))] for cell in cells]
            found[student] = {"scores": grades, "outputs": outputs}
    return found


def kind_of(output) -> tuple:
    """What may not differ of an output. (How a stream is cut into pieces is an accident in stock nbgrader.)"""
    return output.output_type, output.get("name"), output.get("ename")


def differences(first: dict[str, dict], second: dict[str, dict]) -> list[str]:
    """The students of whom the two graders do not say the same."""
    return sorted(s for s in first.keys() | second.keys() if first.get(s) != second.get(s))


# --- The measurements ---------------------------------------------------------------------------------------------


def compare(folder: Path, exercise: str, submissions: int) -> dict:
    """Both graders on the same submissions; raises RuntimeError if they disagree."""
    config = (ROOT / "nbgrader_config.py").read_text()
    plain = make_course(folder / "stock", exercise, STOCK, submissions)
    confined = make_course(folder / "ours", exercise, config, submissions)
    ours_took = ours(confined, exercise, submissions)
    stock_took = stock(plain, exercise, submissions)
    if different := differences(results(plain, exercise), results(confined, exercise)):
        raise RuntimeError(f"{exercise}: the graders disagree about {', '.join(different)} in {folder}")
    return {"exercise": exercise, "stock": stock_took._asdict(), "ours": ours_took._asdict()}


def main() -> None:
    console = Console()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        both = compare(Path(folder), EXERCISE, MANY)
    console.print(both)


if __name__ == "__main__":
    main()
