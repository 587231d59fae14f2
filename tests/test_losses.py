import numpy as np
import pytest
import torch

from rnncourse.gradcheck import finite_differences, relative_error
from rnncourse.losses import cross_entropy, squared_error


def logits_and_labels(B=3, T=5, K=4, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(B, T, K)).astype(dtype), rng.integers(0, K, (B, T))


def some_mask(B=3, T=5):
    mask = np.random.default_rng(1).random((B, T)) < 0.6
    mask[0, 0] = True
    return mask


# ---------------------------------------------------------------- squared error


@pytest.mark.parametrize("shape", [(1,), (4, 1), (3, 2), (2, 3, 4)])
def test_squared_error_and_its_gradient_are_those_of_torch(shape):
    rng = np.random.default_rng(0)
    output, target = rng.normal(size=(2, *shape))
    theirs = torch.tensor(output, requires_grad=True)
    loss = torch.nn.functional.mse_loss(theirs, torch.tensor(target))
    loss.backward()
    got, gradient = squared_error(output, target)
    assert isinstance(got, float)
    assert np.isclose(got, loss.item(), rtol=1e-14)
    np.testing.assert_allclose(gradient, theirs.grad.numpy(), rtol=1e-14)
    numerical = finite_differences(lambda o: squared_error(o, target)[0], output)
    assert relative_error(gradient, numerical) < 1e-8


def test_squared_error_keeps_float32_and_its_arguments():
    output, target = np.random.default_rng(0).normal(size=(2, 3, 2)).astype(np.float32)
    before = output.copy(), target.copy()
    assert squared_error(output, target)[1].dtype == np.float32
    np.testing.assert_array_equal(output, before[0])
    np.testing.assert_array_equal(target, before[1])


@pytest.mark.parametrize(("output", "target"), [((3, 1), (3,)), ((3, 2), (2, 3)), ((0, 2), (0, 2))])
def test_squared_error_refuses_shapes_that_would_be_broadcast_or_are_empty(output, target):
    with pytest.raises(ValueError, match="must have one shape, not empty, got"):
        squared_error(np.zeros(output), np.zeros(target))


def test_nan_in_gives_nan_out():
    assert np.isnan(squared_error(np.array([np.nan, 1.0]), np.zeros(2))[0])
    logits, labels = logits_and_labels()
    logits[1, 2, 3] = np.nan
    assert np.isnan(cross_entropy(logits, labels)[0])


