import numpy as np
import pytest
import torch

from rnncourse import convert
from rnncourse.cells import RNNCell
from rnncourse.unroll import Parameters, init_parameters, unroll


@pytest.fixture(params=["tanh", "relu"])
def cell(request):
    return RNNCell(request.param)


@pytest.fixture(params=[np.float32, np.float64])
def parameters(request, cell):
    return init_parameters(cell, 3, 4, np.random.default_rng(0), request.param)


def same(one, two):
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype


def test_to_torch_and_back_is_exact(cell, parameters):
    back_cell, back = convert.from_torch(convert.to_torch(cell, parameters))
    assert back_cell == cell
    same(back, parameters)


@pytest.mark.parametrize("layout", ["keras", "papers"])
def test_layouts_with_one_bias_keep_the_function(cell, parameters, layout):
    to, back = getattr(convert, f"to_{layout}"), getattr(convert, f"from_{layout}")
    weights = to(parameters)
    same(to(back(weights)), weights)
    x = np.random.default_rng(1).normal(size=(2, 5, 3)).astype(parameters.U.dtype)
    there, here = unroll(cell, back(weights), x).hidden, unroll(cell, parameters, x).hidden
    np.testing.assert_allclose(there, here, atol=1e-6 if x.dtype == np.float32 else 1e-14)


def test_shapes_of_the_layouts(parameters):
    assert [w.shape for w in convert.to_keras(parameters)] == [(3, 4), (4, 4), (4,)]
    assert [w.shape for w in convert.to_papers(parameters)] == [(4, 3), (4, 4), (4,)]


def test_conversions_copy(cell, parameters):
    before = [p.copy() for p in parameters]
    rnn = convert.to_torch(cell, parameters)
    with torch.no_grad():
        rnn.weight_hh_l0.fill_(7)
    _, back = convert.from_torch(rnn)
    back.W[:] = 8
    assert float(rnn.weight_hh_l0.detach().max()) == 7
    for weights in (convert.to_keras(parameters), convert.to_papers(parameters)):
        for w in weights:
            w[:] = 9
    for weights, back_to in (
        (convert.to_keras(parameters), convert.from_keras),
        (convert.to_papers(parameters), convert.from_papers),
    ):
        for p in back_to(weights):
            p[:] = 9
        assert all(w.max() < 9 for w in weights)
    same(parameters, before)


def test_changing_torchs_weights_changes_no_copy(cell, parameters):
    rnn = convert.to_torch(cell, parameters)
    _, copies = convert.from_torch(rnn)
    with torch.no_grad():
        for weight in rnn.parameters():
            weight.fill_(7)
    same(copies, parameters)


@pytest.mark.parametrize("view", [lambda a: np.broadcast_to(a, a.shape), lambda a: a[::-1], np.asfortranarray])
def test_read_only_and_strided_parameters_reach_torch(cell, parameters, view):
    views = Parameters(*map(view, parameters))
    same(convert.from_torch(convert.to_torch(cell, views))[1], views)


def test_to_torch_draws_no_random_numbers(cell, parameters):
    before = torch.get_rng_state()
    convert.to_torch(cell, parameters)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("name", "shape"), [("b_x", (1,)), ("b_h", (5,)), ("W", (1, 4)), ("W", (4, 3))])
def test_parameters_that_do_not_fit_together_are_not_stretched(cell, parameters, name, shape):
    misfit = parameters._replace(**{name: np.zeros(shape, parameters.U.dtype)})
    with pytest.raises(RuntimeError, match="size mismatch"):
        convert.to_torch(cell, misfit)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_torch_rnn_without_bias_gets_zeros(dtype):
    rnn = torch.nn.RNN(3, 4, bias=False, batch_first=True, dtype=dtype)
    cell, parameters = convert.from_torch(rnn)
    same(parameters[2:], np.zeros((2, 4), parameters.U.dtype))
    assert parameters.b_x is not parameters.b_h
    x = torch.randn(2, 5, 3, dtype=dtype)
    got, want = unroll(cell, parameters, x.numpy()).hidden, rnn(x)[0].detach().numpy()
    np.testing.assert_allclose(got, want, atol=1e-14 if dtype == torch.float64 else 1e-6)


@pytest.mark.parametrize(
    ("module", "error", "words"),
    [
        (torch.nn.RNN(3, 4, num_layers=2), ValueError, "num_layers=2"),
        (torch.nn.RNN(3, 4, bidirectional=True), ValueError, "bidirectional=True"),
        (torch.nn.Linear(3, 4), TypeError, "expected a torch.nn.RNN, got Linear"),
        (torch.nn.LSTM(3, 4), TypeError, "got LSTM"),
    ],
)
def test_other_modules_are_refused(module, error, words):
    with pytest.raises(error, match=words):
        convert.from_torch(module)
