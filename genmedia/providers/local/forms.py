"""Forms of the steps that this machine does: pictures and videos made of others."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, ClassVar, Literal

from PIL import ImageColor
from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from genmedia.errors import Fault
from genmedia.forms.fields import field
from genmedia.forms.names import FileName
from genmedia.forms.prompts import Prompt
from genmedia.media.making import LARGEST_SIDE, LOWEST_QUALITY
from genmedia.providers.sources import Picture, Source, StepForm

MOST = 200
"""Most pictures of a contact sheet, and most videos that become one."""

Given = tuple[str, Source, frozenset[str]]
"""An input of a step: its name, its source, and the media that it may be."""

_IMAGE, _VIDEO, _HEARD = frozenset({"image"}), frozenset({"video"}), frozenset({"audio", "video"})


def _colour(written: str) -> str:
    try:
        if written != "transparent":
            ImageColor.getrgb(written)
    except ValueError:
        raise ValueError("is no colour; write it as #1a2b3c, with its opacity as #1a2b3c80, or by its name, as white") from None
    return written


Colour = Annotated[str, AfterValidator(_colour)]
Pixels = Annotated[int, Field(ge=1, le=LARGEST_SIDE)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Format = Literal["jpg", "png", "webp", "avif"]

_INPUT = field("Input", "The picture: a file, or what a step above gives; a picture of a video by `at`.")
_FILM = field("Input", "The video: a file, or what a step above gives.")
_FORMAT = field("Format", "jpg, png, webp or avif; empty: that of the input.", default=None)
_QUALITY = field(
    "Quality",
    "1 to 100; empty: one at which hardly a difference is seen. A png has none.",
    example=80,
    default=None,
    ge=1,
    le=100,
)
_MAX_BYTES = field(
    "Size limit",
    f"Largest size of the file, in bytes: the quality is lowered for it, down to {LOWEST_QUALITY}.",
    example=200_000,
    default=None,
    ge=1,
)


class LocalStep(StepForm):
    """The fields that every step of this machine has, and what it asks for."""

    VERSION: ClassVar[int] = 1
    """Raised with a change of what the operation gives, so that files made before are not taken for those of now."""

    GIVES: ClassVar[str] = "image"
    """Medium of the result."""

    @property
    def take(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride] # of the other kinds it is a field
        """Number of the take: there is only one, for the same asked for again would be the same file."""
        return 1

    @abstractmethod
    def given(self) -> list[Given]:
        """Return the inputs."""

    def faults(self) -> Iterable[Fault]:
        """Return what does not fit together; the place of a fault follows the step's own."""
        return ()

    def options(self) -> dict[str, Any]:
        """Return what is asked for besides the inputs, as JSON, without what is left as it is by default."""
        fields = {"name", "local", "input", "inputs", "logo", "sound"}
        return self.model_dump(mode="json", exclude_defaults=True, exclude=fields)


class _Encoded(LocalStep):
    """A step that gives a picture in a format of choice, as its fields `format`, `quality` and `max_bytes` say."""

    def faults(self) -> Iterator[Fault]:
        """Return what does not fit together."""
        asked = self.options()
        if asked.get("format") == "png":
            for name in asked.keys() & {"quality", "max_bytes"}:
                yield Fault(f", {name}", "is not for png, which keeps every pixel; webp is smaller, and keeps transparency too")


class Resize(_Encoded):
    """A picture in another size or shape."""

    model_config = ConfigDict(title="Local: resize")

    local: Literal["resize"] = field("Operation", "A picture in another size or shape.", shown={"default": "resize"})
    input: Picture = _INPUT
    width: Pixels | None = field("Width", "In pixels; empty: as the height asks for.", example=1080, default=None)
    height: Pixels | None = field("Height", "In pixels; empty: as the width asks for.", example=1920, default=None)
    fit: Literal["cover", "contain", "pad"] = field(
        "Fit",
        "Where the shape is another one: cover fills the size and cuts off the rest; contain stays within the size, and pad too, with "
        "the rest filled by the background.",
        default="cover",
    )
    focus: tuple[Share, Share] = field(
        "Focus",
        "Of cover: the point that is kept, as shares of width and height from the top left; [0.5, 0.5] is the middle.",
        example=[0.5, 0.3],
        default=(0.5, 0.5),
    )
    background: Colour = field(
        "Background", "Colour that fills what is empty, and what is transparent in a jpg.", example="#f4f1ea", default="white"
    )
    format: Format | None = _FORMAT
    quality: int | None = _QUALITY
    max_bytes: int | None = _MAX_BYTES

    def given(self) -> list[Given]:
        """Return the inputs."""
        return [("input", self.input, _IMAGE)]

    def faults(self) -> Iterator[Fault]:
        """Return what does not fit together."""
        yield from super().faults()
        if self.width is None and self.height is None:
            yield Fault(", width", "is missing, and so is height; one of them is needed")
        if self.fit == "pad" and None in (self.width, self.height):
            yield Fault(", fit", "pad needs both width and height")
        if self.fit != "cover" and "focus" in self.model_fields_set:
            yield Fault(", focus", f"is for cover only; {self.fit} cuts nothing off")


