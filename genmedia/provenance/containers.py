"""The places of an XMP packet in files: read, and written without touching anything else in the file.

Facts: XMP specification part 3 (JPEG: APP1; PNG: iTXt; TIFF: tag 700; MP4 and QuickTime: a box of type uuid), the WebP container
specification (XMP chunk, VP8X), TIFF 6.0, and for content credentials the C2PA specification (JPEG: APP11; PNG: caBX; WebP: C2PA; TIFF: tag
52545; MP4: a box of type uuid).
"""

import struct
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

JPEG_PACKET_BYTES = 65_502
"""Longest packet that fits into one segment of a JPEG."""

PACKET_BYTES = 2**20
"""Longest packet that is read."""

_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_XMP = b"XML:com.adobe.xmp\0"
_SCAN, _APP0, _APP1, _APP11, _APP13 = 0xDA, 0xE0, 0xE1, 0xEB, 0xED
_HAS_XMP, _HAS_ALPHA = 0x04, 0x10
_TIFF_XMP, _TIFF_C2PA, _BYTE = 700, 52545, 1
_BOX_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_BOX_C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_PHOTOSHOP = b"Photoshop 3.0\0"


class OddFileError(ValueError):
    """A file that is no ordinary one of its type: nothing is written into it. The text says why."""


@dataclass(frozen=True)
class Held:
    """What a file holds about itself.

    Attributes:
        packet: Its XMP packet; None if it has none.
        signed: True if it has content credentials (C2PA), which any change of the file makes invalid.
    """

    packet: bytes | None = None
    signed: bool = False


@dataclass(frozen=True)
class Container:
    """How files of one type hold an XMP packet; both functions raise an `OddFileError` for a file that is no ordinary one of the type.

    Attributes:
        look: Returns what the file holds.
        write: Writes a packet into the file, in the place of one that it has.
    """

    look: Callable[[Path], Held]
    write: Callable[[Path, bytes], None]


# JPEG


def _segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, beginning and end of each segment of a JPEG before its first scan."""
    at = 2
    while True:
        start, marker, size = struct.unpack_from(">BBH", content, at)
        if start != 0xFF:
            raise OddFileError("its segments are not in a row")
        if marker == _SCAN:
            return
        yield marker, at, at + 2 + size
        at += 2 + size


def _look_at_jpeg(content: bytes) -> Held:
    packet, signed = None, False
    for marker, start, end in _segments(content):
        body = content[start + 4 : end]
        signed |= marker == _APP11
        if marker == _APP1 and body.startswith(_JPEG_XMP):
            packet = body[len(_JPEG_XMP) :]
    return Held(packet, signed)


def _with_packet_in_jpeg(content: bytes, packet: bytes) -> bytes:
    if len(packet) > JPEG_PACKET_BYTES:
        raise OddFileError("its packet is longer than a JPEG can hold in one piece")
    return _with_segment(content, _APP1, _JPEG_XMP, packet)


def _with_segment(content: bytes, kind: int, name: bytes, body: bytes) -> bytes:
    """Return a JPEG with a segment behind its first ones, for JFIF and Exif want to be first, in place of those of this kind and name."""
    parts, place = [content[:2]], 1
    at = 2
    for marker, start, end in _segments(content):
        at = end
        if marker == kind and content[start + 4 : end].startswith(name):
            continue
        parts.append(content[start:end])
        if marker in (_APP0, _APP1):
            place = len(parts)
    parts.insert(place, struct.pack(">BBH", 0xFF, kind, 2 + len(name) + len(body)) + name + body)
    return b"".join([*parts, content[at:]])


def read_photoshop(content: bytes) -> dict[int, bytes]:
    """Return the resources of Photoshop in a JPEG by their numbers; 0x0404 is IPTC's. Names of resources are left out.

    Raises:
        OddFileError: They, or the segments of the JPEG, are not in order.
    """
    packed = b"".join(
        content[start + 4 + len(_PHOTOSHOP) : end]
        for marker, start, end in _segments(content)
        if marker == _APP13 and content[start + 4 : end].startswith(_PHOTOSHOP)
    )
    found: dict[int, bytes] = {}
    at = 0
    while at < len(packed):
        signature, number, name = struct.unpack_from(">4sHB", packed, at)
        if signature != b"8BIM":
            raise OddFileError("its Photoshop resources are not in a row")
        at += 7 + name + (name + 1) % 2
        (size,) = struct.unpack_from(">I", packed, at)
        found[number] = packed[at + 4 : at + 4 + size]
        at += 4 + size + size % 2
    return found


def with_photoshop(content: bytes, resources: dict[int, bytes]) -> bytes:
    """Return a JPEG with these resources of Photoshop in place of those that it has; see `read_photoshop`.

    Raises:
        OddFileError: They do not fit into one segment.
    """
    packed = b"".join(
        b"8BIM" + struct.pack(">HHI", number, 0, len(body)) + body + b"\0" * (len(body) % 2) for number, body in resources.items()
    )
    if len(packed) > 65_000:
        raise OddFileError("its Photoshop resources are longer than one segment")
    return _with_segment(content, _APP13, _PHOTOSHOP, packed)


# PNG


def _chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, beginning and end of each chunk of a PNG."""
    at, kind = len(_PNG_SIGNATURE), b""
    while kind != b"IEND":
        size, kind = struct.unpack_from(">I4s", content, at)
        yield kind, at, at + 12 + size
        at += 12 + size


