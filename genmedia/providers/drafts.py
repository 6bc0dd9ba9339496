"""A form that becomes steps: what it may ask meanwhile, and what it comes to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from genmedia.errors import Fault
from genmedia.forms.names import Place
from genmedia.progress import Log
from genmedia.providers.steps import Operation
from genmedia.store import Store
from genmedia.store.named_files import Files


class Drafting(Protocol):
    """What a form can ask before it becomes steps, for nothing."""

    @property
    def store(self) -> Store:
        """Where everything goes."""
        ...

    @property
    def log(self) -> Log:
        """What a person may read of the run."""
        ...

    async def client(self, provider: str) -> Any:
        """The account's client, by the provider.

        Raises:
            SettingsError: There is no such account.
        """
        ...

    async def look_at(self, names: Iterable[str], provider: str, kind: str = "") -> Files:
        """What names stand for, looked at, and there until the run is over.

        Args:
            names: As people wrote them.
            provider: Within the rules of whose account what is behind addresses is fetched.
            kind: What each should be; empty for anything.

        Raises:
            SettingsError: There is no such account.
        """
        ...

    async def describe(self, steps: Sequence[Any]) -> Mapping[str, Operation | Sequence[Fault]]:
        """What each step buys, by its name, as its provider describes it now; or what is wrong with it, by what follows its place.

        Raises:
            SettingsError: There is no such account.
        """
        ...


@dataclass(frozen=True)
class Draft:
    """What a form comes to.

    Attributes:
        steps: In order.
        places: Where each stands in what was asked for, by its name.
    """

    steps: Sequence[Any]
    places: Mapping[str, Place]
