"""The equations of the chapter `deep-bidirectional`, number by number."""

import inspect

import numpy as np
from equations.tools import defined, from_book, plus, tanh, times

from rnncourse.cells import RNNCell
from rnncourse.check.deep_bidirectional import dropout, input_gradient, last_states, reverse_forward
from rnncourse.layers import bptt_layers, unroll_layers
from rnncourse.unroll import Parameters

T, D, H, O = 4, 2, 3, 2
CELL, CHAPTER = RNNCell("tanh"), "deep-bidirectional"
one_reader = from_book(CHAPTER, "one_reader")
shift = from_book(CHAPTER, "shift")


def triple(rng, size=D):
    """The weights U, W, b of one reader."""
    return tuple(rng.normal(size=shape) for shape in [(size, H), (H, H), (H,)])


def parameters(weights):
    U, W, b = weights
    return Parameters(U, W, 0.25 * b, 0.75 * b)


def network():
    rng = np.random.default_rng(0)
    V, V_right = rng.normal(size=(2, H, O))
    return {"x": rng.normal(size=(T, D)), "left": triple(rng), "right": triple(rng), "V": V, "V_right": V_right,
            "c": rng.normal(size=O)}  # fmt: skip


def read(x, weights, steps, mask=(True,) * T):
    """The states in the places of their steps: the recurrence of one reader, with padding."""
    U, W, b = weights
    h, states = [0.0] * H, [None] * T
    for t in steps:
        if mask[t]:
            h = tanh(plus(times(x[t], U), times(h, W), b))
        states[t] = h
    return states


def both(x, left, right):
    return read(x, left, range(T)), read(x, right, reversed(range(T)))


def bidirectional():
    r"""\begin{aligned}
    h_t &= f(x_t U + h_{t-1} W + b) \\
    h'_t &= f(x_t U' + h'_{t+1} W' + b') \\
    o_t &= g(h_t V + h'_t V' + c)
    \end{aligned}"""
    n = network()
    h, h_right = both(n["x"], n["left"], n["right"])
    outputs = [plus(times(h[t], n["V"]), times(h_right[t], n["V_right"]), n["c"]) for t in range(T)]
    yield outputs, from_book(CHAPTER, "two_readers", one_reader=one_reader)(**n)
    layers = [(parameters(n["left"]), parameters(n["right"]))]
    got = unroll_layers(CELL, layers, n["x"][None]).hidden[0]
    yield [[*a, *b] for a, b in zip(h, h_right, strict=True)], got
    yield outputs, got @ np.concatenate([n["V"], n["V_right"]]) + n["c"]


def fill_in():
    r"""o_t = g(h_{t-1} V + h'_{t+1} V' + c)"""
    n = network()
    h, h_right = both(n["x"], n["left"], n["right"])
    nothing = [0.0] * H  # h_0 and h'_{T+1}
    before, after = [nothing, *h[:-1]], [*h_right[1:], nothing]
    want = [plus(times(before[t], n["V"]), times(after[t], n["V_right"]), n["c"]) for t in range(T)]
    beside = from_book(CHAPTER, "beside", shift=shift)
    given = beside(np.concatenate([h, h_right], axis=1)[None], (1, -1))[0]
    yield want, given @ np.concatenate([n["V"], n["V_right"]]) + n["c"]


MASKS = ([True, True, False, False], [False, True, False, True], [False] * T)


def masked_right():
    r"""h'_t = \begin{cases} f(x_t U' + h'_{t+1} W' + b') & \text{if step } t \text{ is real} \\
    h'_{t+1} & \text{if step } t \text{ is padding} \end{cases}"""
    n = network()
    layers = [(parameters(n["left"]), parameters(n["right"]))]
    for mask in MASKS:
        want = read(n["x"], n["right"], reversed(range(T)), mask)
        real = np.array([mask])
        yield want, unroll_layers(CELL, layers, n["x"][None], mask=real).hidden[0, :, H:]
        yield want, reverse_forward(n["x"][None], np.zeros((1, H)), *n["right"], real)[0]


def states_at_the_ends():
    r"""s = [\,h_n,\; h'_1\,]"""
    n = network()
    summary = from_book(CHAPTER, "summary")
    layers = [(parameters(n["left"]), parameters(n["right"]))]
    for length in range(1, T + 1):
        mask = np.arange(T)[None] < length
        h, h_right = (read(n["x"], n[side], steps, mask[0]) for side, steps in
                      [("left", range(T)), ("right", reversed(range(T)))])  # fmt: skip
        run = unroll_layers(CELL, layers, n["x"][None], mask=mask)
        want = [*h[length - 1], *h_right[0]]
        yield want, summary(run.hidden, mask, ("last", "first"))[0]
        yield want, last_states(run.hidden, mask)[0]
        yield want, np.concatenate([state[0] for (state,) in run.states[-1]])


