import itertools

import numpy as np
import pytest
import torch

from rnncourse import convert
from rnncourse.cells import CoupledLSTMCell, GRUCell, LSTMCell, PeepholeLSTMCell, ResetBeforeGRUCell, RNNCell
from rnncourse.data import adding
from rnncourse.gradcheck import finite_differences, relative_error
from rnncourse.optim import adam, clip_by_global_norm
from rnncourse.train import LastStep, fit, init_last_step, loss_and_gradients, predict
from rnncourse.unroll import Parameters

TORCH_CELLS = [RNNCell("tanh"), RNNCell("relu"), LSTMCell(), GRUCell()]
CELLS = [*TORCH_CELLS, PeepholeLSTMCell(), CoupledLSTMCell(), ResetBeforeGRUCell()]
B, T, D, H, O = 3, 5, 2, 4, 2


def problem(cell, seed=0, dtype=np.float64):
    """A model and a batch."""
    rng = np.random.default_rng(seed)
    model = init_last_step(cell, (D, H, O), rng, dtype)
    model = model._replace(c=rng.normal(size=O).astype(dtype))  # c starts at 0: make a mistake in it visible
    return model, rng.normal(size=(B, T, D)).astype(dtype), rng.normal(size=(B, O)).astype(dtype)


def flat(model):
    return [*model.parameters, model.V, model.c]


def unflat(arrays):
    return LastStep(Parameters(*arrays[:-2]), *arrays[-2:])


def data(seed=0):
    rng = np.random.default_rng(seed)
    return lambda: adding.draw(8, 6, rng)


# ---------------------------------------------------------------- the network


@pytest.mark.parametrize("cell", TORCH_CELLS, ids=repr)
def test_answers_loss_and_every_gradient_are_those_of_torch(cell):
    model, x, y = problem(cell)
    module = convert.to_torch(cell, model.parameters)
    output = torch.nn.Linear(H, O, dtype=torch.float64)
    with torch.no_grad():
        output.weight.copy_(torch.tensor(model.V.T))
        output.bias.copy_(torch.tensor(model.c))
    answers = output(module(torch.tensor(x))[0][:, -1])
    np.testing.assert_allclose(predict(cell, model, x), answers.detach().numpy(), atol=1e-13)
    theirs = torch.nn.functional.mse_loss(answers, torch.tensor(y))
    theirs.backward()
    loss, gradients = loss_and_gradients(cell, model, x, y)
    assert np.isclose(loss, theirs.item(), rtol=1e-13)
    want = [p.grad.numpy().T for p in (*module.parameters(), *output.parameters())]
    got = [array for array in flat(gradients) if array is not None]
    for ours, gradient in zip(got, want, strict=True):
        np.testing.assert_allclose(ours, gradient, atol=1e-13)


@pytest.mark.parametrize("cell", CELLS, ids=repr)
def test_every_gradient_is_that_of_finite_differences(cell):
    model, x, y = problem(cell)
    _, gradients = loss_and_gradients(cell, model, x, y)
    for number, (array, gradient) in enumerate(zip(flat(model), flat(gradients), strict=True)):
        if array is None:
            assert gradient is None
            continue

        def loss(changed, number=number):
            arrays = flat(model)
            arrays[number] = changed
            return loss_and_gradients(cell, unflat(arrays), x, y)[0]

        assert relative_error(gradient, finite_differences(loss, array)) < 1e-7


