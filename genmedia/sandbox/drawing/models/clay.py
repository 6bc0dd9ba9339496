"""Building coloured meshes from round boxes, turned bodies and rods; Y is up, and the front looks along Z."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

Colour = tuple[int, int, int]
Place = tuple[float, float, float]
Profile = Sequence[tuple[float, float]]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_SWATCH = 16
"""Pixels across that a colour takes in the palette; a mesh points at the middle, so that filtering mixes no neighbours."""


@dataclass
class Mesh:
    """Triangles, with a normal and a place in the texture for each corner point, and the texture."""

    points: Floats
    normals: Floats
    faces: Ints
    uv: Floats
    texture: Image.Image


@dataclass
class Part:
    """Triangles of one colour."""

    points: Floats
    normals: Floats
    faces: Ints
    colour: Colour

    def placed(self, at: Place, rotation: Floats) -> "Part":
        """The part turned around the origin and then moved."""
        return Part(self.points @ rotation.T + at, self.normals @ rotation.T, self.faces, self.colour)


class Clay:
    """Collects parts, each of one colour, into one mesh.

    Args:
        fineness: Corners of a circle, a multiple of 4.

    Attributes:
        parts: What was built so far.
    """

    def __init__(self, fineness: int) -> None:
        self._fineness = fineness
        self.parts: list[Part] = []

    def box(
        self,
        middle: Place,
        size: Place,
        colour: Colour,
        *,
        edge: float = 0.02,
        turn: float = 0,
        tilt: float = 0,
        lean: float = 0,
        taper: float = 1,
    ) -> None:
        """A box with round edges; as round as can be, it is an egg.

        Args:
            middle: Where its middle is.
            size: Its measures along X, Y and Z.
            colour: Its colour.
            edge: The radius of its edges, cut to half of each measure.
            turn: Degrees about Y.
            tilt: Degrees about X.
            lean: Degrees about Z.
            taper: How wide the top is, as a share of the foot.
        """
        directions, faces = _sphere(self._fineness)
        half = np.array(size) / 2
        radii = np.minimum(edge, half)
        points = np.sign(directions) * (half - radii) + directions * radii
        share = 1 + (taper - 1) * (points[:, 1] / half[1] + 1) / 2
        points[:, 0] *= share
        points[:, 2] *= share
        self.parts.append(Part(points, _unit(directions / radii), faces, colour).placed(middle, _rotation(turn, tilt, lean)))

    def ball(self, middle: Place, across: float, colour: Colour, *, tall: float | None = None, lean: float = 0) -> None:
        """A ball by its width, or an egg where it is not as tall."""
        self.box(middle, (across, across if tall is None else tall, across), colour, edge=math.inf, lean=lean)

    def turned(
        self,
        profile: Profile,
        colour: Colour,
        *,
        at: Place = (0, 0, 0),
        smooth: bool = False,
        corners: int | None = None,
        turn: float = 0,
    ) -> None:
        """What a lathe makes around the vertical through a place.

        Args:
            profile: Radius and height, point by point: upwards along the outside, downwards along an inside.
            colour: Its colour.
            at: Where height and radius are zero.
            smooth: Whether the profile is a curve through the points; otherwise it has sharp edges.
            corners: Makes a pyramid or prism with this many corners.
            turn: Degrees about Y.
        """
        line = _curve(profile, max(2, self._fineness // 8)) if smooth else np.array(profile, dtype=np.float64)
        part = _lathe(line, colour, corners or self._fineness, smooth=smooth, angular=corners is not None)
        self.parts.append(part.placed(at, _rotation(turn, 0, 0)))

    def rod(self, start: Place, end: Place, across: float, colour: Colour, *, across_at_end: float | None = None) -> None:
        """A round rod between two places."""
        along = np.array(end) - np.array(start)
        length = float(np.linalg.norm(along))
        up = along / length
        side = _unit(np.cross(up, (0, 0, 1) if abs(up[2]) < 0.9 else (1, 0, 0))[None])[0]
        foot, tip = across / 2, (across if across_at_end is None else across_at_end) / 2
        line = np.array([(0, 0), (foot, 0), (tip, length), (0, length)], dtype=np.float64)
        part = _lathe(line, colour, self._fineness, smooth=False, angular=False)
        frame = np.stack([side, up, np.cross(side, up)], axis=1).astype(np.float64)
        self.parts.append(part.placed(start, frame))

    def add(self, other: "Clay", x: float) -> None:
        """Take over another's parts, moved sidewards."""
        self.parts += [part.placed((x, 0, 0), np.eye(3)) for part in other.parts]

    def span(self) -> tuple[Floats, Floats]:
        """The lowest and highest coordinates."""
        points = np.concatenate([part.points for part in self.parts])
        return points.min(axis=0), points.max(axis=0)

    def fired(self) -> Mesh:
        """The mesh: standing on the ground around the origin, its longest measure 1."""
        low, high = self.span()
        foot = np.array([(low[0] + high[0]) / 2, low[1], (low[2] + high[2]) / 2])
        colours = list(dict.fromkeys(part.colour for part in self.parts))
        points = np.concatenate([part.points for part in self.parts])
        lengths = [len(part.points) for part in self.parts]
        starts = np.cumsum([0, *lengths[:-1]])
        column = np.repeat([(colours.index(part.colour) + 0.5) / len(colours) for part in self.parts], lengths)
        rise = (points[:, 1] - low[1]) / max(high[1] - low[1], 1e-9)
        return Mesh(
            points=(points - foot) / (high - low).max(),
            normals=np.concatenate([part.normals for part in self.parts]),
            faces=np.concatenate([part.faces + start for part, start in zip(self.parts, starts, strict=True)]),
            uv=np.stack([column, 0.02 + 0.96 * rise], axis=1),
            texture=_palette(colours),
        )