# ---------------------------------------------------------------- cross-entropy


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("B", "T", "K"), [(3, 5, 4), (1, 1, 1), (1, 7, 2), (6, 1, 9)])
def test_cross_entropy_and_its_gradient_are_those_of_torch(B, T, K, masked):
    logits, labels = logits_and_labels(B, T, K)
    mask = some_mask(B, T) if masked else None
    theirs = torch.tensor(logits, requires_grad=True)
    real = torch.ones(B, T, dtype=torch.bool) if mask is None else torch.tensor(mask)
    loss = torch.nn.functional.cross_entropy(theirs[real], torch.tensor(labels)[real])
    loss.backward()
    got, gradient = cross_entropy(logits, labels, mask)
    assert isinstance(got, float)
    assert np.isclose(got, loss.item(), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(gradient, theirs.grad.numpy(), rtol=0, atol=1e-15)


def test_cross_entropy_of_the_definition_number_by_number():
    logits, labels = logits_and_labels()
    mask, losses = some_mask(), []
    for n, t in np.argwhere(mask):
        chances = np.exp(logits[n, t]) / np.exp(logits[n, t]).sum()
        losses.append(-np.log(chances[labels[n, t]]))
    loss, gradient = cross_entropy(logits, labels, mask)
    assert np.isclose(loss, np.mean(losses), rtol=1e-14)
    numerical = finite_differences(lambda z: cross_entropy(z, labels, mask)[0], logits)
    assert relative_error(gradient, numerical) < 1e-8


@pytest.mark.parametrize("garbage", [np.nan, np.inf, 1e308])
def test_what_stands_at_padding_makes_no_difference(garbage):
    logits, labels = logits_and_labels()
    mask = some_mask()
    loss, gradient = cross_entropy(logits, labels, mask)
    noisy_logits, noisy_labels = np.where(mask[:, :, None], logits, garbage), np.where(mask, labels, -100)
    noisy_loss, noisy_gradient = cross_entropy(noisy_logits, noisy_labels, mask)
    assert noisy_loss == loss
    np.testing.assert_array_equal(noisy_gradient, gradient)
    assert not gradient[~mask].any()


@pytest.mark.parametrize("size", [1e3, 1e300])
def test_large_logits_neither_overflow_nor_change_by_a_shift(size):
    logits, labels = np.array([[[size, 0.0], [size, 0.0]]]), np.array([[0, 1]])
    loss, gradient = cross_entropy(logits, labels)
    assert np.isclose(loss, size / 2)
    np.testing.assert_allclose(gradient, [[[0, 0], [0.5, -0.5]]])
    assert np.isclose(cross_entropy(logits - size, labels)[0], size / 2)


def test_a_step_with_large_logits_does_not_swallow_the_others():
    loss, _ = cross_entropy(np.array([[[1e4, 0.0], [0.0, 0.0]]]), np.array([[0, 1]]))
    assert np.isclose(loss, np.log(2) / 2)


def test_an_impossible_class_costs_nothing_until_it_is_the_right_one():
    logits = np.array([[[0.0, -np.inf, 0.0]]])
    assert np.isclose(cross_entropy(logits, np.array([[0]]))[0], np.log(2))
    assert cross_entropy(logits, np.array([[1]]))[0] == np.inf


def test_cross_entropy_keeps_float32_and_its_arguments():
    logits, labels = logits_and_labels(dtype=np.float32)
    mask = some_mask()
    before = [a.copy() for a in (logits, labels, mask)]
    loss, gradient = cross_entropy(logits, labels, mask)
    assert gradient.dtype == np.float32
    assert np.isclose(loss, cross_entropy(logits.astype(np.float64), labels, mask)[0], rtol=1e-6)
    for array, old in zip((logits, labels, mask), before, strict=True):
        np.testing.assert_array_equal(array, old)


def test_arrays_that_are_not_contiguous_are_the_same_numbers():
    logits, labels = logits_and_labels(4, 6, 5)
    views = [a[::2, ::-1] for a in (logits, labels)]
    want = cross_entropy(*(np.ascontiguousarray(a) for a in views))
    got = cross_entropy(*views)
    assert got[0] == want[0]
    np.testing.assert_array_equal(got[1], want[1])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"logits": np.zeros((3, 5))}, ValueError, r"logits must have shape \(B, T, K\), got \(3, 5\)"),
        ({"logits": np.zeros((3, 5, 4), dtype=int)}, TypeError, "logits must be of a floating type"),
        ({"logits": [[[0.0]]]}, TypeError, "logits must be a NumPy array"),
        ({"labels": np.zeros((5, 3), dtype=int)}, ValueError, r"labels must have shape \(B, T\) = \(3, 5\), got"),
        ({"labels": np.zeros((3, 5, 4), dtype=int)}, ValueError, r"got \(3, 5, 4\)"),
        ({"labels": np.zeros((3, 5))}, TypeError, "labels must be a NumPy array of integers, got float64"),
        ({"labels": np.zeros((3, 5), dtype=bool)}, TypeError, "labels must be a NumPy array of integers, got bool"),
        ({"labels": [[0] * 5] * 3}, TypeError, "labels must be a NumPy array of integers, got list"),
        ({"labels": np.full((3, 5), 4)}, ValueError, r"labels must lie in \[0, 4\), got 4 to 4"),
        ({"labels": np.full((3, 5), -1)}, ValueError, r"labels must lie in \[0, 4\), got -1 to -1"),
        ({"mask": np.zeros((3, 5), dtype=bool)}, ValueError, "no real step"),
        ({"mask": np.ones((3, 4), dtype=bool)}, ValueError, r"mask must have shape \(B, T\) = \(3, 5\)"),
        ({"mask": np.ones((3, 5))}, TypeError, "mask must be a Boolean NumPy array"),
    ],
)
def test_bad_input_is_refused_by_name(change, error, message):
    logits, labels = logits_and_labels()
    with pytest.raises(error, match=message):
        cross_entropy(**({"logits": logits, "labels": labels} | change))


@pytest.mark.parametrize(("B", "T"), [(0, 5), (3, 0)])
def test_an_empty_batch_has_no_mean(B, T):
    with pytest.raises(ValueError, match="no real step"):
        cross_entropy(np.zeros((B, T, 4)), np.zeros((B, T), dtype=int))
