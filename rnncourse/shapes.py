"""Checks at the edge of the package: an array that does not fit is refused by name, before any arithmetic."""

import math

import numpy as np

UNUSUAL = (np.ma.MaskedArray, np.matrix)  # NumPy arrays too, but they calculate in their own ways


def check_array(name: str, array: np.ndarray, axes: tuple[str, ...], sizes: dict[str, int]) -> dict[str, int]:
    """Return `sizes` with the axes of `array` added, e.g. ``check_array("U", U, ("D", "H"), {"D": 3})``.

    Raises TypeError if `array` is no plain NumPy array of a real or complex floating type, ValueError if its rank is
    not ``len(axes)`` or an axis contradicts a size that is known already. The message names the argument,
    the expected and the actual shape.
    """
    if not _plain(array):
        raise TypeError(f"{name} must be a NumPy array of shape {_shape(axes, sizes)}, got {type(array).__name__}")
    if array.dtype.kind not in "fc":
        raise TypeError(f"{name} must be of a floating type such as float32 or float64, got {array.dtype}")
    expected = tuple([sizes.get(axis) for axis in axes])
    if array.shape == expected:  # every size was known
        return sizes
    pairs = zip(expected, array.shape, strict=False)
    if array.ndim != len(axes) or any(known not in (None, size) for known, size in pairs):
        hint = "; is it transposed?" if array.ndim == 2 and array.shape[::-1] == expected else ""
        raise ValueError(f"{name} must have shape {_shape(axes, sizes)}, got {array.shape}{hint}")
    return sizes | dict(zip(axes, array.shape, strict=True))


def check_finite(name: str, array: np.ndarray) -> None:
    """Raise ValueError, with the first bad index, if `array` holds NaN or an infinity."""
    squares = np.vdot(array, array).real  # one product instead of two passes over the array
    if math.isfinite(squares):  # they may overflow, so look again
        return
    finite = np.isfinite(array)
    if not finite.all():
        index = tuple(map(int, np.argwhere(~finite)[0]))
        raise ValueError(f"{name} must be finite, but {name}[{', '.join(map(str, index))}] is {array[index]}")


def check_dtype(name: str, array: np.ndarray, dtype: np.dtype) -> None:
    """Raise TypeError unless `array` has the dtype of x.

    NumPy would widen silently, and a float32 model would run at half its speed in float64.
    """
    if array.dtype != dtype:
        raise TypeError(f"{name} must have the dtype of x, {dtype}, got {array.dtype}")


def check_parts(name: str, state: tuple, parts: int, sizes: dict[str, int], dtype: np.dtype) -> tuple[np.ndarray, ...]:
    """Copies of the parts of a state, each (B, H). Raises TypeError or ValueError as the functions above do."""
    if not isinstance(state, tuple) or len(state) != parts:
        got = f"a tuple of {len(state)}" if isinstance(state, tuple) else type(state).__name__
        raise TypeError(f"{name} must be a tuple of {parts} array(s) (B, H), got {got}")
    for i, part in enumerate(state):
        check_array(f"{name}[{i}]", part, ("B", "H"), sizes)
        check_dtype(f"{name}[{i}]", part, dtype)
        check_finite(f"{name}[{i}]", part)
    return tuple(part.copy() for part in state)  # with T = 0 it is also the result


def check_mask(mask: np.ndarray, batch: int, steps: int) -> None:
    """Raise unless `mask` is a Boolean array (B, T): TypeError for another type, ValueError for another shape."""
    if not _plain(mask) or mask.dtype != np.bool_:
        got = mask.dtype if _plain(mask) else type(mask).__name__
        raise TypeError(f"mask must be a Boolean NumPy array, True at real steps, got {got}")
    if mask.shape != (batch, steps):
        raise ValueError(f"mask must have shape (B, T) = ({batch}, {steps}), got {mask.shape}")


def _plain(array) -> bool:
    """Masked arrays and matrices are NumPy arrays too, but calculate in their own ways."""
    return type(array) is np.ndarray or (isinstance(array, np.ndarray) and not isinstance(array, UNUSUAL))


def _shape(axes: tuple[str, ...], sizes: dict[str, int]) -> str:
    """``(B, T, D)``, followed by the numbers where they are known: ``(D, H) = (3, ?)``."""
    names = _tuple(axes)
    if not any(axis in sizes for axis in axes):
        return names
    return f"{names} = {_tuple(str(sizes.get(axis, '?')) for axis in axes)}"


def _tuple(words) -> str:
    words = tuple(words)
    return f"({words[0]},)" if len(words) == 1 else f"({', '.join(words)})"
