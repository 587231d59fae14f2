"""An encoder reads a sentence, a decoder writes another (Cho et al. 2014; Sutskever et al. 2014), with attention
(Bahdanau et al. 2015) or without.

Letters: B sentences, S source tokens, T target tokens, E embedding, H hidden, V target vocabulary. The encoder's
states are the keys (B, S, H). Without attention the decoder sees the same context at every step, the encoder's last
state; with attention it reads another one at every step. That is the only difference.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from rnncourse.attention import Attention
from rnncourse.progress import bar
from rnncourse.vocabulary import PAD, START, STOP, pad


class Memory(NamedTuple):
    """What the decoder knows of B sentences. Every part has one row a sentence."""

    keys: torch.Tensor  #: (B, S, H) the encoder's states, 0 at padding
    mask: torch.Tensor  #: (B, S) True at real tokens
    state: torch.Tensor  #: (B, L, H) where the decoder starts: the last state of each of L layers
    projected: torch.Tensor  #: (B, S, ·) what the attention's score needs of the keys; the keys without attention


class Encoder(nn.Module):
    """A GRU over the source. In two directions each has H/2 units, so that a state has H numbers either way."""

    def __init__(self, size: int, hidden: int, embedding: int, layers: int, bidirectional: bool, dropout: float):
        super().__init__()
        if bidirectional and hidden % 2:
            raise ValueError(f"two directions share the hidden units, so hidden must be even, got {hidden}")
        self.embedding = nn.Embedding(size, embedding, padding_idx=PAD)
        self.dropout = nn.Dropout(dropout)
        between = dropout if layers > 1 else 0.0
        width = hidden // 2 if bidirectional else hidden
        self.rnn = nn.GRU(embedding, width, layers, batch_first=True, dropout=between, bidirectional=bidirectional)

    def forward(self, source: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The states (B, S, H) and the last ones (B, L, H): in the reversed direction that is at the first token."""
        (B, S), layers = source.shape, self.rnn.num_layers
        x = self.dropout(self.embedding(source))  # (B, S, E)
        packed = pack_padded_sequence(x, mask.sum(dim=1), batch_first=True, enforce_sorted=False)
        states, last = self.rnn(packed)  # last (L · directions, B, width)
        states, _ = pad_packed_sequence(states, batch_first=True, total_length=S)
        return states, last.reshape(layers, -1, B, self.rnn.hidden_size).permute(2, 0, 1, 3).reshape(B, layers, -1)


