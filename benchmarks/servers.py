"""What benchmarks run against on this machine: a sandbox, a Prefect server, PostgreSQL; and what they ask of a sandbox."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from benchmarks.figures import MissingError
from deployments.engines import postgres as engine
from tests.databases import Postgres
from tests.prefects import running_prefect

MEDIA = ("/files/", "/uploads/")
"""Routes of the media origin, which no plan counts."""
_SANDBOX = (
    "import sys, json; from genmedia.sandbox.server import SandboxOptions, run; run(SandboxOptions(**json.loads(sys.argv[1])))"
)


@contextmanager
def sandbox(**options: Any) -> Generator[str]:
    """Run a sandbox on free ports; yields its address. `options` are those of `SandboxOptions`."""
    words = [sys.executable, "-c", _SANDBOX, json.dumps({"port": 0, **options})]
    server = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert server.stdout is not None
        ready = server.stdout.readline().split()
        if not ready:
            raise RuntimeError("the sandbox did not start")
        yield ready[-1]
    finally:
        server.terminate()
        server.wait()


@contextmanager
def prefect() -> Generator[Mapping[str, Any]]:
    """Run a Prefect server; yields the number of its process, and the environment of programs that report to it."""
    with (
        TemporaryDirectory(prefix="genmedia-bench-prefect-", ignore_cleanup_errors=True) as folder,
        running_prefect(Path(folder)) as server,
    ):
        process = json.loads((Path(folder) / "services" / "prefect.json").read_text(encoding="utf-8"))["pid"]
        env = {"PREFECT_API_URL": server.api, "PREFECT_HOME": f"{folder}/client", "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "false"}
        yield {"prefect": process, "env": env}


@contextmanager
def postgres() -> Generator[str]:
    """Run a PostgreSQL server; yields its folder, of which `tests.databases.Postgres` makes new journals.

    Raises:
        MissingError: It is not installed.
    """
    if not engine.programs():
        raise MissingError("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    with TemporaryDirectory(prefix="genmedia-bench-postgres-", ignore_cleanup_errors=True) as folder:
        server = Postgres(Path(folder))
        try:
            yield folder
        finally:
            server.stop()


def _counts(url: str) -> list[dict[str, Any]]:
    """What arrived at a sandbox, by provider, account, method, route and status of the answer."""
    return httpx.get(f"{url}/sandbox/requests", timeout=60).raise_for_status().json()["counts"]


def sockets(url: str, provider: str) -> int:
    """Number of sockets that were opened at a provider of a sandbox, by whatever account."""
    return sum(line["count"] for line in _counts(url) if (line["provider"], line["method"]) == (provider, "WS"))


@dataclass(frozen=True)
class Customer:
    """An account of a sandbox.

    Attributes:
        url: Address of the sandbox.
        shown: The account as the control plane shows it.
    """

    url: str
    shown: Mapping[str, Any]

    @classmethod
    def open(cls, url: str, provider: str, **options: Any) -> "Customer":
        """Make a new account with these credits, plan, settings and switches."""
        order = {"provider": provider, **options}
        return cls(url, httpx.post(f"{url}/sandbox/accounts", json=order, timeout=60).raise_for_status().json())

    @property
    def jobs(self) -> list[dict[str, Any]]:
        """Every job that it has bought, with the times of its life by the sandbox's clock."""
        which = {"provider": self.shown["provider"], "account": self.shown["account"]}
        return httpx.get(f"{self.url}/sandbox/jobs", params=which, timeout=60).raise_for_status().json()

    @property
    def requests(self) -> Counter[tuple[str, str, int]]:
        """Number of its requests by method, route and status of the answer, without those to the media origin."""
        mine = (self.shown["provider"], self.shown["account"])
        found: Counter[tuple[str, str, int]] = Counter()
        for line in _counts(self.url):
            if (line["provider"], line["account"]) == mine and not line["route"].startswith(MEDIA):
                found[line["method"], line["route"], line["status"]] += line["count"]
        return found

    def asked(self, *routes: str) -> int:
        """Number of its GET requests to these routes."""
        return sum(number for (method, route, _), number in self.requests.items() if method == "GET" and route in routes)

    @property
    def refused(self) -> int:
        """Number of its requests that were answered with 429."""
        return sum(number for (_, _, status), number in self.requests.items() if status == 429)
