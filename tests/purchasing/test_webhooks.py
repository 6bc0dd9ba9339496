"""A genuine delivery has a job looked at at once; whatever else comes changes nothing, and costs no request to the provider."""

import asyncio
import hmac
import json
import logging
import socket
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from time import time
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
import uvicorn

from genmedia.errors import JournalUnreachableError
from genmedia.jobs.job import Account, Job, JobStatus
from genmedia.jobs.watcher import Trouble
from genmedia.journal import Attempt, Journal
from genmedia.journal.order import Order
from genmedia.journal.tables import attempts, watchers
from genmedia.providers.base import at_desk
from genmedia.providers.flora.client import FloraClient, RunInput
from genmedia.providers.flora.webhooks import FloraWebhook
from genmedia.purchasing.webhooks import BODY_BYTES, Receiver
from tests.sandboxes import Sandbox, running_sandbox

SLUG = "studio-blur"
FOR_EVER = 1e9
GET_RUN = "/api/v1/techniques/{slug}/runs/{run_id}"


@asynccontextmanager
async def serving(receiver: Receiver) -> AsyncGenerator[str]:
    """The receiver over HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(receiver, lifespan="off", log_config=None, timeout_graceful_shutdown=1))
        running = asyncio.create_task(server.serve([listening]))
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await running


@dataclass
class Shop:
    """An account of a sandbox whose runs end when its clock is set forward, and a receiver for it; a process buys, and waits patiently."""

    sandbox: Sandbox
    account: dict[str, Any]
    client: FloraClient
    journal: Journal
    url: str

    async def buy(self, name: str = "one") -> Attempt:
        picture = RunInput(id="input_image", type="imageUrl", value=self.sandbox.sample)
        order = Order(self.client.account, SLUG, {"technique": SLUG, "inputs": [name]}, 6, "credits")
        attempt = await self.journal.intend(order, datetime.now(UTC))
        assert attempt is not None
        run = await self.client.create_run(SLUG, [picture], idempotency_key=order.key)
        await self.journal.bind(attempt, run.run_id)
        return await self.journal.attempt(attempt.id)

    @property
    def looks(self) -> int:
        return sum(line["count"] for line in self.sandbox.requests(self.account) if line["route"] == GET_RUN)

    @property
    def answers(self) -> list[list[int | None]]:
        """What the sandbox's deliveries were answered, in their order."""
        return [one["answers"] for one in self.sandbox.account(self.account)["deliveries"]]

    def end_all(self) -> None:
        """Let every run come to its end."""
        self.sandbox.control("POST", "/clock", {"advance": 10_000})

    def delivery(self, job: str, *, kind: str = "run.completed", at: float = 0, secret: str = "") -> tuple[dict[str, str], bytes]:
        """Headers and body of a delivery as FLORA makes it, unless it is said otherwise."""
        body = json.dumps({"id": "whd_9", "type": kind, "data": {"run_id": job}}).encode()
        when = int(at or time())
        proof = hmac.new((secret or self.account["webhook_secret"]).encode(), f"{when}.".encode() + body, "sha256").hexdigest()
        return {"flora-signature": f"t={when},v1={proof}"}, body

    async def post(self, delivery: tuple[dict[str, str], bytes], path: str = "/flora") -> int:
        async with httpx.AsyncClient() as http:
            return (await http.post(f"{self.url}{path}", headers=delivery[0], content=delivery[1])).status_code


async def until(found: Callable[[], bool]) -> None:
    async with asyncio.timeout(120):
        while not found():
            await asyncio.sleep(0.05)


async def waited(client: FloraClient, journal: Journal, attempt: Attempt) -> Job:
    """The job's end, as a process sees it that waits for it."""

    async def seen(_: Job | Trouble) -> None:
        pass

    async with at_desk(client, journal) as desk:
        with desk.looks.awaiting(attempt):
            return await client.watcher.wait(
                client.reference(attempt), about="", queue_seconds=FOR_EVER, run_seconds=FOR_EVER, seen=seen, board=desk.looks
            )


async def rows(journal: Journal, query: sa.Select[Any]) -> list[Any]:
    database = journal._database  # pyright: ignore[reportPrivateUsage] # what stands there is what is tested
    async with database.transaction(reading=True) as connection:
        return list(await connection.execute(query))


