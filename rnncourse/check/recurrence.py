"""The tasks of the exercise `recurrence`: right answers, the mistakes people make, other right ways."""

import inspect

import numpy as np

from rnncourse.check import diagnose
from rnncourse.check.task import Mistake, Task, Variant

# --- Right answers: exactly what stands in the answer cells of solutions/recurrence ---------------------------


def rnn_step(x, h, U, W, b):
    """One step: x (B, D), h (B, H), U (D, H), W (H, H), b (H,) -> the new hidden state (B, H)."""
    return np.tanh(x @ U + h @ W + b)


def rnn_forward(x, h_0, U, W, b, mask):
    """All steps: x (B, T, D), h_0 (B, H), mask (B, T) -> the hidden state after every step (B, T, H)."""
    B, T, _ = x.shape
    hidden = np.empty((B, T, h_0.shape[1]), dtype=x.dtype)
    h = h_0
    for t in range(T):
        h_new = rnn_step(x[:, t], h, U, W, b)
        h = np.where(mask[:, t, None], h_new, h)
        hidden[:, t] = h
    return hidden


def jordan_step(x, o, U, W, V, b, c):
    """One Jordan step: x (B, D), o (B, O), U (D, H), W (O, H), V (H, O), b (H,), c (O,) -> h (B, H), o (B, O)."""
    h = np.tanh(x @ U + o @ W + b)
    return h, h @ V + c


OUTPUTS_BY_HAND = "outputs_by_hand = [2, 8, 20]"


# --- Inputs that the visible check tries ----------------------------------------------------------------------


def _normal(seed, dtype=np.float64, **shapes):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=shape).astype(dtype) for name, shape in shapes.items()}


def _step_case(seed, B, D, H, dtype=np.float64):
    return _normal(seed, dtype, x=(B, D), h=(B, H), U=(D, H), W=(H, H), b=(H,))


def _step_cases():
    return [
        _step_case(0, B=2, D=3, H=4),
        _step_case(1, B=1, D=2, H=2),
        _step_case(2, B=3, D=5, H=1, dtype=np.float32),
    ]


def _forward_case(seed, mask, D, H, dtype=np.float64):
    B, T = len(mask), len(mask[0])
    case = _normal(seed, dtype, x=(B, T, D), h_0=(B, H), U=(D, H), W=(H, H), b=(H,))
    return case | {"mask": np.array(mask, dtype=bool)}


def _forward_cases():
    return [
        _forward_case(3, [[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 0]], D=2, H=3),
        _forward_case(4, [[0, 1, 0, 1, 1], [1, 1, 1, 1, 1]], D=3, H=3),
        _forward_case(5, [[1, 1, 1]], D=2, H=4, dtype=np.float32),
    ]


def _jordan_case(seed, B, D, H, O, dtype=np.float64):
    return _normal(seed, dtype, x=(B, D), o=(B, O), U=(D, H), W=(O, H), V=(H, O), b=(H,), c=(O,))


def _jordan_cases():
    return [
        _jordan_case(6, B=2, D=3, H=4, O=2),
        _jordan_case(7, B=1, D=2, H=3, O=3),
        _jordan_case(8, B=3, D=3, H=3, O=3, dtype=np.float32),
    ]


# --- Mistakes -------------------------------------------------------------------------------------------------

_STEP = "np.tanh(x @ U + h @ W + b)"


def _step_mistake(name, sentence, new):
    return Mistake(name, sentence, ((_STEP, new),))


