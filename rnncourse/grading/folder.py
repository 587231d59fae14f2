"""Submissions on disk, graded notebooks back to disk, and the journal of what has been graded.

Nothing here is ever half written where others read it: what is new is made beside it, forced to the disk, and renamed.
"""

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path

from nbgrader import utils
from nbgrader.coursedir import CourseDirectory

MOST_BYTES = 200 << 20  # of one submission
MOST_FILES = 1000
LONGEST_NAME = 128  # characters that the gradebook has room for


def students(coursedir: CourseDirectory, assignment: str) -> list[str]:
    """Who has handed something in. Raises ValueError if no one has."""
    pattern = Path(coursedir.format_path(coursedir.submitted_directory, "*", assignment))
    index = pattern.parts.index("*")
    parent = Path(*pattern.parts[:index])
    found = (
        [p.name for p in parent.iterdir() if Path(p, *pattern.parts[index + 1 :]).is_dir()] if parent.is_dir() else []
    )
    if not found:
        where = coursedir.format_path(coursedir.submitted_directory, "STUDENT", assignment)
        raise ValueError(f"no submission to {assignment!r} found; they belong into {where}")
    excluded = coursedir.student_id_exclude.split(",")
    return sorted(name for name in found if name not in excluded and not name.startswith("."))


def read_submission(folder: Path, ignore: list[str]) -> tuple[dict[str, bytes], list[str]]:
    """The files of a submission by name, and what was left out and why. Links are not followed."""
    files, left_out, size = {}, [], 0
    for path in sorted(utils.find_all_files(str(folder), ignore)):
        name = str(Path(path).relative_to(folder))
        status = os.lstat(path)
        size += status.st_size
        if not stat.S_ISREG(status.st_mode) or _through_a_link(folder, path):
            left_out.append(f"{name} is no plain file and was left out")
        elif size > MOST_BYTES or len(files) >= MOST_FILES:
            left_out.append(f"{name} was left out: the submission is too large")
        else:
            files[_printable(name)] = Path(path).read_bytes()
    return files, left_out


def _through_a_link(folder: Path, path: str) -> bool:
    return Path(os.path.realpath(path)) != Path(os.path.realpath(folder), os.path.relpath(path, folder))


def _printable(name: str) -> str:
    """A file name as text that can be sent and stored; a name may hold bytes that are no text."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def digest(spec: dict, files: dict[str, bytes]) -> str:
    """What a graded submission followed from: the same again need not be graded again."""
    parts = [spec["digest"], *(f"{name} {hashlib.sha256(files[name]).hexdigest()}" for name in sorted(files))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


class Outbox:
    """Graded submissions that are complete on the disk but not yet where nbgrader looks for them."""

    def __init__(self, coursedir: CourseDirectory, assignment: str, permissions: int):
        self.coursedir, self.assignment, self.permissions = coursedir, assignment, permissions
        self.root = Path(coursedir.root, ".grading", "staged")
        shutil.rmtree(self.root, ignore_errors=True)  # what a killed run left
        self.root.mkdir(parents=True)

    def place(self, student: str) -> Path:
        return Path(self.coursedir.format_path(self.coursedir.autograded_directory, student, self.assignment))

    def stage(self, student: str, files: dict[str, bytes]) -> None:
        """Write the graded submission aside. Raises OSError if the disk is full, and leaves nothing then."""
        folder = self._aside(student)
        try:
            for name, content in files.items():
                _write(folder / name, content, self.permissions)
            _sync(folder)
        except OSError:
            self.discard(student)
            raise

    def deliver(self, student: str) -> None:
        """Put it where nbgrader looks, in place of what was there. At no time is there a part of it."""
        place, old = self.place(student), self.root / "old"
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists():
            shutil.rmtree(old, ignore_errors=True)
            place.rename(old)
        self._aside(student).rename(place)
        _sync(place.parent)
        shutil.rmtree(old, ignore_errors=True)

    def discard(self, student: str) -> None:
        shutil.rmtree(self._aside(student), ignore_errors=True)

    def _aside(self, student: str) -> Path:
        return self.root / hashlib.sha256(student.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _write(path: Path, content: bytes, permissions: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(permissions)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Journal:
    """Of each student the last line holds. A whole one is written last of all: it says that all the rest is done."""

    def __init__(self, coursedir: CourseDirectory, assignment: str):
        self.path = Path(coursedir.root, ".grading", f"{assignment}.jsonl")
        self.path.parent.mkdir(exist_ok=True)

    def entries(self) -> dict[str, dict]:
        """The last line of each student. A line that was cut off by a power failure is none."""
        found = {}
        if self.path.exists():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                try:
                    entry = json.loads(line)
                    found[entry["student"]] = entry
                except (ValueError, KeyError, TypeError):
                    continue
        return found

    def begin(self, students: Iterable[str]) -> None:
        """What is recorded of these is about to change: until their next line, nothing is known of it."""
        self.append({"student": student} for student in students)

    def append(self, entries: Iterable[dict]) -> None:
        whole = not self.path.exists() or self.path.read_bytes()[-1:] in (b"", b"\n")
        lines = "".join(f"{json.dumps(entry, ensure_ascii=True)}\n" for entry in entries)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(lines if whole else f"\n{lines}")
            file.flush()
            os.fsync(file.fileno())