def stacked_state():
    r"""h^{(l)}_t = f\bigl(h^{(l-1)}_t U^{(l)} + h^{(l)}_{t-1} W^{(l)} + b^{(l)}\bigr), \qquad h^{(0)}_t = x_t"""
    rng = np.random.default_rng(1)
    x, layers = rng.normal(size=(T, D)), [triple(rng), triple(rng, H), triple(rng, H)]
    states = x
    for weights in layers:
        states = read(states, weights, range(T))
    yield states, from_book(CHAPTER, "stack", one_reader=one_reader)(x, layers)
    yield states, unroll_layers(CELL, [(parameters(weights),) for weights in layers], x[None]).hidden[0]


def deep(x, layers):
    """The states (T, 2 H) of the last of some bidirectional layers."""
    for left, right in layers:
        x = [[*h, *h_right] for h, h_right in zip(*both(x, left, right), strict=True)]
    return x


def bidirectional_layers():
    rng = np.random.default_rng(2)
    return rng.normal(size=(T, D)), [(triple(rng, size), triple(rng, size)) for size in (D, 2 * H, 2 * H)]


def packaged(layers):
    return [tuple(parameters(reader) for reader in layer) for layer in layers]


def between_layers():
    r"""x^{(l+1)}_t = [\,h^{(l)}_t,\; h'^{(l)}_t\,]"""
    x, layers = bidirectional_layers()
    for depth in (1, 2, 3):
        want = deep(x, layers[:depth])
        yield want, from_book(CHAPTER, "stack_of_two_readers", one_reader=one_reader)(x, layers[:depth])
        yield want, unroll_layers(CELL, packaged(layers[:depth]), x[None]).hidden[0]


def transposed(matrix):
    return list(zip(*matrix, strict=True))


def deltas_by_hand(states, e, W, order):
    """The recursion of (two-way-deltas); `order` is that in which gradients flow."""
    found, delta = [None] * T, [0.0] * H
    for t in order:
        arrived = plus(e[t], times(delta, transposed(W)))
        delta = [a * (1 - h * h) for a, h in zip(arrived, states[t], strict=True)]
        found[t] = delta
    return found


def one_layer():
    """A layer, what arrives from above, and its deltas by the formulas."""
    n, rng = network(), np.random.default_rng(3)
    e = rng.normal(size=(T, 2 * H))
    h, h_right = both(n["x"], n["left"], n["right"])
    delta = deltas_by_hand(h, e[:, :H], n["left"][1], reversed(range(T)))
    delta_right = deltas_by_hand(h_right, e[:, H:], n["right"][1], range(T))
    return n, e, (h, h_right), (delta, delta_right)


def gradients(layers, x, e):
    layers = packaged(layers)
    run = unroll_layers(CELL, layers, x[None])
    return bptt_layers(CELL, layers, run.tape, e[None])


def two_way_deltas():
    r"""\begin{aligned}
    \delta_t &= (e_t + \delta_{t+1} W^\top) \odot f'(z_t), & \delta_{T+1} &= 0 \\
    \delta'_t &= (e'_t + \delta'_{t-1} W'^\top) \odot f'(z'_t), & \delta'_0 &= 0
    \end{aligned}"""
    n, e, (h, h_right), (delta, delta_right) = one_layer()
    deltas = from_book(CHAPTER, "deltas")
    yield delta, deltas(np.array(h), e[:, :H], n["left"][1])
    yield delta_right, deltas(np.array(h_right)[::-1], e[::-1, H:], n["right"][1])[::-1]


def outer_sum(rows, columns):
    return [
        [sum(r[i] * c[j] for r, c in zip(rows, columns, strict=True)) for j in range(H)] for i in range(len(rows[0]))
    ]


def two_way_weights():
    r"""\frac{\partial L}{\partial U'} = \sum_t x_t^\top \delta'_t, \qquad
    \frac{\partial L}{\partial W'} = \sum_t h'^{\top}_{t+1} \delta'_t, \qquad
    \frac{\partial L}{\partial b'} = \sum_t \delta'_t"""
    n, e, (h, h_right), (delta, delta_right) = one_layer()
    nothing = [0.0] * H
    back = gradients([(n["left"], n["right"])], n["x"], e)
    for side, before, found in [
        (1, [*h_right[1:], nothing], delta_right),
        (0, [nothing, *h[:-1]], delta),  # "and likewise without primes"
    ]:
        got = back.layers[0][side]
        yield outer_sum(n["x"], found), got.U
        yield outer_sum(before, found), got.W
        for bias in (got.b_x, got.b_h):
            yield plus(*found), bias


def inputs_by_hand(n, deltas):
    U_T, U_right_T = transposed(n["left"][0]), transposed(n["right"][0])
    return [plus(times(a, U_T), times(b, U_right_T)) for a, b in zip(*deltas, strict=True)]


def gradient_from_book():
    known = {"one_reader": one_reader, "deltas": from_book(CHAPTER, "deltas")}
    return from_book(CHAPTER, "input_gradient", **known)


