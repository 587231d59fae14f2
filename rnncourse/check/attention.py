"""The tasks of the exercise `attention`: right answers, the mistakes people make, other right ways."""

import inspect

import numpy as np

from rnncourse.check import diagnose
from rnncourse.check.task import Mistake, Task, Variant

# --- Right answers: exactly what stands in the answer cells of solutions/attention ----------------------------


def masked_softmax(scores, mask):
    """Softmax over the last axis, real places only: scores, mask (..., S) -> weights (..., S)."""
    real = np.where(mask, scores, -np.inf)
    top = real.max(axis=-1, keepdims=True, initial=np.finfo(scores.dtype).min)
    e = np.exp(real - top)
    total = e.sum(axis=-1, keepdims=True)
    return e / np.where(total > 0, total, 1)  # (attention-weights)


LOOKUP_BY_HAND = "lookup_by_hand = [1 / 8, 1 / 4, 5 / 8, 5, 40 / 3, 3 / 8, 11 / 4, -25 / 8, 12 / 5]"


def dot_attention(query, keys, values, mask):
    """query (B, K), keys (B, S, K), values (B, S, V), mask (B, S) -> context (B, V), weights (B, S)."""
    scores = np.einsum("bk,bsk->bs", query, keys) / query.shape[1] ** 0.5  # (dot-score)
    weights = masked_softmax(scores, mask)
    context = np.einsum("bs,bsv->bv", weights, values)  # (context)
    return context, weights


def additive_attention(query, keys, W_q, W_k, b, w, mask):
    """query (B, Q), keys (B, S, K), W_q (Q, A), W_k (K, A), b, w (A,), mask (B, S) -> context, weights."""
    hidden = np.tanh((query @ W_q)[:, None] + keys @ W_k + b)
    weights = masked_softmax(hidden @ w, mask)  # (additive-score)
    context = np.einsum("bs,bsk->bk", weights, keys)  # (context)
    return context, weights


def attention_backward(d_context, query, keys, values, weights):
    """Back through dot_attention: d_context (B, V) -> d_query (B, K), d_keys (B, S, K), d_values (B, S, V)."""
    d_values = weights[:, :, None] * d_context[:, None]  # (value-gradient)
    d_weights = np.einsum("bv,bsv->bs", d_context, values)
    mean = (weights * d_weights).sum(axis=1, keepdims=True)
    d_scores = weights * (d_weights - mean)  # (score-gradient)
    d_scores = d_scores / query.shape[1] ** 0.5
    d_query = np.einsum("bs,bsk->bk", d_scores, keys)  # (query-gradient)
    d_keys = d_scores[:, :, None] * query[:, None]
    return d_query, d_keys, d_values


def decoder_step(y, h, keys, mask, U, C, W, b, V, b_o):
    """y (B, E), h (B, H), keys (B, S, H), mask (B, S) -> logits (B, O), the new state (B, H), weights (B, S)."""
    context, weights = dot_attention(h, keys, keys, mask)
    h_new = np.tanh(y @ U + context @ C + h @ W + b)  # (attentive-state)
    logits = np.concatenate([h_new, context], axis=1) @ V + b_o  # (attentive-output)
    return logits, h_new, weights


def self_attention(x, W_q, W_k, W_v, mask):
    """x (B, T, D), W_q, W_k (D, K), W_v (D, V), mask (B, T) -> outputs (B, T, V); no step reads a later one."""
    T, K = x.shape[1], W_q.shape[1]
    query, keys, values = x @ W_q, x @ W_k, x @ W_v
    scores = query @ keys.swapaxes(1, 2) / K**0.5
    seen = np.tri(T, dtype=bool) & mask[:, None]
    return masked_softmax(scores, seen) @ values  # (self-attention)


# --- Inputs that the visible check tries ----------------------------------------------------------------------


def _normal(seed, dtype, *shapes):
    rng = np.random.default_rng(seed)
    return tuple(rng.normal(size=shape).astype(dtype) for shape in shapes)


def _mask(rows):
    return np.array(rows, dtype=bool)


GAPS = _mask([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 0, 1, 1, 1], [1, 0, 1, 1, 0]])
ENDS = _mask([[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 1, 1]])
WHOLE = _mask([[1, 1, 1], [1, 1, 1]])


def _softmax_cases():
    flat, large, single = _normal(0, np.float64, (1, 4, 5), (2, 3, 4), (3, 3, 2))
    large_mask = np.stack([ENDS, _mask([[0, 1, 1, 1], [0, 0, 0, 0], [1, 0, 0, 1]])])
    large[0, 0, :3] = 1000.0, 1001.0, 999.0
    large[0, 1, 3] = 3000.0  # at padding: neither it nor its exponential may count
    single_mask = _mask([[[1, 1], [1, 0], [0, 1]]] * 3)
    return [
        {"scores": 2 * flat, "mask": GAPS[None].copy()},
        {"scores": 2 * large, "mask": large_mask},
        {"scores": 2 * single.astype(np.float32), "mask": single_mask},
    ]


def _dot_case(seed, mask, K, V, dtype=np.float64):
    query, keys, values = _normal(seed, dtype, (len(mask), K), (*mask.shape, K), (*mask.shape, V))
    return {"query": 2 * query, "keys": keys, "values": values, "mask": mask.copy()}


def _dot_cases():
    return [
        _dot_case(10, GAPS, K=3, V=2),
        _dot_case(11, ENDS, K=4, V=4),
        _dot_case(12, WHOLE, K=2, V=3, dtype=np.float32),
    ]


def _additive_case(seed, mask, Q, K, A, dtype=np.float64):
    query, keys, W_q, W_k, b, w = _normal(seed, dtype, (len(mask), Q), (*mask.shape, K), (Q, A), (K, A), (A,), (A,))
    return {"query": query, "keys": keys, "W_q": W_q, "W_k": W_k, "b": b, "w": 2 * w, "mask": mask.copy()}


def _additive_cases():
    return [
        _additive_case(20, GAPS, Q=2, K=3, A=4),
        _additive_case(21, ENDS, Q=3, K=3, A=3),
        _additive_case(22, WHOLE, Q=3, K=2, A=2, dtype=np.float32),
    ]


def _backward_case(seed, mask, K, V, dtype=np.float64):
    case = _dot_case(seed, mask, K, V, dtype)
    [d_context] = _normal(seed + 1, dtype, (len(mask), V))
    _, weights = dot_attention(**case)
    return {"d_context": d_context} | {name: case[name] for name in ("query", "keys", "values")} | {"weights": weights}


def _backward_cases():
    return [
        _backward_case(30, GAPS, K=3, V=2),
        _backward_case(32, ENDS, K=4, V=4),
        _backward_case(34, WHOLE, K=2, V=3, dtype=np.float32),
    ]


def _step_case(seed, mask, E, H, O, dtype=np.float64):
    B, S = mask.shape
    shapes = {"y": (B, E), "h": (B, H), "keys": (B, S, H), "mask": None, "U": (E, H), "C": (H, H), "W": (H, H),
              "b": (H,), "V": (2 * H, O), "b_o": (O,)}  # fmt: skip
    drawn = iter(_normal(seed, dtype, *(shape for shape in shapes.values() if shape)))
    return {name: next(drawn) if shape else mask.copy() for name, shape in shapes.items()}


def _step_cases():
    return [
        _step_case(40, GAPS, E=2, H=3, O=4),
        _step_case(41, ENDS, E=3, H=3, O=3),
        _step_case(42, WHOLE, E=4, H=2, O=3, dtype=np.float32),
    ]


