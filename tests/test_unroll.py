import numpy as np
import pytest
import torch

from rnncourse import convert
from rnncourse.cells import RNNCell
from rnncourse.unroll import Parameters, init_parameters, unroll

CELLS = [RNNCell("tanh"), RNNCell("relu"), RNNCell("linear")]
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-12}
pytestmark = pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.activation)


def problem(cell, B=3, T=6, D=2, H=4, seed=0, dtype=np.float64):
    """Parameters, inputs and an initial state."""
    rng = np.random.default_rng(seed)
    parameters = init_parameters(cell, D, H, rng, dtype)
    state = tuple(rng.normal(size=(B, H)).astype(dtype) for _ in range(cell.state_parts))
    return parameters, rng.normal(size=(B, T, D)).astype(dtype), state


def slow(cell, parameters, x, state, mask):
    """The recurrence one example and one step at a time: the specification."""
    U, W, b_x, b_h = parameters
    hidden = np.zeros((*x.shape[:2], W.shape[0]))
    for n in range(x.shape[0]):
        part = tuple(p[n : n + 1] for p in state)
        for t in range(x.shape[1]):
            if mask[n, t]:
                part = cell.step(x[n, t][None] @ U + b_x, part[0] @ W + b_h, part)
            hidden[n, t] = part[0][0]
    return hidden


def random_mask(shape, seed=1):
    return np.random.default_rng(seed).random(shape) < 0.6


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("B", "T", "D", "H"), [(3, 6, 2, 4), (1, 1, 1, 1), (2, 1, 3, 2), (1, 9, 2, 3)])
def test_unroll_is_the_loop_over_examples_and_steps(cell, dtype, B, T, D, H):
    parameters, x, state = problem(cell, B, T, D, H, dtype=dtype)
    mask = random_mask((B, T))
    got = unroll(cell, parameters, x, state, mask)
    assert got.hidden.dtype == got.state[0].dtype == unroll(cell, parameters, x[:, :0]).state[0].dtype == dtype
    np.testing.assert_allclose(got.hidden, slow(cell, parameters, x, state, mask), atol=TOLERANCE[dtype])
    np.testing.assert_array_equal(got.hidden[:, -1], got.state[0])


def test_step_by_step_and_in_two_halves_it_is_the_same(cell):
    parameters, x, state = problem(cell)
    whole = unroll(cell, parameters, x, state)
    part, hidden = state, []
    for t in range(x.shape[1]):
        one = unroll(cell, parameters, x[:, t : t + 1], part)
        part = one.state
        hidden.append(one.hidden)
    np.testing.assert_allclose(np.concatenate(hidden, axis=1), whole.hidden, atol=1e-14)
    first = unroll(cell, parameters, x[:, :4], state)
    second = unroll(cell, parameters, x[:, 4:], first.state)
    np.testing.assert_allclose(second.hidden, whole.hidden[:, 4:], atol=1e-14)


def test_no_step_looks_ahead_and_no_example_at_another(cell):
    parameters, x, state = problem(cell)
    whole = unroll(cell, parameters, x, state).hidden
    later, other = x.copy(), x.copy()
    later[:, 3:] += 1
    other[1] += 1
    np.testing.assert_array_equal(unroll(cell, parameters, later, state).hidden[:, :3], whole[:, :3])
    np.testing.assert_allclose(unroll(cell, parameters, other, state).hidden[[0, 2]], whole[[0, 2]], atol=1e-14)
    order = [2, 0, 1]
    shuffled = unroll(cell, parameters, x[order], tuple(p[order] for p in state)).hidden
    np.testing.assert_allclose(shuffled, whole[order], atol=1e-14)


@pytest.mark.parametrize("garbage", [0.0, 1e308, np.nan, np.inf, -np.inf])
def test_what_stands_at_padding_makes_no_difference(cell, garbage):
    parameters, x, state = problem(cell)
    mask = random_mask(x.shape[:2])
    mask[0] = False
    big = parameters._replace(U=parameters.U * 9)  # garbage that were multiplied would overflow, and warn
    clean = unroll(cell, big, x, state, mask)
    dirty = unroll(cell, big, np.where(mask[:, :, None], x, garbage), state, mask)
    np.testing.assert_array_equal(dirty.hidden, clean.hidden)
    np.testing.assert_array_equal(clean.state[0][0], state[0][0])
    np.testing.assert_array_equal(clean.hidden[0], np.repeat(state[0][:1], x.shape[1], axis=0))


