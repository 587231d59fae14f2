"""Cells: what happens between the affine maps of one time step. Each knows nothing of time or batches."""

from rnncourse.cells.rnn import RNNCell

__all__ = ["RNNCell"]