def _self_case(seed, mask, D, K, V, dtype=np.float64):
    x, W_q, W_k, W_v = _normal(seed, dtype, (*mask.shape, D), (D, K), (D, K), (D, V))
    return {"x": x, "W_q": W_q, "W_k": W_k, "W_v": W_v, "mask": mask.copy()}


def _self_cases():
    return [
        _self_case(50, GAPS, D=3, K=2, V=4),
        _self_case(51, ENDS, D=3, K=3, V=3),
        _self_case(52, _mask([[1, 1, 1, 1], [1, 1, 1, 0]]), D=2, K=3, V=2, dtype=np.float32),
    ]


# --- Mistakes -------------------------------------------------------------------------------------------------

_REAL = "real = np.where(mask, scores, -np.inf)"
_TOP = "top = real.max(axis=-1, keepdims=True, initial=np.finfo(scores.dtype).min)"
_EXP = "e = np.exp(real - top)"
_TOTAL = "total = e.sum(axis=-1, keepdims=True)"
_SHARE = "return e / np.where(total > 0, total, 1)"

SOFTMAX_MISTAKES = (
    Mistake("mask ignored", "the mask is ignored: padding gets weight too.", ((_REAL, "real = scores"),)),
    Mistake("mask inverted", "the mask is read the wrong way round. It is True at real places.",
            ((_REAL, "real = np.where(mask, -np.inf, scores)"),)),
    Mistake("score 0 at padding", "the scores of padding are set to 0. A score of 0 is as good as any other: e to "
            "the 0 is 1.", ((_REAL, "real = np.where(mask, scores, 0)"),)),
    Mistake("score -10 at padding", "padding gets the score -10, which real scores can also have. Its weight has to "
            "be exactly 0, whatever the others are.", ((_REAL, "real = np.where(mask, scores, -10)"),)),
    Mistake("large negative score at padding", "padding gets a large negative score. That works as long as a row has "
            "a real place; where it has none, all places are equally bad, and padding shares the weight.",
            ((_REAL, "real = np.where(mask, scores, -1e9).astype(scores.dtype)"),)),
    Mistake("masked afterwards", "the softmax is taken over all places and the weights of padding are set to 0 "
            "afterwards. The rest then adds up to less than 1.",
            ((_REAL, "real = scores"), (_SHARE, "return np.where(mask, e / np.where(total > 0, total, 1), 0)"))),
    Mistake("largest of all scores", "the largest score is looked for among all places. Where padding holds a score "
            "far above the real ones, their exponentials all become 0.",
            ((_TOP, "top = scores.max(axis=-1, keepdims=True)"),)),
    Mistake("largest of the whole batch", "one number is subtracted from all rows. A row that lies far below the "
            "largest score of the batch loses its digits, or everything.",
            ((_TOP, "top = real.max(initial=np.finfo(scores.dtype).min)"),)),
    Mistake("not stable", "e to the power of a large score overflows. Subtracting the same number from all scores of "
            "a row changes no weight.", ((_EXP, "e = np.exp(real)"),)),
    Mistake("empty row", "a row without any real place gives 0 / 0. By definition its weights are all 0 here.",
            ((_SHARE, "return e / total"),)),
    Mistake("small number added", "a small number is added to the sum, so the weights do not add up to 1. Treat the "
            "sum of 0 as a case of its own.", ((_SHARE, "return e / (total + 1e-8)"),)),
    Mistake("not divided", "the exponentials are not divided by their sum.", ((_SHARE, "return e"),)),
    Mistake("no exponential", "the scores are divided by their sum as they are, without an exponential.",
            ((_EXP, "e = np.where(mask, scores, 0)"),)),
    Mistake("over the whole array", "the sum runs over the whole array, not over each row.",
            ((_TOTAL, "total = e.sum(keepdims=True)"),)),
    Mistake("over the first axis", "the sum runs down the first axis. The weights of one row add up to 1.",
            ((_TOTAL, "total = e.sum(axis=0, keepdims=True)"),)),
    Mistake("over axis 1", "the sum runs over axis 1. That is the last axis only as long as there are two of them.",
            ((_TOTAL, "total = e.sum(axis=1, keepdims=True)"),)),
    Mistake("mean", "the exponentials are divided by the number of places, not by their sum.",
            ((_TOTAL, "total = np.full_like(e[..., :1], e.shape[-1])"),)),
    Mistake("first example's mask", "the mask of the first example is used for all.",
            ((_REAL, "real = np.where(mask[:1], scores, -np.inf)"),)),
    Mistake("logarithm", "the logarithm of the weights is returned.",
            ((_SHARE, "return np.log(e / np.where(total > 0, total, 1))"),)),
    Mistake("float64 only", "the result is always float64; keep the dtype of the scores.",
            ((_SHARE, "return (e / np.where(total > 0, total, 1)).astype(np.float64)"),)),
    Mistake("scores overwritten", "minus infinity is written into the scores themselves, which the caller still "
            "needs.", ((_REAL, "scores[~mask] = -np.inf\n    real = scores"),)),
)  # fmt: skip


def _by_hand(name, sentence, numbers):
    return Mistake(name, sentence, ((LOOKUP_BY_HAND.removeprefix("lookup_by_hand = "), f"[{numbers}]"),))


LOOKUP_MISTAKES = (
    _by_hand("scores as weights", "in (a) the exponentials 1, 2, 5 are not divided by their sum.",
             "1, 2, 5, 5, 40 / 3, 3 / 8, 11 / 4, -25 / 8, 12 / 5"),
    _by_hand("no exponential", "in (a) the scores themselves are divided by their sum. First e is raised to them.",
             "0, np.log(2) / np.log(10), np.log(5) / np.log(10), 5, 40 / 3, 3 / 8, 11 / 4, -25 / 8, 12 / 5"),
    _by_hand("no scale", "in (a) the products are not divided by the root of 4.",
             "1 / 30, 4 / 30, 25 / 30, 5, 40 / 3, 3 / 8, 11 / 4, -25 / 8, 12 / 5"),
    _by_hand("largest takes all", "in (b) only the best fitting entry is read. The reading is a weighted mean.",
             "1 / 8, 1 / 4, 5 / 8, 0, 40 / 3, 3 / 8, 11 / 4, -25 / 8, 12 / 5"),
    _by_hand("plain mean", "in (b) all three values count the same.",
             "1 / 8, 1 / 4, 5 / 8, 8, 40 / 3, 3 / 8, 11 / 4, -25 / 8, 12 / 5"),
    _by_hand("sum without division", "in (b) the weights 1, 2, 5 are used as they are; they have to add up to 1.",
             "1 / 8, 1 / 4, 5 / 8, 40, 40 / 3, 3 / 8, 11 / 4, -25 / 8, 12 / 5"),
    _by_hand("weights kept", "in (c) the first two entries keep their old weights, which then add up to 3/8. What is "
             "left has to be shared anew.", "1 / 8, 1 / 4, 5 / 8, 5, 5, 3 / 8, 11 / 4, -25 / 8, 12 / 5"),
    _by_hand("score 0 for padding", "in (c) the padding still has the score 0, so it gets a share of the weight.",
             "1 / 8, 1 / 4, 5 / 8, 5, 10, 3 / 8, 11 / 4, -25 / 8, 12 / 5"),
    _by_hand("even weights", "in (c) the two real entries count the same.",
             "1 / 8, 1 / 4, 5 / 8, 5, 12, 3 / 8, 11 / 4, -25 / 8, 12 / 5"),
    _by_hand("own weight only", "in (d) only the effect on an entry's own weight is counted. A higher score also takes "
             "weight from the others.", "1 / 8, 1 / 4, 5 / 8, 5, 40 / 3, 7 / 8, 3, 0, 12 / 5"),
    _by_hand("mean not subtracted", "in (d) weight times value is given. That would be right if the weights did not "
             "have to add up to 1.", "1 / 8, 1 / 4, 5 / 8, 5, 40 / 3, 1, 4, 0, 12 / 5"),
    _by_hand("weight forgotten", "in (d) the difference of value and reading is not multiplied by the weight.",
             "1 / 8, 1 / 4, 5 / 8, 5, 40 / 3, 3, 11, -5, 12 / 5"),
    _by_hand("sign", "in (d) the signs are the wrong way round: more weight on a value above the mean raises the mean.",
             "1 / 8, 1 / 4, 5 / 8, 5, 40 / 3, -3 / 8, -11 / 4, 25 / 8, 12 / 5"),
    _by_hand("scale as before", "in (e) the scores are still divided.",
             "1 / 8, 1 / 4, 5 / 8, 5, 40 / 3, 3 / 8, 11 / 4, -25 / 8, 5"),
    _by_hand("exponentials doubled", "in (e) the exponentials are doubled. Doubling a score squares its exponential.",
             "1 / 8, 1 / 4, 5 / 8, 5, 40 / 3, 3 / 8, 11 / 4, -25 / 8, 10"),
)  # fmt: skip

