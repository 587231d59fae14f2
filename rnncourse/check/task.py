"""What a task is: a right answer, inputs to try it on, the mistakes people make and other right ways.

A mistake is a small edit of the right answer and a sentence to the student who made it. The same list serves
the hidden tests (they must catch every one), the visible check (it recognises one by what comes out) and the
teacher (who sees how many students made which).
"""

import copy
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any, NamedTuple

import numpy as np
import torch

from rnncourse.check.unaided import unaided


class Mistake(NamedTuple):
    """A misconception: its name, its sentence to the student, and the edits (old, new) of the right answer."""

    name: str
    sentence: str
    edits: tuple[tuple[str, str], ...]


class Variant(NamedTuple):
    """Another right answer: its name and its whole source."""

    name: str
    source: str


class Outcome(NamedTuple):
    """What a call left behind."""

    value: Any  # what was returned; None if it raised
    error: Exception | None
    changed: tuple[str, ...]  # names of the arguments that the call modified


@dataclass(frozen=True)
class Task:
    """One answer cell of an exercise."""

    name: str  # the name the answer must define, and the grade_id of its cell
    source: str  # the right answer, as the text of the answer cell
    outputs: tuple[tuple[str, tuple[str, ...]], ...]  # name and axes of each array that comes out
    cases: Callable[[], list[dict]] | None  # fresh keyword arguments for each call; None: the answer is numbers
    mistakes: tuple[Mistake, ...]
    variants: tuple[Variant, ...]
    uses: tuple["Task", ...] = ()  # earlier tasks whose answers this one may call
    tolerance: float | None = None  # relative, for answers that are approximate; None: that of rounding

    def answer(self, source: str | None = None, mistaken_use: tuple["Task", Mistake] | None = None):
        """What `source` (the right answer if None) defines under the task's name.

        With `mistaken_use` the earlier task of the pair is answered with that mistake.
        """
        namespace = {"np": np, "torch": torch}
        for used in self.uses:
            mistaken = mistaken_use is not None and mistaken_use[0] is used
            exec(_compiled(edited(used.source, mistaken_use[1]) if mistaken else used.source), namespace)
        exec(_compiled(self.source if source is None else source), namespace)
        return namespace[self.name]

    def outcomes(self, answer) -> Iterator[Outcome]:
        """The answer on one case after the other; a hand-worked answer is a list of numbers and its only outcome."""
        if self.cases is None:
            yield _by_hand(answer)
        elif callable(answer):
            own = unaided(answer)
            yield from (call(own, case) for case in self.cases())
        else:
            yield _no_outcome(f"it should be a function, but is {answer!r}.")

    def parts(self, value) -> tuple:
        """A returned value as a tuple with one entry an output, however it is nested, as in ``h, (h, c)``."""
        return tuple(_leaves(value)) if len(self.outputs) > 1 else (value,)


@functools.lru_cache
def _compiled(source: str) -> CodeType:
    return compile(source, "<string>", "exec")  # the name that `exec` itself gives


def _by_hand(answer) -> Outcome:
    if answer is ...:
        return _no_outcome("it is not written yet: put a list of numbers in place of `...`.")
    try:
        return Outcome(np.asarray(answer, dtype=float), None, ())
    except (TypeError, ValueError):
        return _no_outcome(f"it should be a list of numbers, but is {answer!r}.")


def _no_outcome(sentence: str) -> Outcome:
    return Outcome(None, TypeError(sentence), ())


def call(function: Callable, arguments: dict) -> Outcome:
    """Call and watch: neither an exception nor a modified argument goes unseen."""
    before = copy.deepcopy(arguments)
    value = error = None
    try:
        with np.errstate(all="ignore"):  # a wrong formula may overflow: it is judged, not warned about
            value = function(**arguments)
    except Exception as exception:
        error = exception
    changed = tuple(name for name in before if not _same(before[name], arguments[name]))
    return Outcome(value, error, changed)


def _leaves(value) -> list:
    """What stands in tuples and lists, at any depth."""
    if not isinstance(value, tuple | list):
        return [value]
    return [leaf for part in value for leaf in _leaves(part)]


def _same(before, after) -> bool:
    """Whether an argument, perhaps of nested lists, still holds the same numbers."""
    pairs = list(zip(_leaves(before), _leaves(after), strict=False))
    same_length = len(_leaves(before)) == len(_leaves(after))
    return same_length and all(_unchanged(a, b) for a, b in pairs)


def _unchanged(before, after) -> bool:
    if isinstance(before, np.random.Generator):  # to be drawn from is what it is for
        return True
    if isinstance(before, np.ndarray):
        return np.array_equal(before, after, equal_nan=before.dtype.kind in "fc")
    return before == after


def edited(source: str, mistake: Mistake) -> str:
    """The source with the mistake made. Raises ValueError unless each edit fits in exactly one place."""
    for old, new in mistake.edits:
        if source.count(old) != 1:
            raise ValueError(f"mistake {mistake.name!r}: {old!r} stands {source.count(old)} times in\n{source}")
        source = source.replace(old, new)
    return source
