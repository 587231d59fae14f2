import numpy as np
import pytest

from rnncourse.shapes import check_array, check_dtype, check_finite, check_mask, check_parts


def test_sizes_are_collected_and_the_argument_is_left_alone():
    known = {"D": 3}
    assert check_array("U", np.zeros((3, 5)), ("D", "H"), known) == {"D": 3, "H": 5}
    assert known == {"D": 3}


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_real_and_complex_floats_are_accepted(dtype):
    assert check_array("x", np.zeros((2, 3), dtype), ("B", "D"), {}) == {"B": 2, "D": 3}


def test_an_array_in_a_file_is_an_array(tmp_path):
    in_file = np.memmap(tmp_path / "x", np.float32, "w+", shape=(2, 3))
    assert check_array("x", in_file, ("B", "D"), {}) == {"B": 2, "D": 3}


@pytest.mark.parametrize(
    ("array", "error", "words"),
    [
        ([[1.0, 2.0]], TypeError, "U must be a NumPy array of shape (D, H) = (3, ?), got list"),
        (np.zeros((3, 5), int), TypeError, "U must be of a floating type such as float32 or float64, got int64"),
        (np.zeros((3, 5), bool), TypeError, "got bool"),
        (np.zeros((3, 5), object), TypeError, "got object"),
        (np.ma.zeros((3, 5)), TypeError, "got MaskedArray"),
        (np.zeros((3, 5)).view(np.matrix), TypeError, "got matrix"),
        (None, TypeError, "got NoneType"),
        (np.float64(1), TypeError, "U must be a NumPy array of shape (D, H) = (3, ?), got float64"),
        (np.array(1.0), ValueError, "U must have shape (D, H) = (3, ?), got ()"),
        (np.zeros(3), ValueError, "U must have shape (D, H) = (3, ?), got (3,)"),
        (np.zeros((3, 5, 1)), ValueError, "U must have shape (D, H) = (3, ?), got (3, 5, 1)"),
        (np.zeros((4, 5)), ValueError, "U must have shape (D, H) = (3, ?), got (4, 5)"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(array, error, words):
    with pytest.raises(error) as caught:
        check_array("U", array, ("D", "H"), {"D": 3})
    assert str(caught.value) == words or (words.startswith("got") and words in str(caught.value))


def test_a_transposed_matrix_is_suspected():
    with pytest.raises(ValueError, match=r"got \(5, 3\); is it transposed\?"):
        check_array("U", np.zeros((5, 3)), ("D", "H"), {"D": 3, "H": 5})


def test_only_a_matrix_can_be_transposed():
    with pytest.raises(ValueError, match=r"got \(4, 3, 2\)$"):
        check_array("x", np.zeros((4, 3, 2)), ("B", "T", "D"), {"B": 2, "T": 3, "D": 4})


def test_shapes_read_as_python_writes_them():
    with pytest.raises(ValueError, match=r"^b must have shape \(H,\) = \(3,\), got \(4,\)$"):
        check_array("b", np.zeros(4), ("H",), {"H": 3})
    with pytest.raises(ValueError, match=r"^x must have shape \(B, T\), got \(4,\)$"):
        check_array("x", np.zeros(4), ("B", "T"), {"D": 3})


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_first_number_that_is_not_finite_is_shown_with_its_index(bad):
    array = np.zeros((2, 3))
    array[1, 1:] = bad, np.nan
    with pytest.raises(ValueError, match=rf"^x must be finite, but x\[1, 1\] is {bad}$"):
        check_finite("x", array)


def test_a_complex_number_is_finite_if_both_its_parts_are():
    check_finite("x", np.array([1 + 2j]))
    with pytest.raises(ValueError, match=r"x\[1\] is"):
        check_finite("x", np.array([0, complex(0, np.nan)]))


def test_empty_and_finite_arrays_pass():
    check_finite("x", np.zeros((0, 3)))
    check_finite("x", np.ones(3))


@pytest.mark.parametrize(
    ("mask", "error", "words"),
    [
        (np.ones((2, 3), int), TypeError, "mask must be a Boolean NumPy array, True at real steps, got int64"),
        ([[True] * 3] * 2, TypeError, "got list"),
        (np.ma.ones((2, 3), bool), TypeError, "got MaskedArray"),
        (np.ones((3, 2), bool), ValueError, r"mask must have shape \(B, T\) = \(2, 3\), got \(3, 2\)"),
        (np.ones((2, 4), bool), ValueError, r"got \(2, 4\)"),
        (np.ones(3, bool), ValueError, r"got \(3,\)"),
        (np.ones((2, 3, 1), bool), ValueError, r"got \(2, 3, 1\)"),
    ],
)
def test_a_mask_of_another_type_or_shape_is_refused(mask, error, words):
    with pytest.raises(error, match=words):
        check_mask(mask, 2, 3)


def test_a_mask_of_the_right_type_and_shape_passes():
    check_mask(np.zeros((2, 3), bool), 2, 3)
    check_mask(np.zeros((0, 3), bool), 0, 3)


def test_a_dtype_is_not_widened():
    check_dtype("W", np.zeros(2, np.float32), np.dtype(np.float32))
    with pytest.raises(TypeError, match=r"^W must have the dtype of x, float32, got float64$"):
        check_dtype("W", np.zeros(2), np.dtype(np.float32))


def parts_of(state, parts=2, dtype=np.float64):
    return check_parts("state", state, parts, {"B": 2, "H": 3}, np.dtype(dtype))


def test_parts_of_a_state_come_back_as_copies():
    state = (np.zeros((2, 3)), np.ones((2, 3)).T.copy().T)
    got = parts_of(state)
    for part, old in zip(got, state, strict=True):
        np.testing.assert_array_equal(part, old)
        assert not np.shares_memory(part, old)


@pytest.mark.parametrize(
    ("state", "error", "words"),
    [
        (np.zeros((2, 2, 3)), TypeError, r"^state must be a tuple of 2 array\(s\) \(B, H\), got ndarray$"),
        ([np.zeros((2, 3))] * 2, TypeError, "got list$"),
        ((), TypeError, "got a tuple of 0$"),
        ((np.zeros((2, 3)),) * 3, TypeError, "got a tuple of 3$"),
        ((np.zeros((2, 3)), None), TypeError, r"^state\[1\] must be a NumPy array .* got NoneType$"),
        ((np.zeros((2, 3)), np.ma.zeros((2, 3))), TypeError, r"^state\[1\] .* got MaskedArray$"),
        ((np.zeros((2, 3)), np.zeros((3, 2))), ValueError, r"^state\[1\] must have shape .*; is it transposed\?$"),
        ((np.zeros((1, 3)), np.zeros((2, 3))), ValueError, r"^state\[0\] .* \(B, H\) = \(2, 3\), got \(1, 3\)$"),
        ((np.zeros((2, 3)), np.zeros((2, 3), np.float32)), TypeError, r"^state\[1\] must have the dtype of x, float64"),
        ((np.zeros((2, 3)), np.full((2, 3), np.inf)), ValueError, r"^state\[1\] .* but state\[1\]\[0, 0\] is inf$"),
    ],
)  # fmt: skip
def test_a_state_that_does_not_fit_is_refused_by_the_part(state, error, words):
    with pytest.raises(error, match=words):
        parts_of(state)
