"""The equations of the chapter `gradients`, number by number."""

import cmath
import inspect
import itertools
import math
from dataclasses import dataclass

import numpy as np
from equations.tools import code_cells, defined, from_book, plus, tanh, times

from rnncourse import optim
from rnncourse.cells import Cell, RNNCell
from rnncourse.cells.activations import RELU, SIGMOID, TANH
from rnncourse.check.gradients import TASKS
from rnncourse.unroll import Parameters, bptt, unroll

T, D, H = 4, 3, 2
ANSWERS = {task.name: task for task in TASKS}


def network(seed=0, **more):
    rng = np.random.default_rng(seed)
    shapes = {"x": (T, D), "h_0": (H,), "U": (D, H), "W": (H, H), "b": (H,)} | more
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def parameters(n, inner=None):
    return Parameters(n["U"], n["W"], 0.25 * n["b"], 0.75 * n["b"], inner)


def sums(n, t, h):
    return plus(times(n["x"][t], n["U"]), times(h, n["W"]), n["b"])


def states(n):
    """Of a tanh network that starts from 0, as the chapter's does."""
    h, found = [0.0] * H, []
    for t in range(T):
        h = tanh(sums(n, t, h))
        found.append(h)
    return found


def transposed(matrix):
    return [list(column) for column in zip(*matrix, strict=True)]


def product(*matrices):
    result = matrices[0]
    for matrix in matrices[1:]:
        result = [times(row, matrix) for row in result]
    return result


def diag(row):
    return [[value if i == j else 0.0 for j in range(len(row))] for i, value in enumerate(row)]


def sigma_max(matrix):
    """Of a 2 by 2 matrix: the root of the larger root of z^2 - (sum of squares) z + det^2."""
    (a, b), (c, d) = matrix
    squares, det = a * a + b * b + c * c + d * d, a * d - b * c
    return math.sqrt((squares + math.sqrt(squares**2 - 4 * det**2)) / 2)


def rho(matrix):
    """Of a 2 by 2 matrix: the larger absolute value of a root of z^2 - trace z + det."""
    (a, b), (c, d) = matrix
    root = cmath.sqrt((a + d) ** 2 - 4 * (a * d - b * c))
    return max(abs((a + d + root) / 2), abs((a + d - root) / 2))


def power(matrix, exponent):
    return product(*[matrix] * exponent)


def cell_with(text):
    [cell] = [cell for cell in code_cells("gradients") if text in cell]
    return cell


def of_book(name, **known):
    """A class of the chapter with its decorator, which `defined` leaves out."""
    return dataclass(frozen=True, eq=False)(from_book("gradients", name, Cell=Cell, **known))


def scalar_power():
    r"""h_T = w^T h_0, \qquad \frac{\partial h_T}{\partial h_0} = w^T, \qquad
    \frac{\partial h_T}{\partial w} = T\, w^{T-1} h_0"""
    for w, h_0, steps in ((1.01, 1.0, 40), (0.99, -2.0, 40), (0.5, 3.0, 7), (-1.0, 1.0, 5)):
        nothing, start, one = np.zeros((1, 1)), np.array([[h_0]]), np.ones((1, 1))
        params = Parameters(nothing, np.array([[w]]), np.zeros(1), np.zeros(1))
        run = unroll(RNNCell("linear"), params, np.zeros((1, steps, 1)), (start,))
        gradients = bptt(RNNCell("linear"), params, run.tape, np.zeros((1, steps, 1)), (one,))
        yield w**steps * h_0, run.state[0].item()
        yield w**steps, gradients.state[0].item()
        yield steps * w ** (steps - 1) * h_0, gradients.parameters.W.item()


