"""Every labelled equation of the book is evaluated from its formula, number by number, and compared with the code."""

import math
import re
from pathlib import Path

import numpy as np
import pytest

from rnncourse.cells import RNNCell
from rnncourse.check.recurrence import jordan_step
from rnncourse.unroll import Parameters, unroll

BOOK = Path(__file__).parents[2] / "book"
CHAPTER = (BOOK / "recurrence.md").read_text(encoding="utf-8")
T, D, H, O = 3, 2, 4, 3


def cell_that(defines: str) -> dict:
    """The names that one code cell of the chapter defines."""
    [source] = [c for c in re.findall(r"```\{code-cell\} python\n(.*?)```", CHAPTER, re.S) if f"def {defines}(" in c]
    namespace = {"np": np}
    start = source.index(f"def {defines}(")
    exec(re.split(r"\n(?=\S)", source[start:])[0], namespace)
    return namespace


@pytest.fixture
def network():
    rng = np.random.default_rng(0)
    shapes = {"x": (T, D), "h_0": (H,), "U": (D, H), "W": (H, H), "b": (H,), "V": (H, O), "c": (O,)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def times(row, matrix):
    """A row times a matrix, as sums."""
    return [sum(row[i] * matrix[i][j] for i in range(len(row))) for j in range(len(matrix[0]))]


def plus(*rows):
    return [sum(numbers) for numbers in zip(*rows, strict=True)]


def tanh(row):
    return [math.tanh(z) for z in row]


def states(n, f=tanh):
    """Equation (elman-state), step by step."""
    h, all_states = list(n["h_0"]), []
    for x_t in n["x"]:
        h = f(plus(times(x_t, n["U"]), times(h, n["W"]), n["b"]))
        all_states.append(h)
    return all_states


def elman_state(n):
    want = states(n)
    parameters = Parameters(n["U"], n["W"], n["b"], np.zeros(H))
    yield want, unroll(RNNCell("tanh"), parameters, n["x"][None], (n["h_0"][None],)).hidden[0]
    yield want, cell_that("elman")["elman"](**n)[0]


def elman_output(n):
    want = [plus(times(h, n["V"]), n["c"]) for h in states(n)]
    yield want, cell_that("elman")["elman"](**n)[1]


def substitution(n):
    x_1, x_2, x_3 = n["x"]

    def f(x, inner):
        return tanh(plus(times(x, n["U"]), times(inner, n["W"]), n["b"]))

    o_3 = plus(times(f(x_3, f(x_2, f(x_1, n["h_0"]))), n["V"]), n["c"])
    yield o_3, cell_that("elman")["elman"](**n)[1][-1]


def doubling(n):
    x, ones = n["x"], np.ones((2, 2))
    q_1, q_2, q_3 = (row[0] + row[1] for row in x)
    linear = unroll(RNNCell("linear"), Parameters(ones, ones, np.zeros(2), np.zeros(2)), x[None])
    yield [q_3 + 2 * q_2 + 4 * q_1] * 2, linear.hidden[0, -1]


def masked_state(n):
    first = states(n)[0]
    want = [first, first, tanh(plus(times(n["x"][2], n["U"]), times(first, n["W"]), n["b"]))]
    parameters = Parameters(n["U"], n["W"], n["b"], np.zeros(H))
    mask = np.array([[True, False, True]])
    yield want, unroll(RNNCell("tanh"), parameters, n["x"][None], (n["h_0"][None],), mask).hidden[0]


def jordan_state(n):
    rng = np.random.default_rng(1)
    o_0, W = rng.normal(size=O), rng.normal(size=(O, H))
    h = tanh(plus(times(n["x"][0], n["U"]), times(o_0, W), n["b"]))
    o = plus(times(h, n["V"]), n["c"])
    got_h, got_o = jordan_step(n["x"][:1], o_0[None], n["U"], W, n["V"], n["b"], n["c"])
    yield h, got_h[0]
    yield o, got_o[0]


EQUATIONS = {
    "elman-state": elman_state,
    "elman-output": elman_output,
    "substitution": substitution,
    "doubling": doubling,
    "masked-state": masked_state,
    "jordan-state": jordan_state,
}


def test_every_labelled_equation_is_evaluated_here():
    labels = [label for page in BOOK.glob("*.md") for label in re.findall(r"^:label: (\S+)$", page.read_text(), re.M)]
    assert sorted(labels) == sorted(EQUATIONS)


@pytest.mark.parametrize("label", EQUATIONS)
def test_the_equation_and_the_code_give_the_same_numbers(label, network):
    pairs = list(EQUATIONS[label](network))
    assert pairs
    for want, got in pairs:
        np.testing.assert_allclose(got, want, atol=1e-12)


@pytest.mark.parametrize("label", sorted(EQUATIONS.keys() - {"doubling"}))
def test_the_code_names_the_equation_that_it_computes(label):
    package = "".join(path.read_text(encoding="utf-8") for path in (BOOK.parent / "rnncourse").rglob("*.py"))
    cells = "".join(re.findall(r"```\{code-cell\} python\n(.*?)```", CHAPTER, re.S))
    assert f"({label})" in package + cells
