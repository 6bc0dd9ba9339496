"""One bounded session per account: every cause has its class, nothing paid is sent twice, no key strays, every download ends."""

import asyncio
import hashlib
import io
import logging
import traceback
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path
from time import time
from typing import Any

import httpx
import pytest
import stamina.instrumentation

from genmedia import errors
from genmedia.http import HOPS, Fetched
from genmedia.inspection.media import Candidate, inspect_files
from genmedia.jobs import Account
from genmedia.providers.flora import FloraClient, Run, RunInput
from tests.sandboxes import Sandbox

PHOTO = Path(__file__).parents[2] / "photos" / "coffee.jpg"
SLUG = "studio-blur"
KEY = "sk_live_0123456789abcdefghij"


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genmedia.http.ATTEMPTS", 3)
    monkeypatch.setattr("genmedia.http.ANSWER_BYTES", 100_000)


@pytest.fixture
def waits() -> Generator[list[float]]:
    """Fills with the seconds before each repeat."""
    waited: list[float] = []
    stamina.instrumentation.set_on_retry_hooks([lambda details: waited.append(details.wait_for)])
    yield waited
    stamina.instrumentation.set_on_retry_hooks(None)


@pytest.fixture
def account(sandbox: Sandbox) -> dict[str, Any]:
    return sandbox.new_account(switches={"assets": True})


@pytest.fixture
async def client(account: dict[str, Any]) -> AsyncGenerator[FloraClient]:
    async with FloraClient.lease(Account("flora", account["base_url"], account["account"]), account["api_key"]) as client:
        client.http.clock_scale = 50  # as the sandbox's first answer will say
        yield client


@asynccontextmanager
async def listening(*answers: bytes) -> AsyncGenerator[tuple[str, list[bytes]]]:
    """A server that says what no sandbox would: its answers in order, the last one again and again; the heads it was sent."""
    left, heads = list(answers), list[bytes]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(left.pop(0) if len(left) > 1 else left[0])
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1") as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heads


def response(status: str, body: bytes, *headers: str) -> bytes:
    head = "".join(
        f"{line}\r\n" for line in (f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers)
    )
    return f"{head}\r\n".encode() + body


TECHNIQUE = response("200 OK", b'{"techniqueId": "t", "runCost": 3}')


async def purchase(client: FloraClient, sandbox: Sandbox) -> Run:
    return await client.create_run(SLUG, [RunInput(id="input_image", type="imageUrl", value=sandbox.sample)], idempotency_key="k")


def times_asked(sandbox: Sandbox, account: dict[str, Any], route: str) -> int:
    return sum(line["count"] for line in sandbox.requests(account) if line["route"] == route)


async def test_a_purchase_is_sent_again_when_no_connection_was_made(sandbox: Sandbox, account: dict[str, Any]) -> None:
    """The provider's port opens only after the first try was refused."""

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        url = httpx.URL(sandbox.url)
        onward_reader, onward_writer = await asyncio.open_connection(url.host, url.port)
        onward_writer.write(await reader.readuntil(b"\r\n\r\n") + await reader.read(65_536))
        writer.write(await onward_reader.readuntil(b"\r\n\r\n") + await onward_reader.read(65_536))
        await writer.drain()
        for one in (writer, onward_writer):
            one.close()

    def open_port(details: stamina.instrumentation.RetryDetails) -> None:
        del details
        opening.append(asyncio.create_task(server.start_serving()))

    opening: list[asyncio.Task[None]] = []
    server = await asyncio.start_server(forward, "127.0.0.1", start_serving=False)
    base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/flora"
    stamina.instrumentation.set_on_retry_hooks([open_port])
    try:
        async with server, FloraClient.lease(Account("flora", base_url), account["api_key"]) as client:
            client.http.clock_scale = 50
            run = await purchase(client, sandbox)
    finally:
        stamina.instrumentation.set_on_retry_hooks(None)

    assert len(opening) == 1
    assert [job["id"] for job in sandbox.jobs(account)] == [run.run_id]


async def test_a_provider_that_nobody_can_connect_to_is_unreachable_and_nothing_was_bought() -> None:
    async with FloraClient.lease(Account("flora", "http://127.0.0.1:9"), KEY) as client:
        client.http.clock_scale = 1000
        with pytest.raises(errors.UnreachableError, match="This call bought nothing"):
            await client.get_technique(SLUG)


