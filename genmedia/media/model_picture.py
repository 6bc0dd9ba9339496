"""A picture of a 3D model, drawn without a graphics card: the model in a studio, seen from slightly to its right and above.

The viewer cannot draw it: thumbnails and contact sheets are made where files are checked, in a process without a browser or WebGL.
"""

import math
from collections.abc import Iterator
from heapq import nlargest
from io import BytesIO

import numpy as np
from PIL import Image, ImageFilter

from genmedia.media.glb import Primitive, TextureUse
from genmedia.media.model import Model, Numbers, Part, box

PARTS, SIZE, FRAGMENTS = 5_000, 4_000_000, 16_000_000
"""Limits of what is drawn: at most `PARTS` parts, the largest first, until they have `SIZE` vertices together. Only every n-th triangle is
drawn where there are more than `SIZE`, or where they would test more than `FRAGMENTS` pixels."""
TEXTURE_PIXELS = 64_000_000
"""Most pixels of textures that are decoded; surfaces with further textures are drawn without them."""

_FINER = 2
_TEXTURE_SIDE = 1024
_BATCH = 500_000
_EDGE = 1e-4
_AROUND, _ABOVE, _AWAY = math.radians(32), math.radians(20), 4.5
"""Position of the eye: two angles, and its distance in half diagonals of the model."""
_MARGIN, _RAISED = 0.12, 0.03
_LIGHTS = (((-0.5, 0.7, 0.65), 0.6), ((0.85, 0.1, 0.4), 0.16), ((0.2, 0.6, -0.8), 0.16))
"""A key light, a fill and a rim: the direction of each (to the right of the eye, up, towards the eye), and its strength."""
_SKY, _GROUND = 0.38, 0.16
_SHADOW, _SHADOW_FALLS = 0.45, (0.12, -0.25)
_BACKDROP = (0.9, 0.68)
"""Grey of the backdrop in the middle and in the corners, from 0 to 1: light and dark models both stand out from it."""


