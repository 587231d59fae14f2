"""The equations of the chapter `attention`, number by number."""

import inspect
import itertools
import math

import numpy as np
import torch
from equations.tools import defined, from_book, plus, softmax, tanh, times

from rnncourse import attention as package
from rnncourse.check import attention as answers

CHAPTER = "attention"
S, K, A, V = 5, 3, 4, 2
MASKS = ([True] * S, [True, False, True, True, False], [False, False, False, True, False])
read = from_book(CHAPTER, "read", softmax=from_book(CHAPTER, "softmax"))
dot_score, general_score, additive_score = (
    from_book(CHAPTER, f"{name}_score") for name in ("dot", "general", "additive")
)


def memory(seed=0):
    """Query and keys of one size, so that all scores can be asked; values, and the weights of the scores."""
    rng = np.random.default_rng(seed)
    shapes = {"q": (K,), "keys": (S, K), "values": (S, V), "W": (K, K), "W_q": (K, A), "W_k": (K, A), "b": (A,),
              "w": (A,), "d": (V,)}  # fmt: skip
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def product(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def transposed(matrix):
    return [list(column) for column in zip(*matrix, strict=True)]


def scaled(number, row):
    return [number * x for x in row]


def outer(a, b):
    return [[x * y for y in b] for x in a]


def total(matrices):
    return np.sum(np.array(matrices), axis=0)


def weights_by_hand(scores, mask):
    """The two cases of (attention-weights)."""
    below = sum(math.exp(e) for e, real in zip(scores, mask, strict=True) if real)
    return [math.exp(e) / below if real else 0.0 for e, real in zip(scores, mask, strict=True)]


def context_by_hand(weights, values):
    return plus(*[scaled(a, v) for a, v in zip(weights, values, strict=True)])


def attention_weights():
    r"""\alpha_s = \begin{cases} \dfrac{\exp(e_s)}{\sum_{r \text{ real}} \exp(e_r)} &
    \text{if place } s \text{ is real} \\[1.5ex]
    0 & \text{if it is padding} \end{cases}"""
    scores = np.random.default_rng(1).normal(size=S)
    for mask in MASKS:
        want, mask = weights_by_hand(scores, mask), np.array(mask)
        yield want, from_book(CHAPTER, "softmax")(scores, mask)
        yield want, answers.masked_softmax(scores, mask)
        yield want, package.masked_softmax(torch.tensor(scores[None]), torch.tensor(mask[None]))[0].numpy()


def context():
    r"""c = \sum_{s=1}^{S} \alpha_s\, v_s"""
    m = memory()
    for mask in MASKS:
        scores = [product(m["q"], key) / math.sqrt(K) for key in m["keys"]]
        want = context_by_hand(weights_by_hand(scores, mask), m["values"])
        mask = np.array(mask)
        yield want, read(np.array(scores), m["values"], mask)[0]
        yield want, answers.dot_attention(m["q"][None], m["keys"][None], m["values"][None], mask[None])[0][0]
        module = package.DotAttention()  # its keys are its values
        want = context_by_hand(weights_by_hand(scores, mask), m["keys"])
        yield (
            want,
            module(torch.tensor(m["q"][None]), torch.tensor(m["keys"][None]), torch.tensor(mask[None]))[0][0].numpy(),
        )


def from_module(module, m, parameters):
    """The scores (S,) of the package, with these parameters."""
    for parameter, array in parameters.items():
        module.get_parameter(parameter).data = torch.tensor(array)
    return module.scores(torch.tensor(m["q"][None]), torch.tensor(m["keys"][None]))[0].detach().numpy()


def dot():
    r"""e_s = \frac{q\, k_s^\top}{\sqrt{K}}"""
    m = memory()
    want = [product(m["q"], key) / math.sqrt(K) for key in m["keys"]]
    yield want, dot_score(m["q"], m["keys"])
    yield want, from_module(package.DotAttention(), m, {})


def general():
    r"""e_s = q\, W k_s^\top"""
    m = memory()
    want = [product(times(m["q"], m["W"]), key) for key in m["keys"]]
    yield want, general_score(m["q"], m["keys"], m["W"])
    yield want, from_module(package.GeneralAttention(K, K), m, {"key.weight": m["W"]})


def hidden_units(m):
    return [tanh(plus(times(m["q"], m["W_q"]), times(key, m["W_k"]), m["b"])) for key in m["keys"]]


def additive():
    r"""e_s = \tanh(q\, W_q + k_s W_k + b)\, w^\top"""
    m = memory()
    want = [product(u, m["w"]) for u in hidden_units(m)]
    weights = [m[name] for name in ("W_q", "W_k", "b", "w")]
    yield want, additive_score(m["q"], m["keys"], *weights)
    parameters = {
        "query.weight": m["W_q"].T,
        "key.weight": m["W_k"].T,
        "key.bias": m["b"],
        "score.weight": m["w"][None],
    }
    yield want, from_module(package.AdditiveAttention(K, K, A), m, parameters)
    _, got = answers.additive_attention(m["q"][None], m["keys"][None], *weights, np.ones((1, S), dtype=bool))
    yield weights_by_hand(want, [True] * S), got[0]


def score_gradients(m, scores, mask):
    """The weights and g_s by (score-gradient)."""
    weights = weights_by_hand(scores, mask)
    c = context_by_hand(weights, m["values"])
    away = [plus(value, scaled(-1, c)) for value in m["values"]]
    return weights, [a * product(row, m["d"]) for a, row in zip(weights, away, strict=True)]


def backward(m, weights):
    """What the answer to the exercise gives for dot attention."""
    arrays = (m["d"], m["q"], m["keys"], m["values"], np.array(weights))
    return [gradient[0] for gradient in answers.attention_backward(*(a[None] for a in arrays))]


def value_gradient():
    r"""\frac{\partial L}{\partial v_s} = \alpha_s\, d"""
    m = memory()
    for mask in MASKS:
        scores = [product(m["q"], key) / math.sqrt(K) for key in m["keys"]]
        weights, _ = score_gradients(m, scores, mask)
        want = [scaled(a, m["d"]) for a in weights]
        yield want, from_book(CHAPTER, "read_back")(m["d"], m["values"], np.array(weights))[0]
        yield want, backward(m, weights)[2]
        yield want, autograd(m, "dot", mask)["values"]


def score_gradient():
    r"""g_s = \frac{\partial L}{\partial e_s} = \alpha_s\, (v_s - c)\, d^\top"""
    m = memory()
    for mask in MASKS:
        scores = torch.tensor(m["w"][:1].repeat(S) * np.arange(S), requires_grad=True)
        weights, want = score_gradients(m, scores.tolist(), mask)
        yield want, from_book(CHAPTER, "read_back")(m["d"], m["values"], np.array(weights))[1]
        filled = torch.where(torch.tensor(mask), scores, -torch.inf)
        (torch.softmax(filled, 0) @ torch.tensor(m["values"]) @ torch.tensor(m["d"])).backward()
        yield want, scores.grad.numpy()


def autograd(m, kind, mask):
    """Gradients of L = c d^T by torch, for each array that takes part."""
    t = {name: torch.tensor(array, requires_grad=True) for name, array in m.items()}
    scores = {
        "dot": lambda: t["keys"] @ t["q"] / math.sqrt(K),
        "general": lambda: t["keys"] @ (t["q"] @ t["W"]),
        "additive": lambda: torch.tanh(t["q"] @ t["W_q"] + t["keys"] @ t["W_k"] + t["b"]) @ t["w"],
    }[kind]()
    weights = torch.softmax(scores.masked_fill(~torch.tensor(mask), -torch.inf), 0)
    (weights @ t["values"] @ t["d"]).backward()
    return {name: one.grad.numpy() for name, one in t.items() if one.grad is not None}


def query_gradient():
    r"""\frac{\partial L}{\partial q} = \frac{1}{\sqrt K} \sum_s g_s\, k_s , \qquad
    \frac{\partial L}{\partial k_s} = \frac{1}{\sqrt K}\, g_s\, q"""
    m = memory()
    for mask in MASKS:
        scores = [product(m["q"], key) / math.sqrt(K) for key in m["keys"]]
        weights, g = score_gradients(m, scores, mask)
        d_q = scaled(1 / math.sqrt(K), total([scaled(x, key) for x, key in zip(g, m["keys"], strict=True)]))
        d_keys = [scaled(x / math.sqrt(K), m["q"]) for x in g]
        found, answered = autograd(m, "dot", mask), backward(m, weights)
        in_book = from_book(CHAPTER, "dot_back")(np.array(g), m["q"], m["keys"])
        for want, place, name in [(d_q, 0, "q"), (d_keys, 1, "keys")]:
            yield want, in_book[place]
            yield want, answered[place]
            yield want, found[name]


def general_gradient():
    r"""\frac{\partial L}{\partial W} = \sum_s g_s\, q^\top k_s , \qquad
    \frac{\partial L}{\partial q} = \sum_s g_s\, k_s W^\top , \qquad
    \frac{\partial L}{\partial k_s} = g_s\, q\, W"""
    m = memory()
    for mask in MASKS:
        scores = [product(times(m["q"], m["W"]), key) for key in m["keys"]]
        _, g = score_gradients(m, scores, mask)
        d_W = total([np.array(outer(m["q"], key)) * x for x, key in zip(g, m["keys"], strict=True)])
        d_q = total([scaled(x, times(key, transposed(m["W"]))) for x, key in zip(g, m["keys"], strict=True)])
        d_keys = [scaled(x, times(m["q"], m["W"])) for x in g]
        found = autograd(m, "general", mask)
        in_book = from_book(CHAPTER, "general_back")(np.array(g), m["q"], m["keys"], m["W"])
        for want, got, name in zip((d_q, d_keys, d_W), in_book, ("q", "keys", "W"), strict=True):
            yield want, got
            yield want, found[name]


def additive_gradient():
    r"""\begin{aligned}
    \delta_s &= g_s\, w \odot (1 - u_s \odot u_s) , &
    \frac{\partial L}{\partial w} &= \sum_s g_s\, u_s , \\
    \frac{\partial L}{\partial W_q} &= q^\top \sum_s \delta_s , &
    \frac{\partial L}{\partial W_k} &= \sum_s k_s^\top \delta_s , \\
    \frac{\partial L}{\partial q} &= \Bigl(\sum_s \delta_s\Bigr) W_q^\top , &
    \frac{\partial L}{\partial k_s} &= \delta_s W_k^\top , \\
    \frac{\partial L}{\partial b} &= \sum_s \delta_s
    \end{aligned}"""
    m, names = memory(), ("q", "keys", "W_q", "W_k", "b", "w")
    for mask in MASKS:
        units = hidden_units(m)
        _, g = score_gradients(m, [product(u, m["w"]) for u in units], mask)
        deltas = [
            [x * w * (1 - u * u) for w, u in zip(m["w"], row, strict=True)] for x, row in zip(g, units, strict=True)
        ]
        delta = plus(*deltas)
        want = {
            "q": times(delta, transposed(m["W_q"])),
            "keys": [times(row, transposed(m["W_k"])) for row in deltas],
            "W_q": outer(m["q"], delta),
            "W_k": total([outer(key, row) for key, row in zip(m["keys"], deltas, strict=True)]),
            "b": delta,
            "w": total([scaled(x, u) for x, u in zip(g, units, strict=True)]),
        }
        in_book = from_book(CHAPTER, "additive_back")(np.array(g), *(m[name] for name in names))
        found = autograd(m, "additive", mask)
        for name, got in zip(names, in_book, strict=True):
            yield want[name], got
            yield want[name], found[name]


def one_step(seed=2):
    E, H, O = 2, K, 3
    rng = np.random.default_rng(seed)
    shapes = {"y": (E,), "h": (H,), "keys": (S, H), "U": (E, H), "C": (H, H), "W": (H, H), "b": (H,), "V": (2 * H, O),
              "b_o": (O,)}  # fmt: skip
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def step_by_hand(n, mask):
    scores = [product(n["h"], key) / math.sqrt(K) for key in n["keys"]]
    c = context_by_hand(weights_by_hand(scores, mask), n["keys"])
    h = tanh(plus(times(n["y"], n["U"]), times(c, n["C"]), times(n["h"], n["W"]), n["b"]))
    return h, plus(times([*h, *c], n["V"]), n["b_o"])


def steps():
    """What the formulas give, the book, and the answer to the exercise: logits and state each."""
    n = one_step()
    decoder_step = from_book(CHAPTER, "decoder_step", read=read, dot_score=dot_score)
    rest = [n[name] for name in ("U", "C", "W", "b", "V", "b_o")]
    for mask in MASKS:
        h, a = step_by_hand(n, mask)
        real = np.array(mask)
        in_book = decoder_step(n["y"], n["h"], n["keys"], real, *rest)
        answered = answers.decoder_step(n["y"][None], n["h"][None], n["keys"][None], real[None], *rest)
        yield h, a, [in_book[:2], [answered[0][0], answered[1][0]]]


def attentive_state():
    r"""h_t = \tanh(y_{t-1} U + c_t C + h_{t-1} W + b)"""
    for h, _, found in steps():
        for _, got in found:
            yield h, got


def attentive_output():
    r"""a_t = [\,h_t,\; c_t\,]\, V + b_o"""
    for _, a, found in steps():
        for got, _ in found:
            yield a, got


def two_paths():
    r"""\frac{\partial L}{\partial h_s} = \sum_t \Bigl( \alpha_{ts}\, d_t + \frac{g_{ts}}{\sqrt K}\, q_t \Bigr)
    + \frac{\partial L}{\partial h_{s+1}}\, \frac{\partial h_{s+1}}{\partial h_s}"""
    torch.manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, dtype=torch.float64)  # noqa: E731
    x, W, C, M, T = draw(S, K), draw(K, K), draw(K, K), draw(K, K), 3
    h, states = torch.zeros(K, dtype=torch.float64), []
    x.requires_grad_()
    for s in range(S):
        h = torch.tanh(x[s] + h @ W)
        h.retain_grad()
        states.append(h)
    keys, first = torch.stack(states), draw(K)  # the decoder starts from elsewhere: all gradients come through keys
    q, contexts, weights, scores, queries = first, [], [], [], []
    for _ in range(T):
        e = keys @ q / math.sqrt(K)
        e.retain_grad()
        a = torch.softmax(e, 0)
        c = a @ keys
        c.retain_grad()
        contexts, weights, scores, queries = [*contexts, c], [*weights, a], [*scores, e], [*queries, q]
        q = torch.tanh(q @ M + c @ C)
    (q * draw(K)).sum().backward()
    number = lambda tensors: [one.detach().tolist() for one in tensors]  # noqa: E731
    d, alpha, queries = number(one.grad for one in contexts), number(weights), number(queries)
    g, values = number(one.grad for one in scores), number(states)
    after = [0.0] * K
    for s in reversed(range(S)):
        read_directly = [plus(scaled(alpha[t][s], d[t]), scaled(g[t][s] / math.sqrt(K), queries[t])) for t in range(T)]
        through_next = [0.0] * K
        if s + 1 < S:
            back = [one * (1 - h * h) for one, h in zip(after, values[s + 1], strict=True)]
            through_next = times(back, transposed(W.tolist()))
        after = plus(*read_directly, through_next)
        yield after, states[s].grad.numpy()