_DOT = 'scores = np.einsum("bk,bsk->bs", query, keys) / query.shape[1] ** 0.5'
_WEIGHTS = "weights = masked_softmax(scores, mask)"
_READ = 'context = np.einsum("bs,bsv->bv", weights, values)'
_PAIR = "return context, weights"

DOT_MISTAKES = (
    Mistake("not scaled", "the scores are not divided by the root of K.",
            ((_DOT, 'scores = np.einsum("bk,bsk->bs", query, keys)'),)),
    Mistake("divided by K", "the scores are divided by K itself, not by its root.",
            ((_DOT, 'scores = np.einsum("bk,bsk->bs", query, keys) / query.shape[1]'),)),
    Mistake("multiplied", "the scores are multiplied by the root of K. It is there to make them smaller.",
            ((_DOT, 'scores = np.einsum("bk,bsk->bs", query, keys) * query.shape[1] ** 0.5'),)),
    Mistake("root of S", "the scores are divided by the root of S, the number of places. What counts is how many "
            "products are added up in one score.",
            ((_DOT, 'scores = np.einsum("bk,bsk->bs", query, keys) / keys.shape[1] ** 0.5'),)),
    Mistake("cosine", "query and keys are made to length 1 first, so that scores are cosines.",
            ((_DOT, 'scores = np.einsum("bk,bsk->bs", query, keys) / np.linalg.norm(query, axis=1)[:, None] / '
              "np.linalg.norm(keys, axis=2)"),)),
    Mistake("scaled afterwards", "the weights are divided by the root of K, not the scores.",
            ((_DOT, 'scores = np.einsum("bk,bsk->bs", query, keys)'),
             (_WEIGHTS, "weights = masked_softmax(scores, mask) / query.shape[1] ** 0.5"))),
    Mistake("query of the first example", "every example is asked the query of the first one.",
            ((_DOT, 'scores = np.einsum("k,bsk->bs", query[0], keys) / query.shape[1] ** 0.5'),)),
    Mistake("mask ignored", "the mask is ignored: padding is read.",
            ((_WEIGHTS, "weights = masked_softmax(scores, np.ones_like(mask))"),)),
    Mistake("mask inverted", "the mask is turned into its opposite. It is True at real places.",
            ((_WEIGHTS, "weights = masked_softmax(scores, ~mask)"),)),
    Mistake("mask times scores", "the scores of padding are set to 0 before a softmax over all places. That still "
            "gives them weight.",
            ((_WEIGHTS, "weights = masked_softmax(scores * mask.astype(scores.dtype), np.ones_like(mask))"),)),
    Mistake("padding left out of the sum only", "the weights are taken over all places, and padding is left out of "
            "the mean only. The weights that count then add up to less than 1.",
            ((_WEIGHTS, "weights = masked_softmax(scores, np.ones_like(mask)) * mask.astype(scores.dtype)"),)),
    Mistake("softmax over the batch", "the softmax runs over the examples instead of the places.",
            ((_WEIGHTS, "weights = masked_softmax(scores.T, mask.T).T"),)),
    Mistake("softmax twice", "the softmax is taken twice.",
            ((_WEIGHTS, "weights = masked_softmax(masked_softmax(scores, mask), mask)"),)),
    Mistake("keys read", "the mean of the keys is returned. The keys are what the query is compared with; read are "
            "the values.", ((_READ, 'context = np.einsum("bs,bsk->bk", weights, keys)'),)),
    Mistake("best place only", "the value at the best place is returned. That is hard attention; here all places "
            "count with their weights.",
            ((_READ, "context = values[np.arange(len(values)), weights.argmax(axis=1)]"),)),
    Mistake("scores as weights", "the values are added up with the scores, not with the weights.",
            ((_READ, 'context = np.einsum("bs,bsv->bv", scores, values)'),)),
    Mistake("divided by S", "the weighted sum is divided by the number of places. The weights add up to 1 already.",
            ((_READ, 'context = np.einsum("bs,bsv->bv", weights, values) / values.shape[1]'),)),
    Mistake("not added up", "the weighted values are returned one by one. Add them up over the places.",
            ((_READ, "context = weights[:, :, None] * values"),)),
    Mistake("scores returned", "the scores are returned where the weights should be.",
            ((_PAIR, "return context, scores"),)),
    Mistake("results swapped", "weights and context are returned in the wrong order.",
            ((_PAIR, "return weights, context"),)),
    Mistake("context only", "only the context is returned. The weights are wanted too.", ((_PAIR, "return context"),)),
    Mistake("float64 only", "the result is always float64. `np.sqrt` of a Python integer is a float64 number, and it "
            "makes float64 of what it divides.",
            ((_DOT, 'scores = np.einsum("bk,bsk->bs", query, keys) / np.sqrt(query.shape[1])'),)),
)  # fmt: skip

_HIDDEN = "hidden = np.tanh((query @ W_q)[:, None] + keys @ W_k + b)"
_ADDITIVE = "weights = masked_softmax(hidden @ w, mask)"
_READ_KEYS = 'context = np.einsum("bs,bsk->bk", weights, keys)'

