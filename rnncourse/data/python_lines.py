"""Lines of Python, each character labelled as code, string or comment.

Source: the modules of the standard library of the Python that runs this, under the PSF licence; the labels come
from its own `tokenize`. A line is kept if it is plain ASCII, 20 to 48 characters long without its indentation, starts
with code, holds a string or a comment, and no string runs over its ends. Whole modules are held out,
and no line stands on both sides. The library differs between Python versions: rely on at least 4,000 lines to train on
and 400 to test on, and on nothing finer.
"""

import hashlib
import sysconfig
import tokenize
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

ALPHABET = "".join(map(chr, range(32, 127)))  # printable ASCII: V = 95 characters
LABELS = ("code", "string", "comment")
SHORTEST, LONGEST = 20, 48
MODULES = ("*.py", "asyncio/*.py", "email/*.py", "http/*.py", "multiprocessing/*.py", "unittest/*.py", "xml/*/*.py")


class Lines(NamedTuple):
    """N lines, padded at the end to T = 48."""

    text: tuple[str, ...]  #: N lines
    characters: np.ndarray  #: (N, T) index into ALPHABET, 0 at padding
    labels: np.ndarray  #: (N, T) index into LABELS, 0 at padding
    mask: np.ndarray  #: (N, T) True at characters


class Split(NamedTuple):
    """Lines to learn from, and lines of other modules."""

    train: Lines
    test: Lines


@cache
def split() -> Split:
    """The lines of all modules; about one module in four, chosen by a hash of its name, is held out."""
    sides: dict[bool, dict[str, np.ndarray]] = {True: {}, False: {}}
    library = Path(sysconfig.get_path("stdlib"))
    for path in sorted(path for pattern in MODULES for path in library.glob(pattern)):
        name = path.relative_to(library).as_posix()
        held_out = hashlib.sha256(name.encode()).digest()[0] < 64  # 64 of 256
        sides[held_out] |= labelled(path)
    train = {line: labels for line, labels in sides[False].items() if line not in sides[True]}
    return Split(_lines(train), _lines(sides[True]))


def labelled(path: Path) -> dict[str, np.ndarray]:
    """The usable lines of one module, without indentation, and the label of each of their characters."""
    with tokenize.open(path) as file:
        text = [line.rstrip("\n") for line in file]  # str.splitlines would also split at form feeds
    labels = [np.zeros(len(line), dtype=int) for line in text]
    whole = [True] * len(text)
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            (first, start), (last, end) = token.start, token.end
            if token.type in (tokenize.STRING, tokenize.COMMENT) and first == last:
                labels[first - 1][start:end] = 1 if token.type == tokenize.STRING else 2
            elif first != last:  # a string over several lines (in Python 3.12 and newer an f-string's parts as well)
                whole[first - 1 : last] = [False] * (last - first + 1)
            if tokenize.tok_name[token.type].startswith("FSTRING"):
                whole[first - 1] = False
    indents = [len(line) - len(line.lstrip()) for line in text]
    cut = [(line.strip(), label[i:][: len(line.strip())]) for line, label, i in zip(text, labels, indents, strict=True)]
    return {line: label for (line, label), usable in zip(cut, whole, strict=True) if usable and _fits(line, label)}


def _fits(line: str, label: np.ndarray) -> bool:
    return SHORTEST <= len(line) <= LONGEST and set(line) <= set(ALPHABET) and label[0] == 0 and label.any()


def _lines(labels: dict[str, np.ndarray]) -> Lines:
    characters, targets = np.zeros((2, len(labels), LONGEST), dtype=int)
    mask = np.zeros((len(labels), LONGEST), dtype=bool)
    for n, (line, label) in enumerate(labels.items()):
        characters[n, : len(line)] = np.frombuffer(line.encode("ascii"), dtype=np.uint8) - ord(ALPHABET[0])
        targets[n, : len(line)] = label
        mask[n, : len(line)] = True
    return Lines(tuple(labels), characters, targets, mask)
