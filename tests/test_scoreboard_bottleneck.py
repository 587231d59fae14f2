"""The results of `bottleneck` are those of the code, and hold what the chapter `attention` says in words."""

import datetime
import itertools
import json
import platform
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from rnncourse.data import dates
from rnncourse.seq2seq import fit
from rnncourse.vocabulary import PAD
from scoreboard import bottleneck

TEXT = (Path(__file__).parents[1] / "scoreboard" / "results" / "bottleneck.json").read_text("utf-8")
BOARD = json.loads(TEXT)
ROWS = {row["name"]: row for row in BOARD["rows"]}
SCORES = ("dot score", "general score", "additive score")


def of_seeds(name, length):
    """The share of exact lists, seed by seed."""
    return [run["lists"][str(length)]["exact"] for run in ROWS[name]["runs"]]


# --- The committed file -----------------------------------------------------------------------------------------


def test_the_file_holds_the_rows_and_settings_of_the_code():
    assert list(ROWS) == [entry.name for entry in bottleneck.ENTRIES]
    want = bottleneck.settings()
    assert {name: BOARD[name] for name in want if name != "versions"} == {n: want[n] for n in want if n != "versions"}
    for row in BOARD["rows"]:
        assert [run["seed"] for run in row["runs"]] == list(bottleneck.SEEDS)


@pytest.mark.parametrize("entry", bottleneck.ENTRIES, ids=lambda entry: entry.name)
def test_the_first_updates_come_out_again(entry):
    run = ROWS[entry.name]["runs"][1]
    model = bottleneck.start(entry, run["seed"])
    losses = fit(model, bottleneck.learned_from(run["seed"]), 8, bottleneck.RATE, run["seed"])  # FIRST are kept
    np.testing.assert_allclose(losses[: bottleneck.FIRST], run["first_losses"], rtol=2e-3)


@pytest.mark.parametrize("entry", bottleneck.ENTRIES, ids=lambda entry: entry.name)
def test_the_summary_is_that_of_the_runs(entry):
    assert bottleneck.row(entry, ROWS[entry.name]["runs"]) == ROWS[entry.name]


def test_nothing_names_the_machine():
    assert not platform.node() or platform.node() not in TEXT
    assert re.findall(r"/(?:home|work|tmp|Users|root)\b", TEXT) == []


# --- What the chapter says in words -----------------------------------------------------------------------------


def test_budgets_are_equal():
    without, twice = ROWS["without attention"], ROWS["without attention, twice the updates"]
    assert {ROWS[name]["updates"] for name in SCORES} == {without["updates"]}
    assert twice["updates"] == 2 * without["updates"]
    assert ROWS["dot score"]["parameters"] == without["parameters"] == twice["parameters"]
    for name in SCORES:  # twice the updates without attention take about as long
        assert ROWS[name]["seconds"][0] > 1.3 * without["seconds"][0]


def test_the_price_of_one_vector_grows_with_the_length():
    for name in ("without attention", "without attention, twice the updates"):
        mean = [ROWS[name]["exact"][str(length)][0] for length in BOARD["tried"]]
        assert mean == sorted(mean, reverse=True)
        assert max(of_seeds(name, 3) + of_seeds(name, 4)) < 10
        for length in (2, 3, 4):
            assert max(of_seeds(name, length)) < min(min(of_seeds(score, length)) for score in SCORES)
    assert max(of_seeds("without attention", 1)) < 70 < min(of_seeds("without attention, twice the updates", 1))


