import numpy as np
import pytest
import torch

from rnncourse.optim import Moments, adam, clip_by_global_norm, global_norm

SHAPES = [(3, 4), (4,), (2, 3, 2), ()]


def arrays(seed=0, dtype=np.float64, scale=1.0):
    rng = np.random.default_rng(seed)
    return [np.asarray(scale * rng.normal(size=shape), dtype=dtype) for shape in SHAPES]


# ---------------------------------------------------------------- clipping


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3, 1e100])
@pytest.mark.parametrize("limit", [0.5, 5.0, 1e4])
def test_clipping_is_that_of_torch(scale, limit):
    gradients = arrays(scale=scale)
    theirs = [torch.zeros(shape, dtype=torch.float64, requires_grad=True) for shape in SHAPES]
    for parameter, gradient in zip(theirs, gradients, strict=True):
        parameter.grad = torch.tensor(gradient)
    norm = torch.nn.utils.clip_grad_norm_(theirs, limit).item()
    clipped, got = clip_by_global_norm(gradients, limit)
    assert np.isclose(got, norm, rtol=1e-14)
    for ours, parameter in zip(clipped, theirs, strict=True):  # PyTorch adds 1e-6 to the norm
        np.testing.assert_allclose(ours, parameter.grad.numpy(), rtol=2e-6)


def test_the_direction_stays_and_the_norm_is_exactly_the_limit():
    gradients = arrays(scale=10)
    clipped, norm = clip_by_global_norm(gradients, 2.0)
    together = np.concatenate([np.ravel(g) for g in gradients])
    assert np.isclose(norm, np.linalg.norm(together))
    np.testing.assert_allclose(np.concatenate([np.ravel(g) for g in clipped]), together * 2 / norm, rtol=1e-14)


def test_what_is_below_the_limit_is_not_touched():
    gradients = arrays()
    norm = clip_by_global_norm(gradients, np.inf)[1]
    for limit in (norm * 1.001, 1e9, np.inf):
        for got, want in zip(clip_by_global_norm(gradients, limit)[0], gradients, strict=True):
            np.testing.assert_array_equal(got, want)


def test_gradients_that_are_none_stay_none_and_zeros_stay_zeros():
    clipped, norm = clip_by_global_norm([None, np.array([3.0, 4.0]), None], 1.0)
    assert norm == 5
    assert clipped[0] is clipped[2] is None
    np.testing.assert_allclose(clipped[1], [0.6, 0.8])
    clipped, norm = clip_by_global_norm([np.zeros(3)], 1.0)
    assert norm == 0
    np.testing.assert_array_equal(clipped[0], np.zeros(3))
    assert clip_by_global_norm([], 1.0) == ([], 0.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_clipping_keeps_the_dtype_and_the_arguments(dtype):
    gradients = arrays(dtype=dtype, scale=100)
    before = [g.copy() for g in gradients]
    clipped, norm = clip_by_global_norm(gradients, 1.0)
    assert isinstance(norm, float)
    for got, given, old in zip(clipped, gradients, before, strict=True):
        assert got.dtype == dtype
        np.testing.assert_array_equal(given, old)


def test_squares_that_overflow_in_float32_do_not_spoil_the_norm():
    [clipped], norm = clip_by_global_norm([np.array([3e30, 4e30], dtype=np.float32)], 1.0)
    assert np.isclose(norm, 5e30)
    np.testing.assert_allclose(clipped, [0.6, 0.8], rtol=1e-6)
    assert clipped.dtype == np.float32


def test_the_norm_of_complex_gradients_counts_both_parts():
    assert global_norm([np.array([3 + 4j]), None, np.array([12.0])]) == 13


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_gradient_that_is_not_finite_is_refused(bad):
    gradients = arrays()
    gradients[1][2] = bad
    with pytest.raises(FloatingPointError, match=r"the norm of the gradients is (nan|inf)"):
        clip_by_global_norm(gradients, 1.0)


@pytest.mark.parametrize("limit", [0, -1.0, float("nan")])
def test_a_limit_that_is_not_positive_is_refused(limit):
    with pytest.raises(ValueError, match=f"limit must be positive, got {limit}"):
        clip_by_global_norm(arrays(), limit)


# ---------------------------------------------------------------- Adam


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e6])
def test_adam_is_that_of_torch_over_many_updates(scale):
    weights, moments = arrays(), None
    theirs = [torch.tensor(w, requires_grad=True) for w in weights]
    optimizer = torch.optim.Adam(theirs, lr=0.03)
    for update in range(30):
        gradients = arrays(seed=100 + update, scale=scale)
        for parameter, gradient in zip(theirs, gradients, strict=True):
            parameter.grad = torch.tensor(gradient)
        optimizer.step()
        weights, moments = adam(weights, gradients, moments, rate=0.03)
        for ours, parameter in zip(weights, theirs, strict=True):
            np.testing.assert_allclose(ours, parameter.detach().numpy(), rtol=0, atol=1e-12)
    assert moments.updates == 30


def test_the_first_update_has_the_length_of_the_rate_whatever_the_gradient():
    weights, gradients = [np.zeros(3)], [np.array([5.0, -0.01, 0.0])]
    [new], moments = adam(weights, gradients, rate=0.1)
    np.testing.assert_allclose(new, [-0.1, 0.1, 0.0], atol=1e-6)
    assert isinstance(moments, Moments)


def test_it_finds_the_minimum_of_a_quadratic():
    weights, moments = [np.array([3.0, -2.0])], None
    for _ in range(500):
        weights, moments = adam(weights, [2 * (weights[0] - 1)], moments, rate=0.05)
    np.testing.assert_allclose(weights[0], 1, atol=1e-3)


def test_weights_that_are_none_stay_none():
    new, moments = adam([None, np.ones(2)], [None, np.ones(2)])
    new, moments = adam(new, [None, np.ones(2)], moments)
    assert new[0] is moments.mean[0] is moments.square[0] is None
    assert new[1].shape == (2,)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_adam_keeps_the_dtype_and_the_arguments(dtype):
    weights, gradients = arrays(0, dtype), arrays(1, dtype)
    first, moments = adam(weights, gradients)
    before = [a.copy() for a in (*weights, *gradients, *first, *moments.mean, *moments.square)]
    second, _ = adam(first, gradients, moments)
    for array, old in zip((*weights, *gradients, *first, *moments.mean, *moments.square), before, strict=True):
        np.testing.assert_array_equal(array, old)
    assert all(a.dtype == dtype for a in (*first, *second, *moments.mean, *moments.square))


@pytest.mark.parametrize(
    "gradients",
    [[np.zeros((2, 3))], [np.zeros((3, 2)), np.zeros(1)], [None], []],
    ids=["another shape", "one too many", "none", "empty"],
)
def test_gradients_that_do_not_fit_are_refused(gradients):
    with pytest.raises(ValueError, match=r"must have the same shapes, got \[\(3, 2\)\] and"):
        adam([np.zeros((3, 2))], gradients)
