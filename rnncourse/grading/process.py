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

from rnncourse.grading import cgroups, child, confine, sandbox, wire

WARM_UP = 120.0  # seconds; importing torch on a busy machine
GRACE = 2.0  # seconds in which to end
LOOK = 1.0  # seconds after which to look whether it is still there


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


class WarmProcess:
    """Started once for many notebooks. Used by one thread at a time."""

    def __init__(self, preload: list[str], private: list[str], limits: confine.Limits, unsafe: bool = False):
        if (why := sandbox.missing()) and not unsafe:
            raise sandbox.NoConfinement(f"{why}. {sandbox.advice()}")
        lacking = sandbox.layers()
        self.limits, self.confined = limits, not lacking["namespaces"]
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        description = {
            "preload": preload,
            "private": private,
            "confined": self.confined,
            "seccomp": not lacking["seccomp"],
            "requests": theirs.fileno(),
        }
        program = [sys.executable, "-P", "-m", "rnncourse.grading.warm", json.dumps(description)]
        packages = ["rnncourse", *preload]
        memory = 2 * (limits.memory + limits.disk) + (1 << 30)
        self.group = cgroups.Group(memory, pids=256)
        self.requests, self.cpu, self.errors = ours, 0.0, tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self.program = subprocess.Popen(
            sandbox.command(program, packages) if self.confined else program,
            env=sandbox.environment(packages) if not self.confined else {"PATH": os.environ.get("PATH", "")},
            stdin=subprocess.DEVNULL,
            stderr=self.errors,
            pass_fds=[theirs.fileno()],
            process_group=0,
            preexec_fn=self.group.enter,
        )
        theirs.close()
        self._hear("warm", WARM_UP)

    def close(self) -> None:
        """End it: by itself, so that the CPU time it took is known to the system; by force if it is stuck."""
        self._end()
        self.errors.close()

    def _end(self) -> None:
        self.requests.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.program.wait(GRACE)
        with contextlib.suppress(ProcessLookupError):  # a sandbox killed while it starts may leave a part of itself
            os.killpg(self.program.pid, signal.SIGKILL)
        self.program.wait()
        self.group.remove()

    def check(self) -> None:
        """Raises WarmProcessDied if it is no longer there, of which its children may have died."""
        try:
            self.requests.send(json.dumps({"do": "answer"}).encode())
        except OSError:
            raise self._died("ended") from None
        self._hear("answer", GRACE)
        if self.program.poll() is not None:  # the walls around it have gone, and it will in a moment
            raise self._died("ended")

    def _hear(self, event: str, patience: float) -> dict:
        """The next event of this kind. Raises WarmProcessDied."""
        until = time.monotonic() + patience
        while time.monotonic() < until:
            ready, _, _ = select.select([self.requests], [], [], LOOK)
            data = self._received() if ready else b""
            if data:
                heard = json.loads(data)
                self.cpu += heard.get("cpu", 0.0)
                if heard["event"] == event:
                    return heard
            elif ready or self.program.poll() is not None:
                raise self._died("ended")
        raise self._died("does not answer")

    def _received(self) -> bytes:
        try:
            return self.requests.recv(1 << 16)
        except ConnectionResetError:  # it ended before it had read what we sent
            return b""

    def _died(self, how: str) -> WarmProcessDied:
        self._end()
        self.errors.seek(0)
        words = self.errors.read().decode(errors="replace").strip()[-500:]
        self.errors.close()
        return WarmProcessDied(f"the warm process {how}. {words}".strip())

    @contextlib.contextmanager
    def children(self, files: dict[str, dict[str, bytes]], variables: dict[str, str]):
        """The two children for one notebook, by role; on the way out they are killed and gone."""
        forked = {}
        try:
            for role, end in zip((child.STUDENT, child.TESTS), socket.socketpair(), strict=True):
                with end:  # only the children keep the conversation open: when one ends, the other knows
                    forked[role] = self._fork(role, end, files[role], variables)
            yield forked
        finally:
            for one in forked.values():
                self.signal(one, signal.SIGKILL)
                one.inbox.sock.close()

    def _fork(self, role: str, conversation: socket.socket, files: dict, variables: dict) -> Child:
        ours, theirs = socket.socketpair()
        request = json.dumps({"do": "fork"}).encode()
        try:
            socket.send_fds(self.requests, [request], [theirs.fileno(), conversation.fileno()])
        except OSError as error:
            raise WarmProcessDied(str(error)) from None
        theirs.close()
        one = Child(role, self._hear("forked", 20.0)["process"], wire.Inbox(ours))
        one.send(role=role, files=files, environment=variables, limits=self.limits._asdict(), confined=self.confined)
        return one

    def signal(self, one: Child, number: int) -> None:
        with contextlib.suppress(OSError):  # if it is gone, so is the child; see `check`
            self.requests.send(json.dumps({"do": "signal", "process": one.process, "signal": int(number)}).encode())