def two_way_input():
    r"""\frac{\partial L}{\partial x_t} = \delta_t U^\top + \delta'_t U'^\top"""
    n, e, states, deltas = one_layer()
    want = inputs_by_hand(n, deltas)
    yield want, gradient_from_book()(n["x"], e, n["left"], n["right"])
    yield want, gradients([(n["left"], n["right"])], n["x"], e).x[0]
    hidden = np.concatenate(states, axis=1)[None]
    yield want, input_gradient(e[None], hidden, n["left"], n["right"], np.ones((1, T), dtype=bool))[0]


def two_way_below():
    r"""\bigl[\, e^{(l)}_t,\; e'^{(l)}_t \,\bigr] = \frac{\partial L}{\partial x^{(l+1)}_t}"""
    x, layers = bidirectional_layers()
    e = np.random.default_rng(4).normal(size=(T, 2 * H))
    want = e
    for number in reversed(range(len(layers))):
        left, right = layers[number]
        below = deep(x, layers[:number])
        h, h_right = both(below, left, right)
        want = np.array(want)  # its halves are e and e' of this layer
        found = (
            deltas_by_hand(h, want[:, :H], left[1], reversed(range(T))),
            deltas_by_hand(h_right, want[:, H:], right[1], range(T)),
        )
        want = inputs_by_hand({"left": left, "right": right}, found)
    stacked = from_book(CHAPTER, "stack_of_two_readers", one_reader=one_reader)
    known = {"stack_of_two_readers": stacked, "input_gradient": gradient_from_book()}
    yield want, from_book(CHAPTER, "gradient_through", **known)(x, e, layers)
    yield want, gradients(layers, x, e).x[0]


def inverted_dropout():
    r"""\tilde h_t = \frac{m_t}{1 - p} \odot h_t, \qquad m_t \in \{0, 1\}^H, \quad P(m_{t,j} = 0) = p"""
    x, layers = bidirectional_layers()
    p, layers = 0.3, layers[:2]
    h = deep(x, layers[:1])
    m = np.random.default_rng(5).random((1, T, 2 * H))[0] >= p
    dropped = [[m[t, j] / (1 - p) * h[t][j] for j in range(2 * H)] for t in range(T)]
    yield dropped, dropout(np.array(h)[None], p, np.random.default_rng(5), train=True)[0]
    run = unroll_layers(CELL, packaged(layers), x[None], dropout=p, rng=np.random.default_rng(5))
    yield deep(dropped, layers[1:]), run.hidden[0]
    share = np.mean(np.random.default_rng(6).random(100_000) < p)  # what P means
    assert abs(share - p) < 0.01


def survival():
    r"""P(\text{alive after } k \text{ steps}) = (1 - p)^k"""
    units, steps = 20_000, 8
    for p in (0.1, 0.5):
        got = from_book(CHAPTER, "alive")(p, steps)
        rng = np.random.default_rng(0)
        kept = np.array([rng.random(units) >= p for _ in range(steps)])  # (steps, units)
        yield [kept[:k].all(axis=0).mean() for k in range(1, steps + 1)], got
        formula = [(1 - p) ** k for k in range(1, steps + 1)]
        assert np.abs(got - formula).max() < 5 * 0.5 / np.sqrt(units)  # five standard errors of a share


EQUATIONS = {
    "bidirectional": bidirectional,
    "fill-in": fill_in,
    "masked-right": masked_right,
    "last-states": states_at_the_ends,
    "stacked-state": stacked_state,
    "between-layers": between_layers,
    "two-way-deltas": two_way_deltas,
    "two-way-weights": two_way_weights,
    "two-way-input": two_way_input,
    "two-way-below": two_way_below,
    "inverted-dropout": inverted_dropout,
    "survival": survival,
}

IMPLEMENTED = [
    ("bidirectional", lambda: inspect.getsource(unroll_layers)),
    ("bidirectional", lambda: defined(CHAPTER, "two_readers")),
    ("fill-in", lambda: defined(CHAPTER, "beside")),
    ("masked-right", lambda: inspect.getsource(reverse_forward)),
    ("last-states", lambda: defined(CHAPTER, "summary")),
    ("last-states", lambda: inspect.getsource(last_states)),
    ("stacked-state", lambda: defined(CHAPTER, "stack")),
    ("between-layers", lambda: defined(CHAPTER, "stack_of_two_readers")),
    ("two-way-deltas", lambda: defined(CHAPTER, "deltas")),
    ("two-way-deltas", lambda: inspect.getsource(input_gradient)),
    ("two-way-input", lambda: defined(CHAPTER, "input_gradient")),
    ("two-way-input", lambda: inspect.getsource(input_gradient)),
    ("two-way-below", lambda: defined(CHAPTER, "gradient_through")),
    ("inverted-dropout", lambda: inspect.getsource(dropout)),
    ("survival", lambda: defined(CHAPTER, "alive")),
]
