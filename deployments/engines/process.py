"""A program that runs beside this one until it is ended."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from genmedia.cli.services import signal_group, uninterrupted


class Process:
    """A program in a session of its own: Ctrl-C does not reach it, and it is ended in the order of who started it.

    Args:
        name: Its name for people.
        command: Its command line.
        log: The file that its output is added to.
        environment: Variables that are added to this process's environment.
        folder: Its working directory; that of this process by default.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._environment = environment or {}
        self._folder = folder
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its number; 0 before it is started."""
        return self._running.pid if self._running else 0

    @property
    def ended(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self._running.poll() if self._running else 0

    def start(self) -> None:
        """Start it, also again after it has ended."""
        with self.log.open("ab") as log, uninterrupted():
            self._running = subprocess.Popen(  # noqa: S603 # our own commands
                self._command,
                cwd=self._folder,
                env={**os.environ, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                umask=0o077,
                start_new_session=True,
            )

    def stop(self, seconds: float = 10.0) -> None:
        """End it: by SIGTERM, and by SIGKILL when it takes longer than this."""
        if self._running is None or self._running.poll() is not None:
            return
        signal_group(self.pid, signal.SIGTERM)
        try:
            self._running.wait(seconds)
        except subprocess.TimeoutExpired:
            signal_group(self.pid, signal.SIGKILL)
            self._running.wait()
