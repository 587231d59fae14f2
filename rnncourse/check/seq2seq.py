"""The tasks of the exercise `seq2seq`: right answers, the mistakes people make, other right ways."""

import inspect

import numpy as np

from rnncourse.check import diagnose
from rnncourse.check.task import Mistake, Task, Variant

# --- Right answers: exactly what stands in the answer cells of solutions/seq2seq ------------------------------


def encode(x, U, W, b, mask):
    """Read: x (B, S, D), mask (B, S) -> the context (B, H), the state after the last real token."""
    h = np.zeros((len(x), len(b)), dtype=x.dtype)
    for t in range(x.shape[1]):
        h_new = np.tanh(x[:, t] @ U + h @ W + b)
        h = np.where(mask[:, t, None], h_new, h)  # (context-last)
    return h


def teacher_inputs(targets, start):
    """What the decoder reads under teacher forcing: targets (B, T) of tokens -> inputs (B, T)."""
    inputs = np.empty_like(targets)
    inputs[:, 0] = start
    inputs[:, 1:] = targets[:, :-1]  # (teacher-forcing)
    return inputs


def decoder_step(token, s, C, E, U, K, W, b, V, c):
    """One token (B,) further from the state s (B, H): log-probabilities (B, O) of the next token, new state (B, H)."""
    s_new = np.tanh(E[token] @ U + C @ K + s @ W + b)  # (decoder-state)
    a = s_new @ V + c
    a = a - a.max(axis=1, keepdims=True)
    log_p = a - np.log(np.exp(a).sum(axis=1, keepdims=True))  # (decoder-output)
    return log_p, s_new


def sequence_loss(log_p, targets, mask):
    """log_p (B, T, O), targets (B, T), mask (B, T) -> the mean loss of a real token, a number."""
    B, T = targets.shape
    right = log_p[np.arange(B)[:, None], np.arange(T), targets]
    return -right[mask].mean()  # (sequence-loss)


def greedy_decode(step, state, start, stop, limit):
    """The best token at every step: state (B, H) -> tokens (B, limit), stop from the end on, and scores (B,)."""
    B = len(state)
    tokens, scores = np.full((B, limit), stop), np.zeros(B)
    last, running = np.full(B, start), np.full(B, True)
    for t in range(limit):
        log_p, state = step(last, state)
        scores = scores + np.where(running, log_p.max(axis=1), 0)
        last = np.where(running, log_p.argmax(axis=1), stop)
        tokens[:, t] = last
        running = running & (last != stop)
    return tokens, scores


def beam_search(step, state, start, stop, limit, beam, power):
    """One sentence, state (1, H) -> the tokens (n,) of the best hypothesis and its normalised score."""
    last, scores, paths, ended = np.array([start]), np.zeros(1), [[]], []
    for _ in range(limit):
        log_p, state = step(last, state)
        total = scores[:, None] + log_p  # (beam-score)
        best = np.argsort(-total, axis=None, kind="stable")[: beam - len(ended)]
        parent, last = np.divmod(best, total.shape[1])
        scores, state = total.flat[best], state[parent]
        paths = [[*paths[p], token] for p, token in zip(parent, last, strict=True)]
        ended += [(paths[n], scores[n]) for n in np.flatnonzero(last == stop)]
        going = np.flatnonzero(last != stop)
        last, scores, state, paths = last[going], scores[going], state[going], [paths[n] for n in going]
        if len(going) == 0:
            break
    found = ended or list(zip(paths, scores, strict=True))
    ranked = [(score / len(path) ** power, path) for path, score in found]  # (length-normalisation)
    score, path = max(ranked, key=lambda pair: pair[0])
    return np.array(path), score


BEAM_BY_HAND = "beam_by_hand = [4, 3, 1, 10]"


# --- Inputs that the visible check tries ----------------------------------------------------------------------


def _normal(seed, dtype, *shapes):
    rng = np.random.default_rng(seed)
    return tuple(rng.normal(size=shape).astype(dtype) for shape in shapes)


def _lengths(*lengths):
    return np.arange(max(lengths)) < np.array(lengths)[:, None]


def _encode_case(seed, mask, D, H, dtype=np.float64):
    x, U, W, b = _normal(seed, dtype, (*mask.shape, D), (D, H), (H, H), (H,))
    return {"x": x, "U": U, "W": W, "b": b, "mask": mask.copy()}


def _encode_cases():
    return [
        _encode_case(0, _lengths(4, 2, 3), D=2, H=3),
        _encode_case(1, _lengths(2, 5), D=3, H=3),
        _encode_case(2, _lengths(3, 3), D=1, H=4, dtype=np.float32),
    ]


def _teacher_cases():
    return [
        {"targets": np.array([[4, 5, 6, 2], [7, 8, 2, 0], [9, 2, 0, 0]]), "start": 1},
        {"targets": np.array([[3, 4, 4, 5, 2]]), "start": 1},
        {"targets": np.array([[6, 2], [2, 0]], dtype=np.int32), "start": 7},
    ]


def _step_case(seed, B, D, H, O, dtype=np.float64, large=1.0):
    E, U, K, W, b, V, c = _normal(seed, dtype, (O, D), (D, H), (H, H), (H, H), (H,), (H, O), (O,))
    s, C = _normal(seed + 50, dtype, (B, H), (B, H))
    token = np.random.default_rng(seed).integers(O, size=B)
    return {"token": token, "s": s, "C": C, "E": E, "U": U, "K": K, "W": W, "b": b, "V": V * dtype(large), "c": c}


def _step_cases():
    return [
        _step_case(10, B=3, D=2, H=4, O=5),
        _step_case(11, B=3, D=3, H=3, O=3),
        _step_case(12, B=2, D=2, H=3, O=4, large=1e4),
        _step_case(13, B=2, D=1, H=2, O=6, dtype=np.float32),
    ]


def _loss_case(seed, mask, O, dtype=np.float64, at_padding=None):
    [a] = _normal(seed, dtype, (*mask.shape, O))
    log_p = a - np.log(np.exp(a).sum(axis=2, keepdims=True))
    if at_padding is not None:
        log_p[~mask] = at_padding
    targets = np.random.default_rng(seed).integers(O, size=mask.shape)
    return {"log_p": log_p, "targets": targets, "mask": mask.copy()}


def _loss_cases():
    return [
        _loss_case(20, _lengths(5, 2, 3), O=4),
        _loss_case(21, _lengths(3, 1), O=6, at_padding=-np.inf),
        _loss_case(22, _lengths(4, 4), O=3, dtype=np.float32),
    ]


# Step functions are made from text, as if they came from a notebook: an answer may not call this package.
_NETWORK = """
def network(E, W, V, c):
    def step(tokens, state):
        state = np.tanh(E[tokens] + state @ W)
        a = state @ V + c
        return a - np.log(np.exp(a).sum(axis=1, keepdims=True)), state
    return step
"""
_TABLE = """
def table(probabilities):
    def step(tokens, state):
        return np.log(probabilities[tokens]), state + 0
    return step
"""


def _made(source, name):
    namespace = {"np": np}
    exec(source, namespace)
    return namespace[name]


