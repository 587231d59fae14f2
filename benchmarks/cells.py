"""``python -m benchmarks.cells``: the cells against PyTorch's, a per-gate loop and the bare matrix products.

All of it on one thread, in float32, with the same weights, inputs and gradients. Nothing is timed before the answers
agree. Times are CPU times of the process, which other programs on the machine disturb less than a clock on the wall.
"""

import gc
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from rich.progress import track
from tabulate import tabulate

from benchmarks import per_gate
from rnncourse import convert
from rnncourse.cells import Cell, GRUCell, LSTMCell, RNNCell
from rnncourse.unroll import bptt, init_parameters, unroll


class Shape(NamedTuple):
    """The sizes of one problem."""

    T: int
    B: int
    D: int
    H: int


SHAPES = [Shape(100, 32, 128, 256), Shape(35, 32, 28, 32), Shape(200, 1, 64, 128)]
CELLS = {"RNN": RNNCell(), "GRU": GRUCell(), "LSTM": LSTMCell()}
PASSES = ("forward", "forward + BPTT")
TOLERANCE = 1e-5  # of the largest entry: float32 sums over thousands of terms, taken in another order
ROUNDS = 20
RESULTS = Path(__file__).with_name("results.json")


class Problem(NamedTuple):
    """What all contenders are given."""

    name: str  # of the cell
    cell: Cell
    parameters: tuple
    x: np.ndarray  # (B, T, D)
    d_hidden: np.ndarray  # (B, T, H)


class Contender(NamedTuple):
    """Functions without arguments: the forward pass; both passes, which return the raw result; and its `answers`."""

    forward: Callable
    both: Callable
    answers: Callable | None = None  # raw result -> the arrays hidden, U, W, b_x, b_h and x, the last five gradients


def problem(name: str, shape: Shape, seed: int = 0) -> Problem:
    T, B, D, H = shape
    rng, cell = np.random.default_rng(seed), CELLS[name]
    parameters = init_parameters(cell, D, H, rng, np.float32)
    x, d_hidden = (rng.normal(size=(B, T, width)).astype(np.float32) for width in (D, H))
    return Problem(name, cell, parameters, x, d_hidden)


# ---------------------------------------------------------------- contenders


def ours(given: Problem) -> Contender:
    cell, parameters, x = given.cell, given.parameters, given.x

    def both():
        result = unroll(cell, parameters, x)
        return result.hidden, bptt(cell, parameters, result.tape, given.d_hidden)

    def answers(result):
        hidden, gradients = result
        return [hidden, *gradients.parameters[:4], gradients.x]

    return Contender(lambda: unroll(cell, parameters, x), both, answers)


def pytorch(given: Problem) -> Contender:
    module = convert.to_torch(given.cell, given.parameters)
    x, d_hidden = torch.tensor(given.x, requires_grad=True), torch.tensor(given.d_hidden)

    def forward():
        with torch.no_grad():
            return module(x)

    def both():
        module.zero_grad(set_to_none=True)
        x.grad = None
        hidden, _ = module(x)
        hidden.backward(d_hidden)
        return hidden

    def answers(hidden):
        return [hidden.detach().numpy(), *(p.grad.numpy().T for p in module.parameters()), x.grad.numpy()]

    return Contender(forward, both, answers)


def loop(given: Problem) -> Contender:
    cell, parts = getattr(per_gate, given.name), given.cell.state_parts
    gates = per_gate.split(given.parameters, given.cell.gates)

    def both():
        hidden, tape = per_gate.forward(cell, gates, given.x, parts)
        return hidden, *per_gate.backward(cell, gates, tape, given.d_hidden)

    def answers(result):
        hidden, gradients, d_x = result
        return [hidden, *per_gate.join(gradients)[:4], d_x]

    return Contender(lambda: per_gate.forward(cell, gates, given.x, parts), both, answers)


def products(given: Problem) -> Contender:
    """The matrix products that `unroll` and `bptt` take, on numbers without meaning, and nothing else."""
    B, T, D = given.x.shape
    U, W, *_ = given.parameters
    W_back = np.ascontiguousarray(W.T)
    x, hidden = given.x.reshape(T * B, D), given.d_hidden.reshape(T * B, -1)
    h, d_z = hidden[:B], np.tile(hidden, given.cell.gates)  # (B, H), (T·B, G·H)

    def forward():
        x @ U
        for _ in range(T):
            h.dot(W)

    def both():
        forward()
        for _ in range(T):
            d_z[:B].dot(W_back)
        return x.T @ d_z, hidden.T @ d_z, d_z @ U.T

    return Contender(forward, both)


CONTENDERS = {"PyTorch": pytorch, "rnncourse": ours, "per-gate loop": loop, "products alone": products}


def check_agreement(contenders: dict[str, Contender]) -> None:
    """Raise ValueError, with the name of the array, unless all contenders that have answers give the same ones."""
    (first, want), *others = [(name, c.answers(c.both())) for name, c in contenders.items() if c.answers]
    for name, got in others:
        for what, a, b in zip(("hidden", "dU", "dW", "db_x", "db_h", "dx"), got, want, strict=True):
            error, largest = np.abs(a - b).max(), np.abs(b).max()
            if not error <= TOLERANCE * largest:  # NaN is no agreement either
                raise ValueError(
                    f"{what} of {name} and of {first} differ by {error:.1e}, entries go up to {largest:.1e}"
                )


# ---------------------------------------------------------------- measurements


