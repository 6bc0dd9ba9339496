"""A Redis server on this machine, on 127.0.0.1 only, that keeps nothing on the disk (Debian: apt-get install redis-server)."""

import shutil
import socket
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

from deployments.engines.ports import free_port
from deployments.engines.process import Process

PROGRAM = "redis-server"
READY_SECONDS = 30.0


def is_installed() -> bool:
    """True if there is a server to start."""
    return shutil.which(PROGRAM) is not None


class Redis:
    """A server on a port of its own.

    Args:
        folder: Folder for its settings and its log.
        password: What it asks for.
    """

    def __init__(self, folder: Path, password: str) -> None:
        self._port = free_port()
        self._password = password
        settings = folder / "redis.conf"
        settings.touch(mode=0o600)  # a password on the command line is seen by everybody
        settings.write_text(f'bind 127.0.0.1\nport {self._port}\nrequirepass {password}\nsave ""\ndir {folder}\n')
        self._process = Process("Redis", [PROGRAM, str(settings)], folder / "redis.log")

    @property
    def url(self) -> str:
        """Its address, in which the password stands."""
        return f"redis://default:{self._password}@127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            RuntimeError: It did not start.
        """
        self._process.start()
        end = monotonic() + READY_SECONDS
        while monotonic() < end and self._process.ended is None:
            if self._answers():
                return
            sleep(0.05)
        raise RuntimeError(f"{PROGRAM} did not start; see {self._process.log}")

    def stop(self) -> None:
        """End it."""
        self._process.stop()

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), timeout=2) as asked:
            asked.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
            with asked.makefile("rb") as answers:
                return [answers.readline(), answers.readline()] == [b"+OK\r\n", b"+PONG\r\n"]
        return False
