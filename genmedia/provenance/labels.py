"""Labels inside files: who made a file and by what, as XMP, and as IPTC's older fields in a JPEG. Pixels, sound and shapes stay as they are.

The field that says that a machine has made a picture is IPTC's digital source type. `containers` knows the places of a packet in files.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from xml.dom import minidom
from xml.parsers.expat import ExpatError
from xml.sax.saxutils import escape

from genmedia.media.sniffing import media_type_of
from genmedia.provenance.containers import CONTAINERS, PACKET_BYTES, OddFileError, ordinary, read_photoshop, with_photoshop
from genmedia.store.sidecar import Sidecar

TYPES = {"image/jpeg", "image/png", "image/webp"}
"""Media types into which a store writes the provenance, where it is set to."""

SOURCES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
"""Beginning of the address of each of IPTC's digital source types."""

MADE_BY_MACHINE = f"{SOURCES}trainedAlgorithmicMedia"
NAMESPACE = "urn:genmedia:sidecar:1"

SIGNED = "it has content credentials (C2PA), which a label would break: it is as it came, without one"

_PROMPT_CHARACTERS = 10_000
"""Most characters of a prompt in a packet, which must fit into one segment of a JPEG: 65,502 bytes, with up to 5 for a character."""

_LABEL_CHARACTERS = 2_000
"""Most characters of one field of a label, for the same reason."""

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DC, _EXT = "http://purl.org/dc/elements/1.1/", "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_BEGIN, _END = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n', '\n<?xpacket end="r"?>'

_PACKET = (
    _BEGIN
    + """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:genmedia="{namespace}">
<dc:source>{source}</dc:source>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{prompt}</rdf:li></rdf:Alt></dc:description>
<xmp:CreatorTool>{provider} {operation}</xmp:CreatorTool>
<Iptc4xmpExt:DigitalSourceType>{made_by}</Iptc4xmpExt:DigitalSourceType>
<genmedia:provider>{provider}</genmedia:provider>
<genmedia:operation>{operation}</genmedia:operation>
<genmedia:submission_key>{submission_key}</genmedia:submission_key>
</rdf:Description></rdf:RDF></x:xmpmeta>"""
    + _END
)


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
    with picture.open("rb") as file:
        media_type = media_type_of(file.read(2**16))
    if media_type not in TYPES:
        return False
    try:
        held = CONTAINERS[media_type].look(picture)
        if held.signed or held.packet is not None:
            return False
        CONTAINERS[media_type].write(picture, packet)
    except OddFileError:  # it decodes, but its container is no ordinary one
        return False
    return True


@dataclass(frozen=True, kw_only=True)
class Label:
    """What a file says about itself; a field that is empty is not written.

    Attributes:
        creator: Who made it, or had it made.
        rights: The notice of copyright.
        title: Its title.
        source: Address of its digital source type, such as `MADE_BY_MACHINE`.
        overrules: True if `source` replaces another one that the file names already.
    """

    creator: str = ""
    rights: str = ""
    title: str = ""
    source: str = ""
    overrules: bool = False

    @property
    def texts(self) -> dict[str, str]:
        """The fields of Dublin Core that are written, without characters that XML cannot hold."""
        told = {"creator": self.creator, "rights": self.rights, "title": self.title}
        return {name: _NO_XML.sub("", text)[:_LABEL_CHARACTERS] for name, text in told.items() if text}


def write_label(file: Path, media_type: str, label: Label) -> str:
    """Write a label into a file, beside everything else that it says about itself.

    Returns:
        The reason why the file has no label now, or not all of it, for people; empty if it has.
    """
    try:
        if media_type == "model/gltf-binary":
            from genmedia.provenance.model_labels import label_model  # noqa: PLC0415 # numpy, which reading models needs, is slow to import

            label_model(file, label.texts, label.source, overrules=label.overrules)
            return ""
        container = CONTAINERS.get(media_type)
        if container is None:
            return f"{media_type} holds no label"
        held = container.look(file)
        if held.signed:
            return SIGNED
        container.write(file, labelled(held.packet, label))
    except OddFileError as error:
        return f"it has no label: {error}"
    try:
        if media_type == "image/jpeg":
            _write_iptc(file, label)
    except OddFileError as error:
        return f"its label is XMP alone, without the older fields: {error}"
    return ""


def is_signed(file: Path, media_type: str) -> bool:
    """True if a file has content credentials (C2PA)."""
    try:
        return media_type in CONTAINERS and CONTAINERS[media_type].look(file).signed
    except OddFileError:
        return False