def test_with_attention_nearly_all_is_right_as_far_as_was_learned():
    assert min(share for name in SCORES for length in (1, 2, 3) for share in of_seeds(name, length)) > 90
    for name in SCORES:
        assert max(of_seeds("additive score", 4)) >= max(of_seeds(name, 4))
        assert all(a >= b for a, b in zip(of_seeds("additive score", 4), of_seeds(name, 4), strict=True))
    dot, general = of_seeds("dot score", 4), of_seeds("general score", 4)
    assert max(min(dot), min(general)) < min(max(dot), max(general))  # the ranges overlap
    loss = {name: [run["last_loss"] for run in ROWS[name]["runs"]] for name in SCORES}
    assert max(loss["additive score"]) < min(loss["dot score"] + loss["general score"])
    assert sum(one > max(loss["dot score"]) for one in loss["general score"]) == 2
    cost = {name: (ROWS[name]["parameters"], ROWS[name]["seconds"][0]) for name in SCORES}
    assert all(cost["additive score"][n] == max(one[n] for one in cost.values()) for n in (0, 1))


def test_five_dates_fail_from_the_second_on_and_mostly_four_are_written():
    for name in ROWS:
        assert max(of_seeds(name, 5)) < 10
    for name in SCORES:
        five = [run["lists"]["5"] for run in ROWS[name]["runs"]]
        places = np.mean([one["right_by_place"] for one in five], axis=0)
        assert places[0] > 95
        assert list(places[:4]) == sorted(places[:4], reverse=True)
        assert np.mean([one["written"][4] for one in five]) > 50
    dot = [run["lists"]["5"] for run in ROWS["dot score"]["runs"]]
    assert min(min(one["right_by_place"][4] - one["right_by_place"][n] for n in (2, 3)) for one in dot) > 0
    others = [run["lists"]["5"] for name in SCORES[1:] for run in ROWS[name]["runs"]]
    assert min(one["written"][5] for one in dot) > max(one["written"][5] for one in others)


# --- The measuring itself ---------------------------------------------------------------------------------------


def test_lists_are_of_the_asked_length_and_in_known_characters():
    source, target = bottleneck.vocabularies()
    for part, length in itertools.product(("train", "test"), (1, 5)):
        one = bottleneck.lists(40, length, part, np.random.default_rng(0))
        written = ["".join(target.decode(row)) for row in one.target_out.tolist()]
        assert {len(text.split()) for text in written} == {length}
        assert all(dates.part_of(datetime.date.fromisoformat(d)) == part for text in written for d in text.split())
        assert "<unknown>" not in {token for row in one.source.tolist() for token in source.decode(row)}
        assert ((one.source != PAD) == one.mask).all()


class Parrot:
    """A model that has read the answers, but for what `spoil` does to them."""

    def __init__(self, length, spoil):
        self.rows = [spoil(row) for row in bottleneck.held_out(length).target_out.tolist()]

    def searcher(self, source, mask):
        width = max(map(len, self.rows))
        tokens = torch.tensor([row + [PAD] * (width - len(row)) for row in self.rows])

        def step(last, state):
            tokens, place = state
            V = len(bottleneck.vocabularies()[1])
            one = torch.nn.functional.one_hot(tokens[torch.arange(len(tokens)), place[:, 0].clamp(max=width - 1)], V)
            return one.double().log(), (tokens, place + 1)

        return step, (tokens, torch.zeros(len(tokens), 1, dtype=torch.long))


def test_an_outcome_counts_exact_lists_places_and_dates():
    n = bottleneck.HELD_OUT
    right = bottleneck.outcome(Parrot(3, lambda row: row), 3)
    assert right == {"exact": 100.0, "right_by_place": [100.0] * 3, "written": [0.0, 0.0, 0.0, 100.0, 0.0, 0.0]}
    digits = bottleneck.vocabularies()[1].encode("0123456789")
    other = {digit: digits[(i + 1) % 10] for i, digit in enumerate(digits)}
    wrong = bottleneck.outcome(Parrot(3, lambda row: [other[row[0]], *row[1:]]), 3)
    assert wrong == right | {"exact": 0.0, "right_by_place": [0.0, 100.0, 100.0]}
    short = bottleneck.outcome(Parrot(3, lambda row: [*row[:21], row[row.index(2)]]), 3)
    assert short == {"exact": 0.0, "right_by_place": [100.0, 100.0, 0.0], "written": [0.0, 0.0, 100.0, 0.0, 0.0, 0.0]}
    assert n == 300