def sequence():
    rng = np.random.default_rng(6)
    T, D = 5, 4
    return [rng.normal(size=shape) for shape in [(T, D), (D, K), (D, K), (D, V)]]


def self_attention_by_hand(X, W_q, W_k, W_v, seen):
    q, k, v = ([times(x, W) for x in X] for W in (W_q, W_k, W_v))
    scores = [[product(one, other) / math.sqrt(K) for other in k] for one in q]
    return [context_by_hand(weights_by_hand(row, may), v) for row, may in zip(scores, seen, strict=True)]


def self_attention():
    r"""O = \operatorname{softmax}\Bigl( \frac{X W_q\, (X W_k)^\top}{\sqrt K} \Bigr)\, X W_v"""
    X, *maps = sequence()
    T = len(X)
    q, k, v = ([times(x, W) for x in X] for W in maps)
    rows = [softmax([product(one, other) / math.sqrt(K) for other in k]) for one in q]
    everything = np.ones((T, T), dtype=bool)
    in_book = from_book(CHAPTER, "self_attention")
    yield [context_by_hand(row, v) for row in rows], in_book(X, *maps, everything)
    earlier = np.tri(T, dtype=bool)
    want = self_attention_by_hand(X, *maps, earlier)
    yield want, in_book(X, *maps, earlier)
    yield want, answers.self_attention(X[None], *maps, np.ones((1, T), dtype=bool))[0]


