"""Long short-term memory: the cell of Hochreiter and Schmidhuber (1997) with the forget gate of Gers et al. (2000),
with peepholes (Gers and Schmidhuber 2000), and with coupled gates (Greff et al. 2017).

Four sums a step, in PyTorch's order: input gate i, forget gate f, candidate g, output gate o. The state is (h, c).
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import ClassVar, NamedTuple

import numpy as np

from rnncourse.cells.activations import HARD_SIGMOID, SIGMOID, TANH, Activation
from rnncourse.cells.cell import Cell

GATES = {"sigmoid": SIGMOID, "hard_sigmoid": HARD_SIGMOID}


@lru_cache(maxsize=16)
def _halves(shape, dtype, candidate):
    """½ for the gates and 1 for the candidate; and 1 less these. Arrays of the full shape are faster than numbers."""
    scale = np.full(shape, 0.5, dtype)
    scale[candidate] = 1
    return scale, 1 - scale


class Slopes(NamedTuple):
    """What the backward pass of an LSTM multiplies with."""

    z: np.ndarray  #: (T, G, B, H) from the gradient of c (for the output gate: of h) to that of each sum
    c_from_h: np.ndarray  #: (T, B, H) from the gradient of h to that of c
    keep: np.ndarray  #: (T, B, H) from the gradient of c to that of the old c


@dataclass(frozen=True)
class LSTMCell(Cell):
    """``c' = f c + i g`` and ``h' = o tanh(c')``, equations (lstm-gates), (lstm-cell), (lstm-hidden) of `lstm`.

    ``gate``: "sigmoid", or "hard_sigmoid" for gates without an exponential. Raises ValueError for another.
    """

    gate: str = "sigmoid"

    gates = state_gates = kept = 4
    state_parts = 2
    candidate: ClassVar[int] = 2  #: the place of g among the gates

    def __post_init__(self):
        if self.gate not in GATES:
            known = ", ".join(map(repr, GATES))
            raise ValueError(f"gate must be one of {known}, got {self.gate!r}")

    @cached_property
    def squash(self) -> Activation:
        """The activation of the gates."""
        return GATES[self.gate]

    def activate(self, z, out=None):
        """tanh for the candidate, the gates' activation for the others: (G, B, H) -> (G, B, H)."""
        if self.gate == "sigmoid":  # ½ + ½ tanh(z / 2), so one tanh serves all: it saves a sixth of the time at B = 1
            scale, shift = _halves(z.shape, z.dtype, self.candidate)
            gates = np.multiply(z, scale, out=out)
            np.tanh(gates, out=gates)
            gates *= scale
            gates += shift
        else:
            gates = self.squash.value(z, out=out)
            np.tanh(z[self.candidate], out=gates[self.candidate])
        return gates

    def step(self, z, state, inner=None, out=None, new=(None, None)):
        _, c = state
        gates = self.activate(z, out)  # (4, B, H)  (lstm-gates)
        i, f, g, o = gates[0], gates[1], gates[2], gates[3]  # (B, H) each; faster than to unpack an array
        c_new = np.add(f * c, i * g, out=new[1])  # (lstm-cell)
        return np.multiply(o, np.tanh(c_new), out=new[0]), c_new  # (lstm-hidden)

    def slopes(self, kept, old, new, inner=None):
        i, f, g, o = kept.swapaxes(0, 1)  # (T, B, H) each
        tanh_c = np.tanh(new[1])
        z = self.squash.slope(kept)  # (T, 4, B, H)
        z[:, 0] *= g
        z[:, 1] *= old[1]
        np.multiply(i, TANH.slope(g), out=z[:, 2])
        z[:, 3] *= tanh_c
        return Slopes(z, c_from_h=o * TANH.slope(tanh_c), keep=f)

    def step_backward(self, slopes, d_state, inner=None, out=None):
        z, c_from_h, keep = slopes
        d_h, d_c = d_state
        d_c = d_c + d_h * c_from_h
        d_z = np.multiply(z, d_c, out=out)  # (G, B, H)
        np.multiply(z[-1], d_h, out=d_z[-1])  # the output gate acts on h alone
        return d_z, (None, d_c * keep)  # the old h acts through h W alone


@dataclass(frozen=True)
class PeepholeLSTMCell(LSTMCell):
    """An LSTM whose gates see the cell state: i and f the old one, o the new one, (peephole-gates) of `lstm`.

    `inner` (3, H) holds the peephole weights of i, f and o.
    """

    def inner_shape(self, H):
        return (3, H)

    def step(self, z, state, inner=None, out=None, new=(None, None)):
        _, c = state
        gates = np.positive(z, out=out)  # (4, B, H), a copy
        i, f, g, o = gates
        gates[:2] += inner[:2, None] * c
        self.squash.value(gates[:2], out=gates[:2])
        np.tanh(g, out=g)
        c_new = np.add(f * c, i * g, out=new[1])
        o += inner[2] * c_new
        self.squash.value(o, out=o)
        return np.multiply(o, np.tanh(c_new), out=new[0]), c_new

    def slopes(self, kept, old, new, inner=None):
        z, c_from_h, keep = super().slopes(kept, old, new)
        # what the gates do to the gradient of c: the new c also acts through o, the old c through i and f
        return Slopes(z, c_from_h + z[:, 3] * inner[2], keep + z[:, 0] * inner[0] + z[:, 1] * inner[1])

    def inner_gradient(self, kept, old, new, d_z_x):
        i, f, _, o = d_z_x.swapaxes(0, 1)  # (T, B, H) each
        return np.stack([np.sum(d * c, axis=(0, 1)) for d, c in ((i, old[1]), (f, old[1]), (o, new[1]))])  # (3, H)


@dataclass(frozen=True)
class CoupledLSTMCell(LSTMCell):
    """An LSTM that forgets exactly as much as it takes in: i = 1 - f, (coupled-cell) of `lstm`.

    Three sums a step, in the order f, g, o.
    """

    gates = state_gates = kept = 3
    candidate = 1

    def step(self, z, state, inner=None, out=None, new=(None, None)):
        _, c = state
        f, g, o = self.activate(z, out)  # (B, H) each
        c_new = np.add(f * c, (1 - f) * g, out=new[1])  # (coupled-cell)
        return np.multiply(o, np.tanh(c_new), out=new[0]), c_new

    def slopes(self, kept, old, new, inner=None):
        f, g, o = kept.swapaxes(0, 1)
        tanh_c = np.tanh(new[1])
        z = self.squash.slope(kept)
        z[:, 0] *= old[1] - g
        z[:, 1] = (1 - f) * TANH.slope(g)
        z[:, 2] *= tanh_c
        return Slopes(z, c_from_h=o * TANH.slope(tanh_c), keep=f)
