"""One bounded HTTP session per account: time and size limits, safe retries, errors by cause, keys to their own origin only."""

import asyncio
import hashlib
import logging
import random
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from math import ceil
from pathlib import Path
from time import monotonic
from typing import Any, BinaryIO, TypeVar, cast

import httpcore
import httpx
import stamina
from pydantic import BaseModel, ValidationError

from genmedia import errors
from genmedia.text.plain import cut
from genmedia.transport.answers import parse, read_date, read_number
from genmedia.transport.connections import OutwardTransport, trusted
from genmedia.transport.origins import Origins, is_loopback, join_url, origin_of
from genmedia.transport.pace import ANSWER_SECONDS, DOWNLOAD_BYTES, LONGEST_HOLD, Pace, once
from genmedia.transport.redaction import bare_url, redact, spellings
from genmedia.transport.refusals import refuses_content
from genmedia.transport.unpacking import ACCEPTED, pieces_of, read_whole

IN_FLIGHT = 4
"""Most requests at once. httpx is slower with more: 4 in flight gave 1,124 requests a second, 50 gave 391 (measured)."""

ANSWER_BYTES = 8 * 2**20
DOWNLOAD_SECONDS = 1800.0
ATTEMPTS = 5
HOPS = 3

WAIT_SECONDS = 600.0
"""Longest wait of a call until the provider takes requests again, in seconds, unless its caller sets another; see `waiting_out`."""

LONGEST_PAUSE = 30.0
"""Longest pause between two of those requests, in seconds, where the provider does not say how long to wait."""

SLOWEST_UPLOAD = 50_000
"""Slowest upload of a call's body, in bytes a second, before the wait for its answer: a model is sent to Generio within a call."""

NAMED_FAULTS = 20
"""Most faults of an unreadable answer that are named; of more only the number is given: naming 200,000 took 8 s."""

FASTEST = 10.0**6
"""Largest clock scale that is accepted from a sandbox."""

# httpcore reads 64 KiB at a time; with more at once a large download takes two thirds of the time (3.2 s a gigabyte, not 5; measured).
httpcore.AsyncHTTP11Connection.READ_NUM_BYTES = 2**20  # pyright: ignore[reportAttributeAccessIssue] # it is one of the class that asyncio gets

_SENDABLE = re.compile("[!-~]+")
# The code that waits reports retries; stamina's own line for each tells a person nothing.
logging.getLogger("stamina").setLevel(logging.ERROR)

_TIMEOUT = httpx.Timeout(connect=10, read=30, write=60, pool=None)
# Servers of Node and uvicorn close a connection that was idle for 5 s, as httpx does by default: a call that pays, sent on it at that
# moment, would have no answer, and it would not be known if it was accepted.
_LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=2)
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol, httpx.PoolTimeout)
_NO_HTTP = (httpx.InvalidURL, ValueError, OverflowError)
"""Errors besides `httpx.HTTPError` that unforeseen headers of an answer cause: a `location` such as `javascript:1`."""


M = TypeVar("M", bound=BaseModel)
R = TypeVar("R")
Gate = Callable[[], AbstractAsyncContextManager[None]]
Explained = tuple[str, str] | tuple[str, str, type[errors.ApiError]]


@dataclass(frozen=True)
class Answer:
    """Answer of an API: a 2xx status, its headers, and its body as JSON; or a redirect, where the caller asked for it, with None as body."""

    status: int
    headers: Mapping[str, str]
    body: Any


class _Patience:
    """Time left for waiting out a provider's "too many", in seconds of the provider's clock.

    Args:
        seconds: Time at the beginning.
        tell: Called once, with a text that says what is waited for.
    """

    def __init__(self, seconds: float, tell: Callable[[str], None]) -> None:
        self._seconds = self._left = seconds
        self._tell: Callable[[str], None] | None = tell

    def spend(self, seconds: float, why: str) -> str:
        """Take so many seconds for a pause, and return an empty text; where fewer are left, take none and return a text that says so."""
        if seconds > self._left:
            left = f"{int(self._left)} of the {self._seconds:.10g} s for which it may wait are left"
            return f"it could ask again in {ceil(seconds)} s, and {left}"
        self._left -= seconds
        tell, self._tell = self._tell, None
        if tell:
            tell(why)
        return ""