@pytest.mark.parametrize(
    ("header", "lowest", "highest"),
    [
        ("retry-after: 5", 5, 5),
        ("retry-after: 0", 0, 0),
        ("retry-after: 86400", 600, 600),
        ("retry-after: soon", 0, 1),
        ("x: y", 0, 1),
    ],
)
async def test_a_repeat_waits_as_long_as_the_provider_asked(
    waits: list[float], header: str, lowest: float, highest: float
) -> None:
    """In nominal seconds: the clock of this one runs a thousand times as fast."""
    limited = response("429 Too Many Requests", b"{}", header, "x-sandbox-clock-scale: 1000")
    async with listening(limited, TECHNIQUE) as (url, _), FloraClient.lease(Account("flora", url), KEY) as client:
        client.http.clock_scale = 1000
        await client.get_technique(SLUG)

    (waited,) = waits
    assert lowest <= round(waited * 1000, 3) <= highest


async def test_a_wait_can_be_named_as_a_date(waits: list[float]) -> None:
    limited = response("429 Too Many Requests", b"{}", f"retry-after: {formatdate(time() - 60, usegmt=True)}")
    async with listening(limited, TECHNIQUE) as (url, _), FloraClient.lease(Account("flora", url), KEY) as client:
        await client.get_technique(SLUG)

    assert waits == [0]


@pytest.mark.parametrize(
    ("status", "code", "said", "expected"),
    [
        ("400 Bad Request", "invalid_json", " invalid_json: Because", errors.RefusedError),
        ("401 Unauthorized", "unauthorized", " unauthorized: Because", errors.CredentialsError),
        ("402 Payment Required", "insufficient_credits", " insufficient_credits: Because", errors.CreditsError),
        ("403 Forbidden", "forbidden", " forbidden: Because", errors.CredentialsError),
        ("404 Not Found", "not_found", " not_found: Because", errors.NotFoundError),
        ("408 Request Timeout", "", ": Request Timeout", errors.NoAnswerError),
        ("409 Conflict", "idempotency_duplicate", " idempotency_duplicate: Because", errors.DuplicateError),
        ("422 Unprocessable Entity", "idempotency_conflict", " idempotency_conflict: Because", errors.DuplicateError),
        ("422 Unprocessable Entity", "input_validation_error", " input_validation_error: Because", errors.RefusedError),
        ("504 Gateway Timeout", "", ": Gateway Timeout", errors.ServerError),
        ("599 Whatever", "", ": no reason given", errors.ServerError),
    ],
)
async def test_a_status_is_told_by_its_class_and_the_providers_own_words(
    status: str, code: str, said: str, expected: type[Exception]
) -> None:
    body = b'{"error": {"code": "%s", "message": "Because"}}' % code.encode() if code else b""
    async with listening(response(status, body)) as (url, _), FloraClient.lease(Account("flora", url), KEY) as client:
        client.http.clock_scale = 1000
        with pytest.raises(expected) as failed:
            await client.create_run(SLUG, [], idempotency_key="k")
    assert type(failed.value) is expected
    assert f"answered {status[:3]}{said}. " in str(failed.value)


@pytest.mark.parametrize(
    "body", [b"[" * 50_000, b"\xff\xfe", b"", b"null", b"[]", b'"text"', b'{"runCost": "much"}', b'{"runCost": NaN, "inputs": 3}']
)
async def test_whatever_comes_as_an_answer_is_readable_or_told_to_be_unreadable(body: bytes) -> None:
    async with listening(response("200 OK", body)) as (url, _), FloraClient.lease(Account("flora", url), KEY) as client:
        with pytest.raises(errors.UnreadableAnswerError):
            await client.get_technique(SLUG)


async def test_a_text_that_was_cut_in_the_middle_of_a_character_can_be_written_down() -> None:
    body = b'{"runId": "r1", "status": "failed", "errorMessage": "a cat \\ud83d", "outputs": [{"\\udc00": "\\ud83d\\ude00"}]}'
    async with listening(response("200 OK", body)) as (url, _), FloraClient.lease(Account("flora", url), KEY) as client:
        answer = (await client.http.call("GET", "/")).body

    assert (answer["errorMessage"], answer["outputs"]) == (
        "a cat \N{REPLACEMENT CHARACTER}",
        [{"\N{REPLACEMENT CHARACTER}": "😀"}],
    )


async def test_a_redirect_is_not_followed_and_its_target_sees_nothing(
    sandbox: Sandbox, account: dict[str, Any], client: FloraClient
) -> None:
    async with listening(response("200 OK", b"{}")) as (target, heads):
        sandbox.fault(account, "redirect", location=f"{target}/api", times=2)
        with pytest.raises(errors.UnreadableAnswerError, match="redirect"):
            await client.get_technique(SLUG)
        with pytest.raises(errors.UnreadableAnswerError, match="redirect"):
            await purchase(client, sandbox)
    assert heads == []


