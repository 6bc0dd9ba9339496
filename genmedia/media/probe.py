"""Inspects files: type by content, whether they decode, dimensions and duration, and a thumbnail.

Files from a provider are decoded in a process of their own (`genmedia.media.worker`), low in priority, with limits on memory and
computing for each file and a deadline for all, so that a hostile or broken file hurts neither the process that waits for jobs nor the
verdict on its neighbours.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from genmedia import errors
from genmedia.media.facts import Candidate, MediaFacts

DEADLINE_SECONDS = 120.0
AT_ONCE = 2

SURROUNDINGS = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME")
"""The environment variables that a process that decodes strangers' files gets: where programs and libraries are. No key stands there."""

_slots: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


async def inspect_files(
    candidates: Sequence[Candidate], *, deadline: float = DEADLINE_SECONDS
) -> list[MediaFacts | errors.MediaError]:
    """Inspect files in a process of their own; returns for each, in order, its facts or the error that says what is wrong with it.

    Args:
        candidates: The files.
        deadline: Seconds for all of them together; then the process is ended and every file counts as too costly.
    """
    wish = [asdict(candidate) for candidate in candidates]
    slot = _slots.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE))
    async with slot:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "genmedia.media.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={name: os.environ[name] for name in SURROUNDINGS if name in os.environ},
            start_new_session=True,  # it starts one more for each file, and all are ended together
        )
        try:
            async with asyncio.timeout(deadline):
                answer, _ = await process.communicate(json.dumps(wish, default=str, allow_nan=False).encode())
        except TimeoutError:
            return [errors.MediaLimitError(f"looking at the files took more than {deadline:g} s") for _ in candidates]
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):  # it may have ended just now; that hides nothing of why it was to end
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
    if process.returncode:
        ended = "was killed" if process.returncode < 0 else "broke"
        return [
            errors.MediaLimitError(f"the process that looks at files {ended}, most likely for want of memory") for _ in candidates
        ]
    return [_verdict(item) for item in json.loads(answer)]


async def inspect_file(path: Path) -> MediaFacts:
    """Inspect one file in a process of its own.

    Raises:
        MediaError: What is wrong with it.
    """
    (verdict,) = await inspect_files([Candidate(path)])
    if isinstance(verdict, errors.MediaError):
        raise verdict
    return verdict


def _verdict(item: dict[str, Any]) -> MediaFacts | errors.MediaError:
    if "error" in item:
        return getattr(errors, item["error"])(item["what"])
    item["warnings"] = tuple(item["warnings"])
    return MediaFacts(**item)
