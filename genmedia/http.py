"""One bounded HTTP session per account: time and size limits, safe retries, errors by cause, keys to their own origin only."""

import asyncio
import hashlib
import json
import logging
import re
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from time import monotonic, time
from typing import Any, BinaryIO, TypeVar, cast

import httpcore
import httpx
import stamina
from pydantic import BaseModel, ValidationError

from genmedia import errors
from genmedia.limits import ANSWER_SECONDS, Pace
from genmedia.origins import Origins, is_loopback, origin_of
from genmedia.redaction import HIDDEN, bare_url, redact

IN_FLIGHT = 4
"""Requests at once. httpx grows slow with more: 4 in flight gave 1,124 requests a second, 50 gave 391 (measured)."""

ANSWER_BYTES = 8 * 2**20
DOWNLOAD_BYTES = 512 * 2**20
DOWNLOAD_SECONDS = 1800.0
ATTEMPTS = 5
HOPS = 3

# httpcore reads 64 KiB at a time; with more at once a large download takes two thirds of the time (3.2 s a gigabyte, not 5; measured).
httpcore.AsyncHTTP11Connection.READ_NUM_BYTES = 2**20  # pyright: ignore[reportAttributeAccessIssue] # it is one of the class that asyncio gets

_SENDABLE = re.compile("[!-~]+")
# Retries are told by whoever waits; stamina's own line for each says nothing to a person.
logging.getLogger("stamina").setLevel(logging.ERROR)

_TIMEOUT = httpx.Timeout(connect=10, read=30, write=60, pool=None)
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol, httpx.PoolTimeout)


M = TypeVar("M", bound=BaseModel)
Gate = Callable[[], AbstractAsyncContextManager[None]]
_once: ContextVar[bool] = ContextVar("_once", default=False)
Explained = tuple[str, str] | tuple[str, str, type[errors.ApiError]]


@dataclass(frozen=True)
class Answer:
    """What an API said: a 2xx status, its headers, and its body as JSON."""

    status: int
    headers: Mapping[str, str]
    body: Any


@contextmanager
def asking_once() -> Generator[None]:
    """Send no call again in this block: whoever looks at many jobs does so anew in its own time, and none is to hold up the others."""
    token = _once.set(True)
    try:
        yield
    finally:
        _once.reset(token)


@dataclass(frozen=True)
class Fetched:
    """Bytes that arrived whole: how many, and their SHA-256 in hex."""

    size: int
    sha256: str


