"""How commands print: tables for people, JSON and CSV for programs. What others wrote is shown as text: no markup, no control characters."""

import csv
import json
import sys
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import rich.console
from rich.segment import Segment
from rich.table import Table

from genmedia.text.plain import for_cell, for_json, for_screen


class Console(rich.console.Console):
    """A terminal that shows text as it is; colours are said by `style`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render(self, *args: Any, **options: Any) -> Iterable[Segment]:
        """What is printed, whatever it is made of, without characters that a terminal would obey."""
        for one in super().render(*args, **options):
            yield one if one.control else one._replace(text=for_screen(one.text))


def complain(text: str) -> None:
    """Write to standard error."""
    sys.stderr.write(f"{for_screen(text)}\n")


def print_csv(columns: Sequence[str], lines: Iterable[Sequence[str | float | None]]) -> None:
    """Print lines for a spreadsheet, below one with the names of the columns."""
    written = csv.writer(sys.stdout)
    written.writerow(columns)
    written.writerows(map(for_cell, line) for line in lines)


def print_json(told: object) -> None:
    """Print one JSON value, readable and whole."""
    sys.stdout.write(for_json(json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False)) + "\n")


def print_table(
    console: rich.console.Console, titles: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[str] = ()
) -> None:
    """Print a table.

    Args:
        console: Where.
        titles: Of its columns.
        rows: A cell for each title.
        numbers: The titles of columns that are read from the right, and are never broken: a narrow terminal breaks the others.
    """
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for title in titles:
        counts = title in numbers
        table.add_column(title, overflow="fold", justify="right" if counts else "left", no_wrap=counts)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def number(value: float | None) -> str:
    """A number in a column that says what it counts, or a dash where there is none."""
    return "-" if value is None else f"{value:.10g}"
