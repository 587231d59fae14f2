"""The translators' results: those of the code of today, with what the page reads, and what it says in words."""

import importlib
import json
import platform
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from rnncourse import lookup
from rnncourse import translation as translators
from rnncourse.data.interface import Pair, split

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the scoreboard is no part of the installed package
main, translation = (importlib.import_module(f"scoreboard.{name}") for name in ("__main__", "translation"))
TEXT = (ROOT / "scoreboard/results/translation.json").read_text(encoding="utf-8")
BOARD = json.loads(TEXT)
ROWS = [
    pytest.param(entry, row, id=f"{'-'.join(entry.settings.direction)}-{entry.name}")
    for entry, row in zip(translation.ENTRIES, BOARD["rows"], strict=False)
]
THERE, BACK = translation.THERE, translation.BACK


def rows(direction):
    """The networks and the look-ups of a direction."""
    networks = {row["name"]: row for row in BOARD["rows"] if tuple(row["settings"]["direction"]) == direction}
    return networks, {row["name"]: row for row in BOARD["baselines"] if tuple(row["direction"]) == direction}


def test_the_head_is_that_of_the_code():
    want = json.loads(json.dumps(translation.settings()))
    assert {key: BOARD[key] for key in want if key != "versions"} == {k: v for k, v in want.items() if k != "versions"}
    assert set(BOARD["versions"]) == {"python", "torch", "numpy"}


def test_there_is_a_row_for_every_network():
    assert [row["name"] for row in BOARD["rows"]] == [entry.name for entry in translation.ENTRIES]


@pytest.mark.parametrize(("entry", "row"), ROWS)
def test_a_row_has_the_settings_of_the_code_and_its_seeds_in_order(entry, row):
    assert row["settings"] == json.loads(json.dumps(entry.settings._asdict()))
    assert [run["seed"] for run in row["runs"]] == list(translation.SEEDS[: len(row["runs"])])
    for run in row["runs"]:
        assert len(run["losses"]) == entry.settings.updates / translation.EVERY
        assert run["losses"][-1] < run["losses"][0]
        assert 0 < run["seconds"] < 360  # 180 seconds on two cores


@pytest.mark.parametrize(("entry", "row"), ROWS)
def test_the_summary_is_that_of_the_runs(entry, row):
    assert json.loads(json.dumps(translation.row(entry, row["runs"]))) == row


@pytest.mark.parametrize(("entry", "row"), ROWS)
def test_the_first_loss_comes_out_again(entry, row):
    run = row["runs"][-1]
    translator = translators.prepare(split().train, entry.settings._replace(updates=6), run["seed"])
    # The rates depend on the number of all updates, so only the loss before any update is the same in a short run.
    losses = translators.learn(translator, split().train, run["seed"])
    np.testing.assert_allclose(losses[0], run["first_losses"][0], rtol=2e-3)


def test_the_look_ups_come_out_again():
    assert json.loads(json.dumps(translation.baselines())) == BOARD["baselines"]


def test_nothing_names_the_machine():
    assert platform.node() not in TEXT or not platform.node()
    assert re.findall(r"/(?:home|work|tmp|Users|root)\b", TEXT) == []


def test_the_command_writes_the_file(monkeypatch, tmp_path):
    assert main.MODULES["translation"] is translation
    monkeypatch.setattr(main, "RESULTS", tmp_path)
    monkeypatch.setattr(translation, "results", lambda advance: [advance("seed 0"), {"rows": [1, 2]}][1])
    assert main.main(["translation"]) == 0
    assert json.loads((tmp_path / "translation.json").read_text(encoding="utf-8")) == {"rows": [1, 2]}


# --- checkpoints ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("entry", "row"), [row for row in ROWS if row.values[0].checkpoint])
def test_a_checkpoint_is_small_and_is_the_network_of_seed_0(entry, row):
    torch.set_num_threads(1)
    path = translation.CHECKPOINTS / entry.checkpoint
    assert path.stat().st_size <= 2_000_000
    translator = translators.load(path)
    assert translator.settings == entry.settings
    found = translation.measure(translator, split().valid, translation.BEAM, translation.LENGTH_POWER)
    # A byte for every weight changes a few translations.
    assert found["bleu"] == pytest.approx(row["runs"][0]["valid"]["bleu"], abs=1.5)


