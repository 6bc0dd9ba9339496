"""Verdicts on the command line: `genmedia keep`, `genmedia reject`, `genmedia retake` and `genmedia verdicts`."""

import asyncio
import getpass
from collections.abc import Collection, Sequence
from difflib import get_close_matches

from genmedia.cli.printing import Console, print_json, print_table
from genmedia.cli.where import Where
from genmedia.errors import Fault, InputError, SettingsError
from genmedia.journal import Journal
from genmedia.journal.reviews import Opinion, Review
from genmedia.provenance.reading import Asset, read_assets
from genmedia.store.named_files import path_below
from genmedia.store.sidecar import Sidecar

NEAR = 3
"""Most names that are proposed for one that is not there."""


def own_name() -> str:
    """Return the login name of the person at this machine.

    Raises:
        SettingsError: The machine knows none.
    """
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise SettingsError("it is not known who says this", money="", advice="Say it with --as NAME.") from None


def give_verdict(where: Where, items: Sequence[str], opinion: Opinion, console: Console) -> None:
    """Write a verdict on assets of a store into its journal.

    Args:
        where: The store.
        items: Each a path in the store, a file of it on this machine, or `CAMPAIGN/STEP`, which means what it gave last.
        opinion: The verdict.
        console: Where the assets are named.

    Raises:
        InputError: An item is no asset, or the verdict cannot be given on it; all such faults at once.
    """

    async def give() -> list[str]:
        keeper = await where.keeper()
        async with keeper.get_store() as store, keeper.get_journal() as journal:
            assets = [one for one in (await read_assets(store)).assets if one.present]
            wanted = await journal.reviews.undecided()
            meant = {item: _meant(path_below(item, store), assets, wanted) for item in items}
            names = {f"{campaign}/{step}" for one in assets for campaign, step in one.sidecar.used_by}
            faults = [Fault(item, _strange(item, names)) for item, found in meant.items() if not found]
            faults += [
                Fault(item, f"waits for review more than once, such as in two editions; name the file: {_paths(found)}")
                for item, found in meant.items()
                if len({one.sidecar.submission_key for one in found}) > 1
            ]
            if faults:
                raise InputError(faults)
            chosen = {one.path: one.sidecar for found in meant.values() for one in found}
            await journal.reviews.give([(opinion, path, sidecar) for path, sidecar in chosen.items()])
        if where.reviews:
            await where.reviews.resume_decided()
        return [f"{path}{_also(told, items)}" for path, told in chosen.items()]

    for told in asyncio.run(give()):
        console.print(f"{opinion.verdict}  {told}", soft_wrap=True)


def _also(told: Sidecar, typed: Collection[str]) -> str:
    """Return what a file is called besides the name that was typed, which may be an old one, or that of one of several campaigns."""
    names = [f"{campaign}/{step}" for campaign, step in told.used_by]
    others = [name for name in names if name not in typed]
    return f" (also {', '.join(others)})" if others and len(others) < len(names) else ""


def _strange(item: str, names: Collection[str]) -> str:
    """Return what is wrong with an item that is not there: it may lack its campaign, or be spelt otherwise."""
    of_campaigns = sorted(name for name in names if name.rpartition("/")[2] == item)
    near = of_campaigns or get_close_matches(item, names, n=NEAR)
    told = "is neither an asset of the store nor CAMPAIGN/STEP"
    return f"{told}; did you mean {' or '.join(near)}?" if near else told


def _paths(assets: Sequence[Asset]) -> str:
    return ", ".join(sorted(one.path for one in assets))


def _meant(name: str, assets: Sequence[Asset], wanted: Collection[str]) -> list[Asset]:
    """Return the asset at a path; else those of a step, by the names that the gallery shows.

    These are the ones that wait for review, which may be several of several editions; else those that the step gave last.

    Args:
        name: The path, or `CAMPAIGN/STEP`.
        assets: The assets of the store.
        wanted: Keys of the submissions on which a run waits for a verdict.
    """
    if found := [one for one in assets if one.path == name]:
        return found
    found = [one for one in assets if name in {f"{campaign}/{step}" for campaign, step in one.sidecar.used_by}]
    if waiting := [one for one in found if one.sidecar.submission_key in wanted]:
        return waiting
    last = max(found, key=lambda one: (one.sidecar.times.stored, one.sidecar.take), default=None)
    return [one for one in found if last and one.sidecar.submission_key == last.sidecar.submission_key]


def show_verdicts(where: Where, campaign: str, *, history: bool, as_json: bool, console: Console) -> None:
    """Print the verdicts that count, or all verdicts and comments.

    Args:
        where: The store whose journal has them.
        campaign: Only those on what this campaign bought or uses; empty for all.
        history: True for all that was said, the first one first.
        as_json: True to print JSON.
        console: Console for the table.

    Raises:
        SettingsError: There is no such store.
    """

    async def look(journal: Journal) -> list[Review]:
        return await (journal.reviews.history(campaign) if history else journal.reviews.standing_in(campaign))

    found = where.work(look)
    if as_json:
        print_json([_told(one) for one in found])
    elif not found:
        console.print("nothing is said yet" if history else "nothing is decided yet")
    else:
        print_table(console, ["verdict", "asset", "who", "when", "why"], [_cells(one) for one in found])


def _cells(one: Review) -> list[str]:
    opinion = one.opinion
    again = [f"seed {opinion.seed}"] if opinion.seed is not None else []
    again += [f"prompt: {opinion.prompt}"] if opinion.prompt else []
    when = one.at.astimezone().strftime("%Y-%m-%d %H:%M")
    return [
        opinion.verdict or "comment",
        one.subject.path,
        opinion.who,
        when,
        "; ".join(filter(None, [opinion.why, *again])) or "-",
    ]


def _told(one: Review) -> dict[str, object]:
    subject, opinion = one.subject, one.opinion
    return {
        "verdict": opinion.verdict,
        "who": opinion.who,
        "at": one.at.isoformat(),
        "why": opinion.why,
        "prompt": opinion.prompt,
        "seed": opinion.seed,
        "path": subject.path,
        "campaign": subject.campaign,
        "step": subject.step,
        "submission_key": subject.key,
        "attempt": subject.attempt,
        "output": subject.output,
        "number": subject.number,
        "sha256": subject.sha256,
    }
