"""The tasks of the exercise `gru`: right answers, the mistakes people make, other right ways."""

import inspect

import numpy as np

from rnncourse.check import diagnose
from rnncourse.check.task import Mistake, Task, Variant

# --- Right answers: exactly what stands in the answer cells of solutions/gru ----------------------------------


def sigmoid(a):
    """1 / (1 + e^-a), in a form that cannot overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * a)


def gru_step(x, h, U, W, b_x, b_h):
    """Reset after: x (B, D), h (B, H), U (D, 3H), W (H, 3H), b_x and b_h (3H,) -> the new state (B, H)."""
    H = h.shape[1]
    a_x, a_h = x @ U + b_x, h @ W + b_h
    r = sigmoid(a_x[:, :H] + a_h[:, :H])
    z = sigmoid(a_x[:, H : 2 * H] + a_h[:, H : 2 * H])
    n = np.tanh(a_x[:, 2 * H :] + r * a_h[:, 2 * H :])
    return (1 - z) * n + z * h


def gru_step_reset_before(x, h, U, W, b_x, b_h):
    """Reset before: x (B, D), h (B, H), U (D, 3H), W (H, 3H), b_x and b_h (3H,) -> the new state (B, H)."""
    H = h.shape[1]
    a = x @ U + b_x + b_h
    r = sigmoid(a[:, :H] + h @ W[:, :H])
    z = sigmoid(a[:, H : 2 * H] + h @ W[:, H : 2 * H])
    n = np.tanh(a[:, 2 * H :] + (r * h) @ W[:, 2 * H :])
    return (1 - z) * n + z * h


def gru_forward(x, h_0, U, W, b_x, b_h, mask):
    """All steps: x (B, T, D), h_0 (B, H), mask (B, T) -> the hidden state after every step (B, T, H)."""
    B, T, _ = x.shape
    hidden = np.empty((B, T, h_0.shape[1]), dtype=x.dtype)
    h = h_0
    for t in range(T):
        h_new = gru_step(x[:, t], h, U, W, b_x, b_h)
        h = np.where(mask[:, t, None], h_new, h)
        hidden[:, t] = h
    return hidden


def gru_step_backward(d_new, x, h, U, W, b_x, b_h):
    """d_new (B, H), the gradient of gru_step(x, h, U, W, b_x, b_h) -> d_x, d_h, d_U, d_W, d_b_x, d_b_h."""
    H = h.shape[1]
    a_x, a_h = x @ U + b_x, h @ W + b_h
    r = sigmoid(a_x[:, :H] + a_h[:, :H])
    z = sigmoid(a_x[:, H : 2 * H] + a_h[:, H : 2 * H])
    m = a_h[:, 2 * H :]
    n = np.tanh(a_x[:, 2 * H :] + r * m)
    d_n = d_new * (1 - z) * (1 - n**2)
    d_z = d_new * (h - n) * z * (1 - z)
    d_r = d_n * m * r * (1 - r)
    d_a_x = np.concatenate([d_r, d_z, d_n], axis=1)
    d_a_h = np.concatenate([d_r, d_z, d_n * r], axis=1)
    d_h = d_new * z + d_a_h @ W.T
    return d_a_x @ U.T, d_h, x.T @ d_a_x, h.T @ d_a_h, d_a_x.sum(axis=0), d_a_h.sum(axis=0)


def swap_update_gate(U, W, b_x, b_h):
    """U (D, 3H), W (H, 3H), b_x and b_h (3H,) -> the four for an update gate that means the opposite."""
    H = W.shape[0]
    sign = np.ones(3 * H, dtype=W.dtype)
    sign[H : 2 * H] = -1
    return U * sign, W * sign, b_x * sign, b_h * sign


STATES_BY_HAND = "states_by_hand = [3, 3, 8, 4, 7.5]"


# --- Inputs that the visible check tries ----------------------------------------------------------------------


def _normal(seed, dtype=np.float64, **shapes):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=shape).astype(dtype) for name, shape in shapes.items()}


def _weights(D, H):
    return {"U": (D, 3 * H), "W": (H, 3 * H), "b_x": (3 * H,), "b_h": (3 * H,)}


def _step_case(seed, B, D, H, dtype=np.float64):
    return _normal(seed, dtype, x=(B, D), h=(B, H), **_weights(D, H))


def _step_cases():
    return [
        _step_case(0, B=2, D=3, H=4),
        _step_case(1, B=1, D=2, H=2),
        _step_case(2, B=3, D=5, H=3, dtype=np.float32),
    ]


def _forward_case(seed, mask, D, H, dtype=np.float64):
    B, T = len(mask), len(mask[0])
    case = _normal(seed, dtype, x=(B, T, D), h_0=(B, H), **_weights(D, H))
    return case | {"mask": np.array(mask, dtype=bool)}


def _forward_cases():
    return [
        _forward_case(3, [[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 0]], D=2, H=3),
        _forward_case(4, [[0, 1, 0, 1, 1], [1, 1, 1, 1, 1]], D=3, H=3),
        _forward_case(5, [[1, 1, 1]], D=2, H=4, dtype=np.float32),
    ]


def _backward_case(seed, B, D, H, dtype=np.float64):
    return _normal(seed, dtype, d_new=(B, H), x=(B, D), h=(B, H), **_weights(D, H))


def _backward_cases():
    return [
        _backward_case(6, B=2, D=3, H=4),
        _backward_case(7, B=3, D=2, H=2),
        _backward_case(8, B=4, D=3, H=3, dtype=np.float32),
    ]


def _swap_cases():
    return [_normal(9, **_weights(3, 2)), _normal(10, **_weights(2, 3)), _normal(11, np.float32, **_weights(2, 2))]


# --- Mistakes -------------------------------------------------------------------------------------------------

_SUMS = "a_x, a_h = x @ U + b_x, h @ W + b_h"
_R = "r = sigmoid(a_x[:, :H] + a_h[:, :H])"
_Z = "z = sigmoid(a_x[:, H : 2 * H] + a_h[:, H : 2 * H])"
_N = "n = np.tanh(a_x[:, 2 * H :] + r * a_h[:, 2 * H :])"
_NEW = "return (1 - z) * n + z * h"

STEP_MISTAKES = (
    Mistake("z for 1 - z", "the update gate works the wrong way round. Here z = 1 keeps the old state, as in PyTorch; "
            "some papers mean the opposite.", ((_NEW, "return z * n + (1 - z) * h"),)),
    Mistake("reset before", "the reset gate scales h before the product with W_n. That is the other form of the GRU; "
            "here it scales what comes out of the product.",
            ((_N, "n = np.tanh(a_x[:, 2 * H :] + (r * h) @ W[:, 2 * H :] + b_h[2 * H :])"),)),
    Mistake("b_hn not reset", "the candidate's b_h stands outside the reset gate; it is part of what the gate scales.",
            ((_N, "n = np.tanh(a_x[:, 2 * H :] + r * (h @ W[:, 2 * H :]) + b_h[2 * H :])"),)),
    Mistake("everything reset", "the reset gate scales the input's share of the candidate too. It scales only what "
            "comes from the old state.", ((_N, "n = np.tanh(r * (a_x[:, 2 * H :] + a_h[:, 2 * H :]))"),)),
    Mistake("no reset", "the reset gate is computed, but does not act on the candidate.",
            ((_N, "n = np.tanh(a_x[:, 2 * H :] + a_h[:, 2 * H :])"),)),
    Mistake("gates z, r, n", "the blocks of three are read in the order z, r, n (Keras's). Here the order is r, z, n.",
            ((_R, "z = sigmoid(a_x[:, :H] + a_h[:, :H])"),
             (_Z, "r = sigmoid(a_x[:, H : 2 * H] + a_h[:, H : 2 * H])"))),
    Mistake("gates interleaved", "every third column is taken as one gate. A gate is a block of H columns that stand "
            "side by side.",
            ((_R, "r = sigmoid(a_x[:, ::3] + a_h[:, ::3])"), (_Z, "z = sigmoid(a_x[:, 1::3] + a_h[:, 1::3])"),
             (_N, "n = np.tanh(a_x[:, 2::3] + r * a_h[:, 2::3])"))),
    Mistake("no b_x", "the bias b_x is left out.", ((_SUMS, "a_x, a_h = x @ U, h @ W + b_h"),)),
    Mistake("no b_h", "the bias b_h is left out.", ((_SUMS, "a_x, a_h = x @ U + b_x, h @ W"),)),
    Mistake("biases swapped", "b_x and b_h are swapped. For r and z that makes no difference, for n it does.",
            ((_SUMS, "a_x, a_h = x @ U + b_h, h @ W + b_x"),)),
    Mistake("candidate through the sigmoid", "the sigmoid is taken of the candidate; it is a value from -1 to 1, not "
            "a gate.", ((_N, "n = sigmoid(a_x[:, 2 * H :] + r * a_h[:, 2 * H :])"),)),
    Mistake("gates through tanh", "tanh is taken of the gates; a gate lies between 0 and 1.",
            ((_R, "r = np.tanh(a_x[:, :H] + a_h[:, :H])"),
             (_Z, "z = np.tanh(a_x[:, H : 2 * H] + a_h[:, H : 2 * H])"))),
    Mistake("candidate without tanh", "the candidate is the bare sum, without tanh.",
            ((_N, "n = a_x[:, 2 * H :] + r * a_h[:, 2 * H :]"),)),
    Mistake("sigmoid of each share", "the sigmoid is taken of the input's and the state's share one by one; take it "
            "once, of their sum.",
            ((_R, "r = sigmoid(a_x[:, :H]) + sigmoid(a_h[:, :H])"),
             (_Z, "z = sigmoid(a_x[:, H : 2 * H]) + sigmoid(a_h[:, H : 2 * H])"))),
    Mistake("gates see the input only", "the old state does not enter the gates; they look at x and at h.",
            ((_R, "r = sigmoid(a_x[:, :H])"), (_Z, "z = sigmoid(a_x[:, H : 2 * H])"))),
    Mistake("candidate only", "the candidate is returned; the old state has no share in the new one.",
            ((_NEW, "return n"),)),
    Mistake("old state added whole", "the old state is added in full. The update gate divides the new state between "
            "candidate and old state.", ((_NEW, "return (1 - z) * n + h"),)),
    Mistake("reset state kept", "the reset gate also scales the old state in the last line. It acts inside the "
            "candidate alone.", ((_NEW, "return (1 - z) * n + z * (r * h)"),)),
    Mistake("blocks transposed", "each block of W is transposed. Here W goes from old units (rows) to new ones "
            "(columns); only PyTorch stores it the other way.",
            ((_SUMS, "a_x, a_h = x @ U + b_x, h @ np.hstack([block.T for block in np.split(W, 3, axis=1)]) + b_h"),)),
    Mistake("batch squeezed", "axes of length 1 are squeezed away. A batch of one is still a batch.",
            ((_NEW, "return ((1 - z) * n + z * h).squeeze()"),)),
    Mistake("float64 only", "the result is always float64; keep the dtype of x.",
            ((_NEW, "return ((1 - z) * n + z * h).astype(np.float64)"),)),
    Mistake("nothing returned", "the new state is computed, but not returned.",
            ((_NEW, "new = (1 - z) * n + z * h"),)),
    Mistake("state overwritten", "the new state is written into the array h itself (`h[:] = …` or `h *= …`).",
            ((_NEW, "h[:] = (1 - z) * n + z * h\n    return h"),)),
)  # fmt: skip

_BEFORE_SUMS = "a = x @ U + b_x + b_h"
_BEFORE_R = "r = sigmoid(a[:, :H] + h @ W[:, :H])"
_BEFORE_Z = "z = sigmoid(a[:, H : 2 * H] + h @ W[:, H : 2 * H])"
_BEFORE_N = "n = np.tanh(a[:, 2 * H :] + (r * h) @ W[:, 2 * H :])"

BEFORE_MISTAKES = (
    Mistake("reset after", "the reset gate scales the product h W_n (with its bias outside). Here it scales h, before "
            "the product.", ((_BEFORE_N, "n = np.tanh(a[:, 2 * H :] + r * (h @ W[:, 2 * H :]))"),)),
    Mistake("PyTorch's form", "the reset gate scales the product and its bias: that is `gru_step`. Here it scales h, "
            "before the product.",
            ((_BEFORE_N, "n = np.tanh(a[:, 2 * H :] - b_h[2 * H :] + r * (h @ W[:, 2 * H :] + b_h[2 * H :]))"),)),
    Mistake("b_hn reset", "the reset gate scales h and the candidate's b_h. The bias is outside here.",
            ((_BEFORE_N,
              "n = np.tanh(a[:, 2 * H :] - b_h[2 * H :] + (r * h) @ W[:, 2 * H :] + r * b_h[2 * H :])"),)),
    Mistake("reset twice", "the reset gate is applied before the product and once more after it.",
            ((_BEFORE_N, "n = np.tanh(a[:, 2 * H :] + r * ((r * h) @ W[:, 2 * H :]))"),)),
    Mistake("no reset", "the reset gate is computed, but does not act on the candidate.",
            ((_BEFORE_N, "n = np.tanh(a[:, 2 * H :] + h @ W[:, 2 * H :])"),)),
    Mistake("everything reset", "the reset gate scales the whole sum of the candidate. It scales only the old state.",
            ((_BEFORE_N, "n = np.tanh(r * (a[:, 2 * H :] + h @ W[:, 2 * H :]))"),)),
    Mistake("z from the reset state", "the update gate is computed from the reset state r h; it sees h as it is.",
            ((_BEFORE_Z, "z = sigmoid(a[:, H : 2 * H] + (r * h) @ W[:, H : 2 * H])"),)),
    Mistake("reset state kept", "the old state in the last line is r h; the reset acts inside the candidate alone.",
            ((_NEW, "return (1 - z) * n + z * (r * h)"),)),
    Mistake("z for 1 - z", "the update gate works the wrong way round. Here z = 1 keeps the old state; some papers "
            "mean the opposite.", ((_NEW, "return z * n + (1 - z) * h"),)),
    Mistake("gates z, r, n", "the blocks of three are read in the order z, r, n (Keras's). Here the order is r, z, n.",
            ((_BEFORE_R, "z = sigmoid(a[:, :H] + h @ W[:, :H])"),
             (_BEFORE_Z, "r = sigmoid(a[:, H : 2 * H] + h @ W[:, H : 2 * H])"))),
    Mistake("no b_x", "the bias b_x is left out.", ((_BEFORE_SUMS, "a = x @ U + b_h"),)),
    Mistake("no b_h", "the bias b_h is left out.", ((_BEFORE_SUMS, "a = x @ U + b_x"),)),
    Mistake("no bias in the candidate", "the candidate has lost its b_h; it stands outside the reset, but it stands.",
            ((_BEFORE_N, "n = np.tanh(a[:, 2 * H :] - b_h[2 * H :] + (r * h) @ W[:, 2 * H :])"),)),
    Mistake("candidate through the sigmoid", "the sigmoid is taken of the candidate; it is a value from -1 to 1, not "
            "a gate.", ((_BEFORE_N, "n = sigmoid(a[:, 2 * H :] + (r * h) @ W[:, 2 * H :])"),)),
    Mistake("candidate without tanh", "the candidate is the bare sum, without tanh.",
            ((_BEFORE_N, "n = a[:, 2 * H :] + (r * h) @ W[:, 2 * H :]"),)),
    Mistake("candidate only", "the candidate is returned; the old state has no share in the new one.",
            ((_NEW, "return n"),)),
    Mistake("float64 only", "the result is always float64; keep the dtype of x.",
            ((_NEW, "return ((1 - z) * n + z * h).astype(np.float64)"),)),
    Mistake("state overwritten", "h itself is multiplied by the reset gate in place (`h *= r`); later lines and the "
            "caller still need the old one.",
            ((_BEFORE_N, "h *= r\n    n = np.tanh(a[:, 2 * H :] + h @ W[:, 2 * H :])"),)),
)  # fmt: skip

_CALL = "h_new = gru_step(x[:, t], h, U, W, b_x, b_h)"
_HOLD = "h = np.where(mask[:, t, None], h_new, h)"
_KEEP = "hidden[:, t] = h"

FORWARD_MISTAKES = (
    Mistake("state not carried", "every step starts from h_0 again; the state has to be carried from step to step.",
            ((_CALL, "h_new = gru_step(x[:, t], h_0, U, W, b_x, b_h)"),)),
    Mistake("starts at zero", "the first step starts from zeros instead of h_0.",
            (("h = h_0", "h = np.zeros_like(h_0)"),)),
    Mistake("mask ignored", "the mask is ignored: padding changes the state.", ((_HOLD, "h = h_new"),)),
    Mistake("mask inverted", "the mask is read the wrong way round. It is True at real steps.",
            ((_HOLD, "h = np.where(mask[:, t, None], h, h_new)"),)),
    Mistake("padding resets", "padding sets the state to zero; it has to stay as it was.",
            ((_HOLD, "h = np.where(mask[:, t, None], h_new, np.zeros_like(h))"),)),
    Mistake("padded input zeroed", "the padded inputs are set to zero and the step is made all the same. Even with "
            "x = 0 the candidate has a share in the new state: hold the state instead.",
            ((_CALL, "h_new = gru_step(x[:, t] * mask[:, t, None].astype(x.dtype), h, U, W, b_x, b_h)"),
             (_HOLD, "h = h_new"))),
    Mistake("zeros at padding", "the state is held, but zeros are returned at padding. Return the held state there.",
            ((_KEEP, "hidden[:, t] = np.where(mask[:, t, None], h, 0)"),)),
    Mistake("only outputs masked", "the outputs at padding are set to zero, but the state goes on through it.",
            ((_HOLD, "h = h_new"), (_KEEP, "hidden[:, t] = np.where(mask[:, t, None], h, 0)"))),
    Mistake("mask of the first example", "the mask of the first example is used for the whole batch.",
            ((_HOLD, "h = np.where(mask[0, t], h_new, h)"),)),
    Mistake("mask as lengths", "the mask is taken for a length, as if padding could only stand at the end. It can "
            "stand anywhere.", ((_HOLD, "h = np.where((t < mask.sum(1))[:, None], h_new, h)"),)),
    Mistake("one step late", "the state before the step is stored instead of the state after it.",
            ((_CALL, f"{_KEEP}\n        {_CALL}"), (f"{_HOLD}\n        {_KEEP}", _HOLD))),
    Mistake("last step missing", "the loop ends one step early, and the last step stays zero.",
            (("np.empty(", "np.zeros("), ("range(T)", "range(T - 1)"))),
    Mistake("backwards", "the sequence is read from its end.",
            ((_CALL, "h_new = gru_step(x[:, T - 1 - t], h, U, W, b_x, b_h)"),)),
    Mistake("time first", "time is the first axis of the result. Here the batch comes first: (B, T, H).",
            (("return hidden", "return hidden.swapaxes(0, 1)"),)),
    Mistake("last state only", "only the state after the last step is returned, not all of them.",
            (("return hidden", "return hidden[:, -1]"),)),
    Mistake("float64 only", "the result is always float64; `np.zeros` and `np.empty` need `dtype=x.dtype`.",
            ((", dtype=x.dtype)", ")"),)),
    Mistake("h_0 overwritten", "the new state is written into h_0 (`h = h_0` is the same array, not a copy).",
            ((_HOLD, "h[:] = np.where(mask[:, t, None], h_new, h)"),)),
    Mistake("same array in a list", "one array is changed in place and appended again and again, so that every step "
            "shows the last state.",
            (("h = h_0", "h, rows = h_0.copy(), []"), (_HOLD, "h[:] = np.where(mask[:, t, None], h_new, h)"),
             (_KEEP, "rows.append(h)"), ("return hidden", "return np.stack(rows, axis=1)"))),
)  # fmt: skip

_D_N = "d_n = d_new * (1 - z) * (1 - n**2)"
_D_Z = "d_z = d_new * (h - n) * z * (1 - z)"
_D_R = "d_r = d_n * m * r * (1 - r)"
_D_A_X = "d_a_x = np.concatenate([d_r, d_z, d_n], axis=1)"
_D_A_H = "d_a_h = np.concatenate([d_r, d_z, d_n * r], axis=1)"
_D_H = "d_h = d_new * z + d_a_h @ W.T"
_RETURN = "return d_a_x @ U.T, d_h, x.T @ d_a_x, h.T @ d_a_h, d_a_x.sum(axis=0), d_a_h.sum(axis=0)"

BACKWARD_MISTAKES = (
    Mistake("direct path forgotten", "d_h lacks the direct path: a share of h goes into the new state past all "
            "products.", ((_D_H, "d_h = d_a_h @ W.T"),)),
    Mistake("direct path only", "d_h has the direct path alone; h also acts through the product with W.",
            ((_D_H, "d_h = d_new * z"),)),
    Mistake("direct path with 1 - z", "the direct path of d_h has the factor of the candidate. Which share of h is "
            "kept?", ((_D_H, "d_h = d_new * (1 - z) + d_a_h @ W.T"),)),
    Mistake("direct path without the gate", "the direct path of d_h lacks its factor: only a share of h is kept.",
            ((_D_H, "d_h = d_new + d_a_h @ W.T"),)),
    Mistake("candidate without 1 - z", "the gradient of the candidate lacks the share that the candidate has in the "
            "new state.", ((_D_N, "d_n = d_new * (1 - n**2)"),)),
    Mistake("candidate with z", "the gradient of the candidate has the share of the old state as its factor.",
            ((_D_N, "d_n = d_new * z * (1 - n**2)"),)),
    Mistake("no slope of tanh", "the slope of tanh is missing in the gradient of the candidate's sum.",
            ((_D_N, "d_n = d_new * (1 - z)"),)),
    Mistake("tanh twice", "the slope of tanh is computed as if the candidate were the sum: tanh has been taken "
            "already.", ((_D_N, "d_n = d_new * (1 - z) * (1 - np.tanh(n) ** 2)"),)),
    Mistake("sign of z", "the gradient of the update gate has the wrong sign: which of h and n grows with z?",
            ((_D_Z, "d_z = d_new * (n - h) * z * (1 - z)"),)),
    Mistake("z without n", "the gradient of the update gate knows only its product with h; z also takes from the "
            "candidate.", ((_D_Z, "d_z = d_new * h * z * (1 - z)"),)),
    Mistake("no slope of z", "the slope of the sigmoid is missing in the update gate.",
            ((_D_Z, "d_z = d_new * (h - n)"),)),
    Mistake("sigmoid twice", "the slope of the sigmoid is computed as if z were the sum: the sigmoid has been taken "
            "already.", ((_D_Z, "d_z = d_new * (h - n) * sigmoid(z) * (1 - sigmoid(z))"),)),
    Mistake("no slope of r", "the slope of the sigmoid is missing in the reset gate.", ((_D_R, "d_r = d_n * m"),)),
    Mistake("r from h", "the gradient of the reset gate is multiplied by h, as for a reset before the product. What "
            "does r multiply here?", ((_D_R, "d_r = d_n * h * r * (1 - r)"),)),
    Mistake("r without b_hn", "the gradient of the reset gate forgets the bias inside the reset: r multiplies "
            "h W_n + b_hn.", ((_D_R, "d_r = d_n * (m - b_h[2 * H :]) * r * (1 - r)"),)),
    Mistake("reset gate constant", "the reset gate is treated as a constant: no gradient flows through it.",
            ((_D_R, "d_r = np.zeros_like(r)"),)),
    Mistake("no r on the way back", "what goes back into h W_n + b_hn is not scaled by the reset gate, as it was on "
            "the way there.", ((_D_A_H, "d_a_h = d_a_x"),)),
    Mistake("r on the input too", "the reset gate scales the gradient of the input's share too; only the state's "
            "share went through it.", ((_D_A_X, "d_a_x = np.concatenate([d_r, d_z, d_n * r], axis=1)"),)),
    Mistake("gates z, r, n", "the blocks of the gradients stand in the order z, r, n (Keras's) instead of r, z, n.",
            ((_D_A_X, "d_a_x = np.concatenate([d_z, d_r, d_n], axis=1)"),
             (_D_A_H, "d_a_h = np.concatenate([d_z, d_r, d_n * r], axis=1)"))),
    Mistake("d_W from the input's side", "d_W is computed with the gradient of x U + b_x; W belongs to h W + b_h.",
            ((_RETURN, _RETURN.replace("h.T @ d_a_h", "h.T @ d_a_x")),)),
    Mistake("d_W from the new state", "d_W is computed with the new state; W was multiplied by the old one.",
            ((_RETURN, _RETURN.replace("h.T @ d_a_h", "((1 - z) * n + z * h).T @ d_a_h")),)),
    Mistake("one bias", "d_b_h is the same as d_b_x. They differ in the block of the candidate.",
            ((_RETURN, _RETURN.replace("d_a_h.sum(axis=0)", "d_a_x.sum(axis=0)")),)),
    Mistake("mean over the batch", "the gradients of the weights are averaged over the batch; the loss is a sum over "
            "examples here, so they are summed.",
            ((_RETURN, "B = len(x)\n    return (d_a_x @ U.T, d_h, x.T @ d_a_x / B, h.T @ d_a_h / B, "
              "d_a_x.mean(axis=0), d_a_h.mean(axis=0))"),)),
    Mistake("biases not summed", "the gradients of the biases still have a row for every example; a bias acts on all "
            "of them.", ((_RETURN, _RETURN.replace(".sum(axis=0)", "")),)),
    Mistake("order of the results", "d_h and d_x are in the wrong order: first d_x, then d_h.",
            ((_RETURN, _RETURN.replace("d_a_x @ U.T, d_h", "d_h, d_a_x @ U.T")),)),
    Mistake("float64 only", "the results are always float64; keep the dtype of x.",
            ((_RETURN, f"results = {_RETURN.removeprefix('return ')}\n"
              "    return tuple(d.astype(np.float64) for d in results)"),)),
    Mistake("gradient overwritten", "the gradient d_new is multiplied in place (`d_new *= …`); work on a copy.",
            ((_D_H, "d_new *= z\n    d_h = d_new + d_a_h @ W.T"),)),
)  # fmt: skip

_SIGN = "sign[H : 2 * H] = -1"
_SIGNS = "return U * sign, W * sign, b_x * sign, b_h * sign"

SWAP_MISTAKES = (
    Mistake("nothing changed", "the parameters come back as they were.", ((_SIGN, ""),)),
    Mistake("everything negated", "all signs are changed; then the reset gate and the candidate change too.",
            ((_SIGN, "sign[:] = -1"),)),
    Mistake("reset gate negated", "the first block changes its sign; that is the reset gate. The order is r, z, n.",
            ((_SIGN, "sign[:H] = -1"),)),
    Mistake("candidate negated", "the last block changes its sign; that is the candidate. The order is r, z, n.",
            ((_SIGN, "sign[2 * H :] = -1"),)),
    Mistake("both gates negated", "the reset gate changes its sign too; only the update gate is swapped.",
            ((_SIGN, "sign[: 2 * H] = -1"),)),
    Mistake("interleaved", "every third column changes its sign. A gate is a block of H columns that stand side by "
            "side.", ((_SIGN, "sign[1::3] = -1"),)),
    Mistake("biases forgotten", "the biases stay as they were. The gate's whole sum has to change its sign.",
            ((_SIGNS, "return U * sign, W * sign, b_x.copy(), b_h.copy()"),)),
    Mistake("one bias forgotten", "b_h stays as it was. The gate's whole sum has to change its sign.",
            ((_SIGNS, "return U * sign, W * sign, b_x * sign, b_h.copy()"),)),
    Mistake("W forgotten", "W stays as it was. The gate's whole sum has to change its sign.",
            ((_SIGNS, "return U * sign, W.copy(), b_x * sign, b_h * sign"),)),
    Mistake("U forgotten", "U stays as it was. The gate's whole sum has to change its sign.",
            ((_SIGNS, "return U.copy(), W * sign, b_x * sign, b_h * sign"),)),
    Mistake("biases only", "only the biases change their signs; the weights of the gate have to as well.",
            ((_SIGNS, "return U.copy(), W.copy(), b_x * sign, b_h * sign"),)),
    Mistake("1 minus the weights", "the gate's parameters are subtracted from 1. It is the gate that becomes 1 - z, "
            "and the gate is the sigmoid of a sum.",
            ((_SIGNS, "return tuple(a * sign + (sign < 0) for a in (U, W, b_x, b_h))"),)),
    Mistake("gates exchanged", "the blocks of r and z change places. Both gates stay where they are; one of them "
            "changes its meaning.",
            ((_SIGN, "order = np.r_[H : 2 * H, :H, 2 * H : 3 * H]"),
             (_SIGNS, "return U[:, order], W[:, order], b_x[order], b_h[order]"))),
    Mistake("float64 only", "the results are always float64; keep the dtype of the parameters.",
            (("sign = np.ones(3 * H, dtype=W.dtype)", "sign = np.ones(3 * H)"),)),
    Mistake("parameters overwritten", "the arguments are changed in place (`U[…] *= -1`); the caller still needs the "
            "old ones.",
            ((_SIGNS, "for a in (U, W, b_x, b_h):\n        a *= sign\n    return U, W, b_x, b_h"),)),
)  # fmt: skip


def _hand(name, sentence, numbers):
    return Mistake(name, sentence, (("[3, 3, 8, 4, 7.5]", numbers),))


HAND_MISTAKES = (
    _hand("z for 1 - z", "z = 0 is taken to keep the old state and z = 1 to replace it. Here it is the other way "
          "round.", "[0, 6, 6, 6, 10.5]"),
    _hand("reset inverted", "r = 0 is taken to let the old state through and r = 1 to shut it out.",
          "[4, 4, 1, 7, 4.5]"),
    _hand("reset ignored", "the old state enters the candidate at every step; where r = 0 it is shut out.",
          "[4, 4, 10, 25, 39]"),
    _hand("b_hn not reset", "the 1 is added where r = 0 too. It stands inside the reset gate's brackets.",
          "[4, 4, 10, 5, 9]"),
    _hand("always reset", "the candidate is the input alone; where r = 1 the old state enters it.",
          "[3, 3, 1, 4, 3]"),
    _hand("no b_hn", "the 1 in the brackets is left out.", "[3, 3, 7, 4, 7]"),
    _hand("no factor 2", "the old state enters the candidate without the factor 2.", "[3, 3, 5, 4, 5.5]"),
    _hand("the half step keeps", "in the last step the old state is kept; z = 1/2 is halfway.", "[3, 3, 8, 4, 4]"),
    _hand("the half step replaces", "in the last step the candidate replaces the state; z = 1/2 is halfway.",
          "[3, 3, 8, 4, 11]"),
    _hand("the half step adds up", "in the last step candidate and old state are added whole; each has half a share.",
          "[3, 3, 8, 4, 15]"),
    _hand("with tanh", "tanh is taken of the candidate; it is linear here.",
          "[0.9950547536867305, 0.9950547536867305, 0.9993159051224806, 0.999329299739067, 0.999619130049413]"),
    _hand("gates swapped", "r and z are mistaken for each other. r scales the old state inside the candidate, z "
          "divides the new state.", "[3, 3, 3, 4, 4]"),
)  # fmt: skip

# --- Other right ways -----------------------------------------------------------------------------------------

STEP_VARIANTS = (
    Variant("split", """\
