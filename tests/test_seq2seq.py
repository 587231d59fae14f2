import itertools

import pytest
import torch
from torch import nn

from rnncourse import seq2seq
from rnncourse.attention import AdditiveAttention, DotAttention, GeneralAttention
from rnncourse.decode import beam_search, greedy
from rnncourse.seq2seq import Batch, Seq2Seq, batch, batches, fit
from rnncourse.vocabulary import PAD, START, STOP, pad

V, W, H, E = 11, 9, 6, 5  # source and target vocabulary, hidden, embedding
PAIRS = [([4, 5, 6, 7], [8, 4]), ([10], [4, 5, 6, 7, 8]), ([9, 9, 4], [5])]
ATTENTIONS = {
    "none": lambda: None,
    "additive": lambda: AdditiveAttention(H, H, 4),
    "dot": DotAttention,
    "general": lambda: GeneralAttention(H, H),
}
SHAPES = [(1, True), (1, False), (2, True), (2, False)]  # layers, bidirectional


def build(attention="additive", layers=1, bidirectional=True, dropout=0.0, seed=0):
    torch.manual_seed(seed)
    return Seq2Seq(V, W, H, E, layers, ATTENTIONS[attention](), bidirectional, dropout).double().eval()


@pytest.fixture(params=itertools.product(ATTENTIONS, SHAPES), ids=str)
def model(request):
    attention, (layers, bidirectional) = request.param
    return build(attention, layers, bidirectional)


def gru(cell_weights, x, h):
    """One step of a GRU on one vector, from torch's own cell."""
    w_ih, w_hh, b_ih, b_hh = cell_weights
    cell = nn.GRUCell(len(x), len(h), dtype=x.dtype)
    cell.load_state_dict({"weight_ih": w_ih, "weight_hh": w_hh, "bias_ih": b_ih, "bias_hh": b_hh})
    return cell(x.unsqueeze(0), h.unsqueeze(0))[0]


def weights(rnn, layer, reverse=False):
    suffix = f"_l{layer}" + "_reverse" * reverse
    return [getattr(rnn, name + suffix) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]


def slow_logits(model, source, target_in):
    """One sentence without padding, token by token."""
    encoder, decoder = model.encoder, model.decoder
    layers, states = encoder.rnn.num_layers, list(encoder.embedding.weight[source])
    last = []
    for layer in range(layers):
        sides, ends = [], []
        for reverse in (False, True)[: 1 + encoder.rnn.bidirectional]:
            h, side = torch.zeros(encoder.rnn.hidden_size, dtype=torch.float64), []
            for x in reversed(states) if reverse else states:
                h = gru(weights(encoder.rnn, layer, reverse), x, h)
                side.append(h)
            sides.append(side[::-1] if reverse else side)
            ends.append(h)
        states = [torch.cat(parts) for parts in zip(*sides, strict=True)]
        last.append(torch.cat(ends))
    keys, state, logits = torch.stack(states), last, []
    for token in target_in:
        if decoder.attention is None:
            context = last[-1]
        else:
            scores = decoder.attention.scores(state[-1].unsqueeze(0), keys.unsqueeze(0))[0]
            context = torch.softmax(scores, dim=0) @ keys
        x, new = torch.cat([decoder.embedding.weight[token], context]), []
        for layer in range(layers):
            x = gru(weights(decoder.rnn, layer), x, state[layer])
            new.append(x)
        state = new
        logits.append(decoder.output(torch.tanh(decoder.readout(torch.cat([x, context])))))
    return torch.stack(logits)


def test_logits_are_those_of_a_slow_loop_over_single_sentences(model):
    one = batch(PAIRS)
    logits = model(one.source, one.mask, one.target_in)
    for row, (source, target) in zip(logits, PAIRS, strict=True):
        want = slow_logits(model, source, [START, *target])
        torch.testing.assert_close(row[: len(target) + 1], want, rtol=0, atol=1e-12)


