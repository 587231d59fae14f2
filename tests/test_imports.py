"""Who may import whom: cells nothing of ours, unroll is handed a cell, check and grading do not know each other."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "rnncourse"
ALLOWED = {  # room: the rooms of ours that it may import, besides itself
    "cells": set(),
    "shapes": set(),
    "plot": set(),
    "data": set(),
    "unroll": {"shapes"},
    "convert": {"cells", "unroll"},
    "check": {"cells"},
    "grading": set(),
}


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The rooms of ours that a file imports, and any top-level folder of the course."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    ours = {name.split(".")[1] for name in names if name.startswith("rnncourse.")}
    return ours | {name.split(".")[0] for name in names if name.split(".")[0] in {"book", "tests", "exercises"}}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_imports_only_what_its_room_may(path):
    if path == PACKAGE / "__init__.py":
        assert imported(path) == set()
        return
    assert imported(path) <= ALLOWED[room(path)] | {room(path)}
