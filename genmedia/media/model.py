"""3D models: the parts that a GLB file shows, placed by its nodes, and their size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from genmedia.errors import DamagedMediaError, MediaLimitError
from genmedia.media import glb
from genmedia.media.glb import pick

PLACED = 50_000_000
"""Most vertices, and most triangles, of all parts together: a small file can show one mesh very often."""
PARTS = 100_000

Numbers = NDArray[Any]


@dataclass(frozen=True)
class Part:
    """A primitive of triangles, placed by a node.

    Attributes:
        primitive: Its description in the document.
        place: Matrix of 4 by 4 that places it in the scene.
        triangles: Number of its triangles.
        vertices: Number of its vertices.
    """

    primitive: glb.Primitive
    place: Numbers
    triangles: int
    vertices: int


class Model:
    """A 3D model that has passed all checks. Skins and morphs are at rest, animations before their start.

    Attributes:
        parts: The parts that its scene shows.
        triangles: Number of triangles of all parts.
        vertices: Number of vertices of all parts.
        low: Smallest x, y and z, in metres; y is up.
        high: Largest x, y and z, in metres.
        pictures: The pictures on its surfaces, each as the bytes of a file.
        packed: True if numbers of it are packed with meshopt, which is not read here; its counts and its size are known all the same.

    Raises:
        DamagedMediaError: The model contradicts itself, or shows nothing.
        MediaLimitError: It shows more than `PLACED` vertices or triangles, or more than `PARTS` parts.
        MediaTypeError: It needs other files.
    """

    def __init__(self, document: glb.Document, binary: memoryview) -> None:
        self._document = document
        buffers = [self._buffer(index, binary) for index in range(len(document.buffers))]
        self._views = [_cut(index, view, buffers) for index, view in enumerate(document.buffer_views)]
        self._unpacked: dict[int, Numbers] = {}
        for index, accessor in enumerate(document.accessors):
            self._check_accessor(index, accessor)
        self.pictures = tuple(self._picture(picture) for picture in document.images)
        self.parts = tuple(self._parts())
        self.triangles, self.vertices = sum(part.triangles for part in self.parts), sum(part.vertices for part in self.parts)
        if not self.parts:
            raise DamagedMediaError("it shows no triangles")
        shown = {id(part.primitive): part.primitive for part in self.parts}.values()
        self.packed = any(self._is_packed(primitive) for primitive in shown)
        for primitive in shown:
            self._unpack(primitive)
            self._check_primitive(primitive)
        with np.errstate(all="ignore"):  # what overflows is refused below
            boxes = np.array([self._box(part) for part in self.parts])
            self.low, self.high = boxes[:, 0].min(axis=0).astype(float), boxes[:, 1].max(axis=0).astype(float)
        if not np.isfinite([self.low, self.high]).all():
            raise DamagedMediaError("it has no finite size")
        if not (self.high - self.low).any():
            raise DamagedMediaError("all its vertices are in one place")

    @property
    def extents(self) -> list[float]:
        """Width, height and depth, in metres."""
        return [float(f"{size:.5g}") for size in self.high - self.low]

    def positions(self, primitive: glb.Primitive, place: Numbers, every: int = 1) -> Numbers:
        """Return the vertices of a primitive, or every n-th of them, placed by a matrix of 4 by 4: one a row, as 32-bit floats."""
        points, matrix = self.read(primitive.attributes["POSITION"])[::every], place.astype(np.float32)
        return points.astype(np.float32, copy=False) @ matrix[:3, :3].T.copy() + matrix[:3, 3]

    def faces(self, primitive: glb.Primitive) -> Numbers:
        """Return the triangles of a primitive: the numbers of three vertices in each row."""
        if primitive.indices is None:
            corners: Numbers = np.arange(self._accessor(primitive.attributes["POSITION"]).count)
        else:
            corners = self._raw(primitive.indices)[:, 0]
        if primitive.mode == glb.TRIANGLES:
            return corners[: len(corners) // 3 * 3].reshape(-1, 3)
        first = corners[:-2] if primitive.mode == glb.STRIP else np.broadcast_to(corners[:1], len(corners) - 2)
        return np.stack([first, corners[1:-1], corners[2:]], axis=1)

    def read(self, accessor: int) -> Numbers:
        """Return the numbers of an accessor, one item a row; normalized integers as fractions."""
        values = self._raw(accessor)
        if self._accessor(accessor).normalized and values.dtype.kind in "iu":
            return np.maximum(values / np.float32(np.iinfo(values.dtype).max), -1)
        return values

    def surface(self, primitive: glb.Primitive) -> glb.Surface:
        """Return the colour of a primitive's material; white where it has none."""
        if primitive.material is None:
            return glb.Surface()
        return pick("material", self._document.materials, primitive.material).pbr_metallic_roughness

    def picture_of(self, texture: int) -> int | None:
        """Return the number of a texture's picture; None where only an extension that is not read names it."""
        source = pick("texture", self._document.textures, texture).picture
        if source is not None:
            pick("picture", self.pictures, source)
        return source

    def _buffer(self, index: int, binary: memoryview) -> memoryview:
        buffer = self._document.buffers[index]
        if buffer.extensions.meshopt.fallback and buffer.uri is None:
            return memoryview(b"")
        own = index == 0 and buffer.uri is None
        content = binary if own else glb.decode_inline(f"buffer {index}", buffer.uri)
        if len(content) < buffer.byte_length:
            raise DamagedMediaError(f"buffer {index} should have {buffer.byte_length} bytes, but has {len(content)}")
        return memoryview(content)[: buffer.byte_length]

    def _picture(self, picture: glb.Picture) -> bytes:
        if picture.buffer_view is None:
            return glb.decode_inline("a picture", picture.uri)
        return bytes(pick("view", self._views, picture.buffer_view))

    def _accessor(self, index: int) -> glb.Accessor:
        return pick("accessor", self._document.accessors, index)

    def _stride(self, accessor: glb.Accessor) -> int:
        if accessor.buffer_view is None:
            return accessor.item_bytes
        return pick("view", self._document.buffer_views, accessor.buffer_view).byte_stride or accessor.item_bytes

    def _check_accessor(self, index: int, accessor: glb.Accessor) -> None:
        stride = self._stride(accessor)
        if stride < accessor.item_bytes:
            raise DamagedMediaError(f"accessor {index} has items of {accessor.item_bytes} bytes, {stride} apart")
        for view, end in accessor.reads(stride):
            packed = pick("view", self._document.buffer_views, view).extensions.meshopt
            if end > (size := self._document.buffer_views[view].byte_length if packed else len(self._views[view])):
                raise DamagedMediaError(f"accessor {index} reads up to byte {end} of a view of {size}")

    def _raw(self, index: int) -> Numbers:
        if index in self._unpacked:
            return self._unpacked[index]
        accessor = self._accessor(index)
        kind, shape = accessor.kind, (accessor.count, glb.WIDTHS[accessor.type])
        if accessor.buffer_view is None:
            values: Numbers = np.broadcast_to(np.zeros(1, kind), shape)
        else:
            view, steps = self._views[accessor.buffer_view], (self._stride(accessor), kind.itemsize)
            values = np.ndarray(shape, kind, view, accessor.byte_offset, steps)
        if sparse := accessor.sparse:
            at, new = sparse.indices, sparse.values
            places = np.frombuffer(self._views[at.buffer_view], glb.COMPONENTS[at.component_type], sparse.count, at.byte_offset)
            changed = np.frombuffer(self._views[new.buffer_view], kind, sparse.count * shape[1], new.byte_offset)
            if places.max() >= accessor.count:
                raise DamagedMediaError(f"accessor {index} changes items that it does not have")
            values = values.copy()
            values[places] = changed.reshape(-1, shape[1])
        return values

    def _parts(self) -> Iterator[Part]:
        parts = triangles = vertices = 0
        for node, place in self._nodes():
            mesh = None if node.mesh is None else pick("mesh", self._document.meshes, node.mesh)
            for primitive in mesh.primitives if mesh else ():
                if (part := self._part(primitive, place)).triangles:
                    parts, triangles, vertices = parts + 1, triangles + part.triangles, vertices + part.vertices
                    if max(triangles, vertices) > PLACED or parts > PARTS:
                        raise MediaLimitError(f"it shows more than {PLACED} triangles or vertices, or more than {PARTS} parts")
                    yield part

    def _nodes(self) -> Iterator[tuple[glb.Node, Numbers]]:
        met, waiting = set[int](), [(root, np.eye(4)) for root in self._roots()]
        while waiting:
            index, above = waiting.pop()
            if index in met:
                raise DamagedMediaError(f"node {index} is in two places")
            met.add(index)
            node = pick("node", self._document.nodes, index)
            with np.errstate(all="ignore"):  # what overflows has no finite size
                place = above @ _matrix(node)
            waiting += [(child, place) for child in node.children]
            yield node, place

    def _roots(self) -> Sequence[int]:
        if self._document.scenes:
            return pick("scene", self._document.scenes, self._document.scene).nodes
        below = {child for node in self._document.nodes for child in node.children}
        return [index for index in range(len(self._document.nodes)) if index not in below]

    def _part(self, primitive: glb.Primitive, place: Numbers) -> Part:
        if primitive.mode not in {glb.TRIANGLES, glb.STRIP, glb.FAN} or "POSITION" not in primitive.attributes:
            return Part(primitive, place, 0, 0)
        vertices = self._accessor(primitive.attributes["POSITION"]).count
        corners = vertices if primitive.indices is None else self._accessor(primitive.indices).count
        return Part(primitive, place, corners // 3 if primitive.mode == glb.TRIANGLES else max(0, corners - 2), vertices)

    def _is_packed(self, primitive: glb.Primitive) -> bool:
        used = [*primitive.attributes.values(), *([] if primitive.indices is None else [primitive.indices])]
        views = {view for index in used for view, _ in self._accessor(index).reads(0)}
        return any(self._document.buffer_views[view].extensions.meshopt for view in views)

    def _unpack(self, primitive: glb.Primitive) -> None:
        """Read a primitive's numbers where Draco has packed them."""
        draco = primitive.extensions.draco
        if not draco:
            return
        import DracoPy  # noqa: PLC0415 # it takes memory that few models need

        try:
            mesh = cast("Any", DracoPy.decode(bytes(pick("view", self._views, draco.buffer_view))))
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 # its errors have no class in common
            raise DamagedMediaError(f"its triangles do not unpack (Draco): {error}") from None
        tables: dict[int, Numbers] = {one["unique_id"]: one["data"] for one in mesh.attributes}
        found: dict[int, Numbers | None] = {
            index: tables.get(draco.attributes.get(name, -1)) for name, index in primitive.attributes.items()
        }
        if primitive.indices is not None:
            found[primitive.indices] = mesh.faces.astype(np.uint32).reshape(-1, 1)
        for index, values in found.items():
            accessor = self._accessor(index)
            if values is not None:
                if values.shape != (accessor.count, glb.WIDTHS[accessor.type]):
                    raise DamagedMediaError(f"accessor {index} says {accessor.count} {accessor.type}, packed are {values.shape}")
                self._unpacked[index] = values

    def _box(self, part: Part) -> Numbers:
        if not self.packed:
            return box(self.positions(part.primitive, part.place))
        told = self._accessor(part.primitive.attributes["POSITION"])
        if not len(told.min) == len(told.max) == 3:
            raise DamagedMediaError("it does not say how large it is")
        scale = np.iinfo(told.kind).max if told.normalized and told.kind.kind in "iu" else 1
        corners = np.array(
            [
                [x, y, z, scale]
                for x in (told.min[0], told.max[0])
                for y in (told.min[1], told.max[1])
                for z in (told.min[2], told.max[2])
            ]
        )
        return box((corners / scale) @ part.place.T)[:, :3]

    def _check_primitive(self, primitive: glb.Primitive) -> None:
        position = self._accessor(primitive.attributes["POSITION"])
        if position.type != "VEC3":
            raise DamagedMediaError(f"a vertex is {position.type}, not VEC3")
        for name, index in primitive.attributes.items():
            if (count := self._accessor(index).count) != position.count:
                raise DamagedMediaError(f"{name} is given for {count} of {position.count} vertices")
        if primitive.indices is not None:
            corners = self._accessor(primitive.indices)
            if corners.type != "SCALAR" or corners.kind.kind != "u":
                raise DamagedMediaError("its triangles are not made of the numbers of vertices")
            if not self.packed and (highest := int(self._raw(primitive.indices).max())) >= position.count:
                raise DamagedMediaError(f"a triangle has vertex {highest} of {position.count}")
        if texture := self.surface(primitive).base_color_texture:
            self.picture_of(texture.index)


def read_model(path: Path) -> Model:
    """Read a GLB file; see `genmedia.media.glb.read_glb` and `Model` for the errors raised."""
    return Model(*glb.read_glb(path))


def _cut(index: int, whole: glb.View, buffers: Sequence[memoryview]) -> memoryview:
    view = whole.extensions.meshopt or whole
    buffer, end = pick("buffer", buffers, view.buffer), view.byte_offset + view.byte_length
    if end > len(buffer):
        raise DamagedMediaError(f"view {index} ends at byte {end} of a buffer of {len(buffer)}")
    return buffer[view.byte_offset : end]


def _matrix(node: glb.Node) -> Numbers:
    if node.matrix:
        return np.array(node.matrix).reshape(4, 4).T
    x, y, z, w = node.rotation
    turn = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    matrix = np.eye(4)
    matrix[:3] = np.column_stack([np.array(turn) * node.scale, node.translation])
    return matrix


def box(points: Numbers) -> Numbers:
    """Return the smallest and the largest value of each column, as two rows."""
    return np.stack([points.min(axis=0), points.max(axis=0)])
