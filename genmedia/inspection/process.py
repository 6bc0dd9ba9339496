"""The process that looks into files: reads what to look at from standard input, writes what it found to standard output.

Run by `genmedia.inspection.media`; it never runs in the process that waits for jobs. Each file is looked at in a child of its own: what
one file breaks or uses up is not missed by the next.
"""

import json
import os
import re
import resource
import signal
import stat
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import puremagic
from PIL import AvifImagePlugin, Image

from genmedia import errors
from genmedia.inspection.media import SUFFIXES, MediaFacts, SmallCopy
from genmedia.inspection.pictures import look_at_picture

MEMORY_BYTES = 284 * 2**20
"""What looking at one file may allocate: with the libraries it stays below 300 MiB."""
CPU_SECONDS = 20
"""What looking at one file may compute. A large sound model takes a few seconds."""


def _look(candidate: dict[str, Any]) -> dict[str, Any]:
    path = Path(candidate["path"])
    small = SmallCopy(**candidate["small"]) if candidate["small"] else None
    try:
        return asdict(_facts(path, candidate["kind"], small))
    except errors.MediaError as error:
        return _error(error)
    except MemoryError:
        return _error(errors.MediaLimitError("decoding it takes more memory than allowed"))


def _error(error: errors.MediaError) -> dict[str, Any]:
    return {"error": type(error).__name__, "what": error.what}


def _facts(path: Path, expected: str, small: SmallCopy | None) -> MediaFacts:
    media_type = _sniff(path)
    kind = media_type.split("/")[0]
    if expected and kind != expected:
        raise errors.MediaTypeError(f"it should be {_a(expected)}, but its content is {media_type}")
    if media_type not in SUFFIXES or kind == "text":
        raise errors.MediaTypeError(f"its content is {media_type}, which is not kept")
    # What is not a picture is read with libraries that double the start of this process.
    if kind == "video":
        from genmedia.inspection.videos import look_at_video  # noqa: PLC0415 - see above

        return look_at_video(path, media_type, small)
    if kind == "model":
        from genmedia.inspection.model_files import look_at_model  # noqa: PLC0415 - see above

        return look_at_model(path, media_type, small)
    return look_at_picture(path, media_type, small)


def _sniff(path: Path) -> str:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe waits, and a device has no end
            raise errors.MediaTypeError("it is a folder" if path.is_dir() else "it is a pipe, a socket or a device, not a file")
        with path.open("rb") as file:
            start = file.read(2**16)
    except (OSError, ValueError) as error:
        raise errors.DamagedMediaError(f"it cannot be read: {getattr(error, 'strerror', error)}") from None
    try:
        matches: list[Any] = puremagic.magic_string(start)
    except (puremagic.PureError, ValueError):
        matches = []
    found = [str(match.mime_type) for match in matches if match.mime_type] or _brands(start)
    if start.startswith(b"glTF"):
        return "model/gltf-binary"  # puremagic knows the first version of it
    if start.startswith(b"\x1aE\xdf\xa3") and b"webm" not in start[:64]:
        return "video/x-matroska"  # WebM is the part of it that browsers play
    return next((name for name in found if name in SUFFIXES), found[0] if found else "of no known type" if start else "empty")


def _brands(start: bytes) -> list[str]:
    """What an ISO media file says it is; puremagic knows few of the major brands and none of the compatible ones."""
    if start[4:8] != b"ftyp":
        return []
    brands = start[8 : int.from_bytes(start[:4])]
    return ["image/avif"] if b"avif" in brands else ["video/mp4"] if re.search(rb"iso.|mp4\d|avc1|dash", brands) else []


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _look_alone(candidate: dict[str, Any]) -> dict[str, Any]:
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        with os.fdopen(writer, "w") as answer:
            json.dump(_look(candidate), answer)
        sys.exit()
    os.close(writer)
    with os.fdopen(reader) as answer:
        told = answer.read()
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if ended == -signal.SIGXCPU:
        return _error(errors.MediaLimitError(f"looking at it takes more than {CPU_SECONDS} s of computing"))
    if ended < 0:
        return _error(errors.MediaLimitError("the process that looked at it was killed, most likely for want of memory"))
    return json.loads(told) if not ended else _error(errors.DamagedMediaError("the process that looked at it broke"))


def _main() -> None:
    Image.MAX_IMAGE_PIXELS = None  # ours is lower than Pillow's own limit, and says so in our words
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # numpy's: each thread sets memory aside
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # when whoever asked was killed, nobody wants to hear of it
    os.nice(5)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    wish = cast("list[dict[str, Any]]", json.load(sys.stdin))
    json.dump([_look_alone(candidate) for candidate in wish], sys.stdout)


if __name__ == "__main__":
    _main()
