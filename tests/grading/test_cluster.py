"""Grading on a Dask cluster: the same results, also when a worker is killed or may not grade."""

import contextlib
import sqlite3

import course
import pytest

from benchmarks.cluster import scheduler, worker
from rnncourse.grading import cluster, confine, coordinator, sandbox

STUDENTS = [f"student-{number:02}" for number in range(16)]
NO_WALLS = {"PATH": "/nowhere"}


@pytest.fixture(scope="module")
def address():
    with scheduler() as found:
        yield found


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    root = course.make(tmp_path_factory.mktemp("toy"))
    for student in STUDENTS:
        answers = course.WRONG if student == STUDENTS[0] else course.RIGHT
        course.hand_in(root, student, course.answered(root, answers))
    return root


def graded(root, address: str, unsafe: bool = True, meanwhile=None) -> dict[str, float]:
    """Grade everyone afresh, calling `meanwhile` after the first results; the scores."""
    opened = coordinator.Course(root)
    with opened.gradebook() as gradebook:
        coordinating = coordinator.Coordinator(opened, gradebook, "toy")
        jobs = coordinating.jobs(coordinating.find_work([], force=True))
        results = cluster.run(jobs, coordinating.spec, confine.Limits(), unsafe, address)
        for number, (student, result) in enumerate(results):
            coordinating.take(student, result)
            if number == 3 and meanwhile:
                meanwhile()
        coordinating.flush()
    assert {row.status for row in coordinating.rows.values()} == {"graded"}, coordinating.rows
    return {student: row.score for student, row in coordinating.rows.items()}


def test_a_killed_worker_loses_nothing(toy, address):
    with worker(address) as one, worker(address):
        scores = graded(toy, address, meanwhile=one.kill)
    assert scores == {student: course.MOST for student in STUDENTS} | {STUDENTS[0]: course.LEAST}
    with contextlib.closing(sqlite3.connect(toy / "gradebook.db")) as connection:
        assert connection.execute("select count(*) from grade").fetchone() == (len(STUDENTS) * len(course.TESTS),)


@pytest.mark.skipif(bool(sandbox.missing()), reason="no machine here may grade")
def test_the_command_gives_what_it_gives_without_a_cluster(toy, address):
    with worker(address):
        there = course.grade(toy, "--force", "--scheduler", address)
    here = course.grade(toy, "--force")
    assert {s: row["score"] for s, row in there.items()} == {s: row["score"] for s, row in here.items()}
    assert there[STUDENTS[0]]["status"] == "graded"


def test_a_worker_without_walls_is_refused(toy, address):
    with worker(address, **NO_WALLS), pytest.raises(sandbox.NoConfinement, match=r"tcp://.*: no namespaces"):
        graded(toy, address, unsafe=False)


@pytest.mark.skipif(bool(sandbox.missing()), reason="no machine here may grade")
def test_a_worker_without_walls_that_comes_later_gets_nothing(toy, address):
    late = worker(address, **NO_WALLS)
    with worker(address):
        scores = graded(toy, address, unsafe=False, meanwhile=late.__enter__)
        late.__exit__(None, None, None)
    assert set(scores.values()) == {course.MOST, course.LEAST}


def test_a_scheduler_that_dies_is_said_and_what_was_done_stays(toy):
    one = scheduler()
    address = one.__enter__()
    with worker(address), pytest.raises(ValueError, match=f"the Dask scheduler at {address} has gone"):
        graded(toy, address, meanwhile=lambda: one.gen.close())


def test_no_worker(toy, address, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 0.2)
    with pytest.raises(ValueError, match=f"no worker has joined {address}: start `dask worker"):
        graded(toy, address)


def test_no_scheduler(toy, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 0.2)
    with pytest.raises(ValueError, match="no Dask scheduler answers at tcp"):
        graded(toy, "tcp://127.0.0.1:1")
