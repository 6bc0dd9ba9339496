"""Credentials for Generio Flows."""

from contextlib import AbstractAsyncContextManager

from pydantic import Field, HttpUrl, SecretStr

from blocks.credentials import ProviderCredentials
from genmedia.forms.fields import show_value
from genmedia.jobs.job import LARGEST_AMOUNT
from genmedia.providers.generio.client import BASE_URL, PROVIDER, GenerioClient, Parameter
from genmedia.providers.offers import Offer, Product


class GenerioCredentials(ProviderCredentials):
    """Account that pays at Generio, and the address of its API.

    Example:
        ```python
        async with credentials.get_client() as generio:
            templates = await generio.list_templates()
        ```
    """

    provider = PROVIDER
    listed = ("template",)
    _block_type_name = "Generio Credentials"
    _block_type_slug = "generio-credentials"
    _logo_url = HttpUrl("https://cdn.sanity.io/images/3ugk85nk/production/c6f20e556dd16effda9df16551feecfb5822092b-48x48.png")
    _documentation_url = HttpUrl("https://docs.generio.ai/docs/category/flow-api")
    _description = "API key and address of a Generio account, for making 3D models from templates."

    api_key: SecretStr = Field(
        title="API key", description="Made at account.generio.ai under API Keys; it ends on a date you choose there."
    )
    base_url: str = Field(
        default=BASE_URL, title="Base URL", description="Generio itself, or a sandbox. Example: http://127.0.0.1:4280/generio"
    )
    price: float | None = Field(
        default=None,
        ge=0,
        le=LARGEST_AMOUNT,
        title="Highest price of a flow",
        description="In credits. Generio's documents name no price: without one here, a run that has a budget buys nothing. Example: 5",
        json_schema_extra=show_value,
    )

    def get_client(self) -> AbstractAsyncContextManager[GenerioClient]:  # pyright: ignore[reportIncompatibleMethodOverride] # the base gives Any, sync
        """The account's client on this event loop; use it with `async with`."""
        return GenerioClient.lease(self.payer, self.api_key.get_secret_value())

    async def offer(self) -> Offer:
        """Its templates as Generio describes them now."""
        async with self.get_client() as generio:
            templates = await generio.list_templates()
        return Offer(
            tuple(
                Product(
                    template.name,
                    takes=tuple(f"{one.id}{'' if one.required else ' (optional)'}" for one in template.several)
                    or template.input_types,
                    makes=template.output_types,
                    price=self.price,
                    parameters={one.name: _kind(one) for one in template.parameters},
                )
                for template in templates
            ),
            note=""
            if self.price is not None
            else "Generio names no price: put the highest into the block, and runs can have a cap.",
        )

    async def _try_key(self, client: GenerioClient) -> None:
        await client.list_templates()


def _kind(parameter: Parameter) -> str:
    kind = ", ".join(map(str, parameter.values)) or parameter.type
    return kind if parameter.default is None else f"{kind}; {parameter.default} by default"


CREDENTIALS = GenerioCredentials
