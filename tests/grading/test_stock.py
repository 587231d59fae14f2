"""The same scores, types of output and names of errors as stock nbgrader, for what students hand in.

A sample: `make bench` compares hundreds of answers to the exercises of this course.
"""

import itertools

import course
import pytest

from benchmarks.grading import STOCK, differences, results

CELLS = {  # a cell of the student's own, before all others
    "nothing": "",
    "value": "1 + 1",
    "nothing-shown": "1 + 1;",
    "print": "print('a', end='')\nprint('b')",
    "both-streams": "import sys\nprint('a')\nprint('b', file=sys.stderr)",
    "warning": "import warnings\nwarnings.warn('look')",
    "error": "1 / 0",
    "own-error": "class Odd(Exception): pass\nraise Odd('x')",
    "syntax": "def f(:",
    "unknown": "no_such_name",
    "import": "import no_such_package",
    "display": "from IPython.display import display\ndisplay({'a': 1})\nprint(2)\n3",
    "html": "from IPython.display import HTML\nHTML('<b>x</b>')",
    "figure": "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()",
    "magic": "%precision 3\n%time 1",
    "input": "input('name?')",
    "await": "import asyncio\nawait asyncio.sleep(0)\n'slept'",
    "long": "print('x' * 3_000_000)",
}
ANSWERS = {
    "right": course.RIGHT,
    "wrong": course.WRONG,
    "blank": {},
    "partial": course.RIGHT | {"double": "def double(x):\n    return 0 * x"},
    "modifies": course.RIGHT | {"double": "def double(x):\n    x *= 2\n    return x"},
    "raises": course.RIGHT | {"mean": "def mean(numbers):\n    raise KeyError(numbers)"},
    "own-class": course.RIGHT | {"mean": "class mean:\n    def __new__(cls, n): return sum(n) / len(n)"},
    "prints": course.RIGHT | {"mean": "def mean(n):\n    print('mean of', n)\n    return sum(n) / len(n)"},
    "warns": course.RIGHT | {"mean": "def mean(n):\n    import warnings\n    warnings.warn('!')\n    return 3"},
    "warns-each-time": course.RIGHT
    | {"double": "import warnings\n\ndef double(x):\n    warnings.warn('!')\n    return 2 * x"},
    "wrong-kind": course.RIGHT | {"double": "double = 2", "six": "six = '6'"},
    "undefined": course.RIGHT | {"six": "pass"},
}


@pytest.fixture(scope="module")
def courses(tmp_path_factory):
    """The same submissions, graded by stock nbgrader and by us."""
    roots = [course.make(tmp_path_factory.mktemp(name)) for name in ("stock", "ours")]
    for root in roots:
        for (cell, first), (name, answers) in zip(CELLS.items(), itertools.cycle(ANSWERS.items()), strict=False):
            course.hand_in(root, f"{cell}, {name}", course.answered(root, answers, first))
    (roots[0] / "nbgrader_config.py").write_text(STOCK.replace("rnncourse", "toy"))
    stock = course.run(roots[0], "nbgrader", "autograde", "toy")
    assert stock.returncode == 0, stock.stderr
    course.grade(roots[1], "--jobs=2")
    return roots


def test_everyone_gets_the_same(courses):
    stock, ours = (results(root, "toy") for root in courses)
    assert len(stock) == len(CELLS)
    assert {name: (stock[name], ours[name]) for name in differences(stock, ours)} == {}
