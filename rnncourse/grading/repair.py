"""Make any submission gradable: an unreadable file, a doubled cell, a missing cell.

Stock nbgrader 0.9.6 stops at each of these; at a doubled cell it even abandons the submissions that follow. Here a
submission is mended with what the gradebook knows of the release, and says so where student and instructor look.
"""

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbgrader import preprocessors
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor


class SubmissionExporter(NotebookExporter):
    """Reads a submission. In place of an unreadable file it puts a notebook that says why."""

    def from_filename(self, filename, resources=None, **kw):
        try:
            with open(filename, encoding="utf-8") as file:
                notebook = nbformat.read(file, as_version=4)
        except Exception as error:  # what a stranger's file can raise while it is read is not to be listed
            notebook, reason = blank_notebook(filename, error)
            self.log.error("%s. It is graded as a blank submission.", reason)
        return self.from_notebook_node(notebook, resources, **kw)


def blank_notebook(filename: str, error: Exception) -> tuple[NotebookNode, str]:
    """What takes the place of a file that cannot be read, and why."""
    reason = f"{filename} cannot be read as a notebook ({type(error).__name__}: {str(error)[:200]})"
    text = f"**This submission could not be read, so it was graded as blank.** {reason}."
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text, id="unreadable")]), reason


class DeduplicateIds(preprocessors.DeduplicateIds):
    """Of cells with one grade_id the last keeps it, as in nbgrader; the others become ordinary cells.

    nbgrader leaves them an empty record, which its own metadata check then takes for an outdated format.
    """

    def preprocess(self, notebook, resources):
        notebook, resources = super().preprocess(notebook, resources)
        for cell in notebook.cells:
            if cell.metadata.get("nbgrader") == {}:
                del cell.metadata["nbgrader"]
        return notebook, resources


class RestoreCells(NbGraderPreprocessor):
    """Put back every cell of the release that the submission lacks, after the one that precedes it there.

    A missing answer comes back as the blank that was handed out, a missing test as the test.
    (nbgrader's own `OverwriteCells.add_missing_cells` fails when a read-only cell precedes the missing one.)
    """

    open_gradebook = Gradebook

    def preprocess(self, notebook, resources):
        record = resources["nbgrader"]
        with self.open_gradebook(record["db_url"]) as gradebook:
            source = gradebook.find_notebook(record["notebook"], record["assignment"])
            points = {cell.name: cell.max_score for cell in [*source.grade_cells, *source.task_cells]}
            kinds = {
                "grade": {cell.name for cell in source.grade_cells},
                "solution": {cell.name for cell in source.solution_cells},
                "task": {cell.name for cell in source.task_cells},
            }
            position, missing = 0, []
            for cell in source.source_cells:
                here = _find(notebook, cell.name)
                if here is None:
                    missing.append(cell.name)
                    notebook.cells.insert(position, _released(cell, kinds, points))
                    here = position
                position = here + 1
        if missing:
            self.log.warning("Cells missing from the submission were put back: %s.", ", ".join(missing))
        return notebook, resources


def _find(notebook: NotebookNode, name: str) -> int | None:
    for index, cell in enumerate(notebook.cells):
        if cell.metadata.get("nbgrader", {}).get("grade_id") == name:
            return index
    return None


def _released(cell, kinds: dict[str, set[str]], points: dict[str, float]) -> NotebookNode:
    """The cell as it was released, from its row in the gradebook."""
    make = nbformat.v4.new_code_cell if cell.cell_type == "code" else nbformat.v4.new_markdown_cell
    record = {
        "grade_id": cell.name,
        "schema_version": 3,
        "cell_type": cell.cell_type,
        "checksum": cell.checksum,
        "locked": cell.locked,
        **{kind: cell.name in names for kind, names in kinds.items()},
    }
    if cell.name in points:
        record["points"] = points[cell.name]
    return make(cell.source, id=f"restored-{cell.name}"[:64], metadata={"nbgrader": record})
