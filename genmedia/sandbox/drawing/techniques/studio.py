"""The building blocks the techniques share: pixels, light, masks, warps and lettering.

Pictures are RGB with their longest side at `Order.size`; arrays are float32 in 0..1.
"""

import functools
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont, ImageOps

Pixels = NDArray[np.floating]
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Order:
    """What one run asks for: its decoded pictures and texts by input id, the size in pixels and a seed from its inputs."""

    pictures: Mapping[str, Image.Image]
    texts: Mapping[str, str]
    size: int
    seed: int

    @property
    def picture(self) -> Image.Image:
        """The first picture asked for."""
        return next(iter(self.pictures.values()))

    @property
    def text(self) -> str:
        """The first text asked for."""
        return next(iter(self.texts.values()))

    def random(self) -> np.random.Generator:
        """A generator that gives the same numbers for the same inputs."""
        return np.random.default_rng(self.seed)


Recipe = Callable[[Order], "Image.Image | Sequence[Image.Image | str]"]


def pixels(image: Image.Image) -> Pixels:
    """A picture as height x width x 3."""
    return np.asarray(image.convert("RGB"), dtype=np.float32) / 255


def luma(image: Image.Image) -> Pixels:
    """A picture's brightness as height x width."""
    return np.asarray(image.convert("L"), dtype=np.float32) / 255


def planes(values: Sequence[float] | Sequence[Sequence[float]]) -> Pixels:
    """A colour in 0..1, or a row of them, to reckon with pixels."""
    return np.array(values, dtype=np.float32)


def curve(image: Image.Image, tone: Callable[[int], float]) -> Image.Image:
    """The picture with every value 0..255 replaced by its tone, kept within 0..255."""
    return image.point([min(255, max(0, round(tone(value)))) for value in range(256)] * len(image.getbands()))


def picture(values: Pixels) -> Image.Image:
    """An array as a picture: three planes give RGB, one gives grey."""
    return Image.fromarray((np.clip(values, 0, 1) * 255).astype(np.uint8))


def grid(width: int, height: int) -> tuple[Pixels, Pixels]:
    """The coordinates x and y of every pixel, -1..1 from the top left."""
    y, x = np.meshgrid(np.linspace(-1, 1, height, dtype=np.float32), np.linspace(-1, 1, width, dtype=np.float32), indexing="ij")
    return x, y


def noise(random: np.random.Generator, width: int, height: int, cells: int = 5) -> Pixels:
    """Smooth clouds in 0..1: four octaves of value noise, `cells` across the coarsest."""
    total = np.zeros((height, width), dtype=np.float32)
    for octave in range(4):
        coarse = random.random((cells << octave, cells << octave), dtype=np.float32)
        total += luma(picture(coarse).resize((width, height), Image.Resampling.BICUBIC)) * 0.5 ** (octave + 1)
    return total / 0.9375


def fill(image: Image.Image, width: float, height: float, centring: tuple[float, float] = (0.5, 0.5)) -> Image.Image:
    """The picture scaled and cropped to cover exactly width x height."""
    return ImageOps.fit(image, (max(1, round(width)), max(1, round(height))), Image.Resampling.BICUBIC, 0, centring)


def close_up(image: Image.Image, x: float, y: float, part: float) -> Image.Image:
    """The window `part` of the picture's width and height around (x, y), all in 0..1."""
    width, height = image.size
    left, top = (x - part / 2) * width, (y - part / 2) * height
    return image.crop((round(left), round(top), round(left + part * width), round(top + part * height)))


def blur(image: Image.Image, radius: float) -> Image.Image:
    """The picture out of focus."""
    return image.filter(ImageFilter.GaussianBlur(radius))


def backdrop(width: float, height: float, top: Colour, bottom: Colour) -> Image.Image:
    """A gradient from top to bottom."""
    return ImageOps.colorize(Image.linear_gradient("L").resize((round(width), round(height))), top, bottom)


def spotlight(width: float, height: float, centre: Colour, edge: Colour) -> Image.Image:
    """A gradient from the middle outwards."""
    return ImageOps.colorize(Image.radial_gradient("L").resize((round(width), round(height))), centre, edge)


def vignette(image: Image.Image, edge: int = 90) -> Image.Image:
    """The picture with its corners darkened to `edge` of 255."""
    return ImageChops.multiply(image, spotlight(*image.size, (255, 255, 255), (edge, edge, edge)))


def glow(image: Image.Image, radius: float, amount: float) -> Image.Image:
    """The picture with its lights bleeding into their surroundings."""
    return ImageChops.screen(image, curve(blur(image, radius), lambda value: value * amount))


def grade(image: Image.Image, shadows: Colour, middle: Colour, lights: Colour, amount: float) -> Image.Image:
    """The picture drawn towards a tint of its shadows, middle tones and lights."""
    tinted = ImageOps.colorize(image.convert("L"), shadows, lights, middle)
    return Image.blend(image, tinted, amount)


def grain(image: Image.Image, random: np.random.Generator, amount: float) -> Image.Image:
    """The picture with film grain; `amount` is its standard deviation in 0..1."""
    speckle = random.standard_normal((image.height, image.width, 1), dtype=np.float32)
    return picture(pixels(image) + speckle * amount)