def permutation():
    r"""\operatorname{att}(P X) = P \operatorname{att}(X)"""
    X, *maps = sequence()
    everything = np.ones((len(X), len(X)), dtype=bool)
    want = self_attention_by_hand(X, *maps, everything)
    for order in itertools.islice(itertools.permutations(range(len(X))), 1, 120, 17):
        yield [want[n] for n in order], from_book(CHAPTER, "self_attention")(X[list(order)], *maps, everything)


def positions():
    r"""p_{t,\,2i} = \sin\bigl(t / 10000^{2i / D}\bigr), \qquad p_{t,\,2i+1} = \cos\bigl(t / 10000^{2i / D}\bigr)"""
    for T, D in [(1, 2), (7, 6), (40, 8)]:
        want = np.zeros((T, D))
        for t, i in itertools.product(range(T), range(D // 2)):
            want[t, 2 * i] = math.sin(t / 10000 ** (2 * i / D))
            want[t, 2 * i + 1] = math.cos(t / 10000 ** (2 * i / D))
        yield want, from_book(CHAPTER, "positions")(T, D)


EQUATIONS = {
    "attention-weights": attention_weights,
    "context": context,
    "dot-score": dot,
    "general-score": general,
    "additive-score": additive,
    "value-gradient": value_gradient,
    "score-gradient": score_gradient,
    "query-gradient": query_gradient,
    "general-gradient": general_gradient,
    "additive-gradient": additive_gradient,
    "attentive-state": attentive_state,
    "attentive-output": attentive_output,
    "two-paths": two_paths,
    "self-attention": self_attention,
    "permutation": permutation,
    "positions": positions,
}

IMPLEMENTED = [
    ("attention-weights", lambda: defined(CHAPTER, "softmax")),
    ("attention-weights", lambda: inspect.getsource(answers.masked_softmax)),
    ("attention-weights", lambda: inspect.getsource(package.masked_softmax)),
    ("context", lambda: defined(CHAPTER, "read")),
    ("context", lambda: inspect.getsource(answers.dot_attention)),
    ("context", lambda: inspect.getsource(package.Attention.forward)),
    ("dot-score", lambda: defined(CHAPTER, "dot_score")),
    ("dot-score", lambda: inspect.getsource(answers.dot_attention)),
    ("dot-score", lambda: inspect.getsource(package.DotAttention)),
    ("general-score", lambda: defined(CHAPTER, "general_score")),
    ("general-score", lambda: inspect.getsource(package.GeneralAttention)),
    ("additive-score", lambda: defined(CHAPTER, "additive_score")),
    ("additive-score", lambda: inspect.getsource(answers.additive_attention)),
    ("additive-score", lambda: inspect.getsource(package.AdditiveAttention)),
    ("value-gradient", lambda: defined(CHAPTER, "read_back")),
    ("value-gradient", lambda: inspect.getsource(answers.attention_backward)),
    ("score-gradient", lambda: defined(CHAPTER, "read_back")),
    ("score-gradient", lambda: inspect.getsource(answers.attention_backward)),
    ("query-gradient", lambda: defined(CHAPTER, "dot_back")),
    ("query-gradient", lambda: inspect.getsource(answers.attention_backward)),
    ("general-gradient", lambda: defined(CHAPTER, "general_back")),
    ("additive-gradient", lambda: defined(CHAPTER, "additive_back")),
    ("attentive-state", lambda: defined(CHAPTER, "decoder_step")),
    ("attentive-state", lambda: inspect.getsource(answers.decoder_step)),
    ("attentive-output", lambda: defined(CHAPTER, "decoder_step")),
    ("attentive-output", lambda: inspect.getsource(answers.decoder_step)),
    ("self-attention", lambda: defined(CHAPTER, "self_attention")),
    ("self-attention", lambda: inspect.getsource(answers.self_attention)),
    ("positions", lambda: defined(CHAPTER, "positions")),
]
