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


@pytest.mark.parametrize("name", ["sigmoid", "", "Tanh", None])
def test_an_unknown_activation_is_refused(name):
    with pytest.raises(ValueError, match=f"activation must be one of 'tanh', 'relu', 'linear', got {name!r}"):
        RNNCell(name)
