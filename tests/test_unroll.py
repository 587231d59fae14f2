import numpy as np
import pytest

import rnncourse.unroll
from rnncourse.cells import CoupledLSTMCell, GRUCell, LSTMCell, PeepholeLSTMCell, ResetBeforeGRUCell, RNNCell
from rnncourse.unroll import Parameters, init_parameters, unroll

CELLS = [
    RNNCell("tanh"),
    RNNCell("relu"),
    RNNCell("linear"),
    LSTMCell(),
    LSTMCell("hard_sigmoid"),
    PeepholeLSTMCell(),
    CoupledLSTMCell(),
    GRUCell(),
    ResetBeforeGRUCell(),
]
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-12}
pytestmark = pytest.mark.parametrize("cell", CELLS, ids=str)


def problem(cell, B=3, T=6, D=2, H=4, seed=0, dtype=np.float64):
    """Parameters, inputs and an initial state."""
    rng = np.random.default_rng(seed)
    parameters = init_parameters(cell, D, H, rng, dtype)
    state = tuple(rng.normal(size=(B, H)).astype(dtype) for _ in range(cell.state_parts))
    return parameters, rng.normal(size=(B, T, D)).astype(dtype), state


def arrays_of(result):
    """Every array of what `unroll` returns."""
    tape = result.tape
    return [result.hidden, *result.state, tape.x, *tape.states, tape.kept, *([] if tape.mask is None else [tape.mask])]


def gates(row, number):
    """(G·H,) as the cell wants the sums of one example: (G, 1, H)."""
    return row.reshape(number, 1, -1)


def slow(cell, parameters, x, state, mask):
    """The recurrence one example and one step at a time, the specification: all hidden states, and the last states."""
    U, W, b_x, b_h, inner = parameters
    hidden, last = np.zeros((*x.shape[:2], W.shape[0])), [part.copy() for part in state]
    for n in range(x.shape[0]):
        part = tuple(p[n : n + 1] for p in state)
        for t in range(x.shape[1]):
            if mask[n, t]:
                z = gates(x[n, t] @ U + b_x, cell.gates), gates(part[0][0] @ W + b_h, cell.state_gates)
                part = cell.step(z[0] + z[1] if cell.only_sum else z, part, inner)
            hidden[n, t] = part[0][0]
        for k, p in enumerate(part):
            last[k][n] = p[0]
    return hidden, tuple(last)


def random_mask(shape, seed=1):
    return np.random.default_rng(seed).random(shape) < 0.6


def close(one, two, atol=1e-14):
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a, b, atol=atol)


def equal(one, two):
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


# ---------------------------------------------------------------- what it computes


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("B", "T", "D", "H"), [(3, 6, 2, 4), (1, 1, 1, 1), (2, 1, 3, 2), (1, 9, 2, 3)])
def test_unroll_is_the_loop_over_examples_and_steps(cell, masked, dtype, B, T, D, H):
    parameters, x, state = problem(cell, B, T, D, H, dtype=dtype)
    mask = random_mask((B, T)) if masked else np.ones((B, T), dtype=bool)
    got = unroll(cell, parameters, x, state, mask if masked else None)
    hidden, last = slow(cell, parameters, x, state, mask)
    close([got.hidden, *got.state], [hidden, *last], TOLERANCE[dtype])
    assert got.hidden.shape == (B, T, H)
    assert [part.shape for part in got.state] == [(B, H)] * cell.state_parts
    assert {array.dtype for array in arrays_of(got)} <= {np.dtype(dtype), np.dtype(bool)}
    np.testing.assert_array_equal(got.hidden[:, -1], got.state[0])


def test_step_by_step_and_in_two_halves_it_is_the_same(cell):
    parameters, x, state = problem(cell)
    mask = random_mask(x.shape[:2])
    whole = unroll(cell, parameters, x, state, mask)
    for cuts in ([4], range(1, 6)):
        part, hidden = state, []
        for steps in np.split(np.arange(6), cuts):
            one = unroll(cell, parameters, x[:, steps], part, mask[:, steps])
            part = one.state
            hidden.append(one.hidden)
        close([np.concatenate(hidden, axis=1), *part], [whole.hidden, *whole.state])


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
    equal(arrays_of(dirty), arrays_of(clean))
    equal([part[0] for part in clean.state], [part[0] for part in state])
    np.testing.assert_array_equal(clean.hidden[0], np.repeat(state[0][:1], x.shape[1], axis=0))


def test_a_mask_of_true_is_no_mask_and_no_state_is_zero(cell):
    parameters, x, state = problem(cell)
    all_true = np.ones(x.shape[:2], dtype=bool)
    one, two = unroll(cell, parameters, x, state, all_true), unroll(cell, parameters, x, state)
    equal([one.hidden, *one.state], [two.hidden, *two.state])
    zeros = tuple(np.zeros_like(p) for p in state)
    one, two = unroll(cell, parameters, x, zeros), unroll(cell, parameters, x)
    equal([one.hidden, *one.state], [two.hidden, *two.state])


