"""From text to tokens and back, learning, checkpoints; and what is said to those who type something else."""

import json
import random
from itertools import pairwise

import pytest
import torch

from rnncourse import translation
from rnncourse.data.interface import Pair, tokens
from rnncourse.translation import JOIN, Language, Pieces, Settings, fill, is_fixed, learn, prepare, slots
from rnncourse.vocabulary import UNKNOWN, pad

VERBS = {"Open": "打开", "Close": "关闭", "Delete": "删除", "Copy": "复制"}
NOUNS = {"the file": "文件", "the window": "窗口", "the table": "表格", "%s": " %s", "the Wiki page": " Wiki 页面"}
PAIRS = [Pair(f"{v} {n}", VERBS[v] + NOUNS[n], "made") for v in VERBS for n in NOUNS]
THERE, BACK = ("english", "chinese"), ("chinese", "english")
TINY = {"hidden": 32, "embedding": 32, "merges": 60, "batch": 8, "dropout": 0.0, "word_dropout": 0.0, "averaging": 0.9}


def tiny(direction=THERE, updates=200, **settings):
    """A translator that knows twenty sentences by heart, or not yet."""
    translator = prepare(PAIRS, Settings(direction, updates=updates, **TINY | settings), seed=0)
    losses = learn(translator, PAIRS, seed=0) if updates else []
    return translator, losses


@pytest.fixture(scope="module")
def there():
    return tiny()[0]


@pytest.fixture(scope="module")
def back():
    return tiny(BACK)[0]


# --- slots ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["%s", "{name}", "12", "URL", "conf.py", "JupyterLab", "max_size", "EPUB3", "UTF-8"])
def test_what_is_the_same_in_both_languages(token):
    assert tokens(token) == [token]
    assert is_fixed(token)


@pytest.mark.parametrize("token", ["Open", "file", "A", "a", "I", "built-in", "Built-In", "don't", "打", ".", "%"])
def test_what_is_not(token):
    assert not is_fixed(token)


def test_slots_are_numbered_as_they_appear_and_filled_again():
    words = ["Copy", "%s", "to", "{0}", "and", "%s"]
    slot_of = slots(words)
    assert slot_of == {"%s": "⟨1⟩", "{0}": "⟨2⟩"}
    assert fill(["⟨2⟩", "和", "⟨1⟩"], slot_of) == ["{0}", "和", "%s"]


def test_a_slot_that_the_source_does_not_have_is_left_out():
    assert fill(["到", "⟨3⟩", "⟨1⟩"], {"%s": "⟨1⟩"}) == ["到", "%s"]


# --- pieces -----------------------------------------------------------------------------------------------------


def naive_merges(words, merges):
    """The definition: strings with separators, and replacement of the most frequent pair."""
    texts, learned = [" ".join(word) for word in words], []
    for _ in range(merges):
        pairs = {}
        for text in texts:
            parts = text.split()
            for pair in pairwise(parts):
                pairs[pair] = pairs.get(pair, 0) + 1
        if not pairs or max(pairs.values()) < 2:
            break
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        learned.append(best)
        texts = [
            f" {text} ".replace(" ", "  ").replace(f" {best[0]}  {best[1]} ", f" {''.join(best)} ") for text in texts
        ]
        texts = [" ".join(text.split()) for text in texts]
    return learned


def test_merges_are_those_of_the_definition():
    words = ["lower", "low", "lowest", "newer", "newest", "wider", "new", "slow", "aaa", "aaaa"]
    assert list(Pieces.learn(words, 30).merges) == naive_merges(words, 30)


def test_a_frequent_word_is_whole_and_a_rare_one_is_in_pieces():
    pieces = Pieces.learn(["notebook"] * 5 + ["file"] * 5 + ["read"], 100)
    assert pieces.split("notebook") == ["notebook"]
    assert pieces.split("filebook") == ["file" + JOIN, *pieces.split("book")]
    assert pieces.split("x") == ["x"]


@pytest.mark.parametrize("dropout", [0.0, 0.3, 1.0])
def test_pieces_join_to_the_word(dropout):
    pieces = Pieces.learn(["notebook", "note", "book", "books"] * 3, 20)
    for word in ("notebook", "bookkeeping", "zzz"):
        found = pieces.split(word, dropout, random.Random(0))
        assert "".join(piece.removesuffix(JOIN) for piece in found) == word
        assert [piece.endswith(JOIN) for piece in found] == [True] * (len(found) - 1) + [False]


def test_without_any_merge_there_are_letters():
    pieces = Pieces.learn(["book"] * 9, 20)
    assert pieces.split("book", 1.0, random.Random(0)) == ["b@@", "o@@", "o@@", "k"]


