import copy

import nbformat.v4 as v4
import pytest

from rnncourse.check.notebooks import answered, diagnosis, scores


def cell(name, source, **record):
    return v4.new_code_cell(source, metadata={"nbgrader": {"grade_id": name, **record}})


@pytest.fixture
def notebook():
    return v4.new_notebook(
        cells=[
            v4.new_markdown_cell("# Title"),
            cell("answer", "value = 1", solution=True, grade=False),
            cell("small", "assert value > 0", solution=False, grade=True, points=1),
            cell("large", "assert value > 1", solution=False, grade=True, points=2),
        ]
    )


def test_answered_replaces_the_answer_in_a_copy(notebook):
    before = copy.deepcopy(notebook)
    assert answered(notebook, {"answer": "value = 2"}).cells[1].source == "value = 2"
    assert notebook == before


@pytest.mark.parametrize("name", ["small", "nothing"])
def test_answered_refuses_what_is_no_answer_cell(notebook, name):
    with pytest.raises(KeyError, match=f"no answer cell '{name}'"):
        answered(notebook, {name: ""})


@pytest.mark.parametrize(
    ("answer", "points"),
    [
        ("value = 2", {"small": 1, "large": 2}),
        ("value = 1", {"small": 1, "large": 0}),
        ("value = 0", {"small": 0, "large": 0}),
        ("syntax error", {"small": 0, "large": 0}),
    ],
)
def test_scores_gives_the_points_of_the_tests_that_pass(notebook, answer, points):
    assert scores(answered(notebook, {"answer": answer})) == points


def test_diagnosis_refuses_a_cell_that_is_not_there(notebook):
    with pytest.raises(KeyError, match="no cell 'missing'"):
        diagnosis(notebook, "missing")