def test_a_mask_of_true_is_no_mask_and_no_state_is_zero(cell):
    parameters, x, state = problem(cell)
    all_true = np.ones(x.shape[:2], dtype=bool)
    np.testing.assert_array_equal(
        unroll(cell, parameters, x, state, all_true).hidden, unroll(cell, parameters, x, state).hidden
    )
    zeros = tuple(np.zeros_like(p) for p in state)
    np.testing.assert_array_equal(unroll(cell, parameters, x, zeros).hidden, unroll(cell, parameters, x).hidden)


@pytest.mark.parametrize(("B", "T"), [(0, 3), (2, 0), (0, 0)])
def test_empty_batches_and_sequences_of_no_steps_work(cell, B, T):
    parameters, x, state = problem(cell, B, T)
    result = unroll(cell, parameters, x, state, np.ones((B, T), dtype=bool))
    assert result.hidden.shape == (B, T, 4)
    np.testing.assert_array_equal(result.state[0], state[0])


def test_read_only_and_strided_inputs_work_and_nothing_is_modified(cell):
    parameters, x, state = problem(cell)
    wide = np.repeat(x, 2, axis=2)[:, :, ::2]
    assert not wide.flags.c_contiguous
    turned = Parameters(*(np.asfortranarray(p) for p in parameters))
    mask = np.asfortranarray(random_mask(x.shape[:2]))
    arrays = [wide, *turned, *state, mask]
    before = [a.copy() for a in arrays]
    for array in arrays:
        array.setflags(write=False)
    want = unroll(cell, parameters, x, state, mask.copy()).hidden
    np.testing.assert_allclose(unroll(cell, turned, wide, state, mask).hidden, want, atol=1e-14)
    for array, old in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, old)


@pytest.mark.parametrize("T", [0, 3])
def test_writing_into_the_result_changes_no_argument(cell, T):
    parameters, x, state = problem(cell, T=T)
    before = state[0].copy()
    unroll(cell, parameters, x, state, np.zeros(x.shape[:2], dtype=bool)).state[0][:] = 9
    unroll(cell, parameters, x, state).state[0][:] = 9
    np.testing.assert_array_equal(state[0], before)


@pytest.mark.parametrize("masked", [False, True])
def test_hidden_and_state_can_be_changed_apart(cell, masked):
    parameters, x, state = problem(cell)
    hidden, (last,) = unroll(cell, parameters, x, state, random_mask(x.shape[:2]) if masked else None)
    before = last.copy()
    hidden[:] = 9
    np.testing.assert_array_equal(last, before)


def test_the_imaginary_part_carries_the_derivative(cell):
    parameters, x, state = problem(cell)
    direction = np.random.default_rng(2).normal(size=x.shape)
    turned = (part.astype(complex) for part in (*parameters, *state))
    complex_parameters, complex_state = Parameters(*(next(turned) for _ in parameters)), tuple(turned)
    got = unroll(cell, complex_parameters, x + 1e-30j * direction, complex_state).hidden.imag / 1e-30
    up, down = (unroll(cell, parameters, x + e * direction, state).hidden for e in (1e-6, -1e-6))
    np.testing.assert_allclose(got, (up - down) / 2e-6, atol=1e-8)


def test_torch_gives_the_same(cell):
    if cell.activation == "linear":
        with pytest.raises(ValueError, match="'linear'"):
            convert.to_torch(cell, problem(cell)[0])
        return
    parameters, x, state = problem(cell, B=4, T=12, D=3, H=5)
    rnn = convert.to_torch(cell, parameters)
    want, last = rnn(torch.from_numpy(x), torch.from_numpy(state[0])[None])
    got = unroll(cell, parameters, x, state)
    np.testing.assert_allclose(got.hidden, want.detach().numpy(), atol=1e-12)
    np.testing.assert_allclose(got.state[0], last[0].detach().numpy(), atol=1e-12)

    lengths = torch.tensor([12, 9, 4, 1])
    packed = torch.nn.utils.rnn.pack_padded_sequence(torch.from_numpy(x), lengths, batch_first=True)
    out, last = rnn(packed, torch.from_numpy(state[0])[None])
    want, _ = torch.nn.utils.rnn.pad_packed_sequence(out, batch_first=True)
    mask = np.arange(12) < lengths.numpy()[:, None]
    got = unroll(cell, parameters, x, state, mask)
    np.testing.assert_allclose(got.hidden[mask], want.detach().numpy()[mask], atol=1e-12)
    np.testing.assert_allclose(got.state[0], last[0].detach().numpy(), atol=1e-12)


def with_nan(array):
    array = array.copy()
    array.flat[-1] = np.nan
    return array


