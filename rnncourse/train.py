"""Learning with the package's own back-propagation: sequences in, one answer at the end.

The small loop that the chapters `gradients` and `gru` share. The model is a cell's `Parameters` and an output layer.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from rnncourse.cells import Cell
from rnncourse.losses import squared_error
from rnncourse.optim import adam, clip_by_global_norm, global_norm
from rnncourse.unroll import Parameters, bptt, init_parameters, unroll


class LastStep(NamedTuple):
    """A network that reads a sequence and answers o = h_T V + c. Its gradients have the same type."""

    parameters: Parameters
    V: np.ndarray  #: (H, O)
    c: np.ndarray  #: (O,)


class Progress(NamedTuple):
    """One update."""

    model: LastStep
    loss: float  #: on the batch that the update learned from
    norm: float  #: the global norm of the gradients before clipping


def init_last_step(
    cell: Cell, sizes: tuple[int, int, int], rng: np.random.Generator, dtype=np.float32, W: np.ndarray | None = None
) -> LastStep:
    """Weights for `sizes` (D, H, O) from U(-1/√H, 1/√H); `W`, if given, takes the place of the recurrent weights."""
    D, H, O = sizes
    parameters = init_parameters(cell, D, H, rng, dtype)
    V = rng.uniform(-(H**-0.5), H**-0.5, (H, O)).astype(dtype)
    return LastStep(parameters if W is None else parameters._replace(W=W.astype(dtype)), V, np.zeros(O, dtype))


def predict(cell: Cell, model: LastStep, x: np.ndarray) -> np.ndarray:
    """x (B, T, D) -> answers (B, O)."""
    return unroll(cell, model.parameters, x).state[0] @ model.V + model.c


def loss_and_gradients(cell: Cell, model: LastStep, x: np.ndarray, y: np.ndarray) -> tuple[float, LastStep]:
    """The mean squared error of the answers to x (B, T, D), where y (B, O) is right, and its gradients."""
    run = unroll(cell, model.parameters, x)
    h = run.state[0]
    loss, d_o = squared_error(h @ model.V + model.c, y)
    nothing = np.zeros(run.hidden.shape, x.dtype)  # the loss hears of the last state alone
    d_state = (d_o @ model.V.T, *(np.zeros_like(part) for part in run.state[1:]))
    gradients = bptt(cell, model.parameters, run.tape, nothing, d_state)
    return loss, LastStep(gradients.parameters, h.T @ d_o, d_o.sum(axis=0))


def fit(
    cell: Cell,
    model: LastStep,
    draw: Callable[[], tuple[np.ndarray, np.ndarray]],
    rate: float,
    limit: float | None = 1.0,
) -> Iterator[Progress]:
    """Learn with Adam for as long as the caller asks for updates: ``itertools.islice(fit(...), 500)``.

    `draw` returns a fresh batch (x, y); `limit` is the largest global norm of the gradients, None for no clipping.
    Raises FloatingPointError when the gradients are no longer finite (only with a limit: without, the weights become
    NaN, and `unroll` refuses them).
    """
    moments = None
    while True:
        loss, gradients = loss_and_gradients(cell, model, *draw())
        flat = [*gradients.parameters, gradients.V, gradients.c]
        norm = global_norm(flat)
        if limit is not None:
            flat, norm = clip_by_global_norm(flat, limit)
        weights, moments = adam([*model.parameters, model.V, model.c], flat, moments, rate)
        model = LastStep(Parameters(*weights[:-2]), *weights[-2:])
        yield Progress(model, loss, norm)
