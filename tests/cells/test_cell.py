"""What every cell owes `unroll`: the contract of the class Cell."""

import dataclasses

import numpy as np
import pytest

from rnncourse import cells
from rnncourse.cells import CoupledLSTMCell, GRUCell, LSTMCell, PeepholeLSTMCell, ResetBeforeGRUCell, RNNCell

CELLS = [
    RNNCell("tanh"),
    RNNCell("relu"),
    RNNCell("linear"),
    LSTMCell(),
    LSTMCell("hard_sigmoid"),
    PeepholeLSTMCell(),
    PeepholeLSTMCell("hard_sigmoid"),
    CoupledLSTMCell(),
    CoupledLSTMCell("hard_sigmoid"),
    GRUCell(),
    ResetBeforeGRUCell(),
]
each = pytest.mark.parametrize("cell", CELLS, ids=str)
T, B, H = 3, 2, 4


def problem(cell, steps=T, batch=B, dtype=np.float64):
    """z_x, z_h, the old state and the cell's own weights for some steps that have nothing to do with each other."""
    rng = np.random.default_rng(0)

    def normal(*shape):
        return (1.5 * rng.normal(size=shape)).astype(dtype)

    z_x, z_h = normal(steps, cell.gates, batch, H), normal(steps, cell.state_gates, batch, H)
    state = tuple(normal(steps, batch, H) for _ in range(cell.state_parts))
    return z_x, z_h, state, normal(*cell.inner_shape(H)) if cell.inner_shape(H) else None


def sums(cell, z_x, z_h):
    """What a cell is given of the two."""
    return z_x + z_h if cell.only_sum else (z_x, z_h)


def both(z):
    """The two of what a cell is given, or of its gradient."""
    return z if isinstance(z, tuple) else (z, z)


def all_steps(cell, z_x, z_h, state, inner):
    """The new states, parts (T, B, H), and what was kept (T, K, B, H)."""
    kept = np.empty((len(z_x), cell.kept, *z_x.shape[2:]), z_x.dtype)
    z = [sums(cell, *two) for two in zip(z_x, z_h, strict=True)]
    new = [cell.step(z[t], tuple(part[t] for part in state), inner, kept[t]) for t in range(len(z))]
    return tuple(np.stack(part) for part in zip(*new, strict=True)), kept


def test_every_cell_of_the_package_is_tested_here():
    assert {type(cell).__name__ for cell in CELLS} == set(cells.__all__) - {"Cell"}


@each
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
@pytest.mark.parametrize("batch", [0, 1, B])
def test_the_new_state_has_the_shape_and_dtype_of_the_old(cell, dtype, batch):
    z_x, z_h, state, inner = problem(cell, 1, batch, dtype)
    new = cell.step(sums(cell, z_x[0], z_h[0]), tuple(part[0] for part in state), inner)
    assert [(part.shape, part.dtype) for part in new] == [((batch, H), dtype)] * cell.state_parts


@each
def test_what_is_kept_does_not_change_the_step_and_nothing_given_is_changed(cell):
    z_x, z_h, state, inner = problem(cell, 1)
    z = sums(cell, z_x[0], z_h[0])
    given = [a for a in (*both(z), *state, inner) if a is not None]
    before = [a.copy() for a in given]
    for array in given:
        array.setflags(write=False)
    old = tuple(part[0] for part in state)
    kept = np.full((cell.kept, B, H), np.nan)
    with_out, without = cell.step(z, old, inner, kept), cell.step(z, old, inner)
    for one, two in zip(with_out, without, strict=True):
        np.testing.assert_array_equal(one, two)
    assert np.isfinite(kept).all()
    for array, copy in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, copy)


@each
def test_the_new_state_is_written_where_it_is_wanted(cell):
    z_x, z_h, state, inner = problem(cell, 1)
    z, old = sums(cell, z_x[0], z_h[0]), tuple(part[0] for part in state)
    places = tuple(np.full((B, H), np.nan) for _ in state)
    got, want = cell.step(z, old, inner, None, places), cell.step(z, old, inner)
    assert all(part is place for part, place in zip(got, places, strict=True))
    for one, two in zip(got, want, strict=True):
        np.testing.assert_array_equal(one, two)


@each
def test_a_new_state_shares_no_memory_with_anything(cell):
    z_x, z_h, state, inner = problem(cell, 1)
    z = sums(cell, z_x[0], z_h[0])
    kept, old = np.empty((cell.kept, B, H)), tuple(part[0] for part in state)
    new = cell.step(z, old, inner, kept)
    for k, part in enumerate(new):
        others = [*both(z), *state, kept, *new[k + 1 :]]
        assert not any(np.shares_memory(part, other) for other in others)


