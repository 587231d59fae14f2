"""The copy task: read five symbols, wait for twenty steps, repeat them in order."""

from functools import cache

import numpy as np

from rnncourse.cells import GRUCell, LSTMCell, ResetBeforeGRUCell, RNNCell
from rnncourse.data import copying
from scoreboard.every_step import Batch, fit, logits
from scoreboard.task import Entry, Task

BATCH, LIMIT, HELD_OUT = 32, 1.0, 500
LENGTH, WAIT, SYMBOLS = 5, 20, 8
STEPS = 2 * LENGTH + WAIT

# Rates are the best of a few, found by hand.
_WIDTH, _COUNT = "64 units each", "as many parameters as the GRU"
ENTRIES = (
    Entry(_WIDTH, "RNN", RNNCell("tanh"), STEPS, 64, 0.001, 3000),
    Entry(_WIDTH, "IRNN", RNNCell("relu"), STEPS, 64, 0.001, 3000),
    Entry(_WIDTH, "GRU", GRUCell(), STEPS, 64, 0.02, 3000),
    Entry(_WIDTH, "GRU, reset before", ResetBeforeGRUCell(), STEPS, 64, 0.02, 3000),
    Entry(_WIDTH, "LSTM", LSTMCell(), STEPS, 64, 0.01, 3000),
    Entry(_COUNT, "RNN", RNNCell("tanh"), STEPS, 113, 0.001, 3000),
    Entry(_COUNT, "IRNN", RNNCell("relu"), STEPS, 113, 0.0005, 3000),
    Entry(_COUNT, "LSTM", LSTMCell(), STEPS, 55, 0.01, 3000),
)


def learn(entry, model, rng):
    """Updates with fresh sequences."""

    def draw():
        batch = copying.draw(BATCH, LENGTH, WAIT, rng, SYMBOLS)
        return Batch(batch.x, batch.labels, None)

    return fit(entry.cell, model, draw, entry.rate, LIMIT)


@cache
def _held_out():
    return copying.draw(HELD_OUT, LENGTH, WAIT, np.random.default_rng(1234), SYMBOLS)


def error(entry, model):
    """The share of wrong symbols where one is due, on 500 sequences that are never learned from."""
    batch = _held_out()
    said = logits(entry.cell, model, batch.x).argmax(axis=2)
    return float(np.mean((said != batch.labels)[batch.due]))


TASK = Task(
    "copying",
    "share of wrong symbols",
    lambda: {"guessing": 1 - 1 / SYMBOLS},
    (SYMBOLS + 2, SYMBOLS + 2),
    BATCH,
    LIMIT,
    every=100,
    solved=0.01,
    entries=ENTRIES,
    learn=learn,
    error=error,
)
