"""Credentials for fal."""

from contextlib import AbstractAsyncContextManager

from pydantic import Field, HttpUrl, SecretStr

from blocks.credentials import ProviderCredentials
from genmedia.providers.offers import Offer, Product
from genmedia_fal.client import BASE_URL, PROVIDER, UNIT, FalClient
from genmedia_fal.prices import PRICES, Price


class FalCredentials(ProviderCredentials):
    """Account at fal that pays, with the address of fal's queue and the prices of its models.

    Example:
        ```python
        async with credentials.get_client() as fal:
            job_id = await fal.submit(request)
        ```
    """

    provider = PROVIDER
    _block_type_name = "fal Credentials"
    _block_type_slug = "fal-credentials"
    _logo_url = HttpUrl("https://cdn.sanity.io/images/3ugk85nk/production/c6f20e556dd16effda9df16551feecfb5822092b-48x48.png")
    _documentation_url = HttpUrl("https://fal.ai/docs/api-reference/inference-api")
    _description = "API key, address and prices of a fal account, for pictures and videos."

    api_key: SecretStr = Field(
        title="API key", description="Made at fal.ai/dashboard/keys; an id and a secret with a colon between."
    )
    base_url: str = Field(
        default=BASE_URL, title="Base URL", description="fal's queue, or a sandbox. Example: http://127.0.0.1:4280/fal"
    )
    prices: list[Price] = Field(
        default=list(PRICES),
        title="Price table",
        description="The models that may be bought, and what a unit of each costs in USD, as its page says. The first row that fits counts.",
    )

    def get_client(self) -> AbstractAsyncContextManager[FalClient]:  # pyright: ignore[reportIncompatibleMethodOverride] # the base gives Any, sync
        """Lease the account's client on this event loop; use it with `async with`."""
        return FalClient.lease(self.payer, self.api_key.get_secret_value(), self.prices)

    async def offer(self) -> Offer:
        """Return the models of the price table: fal's own list has more than a thousand, and names no prices."""
        await self.check()
        return Offer(tuple(map(_product, self.prices)), note="the models of the block's price table")

    async def _try_key(self, client: FalClient) -> None:
        await client.check()


def _product(price: Price) -> Product:
    takes = ("prompt", *([price.takes] if price.takes else []))
    where = {name: str(value) for name, value in price.where.items()}
    return Product(f"{price.endpoint} (a {price.per})", takes, (price.makes,), price.usd, where, UNIT)


CREDENTIALS = FalCredentials
