"""From a model's probabilities to a sentence: greedy and beam search over any step function.

A step function takes the last tokens (N,) and a state, a tensor or a tuple of tensors with one row for each of N
unfinished hypotheses, and returns the log-probabilities (N, V) of the next token and the next state. The searches
only ever pick rows of a state; what stands in it (hidden states, a memory to attend to) is the model's affair.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch

State = torch.Tensor | tuple[torch.Tensor, ...]
Step = Callable[[torch.Tensor, State], tuple[torch.Tensor, State]]


class Hypothesis(NamedTuple):
    """A sentence that a search found."""

    tokens: tuple[int, ...]  #: without START and STOP
    score: float  #: the sum of the log-probabilities, that of STOP as well
    normalised: float  #: the score divided by length ** length_power; the length counts STOP
    ended: bool  #: by STOP, not by the limit
    node: int  #: the place of its last token in the tree


class Node(NamedTuple):
    """One token that a beam search looked at."""

    parent: int  #: its place in the tree; -1 at the first token
    depth: int  #: 1 at the first token
    token: int
    log_probability: float  #: of this token after its parent
    score: float  #: the sum of the log-probabilities from the first token to this one
    fate: str  #: "live": it was continued, "ended": it is STOP, "dropped": better ones filled the beam


class Beam(NamedTuple):
    """What a beam search of one sentence found, and everything that it looked at."""

    hypotheses: list[Hypothesis]  #: ended ones first, the best normalised score first
    tree: list[Node]  #: in the order of depth


def greedy(step: Step, state: State, start: int, stop: int, limit: int) -> list[Hypothesis]:
    """The most probable token at every step, for one sentence per row of the state, until STOP or `limit` tokens.

    `limit` counts STOP. There is no tree, so `node` is -1. Raises ValueError unless limit >= 1 and the state has a row.
    """
    rows = _check(state, limit)
    tokens = torch.full((rows,), start)
    scores, running = torch.zeros(rows, dtype=torch.float64), torch.ones(rows, dtype=torch.bool)
    found = []
    with torch.no_grad():
        while running.any() and len(found) < limit:
            log_probabilities, state = step(tokens, state)
            best, tokens = log_probabilities.max(dim=1)
            scores = torch.where(running, scores + best, scores)
            tokens = torch.where(running, tokens, stop)
            running = tokens != stop
            found.append(tokens)
    sentences = torch.stack(found, dim=1).tolist()
    return [_greedy(tokens, stop, score) for tokens, score in zip(sentences, scores.tolist(), strict=True)]


def _greedy(tokens: list[int], stop: int, score: float) -> Hypothesis:
    ended = stop in tokens
    words = tokens[: tokens.index(stop)] if ended else tokens
    return Hypothesis(tuple(words), score, score / (len(words) + ended), ended, -1)


def beam_search(
    step: Step, state: State, start: int, stop: int, limit: int, beam: int, length_power: float = 1.0
) -> list[Beam]:
    """For one sentence per row of the state, up to `beam` hypotheses that score well.

    At every depth the best `beam` of all continuations stay: one that is STOP ends its hypothesis, and the next best
    takes its place among those that go on. A sentence is done when `beam` hypotheses have ended, or at `limit` tokens
    (STOP counted); what has not ended by then comes after what has. Length normalisation: the longer a sentence, the
    lower its score, so hypotheses are compared by score / length ** length_power (0: by the score; 1: by the mean
    log-probability of a token). With a beam of 1 this is the greedy search; with one as wide as there are sentences
    it is exhaustive.
    Raises ValueError unless limit >= 1 and beam >= 1 and the state has a row.
    """
    sentences = _check(state, limit)
    if beam < 1:
        raise ValueError(f"beam must be at least 1, got {beam}")
    trees: list[list[Node]] = [[] for _ in range(sentences)]
    live = [[-1] for _ in trees]  # the nodes of each sentence that go on, -1 before the first token
    tokens = torch.full((sentences,), start)
    with torch.no_grad():
        for _ in range(limit):
            log_probabilities, state = step(tokens, state)
            rows, first = [], 0  # of the state that go on
            for n, tree in enumerate(trees):
                before, last = live[n], first + len(live[n])
                live[n] = _grow(tree, before, log_probabilities[first:last], stop, beam)
                rows += [first + before.index(tree[node].parent) for node in live[n]]
                first = last
            if not rows:
                break
            picked = torch.tensor(rows)
            state = tuple(part[picked] for part in state) if isinstance(state, tuple) else state[picked]
            tokens = torch.tensor([tree[node].token for tree, nodes in zip(trees, live, strict=True) for node in nodes])
    return [Beam(_hypotheses(tree, beam, length_power), tree) for tree in trees]


def _grow(tree: list[Node], live: list[int], log_probabilities: torch.Tensor, stop: int, beam: int) -> list[int]:
    """Add the best continuations of the live nodes to the tree; the nodes that go on, none if the sentence is done."""
    if not live:
        return []
    V = log_probabilities.shape[1]
    scores = torch.tensor([tree[node].score if node >= 0 else 0.0 for node in live], dtype=torch.float64)
    totals = (scores[:, None] + log_probabilities).flatten()  # (N·V,)
    best, places = totals.topk(min(2 * beam, len(totals)))  # each live node has one STOP: beam others are among these
    chances, going, depth = log_probabilities.flatten()[places].tolist(), [], 1 + (tree[live[0]].depth if tree else 0)
    for rank, (score, place) in enumerate(zip(best.tolist(), places.tolist(), strict=True)):
        if score == float("-inf"):  # impossible, and so is all that follows
            break
        parent, token = live[place // V], place % V
        fate = "dropped"
        if token == stop:
            fate = "ended" if rank < beam else fate
        elif len(going) < beam:
            fate = "live"
            going.append(len(tree))
        tree.append(Node(parent, depth, token, chances[rank], score, fate))
    return going if sum(node.fate == "ended" for node in tree) < beam else []


def _hypotheses(tree: list[Node], beam: int, length_power: float) -> list[Hypothesis]:
    """The leaves of the tree as sentences, the best first."""
    depth = max((node.depth for node in tree), default=0)
    found = []
    for place, node in enumerate(tree):
        if node.fate == "ended" or (node.fate == "live" and node.depth == depth):
            ended = node.fate == "ended"
            tokens = _path(tree, node.parent if ended else place)
            found.append(Hypothesis(tokens, node.score, node.score / node.depth**length_power, ended, place))
    return sorted(found, key=lambda hypothesis: (-hypothesis.ended, -hypothesis.normalised))[:beam]


def _path(tree: list[Node], place: int) -> tuple[int, ...]:
    """The tokens from the first to this one."""
    tokens = []
    while place >= 0:
        tokens.append(tree[place].token)
        place = tree[place].parent
    return tuple(reversed(tokens))


def _check(state: State, limit: int) -> int:
    """The number of rows of the state."""
    if limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    rows = len(state[0] if isinstance(state, tuple) else state)
    if rows == 0:
        raise ValueError("there is no sentence: the state has no rows")
    return rows
