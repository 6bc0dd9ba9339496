"""Customers, a photograph, and a sandbox of one's own."""

from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.sandbox.flora_customers import FloraCustomer, NewFlora
from tests.sandbox.generio_customers import GenerioCustomer, NewGenerio
from tests.sandbox.genova_customers import GenovaCustomer, NewGenova
from tests.sandboxes import Sandbox, running_sandbox


@pytest.fixture
def new_flora(sandbox: Sandbox) -> Generator[NewFlora]:
    """Opens accounts whose jobs move by looks."""
    with ExitStack() as stack:

        def opened(*, settings: dict[str, Any] | None = None, **options: Any) -> FloraCustomer:
            account = sandbox.new_account(settings={"advance": "looks", **(settings or {})}, **options)
            http = stack.enter_context(
                httpx.Client(base_url=account["base_url"], headers={"authorization": f"Bearer {account['api_key']}"}, timeout=60)
            )
            return FloraCustomer(sandbox, account, http)

        yield opened


@pytest.fixture
def flora(new_flora: NewFlora) -> FloraCustomer:
    """A customer with nothing special."""
    return new_flora()


@pytest.fixture
def new_genova(sandbox: Sandbox) -> Generator[NewGenova]:
    """Opens accounts at Genova whose jobs move by looks."""
    with ExitStack() as stack:

        def opened(*, settings: dict[str, Any] | None = None, at: Sandbox = sandbox, **options: Any) -> GenovaCustomer:
            account = at.new_account("genova", settings={"advance": "looks", **(settings or {})}, **options)
            http = httpx.Client(base_url=account["base_url"], headers={"x-api-key": account["api_key"]}, timeout=60)
            return GenovaCustomer(at, account, stack.enter_context(http))

        yield opened


@pytest.fixture
def genova(new_genova: NewGenova) -> GenovaCustomer:
    """A customer with nothing special."""
    return new_genova()


@pytest.fixture
def new_generio(sandbox: Sandbox) -> Generator[NewGenerio]:
    """Opens accounts at Generio whose flows move by looks."""
    with ExitStack() as stack:

        def opened(*, settings: dict[str, Any] | None = None, at: Sandbox = sandbox, **options: Any) -> GenerioCustomer:
            account = at.new_account("generio", settings={"advance": "looks", **(settings or {})}, **options)
            headers = {"authorization": f"Bearer {account['api_key']}"}
            http = httpx.Client(base_url=account["base_url"], headers=headers, timeout=60)
            return GenerioCustomer(at, account, stack.enter_context(http))

        yield opened


@pytest.fixture
def generio(new_generio: NewGenerio) -> GenerioCustomer:
    """A customer with nothing special."""
    return new_generio()


@pytest.fixture
def photo() -> bytes:
    """A photograph's bytes."""
    return (Path(__file__).parents[2] / "photos" / "coffee.jpg").read_bytes()


@pytest.fixture(scope="session")
def spare_sandbox() -> Generator[Sandbox]:
    """A sandbox beside that of all tests, for one test at a time."""
    with running_sandbox('{"size": 256}') as running:
        yield running


@pytest.fixture
def own_sandbox(spare_sandbox: Sandbox) -> Sandbox:
    """A sandbox of the test's own, as it is at its start, for what concerns all accounts: clock, reset, counts."""
    spare_sandbox.control("POST", "/reset")
    return spare_sandbox
