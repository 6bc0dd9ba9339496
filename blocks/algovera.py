"""Credentials for Algovera."""

from contextlib import AbstractAsyncContextManager, suppress

from pydantic import Field, HttpUrl, SecretStr

from blocks.credentials import ProviderCredentials
from genmedia.errors import NotFoundError
from genmedia.providers.algovera.client import BASE_URL, PRICE, PROVIDER, AlgoveraClient
from genmedia.providers.offers import Offer, Product


class AlgoveraCredentials(ProviderCredentials):
    """Account that pays at Algovera, and the address of its API.

    Example:
        ```python
        async with credentials.get_client() as algovera:
            models = await algovera.list_base_models()
        ```
    """

    provider = PROVIDER
    listed = ("base_model", "base_models")
    _block_type_name = "Algovera Credentials"
    _block_type_slug = "algovera-credentials"
    _logo_url = HttpUrl("https://cdn.sanity.io/images/3ugk85nk/production/c6f20e556dd16effda9df16551feecfb5822092b-48x48.png")
    _documentation_url = HttpUrl("https://docs.algovera.ai/hub/developer-api")
    _description = "API key and address of an Algovera account, for pictures from text."

    api_key: SecretStr = Field(
        title="API key", description="Made in the Algovera Flow app under Account > API Keys, once credits are bought."
    )
    base_url: str = Field(
        default=BASE_URL, title="Base URL", description="Algovera itself, or a sandbox. Example: http://127.0.0.1:4280/algovera"
    )

    def get_client(self) -> AbstractAsyncContextManager[AlgoveraClient]:  # pyright: ignore[reportIncompatibleMethodOverride] # the base gives Any, sync
        """The account's client on this event loop; use it with `async with`."""
        return AlgoveraClient.lease(self.payer, self.api_key.get_secret_value())

    async def offer(self) -> Offer:
        """The base models that Algovera lists now."""
        async with self.get_client() as algovera:
            models = await algovera.list_base_models()
            await self._try_key(algovera)  # the list needs no key
        return Offer(tuple(Product(model, takes=("prompt",), makes=("image",), price=PRICE) for model in models))

    async def _try_key(self, client: AlgoveraClient) -> None:
        with suppress(NotFoundError):
            await client.get_status("0" * 32)


CREDENTIALS = AlgoveraCredentials
