"""Commands that tell where the files of a store came from: `genmedia lineage`, `genmedia manifest`, `genmedia journal rebuild`."""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.text import Text

from genmedia.cli.printing import Console, complain, print_json
from genmedia.cli.where import Where
from genmedia.errors import SettingsError
from genmedia.gallery.page import write_gallery, write_linked_gallery
from genmedia.jobs.job import UNKNOWN, priced
from genmedia.provenance.lineage import Branch, Lineage
from genmedia.provenance.manifest import BOM, make_manifest
from genmedia.provenance.reading import read_assets
from genmedia.provenance.rebuild import Rebuilt, rebuild_journal
from genmedia.store.named_files import path_below
from genmedia.store.private import opener

DAY_SECONDS = 24 * 3600.0
LINK_DAYS = 7
"""Longest life of a signed link, in days: signatures of version 4 end after a week, as S3 documents."""

SHOWN_CHARACTERS = 100
"""Most characters of a text that are shown in a tree."""


def show_lineage(where: Where, file: str, *, as_json: bool, console: Console) -> None:
    """Print what a file was made of, and what was made of it.

    Args:
        where: The store.
        file: A path in the store, a file on this machine, or the beginning of a SHA-256.
        as_json: Print a JSON list instead of trees: for each file that is meant, the tree `made_of` and the tree `went_into`.
        console: Where trees are shown.

    Raises:
        SettingsError: No file of the store fits, or the digits fit several SHA-256.
    """
    trees = asyncio.run(_trees(where, file))
    if as_json:
        told = [{"made_of": asdict(before), "went_into": asdict(after)} for before, after in trees]
        print_json(told)
        return
    for before, after in trees:
        console.print(_words(before), soft_wrap=True)
        for title, tree in (("made of", before), ("went into", after)):
            if tree.branches:
                for line in (Text(title), *_drawn(tree.branches)):
                    console.print(line, soft_wrap=True)


async def _trees(where: Where, file: str) -> list[tuple[Branch, Branch]]:
    async with where.open() as store:
        contents = await read_assets(store)
        name = path_below(file, store)
    lineage = Lineage(contents.assets)
    for one in contents.left_out:
        complain(f"genmedia: {one.path} is passed over: {one.why}.")
    return [(lineage.before(thing), lineage.after(thing)) for thing in lineage.find(name)]


def _drawn(branches: Sequence[Branch], before: str = "") -> Iterator[Text]:
    for number, one in enumerate(branches, 1):
        last = number == len(branches)
        yield Text(before + ("└── " if last else "├── ")).append(_words(one))
        yield from _drawn(one.branches, before + ("    " if last else "│   "))


def _words(branch: Branch) -> Text:
    name = branch.name
    if branch.kind == "text":
        name = " ".join(name.split())
        name = f"{name[:SHOWN_CHARACTERS]}…" if len(name) > SHOWN_CHARACTERS else name
    words = Text(f"{branch.input}: " if branch.input else "", style="dim").append(name, "not dim")
    if branch.provider:
        charged = f", cost {UNKNOWN}" if branch.charged is None else f", {priced(branch.charged, branch.unit or '')}"
        take = "" if branch.take == 1 else f", take {branch.take}"
        words.append(f"  {branch.provider} {branch.operation}{take}{charged}")
    elif branch.sha256:
        words.append(f"  {branch.sha256[:8]}")
    if branch.again:
        words.append("  (as above)")
    if branch.deeper:
        words.append("  (goes on: ask for its own lineage)")
    return words


def draw_gallery(where: Where, output: Path | None, days: float, console: Console) -> None:
    """Draw the gallery of a store anew, in the store or as a page on this machine.

    Raises:
        SettingsError: The store signs no links, or they cannot live so long.
    """
    if not 0 < days <= LINK_DAYS:
        raise SettingsError(f"links cannot live {days:g} days", money="", advice=f"Name up to {LINK_DAYS} with --days.")

    async def draw() -> str:
        async with where.open() as store:
            if output is None:
                return await write_gallery(store, await read_assets(store))
            return (await write_linked_gallery(store, output.absolute(), days * DAY_SECONDS)).as_uri()

    console.print(f"Gallery  {asyncio.run(draw())}", soft_wrap=True)


def save_manifest(where: Where, output: Path | None) -> None:
    """Write the list of everything in a store as CSV, to a file or to standard output.

    Raises:
        SettingsError: The file cannot be written.
    """
    text = asyncio.run(_manifest(where))
    if output is None:
        sys.stdout.write(text)
        return
    try:
        with open(output, "w", encoding="utf-8", newline="", opener=opener) as file:  # a path's own takes no opener
            file.write(BOM + text)
    except OSError as error:
        raise SettingsError(
            f"{output} cannot be written: {error.strerror}", money="", advice="Name another file with --output."
        ) from None


async def _manifest(where: Where) -> str:
    async with where.open() as store:
        return make_manifest((await read_assets(store)).assets)


def rebuild(where: Where, console: Console) -> int:
    """Rebuild the journal of a store from its sidecars, and print the result; returns 1 when a sidecar could not be read, else 0."""
    rebuilt = asyncio.run(_rebuilt(where))
    over = len(rebuilt.passed_over) + len(rebuilt.left_out)
    lines = [f"{rebuilt.found} sidecars found, {rebuilt.added} added to the journal, {over} passed over"]
    lines += [f"  {count}: {why}" for why, count in Counter(rebuilt.passed_over.values()).items()]
    lines += [f"  {one.path}: {one.why}" for one in rebuilt.left_out]
    for line in lines:
        console.print(line, soft_wrap=True)
    return 1 if rebuilt.left_out else 0


async def _rebuilt(where: Where) -> Rebuilt:
    keeper = await where.keeper()
    async with keeper.get_store() as store, keeper.get_journal() as journal:
        return await rebuild_journal(store, journal)
