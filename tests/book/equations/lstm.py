"""The equations of the chapter `lstm`, number by number."""

import inspect
import itertools
import math
from typing import NamedTuple

import numpy as np
from equations.tools import code_cells, defined, from_book, plus, sigmoid, tanh, times

from rnncourse.cells import CoupledLSTMCell, LSTMCell, PeepholeLSTMCell, activations
from rnncourse.check.lstm import hard_lstm_step, lstm_step, lstm_step_backward, peephole_lstm_step
from rnncourse.gradcheck import complex_step
from rnncourse.train import LastStep
from rnncourse.unroll import Parameters, bptt, unroll

T, D, H, O = 4, 3, 2, 5
GATES = "ifgo"


# --- The network and its formulas, in plain Python ------------------------------------------------------------


class Step(NamedTuple):
    """All numbers of one step, each a list (H,)."""

    x: list
    h_old: list
    c_old: list
    gates: dict  # i, f, g and o
    c: list
    h: list


def network():
    """Weights and inputs, and the errors e of the outputs, which the formulas take as given."""
    rng = np.random.default_rng(0)
    shapes = {"x": (T, D), "h_0": (H,), "c_0": (H,), "U": (D, 4 * H), "W": (H, 4 * H), "b": (4 * H,), "p": (3, H)}
    return {name: rng.normal(size=shape) for name, shape in (shapes | {"V": (H, O), "e": (T, O)}).items()}


def part(array, gate, order=GATES):
    """The columns of one gate."""
    k = order.index(gate)
    return array[..., k * H : (k + 1) * H]


def total(n, gate, x, h, order=GATES):
    """The sum of one gate."""
    U, W, b = (part(n[name], gate, order) for name in "UWb")
    return plus(times(x, U), times(h, W), b)


def entrywise(*rows):
    return [math.prod(numbers) for numbers in zip(*rows, strict=True)]


def turned(matrix):
    return [list(column) for column in zip(*matrix, strict=True)]


def outer(column, row):
    return [[i * j for j in row] for i in column]


def added(*arrays):
    return [plus(*rows) for rows in zip(*arrays, strict=True)]


def one_minus(row):
    return [1 - value for value in row]


def side_by_side(rows):
    return [value for row in rows for value in row]


def slope(row):
    """Of the sigmoid, from its value."""
    return entrywise(row, one_minus(row))


def slope_of_tanh(row):
    return one_minus(entrywise(row, row))


def steps(n, p=((0.0,) * H,) * 3):
    """(lstm-gates), (lstm-cell) and (lstm-hidden), with peepholes p."""
    h, c, found = list(n["h_0"]), list(n["c_0"]), []
    for x in n["x"]:
        z = {gate: total(n, gate, x, h) for gate in GATES}
        i = sigmoid(plus(z["i"], entrywise(p[0], c)))
        f = sigmoid(plus(z["f"], entrywise(p[1], c)))
        g = tanh(z["g"])
        new = plus(entrywise(f, c), entrywise(i, g))
        o = sigmoid(plus(z["o"], entrywise(p[2], new)))
        found.append(Step(x, h, c, {"i": i, "f": f, "g": g, "o": o}, new, entrywise(o, tanh(new))))
        h, c = found[-1].h, found[-1].c
    return found


def coupled_steps(n):
    """The same with i = 1 - f; the sums are f, g, o."""
    h, c, found = list(n["h_0"]), list(n["c_0"]), []
    for x in n["x"]:
        z = {gate: total(n, gate, x, h, "fgo") for gate in "fgo"}
        f, g, o = sigmoid(z["f"]), tanh(z["g"]), sigmoid(z["o"])
        new = plus(entrywise(f, c), entrywise(one_minus(f), g))
        found.append(Step(x, h, c, {"f": f, "g": g, "o": o}, new, entrywise(o, tanh(new))))
        h, c = found[-1].h, found[-1].c
    return found


def from_output(n):
    """e_t V^T for all steps."""
    return [times(e, turned(n["V"])) for e in n["e"]]