def state_jacobian():
    r"""\frac{\partial h_T}{\partial h_0} = D_T W^\top\, D_{T-1} W^\top \cdots D_1 W^\top"""
    n = network()
    slopes = [diag([1 - value**2 for value in h]) for h in states(n)]
    want = product(*itertools.chain(*((D_t, transposed(n["W"])) for D_t in reversed(slopes))))
    known = {"unroll": unroll, "bptt": bptt}
    yield want, from_book("gradients", "state_jacobian", **known)(RNNCell("tanh"), parameters(n), n["x"])
    yield want, ANSWERS["jacobian_product"].answer()(np.array(states(n)), n["W"])
    slope = [[1.0, 0.0], [0.0, 0.0]]  # ReLU: one unit on, one off
    x, h, eye = np.array([[1.0, -1.0]]), np.array([[0.5, 0.5]]), np.eye(2)
    yield [product(slope, transposed(n["W"]))], ANSWERS["irnn_step"].answer()(x, h, eye, n["W"], -h[0] @ n["W"])[1]


def pull_back():
    r"""g_{t-1} = \bigl(g_t \odot f'(z_t)\bigr)\, W^\top"""
    n = network(g=(H,), slope=(H,))
    want = times([g * s for g, s in zip(n["g"], n["slope"], strict=True)], transposed(n["W"]))
    yield want, from_book("gradients", "pull_back")(n["g"], n["slope"], n["W"])

    one = {name: array[:1] if name == "x" else array for name, array in n.items()}  # one step, in the package
    for name, activation in (("tanh", TANH), ("relu", RELU)):
        run = unroll(RNNCell(name), parameters(n), one["x"][None], (n["h_0"][None],))
        slope = activation.slope(np.array(run.hidden[0, 0]))
        want = times([g * s for g, s in zip(n["g"], slope, strict=True)], transposed(n["W"]))
        yield want, bptt(RNNCell(name), parameters(n), run.tape, n["g"][None, None]).state[0][0]


def norm_bound():
    r"""\Bigl\lVert \frac{\partial h_T}{\partial h_0} \Bigr\rVert
    \le \prod_{t=1}^{T} \lVert D_t \rVert\, \lVert W^\top \rVert
    \le \bigl(\gamma\, \sigma_{\max}(W)\bigr)^T"""
    known = {"unroll": unroll, "bptt": bptt}
    norm = from_book("gradients", "norm")
    for seed in range(5):
        n = network(seed)
        jacobian = from_book("gradients", "state_jacobian", **known)(RNNCell("tanh"), parameters(n), n["x"])
        slopes = [diag([1 - value**2 for value in h]) for h in states(n)]
        between = math.prod(sigma_max(D_t) * sigma_max(transposed(n["W"])) for D_t in slopes)
        yield sigma_max(n["W"]), norm(n["W"])
        yield sigma_max(n["W"]), ANSWERS["growth"].answer()(n["W"])[1]
        yield 0.0, max(0.0, norm(jacobian) - between)
        yield 0.0, max(0.0, between - norm(n["W"]) ** T)  # γ = 1
    turn = np.array([[0.6, 0.8], [-0.8, 0.6]])  # at the states 0 both bounds are reached
    yield 1.0, norm(ANSWERS["jacobian_product"].answer()(np.zeros((T, 2)), turn))


def power_bounds():
    r"""\rho(W)^T \le \lVert W^T \rVert \le \sigma_{\max}(W)^T"""
    norm, radius = from_book("gradients", "norm"), from_book("gradients", "radius")
    for seed in range(5):
        W = network(seed)["W"]
        yield rho(W), radius(W)
        yield rho(W), ANSWERS["growth"].answer()(W)[0]
        for exponent in (1, 2, 5):
            here = norm(np.linalg.matrix_power(W, exponent))
            yield here, sigma_max(power(W, exponent))
            yield 0.0, max(0.0, radius(W) ** exponent - here - 1e-13)
            yield 0.0, max(0.0, here - norm(W) ** exponent - 1e-13)
    turn = 0.9 * np.array([[0.6, 0.8], [-0.8, 0.6]])  # a normal matrix: all three are equal
    yield [0.9**7] * 3, [radius(turn) ** 7, norm(np.linalg.matrix_power(turn, 7)), norm(turn) ** 7]


