"""Who does the grading: processes of this machine, each with a warm process of its own."""

import contextlib
import multiprocessing
import multiprocessing.connection
import multiprocessing.util
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from rnncourse.grading import confine, submission
from rnncourse.grading.process import Door, Template, WarmProcess, WarmProcessDied

ATTEMPTS = 3  # for a submission over which a process of ours dies
PATIENCE = 30.0  # seconds for the workers to end by themselves

Job = tuple[str, Callable[[], dict[str, bytes]]]  # a student, and what reads the files


class Worker:
    """Grades one submission after the other with one warm process, which it replaces if it dies.

    The first is a copy of a template that others use too, if one is given; then the worker has a template of its own.
    """

    def __init__(self, spec: dict, limits: confine.Limits, unsafe: bool, door: Door | None = None):
        self.spec, self.limits, self.unsafe, self.door = spec, limits, unsafe, door
        self.template = self.warm = None

    def grade(self, student: str, files: dict[str, bytes]) -> dict:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                if self.warm is None:
                    self.warm = self._warm()
                return submission.grade(self.spec, self.warm, student, files)
            except WarmProcessDied:
                self.close()
                if attempt == ATTEMPTS:
                    raise

    def _warm(self) -> WarmProcess:
        if self.door is None:
            self.template = Template(self.spec["preload"], self.spec["private"], self.unsafe)
            self.door = self.template.wait()
        return WarmProcess(self.door, self.limits)

    def close(self) -> None:
        for one in (self.warm, self.template):
            if one is not None:
                one.close()
        self.warm = self.template = self.door = None


def run(jobs: Iterator[Job], spec: dict, limits: confine.Limits, unsafe: bool, processes: int) -> Iterator[tuple]:
    """Pairs of a student and a result, in the order in which they are ready; an exception in place of a result."""
    jobs, again, attempts = iter(jobs), [], {}
    while True:
        with _Pool(spec, limits, unsafe, processes) as pool:
            try:
                yield from _run(pool, jobs, again)
                return
            except BrokenProcessPool:  # a worker was killed, and with it the pool: what was under way comes again
                pool.kill()
                for job in pool.under_way.values():
                    attempts[job[0]] = attempts.get(job[0], 0) + 1
                    if attempts[job[0]] < ATTEMPTS:
                        again.append(job)
                    else:
                        yield job[0], WarmProcessDied(f"a process of the grader died {ATTEMPTS} times over it")


def _context() -> multiprocessing.context.BaseContext:
    """How workers are started: as forks of this process, which has imported everything, unless it has other threads."""
    if sys.platform == "linux" and threading.active_count() == 1:
        return multiprocessing.get_context("fork")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["rnncourse.grading.pool"])
    return context


class _Pool:
    """A pool of workers and what it is working on."""

    def __init__(self, spec: dict, limits: confine.Limits, unsafe: bool, processes: int):
        self.processes = processes
        self.template, door = Template(spec["preload"], spec["private"], unsafe), None
        with contextlib.suppress(WarmProcessDied):  # then each worker tries with a template of its own, and says why
            door = self.template.wait()
        for_worker = spec, limits, unsafe, door
        self.executor = ProcessPoolExecutor(processes, _context(), _start_worker, for_worker)
        self.under_way: dict[Future, Job] = {}

    def __enter__(self):
        return self

    def __exit__(self, kind, *error):
        if kind is not None:
            self.kill()
        # a worker killed at this very moment takes a lock along, for which the others would wait for ever
        patience = threading.Timer(PATIENCE, self.kill)
        patience.daemon = True  # an interrupted program need not wait for it
        patience.start()
        self.executor.shutdown(wait=True, cancel_futures=True)
        patience.cancel()
        self.template.close()

    def kill(self) -> None:
        """End all workers: one that was started while the pool broke would wait for work for ever, and we for it."""
        for process in multiprocessing.active_children():
            process.kill()

    def submit(self, job: Job) -> None:
        self.under_way[self.executor.submit(_grade, job[0], job[1]())] = job


def _run(pool: _Pool, jobs: Iterator[Job], again: list[Job]) -> Iterator[tuple]:
    """Keep every process busy with one job and one waiting, no more: submissions take memory."""
    more = True
    while True:
        while more and len(pool.under_way) < 2 * pool.processes:
            job = again.pop() if again else next(jobs, None)
            more = job is not None
            if more:
                _submit(pool, job, again)
        if not pool.under_way:
            return
        ready, _ = wait(pool.under_way, return_when=FIRST_COMPLETED)
        for future in ready:
            error = future.exception()
            if isinstance(error, BrokenProcessPool):
                raise error
            student = pool.under_way.pop(future)[0]
            yield student, error or future.result()


def _submit(pool: _Pool, job: Job, again: list[Job]) -> None:
    try:
        pool.submit(job)
    except BrokenProcessPool:
        again.append(job)
        raise


# --- In the worker process -----------------------------------------------------------------------------------------

_worker: Worker | None = None


def _start_worker(spec: dict, limits: confine.Limits, unsafe: bool, door: Door | None) -> None:
    global _worker
    _worker = Worker(spec, limits, unsafe, door)
    multiprocessing.util.Finalize(None, _worker.close, exitpriority=1)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    """A coordinator that is killed takes its workers along, and they their sandboxes."""
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


def _grade(student: str, files: dict[str, bytes]) -> dict:
    return _worker.grade(student, files)
