import copy

import numpy as np
import pytest
import torch

from rnncourse import language_model
from rnncourse.language_model import LanguageModel, bits, choose, fit, pieces, probabilities, write

K, H = 7, 5


def model(kind="GRU", dropout=0.0, seed=0):
    torch.manual_seed(seed)
    return LanguageModel(kind, K, H, dropout)


def text(N, seed=0):
    return np.random.default_rng(seed).integers(0, K, N)


def numbers(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


# ---------------------------------------------------------------- the model


@pytest.mark.parametrize("kind", language_model.KINDS)
def test_a_state_carried_on_makes_two_pieces_one(kind):
    network, x = model(kind), torch.from_numpy(text(24).reshape(2, 12))
    whole, last = network(x)
    first, state = network(x[:, :5])
    second, end = network(x[:, 5:], state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)
    for a, b in zip(end, last, strict=True):
        torch.testing.assert_close(a, b)


def test_no_logit_depends_on_what_comes_later():
    network, x = model(), torch.from_numpy(text(10)[None])
    other = x.clone()
    other[:, 6:] = (other[:, 6:] + 1) % K
    torch.testing.assert_close(network(x)[0][:, :6], network(other)[0][:, :6])


def test_the_input_weights_are_looked_up():
    network = model("RNN")
    rnn, x = network.rnn, text(6)
    h = torch.zeros(H)
    for character in x:
        h = torch.tanh(rnn.weight_ih_l0[:, character] + rnn.bias_ih_l0 + rnn.weight_hh_l0 @ h + rnn.bias_hh_l0)
    want = network.output.weight @ h + network.output.bias
    torch.testing.assert_close(network(torch.from_numpy(x)[None])[0][0, -1], want)


def test_the_start():
    network = LanguageModel("LSTM", 100, 40)
    assert network.rnn.weight_ih_l0.std().item() == pytest.approx(0.3, rel=0.05)
    forget = network.rnn.bias_ih_l0[40:80]
    assert forget.tolist() == [1.0] * 40
    assert network.rnn.bias_ih_l0[:40].abs().max() <= 40**-0.5


def test_an_unknown_kind_is_named():
    with pytest.raises(ValueError, match=r"RNN, LSTM, GRU, got 'Transformer'"):
        LanguageModel("Transformer", K, H)


# ---------------------------------------------------------------- learning


@pytest.mark.parametrize(("N", "rows", "steps"), [(31, 3, 4), (31, 3, 5), (10, 1, 3), (9, 8, 2), (100, 7, 200)])
def test_rows_go_on_and_y_is_the_next_character(N, rows, steps):
    found = list(pieces(np.arange(N), rows, steps))
    x, y = (np.concatenate(parts, axis=1) for parts in zip(*found, strict=True))
    np.testing.assert_array_equal(x, np.arange(x.size).reshape(rows, -1))
    np.testing.assert_array_equal(y, x + 1)
    assert 1 <= N - x.size <= rows
    assert all(a.shape == (rows, steps) for a, _ in found[:-1])


def test_too_short_a_text_is_refused():
    with pytest.raises(ValueError, match="4 rows need at least 5 characters, got 4"):
        next(pieces(np.arange(4), 4, 2))


@pytest.mark.parametrize("kind", language_model.KINDS)
def test_a_text_that_repeats_itself_is_learned(kind):
    network, again = model(kind), np.tile([1, 2, 3, 1, 4], 200)
    losses = list(fit(network, again, 150, 0.05, np.random.default_rng(0), (4, 16)))
    assert len(losses) == 150
    assert losses[0] > 2
    assert losses[-1] < 0.2
    assert bits(probabilities(network, again)) < 0.2


def test_the_first_loss_is_that_of_the_first_piece_in_bits():
    network, some = model(), text(200)
    start = copy.deepcopy(network)
    rng = np.random.default_rng(5)
    loss = next(fit(network, some, 10, 0.01, np.random.default_rng(5), (3, 8)))
    x, y = next(pieces(some[rng.integers(8) :], 3, 8))
    nats = language_model.loss_of(start, x, y)[0].item()
    assert loss == pytest.approx(nats / np.log(2), rel=1e-6)


def test_the_state_is_carried_and_no_gradient_goes_with_it(monkeypatch):
    received = []
    loss_of = language_model.loss_of

    def watched(network, x, y, state=None):
        received.append(state)
        loss, after = loss_of(network, x, y, state)
        received.append(after)
        return loss, after

    monkeypatch.setattr(language_model, "loss_of", watched)
    list(fit(model("LSTM"), text(400), 10, 0.01, np.random.default_rng(0), (3, 8)))
    before, after = received[::2], received[1::2]
    assert before[0] is None
    for given, left in zip(before[1:], after, strict=False):
        for a, b in zip(given, left, strict=True):
            assert not a.requires_grad
            torch.testing.assert_close(a, b.detach())


def test_training_is_repeatable_and_looking_in_between_changes_nothing():
    def trained(look):
        network = model(dropout=0.5)
        for _ in fit(network, text(300), 10, 0.01, np.random.default_rng(1), (3, 8)):
            if look:
                probabilities(network, text(20))
        return numbers(network)

    torch.testing.assert_close(trained(False), trained(True), rtol=0, atol=0)


def test_too_few_updates_for_a_cycle_are_refused():
    with pytest.raises(ValueError, match="updates must be at least 10, got 9"):
        next(fit(model(), text(100), 9, 0.01, np.random.default_rng(0), (3, 8)))


def test_weight_decay_shrinks():
    def size(decay):
        network = model()
        list(fit(network, text(300), 20, 0.01, np.random.default_rng(1), (3, 8), decay))
        return numbers(network).norm()

    assert size(1.0) < 0.97 * size(0.0)


# ---------------------------------------------------------------- reading


@pytest.mark.parametrize("kind", language_model.KINDS)
def test_probabilities_are_those_of_reading_character_by_character(kind):
    network, some = model(kind, dropout=0.5), text(23)
    network.eval()
    want, state, x = [], None, torch.tensor([[language_model.FIRST]])
    for character in some:
        with torch.no_grad():
            logits, state = network(x, state)
        want.append(torch.softmax(logits[0, 0], dim=0)[character].item())
        x = torch.tensor([[int(character)]])
    for steps in (1, 7, 100):
        np.testing.assert_allclose(probabilities(network, some, steps), want, rtol=1e-5)


def test_reading_leaves_the_model_as_it_is():
    network = model(dropout=0.5).train()
    before = numbers(network)
    probabilities(network, text(40), steps=5, rate=0.1)
    assert network.training
    torch.testing.assert_close(numbers(network), before, rtol=0, atol=0)


def test_learning_while_reading_helps_later_and_never_looks_ahead():
    network, again = model(), np.tile([1, 2, 3, 1, 4], 60)
    still, moving = probabilities(network, again, 10), probabilities(network, again, 10, rate=0.03)
    np.testing.assert_allclose(moving[:10], still[:10], rtol=1e-6)  # settled before the first update
    assert bits(moving[-50:]) < 0.5 * bits(still[-50:])
    other = again.copy()
    other[200:] = 0
    np.testing.assert_array_equal(probabilities(network, other, 10, rate=0.03)[:200], moving[:200])


def test_bits_of_known_probabilities():
    assert bits(np.array([1 / 2, 1 / 4, 1 / 2, 1 / 8])) == 1.75


# ---------------------------------------------------------------- writing


def test_evenly_spaced_numbers_choose_in_proportion():
    logits = np.array([0.3, -1.0, 1.2, 0.0])
    u = (np.arange(4000) + 0.5) / 4000
    for temperature, top_k in ((1.0, None), (0.4, None), (2.0, 3), (1.0, 1)):
        allowed = logits >= np.sort(logits)[-(top_k or 4)]
        p = np.exp(logits / temperature) * allowed
        got = np.bincount([choose(logits, v, temperature, top_k) for v in u], minlength=4) / 4000
        np.testing.assert_allclose(got, p / p.sum(), atol=1e-3)


def test_what_is_not_allowed_is_never_chosen():
    logits = np.array([-5.0, 1.0, 1.1, -5.0], dtype=np.float32)
    for u, want in ((0.0, 1), (np.nextafter(1, 0), 2)):
        assert choose(logits, u, 1.0, 2) == want
    assert choose(logits + 1e4, 0.5, 1e-6) == 2  # neither overflow nor a division by zero


def test_equal_logits_keep_the_first():
    assert {choose(np.zeros(4), u, 1.0, 2) for u in np.linspace(0, 0.999, 50)} == {0, 1}


@pytest.mark.parametrize(
    ("temperature", "top_k", "message"),
    [
        (0, None, "temperature must be positive, got 0"),
        (-1.0, None, "got -1"),
        (float("nan"), None, "got nan"),
        (1.0, 0, "top_k must be from 1 to 4, got 0"),
        (1.0, 5, "got 5"),
    ],
)
def test_knobs_that_make_no_sense_are_refused(temperature, top_k, message):
    with pytest.raises(ValueError, match=message):
        choose(np.zeros(4), 0.5, temperature, top_k)


def test_greedy_writing_is_the_most_likely_character_each_time():
    network, start = model(), text(4)
    got = write(network, start, 6, np.random.default_rng(0), top_k=1)
    read = np.concatenate([[language_model.FIRST], start])
    for character in got:
        logits = network(torch.from_numpy(read)[None])[0][0, -1]
        assert character == logits.argmax()
        read = np.append(read, character)


def test_writing_is_repeatable_and_may_start_from_nothing():
    network = model(dropout=0.5)
    one, two = (write(network, text(0), 30, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert one.shape == (30,)
    assert one.dtype == np.int64
    assert write(network, text(3), 0, np.random.default_rng(0)).shape == (0,)
