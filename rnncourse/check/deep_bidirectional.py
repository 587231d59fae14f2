"""The tasks of the exercise `deep-bidirectional`: right answers, the mistakes people make, other right ways."""

import inspect

import numpy as np

from rnncourse.check import diagnose
from rnncourse.check.task import Mistake, Task, Variant

# --- Right answers: exactly what stands in the answer cells of solutions/deep-bidirectional -------------------


def reverse_forward(x, h_end, U, W, b, mask):
    """From the right: x (B, T, D), h_end (B, H), mask (B, T) -> the state at every step (B, T, H)."""
    B, T, _ = x.shape
    hidden = np.empty((B, T, h_end.shape[1]), dtype=x.dtype)
    h = h_end
    for t in reversed(range(T)):
        h_new = np.tanh(x[:, t] @ U + h @ W + b)
        h = np.where(mask[:, t, None], h_new, h)  # (masked-right)
        hidden[:, t] = h
    return hidden


def bidirectional_forward(x, forward, backward, mask):
    """Both directions: x (B, T, D), two triples (U, W, b), mask (B, T) -> the states side by side (B, T, 2 H)."""
    start = np.zeros((len(x), len(forward[2])), dtype=x.dtype)
    left = reverse_forward(x[:, ::-1], start, *forward, mask[:, ::-1])[:, ::-1]
    right = reverse_forward(x, start, *backward, mask)
    return np.concatenate([left, right], axis=2)


def last_states(hidden, mask):
    """One answer a sequence: hidden (B, T, 2 H), mask (B, T) -> the last state of both readers (B, 2 H)."""
    B, T, H = hidden.shape[0], hidden.shape[1], hidden.shape[2] // 2
    rows = np.arange(B)
    first = mask.argmax(axis=1)
    last = T - 1 - mask[:, ::-1].argmax(axis=1)
    return np.concatenate([hidden[rows, last, :H], hidden[rows, first, H:]], axis=1)  # (last-states)


def two_layer_stack(x, layer_1, layer_2, mask):
    """Two layers, each a pair (forward, backward): x (B, T, D), mask (B, T) -> the upper states (B, T, 2 H)."""
    below = bidirectional_forward(x, *layer_1, mask)
    return bidirectional_forward(below, *layer_2, mask)


def dropout(x, p, rng, train):
    """Inverted dropout: x of any shape, 0 <= p < 1, rng a numpy.random.Generator, train -> an array like x."""
    if not train:
        return x
    keep = rng.random(x.shape) >= p
    return np.where(keep, x / (1 - p), 0)  # (inverted-dropout)


def input_gradient(d_hidden, hidden, forward, backward, mask):
    """Back: d_hidden, hidden (B, T, 2 H), two triples (U, W, b), mask (B, T) -> the gradient of x (B, T, D)."""
    T, H = hidden.shape[1], hidden.shape[2] // 2
    d_x = np.zeros((*mask.shape, len(forward[0])), dtype=hidden.dtype)
    readers = [
        (forward, slice(0, H), reversed(range(T))),
        (backward, slice(H, 2 * H), range(T)),
    ]
    for (U, W, _), half, steps in readers:
        d_h = np.zeros_like(hidden[:, 0, half])
        for t in steps:
            d_h = d_h + d_hidden[:, t, half]
            real = mask[:, t, None]
            d_z = np.where(real, d_h * (1 - hidden[:, t, half] ** 2), 0)  # (two-way-deltas)
            d_x[:, t] += d_z @ U.T  # (two-way-input)
            d_h = np.where(real, d_z @ W.T, d_h)
    return d_x


INPUTS_SEEN = "inputs_seen = [4, 7, 10, 9, 10, 9, 6, 7]"


# --- Inputs that the visible check tries ----------------------------------------------------------------------


def _normal(seed, dtype, *shapes):
    rng = np.random.default_rng(seed)
    return tuple(rng.normal(size=shape).astype(dtype) for shape in shapes)


def _weights(seed, D, H, dtype=np.float64):
    """One reader: U, W, b."""
    return _normal(seed, dtype, (D, H), (H, H), (H,))


def _mask(rows):
    return np.array(rows, dtype=bool)


GAPS = _mask([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 0, 1, 1, 1], [1, 0, 1, 1, 0]])
ENDS = _mask([[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 1, 1]])
WHOLE = _mask([[1, 1, 1], [1, 1, 1]])


def _reverse_case(seed, mask, D, H, dtype=np.float64):
    x, h_end = _normal(seed, dtype, (*mask.shape, D), (len(mask), H))
    U, W, b = _weights(seed + 1, D, H, dtype)
    return {"x": x, "h_end": h_end, "U": U, "W": W, "b": b, "mask": mask.copy()}


def _reverse_cases():
    return [
        _reverse_case(0, GAPS, D=2, H=3),
        _reverse_case(2, ENDS, D=3, H=3),
        _reverse_case(4, WHOLE, D=1, H=4, dtype=np.float32),
    ]


def _both_case(seed, mask, D, H, dtype=np.float64):
    [x] = _normal(seed, dtype, (*mask.shape, D))
    forward, backward = (_weights(seed + k, D, H, dtype) for k in (1, 2))
    return {"x": x, "forward": forward, "backward": backward, "mask": mask.copy()}


def _both_cases():
    return [
        _both_case(10, GAPS, D=2, H=3),
        _both_case(13, ENDS, D=3, H=3),
        _both_case(16, WHOLE, D=4, H=2, dtype=np.float32),
    ]


def _last_case(seed, mask, H, dtype=np.float64):
    """At padding stand numbers that mean nothing."""
    [hidden] = _normal(seed, dtype, (*mask.shape, 2 * H))
    return {"hidden": hidden, "mask": mask.copy()}


def _last_cases():
    return [
        _last_case(20, ENDS, H=2),
        _last_case(21, GAPS, H=3),
        _last_case(22, _mask([[0, 1, 1, 0, 0, 0], [0, 0, 0, 0, 1, 0]]), H=2, dtype=np.float32),
    ]


def _stack_case(seed, mask, D, H, H_2, dtype=np.float64):
    [x] = _normal(seed, dtype, (*mask.shape, D))
    layer_1, layer_2 = (
        tuple(_weights(seed + k, size, units, dtype) for k in ks)
        for size, units, ks in [(D, H, (1, 2)), (2 * H, H_2, (3, 4))]
    )
    return {"x": x, "layer_1": layer_1, "layer_2": layer_2, "mask": mask.copy()}


def _stack_cases():
    return [
        _stack_case(30, GAPS, D=4, H=2, H_2=2),  # D = 2 H: no wrong wiring is hidden by an error
        _stack_case(35, ENDS, D=2, H=3, H_2=1),
        _stack_case(40, WHOLE, D=3, H=2, H_2=2, dtype=np.float32),
    ]


