"""The equations of the chapter `gru`, number by number."""

import inspect
import math

import numpy as np
from equations.tools import code_cells, defined, from_book, plus, sigmoid, tanh, times

from rnncourse import convert
from rnncourse.cells import GRUCell, LSTMCell, ResetBeforeGRUCell, RNNCell
from rnncourse.check.gru import gru_step, gru_step_backward, gru_step_reset_before, swap_update_gate
from rnncourse.unroll import Parameters, bptt, init_parameters, unroll

T, D, H, O = 4, 3, 2, 2
NAMES = [*"rzn"]


def network(seed=0):
    """Weights by gate, as lists, an input, a first state and an output layer."""
    rng = np.random.default_rng(seed)
    shapes = {"U": (D, H), "W": (H, H), "b_x": (H,), "b_h": (H,)}
    gates = {f"{name}_{gate}": rng.normal(size=shape) for gate in NAMES for name, shape in shapes.items()}
    rest = {"x": (T, D), "h_0": (H,), "V": (H, O), "c": (O,), "y": (T, O)}
    return gates | {name: rng.normal(size=shape) for name, shape in rest.items()}


def fused(n, before=False):
    """The same weights side by side, in the order r, z, n."""
    blocks = [[n[f"{name}_{gate}"] for gate in NAMES] for name in ("U", "W", "b_x", "b_h")]
    U, W, b_x, b_h = (np.concatenate(gates, axis=-1) for gates in blocks)
    if not before:
        return Parameters(U, W, b_x, b_h)
    b_x = np.concatenate([b_x[: 2 * H], b_x[2 * H :] + b_h[2 * H :]])
    return Parameters(U, W[:, : 2 * H], b_x, b_h[: 2 * H], W[:, 2 * H :])


def gate(n, name, x_t, h):
    from_x = plus(times(x_t, n[f"U_{name}"]), n[f"b_x_{name}"])
    return sigmoid(plus(from_x, times(h, n[f"W_{name}"]), n[f"b_h_{name}"]))


def after(n, x_t, h, r):
    """Equation (gru-candidate)."""
    of_state = plus(times(h, n["W_n"]), n["b_h_n"])
    return tanh(plus(times(x_t, n["U_n"]), n["b_x_n"], [a * b for a, b in zip(r, of_state, strict=True)]))


def before(n, x_t, h, r):
    """Equation (reset-before); b_n is the sum of the two biases."""
    b_n = plus(n["b_x_n"], n["b_h_n"])
    return tanh(plus(times(x_t, n["U_n"]), b_n, times([a * b for a, b in zip(r, h, strict=True)], n["W_n"])))


def mixed(z, candidate, h):
    return [(1 - z[j]) * candidate[j] + z[j] * h[j] for j in range(H)]


def steps(n, candidate=after):
    """(x, old state, r, z, n, new state) of every step."""
    h, walked = list(n["h_0"]), []
    for x_t in n["x"]:
        r, z = gate(n, "r", x_t, h), gate(n, "z", x_t, h)
        value = candidate(n, x_t, h, r)
        new = mixed(z, value, h)
        walked.append((list(x_t), h, r, z, value, new))
        h = new
    return walked


def package(n, cell=None):
    """What the package keeps of the steps, and the states."""
    cell = cell or GRUCell()
    parameters = fused(n, before=isinstance(cell, ResetBeforeGRUCell))
    run = unroll(cell, parameters, n["x"][None], (n["h_0"][None],))
    return run, parameters


def chapter(n):
    states = from_book("gru", "gru", sigmoid=from_book("gru", "sigmoid"))
    return states(n["x"], n["h_0"], *fused(n)[:4])


def gru_gates():
    r"""\begin{aligned}
    r_t &= \sigma(x_t U_r + b_{xr} + h_{t-1} W_r + b_{hr}) \\
    z_t &= \sigma(x_t U_z + b_{xz} + h_{t-1} W_z + b_{hz})
    \end{aligned}"""
    n = network()
    walked, kept, (_, r, z, _) = steps(n), package(n)[0].tape.kept[:, :, 0], chapter(n)
    for t in range(T):
        yield from ((walked[t][2], kept[t, 0]), (walked[t][3], kept[t, 1]))
        yield from ((walked[t][2], r[t]), (walked[t][3], z[t]))


def gru_candidate():
    r"""n_t = \tanh\bigl(x_t U_n + b_{xn} + r_t \odot (h_{t-1} W_n + b_{hn})\bigr)"""
    n = network()
    for t, (_, _, _, _, value, _) in enumerate(steps(n)):
        yield value, package(n)[0].tape.kept[t, 2, 0]
        yield value, chapter(n)[3][t]


