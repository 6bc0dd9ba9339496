"""The main origin: routes each request to a provider or the control plane, counts it, and lets scripted faults happen."""

import asyncio
import json
import logging
import math
from collections.abc import Mapping, Sequence
from email.utils import formatdate

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from genmedia.sandbox.accounts import Account
from genmedia.sandbox.clock import Clock
from genmedia.sandbox.faults import FaultOrder, Faults
from genmedia.sandbox.provider import Operation, Provider, Refusal
from genmedia.sandbox.spoiling import IN_THE_BODY, spoiled, spoils
from genmedia.sandbox.traffic import Traffic
from genmedia.sandbox.wire import Endless, NoAnswer, packed, redirect

log = logging.getLogger(__name__)

SCALE_HEADER = b"x-sandbox-clock-scale"
ORIGINS_HEADER = b"x-sandbox-origins"
UNKNOWN_ROUTE = "(no such route)"

_LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}
_SAFE = {"GET", "HEAD", "OPTIONS"}
_INSTEAD_OF_WORK = {"reset", "rate_limit", "server_error", "html_error", "redirect", "d1_error", "refused"}
_ON_THE_WAY = {"odd_header", "nested_gzip"}
"""What happens to an answer whatever it is."""
_SERVER_ERRORS = {500: "internal_error", 502: "bad_gateway", 503: "service_unavailable"}


def is_loopback(host: str) -> bool:
    """Whether a Host header names this machine; any other name reached us by DNS rebinding."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return name.lower() in _LOOPBACK


class LoopbackOnly:
    """Refuses requests that were meant for another host, and those by which a page of another origin would change something.

    A browser sends a form, or a text, from any page to any address without asking. It says whose page it is; programs say nothing.

    Args:
        app: What answers the others.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        app = self._app
        if not is_loopback(host):
            app = JSONResponse({"detail": "this host is not served here"}, 403)
        elif scope["type"] == "http" and scope["method"] not in _SAFE and _is_of_another_page(headers, host):
            app = JSONResponse({"detail": "a page of another origin changes nothing here"}, 403)
        await app(scope, receive, send)


def _is_of_another_page(headers: Mapping[bytes, str], host: str) -> bool:
    strange_origin = headers.get(b"origin", f"http://{host}") != f"http://{host}"
    return strange_origin or headers.get(b"sec-fetch-site", "same-origin") in ("cross-site", "same-site")


