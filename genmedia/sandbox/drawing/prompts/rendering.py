"""From a prompt to a finished file, the same file for the same prompt."""

import hashlib
import io
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageDraw

from genmedia.sandbox.drawing.prompts.looks import look_of
from genmedia.sandbox.drawing.prompts.pen import Pen, mix
from genmedia.sandbox.drawing.prompts.reading import Scene, read_scene
from genmedia.sandbox.drawing.prompts.references import MODES
from genmedia.sandbox.drawing.prompts.scenery import ENCLOSED, LIGHTS, PLACES, Layers, Stage, sky, weather
from genmedia.sandbox.drawing.prompts.subjects import AIRBORNE, DRAWINGS
from genmedia.sandbox.drawing.techniques.motion import ease
from genmedia.sandbox.drawing.techniques.rendering import UNDECODABLE, encode_mp4, load_picture
from genmedia.sandbox.drawing.techniques.studio import Colour, bare_letters, blur, lettering

_OVERSCAN = 1.14
_REFERENCE_SIDE = 512
_ACCENTS: tuple[Colour, ...] = (
    (214, 78, 64), (52, 118, 190), (232, 168, 60), (66, 148, 112), (156, 88, 168), (228, 110, 140), (40, 148, 168),
)  # fmt: skip
_NAMED = {
    "red": (206, 52, 48), "blue": (44, 104, 196), "green": (64, 146, 84), "yellow": (240, 196, 64), "orange": (238, 136, 48),
    "purple": (134, 76, 176), "pink": (238, 132, 168), "black": (44, 42, 50), "white": (238, 236, 232), "golden": (222, 176, 84),
}  # fmt: skip


class UnreadableReferenceError(ValueError):
    """A reference's bytes are not a picture that can be decoded."""


@dataclass(frozen=True)
class Prompt:
    """What a model is asked for.

    Attributes:
        text: The prompt.
        model: Whose look the picture has.
        ratio: Width to height.
        size: Longest side in pixels.
        seed: Tells pictures of one prompt apart.
        mode: How the references are used.
        references: Pictures as bytes.
    """

    text: str
    model: str
    ratio: tuple[int, int]
    size: int
    seed: int = 0
    mode: str | None = None
    references: tuple[bytes, ...] = ()

    def again(self, number: int) -> "Prompt":
        """The same prompt for another picture of a set."""
        return replace(self, seed=self.seed + number)


def paint(prompt: Prompt) -> bytes:
    """A picture (PNG).

    Raises:
        UnreadableReferenceError: A reference is not a picture.
    """
    buffer = io.BytesIO()
    _camera(prompt)(0.5).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def film(prompt: Prompt, seconds: int) -> bytes:
    """A clip (MP4, H.264) through whose layers the camera travels.

    Raises:
        UnreadableReferenceError: A reference is not a picture.
    """
    return encode_mp4(_camera(prompt), seconds)


def _camera(prompt: Prompt) -> Callable[[float], Image.Image]:
    """A function from the time, 0..1, to the frame shown then."""
    width, height = _measures(prompt)
    digest = hashlib.sha256(f"{prompt.text}\n{prompt.model}\n{prompt.seed}".encode()).digest()
    random = np.random.default_rng(int.from_bytes(digest[:8]))
    scene = read_scene(prompt.text)
    layers = _merged(_layers(prompt.text, scene, random, (round(width * _OVERSCAN), round(height * _OVERSCAN))))
    fall = weather(scene.weather, (width, height), random)
    references = [_load(data) for data in prompt.references]
    finish, side = look_of(prompt.model), float(random.choice([-1.0, 1.0]))
    label = _label(prompt.text, width, height)

    def frame(time: float) -> Image.Image:
        image = Image.new("RGB", (width, height))
        for depth, layer in layers:
            travelled = (ease(time) - 0.5) * depth
            zoom = 1 + 0.1 * travelled
            wide, tall = width / zoom, height / zoom
            left = (layer.width - wide) / 2 + side * travelled * (_OVERSCAN - 1) * 0.8 * width
            top = (layer.height - tall) / 2
            if zoom == 1:
                shown = layer.crop((round(left), round(top), round(left) + width, round(top) + height))
            else:
                left = min(max(0.0, left), layer.width - wide)
                shown = layer.resize((width, height), Image.Resampling.BILINEAR, (left, top, left + wide, top + tall))
            image.paste(shown, (0, 0), shown if shown.mode == "RGBA" else None)
        if references and prompt.mode:
            image = MODES[prompt.mode](image, references)
        fall(image, time)
        image = finish(image, np.random.default_rng(prompt.seed))
        image.paste((255, 255, 255), (0, height - label.height), label)
        return image

    return frame