def test_padding_never_changes_an_output(model):
    one = batch(PAIRS)
    generator = torch.Generator().manual_seed(1)
    wider = nn.functional.pad(one.source, (0, 3)), nn.functional.pad(one.mask, (0, 3))
    garbage = torch.randint(-9, 99, wider[0].shape, generator=generator)
    source = torch.where(wider[1], wider[0], garbage)
    want = model(one.source, one.mask, one.target_in)
    torch.testing.assert_close(model(source, wider[1], one.target_in), want, rtol=0, atol=1e-13)
    memory, other = model.encode(one.source, one.mask), model.encode(source, wider[1])
    torch.testing.assert_close(other.state, memory.state, rtol=0, atol=1e-13)
    torch.testing.assert_close(other.keys[:, :4], memory.keys, rtol=0, atol=1e-13)
    assert not other.keys[:, 4:].any()


def test_sentences_of_a_batch_do_not_disturb_each_other(model):
    one = batch(PAIRS)
    logits = model(one.source, one.mask, one.target_in)
    order = torch.tensor([2, 0, 1])
    turned = model(one.source[order], one.mask[order], one.target_in[order])
    torch.testing.assert_close(turned, logits[order], rtol=0, atol=1e-13)


def test_steps_agree_with_the_whole_target(model):
    one = batch(PAIRS)
    logits, read = model.read(one.source, one.mask, one.target_in)
    memory = model.encode(one.source, one.mask)
    state = memory.state
    assert state.shape == (3, model.decoder.rnn.num_layers, H)
    for t in range(one.target_in.shape[1]):
        log_probabilities, state, where = model.step(one.target_in[:, t], state, memory)
        torch.testing.assert_close(log_probabilities, torch.log_softmax(logits[:, t], dim=1), rtol=0, atol=1e-12)
        if model.decoder.attention is None:
            assert where is None
            assert read is None
        else:
            torch.testing.assert_close(where, read[:, t], rtol=0, atol=1e-12)
            torch.testing.assert_close(where.sum(dim=1), torch.ones(3, dtype=torch.float64))
            assert not where[~one.mask].any()


def test_the_future_of_the_target_is_not_seen(model):
    one = batch(PAIRS)
    later = one.target_in.clone()
    later[:, 3:] = 7
    a, b = (model(one.source, one.mask, target) for target in (one.target_in, later))
    torch.testing.assert_close(a[:, :3], b[:, :3], rtol=0, atol=0)
    assert not torch.equal(a[:, 3:], b[:, 3:])


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_gradients_are_those_of_finite_differences(attention):
    model, one = build(attention), batch(PAIRS)
    names = [name for name, _ in model.named_parameters() if "embedding" not in name]
    values = [dict(model.named_parameters())[name] for name in names]

    def run(*values):
        named = dict(zip(names, values, strict=True))
        logits = torch.func.functional_call(model, named, (one.source, one.mask, one.target_in))
        return seq2seq.loss(logits, one.target_out, smoothing=0.1)

    assert torch.autograd.gradcheck(run, values, fast_mode=True)
    run(*values).backward()
    assert all(p.grad is not None for p in model.parameters())
    assert not model.encoder.embedding.weight.grad[PAD].any()


@pytest.mark.parametrize("attention", ["none", "additive"])
def test_a_decoder_without_a_teacher_reads_what_it_wrote(attention):
    model, one = build(attention, seed=3), batch(PAIRS)
    free = model(one.source, one.mask, one.target_in, teacher_forcing=0.0)
    step, state = model.searcher(one.source, one.mask)
    found = greedy(step, state, START, stop=-1, limit=6)
    assert [list(h.tokens) for h in found] == free.argmax(dim=2).tolist()
    other = torch.cat([one.target_in[:, :1], one.target_in[:, 1:].flip(0)], dim=1)
    assert torch.equal(model(one.source, one.mask, other, teacher_forcing=0.0), free)


