"""Where do two results first differ? Said by name of axis, and without giving the right value away."""

import numpy as np

# Relative to the largest entry. float32 results of a long loop agree to about 1e-6.
RELATIVE_TOLERANCE = {np.dtype(np.float32): 1e-4, np.dtype(np.float64): 1e-9}


class CheckFailed(AssertionError):
    """A failed check. Notebooks show its message alone, without the frames of the checker."""

    def _render_traceback_(self) -> list[str]:
        return [f"\x1b[1;31m{type(self).__name__}\x1b[0m: {self}"]


def assert_same(name: str, got, want: np.ndarray, axes: tuple[str, ...]) -> None:
    """Raise CheckFailed, saying what differs and where first, unless `got` is `want`."""
    problem = difference(name, got, want, axes)
    if problem:
        raise CheckFailed(problem)


def difference(name: str, got, want: np.ndarray, axes: tuple[str, ...], relative: float | None = None) -> str | None:
    """None if `got` has the shape, the dtype and (to rounding) the values of `want`; else one sentence.

    `axes` names the axes of `want`. With an axis "step" the sentence names the earliest wrong step, with "step back"
    the latest: what is computed from the end to the beginning goes wrong there first. Where `want` is a single number,
    so may `got` be, a Python number too. `relative` is the tolerance relative to the largest entry of `want`, that of
    rounding if None.
    """
    if got is None:
        return f"{name} is None. Is there a `return`?"
    if want.ndim == 0 and isinstance(got, float | int | np.number):
        got = np.asarray(got, dtype=want.dtype)
    if not isinstance(got, np.ndarray):
        kind = "a NumPy array" if want.ndim else "a number"
        return f"{name} should be {kind}, but is of type {type(got).__name__}."
    if want.ndim == 0 and got.shape != ():
        return f"{name} should be a single number, but is an array of shape {got.shape}."
    if got.shape != want.shape:
        return f"{name} has the wrong shape: it should be {_shape(want.shape, axes)}, but is {got.shape}."
    if got.dtype != want.dtype:
        why = "it should be" if want.dtype == bool else "the inputs are"
        return f"{name} has the wrong dtype: {why} {want.dtype}, but it is {got.dtype}."
    # "not ≤" rather than ">", so that NaN is wrong too
    wrong = got != want if want.dtype == bool else ~(np.abs(got - want) <= tolerance(want, relative))
    if not wrong.any():
        return None
    index = _first(wrong, axes)
    if not axes:
        return f"{name} is wrong: you have {_entry(got[index])}."
    place = ", ".join(f"{axis.removesuffix(' back')} {i}" for axis, i in zip(axes, index, strict=True))
    return (
        f"{name} has wrong values in {int(wrong.sum())} of {wrong.size} places. {_first_step(index, axes)}"
        f"At {place} you have {_entry(got[index])}."
    )


def tolerance(want: np.ndarray, relative: float | None = None) -> float:
    """How far a right result may be from `want`: through rounding, or by `relative` of the largest entry."""
    relative = RELATIVE_TOLERANCE.get(want.dtype, 0) if relative is None else relative
    return relative * max(1.0, float(np.abs(want[np.isfinite(want)]).max(initial=0)))


def _entry(value) -> str:
    return str(value) if isinstance(value, np.bool_) else f"{value:.6g}"


def _first(wrong: np.ndarray, axes: tuple[str, ...]) -> tuple[int, ...]:
    """The first wrong index in the order of computation: the earliest step before all else, or the latest."""
    indices = np.argwhere(wrong)
    if "step" in axes:
        indices = indices[indices[:, axes.index("step")].argsort(kind="stable")]
    if "step back" in axes:
        indices = indices[(-indices[:, axes.index("step back")]).argsort(kind="stable")]
    return tuple(map(int, indices[0]))


def _first_step(index: tuple[int, ...], axes: tuple[str, ...]) -> str:
    if "step" in axes:
        return f"The first wrong step is {index[axes.index('step')]} (counted from 0). "
    if "step back" in axes:
        return (
            f"Going back from the last step, the first wrong one is {index[axes.index('step back')]} (counted from 0). "
        )
    return ""


def _shape(shape: tuple[int, ...], axes: tuple[str, ...]) -> str:
    return f"({', '.join(axis.removesuffix(' back') for axis in axes)}) = {shape}"