def _untold(_: str) -> None:
    pass


_patience: ContextVar[_Patience | None] = ContextVar("_patience", default=None)


@contextmanager
def waiting_out(seconds: float, tell: Callable[[str], None]) -> Generator[None]:
    """Let the calls in this block wait while the provider answers "too many"; all of them share the time.

    Args:
        seconds: Longest wait, on the provider's clock.
        tell: Called once, with a text that says what is waited for.
    """
    token = _patience.set(_Patience(seconds, tell))
    try:
        yield
    finally:
        _patience.reset(token)


@dataclass(frozen=True)
class Fetched:
    """A complete transfer: its size in bytes, and its SHA-256 in hex."""

    size: int
    sha256: str


class Session:
    """An account's connections to its provider.

    Args:
        provider: Its name, for messages.
        base_url: Address of the API; the key is sent to its origin only.
        headers: Sent with every API call; they hold the key, where the provider takes it in a header.
        secrets: Values that must not appear in any error.
        origins: Rules for the addresses that outputs may be fetched from.
        explain: Turns an error answer's JSON into `(code, message)`, with the error's class as a third where the status does not tell it.
        per_minute: API calls that the account's plan allows in a minute; None for no limit.

    Raises:
        CredentialsError: A secret is empty, or has characters that a header cannot carry; it was pasted wrongly.
    """

    def __init__(
        self,
        provider: str,
        base_url: str,
        *,
        headers: Mapping[str, str],
        secrets: tuple[str, ...],
        origins: Origins,
        explain: Callable[[Any], Explained],
        per_minute: int | None = None,
    ) -> None:
        if not all(_SENDABLE.fullmatch(secret) for secret in secrets):
            raise errors.CredentialsError(f"{provider}: the key is empty, or has a space, a line break or a foreign letter in it")
        self.provider = provider
        self.origins = origins
        self.clock_scale = 1.0
        self.knows_time = False
        self._server_time = (datetime.now(UTC), monotonic())
        self._base_url = base_url
        self._secrets = tuple(one for secret in secrets for one in spellings(secret))
        self._explain = explain
        proxied = not is_loopback(base_url)  # no proxy reaches a sandbox on this machine
        self._api = httpx.AsyncClient(
            headers={**headers, **ACCEPTED}, timeout=_TIMEOUT, limits=_LIMITS, trust_env=proxied, verify=trusted()
        )
        # Without the key and without a cookie jar shared with the API: what it fetches is on hosts the provider names.
        outward = OutwardTransport(origins, proxied=proxied)
        self._open = httpx.AsyncClient(headers=ACCEPTED, timeout=_TIMEOUT, transport=outward, verify=trusted())
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self.pace = Pace(per_minute, lambda: self.clock_scale)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._api.aclose()
        await self._open.aclose()

    async def call(
        self,
        method: str,
        path: str,
        *,
        repeatable: bool = True,
        urgent: bool = False,
        redirects: bool = False,
        confidential: bool = False,
        gate: Gate | None = None,
        **request: Any,
    ) -> Answer:
        """Send one API call and return its JSON.

        Args:
            method: The HTTP method.
            path: The path below the base URL, with its leading slash.
            repeatable: True if the call may be sent again after it may have been accepted; False for calls that cost money.
            urgent: True to go before other calls where the plan limits requests; for aborts.
            redirects: True if a redirect is an answer: its `location` header is then for the caller. It is never followed with a key.
            confidential: True if the answer holds a new secret: then no error repeats a word of it.
            gate: Entered just before the call is sent, each time it is, and left with its answer or error; it raises where the call must
                not be sent any more.
            request: `json`, `params`, `files` or `data`, as httpx takes them.

        Raises:
            RateLimitError: The provider answers "too many", and the pause before the next request is longer than the call may still wait;
                see `waiting_out`.
            ApiError: The class says the cause; see `genmedia.errors`.
        """

        async def ask() -> Answer:
            async for attempt in self._retrying(_nothing if once.get() else _transient if repeatable else _never_sent):
                with attempt:
                    async with self.pace.turn(urgent=urgent), self._slots:
                        ready = self._build(method, path, request)
                        async with gate() if gate else nullcontext():
                            # A call that pays is small, and must be over before its process may count as dead.
                            seconds = ANSWER_SECONDS if gate else ANSWER_SECONDS + _sending(ready)
                            return await self._call_once(ready, path, seconds, redirects=redirects, confidential=confidential)
            raise AssertionError("stamina ends by returning or raising")

        return await self._wait_out(ask)

    async def _wait_out(self, ask: Callable[[], Awaitable[R]]) -> R:
        """Ask, and ask again while the answer is "too many": that answer accepted nothing, and does not count as a try."""
        if once.get():
            return await ask()
        patience = _patience.get() or _Patience(WAIT_SECONDS, _untold)
        for asked in count():
            try:
                return await ask()
            except errors.RateLimitError as error:
                pause = min(2.0 ** min(asked, 10), LONGEST_PAUSE) if error.retry_after is None else error.retry_after
                pause += random.random()  # noqa: S311 # callers that were refused together must not come back together
                many = "open jobs" if isinstance(error, errors.TooManyJobsError) else "requests"
                if too_long := patience.spend(pause, f"waiting: too many {many} at {self.provider}"):
                    error.what += f"; {too_long}"
                    raise
                await asyncio.sleep(pause / self.clock_scale)
        raise AssertionError("counting has no end")

    def _build(self, method: str, path: str, request: dict[str, Any]) -> httpx.Request:
        """Build the request; one that cannot be sent is refused here, before any part of it was sent."""
        try:
            return self._api.build_request(method, self._base_url + path, **request)
        except (httpx.InvalidURL, ValueError, TypeError) as error:
            kind = type(error).__name__
            raise errors.RefusedError(cut(f"{self.provider}: {method} {path!r} holds what cannot be sent ({kind})")) from None

    async def _call_once(
        self, request: httpx.Request, path: str, seconds: float, *, redirects: bool, confidential: bool
    ) -> Answer:
        where = cut(f"{self.provider}: {request.method} {path}")
        try:
            async with asyncio.timeout(seconds):
                response = await self._api.send(request, stream=True)
                try:
                    body = await self._read(response, where)
                finally:
                    await response.aclose()
        except (httpx.HTTPError, TimeoutError, *_NO_HTTP) as error:
            raise _from_transport(error, where) from None
        self._follow_sandbox(response)
        if response.is_success:
            return Answer(response.status_code, response.headers, self._parse(body, where))
        if redirects and response.has_redirect_location:
            return Answer(response.status_code, response.headers, None)
        error = self._from_status(response, b"" if confidential else body, where)
        # Where too many jobs are open, looks go on: they show when one has ended.
        if type(error) is errors.RateLimitError:
            await self.pace.refused(min(error.retry_after or 0.0, LONGEST_HOLD))
        raise error

    async def _read(self, response: httpx.Response, where: str) -> bytes:
        def too_much() -> errors.UnreadableAnswerError:
            return errors.UnreadableAnswerError(f"{where} answered with more than {ANSWER_BYTES // 2**20} MiB")

        try:
            return await read_whole(response, ANSWER_BYTES, too_much)
        except (httpx.DecodingError, errors.UnreadableAnswerError):
            if not response.is_error:
                raise
            return b""  # its status tells what came of the call

    def _parse(self, body: bytes, where: str) -> Any:
        try:
            return self.parse(body)
        except ValueError:  # quotes nothing of the body: a broken one may hold a new key
            raise errors.UnreadableAnswerError(f"{where} answered with {len(body)} bytes of broken JSON") from None

    def parse(self, text: bytes | str) -> Any:
        """Return a provider's JSON, bounded, clean and without the key, which it may repeat: it is written into journals and sidecars.

        Raises:
            ValueError: It is not JSON, or exceeds the bounds; see `genmedia.transport.answers`.
        """
        return parse(text, self._secrets)

    def read(self, model: type[M], body: Any) -> M:
        """Return an answer's body as a model.

        Raises:
            UnreadableAnswerError: The body does not fit the model; the error names the fields, never their values.
        """
        try:
            return model.model_validate(body, context=self._secrets)
        except ValidationError as error:
            if (count := error.error_count()) > NAMED_FAULTS:
                missing = f"{count} of its fields cannot be read"
            else:
                missing = ", ".join(".".join(map(str, fault["loc"])) for fault in error.errors(include_input=False))
            raise errors.UnreadableAnswerError(
                cut(f"{self.provider} answered without a readable {model.__name__}: {missing}")
            ) from None

    def read_each(self, model: type[M], items: Any) -> list[M | None]:
        """Return the items of a list as models; None for an item that cannot be read, which must not hide the others.

        Raises:
            UnreadableAnswerError: It is not a list.
        """
        if not isinstance(items, list):
            raise errors.UnreadableAnswerError(f"{self.provider} answered without a list of {model.__name__}s")
        found: list[M | None] = []
        for item in cast("list[Any]", items):
            try:
                found.append(model.model_validate(item, context=self._secrets))
            except ValidationError:
                found.append(None)
        return found

    def server_time(self) -> datetime:
        """Return the time by the provider's clock, as its last answer stated it; by this machine's clock until there was an answer."""
        stated, heard = self._server_time
        return stated + timedelta(seconds=(monotonic() - heard) * self.clock_scale)

    def _follow_sandbox(self, response: httpx.Response) -> None:
        """Take over the provider's time; from a sandbox on the loopback also its clock scale, and the origins of its media."""
        if date := read_date(response.headers.get("date", "")):
            self._server_time, self.knows_time = (date, monotonic()), True
        scale = read_number(response.headers.get("x-sandbox-clock-scale", ""))
        if scale and is_loopback(self._base_url):
            self.clock_scale = min(scale, FASTEST)
        self.origins.learn(response.headers.get("x-sandbox-origins", ""))

    def _from_status(self, response: httpx.Response, body: bytes, where: str) -> errors.ApiError:
        status = response.status_code
        try:
            code, message, *told = self._explain(self.parse(body))
        except (ValueError, LookupError, TypeError, AttributeError):
            code, message, told = "", "", []
        reason = message or httpx.codes.get_reason_phrase(status) or "no reason given"
        what = cut(redact(f"{where} answered {status}{f' {code}' if code else ''}: {reason}", self._secrets))
        if 300 <= status < 400:
            return errors.UnreadableAnswerError(f"{where} answered with a redirect, which is not followed with a key")
        kind = _class_of(status)
        # The cause that a 5xx names does not tell whether the call was accepted, and only a 429 passes after a while.
        if told and status < 500 and (status == 429 or not issubclass(told[0], errors.RateLimitError)):
            kind = told[0]
        if kind in (errors.RefusedError, errors.CredentialsError) and status != 401 and refuses_content(code, message):
            kind = errors.ContentRefusedError
        error = kind(what)
        if isinstance(error, errors.RateLimitError | errors.ServerError):
            error.retry_after = _retry_after(response.headers)
        return error

    def _retrying(self, transient: Callable[[Exception], bool]) -> "stamina._core._RetryContextIterator":  # pyright: ignore[reportPrivateUsage] # stamina names no public type for it
        def again(error: Exception) -> bool | float:
            wait = getattr(error, "retry_after", None)
            return transient(error) if wait is None else transient(error) and min(wait, LONGEST_HOLD) / self.clock_scale

        scale = self.clock_scale
        return stamina.retry_context(
            on=again,
            attempts=ATTEMPTS,
            timeout=180,
            wait_initial=0.5 / scale,
            wait_max=30 / scale,
            wait_jitter=0.5 / scale,
        )

    async def fetch(
        self,
        url: str,
        sink: BinaryIO,
        *,
        max_bytes: int = DOWNLOAD_BYTES,
        max_seconds: float = DOWNLOAD_SECONDS,
        keyed: bool = False,
        json: Mapping[str, str] | None = None,
    ) -> Fetched:
        """Stream the file behind `url` into `sink`, and hash it on the way.

        Args:
            url: An https address, or one of a listed origin; every redirect is held to the same rule.
            sink: A seekable file; it is emptied before each try.
            max_bytes: Largest file that is accepted, in bytes.
            max_seconds: Longest time that one try may take, in seconds.
            keyed: True to send the key, if `url` is at the API's own origin; it is never sent to another.
            json: A body with the key in it, for a provider that wants it there; it is sent to the API's own origin only, along no redirect.

        Raises:
            DownloadError: The class says the cause.
            ApiError: The key that was sent in the body was refused.
        """

        async def ask() -> Fetched:
            async for attempt in self._retrying(lambda error: isinstance(error, errors.BrokenDownloadError)):
                with attempt:
                    sink.seek(0)
                    sink.truncate()
                    return await self._fetch_once(url, sink, max_bytes, max_seconds, keyed=keyed, json=json)
            raise AssertionError("stamina ends by returning or raising")

        try:
            return await self._wait_out(ask)
        except errors.RateLimitError as error:
            raise errors.BrokenDownloadError(error.what) from None

    async def _fetch_once(
        self, url: str, sink: BinaryIO, max_bytes: int, max_seconds: float, *, keyed: bool, json: Mapping[str, str] | None
    ) -> Fetched:
        digest, size = hashlib.sha256(), 0
        where = cut(f"{self.provider}: GET {bare_url(url)}")
        try:
            async with asyncio.timeout(max_seconds):
                async with self._follow(url, where, keyed=keyed, json=json) as response:
                    async for chunk in pieces_of(response):
                        size += len(chunk)
                        if size > max_bytes:
                            raise errors.OversizeError(f"{where} sent more than {max_bytes} bytes")
                        digest.update(chunk)
                        sink.write(chunk)
        except TimeoutError:
            raise errors.OversizeError(f"{where} was not done after {max_seconds:g} s") from None
        except (httpx.HTTPError, *_NO_HTTP) as error:
            raise errors.BrokenDownloadError(f"{where} broke off after {size} bytes ({type(error).__name__})") from None
        return Fetched(size, digest.hexdigest())

    @asynccontextmanager
    async def _follow(
        self, url: str, where: str, *, keyed: bool, json: Mapping[str, str] | None
    ) -> AsyncGenerator[httpx.Response]:
        for _ in range(HOPS + 1):
            self.origins.check(url)
            own = origin_of(url) == origin_of(self._base_url)
            body = json if own else None
            async with (self._api if keyed and own else self._open).stream("GET", url, json=body) as response:
                if own:
                    self._follow_sandbox(response)
                if response.is_success:
                    yield response
                    return
                if response.status_code == 429 or (body and response.status_code in (401, 403)):
                    raise self._from_status(response, await self._read(response, where), where)
                if not response.has_redirect_location:
                    raise _from_download(response.status_code, where)
                url, json = join_url(str(response.url), response.headers["location"]), None
        raise errors.ForbiddenAddressError(f"{where} redirects more than {HOPS} times")

    async def upload(
        self, url: str, *, path: Path, content_type: str, fields: Mapping[str, str] | None = None, file_field: str = ""
    ) -> None:
        """Send a local file to an address the provider handed out, as a multipart form, or alone by PUT; no key is sent.

        Args:
            url: The address.
            path: The file.
            content_type: Its media type.
            fields: Fields of the form that are sent before the file.
            file_field: Name of the file's field in the form; empty to send the file alone.

        Raises:
            ApiError: The address refused it or gave no answer.
            ForbiddenAddressError: The address is not one that may be called.
        """
        try:
            self.origins.check(url)
            await self._wait_out(lambda: self._upload(url, fields, file_field, path, content_type))
        except errors.ForbiddenAddressError as error:
            what = f"{self.provider} reserved an address for {path.name} that may not be called: {error.what}"
            raise errors.ForbiddenAddressError(cut(what), money="Nothing was bought.") from None

    async def _upload(self, url: str, fields: Mapping[str, str] | None, file_field: str, path: Path, content_type: str) -> None:
        method = "POST" if file_field else "PUT"
        where = cut(f"{self.provider}: {method} {bare_url(url)}")
        try:
            with path.open("rb") as file:
                if file_field:
                    sent: dict[str, Any] = {"data": dict(fields or {}), "files": {file_field: (path.name, file, content_type)}}
                else:
                    # With its length, which signed addresses ask for.
                    headers = {"content-type": content_type, "content-length": str(path.stat().st_size)}
                    sent = {"content": _pieces(file), "headers": headers}
                async with asyncio.timeout(DOWNLOAD_SECONDS), self._open.stream(method, url, **sent) as response:
                    body = await self._read(response, where)
        except (httpx.HTTPError, TimeoutError, *_NO_HTTP) as error:
            raise _from_transport(error, where) from None
        if not response.is_success:
            raise self._from_status(response, body, where)

    async def alive(self, url: str) -> bool:
        """True if the file behind `url` can still be fetched; nothing is downloaded."""
        try:
            self.origins.check(url)
            async with self._open.stream("HEAD", url) as response:
                return response.is_success
        except (httpx.HTTPError, errors.DownloadError, *_NO_HTTP):
            return False


