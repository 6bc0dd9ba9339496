"""Inspection of pictures: decoding of all frames, size, a check that there is anything on them, and smaller copies.

The largest picture takes under 300 MiB of memory: JPEG is decoded at an eighth of its size or at the size that a copy needs, and all
steps after decoding work on bands of rows. A smaller copy is turned the way the picture is shown, and its colours are sRGB.
"""

import mmap
import struct
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from itertools import count
from math import ceil
from pathlib import Path
from typing import Any, cast

from PIL import ExifTags, Image, ImageCms, ImageFile, ImageOps, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from genmedia.errors import DamagedMediaError, MediaError, MediaLimitError, MediaTypeError
from genmedia.media.facts import MediaFacts, SmallCopy
from genmedia.media.jpeg import Jpeg, read_jpeg, with_an_end

FILE_BYTES = 2**28
PIXELS = {
    "JPEG": 100_000_000,
    "PNG": 3 * 2**24,
    "BMP": 3 * 2**24,
    "TIFF": 3 * 2**24,
    "HEIF": 26_000_000,
    "WEBP": 2**24,
    "GIF": 2**24,
    "AVIF": 2**24,
}
"""Most pixels of a picture that is decoded, by format: decoding takes 4 bytes a pixel for PNG and BMP (8192 x 6144), 9 for HEIC (phones
make 12 and 24 million), up to 16 for the others (4096 x 4096), measured with Pillow 13. Pillow's own limit only warns."""
TIFF_BYTES = 230 * 2**20
"""Most bytes that decoding a TIFF may take: its pixels, and its largest strip or tile. Checked beforehand, for the same reason as WebP."""
WEBP_BYTES = 268 * 2**20
"""Most bytes that decoding a WebP may take: its pixels, and the file twice. Checked beforehand, because Pillow reports a lack of memory
as damage."""
FRAMES, FRAMES_PIXELS = 1_000, 80_000_000
"""Limits of an animation that is decoded: the number of its first frames, and the pixels of them together (76 frames of 1024 x 1024)."""
COEFFICIENT_BYTES = 2**28
"""Most bytes of coefficients of a progressive JPEG that is decoded: all of them are kept in memory until the last scan."""
SCANNED_PIXELS = 10**9
"""Most pixels of all scans of a JPEG together: a scan of a few bytes costs a pass over the whole picture."""

MANY_PAGES = "it has more pages than this one, which is the first"
NO_END = "its end marker is missing, as when a copy broke off; the picture is whole"
NO_PROFILE = "its colour profile cannot be read: its colours are taken for sRGB"
_SIDE = 512
_BAND_PIXELS = 2**20
_ONE_COLOUR = 2
_TURNED_BY_A_QUARTER = 5
_PREVIEW, _MADE_BY, _RAW = 254, 271, 50706
"""Tags of TIFF: the kind of page, the maker of the camera, the version of DNG."""
_SPACES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}
"""Pillow's modes for the colour spaces, by their names in profiles."""


def look_at_picture(file: Path | BytesIO, media_type: str, small: SmallCopy | None = None, *, closely: bool = True) -> MediaFacts:
    """Return the facts of a picture, after its frames were decoded, up to the limits of `FRAMES`; write the smaller picture, if any.

    Args:
        file: The picture.
        media_type: Its media type, for the facts and for errors.
        small: The smaller picture to make of it, if any.
        closely: True to check that there is anything on it, and to make the smaller picture; that costs as much as decoding.

    Raises:
        DamagedMediaError: The picture does not decode.
        MediaLimitError: It is too large.
        MediaTypeError: It is of a kind that is not read.
    """
    with _checked(file, media_type) as (picture, warnings):
        facts = _decode(picture, media_type, small, closely=closely)
        return replace(facts, warnings=(*warnings, *facts.warnings))


def as_shown(file: Path, media_type: str, side: int) -> Image.Image:
    """Return a picture as it is shown: turned, in sRGB, in mode RGB or RGBA; of an animation the first frame.

    Args:
        file: The picture.
        media_type: Its media type.
        side: Largest length of its sides, in pixels: a larger picture is made smaller.

    Raises:
        DamagedMediaError: The picture does not decode.
        MediaLimitError: It is too large.
        MediaTypeError: It is of a kind that is not read.
    """
    with _checked(file, media_type) as (picture, _):
        picture.draft(None, _within(picture.size, side))
        picture.load()
        orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
        return _turned(picture, side, orientation)[0]


