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


def test_a_single_number_may_be_a_python_number():
    want = np.asarray(2.5)
    for right in (2.5, np.float64(2.5), np.asarray(2.5)):
        assert difference("norm", right, want, ()) is None
    assert difference("norm", 2.0, want, ()) == "norm is wrong: you have 2."
    assert "should be a number, but is of type str" in difference("norm", "2.5", want, ())
    assert "should be a single number, but is an array of shape (1,)" in difference("norm", np.array([2.5]), want, ())


def test_gradients_over_time_go_wrong_first_at_the_latest_step():
    want = np.zeros((2, 5, 3))
    got = want.copy()
    got[0, 1, 2] = got[1, 3, 0] = got[0, 3, 1] = 1
    message = difference("dx", got, want, ("example", "step back", "unit"))
    assert "Going back from the last step, the first wrong one is 3 (counted from 0)." in message
    assert "At example 0, step 3, unit 1 you have 1." in message
    assert "(example, step, unit) = (2, 5, 3)" in difference("dx", got[:1], want, ("example", "step back", "unit"))


def test_an_approximate_answer_has_a_tolerance_of_its_own():
    want = np.array([100.0, 1.0])
    assert difference("gradient", want + 1e-5, want, ("entry",), 1e-6) is None
    assert difference("gradient", want + 1e-3, want, ("entry",), 1e-6) is not None
    assert difference("gradient", want + 1e-5, want, ("entry",)) is not None


def test_masks_are_compared_as_they_are():
    want, axes = np.array([[True, True, False]]), ("sequence", "step")
    assert difference("mask", want.copy(), want, axes) is None
    message = difference("mask", ~want, want, axes)
    assert "wrong values in 3 of 3 places. The first wrong step is 0" in message
    assert "you have False" in message
    assert "it should be bool, but it is float64" in difference("mask", want * 1.0, want, axes)
