"""What a submission prints while a test calls it."""

import contextlib
import os

import course
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from rnncourse.grading import notebook, wire
from rnncourse.grading.confine import Limits
from rnncourse.grading.process import Template, WarmProcess

LONG = 60_000  # characters: as much as is held back for one message


@pytest.fixture(scope="module")
def warm():
    """On one core, where the processes come in an order that two cores seldom show."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    with (
        contextlib.closing(Template([], [], unsafe=True)) as template,
        contextlib.closing(WarmProcess(template.wait(), Limits())) as warm,
    ):
        yield warm
    os.sched_setaffinity(0, cores)


@pytest.mark.parametrize("test", ["assert answer() == 2", "answer()"])
def test_it_stands_in_the_cell_of_that_test(warm, test):
    answer = new_code_cell(f"def answer():\n    print('x' * {LONG})\n    return 1")
    tests = [course.cell(f"test-{i}", test, grade=True, locked=True, points=1) for i in range(40)]
    ran = new_notebook(cells=[answer, *tests])
    notebook.run(ran, warm, {}, {wire.STUDENT: {}, wire.TESTS: {}}, {})
    printed = [cell.outputs[0].get("text", "") if cell.outputs else "" for cell in ran.cells[1:]]
    assert [len(text) for text in printed] == [LONG + 1] * len(tests)
    assert all(cell.outputs[-1].output_type in ("error", "execute_result") for cell in ran.cells[1:])
    nbformat.validate(ran)


def test_an_import_from_the_future_holds_in_the_cells_after_it(warm):
    """Those of the instructor's are compiled beforehand, and have to be compiled anew."""
    future = new_code_cell("from __future__ import annotations")
    test = course.cell("test", "def f(x: no_such_name): ...\nf.__annotations__", grade=True, locked=True, points=1)
    ran = new_notebook(cells=[future, test])
    notebook.run(ran, warm, {}, {wire.STUDENT: {}, wire.TESTS: {}}, {}, apart=False)
    assert ran.cells[1].outputs[0].data["text/plain"] == "{'x': 'no_such_name'}"


def test_a_cell_of_the_instructors_may_run_another(warm):
    test = course.cell("test", "get_ipython().run_cell('y = 6')\ny * 7", grade=True, locked=True, points=1)
    ran = new_notebook(cells=[test])
    notebook.run(ran, warm, {}, {wire.STUDENT: {}, wire.TESTS: {}}, {}, apart=False)
    assert ran.cells[0].outputs[0].data["text/plain"] == "42"
