"""A control group for one warm process and its children: together they get so much memory and so many threads.

Only where the grader may write to the tree of groups, as root may; the limits of each process hold everywhere.
"""

import contextlib
import functools
import os
import time
from collections.abc import Iterator
from pathlib import Path

PREFIX = "rnncourse-"  # and the number of the process of the grader's that made the group
PATIENCE = 1.0  # seconds
TREE = Path("/sys/fs/cgroup")
FILES = {"memory": ("memory.limit_in_bytes", "memory.max"), "pids": ("pids.max", "pids.max")}  # of version 1 and 2


@functools.cache
def roots() -> dict[str, Path]:
    """For each resource the folder in which groups can be made."""
    found = {}
    for resource in FILES:
        first = TREE / resource
        second = TREE / "cgroup.subtree_control"
        if (first / "tasks").exists():
            folder = first
        elif second.exists() and resource in second.read_text().split():
            folder = TREE
        else:
            continue
        if os.access(folder, os.W_OK) and os.access(folder / "cgroup.procs", os.W_OK):
            found[resource] = folder
    return found


def remove_abandoned() -> None:
    """Remove the groups of graders that were killed."""
    for root in roots().values():
        for folder in root.glob(f"{PREFIX}*"):
            if not Path("/proc", folder.name.removeprefix(PREFIX)).exists():
                with contextlib.suppress(OSError):
                    folder.rmdir()


class Group:
    """A group with these limits in every tree that is writable; none at all is no error."""

    def __init__(self, memory: int, pids: int):
        remove_abandoned()
        self.folders, name = [], f"{PREFIX}{os.getpid()}"
        for resource, most in (("memory", memory), ("pids", pids)):
            if resource in roots():
                folder = roots()[resource] / name
                with contextlib.suppress(OSError):
                    folder.mkdir(exist_ok=True)
                    self.folders.append(folder)
                    for file in FILES[resource]:
                        if (folder / file).exists():
                            (folder / file).write_text(str(most))

    @contextlib.contextmanager
    def entrances(self) -> Iterator[list[int]]:
        """Descriptors: a process that writes 0 to them is in the group, and so will its children be."""
        with contextlib.ExitStack() as opened:
            files = [opened.enter_context(open(folder / "cgroup.procs", "wb", buffering=0)) for folder in self.folders]
            yield [file.fileno() for file in files]

    def remove(self) -> None:
        """Remove the group, which its processes have left or are about to leave."""
        until = time.monotonic() + PATIENCE
        for folder in self.folders:
            while folder.exists() and time.monotonic() < until:
                with contextlib.suppress(OSError):
                    folder.rmdir()
                    break
                time.sleep(0.01)