def gru_step(x, h, U, W, b_x, b_h):
    x_r, x_z, x_n = np.split(x @ U + b_x, 3, axis=1)
    h_r, h_z, h_n = np.split(h @ W + b_h, 3, axis=1)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    n = np.tanh(x_n + r * h_n)
    return n + z * (h - n)"""),
    Variant("gate by gate", """\
def gru_step(x, h, U, W, b_x, b_h):
    H = W.shape[0]
    U_r, U_z, U_n = U[:, :H], U[:, H:-H], U[:, -H:]
    W_r, W_z, W_n = W[:, :H], W[:, H:-H], W[:, -H:]
    r = sigmoid(x @ U_r + b_x[:H] + h @ W_r + b_h[:H])
    z = sigmoid(x @ U_z + b_x[H:-H] + h @ W_z + b_h[H:-H])
    n = np.tanh(x @ U_n + b_x[-H:] + r * (h @ W_n + b_h[-H:]))
    return (1 - z) * n + z * h"""),
    Variant("einsum over an axis of gates", """\
def gru_step(x, h, U, W, b_x, b_h):
    (D, _), H = U.shape, len(W)
    a_x = np.einsum("bd,dgh->gbh", x, U.reshape(D, 3, H)) + b_x.reshape(3, 1, H)
    a_h = np.einsum("bi,igh->gbh", h, W.reshape(H, 3, H)) + b_h.reshape(3, 1, H)
    r, z = sigmoid(a_x[:2] + a_h[:2])
    n = np.tanh(a_x[2] + r * a_h[2])
    return (1 - z) * n + z * h"""),
    Variant("loops", """\
