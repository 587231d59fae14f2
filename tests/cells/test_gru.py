"""The GRUs, one number at a time: one unit of one example after the other."""

import math

import numpy as np
import pytest

from rnncourse.cells import GRUCell, ResetBeforeGRUCell


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


def reset_after(z_x, z_h, h, j, inner):
    r, z = (sigmoid(z_x[k][j] + z_h[k][j]) for k in (0, 1))
    n = math.tanh(z_x[2][j] + r * z_h[2][j])
    return (1 - z) * n + z * h[j]


def reset_before(z_x, z_h, h, j, inner):
    z = sigmoid(z_x[1][j] + z_h[1][j])
    r = [sigmoid(a + b) for a, b in zip(z_x[0], z_h[0], strict=True)]
    n = math.tanh(z_x[2][j] + sum(r[k] * h[k] * inner[k][j] for k in range(len(h))))
    return (1 - z) * n + z * h[j]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("B", "H"), [(1, 1), (3, 4), (0, 2)])
@pytest.mark.parametrize(("cell", "definition"), [(GRUCell(), reset_after), (ResetBeforeGRUCell(), reset_before)])
def test_a_step_is_the_definition(cell, definition, B, H, dtype):
    rng = np.random.default_rng(B + H)
    z_x = rng.normal(size=(3, B, H)).astype(dtype)
    z_h = rng.normal(size=(cell.state_gates, B, H)).astype(dtype)
    h, inner = rng.normal(size=(B, H)).astype(dtype), rng.normal(size=(H, H)).astype(dtype)
    (got,) = cell.step((z_x, z_h), (h,), inner if cell.inner_shape(H) else None)
    want = np.zeros((B, H))
    for n, j in np.ndindex(B, H):
        row = (a.astype(float).tolist() for a in (z_x[:, n], z_h[:, n], h[n]))
        want[n, j] = definition(*row, j, inner.astype(float))
    assert got.dtype == dtype
    np.testing.assert_allclose(got, want, atol=1e-6 if dtype == np.float32 else 1e-14)


def test_an_update_gate_of_one_keeps_the_state_and_one_of_zero_takes_the_candidate():
    h, wide = np.array([[0.7]]), 100.0
    for gate, want in ((wide, 0.7), (-wide, math.tanh(0.4))):
        z = np.array([0.0, gate, 0.4]).reshape(3, 1, 1)
        (new,) = GRUCell().step((z, np.zeros_like(z)), (h,))
        assert new[0, 0] == pytest.approx(want, abs=1e-15)


@pytest.mark.parametrize(("r", "want"), [(100.0, math.tanh(0.4 + 0.3)), (-100.0, math.tanh(0.4))])
def test_the_reset_gate_lets_the_state_into_the_candidate_or_not(r, want):
    z_x = np.array([r, -100.0, 0.4]).reshape(3, 1, 1)
    (after,) = GRUCell().step((z_x, np.array([0.0, 0.0, 0.3]).reshape(3, 1, 1)), (np.array([[0.6]]),))
    (before,) = ResetBeforeGRUCell().step((z_x, np.zeros((2, 1, 1))), (np.array([[0.6]]),), np.array([[0.5]]))
    assert after[0, 0] == pytest.approx(want, abs=1e-14)
    assert before[0, 0] == pytest.approx(want, abs=1e-14)
