"""A campaign from its brief to its results: planned as a whole, priced, bought and stored, on any host."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property, partial, reduce
from time import monotonic
from typing import Any

from typing_extensions import override

from genmedia.campaign.brief import Brief, Measure, OnFailure
from genmedia.campaign.delivery import Item, check_outside, deliver, read_manifest
from genmedia.campaign.executor import (
    Perform,
    RunResult,
    Survey,
    check_apart,
    feed,
    first_orders,
    inputs_of,
    options_of,
    order_for,
    outputs_of,
    run_plan,
    survey,
    waves,
    whose,
)
from genmedia.campaign.forecast import LOCAL_SECONDS, Pace, forecast
from genmedia.campaign.host import Host
from genmedia.campaign.instead import (
    CHEAPER,
    FALLBACK,
    Option,
    aliased,
    beside,
    called,
    in_turn,
    joined,
    may_follow,
    stands_in,
    swapped,
)
from genmedia.campaign.marks import IN_THE_JOURNAL, OTHER_MARKS, REJECTED, Selection, marks_of, read_marks
from genmedia.campaign.parts import Part, parts_to_buy, steps_of
from genmedia.campaign.plan import explain, named_files, plan_steps
from genmedia.campaign.prospect import Prospect
from genmedia.campaign.reasons import UNDECIDED, reason
from genmedia.campaign.review import DEADLINE, Waiting
from genmedia.campaign.shortage import OVER_BUDGET, Wanted, beyond, short
from genmedia.campaign.steps import AnyStep
from genmedia.campaign.variables import stand_in
from genmedia.campaign.warnings import cut_off, expiring
from genmedia.errors import (
    NOTHING_BOUGHT,
    ApiError,
    BudgetError,
    Fault,
    GenmediaError,
    InputError,
    JobError,
    NoAnswerError,
    ServerError,
    SettingsError,
    StoreError,
    UnreachableError,
    gathering,
    sentence,
)
from genmedia.forms.names import Place, placed
from genmedia.forms.prompts import look_alike
from genmedia.jobs.job import Account, Job
from genmedia.journal import Attempt, AttemptState, Journal, Label, Purpose, Share, StoredAsset
from genmedia.journal.order import Order
from genmedia.journal.reviews import Opinion, Subject
from genmedia.journal.spending import time_zone
from genmedia.progress import Log, Progress, announce, listening_too, tell
from genmedia.providers.base import ProviderClient, at_desk
from genmedia.providers.drafts import Approval, Policy
from genmedia.providers.inputs import PendingInput, ResolvedInput
from genmedia.providers.offers import Credentials
from genmedia.providers.registry import kind_of, kinds
from genmedia.providers.sources import File, Unreadable
from genmedia.providers.steps import HERE, FreeKind, Operation, PaidKind, PlannedStep, Submit
from genmedia.purchasing.acquire import Acquired, acquire
from genmedia.purchasing.budget import Foreseen, Limit, Outlook, Plan, check_plans, run_cap, shares
from genmedia.purchasing.buy import Outcome, Purchase
from genmedia.purchasing.calls import Assets
from genmedia.purchasing.make import make
from genmedia.purchasing.patience import Patience
from genmedia.purchasing.receive import Received
from genmedia.purchasing.recover import work_under_way
from genmedia.purchasing.result import FAILED, REFUSED, WAITING, missing, together
from genmedia.purchasing.reuse import Stored, reuse
from genmedia.store import Store
from genmedia.store.named_files import Files, files_at_hand, look_at
from genmedia.store.sidecar import Sidecar
from genmedia.transport.pace import ranked

UNIT = "credits"
MADE_AT_ONCE = 4
"""Most steps under way at once that this machine does: it works on fewer, and each holds a task run and a file."""
_UNHEARD = logging.getLogger(f"{__name__}.unheard")
_UNHEARD.disabled = True
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
        decided: Sentences about what was done because a budget was short, or a provider could not be reached.
        short: True if a budget, a cap or a balance was too small for what was asked for.
    """

    results: Sequence[RunResult]
    marked: str
    delivered: str = ""
    waiting: Waiting | None = None
    decided: Sequence[str] = ()
    short: bool = False


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
        waiting = await run.waiting(results, journal)
        return Ended(results, run.selection.tell(), delivered, waiting, run.decided, run.is_short)


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