def gru_step(x, h, U, W, b_x, b_h):
    B, H = h.shape
    new = np.zeros_like(h)
    for k in range(B):
        a_x, a_h = x[k] @ U + b_x, h[k] @ W + b_h
        for j in range(H):
            r = sigmoid(a_x[j] + a_h[j])
            z = sigmoid(a_x[H + j] + a_h[H + j])
            n = np.tanh(a_x[2 * H + j] + r * a_h[2 * H + j])
            new[k, j] = (1 - z) * n + z * h[k, j]
    return new"""),
    Variant("columns, transposed back", """\
def gru_step(x, h, U, W, b_x, b_h):
    a_x, a_h = U.T @ x.T + b_x[:, None], W.T @ h.T + b_h[:, None]
    (x_r, x_z, x_n), (h_r, h_z, h_n) = np.split(a_x, 3), np.split(a_h, 3)
    z = sigmoid(x_z + h_z)
    return ((1 - z) * np.tanh(x_n + sigmoid(x_r + h_r) * h_n) + z * h.T).T"""),
    Variant("PyTorch inside", """\
import torch
def gru_step(x, h, U, W, b_x, b_h):
    x, h, U, W, b_x, b_h = map(torch.from_numpy, (x, h, U, W, b_x, b_h))
    x_r, x_z, x_n = torch.addmm(b_x, x, U).chunk(3, dim=1)
    h_r, h_z, h_n = torch.addmm(b_h, h, W).chunk(3, dim=1)
    n = torch.tanh(x_n + torch.sigmoid(x_r + h_r) * h_n)
    return torch.lerp(n, h, torch.sigmoid(x_z + h_z)).numpy()"""),
    Variant("the naive sigmoid, without a warning", """\