def gru_state():
    r"""h_t = (1 - z_t) \odot n_t + z_t \odot h_{t-1}"""
    n = network()
    for t, (x_t, h, _, _, _, new) in enumerate(steps(n)):
        yield new, package(n)[0].hidden[0, t]
        yield new, chapter(n)[0][t]
        yield [new], gru_step(np.array([x_t]), np.array([h]), *fused(n)[:4])
    # the worked example, in numbers
    want = [2, 5, 5, 1, 3]
    known = {"np": np, "sigmoid": from_book("gru", "sigmoid")}
    known["gru"] = from_book("gru", "gru", sigmoid=known["sigmoid"])
    [cell] = [cell for cell in code_cells("gru") if "x_hand" in cell]
    exec(cell, known)
    yield want, known["by_hand"][:, 0]


def gru_average():
    r"""h_t = \sum_{k=1}^{t} \Bigl( \prod_{j=k+1}^{t} z_j \Bigr) \odot (1 - z_k) \odot n_k
    + \Bigl( \prod_{j=1}^{t} z_j \Bigr) \odot h_0"""
    n = network()
    walked = steps(n)
    z, values = [step[3] for step in walked], [step[4] for step in walked]
    for t in range(1, T + 1):
        want = []
        for unit in range(H):
            total = math.prod(z[j][unit] for j in range(t)) * n["h_0"][unit]
            for k in range(t):
                weight = math.prod(z[j][unit] for j in range(k + 1, t)) * (1 - z[k][unit])
                total += weight * values[k][unit]
            want.append(total)
        yield want, package(n)[0].hidden[0, t - 1]
    states, r, z, values = chapter(n)
    known = {"np": np, "gru": lambda *_: (states, r, z, values), "x": None, "h_0": n["h_0"], "weights": [], "H": H}
    exec(average_cell(), known)
    yield want, known["h_T"]


def average_cell() -> str:
    [cell] = [cell for cell in code_cells("gru") if "# (gru-average)" in cell]
    return cell


def gru_swap():
    r"""1 - \sigma(a) = \sigma(-a)"""
    for a in (-800.0, -3.0, 0.0, 0.1, 5.0, 40.0):
        minus = 1 / (1 + math.exp(a)) if a < 700 else 0.0
        yield 1 - float(from_book("gru", "sigmoid")(a)), minus
    n = network()
    walked = steps(n)
    for swapped in (convert.swap_update(GRUCell(), fused(n))[:4], swap_update_gate(*fused(n)[:4])):
        for array, other in zip(fused(n)[:4], swapped, strict=True):
            yield array * ([1] * H + [-1] * H + [1] * H), other
        # the new gate is 1 - z, and the other formula gives the same states
        gates = unroll(GRUCell(), Parameters(*swapped), n["x"][None, :1], (n["h_0"][None],)).tape.kept[0, 1, 0]
        yield [1 - a for a in walked[0][3]], gates
        chung = from_book("gru", "chung", sigmoid=from_book("gru", "sigmoid"))
        yield [step[5] for step in walked], chung(n["x"], n["h_0"], *swapped)


def reset_before():
    r"""n_t = \tanh\bigl(x_t U_n + (r_t \odot h_{t-1})\, W_n + b_n\bigr)"""
    n = network()
    run, _ = package(n, ResetBeforeGRUCell())
    for t, (x_t, h, _, _, value, new) in enumerate(steps(n, before)):
        yield value, run.tape.kept[t, 2, 0]
        yield new, run.hidden[0, t]
        yield [new], gru_step_reset_before(np.array([x_t]), np.array([h]), *fused(n)[:4])


