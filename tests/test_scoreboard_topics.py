"""The results for the language models: those of the code of today, and what the chapter says of them."""

import importlib
import itertools
import json
import platform
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from rnncourse.data import topics as data
from scoreboard.task import SEEDS

ROOT = Path(__file__).parents[1]
topics = importlib.import_module("scoreboard.topics")
TEXT = (ROOT / "scoreboard/results/topics.json").read_text(encoding="utf-8")
BOARD = json.loads(TEXT)
same_text = pytest.mark.skipif(
    topics.fingerprint() != BOARD["text"], reason="this Python's standard library has another text than the results"
)


@same_text
def test_the_settings_are_those_of_the_code():
    settings = topics.settings()
    assert set(settings["versions"]) == {"python", "torch", "numpy"}
    assert {key: BOARD[key] for key in settings if key != "versions"} == {
        key: value for key, value in settings.items() if key != "versions"
    }
    assert [run["seed"] for run in BOARD["runs"]] == list(SEEDS)


@same_text
def test_the_first_updates_come_out_again():
    run = BOARD["runs"][1]
    _, updates = topics.start(run["seed"])
    losses = list(itertools.islice(updates, topics.FIRST))
    np.testing.assert_allclose(losses, run["first_losses"], rtol=1e-2)


@same_text
def test_compressors_and_counting_come_out_again():
    for name, want in BOARD["compressors"].items():
        assert topics.compressed(name) == pytest.approx((want["validation"], want["test"]), rel=2e-2)
    for order in (2, 6):
        want = BOARD["counting"][str(order)]
        assert topics.counted(order).bits == pytest.approx((want["validation"], want["test"]), abs=1e-3)
    counting = {order: BOARD["counting"][str(order)]["validation"] for order in topics.ORDERS}
    assert counting[BOARD["counting"]["best"]] == min(counting.values())


def test_the_summary_is_that_of_the_runs():
    for name in ("network", "learning_while_reading", "mixture"):
        values = [run[name]["test"] for run in BOARD["runs"]]
        assert BOARD["test"][name] == pytest.approx([np.mean(values), min(values), max(values)], abs=1e-3)
    assert BOARD["test"]["seconds"][1:] == pytest.approx(
        [f(run["seconds"] for run in BOARD["runs"]) for f in (min, max)], abs=0.1
    )
    for run in BOARD["runs"]:
        assert [look["update"] for look in run["curve"]] == list(range(topics.EVERY, topics.UPDATES + 1, topics.EVERY))
        assert run["curve"][-1]["validation"] == run["network"]["validation"]
        assert run["mixture"]["share"] in topics.SHARES


def test_what_the_chapter_says_in_words():
    counting, compressors = BOARD["counting"][str(BOARD["counting"]["best"])]["test"], BOARD["compressors"].values()
    network, reading, mixture = (BOARD["test"][name] for name in ("network", "learning_while_reading", "mixture"))
    assert counting < min(held["test"] for held in compressors)
    assert counting < network[1]
    assert network[2] <= 1.70
    assert BOARD["test"]["seconds"][2] <= 120
    assert BOARD["threads"] == 2
    assert reading[2] < min(counting, *(held["test"] for held in compressors))
    assert mixture[2] < min(counting, network[1]) - 0.1


def test_a_mixture_is_chosen_on_the_validation_part():
    good, bad = np.full(5, 0.9), np.full(5, 0.1)
    network, counts = topics.Held(good, bad), topics.Held(bad, good)
    share, mixture = topics.mixed(network, counts)
    assert share == max(topics.SHARES)
    np.testing.assert_allclose(mixture.test, share * bad + (1 - share) * good)
    assert mixture.bits.validation == pytest.approx(-np.log2(share * 0.9 + (1 - share) * 0.1))


def test_a_small_run_is_whole(monkeypatch):
    _, validation, test = data.split()
    monkeypatch.setattr(topics, "UPDATES", 10)
    monkeypatch.setattr(topics, "EVERY", 5)
    monkeypatch.setattr(topics, "HIDDEN", 4)
    monkeypatch.setattr(topics, "SHAPE", (4, 8))
    monkeypatch.setattr(topics, "held_out", lambda: topics.Held(validation[:300], test[:300]))
    monkeypatch.setattr(topics, "best_order", lambda: 1)
    monkeypatch.setattr(topics, "counted", lambda order: topics.Held(np.full(300, 0.1), np.full(300, 0.1)))
    threads, heard = torch.get_num_threads(), []
    outcome, found = topics.run(0, heard.append)
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)
    assert heard == list(range(1, 11))
    assert [look["update"] for look in outcome["curve"]] == [5, 10]
    assert outcome["network"]["test"] == pytest.approx(found.bits.test, rel=1e-3)
    assert outcome["mixture"]["validation"] <= outcome["network"]["validation"]


def test_nothing_names_the_machine():
    assert platform.node() not in TEXT or not platform.node()
    assert re.findall(r"/(?:home|work|tmp|Users|root)\b", TEXT) == []
