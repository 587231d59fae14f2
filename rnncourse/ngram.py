"""Counting the last few characters: an n-gram model with interpolated Kneser-Ney smoothing.

Kneser and Ney (1995); interpolated, with three discounts an order, as Chen and Goodman (1999) recommend. Equations
(kneser-ney) and (discounts) of the chapter `char-rnn`.
"""

from collections import Counter
from typing import NamedTuple

import numpy as np

Counts = dict[str, dict[str, int]]  # context -> the character after it -> how often


class Ngram(NamedTuple):
    """What `count` has counted, for contexts of 0, 1, … characters."""

    size: int  #: K, the number of characters there are
    counts: tuple[Counts, ...]
    discounts: tuple[tuple[float, ...], ...]  #: for a count of 0, 1, 2, and 3 or more
    sums: tuple[dict[str, tuple[int, float]], ...]  #: context -> all its counts together, all its discounts together


def count(text: str, order: int, size: int) -> Ngram:
    """Count what follows each context of up to `order` characters of the text; `size` is that of the alphabet.

    Raises ValueError unless the order is at least 0 and the text longer than that.
    """
    if not 0 <= order < len(text):
        raise ValueError(f"order must be from 0 to {len(text) - 1} for {len(text)} characters, got {order}")
    longest: Counts = {}
    for i in range(order, len(text)):
        row = longest.setdefault(text[i - order : i], {})
        row[text[i]] = row.get(text[i], 0) + 1
    counts = [longest]
    for n in range(order, 0, -1):
        counts.insert(0, _distinct(counts[0], text[:n]))
    discounts = [_discounts(table) for table in counts]
    sums = [
        {context: (sum(row.values()), sum(d[min(k, 3)] for k in row.values())) for context, row in table.items()}
        for table, d in zip(counts, discounts, strict=True)
    ]
    return Ngram(size, tuple(counts), tuple(discounts), tuple(sums))


def probabilities(model: Ngram, text: str) -> np.ndarray:
    """The probability of every character given those before it (N,)."""
    order = len(model.counts) - 1
    return np.array([probability(model, text[max(0, i - order) : i], text[i]) for i in range(len(text))])


def probability(model: Ngram, context: str, character: str) -> float:
    """Of one character after a context, of which the last `order` characters count."""
    p = 1 / model.size
    for n, (table, d, sums) in enumerate(zip(model.counts, model.discounts, model.sums, strict=True)):
        end = context[len(context) - n :]
        if n > len(context) or end not in table:  # what was never seen has no longer context that was
            break
        k, (total, spared) = table[end].get(character, 0), sums[end]
        p = (k - d[min(k, 3)] + spared * p) / total  # (kneser-ney)
    return p


def _distinct(longer: Counts, start: str) -> Counts:
    """For contexts shorter by one: how many different characters stood before. The text's start has none before it."""
    shorter: Counts = {start[:-1]: {start[-1]: 1}}
    for context, row in longer.items():
        here = shorter.setdefault(context[1:], {})
        for character in row:
            here[character] = here.get(character, 0) + 1
    return shorter


def _discounts(table: Counts) -> tuple[float, ...]:
    """From how many counts are 1, 2, 3 and 4: (discounts); 0.5, 1 and 1.5 where there are too few to say."""
    number = Counter(k for row in table.values() for k in row.values())
    n1, n2, n3, n4 = (number[k] for k in (1, 2, 3, 4))
    if not all((n1, n2, n3, n4)):
        return 0.0, 0.5, 1.0, 1.5
    Y = n1 / (n1 + 2 * n2)
    found = [1 - 2 * Y * n2 / n1, 2 - 3 * Y * n3 / n2, 3 - 4 * Y * n4 / n3]
    return 0.0, *(min(max(d, 0.0), float(k)) for k, d in enumerate(found, start=1))
