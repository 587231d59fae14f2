"""Back-propagation through time against two ways to differentiate, against PyTorch, and against its own pieces."""

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import rnncourse.unroll
from rnncourse import convert
from rnncourse.cells import CoupledLSTMCell, GRUCell, LSTMCell, PeepholeLSTMCell, ResetBeforeGRUCell, RNNCell
from rnncourse.gradcheck import complex_step, finite_differences, relative_error
from rnncourse.unroll import Parameters, bptt, init_parameters, unroll

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
TORCH_CELLS = [RNNCell("tanh"), RNNCell("relu"), LSTMCell(), GRUCell()]
each = pytest.mark.parametrize("cell", CELLS, ids=str)
masked_or_not = pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])


class Problem:
    """Parameters, inputs, initial state, mask, and the gradients of a loss that reads every state."""

    def __init__(self, cell, masked=False, B=2, T=5, D=2, H=3, dtype=np.float64):
        rng = np.random.default_rng(0)
        self.cell = cell
        self.parameters = init_parameters(cell, D, H, rng, dtype)
        self.x = rng.normal(size=(B, T, D)).astype(dtype)
        self.state = self.some_state(rng)
        self.mask = rng.random((B, T)) < 0.6 if masked else None
        self.d_hidden = rng.normal(size=(B, T, H)).astype(dtype)
        self.d_state = self.some_state(rng)

    def some_state(self, rng):
        shape = len(self.x), self.parameters.W.shape[0]
        return tuple(rng.normal(size=shape).astype(self.x.dtype) for _ in range(self.cell.state_parts))

    def tape(self):
        return unroll(self.cell, self.parameters, self.x, self.state, self.mask).tape

    def gradients(self, **changes):
        arguments = {"d_hidden": self.d_hidden, "d_state": self.d_state, "tape": None} | changes
        tape = arguments.pop("tape") or self.tape()
        return bptt(self.cell, self.parameters, tape, **arguments)

    def variables(self):
        """What the loss depends on: the five parameters (inner may be None), x and the parts of the state."""
        return [*self.parameters, self.x, *self.state]

    def loss(self, variables):
        *parameters, x = variables[:6]
        run = unroll(self.cell, Parameters(*parameters), x, tuple(variables[6:]), self.mask)
        ends = sum((part * d).sum() for part, d in zip(run.state, self.d_state, strict=True))
        return (run.hidden * self.d_hidden).sum() + ends

    def loss_of_one(self, number):
        """The loss as a function of one variable. All are given its dtype, since they must have one."""
        rest = self.variables()

        def loss(array):
            turned = [None if v is None else v.astype(array.dtype) for v in rest]
            return self.loss([*turned[:number], array, *turned[number + 1 :]])

        return loss


def flat(gradients):
    """In the order of `Problem.variables`."""
    return [*gradients.parameters, gradients.x, *gradients.state]


def close(one, two, atol=1e-13):
    for a, b in zip(flat(one), flat(two), strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a, b, atol=atol)


def equal(one, two):
    close(one, two, atol=0)


def added(*gradients):
    """The sum of gradients of equal shapes; where x is (B, t, D), its pieces one after the other."""
    parameters = (None if a[0] is None else sum(a) for a in zip(*(g.parameters for g in gradients), strict=True))
    x = np.concatenate([g.x for g in gradients], axis=1)
    return rnncourse.unroll.Gradients(Parameters(*parameters), x, gradients[0].state)


# ---------------------------------------------------------------- two ways to differentiate


@masked_or_not
@each
@pytest.mark.parametrize(
    ("differentiate", "tolerance"), [(complex_step, 1e-12), (finite_differences, 1e-7)], ids=["complex", "finite"]
)
def test_every_gradient_is_the_derivative_of_the_loss(cell, masked, differentiate, tolerance):
    problem = Problem(cell, masked)
    for number, (variable, got) in enumerate(zip(problem.variables(), flat(problem.gradients()), strict=True)):
        assert (got is None) == (variable is None)
        if variable is not None:
            want = differentiate(problem.loss_of_one(number), variable)
            assert np.abs(want).max() > 0
            assert relative_error(got, want) < tolerance, f"variable {number}"


