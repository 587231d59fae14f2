"""``rnncourse grade ASSIGNMENT``: grade a class, confined and in parallel, and print a table."""

import argparse
import os
import sys
import time
import warnings
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from sqlalchemy.exc import SAWarning

from rnncourse.grading import pool, sandbox, table
from rnncourse.grading.confine import Limits
from rnncourse.grading.coordinator import CannotRecord, Coordinator, Course, Row
from rnncourse.grading.settings import Sandbox

GRADED, INCOMPLETE, IMPOSSIBLE = 0, 1, 2  # exit codes
BETWEEN = 0.1  # seconds between two drawings of the progress bar


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("assignment")
    parser.add_argument("--force", action="store_true", help="grade again what is graded already")
    parser.add_argument("--resume", action="store_true", help="grade what is new, changed or unfinished (the default)")
    parser.add_argument("--student", action="append", default=[], metavar="ID", help="only this one (may be repeated)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="submissions at a time (default: one a core)")
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="have a Dask cluster do it (rnncourse.grading.cluster tells how to start one)",
    )
    parser.add_argument(
        "--timeout", type=float, help="seconds for one cell (default: that of nbgrader_config.py, or 30)"
    )
    parser.add_argument(
        "--memory", type=int, help="MiB for a student's process (default: nbgrader_config.py's, or 2048)"
    )
    parser.add_argument("--feedback", action="store_true", help="write the feedback pages, too")
    parser.add_argument("--json", action="store_true", help="print the results as JSON in place of the table")
    parser.add_argument(
        "--unsafe", action="store_true", help="grade even if this machine cannot confine students' code"
    )


def main(options: argparse.Namespace) -> int:
    """Grade as the options say; the exit code."""
    console = Console(highlight=False, stderr=options.json)
    warnings.simplefilter("ignore", SAWarning)  # of nbgrader's own queries; nothing a teacher can act on
    try:
        course = Course(Path.cwd())
        with FileLock(course.root / ".grading.lock", blocking=False), course.gradebook() as gradebook:
            return _grade(course, gradebook, options, console)
    except Timeout:
        return _fail(console, "another run is grading this course; wait until it ends")
    except (FileNotFoundError, ValueError, sandbox.NoConfinement, CannotRecord) as error:
        return _fail(console, error)
    except KeyboardInterrupt:
        return _fail(console, "stopped; what was finished is recorded, and the next run goes on from there")


def _fail(console: Console, message) -> int:
    console.print(f"rnncourse grade: {message}", style="red", markup=False)
    return IMPOSSIBLE


def _grade(course: Course, gradebook, options, console: Console) -> int:
    coordinator = Coordinator(course, gradebook, options.assignment)
    work = coordinator.find_work(options.student, options.force)
    if work:
        if not options.scheduler:  # the workers of a cluster look for themselves
            _say_what_holds(console, options.unsafe)
        for student, result in _watched(_results(coordinator, work, options), len(work), console):
            coordinator.take(student, result)
        coordinator.flush()
    rows = [coordinator.rows[student] for student in sorted(coordinator.rows)]
    if options.feedback:
        _write_feedback(course, rows, options.assignment, console)
    if options.json:
        print(table.as_json(options.assignment, rows, coordinator.recorder.maximum))
    else:
        table.print_table(console, options.assignment, rows, coordinator.recorder.maximum)
    return GRADED if all(row.status != "not graded" for row in rows) else INCOMPLETE


def _results(coordinator: Coordinator, work: list[str], options):
    set_limits = limits(coordinator.course, options)
    if options.scheduler:
        from rnncourse.grading import cluster  # needs Dask, which the rest does without

        return cluster.run(coordinator.jobs(work), coordinator.spec, set_limits, options.unsafe, options.scheduler)
    processes = max(1, min(options.jobs, len(work)))
    return pool.run(coordinator.jobs(work), coordinator.spec, set_limits, options.unsafe, processes)


def limits(course: Course, options) -> Limits:
    """The limits of the configuration, and over them those of the command line."""
    set_by_course = Sandbox(config=course.config)
    timeout = options.timeout or set_by_course.timeout
    memory = options.memory or set_by_course.memory
    return Limits(timeout=timeout, total=10 * timeout, memory=memory << 20)


def _say_what_holds(console: Console, unsafe: bool) -> None:
    """Which layers of the sandbox this machine has. Raises NoConfinement if they do not suffice."""
    why = sandbox.missing()
    if why and not unsafe:
        raise sandbox.NoConfinement(f"{why}. {sandbox.advice()}")
    parts = [f"{name} {'✓' if not lack else f'✗ ({lack})'}" for name, lack in sandbox.layers().items()]
    console.print(f"Sandbox: {', '.join(parts)}", style="red" if why else "dim", markup=False)


def _watched(results, total: int, console: Console):
    """The results, with a progress bar: rate, remaining time and failures so far.

    It is drawn when a result comes, and not by a thread, beside which workers could not be forked.
    """
    done_so_far = (TextColumn("Grading"), BarColumn(), MofNCompleteColumn(), TaskProgressColumn())
    rate, failures = TextColumn("{task.fields[rate]:.1f}/s"), TextColumn("{task.fields[failed]} failed")
    columns = (*done_so_far, rate, TimeRemainingColumn(), failures)
    started, shown, failed = time.monotonic(), 0.0, 0
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as progress:
        bar = progress.add_task("", total=total, rate=0.0, failed=0)
        for done, (student, result) in enumerate(results, start=1):
            yield student, result
            failed += isinstance(result, Exception)
            rate = done / (time.monotonic() - started)
            progress.update(bar, completed=done, rate=rate, failed=failed)
            if time.monotonic() - shown > BETWEEN:
                progress.refresh()
                shown = time.monotonic()


def _write_feedback(course: Course, rows: list[Row], assignment: str, console: Console) -> None:
    from nbgrader.apps import NbGraderAPI

    api = NbGraderAPI(course.dirs, config=course.config)
    wanted = [row for row in rows if row.status != "not graded"]
    with Progress(console=console, transient=True) as progress:
        for row in progress.track(wanted, description="Feedback"):
            page = Path(course.dirs.format_path(course.dirs.feedback_directory, row.student, assignment))
            if row.status == "graded" or not page.exists():
                answer = api.generate_feedback(assignment, row.student, force=True)
                if not answer["success"]:
                    row.problems.append(f"feedback failed: {answer['error'].strip().splitlines()[-1]}")


def run(words: list[str] | None = None) -> int:
    """``python -m rnncourse.grading ASSIGNMENT``."""
    parser = argparse.ArgumentParser(prog="rnncourse.grading", description=__doc__.split(":", 1)[1].strip())
    arguments(parser)
    return main(parser.parse_args(words))


if __name__ == "__main__":
    sys.exit(run())
