"""The same weights in the layouts of other libraries and of papers, and in the other forms of the GRU.

The course writes vectors as rows: ``x U + b_x + h W + b_h``. PyTorch stores the transposed matrices; Keras stores rows
like the course, but mostly one bias; most papers write columns, ``U x + W h + b``. Where only the sum of two biases
counts, a layout with one bias holds the sum: the function stays the same to rounding, the way back gives b_h = 0.
`rnncourse.conventions` is the table of who writes what; here are the two functions that follow it, there and back.

All functions copy, and refuse parameters that do not fit the cell as `unroll` does.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from rnncourse.cells import Cell, GRUCell, LSTMCell, ResetBeforeGRUCell, RNNCell
from rnncourse.conventions import FORMS, ROWS, Form
from rnncourse.layers import Layer
from rnncourse.shapes import check_array
from rnncourse.unroll import Parameters, check_parameters

# ---------------------------------------------------------------- any layout in the table


def _to(form: Form, cell: Cell, parameters: Parameters) -> list[np.ndarray]:
    """The weights from the input, those from the state, and one bias or two, in this layout."""
    check_parameters(cell, parameters, {})
    U, W, b_x, b_h, inner = parameters
    if inner is not None:  # the reset before the product: W_n by itself, and no bias with it
        W, b_h = np.hstack([W, inner]), np.append(b_h, np.zeros_like(inner[0]))
    biases = (b_x, b_h) if len(form.biases) == 2 else (b_x + b_h,)
    ours = FORMS["course"][type(cell)]
    U, W, *biases = (_rearranged(array, ours, form) for array in (U, W, *biases))
    return [U, W, *biases] if form.product == ROWS else [U.T, W.T, *biases]


def _from(form: Form, cell: Cell, U: np.ndarray, W: np.ndarray, *biases: np.ndarray) -> Parameters:
    """The reverse of `_to`; with one bias b_h is zero."""
    b_x, b_h = biases if len(form.biases) == 2 else (*biases, np.zeros_like(*biases))
    U, W = (U, W) if form.product == ROWS else (U.T, W.T)
    ours, inner = FORMS["course"][type(cell)], None
    U, W, b_x, b_h = (_rearranged(array, form, ours) for array in (U, W, b_x, b_h))
    if isinstance(cell, ResetBeforeGRUCell):
        H = len(W)
        W, inner, b_h = W[:, : 2 * H].copy(), W[:, 2 * H :].copy(), b_h[: 2 * H].copy()
    parameters = Parameters(U, W, b_x, b_h, inner)
    check_parameters(cell, parameters, {})
    return parameters


def _rearranged(array: np.ndarray, old: Form, new: Form) -> np.ndarray:
    """A copy with the gates' blocks along the last axis in the new order, and the update gate's meaning the same."""
    blocks = dict(zip(old.order, np.array_split(array, len(old.order), axis=-1), strict=True))
    if old.z_keeps != new.z_keeps:
        blocks["z"] = -blocks["z"]  # 1 - sigmoid(a) = sigmoid(-a)
    return np.concatenate([blocks[letter] for letter in new.order], axis=-1)


# ---------------------------------------------------------------- PyTorch


def to_torch(cell: Cell, parameters: Parameters | list[Layer]) -> torch.nn.RNNBase:
    """A batch-first `torch.nn.RNN`, `LSTM` or `GRU` of the same dtype with the same numbers: exact.

    A list of layers, as of `rnncourse.layers`, gives a module with as many layers and directions. PyTorch's random
    state stays as it was. Raises ValueError for a cell that PyTorch does not have (linear, hard gates, peepholes,
    coupled gates, reset before the product) and for layers that read in one direction here and in two there, and
    PyTorch's RuntimeError, with the shapes, for layers that do not fit on each other.
    """
    kind, options = _torch_kind(cell)
    layers = parameters if isinstance(parameters, list) else [(parameters,)]
    directions = {len(layer) for layer in layers}
    if directions not in ({1}, {2}):
        raise ValueError(f"PyTorch's layers read all in one direction or all in two, got {[len(a) for a in layers]}")
    shapes = options | {"num_layers": len(layers), "bidirectional": directions == {2}, "batch_first": True}
    return _torch_module(kind, shapes, cell, [parameters for layer in layers for parameters in layer])


def to_torch_cell(cell: Cell, parameters: Parameters) -> torch.nn.RNNCellBase:
    """A `torch.nn.RNNCell`, `LSTMCell` or `GRUCell`, as `to_torch`."""
    kind, options = _torch_kind(cell)
    return _torch_module(kind + "Cell", options, cell, [parameters])


def from_torch(module: torch.nn.RNNBase | torch.nn.RNNCellBase) -> tuple[Cell, Parameters | list[Layer]]:
    """The cell and the parameters of a `torch.nn.RNN`, `LSTM`, `GRU` or one of their cells: exact.

    A module with one layer and one direction gives `Parameters`, any other a list of layers. A module without bias
    gets zeros. Dropout between layers is no weight: pass it to `unroll_layers`. Raises TypeError for another module,
    ValueError for an LSTM with projections (proj_size).
    """
    if not isinstance(module, torch.nn.RNNBase | torch.nn.RNNCellBase):
        raise TypeError(f"expected a torch.nn.RNN, LSTM, GRU or one of their cells, got {type(module).__name__}")
    if getattr(module, "proj_size", 0):
        raise ValueError(f"an LSTM with projections has no counterpart here, got proj_size={module.proj_size}")
    if isinstance(module, torch.nn.RNNCellBase):
        return _our_cell(module), _from_torch(module, "")
    sides = ("", "_reverse") if module.bidirectional else ("",)
    layers = [tuple(_from_torch(module, f"_l{n}{side}") for side in sides) for n in range(module.num_layers)]
    return _our_cell(module), layers[0][0] if len(layers) == len(sides) == 1 else layers


def _torch_kind(cell: Cell) -> tuple[str, dict]:
    """The name and the options of PyTorch's layer for this cell."""
    if type(cell) is RNNCell and cell.activation != "linear":
        return "RNN", {"nonlinearity": cell.activation}
    if cell == LSTMCell("sigmoid"):
        return "LSTM", {}
    if cell == GRUCell():
        return "GRU", {}
    raise ValueError(f"PyTorch has RNN (tanh, relu), LSTM (gate sigmoid) and GRU (reset after the product), not {cell}")


