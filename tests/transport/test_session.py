"""One bounded session per account: every cause has its class, nothing paid is sent twice, no key strays, every download ends."""

import asyncio
import gzip
import hashlib
import io
import json
import logging
import socket
import ssl
import traceback
import tracemalloc
import zlib
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path
from time import time
from typing import Any

import httpx
import pytest
import stamina.instrumentation

from genmedia import errors
from genmedia.jobs.job import Account
from genmedia.media.facts import Candidate
from genmedia.media.probe import inspect_files
from genmedia.providers.flora.client import FloraClient, Run, RunInput
from genmedia.providers.genova.client import GenovaClient
from genmedia.transport.connections import trusted
from genmedia.transport.pace import asking_once
from genmedia.transport.redaction import HIDDEN
from genmedia.transport.session import HOPS, Fetched, waiting_out
from tests.listening import listening, response
from tests.sandboxes import Sandbox

PHOTO = Path(__file__).parents[2] / "photos" / "coffee.jpg"
SLUG = "studio-blur"
KEY = "sk_live_0123456789abcdefghij"


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genmedia.transport.session.ATTEMPTS", 3)
    monkeypatch.setattr("genmedia.transport.session.ANSWER_BYTES", 100_000)


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


async def test_clients_of_one_process_read_the_certificates_it_trusts_once(
    account: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Any] = []

    def read(*where: Any, **how: Any) -> ssl.SSLContext:
        reads.append((where, how))
        return plain(*where, **how)

    plain = ssl.create_default_context
    monkeypatch.setattr(ssl, "create_default_context", read)
    trusted.cache_clear()

    for key in ("one", "other"):
        async with FloraClient.lease(Account("flora", account["base_url"], key), account["api_key"]) as client:
            await client.get_technique(SLUG)

    assert len(reads) == 1


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
    ill = response("503 Service Unavailable", b"{}", header, "x-sandbox-clock-scale: 1000")
    async with listening(ill, TECHNIQUE) as (url, _), FloraClient.lease(Account("flora", url), KEY) as client:
        client.http.clock_scale = 1000
        await client.get_technique(SLUG)

    (waited,) = waits
    assert lowest <= round(waited * 1000, 3) <= highest


async def test_a_wait_can_be_named_as_a_date(waits: list[float]) -> None:
    ill = response("503 Service Unavailable", b"{}", f"retry-after: {formatdate(time() - 60, usegmt=True)}")
    async with listening(ill, TECHNIQUE) as (url, _), FloraClient.lease(Account("flora", url), KEY) as client:
        await client.get_technique(SLUG)

    assert waits == [0]


@pytest.mark.parametrize(
    ("header", "too_short", "enough"),
    [("retry-after: 200", 199, 202), ("retry-after: 86400", 86_399, 86_402), ("retry-after: soon", 0.9, 3), ("x: y", 0.9, 3)],
)
async def test_too_many_requests_are_waited_out_as_long_as_asked_and_the_caller_has_patience(
    header: str, too_short: float, enough: float
) -> None:
    limited = response("429 Too Many Requests", b"{}", header, "x-sandbox-clock-scale: 1000000")
    told: list[str] = []
    async with listening(limited, TECHNIQUE) as (url, heads), FloraClient.lease(Account("flora", url), KEY) as client:
        client.http.clock_scale = 1e6
        left = (
            rf"and {int(too_short)} of the {too_short:g} s for which it may wait are left\. This call bought nothing\. Run again"
        )
        with pytest.raises(errors.RateLimitError, match=left), waiting_out(too_short, told.append):
            await client.get_technique(SLUG)
        assert (len(heads), told) == (1, [])
    async with listening(limited, limited, TECHNIQUE) as (url, heads), FloraClient.lease(Account("flora", url), KEY) as client:
        client.http.clock_scale = 1e6
        with waiting_out(2 * enough, told.append):
            assert (await client.get_technique(SLUG)).run_cost == 3
        assert (len(heads), told) == (3, ["waiting: too many requests at flora"])


