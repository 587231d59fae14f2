"""Every labelled equation of the book is evaluated from its formula, number by number, and compared with the code.

The docstring of each function here is the formula it was written from: who changes one in the book has to change both.
"""

import ast
import inspect
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from rnncourse.cells import RNNCell
from rnncourse.check.recurrence import jordan_step
from rnncourse.unroll import Parameters, _hold, unroll

BOOK = Path(__file__).parents[2] / "book"
PAGES = [page.read_text(encoding="utf-8") for page in sorted(BOOK.glob("*.md"))]
CODE = re.compile(r"^```\{code-cell\} python\n(?::[^\n]*\n)*(.*?)^```", re.M | re.S)
MATH = re.compile(r"^[`:]{3,}\{math\}\n(.*?)^[`:]{3,}", re.M | re.S)
CELLS = [cell for page in PAGES for cell in CODE.findall(page)]
BLOCKS = [block for page in PAGES for block in MATH.findall(page)]
T, D, H, O = 3, 2, 4, 3


def defined(name: str) -> str:
    """The source of the one function or class of this name in the book, with its comments."""
    [source] = [
        "\n".join(cell.splitlines()[node.lineno - 1 : node.end_lineno])
        for cell in CELLS
        for node in ast.parse(cell).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name
    ]
    return source


def from_book(name: str, **known):
    """That function or class; `known` are the names that it uses."""
    exec(defined(name), known | {"np": np, "torch": torch}, known)
    return known[name]


def substitution_cell() -> str:
    [cell] = [cell for cell in CELLS if "# (substitution)" in cell]
    return cell


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


def sigmoid(row):
    return [1 / (1 + math.exp(-z)) for z in row]


def softmax(row):
    return [math.exp(z) / sum(math.exp(other) for other in row) for z in row]


def states(n):
    """Equation (elman-state), step by step."""
    h, all_states = list(n["h_0"]), []
    for x_t in n["x"]:
        h = tanh(plus(times(x_t, n["U"]), times(h, n["W"]), n["b"]))
        all_states.append(h)
    return all_states


def unrolled(n, **kwargs):
    parameters = Parameters(n["U"], n["W"], 0.25 * n["b"], 0.75 * n["b"])
    return unroll(RNNCell("tanh"), parameters, n["x"][None], (n["h_0"][None],), **kwargs).hidden[0]


def elman_state(n):
    r"""h_t = f(x_t U + h_{t-1} W + b)"""
    yield states(n), unrolled(n)
    yield states(n), from_book("elman")(**n)[0]


def elman_output(n):
    r"""o_t = g(h_t V + c)"""
    sums = [plus(times(h, n["V"]), n["c"]) for h in states(n)]
    yield sums, from_book("elman")(**n)[1]
    yield [sigmoid(row) for row in sums], from_book("elman")(**n, g=lambda z: 1 / (1 + np.exp(-z)))[1]


def substitution(n):
    r"""o_3 = g\bigl(f(x_3 U + f(x_2 U + f(x_1 U + h_0 W + b)\, W + b)\, W + b)\, V + c\bigr)"""
    elman, sizes = from_book("elman"), {"T": T, "D": D, "H": H, "O": O}
    chapter = n | sizes | {"np": np, "rng": np.random.default_rng(1), "elman": elman}
    exec(substitution_cell(), chapter)  # draws its own inputs
    for given, got in ((n, elman(**n)[1][-1]), (chapter, chapter["o_3"]), (chapter, chapter["outputs"][-1])):
        inner = given["h_0"]
        for x_t in given["x"]:  # from the inside out
            inner = tanh(plus(times(x_t, given["U"]), times(inner, given["W"]), given["b"]))
        yield plus(times(inner, given["V"]), given["c"]), got


def doubling(n):
    r"""h_3 = q_3 + 2 q_2 + 4 q_1 ."""
    elman, ones, zeros = from_book("elman"), np.ones((2, 2)), np.zeros(2)
    by_hand = from_book("by_hand", elman=elman, ones=ones, zeros=zeros, linear=lambda z: z)
    for x in (n["x"], np.array([(1.0, 1.0), (1.0, 1.0), (2.0, 2.0)])):
        q_1, q_2, q_3 = (row[0] + row[1] for row in x)
        h_3 = q_3 + 2 * q_2 + 4 * q_1
        yield [h_3] * 2, unroll(RNNCell("linear"), Parameters(ones, ones, zeros, zeros), x[None]).hidden[0, -1]
        yield [h_3 + h_3] * 2, by_hand(x)[-1]
    yield [(4, 4), (12, 12), (32, 32)], by_hand(x)  # the numbers in the text


