"""A bar for long loops: in a terminal and in JupyterLab, and nothing where no one watches (a build of the site)."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from IPython import get_ipython
from rich.console import Console
from rich.progress import track

T = TypeVar("T")


def bar(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """The items, one by one, with their number and the remaining time; the bar goes away at the end."""
    console = Console(stderr=True)
    return track(items, description, total, transient=True, console=console, disable=not watched())


def watched() -> bool:
    """Whether a person sees the output as it comes."""
    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is None:
        return sys.stderr.isatty()
    # JupyterLab lets a cell ask its reader for input; programs that execute notebooks do not.
    return bool(kernel.get_parent().get("content", {}).get("allow_stdin"))
