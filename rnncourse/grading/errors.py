"""An exception that was raised in the other process: its type, its words and the student's lines, without pickle."""

import builtins
import itertools
import linecache
import os
import sys
import traceback

PLAIN = (str, bytes, int, float, bool, type(None))
DEEPEST = 20  # frames
LONGEST = 4000  # characters of a message


class DeadKernelError(RuntimeError):
    """The process that runs the student's code is gone. Named as nbclient names it."""


class Unreadable(RuntimeError):
    """The process that runs the student's code gave an answer that cannot be read."""


def describe(error: BaseException) -> dict:
    """What another process needs to raise it again."""
    kind = type(error)
    builtin = next(base for base in kind.__mro__ if base.__module__ == "builtins")
    try:
        text = str(error)[:LONGEST]
    except BaseException as broken:  # its __str__ is the student's
        text = f"<no text: {type(broken).__name__}>"
    arguments = list(error.args) if all(type(a) in PLAIN for a in error.args) else [text]
    return {
        "module": kind.__module__,
        "name": kind.__qualname__,
        "builtin": builtin.__name__,
        "arguments": [a[:LONGEST] if isinstance(a, str | bytes) else a for a in arguments],
        "text": text,
        "frames": _frames(error),
    }


def _frames(error: BaseException) -> list:
    """File, line number, function and text of each line that the error went through, from the first in a cell on."""
    in_files_first = traceback.extract_tb(error.__traceback__)  # ours, and what wraps the student's function
    found = list(itertools.dropwhile(lambda frame: os.path.exists(frame.filename), in_files_first))
    return [[f.filename, f.lineno or 1, f.name, f.line or ""] for f in found[:DEEPEST]]


def rebuild(description: dict) -> BaseException:
    """The exception, with a traceback through the same lines. Raises KeyError or TypeError for no description."""
    error = _instance(**{key: description[key] for key in ("module", "name", "builtin", "arguments", "text")})
    for filename, number, _, line in reversed(description["frames"]):
        _show_line(f"<submission> {filename}", number, line)
    return error.with_traceback(_traceback(description["frames"]))


def _instance(module: str, name: str, builtin: str, arguments: list, text: str) -> BaseException:
    base = getattr(builtins, builtin, None)
    if not (isinstance(base, type) and issubclass(base, BaseException)):
        base = Exception
    known = base if module == "builtins" else getattr(sys.modules.get(module), name, None)
    try:
        if isinstance(known, type) and issubclass(known, base) and _made_from_text(known):
            return known(*arguments)
        return type(name, (base,), {"__str__": lambda self: text})(*arguments)
    except Exception:  # its arguments are not those of its type
        return type(name, (Exception,), {"__str__": lambda self: text})()


def _made_from_text(kind: type) -> bool:
    """Whether nothing of ours runs when an exception of this type is made."""
    own = [base for base in kind.__mro__ if base.__module__ != "builtins"]
    return not any("__init__" in vars(base) or "__new__" in vars(base) for base in own)


def _show_line(filename: str, number: int, line: str) -> None:
    """Let tracebacks find the text of this line."""
    number = min(max(int(number), 1), 100_000)
    lines = linecache.cache.get(filename, (0, None, [], filename))[2]
    lines = list(lines) + ["\n"] * (number - len(lines))
    lines[number - 1] = f"{line}\n"
    linecache.cache[filename] = (len(lines), None, lines, filename)


def _traceback(frames: list):
    """A traceback that goes through these places: code that raises there, for only running code makes tracebacks."""
    if not frames:
        return None
    (filename, number, name, _), rest = frames[0], frames[1:]
    source = compile("raise error", f"<submission> {filename}", "exec")
    source = source.replace(co_name=str(name), co_firstlineno=int(number))
    placeholder = Exception().with_traceback(_traceback(rest))
    try:
        exec(source, {"error": placeholder})
    except Exception as raised:
        return raised.__traceback__.tb_next
