"""How the work of a campaign becomes task runs: each provider's tasks under the same names, and its client's calls as tasks."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from importlib import import_module
from typing import Any, NamedTuple

from blocks.credentials import ProviderCredentials
from genmedia.providers.registry import providers

AnyTask = Callable[..., Any]


class Listed(NamedTuple):
    """A table of an account's report.

    Attributes:
        rows: Their cells by the title of the column; the newest or the most important first.
        told: What the run's message says of them; how many there are, where it is empty.
    """

    rows: Sequence[Mapping[str, Any]]
    told: str = ""


ReadList = Callable[[Any], Awaitable[Listed]]
"""Reads one table of an account's report with its credentials, and buys nothing."""


@dataclass(frozen=True)
class Tasks:
    """What a provider's module of tasks has.

    Attributes:
        submit: Takes credentials, store, order and `Deliver`; gives the purchase.
        wait: Takes credentials, store, purchase, the step's name and `Patience`; gives the job that succeeded.
        store: Takes credentials, store, purchase and job; gives what was received.
        calls: Those calls of the client that are task runs of their own, by their names; each takes the credentials first.
        lists: What the report of an account shows, by the names of its tables.
        rename: Takes credentials and a new name of the account; None where that cannot be changed.
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


class CallsAsTasks:
    """A client some of whose calls are task runs of their own, so that the Prefect UI shows them."""

    def __init__(self, client: Any, credentials: ProviderCredentials) -> None:
        self._client = client
        self._calls = {name: partial(task, credentials) for name, task in tasks_of(credentials.provider).calls.items()}

    def __getattr__(self, name: str) -> Any:
        return self._calls.get(name) or getattr(self._client, name)