def _dropout_case(seed, shape, p, train, dtype=np.float64):
    [x] = _normal(seed, dtype, shape)
    return {"x": x, "p": p, "rng": np.random.default_rng(seed), "train": train}


def _dropout_cases():
    return [
        _dropout_case(50, (3, 4, 5), 0.25, train=True),
        _dropout_case(51, (2, 3, 4), 0.25, train=False),
        _dropout_case(52, (2, 6, 3), 0.6, train=True, dtype=np.float32),
    ]


def _gradient_case(seed, mask, D, H, dtype=np.float64):
    case = _both_case(seed, mask, D, H, dtype)
    [d_hidden] = _normal(seed + 3, dtype, (*mask.shape, 2 * H))
    hidden = np.concatenate([_read(case["x"][:, ::-1], case["forward"], mask[:, ::-1])[:, ::-1],
                             _read(case["x"], case["backward"], mask)], axis=2)  # fmt: skip
    return {"d_hidden": d_hidden, "hidden": hidden} | {name: case[name] for name in ("forward", "backward", "mask")}


def _read(x, weights, mask):
    return reverse_forward(x, np.zeros((len(x), len(weights[2])), x.dtype), *weights, mask)


def _gradient_cases():
    return [
        _gradient_case(60, GAPS, D=2, H=3),
        _gradient_case(64, ENDS, D=3, H=3),
        _gradient_case(68, WHOLE, D=4, H=2, dtype=np.float32),
    ]


# --- Mistakes -------------------------------------------------------------------------------------------------

_LOOP = "reversed(range(T))"
_NEW = "h_new = np.tanh(x[:, t] @ U + h @ W + b)"
_HOLD = "h = np.where(mask[:, t, None], h_new, h)"
_KEEP = "hidden[:, t] = h"

REVERSE_MISTAKES = (
    Mistake("from the left", "the sequence is read from the left; this reader begins at the last step.",
            ((_LOOP, "range(T)"),)),
    Mistake("states in reading order", "the states stand in the order in which they were computed. The state after "
            "reading step t belongs in place t.", ((_KEEP, "hidden[:, T - 1 - t] = h"),)),
    Mistake("inputs not turned", "the places of the states run from the right, but the inputs are still taken from "
            "the left.", ((_NEW, "h_new = np.tanh(x[:, T - 1 - t] @ U + h @ W + b)"),)),
    Mistake("mask not turned", "the inputs are read from the right and the mask from the left. Step t has to meet "
            "its own entry of the mask.", ((_HOLD, "h = np.where(mask[:, T - 1 - t, None], h_new, h)"),)),
    Mistake("mask ignored", "the mask is ignored: this reader meets the padding first, and its state changes there.",
            ((_HOLD, "h = h_new"),)),
    Mistake("mask inverted", "the mask is read the wrong way round. It is True at real steps.",
            ((_HOLD, "h = np.where(mask[:, t, None], h, h_new)"),)),
    Mistake("padding resets", "padding sets the state to zero; it has to stay as it was.",
            ((_HOLD, "h = np.where(mask[:, t, None], h_new, np.zeros_like(h))"),)),
    Mistake("padding goes back to h_end", "padding sets the state back to h_end; it has to stay as it was, also "
            "where padding stands between real steps.", ((_HOLD, "h = np.where(mask[:, t, None], h_new, h_end)"),)),
    Mistake("padded input zeroed", "the padded inputs are set to zero and the step is made all the same. Even with "
            "x = 0 a step changes the state: hold the state instead.",
            ((_NEW, "h_new = np.tanh((x[:, t] * mask[:, t, None].astype(x.dtype)) @ U + h @ W + b)"),
             (_HOLD, "h = h_new"))),
    Mistake("zeros at padding", "the state is held, but zeros are returned at padding. Return the held state there.",
            ((_KEEP, "hidden[:, t] = np.where(mask[:, t, None], h, 0)"),)),
    Mistake("mask of the first example", "the mask of the first example is used for the whole batch.",
            ((_HOLD, "h = np.where(mask[0, t], h_new, h)"),)),
    Mistake("mask as lengths", "the mask is taken for a length, as if padding could only stand at the end. It can "
            "stand anywhere.", ((_HOLD, "h = np.where((t < mask.sum(1))[:, None], h_new, h)"),)),
    Mistake("starts at zero", "the reader starts from zeros instead of h_end.",
            (("h = h_end", "h = np.zeros_like(h_end)"),)),
    Mistake("state not carried", "every step starts from h_end again; the state has to be carried from step to step.",
            ((_NEW, "h_new = np.tanh(x[:, t] @ U + h_end @ W + b)"),)),
    Mistake("one step late", "the state before the step is stored instead of the state after it.",
            ((_NEW, f"{_KEEP}\n        {_NEW}"), (f"  # (masked-right)\n        {_KEEP}", ""))),
    Mistake("first step missing", "the loop ends before step 0, and its place stays zero.",
            (("np.empty(", "np.zeros("), (_LOOP, "range(T - 1, 0, -1)"))),
    Mistake("last step missing", "the loop begins one step too early, at T - 2, and the last place stays zero.",
            (("np.empty(", "np.zeros("), (_LOOP, "range(T - 2, -1, -1)"))),
    Mistake("last state only", "only the state at step 0 is returned, not all of them.",
            (("return hidden", "return hidden[:, 0]"),)),
    Mistake("no bias", "the bias b is left out of the sum.", ((_NEW, "h_new = np.tanh(x[:, t] @ U + h @ W)"),)),
    Mistake("W transposed", "the state is multiplied by W.T. Here W is (H, H) from old to new, in either direction.",
            ((_NEW, "h_new = np.tanh(x[:, t] @ U + h @ W.T + b)"),)),
    Mistake("time first", "time is the first axis of the result. Here the batch comes first: (B, T, H).",
            (("return hidden", "return hidden.swapaxes(0, 1)"),)),
    Mistake("float64 only", "the result is always float64; `np.zeros` and `np.empty` need `dtype=x.dtype`.",
            ((", dtype=x.dtype)", ")"),)),
    Mistake("h_end overwritten", "the new state is written into h_end (`h = h_end` is the same array, not a copy).",
            ((_HOLD, "h[:] = np.where(mask[:, t, None], h_new, h)"),)),
)  # fmt: skip

_LEFT = "left = reverse_forward(x[:, ::-1], start, *forward, mask[:, ::-1])[:, ::-1]"
_RIGHT = "right = reverse_forward(x, start, *backward, mask)"
_JOIN = "return np.concatenate([left, right], axis=2)"