# --- texts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("direction", "side"), [(THERE, 0), (THERE, 1), (BACK, 0), (BACK, 1)])
@pytest.mark.parametrize("pair", PAIRS[::3], ids=lambda pair: pair.english)
def test_a_text_comes_back_from_its_tokens(direction, side, pair):
    languages = {name: Language.learn(name, [getattr(p, name) for p in PAIRS], 60) for name in direction}
    source = languages[direction[0]].read(getattr(pair, direction[0]))
    target = languages[direction[1]]
    text = getattr(pair, direction[1])
    assert target.text(target.target(text, source), source) == text.strip()


def test_every_token_knows_its_word(there):
    reading = there.source.read("Reopen %s, please")
    assert reading.words == ["Reopen", "%s", ",", "please"]
    joined = [""] * len(reading.words)
    for token, place in zip(reading.tokens, reading.word_of, strict=True):
        joined[place] += token.removesuffix(JOIN)
    assert joined == ["reopen", "⟨1⟩", ",", "please"]


# --- learning ---------------------------------------------------------------------------------------------------


def test_twenty_sentences_are_learned_by_heart(there, back):
    for translator in (there, back):
        source, target = translator.settings.direction
        found = translator.translate([getattr(pair, source) for pair in PAIRS])
        right = sum(f.text.lower() == getattr(p, target).strip().lower() for f, p in zip(found, PAIRS, strict=True))
        assert right >= 18


def test_the_loss_falls_and_every_update_is_watched():
    seen = []
    translator = prepare(PAIRS, Settings(THERE, updates=40, **TINY), seed=0)
    losses = learn(translator, PAIRS, 0, seen.append)
    assert seen == list(range(1, 41))
    assert losses[-1] < 0.8 * losses[0]


def test_a_seed_repeats_itself():
    (one, first), (two, second) = tiny(updates=5), tiny(updates=5)
    assert first == second
    assert all(torch.equal(a, b) for a, b in zip(one.model.parameters(), two.model.parameters(), strict=True))


def test_the_weights_are_a_running_mean_of_the_second_half():
    translator = prepare(PAIRS, Settings(THERE, updates=6, **TINY), seed=0)
    kept = []
    learn(
        translator,
        PAIRS,
        0,
        lambda update: kept.append(translator.model.decoder.readout.bias.detach().clone()),
    )
    mean = kept[2]
    for weights in kept[2:]:
        mean = 0.9 * mean + 0.1 * weights
    torch.testing.assert_close(translator.model.decoder.readout.bias.detach(), mean)


def test_reading_and_writing_share_a_matrix(there):
    assert there.model.decoder.output.weight is there.model.decoder.embedding.weight


def test_scheduled_sampling_changes_what_is_learned():
    assert tiny(updates=30)[1][-1] != tiny(updates=30, sampled=1.0)[1][-1]


def test_source_tokens_are_hidden_at_the_given_rate():
    translator = prepare(PAIRS, Settings(THERE, **TINY | {"word_dropout": 0.25, "piece_dropout": 0.0}), seed=0)
    stream = translation.batches(translator, PAIRS, 0)
    drawn = [next(stream) for _ in range(300)]
    hidden = sum((batch.source[batch.mask] == UNKNOWN).sum().item() for batch in drawn)
    assert hidden / sum(batch.mask.sum().item() for batch in drawn) == pytest.approx(0.25, abs=0.03)
    assert not any((batch.target_in == UNKNOWN).any() for batch in drawn)


# --- translating ------------------------------------------------------------------------------------------------


def test_the_order_and_the_company_of_sentences_do_not_matter(there):
    texts = [pair.english for pair in PAIRS]
    together = [found.text for found in there.translate(texts)]
    assert [there.translate([text])[0].text for text in texts] == together
    assert [found.text for found in there.translate(texts[::-1])] == together[::-1]


def test_weights_have_a_row_a_token_and_sum_to_one(there):
    for found in there.translate([pair.english for pair in PAIRS]):
        assert found.weights.shape == (len(found.tokens) + 1, len(found.source.tokens))
        torch.testing.assert_close(found.weights.sum(dim=1), torch.ones(len(found.tokens) + 1))


def test_the_score_is_the_log_probability_of_the_tokens(there):
    found = there.translate(["Open the file"])[0]
    ids, mask = pad([there.read.encode(found.source.tokens)])
    target = there.write.encode(found.tokens)
    with torch.no_grad():
        logits = there.model(ids, mask, torch.tensor([[1, *target]]))
    chances = torch.log_softmax(logits[0], dim=1)
    want = sum(chances[t, token].item() for t, token in enumerate([*target, 2]))
    assert found.score == pytest.approx(want, abs=1e-4)


def test_an_unknown_token_is_copied_from_where_the_attention_looks(there):
    source = there.source.read("Open the Frobnicator")
    hypothesis = type("Hypothesis", (), {"tokens": (UNKNOWN,), "score": 0.0})
    weights = torch.zeros(2, len(source.tokens))
    weights[:, source.word_of.index(2)] = 1
    found = there._translation(source, hypothesis, weights)
    assert (found.text, found.copied) == ("Frobnicator", [0])