async def row(journal: Journal, attempt: Attempt) -> Any:
    return (await rows(journal, sa.select(attempts).where(attempts.c.id == attempt.id)))[0]


@pytest.fixture(scope="module")
def own_sandbox() -> Generator[Sandbox]:
    """A sandbox whose clock nobody else minds."""
    with running_sandbox('{"size": 128}') as running:
        yield running


@pytest.fixture
async def shop(own_sandbox: Sandbox, url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Shop]:
    # A job is looked at once in the beginning, and then not again by itself.
    monkeypatch.setattr("genmedia.providers.flora.client.POLL_SECONDS", (FOR_EVER, FOR_EVER))
    account = own_sandbox.new_account(settings={"queue": [0, 0], "run": [5_000, 5_000]}, switches={"webhooks": True})
    payer = Account("flora", account["base_url"], account["account"])
    webhook = FloraWebhook(payer, account["webhook_secret"])
    async with AsyncExitStack() as held:
        journal = await held.enter_async_context(Journal.lease(url))
        receiving = await held.enter_async_context(serving(Receiver([webhook], [journal])))
        client = FloraClient.lease(payer, account["api_key"], webhook_url=f"{receiving}/flora")
        yield Shop(own_sandbox, account, await held.enter_async_context(client), journal, receiving)


async def test_the_end_of_a_job_is_seen_when_it_is_told_and_with_one_look(shop: Shop) -> None:
    waiting = asyncio.create_task(waited(shop.client, shop.journal, await shop.buy()))
    await until(lambda: shop.looks == 1)
    shop.end_all()

    assert (await waiting).status is JobStatus.SUCCEEDED
    assert (shop.looks, shop.answers) == (2, [[204]])


async def test_it_is_seen_by_a_process_that_another_one_looks_for(shop: Shop, url: str) -> None:
    payer, key = shop.client.account, shop.account["api_key"]
    journal, client = Journal(url), FloraClient(payer, key, webhook_url=f"{shop.url}/flora")
    async with AsyncExitStack() as held:
        held.push_async_callback(journal.aclose)
        held.push_async_callback(client.aclose)
        await held.enter_async_context(at_desk(client, journal))
        while not await rows(journal, sa.select(watchers)):
            await asyncio.sleep(0.05)
        waiting = asyncio.create_task(waited(shop.client, shop.journal, await shop.buy()))
        shop.end_all()

        assert (await waiting).status is JobStatus.SUCCEEDED
    assert shop.looks == 1, "a job that was made just now is not looked at before"


@pytest.mark.parametrize("fault", ["forged_delivery", "late_delivery", "lost_delivery"])
async def test_what_is_forged_late_or_lost_changes_nothing_and_has_nothing_looked_at(shop: Shop, fault: str) -> None:
    shop.sandbox.fault(shop.account, fault)
    attempt = await shop.buy()
    waiting = asyncio.create_task(waited(shop.client, shop.journal, attempt))
    await until(lambda: shop.looks == 1)
    while (before := await row(shop.journal, attempt)).seen is None:
        await asyncio.sleep(0.05)
    shop.end_all()
    await until(lambda: shop.answers == ([[]] if fault == "lost_delivery" else [[401]]))

    assert await row(shop.journal, attempt) == before
    assert await shop.post(shop.delivery(attempt.remote_id or "")) == 204
    assert (await waiting).status is JobStatus.SUCCEEDED
    assert shop.looks == 2, "one in the beginning, and one for the delivery that was genuine"


async def test_a_delivery_that_comes_twice_or_is_replayed_has_a_job_looked_at_once(shop: Shop) -> None:
    first, second = await shop.buy(), await shop.buy("two")
    ends = [asyncio.create_task(waited(shop.client, shop.journal, one)) for one in (first, second)]
    await until(lambda: shop.looks == 2)
    told = shop.delivery(first.remote_id or "")  # which has not ended: what a delivery says is not believed
    assert [await shop.post(told), await shop.post(told)] == [204, 204]
    await until(lambda: shop.looks == 3)
    assert not ends[0].done()
    assert await shop.post(told) == 204
    assert await shop.post(shop.delivery(second.remote_id or "")) == 204
    await until(lambda: shop.looks == 4)

    assert not ends[1].done()
    for one in ends:
        one.cancel()
    await asyncio.wait(ends)
    assert shop.looks == 4


