"""The plain recurrent cell (Elman 1990): the new state is an activation of a sum.

A cell stands between two affine maps. `rnncourse.unroll` computes ``z_x = x U + b_x`` and
``z_h = h W + b_h``; the cell says what to do with them.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

ACTIVATIONS = {
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "linear": lambda z: z,
}


@dataclass(frozen=True)
class RNNCell:
    """``h' = f(z_x + z_h)``, equation (elman-state) of the chapter `recurrence`.

    ``activation`` is f: "tanh", "relu" or "linear". Raises ValueError for any other name.
    """

    activation: str = "tanh"

    gates: ClassVar[int] = 1  # how many vectors of H entries the affine maps deliver
    state_parts: ClassVar[int] = 1  # the state is (h,)

    def __post_init__(self):
        if self.activation not in ACTIVATIONS:
            known = ", ".join(map(repr, ACTIVATIONS))
            raise ValueError(f"activation must be one of {known}, got {self.activation!r}")

    def step(self, z_x: np.ndarray, z_h: np.ndarray, state: tuple) -> tuple:
        """z_x = x U + b_x (B, H), z_h = h W + b_h (B, H) -> the new state (h',)."""
        f = ACTIVATIONS[self.activation]
        return (f(z_x + z_h),)  # (elman-state)  (B, H)