def _network(seed, H, O, stop_bias):
    """A random decoder with O tokens, of which 1 is STOP; a high `stop_bias` makes short sentences."""
    E, W, V = _normal(seed, np.float64, (O, H), (H, H), (H, O))
    c = np.zeros(O)
    c[1] = stop_bias
    return _made(_NETWORK, "network")(2 * E, W, 2 * V, c)


def _table(rows):
    """A decoder whose next token depends on the last alone: rows are the probabilities after each token."""
    return _made(_TABLE, "table")(np.array(rows))


TIES = (
    (0.1, 0.15, 0.25, 0.25, 0.25),
    (0.2, 0.2, 0.2, 0.2, 0.2),
    (0.1, 0.3, 0.2, 0.2, 0.2),
    (0.1, 0.1, 0.2, 0.3, 0.3),
    (0.1, 0.4, 0.1, 0.2, 0.2),
)


def _greedy_case(seed, B, H, O, limit, stop_bias):
    [state] = _normal(seed + 50, np.float64, (B, H))
    step = _network(seed, H, O, stop_bias)
    return {"step": step, "state": state, "start": 0, "stop": 1, "limit": limit}


def _greedy_cases():
    return [
        _greedy_case(30, B=4, H=3, O=5, limit=6, stop_bias=1.0),
        _greedy_case(31, B=2, H=4, O=6, limit=4, stop_bias=-9.0),
        {"step": _table(TIES), "state": np.zeros((2, 1)), "start": 0, "stop": 1, "limit": 5},
    ]


def _beam_case(seed, H, O, limit, stop_bias, beam, power):
    return _greedy_case(seed, 1, H, O, limit, stop_bias) | {"beam": beam, "power": power}


def _beam_cases():
    return [
        _beam_case(158, H=4, O=6, limit=8, stop_bias=1.5, beam=4, power=0.5),
        _beam_case(133, H=4, O=6, limit=8, stop_bias=1.5, beam=4, power=0.5),
        _beam_case(116, H=3, O=5, limit=7, stop_bias=0.5, beam=3, power=1.0),
        _beam_case(100, H=2, O=5, limit=3, stop_bias=-9.0, beam=2, power=1.0),
        {"step": _table(TIES), "state": np.zeros((1, 1)), "start": 0, "stop": 1, "limit": 3, "beam": 2, "power": 0.0},
    ]


# --- Mistakes -------------------------------------------------------------------------------------------------

_NEW = "h_new = np.tanh(x[:, t] @ U + h @ W + b)"
_HOLD = "h = np.where(mask[:, t, None], h_new, h)"
_LOOP = "range(x.shape[1])"
_ADD_UP = f"{_HOLD}\n        total = total + h * mask[:, t, None].astype(x.dtype)"

ENCODE_MISTAKES = (
    Mistake("mask ignored", "the mask is ignored: the state goes on changing through the padding.",
            ((_HOLD, "h = h_new"),)),
    Mistake("mask inverted", "the mask is read the wrong way round. It is True at real tokens.",
            ((_HOLD, "h = np.where(mask[:, t, None], h, h_new)"),)),
    Mistake("padding resets", "padding sets the state to zero; it has to stay as it was.",
            ((_HOLD, "h = np.where(mask[:, t, None], h_new, np.zeros_like(h))"),)),
    Mistake("padded input zeroed", "the inputs at padding are set to zero and the step is made all the same. Even with "
            "x = 0 a step changes the state.", ((_NEW, "h_new = np.tanh(x[:, t] * mask[:, t, None].astype(x.dtype) @ U "
            "+ h @ W + b)"), (_HOLD, "h = h_new"))),
    Mistake("mask of the first sentence", "the mask of the first sentence is used for the whole batch.",
            ((_HOLD, "h = np.where(mask[0, t], h_new, h)"),)),
    Mistake("mask one step late", "each step meets the mask of the step before it, so the first padding is still read.",
            ((_HOLD, "h = np.where(mask[:, max(t - 1, 0), None], h_new, h)"),)),
    Mistake("mask one step early", "each step meets the mask of the next one, so the last real token is lost.",
            ((_HOLD, "h = np.where(mask[:, min(t + 1, x.shape[1] - 1), None], h_new, h)"),)),
    Mistake("last token not read", "the loop ends before the last step.", ((_LOOP, "range(x.shape[1] - 1)"),)),
    Mistake("first token not read", "the loop begins at the second token; steps count from 0.",
            ((_LOOP, "range(1, x.shape[1])"),)),
    Mistake("from the right", "the sentence is read from its end to its beginning.",
            ((_LOOP, "reversed(range(x.shape[1]))"),)),
    Mistake("state not carried", "every step starts from zero again; the state has to be carried along.",
            ((_NEW, "h_new = np.tanh(x[:, t] @ U + b)"),)),
    Mistake("one input for all steps", "the first token is read at every step.",
            ((_NEW, "h_new = np.tanh(x[:, 0] @ U + h @ W + b)"),)),
    Mistake("no bias", "the bias b is left out of the sum.", ((_NEW, "h_new = np.tanh(x[:, t] @ U + h @ W)"),)),
    Mistake("no tanh", "tanh is left out: the units are linear.", ((_NEW, "h_new = x[:, t] @ U + h @ W + b"),)),
    Mistake("W transposed", "the state is multiplied by W.T. Here W is (H, H) from the old state to the new one.",
            ((_NEW, "h_new = np.tanh(x[:, t] @ U + h @ W.T + b)"),)),
    Mistake("sum of the states", "the states of all real tokens are added up. Only the last one is asked for.",
            (("    for t", "    total = 0\n    for t"), (_HOLD, _ADD_UP), ("return h", "return total"))),
    Mistake("mean of the states", "the mean of the states over all real tokens is returned: another context. Only the "
            "last state is asked for.", (("    for t", "    total = 0\n    for t"), (_HOLD, _ADD_UP),
             ("return h", "return total / mask.sum(axis=1)[:, None].astype(x.dtype)"))),
    Mistake("all states", "the states of all steps are returned, not the last one alone.",
            (("    for t", "    states = []\n    for t"), (_HOLD, f"{_HOLD}\n        states.append(h)"),
             ("return h", "return np.stack(states, axis=1)"))),
    Mistake("float64 only", "the result is always float64; `np.zeros` needs the dtype of x.",
            ((", dtype=x.dtype)", ")"),)),
)  # fmt: skip

_FIRST = "inputs[:, 0] = start"
_SHIFT = "inputs[:, 1:] = targets[:, :-1]"
_EMPTY = "inputs = np.empty_like(targets)"

