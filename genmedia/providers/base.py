"""Interface of every provider's client: callers buy, wait, fetch and clear up by it without asking which provider it is."""

from collections.abc import AsyncGenerator, Hashable, Iterable
from contextlib import asynccontextmanager
from typing import Any, BinaryIO, Protocol

from genmedia.concurrency import leased
from genmedia.errors import ApiError, InDoubtError, JobVanishedError, SupersededError
from genmedia.jobs.job import Account, Buyer, Job, Output
from genmedia.jobs.watcher import Watcher
from genmedia.journal import NAMED, Attempt, Journal
from genmedia.journal.desk import Desk
from genmedia.journal.looks import Watching
from genmedia.providers.terms import Terms
from genmedia.transport.session import Fetched, Session


class ProviderClient(Protocol):
    """Client of one account at a provider."""

    account: Account
    buyer: Buyer
    http: Session
    terms: Terms

    @property
    def watcher(self) -> Watcher[Any]:
        """Watcher that waits for the account's jobs."""
        ...

    def reference(self, attempt: Attempt) -> Hashable:
        """Return the reference by which the watcher knows a bought job."""
        ...

    async def look(self, ref: Any) -> Job:
        """Return a job as it is now, with links to its outputs that are as fresh as the provider gives them.

        Args:
            ref: As `reference` gives it.

        Raises:
            NotFoundError: The account has no such job.
            ApiError: The provider could not be asked about it.
        """
        ...

    async def recover(self, attempt: Attempt, journal: Journal) -> str | None:
        """Find out what became of an attempt whose answer was lost: return its job's id, or None when it was surely not accepted.

        Raises:
            InDoubtError: The provider cannot tell.
            ApiError: The provider could not be asked now.
        """
        ...

    async def cancel(self, ref: Any) -> Job | None:
        """Cancel a job, and return it as it is then; None where the provider cannot cancel.

        Args:
            ref: As `reference` gives it.

        Raises:
            ApiError: It could not be cancelled.
        """
        ...

    async def balance(self) -> float | None:
        """Return the credits left of the account; None where the provider does not tell.

        Raises:
            ApiError: The provider could not be asked.
        """
        ...

    async def fetch_output(self, output: Output, sink: BinaryIO, max_bytes: int) -> Fetched:
        """Stream a file output into a sink.

        Raises:
            DownloadError: The class says the cause.
        """
        ...


def client_for(attempt: Attempt, clients: Iterable[ProviderClient]) -> ProviderClient | None:
    """Return the client of an attempt's account, None where there is none; of several the one that bought it, by key before block."""
    own = [one for one in clients if str(one.account) == attempt.account]
    own.sort(key=lambda one: one.buyer.key_print != attempt.key_print)
    return next((one for one in own if one.buyer.may_miss(attempt.buyer)), own[0] if own else None)


@asynccontextmanager
async def at_desk(client: ProviderClient, journal: Journal) -> AsyncGenerator[Desk[Any]]:
    """Share the account with all processes that use it with this journal while the block runs: open jobs, requests, and looks."""
    watcher = client.watcher

    def make() -> Desk[Any]:
        terms = client.terms
        watching = Watching[Any](
            client.reference,
            watcher.look_for_others,
            watcher.look_soon,
            watcher.deliver,
            terms.listen,
            terms.hush,
            terms.webhooks,
            client.buyer,
        )
        return journal.desk(
            str(client.account),
            pace=client.http.pace,
            open_jobs=client.terms.open_jobs,
            clock_scale=lambda: client.http.clock_scale,
            watching=watching,
        )

    async with leased(("desk", client, journal), make) as desk:
        with watcher.telling(desk.looks):
            yield desk


@asynccontextmanager
async def looking_for(journal: Journal, client: ProviderClient, attempt_id: int, job_id: str) -> AsyncGenerator[None]:
    """Write into the journal that the job of an attempt has vanished, if the look at it in this block finds that.

    Raises:
        SupersededError: The job has vanished, and the attempt has another one by now, or none.
        JobVanishedError: The job has vanished.
        InDoubtError: The job has vanished, but a person had named it, and may be wrong.
        OtherKeyError: The job has vanished or is refused for a key that did not buy it; nothing is written down.
    """
    try:
        yield
    except JobVanishedError as error:
        doubtful = await journal.vanish(attempt_id, job_id, error.what, client.buyer)
        if not doubtful and (await journal.attempt(attempt_id)).remote_id != job_id:
            raise SupersededError(f"{error.what}, and another run has taken it up anew", job=error.job) from None
        if doubtful:
            raise InDoubtError(f"{NAMED}, but {error.what}", job=error.job) from None
        raise
    except ApiError as error:
        (await journal.attempt(attempt_id)).check_absence(client.buyer, error.what)
        raise
