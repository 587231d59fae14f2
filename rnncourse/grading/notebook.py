"""Run the cells of one notebook in the two children of a warm process, and put their outputs into the cells."""

import ast
import contextlib
import functools
import hashlib
import marshal
import select
import signal
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field

import nbformat
from nbformat import NotebookNode
from nbgrader import utils

from rnncourse.grading import wire
from rnncourse.grading.process import Child, WarmProcess
from rnncourse.grading.text import storable

GRACE = 2.0  # seconds between a polite end and the next ruder one


@dataclass
class Ran:
    """How running a notebook went."""

    completed: set[int] = field(default_factory=set)  # indices of the cells that came to their end, well or not
    problems: list[str] = field(default_factory=list)  # what instructor and student should know


def kind_of(cell: NotebookNode) -> str:
    """Whose cell it is, and so where it runs: "test", "instructor" or "student"."""
    if utils.is_grade(cell) and not utils.is_solution(cell):
        return "test"
    return "instructor" if utils.is_locked(cell) else "student"


def about(cell: NotebookNode) -> dict:
    """What a child need not find out: the names that a cell reads, and what it compiles to.

    Known of the instructor's cells only, which are the same in each notebook. A stranger's code is not even parsed.
    """
    return {"reads": [], "code": None} if kind_of(cell) == "student" else _about(cell.source)


@functools.lru_cache(maxsize=1024)
def _about(source: str) -> dict:
    return {"reads": _names(source), "code": compiled(source)}


