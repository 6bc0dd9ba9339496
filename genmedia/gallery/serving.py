"""The galleries of saved stores over HTTP: the page that opens from disk, kept up to date while it is open, and uploads.

A browser gets what the page shows and nothing else of a store: pictures, videos, texts and models with a sidecar beside them, those
sidecars, and thumbnails. No page and no script comes out of a store: all pages are made here.
"""

import hmac
import json
import secrets
from asyncio import Lock
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from html import escape
from pathlib import Path
from time import monotonic, time
from typing import Any, Protocol
from urllib.parse import parse_qs, quote
from uuid import UUID

from starlette.applications import Starlette
from starlette.concurrency import iterate_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from genmedia.errors import GenmediaError, InputError, SettingsError
from genmedia.gallery.entries import Entry
from genmedia.gallery.page import DATA, Seen, look_around, make_page, name_of
from genmedia.gallery.pages import read_template, seal
from genmedia.gallery.uploading import take_in
from genmedia.gallery.viewer import VIEWER, make_model_page, make_viewer_page
from genmedia.journal import Journal
from genmedia.journal.database import is_made
from genmedia.media.facts import SUFFIXES
from genmedia.provenance.reading import Contents, read_assets
from genmedia.store import Place, Store

LIVE = ".genmedia/live"
UPLOADS = ".genmedia/uploads"

LOOK_SECONDS = 2.0
"""Shortest time between two looks at a store, in seconds."""

LOOK_SHARE = 10
"""Shortest time between two looks, as a multiple of the time that a look takes: a large or distant store is looked at less often."""

SIGNED_IN_SECONDS = 30 * 24 * 3600
FORM_BYTES = 4_096

_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
_AS_FILE = {"content-security-policy": "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox"}
"""Headers of a file from a provider, however it is opened: no script runs in it, and it has no origin."""

_AS_FRAME = {"content-security-policy": "frame-ancestors 'self'; sandbox allow-scripts"}
_AS_PAGE = {"content-security-policy": "frame-ancestors 'none'"}


class Keeper(Protocol):
    """A saved store, with its journal."""

    @property
    def place(self) -> Place:
        """Place of the store."""
        ...

    @property
    def journal_url(self) -> str:
        """Address of its journal."""
        ...

    def get_store(self) -> AbstractAsyncContextManager[Store]:
        """The store, on this event loop."""
        ...

    def get_journal(self) -> AbstractAsyncContextManager[Journal]:
        """The journal, on this event loop."""
        ...


