"""``python -m benchmarks.grading [PART ...]``: our grader against stock nbgrader on the same submissions.

The parts, all of them without a name: `speed` (200 submissions of one exercise), `parity` (more submissions, of all the
other exercises, of which only the results are compared), `flat` (what classes of 100, 1,000 and 5,000 cost), `flood`
(one submission prints 1 GB). Each replaces its part of grading.json. CPU time is that of the command and of every
process it started, as the system counts them; stock nbgrader grades one submission after the other, ours two at a time.
"""

import ctypes
import itertools
import json
import os
import random
import re
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
EXERCISE, MANY, OF_OTHERS, SIZES = "recurrence", 200, 34, (100, 1000, 5000)
STOCK = """
c = get_config()
c.CourseDirectory.course_id = "rnncourse"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
"""
BROKEN = (  # what stands in an answer cell
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


def answers(tasks: tuple[Task, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """Answers without end, named: right ones, none, then mixed each known mistake, right variant and broken one."""
    right = {task.name: task.source for task in tasks}
    kinds = {}
    for task in tasks:
        own = {f"mistake: {mistake.name}": edited(task.source, mistake) for mistake in task.mistakes}
        own |= {f"variant: {variant.name}": variant.source for variant in task.variants}
        own |= {f"broken: {text}": text for text in BROKEN}
        kinds |= {f"{task.name}, {name}": right | {task.name: source} for name, source in own.items()}
    mixed = random.Random(0).sample(list(kinds.items()), len(kinds))
    for round_number in itertools.count():
        for name, kind in [("right", right), ("blank", {}), *mixed]:
            yield name, {task: f"{text}\n# {round_number}" if round_number else text for task, text in kind.items()}


def make_course(root: Path, exercise: str, config: str, submissions: int) -> dict[str, str]:
    """A course with one exercise, released and handed in so many times; what each student answered."""
    shutil.copytree(ROOT / "solutions" / exercise, root / "solutions" / exercise)
    (root / "nbgrader_config.py").write_text(config)
    run(root, "nbgrader", "generate_assignment", exercise)
    blank, said = nbformat.read(root / "exercises" / exercise / f"{exercise}.ipynb", as_version=4), {}
    for number, (name, own) in enumerate(itertools.islice(answers(matrix.EXERCISES[exercise]), submissions)):
        student = f"student-{number:05}"
        folder = root / "submitted" / student / exercise
        folder.mkdir(parents=True)
        nbformat.write(answered(blank, own), folder / f"{exercise}.ipynb")
        said[student] = name
    return said


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
        memory = 0
        while not (ended := os.wait4(program.pid, os.WNOHANG))[0]:
            memory = max(memory, _most_memory(program.pid))
            time.sleep(0.05)
    seconds, (_, status, usage) = time.monotonic() - started, ended
    program.returncode = os.waitstatus_to_exitcode(status)
    if program.returncode:
        raise RuntimeError(f"{' '.join(command)} failed; see {course}/log.txt")
    return seconds, usage.ru_utime + usage.ru_stime + _cpu_of_orphans(), memory


def _most_memory(process: int) -> int:
    """The most MiB that a running process had. (The system's own account counts those of its parent, too.)"""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(found[1]) >> 10 if found else 0


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


def described(stock: dict, ours: dict) -> dict[str, list]:
    """How two results for one student differ: by cell with a score, or by number of the cell, stock's and ours."""
    cells = range(max(len(stock["outputs"]), len(ours["outputs"])))
    of_each = {f"cell {i}": [r["outputs"][i] if i < len(r["outputs"]) else None for r in (stock, ours)] for i in cells}
    names = stock["scores"] | ours["scores"]
    of_each |= {name: [stock["scores"].get(name), ours["scores"].get(name)] for name in names}
    return {name: pair for name, pair in of_each.items() if pair[0] != pair[1]}


# --- The measurements ---------------------------------------------------------------------------------------------


def compare(folder: Path, exercise: str, submissions: int) -> tuple[Cost, Cost, dict]:
    """Both graders on the same submissions: what it cost stock nbgrader and us, and where the results differ."""
    answered = make_course(folder / "stock", exercise, STOCK, submissions)
    make_course(folder / "ours", exercise, CONFIG, submissions)
    costs = stock(folder / "stock", exercise, submissions), ours(folder / "ours", exercise, submissions)
    theirs, own = results(folder / "stock", exercise), results(folder / "ours", exercise)
    nothing = {"scores": {}, "outputs": []}
    different = {
        f"{student}, {answered[student]}": described(theirs.get(student, nothing), own.get(student, nothing))
        for student in differences(theirs, own)
    }
    return *costs, {exercise: {"submissions": submissions, "different": different}}


def speed(folder: Path) -> None:
    theirs, own, same = compare(folder, EXERCISE, MANY)
    faster, cheaper = theirs.seconds / own.seconds, theirs.cpu / own.cpu
    print(f"{faster:.1f} times the throughput, 1/{cheaper:.1f} of the CPU time")
    costs = {"stock": theirs._asdict(), "ours": own._asdict()}
    save(speed={"exercise": EXERCISE, **costs, "faster": faster, "cheaper": cheaper}, parity=known("parity") | same)


def parity(folder: Path) -> None:
    for exercise in matrix.EXERCISES:
        if exercise != EXERCISE:
            *_, same = compare(folder / exercise, exercise, OF_OTHERS)
            print(json.dumps(same, indent=1))
            save(parity=known("parity") | same)


def flat(folder: Path) -> None:
    costs = []
    for size in SIZES:
        make_course(folder / str(size), EXERCISE, CONFIG, size)
        costs.append(ours(folder / str(size), EXERCISE, size))
        shutil.rmtree(folder / str(size))
    print(tabulate([cost.row() for cost in costs], ["submissions", "s each", "s CPU each", "MiB"], floatfmt=".3f"))
    save(flat=[cost._asdict() for cost in costs])


def flood(folder: Path) -> None:
    make_course(folder, EXERCISE, CONFIG, 1)
    [path] = (folder / "submitted").glob("*/*/*.ipynb")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell("for _ in range(1 << 10): print('x' * (1 << 20))"))
    nbformat.write(notebook, path)
    cost = ours(folder, EXERCISE, 1)
    print(f"{cost.memory} MiB of the command while a submission prints 1 GB")
    save(flood=cost._asdict())


def known(part: str) -> dict:
    """What was measured of this part before."""
    return json.loads(RESULTS.read_text()).get(part, {}) if RESULTS.exists() else {}


def save(**parts) -> None:
    """Replace these parts of the results."""
    before = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps(before | parts | {"cores": os.cpu_count()}, indent=1, ensure_ascii=False) + "\n")


PARTS = {part.__name__: part for part in (speed, parity, flat, flood)}


def main(wanted: list[str]) -> None:
    adopt_orphans()
    for name in wanted or PARTS:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            PARTS[name](Path(folder, "course"))


if __name__ == "__main__":
    main(sys.argv[1:])
