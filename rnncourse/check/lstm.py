"""The tasks of the exercise `lstm`: right answers, the mistakes people make, other right ways."""

import inspect

import numpy as np

from rnncourse.check import diagnose
from rnncourse.check.task import Mistake, Task, Variant

# --- Right answers: exactly what stands in the answer cells of solutions/lstm ---------------------------------


def sigmoid(z):
    """1 / (1 + e^-z), in a form that cannot overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * z)


def lstm_step(x, h, c, U, W, b):
    """One step: x (B, D), h and c (B, H), U (D, 4H), W (H, 4H), b (4H,) -> the new h and c, each (B, H)."""
    i, f, g, o = np.split(x @ U + h @ W + b, 4, axis=1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    c_new = f * c + i * g
    return o * np.tanh(c_new), c_new


def lstm_forward(x, h_0, c_0, U, W, b, mask):
    """All steps: x (B, T, D), h_0 and c_0 (B, H), mask (B, T) -> hidden (B, T, H) and the last state (h, c)."""
    hidden = np.empty((*mask.shape, h_0.shape[1]), dtype=x.dtype)
    h, c = h_0, c_0
    for t in range(x.shape[1]):
        real = mask[:, t, None]
        h_new, c_new = lstm_step(x[:, t], h, c, U, W, b)
        h = np.where(real, h_new, h)
        c = np.where(real, c_new, c)
        hidden[:, t] = h
    return hidden, (h, c)


def lstm_sums_backward(d_h_new, d_c_new, x, h, c, U, W, b):
    """The gradients of the new h and c, each (B, H), and the arguments of lstm_step -> d_i, d_f, d_g, d_o, d_c."""
    i, f, g, o = np.split(x @ U + h @ W + b, 4, axis=1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    tanh_c = np.tanh(f * c + i * g)
    d_cell = d_c_new + d_h_new * o * (1 - tanh_c**2)
    d_i = d_cell * g * i * (1 - i)
    d_f = d_cell * c * f * (1 - f)
    d_g = d_cell * i * (1 - g**2)
    d_o = d_h_new * tanh_c * o * (1 - o)
    return d_i, d_f, d_g, d_o, d_cell * f


def lstm_step_backward(d_h_new, d_c_new, x, h, c, U, W, b):
    """The same arguments -> d_x, d_h, d_c, d_U, d_W, d_b, each with the shape of what it belongs to."""
    *d_sums, d_c = lstm_sums_backward(d_h_new, d_c_new, x, h, c, U, W, b)
    d_z = np.concatenate(d_sums, axis=1)
    return d_z @ U.T, d_z @ W.T, d_c, x.T @ d_z, h.T @ d_z, d_z.sum(axis=0)


def peephole_lstm_step(x, h, c, U, W, b, p):
    """As lstm_step; p (3, H) holds the peephole weights of i, f and o."""
    i, f, g, o = np.split(x @ U + h @ W + b, 4, axis=1)
    i = sigmoid(i + p[0] * c)
    f = sigmoid(f + p[1] * c)
    c_new = f * c + i * np.tanh(g)
    o = sigmoid(o + p[2] * c_new)
    return o * np.tanh(c_new), c_new


def hard_lstm_step(x, h, c, U, W, b):
    """As lstm_step, with the hard sigmoid for the three gates."""
    z = x @ U + h @ W + b
    i, f, g, o = np.split(z, 4, axis=1)
    i, f, o = (np.clip(a / 6 + 0.5, 0, 1) for a in (i, f, o))
    c_new = f * c + i * np.tanh(g)
    return o * np.tanh(c_new), c_new


OUTPUTS_BY_HAND = "outputs_by_hand = [0, 7, 7, 3, 0, 9]"


# --- Inputs that the visible check tries ----------------------------------------------------------------------


def _normal(seed, dtype=np.float64, **shapes):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=shape).astype(dtype) for name, shape in shapes.items()}


def _weights(D, H):
    return {"U": (D, 4 * H), "W": (H, 4 * H), "b": (4 * H,)}


def _step_case(seed, B, D, H, dtype=np.float64, **more):
    return _normal(seed, dtype, x=(B, D), h=(B, H), c=(B, H), **_weights(D, H), **more)


def _step_cases():
    return [
        _step_case(0, B=2, D=3, H=4),
        _step_case(1, B=4, D=2, H=2),
        _step_case(2, B=1, D=5, H=3, dtype=np.float32),
    ]


def _peephole_cases():
    return [
        _step_case(3, B=2, D=3, H=4, p=(3, 4)),
        _step_case(4, B=4, D=3, H=3, p=(3, 3)),
        _step_case(5, B=1, D=5, H=2, dtype=np.float32, p=(3, 2)),
    ]


def _hard_cases():
    cases = [
        _step_case(6, B=2, D=3, H=4),
        _step_case(7, B=4, D=2, H=2),
        _step_case(8, B=1, D=5, H=3, dtype=np.float32),
    ]
    return [case | {"b": 5 * case["b"]} for case in cases]  # some sums lie beyond -9 and 9


def _forward_case(seed, mask, D, H, dtype=np.float64):
    B, T = len(mask), len(mask[0])
    case = _normal(seed, dtype, x=(B, T, D), h_0=(B, H), c_0=(B, H), **_weights(D, H))
    return case | {"mask": np.array(mask, dtype=bool)}


def _forward_cases():
    return [
        _forward_case(9, [[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 0]], D=2, H=3),
        _forward_case(10, [[0, 1, 0, 1, 1], [1, 1, 1, 1, 1]], D=3, H=3),
        _forward_case(11, [[1, 1, 1]], D=2, H=4, dtype=np.float32),
    ]


def _backward_case(seed, B, D, H, dtype=np.float64):
    return _normal(seed, dtype, d_h_new=(B, H), d_c_new=(B, H)) | _step_case(seed + 100, B, D, H, dtype)


def _backward_cases():
    return [
        _backward_case(12, B=3, D=2, H=4),
        _backward_case(13, B=3, D=3, H=3),
        _backward_case(14, B=1, D=5, H=2, dtype=np.float32),
    ]


# --- Mistakes -------------------------------------------------------------------------------------------------

_SUMS = "x @ U + h @ W + b"
_NAMES = "i, f, g, o = np.split(x @ U"
_SQUASHED = "i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)"
_CELL = "c_new = f * c + i * g"
_STATE = "return o * np.tanh(c_new), c_new"

STEP_MISTAKES = (
    Mistake("order of the papers", "the four blocks are read in the order f, i, g, o (or i and f trade places in the "
            "cell). Here the order is i, f, g, o.", ((_NAMES, "f, i, g, o = np.split(x @ U"),)),
    Mistake("order i, f, o, g", "the last two blocks are swapped: here the candidate g comes before the output gate o.",
            ((_NAMES, "i, f, o, g = np.split(x @ U"),)),
    Mistake("order i, g, f, o", "the two blocks in the middle are swapped: here f comes before g.",
            ((_NAMES, "i, g, f, o = np.split(x @ U"),)),
    Mistake("interleaved", "every fourth column is taken for a gate. The columns of one gate stand together: H columns "
            "of i, then H of f, of g and of o.",
            (("np.split(x @ U + h @ W + b, 4, axis=1)", "((x @ U + h @ W + b)[:, k::4] for k in range(4))"),)),
    Mistake("no bias", "the bias b is left out of the sums.", ((_SUMS, "x @ U + h @ W"),)),
    Mistake("no memory in the gates", "the old hidden state h does not enter the sums.", ((_SUMS, "x @ U + b"),)),
    Mistake("gates from the cell", "the sums are computed from c instead of h. The weights W belong to "
            "the hidden state.",
            ((_SUMS, "x @ U + c @ W + b"),)),
    Mistake("U and W swapped", "U and W are swapped: U belongs to the input x, W to the state h.",
            ((_SUMS, "x @ W + h @ U + b"),)),
    Mistake("candidate with a sigmoid", "the sigmoid is taken of all four sums. The candidate g is a value, not a "
            "gate: it has to be able to be negative.", (("np.tanh(g)", "sigmoid(g)"),)),
    Mistake("gates with tanh", "tanh is taken of all four sums. A gate lies between 0 and 1.",
            ((_SQUASHED, "i, f, g, o = np.tanh(i), np.tanh(f), np.tanh(g), np.tanh(o)"),)),
    Mistake("candidate not squashed", "the candidate g is the bare sum.", (("np.tanh(g)", "g"),)),
    Mistake("no forget gate", "the old cell state is kept whole: the forget gate does not act (the network of 1997).",
            ((_CELL, "c_new = c + i * g"),)),
    Mistake("no input gate", "the candidate is added whole: the input gate does not act.",
            ((_CELL, "c_new = f * c + g"),)),
    Mistake("coupled", "1 - f stands in place of the input gate: that is the coupled cell. Here i has a sum "
            "of its own.",
            ((_CELL, "c_new = f * c + (1 - f) * g"),)),
    Mistake("forget gate reversed", "the forget gate is read the wrong way round: f = 1 means keep, f = 0 means "
            "forget.", ((_CELL, "c_new = (1 - f) * c + i * g"),)),
    Mistake("one added to the forget gate", "1 is added to the sum of the forget gate. A forget bias is a matter of "
            "how b is initialised; the step itself adds nothing.", (("sigmoid(f)", "sigmoid(f + 1)"),)),
    Mistake("cell squashed", "tanh is taken of the new cell state before it is stored. Only what leaves the cell, in "
            "h, is squashed.", ((_CELL, "c_new = np.tanh(f * c + i * g)"),)),
    Mistake("no tanh on the way out", "the new h is the output gate times the bare cell state; tanh is missing.",
            ((_STATE, "return o * c_new, c_new"),)),
    Mistake("no output gate", "the output gate does not act on the new h.",
            ((_STATE, "return np.tanh(c_new), c_new"),)),
    Mistake("tanh around the gate", "tanh is taken of the product of gate and cell. The gate comes after tanh.",
            ((_STATE, "return np.tanh(o * c_new), c_new"),)),
    Mistake("h from the old cell", "the new h is read from the old cell state; it should be read from the new one.",
            ((_STATE, "return o * np.tanh(c), c_new"),)),
    Mistake("old cell returned", "the old cell state is returned in place of the new one.",
            ((_STATE, "return o * np.tanh(c_new), c"),)),
    Mistake("results swapped", "the two results are in the wrong order: first h, then c.",
            ((_STATE, "return c_new, o * np.tanh(c_new)"),)),
    Mistake("h only", "only h is returned; the next step needs c as well.", ((_STATE, "return o * np.tanh(c_new)"),)),
    Mistake("float64 only", "the results are always float64; keep the dtype of x.",
            ((_STATE, "return (o * np.tanh(c_new)).astype(float), c_new.astype(float)"),)),
    Mistake("cell overwritten", "the new cell state is written into the array c itself (`c *= …` or `c[:] = …`).",
            ((_CELL, "c *= f\n    c += i * g\n    c_new = c"),)),
)  # fmt: skip

_NEW = "h_new, c_new = lstm_step(x[:, t], h, c, U, W, b)"
_HOLD_H = "h = np.where(real, h_new, h)"
_HOLD_C = "c = np.where(real, c_new, c)"
_KEEP = "hidden[:, t] = h"
_RETURN = "return hidden, (h, c)"

FORWARD_MISTAKES = (
    Mistake("mask ignored", "the mask is ignored: padding changes the state.",
            ((_HOLD_H, "h = h_new"), (_HOLD_C, "c = c_new"))),
    Mistake("cell not held", "the mask holds h, but the cell state c runs on through the padding. Both are the state.",
            ((_HOLD_C, "c = c_new"),)),
    Mistake("hidden state not held", "the mask holds the cell state c, but h runs on through the padding.",
            ((_HOLD_H, "h = h_new"),)),
    Mistake("mask inverted", "the mask is read the wrong way round. It is True at real steps.",
            (("real = mask[:, t, None]", "real = ~mask[:, t, None]"),)),
    Mistake("mask of the first example", "the mask of the first example is used for the whole batch.",
            (("mask[:, t, None]", "mask[0, t]"),)),
    Mistake("padding resets", "padding sets the state to zero; it has to stay as it was.",
            ((_HOLD_H, "h = np.where(real, h_new, 0 * h)"), (_HOLD_C, "c = np.where(real, c_new, 0 * c)"))),
    Mistake("padded input zeroed", "the padded inputs are set to zero and the step is made all the same. Even with "
            "x = 0 a step changes the state: hold the state instead.",
            ((_NEW, "h_new, c_new = lstm_step(x[:, t] * real.astype(x.dtype), h, c, U, W, b)"),
             (_HOLD_H, "h = h_new"), (_HOLD_C, "c = c_new"))),
    Mistake("zeros at padding", "the state is held, but zeros are returned at padding. Return the held state there.",
            ((_KEEP, "hidden[:, t] = np.where(real, h, 0)"),)),
    Mistake("cell not carried", "every step starts from c_0 again. The cell state has to be carried from step to step, "
            "as h is.", ((_NEW, "h_new, c_new = lstm_step(x[:, t], h, c_0, U, W, b)"),)),
    Mistake("hidden state not carried", "every step starts from h_0 again; h has to be carried from step to step, "
            "as c is.", ((_NEW, "h_new, c_new = lstm_step(x[:, t], h_0, c, U, W, b)"),)),
    Mistake("starts at zero", "the first step starts from zeros instead of h_0 and c_0.",
            (("h, c = h_0, c_0", "h, c = np.zeros_like(h_0), np.zeros_like(c_0)"),)),
    Mistake("cell starts at zero", "the cell state starts from zeros instead of c_0.",
            (("h, c = h_0, c_0", "h, c = h_0, np.zeros_like(c_0)"),)),
    Mistake("h_0 and c_0 swapped", "h_0 and c_0 are swapped.", (("h, c = h_0, c_0", "h, c = c_0, h_0"),)),
    Mistake("h and c swapped", "the two results of lstm_step are taken in the wrong order: first h, then c.",
            ((_NEW, "c_new, h_new = lstm_step(x[:, t], h, c, U, W, b)"),)),
    Mistake("cell states returned", "`hidden` holds the cell states c; it should hold the hidden states h.",
            ((_KEEP, "hidden[:, t] = c"),)),
    Mistake("one step late", "the state before each step is stored instead of the state after it.",
            ((_NEW, f"{_KEEP}\n        {_NEW}"), (f"{_HOLD_C}\n        {_KEEP}", _HOLD_C))),
    Mistake("last step missing", "the loop ends one step early.",
            (("np.empty(", "np.zeros("), ("range(x.shape[1])", "range(x.shape[1] - 1)"))),
    Mistake("backwards", "the sequence is read from its end.",
            ((_NEW, "h_new, c_new = lstm_step(x[:, -1 - t], h, c, U, W, b)"),)),
    Mistake("time first", "time is the first axis of `hidden`. Here the batch comes first: (B, T, H).",
            ((_RETURN, "return hidden.swapaxes(0, 1), (h, c)"),)),
    Mistake("last state swapped", "the last state is returned as (c, h); it should be (h, c).",
            ((_RETURN, "return hidden, (c, h)"),)),
    Mistake("last state from the last step", "the last state is that of the last step without the mask. In a short "
            "sequence that step was padding.", ((_RETURN, "return hidden, (h_new, c_new)"),)),
    Mistake("hidden only", "only the hidden states are returned; return the last state (h, c) as well.",
            ((_RETURN, "return hidden"),)),
    Mistake("float64 only", "`hidden` is always float64; `np.zeros` and `np.empty` need `dtype=x.dtype`.",
            ((", dtype=x.dtype)", ")"),)),
    Mistake("c_0 overwritten", "the new cell state is written into c_0 (`c = c_0` is the same array, not a copy).",
            ((_HOLD_C, "c[:] = np.where(real, c_new, c)"),)),
)  # fmt: skip

_D_CELL = "d_cell = d_c_new + d_h_new * o * (1 - tanh_c**2)"
_D_I = "d_i = d_cell * g * i * (1 - i)"
_D_F = "d_f = d_cell * c * f * (1 - f)"
_D_G = "d_g = d_cell * i * (1 - g**2)"
_D_O = "d_o = d_h_new * tanh_c * o * (1 - o)"
_LAST = "return d_i, d_f, d_g, d_o, d_cell * f"

SUMS_MISTAKES = (
    Mistake("path through h missing", "the new cell state gets the gradient d_c_new alone. It also acts on the loss "
            "through the new h.", ((_D_CELL, "d_cell = d_c_new"),)),
    Mistake("d_c_new ignored", "the gradient d_c_new that comes from the next step is not used.",
            ((_D_CELL, "d_cell = d_h_new * o * (1 - tanh_c**2)"),)),
    Mistake("slope of tanh(c) missing", "on the way from h to c the slope of tanh is missing.",
            ((_D_CELL, "d_cell = d_c_new + d_h_new * o"),)),
    Mistake("output gate missing on the way to c", "on the way from h to c the output gate is missing.",
            ((_D_CELL, "d_cell = d_c_new + d_h_new * (1 - tanh_c**2)"),)),
    Mistake("slope of tanh from c", "the slope of tanh is computed from c itself. It is written with the value of "
            "tanh, not with its argument.",
            ((_D_CELL, "d_cell = d_c_new + d_h_new * o * (1 - (f * c + i * g) ** 2)"),)),
    Mistake("sigmoid slopes missing", "the slopes of the three sigmoids are missing: the gradients are those of the "
            "gates, not of the sums.",
            ((_D_I, "d_i = d_cell * g"), (_D_F, "d_f = d_cell * c"), (_D_O, "d_o = d_h_new * tanh_c"))),
    Mistake("slope of the candidate missing", "the slope of tanh is missing in the gradient of the candidate's sum.",
            ((_D_G, "d_g = d_cell * i"),)),
    Mistake("candidate with a sigmoid's slope", "the candidate has the slope of a sigmoid, g (1 - g). It is a tanh.",
            ((_D_G, "d_g = d_cell * i * g * (1 - g)"),)),
    Mistake("sigmoids with the slope of tanh", "the three gates have the slope of tanh; they are sigmoids.",
            ((_D_I, "d_i = d_cell * g * (1 - i**2)"), (_D_F, "d_f = d_cell * c * (1 - f**2)"),
             (_D_O, "d_o = d_h_new * tanh_c * (1 - o**2)"))),
    Mistake("forget gate times the new c", "in the gradient of the forget gate stands the new cell state. The gate was "
            "multiplied with the old one.", ((_D_F, "d_f = d_cell * (f * c + i * g) * f * (1 - f)"),)),
    Mistake("i and g swapped", "the partners of i and g are swapped: the derivative of a product by one factor is the "
            "other factor.", ((_D_I, "d_i = d_cell * i * i * (1 - i)"), (_D_G, "d_g = d_cell * g * (1 - g**2)"))),
    Mistake("output gate times c", "the output gate was multiplied with tanh(c), not with c.",
            ((_D_O, "d_o = d_h_new * (f * c + i * g) * o * (1 - o)"),)),
    Mistake("output gate from the cell's gradient", "the gradient of the output gate is computed from that of the "
            "cell. The output gate acts on h alone.", ((_D_O, "d_o = d_cell * tanh_c * o * (1 - o)"),)),
    Mistake("old c not gated", "the gradient of the old cell state lacks the forget gate that it was multiplied with.",
            ((_LAST, "return d_i, d_f, d_g, d_o, d_cell"),)),
    Mistake("old c from d_c_new", "the gradient of the old cell state is d_c_new times f. What came to c through h has "
            "to go back as well.", ((_LAST, "return d_i, d_f, d_g, d_o, d_c_new * f"),)),
    Mistake("old c from the input gate", "the gradient of the old cell state has the input gate as its factor. The old "
            "cell state was multiplied with another one.", ((_LAST, "return d_i, d_f, d_g, d_o, d_cell * i"),)),
    Mistake("order of the papers", "the gradients of i and f are returned in each other's place; the order is i, f, "
            "g, o.",
            ((_LAST, "return d_f, d_i, d_g, d_o, d_cell * f"),)),
    Mistake("order i, f, o, g", "the gradients of g and o are returned in each other's place; the order is i, f, g, o.",
            ((_LAST, "return d_i, d_f, d_o, d_g, d_cell * f"),)),
    Mistake("old c missing", "only the gradients of the four sums are returned; return that of the old cell state as "
            "well.", ((_LAST, "return d_i, d_f, d_g, d_o"),)),
    Mistake("float64 only", "the results are always float64; keep the dtype of x.",
            ((_LAST, "return tuple(d.astype(float) for d in (d_i, d_f, d_g, d_o, d_cell * f))"),)),
    Mistake("d_c_new overwritten", "the array d_c_new itself is changed (`d_c_new += …`). Make a new array.",
            ((_D_CELL, "d_c_new += d_h_new * o * (1 - tanh_c**2)\n    d_cell = d_c_new"),)),
)  # fmt: skip

_D_Z = "d_z = np.concatenate(d_sums, axis=1)"
_BACK = "return d_z @ U.T, d_z @ W.T, d_c, x.T @ d_z, h.T @ d_z, d_z.sum(axis=0)"


def _back(old, new):
    return ((_BACK, _BACK.replace(old, new)),)


BACKWARD_MISTAKES = (
    Mistake("gates in another order", "the four gradients are joined in the order f, i, g, o; here it is i, f, g, o.",
            ((_D_Z, "d_z = np.concatenate([d_sums[k] for k in (1, 0, 2, 3)], axis=1)"),)),
    Mistake("last two gates swapped", "the four gradients are joined in the order i, f, o, g; here it is i, f, g, o.",
            ((_D_Z, "d_z = np.concatenate([d_sums[k] for k in (0, 1, 3, 2)], axis=1)"),)),
    Mistake("gates interleaved", "the columns of the four gates alternate. The columns of one gate stand together.",
            ((_D_Z, "d_z = np.stack(d_sums, axis=2).reshape(len(x), -1)"),)),
    Mistake("gates added up", "the four gradients are added up and used for every gate. Each gate has columns of "
            "its own.",
            ((_D_Z, "d_z = np.concatenate([sum(d_sums)] * 4, axis=1)"),)),
    Mistake("d_h_new passed on", "d_h_new is added to the gradient of the old h. The old h acts only through the four "
            "sums.", _back("d_z @ W.T", "d_h_new + d_z @ W.T")),
    Mistake("one gate only", "the old h gets its gradient from the first gate alone. It acts through all four sums.",
            _back("d_z @ W.T", "d_sums[0] @ W[:, : h.shape[1]].T")),
    Mistake("W not transposed", "d_z meets W in its blocks as they stand. To go back through a product, the block of "
            "each gate has to be transposed.",
            _back("d_z @ W.T", "sum(d @ w for d, w in zip(d_sums, np.split(W, 4, axis=1)))")),
    Mistake("W with the new h", "d_W is computed with the new hidden state. W was multiplied with the old one.",
            ((_BACK, f"z = {_SUMS}\n    i, f, g, o = np.split(z, 4, axis=1)\n"
              "    h_new = sigmoid(o) * np.tanh(sigmoid(f) * c + sigmoid(i) * np.tanh(g))\n    "
              + _BACK.replace("h.T @ d_z", "h_new.T @ d_z")),)),
    Mistake("W with the cell state", "d_W is computed with the cell state c. W was multiplied with h.",
            _back("h.T @ d_z", "c.T @ d_z")),
    Mistake("old c with d_c_new", "d_c_new is returned as it came; the gradient of the old cell state is another.",
            _back("d_z @ W.T, d_c,", "d_z @ W.T, d_c_new,")),
    Mistake("bias not summed", "d_b has to be summed over the batch: every example uses the same b.",
            _back("d_z.sum(axis=0)", "d_z")),
    Mistake("bias summed over the gates", "d_b is summed along the wrong axis; it has a number for each column of d_z.",
            _back("d_z.sum(axis=0)", "d_z.sum(axis=1)")),
    Mistake("averaged over the batch", "the gradients of the weights are averaged over the batch; they are sums.",
            _back("x.T @ d_z, h.T @ d_z, d_z.sum(axis=0)",
                  "x.T @ d_z / len(x), h.T @ d_z / len(x), d_z.mean(axis=0)")),
    Mistake("first example only", "the gradients of the weights hear of the first example only; sum over the batch.",
            _back("x.T @ d_z, h.T @ d_z, d_z.sum(axis=0)", "x[:1].T @ d_z[:1], h[:1].T @ d_z[:1], d_z[0]")),
    Mistake("results in another order", "the results are in the wrong order: first d_x, d_h, d_c, then d_U, d_W, d_b.",
            ((_BACK, "return x.T @ d_z, h.T @ d_z, d_z.sum(axis=0), d_z @ U.T, d_z @ W.T, d_c"),)),
    Mistake("weights only", "only the gradients of the weights are returned; return those of x, h and c as well.",
            _back("d_z @ U.T, d_z @ W.T, d_c, ", "")),
    Mistake("float64 only", "the results are always float64; keep the dtype of x.",
            ((_BACK, _BACK.replace("return ", "results = ")
              + "\n    return tuple(result.astype(float) for result in results)"),)),
)  # fmt: skip

_PEEP_I = "i = sigmoid(i + p[0] * c)"
_PEEP_F = "f = sigmoid(f + p[1] * c)"
_PEEP_O = "o = sigmoid(o + p[2] * c_new)"

PEEPHOLE_MISTAKES = (
    Mistake("no peepholes", "the peepholes do not enter: this is the LSTM without them.",
            ((_PEEP_I, "i = sigmoid(i)"), (_PEEP_F, "f = sigmoid(f)"), (_PEEP_O, "o = sigmoid(o)"))),
    Mistake("output gate sees the old cell", "the output gate looks at the old cell state. It is the one gate that "
            "looks at the new one.", ((_PEEP_O, "o = sigmoid(o + p[2] * c)"),)),
    Mistake("output gate has no peephole", "the output gate has lost its peephole.", ((_PEEP_O, "o = sigmoid(o)"),)),
    Mistake("only the output gate has a peephole", "the input gate and the forget gate have lost their peepholes.",
            ((_PEEP_I, "i = sigmoid(i)"), (_PEEP_F, "f = sigmoid(f)"))),
    Mistake("i and f swapped", "the peephole weights of i and f are swapped; the order is i, f, o.",
            ((_PEEP_I, "i = sigmoid(i + p[1] * c)"), (_PEEP_F, "f = sigmoid(f + p[0] * c)"))),
    Mistake("f and o swapped", "the peephole weights of f and o are swapped; the order is i, f, o.",
            ((_PEEP_F, "f = sigmoid(f + p[2] * c)"), (_PEEP_O, "o = sigmoid(o + p[1] * c_new)"))),
    Mistake("one peephole for all", "all gates use the peephole weights of the input gate.",
            ((_PEEP_F, "f = sigmoid(f + p[0] * c)"), (_PEEP_O, "o = sigmoid(o + p[0] * c_new)"))),
    Mistake("peephole on the candidate", "the candidate has a peephole too; only the three gates have one.",
            (("np.tanh(g)", "np.tanh(g + p[0] * c)"),)),
    Mistake("peephole outside", "the peepholes are added after the sigmoid; they belong to the sum.",
            ((_PEEP_I, "i = sigmoid(i) + p[0] * c"), (_PEEP_F, "f = sigmoid(f) + p[1] * c"),
             (_PEEP_O, "o = sigmoid(o) + p[2] * c_new"))),
    Mistake("peephole at h", "the gates look at h; a peephole looks at the cell state.",
            ((_PEEP_I, "i = sigmoid(i + p[0] * h)"), (_PEEP_F, "f = sigmoid(f + p[1] * h)"),
             (_PEEP_O, "o = sigmoid(o + p[2] * h)"))),
    Mistake("peephole at tanh(c)", "the gates look at tanh(c). A peephole looks at c itself.",
            ((_PEEP_I, "i = sigmoid(i + p[0] * np.tanh(c))"), (_PEEP_F, "f = sigmoid(f + p[1] * np.tanh(c))"),
             (_PEEP_O, "o = sigmoid(o + p[2] * np.tanh(c_new))"))),
    Mistake("peephole without weights", "the cell state is added to the sums without its weights p.",
            ((_PEEP_I, "i = sigmoid(i + c)"), (_PEEP_F, "f = sigmoid(f + c)"), (_PEEP_O, "o = sigmoid(o + c_new)"))),
    Mistake("peephole summed over units", "the peepholes are summed over all units. A peephole joins a cell to its "
            "own gates only, unit by unit.",
            ((_PEEP_I, "i = sigmoid(i + (c @ p[0])[:, None])"), (_PEEP_F, "f = sigmoid(f + (c @ p[1])[:, None])"),
             (_PEEP_O, "o = sigmoid(o + (c_new @ p[2])[:, None])"))),
    Mistake("peephole subtracted", "the peepholes are subtracted; add them.",
            ((_PEEP_I, "i = sigmoid(i - p[0] * c)"), (_PEEP_F, "f = sigmoid(f - p[1] * c)"),
             (_PEEP_O, "o = sigmoid(o - p[2] * c_new)"))),
    Mistake("candidate not squashed", "the candidate g is the bare sum.", (("np.tanh(g)", "g"),)),
    Mistake("no tanh on the way out", "the new h is the output gate times the bare cell state; tanh is missing.",
            ((_STATE, "return o * c_new, c_new"),)),
    Mistake("results swapped", "the two results are in the wrong order: first h, then c.",
            ((_STATE, "return c_new, o * np.tanh(c_new)"),)),
    Mistake("float64 only", "the results are always float64; keep the dtype of x.",
            ((_STATE, "return (o * np.tanh(c_new)).astype(float), c_new.astype(float)"),)),
    Mistake("cell overwritten", "the new cell state is written into the array c itself (`c *= …` or `c[:] = …`).",
            (("c_new = f * c + i * np.tanh(g)", "c *= f\n    c += i * np.tanh(g)\n    c_new = c"),)),
)  # fmt: skip

_HARD = "np.clip(a / 6 + 0.5, 0, 1)"
_HARDENED = "i, f, o = (np.clip(a / 6 + 0.5, 0, 1) for a in (i, f, o))"

HARD_MISTAKES = (
    Mistake("soft gates", "the gates are still the smooth sigmoid.", ((_HARD, "sigmoid(a)"),)),
    Mistake("slope of a fifth", "the slope is 1/5: that is the hard sigmoid of older Keras. Here it is 1/6.",
            ((_HARD, "np.clip(0.2 * a + 0.5, 0, 1)"),)),
    Mistake("slope of a quarter", "the slope is 1/4, that of the smooth sigmoid at 0. Here it is 1/6.",
            ((_HARD, "np.clip(a / 4 + 0.5, 0, 1)"),)),
    Mistake("slope of a half", "the slope is 1/2: the line reaches 0 and 1 already at -1 and 1. Here it is 1/6.",
            ((_HARD, "np.clip((a + 1) / 2, 0, 1)"),)),
    Mistake("not cut off", "the line is not cut off at 0 and 1: a gate may not be negative, nor above 1.",
            ((_HARD, "a / 6 + 0.5"),)),
    Mistake("cut off below only", "the line is cut off at 0, but not at 1.", ((_HARD, "np.maximum(a / 6 + 0.5, 0)"),)),
    Mistake("cut off above only", "the line is cut off at 1, but not at 0.", ((_HARD, "np.minimum(a / 6 + 0.5, 1)"),)),
    Mistake("cut off at -1", "the line is cut off at -1 and 1. A gate lies between 0 and 1.",
            ((_HARD, "np.clip(a / 6 + 0.5, -1, 1)"),)),
    Mistake("no half added", "the half is not added: a gate whose sum is 0 should be half open.",
            ((_HARD, "np.clip(a / 6, 0, 1)"),)),
    Mistake("brackets around the sum", "the half is added before the division by 6.",
            ((_HARD, "np.clip((a + 0.5) / 6, 0, 1)"),)),
    Mistake("ReLU6", "the division by 6 is missing: the gates reach from 0 to 6.", ((_HARD, "np.clip(a + 3, 0, 6)"),)),
    Mistake("0-1 gates", "the gates are exactly 0 or 1. The hard sigmoid has a slope in between.",
            ((_HARD, "(a > 0).astype(a.dtype)"),)),
    Mistake("candidate hardened", "the candidate is a hard sigmoid too; it keeps its tanh.",
            (("np.tanh(g)", "np.clip(g / 6 + 0.5, 0, 1)"),)),
    Mistake("hard tanh", "the candidate is cut off at -1 and 1 (a hard tanh); it keeps its tanh.",
            (("np.tanh(g)", "np.clip(g, -1, 1)"),)),
    Mistake("output gate soft", "the output gate is still the smooth sigmoid; all three gates are hard.",
            ((_HARDENED, "i, f = (np.clip(a / 6 + 0.5, 0, 1) for a in (i, f))\n    o = sigmoid(o)"),)),
    Mistake("forget gate soft", "the forget gate is still the smooth sigmoid; all three gates are hard.",
            ((_HARDENED, "i, o = (np.clip(a / 6 + 0.5, 0, 1) for a in (i, o))\n    f = sigmoid(f)"),)),
    Mistake("order i, f, o, g", "the last two blocks are swapped: here the candidate g comes before the output gate o.",
            (("i, f, g, o = np.split(z", "i, f, o, g = np.split(z"),)),
    Mistake("no tanh on the way out", "the new h is the output gate times the bare cell state; tanh is missing.",
            ((_STATE, "return o * c_new, c_new"),)),
    Mistake("float64 only", "the results are always float64; keep the dtype of x.",
            ((_STATE, "return (o * np.tanh(c_new)).astype(float), c_new.astype(float)"),)),
)  # fmt: skip


def _hand(name, sentence, numbers):
    return Mistake(name, sentence, (("[0, 7, 7, 3, 0, 9]", numbers),))


HAND_MISTAKES = (
    _hand("output gate ignored", "the cell state is given at every step. What comes out passes the output gate, "
          "which is closed at some steps.", "[2, 7, 7, 3, 3, 9]"),
    _hand("closed gate repeats", "the last output is repeated while the output gate is closed. Then the output is 0 "
          "times the cell state.", "[0, 7, 7, 3, 3, 9]"),
    _hand("overwritten", "a write replaces what was in the cell. With i = 1 and f = 1 it is added.",
          "[0, 5, 5, 3, 0, 6]"),
    _hand("reading empties", "the cell is emptied when it is read. Reading changes nothing.", "[0, 7, 0, 3, 0, 6]"),
    _hand("input gate ignored", "every value is added, also where the input gate is closed.", "[0, 7, 8, 3, 0, 13]"),
    _hand("forget gate ignored", "nothing is ever forgotten; at one step the forget gate is closed.",
          "[0, 7, 7, 10, 0, 16]"),
    _hand("forget gate reversed", "the forget gate is read the wrong way round: f = 1 keeps, f = 0 forgets.",
          "[0, 5, 0, 3, 0, 6]"),
    _hand("forgets what it writes", "at the step that forgets and writes, the new value is lost too. The forget gate "
          "acts on the old cell state only.", "[0, 7, 7, 0, 0, 6]"),
    _hand("old cell read", "the output is read from the cell state before the step; it is read after the step.",
          "[0, 2, 7, 7, 0, 3]"),
    _hand("memory starts at one", "the cell state starts at 1; it starts at 0.", "[0, 8, 8, 3, 0, 9]"),
    _hand("with tanh", "tanh is taken of the candidate and of the cell state; both are linear here.",
          "[0, 0.9613890985996145, 0.9613890985996145, 0.7595094447988621, 0, 0.9636756470876525]"),
)  # fmt: skip

# --- Other right ways -----------------------------------------------------------------------------------------

STEP_VARIANTS = (
    Variant("gate by gate", """\
