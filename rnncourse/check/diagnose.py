"""From a wrong answer to a sentence that helps: what differs, at which step first, and why, if a known mistake
explains it exactly."""

import re
import textwrap
import traceback
from collections.abc import Callable, Iterator

import numpy as np

from rnncourse.check.compare import CheckFailed, difference, tolerance
from rnncourse.check.task import Mistake, Outcome, Task, edited
from rnncourse.check.unaided import PACKAGE, NotYourOwn


def checker(*tasks: Task) -> Callable[[str, object], None]:
    """The function ``check(name, answer)`` of an exercise with these tasks."""
    names = {task.name: task for task in tasks}

    def check_answer(name: str, answer) -> None:
        """Check the answer to the task `name`: print that it is right or raise CheckFailed with a diagnosis.

        Raises KeyError for a name that is no task of this exercise.
        """
        if name not in names:
            raise KeyError(f"no task {name!r} in this exercise; the tasks are {', '.join(names)}")
        check(names[name], answer)

    return check_answer


def check(task: Task, answer) -> None:
    """Print that the answer is right on every visible case, or raise CheckFailed with a diagnosis."""
    got, want = list(task.outcomes(answer)), list(task.outcomes(task.answer()))
    for number, (outcome, right) in enumerate(zip(got, want, strict=False), start=1):
        problem = describe(task, outcome, right)
        if problem:
            written = not isinstance(outcome.error, NotImplementedError) and len(want) > 1
            case = f" (case {number} of {len(want)}: {_sizes(task, number)})" if written else ""
            raise CheckFailed(_message(task, case, problem, recognise(task, got)))
    cases = f" on {len(want)} cases" if len(want) > 1 else ""
    print(f"✓ {task.name} is right{cases}. The graded tests try more.")


def describe(task: Task, got: Outcome, want: Outcome) -> str | None:
    """What is wrong with one outcome, in one or two sentences; None if nothing is."""
    if got.error is not None:
        return _describe_error(got.error)
    values = task.parts(got.value)
    if len(values) != len(task.outputs):
        return _miscounted([name for name, _ in task.outputs], got.value)
    problems = {
        name: difference(name, value, np.asarray(right), axes, task.tolerance)
        for (name, axes), value, right in zip(task.outputs, values, task.parts(want.value), strict=True)
    }
    wrong = [name for name, problem in problems.items() if problem]
    if wrong:
        return problems[wrong[0]] + _others(wrong[1:], [name for name in problems if name not in wrong])
    if got.changed:
        return f"it modifies its argument {_and(got.changed)}. Work on a copy: the caller still needs the old one."
    return None


def recognise(task: Task, got: list[Outcome]) -> Mistake | None:
    """The known mistake that comes out exactly as this answer does, in this task or in one that it builds on."""
    for mistake in task.mistakes:
        if _alike(task, got, task.outcomes(task.answer(edited(task.source, mistake)))):
            return mistake
    for used in task.uses:
        for mistake in used.mistakes:
            if _alike(task, got, task.outcomes(task.answer(mistaken_use=(used, mistake)))):
                return mistake._replace(sentence=f"in {used.name}, {mistake.sentence}")
    return None


def _describe_error(error: Exception) -> str:
    if error.__traceback__ is None or isinstance(error, NotYourOwn):  # it is our own sentence
        return str(error)
    if isinstance(error, NotImplementedError):
        return "it is not written yet: replace `raise NotImplementedError()` by your answer."
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(PACKAGE)]
    place = f" in `{frames[0].line}` (line {frames[0].lineno} of {frames[0].name})" if frames else ""
    return f"it stops with {type(error).__name__}: {error}{place}."


def _alike(task: Task, got: list[Outcome], mistaken: Iterator[Outcome]) -> bool:
    """Whether all cases agree. Most mistakes differ in the first, and then the others are not even tried."""
    numbers = False  # two errors of one type say little: at least one case has to agree in its numbers
    for a, b in zip(got, mistaken, strict=False):
        if not _same(task, a, b):
            return False
        numbers |= b.error is None
    return numbers


def _same(task: Task, a: Outcome, b: Outcome) -> bool:
    """The same outcome: the same type of error, or the same values, dtypes and modified arguments."""
    if a.error is not None or b.error is not None:
        return type(a.error) is type(b.error)
    xs, ys = task.parts(a.value), task.parts(b.value)
    return (
        a.changed == b.changed
        and len(xs) == len(ys)
        and all(_same_array(x, y, task.tolerance) for x, y in zip(xs, ys, strict=True))
    )


def _same_array(x, y, relative: float | None) -> bool:
    x, y = (np.asarray(value) if isinstance(value, int | float | np.number) else value for value in (x, y))
    if not isinstance(x, np.ndarray) or not isinstance(y, np.ndarray):
        return type(x) is type(y)
    if x.shape != y.shape or x.dtype != y.dtype:
        return False
    return np.allclose(x, y, rtol=0, atol=tolerance(y, relative), equal_nan=True)


def _message(task: Task, case: str, problem: str, mistake: Mistake | None) -> str:
    lines = [f"{task.name} is not right yet{case}.", f"What is wrong: {problem}"]
    if mistake:
        lines.append(f"Likely cause: exactly this comes out when {mistake.sentence}")
    sentences = [sentence for line in lines for sentence in re.split(r"(?<=\.) (?=[A-Z])", line)]
    return "\n".join(textwrap.fill(sentence, 100, subsequent_indent="    ") for sentence in sentences)


def _sizes(task: Task, number: int) -> str:
    sizes = {name: _size(value) for name, value in task.cases()[number - 1].items() if not callable(value)}
    unbroken = (f"{name} {size}".replace(" ", "\N{NO-BREAK SPACE}") for name, size in sizes.items())
    return ", ".join(unbroken)  # a line ends between two arguments, not within a shape


def _size(value) -> str:
    """An array by its shape, a list or tuple by what it holds, a number as it is."""
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_size, value))}]"
    return str(value.shape if isinstance(value, np.ndarray) else value)


def _others(wrong: list[str], right: list[str]) -> str:
    """What to say of the outputs after the first wrong one has been described."""
    also = f" Also wrong: {_and(wrong)}." if wrong else ""
    return also + (f" Right: {_and(right)}." if right else "")


def _miscounted(names: list[str], value) -> str:
    """What is wrong with a value that does not have one part for each of the names."""
    if isinstance(value, tuple | list) and len(value) == len(names):
        lists = [name for name, part in zip(names, value, strict=True) if isinstance(part, tuple | list)]
        return f"it returns a list for {_and(lists)}. Make an array of it."
    return f"it should return {_and(names)}, but returns {_kind(value)}"


def _kind(value) -> str:
    if value is None:
        return "nothing. Is there a `return`?"
    if isinstance(value, tuple | list) and len(value) == 1:
        return f"a {type(value).__name__} with one value."
    return f"{len(value)} values." if isinstance(value, tuple | list) else f"one {type(value).__name__}."


def _and(names) -> str:
    names = [f"`{name}`" for name in names]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
