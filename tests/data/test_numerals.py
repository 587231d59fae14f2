import unicodedata

import numpy as np
import pytest

from rnncourse.data import numerals


def value(text):
    """What a Chinese numeral is worth, read from left to right by what Unicode says of each character."""
    total = group = digit = 0
    for character in text:
        worth = int(unicodedata.numeric(character))
        if worth < 10:
            digit = worth
        elif worth < 10_000:
            group, digit = group + (digit or 1) * worth, 0
        else:
            total, group, digit = total + (group + digit) * worth, 0, 0
    return total + group + digit


SMALL = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen"""
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
ENGLISH = {word: n for n, word in enumerate(SMALL.split())}
ENGLISH |= {word: 10 * n for n, word in enumerate(TENS.split(), start=2)}


def worth(text):
    """What English number words are worth."""
    total = group = 0
    for word in text.replace("-", " ").split():
        if word == "hundred":
            group *= 100
        elif word in ("thousand", "million"):
            total, group = total + group * {"thousand": 10**3, "million": 10**6}[word], 0
        else:
            group += ENGLISH[word]
    return total + group


NUMBERS = [*range(1, 2100), *(int(n) for n in np.random.default_rng(0).integers(1, 10**8, 2000)),
           *(a * 10**n + b for a in (1, 10, 23, 100, 101) for n in (4, 5, 6) for b in (0, 1, 10, 100, 1001, 2030)
             if a * 10**n + b < 10**8)]  # fmt: skip


def test_numerals_are_worth_their_number():
    for number in NUMBERS:
        assert value(numerals.chinese(number)) == number
        assert worth(numerals.english(number)) == number


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (10, "十"), (12, "十二"), (20, "二十"), (110, "一百一十"), (1001, "一千零一"), (1010, "一千零一十"),
        (10_001, "一万零一"), (100_000, "十万"), (120_300, "十二万零三百"), (1_010_000, "一百零一万"),
        (20_010_101, "二千零一万零一百零一"), (30_003_000, "三千万三千"),
    ],
)  # fmt: skip
def test_zeros_and_tens_as_people_write_them(number, text):
    assert numerals.chinese(number) == text


def test_no_numeral_has_two_zeros_in_a_row_or_one_at_an_end():
    for number in NUMBERS:
        text = numerals.chinese(number)
        assert "零零" not in text
        assert "零万" not in text
        assert not text.endswith("零")
        assert not text.startswith("零")


def test_parts_share_no_number():
    rng = np.random.default_rng(0)
    drawn = {part: {pair.target for pair in numerals.draw(3000, part, rng)} for part in numerals.PARTS}
    for part, numbers in drawn.items():
        assert {numerals.part_of(int(number)) for number in numbers} == {part}
        assert {len(number) for number in numbers} == set(numerals.DIGITS)
    shares = [numerals.part_of(n) for n in range(10_000)]
    assert 0.08 < shares.count("test") / 10_000 < 0.12
    assert 0.08 < shares.count("validation") / 10_000 < 0.12


@pytest.mark.parametrize("language", numerals.LANGUAGES)
def test_draws_repeat_and_pair_words_with_digits(language):
    one, two = (numerals.draw(50, "test", np.random.default_rng(1), language, digits=(2, 8)) for _ in range(2))
    assert one == two
    words = {"zh": numerals.chinese, "en": numerals.english}[language]
    assert all(pair.source == words(int(pair.target)) and len(pair.target) in (2, 8) for pair in one)


def test_errors_name_what_is_wrong():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="99,999,999, got 100000000"):
        numerals.chinese(10**8)
    with pytest.raises(ValueError, match="got 0"):
        numerals.english(0)
    with pytest.raises(ValueError, match="'tests'"):
        numerals.draw(1, "tests", rng)
    with pytest.raises(ValueError, match="'de'"):
        numerals.draw(1, "test", rng, "de")
    with pytest.raises(ValueError, match=r"got \(1, 2\)"):
        numerals.draw(1, "test", rng, digits=(1, 2))
    with pytest.raises(ValueError, match=r"got \(\)"):
        numerals.draw(1, "test", rng, digits=())