# --- What the page says in words --------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", [THERE, BACK])
def test_the_network_with_attention_is_far_ahead_of_the_memory(direction):
    networks, look_ups = rows(direction)
    assert networks["with attention"]["beam_bleu"][1] > look_ups["translation memory"]["bleu"] + 4
    assert networks["with attention"]["beam_chrf"][1] > look_ups["translation memory"]["chrf"] + 4


def test_the_network_is_ahead_of_the_dictionary_in_bleu():
    networks, look_ups = rows(THERE)
    assert networks["with attention"]["beam_bleu"][1] > look_ups["dictionary, word by word"]["bleu"]
    assert networks["with attention"]["beam_bleu"][1] > 28.5


def test_the_dictionary_beats_the_network_without_attention_into_chinese():
    networks, look_ups = rows(THERE)
    assert look_ups["dictionary, word by word"]["bleu"] > networks["without attention"]["beam_bleu"][2]


def test_into_english_the_dictionary_keeps_up_in_letters_and_not_in_runs_of_words():
    networks, look_ups = rows(BACK)
    network, dictionary = networks["with attention"], look_ups["dictionary, word by word"]
    assert network["beam_chrf"][0] == pytest.approx(dictionary["chrf"], abs=1)
    assert network["beam_bleu"][1] > dictionary["bleu"] + 10


def test_with_and_without_attention_the_training_losses_end_together():
    networks, _ = rows(THERE)
    one, other = (networks[f"{word} attention"]["runs"][0]["losses"] for word in ("with", "without"))
    assert one[-1] == pytest.approx(other[-1], abs=0.15)
    assert one[0] - one[-1] > 4


def test_scheduled_sampling_gains_nothing():
    networks, _ = rows(THERE)
    plain, sampled = networks["with attention"], networks["with attention, scheduled sampling"]
    for measure in ("greedy_bleu", "beam_bleu", "beam_chrf"):
        assert sampled[measure][0] <= plain[measure][2]
    assert sampled["seconds"][0] > plain["seconds"][0]


def test_attention_helps_and_so_does_the_beam():
    networks, _ = rows(THERE)
    assert networks["with attention"]["beam_bleu"][1] > networks["without attention"]["beam_bleu"][2]
    for row in networks.values():
        assert row["beam_bleu"][0] > row["greedy_bleu"][0]


def test_the_settings_were_chosen_on_the_validation_part():
    train, valid, _ = split()
    for direction in (THERE, BACK):
        source, target = direction
        bleu = {}
        for least in (0.1, 0.2, 0.3, 0.4):
            dictionary = lookup.Dictionary.learn(train, direction, least)
            found = [dictionary.translate(getattr(pair, source)) for pair in valid]
            bleu[least] = translation.scores(found, valid, target)["bleu"]
        assert max(bleu, key=bleu.get) == lookup.DICE[target]


# --- The measuring itself ---------------------------------------------------------------------------------------

PAIRS = [
    Pair("Open %s", "打开 %s", ""),
    Pair("Open the file", "打开文件", ""),
    Pair("Close the file", "关闭文件", ""),
    Pair("Close %(name)s", "关闭 %(name)s", ""),
]


def test_a_perfect_translation_scores_100_and_an_empty_one_0():
    for target in ("english", "chinese"):
        right = [getattr(pair, target) for pair in PAIRS]
        assert translation.scores(right, PAIRS, target) == {"bleu": 100, "brevity": 1, "chrf": 100}
        assert translation.scores([""] * 4, PAIRS, target)["chrf"] == 0


def test_english_is_measured_without_its_capitals():
    shouted = [pair.english.upper().replace("%S", "%s") for pair in PAIRS]
    assert translation.scores(shouted, PAIRS, "english")["bleu"] > 99
    assert "case:lc" in translation.signatures("english")[0]
    assert "tok:zh" in translation.signatures("chinese")[0]


def test_the_memory_returns_the_nearest_with_the_placeholder_exchanged():
    found = lookup.translation_memory(PAIRS, ["Open {x}", "close the files"], THERE)
    assert found == ["打开 {x}", "关闭文件"]


def test_the_dictionary_finds_the_words():
    there, back = (lookup.Dictionary.learn(PAIRS, direction, 0.1) for direction in (THERE, BACK))
    assert there.entries[("open",)] == ("打", "开")
    assert there.entries[("file",)] == ("文", "件")
    assert there.translate("Open the Window %(x)s") in ("打开文件 %(x)s", "打开 %(x)s")
    assert back.entries[("关", "闭")] == ("close",)
    assert back.translate("打开 %d") == "open %d"
