"""Credentials for FLORA."""

from contextlib import AbstractAsyncContextManager, suppress

from pydantic import Field, HttpUrl, SecretStr, field_validator

from blocks.credentials import ProviderCredentials
from genmedia.errors import NotFoundError, SettingsError
from genmedia.providers.flora.client import BASE_URL, PROVIDER, FloraClient, Technique
from genmedia.providers.flora.webhooks import FloraWebhook
from genmedia.providers.offers import Offer, Product
from genmedia.transport.origins import check_base_url


class FloraCredentials(ProviderCredentials):
    """Account that pays at FLORA, and the address of its API.

    Example:
        ```python
        async with credentials.get_client() as flora:
            technique = await flora.get_technique("studio-blur")
        ```
    """

    provider = PROVIDER
    listed = ("technique",)
    _block_type_name = "FLORA Credentials"
    _block_type_slug = "flora-credentials"
    _logo_url = HttpUrl("https://cdn.sanity.io/images/3ugk85nk/production/c6f20e556dd16effda9df16551feecfb5822092b-48x48.png")
    _documentation_url = HttpUrl("https://developer.flora.ai/")
    _description = "API key and address of a FLORA account, for running techniques."

    api_key: SecretStr = Field(title="API key", description="Made in FLORA under Settings > API Keys. Example: sk_live_...")
    base_url: str = Field(
        default=BASE_URL, title="Base URL", description="FLORA itself, or a sandbox. Example: http://127.0.0.1:4280/flora"
    )
    input_origins: list[str] = Field(
        default=[],
        title="More hosts that are trusted",
        description="Besides those that FLORA's documents name: where inputs may be, and results may be fetched from. Example: "
        "https://cdn.example.com",
    )
    workspace: str = Field(
        default="",
        title="Workspace",
        description="Name or id of the workspace that photos from here are uploaded to; needed where the account has "
        "several. Example: Studio",
    )

    webhook_url: str = Field(
        default="",
        title="Address for webhooks",
        description="Where FLORA tells that a run has ended: an https address of yours that leads to `genmedia webhooks`. Empty: it tells "
        "nothing, and is asked. Example: https://hooks.example.com/flora",
    )
    webhook_secret: SecretStr = Field(
        default=SecretStr(""),
        title="Secret of the webhooks",
        description="What FLORA signs them with, which `genmedia webhooks` believes nothing without. Example: whsec_...",
    )

    @field_validator("webhook_url")
    @classmethod
    def _https_or_this_machine(cls, value: str) -> str:
        try:
            return check_base_url(value) if value else ""
        except SettingsError:
            raise SettingsError(
                "what is given cannot be the address for webhooks",
                advice="Use an https address that leads to `genmedia webhooks`; for a sandbox, its http address on this machine.",
            ) from None

    @property
    def webhook(self) -> FloraWebhook | None:
        """The account's webhook; None without a secret."""
        secret = self.webhook_secret.get_secret_value()
        return FloraWebhook(self.payer, secret) if secret else None

    def get_client(self) -> AbstractAsyncContextManager[FloraClient]:  # pyright: ignore[reportIncompatibleMethodOverride] # the base gives Any, sync
        """The account's client on this event loop; use it with `async with`."""
        return FloraClient.lease(
            self.payer,
            self.api_key.get_secret_value(),
            input_origins=self.input_origins,
            workspace=self.workspace,
            webhook_url=self.webhook_url,
        )

    async def offer(self) -> Offer:
        """The techniques that FLORA lists; none, and a note, where it has no list."""
        async with self.get_client() as flora:
            try:
                techniques = await flora.list_techniques()
            except NotFoundError:
                await self._try_key(flora)  # a missing list says nothing about the key
                return Offer((), note="The beta API lists no techniques: take a slug from app.flora.ai/techniques/SLUG.")
            try:
                await flora.workspace()
            except SettingsError as error:
                return Offer(tuple(map(_product, techniques)), note=str(error))
        return Offer(tuple(map(_product, techniques)))

    async def _try_key(self, client: FloraClient) -> None:
        with suppress(NotFoundError):
            await client.get_technique("studio-blur")


def _product(technique: Technique) -> Product:
    return Product(
        technique.slug or technique.technique_id,  # a run takes either
        takes=tuple(f"{one.id} ({one.type}{', optional' if one.optional else ''})" for one in technique.inputs),
        makes=tuple(one.type for one in technique.outputs),
        price=technique.run_cost,
        unit=technique.unit,
    )


CREDENTIALS = FloraCredentials