ADDITIVE_MISTAKES = (
    Mistake("no tanh", "tanh is missing. Without it the query shifts all scores of a row by the same number, and no "
            "weight changes.", ((_HIDDEN, "hidden = (query @ W_q)[:, None] + keys @ W_k + b"),)),
    Mistake("sigmoid", "the sigmoid stands where tanh belongs.",
            ((_HIDDEN, "hidden = 1 / (1 + np.exp(-((query @ W_q)[:, None] + keys @ W_k + b)))"),)),
    Mistake("relu", "a ReLU stands where tanh belongs.",
            ((_HIDDEN, "hidden = np.maximum((query @ W_q)[:, None] + keys @ W_k + b, 0)"),)),
    Mistake("tanh of the score", "tanh is taken after the product with w. It belongs inside.",
            ((_HIDDEN, "hidden = (query @ W_q)[:, None] + keys @ W_k + b"),
             (_ADDITIVE, "weights = masked_softmax(np.tanh(hidden @ w), mask)"))),
    Mistake("query left out", "the query has no part in the scores, or is added after tanh. There it shifts all scores "
            "of a row by the same number, and no weight changes.", ((_HIDDEN, "hidden = np.tanh(keys @ W_k + b)"),)),
    Mistake("query of the first example", "every example is asked the query of the first one.",
            ((_HIDDEN, "hidden = np.tanh(query[0] @ W_q + keys @ W_k + b)"),)),
    Mistake("multiplied", "the two products are multiplied. This score is called additive because they are added.",
            ((_HIDDEN, "hidden = np.tanh((query @ W_q)[:, None] * (keys @ W_k) + b)"),)),
    Mistake("no bias", "the bias b is left out, or is added after tanh. There it shifts all scores of a row by the "
            "same number.", ((_HIDDEN, "hidden = np.tanh((query @ W_q)[:, None] + keys @ W_k)"),)),
    Mistake("matrices swapped", "the query goes through W_k and the keys through W_q.",
            ((_HIDDEN, "hidden = np.tanh((query @ W_k)[:, None] + keys @ W_q + b)"),)),
    Mistake("W_q transposed", "the query is multiplied by W_q.T. Here W_q is (Q, A), from the query to the hidden "
            "units.", ((_HIDDEN, "hidden = np.tanh((query @ W_q.T)[:, None] + keys @ W_k + b)"),)),
    Mistake("w left out", "the hidden units are added up without w.",
            ((_ADDITIVE, "weights = masked_softmax(hidden.sum(axis=2), mask)"),)),
    Mistake("divided by the root", "the score is divided by a root, as in dot attention. There is none here.",
            ((_ADDITIVE, "weights = masked_softmax(hidden @ w / len(w) ** 0.5, mask)"),)),
    Mistake("mask ignored", "the mask is ignored: padding is read.",
            ((_ADDITIVE, "weights = masked_softmax(hidden @ w, np.ones_like(mask))"),)),
    Mistake("mask inverted", "the mask is turned into its opposite. It is True at real places.",
            ((_ADDITIVE, "weights = masked_softmax(hidden @ w, ~mask)"),)),
    Mistake("keys zeroed", "the keys at padding are set to zero and then read like all others. Zero is a key too, "
            "and it gets weight.",
            ((_HIDDEN, "hidden = np.tanh((query @ W_q)[:, None] + "
              "(keys * mask[:, :, None].astype(keys.dtype)) @ W_k + b)"),
             (_ADDITIVE, "weights = masked_softmax(hidden @ w, np.ones_like(mask))"),
             (_READ_KEYS, 'context = np.einsum("bs,bsk->bk", weights * mask.astype(keys.dtype), keys)'))),
    Mistake("hidden units read", "the mean of the hidden units is returned. Read are the keys themselves.",
            ((_READ_KEYS, 'context = np.einsum("bs,bsa->ba", weights, hidden)'),)),
    Mistake("projected keys read", "the mean of the keys times W_k is returned. Read are the keys themselves.",
            ((_READ_KEYS, 'context = np.einsum("bs,bsa->ba", weights, keys @ W_k)'),)),
    Mistake("plain mean", "all keys are read with the same weight.",
            ((_READ_KEYS, "context = keys.mean(axis=1)"),)),
    Mistake("results swapped", "weights and context are returned in the wrong order.",
            ((_PAIR, "return weights, context"),)),
    Mistake("scores returned", "the scores are returned where the weights should be.",
            ((_PAIR, "return context, hidden @ w"),)),
    Mistake("float64 only", "the result is always float64; keep the dtype of the inputs.",
            ((_PAIR, "return context.astype(np.float64), weights.astype(np.float64)"),)),
)  # fmt: skip

_D_VALUES = "d_values = weights[:, :, None] * d_context[:, None]"
_D_WEIGHTS = 'd_weights = np.einsum("bv,bsv->bs", d_context, values)'
_MEAN = "mean = (weights * d_weights).sum(axis=1, keepdims=True)"
_D_SCORES = "d_scores = weights * (d_weights - mean)"
_SCALED = "d_scores = d_scores / query.shape[1] ** 0.5"
_D_QUERY = 'd_query = np.einsum("bs,bsk->bk", d_scores, keys)'
_D_KEYS = "d_keys = d_scores[:, :, None] * query[:, None]"
_BACK = "return d_query, d_keys, d_values"

BACKWARD_MISTAKES = (
    Mistake("softmax entry by entry", "the derivative of the softmax is taken as that of a sigmoid, entry by entry. "
            "Every score acts on every weight.", ((_D_SCORES, "d_scores = weights * (1 - weights) * d_weights"),)),
    Mistake("softmax left out", "the gradient of the weights is used as that of the scores: the softmax is left out.",
            ((_D_SCORES, "d_scores = d_weights"),)),
    Mistake("mean not subtracted", "the mean is not subtracted. The weights add up to 1, so one of them cannot grow "
            "alone.", ((_D_SCORES, "d_scores = weights * d_weights"),)),
    Mistake("plain mean", "the plain mean over the places is subtracted. It has to be weighted.",
            ((_MEAN, "mean = d_weights.mean(axis=1, keepdims=True)"),)),
    Mistake("plain sum", "the sum over the places is subtracted without weights.",
            ((_MEAN, "mean = d_weights.sum(axis=1, keepdims=True)"),)),
    Mistake("mean over the batch", "the mean runs over the examples as well. Each has its own.",
            ((_MEAN, "mean = (weights * d_weights).sum()"),)),
    Mistake("outer weight forgotten", "the difference to the mean is not multiplied by the weight.",
            ((_D_SCORES, "d_scores = d_weights - mean"),)),
    Mistake("sign", "the sign of the scores' gradient is wrong.",
            ((_D_SCORES, "d_scores = weights * (mean - d_weights)"),)),
    Mistake("not scaled", "the root of K is left out. The scores were divided by it, so their gradient is too.",
            ((_SCALED, "d_scores = d_scores / 1"),)),
    Mistake("divided by K", "the gradient is divided by K, not by its root.",
            ((_SCALED, "d_scores = d_scores / query.shape[1]"),)),
    Mistake("multiplied by the root", "the gradient is multiplied by the root of K. A factor stays what it is on the "
            "way back.", ((_SCALED, "d_scores = d_scores * query.shape[1] ** 0.5"),)),
    Mistake("query scaled alone", "only the query's gradient is divided by the root of K; that of the keys is not.",
            ((_D_KEYS, "d_keys = d_scores[:, :, None] * query[:, None] * query.shape[1] ** 0.5"),)),
    Mistake("values get all", "every value gets the whole gradient. It counted with its weight only.",
            ((_D_VALUES, "d_values = np.broadcast_to(d_context[:, None], values.shape)"),)),
    Mistake("values get the score's gradient", "the gradient of the values is taken from the scores. The values only "
            "enter the weighted sum.",
            ((_D_VALUES, "d_values = weights[:, :, None] * (d_context[:, None] - values)"),)),
    Mistake("query's own derivative", "the query's gradient is multiplied by the query. The derivative of a product "
            "with respect to one factor is the other.",
            ((_D_QUERY, "d_query = d_scores.sum(axis=1, keepdims=True) * query"),)),
    Mistake("keys' own derivative", "the keys' gradient is multiplied by the keys. The derivative of a product with "
            "respect to one factor is the other.", ((_D_KEYS, "d_keys = d_scores[:, :, None] * keys"),)),
    Mistake("weights for scores", "the query's gradient is added up with the weights instead of the scores' gradient.",
            ((_D_QUERY, 'd_query = np.einsum("bs,bsk->bk", weights, keys)'),)),
    Mistake("query averaged", "the query's gradient is divided by the number of places. What goes out on several ways "
            "comes back as a sum.", ((_D_QUERY, 'd_query = np.einsum("bs,bsk->bk", d_scores, keys) / keys.shape[1]'),)),
    Mistake("batch added up", "the query's gradient is added up over the batch. Each example has its own query.",
            ((_D_QUERY, 'd_query = np.broadcast_to(np.einsum("bs,bsk->k", d_scores, keys), query.shape)'),)),
    Mistake("keys and values swapped", "the gradients of values and keys are returned in the wrong order.",
            ((_BACK, "return d_query, d_values, d_keys"),)),
    Mistake("float64 only", "the result is always float64. `np.sqrt` of a Python integer is a float64 number, and it "
            "makes float64 of what it divides.", ((_SCALED, "d_scores = d_scores / np.sqrt(query.shape[1])"),)),
    Mistake("weights overwritten", "the weights are written over, and the caller still needs them.",
            ((_D_SCORES, "weights *= d_weights - mean\n    d_scores = weights"),)),
)  # fmt: skip