class Decoder(nn.Module):
    """A GRU that reads its last token and a context, and tells the next token from its state and the context."""

    def __init__(
        self, size: int, hidden: int, embedding: int, layers: int, attention: Attention | None, dropout: float
    ):
        super().__init__()
        self.embedding = nn.Embedding(size, embedding, padding_idx=PAD)
        self.dropout = nn.Dropout(dropout)
        between = dropout if layers > 1 else 0.0
        self.rnn = nn.GRU(embedding + hidden, hidden, layers, batch_first=True, dropout=between)
        self.attention = attention
        self.readout = nn.Linear(2 * hidden, embedding)
        self.output = nn.Linear(embedding, size)

    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        """Vectors (..., E) of tokens (...)."""
        return self.dropout(self.embedding(tokens))

    def context(self, state: torch.Tensor, memory: Memory) -> tuple[torch.Tensor, torch.Tensor | None]:
        """What the top layer's state (B, L, H) reads in the memory, (B, H), and its weights (B, S) or None."""
        if self.attention is None:
            return memory.state[:, -1], None
        return self.attention(state[:, -1], memory.keys, memory.mask, memory.projected)

    def advance(
        self, embedded: torch.Tensor, context: torch.Tensor, state: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """T steps with tokens (B, T, E) and one context (B, H): the top layer's states (B, T, H), the last of all."""
        x = torch.cat([embedded, context.unsqueeze(1).expand(-1, embedded.shape[1], -1)], dim=2)
        hidden, state = self.rnn(x, state.transpose(0, 1).contiguous())
        return hidden, state.transpose(0, 1)

    def logits(self, hidden: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        """Scores (..., V) of the next token from states and contexts (..., H)."""
        return self.output(self.dropout(torch.tanh(self.readout(torch.cat([hidden, context], dim=-1)))))


class Seq2Seq(nn.Module):
    """Encoder and decoder. Indices PAD, START and STOP are those of `rnncourse.vocabulary`.

    `attention` compares queries of `hidden` numbers with keys of `hidden` numbers, e.g.
    ``AdditiveAttention(hidden, hidden, 128)``. Raises ValueError for an odd `hidden` in two directions.
    """

    def __init__(
        self,
        source_size: int,
        target_size: int,
        hidden: int,
        embedding: int,
        layers: int = 1,
        attention: Attention | None = None,
        bidirectional: bool = True,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.encoder = Encoder(source_size, hidden, embedding, layers, bidirectional, dropout)
        self.decoder = Decoder(target_size, hidden, embedding, layers, attention, dropout)

    def encode(self, source: torch.Tensor, mask: torch.Tensor) -> Memory:
        """Read sentences (B, S) with `mask` (B, S), True at real tokens, which come first.

        What stands at padding changes nothing. Raises TypeError for a mask that is not Boolean, ValueError for an
        empty sentence, padding before a token, another shape and an index that the vocabulary does not have.
        """
        _check_tokens("source", source, mask, self.encoder.embedding.num_embeddings)
        keys, state = self.encoder(source.masked_fill(~mask, PAD), mask)
        attention = self.decoder.attention
        return Memory(keys, mask, state, keys if attention is None else attention.project(keys))

    def step(
        self, token: torch.Tensor, state: torch.Tensor, memory: Memory
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """One token further: token (B,), state (B, L, H), first that of the memory.

        Returns the log-probabilities (B, V) of the next token, the next state, and the weights (B, S) with which the
        memory was read, None without attention.
        """
        context, weights = self.decoder.context(state, memory)
        hidden, state = self.decoder.advance(self.decoder.embed(token).unsqueeze(1), context, state)
        logits = self.decoder.logits(hidden.squeeze(1), context)
        return torch.log_softmax(logits, dim=1), state, weights

    def searcher(self, source: torch.Tensor, mask: torch.Tensor) -> tuple[Callable, tuple[torch.Tensor, ...]]:
        """A step function and a first state for the searches of `rnncourse.decode`: `greedy(*searcher, ...)`."""
        with torch.no_grad():
            memory = self.encode(source, mask)

        def step(tokens, rows):  # the memory travels with the state: hypotheses that are dropped drop theirs
            state, *memory = rows
            log_probabilities, state, _ = self.step(tokens, state, Memory(*memory))
            return log_probabilities, (state, *memory)

        return step, (memory.state, *memory)

    def forward(
        self,
        source: torch.Tensor,
        mask: torch.Tensor,
        target_in: torch.Tensor,
        teacher_forcing: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> torch.Tensor:
        """Logits (B, T, V) of the tokens after each of target_in (B, T), which starts with START.

        Scheduled sampling (Bengio et al. 2015): from the second token on, each is the right one with the probability
        `teacher_forcing`, otherwise the one that the model finds most probable; `generator` draws. Raises as `encode`.
        """
        return self.read(source, mask, target_in, teacher_forcing, generator)[0]

    def read(
        self,
        source: torch.Tensor,
        mask: torch.Tensor,
        target_in: torch.Tensor,
        teacher_forcing: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """As `forward`: logits (B, T, V), and where each step read, the weights (B, T, S), or None."""
        if not 0 <= teacher_forcing <= 1:
            raise ValueError(f"teacher_forcing is a probability, got {teacher_forcing}")
        everywhere = torch.ones_like(target_in, dtype=torch.bool)
        _check_tokens("target_in", target_in, everywhere, self.decoder.output.out_features)
        memory, decoder = self.encode(source, mask), self.decoder
        if decoder.attention is None and teacher_forcing == 1:  # nothing depends on what comes out: all steps at once
            context, _ = decoder.context(memory.state, memory)
            hidden, _ = decoder.advance(decoder.embed(target_in), context, memory.state)
            return decoder.logits(hidden, context.unsqueeze(1).expand_as(hidden)), None
        embedded, state = decoder.embed(target_in), memory.state
        steps = []  # of each step the top layer's state, the context and the weights
        for t in range(target_in.shape[1]):
            x = embedded[:, t]  # (B, E)
            if t > 0 and teacher_forcing < 1:
                right = torch.rand(len(x), generator=generator) < teacher_forcing
                with torch.no_grad():
                    own = decoder.logits(*steps[-1][:2]).argmax(dim=1)
                x = torch.where(right.unsqueeze(1), x, decoder.embed(own))
            context, weights = decoder.context(state, memory)
            hidden, state = decoder.advance(x.unsqueeze(1), context, state)
            steps.append((hidden.squeeze(1), context, weights))
        hidden, contexts, weights = zip(*steps, strict=True)
        logits = decoder.logits(torch.stack(hidden, dim=1), torch.stack(contexts, dim=1))
        return logits, None if decoder.attention is None else torch.stack(weights, dim=1)


def _check_tokens(name: str, ids: torch.Tensor, mask: torch.Tensor, size: int) -> None:
    if ids.dim() != 2 or ids.dtype != torch.int64 or ids.shape[1] == 0:
        raise ValueError(f"{name} must be indices (B, tokens) of type int64, got {tuple(ids.shape)} of {ids.dtype}")
    if mask.dtype != torch.bool:
        raise TypeError(f"mask must be Boolean, True at real tokens, got {mask.dtype}")
    if mask.shape != ids.shape:
        raise ValueError(f"mask must have the shape of {name}, {tuple(ids.shape)}, got {tuple(mask.shape)}")
    if not (first := mask[:, 0]).all():
        raise ValueError(f"sentence {int((~first).nonzero()[0])} is empty, or padding stands before its first token")
    if (later := mask[:, 1:] & ~mask[:, :-1]).any():
        raise ValueError(f"sentence {int(later.nonzero()[0, 0])} has padding between its tokens")
    real = ids[mask]
    if real.min() < 0 or real.max() >= size:
        bad = real[(real < 0) | (real >= size)][0]
        raise ValueError(f"{name} must hold indices in [0, {size}), the vocabulary, got {int(bad)}")


# ---------------------------------------------------------------- learning


class Batch(NamedTuple):
    """B pairs, padded."""

    source: torch.Tensor  #: (B, S)
    mask: torch.Tensor  #: (B, S) True at real tokens
    target_in: torch.Tensor  #: (B, T) START and the target: what the decoder reads under teacher forcing
    target_out: torch.Tensor  #: (B, T) the target and STOP, then PAD: what it should answer


Pair = tuple[Sequence[int], Sequence[int]]  # source and target, as `Vocabulary.encode` returns them


def batch(pairs: Sequence[Pair]) -> Batch:
    """The pairs as one batch. Raises ValueError for an empty source and for no pair at all; a target may be empty."""
    target_in, _ = pad([[START, *target] for _, target in pairs])
    target_out, _ = pad([[*target, STOP] for _, target in pairs])
    return Batch(*pad([source for source, _ in pairs]), target_in, target_out)


def batches(pairs: Sequence[Pair], size: int, seed: int) -> Iterator[Batch]:
    """Batches without end: all pairs in random order, again and again, those of like lengths together.

    Every pass shuffles, sorts pieces of 16 batches by length, so that little is padded, and shuffles the batches.
    """
    rng = random.Random(seed)
    while True:
        order = rng.sample(pairs, len(pairs))
        pieces = [order[i : i + 16 * size] for i in range(0, len(order), 16 * size)]
        ordered = [pair for piece in pieces for pair in sorted(piece, key=lambda pair: (len(pair[1]), len(pair[0])))]
        cut = [ordered[i : i + size] for i in range(0, len(ordered), size)]
        yield from map(batch, rng.sample(cut, len(cut)))


def loss(logits: torch.Tensor, target_out: torch.Tensor, smoothing: float = 0.0) -> torch.Tensor:
    """The mean cross-entropy of a real token, in nats: logits (B, T, V), target_out (B, T) with PAD after the end."""
    return nn.functional.cross_entropy(
        logits.flatten(0, 1), target_out.flatten(), ignore_index=PAD, label_smoothing=smoothing
    )


def fit(
    model: Seq2Seq,
    batches: Iterable[Batch],
    updates: int,
    rate: float = 2e-3,
    seed: int = 0,
    clip_norm: float = 1.0,
    teacher_forcing: Callable[[int], float] = lambda update: 1.0,
    smoothing: float = 0.0,
    one_cycle: bool = True,
    watch: Callable[[int], None] = lambda update: None,
) -> list[float]:
    """Learn with Adam and clipped gradients, and return the loss of every update.

    `rate` is the highest rate of a one-cycle schedule (Smith and Topin 2019), or that of all updates; `seed` draws
    dropout and scheduled sampling, `teacher_forcing` gives its probability from the number of updates done;
    `watch` is called after each update with the number done, to look at held-out data or to average weights.
    The model learns in place and is left in evaluation mode. Raises ValueError if the batches end too early,
    RuntimeError if a gradient is not finite.
    """
    optimiser = torch.optim.Adam(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=updates) if one_cycle else None
    generator, losses, source = torch.Generator().manual_seed(seed), [], iter(batches)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for update in bar(range(updates), "learning", updates):
            if (one := next(source, None)) is None:
                raise ValueError(f"the batches end after {update} of {updates} updates")
            model.train()
            logits = model(one.source, one.mask, one.target_in, teacher_forcing(update), generator)
            value = loss(logits, one.target_out, smoothing)
            optimiser.zero_grad()
            value.backward()
            nn.utils.clip_grad_norm_(model.parameters(), clip_norm, error_if_nonfinite=True)
            optimiser.step()
            if schedule:
                schedule.step()
            losses.append(value.item())
            model.eval()
            watch(update + 1)
    return losses
