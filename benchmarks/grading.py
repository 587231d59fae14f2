"""``python -m benchmarks.grading``: our grader against stock nbgrader on the same submissions of this course.

Nothing is timed before the scores agree. CPU time is that of the command and of every process it started, as the system
counts them; stock nbgrader grades one submission after the other, ours two at a time.
"""

import ctypes
import itertools
import json
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
from tabulate import tabulate

from rnncourse.check import matrix
from rnncourse.check.notebooks import answered
from rnncourse.check.task import Task, edited

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).with_name("grading.json")
CONFIG = (ROOT / "nbgrader_config.py").read_text(encoding="utf-8")
PR_SET_CHILD_SUBREAPER = 36
HEAD = ("submissions", "s each", "s CPU each", "MiB of the command")
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

    def row(self) -> tuple[int, float, float, int]:
        """For the table: number, seconds and seconds of CPU of each, MiB."""
        return self.submissions, self.seconds / self.submissions, self.cpu / self.submissions, self.memory


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
    seconds = time.monotonic() - started
    program.returncode = os.waitstatus_to_exitcode(status)
    if program.returncode:
        raise RuntimeError(f"{' '.join(command)} failed; see {course}/log.txt")
    return seconds, usage.ru_utime + usage.ru_stime + _cpu_of_orphans(), usage.ru_maxrss >> 10


def adopt_orphans() -> None:
    """Make this process the parent of those whose own parent ends, as multiprocessing's server of forks."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _cpu_of_orphans() -> float:
    seconds = 0.0
    while True:
        try:
            _, _, usage = os.wait4(-1, 0)
        except ChildProcessError:
            return seconds
        seconds += usage.ru_utime + usage.ru_stime


def stock(course: Path, exercise: str, submissions: int) -> Cost:
    return Cost(submissions, *run(course, "nbgrader", "autograde", exercise))


def ours(course: Path, exercise: str, submissions: int, *options: str) -> Cost:
    return Cost(submissions, *run(course, "rnncourse", "grade", exercise, "--jobs=2", *options))


def results(course: Path, exercise: str) -> dict[str, dict]:
    """Of each student the scores, and of each cell the types of its outputs and the names of its errors."""
    found = {}
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
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


def compare(folder: Path, exercise: str, submissions: int) -> dict[str, Cost]:
    """Both graders on the same submissions; raises RuntimeError if they disagree."""
    plain = make_course(folder / "stock", exercise, STOCK, submissions)
    confined = make_course(folder / "ours", exercise, CONFIG, submissions)
    took = {"stock": stock(plain, exercise, submissions), "ours": ours(confined, exercise, submissions)}
    if different := differences(results(plain, exercise), results(confined, exercise)):
        raise RuntimeError(f"{exercise}: the graders disagree about {', '.join(different)}; see {folder}")
    return took


def flat(folder: Path, exercise: str, sizes: tuple[int, ...]) -> list[Cost]:
    """What classes of these sizes cost."""
    return [ours(make_course(folder / str(size), exercise, CONFIG, size), exercise, size) for size in sizes]


def flood(folder: Path, exercise: str) -> Cost:
    """One submission prints 1 GB."""
    course = make_course(folder / "flood", exercise, CONFIG, 1)
    [path] = (course / "submitted").glob("*/*/*.ipynb")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell("for _ in range(1 << 10): print('x' * (1 << 20))"))
    nbformat.write(notebook, path)
    return ours(course, exercise, 1)


def main() -> None:
    adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        both = compare(folder, EXERCISE, MANY)
        sizes = flat(folder, EXERCISE, FLAT)
        flooded = flood(folder, EXERCISE)
    faster = both["stock"].seconds / both["ours"].seconds
    cheaper = both["stock"].cpu / both["ours"].cpu
    named = {**both, **{f"ours, {cost.submissions}": cost for cost in sizes}, "ours, one prints 1 GB": flooded}
    print(tabulate([(name, *cost.row()) for name, cost in named.items()], ["", *HEAD], floatfmt=".3f"))
    print(f"{faster:.0f} times the throughput, 1/{cheaper:.0f} of the CPU time")
    content = {"exercise": EXERCISE, "faster": faster, "cheaper": cheaper, "cores": os.cpu_count()}
    content["runs"] = {name: cost._asdict() for name, cost in named.items()}
    RESULTS.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