@contextmanager
def _checked(file: Path | BytesIO, media_type: str) -> Generator[tuple[ImageFile.ImageFile, list[str]]]:
    """Open a picture for decoding, after it was checked; yield it with the warnings about it, and explain what breaks in the block."""
    size = file.stat().st_size if isinstance(file, Path) else len(file.getbuffer())
    if size > FILE_BYTES:
        raise MediaLimitError(f"it has {size} bytes, more than {FILE_BYTES}")
    if media_type == "image/webp":
        _check_webp(file, size)
    if media_type == "image/heic":
        import pillow_heif  # noqa: PLC0415 # it takes memory that no other picture needs

        # An embedded smaller picture may show something else, and each thread reserves memory.
        pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    try:
        jpeg, warnings = _read_jpeg(file), list[str]()
        if jpeg and not jpeg.ended:
            with _open(file, jpeg) as picture:
                _check_cost(picture, jpeg)
            file, warnings = with_an_end(file.read_bytes() if isinstance(file, Path) else file.getvalue()), [NO_END]
        with _open(file, jpeg) as picture:
            _check_cost(picture, jpeg)
            picture.verify()  # detects a PNG without its end, which load() does not; for JPEG it is the other way round
        with _open(file, jpeg) as picture:
            yield picture, warnings
    except (MemoryError, MediaError):
        raise
    except UnidentifiedImageError:  # its message names the path
        raise DamagedMediaError(
            f"it does not decode as {media_type}: its header is broken, or of a kind that is not read"
        ) from None
    except (OSError, SyntaxError, ValueError, LookupError, TypeError, EOFError, RuntimeError, struct.error) as error:
        # Pillow raises all of these for a broken file.
        raise DamagedMediaError(f"it does not decode as {media_type}: {error}") from None


def _open(file: Path | BytesIO, jpeg: Jpeg | None) -> ImageFile.ImageFile:
    if isinstance(file, BytesIO):
        file.seek(0)
    if jpeg:  # Pillow reads one with more pictures after it as an animation; only the first is the picture
        return JpegImageFile(file)
    return Image.open(file, formats=[name for name in PIXELS if name in Image.OPEN or name != "HEIF"])


def _read_jpeg(file: Path | BytesIO) -> Jpeg | None:
    """The structure of a JPEG; None for another format."""
    if isinstance(file, BytesIO):
        return _jpeg_in(file.getvalue())
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return _jpeg_in(cast("bytes", content))


def _jpeg_in(content: bytes) -> Jpeg | None:
    if content[:3] != b"\xff\xd8\xff":
        return None
    jpeg = read_jpeg(content)
    jpeg.check_read()
    return jpeg


def _check_webp(file: Path | BytesIO, size: int) -> None:
    """Refuse a WebP that is too large to decode. Its header: https://developers.google.com/speed/webp/docs/riff_container."""
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


def _check_cost(picture: ImageFile.ImageFile, jpeg: Jpeg | None) -> None:
    width, height = picture.size
    most = PIXELS[picture.format or ""]
    if width * height > most:
        raise MediaLimitError(f"it has {width} x {height} pixels, more than {most}")
    if picture.format == "TIFF":
        _check_tiff(picture)
    if picture.info.get("progressive"):
        layers: list[tuple[int, int, int, int]] = getattr(picture, "layer", [])  # number, samples across and down, table
        finest = max(across for _, across, _, _ in layers) * max(down for _, _, down, _ in layers)
        if width * height * 2 * sum(across * down for _, across, down, _ in layers) / finest > COEFFICIENT_BYTES:
            raise MediaLimitError(f"it has {width} x {height} pixels and is progressive: more than {COEFFICIENT_BYTES} bytes")
    if jpeg and jpeg.scans * width * height > SCANNED_PIXELS:
        raise MediaLimitError(f"it draws its {width} x {height} pixels {jpeg.scans} times over")


