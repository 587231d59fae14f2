"""The grader's end of the warm process: start it, have children forked, end them."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from rnncourse.grading import cgroups, confine, sandbox, wire

WARM_UP = 120.0  # seconds; importing torch on a busy machine
LOOK = 1.0  # seconds after which to look whether it is still there
START = 20.0  # seconds; a fork on a busy machine
GRACE = 2.0  # seconds in which to end


class WarmProcessDied(RuntimeError):
    """The warm process is gone: something outside the sandbox ended it, or the machine has no memory left."""


@dataclass(eq=False)
class Child:
    """A running child: which role it plays and how to hear from it."""

    role: str
    process: int  # its number inside the sandbox
    inbox: wire.Inbox
    ended: str = ""  # why nothing more is to be expected of it

    def send(self, **command) -> None:
        try:
            wire.send(self.inbox.sock, wire.pack(command))
        except OSError:
            self.ended = self.ended or "DeadKernelError"


class Door(NamedTuple):
    """How to reach a template from any process of this machine."""

    requests: socket.socket
    errors: str  # the file with what it has to complain of


class Template:
    """A program that imports everything, and of which warm processes are then copies, in one sandbox."""

    def __init__(self, preload: list[str], private: list[str], unsafe: bool = False):
        if (why := sandbox.missing()) and not unsafe:
            raise sandbox.NoConfinement(f"{why}. {sandbox.advice()}")
        lacking = sandbox.layers()
        confined = not lacking["namespaces"]
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        description = {
            "preload": preload,
            "private": private,
            "confined": confined,
            "seccomp": not lacking["seccomp"],
            "requests": theirs.fileno(),
        }
        program = [sys.executable, "-P", "-m", "rnncourse.grading.warm", json.dumps(description)]
        packages = ["rnncourse", *preload]
        self._errors = tempfile.NamedTemporaryFile(prefix="grading-")  # noqa: SIM115 - closed by `close`
        self.door = Door(ours, self._errors.name)
        self.program = subprocess.Popen(
            sandbox.command(program, packages) if confined else program,
            env=sandbox.environment(packages) if not confined else {"PATH": os.environ.get("PATH", "")},
            stdin=subprocess.DEVNULL,
            stderr=self._errors,
            pass_fds=[theirs.fileno()],
            process_group=0,
        )
        theirs.close()

    def wait(self) -> Door:
        """Wait until it can be copied. Raises WarmProcessDied if it does not come so far."""
        until = time.monotonic() + WARM_UP
        while not select.select([self.door.requests], [], [], LOOK)[0]:
            if self.program.poll() is not None or time.monotonic() > until:
                break
        else:
            if self.door.requests.recv(1 << 16):
                return self.door
        words = _words(self.door)
        self.close()
        raise WarmProcessDied(f"the warm process ended{words}")

    def close(self) -> None:
        """End it: by itself, so that the CPU time it took is known to the system; by force if it is stuck."""
        if self._errors.closed:  # it has been closed before
            return
        self.door.requests.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.program.wait(GRACE)
        with contextlib.suppress(ProcessLookupError):  # a sandbox killed while it starts may leave a part of itself
            os.killpg(self.program.pid, signal.SIGKILL)
        self.program.wait()
        self._errors.close()


def _words(door: Door) -> str:
    """What the program behind the door complained of, to be put at the end of a message."""
    with contextlib.suppress(OSError):
        if words := Path(door.errors).read_text(errors="replace").strip():
            return f". {words[-500:]}"
    return ""


class WarmProcess:
    """Started once for many notebooks, as a copy of a template. Used by one thread at a time."""

    def __init__(self, template: Door, limits: confine.Limits):
        self.template, self.limits, self.process = template, limits, None
        self.group = cgroups.Group(2 * (limits.memory + limits.disk) + (1 << 30), pids=256)
        self.requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, self.group.entrances() as entrances, contextlib.suppress(OSError):  # if it is dead, we shall hear
            _ask(template.requests, "copy", descriptors=[theirs.fileno(), *entrances])
        heard = self._hear("warm", START)
        self.process, self.confined = heard["process"], heard["confined"]

    def close(self) -> None:
        """End it, once: by itself, or by force if it is stuck."""
        if self.requests.fileno() == -1:
            return
        with contextlib.suppress(OSError):
            self.requests.shutdown(socket.SHUT_WR)
        if not self._ended(GRACE) and self.process:
            with contextlib.suppress(OSError):
                _ask(self.template.requests, "signal", process=self.process, signal=signal.SIGKILL)
            self._ended(GRACE)
        self.requests.close()
        self.group.remove()

    def _ended(self, patience: float) -> bool:
        """Whether it has, after so many seconds at most."""
        until = time.monotonic() + patience
        while select.select([self.requests], [], [], max(0.0, until - time.monotonic()))[0]:
            if not self._received():
                return True
        return False

    def check(self) -> None:
        """Raises WarmProcessDied if it is no longer there, of which its children may have died."""
        with contextlib.suppress(OSError):  # if it is gone, so is the answer
            _ask(self.requests, "answer")
        self._hear("answer", GRACE)

    def _hear(self, event: str, patience: float) -> dict:
        """The next event, of this kind. Raises WarmProcessDied."""
        if not select.select([self.requests], [], [], patience)[0]:
            raise self._died("does not answer")
        heard = json.loads(self._received() or "{}")
        if heard.get("event") != event:
            raise self._died("ended")
        return heard

    def _received(self) -> bytes:
        try:
            return self.requests.recv(1 << 16)
        except ConnectionResetError:  # it ended before it had read what we sent
            return b""

    def _died(self, how: str) -> WarmProcessDied:
        self.close()
        return WarmProcessDied(f"the warm process {how}{_words(self.template)}")

    @contextlib.contextmanager
    def children(self, files: dict[str, dict[str, bytes]], variables: dict[str, str]):
        """The two children for one notebook, by role; on the way out they are killed and gone."""
        forked = {}
        with contextlib.ExitStack() as at_the_end:
            for role, end in zip((wire.STUDENT, wire.TESTS), socket.socketpair(), strict=True):
                folder = "/job" if self.confined else at_the_end.enter_context(_temporary_folder())
                with end:  # only the children keep the conversation open: when one ends, the other knows
                    one = forked[role] = self._fork(role, end)
                at_the_end.callback(one.inbox.sock.close)
                at_the_end.callback(self.signal, one, signal.SIGKILL)
                set_by_us = {"limits": self.limits._asdict(), "confined": self.confined, "folder": folder}
                one.send(role=role, files=files[role], environment=variables, **set_by_us)
            yield forked

    def _fork(self, role: str, conversation: socket.socket) -> Child:
        ours, theirs = socket.socketpair()
        try:
            _ask(self.requests, "fork", descriptors=[theirs.fileno(), conversation.fileno()])
        except OSError as error:
            raise WarmProcessDied(str(error)) from None
        theirs.close()
        return Child(role, self._hear("forked", START)["process"], wire.Inbox(ours))

    def signal(self, one: Child, number: int) -> None:
        with contextlib.suppress(OSError):  # if it is gone, so is the child; see `check`
            _ask(self.requests, "signal", process=one.process, signal=int(number))


def _temporary_folder() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="grading-", ignore_cleanup_errors=True)


def _ask(requests: socket.socket, what: str, descriptors: list[int] = (), **named) -> None:
    socket.send_fds(requests, [json.dumps({"do": what, **named}).encode()], descriptors)
