"""From inputs as bytes and text to finished files, the same files for the same inputs."""

import hashlib
import io
import struct
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
from PIL import Image, ImageOps

from genmedia.sandbox.drawing.techniques import camera, graphics, layouts, mockups, motion, photographs
from genmedia.sandbox.drawing.techniques.catalogue import CATALOGUE, Technique
from genmedia.sandbox.drawing.techniques.studio import Order

_PHOTOGRAPHIC = photographs.RECIPES | camera.RECIPES | mockups.RECIPES | layouts.RECIPES
_FLAT = graphics.RECIPES
_FRAMES_PER_SECOND = 24
_MOST_PIXELS = 64_000_000
# What Pillow's decoders raise on damaged files; RuntimeError comes from AVIF, SyntaxError from PNG.
UNDECODABLE = (
    OSError, SyntaxError, ValueError, RuntimeError, struct.error,
    Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "TIFF")


class UnreadableInputError(ValueError):
    """An input's bytes are not a picture that can be decoded; `input_id` names it."""

    def __init__(self, input_id: str) -> None:
        super().__init__(f"The input {input_id!r} is not a readable picture.")
        self.input_id = input_id


@dataclass(frozen=True)
class Rendered:
    """One finished output: its id in the technique, its media type and the file's bytes (text: UTF-8)."""

    output_id: str
    media_type: Literal["image/png", "image/jpeg", "video/mp4", "model/gltf-binary", "text/plain"]
    data: bytes


def render(slug: str, inputs: Mapping[str, bytes | str], size: int) -> list[Rendered]:
    """Run a technique and get its outputs in the order the technique lists them.

    `inputs` holds a value for every input: bytes for a picture, a string for a text. The longest side of every picture and
    clip is `size` pixels. The same call gives the same bytes on the same machine.

    Raises:
        UnreadableInputError: An input that should be a picture is not one.
        KeyError: No such technique, or an input is missing.
    """
    technique = CATALOGUE[slug]
    order = _order(technique, inputs, size)
    if film := motion.RECIPES.get(slug):
        return [Rendered(technique.outputs[0].id, "video/mp4", encode_mp4(film.direct(order), film.seconds))]
    flat = slug in _FLAT
    made = (_FLAT if flat else _PHOTOGRAPHIC)[slug](order)
    return [
        Rendered(field.id, "text/plain", result.encode())
        if isinstance(result, str)
        else Rendered(field.id, "image/png" if flat else "image/jpeg", _still(result, size, flat=flat))
        for field, result in zip(technique.outputs, [made] if isinstance(made, Image.Image) else made, strict=True)
    ]


def _order(technique: Technique, inputs: Mapping[str, bytes | str], size: int) -> Order:
    pictures: dict[str, Image.Image] = {}
    texts: dict[str, str] = {}
    digest = hashlib.sha256(technique.slug.encode())
    for field in technique.inputs:
        value = inputs[field.id]
        if isinstance(value, str):
            texts[field.id] = " ".join(value.split())[:200]
        else:
            pictures[field.id] = _load(field.id, value, size)
        digest.update(hashlib.sha256(value.encode() if isinstance(value, str) else value).digest())
    return Order(pictures, texts, size, int.from_bytes(digest.digest()[:8]))


def _load(input_id: str, data: bytes, size: int) -> Image.Image:
    try:
        return load_picture(data, size)
    except UNDECODABLE as error:
        raise UnreadableInputError(input_id) from error


def load_picture(data: bytes, size: int) -> Image.Image:
    """The picture upright, on white where it is transparent, its longest side at `size`, at most four times as long as wide.

    Raises one of `UNDECODABLE` when it cannot be read.
    """
    with Image.open(io.BytesIO(data), formats=_FORMATS) as opened:
        if opened.width * opened.height > _MOST_PIXELS:
            raise Image.DecompressionBombError
        opened.draft("RGB", (size, size))
        upright = ImageOps.exif_transpose(opened).convert("RGBA")
    image = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright).convert("RGB")
    longest = max(image.size)
    image = ImageOps.fit(image, (max(image.width, longest // 4), max(image.height, longest // 4)))
    return ImageOps.contain(image, (size, size), Image.Resampling.BICUBIC)


def _still(image: Image.Image, size: int, *, flat: bool) -> bytes:
    buffer = io.BytesIO()
    whole = ImageOps.contain(image, (size, size), Image.Resampling.BICUBIC)
    if flat:
        whole.save(buffer, "PNG", compress_level=1)
    else:
        whole.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def encode_mp4(frame_at: motion.FrameAt, seconds: int) -> bytes:
    """Encode a clip (H.264) frame by frame.

    A real file, since moving the index to the front reads back what was written.
    """
    count = seconds * _FRAMES_PER_SECOND
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "clip.mp4")
        with av.open(str(file), "w", options={"movflags": "+faststart"}) as container:
            stream = container.add_stream("libx264", _FRAMES_PER_SECOND, {"preset": "veryfast", "crf": "23"})
            stream.width, stream.height = frame_at(0.0).size
            stream.pix_fmt = "yuv420p"
            stream.codec_context.thread_count = 1
            for number in range(count):
                frame = av.VideoFrame.from_ndarray(np.asarray(frame_at(number / (count - 1))), "rgb24")
                frame.pts, frame.time_base = number, Fraction(1, _FRAMES_PER_SECOND)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return file.read_bytes()
