"""Activations, each with its slope written in terms of its own value: the backward pass never needs z again."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Activation(NamedTuple):
    """``value(z, out=None)`` is y = f(z); ``slope(y)`` is f'(z), computed from y. Any shape, any floating dtype."""

    value: Callable[..., np.ndarray]
    slope: Callable[[np.ndarray], np.ndarray]


def sigmoid(z: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """1 / (1 + e^-z), as ½ + ½ tanh(z / 2): this form cannot overflow, and NumPy's tanh is fast."""
    y = np.multiply(z, 0.5, out=out)
    np.tanh(y, out=y)
    y *= 0.5
    y += 0.5
    return y


def hard_sigmoid(z: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """z / 6 + ½, cut off at 0 and 1: no exponential, so it suits small devices (PyTorch's and Keras's form)."""
    y = np.multiply(z, 1 / 6, out=out)
    y += 0.5
    return np.clip(y, 0, 1, out=y)


def _relu(z, out=None):
    return np.maximum(z, 0, out=out)


def _linear(z, out=None):
    return np.positive(z, out=out)


def _tanh_slope(y):
    squares = y * y
    return np.subtract(1, squares, out=squares)  # one new array, not two


TANH = Activation(np.tanh, _tanh_slope)
RELU = Activation(_relu, lambda y: (y > 0).astype(y.dtype))
LINEAR = Activation(_linear, np.ones_like)
SIGMOID = Activation(sigmoid, lambda y: y * (1 - y))
HARD_SIGMOID = Activation(hard_sigmoid, lambda y: ((y > 0) & (y < 1)).astype(y.dtype) / 6)