BIDIRECTIONAL_MISTAKES = (
    Mistake("states not turned back", "the inputs were turned for one reader, and its states not turned back: they "
            "stand in the order in which they were computed.", ((_LEFT, _LEFT.removesuffix("[:, ::-1]")),)),
    Mistake("mask not turned", "the inputs are turned and the mask is not. Turn whatever runs along time.",
            ((_LEFT, _LEFT.replace("mask[:, ::-1]", "mask")),)),
    Mistake("mask ignored from the left", "the reader from the left ignores the mask.",
            ((_LEFT, _LEFT.replace("mask[:, ::-1]", "np.ones_like(mask)")),)),
    Mistake("mask ignored from the right", "the reader from the right ignores the mask: padding is the first thing "
            "that it reads.", ((_RIGHT, _RIGHT.replace("mask", "np.ones_like(mask)")),)),
    Mistake("mask ignored", "both readers ignore the mask.",
            ((_LEFT, _LEFT.replace("mask[:, ::-1]", "np.ones_like(mask)")),
             (_RIGHT, _RIGHT.replace("mask", "np.ones_like(mask)")))),
    Mistake("shared weights", "both readers use the weights in `forward`. The two share nothing.",
            ((_RIGHT, _RIGHT.replace("*backward", "*forward")),)),
    Mistake("weights swapped", "the reader from the left uses the weights in `backward`, and the other those in "
            "`forward`.",
            ((_LEFT, _LEFT.replace("*forward", "*backward")), (_RIGHT, _RIGHT.replace("*backward", "*forward")))),
    Mistake("halves swapped", "the reader from the right stands first. The reader from the left has the first half.",
            ((_JOIN, "return np.concatenate([right, left], axis=2)"),)),
    Mistake("added up", "the two states are added. Put them side by side.", ((_JOIN, "return left + right"),)),
    Mistake("interleaved", "the units of the two readers alternate. First come all units of one, then all of the "
            "other.", ((_JOIN, "return np.stack([left, right], axis=3).reshape(*mask.shape, -1)"),)),
    Mistake("joined along time", "the two are joined along the axis of time. They belong side by side in the last "
            "axis.", ((_JOIN, "return np.concatenate([left, right], axis=1)"),)),
    Mistake("both from the left", "both readers read from the left.",
            ((_RIGHT, "right = reverse_forward(x[:, ::-1], start, *backward, mask[:, ::-1])[:, ::-1]"),)),
    Mistake("both from the right", "both readers read from the right.",
            ((_LEFT, "left = reverse_forward(x, start, *forward, mask)"),)),
    Mistake("turned twice", "the inputs of the reader from the right are turned, although that reader already "
            "begins at the end: so it reads from the left again, and its states stand in the wrong places.",
            ((_RIGHT, "right = reverse_forward(x[:, ::-1], start, *backward, mask[:, ::-1])"),)),
    Mistake("second starts from the first", "the reader from the right starts from the last state of the reader "
            "from the left. Both start from zeros.",
            ((_RIGHT, "right = reverse_forward(x, left[:, -1], *backward, mask)"),)),
    Mistake("inputs turned alone", "the inputs of the reader from the right are turned, and neither its mask nor "
            "its states.", ((_RIGHT, "right = reverse_forward(x[:, ::-1], start, *backward, mask)"),)),
    Mistake("zeros at padding", "the states at padding are set to zero. Return the held states there.",
            ((_JOIN, "return np.where(mask[:, :, None], np.concatenate([left, right], axis=2), 0)"),)),
    Mistake("float64 only", "the result is always float64; keep the dtype of x.",
            ((_JOIN, "return np.concatenate([left, right], axis=2).astype(np.float64)"),)),
    Mistake("two results", "the two are returned apart, as two arrays. Return one array with both side by side.",
            ((_JOIN, "return left, right"),)),
)  # fmt: skip

_FIRST = "first = mask.argmax(axis=1)"
_LAST = "last = T - 1 - mask[:, ::-1].argmax(axis=1)"
_ROWS = "return np.concatenate([hidden[rows, last, :H], hidden[rows, first, H:]], axis=1)"


def _last_mistake(name, sentence, rows):
    return Mistake(name, sentence, ((_ROWS, f"return {rows}"),))


LAST_MISTAKES = (
    _last_mistake("last row", "the row at T - 1 is returned as it is, `hidden[:, -1]`. The reader from the right "
                  "*begins* there.", "hidden[:, -1]"),
    _last_mistake("last real step of both", "both halves are taken at the last real step. There the reader from the "
                  "right has read only one step.", "hidden[rows, last]"),
    _last_mistake("first real step of both", "both halves are taken at the first real step. There the reader from "
                  "the left has read only one step.", "hidden[rows, first]"),
    _last_mistake("ends swapped", "each reader is asked where it begins, not where it ends.",
                  "np.concatenate([hidden[rows, first, :H], hidden[rows, last, H:]], axis=1)"),
    _last_mistake("padding forgotten", "the steps T - 1 and 0 are taken, though padding may stand there.",
                  "np.concatenate([hidden[:, -1, :H], hidden[:, 0, H:]], axis=1)"),
    Mistake("length as a place", "the number of real steps is taken for the place of the last one. That holds only "
            "where all padding stands at the end.", ((_LAST, "last = mask.sum(axis=1) - 1"),)),
    Mistake("one too early", "the reader from the left is asked one step before its last.",
            ((_LAST, "last = T - 2 - mask[:, ::-1].argmax(axis=1)"),)),
    Mistake("front padding forgotten", "the reader from the right is asked at step 0, though padding may stand "
            "there.", ((_FIRST, "first = np.zeros(B, dtype=int)"),)),
    Mistake("mask not turned", "the last real step is looked for from the left: `argmax` finds the first.",
            ((_LAST, "last = T - 1 - mask.argmax(axis=1)"),)),
    Mistake("turned place not turned back", "the place of the last real step is counted from the end.",
            ((_LAST, "last = mask[:, ::-1].argmax(axis=1)"),)),
    Mistake("first padding", "the first place with padding is taken for the end of the sequence, but padding may "
            "stand before it.", ((_LAST, "last = np.where(mask.all(axis=1), T, mask.argmin(axis=1)) - 1"),)),
    Mistake("longest sequence", "the last real step of the whole batch is used for every sequence.",
            ((_LAST, "last = (T - 1 - mask[:, ::-1].argmax(axis=1)).max()"),)),
    _last_mistake("halves swapped", "the state of the reader from the right stands first.",
                  "np.concatenate([hidden[rows, first, H:], hidden[rows, last, :H]], axis=1)"),
    _last_mistake("wrong halves", "the halves of `hidden` are mixed up: the reader from the left has the first H "
                  "units.", "np.concatenate([hidden[rows, last, H:], hidden[rows, first, :H]], axis=1)"),
    _last_mistake("added up", "the two states are added. Put them side by side.",
                  "hidden[rows, last, :H] + hidden[rows, first, H:]"),
    _last_mistake("mean over time", "the mean over the real steps is returned. That is another way to sum up a "
                  "sequence; here the last states are asked for.",
                  "((hidden * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1)[:, None]).astype(hidden.dtype)"),
    _last_mistake("float64 only", "the result is always float64; keep the dtype of the states.",
                  "np.concatenate([hidden[rows, last, :H], hidden[rows, first, H:]], axis=1).astype(np.float64)"),
)  # fmt: skip

