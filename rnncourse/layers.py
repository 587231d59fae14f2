"""Depth and direction: layers on top of each other, each read from the left or from both sides, dropout between.

A network is a list of layers, a layer a tuple of `Parameters`: one for a network that reads from left to right, two
for one that also reads from right to left. Each direction is an `unroll` of its own; nothing is shared between them.
"""

from typing import NamedTuple

import numpy as np

from rnncourse.cells import Cell
from rnncourse.shapes import check_array
from rnncourse.unroll import Parameters, Unrolled, bptt, init_parameters, unroll

Layer = tuple[Parameters, ...]
States = list[tuple[tuple[np.ndarray, ...], ...]]  # states[layer][direction] is a state, each part (B, H)


class Stacked(NamedTuple):
    """What a pass through all layers leaves behind."""

    hidden: np.ndarray  #: (B, T, H) of the last layer; (B, T, 2 H), forward first, where it reads in both directions
    states: States  #: after the last step that each direction reads
    tape: list[tuple]  #: for `bptt_layers`: for each layer its directions' `Unrolled` and the dropout factors


class StackGradients(NamedTuple):
    """What `bptt_layers` returns."""

    layers: list[Layer]
    x: np.ndarray  #: (B, T, D)
    states: States  #: of the initial states


def init_layers(
    cell: Cell,
    input_size: int,
    hidden_size: int,
    layers: int,
    rng: np.random.Generator,
    bidirectional: bool = False,
    dtype=np.float64,
) -> list[Layer]:
    """`layers` layers drawn by `init_parameters`; from the second on the input is what the layer below puts out.

    Raises as `init_parameters` does, and ValueError unless there is at least one layer.
    """
    if layers < 1:
        raise ValueError(f"there must be at least one layer, got {layers}")
    directions = 2 if bidirectional else 1
    sizes = [input_size] + [directions * hidden_size] * (layers - 1)
    return [tuple(init_parameters(cell, size, hidden_size, rng, dtype) for _ in range(directions)) for size in sizes]


def unroll_layers(
    cell: Cell,
    layers: list[Layer],
    x: np.ndarray,
    states: States | None = None,
    mask: np.ndarray | None = None,
    dropout: float = 0.0,
    rng: np.random.Generator | None = None,
) -> Stacked:
    """Run all layers over the sequences x (B, T, D): equation (bidirectional) of the chapter `deep-bidirectional`.

    `states`: the initial state of every layer and direction, zeros if None. `mask` (B, T) as in `unroll`: the
    direction from the right begins at each sequence's last real step, because padding leaves its initial state
    as it is. `dropout` is the probability with which a number between two layers is set to 0 (what is left is divided
    by 1 - dropout), with the randomness of `rng`; after the last layer nothing is dropped.

    Raises ValueError for no layer, one without or with more than two directions, states that do not fit, and a
    dropout outside [0, 1), TypeError for dropout without rng; the rest as `unroll`.
    """
    _check(layers, states, dropout, rng)
    states = states or [(None,) * len(layer) for layer in layers]
    tape, last = [], []
    for number, (layer, initial) in enumerate(zip(layers, states, strict=True)):
        factors = None
        if dropout and number > 0:
            factors = ((rng.random(x.shape) >= dropout) / (1 - dropout)).astype(x.dtype)
            x = x * factors
        runs = [
            unroll(cell, parameters, _turned(x, direction), state, None if mask is None else _turned(mask, direction))
            for direction, (parameters, state) in enumerate(zip(layer, initial, strict=True))
        ]
        x = np.concatenate([_turned(run.hidden, direction) for direction, run in enumerate(runs)], axis=2)
        tape.append((runs, factors))
        last.append(tuple(run.state for run in runs))
    return Stacked(x, last, tape)


def bptt_layers(
    cell: Cell,
    layers: list[Layer],
    tape: list[tuple[list[Unrolled], np.ndarray | None]],
    d_hidden: np.ndarray,
    d_states: States | None = None,
    truncation: int | None = None,
) -> StackGradients:
    """Back through all layers: from the gradient of the last layer's hidden states to that of everything.

    `tape` is that of `unroll_layers` with the same cell and layers; `d_hidden` has the shape of its hidden states,
    `d_states` that of its states, zeros if None. Raises as `bptt` does, and ValueError where the tape or
    the states do not fit the layers.
    """
    _check(layers, d_states, 0.0, None, name="d_states")
    _check_tape(layers, tape, d_hidden)
    d_states = d_states or [(None,) * len(layer) for layer in layers]
    gradients, first = [], []
    for layer, (runs, factors), d_last in reversed(list(zip(layers, tape, d_states, strict=True))):
        parts = np.split(d_hidden, len(layer), axis=2)
        back = [
            bptt(cell, parameters, run.tape, _turned(part, direction), d_state, truncation)
            for direction, (parameters, run, part, d_state) in enumerate(zip(layer, runs, parts, d_last, strict=True))
        ]
        d_hidden = sum(_turned(gradient.x, direction) for direction, gradient in enumerate(back))
        d_hidden = d_hidden if factors is None else d_hidden * factors
        gradients.insert(0, tuple(gradient.parameters for gradient in back))
        first.insert(0, tuple(gradient.state for gradient in back))
    return StackGradients(gradients, d_hidden, first)


def _turned(array: np.ndarray, direction: int) -> np.ndarray:
    """(B, T, …) as a direction reads it: direction 1 from the last step to the first."""
    return array[:, ::-1] if direction else array


def _check(layers, states, dropout, rng, name="states") -> None:
    if not layers:
        raise ValueError("there must be at least one layer, got none")
    for number, layer in enumerate(layers):
        if not isinstance(layer, tuple) or isinstance(layer, Parameters) or len(layer) not in (1, 2):
            raise ValueError(f"layers[{number}] must be a tuple of one or two Parameters, got {type(layer).__name__}")
    if states is not None and [len(state) for state in states] != [len(layer) for layer in layers]:
        wanted = ", ".join(str(len(layer)) for layer in layers)
        raise ValueError(f"{name} must hold a state for every layer and direction ({wanted} directions)")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be a probability in [0, 1), got {dropout}")
    if dropout and rng is None:
        raise TypeError("dropout needs rng, a numpy.random.Generator")


def _check_tape(layers, tape, d_hidden) -> None:
    if not isinstance(tape, list):
        raise TypeError(f"tape must be the tape of unroll_layers, got {type(tape).__name__}")
    theirs, ours = [len(runs) for runs, _ in tape], [len(layer) for layer in layers]
    if theirs != ours:
        raise ValueError(f"the tape is that of layers with {theirs} directions, the layers have {ours}")
    B, T, H = tape[-1][0][0].hidden.shape
    width = "H" if ours[-1] == 1 else "2 H"
    check_array("d_hidden", d_hidden, ("B", "T", width), {"B": B, "T": T, width: ours[-1] * H})
