"""The equations of the chapter `seq2seq`, number by number."""

import inspect
import math

import numpy as np
import torch
from equations.tools import defined, from_book, plus, softmax, tanh, times

from rnncourse.check import seq2seq as exercise
from rnncourse.decode import beam_search, greedy
from rnncourse.encoder_decoder import EncoderDecoder
from rnncourse.seq2seq import Seq2Seq, batch, loss
from rnncourse.vocabulary import START, STOP

S, D, H, O = 5, 3, 4, 4
SHAPES = {"E": (O, D), "U": (D, H), "K": (H, H), "W": (H, H), "b": (H,), "V": (H, O), "c": (O,)}


def network():
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=shape) for name, shape in SHAPES.items()}


def states(n, x):
    """The encoder's states, step by step."""
    h, found = [0.0] * H, []
    for x_t in x:
        h = tanh(plus(times(x_t, n["U"]), times(h, n["W"]), n["b"]))
        found.append(h)
    return found


def steps(n, tokens, s, C):
    """The decoder's states and probabilities after each of the tokens that it reads."""
    found = []
    for y in tokens:
        s = tanh(plus(times(n["E"][y], n["U"]), times(C, n["K"]), times(s, n["W"]), n["b"]))
        found.append((s, softmax(plus(times(s, n["V"]), n["c"]))))
    return found


def given():
    """A network, inputs (S, D), a first state (H,) and a context (H,)."""
    rng = np.random.default_rng(1)
    return network(), rng.normal(size=(S, D)), rng.normal(size=H), rng.normal(size=H)


def of_model(form):
    """The hidden states of the encoder of a model and the context that it makes of them, three sentences padded."""
    torch.manual_seed(0)
    model = EncoderDecoder(8, 6, H, D, form).double()
    source, mask = (
        torch.tensor([[4, 5, 6, 7], [6, 4, 0, 0], [5, 5, 7, 0]]),
        torch.arange(4) < torch.tensor([[4], [2], [3]]),
    )
    with torch.no_grad():
        sentences = [row[real] for row, real in zip(source, mask, strict=True)]
        hidden = [model.encoder(model.source_embedding(row[None]))[0][0].numpy() for row in sentences]
        M, m = (p.numpy() for p in model.map.parameters())
        return hidden, model.context(source, mask).numpy(), M.T, m


def context_last():
    r"""C = h_S"""
    n, x, _, _ = given()
    encoder = (n["U"], n["W"], n["b"])
    yield states(n, x)[-1], from_book("seq2seq", "read")(x, *encoder)
    yield [states(n, x)[-1]], exercise.encode(x[None], *encoder, np.full((1, S), True))
    hidden, C, _, _ = of_model("last")
    yield [h[-1] for h in hidden], C


def context_mapped():
    r"""C = \tanh(h_S M + m)"""
    hidden, C, M, m = of_model("last, mapped")
    yield [tanh(plus(times(h[-1], M), m)) for h in hidden], C


def context_mean():
    r"""C = \frac{1}{S} \sum_{s=1}^{S} h_s"""
    hidden, C, _, _ = of_model("mean")
    yield [[sum(column) / len(h) for column in zip(*h, strict=True)] for h in hidden], C
    hidden, C, M, m = of_model("mean, mapped")
    means = [[sum(column) / len(h) for column in zip(*h, strict=True)] for h in hidden]
    yield [tanh(plus(times(mean, M), m)) for mean in means], C


def decoder_state():
    r"""s_t = \tanh(E_{y_{t-1}} U + C K + s_{t-1} W + b)"""
    n, _, s_0, C = given()
    write_one, s = from_book("seq2seq", "write_one"), s_0
    for y, (want, _) in zip((0, 2, 1, 3), steps(n, (0, 2, 1, 3), s_0, C), strict=True):
        yield [want], exercise.decoder_step(np.array([y]), s[None], C[None], **n)[1]
        s = write_one(y, s, C, *n.values())[1]
        yield want, s


def decoder_output():
    r"""p_t = \operatorname{softmax}(s_t V + c)"""
    n, _, s_0, C = given()
    [(_, p)] = steps(n, [2], s_0, C)
    yield p, from_book("seq2seq", "write_one")(2, s_0, C, *n.values())[0]
    log_p, _ = exercise.decoder_step(np.array([2]), s_0[None], C[None], **n)
    yield [[math.log(value) for value in p]], log_p


def sequence_probability():
    r"""\ln p(y_1, \dots, y_T \mid x) = \sum_{t=1}^{T} \ln p_t(y_t)"""
    n, _, _, C = given()
    code = from_book("seq2seq", "log_probability", write_one=from_book("seq2seq", "write_one"), H=H)
    for y in ([3], [1, 0, 2, 3]):
        found = steps(n, [0, *y[:-1]], [0.0] * H, C)
        yield sum(math.log(p[token]) for (_, p), token in zip(found, y, strict=True)), code(y, C, list(n.values()), 0)


def teacher_forcing():
    r"""\text{input}_1 = \text{START}, \qquad \text{input}_t = y_{t-1} \quad (t = 2, \dots, T)"""
    y = [7, 5, 9, STOP]
    want = [[START if t == 1 else y[t - 2] for t in range(1, 5)]]
    yield want, batch([([4], y[:-1])]).target_in.numpy()
    yield want, exercise.teacher_inputs(np.array([y]), START)


