"""The tasks of the exercise `bptt`: right answers, the mistakes people make, other right ways."""

import inspect

import numpy as np

from rnncourse.check import diagnose
from rnncourse.check.task import Mistake, Task, Variant

# --- Right answers: exactly what stands in the answer cells of solutions/bptt ---------------------------------


def rnn_step_backward(d_h, x, h_old, h, U, W):
    """One step back: d_h, h_old, h (B, H), x (B, D), U (D, H), W (H, H) -> d_x, d_h_old, d_U, d_W, d_b."""
    d_z = d_h * (1 - h * h)
    d_x, d_h_old = d_z @ U.T, d_z @ W.T  # (bptt-input)
    d_U, d_W, d_b = x.T @ d_z, h_old.T @ d_z, d_z.sum(axis=0)
    return d_x, d_h_old, d_U, d_W, d_b


def rnn_backward(d_hidden, x, h_0, hidden, U, W, mask):
    """All steps back: d_hidden, hidden (B, T, H), x (B, T, D), h_0 (B, H), mask (B, T) -> d_x, d_h_0, d_U, d_W, d_b."""
    d_x, d_U, d_W, d_b = np.zeros_like(x), np.zeros_like(U), np.zeros_like(W), np.zeros_like(W[0])
    d_h = np.zeros_like(h_0)
    for t in reversed(range(x.shape[1])):
        d_h = d_h + d_hidden[:, t]  # (bptt-delta)
        real = mask[:, t, None]
        h_old = hidden[:, t - 1] if t > 0 else h_0
        step = rnn_step_backward(np.where(real, d_h, 0), x[:, t], h_old, hidden[:, t], U, W)
        d_x[:, t] = step[0]
        d_U, d_W, d_b = d_U + step[2], d_W + step[3], d_b + step[4]
        d_h = np.where(real, step[1], d_h)  # (bptt-mask)
    return d_x, d_h, d_U, d_W, d_b


def truncated_backward(d_hidden, x, h_0, hidden, U, W, mask, k):
    """As rnn_backward, but no gradient passes from a piece of k steps to the one before it."""
    d_x, weights = np.zeros_like(x), [np.zeros_like(U), np.zeros_like(W), np.zeros_like(W[0])]
    for start in reversed(range(0, x.shape[1], k)):  # the first piece last: its gradient is that of h_0
        piece = slice(start, start + k)
        before = hidden[:, start - 1] if start > 0 else h_0
        back = rnn_backward(d_hidden[:, piece], x[:, piece], before, hidden[:, piece], U, W, mask[:, piece])
        d_x[:, piece], d_h_0 = back[:2]
        weights = [total + part for total, part in zip(weights, back[2:], strict=True)]
    return d_x, d_h_0, *weights


def numerical_gradient(f, x, step=1e-5):
    """The gradient of the function f at the array x by central differences: an array like x."""
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[index] += step
        down[index] -= step
        gradient[index] = (f(up) - f(down)) / (2 * step)
    return gradient


def relative_error(got, want):
    """The largest difference of two arrays, relative to the largest entry of either; 0 for two arrays of zeros."""
    scale = max(np.abs(got).max(), np.abs(want).max())
    return np.abs(got - want).max() / scale if scale > 0 else 0.0


GRADIENTS_BY_HAND = "gradients_by_hand = [-15, 12, 3, -3, 2, 6]"


# --- Inputs that the visible check tries ----------------------------------------------------------------------


def _normal(rng, dtype, **shapes):
    return {name: rng.normal(size=shape).astype(dtype) for name, shape in shapes.items()}


def _step_case(seed, B, D, H, dtype=np.float64):
    case = _normal(np.random.default_rng(seed), dtype, d_h=(B, H), x=(B, D), h_old=(B, H), h=(B, H), U=(D, H), W=(H, H))
    return case | {"h_old": np.tanh(case["h_old"]), "h": np.tanh(case["h"])}


def _step_cases():
    return [
        _step_case(0, B=2, D=3, H=4),
        _step_case(1, B=3, D=3, H=3),
        _step_case(2, B=1, D=4, H=2, dtype=np.float32),
    ]


def _backward_case(seed, mask, D, H, dtype=np.float64):
    """A real run: at padding the hidden state is the one before."""
    mask = np.array(mask, dtype=bool)
    B, T = mask.shape
    rng, states = np.random.default_rng(seed), (B, T, H)
    case = _normal(rng, dtype, d_hidden=states, x=(B, T, D), h_0=(B, H), hidden=states, U=(D, H), W=(H, H))
    h = case["h_0"] = np.tanh(case["h_0"])
    for t in range(T):
        h = case["hidden"][:, t] = np.where(mask[:, t, None], np.tanh(case["x"][:, t] @ case["U"] + h @ case["W"]), h)
    return case | {"mask": mask}


def _backward_cases():
    return [
        _backward_case(3, [[1, 1, 1, 1], [1, 1, 0, 0], [0, 1, 1, 1]], D=2, H=3),
        _backward_case(4, [[1, 0, 1, 0, 1], [1, 1, 1, 1, 1]], D=3, H=3),
        _backward_case(5, [[1, 1, 1]], D=2, H=4, dtype=np.float32),
    ]


def _truncated_cases():
    return [
        _backward_case(6, np.ones((2, 6)), D=3, H=4) | {"k": 3},
        _backward_case(7, [[1, 1, 1, 1, 1, 1, 1], [1, 1, 0, 0, 1, 1, 0]], D=2, H=2) | {"k": 3},
        _backward_case(8, np.ones((1, 5)), D=2, H=3, dtype=np.float32) | {"k": 2},
    ]


def _function(formula):
    """A function of x. From text, because code of this package is refused while an answer runs."""
    return eval(f"lambda x: float({formula})", {"np": np})


