"""Answers in notebooks: write them into an exercise's cells, and run the graded tests on them.

Used by the tests, by the matrix of mistakes and by the simulated class. Grading real submissions is nbgrader's
work; here the notebook is our own and runs in this process, a thousand times faster.
"""

import contextlib
import copy
import io
import warnings

from nbformat import NotebookNode

from rnncourse.check.compare import CheckFailed


def answered(notebook: NotebookNode, answers: dict[str, str]) -> NotebookNode:
    """A copy of the notebook with the sources of the named answer cells replaced.

    Raises KeyError for a name (grade_id) that is no answer cell of the notebook.
    """
    notebook = copy.deepcopy(notebook)
    cells = {_nbgrader(cell)["grade_id"]: cell for cell in notebook.cells if _nbgrader(cell).get("solution")}
    for name, source in answers.items():
        if name not in cells:
            raise KeyError(f"no answer cell {name!r} in the notebook; there are {', '.join(cells)}")
        cells[name].source = source
    return notebook


def scores(notebook: NotebookNode, only: str | None = None) -> dict[str, float]:
    """Run the code cells in order, as the grader does; the points of each test cell by its grade_id.

    With `only`, the name of a task, no test cell of another task is run.
    """
    namespace, points = {"__name__": "__main__"}, {}
    for cell in notebook.cells:
        nbgrader = _nbgrader(cell)
        another = only is not None and not nbgrader.get("grade_id", "").startswith(f"{only}-")
        if cell.cell_type != "code" or (nbgrader.get("grade") and another):
            continue
        passed = _runs(cell.source, namespace)
        if nbgrader.get("grade"):
            points[nbgrader["grade_id"]] = nbgrader["points"] if passed else 0
    return points


def diagnosis(notebook: NotebookNode, check_cell: str) -> str | None:
    """What the visible check with this grade_id says of the notebook's answers; None if it is content.

    Other test cells are not run: what they define, no check may need.
    """
    namespace = {"__name__": "__main__"}
    for cell in notebook.cells:
        this = _nbgrader(cell).get("grade_id") == check_cell
        if cell.cell_type != "code" or (_nbgrader(cell).get("grade") and not this):
            continue
        if not this:
            _runs(cell.source, namespace)
            continue
        try:
            with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(record=True):
                warnings.simplefilter("default")
                exec(cell.source, namespace)
        except CheckFailed as failed:
            return str(failed)
        return None
    raise KeyError(f"no cell {check_cell!r} in the notebook")


def _runs(source: str, namespace: dict) -> bool:
    """Execute one cell; whether it ended without an exception. As in a notebook, a warning ends nothing."""
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(record=True):
            warnings.simplefilter("default")
            exec(source, namespace)
    except Exception:
        return False
    return True


def _nbgrader(cell: NotebookNode) -> dict:
    return cell.metadata.get("nbgrader", {})
