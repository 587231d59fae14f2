"""The copy task: read symbols, wait, repeat them (Hochreiter and Schmidhuber 1997; this form: Arjovsky et al. 2016).

Made, unlimited, no licence. A sequence is `length` symbols from 1 to `symbols`, then `wait` blanks (0), of which the
last is a mark (`symbols` + 1), then blanks while the answer is due. The target is blank until the mark has been read
and then the symbols in order. Knowing when but not what gives a cross-entropy of ``length · ln(symbols) / steps``
nats a step.
"""

from typing import NamedTuple

import numpy as np


class Copying(NamedTuple):
    """A batch: T = 2 · length + wait steps."""

    x: np.ndarray  #: (B, T, symbols + 2) one-hot
    labels: np.ndarray  #: (B, T) the symbol due at every step, 0 for a blank
    due: np.ndarray  #: (B, T) True at the last `length` steps, where a symbol is due


def draw(batch: int, length: int, wait: int, rng: np.random.Generator, symbols: int = 8, dtype=np.float32) -> Copying:
    """`batch` sequences. Raises ValueError unless length, wait and symbols are at least 1."""
    if min(length, wait, symbols) < 1:
        raise ValueError(f"length, wait and symbols must be at least 1, got {length}, {wait} and {symbols}")
    steps = 2 * length + wait
    what = rng.integers(1, symbols + 1, (batch, length))
    tokens = np.zeros((batch, steps), dtype=int)
    labels = np.zeros((batch, steps), dtype=int)
    tokens[:, :length], labels[:, -length:] = what, what
    tokens[:, length + wait - 1] = symbols + 1  # the first answer is due in the step after the mark
    due = np.zeros((batch, steps), dtype=bool)
    due[:, -length:] = True
    return Copying(np.eye(symbols + 2, dtype=dtype)[tokens], labels, due)