def masked_state(n):
    r"""h_t = \begin{cases} f(x_t U + h_{t-1} W + b) & \text{if step } t \text{ is real} \\
    h_{t-1} & \text{if step } t \text{ is padding} \end{cases}"""
    for mask in ([True, False, True], [False, True, False], [False, False, False]):
        h, want = list(n["h_0"]), []
        for x_t, real in zip(n["x"], mask, strict=True):
            h = tanh(plus(times(x_t, n["U"]), times(h, n["W"]), n["b"])) if real else h
            want.append(h)
        yield want, unrolled(n, mask=np.array([mask]))


def jordan_state(n):
    r"""h_t = f(x_t U + o_{t-1} W + b), \qquad o_t = g(h_t V + c)"""
    rng = np.random.default_rng(1)
    o_0, W = rng.normal(size=O), rng.normal(size=(O, H))

    def step(x_t, o):
        h = tanh(plus(times(x_t, n["U"]), times(o, W), n["b"]))
        return h, plus(times(h, n["V"]), n["c"])

    got = jordan_step(n["x"][:1], o_0[None], n["U"], W, n["V"], n["b"], n["c"])
    yield from zip(step(n["x"][0], o_0), (got[0][0], got[1][0]), strict=True)

    # the chapter's class: characters instead of x, the first output says label 0, g is softmax
    jordan = from_book("Jordan", ALPHABET=D, K=O, small_weights=lambda U: None)(H).double()
    with torch.no_grad():
        numbers = {"U.weight": n["U"], "W.weight": W.T, "W.bias": n["b"], "V.weight": n["V"].T, "V.bias": n["c"]}
        jordan.load_state_dict({name: torch.tensor(array) for name, array in numbers.items()})
        text, labels, o = [1, 0, 1], [2, 1, 0], list(np.eye(O)[0])
        free, forced = [], []
        for t, character in enumerate(text):
            x_t = np.eye(D)[character]
            free.append(step(x_t, o)[1])
            o = softmax(free[-1])
            forced.append(step(x_t, np.eye(O)[labels[t - 1] if t else 0])[1])
        for want, given in ((free, None), (forced, torch.tensor([labels]))):
            yield want, in_float64(jordan, torch.tensor([text]), given)[0].numpy()


def in_float64(model, *args):
    """The class makes its own one-hot vectors, in the default type or by ``.float()``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "float", torch.Tensor.double)
        torch.set_default_dtype(torch.float64)
        try:
            return model(*args)
        finally:
            torch.set_default_dtype(torch.float32)


EQUATIONS = {
    "elman-state": elman_state,
    "elman-output": elman_output,
    "substitution": substitution,
    "doubling": doubling,
    "masked-state": masked_state,
    "jordan-state": jordan_state,
}


def formulas() -> list[tuple[str, str]]:
    """(label, formula) of every labelled equation of the book."""
    found = [
        (re.search(r"^:label:\s*(\S+)", block, re.M), re.sub(r"^:.*\n", "", block, flags=re.M)) for block in BLOCKS
    ]
    dollars = [match for page in PAGES for match in re.findall(r"\$\$([^$]+)\$\$ *\(([^)\s]+)\)", page)]
    return [(label[1], tex) for label, tex in found if label] + [(label, tex) for tex, label in dollars]


def test_every_labelled_equation_is_evaluated_here():
    assert sorted(label for label, _ in formulas()) == sorted(EQUATIONS)


@pytest.mark.parametrize("label", EQUATIONS)
def test_the_formula_in_the_book_is_the_one_evaluated_here(label):
    assert dict(formulas())[label].split() == inspect.getdoc(EQUATIONS[label]).split()


@pytest.mark.parametrize("label", EQUATIONS)
def test_the_equation_and_the_code_give_the_same_numbers(label, network):
    pairs = list(EQUATIONS[label](network))
    assert pairs
    for want, got in pairs:
        assert np.shape(want) == np.shape(got)
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("label", "source"),
    [
        ("elman-state", lambda: inspect.getsource(RNNCell)),
        ("elman-state", lambda: inspect.getsource(unroll)),
        ("elman-state", lambda: defined("elman")),
        ("elman-output", lambda: defined("elman")),
        ("substitution", substitution_cell),
        ("masked-state", lambda: inspect.getsource(unroll)),
        ("masked-state", lambda: inspect.getsource(_hold)),
        ("jordan-state", lambda: defined("Jordan")),
    ],
)
def test_the_code_names_the_equation_that_it_computes(label, source):
    assert f"({label})" in source()
