"""Commands about the journal: `genmedia journal` and `genmedia journal resolve`."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from genmedia.cli.printing import Console, print_json, print_table
from genmedia.cli.where import Where
from genmedia.errors import SettingsError
from genmedia.jobs.job import priced
from genmedia.journal import Attempt, AttemptState, Journal
from genmedia.purchasing.resolve import Resolution, has_file, settle_doubt


def show_open(where: Where, *, in_doubt: bool, as_json: bool, console: Console) -> None:
    """Print every purchase that is open, or only those of which it is not known whether they were made.

    Raises:
        SettingsError: There is no such store.
    """

    async def look(journal: Journal) -> list[Attempt]:
        found = await journal.open_attempts()
        return [one for one in found if not in_doubt or one.state is AttemptState.IN_DOUBT]

    found = where.work(look)
    if as_json:
        print_json([_told(one) for one in found])
    elif not found:
        console.print("nothing is in doubt" if in_doubt else "nothing is open")
    else:
        rows = [[*_cells(one), priced(one.at_stake, one.unit), _seen(one), one.reason or one.remote_id or ""] for one in found]
        print_table(console, [*_TITLES, "may cost", "last seen", ""], rows)


def show_paid_without_file(where: Where, *, as_json: bool, console: Console) -> None:
    """Print every purchase that is paid for and has no file in the store, with the provider's last answer.

    Raises:
        SettingsError: There is no such store.
    """

    async def look() -> list[Attempt]:
        keeper = await where.keeper()
        async with keeper.get_store() as store, keeper.get_journal() as journal:
            return [one for one in await journal.paid_without_file() if not await has_file(journal, one, store.has)]

    found = asyncio.run(look())
    if as_json:
        print_json([{**_told(one), "charged": one.charged, "last_answer": one.last_answer} for one in found])
    elif not found:
        console.print("everything that is paid for has its file")
    else:
        rows = [
            [*_cells(one), one.remote_id or "-", priced(one.at_stake, one.unit), one.last_answer or one.reason] for one in found
        ]
        print_table(console, [*_TITLES, "id", "counts as", "the provider said last"], rows)


_TITLES = ("key", "state", "job", "campaign", "since")


def _cells(one: Attempt) -> Sequence[str]:
    age = _age(one.intended_at)
    return one.key[:12], one.state.in_words, f"{one.provider} {one.operation}", one.purpose.campaign or "-", age


def _seen(one: Attempt) -> str:
    return f"{one.sight.in_words}, {_age(one.seen_at)} ago" if one.sight and one.seen_at else "-"


def resolve(where: Where, key: str, *, job: str | None, not_bought: bool, lost: bool, console: Console) -> None:
    """Write into the journal what a person found out about a purchase in doubt, or that a paid purchase will give no file.

    Raises:
        SettingsError: Not exactly one answer is given, no key is named, or not exactly one purchase that the answer fits has this key.
        JobError: The purchase has changed meanwhile, a run waits for it, or the job belongs to another purchase.
    """
    said = [Resolution.BOUGHT] * (job is not None) + [Resolution.NOT_BOUGHT] * not_bought + [Resolution.LOST] * lost
    if len(said) != 1 or (job is not None and not job.strip()):
        raise SettingsError("it is not said what became of it", money="", advice="Name one of --job ID, --not-bought and --lost.")

    if not key.strip():  # every key begins with an empty text
        raise SettingsError(
            "no purchase is named", money="", advice="`genmedia journal` lists their keys; the beginning of one will do."
        )

    async def settle() -> str:
        keeper = await where.keeper()
        async with keeper.get_store() as store, keeper.get_journal() as journal:
            fitting = [one for one in await journal.live_attempts(key) if said[0].fits(one)]
            found = [one for one in fitting if not await has_file(journal, one, store.has)]
            if len(found) == 1:
                return await settle_doubt(journal, found[0], said[0], job or "")
        kind = "in doubt or paid for without a file" if lost else "in doubt"
        what = f"{len(found)} purchases {kind} have keys that begin" if found else f"no purchase {kind} has a key that begins"
        lists = f"`genmedia journal --in-doubt`{' and `genmedia journal --paid-without-file` list' if lost else ' lists'} them."
        raise SettingsError(f"{what} with {key!r}", money="", advice=lists)

    console.print(asyncio.run(settle()), soft_wrap=True)


def back_up(where: Where, file: Path, console: Console) -> None:
    """Write a copy of the journal.

    Raises:
        SettingsError: The file is there already, or the journal is in no file.
        JournalError: It cannot be written.
    """
    where.work(lambda journal: journal.copy_to(file))
    console.print(f"the journal as it is now is in {file}", soft_wrap=True)


def _told(one: Attempt) -> dict[str, object]:
    return {
        "key": one.key,
        "state": one.state,
        "account": one.account,
        "operation": one.operation,
        "campaign": one.purpose.campaign,
        "step": one.purpose.step,
        "remote_id": one.remote_id,
        "since": one.intended_at.isoformat(),
        "at_stake": one.at_stake,
        "unit": one.unit,
        "reason": one.reason,
        **({"seen": one.sight.in_words, "seen_at": one.seen_at.isoformat()} if one.sight and one.seen_at else {}),
    }


def _age(since: datetime) -> str:
    seconds = (datetime.now(UTC) - since).total_seconds()
    for name, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f} {name}"
    return f"{max(seconds, 0):.0f} s"
