"""The life of one Genova job inside a flow, shared by the flows that buy many."""

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import Any

from prefect import tags
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger

from blocks import AssetStore, GenovaCredentials, load_block
from genmedia.batch import Item
from genmedia.buying import Outcome
from genmedia.errors import BudgetError, GenmediaError
from genmedia.journal import Journal
from genmedia.progress import tell
from genmedia.providers.genova import PRICE, PROVIDER
from genmedia.receiving import Origin
from genmedia.results import FAILED, Result
from tasks.genova import download_result, poll_job, submit_job
from tasks.reporting import publish_results, tag_flow_run
from tasks.states import campaign_state, unwrap
from tasks.store import write_gallery
from tasks.waiting import Patience


async def buy_items(
    name: str, items: Sequence[Item], *, account: str, store: str, max_credits: float | None, patience: Patience
) -> State[Any]:
    """Buy, await and store every item, show the results, and tell how it ended.

    An item that fails does not stop the others. The plan's open slots set the pace.

    Raises:
        BudgetError: What is not bought yet would cost more than `max_credits`.
        SettingsError: There is no such block.
    """
    credentials, assets = await load_block(GenovaCredentials, account), await load_block(AssetStore, store)
    files = assets.get_store()
    files.sweep()
    labels = (PROVIDER, f"campaign:{name}")
    await tag_flow_run(*labels)
    with tags(*labels):
        async with credentials.get_client(), assets.get_journal() as journal:
            cost = await _check_credits(credentials, journal, items, max_credits)
            get_run_logger().info("%d jobs, at most %g credits to spend", len(items), cost)
            results = await asyncio.gather(*(_make(credentials, assets, name, item, patience) for item in items))
        await write_gallery(assets)
        await publish_results(name, results, files)
    return campaign_state(results)


async def _make(credentials: GenovaCredentials, assets: AssetStore, campaign: str, item: Item, patience: Patience) -> Result:
    begun = monotonic()
    order = item.order(credentials.payer)
    try:
        purchase = await unwrap(await submit_job(credentials, assets, item, order))
        tell(item.name, purchase.outcome)
        files, charged = purchase.assets, 0.0
        if purchase.outcome is not Outcome.REUSED:
            job = await poll_job(credentials, assets, purchase, item.name, patience)
            inputs = [{"id": f"reference {number}", "from": str(path)} for number, path in enumerate(item.references, 1)]
            files = await download_result(credentials, assets, purchase, job, Origin(campaign, item.name, inputs))
            tell(item.name, "stored", 100)
            charged = PRICE
    except GenmediaError as error:
        tell(item.name, str(error))
        return Result(
            name=item.name,
            operation=order.operation,
            status=FAILED,
            error=str(error),
            charged=error.charged,
            seconds=monotonic() - begun,
        )
    return Result(
        name=item.name,
        operation=order.operation,
        status=purchase.outcome,
        job_id=purchase.job_id,
        seconds=monotonic() - begun,
        charged=charged,
        assets=files,
    )


async def _check_credits(
    credentials: GenovaCredentials, journal: Journal, items: Sequence[Item], max_credits: float | None
) -> float:
    cost = 0.0
    for item in items:
        cost += 0 if await journal.live_attempt(item.order(credentials.payer).key) else PRICE
    if max_credits is not None and cost > max_credits:
        raise BudgetError(f"{len(items)} jobs would cost {cost:g} credits, more than the {max_credits:g} allowed")
    return cost
