import math

import numpy as np
import pytest

from rnncourse.cells import activations

DEFINITIONS = {
    "TANH": math.tanh,
    "RELU": lambda z: max(0.0, z),
    "LINEAR": lambda z: z,
    "SIGMOID": lambda z: 1 / (1 + math.exp(-z)),
    "HARD_SIGMOID": lambda z: min(1.0, max(0.0, z / 6 + 0.5)),
}
each = pytest.mark.parametrize("name", DEFINITIONS)
POINTS = [-30.0, -3.5, -2.9, -0.7, -1e-3, 1e-3, 0.5, 2.9, 3.5, 30.0]  # beside the kinks at -3, 0 and 3


@each
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_value_is_that_of_the_definition(name, dtype):
    z = np.array(POINTS, dtype)
    before = z.copy()
    got = getattr(activations, name).value(z)
    assert got.dtype == dtype
    np.testing.assert_allclose(
        got, [DEFINITIONS[name](float(p)) for p in z], atol=1e-6 if dtype == np.float32 else 1e-15
    )
    np.testing.assert_array_equal(z, before)


@each
def test_the_slope_of_the_value_is_the_derivative(name):
    activation, definition = getattr(activations, name), DEFINITIONS[name]
    slope = activation.slope(activation.value(np.array(POINTS)))
    want = [(definition(p + 1e-6) - definition(p - 1e-6)) / 2e-6 for p in POINTS]
    np.testing.assert_allclose(slope, want, atol=1e-9)


@each
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_slope_keeps_the_dtype(name, dtype):
    assert getattr(activations, name).slope(np.array([0.25], dtype)).dtype == dtype


@each
def test_the_value_can_be_written_over_the_argument(name):
    value = getattr(activations, name).value
    z = np.array(POINTS)
    want = value(z)
    assert value(z, out=z) is z
    np.testing.assert_array_equal(z, want)


@each
def test_complex_numbers_pass_for_the_complex_step(name):
    activation = getattr(activations, name)
    z = np.array(POINTS) + 1e-30j
    got = activation.value(z)
    np.testing.assert_allclose(got.imag / 1e-30, activation.slope(got.real), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["TANH", "SIGMOID", "HARD_SIGMOID"])
def test_the_largest_arguments_saturate_without_a_warning(name, dtype):
    activation, largest = getattr(activations, name), np.finfo(dtype).max
    y = activation.value(np.array([-largest, largest], dtype))
    np.testing.assert_array_equal(y, [-1 if name == "TANH" else 0, 1])
    np.testing.assert_array_equal(activation.slope(y), [0, 0])
