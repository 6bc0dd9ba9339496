"""The harvest of attempts that no process works on: fetch and store paid jobs, ask about lost answers, cancel jobs of cancelled runs.

It buys nothing. Two harvests at once do no harm: each job is claimed by one of them.
"""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum

from genmedia.concurrency import every
from genmedia.errors import GenmediaError, InDoubtError, JobVanishedError, JournalError, contained
from genmedia.jobs.job import Job, JobStatus, account_name
from genmedia.jobs.watcher import Trouble
from genmedia.journal import Attempt, AttemptState, Journal, StoredAsset
from genmedia.journal.order import Order
from genmedia.providers.base import ProviderClient, at_desk, client_for, looking_for
from genmedia.purchasing.buy import Outcome, Purchase, end_without_result, settle
from genmedia.purchasing.cancel import cancel
from genmedia.purchasing.receive import receive_outputs
from genmedia.store import Store

LOOK_SECONDS = 900.0
"""Longest time that a job is looked for, in seconds: until it has certainly vanished, or the provider certainly cannot be asked."""

AT_ONCE = 8

NAMED_AT_ONCE = 5
"""Most jobs under way that an error names."""


class Fate(StrEnum):
    """Result of a harvest for one open attempt."""

    STORED = "stored"
    ABORTED = "aborted"
    FAILED = "failed"
    REFUSED = "refused"
    VANISHED = "vanished"
    NOT_BOUGHT = "not bought"
    IN_DOUBT = "in doubt"
    RUNNING = "running"
    IN_HAND = "in hand"
    LEFT = "left"

    @property
    def ended(self) -> bool:
        """True if there was a job, and it has ended."""
        return self in (Fate.STORED, Fate.ABORTED, Fate.FAILED, Fate.REFUSED, Fate.VANISHED)


@dataclass(frozen=True)
class Harvested:
    """One open attempt, and its fate.

    Attributes:
        attempt: The attempt as the journal has it now.
        detail: Explanation for people, such as why it was left.
        assets: The files that were stored.
    """

    attempt: Attempt
    fate: Fate
    detail: str = ""
    assets: tuple[StoredAsset, ...] = ()


async def work_under_way(journal: Journal, campaign: str) -> str:
    """Return a sentence about the open attempts of earlier runs of a campaign, which are or may be paid for; empty where there are none."""
    found = [one for one in await journal.open_attempts() if one.campaign == campaign]
    if not found:
        return ""
    told = "; ".join(map(_under_way, found[:NAMED_AT_ONCE]))
    more = f"; and {len(found) - NAMED_AT_ONCE} more, which `genmedia journal` lists" if len(found) > NAMED_AT_ONCE else ""
    return (
        f"Nothing more was bought, but earlier runs of {campaign} have paid work under way: {told}{more}. "
        "The flow harvest fetches what they give, and so does this run once it is mended."
    )


def _under_way(attempt: Attempt) -> str:
    job = f"job {attempt.remote_id}" if attempt.remote_id else attempt.state.value.replace("_", " ")
    since = f"since {attempt.intended_at:%Y-%m-%d %H:%M} UTC"
    return f"{attempt.provider} {attempt.operation}, {job}, submission {attempt.key[:12]}, {since}"


async def harvest(
    journal: Journal,
    store: Store,
    clients: Collection[ProviderClient],
    cancelled: Collection[str] = (),
    over: Collection[str] = (),
) -> list[Harvested]:
    """Bring every open attempt that no process works on as far as it goes now.

    Args:
        journal: The journal of the attempts.
        store: The store of the files.
        clients: The clients of all accounts; of several with one account name, the one that bought a job is used for it.
        cancelled: The runs that a person has cancelled.
        over: All runs that have ended, though the process that they were in may live on.
    """
    gone = {*cancelled, *over}
    slots = asyncio.Semaphore(AT_ONCE)

    async def look_after(attempt: Attempt) -> Harvested:
        wanted_by = await journal.waiters(attempt.id)
        if await journal.is_worked_on(attempt) or any(run.lives and run.run not in gone for run in wanted_by):
            return Harvested(attempt, Fate.IN_HAND)
        client = client_for(attempt, clients)
        if client is None:
            return Harvested(
                attempt, Fate.LEFT, f"no credentials block that can be used is saved for {account_name(attempt.account)}"
            )
        unwanted = gone if {run.run for run in wanted_by} & {*cancelled} else ()
        async with at_desk(client, journal) as desk:
            if not unwanted and (seen := await desk.looks.under_way(attempt.id)):
                return Harvested(attempt, Fate.RUNNING, seen.status.value)
            return await _bring_to_end(journal, store, client, attempt, unwanted)

    async def one(attempt: Attempt) -> Harvested:
        async with slots:
            try:
                with contained(f"job {attempt.remote_id or 'of unknown id'}, submission {attempt.key[:12]}"):
                    found = await look_after(attempt)
            except GenmediaError as error:
                found = Harvested(attempt, Fate.LEFT, str(error))
            with suppress(JournalError):
                found = replace(found, attempt=await journal.attempt(attempt.id))
            return found

    return await every(map(one, await journal.open_attempts()))


