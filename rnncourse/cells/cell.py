"""What every cell is: the part of a time step that lies between two affine maps, and its derivative."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np


@dataclass(frozen=True)
class Cell:
    """One step of a recurrent network, without its affine maps and without time.

    `rnncourse.unroll` computes ``z_x = x U + b_x`` and ``z_h = h W + b_h``; the cell turns their sum z and the old
    state into the new state. A cell that needs the two apart says so (`only_sum`), and gets both. They have an axis of
    their own for the gates, before the others: (G, B, H). B is the batch, H the number of hidden units, T the number
    of steps.

    Backwards a cell is linear: the gradients of its sums and of the old state are the gradient of the new state times
    numbers that are known after the forward pass. `slopes` computes these numbers for many steps at once, and
    `step_backward` is the little that is left for the loop. Some cells have weights of their own, `inner`; for the
    others it is None.
    """

    gates: ClassVar[int] = 1  #: G: how many vectors of H entries x U + b_x delivers
    state_gates: ClassVar[int] = 1  #: how many h W + b_h delivers; fewer where one of them needs the others first
    state_parts: ClassVar[int] = 1  #: 1 for a state (h,), 2 for (h, c)
    kept: ClassVar[int] = 0  #: K: how many vectors of H entries a step keeps for the way back
    only_sum: ClassVar[bool] = True  #: z_x and z_h act through their sum alone: z is that sum, and not the pair

    def inner_shape(self, H: int) -> tuple[int, ...] | None:
        """The shape of the cell's own weights, or None."""
        return None

    def step(self, z, state, inner=None, out=None, new=(None, None)) -> tuple[np.ndarray, ...]:
        """z (G, B, H), or the pair z_x (G, B, H) and z_h (state_gates, B, H); the old state -> the new, parts (B, H).

        `out` (K, B, H), if given, receives what `slopes` will need. `new`, if given, is where a cell may
        write all parts of the new state, which saves a copy; what is returned counts.
        """
        raise NotImplementedError

    def slopes(self, kept, old, new, inner=None) -> tuple[np.ndarray, ...]:
        """Many steps at once: kept (T, K, B, H), the old and new states, parts (T, B, H) -> arrays (T, …)."""
        raise NotImplementedError

    def step_backward(self, slopes, d_state, inner=None, out=None) -> tuple[np.ndarray | tuple, tuple]:
        """The slopes of one step and the gradient of its new state -> the gradients of z and of the old state.

        What reaches the old h through h W is not in the second: `bptt` adds that. A part is None if it is zero. `out`,
        if given, is where the first is written; it looks like z.
        """
        raise NotImplementedError

    def inner_gradient(self, kept, old, new, d_z_x) -> np.ndarray | None:
        """The gradient of `inner`, summed over all steps and examples; d_z_x (T, G, B, H)."""
        return None