def gru_step(x, h, U, W, b_x, b_h):
    a_x, a_h = np.split(x @ U + b_x, 3, axis=-1), np.split(h @ W + b_h, 3, axis=-1)
    with np.errstate(over="ignore"):
        r, z = (1 / (1 + np.exp(-(p + q))) for p, q in zip(a_x[:2], a_h[:2]))
    return (1 - z) * np.tanh(a_x[2] + r * a_h[2]) + z * h"""),
)  # fmt: skip

BEFORE_VARIANTS = (
    Variant("split", """\
def gru_step_reset_before(x, h, U, W, b_x, b_h):
    (U_r, U_z, U_n), (W_r, W_z, W_n) = np.split(U, 3, axis=1), np.split(W, 3, axis=1)
    b_r, b_z, b_n = np.split(b_x + b_h, 3)
    r = sigmoid(x @ U_r + h @ W_r + b_r)
    z = sigmoid(x @ U_z + h @ W_z + b_z)
    return z * h + (1 - z) * np.tanh(x @ U_n + (h * r) @ W_n + b_n)"""),
    Variant("one fused product for the gates", """\
def gru_step_reset_before(x, h, U, W, b_x, b_h):
    H = W.shape[0]
    b = b_x + b_h
    both = np.hstack([x, h]) @ np.vstack([U, W])[:, : 2 * H] + b[: 2 * H]
    r, z = np.split(sigmoid(both), 2, axis=1)
    n = np.tanh(np.hstack([x, r * h]) @ np.vstack([U, W])[:, 2 * H :] + b[2 * H :])
    return n + z * (h - n)"""),
    Variant("einsum: each row of W_n scaled", """\