@each
def test_a_loss_of_one_hidden_state_needs_no_gradient_of_the_last_state(cell):
    problem = Problem(cell)
    problem.d_hidden[:] = 0
    problem.d_hidden[1, 2] = 1
    problem.d_state = tuple(np.zeros_like(part) for part in problem.d_state)
    got = problem.gradients(d_state=None)
    equal(got, problem.gradients())
    want = complex_step(problem.loss_of_one(5), problem.x)
    assert relative_error(got.x, want) < 1e-12
    assert not got.x[0].any()  # another example
    assert not got.x[1, 3:].any()  # later inputs
    assert got.x[1, :3].any()


@each
def test_gradients_are_linear_in_those_that_come_in(cell):
    problem = Problem(cell, masked=True)
    only_hidden = problem.gradients(d_state=None)
    only_state = problem.gradients(d_hidden=np.zeros_like(problem.d_hidden))
    twice = problem.gradients(d_hidden=2 * problem.d_hidden)
    for both, one, two in zip(flat(twice), flat(only_hidden), flat(only_state), strict=True):
        if both is not None:
            np.testing.assert_allclose(both, 2 * one + two, atol=1e-13)


# ---------------------------------------------------------------- PyTorch


@pytest.mark.parametrize(("B", "T", "D", "H"), [(4, 7, 3, 5), (1, 1, 1, 1), (1, 6, 2, 3), (3, 1, 2, 4)])
@pytest.mark.parametrize("packed", [False, True], ids=["whole", "packed"])
@pytest.mark.parametrize("cell", TORCH_CELLS, ids=str)
def test_pytorch_gives_the_same_outputs_and_gradients(cell, packed, B, T, D, H):
    problem = Problem(cell, B=B, T=T, D=D, H=H)
    lengths = np.maximum(T - 2 * np.arange(B), 1)
    if packed:
        problem.mask = np.arange(T) < lengths[:, None]
        problem.d_hidden *= problem.mask[:, :, None]  # what PyTorch puts out at padding is a constant 0
    run = unroll(cell, problem.parameters, problem.x, problem.state, problem.mask)
    gradients = problem.gradients()

    module = convert.to_torch(cell, problem.parameters)
    x = torch.tensor(problem.x, requires_grad=True)
    state = [torch.tensor(part[None], requires_grad=True) for part in problem.state]
    sequences = pack_padded_sequence(x, torch.tensor(lengths), batch_first=True) if packed else x
    hidden, last = module(sequences, tuple(state) if len(state) == 2 else state[0])
    hidden = pad_packed_sequence(hidden, batch_first=True)[0] if packed else hidden
    last = last if len(state) == 2 else (last,)
    ends = sum((part * torch.tensor(d)).sum() for part, d in zip(last, problem.d_state, strict=True))
    ((hidden * torch.tensor(problem.d_hidden)).sum() + ends).backward()

    ours = run.hidden if problem.mask is None else run.hidden * problem.mask[:, :, None]
    got = [ours, *run.state, *gradients.parameters[:4], gradients.x, *gradients.state]
    want = [hidden.detach(), *(part[0].detach() for part in last), *(p.grad.t() for p in module.parameters()), x.grad]
    want += [part.grad[0] for part in state]
    assert gradients.parameters.inner is None
    for one, two in zip(got, want, strict=True):
        assert one.shape == two.shape
        assert relative_error(one, two.numpy()) < 1e-12


