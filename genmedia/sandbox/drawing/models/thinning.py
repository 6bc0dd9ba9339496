"""Fewer triangles for a mesh that anybody made: points that are close together become one."""

import numpy as np

from genmedia.sandbox.drawing.models.clay import Floats, Ints

_FINEST = 1024
"""Cells along the longest side of a part, at most."""


def thinned(points: Floats, likeness: Floats, faces: Ints, most: int) -> tuple[Ints, Ints]:
    """Which points remain, and the faces between them: at most as many as asked for, perhaps none.

    Args:
        points: Where the points are (n, 3).
        likeness: What else two points must share to be one point, such as their place in a texture (n, any).
        faces: Three points each (m, 3).
        most: How many faces there may be.
    """
    if len(faces) <= most:
        return np.arange(len(points)), faces
    welded = _named(np.round(np.hstack([points, likeness]), 6))
    parts = _parts(welded[faces], len(points))[welded]
    cells = _Cells(points, parts)
    best: tuple[Ints, Ints] = np.zeros(0, dtype=np.int64), np.zeros((0, 3), dtype=np.int64)
    coarse, fine = 1, _FINEST
    while coarse <= fine:
        middle = (coarse + fine) // 2
        kept, left = cells.merged(faces, middle)
        if len(left) <= most:
            best, coarse = (kept, left), middle + 1
        else:
            fine = middle - 1
    return best


class _Cells:
    """A grid of its own for each part, so that small parts do not vanish before large ones."""

    def __init__(self, points: Floats, parts: Ints) -> None:
        self._parts = _named(parts)
        count = int(self._parts.max()) + 1
        low, high = np.full((count, 3), np.inf), np.full((count, 3), -np.inf)
        np.minimum.at(low, self._parts, points)
        np.maximum.at(high, self._parts, points)
        size = np.maximum(high - low, 1e-12)
        self._size = (size / size.max(axis=1, keepdims=True))[self._parts]
        self._place = np.clip((points - low[self._parts]) / size[self._parts], 0, 1 - 1e-9)
        self._points = points

    def merged(self, faces: Ints, resolution: int) -> tuple[Ints, Ints]:
        """The points that stand for their cells, and the faces that are left between them."""
        counts = np.maximum(2, np.ceil(resolution * self._size)) if resolution > 1 else np.ones_like(self._size)
        cell = (self._place * counts).astype(np.int64)
        cluster = _named(((self._parts * _FINEST + cell[:, 0]) * _FINEST + cell[:, 1]) * _FINEST + cell[:, 2])
        sizes = np.bincount(cluster)[:, None]
        means = np.stack([np.bincount(cluster, self._points[:, axis]) for axis in range(3)], axis=1) / sizes
        distance = ((self._points - means[cluster]) ** 2).sum(axis=1)
        nearest = np.lexsort((distance, cluster))
        kept = nearest[np.searchsorted(cluster[nearest], np.arange(len(sizes)))]
        corners = cluster[faces]
        whole = (corners[:, 0] != corners[:, 1]) & (corners[:, 1] != corners[:, 2]) & (corners[:, 2] != corners[:, 0])
        corners = corners[whole]
        # From its lowest point on, so that the two sides of something thin stay two faces.
        order = (corners.argmin(axis=1)[:, None] + np.arange(3)) % 3
        low, middle, high = np.take_along_axis(corners, order, axis=1).T
        _, first = np.unique((low * len(sizes) + middle) * len(sizes) + high, return_index=True)
        return kept, corners[np.sort(first)]


def largest(points: Floats, faces: Ints, count: int) -> Ints:
    """The faces with the largest area."""
    a, b, c = (points[faces[:, corner]] for corner in range(3))
    area = (np.cross(b - a, c - a) ** 2).sum(axis=1)
    return faces[np.sort(np.argsort(-area, kind="stable")[:count])]


def normals(points: Floats, faces: Ints) -> Floats:
    """What is up at each point: the mean over its faces, by their area."""
    a, b, c = (points[faces[:, corner]] for corner in range(3))
    across = np.cross(b - a, c - a)
    total = np.zeros_like(points)
    for corner in range(3):
        np.add.at(total, faces[:, corner], across)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.where(length > 0, total / np.maximum(length, 1e-300), (0.0, 1.0, 0.0))


def _named(rows: Floats | Ints) -> Ints:
    """A number for each row or value; equal ones have equal numbers."""
    return np.unique(rows, axis=0 if rows.ndim > 1 else None, return_inverse=True)[1].reshape(-1)


def _parts(faces: Ints, count: int) -> Ints:
    """For each point the lowest point that faces join it to."""
    label = np.arange(count)
    while True:
        lowest = label[faces].min(axis=1)
        joined = label.copy()
        for corner in range(3):
            np.minimum.at(joined, faces[:, corner], lowest)
        joined = joined[joined]
        if np.array_equal(joined, label):
            return label
        label = joined