_BELOW = "below = bidirectional_forward(x, *layer_1, mask)"
_ABOVE = "return bidirectional_forward(below, *layer_2, mask)"


def _above(name, sentence, above):
    return Mistake(name, sentence, ((_ABOVE, f"return {above}"),))


STACK_MISTAKES = (
    _above("upper layer reads x", "the upper layer reads x. Its inputs are the states of the layer below.",
           "bidirectional_forward(x, *layer_2, mask)"),
    _above("one layer only", "only the states of the lower layer are returned.", "below"),
    _above("lower layer twice", "both layers use the weights of the lower one.",
           "bidirectional_forward(below, *layer_1, mask)"),
    Mistake("layers swapped", "the layers are used in the wrong order.",
            ((_BELOW, _BELOW.replace("layer_1", "layer_2")), (_ABOVE, _ABOVE.replace("layer_2", "layer_1")))),
    _above("mask ignored above", "the upper layer ignores the mask.",
           "bidirectional_forward(below, *layer_2, np.ones_like(mask))"),
    Mistake("mask ignored below", "the lower layer ignores the mask.",
            ((_BELOW, _BELOW.replace("mask", "np.ones_like(mask)")),)),
    Mistake("mask ignored", "neither layer knows the mask.",
            ((_BELOW, _BELOW.replace("mask", "np.ones_like(mask)")),
             (_ABOVE, _ABOVE.replace("mask", "np.ones_like(mask)")))),
    _above("mask turned above", "the upper layer gets a mask that is turned. It reads the same steps as the lower "
           "one.", "bidirectional_forward(below, *layer_2, mask[:, ::-1])"),
    _above("states turned above", "the upper layer gets the lower one's states in reverse order.",
           "bidirectional_forward(below[:, ::-1], *layer_2, mask)"),
    _above("directions swapped above", "in the upper layer the two readers have each other's weights.",
           "bidirectional_forward(below, *layer_2[::-1], mask)"),
    _above("halves swapped between", "the halves of the lower states are swapped on their way up.",
           "bidirectional_forward(np.roll(below, below.shape[2] // 2, axis=2), *layer_2, mask)"),
    _above("only the left goes up", "the states of the reader from the left go up twice, and those of the other not "
           "at all.",
           "bidirectional_forward(np.concatenate([below[:, :, : below.shape[2] // 2]] * 2, axis=2), *layer_2, mask)"),
    _above("readers kept apart", "each upper reader gets only the states of the lower reader of its own direction. "
           "Here both get both.",
           "np.concatenate([bidirectional_forward(np.where(np.arange(below.shape[2]) < below.shape[2] // 2, below, 0), "
           "*layer_2, mask)[:, :, : len(layer_2[0][2])], bidirectional_forward(np.where(np.arange(below.shape[2]) < "
           "below.shape[2] // 2, 0, below), *layer_2, mask)[:, :, len(layer_2[0][2]) :]], axis=2)"),
    _above("tanh between", "tanh is taken of the lower states once more.",
           "bidirectional_forward(np.tanh(below), *layer_2, mask)"),
    _above("both layers returned", "the states of both layers are put side by side. Return those of the upper one.",
           "np.concatenate([below, bidirectional_forward(below, *layer_2, mask)], axis=2)"),
    _above("two results", "both layers are returned, as two arrays. Return the upper one.",
           "below, bidirectional_forward(below, *layer_2, mask)"),
    _above("float64 only", "the result is always float64; keep the dtype of x.",
           "bidirectional_forward(below, *layer_2, mask).astype(np.float64)"),
)  # fmt: skip

_OFF = "if not train:\n        return x\n    "
_DRAW = "keep = rng.random(x.shape) >= p"
_SCALE = "return np.where(keep, x / (1 - p), 0)"

DROPOUT_MISTAKES = (
    Mistake("not scaled", "what is kept is not scaled up, so the mean shrinks while training.",
            ((_SCALE, "return np.where(keep, x, 0)"),)),
    Mistake("scaled in use", "the old form of dropout is written: nothing is scaled in training, and everything is "
            "scaled down in use. In the inverted form use changes nothing.",
            ((_OFF, "if not train:\n        return x * (1 - p)\n    "), (_SCALE, "return np.where(keep, x, 0)"))),
    Mistake("scaled in both", "everything is scaled up in use as well. There nothing is missing, so nothing has to "
            "be made up for.", ((_OFF, "if not train:\n        return x / (1 - p)\n    "),)),
    Mistake("also in use", "numbers are dropped in use as well.", ((_OFF, ""),)),
    Mistake("only in use", "dropout is on in use and off in training.", ((_OFF, "if train:\n        return x\n    "),)),
    Mistake("kept with p", "p is taken for the probability to *keep* a number. It is that of dropping it.",
            ((_DRAW, "keep = rng.random(x.shape) < p"), (_SCALE, "return np.where(keep, x / p, 0)"))),
    Mistake("compared the wrong way", "the comparison is the wrong way round: a number is dropped where its draw is "
            "below p.", ((_DRAW, "keep = rng.random(x.shape) < p"),)),
    Mistake("scaled by p", "what is kept is divided by p. The mean is right if it is divided by the share that is "
            "kept.", ((_SCALE, "return np.where(keep, x / p, 0)"),)),
    Mistake("multiplied", "what is kept is made smaller. It has to make up for what is missing.",
            ((_SCALE, "return np.where(keep, x * (1 - p), 0)"),)),
    Mistake("one mask for the batch", "all examples have the same places dropped. Every entry has a draw of its own.",
            ((_DRAW, "keep = np.broadcast_to(rng.random(x.shape[1:]) >= p, x.shape)"),)),
    Mistake("one mask for all steps", "the same units are dropped at every step and in every example. Every entry "
            "has a draw of its own.", ((_DRAW, "keep = np.broadcast_to(rng.random(x.shape[-1:]) >= p, x.shape)"),)),
    Mistake("one draw for all", "a single number is drawn for the whole array. Every entry has a draw of its own.",
            ((_DRAW, "keep = rng.random() >= p"),)),
    Mistake("normal numbers", "the draws are normal. `rng.random` draws evenly from [0, 1), so that a share p lies "
            "below p.", ((_DRAW, "keep = rng.normal(size=x.shape) >= p"),)),
    Mistake("binomial", "the numbers are drawn with `rng.binomial`. As dropout that is right, but other numbers "
            "come out than with the call that the task asks for, and nobody could check them.",
            ((_DRAW, "keep = rng.binomial(1, 1 - p, x.shape) > 0"),)),
    Mistake("generator of its own", "the numbers come from a new generator, the same each time. Use the one that is "
            "handed in.", ((_DRAW, "keep = np.random.default_rng(0).random(x.shape) >= p"),)),
    Mistake("drawn in float32", "the numbers are drawn in float32. That gives other numbers; draw them as the task "
            "says.", ((_DRAW, "keep = rng.random(x.shape, dtype=np.float32) >= p"),)),
    Mistake("float64 only", "the result is always float64; keep the dtype of x.",
            ((_SCALE, "return np.where(keep, x / (1 - p), 0).astype(np.float64)"),)),
    Mistake("x overwritten", "the zeros are written into x itself, which the caller still needs.",
            ((_SCALE, "x[~keep] = 0\n    return x / (1 - p)"),)),
    Mistake("mask returned", "the factors are returned, without being multiplied with x.",
            ((_SCALE, "return (keep / (1 - p)).astype(x.dtype)"),)),
)  # fmt: skip

