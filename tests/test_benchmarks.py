"""The benchmark measures what it says, refuses to time wrong work, and its results hold what the page shows."""

import importlib
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from rnncourse.unroll import bptt, unroll

ROOT = Path(__file__).parents[1]
cells = importlib.import_module("benchmarks.cells")
TINY = cells.Shape(T=4, B=3, D=2, H=5)


def contenders(name: str, shape=TINY) -> dict:
    return {label: make(cells.problem(name, shape)) for label, make in cells.CONTENDERS.items()}


@pytest.mark.parametrize("name", cells.CELLS)
@pytest.mark.parametrize("shape", [TINY, cells.Shape(T=1, B=1, D=1, H=1), cells.Shape(T=30, B=1, D=3, H=8)])
def test_all_contenders_agree(name, shape):
    cells.check_agreement(contenders(name, shape))


@pytest.mark.parametrize("name", cells.CELLS)
@pytest.mark.parametrize("who", ["rnncourse", "per-gate loop", "PyTorch"])
@pytest.mark.parametrize("place", range(6))
def test_what_differs_a_little_anywhere_is_not_timed(name, who, place):
    rivals = contenders(name)

    def answers(result):
        arrays = [array.copy() for array in rivals[who].answers(result)]
        largest = np.unravel_index(np.abs(arrays[place]).argmax(), arrays[place].shape)
        arrays[place][largest] *= 1 + 1e-4
        return arrays

    what = ("hidden", "dU", "dW", "db_x", "db_h", "dx")[place]
    with pytest.raises(ValueError, match=f"^{what} of .* and of PyTorch differ by "):
        cells.check_agreement(rivals | {who: rivals[who]._replace(answers=answers)})


def test_nan_is_no_agreement(monkeypatch):
    given = cells.problem("GRU", TINY)
    monkeypatch.setattr(cells, "bptt", lambda *given: bptt(*given)._replace(x=np.full((3, 4, 2), np.nan)))
    rivals = {"PyTorch": cells.pytorch(given), "rnncourse": cells.ours(given)}
    with pytest.raises(ValueError, match="dx of rnncourse and of PyTorch differ by nan"):
        cells.check_agreement(rivals)


def test_a_wrong_package_stops_the_measurement(monkeypatch):
    def wrong(cell, parameters, tape, d_hidden):
        gradients = bptt(cell, parameters, tape, d_hidden)
        return gradients._replace(
            parameters=gradients.parameters._replace(W=gradients.parameters.W * np.float32(1.001))
        )

    monkeypatch.setattr(cells, "bptt", wrong)
    monkeypatch.setattr(cells, "medians", lambda *given: pytest.fail("it was timed"))
    with pytest.raises(ValueError, match="dW of rnncourse"):
        cells.measure([TINY], rounds=1)


@pytest.mark.parametrize("name", cells.CELLS)
def test_the_bare_products_are_those_of_the_package(name, monkeypatch):
    """Counted: the floating-point operations of each."""
    shape, operations = TINY, []

    class Counting(np.ndarray):
        def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
            plain = [np.asarray(array) for array in inputs]
            if ufunc is np.matmul:
                operations.append(plain[0].shape[0] * plain[0].shape[1] * plain[1].shape[1])
            return np.asarray(getattr(ufunc, method)(*plain, **kwargs)).view(Counting)

        def dot(self, other):
            return self @ other

    given = cells.problem(name, shape)
    counted = given._replace(
        x=given.x.view(Counting), d_hidden=given.d_hidden.view(Counting), parameters=[*given.parameters[:4]]
    )
    cells.products(counted).both()
    T, B, D, H = shape
    wide = given.cell.gates * H
    assert sum(operations) == 3 * T * B * D * wide + 3 * T * B * H * wide  # U forward, for dU and for dx; W the same
    assert len(operations) == 2 * T + 4


@pytest.mark.parametrize("name", cells.CELLS)
def test_the_tape_takes_no_more_memory_than_what_pytorch_saves(name):
    given = cells.problem(name, TINY)
    sizes = cells.tape_bytes(given)
    tape = unroll(given.cell, given.parameters, given.x).tape
    arrays = [array for part in tape for array in (part if isinstance(part, tuple) else [part])]
    assert sizes["rnncourse"] == sum(a.nbytes for a in arrays if isinstance(a, np.ndarray) and not holds(given, a))
    assert given.x.nbytes < sizes["rnncourse"] <= sizes["PyTorch"]


def holds(given, array) -> bool:
    return any(array is parameter for parameter in given.parameters)


def test_medians_are_those_of_each_function(monkeypatch):
    now = [0.0]

    def takes(*seconds):
        left = [*seconds] * 100

        def function():
            now[0] += left.pop(0)

        return function

    monkeypatch.setattr(cells.time, "process_time", lambda: now[0])
    got = cells.medians({"even": takes(0.5), "odd": takes(9.0, 0.001, 0.002, 0.003)}, rounds=1)
    assert got["even"] == 500
    assert got["odd"] == pytest.approx(2.5)  # of 1, 2, 3 and 9000: the first call does not count


def test_a_whole_run_at_a_tiny_shape_has_the_rows_of_the_committed_one(monkeypatch):
    now = iter(range(10**6))
    monkeypatch.setattr(cells.time, "process_time", lambda: next(now))  # every call takes one second
    results = json.loads(json.dumps(cells.measure([TINY], rounds=1)))
    committed = json.loads(cells.RESULTS.read_text(encoding="utf-8"))
    assert shape_of(results) == shape_of(committed)
    assert results["versions"].keys() == committed["versions"].keys()
    assert len(cells.table(results).splitlines()) == 2 + 3 * 2
    for part, length in (("times", 6), ("memory", 3), ("affine", 1), ("begins", 1)):
        assert len(results[part]) == length
        of = [[row.get(key) for key in ("shape", "cell", "pass")] for row in committed[part]]
        shapes = [shape._asdict() for shape in cells.SHAPES]
        want = [[row.get(key) for key in ("shape", "cell", "pass")] for row in results[part]]
        assert of == [[shape, *rest] for shape in shapes for _, *rest in want]


def shape_of(value):
    """The skeleton: keys and types, one row for a list."""
    if isinstance(value, dict):
        return {key: shape_of(entry) for key, entry in value.items() if key != "versions"}
    return [shape_of(value[0])] if isinstance(value, list) else type(value)


def test_it_insists_on_one_thread(monkeypatch, capsys):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setattr(cells, "measure", lambda: pytest.fail("it measured"))
    assert cells.main() == 2
    assert "OMP_NUM_THREADS=1" in capsys.readouterr().err


def test_make_bench_runs_it():
    lines = subprocess.run(["make", "-n", "bench"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "OMP_NUM_THREADS=1" in lines
    assert "python -m benchmarks.cells" in lines
