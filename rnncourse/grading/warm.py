"""The warm process: imports everything once, then forks a child for each role of each notebook.

Started inside the sandbox as ``python -m rnncourse.grading.warm``, with one argument, a description in JSON. It has one
thread, or its children could not be forked safely, and must never touch a GPU. Requests come in on a descriptor
that the description names. The first process is the template: it is asked for copies of itself, one for each worker,
and does nothing else. A copy answers the requests of its worker, which come with the sockets of the child that is
wanted.
"""

import contextlib
import ctypes
import gc
import importlib
import importlib.util
import json
import os
import signal
import socket
import sys
import traceback
import warnings
from pathlib import Path
from typing import NoReturn

from rnncourse.grading import child, confine, wire
from rnncourse.grading.shell import new_shell

LARGE_PAGE, MADV_COLLAPSE = 2 << 20, 25
MOST_DESCRIPTORS = 4  # that come with a request
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
    torch.ones(1, requires_grad=True).sum().backward()


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


def use_large_pages() -> None:
    """Gather this process's memory in pages of 2 MiB: a fork then has less to copy, and its end less to undo.

    A request, which only a newer Linux (6.1) heeds: nothing depends on it.
    """
    memory = (line.split() for line in Path("/proc/self/maps").read_text().splitlines())
    for span, rights, _, _, inode, *name in memory:
        if "w" in rights and inode == "0" and name in ([], ["[heap]"]):
            start, end = (int(address, 16) for address in span.split("-"))
            start, end = -(-start // LARGE_PAGE) * LARGE_PAGE, end // LARGE_PAGE * LARGE_PAGE
            if start < end:
                confine.libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), MADV_COLLAPSE)


def serve(warm: Warm, requests: socket.socket) -> set[int]:
    """Fork as asked until those who ask have gone; the processes that were forked and have not been ended."""
    namespace = os.open("/proc/self/ns/pid", os.O_RDONLY) if warm.confined else None
    forked = set()
    while True:
        data, descriptors, _, _ = socket.recv_fds(requests, 1 << 16, MOST_DESCRIPTORS)
        if not data:
            return forked
        request = json.loads(data)
        if request["do"] == "answer":
            requests.send(json.dumps({"event": "answer"}).encode())
        elif request["do"] == "signal":
            _signal(forked, request["process"], request["signal"])
        elif request["do"] == "copy":
            forked.add(os.fork() or _become_copy(warm, requests, *descriptors))
        else:
            if namespace is not None:
                confine.next_child_alone(namespace)
            process = os.fork() or _become_child(warm, descriptors)
            forked.add(process)
            requests.send(json.dumps({"event": "forked", "process": process}).encode())
        for descriptor in descriptors:
            os.close(descriptor)


def _signal(forked: set[int], process: int, number: int) -> None:
    if process in forked:  # until it has been waited for, its number is no one else's
        os.kill(process, number)
        if number == signal.SIGKILL:
            os.waitpid(process, 0)
            forked.remove(process)


def _become_copy(warm: Warm, template: socket.socket, requests: int, *groups: int) -> NoReturn:
    """Serve one worker. `groups` are open on the files by which a process enters a control group."""
    try:
        template.close()
        if sys.platform == "linux":
            confine.die_with_parent()
        if warm.confined:
            confine.own_network()
        for group in groups:
            with contextlib.suppress(OSError):
                os.write(group, b"0")
        own = socket.socket(fileno=requests)
        own.send(json.dumps({"event": "warm", "process": os.getpid(), "confined": warm.confined}).encode())
        serve(warm, own)
    except BaseException:
        traceback.print_exc()  # for the grader, which reads it when it hears that this process has ended
    finally:
        os._exit(0)


def _become_child(warm: Warm, descriptors: list[int]) -> NoReturn:
    try:
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


def main() -> None:
    description = json.loads(sys.argv[1])
    requests = socket.socket(fileno=description["requests"])
    warm = Warm(description)
    gc.collect()
    gc.freeze()  # or the collector's marks would copy the children's memory
    if sys.platform == "linux":
        use_large_pages()
    requests.send(json.dumps({"event": "warm"}).encode())
    for copy in serve(warm, requests):
        os.waitpid(copy, 0)  # or the system would not count the time that it took


if __name__ == "__main__":
    main()
