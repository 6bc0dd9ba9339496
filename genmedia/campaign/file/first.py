"""A first campaign's file, made of what a person has: a folder of photos, or a table."""

import glob
import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from genmedia.campaign.file.rows import NAMES, read_rows
from genmedia.campaign.file.source import Source
from genmedia.errors import Fault, InputError
from genmedia.forms.names import as_name
from genmedia.text.templates import is_name

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson")
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".heic", ".tif", ".tiff", ".avif")
"""Ends of names that photos have."""

IN_PROMPT = 3
"""Most columns of a table that stand in the first prompt."""

_FILE = """\
# yaml-language-server: $schema={schema}
# A first campaign: change it as you like, and see what it would make and cost, which costs nothing: genmedia plan {name}

campaign: {campaign}   # what it is called in the gallery and in the store

variables:                            # what a run may give another value: genmedia plan {name} --set light=evening
  light: soft morning
  background: light oak

rows: {rows}
{about}
matrix:                               # a step is repeated for each value of the lists that it names
  ratio: [landscape, square]

# max_credits: {{genova: {items}}}            # nothing is bought if it would cost more than this
# edition: "{{{{ week }}}}"               # makes all of it anew each week; without it, nothing is ever bought twice

steps:                                # in order: a step may use what those above it give
  - name: hero
    model: nano_banana2               # at Genova; `genmedia providers` lists what your accounts offer
    prompt: {prompt}
    ratio: "{{{{ ratio }}}}"
{references}
  - name: web                         # made on this machine, free of charge
    local: convert
    input: {{step: hero}}               # what hero gave for the same row and the same ratio
    format: webp
    max_bytes: 200000

  # - name: film
  #   model: veo3_fast
  #   prompt: A slow push towards the product
  #   ratio: landscape
  #   references: [{{step: hero, ratio: landscape}}]

deliver:                              # where the files go, under which names
  to: delivery
  names: "{{row.name}}/{{step}}-{{ratio}}.{{ext}}"
"""


@dataclass(frozen=True)
class First:
    """A first file.

    Attributes:
        text: What stands in it.
        told: What it is made of, for people.
    """

    text: str
    told: str


@dataclass(frozen=True)
class _Rows:
    """What a file says of its rows: where they are, what templates can read of them, and what the first step makes of each."""

    told: str
    number: int
    written: str
    about: str
    prompt: str
    references: str = ""


def first_file(given: Path, out: Path, schema: str) -> First:
    """Return a first campaign's file, which plans without a fault.

    Args:
        given: A folder of photos, or a CSV or JSONL file.
        out: Path that the file will have.
        schema: Path of the schema, for editors.

    Raises:
        InputError: There are no photos, or the table cannot be read.
    """
    folder = out.absolute().parent
    path = os.path.relpath(given.absolute(), folder)
    rows = (_of_table if given.suffix.lower() in TABLES else _of_photos)(given, path)
    text = _FILE.format(
        schema=schema,
        name=quote(str(out)),
        campaign=as_name(given.absolute().stem) or "first",
        rows=rows.written,
        about=rows.about,
        items=2 * rows.number,
        prompt=_quoted(rows.prompt),
        references=rows.references,
    )
    return First(text, rows.told)


def _of_photos(given: Path, path: str) -> _Rows:
    try:
        found = [one.suffix.lower() for one in given.iterdir() if one.is_file() and one.suffix.lower() in PICTURES]
    except OSError as error:
        raise InputError([Fault(str(given), f"cannot be read: {error.strerror}")]) from None
    if not found:
        raise InputError([Fault(str(given), f"has no photo; those end with {', '.join(PICTURES)}")])
    (most, number), *others = Counter(found).most_common()
    left = f", without {', '.join(f'{count} {suffix}' for suffix, count in others)}" if others else ""
    return _Rows(
        told=f"{'1 photo' if number == 1 else f'{number} photos'}{left}",
        number=number,
        written=f"{{files: {_quoted(f'{glob.escape(path)}/*{most}')}}}",
        about="# A row for each photo; row.name, row.file, row.stem and row.folder can stand in the templates below.\n",
        prompt="The product of the photo on {{ background }}, in {{ light }} light, nothing else in the picture",
        references='    references: [{file: "{{ row.file }}"}]\n',
    )


def _of_table(given: Path, path: str) -> _Rows:
    """Return rows for each line of a table; its columns stand in the prompt, those that name a row only where there is no other."""
    rows = read_rows(Source(given.name, given.absolute().parent, {"rows": given.name}, {(): (1, 1)}))
    columns = [one for one in rows[0].values if one != "name"]
    telling = [one for one in columns if one not in NAMES and all(str(row.values[one]).strip() for row in rows)]
    words = ", ".join(f"{{{{ {_read(one)} }}}}" for one in telling[:IN_PROMPT] or ["name"])
    return _Rows(
        told="1 row" if len(rows) == 1 else f"{len(rows)} rows",
        number=len(rows),
        written=_quoted(path),
        about=f"# A row for each line; {', '.join(map(_read, ['name', *columns]))} can stand in the templates below.\n",
        prompt=f"{words} on {{{{ background }}}}, in {{{{ light }}}} light, nothing else in the picture",
    )


def _read(column: str) -> str:
    """Return how a template reads a column."""
    return f"row.{column}" if is_name(column) else f"row[{_quoted(column)}]"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False, allow_nan=False)
