"""The bottleneck: lists of 1 to 4 dates are learned, with attention and without, and lists of 1 to 5 translated.

All networks have the same encoder and decoder and learn from the same lists. What differs is where the decoder's
context comes from: always the encoder's last state, or a reading with one of three scores. The dot score has no
weights, so that network has exactly as many parameters as the one without attention. An update without attention takes
about half the time, so there is a row with the same number of updates, and one with twice as many.
"""

import platform
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
import torch

from rnncourse.attention import AdditiveAttention, Attention, DotAttention, GeneralAttention
from rnncourse.data import dates
from rnncourse.decode import greedy
from rnncourse.seq2seq import Batch, Seq2Seq, batch, fit
from rnncourse.vocabulary import START, STOP, Vocabulary

NAME = "bottleneck"
SEEDS = (0, 1, 2)
LEARNED, TRIED = (1, 2, 3, 4), (1, 2, 3, 4, 5)  # dates in a list
HIDDEN, EMBEDDING, BATCH, RATE, CLIP_NORM, UPDATES = 128, 32, 32, 0.004, 1.0, 1000
HELD_OUT, FORMS = 300, ("medium", "long")
FIRST = 2  # updates whose losses are kept, so that a test can repeat them


class Entry(NamedTuple):
    """One row: a score, or none."""

    name: str
    attention: Callable[[], Attention | None]
    updates: int = UPDATES


ENTRIES = (
    Entry("without attention", lambda: None),
    Entry("without attention, twice the updates", lambda: None, 2 * UPDATES),
    Entry("dot score", DotAttention),
    Entry("general score", lambda: GeneralAttention(HIDDEN, HIDDEN)),
    Entry("additive score", lambda: AdditiveAttention(HIDDEN, HIDDEN, HIDDEN)),
)


@cache
def vocabularies() -> tuple[Vocabulary, Vocabulary]:
    """Characters of the dates as people write them, and of ISO dates."""
    some = dates.days("train")[::97]
    forms = (dates.written(day, locale, form) for day in some for locale in dates.LOCALES for form in FORMS)
    return Vocabulary(sorted(set("".join(forms) + dates.BETWEEN["source"]))), Vocabulary("0123456789- ")


def lists(count: int, length: int, part: dates.Part, rng: np.random.Generator) -> Batch:
    """That many lists of that many dates, written in one language each, with their translations."""
    source, target = vocabularies()
    drawn = dates.draw(count, length, part, rng, forms=FORMS)
    return batch([(source.encode(pair.source), target.encode(pair.target)) for pair in drawn])


def learned_from(seed: int) -> Iterator[Batch]:
    """Batches without end, each of lists of one length: what every network of this seed learns from."""
    rng = np.random.default_rng(seed)
    while True:
        yield lists(BATCH, int(rng.choice(LEARNED)), "train", rng)


def start(entry: Entry, seed: int) -> Seq2Seq:
    """A network with its first weights."""
    torch.manual_seed(seed)
    source, target = vocabularies()
    return Seq2Seq(len(source), len(target), HIDDEN, EMBEDDING, attention=entry.attention())


@cache
def held_out(length: int) -> Batch:
    """Lists of dates none of which is learned from."""
    return lists(HELD_OUT, length, "test", np.random.default_rng(1000 + length))


def outcome(model: Seq2Seq, length: int) -> dict:
    """Greedy translations of the held-out lists of one length: how many are exact, and which of their dates are."""
    target, one = vocabularies()[1], held_out(length)
    with torch.no_grad():
        found = greedy(*model.searcher(one.source, one.mask), START, STOP, limit=11 * (length + 2))
    got = ["".join(target.decode(hypothesis.tokens)).split() for hypothesis in found]
    want = ["".join(target.decode(row)).split() for row in one.target_out.tolist()]
    right = np.array([[n < len(a) and a[n] == b[n] for n in range(length)] for a, b in zip(got, want, strict=True)])
    written = np.bincount([len(a) for a in got], minlength=length + 3) / len(got)
    exact = np.mean([a == b for a, b in zip(got, want, strict=True)])
    return {
        "exact": _percent(exact),
        "right_by_place": [_percent(share) for share in right.mean(axis=0)],
        "written": [_percent(share) for share in written],  # share of lists with 0, 1, 2, … dates written
    }


def run(entry: Entry, seed: int, report: Callable[[int], None] = lambda update: None) -> dict:
    """Train one network and translate. The seconds are CPU seconds of the updates."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    model = start(entry, seed)
    begun = time.process_time()
    losses = fit(model, learned_from(seed), entry.updates, RATE, seed, CLIP_NORM, watch=report)
    seconds = round(time.process_time() - begun, 1)
    first = [float(f"{loss:.4g}") for loss in losses[:FIRST]]
    by_length = {str(length): outcome(model, length) for length in TRIED}
    return {
        "seed": seed,
        "seconds": seconds,
        "first_losses": first,
        "last_loss": _mean(losses[-50:]),
        "lists": by_length,
    }


def settings() -> dict:
    """What stands at the head of the results file."""
    versions = {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}
    sizes = {"hidden": HIDDEN, "embedding": EMBEDDING, "batch": BATCH, "rate": RATE, "clip_norm": CLIP_NORM}
    rest = {"held_out": HELD_OUT, "learned": list(LEARNED), "tried": list(TRIED)}
    return {"task": NAME, "measure": "% of lists that are exact"} | sizes | rest | {"versions": versions}


def row(entry: Entry, runs: list[dict]) -> dict:
    """One row of the results file: of the seeds the mean, the lowest and the highest."""
    parameters = sum(p.numel() for p in start(entry, 0).parameters())
    exact = {str(length): _interval([run["lists"][str(length)]["exact"] for run in runs]) for length in TRIED}
    seconds = _interval([run["seconds"] for run in runs])
    head = {"name": entry.name, "updates": entry.updates, "parameters": parameters}
    return head | {"exact": exact, "seconds": seconds, "runs": runs}


def results(advance: Callable[[str], None] = lambda what: None) -> dict:
    """The whole results file; `advance` is told what is done, once an update."""
    rows = []
    for entry in ENTRIES:
        runs = []
        for seed in SEEDS:
            what = f"{NAME}: {entry.name}, seed {seed}"
            runs.append(run(entry, seed, lambda update, what=what: advance(f"{what}, update {update}")))
        rows.append(row(entry, runs))
    return settings() | {"rows": rows}


def _percent(share: float) -> float:
    return round(100 * float(share), 1)


def _mean(values: list[float]) -> float:
    return float(f"{np.mean(values):.4g}")


def _interval(values: list[float]) -> list[float]:
    return [_mean(values), min(values), max(values)]
