"""Buying: each step of a plan is bought or made, waited for and stored, and its fallbacks once it failed for good."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from time import monotonic
from typing import Any

from genmedia.campaign.brief import OnFailure
from genmedia.campaign.executor import RunResult, inputs_of, outputs_of, run_plan, whose
from genmedia.campaign.forecast import MADE_AT_ONCE
from genmedia.campaign.foresight import Foresight
from genmedia.campaign.instead import aliased, called, in_turn, may_follow, said_of, stands_in, swapped
from genmedia.campaign.marks import REJECTED
from genmedia.campaign.plan import explain
from genmedia.campaign.planning import Planned
from genmedia.campaign.recall import bought_before, of_the_whole_run
from genmedia.campaign.shortage import OVER_BUDGET
from genmedia.campaign.workplace import Workplace
from genmedia.errors import GenmediaError, JobFailedError, MediaError, RefusedError
from genmedia.jobs.job import Job
from genmedia.journal import Journal, Purpose
from genmedia.journal.order import Order
from genmedia.progress import tell
from genmedia.providers.inputs import ResolvedInput
from genmedia.providers.registry import kinds
from genmedia.providers.steps import FreeKind, PaidKind, PlannedStep, Submit
from genmedia.purchasing.acquire import Acquired, acquire
from genmedia.purchasing.buy import Outcome, Purchase
from genmedia.purchasing.make import make
from genmedia.purchasing.patience import Patience
from genmedia.purchasing.receive import Received
from genmedia.purchasing.result import missing
from genmedia.purchasing.reuse import Stored, reuse


async def stage(found: Foresight) -> list[PlannedStep]:
    """Return the plan with its existing inputs brought to where their providers read them, before the first credit is spent.

    How each input gets there is told in the log.

    Raises:
        InputError: An input, stored or still to be made, cannot get to its provider.
    """
    at, steps = found.planned.at, found.planned.steps
    for line in await explain(steps, at.clients, at.store) if found.to_buy else ():
        at.log.info("%s", line)
    by_name = {step.name: step for step in steps}
    staged: dict[str, PlannedStep] = {}
    for kind in kinds():
        mine = [step for step in found.to_buy if step.operation.kind is kind]
        if mine and isinstance(kind, PaidKind):
            staged |= {step.name: step for step in await kind.stage(at.client(kind.provider), at.store, by_name, mine)}
    return [staged.get(step.name, step) for step in steps]


async def buy(found: Foresight, staged: Sequence[PlannedStep], journal: Journal) -> list[RunResult]:
    """Buy what is planned and staged, wait for its jobs, and store their outputs. What is stored needs no work of the runner."""
    planned, brief = found.planned, found.planned.at.brief
    purchases = _Purchases(planned.at, planned, found, journal)
    slotless = found.stored.keys() | found.over_budget | {run.name for run in staged if run.operation.free}
    failing_of: dict[str, OnFailure] = {name: one.on_failure for name, one in planned.policies.items() if one.on_failure}
    before = await bought_before(planned, planned.at.runs, journal)
    results = await run_plan(
        staged,
        purchases.perform,
        at_once=brief.at_once,
        on_failure=brief.on_failure,
        on_failure_of=failing_of,
        slotless=slotless,
    )
    return [of_the_whole_run(one, before.get(one.name, ())) for one in results]


@dataclass(frozen=True)
class _Purchases:
    """The purchases of one run, and the work that this machine does for it."""

    at: Workplace
    planned: Planned
    found: Foresight
    journal: Journal
    _locks: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    _failed: dict[str, GenmediaError] = field(default_factory=dict[str, GenmediaError])
    _making: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MADE_AT_ONCE))

    async def perform(self, run: PlannedStep, inputs: list[ResolvedInput]) -> RunResult:
        """Carry out a step, and if that fails for good, its fallbacks."""
        if run.name in self.found.over_budget:
            return RunResult(**whose(run), status=Outcome.NOT_BOUGHT, error=OVER_BUDGET)
        if known := self.found.stored.get(run.name):
            return await self._carry_out(run, inputs, *known)
        if not run.others:
            return await self._carry_out(run, inputs, self.planned.wish(run, inputs), None)
        options = self.planned.options(run)
        turn = in_turn(options, await self.journal.answers({key for one in options for key in one.keys}))
        tried: list[tuple[PlannedStep, GenmediaError]] = []
        for number, (option, _, wish) in enumerate(turn, 1):
            one = option if option is run else swapped(run, option)
            try:
                result = await self._carry_out(await self._at_hand(run, one), inputs_of(one, {}), wish, None)
            except GenmediaError as error:
                tried.append((one, error))
                answer = (await self.journal.answers({wish.key})).get(wish.key)
                if number < len(turn) and may_follow(error, answer):
                    tell(run.name, f"{called(turn[number].run)} in its place: {error.what}")
                    self.at.log.warning("%s: %s is bought in its place: %s", run.name, called(turn[number].run), error)
                    continue
                if number == 1:
                    raise
                tell(run.name, str(error), over=True)
                result = RunResult(**whose(one), status=missing(error), charged=error.charged, error=str(error))
            told = "".join(f"; {called(failed)} failed: {error.what}" for failed, error in tried if failed is not one)
            before = tuple(
                (failed.operation.provider, error.charged, failed.operation.unit) for failed, error in tried if failed is not one
            )
            return replace(result, note=f"{said_of(one)}{told}".lstrip("; "), before=before)
        raise AssertionError("the last one returns or raises")

    async def _at_hand(self, run: PlannedStep, one: PlannedStep) -> PlannedStep:
        """Return a step with its inputs brought to its provider; those of the step whose turn was foreseen are there."""
        if one is run or not isinstance(kind := one.operation.kind, PaidKind):
            return one
        by_name = {step.name: step for step in self.planned.steps}
        (staged,) = await kind.stage(self.at.client(kind.provider), self.at.store, by_name, [one])
        return staged

    async def _carry_out(self, run: PlannedStep, inputs: list[ResolvedInput], wish: Order, there: Stored | None) -> RunResult:
        begun, kind = monotonic(), run.operation.kind
        order, job = self._order(run, inputs, wish), None
        if there:
            acquired = await reuse(run.name, order, there, self.journal, self.at.store)
        else:
            # Equal inputs give two runs the same order: the second reuses, or fails as the first did.
            async with self._locks[order.key]:
                if failed := self._failed.get(order.key):
                    error = copy(failed)
                    error.charged = 0.0
                    raise error
                try:
                    acquired, job = await self._acquire(run, inputs, order)
                except (JobFailedError, RefusedError, MediaError) as error:
                    self._failed[order.key] = error
                    raise
        if self.at.brief.delete_after and acquired.assets and isinstance(kind, PaidKind):
            await self._delete(kind, run.name, acquired.purchase.job_id)
        return RunResult(
            **whose(run),
            status=acquired.status,
            job_id=acquired.purchase.job_id,
            seconds=monotonic() - begun,
            charged=acquired.charged,
            assets=acquired.assets,
            error=acquired.refused or acquired.purchase.why_not,
            outputs=aliased(run, await outputs_of(run.name, acquired.assets, self.at.store, job)),
            rejected=order.withheld == REJECTED,
            undecided=bool(acquired.assets) and self.planned.selection.awaits(run.name, order),
            note=said_of(run),
        )

    def _order(self, run: PlannedStep, inputs: Sequence[ResolvedInput], wish: Order) -> Order:
        """Return the order of a run with the purpose, caps and patience of this run of the campaign."""
        brief, planned = self.at.brief, self.planned
        purpose = Purpose(
            brief.name,
            run.name,
            [one.about() for one in inputs],
            planned.labels_of(run.name),
            run=self.at.host.run,
            place=planned.places[run.name],
            stands_in=stands_in(run),
        )
        if wish.free:
            return replace(wish, purpose=purpose)
        provider = run.operation.provider
        payer, plan, policy = self.at.payers[provider], self.found.plans[provider], planned.policy_of(run.name)
        monthly = self.found.monthly[provider]
        return replace(
            wish,
            assumed=payer.assumed_price,
            if_in_doubt=policy.if_in_doubt or payer.if_in_doubt,
            purpose=replace(purpose, cap=plan.purpose.cap, spare=plan.spare, monthly=monthly),
            patience=self._patience(run).queue_minutes * 60,
            attempts=policy.attempts or brief.attempts,
        )

    def _patience(self, run: PlannedStep) -> Patience:
        deadline = self.planned.policy_of(run.name).deadline
        return Patience(deadline, deadline) if deadline else self.at.brief.patience

    async def _acquire(self, run: PlannedStep, inputs: list[ResolvedInput], order: Order) -> tuple[Acquired, Job | None]:
        """Carry out an order to its end; return its result, and its job as it was seen last, where there is one."""
        at, operation, kind = self.at, run.operation, run.operation.kind
        runner, job = at.host.runner, None
        if isinstance(kind, FreeKind):
            (output,) = operation.gives
            produce = partial(kind.make, at.store, operation, inputs, order)
            async with self._making:
                made = await runner.make(at.assets, order, partial(make, at.assets, order, output, produce))
            return Acquired(made, made.assets, 0.0), None
        assert isinstance(kind, PaidKind)
        payer, client = at.payers[kind.provider], at.client(kind.provider)

        async def deliver(sending: AsyncExitStack) -> Submit:
            return await kind.deliver(client, at.store, operation, inputs, order, sending)

        async def submit() -> Purchase:
            return await runner.submit(payer, at.assets, order, deliver)

        async def finish(purchase: Purchase) -> Received:
            nonlocal job
            job = await runner.wait(payer, at.assets, purchase, run.name, self._patience(run))
            return await runner.store(payer, at.assets, purchase, job)

        spare = self.found.plans[kind.provider].spare
        if_refused = self.planned.policy_of(run.name).if_refused or ""
        return await acquire(run.name, at.assets, spare, submit, finish, at.log, if_refused), job

    async def _delete(self, kind: PaidKind[Any], name: str, job_id: str) -> None:
        """Delete a job at the provider once its files are stored; a failure is only a warning, for the job's storage there just remains."""
        try:
            await kind.delete(self.at.client(kind.provider), job_id)
        except GenmediaError as error:
            self.at.log.warning("%s: job %s stays at %s: %s", name, job_id, kind.provider, error.what)
