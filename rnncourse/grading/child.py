"""A child of the warm process: confines itself, then runs the cells of one notebook that it is told to.

There are two for each notebook. The one in the role "student" runs the student's cells and answers what the tests ask
of it; the one in the role "tests" runs the test cells. The instructor's other cells run in both. The source of a test
never enters the student's process.
"""

import builtins
import os
import random
import select
import signal
import socket
import sys
import traceback

import numpy as np
from IPython.core.error import StdinNotImplementedError

from rnncourse.grading import confine, peers, wire
from rnncourse.grading.shell import Stream

CONTROL, CONVERSATION = 1022, 1023  # the only descriptors that a child keeps, beside 0, 1 and 2


class Child:
    """What both roles have in common: cells come in on `control`, outputs go out on it."""

    def __init__(self, warm, control: socket.socket, conversation: socket.socket, job: dict):
        self.shell, self.control, self.process = warm.shell, control, os.getpid()
        self.limits, self.cell = confine.Limits(**job["limits"]), None
        warm.outlet.emit = self.emit
        self.streams = [Stream(name, self.emit, self.limits.output) for name in ("stdout", "stderr")]
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__ = self.streams

    def tell(self, **event) -> None:
        wire.send(self.control, wire.pack(event))

    def emit(self, kind: str, content: dict) -> None:
        if os.getpid() == self.process:
            self.tell(event="output", cell=self.cell, kind=kind, content=content)

    def flush(self) -> None:
        for stream in self.streams:
            stream.flush()

    def about(self, cell: int) -> None:
        """Whatever is printed from now on belongs to this cell."""
        self.flush()
        self.cell = cell
        for stream in self.streams:
            stream.new_cell()
        self.shell.user_ns.pop("__warningregistry__", None)  # as in a kernel, a warning is shown once in each cell

    def run(self, cell: int, source: str, code: bytes | None) -> None:
        """Run a cell, given as its source and perhaps as what that compiles to; say how it ended, and that it has."""
        self.about(cell)
        self.shell.compile.give(code)
        try:
            result = self.shell.run_cell(source, store_history=True)
            error = result.error_before_exec or result.error_in_exec
        except KeyboardInterrupt as interrupt:
            error = interrupt
        self.flush()
        ended = None if error is None else [type(error).__name__, str(error)[:1000]]
        self.tell(event="done", cell=cell, error=ended, count=self.shell.execution_count - 1)

    def command(self) -> dict:
        return wire.unpack(wire.receive(self.control))


class StudentsChild(Child):
    def __init__(self, warm, control, conversation, job):
        super().__init__(warm, control, conversation, job)
        self.peer = peers.students_end(conversation, self.shell.user_ns, warm.private, self.asked_for, self.flush)

    def work(self) -> None:
        while True:
            try:
                ready, _, _ = select.select([self.control, self.peer.sock], [], [])
                if self.control not in ready:
                    self.peer.serve_next()
                elif not self.obey(self.command()):
                    return
            except KeyboardInterrupt:  # it came too late: what it was to stop has ended
                continue

    def asked_for(self, cell: int) -> None:
        """The first of a test's questions begins its cell here, too."""
        if cell != self.cell:
            self.about(cell)

    def obey(self, command: dict) -> bool:
        if command["do"] == "run":
            self.run(command["cell"], command["source"], command["code"])
        return command["do"] != "stop"


