"""Run a submission so that whatever its code does to the kernel, there is a record."""

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader import preprocessors


class Execute(preprocessors.Execute):
    """nbgrader's `Execute`, except that a kernel that dies fails the cells it left unrun, not the submission.

    A cell without output would count as passed (nbgrader.utils.determine_grade), so every unrun cell gets an error.
    """

    def preprocess(self, notebook, resources, km=None):
        try:
            return super().preprocess(notebook, resources, km)
        except (DeadKernelError, CellTimeoutError) as error:
            unrun = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.execution_count is None]
            culprit = unrun[0].metadata.get("nbgrader", {}).get("grade_id", "of the student's own")
            message = f"The kernel died in the cell {culprit}; it and the cells after it have no result."
            self.log.error(message)
            for cell in unrun:
                cell.outputs = [*cell.outputs, _error(type(error).__name__, message)]
            return notebook, resources


def _error(name: str, message: str) -> NotebookNode:
    return new_output("error", ename=name, evalue=message, traceback=[f"{name}: {message}"])
