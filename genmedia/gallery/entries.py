"""Entries of the gallery, one for each asset, as plain data: the known fields of its sidecar, and the paths of its files from the page."""

import hashlib
import json
import os
import re
from collections.abc import Container
from typing import Any, cast
from urllib.parse import quote

from pydantic.main import IncEx
from pydantic_core import to_jsonable_python

from genmedia.gallery.viewer import page_of
from genmedia.store.sidecar import Bought, Evidence, Sidecar
from genmedia.transport.redaction import bare_url

Entry = dict[str, Any]

_QUARANTINE = "in quarantine"
_UNSHOWN: IncEx = {"output": {"kind", "source", "number", "of"}, "file": {"path", "frames", "audio", "mode"}}
_ADDRESS = re.compile(r"https?://[^\s\"'<>|]+")


def make_entry(path: str, read: Sidecar, thumbnails: Container[str]) -> Entry:
    """Make the entry of an asset.

    Args:
        path: The asset's path below the store's root, by the place of its sidecar; the path in the sidecar may be an older one.
        read: Its sidecar.
        thumbnails: The SHA-256 of all contents that have a thumbnail.

    Returns:
        The entry. If the asset is a text, the caller still has to add its beginning as `text`.

    Raises:
        ValueError: The request holds NaN or an infinite number.
    """
    about: Entry = _bare(read.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=_UNSHOWN))
    wish = json.dumps([read.account, read.operation, read.request], sort_keys=True, allow_nan=False)
    about |= {"wish": hashlib.sha256(wish.encode()).hexdigest()[:16]}
    about |= {"path": path, "href": _href(path), "sidecar": _href(f"{path}.json")}
    for name in ("uses", "place"):
        if not about[name]:
            del about[name]
    about["times"] = {name: to_jsonable_python(time) for name, time in read.times if time}  # as a browser reads them
    if read.file.sha256 in thumbnails:
        about["thumbnail"] = thumbnail_of(read.file.sha256)
    if read.file.media_type.startswith("model/"):
        about["turns"] = page_of(read.file.sha256)
    return about


def read_refused(path: str, evidence: bytes) -> Entry:
    """Make the entry of a file in quarantine: why it was refused, without any link that would open the file.

    Raises:
        ValueError: It does not read as evidence.
    """
    read = Evidence.model_validate_json(evidence)
    about: Entry = _bare(read.model_dump(mode="json", include=set(Bought.model_fields)))
    return about | {
        "quarantined": True,
        "campaign": _QUARANTINE,
        "step": read.operation,
        "output": {"id": read.output},
        "file": {"sha256": read.sha256, "bytes": read.bytes, "media_type": ""},
        "warnings": [_bare(read.what)],
        "request": {},
        "inputs": [],
        "cost": {},
        "times": {},
        "wish": path,
        "path": path,
        "sidecar": _href(f"{path}.json"),
    }


def is_evidence_of(evidence: bytes, key: str, output: str, number: int) -> bool:
    """True if evidence in quarantine is about this output of this submission."""
    try:
        read = Evidence.model_validate_json(evidence)
    except ValueError:
        return False
    return (read.submission_key, read.output) == (key, output) and read.number in (None, number)


def thumbnail_of(digest: str) -> str:
    """Path from the page of the thumbnail of the content with this SHA-256."""
    return f".genmedia/thumbnails/{digest}.webp"


def _href(path: str) -> str:
    return quote(os.fsencode(path))


def _bare(value: Any) -> Any:
    """Return the value with every address in its texts cut down to what may be shown: queries may hold signatures."""
    if isinstance(value, str):
        return _ADDRESS.sub(lambda found: bare_url(found[0]) if set("?#@") & set(found[0]) else found[0], value)
    if isinstance(value, list):
        return [_bare(one) for one in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {name: _bare(one) for name, one in cast("dict[str, Any]", value).items()}
    return value