class TestsChild(Child):
    """Has names of its own; the student's are those that a test reads and the instructor did not define."""

    def __init__(self, warm, control, conversation, job):
        super().__init__(warm, control, conversation, job)
        self.peer = peers.tests_end(conversation)
        self.given = {}  # name: the value that came from the student's process
        self.shell.set_custom_exc((BaseException,), self.show_error)

    def work(self) -> None:
        while True:
            try:
                command = self.command()
            except KeyboardInterrupt:
                continue
            if command["do"] == "stop":
                return
            if command["do"] == "claim":
                self.claim(command["names"], command["imports"])
            else:
                self.peer.cell = command["cell"]
                try:
                    self.bind(command["reads"])
                except KeyboardInterrupt:
                    self.tell(event="done", cell=command["cell"], error=["KeyboardInterrupt", ""], count=None)
                    continue
                self.run(command["cell"], command["source"], command["code"])

    def claim(self, names: list[str], imports: list[str]) -> None:
        """An answer cell has run: what it is to define is the student's, what it is to import is imported."""
        namespace = self.shell.user_ns
        for name in names:
            namespace.pop(name, None)
        for statement in imports:
            try:
                exec(statement, namespace)
            except Exception:  # a test that needs it will say so
                continue

    def bind(self, names: list[str]) -> None:
        """Fetch the student's values of those names that are the student's."""
        namespace = self.shell.user_ns
        for name, value in self.given.items():
            if namespace.get(name, self) is value:  # not defined anew by a cell of ours: perhaps by the student's
                del namespace[name]
        wanted = [name for name in names if name not in namespace and not hasattr(builtins, name)]
        try:
            self.given = self.peer.ask(peers.NAMES, wanted) if wanted else {}
        except Exception:  # then the names are missing, which is what the test will say
            self.given = {}
        namespace.update(self.given)

    def show_error(self, shell, kind, error, trace, tb_offset=None) -> None:
        """What is shown of an error in a test: its words and the student's lines, none of the test's."""
        render = getattr(error, "_render_traceback_", None)
        lines = render() if render else [f"\x1b[0;31m{kind.__name__}\x1b[0m: {error}"]
        shell._showtraceback(kind, error, [*_students_lines(trace), *lines])


def _students_lines(trace) -> list[str]:
    frames = [f for f in traceback.extract_tb(trace) if f.filename.startswith("<submission>")]
    return [f"in {f.name}, line {f.lineno}: {f.line}" for f in frames]


# --- From fork to the first cell --------------------------------------------------------------------------------


def main(warm, control: int, conversation: int) -> None:
    """The whole life of the child, which `warm` has just forked. Both arguments are descriptors."""
    control, conversation = _keep_only(control, conversation)
    job = wire.unpack(wire.receive(control))
    limits = confine.Limits(**job["limits"])
    if job["confined"]:
        confine.own_files(limits.disk)
    folder = _made(os.path.join(job["folder"], "work"))
    os.chdir(folder)
    _write_files(folder, job["files"])
    os.environ.update(job["environment"], HOME=folder, TMPDIR=_made(os.path.join(job["folder"], "tmp")))
    _fresh_random_numbers()
    child = (StudentsChild if job["role"] == wire.STUDENT else TestsChild)(warm, control, conversation, job)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    builtins.input = _no_input
    confine.limit_resources(limits)
    if job["confined"]:
        confine.drop_capabilities()
    if warm.filter is not None:
        confine.load_seccomp(warm.filter)
    child.tell(event="started")
    child.work()


def _made(folder: str) -> str:
    os.makedirs(folder, exist_ok=True)
    return folder


def _write_files(folder: str, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)


def _keep_only(control: int, conversation: int) -> tuple[socket.socket, socket.socket]:
    """Close every other descriptor that came with the fork; 0, 1 and 2 lead nowhere."""
    os.dup2(control, CONTROL)
    os.dup2(conversation, CONVERSATION)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    os.closerange(3, CONTROL)
    os.closerange(CONVERSATION + 1, 4096)
    return socket.socket(fileno=CONTROL), socket.socket(fileno=CONVERSATION)


def _fresh_random_numbers() -> None:
    """The libraries' own generators, or every student would get the warm process's numbers."""
    random.seed()
    np.random.seed(int.from_bytes(os.urandom(4), "little"))  # noqa: NPY002 - the generator that students may use
    if "torch" in sys.modules:
        sys.modules["torch"].default_generator.seed()  # `torch.seed` would ask every kind of device, too


def _no_input(*arguments, **named):
    raise StdinNotImplementedError("raw_input was called, but this frontend does not support input requests.")
