import numpy as np
import pytest

from rnncourse.data import adding


@pytest.mark.parametrize("steps", [2, 3, 10, 101])
def test_the_answer_is_the_sum_of_one_number_from_each_half(steps):
    x, y = adding.draw(50, steps, np.random.default_rng(0), dtype=np.float64)
    assert x.shape == (50, steps, 2)
    assert y.shape == (50, 1)
    for (numbers, marks), [answer] in zip(x.swapaxes(1, 2), y, strict=True):
        assert set(marks) <= {0, 1}
        first, second = np.flatnonzero(marks)
        assert first < steps // 2 <= second
        assert answer == numbers[first] + numbers[second]


def test_every_place_of_each_half_is_marked_equally_often_and_numbers_fill_the_interval():
    x, _ = adding.draw(20_000, 5, np.random.default_rng(1))
    shares = x[:, :, 1].mean(axis=0)
    np.testing.assert_allclose(shares, [1 / 2, 1 / 2, 1 / 3, 1 / 3, 1 / 3], atol=0.02)
    numbers = x[:, :, 0]
    assert 0 <= numbers.min() < 0.001
    assert 0.999 < numbers.max() < 1
    assert abs(numbers.mean() - 0.5) < 0.01


def test_the_baseline_is_the_error_of_always_answering_one():
    _, y = adding.draw(50_000, 6, np.random.default_rng(2))
    error = np.mean((y - 1) ** 2)
    assert abs(error - adding.BASELINE) < 0.003
    assert np.mean((y - 0.9) ** 2) > error < np.mean((y - 1.1) ** 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_both_arrays_have_the_dtype_that_was_asked_for(dtype):
    x, y = adding.draw(3, 8, np.random.default_rng(0), dtype)
    assert x.dtype == y.dtype == dtype
    np.testing.assert_allclose((x[:, :, 0] * x[:, :, 1]).sum(axis=1, keepdims=True), y, atol=1e-6)


def test_the_same_generator_gives_the_same_batch_and_then_another():
    a, b = np.random.default_rng(3), np.random.default_rng(3)
    for one, other in zip(adding.draw(4, 9, a), adding.draw(4, 9, b), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(adding.draw(4, 9, a)[0], adding.draw(4, 9, np.random.default_rng(3))[0])


def test_an_empty_batch_is_allowed():
    x, y = adding.draw(0, 4, np.random.default_rng(0))
    assert (x.shape, y.shape) == ((0, 4, 2), (0, 1))


@pytest.mark.parametrize("steps", [1, 0, -3])
def test_too_few_steps_are_refused(steps):
    with pytest.raises(ValueError, match=f"needs at least two steps, got {steps}"):
        adding.draw(2, steps, np.random.default_rng(0))
