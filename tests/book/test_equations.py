"""Every labelled equation of the book is evaluated from its formula, number by number, and compared with the code.

`equations` has a file for each chapter with two lists. EQUATIONS: label -> a function whose docstring is the formula
it was written from (who changes one in the book has to change both) and that yields pairs, what the formula gives
and what the code gives. IMPLEMENTED: (label, source of code that must name it).
"""

import importlib
import inspect
import re
from pathlib import Path

import numpy as np
import pytest
from equations.tools import PAGES

MATH = re.compile(r"^[`:]{3,}\{math\}\n(.*?)^[`:]{3,}", re.M | re.S)
BLOCKS = [block for page in PAGES for block in MATH.findall(page)]
FILES = sorted(path.stem for path in Path(__file__).with_name("equations").glob("*.py") if path.stem != "tools")
CHAPTERS = [importlib.import_module(f"equations.{name}") for name in FILES]
EQUATIONS = {label: evaluate for chapter in CHAPTERS for label, evaluate in chapter.EQUATIONS.items()}
IMPLEMENTED = [pair for chapter in CHAPTERS for pair in chapter.IMPLEMENTED]


def formulas() -> list[tuple[str, str]]:
    """(label, formula) of every labelled equation of the book."""
    found = [
        (re.search(r"^:label:\s*(\S+)", block, re.M), re.sub(r"^:.*\n", "", block, flags=re.M)) for block in BLOCKS
    ]
    dollars = [match for page in PAGES for match in re.findall(r"\$\$([^$]+)\$\$ *\(([^)\s]+)\)", page)]
    return [(label[1], tex) for label, tex in found if label] + [(label, tex) for tex, label in dollars]


def test_every_labelled_equation_is_evaluated_once():
    assert sorted(label for label, _ in formulas()) == sorted(EQUATIONS)
    assert len(EQUATIONS) == sum(len(chapter.EQUATIONS) for chapter in CHAPTERS)


@pytest.mark.parametrize("label", EQUATIONS)
def test_the_formula_in_the_book_is_the_one_evaluated_here(label):
    assert dict(formulas())[label].split() == inspect.getdoc(EQUATIONS[label]).split()


@pytest.mark.parametrize("label", EQUATIONS)
def test_the_equation_and_the_code_give_the_same_numbers(label):
    pairs = list(EQUATIONS[label]())
    assert pairs
    for want, got in pairs:
        assert np.shape(want) == np.shape(got)
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("label", "source"), IMPLEMENTED)
def test_the_code_names_the_equation_that_it_computes(label, source):
    assert f"({label})" in source()