def _numerical_cases():
    cases = [
        ("x[0, 0] ** 3 + x[0, 0] * x[0, 1] ** 2 + np.sin(x[0, 2])", [[1.0, -2.0, 0.5]], 1e-4),
        ("(x ** 3).sum() + x[0, 1] * x[1, 2] ** 2", [[0.5, -1.0, 2.0], [1.5, 0.0, -0.5]], 0.1),
        ("np.tanh(x @ x.T).sum() + x[0, 1]", [[0.0, 1.0], [-1.0, 0.5]], 1e-5),
    ]
    return [{"f": _function(formula), "x": np.array(x), "step": step} for formula, x, step in cases]


def _relative_cases():
    return [
        {"got": np.array([[1.0, -2.0], [0.0, 0.5]]), "want": np.array([[1.0, -1.5], [0.1, 0.4]])},
        {"got": np.array([1e-6, -2e-6, 4e-6]), "want": np.array([2e-6, -2e-6, -5e-6])},
        {"got": np.zeros(3), "want": np.zeros(3)},
    ]


# --- Mistakes -------------------------------------------------------------------------------------------------

_D_Z = "d_z = d_h * (1 - h * h)"
_LINEAR = "d_x, d_h_old = d_z @ U.T, d_z @ W.T"
_WEIGHTS = "d_U, d_W, d_b = x.T @ d_z, h_old.T @ d_z, d_z.sum(axis=0)"
_RETURN = "return d_x, d_h_old, d_U, d_W, d_b"

STEP_MISTAKES = (
    Mistake("no slope", "the slope of tanh is left out: the gradient of the state is used as that of the sum z.",
            ((_D_Z, "d_z = d_h"),)),
    Mistake("slope of tanh of h", "tanh is taken of h once more. h is already the tanh of the sum.",
            ((_D_Z, "d_z = d_h * (1 - np.tanh(h) ** 2)"),)),
    Mistake("slope at the old state", "the slope is taken at the old state; it belongs to the state that the step "
            "produced.", ((_D_Z, "d_z = d_h * (1 - h_old * h_old)"),)),
    Mistake("slope of a sigmoid", "the slope of the sigmoid stands where that of tanh should.",
            ((_D_Z, "d_z = d_h * h * (1 - h)"),)),
    Mistake("square forgotten", "the slope of tanh is taken as 1 - h; a square is missing.",
            ((_D_Z, "d_z = d_h * (1 - h)"),)),
    Mistake("slope inverted", "the gradient is divided by the slope; it has to be multiplied.",
            ((_D_Z, "d_z = d_h / (1 - h * h)"),)),
    Mistake("slope of ReLU", "the slope of ReLU stands where that of tanh should.", ((_D_Z, "d_z = d_h * (h > 0)"),)),
    Mistake("W not transposed", "d_h_old goes through W in the forward direction. On the way back every unit "
            "collects from the units that it acted on.", ((_LINEAR, "d_x, d_h_old = d_z @ U.T, d_z @ W"),)),
    Mistake("past tanh", "the old state gets its gradient from d_h, as if W came after tanh; it acts through the "
            "sum z.", ((_LINEAR, "d_x, d_h_old = d_z @ U.T, d_h @ W.T"),)),
    Mistake("input past tanh", "x gets its gradient from d_h; like the old state it acts through the sum z.",
            ((_LINEAR, "d_x, d_h_old = d_h @ U.T, d_z @ W.T"),)),
    Mistake("slope twice", "the slope enters twice into d_h_old. That of the old state belongs to the step before.",
            ((_LINEAR, "d_x, d_h_old = d_z @ U.T, (d_z * (1 - h * h)) @ W.T"),)),
    Mistake("old state added", "d_h itself is added to d_h_old. The old state acts through W alone.",
            ((_LINEAR, "d_x, d_h_old = d_z @ U.T, d_z @ W.T + d_h"),)),
    Mistake("new state in d_W", "d_W is formed with the new state. W was multiplied with the state before the step.",
            ((_WEIGHTS, _WEIGHTS.replace("h_old.T", "h.T")),)),
    Mistake("d_W transposed", "d_W is transposed: rows belong to the units from which a weight leads, columns to "
            "those to which.", ((_WEIGHTS, _WEIGHTS.replace("h_old.T @ d_z", "d_z.T @ h_old")),)),
    Mistake("d_W past tanh", "d_W is formed with d_h; W acts through the sum z.",
            ((_WEIGHTS, _WEIGHTS.replace("h_old.T @ d_z", "h_old.T @ d_h")),)),
    Mistake("d_b not summed", "d_b has a row for each example. All examples share one b, so their gradients add up.",
            ((_WEIGHTS, _WEIGHTS.replace("d_z.sum(axis=0)", "d_z")),)),
    Mistake("d_b over units", "d_b is summed over the units; it has to be summed over the examples.",
            ((_WEIGHTS, _WEIGHTS.replace("axis=0", "axis=1")),)),
    Mistake("d_b past tanh", "d_b is formed with d_h; b is part of the sum z.",
            ((_WEIGHTS, _WEIGHTS.replace("d_z.sum", "d_h.sum")),)),
    Mistake("mean over the batch", "the gradients of the weights are averaged over the examples; here they add up.",
            ((_RETURN, f"d_U, d_W, d_b = d_U / len(x), d_W / len(x), d_b / len(x)\n    {_RETURN}"),)),
    Mistake("first two swapped", "d_x and d_h_old are returned in the wrong order.",
            ((_RETURN, "return d_h_old, d_x, d_U, d_W, d_b"),)),
    Mistake("d_U and d_W swapped", "d_U and d_W are returned in the wrong order.",
            ((_RETURN, "return d_x, d_h_old, d_W, d_U, d_b"),)),
    Mistake("inputs' gradients missing", "only the gradients of the weights are returned.",
            ((_RETURN, "return d_U, d_W, d_b"),)),
    Mistake("float64 only", "the results are always float64; keep the dtype of the inputs.",
            ((_D_Z, "d_z = d_h.astype(np.float64) * (1 - h * h)"),)),
    Mistake("d_h overwritten", "d_h is multiplied in place (`d_h *= …`).",
            ((_D_Z, "d_h *= 1 - h * h\n    d_z = d_h"),)),
)  # fmt: skip