class Galleries:
    """A web application for people who have the password; mount it, and close it with `aclose`.

    Args:
        password: The password; it is given in a form once, which leaves a cookie, or in each request as HTTP Basic (`user:password`).
        names: Gives the names of all saved stores.
        find: Gives one of them; raises a `SettingsError` if there is none.
        runs: Beginning of the address of a run's page, before its id; empty if runs have no page.
        kept_as: Name under which other pages of this origin keep the password in a browser, as base64; empty if none does.
    """

    def __init__(
        self,
        password: str,
        names: Callable[[], Awaitable[Sequence[str]]],
        find: Callable[[str], Awaitable[Keeper]],
        *,
        runs: str = "",
        kept_as: str = "",
    ) -> None:
        self._password = password
        self._names, self._find = names, find
        self._runs, self._kept_as = runs, kept_as
        self._shown: dict[str, _Shown] = {}
        self._app: ASGIApp = Starlette(
            routes=[
                Route("/", self._list, methods=["GET"]),
                Route("/{store}/", self._page, methods=["GET"]),
                Route(f"/{{store}}/{LIVE}", self._live, methods=["GET"]),
                Route(f"/{{store}}/{UPLOADS}", self._upload, methods=["POST"]),
                Route("/{store}/{path:path}", self._file, methods=["GET"]),
            ],
            exception_handlers={HTTPException: _refused, GenmediaError: _failed},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        app = self._app
        if scope["type"] == "http":
            request = Request(scope, receive)
            origin = request.headers.get("origin")
            if origin not in (None, f"{request.url.scheme}://{request.url.netloc}"):
                app = _plain("This page is another's.", 403)
            elif not self._is_known(request) or (request.method == "POST" and request.url.path.endswith("/")):
                app = await self._sign_in(request)
        await app(scope, receive, send)

    async def aclose(self) -> None:
        """Close all stores."""
        while self._shown:
            await self._shown.popitem()[1].aclose()

    # Sign-in

    def _is_known(self, request: Request) -> bool:
        kind, _, told = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "basic":
            with suppress(ValueError):
                return self._is_password(b64decode(told, validate=True).decode())
            return False
        ends, _, proof = request.cookies.get(_cookie(request), "").partition(".")
        return hmac.compare_digest(self._proof(ends).encode(), proof.encode()) and float(ends) > time()

    def _is_password(self, told: str) -> bool:
        return hmac.compare_digest(told.encode(), self._password.encode())

    def _proof(self, ends: str) -> str:
        """Proof, for a time of expiry, that the password was known; it reveals nothing about the password."""
        return hmac.new(self._password.encode(), f"gallery until {ends}".encode(), "sha256").hexdigest()

    async def _sign_in(self, request: Request) -> Response:
        """Ask for the password, if a page is requested; the right password leads back to that page."""
        if request.method not in ("GET", "HEAD", "POST") or not request.url.path.endswith("/"):
            return _plain("The password is missing.", 401)
        if request.method != "POST":
            return self._ask("It is the password of this server, which the command that started it has printed.", self._kept_as)
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > FORM_BYTES:
                return _plain("This is no password.", 413)
        if not self._is_password("".join(parse_qs(body.decode(errors="replace")).get("password", []))):
            return self._ask("This is not the password.", "")
        ends = str(int(time()) + SIGNED_IN_SECONDS)
        answer = RedirectResponse(_within(request), 303, _HEADERS)
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
        return HTMLResponse(page, 401, {**_HEADERS, **_AS_PAGE, "referrer-policy": "same-origin"})

    # Answers

    async def _list(self, request: Request) -> Response:
        names = await self._names()
        if len(names) == 1:
            return RedirectResponse(f"{_within(request)}{quote(names[0], safe='')}/", 303, _HEADERS)
        links = "".join(f'<li><a href="{escape(quote(name, safe=""))}/">{escape(name)}</a></li>' for name in names)
        page = f'<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>Galleries</title><ul>{links}</ul>'
        return HTMLResponse(page, headers={**_HEADERS, "content-security-policy": "default-src 'none'; frame-ancestors 'none'"})

    async def _page(self, request: Request) -> Response:
        name = request.path_params["store"]
        keeper = await self._find(name)
        shown = self._shown.get(name)
        if shown is None or shown.keeper != keeper:  # it was saved anew
            if shown := self._shown.pop(name, None):
                await shown.aclose()
            shown = await self._show(name, keeper)
        await shown.look(at_once=True)
        return HTMLResponse(shown.page(self._runs)[1], headers={**_HEADERS, **_AS_PAGE})

    async def _live(self, request: Request) -> Response:
        shown = await self._shown_now(request)
        await shown.look()
        return _json(shown.since(request.query_params.get("since", "")))

    async def _upload(self, request: Request) -> Response:
        shown = await self._shown_now(request)
        try:
            path = await take_in(shown.store, request.query_params.get("name", ""), request.stream())
        except ClientDisconnect:
            return _plain("The file did not arrive.", 400)
        except InputError as error:
            return _plain("; ".join(f"{fault}." for fault in error.faults), 422)
        await shown.look(at_once=True)
        return _json({"path": path}, 201)

    async def _file(self, request: Request) -> Response:
        shown, path = await self._shown_now(request), request.path_params["path"]
        if path == DATA:
            return Response(shown.page(self._runs)[0], headers=_HEADERS, media_type="text/javascript")
        if path == VIEWER:
            return HTMLResponse(make_viewer_page(), headers={**_HEADERS, **_AS_FRAME})
        try:
            return await shown.file(request, path)
        except FileNotFoundError:
            return _plain("There is no such file.", 404)

    async def _shown_now(self, request: Request) -> "_Shown":
        """Return the store that is asked for; open it if this server has not shown it yet."""
        name = request.path_params["store"]
        shown = self._shown.get(name)
        if shown is None:
            shown = await self._show(name, await self._find(name))
            await shown.look()
        return shown

    async def _show(self, name: str, keeper: Keeper) -> "_Shown":
        shown = _Shown(keeper)
        await shown.open()
        if self._shown.setdefault(name, shown) is not shown:  # another request was faster
            await shown.aclose()
        return self._shown[name]


class _Shown:
    """A store as it is shown: its contents at the last look, and the version of each change.

    Args:
        keeper: The store.
    """

    store: Store

    def __init__(self, keeper: Keeper) -> None:
        self.keeper = keeper
        self._held = AsyncExitStack()
        self._turn = Lock()
        self._next = 0.0
        self._contents: Contents | None = None
        self._seen = Seen([], [], {})
        self._name, self._version = secrets.token_hex(4), 0
        self._changed: dict[str, int] = {}
        self._assets: dict[str, Entry] = {}
        self._thumbnails: set[str] = set()
        self._models: dict[str, str] = {}
        self._written: tuple[int, tuple[str, str]] = -1, ("", "")

    async def open(self) -> None:
        """Open the store."""
        self.store = await self._held.enter_async_context(self.keeper.get_store())

    async def aclose(self) -> None:
        """Close the store."""
        await self._held.aclose()

    async def look(self, *, at_once: bool = False) -> None:
        """Read what is in the store now, unless the last look was just before.

        Raises:
            StoreError: It cannot be read.
        """
        async with self._turn:
            if not at_once and monotonic() < self._next:
                return
            begun = monotonic()
            self._contents, before = await read_assets(self.store, self._contents), self._seen
            seen = await look_around(self.store, self._contents, before)
            new = [entry for path, (_, entry) in seen.made.items() if before.made.get(path, ("", None))[1] is not entry]
            await self._dress(new)
            # There is no await from here on: another request sees all of the change or nothing.
            self._seen = seen
            if new or before.made.keys() != seen.made.keys() or before.left_out != seen.left_out:
                self._version += 1
                self._changed |= {entry["path"]: self._version for entry in new}
                self._assets = {entry["path"]: entry for entry in seen.assets if not entry.get("quarantined")}
                self._thumbnails = {entry["thumbnail"] for entry in seen.assets if "thumbnail" in entry}
                self._models = {entry["turns"]: path for path, entry in self._assets.items() if "turns" in entry}
            now = monotonic()
            self._next = now + max(LOOK_SECONDS, LOOK_SHARE * (now - begun))

    async def _dress(self, entries: Sequence[Entry]) -> None:
        """Adapt new entries: those in quarantine lose the link to their evidence, and each gets its run's id, if the journal has it."""
        for entry in entries:
            if entry.get("quarantined"):
                del entry["sidecar"]
        if not entries:
            return
        with suppress(GenmediaError):
            if is_made(self.keeper.journal_url):
                async with self.keeper.get_journal() as journal:
                    runs = await journal.runs()
                for entry in entries:
                    if run := _as_id(runs.get((entry["submission_key"], entry["attempt"]), "")):
                        entry["run"] = run

    def page(self, runs: str) -> tuple[str, str]:
        """The script with the data and the page, as `make_page` gives them."""
        if self._written[0] != self._version:
            live = {"version": self._token, "runs": runs}
            self._written = self._version, make_page(name_of(self.store), self._seen, live=live)
        return self._written[1]

    def since(self, token: str) -> dict[str, Any]:
        """Changes that bring a page with the version of this token up to date: none, the new entries, or all."""
        name, _, number = token.partition("-")
        has = int(number) if name == self._name and number.isdecimal() else 0
        if has == self._version:
            return {"version": self._token}
        assets = self._seen.assets
        return {
            "version": self._token,
            "assets": [entry for entry in assets if self._changed[entry["path"]] > has],
            "order": [entry["path"] for entry in assets],
            "left_out": self._seen.left_out,
        }

    @property
    def _token(self) -> str:
        return f"{self._name}-{self._version}"

    async def file(self, request: Request, path: str) -> Response:
        """Answer with the file at a path, if the page shows it.

        Raises:
            FileNotFoundError: The page shows no such file, or the file is gone.
            StoreError: It cannot be read.
        """
        if path in self._assets:
            kind = self._assets[path]["file"]["media_type"]
            kind = "text/plain" if kind.startswith("text/") else kind
            opens = kind in SUFFIXES
            name = quote(path.rpartition("/")[2])
            told = {"content-disposition": f"{'inline' if opens else 'attachment'}; filename*=utf-8''{name}"}
            return await self._send(request, path, kind if opens else "application/octet-stream", told)
        if path in self._thumbnails:
            return await self._send(request, path, "image/webp", {})
        if path in self._models:
            file = await self._own(self._models[path])
            return StreamingResponse(_model_page(file), headers={**_HEADERS, **_AS_FRAME}, media_type="text/html")
        if path.endswith(".json") and path.removesuffix(".json") in self._assets:
            await self._own(path)
            return Response(await self.store.files.read(path), headers={**_HEADERS, **_AS_FILE}, media_type="application/json")
        raise FileNotFoundError(path)

    async def _send(self, request: Request, path: str, kind: str, told: dict[str, str]) -> Response:
        """Answer with a file, or with the part of it that is asked for; with no content if the browser has it."""
        file = await self._own(path)
        found = file.stat()
        tag = f'"{found.st_mtime_ns:x}-{found.st_size:x}"'
        headers = {**_HEADERS, **_AS_FILE, **told, "etag": tag, "cache-control": "private, no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return FileResponse(file, headers=headers, media_type=kind, stat_result=found)

    async def _own(self, path: str) -> Path:
        """Return a local file with the content of a file of the store; a symbolic link out of the store's folder counts as missing."""
        file, folder = await self.store.files.copy(path), self.keeper.place.folder
        if folder and not file.resolve().is_relative_to(folder.resolve()):
            raise FileNotFoundError(path)
        return file


def _model_page(file: Path) -> AsyncIterator[str]:
    def pieces() -> Iterator[str]:
        with file.open("rb") as model:
            yield from make_model_page(model)

    return iterate_in_threadpool(pieces())


def _as_id(run: str) -> str:
    """Id of a run that has a page in Prefect; empty if the text is no such id."""
    with suppress(ValueError):
        return str(UUID(run))
    return ""


def _cookie(request: Request) -> str:
    """Name of the cookie, with the port in it: browsers share cookies among all ports of a machine."""
    return f"gallery-{request.url.port or 80}"


def _within(request: Request) -> str:
    """Path of the request, as an address that cannot lead to another host."""
    return quote("/" + request.url.path.lstrip("/"))


def _plain(told: str, status: int) -> Response:
    return PlainTextResponse(told, status, _HEADERS)


def _json(told: Any, status: int = 200) -> Response:
    return Response(json.dumps(told, allow_nan=False), status, _HEADERS, "application/json")


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _plain(f"{error.detail}.", error.status_code)


async def _failed(_: Request, error: Exception) -> Response:
    return _plain(str(error), 404 if isinstance(error, SettingsError) else 502)
