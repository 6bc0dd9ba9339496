"""Foresight: what a run of a plan would do by the journal and the store, what that costs, and what is done where a budget is short."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import NamedTuple

from genmedia.campaign.brief import Measure
from genmedia.campaign.executor import Survey, first_orders, inputs_of, survey
from genmedia.campaign.forecast import LOCAL_SECONDS, MADE_AT_ONCE, Pace, forecast
from genmedia.campaign.instead import CHEAPER, FALLBACK, swapped
from genmedia.campaign.parts import Part, parts_to_buy
from genmedia.campaign.planning import Planned, make_plan
from genmedia.campaign.prospect import Prospect
from genmedia.campaign.reasons import UNDECIDED, reason
from genmedia.campaign.review import DEADLINE
from genmedia.campaign.shortage import Less, Wanted, beyond, short
from genmedia.campaign.warnings import expiring
from genmedia.campaign.workplace import Workplace
from genmedia.journal import Journal, Label, Purpose, Share
from genmedia.journal.order import Doubt, Order
from genmedia.journal.reviews import Opinion, Subject
from genmedia.providers.offers import Credentials
from genmedia.providers.registry import kinds
from genmedia.providers.steps import HERE, Operation, PlannedStep
from genmedia.purchasing.budget import Foreseen, Outlook, Plan, check_plans, run_cap, shares
from genmedia.purchasing.result import together
from genmedia.purchasing.reuse import Stored
from genmedia.store.sidecar import Sidecar

UNIT = "credits"
_UNHEARD = logging.getLogger(f"{__name__}.unheard")
"""Log of a plan that is made again: what it warns of was told before."""
_UNHEARD.disabled = True


class _Caps(NamedTuple):
    """Caps by provider, in the unit of its prices.

    Attributes:
        run: What the parts of the run have left of its cap; None for no limit.
        monthly: Budgets of labels for a month.
        gone: What its parts have spent.
        own: What it has spent itself.
    """

    run: Mapping[str, float | None]
    monthly: Mapping[str, Mapping[str, float]]
    gone: Mapping[str, float]
    own: Mapping[str, float]


@dataclass(frozen=True)
class Foresight:
    """What a run would do.

    Attributes:
        planned: Its plan, each step being the one of its name that is bought or is there; with less where a budget is short.
        to_buy: The steps to buy or to make, with the inputs that are there.
        same: Of steps that ask for the very same, the first, by the names of the others.
        stored: The steps whose files are all in the store, by their names: the order of each, and what answers for it.
        orders: Order of each step to buy whose inputs are all there, by its name.
        left: Why each of those gives no file that gives none; see `Survey`.
        foreseen: Outlook of each step.
        plans: What it would buy, by provider.
        monthly: The most that all runs may spend in a month for the value of a label: by provider, and by the label's name.
    """

    planned: Planned
    to_buy: Sequence[PlannedStep]
    same: Mapping[str, str]
    stored: Mapping[str, tuple[Order, Stored]]
    orders: Mapping[str, Order]
    left: Mapping[str, str]
    foreseen: Sequence[Foreseen]
    plans: Mapping[str, Plan]
    monthly: Mapping[str, Mapping[str, float]]

    @cached_property
    def over_budget(self) -> frozenset[str]:
        """Names of the steps that are left to a later run."""
        return frozenset(one.name for one in self.foreseen if one.outlook is Outlook.OVER_BUDGET)

    async def check_plans(self, journal: Journal) -> None:
        """Check that it can be paid for; see `genmedia.purchasing.budget.check_plans`."""
        await check_plans(journal, [(plan, self.planned.at.clients[provider]) for provider, plan in self.plans.items()])

    def cut(self) -> list[Part]:
        """Return the parts that runs of their own are to buy; none where this run buys all."""
        planned, host, size = self.planned, self.planned.at.host, self.planned.at.brief.items_per_run
        if size is None or host.apart is None or planned.less:  # a part would have to be planned with the same in mind
            return []
        return parts_to_buy(planned.steps, size, host.begun, planned.keys, {step.name for step in self.to_buy}, self.plans)

    async def prospect(self, journal: Journal, refused: str = "") -> Prospect:
        """Return the same for people, with the reason why it cannot be paid for; that is empty if it can."""
        at, planned, to_buy = self.planned.at, self.planned, self.to_buy
        before = await journal.asked(at.brief.name) if to_buy else {}
        why = {run.name: reason(self.orders.get(run.name), before.get(run.name), run.left_out) for run in to_buy}
        why |= {one.name: UNDECIDED for one in self.foreseen if one.outlook is Outlook.TO_REVIEW} | dict(self.left)
        why |= {name: "; ".join(filter(None, (told, why.get(name)))) for name, told in (await self._decided(journal)).items()}
        known = first_orders(to_buy, at.accounts)
        works = {one.work for one in known.values() if not one.free}
        usual = {work: (await journal.running_times.of(work)).p50 for work in works}
        seconds = {name: LOCAL_SECONDS if order.free else usual[order.work] for name, order in known.items()}
        untimed = [name for name, one in seconds.items() if one is None]
        paces = {
            provider: Pace(client.terms.open_jobs, client.http.pace.per_minute, client.http.clock_scale)
            for provider, client in at.clients.items()
        } | {HERE.provider: Pace(MADE_AT_ONCE, None, 1.0)}
        timed = {name: one for name, one in seconds.items() if one is not None}
        took = forecast(to_buy, timed, paces, at.brief.at_once) if to_buy and not untimed else None
        for line in expiring(to_buy, datetime.now(UTC), took):
            at.log.warning("%s", line)
        handover = at.brief.handover()
        return Prospect(
            self.foreseen,
            self.plans,
            why,
            next((run.edition for run in planned.steps), ""),
            took,
            untimed,
            refused,
            handover.place.root if handover else "",
            {name: step for name in planned.places if (step := planned.step_of(name))},
            planned.decided,
            planned.keys,
            at.log.noted,
            planned.less,
            planned.fingerprint,
            [run.name for run in to_buy if run.name in self.orders and planned.is_retake(run, self.orders[run.name])],
        )

    async def _decided(self, journal: Journal) -> dict[str, str]:
        """Return what people decided on items, by their names, where whoever reads the plan may wonder otherwise."""
        if not self.planned.selection.marks:
            return {}
        keys = {**self.planned.keys, **{name: order.key for name, (order, _) in self.stored.items()}}
        decided = await journal.reviews.decided(set(keys.values()), self.planned.at.brief.name)
        return {name: one.in_words for name, key in keys.items() if (one := decided.get(key)) and one.is_news}

    async def save(self, measure: Measure, part: float, journal: Journal) -> tuple[Less, str] | None:
        """Return what is done without if a measure is taken for a part of the budget, and a sentence about it; None for nothing more."""
        planned, less = self.planned, self.planned.less
        plans = [(plan, planned.at.clients[provider]) for provider, plan in self.plans.items() if plan.prices]
        limits = [limit.at(part) for plan, client in plans for limit in await plan.limits(journal, client)]
        prices = {name: price for plan in self.plans.values() for name, price in plan.prices.items()}
        wanted = [
            Wanted(
                run.name,
                run.operation.provider,
                prices.get(run.name, 0.0),
                planned.labels_of(run.name),
                {self.same.get(name, name) for name in run.feeds},
            )
            for run in self.to_buy
        ]
        if not (names := short(limits, wanted)):
            return None
        match measure:
            case "fewer takes":
                takes = {name: planned.take_of(name) for name in names}
                highest = max(takes.values())
                more = {name for name, take in takes.items() if take == highest > 1} - less.get(measure, frozenset())
                told = f"without take {highest} of"
            case "cheaper model":
                cheaper = {run.name for run in self.to_buy for one in run.others if one.instead == CHEAPER and _saves(run, one)}
                told, more = "another step in place of", (cheaper & names) - less.get(measure, frozenset())
            case "pause":
                told, more = "a later run buys", beyond(limits, wanted)
        steps = dict.fromkeys(planned.step_of(run.name) or run.name for run in planned.steps if run.name in more)
        why = "the budget is short" if part == 1 else f"beyond {part:.0%} of the budget"
        count = "1 item" if len(more) == 1 else f"{len(more)} items"
        saved: Less = {**less, measure: less.get(measure, frozenset()) | more}
        return (saved, f"{why}, {measure}: {told} {', '.join(steps)} ({count})") if more else None


async def foresee(planned: Planned, journal: Journal) -> Foresight:
    """Tell what a run of a plan would do, after what is to be done where a budget is short.

    Raises:
        BudgetError: A cap is in another unit than the prices, all would cost more than one budget for all, or an account is held.
        InputError, StoreError: See `look`.
    """
    at, found = planned.at, await foresee_as_planned(planned, journal)
    for measure, part in () if at.host.part else at.brief.when_short:
        while saved := await found.save(measure, part, journal):
            less, told = saved
            planned, decided = replace(found.planned, less=less), [*found.planned.decided, told]
            if measure != "pause":  # what is made of less takes less
                planned = await decide_overdue(await make_plan(at, less, _UNHEARD), journal, writing=False)
                decided += [one for one in planned.decided if one not in decided]
            found = await foresee_as_planned(replace(planned, decided=decided), journal)
    return found


async def foresee_as_planned(planned: Planned, journal: Journal, *, capped: bool = True) -> Foresight:
    """Tell what a run of a plan would do as it is, under the caps of its brief or without them.

    Raises:
        BudgetError, InputError, StoreError: See `foresee`.
    """
    planned, found = await look(planned, journal)
    at, to_buy = planned.at, found.to_buy
    caps = await _caps(planned, to_buy, journal) if capped else _Caps({}, {}, {}, {})
    orders = {run.name: planned.wish(run, inputs_of(run, {})) for run in to_buy if not run.feeds}
    foreseen = [_foreseen(run, orders.get(run.name), found.outlook.get(run.name)) for run in planned.steps]
    may_fail = [*to_buy, *(run for run in planned.steps if found.outlook.get(run.name) is Outlook.UNDER_WAY)]
    plans: dict[str, Plan] = {}
    for provider, payer in at.payers.items():
        left = [one for one in foreseen if one.provider == provider and one.outlook in (Outlook.TO_BUY, Outlook.AFTER_REVIEW)]
        cap, fallbacks, further = caps.run.get(provider), list[Operation](), list[Operation]()
        for run in may_fail:
            doubt = planned.policy_of(run.name).if_in_doubt or payer.if_in_doubt
            tries = planned.tries_of(run.name) * (2 if doubt is Doubt.RESUBMIT and cap is not None else 1)
            mine = [one.operation for one in run.others if one.instead == FALLBACK and one.operation.provider == provider]
            fallbacks += mine
            further += [*mine, *([run.operation] if run.operation.provider == provider else [])] * (tries - 1)
        costs = {one.name: payer.assumed_price if one.price is None else one.price for one in left}
        under: dict[Label, Share] = {}
        for one in left:
            labels = planned.labels_of(one.name)
            for label, most in caps.monthly.get(provider, {}).items():
                its = label, labels[label]
                under[its] = Share(most, together(under[its].cost if its in under else 0.0, costs[one.name]))
        plans[provider] = Plan(
            str(payer.payer),
            next((one.unit for one in (*left, *fallbacks, *further)), ""),
            costs,
            Purpose(at.brief.name, run=at.host.run, cap=cap),
            [one.key for one in left if one.key],
            [_cost(payer, operation) for operation in fallbacks],
            [_cost(payer, operation) for operation in further],
            under,
            caps.gone.get(provider, 0.0),
            caps.own.get(provider, 0.0),
        )
    return Foresight(planned, to_buy, found.same, found.stored, orders, found.left, foreseen, plans, caps.monthly)


async def look(planned: Planned, journal: Journal) -> tuple[Planned, Survey]:
    """Return what the journal and the store tell of a plan, and the plan with the step of each name that is bought or is there.

    A verdict counts also where another campaign, which has asked for the same, has it.

    Raises:
        InputError: A stored video ends before the picture that is asked for, or a file of the store was changed or removed for good.
        StoreError: The store cannot be read.
    """
    at = planned.at
    while True:
        found = await survey(planned.steps, at.accounts, at.brief.take, planned.selection, journal, at.store, held=planned.holds)
        waits = {order.key for name, (order, _) in found.stored.items() if found.outlook[name] is Outlook.TO_REVIEW}
        said = [one for some in (await journal.reviews.standing(waits)).values() for one in some]
        if not said:
            break
        selection = planned.selection.with_verdicts((one.subject, one.opinion) for one in said)
        planned = replace(planned, selection=selection)
    chosen = {name: number - 1 for name, number in found.instead.items()}
    steps = [swapped(run, run.others[chosen[run.name]]) if run.name in chosen else run for run in planned.steps]
    paused = planned.less.get("pause", frozenset())
    later = {run.name for run in found.to_buy} & paused
    later |= {name for name, first in found.same.items() if first in later}
    to_buy = [run for run in found.to_buy if run.name not in later]
    outlook = {**found.outlook, **dict.fromkeys(later, Outlook.OVER_BUDGET)}
    return replace(planned, steps=steps), found._replace(to_buy=to_buy, outlook=outlook)


async def has_more_to_buy(planned: Planned, journal: Journal) -> bool:
    """True if there is something that can be bought now, and could not before people decided."""
    if not planned.selection.approvals:
        return False
    _, found = await look(planned, journal)
    return any(found.outlook.get(step.name) is not Outlook.AFTER_REVIEW for step in found.to_buy)


async def decide_overdue(planned: Planned, journal: Journal, *, writing: bool) -> Planned:
    """Have the default count where the deadline of a review is over, and write that down if it is to; returns the plan as it is then.

    Raises:
        InputError, StoreError: See `look`.
    """
    approvals = planned.selection.approvals
    if not any(one.deadline for one in approvals.values()):
        return planned
    planned, found = await look(planned, journal)
    wanted, now = await journal.reviews.wanted(planned.at.brief.name), datetime.now(UTC)
    said: list[tuple[Opinion, str, Sidecar]] = []
    for name, (order, stored) in found.stored.items():
        approval = approvals.get(name)
        if approval and approval.is_over(wanted.get(order.key), now) and planned.selection.awaits(name, order):
            opinion = Opinion(approval.default, DEADLINE, "nobody had decided in time")
            said += [(opinion, one.path, one.sidecar) for one in stored.assets if not one.forgotten_at]
    if writing:
        await journal.reviews.give(said)
    selection = planned.selection.with_verdicts((Subject.of(path, told), opinion) for opinion, path, told in said)
    return replace(planned, selection=selection)


async def _caps(planned: Planned, to_buy: Sequence[PlannedStep], journal: Journal) -> _Caps:
    """Return the caps under which the run buys. What its parts have spent already, in earlier rounds, is taken off.

    Raises:
        BudgetError: A cap is in another unit than the prices, or all of it would cost more than one budget for all providers.
    """
    may_be_in_usd = {kind.provider for kind in kinds() if kind.in_usd}
    at, brief, budget = planned.at, planned.at.brief, planned.at.brief.max_credits
    caps, gone, own = dict[str, float | None](), dict[str, float](), dict[str, float]()
    monthly: dict[str, dict[str, float]] = {}
    for provider in at.payers:
        units = {one.operation.unit for run in planned.steps for one in (run, *run.others) if one.operation.provider == provider}
        may_buy = any(one.operation.provider == provider for run in to_buy for one in (run, *run.others))
        most = budget.get(provider) if isinstance(budget, Mapping) else budget
        in_usd = brief.max_usd if provider in may_be_in_usd else None
        caps[provider] = run_cap(provider, units, most, in_usd, to_buy=may_buy)
        account, unit = str(at.payers[provider].payer), next(iter(units), UNIT)
        spent = {run: await journal.money.spent(account, unit, run) for run in at.runs}
        own[provider] = spent.pop(at.host.run, 0.0)
        gone[provider] = sum(spent.values())
        monthly[provider] = {}
        for label, amounts in brief.monthly.items():
            in_usd = amounts.get("usd") if provider in may_be_in_usd else None
            if (cap := run_cap(provider, units, amounts.get(provider), in_usd, to_buy=may_buy, label=label)) is not None:
                monthly[provider][label] = cap
    if part := at.host.part:
        caps = {provider: part.caps.get(provider) for provider in at.payers}
    elif not isinstance(budget, Mapping) and budget is not None:
        caps |= await _shares(at, budget, to_buy, gone, journal)
    return _Caps({one: None if cap is None else max(cap - gone[one], 0.0) for one, cap in caps.items()}, monthly, gone, own)


async def _shares(
    at: Workplace, budget: float, to_buy: Sequence[PlannedStep], gone: Mapping[str, float], journal: Journal
) -> dict[str, float]:
    """Return the share of each provider whose prices are in credits; see `shares`.

    Raises:
        BudgetError: All of it would cost more than the budget, or a price is not known.
    """
    costs: dict[str, list[float | None]] = {}
    for provider, payer in at.payers.items():
        operations = [run.operation for run in to_buy if run.operation.provider == provider]
        if all(one.unit == UNIT for one in operations):
            costs[provider] = [_cost(payer, one) for one in operations]
    spent = {one: gone[one] + await journal.money.spent(str(at.payers[one].payer), UNIT, at.host.run) for one in costs}
    return shares(budget, costs, spent)


def _cost(payer: Credentials, operation: Operation) -> float | None:
    """Return the price of an operation, or the one that its account assumes; None if neither is known."""
    return payer.assumed_price if operation.price is None else operation.price


def _foreseen(run: PlannedStep, order: Order | None, outlook: Outlook | None) -> Foreseen:
    operation, key = run.operation, order.key if order else ""
    outlook = outlook or (Outlook.TO_MAKE if operation.free else Outlook.TO_BUY)
    return Foreseen(run.name, operation.provider, operation.name, operation.price, operation.unit, key, outlook)


def _saves(run: PlannedStep, other: PlannedStep) -> bool:
    """True if a step costs less than another one, or if one of the prices is not known."""
    price, its = run.operation.price, other.operation.price
    return price is None or its is None or run.operation.unit != other.operation.unit or its < price