def _measures(prompt: Prompt) -> tuple[int, int]:
    """Both sides in pixels: even, as the clips need it, and the longer one as asked."""
    across, down = prompt.ratio
    longest = max(across, down)
    width, height = (max(16, 2 * round(prompt.size * side / longest / 2)) for side in (across, down))
    return width, height


def _load(data: bytes) -> Image.Image:
    try:
        return load_picture(data, _REFERENCE_SIDE)
    except UNDECODABLE as error:
        raise UnreadableReferenceError from error


def _layers(text: str, scene: Scene, random: np.random.Generator, size: tuple[int, int]) -> Layers:
    stage = Stage(
        *size,
        LIGHTS[scene.light],
        scene.light == "night",
        random,
        horizon=float(random.uniform(0.52, 0.62)),
        sun=(
            float(random.uniform(0.18, 0.82)),
            float(random.uniform(0.16, 0.3)) + (0.16 if scene.light in {"sunset", "dawn"} else 0),
        ),
    )
    enclosed = [place for place in scene.places if place in ENCLOSED][:1]
    places = enclosed or [place for place in PLACES if place in scene.places and place != "sea"]
    if "sea" in scene.places and not enclosed:
        places.append("sea")
    layers: Layers = [] if enclosed else [(0.0, sky(stage).convert("RGBA"))]
    for place in places:
        painted = PLACES[place](stage)
        # Water lies before the land that it is seen with, so the land's own ground goes.
        layers += painted[:-1] if "sea" in places and place != "sea" and len(painted) > 1 else painted
    return [*layers, *_standing(text, scene, stage)]


def _merged(layers: Layers) -> Layers:
    """Three layers at most, each at the depth of its last: a clip moves every one of them in every frame."""
    groups: list[Layers] = [
        [layer for layer in layers if low <= layer[0] < high] for low, high in ((0, 0.2), (0.2, 0.6), (0.6, 2))
    ]
    merged: Layers = []
    for group in filter(None, groups):
        flat = group[0][1].copy()
        for _, layer in group[1:]:
            flat.alpha_composite(layer)
        merged.append((group[-1][0], flat))
    return [(merged[0][0], merged[0][1].convert("RGB")), *merged[1:]]


def _standing(text: str, scene: Scene, stage: Stage) -> Layers:
    """The subjects, side by side in front, each with its shadow."""
    if not scene.subjects:
        return []
    layer = stage.sheet()
    share, place_on_wall = 1 / len(scene.subjects), "room" in scene.places
    named = [_NAMED[word] for word in text.lower().replace(",", " ").split() if word in _NAMED]
    for number, subject in enumerate(reversed(scene.subjects)):
        accent = named[0] if named and number == len(scene.subjects) - 1 else _ACCENTS[int(stage.random.integers(len(_ACCENTS)))]
        room = min(stage.height * (0.82 if subject == "portrait" else 0.56), stage.width * (0.44 + 0.2 * share))
        pen = Pen(room)
        DRAWINGS[subject](pen, mix(accent, stage.light.low, 0.18 if stage.dark else 0.05), stage.random)
        item = pen.done(light=1.0 if stage.sun[0] > 0.5 else -1.0)
        x = stage.width * (0.5 + (number - (len(scene.subjects) - 1) / 2) * 0.36 + float(stage.random.uniform(-0.05, 0.05)))
        foot = stage.height * (0.99 if subject == "portrait" else 0.86 if place_on_wall else 0.88)
        if subject in AIRBORNE:
            foot = stage.height * float(stage.random.uniform(0.46, 0.6)) + item.height * 0.3
        else:
            _shadow(layer, x, foot - item.height * 0.02, item.width)
        layer.alpha_composite(item, (max(0, round(x - item.width / 2)), max(0, round(foot - item.height))))
    return [(0.8, layer)]


def _shadow(layer: Image.Image, x: float, y: float, wide: float) -> None:
    shade = Image.new("L", layer.size)
    ImageDraw.Draw(shade).ellipse((x - wide * 0.52, y - wide * 0.06, x + wide * 0.52, y + wide * 0.07), 150)
    dark = Image.new("RGBA", layer.size, (10, 8, 20, 0))
    dark.putalpha(blur(shade, wide * 0.05))
    layer.alpha_composite(dark)


def _label(text: str, width: int, height: int) -> Image.Image:
    """The prompt in small letters, as a mask for the foot of the picture."""
    size = max(7, round(min(width, height) * 0.032))
    lines = textwrap.wrap(bare_letters(text), max(8, round(width / size * 1.9)), max_lines=2, placeholder=" ...")
    mask = Image.new("L", (width, round(size * (1.3 * len(lines) + 0.6))))
    for number, line in enumerate(lines):
        ImageDraw.Draw(mask).text((size * 0.7, size * (0.25 + 1.3 * number)), line, 215, lettering(size))
    return mask
