"""``python -m benchmarks.cluster``: grading on a Dask cluster against grading by local processes, at equal slots.

Scheduler and workers run on this machine and share its cores with the command, which favours the local processes. Whole
commands are timed, in turns.
"""

import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tabulate import tabulate

from benchmarks.grading import CONFIG, EXERCISE, ROOT, make_course

RESULTS = Path(__file__).with_name("cluster.json")
SLOTS, MANY, ROUNDS = 2, 200, 3


QUIET = ["--no-dashboard", "--host", "127.0.0.1"]


@contextlib.contextmanager
def scheduler() -> Iterator[str]:
    """A scheduler on this machine; its address."""
    with _started("scheduler", "--port", "0", *QUIET) as program:
        yield _line(program, r"Scheduler at:\s+(\S+)")


@contextlib.contextmanager
def worker(address: str, **environment: str) -> Iterator[subprocess.Popen]:
    """A worker with one thread that has joined the scheduler; no nanny starts it again when it dies."""
    with tempfile.TemporaryDirectory(prefix="dask-") as folder:
        own = ["--nthreads", "1", "--no-nanny", "--local-directory", folder]
        with _started("worker", address, *own, *QUIET, **environment) as program:
            _line(program, r"(Registered to):")
            yield program


@contextlib.contextmanager
def _started(*words: str, **environment: str) -> Iterator[subprocess.Popen]:
    command = [sys.executable, "-m", "dask", *words]
    with subprocess.Popen(command, env=os.environ | environment, stderr=subprocess.PIPE, text=True) as program:
        try:
            yield program
        finally:
            program.terminate()


def _line(program: subprocess.Popen, pattern: str) -> str:
    """What the pattern's group is in the first line that has it. Raises RuntimeError if the program ends before."""
    for line in program.stderr:
        if found := re.search(pattern, line):
            return found[1]
    raise RuntimeError(f"{program.args} ended without saying {pattern!r}")


def _seconds(course: Path, *options: str) -> float:
    """What grading everyone takes."""
    command = [sys.executable, "-m", "rnncourse", "grade", EXERCISE, "--force", *options]
    started = time.monotonic()
    subprocess.run(
        command, cwd=course, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL, check=True
    )
    return time.monotonic() - started


def main() -> None:
    with contextlib.ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
        course = Path(name, "course")
        make_course(course, EXERCISE, CONFIG, MANY)
        address = stack.enter_context(scheduler())
        for _ in range(SLOTS):
            stack.enter_context(worker(address))
        ways = {"local": f"--jobs={SLOTS}", "cluster": f"--scheduler={address}"}
        seconds = {way: [] for way in ways}
        for _ in range(ROUNDS):
            for way, option in ways.items():
                seconds[way].append(_seconds(course, option))
    middle = {way: statistics.median(took) for way, took in seconds.items()}
    efficiency = middle["local"] / middle["cluster"]
    rows = [(way, middle[way], middle[way] / MANY, *took) for way, took in seconds.items()]
    print(tabulate(rows, ["", "s", "s each", *[f"run {n + 1}" for n in range(ROUNDS)]], floatfmt=".2f"))
    print(f"{MANY} submissions, {SLOTS} slots on {os.cpu_count()} cores: efficiency {efficiency:.2f}")
    content = {"exercise": EXERCISE, "submissions": MANY, "slots": SLOTS, "cores": os.cpu_count()}
    RESULTS.write_text(json.dumps(content | {"seconds": seconds, "efficiency": efficiency}, indent=1) + "\n")


if __name__ == "__main__":
    main()