STEP_MISTAKES = (
    _step_mistake("no bias", "the bias b is left out of the sum.", "np.tanh(x @ U + h @ W)"),
    _step_mistake("bias twice", "the bias is added twice; here there is one b, not one a matrix.",
                  "np.tanh(x @ U + b + h @ W + b)"),
    _step_mistake("bias outside", "the bias is added after tanh; it belongs inside the brackets.",
                  "np.tanh(x @ U + h @ W) + b"),
    _step_mistake("no activation", "the sum is returned as it is, without tanh.", "x @ U + h @ W + b"),
    _step_mistake("tanh of each term", "tanh is taken of each term; take it once, of the whole sum.",
                  "np.tanh(x @ U) + np.tanh(h @ W + b)"),
    _step_mistake("no memory", "the old state h does not enter: then the network has no memory.",
                  "np.tanh(x @ U + b)"),
    _step_mistake("state without W", "the old state is added without being multiplied by W.",
                  "np.tanh(x @ U + h + b)"),
    _step_mistake("old state added", "the old state is added once more, outside tanh.",
                  "h + np.tanh(x @ U + h @ W + b)"),
    _step_mistake("W transposed", "h is multiplied by W.T. Here W is (H, H) from old to new; only PyTorch "
                  "stores it transposed.", "np.tanh(x @ U + h @ W.T + b)"),
    _step_mistake("columns", "vectors are taken as columns, as in `U @ x`. In a batch each row is an example, "
                  "so the weights stand on the right: `x @ U`.", "np.tanh((U @ x.T + W @ h.T).T + b)"),
    _step_mistake("U and W swapped", "U and W are swapped: U belongs to the input x, W to the state h.",
                  "np.tanh(x @ W + h @ U + b)"),
    _step_mistake("sigmoid", "the sigmoid stands where tanh should.", "1 / (1 + np.exp(-(x @ U + h @ W + b)))"),
    _step_mistake("ReLU", "ReLU stands where tanh should.", "np.maximum(x @ U + h @ W + b, 0)"),
    _step_mistake("batch squeezed", "axes of length 1 are squeezed away. A batch of one is still a batch.",
                  "np.tanh(x @ U + h @ W + b).squeeze()"),
    _step_mistake("first example only", "only the first example of the batch is computed.",
                  "np.tanh(x[:1] @ U + h[:1] @ W + b)"),
    _step_mistake("float64 only", "the result is always float64; keep the dtype of x (`np.zeros` needs `dtype`).",
                  "np.tanh(x @ U + h @ W + b).astype(np.float64)"),
    Mistake("nothing returned", "the new state is computed, but not returned.",
            ((f"return {_STEP}", f"new = {_STEP}"),)),
    Mistake("state overwritten", "the new state is written into the array h itself (`h[:] = …` or `h += …`).",
            ((f"return {_STEP}", f"h[:] = {_STEP}\n    return h"),)),
)  # fmt: skip

_NEW = "h_new = rnn_step(x[:, t], h, U, W, b)"
_HOLD = "h = np.where(mask[:, t, None], h_new, h)"
_KEEP = "hidden[:, t] = h"

