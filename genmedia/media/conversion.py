"""What is done to a picture that a provider does not take as it is: turned the way it is shown, in sRGB, as PNG or JPEG."""

from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from genmedia.errors import Fault, InputError, MediaError
from genmedia.media.facts import Candidate, SmallCopy
from genmedia.media.probe import inspect_files

LARGEST_SIDE = 8192
QUALITY = 95
PNG, JPEG = "png", "jpeg"
"""The names of the conversions, as they stand in submission keys."""

TYPES = {PNG: "image/png", JPEG: "image/jpeg"}
_CLEAR = {"RGBA", "LA", "PA", "RGBa", "La"}
_AS_PHOTO = {"image/heic", "image/tiff", "image/bmp"}
"""What goes as JPEG where nothing in it is transparent; what was turned into PNG before these were taken still is, since keys say so."""


def conversion(media_type: str, mode: str, taken: Collection[str]) -> str:
    """The name of what is done to a picture before it is sent: `png` or `jpeg`; empty where it goes as it is.

    Args:
        media_type: The file's type by content.
        mode: How it keeps its colours, in Pillow's words; empty where nobody knows.
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
    """A picture as it is sent, for as long as this block lasts.

    Args:
        path: The file.
        how: As `conversion` names it; empty for PNG of a film's picture.
        max_bytes: How large it may become.
        origin: Where the file comes from, for a fault.
        at: Of a film: the second that is taken, or its last picture; the one in the middle by default.
        film: Whether it is a film.

    Raises:
        InputError: No picture can be made of it.
    """
    form = JPEG if how == JPEG else PNG
    with TemporaryDirectory(prefix="genmedia-") as folder:
        picture = Path(folder) / f"{path.stem}.{'jpg' if form == JPEG else form}"
        small = SmallCopy(picture, LARGEST_SIDE, form.upper(), max_bytes, at, quality=QUALITY, clear=True)
        (verdict,) = await inspect_files([Candidate(path, "video" if film else "image", small)])
        if isinstance(verdict, MediaError):
            raise InputError([Fault(origin, f"gives no picture: {verdict.what}")])
        yield picture
