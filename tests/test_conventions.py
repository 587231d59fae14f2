"""What a convention writes is what the cell computes: its equations, evaluated on converted weights, one by one."""

import numpy as np
import pytest

from rnncourse import convert
from rnncourse.cells import GRUCell, ResetBeforeGRUCell
from rnncourse.conventions import COLUMNS, FORMS, ROWS, TRANSPOSED, equations
from rnncourse.unroll import Parameters, init_parameters, unroll

D, H, T = 3, 4, 5
SAID = [(convention, cell) for convention, forms in FORMS.items() for cell in forms]
each = pytest.mark.parametrize(("convention", "cell"), SAID, ids=[f"{name}-{cell.__name__}" for name, cell in SAID])

OPERATIONS = {
    ROWS: lambda v, M: np.einsum("i,ij->j", v, M),
    COLUMNS: lambda v, M: np.einsum("ij,j->i", M, v),
    TRANSPOSED: lambda v, M: np.einsum("j,ij->i", v, M),
    "+": lambda *terms: sum(terms),
    "⊙": lambda a, b: a * b,
    "1 -": lambda a: 1 - a,
    "tanh": np.tanh,
    "f": np.tanh,
    "sigma": lambda a: 1 / (1 + np.exp(-a)),
}


def value(formula, known):
    """A formula in numbers."""
    if isinstance(formula, str):
        return known[formula]
    operation, *parts = formula
    return OPERATIONS[operation](*(value(part, known) for part in parts))


def problem(cell):
    rng = np.random.default_rng(0)
    drawn = init_parameters(cell(), D, H, rng)
    return Parameters(*(p if p is None else 2 * p for p in drawn)), rng.normal(size=(T, D))


def arrays(convention, cell, parameters):
    """Weights from the input, from the state, and biases, as the code of that convention holds them."""
    if convention == "pytorch":
        return [a.detach().numpy() for a in convert.to_torch(cell(), parameters).parameters()]
    if convention == "keras":
        kernel, recurrent_kernel, bias = convert.to_keras(cell(), parameters)
        return [kernel, recurrent_kernel, *np.atleast_2d(bias)]
    if convention == "papers":
        return list(convert.to_papers(cell(), parameters))
    U, W, b_x, b_h, inner = parameters
    if inner is not None:
        W, b_h = np.hstack([W, inner]), np.append(b_h, np.zeros(H))
    return [U, W, b_x, b_h] if len(FORMS["course"][cell].biases) == 2 else [U, W, b_x + b_h]


def weights(form, arrays):
    """Every weight by the name that its formulas use."""
    named = {}
    for symbols, array in zip([form.U, form.W, *form.biases], arrays, strict=True):
        blocks = np.split(array, len(symbols), axis=-1 if form.product == ROWS else 0)
        named |= dict(zip(symbols, blocks, strict=True))
    return named


def states(form, cell, arrays, x):
    """The hidden states (T, H), from nothing but the form's equations."""
    lines = [line for lines in equations(cell, form).values() for line in lines]
    known = weights(form, arrays) | {"h_{t-1}": np.zeros(H), "c_{t-1}": np.zeros(H)}
    hidden = []
    for x_t in x:
        known["x_t"] = x_t
        for symbol, formula in lines:
            known[symbol] = value(formula, known)
        known |= {"h_{t-1}": known["h_t"], "c_{t-1}": known.get("c_t")}
        hidden.append(known["h_t"])
    return np.array(hidden)


@each
def test_the_equations_compute_what_the_cell_computes(convention, cell):
    parameters, x = problem(cell)
    got = states(FORMS[convention][cell], cell, arrays(convention, cell, parameters), x)
    np.testing.assert_allclose(got, unroll(cell(), parameters, x[None]).hidden[0], rtol=0, atol=1e-12)


def test_the_papers_gru_is_ours_where_one_can_be_the_other():
    """The reset gate's place is the one difference that no conversion removes: see `convert.swap_reset`."""
    parameters, x = problem(ResetBeforeGRUCell)
    before = parameters._replace(inner=np.diag([1.0, -2, 3, 0.5]))
    after = convert.swap_reset(ResetBeforeGRUCell(), before)[1]
    form = FORMS["papers"][ResetBeforeGRUCell]
    got = states(form, ResetBeforeGRUCell, convert.to_papers(ResetBeforeGRUCell(), before), x)
    np.testing.assert_allclose(got, unroll(GRUCell(), after, x[None]).hidden[0], rtol=0, atol=1e-12)


@each
def test_another_order_or_another_update_gate_would_be_another_function(convention, cell):
    form, (parameters, x) = FORMS[convention][cell], problem(cell)
    theirs = arrays(convention, cell, parameters)
    wrong = [form._replace(order=form.order[1:] + form.order[0])] if len(form.order) > 1 else []
    wrong += [form._replace(z_keeps=not form.z_keeps)] if "z" in form.order else []
    for other in wrong:
        difference = states(other, cell, theirs, x) - states(form, cell, theirs, x)
        assert np.abs(difference).max() > 0.01, other


@each
def test_a_form_is_complete(convention, cell):
    form = FORMS[convention][cell]
    assert sorted(form.order) == sorted(FORMS["course"][cell].order)
    lists = [form.gates, form.U, form.W, *form.biases]
    assert {len(symbols) for symbols in lists} == {len(form.order)}
    symbols = [symbol for part in lists for symbol in part]
    assert len(set(symbols)) == len(symbols)


@pytest.mark.parametrize("cell", FORMS["pytorch"])
def test_the_names_in_code_are_the_modules_own(cell):
    names = [name for name, _ in convert.to_torch(cell(), problem(cell)[0]).named_parameters()]
    assert FORMS["pytorch"][cell].names == names
    assert FORMS["keras"][cell].names[:2] == list(convert.KerasWeights._fields[:2])
    assert cell is GRUCell or FORMS["keras"][cell].names[2:] == list(convert.KerasWeights._fields[2:])