_LOOK = "context, weights = dot_attention(h, keys, keys, mask)"
_STATE = "h_new = np.tanh(y @ U + context @ C + h @ W + b)"
_LOGITS = "logits = np.concatenate([h_new, context], axis=1) @ V + b_o"
_STEP = "return logits, h_new, weights"

STEP_MISTAKES = (
    Mistake("last state as the context", "the context is the encoder's last state: no attention at all.",
            ((_LOOK, f"{_LOOK}\n    context = keys[:, -1]"),)),
    Mistake("mean as the context", "the context is the plain mean of the keys.",
            ((_LOOK, f"{_LOOK}\n    context = keys.mean(axis=1)"),)),
    Mistake("mask ignored", "the mask is ignored: padding is read.",
            ((_LOOK, _LOOK.replace("mask)", "np.ones_like(mask))")),)),
    Mistake("mask inverted", "the mask is turned into its opposite. It is True at real places.",
            ((_LOOK, _LOOK.replace("mask)", "~mask)")),)),
    Mistake("new state asks", "the context is read with the new state, after a step without it. Here the state before "
            "the step asks.",
            ((_LOOK, "context, weights = dot_attention(np.tanh(y @ U + h @ W + b), keys, keys, mask)"),)),
    Mistake("read twice", "the output is computed from a second reading, made with the new state. One step reads "
            "once.", ((_STATE, f"{_STATE}\n    context, weights = dot_attention(h_new, keys, keys, mask)"),)),
    Mistake("context not in the state", "the context does not enter the state.",
            ((_STATE, "h_new = np.tanh(y @ U + h @ W + b)"),)),
    Mistake("context not in the output", "the context does not enter the output.",
            ((_LOGITS, "logits = np.concatenate([h_new, 0 * context], axis=1) @ V + b_o"),)),
    Mistake("state not in the output", "the state does not enter the output.",
            ((_LOGITS, "logits = np.concatenate([0 * h_new, context], axis=1) @ V + b_o"),)),
    Mistake("halves swapped", "context and state stand in the wrong order in the output: the state comes first.",
            ((_LOGITS, "logits = np.concatenate([context, h_new], axis=1) @ V + b_o"),)),
    Mistake("old state in the output", "the output is computed from the state before the step.",
            ((_LOGITS, "logits = np.concatenate([h, context], axis=1) @ V + b_o"),)),
    Mistake("state not carried", "the old state does not enter the new one.",
            ((_STATE, "h_new = np.tanh(y @ U + context @ C + b)"),)),
    Mistake("symbol not read", "the last symbol y does not enter the state.",
            ((_STATE, "h_new = np.tanh(context @ C + h @ W + b)"),)),
    Mistake("C and W swapped", "the context goes through W and the state through C.",
            ((_STATE, "h_new = np.tanh(y @ U + context @ W + h @ C + b)"),)),
    Mistake("C transposed", "the context is multiplied by C.T. Here C is (H, H) from the context to the state.",
            ((_STATE, "h_new = np.tanh(y @ U + context @ C.T + h @ W + b)"),)),
    Mistake("no tanh", "tanh is missing.", ((_STATE, "h_new = y @ U + context @ C + h @ W + b"),)),
    Mistake("no bias in the state", "the bias b is left out.",
            ((_STATE, "h_new = np.tanh(y @ U + context @ C + h @ W)"),)),
    Mistake("no bias in the output", "the bias of the output is left out.",
            ((_LOGITS, "logits = np.concatenate([h_new, context], axis=1) @ V"),)),
    Mistake("softmax taken", "a softmax is taken of the output. Logits are the sums before it.",
            ((_LOGITS, f"{_LOGITS}\n    logits = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)"),)),
    Mistake("old state returned", "the old state is returned instead of the new one.",
            ((_STEP, "return logits, h, weights"),)),
    Mistake("context returned", "the context is returned where the weights should be.",
            ((_STEP, "return logits, h_new, context"),)),
    Mistake("results swapped", "state and logits are returned in the wrong order.",
            ((_STEP, "return h_new, logits, weights"),)),
    Mistake("h overwritten", "the new state is written into h, which belongs to the caller.",
            ((_STEP, "h[:] = h_new\n    return logits, h_new, weights"),)),
    Mistake("float64 only", "the logits are always float64; keep the dtype of the inputs.",
            ((_STEP, "return logits.astype(np.float64), h_new, weights"),)),
)  # fmt: skip

_THREE = "query, keys, values = x @ W_q, x @ W_k, x @ W_v"
_SELF = "scores = query @ keys.swapaxes(1, 2) / K**0.5"
_SEEN = "seen = np.tri(T, dtype=bool) & mask[:, None]"
_OUT = "return masked_softmax(scores, seen) @ values"

