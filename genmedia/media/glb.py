"""GLB, the file format of glTF 2.0: a JSON document and the bytes that it describes, read without trusting a number in either.

Facts about the format: https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html.
"""

import base64
import binascii
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import numpy as np
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from genmedia.errors import DamagedMediaError, MediaLimitError, MediaTypeError

JSON_BYTES = 8 * 2**20
"""Longest JSON document, in bytes: its parsed numbers take 16 times as much memory, which is within the limit for inspecting a file."""
LIST_ITEMS = 100_000
"""Most items of one kind, such as nodes or accessors, that a document may list."""

TRIANGLES, STRIP, FAN = 4, 5, 6
COMPONENTS = {code: np.dtype(f"<{name}") for code, name in zip((*range(5120, 5124), 5125, 5126), "bBhHIf", strict=True)}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}

_HEADER, _CHUNK = struct.Struct("<4sII"), struct.Struct("<I4s")

_Item = TypeVar("_Item")
_Index = Annotated[int, Field(ge=0)]
_Size = Annotated[int, Field(ge=1)]
_List = Annotated[tuple[_Item, ...], Field(max_length=LIST_ITEMS)]


class _Described(BaseModel):
    """A part of the document, with only the fields that are read."""

    model_config = ConfigDict(alias_generator=to_camel, allow_inf_nan=False)


class _Extensions(BaseModel):
    """Data of the extensions in a part of the document, each under its own name."""

    model_config = ConfigDict(allow_inf_nan=False)


_MESHOPT = AliasChoices("EXT_meshopt_compression", "KHR_meshopt_compression")


class Fallback(_Described):
    """A flag: True if a buffer only stands in for compressed data, so that its bytes may be missing."""

    fallback: bool = False


class _BufferExtensions(_Extensions):
    meshopt: Fallback = Field(default=Fallback(), validation_alias=_MESHOPT)


class Buffer(_Described):
    """Bytes in the file itself, or as base64 in the document."""

    byte_length: _Size
    uri: str | None = None
    extensions: _BufferExtensions = _BufferExtensions()


class Stretch(_Described):
    """A range of bytes in a buffer."""

    buffer: _Index
    byte_offset: _Index = 0
    byte_length: _Size


class _ViewExtensions(_Extensions):
    meshopt: Stretch | None = Field(default=None, validation_alias=_MESHOPT)


class View(Stretch):
    """A range of bytes in a buffer that holds items; with meshopt, the range that the unpacked items would take."""

    byte_stride: int | None = Field(default=None, ge=4, le=252)
    extensions: _ViewExtensions = _ViewExtensions()


class Slice(_Described):
    """Numbers in a view, from an offset on."""

    buffer_view: _Index
    byte_offset: _Index = 0


class SparseIndices(Slice):
    """Numbers of the items of an accessor that differ from its view."""

    component_type: Literal[5121, 5123, 5125]


class Sparse(_Described):
    """Changes to an accessor's items."""

    count: _Size
    indices: SparseIndices
    values: Slice


class Accessor(_Described):
    """A table of numbers, one item a row; zeros where it names no view."""

    buffer_view: _Index | None = None
    byte_offset: _Index = 0
    component_type: Literal[5120, 5121, 5122, 5123, 5125, 5126]
    normalized: bool = False
    count: _Size
    type: Literal["SCALAR", "VEC2", "VEC3", "VEC4", "MAT2", "MAT3", "MAT4"]
    min: tuple[float, ...] = ()
    max: tuple[float, ...] = ()
    sparse: Sparse | None = None

    @property
    def kind(self) -> np.dtype:
        """NumPy type of one number."""
        return COMPONENTS[self.component_type]

    @property
    def item_bytes(self) -> int:
        """Size of one item, in bytes."""
        return self.kind.itemsize * WIDTHS[self.type]

    def reads(self, stride: int) -> Iterator[tuple[int, int]]:
        """Yield the number of each view that it reads from, and the end of what it reads there, in bytes."""
        if self.buffer_view is not None:
            yield self.buffer_view, self.byte_offset + (self.count - 1) * stride + self.item_bytes
        if self.sparse:
            indices, values, count = self.sparse.indices, self.sparse.values, self.sparse.count
            yield indices.buffer_view, indices.byte_offset + count * COMPONENTS[indices.component_type].itemsize
            yield values.buffer_view, values.byte_offset + count * self.item_bytes


