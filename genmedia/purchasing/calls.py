"""The three parts of a purchase: meet its order, wait for its job, store its files. `Calls` does them in this process."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from time import monotonic
from typing import Any, Protocol

from genmedia.errors import JobCancelledError, JobFailedError, JobVanishedError, SupersededError
from genmedia.jobs.durations import Schedule
from genmedia.jobs.job import Job, JobStatus, priced
from genmedia.jobs.watcher import Seen, Trouble
from genmedia.journal import Attempt, Journal
from genmedia.journal.order import Order
from genmedia.progress import tell
from genmedia.providers.base import ProviderClient, at_desk, looking_for
from genmedia.providers.offers import Credentials
from genmedia.providers.steps import Deliver, Submit
from genmedia.purchasing.buy import Outcome, Purchase, buy, end_without_result, refused, say_excess
from genmedia.purchasing.patience import Patience
from genmedia.purchasing.receive import Received, receive_outputs
from genmedia.store import Store


class Assets(Protocol):
    """A store, and the journal of what was bought for it; the Asset Store block is one."""

    @property
    def if_refused(self) -> str:
        """Reaction to a file that is not what it should be: `fail`, `buy again` or `go on`."""
        ...

    def get_store(self) -> AbstractAsyncContextManager[Store]:
        """Lease the store on this event loop."""
        ...

    def get_journal(self) -> AbstractAsyncContextManager[Journal]:
        """Lease the journal on this event loop."""
        ...


class Runner(Protocol):
    """Carries out the three parts of a purchase, and the work that this machine does itself."""

    async def submit(self, payer: Credentials, assets: Assets, order: Order, deliver: Deliver) -> Purchase:
        """Buy what an order asks for, or find that it is bought; see `meet_order`."""
        ...

    async def wait(self, payer: Credentials, assets: Assets, purchase: Purchase, step: str, patience: Patience) -> Job:
        """Wait until the job has succeeded; see `wait_for_job`."""
        ...

    async def store(self, payer: Credentials, assets: Assets, purchase: Purchase, job: Job) -> Received:
        """Put the outputs of the job into the store; see `receive_outputs`."""
        ...

    async def make(self, assets: Assets, order: Order, work: Callable[[], Awaitable[Purchase]]) -> Purchase:
        """Have this machine do the work of an order that nobody is paid for; see `genmedia.purchasing.make`."""
        ...

    def client(self, payer: Credentials, client: ProviderClient) -> Any:
        """Return the client with which the steps of the account are described and delivered."""
        ...


async def meet_order(client: ProviderClient, assets: Assets, order: Order, deliver: Deliver) -> Purchase:
    """Buy what an order asks for as soon as the account has an open slot, unless the journal knows that it is bought; see `buy`."""
    terms = client.terms
    async with assets.get_store() as files, assets.get_journal() as journal, AsyncExitStack() as held:

        async def prepare() -> Submit:
            await terms.make_ready()
            return await deliver(held)

        async with at_desk(client, journal) as desk, desk.entrance.entered():
            return await buy(
                journal,
                order,
                prepare,
                has=files.has,
                recover=client.recover,
                repeat_pause=terms.repeat_seconds / client.http.clock_scale,
                clock=client.http.server_time,
                counter=terms.counter,
                buyer=client.buyer,
                reprice=partial(terms.reprice, order) if terms.reprice else None,
                slot=partial(desk.slots.claimed, order.key),
                open_jobs=desk.slots.limit,
            )


async def _unseen(_: Job | Trouble) -> None:
    pass


async def _nobody_watches() -> Seen:
    return _unseen


async def wait_for_job(
    client: ProviderClient,
    journal: Journal,
    purchase: Purchase,
    step: str,
    patience: Patience,
    watch: Callable[[], Awaitable[Seen]] = _nobody_watches,
) -> Job:
    """Wait until a job has succeeded, through outages of the provider and of the network.

    Args:
        client: The client of the account.
        journal: The journal in which a failure is written down.
        purchase: The purchase of the job.
        step: Name of the step for people.
        patience: Longest times to wait.
        watch: Called once it is written down that this run waits; returns the function that is called with each news of the job.

    Raises:
        ContentRefusedError: It failed because the provider refuses to make what was asked for.
        JobFailedError: The provider says that it failed or was cancelled.
        JobVanishedError: The provider no longer knows it.
        OtherKeyError: It was bought with another key than this account's, which does not see it.
        SupersededError: It was never started, and so is still to buy.
        QueueTimeoutError, RunTimeoutError: It took too long; it stays bought and the next run takes it up again.
    """
    run = purchase.order.purpose.run
    try:
        attempt = await journal.want(purchase.attempt, run)
        made = monotonic() - attempt.age
        if attempt.remote_id != purchase.job_id:  # another run has found that it was never started, and settles it anew
            raise SupersededError("another run has taken it up anew meanwhile", job=purchase.about)
        watching = await watch()

        async def seen(news: Job | Trouble) -> None:
            if isinstance(news, Trouble):
                tell(step, news.what)
            else:
                tell(step, news.status.value, news.progress)
            await watching(news)

        schedule = Schedule(await journal.running_times.of(attempt.work), client.terms.estimate(purchase.job_id))
        async with at_desk(client, journal) as desk, looking_for(journal, client, purchase.attempt, purchase.job_id):
            with desk.looks.awaiting(attempt):  # nothing is awaited from here to the wait: what others saw is told once
                job = await client.watcher.wait(
                    client.reference(attempt),
                    about=purchase.about,
                    queue_seconds=patience.queue_minutes * 60,
                    run_seconds=patience.run_minutes * 60,
                    seen=seen,
                    schedule=schedule,
                    fresh=purchase.outcome is Outcome.BOUGHT,
                    age=monotonic() - made,
                    board=desk.looks,
                )
    except JobVanishedError as error:
        error.charged = await journal.report(purchase.attempt, run)
        raise
    if job.status is JobStatus.UNSTARTED:
        await journal.unbind(purchase.attempt, purchase.job_id)
        raise SupersededError("it was made and never started: nothing was paid", job=purchase.about)
    if job.status is not JobStatus.SUCCEEDED:
        charged = await end_without_result(journal, purchase, job, run)
        money = _cost(await journal.attempt(purchase.attempt), client.terms.not_charged)
        failed = (
            refused(purchase.order, f"the job {_ended(job)}", money=money, job_id=purchase.job_id)
            if job.content_refused
            else _FAILED.get(job.status, JobFailedError)(f"the job {_ended(job)}", job=purchase.about, money=money)
        )
        failed.charged = charged
        raise failed
    return job


def _cost(attempt: Attempt, not_charged: str) -> str:
    """Return the sentence about the cost of a job that gave nothing."""
    if attempt.excess:
        return say_excess(attempt)
    told = priced(attempt.at_stake, attempt.unit)
    if attempt.charged is None:
        return f"{not_charged} {told} counts as spent." if attempt.at_stake else not_charged
    return f"{told} {'was' if attempt.charged == 1 else 'were'} charged." if attempt.charged else not_charged


_FAILED = {JobStatus.CANCELLED: JobCancelledError}


def _ended(job: Job) -> str:
    if job.status is JobStatus.CANCELLED:
        return "was cancelled"
    return f"failed: {job.error or 'no reason given'}"


class Calls:
    """Carries out purchases by plain calls, in this process."""

    async def submit(self, payer: Credentials, assets: Assets, order: Order, deliver: Deliver) -> Purchase:
        """See `Runner`."""
        async with payer.get_client() as client:
            return await meet_order(client, assets, order, deliver)

    async def wait(self, payer: Credentials, assets: Assets, purchase: Purchase, step: str, patience: Patience) -> Job:
        """See `Runner`."""
        async with payer.get_client() as client, assets.get_journal() as journal:
            return await wait_for_job(client, journal, purchase, step, patience)

    async def store(self, payer: Credentials, assets: Assets, purchase: Purchase, job: Job) -> Received:
        """See `Runner`."""
        async with payer.get_client() as client, assets.get_store() as files, assets.get_journal() as journal:
            return await receive_outputs(client, files, journal, purchase, job)

    async def make(self, assets: Assets, order: Order, work: Callable[[], Awaitable[Purchase]]) -> Purchase:
        """See `Runner`."""
        del assets, order
        return await work()

    def client(self, payer: Credentials, client: ProviderClient) -> Any:
        """Return the client itself."""
        del payer
        return client