def test_a_gru_needs_its_two_sums_apart():
    z_x, z_h, (h,), _ = problem(GRUCell(), 1)
    (apart,), (together,) = (GRUCell().step(z, (h[0],)) for z in ((z_x[0], z_h[0]), (z_x[0] + z_h[0], 0 * z_h[0])))
    assert np.abs(apart - together).max() > 0.01


@each
def test_backwards_it_is_the_derivative_of_the_step(cell):
    """The gradient of the sum of the new states times fixed numbers, one imaginary step for every argument."""
    z_x, z_h, state, inner = problem(cell)
    d_new = tuple(np.random.default_rng(1).normal(size=(T, B, H)) for _ in state)

    def f(z_x, z_h, inner, *state):
        new, _ = all_steps(cell, z_x, z_h, state, inner)
        return sum((part * d).sum() for part, d in zip(new, d_new, strict=True))

    given = [z_x, z_h, inner, *state]
    want = []
    for k, array in enumerate(given):
        gradient = None if array is None else np.zeros(array.shape)
        for index in [] if array is None else np.ndindex(array.shape):
            moved = [a if a is None else a.astype(complex) for a in given]
            moved[k][index] += 1e-30j
            gradient[index] = f(*moved).imag / 1e-30
        want.append(gradient)

    new, kept = all_steps(cell, z_x, z_h, state, inner)
    slopes = cell.slopes(kept, state, new, inner)
    steps = [cell.step_backward(tuple(s[t] for s in slopes), tuple(d[t] for d in d_new), inner) for t in range(T)]
    d_z_x, d_z_h = (np.stack(parts) for parts in zip(*(both(step[0]) for step in steps), strict=True))
    d_old = [
        np.stack([np.zeros((B, H)) if step[1][part] is None else step[1][part] for step in steps])
        for part in range(cell.state_parts)
    ]
    got = [d_z_x, d_z_h, cell.inner_gradient(kept, state, new, d_z_x), *d_old]
    assert (got[2] is None) == (want[2] is None) == (inner is None)
    for one, two in zip(got, want, strict=True):
        if two is not None:
            np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-14)


@each
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_way_back_keeps_the_dtype_and_changes_nothing_it_is_given(cell, dtype):
    z_x, z_h, state, inner = problem(cell, dtype=dtype)
    new, kept = all_steps(cell, z_x, z_h, state, inner)
    given = [kept, *state, *new, *([] if inner is None else [inner])]
    before = [a.copy() for a in given]
    slopes = cell.slopes(kept, state, new, inner)
    for array, copy in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, copy)
    step, d_new = tuple(s[0] for s in slopes), tuple(np.ones((B, H), dtype) for _ in state)
    first = cell.step_backward(step, d_new, inner)
    second = cell.step_backward(step, d_new, inner)
    for one, two in zip([*both(first[0]), *first[1]], [*both(second[0]), *second[1]], strict=True):
        if one is not None:
            assert one.dtype == dtype
            np.testing.assert_array_equal(one, two)
    assert all((d == 1).all() for d in d_new)
    d_inner = cell.inner_gradient(kept, state, new, np.stack([both(first[0])[0]] * T))
    assert d_inner is None or d_inner.dtype == dtype


@each
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_saturated_cells_warn_of_nothing_and_stay_finite(cell, dtype):
    z_x, z_h, state, inner = problem(cell, dtype=dtype)
    new, kept = all_steps(cell, z_x * dtype(1e6), z_h * dtype(1e6), state, inner)
    slopes = cell.slopes(kept, state, new, inner)
    back = cell.step_backward(tuple(s[0] for s in slopes), tuple(np.ones((B, H), dtype) for _ in state), inner)
    for array in [*new, *both(back[0]), *(part for part in back[1] if part is not None)]:
        assert np.isfinite(array).all()


@each
def test_a_cell_is_a_value(cell):
    again = dataclasses.replace(cell)
    assert again == cell
    assert len({again, cell}) == 1
    assert [other for other in CELLS if other == cell] == [cell]
    with pytest.raises(dataclasses.FrozenInstanceError):
        cell.gate = "sigmoid"
    z_x, z_h, state, inner = problem(cell)
    cell.step(sums(cell, z_x[0], z_h[0]), tuple(part[0] for part in state), inner)
    assert again == cell  # a cell that has worked is no other cell


def test_the_defaults_are_those_of_pytorch():
    assert (RNNCell(), LSTMCell()) == (RNNCell("tanh"), LSTMCell("sigmoid"))
