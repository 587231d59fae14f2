import numpy as np
import pytest
import torch

from rnncourse.decode import beam_search, greedy
from rnncourse.encoder_decoder import FEEDS, FORMS, EncoderDecoder
from rnncourse.seq2seq import batch, fit
from rnncourse.vocabulary import START, STOP

ALL = [(form, feed) for form in FORMS for feed in FEEDS]


def model_of(form, feed):
    torch.manual_seed(0)
    return EncoderDecoder(9, 7, 6, 4, form, feed).double()


@pytest.mark.parametrize(("form", "feed"), ALL)
def test_padding_never_changes_an_output(form, feed):
    model = model_of(form, feed)
    pairs = [([4, 5, 6, 7, 8], [4, 5]), ([5], [6]), ([8, 4, 4], [5, 5, 6])]
    one = batch(pairs)
    with torch.no_grad():
        together = model(one.source, one.mask, one.target_in)
        noisy = torch.where(one.mask, one.source, torch.randint(4, 9, one.source.shape))
        torch.testing.assert_close(model(noisy, one.mask, one.target_in), together, rtol=0, atol=1e-12)
        for n, pair in enumerate(pairs):
            alone = batch([pair])
            want = model(alone.source, alone.mask, alone.target_in)[0]
            torch.testing.assert_close(together[n, : len(want)], want, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("form", "feed"), ALL)
def test_step_by_step_is_the_same_as_all_at_once(form, feed):
    model = model_of(form, feed)
    one = batch([([4, 5, 6], [4, 5, 6]), ([7, 8, 4], [6, 4, 4])])
    with torch.no_grad():
        step, state = model.searcher(one.source, one.mask)
        found = []
        for t in range(one.target_in.shape[1]):
            log_p, state = step(one.target_in[:, t], state)
            found.append(log_p)
        want = torch.log_softmax(model(one.source, one.mask, one.target_in), dim=2)
    torch.testing.assert_close(torch.stack(found, dim=1), want, rtol=0, atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_fed_where(form):
    one = batch([([4, 5, 6], [4, 5, 6])])
    models = {feed: model_of(form, feed) for feed in FEEDS}
    with torch.no_grad():
        C = models["both"].context(one.source, one.mask)
        zero = torch.zeros_like(C)
        assert torch.equal(models["every step"].start(C), zero)
        assert all(torch.equal(models[feed].start(C), C) for feed in ("first state", "both"))
        for feed, depends in [("first state", False), ("every step", True), ("both", True)]:
            logits = [models[feed].advance(one.target_in, zero, context)[0] for context in (C, C + 1)]
            assert torch.equal(*logits) != depends


def test_searches_take_it():
    one = batch([([4, 5, 6], [4]), ([7, 7], [4])])
    searcher = model_of("last", "both").searcher(one.source, one.mask)
    with torch.no_grad():
        alone, beams = greedy(*searcher, START, STOP, 5), beam_search(*searcher, START, STOP, 5, 1)
    assert [hypothesis.tokens for hypothesis in alone] == [beam.hypotheses[0].tokens for beam in beams]


def test_it_learns_two_pairs_by_heart():
    torch.manual_seed(0)
    model, one = EncoderDecoder(8, 8, 16, 8), batch([([4, 5], [5, 4]), ([6, 7, 4], [7])])
    losses = fit(model, iter(lambda: one, None), updates=80, rate=0.02)
    assert np.mean(losses[-5:]) < 0.1 < losses[0]


def test_errors_name_what_is_wrong():
    with pytest.raises(ValueError, match="'first'"):
        EncoderDecoder(4, 4, 4, 4, form="first")
    with pytest.raises(ValueError, match="'never'"):
        EncoderDecoder(4, 4, 4, 4, feed="never")
    one = batch([([4], [4])])
    with pytest.raises(ValueError, match=r"0\.5"):
        EncoderDecoder(8, 8, 4, 4)(one.source, one.mask, one.target_in, 0.5)
