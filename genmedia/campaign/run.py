"""A campaign from its brief to its results: planned as a whole, priced, bought and stored, on any host."""

from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from genmedia.campaign.brief import Brief
from genmedia.campaign.buying import buy, stage
from genmedia.campaign.delivery import Item, check_outside, deliver, read_manifest
from genmedia.campaign.executor import RunResult
from genmedia.campaign.foresight import Foresight, decide_overdue, foresee, foresee_as_planned, has_more_to_buy
from genmedia.campaign.host import Host
from genmedia.campaign.parts import Part
from genmedia.campaign.planning import Planned, make_plan
from genmedia.campaign.prospect import Prospect
from genmedia.campaign.reasons import made_without
from genmedia.campaign.recall import recall
from genmedia.campaign.review import Waiting
from genmedia.campaign.shortage import less_of
from genmedia.campaign.workplace import NotingLog, Workplace
from genmedia.errors import NOTHING_BOUGHT, BudgetError, Fault, GenmediaError, InputError, StoreError, sentence
from genmedia.journal import Journal
from genmedia.progress import Log, Progress, announce, listening_too, tell
from genmedia.purchasing.buy import Outcome
from genmedia.purchasing.calls import Assets
from genmedia.purchasing.recover import work_under_way
from genmedia.purchasing.result import WAITING
from genmedia.store import Store
from genmedia.transport.pace import ranked

NOT_AGREED = (
    "asks by now for something else than the plan that was agreed to: its file, a photo, a price, an account or a budget has changed "
    "meanwhile, or a provider cannot be reached, or can again; look at the plan anew, with genmedia apply"
)


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
            at = await _workplace(brief, host, assets, held)
            planned = await make_plan(at, less_of(brief), at.log)
            parts: Sequence[Part] = host.apart.parts if host.apart else ()
            if not parts:  # those have begun with what was agreed to
                _check_agreed(planned)
        await host.begin(brief.name, list(at.payers.values()))
        found = None
        async with _naming_paid_work(brief.name, assets):
            journal = await held.enter_async_context(assets.get_journal())
            await at.share_accounts(journal)
            planned = await decide_overdue(planned, journal, writing=True)
            if not parts:
                found = await _price(planned, journal)
                planned, parts = found.planned, found.cut()
            staged = await stage(found) if found and not parts else []
        if found and not parts:
            with _logging_ends(host.log):
                results = await buy(found, staged, journal)
        else:
            assert host.apart
            runs = await host.apart.carry_out(parts)
            if host.apart.complete and await has_more_to_buy(planned, journal):
                await host.apart.renew()
                return None
            results = await recall(planned, at.runs.union(runs), journal)
        await host.show_results(brief.name, results, assets, at.store)
        delivered = await _deliver(planned, results, journal)
        waiting = await _waiting(planned, results, journal)
        return Ended(results, planned.selection.tell(), delivered, waiting, planned.decided, bool(planned.less))


async def plan_campaign(brief: Brief, host: Host[Any]) -> Prospect:
    """Plan a brief and tell what a run of it would do, buying nothing.

    Raises:
        InputError: Everything that is wrong with the steps, each with its place; or an input was changed since it was stored, or removed.
        SettingsError: There is no such store, or its files cannot be delivered where they should.
        StoreError: The store, or the place of its delivery, cannot be read.
    """
    assets = await host.load_store(brief.store)
    async with AsyncExitStack() as held:
        at = await _workplace(brief, host, assets, held)
        planned = await make_plan(at, less_of(brief), at.log)
        journal = await held.enter_async_context(assets.get_journal())
        planned = await decide_overdue(planned, journal, writing=False)
        await _check_delivery(at, writing=False)
        refused: list[BudgetError] = []
        try:
            found = await foresee(planned, journal)
        except BudgetError as error:
            refused.append(error)
            found = await foresee_as_planned(planned, journal, capped=False)
        try:
            await found.check_plans(journal)
        except BudgetError as error:
            refused.append(error)
        told = " ".join(dict.fromkeys(part for error in refused for part in (sentence(error.what), error.advice) if part))
        return await found.prospect(journal, told)


def _check_agreed(planned: Planned) -> None:
    """Refuse to buy by another plan than a person has agreed to, where one was asked.

    Raises:
        InputError: It is another one.
    """
    brief = planned.at.brief
    if brief.approved not in ("", planned.fingerprint) and not planned.at.host.part:
        raise InputError([Fault(brief.name, NOT_AGREED)])


