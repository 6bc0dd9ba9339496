"""The galleries of saved stores over HTTP: the page that opens from disk, kept up to date while it is open, with verdicts and uploads.

A browser gets what the page shows and nothing else of a store: pictures, videos, texts and models with a sidecar beside them, those
sidecars, and thumbnails. No page and no script comes out of a store: all pages are made here.
"""

import json
import secrets
from asyncio import Lock
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from html import escape
from pathlib import Path
from time import monotonic
from typing import Any, Protocol
from urllib.parse import quote
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import iterate_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from genmedia.errors import Fault, GenmediaError, InputError, SettingsError
from genmedia.forms.validation import in_words
from genmedia.gallery.access import AS_PAGE, HEADERS, Access, plain, within
from genmedia.gallery.entries import Entry
from genmedia.gallery.page import DATA, Seen, look_around, make_page, name_of
from genmedia.gallery.uploading import take_in
from genmedia.gallery.viewer import VIEWER, make_model_page, make_viewer_page
from genmedia.journal import Journal
from genmedia.journal.database import is_made
from genmedia.journal.reviews import Opinion, Review, Verdict
from genmedia.media.facts import SUFFIXES
from genmedia.provenance.reading import Contents, read_assets
from genmedia.store import Place, Store
from genmedia.store.sidecar import Sidecar

LIVE = ".genmedia/live"
REVIEWS = ".genmedia/reviews"
UPLOADS = ".genmedia/uploads"

LOOK_SECONDS = 2.0
"""Shortest time between two looks at a store, in seconds."""

LOOK_SHARE = 10
"""Shortest time between two looks, as a multiple of the time that a look takes: a large or distant store is looked at less often."""

REVIEWS_BYTES = 4_000_000
"""Longest list of verdicts and comments that is taken at once, in bytes."""

_AS_FILE = {"content-security-policy": "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox"}
"""Headers of a file from a provider, however it is opened: no script runs in it, and it has no origin."""

_AS_FRAME = {"content-security-policy": "frame-ancestors 'self'; sandbox allow-scripts"}


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


class _Said(BaseModel):
    """What a page says of one asset."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    verdict: Verdict | None = None
    why: str = ""
    prompt: str = ""
    seed: int | None = None


class _AllSaid(BaseModel):
    """What a person says in a page."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    who: str
    reviews: tuple[_Said, ...] = Field(min_length=1)


