"""Every layout is checked by what it computes: PyTorch runs; Keras's and the papers' recurrences are written out."""

import numpy as np
import pytest
import torch

from rnncourse import convert
from rnncourse.cells import CoupledLSTMCell, GRUCell, LSTMCell, PeepholeLSTMCell, ResetBeforeGRUCell, RNNCell
from rnncourse.layers import init_layers, unroll_layers
from rnncourse.unroll import Parameters, init_parameters, unroll

TORCH_CELLS = [RNNCell("tanh"), RNNCell("relu"), LSTMCell(), GRUCell()]
ELSEWHERE = [
    RNNCell("linear"),
    LSTMCell("hard_sigmoid"),
    PeepholeLSTMCell(),
    CoupledLSTMCell(),
    ResetBeforeGRUCell(),
]
KERAS_CELLS = [RNNCell(), RNNCell("relu"), RNNCell("linear"), LSTMCell(), LSTMCell("hard_sigmoid"), GRUCell()]
KERAS_CELLS.append(ResetBeforeGRUCell())
PAPER_CELLS = [*TORCH_CELLS[:3], CoupledLSTMCell(), ResetBeforeGRUCell()]
GRUS = [GRUCell(), ResetBeforeGRUCell()]
TOLERANCE = {np.float32: 2e-6, np.float64: 1e-14}

dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def each(cells):
    return pytest.mark.parametrize("cell", cells, ids=str)


def problem(cell, dtype=np.float64, B=2, T=5, D=3, H=4):
    """Parameters of order 1, so that each counts, and inputs."""
    rng = np.random.default_rng(0)
    parameters = init_parameters(cell, D, H, rng, dtype)
    parameters = Parameters(*(p if p is None else 2 * p for p in parameters))
    return parameters, rng.normal(size=(B, T, D)).astype(dtype)


def hidden_of(cell, parameters, x):
    return unroll(cell, parameters, x).hidden


