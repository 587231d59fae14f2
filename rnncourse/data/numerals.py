"""Numbers in words, to be translated into digits: Chinese numerals and English number words.

Made, no licence, unlimited but for its range: numbers of 2 to 8 digits are drawn, every count of digits equally likely.
A number belongs to one part, chosen by a hash of its digits: about one in ten is held out for the test, one in ten for
validation, and none of these is drawn for training.
"""

import hashlib
from typing import Literal, NamedTuple

import numpy as np

DIGITS = (2, 3, 4, 5, 6, 7, 8)
LARGEST = 99_999_999
LANGUAGES = ("zh", "en")
Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")

CHINESE = "零一二三四五六七八九"
UNITS = ("", "十", "百", "千")
SMALL = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
SMALL += [f"{stem}teen" for stem in ("thir", "four", "fif", "six", "seven", "eigh", "nine")]
TENS = ["", "ten", *(f"{stem}ty" for stem in ("twen", "thir", "for", "fif", "six", "seven", "eigh", "nine"))]


class Pair(NamedTuple):
    """A number in words and in digits."""

    source: str
    target: str


def part_of(number: int) -> Part:
    """The part that a number belongs to: the same on every machine."""
    byte = hashlib.sha256(str(number).encode()).digest()[0]
    return "test" if byte < 26 else "validation" if byte < 52 else "train"  # of 256


def chinese(number: int) -> str:
    """A number as a Chinese numeral: 20,500,012 is 二千零五十万零一十二. Raises ValueError outside 1 to 99,999,999."""
    _check(number)
    high, low = divmod(number, 10_000)
    above = _under_ten_thousand(high) + "万" if high else ""
    gap = "零" if high and 0 < low < 1000 else ""
    text = above + gap + _under_ten_thousand(low)
    return text.removeprefix("一") if text.startswith("一十") else text


def english(number: int) -> str:
    """A number in English words: 20,512 is "twenty thousand five hundred twelve". Raises ValueError as `chinese`."""
    _check(number)
    words = []
    for size, name in ((1_000_000, ["million"]), (1000, ["thousand"]), (1, [])):
        group = number // size % 1000
        words += _under_thousand(group) + name if group else []
    return " ".join(words)


def draw(
    count: int,
    part: Part,
    rng: np.random.Generator,
    language: Literal["zh", "en"] = "zh",
    digits: tuple[int, ...] = DIGITS,
) -> list[Pair]:
    """`count` numbers of that part, each with as many digits as one of `digits`, equally likely.

    Raises ValueError for a part, a language or a number of digits that there is not.
    """
    if part not in PARTS or language not in LANGUAGES:
        raise ValueError(
            f"need one of {', '.join(PARTS)} and one of {', '.join(LANGUAGES)}, got {part!r}, {language!r}"
        )
    if not digits or not set(digits) <= set(DIGITS):
        raise ValueError(f"digits must be some of {DIGITS}, got {digits}")
    words = chinese if language == "zh" else english
    pairs = []
    while len(pairs) < count:
        n = digits[rng.integers(len(digits))]
        number = int(rng.integers(10 ** (n - 1), 10**n))
        if part_of(number) == part:
            pairs.append(Pair(words(number), str(number)))
    return pairs


def _check(number: int) -> None:
    if not 1 <= number <= LARGEST:
        raise ValueError(f"number must be from 1 to {LARGEST:,}, got {number}")


def _under_ten_thousand(number: int) -> str:
    text = ""
    for place in (3, 2, 1, 0):
        digit = number // 10**place % 10
        if digit:
            text += CHINESE[digit] + UNITS[place]
        elif text and not text.endswith("零") and number % 10**place:
            text += "零"
    return text


def _under_thousand(number: int) -> list[str]:
    hundreds, rest = divmod(number, 100)
    words = [SMALL[hundreds], "hundred"] if hundreds else []
    if rest >= 20:
        words.append(TENS[rest // 10] + (f"-{SMALL[rest % 10]}" if rest % 10 else ""))
    elif rest:
        words.append(SMALL[rest])
    return words