class Convert(_Encoded):
    """A picture in another format."""

    model_config = ConfigDict(title="Local: convert")

    local: Literal["convert"] = field("Operation", "A picture in another format or quality.", shown={"default": "convert"})
    input: Picture = _INPUT
    format: Format = field("Format", "jpg, png, webp or avif.", example="webp")
    quality: int | None = _QUALITY
    max_bytes: int | None = _MAX_BYTES
    background: Colour = field("Background", "Colour of what is transparent, in a jpg.", example="#f4f1ea", default="white")

    def given(self) -> list[Given]:
        """Return the inputs."""
        return [("input", self.input, _IMAGE)]


class Overlay(_Encoded):
    """A logo on a picture."""

    model_config = ConfigDict(title="Local: overlay")

    local: Literal["overlay"] = field("Operation", "A logo, or another picture, on a picture.", shown={"default": "overlay"})
    input: Picture = _INPUT
    logo: Picture = field("Logo", "The picture that is put onto it; a png or webp may be transparent.")
    corner: Literal["top-left", "top", "top-right", "left", "center", "right", "bottom-left", "bottom", "bottom-right"] = field(
        "Corner", "Where it stands.", default="bottom-right"
    )
    margin: Annotated[int, Field(ge=0, le=LARGEST_SIDE)] = field(
        "Margin", "Distance from the edges, in pixels.", example=24, default=24
    )
    scale: Annotated[float, Field(gt=0, le=1)] = field(
        "Scale", "Its width, as a share of that of the picture.", example=0.2, default=0.2
    )
    opacity: Share = field("Opacity", "1 hides what is below it, 0 shows nothing of it.", example=0.8, default=1.0)
    format: Format | None = _FORMAT
    quality: int | None = _QUALITY
    max_bytes: int | None = _MAX_BYTES

    def given(self) -> list[Given]:
        """Return the inputs."""
        return [("input", self.input, _IMAGE), ("logo", self.logo, _IMAGE)]


class Lettered(_Encoded):
    """A text on a picture."""

    model_config = ConfigDict(title="Local: text")

    local: Literal["text"] = field("Operation", "A text on a picture.", shown={"default": "text"})
    input: Picture = _INPUT
    text: Prompt = field(
        "Text",
        "In any script; {prompt} in it stands for the prompt of the run. Lines are wrapped; a line break begins a new one.",
        example="Spring 2026",
        min_length=1,
        max_length=2_000,
    )
    font: FileName = field(
        "Font",
        "The path of a font's file, or the name of an installed family of Noto; empty: Noto Sans. What it has no signs of is "
        "written in another font of Noto.",
        example="fonts/Acme.ttf",
        default="",
    )
    bold: bool = field("Bold", "In the bold fonts of Noto.", default=False)
    size: Annotated[int, Field(ge=8, le=2_000)] | None = field(
        "Size", "Largest size of the letters, in pixels; empty: as large as the box has room for.", example=72, default=None
    )
    box: tuple[Share, Share, Share, Share] = field(
        "Box",
        "Where it stands: left, top, width and height, as shares of the picture. The letters are made smaller until they fit.",
        example=[0.05, 0.7, 0.9, 0.25],
        default=(0.05, 0.05, 0.9, 0.9),
    )
    align: Literal["start", "left", "center", "right", "end"] = field(
        "Alignment", "Of the lines; start and end follow the direction of the script.", default="center"
    )
    vertical: Literal["top", "middle", "bottom"] = field("Place in the box", "Of all lines.", default="middle")
    colour: Colour = field("Colour", "Of the letters.", example="#ffffff", default="white")
    outline: Colour | None = field("Outline", "Colour around each letter; empty for none.", example="#000000", default=None)
    background: Colour | None = field("Background", "Colour behind the lines; empty for none.", example="#00000080", default=None)
    format: Format | None = _FORMAT
    quality: int | None = _QUALITY
    max_bytes: int | None = _MAX_BYTES

    def given(self) -> list[Given]:
        """Return the inputs."""
        return [("input", self.input, _IMAGE)]

    def faults(self) -> Iterator[Fault]:
        """Return what does not fit together."""
        yield from super().faults()
        left, top, width, height = self.box
        if not width or not height or left + width > 1.001 or top + height > 1.001:
            yield Fault(", box", "goes beyond the picture, or has no size; it is left, top, width and height, each from 0 to 1")


