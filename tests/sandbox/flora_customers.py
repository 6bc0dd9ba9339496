"""A customer of the sandbox's FLORA, over real HTTP."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.sandboxes import Sandbox


class FloraCustomer:
    """One account and a client that carries its key."""

    def __init__(self, sandbox: Sandbox, account: dict[str, Any], http: httpx.Client) -> None:
        self.sandbox = sandbox
        self.account = account
        self.http = http

    def order(self, value: str | None = None, **body: Any) -> dict[str, Any]:
        """The body of a portrait-enhancer run."""
        picture = {"id": "input_image", "type": "imageUrl", "value": value or self.sandbox.sample}
        return {"inputs": [picture], "mode": "async", **body}

    def create(self, value: str | None = None, *, slug: str = "portrait-enhancer", **body: Any) -> httpx.Response:
        """Buy a run with one input picture."""
        return self.http.post(f"/api/v1/techniques/{slug}/runs", json=self.order(value, **body))

    def run(self, value: str | None = None, **body: Any) -> dict[str, Any]:
        """Buy a run and return the accepted answer."""
        response = self.create(value, **body)
        assert response.status_code == 201, response.text
        return response.json()

    def poll(self, run: dict[str, Any]) -> dict[str, Any]:
        """Look at a run once."""
        response = self.http.get(run.get("pollUrl") or run["poll_url"])
        assert response.status_code == 200, response.text
        return response.json()

    def finish(self, run: dict[str, Any]) -> dict[str, Any]:
        """Look until the run has ended; in looks mode that is a handful of looks."""
        for _ in range(20):
            shown = self.poll(run)
            if shown["status"] in {"completed", "failed"}:
                return shown
        pytest.fail("it never ends")


NewFlora = Callable[..., FloraCustomer]
