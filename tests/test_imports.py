"""Who may import whom: cells nothing of ours, unroll is handed a cell, check and grading do not know each other."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "rnncourse"
FOLDERS = {"book", "exercises", "solutions", "tests", "benchmarks", "scoreboard", "pictures"}
OUTSIDE = FOLDERS | {"lab_config", "nbgrader_config"}
ALLOWED = {  # room: the rooms of ours that it may import, besides itself
    "cells": set(),
    "shapes": set(),
    "plot": set(),
    "data": set(),
    "gradcheck": set(),
    "optim": set(),
    "losses": {"shapes"},
    "unroll": {"cells", "shapes"},
    "layers": {"cells", "shapes", "unroll"},
    "train": {"cells", "losses", "optim", "unroll"},
    "conventions": {"cells"},
    "convert": {"cells", "conventions", "layers", "shapes", "unroll"},
    "vocabulary": set(),
    "attention": set(),
    "decode": set(),
    "progress": set(),
    "fonts": set(),
    "ngram": set(),
    "language_model": set(),
    "seq2seq": {"attention", "progress", "vocabulary"},
    "encoder_decoder": {"vocabulary"},
    "lookup": {"data", "translation"},
    "translation": {"attention", "data", "decode", "seq2seq", "vocabulary"},
    "check": {"cells"},
    "grading": set(),
    "__main__": {"grading"},
}


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(source: str) -> set[str]:
    """The rooms of ours that a file imports, and any other folder or file of the course."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    words = [name.split(".") for name in names]
    ours = {[*word, "rnncourse"][1] for word in words if word[0] == "rnncourse"}  # bare, it opens every room
    return ours | {word[0] for word in words} & OUTSIDE


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_imports_only_what_its_room_may(path):
    found = imported(path.read_text(encoding="utf-8"))
    assert found <= (ALLOWED[room(path)] | {room(path)} if path != PACKAGE / "__init__.py" else set())


@pytest.mark.parametrize(
    ("source", "rooms"),
    [
        ("import numpy as np\nfrom pathlib import Path", set()),
        ("import rnncourse.unroll as time, rnncourse.plot", {"unroll", "plot"}),
        ("from rnncourse import cells, grading", {"cells", "grading"}),
        ("from rnncourse.check.task import Task", {"check"}),
        ("def late():\n    from rnncourse.grading import release", {"grading"}),
        ("import rnncourse", {"rnncourse"}),
        ("from rnncourse import *", {"*"}),
        ("import tests.check, book", {"tests", "book"}),
        ("from solutions.recurrence import x", {"solutions"}),
        ("import lab_config", {"lab_config"}),
    ],
)
def test_every_way_to_import_is_seen(source, rooms):
    assert imported(source) == rooms
