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
from genmedia.jobs import Account
from genmedia.media import Candidate, inspect_files
from genmedia.providers.flora import FloraClient, Run, RunInput
from tests.sandboxes import Sandbox

PHOTO = Path(__file__).parents[2] / "photos" / "coffee.jpg"
SLUG = "studio-blur"
KEY = "sk_live_0123456789abcdefghij"

# A kind of fault, its arguments, what a read call ends with, and whether it is worth a repeat.
TROUBLES: list[Any] = [
    pytest.param("server_error", {"status": 500}, errors.ServerError, True, id="500"),
    pytest.param("server_error", {"status": 503}, errors.ServerError, True, id="503"),
    pytest.param("html_error", {}, errors.ServerError, True, id="html"),
    pytest.param("reset", {}, errors.NoAnswerError, True, id="reset"),
    pytest.param("lose_answer", {}, errors.NoAnswerError, True, id="lost answer"),
    pytest.param("slow", {"seconds": 30}, errors.NoAnswerError, True, id="slow"),
    pytest.param("rate_limit", {}, errors.RateLimitError, True, id="429"),
    pytest.param("rate_limit", {"retry_after": 0}, errors.RateLimitError, True, id="429 and come back at once"),
    pytest.param("rate_limit", {"retry_after": 1}, errors.RateLimitError, True, id="429 and a wait"),
    pytest.param("endless_body", {}, errors.UnreadableAnswerError, False, id="endless"),
    pytest.param("broken_json", {}, errors.UnreadableAnswerError, False, id="broken JSON"),
    pytest.param("redirect", {"location": "http://127.0.0.1:9/"}, errors.UnreadableAnswerError, False, id="redirect"),
]
PASSING = [trouble for trouble in TROUBLES if trouble.values[3]]
ACCEPTED = {"lose_answer", "slow", "endless_body", "broken_json"}


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genmedia.http.ATTEMPTS", 3)
    monkeypatch.setattr("genmedia.http.ANSWER_SECONDS", 0.5)
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


@pytest.mark.parametrize(("kind", "arguments", "expected", "passing"), TROUBLES)
async def test_a_lasting_trouble_ends_as_the_class_of_its_cause(
    sandbox: Sandbox,
    account: dict[str, Any],
    client: FloraClient,
    kind: str,
    arguments: dict[str, Any],
    expected: type[Exception],
    passing: bool,
) -> None:
    sandbox.fault(account, kind, times=None, **arguments)

    with pytest.raises(errors.ApiError, match=f"^flora: GET /api/v1/techniques/{SLUG} ") as failed:
        await client.get_technique(SLUG)

    assert type(failed.value) is expected
    sandbox.control("DELETE", f"/faults?account={account['account']}")
    if kind != "slow":  # the sandbox counts a request once it has answered
        assert times_asked(sandbox, account, "/api/v1/techniques/{slug}") == (3 if passing else 1)


@pytest.mark.parametrize(("kind", "arguments", "expected", "passing"), PASSING)
async def test_a_passing_trouble_does_not_hurt_a_call_that_may_be_repeated(
    sandbox: Sandbox,
    account: dict[str, Any],
    client: FloraClient,
    kind: str,
    arguments: dict[str, Any],
    expected: object,
    passing: object,
) -> None:
    del expected, passing
    sandbox.fault(account, kind, times=2, **arguments)

    assert (await client.get_technique(SLUG)).run_cost == 3


@pytest.mark.parametrize(("kind", "arguments", "expected", "passing"), TROUBLES)
async def test_a_purchase_is_sent_again_only_after_a_rate_limit(
    sandbox: Sandbox,
    account: dict[str, Any],
    client: FloraClient,
    kind: str,
    arguments: dict[str, Any],
    expected: type[Exception],
    passing: object,
) -> None:
    del passing
    sandbox.fault(account, kind, **arguments)

    if kind == "rate_limit":
        run = await purchase(client, sandbox)
        assert [job["id"] for job in sandbox.jobs(account)] == [run.run_id]
    else:
        with pytest.raises(expected):
            await purchase(client, sandbox)
        assert len(sandbox.jobs(account)) == (1 if kind in ACCEPTED else 0)
        sandbox.control("DELETE", f"/faults?account={account['account']}")
        if kind != "slow":
            assert times_asked(sandbox, account, "/api/v1/techniques/{slug}/runs") == 1


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


async def test_the_pace_of_a_sandbox_is_taken_from_the_loopback_only(client: FloraClient) -> None:
    hurried = httpx.Response(200, headers={"x-sandbox-clock-scale": "70"})
    async with FloraClient.lease(Account("flora", "https://app.flora.ai"), KEY) as public:
        public.http._follow_clock(hurried)  # pyright: ignore[reportPrivateUsage] # no test can be answered by a public host
        client.http._follow_clock(hurried)  # pyright: ignore[reportPrivateUsage]  # the other side of the same rule
        assert (public.http.clock_scale, client.http.clock_scale) == (1, 70)


async def test_a_proxy_is_not_asked_for_a_sandbox_on_this_machine(
    account: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with FloraClient.lease(Account("flora", account["base_url"], "another"), account["api_key"]) as client:
        assert (await client.get_technique(SLUG)).run_cost == 3


@pytest.mark.parametrize("key", ["", " ", "sk_live_x\n", "sk live", "sk_lïve"])
async def test_a_key_that_was_pasted_wrongly_is_told_before_anything_is_sent(key: str) -> None:
    with pytest.raises(errors.CredentialsError, match="the key is empty, or has"):
        async with FloraClient.lease(Account("flora", "http://127.0.0.1:9"), key):
            pass


# Secrets


def everything_shown(error: BaseException) -> str:
    return "\n".join([str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)])


@pytest.mark.parametrize(("kind", "arguments", "expected", "passing"), TROUBLES)
async def test_the_key_stands_in_no_error_and_no_log(
    sandbox: Sandbox,
    account: dict[str, Any],
    client: FloraClient,
    caplog: pytest.LogCaptureFixture,
    kind: str,
    arguments: dict[str, Any],
    expected: type[Exception],
    passing: object,
) -> None:
    del passing
    caplog.set_level(logging.DEBUG)
    sandbox.fault(account, kind, times=None, **arguments)

    with pytest.raises(expected) as failed:
        await client.get_technique(SLUG)

    assert account["api_key"] not in everything_shown(failed.value)
    assert account["api_key"] not in caplog.text + "".join(str(vars(record)) for record in caplog.records)
    assert caplog.records


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
    sink = io.BytesIO()
    fetched = await client.http.fetch(url, sink, **limits)
    return sink.getvalue(), fetched


async def test_a_file_arrives_whole_with_its_hash_and_without_a_key(sandbox: Sandbox, client: FloraClient, file: str) -> None:
    leaked = sandbox.leaked()

    content, fetched = await fetch(client, file)

    assert content == PHOTO.read_bytes()
    assert fetched == Fetched(len(content), hashlib.sha256(content).hexdigest())
    assert sandbox.leaked() == leaked


async def test_a_transfer_that_breaks_off_is_begun_anew(
    sandbox: Sandbox, account: dict[str, Any], client: FloraClient, file: str
) -> None:
    sandbox.fault(account, "truncated", times=2)

    content, fetched = await fetch(client, file)

    assert content == PHOTO.read_bytes()
    assert fetched.size == len(content)


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