def gru_step_reset_before(x, h, U, W, b_x, b_h):
    H = W.shape[0]
    a = x @ U + (b_x + b_h)
    r = sigmoid(a[:, :H] + h @ W[:, :H])
    z = sigmoid(a[:, H : 2 * H] + h @ W[:, H : 2 * H])
    n = np.tanh(a[:, 2 * H :] + np.einsum("bi,bi,ij->bj", r, h, W[:, 2 * H :]))
    return (1 - z) * n + z * h"""),
    Variant("example by example", """\
def gru_step_reset_before(x, h, U, W, b_x, b_h):
    H, rows = W.shape[0], []
    for x_k, h_k in zip(x, h):
        gates = sigmoid((x_k @ U + b_x + h_k @ W + b_h)[: 2 * H])
        r, z = gates[:H], gates[H:]
        n = np.tanh(x_k @ U[:, 2 * H :] + b_x[2 * H :] + (r * h_k) @ W[:, 2 * H :] + b_h[2 * H :])
        rows.append((1 - z) * n + z * h_k)
    return np.stack(rows)"""),
    Variant("PyTorch inside", """\
import torch
def gru_step_reset_before(x, h, U, W, b_x, b_h):
    x, h, U, W, b = map(torch.from_numpy, (x, h, U, W, b_x + b_h))
    a_r, a_z, a_n = (x @ U + b).chunk(3, dim=1)
    W_r, W_z, W_n = W.chunk(3, dim=1)
    r, z = torch.sigmoid(a_r + h @ W_r), torch.sigmoid(a_z + h @ W_z)
    return ((1 - z) * torch.tanh(a_n + (r * h) @ W_n) + z * h).numpy()"""),
)  # fmt: skip

FORWARD_VARIANTS = (
    Variant("list and stack", """\
