"""``python -m benchmarks.hostile``: what hostile and broken submissions do to stock nbgrader, and to our grader.

The submissions are those of tests/grading/corpus.py, each beside an honest classmate. They are run in a small machine
within this one, which bubblewrap makes: nothing to write to but a small disk for the course, and a control group for
memory and processes. Stock nbgrader also has walls around itself and its course, anew for each submission, as it would
have those of a machine lent for the purpose: no network, no process of ours in sight. Between it and the students there
is none. Our grader makes its own. Writes hostile.json.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tabulate import tabulate

from rnncourse.grading import cgroups, sandbox

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests/grading"))

import corpus  # noqa: E402 - it lies beside the tests
import course  # noqa: E402

RESULTS = Path(__file__).with_name("hostile.json")
TIMEOUT, PATIENCE, MEMORY, PROCESSES, DISK = 8, 90, 2 << 30, 256, 256 << 20  # s a cell, s a run, bytes, number, bytes
STOCK = f"""
c = get_config()
c.CourseDirectory.course_id = "toy"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
c.ExecutePreprocessor.timeout = {TIMEOUT}
"""
GRADERS = {
    "stock": (STOCK, ("nbgrader", "autograde", "toy")),
    "ours": (course.CONFIG, ("rnncourse", "grade", "toy", f"--timeout={TIMEOUT}", "--memory=512", "--jobs=2")),
}
CLASSMATE = "with-{}"
NOTHING = {"recorded": False, "classmate": False, "score": None, "leaks": []}


# --- In the small machine -----------------------------------------------------------------------------------------


def meet(grader: str, names: list[str], released: Path, root: Path) -> dict[str, dict]:
    """What becomes of these submissions and of the classmates', graded in one run."""
    shutil.copytree(released, root)
    config, command = GRADERS[grader]
    (root / "nbgrader_config.py").write_text(config)
    (root / "secret.txt").write_text(corpus.SECRET)
    for name in names:
        corpus.hand_in(root, name, CLASSMATE.format(name))
    ended = _run(root, _walls(root) if grader == "stock" else [], command, PATIENCE * len(names))
    return {name: _found(root, name) | {"ended": ended} for name in names}


def _found(root: Path, name: str) -> dict:
    found = dict(NOTHING)
    with contextlib.suppress(Exception):  # the course may be destroyed: then they are not recorded
        found["classmate"] = sum(course.scores(root, CLASSMATE.format(name)).values()) == course.MOST
    with contextlib.suppress(Exception):
        scores = course.scores(root, name)
        found["score"] = sum(score or 0 for score in scores.values())
        found["leaks"] = corpus.leaks(root, name)
        found["recorded"] = None not in scores.values()
    return found


def _walls(root: Path) -> list:
    """What keeps a grader with no walls of its own from our processes. (Within them ours could make none.)"""
    walls = ["bwrap", *sandbox.NAMESPACES, "--uid", "0", "--gid", "0", "--die-with-parent", "--new-session"]
    walls += ["--cap-add", "ALL", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--bind", root, root]
    return [*walls, "--chdir", root]


def _run(root: Path, walls: list, command: tuple[str, ...], patience: float) -> str:
    """Run the grader; how it ended."""
    group = cgroups.Group(MEMORY, PROCESSES)
    environment = os.environ | {"SECRET": corpus.SECRET, "HOME": str(root)}
    program = subprocess.Popen(
        [*walls, sys.executable, "-m", *command],
        cwd=root,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=group.enter,
    )
    try:
        return str(program.wait(patience))
    except subprocess.TimeoutExpired:
        program.send_signal(signal.SIGKILL)  # and with it all that is in there
        program.wait()
        return "never"
    finally:
        group.remove()


def inside(names: list[str]) -> None:
    """Print a line of JSON for each. Ours grades all in one run, stock nbgrader each in its own: many end the run."""
    with tempfile.TemporaryDirectory() as folder:
        released = course.make(Path(folder, "released"))
        for grader, group in [("ours", names), *(("stock", [name]) for name in names)]:
            for name, outcome in meet(grader, group, released, Path(folder, "course")).items():
                print(json.dumps([grader, name, outcome]), flush=True)
            shutil.rmtree(Path(folder, "course"), ignore_errors=True)


# --- Outside ------------------------------------------------------------------------------------------------------


def measured(names: list[str]):
    """Grader, name and outcome of each, as they come."""
    if sandbox.missing() or set(cgroups.roots()) != set(cgroups.FILES):
        raise RuntimeError("this needs a machine with bubblewrap on which control groups can be made, and root")
    walls = ["bwrap", "--dev-bind", "/", "/", "--size", str(DISK), "--tmpfs", "/tmp", "--ro-bind", ROOT, ROOT]
    command = [*walls, "--chdir", ROOT, sys.executable, "-m", "benchmarks.hostile", "inside", *names]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as machine:
        yield from map(json.loads, machine.stdout)
    if machine.returncode:
        raise RuntimeError(f"the small machine ended with {machine.returncode}")


def verdict(outcome: dict, most: float) -> list[str]:
    """What went wrong; nothing if the submission is recorded, with no more than it deserves, and harmed no one."""
    wrong = {
        "not recorded": not outcome["recorded"],
        "classmate harmed": not outcome["classmate"],
        "score raised": (outcome["score"] or 0) > most,
        "secret shown": bool(outcome["leaks"]),
        "never ended": outcome["ended"] == "never",
    }
    return [words for words, holds in wrong.items() if holds]


def main(names: list[str]) -> None:
    names = names or list(corpus.CORPUS)
    found = {name: {} for name in names}
    for grader, name, outcome in measured(names):
        found[name][grader] = verdict(outcome, corpus.CORPUS[name].most)
        print(name, grader, outcome, flush=True)
    totals = {g: Counter(words for row in found.values() for words in row[g] or ["nothing"]) for g in GRADERS}
    print(
        tabulate([(w, *(totals[g][w] for g in GRADERS)) for w in {**totals["stock"], **totals["ours"]}], ["", *GRADERS])
    )
    content = {"submissions": len(names), "totals": totals, "of each": found}
    RESULTS.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["inside"]:
        inside(sys.argv[2:])
    else:
        main(sys.argv[1:])
