"""A sandbox in a process of its own, and what tests ask of it."""

import json
import os
from collections.abc import Generator
from contextlib import closing, contextmanager
from itertools import count
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from multiprocessing.reduction import DupFd
from typing import Any, TextIO

import httpx

from genmedia.sandbox.server import SandboxOptions, run
from tests.processes import PROCESSES

ACCOUNTS = f"test-{worker}-" if (worker := os.environ.get("PYTEST_XDIST_WORKER")) else "test-"
"""What the names of all accounts begin with. In other processes of the run it is something else: they share a Prefect server."""

# The server's own requests for inputs on public hosts must end on this machine: nothing listens on the discard port.
_NO_WAY_OUT = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1,localhost"}


class Sandbox:
    """A running sandbox, seen through its control plane."""

    def __init__(self, url: str, process: ForkServerProcess, output: TextIO) -> None:
        self.url = url
        assert process.pid is not None
        self.pid = process.pid
        self.process = process
        self.output = output
        # The sandbox closes connections that were idle for 5 s, which httpx would keep as long: a request could meet one that closes.
        self.http = httpx.Client(timeout=60, limits=httpx.Limits(keepalive_expiry=2))
        overview = self.http.get(f"{url}/sandbox").json()
        self.media_url: str = overview["media_url"]
        self.sample: str = overview["links"]["sample_photo"]
        self._numbers = count(1)

    def new_account(self, provider: str = "flora", **options: Any) -> dict[str, Any]:
        """A fresh account with the given credits, settings, switches."""
        return self.control("POST", "/accounts", {"provider": provider, "account": f"{ACCOUNTS}{next(self._numbers)}", **options})

    def fault(self, account: dict[str, Any], kind: str, **arguments: Any) -> str:
        """Script a fault for one account."""
        order = {"provider": account["provider"], "account": account["account"], "kind": kind, **arguments}
        return self.control("POST", "/faults", order)["id"]

    def jobs(self, account: dict[str, Any]) -> list[dict[str, Any]]:
        """The jobs the account's provider ever accepted from it."""
        return self.control("GET", f"/jobs?provider={account['provider']}&account={account['account']}")

    def account(self, account: dict[str, Any]) -> dict[str, Any]:
        """The account as it stands now."""
        return next(
            now
            for now in self.control("GET", "/accounts")
            if (now["provider"], now["account"]) == (account["provider"], account["account"])
        )

    def requests(self, account: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """The request counts, of one account or of all."""
        counts = self.control("GET", "/requests")["counts"]
        return [line for line in counts if account is None or line["account"] == account["account"]]

    def leaked(self, account: dict[str, Any] | None = None) -> int:
        """How many requests carried a credential to the media origin: this account's, or any."""
        found = self.control("GET", "/requests")
        if account is None:
            return found["leaked_total"]
        mine = (account["provider"], account["account"])
        return sum(one["count"] for one in found["leaked_credentials"] if (one["provider"], one["account"]) == mine)

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask the control plane; an error answer raises."""
        response = self.http.request(method, f"{self.url}/sandbox{path}", json=body)
        response.raise_for_status()
        return response.json() if response.content else None


@contextmanager
def running_sandbox(options: str = "{}") -> Generator[Sandbox]:
    """Start a sandbox, on free ports by default, and end it afterwards; `options` is JSON for SandboxOptions."""
    said, output = PROCESSES.Pipe(duplex=False)
    with open(said.fileno(), encoding="utf-8", closefd=False) as lines, said:
        process = PROCESSES.Process(target=_serve, args=(options, {**os.environ, **_NO_WAY_OUT}, output, DupFd(2)))
        process.start()
        output.close()
        try:
            ready = lines.readline()
            assert ready.startswith("sandbox ready: "), ready
            sandbox = Sandbox(ready.removeprefix("sandbox ready: ").strip(), process, lines)
            with closing(sandbox.http):
                yield sandbox
        finally:
            process.terminate()
            process.join(timeout=10)


def _serve(options: str, environment: dict[str, str], output: Connection, errors: Any) -> None:
    """Be a sandbox with this environment, output and standard error."""
    os.dup2(output.fileno(), 1)
    os.dup2(errors.detach(), 2)
    os.environ.clear()
    os.environ.update(environment)
    wished: dict[str, Any] = {"port": 0, **json.loads(options)}
    run(SandboxOptions(**wished))