_ADD = "d_h = d_h + d_hidden[:, t]"
_REAL = "real = mask[:, t, None]"
_OLD = "h_old = hidden[:, t - 1] if t > 0 else h_0"
_STOP = "np.where(real, d_h, 0)"
_HOLD = "d_h = np.where(real, step[1], d_h)"
_SUM = "d_U, d_W, d_b = d_U + step[2], d_W + step[3], d_b + step[4]"
_LOOP = "reversed(range(x.shape[1]))"

BACKWARD_MISTAKES = (
    Mistake("state taken as constant", "nothing is carried from a step to the one before: each step knows its own "
            "loss only. The state before is no constant.", ((_ADD, "d_h = d_hidden[:, t]"),)),
    Mistake("last loss only", "only the last step's part of d_hidden enters. Every state has a gradient of its own.",
            ((_ADD, "d_h = d_h + d_hidden[:, t] * (t == x.shape[1] - 1)"),)),
    Mistake("own gradient too late", "a step's own d_hidden is added after the step has been made, so it reaches "
            "only the steps before.", ((_ADD, "pass"), (_HOLD, f"{_HOLD}\n        {_ADD}"))),
    Mistake("weights overwritten", "the gradients of the weights are overwritten in every step; they have to add up.",
            ((_SUM, "d_U, d_W, d_b = step[2], step[3], step[4]"),)),
    Mistake("d_b overwritten", "d_b is overwritten in every step; it has to add up over time like the others.",
            ((_SUM, "d_U, d_W, d_b = d_U + step[2], d_W + step[3], step[4]"),)),
    Mistake("mean over time", "the gradients of the weights are averaged over the steps; here they add up.",
            (("return d_x, d_h, d_U, d_W, d_b", "T = x.shape[1]\n    return d_x, d_h, d_U / T, d_W / T, d_b / T"),)),
    Mistake("forwards in time", "the loop runs from the first step to the last; a gradient is carried from the last "
            "to the first.", ((_LOOP, "range(x.shape[1])"),)),
    Mistake("mask ignored", "the mask is ignored: padding is treated as a real step.",
            ((_STOP, "d_h"), (_HOLD, "d_h = step[1]"))),
    Mistake("gradient ends at padding", "the gradient ends at padding. There the state was handed on unchanged, so "
            "its gradient has to be handed back.", ((_HOLD, "d_h = step[1]"),)),
    Mistake("padding teaches weights", "padding adds to the gradients of the weights. No weight is at work there.",
            ((_STOP, "d_h"),)),
    Mistake("d_hidden dropped at padding", "d_hidden is dropped at padding. The state there is the held one, and "
            "its gradient counts.", ((_ADD, "d_h = d_h + d_hidden[:, t] * mask[:, t, None].astype(x.dtype)"),)),
    Mistake("mask inverted", "the mask is read the wrong way round. It is True at real steps.",
            ((_REAL, "real = ~mask[:, t, None]"),)),
    Mistake("mask of the first example", "the mask of the first example is used for the whole batch.",
            ((_REAL, "real = mask[:1, t, None]"),)),
    Mistake("state after the step", "the state after the step is used where the one before it belongs.",
            ((_OLD, "h_old = hidden[:, t]"),)),
    Mistake("wraps around", "at the first step the last state is used as the one before: in Python the index -1 is "
            "the end.", ((_OLD, "h_old = hidden[:, t - 1]"),)),
    Mistake("starts at zero", "zeros are used as the state before the first step; it is h_0.",
            ((_OLD, "h_old = hidden[:, t - 1] if t > 0 else np.zeros_like(h_0)"),)),
    Mistake("first step forgotten", "the loop ends before the first step.",
            ((_LOOP, "range(x.shape[1] - 1, 0, -1)"),)),
    Mistake("last step forgotten", "the loop begins one step before the last.",
            ((_LOOP, "reversed(range(x.shape[1] - 1))"),)),
    Mistake("gradient of the first state", "the gradient of the state after the first step is returned as d_h_0; "
            "one more step leads back to h_0.", ((_HOLD, f"if t > 0:\n            {_HOLD}"),)),
    Mistake("d_h_0 left at zero", "zeros are returned as the gradient of h_0.",
            (("return d_x, d_h, d_U", "return d_x, np.zeros_like(h_0), d_U"),)),
    Mistake("d_x in reverse", "the gradients of the inputs stand in the order in which the loop makes them, from "
            "last to first.", (("d_x[:, t] = step[0]", "d_x[:, -1 - t] = step[0]"),)),
    Mistake("d_x of the last visited step", "every step of d_x holds the gradient of one and the same step.",
            (("d_x[:, t] = step[0]", "d_x[:] = step[0][:, None]"),)),
    Mistake("time first", "time is the first axis of d_x. Here the batch comes first: (B, T, D).",
            (("return d_x, d_h", "return d_x.swapaxes(0, 1), d_h"),)),
    Mistake("float64 only", "the results are float64; `np.zeros` needs the dtype of the inputs.",
            (("d_h = np.zeros_like(h_0)", "d_h = np.zeros(h_0.shape)"),)),
    Mistake("d_hidden overwritten", "the carried gradient is added into d_hidden itself (`d_hidden[:, t] += …`).",
            ((_ADD, "d_hidden[:, t] += d_h\n        d_h = d_hidden[:, t]"),)),
)  # fmt: skip

_STARTS = "range(0, x.shape[1], k)"
_PIECE = "piece = slice(start, start + k)"
_BEFORE = "before = hidden[:, start - 1] if start > 0 else h_0"
_CALL = "back = rnn_backward(d_hidden[:, piece], x[:, piece], before, hidden[:, piece], U, W, mask[:, piece])"
_FIRST = "d_x[:, piece], d_h_0 = back[:2]"
_TOTAL = "weights = [total + part for total, part in zip(weights, back[2:], strict=True)]"

