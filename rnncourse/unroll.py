"""Time, written once for every cell: the loop that carries a state through a sequence, and the loop back.

Everything linear that can be done for all steps at once is one product: that of the inputs before the loop, those
of the weights' gradients after the loop back. A loop holds one small product and the cell.
"""

import math
from itertools import repeat
from typing import NamedTuple

import numpy as np

from rnncourse.cells import Cell
from rnncourse.shapes import check_array, check_dtype, check_finite, check_mask, check_parts

BLOCK = 2**18  # numbers


class Parameters(NamedTuple):
    """The two affine maps around a cell with G gates, and the cell's own weights. Gradients have the same type."""

    U: np.ndarray  #: (D, G·H) from the input
    W: np.ndarray  #: (H, G·H) from the state; fewer gates where the cell says so (`Cell.state_gates`)
    b_x: np.ndarray  #: (G·H,) added to x U
    b_h: np.ndarray  #: (G·H,) added to h W; as many gates as W
    inner: np.ndarray | None = None  #: the cell's own weights (`Cell.inner_shape`), None for most cells


class Tape(NamedTuple):
    """What the way back needs to know of the way there. Time comes first: a step is one block of memory."""

    x: np.ndarray  #: (T, B, D)
    states: tuple[np.ndarray, ...]  #: each part (T + 1, B, H), the initial state first
    kept: np.ndarray  #: (T, K, B, H) what the cell keeps of each step
    mask: np.ndarray | None  #: (T, B)
    cell: Cell  #: whose steps these are
    parameters: Parameters  #: with which they were taken


class Unrolled(NamedTuple):
    """What a pass through time leaves behind."""

    hidden: np.ndarray  #: (B, T, H) the hidden state after every step; read-only, for it is part of the tape
    state: tuple[np.ndarray, ...]  #: the state after the last step, each part (B, H)
    tape: Tape  #: for `bptt`


class Gradients(NamedTuple):
    """What back-propagation through time returns."""

    parameters: Parameters
    x: np.ndarray  #: (B, T, D)
    state: tuple[np.ndarray, ...]  #: of the initial state, each part (B, H)


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
    H, bound = hidden_size, hidden_size**-0.5
    of_input, of_state, inner = cell.gates * H, cell.state_gates * H, cell.inner_shape(H)
    shapes = [(input_size, of_input), (H, of_state), (of_input,), (of_state,), *([inner] if inner else [])]
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
    U, W, b_x, b_h, inner = parameters
    (B, T, _), H = x.shape, W.shape[0]
    x = np.array(x.swapaxes(0, 1), order="C")  # (T, B, D), a copy: the tape must not change with the caller's x
    mask = None if mask is None else mask.T.copy()  # (T, B)
    W, kept = _aligned(W), _empty((T, cell.kept, B, H), x.dtype)
    history = tuple(np.empty((T + 1, B, H), x.dtype) for _ in state)
    _write(_part(history, 0), state)
    product = np.empty((B, W.shape[1]), x.dtype)  # h W: the same memory in every step
    z_h = _gates_first(product, cell.state_gates)
    bias = b_x + b_h if cell.only_sum else b_x
    for block in _blocks(T, B * U.shape[1]):
        z_x = _rows(x[block]) @ U  # many steps in one product
        z_x += bias
        z_x = z_x.reshape(block.stop - block.start, B, U.shape[1])
        if cell.only_sum:
            added, sums = z_x, repeat(z_h)
        else:
            added, sums = repeat(b_h), zip(_gates_first(z_x, cell.gates), repeat(z_h), strict=False)
        places = zip(*_part(history, slice(block.start + 1, block.stop + 1)), strict=True)
        masks = repeat(None) if mask is None else mask[block]
        for add, z, out, new, real in zip(added, sums, kept[block], places, masks, strict=False):
            state[0].dot(W, out=product)  # as `@`, but a call costs 0.4 microseconds less
            product += add
            after = cell.step(z, state, inner, out, new)
            if real is not None:
                after = _hold(real, after, state)
            if after[0] is not new[0]:  # not written there by the cell itself
                _write(new, after)
            state = new
    hidden = _read_only(history[0][1:].swapaxes(0, 1))
    return Unrolled(hidden, tuple(part[-1].copy() for part in history), Tape(x, history, kept, mask, cell, parameters))