async def test_the_pace_and_the_origins_of_a_sandbox_are_taken_from_the_loopback_only(client: FloraClient) -> None:
    told = httpx.Response(200, headers={"x-sandbox-clock-scale": "70", "x-sandbox-origins": "http://127.0.0.1:1"})
    async with FloraClient.lease(Account("flora", "https://app.flora.ai"), KEY) as public:
        public.http._follow_sandbox(told)  # pyright: ignore[reportPrivateUsage] # no test can be answered by a public host
        client.http._follow_sandbox(told)  # pyright: ignore[reportPrivateUsage]  # the other side of the same rule
        assert (public.http.clock_scale, client.http.clock_scale) == (1, 70)
        assert [one.http.origins.lists("http://127.0.0.1:1/a.png") for one in (public, client)] == [False, True]


async def test_the_media_of_a_sandbox_are_listed_with_its_first_answer(client: FloraClient, sandbox: Sandbox) -> None:
    assert not client.http.origins.lists(sandbox.sample)

    await client.get_technique(SLUG)

    assert client.http.origins.lists(sandbox.sample)
    assert not client.http.origins.lists("http://127.0.0.1:9/a.png")


async def test_a_proxy_is_not_asked_for_a_sandbox_on_this_machine(
    account: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with FloraClient.lease(Account("flora", account["base_url"], "another"), account["api_key"]) as client:
        assert (await client.get_technique(SLUG)).run_cost == 3


# Secrets


def everything_shown(error: BaseException) -> str:
    return "\n".join([str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)])


@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("401 Unauthorized", f'{{"error": {{"code": "invalid_api_key", "message": "The key {KEY} is wrong."}}}}'),
        ("400 Bad Request", f'{{"error": {{"code": "{KEY}", "message": "Bad."}}}}'),
        ("200 OK", f"You sent {KEY} and that is that"),
        ("200 OK", f"You sent a key that is far too long: {KEY} and that is that"),
        ("200 OK", f'{{"inputs": [{{"{KEY}": 1}}], "runCost": "{KEY}"}}'),
    ],
)
async def test_a_key_that_the_provider_says_back_is_hidden(status: str, body: str) -> None:
    async with listening(response(status, body.encode())) as (url, _), FloraClient.lease(Account("flora", url), KEY) as client:
        with pytest.raises(errors.ApiError) as failed:
            await client.get_technique(SLUG)
    assert KEY[:12] not in everything_shown(failed.value)


# Downloads


@pytest.fixture
async def file(client: FloraClient) -> str:
    """The address of a photo at the media origin, where the account's faults happen to it."""
    return await client.upload(PHOTO, "image/jpeg")


async def fetch(client: FloraClient, url: str, **limits: Any) -> tuple[bytes, Fetched]:
    client.http.origins.learn(url)  # as a sandbox names it
    sink = io.BytesIO()
    fetched = await client.http.fetch(url, sink, **limits)
    return sink.getvalue(), fetched


async def test_a_file_arrives_whole_with_its_hash_and_without_a_key(sandbox: Sandbox, client: FloraClient, file: str) -> None:
    leaked = sandbox.leaked()

    content, fetched = await fetch(client, file)

    assert content == PHOTO.read_bytes()
    assert fetched == Fetched(len(content), hashlib.sha256(content).hexdigest())
    assert sandbox.leaked() == leaked


async def test_nothing_of_a_broken_transfer_is_left_in_the_file(client: FloraClient) -> None:
    broken = response("200 OK", b"x" * 100)[:-50]
    async with listening(broken, response("200 OK", b"short")) as (url, _):
        content, fetched = await fetch(client, f"{url}/a.png")
    assert (content, fetched.size) == (b"short", 5)


async def test_a_transfer_that_always_breaks_off_is_told(
    sandbox: Sandbox, account: dict[str, Any], client: FloraClient, file: str
) -> None:
    sandbox.fault(account, "truncated", times=None)

    with pytest.raises(errors.BrokenDownloadError, match=r"broke off after .* fetched again, not bought again"):
        await fetch(client, file)


@pytest.mark.parametrize(("kind", "expected"), [("cut_short", errors.DamagedMediaError), ("wrong_bytes", errors.MediaTypeError)])
async def test_wrong_bytes_arrive_and_are_found_out_by_their_content(
    sandbox: Sandbox,
    account: dict[str, Any],
    client: FloraClient,
    file: str,
    tmp_path: Path,
    kind: str,
    expected: type[Exception],
) -> None:
    sandbox.fault(account, kind)
    content, _ = await fetch(client, file)
    (tmp_path / "photo.jpg").write_bytes(content)

    (verdict,) = await inspect_files([Candidate(tmp_path / "photo.jpg", "image")])

    assert type(verdict) is expected


