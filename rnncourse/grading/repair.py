"""Make any submission gradable: an unreadable file, a doubled cell, a missing cell.

Stock nbgrader 0.9.6 stops at each of these; at a doubled cell it even abandons the submissions that follow. Here a
submission is mended with what the gradebook knows of the release, and says so where student and instructor look.
"""

from pathlib import Path

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor

from rnncourse.grading.text import storable

UNREADABLE = "unreadable"  # the id of the cell that says so


class SubmissionExporter(NotebookExporter):
    """Reads a submission. In place of an unreadable file it puts a notebook that says why."""

    def from_filename(self, filename, resources=None, **kw):
        try:
            notebook = read_notebook(Path(filename).read_bytes())
        except Exception as error:  # what a stranger's file can raise while it is read is not to be listed
            notebook, reason = blank_notebook(filename, error)
            self.log.error("%s. It is graded as a blank submission.", reason)
        return self.from_notebook_node(notebook, resources, **kw)


def read_notebook(content: bytes) -> NotebookNode:
    """The submitted notebook. Raises whatever a stranger's file can raise."""
    text = content.decode("utf-8")
    notebook = nbformat.convert(nbformat.reader.reads(text), to_version=4)  # it is validated when it has been mended
    return nbformat.from_dict(storable(notebook)) if "\\u" in text else notebook  # what cannot be stored is escaped


def blank_notebook(filename: str, error: Exception) -> tuple[NotebookNode, str]:
    """What takes the place of a file that cannot be read, and why."""
    reason = f"{filename} cannot be read as a notebook ({type(error).__name__}: {str(error)[:200]})"
    text = f"**This submission could not be read, so it was graded as blank.** {reason}."
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text, id=UNREADABLE)]), reason


class DeduplicateIds(NbGraderPreprocessor):
    """Of cells with one grade_id the last keeps it, as in nbgrader; the others become ordinary cells.

    nbgrader leaves them an empty record, which its own metadata check then takes for an outdated format.
    """

    def preprocess(self, notebook, resources):
        seen = set()
        for cell in reversed(notebook.cells):
            name = _name(cell)
            if name in seen:
                self.log.warning("Cell with id '%s' exists multiple times!", name)
            if name is None or name in seen:
                cell.metadata.pop("nbgrader", None)
            else:
                seen.add(name)
        return notebook, resources


class RestoreCells(NbGraderPreprocessor):
    """Put back every cell of the release that the submission lacks, after the one that precedes it there.

    A missing answer comes back as the blank that was handed out, a missing test as the test; a cell that is there gets
    back its record, which students may have edited. (nbgrader's own `OverwriteCells.add_missing_cells` fails when a
    read-only cell precedes the missing one.)
    """

    open_gradebook = Gradebook

    def preprocess(self, notebook, resources):
        record = resources["nbgrader"]
        with self.open_gradebook(record["db_url"]) as gradebook:
            source = gradebook.find_notebook(record["notebook"], record["assignment"])
            unreadable = [cell.get("id") for cell in notebook.cells] == [UNREADABLE]
            missing = _restore(notebook, source)
        if missing and not unreadable:  # or every cell would be named
            self.log.warning("Cells missing from the submission were put back: %s.", ", ".join(missing))
        return notebook, resources


def _restore(notebook: NotebookNode, source) -> list[str]:
    """Restore what `source`, the notebook in the gradebook, has; the names of the cells that were missing."""
    places = {_name(cell): cell for cell in notebook.cells if _name(cell)}
    position, missing = 0, []
    for cell in source.source_cells:
        if cell.name in places:
            places[cell.name].metadata["nbgrader"] = _record(cell, source)
            position = notebook.cells.index(places[cell.name]) + 1
        else:
            missing.append(cell.name)
            notebook.cells.insert(position, _released(cell, _record(cell, source)))
            position += 1
    return missing


def _name(cell: NotebookNode) -> str | None:
    """The grade_id of a cell; None for a cell without one, or with a record of no known form."""
    record = cell.metadata.get("nbgrader")
    name = record.get("grade_id") if isinstance(record, dict) else None
    return name if isinstance(name, str) else None


def _record(cell, source) -> NotebookNode:
    """What nbgrader keeps in the metadata of this cell of the release."""
    points = {each.name: each.max_score for each in [*source.grade_cells, *source.task_cells]}
    record = {
        "grade_id": cell.name,
        "schema_version": 3,
        "cell_type": cell.cell_type,
        "checksum": cell.checksum,
        "locked": cell.locked,
        "grade": cell.name in {each.name for each in source.grade_cells},
        "solution": cell.name in {each.name for each in source.solution_cells},
        "task": cell.name in {each.name for each in source.task_cells},
    }
    return NotebookNode(record | ({"points": points[cell.name]} if cell.name in points else {}))


def _released(cell, record: NotebookNode) -> NotebookNode:
    """The cell as it was released."""
    make = nbformat.v4.new_code_cell if cell.cell_type == "code" else nbformat.v4.new_markdown_cell
    return make(cell.source, id=f"restored-{cell.name}"[:64], metadata={"nbgrader": record})