TRUNCATED_MISTAKES = (
    Mistake("not cut", "nothing is cut: this is the whole gradient.",
            ((_STARTS, "range(0, x.shape[1], x.shape[1])"), (_PIECE, "piece = slice(None)"))),
    Mistake("counted from the end", "the pieces are counted from the end. The first piece begins at step 0, and the "
            "last may be short.",
            ((_STARTS, "range(-(-x.shape[1] % k), x.shape[1], k)"),
             (_PIECE, "piece = slice(max(start, 0), start + k)"))),
    Mistake("state reset", "every piece starts from a state of zeros. Only the gradient is cut; the state was "
            "carried.", ((_BEFORE, "before = np.zeros_like(h_0)"),)),
    Mistake("h_0 for every piece", "every piece starts from h_0. It starts from the state at which the piece before "
            "it ended.", ((_BEFORE, "before = h_0"),)),
    Mistake("state one step late", "the state after a piece's first step is used as the one before it.",
            ((_BEFORE, "before = hidden[:, start] if start > 0 else h_0"),)),
    Mistake("last piece only", "the gradients of the weights come from the last piece only; the pieces add up.",
            ((_TOTAL, "weights = list(back[2:]) if start + k >= x.shape[1] else weights"),)),
    Mistake("first piece only", "the gradients of the weights come from the first piece only; the pieces add up.",
            ((_TOTAL, "weights = list(back[2:])"),)),
    Mistake("mean over the pieces", "the gradients of the weights are averaged over the pieces; here they add up.",
            (("return d_x, d_h_0, *weights", "pieces = -(-x.shape[1] // k)\n    "
              "return d_x, d_h_0, *(total / pieces for total in weights)"),)),
    Mistake("d_h_0 of the last piece", "d_h_0 comes from the last piece. h_0 stands before the first.",
            ((f"reversed({_STARTS})", _STARTS),)),
    Mistake("d_h_0 added up", "d_h_0 is added up over the pieces. h_0 stands before the first piece only.",
            (("d_x, weights = ", "d_h_0 = np.zeros_like(h_0)\n    d_x, weights = "),
             (_FIRST, "d_x[:, piece] = back[0]\n        d_h_0 = d_h_0 + back[1]"))),
    Mistake("d_h_0 zero", "d_h_0 is zero. The first piece does reach back to h_0.",
            ((_FIRST, "d_x[:, piece], d_h_0 = back[0], np.zeros_like(h_0)"),)),
    Mistake("short piece dropped", "the last piece is dropped if it has fewer than k steps.",
            ((_STARTS, "range(0, x.shape[1] - x.shape[1] % k, k)"),)),
    Mistake("overlap", "the pieces overlap by a step, and its loss counts twice.",
            ((_PIECE, "piece = slice(start, start + k + 1)"),)),
    Mistake("one loss a piece", "only the last state of each piece has a gradient. Every step's d_hidden counts.",
            ((_CALL, "own = np.array(d_hidden[:, piece])\n        own[:, :-1] = 0\n        "
             + _CALL.replace("d_hidden[:, piece]", "own")),)),
    Mistake("only the last k steps", "only the last k steps of the sequence are used. Every piece of the sequence "
            "teaches.", ((_STARTS, "[max(0, x.shape[1] - k)]"),)),
    Mistake("k pieces", "the sequence is cut into k pieces. It should be cut into pieces of k steps.",
            (("d_x, weights = ", "k = -(-x.shape[1] // k)\n    d_x, weights = "),)),
    Mistake("every state a constant", "every step is cut off from the one before. Within a piece the gradient is "
            "carried.", ((_STARTS, "range(x.shape[1])"), (_PIECE, "piece = slice(start, start + 1)"))),
    Mistake("mask ignored", "the mask is ignored: padding is treated as a real step.",
            ((_CALL, _CALL.replace("mask[:, piece]", "np.ones_like(mask[:, piece])")),)),
)  # fmt: skip

_MOVES = "up[index] += step\n        down[index] -= step"
_QUOTIENT = "(f(up) - f(down)) / (2 * step)"
_COPIES = "up, down = x.copy(), x.copy()"
_LOOP_X = "    for index in np.ndindex(x.shape):\n        up, down = x.copy(), x.copy()"

NUMERICAL_MISTAKES = (
    Mistake("forward difference", "f is only moved up, (f(x + e) - f(x)) / e. That is a one-sided difference, with "
            "a much larger error.", ((_QUOTIENT, "(f(up) - f(x)) / step"),)),
    Mistake("backward difference", "f is only moved down, (f(x) - f(x - e)) / e. That is a one-sided difference, "
            "with a much larger error.", ((_QUOTIENT, "(f(x) - f(down)) / step"),)),
    Mistake("divided by one step", "the difference is divided by the step. The two points lie two steps apart.",
            ((_QUOTIENT, "(f(up) - f(down)) / step"),)),
    Mistake("brackets missing", "`/ 2 * step` divides by 2 and then multiplies by the step; brackets are missing.",
            ((_QUOTIENT, "(f(up) - f(down)) / 2 * step"),)),
    Mistake("brackets of the difference missing", "`f(up) - f(down) / …` divides only the second value; brackets "
            "are missing.", ((_QUOTIENT, "f(up) - f(down) / (2 * step)"),)),
    Mistake("not divided", "the difference is not divided by how far the points lie apart.",
            ((_QUOTIENT, "f(up) - f(down)"),)),
    Mistake("sign", "the difference is taken the wrong way round: the sign of every entry is wrong.",
            ((_QUOTIENT, "(f(down) - f(up)) / (2 * step)"),)),
    Mistake("second difference", "this is the second derivative, with f(x) twice in the middle.",
            ((_QUOTIENT, "(f(up) - 2 * f(x) + f(down)) / step**2"),)),
    Mistake("moves not undone", "an entry that was moved stays moved while the next one is tried. Start from x each "
            "time.", ((_LOOP_X, f"    {_COPIES}\n    for index in np.ndindex(x.shape):"),)),
    Mistake("all entries at once", "all entries are moved at once. Each derivative is that by one entry, with the "
            "others held.", ((_MOVES, "up += step\n        down -= step"),)),
    Mistake("relative step", "the entry is multiplied by 1 ± step, but the difference is divided as if the step had "
            "been added.", ((_MOVES, "up[index] *= 1 + step\n        down[index] *= 1 - step"),)),
    Mistake("half a step", "the points are half a step away, but the difference is divided by two steps.",
            ((_MOVES, "up[index] += step / 2\n        down[index] -= step / 2"),)),
    Mistake("step ignored", "the argument `step` is ignored and another step is used.",
            (("    for index", "    step = 1e-6\n    for index"),)),
    Mistake("flat", "the result is flat; it should have the shape of x.",
            (("return gradient", "return gradient.ravel()"),)),
    Mistake("first axis only", "only the entries with index 0 on all later axes are tried. Every entry needs its "
            "own derivative.", (("np.ndindex(x.shape)", "[(i,) + (0,) * (x.ndim - 1) for i in range(len(x))]"),)),
    Mistake("last entry missing", "the last entry is left out.",
            (("np.ndindex(x.shape)", "list(np.ndindex(x.shape))[:-1]"),)),
    Mistake("float32", "the result is float32: most digits of the difference are thrown away.",
            (("np.zeros_like(x)", "np.zeros(x.shape, dtype=np.float32)"),)),
    Mistake("x moved", "x itself is moved and not put back.", ((_COPIES, "up, down = x, x.copy()"),)),
    Mistake("views instead of copies", "`up = x` makes no copy: both names are the same array, moved up and down "
            "again.", ((_COPIES, "up, down = x, x"),)),
    Mistake("nothing returned", "the gradient is computed, but not returned.", (("return gradient", "pass"),)),
)  # fmt: skip

