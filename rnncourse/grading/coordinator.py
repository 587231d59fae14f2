"""Grade an assignment: find who needs it, have it done, record it. The coordinator alone writes, and in this order:

1. the graded notebooks, beside their place and forced to the disk;
2. a line in the journal for each, that what an earlier line says no longer holds;
3. the gradebook, in one transaction for the batch;
4. the notebooks' renaming into their place;
5. a line in the journal for each, of what was graded.

Whatever stops it in between, a submission without its last line is graded again by the next run, over what is there.
"""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import SQLAlchemyError
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from rnncourse.grading import folder, spec
from rnncourse.grading.record import Recorder

BATCH, PATIENCE = 25, 2.0  # submissions, or seconds since the last were recorded


class CannotRecord(RuntimeError):
    """The disk is full, or the gradebook cannot be written."""


@dataclass
class Row:
    """What the table says of one student."""

    student: str
    status: str  # "graded", "as before" or "not graded"
    score: float | None = None
    needs_a_person: bool = False
    seconds: float = 0.0
    recognised: dict[str, str] = field(default_factory=dict)  # misconceptions by cell
    problems: list[str] = field(default_factory=list)


class Course:
    """An nbgrader course at `root`. Raises FileNotFoundError without nbgrader_config.py."""

    def __init__(self, root: Path):
        if not (root / "nbgrader_config.py").exists():
            raise FileNotFoundError(f"no nbgrader_config.py in {root}: run this from the root of a course")
        self.root = root
        self.config: Config = PyFileConfigLoader("nbgrader_config.py", str(root)).load_config()
        self.config.CourseDirectory.root = str(root)
        self.dirs = CourseDirectory(config=self.config)

    def gradebook(self) -> Gradebook:
        return Gradebook(self.dirs.db_url, self.dirs.course_id)

    def submitted(self, student: str, assignment: str) -> Path:
        return Path(self.dirs.format_path(self.dirs.submitted_directory, student, assignment))


class Coordinator:
    """Grades one assignment of a course."""

    def __init__(self, course: Course, gradebook: Gradebook, assignment: str):
        self.course, self.assignment = course, assignment
        self.spec = spec.read(course.dirs, assignment, gradebook, course.config)
        self.recorder = Recorder(gradebook, assignment, course.config)
        self.journal = folder.Journal(course.dirs, assignment)
        permissions = course.config.get("Autograde", {}).get("permissions", 664 if course.dirs.groupshared else 444)
        self.outbox = folder.Outbox(course.dirs, assignment, int(str(permissions), 8))
        self.rows: dict[str, Row] = {}
        self._batch, self._recorded_at = [], time.monotonic()

    def find_work(self, only: list[str], force: bool) -> list[str]:
        """The students whose submission needs grading; the others get their row from the journal.

        Raises ValueError for a student in `only` who has handed in nothing.
        """
        found = folder.students(self.course.dirs, self.assignment)
        if unknown := set(only) - set(found):
            raise ValueError(f"{', '.join(sorted(unknown))} handed in nothing for {self.assignment!r}")
        known, journal, work = self.recorder.known(), self.journal.entries(), []
        for student in only or found:
            entry = journal.get(student)
            done = (
                entry and "digest" in entry and student in known and self.outbox.place(student).exists() and not force
            )
            if done and entry["digest"] == folder.digest(self.spec, self._read(student)[0]):
                self.rows[student] = _row(entry, "as before")
            elif problem := self._hopeless(student):
                self.rows[student] = Row(student, "not graded", problems=[problem])
            else:
                work.append(student)
        return work

    def jobs(self, students: list[str]) -> Iterator[tuple[str, Callable]]:
        """What the workers are to do, for `pool.run`."""
        for student in students:
            yield student, lambda student=student: self._read(student)[0]

    def take(self, student: str, result: dict | Exception) -> None:
        """Take a result; record it with others of its batch. Raises CannotRecord."""
        if isinstance(result, Exception):
            words = f"{type(result).__name__}: {result}"
            self.rows[student] = Row(student, "not graded", problems=[words[:500]])
            return
        self._batch.append(result)
        if len(self._batch) >= BATCH or time.monotonic() - self._recorded_at > PATIENCE:
            self.flush()

    def flush(self) -> None:
        """Record what has been taken. Raises CannotRecord, and then nothing of it is recorded."""
        batch, self._batch, self._recorded_at = self._batch, [], time.monotonic()
        if not batch:
            return
        students = [result["student"] for result in batch]
        try:
            entries = self._stage(batch)
            self.journal.begin(students)
            timestamps = {student: self._timestamp(student) for student in students}
            outcomes = self.recorder.record(batch, timestamps)
            for student in students:
                self.outbox.deliver(student)
            for entry in entries:
                entry["score"], entry["needs_a_person"] = outcomes[entry["student"]]
            self.journal.append(entries)
        except (OSError, SQLAlchemyError) as error:
            for student in students:
                self.outbox.discard(student)
            raise CannotRecord(f"{len(batch)} results could not be recorded: {error}. Run it again.") from error
        for entry in entries:
            self.rows[entry["student"]] = _row(entry, "graded")

    def _stage(self, batch: list[dict]) -> list[dict]:
        """Write the graded submissions aside; the journal's entries for them, without the scores."""
        entries = []
        for result in batch:
            student = result["student"]
            files, left_out = self._read(student)
            self.outbox.stage(student, spec.graded_files(self.spec, files, result))
            recognised = {k: v for graded in result["notebooks"].values() for k, v in graded["recognised"].items()}
            missing = [f"{name}.ipynb was not handed in" for name in result["missing"]]
            entries.append(
                {
                    "student": student,
                    "digest": result["digest"],
                    "seconds": round(result["seconds"], 3),
                    "recognised": recognised,
                    "cells": {c: s for graded in result["notebooks"].values() for c, s in graded["scores"].items()},
                    "problems": [*result["problems"], *left_out, *missing],
                }
            )
        return entries

    def _read(self, student: str) -> tuple[dict[str, bytes], list[str]]:
        return folder.read_submission(self.course.submitted(student, self.assignment), self.course.dirs.ignore)

    def _timestamp(self, student: str):
        try:
            return self.course.dirs.get_existing_timestamp(str(self.course.submitted(student, self.assignment)))
        except Exception:  # the file is the student's
            return None

    def _hopeless(self, student: str) -> str:
        """Why this submission cannot be graded at all, or ""."""
        if len(student) > folder.LONGEST_NAME or not student.isprintable():
            return f"a gradebook has no room for this name: {len(student)} characters, {folder.LONGEST_NAME} at most"
        expected = {f"{name}.ipynb" for name in self.spec["notebooks"]}
        found = sorted(os.listdir(self.course.submitted(student, self.assignment)))
        if expected & set(found):
            return ""
        holds = ", ".join(found) or "nothing"
        return f"no {' or '.join(sorted(expected))} in the submission, which holds {holds[:300]}"


def _row(entry: dict, status: str) -> Row:
    known = ("student", "score", "needs_a_person", "seconds", "recognised", "problems")
    return Row(status=status, **{name: entry[name] for name in known if name in entry})
