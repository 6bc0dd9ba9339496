"""What every provider's client can do for those who buy, wait, fetch and clear up without asking which provider it is."""

from collections.abc import Hashable
from typing import Any, BinaryIO, Protocol

from genmedia.http import Fetched, Session
from genmedia.jobs import Account, Job, Output
from genmedia.journal import Attempt, Journal
from genmedia.watching import Watcher


class ProviderClient(Protocol):
    """An account's client."""

    account: Account
    http: Session

    @property
    def watcher(self) -> Watcher[Any]:
        """Waits for its jobs."""
        ...

    def reference(self, attempt: Attempt) -> Hashable:
        """A job that was bought, as the watcher knows it."""
        ...

    async def recover(self, attempt: Attempt, journal: Journal) -> str | None:
        """What became of an attempt whose answer was lost: its job's id, or None when it was surely not accepted.

        Raises:
            InDoubtError: The provider cannot tell.
            ApiError: It could not be asked now.
        """
        ...

    async def cancel(self, job_id: str) -> Job | None:
        """End a job, and return it as it ended; None where the provider can end none.

        Raises:
            ApiError: It could not be ended.
        """
        ...

    async def fetch_output(self, output: Output, sink: BinaryIO, max_bytes: int) -> Fetched:
        """Stream a file output into a sink.

        Raises:
            DownloadError: The class says the cause.
        """
        ...