@pytest.mark.parametrize(("B", "T"), [(0, 3), (2, 0), (0, 0)])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_empty_batches_and_sequences_of_no_steps_work(cell, B, T, masked, dtype):
    parameters, x, state = problem(cell, B, T, dtype=dtype)
    result = unroll(cell, parameters, x, state, np.ones((B, T), dtype=bool) if masked else None)
    assert result.hidden.shape == (B, T, 4)
    assert result.hidden.dtype == dtype
    equal(result.state, state)
    assert unroll(cell, parameters, x).state[0].dtype == dtype


@pytest.mark.parametrize("block", [1, 40])
def test_the_size_of_the_blocks_makes_no_difference(cell, block, monkeypatch):
    parameters, x, state = problem(cell)
    mask = random_mask(x.shape[:2])
    whole = unroll(cell, parameters, x, state, mask)
    assert x.shape[0] * parameters.U.shape[1] * x.shape[1] < rnncourse.unroll.BLOCK
    monkeypatch.setattr(rnncourse.unroll, "BLOCK", block)
    close(arrays_of(unroll(cell, parameters, x, state, mask)), arrays_of(whole))


def test_complex_numbers_pass_through(cell):
    parameters, x, state = problem(cell)
    turned = Parameters(*(None if p is None else p.astype(complex) for p in parameters))
    got = unroll(cell, turned, x.astype(complex), tuple(part.astype(complex) for part in state))
    assert got.hidden.dtype == complex
    want = unroll(cell, parameters, x, state)
    close([got.hidden, *got.state], [want.hidden, *want.state])


# ---------------------------------------------------------------- what it leaves alone


def test_read_only_and_strided_inputs_work_and_nothing_is_modified(cell):
    parameters, x, state = problem(cell)
    want = unroll(cell, parameters, x, state, random_mask(x.shape[:2]))
    wide = np.repeat(x, 2, axis=2)[:, :, ::2]
    assert not wide.flags.c_contiguous
    turned = Parameters(*(None if p is None else np.asfortranarray(p) for p in parameters))
    backwards = tuple(part[::-1].copy()[::-1] for part in state)
    mask = np.asfortranarray(random_mask(x.shape[:2]))
    arrays = [wide, *(p for p in turned if p is not None), *backwards, mask]
    before = [a.copy() for a in arrays]
    for array in arrays:
        array.setflags(write=False)
    got = unroll(cell, turned, wide, backwards, mask)
    close([got.hidden, *got.state], [want.hidden, *want.state])
    equal(arrays, before)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("B", "T"), [(3, 6), (1, 6), (3, 1), (2, 0)])
def test_the_result_shares_no_memory_with_the_arguments(cell, B, T, masked):
    """What is done to the inputs after the pass must not reach the tape, nor writing into the result the inputs."""
    parameters, x, state = problem(cell, B, T)
    mask = random_mask((B, T)) if masked else None
    arguments = [x, *state, *(p for p in parameters if p is not None), *([mask] if masked else [])]
    for array in arrays_of(unroll(cell, parameters, x, state, mask)):
        assert not any(np.shares_memory(array, argument) for argument in arguments)


@pytest.mark.parametrize("masked", [False, True])
def test_the_last_state_can_be_changed_and_the_hidden_states_cannot(cell, masked):
    parameters, x, state = problem(cell)
    result = unroll(cell, parameters, x, state, random_mask(x.shape[:2]) if masked else None)
    before = [array.copy() for array in arrays_of(result)]
    for part in result.state:
        part[:] = 9
    rest = 1 + cell.state_parts
    equal([result.hidden, *arrays_of(result)[rest:]], [before[0], *before[rest:]])
    with pytest.raises(ValueError, match="read-only"):
        result.hidden[0, 0, 0] = 9


# ---------------------------------------------------------------- what it refuses


def with_nan(array, value=np.nan):
    array = array.copy()
    array.flat[-1] = value
    return array


def first(state, change):
    return (change(state[0]), *state[1:])


