"""Output of commands: tables for people, JSON and CSV for programs. Text of others is shown without markup and control characters."""

import csv
import json
import os
import sys
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import rich.console
from rich.segment import Segment
from rich.table import Table

from genmedia.text.plain import for_cell, for_json, for_screen

PIPE_WIDTH = 1000
"""Longest line that is written where no terminal says how long one may be, in characters."""


class Console(rich.console.Console):
    """A terminal that shows text as it is; only `style` sets colours. What is no terminal, such as a pipe, gets lines of any length."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)
        if not (self.is_terminal or "width" in options or "COLUMNS" in os.environ):
            self.width = PIPE_WIDTH

    def render(self, *args: Any, **options: Any) -> Iterable[Segment]:
        """Render an object without the characters in its texts that would control the terminal."""
        for one in super().render(*args, **options):
            yield one if one.control else one._replace(text=for_screen(one.text))


def complain(text: str) -> None:
    """Write to standard error."""
    sys.stderr.write(f"{for_screen(text)}\n")


def print_csv(columns: Sequence[str], lines: Iterable[Sequence[str | float | None]]) -> None:
    """Print CSV lines for a spreadsheet, below a line with the names of the columns."""
    written = csv.writer(sys.stdout)
    written.writerow(columns)
    written.writerows(map(for_cell, line) for line in lines)


def print_json(told: object) -> None:
    """Print one JSON value, indented."""
    sys.stdout.write(for_json(json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False)) + "\n")


def print_table(
    console: rich.console.Console, titles: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[str] = ()
) -> None:
    """Print a table; see `table_of`."""
    console.print(table_of(titles, rows, numbers))


def table_of(titles: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[str] = ()) -> Table:
    """Return a table.

    Args:
        titles: Titles of its columns.
        rows: Rows with a cell for each title.
        numbers: Titles of columns that are right-aligned and never broken: a narrow terminal breaks the others, but for a first column of
            names, which people copy.
    """
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    named = not any(" " in row[0] for row in rows)
    for place, title in enumerate(titles):
        counts = title in numbers
        whole = counts or (place == 0 and named)
        table.add_column(title, overflow="fold", justify="right" if counts else "left", no_wrap=whole)
    for row in rows:
        table.add_row(*row)
    return table


def number(value: float | None) -> str:
    """Text of a number in a column whose title gives the unit, or a dash for None."""
    return "-" if value is None else f"{value:.10g}"