class Session:
    """An account's connections to its provider.

    Args:
        provider: Its name, for messages.
        base_url: Where the API lives; the only origin that the key is sent to.
        headers: Sent with every API call; this is where the key stands.
        secrets: Values that must not appear in any error.
        origins: Where outputs may be fetched from.
        explain: Turns an error answer's JSON into `(code, message)`, with the error's class as a third where the status does not tell it.
        per_minute: How many API calls the account's plan allows in a minute; None for no limit.

    Raises:
        CredentialsError: A secret is none that a header can carry; it was pasted wrongly.
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
        self._secrets = secrets
        self._explain = explain
        proxied = not is_loopback(base_url)  # no proxy reaches a sandbox on this machine
        self._api = httpx.AsyncClient(headers=headers, timeout=_TIMEOUT, trust_env=proxied)
        # Without the key and without a cookie jar shared with the API: what it fetches is on hosts the provider names.
        self._open = httpx.AsyncClient(timeout=_TIMEOUT, trust_env=proxied)
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._pace = Pace(per_minute, lambda: self.clock_scale)

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
        gate: Gate | None = None,
        **request: Any,
    ) -> Answer:
        """Send one API call and return its JSON.

        Args:
            method: The HTTP method.
            path: The path below the base URL, with its leading slash.
            repeatable: Whether the call may be sent again after it may have been accepted; False for whatever costs money.
            urgent: Whether it goes before others where the plan limits requests; True for aborts.
            redirects: Whether a redirect is an answer: its `location` header is then for the caller. It is never followed with a key.
            gate: Entered just before the call is sent, whenever it is, and left with its answer or error; it raises where it must not be
                sent any more.
            request: `json`, `params`, `files` or `data`, as httpx takes them.

        Raises:
            ApiError: The class says the cause; see `genmedia.errors`.
        """
        async for attempt in self._retrying(_nothing if _once.get() else _transient if repeatable else _surely_not_accepted):
            with attempt:
                async with self._pace.turn(urgent=urgent), self._slots, gate() if gate else nullcontext():
                    return await self._call_once(method, path, request, redirects=redirects)
        raise AssertionError("stamina ends by returning or raising")

    async def _call_once(self, method: str, path: str, request: dict[str, Any], *, redirects: bool) -> Answer:
        where = f"{self.provider}: {method} {path}"
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                async with self._api.stream(method, self._base_url + path, **request) as response:
                    body = await self._read(response, where)
        except (httpx.HTTPError, TimeoutError) as error:
            raise _from_transport(error, where) from None
        self._follow_sandbox(response)
        if response.is_success:
            return Answer(response.status_code, response.headers, self._parse(body, where))
        if redirects and response.has_redirect_location:
            return Answer(response.status_code, response.headers, None)
        error = self._from_status(response, body, where)
        if isinstance(error, errors.RateLimitError) and error.retry_after is not None:
            self._pace.hold(error.retry_after)
        raise error

    async def _read(self, response: httpx.Response, where: str) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > ANSWER_BYTES:
                raise errors.UnreadableAnswerError(f"{where} answered with more than {ANSWER_BYTES // 2**20} MiB")
        return bytes(body)

    def _parse(self, body: bytes, where: str) -> Any:
        # A provider may repeat the key, in a reason for instance; what is read here ends in journals, states and sidecars.
        for secret in self._secrets:
            body = body.replace(secret.encode(), HIDDEN.encode())
        try:
            parsed = json.loads(body)
            return _well_formed(parsed) if b"\\ud" in body.lower() else parsed
        except (ValueError, RecursionError):
            start = redact(body[:2000].decode("utf-8", "replace"), self._secrets)[:60]
            raise errors.UnreadableAnswerError(f"{where} answered with broken JSON: {start!r}") from None

    def read(self, model: type[M], body: Any) -> M:
        """What an answer's body says, as a model.

        Raises:
            UnreadableAnswerError: It is not what the model needs; names the fields, never their values.
        """
        try:
            return model.model_validate(body)
        except ValidationError as error:
            missing = ", ".join(".".join(map(str, fault["loc"])) for fault in error.errors(include_input=False))
            raise errors.UnreadableAnswerError(
                f"{self.provider} answered without a readable {model.__name__}: {missing}"
            ) from None

    def read_each(self, model: type[M], items: Any) -> list[M | None]:
        """What a list says, as models; None for one that nobody can read, which must not hide the others.

        Raises:
            UnreadableAnswerError: It is no list.
        """
        if not isinstance(items, list):
            raise errors.UnreadableAnswerError(f"{self.provider} answered without a list of {model.__name__}s")
        found: list[M | None] = []
        for item in cast("list[Any]", items):
            try:
                found.append(model.model_validate(item))
            except ValidationError:
                found.append(None)
        return found

    def server_time(self) -> datetime:
        """The time by the provider's clock, as its last answer stated it; by this machine's until there was one."""
        stated, heard = self._server_time
        return stated + timedelta(seconds=(monotonic() - heard) * self.clock_scale)

    def _follow_sandbox(self, response: httpx.Response) -> None:
        """A sandbox may run its clock faster, and has its media elsewhere; its own clients keep step. No other origin is followed."""
        with suppress(KeyError, ValueError):
            self._server_time = (parsedate_to_datetime(response.headers["date"]), monotonic())
            self.knows_time = True
        scale = response.headers.get("x-sandbox-clock-scale")
        if scale and is_loopback(self._base_url):
            self.clock_scale = float(scale)
        self.origins.learn(response.headers.get("x-sandbox-origins", ""))

    def _from_status(self, response: httpx.Response, body: bytes, where: str) -> errors.ApiError:
        status = response.status_code
        try:
            code, message, *told = self._explain(json.loads(body))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            code, message, told = "", "", []
        reason = message or httpx.codes.get_reason_phrase(status) or "no reason given"
        what = redact(f"{where} answered {status}{f' {code}' if code else ''}: {reason}", self._secrets)
        if 300 <= status < 400:
            return errors.UnreadableAnswerError(f"{where} answered with a redirect, which is not followed with a key")
        # What a 5xx says of its cause does not tell whether the call was accepted.
        error = (told[0] if told and status < 500 else _class_of(status))(what)
        if isinstance(error, errors.RateLimitError | errors.ServerError):
            error.retry_after = _retry_after(response.headers)
        return error

    def _retrying(self, transient: Callable[[Exception], bool]) -> "stamina._core._RetryContextIterator":  # pyright: ignore[reportPrivateUsage] # stamina names no public type for it
        def again(error: Exception) -> bool | float:
            wait = getattr(error, "retry_after", None)
            return transient(error) if wait is None else transient(error) and wait / self.clock_scale

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
        """Stream the file behind `url` into `sink`, hashing on the way.

        Args:
            url: An https address, or one of a listed origin; every redirect is held to the same rule.
            sink: A seekable file; it is emptied before each try.
            max_bytes: The largest file accepted.
            max_seconds: The longest time one try may take.
            keyed: Whether the key is sent, as far as `url` is at the API's own origin; to any other it never is.
            json: A body with the key in it, for a provider that wants it there; it goes to the API's own origin, and along no redirect.

        Raises:
            DownloadError: The class says the cause.
            ApiError: The key that was sent in the body was refused.
        """
        async for attempt in self._retrying(lambda error: isinstance(error, errors.BrokenDownloadError)):
            with attempt:
                sink.seek(0)
                sink.truncate()
                return await self._fetch_once(url, sink, max_bytes, max_seconds, keyed=keyed, json=json)
        raise AssertionError("stamina ends by returning or raising")

    async def _fetch_once(
        self, url: str, sink: BinaryIO, max_bytes: int, max_seconds: float, *, keyed: bool, json: Mapping[str, str] | None
    ) -> Fetched:
        digest, size = hashlib.sha256(), 0
        where = f"{self.provider}: GET {bare_url(url)}"
        try:
            async with asyncio.timeout(max_seconds):
                async with self._follow(url, where, keyed=keyed, json=json) as response:
                    async for chunk in response.aiter_bytes():
                        size += len(chunk)
                        if size > max_bytes:
                            raise errors.OversizeError(f"{where} sent more than {max_bytes} bytes")
                        digest.update(chunk)
                        sink.write(chunk)
        except TimeoutError:
            raise errors.OversizeError(f"{where} was not done after {max_seconds:g} s") from None
        except httpx.HTTPError as error:
            raise errors.BrokenDownloadError(f"{where} broke off after {size} bytes ({type(error).__name__})") from None
        return Fetched(size, digest.hexdigest())

    @asynccontextmanager
    async def _follow(
        self, url: str, where: str, *, keyed: bool, json: Mapping[str, str] | None
    ) -> AsyncGenerator[httpx.Response]:
        for _ in range(HOPS + 1):
            await self.origins.check(url)
            own = origin_of(url) == origin_of(self._base_url)
            body = json if own else None
            async with (self._api if keyed and own else self._open).stream("GET", url, json=body) as response:
                if own:
                    self._follow_sandbox(response)
                if response.is_success:
                    yield response
                    return
                if body and response.status_code in (401, 403):
                    raise self._from_status(response, await self._read(response, where), where)
                if not response.has_redirect_location:
                    raise _from_download(response.status_code, where)
                url, json = str(response.url.join(response.headers["location"])), None
        raise errors.ForbiddenAddressError(f"{where} redirects more than {HOPS} times")

    async def upload(self, url: str, *, fields: Mapping[str, str], file_field: str, path: Path, content_type: str) -> None:
        """Send a local file to an address the provider handed out, as a multipart form; no key is sent.

        Raises:
            ApiError: The address refused it or gave no answer.
            ForbiddenAddressError: The address is not one that may be called.
        """
        await self.origins.check(url)
        where = f"{self.provider}: POST {bare_url(url)}"
        try:
            with path.open("rb") as file:
                form: dict[str, Any] = {"data": dict(fields), "files": {file_field: (path.name, file, content_type)}}
                async with asyncio.timeout(DOWNLOAD_SECONDS), self._open.stream("POST", url, **form) as response:
                    body = await self._read(response, where)
        except (httpx.HTTPError, TimeoutError) as error:
            raise _from_transport(error, where) from None
        if not response.is_success:
            raise self._from_status(response, body, where)

    async def alive(self, url: str) -> bool:
        """Whether the file behind `url` can still be fetched; nothing is downloaded."""
        try:
            await self.origins.check(url)
            return (await self._open.head(url)).is_success
        except (httpx.HTTPError, errors.DownloadError):
            return False


def _well_formed(value: Any) -> Any:
    """The same with a replacement character for each half of a pair that was cut: such a text can be written nowhere."""
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_well_formed(one) for one in cast("list[Any]", value)]
        case dict():
            return {_well_formed(name): _well_formed(one) for name, one in cast("dict[str, Any]", value).items()}
        case _:
            return value


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
    return errors.NoAnswerError(f"{where} gave no answer ({kind})")


def _from_download(status: int, where: str) -> errors.DownloadError:
    if status in (401, 403, 404, 410):
        return errors.ExpiredLinkError(f"{where} answered {status}")
    return errors.BrokenDownloadError(f"{where} answered {status}")


def _nothing(_: Exception) -> bool:
    return False


def _surely_not_accepted(error: Exception) -> bool:
    return isinstance(error, errors.UnreachableError | errors.RateLimitError)


def _transient(error: Exception) -> bool:
    return _surely_not_accepted(error) or isinstance(error, errors.NoAnswerError | errors.ServerError)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from either form that RFC 9110 allows, at most ten minutes."""
    value = headers.get("retry-after", "")
    try:
        seconds = float(value) if value.replace(".", "", 1).isdigit() else parsedate_to_datetime(value).timestamp() - time()
    except ValueError:
        return None
    return min(max(seconds, 0.0), 600.0)
