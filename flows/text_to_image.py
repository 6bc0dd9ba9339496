"""A variation sheet from Algovera: prompts by seeds by base models."""

from typing import Annotated, Any

from prefect import flow
from prefect.client.schemas.objects import State
from pydantic import Field

from blocks import AlgoveraCredentials, AssetStore, load_block
from flows.purchases import buy_all
from genmedia.buying import Order, Purchase
from genmedia.naming import Labels, Name
from genmedia.receiving import Received
from genmedia.variations import Variation, plan_variations
from tasks.algovera import download_asset, list_base_models, poll_job, submit_job
from tasks.harvesting import take_back_jobs
from tasks.waiting import Patience


@flow(name="text-to-image", flow_run_name="{name}", on_cancellation=[take_back_jobs])
async def text_to_image(
    name: Name,
    prompts: Annotated[list[str], Field(min_length=1)],
    seeds: Annotated[list[int], Field(min_length=1)] = [1, 2, 3, 4],
    base_models: Annotated[list[str], Field(min_length=1)] = ["stable"],
    width: Annotated[int | None, Field(gt=0)] = 512,
    height: Annotated[int | None, Field(gt=0)] = 512,
    inf_steps: Annotated[int | None, Field(gt=0)] = None,
    guidance_scale: float | None = None,
    max_credits: Annotated[float | None, Field(ge=0, allow_inf_nan=False)] = None,
    labels: Labels = {},
    take: Annotated[int, Field(ge=1)] = 1,
    marks: str = "",
    account: str = "default",
    store: str = "default",
    minutes: Annotated[float, Field(gt=0)] = 15,
) -> State[Any]:
    """Make pictures from prompts and keep them all, with the seed under each on the contact sheet.

    Items that fail do not stop the others; what was bought before is not bought again. A purchase whose answer was lost is in doubt: Algovera
    cannot be asked about it, so that it is not bought again by itself.

    Args:
        name: A name for the sheet, used in folder names and tags. Letters, digits, dots, dashes and underscores; no spaces.
        prompts: What is to be seen.
        seeds: Each seed is another variation; the same seed gives the same again.
        base_models: Which models; each prompt goes to each. `genmedia providers` lists them.
        width: In pixels; left to Algovera when empty.
        height: In pixels; left to Algovera when empty.
        inf_steps: How often the picture is refined; left to Algovera when empty.
        guidance_scale: How closely the prompt is followed; left to Algovera when empty.
        max_credits: Buy nothing if what is not bought yet would cost more than this; empty for no limit.
        labels: Whom it is bought for, such as client and project; they stand in the ledger and beside each file.
        take: Leave it at 1. Raise it to buy the very same again on purpose.
        marks: Path of a file of marks from the gallery: what is marked retake there is bought as the next take.
        account: Name of the Algovera Credentials block that pays.
        store: Name of the Asset Store block that takes the results.
        minutes: How long a picture may take.

    Raises:
        InputError: Everything that is wrong, each with its prompt or field; nothing was bought.
        BudgetError: It would cost more than `max_credits`.
        SettingsError: There is no such block.
    """
    credentials, assets = await load_block(AlgoveraCredentials, account), await load_block(AssetStore, store)
    asked = {"width": width, "height": height, "inf_steps": inf_steps, "guidance_scale": guidance_scale}
    items = plan_variations(
        prompts=prompts,
        seeds=seeds,
        base_models=base_models,
        known_models=await list_base_models(credentials),
        settings={name: value for name, value in asked.items() if value is not None},
        take=take,
    )

    async def submit(item: Variation, order: Order) -> State[Purchase] | Purchase:
        return await submit_job(credentials, assets, item, order)

    async def finish(item: Variation, purchase: Purchase) -> Received:
        job = await poll_job(credentials, assets, purchase, item.name, Patience(minutes, minutes))
        return await download_asset(credentials, assets, purchase, job)

    return await buy_all(
        name,
        items,
        credentials=credentials,
        assets=assets,
        max_credits=max_credits,
        labels=labels,
        marks=marks,
        submit=submit,
        finish=finish,
    )
