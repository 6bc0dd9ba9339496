"""Facts of a media file, and the request to inspect one. This module imports little, so that the process that inspects files starts fast."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

SUFFIXES = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/avif": "avif",
    "image/heic": "heic",
    "image/tiff": "tif",
    "image/bmp": "bmp",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/quicktime": "mov",
    "model/gltf-binary": "glb",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/flac": "flac",
    "audio/ogg": "ogg",
    "audio/mp4": "m4a",
    "text/plain": "txt",
}
"""Media types that the store keeps, each with the suffix of its files."""


GROUND = (180, 180, 180)
"""Colour behind a transparent picture: black and white both stand out from it."""


@dataclass(frozen=True)
class MediaFacts:
    """The facts of a file; None where one does not apply.

    Sizes in pixels as shown (a photo that was turned is as wide as it looks), `duration` in seconds, `fps` in frames a second, `extents`
    (width, height and depth of a model) in metres; `audio` is True if a video has sound; `mode` is the colour mode of a picture, as Pillow
    names it (`RGB`, `RGBA`, `L`, `P`, `CMYK`, `I;16`).

    Attributes:
        warnings: Sentences for people about a sound file that is odd, such as a picture with nothing on it.
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
        """`image`, `video`, `model`, `audio` or `text`."""
        return self.media_type.split("/")[0]

    def facts(self) -> dict[str, Any]:
        """Return the facts that are not None, by their names in sidecars, without the warnings."""
        return {name: value for name, value in asdict(self).items() if value is not None and name != "warnings"}


@dataclass(frozen=True)
class SmallCopy:
    """A smaller picture to be made of a file: a thumbnail, or a reference within a provider's limits.

    Attributes:
        path: Path at which it is written.
        side: Largest length of its longer side, in pixels.
        format: `WEBP`, `JPEG`, `PNG` or `TIFF`.
        max_bytes: Size to stay below, in bytes: the quality is lowered for it, down to 20; a PNG is not limited, nor is one of None.
        at: Of a video: the second of the picture that it shows, or `last`; None for one from the middle.
        quality: Quality that is tried first, of 100.
        clear: True if transparent parts stay transparent; else they get a ground.
        ground: Colour of that ground: red, green and blue, of 255.
    """

    path: Path
    side: int = 480
    format: str = "WEBP"
    max_bytes: int | None = 2**20
    at: float | Literal["last"] | None = None
    quality: int = 80
    clear: bool = False
    ground: tuple[int, int, int] = GROUND


@dataclass(frozen=True)
class Candidate:
    """A file to inspect: the kind it should be (`image`, `video`, `model`; empty for any), and the smaller picture to make of it, if any."""

    path: Path
    kind: str = ""
    small: SmallCopy | None = None