SELF_MISTAKES = (
    Mistake("looks ahead", "every step reads the later ones too.",
            ((_SEEN, "seen = np.ones((T, 1), dtype=bool) & mask[:, None]"),)),
    Mistake("own step left out", "a step may not read itself. It may: only what comes later is hidden.",
            ((_SEEN, "seen = np.tri(T, k=-1, dtype=bool) & mask[:, None]"),)),
    Mistake("one step ahead", "every step reads one step too far.",
            ((_SEEN, "seen = np.tri(T, k=1, dtype=bool) & mask[:, None]"),)),
    Mistake("only the future", "the triangle is the wrong way round: every step reads itself and the later ones.",
            ((_SEEN, "seen = np.tri(T, dtype=bool).T & mask[:, None]"),)),
    Mistake("padding read", "the mask is ignored: padding is read.",
            ((_SEEN, "seen = np.tri(T, dtype=bool) & np.ones_like(mask)[:, None]"),)),
    Mistake("mask on the wrong axis", "the mask is laid over the steps that ask. It has to be laid over those that "
            "are read.", ((_SEEN, "seen = np.tri(T, dtype=bool) & mask[:, :, None]"),)),
    Mistake("mask on both axes", "the steps at padding are not allowed to ask. That is harmless for the others, but "
            "here every step asks.", ((_SEEN, "seen = np.tri(T, dtype=bool) & mask[:, None] & mask[:, :, None]"),)),
    Mistake("mask inverted", "the mask is turned into its opposite. It is True at real steps.",
            ((_SEEN, "seen = np.tri(T, dtype=bool) & ~mask[:, None]"),)),
    Mistake("or for and", "a step is read if it is early enough *or* real. It has to be both.",
            ((_SEEN, "seen = np.tri(T, dtype=bool) | mask[:, None]"),)),
    Mistake("hidden afterwards", "the softmax runs over all steps, and what may not be read is set to 0 afterwards. "
            "The rest adds up to less than 1.",
            ((_OUT, "return masked_softmax(scores, np.ones_like(seen)) * seen.astype(x.dtype) @ values"),)),
    Mistake("not scaled", "the scores are not divided by the root of K.",
            ((_SELF, "scores = query @ keys.swapaxes(1, 2)"),)),
    Mistake("root of D", "the scores are divided by the root of D. What counts is how many products are added up in "
            "one score.", ((_SELF, "scores = query @ keys.swapaxes(1, 2) / x.shape[2] ** 0.5"),)),
    Mistake("divided by K", "the scores are divided by K itself, not by its root.",
            ((_SELF, "scores = query @ keys.swapaxes(1, 2) / K"),)),
    Mistake("queries and keys swapped", "the scores are the transpose of what they should be: the keys ask and the "
            "queries answer.", ((_SELF, "scores = keys @ query.swapaxes(1, 2) / K**0.5"),)),
    Mistake("softmax over the queries", "the weights add up to 1 over the steps that ask. They have to do so over "
            "those that are read.",
            ((_OUT, "return masked_softmax(scores.swapaxes(1, 2), seen.swapaxes(1, 2)).swapaxes(1, 2) @ values"),)),
    Mistake("one matrix for queries and keys", "the keys are made with W_q.",
            ((_THREE, "query, keys, values = x @ W_q, x @ W_q, x @ W_v"),)),
    Mistake("values are keys", "the keys are read in place of the values.",
            ((_OUT, "return masked_softmax(scores, seen) @ keys"),)),
    Mistake("values not mapped", "x itself is read, without W_v.",
            ((_OUT, "return masked_softmax(scores, seen) @ x"),)),
    Mistake("weights returned", "the weights are returned, not what is read with them.",
            ((_OUT, "return masked_softmax(scores, seen)"),)),
    Mistake("x added", "the input is added to what was read. In a Transformer that is a step of its own.",
            ((_OUT, "return masked_softmax(scores, seen) @ values + x @ W_v"),)),
    Mistake("float64 only", "the result is always float64. `np.sqrt` of a Python integer is a float64 number, and it "
            "makes float64 of what it divides.", ((_SELF, "scores = query @ keys.swapaxes(1, 2) / np.sqrt(K)"),)),
)  # fmt: skip

# --- Other right ways -----------------------------------------------------------------------------------------

SOFTMAX_VARIANTS = (
    Variant("only the real places of each row", """\
def masked_softmax(scores, mask):
    weights = np.zeros_like(scores)
    for place in np.ndindex(scores.shape[:-1]):
        real = mask[place]
        if real.any():
            e = np.exp(scores[place][real] - scores[place][real].max())
            weights[place][real] = e / e.sum()
    return weights"""),
    Variant("errstate and nan_to_num", """\
def masked_softmax(scores, mask):
    with np.errstate(invalid="ignore", divide="ignore"):
        shifted = np.where(mask, scores, -np.inf)
        e = np.exp(shifted - shifted.max(axis=-1, keepdims=True))
        return np.nan_to_num(e / e.sum(axis=-1, keepdims=True))"""),
    Variant("np.max with where", """\
def masked_softmax(scores, mask):
    top = np.max(scores, axis=-1, keepdims=True, where=mask, initial=-1e30)
    e = np.where(mask, np.exp(np.where(mask, scores - top, 0)), 0).astype(scores.dtype)
    total = e.sum(axis=-1, keepdims=True)
    return np.divide(e, total, out=np.zeros_like(e), where=total > 0)"""),
    Variant("log-sum-exp", """\
def masked_softmax(scores, mask):
    fill = np.where(mask, scores, -np.inf)
    some = mask.any(axis=-1, keepdims=True)
    top = np.where(some, fill.max(axis=-1, keepdims=True), 0)
    log_total = top + np.log(np.where(some, np.exp(fill - top).sum(axis=-1, keepdims=True), 1))
    return np.exp(fill - log_total)"""),
    Variant("a loop over the places", """\
def masked_softmax(scores, mask):
    top = np.full(scores.shape[:-1], np.finfo(scores.dtype).min, scores.dtype)
    for s in range(scores.shape[-1]):
        top = np.where(mask[..., s], np.maximum(top, scores[..., s]), top)
    e = [np.exp(np.where(mask[..., s], scores[..., s] - top, -np.inf)) for s in range(scores.shape[-1])]
    total = sum(e)
    return np.stack([one / np.where(total == 0, 1, total) for one in e], axis=-1)"""),
    Variant("PyTorch inside", """\
import torch
def masked_softmax(scores, mask):
    filled = torch.tensor(scores).masked_fill(torch.tensor(~mask), -torch.inf)
    return torch.nan_to_num(torch.softmax(filled, dim=-1), nan=0.0).numpy()"""),
)  # fmt: skip

LOOKUP_VARIANTS = (
    Variant("decimals", "lookup_by_hand = [0.125, 0.25, 0.625, 5, 13.333, 0.375, 2.75, -3.125, 2.4]"),
    Variant("tuple", "lookup_by_hand = (1 / 8, 2 / 8, 5 / 8, 5.0, 13 + 1 / 3, 0.375, 2.75, -3.125, 2.4)"),
    Variant("array", "lookup_by_hand = np.array([0.125, 0.25, 0.625, 5, 40 / 3, 0.375, 2.75, -3.125, 2.4])"),
    Variant("by arithmetic", """\
e, v = [1, 2, 5], [8, 16, 0]
a = [x / 8 for x in e]
c = sum(p * x for p, x in zip(a, v))
lookup_by_hand = [*a, c, (1 * 8 + 2 * 16) / 3, *[p * (x - c) for p, x in zip(a, v)], (8 + 4 * 16) / 30]"""),
    Variant("with NumPy", """\
query, values = np.array([2.0, 0, 0, 0]), np.array([8.0, 16, 0])
keys = np.array([[0, 1, 0, 0], [np.log(2), 0, 1, 0], [np.log(5), 0, 0, 1]])
weights = np.exp(keys @ query / 2)
weights /= weights.sum()
read = weights @ values
plain = np.exp(keys @ query)
lookup_by_hand = [*weights, read, weights[:2] @ values[:2] / weights[:2].sum(), *weights * (values - read),
                  plain @ values / plain.sum()]"""),
)  # fmt: skip