def _our_cell(module) -> Cell:
    if isinstance(module, torch.nn.LSTM | torch.nn.LSTMCell):
        return LSTMCell()
    return GRUCell() if isinstance(module, torch.nn.GRU | torch.nn.GRUCell) else RNNCell(module.nonlinearity)


def _torch_module(kind: str, options: dict, cell: Cell, directions: list[Parameters]) -> torch.nn.Module:
    form = FORMS["pytorch"][type(cell)]
    weights = [torch.tensor(array) for parameters in directions for array in _to(form, cell, parameters)]
    H, D = weights[1].shape[1], weights[0].shape[1]
    with torch.random.fork_rng(devices=[]):  # what the module draws is overwritten
        module = getattr(torch.nn, kind)(D, H, dtype=weights[0].dtype, **options)
    module.load_state_dict(dict(zip(module.state_dict(), weights, strict=True)))
    return module


def _from_torch(module, suffix: str) -> Parameters:
    cell = _our_cell(module)
    names = [f"{name}{suffix}" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    U, W, *biases = (getattr(module, name).detach().numpy() for name in names[: 4 if module.bias else 2])
    return _from(FORMS["pytorch"][type(cell)], cell, U, W, *(biases or [np.zeros(len(U), U.dtype)] * 2))


# ---------------------------------------------------------------- Keras


class KerasWeights(NamedTuple):
    """What ``layer.get_weights()`` returns for Keras's `SimpleRNN`, `LSTM` and `GRU`, in this order.

    The order of the gates is i, f, c, o for the LSTM (ours, i, f, g, o, by another name) and z, r, h for the GRU.
    """

    kernel: np.ndarray  #: (D, G·H)
    recurrent_kernel: np.ndarray  #: (H, G·H)
    bias: np.ndarray  #: (G·H,); (2, 3·H), from the input and from the state, for a GRU with reset_after=True


def to_keras(cell: Cell, parameters: Parameters) -> KerasWeights:
    """Copies in the layout of one Keras layer.

    Exact for a GRU with reset after the product (Keras's default, reset_after=True), which keeps both biases there.
    The plain cell, the LSTM and the GRU with reset before the product (reset_after=False) keep the sum. Hard gates mean
    ``recurrent_activation="hard_sigmoid"`` of Keras 3; that of Keras 2 had another slope. Raises ValueError for
    peepholes and coupled gates, which Keras does not have.
    """
    kernel, recurrent_kernel, *biases = _to(_keras_form(cell), cell, parameters)
    return KerasWeights(kernel, recurrent_kernel, np.stack(biases) if len(biases) == 2 else biases[0])


def from_keras(cell: Cell, weights: Sequence[np.ndarray]) -> Parameters:
    """Copies in the course's layout, from what ``layer.get_weights()`` returns; the reverse of `to_keras`.

    Raises ValueError for a cell that Keras does not have, for another number of arrays than three and for shapes that
    do not fit the cell.
    """
    form = _keras_form(cell)
    if len(weights) != 3:
        raise ValueError(f"weights must be kernel, recurrent_kernel and bias, got {len(weights)} array(s)")
    sizes, both = {"2": 2}, len(form.biases) == 2
    axes = [("D", "G·H"), ("H", "G·H"), ("2", "G·H") if both else ("G·H",)]
    for name, array, names in zip(KerasWeights._fields, weights, axes, strict=True):
        sizes = check_array(name, array, names, sizes)
    kernel, recurrent_kernel, bias = weights
    return _from(form, cell, kernel, recurrent_kernel, *(bias if both else [bias]))


def _keras_form(cell: Cell) -> Form:
    if type(cell) not in FORMS["keras"]:
        raise ValueError(f"Keras has SimpleRNN, LSTM and GRU, without peepholes or coupled gates, not {cell}")
    return FORMS["keras"][type(cell)]


# ---------------------------------------------------------------- papers


class PaperWeights(NamedTuple):
    """``U x_t + W h_{t-1} + b`` with column vectors; the gates' rows under each other, in the course's order."""

    U: np.ndarray  #: (G·H, D)
    W: np.ndarray  #: (G·H, H)
    b: np.ndarray  #: (G·H,)


def to_papers(cell: Cell, parameters: Parameters) -> PaperWeights:
    """Copies for column vectors, one bias each; for a GRU with z turned round, as Chung et al. (2014) write it.

    Raises ValueError for cells that they cannot hold: peepholes are weights of their own, and in a GRU with reset after
    the product one bias stands inside the reset gate's brackets and one outside.
    """
    return PaperWeights(*_to(_paper_form(cell), cell, parameters))


def from_papers(cell: Cell, weights: Sequence[np.ndarray]) -> Parameters:
    """Copies in the course's layout; b_h is zero. Raises as `to_papers`."""
    U, W, b = weights
    return _from(_paper_form(cell), cell, U, W, b)


def _paper_form(cell: Cell) -> Form:
    if type(cell) not in FORMS["papers"]:
        raise ValueError(f"U, W and one b cannot hold all weights of {cell}")
    return FORMS["papers"][type(cell)]


# ---------------------------------------------------------------- the other forms of the GRU


def swap_update(cell: Cell, parameters: Parameters) -> Parameters:
    """The parameters for an update gate that means the opposite: h' = z n + (1 - z) h instead of (1 - z) n + z h.

    1 - sigmoid(a) = sigmoid(-a), so the gate's weights and biases change their sign, and nothing else: exact, and its
    own reverse. Cho et al. (2014) write the course's form, Chung et al. (2014) the other. Raises ValueError for a
    cell that is no GRU.
    """
    _require_gru(cell)
    check_parameters(cell, parameters, {})
    H = parameters.W.shape[0]
    turned = _copied(*parameters)
    for array in turned[:4]:
        array[..., H : 2 * H] *= -1
    return turned


def swap_reset(cell: Cell, parameters: Parameters) -> tuple[Cell, Parameters]:
    """The GRU with the reset gate on the other side of the product, and parameters that make it the same function.

    They are the same for every gate r only where ``r (h W_n + b_hn) = (r h) W_n``: W_n is diagonal, so that no unit
    reads another one's state, and b_hn is zero. Then the conversion is exact, and its own reverse. Raises ValueError
    for any other parameters and for a cell that is no GRU.
    """
    _require_gru(cell)
    check_parameters(cell, parameters, {})
    U, W, b_x, b_h, inner = parameters
    H, after = W.shape[0], isinstance(cell, GRUCell)
    W_n, b_hn = (W[:, 2 * H :], b_h[2 * H :]) if after else (inner, np.zeros_like(inner[0]))
    _require_zero("W_n off its diagonal", W_n * (1 - np.eye(H)), "r scales columns after the product, rows before it")
    _require_zero("b_hn", b_hn, "r scales it after the product only")
    if after:
        return ResetBeforeGRUCell(), _copied(U, W[:, : 2 * H], b_x, b_h[: 2 * H], W_n)
    return GRUCell(), _copied(U, np.hstack([W, W_n]), b_x, np.append(b_h, b_hn))


def _copied(*arrays: np.ndarray | None) -> Parameters:
    return Parameters(*(None if array is None else array.copy() for array in arrays))


def _require_zero(name: str, array: np.ndarray, why: str) -> None:
    if array.any():
        index = tuple(map(int, np.argwhere(array)[0]))
        place = ", ".join(map(str, index))
        raise ValueError(f"{name} must be zero ({why}), but the entry [{place}] is {array[index]}")


def _require_gru(cell: Cell) -> None:
    if not isinstance(cell, GRUCell | ResetBeforeGRUCell):
        raise ValueError(f"cell must be GRUCell() or ResetBeforeGRUCell(), got {cell}")
