"""The scoreboard: its committed results are those of the code of today, and hold what the pages read."""

import importlib
import itertools
import json
import platform
import re
from pathlib import Path

import numpy as np
import pytest

from rnncourse.cells import GRUCell, LSTMCell, RNNCell
from rnncourse.gradcheck import finite_differences, relative_error
from rnncourse.train import LastStep, Progress
from rnncourse.unroll import Parameters

ROOT = Path(__file__).parents[1]
main, task_module, every_step = (
    importlib.import_module(f"scoreboard.{name}") for name in ("__main__", "task", "every_step")
)
TASKS = main.TASKS
TEXTS = {name: (main.RESULTS / f"{name}.json").read_text(encoding="utf-8") for name in TASKS}
BOARD = {name: json.loads(text) for name, text in TEXTS.items()}
ROWS = [
    pytest.param(task, entry, row, id=f"{name}-{entry.group}-{entry.name}")
    for name, task in TASKS.items()
    for entry, row in zip(task.entries, BOARD[name]["rows"], strict=False)
]


def groups(name):
    return list(dict.fromkeys(row["group"] for row in BOARD[name]["rows"]))


def rows(name, group):
    return {row["name"]: row for row in BOARD[name]["rows"] if row["group"] == group}


# --- The committed files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TASKS)
def test_a_file_holds_the_rows_of_the_code_with_its_settings(name):
    task, board = TASKS[name], BOARD[name]
    assert len(board["rows"]) == len(task.entries)
    for entry, row in zip(task.entries, board["rows"], strict=True):
        wanted = entry._replace(cell=repr(entry.cell))._asdict()
        assert {key: row[key] for key in wanted} == wanted
        assert [run["seed"] for run in row["runs"]] == list(task_module.SEEDS)
    assert (board["batch"], board["clip_norm"]) == (task.batch, task.limit)
    assert board["every"] == task.every
    assert board["solved_below"] == task.solved
    assert set(board["versions"]) == {"python", "numpy"}


@pytest.mark.parametrize(("task", "entry", "row"), ROWS)
def test_the_first_updates_come_out_again(task, entry, row):
    if task.text() != BOARD[task.name]["text"]:
        pytest.skip("this Python's standard library has other lines than the one that the results were made with")
    run = row["runs"][1]
    updates = task_module.start(task, entry, run["seed"])
    losses = [progress.loss for progress in itertools.islice(updates, len(run["first_losses"]))]
    assert len(losses) == task_module.FIRST
    # float32 sums in another order make another last digit, and an IRNN multiplies it within an update or two
    np.testing.assert_allclose(losses, run["first_losses"], rtol=5e-2)


@pytest.mark.parametrize(("task", "entry", "row"), ROWS)
def test_the_summary_is_that_of_the_runs(task, entry, row):
    again = task_module.row(task, entry, row["runs"])
    assert {key: again[key] for key in row} == row