def deltas(n, found, p=((0.0,) * H,) * 3, order=GATES):
    """For each step: delta^h, delta^c and those of the sums side by side, by the formulas; p are the peepholes."""
    after = {gate: [0.0] * H for gate in order}
    d_c, f_after, back = [0.0] * H, [0.0] * H, []
    for step, above in reversed(list(zip(found, from_output(n), strict=True))):
        g = step.gates
        d_h = plus(above, *(times(after[gate], turned(part(n["W"], gate, order))) for gate in order))
        tanh_c = tanh(step.c)
        d_o = entrywise(d_h, tanh_c, slope(g["o"]))
        d_c = plus(entrywise(d_h, g["o"], slope_of_tanh(tanh_c)), entrywise(d_c, f_after))
        d_c = plus(d_c, entrywise(d_o, p[2]), entrywise(after["f"], p[1]))
        if order == GATES:
            d_c = plus(d_c, entrywise(after["i"], p[0]))
            d_i = entrywise(d_c, g["g"], slope(g["i"]))
            d_f = entrywise(d_c, step.c_old, slope(g["f"]))
            d_g = entrywise(d_c, g["i"], slope_of_tanh(g["g"]))
            after = {"i": d_i, "f": d_f, "g": d_g, "o": d_o}
        else:
            d_f = entrywise(d_c, [c - g for c, g in zip(step.c_old, g["g"], strict=True)], slope(g["f"]))
            d_g = entrywise(d_c, one_minus(g["f"]), slope_of_tanh(g["g"]))
            after = {"f": d_f, "g": d_g, "o": d_o}
        f_after = g["f"]
        back.insert(0, (d_h, d_c, side_by_side(after.values())))
    return back


# --- The code -------------------------------------------------------------------------------------------------


def parameters(n, inner=None):
    b = n["b"]
    return Parameters(n["U"], n["W"], 0.25 * b, 0.75 * b, inner)


def run(cell, n, inner=None):
    return unroll(cell, parameters(n, inner), n["x"][None], (n["h_0"][None], n["c_0"][None]))


def back(cell, n, inner=None):
    d_hidden = np.array(from_output(n))[None]
    return bptt(cell, parameters(n, inner), run(cell, n, inner).tape, d_hidden)


def by_package(cell, n, inner=None):
    """delta^h, delta^c and delta of every step as `slopes` and `step_backward` compute them."""
    tape = run(cell, n, inner).tape
    old, new = (tuple(a[piece] for a in tape.states) for piece in (slice(None, -1), slice(1, None)))
    slopes = cell.slopes(tape.kept, old, new, inner)
    state, found = (np.zeros((1, H)), np.zeros((1, H))), []
    for t in reversed(range(T)):
        d_h = state[0] + from_output(n)[t]
        factors = [array[t] for array in slopes]
        d_z, (_, d_c) = cell.step_backward(factors, (d_h, state[1]), inner)
        found.insert(0, (d_h[0], state[1][0] + d_h[0] * slopes.c_from_h[t, 0], d_z.reshape(-1)))
        state = d_z.reshape(1, -1) @ n["W"].T, d_c
    return found


def later_loss(cell, n, t, h, c, inner=None):
    """What steps t + 1 to T add to the loss, as a function of the state after step t; complex numbers pass through."""
    weights = Parameters(*(None if a is None else a.astype(complex) for a in parameters(n, inner)))
    x = n["x"][None, t + 1 :].astype(complex)
    hidden = unroll(cell, weights, x, (h[None].astype(complex), c[None].astype(complex))).hidden[0]
    return (hidden * np.array(from_output(n))[t + 1 :].reshape(-1, H)).sum()


def three(n):
    """Each cell with its formulas' steps and deltas: (cell, inner weights, weights, steps, deltas)."""
    fewer = n | {"U": n["U"][:, : 3 * H], "W": n["W"][:, : 3 * H], "b": n["b"][: 3 * H]}
    return [
        (LSTMCell(), None, n, steps(n), deltas(n, steps(n))),
        (PeepholeLSTMCell(), n["p"], n, steps(n, n["p"]), deltas(n, steps(n, n["p"]), n["p"])),
        (CoupledLSTMCell(), None, fewer, coupled_steps(fewer), deltas(fewer, coupled_steps(fewer), order="fgo")),
    ]


