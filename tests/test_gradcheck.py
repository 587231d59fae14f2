import numpy as np
import pytest

from rnncourse.gradcheck import complex_step, finite_differences, relative_error

WAYS = [(finite_differences, 1e-9), (complex_step, 1e-14)]
ways = pytest.mark.parametrize(("differentiate", "tolerance"), WAYS, ids=["finite", "complex"])
FUNCTIONS = {
    "the sum of cubes": (lambda x: (x**3).sum(), lambda x: 3 * x**2),
    "a product of neighbours": (lambda x: (x.ravel()[1:] * x.ravel()[:-1]).sum(), None),
    "tanh of the sum": (lambda x: np.tanh(x.sum()), lambda x: np.full(x.shape, 1 - np.tanh(x.sum()) ** 2)),
    "the logarithm of a sum": (lambda x: np.log(np.exp(x).sum()), lambda x: np.exp(x) / np.exp(x).sum()),
}


def neighbours(x):
    flat = np.concatenate([[0], x.ravel(), [0]])
    return (flat[2:] + flat[:-2]).reshape(x.shape)


@ways
@pytest.mark.parametrize("shape", [(3,), (2, 3), (1, 2, 2), ()])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_gradient_of_a_known_function(name, shape, differentiate, tolerance):
    f, gradient = FUNCTIONS[name]
    x = np.array(np.random.default_rng(0).normal(size=shape))
    got = differentiate(f, x)
    assert (got.shape, got.dtype) == (x.shape, np.float64)
    assert relative_error(got, (gradient or neighbours)(x)) < tolerance


@ways
def test_x_stays_as_it_was_and_every_call_gets_its_own(differentiate, tolerance):
    x, seen = np.array([1.0, 2.0]), []
    before = x.copy()
    x.setflags(write=False)

    def f(moved):
        seen.append(moved)
        moved += 0  # would fail on x itself
        return (moved**2).sum()

    differentiate(f, x)
    np.testing.assert_array_equal(x, before)
    assert len({id(array) for array in seen}) == len(seen)
    assert not any(np.shares_memory(array, x) for array in seen)


@ways
def test_nothing_has_no_gradient(differentiate, tolerance):
    assert differentiate(lambda x: x.sum(), np.zeros((0, 3))).shape == (0, 3)


@ways
@pytest.mark.parametrize("big", [1e-3, 1e3])
def test_numbers_far_from_one(differentiate, tolerance, big):
    x = big * np.array([1.0, -2.0])
    assert relative_error(differentiate(lambda a: (a**2).sum(), x), 2 * x) < 1e3 * tolerance


def test_finite_differences_are_central_and_their_error_falls_with_the_square_of_the_step():
    x = np.array([0.5])
    np.testing.assert_allclose(finite_differences(lambda a: a[0] ** 2, x, step=0.5), [1.0], rtol=1e-14)
    errors = [abs(finite_differences(lambda a: np.exp(a[0]), x, step)[0] - np.exp(0.5)) for step in (1e-2, 1e-3)]
    assert 90 < errors[0] / errors[1] < 110


def test_the_difference_is_divided_by_the_step_that_was_made_and_not_by_the_one_that_was_meant():
    assert finite_differences(lambda a: a[0], np.array([1000 / 3])) == 1


def test_the_step_is_the_one_that_was_asked_for():
    seen = []
    finite_differences(lambda a: seen.append(a[0]) or 0.0, np.array([1.0]), step=0.25)
    assert sorted(seen) == [0.75, 1.25]


@ways
@pytest.mark.parametrize(
    ("x", "got"),
    [
        ([1.0, 2.0], "list"),
        (1.0, "float"),
        (np.float64(1), "float64"),
        (np.ones(2, np.float32), "float32"),
        (np.ones(2, int), "int64"),
        (np.ones(2, complex), "complex128"),
    ],
)
def test_x_of_another_type_is_refused(differentiate, tolerance, x, got):
    with pytest.raises(TypeError, match=f"x must be a float64 NumPy array, got {got}"):
        differentiate(lambda a: np.sum(a), x)


@pytest.mark.parametrize("f", [lambda a: a.real.sum(), lambda a: float(a.real.sum()), lambda a: np.abs(a).sum()])
def test_a_function_that_loses_the_imaginary_part_is_refused(f):
    with pytest.raises(TypeError, match="f must return a complex number for a complex x, got float"):
        complex_step(f, np.ones(2))


def test_the_relative_error_is_the_largest_difference_over_the_largest_entry():
    assert relative_error(np.array([1.0, 2.0]), np.array([1.0, 4.0])) == 0.5
    assert relative_error(np.array([1.0, -4.0]), np.array([1.0, -2.0])) == 0.5
    assert relative_error(np.array([1e-20, 1.0]), np.array([0.0, 1.0])) == 1e-20
    assert relative_error(np.array([1.0, 2.0]), np.array([1.0, 2.0])) == 0


def test_the_relative_error_is_the_same_in_both_orders_and_in_other_units():
    a, b = np.random.default_rng(0).normal(size=(2, 5))
    assert relative_error(a, b) == relative_error(b, a) == pytest.approx(relative_error(1e9 * a, 1e9 * b))


@pytest.mark.parametrize("shape", [(3,), (0,), (0, 2)])
def test_two_arrays_of_zeros_agree(shape):
    assert relative_error(np.zeros(shape), np.zeros(shape)) == 0


def test_a_gradient_of_nothing_but_zeros_is_all_wrong():
    assert relative_error(np.zeros(3), np.array([0.0, 1e-9, 0.0])) == 1


def test_nan_is_no_agreement():
    assert not relative_error(np.array([np.nan, 1.0]), np.array([1.0, 1.0])) < 1


@pytest.mark.parametrize("shapes", [((3,), (1,)), ((3,), (3, 1)), ((2, 3), (3, 2))])
def test_shapes_are_not_stretched(shapes):
    with pytest.raises(ValueError, match="the two gradients must have one shape, got"):
        relative_error(*map(np.ones, shapes))