DOT_VARIANTS = (
    Variant("matrix products", """\
def dot_attention(query, keys, values, mask):
    K = keys.shape[2]
    scores = (keys @ query[:, :, None])[:, :, 0] / K**0.5
    weights = masked_softmax(scores, mask)
    return (weights[:, None] @ values)[:, 0], weights"""),
    Variant("query scaled first", """\
def dot_attention(query, keys, values, mask):
    scores = ((query * query.shape[1] ** -0.5)[:, None] * keys).sum(axis=2)
    weights = masked_softmax(scores, mask)
    return (weights[:, :, None] * values).sum(axis=1), weights"""),
    Variant("one example at a time", """\
def dot_attention(query, keys, values, mask):
    contexts, rows = [], []
    for q, k, v, m in zip(query, keys, values, mask):
        weights = masked_softmax(k @ q / len(q) ** 0.5, m)
        contexts.append(weights @ v)
        rows.append(weights)
    return np.array(contexts), np.array(rows)"""),
    Variant("its own softmax", """\
def dot_attention(query, keys, values, mask):
    scores = np.matmul(query[:, None, :], keys.transpose(0, 2, 1))[:, 0] / np.sqrt(query.shape[1]).astype(query.dtype)
    scores = np.where(mask, scores, -np.inf)
    e = np.exp(scores - scores.max(axis=1)[:, None])
    weights = e / e.sum(axis=1)[:, None]
    return np.einsum("bs,bsv->bv", weights, values), weights"""),
    Variant("PyTorch inside", """\
import torch
def dot_attention(query, keys, values, mask):
    query, keys, values, mask = (torch.tensor(a) for a in (query, keys, values, mask))
    scores = torch.einsum("bk,bsk->bs", query, keys) / query.shape[1] ** 0.5
    weights = torch.softmax(scores.masked_fill(~mask, float("-inf")), dim=1)
    return torch.einsum("bs,bsv->bv", weights, values).numpy(), weights.numpy()"""),
)  # fmt: skip

ADDITIVE_VARIANTS = (
    Variant("query with the bias", """\
def additive_attention(query, keys, W_q, W_k, b, w, mask):
    projected = keys @ W_k
    scores = np.tanh(np.expand_dims(query @ W_q + b, 1) + projected) @ w
    weights = masked_softmax(scores, mask)
    return (weights[:, None, :] @ keys)[:, 0, :], weights"""),
    Variant("side by side", """\
def additive_attention(query, keys, W_q, W_k, b, w, mask):
    asked = np.broadcast_to(query[:, None], (*keys.shape[:2], query.shape[1]))
    both = np.concatenate([asked, keys], axis=2) @ np.concatenate([W_q, W_k]) + b
    weights = masked_softmax((np.tanh(both) * w).sum(axis=2), mask)
    return np.einsum("bs,bsk->bk", weights, keys), weights"""),
    Variant("place by place", """\
def additive_attention(query, keys, W_q, W_k, b, w, mask):
    asked = query @ W_q + b
    scores = np.stack([np.tanh(asked + keys[:, s] @ W_k) @ w for s in range(keys.shape[1])], axis=1)
    weights = masked_softmax(scores, mask)
    return sum(weights[:, s, None] * keys[:, s] for s in range(keys.shape[1])), weights"""),
    Variant("one example at a time", """\
def additive_attention(query, keys, W_q, W_k, b, w, mask):
    weights = np.array([masked_softmax(np.tanh(q @ W_q + k @ W_k + b) @ w, m) for q, k, m in zip(query, keys, mask)])
    return np.array([a @ k for a, k in zip(weights, keys)]), weights"""),
    Variant("einsum", """\
def additive_attention(query, keys, W_q, W_k, b, w, mask):
    z = np.einsum("bq,qa->ba", query, W_q)[:, np.newaxis] + np.einsum("bsk,ka->bsa", keys, W_k) + b[None, None]
    weights = masked_softmax(np.einsum("bsa,a->bs", np.tanh(z), w), mask)
    return np.einsum("bsk,bs->bk", keys, weights), weights"""),
    Variant("PyTorch inside", """\
import torch
def additive_attention(query, keys, W_q, W_k, b, w, mask):
    query, keys, W_q, W_k, b, w, mask = (torch.tensor(a) for a in (query, keys, W_q, W_k, b, w, mask))
    scores = torch.tanh((query @ W_q).unsqueeze(1) + keys @ W_k + b) @ w
    weights = torch.softmax(torch.where(mask, scores, -torch.inf), dim=1)
    return torch.bmm(weights.unsqueeze(1), keys).squeeze(1).numpy(), weights.numpy()"""),
)  # fmt: skip

BACKWARD_VARIANTS = (
    Variant("matrix products", """\
def attention_backward(d_context, query, keys, values, weights):
    root = query.shape[1] ** 0.5
    d_weights = (values @ d_context[:, :, None])[:, :, 0]
    d_scores = weights * d_weights
    d_scores = (d_scores - weights * d_scores.sum(axis=1)[:, None]) / root
    d_query = (d_scores[:, None] @ keys)[:, 0]
    return d_query, d_scores[:, :, None] @ query[:, None], weights[:, :, None] @ d_context[:, None]"""),
    Variant("the whole Jacobian", """\
def attention_backward(d_context, query, keys, values, weights):
    outs = []
    for d, q, k, v, a in zip(d_context, query, keys, values, weights):
        jacobian = np.diag(a) - np.outer(a, a)
        d_scores = jacobian @ (v @ d) / len(q) ** 0.5
        outs.append((d_scores @ k, np.outer(d_scores, q), np.outer(a, d)))
    return tuple(np.array(part) for part in zip(*outs))"""),
    Variant("values minus the context", """\
def attention_backward(d_context, query, keys, values, weights):
    context = np.einsum("bs,bsv->bv", weights, values)
    away = values - context[:, None]
    d_scores = weights * np.einsum("bsv,bv->bs", away, d_context) * query.shape[1] ** -0.5
    return (np.einsum("bs,bsk->bk", d_scores, keys), np.einsum("bs,bk->bsk", d_scores, query),
            np.einsum("bs,bv->bsv", weights, d_context))"""),
    Variant("place by place", """\
def attention_backward(d_context, query, keys, values, weights):
    S, root = keys.shape[1], query.shape[1] ** 0.5
    d_weights = np.stack([(d_context * values[:, s]).sum(axis=1) for s in range(S)], axis=1)
    d_query, d_keys, d_values = np.zeros_like(query), np.zeros_like(keys), np.zeros_like(values)
    for s in range(S):
        d_score = sum(weights[:, r] * ((r == s) - weights[:, s]) * d_weights[:, r] for r in range(S)) / root
        d_query += d_score[:, None] * keys[:, s]
        d_keys[:, s] = d_score[:, None] * query
        d_values[:, s] = weights[:, s, None] * d_context
    return [d_query, d_keys, d_values]"""),
    Variant("PyTorch autograd from the scores", """\
import torch
def attention_backward(d_context, query, keys, values, weights):
    d_context, query, keys, values, weights = (torch.tensor(a) for a in (d_context, query, keys, values, weights))
    query.requires_grad_(), keys.requires_grad_(), values.requires_grad_()
    scores = torch.einsum("bk,bsk->bs", query, keys) / query.shape[1] ** 0.5
    e = torch.where(weights > 0, torch.exp(scores - scores.detach().amax(1, keepdim=True)), 0)
    context = torch.einsum("bs,bsv->bv", e / e.sum(1, keepdim=True), values)
    return tuple(g.numpy() for g in torch.autograd.grad(context, (query, keys, values), d_context))"""),
)  # fmt: skip