def backwards(n, candidate=after):
    """From e_t = o_t - y_t of a linear output: every δ, the gradients of the states, in lists from step 1 on."""
    walked = steps(n, candidate)
    e = [
        [o - y for o, y in zip(plus(times(s[5], n["V"]), n["c"]), n["y"][t], strict=True)] for t, s in enumerate(walked)
    ]
    h_bar = times(e[-1], n["V"].T)
    found, states = [], []
    for t in reversed(range(T)):
        _, h, r, z, value, _ = walked[t]
        d_n = [h_bar[j] * (1 - z[j]) * (1 - value[j] ** 2) for j in range(H)]
        d_z = [h_bar[j] * (h[j] - value[j]) * z[j] * (1 - z[j]) for j in range(H)]
        direct = [h_bar[j] * z[j] for j in range(H)]
        if candidate is after:
            m = plus(times(h, n["W_n"]), n["b_h_n"])
            d_m = [d_n[j] * r[j] for j in range(H)]
            d_r = [d_n[j] * m[j] * r[j] * (1 - r[j]) for j in range(H)]
            through = times(d_m, n["W_n"].T)
        else:
            d_m = times(d_n, n["W_n"].T)  # δ^q
            d_r = [d_m[j] * h[j] * r[j] * (1 - r[j]) for j in range(H)]
            through = [d_m[j] * r[j] for j in range(H)]
        found.insert(0, {"r": d_r, "z": d_z, "n": d_n, "m": d_m})
        states.insert(0, h_bar)
        h_bar = plus(direct, times(d_r, n["W_r"].T), times(d_z, n["W_z"].T), through)
        h_bar = plus(h_bar, times(e[t - 1], n["V"].T)) if t else h_bar
    return walked, found, [h_bar, *states], e


def by_package(n, cell):
    """The same by `bptt`, for the loss ½ Σ |o - y|²."""
    run, parameters = package(n, cell)
    d_hidden = (run.hidden @ n["V"] + n["c"] - n["y"]) @ n["V"].T
    return bptt(cell, parameters, run.tape, d_hidden), run, d_hidden


def outer(rows, columns):
    return [
        [sum(a[i] * b[j] for a, b in zip(rows, columns, strict=True)) for j in range(H)] for i in range(len(rows[0]))
    ]


def gru_back_sums():
    r"""\begin{aligned}
    \delta^n_t &= \bar h_t \odot (1 - z_t) \odot (1 - n_t^2) \\
    \delta^m_t &= \delta^n_t \odot r_t \\
    \delta^r_t &= \delta^n_t \odot m_t \odot r_t \odot (1 - r_t) \\
    \delta^z_t &= \bar h_t \odot (h_{t-1} - n_t) \odot z_t \odot (1 - z_t)
    \end{aligned}"""
    n = network()
    _, found, states, _ = backwards(n)
    run, _ = package(n)
    old, new = ((part[:-1],) for part in run.tape.states), ((part[1:],) for part in run.tape.states)
    slopes = GRUCell().slopes(run.tape.kept, *old, *new)
    for t in range(T):
        d_h = (np.array([states[t + 1]]),)
        (z_x, z_h), _ = GRUCell().step_backward([part[t] for part in slopes], d_h)
        yield [found[t][name] for name in "rzn"], z_x[:, 0]
        yield [found[t][name] for name in "rzm"], z_h[:, 0]


def gru_back_state():
    r"""\bar h_{t-1} = e_{t-1} V^\top + \bar h_t \odot z_t + \delta^r_t W_r^\top + \delta^z_t W_z^\top
    + \delta^m_t W_n^\top"""
    n = network()
    walked, _, states, _ = backwards(n)
    gradients, _, d_hidden = by_package(n, GRUCell())
    yield states[0], gradients.state[0][0]
    for t, (x_t, h, *_) in enumerate(walked):
        d_new, arrays = np.array([states[t + 1]]), (np.array([x_t]), np.array([h]))
        d_h = gru_step_backward(d_new, *arrays, *fused(n)[:4])[1]
        of_output = d_hidden[:, t - 1] if t else 0
        yield [states[t]], d_h + of_output


def gru_back_weights():
    r"""\begin{aligned}
    \frac{\partial L}{\partial U_r} &= \sum_t x_t^\top \delta^r_t, & \frac{\partial L}{\partial W_r} &= \sum_t
    h_{t-1}^\top \delta^r_t, \\
    \frac{\partial L}{\partial U_z} &= \sum_t x_t^\top \delta^z_t, & \frac{\partial L}{\partial W_z} &= \sum_t
    h_{t-1}^\top \delta^z_t, \\
    \frac{\partial L}{\partial U_n} &= \sum_t x_t^\top \delta^n_t, & \frac{\partial L}{\partial W_n} &= \sum_t
    h_{t-1}^\top \delta^m_t, \\
    \frac{\partial L}{\partial b_{xr}} &= \frac{\partial L}{\partial b_{hr}} = \sum_t \delta^r_t, &
    \frac{\partial L}{\partial b_{xz}} &= \frac{\partial L}{\partial b_{hz}} = \sum_t \delta^z_t, \\
    \frac{\partial L}{\partial b_{xn}} &= \sum_t \delta^n_t, & \frac{\partial L}{\partial b_{hn}} &= \sum_t \delta^m_t
    \end{aligned}"""
    n = network()
    walked, found, states, _ = backwards(n)
    inputs, olds = [step[0] for step in walked], [step[1] for step in walked]
    of = {name: [d[name] for d in found] for name in "rznm"}
    U = np.hstack([outer(inputs, of[name]) for name in "rzn"])
    W = np.hstack([outer(olds, of[name]) for name in "rzm"])
    b_x, b_h = (np.hstack([plus(*of[name]) for name in names]) for names in ("rzn", "rzm"))
    yield from zip((U, W, b_x, b_h), by_package(n, GRUCell())[0].parameters[:4], strict=True)
    steps_back = [
        gru_step_backward(np.array([states[t + 1]]), np.array([s[0]]), np.array([s[1]]), *fused(n)[:4])
        for t, s in enumerate(walked)
    ]
    yield from zip((U, W, b_x, b_h), (sum(back[i] for back in steps_back) for i in (2, 3, 4, 5)), strict=True)