BAD = {
    "x of rank 2": (lambda p, x, s: (p, x[0], s), ValueError, r"x must have shape \(B, T, D\), got \(6, 2\)"),
    "x a list": (lambda p, x, s: (p, x.tolist(), s), TypeError, "x must be a NumPy array"),
    "x a masked array": (lambda p, x, s: (p, np.ma.array(x), s), TypeError, "^x must be .* got MaskedArray"),
    "x of integers": (lambda p, x, s: (p, x.astype(int), s), TypeError, "x must be of a floating type"),
    "x float32": (lambda p, x, s: (p, x.astype(np.float32), s), TypeError, "must have the dtype of x, float32"),
    "x with NaN": (lambda p, x, s: (p, with_nan(x), s), ValueError, r"x must be finite, but x\[2, 5, 1\] is nan"),
    "x with inf": (lambda p, x, s: (p, with_nan(x, -np.inf), s), ValueError, r"but x\[2, 5, 1\] is -inf"),
    "x too wide": (lambda p, x, s: (p, np.repeat(x, 2, 2), s), ValueError, r"U must have shape \(D, G·H\) = \(4, "),
    "U transposed": (lambda p, x, s: (p._replace(U=p.U.T), x, s), ValueError, "U .* is it transposed"),
    "U a list": (lambda p, x, s: (p._replace(U=p.U.tolist()), x, s), TypeError, "^U must be a NumPy array"),
    "U masked": (lambda p, x, s: (p._replace(U=np.ma.array(p.U)), x, s), TypeError, "^U .* got MaskedArray"),
    "U with inf": (lambda p, x, s: (p._replace(U=with_nan(p.U, np.inf)), x, s), ValueError, "U must be finite"),
    "U with half of a gate": (lambda p, x, s: (p._replace(U=p.U[:, :-2]), x, s), ValueError, "^U must have shape"),
    "W with a row missing": (lambda p, x, s: (p._replace(W=p.W[:3]), x, s), ValueError, "^W must have shape"),
    "W with a column missing": (lambda p, x, s: (p._replace(W=p.W[:, :-1]), x, s), ValueError, "^W must have shape"),
    "W of rank 1": (lambda p, x, s: (p._replace(W=p.W[0]), x, s), ValueError, "W must have shape"),
    "W a list": (lambda p, x, s: (p._replace(W=p.W.tolist()), x, s), TypeError, "^W must be a NumPy array"),
    "W float32": (lambda p, x, s: (p._replace(W=p.W.astype(np.float32)), x, s), TypeError, "W .* got float32"),
    "W complex": (lambda p, x, s: (p._replace(W=p.W.astype(complex)), x, s), TypeError, "W .* got complex128"),
    "b_x too long": (lambda p, x, s: (p._replace(b_x=np.append(p.b_x, 0.0)), x, s), ValueError, "b_x must have shape"),
    "b_x of rank 2": (lambda p, x, s: (p._replace(b_x=p.b_x[None]), x, s), ValueError, "b_x must have shape"),
    "b_h too short": (lambda p, x, s: (p._replace(b_h=p.b_h[:1]), x, s), ValueError, "b_h must have shape"),
    "b_h with NaN": (lambda p, x, s: (p._replace(b_h=with_nan(p.b_h)), x, s), ValueError, r"b_h must be finite"),
    "parameters a plain tuple": (lambda p, x, s: (tuple(p), x, s), TypeError, "parameters must be"),
    "state an array": (lambda p, x, s: (p, x, s[0]), TypeError, "state must be a tuple of . array.*got ndarray"),
    "state a list": (lambda p, x, s: (p, x, list(s)), TypeError, "state must be a tuple of . array.*got list"),
    "state float32": (lambda p, x, s: (p, x, first(s, np.float32)), TypeError, r"state\[0\] .* got float32"),
    "state of lists": (lambda p, x, s: (p, x, first(s, np.ndarray.tolist)), TypeError, r"state\[0\] must be"),
    "state of too many": (lambda p, x, s: (p, x, (*s, s[0])), TypeError, "state must be .* got a tuple of [23]"),
    "state of too few": (lambda p, x, s: (p, x, s[1:]), TypeError, "state must be .* got a tuple of [01]"),
    "state of another batch": (lambda p, x, s: (p, x, first(s, lambda a: a[:2])), ValueError, r"state\[0\] must have"),
    "state of one row": (lambda p, x, s: (p, x, first(s, lambda a: a[:1])), ValueError, r"state\[0\] must have"),
    "last part of another size": (lambda p, x, s: (p, x, (*s[:-1], s[-1][:, :3])), ValueError, "must have shape"),
    "state with NaN": (lambda p, x, s: (p, x, (*s[:-1], with_nan(s[-1]))), ValueError, r"state\[[01]\] must be finite"),
    "NaN at a real step": (lambda p, x, s: (p, with_nan(x), s, np.ones((3, 6), bool)), ValueError, "x must be finite"),
    "mask of numbers": (lambda p, x, s: (p, x, s, np.ones((3, 6))), TypeError, "mask must be a Boolean.* got float64"),
    "mask a list": (lambda p, x, s: (p, x, s, [[True] * 6] * 3), TypeError, "mask must be a Boolean.* got list"),
    "mask a masked array": (lambda p, x, s: (p, x, s, np.ma.ones((3, 6), bool)), TypeError, "mask .* got MaskedArray"),
    "mask transposed": (lambda p, x, s: (p, x, s, np.ones((6, 3), bool)), ValueError, "mask must have shape"),
    "mask of lengths": (lambda p, x, s: (p, x, s, np.array([6, 2, 1])), TypeError, "mask must be a Boolean"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_by_name(cell, name):
    make, error, words = BAD[name]
    with pytest.raises(error, match=words):
        unroll(cell, *make(*problem(cell)))


def test_a_cells_own_weights_are_checked(cell):
    parameters, x, state = problem(cell)
    inner = parameters.inner
    if inner is None:
        with pytest.raises(TypeError, match=f"{type(cell).__name__} has no weights of its own"):
            unroll(cell, parameters._replace(inner=parameters.W), x, state)
        return
    for wrong, error, words in (
        (None, TypeError, "inner must be a NumPy array of shape .* got NoneType"),
        (inner.tolist(), TypeError, "inner must be a NumPy array .* got list"),
        (inner.astype(np.float32), TypeError, "inner must have the dtype of x"),
        (inner[:, :-1], ValueError, "inner must have shape"),
        (inner[:-1], ValueError, "inner must have shape"),
        (inner[0], ValueError, "inner must have shape"),
        (with_nan(inner), ValueError, "inner must be finite"),
    ):
        with pytest.raises(error, match=words):
            unroll(cell, parameters._replace(inner=wrong), x, state)


def test_a_shape_error_says_what_the_cell_needs(cell):
    parameters, x, _ = problem(cell)
    with pytest.raises(ValueError, match=rf"U must have shape \(D, G·H\) = \(2, {4 * cell.gates}\), got \(2, 1\)"):
        unroll(cell, parameters._replace(U=parameters.U[:, :1]), x)
    with pytest.raises(ValueError, match=rf"b_h must have shape .* = \({4 * cell.state_gates},\), got \(1,\)"):
        unroll(cell, parameters._replace(b_h=parameters.b_h[:1]), x)


# ---------------------------------------------------------------- initial parameters


def test_initial_parameters_fill_their_interval_and_follow_the_seed(cell):
    parameters = init_parameters(cell, 50, 100, np.random.default_rng(0), np.float32)
    again = init_parameters(cell, 50, 100, np.random.default_rng(0), np.float32)
    other = init_parameters(cell, 50, 100, np.random.default_rng(1), np.float32)
    for one, two, three in zip(parameters, again, other, strict=True):
        if one is None:
            assert cell.inner_shape(100) is two is three is None
            continue
        np.testing.assert_array_equal(one, two)
        assert not np.array_equal(one, three)
        assert one.dtype == np.float32
        assert 0.09 < np.abs(one).max() <= 0.1
        assert abs(one.mean()) < 5 * 0.1 / np.sqrt(3 * one.size)  # five standard errors of the mean
    G, N = cell.gates * 100, cell.state_gates * 100
    shapes = [None if p is None else p.shape for p in parameters]
    assert shapes == [(50, G), (100, N), (G,), (N,), cell.inner_shape(100)]


@pytest.mark.parametrize("sizes", [(0, 3), (3, 0), (-1, 3), (3, -1)])
def test_sizes_that_are_not_positive_are_refused(cell, sizes):
    with pytest.raises(ValueError, match="must be positive, got {} and {}".format(*sizes)):
        init_parameters(cell, *sizes, np.random.default_rng(0))


@pytest.mark.parametrize("dtype", [int, bool, object])
def test_parameters_that_would_be_no_floats_are_refused(cell, dtype):
    with pytest.raises(TypeError, match=f"dtype must be a floating type .* got {np.dtype(dtype)}"):
        init_parameters(cell, 2, 3, np.random.default_rng(0), dtype)


@pytest.mark.parametrize("masked", [False, True])
def test_a_cell_need_not_write_its_new_state_in_place(cell, masked, monkeypatch):
    parameters, x, state = problem(cell, B=2, T=3)
    mask = np.array([[True, True, False], [True, True, True]]) if masked else None
    want = arrays_of(unroll(cell, parameters, x, state, mask))
    step = type(cell).step
    monkeypatch.setattr(type(cell), "step", lambda *given: step(*given[:-1]))  # the last is the place
    for one, two in zip(arrays_of(unroll(cell, parameters, x, state, mask)), want, strict=True):
        np.testing.assert_array_equal(one, two)


def test_what_is_kept_begins_with_a_cache_line(cell):
    for T in range(1, 6):  # whatever room NumPy finds
        parameters = init_parameters(cell, 2, 3, np.random.default_rng(T), np.float32)
        kept = unroll(cell, parameters, np.ones((2, T, 2), np.float32)).tape.kept
        assert kept.ctypes.data % 64 == 0
        assert kept.flags.c_contiguous
