"""What the widgets start from, what is printed in their place, and what they must compute, all by `rnncourse`.

A case is a setting of the controls and the values that a widget must then hold. Every control is changed in some case.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from rnncourse.cells import GRUCell, LSTMCell, PeepholeLSTMCell, RNNCell
from rnncourse.unroll import Parameters, bptt, unroll


class Widget(NamedTuple):
    title: str
    data: dict  # "settings": the value of each control at first; "cases"; and what else the script needs
    header: list[str]  # of the printed table
    rows: list[list]


def number(value: float) -> str:
    """Four digits, with a minus sign."""
    return f"{value:.4g}".replace("-", "−")


def pair(values) -> str:
    return "(" + ", ".join(map(number, values)) + ")"


def changed_one_by_one(settings: dict, others: dict) -> Iterator[dict]:
    """The settings, and for every entry of `others` the settings with this one changed."""
    yield settings
    for name, value in others.items():
        yield settings | {name: value}


# ---------------------------------------------------------------- the unrolled network of `recurrence`


def unrolled_rnn() -> Widget:
    """The worked example: two inputs, two linear units, two outputs, all weights 1."""
    settings = {f"{matrix}{i}{j}": 1 for matrix in "UWV" for i in (1, 2) for j in (1, 2)}
    settings |= {f"x{t}{i}": value for t, value in ((1, 1), (2, 1), (3, 2)) for i in (1, 2)}
    settings |= {"activation": "linear", "position": 3}
    rng = np.random.default_rng(0)
    drawn = {name: float(value) for name, value in zip(settings, rng.normal(size=18).round(2), strict=False)}
    changed = [
        *changed_one_by_one(settings, drawn),
        *(settings | drawn | {"activation": f, "position": p} for f, p in (("linear", 6), ("tanh", 5), ("relu", 4))),
    ]
    cases = [{"settings": case, "values": unrolled_values(case)} for case in changed]
    first = cases[0]["values"]
    return Widget(
        "The worked example, unrolled",
        {"settings": settings, "cases": cases},
        ["step", "input", "state", "output", "gradient of the state", "gradient of the input"],
        [
            [t + 1, *map(pair, (first["x"][t], first["h"][t + 1], first["o"][t], first["dh"][t + 1], first["dx"][t]))]
            for t in range(3)
        ],
    )


def unrolled_values(settings: dict) -> dict:
    """States, outputs, and gradients of the sum of the last output; those of the weights as they grow backwards."""
    at = {name: float(value) for name, value in settings.items() if name != "activation"}
    U, W, V = (np.array([[at[f"{m}{i}{j}"] for j in (1, 2)] for i in (1, 2)]) for m in "UWV")
    x = np.array([[at[f"x{t}{i}"] for i in (1, 2)] for t in (1, 2, 3)])
    cell, parameters = RNNCell(settings["activation"]), Parameters(U, W, np.zeros(2), np.zeros(2))
    states = unroll(cell, parameters, x[None]).tape.states[0][:, 0]  # (4, 2)
    steps = []
    for t in range(3):  # the gradients of what step t and those after it did
        run = unroll(cell, parameters, x[None, t:], (states[None, t],))
        d_hidden = np.zeros((1, 3 - t, 2))
        d_hidden[0, -1] = V.sum(axis=1)
        steps.append(bptt(cell, parameters, run.tape, d_hidden))
    return {
        "x": x.tolist(),
        "h": states.tolist(),
        "o": (states[1:] @ V).tolist(),
        "dh": [*(step.state[0][0].tolist() for step in steps), V.sum(axis=1).tolist()],
        "dx": [step.x[0, 0].tolist() for step in steps],
        "dU": [step.parameters.U.tolist() for step in steps],
        "dW": [step.parameters.W.tolist() for step in steps],
        "dV": np.outer(states[3], np.ones(2)).tolist(),
    }


# ---------------------------------------------------------------- the gradient lab of `gradients`

HIDDEN, INPUTS, LONGEST, DRAWS = 24, 4, 100, 5
LAB = {"rnn": 1, "lstm": 4, "gru": 3}  # gates of each network


def gradient_lab() -> Widget:
    """The gradient of the input k steps ago, for three networks with the same spectral radius."""
    settings = {"radius": 1, "activation": "tanh", "keep": 0, "length": 60, "draw": 1, "lag": 30}
    others = {"radius": 1.3, "activation": "relu", "keep": 2.5, "length": 100, "draw": 4, "lag": 7}
    mixed = [
        {"radius": 1.6, "activation": "tanh", "keep": -1, "length": 80, "draw": 2, "lag": 79},
        {"radius": 0.2, "activation": "linear", "keep": 5, "length": 10, "draw": 3, "lag": 0},
        {"radius": 1.2, "activation": "linear", "keep": 4, "length": 100, "draw": 5, "lag": 99},
    ]
    changed = [*changed_one_by_one(settings, others), *mixed]
    networks = {draw: lab_network(draw) for draw in range(1, DRAWS + 1)}
    return Widget(
        "Gradient lab",
        {
            "settings": settings,
            "radii": {draw: made["radii"] for draw, made in networks.items()},
            "cases": [{"settings": case, "values": lab_values(case, networks)} for case in changed],
        },
        ["spectral radius", "bias of the keeping gate", "RNN", "LSTM", "GRU"],
        [
            [radius, keep, *(f"{lab_values(at, networks)[cell]['factor']:.2f}" for cell in LAB)]
            for radius in (0.5, 1.0, 1.5)
            for keep in (0, 3)
            for at in [settings | {"radius": radius, "keep": keep}]
        ],
    )


def lab_numbers(seed: int) -> Iterator[float]:
    """Random numbers with mean 0 and variance 1 that a script can draw as well (the generator mulberry32)."""
    mask = 2**32 - 1
    while True:
        seed = (seed + 0x6D2B79F5) & mask
        t = ((seed ^ seed >> 15) * (1 | seed)) & mask
        t = ((t + ((t ^ t >> 7) * (61 | t) & mask)) & mask) ^ t
        yield ((t ^ t >> 14) / 2**32 - 0.5) * 12**0.5


def lab_network(draw: int) -> dict:
    """The matrices of all gates, each with its spectral radius; the sequence; the gradient of the last state."""
    numbers = lab_numbers(draw)

    def matrix(rows, columns):
        return np.array([[next(numbers) for _ in range(columns)] for _ in range(rows)])

    W = {cell: [matrix(HIDDEN, HIDDEN) for _ in range(gates)] for cell, gates in LAB.items()}
    U = {cell: [matrix(INPUTS, HIDDEN) / 10 for _ in range(gates)] for cell, gates in LAB.items()}
    x, (d_last,) = matrix(LONGEST, INPUTS), matrix(1, HIDDEN)
    radii = {cell: [float(abs(np.linalg.eigvals(gate)).max()) for gate in gates] for cell, gates in W.items()}
    return {"W": W, "U": U, "x": x, "d_last": d_last / np.linalg.norm(d_last), "radii": radii}


def lab_values(settings: dict, networks: dict) -> dict:
    """Of each network: the norm at the lag, the mean factor a step, and the first lag with less than a hundredth."""
    made, T = networks[settings["draw"]], settings["length"]
    cells = {"rnn": RNNCell(settings["activation"]), "lstm": LSTMCell(), "gru": GRUCell()}
    values = {}
    for name, cell in cells.items():
        W = [
            settings["radius"] / radius * gate
            for gate, radius in zip(made["W"][name], made["radii"][name], strict=True)
        ]
        b = np.zeros(cell.gates * HIDDEN)
        if cell.gates > 1:  # the second gate of both: f of the LSTM, z of the GRU
            b[HIDDEN : 2 * HIDDEN] = settings["keep"]
        parameters = Parameters(np.hstack(made["U"][name]), np.hstack(W), b, np.zeros_like(b))
        run = unroll(cell, parameters, made["x"][None, -T:])
        d_hidden = np.zeros_like(run.hidden)
        d_hidden[0, -1] = made["d_last"]
        norms = np.linalg.norm(bptt(cell, parameters, run.tape, d_hidden).x[0], axis=1)[::-1]  # (T,), lag 0 first
        below = np.flatnonzero(norms < norms[0] / 100)
        values[name] = {
            "norm": float(norms[settings["lag"]]),
            "factor": float((norms[-1] / norms[0]) ** (1 / (T - 1))),
            "reach": int(below[0]) if below.size else None,
        }
    return values


# ---------------------------------------------------------------- the cell of `lstm`


def lstm_cell() -> Widget:
    """One unit, whose four sums are set by hand."""
    settings = {"zg": 0.5, "zi": 10, "zf": 10, "zo": 10, "start": 1, "peepholes": False, "pi": 0, "pf": 0, "po": 0}
    moderate = settings | {"zi": 0.4, "zf": 1.2, "zo": -0.3}
    others = {"zg": -2.3, "zi": -1.1, "zf": 0.7, "zo": 2.4, "start": -2.5}
    peepholes = moderate | {"peepholes": True, "pi": -0.5, "pf": 0.8, "po": 1.6}
    changed = [
        *changed_one_by_one(moderate, others),
        peepholes,
        peepholes | {"peepholes": False},
        *changed_one_by_one(peepholes, {"pi": 2.1, "pf": -2.8, "po": -0.9}),
    ]
    four = {"keep": (10, -10), "replace": (-10, 10), "add up": (10, 10), "erase": (-10, -10)}
    rows = []
    for name, (zf, zi) in four.items():
        at = [lstm_values(settings | {"zf": zf, "zi": zi}, steps) for steps in (0, 1, 2)]
        rows.append([name, *(f"{at[0][gate]:.2f}" for gate in "fi"), *(f"{step['c']:.2f}" for step in at)])
    return Widget(
        "LSTM cell",
        {
            "settings": settings,
            "cases": [
                {"settings": case, "steps": steps, "values": lstm_values(case, steps)}
                for case in [settings, *changed]
                for steps in (0, 3)
            ],
        },
        ["case", "gate f", "gate i", "after step 1", "after step 2", "after step 3"],
        rows,
    )


def lstm_values(settings: dict, steps: int) -> dict:
    """The gates of the step after `steps` steps, and the state before and after it."""
    inner = np.array([[settings[p]] for p in ("pi", "pf", "po")], dtype=float) if settings["peepholes"] else None
    cell = PeepholeLSTMCell() if settings["peepholes"] else LSTMCell()
    b = np.array([settings[z] for z in ("zi", "zf", "zg", "zo")], dtype=float)
    none = np.zeros((1, 4))
    first = (np.zeros((1, 1)), np.array([[float(settings["start"])]]))
    run = unroll(cell, Parameters(none, none, b, np.zeros(4), inner), np.zeros((1, steps + 1, 1)), first)
    h, c = (part[:, 0, 0].tolist() for part in run.tape.states)
    i, f, g, o = run.tape.kept[-1, :, 0, 0].tolist()
    return {"i": i, "f": f, "g": g, "o": o, "before": c[-2], "c": c[-1], "h": h[-1]}
