"""The equations of the chapter `char-rnn`, number by number."""

import inspect
import itertools
import math

import numpy as np
import torch
from equations.tools import from_book, plus, softmax, times

from rnncourse import language_model, ngram
from rnncourse.cells import GRUCell, LSTMCell, RNNCell
from rnncourse.check.char_rnn import TASKS
from rnncourse.language_model import LanguageModel, bits, choose
from rnncourse.losses import cross_entropy
from rnncourse.train import LastStep, init_last_step
from rnncourse.unroll import bptt, unroll

ANSWERS = {task.name: task for task in TASKS}
ALPHABET, LEARNED, READ = "abc", "abacabcababcaacabbcbabcacaba" * 2, "cabab"
K = len(ALPHABET)


def conditionals(model, text):
    return [ngram.probability(model, text[:t], text[t]) for t in range(len(text))]


def chain_rule():
    r"""p(x_1, \dots, x_N) = \prod_{t=1}^{N} p(x_t \mid x_1, \dots, x_{t-1})"""
    for order in (0, 2, 4):
        model = ngram.count(LEARNED, order, K)
        yield math.prod(conditionals(model, READ)), np.prod(ngram.probabilities(model, READ))
        texts = map("".join, itertools.product(ALPHABET, repeat=4))
        yield 1.0, sum(math.prod(conditionals(model, text)) for text in texts)  # it is a probability of texts


def code_length():
    r"""-\log_2 p(x_1, \dots, x_N) = \sum_{t=1}^{N} -\log_2 p(x_t \mid x_1, \dots, x_{t-1})"""
    model = ngram.count(LEARNED, 2, K)
    want = sum(-math.log2(p) for p in conditionals(model, READ))
    yield -math.log2(math.prod(conditionals(model, READ))), want
    yield want, -np.log2(ngram.probabilities(model, READ)).sum()
    first = ANSWERS["bits_by_hand"].answer()[0]
    yield sum(-math.log2(p) for p in (1 / 2, 1 / 4, 1 / 2, 1 / 8)), float(first)


def probabilities_of_a_batch():
    """Logits of one sequence, the right characters and their probabilities."""
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(1, 6, K)), rng.integers(0, K, (1, 6))
    return logits, labels, [softmax(z)[k] for z, k in zip(logits[0].tolist(), labels[0], strict=True)]


def bits_per_character():
    r"""b = \frac1N \sum_{t=1}^{N} -\log_2 p(x_t \mid x_1, \dots, x_{t-1})"""
    logits, labels, p = probabilities_of_a_batch()
    want = sum(-math.log2(one) for one in p) / len(p)
    yield want, bits(np.array(p))
    yield want, float(ANSWERS["perplexity"].answer()(logits, labels, np.ones((1, 6), dtype=bool))[0])
    yield want, cross_entropy(logits, labels)[0] / math.log(2)


def perplexity():
    r"""2^{\,b} = \Bigl( \prod_{t=1}^{N} p(x_t \mid x_1, \dots, x_{t-1}) \Bigr)^{-1/N}"""
    logits, labels, p = probabilities_of_a_batch()
    want = math.prod(p) ** (-1 / len(p))
    yield want, 2 ** bits(np.array(p))
    yield want, float(ANSWERS["perplexity"].answer()(logits, labels, np.ones((1, 6), dtype=bool))[1])


def counts(context, n, order):
    """N(hx) for every x: occurrences for the longest context, different characters before for the others."""
    spots = [i for i in range(n, len(LEARNED)) if LEARNED[i - n : i] == context]
    if n == order:
        after = [LEARNED[i] for i in spots]
    else:
        after = [x for _, x in {(LEARNED[i - n - 1 : i - n] if i > n else "", LEARNED[i]) for i in spots}]
    return {x: after.count(x) for x in ALPHABET}


