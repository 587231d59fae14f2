"""The adding problem (Hochreiter and Schmidhuber 1997): two numbers of a long sequence are marked, add them.

Made, unlimited, no licence. Every step has two inputs: a number drawn from [0, 1), and a mark, which is 1 at one step
in the first half and at one in the second and 0 elsewhere. Always to answer 1 has a mean squared error of 1/6.
"""

import numpy as np

BASELINE = 1 / 6  # the variance of the sum of two numbers from [0, 1)


def draw(batch: int, steps: int, rng: np.random.Generator, dtype=np.float32) -> tuple[np.ndarray, np.ndarray]:
    """`batch` sequences x (B, T, 2) and their sums (B, 1). Raises ValueError for fewer than two steps."""
    if steps < 2:
        raise ValueError(f"the adding problem needs at least two steps, got {steps}")
    numbers = rng.random((batch, steps))
    marks = np.zeros((batch, steps))
    rows, half = np.arange(batch), steps // 2
    marks[rows, rng.integers(0, half, batch)] = 1
    marks[rows, rng.integers(half, steps, batch)] = 1
    sums = (numbers * marks).sum(axis=1, keepdims=True)
    return np.stack([numbers, marks], axis=2).astype(dtype), sums.astype(dtype)
