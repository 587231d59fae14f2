"""Tokens as numbers, and sentences of several lengths as one tensor. What a token is, the caller decides."""

from collections import Counter
from collections.abc import Iterable, Sequence

import torch

PAD, START, STOP, UNKNOWN = range(4)
SPECIAL = ("<pad>", "<start>", "<stop>", "<unknown>")


class Vocabulary:
    """The tokens that a model knows: four special ones, then the given ones in their order, each once."""

    def __init__(self, tokens: Iterable[str]):
        """Raises TypeError for a token that is no string, ValueError for one that is given twice or is special."""
        self.tokens = list(SPECIAL)
        self._index = {token: index for index, token in enumerate(SPECIAL)}
        for token in tokens:
            _check_token(token)
            if token in self._index:
                raise ValueError(f"a vocabulary holds each token once, but {token!r} comes again")
            self._index[token] = len(self.tokens)
            self.tokens.append(token)

    @classmethod
    def of(cls, sequences: Iterable[Sequence[str]], at_least: int = 1) -> "Vocabulary":
        """Every token that occurs at least so many times, the most frequent first, equals in order of appearance."""
        counts = Counter()
        for sequence in sequences:
            counts.update(sequence)
        return cls(token for token, count in counts.most_common() if count >= at_least)

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: str) -> bool:
        return token in self._index

    def encode(self, tokens: Sequence[str]) -> list[int]:
        """The indices of the tokens, UNKNOWN for those that are not here; START and STOP are not added.

        Raises ValueError if there is no token, TypeError for a token that is no string.
        """
        if len(tokens) == 0:
            raise ValueError("the sentence is empty: it must have at least one token")
        for token in tokens:
            _check_token(token)
        return [self._index.get(token, UNKNOWN) for token in tokens]

    def decode(self, ids: Iterable[int]) -> list[str]:
        """The tokens up to STOP; PAD and START are left out. Raises ValueError for an index that is out of range."""
        tokens = []
        for index in map(int, ids):
            if index == STOP:
                break
            if not 0 <= index < len(self):
                raise ValueError(f"an index must lie in [0, {len(self)}), got {index}")
            if index not in (PAD, START):
                tokens.append(self.tokens[index])
        return tokens


def pad(sequences: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Indices (B, S), PAD after the end of each sequence, and the mask (B, S), True at real tokens.

    S is the length of the longest. Raises ValueError if there is no sequence or an empty one.
    """
    if len(sequences) == 0:
        raise ValueError("there must be at least one sequence")
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    if not lengths.all():
        raise ValueError(f"sequence {int(lengths.argmin())} is empty: it must have at least one token")
    mask = torch.arange(int(lengths.max())) < lengths[:, None]  # (B, S)
    ids = torch.full(mask.shape, PAD)
    ids[mask] = torch.tensor([index for sequence in sequences for index in sequence])
    return ids, mask


def _check_token(token) -> None:
    if not isinstance(token, str):
        raise TypeError(f"a token must be a string, got {token!r}")
