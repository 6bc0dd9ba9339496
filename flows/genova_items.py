"""The life of one Genova job inside a flow, shared by the flows that buy pictures and videos."""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from prefect.client.schemas.objects import State

from blocks import AssetStore, GenovaCredentials, load_block, load_store
from flows.purchases import buy_all, naming_paid_work
from genmedia.journal.order import Order
from genmedia.providers.genova.batch import Item
from genmedia.providers.genova.references import pictures
from genmedia.providers.genova.steps import submission
from genmedia.providers.steps import Submit as Send
from genmedia.purchasing.buy import Purchase
from genmedia.purchasing.receive import Received
from genmedia.store.named_files import Files, files_at_hand
from tasks.genova import download_result, poll_job, submit_job
from tasks.waiting import Patience


@asynccontextmanager
async def at_hand(names: Iterable[str], account: str, assets: AssetStore) -> AsyncGenerator[Files]:
    """The pictures that names stand for, for as long as this block lasts; see `files_at_hand`.

    Raises:
        SettingsError: There is no such block.
    """
    credentials = await load_block(GenovaCredentials, account)
    async with assets.get_store() as store, credentials.get_client() as genova, files_at_hand(names, store, genova.http) as files:
        yield files


async def buy_items(
    name: str,
    items: Sequence[Item],
    *,
    account: str,
    store: str,
    max_credits: float | None,
    labels: Mapping[str, str],
    marks: str,
    buy_unmarked: bool,
    patience: Patience,
    attempts: int,
) -> State[Any]:
    """Buy, await and store every item. The plan's open slots set the pace.

    Raises:
        InputError: The file of marks cannot be read.
        BudgetError: What is not bought yet would cost more than `max_credits`.
        SettingsError: There is no such block.
    """
    assets = await load_store(store)
    async with naming_paid_work(name, assets):
        credentials = await load_block(GenovaCredentials, account)

    async def submit(item: Item, order: Order) -> State[Purchase] | Purchase:
        async def deliver(held: AsyncExitStack) -> Send:
            genova = await held.enter_async_context(credentials.get_client())
            return submission(genova, order, pictures(item.references))

        return await submit_job(credentials, assets, order, deliver)

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
        buy_unmarked=buy_unmarked,
        patience=patience,
        attempts=attempts,
        submit=submit,
        finish=finish,
    )
