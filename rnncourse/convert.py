"""The same weights in the layouts of other libraries and of papers.

The course writes vectors as rows: ``x U + h W + b``. PyTorch stores the transposed matrices; Keras stores rows
like the course, but only one bias; most papers write columns, ``U x + W h + b``.
"""

from typing import NamedTuple

import numpy as np
import torch

from rnncourse.cells import RNNCell
from rnncourse.unroll import Parameters


class KerasWeights(NamedTuple):
    """What ``layer.get_weights()`` returns for `keras.layers.SimpleRNN`, in this order."""

    kernel: np.ndarray  # (D, H) = U
    recurrent_kernel: np.ndarray  # (H, H) = W
    bias: np.ndarray  # (H,) = b_x + b_h


class PaperWeights(NamedTuple):
    """``s_t = f(U x_t + W s_{t-1} + b)`` with column vectors."""

    U: np.ndarray  # (H, D)
    W: np.ndarray  # (H, H)
    b: np.ndarray  # (H,)


def to_torch(cell: RNNCell, parameters: Parameters) -> torch.nn.RNN:
    """A one-layer, batch-first `torch.nn.RNN` of the same dtype with copies of the same numbers.

    PyTorch's random state stays as it was. Raises ValueError for a linear cell, which `torch.nn.RNN` does not
    know, and PyTorch's RuntimeError, with the shapes, for arrays that do not fit together.
    """
    if cell.activation == "linear":
        raise ValueError("torch.nn.RNN knows the activations 'tanh' and 'relu', got 'linear'")
    D, H = parameters.U.shape
    weights = [torch.tensor(np.ascontiguousarray(array.T)) for array in parameters]
    with torch.random.fork_rng(devices=[]):  # what the module draws is overwritten
        rnn = torch.nn.RNN(D, H, nonlinearity=cell.activation, batch_first=True, dtype=weights[0].dtype)
    rnn.load_state_dict(dict(zip(rnn.state_dict(), weights, strict=True)))
    return rnn


def from_torch(rnn: torch.nn.RNN) -> tuple[RNNCell, Parameters]:
    """The cell and a copy of the parameters of a one-layer, one-direction `torch.nn.RNN`.

    A module without bias gets zeros. Raises TypeError for another module, ValueError for more layers or
    directions.
    """
    if not isinstance(rnn, torch.nn.RNN):
        raise TypeError(f"expected a torch.nn.RNN, got {type(rnn).__name__}")
    if rnn.num_layers != 1 or rnn.bidirectional:
        raise ValueError(
            f"expected one layer and one direction, got num_layers={rnn.num_layers}, bidirectional={rnn.bidirectional}"
        )
    U, W, *biases = (p.detach().numpy().T.copy() for p in rnn.parameters())
    b_x, b_h = biases or (np.zeros(rnn.hidden_size, U.dtype), np.zeros(rnn.hidden_size, U.dtype))
    return RNNCell(rnn.nonlinearity), Parameters(U, W, b_x, b_h)


def to_keras(parameters: Parameters) -> KerasWeights:
    """Copies in Keras's layout. Exact for the plain cell, where only the sum of the biases counts."""
    return KerasWeights(parameters.U.copy(), parameters.W.copy(), parameters.b_x + parameters.b_h)


def from_keras(weights: KerasWeights) -> Parameters:
    """Copies in the course's layout; b_h is zero."""
    kernel, recurrent_kernel, bias = weights
    return Parameters(kernel.copy(), recurrent_kernel.copy(), bias.copy(), np.zeros_like(bias))


def to_papers(parameters: Parameters) -> PaperWeights:
    """Copies for column vectors. Exact for the plain cell, where only the sum of the biases counts."""
    return PaperWeights(parameters.U.T.copy(), parameters.W.T.copy(), parameters.b_x + parameters.b_h)


def from_papers(weights: PaperWeights) -> Parameters:
    """Copies in the course's layout; b_h is zero."""
    U, W, b = weights
    return Parameters(U.T.copy(), W.T.copy(), b.copy(), np.zeros_like(b))