def shear_power():
    r"""W = \begin{pmatrix} a & s \\ 0 & a \end{pmatrix}, \qquad
    W^T = \begin{pmatrix} a^T & T s\, a^{T-1} \\ 0 & a^T \end{pmatrix}"""
    for a, s, exponent in ((0.9, 1.5, 1), (0.9, 1.5, 9), (-0.5, 2.0, 6), (1.0, 0.1, 20)):
        yield power([[a, s], [0.0, a]], exponent), from_book("gradients", "shear_power")(a, s, exponent)


def saturation():
    r"""\begin{aligned}
    \tanh'(z) &= 1 - \tanh(z)^2 \le 1 \\
    \operatorname{sigmoid}'(z) &= \operatorname{sigmoid}(z)\,\bigl(1 - \operatorname{sigmoid}(z)\bigr) \le \tfrac14
    \end{aligned}"""
    chapter = {"np": np, "sigmoid": from_book("gradients", "sigmoid")}
    source = cell_with("ACTIVATIONS = {")
    exec(source[source.index("ACTIVATIONS = {") : source.index("\n}\n") + 3], chapter)
    for name, activation, bound in (("tanh", TANH, 1.0), ("sigmoid", SIGMOID, 0.25)):
        value, slope = chapter["ACTIVATIONS"][name]
        for z in (-30.0, -2.0, 0.0, 0.3, 5.0):
            y = math.tanh(z) if name == "tanh" else 1 / (1 + math.exp(-z))
            want = 1 - y**2 if name == "tanh" else y * (1 - y)
            moved = cmath.tanh(z + 1e-30j) if name == "tanh" else 1 / (1 + cmath.exp(-z - 1e-30j))
            yield want, moved.imag / 1e-30  # it is the derivative
            yield want, slope(value(z))
            yield want, activation.slope(activation.value(np.array([z])))[0]
            yield 0.0, max(0.0, want - bound)
        yield bound, slope(value(0.0))


def log_spread():
    r"""\operatorname{std} \ln |w_1 w_2 \cdots w_T| = \sqrt T\, s, \qquad \operatorname{std} \ln |w^T| = T s"""
    s = math.log(2)  # w is 2 or 1/2, equally likely
    for steps in (1, 2, 6):
        every = [math.prod(w) for w in itertools.product((2.0, -0.5), repeat=steps)]
        yield math.sqrt(steps) * s, np.std(np.log(np.abs(every)))
        yield steps * s, np.std(np.log(np.abs([2.0**steps, (-0.5) ** steps])))
    lengths = np.log(from_book("gradients", "lengths")(shared=True, runs=30, H=1, T=6))  # (T, runs) of numbers
    yield [step * np.std(lengths[0]) for step in range(1, 7)], lengths.std(axis=1)
    fresh = np.log(from_book("gradients", "lengths")(shared=False, runs=20_000, H=1, T=9, seed=1))
    ratio = fresh.std(axis=1)[8] / fresh.std(axis=1)[0]
    yield 0.0, max(0.0, abs(ratio - math.sqrt(9)) - 0.1)  # a sample of 20 000


def gradients_of_a_model():
    rng = np.random.default_rng(3)
    return [rng.normal(size=shape) for shape in ((D, H), (H, H), (H,))]


def clip_norm():
    r"""\hat g_k = g_k \cdot \min\Bigl(1,\ \frac{c}{\lVert g \rVert}\Bigr), \qquad
    \lVert g \rVert = \sqrt{\sum_k \lVert g_k \rVert^2}"""
    gradients = gradients_of_a_model()
    norm = math.sqrt(math.fsum(float(value) ** 2 for g in gradients for value in g.flat))
    for c in (0.1 * norm, norm, 3 * norm):
        want = [[value * min(1.0, c / norm) for value in g.flat] for g in gradients]
        for clip in (optim.clip_by_global_norm, ANSWERS["clip_by_global_norm"].answer()):
            clipped, before = clip(gradients, c)
            yield norm, before
            yield from ((numbers, g.ravel()) for numbers, g in zip(want, clipped, strict=True))


