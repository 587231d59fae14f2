"""The gated recurrent unit (Cho et al. 2014), in both of its forms.

Three sums a step, in PyTorch's order: reset gate r, update gate z, candidate n. They differ in where the reset gate
stands: after the product with W, as in PyTorch and in Keras by default, or before it, as in the first paper.
The new state is (1 - z) n + z h in both; papers that write z n + (1 - z) h mean the other half of the same gate.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rnncourse.cells.activations import SIGMOID, TANH
from rnncourse.cells.cell import Cell


class Slopes(NamedTuple):
    """What the backward pass of a GRU multiplies the gradient of h with."""

    z_x: np.ndarray  #: (T, 3, B, H) for the gradient of x U + b_x
    n_h: np.ndarray  #: (T, B, H) from there to that of h W_n + b_hn: the reset gate
    keep: np.ndarray  #: (T, B, H) for that of the old h, past all products: the update gate


@dataclass(frozen=True)
class GRUCell(Cell):
    """``n = tanh(x U_n + b_xn + r (h W_n + b_hn))``: reset after the product, (gru-gates) to (gru-state) of `gru`."""

    gates = state_gates = 3
    kept = 4  #: r, z, n and h W_n + b_hn
    only_sum = False  #: the reset gate stands between the two sums of n

    def step(self, z, state, inner=None, out=None, new=(None, None)):
        (z_x, z_h), (h,) = z, state
        kept = np.empty((4, *h.shape), h.dtype) if out is None else out
        gates = np.add(z_x[:2], z_h[:2], out=kept[:2])
        SIGMOID.value(gates, out=gates)  # (gru-gates)
        kept[3] = z_h[2]
        r, z, n, from_h = kept  # (B, H) each, the same memory
        np.tanh(z_x[2] + r * from_h, out=n)  # (gru-candidate)
        return (np.add(n, z * (h - n), out=new[0]),)  # (gru-state): (1 - z) n + z h with one product less

    def slopes(self, kept, old, new, inner=None):
        r, z, n, from_h = kept.swapaxes(0, 1)  # (T, B, H) each
        z_x = np.empty_like(kept[:, :3])
        z_x[:, 2] = (1 - z) * TANH.slope(n)
        z_x[:, 1] = (old[0] - n) * SIGMOID.slope(z)
        z_x[:, 0] = z_x[:, 2] * from_h * SIGMOID.slope(r)
        return Slopes(z_x, n_h=r, keep=z)

    def step_backward(self, slopes, d_state, inner=None, out=(None, None)):
        z_x, n_h, keep = slopes
        (d_h,) = d_state
        d_z_x = np.multiply(z_x, d_h, out=out[0])  # (3, B, H)
        d_z_h = np.concatenate([d_z_x[:2], d_z_x[2:] * n_h], out=out[1])  # (3, B, H)
        return (d_z_x, d_z_h), (keep * d_h,)


@dataclass(frozen=True)
class ResetBeforeGRUCell(Cell):
    """``n = tanh(x U_n + b_xn + (r h) W_n)``: reset before the product, (reset-before) of `gru`.

    W_n cannot be part of the product h W, because it needs r first. It is `inner` (H, H), and W (H, 2 H) holds only
    what r and z need.
    """

    gates, state_gates, kept = 3, 2, 3
    only_sum = False

    def inner_shape(self, H):
        return (H, H)

    def step(self, z, state, inner=None, out=None, new=(None, None)):
        (z_x, z_h), (h,) = z, state
        kept = np.empty((3, *h.shape), h.dtype) if out is None else out
        SIGMOID.value(z_x[:2] + z_h, out=kept[:2])
        r, z, n = kept
        np.tanh(z_x[2] + (r * h) @ inner, out=n)  # (reset-before)
        return (np.add(n, z * (h - n), out=new[0]),)

    def slopes(self, kept, old, new, inner=None):
        r, z, n = kept.swapaxes(0, 1)
        z_x = np.empty_like(kept)
        z_x[:, 2] = (1 - z) * TANH.slope(n)
        z_x[:, 1] = (old[0] - n) * SIGMOID.slope(z)
        z_x[:, 0] = old[0] * SIGMOID.slope(r)  # from the gradient of r h
        return z_x, z, r

    def step_backward(self, slopes, d_state, inner=None, out=(None, None)):
        z_x, keep, r = slopes
        (d_h,) = d_state
        d_z_x = np.multiply(z_x, d_h, out=out[0])  # (3, B, H)
        d_rh = d_z_x[2] @ inner.T  # (B, H) the gradient of r h
        np.multiply(z_x[0], d_rh, out=d_z_x[0])
        d_z_h = np.positive(d_z_x[:2], out=out[1])  # (2, B, H)
        return (d_z_x, d_z_h), (keep * d_h + r * d_rh,)

    def inner_gradient(self, kept, old, new, d_z_x):
        H = kept.shape[-1]
        r_h = kept[:, 0] * old[0]  # (T, B, H)
        return r_h.reshape(-1, H).T @ d_z_x[:, 2].reshape(-1, H)
