"""Pictures: whether each of their frames decodes, how large they are, whether there is anything on them, and smaller copies.

The largest picture takes under 300 MiB: JPEG is decoded at an eighth of its size or at what a copy needs, and whatever comes
after decoding is done in bands.
"""

import struct
from dataclasses import replace
from io import BytesIO
from itertools import count
from math import ceil
from pathlib import Path
from typing import BinaryIO, cast

from PIL import ExifTags, Image, ImageFile, ImageOps, UnidentifiedImageError

from genmedia.errors import DamagedMediaError, MediaError, MediaLimitError
from genmedia.inspection.media import MediaFacts, SmallCopy

FILE_BYTES = 2**28
PIXELS = {"JPEG": 100_000_000, "PNG": 3 * 2**24, "WEBP": 2**24, "GIF": 2**24, "AVIF": 2**24}
"""The largest picture decoded, by format: decoding takes 4 bytes a pixel for PNG (8192 x 6144), up to 16 for the others (4096 x 4096),
measured with Pillow 13. Pillow's own limit only warns."""
WEBP_BYTES = 268 * 2**20
"""What decoding a WebP may take: its pixels, and the file twice. Asked beforehand, because Pillow does not tell a want of memory from
damage."""
FRAMES, FRAMES_PIXELS = 1_000, 80_000_000
"""How much of an animation is decoded: its first frames, and the pixels of them together (76 of 1024 x 1024)."""
COEFFICIENT_BYTES = 2**28
"""The largest progressive JPEG decoded: all of its coefficients are kept until the last scan."""
SCANNED_PIXELS = 10**9
"""The pixels of all scans of a JPEG: a scan of a few bytes costs a walk over the whole picture."""

GROUND = (180, 180, 180)
"""What is seen through a transparent picture: black and white both stand out from it."""

_SIDE = 512
_BAND_PIXELS = 2**20
_ONE_COLOUR = 2
_TURNED_BY_A_QUARTER = 5


def look_at_picture(file: Path | BytesIO, media_type: str, small: SmallCopy | None = None, *, closely: bool = True) -> MediaFacts:
    """What a picture shows, once it was decoded with all its frames.

    Args:
        file: The picture.
        media_type: What it should be.
        small: The smaller picture to make of it, if any.
        closely: Whether to see if there is anything on it, and to make the smaller picture: that costs as much as decoding.

    Raises:
        DamagedMediaError: It does not decode.
        MediaLimitError: It is too large.
    """
    size = file.stat().st_size if isinstance(file, Path) else len(file.getbuffer())
    if size > FILE_BYTES:
        raise MediaLimitError(f"it has {size} bytes, more than {FILE_BYTES}")
    if media_type == "image/webp":
        _check_webp(file, size)
    try:
        with Image.open(file, formats=tuple(PIXELS)) as picture:
            _check_cost(picture)
            picture.verify()  # notices a PNG without its end, which load() passes; for JPEG it is the other way round
        with Image.open(file, formats=tuple(PIXELS)) as picture:
            return _decode(picture, media_type, small, closely=closely)
    except (MemoryError, MediaError):
        raise
    except UnidentifiedImageError:  # its own words name the path
        raise DamagedMediaError(f"it does not decode as {media_type}: its header is broken") from None
    except (OSError, SyntaxError, ValueError, LookupError, TypeError, EOFError, struct.error) as error:
        # Pillow lets all of these out of a broken file.
        raise DamagedMediaError(f"it does not decode as {media_type}: {error}") from None


