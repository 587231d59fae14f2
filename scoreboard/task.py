"""What a task of the scoreboard is, and how one network is trained and measured on it."""

import platform
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import NamedTuple

import numpy as np

from rnncourse.cells import Cell, LSTMCell, RNNCell
from rnncourse.train import LastStep, Progress, init_last_step

SEEDS = (0, 1, 2)
FIRST = 3  # updates whose losses are kept, so that a test can repeat them


class Entry(NamedTuple):
    """One row: a network with its settings."""

    group: str  # rows of one group are to be compared
    name: str
    cell: Cell
    steps: int  # T
    hidden: int  # H
    rate: float  # of Adam
    updates: int  # at most


class Task(NamedTuple):
    """One results file."""

    name: str
    measure: str  # what an error is
    baselines: Callable[[], dict[str, float]]  # errors of simple methods
    sizes: tuple[int, int]  # D and O
    batch: int
    limit: float  # of the gradients' global norm
    every: int  # updates between two looks at the held-out data
    solved: float | None  # the error at which a run ends, None if it never does
    entries: tuple[Entry, ...]
    learn: Callable[[Entry, LastStep, np.random.Generator], Iterator[Progress]]
    error: Callable[[Entry, LastStep], float]  # on held-out data
    text: Callable[[], str] = str  # a fingerprint of what is learned from, where that is not made here


def first_weights(entry: Entry, sizes: tuple[int, int], rng: np.random.Generator) -> LastStep:
    """Weights from U(-1/√H, 1/√H) but for two remedies of the literature.

    A ReLU network starts with the identity for W and no bias (IRNN, Le et al. 2015), an LSTM with a forget bias of 1
    (Gers et al. 2000; Jozefowicz et al. 2015).
    """
    (D, O), H = sizes, entry.hidden
    model = init_last_step(entry.cell, (D, H, O), rng)
    parameters = model.parameters
    if entry.cell == RNNCell("relu"):
        zero = np.zeros_like(parameters.b_x)
        parameters = parameters._replace(W=np.eye(H, dtype=zero.dtype), b_x=zero, b_h=zero)
    if isinstance(entry.cell, LSTMCell):
        b_x = parameters.b_x.copy()
        b_x[H : 2 * H] = 1
        parameters = parameters._replace(b_x=b_x)
    return model._replace(parameters=parameters)


def start(task: Task, entry: Entry, seed: int) -> Iterator[Progress]:
    """The updates of one run, without end; one generator draws the weights and then the batches."""
    rng = np.random.default_rng(seed)
    return task.learn(entry, first_weights(entry, task.sizes, rng), rng)


def run(task: Task, entry: Entry, seed: int, report: Callable[[int, float], None] = lambda *_: None) -> dict:
    """Train one network. Only the updates are timed, in CPU seconds, not the looks at held-out data."""
    seconds, norm, losses, errors, diverged = 0.0, 0.0, [], [], False
    updates = start(task, entry, seed)
    for update in range(1, entry.updates + 1):
        begun = time.process_time()
        try:
            progress = next(updates)
        except FloatingPointError:  # the gradients are infinite
            diverged = True
            break
        seconds += time.process_time() - begun
        norm = max(norm, progress.norm)
        if update <= FIRST:
            losses.append(short(progress.loss))
        if update % task.every == 0:
            errors.append(short(task.error(entry, progress.model)))
            report(update, errors[-1])
            if task.solved and errors[-1] < task.solved:
                break
    solved = bool(task.solved and errors and errors[-1] < task.solved)
    outcome = {"diverged": diverged, "solved": solved, "updates": update, "seconds": round(seconds, 2)}
    outcome["largest_norm"] = short(norm)  # of a gradient, before it was clipped
    return {"seed": seed, **outcome, "first_losses": losses, "errors": errors}


def settings(task: Task) -> dict:
    """What stands at the head of a results file."""
    baselines = {name: short(error) for name, error in task.baselines().items()}
    head = {"task": task.name, "measure": task.measure, "baselines": baselines, "solved_below": task.solved}
    learning = {"batch": task.batch, "clip_norm": task.limit, "every": task.every, "text": task.text()}
    return head | learning | {"versions": versions(np)}


def row(task: Task, entry: Entry, runs: list[dict]) -> dict:
    """One row of a results file: settings, runs, and over the seeds the mean, the lowest and the highest."""
    parameters = sum(a.size for a in _arrays(first_weights(entry, task.sizes, np.random.default_rng(0))))
    head = entry._replace(cell=repr(entry.cell))._asdict() | {"parameters": parameters}
    finished = [run for run in runs if not run["diverged"]]
    solved = [run["seconds"] for run in runs if run["solved"]]
    summary = {
        "diverged": len(runs) - len(finished),
        "solved": len(solved),
        "error": interval([run["errors"][-1] for run in finished]),
        "seconds_to_solve": interval(solved if len(solved) == len(runs) else []),
        "milliseconds_an_update": interval([1000 * run["seconds"] / run["updates"] for run in finished]),
    }
    return head | summary | {"runs": runs}


def _arrays(model: LastStep) -> list[np.ndarray]:
    return [a for a in (*model.parameters, model.V, model.c) if a is not None]


def seeded(what: str, run: Callable[[int, Callable[[int], None]], dict], advance: Callable[[str], None]) -> list[dict]:
    """One run from each seed; `run` is given the seed and what to call after an update, `advance` is told of both."""
    return [run(seed, lambda update, seed=seed: advance(f"{what}, seed {seed}, update {update}")) for seed in SEEDS]


def versions(*packages: ModuleType) -> dict[str, str]:
    """Of Python and of the packages that the numbers depend on."""
    return {"python": platform.python_version()} | {package.__name__: package.__version__ for package in packages}


def interval(values: list[float]) -> list[float] | None:
    """The mean, the lowest and the highest; None of nothing."""
    return [short(v) for v in (np.mean(values), min(values), max(values))] if values else None


def short(value: float) -> float:
    """Four digits are more than any seed repeats."""
    return float(f"{value:.4g}")