def _is_xmp_chunk(content: bytes, kind: bytes, start: int) -> bool:
    return kind == b"iTXt" and content.startswith(_PNG_XMP, start + 8)


def _look_at_png(content: bytes) -> Held:
    packet, signed = None, False
    for kind, start, end in _chunks(content):
        signed |= kind == b"caBX"
        if _is_xmp_chunk(content, kind, start):
            body = content[start + 8 + len(_PNG_XMP) : end - 4]
            _, _, text = body[2:].split(b"\0", 2)  # two flags of compression, a language, a keyword in that language
            packet = zlib.decompressobj().decompress(text, PACKET_BYTES) if body[:1] == b"\1" else text
    return Held(packet, signed)


def _with_packet_in_png(content: bytes, packet: bytes) -> bytes:
    text = b"iTXt" + _PNG_XMP + b"\0\0\0\0" + packet
    (header, *others) = list(_chunks(content))
    kept = [content[start:end] for kind, start, end in others if not _is_xmp_chunk(content, kind, start)]
    written = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    return b"".join([content[: header[2]], written, *kept, content[others[-1][2] :]])


# WebP


def _riff_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    (size,) = struct.unpack_from("<I", content, 4)
    at = 12
    while at < min(8 + size, len(content)):
        kind, length = struct.unpack_from("<4sI", content, at)
        yield kind, content[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _look_at_webp(content: bytes) -> Held:
    chunks = dict(_riff_chunks(content))
    return Held(chunks.get(b"XMP "), b"C2PA" in chunks)


def _with_packet_in_webp(content: bytes, packet: bytes) -> bytes:
    chunks = [(kind, body) for kind, body in _riff_chunks(content) if kind != b"XMP "]
    kind, body = chunks[0]
    if kind == b"VP8X":
        header = bytes([body[0] | _HAS_XMP]) + body[1:]
        chunks = chunks[1:]
    else:
        width, height, alpha = _webp_size(kind, body)
        header = struct.pack("<I", _HAS_XMP | alpha) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    parts = b"".join(
        kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
        for kind, body in [(b"VP8X", header), *chunks, (b"XMP ", packet)]
    )
    return b"RIFF" + struct.pack("<I", 4 + len(parts)) + b"WEBP" + parts


def _webp_size(kind: bytes, body: bytes) -> tuple[int, int, int]:
    """Width and height in pixels, and `_HAS_ALPHA` of a picture that is not opaque, else 0."""
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", body, 1)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, _HAS_ALPHA if bits >> 28 & 1 else 0
    width, height = struct.unpack_from("<HH", body, 6)
    return width & 0x3FFF, height & 0x3FFF, 0


# TIFF


def _directory(content: bytes) -> tuple[str, dict[int, bytes], bytes]:
    """Return the order of bytes of a TIFF, the entries of its first directory by their tags, and the place of the next directory."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(content[:4])
    if not order:
        raise OddFileError("it is a TIFF of more than 4 GB")
    (at,) = struct.unpack_from(f"{order}I", content, 4)
    (count,) = struct.unpack_from(f"{order}H", content, at)
    entries = [content[at + 2 + 12 * number : at + 14 + 12 * number] for number in range(count)]
    end = at + 2 + 12 * count
    if end + 4 > len(content):
        raise OddFileError("its first directory is cut short")
    return order, {struct.unpack(f"{order}H", entry[:2])[0]: entry for entry in entries}, content[end : end + 4]


def _look_at_tiff(content: bytes) -> Held:
    order, entries, _ = _directory(content)
    packet = None
    if _TIFF_XMP in entries:
        _, _, size, at = struct.unpack(f"{order}HHII", entries[_TIFF_XMP])
        packet = content[at : at + size]
    return Held(packet, _TIFF_C2PA in entries)


def _with_packet_in_tiff(content: bytes, packet: bytes) -> bytes:
    """Return a TIFF with a new first directory at its end: everything else stays where other parts of the file look for it."""
    order, entries, following = _directory(content)
    start = len(content) + len(content) % 2
    body = packet + b"\0" * (len(packet) % 2)
    entries[_TIFF_XMP] = struct.pack(f"{order}HHII", _TIFF_XMP, _BYTE, len(packet), start)
    directory = struct.pack(f"{order}H", len(entries)) + b"".join(entries[tag] for tag in sorted(entries)) + following
    header = content[:4] + struct.pack(f"{order}I", start + len(body))
    return header + content[8:] + b"\0" * (start - len(content)) + body + directory


# MP4 and QuickTime


@dataclass(frozen=True)
class _Box:
    """An outermost box; `user` is the type, and `head` the length in bytes of all before the content, of a box of type uuid."""

    kind: bytes
    start: int
    size: int
    user: bytes
    head: int


def _boxes(file: BinaryIO) -> list[_Box]:
    """Return the outermost boxes of a film; the last may reach to the end of the file without saying so."""
    end, at, found = file.seek(0, 2), 0, list[_Box]()
    while at + 8 <= end:
        file.seek(at)
        head = file.read(32)
        size, kind = struct.unpack_from(">I4s", head)
        wide = size == 1
        size = struct.unpack_from(">Q", head, 8)[0] if wide else size or end - at
        if size < 8 or at + size > end:
            raise OddFileError("its boxes do not fit into the file")
        found.append(_Box(kind, at, size, head[16:32] if wide else head[8:24], 32 if wide else 24))
        at += size
    if at != end:
        raise OddFileError("bytes that are no box were added after the film")
    return found


def _look_at_film(path: Path) -> Held:
    with ordinary(), path.open("rb") as file:
        user = {box.user: box for box in _boxes(file) if box.kind == b"uuid"}
        packet = None
        if box := user.get(_BOX_XMP):
            file.seek(box.start + box.head)
            packet = file.read(min(box.size - box.head, PACKET_BYTES))
        return Held(packet, _BOX_C2PA in user)


def _write_into_film(path: Path, packet: bytes) -> None:
    """Write a box at the end of a film, so that nothing moves to which other boxes point."""
    written = struct.pack(">I4s", 24 + len(packet), b"uuid") + _BOX_XMP + packet
    with ordinary(), path.open("r+b") as file:
        boxes = _boxes(file)
        for box in boxes:
            if box.kind == b"uuid" and box.user == _BOX_XMP:
                file.seek(box.start + 4)
                file.write(b"free")
        last, end = boxes[-1], boxes[-1].start + boxes[-1].size
        file.seek(last.start)
        if file.read(4) == bytes(4):  # it reaches to the end of the file, which will be another one
            if last.size >= 2**32:
                raise OddFileError("its last box does not say how long it is")
            file.seek(last.start)
            file.write(struct.pack(">I", last.size))
        index = b""
        if last.kind == b"mfra":  # the index of a film in fragments is looked for from the end
            file.seek(last.start)
            index, end = file.read(last.size), last.start
        file.seek(end)
        file.write(written + index)


def _whole(look: Callable[[bytes], Held], write: Callable[[bytes, bytes], bytes]) -> Container:
    """Return the container of a type whose files are read as a whole."""

    def look_at(path: Path) -> Held:
        with ordinary():
            return look(path.read_bytes())

    def write_into(path: Path, packet: bytes) -> None:
        with ordinary():
            written = write(path.read_bytes(), packet)
        path.write_bytes(written)

    return Container(look_at, write_into)


@contextmanager
def ordinary() -> Generator[None]:
    """Raise what a container that is cut short or broken makes other errors of as an `OddFileError`."""
    try:
        yield
    except OddFileError:
        raise
    except (struct.error, zlib.error, LookupError, ValueError, ArithmeticError):
        raise OddFileError("its container is no ordinary one") from None


_FILM = Container(_look_at_film, _write_into_film)
CONTAINERS = {
    "image/jpeg": _whole(_look_at_jpeg, _with_packet_in_jpeg),
    "image/png": _whole(_look_at_png, _with_packet_in_png),
    "image/webp": _whole(_look_at_webp, _with_packet_in_webp),
    "image/tiff": _whole(_look_at_tiff, _with_packet_in_tiff),
    "video/mp4": _FILM,
    "video/quicktime": _FILM,
}
"""The containers of the media types whose files hold an XMP packet."""
