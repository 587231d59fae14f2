"""Grade one submission: a function of a specification and of bytes, which gives bytes and scores.

It reads and writes neither gradebook nor course, so it can run in another process or on another machine. The steps are
nbgrader's own; only the running of cells is ours.
"""

import base64
import contextlib
import json
import logging
import re
import time
from pathlib import PurePosixPath
from typing import ClassVar

import nbformat
from nbconvert.preprocessors import ClearMetadataPreprocessor
from nbformat import NotebookNode
from nbgrader import preprocessors, utils
from traitlets.config import Config

from rnncourse.grading import notebook, repair, wire
from rnncourse.grading.folder import digest
from rnncourse.grading.process import WarmProcess
from rnncourse.grading.spec import SpecGradebook

LARGEST = 50 << 20  # bytes of a submitted notebook
VARIABLES = {"NBGRADER_EXECUTION": "autograde"}


def grade(spec: dict, warm: WarmProcess, student: str, files: dict[str, bytes]) -> dict:
    """Grade what `student` handed in: `files` by name, notebooks among them.

    Returns the graded notebooks as bytes, scores and comments by cell, what went wrong, and what was recognised.
    """
    started = time.monotonic()
    result = {"student": student, "digest": digest(spec, files), "notebooks": {}, "missing": [], "problems": []}
    for name in spec["notebooks"]:
        path = f"{name}.ipynb"
        if path in files:
            graded = _grade_notebook(spec, name, warm, student, files)
            result["problems"] += graded.pop("problems")
            result["notebooks"][name] = graded
        else:
            result["missing"].append(name)
    return result | {"seconds": time.monotonic() - started}


def _grade_notebook(spec: dict, name: str, warm: WarmProcess, student: str, files: dict[str, bytes]) -> dict:
    steps = Steps(spec, name, student)
    cleaned = steps.sanitize(files[f"{name}.ipynb"])
    ran = notebook.run(cleaned, warm, spec["notebooks"][name]["claims"], working_files(spec, files), VARIABLES)
    steps.limit(cleaned)
    scores, comments = {}, {}
    for cell in cleaned.cells:
        record = cell.metadata.get("nbgrader", {})
        if utils.is_grade(cell):
            scores[record["grade_id"]] = score(cell)
        if utils.is_solution(cell) or utils.is_task(cell):
            blank = record.get("checksum") == utils.compute_checksum(cell) and not utils.is_task(cell)
            comments[record["grade_id"]] = "No response." if blank else None
    return {
        "content": nbformat.v4.writes(cleaned).encode(),
        "scores": scores,
        "comments": comments,
        "recognised": recognised(cleaned, spec["diagnosis"]),
        "problems": [*steps.log.told, *ran.problems],
    }


def score(cell: NotebookNode) -> float | None:
    """nbgrader's score for a cell; 0 for a partial score that is more than there is to get."""
    try:
        return utils.determine_grade(cell)[0]
    except ValueError:
        return 0.0


def working_files(spec: dict, files: dict[str, bytes]) -> dict[str, dict[str, bytes]]:
    """The files that each role finds in its working folder: the instructor's replace the student's."""
    given = {name: base64.b64decode(content) for name, content in spec["files"].items()}
    handed_in = {name: content for name, content in files.items() if not name.endswith(".ipynb") and is_safe(name)}
    both = {**handed_in, **given}
    return {wire.STUDENT: both, wire.TESTS: both}


def is_safe(name: str) -> bool:
    """Whether a file of this name lies inside the folder that it is written to."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def recognised(graded: NotebookNode, pattern: str) -> dict[str, str]:
    """The misconception that each failed test recognised, by cell. Only what the tests' own process said counts."""
    found = {}
    for cell in graded.cells:
        if pattern and cell.cell_type == "code" and notebook.kind_of(cell) == "test":
            for output in cell.outputs:
                match = output.output_type == "error" and re.search(pattern, output.evalue, re.DOTALL)
                if match:
                    found[cell.metadata.nbgrader["grade_id"]] = " ".join(match[1].split())
    return found


