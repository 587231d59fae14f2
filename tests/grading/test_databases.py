"""A gradebook in PostgreSQL holds the same as one in SQLite, whatever students hand in."""

import glob
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import course
import pytest
from nbgrader.api import Gradebook

LATE = 'c.LateSubmissionPlugin.penalty_method = "zero"\n'
LONG = "x" * 128  # characters that the gradebook has room for


@pytest.fixture(scope="module")
def server():
    """The address of a new PostgreSQL server, reached through a socket in a folder of its own."""
    programs = Path(shutil.which("initdb") or max(glob.glob("/usr/lib/postgresql/*/bin/initdb"), default="")).parent
    assert (programs / "postgres").exists(), "PostgreSQL is not installed (on Debian: apt-get install postgresql)"
    owner = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory(prefix="server-") as folder:
        if owner:
            shutil.chown(folder, "postgres", "postgres")

        def call(program: str, *words: str) -> None:
            command = [programs / program, "-D", f"{folder}/data", *words]
            result = subprocess.run(command, cwd=folder, stdout=log, stderr=log, check=False, **owner)
            assert result.returncode == 0, Path(log.name).read_text()

        with open(Path(folder, "log"), "wb") as log:
            call("initdb", "--auth=trust", "--username=teacher", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
            call("pg_ctl", "start", "--wait", "-o", f"-k {folder} -c listen_addresses='' -c fsync=off")
            try:
                yield f"postgresql+psycopg://teacher@/postgres?host={folder}"
            finally:
                call("pg_ctl", "stop", "--wait", "--mode=immediate")


def hand_in(root) -> None:
    """What a gradebook may choke on."""
    handed_in = {
        "right": course.answered(root, course.RIGHT),
        "wrong": course.answered(root, course.WRONG),
        "blank": course.answered(root, {}),
        "late": course.answered(root, course.RIGHT),
        "unreadable": b"\0\1\2",
        "nul-in-answer": course.answered(root, course.RIGHT | {"mean": "mean = '\0'"}),
        "nul-printed": course.answered(root, course.RIGHT, "print('a\\0b')"),
        "nul-in-error": course.answered(root, course.RIGHT | {"mean": "def mean(n):\n    raise KeyError('\\0')"}),
        "nul-in-name": _with_graded_cell(root, "a\0b"),
        "long-name": _with_graded_cell(root, 2 * LONG),
        "王小明": course.answered(root, course.RIGHT),
        LONG: course.answered(root, course.RIGHT),
        f"{LONG}y": course.answered(root, course.RIGHT),  # no room for it
    }
    for student, notebook in handed_in.items():
        folder = course.hand_in(root, student, notebook)
        (folder / "timestamp.txt").write_text("2026-03-01 12:00:00" if student == "late" else "2026-01-01 12:00:00")


def _with_graded_cell(root, name: str):
    """A submission with a graded cell that the student invented."""
    notebook = course.answered(root, course.RIGHT)
    invented = course.cell("invented", "1 + 1", grade=True, points=7)
    invented.metadata.nbgrader["grade_id"] = name
    notebook.cells.append(invented)
    return notebook


def content(url: str) -> dict:
    """All that a gradebook says of the students, without the random names of its rows."""
    with Gradebook(url, "toy") as gradebook:
        return {s.student.id: _submission(s) for s in gradebook.assignment_submissions("toy")}


def _submission(submission) -> tuple:
    [notebook] = submission.notebooks
    grades = sorted((g.name, g.auto_score, g.manual_score, g.needs_manual_grade, g.score) for g in notebook.grades)
    comments = sorted((c.name, c.auto_comment, c.manual_comment) for c in notebook.comments)
    scores = submission.score, submission.max_score, submission.needs_manual_grade
    return submission.timestamp, scores, notebook.late_submission_penalty, grades, comments


@pytest.fixture(scope="module")
def courses(tmp_path_factory, server):
    """The same course in both, graded: address of the gradebook, root, and what the grader said."""
    made = {}
    for name in ("sqlite", "postgresql"):
        root = tmp_path_factory.mktemp(name)
        url = server if name == "postgresql" else f"sqlite:///{root}/gradebook.db"
        course.make(root, f"{LATE}c.CourseDirectory.db_url = {url!r}\n")
        with Gradebook(url, "toy") as gradebook:
            gradebook.update_or_create_assignment("toy", duedate="2026-02-01 12:00:00")
        hand_in(root)
        made[name] = url, root, course.grade(root)
    return made


def test_the_content_is_the_same(courses):
    (first, _, said), (second, _, also_said) = courses.values()
    expected = content(first)
    assert content(second) == expected
    assert len(expected) == 12
    assert expected["right"][1][0] == course.MOST
    assert expected["late"][2] == course.MOST, "the whole score is taken off"
    assert {who: row["score"] for who, row in said.items()} == {who: row["score"] for who, row in also_said.items()}


def test_a_name_that_is_too_long_is_said_and_harms_no_one(courses):
    for _, root, said in courses.values():
        assert said[f"{LONG}y"]["status"] == "not graded"
        assert "no room for this name: 129 characters" in said[f"{LONG}y"]["problems"][0]
        assert {row["status"] for who, row in said.items() if who != f"{LONG}y"} == {"graded"}
        assert course.graded(root, LONG).cells


def test_grading_again_changes_nothing(courses):
    url, root, _ = courses["postgresql"]
    before = content(url)
    assert {row["status"] for row in course.grade(root).values()} == {"as before", "not graded"}
    assert course.grade(root, "--force", "--student=nul-in-answer")["nul-in-answer"]["status"] == "graded"
    assert content(url) == before


def test_what_follows_grading_works(courses):
    _, root, _ = courses["postgresql"]
    assert not (root / "gradebook.db").exists()
    for words in (("generate_feedback", "toy", "--student=nul-in-error"), ("export",)):
        result = course.run(root, "nbgrader", *words)
        assert result.returncode == 0, result.stderr
    assert (root / "feedback/nul-in-error/toy/toy.html").exists()
    assert len((root / "grades.csv").read_text(encoding="utf-8").splitlines()) == 1 + 12