def single(n):
    """Step 2 of the sequence as arguments of the exercise's functions, with B = 1."""
    step = steps(n)[1]
    x, h, c = (np.array(row)[None] for row in (step.x, step.h_old, step.c_old))
    return x, h, c, n["U"], n["W"], n["b"]


def by_gate(array):
    return {gate: part(array, gate) for gate in GATES}


def book_step(n):
    x, h, c, U, W, b = single(n)
    step = from_book("lstm", "step", sigmoid=lambda z: 1 / (1 + np.exp(-z)))
    return step(x, h, c, by_gate(U), by_gate(W), by_gate(b))


# --- Forward --------------------------------------------------------------------------------------------------


def lstm_gates():
    r"""\begin{aligned}
    i_t &= \sigma(x_t U_i + h_{t-1} W_i + b_i) \\
    f_t &= \sigma(x_t U_f + h_{t-1} W_f + b_f) \\
    g_t &= \tanh(x_t U_g + h_{t-1} W_g + b_g) \\
    o_t &= \sigma(x_t U_o + h_{t-1} W_o + b_o)
    \end{aligned}"""
    n = network()
    yield [[step.gates[gate] for gate in GATES] for step in steps(n)], run(LSTMCell(), n).tape.kept[:, :, 0]


def lstm_cell():
    r"""c_t = f_t \odot c_{t-1} + i_t \odot g_t"""
    n = network()
    yield [step.c for step in steps(n)], run(LSTMCell(), n).tape.states[1][1:, 0]
    yield steps(n)[1].c, lstm_step(*single(n))[1][0]
    yield steps(n)[1].c, book_step(n)[1][0]


def lstm_hidden():
    r"""h_t = o_t \odot \tanh(c_t)"""
    n = network()
    yield [step.h for step in steps(n)], run(LSTMCell(), n).hidden[0]
    yield steps(n)[1].h, lstm_step(*single(n))[0][0]
    yield steps(n)[1].h, book_step(n)[0][0]


def sigmoid_tanh():
    r"""\tanh(z) = 2\,\sigma(2z) - 1, \qquad \sigma(z) = \tfrac12 + \tfrac12 \tanh\bigl(\tfrac z2\bigr)"""
    z = np.linspace(-9, 9, 21)
    yield [2 * s - 1 for s in sigmoid(2 * z)], np.tanh(z)
    yield [0.5 + 0.5 * t for t in tanh(z / 2)], [1 / (1 + math.exp(-a)) for a in z]
    yield [0.5 + 0.5 * t for t in tanh(z / 2)], activations.sigmoid(z)
    sums = z[:20].reshape(4, 1, 5).copy()
    yield [sigmoid(sums[0, 0]), tanh(sums[2, 0])], LSTMCell().activate(sums.copy())[[0, 2], 0]


def lstm_fused():
    r"""\begin{aligned}
    z_t &= (z^i_t \;\; z^f_t \;\; z^g_t \;\; z^o_t) = x_t U + h_{t-1} W + b \\
    U &= (U_i \;\; U_f \;\; U_g \;\; U_o), \quad W = (W_i \;\; W_f \;\; W_g \;\; W_o) \\
    b &= (b_i \;\; b_f \;\; b_g \;\; b_o)
    \end{aligned}"""
    n = network()
    for step, kept in zip(steps(n), run(LSTMCell(), n).tape.kept[:, :, 0], strict=True):
        z = plus(times(step.x, n["U"]), times(step.h_old, n["W"]), n["b"])
        yield side_by_side(total(n, gate, step.x, step.h_old) for gate in GATES), z
        i, f, g, o = (z[k * H : (k + 1) * H] for k in range(4))
        yield [sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)], kept


# --- Back -----------------------------------------------------------------------------------------------------


