"""Translating interface strings: from text to tokens and back, around the model of `rnncourse.seq2seq`.

A text becomes tokens in three steps. Words, placeholders and Chinese characters are told apart (`interface.tokens`).
What is the same in both languages, placeholders, numbers and names such as ``conf.py``, becomes a numbered *slot*, so
that the model sees one token for all of them, and its place is filled again at the end. English words are split into
pieces that are frequent (Sennrich et al. 2016). A rare Latin word of a Chinese text is unknown to the model: where it
writes "unknown", the word that its attention looks at most is copied (Luong et al. 2015).
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, pairwise
from math import ceil
from pathlib import Path
from typing import NamedTuple

import torch

from rnncourse import seq2seq
from rnncourse.attention import AdditiveAttention
from rnncourse.data.interface import LONGEST, Pair, is_placeholder, join_chinese, join_english, tokens
from rnncourse.decode import Beam, beam_search
from rnncourse.seq2seq import Batch, Seq2Seq
from rnncourse.vocabulary import SPECIAL, START, STOP, UNKNOWN, Vocabulary, pad

LIMIT = 2 * LONGEST  # tokens of an answer, STOP counted
CHECKPOINTS = Path(__file__).with_name("checkpoints")  # `python -m scoreboard translation` trains them
JOIN = "@@"  # stands after a piece that does not end its word
_LETTER = {"english": re.compile("[A-Za-z]"), "chinese": re.compile(r"[\u3400-\u9fff]")}
_SLOT = re.compile(r"⟨\d+⟩")
_NAME = re.compile(r"\d+|.*[a-z][A-Z].*|[A-Z][A-Z0-9]+|.*[A-Za-z].*[_.\d].*|.*[_.\d].*[A-Za-z].*")


# ---------------------------------------------------------------- what is the same in both languages


def is_fixed(token: str) -> bool:
    """Whether a token is no word of any language: a placeholder, a number, a name such as ``conf.py`` or ``URL``."""
    return is_placeholder(token) or bool(_NAME.fullmatch(token))


def slots(words: Iterable[str]) -> dict[str, str]:
    """The slot of each fixed token of a source text, ⟨1⟩, ⟨2⟩ … as they appear."""
    fixed = dict.fromkeys(word for word in words if is_fixed(word))
    return {word: f"⟨{n}⟩" for n, word in enumerate(fixed, start=1)}


def fill(words: Iterable[str], slot_of: dict[str, str]) -> list[str]:
    """Words with the slots filled again; a slot that the source does not have is left out."""
    word_of = {slot: word for word, slot in slot_of.items()}
    return [word_of.get(word, word) for word in words if word in word_of or not _SLOT.fullmatch(word)]


# ---------------------------------------------------------------- pieces of words


class Pieces:
    """Byte-pair encoding: a word is split into letters, and the pairs most frequent in training are merged again."""

    def __init__(self, merges: Iterable[Sequence[str]]):
        self.merges = tuple((left, right) for left, right in merges)
        self._rank = {pair: rank for rank, pair in enumerate(self.merges)}

    @classmethod
    def learn(cls, words: Iterable[str], merges: int) -> "Pieces":
        """Merge the most frequent pair of neighbouring pieces, so many times, as long as one comes twice."""
        counts = Counter(words)
        split = {word: list(word) for word in counts}
        learned = []
        for _ in range(merges):
            pairs = Counter()
            for word, pieces in split.items():
                for pair in pairwise(pieces):
                    pairs[pair] += counts[word]
            if not pairs or max(pairs.values()) < 2:
                break
            best = max(pairs, key=lambda pair: (pairs[pair], pair))
            learned.append(best)
            split = {word: _merge(pieces, best) for word, pieces in split.items()}
        return cls(learned)

    def split(self, word: str, dropout: float = 0.0, rng: random.Random | None = None) -> list[str]:
        """The pieces of a word, JOIN after all but the last.

        With dropout some merges are left out at random, so that a model meets a word in several ways (Provilkov et al.
        2020).
        """
        pieces = list(word)
        while True:
            pairs = [pair for pair in pairwise(pieces) if pair in self._rank]
            if dropout:
                pairs = [pair for pair in pairs if rng.random() >= dropout]
            if not pairs:
                return [piece + JOIN for piece in pieces[:-1]] + pieces[-1:]
            pieces = _merge(pieces, min(pairs, key=self._rank.__getitem__))


def _merge(pieces: list[str], pair: tuple[str, str]) -> list[str]:
    """The pieces with every such pair of neighbours in one."""
    merged: list[str] = []
    before = False  # whether the last piece may still be the left one of a pair
    for piece in pieces:
        if before and (merged[-1], piece) == pair:
            merged[-1] += piece
            before = False
        else:
            merged.append(piece)
            before = True
    return merged


# ---------------------------------------------------------------- texts as the model sees them


class Reading(NamedTuple):
    """A source text, read."""

    words: list[str]  #: as they stand in the text
    tokens: list[str]  #: what the model sees of them
    word_of: list[int]  #: the place of the word that each token is of


class Language(NamedTuple):
    """How texts of one language become tokens and back."""

    name: str  #: "english" or "chinese", as in a Pair
    pieces: Pieces
    usual: dict[str, str]  #: how a word is written that is never seen in lower case

    @classmethod
    def learn(cls, name: str, texts: Iterable[str], merges: int) -> "Language":
        """What is to be known of a language, from texts to train on."""
        latin = [word for text in texts for word in tokens(text) if _is_latin(word) and not is_fixed(word)]
        forms: dict[str, Counter] = {}
        for word in latin:
            forms.setdefault(word.lower(), Counter())[word] += 1
        usual = {word: form.most_common(1)[0][0] for word, form in forms.items() if word not in form}
        return cls(name, Pieces.learn(map(str.lower, latin), merges), usual)

    def read(self, text: str, dropout: float = 0.0, rng: random.Random | None = None) -> Reading:
        """A text as a source. Raises ValueError if there is nothing in it."""
        words = tokens(text)
        if not words:
            raise ValueError("the sentence is empty: give at least one word")
        slot_of = slots(words)
        split = [self._split(word, slot_of, dropout, rng) for word in words]
        word_of = [place for place, pieces in enumerate(split) for _ in pieces]
        return Reading(words, [piece for pieces in split for piece in pieces], word_of)

    def target(self, text: str, source: Reading, dropout: float = 0.0, rng: random.Random | None = None) -> list[str]:
        """A text as the translation of a source. Chinese keeps its few Latin words whole."""
        slot_of = slots(source.words)
        if self.name == "chinese":
            return [slot_of.get(word, word.lower()) for word in tokens(text)]
        return [piece for word in tokens(text) for piece in self._split(word, slot_of, dropout, rng)]

    def _split(self, word, slot_of, dropout, rng) -> list[str]:
        if word in slot_of:
            return [slot_of[word]]
        return self.pieces.split(word.lower(), dropout, rng) if _is_latin(word) else [word.lower()]

    def text(self, tokens: Sequence[str], source: Reading) -> str:
        """The text that the tokens of a translation stand for."""
        words = " ".join(tokens).replace(JOIN + " ", "").removesuffix(JOIN).split()
        given = {word.lower(): word for word in source.words if _is_latin(word)}
        if self.name == "chinese":
            words = [given.get(word, self.usual.get(word, word)) for word in words]
            return join_chinese(fill(words, slots(source.words)))
        words = [self.usual.get(word, word) for word in words]
        text = join_english(fill(words, slots(source.words)))
        return text[:1].upper() + text[1:]


def _is_latin(token: str) -> bool:
    return token[0].isascii() and token[0].isalpha()


# ---------------------------------------------------------------- the translator


class Settings(NamedTuple):
    """All that a translator is made by, besides its pairs and its seed."""

    direction: tuple[str, str]  #: ("english", "chinese") or the reverse
    attention: bool = True
    hidden: int = 192
    embedding: int = 192
    merges: int = 1500  #: of letters to pieces of words
    piece_dropout: float = 0.1
    word_dropout: float = 0.05  #: the share of source tokens that the model sees as unknown
    dropout: float = 0.3
    smoothing: float = 0.1
    batch: int = 64
    updates: int = 1800
    rate: float = 4e-3
    averaging: float = 0.998  #: of the weights' running mean, over the second half of the updates
    sampled: float = 0.0  #: scheduled sampling: the share of own tokens that the decoder reads at the end


class Translation(NamedTuple):
    """A translated text and how it came about."""

    text: str
    tokens: list[str]  #: the model's, slots as slots, unknown words copied
    copied: list[int]  #: the places of the copied ones
    source: Reading
    score: float  #: the log-probability of the tokens
    weights: torch.Tensor | None  #: (T + 1, S) where each token and STOP was read; None without attention


class Translator(NamedTuple):
    """A model with its languages."""

    settings: Settings
    source: Language
    target: Language
    read: Vocabulary
    write: Vocabulary
    model: Seq2Seq

    def translate(self, texts: Sequence[str], beam: int = 5, length_power: float = 1.0) -> list[Translation]:
        """The best translation of each text that a beam search finds. A beam of 1 is the greedy search.

        Raises ValueError for an empty text, one of more than LONGEST words, and one that is of another language.
        """
        sources = [self._check(text) for text in texts]
        order = sorted(range(len(texts)), key=lambda n: len(sources[n].tokens))
        found: dict[int, Translation] = {}
        for first in range(0, len(order), 32):
            places = order[first : first + 32]
            chosen = [sources[n] for n in places]
            best = [beam.hypotheses[0] for beam in self.search(chosen, beam, length_power)]
            weights = self.weights(chosen, [hypothesis.tokens for hypothesis in best])
            found |= {
                n: self._translation(source, hypothesis, weight)
                for n, source, hypothesis, weight in zip(places, chosen, best, weights, strict=True)
            }
        return [found[n] for n in range(len(texts))]

    def search(self, sources: Sequence[Reading], beam: int, length_power: float) -> list[Beam]:
        """Every source's beam, with the tree of all that was looked at; its tokens are indices into `write`."""
        ids, mask = pad([self.read.encode(source.tokens) for source in sources])
        with torch.no_grad():
            searcher = self.model.eval().searcher(ids, mask)
        return beam_search(*searcher, START, STOP, LIMIT, beam, length_power)

    def weights(self, sources: Sequence[Reading], targets: Sequence[Sequence[int]]) -> list[torch.Tensor | None]:
        """Where the attention looks (T + 1, S) while each target, and STOP after it, is written."""
        ids, mask = pad([self.read.encode(source.tokens) for source in sources])
        target_in, _ = pad([[START, *target] for target in targets])
        with torch.no_grad():
            _, weights = self.model.eval().read(ids, mask, target_in)
        if weights is None:
            return [None] * len(sources)
        sizes = [(len(target) + 1, len(source.tokens)) for source, target in zip(sources, targets, strict=True)]
        return [weight[:T, :S] for weight, (T, S) in zip(weights, sizes, strict=True)]

    def attention_data(self, text: str, beam: int = 5, length_power: float = 1.0) -> dict:
        """A translation and where it looked, in lists, strings and numbers alone, for JSON.

        `weights` has a row for every token of the answer, STOP last, and a column for every token of the source;
        `word_of` is the word that each source token is a piece of. Raises as `translate`, and ValueError for a model
        without attention.
        """
        if not self.settings.attention:
            raise ValueError("this model has no attention: there are no weights to show")
        found = self.translate([text], beam, length_power)[0]
        return {
            "text": text,
            "translation": found.text,
            "words": found.source.words,
            "source": found.source.tokens,
            "word_of": found.source.word_of,
            "target": [*found.tokens, SPECIAL[STOP]],
            "copied": found.copied,
            "score": found.score,
            "weights": found.weights.tolist(),
        }

    def beam_data(self, text: str, beam: int = 5, length_power: float = 1.0) -> dict:
        """All that a beam search of a text looked at, in lists, strings and numbers alone, for JSON.

        `tree` is a list of nodes as in `rnncourse.decode.Node`, with the token as text and `normalised`, the score by
        which hypotheses are compared; `hypotheses` are the leaves that were found, the best first. Raises as
        `translate`.
        """
        source = self._check(text)
        found = self.search([source], beam, length_power)[0]
        tree = [
            node._asdict()
            | {"token": self.write.tokens[node.token], "normalised": node.score / node.depth**length_power}
            for node in found.tree
        ]
        paths = [hypothesis.tokens for hypothesis in found.hypotheses]
        weights = self.weights([source] * len(paths), paths)
        hypotheses = [
            {"text": self._translation(source, hypothesis, weight).text, **hypothesis._asdict()}
            | {"tokens": [self.write.tokens[index] for index in hypothesis.tokens]}
            for hypothesis, weight in zip(found.hypotheses, weights, strict=True)
        ]
        settings = {"beam": beam, "length_power": length_power, "limit": LIMIT}
        return {"text": text, "source": source.tokens, **settings, "tree": tree, "hypotheses": hypotheses}

    def _check(self, text: str) -> Reading:
        if not isinstance(text, str):
            raise TypeError(f"a sentence must be a string, got {text!r}")
        source = self.source.read(text)
        if len(source.words) > LONGEST:
            raise ValueError(
                f"the sentence has {len(source.words)} words or characters, and the model has never seen more than "
                f"{LONGEST}: translate it in parts"
            )
        if not _LETTER[self.source.name].search(text) and all(token not in self.read for token in source.tokens):
            raise ValueError(f"the model reads {self.source.name.title()}, and there is none in {text!r}")
        return source

    def unknown(self, source: Reading) -> list[str]:
        """The words of a source that hold something that the model has never seen."""
        places = [n for token, n in zip(source.tokens, source.word_of, strict=True) if token not in self.read]
        return [source.words[n] for n in dict.fromkeys(places)]

    def _translation(self, source, hypothesis, weights) -> Translation:
        written, copied = [], []
        for place, index in enumerate(hypothesis.tokens):
            if index == UNKNOWN and weights is None:
                continue  # nothing says what to copy
            if index == UNKNOWN:
                copied.append(len(written))
                written.append(source.words[source.word_of[int(weights[place].argmax())]].lower())
            else:
                written.append(self.write.tokens[index])
        text = self.target.text(written, source)
        return Translation(text, written, copied, source, hypothesis.score, weights)