def gru_forward(x, h_0, U, W, b_x, b_h, mask):
    states = [h_0]
    for t in range(x.shape[1]):
        new = gru_step(x[:, t], states[-1], U, W, b_x, b_h)
        states.append(np.where(mask[:, [t]], new, states[-1]))
    return np.stack(states[1:], axis=1)"""),
    Variant("time first inside", """\
def gru_forward(x, h_0, U, W, b_x, b_h, mask):
    hidden, h = [], h_0
    for x_t, real in zip(x.transpose(1, 0, 2), mask.T):
        h = np.where(real[:, None], gru_step(x_t, h, U, W, b_x, b_h), h)
        hidden.append(h)
    return np.array(hidden).transpose(1, 0, 2)"""),
    Variant("only the real rows", """\
def gru_forward(x, h_0, U, W, b_x, b_h, mask):
    h, hidden = h_0.copy(), np.zeros((*mask.shape, len(W)), x.dtype)
    for t in range(mask.shape[1]):
        real = mask[:, t]
        h[real] = gru_step(x[real, t], h[real], U, W, b_x, b_h)
        hidden[:, t] = h
    return hidden"""),
    Variant("inputs projected before the loop", """\
def gru_forward(x, h_0, U, W, b_x, b_h, mask):
    H, h, hidden = len(W), h_0, []
    a_x = x @ U + b_x
    for t in range(x.shape[1]):
        a, a_h = a_x[:, t], h @ W + b_h
        r, z = sigmoid(a[:, :H] + a_h[:, :H]), sigmoid(a[:, H : 2 * H] + a_h[:, H : 2 * H])
        n = np.tanh(a[:, 2 * H :] + r * a_h[:, 2 * H :])
        h = np.where(mask[:, t, None], (1 - z) * n + z * h, h)
        hidden.append(h)
    return np.stack(hidden, axis=1)"""),
    Variant("the mask as a number", """\
