"""Algovera's client against the sandbox: the key that no log shows, three meanings of 403, a failure without a reason, no second purchase."""

import asyncio
import io
import json
import logging
import re
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from pydantic import ValidationError

from genmedia import errors
from genmedia.jobs.job import Account, Job, JobStatus
from genmedia.journal import Journal
from genmedia.journal.order import Order
from genmedia.providers.algovera.client import PRICE, UNIT, AlgoveraClient, Txt2Img, as_job
from genmedia.providers.algovera.steps import picture_order, submission
from genmedia.purchasing.buy import Submit, buy
from genmedia.transport.session import Gate
from tests.contract import ProviderContract
from tests.sandboxes import Sandbox

CUP = Txt2Img(prompt="a cup of coffee")


@pytest.fixture
def account(sandbox: Sandbox) -> dict[str, Any]:
    return sandbox.new_account("algovera", settings={"advance": "looks", "looks": [0, 0]})


def lease(account: dict[str, Any], key: str | None = None) -> AbstractAsyncContextManager[AlgoveraClient]:
    return AlgoveraClient.lease(
        Account("algovera", account["base_url"], account["account"]), account["api_key"] if key is None else key
    )


@pytest.fixture
async def client(account: dict[str, Any]) -> AsyncGenerator[AlgoveraClient]:
    async with lease(account) as client:
        client.http.clock_scale = 50
        yield client


class TestContract(ProviderContract):
    """Algovera keeps what all providers must."""

    provider = "algovera"
    price = 1
    wrong_key = "0" * 64
    names_refusals = False
    read_route = ("GET", "/api/status")
    purchase_route = ("POST", "/api/txt2img")
    looked_at = ""

    def lease(self, account: dict[str, Any], key: str) -> AbstractAsyncContextManager[AlgoveraClient]:
        """By the sandbox's account."""
        return lease(account, key)

    async def make_ready(self, client: AlgoveraClient, sandbox: Sandbox) -> None:
        """The one call that needs a key and costs nothing asks about a job."""
        self.looked_at = await self.purchase(client, sandbox)

    async def read(self, client: AlgoveraClient) -> object:
        """A job's status."""
        return await client.get_status(self.looked_at)

    async def purchase(self, client: AlgoveraClient, sandbox: Sandbox) -> str:
        """A picture."""
        del sandbox
        return await client.create_job(CUP.fields())

    async def refused(self, client: AlgoveraClient) -> object:
        """A base model that there is not."""
        return await client.create_job({"prompt": "a cup", "base_model": "unstable"})

    async def unknown(self, client: AlgoveraClient) -> object:
        """A job of nobody."""
        return await client.get_status("0" * 32)

    def tells_why(self, job: Job, reason: str) -> None:
        """Algovera has no field for it."""
        assert reason not in job.error
        assert job.error == "Algovera gives no reason"


async def nobody(_: object) -> None:
    pass


async def done(client: AlgoveraClient, request: Txt2Img = CUP) -> Job:
    job_id = await client.create_job(request.fields())
    return await client.watcher.wait(job_id, about=job_id, queue_seconds=1e6, run_seconds=1e6, seen=nobody)


async def fetched(client: AlgoveraClient, job: Job) -> bytes:
    sink = io.BytesIO()
    await client.fetch_output(job.outputs[0], sink, 10**7)
    return sink.getvalue()