def lstm_dh():
    r"""\begin{aligned}
    \delta^{h}_t &= e_t V^\top + \delta^i_{t+1} W_i^\top + \delta^f_{t+1} W_f^\top
    + \delta^g_{t+1} W_g^\top + \delta^o_{t+1} W_o^\top \\
    &= e_t V^\top + \delta_{t+1} W^\top
    \end{aligned}"""
    for cell, inner, n, found, formula in three(network()):
        fused = [plus(above, times(row, turned(n["W"]))) for above, row in zip(
            from_output(n), [row for _, _, row in formula[1:]] + [[0.0] * len(n["b"])], strict=True)]  # fmt: skip
        yield [d_h for d_h, _, _ in formula], fused
        yield [d_h for d_h, _, _ in formula], [d_h for d_h, _, _ in by_package(cell, n, inner)]
        for t, step in enumerate(found):
            own, c = np.array(from_output(n)[t]), np.array(step.c)
            loss = lambda h, t=t, c=c, own=own: (own * h).sum() + later_loss(cell, n, t, h, c, inner)  # noqa: B023, E731
            yield formula[t][0], complex_step(loss, np.array(step.h))


def lstm_dc():
    r"""\delta^{c}_t = \delta^h_t \odot o_t \odot \bigl(1 - \tanh^2(c_t)\bigr) + \delta^{c}_{t+1} \odot f_{t+1}"""
    for index in (0, 2):  # the LSTM, and the one with coupled gates
        yield from _total_of_cell(*three(network())[index], z_o=None)


def peephole_dc():
    r"""\begin{aligned}
    \delta^{c}_t &= \delta^h_t \odot o_t \odot \bigl(1 - \tanh^2(c_t)\bigr) + \delta^o_t \odot p_o \\
    &\quad + \delta^{c}_{t+1} \odot f_{t+1} + \delta^i_{t+1} \odot p_i + \delta^f_{t+1} \odot p_f
    \end{aligned}"""
    n = network()
    z_o = [np.array(total(n, "o", step.x, step.h_old)) for step in steps(n, n["p"])]
    yield from _total_of_cell(*three(n)[1], z_o=z_o)


def _total_of_cell(cell, inner, n, found, formula, z_o):
    """delta^c against the package and against the complex step; h_t moves with c_t, and with peepholes so does o_t."""
    yield [d_c for _, d_c, _ in formula], [d_c for _, d_c, _ in by_package(cell, n, inner)]
    for t, step in enumerate(found):
        own = np.array(from_output(n)[t])

        def loss(c, t=t, step=step, own=own):
            o = np.array(step.gates["o"]) if z_o is None else 1 / (1 + np.exp(-z_o[t] - inner[2] * c))
            h = o * np.tanh(c)
            return (own * h).sum() + later_loss(cell, n, t, h, c, inner)

        yield formula[t][1], complex_step(loss, np.array(step.c))


def lstm_sums():
    r"""\begin{aligned}
    \delta^i_t &= \delta^c_t \odot g_t \odot i_t \odot (1 - i_t) \\
    \delta^f_t &= \delta^c_t \odot c_{t-1} \odot f_t \odot (1 - f_t) \\
    \delta^g_t &= \delta^c_t \odot i_t \odot (1 - g_t^2) \\
    \delta^o_t &= \delta^h_t \odot \tanh(c_t) \odot o_t \odot (1 - o_t)
    \end{aligned}"""
    n = network()
    cell, _, _, found, formula = three(n)[0]
    yield [row for _, _, row in formula], [row for _, _, row in by_package(cell, n)]
    d_h, d_c = np.zeros((1, H)), np.zeros((1, H))
    for t in reversed(range(T)):  # the exercise's answer; with one example d_b is the row of this step
        x, h, c = (np.array(row)[None] for row in found[t][:3])
        step = lstm_step_backward(d_h + from_output(n)[t], d_c, x, h, c, n["U"], n["W"], n["b"])
        _, d_h, d_c, _, _, d_b = step
        yield formula[t][2], d_b