_FORWARD = "(forward, slice(0, H), reversed(range(T)))"
_BACKWARD = "(backward, slice(H, 2 * H), range(T))"
_RESET = "d_h = np.zeros_like(hidden[:, 0, half])"
_ADD = "d_h = d_h + d_hidden[:, t, half]"
_DZ = "d_z = np.where(real, d_h * (1 - hidden[:, t, half] ** 2), 0)"
_DX = "d_x[:, t] += d_z @ U.T"
_BACK = "d_h = np.where(real, d_z @ W.T, d_h)"

GRADIENT_MISTAKES = (
    Mistake("second replaces first", "the second reader's part replaces the first one's (`=` where `+=` belongs): x "
            "acts through both.", ((_DX, "d_x[:, t] = d_z @ U.T"),)),
    Mistake("left only", "the gradient comes through the reader from the left alone.",
            (("for (U, W, _), half, steps in readers:", "for (U, W, _), half, steps in readers[:1]:"),)),
    Mistake("right goes back wrongly", "the gradient of the reader from the right runs from the last step to the "
            "first. That reader goes from right to left, so its gradient goes the other way.",
            ((_BACKWARD, "(backward, slice(H, 2 * H), reversed(range(T)))"),)),
    Mistake("left goes back wrongly", "the gradient of the reader from the left runs from the first step to the "
            "last.", ((_FORWARD, "(forward, slice(0, H), range(T))"),)),
    Mistake("orders swapped", "both gradients run in the direction in which their reader reads. They have to run "
            "against it.",
            ((_FORWARD, "(forward, slice(0, H), range(T))"),
             (_BACKWARD, "(backward, slice(H, 2 * H), reversed(range(T)))"))),
    Mistake("halves swapped", "the halves of the states are given to the wrong readers.",
            ((_FORWARD, "(forward, slice(H, 2 * H), reversed(range(T)))"),
             (_BACKWARD, "(backward, slice(0, H), range(T))"))),
    Mistake("weights shared", "the reader from the right gets the weights of the other one.",
            ((_BACKWARD, "(forward, slice(H, 2 * H), range(T))"),)),
    Mistake("weights swapped", "the two readers have each other's weights.",
            ((_FORWARD, "(backward, slice(0, H), reversed(range(T)))"),
             (_BACKWARD, "(forward, slice(H, 2 * H), range(T))"))),
    Mistake("carried over", "the second reader starts with the gradient with which the first one ended. Nothing "
            "passes from one to the other.",
            ((f"    for (U, W, _), half, steps in readers:\n        {_RESET}",
            "    d_h = np.zeros_like(hidden[:, 0, :H])\n    for (U, W, _), half, steps in readers:"),)),
    Mistake("not carried", "the gradient that comes from the neighbouring step is left out: a state also acts on "
            "the states that are computed from it.", ((_ADD, "d_h = d_hidden[:, t, half]"),)),
    Mistake("no derivative of tanh", "the derivative of tanh is missing.", ((_DZ, "d_z = np.where(real, d_h, 0)"),)),
    Mistake("tanh taken again", "the derivative of tanh is taken at the states. They are already tanh of the sums.",
            ((_DZ, "d_z = np.where(real, d_h * (1 - np.tanh(hidden[:, t, half]) ** 2), 0)"),)),
    Mistake("derivative of the sigmoid", "the derivative is that of the sigmoid, h (1 - h).",
            ((_DZ, "d_z = np.where(real, d_h * hidden[:, t, half] * (1 - hidden[:, t, half]), 0)"),)),
    Mistake("W not transposed", "on the way back the gradient is multiplied by W as on the way there. It has to be "
            "the transpose.", ((_BACK, "d_h = np.where(real, d_z @ W, d_h)"),)),
    Mistake("through d_h instead of d_z", "the gradient of the state, before tanh was taken into account, is "
            "carried on.", ((_BACK, "d_h = np.where(real, d_h @ W.T, d_h)"),)),
    Mistake("mask ignored", "the mask is ignored: at padding x has no influence, and the state is only handed on.",
            ((_DZ, "d_z = d_h * (1 - hidden[:, t, half] ** 2)"), (_BACK, "d_h = d_z @ W.T"))),
    Mistake("lost at padding", "the gradient ends at padding. The state is handed on there, and so is its gradient.",
            ((_BACK, "d_h = d_z @ W.T"),)),
    Mistake("padding still counts", "the gradient of x at padding is not zero, though x is never read there.",
            ((_DX, "d_x[:, t] += (d_h * (1 - hidden[:, t, half] ** 2)) @ U.T"),)),
    Mistake("above padding ignored", "what arrives from above at padding is dropped. There the held state is "
            "returned, so it counts.", ((_ADD, "d_h = d_h + np.where(mask[:, t, None], d_hidden[:, t, half], 0)"),)),
    Mistake("averaged", "the mean of the two readers' parts is returned; gradients through two ways add up.",
            (("return d_x", "return d_x / 2"),)),
    Mistake("one way subtracted", "the two readers' parts are subtracted from each other.",
            ((_DX, "d_x[:, t] += (d_z if half.start == 0 else -d_z) @ U.T"),)),
    Mistake("float64 only", "the result is always float64; `np.zeros` needs a dtype.",
            ((", dtype=hidden.dtype)", ")"),)),
    Mistake("d_hidden overwritten", "the gradient is added into d_hidden itself, which belongs to the caller.",
            ((_ADD, "d_h = d_hidden[:, t, half] = d_h + d_hidden[:, t, half]"),)),
)  # fmt: skip


def _seen(name, sentence, numbers):
    return Mistake(name, sentence, (("[4, 7, 10, 9, 10, 9, 6, 7]", numbers),))