def kneser_ney():
    r"""p_n(x \mid h) = \frac{N(hx) - d(N(hx)) + \Bigl( \sum_y d(N(hy)) \Bigr)\, p_{n-1}(x \mid h')}{\sum_y N(hy)}"""
    for order in (0, 1, 3):
        model = ngram.count(LEARNED, order, K)

        def p(n, h, x, order=order, model=model):
            if n < 0:
                return 1 / K
            N = counts(h, n, order)
            if sum(N.values()) == 0:
                return p(n - 1, h[1:], x)
            d = {k: model.discounts[n][min(k, 3)] for k in set(N.values())}
            below = p(n - 1, h[1:], x)
            return (N[x] - d[N[x]] + sum(d[k] for k in N.values()) * below) / sum(N.values())

        for h, x in itertools.product(("abc", "caa", "ccc", "bba"), ALPHABET):
            yield p(order, h[3 - order :], x), ngram.probability(model, h, x)
    text, D = np.array([ALPHABET.index(x) for x in LEARNED[:25]]), 0.7  # with one discount, contexts of one character
    pairs = list(itertools.pairwise(text.tolist()))
    before = [len({a for a, b in pairs if b == x}) for x in range(K)]
    lower = [(max(n - D, 0) + D * sum(m > 0 for m in before) / K) / sum(before) for n in before]
    table = []
    for a in range(K):
        N = [pairs.count((a, x)) for x in range(K)]
        spared = sum(D for n in N if n > 0)
        table.append([(n - D * (n > 0) + spared * lower[x]) / sum(N) for x, n in enumerate(N)])
    yield table, ANSWERS["bigram"].answer()(text, K, D)


def discounts():
    r"""d(k) = k - (k + 1)\, \frac{n_1}{n_1 + 2 n_2} \cdot \frac{n_{k+1}}{n_k}, \qquad k = 1, 2, 3"""
    rng = np.random.default_rng(1)
    text = "".join(rng.choice(list("abcdefgh"), size=400, p=[0.4, 0.2, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05]))
    model = ngram.count(text, 2, 8)
    found = [k for row in model.counts[2].values() for k in row.values()]
    n = {k: found.count(k) for k in (1, 2, 3, 4)}
    want = [k - (k + 1) * n[1] / (n[1] + 2 * n[2]) * n[k + 1] / n[k] for k in (1, 2, 3)]
    yield [0.0, *want], list(model.discounts[2])
    yield sum(found), len(text) - 2


def next_character():
    r"""p(x_{t+1} = k \mid x_1, \dots, x_t) = \frac{e^{a_{t,k}}}{\sum_{j=1}^{K} e^{a_{t,j}}}, \qquad a_t = h_t V + c"""
    torch.manual_seed(0)
    model = LanguageModel("RNN", K, 4).double()
    read = np.array([0, 2, 1, 1])
    U, W = (w.detach().T.tolist() for w in (model.rnn.weight_ih_l0, model.rnn.weight_hh_l0))
    b = (model.rnn.bias_ih_l0 + model.rnn.bias_hh_l0).tolist()
    V, c = model.output.weight.detach().T.tolist(), model.output.bias.tolist()
    h, want, x = [0.0] * 4, [], language_model.FIRST
    for character in read:
        h = [math.tanh(z) for z in plus(U[x], times(h, W), b)]
        want.append(softmax(plus(times(h, V), c))[character])
        x = character
    yield want, language_model.probabilities(model, read)

    known = {"unroll": unroll, "bptt": bptt, "cross_entropy": cross_entropy, "LastStep": LastStep, "K": K}
    step_back = from_book("char-rnn", "step_back", **known)
    cell, rng = RNNCell("tanh"), np.random.default_rng(0)
    ours = init_last_step(cell, (K, 4, K), rng)
    x, y = read[None, :-1], read[None, 1:]
    run = unroll(cell, ours.parameters, np.eye(K, dtype=np.float32)[x])
    h = run.hidden[0].astype(float).tolist()
    p = [softmax(plus(times(row, ours.V.tolist()), ours.c.tolist()))[k] for row, k in zip(h, y[0], strict=True)]
    loss = step_back(cell, ours, x, y, None)[0]
    yield round(-sum(map(math.log, p)) / 3, 5), round(loss, 5)  # float32