class Draco(_Described):
    """The view with a primitive's packed numbers, and the id that each of its attributes has in there."""

    buffer_view: _Index
    attributes: dict[str, _Index]


class _PrimitiveExtensions(_Extensions):
    draco: Draco | None = Field(default=None, validation_alias="KHR_draco_mesh_compression")


class Primitive(_Described):
    """Triangles, lines or points of one material; the numbers of the accessors that describe them."""

    attributes: dict[str, _Index]
    indices: _Index | None = None
    material: _Index | None = None
    mode: int = TRIANGLES
    extensions: _PrimitiveExtensions = _PrimitiveExtensions()


class Mesh(_Described):
    """Primitives that belong together."""

    primitives: _List[Primitive]


class Node(_Described):
    """A node of the scene, placed relative to its parent by a matrix, or by a translation, a rotation (a quaternion) and a scale."""

    mesh: _Index | None = None
    children: _List[_Index] = ()
    matrix: Annotated[tuple[float, ...], Field(min_length=16, max_length=16)] | None = None
    translation: tuple[float, float, float] = (0, 0, 0)
    rotation: tuple[float, float, float, float] = (0, 0, 0, 1)
    scale: tuple[float, float, float] = (1, 1, 1)


class Scene(_Described):
    """The nodes that are shown, with all nodes below them."""

    nodes: _List[_Index] = ()


class Picture(_Described):
    """A PNG, a JPEG, or a picture in a format that an extension allows."""

    uri: str | None = None
    buffer_view: _Index | None = None


class Source(_Described):
    """The number of a picture."""

    source: _Index | None = None


class _TextureExtensions(_Extensions):
    webp: Source = Field(default=Source(), validation_alias="EXT_texture_webp")
    avif: Source = Field(default=Source(), validation_alias="EXT_texture_avif")


class Texture(Source):
    """A picture on a surface, in one or several formats; the only one may be that of an extension."""

    extensions: _TextureExtensions = _TextureExtensions()

    @property
    def picture(self) -> int | None:
        """Number of the picture; None where only an extension that is not read names it."""
        of = (self.source, self.extensions.webp.source, self.extensions.avif.source)
        return next((one for one in of if one is not None), None)


class TextureUse(_Described):
    """The number of a texture, and the number of the texture coordinates that place it."""

    index: _Index
    tex_coord: _Index = 0


class Surface(_Described):
    """The colour of a material: linear RGBA, and the texture that it is multiplied with."""

    base_color_factor: tuple[float, float, float, float] = (1, 1, 1, 1)
    base_color_texture: TextureUse | None = None


class Material(_Described):
    """The material of a primitive; only its colour is read."""

    pbr_metallic_roughness: Surface = Surface()


class _Asset(_Described):
    version: Annotated[str, Field(pattern=r"^2\.")]


class Document(_Described):
    """A glTF document. Its parts name one another by number; a number may name a part that does not exist."""

    asset: _Asset
    scene: _Index = 0
    scenes: _List[Scene] = ()
    nodes: _List[Node] = ()
    meshes: _List[Mesh] = ()
    accessors: _List[Accessor] = ()
    buffer_views: _List[View] = ()
    buffers: _List[Buffer] = ()
    images: _List[Picture] = ()
    textures: _List[Texture] = ()
    materials: _List[Material] = ()


