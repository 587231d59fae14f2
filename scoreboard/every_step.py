"""Learning when an answer is due at every step: the loop of `rnncourse.train` with a cross-entropy for each step."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from rnncourse.cells import Cell
from rnncourse.losses import cross_entropy
from rnncourse.optim import adam, clip_by_global_norm
from rnncourse.train import LastStep, Progress
from rnncourse.unroll import Parameters, bptt, unroll


class Batch(NamedTuple):
    """Sequences and what is due at their steps."""

    x: np.ndarray  # (B, T, D)
    labels: np.ndarray  # (B, T)
    mask: np.ndarray | None  # (B, T) True where a label counts; None for all


def logits(cell: Cell, model: LastStep, x: np.ndarray) -> np.ndarray:
    """x (B, T, D) -> h_t V + c at every step (B, T, O)."""
    return unroll(cell, model.parameters, x).hidden @ model.V + model.c


def loss_and_gradients(cell: Cell, model: LastStep, batch: Batch) -> tuple[float, LastStep]:
    """The mean cross-entropy over the steps that count, in nats, and its gradients."""
    unrolled = unroll(cell, model.parameters, batch.x)
    loss, d_logits = cross_entropy(unrolled.hidden @ model.V + model.c, batch.labels, batch.mask)
    gradients = bptt(cell, model.parameters, unrolled.tape, d_logits @ model.V.T)
    d_rows = d_logits.reshape(-1, d_logits.shape[2])  # (B·T, O)
    hidden = unrolled.hidden.reshape(len(d_rows), -1)  # (B·T, H)
    return loss, LastStep(gradients.parameters, hidden.T @ d_rows, d_rows.sum(axis=0))


def fit(cell: Cell, model: LastStep, draw: Callable[[], Batch], rate: float, limit: float) -> Iterator[Progress]:
    """Updates by Adam for as long as the caller asks, as `rnncourse.train.fit`."""
    moments = None
    while True:
        loss, gradients = loss_and_gradients(cell, model, draw())
        flat, norm = clip_by_global_norm([*gradients.parameters, gradients.V, gradients.c], limit)
        weights, moments = adam([*model.parameters, model.V, model.c], flat, moments, rate)
        model = LastStep(Parameters(*weights[:-2]), *weights[-2:])
        yield Progress(model, loss, norm)
