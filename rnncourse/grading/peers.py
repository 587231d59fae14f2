"""Two processes that call each other: the tests' process asks, the student's answers.

Either end is a `Peer`. The tests' end hands out stand-ins (`Remote`) for what cannot be copied; a stand-in asks the
student's process to call, index or look up, and never to compare or to compute: what is expected stays here, and no
object of the student's decides whether it is equal to it. The student's end may in turn call functions that a test
passed to it (`Callback`), and nothing else.
"""

import functools
import importlib
import socket
from collections.abc import Callable

import numpy as np

from rnncourse.grading import errors, wire
from rnncourse.grading.values import Codec, write_back

CALL, NAMES, ATTRIBUTE, SET_ATTRIBUTE, ITEM, SET_ITEM, LENGTH, ITERATOR, NEXT, TEXT, TRUTH, CALL_WRAPPED = range(12)


def _nothing(*arguments) -> None:
    pass


def _call(function: Callable, /, *arguments, **named):  # whose arguments may have any name
    return function(*arguments, **named)


class Peer:
    """One end of the conversation."""

    def __init__(self, sock: socket.socket, stand_in: type, operations: dict, about=_nothing, flush=_nothing):
        self.sock, self.operations, self.about, self.flush = sock, operations, about, flush
        self.codec = Codec(functools.partial(stand_in, self), lambda v: _number(v) if type(v) in STAND_INS else None)
        self.cell = None  # for which one asks, as the other end is told
        self.dead = None  # why nothing can be asked any more

    def ask(self, operation: int, /, *arguments, **named):
        """The result of an operation of the other end. Arguments that it modified are modified here."""
        if self.dead:
            raise errors.DeadKernelError(self.dead)
        everything = [*arguments, *named.values()]
        blobs, arrays = self.codec.noting(lambda: [self.codec.pack(a) for a in everything])
        before, after = blobs[: len(arguments)], blobs[len(arguments) :]
        self._send(["ask", operation, before, list(named), after, np.geterr(), self.cell])
        answer = self._answer()
        try:
            for index, blob in answer["changed"]:
                write_back(everything[index], self.codec.unpack(blob))
            if "error" in answer:
                error = errors.rebuild(answer["error"])
            else:
                return self.codec.unpack(answer["value"], views_of=arrays)
        except Exception as problem:
            message = f"the answer cannot be read ({type(problem).__name__}: {problem})"
            raise errors.Unreadable(message) from None
        raise error

    def _answer(self) -> dict:
        """The next answer; what the other end asks before it is done here in the meantime."""
        while True:
            message = self._receive()
            if isinstance(message, list) and message[:1] == ["ask"] and len(message) == 7:
                self.serve(message)
            elif isinstance(message, dict):
                return message
            else:
                raise errors.Unreadable("the answer is of no known form")

    def serve(self, message: list) -> None:
        """Do what the other end asks and send the result."""
        _, operation, blobs, names, named_blobs, floating_point, cell = message
        self.about(cell)
        answer = {"changed": []}
        values, before = [], [*blobs, *named_blobs]
        try:
            values, arrays = self.codec.noting(lambda: [self.codec.unpack(blob) for blob in before])
            named = dict(zip(names, values[len(blobs) :], strict=True))
            with np.errstate(**floating_point):
                result = self.operations[operation](*values[: len(blobs)], **named)
            answer["value"] = self.codec.pack(result, views_of=arrays)
        except BaseException as error:
            answer["error"] = errors.describe(error)
        answer["changed"] = self._changed(values, before)
        self.flush()  # what was printed is to be there before the answer is
        self._send(answer)

    def _changed(self, values: list, before: list[bytes]) -> list:
        """Which of the values no longer are what came in, and what they are now."""
        changed = []
        for index, (value, blob) in enumerate(zip(values, before, strict=False)):
            if self.codec.kept.get(id(value)) is value:  # it came by reference: there is no other copy of it
                continue
            try:
                after = self.codec.pack(value)
            except Exception:  # it now holds something that cannot be sent
                continue
            if after != blob:
                changed.append([index, after])
        return changed

    def serve_next(self) -> None:
        """Wait for one question and answer it. Raises EOFError when the other end has gone."""
        self.serve(wire.unpack(wire.receive(self.sock)))

    def _send(self, message) -> None:
        try:
            wire.send(self.sock, wire.pack(message))
        except OSError:
            self._ended()

    def _receive(self):
        try:
            return wire.unpack(wire.receive(self.sock))
        except (EOFError, OSError):
            self._ended()
        except wire.WireError as error:
            self.dead = f"the submission sent something unreadable: {error}"
            raise errors.Unreadable(self.dead) from None

    def _ended(self):
        self.dead = "the process that runs the submission has ended"
        raise errors.DeadKernelError(self.dead) from None