def _palette(colours: Sequence[Colour]) -> Image.Image:
    """A column for each colour, a little darker towards the ground."""
    light = np.linspace(1.06, 0.8, 4 * _SWATCH)[:, None, None]
    columns = np.repeat(np.array(colours, dtype=np.float64), _SWATCH, axis=0)[None]
    return Image.fromarray(np.clip(columns * light, 0, 255).astype(np.uint8))


def _sphere(fineness: int) -> tuple[Floats, Ints]:
    """Directions all around and the faces between them; none lies on a coordinate plane, so that a sign names its corner of a box."""
    rings = fineness // 2
    down = (np.arange(rings) + 0.5) * math.pi / rings
    around = (np.arange(fineness) + 0.5) * 2 * math.pi / fineness
    heights = np.repeat(np.cos(down), fineness)
    radii = np.repeat(np.sin(down), fineness)
    turns = np.tile(around, rings)
    directions = np.stack([radii * np.sin(turns), heights, radii * np.cos(turns)], axis=1)
    faces = [_ribbon(ring, ring + 1, fineness, closed=True) for ring in range(rings - 1)]
    lid = np.array([(0, corner, corner + 1) for corner in range(1, fineness - 1)])
    return directions, np.concatenate([*faces, lid, lid[:, ::-1] + (rings - 1) * fineness])


def _lathe(line: Floats, colour: Colour, corners: int, *, smooth: bool, angular: bool) -> Part:
    """A profile turned around Y; a sharp edge, of the profile or of a prism, takes its points twice."""
    if smooth:
        rows, steps = line, np.gradient(line, axis=0)
        pairs = [(row, row + 1) for row in range(len(line) - 1)]
    else:
        rows, steps = np.repeat(line, 2, axis=0)[1:-1], np.repeat(np.diff(line, axis=0), 2, axis=0)
        pairs = [(row, row + 1) for row in range(0, len(rows), 2)]
    angles = np.arange(corners + 1) * (2 * math.pi / corners)
    facing = angles
    if angular:
        facing = np.repeat((angles[1:] + angles[:-1]) / 2, 2)
        angles = np.repeat(angles, 2)[1:-1]
    count = len(angles)
    points = np.stack(
        [np.outer(rows[:, 0], np.sin(angles)), np.repeat(rows[:, 1:], count, 1), np.outer(rows[:, 0], np.cos(angles))], 2
    )
    normals = np.stack(
        [np.outer(steps[:, 1], np.sin(facing)), np.repeat(-steps[:, :1], count, 1), np.outer(steps[:, 1], np.cos(facing))], 2
    )
    flat = points.reshape(-1, 3)
    faces = np.concatenate([_ribbon(upper, lower, count, closed=False) for lower, upper in pairs])
    sides = np.cross(flat[faces[:, 1]] - flat[faces[:, 0]], flat[faces[:, 2]] - flat[faces[:, 0]])
    return Part(flat, _unit(normals.reshape(-1, 3)), faces[(sides**2).sum(axis=1) > 1e-16], colour)


def _ribbon(upper: int, lower: int, count: int, *, closed: bool) -> Ints:
    """The faces between two rows of points, seen from outside."""
    here = np.arange(count if closed else count - 1)
    there = (here + 1) % count
    a, b, c, d = upper * count + here, upper * count + there, lower * count + here, lower * count + there
    return np.concatenate([np.stack([a, c, b], axis=1), np.stack([b, c, d], axis=1)])


def _curve(profile: Profile, steps: int) -> Floats:
    """A smooth line through the points (Catmull-Rom)."""
    knots = np.array([profile[0], *profile, profile[-1]], dtype=np.float64)
    times = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = [
        (2 * b + (c - a) * times + (2 * a - 5 * b + 4 * c - d) * times**2 + (3 * b - 3 * c + d - a) * times**3) / 2
        for a, b, c, d in zip(knots, knots[1:], knots[2:], knots[3:], strict=False)
    ]
    line = np.concatenate([*pieces, knots[-1:]])
    line[:, 0] = np.maximum(line[:, 0], 0)
    return line


def _rotation(turn: float, tilt: float, lean: float) -> Floats:
    (ct, cx, cz), (st, sx, sz) = np.cos(np.radians([turn, tilt, lean])), np.sin(np.radians([turn, tilt, lean]))
    about_y = np.array([(ct, 0, st), (0, 1, 0), (-st, 0, ct)])
    about_x = np.array([(1, 0, 0), (0, cx, -sx), (0, sx, cx)])
    about_z = np.array([(cz, -sz, 0), (sz, cz, 0), (0, 0, 1)])
    return about_y @ about_x @ about_z


def _unit(vectors: Floats) -> Floats:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