def labelled(packet: bytes | None, label: Label) -> bytes:
    """Return an XMP packet with the fields of a label; everything else that `packet` says stays, if it can be read."""
    document = _read_packet(packet) if packet else None
    if document is None:
        body = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}">{_description(label)}</rdf:RDF></x:xmpmeta>'
        return f"{_BEGIN}{body}{_END}".encode()
    fields = [(_DC, name) for name in label.texts]
    if label.source and label.overrules:
        fields.append((_EXT, "DigitalSourceType"))
    elif _sources(document):
        label = replace(label, source="")
    (root, *_) = document.getElementsByTagNameNS(_RDF, "RDF")
    for described in document.getElementsByTagNameNS(_RDF, "Description"):
        for namespace, name in fields:
            if described.hasAttributeNS(namespace, name):
                described.removeAttributeNS(namespace, name)
            for child in [one for one in described.childNodes if (one.namespaceURI, one.localName) == (namespace, name)]:
                described.removeChild(child)
    added = minidom.parseString(_description(label)).documentElement  # noqa: S318 # it was written here
    assert added
    root.appendChild(document.importNode(added, deep=True))
    assert document.documentElement
    return f"{_BEGIN}{document.documentElement.toxml()}{_END}".encode()


def _read_packet(packet: bytes) -> minidom.Document | None:
    """Read a packet; return None for one that is no XMP, or of a kind that no honest program writes."""
    try:
        text = packet.decode().strip("\0 \t\r\n\ufeff")
        if len(packet) > PACKET_BYTES or "<!DOCTYPE" in text or "<!ENTITY" in text:
            return None
        document = minidom.parseString(text.encode())  # noqa: S318 # without a DOCTYPE it can declare no entities
    except (ExpatError, ValueError, RecursionError):
        return None
    return document if document.getElementsByTagNameNS(_RDF, "RDF") else None


def _sources(document: minidom.Document) -> bool:
    """True if a packet names a digital source type."""
    described = document.getElementsByTagNameNS(_RDF, "Description")
    name = "DigitalSourceType"
    return bool(document.getElementsByTagNameNS(_EXT, name)) or any(one.hasAttributeNS(_EXT, name) for one in described)


def _description(label: Label) -> str:
    told = {name: escape(text) for name, text in label.texts.items()}
    forms = {
        "creator": "<rdf:Seq><rdf:li>{}</rdf:li></rdf:Seq>",
        **dict.fromkeys(("rights", "title"), '<rdf:Alt><rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt>'),
    }
    fields = [f"<dc:{name}>{forms[name].format(text)}</dc:{name}>" for name, text in told.items()]
    if label.source:
        fields.append(f"<Iptc4xmpExt:DigitalSourceType>{escape(label.source)}</Iptc4xmpExt:DigitalSourceType>")
    spaces = f'xmlns:rdf="{_RDF}" xmlns:dc="{_DC}" xmlns:Iptc4xmpExt="{_EXT}"'
    return f'<rdf:Description rdf:about="" {spaces}>{"".join(fields)}</rdf:Description>'


_IPTC = 0x0404
_IPTC_DIGEST = 0x0425
"""Numbers of Photoshop's resources for IPTC's fields, and for their hash, which is out of date once they change."""

_UTF8 = b"\x1b%G"
_FIELDS = {"title": (5, 64), "creator": (80, 32), "rights": (116, 128)}
"""IPTC's number for each field, and the most bytes that it takes: IPTC Information Interchange Model 4.2."""


def _write_iptc(file: Path, label: Label) -> None:
    """Write the fields of a label into a JPEG as IPTC's older readers find them; other fields stay.

    Raises:
        OddFileError: The file's own are not in order.
    """
    if not label.texts:
        return
    with ordinary():
        content = file.read_bytes()
        resources = read_photoshop(content)
        numbers = {_FIELDS[name][0] for name in label.texts}
        kept = [one for one in _datasets(resources.get(_IPTC, b"")) if one[0] == 2 and one[1] != 0 and one[1] not in numbers]
        mine = [(2, _FIELDS[name][0], _fitting(text, _FIELDS[name][1])) for name, text in label.texts.items()]
        fields = [(1, 90, _UTF8), (2, 0, b"\0\4"), *sorted([*kept, *mine], key=lambda one: one[:2])]
        resources[_IPTC] = b"".join(
            struct.pack(">BBBH", 0x1C, record, number, len(text)) + text for record, number, text in fields
        )
        resources.pop(_IPTC_DIGEST, None)
        written = with_photoshop(content, resources)
    file.write_bytes(written)


def _datasets(packed: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield record, number and text, in UTF-8, of each of IPTC's fields."""
    at = 0
    while at + 5 <= len(packed) and packed[at] == 0x1C:
        record, number, size = struct.unpack_from(">BBH", packed, at + 1)
        text = packed[at + 5 : at + 5 + size]
        if size >= 0x8000 or len(text) < size:
            raise OddFileError("its IPTC fields are not in order")
        try:
            text.decode()
        except UnicodeDecodeError:
            text = text.decode("latin-1").encode()
        yield record, number, text
        at += 5 + size


def _fitting(text: str, most: int) -> bytes:
    """Return the beginning of a text, in UTF-8, of at most so many bytes."""
    return text.encode()[:most].decode(errors="ignore").encode()
