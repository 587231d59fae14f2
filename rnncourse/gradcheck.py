"""Is a gradient right? Two ways to compute it from the function alone, and the error between two gradients.

Both are slow, one or two calls of the function for every number in x, and both exist to be compared with.
"""

from collections.abc import Callable

import numpy as np

TINY = 1e-30  # nothing is subtracted in a complex step, so it can be this small


def finite_differences(f: Callable[[np.ndarray], float], x: np.ndarray, step: float = 6e-6) -> np.ndarray:
    """The gradient of f at x by central differences, (f(x + e) - f(x - e)) / 2e: (finite-differences) of `bptt`.

    x is a real float64 array of any shape, and so is the result. The error has two parts, one that grows with the
    step and one, rounding, that shrinks with it: the default is near the best for float64, with a relative error of
    about 1e-10 where f and its argument are of order 1. Raises TypeError for x of another type.
    """
    _require_float64(x)
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[index] += step
        down[index] -= step
        gradient[index] = (f(up) - f(down)) / (up[index] - down[index])  # the step that was really made
    return gradient


def complex_step(f: Callable[[np.ndarray], complex], x: np.ndarray) -> np.ndarray:
    """The gradient of f at x as the imaginary part of f(x + iε) / ε: (complex-step) of `bptt`.

    Exact to rounding, for a function that is analytic and is written so that complex numbers pass through it: no
    `abs`, no conjugate, no comparison that looks at more than the real part (Squire and Trapp 1998). x is a
    real float64 array of any shape, and so is the result. Raises TypeError for x of another type, and if f returns
    a real number, because then its imaginary part was lost on the way.
    """
    _require_float64(x)
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        moved = x.astype(complex)
        moved[index] += 1j * TINY
        value = f(moved)
        if not np.iscomplexobj(value):
            raise TypeError(f"f must return a complex number for a complex x, got {type(value).__name__}")
        gradient[index] = np.imag(value) / TINY
    return gradient


def relative_error(got: np.ndarray, want: np.ndarray) -> float:
    """The largest difference, relative to the largest entry of either; 0 for two arrays of zeros.

    Relative to the largest and not entry by entry: an entry that is nearly 0 by cancellation carries the rounding
    of the large ones. Raises ValueError unless the shapes are the same.
    """
    if np.shape(got) != np.shape(want):
        raise ValueError(f"the two gradients must have one shape, got {np.shape(got)} and {np.shape(want)}")
    scale = max(np.abs(got).max(initial=0), np.abs(want).max(initial=0))
    return float(np.abs(got - want).max(initial=0) / scale) if scale else 0.0


def _require_float64(x) -> None:
    if not isinstance(x, np.ndarray) or x.dtype != np.float64:
        got = x.dtype if isinstance(x, np.ndarray) else type(x).__name__
        raise TypeError(f"x must be a float64 NumPy array, got {got}")