_SCALE = "scale = max(np.abs(got).max(), np.abs(want).max())"
_ERROR = "return np.abs(got - want).max() / scale if scale > 0 else 0.0"

RELATIVE_MISTAKES = (
    Mistake("absolute", "the difference is not divided by anything: this is the absolute error.",
            ((_ERROR, "return np.abs(got - want).max()"),)),
    Mistake("entry by entry", "each difference is divided by its own entry. An entry near 0 then looks hopeless, "
            "and 0 gives no number at all.", ((_ERROR, "return (np.abs(got - want) / np.abs(want)).max()"),)),
    Mistake("entry by entry, both", "each difference is divided by the larger of its own two entries. The scale is "
            "one for the whole array.",
            ((_ERROR, "return (np.abs(got - want) / np.maximum(np.maximum(abs(got), abs(want)), 1e-300)).max()"),)),
    Mistake("relative to want", "only the largest entry of `want` is the scale; take the larger of both arrays.",
            ((_SCALE, "scale = np.abs(want).max()"),)),
    Mistake("relative to got", "only the largest entry of `got` is the scale; take the larger of both arrays.",
            ((_SCALE, "scale = np.abs(got).max()"),)),
    Mistake("sum of both", "the largest entries of both arrays are added; take the larger of the two.",
            ((_SCALE, "scale = np.abs(got).max() + np.abs(want).max()"),)),
    Mistake("scale without absolute values", "the largest entry is looked for without absolute values, so that a "
            "large negative one is overlooked.", ((_SCALE, "scale = max(got.max(), want.max())"),)),
    Mistake("difference without absolute value", "the largest difference is looked for without absolute values: one "
            "that is too small is overlooked.",
            ((_ERROR, "return (got - want).max() / scale if scale > 0 else 0.0"),)),
    Mistake("mean", "the mean difference is taken; a single wrong entry should show.",
            ((_ERROR, "return np.abs(got - want).mean() / scale if scale > 0 else 0.0"),)),
    Mistake("norms", "norms of whole arrays are compared instead of the largest entries.",
            ((_ERROR, "scale = max(np.linalg.norm(got), np.linalg.norm(want))\n    "
             "return np.linalg.norm(got - want) / scale if scale > 0 else 0.0"),)),
    Mistake("small number added", "a small number is added to the scale. Gradients can be as small as that number.",
            ((_ERROR, "return np.abs(got - want).max() / (scale + 1e-8)"),)),
    Mistake("not below one", "the scale is never taken below 1, so that small gradients look right however wrong "
            "they are.", ((_ERROR, "return np.abs(got - want).max() / max(scale, 1.0)"),)),
    Mistake("zeros give nan", "two arrays of zeros give 0 / 0. They agree, so the error is 0.",
            ((_ERROR, "return np.abs(got - want).max() / scale"),)),
    Mistake("squares", "the difference is squared.",
            ((_ERROR, "return (np.abs(got - want).max() / scale) ** 2 if scale > 0 else 0.0"),)),
    Mistake("per cent", "the result is in per cent.",
            ((_ERROR, "return 100 * np.abs(got - want).max() / scale if scale > 0 else 0.0"),)),
    Mistake("an array", "there is one error for each entry; return the largest.",
            ((_ERROR, "return np.abs(got - want) / scale if scale > 0 else 0.0"),)),
)  # fmt: skip


def _hand(name, sentence, numbers):
    return Mistake(name, sentence, (("[-15, 12, 3, -3, 2, 6]", numbers),))


HAND_MISTAKES = (
    _hand("slope always one", "the unit is taken as linear. Where its sum is negative, ReLU has the slope 0.",
          "[-48, 48, 24, -3, 2, 30]"),
    _hand("states as constants", "nothing is handed back from a step to the one before it.",
          "[-21, 6, -3, -3, 2, -6]"),
    _hand("state after the step", "the gradient of W is formed with the state after each step; W is multiplied with "
          "the one before.", "[-15, 9, 3, -3, 2, 6]"),
    _hand("V forgotten", "the output error reaches the state without the weight V.", "[-5, 4, 1, -3, 2, 2]"),
    _hand("V and W swapped", "V and W are swapped on the way back: the error enters through V and is handed back "
          "through W.", "[-16, 10, 4, -3, 2, 12]"),
    _hand("last loss only", "only the error of the last step is used. Every step has one.", "[-6, 0, -3, -2, -1, 0]"),
    _hand("all is cut", "nothing at all is left before the silent step. Only what comes from *after* it is cut; the "
          "steps before it have losses of their own.", "[-6, 0, -3, -3, 2, 0]"),
    _hand("silent step hands back", "the silent step hands back what it got from the step after it. Its slope is 0 "
          "for everything.", "[39, 8, -39, -3, 2, -42]"),
    _hand("silent step's own error", "the silent step hands back its own error. Its slope is 0 for everything.",
          "[-114, 102, 66, -3, 2, 78]"),
    _hand("without W", "the gradient of h_0 lacks the weight through which h_0 acts.", "[-15, 12, 3, -3, 2, 3]"),
    _hand("sign", "the output error has the wrong sign: it is output minus target.", "[15, -12, -3, 3, -2, -6]"),
    _hand("factor two", "all gradients are twice as large. The loss has a factor ½ in front of the square.",
          "[-30, 24, 6, -6, 4, 12]"),
    _hand("starts from zero", "the network starts from h_0 = 0; here h_0 = 1.", "[-15, 0, -18, -13, -10, -42]"),
)  # fmt: skip

