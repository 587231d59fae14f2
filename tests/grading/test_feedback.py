"""What students get to see of their grade."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from rnncourse.grading.feedback import HideTests, with_mathml

SOURCE = "# 3 points\n### BEGIN HIDDEN TESTS\nassert f(1) == 2\n### END HIDDEN TESTS"


def cell(source: str, **record):
    return new_code_cell(source, metadata={"nbgrader": {"grade_id": "a", "locked": True, **record}})


def test_hidden_tests_are_left_out_and_nothing_else_is_touched():
    students = cell(SOURCE, grade=False, solution=True, locked=False)
    given = new_notebook(cells=[cell(SOURCE, grade=True, solution=False, points=3), students])
    shown, _ = HideTests().preprocess(nbformat.from_dict(given), {})
    assert shown.cells[0].source == "# 3 points\n# (and hidden tests)"
    assert shown.cells[1].source == SOURCE


@pytest.mark.parametrize("text", ["$h_t$", "$$h_t = f(x_t)$$", r"\begin{equation}h_t\end{equation}"])
def test_formulas_need_no_script(text):
    page = with_mathml(f"see {text}" if text.startswith("$h") else text)
    assert "<msub><mi>h</mi>" in page
    assert "$" not in page


@pytest.mark.parametrize("text", [r"$\frac{1$", "$&&$", r"$\left( x$", "$<script>$"])
def test_what_is_no_formula_does_no_harm(text):
    assert "<script>" not in with_mathml(text)