TEACHER_MISTAKES = (
    Mistake("not shifted", "the inputs are the targets themselves: the decoder is shown the very token that it has to "
            "tell, and learns to copy it.", ((_EMPTY, "inputs = targets.copy()"), (_FIRST, "pass"), (_SHIFT, "pass"))),
    Mistake("first token overwritten", "START is written over the first token and nothing is moved. The first token is "
            "lost and the others are shown when they have to be told.",
            ((_EMPTY, "inputs = targets.copy()"), (_SHIFT, "pass"))),
    Mistake("shifted left", "the targets are moved to the left: each step is shown a token from the future.",
            ((_FIRST, "inputs[:, -1] = start"), (_SHIFT, "inputs[:, :-1] = targets[:, 1:]"))),
    Mistake("rolled", "the targets are rolled around, so the last token of a sentence is its first input. "
            "That place belongs to START.", ((_FIRST, "inputs[:, 0] = targets[:, -1]"),)),
    Mistake("rolled over sentences", "the shift runs over the ends of the rows: a sentence begins with the last token "
            "of the one before it.",
            ((_FIRST, "inputs.flat[0] = start"), (_SHIFT, "inputs.flat[1:] = targets.flat[:-1]"))),
    Mistake("one step too long", "START is put in front and nothing is dropped at the end: there are T + 1 inputs for "
            "T targets.", ((_EMPTY, "inputs = np.empty_like(targets, shape=(len(targets), targets.shape[1] + 1))"),
             (_SHIFT, "inputs[:, 1:] = targets"))),
    Mistake("one step too short", "the last target is dropped and no START put in front: there are T - 1 inputs.",
            ((_EMPTY, "inputs = targets[:, :-1].copy()"), (_FIRST, "pass"), (_SHIFT, "pass"))),
    Mistake("shifted by two", "the targets are moved by two steps; the input of a step is the token right before it.",
            ((_FIRST, "inputs[:, :2] = start"), (_SHIFT, "inputs[:, 2:] = targets[:, :-2]"))),
    Mistake("along the batch", "the targets are moved from sentence to sentence instead of from step to step. The "
            "batch is the first axis.", ((_FIRST, "inputs[0] = start"), (_SHIFT, "inputs[1:] = targets[:-1]"))),
    Mistake("zero for START", "the first input is 0, which is padding. It has to be `start`.",
            ((_FIRST, "inputs[:, 0] = 0"),)),
    Mistake("one for START", "the first input is always 1. It has to be what `start` says.",
            ((_FIRST, "inputs[:, 0] = 1"),)),
    Mistake("START at the end", "START stands at the last step. It is what the decoder reads first.",
            ((_FIRST, "inputs[:, -1] = start"), (_SHIFT, "inputs[:, :-1] = targets[:, :-1]"))),
    Mistake("nothing but START", "every input is START: the decoder is never told what came before.",
            ((_SHIFT, "inputs[:, 1:] = start"),)),
    Mistake("reversed", "the tokens stand in reverse order.", ((_SHIFT, "inputs[:, 1:] = targets[:, :0:-1]"),)),
    Mistake("floats", "the inputs are floating-point numbers. Tokens are indices, and stay in the dtype of the "
            "targets.",
            ((_EMPTY, "inputs = np.empty(targets.shape)"),)),
    Mistake("one-hot", "the tokens are turned into one-hot vectors. They are asked for as indices.",
            (("return inputs", "return np.eye(inputs.max() + 1)[inputs]"),)),
    Mistake("targets overwritten", "the targets themselves are moved. They are still needed for the loss.",
            ((_EMPTY, "inputs = targets"), (_FIRST, "pass"),
             (_SHIFT, "targets[:, 1:] = targets[:, :-1].copy()\n    targets[:, 0] = start"))),
)  # fmt: skip

_SUM = "s_new = np.tanh(E[token] @ U + C @ K + s @ W + b)"
_OUT = "a = s_new @ V + c"
_SAFE = "a = a - a.max(axis=1, keepdims=True)"
_LOG = "log_p = a - np.log(np.exp(a).sum(axis=1, keepdims=True))"
_BACK = "return log_p, s_new"

DECODER_MISTAKES = (
    Mistake("no context", "the context C never enters.", ((_SUM, _SUM.replace("C @ K + ", "")),)),
    Mistake("context for the state", "the context takes the place of the old state: nothing is carried from step to "
            "step.", ((_SUM, _SUM.replace("s @ W", "C @ W")),)),
    Mistake("context and state swapped", "K and W are swapped: K belongs to the context, W to the old state.",
            ((_SUM, _SUM.replace("C @ K + s @ W", "C @ W + s @ K")),)),
    Mistake("context without weights", "the context is added as it is, without its weights K.",
            ((_SUM, _SUM.replace("C @ K", "C")),)),
    Mistake("token left out", "the last token never enters, so the decoder does not know what it has said.",
            ((_SUM, _SUM.replace("E[token] @ U + ", "")),)),
    Mistake("same token for all", "the first sentence's token is used for the whole batch.",
            ((_SUM, _SUM.replace("E[token]", "E[token[:1]]")),)),
    Mistake("no bias b", "the bias b is left out of the state's sum.", ((_SUM, _SUM.replace(" + b)", ")")),)),
    Mistake("no bias c", "the bias c is left out of the output's sum.", ((_OUT, "a = s_new @ V"),)),
    Mistake("no tanh", "tanh is left out of the state.",
            ((_SUM, _SUM.replace("np.tanh(", "(")),)),
    Mistake("W transposed", "the old state is multiplied by W.T; W is (H, H) from old to new.",
            ((_SUM, _SUM.replace("s @ W", "s @ W.T")),)),
    Mistake("K transposed", "the context is multiplied by K.T; K is (H, H) from the context to the state.",
            ((_SUM, _SUM.replace("C @ K", "C @ K.T")),)),
    Mistake("output from the old state", "the output is read off the old state. First the step, then the output.",
            ((_OUT, "a = s @ V + c"),)),
    Mistake("output from the context", "the output is read off the context instead of the new state.",
            ((_OUT, "a = C @ V + c"),)),
    Mistake("probabilities", "probabilities are returned, not their logarithms.",
            ((_BACK, "return np.exp(log_p), s_new"),)),
    Mistake("scores", "the sums are returned without the softmax: they are no log-probabilities yet.",
            ((_SAFE, "pass"), (_LOG, "log_p = a"))),
    Mistake("largest subtracted only", "the largest sum is subtracted, but the softmax is not finished: the "
            "probabilities do not add up to 1.", ((_LOG, "log_p = a"),)),
    Mistake("overflow", "the exponentials of large sums overflow. The softmax does not change if the same number is "
            "subtracted from all sums of a row.", ((_SAFE, "pass"),)),
    Mistake("logarithm of zero", "the softmax is taken first and its logarithm afterwards. Small probabilities become "
            "0 and their logarithm minus infinity.",
            ((_LOG, "log_p = np.log(np.exp(a) / np.exp(a).sum(axis=1, keepdims=True))"),)),
    Mistake("softmax over the batch", "the probabilities add up to 1 over the batch instead of over the tokens.",
            ((_SAFE, "a = a - a.max(axis=0, keepdims=True)"), (_LOG, _LOG.replace("axis=1", "axis=0")))),
    Mistake("softmax over everything", "the probabilities add up to 1 over the whole batch; each sentence has its own "
            "softmax.", ((_LOG, "log_p = a - np.log(np.exp(a).sum())"),)),
    Mistake("bits", "the logarithm to base 2 is returned; the natural one is asked for.",
            ((_BACK, "return log_p / np.log(2), s_new"),)),
    Mistake("swapped", "the state and the log-probabilities are returned in the wrong order.",
            ((_BACK, "return s_new, log_p"),)),
    Mistake("old state returned", "the old state is returned, so the decoder never gets anywhere.",
            ((_BACK, "return log_p, s"),)),
    Mistake("float64 only", "the results are always float64; keep the dtype of the inputs.",
            ((_SUM, _SUM.replace("E[token]", "E[token].astype(np.float64)")),)),
    Mistake("state overwritten", "the new state is written into s. The caller may need the old one: a beam search "
            "continues it several times.", ((_BACK, "s[:] = s_new\n    return log_p, s_new"),)),
)  # fmt: skip