# ---------------------------------------------------------------- learning


def prepare(pairs: Sequence[Pair], settings: Settings, seed: int) -> Translator:
    """A translator before it has learned: languages and vocabularies from the pairs, random weights from the seed."""
    source, target = (
        Language.learn(name, [getattr(pair, name) for pair in pairs], settings.merges) for name in settings.direction
    )
    # Read five times, since dropout of merges makes pieces that are otherwise never seen.
    rng = random.Random(0)
    shown = [_as_tokens(pairs, source, target, dropout, rng) for dropout in (0.0, *[settings.piece_dropout] * 4)]
    read = Vocabulary.of((tokens for once in shown for tokens, _ in once), at_least=2)
    # What one text alone holds stays unknown in the target, so that the model learns to leave it to the attention.
    write = Vocabulary.of((tokens for once in shown for _, tokens in once), at_least=6)
    return Translator(settings, source, target, read, write, _model(settings, len(read), len(write), seed))


def _model(settings: Settings, read: int, write: int, seed: int) -> Seq2Seq:
    H, E = settings.hidden, settings.embedding
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        attention = AdditiveAttention(H, H, E) if settings.attention else None
        model = Seq2Seq(read, write, H, E, attention=attention, dropout=settings.dropout)
        for embedding in (model.encoder.embedding, model.decoder.embedding):
            torch.nn.init.normal_(embedding.weight, std=E**-0.5)
    # One matrix tells what a token means when it is read and when it is written (Press and Wolf 2017).
    model.decoder.output.weight = model.decoder.embedding.weight
    return model


