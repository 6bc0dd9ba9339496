"""A machine with `make up`, and what people on it do in a browser."""

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, expect

from tests.checkouts import make_checkout
from tests.end_to_end.project.test_up import answered, up, wait_for


@dataclass(frozen=True)
class Office:
    """A machine with `make up`, and the folders of a producer on it."""

    addresses: dict[str, str]
    checkout: Path
    folder: Path

    @property
    def delivered(self) -> Path:
        return self.folder / "delivered"

    def ask(self, path: str, body: Any) -> Any:
        user, _, password = self.addresses["Password"].partition(":")
        address = f"{self.addresses['Prefect']}/api{path}"
        return httpx.post(address, json=body, auth=(user, password), timeout=60).raise_for_status().json()

    def wait(self, run: str, *names: str) -> dict[str, Any]:
        """Wait until a run is in a state of one of these names; returns the state."""

        def state() -> dict[str, Any] | None:
            address = f"{self.addresses['Prefect']}/api/flow_runs/{run}"
            found = answered("GET", address, self.addresses["Password"])["state"]
            assert found["type"] not in ("FAILED", "CRASHED"), found
            return found if found["name"] in names else None

        return wait_for(f"{' or '.join(names)} of the run", 240, state)

    @property
    def prompts(self) -> Counter[str]:
        """The prompts of all that was bought."""
        jobs = httpx.get(f"{self.addresses['Sandbox']}/jobs?provider=genova", timeout=60).raise_for_status().json()
        return Counter(job["request"]["prompt"] for job in jobs)

    def files_of(self, edition: str) -> set[str]:
        """What is in the delivery of an edition, without its lists."""
        place = self.delivered / edition
        return {
            str(file.relative_to(place)) for file in place.glob("*/*") if file.is_file() and not file.parts[-2].startswith(".")
        }

    def sign_in(self, page: Page) -> None:
        """Open Prefect's page of the deployments."""
        page.goto(f"{self.addresses['Prefect']}/v2/deployments")
        page.locator("input[type=password]").fill(self.addresses["Password"])
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name="product-set", exact=True)).to_be_visible(timeout=60_000)


@contextmanager
def open_office(folder: Path) -> Generator[Office]:
    """A machine whose Genova in the sandbox is quick, with its state in a folder."""
    checkout = make_checkout(folder / "checkout")
    with up(checkout, folder / "log") as (_, addresses):
        quick = {"provider": "genova", "account": "default", "settings": {"queue": [0, 0], "run": [0.5, 0.5]}}
        httpx.post(f"{addresses['Sandbox']}/accounts", json=quick, timeout=60).raise_for_status()
        yield Office(addresses, checkout, folder)
