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
from collections.abc import Iterator
from pathlib import Path

from tabulate import tabulate

from benchmarks.grading import CONFIG, EXERCISE, make_course, run

RESULTS = Path(__file__).with_name("cluster.json")
SLOTS, MANY, ROUNDS = 2, 200, 3


@contextlib.contextmanager
def cluster(workers: int, *options: str) -> Iterator[tuple[str, list[subprocess.Popen]]]:
    """A scheduler and so many workers with one thread each; its address, and the workers once they have joined."""
    with tempfile.TemporaryDirectory(prefix="dask-") as folder, contextlib.ExitStack() as stack:
        quiet = ["--no-dashboard", "--host", "127.0.0.1"]
        scheduler = _started(stack, "scheduler", "--port", "0", *quiet)
        address = _line(scheduler, r"Scheduler at:\s+(\S+)")
        own = ["--nthreads", "1", "--local-directory", folder, *quiet, *options]
        joined = [_started(stack, "worker", address, *own) for _ in range(workers)]
        for worker in joined:
            _line(worker, r"(Registered to):")
        yield address, joined


def _started(stack: contextlib.ExitStack, *words: str) -> subprocess.Popen:
    program = subprocess.Popen([sys.executable, "-m", "dask", *words], stderr=subprocess.PIPE, text=True)
    stack.enter_context(program)
    stack.callback(program.terminate)
    return program


def _line(program: subprocess.Popen, pattern: str) -> str:
    """What the pattern's group is in the first line that has it. Raises RuntimeError if the program ends before."""
    for line in program.stderr:
        if found := re.search(pattern, line):
            return found[1]
    raise RuntimeError(f"{program.args} ended without saying {pattern!r}")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as name, cluster(SLOTS) as (address, _):
        course = make_course(Path(name) / "course", EXERCISE, CONFIG, MANY)
        ways = {"local": [f"--jobs={SLOTS}"], "cluster": [f"--scheduler={address}"]}
        seconds = {way: [] for way in ways}
        for _ in range(ROUNDS):
            for way, options in ways.items():
                seconds[way].append(run(course, "rnncourse", "grade", EXERCISE, "--force", *options)[0])
    middle = {way: statistics.median(took) for way, took in seconds.items()}
    efficiency = middle["local"] / middle["cluster"]
    rows = [(way, middle[way], middle[way] / MANY, *took) for way, took in seconds.items()]
    print(tabulate(rows, ["", "s", "s each", *[f"run {n + 1}" for n in range(ROUNDS)]], floatfmt=".2f"))
    print(f"{MANY} submissions, {SLOTS} slots on {os.cpu_count()} cores: efficiency {efficiency:.2f}")
    content = {"exercise": EXERCISE, "submissions": MANY, "slots": SLOTS, "cores": os.cpu_count()}
    RESULTS.write_text(json.dumps(content | {"seconds": seconds, "efficiency": efficiency}, indent=1) + "\n")


if __name__ == "__main__":
    main()