def _as_tokens(pairs, source: Language, target: Language, dropout: float, rng: random.Random):
    """Source and target tokens of every pair, with another split into pieces each time if there is dropout."""
    shown = []
    for pair in pairs:
        reading = source.read(getattr(pair, source.name), dropout, rng)
        shown.append((reading.tokens, target.target(getattr(pair, target.name), reading, dropout, rng)))
    return shown


def batches(translator: Translator, pairs: Sequence[Pair], seed: int) -> Iterator[Batch]:
    """Batches without end; at every pass words are split, and left out, in another way."""
    settings, rng = translator.settings, random.Random(seed)
    while True:
        shown = _as_tokens(pairs, translator.source, translator.target, settings.piece_dropout, rng)
        drop = lambda ids: [UNKNOWN if rng.random() < settings.word_dropout else index for index in ids]  # noqa: E731
        ids = [(drop(translator.read.encode(source)), translator.write.encode(target)) for source, target in shown]
        yield from islice(seq2seq.batches(ids, settings.batch, rng.randrange(2**32)), ceil(len(ids) / settings.batch))


def learn(
    translator: Translator, pairs: Sequence[Pair], seed: int, watch: Callable[[int], None] = lambda update: None
) -> list[float]:
    """Train the translator's model in place, and return the loss of every update; `watch` is told of each.

    At the end the weights are the running mean over the second half of the updates (Polyak and Juditsky 1992).
    """
    settings, model = translator.settings, translator.model
    half = settings.updates // 2
    mean: list[torch.Tensor] = []

    def average(update: int) -> None:
        watch(update)
        with torch.no_grad():
            if update == half:
                mean.extend(weights.clone() for weights in model.parameters())
            for old, new in zip(mean, model.parameters(), strict=False):
                old.lerp_(new, 1 - settings.averaging)

    losses = seq2seq.fit(
        model,
        batches(translator, pairs, seed),
        settings.updates,
        settings.rate,
        seed,
        teacher_forcing=lambda update: 1 - settings.sampled * update / settings.updates,
        smoothing=settings.smoothing,
        watch=average,
    )
    with torch.no_grad():
        for old, new in zip(mean, model.parameters(), strict=True):
            new.copy_(old)
    return losses


