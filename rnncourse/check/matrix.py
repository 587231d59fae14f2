"""``python -m rnncourse.check.matrix SOLUTIONS EXERCISES``: every known answer to every exercise, tried.

The solution must get full marks and the released stub none; the hidden tests must catch every listed mistake and the
visible check must recognise it; every listed other right way must get full marks and satisfy the check.
Prints a table for each exercise and ends with exit code 1 if anything is short of that.
"""

import sys
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode
from tabulate import tabulate

from rnncourse.check import (
    attention,
    bptt,
    char_rnn,
    deep_bidirectional,
    gradients,
    gru,
    lstm,
    pytorch,
    recurrence,
    seq2seq,
)
from rnncourse.check.notebooks import answered, diagnosis, scores
from rnncourse.check.task import Mistake, Task, Variant, edited

EXERCISES = {
    "recurrence": recurrence.TASKS,
    "bptt": bptt.TASKS,
    "gradients": gradients.TASKS,
    "lstm": lstm.TASKS,
    "gru": gru.TASKS,
    "deep-bidirectional": deep_bidirectional.TASKS,
    "char-rnn": char_rnn.TASKS,
    "seq2seq": seq2seq.TASKS,
    "attention": attention.TASKS,
    "pytorch": pytorch.TASKS,
}


class Row(NamedTuple):
    """What came out for one task."""

    task: str
    points: float  # that hidden tests give for it
    solution: float  # points of the solution
    stub: float  # points of the released stub
    mistakes: int
    caught: int  # by the task's own hidden tests
    recognised: int  # by the visible check, with the right sentence
    variants: int
    accepted: int  # with full marks, and the check content

    @property
    def complete(self) -> bool:
        """Nothing is short of what it should be."""
        return (
            self.solution == self.points > 0 == self.stub
            and self.mistakes == self.caught == self.recognised
            and self.variants == self.accepted
        )


def rows(name: str, solutions: Path, exercises: Path) -> list[Row]:
    """One row a task of the exercise, in its order."""
    return [_row(task, _read(solutions, name), _read(exercises, name)) for task in EXERCISES[name]]


def catches(task: Task, mistake: Mistake, solution: NotebookNode) -> bool:
    """Whether the task's own hidden tests take points from this mistake."""
    wrong = scores(answered(solution, {task.name: edited(task.source, mistake)}), only=task.name)
    return sum(wrong.values()) < points(task, solution)


def recognises(task: Task, mistake: Mistake, solution: NotebookNode) -> bool:
    """Whether the visible check fails and says this mistake's sentence."""
    said = diagnosis(answered(solution, {task.name: edited(task.source, mistake)}), f"{task.name}-check")
    return said is not None and _words(mistake.sentence) in _words(said)


def accepts(task: Task, variant: Variant, solution: NotebookNode) -> bool:
    """Whether this other right way gets full marks and satisfies the visible check."""
    notebook = answered(solution, {task.name: variant.source})
    full = sum(scores(notebook, only=task.name).values()) == points(task, solution)
    return full and diagnosis(notebook, f"{task.name}-check") is None


def mistaken_answers(exercise: str) -> dict[str, dict[str, str]]:
    """Every listed mistake, by "task: name", as the answer to its task; for `rnncourse qualify`."""
    return {
        f"{task.name}: {mistake.name}": {task.name: edited(task.source, mistake)}
        for task in EXERCISES[exercise]
        for mistake in task.mistakes
    }


def points(task: Task, solution: NotebookNode) -> float:
    """What the task's hidden tests give at most."""
    cells = [cell.metadata.get("nbgrader", {}) for cell in solution.cells]
    return sum(cell["points"] for cell in cells if cell.get("grade") and cell["grade_id"].startswith(f"{task.name}-"))


def stub_answers(release: NotebookNode) -> dict[str, str]:
    """The empty answer cells that a student gets."""
    cells = [(cell.metadata.get("nbgrader", {}), cell) for cell in release.cells if cell.cell_type == "code"]
    return {nbgrader["grade_id"]: cell.source for nbgrader, cell in cells if nbgrader.get("solution")}


def _row(task: Task, solution: NotebookNode, release: NotebookNode) -> Row:
    blank = answered(solution, stub_answers(release))  # the release itself holds no hidden test
    return Row(
        task.name,
        points=points(task, solution),
        solution=sum(scores(solution, only=task.name).values()),
        stub=sum(scores(blank, only=task.name).values()),
        mistakes=len(task.mistakes),
        caught=sum(catches(task, mistake, solution) for mistake in task.mistakes),
        recognised=sum(recognises(task, mistake, solution) for mistake in task.mistakes),
        variants=len(task.variants),
        accepted=sum(accepts(task, variant, solution) for variant in task.variants),
    )


def _read(folder: Path, name: str) -> NotebookNode:
    return nbformat.read(folder / name / f"{name}.ipynb", as_version=4)


def _words(text: str) -> str:
    return " ".join(text.split())


def main(solutions: Path, exercises: Path) -> int:
    """Print a table for each exercise as soon as it is done; the exit code."""
    complete = True
    for name in EXERCISES:
        table = rows(name, solutions, exercises)
        marks = [(*row, "" if row.complete else "◀ not complete") for row in table]
        print(tabulate(marks, [name, *Row._fields[1:], ""]), end="\n\n", flush=True)
        complete = complete and all(row.complete for row in table)
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
