"""What every flow that buys many things does: check the price, buy, keep going when one fails, show the results."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any, Protocol, TypeVar

from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.exceptions import FailedRun
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from blocks import AssetStore
from blocks.credentials import ProviderCredentials
from genmedia.budget import check_budget
from genmedia.buying import Order, Outcome, Purchase
from genmedia.errors import BudgetError, GenmediaError, MediaError, NotFoundError, StoreError, SupersededError
from genmedia.jobs import Account
from genmedia.journal import Journal, Purpose, StoredAsset
from genmedia.marks import read_marks
from genmedia.progress import tell
from genmedia.receiving import Received
from genmedia.results import FAILED, QUARANTINED, Result
from genmedia.store import Store
from tasks.reporting import publish_results, tag_flow_run
from tasks.states import campaign_state, unwrap
from tasks.store import write_gallery


class Item(Protocol):
    """One thing to buy."""

    @property
    def name(self) -> str:
        """Names its files and its row in the table."""
        ...

    @property
    def inputs(self) -> Sequence[Mapping[str, str]]:
        """What it is made from; see `Purpose`."""
        ...

    def order(self, account: Account) -> Order:
        """The wish for it."""
        ...


T = TypeVar("T", bound=Item)
L = TypeVar("L")

Submit = Callable[[T, Order], Awaitable[State[Purchase] | Purchase]]
"""Buys one item, or finds that it is bought."""

Prices = Mapping[str, Mapping[str, float | None]]

Finish = Callable[[T, Purchase], Awaitable[Received]]
"""Brings a bought item to its end: its files in the store, and what of its cost is to be reported."""


Spare = Mapping[str, float | None]
"""By provider, what may be spent beyond the plan, on what has to be bought again; None for no limit."""


def on_behalf(order: Order, credentials: ProviderCredentials, purpose: Purpose) -> Order:
    """The order as this flow run makes it.

    Args:
        order: What is wanted.
        credentials: Who pays.
        purpose: Why; the run is filled in.
    """
    spending = replace(purpose, run=flow_run.id or "")
    return replace(order, assumed=credentials.assumed_price, if_in_doubt=credentials.if_in_doubt, purpose=spending)


async def run_campaign(
    name: str,
    *,
    payers: Sequence[ProviderCredentials],
    assets: AssetStore,
    max_credits: Mapping[str, float | None],
    prices: Callable[[Journal], Awaitable[Prices]],
    work: Callable[[Spare], Awaitable[Sequence[Result]]],
) -> State[Any]:
    """Do the work of a campaign if it may cost that much, show its results, and tell how it ended.

    Args:
        name: The campaign.
        payers: Who pays; their clients are shared by all of the work.
        assets: Where everything goes.
        max_credits: By provider: nothing is bought if what is not bought yet would cost more.
        prices: By provider, what each purchase that is still to be made would cost, by its name; None where nobody knows.
        work: Makes the purchases; given what may be spent beyond them, by provider.

    Raises:
        HeldError: One of those who are to pay spends nothing now.
        BudgetError: It would cost more than `max_credits`, or nobody knows what it would cost.
        StoreError: There is something to buy, and the store takes no files.
        FailedRun: Something is missing, and Prefect is to run the flow again by its `retries`.
    """
    # Tags on task runs would cost a call to Prefect's concurrency limits for each, which its SQLite answers in seconds under load.
    await tag_flow_run(*(payer.provider for payer in payers), f"campaign:{name}")
    async with AsyncExitStack() as held:
        files = await held.enter_async_context(assets.get_store())
        journal = await held.enter_async_context(assets.get_journal())
        for payer in payers:
            await held.enter_async_context(payer.get_client())
        try:
            await files.sweep()
        except StoreError as error:
            get_run_logger().warning("what earlier runs left on its way in was not cleared away: %s", error.what)
        spare: dict[str, float | None] = {}
        told = await prices(journal)
        to_buy = sum(map(len, told.values()))
        for payer in payers:
            known = told.get(payer.provider, {})
            costs = {item: payer.assumed_price if price is None else price for item, price in known.items()}
            if costs:
                await journal.money.check_hold(str(payer.payer))
            cap = max_credits.get(payer.provider)
            cost = check_budget(payer.provider, costs, cap)
            spare[payer.provider] = None if cap is None else cap - cost
            get_run_logger().info("%s: %d to buy for at most %g credits", payer.provider, len(costs), cost)
        if to_buy:
            await _check(files)
        results = await work(spare)
        await publish_results(name, results, files)
        await write_gallery(assets)
    state = campaign_state(results)
    if state.is_failed() and _has_retries_left():
        # A run whose flow returns a failed state is not retried in its process, and ends as crashed.
        raise FailedRun(state.message)
    return state


def _has_retries_left() -> bool:
    context = FlowRunContext.get()
    run = context and context.flow_run
    return run is not None and run.run_count <= (run.empirical_policy.retries or 0)


async def _check(store: Store) -> None:
    """See that the store takes a file, before anything is bought for it."""
    try:
        await store.check()
    except StoreError as error:
        error.money = "Nothing was bought."
        raise


def read_retakes(marks: str) -> set[str]:
    """The submissions that a file of marks wants bought again; none where no file is named.

    Raises:
        InputError: It cannot be read, or is no such file.
    """
    return read_marks(Path(marks)).retakes() if marks else set()


async def look_up(names: Iterable[str], ask: Callable[[str], Awaitable[L]]) -> dict[str, L | NotFoundError]:
    """Each name as the provider describes it now; one it does not know is a fault of the plan, to be told with the others."""

    async def found(name: str) -> L | NotFoundError:
        try:
            return await ask(name)
        except NotFoundError as error:
            return error

    asked = list(dict.fromkeys(names))
    return dict(zip(asked, await asyncio.gather(*map(found, asked)), strict=True))


@dataclass(frozen=True)
class Acquired:
    """What became of one wish: the purchase, its files, what it was charged, and why files were refused, if the store goes on."""

    purchase: Purchase
    assets: tuple[StoredAsset, ...]
    charged: float
    refused: str = ""

    def result(self, name: str, begun: float) -> Result:
        """As a row of the campaign.

        Args:
            name: The item.
            begun: When it was ordered, by `monotonic`.
        """
        return Result(
            name=name,
            operation=self.purchase.order.operation,
            status=QUARANTINED if self.refused else self.purchase.outcome,
            job_id=self.purchase.job_id,
            seconds=monotonic() - begun,
            charged=self.charged,
            assets=self.assets,
            error=self.refused,
        )


async def acquire(
    name: str,
    assets: AssetStore,
    spare: float | None,
    submit: Callable[[], Awaitable[State[Purchase] | Purchase]],
    finish: Callable[[Purchase], Awaitable[Received]],
) -> Acquired:
    """Meet one wish: buy it, await and store it. What a file that was refused means, the store's block says.

    Args:
        name: The item, for the progress.
        assets: Where its files go.
        spare: What the run may spend beyond its plan at whom it pays; None for no limit.
        submit: Buys it, or finds that it is bought.
        finish: Brings it to its end: its files in the store, and what of its cost is to be reported.

    Raises:
        MediaError: A file is not what it should be, and the block says that this is a failure, or nothing more may be spent.
    """
    charged, again = 0.0, assets.if_refused == "buy again"
    while True:
        purchase = await unwrap(await submit())
        tell(name, purchase.outcome)
        if purchase.outcome is Outcome.REUSED:
            return Acquired(purchase, purchase.assets, charged)
        try:
            stored, cost = await finish(purchase)
        except MediaError as error:
            if assets.if_refused == "go on":
                tell(name, str(error))
                return Acquired(purchase, (), charged + error.charged, str(error))
            # A job that was not bought here may be another's to fetch, and one more attempt is the most that the block allows.
            first = purchase.outcome is Outcome.BOUGHT and purchase.number == 1
            if not again or not first:
                error.charged += charged
                raise
            try:
                async with assets.get_journal() as journal:
                    if not await journal.fail(purchase.attempt, f"refused: {error.what}", spare):
                        continue  # another process has fetched it whole meanwhile, or is at it
            except BudgetError:
                error.charged += charged
                raise error from None
            again, charged = False, charged + error.charged
            get_run_logger().warning("%s: bought again: %s", name, error.what)
        except SupersededError as error:
            tell(name, error.what)  # what answers for the wish now is taken up
        else:
            tell(name, "stored", 100)
            return Acquired(purchase, stored, charged + cost)


async def obtain(item: T, order: Order, assets: AssetStore, spare: float | None, submit: Submit[T], finish: Finish[T]) -> Result:
    """Meet the wish for one item; an error becomes its result."""
    begun = monotonic()
    try:
        acquired = await acquire(item.name, assets, spare, lambda: submit(item, order), lambda purchase: finish(item, purchase))
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
    return acquired.result(item.name, begun)


async def buy_all(
    name: str,
    items: Sequence[T],
    *,
    credentials: ProviderCredentials,
    assets: AssetStore,
    max_credits: float | None,
    labels: Mapping[str, str],
    marks: str,
    submit: Submit[T],
    finish: Finish[T],
) -> State[Any]:
    """Buy, await and store items that have nothing to do with each other, all at once; the client keeps to the account's limits.

    Raises:
        InputError: The file of marks cannot be read.
        BudgetError: It would cost more than `max_credits`, or nobody knows what it would cost.
    """
    retakes = read_retakes(marks)
    wishes = {item.name: item.order(credentials.payer).besides(retakes) for item in items}
    orders = {
        item.name: on_behalf(wishes[item.name], credentials, Purpose(name, item.name, item.inputs, labels, cap=max_credits))
        for item in items
    }

    async def prices(journal: Journal) -> Prices:
        costs = {name: order.price for name, order in orders.items() if not await journal.live_attempt(order.key)}
        return {credentials.provider: costs}

    async def work(spare: Spare) -> list[Result]:
        left = spare[credentials.provider]
        return await asyncio.gather(*(obtain(item, orders[item.name], assets, left, submit, finish) for item in items))

    caps = {credentials.provider: max_credits}
    return await run_campaign(name, payers=[credentials], assets=assets, max_credits=caps, prices=prices, work=work)
