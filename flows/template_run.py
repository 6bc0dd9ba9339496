"""3D models from Generio's templates: from texts and pictures, through one template or a chain of them."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from itertools import takewhile
from typing import Annotated, Any

from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger

from blocks import GenerioCredentials, load_block, load_store
from flows.forms import (
    AtOnce,
    Attempts,
    Budget,
    CampaignName,
    Labels,
    Marks,
    QueueMinutes,
    RunMinutes,
    StoreName,
    Take,
    Unmarked,
    form,
    payer,
)
from flows.purchases import (
    Spare,
    naming_paid_work,
    obtain,
    on_behalf,
    run_campaign,
    select,
    warn_of_look_alikes,
)
from genmedia.campaign.marks import UNMARKED_FEED, Selection
from genmedia.concurrency import every
from genmedia.errors import ApiError, Fault, InputError, NotFoundError
from genmedia.forms.fields import field
from genmedia.journal import Journal, Purpose, are_there
from genmedia.journal.order import Order
from genmedia.providers.generio.client import UNIT
from genmedia.providers.generio.steps import submission
from genmedia.providers.generio.templates import TemplateInput, TemplateItem, TemplateStep, plan_models
from genmedia.providers.steps import Submit as Send
from genmedia.providers.steps import look_up
from genmedia.purchasing.budget import Foreseen, Outlook, outlook_of
from genmedia.purchasing.buy import Purchase
from genmedia.purchasing.receive import Received
from genmedia.purchasing.result import NOT_STARTED, Result
from genmedia.store import Store
from genmedia.store.named_files import files_at_hand
from tasks.generio import create_flow, delete_flow, download_outputs, poll_flow
from tasks.recovery import take_back_jobs
from tasks.runner import CallsAsTasks
from tasks.telling import flow
from tasks.waiting import Patience


@form
@flow(name="template-run", flow_run_name="{name}", on_cancellation=[take_back_jobs])
async def template_run(
    *,
    name: CampaignName,
    inputs: Annotated[
        list[TemplateInput], field("Made from", "One model is made from each entry: a photo, a model, or words.", min_length=1)
    ],
    steps: Annotated[
        list[TemplateStep],
        field("Steps", "The templates that each goes through in order, each fed with the model of the one before.", min_length=1),
    ],
    max_credits: Annotated[
        Budget,
        field(
            "Budget in credits",
            "Nothing is bought if what is not there yet would cost more than this; it needs the price in the Generio block. Leave it empty "
            "for no limit.",
            example=10,
        ),
    ] = None,
    labels: Labels = {},
    take: Take = 1,
    marks: Marks = "",
    buy_unmarked: Unmarked = False,
    attempts: Attempts = 1,
    delete_after: Annotated[
        bool, field("Delete at Generio", "Delete each job at Generio, with its files there, once its model is in the store.")
    ] = False,
    at_once: AtOnce = 4,
    account: Annotated[str, payer("Generio")] = "default",
    store: StoreName = "default",
    queue_minutes: QueueMinutes = 30,
    run_minutes: RunMinutes = 60,
) -> State[Any]:
    """Make 3D models and keep them all, each step's too. An input that fails does not stop the others.

    Everything is checked against Generio's own description of the templates before anything is started. What was bought before is
    not bought again: finished flows are reused, those under way are taken up.

    Raises:
        InputError: Everything that is wrong, each with its input, step and parameter; nothing was bought.
        BudgetError: It would cost more than `max_credits`, or nobody knows what it would cost.
        SettingsError: There is no such block.
    """
    assets = await load_store(store)
    patience, slots = Patience(queue_minutes, run_minutes), asyncio.Semaphore(at_once)
    named = [one.file for one in inputs if one.file is not None]
    async with AsyncExitStack() as held:
        async with naming_paid_work(name, assets):
            files = await held.enter_async_context(assets.get_store())
            credentials = await load_block(GenerioCredentials, account)
            selection = await select(name, marks, assets, buy_unmarked=buy_unmarked)
            generio = await held.enter_async_context(credentials.get_client())
            tasked: Any = CallsAsTasks(generio, credentials)
            known = await look_up((step.template for step in steps), tasked.get_template)
            at_hand = await held.enter_async_context(files_at_hand(named, files, generio.http))
            materials = await plan_models(inputs, steps, known, at_hand)
        items = [
            TemplateItem(model, steps, 1, material, credentials.price, take, among)
            for among, (model, material) in enumerate(materials.items(), 1)
        ]

        async def submit(item: TemplateItem, order: Order) -> State[Purchase] | Purchase:
            async def deliver(sending: AsyncExitStack) -> Send:
                return await submission(tasked, order, [item.material.at_hand(files)], sending)

            return await create_flow(credentials, assets, order, deliver)

        async def finish(item: TemplateItem, purchase: Purchase) -> Received:
            job = await poll_flow(credentials, assets, purchase, item.name, patience)
            return await download_outputs(credentials, assets, purchase, job)

        def wish(item: TemplateItem) -> Order:
            purpose = Purpose(name, item.name, item.inputs, labels, cap=max_credits, place=item.place)
            order = selection.choose(item.order(credentials.payer), item.name if item.number > 1 else "")
            return on_behalf(order, credentials, purpose, patience, attempts)

        async def make(item: TemplateItem, spare: float | None) -> list[Result]:
            async with slots:
                result = await obtain(item, wish(item), assets, spare, submit, finish)
            if delete_after and result.assets:
                await _give_up(credentials, item.name, result.job_id)
            provider = credentials.provider
            status, why = (result.status, UNMARKED_FEED) if result.left else (NOT_STARTED, "")
            left = [
                Result(
                    name=one.name,
                    operation=f"template {one.step.template}",
                    status=status,
                    provider=provider,
                    unit=UNIT,
                    error=why,
                )
                for one in item.later
            ]
            if not (result.assets and left):
                return [result, *left]
            return [result, *await make(item.fed_with(result.assets[0]), spare)]

        warn_of_look_alikes({item.name: item.order(credentials.payer) for item in items})

        async def foresee(journal: Journal) -> list[Foreseen]:
            return await _foresee_all(journal, items, wish, selection, files)

        async def work(spare: Spare) -> list[Result]:
            ended = await every(make(item, spare[credentials.provider]) for item in items)
            return [result for results in ended for result in results]

        caps = {credentials.provider: max_credits}
        return await run_campaign(
            name, payers=[credentials], assets=assets, caps=caps, selection=selection, foresee=foresee, work=work
        )


async def _foresee_all(
    journal: Journal, items: Sequence[TemplateItem], wish: Callable[[TemplateItem], Order], selection: Selection, files: Store
) -> list[Foreseen]:
    """What becomes of each item, and of those after it.

    Raises:
        InputError: Models of the store that would be fed on were changed since they were stored, or removed for good.
    """
    foreseen: list[Foreseen] = []
    faults: list[Fault] = []
    for item in items:
        try:
            foreseen += await _foresee(journal, item, wish, selection, files)
        except InputError as error:
            faults += error.faults
    if faults:
        raise InputError(faults)
    return foreseen


async def _foresee(
    journal: Journal, item: TemplateItem, wish: Callable[[TemplateItem], Order], selection: Selection, files: Store
) -> list[Foreseen]:
    """What becomes of an item and of those after it; what a later one is fed with is known once the one before it is done."""
    order = wish(item)
    attempt = await journal.bought(order.key)
    mine = _foreseen(item, outlook_of(attempt, order.withheld), order.key)
    assets = await journal.assets(attempt.id) if attempt and item.later and mine.outlook is Outlook.REUSED else []
    if attempt is None or not assets:
        lost = mine.outlook if mine.outlook in (Outlook.REFUSED, Outlook.NOT_BOUGHT) else None
        bought = {one.name for one in takewhile(lambda one: selection.may_buy(one.name), [] if lost else item.later)}
        return [
            mine,
            *(_foreseen(one, Outlook.TO_BUY if one.name in bought else lost or Outlook.NOT_BOUGHT) for one in item.later),
        ]
    stored = assets[0]
    following = item.fed_with(stored)
    left = await _foresee(journal, following, wish, selection, files)
    # A model that is gone, or cut short, is fetched again; what is there under the wrong hash is a person's to tell about.
    if (
        left[0].outlook is Outlook.TO_BUY
        and await are_there([stored], files.has)
        and (why := await following.material.why_not(files))
    ):
        raise InputError([Fault(f"step {following.name}", why)])
    return [mine, *left]


def _foreseen(item: TemplateItem, outlook: Outlook, key: str = "") -> Foreseen:
    return Foreseen(item.name, GenerioCredentials.provider, f"template {item.step.template}", item.price, UNIT, key, outlook)


async def _give_up(credentials: GenerioCredentials, name: str, flow_id: str) -> None:
    """Delete a flow whose model is safe; where that fails, only its storage at Generio is not given up."""
    try:
        await delete_flow(credentials, flow_id)
    except NotFoundError:
        pass  # deleted before
    except ApiError as error:
        get_run_logger().warning("%s: flow %s stays at Generio: %s", name, flow_id, error.what)