def palette(image: Image.Image, count: int) -> list[Colour]:
    """The picture's main colours, the commonest first."""
    reduced = image.resize((96, 96), Image.Resampling.BOX).quantize(count, Image.Quantize.MEDIANCUT, kmeans=2)
    table = reduced.getpalette() or []
    ranked = sorted(enumerate(reduced.histogram()[:count]), key=lambda entry: -entry[1])
    colours = [(table[3 * i], table[3 * i + 1], table[3 * i + 2]) for i, uses in ranked if uses]
    return [colours[i % len(colours)] for i in range(count)]


def subject(image: Image.Image) -> Image.Image:
    """A soft mask of what the picture is about.

    Colours that are commoner in the middle than at the border count as subject, so it works without a model.
    """
    side = 96
    small = np.asarray(image.resize((side, side)), dtype=np.int64) // 32
    code = (small[..., 0] * 8 + small[..., 1]) * 8 + small[..., 2]
    x, y = grid(side, side)
    middle = np.exp(-2.2 * (x**2 + y**2))
    inside = np.bincount(code.ravel(), middle.ravel(), 512)
    outside = np.bincount(code.ravel(), 1 - middle.ravel(), 512)
    score = (inside / (inside + outside + 1e-6))[code] * 0.9 + middle * 0.6
    score = luma(blur(picture(score.astype(np.float32)), 3)) * np.clip(7 - 7 * np.maximum(abs(x), abs(y)), 0, 1)
    return picture((score - 0.45) * 8).resize(image.size, Image.Resampling.BICUBIC)


def cut_out(image: Image.Image) -> Image.Image:
    """The picture's subject alone (RGBA), cropped to where it stands."""
    mask = subject(image)
    alone = image.convert("RGBA")
    alone.putalpha(mask)
    return alone.crop(curve(mask, lambda value: 255 * (value > 40)).getbbox())


def rounded(image: Image.Image, radius: float) -> Image.Image:
    """The picture (RGBA) with round corners."""
    mask = Image.new("L", image.size)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, image.width - 1, image.height - 1), radius, 255)
    framed = image.convert("RGBA")
    framed.putalpha(mask)
    return framed


def polaroid(image: Image.Image, width: float, angle: float, ratio: float = 1.0) -> Image.Image:
    """The picture (RGBA) as a print with a white border, turned by `angle` degrees; `ratio` is height to width."""
    rim = max(1, round(width * 0.06))
    print_ = ImageOps.expand(fill(image, width, width * ratio), (rim, rim, rim, rim * 3), (250, 248, 243))
    return print_.convert("RGBA").rotate(angle, Image.Resampling.BICUBIC, expand=True)


def place(canvas: Image.Image, item: Image.Image, x: float, y: float, shadow: float = 0.0) -> None:
    """Lay an RGBA item on the canvas with its middle at (x, y); a shadow falls below it by `shadow` pixels."""
    left, top = round(x - item.width / 2), round(y - item.height / 2)
    if shadow:
        pad = round(shadow * 3)
        shade = ImageOps.expand(item.getchannel("A"), pad, 0)
        shade = curve(blur(shade, shadow), lambda value: value * 0.45)
        canvas.paste((15, 12, 18), (left - pad, round(top - pad + shadow)), shade)
    canvas.paste(item, (left, top), item)


def warp(image: Image.Image, corners: Sequence[tuple[float, float]], width: int, height: int) -> Image.Image:
    """The picture (RGBA, width x height) pulled to four corners, clockwise from the top left, as seen in perspective."""
    rows: list[list[float]] = []
    wanted: list[float] = []
    for (x, y), (u, v) in zip(corners, ((0, 0), (image.width, 0), (image.width, image.height), (0, image.height)), strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        wanted += [u, v]
    terms = [float(term) for term in np.linalg.solve(np.array(rows), np.array(wanted))]
    return image.convert("RGBA").transform((width, height), Image.Transform.PERSPECTIVE, terms, Image.Resampling.BICUBIC)


@functools.cache
def lettering(height: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The built-in typeface, `height` pixels high."""
    return ImageFont.load_default(height)


def bare_letters(text: str) -> str:
    """A text as the built-in typeface can draw it: accents are left out, and what is then still not ASCII is a question mark."""
    bare = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    return bare.encode("ascii", "replace").decode()


def write(
    canvas: Image.Image,
    at: tuple[float, float],
    text: str,
    height: float,
    colour: Colour,
    *,
    anchor: str = "mm",
    width: float = 0.0,
) -> None:
    """Letter the canvas in one line at most `width` pixels long (0: the canvas's own width), smaller where it must be.

    See `bare_letters`.
    """
    text = bare_letters(text)
    draw = ImageDraw.Draw(canvas)
    room = width or canvas.width * 0.94
    font = lettering(max(5, round(height)))
    if (length := draw.textlength(text, font)) > room:
        font = lettering(max(5, int(height * room / length)))
    draw.text(at, text, colour, font, anchor)
