"""Inspection of files (media type by content, decoding, dimensions and duration, a thumbnail), and files made of others.

Files from a provider are decoded in processes of their own (`genmedia.media.worker`), low in priority, with limits on memory and
computing for each file and a deadline for all, so that a hostile or broken file harms neither the process that waits for jobs nor the
verdict on another file. One such process is kept alive and forks for each request: to start Python anew takes longer than to look. Where the
system has no fork, each file gets a new process all the same.
"""

import asyncio
import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from genmedia import errors
from genmedia.media.facts import Candidate, MediaFacts
from genmedia.media.making import Making

DEADLINE_SECONDS = 120.0
AT_ONCE = 2
MAKING_SECONDS = 3600.0
MAKING_AT_ONCE = 2

SURROUNDINGS = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME")
"""Environment variables that the process that decodes files gets: they tell where programs and libraries are, and contain no key."""


class WorkerProcess:
    """The process that inspects files for this one: started with the first file, and again where it is gone."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._turn = threading.RLock()  # event loops of several threads may ask

    def ask(self) -> socket.socket:
        """Return a socket at whose other end a new fork of the process answers; nothing comes from it if none could be started."""
        ours, theirs = socket.socketpair()
        with theirs, self._turn:
            if not self._send(theirs):
                self._start()
                self._send(theirs)
        return ours

    def end(self) -> None:
        """End the process; what it has forked goes on. The next file starts another."""
        with self._turn:
            if self._control:
                self._control.close()
                self._control = None
            if self.process:
                self.process.kill()
                self.process.wait()
                self.process = None

    def _send(self, theirs: socket.socket) -> bool:
        if not self._control:
            return False
        try:
            socket.send_fds(self._control, [b"."], [theirs.fileno()])
        except OSError:  # it is gone
            return False
        return True

    def _start(self) -> None:
        self.end()
        self._control, inherited = socket.socketpair()
        with inherited:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "genmedia.media.worker"],
                stdin=inherited.fileno(),
                stdout=subprocess.DEVNULL,
                env=_surroundings(),
                start_new_session=True,  # Ctrl-C is for the process that asks
            )


def _surroundings() -> dict[str, str]:
    return {name: os.environ[name] for name in SURROUNDINGS if name in os.environ}


WORKER = WorkerProcess()
atexit.register(WORKER.end)
_slots: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
_making_slots: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
"""Those for making files, which may take minutes: files that come in are inspected meanwhile."""


async def inspect_files(
    candidates: Sequence[Candidate], *, deadline: float = DEADLINE_SECONDS
) -> list[MediaFacts | errors.MediaError]:
    """Inspect files in a process of their own; return for each, in order, its facts or the error that names its fault.

    Args:
        candidates: The files.
        deadline: Longest time for all files together, in seconds; then the process is ended, and each result is a `MediaLimitError`.
    """
    wish = [asdict(candidate) for candidate in candidates]
    try:
        async with _slots.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE)):
            items = await _worked_on(wish, deadline)
    except TimeoutError:
        return [errors.MediaLimitError(f"looking at the files took more than {deadline:g} s") for _ in candidates]
    return [_verdict(item) for item in items]


async def make_file(making: Making, *, deadline: float = MAKING_SECONDS) -> None:
    """Make a file of others in a process of its own.

    Args:
        making: What is made, of what, and where.
        deadline: Longest time, in seconds; then the process is ended.

    Raises:
        MediaError: An input is not sound or of the wrong kind, what is asked for cannot be made of it, or it takes too much.
    """
    try:
        async with _making_slots.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(MAKING_AT_ONCE)):
            (item,) = await _worked_on([asdict(making)], deadline)
    except TimeoutError:
        raise errors.MediaLimitError(f"making it took more than {deadline:g} s") from None
    if "error" in item:
        raise _error(item)


async def _worked_on(wish: list[dict[str, Any]], deadline: float) -> list[dict[str, Any]]:
    """Return what the process that inspects and makes files says of each.

    Raises:
        TimeoutError: It took longer than the deadline, in seconds.
    """
    return await (_ask(wish, deadline) if hasattr(os, "fork") else _ask_new_processes(wish, deadline))


async def _ask(wish: list[dict[str, Any]], deadline: float) -> list[dict[str, Any]]:
    """Return what a fork of the process that is kept says of each file.

    Raises:
        TimeoutError: It took longer than the deadline, in seconds.
    """
    process, answer = 0, b""
    reader, writer = await asyncio.open_unix_connection(sock=WORKER.ask())
    try:
        async with asyncio.timeout(deadline):
            writer.write(_written(wish))
            writer.write_eof()
            process = int(await reader.readline() or 0)
            answer = await reader.read()
    except TimeoutError:
        if not process:  # it does not answer at all, and would not answer for the next file
            WORKER.end()
        raise
    except ConnectionError:  # it ended before it had read all
        pass
    finally:
        writer.close()
        if process and not reader.at_eof():
            with suppress(ProcessLookupError):  # it may have ended just now; the first error must not be replaced
                os.killpg(process, signal.SIGKILL)
    return _read(answer, wish)


async def _ask_new_processes(wish: list[dict[str, Any]], deadline: float) -> list[dict[str, Any]]:
    """Return what a new process for each file says of it; that takes several times as long as a fork.

    Raises:
        TimeoutError: All took longer than the deadline, in seconds.
    """
    items: list[dict[str, Any]] = []
    async with asyncio.timeout(deadline):
        for one in wish:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "genmedia.media.worker", "alone"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_surroundings(),
                start_new_session=True,
            )
            try:
                answer, _ = await process.communicate(_written(one))
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
            items += _read(answer, [one])
    return items


def _written(wish: Any) -> bytes:
    return json.dumps(wish, default=_absolute, allow_nan=False).encode()


def _read(answer: bytes, wish: list[dict[str, Any]]) -> list[dict[str, Any]]:
    try:
        return json.loads(answer)
    except ValueError:
        broke = "the process that works on files was killed or broke, most likely for want of memory"
        return [{"error": "MediaLimitError", "what": broke} for _ in wish]


async def inspect_file(path: Path) -> MediaFacts:
    """Inspect one file in a process of its own.

    Raises:
        MediaError: The file is not sound, or of a type that is not taken.
    """
    (verdict,) = await inspect_files([Candidate(path)])
    if isinstance(verdict, errors.MediaError):
        raise verdict
    return verdict


def _verdict(item: dict[str, Any]) -> MediaFacts | errors.MediaError:
    if "error" in item:
        return _error(item)
    item["warnings"] = tuple(item["warnings"])
    return MediaFacts(**item)


def _error(item: dict[str, Any]) -> errors.MediaError:
    return getattr(errors, item["error"])(item["what"])


def _absolute(path: Path) -> str:
    """Return a path as the process that inspects files finds it, whose working directory may be another one."""
    return str(path.absolute())
