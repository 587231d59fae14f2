"""What a failed check says of an answer with several outputs."""

import re

import numpy as np
import pytest

from rnncourse.check.compare import CheckFailed
from rnncourse.check.diagnose import check
from rnncourse.check.task import Task

RIGHT = """\
def three(x):
    return x, 2 * x, 3 * x
"""
TASK = Task(
    "three",
    RIGHT,
    (("one", ("place",)), ("two", ("place",)), ("many", ("place",))),
    lambda: [{"x": np.arange(1.0, 4.0)}],
    mistakes=(),
    variants=(),
)


def message(answer) -> str:
    with pytest.raises(CheckFailed) as failure:
        check(TASK, answer)
    return re.sub(r"\s+", " ", str(failure.value))


def test_the_first_wrong_output_is_described_and_the_others_are_named():
    said = message(lambda x: (x, x, x))
    assert "two has wrong values in 3 of 3 places. At place 0 you have 1. Also wrong: `many`. Right: `one`." in said


def test_a_single_wrong_output_has_the_right_ones_beside_it():
    said = message(lambda x: (x, 2 * x, x))
    assert "Also wrong" not in said
    assert "Right: `one` and `two`." in said


def test_where_all_are_wrong_nothing_is_called_right():
    said = message(lambda x: (-x, -x, -x))
    assert "Also wrong: `two` and `many`." in said
    assert "Right" not in said


@pytest.mark.parametrize(
    ("value", "words"),
    [((1,), "a tuple with one value"), ([1, 2], "2 values"), (np.ones(3), "one ndarray"), (None, "nothing")],
)
def test_a_wrong_number_of_outputs_is_counted(value, words):
    assert f"it should return `one`, `two` and `many`, but returns {words}." in message(lambda x: value)
