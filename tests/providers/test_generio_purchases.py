"""What a purchase at Generio is: a flow that was started. One that was made only costs nothing, and is taken back."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from genmedia.errors import (
    BudgetError,
    CreditsError,
    GenmediaError,
    HeldError,
    MaybeAcceptedError,
    RefusedError,
    UnreadableAnswerError,
)
from genmedia.jobs.job import Account, JobStatus
from genmedia.journal import Attempt, AttemptState, Journal, Purpose, Scope
from genmedia.journal.order import Order
from genmedia.providers.generio.client import GenerioClient
from genmedia.providers.generio.forms import TemplateStep
from genmedia.providers.generio.steps import Material, flow_order, given_as
from genmedia.purchasing.buy import Purchase, Submit, buy
from genmedia.purchasing.cancel import cancel
from genmedia.purchasing.recover import Fate, harvest
from genmedia.store import Place, Store
from genmedia.transport.pace import ANSWER_SECONDS
from genmedia.transport.session import Gate
from tests.sandboxes import Sandbox

STEP = TemplateStep(template="model_generate_fromprompt", parameters={"quality": "low"})
RUN = Purpose("cups", run="a run", cap=5)

Then = Callable[[], Awaitable[object]]


async def nothing() -> None:
    """What most do between the input and the start."""


@dataclass
class Shop:
    """An account of Generio, and how a flow is bought from it, as the task does that."""

    sandbox: Sandbox
    account: dict[str, Any]
    client: GenerioClient
    journal: Journal
    store: Store

    @property
    def order(self) -> Order:
        cup = Material("text/plain", text="A red cup")
        return replace(flow_order(self.client.account, STEP.template, STEP.parameters, [given_as(cup)], 1, 1), purpose=RUN)

    async def buy(self, then: Then = nothing, purpose: Purpose = RUN) -> Purchase:
        """Buy the flow; `then` is done once it has its input."""

        async def submit(key: str, gate: Gate) -> str:
            flow = await self.client.create_flow(STEP.template, STEP.parameters, additional={"genmedia": key}, gate=gate)
            await self.client.upload_input(flow.flow_id, "A red cup", additional="text")
            await then()
            await self.client.start_flow(flow.flow_id, gate)
            return flow.flow_id

        async def prepare() -> Submit:
            return submit

        order = replace(self.order, purpose=purpose)
        return await buy(self.journal, order, prepare, has=self.store.has, recover=self.client.recover, repeat_pause=0)

    async def interrupted(self) -> Attempt:
        """The attempt of a purchase that was cancelled once its flow had its input."""
        reached = asyncio.Event()

        async def wait() -> None:
            reached.set()
            await asyncio.Future()

        buying = asyncio.create_task(self.buy(wait))
        await reached.wait()
        buying.cancel()
        with suppress(asyncio.CancelledError):
            await buying
        assert await self.states() == ["created"]
        return await self.journal.attempt(1)

    async def bound_by_older_code(self) -> Attempt:
        """An attempt that was bound before its flow was started, which never happened."""
        attempt = await self.journal.intend(self.order, datetime.now(UTC))
        assert attempt
        made = {"genmedia": f"{attempt.key}:{attempt.number}"}
        flow = await self.client.create_flow(STEP.template, STEP.parameters, additional=made)
        await self.client.upload_input(flow.flow_id, "A red cup", additional="text")
        await self.journal.bind(attempt, flow.flow_id)
        return await self.journal.attempt(attempt.id)

    async def hold(self) -> None:
        await self.journal.money.hold(str(self.client.account), "the key leaked")

    async def cap(self) -> None:
        await self.journal.money.set_caps(str(self.client.account), {Scope.TOTAL: 0})

    async def states(self) -> list[str]:
        """Of the flows that Generio has."""
        return [flow.state for flow in await self.client.list_flows()]

    async def assert_nothing_was_paid(self) -> None:
        assert self.sandbox.jobs(self.account) == []
        assert self.sandbox.account(self.account)["credits"] == self.account["credits"]
        assert await self.states() == []
        assert await self.journal.money.spent(str(self.client.account), "credits") == 0


@pytest.fixture
async def shop(sandbox: Sandbox, journal: Journal, tmp_path: Path) -> AsyncGenerator[Shop]:
    account = sandbox.new_account("generio", settings={"advance": "looks", "looks": [0, 0]})
    payer = Account("generio", account["base_url"], account["account"])
    async with GenerioClient.lease(payer, account["api_key"]) as client, Store.lease(Place(str(tmp_path / "media"))) as store:
        yield Shop(sandbox, account, client, journal, store)


FORBIDDEN: list[Any] = [
    pytest.param(Shop.hold, RUN, HeldError, "the key leaked", id="held"),
    pytest.param(Shop.cap, RUN, BudgetError, "beyond the cap of 0 credits for all time", id="capped"),
    pytest.param(
        nothing,
        replace(RUN, run="another", cap=0),
        BudgetError,
        "beyond the cap of 0 credits for this run",
        id="a run that may not",
    ),
]


@pytest.mark.parametrize(("forbid", "error", "words"), [(one.values[0], *one.values[2:]) for one in FORBIDDEN[:2]])
async def test_what_is_forbidden_while_the_input_is_sent_is_not_started(
    shop: Shop, forbid: Callable[[Shop], Awaitable[None]], error: type[GenmediaError], words: str
) -> None:
    with pytest.raises(error, match=f"{words}.*Nothing was bought"):
        await shop.buy(lambda: forbid(shop))

    assert (await shop.journal.attempt(1)).state is AttemptState.REFUSED
    await shop.assert_nothing_was_paid()


@pytest.mark.parametrize("left", [Shop.interrupted, Shop.bound_by_older_code])
@pytest.mark.parametrize(("forbid", "purpose", "error", "words"), FORBIDDEN)
async def test_what_was_made_and_is_forbidden_now_is_not_started_by_the_next_run(
    shop: Shop,
    left: Callable[[Shop], Awaitable[Attempt]],
    forbid: Callable[..., Awaitable[None]],
    purpose: Purpose,
    error: type[GenmediaError],
    words: str,
) -> None:
    attempt = await left(shop)
    await (forbid(shop) if forbid is not nothing else nothing())
    if attempt.state is AttemptState.BOUND:
        assert (await waited(shop, attempt)) is JobStatus.UNSTARTED
        assert await shop.journal.unbind(attempt.id, attempt.remote_id or "")

    (attempt,) = (await shop.journal.answers([shop.order.key])).values()
    assert attempt.state is AttemptState.INTENDED, "it is still to buy"
    with pytest.raises(error, match=words):
        await shop.buy(purpose=purpose)

    await shop.assert_nothing_was_paid()


async def waited(shop: Shop, attempt: Attempt) -> JobStatus:
    async def seen(_: object) -> None:
        pass

    ref = shop.client.reference(attempt)
    return (await shop.client.watcher.wait(ref, about="", queue_seconds=1e6, run_seconds=1e6, seen=seen)).status


@pytest.mark.parametrize("left", [Shop.interrupted, Shop.bound_by_older_code])
async def test_what_was_made_and_never_started_is_taken_back_by_a_harvest(
    shop: Shop, left: Callable[[Shop], Awaitable[Attempt]]
) -> None:
    await left(shop)

    (harvested,) = await harvest(shop.journal, shop.store, [shop.client], over={"a run"})

    assert (harvested.fate, harvested.attempt.state) == (Fate.NOT_BOUGHT, AttemptState.REFUSED)
    await shop.assert_nothing_was_paid()
    assert await shop.journal.open_attempts() == []


async def test_what_was_made_and_never_started_is_taken_back_when_its_run_is_cancelled(shop: Shop) -> None:
    attempt = await shop.bound_by_older_code()

    assert await cancel(shop.journal, shop.client, attempt.id, {"a run"})

    assert (await shop.journal.attempt(attempt.id)).state is AttemptState.REFUSED
    await shop.assert_nothing_was_paid()


async def test_what_was_interrupted_is_bought_once_by_the_next_run_and_is_that_runs(shop: Shop) -> None:
    await shop.interrupted()
    another = Purpose("mugs", run="another", labels={"client": "tea"}, cap=1)

    bought = await shop.buy(purpose=another)

    attempt = await shop.journal.attempt(bought.attempt)
    assert (attempt.campaign, attempt.run, attempt.labels) == ("mugs", "another", {"client": "tea"})
    assert {one.run for one in await shop.journal.waiters(attempt.id)} == {"a run", "another"}
    assert [job["id"] for job in shop.sandbox.jobs(shop.account)] == [bought.job_id]
    assert len(await shop.states()) == 1


async def test_a_flow_that_was_started_is_found_among_those_that_were_not_and_only_those_are_deleted(shop: Shop) -> None:
    attempt = await shop.journal.intend(shop.order, datetime.now(UTC))
    assert attempt
    mine = {"genmedia": f"{attempt.key}:{attempt.number}"}

    async def made(additional: dict[str, str], *, start: bool) -> str:
        flow = await shop.client.create_flow(STEP.template, {}, additional=additional)
        await shop.client.upload_input(flow.flow_id, "A red cup", additional="text")
        if start:
            await shop.client.start_flow(flow.flow_id)
        return flow.flow_id

    first, started = await made(mine, start=False), await made(mine, start=True)
    another, last = await made({"genmedia": "other:1"}, start=False), await made(mine, start=False)

    assert await shop.client.recover(attempt, shop.journal) == started

    left = {flow.flow_id for flow in await shop.client.list_flows()}
    assert left == {started, another}
    assert not left & {first, last}


async def test_a_listed_flow_without_an_id_hides_no_other_and_may_be_the_one(shop: Shop) -> None:
    attempt = await shop.interrupted()
    (made,) = await shop.client.list_flows()
    await shop.client.start_flow(made.flow_id)
    shop.sandbox.fault(shop.account, "empty_id", route="list_flows")
    with pytest.raises(UnreadableAnswerError, match="may be the one"):
        await shop.client.recover(attempt, shop.journal)
    assert await shop.client.recover(attempt, shop.journal) == made.flow_id

    await shop.client.create_flow(STEP.template, {}, additional={"genmedia": "other:1"})
    shop.sandbox.fault(shop.account, "empty_id", route="list_flows")
    assert await shop.client.recover(attempt, shop.journal) == made.flow_id


async def test_a_flow_that_is_started_just_before_it_would_be_taken_back_is_kept(shop: Shop) -> None:
    await shop.interrupted()
    (seen,) = await shop.client.list_flows()
    await shop.client.start_flow(seen.flow_id)

    assert not await shop.client.delete_unstarted(seen, monotonic())
    assert len(await shop.states()) == 1


@pytest.mark.parametrize("started", [True, False])
async def test_a_flow_is_not_deleted_long_after_it_was_seen_not_started(shop: Shop, *, started: bool) -> None:
    await shop.interrupted()
    asked, (seen,) = monotonic() - ANSWER_SECONDS, await shop.client.list_flows()
    if started:  # and has ended, before a process that stood still goes on
        await shop.client.start_flow(seen.flow_id)
        while await shop.states() != ["completed"]:
            await asyncio.sleep(0.05)

    with nullcontext() if started else pytest.raises(MaybeAcceptedError, match="too long ago"):
        assert not await shop.client.delete_unstarted(seen, asked)

    assert len(await shop.states()) == 1


@pytest.mark.parametrize("started", [True, False])
async def test_a_flow_is_not_deleted_a_second_time_when_the_answer_is_lost(shop: Shop, *, started: bool) -> None:
    await shop.interrupted()
    (seen,) = await shop.client.list_flows()
    if started:
        await shop.client.start_flow(seen.flow_id)
    shop.sandbox.fault(shop.account, "lose_answer", route="delete_flow")

    assert await shop.client.delete_unstarted(seen, monotonic()) is not started
    assert [line["count"] for line in shop.sandbox.requests(shop.account) if line["method"] == "DELETE"] == [1]
    assert len(await shop.states()) == started


async def test_a_flow_that_cannot_be_paid_or_is_refused_its_input_is_taken_back(shop: Shop) -> None:
    shop.sandbox.control("POST", "/accounts", {"provider": "generio", "account": shop.account["account"], "credits": 0})
    with pytest.raises(CreditsError, match="bought nothing"):
        await shop.buy()
    assert await shop.states() == []

    async def refuse() -> None:
        raise RefusedError("no such picture")

    with pytest.raises(RefusedError, match="no such picture"):
        await shop.buy(refuse)
    assert await shop.states() == []


async def test_where_no_answer_ever_comes_nothing_is_in_doubt_and_the_next_run_asks_on(shop: Shop) -> None:
    shop.sandbox.fault(shop.account, "lose_answer", route="control_flow", times=None)
    shop.sandbox.fault(shop.account, "server_error", route="get_flow", times=None)
    shop.sandbox.fault(shop.account, "server_error", route="list_flows", times=None)

    with pytest.raises(MaybeAcceptedError, match="submission"):
        await shop.buy()
    assert (await shop.journal.attempt(1)).state is AttemptState.INTENDED

    shop.sandbox.control("DELETE", f"/faults?account={shop.account['account']}")
    bought = await shop.buy()
    assert [job["id"] for job in shop.sandbox.jobs(shop.account)] == [bought.job_id]
