import dataclasses
import math

import numpy as np
import pytest

from rnncourse.cells import RNNCell

DEFINITIONS = {"tanh": math.tanh, "relu": lambda z: max(0.0, z), "linear": lambda z: z}


@pytest.mark.parametrize("activation", DEFINITIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("B", "H"), [(1, 1), (3, 4), (0, 2)])
def test_a_step_is_the_activation_of_the_sum(activation, dtype, B, H):
    rng = np.random.default_rng(B + H)
    z_x, z_h, h = rng.normal(size=(3, B, H)).astype(dtype)
    before = z_x.copy(), z_h.copy(), h.copy()
    (new,) = RNNCell(activation).step(z_x, z_h, (h,))
    sums = [float(a) + float(b) for a, b in zip(z_x.flat, z_h.flat, strict=True)]
    want = np.reshape([DEFINITIONS[activation](z) for z in sums], (B, H))
    assert new.dtype == dtype
    np.testing.assert_allclose(new, want, rtol=1e-6 if dtype == np.float32 else 1e-14)
    for array, old in zip((z_x, z_h, h), before, strict=True):
        np.testing.assert_array_equal(array, old)


def test_tanh_works_on_complex_numbers_for_the_complex_step():
    z = np.array([[0.3 + 1e-30j]])
    (new,) = RNNCell("tanh").step(z, np.zeros_like(z), (z,))
    assert new.imag[0, 0] / 1e-30 == pytest.approx(1 - math.tanh(0.3) ** 2, rel=1e-14)


def test_the_linear_cell_keeps_both_parts_of_a_complex_number():
    z_x, z_h = np.array([[1 + 2j]]), np.array([[3 - 5j]])
    assert RNNCell("linear").step(z_x, z_h, (z_h,))[0] == 4 - 3j


@pytest.mark.parametrize(("activation", "want"), [("tanh", [-1, 1]), ("relu", [0, 2e6]), ("linear", [-2e6, 2e6])])
def test_large_sums_saturate_without_a_warning(activation, want):
    z = np.array([[-1e6, 1e6]])
    np.testing.assert_array_equal(RNNCell(activation).step(z, z, (z,))[0], [want])


def test_a_cell_is_a_value():
    assert RNNCell() == RNNCell("tanh") != RNNCell("relu")
    assert len({RNNCell(), RNNCell("tanh"), RNNCell("relu")}) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        RNNCell().activation = "sigmoid"


@pytest.mark.parametrize("name", ["sigmoid", "", "Tanh", None])
def test_an_unknown_activation_is_refused(name):
    with pytest.raises(ValueError, match=f"activation must be one of 'tanh', 'relu', 'linear', got {name!r}"):
        RNNCell(name)