class _Noting(logging.LoggerAdapter[Any]):
    """A log that keeps its warnings as well, for the plan."""

    def __init__(self, log: Log) -> None:
        super().__init__(log)
        self.noted: list[str] = []

    @override
    def log(self, level: int, msg: object, *args: Any, **more: Any) -> None:
        if level == logging.WARNING:
            self.noted.append(str(msg) % args)
        super().log(level, msg, *args, **more)


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
    _orders: Mapping[str, Order] = field(default_factory=dict[str, Order])
    _places: Mapping[str, Place] = field(default_factory=dict[str, Place])
    _where: Mapping[str, str] = field(default_factory=dict[str, str])
    _plans: dict[str, Plan] = field(default_factory=dict[str, Plan])
    _keys: Mapping[str, str] = field(default_factory=dict[str, str])
    _locks: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    decided: list[str] = field(default_factory=list[str])
    without: set[str] = field(default_factory=set[str])
    cheaper: set[str] = field(default_factory=set[str])
    paused: set[str] = field(default_factory=set[str])
    _labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, "Mapping[str, str]"])
    _policies: Mapping[str, Policy] = field(default_factory=dict[str, Policy])
    _monthly: dict[str, dict[str, float]] = field(default_factory=dict[str, "dict[str, float]"])
    _again: bool = False
    _others: Mapping[str, tuple[str, str, Any]] = field(default_factory=dict[str, "tuple[str, str, Any]"])
    _away: dict[str, ApiError] = field(default_factory=dict[str, ApiError])
    _making: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MADE_AT_ONCE))

    def __post_init__(self) -> None:
        self._noting = _Noting(self.host.log)

    @property
    def log(self) -> Log:
        """Log of the run; of nobody while a plan is made again, for what it warns of was told before."""
        return _UNHEARD if self._again else self._noting

    @property
    def is_short(self) -> bool:
        """True if less is made than was asked for, as a budget is short."""
        return bool(self.without or self.cheaper or self.paused)

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
            self._labels, self._policies = draft.labels, draft.policies
        else:
            steps, unused = stand_in(brief.steps, photo=brief.photo, prompt=brief.prompt)
            for line in unused:
                self.log.warning("%s", line)
        self._others = {step.name: (name, instead, step) for name, instead, step in beside(self._policies)}
        others = [step for _, _, step in self._others.values()]
        where = {own: f"{self._where.get(name, name)}, {own}" for own, (name, _, _) in self._others.items()}
        self._where = {**self._where, **where}
        asked = [*(brief.steps or steps), *others]
        faults = [*wrong, *await self._load_payers(asked)]
        with gathering(faults):
            self.selection = await self._select(approvals)
        planned = await self._planned([*steps, *others], faults, edition)
        if repeats:
            self._check_items(planned, {one.name for one in (*steps, *others)})
        plan = joined([replace(one, edition=edition) for one in planned], self._where)
        plan = [replace(one, instead=FALLBACK) if one.name in self._away else one for one in plan]
        self.plan = self._named([self._at_its_price(one) for one in plan])
        self._fed = {run.name for run in self.plan if run.feeds}
        wishes = first_orders(self.plan, self._accounts)
        if not repeats:
            check_apart(wishes)
        self._keys = {name: order.key for name, order in wishes.items()}
        if self.host.part:
            self.plan = steps_of(self.host.part, self.plan, self._keys)
            wishes = {run.name: wishes[run.name] for run in self.plan}
        self._warn_of_look_alikes(wishes)
        for line in cut_off(self.plan):
            self.log.warning("%s", line)
        self._places = self._places or {run.name: placed(step=(number, run.name)) for number, run in enumerate(self.plan, 1)}

    def _check_items(self, planned: Sequence[PlannedStep], names: Collection[str]) -> None:
        """Refuse an item that is run once for each of several outputs: nothing of the file is said of such a part of it.

        Raises:
            InputError: There is one.
        """
        told = "is run once for each output of what feeds it; name the output that it takes, in a step for each"
        parts = {run.name.rpartition("-")[0] for run in planned if run.name not in names}
        if parts:
            raise InputError([Fault(self._where.get(name, name), told) for name in sorted(parts)])

    def _at_its_price(self, run: PlannedStep) -> PlannedStep:
        """Return the cheaper step in the place of one for which the budget does not suffice."""
        other = next((one for one in run.others if one.instead == CHEAPER), None) if run.name in self.cheaper else None
        return swapped(run, other) if other else run

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

    async def _planned(self, steps: Sequence[AnyStep | Unreadable], faults: Sequence[Fault], edition: str) -> list[PlannedStep]:
        """Plan the steps and keep their files open; a step without an account is checked as far as its provider is not needed.

        Raises:
            InputError: Everything that is wrong.
        """
        readable = [step for step in steps if not isinstance(step, Unreadable)]
        known = [step for step in readable if not kind_of(step).asks or kind_of(step).provider in self.payers]
        at_hand = set(map(id, known))
        operations = await self._describe(known)  # a sandbox names its origins with its first answer
        if self._away:
            steps = await self._without_those_away(steps, edition)
            readable = [step for step in steps if not isinstance(step, Unreadable)]
            at_hand = set(map(id, (step for step in readable if step.name in operations)))
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

    async def _without_those_away(self, steps: Sequence[AnyStep | Unreadable], edition: str) -> list[AnyStep | Unreadable]:
        """Return the steps without those whose provider cannot be asked, each of which has its fallback in its place.

        Raises:
            ApiError: There is none that can be asked, or it is not known whether what the provider made before is there already.
        """
        async with self.assets.get_journal() as journal:
            asked = await journal.asked(self.brief.name)
            answers = await journal.answers({one.key for one in asked.values()})
        first: dict[str, Any] = {}  # of the fallbacks of each step, that can be asked
        for own, (name, instead, step) in self._others.items():
            if own not in self._away and instead == FALLBACK:
                first.setdefault(name, step)
        found: list[AnyStep | Unreadable] = []
        for step in steps:
            if step.name not in self._away:
                found.append(step)
            elif step.name not in self._others:
                before, instead = asked.get(step.name), first.get(step.name)
                kept = before and before.key in answers and before.of(kind_of(step).provider, edition)
                if instead is None or kept:
                    raise self._away[step.name]
                self._operations[step.name] = self._operations[instead.name]
                found.append(instead.model_copy(update={"name": step.name}))
        told = dict.fromkeys(
            f"a provider could not be asked, and fallbacks are used: {error.what}" for error in self._away.values()
        )
        self.decided += [one for one in told if one not in self.decided]
        promoted = {first[name].name for name in self._away.keys() & first.keys()}
        return [step for step in found if step.name not in promoted]

    async def _describe(self, steps: Sequence[AnyStep]) -> Mapping[str, Operation | Sequence[Fault]]:
        """Return the operation that each step asks for, by its name, as the providers describe it now; each is asked for once.

        A step whose provider cannot be asked is left out if it has a fallback, or is one.
        """
        may_be_away = self._others.keys() | {name for name, policy in self._policies.items() if policy.fallbacks}
        for kind in kinds():
            if mine := [step for step in steps if kind_of(step) is kind and step.name not in self._operations]:
                payer = self.payers.get(kind.provider)
                client = self._client(kind.provider) if payer else None
                try:
                    self._operations |= await kind.describe(client, mine, payer)
                except (UnreachableError, NoAnswerError, ServerError) as error:
                    if not may_be_away.issuperset(step.name for step in mine):
                        raise
                    self._away |= {step.name: error for step in mine}
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

        def renamed(run: PlannedStep) -> PlannedStep:
            others = tuple(map(renamed, run.others))
            return replace(run, name=named[run.name], inputs=tuple(map(fed, run.inputs)), others=others)

        return list(map(renamed, plan))

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
        foreseen = await self._foresee(journal)
        prospect = await self._prospect(journal, foreseen, "")
        told = "; ".join(filter(None, (self.selection.tell(), *self.decided)))
        await self.host.show_plan(self.brief.name, prospect, told, self.assets)
        await self._check_plans(journal)
        await self._check_delivery(writing=bool(self.to_buy))
        if self.to_buy:
            await self.store.check()  # the store must take a file, before anything is bought for it
        await self.host.warn(self.assets, {key for plan in self._plans.values() for key in plan.keys})
        return foreseen

    async def _check_delivery(self, *, writing: bool) -> None:
        """Refuse a place that the run could not deliver to, before anything is paid for.

        Args:
            writing: True to write a small file there as well, and take it away again.

        Raises:
            SettingsError: The place is in the store, or holds the delivery of another campaign.
            StoreError: It cannot be read or written.
        """
        if (handover := self.brief.handover()) is None or self.host.part:
            return
        async with Store.lease(handover.place) as place:
            check_outside(self.store, place)
            await read_manifest(place, self.brief.name)
            if writing:
                await place.check()

    async def _survey(self, journal: Journal) -> Survey:
        found = await survey(self.plan, self._accounts, self.brief.take, self.selection, journal, self.store)
        self.plan = [
            swapped(run, run.others[found.instead[run.name] - 1]) if run.name in found.instead else run for run in self.plan
        ]
        self.to_buy, self._stored = [run for run in found.to_buy if run.name not in self.paused], found.stored
        found.outlook.update({run.name: Outlook.OVER_BUDGET for run in found.to_buy if run.name in self.paused})
        return found

    async def _foresee(self, journal: Journal) -> list[Foreseen]:
        """Return the outlook of each step, after what is to be done where a budget is short.

        Raises:
            BudgetError, InputError, StoreError: See `price`.
        """
        foreseen = self._outlooks(await self._survey(journal), await self._caps(journal))
        for measure, part in () if self.host.part else self.brief.when_short:
            while limits := [limit.at(part) for limit in await self._limits(journal)]:
                if not (names := short(limits, self._wanted())) or not (told := self._save(measure, names, limits)):
                    break
                why = "the budget is short" if part == 1 else f"beyond {part:.0%} of the budget"
                self.decided.append(f"{why}, {measure}: {told}")
                if measure != "pause":
                    self._again, self._operations, self._away = True, {}, {}  # what is made of less takes less
                    await self.make_plan()
                    self._again = False
                foreseen = self._outlooks(await self._survey(journal), await self._caps(journal))
        return foreseen

    async def _limits(self, journal: Journal) -> list[Limit]:
        plans = [(plan, self._clients[provider]) for provider, plan in self._plans.items() if plan.prices]
        return [limit for plan, client in plans for limit in await plan.limits(journal, client)]

    def _wanted(self) -> list[Wanted]:
        """Return what is to be bought, in its order."""
        prices = {name: price for plan in self._plans.values() for name, price in plan.prices.items()}
        return [
            Wanted(run.name, run.operation.provider, prices.get(run.name, 0.0), self._labels_of(run.name), run.feeds)
            for run in self.to_buy
        ]

    def _save(self, measure: Measure, names: Collection[str], limits: Sequence[Limit]) -> str:
        """Ask for less, and return the sentence about it; empty where the measure can do nothing more.

        Args:
            measure: The measure.
            names: What comes under a budget that is short.
            limits: All that limits the plan.
        """
        match measure:
            case "fewer takes":
                takes = {name: self._of_place(name, "take", 1) for name in names}
                highest = max(takes.values())
                less = {name for name, take in takes.items() if take == highest > 1}
                told = f"without take {highest} of"
                self.without |= less
            case "cheaper model":
                cheaper = {run.name for run in self.to_buy for one in run.others if one.instead == CHEAPER and _saves(run, one)}
                less, told = (cheaper & set(names)) - self.cheaper, "another step in place of"
                self.cheaper |= less
            case "pause":
                less, told = beyond(limits, self._wanted()), "a later run buys"
                self.paused |= less
        steps = dict.fromkeys(str(self._of_place(run.name, "step", run.name)) for run in self.plan if run.name in less)
        count = "1 item" if len(less) == 1 else f"{len(less)} items"
        return f"{told} {', '.join(steps)} ({count})" if less else ""

    def _of_place(self, name: str, of: str, default: Any) -> Any:
        """Return a step's own coordinate of its place: the number of its take, or the name of what it is an item of."""
        one = next((one for one in self._places[name] if one["name"] == of), None)
        return default if one is None else one["number"] if of == "take" else one["value"]

    def _labels_of(self, name: str) -> Mapping[str, str]:
        return self._labels.get(name) or self.brief.labels

    def _outlooks(self, found: Survey, caps: Mapping[str, float | None]) -> list[Foreseen]:
        # The order of each step that is to be bought and whose inputs are there.
        self._orders = {run.name: self._wish(run, inputs_of(run, {})) for run in self.to_buy if not run.feeds}
        keys = {name: order.key for name, order in self._orders.items()}
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
        await self._check_delivery(writing=False)
        refused: list[BudgetError] = []
        try:
            foreseen = await self._foresee(journal)
        except BudgetError as error:
            refused.append(error)
            foreseen = self._outlooks(await self._survey(journal), dict.fromkeys(self.payers))
        try:
            await self._check_plans(journal)
        except BudgetError as error:
            refused.append(error)
        told = " ".join(part for error in refused for part in (sentence(error.what), error.advice) if part)
        return await self._prospect(journal, foreseen, told)

    async def _prospect(self, journal: Journal, foreseen: Sequence[Foreseen], refused: str) -> Prospect:
        before = await journal.asked(self.brief.name) if self.to_buy else {}
        why = {run.name: reason(self._orders.get(run.name), before.get(run.name)) for run in self.to_buy}
        why |= {one.name: UNDECIDED for one in foreseen if one.outlook is Outlook.TO_REVIEW}
        known = first_orders(self.to_buy, self._accounts)
        usual = {
            work: (await journal.running_times.of(work)).p50 for work in {one.work for one in known.values() if not one.free}
        }
        seconds = {name: LOCAL_SECONDS if order.free else usual[order.work] for name, order in known.items()}
        untimed = [name for name, one in seconds.items() if one is None]
        paces = {
            provider: Pace(client.terms.open_jobs, client.http.pace.per_minute, client.http.clock_scale)
            for provider, client in self._clients.items()
        } | {HERE.provider: Pace(MADE_AT_ONCE, None, 1.0)}
        timed = {name: one for name, one in seconds.items() if one is not None}
        took = forecast(self.to_buy, timed, paces, self.brief.at_once) if self.to_buy and not untimed else None
        for line in expiring(self.to_buy, datetime.now(UTC), took):
            self.log.warning("%s", line)
        edition = next((run.edition for run in self.plan), "")
        handover = self.brief.handover()
        place = handover.place.root if handover else ""
        return Prospect(
            foreseen,
            self._plans,
            why,
            edition,
            took,
            untimed,
            refused,
            place,
            self._steps_of_items(),
            self.decided,
            self._keys,
            self._noting.noted,
        )

    def _steps_of_items(self) -> Mapping[str, str]:
        """Return the step that each item is of, by the item's name; none of those whose form has no steps."""
        return {name: str(step) for name in self._places if (step := self._of_place(name, "step", ""))}

    def _plan(self, payer: Credentials, foreseen: Sequence[Foreseen], cap: float | None) -> Plan:
        bought = (Outlook.TO_BUY, Outlook.AFTER_REVIEW)
        left = [one for one in foreseen if one.provider == payer.provider and one.outlook in bought]
        costs = {one.name: payer.assumed_price if one.price is None else one.price for one in left}
        keys = [one.key for one in left if one.key]
        others = [other.operation for run in self.to_buy for other in run.others if other.instead == FALLBACK]
        fallbacks = [operation for operation in others if operation.provider == payer.provider]
        unit = next((one.unit for one in (*left, *fallbacks)), "")
        monthly = self._monthly.get(payer.provider, {})
        shares: dict[Label, Share] = {}
        for one in left:
            labels = self._labels_of(one.name)
            for label, most in monthly.items():
                its = label, labels[label]
                shares[its] = Share(most, together(shares[its].cost if its in shares else 0.0, costs[one.name]))
        return Plan(
            str(payer.payer),
            unit,
            costs,
            Purpose(self.brief.name, run=self.host.run, cap=cap),
            keys,
            [_cost(payer, operation) for operation in fallbacks],
            shares,
        )

    async def _caps(self, journal: Journal) -> dict[str, float | None]:
        """Return the cap at each provider, in the unit of its prices; None for no limit.

        The budgets of labels are noted as well, by provider.

        Raises:
            BudgetError: A cap is in another unit than the prices, or all of it would cost more than one budget for all providers.
        """
        may_be_in_usd = {kind.provider for kind in kinds() if kind.in_usd}
        budget = self.brief.max_credits
        left = {one: [step for step in self.to_buy if step.operation.provider == one] for one in self.payers}
        caps: dict[str, float | None] = {}
        for provider in self.payers:
            units = {one.operation.unit for run in self.plan for one in (run, *run.others) if one.operation.provider == provider}
            may_buy = any(one.operation.provider == provider for run in self.to_buy for one in (run, *run.others))
            most = budget.get(provider) if isinstance(budget, Mapping) else budget
            in_usd = self.brief.max_usd if provider in may_be_in_usd else None
            caps[provider] = run_cap(provider, units, most, in_usd, to_buy=may_buy)
            self._monthly[provider] = {}
            for label, amounts in self.brief.monthly.items():
                in_usd = amounts.get("usd") if provider in may_be_in_usd else None
                if (cap := run_cap(provider, units, amounts.get(provider), in_usd, to_buy=may_buy, label=label)) is not None:
                    self._monthly[provider][label] = cap
        if self.host.part:
            return {provider: self.host.part.caps.get(provider) for provider in self.payers}
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
        if size is None or self.host.apart is None or self.is_short:  # a part would have to be planned with the same in mind
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
                    keys |= {key for one in self._options(feed(run, outputs)) for key in one.keys}
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
            del inputs  # the orders of its options have them
            last_of = {key: some[-1] for key, some in tries.items() if some[-1].state.live}
            run, _, order = in_turn(self._options(run), last_of)[0]
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
                outputs=aliased(run, await outputs_of(run.name, assets, self.store)),
                rejected=order.withheld == REJECTED,
                undecided=bool(assets) and self.selection.awaits(run.name, order),
                note=_in_place(run),
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
        slotless = self._stored.keys() | self.paused | {run.name for run in staged if run.operation.free}
        failing_of: dict[str, OnFailure] = {name: one.on_failure for name, one in self._policies.items() if one.on_failure}
        return await run_plan(staged, perform, at_once=once, on_failure=failing, on_failure_of=failing_of, slotless=slotless)

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

    def _options(self, run: PlannedStep) -> list[Option]:
        return options_of(run, self._accounts, self.brief.take, self.selection)

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
            self._labels_of(run.name),
            run=self.host.run,
            place=self._places[run.name],
            stands_in=stands_in(run),
        )
        if wish.free:
            return replace(wish, purpose=purpose)
        provider = run.operation.provider
        payer, plan, policy = self.payers[provider], self._plans[provider], self._policy(run)
        return replace(
            wish,
            assumed=payer.assumed_price,
            if_in_doubt=policy.if_in_doubt or payer.if_in_doubt,
            purpose=replace(purpose, cap=plan.purpose.cap, spare=plan.spare, monthly=self._monthly[provider]),
            patience=self._patience(run).queue_minutes * 60,
            attempts=policy.attempts or brief.attempts,
        )

    def _policy(self, run: PlannedStep) -> Policy:
        return self._policies.get(run.name) or Policy()

    def _patience(self, run: PlannedStep) -> Patience:
        deadline = self._policy(run).deadline
        return Patience(deadline, deadline) if deadline else self.brief.patience

    async def _perform(self, run: PlannedStep, inputs: list[ResolvedInput], journal: Journal) -> RunResult:
        """Carry out a step, and if that fails for good, its fallbacks."""
        if run.name in self.paused:
            return RunResult(**whose(run), status=Outcome.NOT_BOUGHT, error=OVER_BUDGET)
        if known := self._stored.get(run.name):
            return await self._carry_out(run, inputs, *known, journal)
        if not run.others:
            return await self._carry_out(run, inputs, self._wish(run, inputs), None, journal)
        options = self._options(run)
        turn = in_turn(options, await journal.answers({key for one in options for key in one.keys}))
        tried: list[tuple[PlannedStep, GenmediaError]] = []
        for number, (option, _, wish) in enumerate(turn, 1):
            one = option if option is run else swapped(run, option)
            try:
                result = await self._carry_out(await self._at_hand(run, one), inputs_of(one, {}), wish, None, journal)
            except (ApiError, JobError) as error:
                tried.append((one, error))
                answer = (await journal.answers({wish.key})).get(wish.key)
                if number < len(turn) and may_follow(error, answer):
                    tell(run.name, f"{called(turn[number].run)} in its place: {error.what}")
                    self.log.warning("%s: %s is bought in its place: %s", run.name, called(turn[number].run), error)
                    continue
                if number == 1:
                    raise
                tell(run.name, str(error), over=True)
                result = RunResult(**whose(one), status=missing(error), charged=error.charged, error=str(error))
            told = "".join(f"; {called(failed)} failed: {error.what}" for failed, error in tried if failed is not one)
            before = tuple(
                (failed.operation.provider, error.charged, failed.operation.unit) for failed, error in tried if failed is not one
            )
            return replace(result, note=f"{_in_place(one)}{told}".lstrip("; "), before=before)
        raise AssertionError("the last one returns or raises")

    async def _at_hand(self, run: PlannedStep, one: PlannedStep) -> PlannedStep:
        """Return a step with its inputs brought to its provider; those of the step whose turn was foreseen are there."""
        if one is run or not isinstance(kind := one.operation.kind, PaidKind):
            return one
        (staged,) = await kind.stage(self._tasked[kind.provider], self.store, {step.name: step for step in self.plan}, [one])
        return staged

    async def _carry_out(
        self, run: PlannedStep, inputs: list[ResolvedInput], wish: Order, there: Stored | None, journal: Journal
    ) -> RunResult:
        begun, operation = monotonic(), run.operation
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
            outputs=aliased(run, await outputs_of(run.name, acquired.assets, self.store, job)),
            rejected=order.withheld == REJECTED,
            undecided=bool(acquired.assets) and self.selection.awaits(run.name, order),
            note=_in_place(run),
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
            job = await runner.wait(payer, self.assets, purchase, run.name, self._patience(run))
            return await runner.store(payer, self.assets, purchase, job)

        spare = self._plans[kind.provider].spare
        if_refused = self._policy(run).if_refused or ""
        return await acquire(run.name, self.assets, spare, submit, finish, self.log, if_refused), job

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
                wish = replace(handover.wish, notes=self.decided)
                report = await deliver(wanted, wish, self.store, place, prune=handover.prune)
        except GenmediaError as error:
            error.bought_nothing = False
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


