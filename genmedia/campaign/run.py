"""A campaign from its brief to its results: planned as a whole, priced, bought and stored, on any host."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property, partial, reduce
from time import monotonic
from typing import Any

from genmedia.campaign.brief import Brief
from genmedia.campaign.delivery import Item, deliver
from genmedia.campaign.executor import (
    Perform,
    RunResult,
    Survey,
    check_apart,
    first_orders,
    inputs_of,
    order_for,
    outputs_of,
    run_plan,
    survey,
    waves,
)
from genmedia.campaign.forecast import LOCAL_SECONDS, Pace, forecast
from genmedia.campaign.host import Host
from genmedia.campaign.marks import IN_THE_JOURNAL, OTHER_MARKS, REJECTED, Selection, marks_of, read_marks
from genmedia.campaign.parts import Part, parts_to_buy, steps_of
from genmedia.campaign.plan import explain, named_files, plan_steps
from genmedia.campaign.prospect import Prospect
from genmedia.campaign.reasons import UNDECIDED, reason
from genmedia.campaign.review import DEADLINE, Waiting
from genmedia.campaign.steps import AnyStep
from genmedia.campaign.variables import stand_in
from genmedia.errors import (
    NOTHING_BOUGHT,
    BudgetError,
    Fault,
    GenmediaError,
    InputError,
    SettingsError,
    StoreError,
    gathering,
    sentence,
)
from genmedia.forms.names import Place, placed
from genmedia.forms.prompts import look_alike
from genmedia.jobs.job import Account, Job
from genmedia.journal import Attempt, AttemptState, Journal, Purpose, StoredAsset
from genmedia.journal.order import Order
from genmedia.journal.reviews import Opinion, Subject
from genmedia.journal.spending import time_zone
from genmedia.progress import Log, Progress, announce, listening_too, tell
from genmedia.providers.base import ProviderClient, at_desk
from genmedia.providers.drafts import Approval
from genmedia.providers.inputs import PendingInput, ResolvedInput
from genmedia.providers.offers import Credentials
from genmedia.providers.registry import kind_of, kinds
from genmedia.providers.sources import File, Unreadable
from genmedia.providers.steps import HERE, FreeKind, Operation, PaidKind, PlannedStep, Submit
from genmedia.purchasing.acquire import Acquired, acquire
from genmedia.purchasing.budget import Foreseen, Outlook, Plan, check_plans, run_cap, shares
from genmedia.purchasing.buy import Outcome, Purchase
from genmedia.purchasing.calls import Assets
from genmedia.purchasing.make import make
from genmedia.purchasing.receive import Received
from genmedia.purchasing.recover import work_under_way
from genmedia.purchasing.result import FAILED, REFUSED, WAITING, together
from genmedia.purchasing.reuse import Stored, reuse
from genmedia.store import Store
from genmedia.store.named_files import Files, files_at_hand, look_at
from genmedia.store.sidecar import Sidecar
from genmedia.transport.pace import ranked

UNIT = "credits"
MADE_AT_ONCE = 4
"""Most steps under way at once that this machine does: it works on fewer, and each holds a task run and a file."""
RECALLED_AT_ONCE = 16
"""Most steps whose outputs are read in the store at once, after the journal has told what became of them."""


@dataclass(frozen=True)
class Ended:
    """End of a run of a campaign.

    Attributes:
        results: Results of its steps, in their order.
        marked: Sentence about the marks that it was run by; empty without marks.
        delivered: Sentence about its delivery; empty where nothing was to be delivered.
        waiting: What people have to decide before it can go on; None where nothing waits for them.
    """

    results: Sequence[RunResult]
    marked: str
    delivered: str = ""
    waiting: Waiting | None = None


async def run_campaign(brief: Brief, host: Host[Any]) -> Ended:
    """Plan a brief, buy what is not bought yet, and keep all outputs; again, where people have decided meanwhile what it waited for.

    Raises:
        InputError: Everything that is wrong with the steps, each with its step and input; nothing was bought.
        HeldError: One of the accounts that pay is held.
        BudgetError: It would cost more than the run's cap, than a cap of an account leaves, or than an account has; or there is a cap, and
            a price is not known. All of that is reported at once.
        SettingsError: There is no such store or, if a form makes the steps, no such account.
        StoreError: There is something to buy, and the store takes no files; or what was made cannot be delivered.
    """
    assets = await host.load_store(brief.store)
    seen = set[str]()
    while True:
        ended = await _carry_out(brief, host, assets)
        if ended is None:
            continue
        if ended.waiting is None:
            return ended
        async with assets.get_journal() as journal:
            decided = (await journal.reviews.standing(ended.waiting.keys)).keys() - seen
        if not decided:
            await host.wait_for_review(ended.waiting, assets)
            return ended
        seen |= decided


async def _carry_out(brief: Brief, host: Host[Any], assets: Assets) -> Ended | None:
    """Run a campaign as far as it goes by the verdicts that there are; see `run_campaign`.

    Returns:
        Its end; None where people decided so late that no part has bought what they let go on: it is to be carried out once more.
    """
    async with AsyncExitStack() as held:
        # Of runs with one priority, those go first that a person started, and may be waiting for.
        held.enter_context(ranked(brief.priority + (0.5 if host.by_person else 0)))
        async with _naming_paid_work(brief.name, assets):
            run = _Run(brief, host, assets, await held.enter_async_context(assets.get_store()), held)
            await run.make_plan()
        await host.begin(brief.name, list(run.payers.values()))
        async with _naming_paid_work(brief.name, assets):
            journal = await held.enter_async_context(assets.get_journal())
            await run.share_accounts(journal)
            await run.decide_overdue(journal, writing=True)
            parts = host.apart.parts if host.apart else ()
            if not parts:
                foreseen = await run.price(journal)
                announce(one.name for one in foreseen)
                parts = run.cut()
        if parts and host.apart:
            runs = await host.apart.carry_out(parts)
            if host.apart.complete and await run.has_more_to_buy(journal):
                await host.apart.renew()
                return None
            results = await run.recall(journal, {host.run, *runs})
        else:
            with _logging_ends(host.log):
                results = await run.buy(journal)
        await host.show_results(brief.name, results, assets, run.store)
        delivered = "" if host.part else await run.deliver(results, journal)
        return Ended(results, run.selection.tell(), delivered, await run.waiting(results, journal))


async def plan_campaign(brief: Brief, host: Host[Any]) -> Prospect:
    """Plan a brief and tell what a run of it would do, buying nothing.

    Raises:
        InputError: Everything that is wrong with the steps, each with its place.
        SettingsError: There is no such store.
        StoreError: The store cannot be read.
    """
    assets = await host.load_store(brief.store)
    async with AsyncExitStack() as held:
        run = _Run(brief, host, assets, await held.enter_async_context(assets.get_store()), held)
        await run.make_plan()
        journal = await held.enter_async_context(assets.get_journal())
        return await run.prospect(journal)


@asynccontextmanager
async def _naming_paid_work(name: str, assets: Assets) -> AsyncGenerator[None]:
    """Add to an error of this block that nothing was bought, and the paid work that earlier runs of the campaign left under way."""
    try:
        yield
    except GenmediaError as error:
        error.bought_nothing, error.money = True, NOTHING_BOUGHT
        with suppress(GenmediaError):  # the error has to be raised, even if the journal cannot be read
            async with assets.get_journal() as journal:
                error.money = await work_under_way(journal, name) or error.money
        raise


@contextmanager
def _logging_ends(log: Log) -> Generator[None]:
    """Write a line into the log for each step that ends in this block; the plan has told how many are reused."""

    def log_too(news: Progress) -> None:
        if news.over and news.what != Outcome.REUSED:
            log.info("%s: %s", news.step, news.what)

    with listening_too(log_too):
        yield


@dataclass
class _Run:
    """One run of a campaign. A form is drafted with it as well; see `genmedia.providers.drafts.Drafting`."""

    brief: Brief
    host: Host[Any]
    assets: Assets
    store: Store
    held: AsyncExitStack
    payers: dict[str, Credentials] = field(default_factory=dict[str, Credentials])
    plan: list[PlannedStep] = field(default_factory=list[PlannedStep])
    to_buy: list[PlannedStep] = field(default_factory=list[PlannedStep])
    _stored: Mapping[str, tuple[Order, Stored]] = field(default_factory=dict[str, "tuple[Order, Stored]"])
    selection: Selection = field(default_factory=Selection)
    _clients: dict[str, ProviderClient] = field(default_factory=dict[str, ProviderClient])
    _operations: dict[str, Operation | Sequence[Fault]] = field(default_factory=dict[str, "Operation | Sequence[Fault]"])
    _files: Files = field(default_factory=Files)
    _fed: set[str] = field(default_factory=set[str])
    _places: Mapping[str, Place] = field(default_factory=dict[str, Place])
    _where: Mapping[str, str] = field(default_factory=dict[str, str])
    _plans: dict[str, Plan] = field(default_factory=dict[str, Plan])
    _keys: Mapping[str, str] = field(default_factory=dict[str, str])
    _locks: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    _making: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MADE_AT_ONCE))

    @property
    def log(self) -> Log:
        """Log of the run."""
        return self.host.log

    @property
    def begun(self) -> datetime:
        """See `Drafting`."""
        return self.host.begun.astimezone(time_zone())

    @property
    def _accounts(self) -> Mapping[str, Account]:
        """The accounts that stand in orders, by provider."""
        return {HERE.provider: HERE, **{provider: payer.payer for provider, payer in self.payers.items()}}

    @cached_property
    def _tasked(self) -> Mapping[str, Any]:
        return {provider: self._client(provider) for provider in self.payers}

    def _client(self, provider: str) -> Any:
        """Client of an account, with its calls made by the host's runner."""
        return self.host.runner.client(self.payers[provider], self._clients[provider])

    # Before there is a plan

    async def client(self, provider: str) -> Any:
        """See `Drafting`."""
        await self._load_payer(provider)
        return self._client(provider)

    async def look_at(self, names: Iterable[str], provider: str, kind: str = "") -> Files:
        """See `Drafting`."""
        await self._load_payer(provider)
        found = await self._look_at(names, self._clients[provider], kind)
        by_any_name = {**found.found, **{found.in_full(name): one for name, one in found.found.items()}}
        self._files = Files({**self._files.found, **by_any_name}, {**self._files.wrong, **found.wrong})
        return found

    async def describe(self, steps: Sequence[AnyStep]) -> Mapping[str, Operation | Sequence[Fault]]:
        """See `Drafting`."""
        for provider in _paid(steps):
            await self._load_payer(provider)
        return await self._describe(steps)

    async def _load_payer(self, provider: str) -> None:
        if provider not in self.payers:
            payer = await self.host.load_payer(provider, self.brief.accounts[provider])
            self._clients[provider] = await self.held.enter_async_context(payer.get_client())
            self.payers[provider] = payer

    async def share_accounts(self, journal: Journal) -> None:
        """Share the accounts with other processes until the run ends; see `at_desk`."""
        for client in self._clients.values():
            await self.held.enter_async_context(at_desk(client, journal))

    async def _look_at(self, names: Iterable[str], fetcher: ProviderClient | None, kind: str = "") -> Files:
        http = fetcher.http if fetcher else None
        return await look_at(await self.held.enter_async_context(files_at_hand(names, self.store, http)), kind)

    async def make_plan(self) -> None:
        """Make the plan; the clients and files that it needs stay open until the run ends.

        Raises:
            InputError: Everything that is wrong.
        """
        brief, edition, repeats, wrong, approvals = self.brief, "", False, list[Fault](), dict[str, Approval]()
        if brief.draft:
            draft = await brief.draft(self)
            steps, self._places, self._where = list[AnyStep | Unreadable](draft.steps), draft.places, draft.where
            edition, repeats, wrong, approvals = draft.edition, draft.repeats, draft.faults, draft.approvals
        else:
            steps, unused = stand_in(brief.steps, photo=brief.photo, prompt=brief.prompt)
            for line in unused:
                self.log.warning("%s", line)
        faults = [*wrong, *await self._load_payers(brief.steps or steps)]
        with gathering(faults):
            self.selection = await self._select(approvals)
        self.plan = self._named([replace(one, edition=edition) for one in await self._planned(steps, faults)])
        self._fed = {run.name for run in self.plan if run.feeds}
        wishes = first_orders(self.plan, self._accounts)
        if not repeats:
            check_apart(wishes)
        self._keys = {name: order.key for name, order in wishes.items()}
        if self.host.part:
            self.plan = steps_of(self.host.part, self.plan, self._keys)
            wishes = {run.name: wishes[run.name] for run in self.plan}
        self._warn_of_look_alikes(wishes)
        self._places = self._places or {run.name: placed(step=(number, run.name)) for number, run in enumerate(self.plan, 1)}

    async def _select(self, approvals: Mapping[str, Approval]) -> Selection:
        """Return what the run may buy: everything if there are no marks. A campaign with a review goes by the verdicts in the journal.

        Raises:
            InputError: They cannot be read, or are no marks; or there are others than the verdicts that a review goes by.
        """
        brief, marks = self.brief, self.brief.marks.strip()
        if not (marks or approvals):
            return Selection(brief.name)
        if approvals and marks not in ("", IN_THE_JOURNAL):
            raise InputError([Fault("marks", OTHER_MARKS)])
        read = None if marks in ("", IN_THE_JOURNAL) else read_marks(brief.marks)
        async with self.assets.get_journal() as journal:
            read = read or marks_of(await journal.reviews.standing_in(brief.name))
            known = await journal.latest(read.retakes().keys() | read.rejects())
            return Selection(brief.name, read, known, brief.buy_unmarked or not marks, approvals)

    async def _load_payers(self, steps: Sequence[AnyStep | Unreadable]) -> list[Fault]:
        """Load the credentials of the accounts that pay for the steps; returns a fault for each account that does not exist."""
        faults: list[Fault] = []
        for provider in _paid(step for step in steps if not isinstance(step, Unreadable)):
            try:
                await self._load_payer(provider)
            except SettingsError as error:
                place = f"account {self.brief.accounts[provider]} of {provider}"
                faults.append(Fault(place, f"{error.what}. {error.advice}".rstrip(".")))
        return faults

    async def _planned(self, steps: Sequence[AnyStep | Unreadable], faults: Sequence[Fault]) -> list[PlannedStep]:
        """Plan the steps and keep their files open; a step without an account is checked as far as its provider is not needed.

        Raises:
            InputError: Everything that is wrong.
        """
        readable = [step for step in steps if not isinstance(step, Unreadable)]
        known = [step for step in readable if not kind_of(step).asks or kind_of(step).provider in self.payers]
        at_hand = set(map(id, known))
        operations = await self._describe(known)  # a sandbox names its origins with its first answer
        origins = {provider: client.http.origins for provider, client in self._clients.items()}
        readers = [
            self._clients[kind.provider] for kind in _paid_kinds() if kind.reads_addresses and kind.provider in self._clients
        ]
        fetcher = next(iter([*readers, *self._clients.values()]), None)
        seen = self._files.found.keys() | self._files.wrong.keys()
        others = await self._look_at([name for name in named_files(readable, origins) if name not in seen], fetcher)
        files = Files({**self._files.found, **others.found}, {**self._files.wrong, **others.wrong})
        written = [step if isinstance(step, Unreadable) or id(step) in at_hand else _unpaid(step, files) for step in steps]
        return plan_steps(written, operations, files, origins, faults, self._where)

    async def _describe(self, steps: Sequence[AnyStep]) -> Mapping[str, Operation | Sequence[Fault]]:
        """Return the operation that each step asks for, by its name, as the providers describe it now; each is asked for once."""
        for kind in kinds():
            if mine := [step for step in steps if kind_of(step) is kind and step.name not in self._operations]:
                payer = self.payers.get(kind.provider)
                client = self._client(kind.provider) if payer else None
                self._operations |= await kind.describe(client, mine, payer)
        return self._operations

    def _named(self, plan: Sequence[PlannedStep]) -> list[PlannedStep]:
        """Return the plan with new names for the steps to which marks give another seed, so that the names show the seed."""
        if self.selection.marks is None:
            return list(plan)
        named = {run.name: run.name for run in plan}
        for run in plan:
            if not run.feeds:
                named[run.name] = run.operation.kind.name_of(run, self._wish(run, inputs_of(run, {})))
        self._places = {named[name]: place for name, place in self._places.items()}
        self.selection.approvals = {named[name]: one for name, one in self.selection.approvals.items()}

        def fed(source: ResolvedInput | PendingInput) -> ResolvedInput | PendingInput:
            return replace(source, run=named[source.run]) if isinstance(source, PendingInput) else source

        return [replace(run, name=named[run.name], inputs=tuple(map(fed, run.inputs))) for run in plan]

    def _warn_of_look_alikes(self, wishes: Mapping[str, Order]) -> None:
        """Warn in the log, before anything is bought, of steps that ask for nearly the same: each is bought."""
        asked = {
            name: (f"{wish.account} {wish.operation} {wish.take}", wish.request) for name, wish in wishes.items() if not wish.free
        }
        for line in look_alike(asked):
            self.log.warning("%s", line)

    # Before anything is bought

    async def decide_overdue(self, journal: Journal, *, writing: bool) -> None:
        """Have the default count where the deadline of a review is over.

        Args:
            journal: The journal.
            writing: True to write these verdicts down.

        Raises:
            InputError: A stored video ends before the picture that is asked for, or a file of the store was changed or removed for good.
            StoreError: The store cannot be read.
        """
        if not any(one.deadline for one in self.selection.approvals.values()):
            return
        await self._survey(journal)
        wanted, now = await journal.reviews.wanted(self.brief.name), datetime.now(UTC)
        said: list[tuple[Opinion, str, Sidecar]] = []
        for name, (order, stored) in self._stored.items():
            approval = self.selection.approvals.get(name)
            if approval and approval.is_over(wanted.get(order.key), now) and self.selection.awaits(name, order):
                opinion = Opinion(approval.default, DEADLINE, "nobody had decided in time")
                said += [(opinion, one.path, one.sidecar) for one in stored.assets if not one.forgotten_at]
        if writing:
            await journal.reviews.give(said)
        self.selection = self.selection.with_verdicts((Subject.of(path, told), opinion) for opinion, path, told in said)

    async def price(self, journal: Journal) -> list[Foreseen]:
        """Check that what is not bought yet may be bought, and show the plan; returns the outlook of each step.

        Raises:
            BudgetError: A budget, a cap, a hold or the balance of an account does not allow it.
            InputError: An input of a step was changed since it was stored, or removed for good.
            StoreError: There is something to buy, and the store takes no files.
        """
        try:
            await self.store.sweep()
        except StoreError as error:
            self.log.warning("what earlier runs left on its way in was not cleared away: %s", error.what)
        found = await self._survey(journal)
        foreseen = self._foresee(found, await self._caps(journal))
        prospect = await self._prospect(journal, foreseen, "")
        await self.host.show_plan(self.brief.name, prospect, self.selection.tell(), self.assets)
        await self._check_plans(journal)
        if self.to_buy:
            await self.store.check()  # the store must take a file, before anything is bought for it
        await self.host.warn(self.assets, {key for plan in self._plans.values() for key in plan.keys})
        return foreseen

    async def _survey(self, journal: Journal) -> Survey:
        found = await survey(self.plan, self._accounts, self.brief.take, self.selection, journal, self.store)
        self.to_buy, self._stored = found.to_buy, found.stored
        return found

    def _foresee(self, found: Survey, caps: Mapping[str, float | None]) -> list[Foreseen]:
        keys = {run.name: self._wish(run, inputs_of(run, {})).key for run in self.to_buy if not run.feeds}
        foreseen = [_foreseen(run.name, run.operation, keys.get(run.name, ""), found.outlook.get(run.name)) for run in self.plan]
        self._plans = {provider: self._plan(payer, foreseen, caps[provider]) for provider, payer in self.payers.items()}
        return foreseen

    async def _check_plans(self, journal: Journal) -> None:
        await check_plans(journal, [(plan, self._clients[provider]) for provider, plan in self._plans.items()])

    async def prospect(self, journal: Journal) -> Prospect:
        """Tell what the run would do.

        Raises:
            InputError: An input of a step was changed since it was stored, or removed for good.
            StoreError: The store cannot be read.
        """
        await self.decide_overdue(journal, writing=False)
        found = await self._survey(journal)
        refused: list[BudgetError] = []
        caps: dict[str, float | None] = dict.fromkeys(self.payers)
        try:
            caps = await self._caps(journal)
        except BudgetError as error:
            refused.append(error)
        foreseen = self._foresee(found, caps)
        try:
            await self._check_plans(journal)
        except BudgetError as error:
            refused.append(error)
        told = " ".join(part for error in refused for part in (sentence(error.what), error.advice) if part)
        return await self._prospect(journal, foreseen, told)

    async def _prospect(self, journal: Journal, foreseen: Sequence[Foreseen], refused: str) -> Prospect:
        before = await journal.asked(self.brief.name) if self.to_buy else {}
        orders = {run.name: self._wish(run, inputs_of(run, {})) for run in self.to_buy if not run.feeds}
        why = {run.name: reason(orders.get(run.name), before.get(run.name)) for run in self.to_buy}
        why |= {one.name: UNDECIDED for one in foreseen if one.outlook is Outlook.TO_REVIEW}
        known = first_orders(self.to_buy, self._accounts)
        seconds = {
            name: LOCAL_SECONDS if order.free else (await journal.running_times.of(order.work)).p50
            for name, order in known.items()
        }
        untimed = [name for name, one in seconds.items() if one is None]
        paces = {
            provider: Pace(client.terms.open_jobs, client.http.pace.per_minute, client.http.clock_scale)
            for provider, client in self._clients.items()
        } | {HERE.provider: Pace(MADE_AT_ONCE, None, 1.0)}
        timed = {name: one for name, one in seconds.items() if one is not None}
        took = forecast(self.to_buy, timed, paces, self.brief.at_once) if self.to_buy and not untimed else None
        edition = next((run.edition for run in self.plan), "")
        handover = self.brief.handover()
        place = handover.place.root if handover else ""
        return Prospect(foreseen, self._plans, why, edition, took, untimed, refused, place, self._steps_of_items())

    def _steps_of_items(self) -> Mapping[str, str]:
        """Return the step that each item is of, by the item's name; none of those whose form has no steps."""
        told = {
            name: next((str(one["value"]) for one in place if one["name"] == "step"), "") for name, place in self._places.items()
        }
        return {name: step for name, step in told.items() if step}

    def _plan(self, payer: Credentials, foreseen: Sequence[Foreseen], cap: float | None) -> Plan:
        bought = (Outlook.TO_BUY, Outlook.AFTER_REVIEW)
        left = [one for one in foreseen if one.provider == payer.provider and one.outlook in bought]
        costs = {one.name: payer.assumed_price if one.price is None else one.price for one in left}
        keys = [one.key for one in left if one.key]
        return Plan(
            str(payer.payer), left[0].unit if left else "", costs, Purpose(self.brief.name, run=self.host.run, cap=cap), keys
        )

    async def _caps(self, journal: Journal) -> dict[str, float | None]:
        """Return the cap at each provider, in the unit of its prices; None for no limit.

        Raises:
            BudgetError: A cap is in another unit than the prices, or all of it would cost more than one budget for all providers.
        """
        if self.host.part:
            return {provider: self.host.part.caps.get(provider) for provider in self.payers}
        may_be_in_usd = {kind.provider for kind in kinds() if kind.in_usd}
        budget = self.brief.max_credits
        left = {one: [step for step in self.to_buy if step.operation.provider == one] for one in self.payers}
        caps: dict[str, float | None] = {}
        for provider in self.payers:
            units = {step.operation.unit for step in self.plan if step.operation.provider == provider}
            most = budget.get(provider) if isinstance(budget, Mapping) else budget
            in_usd = self.brief.max_usd if provider in may_be_in_usd else None
            caps[provider] = run_cap(provider, units, most, in_usd, to_buy=bool(left[provider]))
        if not isinstance(budget, Mapping) and budget is not None:
            caps |= await self._shares(budget, left, journal)
        return caps

    async def _shares(self, budget: float, runs: Mapping[str, Sequence[PlannedStep]], journal: Journal) -> dict[str, float]:
        """Return the share of each provider whose prices are in credits; see `shares`.

        Raises:
            BudgetError: All of it would cost more than the budget, or a price is not known.
        """
        costs = {
            one: _costs(self.payers[one], some) for one, some in runs.items() if all(run.operation.unit == UNIT for run in some)
        }
        spent = {one: await journal.money.spent(str(self.payers[one].payer), UNIT, self.host.run) for one in costs}
        return shares(budget, costs, spent)

    def cut(self) -> list[Part]:
        """Return the parts that runs of their own are to buy; none where this run buys all."""
        size = self.brief.items_per_run
        if size is None or self.host.apart is None:
            return []
        return parts_to_buy(self.plan, size, self.host.begun, self._keys, {step.name for step in self.to_buy}, self._plans)

    async def has_more_to_buy(self, journal: Journal) -> bool:
        """True if there is something that can be bought now, and could not before people decided."""
        if not self.selection.approvals:
            return False
        found = await self._survey(journal)
        return any(found.outlook.get(step.name) is not Outlook.AFTER_REVIEW for step in found.to_buy)

    # Buying

    async def recall(self, journal: Journal, runs: Collection[str]) -> list[RunResult]:
        """Return what became of each step by the journal, and buy nothing.

        The journal is asked about all steps at once that have the same number of feeders above them.

        Args:
            journal: The journal.
            runs: Ids of the runs that bought for this one: what they paid is reported, and what others paid is reused.
        """
        results: dict[str, RunResult] = {}
        for wave in waves(self.plan):
            outputs = {name: one.outputs for name, one in results.items() if one.done}
            keys: set[str] = set()
            for run in wave:
                with suppress(GenmediaError):  # its result tells why it has no order
                    keys.add(self._wish(run, inputs_of(run, outputs)).key)
            tries = await journal.tried(keys)
            stored = [some[-1].id for some in tries.values() if some[-1].state is AttemptState.STORED]
            recalled = self._recalled(tries, await journal.assets_of(stored), runs)
            told = await run_plan(wave, recalled, at_once=RECALLED_AT_ONCE, before=results)
            results |= {one.name: one for one in told}
        return [results[run.name] for run in self.plan]

    def _recalled(
        self, tries: Mapping[str, Sequence[Attempt]], stored: Mapping[int, Sequence[StoredAsset]], runs: Collection[str]
    ) -> Perform:
        """Return what tells the result of a step, by all attempts at its order and the files of those that are stored."""

        async def recalled(run: PlannedStep, inputs: list[ResolvedInput]) -> RunResult:
            order = self._wish(run, inputs)
            mine = tries.get(order.key, ())
            paid = [one.at_stake for one in mine if one.run in runs and one.state is not AttemptState.REFUSED]
            last = mine[-1] if mine else None
            is_stored = last is not None and last.state is AttemptState.STORED
            assets = tuple(stored[last.id]) if last and is_stored else ()
            return RunResult(
                name=run.name,
                operation=run.operation.name,
                status=_status_of(last, order, runs),
                job_id=(last and last.remote_id) or "",
                provider=run.operation.provider,
                unit=order.unit,
                charged=reduce(together, paid, 0.0),
                assets=assets,
                error="" if is_stored else _why_missing(last, order.withheld),
                outputs=await outputs_of(run.name, assets, self.store),
                rejected=order.withheld == REJECTED,
                undecided=bool(assets) and self.selection.awaits(run.name, order),
            )

        return recalled

    async def buy(self, journal: Journal) -> list[RunResult]:
        """Buy what is planned, wait for its jobs, and store their outputs. What is stored needs no work of the runner.

        Raises:
            InputError: An input, stored or still to be made, cannot get to its provider.
        """
        async with _naming_paid_work(self.brief.name, self.assets):
            for line in await explain(self.plan, self._clients, self.store) if self.to_buy else ():
                self.log.info("%s", line)
            staged = await self._stage()

        async def perform(run: PlannedStep, inputs: list[ResolvedInput]) -> RunResult:
            return await self._perform(run, inputs, journal)

        once, failing = self.brief.at_once, self.brief.on_failure
        slotless = self._stored.keys() | {run.name for run in staged if run.operation.free}
        return await run_plan(staged, perform, at_once=once, on_failure=failing, slotless=slotless)

    async def _stage(self) -> list[PlannedStep]:
        """Return the plan with its existing inputs brought to where their providers read them, before the first credit is spent.

        Raises:
            InputError: An input, stored or still to be made, cannot get to its provider.
        """
        by_name = {step.name: step for step in self.plan}
        staged: dict[str, PlannedStep] = {}
        for kind in _paid_kinds():
            if mine := [step for step in self.to_buy if step.operation.kind is kind]:
                staged |= {step.name: step for step in await kind.stage(self._tasked[kind.provider], self.store, by_name, mine)}
        return [staged.get(step.name, step) for step in self.plan]

    def _wish(self, run: PlannedStep, inputs: Sequence[ResolvedInput]) -> Order:
        """Return the order of a run, as the marks change it."""
        order = order_for(run, inputs, self._accounts[run.operation.provider], self.brief.take)
        return self.selection.choose(order, run.operation.kind.reword, run.name if run.name in self._fed else "")

    def _order(self, run: PlannedStep, inputs: Sequence[ResolvedInput], wish: Order) -> Order:
        """Return the order of a run with the purpose, caps and patience of this run of the campaign."""
        brief = self.brief
        purpose = Purpose(
            brief.name,
            run.name,
            [one.about() for one in inputs],
            brief.labels,
            run=self.host.run,
            place=self._places[run.name],
        )
        if wish.free:
            return replace(wish, purpose=purpose)
        payer, plan = self.payers[run.operation.provider], self._plans[run.operation.provider]
        return replace(
            wish,
            assumed=payer.assumed_price,
            if_in_doubt=payer.if_in_doubt,
            purpose=replace(purpose, cap=plan.purpose.cap, spare=plan.spare),
            patience=brief.patience.queue_minutes * 60,
            attempts=brief.attempts,
        )

    async def _perform(self, run: PlannedStep, inputs: list[ResolvedInput], journal: Journal) -> RunResult:
        begun, operation = monotonic(), run.operation
        wish, there = self._stored.get(run.name) or (self._wish(run, inputs), None)
        order, job = self._order(run, inputs, wish), None
        if there:
            acquired = await reuse(run.name, order, there, journal, self.store)
        else:
            async with self._locks[order.key]:  # equal inputs give two runs the same order: the second reuses
                acquired, job = await self._acquire(run, inputs, order)
        kind = operation.kind
        if self.brief.delete_after and acquired.assets and isinstance(kind, PaidKind):
            await self._delete(kind, run.name, acquired.purchase.job_id)
        return RunResult(
            name=run.name,
            operation=operation.name,
            status=acquired.status,
            job_id=acquired.purchase.job_id,
            seconds=monotonic() - begun,
            provider=operation.provider,
            unit=order.unit,
            charged=acquired.charged,
            assets=acquired.assets,
            error=acquired.refused or acquired.purchase.why_not,
            outputs=await outputs_of(run.name, acquired.assets, self.store, job),
            rejected=order.withheld == REJECTED,
            undecided=bool(acquired.assets) and self.selection.awaits(run.name, order),
        )

    async def _acquire(self, run: PlannedStep, inputs: list[ResolvedInput], order: Order) -> tuple[Acquired, Job | None]:
        """Carry out an order to its end; return its result, and its job as it was seen last, where there is one."""
        operation, kind, runner, job = run.operation, run.operation.kind, self.host.runner, None
        if isinstance(kind, FreeKind):
            (output,) = operation.gives
            produce = partial(kind.make, self.store, operation, inputs, order)
            async with self._making:
                made = await runner.make(self.assets, order, partial(make, self.assets, order, output, produce))
            return Acquired(made, made.assets, 0.0), None
        assert isinstance(kind, PaidKind)
        payer, client = self.payers[kind.provider], self._tasked[kind.provider]

        async def deliver(sending: AsyncExitStack) -> Submit:
            return await kind.deliver(client, self.store, operation, inputs, order, sending)

        async def submit() -> Purchase:
            return await runner.submit(payer, self.assets, order, deliver)

        async def finish(purchase: Purchase) -> Received:
            nonlocal job
            job = await runner.wait(payer, self.assets, purchase, run.name, self.brief.patience)
            return await runner.store(payer, self.assets, purchase, job)

        spare = self._plans[kind.provider].spare
        return await acquire(run.name, self.assets, spare, submit, finish, self.log), job

    async def deliver(self, results: Sequence[RunResult], journal: Journal) -> str:
        """Hand over the files of the steps that are done, except those that a person wants otherwise; returns a sentence about it.

        Raises:
            InputError: Two files would have one name; nothing was delivered.
            SettingsError: The place cannot be used; nothing was delivered.
            StoreError: The place refused.
        """
        if (handover := self.brief.handover()) is None:
            return ""
        decided = [result for result in results if not result.undecided]
        made = [(result.name, asset) for result in decided for asset in result.assets if not asset.forgotten_at]
        reviews = await journal.reviews.standing({asset.sidecar.submission_key for _, asset in made})
        said = {one.subject.path: one.opinion for some in reviews.values() for one in some}
        items = [
            Item(
                path=asset.path,
                sidecar=asset.sidecar,
                step=name,
                verdict=((opinion := said.get(asset.path)) and opinion.verdict) or "",
                by=opinion.who if opinion else "",
            )
            for name, asset in made
        ]
        wanted = handover.items(one for one in items if one.verdict not in ("reject", "retake"))
        try:
            async with Store.lease(handover.place) as place:
                report = await deliver(wanted, handover.wish, self.store, place, prune=handover.prune)
        except GenmediaError as error:
            error.money = "What was bought is in the store, and nothing is bought again for a delivery."
            raise
        for fault in report.faults:
            self.log.error("%s could not be delivered: %s", fault.place, fault.what)
        told = report.told
        tell("delivery", told)
        return told

    async def waiting(self, results: Sequence[RunResult], journal: Journal) -> Waiting | None:
        """Return what people have to decide before the run can go on, and write down that it waits for them; None where nothing does."""
        items = {one.name: one for one in results if one.undecided}
        if not items:
            return None
        held = sum(one.status == WAITING for one in results)
        keys = {name: one.assets[0].sidecar.submission_key for name, one in items.items()}
        await journal.reviews.want(self.brief.name, keys.values())
        heard, wanted = await journal.reviews.last(), await journal.reviews.wanted(self.brief.name)
        ends = [
            wanted[key] + deadline
            for name, key in keys.items()
            if (deadline := self.selection.approvals[name].deadline) is not None
        ]
        since = max(wanted[key] for key in keys.values())
        return Waiting(self.brief.name, list(items.values()), held, since, heard, min(ends, default=None))

    async def _delete(self, kind: PaidKind[Any], name: str, job_id: str) -> None:
        """Delete a job at the provider once its files are stored; a failure is only a warning, for the job's storage there just remains."""
        try:
            await kind.delete(self._tasked[kind.provider], job_id)
        except GenmediaError as error:
            self.log.warning("%s: job %s stays at %s: %s", name, job_id, kind.provider, error.what)