def _check_tiff(picture: ImageFile.ImageFile) -> None:
    """Refuse a TIFF that is a raw photo, too large, or cut short. Its tags: TIFF 6.0, and Adobe's DNG specification."""
    tags: dict[int, Any] = getattr(picture, "tag_v2", {})
    if _RAW in tags or (tags.get(_PREVIEW, 0) & 1 and _MADE_BY in tags):
        raise MediaTypeError("it is a raw photo, as cameras keep it, which is not taken: save it as JPEG or PNG")
    width, height, bits = int(tags[256]), int(tags[257]), sum(tags.get(258, (1,)))  # as stored, not as shown
    across, down = (int(tags.get(tag, whole)) for tag, whole in ((322, width), (323, tags.get(278, height))))  # tiles, or strips
    block = across * min(down, height if 323 not in tags else down) * bits // 8
    if width * height * 4 + block > TIFF_BYTES:
        raise MediaLimitError(
            f"it has {width} x {height} pixels of {bits} bits, which take more than {TIFF_BYTES} bytes to decode"
        )
    there, needed = len(tags.get(324, tags.get(273, ()))), ceil(width / max(across, 1)) * ceil(height / max(down, 1))
    if there < needed:
        raise DamagedMediaError(f"it has {there} of {needed} strips")


def _decode(picture: ImageFile.ImageFile, media_type: str, small: SmallCopy | None, *, closely: bool) -> MediaFacts:
    width, height = picture.size
    mode, side, jpeg = picture.mode, small.side if small else _SIDE, picture.format == "JPEG"
    if jpeg:
        picture.draft(None, _within(picture.size, side))
    picture.load()
    if not jpeg:
        width, height = picture.size  # TIFF and HEIC are turned by their decoders
    orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
    turned = orientation >= _TURNED_BY_A_QUARTER
    facts = MediaFacts(media_type, *((height, width) if turned else (width, height)), mode=mode)
    stands = jpeg or picture.format in ("HEIF", "TIFF") or not getattr(picture, "is_animated", False)
    if closely:
        pages = picture.format == "TIFF" and getattr(picture, "is_animated", False)
        shown, odd = _turned(picture, side, orientation, close=stands)
        facts = replace(facts, warnings=(*([MANY_PAGES] if pages else []), *odd, *_nothing_on(shown)))
        if small:
            save_small(shown, small)
    if stands:
        return facts
    frames, whole = _decode_frames(picture, width * height)
    if whole:
        return replace(facts, frames=frames, warnings=())  # warnings about the first frame do not hold for an animation
    return replace(facts, warnings=(f"only its first {frames} frames were decoded",))