# --- The tests' end ---------------------------------------------------------------------------------------------


class Remote:
    """Stands for an object of the student's process."""

    __slots__ = ("__name__", "_number", "_peer")

    def __init__(self, peer: Peer, number: int, name: str):
        for attribute, value in (("_peer", peer), ("_number", number), ("__name__", name)):
            object.__setattr__(self, attribute, value)

    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        return self._peer.ask(ATTRIBUTE, self, name)

    def __setattr__(self, name: str, value) -> None:
        self._peer.ask(SET_ATTRIBUTE, self, name, value)

    def __getitem__(self, key):
        return self._peer.ask(ITEM, self, key)

    def __setitem__(self, key, value) -> None:
        self._peer.ask(SET_ITEM, self, key, value)

    def __len__(self) -> int:
        return self._peer.ask(LENGTH, self)

    def __iter__(self):
        return self._peer.ask(ITERATOR, self)

    def __next__(self):
        return self._peer.ask(NEXT, self)

    def __bool__(self) -> bool:
        return self._peer.ask(TRUTH, self) is True

    def __str__(self) -> str:
        return str(self._peer.ask(TEXT, self))

    def __repr__(self) -> str:
        return f"<{self.__name__} of the submission>"

    __hash__ = object.__hash__
    __eq__ = object.__eq__  # an object's own idea of being equal is not believed


class RemoteFunction(Remote):
    """Stands for something of the student's that can be called."""

    __slots__ = ()

    def __call__(self, /, *arguments, **named):
        return self._peer.ask(CALL, self, *arguments, **named)

    def wrapped_there(self, module: str, name: str) -> "WrappedFunction":
        """This function wrapped by ``module.name``, in the student's process: for what watches a call from nearby."""
        return WrappedFunction(self, module, name)


class WrappedFunction(RemoteFunction):
    """Stands for something of the student's that can be called and is to be wrapped there."""

    __slots__ = ("_wrapper",)

    def __init__(self, function: RemoteFunction, module: str, name: str):
        super().__init__(function._peer, function._number, function.__name__)
        object.__setattr__(self, "_wrapper", (module, name))

    def __call__(self, /, *arguments, **named):
        return self._peer.ask(CALL_WRAPPED, *self._wrapper, self, *arguments, **named)


def stand_in(peer: Peer, number: int, what: str, name: str) -> Remote:
    return (RemoteFunction if what == "function" else Remote)(peer, number, str(name))


def tests_end(sock: socket.socket) -> Peer:
    """The end that asks. The student's process may only call what it was given to call."""
    return Peer(sock, stand_in, {CALL: _call})


# --- The student's end ------------------------------------------------------------------------------------------


class Callback:
    """Stands for a function that a test passed to the student's."""

    def __init__(self, peer: Peer, number: int, what: str, name: str):
        self._peer, self._number, self.__name__ = peer, number, name

    def __call__(self, /, *arguments, **named):
        return self._peer.ask(CALL, self, *arguments, **named)


STAND_INS = (Remote, RemoteFunction, WrappedFunction, Callback)


def _number(value) -> int:
    return object.__getattribute__(value, "_number")


def students_end(
    sock: socket.socket, namespace: dict, private: dict, about: Callable = _nothing, flush: Callable = _nothing
) -> Peer:
    """The end that answers, from what the student's cells have put into `namespace`.

    `private` holds modules, by name, that were loaded apart from those that the student can reach by importing.
    `about` is told for which cell a question is, before it is answered; `flush` sends on what was printed.
    """

    def call_wrapped(module, name, function, /, *arguments, **named):
        wrapper = getattr(private.get(module) or importlib.import_module(module), name)
        return wrapper(function)(*arguments, **named)

    def names(wanted):
        return {name: namespace[name] for name in wanted if name in namespace}

    return Peer(
        sock,
        Callback,
        {
            CALL: _call,
            NAMES: names,
            ATTRIBUTE: getattr,
            SET_ATTRIBUTE: setattr,
            ITEM: lambda thing, key: thing[key],
            SET_ITEM: lambda thing, key, value: thing.__setitem__(key, value),
            LENGTH: len,
            ITERATOR: iter,
            NEXT: next,
            TEXT: str,
            TRUTH: bool,
            CALL_WRAPPED: call_wrapped,
        },
        about,
        flush,
    )
