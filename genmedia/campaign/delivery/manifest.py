"""The manifest of a delivery: for programs as JSON, of which the next delivery learns what is there, and for people as CSV."""

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from genmedia.campaign.delivery.naming import MANIFEST, Copy
from genmedia.errors import SettingsError
from genmedia.jobs.job import UNKNOWN
from genmedia.provenance.manifest import BOM
from genmedia.store import Store
from genmedia.text.plain import for_cell
from genmedia.text.templates import flat

LARGEST = 2**28
"""Longest manifest that is read, in bytes."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class Entry(_Record):
    """One file of a delivery, as the manifest tells it.

    Attributes:
        name: Its path below the place.
        source: Path of the stored file that it was made from.
        source_sha256: Hash of that file.
        sha256: Hash of the file itself.
        bytes: Its size.
        recipe: Hash of everything that it was made from; see `Copy.recipe`.
        unlabelled: Why it says nothing about itself; empty where it does.
        job: Identifies the job that gave it: `cost` is the whole job's, and each file of it tells the same.
        cost: What was charged, or else the price that was told before; None if neither is known.
    """

    name: str
    step: str
    values: dict[str, JsonValue]
    title: str
    prompt: str
    provider: str
    operation: str
    take: int
    job: str
    cost: float | None
    unit: str
    sha256: str
    bytes: int
    media_type: str
    width: int | None
    height: int | None
    verdict: str
    by: str
    source: str
    source_sha256: str
    recipe: str
    unlabelled: str


class Package(_Record):
    """The zip: its name and size, and the hash of the manifest of what is in it."""

    name: str
    bytes: int
    of: str


class Manifest(_Record):
    """The manifest of a delivery.

    Attributes:
        delivery: Version of the format.
        campaign: Name of the campaign.
        files: The files, in the order that they were asked for.
        withdrawn: Names of files that an earlier delivery put there, that this one does not have, and that still are there.
        package: The zip; None if there is none.
        notes: Sentences about the run that delivered last, such as what it left out because the budget was short.
    """

    delivery: Literal[1] = 1
    campaign: str
    files: tuple[Entry, ...]
    withdrawn: tuple[str, ...] = ()
    package: Package | None = None
    notes: tuple[str, ...] = ()

    def write(self) -> str:
        """Return the manifest as JSON; zip and notes are left out where there are none."""
        left_out = {name for name in ("package", "notes") if not getattr(self, name)}
        return json.dumps(self.model_dump(mode="json", exclude=left_out), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def bare(self) -> Self:
        """Return the manifest with its files alone."""
        return self.model_copy(update={"withdrawn": (), "package": None, "notes": ()})

    @property
    def digest(self) -> str:
        """Hash of what it tells of the files."""
        return hashlib.sha256(self.bare().write().encode(errors="replace")).hexdigest()


class Begun(_Record):
    """Written before the first file of a delivery, and from time to time; removed after its manifest.

    Attributes:
        names: Names of the files that may be there without being in the manifest.
        files: Entries of those that have arrived.
    """

    names: tuple[str, ...] = ()
    files: tuple[Entry, ...] = ()


BEGUN = ".genmedia/delivery-begun.json"


async def read_manifest(place: Store, campaign: str) -> Manifest:
    """Read the manifest of the delivery before; return an empty one if there is none.

    Raises:
        SettingsError: The place holds the delivery of another campaign, or a file of this name of another program.
        StoreError: The place cannot be read.
    """
    size = await place.files.size(MANIFEST)
    if size is None:
        return Manifest(campaign=campaign, files=())
    try:
        if size > LARGEST:
            raise ValueError
        found = Manifest.model_validate_json(await place.files.read(MANIFEST))
    except (ValidationError, ValueError):
        raise SettingsError(
            f"{place.files.address(MANIFEST)} is no manifest of a delivery, or one of a later version",
            money="",
            advice="Deliver to another folder.",
        ) from None
    if found.campaign != campaign:
        raise SettingsError(
            f"{place.label} holds the delivery of the campaign {found.campaign}",
            money="",
            advice=f"Deliver {campaign} to another folder, such as one below it.",
        )
    return found


async def read_begun(place: Store) -> Begun | None:
    """Read what a delivery that did not end has left; return None if there is none, or it cannot be read."""
    try:
        if await place.files.size(BEGUN) is None:
            return None
        return Begun.model_validate_json(await place.files.read(BEGUN))
    except (FileNotFoundError, ValidationError):
        return None


def make_entry(copy: Copy, sha256: str, size: int, sides: tuple[int | None, int | None], unlabelled: str) -> Entry:
    """Make the entry of a file.

    Args:
        copy: The file as it was asked for.
        sha256: Hash of its content.
        size: Its size in bytes.
        sides: Its width and height in pixels; None where it has none.
        unlabelled: Why it has no label; empty if it has.
    """
    item, told = copy.item, copy.item.sidecar
    return Entry(
        name=copy.name,
        step=item.step,
        values=as_json(item.values),
        title=item.title,
        prompt=told.prompt,
        provider=told.provider,
        operation=told.operation,
        take=told.take,
        job=f"{told.submission_key}/{told.attempt}",
        cost=told.cost.price if told.cost.charged is None else told.cost.charged,
        unit=told.cost.unit,
        sha256=sha256,
        bytes=size,
        media_type=copy.media_type,
        width=sides[0],
        height=sides[1],
        verdict=item.verdict,
        by=item.by,
        source=item.path,
        source_sha256=told.file.sha256,
        recipe=copy.recipe,
        unlabelled=unlabelled,
    )


_BEFORE = ("name", "step")
_AFTER = (
    "title",
    "prompt",
    "provider",
    "operation",
    "take",
    "cost",
    "unit",
    "sha256",
    "bytes",
    "media_type",
    "width",
    "height",
    "verdict",
    "by",
    "source",
    "unlabelled",
)


def make_sheet(manifest: Manifest) -> str:
    """CSV with a line for each file, in UTF-8 with the mark by which Excel knows it.

    Between the step and the title is a column for each value of a row or place. The cost is the whole job's, in the first line of each job.
    """
    values = [dict(flat(one.values)) for one in manifest.files]
    names = [one for one in dict.fromkeys(name for one in values for name in one) if one not in (*_BEFORE, *_AFTER)]
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(map(for_cell, [*_BEFORE, *names, *_AFTER]))
    told: set[str] = set()
    for entry, row in zip(manifest.files, values, strict=True):
        line = dict(entry)
        if entry.job in told:
            line["cost"] = None
        elif entry.cost is None and entry.unit:
            line["cost"] = UNKNOWN
        told.add(entry.job)
        cells = [*(line[name] for name in _BEFORE), *(row.get(name) for name in names), *(line[name] for name in _AFTER)]
        lines.writerow(map(for_cell, map(_cell, cells)))
    return f"{BOM}{text.getvalue()}"


def _cell(value: Any) -> str | float | None:
    if value is None or isinstance(value, str | int | float):
        return value
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as plain JSON: what is no text, number, list or mapping becomes the text that it has in a name."""
    return json.loads(json.dumps(dict(values), ensure_ascii=False, allow_nan=False, default=_plain).encode(errors="replace"))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] # of whatever kind: it becomes JSON
    return list(value) if isinstance(value, Iterable) else str(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] # as above
