"""Find the tests that judge an answer differently in one process, as kernels run them, and in two, as they are graded.

The instructor's own notebook is tried with its solution, with empty answers, and with the answers that
``c.Qualification.answers`` gives, each on the tests of its task. The solution has to get full marks.
"""

import argparse
import base64
import copy
import re
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.preprocessors import ClearSolutions
from traitlets.utils.importstring import import_item

from rnncourse.grading import notebook, spec, wire
from rnncourse.grading.confine import Limits
from rnncourse.grading.coordinator import Course
from rnncourse.grading.process import Template, WarmProcess
from rnncourse.grading.settings import Qualification, Sandbox
from rnncourse.grading.submission import VARIABLES, recognised, score

SOLUTION, EMPTY = "the solution", "empty answers"
QUALIFIED, FAILED, IMPOSSIBLE = 0, 1, 2  # exit codes

REASONS = (  # what a test that cannot qualify has in it, why that matters, and what to write instead
    (
        r"\bseed\(",
        "a seed that the test sets holds for the test's process alone",
        "hand the answer a generator: np.random.default_rng(0), torch.Generator().manual_seed(0)",
    ),
    (
        r"no_grad|inference_mode|set_grad_enabled|set_default_dtype|autocast|deterministic",
        "what the test switches on or off in a library stays as it was where the answer runs",
        "switch it in a cell of the instructor's, which runs in both processes, or let the answer take an argument",
    ),
    (
        r"\bwarnings\.|\bredirect_std|\bcapsys\b",
        "warnings and prints of the answer do not pass through the test's process",
        "test what the answer returns",
    ),
    (
        r"\bpatch|\bmock|\bsetattr\(|\bdelattr\(",
        "what the test replaces in a module stays as it was where the answer runs",
        "hand the replacement to the answer as an argument: a call of it comes back to the test",
    ),
    (
        r"\binspect\.|__code__|__closure__|__defaults__|__annotations__|__doc__",
        "the function in the test is a stand-in for the student's, which has no code of its own",
        "test what the answer returns",
    ),
    (
        r"\bglobals\(|\blocals\(|\beval\(|\bexec\(|get_ipython|__main__",
        "the test's process has only those names of the student's that stand in the text of the test",
        "write the name in the test",
    ),
    (
        r"\bisinstance\(|\bissubclass\(|\btype\(",
        "an object of a class that the student defined is a stand-in in the test, and none of that class",
        "test what its methods return",
    ),
)
UNKNOWN = (
    "only numbers, text, containers of these, arrays and tensors come and go as copies; all else is a stand-in",
    "hand over and compare such values alone",
)
SLOW = "it took longer than a cell may", "test something smaller, or set c.Sandbox.timeout"
WRONG = "the solution does not get full marks, however it is run", "mend the test or the solution"
UNSTEADY = ("the same answer is not judged alike twice in the same way of running it", "draw no number without a seed")


class Verdict(NamedTuple):
    """What a test cell said."""

    points: float
    error: str  # name of the exception, or ""
    said: str  # its words
    recognised: str  # the misconception

    def same(self, other: "Verdict") -> bool:
        """Whether a student would be told the same. (The words may differ in an address or a line's number.)"""
        return (self.points, self.error, self.recognised) == (other.points, other.error, other.recognised)

    def __str__(self) -> str:
        words = " ".join(f"{self.error}: {self.said}".split())[:200] if self.error else "no error"
        return f"{self.points:g} points, {words}"


class Finding(NamedTuple):
    """A test cell that does not qualify."""

    cell: str
    answers: str  # with which it shows
    what: str
    reason: str
    fix: str


class Exercise:
    """An instructor's notebook and what it takes to run it."""

    def __init__(self, course: Course, path: Path):
        self.solution = nbformat.read(path, as_version=4)
        self.answers = {name: cell.source for name, cell in _cells(self.solution, utils.is_solution).items()}
        cleared, _ = ClearSolutions(config=course.config).preprocess(copy.deepcopy(self.solution), {})
        self.empty = {name: cell.source for name, cell in _cells(cleared, utils.is_solution).items()}
        self.tests = _cells(self.solution, _is_test)
        self.tasks = spec.tasks_of(path.stem, self.solution)
        self.claims = {name: spec.claim(self.empty[name], source) for name, source in self.answers.items()}
        self.pattern = Sandbox(config=course.config).diagnosis
        given = spec.given_files(path.parent, course.dirs, [])
        files = {name: base64.b64decode(content) for name, content in given.items()}
        self.files = {wire.STUDENT: files, wire.TESTS: files}

    def modules(self) -> set[str]:
        """What the cells that are not the student's import."""
        sources = [c.source for c in self.solution.cells if c.cell_type == "code" and not utils.is_solution(c)]
        return {module for source in sources for module in spec.modules(source)}

    def tests_of(self, answers: dict[str, str]) -> set[str]:
        """The test cells that judge one of these answers; all, if there is none and so the solution is meant."""
        judged = {cell for task in self.tasks if task.name in answers for cell in task.cells}
        return judged & self.tests.keys() if answers else set(self.tests)

    def verdicts(self, warm: WarmProcess, answers: dict[str, str], apart: bool) -> dict[str, Verdict]:
        """What the test cells of these answers say, in two processes if `apart`, else in one."""
        ran, wanted = copy.deepcopy(self.solution), self.tests_of(answers)
        ran.cells = [c for c in ran.cells if not _is_test(c) or c.metadata.nbgrader["grade_id"] in wanted]
        for name, cell in _cells(ran, utils.is_solution).items():
            cell.source = answers.get(name, cell.source)
        notebook.run(ran, warm, self.claims, self.files, VARIABLES, apart)
        known = recognised(ran, self.pattern)
        return {name: _verdict(cell, known.get(name, "")) for name, cell in _cells(ran, _is_test).items()}