@pytest.mark.parametrize(("task", "entry", "row"), ROWS)
def test_a_run_is_whole(task, entry, row):
    for run in row["runs"]:
        looks = run["updates"] // task.every
        assert len(run["errors"]) == (looks if not run["diverged"] else (run["updates"] - 1) // task.every)
        assert np.isfinite(run["errors"]).all()
        assert run["solved"] == (task.solved is not None and run["errors"] != [] and run["errors"][-1] < task.solved)
        assert run["solved"] or run["diverged"] or run["updates"] == entry.updates
        assert run["seconds"] > 0


def test_nothing_names_the_machine():
    for text in TEXTS.values():
        assert platform.node() not in text or not platform.node()
        assert re.findall(r"/(?:home|work|tmp|Users|root)\b", text) == []


@pytest.mark.parametrize(
    ("name", "width", "count"),
    [
        ("adding", "T = 100, 32 units each", "T = 100, as many parameters as the GRU"),
        ("copying", "64 units each", "as many parameters as the GRU"),
        ("language", "128 units each", "as many parameters as the GRU"),
    ],
)
def test_networks_that_are_compared_at_an_equal_count_have_one(name, width, count):
    budget = rows(name, width)["GRU"]["parameters"]
    others = rows(name, count)
    assert {"RNN", "LSTM"} <= set(others)
    for row in others.values():
        assert row["parameters"] == pytest.approx(budget, rel=0.05)
    assert len({row["hidden"] for row in rows(name, width).values()}) == 1


# --- What the pages say in words --------------------------------------------------------------------------------

LONG, SHORT = "T = 200, 32 units each", "T = 100, 32 units each"


@pytest.mark.parametrize("group", [SHORT, LONG])
def test_the_gated_cells_solve_the_adding_problem_and_the_plain_one_does_not(group):
    found = rows("adding", group)
    assert found["GRU"]["solved"] == found["LSTM"]["solved"] == 3
    assert found["RNN"]["solved"] == 0
    assert min(found["RNN"]["error"]) > 0.9 / 6


@pytest.mark.parametrize("group", [SHORT, LONG])
def test_the_gru_needs_the_fewest_updates_from_every_seed(group):
    found = rows("adding", group)
    updates = {name: [run["updates"] for run in row["runs"] if run["solved"]] for name, row in found.items()}
    assert all(max(updates["GRU"]) < min(updates[name]) for name in ("LSTM", "IRNN"))


@pytest.mark.parametrize("group", [SHORT, LONG])
def test_the_irnn_solves_the_adding_problem_with_gradients_that_need_clipping(group):
    found = rows("adding", group)
    assert found["IRNN"]["solved"] == 3
    norms = {name: [run["largest_norm"] for run in found[name]["runs"]] for name in ("IRNN", "GRU")}
    assert min(norms["IRNN"]) > 1e4 * max(norms["GRU"])


def test_the_copy_task_tells_the_gated_cells_apart():
    found = rows("copying", "64 units each")
    assert found["GRU, reset before"]["solved"] == 3
    assert 0 < found["GRU"]["solved"] < 3
    assert found["LSTM"]["solved"] == 0


def test_on_text_the_gated_cells_beat_counting_and_counting_beats_the_plain_network():
    found, counting = rows("language", "128 units each"), min(BOARD["language"]["baselines"].values())
    assert list(BOARD["language"]["baselines"].values()).index(counting) == 3  # characters back
    assert min(found["RNN"]["error"]) > counting
    assert max(max(row["error"]) for name, row in found.items() if name != "RNN") < counting
    (_, *gru), (_, *lstm) = found["GRU"]["error"], found["LSTM"]["error"]
    assert max(gru[0], lstm[0]) < min(gru[1], lstm[1])  # the ranges overlap


def test_at_an_equal_count_the_plain_network_gains_little_and_the_lstm_loses_a_little():
    cells = {name: [rows(name, group) for group in groups(name)] for name in ("copying", "language")}
    for wide, fair in cells.values():
        assert fair["RNN"]["error"][0] == pytest.approx(wide["RNN"]["error"][0], rel=0.05)
        assert min(wide["LSTM"]["error"][0], fair["LSTM"]["error"][0]) >= wide["GRU"]["error"][0]
    wide, fair = (group["LSTM"]["error"] for group in cells["copying"])
    assert max(wide[1], fair[1]) < min(wide[2], fair[2])  # the ranges overlap
    wide, fair = (group["LSTM"]["error"] for group in cells["language"])
    assert fair[0] > wide[0]
    assert rows("adding", "T = 100, as many parameters as the GRU")["RNN"]["solved"] == 0


# --- The measuring itself ---------------------------------------------------------------------------------------

SMALL = task_module.Entry("a group", "GRU", GRUCell(), steps=3, hidden=2, rate=0.1, updates=10)


def made_up(errors, diverges_at=None, solved=0.01):
    """A task whose held-out errors are given: a look at every second update."""
    told = iter(errors)

    def learn(entry, model, rng):
        for update in itertools.count(1):
            if update == diverges_at:
                raise FloatingPointError("the norm of the gradients is inf")
            yield Progress(model, 1 / update, norm=float(update))

    error = lambda entry, model: next(told)  # noqa: E731
    return task_module.Task("made up", "error", dict, (2, 1), 4, 1.0, 2, solved, (SMALL,), learn, error)


def test_a_run_ends_when_the_task_is_solved():
    run = task_module.run(made_up([0.5, 0.3, 0.009, 0.0]), SMALL, seed=0)
    assert (run["solved"], run["updates"], run["errors"]) == (True, 6, [0.5, 0.3, 0.009])
    assert run["first_losses"] == [1.0, 0.5, 0.3333]
    assert run["largest_norm"] == 6


def test_a_run_ends_when_its_updates_are_spent():
    run = task_module.run(made_up([0.5] * 9), SMALL, seed=0)
    assert (run["solved"], run["diverged"], run["updates"]) == (False, False, 10)
    unsolvable = task_module.run(made_up([0.0] * 9, solved=None), SMALL, seed=0)
    assert (unsolvable["solved"], unsolvable["updates"]) == (False, 10)


def test_a_run_that_diverges_says_so():
    run = task_module.run(made_up([0.5] * 9, diverges_at=4), SMALL, seed=0)
    assert (run["diverged"], run["solved"], run["errors"]) == (True, False, [0.5])
    summary = task_module.row(made_up([]), SMALL, [run])
    assert (summary["diverged"], summary["solved"], summary["error"]) == (1, 0, None)


def test_a_run_reports_every_look():
    heard = []
    task_module.run(made_up([0.5, 0.001]), SMALL, seed=0, report=lambda *what: heard.append(what))
    assert heard == [(2, 0.5), (4, 0.001)]


def test_the_interval_is_mean_lowest_and_highest():
    runs = [task_module.run(made_up([0.5, error]), SMALL, seed=0) for error in (0.001, 0.002, 0.006)]
    assert task_module.row(made_up([]), SMALL, runs)["error"] == [0.003, 0.001, 0.006]


@pytest.mark.parametrize("cell", [RNNCell("relu"), LSTMCell(), GRUCell()])
def test_the_first_weights_have_the_remedies_that_the_page_names(cell):
    entry = SMALL._replace(cell=cell, hidden=3)
    parameters = task_module.first_weights(entry, (2, 1), np.random.default_rng(0)).parameters
    assert np.array_equal(parameters.W, np.eye(3)) == (cell == RNNCell("relu"))
    assert (not parameters.b_x.any() and not parameters.b_h.any()) == (cell == RNNCell("relu"))
    assert np.array_equal(parameters.b_x[3:6], np.ones(3)) == (cell == LSTMCell())
    assert all(array.dtype == np.float32 for array in parameters[:4])


def test_the_gradient_of_a_loss_at_every_step_is_that_of_differences():
    rng = np.random.default_rng(0)
    cell, (B, T, D, H, O) = GRUCell(), (2, 4, 3, 2, 3)
    shapes = [(D, 3 * H), (H, 3 * H), (3 * H,), (3 * H,), (H, O), (O,)]
    arrays = [rng.normal(size=shape) for shape in shapes]
    mask = np.array([[True, True, True, False], [True, True, True, True]])
    batch = every_step.Batch(rng.normal(size=(B, T, D)), rng.integers(0, O, (B, T)), mask)

    def loss(place, array):
        new = [array if n == place else a for n, a in enumerate(arrays)]
        return every_step.loss_and_gradients(cell, LastStep(Parameters(*new[:4]), *new[4:]), batch)

    _, found = loss(0, arrays[0])
    for place, gradient in enumerate([*found.parameters[:4], found.V, found.c]):
        want = finite_differences(lambda array, place=place: loss(place, array)[0], arrays[place])
        assert relative_error(gradient, want) < 1e-7


def test_counting_gains_from_up_to_three_characters_back():
    bits = BOARD["language"]["baselines"]
    values = list(bits.values())
    assert values[0] > values[1] > values[2] > values[3] > 1


def test_a_task_that_does_not_exist_is_named(capsys):
    assert main.main(["chess"]) == 2
    assert "no task chess; the tasks are adding, copying, language" in capsys.readouterr().err


def test_a_file_keeps_lists_of_numbers_on_one_line():
    value = {"a": [1, 2.5], "b": [{"c": [3]}], "d": None}
    text = main.as_json(value)
    assert json.loads(text) == value
    assert '"a": [ 1, 2.5 ]' in text


def test_every_seed_has_its_run_and_says_how_far_it_is():
    said = []

    def run(seed, report):
        report(5)
        return {"seed": seed}

    assert task_module.seeded("a network", run, said.append) == [{"seed": seed} for seed in task_module.SEEDS]
    assert said == [f"a network, seed {seed}, update 5" for seed in task_module.SEEDS]