def lstm_weights():
    r"""\begin{aligned}
    \frac{\partial L}{\partial U} &= \sum_{t=1}^{T} x_t^\top \delta_t, &
    \frac{\partial L}{\partial W} &= \sum_{t=1}^{T} h_{t-1}^\top \delta_t, \\
    \frac{\partial L}{\partial b} &= \sum_{t=1}^{T} \delta_t, & \frac{\partial L}{\partial x_t} &= \delta_t U^\top
    \end{aligned}"""
    for cell, inner, n, found, formula in three(network()):
        rows, got = [row for _, _, row in formula], back(cell, n, inner)
        yield added(*(outer(s.x, row) for s, row in zip(found, rows, strict=True))), got.parameters.U
        yield added(*(outer(s.h_old, row) for s, row in zip(found, rows, strict=True))), got.parameters.W
        yield plus(*rows), got.parameters.b_x
        yield plus(*rows), got.parameters.b_h
        yield [times(row, turned(n["U"])) for row in rows], got.x[0]


def lstm_first():
    r"""\frac{\partial L}{\partial h_0} = \delta_1 W^\top, \qquad
    \frac{\partial L}{\partial c_0} = \delta^c_1 \odot f_1"""
    n = network()
    cell, _, _, found, formula = three(n)[0]
    yield times(formula[0][2], turned(n["W"])), back(cell, n).state[0][0]
    yield entrywise(formula[0][1], found[0].gates["f"]), back(cell, n).state[1][0]


# --- Why the gradient survives --------------------------------------------------------------------------------


def jacobians(n):
    """(lstm-jacobian) of steps 2 to T, as lists of rows."""
    found = steps(n)
    for before, step in itertools.pairwise(found):
        g = step.gates
        through = {
            "i": entrywise(g["g"], slope(g["i"])),
            "f": entrywise(step.c_old, slope(g["f"])),
            "g": entrywise(g["i"], slope_of_tanh(g["g"])),
        }
        M = [[sum(through[k][j] * part(n["W"], k)[m][j] for k in "ifg") for m in range(H)] for j in range(H)]
        way_out = entrywise(before.gates["o"], slope_of_tanh(tanh(before.c)))
        yield [[g["f"][j] * (j == m) + M[j][m] * way_out[m] for m in range(H)] for j in range(H)]


def lstm_jacobian():
    r"""\begin{aligned}
    \frac{\partial c_t}{\partial c_{t-1}} &= \operatorname{diag}(f_t)
    + M_t \operatorname{diag}\bigl(o_{t-1} (1 - \tanh^2(c_{t-1}))\bigr) \\
    M_t &= \operatorname{diag}\bigl(g_t i_t (1 - i_t)\bigr) W_i^\top
    + \operatorname{diag}\bigl(c_{t-1} f_t (1 - f_t)\bigr) W_f^\top \\
    &\quad + \operatorname{diag}\bigl(i_t (1 - g_t^2)\bigr) W_g^\top
    \end{aligned}"""
    n = network()
    found = steps(n)
    for (before, step), jacobian in zip(itertools.pairwise(found), jacobians(n), strict=True):
        o, x = np.array(before.gates["o"]), np.array(step.x)

        def unit(c, j, o=o, x=x):
            h = o * np.tanh(c)
            z = x @ n["U"] + h @ n["W"] + n["b"]
            i, f = (1 / (1 + np.exp(-part(z, gate))) for gate in "if")
            return (f * c + i * np.tanh(part(z, "g")))[j]

        got = [complex_step(lambda c, j=j: unit(c, j), np.array(step.c_old)) for j in range(H)]
        yield jacobian, got
    size = math.sqrt(sum(entry**2 for row in jacobian for entry in row) / H)  # of the last step
    yield size, sensitivity(n)[0, 0]


def lstm_belt():
    r"""\frac{\partial c_t}{\partial c_k}\bigg|_{\text{belt}}
    = \operatorname{diag}\bigl(f_{k+1} \odot f_{k+2} \odot \cdots \odot f_t\bigr)"""
    n = network()
    n = n | {"h_0": np.zeros(H), "c_0": np.zeros(H)}  # as the chapter's function starts
    f = [step.gates["f"] for step in steps(n)]
    yield [math.sqrt(sum(value**2 for value in entrywise(*f[-back:])) / H) for back in range(1, T)], sensitivity(n)[1]
    n = n | {"W": 0 * n["W"]}  # gates that do not look at the state: the belt is all there is
    f = entrywise(*(step.gates["f"] for step in steps(n)))
    for j in range(H):
        tape, d_c = run(LSTMCell(), n).tape, np.eye(H)[j : j + 1]
        got = bptt(LSTMCell(), parameters(n), tape, np.zeros((1, T, H)), (np.zeros((1, H)), d_c)).state[1][0]
        yield [f[m] * (j == m) for m in range(H)], got


