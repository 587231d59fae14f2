"""``python -m rnncourse.check.simulated EXERCISES SUBMITTED [STUDENTS]``: a class hands in the exercise `recurrence`.

EXERCISES is the folder of released exercises, SUBMITTED the folder to write to, as SUBMITTED/STUDENT/recurrence/.
Without a number five students hand in, each of another kind; with one, so many who know more or less.
"""

import sys
from pathlib import Path

import nbformat
import numpy as np

from rnncourse.check import recurrence
from rnncourse.check.notebooks import answered
from rnncourse.check.task import Task, edited

TASKS = {task.name: task for task in recurrence.TASKS}
ESSAY = "The state holds what was read before, so the same word can get another label."
NOT_TRIED = 0.05  # of all answers
CRASHES, NEVER_ENDS = "import os\n\nos._exit(1)", "while True:\n    pass"


def students() -> dict[str, dict[str, str]]:
    """What each of the five writes into which answer cell."""
    right = {name: task.source for name, task in TASKS.items()}
    return {
        "solved": right | {"order-answer": ESSAY},
        "blank": {},
        "half-right": {
            "rnn_step": right["rnn_step"],
            "rnn_forward": _mistaken(TASKS["rnn_forward"], "mask ignored"),
            "outputs_by_hand": _mistaken(TASKS["outputs_by_hand"], "no memory"),
            "order-answer": ESSAY,
        },
        "wrong": {name: edited(task.source, task.mistakes[0]) for name, task in TASKS.items()},
        "crashing": right | {"rnn_forward": CRASHES},
    }


def many(number: int, seed: int = 0) -> dict[str, dict[str, str]]:
    """What each of `number` students writes: right answers as often as they know their subject, else mistakes.

    The first mistakes of a task's list are made more often than the last. One student's answer ends the process, and
    one's never ends. Raises ValueError for fewer than two students.
    """
    if number < 2:
        raise ValueError(f"a class needs at least 2 students, got {number}")
    rng = np.random.default_rng(seed)
    answers = [_answers(rng) for _ in range(number)]
    for who, what in zip(rng.choice(number, size=2, replace=False), (CRASHES, NEVER_ENDS), strict=True):
        answers[who] |= {"rnn_forward": what}
    return {f"s{i + 1:03}": given for i, given in enumerate(answers)}


def hand_in(exercises: Path, submitted: Path, handed_in: dict[str, dict[str, str]]) -> None:
    """Write every student's submission."""
    blank = nbformat.read(exercises / "recurrence" / "recurrence.ipynb", as_version=4)
    for student, answers in handed_in.items():
        folder = submitted / student / "recurrence"
        folder.mkdir(parents=True, exist_ok=True)
        nbformat.write(answered(blank, answers), folder / "recurrence.ipynb")


def _answers(rng: np.random.Generator) -> dict[str, str]:
    knows = rng.beta(3, 1.5)  # the share of right answers
    given = {name: _answer(task, knows, rng) for name, task in TASKS.items() if rng.random() > NOT_TRIED}
    return given | {"order-answer": ESSAY}


def _answer(task: Task, knows: float, rng: np.random.Generator) -> str:
    if rng.random() < knows:
        return rng.choice([task.source, *(variant.source for variant in task.variants)])
    often = 1 / np.arange(1, len(task.mistakes) + 1)
    return edited(task.source, task.mistakes[rng.choice(len(often), p=often / often.sum())])


def _mistaken(task: Task, name: str) -> str:
    return edited(task.source, next(mistake for mistake in task.mistakes if mistake.name == name))


if __name__ == "__main__":
    exercises, submitted, *number = sys.argv[1:]
    hand_in(Path(exercises), Path(submitted), many(int(number[0])) if number else students())