def carried_state():
    r"""h_0^{(m+1)} = h_T^{(m)}, \qquad \frac{\partial L^{(m+1)}}{\partial h_T^{(m)}} \text{ is taken as } 0 ."""
    rng = np.random.default_rng(2)
    for cell in (RNNCell("tanh"), GRUCell(), LSTMCell()):
        model = init_last_step(cell, (K, 3, K), rng, np.float64)
        x, weights = rng.normal(size=(2, 12, K)), rng.normal(size=(2, 12, 3))
        whole = unroll(cell, model.parameters, x)
        cut = bptt(cell, model.parameters, whole.tape, weights, truncation=4).parameters
        state, gradients = None, []
        for start in range(0, 12, 4):
            here = slice(start, start + 4)
            run = unroll(cell, model.parameters, x[:, here], state)
            yield whole.hidden[:, here], run.hidden
            gradients.append(bptt(cell, model.parameters, run.tape, weights[:, here]).parameters)
            state = run.state
        for name in ("U", "W", "b_x"):
            yield sum(getattr(g, name) for g in gradients), getattr(cut, name)
    given = ANSWERS["learn"].uses[0].answer()
    sizes = [(K, 3), (3, 3), (3,), (3, K), (K,)]
    weights = [rng.normal(size=size) for size in sizes]
    x, y, h = rng.integers(0, K, (3, 2, 4)), rng.integers(0, K, (3, 2, 4)), rng.normal(size=(2, 3))
    losses, _, last = ANSWERS["learn"].answer()(x, y, h, weights, 0.0)
    for m in range(3):
        want, _, h = given(x[m], y[m], h, weights)
        yield want, losses[m]
    yield h, last


def drawn(logits, tau, k):
    """The probabilities of the formula, and S."""
    S = sorted(range(len(logits)), key=lambda i: -logits[i])[:k]
    total = sum(math.exp(logits[j] / tau) for j in S)
    return [math.exp(a / tau) / total if i in S else 0.0 for i, a in enumerate(logits)]


def temperature():
    r"""p_i = \frac{e^{a_i / \tau}}{\sum_{j \in S} e^{a_j / \tau}} \quad \text{for } i \in S,
    \qquad p_i = 0 \text{ otherwise}"""
    logits = np.random.default_rng(3).normal(size=(2, 6))
    for tau, k in ((1.0, 6), (0.5, 6), (2.0, 3), (0.3, 1)):
        want = [drawn(row, tau, k) for row in logits.tolist()]
        yield want, ANSWERS["distribution"].answer()(logits, tau, k)


def inverse_cdf():
    r"""i = \min \{\, j : p_1 + p_2 + \dots + p_j > u \,\}"""
    logits = np.random.default_rng(4).normal(size=(40, 5))
    u = np.append(np.random.default_rng(5).random(39), 0.0)
    for tau, k in ((1.0, 5), (1.7, 3)):
        p = [drawn(row, tau, k) for row in logits.tolist()]
        want = [min(j for j in range(5) if math.fsum(row[: j + 1]) > v) for row, v in zip(p, u, strict=True)]
        yield want, ANSWERS["sample"].answer()(logits, u, tau, k)
        yield want, [choose(row, v, tau, k) for row, v in zip(logits, u, strict=True)]


def mixture():
    r"""p(x \mid \text{past}) = \lambda\, p_{\text{network}}(x \mid \text{past})
    + (1 - \lambda)\, p_{\text{counting}}(x \mid \text{past})"""
    from scoreboard import topics

    rng = np.random.default_rng(6)
    network, counting = (topics.Held(rng.random(5), rng.random(5)) for _ in range(2))
    share, mixed = topics.mixed(network, counting)
    for part in (0, 1):
        want = [share * p + (1 - share) * q for p, q in zip(network[part], counting[part], strict=True)]
        yield want, mixed[part]


EQUATIONS = {
    "chain-rule": chain_rule,
    "code-length": code_length,
    "bits-per-character": bits_per_character,
    "perplexity": perplexity,
    "kneser-ney": kneser_ney,
    "discounts": discounts,
    "next-character": next_character,
    "carried-state": carried_state,
    "temperature": temperature,
    "inverse-cdf": inverse_cdf,
    "mixture": mixture,
}


def _answer(name):
    return lambda: ANSWERS[name].source


IMPLEMENTED = [
    ("bits-per-character", lambda: inspect.getsource(bits)),
    ("bits-per-character", _answer("perplexity")),
    ("perplexity", _answer("perplexity")),
    ("kneser-ney", lambda: inspect.getsource(ngram.probability)),
    ("kneser-ney", _answer("bigram")),
    ("discounts", lambda: inspect.getsource(ngram._discounts)),
    ("next-character", lambda: inspect.getsource(LanguageModel.forward)),
    ("carried-state", lambda: inspect.getsource(language_model.fit)),
    ("carried-state", _answer("learn")),
    ("temperature", lambda: inspect.getsource(choose)),
    ("temperature", _answer("distribution")),
    ("inverse-cdf", lambda: inspect.getsource(choose)),
    ("inverse-cdf", _answer("sample")),
    ("mixture", lambda: inspect.getsource(_mixed())),
]


def _mixed():
    from scoreboard import topics

    return topics.mixed