class Galleries:
    """A web application for people who have the secret; mount it, and close it with `aclose`.

    Args:
        access: Who is let in.
        names: Gives the names of all saved stores.
        find: Gives one of them; raises a `SettingsError` if there is none.
        runs: Beginning of the address of a run's page, before its id; empty if runs have no page.
        decided: Called after people have decided.
    """

    def __init__(
        self,
        access: Access,
        names: Callable[[], Awaitable[Sequence[str]]],
        find: Callable[[str], Awaitable[Keeper]],
        *,
        runs: str = "",
        decided: Callable[[], None] = lambda: None,
    ) -> None:
        self._access = access
        self._decided = decided
        self._names, self._find = names, find
        self._runs = runs
        self._shown: dict[str, _Shown] = {}
        self._app: ASGIApp = Starlette(
            routes=[
                Route("/", self._list, methods=["GET"]),
                Route("/{store}/", self._page, methods=["GET"]),
                Route(f"/{{store}}/{LIVE}", self._live, methods=["GET"]),
                Route(f"/{{store}}/{REVIEWS}", self._review, methods=["POST"]),
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
                app = plain("This page is another's.", 403)
            else:
                app = await self._access.admit(request) or app
        await app(scope, receive, send)

    async def aclose(self) -> None:
        """Close all stores."""
        while self._shown:
            await self._shown.popitem()[1].aclose()

    # Answers

    async def _list(self, request: Request) -> Response:
        names = await self._names()
        if len(names) == 1:
            return RedirectResponse(f"{within(request)}{quote(names[0], safe='')}/", 303, HEADERS)
        links = "".join(f'<li><a href="{escape(quote(name, safe=""))}/">{escape(name)}</a></li>' for name in names)
        page = f'<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>Galleries</title><ul>{links}</ul>'
        return HTMLResponse(page, headers={**HEADERS, "content-security-policy": "default-src 'none'; frame-ancestors 'none'"})

    async def _page(self, request: Request) -> Response:
        name = request.path_params["store"]
        keeper = await self._find(name)
        shown = self._shown.get(name)
        if shown is None or shown.keeper != keeper:  # it was saved anew
            if shown := self._shown.pop(name, None):
                await shown.aclose()
            shown = await self._show(name, keeper)
        await shown.look(at_once=True)
        return HTMLResponse(shown.page(self._runs)[1], headers={**HEADERS, **AS_PAGE})

    async def _live(self, request: Request) -> Response:
        shown, asked = await self._shown_now(request), request.query_params
        await shown.look()
        heard = asked.get("heard", "")
        news = await shown.reviews(int(heard) if heard.isdecimal() and len(heard) < 16 else 0)
        return _json({**shown.since(asked.get("since", "")), **news})

    async def _review(self, request: Request) -> Response:
        """Write down what a person says. A page of elsewhere cannot send JSON without asking first, which nothing here answers."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return plain("This is no JSON.", 415)
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > REVIEWS_BYTES:
                return plain("This is too much at once.", 413)
        shown = await self._shown_now(request)
        try:
            told = _AllSaid.model_validate_json(body)
            await shown.review(told.who, told.reviews)
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, fault['loc']))} {in_words(fault)}" for fault in error.errors())
            return plain(f"This cannot be said so: {faults}.", 422)
        except InputError as error:
            return plain("; ".join(map(str, error.faults)) + ".", 422)
        self._decided()
        return Response(status_code=204, headers=HEADERS)

    async def _upload(self, request: Request) -> Response:
        shown = await self._shown_now(request)
        try:
            path = await take_in(shown.store, request.query_params.get("name", ""), request.stream())
        except ClientDisconnect:
            return plain("The file did not arrive.", 400)
        except InputError as error:
            return plain("; ".join(f"{fault}." for fault in error.faults), 422)
        await shown.look(at_once=True)
        return _json({"path": path}, 201)

    async def _file(self, request: Request) -> Response:
        shown, path = await self._shown_now(request), request.path_params["path"]
        if path == DATA:
            return Response(shown.page(self._runs)[0], headers=HEADERS, media_type="text/javascript")
        if path == VIEWER:
            return HTMLResponse(make_viewer_page(), headers={**HEADERS, **_AS_FRAME})
        try:
            return await shown.file(request, path)
        except FileNotFoundError:
            return plain("There is no such file.", 404)

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
        self._turn, self._opening = Lock(), Lock()
        self._next = 0.0
        self._contents: Contents | None = None
        self._seen = Seen([], [], {})
        self._name, self._version = secrets.token_hex(4), 0
        self._changed: dict[str, int] = {}
        self._assets: dict[str, Entry] = {}
        self._sidecars: dict[str, Sidecar] = {}
        self._journal: Journal | None = None
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
                self._sidecars = {one.path: one.sidecar for one in self._contents.assets}
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

    async def reviews(self, heard: int) -> dict[str, Any]:
        """Return what people have said since, and the number of the last review; or why that cannot be told; nothing where nothing is new.

        Args:
            heard: Number of the last review that is known; 0 for none.
        """
        try:
            if self._journal is None and not is_made(self.keeper.journal_url):
                return {}
            said = await (await self._open_journal()).reviews.history(after=heard)
        except GenmediaError as error:
            return {"unheard": str(error)}
        return {"reviews": [_as_said(one) for one in said], "heard": said[-1].id} if said else {}

    async def review(self, who: str, said: Sequence[_Said]) -> None:
        """Write into the journal what a person says of assets that the page shows.

        Raises:
            InputError: Everything that is wrong with it, or the page shows no such asset.
            JournalError: The journal cannot be written.
        """
        strange = [Fault(one.path, "is no asset that is shown here") for one in said if one.path not in self._assets]
        if strange:
            raise InputError(strange)
        given = [(Opinion(one.verdict, who, one.why, one.prompt, one.seed), one.path, self._sidecars[one.path]) for one in said]
        await (await self._open_journal()).reviews.give(given)

    async def _open_journal(self) -> Journal:
        """Open the journal, which stays open as long as the store."""
        async with self._opening:
            if self._journal is None:
                self._journal = await self._held.enter_async_context(self.keeper.get_journal())
        return self._journal

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
            return StreamingResponse(_model_page(file), headers={**HEADERS, **_AS_FRAME}, media_type="text/html")
        if path.endswith(".json") and path.removesuffix(".json") in self._assets:
            await self._own(path)
            return Response(await self.store.files.read(path), headers={**HEADERS, **_AS_FILE}, media_type="application/json")
        raise FileNotFoundError(path)

    async def _send(self, request: Request, path: str, kind: str, told: dict[str, str]) -> Response:
        """Answer with a file, or with the part of it that is asked for; with no content if the browser has it."""
        file = await self._own(path)
        found = file.stat()
        tag = f'"{found.st_mtime_ns:x}-{found.st_size:x}"'
        headers = {**HEADERS, **_AS_FILE, **told, "etag": tag, "cache-control": "private, no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return FileResponse(file, headers=headers, media_type=kind, stat_result=found)

    async def _own(self, path: str) -> Path:
        """Return a local file with the content of a file of the store; a symbolic link out of the store's folder counts as missing."""
        file, folder = await self.store.files.copy(path), self.keeper.place.folder
        if folder and not file.resolve().is_relative_to(folder.resolve()):
            raise FileNotFoundError(path)
        return file


def _as_said(review: Review) -> dict[str, Any]:
    """What a page is told of a review."""
    subject, opinion = review.subject, review.opinion
    told = {"verdict": opinion.verdict, "why": opinion.why, "prompt": opinion.prompt, "seed": opinion.seed}
    return {
        "id": review.id,
        "about": [subject.key, subject.attempt, subject.output, subject.number],
        "who": opinion.who,
        "at": review.at.isoformat(timespec="milliseconds"),
        **{name: value for name, value in told.items() if value not in (None, "")},
    }


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


def _json(told: Any, status: int = 200) -> Response:
    return Response(json.dumps(told, allow_nan=False), status, HEADERS, "application/json")


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return plain(f"{error.detail}.", error.status_code)


async def _failed(_: Request, error: Exception) -> Response:
    return plain(str(error), 404 if isinstance(error, SettingsError) else 502)
