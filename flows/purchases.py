"""What every flow that buys many things does: check the price, buy, keep going when one fails, show the results."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any, Protocol, TypeVar

from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.exceptions import FailedRun
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from blocks import AssetStore
from blocks.credentials import ProviderCredentials, as_saved
from blocks.loading import load_all
from flows.other_journals import warn_of_purchases_elsewhere
from genmedia.campaign.marks import Selection, read_marks
from genmedia.concurrency import every
from genmedia.errors import (
    NOTHING_BOUGHT,
    BudgetError,
    GenmediaError,
    JobCancelledError,
    JobFailedError,
    JournalError,
    MediaError,
    StoreError,
    SupersededError,
    contained,
)
from genmedia.forms.names import Place
from genmedia.forms.prompts import look_alike
from genmedia.jobs.job import Account
from genmedia.journal import Journal, Purpose, StoredAsset
from genmedia.journal.order import Order
from genmedia.progress import announce, tell
from genmedia.providers.offers import with_two_keys
from genmedia.purchasing.budget import Foreseen, Outlook, Plan, check_plans, outlook_of
from genmedia.purchasing.buy import Outcome, Purchase
from genmedia.purchasing.receive import Received
from genmedia.purchasing.recover import work_under_way
from genmedia.purchasing.result import FAILED, QUARANTINED, Result, missing, together
from genmedia.purchasing.uses import tell_uses
from tasks.reporting import logging_ends, publish_plan, publish_results, tag_flow_run
from tasks.states import campaign_state, unwrap
from tasks.store import write_gallery
from tasks.waiting import Patience


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

    @property
    def place(self) -> Place:
        """Where it stands in what the run asked for."""
        ...

    def order(self, account: Account) -> Order:
        """The wish for it."""
        ...


T = TypeVar("T", bound=Item)
L = TypeVar("L")

Submit = Callable[[T, Order], Awaitable[State[Purchase] | Purchase]]
"""Buys one item, or finds that it is bought."""


Finish = Callable[[T, Purchase], Awaitable[Received]]
"""Brings a bought item to its end: its files in the store, and what of its cost is to be reported."""


Spare = Mapping[str, float | None]
"""By provider, what may be spent beyond the plan, on what has to be bought again; None for no limit."""


def on_behalf(order: Order, credentials: ProviderCredentials, purpose: Purpose, patience: Patience, attempts: int) -> Order:
    """The order as this flow run makes it.

    Args:
        order: What is wanted.
        credentials: Who pays.
        purpose: Why; the run is filled in.
        patience: How long it may wait before its job starts; for the account too, where that is busy.
        attempts: How often it may be bought in all while its job fails.
    """
    spending = replace(purpose, run=flow_run.id or "")
    return replace(
        order,
        assumed=credentials.assumed_price,
        if_in_doubt=credentials.if_in_doubt,
        purpose=spending,
        patience=patience.queue_minutes * 60,
        attempts=attempts,
    )


@asynccontextmanager
async def naming_paid_work(name: str, assets: AssetStore) -> AsyncGenerator[None]:
    """In this block nothing is bought yet: an error says so, and names the paid work that earlier runs of the campaign left under way."""
    try:
        yield
    except GenmediaError as error:
        error.bought_nothing, error.money = True, NOTHING_BOUGHT
        with suppress(GenmediaError):  # what is refused has to be told, whatever else cannot be read
            async with assets.get_journal() as journal:
                error.money = await work_under_way(journal, name) or error.money
        raise


async def run_campaign(
    name: str,
    *,
    payers: Sequence[ProviderCredentials],
    assets: AssetStore,
    caps: Mapping[str, float | None],
    selection: Selection,
    foresee: Callable[[Journal], Awaitable[Sequence[Foreseen]]],
    work: Callable[[Spare], Awaitable[Sequence[Result]]],
) -> State[Any]:
    """Do the work of a campaign if it may cost that much, show its results, and tell how it ended.

    Args:
        name: The campaign.
        payers: Who pays; their clients are shared by all of the work.
        assets: Where everything goes.
        caps: By provider: nothing is bought if what is not bought yet would cost more; read once `foresee` has answered.
        selection: What of it may be bought.
        foresee: What is to become of each part of it, in its order.
        work: Makes the purchases; given what may be spent beyond them, by provider.

    Raises:
        HeldError: One of those who are to pay spends nothing now.
        BudgetError: It would cost more than the run's cap, than a cap of an account leaves, or than an account has; or there is a cap, and
            nobody knows what it would cost. All of that is told at once.
        StoreError: There is something to buy, and the store takes no files.
        FailedRun: Something is missing, and Prefect is to run the flow again by its `retries`.
    """
    # Tags on task runs would cost a call to Prefect's concurrency limits for each, which its SQLite answers in seconds under load.
    await tag_flow_run(*(payer.provider for payer in payers), f"campaign:{name}")
    async with AsyncExitStack() as held:
        async with naming_paid_work(name, assets):
            files = await held.enter_async_context(assets.get_store())
            journal = await held.enter_async_context(assets.get_journal())
            clients = {payer.provider: await held.enter_async_context(payer.get_client()) for payer in payers}
            for payer in payers:
                if told := with_two_keys(as_saved(await load_all([type(payer)]))).get(str(payer.payer)):
                    get_run_logger().warning("%s", told)
            try:
                await files.sweep()
            except StoreError as error:
                get_run_logger().warning("what earlier runs left on its way in was not cleared away: %s", error.what)
            foreseen = await foresee(journal)
            plans = {payer.provider: _plan(name, payer, foreseen, caps.get(payer.provider)) for payer in payers}
            await publish_plan(name, foreseen, plans, selection.tell())
            await check_plans(journal, [(plan, clients[provider]) for provider, plan in plans.items()])
            if any(plan.prices for plan in plans.values()):
                await files.check()  # that the store takes a file, before anything is bought for it
            await warn_of_purchases_elsewhere(assets, {key for plan in plans.values() for key in plan.keys})
        with logging_ends():
            announce(one.name for one in foreseen)
            results = await work({provider: plan.spare for provider, plan in plans.items()})
        await publish_results(name, results, assets, files)
        await write_gallery(assets)
    state = campaign_state(results, selection.tell())
    # What the provider will not make is not asked for again: a retry could mend nothing there.
    if any(result.status == FAILED for result in results) and _has_retries_left():
        # A run whose flow returns a failed state is not retried in its process, and ends as crashed.
        raise FailedRun(state.message)
    return state


def _plan(name: str, payer: ProviderCredentials, foreseen: Sequence[Foreseen], cap: float | None) -> Plan:
    left = [one for one in foreseen if one.provider == payer.provider and one.outlook is Outlook.TO_BUY]
    costs = {one.name: payer.assumed_price if one.price is None else one.price for one in left}
    keys = [one.key for one in left if one.key]
    return Plan(str(payer.payer), left[0].unit if left else "", costs, Purpose(name, run=flow_run.id or "", cap=cap), keys)


def _has_retries_left() -> bool:
    context = FlowRunContext.get()
    run = context and context.flow_run
    return run is not None and run.run_count <= (run.empirical_policy.retries or 0)


async def select(name: str, marks: str, assets: AssetStore, *, buy_unmarked: bool) -> Selection:
    """What a run of a campaign may buy: everything where there are no marks.

    Raises:
        InputError: They cannot be read, or are no marks.
    """
    if not marks:
        return Selection(name)
    read = read_marks(marks)
    async with assets.get_journal() as journal:
        return Selection(name, read, await journal.latest(read.retakes().keys() | read.rejects()), buy_unmarked)


def warn_of_look_alikes(wishes: Mapping[str, Order]) -> None:
    """Say in the log, before anything is bought, which items ask for nearly the same: each is bought."""
    asked = {name: (f"{wish.account} {wish.operation} {wish.take}", wish.request) for name, wish in wishes.items()}
    for sentence in look_alike(asked):
        get_run_logger().warning("%s", sentence)


@dataclass(frozen=True)
class Acquired:
    """What became of one wish: the purchase, its files, what it was charged, and why files were refused, if the store goes on."""

    purchase: Purchase
    assets: tuple[StoredAsset, ...]
    charged: float | None
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
            provider=self.purchase.order.account.provider,
            unit=self.purchase.order.unit,
            charged=self.charged,
            assets=self.assets,
            error=self.refused or self.purchase.why_not,
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
    tries = _Tries(name, assets, spare, again=assets.if_refused == "buy again")
    purchase: Purchase | None = None
    try:
        while True:
            purchase = await tries.buy(submit)
            settled = purchase.outcome in (Outcome.REUSED, Outcome.NOT_BOUGHT)
            tell(name, purchase.outcome, over=settled)
            if settled:
                async with assets.get_store() as files, assets.get_journal() as journal:
                    purchase = await tell_uses(files, journal, purchase)
                return Acquired(purchase, purchase.assets, tries.charged)
            try:
                stored, cost = await finish(purchase)
            except MediaError as error:
                if assets.if_refused == "go on":
                    tell(name, str(error), over=True)
                    await _leave(assets, purchase)
                    return Acquired(purchase, (), together(tries.charged, error.charged), str(error))
                await tries.give_up(purchase, error)
            except JobFailedError as error:
                tries.repeat(purchase, error)
            except SupersededError as error:
                tell(name, error.what)  # what answers for the wish now is taken up
                tries.charged = together(tries.charged, error.charged)
            else:
                tell(name, "stored", 100, over=True)
                return Acquired(purchase, stored, together(tries.charged, cost))
    except Exception as error:
        _add_charge(error, tries.charged)
        await _leave(assets, purchase)
        raise


@dataclass
class _Tries:
    """What was bought so far for one wish, and whether it may be bought once more.

    Attributes:
        again: Whether it may be bought once more when its file is refused.
        charged: What was paid before the present try; None where that is not known.
        failures: Of the jobs before it.
    """

    name: str
    assets: AssetStore
    spare: float | None
    again: bool
    charged: float | None = 0.0
    failures: list[JobFailedError] = field(default_factory=list[JobFailedError])

    async def buy(self, submit: Callable[[], Awaitable[State[Purchase] | Purchase]]) -> Purchase:
        """The purchase.

        Raises:
            JobFailedError: The job before has failed, and the cap leaves no room for another.
        """
        try:
            return await unwrap(await submit())
        except BudgetError:
            if self.failures:
                raise self.failures[-1] from None
            raise

    def repeat(self, purchase: Purchase, error: JobFailedError) -> None:
        """Go on to the next attempt.

        Raises:
            JobFailedError: There is none, or another run has bought the job, or it is not the provider that has to do better.
        """
        self.failures.append(error)
        final = isinstance(error, JobCancelledError) or purchase.outcome is Outcome.JOINED
        if final or len(self.failures) >= purchase.order.attempts:
            raise error
        self.charged = together(self.charged, error.charged)
        get_run_logger().warning("%s: tried again: %s", self.name, error)

    async def give_up(self, purchase: Purchase, error: MediaError) -> None:
        """Give up a purchase whose file was refused.

        Raises:
            MediaError: It is not to be bought once more.
        """
        # A job that was not bought here may be another's to fetch, and one more attempt is the most that the block allows.
        if not self.again or purchase.outcome is not Outcome.BOUGHT or purchase.number != 1:
            raise error
        given_up, lost = await _give_up(self.assets, purchase, error, self.spare)
        self.charged, self.again = together(self.charged, lost), not given_up
        if given_up:
            get_run_logger().warning("%s: bought again: %s", self.name, error.what)


def _add_charge(error: Exception, charged: float | None) -> None:
    """Have an error of ours tell what was paid before it as well."""
    if isinstance(error, GenmediaError):
        error.charged = together(charged, error.charged)


async def _leave(assets: AssetStore, purchase: Purchase | None) -> None:
    """Let others know that this run waits for a job no more: whoever comes next takes it up, and tells its cost."""
    if purchase is None:
        return
    with suppress(JournalError):  # what the run has to tell is something else
        async with assets.get_journal() as journal:
            await journal.leave(purchase.attempt, purchase.order.purpose.run)


async def _give_up(assets: AssetStore, purchase: Purchase, error: MediaError, spare: float | None) -> tuple[bool, float | None]:
    """Give up a purchase whose file was refused, so that it can be bought again, and what of its cost is to be reported.

    Not given up is what another process has fetched whole meanwhile, or is at.

    Raises:
        MediaError: The run may not spend that much beyond its plan.
    """
    try:
        async with assets.get_journal() as journal:
            if not await journal.fail(purchase.attempt, f"refused: {error.what}", spare):
                return False, error.charged
            return True, together(error.charged, await journal.report(purchase.attempt, purchase.order.purpose.run))
    except BudgetError:
        raise error from None


async def obtain(item: T, order: Order, assets: AssetStore, spare: float | None, submit: Submit[T], finish: Finish[T]) -> Result:
    """Meet the wish for one item; an error becomes its result."""
    begun = monotonic()
    try:
        with contained(f"{order.account.provider} {order.operation}, item {item.name}"):
            acquired = await acquire(
                item.name, assets, spare, lambda: submit(item, order), lambda purchase: finish(item, purchase)
            )
    except GenmediaError as error:
        tell(item.name, str(error), over=True)
        return Result(
            name=item.name,
            operation=order.operation,
            status=missing(error),
            error=str(error),
            provider=order.account.provider,
            unit=order.unit,
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
    buy_unmarked: bool,
    patience: Patience,
    attempts: int,
    submit: Submit[T],
    finish: Finish[T],
    as_asked: Callable[[T, Order], T] = lambda item, _: item,
) -> State[Any]:
    """Buy, await and store items that have nothing to do with each other, all at once; the client keeps to the account's limits.

    `as_asked` makes of an item what its order asks for, where marks may give it another seed.

    Raises:
        InputError: The file of marks cannot be read.
        BudgetError: It would cost more than `max_credits`, or nobody knows what it would cost.
    """
    async with naming_paid_work(name, assets):
        selection = await select(name, marks, assets, buy_unmarked=buy_unmarked)
    chosen = [(item, selection.choose(item.order(credentials.payer))) for item in items]
    items = [as_asked(item, order) for item, order in chosen]
    wishes = {item.name: order for item, (_, order) in zip(items, chosen, strict=True)}
    warn_of_look_alikes(wishes)
    orders = {
        item.name: on_behalf(
            wishes[item.name],
            credentials,
            Purpose(name, item.name, item.inputs, labels, cap=max_credits, place=item.place),
            patience,
            attempts,
        )
        for item in items
    }

    async def foresee(journal: Journal) -> list[Foreseen]:
        found = {name: outlook_of(await journal.bought(order.key), order.withheld) for name, order in orders.items()}
        return [
            Foreseen(name, credentials.provider, order.operation, order.price, order.unit, order.key, found[name])
            for name, order in orders.items()
        ]

    async def work(spare: Spare) -> list[Result]:
        left = spare[credentials.provider]
        return await every(obtain(item, orders[item.name], assets, left, submit, finish) for item in items)

    caps = {credentials.provider: max_credits}
    return await run_campaign(
        name, payers=[credentials], assets=assets, caps=caps, selection=selection, foresee=foresee, work=work
    )