async def _bring_to_end(
    journal: Journal, store: Store, client: ProviderClient, attempt: Attempt, unwanted_by: Collection[str]
) -> Harvested:
    """Bring one attempt as far as it goes; `unwanted_by` are the runs that no longer wait, if a person has cancelled one of them."""
    if attempt.state is AttemptState.INTENDED:
        attempt = await _settled(journal, client, attempt)
    if attempt.state is AttemptState.IN_DOUBT:
        return Harvested(attempt, Fate.IN_DOUBT, attempt.reason)
    if attempt.state is not AttemptState.BOUND:
        return Harvested(attempt, Fate.NOT_BOUGHT, attempt.reason)
    if unwanted_by and await cancel(journal, client, attempt.id, unwanted_by):
        return Harvested(attempt, Fate.ABORTED)
    return await _fetched(journal, store, client, attempt)


async def _settled(journal: Journal, client: ProviderClient, attempt: Attempt) -> Attempt:
    """Find out what became of an attempt whose owner died before it knew the job's id; return the attempt as it is then."""
    await settle(journal, attempt, client.recover, client.buyer)
    return await journal.attempt(attempt.id)


async def _fetched(journal: Journal, store: Store, client: ProviderClient, attempt: Attempt) -> Harvested:
    purchase = _purchase_of(client, attempt)
    try:
        async with looking_for(journal, client, attempt.id, purchase.job_id):
            job = await client.watcher.wait(
                client.reference(attempt),
                about=purchase.about,
                queue_seconds=LOOK_SECONDS,
                run_seconds=LOOK_SECONDS,
                seen=_stop_if_under_way,
                age=(await journal.attempt(attempt.id)).age,  # it may have waited here for others
            )
    except _UnderWayError as error:
        return Harvested(attempt, Fate.RUNNING, f"{error}")
    except JobVanishedError as error:
        return Harvested(attempt, Fate.VANISHED, error.what)
    except InDoubtError as error:
        return Harvested(attempt, Fate.IN_DOUBT, error.what)
    if job.status is JobStatus.UNSTARTED:
        return await _taken_back(journal, client, attempt, purchase.job_id)
    if job.status is JobStatus.SUCCEEDED:
        received = await receive_outputs(client, store, journal, purchase, job)
        return Harvested(attempt, Fate.STORED, assets=received.assets)
    await end_without_result(journal, purchase, job)
    return Harvested(attempt, Fate.REFUSED if job.content_refused else Fate.FAILED, job.error or job.status)


async def _taken_back(journal: Journal, client: ProviderClient, attempt: Attempt, job_id: str) -> Harvested:
    """Write down that the job of an attempt was never started, and settle the attempt: nothing was bought."""
    if not await journal.unbind(attempt.id, job_id):
        return Harvested(attempt, Fate.IN_HAND)
    settled = await _settled(journal, client, await journal.attempt(attempt.id))
    fates = {AttemptState.REFUSED: Fate.NOT_BOUGHT, AttemptState.BOUND: Fate.RUNNING}  # it may be started at that moment
    return Harvested(settled, fates.get(settled.state, Fate.IN_HAND), settled.reason)


class _UnderWayError(Exception):
    """The job has not ended; it is looked at again by the next harvest."""


async def _stop_if_under_way(seen: Job | Trouble) -> None:
    if isinstance(seen, Job) and not seen.status.terminal:
        raise _UnderWayError(seen.status.value)


def _purchase_of(client: ProviderClient, attempt: Attempt) -> Purchase:
    told = attempt.purpose  # older journals do not have it
    purpose = replace(told, campaign=told.campaign or "harvest", step=told.step or attempt.key[:12])
    order = Order(client.account, attempt.operation, attempt.request, attempt.price, attempt.unit, attempt.take, purpose=purpose)
    return Purchase(order, attempt.key, attempt.id, attempt.number, attempt.remote_id or "", Outcome.REATTACHED)