def clip_value():
    r"""\hat g_i = \min\bigl(c, \max(-c, g_i)\bigr)"""
    gradients = gradients_of_a_model()
    for c in (0.3, 10.0):
        clipped = from_book("gradients", "clip_by_value")(gradients, c)
        for g, got in zip(gradients, clipped, strict=True):
            yield [min(c, max(-c, value)) for value in g.flat], got.ravel()


def run_of(cell, n, inner=None):
    return unroll(cell, parameters(n, inner), n["x"][None]).hidden[0]


def leaky_state():
    r"""h_t = \lambda \odot h_{t-1} + \alpha \odot \tanh(x_t U + h_{t-1} W + b)"""
    n = network()
    for keep, gain in ((np.array([0.9, 0.5]), np.array([0.1, 0.5])), (np.ones(2), 0.2 * np.ones(2))):
        h, want = [0.0] * H, []
        for t in range(T):
            new = tanh(sums(n, t, h))
            h = [keep[i] * h[i] + gain[i] * new[i] for i in range(H)]
            want.append(h)
        yield want, run_of(of_book("LeakyCell")(keep, gain), n)
    yield want, run_of(of_book("LeakyCell")(1.0, 0.2), n)  # the same with numbers


def skip_state():
    r"""h_t = \tanh(x_t U + h_{t-1} W + h_{t-s} S + b)"""
    n = network(S=(H, H))
    for s in (1, 2, 3):
        found = [[0.0] * H for _ in range(s)]  # nothing before the first step
        for t in range(T):
            found.append(tanh(plus(sums(n, t, found[-1]), times(found[-s], n["S"]))))
        yield found[s:], run_of(of_book("SkipCell")(s), n, n["S"])


def clockwork_state():
    r"""h_{t,i} = \begin{cases} \tanh(x_t U + h_{t-1} W + b)_i & \text{if } p_i \text{ divides } t \\
    h_{t-1,i} & \text{if not} \end{cases}"""
    n = network()
    for periods in ((1, 2), (3, 2), (1, 1)):
        h, want = [0.0] * H, []
        for t in range(T):
            new = tanh(sums(n, t, h))
            h = [new[i] if (t + 1) % periods[i] == 0 else h[i] for i in range(H)]  # steps count from 1
            want.append(h)
        yield want, run_of(of_book("ClockworkCell")(np.array(periods, float)), n)


EQUATIONS = {
    "scalar-power": scalar_power,
    "state-jacobian": state_jacobian,
    "pull-back": pull_back,
    "norm-bound": norm_bound,
    "power-bounds": power_bounds,
    "shear-power": shear_power,
    "saturation": saturation,
    "log-spread": log_spread,
    "clip-norm": clip_norm,
    "clip-value": clip_value,
    "leaky-state": leaky_state,
    "skip-state": skip_state,
    "clockwork-state": clockwork_state,
}

IMPLEMENTED = [
    ("scalar-power", lambda: cell_with('RNNCell("linear")')),
    ("state-jacobian", lambda: defined("gradients", "state_jacobian")),
    ("state-jacobian", lambda: ANSWERS["jacobian_product"].source),
    ("pull-back", lambda: defined("gradients", "pull_back")),
    ("power-bounds", lambda: cell_with("def shear_power")),
    ("shear-power", lambda: defined("gradients", "shear_power")),
    ("saturation", lambda: cell_with("ACTIVATIONS = {")),
    ("clip-norm", lambda: inspect.getsource(optim.clip_by_global_norm)),
    ("clip-norm", lambda: ANSWERS["clip_by_global_norm"].source),
    ("clip-value", lambda: defined("gradients", "clip_by_value")),
    ("leaky-state", lambda: defined("gradients", "LeakyCell")),
    ("skip-state", lambda: defined("gradients", "SkipCell")),
    ("clockwork-state", lambda: defined("gradients", "ClockworkCell")),
]
