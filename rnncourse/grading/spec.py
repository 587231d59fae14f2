"""What grading an assignment needs to know, read once: plain data that can be sent to any machine.

A specification holds what the gradebook says of each cell, the instructor's own files, the settings, the limits, and
what the instructor's notebook defines and imports. It holds nothing of any student.
"""

import ast
import base64
import hashlib
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.api import Assignment, Gradebook, MissingEntry
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from rnncourse.grading.settings import Sandbox

STEPS = ("ClearOutput", "DeduplicateIds", "OverwriteCells", "CheckCellMetadata", "LimitOutput", "IgnorePattern")
STEPS_OF_NBCONVERT = ("ClearOutputPreprocessor", "ClearMetadataPreprocessor")
LATE_IMPORTS = {  # a call, and what PyTorch imports for it
    r"\boptim\.": "torch._dynamo",
    r"\bgrad\(|\.backward\([^)]": "torch.fx.experimental.symbolic_shapes",
}


def read(coursedir: CourseDirectory, assignment: str, gradebook: Gradebook, config: Config) -> dict:
    """The specification. Raises ValueError if the gradebook does not know the assignment."""
    found = find(gradebook, assignment)
    source = Path(coursedir.format_path(coursedir.source_directory, ".", assignment))
    sandbox = Sandbox(config=config)
    notebooks = {notebook.name: _notebook(notebook, source) for notebook in found.notebooks}
    imports = {name for notebook in notebooks.values() for name in notebook.pop("imports")}
    spec = {
        "assignment": assignment,
        "notebooks": notebooks,
        "files": given_files(
            source, coursedir, config.get("Autograde", {}).get("exclude_overwriting", {}).get(assignment, [])
        ),
        "settings": _plain({name: config[name] for name in (*STEPS, *STEPS_OF_NBCONVERT) if name in config}),
        "preload": list(dict.fromkeys([*sandbox.preload, *sorted(imports)])),
        "private": sandbox.private,
        "diagnosis": sandbox.diagnosis,
    }
    return spec | {"digest": hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()}


def find(gradebook: Gradebook, assignment: str) -> Assignment:
    """What the gradebook holds of an assignment. Raises ValueError if that is nothing."""
    try:
        return gradebook.find_assignment(assignment)
    except MissingEntry:
        raise ValueError(
            f"the gradebook does not know {assignment!r}: release it first, with "
            f"`nbgrader generate_assignment {assignment}`"
        ) from None


def _notebook(notebook, source: Path) -> dict:
    points = {cell.name: cell.max_score for cell in [*notebook.grade_cells, *notebook.task_cells]}
    kinds = {
        "grade": {cell.name for cell in notebook.grade_cells},
        "solution": {cell.name for cell in notebook.solution_cells},
        "task": {cell.name for cell in notebook.task_cells},
    }
    cells = [
        {
            "name": cell.name,
            "cell_type": str(cell.cell_type),
            "locked": cell.locked,
            "source": cell.source,
            "checksum": cell.checksum,
            "points": points.get(cell.name),
            **{kind: cell.name in names for kind, names in kinds.items()},
        }
        for cell in notebook.source_cells
    ]
    solved = _solved(source / f"{notebook.name}.ipynb")
    answers = {cell["name"]: [cell["source"], solved.get(cell["name"], "")] for cell in cells if cell["solution"]}
    instructors = [cell["source"] for cell in cells if not cell["solution"] and cell["cell_type"] == "code"]
    expected = [*instructors, *solved.values()]
    return {
        "kernelspec": json.loads(notebook.kernelspec) if notebook.kernelspec else None,
        "cells": cells,
        "claims": {name: claim(*sources) for name, sources in answers.items()},
        "imports": {module for text in expected for module in modules(text)},
    }


def _solved(path: Path) -> dict[str, str]:
    """The answers in the instructor's own notebook, by cell; none if it is not here."""
    if not path.exists():
        return {}
    cells = nbformat.read(path, as_version=4).cells
    return {c.metadata.nbgrader.grade_id: c.source for c in cells if utils.is_solution(c) and c.cell_type == "code"}


