"""Reading pictures at full quality, and writing them as JPEG, PNG, WebP or AVIF, of a quality or within a size."""

from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageColor

from genmedia.errors import MediaLimitError, MediaTypeError
from genmedia.media.making import LARGEST_SIDE, LOWEST_QUALITY
from genmedia.media.picture import as_shown
from genmedia.media.sniffing import media_type_of, why_not_taken

_FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "jpg": ("JPEG", {"quality": 90, "optimize": True}),
    "png": ("PNG", {"optimize": True}),
    "webp": ("WEBP", {"quality": 85, "method": 4}),
    "avif": ("AVIF", {"quality": 75, "speed": 6, "max_threads": 1}),
}
"""Formats by their names: Pillow's name, and the settings where a person gives none."""

_FORMAT_OF = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/avif": "avif"}
_LONGEST = {"WEBP": 16383, "JPEG": 65535}


def media_type(path: Path, expected: str) -> str:
    """Return the media type of an input by its content.

    Raises:
        MediaTypeError: It is not of the expected kind, `image` or `video`.
    """
    with path.open("rb") as file:
        found = media_type_of(file.read(2**16))
    if why := why_not_taken(found, expected):
        raise MediaTypeError(why)
    return found


def read_picture(path: Path) -> tuple[Image.Image, str]:
    """Return a picture as it is shown, in mode RGB or RGBA and sRGB, and its format; `jpg` or `png` for a format that is not written.

    Raises:
        MediaError: It is no picture, or not sound.
    """
    kind = media_type(path, "image")
    picture = as_shown(path, kind, LARGEST_SIDE)
    return picture, _FORMAT_OF.get(kind, "png" if picture.mode == "RGBA" else "jpg")


def colour(written: str) -> tuple[int, int, int, int]:
    """Return a colour, such as `#1a2b3c`, `white` or `transparent`, as red, green, blue and opacity."""
    if written == "transparent":
        return 0, 0, 0, 0
    found = ImageColor.getcolor(written, "RGBA")
    assert isinstance(found, tuple)
    assert len(found) == 4
    return found


def write_picture(picture: Image.Image, options: dict[str, Any], path: Path, format_: str = "jpg") -> None:
    """Write a picture; where the format has no transparency, on a background.

    Args:
        picture: In mode RGB or RGBA.
        options: `format`, `quality` (1 to 100), `max_bytes` and `background`, each as far as a person gave it.
        path: Where it is written.
        format_: Format where `options` names none.

    Raises:
        MediaLimitError: It does not fit into `max_bytes`.
    """
    name = options.get("format") or format_
    encoder, settings = _FORMATS[name]
    if picture.mode == "RGBA" and (encoder == "JPEG" or "background" in options):
        ground = Image.new("RGBA", picture.size, colour(options.get("background") or "white"))
        ground.alpha_composite(picture)
        picture = ground.convert("RGB") if encoder == "JPEG" or picture_is_opaque(ground) else ground
    if max(picture.size) > _LONGEST.get(encoder, 2**31):
        raise MediaLimitError(f"it has {picture.width} x {picture.height} pixels, more than a {name} can have")
    most = options.get("max_bytes")
    if quality := options.get("quality"):
        settings = {**settings, "quality": quality} if name != "png" else settings
    encoded = _encode(picture, encoder, settings)
    if most and len(encoded) > most:
        encoded = _within(picture, encoder, settings, most)
    path.write_bytes(encoded)


def picture_is_opaque(picture: Image.Image) -> bool:
    """True if no part of a picture in mode RGBA is transparent."""
    low, _ = picture.getchannel("A").getextrema()
    return low == 255


def _encode(picture: Image.Image, encoder: str, settings: dict[str, Any]) -> bytes:
    encoded = BytesIO()
    picture.save(encoded, encoder, **settings)
    return encoded.getvalue()


def _within(picture: Image.Image, encoder: str, settings: dict[str, Any], most: int) -> bytes:
    """Return the picture in the highest quality in which it has no more than `most` bytes.

    Raises:
        MediaLimitError: There is none.
    """
    best, low, high = b"", LOWEST_QUALITY, settings.get("quality", 0) - 1
    smallest = _encode(picture, encoder, {**settings, "quality": low}) if high >= low else b""
    if smallest and len(smallest) <= most:
        best = smallest
        while low < high:
            middle = (low + high + 1) // 2
            encoded = _encode(picture, encoder, {**settings, "quality": middle})
            if len(encoded) <= most:
                best, low = encoded, middle
            else:
                high = middle - 1
    if not best:
        at = f" at quality {LOWEST_QUALITY}, the lowest" if smallest else ""
        size = len(smallest or _encode(picture, encoder, settings))
        raise MediaLimitError(f"with {picture.width} x {picture.height} pixels it has {size} bytes{at}, more than {most}")
    return best
