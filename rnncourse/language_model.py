"""A language model in PyTorch: what it is, how it learns, how likely it finds a text, and how it writes one.

A text is an array of numbers from 0 to K - 1, the places of its characters in an alphabet. The network of the chapter
`char-rnn`.
"""

import copy
from collections.abc import Iterator

import numpy as np
import torch
from torch.nn.functional import cross_entropy, one_hot

KINDS = ("RNN", "LSTM", "GRU")
FIRST = 0  # what stands before a text: the first character of the alphabet, a line break


class LanguageModel(torch.nn.Module):
    """Reads characters one by one and says after each how likely every character is to come next."""

    def __init__(self, kind: str, size: int, hidden: int, dropout: float = 0.0):
        """`kind` is RNN, LSTM or GRU, `size` that of the alphabet; `dropout` acts between the states and the output.

        One character of the input is 1 and all others are 0, so the weights from the input start as if there was one
        input: with a standard deviation of 0.3, not with PyTorch's U(-1/√H, 1/√H). An LSTM starts with a forget bias
        of 1 (Jozefowicz et al. 2015). Raises ValueError for another kind.
        """
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
        self.size = size
        self.rnn = getattr(torch.nn, kind)(size, hidden, batch_first=True)
        self.dropout = torch.nn.Dropout(dropout)
        self.output = torch.nn.Linear(hidden, size)
        torch.nn.init.normal_(self.rnn.weight_ih_l0, std=0.3)
        if kind == "LSTM":
            torch.nn.init.ones_(self.rnn.bias_ih_l0.data[hidden : 2 * hidden])

    def forward(self, x: torch.Tensor, state=None):
        """Characters x (B, T) and the state before them -> logits (B, T, K) of the next ones, the state after them."""
        hidden, state = self.rnn(one_hot(x, self.size).to(self.output.weight.dtype), state)
        return self.output(self.dropout(hidden)), state  # (next-character), before the softmax


# ---------------------------------------------------------------- learning


def pieces(text: np.ndarray, rows: int, steps: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """A text (N,) cut into B rows, read side by side: inputs and next characters, each (B, T), piece after piece.

    A row of a piece goes on where that row of the piece before it ended. T is `steps`, less in the last piece. Up to
    B characters at the end fill no row and are left out. Raises ValueError if there is not one for each row.
    """
    length = (len(text) - 1) // rows
    if length < 1:
        raise ValueError(f"{rows} rows need at least {rows + 1} characters, got {len(text)}")
    x, y = (text[start : start + rows * length].reshape(rows, length) for start in (0, 1))  # (B, N // B)
    for start in range(0, length, steps):
        yield x[:, start : start + steps], y[:, start : start + steps]


def fit(
    model: LanguageModel,
    text: np.ndarray,
    updates: int,
    rate: float,
    rng: np.random.Generator,
    shape: tuple[int, int] = (32, 64),
    decay: float = 0.0,
    limit: float = 1.0,
) -> Iterator[float]:
    """Learn by truncated back-propagation; yields the loss of every update, in bits a character.

    `shape` (B, T) is that of a piece. The state is carried from piece to piece, and each pass over the text (N,) cuts
    it elsewhere. Adam with decoupled weight decay; the rate rises to `rate` in the first fifth and then falls to almost
    nothing (one cycle, Smith and Topin 2019); `limit` is the largest global norm of the gradients. PyTorch's seed
    decides on dropout, `rng` on the cuts. Raises ValueError for fewer than 10 updates, RuntimeError for gradients that
    are not finite.
    """
    if updates < 10:
        raise ValueError(f"updates must be at least 10, got {updates}")
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, updates, pct_start=0.2, final_div_factor=100)
    done = 0
    while True:
        state = None
        for x, y in pieces(text[rng.integers(shape[1]) :], *shape):
            if done == updates:
                return
            model.train()  # whoever looked at the model in between may have left it in another mode
            loss, state = loss_of(model, x, y, state)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), limit, error_if_nonfinite=True)
            optimizer.step()
            schedule.step()
            state = detached(state)  # (carried-state)
            done += 1
            yield loss.item() / np.log(2)


def loss_of(model: LanguageModel, x: np.ndarray, y: np.ndarray, state=None) -> tuple[torch.Tensor, object]:
    """The mean cross-entropy of a piece, inputs and next characters (B, T), in nats, and the state after it."""
    logits, state = model(torch.from_numpy(x), state)
    return cross_entropy(logits.flatten(0, 1), torch.from_numpy(y).flatten()), state


def detached(state):
    """The same numbers, through which no gradient passes."""
    return tuple(part.detach() for part in state) if isinstance(state, tuple) else state.detach()


# ---------------------------------------------------------------- reading


def probabilities(model: LanguageModel, text: np.ndarray, steps: int = 1000, rate: float | None = None) -> np.ndarray:
    """How likely every character of a text (N,) was before it came (N,); the text is read once, from left to right.

    With a `rate` a copy of the model learns while it reads: after every piece of `steps` characters, whose
    probabilities are settled by then, one update (dynamic evaluation, Krause et al. 2018).
    """
    model = copy.deepcopy(model).eval()
    optimizer = None if rate is None else torch.optim.Adam(model.parameters(), lr=rate)
    found, state = [], None
    before = np.concatenate([[FIRST], text[:-1]])  # the character before each
    for start in range(0, len(text), steps):
        x, y = (torch.from_numpy(a[start : start + steps]) for a in (before, text))
        with torch.set_grad_enabled(rate is not None):
            logits, state = model(x[None], state)
            surprise = cross_entropy(logits[0], y, reduction="none")  # (T,)
        found.append(torch.exp(-surprise.detach()).numpy())
        state = detached(state)
        if optimizer:
            optimizer.zero_grad()
            surprise.mean().backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return np.concatenate(found).astype(float)


def bits(probabilities: np.ndarray) -> float:
    """Bits a character (bits-per-character), from the probability of every character (N,)."""
    return float(-np.log2(probabilities).mean())


# ---------------------------------------------------------------- writing


def choose(logits: np.ndarray, u: float, temperature: float = 1.0, top_k: int | None = None) -> int:
    """The character on which the uniform number u in [0, 1) falls, at this temperature among the top_k likeliest.

    Equations (temperature) and (inverse-cdf); logits (K,). Raises ValueError unless the temperature is positive and
    top_k from 1 to K.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    top_k = len(logits) if top_k is None else top_k
    if not 1 <= top_k <= len(logits):
        raise ValueError(f"top_k must be from 1 to {len(logits)}, got {top_k}")
    allowed = np.sort(np.argsort(-logits, kind="stable")[:top_k])  # places, in the order of the alphabet
    z = logits[allowed].astype(float)
    total = np.cumsum(np.exp((z - z.max()) / temperature))  # (temperature), before the division by the last sum
    return int(allowed[np.searchsorted(total, u * total[-1], side="right")])  # (inverse-cdf)


@torch.no_grad()
def write(
    model: LanguageModel,
    start: np.ndarray,
    length: int,
    rng: np.random.Generator,
    temperature: float = 1.0,
    top_k: int | None = None,
) -> np.ndarray:
    """The characters (length,) that the model writes after it has read those of `start` (N,), which may be none."""
    model = copy.deepcopy(model).eval()
    logits, state = model(torch.from_numpy(np.concatenate([[FIRST], start]).astype(np.int64))[None])
    written = []
    for _ in range(length):
        written.append(choose(logits[0, -1].numpy(), rng.random(), temperature, top_k))
        logits, state = model(torch.tensor([[written[-1]]]), state)
    return np.array(written, dtype=np.int64)