async def test_after_its_end_a_replayed_delivery_changes_nothing(shop: Shop) -> None:
    shop.sandbox.fault(shop.account, "duplicate_delivery")
    attempt = await shop.buy()
    waiting = asyncio.create_task(waited(shop.client, shop.journal, attempt))
    await until(lambda: shop.looks == 1)
    shop.end_all()
    await waiting
    await until(lambda: shop.answers == [[204, 204]])
    before = await row(shop.journal, attempt)

    assert await shop.post(shop.delivery(attempt.remote_id or "")) == 204
    assert await row(shop.journal, attempt) == before
    assert shop.looks == 2


async def test_a_delivery_of_an_unknown_job_or_of_other_news_is_taken_and_changes_nothing(shop: Shop) -> None:
    attempt = await shop.buy()
    before = await row(shop.journal, attempt)

    assert await shop.post(shop.delivery("j57unknown")) == 204
    assert await shop.post(shop.delivery(attempt.remote_id or "", kind="run.started")) == 204
    assert await row(shop.journal, attempt) == before


async def test_what_is_no_genuine_delivery_is_refused_with_the_right_status(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    genuine = shop.delivery("j57")
    forged = shop.delivery("j57", secret="whsec_other")
    foreign = genuine[0], genuine[1].replace(b"j57", b"j58")
    unsigned: tuple[dict[str, str], bytes] = {}, genuine[1]
    late, early = shop.delivery("j57", at=time() - 400), shop.delivery("j57", at=time() + 400)
    with caplog.at_level(logging.INFO):
        assert [await shop.post(one) for one in (forged, foreign, late, early, unsigned)] == [401] * 5
        assert await shop.post(({}, b"x" * (BODY_BYTES + 1))) == 413
        assert await shop.post(genuine, "/genova") == 404
        assert await shop.post(genuine, "/flora/default") == 404
        async with httpx.AsyncClient(base_url=shop.url) as http:
            assert [(await http.request(method, "/flora")).status_code for method in ("GET", "PUT", "DELETE")] == [405] * 3
            assert (await http.get("/")).status_code == 200
            assert (await http.post("/")).status_code == 405
        assert await shop.post(genuine) == 204

    assert shop.account["webhook_secret"] not in caplog.text
    assert "whsec" not in caplog.text


async def test_a_signed_body_that_cannot_be_read_is_refused(shop: Shop) -> None:
    when, body = int(time()), b'{"type": "run.completed", "data": {}}'
    proof = hmac.new(shop.account["webhook_secret"].encode(), f"{when}.".encode() + body, "sha256").hexdigest()

    assert await shop.post(({"flora-signature": f"t={when},v1={proof}"}, body)) == 400


async def test_a_body_that_never_comes_to_its_end_is_given_up(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genmedia.purchasing.webhooks.BODY_SECONDS", 0.2)
    host, port = shop.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /flora HTTP/1.1\r\nhost: here\r\ncontent-length: 100\r\n\r\n{")

    assert (await reader.readline()).startswith(b"HTTP/1.1 408")
    writer.close()


async def test_while_the_journal_cannot_be_written_deliveries_are_asked_for_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = await shop.buy()

    async def unreachable(*_: object) -> None:
        raise JournalUnreachableError("the journal does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(shop.journal, "hint", unreachable)
        assert await shop.post(shop.delivery(attempt.remote_id or "")) == 503
    assert await shop.post(shop.delivery(attempt.remote_id or "")) == 204
    assert (await row(shop.journal, attempt)).hinted_at


async def test_accounts_are_told_apart_by_their_secrets(shop: Shop) -> None:
    attempt = await shop.buy()
    other = FloraWebhook(Account("flora", shop.account["base_url"], "another"), "whsec_other")
    mine = FloraWebhook(shop.client.account, shop.account["webhook_secret"])
    async with serving(Receiver([other, mine], [shop.journal])) as url:
        shop.url = url
        assert await shop.post(shop.delivery(attempt.remote_id or "", secret="whsec_other")) == 204
        assert (await row(shop.journal, attempt)).hinted_at is None
        assert await shop.post(shop.delivery(attempt.remote_id or "")) == 204
        assert (await row(shop.journal, attempt)).hinted_at
