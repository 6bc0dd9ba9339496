"""Task runs for the work of a campaign: each provider's tasks under the same names, and its client's calls as tasks."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from importlib import import_module
from typing import Any, NamedTuple, cast

from genmedia.jobs.job import Job
from genmedia.journal.order import Order
from genmedia.providers.base import ProviderClient
from genmedia.providers.offers import Credentials
from genmedia.providers.registry import providers
from genmedia.providers.steps import Deliver
from genmedia.purchasing.buy import Outcome, Purchase
from genmedia.purchasing.calls import Assets
from genmedia.purchasing.patience import Patience
from genmedia.purchasing.receive import Received
from tasks.events import ItemEvents
from tasks.local import make_file
from tasks.states import unwrap

AnyTask = Callable[..., Any]


class Listed(NamedTuple):
    """A table of an account's report.

    Attributes:
        rows: Rows, each with its cells by the title of the column; the newest or the most important first.
        told: Text about them in the run's message; empty to give their number.
    """

    rows: Sequence[Mapping[str, Any]]
    told: str = ""


ReadList = Callable[[Any], Awaitable[Listed]]
"""Function that reads one table of an account's report with its credentials, and buys nothing."""


@dataclass(frozen=True)
class Tasks:
    """The tasks of a provider, as its module has them.

    Attributes:
        submit: Takes credentials, store, order and `Deliver`; gives the purchase.
        wait: Takes credentials, store, purchase, the step's name and `Patience`; gives the job that succeeded.
        store: Takes credentials, store, purchase and job; gives what was received.
        calls: Those calls of the client that are task runs of their own, by their names; each takes the credentials first.
        lists: Readers of the tables in an account's report, by the names of the tables.
        rename: Takes credentials and a new name of the account; None if the name cannot be changed.
    """

    submit: AnyTask
    wait: AnyTask
    store: AnyTask
    calls: Mapping[str, AnyTask] = field(default_factory=dict[str, AnyTask])
    lists: Mapping[str, ReadList] = field(default_factory=dict[str, ReadList])
    rename: AnyTask | None = None


@cache
def tasks_of(provider: str) -> Tasks:
    """The tasks of a provider."""
    return import_module(providers()[provider].tasks).TASKS


class TaskRuns:
    """Carries out purchases as task runs, and emits events of what becomes of items; see `genmedia.purchasing.calls.Runner`."""

    def __init__(self) -> None:
        self._events = ItemEvents()

    async def submit(self, payer: Credentials, assets: Assets, order: Order, deliver: Deliver) -> Purchase:
        """Run the provider's task that submits."""
        with self._events.of(order):
            return self._events.bought(await unwrap(await tasks_of(payer.provider).submit(payer, assets, order, deliver)))

    async def wait(self, payer: Credentials, assets: Assets, purchase: Purchase, step: str, patience: Patience) -> Job:
        """Run the provider's task that waits."""
        with self._events.of(purchase.order):
            return await tasks_of(payer.provider).wait(payer, assets, purchase, step, patience)

    async def store(self, payer: Credentials, assets: Assets, purchase: Purchase, job: Job) -> Received:
        """Run the provider's task that stores."""
        with self._events.of(purchase.order):
            received = await tasks_of(payer.provider).store(payer, assets, purchase, job)
            self._events.stored(purchase.order)
            return received

    async def make(self, assets: Assets, order: Order, work: Callable[[], Awaitable[Purchase]]) -> Purchase:
        """Run the task of what this machine does itself."""
        with self._events.of(order):
            made: Purchase = await unwrap(await cast("AnyTask", make_file)(assets, order, work))
            if made.outcome is Outcome.MADE:
                self._events.stored(order)
            return made

    def client(self, payer: Credentials, client: ProviderClient) -> Any:
        """Return the client with some of its calls as task runs, so that the Prefect UI shows them."""
        return _CallsAsTasks(client, payer)


class _CallsAsTasks:
    def __init__(self, client: ProviderClient, payer: Credentials) -> None:
        self._client = client
        self._calls = {name: partial(task, payer) for name, task in tasks_of(payer.provider).calls.items()}

    def __getattr__(self, name: str) -> Any:
        return self._calls.get(name) or getattr(self._client, name)