async def test_a_call_waits_for_requests_by_a_bound_of_its_own_and_a_look_of_the_watcher_not_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("genmedia.transport.session.WAIT_SECONDS", 500)
    limited = response("429 Too Many Requests", b"{}", "retry-after: 200", "x-sandbox-clock-scale: 1000000")
    async with listening(limited) as (url, heads), FloraClient.lease(Account("flora", url), KEY) as client:
        client.http.clock_scale = 1e6
        with pytest.raises(
            errors.RateLimitError, match=r"ask again in 20[01] s, and 9[89] of the 500 s for which it may wait are left"
        ):
            await client.get_technique(SLUG)
        assert len(heads) == 3
        with pytest.raises(errors.RateLimitError), asking_once():
            await client.get_technique(SLUG)
        assert len(heads) == 4


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
    ("body", "packed"),
    [(b"", "gzip"), (b"not packed", "gzip"), (b"\x0b\x02\x80hi", "br"), (b'{"detail": "%s"}' % (b"x" * 200_000), "")],
)
@pytest.mark.parametrize(
    ("status", "expected"), [("400 Bad Request", errors.RefusedError), ("402 Payment Required", errors.CreditsError)]
)
async def test_a_refusal_whose_words_cannot_be_read_is_a_refusal_by_its_status(
    body: bytes, packed: str, status: str, expected: type[Exception]
) -> None:
    refusal = response(status, body, *([f"content-encoding: {packed}"] if packed else []))
    async with listening(refusal) as (url, _), FloraClient.lease(Account("flora", url), KEY) as client:
        with pytest.raises(expected) as failed:
            await client.create_run(SLUG, [], idempotency_key="k")
    assert type(failed.value) is expected


@pytest.mark.parametrize(
    "body", [b"[" * 50_000, b"\xff\xfe", b"", b"null", b"[]", b'"text"', b'{"runCost": "much"}', b'{"runCost": NaN, "inputs": 3}']
)
async def test_whatever_comes_as_an_answer_is_readable_or_told_to_be_unreadable(body: bytes) -> None:
    async with listening(response("200 OK", body)) as (url, _), FloraClient.lease(Account("flora", url), KEY) as client:
        with pytest.raises(errors.UnreadableAnswerError):
            await client.get_technique(SLUG)


async def test_of_an_answer_with_many_faults_their_number_is_told() -> None:
    body = b'{"techniqueId": "t", "inputs": [%s]}' % b",".join([b"3"] * 1000)
    async with listening(response("200 OK", body)) as (url, _), FloraClient.lease(Account("flora", url), KEY) as client:
        with pytest.raises(errors.UnreadableAnswerError, match=r"10\d\d of its fields cannot be read"):
            await client.get_technique(SLUG)


async def test_a_text_that_was_cut_in_the_middle_of_a_character_can_be_written_down() -> None:
    body = b'{"runId": "r1", "status": "failed", "errorMessage": "a cat \\ud83d", "outputs": [{"\\udc00": "\\ud83d\\ude00"}]}'
    async with listening(response("200 OK", body)) as (url, _), FloraClient.lease(Account("flora", url), KEY) as client:
        answer = (await client.http.call("GET", "/")).body

    assert (answer["errorMessage"], answer["outputs"]) == (
        "a cat \N{REPLACEMENT CHARACTER}",
        [{"\N{REPLACEMENT CHARACTER}": "😀"}],
    )


@pytest.mark.parametrize(
    ("message", "expected"),
    [("This Idempotency-Key was used before.", errors.DuplicateError), ("The technique is being edited.", errors.RefusedError)],
)
async def test_a_conflict_that_speaks_of_the_key_is_a_duplicate(message: str, expected: type[Exception]) -> None:
    body = b'{"error": {"code": "conflict", "message": "%s"}}' % message.encode()
    async with listening(response("409 Conflict", body)) as (url, heads), FloraClient.lease(Account("flora", url), KEY) as client:
        with pytest.raises(expected) as failed:
            await client.create_run(SLUG, [], idempotency_key="the-key")
    assert type(failed.value) is expected
    assert b"idempotency-key: the-key" in heads[0].lower()


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


