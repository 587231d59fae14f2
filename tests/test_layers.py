"""Stacks and both directions against a slow definition, against two ways to differentiate and against PyTorch."""

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from rnncourse import convert
from rnncourse.cells import CoupledLSTMCell, GRUCell, LSTMCell, PeepholeLSTMCell, ResetBeforeGRUCell, RNNCell
from rnncourse.gradcheck import complex_step, finite_differences, relative_error
from rnncourse.layers import bptt_layers, init_layers, unroll_layers
from rnncourse.unroll import Parameters, bptt, unroll

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
TORCH_CELLS = [RNNCell("tanh"), RNNCell("relu"), LSTMCell(), GRUCell()]
each = pytest.mark.parametrize("cell", CELLS, ids=str)
directions = pytest.mark.parametrize("both", [False, True], ids=["one direction", "both directions"])
depths = pytest.mark.parametrize("depth", [1, 2, 3])


class Problem:
    """A network, inputs, initial states, and the gradients of a loss that reads every state."""

    def __init__(self, cell, depth=2, both=True, B=2, T=4, D=2, H=3, dtype=np.float64):
        rng = np.random.default_rng(0)
        self.cell, self.layers = cell, init_layers(cell, D, H, depth, rng, both, dtype)
        self.x = rng.normal(size=(B, T, D)).astype(dtype)
        self.states, self.d_states = ([self.layer_states(rng, B, H, both) for _ in range(depth)] for _ in range(2))
        self.d_hidden = rng.normal(size=(B, T, 2 * H if both else H)).astype(dtype)
        self.mask, self.dropout = None, 0.0

    def layer_states(self, rng, B, H, both):
        def one():
            return tuple(rng.normal(size=(B, H)).astype(self.x.dtype) for _ in range(self.cell.state_parts))

        return (one(), one()) if both else (one(),)

    def run(self, layers=None, x=None, states=None):
        rng = np.random.default_rng(7) if self.dropout else None
        given = (layers or self.layers, self.x if x is None else x, states or self.states)
        return unroll_layers(self.cell, *given, self.mask, self.dropout, rng)

    def gradients(self, **changes):
        given = {"tape": self.run().tape, "d_hidden": self.d_hidden, "d_states": self.d_states} | changes
        return bptt_layers(self.cell, self.layers, **given)

    def variables(self):
        """Everything that the loss depends on, in the order of `flat`; inner may be None."""
        return [*leaves(self.layers), self.x, *leaves(self.states)]

    def loss(self, variables):
        """The same loss as `gradients`, of variables in that order."""
        left = iter(variables)
        layers = [tuple(Parameters(*(next(left) for _ in p)) for p in layer) for layer in self.layers]
        x = next(left)
        states = [tuple(tuple(next(left) for _ in state) for state in layer) for layer in self.states]
        run = self.run(layers, x, states)
        ends = zip(leaves(run.states), leaves(self.d_states), strict=True)
        return (run.hidden * self.d_hidden).sum() + sum((part * d).sum() for part, d in ends)

    def loss_along(self, number, direction):
        """The loss as a function of one number: how far one variable has moved in a direction."""

        def loss(far):
            turned = [None if v is None else v.astype(far.dtype) for v in self.variables()]
            turned[number] = turned[number] + far[0] * direction
            return self.loss(turned)

        return loss


def leaves(nested):
    """The arrays of layers or states: layer by layer, direction by direction."""
    return [array for layer in nested for part in layer for array in part]


def flat(gradients):
    return [*leaves(gradients.layers), gradients.x, *leaves(gradients.states)]


def close(one, two, atol=1e-13):
    for a, b in zip(one, two, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a, b, atol=atol)


def equal(one, two):
    close(one, two, atol=0)


def random_mask(shape):
    return np.random.default_rng(1).random(shape) < 0.6


# ---------------------------------------------------------------- what it computes


def slow(cell, layers, x, states, mask):
    """Each example without its padding, each direction one sequence that is turned by hand."""
    B, T, _ = x.shape
    last = [tuple(tuple(part.copy() for part in state) for state in layer) for layer in states]
    for number, (layer, initial) in enumerate(zip(layers, states, strict=True)):
        columns = []
        for direction, parameters in enumerate(layer):
            H = parameters.W.shape[0]
            hidden = np.zeros((B, T, H))
            for n in range(B):
                order = range(T)[::-1] if direction else range(T)
                state = tuple(part[n : n + 1] for part in initial[direction])
                for t in order:
                    if mask[n, t]:
                        state = unroll(cell, parameters, x[n : n + 1, t : t + 1], state).state
                    hidden[n, t] = state[0][0]
                for part, end in zip(last[number][direction], state, strict=True):
                    part[n] = end[0]
            columns.append(hidden)
        x = np.concatenate(columns, axis=2)
    return x, last