def claim(*sources: str) -> dict[str, list[str]]:
    """What an answer cell is to define and to import, from its stub and its solution."""
    names, imports = set(), []
    for node in (node for source in sources for node in _tree(source).body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            imports.append(ast.unparse(node))
        else:
            stored = (n for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
            names |= {name.id for name in stored}
    return {"names": sorted(names), "imports": list(dict.fromkeys(imports))}


def modules(source: str) -> set[str]:
    """The modules that a piece of code may import: `a.b` and `a.b.c` for ``from a.b import c``.

    And those that PyTorch imports when the code first calls it, which takes up to a second.
    """
    found = {module for call, module in LATE_IMPORTS.items() if re.search(call, source)}
    for node in ast.walk(_tree(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def _tree(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except SyntaxError:  # magics, or no Python at all
        return ast.Module([], [])


def given_files(source: Path, coursedir: CourseDirectory, kept: list[str]) -> dict[str, str]:
    """The instructor's files that lie beside the notebooks, except those that students are to edit."""
    if not source.exists():
        return {}
    found = {
        str(Path(p).relative_to(source)): p for p in utils.find_all_files(str(source), [*coursedir.ignore, "*.ipynb"])
    }
    return {
        name: base64.b64encode(Path(path).read_bytes()).decode() for name, path in found.items() if name not in kept
    }


def _plain(config: dict) -> dict:
    """The part of a configuration that JSON can hold."""
    return json.loads(json.dumps(config, default=lambda value: None))


class Task(NamedTuple):
    """An answer cell and the tests that follow it."""

    notebook: str
    name: str
    cells: tuple[str, ...]


def tasks_of(name: str, notebook: NotebookNode) -> list[Task]:
    """The tasks of an instructor's notebook, in order: each answer cell begins one."""
    groups: list[list[str]] = []
    for cell in notebook.cells:
        begins = utils.is_solution(cell) or utils.is_task(cell)
        if begins or (utils.is_grade(cell) and not groups):
            groups.append([])
        if begins or utils.is_grade(cell):
            groups[-1].append(cell.metadata.nbgrader["grade_id"])
    return [Task(name, cells[0], tuple(cells)) for cells in groups]


class SpecGradebook:
    """Answers, from a specification, what nbgrader's steps ask of a gradebook."""

    def __init__(self, spec: dict):
        self.notebooks = spec["notebooks"]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def find_source_cell(self, name: str, notebook: str, assignment: str) -> SimpleNamespace:
        for cell in self.notebooks[notebook]["cells"]:
            if cell["name"] == name:
                return SimpleNamespace(**cell)
        raise MissingEntry(name)

    def find_graded_cell(self, name: str, notebook: str, assignment: str) -> SimpleNamespace:
        cell = self.find_source_cell(name, notebook, assignment)
        if cell.points is None:
            raise MissingEntry(name)
        return SimpleNamespace(max_score=cell.points)

    def find_notebook(self, notebook: str, assignment: str) -> SimpleNamespace:
        cells = [SimpleNamespace(**cell, max_score=cell["points"]) for cell in self.notebooks[notebook]["cells"]]
        kinds = {f"{kind}_cells": [c for c in cells if getattr(c, kind)] for kind in ("grade", "solution", "task")}
        return SimpleNamespace(source_cells=cells, **kinds)


def graded_files(spec: dict, submitted: dict[str, bytes], result: dict) -> dict[str, bytes]:
    """The files of a graded submission: as nbgrader makes them, the instructor's over the student's."""
    given = {name: base64.b64decode(content) for name, content in spec["files"].items()}
    handed_in = {name: content for name, content in submitted.items() if not name.endswith(".ipynb")}
    return {
        **handed_in,
        **given,
        **{f"{name}.ipynb": graded["content"] for name, graded in result["notebooks"].items()},
    }
