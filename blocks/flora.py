"""Credentials for FLORA."""

from contextlib import AbstractAsyncContextManager

from prefect.blocks.abstract import CredentialsBlock
from pydantic import Field, HttpUrl, SecretStr, field_validator

from genmedia.jobs import Account
from genmedia.origins import check_base_url
from genmedia.providers.flora import BASE_URL, PROVIDER, FloraClient


class FloraCredentials(CredentialsBlock):
    """Who pays at FLORA, and where its API is reached.

    Example:
        ```python
        async with credentials.get_client() as flora:
            technique = await flora.get_technique("studio-blur")
        ```
    """

    _block_type_name = "FLORA Credentials"
    _block_type_slug = "flora-credentials"
    _logo_url = HttpUrl("https://cdn.sanity.io/images/3ugk85nk/production/c6f20e556dd16effda9df16551feecfb5822092b-48x48.png")
    _documentation_url = HttpUrl("https://developer.flora.ai/")
    _description = "API key and address of a FLORA account, for running techniques."

    api_key: SecretStr = Field(title="API key", description="Made in FLORA under Settings > API Keys; starts with sk_live_.")
    base_url: str = Field(
        default=BASE_URL, title="Base URL", description="FLORA itself, or a sandbox such as http://127.0.0.1:4280/flora."
    )
    account: str = Field(
        default="default",
        pattern=r"^[A-Za-z0-9._-]+$",
        description="A name for whoever pays. What was bought is remembered under it: keep it when the key changes.",
    )
    input_origins: list[str] = Field(
        default=[],
        title="Further origins",
        description="Origins besides FLORA's documented hosts that inputs may be at and outputs may come from, "
        "such as https://cdn.example.com.",
    )

    @field_validator("base_url")
    @classmethod
    def _https_or_loopback(cls, value: str) -> str:
        return check_base_url(value)

    @property
    def payer(self) -> Account:
        """Whose purchases these are in the journal."""
        return Account(PROVIDER, self.base_url, self.account)

    def get_client(self) -> AbstractAsyncContextManager[FloraClient]:  # pyright: ignore[reportIncompatibleMethodOverride] # the base gives Any, sync
        """The account's client on this event loop; use it with `async with`."""
        return FloraClient.lease(self.payer, self.api_key.get_secret_value(), input_origins=self.input_origins)
