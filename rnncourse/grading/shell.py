"""IPython's shell of a real notebook kernel, whose messages go where we say instead of to ZeroMQ."""

import ast
import contextlib
import io
import marshal
from collections.abc import Callable

from ipykernel.zmqshell import ZMQInteractiveShell
from IPython.core.compilerop import CachingCompiler
from IPython.core.interactiveshell import InteractiveShell
from jupyter_client.session import Session
from traitlets import Type
from traitlets.config import Config


class Compiler(CachingCompiler):
    """IPython's compiler, which can be given what a cell compiles to, and then does not look at the cell's source."""

    def __init__(self):
        super().__init__()
        self.at_first, self.given = self.flags, []

    def give(self, code: bytes | None) -> None:
        """Take `code` (see `notebook.compiled`) for the next cell; None takes back what was given.

        An import from __future__ in an earlier cell changes what a source compiles to: then nothing is taken.
        """
        self.given = marshal.loads(code) if code and self.flags == self.at_first else []

    def ast_parse(self, source: str, filename: str = "<unknown>", symbol: str = "exec") -> ast.AST:
        return ast.Module([], []) if self.given else super().ast_parse(source, filename, symbol)

    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:
        return self.given[0].co_filename if self.given else super().get_code_name(raw_code, transformed_code, number)


class Shell(ZMQInteractiveShell):
    """A kernel's shell that runs what its compiler was given."""

    compiler_class = Type(Compiler)

    def transform_cell(self, raw_cell: str) -> str:
        return raw_cell if self.compile.given else super().transform_cell(raw_cell)

    def should_run_async(self, raw_cell: str, **named) -> bool:
        return not self.compile.given and super().should_run_async(raw_cell, **named)

    async def run_ast_nodes(self, nodelist: list, cell_name: str, *arguments, result=None, **named) -> bool | None:
        given, self.compile.given = self.compile.given, []  # a cell may run another, which has a source of its own
        if not given:
            return await super().run_ast_nodes(nodelist, cell_name, *arguments, result=result, **named)
        for part in given:
            if await self.run_code(part, result):
                return True
        return False


class Outlet(Session):
    """In place of the kernel's connection: hands every message to `emit(type, content)`."""

    emit: Callable | None = None

    def send(self, stream, msg_or_type, content=None, *arguments, **named):
        if isinstance(msg_or_type, dict):
            msg_or_type, content = msg_or_type["header"]["msg_type"], msg_or_type["content"]
        if self.emit:
            self.emit(msg_or_type, content)


class Stream(io.TextIOBase):
    """`sys.stdout` or `sys.stderr` of a cell: sent in large pieces, and no more than `most` characters a cell."""

    encoding, errors = "utf-8", "replace"

    def __init__(self, name: str, emit: Callable, most: int):
        self.name, self.emit, self.most = name, emit, most
        self.new_cell()

    def new_cell(self) -> None:
        self.written, self.waiting, self.parts = 0, 0, []

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        raise io.UnsupportedOperation("fileno")

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        room = self.most - self.written
        if room >= 0 and text:
            self.parts.append(text[:room] if len(text) <= room else text[:room] + "\n... Output truncated ...\n")
            self.written += len(text)
            self.waiting += min(len(text), room)
            if self.waiting > 1 << 16:
                self.flush()
        return len(text)

    def flush(self) -> None:
        if self.parts:
            text, self.parts, self.waiting = "".join(self.parts), [], 0
            self.emit("stream", {"name": self.name, "text": text})


def new_shell() -> tuple[Shell, Outlet]:
    config = Config()
    config.HistoryManager.enabled = False
    config.HistoryManager.hist_file = ":memory:"
    shell = Shell.instance(config=config)
    outlet = Outlet(key=b"")
    shell.displayhook.session = shell.display_pub.session = outlet
    shell.displayhook.topic = b"execute_result"
    shell.displayhook.pub_socket = shell.display_pub.pub_socket = object()
    for kind in (InteractiveShell, type(shell)):  # IPython 9 keeps what is printed and raised for a history as well
        kind._tee = _no_second_copy
        kind._format_exception_for_storage = lambda *arguments, **named: {}
    return shell, outlet


@contextlib.contextmanager
def _no_second_copy(self, channel):
    yield
