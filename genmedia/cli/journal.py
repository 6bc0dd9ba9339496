"""Commands about the journal: `genmedia journal` and `genmedia journal resolve`."""

from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from genmedia.cli.printing import number, print_json, print_table
from genmedia.cli.where import Where
from genmedia.doubts import Resolution, settle_doubt
from genmedia.errors import SettingsError
from genmedia.journal import Attempt, AttemptState, Journal


def show_open(where: Where, *, in_doubt: bool, as_json: bool, console: Console) -> None:
    """Print every purchase that is open, or only those that nobody can tell about.

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
        console.print("nothing is in doubt" if in_doubt else "nothing is open", highlight=False)
    else:
        now = datetime.now(UTC)
        rows = [
            [
                one.key[:12],
                one.state.value.replace("_", " "),
                f"{one.provider} {one.operation}",
                one.purpose.campaign or "-",
                _age((now - one.intended_at).total_seconds()),
                f"{number(one.at_stake)} {one.unit}",
                one.reason or one.remote_id or "",
            ]
            for one in found
        ]
        print_table(console, ["key", "state", "job", "campaign", "since", "at stake", ""], rows)


def resolve(where: Where, key: str, *, job: str | None, not_bought: bool, lost: bool, console: Console) -> None:
    """Write down what a person found out about a purchase in doubt.

    Raises:
        SettingsError: Not one thing is said, or no one purchase in doubt has this key.
        JobError: It is in doubt no more, or the job is another's.
    """
    said = [Resolution.BOUGHT] * (job is not None) + [Resolution.NOT_BOUGHT] * not_bought + [Resolution.LOST] * lost
    if len(said) != 1 or (job is not None and not job.strip()):
        raise SettingsError("it is not said what became of it", money="", advice="Name one of --job ID, --not-bought and --lost.")

    async def settle(journal: Journal) -> str:
        doubtful = [one for one in await journal.open_attempts() if one.state is AttemptState.IN_DOUBT]
        found = [one for one in doubtful if one.key.startswith(key)]
        if len(found) != 1:
            what = (
                f"{len(found)} purchases in doubt have keys that begin" if found else "no purchase in doubt has a key that begins"
            )
            raise SettingsError(f"{what} with {key!r}", money="", advice="`genmedia journal --in-doubt` lists them.")
        return await settle_doubt(journal, found[0], said[0], job or "")

    console.print(where.work(settle), highlight=False, markup=False, soft_wrap=True)


def back_up(where: Where, file: Path, console: Console) -> None:
    """Write a copy of the journal.

    Raises:
        SettingsError: The file is there already, or the journal is in no file.
        JournalError: It cannot be written.
    """
    where.work(lambda journal: journal.copy_to(file))
    console.print(f"the journal as it is now is in {file}", highlight=False, markup=False, soft_wrap=True)


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
    }


def _age(seconds: float) -> str:
    for name, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f} {name}"
    return f"{max(seconds, 0):.0f} s"
