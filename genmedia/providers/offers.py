"""What an account can buy, in words that all providers share, and what can be asked of its credentials for nothing."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeVar

from genmedia.errors import GenmediaError, NoAnswerError, SandboxAwayError, UnreachableError
from genmedia.jobs.job import Account, Buyer
from genmedia.journal.order import Doubt
from genmedia.transport.origins import is_loopback, origin_of

PATIENCE = 30.0
"""Seconds after which a provider counts as one that gives no answer."""

T = TypeVar("T")


@dataclass(frozen=True)
class Product:
    """One thing to buy: a model, a technique, a template.

    Attributes:
        name: As a flow's parameter names it.
        takes: What goes in, such as `input_image (imageUrl)`.
        makes: What comes out.
        price: In `unit`; None where nobody names one.
        parameters: What it can be told, each with what it may be.
    """

    name: str
    takes: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()
    price: float | None = None
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    unit: str = "credits"


@dataclass(frozen=True)
class Offer:
    """What an account can buy now.

    Attributes:
        products: All that the provider lists.
        plan: The account's plan; empty where there are none.
        credits: What is left of them; None where the provider does not tell.
        note: What to know about the list.
    """

    products: tuple[Product, ...]
    plan: str = ""
    credits: float | None = None
    note: str = ""


class Credentials(Protocol):
    """Who pays at a provider, and what can be asked with the key for nothing; the blocks are such.

    Attributes:
        assumed_price: What a job counts as while the provider names no price; None where nobody says.
        if_in_doubt: What is done when nobody can tell whether something was bought.
    """

    provider: ClassVar[Any]
    base_url: str
    account: str
    assumed_price: float | None
    if_in_doubt: Doubt

    @property
    def payer(self) -> Account:
        """Whose purchases these are in the journal."""
        ...

    @property
    def buyer(self) -> Buyer:
        """Whose key it is."""
        ...

    def get_client(self) -> AbstractAsyncContextManager[Any]:
        """The account's client on this event loop; see `genmedia.providers.base.ProviderClient`."""
        ...

    async def offer(self) -> Offer:
        """What the account can buy now."""
        ...

    async def check(self) -> float | None:
        """Seconds by which the provider's clock is ahead, when it takes the key; None where clocks cannot be compared."""
        ...


@dataclass(frozen=True)
class Saved:
    """Credentials under the name of their block, or why the block cannot be used."""

    provider: str
    name: str
    credentials: Credentials | GenmediaError


async def asked(account: Saved, question: Callable[[Credentials], Awaitable[T]]) -> T | GenmediaError:
    """What a provider answers about an account, or why it does not; one that cannot be reached is no reason to stop."""
    if isinstance(account.credentials, GenmediaError):
        return account.credentials
    try:
        async with asyncio.timeout(PATIENCE):
            return await question(account.credentials)
    except TimeoutError:
        return NoAnswerError(f"{account.provider} gave no answer in {PATIENCE:g} s", money="", advice="Try again later.")
    except UnreachableError as error:
        address = account.credentials.base_url
        if not is_loopback(address):
            return error
        return SandboxAwayError(
            f"the block {account.name} is of a sandbox at {origin_of(address)}, which does not run now", money=""
        )
    except GenmediaError as error:
        return error


def with_two_keys(saved: Iterable[Saved]) -> dict[str, str]:
    """By account, what is to be said where several blocks hold different keys of it: they may belong to two customers."""
    blocks: defaultdict[str, dict[str, str | None]] = defaultdict(dict)
    for one in saved:
        if not isinstance(one.credentials, GenmediaError):
            blocks[str(one.credentials.payer)][one.name] = one.credentials.buyer.key_print
    return {
        account: f"the credentials blocks {' and '.join(keys)} of {account.partition('|')[0]} are one account, "
        f"{account.rpartition('|')[2]}, with different keys: what the one bought the other may not see. If they belong to two customers, "
        "give each its own account name"
        for account, keys in blocks.items()
        if len(set(keys.values())) > 1
    }
