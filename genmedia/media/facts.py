"""The facts of a media file, and how one is asked about. It imports little, so that the process that looks at files starts quickly."""

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
    "text/plain": "txt",
}
"""The types that are kept, and the suffix each gets in the store."""


@dataclass(frozen=True)
class MediaFacts:
    """The facts of a file; None where one does not apply.

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
        """The facts that are not None, by the names that sidecars give them, without the warnings."""
        return {name: value for name, value in asdict(self).items() if value is not None and name != "warnings"}


@dataclass(frozen=True)
class SmallCopy:
    """A smaller picture to be made of a file: a thumbnail, or a reference within a provider's limits.

    Attributes:
        path: Where it goes.
        side: Its longest side in pixels, at most.
        format: `WEBP`, `JPEG` or `PNG`.
        max_bytes: How large it may become; quality gives way.
        at: Of a video: the second that it shows, or its last picture; one from the middle by default.
        quality: Of 100, at first.
        clear: Whether what is transparent stays so; else it gets a neutral ground.
    """

    path: Path
    side: int = 480
    format: str = "WEBP"
    max_bytes: int = 2**20
    at: float | Literal["last"] | None = None
    quality: int = 80
    clear: bool = False


@dataclass(frozen=True)
class Candidate:
    """A file to inspect: the kind it should be (`image`, `video`, `model`; empty for any), and the smaller picture to make of it, if any."""

    path: Path
    kind: str = ""
    small: SmallCopy | None = None
