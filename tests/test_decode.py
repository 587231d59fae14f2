import itertools
import math

import pytest
import torch

from rnncourse.decode import beam_search, greedy

START, STOP, V = 1, 2, 5


def chain(seed, sentences=1):
    """A language model with random tables: the next token depends on the last two and on the sentence."""
    tables = torch.randn(sentences, V, V, V, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    tables = torch.log_softmax(2 * tables, dim=-1)

    def step(tokens, state):
        sentence, last = state
        return tables[sentence, last, tokens], (sentence, tokens)

    return step, (torch.arange(sentences), torch.full((sentences,), START)), tables


def score(table, tokens):
    """The sum of the log-probabilities of tokens, STOP among them."""
    total, before = 0.0, (START, START)
    for token in tokens:
        total += float(table[before][token])
        before = (before[1], token)
    return total


def every_sentence(limit):
    """All sentences that end with STOP within so many tokens."""
    others = [token for token in range(V) if token != STOP]
    for length in range(limit):
        for words in itertools.product(others, repeat=length):
            yield (*words, STOP)


@pytest.mark.parametrize("seed", range(5))
def test_greedy_is_a_slow_loop(seed):
    step, state, tables = chain(seed, 7)
    for n, found in enumerate(greedy(step, state, START, STOP, 6)):
        words = []
        while len(words) < 6 and STOP not in words:
            before = ([START, START, *words])[-2:]
            words.append(int(tables[n][tuple(before)].argmax()))
        assert found.ended == (STOP in words)
        assert found.tokens == tuple(word for word in words if word != STOP)
        assert found.score == pytest.approx(score(tables[n], words), abs=1e-12)
        assert found.normalised == pytest.approx(found.score / len(words), abs=1e-12)


@pytest.mark.parametrize("limit", [1, 2, 6])
@pytest.mark.parametrize("seed", range(5))
def test_a_beam_of_one_is_greedy(seed, limit):
    step, state, _ = chain(seed, 6)
    ours = [found.hypotheses for found in beam_search(step, state, START, STOP, limit, 1)]
    assert all(len(hypotheses) == 1 for hypotheses in ours)
    for (one,), other in zip(ours, greedy(step, state, START, STOP, limit), strict=True):
        assert (one.tokens, one.ended) == (other.tokens, other.ended)
        assert one.score == pytest.approx(other.score, abs=1e-12)
        assert one.normalised == pytest.approx(other.normalised, abs=1e-12)


@pytest.mark.parametrize("power", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_beam_that_is_wide_enough_is_exhaustive(seed, power):
    limit = 4
    sentences = list(every_sentence(limit))
    step, state, (table,) = chain(seed)
    (found,) = beam_search(step, state, START, STOP, limit, V**limit, power)
    ended = [hypothesis for hypothesis in found.hypotheses if hypothesis.ended]
    want = {words[:-1]: score(table, words) for words in sentences}
    assert {hypothesis.tokens for hypothesis in ended} == set(want)
    assert len(ended) == len(want)
    for hypothesis in ended:
        assert hypothesis.score == pytest.approx(want[hypothesis.tokens], abs=1e-12)
    best = max(sentences, key=lambda words: score(table, words) / len(words) ** power)
    assert ended[0].tokens == best[:-1]


def test_wider_beams_find_better_scores_on_average_and_none_beyond_the_best():
    limit, best = 5, []
    for width in (1, 2, 8, V**limit):
        step, state, _ = chain(3, 40)
        found = beam_search(step, state, START, STOP, limit, width, length_power=0)
        best.append(
            [max(h.score for h in one.hypotheses if h.ended) if one.hypotheses[0].ended else -99 for one in found]
        )
    exhaustive = best[-1]
    assert all(x <= y + 1e-12 for row in best for x, y in zip(row, exhaustive, strict=True))
    means = [sum(row) / len(row) for row in best]
    assert means == sorted(means)
    assert means[0] < means[-1]


def test_greed_can_be_wrong():
    """The first token a is likelier, but what follows b is certain."""
    a, b = 3, 4
    chances = torch.full((V, V), 1e-9)
    chances[START, a], chances[START, b] = 0.6, 0.4
    chances[a, [STOP, a, b]] = 1 / 3
    chances[b, STOP] = 1.0
    step = lambda tokens, state: (chances[tokens].log(), state)  # noqa: E731
    state = torch.zeros(1, 1)
    (one,) = greedy(step, state, START, STOP, 5)
    (two,) = beam_search(step, state, START, STOP, 5, 2, 0)
    assert one.tokens[0] == a
    assert two.hypotheses[0].tokens == (b,)
    assert two.hypotheses[0].score == pytest.approx(math.log(0.4), abs=1e-6)


def test_hypotheses_are_sorted_and_lengths_count_as_they_should():
    step, state, tables = chain(1, 8)
    for power in (0.0, 0.6, 1.0):
        for n, found in enumerate(beam_search(step, state, START, STOP, 8, 4, power)):
            assert 1 <= len(found.hypotheses) <= 4
            keys = [(not h.ended, -h.normalised) for h in found.hypotheses]
            assert keys == sorted(keys)
            assert len({(h.tokens, h.ended) for h in found.hypotheses}) == len(found.hypotheses)
            for h in found.hypotheses:
                words = (*h.tokens, STOP) if h.ended else h.tokens
                assert len(words) <= 8
                assert h.score == pytest.approx(score(tables[n], words), abs=1e-12)
                assert h.normalised == pytest.approx(h.score / len(words) ** power, abs=1e-12)


def test_sentences_of_a_batch_do_not_disturb_each_other():
    step, (sentence, last), _ = chain(2, 6)
    together = beam_search(step, (sentence, last), START, STOP, 7, 3)
    for n in range(6):
        (alone,) = beam_search(step, (sentence[n : n + 1], last[n : n + 1]), START, STOP, 7, 3)
        assert alone == together[n]


def test_the_tree_tells_the_whole_search():
    step, state, _ = chain(4)
    (found,) = beam_search(step, state, START, STOP, 5, 3)
    for place, node in enumerate(found.tree):
        assert node.parent < place
        before = found.tree[node.parent].score if node.parent >= 0 else 0.0
        assert node.depth == (found.tree[node.parent].depth + 1 if node.parent >= 0 else 1)
        assert node.score == pytest.approx(before + node.log_probability, abs=1e-12)
        assert (node.fate == "ended") <= (node.token == STOP)
        assert node.parent < 0 or found.tree[node.parent].fate == "live"
    for depth in range(1, found.tree[-1].depth + 1):
        level = [node for node in found.tree if node.depth == depth]
        assert [node.score for node in level] == sorted((node.score for node in level), reverse=True)
        assert sum(node.fate == "live" for node in level) <= 3
    for h in found.hypotheses:
        assert found.tree[h.node].score == h.score
        assert found.tree[h.node].token == (STOP if h.ended else h.tokens[-1])


def test_what_is_impossible_is_never_taken():
    chances = torch.zeros(V, V)
    chances[START, 3] = chances[3, STOP] = 1.0
    step = lambda tokens, state: (chances[tokens].log(), state)  # noqa: E731
    (found,) = beam_search(step, torch.zeros(1, 1), START, STOP, 6, 4)
    assert [(h.tokens, h.score, h.ended) for h in found.hypotheses] == [((3,), 0.0, True)]


def test_a_state_may_be_one_tensor_and_is_not_modified():
    table = chain(0)[2][0]
    state = torch.full((2, 1), START)
    step = lambda tokens, state: (table[state[:, 0], tokens], tokens.unsqueeze(1))  # noqa: E731
    first, second = greedy(step, state, START, STOP, 5)
    assert first == second
    assert state.tolist() == [[START], [START]]
    a, b = beam_search(step, state, START, STOP, 5, 2)
    assert a == b


def test_nothing_is_recorded_for_gradients():
    weight = torch.zeros(V, requires_grad=True)
    seen = []

    def step(tokens, state):
        log_probabilities = torch.log_softmax(weight, dim=0).expand(len(tokens), V)
        seen.append(log_probabilities.requires_grad)
        return log_probabilities, state

    greedy(step, torch.zeros(1, 1), START, STOP, 2)
    beam_search(step, torch.zeros(1, 1), START, STOP, 2, 2)
    assert seen
    assert not any(seen)


@pytest.mark.parametrize(
    ("rows", "limit", "beam", "message"),
    [
        (1, 0, 2, "limit must be at least 1, got 0"),
        (1, 3, 0, "beam must be at least 1, got 0"),
        (0, 3, 2, "the state has no rows"),
    ],
)
def test_bad_input_is_refused(rows, limit, beam, message):
    step = lambda tokens, state: (torch.zeros(len(tokens), V), state)  # noqa: E731
    with pytest.raises(ValueError, match=message):
        beam_search(step, torch.zeros(rows, 1), START, STOP, limit, beam)
    if beam:
        with pytest.raises(ValueError, match=message):
            greedy(step, (torch.zeros(rows, 1),), START, STOP, limit)
