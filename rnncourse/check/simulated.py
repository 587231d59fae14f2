"""``python -m rnncourse.check.simulated EXERCISES SUBMITTED``: a small class hands in the exercise `recurrence`.

EXERCISES is the folder of released exercises, SUBMITTED the folder to write to, as SUBMITTED/STUDENT/recurrence/.
"""

import sys
from pathlib import Path

import nbformat

from rnncourse.check import recurrence
from rnncourse.check.notebooks import answered
from rnncourse.check.task import Task, edited

TASKS = {task.name: task for task in recurrence.TASKS}


def students() -> dict[str, dict[str, str]]:
    """What each student writes into which answer cell."""
    right = {name: task.source for name, task in TASKS.items()}
    essay = "The state holds what was read before, so the same word can get another label."
    return {
        "solved": right | {"order-answer": essay},
        "blank": {},
        "half-right": {
            "rnn_step": right["rnn_step"],
            "rnn_forward": _mistaken(TASKS["rnn_forward"], "mask ignored"),
            "outputs_by_hand": _mistaken(TASKS["outputs_by_hand"], "no memory"),
            "order-answer": essay,
        },
        "wrong": {name: edited(task.source, task.mistakes[0]) for name, task in TASKS.items()},
        "crashing": right | {"rnn_forward": "import os\n\nos._exit(1)"},
    }


def hand_in(exercises: Path, submitted: Path) -> None:
    """Write every student's submission."""
    blank = nbformat.read(exercises / "recurrence" / "recurrence.ipynb", as_version=4)
    for student, answers in students().items():
        folder = submitted / student / "recurrence"
        folder.mkdir(parents=True, exist_ok=True)
        nbformat.write(answered(blank, answers), folder / "recurrence.ipynb")


def _mistaken(task: Task, name: str) -> str:
    return edited(task.source, next(mistake for mistake in task.mistakes if mistake.name == name))


if __name__ == "__main__":
    hand_in(Path(sys.argv[1]), Path(sys.argv[2]))