async def test_a_file_without_end_is_cut_off_at_the_limit(
    sandbox: Sandbox, account: dict[str, Any], client: FloraClient, file: str
) -> None:
    sandbox.fault(account, "endless", times=None)

    with pytest.raises(errors.OversizeError, match="more than 2000000 bytes"):
        await fetch(client, file, max_bytes=2_000_000)
    assert times_asked(sandbox, account, "/files/{token}/{name}") == 1


async def test_a_file_of_just_the_limit_is_taken(client: FloraClient, file: str) -> None:
    size = PHOTO.stat().st_size
    await fetch(client, file, max_bytes=size)
    with pytest.raises(errors.OversizeError):
        await fetch(client, file, max_bytes=size - 1)


async def test_a_file_that_does_not_come_is_given_up(
    sandbox: Sandbox, account: dict[str, Any], client: FloraClient, file: str
) -> None:
    sandbox.fault(account, "slow", route="download", seconds=60)

    with pytest.raises(errors.OversizeError, match=r"not done after 0\.2 s"):
        await fetch(client, file, max_seconds=0.2)


async def test_a_link_that_is_gone_is_not_asked_for_again(
    sandbox: Sandbox, account: dict[str, Any], client: FloraClient, file: str
) -> None:
    sandbox.fault(account, "expired", times=None)

    with pytest.raises(errors.ExpiredLinkError, match="answered 403"):
        await fetch(client, file)
    assert times_asked(sandbox, account, "/files/{token}/{name}") == 1


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
async def test_a_link_that_leads_nowhere_counts_as_gone(client: FloraClient, status: str) -> None:
    async with listening(response(status, b"")) as (url, _):
        with pytest.raises(errors.ExpiredLinkError):
            await fetch(client, f"{url}/a.png")


async def test_a_media_host_that_is_down_for_a_moment_is_asked_again(client: FloraClient) -> None:
    async with listening(response("503 Service Unavailable", b"no"), response("200 OK", b"yes")) as (url, _):
        content, _ = await fetch(client, f"{url}/a.png")
    assert content == b"yes"


async def test_a_redirect_to_a_listed_origin_is_followed_without_a_key(
    sandbox: Sandbox, account: dict[str, Any], client: FloraClient, file: str
) -> None:
    async with listening(response("200 OK", b"the file")) as (target, heads):
        sandbox.fault(account, "redirect", route="download", location=f"{target}/there")
        client.http.origins.learn(target)
        content, _ = await fetch(client, file)
    assert content == b"the file"
    (head,) = heads
    assert head.startswith(b"GET /there ")
    assert account["api_key"].encode() not in head
    assert b"authorization" not in head.lower()


@pytest.mark.parametrize(
    "location",
    [
        "https://10.0.0.5/a.png",
        "https://localhost/a.png",
        "http://169.254.169.254/latest/meta-data",
        "http://8.8.8.8/a.png",
        "file:///etc/passwd",
    ],
)
async def test_a_redirect_to_a_forbidden_address_is_refused(
    sandbox: Sandbox, account: dict[str, Any], client: FloraClient, file: str, location: str
) -> None:
    sandbox.fault(account, "redirect", route="download", location=location)

    with pytest.raises(errors.ForbiddenAddressError, match="may not be fetched"):
        await fetch(client, file)


async def test_a_chain_of_redirects_has_an_end(sandbox: Sandbox, account: dict[str, Any], client: FloraClient, file: str) -> None:
    sandbox.fault(account, "redirect", route="download", location=file, times=HOPS)
    assert (await fetch(client, file))[0] == PHOTO.read_bytes()

    sandbox.fault(account, "redirect", route="download", location=file, times=None)
    with pytest.raises(errors.ForbiddenAddressError, match=f"more than {HOPS} times"):
        await fetch(client, file)


async def test_an_account_on_a_public_host_fetches_nothing_from_a_sandbox(file: str) -> None:
    async with FloraClient.lease(Account("flora", "https://app.flora.ai"), KEY) as public:
        with pytest.raises(errors.ForbiddenAddressError):
            await fetch(public, file)


async def test_an_account_on_a_public_host_fetches_from_an_origin_that_it_names(file: str) -> None:
    named = file.split("/files/", maxsplit=1)[0]
    async with FloraClient.lease(Account("flora", "https://app.flora.ai"), KEY, input_origins=[named]) as public:
        assert (await fetch(public, file))[0] == PHOTO.read_bytes()


async def test_a_message_about_a_download_does_not_carry_its_signature(
    client: FloraClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    signature = hashlib.sha256(b"s").hexdigest()
    async with listening(response("404 Not Found", b"")) as (url, _):
        with pytest.raises(errors.ExpiredLinkError) as failed:
            await fetch(client, f"{url}/a.png?X-Amz-Signature={signature}")
    assert "/a.png" in str(failed.value)
    assert signature not in everything_shown(failed.value) + caplog.text