async def _workplace(brief: Brief, host: Host[Any], assets: Assets, held: AsyncExitStack) -> Workplace:
    runs = frozenset([host.run, *(await host.apart.runs() if host.apart else ())])
    return Workplace(brief, host, assets, await held.enter_async_context(assets.get_store()), held, NotingLog(host.log), runs)


async def _price(planned: Planned, journal: Journal) -> Foresight:
    """Check that what is not bought yet may be bought, and show the plan; returns what the run does.

    Raises:
        BudgetError: A budget, a cap, a hold or the balance of an account does not allow it.
        InputError: An input of a step was changed since it was stored, or removed for good.
        StoreError: There is something to buy, and the store takes no files.
    """
    at = planned.at
    try:
        await at.store.sweep()
    except StoreError as error:
        at.log.warning("what earlier runs left on its way in was not cleared away: %s", error.what)
    found = await foresee(planned, journal)
    _check_agreed(found.planned)
    told = "; ".join(filter(None, (found.planned.selection.tell(), *found.planned.decided)))
    await at.host.show_plan(at.brief.name, await found.prospect(journal), told, at.assets)
    await found.check_plans(journal)
    await _check_delivery(at, writing=bool(found.to_buy))
    if found.to_buy:
        await at.store.check()  # the store must take a file, before anything is bought for it
    await at.host.warn(at.assets, {key for plan in found.plans.values() for key in plan.keys})
    announce(one.name for one in found.foreseen)
    return found


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


async def _check_delivery(at: Workplace, *, writing: bool) -> None:
    """Refuse a place that the run could not deliver to, before anything is paid for; `writing` a small file there as well.

    Raises:
        SettingsError: The place is in the store, or holds the delivery of another campaign.
        StoreError: It cannot be read or written.
    """
    if (handover := at.brief.handover()) is None or at.host.part:
        return
    async with Store.lease(handover.place) as place:
        check_outside(at.store, place)
        await read_manifest(place, at.brief.name)
        if writing:
            await place.check()


async def _deliver(planned: Planned, results: Sequence[RunResult], journal: Journal) -> str:
    """Hand over the files of the steps that are done, except those that a person wants otherwise; returns a sentence about it.

    Raises:
        InputError: Two files would have one name; nothing was delivered.
        SettingsError: The place cannot be used; nothing was delivered.
        StoreError: The place refused.
    """
    at = planned.at
    if (handover := at.brief.handover()) is None or at.host.part:
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
            without = [
                f"{one.name}: {made_without(one.left_out)}" for one in results if one.left_out and one.name in handover.steps
            ]
            wish = replace(handover.wish, notes=[*planned.decided, *without])
            # What is only missing for now, or asked for in fewer takes, stays with the people who have it.
            whole = not planned.less and all((one.assets and not one.undecided) or one.rejected for one in results)
            whole = whole and not any(one.verdict == "retake" for one in items)
            report = await deliver(wanted, wish, at.store, place, prune=handover.prune and whole)
    except GenmediaError as error:
        error.bought_nothing = False
        error.money = "What was bought is in the store, and nothing is bought again for a delivery."
        raise
    for fault in report.faults:
        at.log.error("%s could not be delivered: %s", fault.place, fault.what)
    told = report.told
    tell("delivery", told)
    return told


async def _waiting(planned: Planned, results: Sequence[RunResult], journal: Journal) -> Waiting | None:
    """Return what people have to decide before the run can go on, and write down that it waits for them; None where nothing does."""
    items = {one.name: one for one in results if one.undecided}
    if not items:
        return None
    held = sum(one.status == WAITING for one in results)
    keys = {name: one.assets[0].sidecar.submission_key for name, one in items.items()}
    await journal.reviews.want(planned.at.brief.name, keys.values())
    heard, wanted = await journal.reviews.last(), await journal.reviews.wanted(planned.at.brief.name)
    ends = [
        wanted[key] + deadline
        for name, key in keys.items()
        if (deadline := planned.selection.approvals[name].deadline) is not None
    ]
    since = max(wanted[key] for key in keys.values())
    return Waiting(planned.at.brief.name, list(items.values()), held, since, heard, min(ends, default=None))
