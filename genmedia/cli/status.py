"""How campaigns stand, by the journal alone: `genmedia status`."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from genmedia.cli.printing import Console, print_json, table_of
from genmedia.cli.where import Where
from genmedia.errors import SettingsError
from genmedia.jobs.job import JobStatus, priced
from genmedia.journal import AttemptState, Journal
from genmedia.journal.reading import Standing

SECONDS = 1.0
"""Pause between two readings with `--watch`, in seconds."""

DONE, RUNNING, WAITING, TO_REVIEW, REJECTED = "stored", "running", "waiting", "to review", "rejected"
_SHOWN = 60
"""Most items that are listed."""


def show_status(where: Where, campaign: str, *, watch: bool, as_json: bool, console: Console) -> int:
    """Show how a campaign stands, or all of them; asks no provider. Returns 1 where an item failed, is refused or in doubt, else 0.

    Args:
        where: The store whose journal is read.
        campaign: Its name; empty for all.
        watch: True to show it anew each second until nothing is open.
        as_json: True to print one JSON value instead.
        console: Where it is shown.

    Raises:
        SettingsError: There is no such store, or its journal knows no such campaign.
    """
    found: list[Standing] = []

    async def look(journal: Journal) -> None:
        found[:] = await journal.standings(campaign)
        if campaign and not found:
            raise SettingsError(
                f"the journal knows no campaign {campaign}", money="", advice="`genmedia status` lists those it knows."
            )
        if watch:
            with Live(_shown(found, campaign), console=console, auto_refresh=False) as live:
                while _is_open(found):
                    await asyncio.sleep(SECONDS)
                    found[:] = await journal.standings(campaign)
                    live.update(_shown(found, campaign), refresh=True)
        elif as_json:
            print_json([_told(one) for one in found])
        else:
            console.print(_shown(found, campaign))

    where.work(look)
    return 1 if any(_fate(one) not in (DONE, RUNNING, WAITING, TO_REVIEW, REJECTED) for one in found) else 0


def _is_open(standings: Iterable[Standing]) -> bool:
    return any(_fate(one) in (RUNNING, WAITING) for one in standings)


def _fate(standing: Standing) -> str:
    """Return what became of an item, in a word."""
    attempt = standing.attempt
    if attempt.state is AttemptState.STORED:
        return TO_REVIEW if standing.undecided else REJECTED if standing.decided and standing.decided.is_rejected else DONE
    if attempt.state is AttemptState.BOUND:
        seen = attempt.sight and attempt.sight.job
        return WAITING if seen is None or seen.status is JobStatus.QUEUED else RUNNING
    return WAITING if attempt.state is AttemptState.INTENDED else attempt.state.in_words


def _shown(standings: Sequence[Standing], campaign: str) -> RenderableType:
    if not standings:
        return Text("The journal knows no campaign.")
    return _items(standings) if campaign else _campaigns(standings)


def _campaigns(standings: Sequence[Standing]) -> RenderableType:
    by_campaign = defaultdict[str, list[Standing]](list)
    for one in standings:
        by_campaign[one.campaign].append(one)
    rows = [
        [name, str(len(some)), _counted(some), _money(some), f"{max(one.attempt.intended_at for one in some):%Y-%m-%d %H:%M}"]
        for name, some in by_campaign.items()
    ]
    return table_of(["campaign", "items", "of them", "spent and reserved", "last bought, UTC"], rows, ["items"])


def _items(standings: Sequence[Standing]) -> RenderableType:
    left = [one for one in standings if _fate(one) != DONE or _seen(one)]
    rows = [[one.step, f"{one.attempt.provider} {one.attempt.operation}", _fate(one), _seen(one)] for one in left[:_SHOWN]]
    parts: list[RenderableType] = [table_of(["item", "operation", "", ""], rows)] if rows else []
    if len(left) > _SHOWN:
        parts.append(Text(f"and {len(left) - _SHOWN} more"))
    parts.append(
        Text(f"{'1 item' if len(standings) == 1 else f'{len(standings)} items'}: {_counted(standings)}; {_money(standings)}")
    )
    return Group(*parts)


def _seen(one: Standing) -> str:
    attempt = one.attempt
    if attempt.state is AttemptState.BOUND and attempt.sight:
        return attempt.sight.in_words
    if attempt.state is AttemptState.STORED:
        if one.undecided:
            return "people's verdict, in genmedia review"
        return one.decided.in_words if one.decided and one.decided.is_news else ""
    return attempt.reason or ("its slot at the account" if attempt.state is AttemptState.INTENDED else "")


def _counted(standings: Iterable[Standing]) -> str:
    return ", ".join(f"{number} {fate}" for fate, number in Counter(map(_fate, standings)).items())


def _money(standings: Iterable[Standing]) -> str:
    """Return what was charged, and what open items may still cost, at each provider: once for several that share a purchase."""
    bought = list({one.attempt.key: one for one in standings}.values())
    return "; ".join(filter(None, (_sum(bought, _charged, "charged"), _sum(bought, _reserved, "reserved")))) or "nothing charged"


def _charged(one: Standing) -> float:
    return one.charged


def _reserved(one: Standing) -> float:
    attempt = one.attempt
    return (
        (attempt.reserved or 0.0)
        if attempt.charged is None and attempt.state in (AttemptState.BOUND, AttemptState.INTENDED)
        else 0.0
    )


def _sum(standings: Iterable[Standing], amount: Callable[[Standing], float], word: str) -> str:
    sums: Counter[tuple[str, str]] = Counter()
    for one in standings:
        sums[one.attempt.provider, one.attempt.unit] += amount(one)  # pyright: ignore[reportArgumentType] # amounts may be parts of one
    told = ", ".join(f"{provider} {priced(total, unit)}" for (provider, unit), total in sorted(sums.items()) if total)
    return f"{word}: {told}" if told else ""


def _told(one: Standing) -> Mapping[str, Any]:
    attempt = one.attempt
    job = attempt.sight.job if attempt.sight else None
    return {
        "campaign": one.campaign,
        "step": one.step,
        "state": _fate(one),
        "progress": job and job.progress,
        "provider": attempt.provider,
        "operation": attempt.operation,
        "charged": one.charged or attempt.charged,
        "reserved": attempt.reserved,
        "unit": attempt.unit,
        "reason": attempt.reason,
        "verdict": one.decided.in_words if one.decided else "",
        "job": attempt.remote_id,
        "key": attempt.key,
        "since": attempt.intended_at.isoformat(),
    }
