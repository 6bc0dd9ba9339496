"""Drawing smooth shapes on a square from 0 to 100, and giving them light."""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from genmedia.sandbox.drawing.techniques.studio import Colour, blur, grid, pixels

Point = tuple[float, float]
_FINE = 2


def shade(colour: Colour, factor: float) -> Colour:
    """A colour made darker (below 1) or lighter (above 1)."""
    if factor <= 1:
        return round(colour[0] * factor), round(colour[1] * factor), round(colour[2] * factor)
    return mix(colour, (255, 255, 255), factor - 1)


def mix(one: Colour, other: Colour, amount: float) -> Colour:
    """A colour between two others: 0 is the first, 1 the second."""
    red, green, blue = (round(a + (b - a) * min(1.0, max(0.0, amount))) for a, b in zip(one, other, strict=True))
    return red, green, blue


def curve_through(points: Sequence[Point], *, closed: bool) -> list[Point]:
    """A smooth path through the points (Catmull-Rom)."""
    count = len(points)
    smooth: list[Point] = []
    for i in range(count if closed else count - 1):
        around = [points[(i + k) % count] if closed else points[min(count - 1, max(0, i + k))] for k in (-1, 0, 1, 2)]
        for step in range(10):
            t = step / 10
            weights = (-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2)
            x, y = (sum(w * p[axis] for w, p in zip(weights, around, strict=True)) / 2 for axis in (0, 1))
            smooth.append((x, y))
    return smooth if closed else [*smooth, points[-1]]


class Pen:
    """Draws on a transparent square `side` pixels wide, whose coordinates run from 0 to 100.

    Args:
        side: The finished square's side in pixels.
    """

    def __init__(self, side: float) -> None:
        self._side = max(8, round(side))
        self._scale = self._side * _FINE / 100
        self._image = Image.new("RGBA", (self._side * _FINE, self._side * _FINE))
        self._draw = ImageDraw.Draw(self._image)

    def disc(self, x: float, y: float, across: float, colour: Colour, down: float | None = None) -> None:
        """An ellipse by its middle and its radii."""
        tall = across if down is None else down
        self._draw.ellipse(self._at([(x - across, y - tall), (x + across, y + tall)]), colour)

    def ring(self, x: float, y: float, radius: float, width: float, colour: Colour) -> None:
        """A circle in line."""
        self._draw.ellipse(self._at([(x - radius, y - radius), (x + radius, y + radius)]), None, colour, self._wide(width))

    def shape(self, points: Sequence[Point], colour: Colour) -> None:
        """A polygon."""
        self._draw.polygon(self._at(points), colour)

    def blob(self, points: Sequence[Point], colour: Colour) -> None:
        """A smooth closed shape through the points."""
        self.shape(curve_through(points, closed=True), colour)

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour, radius: float = 0.0) -> None:
        """A rectangle, with round corners where a radius is given."""
        self._draw.rounded_rectangle(self._at([(left, top), (right, bottom)]), radius * self._scale, colour)

    def line(self, points: Sequence[Point], width: float, colour: Colour, *, smooth: bool = True) -> None:
        """A line with round ends."""
        path = self._at(curve_through(points, closed=False) if smooth and len(points) > 2 else points)
        self._draw.line(path, colour, self._wide(width), "curve")
        half = self._wide(width) / 2
        for x, y in (path[0], path[-1]):
            self._draw.ellipse((x - half, y - half, x + half, y + half), colour)

    def haze(self, points: Sequence[Point], width: float, strength: int) -> None:
        """A line of steam."""
        veil = Image.new("L", self._image.size)
        ImageDraw.Draw(veil).line(self._at(curve_through(points, closed=False)), strength, self._wide(width), "curve")
        white = Image.new("RGBA", self._image.size, (255, 255, 255, 0))
        white.putalpha(blur(veil, width * self._scale * 0.6))
        self._image.alpha_composite(white)

    def done(self, light: float = -0.5) -> Image.Image:
        """The drawing lit from one side (-1 left, 1 right) and from above, cropped to what was drawn."""
        image = self._image.resize((self._side, self._side), Image.Resampling.BOX)
        x, y = grid(self._side, self._side)
        falling = np.clip(1.02 + 0.26 * light * x - 0.16 * y, 0.62, 1.35)[..., None]
        lit = Image.fromarray((np.clip(pixels(image) * falling, 0, 1) * 255).astype(np.uint8)).convert("RGBA")
        lit.putalpha(image.getchannel("A"))
        return lit.crop(image.getchannel("A").getbbox())

    def _at(self, points: Sequence[Point]) -> list[Point]:
        return [(x * self._scale, y * self._scale) for x, y in points]

    def _wide(self, width: float) -> int:
        return max(1, round(width * self._scale))


def turned(points: Sequence[Point], x: float, y: float, degrees: float) -> list[Point]:
    """Points around the origin, turned and moved to (x, y)."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    return [(x + u * cosine - v * sine, y + u * sine + v * cosine) for u, v in points]
