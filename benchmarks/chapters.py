"""``python -m benchmarks.chapters``: the times that chapters speak of, into chapters.json.

Chapters read them from there and measure none themselves, so that a page built twice is the same page. All of it runs
on one thread, in float32. What is compared takes turns, and the shortest time counts: what else the machine does can
only add to it.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from rnncourse.cells import Cell, GRUCell, LSTMCell, ResetBeforeGRUCell, RNNCell
from rnncourse.layers import bptt_layers, init_layers, unroll_layers
from rnncourse.unroll import bptt, init_parameters, unroll

RESULTS = Path(__file__).with_name("chapters.json")
TURNS = 25


def shortest(calls: list[Callable], turns: int = TURNS) -> list[float]:
    """The shortest seconds of each of the calls, which take turns."""
    best = [float("inf")] * len(calls)
    for _ in range(turns):
        for index, call in enumerate(calls):
            begun = time.perf_counter()
            call()
            best[index] = min(best[index], time.perf_counter() - begun)
    return best


def normal(*shape: int) -> np.ndarray:
    """Standard normal numbers, float32."""
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def bptt_rows() -> list[dict]:
    """Milliseconds of a plain network's way there and back, by the number of steps."""
    cell, B, D, H = RNNCell("tanh"), 32, 64, 128
    params, rows = init_parameters(cell, D, H, np.random.default_rng(2), np.float32), []
    for T in (25, 50, 100, 200):
        x, d_hidden = normal(B, T, D), normal(B, T, H)
        tape = unroll(cell, params, x).tape
        ways = [lambda: unroll(cell, params, x), lambda: bptt(cell, params, tape, d_hidden)]  # noqa: B023 - called here
        there, back = (1e3 * seconds for seconds in shortest(ways))
        rows.append({"steps": T, "forward": round(there, 2), "backward": round(back, 2)})
    return rows


def denormal_ratio() -> float:
    """How many times as long a product takes whose numbers are denormal."""
    W = normal(64, 64) / 8
    ordinary, denormal = (np.full((32, 64), size, np.float32) for size in (1.0, 1e-41))
    plain, slow = shortest([lambda: ordinary @ W, lambda: denormal @ W], 100)
    return round(slow / plain, 1)


def lstm_rows() -> list[dict]:
    """The sums of an LSTM by eight products a step, by two, and by one: times as shares of the first."""
    rows = []
    for T, B, D, H in ((200, 1, 64, 128), (35, 32, 28, 32), (50, 32, 128, 256)):
        x, h, U, W, b = normal(T, B, D), normal(B, H), normal(D, 4 * H), normal(H, 4 * H), normal(4 * H)
        gates = [[np.ascontiguousarray(part) for part in np.split(a, 4, axis=-1)] for a in (U, W, b)]
        ways = [lambda: eight(x, h, *gates), lambda: two(x, h, U, W, b), lambda: one(x, h, U, W, b)]  # noqa: B023
        first, second, third = shortest(ways)
        rows.append({"B": B, "D": D, "H": H, "two": round(second / first, 2), "one": round(third / first, 2)})
    return rows


def eight(x: np.ndarray, h: np.ndarray, U: list, W: list, b: list) -> None:
    """A product for each gate from the input x (T, B, D), and one from the state h (B, H), at every step."""
    for x_t in x:
        for U_k, W_k, b_k in zip(U, W, b, strict=True):
            x_t @ U_k + h @ W_k + b_k


def two(x: np.ndarray, h: np.ndarray, U: np.ndarray, W: np.ndarray, b: np.ndarray) -> None:
    """One product from the input and one from the state, for all gates."""
    for x_t in x:
        x_t @ U + h @ W + b


def one(x: np.ndarray, h: np.ndarray, U: np.ndarray, W: np.ndarray, b: np.ndarray) -> None:
    """Those from the input for all steps at once, before the loop."""
    sums = (x.reshape(-1, x.shape[2]) @ U + b).reshape(*x.shape[:2], -1)
    for sum_t in sums:
        sum_t + h @ W


def gru_rows() -> list[dict]:
    """Forward and back of the cells, at equal widths and then at about equal weights: times as shares of the GRU's."""
    B, T, D = 32, 50, 64
    compared = [(GRUCell(), 128), (ResetBeforeGRUCell(), 128), (RNNCell(), 128), (LSTMCell(), 128)]
    compared += [(RNNCell(), 242), (LSTMCell(), 107)]
    seconds = shortest([there_and_back(cell, H, normal(B, T, D)) for cell, H in compared])
    return [
        {"cell": type(cell).__name__, "H": H, "share": round(s / seconds[0], 2)}
        for (cell, H), s in zip(compared, seconds, strict=True)
    ]


def there_and_back(cell: Cell, H: int, x: np.ndarray) -> Callable:
    params = init_parameters(cell, x.shape[2], H, np.random.default_rng(3), np.float32)
    d_hidden = np.ones((*x.shape[:2], H), np.float32)
    return lambda: bptt(cell, params, unroll(cell, params, x).tape, d_hidden)


def layer_rows() -> list[dict]:
    """Forward and back of layers in one and both directions: times as shares of those of one layer in one."""
    B, T, H = 64, 40, 32
    sizes = [(1, 1), (1, 2), (2, 1), (2, 2), (3, 2)]  # layers, directions
    seconds = shortest([layers_there_and_back(*size, normal(B, T, H)) for size in sizes])
    return [
        {"layers": layers, "directions": directions, "share": round(s / seconds[0], 1)}
        for (layers, directions), s in zip(sizes, seconds, strict=True)
    ]


def layers_there_and_back(layers: int, directions: int, x: np.ndarray) -> Callable:
    cell, H = RNNCell("tanh"), x.shape[2]
    net = init_layers(cell, H, H, layers, np.random.default_rng(0), directions == 2, np.float32)

    def call():
        run = unroll_layers(cell, net, x)
        bptt_layers(cell, net, run.tape, run.hidden)

    return call


def main() -> None:
    found = {
        "bptt": bptt_rows(),
        "denormal": denormal_ratio(),
        "lstm": lstm_rows(),
        "gru": gru_rows(),
        "layers": layer_rows(),
    }
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
