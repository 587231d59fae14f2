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
    z_x, z_h, h = rng.normal(size=(3, 1, B, H)).astype(dtype)
    (new,) = RNNCell(activation).step(z_x + z_h, (h[0],))
    want = np.reshape([DEFINITIONS[activation](float(z)) for z in (z_x + z_h).flat], (B, H))
    assert new.dtype == dtype
    np.testing.assert_allclose(new, want, rtol=1e-6 if dtype == np.float32 else 1e-14)


def test_the_linear_cell_keeps_both_parts_of_a_complex_number():
    z_x, z_h = np.array([[[1 + 2j]]]), np.array([[[3 - 5j]]])
    assert RNNCell("linear").step(z_x + z_h, (z_h[0],))[0] == 4 - 3j


@pytest.mark.parametrize(("activation", "want"), [("tanh", [-1, 1]), ("relu", [0, 2e6]), ("linear", [-2e6, 2e6])])
def test_large_sums_saturate(activation, want):
    z = np.array([[[-1e6, 1e6]]])
    np.testing.assert_array_equal(RNNCell(activation).step(2 * z, (z[0],))[0], [want])


def test_the_slope_of_relu_is_zero_at_and_below_zero():
    cell = RNNCell("relu")
    z = np.array([[[-1.0, 0.0, 2.0]]])
    new = cell.step(z, (z[0],))
    (slope,) = cell.slopes(np.empty((1, 0, 1, 3)), (z,), (new[0][None],))
    np.testing.assert_array_equal(slope, [[[[0, 0, 1]]]])


@pytest.mark.parametrize("name", ["sigmoid", "", "Tanh", None])
def test_an_unknown_activation_is_refused(name):
    with pytest.raises(ValueError, match=f"activation must be one of 'tanh', 'relu', 'linear', got {name!r}"):
        RNNCell(name)