def _status_of(last: Attempt | None, order: Order, runs: Collection[str]) -> str:
    """Return the status of a step by its last attempt."""
    if last is None:
        return Outcome.NOT_BOUGHT if order.withheld else FAILED
    if last.state is AttemptState.STORED:
        return Outcome.REUSED if last.run not in runs else Outcome.MADE if order.free else Outcome.BOUGHT
    return REFUSED if last.state is AttemptState.CONTENT_REFUSED else FAILED


def _why_missing(last: Attempt | None, withheld: str) -> str:
    if last is None:
        return withheld or "it was not bought; the run of its part says why"
    return last.reason or f"it is {last.state.in_words}"


def _unpaid(step: AnyStep, files: Files) -> Unreadable:
    """Replace a step without an account, whose provider cannot be asked, by one with the faults of its files."""
    named = [(name, source.file) for name, source in kind_of(step).sources(step) if isinstance(source, File)]
    return Unreadable(
        step.name, tuple(Fault(f"input {name}", f"{file} {files.wrong[file]}") for name, file in named if file in files.wrong)
    )


def _costs(payer: Credentials, runs: Sequence[PlannedStep]) -> list[float | None]:
    """Price of each run, or the price that its account assumes; None if neither is known."""
    return [payer.assumed_price if run.operation.price is None else run.operation.price for run in runs]


def _foreseen(name: str, operation: Operation, key: str, outlook: Outlook | None) -> Foreseen:
    outlook = outlook or (Outlook.TO_MAKE if operation.free else Outlook.TO_BUY)
    return Foreseen(name, operation.provider, operation.name, operation.price, operation.unit, key, outlook)


def _paid_kinds() -> list[PaidKind[Any]]:
    return [kind for kind in kinds() if isinstance(kind, PaidKind)]


def _paid(steps: Iterable[AnyStep]) -> list[str]:
    """Return the providers that are paid for the steps."""
    return sorted({kind.provider for kind in map(kind_of, steps) if isinstance(kind, PaidKind)})
