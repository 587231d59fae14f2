"""Bits a character on English prose: compressors, counting, and a recurrent network from three seeds.

Everything is chosen on the validation part and measured on the test part (`rnncourse.data.topics`).
"""

import bz2
import gzip
import hashlib
import lzma
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
import torch

from rnncourse import ngram
from rnncourse.data import topics
from rnncourse.language_model import LanguageModel, bits, fit, probabilities
from scoreboard.task import interval, seeded, short, versions

NAME = "topics"
KIND, HIDDEN, DROPOUT, DECAY = "GRU", 256, 0.4, 0.05
SHAPE, RATE, UPDATES, EVERY = (32, 64), 0.012, 1900, 380  # rows and steps of a piece
THREADS = 2  # the aim is 1.70 bits within two minutes on two cores
READING = {"steps": 100, "rate": 3e-4}  # of learning while reading
ORDERS = (2, 4, 6, 8, 10, 12)  # of counting
SHARES = (0.3, 0.4, 0.5, 0.6, 0.7)  # of the network in the mixture with counting
FIRST = 3  # updates whose losses are kept, so that a test can repeat them
COMPRESSORS = {"gzip": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress}


class Held(NamedTuple):
    """Something for each of the two held-out parts: bits a character, or the probabilities of all characters."""

    validation: float | np.ndarray
    test: float | np.ndarray

    @property
    def bits(self) -> "Held":
        """Of probabilities."""
        return Held(*(bits(p) for p in self))


def held_out() -> Held:
    """The texts themselves."""
    return Held(*topics.split()[1:])


def compressed(name: str) -> Held:
    """How many bits a compressor needs for a text after the training text, that is, for both minus for that alone."""
    compress, train = COMPRESSORS[name], topics.split().train + "\n\n"

    def size(text: str) -> int:
        return 8 * len(compress(text.encode()))

    return Held(*((size(train + text) - size(train)) / len(text) for text in held_out()))


@cache
def counted(order: int) -> Held:
    """The probabilities that counting the last `order` characters gives."""
    model = ngram.count(topics.split().train, order, len(topics.ALPHABET))
    return Held(*(ngram.probabilities(model, text) for text in held_out()))


def best_order() -> int:
    """On the validation part."""
    return min(ORDERS, key=lambda order: counted(order).bits.validation)


def mixed(network: Held, counts: Held) -> tuple[float, Held]:
    """The share of the network that is best on the validation part, and the probabilities of the (mixture)."""
    mixtures = {
        share: Held(*(share * p + (1 - share) * q for p, q in zip(network, counts, strict=True))) for share in SHARES
    }
    return min(mixtures.items(), key=lambda item: item[1].bits.validation)


# ---------------------------------------------------------------- the network


def start(seed: int) -> tuple[LanguageModel, Iterator[float]]:
    """A network with its first weights, and its updates."""
    torch.manual_seed(seed)
    model = LanguageModel(KIND, len(topics.ALPHABET), HIDDEN, DROPOUT)
    text = topics.encode(topics.split().train)
    return model, fit(model, text, UPDATES, RATE, np.random.default_rng(seed), SHAPE, DECAY)


def read(model: LanguageModel, **options) -> Held:
    """The probabilities that a network gives the held-out texts."""
    return Held(*(probabilities(model, topics.encode(text), **options) for text in held_out()))


def run(seed: int, report: Callable[[int], None] = lambda update: None) -> tuple[dict, Held]:
    """Train one network and measure it; also its probabilities. The seconds are those of the updates, by the clock."""
    torch.set_num_threads(THREADS)
    torch.set_flush_denormal(True)
    model, updates = start(seed)
    seconds, losses, curve = 0.0, [], []
    for update in range(1, UPDATES + 1):
        begun = time.perf_counter()
        losses.append(next(updates))
        seconds += time.perf_counter() - begun
        if update % EVERY == 0:
            validation = bits(probabilities(model, topics.encode(held_out().validation)))
            curve.append({"update": update, "train": short(np.mean(losses[-100:])), "validation": short(validation)})
        report(update)
    found = read(model)
    share, mixture = mixed(found, counted(best_order()))
    outcome = {
        "seed": seed,
        "seconds": round(seconds, 1),
        "first_losses": [short(loss) for loss in losses[:FIRST]],
        "curve": curve,
        "network": _both(found.bits),
        "learning_while_reading": _both(read(model, **READING).bits),
        "mixture": {"share": share} | _both(mixture.bits),
    }
    return outcome, found


def results(advance: Callable[[str], None] = lambda what: None) -> dict:
    """The whole results file; `advance` is told what is done, once an update."""
    runs = seeded(NAME, run, advance)
    return summary([outcome for outcome, _ in runs], [found for _, found in runs])


def summary(outcomes: list[dict], found: list[Held]) -> dict:
    """Settings, baselines, runs, and over the seeds the mean, the lowest and the highest on the test part."""
    order = best_order()
    together = Held(*(np.mean(p, axis=0) for p in zip(*found, strict=True)))  # the networks vote
    share, mixture = mixed(together, counted(order))
    intervals = {
        name: interval([run[name]["test"] for run in outcomes])
        for name in ("network", "learning_while_reading", "mixture")
    }
    return settings() | {
        "compressors": {name: _both(compressed(name)) for name in COMPRESSORS},
        "counting": {str(n): _both(counted(n).bits) for n in ORDERS} | {"best": order},
        "together": _both(together.bits),
        "together_and_counting": {"share": share} | _both(mixture.bits),
        "test": intervals | {"seconds": interval([run["seconds"] for run in outcomes])},
        "runs": outcomes,
    }


def settings() -> dict:
    """What stands at the head of the results file."""
    network = {"kind": KIND, "hidden": HIDDEN, "dropout": DROPOUT, "decay": DECAY}
    learning = {"rows": SHAPE[0], "steps": SHAPE[1], "rate": RATE, "updates": UPDATES, "threads": THREADS}
    learning |= {"reading": READING}
    parameters = sum(p.numel() for p in start(0)[0].parameters())
    sizes = {part: len(text) for part, text in topics.split()._asdict().items()}
    head = {"task": NAME, "measure": "bits a character", "characters": sizes, "text": fingerprint()}
    return head | network | {"parameters": parameters} | learning | {"versions": versions(torch, np)}


def fingerprint() -> str:
    """The text comes from the standard library of the Python that runs, and differs between its versions."""
    return hashlib.sha256("".join(topics.split()).encode()).hexdigest()[:16]


def _both(held: Held) -> dict[str, float]:
    return {"validation": short(held.validation), "test": short(held.test)}
