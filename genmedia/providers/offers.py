"""Offers of an account, in words that all providers share, and the questions that its credentials answer at no cost."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeVar

from genmedia.errors import GenmediaError, NoAnswerError, SandboxAwayError, UnreachableError
from genmedia.jobs.job import Account, Buyer
from genmedia.journal.order import Doubt
from genmedia.providers.webhooks import Webhook
from genmedia.transport.origins import is_loopback, origin_of

PATIENCE = 30.0
"""Longest wait for a provider's answer, in seconds."""

T = TypeVar("T")


@dataclass(frozen=True)
class Product:
    """One thing to buy: a model, a technique, a template.

    Attributes:
        name: As a flow's parameter names it.
        takes: Inputs, such as `input_image (imageUrl)`.
        makes: Outputs.
        price: Price in `unit`; None where the provider names none.
        parameters: Parameters, each with its possible values.
    """

    name: str
    takes: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()
    price: float | None = None
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    unit: str = "credits"


@dataclass(frozen=True)
class Offer:
    """Products that an account can buy now.

    Attributes:
        products: All that the provider lists.
        plan: The account's plan; empty where there are none.
        credits: Credits left; None where the provider does not tell.
        note: Remark on the list.
    """

    products: tuple[Product, ...]
    plan: str = ""
    credits: float | None = None
    note: str = ""


class Credentials(Protocol):
    """Credentials of an account at a provider, and the questions that they answer at no cost; the credentials blocks are such.

    Attributes:
        assumed_price: Price that a job counts as while the provider names none; None where it is unknown.
        if_in_doubt: Treatment of a purchase in doubt.
    """

    provider: ClassVar[Any]
    base_url: str
    account: str
    assumed_price: float | None
    if_in_doubt: Doubt

    @property
    def payer(self) -> Account:
        """Account that pays; the journal keeps purchases under it."""
        ...

    @property
    def buyer(self) -> Buyer:
        """Buyer whose key it is."""
        ...

    @property
    def webhook(self) -> Webhook | None:
        """Webhook by which the provider tells of the account's jobs; None where it has none, or its secret is not known.

        Only where `Terms.webhooks` of its client is true, the jobs are looked at when it tells.
        """
        ...

    def get_client(self) -> AbstractAsyncContextManager[Any]:
        """Lease the account's client on this event loop; see `genmedia.providers.base.ProviderClient`."""
        ...

    async def offer(self) -> Offer:
        """Return the products that the account can buy now."""
        ...

    async def check(self) -> float | None:
        """Check the key; return the seconds by which the provider's clock is ahead, None where clocks cannot be compared."""
        ...


@dataclass(frozen=True)
class Saved:
    """Credentials under the name of their block, or the error that makes the block unusable."""

    provider: str
    name: str
    credentials: Credentials | GenmediaError


async def asked(account: Saved, question: Callable[[Credentials], Awaitable[T]]) -> T | GenmediaError:
    """Return a provider's answer about an account, or the error: one provider that cannot be reached does not stop the others."""
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
    """Return a warning for each account of which several blocks hold different keys: the keys may belong to two customers."""
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