_RIGHT = "right = log_p[np.arange(B)[:, None], np.arange(T), targets]"
_MEAN = "return -right[mask].mean()"

LOSS_MISTAKES = (
    Mistake("padding counted", "the padding counts like real tokens.", ((_MEAN, "return -right.mean()"),)),
    Mistake("mask inverted", "the mask is read the wrong way round. It is True at real tokens.",
            ((_MEAN, "return -right[~mask].mean() if not mask.all() else -0 * right.mean()"),)),
    Mistake("divided by all places", "the losses of real tokens are added up and divided by the number of all places, "
            "padding included.", ((_MEAN, "return -right[mask].sum() / (B * T)"),)),
    Mistake("summed", "the losses are added up. The mean is asked for.", ((_MEAN, "return -right[mask].sum()"),)),
    Mistake("per sentence", "the sum is divided by the number of sentences, not by that of the real tokens.",
            ((_MEAN, "return -right[mask].sum() / B"),)),
    Mistake("mean of means", "the mean of each sentence is taken first and then that of the sentences. So a token of a "
            "short sentence counts more than one of a long sentence.",
            ((_MEAN, "return -np.mean([row[real].mean() for row, real in zip(right, mask)])"),)),
    Mistake("divided by steps", "the sum is divided by the number of steps instead of that of the real tokens.",
            ((_MEAN, "return -right[mask].sum() / T"),)),
    Mistake("sign", "the sign is wrong: a log-probability is negative, a loss positive.",
            ((_MEAN, "return right[mask].mean()"),)),
    Mistake("probabilities", "the probabilities are averaged without a logarithm.",
            ((_MEAN, "return -np.exp(right[mask]).mean()"),)),
    Mistake("logarithm of the mean", "the logarithm of the mean probability is taken. It is the mean of the logarithms "
            "that is asked for.", ((_MEAN, "return -np.log(np.exp(right[mask]).mean())"),)),
    Mistake("most probable token", "the most probable token is taken instead of the right one.",
            ((_RIGHT, "right = log_p.max(axis=2)"),)),
    Mistake("mean over tokens", "the log-probabilities of all tokens are averaged; only that of the right one counts.",
            ((_RIGHT, "right = log_p.mean(axis=2)"),)),
    Mistake("next target", "each step is compared with the target of the next one.",
            ((_RIGHT, "right = log_p[np.arange(B)[:, None], np.arange(T), np.roll(targets, -1, axis=1)]"),)),
    Mistake("target before", "each step is compared with the target of the one before it. The inputs are shifted, the "
            "targets are not.",
            ((_RIGHT, "right = log_p[np.arange(B)[:, None], np.arange(T), np.roll(targets, 1, axis=1)]"),)),
    Mistake("last token left out", "the last real token of each sentence is left out. That is STOP, and the decoder "
            "has to learn it.", ((_MEAN, "mask = mask & np.pad(mask, [(0, 0), (0, 1)])[:, 1:]\n    "
            "return -right[mask].sum() / max(mask.sum(), 1)"),)),
    Mistake("first token left out", "the first token of each sentence is left out.",
            ((_MEAN, "return -right[:, 1:][mask[:, 1:]].mean()"),)),
    Mistake("bits", "the logarithm to base 2 is taken; the natural one is asked for.",
            ((_MEAN, "return -right[mask].mean() / np.log(right.dtype.type(2))"),)),
    Mistake("perplexity", "this is the perplexity, the exponential of the loss.",
            ((_MEAN, "return np.exp(-right[mask].mean())"),)),
    Mistake("one loss a token", "the losses of the tokens are returned one by one. One number is asked for.",
            ((_MEAN, "return -right[mask]"),)),
    Mistake("multiplied by the mask", "the loss is multiplied by the mask. At padding the log-probability may be minus "
            "infinity, and 0 times infinity is no number.",
            ((_MEAN, "return -(right * mask.astype(right.dtype)).sum() / mask.sum().astype(right.dtype)"),)),
    Mistake("smoothed", "a small number is added before the logarithm. The log-probabilities are exact already.",
            ((_MEAN, "return -np.log(np.exp(right[mask]) + 1e-3).mean()"),)),
)  # fmt: skip

_CALL = "log_p, state = step(last, state)"
_ADD = "scores = scores + np.where(running, log_p.max(axis=1), 0)"
_LAST = "last = np.where(running, log_p.argmax(axis=1), stop)"
_PUT = "tokens[:, t] = last"
_RUN = "running = running & (last != stop)"
_OUTCOME = "return tokens, scores"

