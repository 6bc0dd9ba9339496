"""What uvicorn serves as Prefect in a benchmark: the server of `genmedia up`, which tells what it was asked and the CPU time it has used."""

import json
import re
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import process_time, sleep
from typing import Any

import httpx
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    PREFECT_CLIENT_CSRF_SUPPORT_ENABLED,
    temporary_settings,
)
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments import local_server
from deployments.engines.ports import free_port
from genmedia.cli.services import prefect_key, prefect_service, running

REPORT = "/report"
QUIET_SECONDS, QUIET_SHARE = 3.0, 0.1
"""The server has done its work when it has used less than this share of a processor for so many seconds."""

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


def create() -> ASGIApp:
    """Prefect's application, which answers `REPORT` with its CPU time, and the number of requests and events since it was asked last."""
    app, counts = local_server.create(), Counter[str]()

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == REPORT:
            told = {"cpu_seconds": process_time(), "counts": dict(counts)}
            counts.clear()
            await JSONResponse(told)(scope, receive, send)
            return
        if scope["type"] == "http":
            counts[f"{Request(scope).method} {_ID.sub('ID', scope['path'])}"] += 1

        async def received() -> Message:
            message = await receive()
            if message["type"] == "websocket.receive":
                told = json.loads(message.get("text") or message["bytes"])
                counts[f"event {told.get('event', told.get('type'))}"] += 1
            return message

        await app(scope, received if scope["type"] == "websocket" else receive, send)

    return counted


@dataclass(frozen=True)
class CountedPrefect:
    """A running server.

    Attributes:
        url: Its address.
        auth: User and password.
    """

    url: str
    auth: tuple[str, str]

    def report(self) -> tuple[float, Counter[str]]:
        """Wait until it has done its work, for it writes down the states of task runs later; return its CPU seconds and its counts."""
        (used, counts), quiet = self._ask(), False
        while not quiet:
            sleep(QUIET_SECONDS)
            now, more = self._ask()
            used, counts, quiet = now, counts + more, now - used < QUIET_SHARE * QUIET_SECONDS
        return used, counts

    def _ask(self) -> tuple[float, Counter[str]]:
        told: dict[str, Any] = httpx.get(self.url + REPORT, auth=self.auth, timeout=60).raise_for_status().json()
        return told["cpu_seconds"], Counter(told["counts"])


@contextmanager
def running_counted(folder: Path) -> Generator[CountedPrefect]:
    """Run a server with the settings of `genmedia up`; flows of this process use it while the block runs."""
    service = prefect_service(folder, Path(__file__).parents[1])
    service.port = free_port()
    service.command = [part.replace(f"{local_server.__name__}:", f"{__name__}:") for part in service.command]
    service.environment = {**service.environment, "PREFECT_UI_ENABLED": "false"}
    key = prefect_key(folder)
    user, _, password = key.partition(":")
    with running([service]):
        settings: dict[Any, Any] = {
            PREFECT_API_URL: f"{service.url}/api",
            PREFECT_API_AUTH_STRING: key,
            PREFECT_CLIENT_CSRF_SUPPORT_ENABLED: False,
        }
        with temporary_settings(settings):
            yield CountedPrefect(service.url, (user, password))
