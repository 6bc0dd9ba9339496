"""The page of a delivery: its pictures on one sheet, which opens from anywhere, without a script and without a network."""

from base64 import b64encode
from collections.abc import Collection, Iterator, Mapping
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined

from genmedia.campaign.delivery.manifest import Entry, Manifest
from genmedia.campaign.delivery.naming import SHEET
from genmedia.media.facts import SUFFIXES
from genmedia.text.plain import for_screen
from genmedia.text.templates import flat

_SHOWN = {"image/png", "image/jpeg", "image/webp", "image/gif", "image/avif"}
"""Media types that browsers show."""

_FOLDER = files("genmedia.campaign.delivery")


def make_page(manifest: Manifest, thumbnails: Mapping[str, Path]) -> Iterator[str]:
    """Yield the page in pieces, so that it may be large.

    Args:
        manifest: The files of the delivery.
        thumbnails: Small pictures (WebP) by the hash of the stored file that each is of. They are in the page itself; of a file without one
            the page shows the file, if browsers can.
    """
    style = _FOLDER.joinpath("page.css").read_text(encoding="utf-8")
    page = Environment(autoescape=True, undefined=StrictUndefined).from_string(
        _FOLDER.joinpath("page.html").read_text(encoding="utf-8")
    )
    every = [set(_told(one)) for one in manifest.files]
    same = set[tuple[str, str]]().union(*every[:1]).intersection(*every) if len(every) > 1 else set[tuple[str, str]]()
    # `generate` reads a thumbnail when its place comes.
    return page.generate(
        campaign=for_screen(manifest.campaign),
        style=style,
        style_hash=f"sha256-{b64encode(sha256(style.encode()).digest()).decode()}",
        count=len(manifest.files),
        size=_size(sum(one.bytes for one in manifest.files)),
        sheet=SHEET,
        files=(_shown(one, thumbnails.get(one.source_sha256), same) for one in manifest.files),
    )


def _told(entry: Entry) -> list[tuple[str, str]]:
    """Return the values of a file, by their names, as far as they can be read."""
    return [(name, str(value)) for name, value in flat(entry.values) if isinstance(value, str | int | float) and str(value)]


def _shown(entry: Entry, thumbnail: Path | None, same: Collection[tuple[str, str]]) -> dict[str, Any]:
    """Return what the page shows of a file; of its values those that not all files have."""
    href = quote(entry.name)
    if thumbnail:
        picture = f"data:image/webp;base64,{b64encode(thumbnail.read_bytes()).decode()}"
    else:
        picture = href if entry.media_type in _SHOWN else ""
    sides = f"{entry.width} x {entry.height}" if entry.width and entry.height else ""
    told = dict.fromkeys([entry.step, *(value for name, value in _told(entry) if (name, value) not in same)])
    facts = [*told, sides, SUFFIXES[entry.media_type].upper(), _size(entry.bytes)]
    return {
        "href": href,
        "picture": picture,
        "alt": for_screen(entry.title or entry.name),
        "kind": SUFFIXES[entry.media_type].upper(),
        "name": entry.name,
        "title": for_screen(entry.title),
        "facts": for_screen(" · ".join(filter(None, facts))),
        "verdict": for_screen(f"{entry.verdict}, {entry.by}" if entry.verdict and entry.by else entry.verdict),
        "prompt": for_screen(entry.prompt),
    }


def _size(size: int) -> str:
    """Return a number of bytes for people."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size} bytes" if size else ""