@pytest.mark.parametrize("cell", CELLS, ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_and_shapes_are_kept_and_nothing_is_modified(cell, dtype):
    model, x, y = problem(cell, dtype=dtype)
    given = [*flat(model), x, y]
    before = [None if a is None else a.copy() for a in given]
    assert predict(cell, model, x).dtype == dtype
    _, gradients = loss_and_gradients(cell, model, x, y)
    for array, gradient in zip(flat(model), flat(gradients), strict=True):
        if array is not None:
            assert gradient.shape == array.shape
            assert gradient.dtype == array.dtype == dtype
    for array, old in zip(given, before, strict=True):
        assert array is None or np.array_equal(array, old)


def test_initial_weights_lie_in_the_interval_and_the_recurrent_ones_can_be_given():
    W = np.eye(50)
    model = init_last_step(RNNCell("relu"), (3, 50, 2), np.random.default_rng(0), W=W)
    np.testing.assert_array_equal(model.parameters.W, W)
    assert all(array.dtype == np.float32 for array in flat(model) if array is not None)
    assert (model.V.shape, model.c.shape) == ((50, 2), (2,))
    assert not model.c.any()
    for array in (model.parameters.U, model.V):
        assert 0.9 * 50**-0.5 < np.abs(array).max() <= 50**-0.5
    again = init_last_step(RNNCell("relu"), (3, 50, 2), np.random.default_rng(0))
    np.testing.assert_array_equal(again.V, model.V)
    assert not np.array_equal(again.parameters.W, W)


# ---------------------------------------------------------------- learning


@pytest.mark.parametrize("limit", [1e-3, 1.0, None])
@pytest.mark.parametrize("cell", [RNNCell(), PeepholeLSTMCell()], ids=repr)
def test_three_updates_are_gradients_clipping_and_adam_by_hand(cell, limit):
    model = init_last_step(cell, (2, 3, 1), np.random.default_rng(0))
    draw, moments, by_hand = data(), None, model
    for progress in itertools.islice(fit(cell, model, data(), 0.01, limit), 3):
        loss, gradients = loss_and_gradients(cell, by_hand, *draw())
        clipped, norm = clip_by_global_norm(flat(gradients), np.inf if limit is None else limit)
        weights, moments = adam(flat(by_hand), clipped, moments, 0.01)
        by_hand = unflat(weights)
        assert progress.loss == loss
        assert np.isclose(progress.norm, norm, rtol=1e-6)  # before clipping
        for ours, want in zip(flat(progress.model), weights, strict=True):
            if want is not None:
                np.testing.assert_array_equal(ours, want)


def test_a_batch_is_drawn_only_when_an_update_is_asked_for():
    drawn = []

    def draw():
        drawn.append(1)
        return adding.draw(4, 5, np.random.default_rng(0))

    cell = RNNCell()
    updates = fit(cell, init_last_step(cell, (2, 3, 1), np.random.default_rng(0)), draw, 0.01)
    assert len(drawn) == 0
    next(updates)
    next(updates)
    assert len(drawn) == 2


def test_the_model_that_is_handed_in_stays_as_it_is():
    cell = GRUCell()
    model = init_last_step(cell, (2, 3, 1), np.random.default_rng(0))
    before = [None if a is None else a.copy() for a in flat(model)]
    *_, last = itertools.islice(fit(cell, model, data(), 0.1), 3)
    for array, old, new in zip(flat(model), before, flat(last.model), strict=True):
        if array is not None:
            np.testing.assert_array_equal(array, old)
            assert not np.array_equal(array, new)


def test_it_learns_short_sums():
    cell, rng = GRUCell(), np.random.default_rng(1)
    model = init_last_step(cell, (2, 16, 1), rng)
    *_, last = itertools.islice(fit(cell, model, lambda: adding.draw(32, 4, rng), 0.02), 300)
    x, y = adding.draw(500, 4, np.random.default_rng(2))
    assert np.mean((predict(cell, last.model, x) - y) ** 2) < adding.BASELINE / 5


# ---------------------------------------------------------------- bad input


def doubling(steps):
    """A linear network that doubles its state at every step."""
    cell = RNNCell("linear")
    model = init_last_step(cell, (2, 2, 1), np.random.default_rng(0), W=2 * np.eye(2))
    return cell, model, lambda: adding.draw(4, steps, np.random.default_rng(0))


def test_a_gradient_beyond_the_squares_of_float32_is_clipped():
    cell, model, draw = doubling(45)
    first = next(fit(cell, model, draw, 0.1))
    assert 1e20 < first.norm < np.inf
    assert np.isfinite(np.concatenate([np.ravel(a) for a in flat(first.model) if a is not None])).all()


def test_gradients_that_are_not_finite_are_refused_with_a_limit():
    cell, model, draw = doubling(100)
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match=r"the norm of the gradients is (nan|inf)"):
        next(fit(cell, model, draw, 0.1))


def test_without_a_limit_the_next_update_refuses_the_weights():
    cell, model, draw = doubling(100)
    with np.errstate(all="ignore"):
        updates = fit(cell, model, draw, 0.1, limit=None)
        assert not np.isfinite(next(updates).norm)
        with pytest.raises(ValueError, match="must be finite"):
            next(updates)


@pytest.mark.parametrize("limit", [1.0, None])
def test_answers_to_learn_that_are_not_finite_are_refused(limit):
    cell = RNNCell()
    model = init_last_step(cell, (2, 3, 1), np.random.default_rng(0))
    x, y = adding.draw(4, 5, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"d_state\[0\] must be finite"):
        next(fit(cell, model, lambda: (x, y * np.nan), 0.1, limit))


@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        (np.zeros((3, 5, 7), np.float32), np.zeros((3, 1), np.float32), ValueError, "U must have shape"),
        (np.zeros((3, 5), np.float32), np.zeros((3, 1), np.float32), ValueError, "x must have shape"),
        (np.zeros((3, 5, 2)), np.zeros((3, 1)), TypeError, "must have the dtype of x"),
        (np.full((3, 5, 2), np.nan, np.float32), np.zeros((3, 1), np.float32), ValueError, "x must be finite"),
        (np.zeros((3, 5, 2), np.float32), np.zeros(3, np.float32), ValueError, "must have one shape"),
        (np.zeros((0, 5, 2), np.float32), np.zeros((0, 1), np.float32), ValueError, "not empty"),
    ],
)
def test_a_batch_that_does_not_fit_is_refused_by_name(x, y, error, message):
    cell = RNNCell()
    model = init_last_step(cell, (2, 3, 1), np.random.default_rng(0))
    with pytest.raises(error, match=message):
        loss_and_gradients(cell, model, x, y)


def test_no_steps_at_all_leave_the_answer_to_the_initial_state():
    cell = LSTMCell()
    model = init_last_step(cell, (2, 3, 1), np.random.default_rng(0))
    answers = predict(cell, model, np.zeros((4, 0, 2), np.float32))
    np.testing.assert_array_equal(answers, np.broadcast_to(model.c, (4, 1)))
    _, gradients = loss_and_gradients(cell, model, np.zeros((4, 0, 2), np.float32), np.ones((4, 1), np.float32))
    assert not gradients.parameters.U.any()
    np.testing.assert_allclose(gradients.c, -2)


@pytest.mark.parametrize("sizes", [(0, 3, 1), (2, 0, 1)])
def test_sizes_below_one_are_refused(sizes):
    with pytest.raises(ValueError, match="must be positive"):
        init_last_step(RNNCell(), sizes, np.random.default_rng(0))
