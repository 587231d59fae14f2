"""What is worked out of the instructor's cells before they run."""

import course
import pytest
from nbformat.v4 import new_code_cell

from rnncourse.grading import notebook

CELLS = {  # source: (the names that it reads, whether it is plain Python)
    "assert double(1) == two": (["double", "two"], True),
    "import asyncio\nawait asyncio.sleep(pause)": (["asyncio", "pause"], False),
    "import asyncio\nawait asyncio.sleep(pause)\n": (["asyncio", "pause"], False),
    "%time six": (["get_ipython"], False),
    "x = 'a\\d'": (["x"], True),
    "def f(:": ([], False),
    "": ([], True),
}


@pytest.mark.parametrize("source", CELLS)
def test_what_an_instructors_cell_reads(source):
    reads, plain = CELLS[source]
    assert notebook.about(course.cell("t", source, grade=True, locked=True, points=1)) == {
        "reads": reads,
        "plain": plain,
    }


def test_a_students_cell_is_not_looked_at():
    assert notebook.about(new_code_cell("assert double(1) == two")) == {"reads": [], "plain": False}
