"""The life of one Genova job inside a flow, shared by the flows that buy pictures and videos."""

from collections.abc import Mapping, Sequence
from typing import Any

from prefect.client.schemas.objects import State

from blocks import AssetStore, GenovaCredentials, load_block
from flows.purchases import buy_all
from genmedia.batch import Item
from genmedia.buying import Order, Purchase
from genmedia.receiving import Received
from tasks.genova import download_result, poll_job, submit_job
from tasks.waiting import Patience


async def buy_items(
    name: str,
    items: Sequence[Item],
    *,
    account: str,
    store: str,
    max_credits: float | None,
    labels: Mapping[str, str],
    marks: str,
    patience: Patience,
) -> State[Any]:
    """Buy, await and store every item. The plan's open slots set the pace.

    Raises:
        InputError: The file of marks cannot be read.
        BudgetError: What is not bought yet would cost more than `max_credits`.
        SettingsError: There is no such block.
    """
    credentials, assets = await load_block(GenovaCredentials, account), await load_block(AssetStore, store)

    async def submit(item: Item, order: Order) -> State[Purchase] | Purchase:
        return await submit_job(credentials, assets, item, order)

    async def finish(item: Item, purchase: Purchase) -> Received:
        job = await poll_job(credentials, assets, purchase, item.name, patience)
        return await download_result(credentials, assets, purchase, job)

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
