"""Who may look at served galleries: people who give a password once, or who open a link with a token in it. A cookie stands for either."""

import hmac
import secrets
from base64 import b64decode
from collections import OrderedDict
from contextlib import suppress
from html import escape
from math import ceil
from time import monotonic, time
from urllib.parse import parse_qs, quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from genmedia.gallery.pages import read_template, seal

SIGNED_IN_SECONDS = 30 * 24 * 3600
FORM_BYTES = 4_096

TOKEN = "token"  # noqa: S105 # the name of a part of the link
"""Name of the token in a link's query."""

FREE_TRIES = 3
"""Failed tries after which the next one of the same address has to wait."""

LONGEST_PAUSE = 60.0
"""Longest time that an address has to wait after a failed try, in seconds; the first one is a second, each later one twice as long."""

ADDRESSES = 10_000
"""Most addresses of which failed tries are remembered."""

HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
AS_PAGE = {"content-security-policy": "frame-ancestors 'none'"}


class Access:
    """The one secret of a server, and the cookies that prove that it was known.

    Args:
        secret: The password; it is given in a form once, or in each request as HTTP Basic (`user:password`). Or the token of a link.
        by_link: True if the secret is a token: it is taken from the link's query, and nobody is asked for it.
        kept_as: Name under which other pages of this origin keep the password in a browser, as base64; empty if none does.

    Attributes:
        by_link: As it was given.
    """

    def __init__(self, secret: str, *, by_link: bool = False, kept_as: str = "") -> None:
        self.by_link = by_link
        self._secret, self._kept_as = secret, kept_as
        self._signing = secrets.token_bytes(32)  # of this server alone: what a cookie proves tells nothing about the secret
        self._tries = _Tries()

    async def admit(self, request: Request) -> Response | None:
        """Return the answer to a request that is not let in yet, or that asks to be; None for one that is let in."""
        if request.method == "POST" and request.url.path.endswith("/") and not self.by_link:
            return await self._sign_in(request)
        if self.by_link and TOKEN in request.query_params and request.method in ("GET", "HEAD"):
            return self._follow(request)
        return None if self._is_known(request) else self._turn_away(request)

    def _turn_away(self, request: Request) -> Response:
        if pause := self._tries.pause(request):
            return _too_many(pause)
        if self.by_link:
            return plain(
                "This is for those who have the whole link, as the command that started this server has printed it.", 403
            )
        if request.method not in ("GET", "HEAD") or not request.url.path.endswith("/"):
            return plain("The password is missing.", 401)
        return self._ask("It is the password of this server, which the command that started it has printed.", self._kept_as)

    def _is_known(self, request: Request) -> bool:
        kind, _, told = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "basic":
            with suppress(ValueError):
                return self._is_secret(request, b64decode(told, validate=True).decode())
            return False
        ends, _, proof = request.cookies.get(_cookie(request), "").partition(".")
        return hmac.compare_digest(self._proof(ends).encode(), proof.encode()) and float(ends) > time()

    def _is_secret(self, request: Request, told: str) -> bool:
        """True if this is the secret; a wrong one counts as a failed try, and the right one is not looked at during a pause."""
        if self._tries.pause(request):
            return False
        right = hmac.compare_digest(told.encode(), self._secret.encode())
        self._tries.note(request, failed=not right)
        return right

    def _proof(self, ends: str) -> str:
        """Proof, for a time of expiry, that the secret was known."""
        return hmac.new(self._signing, f"gallery until {ends}".encode(), "sha256").hexdigest()

    def _follow(self, request: Request) -> Response:
        """Let in whoever has the link, and lead to the same page without the token in its address."""
        if pause := self._tries.pause(request):
            return _too_many(pause)
        if not self._is_secret(request, request.query_params[TOKEN]):
            return plain("This link is not of this server, or of an earlier start of it.", 403)
        # A page that goes on by itself: after a redirect from another site's page the cookie would not be sent.
        page = seal(read_template("enter.html"))
        return self._with_cookie(request, HTMLResponse(page, headers={**HEADERS, **AS_PAGE}))

    async def _sign_in(self, request: Request) -> Response:
        """Take a password from the form; the right one leads back to the page."""
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > FORM_BYTES:
                return plain("This is no password.", 413)
        if pause := self._tries.pause(request):
            return _too_many(pause)
        if not self._is_secret(request, "".join(parse_qs(body.decode(errors="replace")).get("password", []))):
            return self._ask("This is not the password.", "")
        return self._with_cookie(request, RedirectResponse(within(request), 303, HEADERS))

    def _with_cookie(self, request: Request, answer: Response) -> Response:
        ends = str(int(time()) + SIGNED_IN_SECONDS)
        answer.set_cookie(
            _cookie(request),
            f"{ends}.{self._proof(ends)}",
            max_age=SIGNED_IN_SECONDS,
            path=request.scope.get("root_path") or "/",
            httponly=True,
            samesite="strict",
        )
        return answer

    def _ask(self, told: str, kept_as: str) -> Response:
        page = seal(read_template("sign-in.html")).replace("%told%", escape(told)).replace("%kept%", escape(kept_as))
        # A form on a page without referrers would come from the origin "null".
        return HTMLResponse(page, 401, {**HEADERS, **AS_PAGE, "referrer-policy": "same-origin"})


class _Tries:
    """Failed tries of each address, of which each makes the next one wait longer."""

    def __init__(self) -> None:
        self._failed: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def pause(self, request: Request) -> float:
        """Return the time until the address of a request may try again, in seconds; 0 for now."""
        _, until = self._failed.get(_address(request), (0, 0.0))
        return max(0.0, until - monotonic())

    def note(self, request: Request, *, failed: bool) -> None:
        """Note a try."""
        address = _address(request)
        count, _ = self._failed.pop(address, (0, 0.0))
        if failed:
            pause = min(2.0 ** min(count - FREE_TRIES, 16), LONGEST_PAUSE) if count >= FREE_TRIES else 0.0
            self._failed[address] = count + 1, monotonic() + pause
            if len(self._failed) > ADDRESSES:
                self._failed.popitem(last=False)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _too_many(pause: float) -> Response:
    answer = plain(f"There were too many failed tries: wait {ceil(pause)} s.", 429)
    answer.headers["retry-after"] = str(ceil(pause))
    return answer


def _cookie(request: Request) -> str:
    """Name of the cookie, with the port in it: browsers share cookies among all ports of a machine."""
    return f"gallery-{request.url.port or 80}"


def within(request: Request) -> str:
    """Path of the request, as an address that cannot lead to another host."""
    return quote("/" + request.url.path.lstrip("/"))


def plain(told: str, status: int) -> Response:
    """Return an answer of one sentence."""
    return PlainTextResponse(told, status, HEADERS)