# --- Other right ways -----------------------------------------------------------------------------------------

STEP_VARIANTS = (
    Variant("one fused product", """\
def rnn_step_backward(d_h, x, h_old, h, U, W):
    d_z = (1 - h) * (1 + h) * d_h
    both = d_z @ np.concatenate([U, W]).T
    weights = np.concatenate([x, h_old, np.ones((len(x), 1), x.dtype)], axis=1).T @ d_z
    D, H = U.shape
    return both[:, :D], both[:, D:], weights[:D], weights[D : D + H], weights[-1]"""),
    Variant("einsum", """\
def rnn_step_backward(d_h, x, h_old, h, U, W):
    d_z = d_h - d_h * h**2
    return [np.einsum("bh,dh->bd", d_z, U), np.einsum("bj,ij->bi", d_z, W), np.einsum("bd,bh->dh", x, d_z),
            np.einsum("bi,bj->ij", h_old, d_z), np.einsum("bh->h", d_z)]"""),
    Variant("one example at a time", """\
def rnn_step_backward(d_h, x, h_old, h, U, W):
    d_x, d_h_old = np.empty_like(x), np.empty_like(h)
    d_U, d_W, d_b = np.zeros_like(U), np.zeros_like(W), np.zeros_like(h[0])
    for n in range(len(x)):
        d_z = d_h[n] * (1 - h[n] ** 2)
        d_x[n], d_h_old[n] = U @ d_z, W @ d_z
        d_U += np.outer(x[n], d_z)
        d_W += np.outer(h_old[n], d_z)
        d_b += d_z
    return d_x, d_h_old, d_U, d_W, d_b"""),
    Variant("columns, transposed back", """\
def rnn_step_backward(d_h, x, h_old, h, U, W):
    d_z = (d_h * (1 - np.square(h))).T
    return (U @ d_z).T, (W @ d_z).T, (d_z @ x).T, (d_z @ h_old).T, d_z.sum(axis=1)"""),
    Variant("PyTorch inside", """\
import torch
def rnn_step_backward(d_h, x, h_old, h, U, W):
    d_h, x, h_old, h, U, W = map(torch.from_numpy, (d_h, x, h_old, h, U, W))
    d_z = d_h * (1 - h.square())
    return tuple(a.numpy() for a in (d_z @ U.T, d_z @ W.T, x.T @ d_z, h_old.T @ d_z, d_z.sum(0)))"""),
)  # fmt: skip

BACKWARD_VARIANTS = (
    Variant("weights after the loop", """\
def rnn_backward(d_hidden, x, h_0, hidden, U, W, mask):
    old = np.concatenate([h_0[:, None], hidden[:, :-1]], axis=1)
    d_z, d_h = np.zeros_like(hidden), np.zeros_like(h_0)
    for t in range(x.shape[1] - 1, -1, -1):
        d_h = d_h + d_hidden[:, t]
        m = mask[:, [t]].astype(x.dtype)
        d_z[:, t] = m * d_h * (1 - hidden[:, t] ** 2)
        d_h = d_z[:, t] @ W.T + (1 - m) * d_h
    d_U, d_W = np.einsum("btd,bth->dh", x, d_z), np.einsum("bti,btj->ij", old, d_z)
    return d_z @ U.T, d_h, d_U, d_W, d_z.sum(axis=(0, 1))"""),
    Variant("only the real rows", """\
def rnn_backward(d_hidden, x, h_0, hidden, U, W, mask):
    totals = [np.zeros_like(U), np.zeros_like(W), np.zeros_like(h_0[0])]
    d_x, d_h = np.zeros_like(x), np.zeros_like(h_0)
    for t in reversed(range(mask.shape[1])):
        d_h = d_h + d_hidden[:, t]
        r = mask[:, t]
        old = h_0 if t == 0 else hidden[:, t - 1]
        d_x[r, t], d_h[r], *parts = rnn_step_backward(d_h[r], x[r, t], old[r], hidden[r, t], U, W)
        totals = [a + b for a, b in zip(totals, parts)]
    return d_x, d_h, *totals"""),
    Variant("one example at a time", """\
def rnn_backward(d_hidden, x, h_0, hidden, U, W, mask):
    d_U, d_W, d_b = np.zeros_like(U), np.zeros_like(W), np.zeros_like(h_0[0])
    d_x, d_h_0 = np.zeros_like(x), np.zeros_like(h_0)
    for n in range(len(x)):
        d_h = np.zeros_like(h_0[n])
        for t in reversed(range(x.shape[1])):
            d_h = d_h + d_hidden[n, t]
            if not mask[n, t]:
                continue
            d_z = d_h * (1 - hidden[n, t] ** 2)
            d_U += np.outer(x[n, t], d_z)
            d_W += np.outer(hidden[n, t - 1] if t else h_0[n], d_z)
            d_b += d_z
            d_x[n, t] = U @ d_z
            d_h = W @ d_z
        d_h_0[n] = d_h
    return d_x, d_h_0, d_U, d_W, d_b"""),
    Variant("lists, time first inside", """\
def rnn_backward(d_hidden, x, h_0, hidden, U, W, mask):
    states = [h_0, *hidden.swapaxes(0, 1)]
    steps = list(zip(d_hidden.swapaxes(0, 1), x.swapaxes(0, 1), states, states[1:], mask.T))
    d_h, d_x, parts = np.zeros_like(h_0), [], []
    for d, x_t, old, new, m in steps[::-1]:
        d_h, m = d_h + d, m[:, None]
        at_x, at_h, *weights = rnn_step_backward(d_h * m.astype(x.dtype), x_t, old, new, U, W)
        d_x.insert(0, at_x)
        parts.append(weights)
        d_h = np.where(m, at_h, d_h)
    return (np.stack(d_x, axis=1), d_h, *(sum(part) for part in zip(*parts)))"""),
    Variant("without the step", """\
def rnn_backward(d_hidden, x, h_0, hidden, U, W, mask):
    B, T, D = x.shape
    d_x, d_h = np.zeros((B, T, D), dtype=x.dtype), np.zeros(h_0.shape, dtype=h_0.dtype)
    d_U, d_W, d_b = (np.zeros(s, dtype=x.dtype) for s in (U.shape, W.shape, W.shape[1]))
    for i in range(T):
        t = T - 1 - i
        d_h = d_h + d_hidden[:, t]
        d_z = np.where(mask[:, t : t + 1], d_h * (1 - hidden[:, t] ** 2), 0)
        h_old = h_0 if t == 0 else hidden[:, t - 1]
        d_U += x[:, t].T @ d_z
        d_W += h_old.T @ d_z
        d_b += np.sum(d_z, axis=0)
        d_x[:, t] = d_z @ U.T
        d_h = np.where(mask[:, t : t + 1], d_z @ W.T, d_h)
    return [d_x, d_h, d_U, d_W, d_b]"""),
)  # fmt: skip