def sensitivity(n):
    """The chapter's measurement on the same network."""
    measure = from_book("lstm", "sensitivity", unroll=_start_with(n), cell=LSTMCell())
    return measure(parameters(n), n["x"][None])


def _start_with(n):
    return lambda cell, params, x: unroll(cell, params, x, (n["h_0"][None], n["c_0"][None]))


def half_life():
    r"""n = \frac{\ln \tfrac12}{\ln f}"""
    for f in (0.1, 0.5, 0.9, 0.999):
        yield 0.5, f ** (math.log(0.5) / math.log(f))
    [cell] = [cell for cell in code_cells("lstm") if "# (half-life)" in cell]
    names = {"np": np, "sigmoid": lambda z: 1 / (1 + np.exp(-z)), "tabulate": lambda *args, **kwargs: None}
    exec(cell, names)
    for bias, f, steps_to_half, *_ in names["rows"]:
        yield math.log(0.5) / math.log(1 / (1 + math.exp(-bias))), steps_to_half
        yield 1 / (1 + math.exp(-bias)), f


def chrono_bias():
    r"""b_f = \ln u, \qquad b_i = -b_f"""
    u = np.array([1.5, 7.0])
    n = network()
    model = LastStep(parameters(n), np.zeros((H, 1)), np.zeros(1))
    b_f = [math.log(value) for value in u]
    got = from_book("lstm", "with_biases")(model, np.array(b_f), -np.array(b_f)).parameters
    yield [-b for b in b_f] + b_f, (got.b_x + got.b_h)[: 2 * H]
    yield [value / (value + 1) for value in u], sigmoid(b_f)  # what the text concludes
    yield [1 - value / (value + 1) for value in u], sigmoid([-b for b in b_f])


# --- Relatives ------------------------------------------------------------------------------------------------


def hard_sigmoid():
    r"""\hat\sigma(z) = \min\bigl(1, \max\bigl(0, \tfrac z6 + \tfrac12\bigr)\bigr)"""

    def hard(row):
        return [min(1.0, max(0.0, z / 6 + 1 / 2)) for z in row]

    z = np.linspace(-7, 7, 29)
    yield hard(z), activations.hard_sigmoid(z)
    n = network()
    x, h, c, U, W, b = single(n)
    sums = {gate: total(n | {"b": 3 * b}, gate, x[0], h[0]) for gate in GATES}
    new = plus(entrywise(hard(sums["f"]), c[0]), entrywise(hard(sums["i"]), tanh(sums["g"])))
    want = [entrywise(hard(sums["o"]), tanh(new)), new]
    yield want, [part[0] for part in hard_lstm_step(x, h, c, U, W, 3 * b)]
    params = Parameters(U, W, b, 2 * b)
    yield want, [part[0] for part in unroll(LSTMCell("hard_sigmoid"), params, x[None], (h, c)).state]


def lstm_1997():
    r"""c_t = c_{t-1} + i_t \odot g_t"""
    n = network()
    part(n["b"], "f")[:] = 100  # as in the chapter: the gate is held open
    h, c, want = list(n["h_0"]), list(n["c_0"]), []
    for x in n["x"]:
        c = plus(c, entrywise(sigmoid(total(n, "i", x, h)), tanh(total(n, "g", x, h))))
        h = entrywise(sigmoid(total(n, "o", x, h)), tanh(c))
        want.append(c)
    yield want, run(LSTMCell(), n).tape.states[1][1:, 0]