@pytest.mark.parametrize("truncation", [1, 2, 3, 6])
@pytest.mark.parametrize("cell", TORCH_CELLS, ids=str)
def test_truncation_is_pytorchs_detach(cell, truncation):
    problem = Problem(cell, T=6)
    got = problem.gradients(truncation=truncation)
    module = convert.to_torch(cell, problem.parameters)
    x = torch.tensor(problem.x, requires_grad=True)
    first = [torch.tensor(part[None], requires_grad=True) for part in problem.state]
    state, loss = first, 0.0
    for start in range(0, 6, truncation):
        piece = slice(start, start + truncation)
        hidden, last = module(x[:, piece], tuple(state) if len(state) == 2 else state[0])
        loss = loss + (hidden * torch.tensor(problem.d_hidden[:, piece])).sum()
        last = last if len(first) == 2 else (last,)
        state = [part.detach() for part in last]
    loss = loss + sum((part * torch.tensor(d)).sum() for part, d in zip(last, problem.d_state, strict=True))
    loss.backward()
    want = [*(p.grad.t() for p in module.parameters()), x.grad, *(part.grad[0] for part in first)]
    for one, two in zip([*got.parameters[:4], got.x, *got.state], want, strict=True):
        assert relative_error(one, two.numpy()) < 1e-12


# ---------------------------------------------------------------- truncation, for every cell


@masked_or_not
@pytest.mark.parametrize("truncation", [1, 2, 3, 4])
@each
def test_truncation_is_the_sum_over_pieces(cell, masked, truncation):
    problem = Problem(cell, masked)
    state, pieces = problem.state, []
    for start in range(0, 5, truncation):
        steps = slice(start, start + truncation)
        mask = None if problem.mask is None else problem.mask[:, steps]
        run = unroll(cell, problem.parameters, problem.x[:, steps], state, mask)
        d_state = problem.d_state if start + truncation >= 5 else None
        pieces.append(bptt(cell, problem.parameters, run.tape, problem.d_hidden[:, steps], d_state))
        state = run.state
    close(problem.gradients(truncation=truncation), added(*pieces))


@masked_or_not
@each
def test_truncation_of_the_whole_length_or_more_changes_nothing_and_less_does(cell, masked):
    problem = Problem(cell, masked)
    whole = problem.gradients()
    for truncation in (5, 6, 1000):
        equal(problem.gradients(truncation=truncation), whole)
    assert np.abs(problem.gradients(truncation=4).x - whole.x).max() > 1e-6


@pytest.mark.parametrize("block", [1, 20, 40])
@pytest.mark.parametrize("truncation", [None, 2])
@each
def test_the_size_of_the_blocks_makes_no_difference(cell, block, truncation, monkeypatch):
    problem = Problem(cell, masked=True, T=7)
    whole = problem.gradients(truncation=truncation)
    monkeypatch.setattr(rnncourse.unroll, "BLOCK", block)
    close(problem.gradients(truncation=truncation), whole)


# ---------------------------------------------------------------- padding, edges, dtypes


@each
def test_padding_gets_no_gradient_and_passes_the_gradient_on(cell):
    problem = Problem(cell)
    problem.mask = np.array([[True, False, True, False, False], [False] * 5])
    got = problem.gradients()
    assert not got.x[~problem.mask].any()
    assert got.x[problem.mask].all()
    at_start = problem.d_hidden[1].sum(axis=0) + problem.d_state[0][1]  # nothing but padding: h stayed what it was
    np.testing.assert_allclose(got.state[0][1], at_start, atol=1e-14)
    for part, d in zip(got.state[1:], problem.d_state[1:], strict=True):
        np.testing.assert_allclose(part[1], d[1], atol=1e-14)


@each
def test_garbage_at_padding_reaches_no_gradient(cell):
    problem = Problem(cell, masked=True)
    clean = problem.gradients()
    problem.x[~problem.mask] = np.nan
    equal(problem.gradients(), clean)


@each
def test_a_mask_of_true_is_no_mask(cell):
    problem = Problem(cell)
    whole = problem.gradients()
    problem.mask = np.ones(problem.x.shape[:2], dtype=bool)
    equal(problem.gradients(), whole)