def _saves(run: PlannedStep, other: PlannedStep) -> bool:
    """True if a step costs less than another one, or if one of the prices is not known."""
    price, its = run.operation.price, other.operation.price
    return price is None or its is None or run.operation.unit != other.operation.unit or its < price


def _costs(payer: Credentials, runs: Sequence[PlannedStep]) -> list[float | None]:
    """Price of each run, or the price that its account assumes; None if neither is known."""
    return [_cost(payer, run.operation) for run in runs]


def _cost(payer: Credentials, operation: Operation) -> float | None:
    return payer.assumed_price if operation.price is None else operation.price


def _in_place(run: PlannedStep) -> str:
    """Return the words about a step that is bought in the place of another; empty for any other."""
    return f"{'a fallback' if run.instead == FALLBACK else 'a cheaper step'} in place of {stands_in(run)}" if run.instead else ""


def _foreseen(name: str, operation: Operation, key: str, outlook: Outlook | None) -> Foreseen:
    outlook = outlook or (Outlook.TO_MAKE if operation.free else Outlook.TO_BUY)
    return Foreseen(name, operation.provider, operation.name, operation.price, operation.unit, key, outlook)


def _paid_kinds() -> list[PaidKind[Any]]:
    return [kind for kind in kinds() if isinstance(kind, PaidKind)]


def _paid(steps: Iterable[AnyStep]) -> list[str]:
    """Return the providers that are paid for the steps."""
    return sorted({kind.provider for kind in map(kind_of, steps) if isinstance(kind, PaidKind)})
