"""Ports for servers that are started here."""

import random
import socket

PORTS = range(20_000, 32_768)
"""Below those that Linux gives to connections that go out (`net.ipv4.ip_local_port_range`): none of them takes one before its server does."""


def free_port() -> int:
    """A port that nobody listens at; two processes that ask at the same time get two."""
    while True:
        port = random.choice(PORTS)  # noqa: S311 # no secret hangs on it
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