def sequence_loss():
    r"""L = -\frac{1}{N} \sum_{\text{real } (n, t)} \ln p_{n,t}(y_{n,t})"""
    rng = np.random.default_rng(2)
    p = rng.dirichlet(np.ones(6), size=(2, 4))
    y, real = np.array([[4, 5, 3, 2], [5, 2, 0, 0]]), np.array([[True] * 4, [True, True, False, False]])
    places = [(n, t) for n in range(2) for t in range(4) if real[n, t]]
    want = -sum(math.log(p[n, t, y[n, t]]) for n, t in places) / len(places)
    yield want, exercise.sequence_loss(np.log(p), y, real)
    yield want, loss(torch.tensor(np.log(p)), torch.tensor(y)).numpy()


def scheduled_sampling():
    r"""\text{input}_t = \begin{cases} y_{t-1} & \text{with probability } \varepsilon \\
    \arg\max_y p_{t-1}(y) & \text{otherwise} \end{cases}"""
    torch.manual_seed(0)
    model = Seq2Seq(8, 9, hidden=6, embedding=4).double()
    source, mask = torch.tensor([[4, 5, 6], [7, 4, 5]]), torch.ones(2, 3, dtype=torch.bool)
    right = torch.tensor([[START, 4, 5, 6, 7], [START, 8, 4, 4, 5]])
    with torch.no_grad():
        for epsilon in (0.0, 0.5, 1.0):
            tosses = torch.Generator().manual_seed(3)
            memory = model.encode(source, mask)
            state, inputs, want = memory.state, right[:, 0], []
            for t in range(5):
                if t:
                    told = torch.rand(2, generator=tosses) < epsilon
                    inputs = torch.tensor([right[n, t] if told[n] else want[-1][n].argmax() for n in range(2)])
                log_p, state, _ = model.step(inputs, state, memory)
                want.append(log_p)
            logits = model(source, mask, right, epsilon, torch.Generator().manual_seed(3))
            yield torch.stack(want, dim=1).numpy(), torch.log_softmax(logits, dim=2).numpy()


def searched(power):
    """A search over a table of probabilities, as in the chapter: a is 0, b is 1, STOP is 2 (and START reads row 3)."""
    table = torch.tensor([[0.3, 0.3, 0.4], [0.05, 0.05, 0.9], [1.0, 1.0, 1.0], [0.5, 0.4, 0.1]], dtype=torch.float64)
    step = lambda tokens, state: (torch.log(table[tokens]), state)  # noqa: E731
    beam = beam_search(step, torch.zeros(1, 1), 3, 2, limit=6, beam=3, length_power=power)
    return table.tolist(), greedy(step, torch.zeros(1, 1), 3, 2, limit=6)[0], beam[0].hypotheses


def score(table, tokens):
    return sum(math.log(table[before][token]) for before, token in zip([3, *tokens], [*tokens, 2], strict=True))


def beam_score():
    r"""\operatorname{score}(y_1, \dots, y_t) = \sum_{i=1}^{t} \ln p_i(y_i) ."""
    table, alone, hypotheses = searched(0.0)
    yield math.log(0.5 * 0.4), alone.score  # the numbers in the text
    yield math.log(0.36), hypotheses[0].score
    for hypothesis in (alone, *hypotheses):
        yield score(table, hypothesis.tokens), hypothesis.score


def length_normalisation():
    r"""\frac{\operatorname{score}(y_1, \dots, y_T)}{T^{\alpha}}, \qquad 0 \le \alpha \le 1"""
    for alpha in (0.0, 0.5, 1.0):
        table, _, hypotheses = searched(alpha)
        for hypothesis in hypotheses:
            T = len(hypothesis.tokens) + 1
            yield score(table, hypothesis.tokens) / T**alpha, hypothesis.normalised


EQUATIONS = {
    "context-last": context_last,
    "context-mapped": context_mapped,
    "context-mean": context_mean,
    "decoder-state": decoder_state,
    "decoder-output": decoder_output,
    "sequence-probability": sequence_probability,
    "teacher-forcing": teacher_forcing,
    "sequence-loss": sequence_loss,
    "scheduled-sampling": scheduled_sampling,
    "beam-score": beam_score,
    "length-normalisation": length_normalisation,
}

IMPLEMENTED = [
    ("context-last", lambda: defined("seq2seq", "read")),
    ("context-last", lambda: inspect.getsource(EncoderDecoder)),
    ("context-mapped", lambda: inspect.getsource(EncoderDecoder)),
    ("context-mean", lambda: inspect.getsource(EncoderDecoder)),
    ("decoder-state", lambda: defined("seq2seq", "write_one")),
    ("decoder-output", lambda: defined("seq2seq", "write_one")),
    ("sequence-probability", lambda: defined("seq2seq", "log_probability")),
    ("teacher-forcing", lambda: inspect.getsource(exercise.teacher_inputs)),
    ("sequence-loss", lambda: inspect.getsource(exercise.sequence_loss)),
    ("beam-score", lambda: inspect.getsource(exercise.beam_search)),
    ("length-normalisation", lambda: inspect.getsource(exercise.beam_search)),
]