def gru_forward(x, h_0, U, W, b_x, b_h, mask):
    h, hidden = h_0, np.empty((*x.shape[:2], len(W)), x.dtype)
    for t in range(x.shape[1]):
        real = mask[:, t : t + 1].astype(x.dtype)
        h = real * gru_step(np.where(mask[:, t, None], x[:, t], 0), h, U, W, b_x, b_h) + (1 - real) * h
        hidden[:, t] = h
    return hidden"""),
    Variant("one example at a time", """\
def gru_forward(x, h_0, U, W, b_x, b_h, mask):
    hidden = np.empty((*x.shape[:2], len(W)), x.dtype)
    for k in range(len(x)):
        h = h_0[k : k + 1]
        for t in range(x.shape[1]):
            if mask[k, t]:
                h = gru_step(x[k : k + 1, t], h, U, W, b_x, b_h)
            hidden[k, t] = h[0]
    return hidden"""),
)  # fmt: skip

BACKWARD_VARIANTS = (
    Variant("split", """\
def gru_step_backward(d_new, x, h, U, W, b_x, b_h):
    x_r, x_z, x_n = np.split(x @ U + b_x, 3, axis=1)
    h_r, h_z, h_n = np.split(h @ W + b_h, 3, axis=1)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    n = np.tanh(x_n + r * h_n)
    dn = d_new * (1 - z) * (1 - n * n)
    dr, dz = dn * h_n * r * (1 - r), d_new * (h - n) * z * (1 - z)
    dx_sum, dh_sum = np.hstack([dr, dz, dn]), np.hstack([dr, dz, dn * r])
    d_h = d_new * z + dh_sum @ W.T
    return dx_sum @ U.T, d_h, x.T @ dx_sum, h.T @ dh_sum, dx_sum.sum(0), dh_sum.sum(0)"""),
    Variant("gate by gate", """\
def gru_step_backward(d_new, x, h, U, W, b_x, b_h):
    H = len(W)
    R, Z, N = slice(H), slice(H, 2 * H), slice(2 * H, None)
    r = sigmoid(x @ U[:, R] + b_x[R] + h @ W[:, R] + b_h[R])
    z = sigmoid(x @ U[:, Z] + b_x[Z] + h @ W[:, Z] + b_h[Z])
    m = h @ W[:, N] + b_h[N]
    n = np.tanh(x @ U[:, N] + b_x[N] + r * m)
    d_a_n = d_new * (1 - z) * (1 - n**2)
    d_m = d_a_n * r
    d_a_r = d_a_n * m * r * (1 - r)
    d_a_z = d_new * (h - n) * z * (1 - z)
    d_U, d_W, d_b_x, d_b_h = map(np.empty_like, (U, W, b_x, b_h))
    for gate, d_x_side, d_h_side in [(R, d_a_r, d_a_r), (Z, d_a_z, d_a_z), (N, d_a_n, d_m)]:
        d_U[:, gate], d_W[:, gate] = x.T @ d_x_side, h.T @ d_h_side
        d_b_x[gate], d_b_h[gate] = d_x_side.sum(axis=0), d_h_side.sum(axis=0)
    d_x = d_a_r @ U[:, R].T + d_a_z @ U[:, Z].T + d_a_n @ U[:, N].T
    d_h = z * d_new + d_a_r @ W[:, R].T + d_a_z @ W[:, Z].T + d_m @ W[:, N].T
    return d_x, d_h, d_U, d_W, d_b_x, d_b_h"""),
    Variant("einsum", """\
def gru_step_backward(d_new, x, h, U, W, b_x, b_h):
    H = h.shape[1]
    a_x, a_h = x @ U + b_x, h @ W + b_h
    r, z = sigmoid(a_x[:, :H] + a_h[:, :H]), sigmoid(a_x[:, H:-H] + a_h[:, H:-H])
    n = np.tanh(a_x[:, -H:] + r * a_h[:, -H:])
    g = np.empty_like(a_x)
    g[:, -H:] = d_new * (1 - z) * (1 - n) * (1 + n)
    g[:, H:-H] = d_new * (h - n) * (z - z**2)
    g[:, :H] = g[:, -H:] * a_h[:, -H:] * (r - r**2)
    k = g.copy()
    k[:, -H:] *= r
    d_W = np.einsum("bi,bj->ij", h, k)
    return (np.einsum("bj,ij->bi", g, U), np.einsum("bj,ij->bi", k, W) + z * d_new,
            np.einsum("bi,bj->ij", x, g), d_W, np.einsum("bj->j", g), np.einsum("bj->j", k))"""),
    Variant("autograd", """\
