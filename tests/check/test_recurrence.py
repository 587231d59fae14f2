"""The exercise `recurrence`: what its check says of answers that are no listed mistake."""

from pathlib import Path

import nbformat
import numpy as np
import pytest

from rnncourse.check import CheckFailed, recurrence
from rnncourse.check.notebooks import answered, diagnosis
from rnncourse.check.task import edited

ROOT = Path(__file__).parents[2]
SOLUTION = nbformat.read(ROOT / "solutions/recurrence/recurrence.ipynb", as_version=4)


@pytest.mark.parametrize("mistake", recurrence.STEP.mistakes[:3], ids=lambda m: m.name)
def test_a_mistake_in_rnn_step_is_named_when_rnn_forward_suffers_from_it(mistake):
    notebook = answered(SOLUTION, {"rnn_step": edited(recurrence.STEP.source, mistake)})
    words = " ".join(diagnosis(notebook, "rnn_forward-check").split())
    assert f"in rnn_step, {mistake.sentence}" in words


# --- What else a student may write ------------------------------------------------------------------------------


def said(name, answer):
    with pytest.raises(CheckFailed) as caught:
        recurrence.check(name, answer)
    return " ".join(str(caught.value).split())


def test_an_error_in_the_answer_is_shown_with_its_type():
    def rnn_step(x, h, U, W, b):
        return x @ W.nothing

    message = said("rnn_step", rnn_step)
    assert "it stops with AttributeError: " in message
    assert "return x @ W.nothing" in message
    assert "Likely cause" not in message


@pytest.mark.parametrize("answer", [3, None, "np.tanh"])
def test_an_answer_that_is_no_function_is_refused(answer):
    assert f"it should be a function, but is {answer!r}" in said("rnn_step", answer)


def test_a_function_with_other_parameters_is_refused():
    assert "it stops with TypeError" in said("rnn_step", lambda x: x)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([2, 8, ...], "it should be a list of numbers, but is [2, 8, Ellipsis]"),
        ([2, 8], "should be (step) = (3,), but is (2,)"),
        ([[2, 2], [8, 8], [20, 20]], "but is (3, 2)"),
        ("2 8 20", "it should be a list of numbers"),
        ([2, 8, float("nan")], "The first wrong step is 2"),
        ({}, "it should be a list of numbers"),
    ],
)
def test_a_hand_worked_answer_that_is_no_list_of_three_numbers(answer, message):
    assert message in said("outputs_by_hand", answer)


def test_an_unexplained_wrong_answer_gets_a_difference_and_no_cause():
    message = said("rnn_step", lambda x, h, U, W, b: np.tanh(x @ U + h @ W + b) + 0.01)
    assert "wrong values in 8 of 8 places" in message
    assert "Likely cause" not in message


def test_a_task_that_does_not_exist_is_named():
    with pytest.raises(KeyError, match="no task 'lstm_step' in this exercise; the tasks are rnn_step"):
        recurrence.check("lstm_step", None)


def test_a_right_answer_says_so(capsys):
    recurrence.check("rnn_step", lambda x, h, U, W, b: np.tanh(x @ U + h @ W + b))
    assert capsys.readouterr().out == "✓ rnn_step is right on 3 cases. The graded tests try more.\n"


def test_an_edit_that_no_longer_fits_is_refused():
    with pytest.raises(ValueError, match="stands 0 times"):
        edited("def f(): pass", recurrence.STEP.mistakes[0])