def _sending(request: httpx.Request) -> float:
    """Longest time that sending a request's body may take, in seconds."""
    return int(request.headers.get("content-length", "0")) / SLOWEST_UPLOAD


async def _pieces(file: BinaryIO) -> AsyncGenerator[bytes]:
    while piece := file.read(2**20):
        yield piece


def _class_of(status: int) -> type[errors.ApiError]:
    by_status: dict[int, type[errors.ApiError]] = {
        401: errors.CredentialsError,
        403: errors.CredentialsError,
        402: errors.CreditsError,
        404: errors.NotFoundError,
        408: errors.NoAnswerError,
        429: errors.RateLimitError,
    }
    return by_status.get(status, errors.ServerError if status >= 500 else errors.RefusedError)


def _from_transport(error: Exception, where: str) -> errors.ApiError:
    kind = type(error).__name__
    if isinstance(error, _NEVER_SENT):
        return errors.UnreachableError(f"{where} could not be reached ({kind})")
    if isinstance(error, (httpx.DecodingError, *_NO_HTTP)):
        return errors.UnreadableAnswerError(f"{where} answered with what cannot be read ({kind})")
    return errors.NoAnswerError(f"{where} gave no answer ({kind})")


def _from_download(status: int, where: str) -> errors.DownloadError:
    if status in (401, 403, 404, 410):
        return errors.ExpiredLinkError(f"{where} answered {status}")
    return errors.BrokenDownloadError(f"{where} answered {status}")


def _nothing(_: Exception) -> bool:
    return False


def _never_sent(error: Exception) -> bool:
    return isinstance(error, errors.UnreachableError)


def _transient(error: Exception) -> bool:
    return isinstance(error, errors.UnreachableError | errors.NoAnswerError | errors.ServerError)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from either form of `retry-after` that RFC 9110 allows; None where there is none."""
    value = headers.get("retry-after", "")
    seconds = read_number(value)
    if seconds is None and (date := read_date(value)):
        seconds = (date - datetime.now(UTC)).total_seconds()
    return None if seconds is None else max(seconds, 0.0)
