"""Conversion of pictures that a provider, or a person, does not take as they are: to another type or size, in sRGB, turned upright."""

from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from genmedia.errors import Fault, InputError, MediaError
from genmedia.media.facts import Candidate, MediaFacts, SmallCopy
from genmedia.media.probe import inspect_files

LARGEST_SIDE = 8192
QUALITY = 95
PNG, JPEG = "png", "jpeg"
"""Names of the conversions, as submission keys contain them."""

TYPES = {PNG: "image/png", JPEG: "image/jpeg"}
FORMATS = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp", "tif": "image/tiff"}
"""Suffixes of the types into which people have pictures converted, each with its media type."""

WHITE = (255, 255, 255)
_CLEAR = {"RGBA", "LA", "PA", "RGBa", "La"}
_AS_PHOTO = {"image/heic", "image/tiff", "image/bmp"}
"""Media types that are converted to JPEG where the picture has no transparency. All others are converted to PNG, as they were before
these types were taken: submission keys contain the name of the conversion."""


def conversion(media_type: str, mode: str, taken: Collection[str]) -> str:
    """Return the name of the conversion of a picture before it is sent: `png` or `jpeg`; empty where it is sent as it is.

    Args:
        media_type: The file's type by content.
        mode: Its colour mode, as Pillow names it; empty if unknown.
        taken: The media types that the provider takes; empty for any.
    """
    known = {"image/jpeg" if one == "image/jpg" else one for one in taken}
    if not known or not media_type.startswith("image/") or media_type in known:
        return ""
    as_photo = media_type in _AS_PHOTO and mode not in _CLEAR and TYPES[JPEG] in known
    return JPEG if as_photo else PNG


@asynccontextmanager
async def converted(
    path: Path, how: str, max_bytes: int, origin: str, at: float | Literal["last"] | None = None, *, film: bool = False
) -> AsyncGenerator[Path]:
    """Convert a picture to the form in which it is sent; yield its path, which is valid inside the block.

    Args:
        path: The file.
        how: Name from `conversion`; any other text, such as an empty one for a film, means PNG.
        max_bytes: Size to stay below, in bytes: the quality of a JPEG is lowered for it, down to 20 of 100; a PNG is not limited.
        origin: Origin of the file, for a fault.
        at: Of a film: the second of the picture that is taken, or `last`; None for one from the middle.
        film: True if the file is a film.

    Raises:
        InputError: No picture can be made of the file.
    """
    form = JPEG if how == JPEG else PNG
    with TemporaryDirectory(prefix="genmedia-") as folder:
        picture = Path(folder) / f"{path.stem}.{'jpg' if form == JPEG else form}"
        small = SmallCopy(picture, LARGEST_SIDE, form.upper(), max_bytes, at, quality=QUALITY, clear=True)
        (verdict,) = await inspect_files([Candidate(path, "video" if film else "image", small)])
        if isinstance(verdict, MediaError):
            raise InputError([Fault(origin, f"gives no picture: {verdict.what}")])
        yield picture


async def convert(path: Path, target: Path, suffix: str, side: int | None) -> MediaFacts:
    """Write a picture in another type or size; one that is small enough is not made larger. Of several frames it is the first.

    Args:
        path: The picture.
        target: Where it is written.
        suffix: One of `FORMATS`; transparent parts get a white ground in a JPEG.
        side: Most pixels of its longer side; None for as many as it has, up to `LARGEST_SIDE`.

    Returns:
        Facts of the picture that was given, with warnings about it.

    Raises:
        MediaError: It cannot be read, or takes more than allowed.
    """
    form = FORMATS[suffix].removeprefix("image/").upper()
    small = SmallCopy(target, side or LARGEST_SIDE, form, None, quality=QUALITY, clear=form != "JPEG", ground=WHITE)
    (verdict,) = await inspect_files([Candidate(path, "image", small)])
    if isinstance(verdict, MediaError):
        raise verdict
    return verdict
