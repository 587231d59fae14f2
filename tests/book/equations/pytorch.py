"""The equations of the primer `pytorch`, number by number."""

import math

import numpy as np
import torch
from equations.tools import defined, from_book, plus, sigmoid, softmax, tanh, times

from rnncourse import losses
from rnncourse.check.pytorch import TASKS

ANSWERS = {task.name: task for task in TASKS}


def vector_jacobian():
    r"""\frac{\partial L}{\partial x} = \frac{\partial L}{\partial y} \, \frac{\partial y}{\partial x} ."""
    rng = np.random.default_rng(0)
    x, M, row = rng.normal(size=3), rng.normal(size=(3, 4)), rng.normal(size=4)
    slopes = [1 - y * y for y in tanh(times(x, M))]
    jacobian = [[slopes[j] * M[i, j] for i in range(3)] for j in range(4)]  # row j of y, column i of x
    pulled_back = from_book("pytorch", "pulled_back")
    layer = lambda x: torch.tanh(x @ torch.tensor(M))  # noqa: E731
    yield times(row, jacobian), pulled_back(layer, torch.tensor(x), torch.tensor(row)).numpy()


def torch_gates():
    r"""(z_i, z_f, z_g, z_o) = x_t W_{ih}^\top + b_{ih} + h_{t-1} W_{hh}^\top + b_{hh} ."""
    D, H = 3, 2
    torch.manual_seed(0)
    lstm = torch.nn.LSTM(D, H, dtype=torch.float64)
    W_ih, W_hh, b_ih, b_hh = (p.detach().numpy() for p in lstm.parameters())
    x, h, c = (np.random.default_rng(n).normal(size=size) for n, size in enumerate((D, H, H)))
    z = plus(times(x, W_ih.T), b_ih, times(h, W_hh.T), b_hh)
    z_i, z_f, z_g, z_o = (z[k * H : (k + 1) * H] for k in range(4))
    i, f, g, o = sigmoid(z_i), sigmoid(z_f), tanh(z_g), sigmoid(z_o)
    cell = [f[k] * c[k] + i[k] * g[k] for k in range(H)]
    hidden = [o[k] * math.tanh(cell[k]) for k in range(H)]
    x, h, c = (torch.tensor(a).unsqueeze(0) for a in (x, h, c))
    with torch.no_grad():
        stepped = from_book("pytorch", "lstm_step")(x, h, c, list(lstm.parameters()))
        _, (theirs, _) = lstm(x, (h, c))
    yield hidden, stepped[0][0].numpy()
    yield cell, stepped[1][0].numpy()
    yield hidden, theirs[0].numpy()


def masked_mean():
    r"""
    L = \frac{\sum_{n,t} m_{n,t} \, \ell_{n,t}}{\sum_{n,t} m_{n,t}},
    \qquad \ell_{n,t} = -\log \operatorname{softmax}(a_{n,t})_{y_{n,t}}
    """
    rng = np.random.default_rng(1)
    a, y = rng.normal(size=(3, 4, 5)), rng.integers(0, 5, size=(3, 4))
    m = np.arange(4) < np.array([4, 1, 3])[:, None]
    places = [(n, t) for n in range(3) for t in range(4)]
    total = sum(m[n, t] * -math.log(softmax(a[n, t])[y[n, t]]) for n, t in places)
    want = total / sum(m[n, t] for n, t in places)
    sequence_loss = from_book("pytorch", "sequence_loss", F=torch.nn.functional)
    yield want, sequence_loss(*map(torch.tensor, (a, y, m))).item()
    yield want, ANSWERS["masked_loss"].answer()(a, y, m)[0]
    yield want, losses.cross_entropy(a, y, m)[0]


def sgd_momentum():
    r"""v_k = \mu v_{k-1} + g_k, \qquad w_k = w_{k-1} - \eta v_k"""
    mu, eta, gradients = 0.9, 0.1, [0.5, -2.0, 1.5]
    w, v = 3.0, 0.0
    theirs = torch.tensor(w, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.SGD([theirs], lr=eta, momentum=mu)
    ours, ours_v, sgd = w, v, from_book("pytorch", "sgd")
    for g in gradients:
        v = mu * v + g
        w = w - eta * v
        ours, ours_v = sgd(ours, ours_v, g, eta, mu)
        theirs.grad = torch.tensor(g, dtype=torch.float64)
        optimiser.step()
        yield w, ours
        yield w, theirs.item()


EQUATIONS = {
    "vector-jacobian": vector_jacobian,
    "torch-gates": torch_gates,
    "masked-mean": masked_mean,
    "sgd-momentum": sgd_momentum,
}

IMPLEMENTED = [
    ("vector-jacobian", lambda: defined("pytorch", "pulled_back")),
    ("torch-gates", lambda: defined("pytorch", "lstm_step")),
    ("masked-mean", lambda: defined("pytorch", "sequence_loss")),
    ("masked-mean", lambda: ANSWERS["masked_loss"].source),
    ("sgd-momentum", lambda: defined("pytorch", "sgd")),
]