def _check_webp(file: Path | BytesIO, size: int) -> None:
    """Facts about the header: https://developers.google.com/speed/webp/docs/riff_container."""
    if isinstance(file, Path):
        with file.open("rb") as opened:
            start = opened.read(30)
    else:
        start = bytes(file.getbuffer()[:30])
    if start[12:16] == b"VP8X":
        width, height = int.from_bytes(start[24:27], "little") + 1, int.from_bytes(start[27:30], "little") + 1
    elif start[12:16] == b"VP8L":
        bits = int.from_bytes(start[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        width, height = int.from_bytes(start[26:28], "little") & 0x3FFF, int.from_bytes(start[28:30], "little") & 0x3FFF
    if width * height * 16 + size * 2 > WEBP_BYTES:
        raise MediaLimitError(f"it has {width} x {height} pixels in {size} bytes, which take more than {WEBP_BYTES} to decode")


def _check_cost(picture: ImageFile.ImageFile) -> None:
    width, height = picture.size
    most = PIXELS[picture.format or ""]
    if width * height > most:
        raise MediaLimitError(f"it has {width} x {height} pixels, more than {most}")
    if picture.info.get("progressive"):
        layers: list[tuple[int, int, int, int]] = getattr(picture, "layer", [])  # number, samples across and down, table
        finest = max(across for _, across, _, _ in layers) * max(down for _, _, down, _ in layers)
        if width * height * 2 * sum(across * down for _, across, down, _ in layers) / finest > COEFFICIENT_BYTES:
            raise MediaLimitError(f"it has {width} x {height} pixels and is progressive: more than {COEFFICIENT_BYTES} bytes")
    if picture.format == "JPEG":
        scans = _scans(cast("BinaryIO", picture.fp))
        if scans * width * height > SCANNED_PIXELS:
            raise MediaLimitError(f"it draws its {width} x {height} pixels {scans} times over")


def _scans(file: BinaryIO) -> int:
    file.seek(0)
    return sum(piece.count(b"\xff\xda") for piece in iter(lambda: file.read(2**20), b""))


def _decode(picture: ImageFile.ImageFile, media_type: str, small: SmallCopy | None, *, closely: bool) -> MediaFacts:
    width, height = picture.size
    mode, side = picture.mode, small.side if small else _SIDE
    if picture.format == "JPEG":
        longest = max(width, height)
        picture.draft(None, (max(1, width * side // longest), max(1, height * side // longest)))
    picture.load()
    orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
    turned = orientation >= _TURNED_BY_A_QUARTER
    facts = MediaFacts(media_type, *((height, width) if turned else (width, height)), mode=mode)
    if closely:
        shown = _shrink(picture, side)
        shown.getexif()[ExifTags.Base.Orientation] = orientation
        ImageOps.exif_transpose(shown, in_place=True)
        facts = replace(facts, warnings=_nothing_on(shown))
        if small:
            save_small(shown, small)
    if not getattr(picture, "is_animated", False):
        return facts
    frames, whole = _decode_frames(picture, width * height)
    if whole:
        return replace(facts, frames=frames, warnings=())  # a plain beginning is no plain picture
    return replace(facts, warnings=(f"only its first {frames} frames were decoded",))


def _decode_frames(picture: Image.Image, pixels: int) -> tuple[int, bool]:
    """How many there are, or were decoded; whether these are all."""
    for number in count(1):
        try:
            picture.seek(number)
        except EOFError:
            return number, True
        if number >= FRAMES or (number + 1) * pixels > FRAMES_PIXELS:
            return number, False
        picture.load()
    raise AssertionError


def _shrink(picture: Image.Image, side: int) -> Image.Image:
    """An RGBA copy of no more than `side`, made without a second copy of the whole."""
    width, height = picture.size
    factor = max(1, max(width, height) // (2 * side))
    shrunk = Image.new("RGBA", (ceil(width / factor), ceil(height / factor)))
    rows = factor * max(1, _BAND_PIXELS // (width * factor))
    for top in range(0, height, rows):
        band = picture.crop((0, top, width, min(height, top + rows)))
        if band.mode.startswith("I"):  # 16 bits, which Pillow would cut off at 255
            band = band.convert("I").point(lambda value: value / 257).convert("L")
        shrunk.paste(band.convert("RGBA").reduce(factor), (0, top // factor))
    shrunk.thumbnail((side, side))
    return shrunk


def _nothing_on(shown: Image.Image) -> tuple[str, ...]:
    if not shown.getchannel("A").getbbox():
        return ("nothing is on it: it is transparent throughout",)
    return ("nothing is on it: it is of one colour throughout",) if is_one_colour(shown, _ONE_COLOUR) else ()


def is_one_colour(picture: Image.Image, tolerance: int) -> bool:
    """Whether no band of a picture differs by more than a tolerance, of 255, from place to place."""
    return all(high - low <= tolerance for low, high in _extrema(picture))


def highest(picture: Image.Image) -> int:
    """The highest value in any band of a picture, of 255."""
    return max(high for _, high in _extrema(picture))


def _extrema(picture: Image.Image) -> list[tuple[int, int]]:
    return [cast("tuple[int, int]", band.getextrema()) for band in picture.split()]


def save_small(picture: Image.Image, small: SmallCopy) -> None:
    """Write a smaller copy, on a neutral ground where the picture is transparent.

    Raises:
        MediaLimitError: The disk took no more.
    """
    picture.thumbnail((small.side, small.side))
    if picture.mode == "RGBA":
        ground = Image.new("RGB", picture.size, GROUND)
        ground.paste(picture, mask=picture)
        picture = ground
    for quality in (80, 60, 40, 20):
        try:
            picture.save(small.path, small.format, quality=quality)
        except OSError as error:  # the file is sound; it is the disk that is not
            raise MediaLimitError(f"a smaller copy of it could not be written: {error.strerror}") from None
        if Path(small.path).stat().st_size <= small.max_bytes:
            return
