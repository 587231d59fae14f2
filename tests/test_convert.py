import numpy as np
import pytest
import torch

from rnncourse import convert
from rnncourse.cells import RNNCell
from rnncourse.unroll import init_parameters, unroll


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
        assert float(weights[1].max()) < 9
    same(parameters, before)


def test_a_torch_rnn_without_bias_gets_zeros():
    rnn = torch.nn.RNN(3, 4, bias=False, batch_first=True, dtype=torch.float64)
    cell, parameters = convert.from_torch(rnn)
    x = torch.randn(2, 5, 3, dtype=torch.float64)
    np.testing.assert_allclose(unroll(cell, parameters, x.numpy()).hidden, rnn(x)[0].detach().numpy(), atol=1e-14)


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
