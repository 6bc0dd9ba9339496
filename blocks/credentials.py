"""What the credentials of all providers have in common."""

from abc import abstractmethod
from datetime import UTC, datetime
from typing import Any, ClassVar

from prefect.blocks.abstract import CredentialsBlock
from pydantic import Field, SecretStr, field_validator

from genmedia.buying import Doubt
from genmedia.jobs import Account
from genmedia.offers import Offer
from genmedia.origins import check_base_url


class ProviderCredentials(CredentialsBlock):
    """Who pays at a provider, and where its API is reached; the blocks of the providers build on it.

    Attributes:
        provider: The provider's name.
    """

    provider: ClassVar[str]

    api_key: SecretStr
    base_url: str
    account: str = Field(
        default="default",
        pattern=r"^[A-Za-z0-9._-]+$",
        description="A name for whoever pays. What was bought is remembered under it: keep it when the key changes.",
    )
    assumed_price: float | None = Field(
        default=None,
        ge=0,
        title="Assumed price",
        description="What a job counts as while nobody says its price, in credits. Without it, such a job is not bought under a cap.",
    )

    if_in_doubt: Doubt = Field(
        default=Doubt.HOLD,
        title="If in doubt",
        description="What a purchase means that nobody can tell about. hold: it waits for a person, and all else goes on. resubmit: it is "
        "bought once more, in runs that have a cap. abandon: it is not waited for, and the next run buys it anew. It counts as spent.",
    )

    @field_validator("base_url")
    @classmethod
    def _https_or_loopback(cls, value: str) -> str:
        return check_base_url(value)

    @property
    def payer(self) -> Account:
        """Whose purchases these are in the journal."""
        return Account(self.provider, self.base_url, self.account)

    @abstractmethod
    async def offer(self) -> Offer:
        """What the account can buy now, and what it has to pay with, as far as the provider tells.

        Raises:
            ApiError: The provider cannot be reached, or refuses the key.
        """

    async def check(self) -> float | None:
        """Find out for nothing whether the provider takes the key.

        Returns:
            By how many seconds the provider's clock is ahead of this machine's; None for a sandbox whose clock runs at another pace.

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
