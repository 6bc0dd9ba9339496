"""Inspection of files: media type by content, decoding, dimensions and duration, and a thumbnail.

Files from a provider are decoded in a process of their own (`genmedia.media.worker`), low in priority, with limits on memory and
computing for each file and a deadline for all, so that a hostile or broken file harms neither the process that waits for jobs nor the
verdict on another file.
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
"""Environment variables that the process that decodes files gets: they tell where programs and libraries are, and contain no key."""

_slots: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


async def inspect_files(
    candidates: Sequence[Candidate], *, deadline: float = DEADLINE_SECONDS
) -> list[MediaFacts | errors.MediaError]:
    """Inspect files in a process of their own; return for each, in order, its facts or the error that names its fault.

    Args:
        candidates: The files.
        deadline: Longest time for all files together, in seconds; then the process is ended, and each result is a `MediaLimitError`.
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
            start_new_session=True,  # it starts a child for each file, and all are ended together
        )
        try:
            async with asyncio.timeout(deadline):
                answer, _ = await process.communicate(json.dumps(wish, default=str, allow_nan=False).encode())
        except TimeoutError:
            return [errors.MediaLimitError(f"looking at the files took more than {deadline:g} s") for _ in candidates]
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):  # it may have ended just now; the first error must not be replaced
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
        MediaError: The file is not sound, or of a type that is not taken.
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
