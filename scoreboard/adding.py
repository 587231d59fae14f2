"""The adding problem: which cell can carry two numbers over 100 and over 200 steps, and in how many seconds."""

from functools import cache

import numpy as np

from rnncourse.cells import GRUCell, LSTMCell, ResetBeforeGRUCell, RNNCell
from rnncourse.data import adding
from rnncourse.train import fit, predict
from scoreboard.task import Entry, Task

BATCH, LIMIT, HELD_OUT = 32, 1.0, 1000

# Rates are the best of a few, found by hand.
_WIDTH, _COUNT, _LONG = "T = 100, 32 units each", "T = 100, as many parameters as the GRU", "T = 200, 32 units each"
ENTRIES = (
    Entry(_WIDTH, "RNN", RNNCell("tanh"), 100, 32, 0.001, 3000),
    Entry(_WIDTH, "IRNN", RNNCell("relu"), 100, 32, 0.001, 3000),
    Entry(_WIDTH, "GRU", GRUCell(), 100, 32, 0.01, 3000),
    Entry(_WIDTH, "GRU, reset before", ResetBeforeGRUCell(), 100, 32, 0.01, 3000),
    Entry(_WIDTH, "LSTM", LSTMCell(), 100, 32, 0.02, 3000),
    Entry(_COUNT, "RNN", RNNCell("tanh"), 100, 57, 0.001, 3000),
    Entry(_COUNT, "IRNN", RNNCell("relu"), 100, 57, 0.0005, 3000),
    Entry(_COUNT, "LSTM", LSTMCell(), 100, 28, 0.02, 3000),
    Entry(_LONG, "RNN", RNNCell("tanh"), 200, 32, 0.001, 6000),
    Entry(_LONG, "IRNN", RNNCell("relu"), 200, 32, 0.0005, 6000),
    Entry(_LONG, "GRU", GRUCell(), 200, 32, 0.01, 6000),
    Entry(_LONG, "LSTM", LSTMCell(), 200, 32, 0.02, 6000),
)


def learn(entry, model, rng):
    """Updates with fresh sequences."""
    return fit(entry.cell, model, lambda: adding.draw(BATCH, entry.steps, rng), entry.rate, LIMIT)


@cache
def _held_out(steps):
    return adding.draw(HELD_OUT, steps, np.random.default_rng(1234))


def error(entry, model):
    """Mean squared error on 1,000 sequences that are never learned from."""
    x, y = _held_out(entry.steps)
    return float(np.mean((predict(entry.cell, model, x) - y) ** 2))


TASK = Task(
    "adding",
    "mean squared error",
    lambda: {"always 1": adding.BASELINE},
    (2, 1),
    BATCH,
    LIMIT,
    every=50,
    solved=0.01,
    entries=ENTRIES,
    learn=learn,
    error=error,
)
