import math

import pytest
import torch

from rnncourse.attention import AdditiveAttention, DotAttention, GeneralAttention, masked_softmax

B, S, Q, K = 3, 5, 4, 4
KINDS = {
    "additive": lambda: AdditiveAttention(Q, K, 6),
    "dot": DotAttention,
    "unscaled": lambda: DotAttention(scaled=False),
    "general": lambda: GeneralAttention(Q, K),
}
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 1, 0, 1, 0]], dtype=torch.bool)


@pytest.fixture(params=KINDS)
def attention(request):
    torch.manual_seed(0)
    return KINDS[request.param]().double()


def problem(seed=1):
    generator = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    return draw(B, Q), draw(B, S, K)


def slow_score(attention, q, k):
    """One score, number by number."""
    if isinstance(attention, AdditiveAttention):
        total = 0.0
        for j in range(6):
            z = sum(attention.query.weight[j, i] * q[i] for i in range(Q))
            z = z + sum(attention.key.weight[j, i] * k[i] for i in range(K)) + attention.key.bias[j]
            total = total + attention.score.weight[0, j] * torch.tanh(z)
        return total
    if isinstance(attention, GeneralAttention):
        return sum(q[i] * attention.key.weight[i, j] * k[j] for i in range(Q) for j in range(K))
    return sum(q[i] * k[i] for i in range(K)) / (math.sqrt(K) if attention.scaled else 1)


def test_it_is_a_slow_loop(attention):
    query, keys = problem()
    context, weights = attention(query, keys, MASK)
    scores = attention.scores(query, keys)
    for b in range(B):
        real = [s for s in range(S) if MASK[b, s]]
        e = [slow_score(attention, query[b], keys[b, s]) for s in range(S)]
        torch.testing.assert_close(scores[b], torch.stack(e))
        total = sum(torch.exp(e[s]) for s in real)
        want = [torch.exp(e[s]) / total if s in real else torch.zeros_like(total) for s in range(S)]
        torch.testing.assert_close(weights[b], torch.stack(want))
        torch.testing.assert_close(context[b], sum(want[s] * keys[b, s] for s in real))


def test_keys_of_another_size_than_the_query():
    for attention in (AdditiveAttention(2, 7, 3), GeneralAttention(2, 7)):
        context, weights = attention(torch.randn(B, 2), torch.randn(B, S, 7), MASK)
        assert (context.shape, weights.shape) == ((B, 7), (B, S))


def test_garbage_at_padding_changes_nothing(attention):
    query, keys = problem()
    garbage = torch.where(MASK.unsqueeze(2), keys, torch.full_like(keys, 1e30))
    for got, want in zip(attention(query, garbage, MASK), attention(query, keys, MASK), strict=True):
        assert torch.equal(got, want)


def test_projected_keys_can_be_kept(attention):
    query, keys = problem()
    kept = attention(query, keys, MASK, attention.project(keys))
    for got, want in zip(kept, attention(query, keys, MASK), strict=True):
        assert torch.equal(got, want)


def test_gradients_are_those_of_finite_differences(attention):
    query, keys = problem()
    weights = list(attention.parameters())

    def run(query, keys, *_):  # gradcheck changes the weights in place
        return attention(query, keys, MASK)

    inputs = (query.requires_grad_(), keys.requires_grad_(), *weights)
    assert torch.autograd.gradcheck(run, inputs)


def test_scaled_scores_of_random_vectors_do_not_grow_with_their_size():
    generator = torch.Generator().manual_seed(0)
    for size in (4, 256):
        query, keys = (torch.randn(*shape, generator=generator) for shape in ((200, size), (200, 50, size)))
        assert DotAttention().scores(query, keys).std() == pytest.approx(1, abs=0.05)
        assert DotAttention(scaled=False).scores(query, keys).std() == pytest.approx(size**0.5, rel=0.05)


def test_large_scores_do_not_overflow():
    weights = masked_softmax(
        torch.tensor([[1e30, -1e30, 0.0], [-1e30, -1e30, 3e30]]), torch.tensor([[1, 1, 1], [1, 1, 0]]).bool()
    )
    assert weights.tolist() == [[1, 0, 0], [0.5, 0.5, 0]]


def test_scores_at_padding_are_never_read():
    scores = torch.tensor([[1.0, float("nan"), float("inf")]])
    assert masked_softmax(scores, torch.tensor([[True, False, False]])).tolist() == [[1, 0, 0]]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: masked_softmax(torch.zeros(2, 3), torch.ones(2, 3)), TypeError, "mask must be Boolean.*float32"),
        (lambda: masked_softmax(torch.zeros(2, 3), torch.ones(2, 4).bool()), ValueError, r"\(2, 3\), got \(2, 4\)"),
        (lambda: masked_softmax(torch.zeros(2, 3), torch.eye(2, 3).bool() & False), ValueError, "row 0 .* no token"),
        (lambda: masked_softmax(torch.zeros(2, 3), torch.tensor([[True] * 3, [False] * 3])), ValueError, "row 1 "),
        (lambda: DotAttention().scores(torch.zeros(2, 3), torch.zeros(2, 5, 4)), ValueError, "Q = 3 and K = 4"),
    ],
)
def test_bad_input_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
