"""What programs say in English and in Chinese: pairs of interface strings from the message catalogues of four packages.

Source: the catalogues (zh_CN or zh_Hans) that the packages in SOURCES bring along, made by their translators:
JupyterLab's language pack, Django and Trac under BSD-3-Clause, Sphinx under BSD-2-Clause. The catalogues are read as
files; none of the packages is imported. Size: 5,000 pairs.

A pair is kept if it has no line break, markup or address, holds Chinese characters, and has at most LONGEST tokens on
either side. One English text has one translation, the first. Split: a hash of the English text sends about one pair
in ten to the test part and one in twenty to the validation part. Then every pair leaves the training part whose
English *or* Chinese is nearly that of a held-out pair: an edit distance of at most a fifth of the longer one's length.
What is left can be translated, but not looked up.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from babel.messages.mofile import read_mo
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist

LONGEST = 30  # tokens
NEAR = 0.8  # similarity = 1 - edit distance / length of the longer, from which on two texts are nearly the same


class Source(NamedTuple):
    """A package with catalogues."""

    package: str  #: as pip names it
    version: str
    license: str
    files: str  #: a pattern of its catalogues


SOURCES = (
    Source("jupyterlab-language-pack-zh-CN", "4.5.post3", "BSD-3-Clause", "jupyterlab_language_pack_zh_CN/**/*.mo"),
    Source("Sphinx", "7.4.7", "BSD-2-Clause", "sphinx/locale/zh_CN/**/*.mo"),
    Source("Django", "5.2.19", "BSD-3-Clause", "django/**/zh_Hans/**/*.mo"),
    Source("Trac", "1.6", "BSD-3-Clause", "trac/locale/zh_CN/**/*.mo"),
)


class Pair(NamedTuple):
    """One text in two languages."""

    english: str
    chinese: str
    source: str  #: the package


class Split(NamedTuple):
    """Pairs to learn from, to choose settings by, and to measure on."""

    train: tuple[Pair, ...]
    valid: tuple[Pair, ...]
    test: tuple[Pair, ...]


# ---------------------------------------------------------------- tokens

PLACEHOLDER = r"%\(\w+\)[a-z]|%(?:\d\$)?[sdirfgx](?![a-z])|%\d(?!\d)|\$?\{[^{}\s]*\}"
_WORD = r"[A-Za-z]+(?:['’][a-z]{1,2}\b)|[A-Za-z_][A-Za-z0-9_]*(?:[.-][A-Za-z0-9_]+)*|\d+"
_TOKEN = re.compile(rf"{PLACEHOLDER}|{_WORD}|[^\s]")
_PLACEHOLDER = re.compile(PLACEHOLDER)
_LATIN = re.compile(rf"(?:{PLACEHOLDER}|{_WORD})$")
_CHINESE = re.compile(r"[\u3400-\u9fff]")


def tokens(text: str) -> list[str]:
    """Placeholders, Latin words and numbers whole; every other character, above all a Chinese one, by itself."""
    return _TOKEN.findall(text)


def is_placeholder(token: str) -> bool:
    """Whether a program puts something else in the token's place, as in ``%s``, ``%(name)s``, ``{0}``, ``${name}``."""
    return bool(_PLACEHOLDER.fullmatch(token))


def join_chinese(tokens: Sequence[str]) -> str:
    """Text of tokens, with a space between Latin words, and between Latin and Chinese."""
    text = ""
    for token in tokens:
        before = text[-1:]
        after_latin = before != "" and before.isascii() and (before.isalnum() or before in ")}")
        after_chinese = bool(_CHINESE.match(before))
        latin, chinese = bool(_LATIN.match(token)), bool(_CHINESE.match(token))
        apart = (latin and (after_latin or after_chinese)) or (chinese and after_latin)
        text += " " * apart + token
    return text


def join_english(tokens: Sequence[str]) -> str:
    """Text of tokens, with a space between any two but inside of brackets and quotes and before punctuation."""
    text, quoted, tight = "", "", True  # tight: no space before the next token
    for token in tokens:
        closing = token in ".,:;!?)]}…’”/=" or token == quoted
        text += token if closing or tight else " " + token
        if token in "\"'":
            tight, quoted = token != quoted, "" if token == quoted else token
        else:
            tight = token in "([{‘“#/=$"
    return text


# ---------------------------------------------------------------- pairs


def messages(source: Source) -> Iterator[tuple[str, str]]:
    """Every message of a package's catalogues with its translation, in their order; of two plural forms the first."""
    install = f"pip install {source.package}=={source.version}"
    try:
        package = metadata.distribution(source.package)
    except metadata.PackageNotFoundError:
        raise ModuleNotFoundError(f"the interface strings need the package {source.package}: {install}") from None
    if package.version != source.version:
        raise ImportError(
            f"the interface strings are those of {source.package} {source.version}, found {package.version}: {install}"
        )
    catalogues = sorted(Path(package.locate_file("")).glob(source.files))
    if not catalogues:
        raise FileNotFoundError(f"no catalogue {source.files} in {source.package}: {install} --force-reinstall")
    for path in catalogues:
        with path.open("rb") as file:
            for message in read_mo(file):
                if message.id:  # the empty one is the catalogue's head
                    yield _first(message.id), _first(message.string)


def _first(forms: str | tuple[str, ...]) -> str:
    return forms if isinstance(forms, str) else forms[0]


def _usable(english: str, chinese: str) -> bool:
    both = english + chinese
    if "\n" in both or "http" in both or re.search(r"</?\w+|&\w+;|`", both):
        return False
    fits = all(0 < len(tokens(text)) <= LONGEST for text in (english, chinese))
    return fits and bool(_CHINESE.search(chinese)) and bool(re.search("[A-Za-z]", english))


@cache
def pairs() -> tuple[Pair, ...]:
    """The usable pairs of all packages."""
    found: dict[str, Pair] = {}
    for source in SOURCES:
        for message in messages(source):
            english, chinese = (" ".join(text.split()) for text in message)
            if _usable(english, chinese):
                found.setdefault(english.lower(), Pair(english, chinese, source.package))
    return tuple(found.values())


@cache
def split() -> Split:
    """The pairs in three parts, the same on every machine."""
    parts: tuple[list[Pair], ...] = ([], [], [])
    for pair in pairs():
        byte = hashlib.sha256(pair.english.lower().encode()).digest()[0]
        parts[2 if byte < 26 else 1 if byte < 39 else 0].append(pair)
    train, valid, test = parts
    valid = without_near(valid, test)
    return Split(tuple(without_near(train, valid + test)), tuple(valid), tuple(test))


def without_near(pairs: list[Pair], held_out: list[Pair], near: float = NEAR) -> list[Pair]:
    """The pairs of which neither side is nearly that of a held-out pair."""
    close = [
        cdist(
            [getattr(pair, side).lower() for pair in pairs],
            [getattr(pair, side).lower() for pair in held_out],
            scorer=Levenshtein.normalized_similarity,
        ).max(axis=1)
        >= near
        for side in ("english", "chinese")
    ]
    return [pair for pair, english, chinese in zip(pairs, *close, strict=True) if not (english or chinese)]
