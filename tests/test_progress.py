import io
import sys
from types import SimpleNamespace

import pytest

from rnncourse import progress


@pytest.fixture
def kernel(monkeypatch):
    def run_by(allow_stdin):
        content = {} if allow_stdin is None else {"content": {"allow_stdin": allow_stdin}}
        shell = SimpleNamespace(kernel=SimpleNamespace(get_parent=lambda: content))
        monkeypatch.setattr(progress, "get_ipython", lambda: shell)

    return run_by


@pytest.mark.parametrize(("allow_stdin", "seen"), [(True, True), (False, False), (None, False)])
def test_a_notebook_shows_the_bar_only_to_a_person(kernel, allow_stdin, seen):
    kernel(allow_stdin)
    assert progress.watched() is seen


def test_a_program_shows_the_bar_in_a_terminal_only(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for stream, seen in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stderr", stream)
        assert progress.watched() is seen
        assert list(progress.bar(iter("abc"), "reading", 3)) == ["a", "b", "c"]
        assert ("reading" in stream.getvalue()) is seen
