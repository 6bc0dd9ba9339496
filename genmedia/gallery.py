"""The gallery: one page beside the media that shows everything in a store, and where each piece came from."""

import json
import os
from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from genmedia.errors import StoreError
from genmedia.store import Store

PAGE = "index.html"
TEXT_CHARACTERS = 20_000
"""How much of a text stands in the page; the rest is in its file."""

_Digest = Field(pattern=r"^[0-9a-f]{64}$")


class _Read(BaseModel):
    """A part of a sidecar that the page shows; NaN would break the page's JSON."""

    model_config = ConfigDict(allow_inf_nan=False)


class _Input(_Read):
    id: str
    text: str | None = None
    sha256: str | None = None
    source: str = Field(default="", alias="from")


class _Cost(_Read):
    price: float | None = None
    charged: float | None = None
    unit: str = ""


class _Times(_Read):
    created: AwareDatetime | None = None
    started: AwareDatetime | None = None
    completed: AwareDatetime | None = None
    stored: AwareDatetime


class _Output(_Read):
    id: str


class _File(_Read):
    sha256: str = _Digest
    bytes: int
    media_type: str
    width: int | None = Field(default=None, gt=0)
    height: int | None = Field(default=None, gt=0)
    duration: float | None = None
    fps: float | None = None
    codec: str | None = None


class _Sidecar(_Read):
    genmedia: str
    campaign: str
    step: str
    provider: str
    account: str
    operation: str
    remote_id: str
    submission_key: str
    attempt: int
    take: int
    inputs: tuple[_Input, ...] = ()
    cost: _Cost
    times: _Times
    output: _Output
    file: _File


def write_gallery(store: Store) -> Path:
    """Write `index.html` into the store's root and get its path: a page to open from the disk, with no server and no network.

    A sidecar that is damaged, not ours, or without its file is left out and named on the page.

    Raises:
        StoreError: The folder cannot be read or written.
    """
    try:
        page = _fill_page(store)
        with store.incoming() as incoming:
            with incoming.path.open("w", encoding="utf-8") as file:
                file.write(page)
                file.flush()
                os.fsync(file.fileno())
            return incoming.path.replace(store.root / PAGE)
    except OSError as error:
        raise StoreError(f"the gallery of {store.root} could not be written: {error.strerror}") from None


def _fill_page(store: Store) -> str:
    found: list[tuple[_Sidecar, dict[str, Any]]] = []
    left_out: list[dict[str, str]] = []
    for path in store.sidecar_files():
        name = path.relative_to(store.root).as_posix()
        if not path.with_suffix("").is_file():
            left_out.append({"name": name, "why": "there is no file beside it"})
            continue
        try:
            sidecar = _Sidecar.model_validate_json(path.read_bytes())
            found.append((sidecar, _describe(store, path, sidecar)))
        except (ValidationError, OSError):
            left_out.append({"name": name, "why": "it does not read as a sidecar of genmedia"})
    data = {"root": store.root.name, "assets": _in_order(found), "left_out": left_out}
    page = files("genmedia").joinpath("gallery.html").read_text(encoding="utf-8")
    for tag in ("script", "style"):
        page = page.replace(f"%{tag}%", _hash_of(page, tag), 1)
    # ASCII without "<" can neither end the script element nor start a line where JavaScript would see one.
    return page.replace("%data%", json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"), 1)


def _describe(store: Store, path: Path, sidecar: _Sidecar) -> dict[str, Any]:
    """What the page shows of an asset. Its place is where its sidecar stands, whatever that says: the store may have been moved."""
    asset, thumbnail = path.with_suffix(""), store.thumbnail(sidecar.file.sha256)
    about = sidecar.model_dump(mode="json", by_alias=True, exclude_none=True)
    about |= {"path": asset.relative_to(store.root).as_posix(), "href": _href(store, asset), "sidecar": _href(store, path)}
    if thumbnail.is_file():
        about["thumbnail"] = _href(store, thumbnail)
    if sidecar.file.media_type.startswith("text/"):
        with asset.open(encoding="utf-8", errors="replace") as file:
            about["text"] = file.read(TEXT_CHARACTERS)
    return about


def _href(store: Store, path: Path) -> str:
    return quote(os.fsencode(path.relative_to(store.root).as_posix()))


def _in_order(found: list[tuple[_Sidecar, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Newest campaign first; in it the steps in the order they came in, and so their outputs."""
    newest: dict[str, float] = {}
    first: dict[tuple[str, str], float] = {}
    for sidecar, _ in found:
        stored, step = sidecar.times.stored.timestamp(), (sidecar.campaign, sidecar.step)
        newest[sidecar.campaign] = max(stored, newest.get(sidecar.campaign, stored))
        first[step] = min(stored, first.get(step, stored))

    def place(item: tuple[_Sidecar, dict[str, Any]]) -> tuple[Any, ...]:
        sidecar, about = item
        step = (sidecar.campaign, sidecar.step)
        return -newest[sidecar.campaign], sidecar.campaign, first[step], sidecar.step, sidecar.times.stored, about["path"]

    return [about for _, about in sorted(found, key=place)]


def _hash_of(page: str, tag: str) -> str:
    """The only code the page's policy lets run: its own, by its hash."""
    code = page.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
    return f"'sha256-{b64encode(sha256(code.encode()).digest()).decode()}'"
