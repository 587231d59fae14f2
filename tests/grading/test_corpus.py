"""Every hostile or broken submission is recorded with a reason, earns nothing by it, and harms no one."""

import contextlib
import os
import sqlite3

import corpus
import course
import pytest
from corpus import CORPUS

CLASSMATE = "with-{}"


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """The course after the command has graded everyone, and what it said."""
    root = course.make(tmp_path_factory.mktemp("toy"))
    (root / "secret.txt").write_text(corpus.SECRET)
    for name in CORPUS:
        corpus.hand_in(root, name, CLASSMATE.format(name))
    os.symlink(root / "secret.txt", root / "submitted/chinese/toy/link.txt")
    os.mkfifo(root / "submitted/chinese/toy/pipe.txt")
    said = course.grade(root, "--jobs=2", "--timeout=8", "--memory=512", env=os.environ | {"SECRET": corpus.SECRET})
    return root, said


def test_there_are_enough():
    assert len(CORPUS) >= 60


@pytest.mark.parametrize("name", CORPUS)
def test_it_is_recorded_and_earns_what_it_deserves(graded, name):
    root, said = graded
    case = CORPUS[name]
    assert said[name]["status"] == "graded", said[name]["problems"]
    scores = course.scores(root, name)
    assert None not in scores.values()
    assert case.least <= sum(scores.values()) <= case.most, scores
    assert case.reason in "; ".join(said[name]["problems"])
    assert course.graded(root, name).cells


def test_of_an_unreadable_submission_not_every_cell_is_named(graded):
    _, said = graded
    for name in CORPUS:
        if CORPUS[name].reason == corpus.unreadable(b"").reason:
            assert "put back" not in "; ".join(said[name]["problems"])


def test_no_classmate_loses_anything(graded):
    root, said = graded
    for name in CORPUS:
        classmate = CLASSMATE.format(name)
        assert said[classmate]["score"] == course.MOST, classmate
        assert sum(course.scores(root, classmate).values()) == course.MOST


def test_no_student_sees_a_secret(graded):
    root, _ = graded
    for name in CORPUS:
        assert corpus.leaks(root, name) == [], name


def test_links_and_pipes_are_not_followed(graded):
    root, said = graded
    assert not (root / "autograded/chinese/toy/link.txt").exists()
    assert (root / "autograded/chinese/toy/数据/练习 一.txt").read_text() == "数"
    told = "; ".join(said["chinese"]["problems"])
    assert "link.txt is no plain file" in told
    assert "pipe.txt is no plain file" in told


def test_the_gradebook_is_sound(graded):
    with contextlib.closing(sqlite3.connect(graded[0] / "gradebook.db")) as connection:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
        assert connection.execute("pragma foreign_key_check").fetchall() == []