import torch
def gru_step_backward(d_new, x, h, U, W, b_x, b_h):
    x, h, U, W, b_x, b_h = leaves = [torch.tensor(a, requires_grad=True) for a in (x, h, U, W, b_x, b_h)]
    (x_r, x_z, x_n), (h_r, h_z, h_n) = (x @ U + b_x).chunk(3, 1), (h @ W + b_h).chunk(3, 1)
    z = torch.sigmoid(x_z + h_z)
    new = (1 - z) * torch.tanh(x_n + torch.sigmoid(x_r + h_r) * h_n) + z * h
    new.backward(torch.tensor(d_new))
    return tuple(leaf.grad.numpy() for leaf in leaves)"""),
    Variant("example by example", """\
def gru_step_backward(d_new, x, h, U, W, b_x, b_h):
    H = h.shape[1]
    d_x, d_h, d_U, d_W, d_b_x, d_b_h = map(np.zeros_like, (x, h, U, W, b_x, b_h))
    for k in range(len(x)):
        a_x, a_h = x[k] @ U + b_x, h[k] @ W + b_h
        r, z = sigmoid(a_x[:H] + a_h[:H]), sigmoid(a_x[H : 2 * H] + a_h[H : 2 * H])
        n = np.tanh(a_x[2 * H :] + r * a_h[2 * H :])
        d_n = d_new[k] * (1 - z) * (1 - n**2)
        d_r, d_z = d_n * a_h[2 * H :] * r * (1 - r), d_new[k] * (h[k] - n) * z * (1 - z)
        d_a_x, d_a_h = np.concatenate([d_r, d_z, d_n]), np.concatenate([d_r, d_z, r * d_n])
        d_x[k], d_h[k] = U @ d_a_x, z * d_new[k] + W @ d_a_h
        d_U += np.outer(x[k], d_a_x)
        d_W += np.outer(h[k], d_a_h)
        d_b_x += d_a_x
        d_b_h += d_a_h
    return [d_x, d_h, d_U, d_W, d_b_x, d_b_h]"""),
)  # fmt: skip

SWAP_VARIANTS = (
    Variant("in copies", """\
def swap_update_gate(U, W, b_x, b_h):
    H, swapped = len(W), [a.copy() for a in (U, W, b_x, b_h)]
    for a in swapped:
        a[..., H : 2 * H] *= -1
    return tuple(swapped)"""),
    Variant("split and joined", """\
def swap_update_gate(U, W, b_x, b_h):
    def swap(a):
        r, z, n = np.split(a, 3, axis=-1)
        return np.concatenate([r, -z, n], axis=-1)
    return swap(U), swap(W), swap(b_x), swap(b_h)"""),
    Variant("a list", """\
def swap_update_gate(U, W, b_x, b_h):
    H = W.shape[0]
    return [np.hstack([a[..., :H], -a[..., H : 2 * H], a[..., 2 * H :]]) for a in (U, W, b_x, b_h)]"""),
    Variant("repeat", """\
def swap_update_gate(U, W, b_x, b_h):
    sign = np.repeat(np.array([1, -1, 1], dtype=U.dtype), W.shape[0])
    return U * sign, W * sign, b_x * sign, b_h * sign"""),
    Variant("an axis of gates", """\
def swap_update_gate(U, W, b_x, b_h):
    H = len(b_x) // 3
    def swap(a):
        gates = a.reshape(*a.shape[:-1], 3, H).copy()
        gates[..., 1, :] = -gates[..., 1, :]
        return gates.reshape(a.shape)
    return tuple(map(swap, (U, W, b_x, b_h)))"""),
    Variant("where", """\
def swap_update_gate(U, W, b_x, b_h):
    H = len(W)
    is_z = np.arange(3 * H) // H == 1
    return tuple(np.where(is_z, -a, a) for a in (U, W, b_x, b_h))"""),
)  # fmt: skip

HAND_VARIANTS = (
    Variant("floats", "states_by_hand = [3.0, 3.0, 8.0, 4.0, 7.5]"),
    Variant("tuple", "states_by_hand = (3, 3, 8, 4, 15 / 2)"),
    Variant("array", "states_by_hand = np.array([3, 3, 8, 4, 7.5])"),
    Variant("computed", """\
h, states_by_hand = 0, []
for x, r, z in [(3, 0, 0), (5, 1, 1), (1, 1, 0), (4, 0, 0), (2, 1, 0.5)]:
    h = (1 - z) * (x + r * (2 * h + 1)) + z * h
    states_by_hand.append(h)"""),
    Variant("by name", """\
first = second = 3
third = 1 + (2 * second + 1)
fourth = 4
states_by_hand = [first, second, third, fourth, (2 + (2 * fourth + 1)) / 2 + fourth / 2]"""),
)  # fmt: skip

# --- The exercise ---------------------------------------------------------------------------------------------

_source = inspect.getsource
_STATE = (("the new state", ("example", "unit")),)
_GRADIENTS = (
    ("d_x", ("example", "input")),
    ("d_h", ("example", "unit")),
    ("d_U", ("input", "gate column")),
    ("d_W", ("from unit", "gate column")),
    ("d_b_x", ("gate column",)),
    ("d_b_h", ("gate column",)),
)
_PARAMETERS = tuple((name.removeprefix("d_"), axes) for name, axes in _GRADIENTS[2:])

SIGMOID = Task("sigmoid", _source(sigmoid), (), None, (), ())  # given in the notebook, no task of its own
STEP = Task("gru_step", _source(gru_step), _STATE, _step_cases, STEP_MISTAKES, STEP_VARIANTS, uses=(SIGMOID,))
BEFORE = Task("gru_step_reset_before", _source(gru_step_reset_before), _STATE, _step_cases, BEFORE_MISTAKES,
              BEFORE_VARIANTS, uses=(SIGMOID,))  # fmt: skip
FORWARD = Task("gru_forward", _source(gru_forward), (("hidden", ("example", "step", "unit")),), _forward_cases,
               FORWARD_MISTAKES, FORWARD_VARIANTS, uses=(SIGMOID, STEP))  # fmt: skip
BACKWARD = Task("gru_step_backward", _source(gru_step_backward), _GRADIENTS, _backward_cases, BACKWARD_MISTAKES,
                BACKWARD_VARIANTS, uses=(SIGMOID,))  # fmt: skip
SWAP = Task("swap_update_gate", _source(swap_update_gate), _PARAMETERS, _swap_cases, SWAP_MISTAKES, SWAP_VARIANTS)
HAND = Task("states_by_hand", STATES_BY_HAND, (("states_by_hand", ("step",)),), None, HAND_MISTAKES, HAND_VARIANTS)

TASKS = (STEP, BEFORE, FORWARD, BACKWARD, SWAP, HAND)
check = diagnose.checker(*TASKS)