# ---------------------------------------------------------------- checkpoints


def save(translator: Translator, path: Path) -> None:
    """Write a translator to a file, every weight as one byte."""
    *parts, model = translator
    settings, source, target, read, write = parts
    torch.save(
        {
            "settings": settings._asdict(),
            "languages": [(side.name, side.pieces.merges, side.usual) for side in (source, target)],
            "vocabularies": [vocabulary.tokens[UNKNOWN + 1 :] for vocabulary in (read, write)],
            "weights": {name: _as_bytes(weights) for name, weights in model.state_dict().items() if name != _TIED},
        },
        path,
    )


_TIED = "decoder.output.weight"  # the same as the embedding


def _as_bytes(weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Whole numbers from -127 to 127, and what one is worth in each row: the largest is met exactly."""
    worth = weights.abs().amax(dim=-1, keepdim=True).clamp(min=1e-12) / 127
    return (weights / worth).round().to(torch.int8), worth


def load(path: Path) -> Translator:
    """A translator from a file that `save` wrote. Raises FileNotFoundError that says how to make the file."""
    if not Path(path).exists():
        raise FileNotFoundError(f"there is no checkpoint {path}: `python -m scoreboard translation` trains it")
    parts = torch.load(path, weights_only=True)
    settings = Settings(**parts["settings"])
    languages = [Language(name, Pieces(merges), usual) for name, merges, usual in parts["languages"]]
    read, write = map(Vocabulary, parts["vocabularies"])
    model = _model(settings, len(read), len(write), seed=0)
    weights = {name: whole * worth for name, (whole, worth) in parts["weights"].items()}
    model.load_state_dict(weights | {_TIED: weights["decoder.embedding.weight"]})
    return Translator(settings, *languages, read, write, model.eval())
