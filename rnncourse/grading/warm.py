"""The warm process: imports everything once, then forks a child for each role of each notebook.

Started inside the sandbox as ``python -m rnncourse.grading.warm``, with one argument, a description in JSON. It has one
thread, or its children could not be forked safely, and must never touch a GPU. Requests come in on a descriptor
that the description names, each with the sockets of the child that is wanted.
"""

import contextlib
import gc
import importlib
import importlib.util
import json
import os
import select
import signal
import socket
import sys
import warnings

from rnncourse.grading import child, confine, wire
from rnncourse.grading.shell import new_shell

WARMING_CELLS = ("1 + 1", "import asyncio", "def f(:", "1 / 0")  # no `await`: children need an event loop of their own


class Warm:
    """What the children inherit."""

    def __init__(self, description: dict):
        self.confined = description["confined"]
        for name in description["preload"]:
            with contextlib.suppress(Exception):  # no module, or a broken one: the cell that imports it will say so
                importlib.import_module(name)
        if "torch" in sys.modules:
            _warm_torch(sys.modules["torch"])
        self.private = {name: _loaded_apart(name) for name in description["private"]}
        self.shell, self.outlet = new_shell()
        _warm_shell(self.shell)
        self.filter = confine.seccomp_filter() if description["seccomp"] else None


def _warm_torch(torch) -> None:
    """Pay for what the first call of its kind costs."""
    torch.set_num_threads(1)
    with torch.no_grad():
        torch.nn.LSTM(2, 2).double()(torch.zeros(1, 1, 2).double())
    leaf = torch.ones(1, requires_grad=True)
    torch.autograd.grad(2 * leaf, leaf, torch.ones(1))  # imports 480 modules


def _loaded_apart(name: str):
    """A second copy of a module, which no import finds and so no student can change by importing it."""
    found = importlib.util.find_spec(name)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def _warm_shell(shell) -> None:
    standard = sys.stdout, sys.stderr
    with open(os.devnull, "w") as sys.stdout, open(os.devnull, "w") as sys.stderr, warnings.catch_warnings():
        for source in WARMING_CELLS:
            shell.run_cell(source, store_history=False)
    sys.stdout, sys.stderr = standard
    shell.reset(new_session=True)
    shell.execution_count = 1


def serve(warm: Warm, requests: socket.socket) -> None:
    """Fork as asked until the grader goes away."""
    namespace = os.open("/proc/self/ns/pid", os.O_RDONLY) if warm.confined else None
    woken, wake = os.pipe()
    for end in (woken, wake):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    while True:
        ready, _, _ = select.select([requests, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _report_the_dead(requests)
        if requests in ready:
            data, descriptors, _, _ = socket.recv_fds(requests, 1 << 16, 2)
            if not data:
                return
            _do(warm, json.loads(data), descriptors, requests, namespace)


def _do(warm, request: dict, descriptors: list[int], requests: socket.socket, namespace) -> None:
    if request["do"] == "signal":
        with contextlib.suppress(ProcessLookupError):
            os.kill(request["process"], request["signal"])
        return
    if request["do"] == "answer":
        requests.send(json.dumps({"event": "answer"}).encode())
        return
    if namespace is not None:
        confine.next_child_alone(namespace)
    process = os.fork()
    if process == 0:
        _become_child(warm, descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    requests.send(json.dumps({"event": "forked", "process": process}).encode())


def _become_child(warm, descriptors: list[int]) -> None:
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if sys.platform == "linux":
            confine.die_with_parent()
        child.main(warm, *descriptors)
    except BaseException as error:
        _last_words(f"{type(error).__name__}: {error}", descriptors[0])
    finally:
        os._exit(0)


def _last_words(text: str, *controls: int) -> None:
    """Tell the grader, on whichever descriptor still leads to it."""
    for control in (child.CONTROL, *controls):
        try:
            os.write(control, wire.LENGTH.pack(len(message := wire.pack({"event": "crashed", "text": text}))) + message)
            return
        except OSError:
            continue


def _report_the_dead(requests: socket.socket) -> None:
    while True:
        try:
            process, status, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if process == 0:
            return
        report = {"event": "ended", "process": process, "status": status, "cpu": usage.ru_utime + usage.ru_stime}
        with contextlib.suppress(OSError):  # the grader may have gone
            requests.send(json.dumps(report).encode())


def main() -> None:
    description = json.loads(sys.argv[1])
    requests = socket.socket(fileno=description["requests"])
    warm = Warm(description)
    gc.collect()
    gc.freeze()  # or the collector's marks would copy the children's memory
    requests.send(json.dumps({"event": "warm", "process": os.getpid()}).encode())
    serve(warm, requests)


if __name__ == "__main__":
    main()
