"""Warm processes that are copies of one template: each has its own limits, and none is seen from another."""

import contextlib
import select
import tempfile

import pytest

from rnncourse.grading import process, sandbox, wire
from rnncourse.grading.confine import Limits

FILES = {wire.STUDENT: {}, wire.TESTS: {}}
confined = pytest.mark.skipif(bool(sandbox.layers()["namespaces"]), reason="this machine has no namespaces")


@pytest.fixture
def pair():
    """Two warm processes."""
    with (
        contextlib.closing(process.Template([], [], unsafe=True)) as template,
        contextlib.closing(process.WarmProcess(template.wait(), Limits())) as first,
        contextlib.closing(process.WarmProcess(template.door, Limits())) as second,
    ):
        yield first, second


def run(child: process.Child, source: str) -> list | None:
    """Run a cell in a child; the error with which it ended."""
    child.send(do="run", cell=0, source=source, code=None, reads=[])
    while select.select([child.inbox], [], [], 20)[0]:
        for event in child.inbox.messages():
            if event["event"] == "done":
                return event["error"]
    raise TimeoutError(source)


@confined
def test_students_of_two_copies_cannot_meet(pair):
    """Sockets with an abstract address belong to a network, not to a folder."""
    meet = "import socket\nmeeting = socket.socket(socket.AF_UNIX)\n"
    with pair[0].children(FILES, {}) as here, pair[1].children(FILES, {}) as there:
        assert run(here[wire.STUDENT], meet + "meeting.bind('\\0here'); meeting.listen()") is None
        assert run(here[wire.TESTS], meet + "meeting.connect('\\0here')") is None  # it would work in one network
        assert run(there[wire.STUDENT], meet + "meeting.connect('\\0here')")[0] == "ConnectionRefusedError"


@pytest.mark.skipif(bool(sandbox.layers()["cgroups"]), reason="no control group can be made here")
def test_a_copy_and_its_children_are_in_the_group_of_its_worker(pair):
    def members() -> list[int]:
        return [len((folder / "cgroup.procs").read_text().split()) for folder in pair[0].group.folders]

    assert set(members()) == {2}  # both copies: here one process is the worker of both
    with pair[0].children(FILES, {}):
        assert set(members()) == {4}


def test_a_copy_that_fails_says_why(pair):
    pair[0].requests.send(b"no request")
    with pytest.raises(process.WarmProcessDied, match="JSONDecodeError"):
        pair[0].check()
    pair[1].check()


def test_nothing_is_left_of_children_without_namespaces(tmp_path, monkeypatch):
    without = dict.fromkeys(("namespaces", "seccomp", "cgroups"), "not here")
    monkeypatch.setattr(process.sandbox, "layers", lambda: without)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with (
        contextlib.closing(process.Template([], [], unsafe=True)) as template,
        contextlib.closing(process.WarmProcess(template.wait(), Limits())) as warm,
        warm.children(FILES, {}) as children,
    ):
        assert run(children[wire.STUDENT], "open('mine', 'w').write('x')") is None
        assert len(list(tmp_path.rglob("mine"))) == 1
    assert list(tmp_path.iterdir()) == []