def read_glb(path: Path) -> tuple[Document, memoryview]:
    """Read the JSON document of a GLB file and the bytes after it.

    Raises:
        DamagedMediaError: The file is cut short, or its document is not glTF 2.0.
        MediaLimitError: The document is too long, or lists too many items.
        MediaTypeError: The file is not GLB of version 2.
    """
    described, rest = split_glb(path)
    kind, binary = next(_chunks(rest, 0), (b"", memoryview(b"")))
    try:
        document = Document.model_validate_json(described)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, fault["loc"]))
        if fault["type"] == "too_long":
            raise MediaLimitError(f"it lists more than {LIST_ITEMS} {place}") from None
        raise DamagedMediaError(f"its JSON is not glTF 2.0: {place and f'{place}: '}{fault['msg']}") from None
    return document, binary if kind == b"BIN\0" else memoryview(b"")


def split_glb(path: Path) -> tuple[bytes, memoryview]:
    """Return the JSON of a GLB file, as it is written, and the chunks after it.

    Raises:
        DamagedMediaError: The file is cut short, or does not begin with its JSON.
        MediaLimitError: Its JSON is too long.
        MediaTypeError: The file is not GLB of version 2.
    """
    content = memoryview(path.read_bytes())
    if len(content) < _HEADER.size:
        raise DamagedMediaError(f"it breaks off in its header, at byte {len(content)}")
    magic, version, length = _HEADER.unpack_from(content)
    if (magic, version) != (b"glTF", 2):
        raise MediaTypeError(f"it is {magic!r} of version {version}, not GLB of version 2")
    if length != len(content):
        raise DamagedMediaError(f"it should have {length} bytes, but has {len(content)}")
    chunks = list(_chunks(content, _HEADER.size))
    if not chunks or chunks[0][0] != b"JSON":
        raise DamagedMediaError("it does not begin with its JSON")
    described = chunks[0][1]
    if len(described) > JSON_BYTES:
        raise MediaLimitError(f"its JSON has {len(described)} bytes, more than {JSON_BYTES}")
    return bytes(described), content[_HEADER.size + _CHUNK.size + len(described) :]


def join_glb(document: bytes, rest: memoryview) -> bytes:
    """Return a GLB file of its JSON and the chunks after it; see `split_glb`."""
    described = document + b" " * (-len(document) % 4)
    length = _HEADER.size + _CHUNK.size + len(described) + len(rest)
    return b"".join([_HEADER.pack(b"glTF", 2, length), _CHUNK.pack(len(described), b"JSON"), described, rest])


def _chunks(content: memoryview, start: int) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the kind and the bytes of each chunk, from a byte on; refuse one that is cut short."""
    length = len(content)
    while start < length:
        if start + _CHUNK.size > length:
            raise DamagedMediaError(f"a chunk breaks off in its head, at byte {length}")
        size, kind = _CHUNK.unpack_from(content, start)
        start += _CHUNK.size
        if size % 4 or start + size > length:
            raise DamagedMediaError(f"a chunk should have {size} bytes, but {length - start} are left, or it is not in fours")
        yield kind, content[start : start + size]
        start += size


def decode_inline(what: str, uri: str | None) -> bytes:
    """Return the bytes of a data URI.

    Args:
        what: Name of the bytes, for an error.
        uri: The data URI; None where the document has none.

    Raises:
        DamagedMediaError: There is no URI, or it is not base64.
        MediaTypeError: The URI names another file.
    """
    if uri is None:
        raise DamagedMediaError(f"{what} is not there")
    head, _, text = uri.partition(",")
    if not head.startswith("data:") or not head.endswith(";base64"):
        raise MediaTypeError(f"{what} is in another file; a model must hold all it needs")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise DamagedMediaError(f"{what} is not base64") from None


def pick(what: str, items: Sequence[_Item], index: int) -> _Item:
    """Return the part of a document that another part names by its number.

    Raises:
        DamagedMediaError: There is no part of that number.
    """
    if index >= len(items):
        raise DamagedMediaError(f"it names {what} {index} of {len(items)}")
    return items[index]
