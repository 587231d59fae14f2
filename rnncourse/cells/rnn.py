"""The plain recurrent cell (Elman 1990): the new state is an activation of a sum."""

from dataclasses import dataclass

import numpy as np

from rnncourse.cells.activations import LINEAR, RELU, TANH
from rnncourse.cells.cell import Cell

ACTIVATIONS = {"tanh": TANH, "relu": RELU, "linear": LINEAR}


@dataclass(frozen=True)
class RNNCell(Cell):
    """``h' = f(z)``, equation (elman-state) of the chapter `recurrence`.

    ``activation`` is f: "tanh", "relu" or "linear". Raises ValueError for any other name.
    """

    activation: str = "tanh"

    def __post_init__(self):
        if self.activation not in ACTIVATIONS:
            known = ", ".join(map(repr, ACTIVATIONS))
            raise ValueError(f"activation must be one of {known}, got {self.activation!r}")

    def step(self, z, state, inner=None, out=None, new=(None, None)):
        f = ACTIVATIONS[self.activation]
        return (f.value(z[0], out=new[0]),)  # (elman-state)  (B, H)

    def slopes(self, kept, old, new, inner=None):
        f = ACTIVATIONS[self.activation]
        return (f.slope(new[0])[:, None],)  # (T, 1, B, H)

    def step_backward(self, slopes, d_state, inner=None, out=None):
        d_z = np.multiply(slopes[0], d_state[0][None], out=out)  # (1, B, H)
        return d_z, (None,)  # the old state acts through h W alone
