"""The LSTMs, one number at a time: one unit of one example after the other."""

import math

import numpy as np
import pytest

from rnncourse.cells import CoupledLSTMCell, LSTMCell, PeepholeLSTMCell

GATES = {"sigmoid": lambda z: 1 / (1 + math.exp(-z)), "hard_sigmoid": lambda z: min(1.0, max(0.0, z / 6 + 0.5))}


def lstm(gate, z, c, p):
    i, f, g, o = gate(z[0]), gate(z[1]), math.tanh(z[2]), gate(z[3])
    new = f * c + i * g
    return o * math.tanh(new), new


def peephole(gate, z, c, p):
    i, f, g = gate(z[0] + p[0] * c), gate(z[1] + p[1] * c), math.tanh(z[2])
    new = f * c + i * g
    return gate(z[3] + p[2] * new) * math.tanh(new), new


def coupled(gate, z, c, p):
    f, g, o = gate(z[0]), math.tanh(z[1]), gate(z[2])
    new = f * c + (1 - f) * g
    return o * math.tanh(new), new


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("B", "H"), [(1, 1), (3, 4), (0, 2)])
@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize(
    ("kind", "definition"), [(LSTMCell, lstm), (PeepholeLSTMCell, peephole), (CoupledLSTMCell, coupled)]
)
def test_a_step_is_the_definition(kind, definition, gate, B, H, dtype):
    cell, rng = kind(gate), np.random.default_rng(B + H)
    z = (3 * rng.normal(size=(cell.gates, B, H))).astype(dtype)  # some hard gates are cut off
    h, c = rng.normal(size=(2, B, H)).astype(dtype)
    inner = rng.normal(size=(3, H)).astype(dtype)
    got = cell.step(z, (h, c), inner if cell.inner_shape(H) else None)
    want = np.zeros((2, B, H))
    for n, j in np.ndindex(B, H):
        want[:, n, j] = definition(GATES[gate], z[:, n, j].tolist(), float(c[n, j]), inner[:, j].astype(float))
    assert [part.dtype for part in got] == [dtype, dtype]
    np.testing.assert_allclose(np.reshape(got, (2, B, H)), want, atol=1e-6 if dtype == np.float32 else 1e-14)


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize(
    ("f", "i", "want"), [(1, 0, "the old c"), (0, 1, "the candidate"), (1, 1, "both"), (0, 0, "nothing")]
)
def test_open_and_closed_gates(gate, f, i, want):
    c, g, wide = np.array([[0.7]]), math.tanh(0.4), 100.0
    z = np.array([(2 * i - 1) * wide, (2 * f - 1) * wide, 0.4, wide]).reshape(4, 1, 1)
    h_new, c_new = LSTMCell(gate).step(z, (np.zeros_like(c), c))
    known = {"the old c": 0.7, "the candidate": g, "both": 0.7 + g, "nothing": 0.0}[want]
    assert c_new[0, 0] == pytest.approx(known, abs=1e-15)
    assert h_new[0, 0] == pytest.approx(math.tanh(known), abs=1e-15)


def test_a_closed_output_gate_hides_the_cell():
    z = np.array([100.0, 100.0, 1.0, -100.0]).reshape(4, 1, 1)
    h_new, c_new = LSTMCell().step(z, (np.zeros((1, 1)), np.ones((1, 1))))
    assert h_new[0, 0] == pytest.approx(0, abs=1e-40)
    assert c_new[0, 0] == pytest.approx(1 + math.tanh(1))


def test_peepholes_of_zero_are_none():
    z = np.random.default_rng(0).normal(size=(4, 2, 3))
    state = tuple(np.random.default_rng(1).normal(size=(2, 2, 3)))
    for got, want in zip(PeepholeLSTMCell().step(z, state, np.zeros((3, 3))), LSTMCell().step(z, state), strict=True):
        np.testing.assert_allclose(got, want, atol=1e-15)


def test_a_coupled_cell_is_an_lstm_whose_input_gate_is_the_rest_of_the_forget_gate():
    z = np.random.default_rng(0).normal(size=(3, 2, 3))
    state = tuple(np.random.default_rng(1).normal(size=(2, 2, 3)))
    four = np.concatenate([-z[:1], z])  # 1 - sigmoid(a) = sigmoid(-a)
    for got, want in zip(CoupledLSTMCell().step(z, state), LSTMCell().step(four, state), strict=True):
        np.testing.assert_allclose(got, want, atol=1e-15)


@pytest.mark.parametrize("kind", [LSTMCell, PeepholeLSTMCell, CoupledLSTMCell])
@pytest.mark.parametrize("name", ["tanh", "", "Sigmoid", None])
def test_an_unknown_gate_is_refused(kind, name):
    with pytest.raises(ValueError, match=f"gate must be one of 'sigmoid', 'hard_sigmoid', got {name!r}"):
        kind(name)