@directions
@depths
@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@each
def test_it_is_the_loop_over_layers_directions_examples_and_steps(cell, masked, depth, both):
    problem = Problem(cell, depth, both)
    mask = random_mask(problem.x.shape[:2]) if masked else np.ones(problem.x.shape[:2], dtype=bool)
    problem.mask = mask if masked else None
    got = problem.run()
    hidden, last = slow(cell, problem.layers, problem.x, problem.states, mask)
    close([got.hidden, *leaves(got.states)], [hidden, *leaves(last)])


@each
def test_one_layer_that_reads_from_the_left_is_unroll(cell):
    problem = Problem(cell, depth=1, both=False)
    problem.mask = random_mask(problem.x.shape[:2])
    run, back = problem.run(), problem.gradients(truncation=2)
    parameters, state, d_state = problem.layers[0][0], problem.states[0][0], problem.d_states[0][0]
    want = unroll(cell, parameters, problem.x, state, problem.mask)
    equal([run.hidden, *leaves(run.states)], [want.hidden, *want.state])
    want = bptt(cell, parameters, want.tape, problem.d_hidden, d_state, truncation=2)
    equal(flat(back), [*want.parameters, want.x, *want.state])


@each
def test_padding_moves_no_state_in_either_direction(cell):
    """Short sequences in a padded batch give what they give alone."""
    problem, length = Problem(cell, depth=2, T=6), 3
    problem.mask = np.arange(6) < np.array([[6], [length]])
    padded = problem.run()
    alone = unroll_layers(
        cell,
        problem.layers,
        problem.x[1:, :length],
        [tuple(tuple(part[1:] for part in state) for state in layer) for layer in problem.states],
    )
    np.testing.assert_allclose(padded.hidden[1:, :length], alone.hidden, atol=1e-14)
    close([part[1:] for part in leaves(padded.states)], leaves(alone.states))


@directions
@each
def test_garbage_at_padding_makes_no_difference(cell, both):
    problem = Problem(cell, both=both)
    problem.mask = random_mask(problem.x.shape[:2])
    clean, clean_back = problem.run(), problem.gradients()
    problem.x = np.where(problem.mask[:, :, None], problem.x, np.nan)
    equal([problem.run().hidden, *leaves(problem.run().states)], [clean.hidden, *leaves(clean.states)])
    equal(flat(problem.gradients()), flat(clean_back))


@each
def test_the_second_direction_is_the_first_on_the_turned_sequence(cell):
    problem = Problem(cell, depth=1)
    hidden = problem.run().hidden
    problem.layers, problem.states = ([layer[::-1] for layer in part] for part in (problem.layers, problem.states))
    turned = problem.run(x=problem.x[:, ::-1].copy()).hidden[:, ::-1]
    np.testing.assert_array_equal(hidden, np.concatenate([turned[:, :, 3:], turned[:, :, :3]], axis=2))


@directions
@each
def test_only_a_network_with_both_directions_knows_the_future(cell, both):
    problem = Problem(cell, both=both, T=5)
    problem.layers = [
        tuple(Parameters(*(p if p is None else np.abs(p) for p in a)) for a in layer) for layer in problem.layers
    ]  # no dead ReLU
    hidden, later = problem.run().hidden, problem.x.copy()
    later[:, 3:] += 1
    changed = np.abs(problem.run(x=later).hidden - hidden).max(axis=(0, 2))
    assert (changed[:3] > 0).all() if both else (changed[:3] == 0).all()
    assert (changed[3:] > 0).all()


@directions
@each
def test_no_states_are_states_of_zero(cell, both):
    problem = Problem(cell, both=both)
    zeros = [tuple(tuple(np.zeros_like(part) for part in state) for state in layer) for layer in problem.states]
    without = unroll_layers(cell, problem.layers, problem.x)
    equal([without.hidden], [problem.run(states=zeros).hidden])
    close(flat(problem.gradients(d_states=None)), flat(problem.gradients(d_states=zeros)))


