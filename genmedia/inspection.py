"""The process that looks into files: reads what to look at from standard input, writes what it found to standard output.

Run by `genmedia.media`; it never runs in the process that waits for jobs.
"""

import json
import os
import re
import resource
import sys
import warnings
from pathlib import Path
from typing import Any, cast

import av
import av.error
import puremagic
from PIL import ExifTags, Image, ImageOps

from genmedia import errors
from genmedia.media import SUFFIXES, MediaFacts, SmallCopy

PIXELS = 100_000_000
"""The largest picture decoded. Pillow's own limit only warns, and far above this."""

MEMORY_BYTES = 4 * 2**30

_PICTURE_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF")


def _look(candidate: dict[str, Any]) -> dict[str, Any]:
    path = Path(candidate["path"])
    try:
        media_type = _sniff(path)
        expected = candidate["kind"]
        if expected and media_type.split("/")[0] != expected:
            raise errors.MediaTypeError(f"it should be {_a(expected)}, but its content is {media_type}")
        if media_type not in SUFFIXES:
            raise errors.MediaTypeError(f"its content is {media_type}, which is not kept")
        small = SmallCopy(**candidate["small"]) if candidate["small"] else None
        if media_type.startswith("image/"):
            return _look_at_picture(path, media_type, small).facts()
        return _look_at_video(path, media_type, small).facts()
    except errors.MediaError as error:
        return {"error": type(error).__name__, "what": error.what}
    except MemoryError:
        return {"error": "MediaLimitError", "what": "decoding it takes more memory than allowed"}


def _sniff(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(2**16)
    try:
        matches: list[Any] = puremagic.magic_string(start)
    except (puremagic.PureError, ValueError):
        matches = []
    found = [str(match.mime_type) for match in matches if match.mime_type] or _brands(start)
    if start.startswith(b"\x1aE\xdf\xa3") and b"webm" not in start[:64]:
        return "video/x-matroska"  # WebM is the part of it that browsers play
    return next((name for name in found if name in SUFFIXES), found[0] if found else "of no known type" if start else "empty")


def _brands(start: bytes) -> list[str]:
    """What an ISO media file says it is; puremagic knows few of the major brands and none of the compatible ones."""
    if start[4:8] != b"ftyp":
        return []
    brands = start[8 : int.from_bytes(start[:4])]
    return ["image/avif"] if b"avif" in brands else ["video/mp4"] if re.search(rb"iso.|mp4\d|avc1|dash", brands) else []


def _look_at_picture(path: Path, media_type: str, small: SmallCopy | None) -> MediaFacts:
    try:
        with Image.open(path, formats=_PICTURE_FORMATS) as picture:
            width, height = picture.size
            if width * height > PIXELS:
                raise errors.MediaLimitError(f"it has {width} x {height} pixels, more than {PIXELS}")
            frames = getattr(picture, "n_frames", 1)
            picture.verify()
        with Image.open(path, formats=_PICTURE_FORMATS) as picture:
            picture.load()  # verify() passes JPEG files that are cut short; load() passes such PNG files
            if picture.getexif().get(ExifTags.Base.Orientation, 1) >= 5:
                width, height = height, width  # it is shown turned by a quarter
            if small:
                _save_small(ImageOps.exif_transpose(picture), small)
    except Image.DecompressionBombError as error:
        raise errors.MediaLimitError(str(error).lower()) from None
    except (OSError, SyntaxError, ValueError) as error:
        raise errors.DamagedMediaError(f"it does not decode as {media_type}: {error}") from None
    return MediaFacts(media_type, width, height, frames=frames if frames > 1 else None)


def _look_at_video(path: Path, media_type: str, small: SmallCopy | None) -> MediaFacts:
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise errors.MediaTypeError(f"it is {media_type} without a picture")
            stream = container.streams.video[0]
            promised = float(container.duration or 0) / av.time_base
            frames, end = 0, 0.0
            for packet in container.demux(stream):
                frames += packet.size > 0
                if packet.is_corrupt:
                    raise errors.DamagedMediaError(f"it breaks off in picture {frames}")
                if packet.size and packet.pts is not None and packet.time_base:
                    end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            if not frames or frames < stream.frames:
                raise errors.DamagedMediaError(f"it should have {stream.frames} pictures, but has {frames}")
            if end < promised - max(0.25, promised * 0.02):
                raise errors.DamagedMediaError(f"it should last {promised:.1f} s, but its pictures end at {end:.1f} s")
            codec = stream.codec_context
            fps = float(stream.average_rate) if stream.average_rate else None
            facts = MediaFacts(
                media_type, codec.width, codec.height, round(promised or end, 3), fps, frames, codec.codec.canonical_name
            )
        _decode_poster(path, promised or end, small)
    except MemoryError:
        raise
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise errors.DamagedMediaError(f"it does not decode as {media_type}: {error}") from None
    return facts


def _decode_poster(path: Path, duration: float, small: SmallCopy | None) -> None:
    with av.open(str(path)) as container:
        container.seek(int(duration / 2 * av.time_base))
        frame = next(container.decode(video=0), None)
        if frame is None:
            raise errors.DamagedMediaError("its pictures do not decode")
        if small:
            _save_small(cast("Image.Image", frame.to_image()), small)


def _save_small(picture: Image.Image, small: SmallCopy) -> None:
    picture = picture.convert("RGB")
    picture.thumbnail((small.side, small.side))
    for quality in (80, 60, 40, 20):
        try:
            picture.save(small.path, small.format, quality=quality)
        except OSError as error:  # the file is sound; it is the disk that is not
            raise errors.MediaLimitError(f"a smaller copy of it could not be written: {error.strerror}") from None
        if Path(small.path).stat().st_size <= small.max_bytes:
            return


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _main() -> None:
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # PIXELS is lower
    os.nice(5)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    wish = cast("list[dict[str, Any]]", json.load(sys.stdin))
    json.dump([_look(candidate) for candidate in wish], sys.stdout)


if __name__ == "__main__":
    _main()
