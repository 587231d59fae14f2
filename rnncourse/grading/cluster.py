"""Who does the grading: the workers of a Dask cluster, on this machine or on others, with no file system in common.

On one machine runs ``dask scheduler``. Each machine that is to work has this package, what the exercises import, and
bubblewrap, and runs one process a core::

    dask worker tcp://SCHEDULER:8786 --nthreads 1 --nworkers -1

Whoever reaches a scheduler can run programs on its workers: on a network that others use, give both a certificate
(Dask's ``distributed.comm.tls`` settings) and an address that begins with ``tls://``.
"""

import queue
from collections.abc import Iterator

from distributed import Client, WorkerPlugin, as_completed, get_worker
from distributed.client import FutureCancelledError
from distributed.comm import CommClosedError

from rnncourse.grading import confine, pool, sandbox

NAME = "rnncourse-grading"
PATIENCE = 10  # seconds in which the scheduler answers and a first worker is there


class Grading(WorkerPlugin):
    """What a worker gets once, even one that comes later: the specification, for a warm process a thread."""

    name = NAME

    def __init__(self, spec: dict, limits: confine.Limits, unsafe: bool):
        self.spec, self.limits, self.unsafe = spec, limits, unsafe

    async def setup(self, worker) -> None:
        """Raises NoConfinement on a machine that cannot keep students' code from the rest of it: it gets none."""
        self.idle = queue.SimpleQueue()
        if (why := sandbox.missing()) and not self.unsafe:
            raise sandbox.NoConfinement(f"{worker.address}: {why}. {sandbox.advice()}")
        for _ in range(worker.state.nthreads):
            self.idle.put(pool.Worker(self.spec, self.limits, self.unsafe))
        await worker.set_resources(**{NAME: worker.state.nthreads})

    def teardown(self, worker) -> None:
        while not self.idle.empty():
            self.idle.get().close()

    def grade(self, student: str, files: dict[str, bytes]) -> dict:
        one = self.idle.get()
        try:
            return one.grade(student, files)
        finally:
            self.idle.put(one)


def run(jobs: Iterator[pool.Job], spec: dict, limits: confine.Limits, unsafe: bool, address: str) -> Iterator[tuple]:
    """As `pool.run`, on the cluster whose scheduler is at `address`. What a worker had that died, another does.

    Raises ValueError if there is no such cluster, NoConfinement if one of its workers cannot confine students' code.
    """
    with _connected(address) as client:
        try:
            client.register_plugin(Grading(spec, limits, unsafe))
            yield from _run(client, iter(jobs))
        except (CommClosedError, FutureCancelledError) as error:
            raise ValueError(f"the Dask scheduler at {address} has gone; what was finished is recorded") from error
        finally:
            if client.status == "running":
                client.unregister_worker_plugin(NAME)


def _connected(address: str) -> Client:
    try:
        client = Client(address, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise ValueError(f"no Dask scheduler answers at {address}: {error}") from None
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        client.close()
        raise ValueError(f"no worker has joined {address}: start `dask worker {address}` on each machine") from None
    return client


def _run(client: Client, jobs: Iterator[pool.Job]) -> Iterator[tuple]:
    """Keep every thread busy with one job and one waiting, no more: the scheduler holds what waits in memory."""
    students, ready = {}, as_completed(raise_errors=False)

    def submit() -> None:
        threads = sum(client.nthreads().values())
        while len(students) < 2 * max(1, threads) and (job := next(jobs, None)):
            future = client.submit(_grade, job[0], job[1](), pure=False, resources={NAME: 1})
            students[future.key] = job[0]
            ready.add(future)

    submit()
    for future in ready:
        student = students.pop(future.key)
        result = future.exception() or future.result()
        future.release()
        submit()
        yield student, result


def _grade(student: str, files: dict[str, bytes]) -> dict:
    """In the worker."""
    return get_worker().plugins[NAME].grade(student, files)
