"""The three cells as tutorials write them: a product for every gate, every step and every weight's gradient.

Nothing here is clever, that is the point: it is what the package's way of taking products together is compared with.
"""

from typing import NamedTuple

import numpy as np

from rnncourse.unroll import Parameters


class Gate(NamedTuple):
    """What one gate needs of `Parameters`."""

    U: np.ndarray  # (D, H)
    W: np.ndarray  # (H, H)
    b_x: np.ndarray  # (H,)
    b_h: np.ndarray  # (H,)


def split(parameters: Parameters, gates: int) -> list[Gate]:
    parts = (np.split(array, gates, axis=-1) for array in parameters[:4])
    return [Gate(*map(np.ascontiguousarray, gate)) for gate in zip(*parts, strict=True)]


def join(gates: list[Gate]) -> Parameters:
    return Parameters(*(np.concatenate(parts, axis=-1) for parts in zip(*gates, strict=True)))


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def affine(gate, x, h):
    return x @ gate.U + gate.b_x + h @ gate.W + gate.b_h


class RNN:
    @staticmethod
    def step(gates, x, state):
        """x (B, D), the old state -> the new state, and what the way back needs."""
        (h,) = state
        new = np.tanh(affine(gates[0], x, h))
        return (new,), new

    @staticmethod
    def step_backward(kept, old, d_state):
        """-> for each gate the gradients of x U + b_x and of h W + b_h, and of the old state past all products."""
        (d_h,) = d_state
        d = d_h * (1 - kept * kept)
        return [(d, d)], (np.zeros_like(d_h),)


class GRU:
    @staticmethod
    def step(gates, x, state):
        (h,) = state
        r, z = (sigmoid(affine(gate, x, h)) for gate in gates[:2])
        from_h = h @ gates[2].W + gates[2].b_h
        n = np.tanh(x @ gates[2].U + gates[2].b_x + r * from_h)
        return ((1 - z) * n + z * h,), (r, z, n, from_h)

    @staticmethod
    def step_backward(kept, old, d_state):
        r, z, n, from_h = kept
        (d_h,), (h,) = d_state, old
        d_n = d_h * (1 - z) * (1 - n * n)
        d_z = d_h * (h - n) * z * (1 - z)
        d_r = d_n * from_h * r * (1 - r)
        return [(d_r, d_r), (d_z, d_z), (d_n, d_n * r)], (d_h * z,)


class LSTM:
    @staticmethod
    def step(gates, x, state):
        h, c = state
        i, f, o = (sigmoid(affine(gates[k], x, h)) for k in (0, 1, 3))
        g = np.tanh(affine(gates[2], x, h))
        new = f * c + i * g
        tanh_c = np.tanh(new)
        return (o * tanh_c, new), (i, f, g, o, tanh_c)

    @staticmethod
    def step_backward(kept, old, d_state):
        i, f, g, o, tanh_c = kept
        (d_h, d_c), (_, c) = d_state, old
        d_c = d_c + d_h * o * (1 - tanh_c * tanh_c)
        d_i = d_c * g * i * (1 - i)
        d_f = d_c * c * f * (1 - f)
        d_g = d_c * i * (1 - g * g)
        d_o = d_h * tanh_c * o * (1 - o)
        return [(d, d) for d in (d_i, d_f, d_g, d_o)], (np.zeros_like(d_h), d_c * f)


def forward(cell, gates: list[Gate], x: np.ndarray, parts: int) -> tuple[np.ndarray, list]:
    """x (B, T, D) -> all hidden states (B, T, H), and the tape; the state has that many parts and starts at zero."""
    state = tuple(np.zeros((len(x), len(gates[0].W)), x.dtype) for _ in range(parts))
    hidden, tape = [], []
    for t in range(x.shape[1]):
        new, kept = cell.step(gates, x[:, t], state)
        tape.append((x[:, t], state, kept))
        hidden.append(new[0])
        state = new
    return np.stack(hidden, axis=1), tape


def backward(cell, gates: list[Gate], tape: list, d_hidden: np.ndarray) -> tuple[list[Gate], np.ndarray]:
    """d_hidden (B, T, H) -> the gradients of the gates' weights and of x (B, T, D)."""
    gradients = [Gate(*map(np.zeros_like, gate)) for gate in gates]
    d_state = tuple(np.zeros_like(part) for part in tape[0][1])
    d_inputs = []
    for t in reversed(range(len(tape))):
        x, old, kept = tape[t]
        d_sums, d_old = cell.step_backward(kept, old, (d_state[0] + d_hidden[:, t], *d_state[1:]))
        d_x, d_h = np.zeros_like(x), d_old[0]
        for gate, gradient, (of_x, of_h) in zip(gates, gradients, d_sums, strict=True):
            gradient.U[:] += x.T @ of_x
            gradient.W[:] += old[0].T @ of_h
            gradient.b_x[:] += of_x.sum(axis=0)
            gradient.b_h[:] += of_h.sum(axis=0)
            d_x += of_x @ gate.U.T
            d_h = d_h + of_h @ gate.W.T
        d_state = (d_h, *d_old[1:])
        d_inputs.append(d_x)
    return gradients, np.stack(d_inputs[::-1], axis=1)