TRUNCATED_VARIANTS = (
    Variant("one loop with a cut", """\
def truncated_backward(d_hidden, x, h_0, hidden, U, W, mask, k):
    d_x, d_U, d_W, d_b = np.zeros_like(x), np.zeros_like(U), np.zeros_like(W), np.zeros_like(h_0[0])
    d_h = np.zeros_like(h_0)
    for t in range(x.shape[1] - 1, -1, -1):
        if (t + 1) % k == 0:
            d_h = np.zeros_like(h_0)
        d_h, m = d_h + d_hidden[:, t], mask[:, t, None]
        old = hidden[:, t - 1] if t else h_0
        d_z = np.where(m, d_h * (1 - hidden[:, t] ** 2), 0)
        d_x[:, t] = d_z @ U.T
        d_U, d_W, d_b = d_U + x[:, t].T @ d_z, d_W + old.T @ d_z, d_b + d_z.sum(0)
        d_h = np.where(m, d_z @ W.T, d_h)
    return d_x, d_h, d_U, d_W, d_b"""),
    Variant("pieces from the last to the first", """\
def truncated_backward(d_hidden, x, h_0, hidden, U, W, mask, k):
    states = np.concatenate([h_0[:, None], hidden], axis=1)
    d_x, sums = [], 0
    for s in reversed(range(0, x.shape[1], k)):
        e = s + k
        part_x, d_h_0, *parts = rnn_backward(
            d_hidden[:, s:e], x[:, s:e], states[:, s], hidden[:, s:e], U, W, mask[:, s:e])
        d_x = [part_x, *d_x]
        sums = parts if sums == 0 else [a + b for a, b in zip(sums, parts)]
    return np.concatenate(d_x, axis=1), d_h_0, *sums"""),
    Variant("recursion", """\
def truncated_backward(d_hidden, x, h_0, hidden, U, W, mask, k):
    first = rnn_backward(d_hidden[:, :k], x[:, :k], h_0, hidden[:, :k], U, W, mask[:, :k])
    if x.shape[1] <= k:
        return first
    rest = truncated_backward(d_hidden[:, k:], x[:, k:], hidden[:, k - 1], hidden[:, k:], U, W, mask[:, k:], k)
    return np.concatenate([first[0], rest[0]], axis=1), first[1], *(a + b for a, b in zip(first[2:], rest[2:]))"""),
    Variant("a list of pieces", """\
def truncated_backward(d_hidden, x, h_0, hidden, U, W, mask, k):
    cuts = range(k, x.shape[1], k)
    split = [np.split(a, cuts, axis=1) for a in (d_hidden, x, hidden, mask)]
    backs, before = [], h_0
    for d, x_p, h_p, m in zip(*split):
        backs.append(rnn_backward(d, x_p, before, h_p, U, W, m))
        before = h_p[:, -1]
    d_x, d_h, *weights = zip(*backs)
    return [np.concatenate(d_x, axis=1), d_h[0], *(sum(w[1:], w[0]) for w in weights)]"""),
    Variant("while loop", """\
def truncated_backward(d_hidden, x, h_0, hidden, U, W, mask, k):
    d_x, d_h_0, d_U, d_W, d_b = (np.zeros_like(a) for a in (x, h_0, U, W, W[0]))
    s = 0
    while s < x.shape[1]:
        p = np.arange(s, min(s + k, x.shape[1]))
        old = h_0 if s == 0 else hidden[:, s - 1]
        g = rnn_backward(d_hidden[:, p], x[:, p], old, hidden[:, p], U, W, mask[:, p])
        d_x[:, p] = g[0]
        if s == 0:
            d_h_0 = g[1]
        d_U += g[2]
        d_W += g[3]
        d_b += g[4]
        s += k
    return d_x, d_h_0, d_U, d_W, d_b"""),
)  # fmt: skip