SEEN_MISTAKES = (
    _seen("layers add inputs", "each layer is counted on its own in (a). The layers read the same steps; depth adds "
          "no inputs.", "[12, 7, 10, 9, 10, 9, 6, 7]"),
    _seen("layers look ahead", "each further layer is thought to see one step further in (a). No layer above sees a "
          "step that the lowest has not read.", "[6, 7, 10, 9, 10, 9, 6, 7]"),
    _seen("right from the left", "the reader from the right is counted from the left in (b).",
          "[4, 4, 10, 9, 10, 9, 6, 7]"),
    _seen("own step not counted", "the step itself is not counted in (b): the state at step 4 has read step 4, too.",
          "[4, 6, 10, 9, 10, 9, 6, 7]"),
    _seen("step counted twice", "step 4 is counted once for each reader in (c). It is one input.",
          "[4, 7, 11, 9, 10, 9, 6, 7]"),
    _seen("gap sees itself", "in (d) the gap is counted. Neither of the two states beside it has read it.",
          "[4, 7, 10, 10, 10, 9, 6, 7]"),
    _seen("neighbours not counted", "in (d) the steps next to the gap are left out. The states beside the gap have "
          "read them.", "[4, 7, 10, 7, 10, 9, 6, 7]"),
    _seen("leak overlooked", "in (e) the second layer is taken for as blind as the first. Ask what the lower states "
          "at step 3 have read, both of them.", "[4, 7, 10, 9, 9, 9, 6, 7]"),
    _seen("leak where there is none", "in (f) the two stacks are thought to leak. Follow one of them from the input "
          "to its top: no state of the other is on the way.", "[4, 7, 10, 9, 10, 10, 6, 7]"),
    _seen("leak the wrong way round", "(e) and (f) are mixed up.", "[4, 7, 10, 9, 9, 10, 6, 7]"),
    _seen("delay ignored", "in (g) the delay is ignored: the answer is read off a later state.",
          "[4, 7, 10, 9, 10, 9, 4, 7]"),
    _seen("only the delay", "in (g) only the steps of the delay are counted.", "[4, 7, 10, 9, 10, 9, 2, 7]"),
    _seen("whole future", "in (h) the reader from the right is taken to begin at the end of the sequence.",
          "[4, 7, 10, 9, 10, 9, 6, 10]"),
    _seen("only the look ahead", "in (h) only the reader from the right is counted.", "[4, 7, 10, 9, 10, 9, 6, 4]"),
    _seen("look ahead one short", "in (h) the reader from the right begins one step too early. It may read three "
          "steps beyond step 4.", "[4, 7, 10, 9, 10, 9, 6, 6]"),
)  # fmt: skip

# --- Other right ways -----------------------------------------------------------------------------------------

REVERSE_VARIANTS = (
    Variant("turned arrays", """\
def reverse_forward(x, h_end, U, W, b, mask):
    x, mask = x[:, ::-1], mask[:, ::-1]
    states, h = [], h_end
    for t in range(x.shape[1]):
        h = np.where(mask[:, [t]], np.tanh(x[:, t] @ U + h @ W + b), h)
        states.append(h)
    return np.stack(states[::-1], axis=1)"""),
    Variant("projected first", """\
def reverse_forward(x, h_end, U, W, b, mask):
    z, h = x @ U + b, h_end
    hidden = np.zeros_like(z)
    for t in range(x.shape[1] - 1, -1, -1):
        h = np.where(mask[:, t, None], np.tanh(z[:, t] + h @ W), h)
        hidden[:, t] = h
    return hidden"""),
    Variant("only the real rows", """\
def reverse_forward(x, h_end, U, W, b, mask):
    h, hidden = h_end.copy(), np.zeros((*mask.shape, len(b)), x.dtype)
    for t in reversed(range(mask.shape[1])):
        real = mask[:, t]
        h[real] = np.tanh(x[real, t] @ U + h[real] @ W + b)
        hidden[:, t] = h
    return hidden"""),
    Variant("mask as a factor, einsum", """\
def reverse_forward(x, h_end, U, W, b, mask):
    m, h, hidden = mask[..., None].astype(x.dtype), h_end, []
    for t in range(x.shape[1])[::-1]:
        new = np.tanh(np.einsum("bd,dh->bh", x[:, t], U) + np.einsum("bi,ij->bj", h, W) + b)
        h = m[:, t] * new + (1 - m[:, t]) * h
        hidden.insert(0, h)
    return np.array(hidden).transpose(1, 0, 2)"""),
    Variant("one example at a time", """\
def reverse_forward(x, h_end, U, W, b, mask):
    hidden = np.zeros((*mask.shape, len(b)), x.dtype)
    for n in range(len(x)):
        h = h_end[n]
        for t in reversed(range(x.shape[1])):
            if mask[n, t]:
                h = np.tanh(x[n, t] @ U + h @ W + b)
            hidden[n, t] = h
    return hidden"""),
    Variant("PyTorch inside", """\
import torch
def reverse_forward(x, h_end, U, W, b, mask):
    x, h, U, W, b, mask = (torch.tensor(a) for a in (x, h_end, U, W, b, mask))
    states = []
    for t in reversed(range(x.shape[1])):
        h = torch.where(mask[:, t, None], torch.tanh(x[:, t] @ U + h @ W + b), h)
        states.append(h)
    return torch.stack(states[::-1], dim=1).numpy()"""),
)  # fmt: skip

BIDIRECTIONAL_VARIANTS = (
    Variant("one loop for both", """\
def bidirectional_forward(x, forward, backward, mask):
    B, T, _ = x.shape
    H = len(forward[2])
    hidden = np.zeros((B, T, 2 * H), x.dtype)
    for half, (U, W, b), steps in [(slice(0, H), forward, range(T)), (slice(H, None), backward, range(T - 1, -1, -1))]:
        h = np.zeros((B, H), x.dtype)
        for t in steps:
            h = np.where(mask[:, t, None], np.tanh(x[:, t] @ U + h @ W + b), h)
            hidden[:, t, half] = h
    return hidden"""),
    Variant("a loop and reverse_forward", """\
def bidirectional_forward(x, forward, backward, mask):
    U, W, b = forward
    h = np.zeros((len(x), len(b)), x.dtype)
    left = []
    for t in range(x.shape[1]):
        h = np.where(mask[:, t, None], np.tanh(x[:, t] @ U + h @ W + b), h)
        left.append(h)
    right = reverse_forward(x, np.zeros_like(h), *backward, mask)
    return np.dstack([np.stack(left, axis=1), right])"""),
    Variant("np.flip", """\
def bidirectional_forward(x, forward, backward, mask):
    zeros = np.zeros((x.shape[0], forward[0].shape[1]), x.dtype)
    left = np.flip(reverse_forward(np.flip(x, 1), zeros, *forward, np.flip(mask, 1)), 1)
    hidden = np.empty((*mask.shape, 2 * zeros.shape[1]), x.dtype)
    hidden[..., : zeros.shape[1]] = left
    hidden[..., zeros.shape[1] :] = reverse_forward(x, zeros, *backward, mask)
    return hidden"""),
    Variant("one example at a time, without padding", """\
def bidirectional_forward(x, forward, backward, mask):
    H = len(forward[2])
    hidden = np.zeros((*mask.shape, 2 * H), x.dtype)
    for n in range(len(x)):
        for (U, W, b), half, steps in [(forward, slice(0, H), range(x.shape[1])),
                                       (backward, slice(H, 2 * H), reversed(range(x.shape[1])))]:
            h = np.zeros(H, x.dtype)
            for t in steps:
                h = np.tanh(x[n, t] @ U + h @ W + b) if mask[n, t] else h
                hidden[n, t, half] = h
    return hidden"""),
    Variant("both readers as one of twice the size", """\
def bidirectional_forward(x, forward, backward, mask):
    (U, W, b), (U_r, W_r, b_r) = forward, backward
    H, nothing = len(b), np.zeros_like(W)
    W_both = np.block([[W, nothing], [nothing, W_r]])
    z = np.concatenate([x @ U + b, (x @ U_r + b_r)[:, ::-1]], axis=2)
    m = np.concatenate([np.repeat(mask[:, :, None], H, 2), np.repeat(mask[:, ::-1, None], H, 2)], axis=2)
    h, states = np.zeros_like(z[:, 0]), []
    for t in range(x.shape[1]):
        h = np.where(m[:, t], np.tanh(z[:, t] + h @ W_both), h)
        states.append(h)
    states = np.stack(states, axis=1)
    return np.concatenate([states[:, :, :H], states[:, ::-1, H:]], axis=2)"""),
)  # fmt: skip

