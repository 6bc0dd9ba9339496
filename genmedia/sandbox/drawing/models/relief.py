"""A picture as a relief: what is bright stands out, and the picture lies on it."""

from dataclasses import replace

import numpy as np
from PIL import Image, ImageFilter

from genmedia.sandbox.drawing.models.clay import Floats, Ints, Mesh
from genmedia.sandbox.drawing.techniques.rendering import load_picture

_TEXTURE = 1024
"""The longest side of the texture in pixels."""
_THICKNESS = 0.05

_Piece = tuple[Floats, Floats, Ints, Floats]


def raised(data: bytes, seed: int, *, fine: bool) -> Mesh:
    """The picture's relief, upright and looking to the front, its longest side 1.

    Raises one of `techniques.rendering.UNDECODABLE` when it is not a picture.
    """
    picture = load_picture(data, _TEXTURE)
    cells = 120 if fine else 40
    longest = max(picture.size)
    across, down = (max(2, round(cells * side / longest)) for side in picture.size)
    small = picture.convert("L").resize((across + 1, down + 1), Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(0.8))
    depth = np.random.default_rng(abs(seed)).uniform(0.09, 0.15)
    bright = np.asarray(small, dtype=np.float64) / 255 * depth
    u, v = np.meshgrid(np.linspace(0, 1, across + 1), np.linspace(1, 0, down + 1))
    wide, tall = picture.width / longest, picture.height / longest
    front = np.stack([(u - 0.5) * wide, v * tall, bright], axis=2)
    slope_down, slope_across = np.gradient(bright, tall / down, wide / across)
    facing = np.stack([-slope_across, slope_down, np.ones_like(bright)], axis=2)
    facing /= np.linalg.norm(facing, axis=2, keepdims=True)
    uv = np.stack([u, v], axis=2)
    pieces = [(front.reshape(-1, 3), facing.reshape(-1, 3), _grid(down + 1, across + 1), uv.reshape(-1, 2)), *_body(front, uv)]
    starts = np.cumsum([0, *(len(points) for points, *_ in pieces)])
    return Mesh(
        points=np.concatenate([piece[0] for piece in pieces]),
        normals=np.concatenate([piece[1] for piece in pieces]),
        faces=np.concatenate([piece[2] + start for piece, start in zip(pieces, starts, strict=False)]),
        uv=np.concatenate([piece[3] for piece in pieces]),
        texture=picture,
    )


def turned(relief: Mesh) -> Mesh:
    """A relief that looks to the back, its own back against that of one that looks to the front."""
    half_turn = (-1, 1, -1)
    return replace(relief, points=relief.points * half_turn - (0, 0, 2 * _THICKNESS), normals=relief.normals * half_turn)


def _grid(rows: int, columns: int) -> Ints:
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    right, below = corner + 1, corner + columns
    return np.concatenate([np.stack([corner, below, right], axis=1), np.stack([right, below, below + 1], axis=1)])


def _body(front: Floats, uv: Floats) -> list[_Piece]:
    """The four sides, in the colours of the picture's edge, and a back of one colour."""
    points, places = _border(front), _border(uv)
    count = len(points)
    here, there = np.arange(count - 1), np.arange(1, count)
    behind = points * (1, 1, 0) + (0, 0, -_THICKNESS)
    outwards = np.cross(np.gradient(points * (1, 1, 0), axis=0), (0, 0, 1))
    outwards /= np.maximum(np.linalg.norm(outwards, axis=1, keepdims=True), 1e-12)
    sides = np.concatenate(
        [np.stack([here, here + count, there], axis=1), np.stack([there, here + count, there + count], axis=1)]
    )
    corners = np.array(
        [front[row, column] * (1, 1, 0) + (0, 0, -_THICKNESS) for row, column in ((0, 0), (0, -1), (-1, -1), (-1, 0))]
    )
    return [
        (np.concatenate([points, behind]), np.tile(outwards, (2, 1)), sides, np.tile(places, (2, 1))),
        (corners, np.tile([0.0, 0.0, -1.0], (4, 1)), np.array([(0, 1, 2), (0, 2, 3)]), np.full((4, 2), 0.5)),
    ]


def _border(grid: Floats) -> Floats:
    """The edge of a grid, counter-clockwise from its upper left corner and back to it."""
    return np.concatenate([grid[:-1, 0], grid[-1, :-1], grid[:0:-1, -1], grid[0, ::-1]])
