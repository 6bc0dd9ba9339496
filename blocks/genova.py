"""Credentials for Genova."""

from contextlib import AbstractAsyncContextManager

from prefect.blocks.abstract import CredentialsBlock
from pydantic import Field, HttpUrl, SecretStr, field_validator

from genmedia.jobs import Account
from genmedia.origins import check_base_url
from genmedia.providers.genova import BASE_URL, PROVIDER, GenovaClient, Plan


class GenovaCredentials(CredentialsBlock):
    """Who pays at Genova, on which plan, and where its API is reached.

    Example:
        ```python
        async with credentials.get_client() as genova:
            profile = await genova.get_profile()
        ```
    """

    _block_type_name = "Genova Credentials"
    _block_type_slug = "genova-credentials"
    _logo_url = HttpUrl("https://cdn.sanity.io/images/3ugk85nk/production/c6f20e556dd16effda9df16551feecfb5822092b-48x48.png")
    _documentation_url = HttpUrl("https://autoflow-web-3yn.pages.dev/docs")
    _description = "API key, plan and address of a Genova account, for pictures and videos."

    api_key: SecretStr = Field(
        title="API key or JWT", description="Made in Genova's dashboard under API Keys; starts with af_. A JWT works as well."
    )
    plan: Plan = Field(
        default="Free", description="The account's plan: requests a minute and open jobs are kept to what it allows."
    )
    base_url: str = Field(
        default=BASE_URL, title="Base URL", description="Genova itself, or a sandbox such as http://127.0.0.1:4280/genova."
    )
    account: str = Field(
        default="default",
        pattern=r"^[A-Za-z0-9._-]+$",
        description="A name for whoever pays. What was bought is remembered under it: keep it when the key changes.",
    )
    named_origins: list[str] = Field(
        default=[],
        title="Further origins",
        description="Origins that results may come from besides public https hosts, such as http://10.0.0.5:9000.",
    )
    push: bool = Field(default=True, description="Listen to Genova's WebSocket, so that few requests are spent on waiting.")

    @field_validator("base_url")
    @classmethod
    def _https_or_loopback(cls, value: str) -> str:
        return check_base_url(value)

    @property
    def payer(self) -> Account:
        """Whose purchases these are in the journal."""
        return Account(PROVIDER, self.base_url, self.account)

    def get_client(self) -> AbstractAsyncContextManager[GenovaClient]:  # pyright: ignore[reportIncompatibleMethodOverride] # the base gives Any, sync
        """The account's client on this event loop; use it with `async with`."""
        return GenovaClient.lease(
            self.payer,
            self.api_key.get_secret_value(),
            plan=self.plan,
            named_origins=self.named_origins,
            push=self.push,
        )