BAD = {
    "x of rank 2": (lambda p, x, s: (p, x[0], s, None), ValueError, r"x must have shape \(B, T, D\), got \(6, 2\)"),
    "x a list": (lambda p, x, s: (p, x.tolist(), s, None), TypeError, "x must be a NumPy array"),
    "x of integers": (lambda p, x, s: (p, x.astype(int), s, None), TypeError, "x must be of a floating type"),
    "x with NaN": (lambda p, x, s: (p, with_nan(x), s, None), ValueError, r"x must be finite, but x\[2, 5, 1\] is nan"),
    "x too wide": (lambda p, x, s: (p, np.repeat(x, 2, 2), s, None), ValueError, r"\(D, G·H\) = \(4, 4\)"),
    "U transposed": (lambda p, x, s: (p._replace(U=p.U.T), x, s, None), ValueError, "is it transposed"),
    "W with a row missing": (lambda p, x, s: (p._replace(W=p.W[:3]), x, s, None), ValueError, "^W must have shape"),
    "U a list": (lambda p, x, s: (p._replace(U=p.U.tolist()), x, s, None), TypeError, "^U must be a NumPy array"),
    "W not square": (lambda p, x, s: (p._replace(W=p.W[:, :3]), x, s, None), ValueError, "W must have shape"),
    "W of rank 1": (lambda p, x, s: (p._replace(W=p.W[0]), x, s, None), ValueError, "W must have shape"),
    "b_x too long": (lambda p, x, s: (p._replace(b_x=np.zeros(5)), x, s, None), ValueError, "b_x must have shape"),
    "b_h with NaN": (lambda p, x, s: (p._replace(b_h=with_nan(p.b_h)), x, s, None), ValueError, r"b_h must be finite"),
    "W float32": (lambda p, x, s: (p._replace(W=p.W.astype(np.float32)), x, s, None), TypeError, "got float32"),
    "parameters a plain tuple": (lambda p, x, s: (tuple(p), x, s, None), TypeError, "parameters must be"),
    "state an array": (lambda p, x, s: (p, x, s[0], None), TypeError, "state must be a tuple of 1 array"),
    "state a list": (lambda p, x, s: (p, x, list(s), None), TypeError, "state must be a tuple of 1 array.*got list"),
    "state float32": (lambda p, x, s: (p, x, (np.float32(s[0]),), None), TypeError, r"state\[0\] .* got float32"),
    "state of lists": (lambda p, x, s: (p, x, (s[0].tolist(),), None), TypeError, r"state\[0\] must be a NumPy array"),
    "state of two": (lambda p, x, s: (p, x, s * 2, None), TypeError, "got a tuple of 2"),
    "state of another batch": (lambda p, x, s: (p, x, (s[0][:2],), None), ValueError, r"state\[0\] must have shape"),
    "state with NaN": (lambda p, x, s: (p, x, (with_nan(s[0]),), None), ValueError, r"state\[0\] must be finite"),
    "NaN at a real step": (lambda p, x, s: (p, with_nan(x), s, np.ones((3, 6), bool)), ValueError, "x must be finite"),
    "mask of numbers": (lambda p, x, s: (p, x, s, np.ones((3, 6))), TypeError, "mask must be a Boolean"),
    "mask transposed": (lambda p, x, s: (p, x, s, np.ones((6, 3), bool)), ValueError, "mask must have shape"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_by_name(cell, name):
    make, error, words = BAD[name]
    with pytest.raises(error, match=words):
        unroll(cell, *make(*problem(cell)))


def test_initial_parameters_fill_their_interval_and_follow_the_seed(cell):
    parameters = init_parameters(cell, 50, 100, np.random.default_rng(0), np.float32)
    again = init_parameters(cell, 50, 100, np.random.default_rng(0), np.float32)
    for one, two in zip(parameters, again, strict=True):
        np.testing.assert_array_equal(one, two)
        assert one.dtype == np.float32
        assert 0.09 < np.abs(one).max() <= 0.1
        assert abs(one.mean()) < 5 * 0.1 / np.sqrt(3 * one.size)  # five standard errors of the mean
    assert [p.shape for p in parameters] == [(50, 100), (100, 100), (100,), (100,)]
    other = init_parameters(cell, 50, 100, np.random.default_rng(1), np.float32)
    assert not any(np.array_equal(one, two) for one, two in zip(parameters, other, strict=True))


@pytest.mark.parametrize("sizes", [(0, 3), (3, 0), (-1, 3), (3, -1)])
def test_sizes_that_are_not_positive_are_refused(cell, sizes):
    with pytest.raises(ValueError, match="must be positive, got {} and {}".format(*sizes)):
        init_parameters(cell, *sizes, np.random.default_rng(0))


@pytest.mark.parametrize("dtype", [int, bool, object])
def test_parameters_that_would_be_no_floats_are_refused(cell, dtype):
    with pytest.raises(TypeError, match=f"dtype must be a floating type .* got {np.dtype(dtype)}"):
        init_parameters(cell, 2, 3, np.random.default_rng(0), dtype)