GREEDY_MISTAKES = (
    Mistake("goes on after STOP", "a sentence goes on after its STOP. From there on every token is STOP.",
            ((_LAST, "last = log_p.argmax(axis=1)"),)),
    Mistake("score goes on after STOP", "the score goes on growing after STOP.",
            ((_ADD, "scores = scores + log_p.max(axis=1)"),)),
    Mistake("STOP not scored", "the log-probability of STOP itself is not counted. To stop is a choice like any other.",
            ((_ADD, "scores = scores + np.where(running & (log_p.argmax(axis=1) != stop), log_p.max(axis=1), 0)"),)),
    Mistake("all end with the first", "all sentences end as soon as one of them does. Each ends by itself.",
            ((_RUN, f"{_RUN}\n        running = running & running.all()"),)),
    Mistake("START repeated", "every step is given START; it has to be given the token chosen in the step before.",
            ((_CALL, "log_p, state = step(np.full(B, start), state)"),)),
    Mistake("state not carried", "every step is given the first state; the new one has to be carried along.",
            ((_CALL, "log_p, _ = step(last, state)"),)),
    Mistake("least probable", "the least probable token is taken.",
            ((_ADD, _ADD.replace("max", "min")), (_LAST, _LAST.replace("argmax", "argmin")))),
    Mistake("START returned", "START is returned as the first token, and so the last one is missing.",
            ((_PUT, "tokens[:, t] = start if t == 0 else before\n        before = last"),)),
    Mistake("one token short", "the loop ends one step before the limit.",
            (("range(limit)", "range(limit - 1)"),)),
    Mistake("STOP forced at the limit", "a sentence that has not ended at the limit is given a STOP that it never "
            "said.",
            ((_OUTCOME, "tokens[:, -1] = stop\n    return tokens, scores"),)),
    Mistake("zeros after the end", "the places after the end are 0. They should be STOP.",
            (("np.full((B, limit), stop)", "np.zeros((B, limit), dtype=int)"),
             (_PUT, "tokens[:, t] = np.where(running, last, 0)"))),
    Mistake("last score only", "the score is that of the last token alone. The log-probabilities of all tokens add up.",
            ((_ADD, "scores = np.where(running, log_p.max(axis=1), scores)"),)),
    Mistake("mean", "the score is divided by the number of steps. The sum is asked for.",
            ((_OUTCOME, "return tokens, scores / limit"),)),
    Mistake("normalised", "the score is divided by the length of the sentence. Here the sum is asked for.",
            ((_OUTCOME, "return tokens, scores / np.minimum((tokens != stop).sum(axis=1) + 1, limit)"),)),
    Mistake("probabilities added", "probabilities are added up. They multiply, and their logarithms add up.",
            ((_ADD, _ADD.replace("log_p.max", "np.exp(log_p).max")),)),
    Mistake("probability", "the score is a probability; its logarithm is asked for.",
            ((_OUTCOME, "return tokens, np.exp(scores)"),)),
    Mistake("over the batch", "the largest log-probability is looked for over the batch instead of over the tokens.",
            ((_ADD, _ADD.replace("log_p.max(axis=1)", "log_p.max(axis=0)[:B]")),
             (_LAST, _LAST.replace("log_p.argmax(axis=1)", "log_p.argmax(axis=0)[:B]")))),
    Mistake("last of equals", "of equally probable tokens the last one is taken. Take the one with the smallest index.",
            ((_LAST, _LAST.replace("log_p.argmax(axis=1)", "log_p.shape[1] - 1 - log_p[:, ::-1].argmax(axis=1)")),)),
    Mistake("steps first", "the steps are the first axis of the tokens. The batch comes first: (B, limit).",
            ((_OUTCOME, "return tokens.T, scores"),)),
    Mistake("floats", "the tokens are floating-point numbers; they are indices.",
            (("np.full((B, limit), stop)", "np.full((B, limit), float(stop))"),)),
    Mistake("cut at the longest", "the tokens end with the longest sentence. There are `limit` of them, STOP at the "
            "rest.",
            ((_OUTCOME, "return tokens[:, : (tokens != stop).any(axis=0).sum() + 1], scores"),)),
)  # fmt: skip

_TOTAL = "total = scores[:, None] + log_p"
_BEST = 'best = np.argsort(-total, axis=None, kind="stable")[: beam - len(ended)]'
_PICK = "scores, state = total.flat[best], state[parent]"
_PATHS = "paths = [[*paths[p], token] for p, token in zip(parent, last, strict=True)]"
_ENDED = "ended += [(paths[n], scores[n]) for n in np.flatnonzero(last == stop)]"
_DONE = "if len(going) == 0:"
_FOUND = "found = ended or list(zip(paths, scores, strict=True))"
_RANK = "ranked = [(score / len(path) ** power, path) for path, score in found]"
_MAX = "score, path = max(ranked, key=lambda pair: pair[0])"
_GIVE = "return np.array(path), score"

BEAM_MISTAKES = (
    Mistake("not normalised", "the hypotheses are compared by their plain score. Longer ones then always lose, because "
            "every token makes a score smaller.", ((_RANK, "ranked = [(score, path) for path, score in found]"),)),
    Mistake("chosen by the plain score", "the hypothesis is chosen by its plain score, and only the number returned is "
            "normalised.", ((_RANK, "ranked = [(score, path) for path, score in found]"),
             (_GIVE, "return np.array(path), score / len(path) ** power"))),
    Mistake("plain score returned", "the hypothesis is chosen by its normalised score, but the plain one is returned.",
            ((_GIVE, "return np.array(path), score * len(path) ** power"),)),
    Mistake("STOP not in the length", "STOP is not counted in the length. Its log-probability is part of the score, "
            "so it is part of the length.",
            ((_RANK, "ranked = [(score / max(len(path) - 1, 1) ** power, path) for path, score in found]"),)),
    Mistake("power as a factor", "the length is multiplied by the power; it has to be raised to it.",
            ((_RANK, "ranked = [(score / (len(path) * power or 1), path) for path, score in found]"),)),
    Mistake("power ignored", "the score is divided by the length whatever the power is.",
            ((_RANK, "ranked = [(score / len(path), path) for path, score in found]"),)),
    Mistake("longer is worse", "the score is multiplied by the length term. A log-probability is negative: that makes "
            "long hypotheses still worse.",
            ((_RANK, "ranked = [(score * len(path) ** power, path) for path, score in found]"),)),
    Mistake("states not reordered", "the states stay in their rows although the hypotheses change places. A "
            "continuation has to take the state of the hypothesis that it continues.",
            ((_PICK, "scores, state = total.flat[best], np.resize(state, (len(best), state.shape[1]))"),)),
    Mistake("one state for all", "every continuation takes the state of the best hypothesis.",
            ((_PICK, "scores, state = total.flat[best], state[parent * 0]"),)),
    Mistake("paths not reordered", "the tokens before are taken from the hypothesis in the same row, not from the one "
            "that is continued.",
            ((_PATHS, "paths = [[*paths[min(n, len(paths) - 1)], token] for n, token in enumerate(last)]"),)),
    Mistake("past forgotten", "continuations are ranked by their last token alone. The score of what comes before has "
            "to be added.", ((_TOTAL, "total = 0 * scores[:, None] + log_p"), (_PICK, "scores, state = (scores[:, "
            "None] + log_p).flat[best], state[parent]"))),
    Mistake("past not in the score", "the score of what comes before is not added: in the end the score is that of the "
            "last token.", ((_TOTAL, "total = 0 * scores[:, None] + log_p"),)),
    Mistake("best of each", "each hypothesis is continued by its own best token. All continuations of all hypotheses "
            "compete for the places.",
            ((_BEST, "many = beam if len(total) == 1 else 1\n        own = [n * total.shape[1] + np.argsort(-row, "
              'kind="stable")[:many] for n, row in enumerate(total)]\n        '
              "best = np.concatenate(own)[: beam - len(ended)]"),)),
    Mistake("greedy", "this is the greedy search. Either only the best continuation is kept, or the search begins with "
            "a beam full of copies of START: they stay copies, and the beam finds nothing that one of them would not.",
            ((_BEST, 'best = np.argsort(-total, axis=None, kind="stable")[:1]'),)),
    Mistake("ended ones free their place", "a hypothesis that has ended gives its place to another one, so that the "
            "beam never gets narrower. Here it keeps its place.",
            ((_BEST, 'best = np.argsort(-total, axis=None, kind="stable")[:beam]'),)),
    Mistake("STOP continued", "a hypothesis goes on after its STOP.",
            (("going = np.flatnonzero(last != stop)", "going = np.arange(len(last))"),
             (_DONE, "if len(ended) >= beam:"))),
    Mistake("first end wins", "the search ends with the first hypothesis that ends. Others may still end better.",
            ((_DONE, "if ended:"),)),
    Mistake("last found returned", "the hypothesis that ended last is returned, not the best one.",
            ((_MAX, "score, path = ranked[-1]"),)),
    Mistake("worst returned", "the hypothesis with the lowest score is returned.",
            ((_MAX, _MAX.replace("max", "min")),)),
    Mistake("unfinished compete", "hypotheses that have not ended at the limit compete with those that have. They "
            "count only if none has ended.",
            ((_FOUND, "found = ended + list(zip(paths, scores, strict=True))"),)),
    Mistake("STOP forced at the limit", "what has not ended at the limit is given a STOP that it never said.",
            ((_GIVE, "return np.array(path if path[-1] == stop else [*path, stop]), score"),)),
    Mistake("STOP left out", "STOP is missing at the end of the tokens.",
            ((_GIVE, "return np.array([token for token in path if token != stop], dtype=int), score"),)),
    Mistake("START returned", "START stands before the tokens.",
            ((_GIVE, "return np.array([start, *path]), score"),)),
    Mistake("one step too few", "the search ends one step before the limit.", (("range(limit)", "range(limit - 1)"),)),
    Mistake("one step too many", "the search goes one step beyond the limit.", (("range(limit)", "range(limit + 1)"),)),
    Mistake("worst kept", "the worst continuations are kept: `argsort` sorts from small to large.",
            ((_BEST, 'best = np.argsort(total, axis=None, kind="stable")[: beam - len(ended)]'),)),
    Mistake("last of equals", "of equally good continuations the last ones are kept. Keep those of the earlier "
            "hypothesis, and of one hypothesis those with the smaller token.",
            ((_BEST, 'best = np.argsort(total, axis=None, kind="stable")[::-1][: beam - len(ended)]'),)),
    Mistake("probability returned", "a probability is returned; the normalised score is a sum of logarithms.",
            ((_GIVE, "return np.array(path), np.exp(score)"),)),
    Mistake("probabilities added", "probabilities are added up. They multiply, and their logarithms add up.",
            ((_TOTAL, "total = scores[:, None] + np.exp(log_p)"),)),
)  # fmt: skip