def lstm_step(x, h, c, U, W, b):
    H = h.shape[1]
    gate = [x @ U[:, k * H : (k + 1) * H] + h @ W[:, k * H : (k + 1) * H] + b[k * H : (k + 1) * H] for k in range(4)]
    i, f, o = 1 / (1 + np.exp(-gate[0])), 1 / (1 + np.exp(-gate[1])), 1 / (1 + np.exp(-gate[3]))
    c_new = f * c + i * np.tanh(gate[2])
    return o * np.tanh(c_new), c_new"""),
    Variant("one product", """\
def lstm_step(x, h, c, U, W, b):
    z = np.concatenate([x, h], axis=1) @ np.concatenate([U, W]) + b
    i, f, g, o = z.reshape(len(x), 4, -1).swapaxes(0, 1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c"""),
    Variant("einsum", """\
def lstm_step(x, h, c, U, W, b):
    H = c.shape[1]
    U, W = U.reshape(-1, 4, H), W.reshape(H, 4, H)
    z = np.einsum("bd,dkh->kbh", x, U) + np.einsum("bj,jkh->kbh", h, W) + b.reshape(4, 1, H)
    c = sigmoid(z[1]) * c + sigmoid(z[0]) * np.tanh(z[2])
    return sigmoid(z[3]) * np.tanh(c), c"""),
    Variant("columns, transposed back", """\
def lstm_step(x, h, c, U, W, b):
    z = U.T @ x.T + W.T @ h.T + b[:, None]
    i, f, g, o = np.vsplit(z, 4)
    c = sigmoid(f) * c.T + sigmoid(i) * np.tanh(g)
    return (sigmoid(o) * np.tanh(c)).T, c.T"""),
    Variant("one example at a time", """\
def lstm_step(x, h, c, U, W, b):
    H = h.shape[1]
    h_new, c_new = np.empty_like(h), np.empty_like(c)
    for n in range(len(x)):
        z = x[n] @ U + h[n] @ W + b
        c_new[n] = sigmoid(z[H : 2 * H]) * c[n] + sigmoid(z[:H]) * np.tanh(z[2 * H : 3 * H])
        h_new[n] = sigmoid(z[3 * H :]) * np.tanh(c_new[n])
    return h_new, c_new"""),
    Variant("one call of tanh", """\
def lstm_step(x, h, c, U, W, b):
    H = h.shape[1]
    scale = np.full(4 * H, 0.5, x.dtype)
    scale[2 * H : 3 * H] = 1
    a = np.tanh((x @ U + h @ W + b) * scale)
    i, f, o = ((1 + a[:, k * H : (k + 1) * H]) / 2 for k in (0, 1, 3))
    c_new = f * c + i * a[:, 2 * H : 3 * H]
    return [o * np.tanh(c_new), c_new]"""),
    Variant("PyTorch inside", """\
import torch
def lstm_step(x, h, c, U, W, b):
    x, h, c, U, W, b = map(torch.from_numpy, (x, h, c, U, W, b))
    i, f, g, o = (x @ U + h @ W + b).chunk(4, dim=1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return (o.sigmoid() * c.tanh()).numpy(), c.numpy()"""),
)  # fmt: skip

FORWARD_VARIANTS = (
    Variant("list and stack", """\
def lstm_forward(x, h_0, c_0, U, W, b, mask):
    states = [(h_0, c_0)]
    for t in range(x.shape[1]):
        pairs = zip(lstm_step(x[:, t], *states[-1], U, W, b), states[-1])
        states.append(tuple(np.where(mask[:, [t]], new, old) for new, old in pairs))
    return np.stack([h for h, _ in states[1:]], axis=1), states[-1]"""),
    Variant("last state from hidden", """\
def lstm_forward(x, h_0, c_0, U, W, b, mask):
    h, c, hidden = h_0, c_0, []
    for x_t, m in zip(x.swapaxes(0, 1), mask.T[..., None]):
        h_new, c_new = lstm_step(x_t, h, c, U, W, b)
        h, c = np.where(m, h_new, h), np.where(m, c_new, c)
        hidden.append(h)
    hidden = np.array(hidden).swapaxes(0, 1)
    return hidden, (hidden[:, -1], c)"""),
    Variant("only the real rows", """\
def lstm_forward(x, h_0, c_0, U, W, b, mask):
    h, c = h_0.copy(), c_0.copy()
    hidden = np.zeros((*mask.shape, h.shape[1]), x.dtype)
    for t in range(mask.shape[1]):
        real = mask[:, t]
        h[real], c[real] = lstm_step(x[real, t], h[real], c[real], U, W, b)
        hidden[:, t] = h
    return hidden, (h, c)"""),
    Variant("inputs projected before the loop", """\
def lstm_forward(x, h_0, c_0, U, W, b, mask):
    H = h_0.shape[1]
    z_x, h, c = x @ U + b, h_0, c_0
    hidden = np.zeros((*mask.shape, H), x.dtype)
    for t in range(x.shape[1]):
        z = z_x[:, t] + h @ W
        c_new = sigmoid(z[:, H : 2 * H]) * c + sigmoid(z[:, :H]) * np.tanh(z[:, 2 * H : 3 * H])
        h_new = sigmoid(z[:, 3 * H :]) * np.tanh(c_new)
        h, c = np.where(mask[:, t, None], (h_new, c_new), (h, c))
        hidden[:, t] = h
    return hidden, (h, c)"""),
    Variant("mask as a factor", """\
def lstm_forward(x, h_0, c_0, U, W, b, mask):
    m, h, c, hidden = mask[..., None].astype(x.dtype), h_0, c_0, []
    for t in range(x.shape[1]):
        h_new, c_new = lstm_step(x[:, t], h, c, U, W, b)
        h, c = m[:, t] * h_new + (1 - m[:, t]) * h, m[:, t] * c_new + (1 - m[:, t]) * c
        hidden.append(h[:, None])
    return [np.concatenate(hidden, axis=1), [h, c]]"""),
    Variant("one example at a time", """\
def lstm_forward(x, h_0, c_0, U, W, b, mask):
    hidden = np.zeros((*mask.shape, h_0.shape[1]), x.dtype)
    last_h, last_c = h_0.copy(), c_0.copy()
    for n in range(len(x)):
        h, c = h_0[n : n + 1], c_0[n : n + 1]
        for t in range(x.shape[1]):
            if mask[n, t]:
                h, c = lstm_step(x[n : n + 1, t], h, c, U, W, b)
            hidden[n, t] = h[0]
        last_h[n], last_c[n] = h[0], c[0]
    return hidden, (last_h, last_c)"""),
)  # fmt: skip

SUMS_VARIANTS = (
    Variant("all four at once", """\
def lstm_sums_backward(d_h_new, d_c_new, x, h, c, U, W, b):
    H = h.shape[1]
    z = x @ U + h @ W + b
    s = sigmoid(z)
    i, f, o, g = s[:, :H], s[:, H : 2 * H], s[:, 3 * H :], np.tanh(z[:, 2 * H : 3 * H])
    t = np.tanh(f * c + i * g)
    d_c = d_h_new * o * (1 - t) * (1 + t) + d_c_new
    slope = s * (1 - s)
    slope[:, 2 * H : 3 * H] = 1 - g * g
    d_z = np.hstack([d_c * g, d_c * c, d_c * i, d_h_new * t]) * slope
    return *np.hsplit(d_z, 4), f * d_c"""),
    Variant("gates on an axis of their own", """\
def lstm_sums_backward(d_h_new, d_c_new, x, h, c, U, W, b):
    i, f, g, o = (x @ U + h @ W + b).reshape(len(x), 4, -1).swapaxes(0, 1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    c_new = f * c + i * g
    d_c = d_c_new + d_h_new * o / np.cosh(c_new) ** 2
    d_o = d_h_new * np.tanh(c_new) * (o - o**2)
    return [d_c * g * (i - i**2), d_c * c * (f - f**2), d_c * i * (1 - g**2), d_o, d_c * f]"""),
    Variant("one example at a time", """\
def lstm_sums_backward(d_h_new, d_c_new, x, h, c, U, W, b):
    d_i, d_f, d_g, d_o, d_c = (np.zeros_like(h) for _ in range(5))
    for n in range(len(x)):
        z = (x[n] @ U + h[n] @ W + b).reshape(4, -1)
        i, f, o, g = sigmoid(z[0]), sigmoid(z[1]), sigmoid(z[3]), np.tanh(z[2])
        tanh_c = np.tanh(f * c[n] + i * g)
        d_cell = d_c_new[n] + d_h_new[n] * o * (1 - tanh_c**2)
        d_i[n], d_f[n] = d_cell * g * i * (1 - i), d_cell * c[n] * f * (1 - f)
        d_g[n], d_o[n] = d_cell * i * (1 - g**2), d_h_new[n] * tanh_c * o * (1 - o)
        d_c[n] = d_cell * f
    return d_i, d_f, d_g, d_o, d_c"""),
    Variant("from the outside in", """\
def lstm_sums_backward(d_h_new, d_c_new, x, h, c, U, W, b):
    def through_sigmoid(d, y):
        return d * y * (1 - y)
    def through_tanh(d, y):
        return d * (1 - y**2)
    i, f, g, o = np.split(x @ U + h @ W + b, 4, axis=1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    tanh_c = np.tanh(f * c + i * g)
    d_c = through_tanh(d_h_new * o, tanh_c) + d_c_new
    d_i, d_f = through_sigmoid(d_c * g, i), through_sigmoid(d_c * c, f)
    return d_i, d_f, through_tanh(d_c * i, g), through_sigmoid(d_h_new * tanh_c, o), d_c * f"""),
    Variant("PyTorch's autograd inside", """\
import torch
def lstm_sums_backward(d_h_new, d_c_new, x, h, c, U, W, b):
    z = torch.tensor(x @ U + h @ W + b, requires_grad=True)
    old = torch.tensor(c, requires_grad=True)
    i, f, g, o = z.chunk(4, dim=1)
    c_new = f.sigmoid() * old + i.sigmoid() * g.tanh()
    h_new = o.sigmoid() * c_new.tanh()
    into = [torch.tensor(d_h_new), torch.tensor(d_c_new)]
    d_z, d_c = torch.autograd.grad([h_new, c_new], [z, old], into)
    return [d.numpy() for d in (*d_z.chunk(4, dim=1), d_c)]"""),
)  # fmt: skip

BACKWARD_VARIANTS = (
    Variant("gate by gate", """\
def lstm_step_backward(d_h_new, d_c_new, x, h, c, U, W, b):
    *d_gates, d_c = lstm_sums_backward(d_h_new, d_c_new, x, h, c, U, W, b)
    H = h.shape[1]
    d_x, d_h = np.zeros_like(x), np.zeros_like(h)
    d_U, d_W, d_b = np.zeros_like(U), np.zeros_like(W), np.zeros_like(b)
    for k, d in enumerate(d_gates):
        block = slice(k * H, (k + 1) * H)
        d_x += d @ U[:, block].T
        d_h += d @ W[:, block].T
        d_U[:, block], d_W[:, block], d_b[block] = x.T @ d, h.T @ d, d.sum(axis=0)
    return d_x, d_h, d_c, d_U, d_W, d_b"""),
    Variant("einsum", """\
def lstm_step_backward(d_h_new, d_c_new, x, h, c, U, W, b):
    d_i, d_f, d_g, d_o, d_c = lstm_sums_backward(d_h_new, d_c_new, x, h, c, U, W, b)
    d_z = np.hstack([d_i, d_f, d_g, d_o])
    d_x, d_h = np.einsum("bz,dz->bd", d_z, U), np.einsum("bz,jz->bj", d_z, W)
    d_U, d_W = np.einsum("bd,bz->dz", x, d_z), np.einsum("bj,bz->jz", h, d_z)
    return d_x, d_h, d_c, d_U, d_W, np.einsum("bz->z", d_z)"""),
    Variant("one example at a time", """\
def lstm_step_backward(d_h_new, d_c_new, x, h, c, U, W, b):
    d_x, d_h, d_c = np.zeros_like(x), np.zeros_like(h), np.zeros_like(c)
    d_U, d_W, d_b = np.zeros_like(U), np.zeros_like(W), np.zeros_like(b)
    for n in range(len(x)):
        one = slice(n, n + 1)
        *d_gates, d_c[one] = lstm_sums_backward(d_h_new[one], d_c_new[one], x[one], h[one], c[one], U, W, b)
        d_z = np.concatenate(d_gates, axis=1)[0]
        d_x[n], d_h[n] = U @ d_z, W @ d_z
        d_U += np.outer(x[n], d_z)
        d_W += np.outer(h[n], d_z)
        d_b += d_z
    return d_x, d_h, d_c, d_U, d_W, d_b"""),
    Variant("input and state side by side", """\
def lstm_step_backward(d_h_new, d_c_new, x, h, c, U, W, b):
    *d_gates, d_c = lstm_sums_backward(d_h_new, d_c_new, x, h, c, U, W, b)
    joined, weights = np.concatenate([x, h], axis=1), np.concatenate([U, W])
    d_z = np.stack(d_gates, axis=1).reshape(len(x), -1)
    d_joined, d_weights = d_z @ weights.T, joined.T @ d_z
    D = x.shape[1]
    return [d_joined[:, :D], d_joined[:, D:], d_c, d_weights[:D], d_weights[D:], np.ones(len(x), x.dtype) @ d_z]"""),
    Variant("PyTorch's autograd inside", """\
import torch
def lstm_step_backward(d_h_new, d_c_new, x, h, c, U, W, b):
    inputs = [torch.tensor(a, requires_grad=True) for a in (x, h, c, U, W, b)]
    x, h, c, U, W, b = inputs
    i, f, g, o = (x @ U + h @ W + b).chunk(4, dim=1)
    c_new = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h_new = o.sigmoid() * c_new.tanh()
    into = [torch.tensor(d_h_new), torch.tensor(d_c_new)]
    return [d.numpy() for d in torch.autograd.grad([h_new, c_new], inputs, into)]"""),
)  # fmt: skip

PEEPHOLE_VARIANTS = (
    Variant("names", """\
def peephole_lstm_step(x, h, c, U, W, b, p):
    p_i, p_f, p_o = p
    H = h.shape[1]
    z = x @ U + h @ W + b
    i, f = sigmoid(z[:, :H] + c * p_i), sigmoid(z[:, H : 2 * H] + c * p_f)
    c = f * c + i * np.tanh(z[:, 2 * H : 3 * H])
    return sigmoid(z[:, 3 * H :] + c * p_o) * np.tanh(c), c"""),
    Variant("diagonal matrices", """\
def peephole_lstm_step(x, h, c, U, W, b, p):
    i, f, g, o = np.split(x @ U + h @ W + b, 4, axis=1)
    P_i, P_f, P_o = map(np.diag, p)
    c_new = sigmoid(f + c @ P_f) * c + sigmoid(i + c @ P_i) * np.tanh(g)
    return sigmoid(o + c_new @ P_o) * np.tanh(c_new), c_new"""),
    Variant("two gates at once", """\
def peephole_lstm_step(x, h, c, U, W, b, p):
    z = (x @ U + h @ W + b).reshape(len(x), 4, -1).swapaxes(0, 1)
    i, f = sigmoid(z[:2] + p[:2, None] * c)
    c_new = f * c + i * np.tanh(z[2])
    return [sigmoid(z[3] + p[2] * c_new) * np.tanh(c_new), c_new]"""),
    Variant("one example at a time", """\
def peephole_lstm_step(x, h, c, U, W, b, p):
    h_new, c_new = np.empty_like(h), np.empty_like(c)
    for n in range(len(x)):
        i, f, g, o = (x[n] @ U + h[n] @ W + b).reshape(4, -1)
        c_new[n] = sigmoid(f + p[1] * c[n]) * c[n] + sigmoid(i + p[0] * c[n]) * np.tanh(g)
        h_new[n] = sigmoid(o + p[2] * c_new[n]) * np.tanh(c_new[n])
    return h_new, c_new"""),
    Variant("PyTorch inside", """\
import torch
def peephole_lstm_step(x, h, c, U, W, b, p):
    x, h, c, U, W, b, p = map(torch.from_numpy, (x, h, c, U, W, b, p))
    i, f, g, o = torch.addmm(b, x, U).addmm(h, W).chunk(4, dim=1)
    c = torch.sigmoid(f + p[1] * c) * c + torch.sigmoid(i + p[0] * c) * torch.tanh(g)
    return (torch.sigmoid(o + p[2] * c) * torch.tanh(c)).numpy(), c.numpy()"""),
)  # fmt: skip

HARD_VARIANTS = (
    Variant("minimum and maximum", """\
def hard_lstm_step(x, h, c, U, W, b):
    def hard(a):
        return np.minimum(np.maximum(a + 3, 0), 6) / 6
    i, f, g, o = np.split(x @ U + h @ W + b, 4, axis=1)
    c_new = hard(f) * c + hard(i) * np.tanh(g)
    return hard(o) * np.tanh(c_new), c_new"""),
    Variant("where", """\
def hard_lstm_step(x, h, c, U, W, b):
    z = x @ U + h @ W + b
    gates = np.where(z <= -3, 0, np.where(z >= 3, 1, z / 6 + 0.5)).astype(x.dtype)
    H = h.shape[1]
    c_new = gates[:, H : 2 * H] * c + gates[:, :H] * np.tanh(z[:, 2 * H : 3 * H])
    return gates[:, 3 * H :] * np.tanh(c_new), c_new"""),
    Variant("one product", """\
def hard_lstm_step(x, h, c, U, W, b):
    z = np.hstack([x, h]) @ np.vstack([U, W]) + b
    z = z.reshape(len(x), 4, -1).swapaxes(0, 1)
    i, f, _, o = np.clip((z + 3) / 6, 0, 1)
    c_new = f * c + i * np.tanh(z[2])
    return [o * np.tanh(c_new), c_new]"""),
    Variant("in place on its own array", """\
def hard_lstm_step(x, h, c, U, W, b):
    z = x @ U + h @ W
    z += b
    i, f, g, o = np.split(z, 4, axis=1)
    candidate = np.tanh(g)
    z /= 6
    z += 0.5
    np.clip(z, 0, 1, out=z)
    c_new = f * c + i * candidate
    return o * np.tanh(c_new), c_new"""),
    Variant("PyTorch inside", """\
import torch
def hard_lstm_step(x, h, c, U, W, b):
    x, h, c, U, W, b = map(torch.from_numpy, (x, h, c, U, W, b))
    i, f, g, o = (x @ U + h @ W + b).chunk(4, dim=1)
    hard = torch.nn.functional.hardsigmoid
    c = hard(f) * c + hard(i) * torch.tanh(g)
    return (hard(o) * torch.tanh(c)).numpy(), c.numpy()"""),
)  # fmt: skip

HAND_VARIANTS = (
    Variant("floats", "outputs_by_hand = [0.0, 7.0, 7.0, 3.0, 0.0, 9.0]"),
    Variant("tuple", "outputs_by_hand = (0, 7, 7, 3, 0, 9)"),
    Variant("array", "outputs_by_hand = np.array([0, 7, 7, 3, 0, 9])"),
    Variant("computed with switches", """\
c, outputs_by_hand = 0, []
for v, w, r, e in [(2, 1, 0, 0), (5, 1, 1, 0), (1, 0, 1, 0), (3, 1, 1, 1), (4, 0, 0, 0), (6, 1, 1, 0)]:
    c = (1 - e) * c + w * v
    outputs_by_hand.append(r * c)"""),
    Variant("computed with sigmoids", """\
c, outputs_by_hand = 0, []
for v, w, r, e in [(2, 1, 0, 0), (5, 1, 1, 0), (1, 0, 1, 0), (3, 1, 1, 1), (4, 0, 0, 0), (6, 1, 1, 0)]:
    i, f, o = 1 / (1 + np.exp(50 - 100 * np.array([w, 1 - e, r])))
    c = f * c + i * v
    outputs_by_hand.append(o * c)"""),
)  # fmt: skip

# --- The exercise ---------------------------------------------------------------------------------------------

_source = inspect.getsource
_H_AND_C = (("h", ("example", "unit")), ("c", ("example", "unit")))
_ALL_STATES = (("hidden", ("example", "step", "unit")), ("the last h", ("example", "unit")),
               ("the last c", ("example", "unit")))  # fmt: skip
_OF_SUMS = tuple((name, ("example", "unit")) for name in ("d_i", "d_f", "d_g", "d_o", "d_c"))
_GRADIENTS = (
    ("d_x", ("example", "input")),
    ("d_h", ("example", "unit")),
    ("d_c", ("example", "unit")),
    ("d_U", ("from", "gate column")),
    ("d_W", ("from", "gate column")),
    ("d_b", ("gate column",)),
)

SIGMOID = Task("sigmoid", _source(sigmoid), (), None, (), ())  # given in the notebook, no task of its own
STEP = Task("lstm_step", _source(lstm_step), _H_AND_C, _step_cases, STEP_MISTAKES, STEP_VARIANTS, uses=(SIGMOID,))
FORWARD = Task("lstm_forward", _source(lstm_forward), _ALL_STATES, _forward_cases, FORWARD_MISTAKES, FORWARD_VARIANTS,
               uses=(SIGMOID, STEP))  # fmt: skip
SUMS = Task("lstm_sums_backward", _source(lstm_sums_backward), _OF_SUMS, _backward_cases, SUMS_MISTAKES, SUMS_VARIANTS,
            uses=(SIGMOID,))  # fmt: skip
BACKWARD = Task("lstm_step_backward", _source(lstm_step_backward), _GRADIENTS, _backward_cases, BACKWARD_MISTAKES,
                BACKWARD_VARIANTS, uses=(SIGMOID, SUMS))  # fmt: skip
PEEPHOLE = Task("peephole_lstm_step", _source(peephole_lstm_step), _H_AND_C, _peephole_cases, PEEPHOLE_MISTAKES,
                PEEPHOLE_VARIANTS, uses=(SIGMOID,))  # fmt: skip
HARD = Task("hard_lstm_step", _source(hard_lstm_step), _H_AND_C, _hard_cases, HARD_MISTAKES, HARD_VARIANTS,
            uses=(SIGMOID,))  # fmt: skip
HAND = Task("outputs_by_hand", OUTPUTS_BY_HAND, (("outputs_by_hand", ("step",)),), None, HAND_MISTAKES, HAND_VARIANTS)

TASKS = (STEP, FORWARD, SUMS, BACKWARD, PEEPHOLE, HARD, HAND)
check = diagnose.checker(*TASKS)
