"""What reference images do to a picture, mode by mode; all of it is meant to be seen."""

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageChops, ImageOps

from genmedia.sandbox.drawing.techniques.studio import blur, cut_out, fill, glow, luma, palette, picture, pixels, place

Mode = Callable[[Image.Image, Sequence[Image.Image]], Image.Image]


def _ingredients(image: Image.Image, references: Sequence[Image.Image]) -> Image.Image:
    """Each reference's subject stands in the scene, side by side."""
    return _standing(image, references, 0.52)


def _character(image: Image.Image, references: Sequence[Image.Image]) -> Image.Image:
    """The first reference's subject stands large in front."""
    return _standing(image, references[:1], 0.8)


def _element(image: Image.Image, references: Sequence[Image.Image]) -> Image.Image:
    """The references' subjects return small along the foot."""
    several = [references[place_ % len(references)] for place_ in range(4)]
    return _standing(image, several, 0.27)


def _standing(image: Image.Image, references: Sequence[Image.Image], tall: float) -> Image.Image:
    canvas, width, height = image.copy(), image.width, image.height
    cell = width / len(references)
    for number, reference in enumerate(references):
        item = ImageOps.contain(cut_out(reference), (round(cell * 0.92), round(height * tall)), Image.Resampling.BICUBIC)
        place(canvas, item, cell * (number + 0.5), height * 0.93 - item.height / 2, min(width, height) * 0.015)
    return canvas


def _style(image: Image.Image, references: Sequence[Image.Image]) -> Image.Image:
    """The reference's main colours from dark to light, and its texture."""
    reference = fill(references[0], *image.size)
    tones = sorted(palette(reference, 6), key=sum)
    level = np.linspace(0, 255, len(tones))
    ramp = [np.interp(range(256), level, [tone[plane] for tone in tones]) for plane in range(3)]
    values = np.asarray(ImageOps.autocontrast(image.convert("L"), 1))
    coloured = np.stack([plane[values] for plane in ramp], axis=2).astype(np.float32) / 255
    texture = (luma(reference) - luma(blur(reference, image.width / 150)))[..., None]
    return picture(coloured + texture * 0.8)


def _color(image: Image.Image, references: Sequence[Image.Image]) -> Image.Image:
    """The reference's mean colour and contrast, plane by plane."""
    own, wanted = pixels(image), pixels(references[0].resize((96, 96)))
    axes = (0, 1)
    spread = np.clip(wanted.std(axis=axes) / (own.std(axis=axes) + 0.02), 0.5, 1.6)
    return picture((own - own.mean(axis=axes)) * spread + wanted.mean(axis=axes))


def _effects(image: Image.Image, references: Sequence[Image.Image]) -> Image.Image:
    """The reference's light falls on the scene, and its bright spots glow in it."""
    reference = fill(references[0], *image.size)
    light = pixels(blur(reference, image.width / 14))
    lit = picture(pixels(image) * (0.45 + light * 1.1))
    return ImageChops.screen(
        glow(lit, image.width / 50, 0.3), picture(np.clip(pixels(blur(reference, image.width / 90)) * 2 - 1.25, 0, 0.6))
    )


def _camera(image: Image.Image, references: Sequence[Image.Image]) -> Image.Image:
    """The camera tilts with the reference's main direction, and goes to where the reference is brightest."""
    grey = luma(references[0].resize((64, 64)))
    down, across = np.gradient(grey)
    angle = 0.5 * np.degrees(np.arctan2(2 * float((across * down).sum()), float((across**2 - down**2).sum())))
    tilt = float(np.clip(angle / 5, -9, 9)) or 4.0
    weight = grey**3
    x = float((weight.sum(axis=0) * np.arange(64)).sum() / weight.sum() / 63)
    y = float((weight.sum(axis=1) * np.arange(64)).sum() / weight.sum() / 63)
    turned = image.rotate(tilt if abs(tilt) > 3 else 3 * np.sign(tilt), Image.Resampling.BICUBIC)
    wide, tall = image.width * 0.7, image.height * 0.7
    left, top = (image.width - wide) * (0.3 + 0.4 * x), (image.height - tall) * (0.3 + 0.4 * y)
    return turned.resize(image.size, Image.Resampling.BICUBIC, (left, top, left + wide, top + tall))


MODES: dict[str, Mode] = {
    "ingredients": _ingredients,
    "style": _style,
    "character": _character,
    "element": _element,
    "color": _color,
    "effects": _effects,
    "camera": _camera,
}
"""What each mode does with the references."""