def _within(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Return a size of the same shape, with a longer side of `side`."""
    longest = max(size)
    return max(1, size[0] * side // longest), max(1, size[1] * side // longest)


def _turned(
    picture: ImageFile.ImageFile, side: int, orientation: int, *, close: bool = True
) -> tuple[Image.Image, tuple[str, ...]]:
    """Return a copy of a decoded picture with sides of at most `side` pixels, as it is shown, and the warnings about its colours."""
    shown, profile = _shrink(picture, side), picture.info.get("icc_profile")
    if close:
        picture.close()  # a copy of the same size needs its memory
    shown, odd = to_srgb(shown, profile)
    shown.getexif()[ExifTags.Base.Orientation] = orientation
    ImageOps.exif_transpose(shown, in_place=True)
    return shown, odd


def _decode_frames(picture: Image.Image, pixels: int) -> tuple[int, bool]:
    """Decode the frames of an animation; return the number of those decoded, and True if these are all."""
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
    """Return a copy with sides of at most `side` pixels, in a mode of 8 bits a band; it is made in bands of rows, to save memory."""
    width, height = picture.size
    factor = max(1, max(width, height) // (2 * side))
    numbers = picture.mode.startswith(("I", "F"))
    low, high = (
        (0, 65535)
        if picture.mode.startswith("I;16")
        else cast("tuple[float, float]", picture.getextrema())
        if numbers
        else (0, 0)
    )
    mode = picture.mode if picture.mode in ("CMYK", "LAB") else "L" if numbers or picture.mode in ("1", "L") else "RGB"
    mode = "RGBA" if picture.has_transparency_data else mode
    shrunk = Image.new(mode, (ceil(width / factor), ceil(height / factor)))
    rows = factor * max(1, _BAND_PIXELS // (width * factor))
    for top in range(0, height, rows):
        band = picture.crop((0, top, width, min(height, top + rows)))
        if numbers:  # more than 8 bits, which Pillow would cut off at 255
            band = band if band.mode == "F" else band.convert("I")
            scale = 255 / ((high - low) or 1)
            band = band.point(lambda value, scale=scale: value * scale - low * scale).convert("L")
        shrunk.paste(band.convert(mode).reduce(factor), (0, top // factor))
    shrunk.thumbnail((side, side))
    return shrunk


def to_srgb(picture: Image.Image, profile: bytes | None) -> tuple[Image.Image, tuple[str, ...]]:
    """Convert a picture to sRGB; return it, and the warnings about its colours.

    Args:
        picture: In mode L, RGB, RGBA, CMYK or LAB.
        profile: ICC profile of its colours; None for sRGB, or for the usual colours of its mode.
    """
    clear, odd = picture.mode == "RGBA", tuple[str, ...]()
    try:
        if profile or picture.mode == "LAB":
            source = ImageCms.ImageCmsProfile(BytesIO(profile) if profile else ImageCms.createProfile("LAB"))
            mode = _SPACES[cast("Any", source.profile).xcolor_space.strip()]
            if (mode == "CMYK") == (picture.mode == "CMYK"):  # else the profile belongs to another picture
                mode = "RGBA" if clear and mode == "RGB" else mode
                target = "RGBA" if mode == "RGBA" else "RGB"
                change = ImageCms.buildTransform(source, cast("Any", ImageCms.createProfile("sRGB")), mode, target)
                colours = picture if picture.mode == mode else picture.convert(mode)
                shown = ImageCms.applyTransform(colours, change)
                assert shown
                if clear and mode != "RGBA":
                    shown.putalpha(picture.getchannel("A"))
                return shown, odd
    except (ImageCms.PyCMSError, OSError, ValueError, LookupError, TypeError):
        odd = (NO_PROFILE,)
    return picture if picture.mode in ("RGB", "RGBA") else picture.convert("RGB"), odd


def _nothing_on(shown: Image.Image) -> tuple[str, ...]:
    if shown.mode == "RGBA" and not shown.getchannel("A").getbbox():
        return ("nothing is on it: it is transparent throughout",)
    return ("nothing is on it: it is of one colour throughout",) if is_one_colour(shown, _ONE_COLOUR) else ()


def is_one_colour(picture: Image.Image, tolerance: int) -> bool:
    """True if the values within each band of a picture differ by no more than a tolerance, of 255."""
    return all(high - low <= tolerance for low, high in _extrema(picture))


def highest(picture: Image.Image) -> int:
    """The highest value in any band of a picture, of 255."""
    return max(high for _, high in _extrema(picture))


def _extrema(picture: Image.Image) -> list[tuple[int, int]]:
    return [cast("tuple[int, int]", band.getextrema()) for band in picture.split()]


def save_small(picture: Image.Image, small: SmallCopy) -> None:
    """Write a smaller copy; where the picture is transparent, on `small.ground`, unless `small.clear`.

    Raises:
        MediaLimitError: The copy could not be written.
    """
    picture.thumbnail((small.side, small.side))
    if picture.mode == "RGBA" and not small.clear:
        ground = Image.new("RGB", picture.size, tuple(small.ground))
        ground.paste(picture, mask=picture)
        picture = ground
    for quality in sorted({small.quality, 60, 40, 20}, reverse=True):
        try:
            picture.save(small.path, small.format, quality=quality)
        except OSError as error:  # the fault is the disk's, not the file's
            raise MediaLimitError(f"a smaller copy of it could not be written: {error.strerror}") from None
        if small.format == "PNG" or small.max_bytes is None or Path(small.path).stat().st_size <= small.max_bytes:
            return