# Secrets in what is cut or escaped


@pytest.mark.parametrize("written", [KEY.replace("_", "\\u005f"), KEY.replace("s", "\\u0073"), KEY])
@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request"])
async def test_a_key_that_is_written_with_escapes_is_hidden_as_well(written: str, status: str) -> None:
    body = f'{{"techniqueId": "t", "runCost": 3, "name": "{written}", "error": {{"code": "c", "message": "no {written}"}}}}'
    async with listening(response(status, body.encode())) as (url, _), FloraClient.lease(Account("flora", url), KEY) as client:
        try:
            told = (await client.get_technique(SLUG)).name
        except errors.RefusedError as error:
            told = everything_shown(error)
    assert KEY not in told
    assert HIDDEN in told


async def test_a_key_with_a_slash_is_hidden_where_json_escapes_it() -> None:
    key = "sk/live/0123"
    body = json.dumps({"techniqueId": "t", "runCost": 3, "name": key}).replace("/", "\\/")
    async with listening(response("200 OK", body.encode())) as (url, _), FloraClient.lease(Account("flora", url), key) as client:
        assert (await client.get_technique(SLUG)).name == HIDDEN


@pytest.mark.parametrize("written", ["sk%2Flive%2B0123", "sk/live%2B0123", "sk\\/live+0123"])
async def test_a_key_is_hidden_as_an_address_or_json_in_a_text_spells_it(written: str) -> None:
    body = json.dumps({"error": {"code": "c", "message": f"no such key: {written}"}})
    async with (
        listening(response("400 Bad Request", body.encode())) as (url, _),
        FloraClient.lease(Account("flora", url), "sk/live+0123") as client,
    ):
        with pytest.raises(errors.RefusedError) as failed:
            await client.get_technique(SLUG)
    assert written not in everything_shown(failed.value)
    assert HIDDEN in str(failed.value)


