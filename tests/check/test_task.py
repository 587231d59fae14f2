"""Watching a call: what it changed, and what it must be allowed to change."""

import numpy as np
import pytest

from rnncourse.check.task import call


def scale(x):
    x *= 2
    return x


@pytest.mark.parametrize("x", [np.ones(3), np.array([np.nan, 1.0])], ids=["numbers", "with NaN"])
def test_an_argument_changed_in_place_is_named(x):
    assert call(scale, {"x": x}).changed == ("x",)


def test_an_array_within_a_list_is_seen():
    assert call(lambda xs: scale(xs[1]), {"xs": [np.ones(2), np.ones(2)]}).changed == ("xs",)


@pytest.mark.parametrize("x", [np.array([np.nan, 1.0]), np.array(["a", "b"]), [1, (2, "c")], np.array([True])])
def test_an_argument_left_alone_is_not_named(x):
    assert call(lambda x: None, {"x": x}).changed == ()


def test_a_generator_may_be_drawn_from():
    outcome = call(lambda rng: rng.random(), {"rng": np.random.default_rng(0)})
    assert outcome.value == np.random.default_rng(0).random()
    assert outcome.changed == ()
