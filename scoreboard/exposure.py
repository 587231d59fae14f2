"""Exposure to one's own mistakes: what is gained by scheduled sampling when pieces of text are written again.

Every network learns from the same pieces in the same order, with the same settings. What differs is how often the
decoder reads, while it learns, the token that it finds most probable itself in place of the right one.
"""

import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import torch

from rnncourse.data import pieces, python_lines
from rnncourse.decode import greedy
from rnncourse.seq2seq import Batch, Seq2Seq, batch, fit
from rnncourse.vocabulary import PAD, START, STOP, Vocabulary
from scoreboard.language import fingerprint
from scoreboard.task import interval, seeded, short, versions

NAME = "exposure"
HIDDEN, EMBEDDING, BATCH, RATE, CLIP_NORM, UPDATES = 128, 32, 64, 0.005, 1.0, 1000
LENGTHS, HELD_OUT = (2, 16), 600
FIRST = 3  # updates whose losses are kept, so that a test can repeat them
CHARACTERS = Vocabulary(python_lines.ALPHABET)


class Entry(NamedTuple):
    """One row: the probability of the right token, from the share of the updates that are done."""

    name: str
    teacher_forcing: Callable[[float], float]


ENTRIES = (
    Entry("teacher forcing", lambda done: 1.0),
    Entry("scheduled sampling, from 1 to 1/2", lambda done: 1 - done / 2),
    Entry("scheduled sampling, from 1 to 0", lambda done: 1 - done),
)


def learned_from(seed: int) -> Iterator[Batch]:
    """Batches without end."""
    rng = np.random.default_rng(seed)
    while True:
        yield _batch(pieces.draw(BATCH, LENGTHS, "train", rng))


def start(seed: int) -> Seq2Seq:
    """A network with its first weights."""
    torch.manual_seed(seed)
    return Seq2Seq(len(CHARACTERS), len(CHARACTERS), HIDDEN, EMBEDDING)


@cache
def held_out() -> tuple[list[str], Batch]:
    """Pieces of lines that no network learns from."""
    texts = pieces.draw(HELD_OUT, LENGTHS, "test", np.random.default_rng(1))
    return texts, _batch(texts)


def measured(model: Seq2Seq) -> dict:
    """% of held-out pieces that are written again without a mistake, and % of wrong characters in both ways."""
    texts, one = held_out()
    with torch.no_grad():
        found = greedy(*model.searcher(one.source, one.mask), START, STOP, limit=LENGTHS[1] + 4)
        forced = model(one.source, one.mask, one.target_in).argmax(dim=2)
    real = one.target_out != PAD
    free = torch.full((len(texts), LENGTHS[1] + 5), STOP)  # after its end an output is STOP, which is right at the end
    for n, hypothesis in enumerate(found):
        free[n, : len(hypothesis.tokens)] = torch.tensor(hypothesis.tokens)
    free = free[:, : real.shape[1]]
    exact = ["".join(CHARACTERS.decode(h.tokens)) == text for h, text in zip(found, texts, strict=True)]
    wrong = [(given != one.target_out)[real].float().mean().item() for given in (free, forced)]
    return dict(zip(("exact", "wrong_free", "wrong_forced"), map(_percent, (np.mean(exact), *wrong)), strict=True))


def run(entry: Entry, seed: int, report: Callable[[int], None] = lambda update: None, updates: int = UPDATES) -> dict:
    """Train one network and measure it. The seconds are CPU seconds of the updates."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    model, begun = start(seed), time.process_time()
    forcing = lambda update: entry.teacher_forcing(update / updates)  # noqa: E731
    losses = fit(model, learned_from(seed), updates, RATE, seed, CLIP_NORM, forcing, watch=report)
    seconds = round(time.process_time() - begun, 1)
    first = [short(loss) for loss in losses[:FIRST]]
    return {"seed": seed, "seconds": seconds, "first_losses": first} | measured(model)


def settings() -> dict:
    """What stands at the head of the results file."""
    sizes = {"hidden": HIDDEN, "embedding": EMBEDDING, "batch": BATCH, "rate": RATE, "clip_norm": CLIP_NORM}
    rest = {"updates": UPDATES, "lengths": list(LENGTHS), "held_out": HELD_OUT}
    head = {"task": NAME, "measure": "% of held-out pieces that are exact"}
    return head | sizes | rest | {"text": fingerprint(), "versions": versions(torch, np)}


def results(advance: Callable[[str], None] = lambda what: None) -> dict:
    """The whole results file; `advance` is told what is done, once an update."""
    rows = []
    for entry in ENTRIES:
        runs = seeded(f"{NAME}: {entry.name}", partial(run, entry), advance)
        measures = ("exact", "wrong_free", "wrong_forced", "seconds")
        rows.append({"name": entry.name} | {name: interval([run[name] for run in runs]) for name in measures})
        rows[-1]["runs"] = runs
    return settings() | {"rows": rows}


def _batch(texts: list[str]) -> Batch:
    return batch([(CHARACTERS.encode(text), CHARACTERS.encode(text)) for text in texts])


def _percent(share: float) -> float:
    return round(100 * float(share), 1)