class Gateway:
    """Serves all providers under one origin (ASGI).

    Args:
        providers: The providers by name.
        control: What answers under `/sandbox`.
        clock: Its scale goes into every answer.
        origins: Where media are and inputs may be, besides documented hosts; they go into every answer too.
        traffic: Takes the counts.
        faults: Asked at every request of a provider.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        control: ASGIApp,
        clock: Clock,
        origins: Sequence[str],
        traffic: Traffic,
        faults: Faults,
    ) -> None:
        self._providers = providers
        self._control = control
        self._clock = clock
        self._origins = (ORIGINS_HEADER, ",".join(origins).encode())
        self._traffic = traffic
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] not in {"http", "websocket"}:
            return

        async def send_with_scale(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.accept"}:
                date = (b"date", formatdate(self._clock.now(), usegmt=True).encode())
                scale = (SCALE_HEADER, f"{self._clock.scale:g}".encode())
                told = message.get("headers", [])
                names = {name for name, _ in told}
                message["headers"] = [*told, *(one for one in (date, scale, self._origins) if one[0] not in names)]
            await send(message)

        await LoopbackOnly(self._app)(scope, receive, send_with_scale)

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        first, _, rest = scope["path"].removeprefix("/").partition("/")
        provider = self._providers.get(first)
        if scope["type"] == "websocket":
            await self._connect(provider, "/" + rest, WebSocket(scope, receive, send))
            return
        if first == "sandbox":
            await self._control(scope, receive, send)
            return
        if provider is None:
            known = ", ".join(f"/{name}" for name in [*self._providers, "sandbox"])
            await JSONResponse({"detail": f"nothing here; try {known}"}, 404)(scope, receive, send)
            return
        response = await self._answer(provider, Request(scope, receive), "/" + rest)
        response.headers.update(provider.headers())
        await response(scope, receive, send)

    async def _connect(self, provider: Provider | None, path: str, socket: WebSocket) -> None:
        if provider is None or path not in provider.socket_paths:
            await socket.close()
            return
        self._traffic.count(provider.name, None, "WS", path, 101)
        await provider.connect(path, socket)

    async def _answer(self, provider: Provider, request: Request, path: str) -> Response:
        description = provider.openapi() if (request.method, path) == ("GET", "/openapi.json") else None
        if description is not None:
            return JSONResponse(description)
        account: Account | None = None
        refusal: Refusal | None = None
        try:
            account = await provider.authenticate(request)
        except Refusal as caught:
            refusal = caught
        except ClientDisconnect:
            return NoAnswer()
        found = provider.match(request.method, path)
        if found is None:
            response = provider.error(404, "not_found", f"There is no {request.method} {path}.")
            self._traffic.count(provider.name, account, request.method, UNKNOWN_ROUTE, 404)
            return response
        operation, match = found
        request.scope["path_params"] = match.groupdict()

        def happens(order: FaultOrder) -> bool:
            if order.kind == "refused":
                return order.route is not None or operation.name == provider.purchase
            return order.kind not in IN_THE_BODY | _ON_THE_WAY and (order.kind != "d1_error" or operation.name == "create_job")

        fault = self._faults.take("request", provider.name, account, operation.name, happens)
        if fault and fault.kind in _INSTEAD_OF_WORK:
            # A caller cut off while still sending would see a write error or an orderly end, at random.
            await request.body()
            response = _misfortune(provider, fault)
        else:
            if fault and account and fault.kind == "reprice":
                account.price_factor *= fault.factor
            response = await self._work(provider, operation, request, account, refusal)
            response = self._spoil(provider, account, operation, fault, response)
        response = self._wrap(provider, account, operation, response)
        self._traffic.count(provider.name, account, operation.method, operation.route, response.status_code)
        if fault and fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        return response

    async def _work(
        self, provider: Provider, operation: Operation, request: Request, account: Account | None, refusal: Refusal | None
    ) -> Response:
        try:
            if refusal or account is None:
                raise refusal or Refusal(401, "unauthorized", "No account.")
            self._hold_to_rate(provider, account)
            return await operation.handler(request, account)
        except Refusal as caught:
            response = provider.error(caught.status, caught.code, caught.message)
            if caught.retry_after is not None:
                response.headers["retry-after"] = str(math.ceil(caught.retry_after))
            return response
        except ClientDisconnect:
            return NoAnswer()
        except Exception:
            log.exception("%s %s broke", operation.method, operation.route)
            return provider.error(500, "internal_error", "The sandbox itself failed; see its log.")

    def _hold_to_rate(self, provider: Provider, account: Account) -> None:
        limit = provider.requests_allowed(account)
        if limit and (wait := account.minute.admit(self._clock.now(), limit)) is not None:
            raise Refusal(429, "rate_limited", f"This account may make {limit} requests a minute.", retry_after=wait)

    def _spoil(
        self, provider: Provider, account: Account | None, operation: Operation, fault: FaultOrder | None, response: Response
    ) -> Response:
        match fault and fault.kind:
            case "lose_answer":
                return NoAnswer()
            case "late_error" if fault:
                return _scripted_error(provider, fault)
            case "endless_body":
                return Endless(b'{"padding": "', b"x", "application/json")
            case "broken_json":
                return Response(bytes(response.body[: len(response.body) // 2]), media_type="application/json")
            case _:
                pass
        if response.status_code < 300 and isinstance(response, JSONResponse):
            content, status = json.loads(bytes(response.body)), provider.status_field
            change = self._faults.take(
                "request", provider.name, account, operation.name, lambda order: spoils(order, content, status)
            )
            if change:
                response.body = json.dumps(spoiled(change, content, status)).encode()
                response.headers["content-length"] = str(len(response.body))
        if response.headers.get("location"):
            change = self._faults.take("request", provider.name, account, operation.name, lambda order: order.kind == "bad_links")
            response = redirect(json.loads(f'"{change.location}"')) if change else response
        return response

    def _wrap(self, provider: Provider, account: Account | None, operation: Operation, response: Response) -> Response:
        for kind in _ON_THE_WAY:
            fault = self._faults.take(
                "request", provider.name, account, operation.name, lambda order, kind=kind: order.kind == kind
            )
            if fault and kind == "odd_header":
                response.headers[fault.header] = fault.value
            elif fault:
                response = packed(response, fault.layers, fault.zeros)
        return response


def _scripted_error(provider: Provider, fault: FaultOrder) -> Response:
    if fault.kind == "refused":
        return provider.error(provider.refusal[0], fault.error_code, fault.message)
    return provider.error(fault.status, _SERVER_ERRORS[fault.status], "Something went wrong.")


def _misfortune(provider: Provider, fault: FaultOrder) -> Response:
    match fault.kind:
        case "reset":
            return NoAnswer(reset=True)
        case "rate_limit":
            response = provider.error(429, "rate_limited", "Too many requests.")
            if fault.retry_after is not None:
                response.headers["retry-after"] = f"{fault.retry_after:g}"
            return response
        case "server_error" | "refused":
            return _scripted_error(provider, fault)
        case "d1_error":
            return provider.d1_error()
        case "html_error":
            return HTMLResponse("<!doctype html><title>502</title><h1>Bad gateway</h1>", 502)
        case _:
            return redirect(fault.location or "")