def medians(functions: dict[str, Callable], rounds: int = ROUNDS) -> dict[str, float]:
    """The median time of a call in milliseconds. The functions take turns, so that all see the same machine.

    In its turn a function is called at least three times, for about 20 ms; the first call, which finds the caches full
    of the others' numbers, does not count.
    """
    times = {name: [] for name in functions}
    gc.collect()
    gc.disable()  # as timeit does
    try:
        for _ in range(rounds):
            for name, function in functions.items():
                function()
                turn = []
                while len(turn) < 2 or sum(turn) < 0.02:
                    start = time.process_time()
                    function()
                    turn.append(time.process_time() - start)
                times[name] += turn
    finally:
        gc.enable()
    return {name: float(f"{1000 * statistics.median(values):.4g}") for name, values in times.items()}


def tape_bytes(given: Problem) -> dict[str, int]:
    """How much of the forward pass is kept for the way back, weights not counted, inputs counted."""
    tape = unroll(given.cell, given.parameters, given.x).tape
    module = convert.to_torch(given.cell, given.parameters)
    saved = {}  # by address: steps share their memory

    def note(tensor):
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        kept = module(torch.tensor(given.x, requires_grad=True))
    weights = {parameter.untyped_storage().data_ptr() for parameter in module.parameters()}
    theirs = sum(size for address, size in saved.items() if address not in weights)
    del kept  # until here its memory was in use, so that no address was used twice
    return {"PyTorch": theirs, "rnncourse": sum(array.nbytes for array in (tape.x, *tape.states, tape.kept))}


def affine_maps(shape: Shape, rounds: int = ROUNDS) -> dict[str, float]:
    """Milliseconds of h W + b for the four gates of an LSTM, in all T steps: one wide map, or four."""
    T, B, _, H = shape
    rng = np.random.default_rng(0)
    h, W, b = (rng.normal(size=size).astype(np.float32) for size in ((B, H), (H, 4 * H), 4 * H))
    gates = [
        (np.ascontiguousarray(part), bias) for part, bias in zip(np.split(W, 4, axis=1), np.split(b, 4), strict=True)
    ]

    def fused():
        return [h @ W + b for _ in range(T)][-1]

    def separate():
        return [[h @ part + bias for part, bias in gates] for _ in range(T)][-1]

    np.testing.assert_allclose(fused(), np.concatenate(separate(), axis=1), rtol=1e-4, atol=1e-4)
    return medians({"fused": fused, "separate": separate}, rounds)


def beginnings(shape: Shape, rounds: int = ROUNDS) -> dict[str, float]:
    """Milliseconds of h W for the four gates of an LSTM, in all T steps: W begins with a cache line, or within one."""
    T, B, _, H = shape
    rng = np.random.default_rng(0)
    h, W = (rng.normal(size=size).astype(np.float32) for size in ((B, H), (H, 4 * H)))

    def product(behind: int) -> Callable:
        memory = np.empty(W.nbytes + 128, np.uint8)
        placed = np.ndarray(W.shape, W.dtype, memory, -memory.__array_interface__["data"][0] % 64 + behind)
        placed[...] = W
        return lambda: [h @ placed for _ in range(T)][-1]

    return medians({"with": product(0), "within": product(16)}, rounds)


def measure(shapes: list[Shape] = SHAPES, rounds: int = ROUNDS) -> dict:
    """Everything that the page shows, ready for JSON."""
    times, memory = [], []
    for shape, name in track([(shape, name) for shape in shapes for name in CELLS], "Cells"):
        given = problem(name, shape)
        contenders = {label: make(given) for label, make in CONTENDERS.items()}
        check_agreement(contenders)
        of = {"cell": name, "shape": shape._asdict()}
        for label, part in zip(PASSES, ("forward", "both"), strict=True):
            functions = {who: getattr(contender, part) for who, contender in contenders.items()}
            times.append({**of, "pass": label, "milliseconds": medians(functions, rounds)})
        memory.append({**of, "bytes": tape_bytes(given)})
    affine = [
        {"shape": shape._asdict(), "milliseconds": affine_maps(shape, rounds)}
        for shape in track(shapes, "One map or four")
    ]
    begins = [
        {"shape": shape._asdict(), "milliseconds": beginnings(shape, rounds)}
        for shape in track(shapes, "Where W begins")
    ]
    versions = {"Python": platform.python_version(), "NumPy": np.__version__, "PyTorch": torch.__version__}
    return {
        "versions": versions,
        "cores": os.cpu_count(),
        "times": times,
        "memory": memory,
        "affine": affine,
        "begins": begins,
    }


def table(results: dict) -> str:
    """The times, as text."""
    rows = []
    for row in results["times"]:
        ms = row["milliseconds"]
        ratios = [ms[who] / ms["PyTorch"] for who in CONTENDERS if who != "PyTorch"]
        rows.append(
            [str(tuple(row["shape"].values())), row["cell"], row["pass"], ms["PyTorch"], ms["rnncourse"], *ratios]
        )
    header = ["(T, B, D, H)", "cell", "pass", "PyTorch, ms", "rnncourse, ms"]
    header += [f"{who} / PyTorch" for who in CONTENDERS if who != "PyTorch"]
    return tabulate(rows, header, floatfmt=("", "", "", ".3g", ".3g", ".2f", ".2f", ".2f"))


def main() -> int:
    """Measure, print the table, write results.json; the exit code."""
    if os.environ.get("OMP_NUM_THREADS") != "1":  # NumPy reads it when it is imported
        print("set OMP_NUM_THREADS=1, as `make bench` does: all of this is about one thread", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    results = measure()
    print(table(results))
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
