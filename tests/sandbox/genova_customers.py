"""A customer of the sandbox's Genova, over real HTTP and WebSockets."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from tests.sandboxes import Sandbox

END = {"job_completed", "job_failed"}


class GenovaCustomer:
    """One account and a client that carries its key."""

    def __init__(self, sandbox: Sandbox, account: dict[str, Any], http: httpx.Client) -> None:
        self.sandbox = sandbox
        self.account = account
        self.http = http

    @property
    def credits(self) -> float:
        """The credits left."""
        return self.sandbox.account(self.account)["credits"]

    def create(self, prompt: str = "A cat", **body: Any) -> httpx.Response:
        """Ask for a picture, or for what the body says."""
        return self.http.post("/api/jobs", json={"type": "image", "prompt": prompt, **body})

    def buy(self, prompt: str = "A cat", **body: Any) -> str:
        """Ask for a job and return its id."""
        response = self.create(prompt, **body)
        assert response.status_code == 201, response.text
        return response.json()["jobId"]

    def look(self, job_id: str) -> dict[str, Any]:
        """Look at a job once."""
        response = self.http.get(f"/api/jobs/{job_id}")
        assert response.status_code == 200, response.text
        return response.json()

    def finish(self, job_id: str) -> dict[str, Any]:
        """Look until the job has ended; in looks mode that is a handful of looks."""
        for _ in range(20):
            shown = self.look(job_id)
            if shown["status"] in {"completed", "failed"}:
                return shown
        pytest.fail("it never ends")

    def jobs(self, query: str = "") -> list[dict[str, Any]]:
        """The list."""
        response = self.http.get(f"/api/jobs{query}")
        assert response.status_code == 200, response.text
        return response.json()["jobs"]

    def line(self, address: str | None = None, **options: Any) -> AbstractContextManager[Connection]:
        """A WebSocket: the account's own, or the one at the address."""
        path = address or f"/ws/user?userId={self.account['user_id']}"
        return connect(self.account["base_url"].replace("http", "ws") + path, **options)

    def extension(self, kind: str = "flow") -> AbstractContextManager[Connection]:
        """The WebSocket of an extension that works for the account."""
        account = self.account
        return self.line(f"/ws/extension?userId={account['user_id']}&token={account['jwt']}&extensionType={kind}")


def hear(line: Connection) -> dict[str, Any]:
    """The next message."""
    return json.loads(line.recv(timeout=30))


def hear_until(line: Connection, *kinds: str) -> list[dict[str, Any]]:
    """The messages up to the first of these types."""
    heard = [hear(line)]
    while heard[-1]["type"] not in kinds:
        heard.append(hear(line))
    return heard


NewGenova = Callable[..., GenovaCustomer]
