"""Customers, a photograph, and a sandbox of one's own."""

from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.sandbox.buyers import Buyer, BuyerFactory
from tests.sandbox.customers import Customer, CustomerFactory
from tests.sandbox.makers import Maker, MakerFactory
from tests.sandboxes import Sandbox, running_sandbox


@pytest.fixture
def customer(sandbox: Sandbox) -> Generator[CustomerFactory]:
    """Opens accounts whose jobs move by looks."""
    with ExitStack() as stack:

        def opened(*, settings: dict[str, Any] | None = None, **options: Any) -> Customer:
            account = sandbox.new_account(settings={"advance": "looks", **(settings or {})}, **options)
            http = stack.enter_context(
                httpx.Client(base_url=account["base_url"], headers={"authorization": f"Bearer {account['api_key']}"}, timeout=60)
            )
            return Customer(sandbox, account, http)

        yield opened


@pytest.fixture
def flora(customer: CustomerFactory) -> Customer:
    """A customer with nothing special."""
    return customer()


@pytest.fixture
def buyer(sandbox: Sandbox) -> Generator[BuyerFactory]:
    """Opens accounts at Genova whose jobs move by looks."""
    with ExitStack() as stack:

        def opened(*, settings: dict[str, Any] | None = None, at: Sandbox = sandbox, **options: Any) -> Buyer:
            account = at.new_account("genova", settings={"advance": "looks", **(settings or {})}, **options)
            http = httpx.Client(base_url=account["base_url"], headers={"x-api-key": account["api_key"]}, timeout=60)
            return Buyer(at, account, stack.enter_context(http))

        yield opened


@pytest.fixture
def genova(buyer: BuyerFactory) -> Buyer:
    """A buyer with nothing special."""
    return buyer()


@pytest.fixture
def maker(sandbox: Sandbox) -> Generator[MakerFactory]:
    """Opens accounts at Generio whose flows move by looks."""
    with ExitStack() as stack:

        def opened(*, settings: dict[str, Any] | None = None, at: Sandbox = sandbox, **options: Any) -> Maker:
            account = at.new_account("generio", settings={"advance": "looks", **(settings or {})}, **options)
            headers = {"authorization": f"Bearer {account['api_key']}"}
            http = httpx.Client(base_url=account["base_url"], headers=headers, timeout=60)
            return Maker(at, account, stack.enter_context(http))

        yield opened


@pytest.fixture
def generio(maker: MakerFactory) -> Maker:
    """A maker with nothing special."""
    return maker()


@pytest.fixture
def photo() -> bytes:
    """A photograph's bytes."""
    return (Path(__file__).parents[2] / "photos" / "coffee.jpg").read_bytes()


@pytest.fixture
def own_sandbox() -> Generator[Sandbox]:
    """A sandbox of the test's own, for what concerns all accounts: clock, reset, options."""
    with running_sandbox('{"size": 256}') as running:
        yield running
