"""English prose about Python: the texts behind its `help("topics")`, split by whole topics.

Source: `pydoc_data.topics` in the standard library of the Python that runs this, made from its language reference,
under the PSF licence. The text stays as it is: hard-wrapped reStructuredText with headings, tables and examples. About
an eighth of the topics, chosen by a hash of the name, is for testing and another eighth for validation. Topics quote
each other, so each paragraph is kept once, and one is dropped if more than half of its runs of five words stand in
another part already; the test part chooses first, then the validation part.

The text differs between Python versions (3.10 to 3.13 were tried): rely on at least 280,000 characters to learn from
and 15,000 each to validate and to test on, and on nothing finer.
"""

import hashlib
import re
from functools import cache
from pydoc_data.topics import topics
from typing import NamedTuple

import numpy as np

OTHER = "\N{REPLACEMENT CHARACTER}"  # stands for every character that is not in the alphabet
ALPHABET = "\n" + "".join(map(chr, range(32, 127))) + "–—‘’“”…" + OTHER  # K = 104 characters
RUN = 5  # words
_PLACES = {character: place for place, character in enumerate(ALPHABET)}


class Split(NamedTuple):
    """Three texts without a topic or a paragraph in common."""

    train: str
    validation: str
    test: str


@cache
def split() -> Split:
    """All topics, in the order of their names within each part."""
    test, validation, train = ([name for name in sorted(topics) if _part(name) == part] for part in range(3))
    seen, runs, texts = set(), set(), []
    for names in (test, validation, train):
        paragraphs = [p for name in names for p in _paragraphs(topics[name])]
        kept = [p for p in dict.fromkeys(paragraphs) if p not in seen and not _quotes(p, runs)]
        seen.update(kept)
        runs.update(*map(word_runs, kept))
        texts.append(decode(encode("\n\n".join(kept))))
    return Split(*reversed(texts))


def encode(text: str) -> np.ndarray:
    """Text of N characters -> their places in the alphabet (N,); a character that is not in it becomes `OTHER`."""
    return np.array([_PLACES.get(character, len(ALPHABET) - 1) for character in text], dtype=np.int64)


def decode(places: np.ndarray) -> str:
    """Places in the alphabet (N,) -> the text. Raises IndexError for a place outside of it."""
    return "".join(ALPHABET[place] for place in places)


def word_runs(paragraph: str) -> set[tuple[str, ...]]:
    """All runs of five successive words, without case and punctuation."""
    words = re.findall(r"\w+", paragraph.lower())
    return set(zip(*(words[start:] for start in range(RUN)), strict=False))


def _part(name: str) -> int:
    """0 to test on, 1 to validate on, 2 to learn from: these eighths leave the longest topics to learn from."""
    return {0: 0, 3: 1}.get(hashlib.sha256(name.encode()).digest()[0] // 32, 2)


def _paragraphs(text: str) -> list[str]:
    return re.split(r"\n\n+", text.strip("\n"))


def _quotes(paragraph: str, runs: set[tuple[str, ...]]) -> bool:
    """Whether more than half of its runs of words are among these."""
    own = word_runs(paragraph)
    return 2 * len(own & runs) > len(own)