def same(one, two):
    for a, b in zip(one, two, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype


def flat(layers):
    return [array for layer in layers for parameters in layer for array in parameters]


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


# ---------------------------------------------------------------- PyTorch


@dtypes
@each(TORCH_CELLS)
def test_a_torch_layer_has_the_same_numbers_and_computes_the_same(cell, dtype):
    parameters, x = problem(cell, dtype)
    module = convert.to_torch(cell, parameters)
    assert (module.batch_first, module.num_layers, module.bidirectional) == (True, 1, False)
    got = module(torch.from_numpy(x))[0].detach().numpy()
    assert got.dtype == dtype
    np.testing.assert_allclose(got, hidden_of(cell, parameters, x), atol=TOLERANCE[dtype])
    back_cell, back = convert.from_torch(module)
    assert back_cell == cell
    same(back, parameters)


@pytest.mark.parametrize(("layers", "bidirectional"), [(1, True), (2, False), (3, True)])
@each(TORCH_CELLS)
def test_layers_and_directions_go_there_and_back(cell, layers, bidirectional):
    x = problem(cell)[1]
    ours = init_layers(cell, x.shape[2], 4, layers, np.random.default_rng(1), bidirectional)
    module = convert.to_torch(cell, ours)
    got = module(torch.from_numpy(x))[0].detach().numpy()
    np.testing.assert_allclose(got, unroll_layers(cell, ours, x).hidden, atol=1e-14)
    back_cell, back = convert.from_torch(module)
    assert back_cell == cell
    assert [len(layer) for layer in back] == [2 if bidirectional else 1] * layers
    same(flat(back), flat(ours))


@each(TORCH_CELLS)
def test_one_layer_in_a_list_is_that_layer(cell):
    parameters, _ = problem(cell)
    same(convert.from_torch(convert.to_torch(cell, [(parameters,)]))[1], parameters)


@dtypes
@each(TORCH_CELLS)
def test_a_torch_cell_is_one_step(cell, dtype):
    parameters, x = problem(cell, dtype)
    module = convert.to_torch_cell(cell, parameters)
    assert isinstance(module, torch.nn.RNNCellBase)
    state = tuple(np.full((2, 4), n, dtype) for n in (0.5, -0.25)[: cell.state_parts])
    states = tuple(torch.from_numpy(part) for part in state)
    got = module(torch.from_numpy(x[:, 0]), states if len(states) == 2 else states[0])
    want = unroll(cell, parameters, x[:, :1], state).state
    for a, b in zip(got if len(states) == 2 else (got,), want, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b, atol=TOLERANCE[dtype])
    back_cell, back = convert.from_torch(module)
    assert back_cell == cell
    same(back, parameters)


@dtypes
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize(("layers", "bidirectional", "bias"), [(1, False, False), (2, True, False), (2, True, True)])
def test_torchs_own_modules_with_or_without_bias_come_over(kind, layers, bidirectional, bias, dtype):
    options = {"bias": bias, "batch_first": True, "dtype": torch.tensor(np.zeros(0, dtype)).dtype}
    module = getattr(torch.nn, kind)(3, 4, layers, bidirectional=bidirectional, **options)
    x = problem(RNNCell(), dtype)[1]
    want = module(torch.from_numpy(x))[0].detach().numpy()
    cell, ours = convert.from_torch(module)
    if layers == 1:
        got = hidden_of(cell, ours, x)
        assert not ours.b_x.any()
        assert not ours.b_h.any()
        assert ours.b_x is not ours.b_h
    else:
        got = unroll_layers(cell, ours, x).hidden
    np.testing.assert_allclose(got, want, atol=TOLERANCE[dtype])


@pytest.mark.parametrize("kind", [torch.nn.RNNCell, torch.nn.LSTMCell, torch.nn.GRUCell])
def test_a_torch_cell_without_bias_gets_zeros(kind):
    cell, parameters = convert.from_torch(kind(3, 4, bias=False))
    assert parameters.b_x.shape == parameters.b_h.shape == (4 * cell.gates,)
    assert not parameters.b_x.any()
    assert not parameters.b_h.any()


def test_a_torch_rnn_keeps_its_activation():
    assert convert.from_torch(torch.nn.RNN(3, 4, nonlinearity="relu"))[0] == RNNCell("relu")
    assert convert.from_torch(torch.nn.RNNCell(3, 4, nonlinearity="relu"))[0] == RNNCell("relu")


@each(TORCH_CELLS)
def test_changing_torchs_weights_changes_no_copy_and_the_reverse(cell):
    parameters, _ = problem(cell)
    before = [None if p is None else p.copy() for p in parameters]
    module = convert.to_torch(cell, parameters)
    _, copies = convert.from_torch(module)
    with torch.no_grad():
        for weight in module.parameters():
            weight.fill_(7)
    same(copies, before)
    same(parameters, before)
    _, sevens = convert.from_torch(module)
    for copy in sevens[:4]:
        copy[:] = 8
    assert all((weight == 7).all() for weight in module.parameters())


@pytest.mark.parametrize("view", [lambda a: np.broadcast_to(a, a.shape), lambda a: a[::-1], np.asfortranarray])
@each(TORCH_CELLS)
def test_read_only_and_strided_parameters_reach_torch(cell, view):
    views = Parameters(*map(view, problem(cell)[0][:4]))
    same(convert.from_torch(convert.to_torch(cell, views))[1], views)


@pytest.mark.parametrize("make", [convert.to_torch, convert.to_torch_cell])
@each(TORCH_CELLS)
def test_no_random_numbers_are_drawn(cell, make):
    parameters, _ = problem(cell)
    before = torch.get_rng_state()
    make(cell, parameters)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("make", [convert.to_torch, convert.to_torch_cell])
@each(ELSEWHERE)
def test_a_cell_that_torch_does_not_have_is_refused(cell, make):
    with pytest.raises(ValueError, match=r"PyTorch has RNN .*, LSTM .* and GRU") as caught:
        make(cell, problem(cell)[0])
    assert str(cell) in str(caught.value)


def test_layers_that_torch_cannot_stack_are_refused():
    one, two = (init_layers(GRUCell(), 3, 4, 2, np.random.default_rng(0), both) for both in (False, True))
    with pytest.raises(ValueError, match=r"all in one direction or all in two, got \[2, 1\]"):
        convert.to_torch(GRUCell(), [two[0], one[1]])
    with pytest.raises(ValueError, match=r"got \[\]"):
        convert.to_torch(GRUCell(), [])
    with pytest.raises(RuntimeError, match="size mismatch"):
        convert.to_torch(GRUCell(), [one[0], two[1][:1]])


@pytest.mark.parametrize(
    ("module", "error", "words"),
    [
        (torch.nn.Linear(3, 4), TypeError, "expected a torch.nn.RNN, LSTM, GRU or one of their cells, got Linear"),
        (None, TypeError, "got NoneType"),
        (torch.nn.LSTM(3, 4, proj_size=2), ValueError, "proj_size=2"),
    ],
)
def test_other_modules_are_refused(module, error, words):
    with pytest.raises(error, match=words):
        convert.from_torch(module)


# ---------------------------------------------------------------- Keras


def in_keras(cell, weights, x):
    """All states of Keras's layer, gate by gate, from its documentation."""
    kernel, recurrent_kernel, bias = weights
    H = recurrent_kernel.shape[0]
    gate = sigmoid if getattr(cell, "gate", "sigmoid") == "sigmoid" else lambda z: np.clip(z / 6 + 0.5, 0, 1)

    def part(array, number):
        return array[..., number * H : (number + 1) * H]

    h, c, states = np.zeros((len(x), H)), np.zeros((len(x), H)), []
    for x_t in x.swapaxes(0, 1):
        a = [x_t @ part(kernel, k) for k in range(4)]
        b = [h @ part(recurrent_kernel, k) for k in range(4)]
        if isinstance(cell, RNNCell):
            f = {"tanh": np.tanh, "relu": lambda z: z * (z > 0), "linear": lambda z: z}[cell.activation]
            h = f(a[0] + b[0] + bias)
        elif isinstance(cell, LSTMCell):
            i, f, candidate, o = (a[k] + b[k] + part(bias, k) for k in range(4))
            c = gate(f) * c + gate(i) * np.tanh(candidate)
            h = gate(o) * np.tanh(c)
        elif isinstance(cell, GRUCell):  # reset_after=True
            z, r = (sigmoid(a[k] + part(bias[0], k) + b[k] + part(bias[1], k)) for k in range(2))
            n = np.tanh(a[2] + part(bias[0], 2) + r * (b[2] + part(bias[1], 2)))
            h = z * h + (1 - z) * n
        else:  # reset_after=False
            z, r = (sigmoid(a[k] + b[k] + part(bias, k)) for k in range(2))
            n = np.tanh(a[2] + part(bias, 2) + (r * h) @ part(recurrent_kernel, 2))
            h = z * h + (1 - z) * n
        states.append(h)
    return np.stack(states, axis=1)


@each(KERAS_CELLS)
def test_keras_would_compute_the_same(cell):
    parameters, x = problem(cell)
    want = hidden_of(cell, parameters, x)
    np.testing.assert_allclose(in_keras(cell, convert.to_keras(cell, parameters), x), want, atol=1e-13)


@dtypes
@each(KERAS_CELLS)
def test_from_keras_and_back_is_exact(cell, dtype):
    weights = [
        array + dtype(0.5) for array in convert.to_keras(cell, problem(cell, dtype)[0])
    ]  # as get_weights(): a list
    back = convert.from_keras(cell, weights)
    same(convert.to_keras(cell, back), weights)
    x = problem(cell, dtype)[1]
    got = hidden_of(cell, back, x)
    np.testing.assert_allclose(got, in_keras(cell, weights, x), rtol=1e-5 if dtype == np.float32 else 1e-13)


@dtypes
def test_a_gru_with_reset_after_keeps_both_biases_in_keras(dtype):
    parameters, _ = problem(GRUCell(), dtype)
    same(convert.from_keras(GRUCell(), convert.to_keras(GRUCell(), parameters)), parameters)


@pytest.mark.parametrize(
    ("cell", "shapes"),
    [
        (RNNCell(), [(3, 4), (4, 4), (4,)]),
        (LSTMCell(), [(3, 16), (4, 16), (16,)]),
        (GRUCell(), [(3, 12), (4, 12), (2, 12)]),
        (ResetBeforeGRUCell(), [(3, 12), (4, 12), (12,)]),
    ],
    ids=str,
)
def test_shapes_in_keras(cell, shapes):
    assert [w.shape for w in convert.to_keras(cell, problem(cell)[0])] == shapes


@each([PeepholeLSTMCell(), CoupledLSTMCell()])
def test_a_cell_that_keras_does_not_have_is_refused(cell):
    with pytest.raises(ValueError, match=f"Keras has .* not {type(cell).__name__}"):
        convert.to_keras(cell, problem(cell)[0])
    with pytest.raises(ValueError, match=f"Keras has .* not {type(cell).__name__}"):
        convert.from_keras(cell, problem(cell)[0][:3])


@pytest.mark.parametrize(
    ("cell", "change", "words"),
    [
        (RNNCell(), lambda k, r, b: (k, r), "kernel, recurrent_kernel and bias, got 2"),
        (GRUCell(), lambda k, r, b: (k, r, b, k, r, b), "got 6"),
        (GRUCell(), lambda k, r, b: (k, r, b[0]), r"bias must have shape \(2, G·H\) = \(2, 12\), got \(12,\)"),
        (ResetBeforeGRUCell(), lambda k, r, b: (k, r, np.stack([b, b])), r"bias must have shape \(G·H,\) = \(12,\)"),
        (LSTMCell(), lambda k, r, b: (k[:, 1:], r, b), r"recurrent_kernel must have shape \(H, G·H\) = \(\?, 15\)"),
        (LSTMCell(), lambda k, r, b: (k, r[1:], b), "must have shape"),
        (LSTMCell(), lambda k, r, b: (k[:, :12], r[:, :12], b[:12]), "must have shape"),
        (RNNCell(), lambda k, r, b: (k, r, b * np.nan), "b_x must be finite"),
    ],
)
def test_keras_weights_that_do_not_fit_are_refused(cell, change, words):
    with pytest.raises(ValueError, match=words):
        convert.from_keras(cell, change(*convert.to_keras(cell, problem(cell)[0])))


# ---------------------------------------------------------------- papers


@each(PAPER_CELLS[:-1])
def test_columns_compute_the_same_sums(cell):
    parameters, x = problem(cell)
    U, W, b = convert.to_papers(cell, parameters)
    assert [a.shape for a in (U, W, b)] == [(cell.gates * 4, 3), (cell.gates * 4, 4), (cell.gates * 4,)]
    h = np.random.default_rng(3).normal(size=4)
    theirs = U @ x[0, 0] + W @ h + b
    ours = x[0, 0] @ parameters.U + parameters.b_x + h @ parameters.W + parameters.b_h
    np.testing.assert_allclose(theirs, ours, atol=1e-14)


@each(PAPER_CELLS)
def test_from_papers_and_back_is_exact_and_keeps_the_function(cell):
    parameters, x = problem(cell)
    weights = convert.to_papers(cell, parameters)
    back = convert.from_papers(cell, weights)
    same(convert.to_papers(cell, back), weights)
    np.testing.assert_allclose(hidden_of(cell, back, x), hidden_of(cell, parameters, x), atol=1e-14)


@each([PeepholeLSTMCell(), GRUCell()])
def test_what_three_arrays_cannot_hold_is_refused(cell):
    parameters, _ = problem(cell)
    with pytest.raises(ValueError, match=f"cannot hold all weights of {type(cell).__name__}"):
        convert.to_papers(cell, parameters)
    with pytest.raises(ValueError, match="cannot hold all weights"):
        convert.from_papers(cell, parameters[:3])


def test_paper_weights_that_do_not_fit_are_refused():
    U, W, b = convert.to_papers(LSTMCell(), problem(LSTMCell())[0])
    with pytest.raises(ValueError, match="U must have shape"):
        convert.from_papers(LSTMCell(), (U[:12], W, b))


# ---------------------------------------------------------------- the other forms of the GRU


def other_update(cell, parameters, x):
    """A GRU with h' = z n + (1 - z) h, example by example."""
    U, W, b_x, b_h, inner = parameters
    H, hidden = len(W), []
    for example in x:
        h = np.zeros(H)
        for x_t in example:
            a, b = x_t @ U + b_x, h @ W + b_h
            r, z = sigmoid(a[:H] + b[:H]), sigmoid(a[H : 2 * H] + b[H : 2 * H])
            n = np.tanh(a[2 * H :] + ((r * h) @ inner if isinstance(cell, ResetBeforeGRUCell) else r * b[2 * H :]))
            h = z * n + (1 - z) * h
            hidden.append(h)
    return np.reshape(hidden, (*x.shape[:2], H))


@each(GRUS)
def test_a_swapped_update_gate_is_that_of_the_other_papers(cell):
    theirs, x = problem(cell)
    ours = convert.swap_update(cell, theirs)
    np.testing.assert_allclose(hidden_of(cell, ours, x), other_update(cell, theirs, x), atol=1e-14)
    assert np.abs(hidden_of(cell, theirs, x) - other_update(cell, theirs, x)).max() > 0.1
    same(convert.swap_update(cell, ours), theirs)


def diagonal(cell, dtype):
    """A problem in which the two GRUs can be the same."""
    parameters, x = problem(cell, dtype)
    if isinstance(cell, ResetBeforeGRUCell):
        return parameters._replace(inner=np.diag(np.diag(parameters.inner))), x
    W, b_h = parameters.W.copy(), parameters.b_h.copy()
    W[:, 8:] *= np.eye(4, dtype=dtype)
    b_h[8:] = 0
    return parameters._replace(W=W, b_h=b_h), x


@dtypes
@each(GRUS)
def test_a_swapped_reset_gate_is_the_same_function_where_it_can_be(cell, dtype):
    parameters, x = diagonal(cell, dtype)
    other, swapped = convert.swap_reset(cell, parameters)
    assert {type(cell), type(other)} == {GRUCell, ResetBeforeGRUCell}
    np.testing.assert_allclose(hidden_of(other, swapped, x), hidden_of(cell, parameters, x), atol=TOLERANCE[dtype])
    back_cell, back = convert.swap_reset(other, swapped)
    assert back_cell == cell
    same(back, parameters)


@pytest.mark.parametrize(("i", "j"), [(1, 2), (2, 1), (3, 0)])
@each(GRUS)
def test_a_reset_gate_is_not_swapped_where_units_read_each_other(cell, i, j):
    parameters, _ = diagonal(cell, np.float64)
    name = "W" if isinstance(cell, GRUCell) else "inner"
    full = getattr(parameters, name).copy()
    full[i, j - 4] = 0.25  # W_n stands in the last four columns
    with pytest.raises(ValueError, match=rf"W_n off its diagonal must be zero .* entry \[{i}, {j}\] is 0.25"):
        convert.swap_reset(cell, parameters._replace(**{name: full}))


def test_a_reset_gate_is_not_swapped_where_the_product_has_a_bias():
    parameters, _ = diagonal(GRUCell(), np.float64)
    b_h = parameters.b_h.copy()
    b_h[-1] = 0.5
    with pytest.raises(ValueError, match=r"b_hn must be zero .* entry \[3\] is 0.5"):
        convert.swap_reset(GRUCell(), parameters._replace(b_h=b_h))


@pytest.mark.parametrize("swap", [convert.swap_update, convert.swap_reset])
def test_only_a_gru_has_other_forms(swap):
    with pytest.raises(ValueError, match=r"cell must be GRUCell\(\) or ResetBeforeGRUCell\(\), got LSTMCell"):
        swap(LSTMCell(), problem(LSTMCell())[0])


# ---------------------------------------------------------------- all of them


FROM_OURS = {
    "to_torch": (convert.to_torch, RNNCell()),
    "to_torch_cell": (convert.to_torch_cell, LSTMCell()),
    "to_keras": (convert.to_keras, ResetBeforeGRUCell()),
    "to_keras, reset after": (convert.to_keras, GRUCell()),
    "to_papers": (convert.to_papers, LSTMCell()),
    "swap_update": (convert.swap_update, ResetBeforeGRUCell()),
    "swap_reset": (convert.swap_reset, GRUCell()),
    "swap_reset, from before": (convert.swap_reset, ResetBeforeGRUCell()),
}


@pytest.mark.parametrize("name", FROM_OURS)
@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda p: tuple(p), TypeError, "parameters must be rnncourse.unroll.Parameters, got tuple"),
        (lambda p: p._replace(U=p.U.tolist()), TypeError, "U must be a NumPy array"),
        (lambda p: p._replace(b_x=p.b_x.astype(int)), TypeError, "b_x must be of a floating type"),
        (lambda p: p._replace(W=p.W.astype(np.float32)), TypeError, "W must have the dtype .* got float32"),
        (lambda p: p._replace(W=p.W[:1]), ValueError, "must have shape"),
        (lambda p: p._replace(W=p.W[:, :-1]), ValueError, "must have shape"),
        (lambda p: p._replace(b_x=p.b_x[:1]), ValueError, "b_x must have shape"),
        (lambda p: p._replace(b_h=np.append(p.b_h, 0.0)), ValueError, "b_h must have shape"),
        (lambda p: p._replace(U=p.U * np.nan), ValueError, r"U must be finite, but U\[0, 0\] is nan"),
        (lambda p: p._replace(inner=np.zeros((7, 7))), (TypeError, ValueError), "inner must"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_by_name(name, change, error, words):
    function, cell = FROM_OURS[name]
    with pytest.raises(error, match=words):
        function(cell, change(diagonal(cell, np.float64)[0] if cell in GRUS else problem(cell)[0]))


@pytest.mark.parametrize("name", [name for name in FROM_OURS if "torch" not in name])
def test_conversions_copy(name):
    function, cell = FROM_OURS[name]
    parameters = diagonal(cell, np.float64)[0] if cell in GRUS else problem(cell)[0]
    before = [None if p is None else p.copy() for p in parameters]
    result = function(cell, parameters)
    for array in result[1] if name.startswith("swap_reset") else result:
        if array is not None:
            array[...] = 9
    same(parameters, before)


@each([*KERAS_CELLS, *PAPER_CELLS])
def test_conversions_from_other_layouts_copy(cell):
    layouts = ["keras"] * (cell in KERAS_CELLS) + ["papers"] * (cell in PAPER_CELLS)
    for layout in layouts:
        weights = getattr(convert, f"to_{layout}")(cell, problem(cell)[0])
        before = [array.copy() for array in weights]
        parameters = getattr(convert, f"from_{layout}")(cell, weights)
        for array in parameters:
            if array is not None:
                array[...] = 9
        same(weights, before)
        parameters.b_x[...] = 8
        assert parameters.b_h.max() == 9  # two arrays, not two views of one