def _hand(name, sentence, numbers):
    return Mistake(name, sentence, (("[4, 3, 1, 10]", numbers),))


HAND_MISTAKES = (
    _hand("STOP costs nothing", "STOP is not counted. It has a probability like every token.", "[3, 2, 1, 10]"),
    _hand("STOP not in the length", "STOP is not counted in the length of a sentence, although its bits are.",
          "[4, 3, 4 / 3, 10]"),
    _hand("greedy is best", "the greedy sentence is taken for the most probable one. The beam finds another.",
          "[4, 4, 1, 10]"),
    _hand("length does not matter", "the beam of question 3 returns the same sentence as that of question 2. Its bits "
          "per token are more than those of the longer one.", "[4, 3, 1.5, 10]"),
    _hand("bits of the whole", "the bits of the whole sentence are given in question 3. Asked are bits per token.",
          "[4, 3, 4, 10]"),
    _hand("all hypotheses continued", "in question 4 all five first tokens are continued. A beam of 2 continues two.",
          "[4, 3, 1, 25]"),
    _hand("two continuations each", "in question 4 each hypothesis has two continuations. Every token may follow, and "
          "all compete.", "[4, 3, 1, 4]"),
    _hand("one hypothesis continued", "in question 4 only one hypothesis is continued.", "[4, 3, 1, 5]"),
    _hand("probabilities", "probabilities are given; asked are bits, the number of halvings.",
          "[1 / 16, 1 / 8, 1, 10]"),
    _hand("log-probabilities", "the numbers are negative, as log-probabilities are. Bits are counted positive.",
          "[-4, -3, -1, 10]"),
    _hand("bits per step for greedy", "the mean bits of a token are given in question 1. Asked is the sum.",
          "[1, 3, 1, 10]"),
)  # fmt: skip

# --- Variants -------------------------------------------------------------------------------------------------

ENCODE_VARIANTS = (
    Variant("all states, then the last real one", """\
def encode(x, U, W, b, mask):
    h, states = np.zeros((x.shape[0], W.shape[0]), x.dtype), []
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ U + h @ W + b)
        states.append(h)
    return np.stack(states, axis=1)[np.arange(len(x)), mask.sum(axis=1) - 1]"""),
    Variant("one sentence at a time", """\
def encode(x, U, W, b, mask):
    C = np.zeros((len(x), len(b)), dtype=x.dtype)
    for n, length in enumerate(mask.sum(axis=1)):
        for t in range(length):
            C[n] = np.tanh(x[n, t] @ U + C[n] @ W + b)
    return C"""),
    Variant("all inputs at once", """\
def encode(x, U, W, b, mask):
    z = x @ U + b
    h = np.zeros_like(z[:, 0])
    for z_t, m in zip(z.swapaxes(0, 1), mask.T):
        h = m[:, None] * np.tanh(z_t + h @ W) + ~m[:, None] * h
    return h"""),
    Variant("only rows that are real", """\
def encode(x, U, W, b, mask):
    h = np.zeros((len(x), len(b))).astype(x.dtype)
    for t in range(mask.shape[1]):
        real = mask[:, t]
        h[real] = np.tanh(np.dot(x[real, t], U) + np.dot(h[real], W) + b)
    return h"""),
    Variant("einsum", """\
def encode(x, U, W, b, mask):
    h = 0 * x[:, 0, :1] + 0 * b
    for t in range(x.shape[1]):
        new = np.tanh(np.einsum("bd,dh->bh", x[:, t], U) + np.einsum("bg,gh->bh", h, W) + b)
        h = np.where(mask[:, t].reshape(-1, 1), new, h)
    return h"""),
    Variant("PyTorch inside", """\
import torch
def encode(x, U, W, b, mask):
    x, U, W, b, mask = (torch.tensor(a) for a in (x, U, W, b, mask))
    h = torch.zeros(len(x), len(b), dtype=x.dtype)
    for t in range(x.shape[1]):
        h = torch.where(mask[:, t, None], torch.tanh(x[:, t] @ U + h @ W + b), h)
    return h.numpy()"""),
)  # fmt: skip

TEACHER_VARIANTS = (
    Variant("concatenate", """\
def teacher_inputs(targets, start):
    first = np.full_like(targets[:, :1], start)
    return np.concatenate([first, targets[:, :-1]], axis=1)"""),
    Variant("roll", """\
def teacher_inputs(targets, start):
    inputs = np.roll(targets, 1, axis=1)
    inputs[:, 0] = start
    return inputs"""),
    Variant("pad", """\
def teacher_inputs(targets, start):
    return np.pad(targets, [(0, 0), (1, 0)], constant_values=start)[:, :-1]"""),
    Variant("row by row", """\
def teacher_inputs(targets, start):
    return np.array([[start, *row[:-1]] for row in targets.tolist()], dtype=targets.dtype)"""),
    Variant("token by token", """\
def teacher_inputs(targets, start):
    inputs = targets.copy()
    for t in range(targets.shape[1]):
        inputs[:, t] = targets[:, t - 1] if t else start
    return inputs"""),
    Variant("insert", """\
def teacher_inputs(targets, start):
    return np.insert(targets, 0, start, axis=1)[:, : targets.shape[1]]"""),
)  # fmt: skip