def peephole_gates():
    r"""\begin{aligned}
    i_t &= \sigma(x_t U_i + h_{t-1} W_i + b_i + p_i \odot c_{t-1}) \\
    f_t &= \sigma(x_t U_f + h_{t-1} W_f + b_f + p_f \odot c_{t-1}) \\
    o_t &= \sigma(x_t U_o + h_{t-1} W_o + b_o + p_o \odot c_t)
    \end{aligned}"""
    n = network()
    found = steps(n, n["p"])
    got = run(PeepholeLSTMCell(), n, n["p"])
    yield [[step.gates[gate] for gate in GATES] for step in found], got.tape.kept[:, :, 0]
    yield [step.h for step in found], got.hidden[0]
    arguments = [np.array(row)[None] for row in found[1][:3]]
    h, c = peephole_lstm_step(*arguments, n["U"], n["W"], n["b"], n["p"])
    yield [found[1].h, found[1].c], [h[0], c[0]]


def peephole_weights():
    r"""\frac{\partial L}{\partial p_i} = \sum_{t=1}^{T} \delta^i_t \odot c_{t-1}, \quad
    \frac{\partial L}{\partial p_f} = \sum_{t=1}^{T} \delta^f_t \odot c_{t-1}, \quad
    \frac{\partial L}{\partial p_o} = \sum_{t=1}^{T} \delta^o_t \odot c_t"""
    n = network()
    cell, p, _, found, formula = three(n)[1]
    rows = list(zip(found, (np.array(row) for _, _, row in formula), strict=True))
    want = [
        plus(*(entrywise(part(row, "i"), step.c_old) for step, row in rows)),
        plus(*(entrywise(part(row, "f"), step.c_old) for step, row in rows)),
        plus(*(entrywise(part(row, "o"), step.c) for step, row in rows)),
    ]
    yield want, back(cell, n, p).parameters.inner


def coupled_cell():
    r"""c_t = f_t \odot c_{t-1} + (1 - f_t) \odot g_t"""
    cell, _, n, found, _ = three(network())[2]
    yield [step.c for step in found], run(cell, n).tape.states[1][1:, 0]


def coupled_sums():
    r"""\begin{aligned}
    \delta^f_t &= \delta^c_t \odot (c_{t-1} - g_t) \odot f_t \odot (1 - f_t) \\
    \delta^g_t &= \delta^c_t \odot (1 - f_t) \odot (1 - g_t^2)
    \end{aligned}"""
    cell, _, n, _, formula = three(network())[2]
    yield [row for _, _, row in formula], [row for _, _, row in by_package(cell, n)]


EQUATIONS = {
    "lstm-gates": lstm_gates,
    "lstm-cell": lstm_cell,
    "lstm-hidden": lstm_hidden,
    "sigmoid-tanh": sigmoid_tanh,
    "lstm-fused": lstm_fused,
    "lstm-dh": lstm_dh,
    "lstm-dc": lstm_dc,
    "lstm-sums": lstm_sums,
    "lstm-weights": lstm_weights,
    "lstm-first": lstm_first,
    "lstm-belt": lstm_belt,
    "half-life": half_life,
    "lstm-jacobian": lstm_jacobian,
    "chrono-bias": chrono_bias,
    "hard-sigmoid": hard_sigmoid,
    "lstm-1997": lstm_1997,
    "peephole-gates": peephole_gates,
    "peephole-dc": peephole_dc,
    "peephole-weights": peephole_weights,
    "coupled-cell": coupled_cell,
    "coupled-sums": coupled_sums,
}

IMPLEMENTED = [
    ("lstm-gates", lambda: inspect.getsource(LSTMCell)),
    ("lstm-cell", lambda: inspect.getsource(LSTMCell.step)),
    ("lstm-hidden", lambda: inspect.getsource(LSTMCell.step)),
    ("lstm-gates", lambda: defined("lstm", "step")),
    ("lstm-cell", lambda: defined("lstm", "step")),
    ("lstm-hidden", lambda: defined("lstm", "step")),
    ("lstm-belt", lambda: defined("lstm", "sensitivity")),
    ("chrono-bias", lambda: defined("lstm", "latch_losses")),
    ("half-life", lambda: next(cell for cell in code_cells("lstm") if "half_life = " in cell)),
    ("peephole-gates", lambda: inspect.getsource(PeepholeLSTMCell)),
    ("coupled-cell", lambda: inspect.getsource(CoupledLSTMCell.step)),
]
