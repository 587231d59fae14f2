"""Release an exercise: the same to the byte each time, and nothing in it that is not meant for students."""

import hashlib
from pathlib import Path

from nbgrader.preprocessors import NbGraderPreprocessor


class RefuseSiblings(NbGraderPreprocessor):
    """Stop the release if anything but notebooks stands beside the source notebook.

    nbgrader would copy it to the students, whatever it is: notes, answers, a list of grades.
    """

    def preprocess(self, notebook, resources):
        folder = Path(resources["metadata"]["path"])
        siblings = [p.name for p in sorted(folder.iterdir()) if p.suffix != ".ipynb" and p.name != ".ipynb_checkpoints"]
        if siblings:
            raise ValueError(f"{folder} holds {', '.join(siblings)}, which students would get: move it elsewhere")
        return notebook, resources


class DeriveCellIds(NbGraderPreprocessor):
    """Give each cell an id that follows from what it is, since an editor or a conversion may draw a random one."""

    def preprocess_cell(self, cell, resources, index):
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell["id"] = name or hashlib.sha256(f"{index} {cell.source}".encode()).hexdigest()[:8]
        return cell, resources
