"""A command on a terminal of its own, as a person types it."""

import os
import pty
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from select import select


class Terminal:
    """A command that runs on a pseudo-terminal, and all that it has shown."""

    def __init__(self, process: int, terminal: int) -> None:
        self.process = process
        self.shown = ""
        self._terminal = terminal

    def read_until(self, words: str) -> None:
        """Wait until the words are on the screen; a command that ends without them fails the test."""
        while words not in self.shown:
            assert self._read(), self.shown

    def type(self, keys: str) -> None:
        """Press keys; Ctrl-C is \\x03."""
        os.write(self._terminal, keys.encode())

    def end(self) -> int:
        """Wait for its end; the exit code."""
        while self._read():
            pass
        _, status = os.waitpid(self.process, 0)
        self.process = 0
        return os.waitstatus_to_exitcode(status)

    def _read(self) -> bool:
        select([self._terminal], [], [])
        try:
            read = os.read(self._terminal, 65536)
        except OSError:  # Linux's way to say that nobody is at the other end
            return False
        self.shown += read.decode("utf-8", "replace")
        return bool(read)


@contextmanager
def terminal(*arguments: str, cwd: Path | str, **environment: str) -> Generator[Terminal]:
    """Run `genmedia` with arguments on a terminal; it is killed if it still runs at the end."""
    process, own = pty.fork()
    if process == 0:
        os.chdir(cwd)
        os.execve(sys.executable, [sys.executable, "-m", "genmedia", *arguments], {**os.environ, "TERM": "xterm", **environment})
    started = Terminal(process, own)
    try:
        yield started
    finally:
        if started.process:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
        os.close(own)
