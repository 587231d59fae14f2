"""The equations of the chapter `bptt`, number by number."""

import cmath
import inspect
import math
from typing import NamedTuple

import numpy as np
import torch
from equations.tools import defined, from_book, plus, softmax, tanh, times

from rnncourse.cells import RNNCell
from rnncourse.check.bptt import numerical_gradient, rnn_backward, rnn_step_backward
from rnncourse.gradcheck import complex_step, finite_differences
from rnncourse.losses import cross_entropy
from rnncourse.unroll import Parameters, _collect, bptt, unroll

T, D, H, O = 4, 2, 3, 5
NET = ("U", "W", "b", "V", "c", "h_0")
LABELS = [2, 0, 4, 2]
CELL = RNNCell("tanh")


# --- The network and its formulas, in plain Python ------------------------------------------------------------


def network():
    rng = np.random.default_rng(0)
    shapes = {"x": (T, D), "h_0": (H,), "U": (D, H), "W": (H, H), "b": (H,), "V": (H, O), "c": (O,)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def turned(matrix):
    return [list(column) for column in zip(*matrix, strict=True)]


def outer(column, row):
    return [[i * j for j in row] for i in column]


def added(*arrays):
    """The sum of matrices."""
    return [plus(*rows) for rows in zip(*arrays, strict=True)]


def slope(h):
    """f'(z) of tanh, from h = tanh(z)."""
    return [1 - h_j * h_j for h_j in h]


def entrywise(row, other):
    return [i * j for i, j in zip(row, other, strict=True)]


def states(n):
    """h_0 to h_T."""
    h = [list(n["h_0"])]
    for x_t in n["x"]:
        h.append(tanh(plus(times(x_t, n["U"]), times(h[-1], n["W"]), n["b"])))
    return h


def outputs(n):
    return [softmax(plus(times(h, n["V"]), n["c"])) for h in states(n)[1:]]


def errors(n):
    """e_1 to e_T."""
    return [plus(o, [-(k == y) for k in range(O)]) for o, y in zip(outputs(n), LABELS, strict=True)]


def from_output(n):
    """e_t V^T for all steps."""
    return [times(e, turned(n["V"])) for e in errors(n)]


def deltas(n):
    delta, found = [0.0] * H, []
    for h, from_above in reversed(list(zip(states(n)[1:], from_output(n), strict=True))):
        delta = entrywise(plus(from_above, times(delta, turned(n["W"]))), slope(h))
        found.insert(0, delta)
    return found


def step_jacobian(h, W):
    """Row j, column i."""
    return [[s * W[i][j] for i in range(H)] for j, s in enumerate(slope(h))]


def jacobian_product(n, t, k):
    h, product = states(n), [[float(i == j) for i in range(H)] for j in range(H)]
    for step in range(t, k, -1):
        product = [times(row, step_jacobian(h[step], n["W"])) for row in product]
    return product


# --- The code: the chapter's, the package's, PyTorch's --------------------------------------------------------


def net(n):
    return from_book("bptt", "Net", NamedTuple=NamedTuple)(*(n[name] for name in NET))


def book(name, **known):
    return from_book("bptt", name, **known)


def by_book(n):
    """The chapter's gradients, by name."""
    Net, x = type(net(n)), n["x"]
    h, a = book("forward")(x, net(n))
    _, e = book("loss_and_error")(a, LABELS)
    return book("backward", Net=Net)(x, h, e, net(n))._asdict()


def by_package(n):
    """The same from `unroll` and `bptt`, where V and c have no part."""
    parameters = Parameters(n["U"], n["W"], 0.25 * n["b"], 0.75 * n["b"])
    run = unroll(CELL, parameters, n["x"][None], (n["h_0"][None],))
    _, e = cross_entropy(run.hidden @ n["V"] + n["c"], np.array([LABELS]))
    found = bptt(CELL, parameters, run.tape, T * e @ n["V"].T)
    weights = found.parameters
    np.testing.assert_array_equal(weights.b_x, weights.b_h)  # each has the gradient of their sum
    return {"U": weights.U, "W": weights.W, "b": weights.b_x, "h_0": found.state[0][0], "x": found.x[0]}


def by_torch(n, only=None):
    """What automatic differentiation says, also of all z, h and a; of one step's loss with `only`."""
    leaf = {name: torch.tensor(array, requires_grad=True) for name, array in n.items()}
    seen, losses, h = {"z": [], "h": [], "a": []}, [], leaf["h_0"]
    for t, label in enumerate(LABELS):
        z = leaf["x"][t] @ leaf["U"] + h @ leaf["W"] + leaf["b"]
        h = torch.tanh(z)
        a = h @ leaf["V"] + leaf["c"]
        losses.append(torch.logsumexp(a, 0) - a[label])
        for name, value in (("z", z), ("h", h), ("a", a)):
            value.retain_grad()
            seen[name].append(value)
    loss = sum(losses) if only is None else losses[only - 1]
    loss.backward()
    found = {name: array.grad.numpy() for name, array in leaf.items() if array.grad is not None}
    if only is None:
        found |= {name: [value.grad.numpy() for value in values] for name, values in seen.items()}
    return found | {"loss": loss.item()}


def all_three(n, name, want):
    """The formula against the chapter, the package and autograd, as far as they have this gradient."""
    for found in (by_book(n), by_package(n), by_torch(n)):
        if name in found:
            yield want, found[name]


# --- The equations --------------------------------------------------------------------------------------------


def loss_sum():
    r"""L = \sum_{t=1}^{T} L_t, \qquad L_t = -\ln o_{t, y_t}"""
    n = network()
    loss = sum(-math.log(o[y]) for o, y in zip(outputs(n), LABELS, strict=True))
    a = book("forward")(n["x"], net(n))[1]
    yield loss, book("loss_and_error")(a, LABELS)[0]
    yield loss, T * cross_entropy(a[None], np.array([LABELS]))[0]
    yield loss, by_torch(n)["loss"]


def output_error():
    r"""e_t = \frac{\partial L}{\partial a_t} = o_t - \operatorname{onehot}(y_t)"""
    n = network()
    a = book("forward")(n["x"], net(n))[1]
    yield errors(n), book("loss_and_error")(a, LABELS)[1]
    yield errors(n), T * cross_entropy(a[None], np.array([LABELS]))[1][0]
    yield errors(n), by_torch(n)["a"]


def bptt_V():
    r"""\frac{\partial L}{\partial V} = \sum_{t=1}^{T} h_t^\top e_t, \qquad
    \frac{\partial L}{\partial c} = \sum_{t=1}^{T} e_t"""
    n = network()
    shares = [outer(h, e) for h, e in zip(states(n)[1:], errors(n), strict=True)]
    yield from all_three(n, "V", added(*shares))
    yield from all_three(n, "c", plus(*errors(n)))


def bptt_sensitivity():
    r"""\begin{aligned}
    \frac{\partial z_{t,j}}{\partial W_{mn}} &= h_{t-1,m}\, [j = n] + \sum_{i=1}^{H} \frac{\partial h_{t-1,i}}{\partial W_{mn}}\, W_{ij} \\
    \frac{\partial h_{t,i}}{\partial W_{mn}} &= f'(z_{t,i})\, \frac{\partial z_{t,i}}{\partial W_{mn}}, \qquad \frac{\partial h_{0,i}}{\partial W_{mn}} = 0
    \end{aligned}"""  # noqa: E501
    n = network()
    h, W, d_W = states(n), n["W"], np.zeros((H, H))
    for to in range(H):
        for from_ in range(H):
            d_h = [0.0] * H
            for t in range(1, T + 1):
                d_z = [h[t - 1][from_] * (j == to) + sum(d_h[i] * W[i][j] for i in range(H)) for j in range(H)]
                d_h = entrywise(slope(h[t]), d_z)
                d_W[from_, to] += sum(entrywise(from_output(n)[t - 1], d_h))
            weight = torch.tensor(W, requires_grad=True)
            state = torch.tensor(n["h_0"])
            for x_t in n["x"]:
                z = torch.tensor(x_t @ n["U"] + n["b"]) + state @ weight
                state = torch.tanh(z)
            yield d_z, [torch.autograd.grad(z_j, weight, retain_graph=True)[0][from_, to] for z_j in z]
    carried = book("carried_along", loss_and_error=book("loss_and_error"))
    yield d_W, carried(n["x"], LABELS, net(n))
    yield from all_three(n, "W", d_W)


def bptt_jacobian():
    r"""\frac{\partial h_t}{\partial h_{t-1}} = \operatorname{diag}(f'(z_t))\, W^\top"""
    n = network()
    h, (x, U, W, b) = states(n), (torch.tensor(n[name]) for name in ("x", "U", "W", "b"))
    for t in range(1, T + 1):
        want = step_jacobian(h[t], n["W"])
        yield want, book("jacobian")(np.array(h[t]), n["W"])
        old = torch.tensor(h[t - 1], dtype=torch.float64)
        yield want, torch.autograd.functional.jacobian(lambda old, t=t: torch.tanh(x[t - 1] @ U + old @ W + b), old)


def bptt_product():
    r"""\begin{aligned}
    \frac{\partial h_t}{\partial h_k} &= \frac{\partial h_t}{\partial h_{t-1}}\, \frac{\partial h_{t-1}}{\partial h_{t-2}} \cdots \frac{\partial h_{k+1}}{\partial h_k} \\
    &= \operatorname{diag}(f'(z_t))\, W^\top \operatorname{diag}(f'(z_{t-1}))\, W^\top \cdots \operatorname{diag}(f'(z_{k+1}))\, W^\top
    \end{aligned}"""  # noqa: E501
    n = network()
    parameters, h = Parameters(n["U"], n["W"], n["b"], 0 * n["b"]), states(n)
    for t, k in ((4, 1), (3, 1), (4, 3), (2, 0)):
        x, unit = np.repeat(n["x"][None, k:t], H, axis=0), np.eye(H)  # one example for each unit of h_t
        tape = unroll(CELL, parameters, x, (np.array([h[k]] * H),)).tape
        rows = bptt(CELL, parameters, tape, np.zeros((H, t - k, H)), (unit,)).state[0]
        yield jacobian_product(n, t, k), rows
        code = book("jacobian")
        one_by_one = unit
        for step in range(t, k, -1):
            one_by_one = one_by_one @ code(np.array(h[step]), n["W"])
        yield jacobian_product(n, t, k), one_by_one


def bptt_paths():
    r"""\frac{\partial L_t}{\partial W} = \sum_{k=1}^{t} h_{k-1}^\top
    \Bigl[ \Bigl( e_t V^\top \frac{\partial h_t}{\partial h_k} \Bigr) \odot f'(z_k) \Bigr]"""
    n = network()
    h = states(n)
    for t in range(1, T + 1):
        rows = [times(from_output(n)[t - 1], jacobian_product(n, t, k)) for k in range(1, t + 1)]
        terms = [outer(h[k - 1], entrywise(row, slope(h[k]))) for k, row in enumerate(rows, start=1)]
        e_t = np.array(errors(n)[t - 1])
        yield terms, book("paths", jacobian=book("jacobian"))(t, np.array(h), e_t, net(n))
        yield added(*terms), by_torch(n, only=t)["W"]


def bptt_delta():
    r"""\delta_t = \bigl( e_t V^\top + \delta_{t+1} W^\top \bigr) \odot f'(z_t), \qquad \delta_{T+1} = 0"""
    n = network()
    want = deltas(n)
    yield want, by_torch(n)["z"]
    identity = np.eye(H)  # with U = 1 the gradient of the input is that of the sum
    z = n["x"] @ n["U"]
    run = unroll(CELL, Parameters(identity, n["W"], n["b"], 0 * n["b"]), z[None], (n["h_0"][None],))
    d_hidden = np.array([from_output(n)])
    yield want, bptt(CELL, Parameters(identity, n["W"], n["b"], 0 * n["b"]), run.tape, d_hidden).x[0]
    x, mask = z[None], np.ones((1, T), bool)
    yield want, rnn_backward(d_hidden, x, n["h_0"][None], run.hidden, identity, n["W"], mask)[0][0]
    # the chapter's loop over a sequence of one step: d_b is its only delta
    h, e = np.array(states(n)), np.array(errors(n))
    last = book("backward", Net=type(net(n)))(n["x"][-1:], h[-2:], e[-1:], net(n))
    yield want[-1], last.b


def bptt_U():
    r"""\frac{\partial L}{\partial U} = \sum_{t=1}^{T} x_t^\top \delta_t"""
    n = network()
    yield from all_three(n, "U", added(*(outer(x, d) for x, d in zip(n["x"], deltas(n), strict=True))))


def bptt_W():
    r"""\frac{\partial L}{\partial W} = \sum_{t=1}^{T} h_{t-1}^\top \delta_t"""
    n = network()
    yield from all_three(n, "W", added(*(outer(h, d) for h, d in zip(states(n)[:-1], deltas(n), strict=True))))


def bptt_b():
    r"""\frac{\partial L}{\partial b} = \sum_{t=1}^{T} \delta_t"""
    n = network()
    yield from all_three(n, "b", plus(*deltas(n)))


def bptt_first():
    r"""\frac{\partial L}{\partial h_0} = \delta_1 W^\top"""
    n = network()
    yield from all_three(n, "h_0", times(deltas(n)[0], turned(n["W"])))


def bptt_input():
    r"""\frac{\partial L}{\partial x_t} = \delta_t U^\top"""
    n = network()
    want = [times(delta, turned(n["U"])) for delta in deltas(n)]
    yield from all_three(n, "x", want)
    h, d_h = np.array(states(n)), np.array([from_output(n)[-1]])
    yield [want[-1]], rnn_step_backward(d_h, n["x"][-1:], h[-2:-1], h[-1:], n["U"], n["W"])[0]


def bptt_mask():
    r"""\frac{\partial L}{\partial h_{t-1}} = \begin{cases} e_{t-1} V^\top + \delta_t W^\top & \text{if step } t \text{ is real} \\
    e_{t-1} V^\top + \dfrac{\partial L}{\partial h_t} & \text{if step } t \text{ is padding} \end{cases}"""  # noqa: E501
    n = network()
    parameters = Parameters(n["U"], n["W"], n["b"], 0 * n["b"])
    d_hidden = np.array([from_output(n)])  # any numbers do: they stand for e_t V^T
    for mask in ([True, False, True, True], [False, False, True, False], [False] * 4):
        given = n["x"][None], (n["h_0"][None],), np.array([mask])
        run = unroll(CELL, parameters, *given)
        h = [list(n["h_0"]), *run.hidden[0].tolist()]
        d_h, want = list(d_hidden[0, -1]), []  # of the last state
        for t in range(T, 0, -1):
            delta = entrywise(d_h, slope(h[t]))
            own = d_hidden[0, t - 2] if t > 1 else [0.0] * H
            d_h = plus(own, times(delta, turned(n["W"])) if mask[t - 1] else d_h)
            want.insert(0, d_h)
        yield [want[0]], bptt(CELL, parameters, run.tape, d_hidden).state[0]
        ones = rnn_backward(d_hidden, n["x"][None], n["h_0"][None], run.hidden, n["U"], n["W"], np.array([mask]))
        yield [want[0]], ones[1]
        for t in range(2, T + 1):  # the same from every later state on
            later = unroll(CELL, parameters, n["x"][None, t - 1 :], (np.array([h[t - 1]]),), np.array([mask[t - 1 :]]))
            rest = bptt(CELL, parameters, later.tape, d_hidden[:, t - 1 :]).state[0]
            yield [want[t - 1]], rest + d_hidden[:, t - 2]
        leaf = {name: torch.tensor(n[name], requires_grad=True) for name in ("h_0", "U", "W", "b")}
        state, loss = leaf["h_0"], 0.0
        for t, real in enumerate(mask):
            new = torch.tanh(torch.tensor(n["x"][t]) @ leaf["U"] + state @ leaf["W"] + leaf["b"])
            state = new if real else state
            loss = loss + (state * torch.tensor(d_hidden[0, t])).sum()
        loss.backward()
        yield want[0], leaf["h_0"].grad


def central_differences():
    r"""\frac{\partial L}{\partial \theta} \approx \frac{L(\theta + \epsilon) - L(\theta - \epsilon)}{2 \epsilon}"""
    epsilon = 2.0**-18  # then 0.5 ± ε has no rounding
    for L in (math.sin, math.exp, lambda theta: theta**3):
        for theta in (0.5, -1.25, 3.0):
            want = (L(theta + epsilon) - L(theta - epsilon)) / (2 * epsilon)
            for code in (finite_differences, numerical_gradient):
                [got] = code(lambda array, L=L: L(array[0]), np.array([theta]), epsilon)
                yield want, got
    yield 2 * 0.5, finite_differences(lambda array: array[0] ** 2, np.array([0.5]), epsilon)[0]  # exact for squares


def imaginary_step():
    r"""\frac{\partial L}{\partial \theta} \approx \frac{\operatorname{Im} L(\theta + i \epsilon)}{\epsilon}"""
    epsilon = 1e-30
    for L, derivative in ((cmath.sin, cmath.cos), (cmath.exp, cmath.exp), (lambda z: z**3, lambda z: 3 * z**2)):
        for theta in (0.5, -1.25, 3.0):
            want = L(theta + 1j * epsilon).imag / epsilon
            [got] = complex_step(lambda array, L=L: L(array[0]), np.array([theta]))
            yield want, got
            yield derivative(theta).real, got


EQUATIONS = {
    "loss-sum": loss_sum,
    "output-error": output_error,
    "bptt-V": bptt_V,
    "bptt-sensitivity": bptt_sensitivity,
    "bptt-jacobian": bptt_jacobian,
    "bptt-product": bptt_product,
    "bptt-paths": bptt_paths,
    "bptt-delta": bptt_delta,
    "bptt-U": bptt_U,
    "bptt-W": bptt_W,
    "bptt-b": bptt_b,
    "bptt-first": bptt_first,
    "bptt-input": bptt_input,
    "bptt-mask": bptt_mask,
    "finite-differences": central_differences,
    "complex-step": imaginary_step,
}

IMPLEMENTED = [
    ("loss-sum", lambda: inspect.getsource(cross_entropy)),
    ("loss-sum", lambda: defined("bptt", "loss_and_error")),
    ("output-error", lambda: inspect.getsource(cross_entropy)),
    ("output-error", lambda: defined("bptt", "loss_and_error")),
    ("bptt-V", lambda: defined("bptt", "backward")),
    ("bptt-V", lambda: defined("bptt", "update")),
    ("bptt-sensitivity", lambda: defined("bptt", "carried_along")),
    ("bptt-jacobian", lambda: defined("bptt", "jacobian")),
    ("bptt-product", lambda: defined("bptt", "paths")),
    ("bptt-paths", lambda: defined("bptt", "paths")),
    ("bptt-delta", lambda: defined("bptt", "backward")),
    ("bptt-delta", lambda: inspect.getsource(bptt)),
    ("bptt-delta", lambda: inspect.getsource(rnn_backward)),
    ("bptt-U", lambda: defined("bptt", "backward")),
    ("bptt-U", lambda: inspect.getsource(_collect)),
    ("bptt-W", lambda: defined("bptt", "backward")),
    ("bptt-b", lambda: defined("bptt", "backward")),
    ("bptt-b", lambda: inspect.getsource(_collect)),
    ("bptt-first", lambda: defined("bptt", "backward")),
    ("bptt-first", lambda: inspect.getsource(bptt)),
    ("bptt-input", lambda: inspect.getsource(rnn_step_backward)),
    ("bptt-mask", lambda: inspect.getsource(rnn_backward)),
    ("finite-differences", lambda: inspect.getsource(finite_differences)),
    ("complex-step", lambda: inspect.getsource(complex_step)),
]