def test_without_attention_nothing_is_copied():
    translator, _ = tiny(updates=0, attention=False)
    source = translator.source.read("Open it")
    hypothesis = type("Hypothesis", (), {"tokens": (UNKNOWN,), "score": 0.0})
    assert translator._translation(source, hypothesis, None).text == ""
    assert translator.translate(["Open the file"])[0].weights is None


def test_a_beam_finds_sentences_at_least_as_probable(there):
    texts = [pair.english for pair in PAIRS]
    one, many = there.translate(texts, beam=1), there.translate(texts, beam=6, length_power=0.0)
    assert sum(b.score for b in many) >= sum(a.score for a in one) - 1e-6


def test_attention_as_data_is_that_of_the_translation(there):
    data = there.attention_data("Copy the Wiki page", beam=3)
    found = there.translate(["Copy the Wiki page"], beam=3)[0]
    assert json.loads(json.dumps(data)) == data
    assert (data["translation"], data["score"], data["source"]) == (found.text, found.score, found.source.tokens)
    assert data["target"] == [*found.tokens, "<stop>"]
    assert data["words"][data["word_of"][0]] == "Copy"
    torch.testing.assert_close(torch.tensor(data["weights"]), found.weights)


def test_attention_as_data_needs_attention():
    with pytest.raises(ValueError, match="this model has no attention"):
        tiny(updates=0, attention=False)[0].attention_data("Open the file")


def test_a_beam_as_data_holds_every_step(there):
    text, power = "Delete the window", 1.5
    data = there.beam_data(text, beam=4, length_power=power)
    assert json.loads(json.dumps(data, ensure_ascii=False)) == json.loads(json.dumps(data))
    ids, mask = pad([there.read.encode(data["source"])])
    tree = data["tree"]
    for node in tree[::5]:  # each node's chance by another way than the search's: the whole prefix at once
        path, parent = [], node["parent"]
        while parent >= 0:
            path.insert(0, tree[parent]["token"])
            parent = tree[parent]["parent"]
        assert len(path) + 1 == node["depth"]
        with torch.no_grad():
            logits = there.model(ids, mask, torch.tensor([[1, *(there.write.tokens.index(token) for token in path)]]))
        chance = torch.log_softmax(logits[0, -1], dim=0)[there.write.tokens.index(node["token"])].item()
        assert node["log_probability"] == pytest.approx(chance, abs=1e-5)
        before = tree[node["parent"]]["score"] if node["parent"] >= 0 else 0
        assert node["score"] == pytest.approx(before + node["log_probability"], abs=1e-5)
        assert node["normalised"] == pytest.approx(node["score"] / node["depth"] ** power)
    best = data["hypotheses"][0]
    assert best["text"] == there.translate([text], 4, power)[0].text == "删除窗口"
    assert tree[best["node"]]["normalised"] == best["normalised"] == max(h["normalised"] for h in data["hypotheses"])


# --- bad input --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_an_empty_sentence_is_refused(there, text):
    with pytest.raises(ValueError, match="the sentence is empty"):
        there.translate([text])


def test_a_sentence_that_is_too_long_is_refused_with_its_length(there):
    there.translate(["file " * 30])
    with pytest.raises(ValueError, match=r"has 31 words or characters, .* more than 30: translate it in parts"):
        there.translate(["file " * 31])


@pytest.mark.parametrize(("text", "name"), [("打开", "English"), ("Привет", "English")])
def test_another_language_is_named(there, text, name):
    with pytest.raises(ValueError, match=f"the model reads {name}, and there is none in '{text}'"):
        there.translate([text])


def test_a_number_is_no_sentence(there):
    with pytest.raises(TypeError, match="a sentence must be a string, got 7"):
        there.translate([7])


def test_unknown_words_are_named(there, back):
    assert there.unknown(there.source.read("Open the жук")) == list("жук")
    assert back.unknown(back.source.read("打开龘龘文件")) == ["龘", "龘"]
    assert back.unknown(back.source.read("打开文件")) == []


# --- checkpoints ------------------------------------------------------------------------------------------------


def test_a_checkpoint_gives_the_translator_back(there, tmp_path):
    path = tmp_path / "there.pt"
    translation.save(there, path)
    again = translation.load(path)
    assert again.settings == there.settings
    assert [language.name for language in (again.source, again.target)] == list(THERE)
    assert again.read.tokens == there.read.tokens
    texts = [pair.english for pair in PAIRS]
    assert [f.text for f in again.translate(texts)] == [f.text for f in there.translate(texts)]
    for name, weights in there.model.state_dict().items():
        worth = weights.abs().amax(dim=-1, keepdim=True) / 127
        assert ((again.model.state_dict()[name] - weights).abs() <= 0.5001 * worth + 1e-9).all()


def test_a_checkpoint_that_is_missing_says_how_to_make_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="`python -m scoreboard translation` trains it"):
        translation.load(tmp_path / "none.pt")
