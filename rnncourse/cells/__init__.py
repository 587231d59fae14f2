"""Cells: what happens between the affine maps of one time step. Each knows nothing of time."""

from rnncourse.cells.cell import Cell
from rnncourse.cells.gru import GRUCell, ResetBeforeGRUCell
from rnncourse.cells.lstm import CoupledLSTMCell, LSTMCell, PeepholeLSTMCell
from rnncourse.cells.rnn import RNNCell

__all__ = [
    "Cell",
    "CoupledLSTMCell",
    "GRUCell",
    "LSTMCell",
    "PeepholeLSTMCell",
    "RNNCell",
    "ResetBeforeGRUCell",
]