def _is_test(cell: NotebookNode) -> bool:
    return notebook.kind_of(cell) == "test"


def _cells(book: NotebookNode, which) -> dict[str, NotebookNode]:
    return {c.metadata.nbgrader["grade_id"]: c for c in book.cells if c.cell_type == "code" and which(c)}


def _verdict(cell: NotebookNode, known: str) -> Verdict:
    errors = [output for output in cell.outputs if output.output_type == "error"]
    return Verdict(score(cell), *((errors[0].ename, errors[0].evalue) if errors else ("", "")), known)


def findings(exercise: Exercise, warm: WarmProcess, tries: dict[str, dict[str, str]]) -> list[Finding]:
    """The test cells that do not qualify, each with the first of the answers that shows it."""
    found = {}
    for what, answers in tries.items():
        one, two = (exercise.verdicts(warm, answers, apart) for apart in (False, True))
        for name in one:
            points = exercise.tests[name].metadata.nbgrader["points"]
            short = what == SOLUTION and (two[name].error or two[name].points < points)
            if name not in found and (short or not one[name].same(two[name])):
                reason = _reason(exercise, warm, answers, name, one[name], two[name])
                found[name] = Finding(name, what, f"in one process {one[name]}; in two {two[name]}", *reason)
    return list(found.values())


def _reason(exercise: Exercise, warm: WarmProcess, answers: dict, name: str, *before: Verdict) -> tuple[str, str]:
    if any(verdict.error == "CellTimeoutError" for verdict in before):
        return SLOW
    again = [exercise.verdicts(warm, answers, apart)[name] for apart in (False, True)]
    if not all(now.same(then) for now, then in zip(again, before, strict=True)):
        return UNSTEADY
    if before[0].same(before[1]):
        return WRONG
    source = exercise.tests[name].source
    return next((tuple(why) for pattern, *why in REASONS if re.search(pattern, source)), UNKNOWN)


def qualify(course: Course, assignment: str) -> tuple[list[Finding], int, int]:
    """What does not qualify, and how many answers were tried on how many test cells.

    Raises ValueError if the assignment has no notebook or the course's own answers cannot be had.
    """
    folder = Path(course.dirs.format_path(course.dirs.source_directory, ".", assignment))
    exercises = [Exercise(course, path) for path in sorted(folder.glob("*.ipynb"))]
    if not exercises:
        raise ValueError(f"no notebook in {folder}")
    more, settings = more_answers(course, assignment), Sandbox(config=course.config)
    imports = sorted({module for exercise in exercises for module in exercise.modules()})
    limits = Limits(settings.timeout, settings.memory << 20, total=10 * settings.timeout)
    preload, found, tried = list(dict.fromkeys([*settings.preload, *imports])), [], 0
    with (
        closing(Template(preload, settings.private, unsafe=True)) as template,
        closing(WarmProcess(template.wait(), limits)) as warm,
    ):
        for exercise in exercises:
            own = {what: answers for what, answers in more.items() if answers.keys() & exercise.answers.keys()}
            tries = {SOLUTION: {}, EMPTY: exercise.empty, **own}
            found += findings(exercise, warm, tries)
            tried += len(tries)
    return found, tried, sum(len(exercise.tests) for exercise in exercises)


def more_answers(course: Course, assignment: str) -> dict[str, dict[str, str]]:
    """The answers that the course gives. Raises ValueError if they cannot be had."""
    name = Qualification(config=course.config).answers
    if not name:
        return {}
    try:
        return import_item(name)(assignment)
    except (ImportError, KeyError) as error:
        raise ValueError(
            f"c.Qualification.answers is {name!r}, which gives none for {assignment!r}: {error!r}"
        ) from None


# --- The command --------------------------------------------------------------------------------------------------


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("assignment", nargs="+")


def main(options: argparse.Namespace) -> int:
    """Say of each assignment whether all its tests qualify; the exit code."""
    outcome = QUALIFIED
    for assignment in options.assignment:
        started = time.monotonic()
        try:
            found, tried, cells = qualify(Course(Path.cwd()), assignment)
        except (FileNotFoundError, ValueError) as error:
            print(f"rnncourse qualify: {error}", file=sys.stderr)
            return IMPOSSIBLE
        took = f"{tried} answers on {cells} test cells in {time.monotonic() - started:.0f} s"
        print(f"{assignment}: {took}; {f'{len(found)} do not qualify' if found else 'all qualify'}", flush=True)
        for one in found:
            print(f"  {one.cell}, with {one.answers}: {one.what}\n    why: {one.reason}\n    so: {one.fix}")
        outcome = FAILED if found else outcome
    return outcome