@masked_or_not
@pytest.mark.parametrize(("B", "T"), [(0, 3), (2, 0), (0, 0), (1, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@each
def test_shapes_and_dtypes_are_those_of_the_variables_also_of_nothing(cell, masked, B, T, dtype):
    problem = Problem(cell, masked, B=B, T=T, dtype=dtype)
    got = problem.gradients()
    for variable, gradient in zip(problem.variables(), flat(got), strict=True):
        if variable is not None:
            assert (gradient.shape, gradient.dtype) == (variable.shape, dtype)
    if B * T == 0:
        assert not any(part.any() for part in got.parameters if part is not None)
        for part, d in zip(got.state, problem.d_state, strict=True):
            np.testing.assert_array_equal(part, d)


@masked_or_not
@each
def test_float32_is_near_float64(cell, masked):
    exact, rounded = Problem(cell, masked, T=20), Problem(cell, masked, T=20, dtype=np.float32)
    for one, two in zip(flat(rounded.gradients()), flat(exact.gradients()), strict=True):
        if one is not None:
            assert relative_error(one, two) < 1e-5


@each
def test_a_permuted_batch_gives_the_same_gradients_permuted(cell):
    problem, order = Problem(cell, masked=True, B=3), [2, 0, 1]
    plain = problem.gradients()
    for name in ("x", "mask", "d_hidden"):
        setattr(problem, name, getattr(problem, name)[order])
    problem.state, problem.d_state = (tuple(p[order] for p in s) for s in (problem.state, problem.d_state))
    shuffled = problem.gradients()
    close(shuffled, plain._replace(x=plain.x[order], state=tuple(part[order] for part in plain.state)))


# ---------------------------------------------------------------- what it leaves alone


@masked_or_not
@each
def test_two_calls_on_one_tape_give_the_same_and_change_nothing(cell, masked):
    problem = Problem(cell, masked)
    tape = problem.tape()
    given = [*(p for p in problem.parameters if p is not None), problem.d_hidden, *problem.d_state]
    given += [tape.x, *tape.states, tape.kept, *([] if tape.mask is None else [tape.mask])]
    before = [array.copy() for array in given]
    for array in given:
        array.setflags(write=False)
    once = problem.gradients(tape=tape)
    equal(problem.gradients(tape=tape), once)
    for array, copy in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, copy)


@each
def test_gradients_share_no_memory_with_anything(cell):
    for T in (0, 1, 3):
        problem = Problem(cell, B=1, T=T)
        tape = problem.tape()
        arrays = [a for a in flat(problem.gradients(tape=tape)) if a is not None]
        given = [*(v for v in problem.variables() if v is not None), problem.d_hidden, *problem.d_state]
        given += [tape.x, *tape.states, tape.kept]
        for number, array in enumerate(arrays):
            assert not any(np.shares_memory(array, other) for other in [*given, *arrays[number + 1 :]])


@each
def test_strided_gradients_come_in(cell):
    problem = Problem(cell)
    wide = np.repeat(problem.d_hidden, 2, axis=1)[:, ::2]
    turned = tuple(np.asfortranarray(part) for part in problem.d_state)
    assert not wide.flags.c_contiguous
    close(problem.gradients(d_hidden=wide, d_state=turned), problem.gradients())
    everywhere = np.broadcast_to(np.float64(1), problem.d_hidden.shape)  # read-only, no strides at all
    close(problem.gradients(d_hidden=everywhere), problem.gradients(d_hidden=everywhere.copy()))


# ---------------------------------------------------------------- what it refuses


def with_nan(array):
    array = array.copy()
    array.flat[-1] = np.nan
    return array


def swap_last(problem, change):
    return (*problem.d_state[:-1], change(problem.d_state[-1]))


BAD = {
    "d_hidden time first": (lambda p: {"d_hidden": p.d_hidden.swapaxes(0, 1)}, ValueError, r"got \(5, 2, 3\)"),
    "d_hidden of the last step": (lambda p: {"d_hidden": p.d_hidden[:, -1]}, ValueError, "d_hidden must have shape"),
    "d_hidden a step short": (lambda p: {"d_hidden": p.d_hidden[:, 1:]}, ValueError, "d_hidden must have shape"),
    "d_hidden a list": (lambda p: {"d_hidden": p.d_hidden.tolist()}, TypeError, "d_hidden must be .* got list"),
    "d_hidden masked": (lambda p: {"d_hidden": np.ma.array(p.d_hidden)}, TypeError, "d_hidden .* got MaskedArray"),
    "d_hidden a number": (lambda p: {"d_hidden": 1.0}, TypeError, "d_hidden must be a NumPy array.* got float"),
    "d_hidden integers": (lambda p: {"d_hidden": np.ones((2, 5, 3), int)}, TypeError, "d_hidden must be of a floating"),
    "d_hidden float32": (lambda p: {"d_hidden": np.float32(p.d_hidden)}, TypeError, "d_hidden .* float64, got float32"),
    "d_hidden with NaN": (lambda p: {"d_hidden": with_nan(p.d_hidden)}, ValueError, r"but d_hidden\[1, 4, 2\] is nan"),
    "d_state an array": (lambda p: {"d_state": p.d_state[0]}, TypeError, "d_state must be a tuple of .* got ndarray"),
    "d_state a list": (lambda p: {"d_state": list(p.d_state)}, TypeError, "d_state must be a tuple of .* got list"),
    "d_state of too many": (lambda p: {"d_state": (*p.d_state, p.d_state[0])}, TypeError, "d_state must be a tuple of"),
    "d_state of too few": (lambda p: {"d_state": p.d_state[1:]}, TypeError, "d_state must be a tuple of"),
    "d_state too small": (lambda p: {"d_state": swap_last(p, lambda a: a[:1])}, ValueError, "d_state.* must have"),
    "d_state with NaN": (lambda p: {"d_state": swap_last(p, with_nan)}, ValueError, "must be finite"),
    "truncation 0": (lambda p: {"truncation": 0}, ValueError, "at least 1 step, in whole steps, got 0"),
    "truncation 1.5": (lambda p: {"truncation": 1.5}, ValueError, "in whole steps, got 1.5"),
    "truncation -1": (lambda p: {"truncation": -1}, ValueError, "at least 1 step, in whole steps, got -1"),
    "the result for the tape": (lambda p: {"tape": unroll(p.cell, p.parameters, p.x)}, TypeError, "tape must be"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
@each
def test_bad_input_is_refused_by_name(cell, name):
    change, error, words = BAD[name]
    problem = Problem(cell)
    with pytest.raises(error, match=words):
        problem.gradients(**change(problem))


@each
def test_the_tape_of_another_cell_is_refused(cell):
    problem = Problem(cell)
    for other in CELLS:
        if other != cell:
            with pytest.raises(ValueError, match="the tape is that of") as caught:
                bptt(cell, problem.parameters, Problem(other).tape(), problem.d_hidden)
            assert str(cell) in str(caught.value)
            assert str(other) in str(caught.value)


@pytest.mark.parametrize(("sizes", "name"), [({"D": 3}, "U"), ({"H": 4}, "W"), ({"D": 3, "H": 2}, "W")])
@each
def test_parameters_of_another_size_than_the_tapes_are_refused(cell, sizes, name):
    problem, other = Problem(cell), Problem(cell, **sizes)
    with pytest.raises(ValueError, match=f"^{name} must have shape"):
        bptt(cell, other.parameters, problem.tape(), problem.d_hidden)


@each
def test_parameters_of_another_type_than_the_tapes_are_refused(cell):
    problem = Problem(cell)
    tape = problem.tape()
    with pytest.raises(TypeError, match=r"parameters must be rnncourse.unroll.Parameters, got tuple"):
        bptt(cell, tuple(problem.parameters), tape, problem.d_hidden)
    with pytest.raises(TypeError, match=r"must have the dtype of x, float64, got float32"):
        bptt(cell, Problem(cell, dtype=np.float32).parameters, tape, problem.d_hidden)
    with pytest.raises(ValueError, match="W must be finite"):
        bptt(cell, problem.parameters._replace(W=with_nan(problem.parameters.W)), tape, problem.d_hidden)
