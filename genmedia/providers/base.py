"""What every provider's client can do for those who buy, wait, fetch and clear up without asking which provider it is."""

from collections.abc import AsyncGenerator, Hashable, Iterable
from contextlib import asynccontextmanager
from typing import Any, BinaryIO, Protocol

from genmedia.errors import ApiError, InDoubtError, JobVanishedError
from genmedia.jobs.job import Account, Buyer, Job, Output
from genmedia.jobs.watcher import Watcher
from genmedia.journal import NAMED, Attempt, Journal
from genmedia.providers.terms import Terms
from genmedia.transport.session import Fetched, Session


class ProviderClient(Protocol):
    """An account's client."""

    account: Account
    buyer: Buyer
    http: Session
    terms: Terms

    @property
    def watcher(self) -> Watcher[Any]:
        """Waits for its jobs."""
        ...

    def reference(self, attempt: Attempt) -> Hashable:
        """A job that was bought, as the watcher knows it."""
        ...

    async def look(self, ref: Any) -> Job:
        """A job as it is now, with links to its outputs that are as fresh as the provider gives them.

        Args:
            ref: As `reference` names it.

        Raises:
            NotFoundError: The account has no such job.
            ApiError: It could not be asked about.
        """
        ...

    async def recover(self, attempt: Attempt, journal: Journal) -> str | None:
        """What became of an attempt whose answer was lost: its job's id, or None when it was surely not accepted.

        Raises:
            InDoubtError: The provider cannot tell.
            ApiError: It could not be asked now.
        """
        ...

    async def cancel(self, ref: Any) -> Job | None:
        """End a job, and return it as it ended; None where the provider can end none.

        Args:
            ref: As `reference` names it.

        Raises:
            ApiError: It could not be ended.
        """
        ...

    async def balance(self) -> float | None:
        """What is left of the account's credits; None where the provider does not tell.

        Raises:
            ApiError: It could not be asked.
        """
        ...

    async def fetch_output(self, output: Output, sink: BinaryIO, max_bytes: int) -> Fetched:
        """Stream a file output into a sink.

        Raises:
            DownloadError: The class says the cause.
        """
        ...


def client_for(attempt: Attempt, clients: Iterable[ProviderClient]) -> ProviderClient | None:
    """The client of an attempt's account, of several the one that bought it, by its key before its block; None where there is none."""
    own = [one for one in clients if str(one.account) == attempt.account]
    own.sort(key=lambda one: one.buyer.key_print != attempt.key_print)
    return next((one for one in own if one.buyer.may_miss(attempt.buyer)), own[0] if own else None)


@asynccontextmanager
async def looking_for(journal: Journal, client: ProviderClient, attempt_id: int) -> AsyncGenerator[None]:
    """While the job of an attempt is asked about in this block, write down that it has vanished, if it has.

    Raises:
        JobVanishedError: It has vanished.
        InDoubtError: It has, but a person had named it, and may be wrong.
        OtherKeyError: It has vanished or is refused for a key that did not buy it; nothing is written down.
    """
    try:
        yield
    except JobVanishedError as error:
        doubtful = await journal.vanish(attempt_id, error.what, client.buyer)
        await journal.note(attempt_id, error.what)
        if doubtful:
            raise InDoubtError(f"{NAMED}, but {error.what}", job=error.job) from None
        raise
    except ApiError as error:
        (await journal.attempt(attempt_id)).check_absence(client.buyer, error.what)
        raise
