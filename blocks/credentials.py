"""Base of the credentials blocks of all providers."""

from abc import abstractmethod
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, ClassVar

from prefect.blocks.abstract import CredentialsBlock
from pydantic import Field, SecretStr, field_validator

from genmedia.errors import GenmediaError
from genmedia.forms.fields import show_value
from genmedia.jobs.job import LARGEST_AMOUNT, Account, Buyer
from genmedia.journal.order import Doubt
from genmedia.providers.offers import Offer, Saved
from genmedia.providers.webhooks import Webhook
from genmedia.transport.origins import check_base_url

ACCOUNT_NAME = r"^[A-Za-z0-9._-]+$"
"""Pattern of an account's name."""


class ProviderCredentials(CredentialsBlock):
    """Account that pays at a provider, and the address of its API; base of the providers' blocks.

    Attributes:
        provider: The provider's name.
        listed: The fields of forms whose values the account's offer lists.
    """

    provider: ClassVar[str]
    listed: ClassVar[tuple[str, ...]] = ()

    api_key: SecretStr
    base_url: str
    account: str = Field(
        default="default",
        pattern=ACCOUNT_NAME,
        title="Name of the account",
        description="A name for the account that pays. What was bought is remembered under it: keep it when the key changes. Example: studio",
    )
    assumed_price: float | None = Field(
        default=None,
        ge=0,
        le=LARGEST_AMOUNT,
        title="Price of a job that has none",
        description="In credits: what a job is counted as while the provider names no price. Empty: in a run that has a budget, such a job "
        "is not bought. Example: 2",
        json_schema_extra=show_value,
    )

    if_in_doubt: Doubt = Field(
        default=Doubt.HOLD,
        title="If an answer is lost",
        description="The answer to a purchase was lost, and it is not known whether it was made; it counts as spent. hold: it waits until a "
        "person says what became of it, and everything else goes on. resubmit: it is bought once more, in runs that have a budget. abandon: "
        "it is given up, and the next run buys it anew.",
    )

    @field_validator("base_url")
    @classmethod
    def _https_or_loopback(cls, value: str) -> str:
        return check_base_url(value)

    @property
    def payer(self) -> Account:
        """Account under which the journal keeps the purchases."""
        return Account(self.provider, self.base_url, self.account, self._block_document_name or "")

    @property
    def buyer(self) -> Buyer:
        """Fingerprint of the key and name of its block, as the journal keeps them."""
        return Buyer.of(self.payer, self.api_key.get_secret_value())

    @property
    def webhook(self) -> Webhook | None:
        """Webhook by which the provider tells of the account's jobs; None where it has none, or its secret is not known."""
        return None

    @abstractmethod
    async def offer(self) -> Offer:
        """Return what the account can buy now, and its plan and credits where the provider tells them.

        Raises:
            ApiError: The provider cannot be reached, or refuses the key.
        """

    async def check(self) -> float | None:
        """Check at no cost that the provider takes the key.

        Returns:
            Seconds by which the provider's clock is ahead of this machine's; None for a sandbox whose clock runs at another speed.

        Raises:
            CredentialsError: It refuses the key.
            ApiError: It cannot be reached, or has a fault.
        """
        async with self.get_client() as client:
            await self._try_key(client)
            ahead = client.http.server_time() - datetime.now(UTC)
            return ahead.total_seconds() if client.http.clock_scale == 1 else None

    @abstractmethod
    async def _try_key(self, client: Any) -> None:
        """Make a call that needs the key and costs nothing."""


def as_saved(found: Iterable[tuple[type[ProviderCredentials], str, ProviderCredentials | GenmediaError]]) -> list[Saved]:
    """Convert what `load_all` has found for callers that do not import blocks."""
    return [Saved(kind.provider, name, one) for kind, name, one in found]
