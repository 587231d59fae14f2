"""Pieces of lines of Python, to be read and written again.

Source, licence and split are those of `rnncourse.data.python_lines`: pieces for the test come from lines of modules
that are held out. A short piece of a held-out line may well stand in a line that is learned from, as words do in any
text; what is held out is what stands around it. Pieces are drawn from the characters of a line, unlimited.
"""

from typing import Literal

import numpy as np

from rnncourse.data import python_lines

Part = Literal["train", "test"]


def draw(count: int, lengths: tuple[int, int], part: Part, rng: np.random.Generator) -> list[str]:
    """`count` pieces of from `lengths[0]` to `lengths[1]` characters, every length as likely as the others.

    Raises ValueError for a part that does not exist and for lengths that no line has.
    """
    shortest, longest = lengths
    if part not in ("train", "test"):
        raise ValueError(f"part must be train or test, got {part!r}")
    if not 1 <= shortest <= longest <= python_lines.SHORTEST:
        raise ValueError(f"lengths must be from 1 to {python_lines.SHORTEST}, the shortest line, got {lengths}")
    lines = getattr(python_lines.split(), part).text
    return [
        _piece(lines[rng.integers(len(lines))], int(rng.integers(shortest, longest + 1)), rng) for _ in range(count)
    ]


def _piece(line: str, length: int, rng: np.random.Generator) -> str:
    start = rng.integers(len(line) - length + 1)
    return line[start : start + length]
