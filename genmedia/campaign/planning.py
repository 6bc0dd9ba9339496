"""Planning: the way from a brief to a plan, with the questions to providers, files and people's marks that it takes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import Any

from genmedia.campaign.brief import Brief
from genmedia.campaign.executor import check_apart, first_orders, inputs_of, options_of, order_for
from genmedia.campaign.instead import CHEAPER, FALLBACK, Option, beside, joined, swapped
from genmedia.campaign.marks import IN_THE_JOURNAL, OTHER_MARKS, Selection, marks_of, read_marks
from genmedia.campaign.parts import steps_of
from genmedia.campaign.plan import gathering_all, named_files, plan_steps
from genmedia.campaign.shortage import Less
from genmedia.campaign.steps import AnyStep
from genmedia.campaign.variables import stand_in
from genmedia.campaign.warnings import cut_off
from genmedia.campaign.workplace import Workplace
from genmedia.errors import ApiError, Fault, InputError, NoAnswerError, ServerError, SettingsError, UnreachableError, gathering
from genmedia.forms.names import Place, placed
from genmedia.forms.prompts import look_alike
from genmedia.jobs.job import Account
from genmedia.journal.order import Doubt, Order
from genmedia.journal.spending import time_zone
from genmedia.progress import Log
from genmedia.providers.drafts import Approval, Draft, Policy
from genmedia.providers.inputs import PendingInput, ResolvedInput
from genmedia.providers.registry import kind_of, kinds
from genmedia.providers.sources import File, Unreadable
from genmedia.providers.steps import Operation, PaidKind, PlannedStep
from genmedia.store import Store
from genmedia.store.named_files import Files

_Steps = Sequence[AnyStep | Unreadable]


@dataclass(frozen=True)
class Planned:
    """A campaign as it is planned.

    Attributes:
        at: Where it is carried out.
        steps: The steps, in an order in which each comes after those that feed it; of a part of the campaign, only that part's.
        selection: The purchases that may be made.
        keys: What each step asks for, by its name, as a hash; see `first_orders`.
        places: Place of each step in what was asked for, by its name.
        labels: Labels of the purchases of steps that have others than the run, by the step's name.
        policies: What is done about the purchases of steps that have a policy of their own, by the step's name.
        less: What is done without, because a budget is short.
        decided: Sentences about what is done because a budget is short, or a provider cannot be reached.
        fingerprint: Hash of all that a person agrees to: what is asked for, its prices, how it is bought, paid for, reviewed and delivered.
            What was bought meanwhile, and what people have decided on it, does not change it.
    """

    at: Workplace
    steps: Sequence[PlannedStep]
    selection: Selection
    keys: Mapping[str, str]
    places: Mapping[str, Place]
    labels: Mapping[str, Mapping[str, str]]
    policies: Mapping[str, Policy]
    less: Less
    decided: Sequence[str]
    fingerprint: str

    def options(self, run: PlannedStep) -> list[Option]:
        """Return a step, all of whose inputs are there, and those that may be bought in its place; see `options_of`."""
        return options_of(run, self.at.accounts, self.at.brief.take, self.selection)

    def wish(self, run: PlannedStep, inputs: Sequence[ResolvedInput]) -> Order:
        """Return the order of a step, as the marks change it."""
        order = order_for(run, inputs, self.at.accounts[run.operation.provider], self.at.brief.take)
        return self.selection.choose(order, run.operation.kind.reword, run.name if run.name in self._fed else "")

    def is_retake(self, run: PlannedStep, order: Order) -> bool:
        """True if an order of a step is not the one that the plan itself asks for, but what a person asked for in its place."""
        own = order_for(run, inputs_of(run, {}), self.at.accounts[run.operation.provider], self.at.brief.take)
        return order.key != own.key

    @cached_property
    def _fed(self) -> set[str]:
        return {run.name for run in self.steps if run.feeds}

    def labels_of(self, name: str) -> Mapping[str, str]:
        """Return the labels of the purchases of a step."""
        return self.labels.get(name) or self.at.brief.labels

    def policy_of(self, name: str) -> Policy:
        """Return what is done about the purchases of a step, where it differs from the rest of the run."""
        return self.policies.get(name) or Policy()

    def holds(self, run: PlannedStep) -> bool:
        """True if a purchase of a step waits for a person while it is in doubt."""
        payer = self.at.payers.get(run.operation.provider)
        return (self.policy_of(run.name).if_in_doubt or (payer and payer.if_in_doubt)) is Doubt.HOLD

    def tries_of(self, name: str) -> int:
        """Return the most purchases of a step: one for each attempt while its job fails, and one more for a file that is refused."""
        policy, at = self.policy_of(name), self.at
        again = (policy.if_refused or at.assets.if_refused) == "buy again"
        return (policy.attempts or at.brief.attempts) + again

    def step_of(self, name: str) -> str:
        """Return the step that an item is of; empty where its form has no steps."""
        return next((str(one["value"]) for one in self.places[name] if one["name"] == "step"), "")

    def take_of(self, name: str) -> int:
        """Return the number of the take that an item is."""
        return next((int(one["number"]) for one in self.places[name] if one["name"] == "take"), 1)


async def make_plan(at: Workplace, less: Less, log: Log) -> Planned:
    """Make the plan of a brief; the clients and files that it needs stay open until the run ends.

    Args:
        at: Where the run is carried out.
        less: What is done without, because a budget is short.
        log: Log for what a person should know before anything is bought.

    Raises:
        InputError: Everything that is wrong.
    """
    way = _Way(at, log, less.get("fewer takes", ()))
    draft = await way.draft()
    planned, selection = await way.planned(draft)
    accounts, part = at.accounts, at.host.part
    if draft.repeats:
        _check_items(planned, {one.name for one in draft.steps} | way.others.keys(), way.where)
    # A take that is left out keeps its number: a retake does not become it.
    of = {one.name: way.others[one.name][0] if one.name in way.others else one.name for one in planned}
    takes = {one.name: max(one.takes, draft.takes.get(of[one.name], 1)) for one in planned}
    planned = [replace(one, edition=draft.edition, takes=takes[one.name]) for one in planned]
    plan = gathering_all(joined(planned, way.where), draft.gathers)
    plan = [replace(one, instead=FALLBACK) if one.name in way.away else one for one in plan]
    plan, places = [_at_its_price(one, less.get("cheaper model", ())) for one in plan], draft.places
    if selection.marks and not draft.repeats:  # items of a file have its names
        names = _named(plan, accounts, at.brief.take, selection)
        plan = [_renamed(one, names) for one in plan]
        places = {names[name]: place for name, place in places.items()}
        selection.approvals = {names[name]: one for name, one in selection.approvals.items()}
    wishes = first_orders(plan, accounts)
    if not draft.repeats:
        check_apart(wishes)
    keys = {name: order.key for name, order in wishes.items()}
    steps = steps_of(part, plan, keys) if part else plan
    paid = [(run.name, wish) for run in steps if not (wish := wishes[run.name]).free]
    asked = {name: (f"{wish.account} {wish.operation} {wish.take}", wish.request) for name, wish in paid}
    for line in (*look_alike(asked), *cut_off(steps)):
        log.warning("%s", line)
    places = places or {run.name: placed(step=(number, run.name)) for number, run in enumerate(steps, 1)}
    given = {measure: len(names) for measure, names in at.brief.less.items() if names}
    told = [f"as its plan says, {measure}: {count} {'item' if count == 1 else 'items'}" for measure, count in given.items()]
    agreed = _fingerprint(at.brief, draft, plan, keys, accounts)
    return Planned(at, steps, selection, keys, places, draft.labels, draft.policies, less, [*told, *way.decided], agreed)


@dataclass
class _Way:
    """The way from a brief to a plan. A form is drafted with it as well; see `genmedia.providers.drafts.Drafting`.

    Attributes:
        at: Where the run is carried out.
        log: Log of the run, for people.
        without: Names of steps that are left out.
        others: The steps that may be bought in the place of another, by the names that they have until then; see `beside`.
        away: The error of each step whose provider cannot be asked, by its name.
        where: Place of each step for faults, by its name.
        decided: Sentences about what is done because a provider cannot be reached.
    """

    at: Workplace
    log: Log
    without: Collection[str]
    others: Mapping[str, tuple[str, str, Any]] = field(default_factory=dict[str, tuple[str, str, Any]])
    away: dict[str, ApiError] = field(default_factory=dict[str, ApiError])
    where: Mapping[str, str] = field(default_factory=dict[str, str])
    decided: Sequence[str] = field(default_factory=list[str])
    _may_be_away: frozenset[str] = frozenset()
    _operations: dict[str, Operation | Sequence[Fault]] = field(default_factory=dict[str, Operation | Sequence[Fault]])
    _files: Files = field(default_factory=Files)

    @property
    def store(self) -> Store:
        """See `Drafting`."""
        return self.at.store

    @property
    def begun(self) -> datetime:
        """See `Drafting`."""
        return self.at.host.begun.astimezone(time_zone())

    async def client(self, provider: str) -> Any:
        """See `Drafting`."""
        await self.at.load_payer(provider)
        return self.at.client(provider)

    async def look_at(self, names: Iterable[str], provider: str, kind: str = "") -> Files:
        """See `Drafting`."""
        await self.at.load_payer(provider)
        found = await self.at.look_at(names, self.at.clients[provider], kind)
        by_any_name = {**found.found, **{found.in_full(name): one for name, one in found.found.items()}}
        self._files = Files({**self._files.found, **by_any_name}, {**self._files.wrong, **found.wrong})
        return found

    async def describe(self, steps: Sequence[AnyStep]) -> Mapping[str, Operation | Sequence[Fault]]:
        """See `Drafting`."""
        for provider in _paid(steps):
            await self.at.load_payer(provider)
        return await self._describe(steps)

    async def draft(self) -> Draft:
        """Return what the brief asks for: the steps that its form becomes, or those that are written."""
        brief = self.at.brief
        if brief.draft:
            return await brief.draft(self)
        steps, unused = stand_in(brief.steps, photo=brief.photo, prompt=brief.prompt)
        for line in unused:
            self.log.warning("%s", line)
        return Draft(steps, {})

    async def planned(self, draft: Draft) -> tuple[list[PlannedStep], Selection]:
        """Plan the steps of a draft, those that may be bought in the place of another beside them; returns what may be bought as well.

        A step without an account is checked as far as its provider is not needed.

        Raises:
            InputError: Everything that is wrong.
        """
        self.others = {step.name: (name, instead, step) for name, instead, step in beside(draft.policies)}
        self._may_be_away = frozenset(self.others) | {name for name, policy in draft.policies.items() if policy.fallbacks}
        own_places = {own: f"{draft.where.get(name, name)}, {own}" for own, (name, _, _) in self.others.items()}
        self.where = {**draft.where, **own_places}
        others = [step for _, _, step in self.others.values()]
        faults = [*draft.faults, *await self._load_payers([*(self.at.brief.steps or draft.steps), *others])]
        selection = Selection()
        with gathering(faults):
            selection = await _select(self.at, draft.approvals, of_file=draft.repeats)
        return await self._plan([*draft.steps, *others], faults, draft.edition), selection

    async def _load_payers(self, steps: _Steps) -> list[Fault]:
        """Load the credentials of the accounts that pay for the steps; returns a fault for each account that does not exist."""
        faults: list[Fault] = []
        for provider in _paid(step for step in steps if not isinstance(step, Unreadable)):
            try:
                await self.at.load_payer(provider)
            except SettingsError as error:
                place = f"account {self.at.brief.accounts[provider]} of {provider}"
                faults.append(Fault(place, f"{error.what}. {error.advice}".rstrip(".")))
        return faults

    async def _plan(self, steps: _Steps, faults: Sequence[Fault], edition: str) -> list[PlannedStep]:
        """Plan the steps and keep their files open.

        Raises:
            InputError: Everything that is wrong.
        """
        clients = self.at.clients
        readable = [step for step in steps if not isinstance(step, Unreadable)]
        known = [step for step in readable if not kind_of(step).asks or kind_of(step).provider in clients]
        at_hand = set(map(id, known))
        operations = await self._describe(known)  # a sandbox names its origins with its first answer
        if self.away:
            steps = await self._without_those_away(steps, edition)
            readable = [step for step in steps if not isinstance(step, Unreadable)]
            at_hand = set(map(id, (step for step in readable if step.name in operations)))
        origins = {provider: client.http.origins for provider, client in clients.items()}
        reading = [kind for kind in kinds() if isinstance(kind, PaidKind) and kind.reads_addresses]
        readers = [clients[kind.provider] for kind in reading if kind.provider in clients]
        fetcher = next(iter([*readers, *clients.values()]), None)
        seen = self._files.found.keys() | self._files.wrong.keys()
        others = await self.at.look_at([name for name in named_files(readable, origins) if name not in seen], fetcher)
        files = Files({**self._files.found, **others.found}, {**self._files.wrong, **others.wrong})
        written = [step if isinstance(step, Unreadable) or id(step) in at_hand else _unpaid(step, files) for step in steps]
        return plan_steps(written, operations, files, origins, faults, self.where)

    async def _without_those_away(self, steps: _Steps, edition: str) -> list[AnyStep | Unreadable]:
        """Return the steps without those whose provider cannot be asked, each of which has its fallback in its place.

        Raises:
            ApiError: There is none that can be asked, or it is not known whether what the provider made before is there already.
        """
        async with self.at.assets.get_journal() as journal:
            asked = await journal.asked(self.at.brief.name)
            answers = await journal.answers({one.key for one in asked.values()})
        first: dict[str, Any] = {}  # of the fallbacks of each step, that can be asked
        for own, (name, instead, step) in self.others.items():
            if own not in self.away and instead == FALLBACK:
                first.setdefault(name, step)
        found: list[AnyStep | Unreadable] = []
        for step in steps:
            if step.name not in self.away:
                found.append(step)
            elif step.name not in self.others:
                before, instead = asked.get(step.name), first.get(step.name)
                kept = before and before.key in answers and before.of(kind_of(step).provider, edition)
                if instead is None or kept:
                    raise self.away[step.name]
                self._operations[step.name] = self._operations[instead.name]
                found.append(instead.model_copy(update={"name": step.name}))
        told = (f"a provider could not be asked, and fallbacks are used: {error.what}" for error in self.away.values())
        self.decided = list(dict.fromkeys(told))
        promoted = {first[name].name for name in self.away.keys() & first.keys()}
        return [step for step in found if step.name not in promoted]

    async def _describe(self, steps: Sequence[AnyStep]) -> Mapping[str, Operation | Sequence[Fault]]:
        """Return the operation that each step asks for, by its name, as the providers describe it now; each is asked for once.

        A step whose provider cannot be asked is left out if it has a fallback, or is one.
        """
        for kind in kinds():
            if mine := [step for step in steps if kind_of(step) is kind and step.name not in self._operations]:
                payer = self.at.payers.get(kind.provider)
                client = self.at.client(kind.provider) if payer else None
                try:
                    self._operations |= await kind.describe(client, mine, payer)
                except (UnreachableError, NoAnswerError, ServerError) as error:
                    if not self._may_be_away.issuperset(step.name for step in mine):
                        raise
                    self.away |= {step.name: error for step in mine}
        return self._operations


async def _select(at: Workplace, approvals: Mapping[str, Approval], *, of_file: bool) -> Selection:
    """Return what the run may buy: everything if there are no marks. A campaign's file goes by the verdicts in the journal then.

    Raises:
        InputError: They cannot be read, or are no marks; or there are others than the verdicts that a review goes by.
    """
    brief, marks = at.brief, at.brief.marks.strip()
    if not (marks or approvals or of_file):
        return Selection(brief.name)
    if approvals and marks not in ("", IN_THE_JOURNAL):
        raise InputError([Fault("marks", OTHER_MARKS)])
    read = None if marks in ("", IN_THE_JOURNAL) else read_marks(brief.marks)
    async with at.assets.get_journal() as journal:
        read = read or marks_of(await journal.reviews.standing_in(brief.name))
        known = await journal.latest(read.retakes().keys() | read.rejects())
        return Selection(brief.name, read, known, brief.buy_unmarked or not marks, approvals, implied=not marks)


def _check_items(planned: Sequence[PlannedStep], names: Collection[str], where: Mapping[str, str]) -> None:
    """Refuse an item that is run once for each of several outputs: nothing of the file is said of such a part of it.

    Raises:
        InputError: There is one.
    """
    told = "is run once for each output of what feeds it; name the output that it takes, in a step for each"
    parts = {run.name.rpartition("-")[0] for run in planned if run.name not in names}
    if parts:
        raise InputError([Fault(where.get(name, name), told) for name in sorted(parts)])


def _at_its_price(run: PlannedStep, cheaper: Collection[str]) -> PlannedStep:
    """Return the cheaper step in the place of one for which the budget does not suffice."""
    other = next((one for one in run.others if one.instead == CHEAPER), None) if run.name in cheaper else None
    return swapped(run, other) if other else run


def _fingerprint(
    brief: Brief, draft: Draft, plan: Sequence[PlannedStep], keys: Mapping[str, str], accounts: Mapping[str, Account]
) -> str:
    """Return the hash of all that a person agrees to; see `Planned`."""
    others = [one for run in plan for one in run.others]
    asked = list(keys.items()), [first_orders([one], accounts)[one.name].key for one in others]
    items = asked, [(one.operation.price, one.operation.unit) for one in (*plan, *others)]
    of_items = [sorted(one.items()) for one in (draft.policies, draft.approvals, draft.labels)]
    money = brief.max_credits, brief.max_usd, brief.monthly, brief.when_short, brief.labels
    how = draft.edition, brief.attempts, brief.on_failure, brief.marks, brief.buy_unmarked, brief.delete_after, brief.store
    handover = brief.handover()
    delivered = handover and (handover.place.root, handover.wish, sorted(handover.steps), handover.prune)
    return sha256(repr((items, of_items, money, how, delivered)).encode()).hexdigest()


def _named(plan: Sequence[PlannedStep], accounts: Mapping[str, Account], take: int, selection: Selection) -> dict[str, str]:
    """Return the new name of each step by its name: those to which marks give another seed have names that show it."""
    named = {run.name: run.name for run in plan}
    for run in plan:
        if not run.feeds:
            order = order_for(run, inputs_of(run, {}), accounts[run.operation.provider], take)
            named[run.name] = run.operation.kind.name_of(run, selection.choose(order, run.operation.kind.reword))
    return named


def _renamed(run: PlannedStep, names: Mapping[str, str]) -> PlannedStep:
    """Return a step under its new name, fed by those of new names."""

    def fed(source: ResolvedInput | PendingInput) -> ResolvedInput | PendingInput:
        return replace(source, run=names[source.run]) if isinstance(source, PendingInput) else source

    others = tuple(_renamed(one, names) for one in run.others)
    return replace(run, name=names[run.name], inputs=tuple(map(fed, run.inputs)), others=others)


def _unpaid(step: AnyStep, files: Files) -> Unreadable:
    """Replace a step without an account, whose provider cannot be asked, by one with the faults of its files."""
    named = [(name, source.file) for name, source in kind_of(step).sources(step) if isinstance(source, File)]
    return Unreadable(
        step.name, tuple(Fault(f"input {name}", f"{file} {files.wrong[file]}") for name, file in named if file in files.wrong)
    )


def _paid(steps: Iterable[AnyStep]) -> list[str]:
    """Return the providers that are paid for the steps."""
    return sorted({kind.provider for kind in map(kind_of, steps) if isinstance(kind, PaidKind)})