@pytest.mark.parametrize("attention", ["none", "dot"])
def test_scheduled_sampling_flips_a_coin_for_every_token(attention):
    model, one = build(attention, seed=3), batch(PAIRS)
    draw = lambda p, seed: model(  # noqa: E731
        one.source, one.mask, one.target_in, p, torch.Generator().manual_seed(seed)
    )
    assert torch.equal(draw(0.5, 1), draw(0.5, 1))
    assert not torch.equal(draw(0.5, 1), draw(0.5, 2))
    T = one.target_in.shape[1]
    coins = [torch.rand(3, generator=g) < 0.5 for g in [torch.Generator().manual_seed(1)] for _ in range(T - 1)]
    memory = model.encode(one.source, one.mask)
    token, state = one.target_in[:, 0], memory.state
    for t in range(T):
        log_probabilities, state, _ = model.step(token, state, memory)
        torch.testing.assert_close(log_probabilities, torch.log_softmax(draw(0.5, 1)[:, t], dim=1), rtol=0, atol=1e-12)
        if t + 1 < T:
            token = torch.where(coins[t], one.target_in[:, t + 1], log_probabilities.argmax(dim=1))


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("beam", [1, 3])
def test_a_search_finds_what_the_model_itself_scores(attention, beam):
    model, one = build(attention, layers=2, seed=1), batch(PAIRS)
    searcher = model.searcher(one.source, one.mask)
    found = beam_search(*searcher, START, STOP, 7, beam)
    if beam == 1:
        first = [b.hypotheses[0].tokens for b in found]
        assert first == [h.tokens for h in greedy(*searcher, START, STOP, 7)]
    for row, (source, _) in enumerate(PAIRS):
        ids, mask = pad([source])
        for h in found[row].hypotheses:
            log_probabilities = torch.log_softmax(model(ids, mask, torch.tensor([[START, *h.tokens]])), dim=2)[0]
            words = [*h.tokens, STOP] if h.ended else h.tokens
            assert h.score == pytest.approx(sum(log_probabilities[t, w].item() for t, w in enumerate(words)), abs=1e-10)


def test_a_batch_shifts_the_target_by_one():
    one = batch([([4, 5], [6, 7]), ([8], [])])
    assert one.source.tolist() == [[4, 5], [8, PAD]]
    assert one.mask.tolist() == [[True, True], [True, False]]
    assert one.target_in.tolist() == [[START, 6, 7], [START, PAD, PAD]]
    assert one.target_out.tolist() == [[6, 7, STOP], [STOP, PAD, PAD]]


def test_every_pass_holds_every_pair_once_and_seeds_repeat():
    pairs = [([4] * (1 + n % 7), [5] * (n % 5) + [6 + n]) for n in range(103)]
    last = lambda one: [row[row != PAD][-2].item() for row in one.target_out]  # noqa: E731

    def passes(seed, number):
        return [
            [last(one) for one in itertools.islice(stream, 11)]
            for stream in [batches(pairs, 10, seed)]
            for _ in range(number)
        ]

    first, second = passes(0, 2)
    for one in (first, second):
        assert sorted(n for rows in one for n in rows) == list(range(6, 109))
    assert first != second
    assert passes(0, 2) == [first, second]
    assert passes(1, 1) != [first]


def test_like_lengths_come_together():
    pairs = [([4], [5] * (n % 8 + 1)) for n in range(128)]
    padded = sum((one.target_out == PAD).sum().item() for one in itertools.islice(batches(pairs, 8, 0), 16))
    assert padded == 0


def test_the_loss_averages_over_real_tokens():
    torch.manual_seed(0)
    logits, one = torch.randn(3, 6, W, dtype=torch.float64), batch(PAIRS)
    terms = [
        -torch.log_softmax(row[t], dim=0)[w]
        for row, (_, y) in zip(logits, PAIRS, strict=True)
        for t, w in enumerate([*y, STOP])
    ]
    torch.testing.assert_close(seq2seq.loss(logits, one.target_out), sum(terms) / len(terms))


@pytest.mark.parametrize("one_cycle", [True, False])
def test_updates_are_adam_with_clipping_by_hand(one_cycle):
    stream = list(itertools.islice(batches(PAIRS * 4, 4, 0), 5))
    model, by_hand = build(), build()
    losses = fit(model, stream, 5, rate=0.01, clip_norm=0.1, one_cycle=one_cycle)
    optimiser, want = torch.optim.Adam(by_hand.parameters(), lr=0.01), []
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.01, total_steps=5)
    for one in stream:
        if not one_cycle:
            optimiser.param_groups[0].update(lr=0.01, betas=(0.9, 0.999))
        loss = seq2seq.loss(by_hand(one.source, one.mask, one.target_in), one.target_out)
        optimiser.zero_grad()
        loss.backward()
        norm = sum(p.grad.square().sum() for p in by_hand.parameters()).sqrt()
        for p in by_hand.parameters():
            p.grad *= min(1.0, 0.1 / (norm + 1e-6))
        optimiser.step()
        cycle.step()
        want.append(loss.item())
    assert losses == pytest.approx(want, rel=1e-9)
    for ours, theirs in zip(model.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-9)