LAST_VARIANTS = (
    Variant("loop over examples", """\
def last_states(hidden, mask):
    H, rows = hidden.shape[2] // 2, []
    for states, real in zip(hidden, mask):
        steps = np.flatnonzero(real)
        rows.append(np.concatenate([states[steps[-1], :H], states[steps[0], H:]]))
    return np.array(rows)"""),
    Variant("largest and smallest place", """\
def last_states(hidden, mask):
    B, T, n = hidden.shape
    places = np.arange(T)
    last = np.where(mask, places, -1).max(axis=1)
    first = np.where(mask, places, T).min(axis=1)
    return np.hstack([hidden[np.arange(B), last, : n // 2], hidden[np.arange(B), first, n // 2 :]])"""),
    Variant("take_along_axis", """\
def last_states(hidden, mask):
    left, right = np.split(hidden, 2, axis=2)
    last = mask.shape[1] - 1 - np.argmax(mask[:, ::-1], axis=1)
    first = np.argmax(mask, axis=1)
    left = np.take_along_axis(left, last[:, None, None], axis=1)
    right = np.take_along_axis(right, first[:, None, None], axis=1)
    return np.concatenate([left, right], axis=2)[:, 0]"""),
    Variant("hold through time", """\
def last_states(hidden, mask):
    H = hidden.shape[2] // 2
    left, right = np.zeros_like(hidden[:, 0, :H]), np.zeros_like(hidden[:, 0, H:])
    for t in range(hidden.shape[1]):
        left = np.where(mask[:, t, None], hidden[:, t, :H], left)
    for t in reversed(range(hidden.shape[1])):
        right = np.where(mask[:, t, None], hidden[:, t, H:], right)
    return np.concatenate([left, right], axis=1)"""),
    Variant("one-hot product", """\
def last_states(hidden, mask):
    H, m = hidden.shape[2] // 2, mask.astype(int)
    is_first = mask & (m.cumsum(axis=1) == 1)
    is_last = mask & (m[:, ::-1].cumsum(axis=1)[:, ::-1] == 1)
    left = (hidden[..., :H] * is_last[..., None].astype(hidden.dtype)).sum(axis=1)
    right = (hidden[..., H:] * is_first[..., None].astype(hidden.dtype)).sum(axis=1)
    return np.concatenate([left, right], axis=1)"""),
)  # fmt: skip

STACK_VARIANTS = (
    Variant("in one line", """\
def two_layer_stack(x, layer_1, layer_2, mask):
    return bidirectional_forward(bidirectional_forward(x, *layer_1, mask), *layer_2, mask)"""),
    Variant("a loop over layers", """\
def two_layer_stack(x, layer_1, layer_2, mask):
    for forward, backward in (layer_1, layer_2):
        x = bidirectional_forward(x, forward, backward, mask)
    return x"""),
    Variant("written out", """\
def two_layer_stack(x, layer_1, layer_2, mask):
    for layer in (layer_1, layer_2):
        halves = []
        for (U, W, b), steps in zip(layer, (range(x.shape[1]), range(x.shape[1] - 1, -1, -1))):
            h, states = np.zeros((len(x), len(b)), x.dtype), [None] * x.shape[1]
            for t in steps:
                h = np.where(mask[:, t, None], np.tanh(x[:, t] @ U + h @ W + b), h)
                states[t] = h
            halves.append(np.stack(states, axis=1))
        x = np.concatenate(halves, axis=2)
    return x"""),
    Variant("named arguments", """\
def two_layer_stack(x, layer_1, layer_2, mask):
    forward, backward = layer_1
    below = bidirectional_forward(x=x, forward=forward, backward=backward, mask=mask)
    above = bidirectional_forward(below, layer_2[0], layer_2[1], mask=mask)
    return above"""),
    Variant("lower states zeroed at padding", """\
def two_layer_stack(x, layer_1, layer_2, mask):
    below = bidirectional_forward(x, *layer_1, mask)
    below = np.where(mask[:, :, None], below, 0)
    return bidirectional_forward(below, *layer_2, mask)"""),
)  # fmt: skip

DROPOUT_VARIANTS = (
    Variant("factors", """\
def dropout(x, p, rng, train):
    if train:
        factors = (rng.random(x.shape) >= p) / (1 - p)
        return x * factors.astype(x.dtype)
    return x.copy()"""),
    Variant("zeros in a copy", """\
def dropout(x, p, rng, train):
    if not train:
        return x
    y = x / (1 - p)
    y[rng.random(x.shape) < p] = 0
    return y"""),
    Variant("masked sum", """\
def dropout(x, p, rng, train):
    if not train:
        return x + 0
    drawn = rng.random(size=x.shape)
    out = np.zeros_like(x)
    out[drawn >= p] = x[drawn >= p] * (1 / (1 - p))
    return out"""),
    Variant("entry by entry", """\
def dropout(x, p, rng, train):
    y = x.copy()
    if train:
        for place, number in np.ndenumerate(rng.random(x.shape)):
            y[place] = 0 if number < p else x[place] / (1 - p)
    return y"""),
    Variant("PyTorch inside", """\
import torch
def dropout(x, p, rng, train):
    if not train:
        return x
    keep = torch.from_numpy(rng.random(x.shape)) >= p
    return (torch.tensor(x) * keep / (1 - p)).numpy()"""),
)  # fmt: skip

