"""A small language model: the next character of a line of Python, on lines from modules that are held out."""

import hashlib
from collections import Counter
from functools import cache

import numpy as np

from rnncourse.cells import GRUCell, LSTMCell, ResetBeforeGRUCell, RNNCell
from rnncourse.data import python_lines
from rnncourse.losses import cross_entropy
from scoreboard.every_step import Batch, fit, logits
from scoreboard.task import Entry, Task

BATCH, LIMIT = 32, 1.0
V, STEPS = len(python_lines.ALPHABET), python_lines.LONGEST

# Rates are the best of a few, found by hand.
_WIDTH, _COUNT = "128 units each", "as many parameters as the GRU"
ENTRIES = (
    Entry(_WIDTH, "RNN", RNNCell("tanh"), STEPS, 128, 0.005, 1000),
    Entry(_WIDTH, "GRU", GRUCell(), STEPS, 128, 0.01, 1000),
    Entry(_WIDTH, "GRU, reset before", ResetBeforeGRUCell(), STEPS, 128, 0.01, 1000),
    Entry(_WIDTH, "LSTM", LSTMCell(), STEPS, 128, 0.01, 1000),
    Entry(_COUNT, "RNN", RNNCell("tanh"), STEPS, 232, 0.005, 1000),
    Entry(_COUNT, "LSTM", LSTMCell(), STEPS, 108, 0.01, 1000),
)


def batch_of(lines: python_lines.Lines, which) -> Batch:
    """Lines as inputs and labels: at every step the character before (none at the first), and this one."""
    labels, mask = lines.characters[which], lines.mask[which]
    x = np.zeros((*labels.shape, V), np.float32)
    x[:, 1:] = np.eye(V, dtype=np.float32)[labels[:, :-1]]
    return Batch(x, labels, mask)


def learn(entry, model, rng):
    """Updates with lines drawn at random."""
    train = python_lines.split().train
    draw = lambda: batch_of(train, rng.integers(0, len(train.text), BATCH))  # noqa: E731
    return fit(entry.cell, model, draw, entry.rate, LIMIT)


@cache
def _held_out():
    return batch_of(python_lines.split().test, slice(None))


def error(entry, model):
    """Bits a character on all held-out lines."""
    x, labels, mask = _held_out()
    return cross_entropy(logits(entry.cell, model, x), labels, mask)[0] / np.log(2)


def ngram_bits(order: int) -> float:
    """Bits a character of counts: the last `order` characters, mixed with shorter ones (Witten and Bell 1991)."""
    lines = python_lines.split()
    counts = [{} for _ in range(order + 1)]
    for text in lines.train.text:
        for t in range(len(text)):
            for n in range(min(t, order) + 1):
                counts[n].setdefault(text[t - n : t], Counter())[text[t]] += 1

    def probability(text, t):
        p = 1 / V
        for n in range(min(t, order) + 1):
            seen = counts[n].get(text[t - n : t])
            if seen:
                p = (seen[text[t]] + len(seen) * p) / (seen.total() + len(seen))
        return p

    surprises = [-np.log2(probability(text, t)) for text in lines.test.text for t in range(len(text))]
    return float(np.mean(surprises))


def baselines() -> dict[str, float]:
    """What counts of the last few characters reach."""
    return {f"counts, {order} characters back": ngram_bits(order) for order in range(5)}


def fingerprint() -> str:
    """The lines come from the standard library of the Python that runs, and differ between its versions."""
    return hashlib.sha256("\n".join(python_lines.split().train.text).encode()).hexdigest()[:16]


TASK = Task(
    "language",
    "bits a character",
    baselines,
    (V, V),
    BATCH,
    LIMIT,
    every=50,
    solved=None,
    entries=ENTRIES,
    learn=learn,
    error=error,
    text=fingerprint,
)
