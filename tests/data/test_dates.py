import datetime
import re
import subprocess
import sys

import numpy as np
import pytest

from rnncourse.data import dates

YEAR = [datetime.date(2026, 1, 1) + datetime.timedelta(n) for n in range(365)]
MORE = [datetime.date(year, month, day) for year in (1900, 1999, 2012, 2099) for month in (1, 5, 12) for day in (1, 12)]


def test_the_parts_hold_every_date_once():
    parts = [dates.days(part) for part in dates.PARTS]
    assert sorted(day for part in parts for day in part) == [
        datetime.date(1900, 1, 1) + datetime.timedelta(n) for n in range(73_049)
    ]
    _, validation, test = (len(part) for part in parts)
    assert 7000 < validation < 8000
    assert 7000 < test < 8000


def test_no_form_names_two_dates():
    named = {}
    for day in YEAR + MORE:
        for locale in dates.LOCALES:
            for form in dates.FORMS:
                text = dates.written(day, locale, form)
                assert named.setdefault(text, day) == day, f"{text} is {day} and {named[text]}"
    assert len(named) > 20 * len(YEAR)


def test_every_form_holds_the_year_and_the_day():
    for day in YEAR + MORE:
        for locale in dates.LOCALES:
            for form in dates.FORMS:
                numbers = [int(n) for n in re.findall(r"\d+", dates.written(day, locale, form))]
                assert day.year in numbers
                assert day.day in numbers


def test_some_forms_as_people_write_them():
    day = datetime.date(2026, 3, 4)
    assert dates.written(day, "en", "medium") == "Mar 4, 2026"
    assert dates.written(day, "es", "long") == "4 de marzo de 2026"
    assert dates.written(day, "de", "full") == "Mittwoch, 4. März 2026"
    assert dates.written(day, "zh", "full") == "2026年3月4日星期三"


def test_translations_give_the_date_back():
    for day in YEAR:
        assert datetime.date.fromisoformat(dates.translated(day, "iso")) == day
        assert datetime.date(*map(int, re.findall(r"\d+", dates.translated(day, "zh")))) == day


def test_lists_hold_dates_of_their_part_only():
    rng = np.random.default_rng(0)
    for part in dates.PARTS:
        for length in range(1, dates.LONGEST + 1):
            for pair in dates.draw(30, length, part, rng):
                days = [datetime.date.fromisoformat(text) for text in pair.target.split(" ")]
                assert {dates.part_of(day) for day in days} == {part}
                forms = ["; ".join(dates.written(day, pair.locale, form) for day in days) for form in dates.FORMS]
                assert pair.source in forms
                assert len(days) == length


def test_every_locale_and_form_is_drawn():
    pairs = dates.draw(800, 1, "train", np.random.default_rng(0), to="zh")
    assert {pair.locale for pair in pairs} == set(dates.LOCALES)
    assert any(re.match(r"\d+ \w+ \d+$", pair.source) for pair in pairs)
    assert all(re.fullmatch(r"\d{4}年\d{1,2}月\d{1,2}日", pair.target) for pair in pairs)
    spanish = dates.draw(20, 2, "test", np.random.default_rng(0), locales=("es",), forms=("long",))
    assert all(pair.source.count(" de ") == 4 for pair in spanish)


def test_draws_repeat():
    one, two, other = (dates.draw(20, 2, "test", np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one == two != other
    assert dates.draw(0, 1, "test", np.random.default_rng(0)) == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rng: dates.draw(1, 0, "train", rng), "got 1 and 0"),
        (lambda rng: dates.draw(1, 6, "train", rng), "got 1 and 6"),
        (lambda rng: dates.draw(-1, 1, "train", rng), "got -1 and 1"),
        (lambda rng: dates.draw(1, 1, "held out", rng), "'held out'"),
        (lambda rng: dates.draw(1, 1, "test", rng, to="de"), "'de'"),
        (lambda rng: dates.draw(1, 1, "test", rng, locales=("xx",)), "'xx'"),
        (lambda rng: dates.draw(1, 1, "test", rng, forms=("short",)), "'short'"),
    ],
)
def test_errors_name_what_is_wrong(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.random.default_rng(0))


def test_without_babel_the_error_says_what_to_install():
    code = """
import sys
sys.modules["babel"] = sys.modules["babel.dates"] = None
import numpy as np
from rnncourse.data import dates
dates.draw(1, 1, "test", np.random.default_rng(0))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    last = run.stderr.strip().splitlines()[-1]
    assert run.returncode == 1
    assert "the package Babel" in last
    assert "pip install" in last
