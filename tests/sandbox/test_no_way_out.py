import asyncio
import socket

import httpx
import pytest

OUTSIDE = "192.0.2.1"  # RFC 5737: reserved for documentation, so nothing would answer


def test_a_socket_cannot_leave_this_machine() -> None:
    with socket.socket() as sock:
        with pytest.raises(RuntimeError, match="tests stay on loopback"):
            sock.connect((OUTSIDE, 80))
        with pytest.raises(RuntimeError, match="tests stay on loopback"):
            sock.connect_ex((OUTSIDE, 80))


async def test_asyncio_cannot_leave_this_machine_either() -> None:
    with pytest.raises(RuntimeError, match="tests stay on loopback"):
        await asyncio.open_connection(OUTSIDE, 80)


async def test_an_http_client_cannot_leave_this_machine_either() -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.RaisesGroup(pytest.RaisesExc(RuntimeError, match="tests stay on loopback")):
            await client.get(f"http://{OUTSIDE}/")
