"""A server for one machine: Prefect's own application and, at `/gallery/`, the galleries of the stores that are saved in it.

Requests with the Host header of another machine are refused, and no others. If the name of a foreign page is made to lead to 127.0.0.1
(DNS rebinding), a browser takes that page for the same origin; only its Host header tells it apart.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from html import escape
from inspect import isabstract
from typing import Any
from urllib.parse import quote
from zlib import crc32

from prefect.blocks.core import Block
from prefect.server.api import collections
from prefect.server.api.server import create_app
from prefect.server.database import dependencies
from prefect.server.database.configurations import SQLITE_BEGIN_MODE, AioSqliteConfiguration
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL, PREFECT_SERVER_API_AUTH_STRING
from prefect.utilities.dispatch import get_registry_for_type
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from blocks import AssetStore
from blocks.loading import saved_names
from deployments.reviews import Resuming, saved_store
from genmedia.errors import SettingsError
from genmedia.gallery.access import Access
from genmedia.gallery.serving import Galleries

HOSTS = ("127.0.0.1", "localhost")
HERE = " ".join(f"{scheme}://{host}:*" for scheme in ("http", "ws") for host in HOSTS)
POLICY = f"default-src 'self' {HERE} data: blob: 'unsafe-inline' 'unsafe-eval'"
"""Policy by which browsers let Prefect's pages load nothing from other machines: they ask a statistics service for its settings, for one."""

LOGO_ROUTES = ("/api/block_types", "/api/block_schemas", "/api/block_documents", "/api/collections/")
"""Routes whose answers list types of blocks and of workers, with the addresses of their logos."""


class SqliteInTurn(AioSqliteConfiguration):
    """Prefect's SQLite with one transaction at a time, in order of arrival; each takes the write lock when it begins.

    Most of Prefect's transactions begin without that lock. If one has read, and another commits before its first write, SQLite refuses the
    write at once, whatever the timeout (SQLITE_BUSY_SNAPSHOT). The request is answered 503; Prefect's client repeats it, its page does not.
    """

    def __init__(self, connection_url: str) -> None:
        super().__init__(connection_url)
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def begin_transaction(
        self, session: AsyncSession, with_for_update: bool = False
    ) -> AsyncGenerator[AsyncSessionTransaction]:
        """Begin a transaction for a session; a nested one does not wait for a turn, for that would be a deadlock."""
        if SQLITE_BEGIN_MODE.get():
            async with super().begin_transaction(session, with_for_update) as transaction:
                yield transaction
        else:
            async with self._turn, super().begin_transaction(session, with_for_update=True) as transaction:
                yield transaction


def create() -> ASGIApp:
    """Make the application for uvicorn; Prefect's settings come from the environment, where `PREFECT_API_URL` is this server itself.

    Raises:
        SettingsError: No `PREFECT_SERVER_API_AUTH_STRING` is set: the server would be open to everybody.
    """
    password = PREFECT_SERVER_API_AUTH_STRING.value()
    if not password:
        raise SettingsError("this server would be open to everybody", advice="Set PREFECT_SERVER_API_AUTH_STRING.", money="")
    address = PREFECT_API_DATABASE_CONNECTION_URL.value()
    if address.startswith("sqlite"):
        dependencies.MODELS_DEPENDENCIES["database_config"] = SqliteInTurn(address)
    collections.KNOWN_VIEWS.update(dict.fromkeys(collections.KNOWN_VIEWS, ""))  # Prefect asks GitHub before it takes its own copy
    _offer_real_blocks_alone()
    prefect = create_app(final=True)
    # Prefect's page keeps the password in the browser under this name: a person who has opened it need not type the password here.
    access, resuming = Access(password, kept_as="prefect-password"), Resuming()
    galleries = Galleries(access, _stores, saved_store, runs="/runs/flow-run/", decided=resuming)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with prefect.router.lifespan_context(prefect), aclosing(galleries), aclosing(resuming):
            yield

    routes = [
        Route("/gallery", RedirectResponse("/gallery/")),
        Mount("/gallery", galleries),
        Mount("/", _staying_here(prefect)),
    ]
    return TrustedHostMiddleware(Starlette(routes=routes, lifespan=lifespan), allowed_hosts=HOSTS, www_redirect=False)


def _offer_real_blocks_alone() -> None:
    """Remove abstract block classes from the registry: Prefect's server registers a type for each class there when it starts."""
    registry: dict[str, type[Block]] = get_registry_for_type(Block) or {}
    for key in [key for key, kind in registry.items() if isabstract(kind)]:
        del registry[key]


async def _stores() -> list[str]:
    return await saved_names(AssetStore)


def _staying_here(app: ASGIApp) -> ASGIApp:
    """Wrap the application so that its pages need nothing from other machines, and get nothing from them."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        asked = Headers(scope=scope) if scope["type"] == "http" else Headers()
        # Not for Prefect's client, which accepts only addresses as logos. Answers without logos are passed on unchanged.
        with_logos = "sec-fetch-mode" in asked and scope["path"].startswith(LOGO_ROUTES)
        if with_logos:
            scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        held: Message | None = None
        content = bytearray()

        async def send_kept(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["content-security-policy"] = POLICY
                if with_logos and headers.get("content-type") == "application/json":
                    held = message
                    return
            elif held and message["type"] == "http.response.body":
                content.extend(message.get("body", b""))
                if message.get("more_body"):
                    return
                message["body"] = _with_drawn_logos(bytes(content))
                MutableHeaders(scope=held)["content-length"] = str(len(message["body"]))
                await send(held)
            await send(message)

        await app(scope, receive, send_kept)

    return answer


def _with_drawn_logos(told: bytes) -> bytes:
    """Replace the logos of block types and worker types in an answer by drawings: Prefect's are pictures on other hosts."""
    if b'"logo_url"' not in told:
        return told

    def draw(one: dict[str, Any]) -> dict[str, Any]:
        if one.get("logo_url"):
            one["logo_url"] = _logo(one.get("name") or one["display_name"])
        return one

    return json.dumps(json.loads(told, object_hook=draw), allow_nan=False).encode()


def _logo(name: str) -> str:
    """Draw the first letters of a name on a colour of its own; returns the picture as a `data:` address."""
    letters = escape("".join(word[0] for word in name.split()[:2]))
    return "data:image/svg+xml," + quote(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48" font-family="sans-serif" font-size="20" text-anchor="middle">'
        f'<rect width="48" height="48" rx="8" fill="hsl({crc32(name.encode()) % 360} 40% 40%)"/>'
        f'<text x="24" y="31" fill="white">{letters}</text></svg>'
    )
