"""The exercise `recurrence`: every mistake caught and recognised, every right way accepted, nothing given away."""

from pathlib import Path

import nbformat
import numpy as np
import pytest

from rnncourse.check import CheckFailed, recurrence
from rnncourse.check.notebooks import answered, diagnosis, scores
from rnncourse.check.task import edited

ROOT = Path(__file__).parents[2]
SOLUTION = nbformat.read(ROOT / "solutions/recurrence/recurrence.ipynb", as_version=4)
RELEASE = nbformat.read(ROOT / "exercises/recurrence/recurrence.ipynb", as_version=4)
TASKS = recurrence.TASKS
MISTAKES = [pytest.param(t, m, id=f"{t.name}-{m.name}") for t in TASKS.values() for m in t.mistakes]
VARIANTS = [pytest.param(t, v, id=f"{t.name}-{v.name}") for t in TASKS.values() for v in t.variants]


@pytest.fixture(scope="module")
def full_marks():
    return scores(SOLUTION)


def test_the_exercise_is_as_large_as_promised(full_marks):
    manual = sum(cell.metadata.nbgrader.get("points", 0) for cell in SOLUTION.cells if cell.cell_type == "markdown")
    assert sum(full_marks.values()) + manual == 25
    assert len(MISTAKES) >= 12
    assert len(VARIANTS) >= 6


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_the_answer_cell_of_the_solution_is_the_reference(task):
    [cell] = [c for c in SOLUTION.cells if c.metadata.nbgrader.grade_id == task.name]
    lines = [line for line in cell.source.splitlines() if "### " not in line]
    assert "\n".join(lines).endswith(task.source.rstrip())


@pytest.mark.parametrize("name", TASKS)
def test_the_check_of_the_released_notebook_says_that_nothing_is_written(name):
    assert "it is not written yet" in diagnosis(RELEASE, f"{name}-check")


def test_the_blank_answers_earn_nothing_under_the_hidden_tests():
    blank = {c.metadata.nbgrader.grade_id: c.source for c in RELEASE.cells if c.metadata.nbgrader.solution}
    assert sum(scores(answered(SOLUTION, blank)).values()) == 0


@pytest.mark.parametrize(("task", "mistake"), MISTAKES)
def test_hidden_tests_catch_the_mistake(task, mistake, full_marks):
    got = scores(answered(SOLUTION, {task.name: edited(task.source, mistake)}))
    assert sum(got.values()) < sum(full_marks.values())
    own = [name for name in got if name.startswith(f"{task.name}-") and full_marks[name] > 0]
    assert any(got[name] < full_marks[name] for name in own), "only the tests of another task noticed"


@pytest.mark.parametrize(("task", "mistake"), MISTAKES)
def test_the_visible_check_recognises_the_mistake(task, mistake):
    message = diagnosis(answered(SOLUTION, {task.name: edited(task.source, mistake)}), f"{task.name}-check")
    words = " ".join(message.split())
    assert words.startswith(f"{task.name} is not right yet")
    assert " ".join(mistake.sentence.split()) in words
    assert "What is wrong: " in words
    assert task.source.splitlines()[-1].strip() not in words, "the message gives the answer away"


@pytest.mark.parametrize(("task", "variant"), VARIANTS)
def test_another_right_way_gets_full_marks_and_passes_the_check(task, variant, full_marks):
    notebook = answered(SOLUTION, {task.name: variant.source})
    assert scores(notebook) == full_marks
    assert diagnosis(notebook, f"{task.name}-check") is None


def test_names_of_mistakes_are_unique_in_a_task():
    for task in TASKS.values():
        names = [m.name for m in task.mistakes]
        assert len(names) == len(set(names))


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
    recurrence.check("rnn_step", recurrence.rnn_step)
    assert capsys.readouterr().out == "✓ rnn_step is right on 3 cases. The graded tests try more.\n"


def test_an_edit_that_no_longer_fits_is_refused():
    with pytest.raises(ValueError, match="stands 0 times"):
        edited("def f(): pass", recurrence.STEP.mistakes[0])