GRADIENT_VARIANTS = (
    Variant("two loops", """\
def input_gradient(d_hidden, hidden, forward, backward, mask):
    (U, W, _), (U_r, W_r, _) = forward, backward
    H, T = len(W), hidden.shape[1]
    d_x = np.zeros((*mask.shape, len(U)), hidden.dtype)
    d_h = np.zeros_like(hidden[:, 0, :H])
    for t in range(T - 1, -1, -1):
        m = mask[:, [t]]
        d_h = d_h + d_hidden[:, t, :H]
        d_z = m * d_h * (1 - hidden[:, t, :H] * hidden[:, t, :H])
        d_x[:, t] = d_z @ U.T
        d_h = d_z @ W.T + ~m * d_h
    d_h = np.zeros_like(hidden[:, 0, H:])
    for t in range(T):
        m = mask[:, [t]]
        d_h = d_h + d_hidden[:, t, H:]
        d_z = m * d_h * (1 - hidden[:, t, H:] * hidden[:, t, H:])
        d_x[:, t] += d_z @ U_r.T
        d_h = d_z @ W_r.T + ~m * d_h
    return d_x"""),
    Variant("one direction, turned for the other", """\
def input_gradient(d_hidden, hidden, forward, backward, mask):
    def through(d, states, U, W, m):
        d_z, d_h = np.zeros_like(states), np.zeros_like(states[:, 0])
        for t in reversed(range(states.shape[1])):
            d_h = d_h + d[:, t]
            d_z[:, t] = np.where(m[:, t, None], d_h * (1 - states[:, t] ** 2), 0)
            d_h = np.where(m[:, t, None], d_z[:, t] @ W.T, d_h)
        return d_z @ U.T

    H = hidden.shape[2] // 2
    left = through(d_hidden[..., :H], hidden[..., :H], forward[0], forward[1], mask)
    turned = [a[:, ::-1] for a in (d_hidden[..., H:], hidden[..., H:], mask)]
    right = through(turned[0], turned[1], backward[0], backward[1], turned[2])
    return left + right[:, ::-1]"""),
    Variant("one product at the end", """\
def input_gradient(d_hidden, hidden, forward, backward, mask):
    T, H = hidden.shape[1], hidden.shape[2] // 2
    d_z = np.zeros_like(hidden)
    slope = (1 - hidden**2) * mask[:, :, None]
    for half, W, steps in [(slice(H), forward[1], range(T)[::-1]), (slice(H, None), backward[1], range(T))]:
        d_h = 0
        for t in steps:
            d_h = d_h + d_hidden[:, t, half]
            d_z[:, t, half] = d_h * slope[:, t, half]
            d_h = np.where(mask[:, t, None], d_z[:, t, half] @ W.T, d_h)
    return d_z @ np.vstack([forward[0].T, backward[0].T])"""),
    Variant("einsum, one example at a time", """\
def input_gradient(d_hidden, hidden, forward, backward, mask):
    B, T, n = hidden.shape
    H = n // 2
    d_x = np.zeros((B, T, forward[0].shape[0]), hidden.dtype)
    for k in range(B):
        for (U, W, _), half, steps in [(forward, slice(0, H), range(T)[::-1]), (backward, slice(H, n), range(T))]:
            carried = np.zeros(H, hidden.dtype)
            for t in steps:
                carried = carried + d_hidden[k, t, half]
                if mask[k, t]:
                    d_z = carried * (1 - hidden[k, t, half] ** 2)
                    d_x[k, t] += np.einsum("h,dh->d", d_z, U)
                    carried = np.einsum("j,ij->i", d_z, W)
    return d_x"""),
    Variant("PyTorch inside", """\
import torch
def input_gradient(d_hidden, hidden, forward, backward, mask):
    d_hidden, hidden, mask = (torch.tensor(a) for a in (d_hidden, hidden, mask))
    T, H = hidden.shape[1], hidden.shape[2] // 2
    parts = []
    for (U, W, _), half, steps in [(forward, slice(0, H), range(T)[::-1]), (backward, slice(H, 2 * H), range(T))]:
        U, W = torch.tensor(U), torch.tensor(W)
        d_z, d_h = torch.zeros_like(hidden[:, :, half]), torch.zeros_like(hidden[:, 0, half])
        for t in steps:
            m = mask[:, t, None]
            d_h = d_h + d_hidden[:, t, half]
            d_z[:, t] = m * d_h * (1 - hidden[:, t, half] ** 2)
            d_h = torch.where(m, d_z[:, t] @ W.T, d_h)
        parts.append(d_z @ U.T)
    return (parts[0] + parts[1]).numpy()"""),
)  # fmt: skip

SEEN_VARIANTS = (
    Variant("floats", "inputs_seen = [4.0, 7.0, 10.0, 9.0, 10.0, 9.0, 6.0, 7.0]"),
    Variant("tuple", "inputs_seen = (4, 7, 10, 9, 10, 9, 6, 7)"),
    Variant("array", "inputs_seen = np.array([4, 7, 10, 9, 10, 9, 6, 7])"),
    Variant("by arithmetic", "T, t = 10, 4\ninputs_seen = [t, T - t + 1, T, T - 1, T, T - 1, t + 2, t + 3]"),
    Variant("as sets", """\
left, right = set(range(1, 5)), set(range(4, 11))
beside = (left | right) - {4}
seen = [left, right, left | right, beside, beside | {4}, beside, left | {5, 6}, left | {5, 6, 7}]
inputs_seen = [len(steps) for steps in seen]"""),
)  # fmt: skip

# --- The exercise ---------------------------------------------------------------------------------------------

_source = inspect.getsource

REVERSE = Task("reverse_forward", _source(reverse_forward), (("hidden", ("example", "step back", "unit")),),
               _reverse_cases, REVERSE_MISTAKES, REVERSE_VARIANTS)  # fmt: skip
BIDIRECTIONAL = Task("bidirectional_forward", _source(bidirectional_forward),
                     (("hidden", ("example", "step", "unit")),), _both_cases,
                     BIDIRECTIONAL_MISTAKES, BIDIRECTIONAL_VARIANTS, uses=(REVERSE,))  # fmt: skip
LAST = Task("last_states", _source(last_states), (("the result", ("example", "unit")),), _last_cases,
            LAST_MISTAKES, LAST_VARIANTS)  # fmt: skip
STACK = Task("two_layer_stack", _source(two_layer_stack), (("hidden", ("example", "step", "unit")),), _stack_cases,
             STACK_MISTAKES, STACK_VARIANTS, uses=(REVERSE, BIDIRECTIONAL))  # fmt: skip
DROPOUT = Task("dropout", _source(dropout), (("the result", ("example", "step", "unit")),), _dropout_cases,
               DROPOUT_MISTAKES, DROPOUT_VARIANTS)  # fmt: skip
GRADIENT = Task("input_gradient", _source(input_gradient), (("d_x", ("example", "step", "input")),), _gradient_cases,
                GRADIENT_MISTAKES, GRADIENT_VARIANTS)  # fmt: skip
SEEN = Task("inputs_seen", INPUTS_SEEN, (("inputs_seen", ("question",)),), None, SEEN_MISTAKES, SEEN_VARIANTS)

TASKS = (REVERSE, BIDIRECTIONAL, LAST, STACK, DROPOUT, GRADIENT, SEEN)
check = diagnose.checker(*TASKS)
