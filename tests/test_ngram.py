import math

import numpy as np
import pytest

from rnncourse import ngram

TEXT = "she sells sea shells by the sea shore; the shells she sells are sea shells, she is sure. " * 3 + "so be it"
ALPHABET = [*sorted(set(TEXT)), "?", "!"]  # two that never occur
K = len(ALPHABET)


def oracle(order, context, character):
    """The formula, from the text itself, without tables."""

    def counts(h, n):
        """Of the characters after h: in the text if it is the longest context, else the different ones before."""
        spots = [i for i in range(n, len(TEXT)) if TEXT[i - n : i] == h]
        if n == order:
            return {c: sum(TEXT[i] == c for i in spots) for c in {TEXT[i] for i in spots}}
        before = {(TEXT[i - n - 1] if i > n else None, TEXT[i]) for i in spots}
        return {c: sum(second == c for _, second in before) for c in {second for _, second in before}}

    def discounts(n):
        tables = [counts(h, n) for h in {TEXT[i - n : i] for i in range(n, len(TEXT))}]
        have = [sum(k == number for table in tables for k in table.values()) for number in (1, 2, 3, 4)]
        if 0 in have:
            return 0, 0.5, 1, 1.5
        y = have[0] / (have[0] + 2 * have[1])
        d = [k - (k + 1) * y * have[k] / have[k - 1] for k in (1, 2, 3)]
        return 0, *(min(max(x, 0), k) for k, x in enumerate(d, 1))

    def p(n):
        if n < 0:
            return 1 / K
        h = context[len(context) - n :] if n <= len(context) else None
        table = counts(h, n) if h is not None else {}
        if not table:
            return p(n - 1)
        d = discounts(n)
        spared = sum(d[min(k, 3)] for k in table.values())
        k = table.get(character, 0)
        return (k - d[min(k, 3)] + spared * p(n - 1)) / sum(table.values())

    return p(order)


@pytest.mark.parametrize("order", [0, 1, 2, 4])
def test_probabilities_are_those_of_the_formula(order):
    model = ngram.count(TEXT, order, K)
    for context in ("", "s", "sh", "the sh", "sea", "x", "?she", TEXT[:order]):
        for character in "se ,?":
            want = oracle(order, context, character)
            assert ngram.probability(model, context, character) == pytest.approx(want, rel=1e-12)


@pytest.mark.parametrize("order", [0, 1, 3, 6])
@pytest.mark.parametrize("context", ["", "s", "she se", "never seen", "?"])
def test_they_are_positive_and_sum_to_one(order, context):
    model = ngram.count(TEXT, order, K)
    p = [ngram.probability(model, context, character) for character in ALPHABET]
    assert min(p) > 0
    assert math.fsum(p) == pytest.approx(1, abs=1e-12)


def test_a_text_has_the_probabilities_of_its_characters():
    model = ngram.count(TEXT, 3, K)
    got = ngram.probabilities(model, "she shore?")
    want = [ngram.probability(model, "she shore?"[:i], c) for i, c in enumerate("she shore?")]
    np.testing.assert_array_equal(got, want)
    assert ngram.probabilities(model, "").shape == (0,)


def test_only_the_last_characters_count():
    model = ngram.count(TEXT, 2, K)
    assert ngram.probability(model, "by the s", "e") == ngram.probability(model, " s", "e")


@pytest.mark.parametrize(("text", "order"), [("ab", 2), ("ab", -1), ("", 0)])
def test_orders_that_do_not_fit_are_refused(text, order):
    with pytest.raises(ValueError, match=f"got {order}"):
        ngram.count(text, order, 5)


def test_the_shortest_text():
    model = ngram.count("ab", 1, 3)
    assert ngram.probability(model, "a", "b") > ngram.probability(model, "a", "a") > 0