DECODER_VARIANTS = (
    Variant("logaddexp", """\
def decoder_step(token, s, C, E, U, K, W, b, V, c):
    s = np.tanh(E[token] @ U + C @ K + s @ W + b)
    a = s @ V + c
    return a - np.logaddexp.reduce(a, axis=1)[:, None], s"""),
    Variant("one product", """\
def decoder_step(token, s, C, E, U, K, W, b, V, c):
    state = np.tanh(np.hstack([E[token], C, s]) @ np.vstack([U, K, W]) + b)
    logits = state @ V + c
    m = logits.max(axis=-1)[:, None]
    return logits - (m + np.log(np.exp(logits - m).sum(-1)[:, None])), state"""),
    Variant("embedding after the product", """\
def decoder_step(token, s, C, E, U, K, W, b, V, c):
    new = np.tanh((E @ U)[token] + C @ K + s @ W + b)
    a = new @ V + c
    a -= a.max(1, keepdims=True)
    a -= np.log(np.sum(np.exp(a), 1, keepdims=True))
    return [a, new]"""),
    Variant("one sentence at a time", """\
def decoder_step(token, s, C, E, U, K, W, b, V, c):
    log_p, states = [], []
    for y, state, context in zip(token, s, C):
        state = np.tanh(E[y] @ U + context @ K + state @ W + b)
        a = state @ V + c
        top = max(a)
        log_p.append(a - top - np.log(np.sum(np.exp(a - top))))
        states.append(state)
    return np.array(log_p), np.array(states)"""),
    Variant("one-hot", """\
def decoder_step(token, s, C, E, U, K, W, b, V, c):
    y = np.eye(len(E), dtype=E.dtype)[token]
    z = np.einsum("bo,od,dh->bh", y, E, U) + np.einsum("bg,gh->bh", C, K) + np.einsum("bg,gh->bh", s, W) + b
    h = np.tanh(z)
    a = h @ V + c - np.max(h @ V + c, axis=1, keepdims=True)
    return a - np.log(np.exp(a).sum(axis=1, keepdims=True)), h"""),
    Variant("PyTorch inside", """\
import torch
def decoder_step(token, s, C, E, U, K, W, b, V, c):
    token, s, C, E, U, K, W, b, V, c = (torch.tensor(a) for a in (token, s, C, E, U, K, W, b, V, c))
    s = torch.tanh(E[token] @ U + C @ K + s @ W + b)
    return torch.log_softmax(s @ V + c, dim=1).numpy(), s.numpy()"""),
)  # fmt: skip

LOSS_VARIANTS = (
    Variant("take_along_axis", """\
def sequence_loss(log_p, targets, mask):
    right = np.take_along_axis(log_p, targets[:, :, None], axis=2)[:, :, 0]
    return -np.mean(right[mask])"""),
    Variant("real tokens first", """\
def sequence_loss(log_p, targets, mask):
    rows, real = log_p[mask], targets[mask]
    return -rows[np.arange(len(real)), real].sum() / rows.dtype.type(len(real))"""),
    Variant("loops", """\
def sequence_loss(log_p, targets, mask):
    losses = []
    for n in range(len(targets)):
        for t in range(targets.shape[1]):
            if mask[n, t]:
                losses.append(-log_p[n, t, targets[n, t]])
    return np.mean(np.array(losses))"""),
    Variant("where", """\
def sequence_loss(log_p, targets, mask):
    B, T, _ = log_p.shape
    losses = -log_p.reshape(B * T, -1)[np.arange(B * T), targets.ravel()]
    return np.where(mask.ravel(), losses, 0).sum() / mask.sum().astype(log_p.dtype)"""),
    Variant("a Python number", """\
def sequence_loss(log_p, targets, mask):
    total, count = 0.0, 0
    for n, t in zip(*np.nonzero(mask)):
        total -= float(log_p[n, t, targets[n, t]])
        count += 1
    return total / count"""),
    Variant("PyTorch inside", """\
import torch
def sequence_loss(log_p, targets, mask):
    log_p, targets, mask = torch.tensor(log_p), torch.tensor(targets), torch.tensor(mask)
    return torch.nn.functional.nll_loss(log_p[mask], targets[mask]).numpy()"""),
)  # fmt: skip

GREEDY_VARIANTS = (
    Variant("ends early", """\
def greedy_decode(step, state, start, stop, limit):
    B = state.shape[0]
    tokens = np.full((B, limit), stop)
    scores = np.zeros(B)
    last = np.array([start] * B)
    ended = np.zeros(B, dtype=bool)
    for t in range(limit):
        log_p, state = step(last, state)
        last = np.argmax(log_p, axis=1)
        last[ended] = stop
        scores += log_p[np.arange(B), last] * ~ended
        tokens[:, t] = last
        ended |= last == stop
        if ended.all():
            break
    return tokens, scores"""),
    Variant("one sentence at a time", """\
def greedy_decode(step, state, start, stop, limit):
    rows, scores = [], []
    for n in range(len(state)):
        token, s, row, score = start, state[n : n + 1], [], 0.0
        while len(row) < limit and token != stop:
            log_p, s = step(np.array([token]), s)
            token = int(np.argmax(log_p[0]))
            score += log_p[0, token]
            row.append(token)
        rows.append(row + [stop] * (limit - len(row)))
        scores.append(score)
    return np.array(rows), np.array(scores)"""),
    Variant("lists", """\
def greedy_decode(step, state, start, stop, limit):
    columns, score, last = [], 0, np.full(len(state), start)
    for _ in range(limit):
        log_p, state = step(last, state)
        alive = np.all([column != stop for column in columns], axis=0) if columns else np.ones(len(state), bool)
        last = np.where(alive, np.argmax(log_p, axis=1), stop)
        score = score + np.where(alive, np.max(log_p, axis=1), 0.0)
        columns.append(last)
    return np.stack(columns, axis=1), score"""),
    Variant("all steps, cut afterwards", """\
def greedy_decode(step, state, start, stop, limit):
    last, tokens, chosen = np.full(len(state), start), [], []
    for _ in range(limit):
        log_p, state = step(last, state)
        last = log_p.argmax(axis=1)
        tokens.append(last)
        chosen.append(log_p.max(axis=1))
    tokens, chosen = np.array(tokens).T, np.array(chosen).T
    is_stop = tokens == stop
    after = is_stop.cumsum(axis=1) - is_stop > 0
    return np.where(after, stop, tokens), np.where(after, 0, chosen).sum(axis=1)"""),
    Variant("only sentences that run", """\
def greedy_decode(step, state, start, stop, limit):
    tokens, scores = np.full((len(state), limit), stop), np.zeros(len(state))
    rows, last = np.arange(len(state)), np.full(len(state), start)
    for t in range(limit):
        if len(rows) == 0:
            break
        log_p, state = step(last, state)
        last = log_p.argmax(axis=1)
        tokens[rows, t] = last
        scores[rows] += log_p[np.arange(len(rows)), last]
        on = last != stop
        rows, last, state = rows[on], last[on], state[on]
    return tokens, scores"""),
)  # fmt: skip

