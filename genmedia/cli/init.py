"""`genmedia init`: a first campaign's file, of a folder of photos or a table."""

import os
from pathlib import Path
from shlex import quote

from genmedia.cli.printing import Console
from genmedia.cli.project import Project
from genmedia.errors import Fault, InputError

SCHEMA = Path("docs", "campaign.schema.json")


def write_first(project: Project, given: Path, out: Path, console: Console) -> None:
    """Write a first campaign's file, and tell what to type next.

    Args:
        project: The checkout.
        given: A folder of photos, or a CSV or JSONL file.
        out: Path of the new file.
        console: Where it is told.

    Raises:
        InputError: There is nothing to begin with, or the file is there already.
    """
    from genmedia.campaign.file.first import first_file  # noqa: PLC0415 # `--help` should not wait for pydantic

    schema, folder = project.folder / SCHEMA, out.resolve().parent
    beside = folder.is_relative_to(project.folder.resolve())
    first = first_file(given, out, os.path.relpath(schema, folder) if beside else str(schema))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("x", encoding="utf-8") as file:
            file.write(first.text)
    except FileExistsError:
        raise InputError(
            [Fault(str(out), "is there already, and nothing is written over it; --out names another file")]
        ) from None
    except OSError as error:
        raise InputError([Fault(str(out), f"cannot be written: {error.strerror}")]) from None
    console.print(f"Wrote {out} of {first.told}. Next, which buys nothing: genmedia plan {quote(str(out))}", soft_wrap=True)
