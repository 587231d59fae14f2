import numpy as np
import pytest

from rnncourse.check import CheckFailed, assert_same
from rnncourse.check.compare import difference

AXES = ("example", "step", "unit")


@pytest.fixture
def want():
    return np.random.default_rng(0).normal(size=(2, 4, 3))


def test_the_same_array_is_no_difference(want):
    assert difference("hidden", want.copy(), want, AXES) is None


@pytest.mark.parametrize(("dtype", "noise"), [(np.float64, 1e-12), (np.float32, 1e-6)])
def test_rounding_is_no_difference(want, dtype, noise):
    want = want.astype(dtype)
    assert difference("hidden", (want + noise).astype(dtype), want, AXES) is None


@pytest.mark.parametrize(
    ("got", "said"),
    [
        (lambda w: None, "Is there a `return`"),
        (lambda w: w.tolist(), "should be a NumPy array, but is of type list"),
        (lambda w: w[:, :2], "should be (example, step, unit) = (2, 4, 3), but is (2, 2, 3)"),
        (lambda w: w.swapaxes(0, 1), "but is (4, 2, 3)"),
        (lambda w: w.astype(np.float32), "the inputs are float64, but it is float32"),
        (lambda w: w + 1, "wrong values in 24 of 24 places"),
        (lambda w: np.full_like(w, np.nan), "you have nan"),
        (lambda w: np.full_like(w, np.inf), "you have inf"),
    ],
)
def test_each_kind_of_difference_is_named(want, got, said):
    assert said in difference("hidden", got(want), want, AXES)


def test_the_earliest_step_is_named_even_if_another_example_is_wrong_first(want):
    got = want.copy()
    got[0, 3, 0] += 1  # first in memory
    got[1, 1, 2] += 1  # first in time
    message = difference("hidden", got, want, AXES)
    assert "The first wrong step is 1 (counted from 0)." in message
    assert "At example 1, step 1, unit 2 you have" in message
    assert "2 of 24 places" in message


def test_the_right_value_is_not_given_away():
    message = difference("h", np.array([1.5]), np.array([0.123456789]), ("unit",))
    assert "0.1234" not in message


def test_assert_same_raises_what_a_notebook_shows_without_frames():
    with pytest.raises(CheckFailed) as caught:
        assert_same("h", np.zeros(2), np.ones(2), ("unit",))
    [line] = caught.value._render_traceback_()
    assert "h has wrong values in 2 of 2 places" in line
