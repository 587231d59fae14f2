"""Attention: a query looks at the keys of a memory and takes their mean, weighted by how well each one fits.

Three scores behind one interface: additive (Bahdanau et al. 2015), dot and general (Luong et al. 2015). The labels in
brackets are those of the chapter `attention`.
"""

import torch
from torch import nn


class Attention(nn.Module):
    """What the scores share. The keys are also the values: what is compared is what is read."""

    def project(self, keys: torch.Tensor) -> torch.Tensor:
        """What the score needs of the keys (B, S, K) alone; a decoder works it out once a sentence, not once a step."""
        return keys

    def compare(self, query: torch.Tensor, projected: torch.Tensor) -> torch.Tensor:
        """The scores (B, S) of a query (B, Q) and projected keys."""
        raise NotImplementedError

    def scores(self, query: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
        """The scores (B, S) of a query (B, Q) and keys (B, S, K)."""
        return self.compare(query, self.project(keys))

    def forward(
        self, query: torch.Tensor, keys: torch.Tensor, mask: torch.Tensor, projected: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What is read, the context (B, K), and where: the weights (B, S), 0 at padding and 1 in sum.

        `query` (B, Q), `keys` (B, S, K), `mask` (B, S) True at real tokens, `projected` what `project(keys)` returned.
        What stands in the keys at padding changes nothing, as long as it is finite. Raises as `masked_softmax`.
        """
        scores = self.compare(query, self.project(keys) if projected is None else projected)
        weights = masked_softmax(scores, mask)
        return (weights.unsqueeze(1) @ keys).squeeze(1), weights  # (context)


class AdditiveAttention(Attention):
    """e_s = tanh(q W_q + k_s W_k + b) · w: a small network with one hidden layer."""

    def __init__(self, query_size: int, key_size: int, hidden: int):
        super().__init__()
        self.query = nn.Linear(query_size, hidden, bias=False)
        self.key = nn.Linear(key_size, hidden)
        self.score = nn.Linear(hidden, 1, bias=False)

    def project(self, keys):
        return self.key(keys)  # (B, S, hidden)

    def compare(self, query, projected):
        return self.score(torch.tanh(self.query(query).unsqueeze(1) + projected)).squeeze(2)  # (additive-score)


class DotAttention(Attention):
    """e_s = q · k_s / √K: no weights, and query and keys have one size.

    Luong et al. do not divide (scaled=False); Vaswani et al. (2017) do, so that the scores of wide states do not grow.
    """

    def __init__(self, scaled: bool = True):
        super().__init__()
        self.scaled = scaled

    def compare(self, query, projected):
        size = query.shape[1]
        if size != projected.shape[2]:
            raise ValueError(f"a dot product needs one size, got Q = {size} and K = {projected.shape[2]}")
        scores = (projected @ query.unsqueeze(2)).squeeze(2)
        return scores / size**0.5 if self.scaled else scores  # (dot-score)


class GeneralAttention(Attention):
    """e_s = q W · k_s: a dot product after a learned map."""

    def __init__(self, query_size: int, key_size: int):
        super().__init__()
        self.key = nn.Linear(key_size, query_size, bias=False)

    def project(self, keys):
        return self.key(keys)  # (B, S, Q): k_s Wᵀ, so that a step costs no more than a dot product

    def compare(self, query, projected):
        return (projected @ query.unsqueeze(2)).squeeze(2)  # (general-score)


def masked_softmax(scores: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Softmax over the real tokens of each row: 0 at padding, 1 in sum, never NaN. Both arguments have one shape.

    Raises TypeError unless the mask is Boolean, ValueError for another shape and for a row without a token.
    """
    if mask.dtype != torch.bool:
        raise TypeError(f"mask must be Boolean, True at real tokens, got {mask.dtype}")
    if mask.shape != scores.shape:
        raise ValueError(f"mask must have the shape of the scores, {tuple(scores.shape)}, got {tuple(mask.shape)}")
    if not (some := mask.any(dim=-1)).all():
        raise ValueError(f"row {int((~some).flatten().nonzero()[0])} of the mask has no token to attend to")
    return torch.softmax(scores.masked_fill(~mask, float("-inf")), dim=-1)  # (attention-weights)