def bptt(
    cell: Cell,
    parameters: Parameters,
    tape: Tape,
    d_hidden: np.ndarray,
    d_state: tuple[np.ndarray, ...] | None = None,
    truncation: int | None = None,
) -> Gradients:
    """Back-propagation through time: from the gradient of the hidden states to that of all that they depend on.

    `tape` is that of `unroll` with the same cell and parameters. `d_hidden` (B, T, H) is the gradient of the loss
    with respect to the hidden state after every step, `d_state` that with respect to the last state, zeros if None.
    With `truncation` k the sequence is cut into pieces of k steps, and no gradient passes from a piece to the one
    before it. The memory is that of the tape and of one d_z (T, B, G, H).

    Raises as `unroll` does, and ValueError for the tape of another cell and a truncation below 1. Equations
    (bptt-delta) to (bptt-first) of the chapter `bptt`.
    """
    d_state = _check_gradients(cell, parameters, tape, d_hidden, d_state, truncation)
    _, W, _, _, inner = parameters
    (T, B, _), H = tape.x.shape, W.shape[0]
    old, new = _part(tape.states, slice(None, -1)), _part(tape.states, slice(1, None))
    d_hidden = np.ascontiguousarray(d_hidden.swapaxes(0, 1))  # (T, B, H)
    d_z_x = np.empty((T, B, cell.gates * H), tape.x.dtype)
    d_z_h = d_z_x if cell.only_sum else np.empty((T, B, cell.state_gates * H), tape.x.dtype)
    of_x, of_h = _gates_first(d_z_x, cell.gates), _gates_first(d_z_h, cell.state_gates)
    W_back = _aligned(W.T)  # (G·H, H)
    for block in reversed(_blocks(T, B * cell.gates * H)):
        slopes = cell.slopes(tape.kept[block], _part(old, block), _part(new, block), inner)
        places = of_x[block] if cell.only_sum else zip(of_x[block], of_h[block], strict=True)
        slopes = zip(*slopes, strict=True)
        steps = zip(range(block.start, block.stop), d_hidden[block], slopes, places, d_z_h[block], strict=True)
        for t, d_h, slope, out, d_z in reversed(list(steps)):
            d_state[0] += d_h  # (bptt-delta)
            _, d_old = cell.step_backward(slope, d_state, inner, out)
            if tape.mask is not None:
                padding = ~tape.mask[t]
                d_z_x[t, padding] = d_z[padding] = 0
                d_old = _hold(tape.mask[t], d_old, d_state)
            through_W = d_z.dot(W_back)
            d_state = [through_W if d_old[0] is None else d_old[0] + through_W, *d_old[1:]]
            if truncation and t % truncation == 0 and t > 0:
                d_state = [np.zeros_like(part) for part in d_state]
    return _collect(cell, parameters, tape, d_z_x, d_z_h, tuple(d_state))


def _collect(cell, parameters, tape, d_z_x, d_z_h, d_state) -> Gradients:
    """The gradients of everything outside the loop, one product each: (bptt-U) to (bptt-b)."""
    (T, B, D), U = tape.x.shape, parameters.U
    old, new = _part(tape.states, slice(None, -1)), _part(tape.states, slice(1, None))
    inner = cell.inner_gradient(tape.kept, old, new, _gates_first(d_z_x, cell.gates))
    d_z_x, d_z_h = _rows(d_z_x), _rows(d_z_h)  # (T·B, G·H)
    ones = np.ones(T * B, d_z_x.dtype)  # a product with ones is a sum, several times faster
    d_b_x = ones @ d_z_x
    d_b_h = d_b_x.copy() if cell.only_sum else ones @ d_z_h
    gradients = Parameters(_rows(tape.x).T @ d_z_x, _rows(old[0]).T @ d_z_h, d_b_x, d_b_h, inner)
    d_x = (d_z_x @ U.T).reshape(T, B, D)
    return Gradients(gradients, d_x.swapaxes(0, 1), d_state)


def _empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """`np.empty` that starts with a cache line. Others start anywhere, and products take up to a quarter longer."""
    memory = np.empty(math.prod(shape) * dtype.itemsize + 64, np.uint8)
    return np.ndarray(shape, dtype, memory, -memory.__array_interface__["data"][0] % 64)


def _aligned(array: np.ndarray) -> np.ndarray:
    """A copy that starts with a cache line."""
    copy = _empty(array.shape, array.dtype)
    copy[...] = array
    return copy


def _hold(real: np.ndarray, new: tuple, old: tuple) -> tuple:
    """The new state where a step is real (B,), else the old: (masked-state)."""
    pairs = zip(new, old, strict=True)
    return tuple(np.where(real[:, None], 0 if n is None else n, o) for n, o in pairs)  # (B, H)