def test_training_repeats_with_its_seed_and_leaves_the_random_state_alone():
    def run(seed):
        model = build(dropout=0.5)
        torch.manual_seed(99)
        losses = fit(model, batches(PAIRS, 2, 0), 4, seed=seed, teacher_forcing=lambda update: 0.5)
        assert not model.training
        return losses, torch.rand(1).item()

    torch.manual_seed(99)
    untouched = torch.rand(1).item()
    (first, a), (again, b), (other, _) = run(0), run(0), run(1)
    assert first == again
    assert first != other
    assert a == b == untouched


def test_schedule_and_watch_are_told_the_updates():
    asked, watched = [], []
    fit(
        build(),
        batches(PAIRS, 3, 0),
        3,
        teacher_forcing=lambda update: asked.append(update) or 1.0,
        watch=watched.append,
    )
    assert asked == [0, 1, 2]
    assert watched == [1, 2, 3]


@pytest.mark.parametrize("attention", ["none", "additive"])
def test_it_learns_to_turn_sequences_round(attention):
    torch.manual_seed(0)
    pairs = [(list(words), list(words)[::-1]) for n in (1, 2, 3) for words in itertools.product(range(4, 8), repeat=n)]
    model = Seq2Seq(8, 8, 32, 16, attention=AdditiveAttention(32, 32, 16) if attention == "additive" else None)
    losses = fit(model, batches(pairs, 16, 0), 200, rate=0.01)
    assert losses[-1] < 0.2 < losses[0]
    one = batch(pairs)
    found = greedy(*model.searcher(one.source, one.mask), START, STOP, 5)
    right = sum(list(h.tokens) == target for h, (_, target) in zip(found, pairs, strict=True))
    assert right > 0.9 * len(pairs)


ONE = batch(PAIRS)
FORWARD = lambda **changes: build()(*(ONE._replace(**changes)[:3]))  # noqa: E731


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: build(bidirectional=True) and Seq2Seq(V, W, 7, E), ValueError, "must be even, got 7"),
        (lambda: FORWARD(mask=ONE.mask & torch.tensor([[True], [False], [True]])), ValueError, "sentence 1 is empty"),
        (lambda: FORWARD(mask=torch.tensor([[1, 0, 1, 0]] * 3).bool()), ValueError, "sentence 0 has padding between"),
        (lambda: FORWARD(mask=ONE.mask.flip(1)), ValueError, "sentence 1 is empty, or padding stands before"),
        (lambda: FORWARD(mask=ONE.mask.long()), TypeError, "mask must be Boolean.*int64"),
        (lambda: FORWARD(mask=ONE.mask[:, :3]), ValueError, r"shape of source, \(3, 4\), got \(3, 3\)"),
        (lambda: FORWARD(source=ONE.source + V), ValueError, r"source must hold indices in \[0, 11\).* got 15"),
        (lambda: FORWARD(source=ONE.source - 5), ValueError, "got -1"),
        (lambda: FORWARD(source=ONE.source.double()), ValueError, "of type int64"),
        (lambda: FORWARD(source=ONE.source[0]), ValueError, r"\(B, tokens\).* got \(4,\)"),
        (lambda: FORWARD(target_in=ONE.target_in[:, :0]), ValueError, r"target_in must be .* got \(3, 0\)"),
        (lambda: FORWARD(target_in=ONE.target_in + 2), ValueError, r"target_in must hold indices in \[0, 9\)"),
        (lambda: build()(*ONE[:3], teacher_forcing=1.5), ValueError, "a probability, got 1.5"),
        (lambda: batch([([], [4])]), ValueError, "sequence 0 is empty"),
        (lambda: batch([]), ValueError, "at least one sequence"),
        (lambda: fit(build(), [ONE] * 2, 3), ValueError, "the batches end after 2 of 3 updates"),
    ],
)
def test_bad_input_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_gradients_that_are_not_finite_are_refused():
    model = build()
    with torch.no_grad():
        model.decoder.output.bias[0] = float("inf")
    with pytest.raises(RuntimeError, match="non-finite"):
        fit(model, [ONE], 1)


def test_a_batch_is_a_tuple_in_the_order_of_the_model():
    assert Batch._fields == ("source", "mask", "target_in", "target_out")
