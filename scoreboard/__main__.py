"""``python -m scoreboard [TASK ...]``: train every network of these tasks, or of all, and write results/TASK.json."""

import json
import re
import sys
from pathlib import Path
from types import ModuleType

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from scoreboard import adding, bottleneck, context, copying, exposure, language, topics, translation
from scoreboard.task import SEEDS, Task, row, run, settings

RESULTS = Path(__file__).with_name("results")
TASKS = {task.name: task for task in (adding.TASK, copying.TASK, language.TASK)}
MODULES = {module.NAME: module for module in (topics, context, exposure, bottleneck, translation)}  # PyTorch


def results(task: Task, progress: Progress) -> dict:
    """A whole results file, row by row."""
    bar = progress.add_task(task.name, total=len(task.entries) * len(SEEDS))
    rows = []
    for entry in task.entries:
        runs = []
        for seed in SEEDS:
            what = f"{task.name}: {entry.name}, {entry.hidden} units, {entry.steps} steps, seed {seed}"

            def report(update, error, what=what):
                progress.update(bar, description=f"{what}, update {update}: {error:g}")

            report(0, float("nan"))
            runs.append(run(task, entry, seed, report))
            progress.advance(bar)
        rows.append(row(task, entry, runs))
    return settings(task) | {"rows": rows}


def module_results(module: ModuleType, progress: Progress) -> dict:
    """A whole results file of a module that trains in its own way."""
    bar = progress.add_task(module.NAME, total=None)
    return module.results(lambda what: progress.update(bar, description=what, advance=1))


def as_json(value: dict) -> str:
    """Indented, with a list of numbers on one line, so that a change is read easily."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    return re.sub(r"\[[^][{}]*\]", lambda numbers: " ".join(numbers[0].split()), text) + "\n"


def main(names: list[str]) -> int:
    """Train and write; the exit code."""
    known = [*TASKS, *MODULES]
    unknown = set(names) - set(known)
    if unknown:
        print(f"no task {', '.join(sorted(unknown))}; the tasks are {', '.join(known)}", file=sys.stderr)
        return 2
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
    with Progress(*columns) as progress:
        for name in names or known:
            found = results(TASKS[name], progress) if name in TASKS else module_results(MODULES[name], progress)
            (RESULTS / f"{name}.json").write_text(as_json(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
