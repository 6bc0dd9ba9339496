"""Labels inside models: GLB holds XMP as JSON, by the glTF extension KHR_xmp_json_ld. Everything but the document stays as it is."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genmedia.errors import MediaError
from genmedia.media.glb import join_glb, split_glb
from genmedia.provenance.containers import OddFileError

_XMP = "KHR_xmp_json_ld"
_CONTEXT = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
}
_SOURCE = "Iptc4xmpExt:DigitalSourceType"


def label_model(file: Path, texts: Mapping[str, str], source: str, *, overrules: bool) -> None:
    """Write a label into a GLB file: as a packet of its document, and the rights as glTF's own `copyright`.

    Args:
        file: The file.
        texts: `creator`, `rights` and `title`, as far as they are written.
        source: Address of the digital source type; empty for none.
        overrules: True if `source` replaces another one that the file names already.

    Raises:
        OddFileError: Its document cannot be read.
    """
    try:
        document, rest = split_glb(file)
        told: dict[str, Any] = json.loads(document)
        packets: list[dict[str, Any]] = told.setdefault("extensions", {}).setdefault(_XMP, {}).setdefault("packets", [])
        about: dict[str, Any] = told["asset"].setdefault("extensions", {}).setdefault(_XMP, {})
        if "packet" not in about:
            about["packet"] = len(packets)
            packets.append({"@id": ""})
        packet = packets[about["packet"]]
        packet["@context"] = {**packet.get("@context", {}), **_CONTEXT}
        for name, text in texts.items():
            packet[f"dc:{name}"] = {"@list": [text]} if name == "creator" else _in_default_language(text)
        if source and (overrules or _SOURCE not in packet):
            packet[_SOURCE] = source
        if "rights" in texts:
            told["asset"]["copyright"] = texts["rights"]
        used: list[str] = told.setdefault("extensionsUsed", [])
        if _XMP not in used:
            used.append(_XMP)
        file.write_bytes(join_glb(json.dumps(told, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode(), rest))
    except (MediaError, LookupError, TypeError, ValueError, AttributeError, RecursionError):
        raise OddFileError("its document is no ordinary one") from None


def _in_default_language(text: str) -> dict[str, Any]:
    return {"@type": "rdf:Alt", "rdf:_1": {"@language": "x-default", "@value": text}}
