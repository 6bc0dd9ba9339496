"""Processes of a test that begin with everything imported: copies of one that has it, in milliseconds where a new one takes seconds."""

import multiprocessing
import os
import sys
from multiprocessing.connection import Connection
from typing import Self

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.preloaded"])  # the first that is started counts, so there is one list for all tests


class Program:
    """The text of a program in a process of its own, as `python -c` runs it; what still runs when the context ends is killed.

    It has this process's environment and leases. What it writes to its standard output and its standard error comes as one.
    """

    def __init__(self, text: str, *arguments: object) -> None:
        from genmedia.journal import ownership, transitions  # noqa: PLC0415 # the sandbox's own tests do without

        leases = (ownership.LEASE_SECONDS, transitions.ANSWER_SECONDS)
        given, self._told = PROCESSES.Pipe(duplex=False)
        self._said, output = PROCESSES.Pipe(duplex=False)
        self._input = open(self._told.fileno(), "w", encoding="utf-8", closefd=False)  # noqa: SIM115 # closed by `rest`
        self._output = open(self._said.fileno(), encoding="utf-8", closefd=False)  # noqa: SIM115 # closed by `__exit__`
        self.process = PROCESSES.Process(
            target=_execute, args=(text, tuple(map(str, arguments)), dict(os.environ), leases, given, output)
        )
        with given, output:
            self.process.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        with self._told, self._said, self._input, self._output:
            pass

    def tell(self, text: str) -> None:
        """Write to its standard input."""
        self._input.write(text)
        self._input.flush()

    def line(self) -> str:
        """The next line that it writes; empty once it has ended."""
        return self._output.readline()

    def rest(self) -> str:
        """Close its standard input, and wait for its end; all that it writes until then."""
        self._told.close()
        rest = self._output.read()
        self.process.join()
        return rest

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self.process.kill()
        self.process.join()


def _execute(
    text: str,
    arguments: tuple[str, ...],
    environment: dict[str, str],
    leases: tuple[float, float],
    given: Connection,
    output: Connection,
) -> None:
    """Be a `python -c` with these arguments, environment, input and output."""
    from genmedia.journal import ownership, transitions  # noqa: PLC0415 # as above

    with given, output:
        for number, opened in ((0, given), (1, output), (2, output)):
            os.dup2(opened.fileno(), number)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 # until the process ends
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["-c", *arguments]
    ownership.LEASE_SECONDS, transitions.ANSWER_SECONDS = leases
    exec(compile(text, "<program>", "exec"), {"__name__": "__main__"})
