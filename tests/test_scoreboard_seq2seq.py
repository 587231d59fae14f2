"""The results of `context` and `exposure` are those of the code: the first updates are made again."""

import json
from pathlib import Path

import numpy as np
import pytest

from scoreboard import context, exposure

RESULTS = Path(__file__).parents[1] / "scoreboard" / "results"
CONTEXT, EXPOSURE = (json.loads((RESULTS / f"{name}.json").read_text("utf-8")) for name in ("context", "exposure"))


@pytest.mark.parametrize("number", range(len(context.ENTRIES)))
def test_context_repeats(number):
    form, feed = context.ENTRIES[number]
    row = CONTEXT["rows"][number]
    assert (row["form"], row["feed"]) == (form, feed)
    run = row["runs"][number % 3]
    # one-cycle rates depend on the number of all updates, so only the first loss repeats in a short run
    again = context.run(form, feed, run["seed"], updates=8)
    np.testing.assert_allclose(again["first_losses"][0], run["first_losses"][0], rtol=2e-3)


@pytest.mark.parametrize("number", range(len(exposure.ENTRIES)))
def test_exposure_repeats(number):
    if exposure.settings()["text"] != EXPOSURE["text"]:
        pytest.skip("this Python's standard library has other lines than the one that the results were made with")
    row = EXPOSURE["rows"][number]
    assert row["name"] == exposure.ENTRIES[number].name
    run = row["runs"][number % 3]
    again = exposure.run(exposure.ENTRIES[number], run["seed"], updates=8)
    np.testing.assert_allclose(again["first_losses"][0], run["first_losses"][0], rtol=2e-3)


def test_the_longer_runs_begin_as_the_short_ones_do():
    assert [(row["form"], row["feed"]) for row in CONTEXT["longer"]] == list(context.LONGER)
    short = {(row["form"], row["feed"]): row["runs"] for row in CONTEXT["rows"]}
    for row in CONTEXT["longer"]:
        for run, other in zip(row["runs"], short[row["form"], row["feed"]], strict=True):
            assert run["first_losses"][0] == other["first_losses"][0]
            assert len(run["exact"]) == context.LONGER_UPDATES / context.EVERY == 4 * len(other["exact"])


def test_intervals_are_those_of_the_runs():
    for row in CONTEXT["rows"] + CONTEXT["longer"]:
        last = [run["exact"][-1] for run in row["runs"]]
        assert row["exact"] == [float(f"{np.mean(last):.4g}"), min(last), max(last)]
    for row in EXPOSURE["rows"]:
        for measure in ("exact", "wrong_free", "wrong_forced", "seconds"):
            values = [run[measure] for run in row["runs"]]
            assert row[measure] == [float(f"{np.mean(values):.4g}"), min(values), max(values)]


@pytest.mark.parametrize(("results", "module"), [(CONTEXT, context), (EXPOSURE, exposure)])
def test_settings_are_those_of_the_code(results, module):
    want, differ = module.settings(), ("versions", "text")  # with the Python that runs this
    assert {name: results[name] for name in want if name not in differ} == {
        name: value for name, value in want.items() if name not in differ
    }
