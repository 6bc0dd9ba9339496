"""What every test has: no way out of this machine, and one sandbox for the whole run."""

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Generator
from typing import Any

import pytest

from tests.sandboxes import Sandbox, running_sandbox


class NetworkRefusedError(RuntimeError):
    """A test tried to reach another machine."""


def _check(family: int, address: Any) -> None:
    if family == socket.AF_UNIX:
        return
    host = address[0]
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback:
        message = f"a test tried to connect to {host}:{address[1]}; tests stay on loopback"
        raise NetworkRefusedError(message)


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Generator[None]:
    """Refuse every connection that leaves this machine."""

    def guarded(connect: Callable[[socket.socket, Any], Any]) -> Callable[[socket.socket, Any], Any]:
        def checked(self: socket.socket, address: Any) -> Any:
            _check(self.family, address)
            return connect(self, address)

        return checked

    async def sock_connect(self: Any, sock: socket.socket, address: Any) -> None:
        _check(sock.family, address)
        await plain_sock_connect(self, sock, address)

    plain_sock_connect: Any = asyncio.SelectorEventLoop.sock_connect
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded(socket.socket.connect))
        patch.setattr(socket.socket, "connect_ex", guarded(socket.socket.connect_ex))
        patch.setattr(asyncio.SelectorEventLoop, "sock_connect", sock_connect)
        yield


@pytest.fixture(scope="session")
def sandbox() -> Generator[Sandbox]:
    """One sandbox, fifty times as fast as the world; each test takes an account of its own from it."""
    with running_sandbox('{"clock_scale": 50, "size": 256}') as running:
        yield running


@pytest.fixture(scope="session")
def prefect() -> Generator[str]:
    """A Prefect server with an empty database; the address of its API."""
    from prefect.settings import get_current_settings  # noqa: PLC0415 # takes two seconds that most tests need not wait
    from prefect.testing.utilities import prefect_test_harness  # noqa: PLC0415

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DO_NOT_TRACK", "1")
        patch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        with prefect_test_harness(server_startup_timeout=90):
            yield str(get_current_settings().api.url)
