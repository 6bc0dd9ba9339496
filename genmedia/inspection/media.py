"""What a file really is: its type by content, whether it decodes, its size and length, and a thumbnail of it.

Files from a provider are decoded in a process of their own (`genmedia.inspection.process`), low in priority, with limits on memory and
computing for each file and a deadline for all, so that a hostile or broken file hurts neither the process that waits for jobs nor the
verdict on its neighbours.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from genmedia import errors

DEADLINE_SECONDS = 120.0
AT_ONCE = 2

SUFFIXES = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/avif": "avif",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/quicktime": "mov",
    "model/gltf-binary": "glb",
    "text/plain": "txt",
}
"""The types that are kept, and the suffix each gets in the store."""


@dataclass(frozen=True)
class MediaFacts:
    """What was found in a file; None where it does not apply.

    Sizes in pixels as shown (a photo that was turned is as wide as it looks), `duration` in seconds, `fps` in frames a second, `extents`
    (width, height and depth of a model) in metres; `audio` is whether a video has sound, `mode` how a picture keeps its colours, in
    Pillow's words (`RGB`, `RGBA`, `L`, `P`, `CMYK`, `I;16`).

    Attributes:
        warnings: What is odd about a file that is sound, such as a picture with nothing on it; sentences for a person.
    """

    media_type: str
    width: int | None = None
    height: int | None = None
    duration: float | None = None
    fps: float | None = None
    frames: int | None = None
    codec: str | None = None
    triangles: int | None = None
    vertices: int | None = None
    extents: list[float] | None = None
    audio: bool | None = None
    mode: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """`image`, `video`, `model` or `text`."""
        return self.media_type.split("/")[0]

    def facts(self) -> dict[str, Any]:
        """The facts that apply, for a sidecar, which keeps warnings elsewhere."""
        return {name: value for name, value in asdict(self).items() if value is not None and name != "warnings"}


@dataclass(frozen=True)
class SmallCopy:
    """A smaller picture to be made of a file: a thumbnail, or a reference within a provider's limits.

    Attributes:
        path: Where it goes.
        side: Its longest side in pixels, at most.
        format: `WEBP` or `JPEG`.
        max_bytes: How large it may become; quality gives way.
        at: Of a video: the second that it shows; one from the middle by default.
    """

    path: Path
    side: int = 480
    format: str = "WEBP"
    max_bytes: int = 2**20
    at: float | None = None


@dataclass(frozen=True)
class Candidate:
    """A file to look at: what it should be (`image`, `video`, `model`; empty for any), and the smaller picture to make of it, if any."""

    path: Path
    kind: str = ""
    small: SmallCopy | None = None


_slots: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


async def inspect_files(
    candidates: Sequence[Candidate], *, deadline: float = DEADLINE_SECONDS
) -> list[MediaFacts | errors.MediaError]:
    """Look at files in a process of their own; each gives its facts, or the error that says what is wrong with it.

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
            "genmedia.inspection.process",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # it starts one more for each file, and all are ended together
        )
        try:
            async with asyncio.timeout(deadline):
                answer, _ = await process.communicate(json.dumps(wish, default=str).encode())
        except TimeoutError:
            return [errors.MediaLimitError(f"looking at the files took more than {deadline:g} s") for _ in candidates]
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
    if process.returncode:
        ended = "was killed" if process.returncode < 0 else "broke"
        return [
            errors.MediaLimitError(f"the process that looks at files {ended}, most likely for want of memory") for _ in candidates
        ]
    return [_verdict(item) for item in json.loads(answer)]


async def inspect_file(path: Path) -> MediaFacts:
    """Look at one file.

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
