"""The plain encoder-decoder in all the ways to make one vector of a sentence and to hand it to the decoder.

Cho et al. 2014, Sutskever et al. 2014; `rnncourse.seq2seq` has the model for larger tasks, with attention. The labels
in brackets are those of the chapter `seq2seq`. Letters: B sentences, S source tokens, T target tokens, H hidden.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import nn

from rnncourse.vocabulary import PAD

Form = Literal["last", "last, mapped", "mean", "mean, mapped"]
Feed = Literal["first state", "every step", "both"]
FORMS: tuple[Form, ...] = ("last", "last, mapped", "mean", "mean, mapped")
FEEDS: tuple[Feed, ...] = ("first state", "every step", "both")


class EncoderDecoder(nn.Module):
    """Two GRUs; `form` says how the context comes out of the one, `feed` how it goes into the other."""

    def __init__(
        self, source_size: int, target_size: int, hidden: int, embedding: int, form: Form = "last", feed: Feed = "both"
    ):
        """Raises ValueError for a form or a feed that there is not."""
        super().__init__()
        if form not in FORMS or feed not in FEEDS:
            raise ValueError(f"form is one of {FORMS} and feed one of {FEEDS}, got {form!r} and {feed!r}")
        self.form, self.feed = form, feed
        self.source_embedding = nn.Embedding(source_size, embedding, padding_idx=PAD)
        self.target_embedding = nn.Embedding(target_size, embedding, padding_idx=PAD)
        self.encoder = nn.GRU(embedding, hidden, batch_first=True)
        self.map = nn.Linear(hidden, hidden)
        self.decoder = nn.GRU(embedding + hidden, hidden, batch_first=True)
        self.output = nn.Linear(hidden, target_size)

    # Lines of these three functions are short, because the chapter shows them.

    def context(self, source: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """One vector a sentence: source (B, S), mask (B, S) -> C (B, H).

        The mask is True at tokens, and they come before the padding.
        """
        hidden, _ = self.encoder(self.source_embedding(source))  # (B, S, H)
        lengths = mask.sum(dim=1)  # (B,)
        if self.form.startswith("mean"):
            total = (hidden * mask.unsqueeze(2)).sum(dim=1)
            C = total / lengths.unsqueeze(1)  # (context-mean)
        else:
            rows = torch.arange(len(source))
            C = hidden[rows, lengths - 1]  # (context-last)
        if self.form.endswith("mapped"):
            C = torch.tanh(self.map(C))  # (context-mapped)
        return C  # what the encoder made of padding has no part in it

    def start(self, C: torch.Tensor) -> torch.Tensor:
        """The decoder's first state (B, H)."""
        return torch.zeros_like(C) if self.feed == "every step" else C

    def advance(
        self,
        tokens: torch.Tensor,
        state: torch.Tensor,
        C: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """T steps of the decoder: logits (B, T, V) and the state (B, H).

        tokens (B, T), state (B, H), C (B, H).
        """
        y = self.target_embedding(tokens)  # (B, T, E)
        seen = torch.zeros_like(C) if self.feed == "first state" else C
        seen = seen.unsqueeze(1).expand(-1, tokens.shape[1], -1)
        x = torch.cat([y, seen], dim=2)  # (B, T, E + H)
        hidden, last = self.decoder(x, state.unsqueeze(0))
        return self.output(hidden), last.squeeze(0)

    def forward(
        self,
        source: torch.Tensor,
        mask: torch.Tensor,
        target_in: torch.Tensor,
        teacher_forcing: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> torch.Tensor:
        """Logits (B, T, V) under teacher forcing, as `rnncourse.seq2seq.fit` asks for them; no scheduled sampling."""
        if teacher_forcing != 1:
            raise ValueError(f"this model always learns with teacher forcing, got a probability of {teacher_forcing}")
        C = self.context(source, mask)
        return self.advance(target_in, self.start(C), C)[0]

    def searcher(self, source: torch.Tensor, mask: torch.Tensor) -> tuple[Callable, tuple[torch.Tensor, ...]]:
        """A step function and a first state for the searches of `rnncourse.decode`."""

        def step(tokens, rows):
            state, C = rows
            logits, state = self.advance(tokens.unsqueeze(1), state, C)
            return torch.log_softmax(logits.squeeze(1), dim=1), (state, C)

        C = self.context(source, mask)
        return step, (self.start(C), C)