NEW_KEY = "af_0123456789abcdef"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("200 OK", f'{{"id": "k", "key": "{NEW_KEY}'),
        ("200 OK", f'{{"key": "{NEW_KEY}"}}'),
        ("200 OK", f"{NEW_KEY}"),
        ("200 OK", f'{{"id": ["{NEW_KEY}"], "key": "{NEW_KEY}"}}'),
        ("500 Internal Server Error", f'{{"error": "{NEW_KEY}", "message": "made {NEW_KEY} and broke"}}'),
    ],
)
async def test_a_new_key_that_nobody_knows_yet_is_in_no_error(status: str, body: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with (
        listening(response(status, body.encode())) as (url, _),
        GenovaClient.lease(Account("genova", url), "af_old", push=False) as client,
    ):
        with pytest.raises(errors.ApiError) as failed:
            await client.create_key("another")
    assert NEW_KEY[:10] not in everything_shown(failed.value) + caplog.text


# Where connections go


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """What names resolve to, answer by answer, the last one again and again."""
    told: dict[str, list[list[str]]] = {}

    def resolve(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in told:
            return plain(host, port, *rest, **more)
        answers = told[name]
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    plain = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return told


@pytest.fixture
async def public() -> AsyncGenerator[FloraClient]:
    async with FloraClient.lease(Account("flora", "https://app.flora.ai"), KEY) as client:
        client.http.clock_scale = 1000
        yield client


async def test_a_name_is_resolved_once_and_what_was_looked_at_is_connected_to(
    names: dict[str, list[list[str]]], public: FloraClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever answers first with a public address and then with a private one is connected to at the first."""
    connected: list[Any] = []

    async def connect(self: object, sock: object, address: Any) -> None:
        connected.append(address)
        raise ConnectionRefusedError("no way out of here")

    monkeypatch.setattr(asyncio.SelectorEventLoop, "sock_connect", connect)
    monkeypatch.setattr("genmedia.transport.session.ATTEMPTS", 1)
    names["rebinding.example"] = [["8.8.8.8"], ["127.0.0.1"]]

    with pytest.raises(errors.BrokenDownloadError):
        await public.http.fetch("https://rebinding.example/a.png", io.BytesIO())

    assert connected == [("8.8.8.8", 443)]


@pytest.mark.parametrize("how", ["fetch", "alive", "upload", "redirect"])
@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["64:ff9b::7f00:1"], ["::ffff:10.0.0.5"]])
async def test_nothing_is_sent_to_a_private_address_behind_a_public_name(
    names: dict[str, list[list[str]]], client: FloraClient, how: str, addresses: list[str]
) -> None:
    async with listening(response("200 OK", b"internal")) as (url, heads):
        target = f"https://cdn.example:{httpx.URL(url).port}/a.png"
        names["cdn.example"] = [addresses]
        if how == "alive":
            assert not await client.http.alive(target)
        elif how == "upload":
            with pytest.raises(errors.ForbiddenAddressError, match="private address"):
                await client.http.upload(target, fields={}, file_field="file", path=PHOTO, content_type="image/jpeg")
        elif how == "redirect":
            async with listening(response("302 Found", b"", f"location: {target}")) as (first, _):
                with pytest.raises(errors.ForbiddenAddressError, match="private address"):
                    await fetch(client, f"{first}/a.png")
        else:
            with pytest.raises(errors.ForbiddenAddressError, match="private address"):
                await client.http.fetch(target, io.BytesIO())
    assert heads == []


async def test_a_name_that_does_not_resolve_does_not_pass(names: dict[str, list[list[str]]], public: FloraClient) -> None:
    names["nowhere.example"] = [[]]
    with pytest.raises(errors.BrokenDownloadError, match="ConnectError"):
        await public.http.fetch("https://nowhere.example/a.png", io.BytesIO())
    assert not await public.http.alive("https://nowhere.example/a.png")


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("https://internal.example/a.png", False),
        ("https://10.0.0.5/a.png", False),
        ("https://media.flora.ai:8443/a.png", False),
        ("https://bucket.s3-website-us-east-1.amazonaws.com/a.png", False),
        ("https://media.flora.ai/a.png", True),
        ("https://bucket.s3.eu-west-1.amazonaws.com/a.png", True),
        ("https://app.flora.ai/a.png", True),
        ("https://named.example:8443/a.png", True),
    ],
)
async def test_a_proxy_is_asked_for_listed_hosts_only(monkeypatch: pytest.MonkeyPatch, url: str, asked: bool) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("genmedia.transport.session.ATTEMPTS", 1)
    async with listening(response("407 Proxy Authentication Required", b"")) as (proxy, heads):
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        payer, named = Account("flora", "https://app.flora.ai"), ["https://named.example:8443"]
        async with FloraClient.lease(payer, KEY, input_origins=named) as client:
            with pytest.raises(errors.BrokenDownloadError if asked else errors.ForbiddenAddressError):
                await client.http.fetch(url, io.BytesIO())
            assert not await client.http.alive(url)
    there = httpx.URL(url)
    expected = [f"CONNECT {there.host}:{there.port or 443} HTTP/1.1".encode()] if asked else []
    assert sorted({head.split(b"\r\n")[0] for head in heads}) == expected


# What comes packed


async def test_bytes_are_asked_for_as_they_are(client: FloraClient) -> None:
    async with listening(TECHNIQUE, response("200 OK", b"file")) as (url, heads):
        async with FloraClient.lease(Account("flora", url), KEY) as there:
            await there.get_technique(SLUG)
        await fetch(client, f"{url}/a.png")
    assert [b"accept-encoding: identity" in head.lower() for head in heads] == [True, True]


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        pytest.param("br", b"file", id="another way"),
        pytest.param("gzip, identity", gzip.compress(b"file"), id="a list"),
        pytest.param("gzip,gzip", gzip.compress(gzip.compress(b"file")), id="twice"),
        pytest.param("gzip", b"file", id="not at all"),
        pytest.param("gzip", gzip.compress(b"file" * 1000)[:-12], id="cut"),
        pytest.param("gzip", gzip.compress(b"file") + b"more", id="and more"),
        pytest.param("gzip", gzip.compress(b"file") + gzip.compress(b"more"), id="and more of it"),
        pytest.param("deflate", b"file", id="no deflate"),
    ],
)
async def test_what_is_packed_otherwise_than_once_and_whole_is_a_broken_download(
    client: FloraClient, encoding: str, body: bytes
) -> None:
    async with listening(response("200 OK", body, f"content-encoding: {encoding}")) as (url, _):
        with pytest.raises(errors.BrokenDownloadError):
            await fetch(client, f"{url}/a.png")


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_what_is_packed_once_is_unpacked_piece_by_piece(
    client: FloraClient, monkeypatch: pytest.MonkeyPatch, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    monkeypatch.setattr("genmedia.transport.unpacking.PIECE_BYTES", 100)
    content = PHOTO.read_bytes() + bytes(100_000)
    async with listening(response("200 OK", pack(content), f"content-encoding: {encoding}")) as (url, _):
        assert (await fetch(client, f"{url}/a.png"))[0] == content


async def test_a_bomb_takes_a_few_pieces_of_memory_and_ends_at_the_limit(client: FloraClient, tmp_path: Path) -> None:
    bomb = gzip.compress(bytes(200 * 2**20), 9)
    assert len(bomb) < 250_000
    async with listening(response("200 OK", bomb, "content-encoding: gzip")) as (url, _):
        client.http.origins.learn(url)
        with (tmp_path / "file").open("w+b") as sink:
            tracemalloc.start()
            with pytest.raises(errors.OversizeError):
                await client.http.fetch(f"{url}/a.png", sink, max_bytes=20 * 2**20)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
    assert (tmp_path / "file").stat().st_size <= 20 * 2**20
    assert peak < 8 * 2**20


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="deep"),
        pytest.param(b'{"techniqueId": "t", "runCost": 3, "more": ' + b'{"a": ' * 60 + b"1" + b"}" * 61, id="too deep"),
        pytest.param(b'{"techniqueId": "t", "runCost": 3, "more": [' + b"1," * 600_000 + b"1]}", id="too many"),
        pytest.param(b'{"techniqueId": "' + b"x" * 300 + b'", "runCost": 3}', id="a long id"),
        pytest.param(b'{"techniqueId": "t", "runCost": ' + b"9" * 5000 + b"}", id="a long number"),
        pytest.param(b'{"techniqueId": "t\\u0000", "runCost": 3}', id="an id with NUL"),
        pytest.param(b'{"techniqueId": "", "runCost": 3}', id="an empty id"),
    ],
)
async def test_an_answer_beyond_the_bounds_is_unreadable(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    monkeypatch.setattr("genmedia.transport.session.ANSWER_BYTES", 8 * 2**20)
    async with listening(response("200 OK", body)) as (url, _), FloraClient.lease(Account("flora", url), KEY) as client:
        with pytest.raises(errors.UnreadableAnswerError) as refused:
            await client.get_technique(SLUG)
    assert len(str(refused.value)) < 3000


async def test_a_call_that_takes_long_to_be_sent_is_not_given_up_before_its_answer_can_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("genmedia.transport.session.ANSWER_SECONDS", 0.5)
    size = 20 * 2**20  # more than the buffers on the way take

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(1)  # the line is slow
        await reader.readexactly(size)
        writer.write(TECHNIQUE)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", limit=2**16) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with FloraClient.lease(Account("flora", url), KEY) as client:
            answered = await client.http.call("POST", "/", repeatable=False, content=bytes(size))

    assert answered.body == {"techniqueId": "t", "runCost": 3}


async def test_what_cannot_be_sent_is_refused_before_it_may_have_been_sent(client: FloraClient) -> None:
    entered: list[bool] = []

    @asynccontextmanager
    async def gate() -> AsyncGenerator[None]:
        entered.append(True)
        yield

    with pytest.raises(errors.RefusedError, match="holds what cannot be sent"):
        await client.http.call("POST", "/api/v1/techniques/x/runs", repeatable=False, gate=gate, json={"a": "\ud800"})
    assert entered == []
