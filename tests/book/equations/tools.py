"""What the evaluations of equations share: vectors as lists of numbers, and the code that stands in the book."""

import ast
import math
import re
from pathlib import Path

import numpy as np
import torch

BOOK = Path(__file__).parents[3] / "book"
PAGES = [page.read_text(encoding="utf-8") for page in sorted(BOOK.glob("*.md"))]
CODE = re.compile(r"^```\{code-cell\} python\n(?::[^\n]*\n)*(.*?)^```", re.M | re.S)


def code_cells(chapter: str) -> list[str]:
    """The sources of all code cells of a chapter."""
    return CODE.findall((BOOK / f"{chapter}.md").read_text(encoding="utf-8"))


def defined(chapter: str, name: str) -> str:
    """The source of the one function or class of this name in the chapter, with its comments."""
    [source] = [
        "\n".join(cell.splitlines()[node.lineno - 1 : node.end_lineno])
        for cell in code_cells(chapter)
        for node in ast.parse(cell).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name
    ]
    return source


def from_book(chapter: str, name: str, **known):
    """That function or class; `known` are the names that it uses."""
    exec(defined(chapter, name), known | {"np": np, "torch": torch}, known)
    return known[name]


def times(row, matrix):
    """A row times a matrix, as sums."""
    return [sum(row[i] * matrix[i][j] for i in range(len(row))) for j in range(len(matrix[0]))]


def plus(*rows):
    return [sum(numbers) for numbers in zip(*rows, strict=True)]


def tanh(row):
    return [math.tanh(z) for z in row]


def sigmoid(row):
    return [1 / (1 + math.exp(-z)) for z in row]


def softmax(row):
    return [math.exp(z) / sum(math.exp(other) for other in row) for z in row]
