"""An answer has to be the student's own: while it runs, ready-made recurrent networks are refused.

Ready-made are PyTorch's recurrent modules and functions, and everything in this package. Python's profiling hook sees
every call, whatever name the function was imported under. A grader may run the answer in another process, and then
that is where it has to be watched.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from sys import getprofile, setprofile

import torch

from rnncourse.check.compare import CheckFailed

PACKAGE = str(Path(__file__).parents[1])
GRADING = str(Path(__file__).parents[1] / "grading")  # carries calls between processes
TORCH_MODULES = torch.nn.modules.rnn.__file__
TORCH_FUNCTIONS = {  # as Python names the compiled functions, and as people do
    f"_VariableFunctionsClass.{name}": f"torch.{name}"
    for kind in ("lstm", "gru", "rnn_tanh", "rnn_relu")
    for name in (kind, f"{kind}_cell")
}


class NotYourOwn(CheckFailed):
    """The answer calls a ready-made recurrent network."""


def unaided(function: Callable) -> Callable:
    """The function, refused with NotYourOwn as soon as it calls a ready-made recurrent network.

    A stand-in for a function of another process, which knows how to be ``wrapped_there``, is watched there.
    """
    wrapped_there = getattr(type(function), "wrapped_there", None)
    return wrapped_there(function, __name__, "watched") if wrapped_there else watched(function)


def watched(function: Callable) -> Callable:
    """As `unaided`, for a function of this process."""

    @functools.wraps(function)
    def watched_function(*arguments, **named):
        with own_work():
            return function(*arguments, **named)

    return watched_function


@contextlib.contextmanager
def own_work() -> Iterator[None]:
    """While this context is open, no ready-made recurrent network can be called (in this thread)."""
    called = []

    def watch(frame, event, argument):
        name = _ready_made(frame, event, argument)
        if name:
            called.append(name)
            raise _refusal(name)

    before = getprofile()
    setprofile(watch)
    try:
        yield
    finally:
        setprofile(before)
        if called:  # once more, in case that the answer caught the first one
            raise _refusal(called[0]) from None


def _ready_made(frame, event: str, argument) -> str | None:
    """The name of what is being called if it is ready-made."""
    code = frame.f_code
    if code.co_filename == __file__ or code.co_filename.startswith(GRADING):
        return None
    if event == "c_call":
        return (
            "sys.setprofile" if argument is setprofile else TORCH_FUNCTIONS.get(getattr(argument, "__qualname__", ""))
        )
    if event != "call":
        return None
    if code.co_filename == TORCH_MODULES and code.co_name != "__init__":
        return f"torch.nn.{type(frame.f_locals.get('self')).__name__}"
    inside = code.co_filename.startswith(PACKAGE)
    return f"rnncourse's {code.co_qualname}" if inside else None


def _refusal(name: str) -> NotYourOwn:
    return NotYourOwn(f"This answer calls {name}, which is ready-made. Here you write it yourself.")
