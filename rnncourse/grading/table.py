"""What a grading run says at its end: a table for people, or JSON."""

import collections
import json

from rich.console import Console
from rich.table import Table

from rnncourse.grading.coordinator import Row


def misconceptions(rows: list[Row]) -> list[tuple[str, str, int]]:
    """Cell, misconception and how many students made it, most met first."""
    counts = collections.Counter(item for row in rows for item in row.recognised.items())
    return [(cell, words, count) for (cell, words), count in counts.most_common()]


def as_json(assignment: str, rows: list[Row], maximum: float) -> str:
    met = [{"cell": cell, "misconception": words, "students": n} for cell, words, n in misconceptions(rows)]
    content = {"assignment": assignment, "maximum": maximum, "students": [vars(row) for row in rows]}
    return json.dumps(content | {"misconceptions": met}, indent=1, ensure_ascii=False)


def print_table(console: Console, assignment: str, rows: list[Row], maximum: float) -> None:
    table = Table("student", title=assignment, title_justify="left", expand=False)
    table.add_column(f"score of {maximum:g}", justify="right")
    table.add_column("status")
    table.add_column("s", justify="right")
    table.add_column("note", overflow="fold")
    for row in rows:
        score = "" if row.score is None else f"{row.score:g}"
        notes = [*row.problems, *(["one answer waits for a person"] if row.needs_a_person else [])]
        table.add_row(row.student, score, row.status, f"{row.seconds:.1f}", "; ".join(notes))
    console.print(table, markup=False)
    if met := misconceptions(rows)[:10]:
        table = Table("students", "cell", "misconception", title="Most met", title_justify="left")
        for cell, words, count in met:
            table.add_row(str(count), cell.removesuffix("-check"), words)
        console.print(table, markup=False)
