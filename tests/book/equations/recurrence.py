"""The equations of the chapter `recurrence`, number by number."""

import inspect

import numpy as np
import pytest
import torch
from equations.tools import code_cells, defined, from_book, plus, sigmoid, softmax, tanh, times

from rnncourse.cells import RNNCell
from rnncourse.check.recurrence import jordan_step
from rnncourse.unroll import Parameters, _hold, unroll

T, D, H, O = 3, 2, 4, 3


def network():
    rng = np.random.default_rng(0)
    shapes = {"x": (T, D), "h_0": (H,), "U": (D, H), "W": (H, H), "b": (H,), "V": (H, O), "c": (O,)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def substitution_cell() -> str:
    [cell] = [cell for cell in code_cells("recurrence") if "# (substitution)" in cell]
    return cell


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


def elman_state():
    r"""h_t = f(x_t U + h_{t-1} W + b)"""
    n = network()
    yield states(n), unrolled(n)
    yield states(n), from_book("recurrence", "elman")(**n)[0]


def elman_output():
    r"""o_t = g(h_t V + c)"""
    n = network()
    sums = [plus(times(h, n["V"]), n["c"]) for h in states(n)]
    yield sums, from_book("recurrence", "elman")(**n)[1]
    yield [sigmoid(row) for row in sums], from_book("recurrence", "elman")(**n, g=lambda z: 1 / (1 + np.exp(-z)))[1]


def substitution():
    r"""o_3 = g\bigl(f(x_3 U + f(x_2 U + f(x_1 U + h_0 W + b)\, W + b)\, W + b)\, V + c\bigr)"""
    n = network()
    elman, sizes = from_book("recurrence", "elman"), {"T": T, "D": D, "H": H, "O": O}
    chapter = n | sizes | {"np": np, "rng": np.random.default_rng(1), "elman": elman}
    exec(substitution_cell(), chapter)  # draws its own inputs
    for given, got in ((n, elman(**n)[1][-1]), (chapter, chapter["o_3"]), (chapter, chapter["outputs"][-1])):
        inner = given["h_0"]
        for x_t in given["x"]:  # from the inside out
            inner = tanh(plus(times(x_t, given["U"]), times(inner, given["W"]), given["b"]))
        yield plus(times(inner, given["V"]), given["c"]), got


def doubling():
    r"""h_3 = q_3 + 2 q_2 + 4 q_1 ."""
    n = network()
    elman, ones, zeros = from_book("recurrence", "elman"), np.ones((2, 2)), np.zeros(2)
    by_hand = from_book("recurrence", "by_hand", elman=elman, ones=ones, zeros=zeros, linear=lambda z: z)
    for x in (n["x"], np.array([(1.0, 1.0), (1.0, 1.0), (2.0, 2.0)])):
        q_1, q_2, q_3 = (row[0] + row[1] for row in x)
        h_3 = q_3 + 2 * q_2 + 4 * q_1
        yield [h_3] * 2, unroll(RNNCell("linear"), Parameters(ones, ones, zeros, zeros), x[None]).hidden[0, -1]
        yield [h_3 + h_3] * 2, by_hand(x)[-1]
    yield [(4, 4), (12, 12), (32, 32)], by_hand(x)  # the numbers in the text


def masked_state():
    r"""h_t = \begin{cases} f(x_t U + h_{t-1} W + b) & \text{if step } t \text{ is real} \\
    h_{t-1} & \text{if step } t \text{ is padding} \end{cases}"""
    n = network()
    for mask in ([True, False, True], [False, True, False], [False, False, False]):
        h, want = list(n["h_0"]), []
        for x_t, real in zip(n["x"], mask, strict=True):
            h = tanh(plus(times(x_t, n["U"]), times(h, n["W"]), n["b"])) if real else h
            want.append(h)
        yield want, unrolled(n, mask=np.array([mask]))


def jordan_state():
    r"""h_t = f(x_t U + o_{t-1} W + b), \qquad o_t = g(h_t V + c)"""
    n = network()
    rng = np.random.default_rng(1)
    o_0, W = rng.normal(size=O), rng.normal(size=(O, H))

    def step(x_t, o):
        h = tanh(plus(times(x_t, n["U"]), times(o, W), n["b"]))
        return h, plus(times(h, n["V"]), n["c"])

    got = jordan_step(n["x"][:1], o_0[None], n["U"], W, n["V"], n["b"], n["c"])
    yield from zip(step(n["x"][0], o_0), (got[0][0], got[1][0]), strict=True)

    # the chapter's class: characters instead of x, the first output says label 0, g is softmax
    jordan = from_book("recurrence", "Jordan", ALPHABET=D, K=O, small_weights=lambda U: None)(H).double()
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

IMPLEMENTED = [
    ("elman-state", lambda: inspect.getsource(RNNCell)),
    ("elman-state", lambda: inspect.getsource(unroll)),
    ("elman-state", lambda: defined("recurrence", "elman")),
    ("elman-output", lambda: defined("recurrence", "elman")),
    ("substitution", substitution_cell),
    ("masked-state", lambda: inspect.getsource(unroll)),
    ("masked-state", lambda: inspect.getsource(_hold)),
    ("jordan-state", lambda: defined("recurrence", "Jordan")),
]