FORWARD_MISTAKES = (
    Mistake("state not carried", "every step starts from h_0 again; the state has to be carried from step to step.",
            ((_NEW, "h_new = rnn_step(x[:, t], h_0, U, W, b)"),)),
    Mistake("starts at zero", "the first step starts from zeros instead of h_0.",
            (("h = h_0", "h = np.zeros_like(h_0)"),)),
    Mistake("mask ignored", "the mask is ignored: padding changes the state.", ((_HOLD, "h = h_new"),)),
    Mistake("mask inverted", "the mask is read the wrong way round. It is True at real steps.",
            ((_HOLD, "h = np.where(mask[:, t, None], h, h_new)"),)),
    Mistake("padding resets", "padding sets the state to zero; it has to stay as it was.",
            ((_HOLD, "h = np.where(mask[:, t, None], h_new, np.zeros_like(h))"),)),
    Mistake("padded input zeroed", "the padded inputs are set to zero and the step is made all the same. Even with "
            "x = 0 a step changes the state: hold the state instead.",
            ((_NEW, "h_new = rnn_step(x[:, t] * mask[:, t, None].astype(x.dtype), h, U, W, b)"),
             (_HOLD, "h = h_new"))),
    Mistake("only outputs masked", "the outputs at padding are set to zero, but the state goes on through it.",
            ((_HOLD, "h = h_new"), (_KEEP, "hidden[:, t] = np.where(mask[:, t, None], h, 0)"))),
    Mistake("zeros at padding", "the state is held, but zeros are returned at padding. Return the held state there.",
            ((_KEEP, "hidden[:, t] = np.where(mask[:, t, None], h, 0)"),)),
    Mistake("mask of the first example", "the mask of the first example is used for the whole batch.",
            ((_HOLD, "h = np.where(mask[0, t], h_new, h)"),)),
    Mistake("mask as lengths", "the mask is taken for a length, as if padding could only stand at the end. It can "
            "stand anywhere.", ((_HOLD, "h = np.where((t < mask.sum(1))[:, None], h_new, h)"),)),
    Mistake("stops at first padding", "the loop stops at the first step at which any example has padding; the "
            "others still go on.",
            (("np.empty(", "np.zeros("), (_NEW, f"if not mask[:, t].all():\n            break\n        {_NEW}"))),
    Mistake("one step late", "the state before the step is stored instead of the state after it.",
            ((_NEW, f"{_KEEP}\n        {_NEW}"), (f"{_HOLD}\n        {_KEEP}", _HOLD))),
    Mistake("last step missing", "the loop ends one step early, and the last step stays zero.",
            (("np.empty(", "np.zeros("), ("range(T)", "range(T - 1)"))),
    Mistake("backwards", "the sequence is read from its end.",
            ((_NEW, "h_new = rnn_step(x[:, T - 1 - t], h, U, W, b)"),)),
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

_H = "h = np.tanh(x @ U + o @ W + b)"
_O = "return h, h @ V + c"

JORDAN_MISTAKES = (
    Mistake("no hidden bias", "the bias b is left out of the hidden state.", ((_H, "h = np.tanh(x @ U + o @ W)"),)),
    Mistake("no output bias", "the bias c is left out of the output.", ((_O, "return h, h @ V"),)),
    Mistake("output not fed back", "the last output o does not enter: then the network has no memory.",
            ((_H, "h = np.tanh(x @ U + b)"),)),
    Mistake("no activation", "the hidden state is the bare sum, without tanh.", ((_H, "h = x @ U + o @ W + b"),)),
    Mistake("tanh on the output", "tanh is taken of the output too; the output is linear here.",
            ((_O, "return h, np.tanh(h @ V + c)"),)),
    Mistake("softmax on the output", "softmax is taken of the output; the output is linear here.",
            ((_O, "e = np.exp(h @ V + c)\n    return h, e / e.sum(axis=1, keepdims=True)"),)),
    Mistake("results swapped", "the two results are in the wrong order: first h, then o.",
            ((_O, "return h @ V + c, h"),)),
    Mistake("output only", "only the output is returned; return h as well.", ((_O, "return h @ V + c"),)),
    Mistake("hidden only", "only the hidden state is returned; return the new output as well.", ((_O, "return h"),)),
    Mistake("old output returned", "the old output is returned instead of the new one.", ((_O, "return h, o"),)),
    Mistake("output added up", "the new output is added to the old one; it should replace it.",
            ((_O, "return h, o + h @ V + c"),)),
    Mistake("W transposed", "o is multiplied by W.T. Here W is (O, H), from outputs to hidden units.",
            ((_H, "h = np.tanh(x @ U + o @ W.T + b)"),)),
    Mistake("bias outside", "the bias b is added after tanh; it belongs inside the brackets.",
            ((_H, "h = np.tanh(x @ U + o @ W) + b"),)),
    Mistake("output from the sum", "the output is computed from the sum before tanh.",
            ((_O, "return h, np.arctanh(h) @ V + c"),)),
    Mistake("biases swapped", "b and c are swapped: b belongs to the hidden state, c to the output.",
            ((_H, "h = np.tanh(x @ U + o @ W + c)"), (_O, "return h, h @ V + b"))),
    Mistake("output overwritten", "the new output is written into the array o itself (`o[:] = …` or `o += …`).",
            ((_O, "o[:] = h @ V + c\n    return h, o"),)),
)  # fmt: skip


def _hand(name, sentence, numbers):
    return Mistake(name, sentence, (("[2, 8, 20]", numbers),))


HAND_MISTAKES = (
    _hand("no memory", "the memory is forgotten: the second step has to add what both hidden units hold.",
          "[2, 4, 4]"),
    _hand("one memory", "each hidden unit remembers only itself. All weights are 1, so it adds both.", "[2, 6, 10]"),
    _hand("outputs fed back", "the outputs are fed back instead of the hidden states: that is a Jordan network.",
          "[2, 12, 52]"),
    _hand("hidden instead of output", "the hidden state is given instead of the output, which adds both hidden "
          "units.", "[1, 4, 10]"),
    _hand("read from the end", "the sequence is read from its last input to its first.", "[4, 12, 26]"),
    _hand("memory starts at one", "the memory starts at 1; it starts at 0.", "[6, 16, 36]"),
    _hand("with tanh", "tanh is taken at each step; the units are linear here.",
          "[1.5231883119115297, 1.9979682130574567, 1.9996707899893996]"),
)  # fmt: skip

# --- Other right ways -----------------------------------------------------------------------------------------

STEP_VARIANTS = (
    Variant("one fused product", """\
def rnn_step(x, h, U, W, b):
    return np.tanh(np.concatenate([x, h], axis=1) @ np.concatenate([U, W]) + b)"""),
    Variant("einsum", """\
def rnn_step(x, h, U, W, b):
    z = np.einsum("bd,dh->bh", x, U) + np.einsum("bi,ij->bj", h, W)
    z += b
    return np.tanh(z)"""),
    Variant("loops", """\
def rnn_step(x, h, U, W, b):
    new = np.zeros_like(h)
    for n in range(len(x)):
        for j in range(len(b)):
            z = b[j]
            for i in range(x.shape[1]):
                z += x[n, i] * U[i, j]
            for i in range(h.shape[1]):
                z += h[n, i] * W[i, j]
            new[n, j] = np.tanh(z)
    return new"""),
    Variant("columns, transposed back", """\
def rnn_step(x, h, U, W, b):
    return np.tanh(U.T @ x.T + W.T @ h.T + b[:, None]).T"""),
    Variant("tanh from a sigmoid", """\
def rnn_step(x, h, U, W, b):
    z = np.clip(x @ U + h @ W + b, -40, 40)
    return 2 / (1 + np.exp(-2 * z)) - 1"""),
    Variant("PyTorch inside", """\
import torch
def rnn_step(x, h, U, W, b):
    x, h, U, W, b = map(torch.from_numpy, (x, h, U, W, b))
    return torch.tanh(x @ U + h @ W + b).numpy()"""),
)  # fmt: skip

FORWARD_VARIANTS = (
    Variant("list and stack", """\
def rnn_forward(x, h_0, U, W, b, mask):
    states = [h_0]
    for t in range(x.shape[1]):
        states.append(np.where(mask[:, [t]], rnn_step(x[:, t], states[-1], U, W, b), states[-1]))
    return np.stack(states[1:], axis=1)"""),
    Variant("time first inside", """\
def rnn_forward(x, h_0, U, W, b, mask):
    hidden, h = [], h_0
    for x_t, m in zip(x.transpose(1, 0, 2), mask.T):
        h = np.where(m[:, None], rnn_step(x_t, h, U, W, b), h)
        hidden.append(h)
    return np.array(hidden).transpose(1, 0, 2)"""),
    Variant("only the real rows", """\
def rnn_forward(x, h_0, U, W, b, mask):
    h, hidden = h_0.copy(), np.zeros((*mask.shape, len(b)), x.dtype)
    for t in range(mask.shape[1]):
        real = mask[:, t]
        h[real] = rnn_step(x[real, t], h[real], U, W, b)
        hidden[:, t] = h
    return hidden"""),
    Variant("inputs projected before the loop", """\
def rnn_forward(x, h_0, U, W, b, mask):
    z, h = x @ U + b, h_0
    hidden = np.zeros_like(z)
    for t in range(x.shape[1]):
        h = np.where(mask[:, t, None], np.tanh(z[:, t] + h @ W), h)
        hidden[:, t] = h
    return hidden"""),
    Variant("mask as a factor", """\
def rnn_forward(x, h_0, U, W, b, mask):
    m, h, hidden = mask[..., None].astype(x.dtype), h_0, []
    for t in range(x.shape[1]):
        h = m[:, t] * rnn_step(x[:, t], h, U, W, b) + (1 - m[:, t]) * h
        hidden.append(h[:, None])
    return np.concatenate(hidden, axis=1)"""),
    Variant("one example at a time", """\
def rnn_forward(x, h_0, U, W, b, mask):
    hidden = np.zeros((*mask.shape, len(b)), x.dtype)
    for n in range(len(x)):
        h = h_0[n : n + 1]
        for t in range(x.shape[1]):
            if mask[n, t]:
                h = rnn_step(x[n : n + 1, t], h, U, W, b)
            hidden[n, t] = h[0]
    return hidden"""),
)  # fmt: skip

JORDAN_VARIANTS = (
    Variant("through rnn_step", """\
def jordan_step(x, o, U, W, V, b, c):
    h = rnn_step(x, o, U, W, b)
    return h, h @ V + c"""),
    Variant("a list of two", """\
def jordan_step(x, o, U, W, V, b, c):
    h = np.tanh(np.dot(x, U) + np.dot(o, W) + b)
    return [h, np.dot(h, V) + c]"""),
    Variant("fused", """\
def jordan_step(x, o, U, W, V, b, c):
    h = np.tanh(np.hstack([x, o]) @ np.vstack([U, W]) + b)
    return h, np.add(np.matmul(h, V), c)"""),
    Variant("einsum", """\
def jordan_step(x, o, U, W, V, b, c):
    h = np.tanh(np.einsum("bd,dh->bh", x, U) + np.einsum("bo,oh->bh", o, W) + b)
    return h, np.einsum("bh,ho->bo", h, V) + c"""),
    Variant("biases as a last input", """\
def jordan_step(x, o, U, W, V, b, c):
    one = np.ones((len(x), 1), x.dtype)
    h = np.tanh(np.hstack([x, o, one]) @ np.vstack([U, W, b[None]]))
    return h, np.hstack([h, one]) @ np.vstack([V, c[None]])"""),
)  # fmt: skip

HAND_VARIANTS = (
    Variant("floats", "outputs_by_hand = [2.0, 8.0, 20.0]"),
    Variant("tuple", "outputs_by_hand = (2, 8, 20)"),
    Variant("array", "outputs_by_hand = np.array([2, 8, 20])"),
    Variant("computed", """\
h, outputs_by_hand = np.zeros(2), []
for x in ([1, 0], [0, 2], [1, 1]):
    h = np.array(x) @ np.ones((2, 2)) + h @ np.ones((2, 2))
    outputs_by_hand.append(h.sum())"""),
    Variant("by name", "first = 2\nsecond = 2 * (2 + 2)\noutputs_by_hand = [first, second, 2 * (2 + second)]"),
)  # fmt: skip

# --- The exercise ---------------------------------------------------------------------------------------------

_source = inspect.getsource

STEP = Task("rnn_step", _source(rnn_step), (("the new hidden state", ("example", "unit")),), _step_cases,
            STEP_MISTAKES, STEP_VARIANTS)  # fmt: skip
FORWARD = Task("rnn_forward", _source(rnn_forward), (("hidden", ("example", "step", "unit")),), _forward_cases,
               FORWARD_MISTAKES, FORWARD_VARIANTS, uses=(STEP,))  # fmt: skip
JORDAN = Task("jordan_step", _source(jordan_step), (("h", ("example", "unit")), ("o", ("example", "output"))),
              _jordan_cases, JORDAN_MISTAKES, JORDAN_VARIANTS, uses=(STEP,))  # fmt: skip
HAND = Task("outputs_by_hand", OUTPUTS_BY_HAND, (("outputs_by_hand", ("step",)),), None,
            HAND_MISTAKES, HAND_VARIANTS)  # fmt: skip

TASKS = (STEP, FORWARD, JORDAN, HAND)
check = diagnose.checker(*TASKS)
