"""Steps that feed each other, at any of the providers: planned as a whole, bought in order, kept."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from time import monotonic
from typing import Any

from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from blocks import AssetStore, credentials_of, load_block
from blocks.credentials import ProviderCredentials
from flows.purchases import (
    Spare,
    acquire,
    naming_paid_work,
    on_behalf,
    run_campaign,
    select,
    warn_of_look_alikes,
)
from genmedia.campaign.executor import (
    OnFailure,
    RunResult,
    check_apart,
    first_wishes,
    inputs_of,
    order_for,
    outputs_of,
    run_plan,
    runs_to_buy,
)
from genmedia.campaign.marks import Selection
from genmedia.campaign.plan import explain, named_files, plan_steps
from genmedia.campaign.steps import AnyStep
from genmedia.campaign.variables import stand_in
from genmedia.errors import Fault, SettingsError, gathering
from genmedia.forms.names import Place, placed
from genmedia.jobs.job import Job
from genmedia.journal import Journal, Purpose
from genmedia.journal.order import Order
from genmedia.providers.base import ProviderClient
from genmedia.providers.inputs import ResolvedInput
from genmedia.providers.registry import kind_of, kinds
from genmedia.providers.sources import File, Unreadable
from genmedia.providers.steps import Operation, PlannedStep, Submit
from genmedia.purchasing.budget import Foreseen, Outlook, run_cap, shares
from genmedia.purchasing.buy import Purchase
from genmedia.purchasing.receive import Received
from genmedia.purchasing.result import Result
from genmedia.store import Store
from genmedia.store.named_files import Files, files_at_hand, look_at
from tasks.runner import CallsAsTasks, tasks_of
from tasks.waiting import Patience

UNIT = "credits"

Payers = Mapping[str, ProviderCredentials]
"""Who pays, by provider."""


def accounts_of(accounts: Any, steps: Sequence[AnyStep | Unreadable]) -> dict[str, str]:
    """The names of the credentials blocks that pay for the steps, by provider; those of all providers are fields of `accounts`."""
    used = {kind_of(step).provider for step in steps if not isinstance(step, Unreadable)}
    return {provider: getattr(accounts, provider) for provider in sorted(used)}


async def run_steps(
    name: str,
    steps: Sequence[AnyStep | Unreadable],
    *,
    places: Mapping[str, Place] | None = None,
    photo: str = "",
    prompt: str = "",
    accounts: Mapping[str, str],
    assets: AssetStore,
    max_credits: Mapping[str, float | None] | float | None,
    max_usd: float | None,
    labels: Mapping[str, str],
    take: int,
    marks: str,
    buy_unmarked: bool,
    at_once: int,
    on_failure: OnFailure,
    attempts: int,
    patience: Patience,
) -> State[Any]:
    """Plan the steps, buy what is not bought yet, and keep everything they give.

    Args:
        name: The campaign.
        steps: As they are written; those with faults of their form tell them with the plan's.
        places: Where each stands in what was asked for, by its name; by default each is one of the steps.
        photo: Stands for `{photo}` in them.
        prompt: Stands for `{prompt}` in them.
        accounts: Who pays: the names of the credentials blocks, by provider.
        assets: Where everything goes.
        max_credits: The most that each provider may be paid, or all of them together; None for no limit.
        max_usd: The most that FLORA may be paid where it names its prices in USD.
        labels: Whom it is bought for.
        take: 1, 2, 3…: the same bought again on purpose.
        marks: Path of a file of marks; empty for none.
        buy_unmarked: With marks: whether what is neither stored nor marked is bought as well.
        at_once: How many jobs may be under way.
        on_failure: Whether what does not depend on a step that failed is bought all the same.
        attempts: How often each may be bought in all while its job fails.
        patience: How long each may wait and take.

    Raises:
        InputError: Everything that is wrong with the steps, each with its step and input; nothing was bought.
        BudgetError: At one of the providers it would cost more than allowed.
    """
    async with AsyncExitStack() as held:
        async with naming_paid_work(name, assets):
            payers, faults = await _load_payers(accounts)
            selection = Selection(name)
            with gathering(faults):
                selection = await select(name, marks, assets, buy_unmarked=buy_unmarked)
            files = await held.enter_async_context(assets.get_store())
            clients = {provider: await held.enter_async_context(payer.get_client()) for provider, payer in payers.items()}
            steps, unused = stand_in(steps, photo=photo, prompt=prompt)
            for sentence in unused:
                get_run_logger().warning("%s", sentence)
            tasked = {provider: CallsAsTasks(client, payers[provider]) for provider, client in clients.items()}
            plan = await _plan(steps, payers, clients, tasked, files, faults, held)
            paying = {provider: payer.payer for provider, payer in payers.items()}
            check_apart(plan, paying)
            warn_of_look_alikes(first_wishes(plan, paying))
            stands = places or {run.name: placed(step=(number, run.name)) for number, run in enumerate(plan, 1)}
        to_buy: list[PlannedStep] = []
        caps: dict[str, float | None] = {}
        one_by_one: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

        def wish_for(run: PlannedStep, inputs: Sequence[ResolvedInput]) -> Order:
            return selection.choose(order_for(run, inputs, paying[run.operation.provider], take), run.name if run.feeds else "")

        async def foresee(journal: Journal) -> list[Foreseen]:
            left, outlook = await runs_to_buy(plan, paying, take, selection, journal, files)
            to_buy.extend(left)
            caps.update(await _caps(plan, to_buy, payers, max_credits, max_usd, journal))
            keys = {run.name: wish_for(run, inputs_of(run, {})).key for run in to_buy if not run.feeds}
            return [
                _foreseen(run.name, run.operation, keys.get(run.name, ""), outlook.get(run.name, Outlook.TO_BUY)) for run in plan
            ]

        async def perform(run: PlannedStep, inputs: list[ResolvedInput], spare: Spare) -> RunResult:
            begun, provider = monotonic(), run.operation.provider
            job: Job | None = None
            tasks, payer = tasks_of(provider), payers[provider]
            purpose = Purpose(name, run.name, [one.about() for one in inputs], labels)
            purpose = replace(purpose, cap=caps[provider], spare=spare[provider], place=stands[run.name])
            order = on_behalf(wish_for(run, inputs), payer, purpose, patience, attempts)

            async def deliver(sending: AsyncExitStack) -> Submit:
                return await run.operation.kind.deliver(tasked[provider], files, run.operation, inputs, order, sending)

            async def finish(purchase: Purchase) -> Received:
                nonlocal job
                job = await tasks.wait(payer, assets, purchase, run.name, patience)
                return await tasks.store(payer, assets, purchase, job)

            async with one_by_one[order.key]:  # inputs that come out equal make one wish of two runs: the second reuses
                acquired = await acquire(
                    run.name, assets, spare[provider], lambda: tasks.submit(payer, assets, order, deliver), finish
                )
            outputs = await outputs_of(run.name, acquired.assets, files, job)
            told: dict[str, Any] = vars(acquired.result(run.name, begun)) | {"operation": run.operation.name, "outputs": outputs}
            return RunResult(**told)

        async def work(spare: Spare) -> Sequence[Result]:
            async with naming_paid_work(name, assets):
                for sentence in await explain(plan, clients, files) if to_buy else ():
                    get_run_logger().info("%s", sentence)
                staged = await _stage(plan, to_buy, tasked, files)
            return await run_plan(staged, lambda run, inputs: perform(run, inputs, spare), at_once=at_once, on_failure=on_failure)

        return await run_campaign(
            name, payers=list(payers.values()), assets=assets, caps=caps, selection=selection, foresee=foresee, work=work
        )


async def _caps(
    plan: Sequence[PlannedStep],
    to_buy: Sequence[PlannedStep],
    payers: Payers,
    max_credits: Mapping[str, float | None] | float | None,
    max_usd: float | None,
    journal: Journal,
) -> dict[str, float | None]:
    """What may be spent at each provider, in the unit of its prices; None for no limit.

    Raises:
        BudgetError: A cap is in another unit than the prices, or all of it would cost more than one budget for all providers.
    """
    may_be_in_usd = {kind.provider for kind in kinds() if kind.in_usd}
    left = {provider: [step for step in to_buy if step.operation.provider == provider] for provider in payers}
    caps: dict[str, float | None] = {}
    for provider in payers:
        units = {step.operation.unit for step in plan if step.operation.provider == provider}
        most = max_credits.get(provider) if isinstance(max_credits, Mapping) else max_credits
        in_usd = max_usd if provider in may_be_in_usd else None
        caps[provider] = run_cap(provider, units, most, in_usd, to_buy=bool(left[provider]))
    if not isinstance(max_credits, Mapping) and max_credits is not None:
        caps |= await _shares(max_credits, payers, left, journal)
    return caps


async def _shares(budget: float, payers: Payers, runs: Mapping[str, Sequence[PlannedStep]], journal: Journal) -> dict[str, float]:
    """What this run may pay each provider whose prices are in credits; see `shares`.

    Raises:
        BudgetError: All of it would cost more than the budget, or nobody knows what it would cost.
    """
    costs = {one: _costs(payers[one], some) for one, some in runs.items() if all(run.operation.unit == UNIT for run in some)}
    spent = {one: await journal.money.spent(str(payers[one].payer), UNIT, flow_run.id or "") for one in costs}
    return shares(budget, costs, spent)


def _costs(payer: ProviderCredentials, runs: Sequence[PlannedStep]) -> list[float | None]:
    """What each run counts as, as far as anybody knows."""
    return [payer.assumed_price if run.operation.price is None else run.operation.price for run in runs]


async def _plan(
    steps: Sequence[AnyStep | Unreadable],
    payers: Payers,
    clients: Mapping[str, ProviderClient],
    tasked: Mapping[str, CallsAsTasks],
    files: Store,
    faults: Sequence[Fault],
    held: AsyncExitStack,
) -> list[PlannedStep]:
    """What the steps come to, with their files held; of a step that nobody pays for, what can be told without its provider.

    Raises:
        InputError: Everything that is wrong.
    """
    readable = [step for step in steps if not isinstance(step, Unreadable)]
    known = [step for step in readable if not kind_of(step).asks or kind_of(step).provider in payers]
    operations = await _describe(known, payers, tasked)  # a sandbox names its origins with its first answer
    origins = {provider: client.http.origins for provider, client in clients.items()}
    readers = [clients[kind.provider] for kind in kinds() if kind.reads_addresses and kind.provider in clients]
    fetcher = next(iter([*readers, *clients.values()]), None)
    at_hand = await held.enter_async_context(
        files_at_hand(named_files(readable, origins), files, fetcher.http if fetcher else None)
    )
    looked_at = await look_at(at_hand)
    written = [step if isinstance(step, Unreadable) or step in known else _unpaid(step, looked_at) for step in steps]
    return plan_steps(written, operations, looked_at, origins, faults)


def _unpaid(step: AnyStep, files: Files) -> Unreadable:
    """A step whose provider nobody can ask, with what is wrong with its files."""
    named = [(name, source.file) for name, source in kind_of(step).sources(step) if isinstance(source, File)]
    return Unreadable(
        step.name, tuple(Fault(f"input {name}", f"{file} {files.wrong[file]}") for name, file in named if file in files.wrong)
    )


async def _load_payers(accounts: Mapping[str, str]) -> tuple[Payers, list[Fault]]:
    """Who pays, and which blocks there are not; what only those could plan waits for them, all else is told with it."""
    payers: dict[str, ProviderCredentials] = {}
    faults: list[Fault] = []
    for provider, name in accounts.items():
        try:
            payers[provider] = await load_block(credentials_of(provider), name)
        except SettingsError as error:
            faults.append(Fault(f"account {name} of {provider}", f"{error.what}. {error.advice}".rstrip(".")))
    return payers, faults


def _foreseen(name: str, operation: Operation, key: str, outlook: Outlook) -> Foreseen:
    return Foreseen(name, operation.provider, operation.name, operation.price, operation.unit, key, outlook)


async def _describe(
    steps: Sequence[AnyStep], payers: Payers, tasked: Mapping[str, CallsAsTasks]
) -> dict[str, Operation | Sequence[Fault]]:
    """What each step buys, as the providers describe it now; asked for once each."""
    found: dict[str, Operation | Sequence[Fault]] = {}
    for kind in kinds():
        if mine := [step for step in steps if kind_of(step) is kind]:
            found |= await kind.describe(tasked.get(kind.provider), mine, payers.get(kind.provider))
    return found


async def _stage(
    plan: Sequence[PlannedStep], to_buy: Sequence[PlannedStep], tasked: Mapping[str, CallsAsTasks], files: Store
) -> list[PlannedStep]:
    """The plan, with what is there brought to where its provider reads it, before the first credit is spent.

    Raises:
        InputError: An input, there or not yet, cannot get to its provider.
    """
    by_name = {step.name: step for step in plan}
    staged: dict[str, PlannedStep] = {}
    for kind in kinds():
        if mine := [step for step in to_buy if step.operation.kind is kind]:
            staged |= {step.name: step for step in await kind.stage(tasked[kind.provider], files, by_name, mine)}
    return [staged.get(step.name, step) for step in plan]
