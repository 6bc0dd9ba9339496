"""Provenance inside a picture: an XMP packet in the file itself; the bytes of its pixels stay as they are.

The place of a packet is from: XMP specification part 3 (JPEG: APP1; PNG: iTXt), WebP container specification (XMP chunk, VP8X). The field
that says that a machine has made the picture is IPTC's digital source type.
"""

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape
from zlib import crc32

from genmedia.store.sidecar import Sidecar

TYPES = {"image/jpeg", "image/png", "image/webp"}
MADE_BY_MACHINE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
NAMESPACE = "urn:genmedia:sidecar:1"

_PROMPT_CHARACTERS = 10_000
"""Most characters of a prompt in a packet, which must fit into one segment of a JPEG: 65,502 bytes, with up to 5 for a character."""

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_XMP = b"XML:com.adobe.xmp\0\0\0\0\0"
_SCAN, _APP1, _APP11 = 0xDA, 0xE1, 0xEB
_HAS_XMP, _HAS_ALPHA = 0x04, 0x10

_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:genmedia="{namespace}">
<dc:source>{source}</dc:source>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{prompt}</rdf:li></rdf:Alt></dc:description>
<xmp:CreatorTool>{provider} {operation}</xmp:CreatorTool>
<Iptc4xmpExt:DigitalSourceType>{made_by}</Iptc4xmpExt:DigitalSourceType>
<genmedia:provider>{provider}</genmedia:provider>
<genmedia:operation>{operation}</genmedia:operation>
<genmedia:submission_key>{submission_key}</genmedia:submission_key>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""


def make_packet(sidecar: Sidecar) -> bytes:
    """The XMP packet of a file with this sidecar, in UTF-8. It holds no time, so that the same output fetched again is the same file."""
    told = {name: getattr(sidecar, name) for name in ("provider", "operation", "submission_key")}
    told["source"] = (
        f"{sidecar.provider} job {sidecar.remote_id}" if sidecar.remote_id else f"{sidecar.provider} {sidecar.operation}"
    )
    told["prompt"] = sidecar.prompt[:_PROMPT_CHARACTERS]
    plain = {name: escape(_NO_XML.sub("", value)) for name, value in told.items()}
    return _PACKET.format(namespace=NAMESPACE, made_by=MADE_BY_MACHINE, **plain).encode()


def embed(picture: Path, packet: bytes) -> bool:
    """Write a packet into a JPEG, PNG or WebP file.

    Returns:
        True if it was written. A file that has XMP or a signature (C2PA) of its own is left as it is, and so is one of another type.
    """
    content = picture.read_bytes()
    writer = {b"\xff\xd8": _into_jpeg, b"\x89P": _into_png, b"RI": _into_webp}.get(content[:2])
    try:
        written = writer(content, packet) if writer else None
    except struct.error:  # it decodes, but its container is no ordinary one
        written = None
    if written is None:
        return False
    picture.write_bytes(written)
    return True


def _into_jpeg(content: bytes, packet: bytes) -> bytes | None:
    place = at = 2
    while True:
        start, marker, size = struct.unpack_from(">BBH", content, at)
        body = content[at + 4 : at + 2 + size]
        if start != 0xFF or marker == _APP11 or (marker == _APP1 and body.startswith(_JPEG_XMP)):
            return None
        if marker == _SCAN:
            break
        at += 2 + size
        if 0xE0 <= marker <= _APP1:  # JFIF and Exif want to be first
            place = at
    segment = struct.pack(">BBH", 0xFF, _APP1, 2 + len(_JPEG_XMP) + len(packet)) + _JPEG_XMP + packet
    return content[:place] + segment + content[place:]


def _into_png(content: bytes, packet: bytes) -> bytes | None:
    chunks = list(_png_chunks(content))
    if chunks[-1][0] != b"IEND" or any(
        kind == b"caBX" or (kind == b"iTXt" and body.startswith(_PNG_XMP[:18])) for kind, body in chunks
    ):
        return None
    text = b"iTXt" + _PNG_XMP + packet
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", crc32(text))
    after_header = len(_PNG_SIGNATURE) + 12 + len(chunks[0][1])
    return content[:after_header] + chunk + content[after_header:]


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_PNG_SIGNATURE)
    while at < len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        yield kind, content[at + 8 : at + 8 + size]
        at += 12 + size
        if kind == b"IEND":
            return


def _into_webp(content: bytes, packet: bytes) -> bytes | None:
    chunks = list(_webp_chunks(content))
    kinds = {kind for kind, _ in chunks}
    if kinds & {b"XMP ", b"C2PA"}:
        return None
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


def _webp_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    (size,) = struct.unpack_from("<I", content, 4)
    at = 12
    while at < min(8 + size, len(content)):
        kind, length = struct.unpack_from("<4sI", content, at)
        yield kind, content[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _webp_size(kind: bytes, body: bytes) -> tuple[int, int, int]:
    """Width and height in pixels, and `_HAS_ALPHA` of a picture that is not opaque, else 0."""
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", body, 1)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, _HAS_ALPHA if bits >> 28 & 1 else 0
    width, height = struct.unpack_from("<HH", body, 6)
    return width & 0x3FFF, height & 0x3FFF, 0
