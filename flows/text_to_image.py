"""A variation sheet from Algovera: prompts by seeds by base models."""

from contextlib import AsyncExitStack
from typing import Annotated, Any

from prefect.client.schemas.objects import State

from blocks import AlgoveraCredentials, load_block, load_store
from flows.forms import Attempts, Budget, CampaignName, Labels, Marks, RunMinutes, StoreName, Take, Unmarked, form, payer
from flows.purchases import buy_all, naming_paid_work
from genmedia.forms.fields import field
from genmedia.journal.order import Order
from genmedia.providers.algovera.steps import submission
from genmedia.providers.algovera.variations import Variation, plan_variations
from genmedia.providers.steps import Submit as Send
from genmedia.purchasing.buy import Purchase
from genmedia.purchasing.receive import Received
from tasks.algovera import download_asset, list_base_models, poll_job, submit_job
from tasks.recovery import take_back_jobs
from tasks.telling import flow
from tasks.waiting import Patience


@form
@flow(name="text-to-image", flow_run_name="{name}", on_cancellation=[take_back_jobs])
async def text_to_image(
    *,
    name: CampaignName,
    prompts: Annotated[
        list[str], field("Prompts", "What is to be seen.", example="A cup of coffee on a windowsill, watercolour", min_length=1)
    ],
    seeds: Annotated[
        list[int],
        field("Seeds", "Each is another variation; the same seed gives the same picture again.", example=[1, 2], min_length=1),
    ] = [1, 2, 3, 4],
    base_models: Annotated[
        list[str],
        field(
            "Base models",
            "Which of Algovera's models; each prompt goes to each. `genmedia providers` lists them.",
            example="stable",
            min_length=1,
        ),
    ] = ["stable"],
    width: Annotated[int | None, field("Width", "In pixels; 512 where it is left empty.", example=768, gt=0)] = 512,
    height: Annotated[int | None, field("Height", "In pixels; 512 where it is left empty.", example=768, gt=0)] = 512,
    inf_steps: Annotated[
        int | None, field("Steps", "How often the picture is refined; left to Algovera when empty.", example=30, gt=0)
    ] = None,
    guidance_scale: Annotated[
        float | None, field("Guidance", "How closely the prompt is followed; left to Algovera when empty.", example=7.5)
    ] = None,
    max_credits: Budget = None,
    labels: Labels = {},
    take: Take = 1,
    marks: Marks = "",
    buy_unmarked: Unmarked = False,
    attempts: Attempts = 1,
    account: Annotated[str, payer("Algovera")] = "default",
    store: StoreName = "default",
    minutes: RunMinutes = 15,
) -> State[Any]:
    """Make pictures from prompts and keep them all, with the seed under each on the contact sheet.

    Items that fail do not stop the others; what was bought before is not bought again. A purchase whose answer was lost is in doubt: Algovera
    cannot be asked about it, so that it is not bought again by itself.

    Raises:
        InputError: Everything that is wrong, each with its prompt or field; nothing was bought.
        BudgetError: It would cost more than `max_credits`.
        SettingsError: There is no such block.
    """
    assets = await load_store(store)
    asked = {"width": width, "height": height, "inf_steps": inf_steps, "guidance_scale": guidance_scale}
    async with naming_paid_work(name, assets):
        credentials = await load_block(AlgoveraCredentials, account)
        items = plan_variations(
            prompts=prompts,
            seeds=seeds,
            base_models=base_models,
            known_models=await list_base_models(credentials),
            settings={name: value for name, value in asked.items() if value is not None},
            take=take,
        )

    async def submit(_: Variation, order: Order) -> State[Purchase] | Purchase:
        async def deliver(held: AsyncExitStack) -> Send:
            return submission(await held.enter_async_context(credentials.get_client()), order)

        return await submit_job(credentials, assets, order, deliver)

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
        buy_unmarked=buy_unmarked,
        attempts=attempts,
        patience=Patience(minutes, minutes),
        submit=submit,
        finish=finish,
        as_asked=Variation.asked,
    )