STEP_VARIANTS = (
    Variant("one product for the state", """\
def decoder_step(y, h, keys, mask, U, C, W, b, V, b_o):
    context, weights = dot_attention(h, keys, keys, mask)
    h = np.tanh(np.concatenate([y, context, h], axis=1) @ np.concatenate([U, C, W]) + b)
    return np.hstack([h, context]) @ V + b_o, h, weights"""),
    Variant("V in two halves", """\
def decoder_step(y, h, keys, mask, U, C, W, b, V, b_o):
    H = h.shape[1]
    context, weights = dot_attention(h, keys, keys, mask)
    new = np.tanh(b + h @ W + y @ U + context @ C)
    return b_o + new @ V[:H] + context @ V[H:], new, weights"""),
    Variant("attention written out", """\
def decoder_step(y, h, keys, mask, U, C, W, b, V, b_o):
    scores = (keys @ h[:, :, None]).squeeze(2) / h.shape[1] ** 0.5
    scores = np.where(mask, scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights = weights / weights.sum(axis=1, keepdims=True)
    context = (weights[:, :, None] * keys).sum(axis=1)
    new = np.tanh(y @ U + context @ C + h @ W + b)
    return np.concatenate([new, context], 1) @ V + b_o, new, weights"""),
    Variant("one example at a time", """\
def decoder_step(y, h, keys, mask, U, C, W, b, V, b_o):
    parts = []
    for n in range(len(y)):
        [context], [weights] = dot_attention(h[n : n + 1], keys[n : n + 1], keys[n : n + 1], mask[n : n + 1])
        new = np.tanh(y[n] @ U + context @ C + h[n] @ W + b)
        parts.append((np.append(new, context) @ V + b_o, new, weights))
    logits, states, weights = (np.array(part) for part in zip(*parts))
    return logits, states, weights"""),
    Variant("einsum, results in a list", """\
def decoder_step(y, h, keys, mask, U, C, W, b, V, b_o):
    context, weights = dot_attention(h, keys, keys, mask)
    z = sum(np.einsum("bi,ij->bj", a, M) for a, M in [(y, U), (context, C), (h, W)]) + b
    new = np.tanh(z)
    return [np.einsum("bi,ij->bj", np.concatenate((new, context), axis=-1), V) + b_o, new, weights]"""),
    Variant("PyTorch inside", """\
import torch
def decoder_step(y, h, keys, mask, U, C, W, b, V, b_o):
    context, weights = dot_attention(h, keys, keys, mask)
    y, h, c, U, C, W, b, V, b_o = (torch.tensor(a) for a in (y, h, context, U, C, W, b, V, b_o))
    new = torch.tanh(y @ U + c @ C + h @ W + b)
    return (torch.cat([new, c], dim=1) @ V + b_o).numpy(), new.numpy(), weights"""),
)  # fmt: skip

SELF_VARIANTS = (
    Variant("step by step", """\
def self_attention(x, W_q, W_k, W_v, mask):
    T = x.shape[1]
    query, keys, values = x @ W_q, x @ W_k, x @ W_v
    outputs = []
    for t in range(T):
        context, _ = dot_attention(query[:, t], keys[:, : t + 1], values[:, : t + 1], mask[:, : t + 1])
        outputs.append(context)
    return np.stack(outputs, axis=1)"""),
    Variant("einsum", """\
def self_attention(x, W_q, W_k, W_v, mask):
    q, k, v = (np.einsum("btd,dk->btk", x, W) for W in (W_q, W_k, W_v))
    scores = np.einsum("bik,bjk->bij", q, k) * W_q.shape[1] ** -0.5
    earlier = np.arange(x.shape[1])[:, None] >= np.arange(x.shape[1])
    weights = masked_softmax(scores, earlier[None] * mask[:, None, :])
    return np.einsum("bij,bjv->biv", weights, v)"""),
    Variant("triu of infinities", """\
def self_attention(x, W_q, W_k, W_v, mask):
    B, T, _ = x.shape
    scores = (x @ W_q) @ np.transpose(x @ W_k, (0, 2, 1)) / W_k.shape[1] ** 0.5
    hidden = np.triu(np.ones((T, T), dtype=bool), k=1) | ~mask[:, None, :]
    scores = np.where(hidden, -np.inf, scores)
    return masked_softmax(scores, np.broadcast_to(~hidden, scores.shape)) @ (x @ W_v)"""),
    Variant("one product for all three", """\
def self_attention(x, W_q, W_k, W_v, mask):
    K, T = W_q.shape[1], x.shape[1]
    together = x @ np.concatenate([W_q, W_k, W_v], axis=1)
    q, k, v = np.split(together, [K, 2 * K], axis=2)
    seen = np.logical_and(np.tril(np.ones((T, T))), mask[:, None, :])
    return np.matmul(masked_softmax(q @ k.swapaxes(-1, -2) / K ** 0.5, seen), v)"""),
    Variant("one example, one step at a time", """\
def self_attention(x, W_q, W_k, W_v, mask):
    outputs = np.zeros((*mask.shape, W_v.shape[1]), x.dtype)
    for n in range(len(x)):
        for t in range(x.shape[1]):
            real = np.flatnonzero(mask[n, : t + 1])
            if len(real):
                scores = (x[n, real] @ W_k) @ (x[n, t] @ W_q) / W_q.shape[1] ** 0.5
                e = np.exp(scores - scores.max())
                outputs[n, t] = (e / e.sum()) @ (x[n, real] @ W_v)
    return outputs"""),
    Variant("PyTorch inside", """\
import torch
def self_attention(x, W_q, W_k, W_v, mask):
    x, W_q, W_k, W_v, mask = (torch.tensor(a) for a in (x, W_q, W_k, W_v, mask))
    T = x.shape[1]
    scores = (x @ W_q) @ (x @ W_k).transpose(1, 2) / W_q.shape[1] ** 0.5
    seen = torch.ones(T, T, dtype=torch.bool).tril() & mask[:, None]
    weights = torch.softmax(scores.masked_fill(~seen, -torch.inf), dim=2).nan_to_num(0.0)
    return (weights @ (x @ W_v)).numpy()"""),
)  # fmt: skip

# --- The exercise ---------------------------------------------------------------------------------------------

_source = inspect.getsource
_WEIGHTS_OUT = ("weights", ("example", "place"))

SOFTMAX = Task("masked_softmax", _source(masked_softmax), (("the result", ("example", "row", "place")),),
               _softmax_cases, SOFTMAX_MISTAKES, SOFTMAX_VARIANTS)  # fmt: skip
LOOKUP = Task("lookup_by_hand", LOOKUP_BY_HAND, (("lookup_by_hand", ("question",)),), None, LOOKUP_MISTAKES,
              LOOKUP_VARIANTS, tolerance=4e-4)  # fmt: skip
DOT = Task("dot_attention", _source(dot_attention), (("context", ("example", "unit")), _WEIGHTS_OUT), _dot_cases,
           DOT_MISTAKES, DOT_VARIANTS, uses=(SOFTMAX,))  # fmt: skip
ADDITIVE = Task("additive_attention", _source(additive_attention),
                (("context", ("example", "unit")), _WEIGHTS_OUT), _additive_cases, ADDITIVE_MISTAKES,
                ADDITIVE_VARIANTS, uses=(SOFTMAX,))  # fmt: skip
BACKWARD = Task("attention_backward", _source(attention_backward),
                (("d_query", ("example", "unit")), ("d_keys", ("example", "place", "unit")),
                 ("d_values", ("example", "place", "unit"))), _backward_cases, BACKWARD_MISTAKES,
                BACKWARD_VARIANTS)  # fmt: skip
STEP = Task("decoder_step", _source(decoder_step),
            (("logits", ("example", "output")), ("h_new", ("example", "unit")), _WEIGHTS_OUT), _step_cases,
            STEP_MISTAKES, STEP_VARIANTS, uses=(SOFTMAX, DOT))  # fmt: skip
SELF = Task("self_attention", _source(self_attention), (("the result", ("example", "step", "unit")),), _self_cases,
            SELF_MISTAKES, SELF_VARIANTS, uses=(SOFTMAX, DOT))  # fmt: skip

TASKS = (SOFTMAX, LOOKUP, DOT, ADDITIVE, BACKWARD, STEP, SELF)
check = diagnose.checker(*TASKS)
