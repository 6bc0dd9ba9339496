"""How commands print: tables for people, JSON for programs."""

import json
import sys
from collections.abc import Collection, Sequence

from rich.console import Console
from rich.table import Table


def print_json(told: object) -> None:
    """Print one JSON value, readable and whole."""
    sys.stdout.write(json.dumps(told, indent=2, ensure_ascii=False) + "\n")


def print_table(console: Console, titles: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[str] = ()) -> None:
    """Print a table.

    Args:
        console: Where.
        titles: Of its columns.
        rows: A cell for each title.
        numbers: The titles of columns that are read from the right.
    """
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for title in titles:
        table.add_column(title, overflow="fold", justify="right" if title in numbers else "left")
    for row in rows:
        table.add_row(*row)
    console.print(table, highlight=False, markup=False)


def number(value: float | None) -> str:
    """An amount, or a dash where nobody knows it."""
    return "-" if value is None else f"{value:.10g}"