@pytest.mark.parametrize(
    "fields", [{"prompt": ""}, {}, {"prompt": "x", "seed": "many"}, {"prompt": "x", "width": 5.5}, {"prompt": "x", "style": "y"}]
)
def test_what_the_document_rules_out_is_refused_before_it_is_sent(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Txt2Img.model_validate(fields)


def test_only_what_the_caller_set_is_asked_for_and_the_key_is_no_part_of_it() -> None:
    assert Txt2Img(prompt="a cup", seed=7).fields() == {"prompt": "a cup", "seed": 7}


async def test_what_arrives_is_the_orders_request(sandbox: Sandbox, account: dict[str, Any], client: AlgoveraClient) -> None:
    asked = Txt2Img(prompt="a cup", base_model="stable", width=320, height=448, inf_steps=7, guidance_scale=6.5, seed=11)
    order = picture_order(asked, client.account, 1)

    await submission(client, order)("", nullcontext)

    (job,) = sandbox.jobs(account)
    assert order.request == asked.fields()
    assert job["request"].items() >= order.request.items()


@pytest.mark.parametrize(
    ("status", "shared"),
    [
        ("created", JobStatus.RUNNING),
        ("done", JobStatus.SUCCEEDED),
        ("failed", JobStatus.FAILED),
        ("dreaming", JobStatus.RUNNING),
    ],
)
def test_a_status_is_told_in_the_words_of_all_providers(status: str, shared: JobStatus) -> None:
    assert as_job("j", status).status is shared


async def test_the_base_models_are_listed_without_a_key(
    sandbox: Sandbox, account: dict[str, Any], client: AlgoveraClient
) -> None:
    models = await client.list_base_models()

    assert models[:2] == ["dalle", "stable"]
    assert sandbox.requests(account) == []


async def test_a_picture_has_the_size_that_was_asked_for(client: AlgoveraClient) -> None:
    picture = await fetched(client, await done(client, Txt2Img(prompt="a cup", width=320, height=448)))

    image = Image.open(io.BytesIO(picture))
    assert (image.format, image.size) == ("JPEG", (320, 448))


@pytest.mark.parametrize(
    ("order", "expected", "words"),
    [
        ({"switches": {"user": "unknown"}}, errors.CredentialsError, "Unknown user"),
        ({"api_key": "1" * 64}, errors.CredentialsError, "Invalid API key"),
        ({"credits": 0}, errors.CreditsError, "Insufficient credits"),
    ],
)
async def test_the_text_of_a_403_tells_which_it_is(
    sandbox: Sandbox,
    account: dict[str, Any],
    client: AlgoveraClient,
    order: dict[str, Any],
    expected: type[Exception],
    words: str,
) -> None:
    sandbox.control("POST", "/accounts", {"provider": "algovera", "account": account["account"], **order})

    with pytest.raises(expected, match=f"answered 403: {words}.*This call bought nothing"):
        await client.create_job(CUP.fields())


async def test_what_is_wrong_with_a_request_is_told_field_by_field(client: AlgoveraClient) -> None:
    with pytest.raises(
        errors.RefusedError, match="answered 422: width: Input should be a multiple of 8; inf_steps: Input should"
    ):
        await client.create_job({"prompt": "a cup", "width": 100, "inf_steps": 0})


async def test_a_key_that_is_refused_when_the_picture_is_fetched_is_told_as_that(
    sandbox: Sandbox, account: dict[str, Any], client: AlgoveraClient
) -> None:
    job = await done(client)
    sandbox.control("POST", "/accounts", {"provider": "algovera", "account": account["account"], "api_key": "2" * 64})

    with pytest.raises(errors.CredentialsError, match="Invalid API key"):
        await fetched(client, job)


@pytest.mark.parametrize("switch", ["404", "500"])
async def test_a_picture_that_is_not_there_yet_is_told_as_one_that_cannot_be_fetched(sandbox: Sandbox, switch: str) -> None:
    account = sandbox.new_account("algovera", settings={"queue": [1e6, 1e6]}, switches={"early_asset": switch})
    async with lease(account) as client:
        job_id = await client.create_job(CUP.fields())
        client.http.clock_scale = 1000
        with pytest.raises(errors.DownloadError, match=f"GET {account['base_url']}/api/getAsset answered {switch}"):
            await fetched(client, as_job(job_id, "done"))


async def test_a_wish_whose_answer_was_lost_is_in_doubt_and_never_bought_again(
    sandbox: Sandbox, account: dict[str, Any], client: AlgoveraClient, tmp_path: Path
) -> None:
    order = Order(client.account, "txt2img", CUP.fields(), PRICE, UNIT)

    async def prepare() -> Submit:
        async def submit(_: str, gate: Gate) -> str:
            return await client.create_job(CUP.fields(), gate)

        return submit

    async def there(_: str, _size: int | None) -> bool:
        return True

    async with Journal.lease(f"sqlite+aiosqlite:///{tmp_path / 'journal.db'}") as journal:
        sandbox.fault(account, "lose_answer")
        for words in ("gave no answer", "it is not known whether it was accepted"):
            with pytest.raises(errors.InDoubtError, match=words):
                await buy(journal, order, prepare, has=there, recover=client.recover, repeat_pause=0)
    assert len(sandbox.jobs(account)) == 1
    assert account["api_key"].encode() not in b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())


@pytest.mark.parametrize("elsewhere", ["http://127.0.0.1:{other}/a.jpg", "http://127.0.0.1:{own}/moved"])
async def test_the_key_goes_along_no_redirect_not_even_to_the_same_origin(elsewhere: str) -> None:
    bodies: dict[str, bytes] = {}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
        path = head.split()[1]
        bodies[path] = await reader.readexactly(int(length[1])) if length else b""
        first = path == "/api/getAsset"
        writer.write(f"HTTP/1.1 307 Moved\r\nlocation: {target}\r\n".encode() if first else b"HTTP/1.1 200 OK\r\n")
        writer.write(b"content-length: 2\r\nconnection: close\r\n\r\nhi")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1") as own, await asyncio.start_server(answer, "127.0.0.1") as other:
        ports = {name: server.sockets[0].getsockname()[1] for name, server in (("own", own), ("other", other))}
        target = elsewhere.format(**ports)
        account = {"base_url": f"http://127.0.0.1:{ports['own']}", "account": "a", "api_key": "3" * 64}
        async with lease(account) as client:
            client.http.origins.learn(target)
            assert await fetched(client, as_job("j", "done")) == b"hi"

    assert json.loads(bodies["/api/getAsset"]) == {"api_key": "3" * 64, "job_uuid": "j"}
    assert bodies[httpx.URL(target).path] == b""


@pytest.mark.parametrize("name", ["", "httpx", "httpcore"])
async def test_no_logger_shows_the_key_even_when_it_is_told_to_show_everything(
    account: dict[str, Any], client: AlgoveraClient, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger=name)

    await fetched(client, await done(client))

    shown = [record for record in caplog.records if record.name.startswith(name)]
    assert shown
    assert account["api_key"] not in json.dumps([[one.getMessage(), repr(vars(one))] for one in shown])
