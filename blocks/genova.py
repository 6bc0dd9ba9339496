"""Credentials for Genova."""

from contextlib import AbstractAsyncContextManager
from typing import get_args

from pydantic import Field, HttpUrl, SecretStr

from blocks.credentials import ProviderCredentials
from genmedia.providers.genova.client import (
    BASE_URL,
    FLOW_RATIOS,
    FREEPIK_MODES,
    FREEPIK_RATIOS,
    PRICE,
    PROVIDER,
    REFERENCES,
    VIDEO_MODELS,
    GenovaClient,
    Model,
    Plan,
)
from genmedia.providers.offers import Offer, Product


class GenovaCredentials(ProviderCredentials):
    """Account that pays at Genova, its plan, and the address of its API.

    Example:
        ```python
        async with credentials.get_client() as genova:
            profile = await genova.get_profile()
        ```
    """

    provider = PROVIDER
    _block_type_name = "Genova Credentials"
    _block_type_slug = "genova-credentials"
    _logo_url = HttpUrl("https://cdn.sanity.io/images/3ugk85nk/production/c6f20e556dd16effda9df16551feecfb5822092b-48x48.png")
    _documentation_url = HttpUrl("https://autoflow-web-3yn.pages.dev/docs")
    _description = "API key, plan and address of a Genova account, for pictures and videos."

    api_key: SecretStr = Field(
        title="API key or JWT", description="Made in Genova's dashboard under API Keys; a JWT works as well. Example: af_..."
    )
    plan: Plan = Field(
        default="Free",
        title="Plan",
        description="The account's plan: requests a minute and open jobs are kept to what it allows.",
    )
    base_url: str = Field(
        default=BASE_URL, title="Base URL", description="Genova itself, or a sandbox. Example: http://127.0.0.1:4280/genova"
    )
    named_origins: list[str] = Field(
        default=[],
        title="More hosts that are trusted",
        description="Besides https hosts of the public internet: where results may be fetched from. Example: http://10.0.0.5:9000",
    )
    push: bool = Field(
        default=True,
        title="Listen instead of asking",
        description="Hear of progress over Genova's WebSocket, so that fewer of the plan's requests are spent on asking.",
    )

    def get_client(self) -> AbstractAsyncContextManager[GenovaClient]:  # pyright: ignore[reportIncompatibleMethodOverride] # the base gives Any, sync
        """The account's client on this event loop; use it with `async with`."""
        return GenovaClient.lease(
            self.payer,
            self.api_key.get_secret_value(),
            plan=self.plan,
            named_origins=self.named_origins,
            push=self.push,
        )

    async def offer(self) -> Offer:
        """The models in Genova's documentation, for its API has no list of them; plan and credits are those of the profile."""
        async with self.get_client() as genova:
            profile = await genova.get_profile()
        return Offer(tuple(_product(model) for model in get_args(Model)), profile.plan, profile.credits_remaining)

    async def _try_key(self, client: GenovaClient) -> None:
        await client.get_profile()


def _product(model: str) -> Product:
    freepik = model == "freepik"
    parameters = {
        "ratio": ", ".join(FREEPIK_RATIOS if freepik else FLOW_RATIOS),
        "references": f"up to {REFERENCES} pictures, as {', '.join(FREEPIK_MODES) if freepik else 'ingredients'}",
    } | ({"quality": "1K, 2K"} if freepik else {})
    makes = "video" if model in VIDEO_MODELS else "image"
    return Product(model, takes=("prompt",), makes=(makes,), price=PRICE, parameters=parameters)


CREDENTIALS = GenovaCredentials
