"""Dates as people write them in 13 languages, to be translated into one form: ISO 8601 or Chinese.

Source: the Unicode Common Locale Data Repository (CLDR, Unicode licence v3) as it comes inside Babel (BSD licence), by
`babel.dates.format_date` in its medium, long and full form, such as ``Mar 4, 2026``, ``4 de marzo de 2026`` and
``Mittwoch, 4. März 2026``. The short form is left out: ``04/03/26`` names several dates. Every date from 1900 to 2099
is a possible one, 73,049 in all. Whole dates are held out: about one in ten for the test and one in ten for
validation, chosen by a hash, and no form of a held-out date, alone or in a list, is drawn for training. CLDR is
revised with Babel: rely on every form naming one date only, and on nothing finer.
"""

import datetime
import functools
import hashlib
from typing import Literal, NamedTuple

import numpy as np

LOCALES = ("de", "en", "es", "fr", "it", "ja", "ko", "nl", "pl", "pt", "ru", "tr", "zh")
FORMS = ("medium", "long", "full")
FIRST, LAST = datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)
LONGEST = 5  # dates in a list

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")
BETWEEN = {"source": "; ", "iso": " ", "zh": "、"}  # dates of a list


class Pair(NamedTuple):
    """A list of dates as somebody wrote it, and its translation."""

    source: str
    target: str
    locale: str


@functools.cache
def days(part: Part) -> tuple[datetime.date, ...]:
    """All dates of one part, in order. Raises ValueError for a part that does not exist."""
    if part not in PARTS:
        raise ValueError(f"part must be one of {', '.join(PARTS)}, got {part!r}")
    every = (FIRST + datetime.timedelta(n) for n in range((LAST - FIRST).days + 1))
    return tuple(day for day in every if part_of(day) == part)


def part_of(day: datetime.date) -> Part:
    """The part that a date belongs to, by a hash: the same on every machine."""
    number = hashlib.sha256(day.isoformat().encode()).digest()[0]
    return "test" if number < 26 else "validation" if number < 52 else "train"  # of 256


def written(day: datetime.date, locale: str, form: str) -> str:
    """The date as the locale writes it, with plain spaces. Raises ValueError for another locale or form."""
    if locale not in LOCALES or form not in FORMS:
        raise ValueError(f"need one of {', '.join(LOCALES)} and one of {', '.join(FORMS)}, got {locale!r} and {form!r}")
    text = _format_date()(day, format=form, locale=locale)
    return " ".join(text.split())  # CLDR has spaces of several widths


def translated(day: datetime.date, to: str) -> str:
    """The date in the target's form: 2026-03-04 or 2026年3月4日. Raises ValueError for another target."""
    if to not in ("iso", "zh"):
        raise ValueError(f"dates are translated to iso or zh, got {to!r}")
    return day.isoformat() if to == "iso" else f"{day.year}年{day.month}月{day.day}日"


def draw(
    count: int,
    length: int,
    part: Part,
    rng: np.random.Generator,
    to: Literal["iso", "zh"] = "iso",
    locales: tuple[str, ...] = LOCALES,
    forms: tuple[str, ...] = FORMS,
) -> list[Pair]:
    """`count` lists of `length` dates of that part. One list is written in one locale and one form, all drawn.

    Raises ValueError for a negative count and unless length is from 1 to 5.
    """
    if count < 0 or not 1 <= length <= LONGEST:
        raise ValueError(f"need count ≥ 0 and length from 1 to {LONGEST}, got {count} and {length}")
    choice = days(part)
    return [
        _pair([choice[n] for n in rng.integers(len(choice), size=length)], _one(locales, rng), _one(forms, rng), to)
        for _ in range(count)
    ]


def _pair(chosen: list[datetime.date], locale: str, form: str, to: str) -> Pair:
    sources, targets = zip(*[(written(day, locale, form), translated(day, to)) for day in chosen], strict=True)
    return Pair(BETWEEN["source"].join(sources), BETWEEN[to].join(targets), locale)


def _one(names: tuple[str, ...], rng: np.random.Generator) -> str:
    return names[rng.integers(len(names))]


@functools.cache
def _format_date():
    try:
        from babel.dates import format_date
    except ModuleNotFoundError as error:
        message = "the dates come from the package Babel, which is not installed: pip install -r requirements.txt"
        raise ModuleNotFoundError(message, name="babel") from error
    return format_date