def gru_back_input():
    r"""\frac{\partial L}{\partial x_t} = \delta^r_t U_r^\top + \delta^z_t U_z^\top + \delta^n_t U_n^\top"""
    n = network()
    walked, found, states, _ = backwards(n)
    gradients = by_package(n, GRUCell())[0]
    for t, (x_t, h, *_) in enumerate(walked):
        want = plus(*(times(found[t][name], n[f"U_{name}"].T) for name in "rzn"))
        yield want, gradients.x[0, t]
        d_new = np.array([states[t + 1]])
        yield [want], gru_step_backward(d_new, np.array([x_t]), np.array([h]), *fused(n)[:4])[0]


def gru_back_before():
    r"""\begin{aligned}
    \delta^q_t &= \delta^n_t W_n^\top \\
    \delta^r_t &= \delta^q_t \odot h_{t-1} \odot r_t \odot (1 - r_t) \\
    \bar h_{t-1} &= e_{t-1} V^\top + \bar h_t \odot z_t + \delta^q_t \odot r_t + \delta^r_t W_r^\top
    + \delta^z_t W_z^\top \\
    \frac{\partial L}{\partial W_n} &= \sum_t q_t^\top \delta^n_t
    \end{aligned}"""
    n = network()
    walked, found, states, _ = backwards(n, before)
    gradients = by_package(n, ResetBeforeGRUCell())[0]
    q = [[r[j] * h[j] for j in range(H)] for _, h, r, *_ in walked]
    yield outer(q, [d["n"] for d in found]), gradients.parameters.inner
    yield states[0], gradients.state[0][0]
    yield plus(*(d["r"] for d in found)), gradients.parameters.b_h[:H]
    yield np.hstack([outer([s[1] for s in walked], [d[name] for d in found]) for name in "rz"]), gradients.parameters.W


def gru_count():
    r"""P = G\,(D H + H^2 + 2 H)"""
    count, width = from_book("gru", "count"), from_book("gru", "width")
    for G, cell in ((1, RNNCell()), (3, GRUCell()), (4, LSTMCell()), (3, ResetBeforeGRUCell())):
        for inputs, units in ((3, 5), (100, 200), (1, 1)):
            P = G * (inputs * units + units**2 + 2 * units)
            yield units, width(cell, inputs, P)
            P -= units if cell == ResetBeforeGRUCell() else 0  # its candidate has one bias
            yield P, count(cell, inputs, units)
            sizes = [a.size for a in init_parameters(cell, inputs, units, np.random.default_rng(0)) if a is not None]
            yield P, sum(sizes)


EQUATIONS = {
    "gru-gates": gru_gates,
    "gru-candidate": gru_candidate,
    "gru-state": gru_state,
    "gru-average": gru_average,
    "gru-swap": gru_swap,
    "reset-before": reset_before,
    "gru-back-sums": gru_back_sums,
    "gru-back-state": gru_back_state,
    "gru-back-weights": gru_back_weights,
    "gru-back-input": gru_back_input,
    "gru-back-before": gru_back_before,
    "gru-count": gru_count,
}

IMPLEMENTED = [
    ("gru-gates", lambda: defined("gru", "gru")),
    ("gru-candidate", lambda: defined("gru", "gru")),
    ("gru-state", lambda: defined("gru", "gru")),
    ("gru-gates", lambda: inspect.getsource(GRUCell)),
    ("gru-candidate", lambda: inspect.getsource(GRUCell)),
    ("gru-state", lambda: inspect.getsource(GRUCell)),
    ("gru-average", average_cell),
    ("reset-before", lambda: inspect.getsource(ResetBeforeGRUCell)),
    ("gru-count", lambda: defined("gru", "count")),
]
