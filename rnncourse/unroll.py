"""Time, written once for every cell: the loop that carries a state through a sequence.

Everything linear that can be done for all steps at once is done before the loop, as one product; the loop
holds one small product and the cell.
"""

from typing import NamedTuple, Protocol

import numpy as np

from rnncourse.shapes import check_array, check_finite, check_mask


class Cell(Protocol):
    """What `unroll` asks of a cell."""

    gates: int  # G: how many vectors of H entries the affine maps deliver
    state_parts: int  # 1 for a state (h,), 2 for (h, c)

    def step(self, z_x: np.ndarray, z_h: np.ndarray, state: tuple) -> tuple: ...


class Parameters(NamedTuple):
    """The two affine maps around a cell with G gates."""

    U: np.ndarray  # (D, G·H) from the input
    W: np.ndarray  # (H, G·H) from the state
    b_x: np.ndarray  # (G·H,) added to x U
    b_h: np.ndarray  # (G·H,) added to h W


class Unrolled(NamedTuple):
    """What a pass through time leaves behind."""

    hidden: np.ndarray  # (B, T, H) the hidden state after every step
    state: tuple[np.ndarray, ...]  # the state after the last step, each part (B, H)


def init_parameters(
    cell: Cell, input_size: int, hidden_size: int, rng: np.random.Generator, dtype=np.float64
) -> Parameters:
    """Draw every entry from U(-1/√H, 1/√H), as `torch.nn.RNN` does.

    Returns `Parameters` of the given dtype. Raises ValueError unless both sizes are positive, TypeError for a
    dtype that is not floating.
    """
    if not np.issubdtype(dtype, np.inexact):  # integers would all be 0
        raise TypeError(f"dtype must be a floating type such as float32 or float64, got {np.dtype(dtype)}")
    if input_size < 1 or hidden_size < 1:
        raise ValueError(f"input_size and hidden_size must be positive, got {input_size} and {hidden_size}")
    bound, wide = hidden_size**-0.5, cell.gates * hidden_size
    shapes = Parameters((input_size, wide), (hidden_size, wide), (wide,), (wide,))
    return Parameters(*(rng.uniform(-bound, bound, shape).astype(dtype) for shape in shapes))


def unroll(
    cell: Cell,
    parameters: Parameters,
    x: np.ndarray,
    state: tuple[np.ndarray, ...] | None = None,
    mask: np.ndarray | None = None,
) -> Unrolled:
    """Run `cell` over the sequences x (B, T, D).

    `state` is the state before the first step, each part (B, H); zeros if
    None. `mask` (B, T) is True at real steps; at padding the state stays as it
    was, and what stands in x is never read. All arrays have one dtype, which
    is also the result's. B = 0 and T = 0 are allowed.

    Raises TypeError for a wrong type, ValueError for a wrong shape and for NaN
    or infinity; the message names the argument. Equations (elman-state) and
    (masked-state) of the chapter `recurrence`.
    """
    x, state = _check(cell, parameters, x, state, mask)
    U, W, b_x, b_h = parameters
    (B, T, _), H = x.shape, W.shape[0]
    z_x = x @ U + b_x  # (B, T, G·H): all steps in one product
    hidden = np.empty((B, T, H), dtype=x.dtype)
    for t in range(T):
        new = cell.step(z_x[:, t], state[0] @ W + b_h, state)
        state = new if mask is None else _hold(mask[:, t], new, state)
        hidden[:, t] = state[0]
    return Unrolled(hidden, state)


def _hold(real: np.ndarray, new: tuple, old: tuple) -> tuple:
    """The new state where a step is real (B,), else the old: (masked-state)."""
    pairs = zip(new, old, strict=True)
    return tuple(np.where(real[:, None], n, o) for n, o in pairs)  # (B, H)


def _check(cell, parameters, x, state, mask) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Refuse what does not fit; return x with zeros at padding, and the initial state."""
    sizes = check_array("x", x, ("B", "T", "D"), {})
    if not isinstance(parameters, Parameters):
        raise TypeError(f"parameters must be rnncourse.unroll.Parameters, got {type(parameters).__name__}")
    W = parameters.W
    if isinstance(W, np.ndarray) and W.ndim == 2:  # H is what W says; every other array must agree
        sizes |= {"H": W.shape[0], "G·H": cell.gates * W.shape[0]}
    # W first: if it contradicts itself, it is named and not an array that is right
    for name, axes in (("W", ("H", "G·H")), ("U", ("D", "G·H")), ("b_x", ("G·H",)), ("b_h", ("G·H",))):
        array = getattr(parameters, name)
        check_array(name, array, axes, sizes)
        _check_dtype(name, array, x.dtype)
        check_finite(name, array)
    if mask is not None:
        check_mask(mask, sizes["B"], sizes["T"])
        x = np.where(mask[:, :, None], x, 0)  # what stands at padding could overflow, and warn
    check_finite("x", x)
    return x, _check_state(cell, state, sizes, x.dtype)


def _check_state(cell, state, sizes, dtype) -> tuple[np.ndarray, ...]:
    if state is None:
        return tuple(np.zeros((sizes["B"], sizes["H"]), dtype) for _ in range(cell.state_parts))
    if not isinstance(state, tuple) or len(state) != cell.state_parts:
        got = f"a tuple of {len(state)}" if isinstance(state, tuple) else type(state).__name__
        raise TypeError(f"state must be a tuple of {cell.state_parts} array(s) (B, H), got {got}")
    for i, part in enumerate(state):
        check_array(f"state[{i}]", part, ("B", "H"), sizes)
        _check_dtype(f"state[{i}]", part, dtype)
        check_finite(f"state[{i}]", part)
    return tuple(part.copy() for part in state)  # with T = 0 it is also the result


def _check_dtype(name, array, dtype) -> None:
    # NumPy would widen silently, and a float32 model would run at half its speed in float64
    if array.dtype != dtype:
        raise TypeError(f"{name} must have the dtype of x, {dtype}, got {array.dtype}")
