"""Run a submission so that whatever its code does to the kernel, there is a record."""

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_output
from nbgrader import preprocessors


class Execute(preprocessors.Execute):
    """nbgrader's `Execute`, except that a kernel that dies or no longer answers fails cells, not the submission.

    A test cell without output counts as passed (`nbgrader.utils.determine_grade`), so every cell that did not come
    to its end gets an error. That a cell has an execution count only says that it began.
    """

    def preprocess(self, notebook, resources, km=None):
        self.ended = set()
        try:
            return super().preprocess(notebook, resources, km)
        except (DeadKernelError, CellTimeoutError) as error:
            self._mark_the_rest(notebook, error)
            return notebook, resources

    def on_cell_executed(self, **kwargs):
        super().on_cell_executed(**kwargs)
        self.ended.add(kwargs["cell_index"])

    def _mark_the_rest(self, notebook, error: Exception) -> None:
        rest = [c for i, c in enumerate(notebook.cells) if c.cell_type == "code" and i not in self.ended and c.source]
        culprit = rest[0].metadata.get("nbgrader", {}).get("grade_id", "of the student's own")
        what = "died" if isinstance(error, DeadKernelError) else "stopped answering"
        message = f"The kernel {what} in the cell {culprit}; it and the cells after it have no result."
        self.log.error(message)
        name = type(error).__name__
        for cell in rest:
            output = new_output("error", ename=name, evalue=message, traceback=[f"{name}: {message}"])
            cell.outputs = [*cell.outputs, output]