def _names(source: str) -> list[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are for whoever runs the cell
        for python in _readings(source):
            with contextlib.suppress(SyntaxError):
                return sorted({node.id for node in ast.walk(ast.parse(python)) if isinstance(node, ast.Name)})
    return []


def _readings(source: str) -> Iterator[str]:
    """A cell as it stands, and as IPython reads it, which has lines of its own."""
    yield source
    from IPython.core.inputtransformer2 import TransformerManager  # it takes long to import, and few cells need it

    yield TransformerManager().transform_cell(source)


def compiled(source: str) -> bytes | None:
    """What a cell compiles to, marshalled: its statements, and what is shown if it ends with an expression.

    None if it is better compiled where it runs, for it is no plain Python, something is to be said of it, or cells
    after it depend on how it is compiled.
    """
    name = f"<cell {hashlib.sha256(source.encode(errors='surrogatepass')).hexdigest()[:12]}>"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            tree = ast.parse(source, name)
            shown = [tree.body.pop()] if tree.body and isinstance(tree.body[-1], ast.Expr) else []
            parts = [(tree, "exec"), *((ast.Interactive([node]), "single") for node in shown)]
            code = [compile(part, name, mode, dont_inherit=True) for part, mode in parts]
        except (SyntaxError, SyntaxWarning, DeprecationWarning, ValueError):
            return None
    return None if "__future__" in source else marshal.dumps(code)


def run(
    notebook: NotebookNode, warm: WarmProcess, claims: dict, files: dict, variables: dict[str, str], apart: bool = True
) -> Ran:
    """Run `notebook` (its code cells get their outputs). `claims` tells what each answer cell is to define.

    Unless `apart`, the tests run in the student's process, as in a plain kernel: for answers of the instructor's own.
    """
    with warm.children(files, variables) as children:
        runner = _Runner(notebook, warm, children, apart)
        for index, cell in enumerate(notebook.cells):
            kind = kind_of(cell)
            skipped = kind == "student" and "skip-execution" in cell.metadata.get("tags", [])  # only one's own cells
            if cell.cell_type == "code" and cell.source.strip() and not skipped:
                runner.run_cell(index, cell, kind)
                claim = claims.get(cell.metadata.get("nbgrader", {}).get("grade_id"))
                if claim and apart:
                    children[wire.TESTS].send(do="claim", **claim)
        if any(one.ended for one in children.values()):
            warm.check()  # if it has gone, that was no fault of the student's
    return runner.ran


class _Runner:
    def __init__(self, notebook: NotebookNode, warm: WarmProcess, children: dict[str, Child], apart: bool):
        self.warm, self.ran, self.count, self.apart = warm, Ran(), 0, apart
        self.student = children[wire.STUDENT]
        self.tests = children[wire.TESTS] if apart else self.student
        self.until = time.monotonic() + warm.limits.total

    def run_cell(self, index: int, cell: NotebookNode, kind: str) -> None:
        self.count += 1
        cell.outputs, cell.execution_count = [], self.count
        outputs = _Outputs(cell, kind)
        if kind == "test":
            self._finish(index, self.tests, cell, outputs)
        else:
            self._finish(index, self.student, cell, outputs)
            if kind == "instructor" and self.apart and not self.tests.ended:
                self._finish(index, self.tests, cell, _Outputs(NotebookNode(outputs=[], metadata={}), kind))

    def _finish(self, index: int, worker: Child, cell: NotebookNode, outputs: "_Outputs") -> None:
        """Have `worker` run the cell and wait until it has, or until its time is up and it has been stopped."""
        if not worker.ended:
            worker.send(do="run", cell=index, source=cell.source, **about(cell))
        started = time.monotonic()
        steps = self._ways_to_stop(worker, started + self.warm.limits.timeout)
        done, stopped = None, 0
        step = next(steps)
        while done is None and not worker.ended:
            if time.monotonic() >= min(step[0], self.until):
                victim, stopped = step[1:] if time.monotonic() < self.until else (worker, signal.SIGKILL)
                self._stop(victim, stopped)
                step = next(steps)
                continue
            done = self._listen(index, worker, outputs, min(step[0], self.until))
        if done is not None:
            self.ran.completed.add(index)
        outputs.close(done, self._what_happened(cell, done, worker, stopped))

    def _what_happened(self, cell: NotebookNode, done: dict | None, worker: Child, stopped: int) -> tuple[str, str]:
        """The error of a cell that had to be stopped, or did not come to its end: name and sentence; empty if none.

        `stopped` is the last signal that this took.
        """
        name = cell.metadata.get("nbgrader", {}).get("grade_id", "of the student's own")
        if done is None or stopped == signal.SIGKILL:
            ended = worker.ended or "CellTimeoutError"  # or it was the student's process that a test waited for
            what = "stopped answering" if ended == "CellTimeoutError" else "died"
            error = ended, f"The kernel {what} in the cell {name}; it and the cells after it have no result."
        elif stopped:
            error = "CellTimeoutError", f"The cell {name} took longer than {self.warm.limits.timeout:g} s."
        else:
            return "", ""
        if not any(problem.startswith("The kernel") for problem in self.ran.problems):
            self.ran.problems.append(error[1])
        return error

    def _ways_to_stop(self, worker: Child, start: float):
        """When to do what to a cell that does not end: interrupt the student's process, end it, then the tests'."""
        time_of = start
        for victim in dict.fromkeys([self.student, worker]) if not self.student.ended else [worker]:
            for number in (signal.SIGINT, signal.SIGKILL):
                yield time_of, victim, number
                time_of += GRACE
        while True:
            yield time_of, worker, signal.SIGKILL
            time_of += GRACE

    def _stop(self, victim: Child, number: int) -> None:
        if number == signal.SIGKILL and not victim.ended:
            victim.ended = "CellTimeoutError"
        self.warm.signal(victim, number)

    def _listen(self, index: int, worker: Child, outputs: "_Outputs", until: float) -> dict | None:
        """Take in what the children say until then; the event that says that the worker is done."""
        both = dict.fromkeys([self.student, self.tests])
        listening = [one.inbox for one in both if not one.ended]
        ready, _, _ = select.select(listening, [], [], max(0.0, until - time.monotonic()))
        heard = {one: self._events(one) for one in both if one.inbox in ready}
        if worker is not self.student:  # what the submission printed before a test ended is there by now
            heard[self.student] = heard.get(self.student, []) + self._rest(self.student)
        for one in both:
            for event in heard.get(one, []):
                if event.get("cell") != index:
                    continue
                if event["event"] == "output":
                    outputs.add(event.get("kind"), event.get("content"), by_worker=one is worker)
                elif event["event"] == "done" and one is worker:
                    return event
        return None

    def _rest(self, one: Child) -> list[dict]:
        """All that it has sent until now."""
        events = []
        while not one.ended and select.select([one.inbox], [], [], 0)[0]:
            events += self._events(one)
        return events

    def _events(self, one: Child) -> list[dict]:
        try:
            events = one.inbox.messages()
            crashed = [e for e in events if e["event"] == "crashed"]
        except EOFError:
            one.ended = one.ended or "DeadKernelError"
            return []
        except (wire.WireError, TypeError, KeyError):
            return self._cut_off(one, "ProtocolError", "sent something that is no message")
        if crashed:
            return self._cut_off(one, "DeadKernelError", str(crashed[0].get("text"))[:300])
        if one.inbox.received > self.warm.limits.traffic:
            return self._cut_off(one, "OutputLimitExceeded", "wrote too much")
        return events

    def _cut_off(self, one: Child, name: str, why: str) -> list:
        one.ended = name
        self.ran.problems.append(f"the {one.role}'s process {why}")
        self.warm.signal(one, signal.SIGKILL)
        return []


class _Outputs:
    """The outputs of one cell, as they come in."""

    def __init__(self, cell: NotebookNode, kind: str):
        self.cell, self.kind, self.displays = cell, kind, {}

    def add(self, kind: str, content: dict, by_worker: bool) -> None:
        """Add an output. What comes from the student's process during a test can only print and show."""
        if not isinstance(content, dict) or (not by_worker and kind not in ("stream", "display_data")):
            return
        try:
            self._add(kind, content)
        except (KeyError, TypeError, AttributeError, ValueError):
            return  # no output that a notebook can hold

    def _add(self, kind: str, content: dict) -> None:
        outputs = self.cell.outputs
        if kind == "stream" and content["name"] in ("stdout", "stderr"):
            text = storable(content["text"])
            if outputs and outputs[-1].output_type == "stream" and outputs[-1].name == content["name"]:
                outputs[-1].text += text
            else:
                outputs.append(NotebookNode(output_type="stream", name=content["name"], text=text))
        elif kind in ("display_data", "execute_result"):
            count = {"execution_count": self.cell.execution_count} if kind == "execute_result" else {}
            output = nbformat.v4.new_output(
                kind, storable(content["data"]), metadata=storable(content["metadata"]), **count
            )
            self.displays.setdefault((content.get("transient") or {}).get("display_id"), []).append(output)
            outputs.append(output)
        elif kind == "update_display_data":
            for output in self.displays.get((content.get("transient") or {}).get("display_id"), []):
                output.data = nbformat.from_dict(storable(content["data"]))
        elif kind == "clear_output":
            outputs.clear()
        elif kind == "error":
            self._error(content["ename"], content["evalue"], [*map(str, content["traceback"])])

    def _error(self, name: str, value: str, lines: list[str]) -> None:
        words = {"ename": storable(str(name)), "evalue": storable(str(value)), "traceback": storable(lines)}
        self.cell.outputs.append(NotebookNode(output_type="error", **words))

    def close(self, done: dict | None, happened: tuple[str, str]) -> None:
        """See that a cell that did not come to a good end has an error among its outputs, and the right one."""
        outputs = self.cell.outputs
        if happened[0]:
            outputs[:] = [o for o in outputs if o.get("ename") != "KeyboardInterrupt"]  # which was our way to stop it
            self._error(*happened, [f"{happened[0]}: {happened[1]}"])
        elif done["error"] and not any(o.output_type == "error" and o.ename == done["error"][0] for o in outputs):
            self._error(*done["error"], [": ".join(done["error"])])
