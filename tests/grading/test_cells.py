"""What is worked out of the instructor's cells before they run."""

import marshal
import subprocess
import sys

import course
import pytest
from nbformat.v4 import new_code_cell

from rnncourse.grading import notebook, spec

CELLS = {  # source: (the names that it reads, whether it is compiled beforehand)
    "assert double(1) == two": (["double", "two"], True),
    "import asyncio\nawait asyncio.sleep(pause)": (["asyncio", "pause"], False),
    "import asyncio\nawait asyncio.sleep(pause)\n": (["asyncio", "pause"], False),
    "%time six": (["get_ipython"], False),
    "x = 'a\\d'": (["x"], False),  # Python has something to say of it, which belongs to the cell's output
    "from __future__ import annotations": ([], False),  # the cells after it depend on it
    "def f(:": ([], False),
    "": ([], True),
}


@pytest.mark.parametrize("source", CELLS)
def test_what_an_instructors_cell_reads(source):
    reads, compiled = CELLS[source]
    about = notebook.about(course.cell("t", source, grade=True, locked=True, points=1))
    assert about["reads"] == reads
    assert (about["code"] is not None) == compiled


def test_a_compiled_cell_does_what_its_source_does(capsys):
    names = {}
    for part in marshal.loads(notebook.compiled("x = 6\nfor y in range(3):\n    x\nx * 7")):
        exec(part, names)
    assert (names["x"], names["y"]) == (6, 2)
    assert capsys.readouterr().out == "42\n"  # the expression at the end is shown, others are not


def test_a_students_cell_is_not_looked_at():
    assert notebook.about(new_code_cell("assert double(1) == two")) == {"reads": [], "code": None}


@pytest.mark.parametrize("call", ["torch.optim.SGD([x])", "y.backward(x)", "torch.autograd.grad(y, x, x)"])
def test_what_pytorch_imports_late_is_known(call):
    [module] = spec.modules(call)
    program = f"""
import sys, torch
x = torch.ones(3, requires_grad=True); y = 2 * x
assert {module!r} not in sys.modules
{call}
assert {module!r} in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_other_calls_of_pytorch_import_nothing_late():
    assert spec.modules("loss.backward()\nclip_grad_norm_(p, 1)\nx.requires_grad_()") == set()
