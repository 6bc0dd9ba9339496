"""3D models from Generio's templates: from texts and pictures, through one template or a chain of them."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from pydantic import Field

from blocks import AssetStore, GenerioCredentials, load_block
from flows.purchases import Prices, Spare, look_up, obtain, on_behalf, read_retakes, run_campaign
from genmedia.buying import Order, Purchase
from genmedia.errors import ApiError, NotFoundError
from genmedia.journal import AttemptState, Journal, Purpose
from genmedia.naming import Labels, Name
from genmedia.receiving import Received
from genmedia.results import NOT_STARTED, Result
from genmedia.store import Store
from genmedia.templates import TemplateInput, TemplateItem, TemplateStep, plan_models
from tasks.generio import create_flow, delete_flow, download_outputs, get_template, poll_flow, start_flow, upload_input
from tasks.harvesting import take_back_jobs
from tasks.waiting import Patience


@flow(name="template-run", flow_run_name="{name}", on_cancellation=[take_back_jobs])
async def template_run(
    name: Name,
    inputs: Annotated[list[TemplateInput], Field(min_length=1)],
    steps: Annotated[list[TemplateStep], Field(min_length=1)],
    max_credits: Annotated[float | None, Field(ge=0, allow_inf_nan=False)] = None,
    labels: Labels = {},
    take: Annotated[int, Field(ge=1)] = 1,
    marks: str = "",
    delete_after: bool = False,
    at_once: Annotated[int, Field(ge=1, le=50)] = 4,
    account: str = "default",
    store: str = "default",
    queue_minutes: Annotated[float, Field(gt=0)] = 30,
    run_minutes: Annotated[float, Field(gt=0)] = 60,
) -> State[Any]:
    """Make 3D models and keep them all, each step's too. An input that fails does not stop the others.

    Everything is checked against Generio's own description of the templates before anything is started. What was bought before is
    not bought again: finished flows are reused, those under way are taken up.

    Args:
        name: A name for the models, used in folder names and tags. Letters, digits, dots, dashes and underscores; no spaces.
        inputs: One model is made from each.
        steps: The templates that each goes through, one after another, each fed with the model of the one before.
        max_credits: Buy nothing if what is not bought yet would cost more than this. It needs the price in the block.
        labels: Whom it is bought for, such as client and project; they stand in the ledger and beside each file.
        take: Leave it at 1. Raise it to buy the very same again on purpose.
        marks: Path of a file of marks from the gallery: what is marked retake there is bought as the next take.
        delete_after: Delete each flow at Generio once its model is in the store.
        at_once: How many flows may be under way at once, 1 to 50.
        account: Name of the Generio Credentials block that pays.
        store: Name of the Asset Store block that takes the results.
        queue_minutes: How long a flow may wait before it starts.
        run_minutes: How long a flow may take.

    Raises:
        InputError: Everything that is wrong, each with its input, step and parameter; nothing was bought.
        BudgetError: It would cost more than `max_credits`, or nobody knows what it would cost.
        SettingsError: There is no such block.
    """
    credentials, assets = await load_block(GenerioCredentials, account), await load_block(AssetStore, store)
    patience, slots = Patience(queue_minutes, run_minutes), asyncio.Semaphore(at_once)
    retakes = read_retakes(marks)
    known = await look_up((step.template for step in steps), partial(get_template, credentials))
    materials = await plan_models(inputs, steps, known)
    items = [TemplateItem(model, steps, 1, material, credentials.price, take) for model, material in materials.items()]

    async def submit(_: TemplateItem, order: Order) -> State[Purchase] | Purchase:
        return await create_flow(credentials, assets, order)

    async def finish(item: TemplateItem, purchase: Purchase) -> Received:
        await upload_input(credentials, purchase.job_id, item.material)
        await start_flow(credentials, purchase.job_id)
        job = await poll_flow(credentials, assets, purchase, item.name, patience)
        return await download_outputs(credentials, assets, purchase, job)

    def wish(item: TemplateItem) -> Order:
        purpose = Purpose(name, item.name, item.inputs, labels, cap=max_credits)
        return on_behalf(item.order(credentials.payer).besides(retakes), credentials, purpose)

    async def make(item: TemplateItem, spare: float | None) -> list[Result]:
        async with slots:
            result = await obtain(item, wish(item), assets, spare, submit, finish)
        if delete_after and result.assets:
            await _give_up(credentials, item.name, result.job_id)
        if result.assets and item.later:
            return [result, *await make(await item.fed_with(result.assets[0], files), spare)]
        left = (Result(name=one.name, operation=f"template {one.step.template}", status=NOT_STARTED) for one in item.later)
        return [result, *left]

    async def prices(journal: Journal) -> Prices:
        costs = {name: price for item in items for name, price in await _prices(journal, item, wish, files)}
        return {credentials.provider: costs}

    async def work(spare: Spare) -> list[Result]:
        ended = await asyncio.gather(*(make(item, spare[credentials.provider]) for item in items))
        return [result for results in ended for result in results]

    async with assets.get_store() as files:
        caps = {credentials.provider: max_credits}
        return await run_campaign(name, payers=[credentials], assets=assets, max_credits=caps, prices=prices, work=work)


async def _prices(
    journal: Journal, item: TemplateItem, wish: Callable[[TemplateItem], Order], files: Store
) -> list[tuple[str, float | None]]:
    """What an item and those after it would still cost; what a later one is fed with is known once the one before it is done."""
    attempt = await journal.live_attempt(wish(item).key)
    if attempt is None or attempt.state is not AttemptState.STORED:
        return [(one.name, one.price) for one in ([] if attempt else [item]) + item.later]
    if not item.later:
        return []
    return await _prices(journal, await item.fed_with((await journal.assets(attempt.id))[0], files), wish, files)


async def _give_up(credentials: GenerioCredentials, name: str, flow_id: str) -> None:
    """Delete a flow whose model is safe; where that fails, only its storage at Generio is not given up."""
    try:
        await delete_flow(credentials, flow_id)
    except NotFoundError:
        pass  # deleted before
    except ApiError as error:
        get_run_logger().warning("%s: flow %s stays at Generio: %s", name, flow_id, error.what)