def _blocks(T: int, numbers: int) -> list[slice]:
    """Pieces of the time axis with about 256 thousand numbers each: few calls, and all of it in the cache."""
    steps = max(1, BLOCK // max(1, numbers))
    return [slice(start, min(start + steps, T)) for start in range(0, T, steps)]


def _gates_first(sums: np.ndarray, gates: int) -> np.ndarray:
    """(…, B, G·H) -> (…, G, B, H), the same memory."""
    *others, width = sums.shape
    return sums.reshape(*others, gates, width // gates).swapaxes(-3, -2)


def _write(places: tuple, parts: tuple) -> None:
    for place, part in zip(places, parts, strict=True):
        place[...] = part


def _part(arrays: tuple, block: slice | int) -> tuple:
    return tuple(array[block] for array in arrays)


def _rows(array: np.ndarray) -> np.ndarray:
    """All steps of all examples under each other: (T, B, N) -> (T·B, N). One large product beats T small ones."""
    return array.reshape(-1, array.shape[-1])


def _read_only(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array


def _check(cell, parameters, x, state, mask) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Refuse what does not fit; return x with zeros at padding, and the initial state."""
    sizes = check_array("x", x, ("B", "T", "D"), {})
    sizes = check_parameters(cell, parameters, sizes, x.dtype)
    if mask is not None:
        check_mask(mask, sizes["B"], sizes["T"])
        x = np.where(mask[:, :, None], x, 0)  # what stands at padding could overflow, and warn
    check_finite("x", x)
    if state is None:
        return x, tuple(np.zeros((sizes["B"], sizes["H"]), x.dtype) for _ in range(cell.state_parts))
    return x, check_parts("state", state, cell.state_parts, sizes, x.dtype)


def check_parameters(cell: Cell, parameters: Parameters, sizes: dict[str, int], dtype=None) -> dict[str, int]:
    """Refuse what does not fit the cell, the sizes that are known or the dtype (None: that of U); return all sizes."""
    if not isinstance(parameters, Parameters):
        raise TypeError(f"parameters must be rnncourse.unroll.Parameters, got {type(parameters).__name__}")
    W = parameters.W
    of_input, of_state = ("G·H", "G·H") if cell.gates == cell.state_gates else ("G·H", "W's G·H")
    if isinstance(W, np.ndarray) and W.ndim == 2:  # H is what the tape or W says; every other array must agree
        H = sizes.get("H", W.shape[0])
        sizes = sizes | {"H": H, of_input: cell.gates * H, of_state: cell.state_gates * H}
    # W first: if it contradicts itself, it is named and not an array that is right
    axes = {"W": ("H", of_state), "U": ("D", of_input), "b_x": (of_input,), "b_h": (of_state,)}
    for name, names in axes.items():
        sizes = check_array(name, getattr(parameters, name), names, sizes)
    shape = cell.inner_shape(sizes["H"])
    if shape is None and parameters.inner is not None:
        raise TypeError(f"{type(cell).__name__} has no weights of its own: inner must be None")
    if shape is not None:
        inner_axes = tuple("H" if size == sizes["H"] else str(size) for size in shape)
        check_array("inner", parameters.inner, inner_axes, sizes | {str(size): size for size in shape})
    dtype = parameters.U.dtype if dtype is None else dtype
    for name, array in zip(parameters._fields, parameters, strict=True):
        if array is not None:
            check_dtype(name, array, dtype)
            check_finite(name, array)
    return sizes


def _check_gradients(cell, parameters, tape, d_hidden, d_state, truncation) -> list[np.ndarray]:
    """Refuse what does not fit; return the gradient of the last state."""
    if not isinstance(tape, Tape):
        raise TypeError(f"tape must be the tape of an unroll, got {type(tape).__name__}")
    if tape.cell != cell:
        raise ValueError(f"the tape is that of {tape.cell}, not of {cell}")
    if truncation is not None and (truncation < 1 or truncation % 1):
        raise ValueError(f"truncation must be at least 1 step, in whole steps, got {truncation}")
    (T, B, D), H, dtype = tape.x.shape, tape.states[0].shape[2], tape.x.dtype
    sizes = {"B": B, "T": T, "D": D, "H": H}
    if parameters is not tape.parameters:  # which `unroll` has checked
        sizes = check_parameters(cell, parameters, sizes, dtype)
    check_array("d_hidden", d_hidden, ("B", "T", "H"), sizes)
    check_dtype("d_hidden", d_hidden, dtype)
    check_finite("d_hidden", d_hidden)
    if d_state is None:
        d_state = tuple(np.zeros((B, H), dtype) for _ in range(cell.state_parts))
    else:
        d_state = check_parts("d_state", d_state, cell.state_parts, sizes, dtype)
    return list(d_state)