BEAM_VARIANTS = (
    Variant("lists and sorting", """\
def beam_search(step, state, start, stop, limit, beam, power):
    live, ended = [(0.0, [], state[0])], []
    for _ in range(limit):
        if not live:
            break
        last = np.array([path[-1] if path else start for _, path, _ in live])
        log_p, states = step(last, np.stack([s for _, _, s in live]))
        candidates = []
        for (score, path, _), row, s in zip(live, log_p, states):
            candidates += [(score + p, [*path, y], s) for y, p in enumerate(row)]
        candidates = sorted(candidates, key=lambda c: -c[0])[: beam - len(ended)]
        ended += [c for c in candidates if c[1][-1] == stop]
        live = [c for c in candidates if c[1][-1] != stop]
    score, path, _ = max(ended or live, key=lambda c: c[0] / len(c[1]) ** power)
    return np.array(path), score / len(path) ** power"""),
    Variant("one hypothesis at a time", """\
def beam_search(step, state, start, stop, limit, beam, power):
    live, ended = [((), 0.0, state)], []
    for _ in range(limit):
        grown = []
        for path, score, s in live:
            log_p, s_new = step(np.array([path[-1] if path else start]), s)
            grown += [(path + (y,), score + p, s_new) for y, p in enumerate(log_p[0])]
        order = np.argsort([-score for _, score, _ in grown], kind="stable")
        chosen = [grown[i] for i in order[: beam - len(ended)]]
        ended += [h for h in chosen if h[0][-1] == stop]
        live = [h for h in chosen if h[0][-1] != stop]
        if not live:
            break
    normalised = [(h[1] / len(h[0]) ** power, h[0]) for h in (ended if ended else live)]
    best = normalised[int(np.argmax([score for score, _ in normalised]))]
    return np.array(best[1]), best[0]"""),
    Variant("a matrix of paths", """\
def beam_search(step, state, start, stop, limit, beam, power):
    paths, scores, places, best = np.zeros((1, 0), dtype=int), np.zeros(1), beam, None
    last = np.full(1, start)
    for t in range(1, limit + 1):
        log_p, state = step(last, state)
        O = log_p.shape[1]
        total = (scores.reshape(-1, 1) + log_p).ravel()
        chosen = np.lexsort((np.arange(len(total)), -total))[:places]
        parent, last = chosen // O, chosen % O
        paths, scores, state = np.column_stack([paths[parent], last]), total[chosen], state[parent]
        for path, score in zip(paths[last == stop], scores[last == stop] / t**power):
            places -= 1
            best = (path, score) if best is None or score > best[1] else best
        on = last != stop
        paths, scores, state, last = paths[on], scores[on], state[on], last[on]
        if not on.any():
            break
    return best if best is not None else (paths[0], scores[0] / limit**power)"""),
    Variant("recursive", """\
def beam_search(step, state, start, stop, limit, beam, power):
    def grow(live, states, ended, left):
        if not live or left == 0:
            return ended or live
        log_p, states = step(np.array([path[-1] if path else start for path, _ in live]), states)
        options = []
        for n, (path, score) in enumerate(live):
            options += [(path + [y], score + p, n) for y, p in enumerate(log_p[n])]
        options.sort(key=lambda option: option[1], reverse=True)
        options = options[: beam - len(ended)]
        ended = ended + [(path, score) for path, score, _ in options if path[-1] == stop]
        going = [option for option in options if option[0][-1] != stop]
        rows = [n for *_, n in going]
        return grow([(path, score) for path, score, _ in going], states[rows] if rows else None, ended, left - 1)
    value = lambda h: h[1] / len(h[0]) ** power
    best = max(grow([([], 0.0)], state, [], limit), key=value)
    return np.array(best[0]), value(best)"""),
    Variant("heapq", """\
import heapq
def beam_search(step, state, start, stop, limit, beam, power):
    last, scores, paths, ended = np.array([start]), np.zeros(1), [[]], []
    while len(last) and len(paths[0]) < limit:
        log_p, state = step(last, state)
        total = scores[:, np.newaxis] + log_p
        places = [(n, y) for n in range(total.shape[0]) for y in range(total.shape[1])]
        top = heapq.nlargest(beam - len(ended), places, key=lambda place: total[place])
        new = [(paths[n] + [y], total[n, y], state[n]) for n, y in top]
        ended.extend((path, score) for path, score, _ in new if path[-1] == stop)
        new = [hypothesis for hypothesis in new if hypothesis[0][-1] != stop]
        if not new:
            break
        paths, scores = [path for path, *_ in new], np.array([score for _, score, _ in new])
        last, state = np.array([path[-1] for path in paths]), np.array([s for *_, s in new])
    best = max(ended or zip(paths, scores), key=lambda pair: pair[1] / len(pair[0]) ** power)
    return np.array(best[0]), float(best[1]) / len(best[0]) ** power"""),
)  # fmt: skip

HAND_VARIANTS = (
    Variant("floats", "beam_by_hand = [4.0, 3.0, 1.0, 10.0]"),
    Variant("tuple", "beam_by_hand = (4, 3, 1, 10)"),
    Variant("array", "beam_by_hand = np.array([4, 3, 1, 10])"),
    Variant("by logarithms", "beam_by_hand = [-np.log2(0.5**4), -np.log2(0.25 * 0.5), -np.log2(0.5**4) / 4, 2 * 5]"),
    Variant("by sums", "beam_by_hand = [1 + 1 + 1 + 1, 2 + 1, (1 + 1 + 1 + 1) / 4, 5 + 5]"),
)  # fmt: skip

# --- The exercise ---------------------------------------------------------------------------------------------

_source = inspect.getsource
_NUMBER_OF_STEPS = ("example", "step")

ENCODE = Task("encode", _source(encode), (("the context", ("example", "unit")),), _encode_cases,
              ENCODE_MISTAKES, ENCODE_VARIANTS)  # fmt: skip
TEACHER = Task("teacher_inputs", _source(teacher_inputs), (("inputs", _NUMBER_OF_STEPS),), _teacher_cases,
               TEACHER_MISTAKES, TEACHER_VARIANTS)  # fmt: skip
DECODER = Task("decoder_step", _source(decoder_step),
               (("log_p", ("example", "token")), ("s_new", ("example", "unit"))), _step_cases,
               DECODER_MISTAKES, DECODER_VARIANTS)  # fmt: skip
LOSS = Task("sequence_loss", _source(sequence_loss), (("the loss", ()),), _loss_cases, LOSS_MISTAKES, LOSS_VARIANTS)
GREEDY = Task("greedy_decode", _source(greedy_decode), (("tokens", _NUMBER_OF_STEPS), ("scores", ("example",))),
              _greedy_cases, GREEDY_MISTAKES, GREEDY_VARIANTS)  # fmt: skip
BEAM = Task("beam_search", _source(beam_search), (("tokens", ("step",)), ("the score", ())), _beam_cases,
            BEAM_MISTAKES, BEAM_VARIANTS)  # fmt: skip
HAND = Task("beam_by_hand", BEAM_BY_HAND, (("beam_by_hand", ("index",)),), None, HAND_MISTAKES, HAND_VARIANTS)

TASKS = (ENCODE, TEACHER, DECODER, LOSS, GREEDY, BEAM, HAND)
check = diagnose.checker(*TASKS)
