"""An account that has too many requests or open jobs is waited for: that buys nothing, and is no failure."""

import asyncio
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from genmedia.errors import HeldError, RateLimitError
from genmedia.journal import AttemptState, Journal
from genmedia.progress import Progress, listener
from genmedia.purchasing.buy import Submit, buy
from genmedia.store import Store
from tests.buyers import Studio
from tests.sandboxes import Sandbox

FOR_EVER = 1e9


@pytest.fixture
def news() -> Generator[list[Progress]]:
    """What is told of the steps."""
    told: list[Progress] = []
    token = listener.set(told.append)
    yield told
    listener.reset(token)


async def waiting(news: list[Progress]) -> None:
    while not news:
        await asyncio.sleep(0.01)


async def test_a_purchase_waits_for_an_open_slot_and_tells_so_once(
    sandbox: Sandbox, tmp_path: Path, news: list[Progress]
) -> None:
    studio = Studio(sandbox, tmp_path, "genova", plan="Free", settings={"queue": [20, 20], "run": [20, 20]})
    wishes = [studio.errand(f"A red cup, number {number}") for number in range(3)]

    await asyncio.gather(*(studio.buy(one, patience=FOR_EVER) for one in wishes))

    assert [(one.step, one.what) for one in news] == [("genova", "waiting: too many open jobs at genova")]
    assert len(sandbox.jobs(studio.account)) == 3


@pytest.mark.parametrize("provider", ["algovera", "flora", "generio", "genova"])
async def test_when_the_patience_ends_nothing_was_bought_and_it_may_be_wished_for_again(
    sandbox: Sandbox, tmp_path: Path, provider: str
) -> None:
    studio = Studio(sandbox, tmp_path, provider)
    fault = {"algovera": "create_job", "flora": "create_run", "generio": "create_flow", "genova": "create_job"}[provider]
    sandbox.fault(studio.account, "rate_limit", route=fault, times=None, retry_after=5)
    wish = studio.errand("A red cup")

    with pytest.raises(RateLimitError, match=r"of the 20 s for which it may wait are left.*This call bought nothing"):
        await studio.buy(wish, patience=20)

    assert await studio.entries() == []
    sandbox.control("DELETE", f"/faults?account={studio.account['account']}")
    assert (await studio.buy(wish)).number == 2


@pytest.mark.parametrize("asked", ["before it is written down", "for its price"])
async def test_what_is_asked_for_a_purchase_before_it_is_sent_waits_out_of_the_same_patience(
    sandbox: Sandbox, tmp_path: Path, news: list[Progress], monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    alone = 60.0  # seconds that a call waits which stands for no purchase
    monkeypatch.setattr("genmedia.transport.session.WAIT_SECONDS", alone)
    studio = Studio(sandbox, tmp_path, "flora")
    wish = studio.errand("A red cup")
    async with wish.client() as client, Store.lease(wish.root) as store, Journal.lease(studio.journal) as journal:
        await wish.ask(client)
        sandbox.fault(studio.account, "rate_limit", route="get_technique", times=2, retry_after=alone)

        async def prepare() -> Submit:
            if asked == "before it is written down":
                await wish.ask(client)
            return lambda key, gate: wish.submit(client, key, gate)

        async def reprice() -> float | None:
            await wish.ask(client)
            return 6

        order = replace(wish.order, patience=3 * alone)
        await buy(
            journal,
            order,
            prepare,
            has=store.has,
            recover=client.recover,
            reprice=reprice if asked == "for its price" else None,
        )

    assert len(sandbox.jobs(studio.account)) == 1
    assert [one.what for one in news] == ["waiting: too many requests at flora"]


async def test_a_hold_ends_the_wait_of_a_purchase_before_its_next_sending(
    sandbox: Sandbox, tmp_path: Path, news: list[Progress]
) -> None:
    studio = Studio(sandbox, tmp_path, "algovera")
    sandbox.fault(studio.account, "rate_limit", route="create_job", times=None, retry_after=5)
    wish = studio.errand("A red cup")
    buying = asyncio.create_task(studio.buy(wish, patience=FOR_EVER))
    await waiting(news)

    async with Journal.lease(studio.journal) as journal:
        await journal.money.hold(str(wish.payer), "a person said so")
    with pytest.raises(HeldError, match="a person said so"):
        await buying

    assert sandbox.jobs(studio.account) == []


async def test_a_cancel_ends_the_wait_at_once_and_nothing_was_bought(
    sandbox: Sandbox, tmp_path: Path, news: list[Progress]
) -> None:
    studio = Studio(sandbox, tmp_path, "algovera")
    sandbox.fault(studio.account, "rate_limit", route="create_job", times=1, retry_after=FOR_EVER / 2)
    buying = asyncio.create_task(studio.buy(studio.errand("A red cup"), patience=FOR_EVER))
    await waiting(news)

    buying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await buying

    async with Journal.lease(studio.journal) as journal:
        assert (await journal.attempt(1)).state is AttemptState.REFUSED
    assert sandbox.jobs(studio.account) == []
