"""From gradients to better weights: clipping and Adam. Weights and gradients are flat lists of arrays (or None)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

Arrays = Sequence[np.ndarray | None]


class Moments(NamedTuple):
    """What Adam remembers between two updates."""

    updates: int
    mean: list[np.ndarray | None]
    square: list[np.ndarray | None]


def global_norm(gradients: Arrays) -> float:
    """√ of the sum of the squares of all numbers, in float64: in float32 squares overflow from 2·10¹⁹ on."""
    squares = (np.square(np.abs(g), dtype=np.float64).sum() for g in gradients if g is not None)
    return float(np.sqrt(sum(squares)))


def clip_by_global_norm(gradients: Arrays, limit: float) -> tuple[list[np.ndarray | None], float]:
    """The gradients, scaled together so that their common norm is at most `limit`, and the norm they had.

    Equation (clip-norm) of the chapter `gradients` (Pascanu et al. 2013). Raises FloatingPointError if the norm is not
    finite: no factor makes a gradient of NaN useful; ValueError for a limit that is not positive.
    """
    if not limit > 0:
        raise ValueError(f"limit must be positive, got {limit}")
    norm = global_norm(gradients)
    if not np.isfinite(norm):
        raise FloatingPointError(f"the norm of the gradients is {norm}")
    factor = min(1.0, limit / norm) if norm else 1.0
    return [None if g is None else g * np.asarray(factor, g.dtype) for g in gradients], norm


def adam(
    weights: Arrays, gradients: Arrays, moments: Moments | None = None, rate: float = 1e-3
) -> tuple[list[np.ndarray | None], Moments]:
    """One update (Kingma and Ba 2015) with the usual constants: the new weights and what to remember.

    `moments` is what the last update returned, None before the first. Raises ValueError unless there is a gradient
    of the same shape for every weight.
    """
    shapes = [[None if a is None else a.shape for a in arrays] for arrays in (weights, gradients)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"weights and gradients must have the same shapes, got {shapes[0]} and {shapes[1]}")
    zeros = [None if w is None else np.zeros_like(w) for w in weights]
    updates, means, squares = moments or Moments(0, zeros, zeros)
    updates += 1
    step, correction = rate / (1 - 0.9**updates), 1 - 0.999**updates  # both for the start at 0
    means = [m if g is None else 0.9 * m + 0.1 * g for m, g in zip(means, gradients, strict=True)]
    squares = [s if g is None else 0.999 * s + 0.001 * g * g for s, g in zip(squares, gradients, strict=True)]
    new = [
        w if w is None else w - step * m / (np.sqrt(s / correction) + 1e-8)
        for w, m, s in zip(weights, means, squares, strict=True)
    ]
    return new, Moments(updates, means, squares)