# --- nbgrader's steps ---------------------------------------------------------------------------------------------


class Steps:
    """nbgrader's preprocessors for one notebook, asking the specification instead of a gradebook."""

    def __init__(self, spec: dict, name: str, student: str):
        self.spec, self.name, self.log = spec, name, _Log("grading")
        record = {"notebook": name, "assignment": spec["assignment"], "student": student, "db_url": None}
        self.resources = {"nbgrader": record, "metadata": {}}
        self.settings = {"config": Config(spec["settings"]), "log": self.log}

    def sanitize(self, content: bytes) -> NotebookNode:
        """The submission, mended where it was broken; a blank one that says why if that cannot be done."""
        try:
            if len(content) > LARGEST:
                raise ValueError(f"it has {len(content)} bytes, more than the {LARGEST} allowed")
            with _quiet():
                return self._sanitized(repair.read_notebook(content))
        except Exception as error:  # what a stranger's file can raise while it is read is not to be listed
            blank, reason = repair.blank_notebook(f"{self.name}.ipynb", error)
            self.log.told = [reason]
            with _quiet():
                return self._sanitized(blank)

    def _sanitized(self, submitted: NotebookNode) -> NotebookNode:
        overwrite = _OverwriteCells(SpecGradebook(self.spec), **self.settings)
        restore = repair.RestoreCells(**self.settings)
        restore.open_gradebook = lambda url: SpecGradebook(self.spec)
        clean = [preprocessors.ClearOutput(**self.settings), repair.DeduplicateIds(**self.settings)]
        for step in [*clean, restore, overwrite, _CheckCellMetadata(**self.settings)]:
            submitted, _ = step(submitted, self.resources)
        kernel = self.spec["notebooks"][self.name]["kernelspec"]
        if kernel:
            submitted.metadata["kernelspec"] = kernel
        nbformat.validate(submitted)
        return submitted

    def limit(self, ran: NotebookNode) -> None:
        """Shorten and filter outputs, in place."""
        for kind in (preprocessors.IgnorePattern, ClearMetadataPreprocessor, preprocessors.LimitOutput):
            kind(**self.settings)(ran, self.resources)


class _OverwriteCells(preprocessors.OverwriteCells):
    """nbgrader's, with a gradebook of our own."""

    def __init__(self, gradebook: SpecGradebook, **settings):
        super().__init__(**settings)
        self.gradebook = gradebook

    def preprocess(self, submitted, resources):
        self.notebook_id, self.assignment_id = resources["nbgrader"]["notebook"], resources["nbgrader"]["assignment"]
        for index, cell in enumerate(submitted.cells):
            submitted.cells[index], _ = self.preprocess_cell(cell, resources, index)
        return submitted, resources


class _CheckCellMetadata(preprocessors.CheckCellMetadata):
    """nbgrader's, which takes 10 ms. The same records, as most notebooks of a class have them, are checked once."""

    checked: ClassVar[set[str]] = set()

    def preprocess(self, submitted, resources):
        records = [(cell.cell_type, cell.metadata.get("nbgrader")) for cell in submitted.cells]
        signature = json.dumps([record for record in records if record[1] is not None], sort_keys=True)
        if signature not in self.checked:
            super().preprocess(submitted, resources)
            self.checked.add(signature)
        return submitted, resources


class _Log(logging.Logger):
    """Keeps what the steps warn of, as sentences for instructor and student."""

    def __init__(self, name: str):
        super().__init__(name, logging.WARNING)
        self.told = []

    def handle(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if not message.startswith(("Attribute ", "Traceback")):
            self.told.append(message.strip().rstrip(".!"))


@contextlib.contextmanager
def _quiet():
    """Without the warnings of nbformat about strange notebooks: we mend them or say so ourselves."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