class _Canvas:
    """Pixels, and the nearness of what each shows: 1 divided by its distance; 0 where there is nothing."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.near = np.zeros(width * height, np.float32)
        self._left = FRAGMENTS

    def fill(self, points: Numbers, faces: Numbers) -> Iterator[tuple[Numbers, Numbers, Numbers]]:
        """Fill the pixels of triangles in which nothing nearer was drawn.

        Args:
            points: A row for each vertex: x and y in pixels, and its nearness.
            faces: The numbers of three vertices for each triangle.

        Yields:
            The pixels that were filled, and for each the three vertices of its triangle, and the weight of each vertex in it.
        """
        for first in range(0, len(faces), _BATCH):
            some = faces[first : first + _BATCH]
            corners = points[some]
            a, b, c = corners[:, 0, :2], corners[:, 1, :2], corners[:, 2, :2]
            low = np.maximum(np.ceil(np.minimum(np.minimum(a, b), c) - 0.5), 0).astype(int)
            edge = (self.width - 1, self.height - 1)
            high = np.minimum(np.floor(np.maximum(np.maximum(a, b), c) - 0.5), edge).astype(int)
            size = np.maximum(high - low + 1, 0)
            area = size[:, 0] * size[:, 1]
            seen = np.flatnonzero(area)  # most triangles of a fine mesh lie between the centres of pixels
            seen = seen[:: 1 + int(area.sum()) // max(1, self._left)]
            ends = np.cumsum(area[seen])
            self._left -= int(area[seen].sum())
            for batch in np.split(seen, np.flatnonzero(np.diff(ends // _BATCH)) + 1):
                pixels, of, weights = self._fill(corners[batch], low[batch], size[batch])
                yield pixels, some[batch[of]], weights

    def _fill(self, corners: Numbers, low: Numbers, size: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        area = size[:, 0] * size[:, 1]
        of = np.repeat(np.arange(len(area)), area)
        down, right = np.divmod(np.arange(len(of)) - np.repeat(np.cumsum(area) - area, area), size[of, 0])
        x, y = low[of, 0] + right, low[of, 1] + down
        with np.errstate(all="ignore"):  # a triangle seen from its edge has no inside
            (x0, y0), (x1, y1), (x2, y2) = (corners[:, corner, :2].T for corner in range(3))
            turn = 1 / ((x1 - x0) * (y2 - y0) - (y1 - y0) * (x2 - x0))
            across, along = (np.stack([y2 - y0, x0 - x2]) * turn)[:, of], (np.stack([y0 - y1, x1 - x0]) * turn)[:, of]
            px, py = (x + 0.5 - x0[of]).astype(np.float32), (y + 0.5 - y0[of]).astype(np.float32)
            second, third = across[0] * px + across[1] * py, along[0] * px + along[1] * py
            inside = np.flatnonzero((second >= -_EDGE) & (third >= -_EDGE) & (second + third <= 1 + _EDGE))
        of, pixels, second, third = of[inside], y[inside] * self.width + x[inside], second[inside], third[inside]
        weights = np.stack([1 - second - third, second, third], axis=1) * corners[of, :, 2]
        near = weights.sum(axis=1)
        np.maximum.at(self.near, pixels, near)
        won = np.flatnonzero(near == self.near[pixels])
        return pixels[won], of[won], weights[won] / near[won, None]


class _Studio:
    """The model as it is drawn: all lengths are in half diagonals of the model, from its centre, so that its size does not matter."""

    def __init__(self, model: Model, width: int, height: int) -> None:
        self._model, self._width, self._height = model, width, height
        self._parts = self._choose()
        self._half = float((model.high - model.low).max()) * math.sqrt(3) / 2
        self._textures: dict[int, Numbers | None] = {}
        self._pixels_left = TEXTURE_PIXELS
        eye = np.array([math.sin(_AROUND) * math.cos(_ABOVE), math.sin(_ABOVE), math.cos(_AROUND) * math.cos(_ABOVE)])
        right = np.array([math.cos(_AROUND), 0, -math.sin(_AROUND)])
        self._view = np.stack([right, np.cross(eye, right), eye])
        self._scale, self._shift = 1.0, np.zeros(2)
        self._scale, self._shift = self._frame()

    def _choose(self) -> list[Part]:
        parts = nlargest(PARTS, self._model.parts, key=lambda part: part.triangles)
        ends = np.cumsum([part.vertices for part in parts])
        return parts[: 1 + int(np.searchsorted(ends, SIZE))]

    def _frame(self) -> tuple[float, Numbers]:
        every = 1 + self._model.vertices // 500_000
        boxes = [box(self._project(self._stand(part, every))[:, :2]) for part in self._parts]
        low, high = np.min(boxes, axis=0)[0], np.max(boxes, axis=0)[1]
        room = np.array([self._width, self._height])
        scale = float(min((1 - 2 * _MARGIN) * room / np.maximum(high - low, 1e-9)))
        return scale, room * (0.5, 0.5 - _RAISED) - (low + high) / 2 * scale

    def _stand(self, part: Part, every: int = 1) -> Numbers:
        matrix = np.eye(4)
        matrix[:3, 3] = -(self._model.low + self._model.high) / 2
        matrix[:3] /= self._half
        return self._model.positions(part.primitive, matrix @ part.place, every)

    def _project(self, points: Numbers, coarser: int = 1) -> Numbers:
        seen = points @ self._view.T.astype(np.float32)
        near = 1 / (_AWAY - seen[:, 2:])
        scale, shift = np.float32(self._scale / coarser), (self._shift / coarser).astype(np.float32)
        return np.hstack([seen[:, :2] * np.array([1, -1], np.float32) * near * scale + shift, near])

    def draw(self) -> Image.Image:
        canvas, shadow = _Canvas(self._width, self._height), _Canvas(self._width // 4, self._height // 4)
        colour = np.zeros((self._width * self._height, 3))
        every = 1 + self._model.triangles // SIZE
        floor = (self._model.low - self._model.high)[1] / 2 / self._half
        for part in self._parts:
            points, faces = self._stand(part), self._model.faces(part.primitive)[::every]
            for pixels, corners, weights in canvas.fill(self._project(points), faces):
                colour[pixels] = self._base(part, corners, weights) * self._light(part, points, corners, weights)
            points[:, ::2] += (points[:, 1:2] - floor) * _SHADOW_FALLS
            points[:, 1] = floor
            for _ in shadow.fill(self._project(points, 4), faces):
                pass
        return self._develop(canvas, shadow, colour)

    def _light(self, part: Part, points: Numbers, corners: Numbers, weights: Numbers) -> Numbers:
        given = self._read(part.primitive, "NORMAL", 3)
        if given is None:
            a, b, c = (points[corners[:, corner]] for corner in range(3))
            normals = np.cross(b - a, c - a)
        else:
            normals = _mix(given, corners, weights) @ np.linalg.pinv(part.place[:3, :3])
        normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-300) @ self._view.T
        normals *= np.where(normals[:, 2:] < 0, -1, 1)  # the back of a surface is lit like its front
        light = _GROUND + (_SKY - _GROUND) * (normals @ self._view[:, 1] + 1) / 2
        for towards, strength in _LIGHTS:
            light += strength * np.maximum(normals @ np.array(towards) / math.hypot(*towards), 0)
        return light[:, None]

    def _base(self, part: Part, corners: Numbers, weights: Numbers) -> Numbers:
        surface = self._model.surface(part.primitive)
        colour = np.full((len(corners), 3), surface.base_color_factor[:3], float)
        if (painted := self._read(part.primitive, "COLOR_0", 3)) is not None:
            colour *= _mix(painted, corners, weights)
        if surface.base_color_texture:
            colour *= self._textured(part, surface.base_color_texture, corners, weights)
        return np.clip(colour, 0, 1)

    def _textured(self, part: Part, use: TextureUse, corners: Numbers, weights: Numbers) -> Numbers | float:
        places, texture = self._read(part.primitive, f"TEXCOORD_{use.tex_coord}", 2), self._texture(use.index)
        if places is None or texture is None:
            return 1.0
        height, width, _ = texture.shape
        across, down = (_mix(places, corners, weights) % 1 * (width, height)).astype(int).T
        return texture[down % height, across % width]

    def _read(self, primitive: Primitive, attribute: str, width: int) -> Numbers | None:
        if attribute not in primitive.attributes:
            return None
        values = self._model.read(primitive.attributes[attribute])
        return values[:, :width] if values.shape[1] >= width else None

    def _texture(self, index: int) -> Numbers | None:
        """Return the colours of a texture, linear; None where it is not read here."""
        source = self._model.picture_of(index)
        if source is not None and source not in self._textures:
            self._textures[source] = self._decode(self._model.pictures[source])
        return None if source is None else self._textures[source]

    def _decode(self, content: bytes) -> Numbers | None:
        try:
            with Image.open(BytesIO(content), formats=("PNG", "JPEG", "WEBP", "AVIF")) as picture:
                self._pixels_left -= picture.width * picture.height
                if self._pixels_left < 0:
                    return None
                picture.thumbnail((_TEXTURE_SIDE, _TEXTURE_SIDE))
                return (np.asarray(picture.convert("RGB"), np.float32) / 255) ** 2.2
        except Image.UnidentifiedImageError:
            return None

    def _develop(self, canvas: _Canvas, shadow: _Canvas, colour: Numbers) -> Image.Image:
        size = (self._width, self._height)
        y, x = np.mgrid[-1 : 1 : self._height * 1j, -1 : 1 : self._width * 1j]
        light, dark = _BACKDROP
        backdrop = light + (dark - light) * np.clip((x**2 + (y + 0.2) ** 2) / 2.2, 0, 1)
        cast = Image.fromarray((shadow.near.reshape(shadow.height, shadow.width) > 0).astype(np.uint8) * 255).resize(size)
        soft = np.asarray(cast.filter(ImageFilter.GaussianBlur(self._width / 50))) / 255
        ground = (backdrop * (1 - _SHADOW * soft))[:, :, None]
        model = np.clip(colour, 0, 1).reshape(self._height, self._width, 3) ** (1 / 2.2)
        there = canvas.near.reshape(self._height, self._width, 1) > 0
        picture = Image.fromarray((np.where(there, model, ground) * 255 + 0.5).astype(np.uint8))
        return picture.resize((self._width // _FINER, self._height // _FINER), Image.Resampling.BOX)


def draw_model(model: Model, side: int) -> Image.Image:
    """Draw a model into a picture of 4 by 3.

    Args:
        model: The model.
        side: The width in pixels.
    """
    return _Studio(model, side * _FINER, side * 3 // 4 * _FINER).draw()


def _mix(table: Numbers, corners: Numbers, weights: Numbers) -> Numbers:
    """Return for each pixel the weighted sum of three rows of a table; NaN and infinity count as 0."""
    rows = np.nan_to_num(table[corners].astype(float), posinf=0, neginf=0)
    return np.einsum("pcn,pc->pn", rows, weights)
