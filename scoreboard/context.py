"""Ways to make one vector of a sentence and to hand it to the decoder: dates, as people write them, to ISO 8601.

Every network learns from the same dates in the same order, with the same settings; each has as many weights as the
others, used or not. Held-out dates are translated greedily on the way, so that one sees how fast each one learns.
The last state is also fed with four times the updates, as first state and in both ways.
"""

import itertools
import platform
import time
from collections.abc import Callable
from functools import cache

import numpy as np
import torch

from rnncourse.data import dates
from rnncourse.decode import greedy
from rnncourse.encoder_decoder import FEEDS, FORMS, EncoderDecoder
from rnncourse.seq2seq import Batch, batch, batches, fit
from rnncourse.vocabulary import START, STOP, Vocabulary

NAME = "context"
SEEDS = (0, 1, 2)
HIDDEN, EMBEDDING, BATCH, RATE, CLIP_NORM, UPDATES, EVERY = 64, 32, 64, 0.01, 1.0, 600, 100
LEARNED, HELD_OUT = 20_000, 500  # dates
FIRST = 3  # updates whose losses are kept, so that a test can repeat them
ENTRIES = tuple(itertools.product(FORMS, FEEDS))
LONGER, LONGER_UPDATES = (("last", "first state"), ("last", "both")), 2400


@cache
def data() -> tuple[list, list[dates.Pair], Vocabulary, Vocabulary]:
    """Encoded pairs to learn from, pairs that are held out, and the vocabularies of source and target."""
    rng = np.random.default_rng(0)
    learned, held_out = dates.draw(LEARNED, 1, "train", rng), dates.draw(HELD_OUT, 1, "test", rng)
    source = Vocabulary(sorted(set("".join(pair.source for pair in learned))))
    target = Vocabulary("0123456789-")
    return [(source.encode(p.source), target.encode(p.target)) for p in learned], held_out, source, target


@cache
def _held_out() -> Batch:
    _, held_out, source, target = data()
    return batch([(source.encode(p.source), target.encode(p.target)) for p in held_out])


def exact(model: EncoderDecoder) -> float:
    """% of held-out dates that are translated without a mistake."""
    one, target = _held_out(), data()[3]
    with torch.no_grad():
        found = greedy(*model.searcher(one.source, one.mask), START, STOP, limit=15)
    got = ["".join(target.decode(hypothesis.tokens)) for hypothesis in found]
    return round(100 * float(np.mean([a == b.target for a, b in zip(got, data()[1], strict=True)])), 1)


def run(form: str, feed: str, seed: int, watch: Callable[[int], None] = lambda n: None, updates: int = UPDATES) -> dict:
    """Train one network and translate every 100 updates. The seconds are CPU seconds, the looks included."""
    torch.set_num_threads(1)
    pairs, _, source, target = data()
    torch.manual_seed(seed)
    model = EncoderDecoder(len(source), len(target), HIDDEN, EMBEDDING, form, feed)
    scores, begun = [], time.process_time()

    def look(update):
        watch(update)
        if update % EVERY == 0:
            scores.append(exact(model))

    losses = fit(model, batches(pairs, BATCH, seed), updates, RATE, seed, CLIP_NORM, watch=look)
    first = [float(f"{loss:.4g}") for loss in losses[:FIRST]]
    return {"seed": seed, "seconds": round(time.process_time() - begun, 1), "first_losses": first, "exact": scores}


def settings() -> dict:
    """What stands at the head of the results file."""
    versions = {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}
    sizes = {"hidden": HIDDEN, "embedding": EMBEDDING, "batch": BATCH, "rate": RATE, "clip_norm": CLIP_NORM}
    rest = {"updates": UPDATES, "longer_updates": LONGER_UPDATES, "every": EVERY}
    rest |= {"learned": LEARNED, "held_out": HELD_OUT}
    return {"task": NAME, "measure": "% of held-out dates that are exact"} | sizes | rest | {"versions": versions}


def results(advance: Callable[[str], None] = lambda what: None) -> dict:
    """The whole results file; `advance` is told what is done, once an update."""
    rows = [_row(form, feed, UPDATES, advance) for form, feed in ENTRIES]
    longer = [_row(form, feed, LONGER_UPDATES, advance) for form, feed in LONGER]
    return settings() | {"rows": rows, "longer": longer}


def _row(form: str, feed: str, updates: int, advance: Callable[[str], None]) -> dict:
    runs = []
    for seed in SEEDS:
        what = f"{NAME}: {form}, {feed}, seed {seed}"
        runs.append(run(form, feed, seed, lambda update, what=what: advance(f"{what}, update {update}"), updates))
    last = [run["exact"][-1] for run in runs]
    mean = round(float(np.mean(last)), 1)
    return {"form": form, "feed": feed, "exact": [mean, min(last), max(last)], "runs": runs}
