"""The rows of a campaign: of a CSV or JSONL file, of the files that a pattern finds, or written in the campaign itself."""

import csv
import io
import json
import math
import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from genmedia.campaign.file.source import Source, Way
from genmedia.errors import Fault, InputError
from genmedia.forms.names import as_name
from genmedia.text.plain import cut

MOST = 100_000
"""Most rows of a campaign."""

LARGEST = 64 * 2**20
"""Most bytes of a file of rows."""

LONGEST_CELL = 20_000
"""Most characters of a cell."""

LONGEST_TITLE = 40
"""Most characters of what looks like the name of a column."""

_HEADING = "the first line of a table names its columns: if it is a row here, put a line such as sku,product above it"
_VALUE = re.compile(r"[-+]?\d[\d.,:/ -]*|.*\.\w{2,4}|https?:.*|[A-Za-z]+-\d+\w*")

NAMES = ("name", "sku", "id")
"""Columns that name a row where the campaign does not say which one does; the first column where there is none of them."""

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        name: Its name, by which its items are known wherever the row stands.
        number: Its place among the rows, from 1.
        values: Its values by column, and the name as `name` where no column has that name.
        place: Where it is written, for faults.
    """

    name: str
    number: int
    values: Values
    place: str


class _AnyColumn(dict[str, Any]):
    """Values of a row that could not be read: whatever column is asked for is there, and empty."""

    def __contains__(self, column: object) -> bool:
        return True

    def __missing__(self, column: str) -> str:
        return ""


STAND_IN = Row("x", 1, _AnyColumn(), "")
"""Stands in for rows that could not be read, so that the faults of other parts of the file can be told as well."""


@dataclass(frozen=True)
class _Written:
    """A row as it is written: its place, for faults, and its values."""

    place: str
    values: dict[str, Any]


def read_rows(source: Source, asked_for: Collection[str] = ()) -> list[Row]:
    """Return the rows of a campaign, in their order; none if it has none.

    Args:
        source: The campaign's file.
        asked_for: Columns that its templates read, by which a table is known that has no line with their names.

    Raises:
        InputError: Everything that is wrong with them, each with its file and line.
    """
    if "rows" not in source.value:
        return []
    asked, way = source.value["rows"], ("rows",)
    fields: dict[str, Any] = cast("dict[str, Any]", asked) if isinstance(asked, dict) else {}
    if strange := [one for one in fields if not isinstance(fields[one], str)]:
        raise InputError([Fault(source.place((*way, one)), f"{one} should be a text") for one in strange])
    named_by = fields.get("name")
    if isinstance(asked, list):
        written = _inline(source, cast("list[Any]", asked))
    elif isinstance(asked, str):
        written = _of_file(source, asked, way, asked_for)
    elif isinstance(fields.get("file"), str):
        written = _of_file(source, fields["file"], (*way, "file"), asked_for)
    elif isinstance(fields.get("files"), str):
        written = _of_files(source, fields["files"], (*way, "files"))
    else:
        what = "should be a list of rows, the path of a CSV or JSONL file, {file: PATH, name: COLUMN}, or {files: photos/*.jpg}"
        raise InputError([Fault(source.place(way), what)])
    if strays := [one for one in fields if one not in ("file", "files", "name")]:
        raise InputError([Fault(source.place((*way, one)), "is no field here; there are file, files, name") for one in strays])
    if len(written) > MOST:
        raise InputError([Fault(source.place(way), f"has more than {MOST} rows; cut it into several campaigns")])
    if not written:
        raise InputError([Fault(source.place(way), "has no rows")])
    return _named(source, written, named_by)


def _inline(source: Source, rows: Sequence[Any]) -> list[_Written]:
    strange = [number for number, row in enumerate(rows) if not isinstance(row, dict)]
    if strange:
        what = "should be fields with values, such as {sku: M-1, product: mug}"
        raise InputError([Fault(source.place(("rows", number), f"row {number + 1}"), what) for number in strange])
    endless = [number for number, row in enumerate(rows) if not _is_json(row)]
    if endless:
        what = "has a number without an end, which nothing can be made of"
        raise InputError([Fault(source.place(("rows", number), f"row {number + 1}"), what) for number in endless])
    return [_Written(source.place(("rows", number), f"row {number + 1}"), row) for number, row in enumerate(rows)]


def _is_json(row: Any) -> bool:
    try:
        json.dumps(row, allow_nan=False)
    except ValueError:
        return False
    return True


def _of_files(source: Source, pattern: str, way: Way) -> list[_Written]:
    """Return a row for each file that a pattern finds, in the order of their names: its `file`, its `stem`, and its `folder`.

    The suffix may be in small or capital letters, as cameras write both. A pattern that is no whole path begins in the campaign's folder.
    """
    if not pattern.strip():
        raise InputError([Fault(source.place(way), "is empty; write a pattern such as photos/*.jpg")])
    try:
        path = Path(pattern).expanduser()
        head, dot, suffix = path.name.rpartition(".")
        either = "".join(f"[{letter.lower()}{letter.upper()}]" if letter.isalpha() else letter for letter in suffix)
        name = f"{head}.{either}" if dot and suffix.isalnum() else path.name
        root = Path(path.anchor) if path.is_absolute() else source.folder
        wanted = (path.relative_to(root) if path.is_absolute() else path).with_name(name) if path.name else path
        found = sorted(one for one in root.glob(str(wanted)) if one.is_file() and not one.name.startswith("."))[: MOST + 1]
    except (
        OSError,
        ValueError,
        IndexError,
        NotImplementedError,
        RuntimeError,
    ) as error:  # such as of a pattern `.`, or of nobody's home
        raise InputError([Fault(source.place(way), f"finds nothing: {error}")]) from None
    if not found:
        raise InputError([Fault(source.place(way), f"finds no file {pattern} in {source.folder}")])
    below = found if path.is_absolute() else [Path(os.path.relpath(one, source.folder)) for one in found]
    stems = Counter(one.stem for one in below)
    return [
        _Written(
            f"{one}",
            {
                "name": one.stem if stems[one.stem] == 1 else str(one),
                "file": str(one),
                "stem": one.stem,
                "folder": one.parent.name,
            },
        )
        for one in below
    ]


def _of_file(source: Source, name: str, way: Way, asked_for: Collection[str]) -> list[_Written]:
    path = source.folder / name
    try:
        path = source.folder / Path(name).expanduser()
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except (OSError, ValueError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InputError([Fault(source.place(way), f"{name} cannot be read: {why}")]) from None
    if len(content) > LARGEST:
        raise InputError([Fault(source.place(way), f"{name} has more than {LARGEST // 2**20} MB")])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        what = "is not in UTF-8; save it as “CSV UTF-8”"
        raise InputError([Fault(f"{name}:{line}", what)]) from None
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        return _of_jsonl(name, text)
    if text.lstrip()[:1] in ("[", "{"):
        raise InputError(
            [Fault(f"{name}:1", "is JSON; write a row in each line, in braces, into a file whose name ends with .jsonl")]
        )
    return _of_csv(name, text, asked_for)


def _of_jsonl(name: str, text: str) -> list[_Written]:
    rows: list[_Written] = []
    faults: list[Fault] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            values = json.loads(line, parse_float=_finite, parse_constant=_finite)
        except (ValueError, RecursionError) as error:
            faults.append(Fault(f"{name}:{number}", f"is no JSON: {error}"))
            continue
        if isinstance(values, dict):
            rows.append(_Written(f"{name}:{number}", cast("dict[str, Any]", values)))
        else:
            faults.append(Fault(f"{name}:{number}", "should be fields with values, in braces"))
        if len(rows) > MOST:
            break
    if faults:
        raise InputError(faults)
    return rows


def _finite(written: str) -> float:
    number = float(written)
    if not math.isfinite(number):
        raise ValueError(f"{written} is no number with an end")
    return number


def _of_csv(name: str, text: str, asked_for: Collection[str]) -> list[_Written]:
    """Return the rows of a CSV file, whatever its separator: a comma, a semicolon or a tab."""
    heading = text.partition("\n")[0]
    separator = max(",;\t", key=heading.count)
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[_Written] = []
    faults: list[Fault] = []
    columns: list[str] = []
    filled = set[int]()  # columns that have a value in some row
    try:
        columns = [one.strip() for one in next(reader, list[str]())]
        for cells in reader if any(columns) else ():
            place = f"{name}:{reader.line_num}"
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(columns) and any(cell.strip() for cell in cells[len(columns) :]):
                told = f"has {len(cells)} cells, and there are {len(columns)} columns; put a text with {separator!r} in quotes"
                faults.append(Fault(place, told))
            padded = [*cells, *[""] * (len(columns) - len(cells))]
            filled.update(number for number, cell in enumerate(padded, 1) if cell.strip())
            rows.append(_Written(place, {column: cell.strip() for column, cell in zip(columns, padded, strict=False) if column}))
            if len(rows) > MOST:
                break
    except csv.Error as error:
        faults.append(Fault(f"{name}:{reader.line_num}", _unreadable(error)))
    faults = [*(Fault(f"{name}:1", what) for what in _wrong_heading(columns, filled, empty=not (rows or faults))), *faults]
    lacking = sorted({*asked_for} - {*columns, "name"})
    if lacking and not faults and _is_like_a_row(columns, rows):
        told = f"has no column {lacking[0]}, for which a template asks, and looks like a row: {cut(', '.join(columns), 80)}"
        faults.append(Fault(f"{name}:1", f"{told}; {_HEADING}"))
    if faults:
        raise InputError(faults)
    return rows


def _unreadable(error: csv.Error) -> str:
    if "field larger" in str(error):
        return f"a cell has more than {LONGEST_CELL} characters"
    if "unexpected end" in str(error):
        return "has a quote that is not closed, in this line or one above it"
    return f"cannot be read: {error}"


def _wrong_heading(columns: Sequence[str], filled: Collection[int], *, empty: bool) -> Iterator[str]:
    """Yield what is wrong with the first line of a table, of which these columns have values in some row, or which has no rows."""
    if not any(columns):
        yield "has no names of columns in its first line"
        return
    yield from (f"has two columns {one}; {_HEADING}" for one, number in Counter(filter(None, columns)).items() if number > 1)
    nameless = [number for number, one in enumerate(columns, 1) if not one and number in filled]
    yield from (f"has no name for column {number}, which has values; {_HEADING}" for number in nameless)
    if empty:
        yield "has no rows below its first line, which names the columns"


def _is_like_a_row(columns: Sequence[str], rows: Sequence[_Written]) -> bool:
    """True if the names of columns look like values: numbers, names of files, long texts, or what a later row has in that column."""
    values = any(_VALUE.fullmatch(one) or len(one) > LONGEST_TITLE for one in columns)
    return values or any(one.values[column] == column for one in rows for column in columns if column)


def _named(source: Source, written: Sequence[_Written], named_by: Any) -> list[Row]:
    columns = dict.fromkeys(column for one in written for column in one.values)
    if not columns:
        raise InputError([Fault(written[0].place, "has no fields; give it some, such as {sku: M-1, product: mug}")])
    chosen = named_by or next((one for one in NAMES if one in columns), next(iter(columns), ""))
    if chosen not in columns:
        raise InputError([Fault(source.place(("rows", "name")), f"names no column; there are {', '.join(columns)}")])
    rows: list[Row] = []
    faults: list[Fault] = []
    first: dict[str, _Written] = {}
    for number, one in enumerate(written, 1):
        value = one.values.get(chosen)
        told = "" if value is None else str(value).strip()
        name = as_name(told)
        if not name:
            faults.append(
                Fault(one.place, f"has no name: its {chosen} is {told!r}" if told else f"has no name: its {chosen} is empty")
            )
        elif (same := first.setdefault(name, one)) is not one:
            mend = "the column that names a row is said by {file: …, name: COLUMN}"
            faults.append(Fault(one.place, f"has the {chosen} {told}, as {same.place} has; {mend}"))
        # A row that lacks a column which others have counts as one with an empty cell.
        values = {**dict.fromkeys(columns, ""), **one.values}
        rows.append(Row(name, number, {"name": told, **values}, one.place))
    if faults:
        raise InputError(faults)
    return rows
