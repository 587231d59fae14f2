"""Two ways to translate interface strings without a network: look up the nearest text, or look up every word."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist

from rnncourse.data.interface import Pair, join_chinese, join_english, tokens
from rnncourse.translation import fill, slots

LONGEST = 4  # characters of a Chinese word
DICE = {"chinese": 0.1, "english": 0.4}  # by target; chosen on the validation part among 0.1, 0.2, 0.3, 0.4


def translation_memory(pairs: Sequence[Pair], texts: Sequence[str], direction: tuple[str, str]) -> list[str]:
    """For each text the translation of the nearest one that is known, by edit distance; placeholders are replaced."""
    source, target = direction
    known = [getattr(pair, source) for pair in pairs]
    lower = [text.lower() for text in known], [text.lower() for text in texts]
    nearest = cdist(lower[1], lower[0], scorer=Levenshtein.normalized_similarity).argmax(axis=1)
    join = join_chinese if target == "chinese" else join_english
    found = []
    for text, place in zip(texts, nearest, strict=True):
        known_slots = slots(tokens(known[place]))
        words = [known_slots.get(word, word) for word in tokens(getattr(pairs[place], target))]
        found.append(join(fill(words, slots(tokens(text)))))
    return found


class Dictionary(NamedTuple):
    """The best translation of every word, a word being one English one, or up to four Chinese characters."""

    direction: tuple[str, str]
    entries: dict[tuple[str, ...], tuple[str, ...]]

    @classmethod
    def learn(cls, pairs: Sequence[Pair], direction: tuple[str, str], least: float) -> "Dictionary":
        """A word's translation is what comes most often where it comes and least elsewhere (Dice 1945).

        Words of which the best Dice coefficient is below `least` are left out of a translation.
        """
        counts: tuple[Counter, Counter, Counter] = (Counter(), Counter(), Counter())
        for pair in pairs:
            slot_of = slots(tokens(getattr(pair, direction[0])))
            sides = [_words(getattr(pair, name), name, slot_of) for name in direction]
            for count, words in zip(counts, [*sides, product(*sides)], strict=True):
                count.update(words)
        best: dict[tuple, list] = defaultdict(list)
        for (word, other), together in counts[2].items():
            dice = 2 * together / (counts[0][word] + counts[1][other])
            if together > 1 and dice >= least:
                best[word].append((dice, len(other), other))
        return cls(direction, {word: max(others)[2] for word, others in best.items()})

    def translate(self, text: str) -> str:
        """The translations of the words in their order, the longest words that are known."""
        words = tokens(text)
        slot_of = slots(words)
        words = [slot_of.get(word, word.lower()) for word in words]
        written, place = [], 0
        while place < len(words):
            sizes = range(LONGEST if self.direction[0] == "chinese" else 1, 0, -1)
            size = next((n for n in sizes if tuple(words[place : place + n]) in self.entries), 0)
            word = tuple(words[place : place + max(size, 1)])
            written += self.entries.get(word, word if word[0] in slot_of.values() else ())
            place += max(size, 1)
        return (join_chinese if self.direction[1] == "chinese" else join_english)(fill(written, slot_of))


def _words(text: str, language: str, slot_of: dict[str, str]) -> set[tuple[str, ...]]:
    words = [slot_of.get(word, word.lower()) for word in tokens(text)]
    longest = LONGEST if language == "chinese" else 1
    return {tuple(words[i : i + n]) for n in range(1, longest + 1) for i in range(len(words) - n + 1)}
