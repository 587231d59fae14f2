"""The translators: English to Chinese and back, with attention and without, from three seeds, against two look-ups.

Everything is chosen on the validation part and measured on the test part. The networks of seed 0 with attention are
kept as checkpoints, which the page `translation` loads.
"""

import platform
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from sacrebleu.metrics import BLEU, CHRF

from rnncourse.data.interface import LONGEST, Pair, split
from rnncourse.lookup import DICE, Dictionary, translation_memory
from rnncourse.translation import CHECKPOINTS, Settings, Translator, learn, prepare, save

NAME = "translation"
SEEDS = (0, 1, 2)
FIRST = 2  # updates whose losses are kept, so that a test can repeat them
EVERY = 50  # updates of which the mean loss is kept
BEAM, LENGTH_POWER = 5, 2.0  # chosen on the validation part, with seed 0: powers 1, 1.5 and 2
THERE, BACK = ("english", "chinese"), ("chinese", "english")


class Entry(NamedTuple):
    """One row: a direction and a network."""

    name: str
    settings: Settings
    checkpoint: str | None = None  # the file that keeps the network of seed 0


ENTRIES = (
    Entry("with attention", Settings(THERE), "translation-en-zh.pt"),
    Entry("with attention", Settings(BACK), "translation-zh-en.pt"),
    Entry("without attention", Settings(THERE, attention=False)),
    Entry("with attention, scheduled sampling", Settings(THERE, sampled=0.25)),
)


def metrics(target: str) -> tuple[BLEU, CHRF]:
    """Corpus BLEU (Papineni et al. 2002) and chrF (Popović 2015) for a target language.

    Chinese is compared by characters. English is compared in lower case, since nothing in Chinese tells capitals.
    """
    lower = target == "english"
    return BLEU(tokenize="13a" if lower else "zh", lowercase=lower), CHRF(lowercase=lower)


def scores(texts: Sequence[str], pairs: Sequence[Pair], target: str) -> dict[str, float]:
    """BLEU, its brevity penalty and chrF of translations."""
    right = [[getattr(pair, target) for pair in pairs]]
    bleu, chrf = (metric.corpus_score(texts, right) for metric in metrics(target))
    return {"bleu": round(bleu.score, 2), "brevity": round(bleu.bp, 3), "chrf": round(chrf.score, 2)}


def signatures(target: str) -> list[str]:
    """What sacrebleu calls the two measures, once they have been used."""
    found = []
    for metric in metrics(target):
        metric.corpus_score(["x"], [["x"]])
        found.append(str(metric.get_signature()))
    return found


def measure(translator: Translator, pairs: Sequence[Pair], beam: int, length_power: float) -> dict[str, float]:
    """The scores of a translator."""
    source, target = translator.settings.direction
    found = translator.translate([getattr(pair, source) for pair in pairs], beam, length_power)
    return scores([translation.text for translation in found], pairs, target)


def run(entry: Entry, seed: int, report: Callable[[int], None] = lambda update: None) -> dict:
    """Train one network and translate. The seconds are CPU seconds of the updates."""
    torch.set_num_threads(1)
    train, valid, test = split()
    translator = prepare(train, entry.settings, seed)
    begun = time.process_time()
    losses = learn(translator, train, seed, report)
    seconds = round(time.process_time() - begun, 1)
    if entry.checkpoint and seed == 0:
        CHECKPOINTS.mkdir(exist_ok=True)
        save(translator, CHECKPOINTS / entry.checkpoint)
    return {
        "seed": seed,
        "seconds": seconds,
        "first_losses": [float(f"{loss:.4g}") for loss in losses[:FIRST]],
        "losses": [round(float(np.mean(losses[i : i + EVERY])), 3) for i in range(0, len(losses), EVERY)],
        "valid": measure(translator, valid, BEAM, LENGTH_POWER),
        "greedy": measure(translator, test, 1, LENGTH_POWER),
        "beam": measure(translator, test, BEAM, LENGTH_POWER),
    }


def row(entry: Entry, runs: list[dict]) -> dict:
    """One row of the results file: of the seeds the mean, the lowest and the highest."""
    model = prepare(split().train, entry.settings, 0).model
    summary = {
        f"{search}_{measure}": _interval([run[search][measure] for run in runs])
        for search in ("greedy", "beam")
        for measure in ("bleu", "chrf")
    }
    return {
        "name": entry.name,
        "settings": entry.settings._asdict(),
        "parameters": sum(weights.numel() for weights in model.parameters()),
        **summary,
        "seconds": _interval([run["seconds"] for run in runs]),
        "runs": runs,
    }


def baselines() -> list[dict]:
    """The look-ups, in both directions."""
    train, _, test = split()
    rows = []
    for direction in (THERE, BACK):
        source, target = direction
        texts = [getattr(pair, source) for pair in test]
        dictionary = Dictionary.learn(train, direction, DICE[target])
        for name, found in (
            ("translation memory", translation_memory(train, texts, direction)),
            ("dictionary, word by word", [dictionary.translate(text) for text in texts]),
        ):
            rows.append({"name": name, "direction": direction, **scores(found, test, target)})
    return rows


def settings() -> dict:
    """What stands at the head of the results file."""
    versions = {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}
    sizes = {part: len(pairs) for part, pairs in split()._asdict().items()}
    search = {"beam": BEAM, "length_power": LENGTH_POWER, "longest": LONGEST, "every": EVERY}
    named = {target: signatures(target) for _, target in (THERE, BACK)}
    return {"task": NAME, "measure": "BLEU", "pairs": sizes} | search | {"signatures": named, "versions": versions}


def results(advance: Callable[[str], None] = lambda what: None) -> dict:
    """The whole results file; `advance` is told what is done, once an update."""
    rows = []
    for entry in ENTRIES:
        runs = []
        for seed in SEEDS:
            what = f"{NAME}: {' to '.join(entry.settings.direction)} {entry.name}, seed {seed}"
            runs.append(run(entry, seed, lambda update, what=what: advance(f"{what}, update {update}")))
        rows.append(row(entry, runs))
    return settings() | {"baselines": baselines(), "rows": rows}


def _interval(values: list[float]) -> list[float]:
    return [float(f"{value:.4g}") for value in (np.mean(values), min(values), max(values))]
