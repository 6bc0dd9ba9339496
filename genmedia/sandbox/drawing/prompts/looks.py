"""What makes a model's pictures recognisable: each has a finish of its own."""

import hashlib
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps

from genmedia.sandbox.drawing.techniques.studio import blur, curve, glow, grade, grain, noise, picture, vignette

Look = Callable[[Image.Image, np.random.Generator], Image.Image]


def _natural(image: Image.Image, _: np.random.Generator) -> Image.Image:
    """Clear and bright, with a little bloom."""
    return vignette(glow(ImageEnhance.Color(image).enhance(1.12), image.width / 60, 0.22), 190)


def _painted(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Brush strokes on canvas, with dark contours."""
    side = max(3, round(image.width / 260)) | 1
    strokes = ImageEnhance.Color(image.filter(ImageFilter.ModeFilter(side))).enhance(1.3)
    edges = curve(blur(image.convert("L"), 1.2).filter(ImageFilter.FIND_EDGES), lambda value: 255 - value * 2.6)
    inked = ImageChops.multiply(strokes, Image.merge("RGB", [edges] * 3))
    cloth = picture(0.84 + 0.16 * noise(random, image.width, image.height, 48))
    return ImageChops.multiply(Image.blend(strokes, inked, 0.7), Image.merge("RGB", [cloth] * 3))


def _photographed(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """A lens: sharp in the middle, soft above and below, warm, with fine grain."""
    focus = np.clip(1.6 - np.abs(np.linspace(-1, 1.1, image.height, dtype=np.float32)) * 1.7, 0, 1)[:, None]
    sharp = picture(np.repeat(focus, image.width, axis=1))
    deep = Image.composite(image, blur(image, image.width / 260), sharp)
    warm = grade(ImageEnhance.Contrast(deep).enhance(1.1), (20, 18, 30), (134, 120, 108), (255, 244, 226), 0.2)
    return vignette(grain(warm, random, 0.022), 130)


def _pastel(image: Image.Image, _: np.random.Generator) -> Image.Image:
    """A flat illustration: few soft colours and a white border."""
    calm = blur(image, image.width / 500).filter(ImageFilter.MedianFilter(5))
    pale = Image.blend(calm, Image.new("RGB", image.size, (255, 244, 236)), 0.24)
    flat = pale.quantize(36, Image.Quantize.MEDIANCUT, kmeans=1, dither=Image.Dither.NONE).convert("RGB")
    soft = ImageEnhance.Color(flat.filter(ImageFilter.ModeFilter(5))).enhance(1.15)
    rim = max(2, round(min(image.size) * 0.025))
    return ImageOps.expand(soft.crop((rim, rim, image.width - rim, image.height - rim)), rim, (255, 252, 246))


def _cinema(image: Image.Image, _: np.random.Generator) -> Image.Image:
    """Teal shadows and orange lights."""
    return vignette(grade(image, (6, 26, 40), (122, 122, 116), (255, 226, 184), 0.34), 120)


def _premiere(image: Image.Image, _: np.random.Generator) -> Image.Image:
    """The same, deeper, with bloom and bars above and below."""
    lit = glow(grade(image, (8, 16, 34), (118, 116, 122), (255, 232, 196), 0.3), image.width / 70, 0.3)
    bar = round(image.height * 0.07)
    return ImageOps.expand(lit.crop((0, bar, image.width, image.height - bar)), (0, bar), (0, 0, 0))


def _draft(image: Image.Image, _: np.random.Generator) -> Image.Image:
    """Softer and paler."""
    return ImageEnhance.Color(blur(image, image.width / 640)).enhance(0.72)


LOOKS: dict[str, Look] = {
    "imagen4": _natural,
    "nano_banana_pro": _painted,
    "nano_banana2": _photographed,
    "freepik": _pastel,
    "veo3_fast": _cinema,
    "veo3_quality": _premiere,
    "veo2_fast": _draft,
}


def look_of(model: str) -> Look:
    """The model's finish; a model without one of its own always borrows the same."""
    if model in LOOKS:
        return LOOKS[model]
    borrowed = list(LOOKS.values())
    return borrowed[hashlib.sha256(model.encode()).digest()[0] % len(borrowed)]