class ContactSheet(_Encoded):
    """Many pictures on one."""

    model_config = ConfigDict(title="Local: contact sheet")

    local: Literal["contact-sheet"] = field("Operation", "Many pictures on one, in a grid.", shown={"default": "contact-sheet"})
    inputs: list[Picture] = field(
        "Inputs",
        "The pictures, in order; with output: '*' all that a step gives.",
        min_length=1,
        max_length=MOST,
    )
    columns: Annotated[int, Field(ge=1, le=MOST)] | None = field(
        "Columns", "Number of columns; empty: about as many as rows.", example=3, default=None
    )
    captions: list[Annotated[Prompt, StringConstraints(max_length=200)]] = field(
        "Captions", "A text below each input, in their order; empty for none.", example=["left", "right"], default=[]
    )
    cell: Annotated[int, Field(ge=32, le=2_048)] = field(
        "Cell", "Longest side of each picture, in pixels.", example=480, default=480
    )
    background: Colour = field("Background", "Colour between the pictures.", example="#202124", default="white")
    format: Format | None = field("Format", "jpg, png, webp or avif; empty: jpg.", default=None)
    quality: int | None = _QUALITY
    max_bytes: int | None = _MAX_BYTES

    def given(self) -> list[Given]:
        """Return the inputs."""
        return _numbered(self.inputs, _IMAGE)

    def faults(self) -> Iterator[Fault]:
        """Return what does not fit together."""
        yield from super().faults()
        if self.captions and len(self.captions) != len(self.inputs):
            yield Fault(", captions", f"has {len(self.captions)} texts for {len(self.inputs)} inputs")


class Frame(_Encoded):
    """A picture of a video."""

    model_config = ConfigDict(title="Local: frame")

    local: Literal["frame"] = field("Operation", "A picture of a video.", shown={"default": "frame"})
    input: Picture = _FILM
    at: (
        Annotated[Seconds, Field(title="At a second")] | Annotated[Literal["first", "last", "poster"], Field(title="At a place")]
    ) = field("At", "A second of the video, first, last, or poster for the one in the middle.", example="last", default="poster")
    format: Format | None = field("Format", "jpg, png, webp or avif; empty: png.", default=None)
    quality: int | None = _QUALITY
    max_bytes: int | None = _MAX_BYTES

    def given(self) -> list[Given]:
        """Return the inputs."""
        return [("input", self.input, _VIDEO)]


class Trim(LocalStep):
    """A part of a video."""

    GIVES = "video"
    model_config = ConfigDict(title="Local: trim")

    local: Literal["trim"] = field("Operation", "A part of a video.", shown={"default": "trim"})
    input: Picture = _FILM
    start: Seconds = field("Start", "Second at which it begins.", example=0.5, default=0.0)
    end: Seconds | None = field("End", "Second before which it ends; empty: the end of the video.", example=4, default=None)

    def given(self) -> list[Given]:
        """Return the inputs."""
        return [("input", self.input, _VIDEO)]

    def faults(self) -> Iterator[Fault]:
        """Return what does not fit together."""
        if not self.start and self.end is None:
            yield Fault(", start", "is missing, and so is end; one of them is needed")
        if self.end is not None and self.end <= self.start:
            yield Fault(", end", f"should be after the start, {self.start:g}")


class Concatenate(LocalStep):
    """Videos, one after the other."""

    GIVES = "video"
    model_config = ConfigDict(title="Local: concatenate")

    local: Literal["concatenate"] = field(
        "Operation", "Videos, one after the other, in the size of the first.", shown={"default": "concatenate"}
    )
    inputs: list[Picture] = field(
        "Inputs", "The videos, in order; with output: '*' all that a step gives.", min_length=1, max_length=MOST
    )
    fit: Literal["pad", "cover"] = field(
        "Fit", "Where one has another shape than the first: pad shows it whole, on black; cover cuts off the rest.", default="pad"
    )

    def given(self) -> list[Given]:
        """Return the inputs."""
        return _numbered(self.inputs, _VIDEO)


class Sounding(LocalStep):
    """A video with another sound, or none."""

    GIVES = "video"
    model_config = ConfigDict(title="Local: sound")

    local: Literal["sound"] = field("Operation", "A video with another sound, or with none.", shown={"default": "sound"})
    input: Picture = _FILM
    mute: bool = field("Mute", "True for a video without sound.", default=False)
    sound: Picture | None = field(
        "Sound", "The sound: an MP3, WAV, FLAC, Ogg or M4A, or a video that has one. It ends where the video does.", default=None
    )

    def given(self) -> list[Given]:
        """Return the inputs."""
        return [("input", self.input, _VIDEO), *([("sound", self.sound, _HEARD)] if self.sound else [])]

    def faults(self) -> Iterator[Fault]:
        """Return what does not fit together."""
        if self.mute == (self.sound is not None):
            yield Fault(", sound", "is there, and so is mute; only one can be" if self.mute else "is missing; or say mute: true")


def _numbered(sources: Iterable[Source], media: frozenset[str]) -> list[Given]:
    return [(f"input {number}", source, media) for number, source in enumerate(sources, 1)]
