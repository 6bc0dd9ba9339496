"""What nobody works on any more is brought to its end: paid jobs are fetched and stored, lost answers asked about, cancelled jobs ended.

It buys nothing. Two that harvest at once do no harm: each job is claimed by one.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from genmedia.buying import Order, Outcome, Purchase, settle
from genmedia.cancelling import take_back
from genmedia.errors import GenmediaError, JobVanishedError
from genmedia.jobs import Job, JobStatus
from genmedia.journal import Attempt, AttemptState, Journal, StoredAsset
from genmedia.providers.client import ProviderClient
from genmedia.receiving import receive_outputs
from genmedia.store import Store
from genmedia.watching import Trouble

LOOK_SECONDS = 900.0
"""How long a job is looked for: until it is sure that it has vanished, or that the provider cannot be asked."""

AT_ONCE = 8


class Fate(StrEnum):
    """What harvesting made of an open attempt."""

    STORED = "stored"
    ABORTED = "aborted"
    FAILED = "failed"
    VANISHED = "vanished"
    NOT_BOUGHT = "not bought"
    IN_DOUBT = "in doubt"
    RUNNING = "running"
    IN_HAND = "in hand"
    LEFT = "left"


@dataclass(frozen=True)
class Harvested:
    """One open attempt, and what became of it.

    Attributes:
        attempt: As the journal has it now.
        detail: What there is to say, such as why it was left.
        assets: What was stored.
    """

    attempt: Attempt
    fate: Fate
    detail: str = ""
    assets: tuple[StoredAsset, ...] = ()

    @property
    def credits(self) -> float | None:
        """What it cost, or may cost."""
        return self.attempt.at_stake


async def harvest(
    journal: Journal,
    store: Store,
    clients: Mapping[str, ProviderClient],
    cancelled: Collection[str] = (),
    over: Collection[str] = (),
) -> list[Harvested]:
    """Bring every open attempt that nobody works on as far as it goes now.

    Args:
        journal: Where the attempts are.
        store: Where files go.
        clients: By account, as the journal names it.
        cancelled: The runs that a person has cancelled.
        over: All runs that have ended, though the process they were in may live on.
    """
    gone = {*cancelled, *over}
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(attempt: Attempt) -> Harvested:
        async with slots:
            wanted_by = await journal.interests(attempt.id)
            if await journal.is_worked_on(attempt) or any(run.lives and run.run not in gone for run in wanted_by):
                return Harvested(attempt, Fate.IN_HAND)
            client = clients.get(attempt.account)
            if client is None:
                return Harvested(attempt, Fate.LEFT, f"no credentials block is saved for {attempt.account}")
            try:
                unwanted = gone if {run.run for run in wanted_by} & {*cancelled} else ()
                found = await _bring_to_end(journal, store, client, attempt, unwanted)
            except GenmediaError as error:
                found = Harvested(attempt, Fate.LEFT, str(error))
            return replace(found, attempt=await journal.attempt(attempt.id))

    return list(await asyncio.gather(*map(one, await journal.open_attempts())))


async def _bring_to_end(
    journal: Journal, store: Store, client: ProviderClient, attempt: Attempt, unwanted_by: Collection[str]
) -> Harvested:
    """As far as it goes; `unwanted_by` are the runs that wait no more, where a person has cancelled one of them."""
    if attempt.state is AttemptState.INTENDED:
        attempt = await _settled(journal, client, attempt)
    if attempt.state is AttemptState.IN_DOUBT:
        return Harvested(attempt, Fate.IN_DOUBT, attempt.reason)
    if attempt.state is not AttemptState.BOUND:
        return Harvested(attempt, Fate.NOT_BOUGHT, attempt.reason)
    if unwanted_by and await take_back(journal, client, attempt.id, unwanted_by):
        return Harvested(attempt, Fate.ABORTED)
    return await _fetched(journal, store, client, attempt)


async def _settled(journal: Journal, client: ProviderClient, attempt: Attempt) -> Attempt:
    """Of an attempt whose owner died before it knew the job's id: what became of it."""
    if mine := await journal.take_over(attempt):
        await settle(journal, mine, client.recover)
    return await journal.attempt(attempt.id)


async def _fetched(journal: Journal, store: Store, client: ProviderClient, attempt: Attempt) -> Harvested:
    purchase = _purchase_of(client, attempt)
    try:
        job = await client.watcher.wait(
            client.reference(attempt),
            about=purchase.about,
            queue_seconds=LOOK_SECONDS,
            run_seconds=LOOK_SECONDS,
            seen=_stop_if_under_way,
        )
    except _UnderWayError as error:
        return Harvested(attempt, Fate.RUNNING, f"{error}")
    except JobVanishedError as error:
        await journal.vanish(attempt.id, error.what)
        return Harvested(attempt, Fate.VANISHED, error.what)
    if job.status is JobStatus.SUCCEEDED:
        received = await receive_outputs(client, store, journal, purchase, job)
        return Harvested(attempt, Fate.STORED, assets=received.assets)
    await journal.charge(attempt.id, job.charged)
    await journal.fail(attempt.id, job.error or job.status)
    return Harvested(attempt, Fate.FAILED, job.error or job.status)


class _UnderWayError(Exception):
    """The job has not ended; it is looked at again by the next harvest."""


async def _stop_if_under_way(seen: Job | Trouble) -> None:
    if isinstance(seen, Job) and not seen.status.terminal:
        raise _UnderWayError(seen.status.value)


def _purchase_of(client: ProviderClient, attempt: Attempt) -> Purchase:
    told = attempt.purpose  # journals from before that was written down tell nothing
    purpose = replace(told, campaign=told.campaign or "harvest", step=told.step or attempt.key[:12])
    order = Order(client.account, attempt.operation, attempt.request, attempt.price, attempt.unit, attempt.take, purpose=purpose)
    return Purchase(order, attempt.key, attempt.id, attempt.number, attempt.remote_id or "", Outcome.REATTACHED)