@pytest.mark.parametrize(("B", "T"), [(0, 3), (2, 0), (0, 0), (1, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@directions
@each
def test_shapes_and_dtypes_also_of_nothing(cell, both, dtype, B, T):
    problem = Problem(cell, both=both, B=B, T=T, dtype=dtype)
    problem.dropout = 0.5
    run = problem.run()
    assert (run.hidden.shape, run.hidden.dtype) == ((B, T, 6 if both else 3), dtype)
    for array, like in zip(flat(problem.gradients()), problem.variables(), strict=True):
        if like is not None:
            assert (array.shape, array.dtype) == (like.shape, dtype)


# ---------------------------------------------------------------- dropout


def test_dropout_lies_between_layers_alone():
    """The identity as a network: what it puts out is what dropout left."""
    identity = Parameters(np.eye(4), np.zeros((4, 4)), np.zeros(4), np.zeros(4))
    x = np.random.default_rng(0).normal(size=(50, 40, 4))
    one, two, three = ([(identity,)] * depth for depth in (1, 2, 3))

    def left(layers, p, seed=0):
        return unroll_layers(RNNCell("linear"), layers, x, dropout=p, rng=np.random.default_rng(seed)).hidden / x

    np.testing.assert_array_equal(left(one, 0.5), 1)
    np.testing.assert_array_equal(left(two, 0.0), 1)
    for p in (0.1, 0.5):
        kept = left(two, p)
        np.testing.assert_allclose(np.unique(kept.round(9)), [0, 1 / (1 - p)], atol=1e-8)
        assert abs((kept == 0).mean() - p) < 5 * np.sqrt(p * (1 - p) / x.size)  # five standard errors
        assert abs((left(three, p) == 0).mean() - (1 - (1 - p) ** 2)) < 5 * np.sqrt(0.25 / x.size)
    same_step, same_example = left(two, 0.5)[:, 0], left(two, 0.5)[0]
    assert 0 < (same_step == same_step[:1]).mean() < 1  # another draw for every example …
    assert 0 < (same_example == same_example[:1]).mean() < 1  # … and every step
    np.testing.assert_array_equal(left(two, 0.5, seed=3), left(two, 0.5, seed=3))
    assert (left(two, 0.5, seed=3) != left(two, 0.5, seed=4)).any()


def test_without_dropout_no_random_number_is_drawn():
    problem, rng = Problem(GRUCell()), np.random.default_rng(0)
    unroll_layers(problem.cell, problem.layers, problem.x, dropout=0.0, rng=rng)
    assert rng.random() == np.random.default_rng(0).random()


# ---------------------------------------------------------------- gradients


@pytest.mark.parametrize(
    ("differentiate", "tolerance"), [(complex_step, 1e-12), (finite_differences, 1e-7)], ids=["complex", "finite"]
)
@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@directions
@each
def test_every_gradient_is_the_derivative_of_the_loss(cell, both, masked, dropout, differentiate, tolerance):
    """Along one random direction for every array: no wrong gradient is at right angles to it but by chance."""
    problem, rng = Problem(cell, both=both), np.random.default_rng(2)
    problem.mask = random_mask(problem.x.shape[:2]) if masked else None
    problem.dropout = dropout
    for number, (variable, gradient) in enumerate(zip(problem.variables(), flat(problem.gradients()), strict=True)):
        assert (gradient is None) == (variable is None)
        if variable is not None:
            direction = rng.normal(size=variable.shape)
            want = differentiate(problem.loss_along(number, direction), np.zeros(1))
            scale = np.abs(gradient * direction).sum()
            assert abs((gradient * direction).sum() - want[0]) <= tolerance * scale, f"variable {number}"


@pytest.mark.parametrize("truncation", [1, 3])
@each
def test_each_direction_is_truncated_in_its_own_order(cell, truncation):
    problem = Problem(cell, depth=1, T=5)
    got = problem.gradients(truncation=truncation)
    runs, d = problem.run().tape[0][0], problem.d_hidden
    halves = [d[:, :, :3], d[:, ::-1, 3:]]
    back = [
        bptt(cell, *given, truncation)
        for given in zip(problem.layers[0], (run.tape for run in runs), halves, problem.d_states[0], strict=True)
    ]
    want = [*back[0].parameters, *back[1].parameters, back[0].x + back[1].x[:, ::-1], *back[0].state, *back[1].state]
    close(flat(got), want)


@pytest.mark.parametrize("packed", [False, True], ids=["whole", "packed"])
@depths
@directions
@pytest.mark.parametrize("cell", TORCH_CELLS, ids=str)
def test_pytorch_gives_the_same_outputs_and_gradients(cell, both, depth, packed):
    problem = Problem(cell, depth, both, B=4, T=7, D=3, H=5)
    lengths = torch.tensor([7, 5, 4, 1])
    if packed:
        problem.mask = np.arange(7) < lengths.numpy()[:, None]
        problem.d_hidden *= problem.mask[:, :, None]  # what PyTorch puts out at padding is a constant 0
    run, gradients = problem.run(), problem.gradients()

    module = convert.to_torch(cell, problem.layers)
    x = torch.tensor(problem.x, requires_grad=True)
    parts = range(cell.state_parts)  # PyTorch: one array (layers · directions, B, H) for each part of the state
    initial, d_last = (
        [torch.tensor(np.stack([state[k] for layer in states for state in layer])) for k in parts]
        for states in (problem.states, problem.d_states)
    )
    for part in initial:
        part.requires_grad_()
    sequences = pack_padded_sequence(x, lengths, batch_first=True) if packed else x
    hidden, last = module(sequences, tuple(initial) if len(initial) == 2 else initial[0])
    hidden = pad_packed_sequence(hidden, batch_first=True)[0] if packed else hidden
    last = last if len(initial) == 2 else (last,)
    ends = sum((part * d).sum() for part, d in zip(last, d_last, strict=True))
    ((hidden * torch.tensor(problem.d_hidden)).sum() + ends).backward()

    def in_our_order(parts):
        return [part[row] for row in range(depth * (2 if both else 1)) for part in parts]

    ours = run.hidden if problem.mask is None else run.hidden * problem.mask[:, :, None]
    got = [ours, *leaves(run.states), *(a for a in flat(gradients) if a is not None)]
    want = [hidden, *in_our_order(last), *(p.grad.t() for p in module.parameters()), x.grad]
    want += in_our_order([part.grad for part in initial])
    for one, two in zip(got, want, strict=True):
        assert one.shape == two.shape
        assert relative_error(one, two.detach().numpy()) < 1e-12


# ---------------------------------------------------------------- what it leaves alone


@directions
@each
def test_nothing_that_is_given_is_changed(cell, both):
    problem = Problem(cell, both=both)
    problem.mask, problem.dropout = random_mask(problem.x.shape[:2]), 0.3
    given = [a for a in problem.variables() if a is not None] + [problem.mask, problem.d_hidden]
    given += leaves(problem.d_states)
    before = [array.copy() for array in given]
    for array in given:
        array.setflags(write=False)
    tape = problem.run().tape
    once, twice = problem.gradients(tape=tape), problem.gradients(tape=tape)
    equal(flat(once), flat(twice))
    equal(given, before)


# ---------------------------------------------------------------- what it refuses


GRU, LEFT, SEED = Problem(GRUCell()), Problem(GRUCell(), both=False), np.random.default_rng(0)
BAD = {
    "no layer": (lambda p: ([], p.x), ValueError, "at least one layer, got none"),
    "a layer without a tuple": (lambda p: ([p.layers[0][0]], p.x), ValueError, r"layers\[0\] must be a tuple of"),
    "a layer of a list": (lambda p: ([p.layers[0], list(p.layers[1])], p.x), ValueError, r"layers\[1\] .* got list"),
    "three directions": (lambda p: ([p.layers[0] * 2], p.x), ValueError, r"layers\[0\] must be a tuple of"),
    "no direction": (lambda p: ([p.layers[0], ()], p.x), ValueError, r"layers\[1\] must be a tuple of one or two"),
    "a layer of arrays": (lambda p: ([p.layers[0][0][:2]], p.x), TypeError, "parameters must be .* got ndarray"),
    "layers in the wrong order": (lambda p: (p.layers[::-1], p.x), ValueError, "U must have shape"),
    "x of rank 2": (lambda p: (p.layers, p.x[0]), ValueError, "x must have shape"),
    "x a list": (lambda p: (p.layers, p.x.tolist()), TypeError, "x must be a NumPy array"),
    "x with NaN": (lambda p: (p.layers, p.x * np.nan), ValueError, "x must be finite"),
    "states of one layer": (lambda p: (p.layers, p.x, p.states[:1]), ValueError, r"states .* \(2, 2 directions\)"),
    "states of one direction": (lambda p: (p.layers, p.x, [s[:1] for s in p.states]), ValueError, "states must hold"),
    "states without directions": (lambda p: (p.layers, p.x, [s[0] for s in p.states]), ValueError, "states must hold"),
    "states of arrays": (lambda p: (p.layers, p.x, [(s[0][0], s[1][0]) for s in p.states]), TypeError, "state must be"),
    "states of another batch": (lambda p: (p.layers, p.x[:1], p.states), ValueError, "must have shape"),
    "mask transposed": (lambda p: (p.layers, p.x, None, np.ones((4, 2), bool)), ValueError, "mask must have shape"),
    "mask a list": (lambda p: (p.layers, p.x, None, [[True] * 4] * 2), TypeError, "mask must be a Boolean"),
    "dropout 1": (lambda p: (p.layers, p.x, None, None, 1.0, SEED), ValueError, r"in \[0, 1\), got 1"),
    "dropout -0.1": (lambda p: (p.layers, p.x, None, None, -0.1, SEED), ValueError, "got -0.1"),
    "dropout NaN": (lambda p: (p.layers, p.x, None, None, np.nan, SEED), ValueError, "got nan"),
    "dropout without rng": (lambda p: (p.layers, p.x, None, None, 0.5), TypeError, "dropout needs rng"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused(name):
    make, error, words = BAD[name]
    with pytest.raises(error, match=words):
        unroll_layers(GRU.cell, *make(GRU))


BAD_BACK = {
    "d_hidden of one direction": (lambda p: {"d_hidden": p.d_hidden[:, :, :3]}, ValueError, "d_hidden must have shape"),
    "d_hidden of odd width": (lambda p: {"d_hidden": p.d_hidden[:, :, :5]}, ValueError, "d_hidden must have shape"),
    "d_hidden of rank 2": (lambda p: {"d_hidden": p.d_hidden[:, -1]}, ValueError, "d_hidden must have shape"),
    "d_hidden a list": (lambda p: {"d_hidden": p.d_hidden.tolist()}, TypeError, "d_hidden must be a NumPy array"),
    "d_hidden masked": (lambda p: {"d_hidden": np.ma.array(p.d_hidden)}, TypeError, "d_hidden .* got MaskedArray"),
    "d_hidden with NaN": (lambda p: {"d_hidden": p.d_hidden * np.nan}, ValueError, "d_hidden must be finite"),
    "d_hidden float32": (lambda p: {"d_hidden": np.float32(p.d_hidden)}, TypeError, "d_hidden .* got float32"),
    "d_states of one layer": (lambda p: {"d_states": p.d_states[:1]}, ValueError, "d_states"),
    "d_states of one direction": (lambda p: {"d_states": [s[:1] for s in p.d_states]}, ValueError, "d_states"),
    "truncation 0": (lambda p: {"truncation": 0}, ValueError, "truncation must be at least 1"),
    "the tape of one layer": (lambda p: {"tape": p.run().tape[:1]}, ValueError, r"\[2\] directions, the .* \[2, 2\]"),
    "the tape of one direction": (lambda p: {"tape": LEFT.run().tape}, ValueError, r"tape .* \[1, 1\] directions"),
    "the result for the tape": (lambda p: {"tape": p.run()}, TypeError, "tape must be .* got Stacked"),
    "the tape of another cell": (lambda p: {"tape": Problem(LSTMCell()).run().tape}, ValueError, "that of LSTMCell"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_BACK)
def test_bad_input_is_refused_on_the_way_back(name):
    change, error, words = BAD_BACK[name]
    with pytest.raises(error, match=words):
        GRU.gradients(**change(GRU))


# ---------------------------------------------------------------- initial layers


@directions
@each
def test_initial_layers_fit_on_each_other(cell, both):
    layers = init_layers(cell, 5, 4, 3, np.random.default_rng(0), both, np.float32)
    inputs = [5, 8, 8] if both else [5, 4, 4]
    assert [[p.U.shape for p in layer] for layer in layers] == [
        [(size, 4 * cell.gates)] * (2 if both else 1) for size in inputs
    ]
    drawn = [p.W.ravel()[0] for layer in layers for p in layer]
    assert len(set(drawn)) == len(drawn)  # every direction of every layer has its own numbers
    assert all(p.W.dtype == np.float32 for layer in layers for p in layer)
    again = init_layers(cell, 5, 4, 3, np.random.default_rng(0), both, np.float32)
    equal(leaves(layers), leaves(again))


@pytest.mark.parametrize(
    ("sizes", "words"), [((2, 3, 0), "at least one layer, got 0"), ((0, 3, 1), "must be positive")]
)
def test_sizes_that_are_not_positive_are_refused(sizes, words):
    with pytest.raises(ValueError, match=words):
        init_layers(GRUCell(), *sizes, np.random.default_rng(0))