NUMERICAL_VARIANTS = (
    Variant("moved and put back", """\
def numerical_gradient(f, x, step=1e-5):
    x, gradient = x.copy(), np.empty(x.shape)
    for index in np.ndindex(x.shape):
        kept = x[index]
        x[index] = kept + step
        up = f(x)
        x[index] = kept - step
        down = f(x)
        x[index] = kept
        gradient[index] = (up - down) / 2 / step
    return gradient"""),
    Variant("unit vectors", """\
def numerical_gradient(f, x, step=1e-5):
    units = np.eye(x.size).reshape(-1, *x.shape)
    differences = [f(x + step * e) - f(x - step * e) for e in units]
    return np.array(differences).reshape(x.shape) / (2 * step)"""),
    Variant("flat", """\
def numerical_gradient(f, x, step=1e-5):
    gradient = np.zeros(x.size)
    for i in range(x.size):
        e = np.zeros(x.size)
        e[i] = step
        e = e.reshape(x.shape)
        gradient[i] = 0.5 * (f(x + e) - f(x - e)) / step
    return gradient.reshape(x.shape)"""),
    Variant("nditer", """\
def numerical_gradient(f, x, step=1e-5):
    gradient = np.zeros_like(x)
    for value, place in zip(x.flat, np.ndindex(*x.shape)):
        at = []
        for sign in (1, -1):
            moved = np.array(x)
            moved[place] = value + sign * step
            at.append(f(moved))
        gradient[place] = (at[0] - at[1]) / (2 * step)
    return gradient"""),
    Variant("the step really made", """\
def numerical_gradient(f, x, step=1e-5):
    def one(index):
        up, down = x.copy(), x.copy()
        up[index], down[index] = x[index] + step, x[index] - step
        return (f(up) - f(down)) / (up[index] - down[index])
    return np.array([one(index) for index in np.ndindex(x.shape)]).reshape(x.shape)"""),
)  # fmt: skip

RELATIVE_VARIANTS = (
    Variant("zero first", """\
def relative_error(got, want):
    if not got.any() and not want.any():
        return 0.0
    return float(np.max(np.abs(got - want)) / np.max(np.abs([got, want])))"""),
    Variant("norms of order infinity", """\
def relative_error(got, want):
    got, want = got.ravel(), want.ravel()
    scale = max(np.linalg.norm(got, np.inf), np.linalg.norm(want, np.inf))
    return np.linalg.norm(got - want, np.inf) / (scale or 1.0)"""),
    Variant("fmax of both", """\
def relative_error(got, want):
    largest = np.maximum(np.abs(got), np.abs(want)).max()
    difference = np.abs(want - got).max()
    return difference if largest == 0 else difference / largest"""),
    Variant("plain Python", """\
def relative_error(got, want):
    pairs = list(zip(got.ravel().tolist(), want.ravel().tolist()))
    scale = max(max(abs(a), abs(b)) for a, b in pairs)
    return max(abs(a - b) for a, b in pairs) / scale if scale else 0"""),
    Variant("concatenated", """\
def relative_error(got, want):
    scale = np.abs(np.concatenate([got.ravel(), want.ravel()])).max()
    if scale == 0:
        return np.float64(0)
    return np.abs(got / scale - want / scale).max()"""),
)  # fmt: skip

HAND_VARIANTS = (
    Variant("floats", "gradients_by_hand = [-15.0, 12.0, 3.0, -3.0, 2.0, 6.0]"),
    Variant("tuple", "gradients_by_hand = (-15, 12, 3, -3, 2, 6)"),
    Variant("array", "gradients_by_hand = np.array([-15, 12, 3, -3, 2, 6])"),
    Variant("with the deltas", """\
d = [3, 3, 0, -3]
x, h, e = [1, -4, -7, 2], [1, 3, 2, 0, 2], [-1, 1, 3, -1]
gradients_by_hand = [sum(a * b for a, b in zip(x, d)), sum(a * b for a, b in zip(h, d)), sum(d),
                     sum(a * b for a, b in zip(h[1:], e)), sum(e), d[0] * 2]"""),
    Variant("computed", """\
x, y, h = [1, -4, -7, 2], [10, 5, -3, 7], [1.0]
for x_t in x:
    h.append(max(0.0, x_t + 2 * h[-1]))
U = W = b = V = c = delta = 0.0
for t in (3, 2, 1, 0):
    e = 3 * h[t + 1] - y[t]
    delta = (3 * e + 2 * delta) * (h[t + 1] > 0)
    U, W, b, V, c = U + x[t] * delta, W + h[t] * delta, b + delta, V + h[t + 1] * e, c + e
gradients_by_hand = [U, W, b, V, c, 2 * delta]"""),
)  # fmt: skip

# --- The exercise ---------------------------------------------------------------------------------------------

_source = inspect.getsource
_WEIGHT_OUTPUTS = (("d_U", ("input", "unit")), ("d_W", ("from", "to")), ("d_b", ("unit",)))
_STEP_OUTPUTS = (("d_x", ("example", "input")), ("d_h_old", ("example", "unit")), *_WEIGHT_OUTPUTS)
_TIME_OUTPUTS = (("d_x", ("example", "step back", "input")), ("d_h_0", ("example", "unit")), *_WEIGHT_OUTPUTS)

STEP = Task("rnn_step_backward", _source(rnn_step_backward), _STEP_OUTPUTS, _step_cases,
            STEP_MISTAKES, STEP_VARIANTS)  # fmt: skip
BACKWARD = Task("rnn_backward", _source(rnn_backward), _TIME_OUTPUTS, _backward_cases,
                BACKWARD_MISTAKES, BACKWARD_VARIANTS, uses=(STEP,))  # fmt: skip
TRUNCATED = Task("truncated_backward", _source(truncated_backward), _TIME_OUTPUTS, _truncated_cases,
                 TRUNCATED_MISTAKES, TRUNCATED_VARIANTS, uses=(STEP, BACKWARD))  # fmt: skip
NUMERICAL = Task("numerical_gradient", _source(numerical_gradient), (("the gradient", ("row", "column")),),
                 _numerical_cases, NUMERICAL_MISTAKES, NUMERICAL_VARIANTS, tolerance=1e-6)  # fmt: skip
RELATIVE = Task("relative_error", _source(relative_error), (("the relative error", ()),), _relative_cases,
                RELATIVE_MISTAKES, RELATIVE_VARIANTS)  # fmt: skip
HAND = Task("gradients_by_hand", GRADIENTS_BY_HAND, (("gradients_by_hand", ("gradient",)),), None,
            HAND_MISTAKES, HAND_VARIANTS)  # fmt: skip

TASKS = (STEP, BACKWARD, TRUNCATED, NUMERICAL, RELATIVE, HAND)
check = diagnose.checker(*TASKS)
