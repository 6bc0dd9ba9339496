"""The command that hands over what a campaign gave: `genmedia deliver`."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from genmedia.campaign.delivery import Form, Report, Wish, deliver
from genmedia.campaign.delivery.naming import MANIFEST, PAGE, names_of, package_of
from genmedia.campaign.delivery.place import SETTINGS, place_from
from genmedia.campaign.delivery.stored import stored_items
from genmedia.campaign.delivery.wish import AS_STORED, NAMES, Item
from genmedia.campaign.marks import Marks, marks_of, read_marks
from genmedia.cli.printing import Console, complain, print_json
from genmedia.cli.where import Where
from genmedia.errors import Fault, InputError, StoreDeniedError, StoreError
from genmedia.journal import is_made
from genmedia.media.conversion import LARGEST_SIDE
from genmedia.media.facts import SUFFIXES
from genmedia.provenance.labels import SOURCES
from genmedia.provenance.reading import read_assets
from genmedia.store import Store
from genmedia.text.templates import WrongTemplateError, render

_LISTED = 20
"""Most names of one kind that are printed; JSON has all."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a person asked for on the command line.

    Attributes:
        to: Address of the place.
        names: Template of the names; empty for `NAMES`.
        steps: Steps whose files are meant; empty for all.
        formats: Suffixes of the types of pictures; empty for the type that each has.
        max_side: Most pixels of a picture's longer side; None for as many as each has.
        title: Template of the titles; empty for none.
        source_type: One of IPTC's words; empty for the usual one.
        marks: A file of marks, or the marks themselves; empty for the verdicts in the store's journal.
    """

    campaign: str
    to: str
    names: str
    steps: Sequence[str] = ()
    formats: Sequence[str] = ()
    max_side: int | None = None
    title: str = ""
    creator: str = ""
    rights: str = ""
    source_type: str = ""
    marks: str = ""
    package: bool = False


def deliver_campaign(where: Where, asked: Asked, *, prune: bool, dry_run: bool, as_json: bool, console: Console) -> int:
    """Deliver the files of a campaign, and print what was done; returns 1 if a file could not be delivered, else 0.

    Raises:
        InputError: Names, titles or marks are wrong; nothing was written.
        SettingsError: There is no such campaign or step, or the place cannot be used; nothing was written.
        StoreError: The place refused.
    """
    report = asyncio.run(_delivered(where, asked, prune=prune, dry_run=dry_run))
    if as_json:
        print_json(asdict(report) | {"dry_run": dry_run})
    else:
        _show(report, asked, dry_run=dry_run, console=console)
    return 1 if report.faults else 0


async def _delivered(where: Where, asked: Asked, *, prune: bool, dry_run: bool) -> Report:
    if asked.max_side is not None and not 0 < asked.max_side <= LARGEST_SIDE:
        raise InputError([Fault("--max-side", f"is {asked.max_side}; it can be from 1 to {LARGEST_SIDE}")])
    place = place_from(os.environ, asked.to, Path.cwd())
    wish = Wish(
        campaign=asked.campaign,
        names=asked.names or NAMES,
        forms=[Form(suffix, asked.max_side) for suffix in asked.formats] or [replace(AS_STORED, side=asked.max_side)],
        creator=asked.creator,
        rights=asked.rights,
        source=f"{SOURCES}{asked.source_type}" if asked.source_type else "",
        package=asked.package,
    )
    async with where.open() as store:
        marks = read_marks(asked.marks) if asked.marks else await _verdicts(where, asked.campaign)
        contents = await read_assets(store)
        for one in contents.left_out:
            complain(f"genmedia: {one.path} is passed over: {one.why}.")
        items = stored_items(contents.assets, asked.campaign, steps=asked.steps, marks=marks)
        try:
            items = _titled(items, asked) if asked.title else items
            async with Store.lease(place) as target:
                return await deliver(items, wish, store, target, prune=prune, dry_run=dry_run)
        except InputError as error:
            error.money = "Nothing was written."
            raise
        except StoreError as error:
            error.advice = _advice(error)
            raise


async def _verdicts(where: Where, campaign: str) -> Marks | None:
    """Return what people decided on the files of a campaign, as marks; None where the store has no journal."""
    keeper = await where.keeper()
    if not is_made(keeper.journal_url):
        return None
    async with keeper.get_journal() as journal:
        return marks_of(await journal.reviews.standing_in(campaign))


def _titled(items: Sequence[Item], asked: Asked) -> list[Item]:
    """Give each item its title.

    Raises:
        InputError: The template is wrong.
    """
    titled: list[Item] = []
    for item in items:
        values = names_of(item, AS_STORED, asked.campaign, SUFFIXES[item.sidecar.file.media_type])
        try:
            titled.append(replace(item, title=" ".join(render(asked.title, values).split())))
        except WrongTemplateError as error:
            raise InputError([Fault(f"the title {asked.title!r}", f"for {item.path}: {error}")]) from None
    return titled


def _advice(error: StoreError) -> str:
    again = "Run again: what is there already is not sent again."
    if isinstance(error, StoreDeniedError):
        return f"Check who may write there, and the keys that {SETTINGS}S3_KEY and {SETTINGS}S3_SECRET or AWS tools have. {again}"
    return f"Check the place: its address, that it is there, and that it has room. {again}"


def _show(report: Report, asked: Asked, *, dry_run: bool, console: Console) -> None:
    """Print a report for people."""
    will = "would be " if dry_run else ""
    for what, names in (("copied", report.copied), ("changed", report.changed), ("pruned", report.pruned)):
        _list(f"{will}{what}", names, console)
    _list("withdrawn", report.withdrawn, console)
    for title, told in (("note", report.notes), ("fault", report.faults)):
        _list(title, [str(one) for one in told], console)
    counts = [
        f"{len(report.copied)} {will}copied",
        f"{len(report.changed)} {will}changed",
        f"{len(report.left)} left as they are",
    ]
    counts += [f"{len(report.withdrawn)} withdrawn (--prune removes them)"] if report.withdrawn else []
    counts += [f"{len(report.pruned)} {will}pruned"] if report.pruned else []
    counts += [f"{len(report.faults)} not delivered"] if report.faults else []
    console.print(f"{', '.join(counts)}: {report.campaign} in {report.place}", soft_wrap=True)
    if not dry_run:
        with_zip = f", {package_of(report.campaign)}" if asked.package else ""
        console.print(f"{PAGE} shows them, {MANIFEST} lists them{with_zip}", soft_wrap=True)


def _list(what: str, lines: Sequence[str], console: Console) -> None:
    width = max(map(len, ("would be changed", what))) if what.startswith("would") else 9
    for line in lines[:_LISTED]:
        console.print(f"{what:<{width}}  {line}", soft_wrap=True)
    if len(lines) > _LISTED:
        console.print(f"{what:<{width}}  and {len(lines) - _LISTED} more", soft_wrap=True)
