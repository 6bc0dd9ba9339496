"""All sidecars of a store, read in one pass."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from genmedia.store import Store
from genmedia.store.naming import may_be_sidecar
from genmedia.store.sidecar import ForeignError, Sidecar, read_sidecar
from genmedia.store.store import FORGOTTEN, SIDECAR_BYTES

SIDECARS = 200_000
"""The most sidecars that are read, in order of path."""

TOO_LONG = f"it is longer than the {SIDECAR_BYTES:,} bytes that are read"


@dataclass(frozen=True)
class Asset:
    """A file of a store and its sidecar.

    Attributes:
        path: Its path below the root. Its sidecar may have another path, if the store was moved.
        sidecar: Its sidecar.
        present: True if the file itself is there.
    """

    path: str
    sidecar: Sidecar
    present: bool = True


@dataclass(frozen=True)
class LeftOut:
    """A file in the place of a sidecar that does not read as one, and why."""

    path: str
    why: str


@dataclass(frozen=True)
class Contents:
    """The contents of a store.

    Attributes:
        assets: Each asset whose sidecar reads, in order of path.
        left_out: The sidecars that do not read.
        there: The size of each file in bytes, by its path.
        versions: A text for each file that changes when its content changes, by its path.
    """

    assets: list[Asset]
    left_out: list[LeftOut]
    there: Mapping[str, int]
    versions: Mapping[str, str]


async def read_assets(store: Store, before: Contents | None = None) -> Contents:
    """List every file and read every sidecar of a store. JSON of other programs is passed over.

    Args:
        store: The store.
        before: Its contents at an earlier time. A sidecar that has not changed since is not read again: its `Asset` is the same object.

    Raises:
        StoreError: The store cannot be read.
    """
    there: dict[str, int] = {}
    versions: dict[str, str] = {}
    async for path, size, version in store.files.walk():
        there[path], versions[path] = size, version
    notes = sorted(filter(may_be_sidecar, there))
    found: list[Asset] = []
    # JSON that is too long is reported only if there is a file beside it: else it need not be a sidecar.
    left_out = [LeftOut(one, TOO_LONG) for one in notes if there[one] > SIDECAR_BYTES and one.removesuffix(".json") in there]
    notes = [one for one in notes if there[one] <= SIDECAR_BYTES]
    if len(notes) > SIDECARS:
        left_out.append(
            LeftOut(notes[SIDECARS], f"it and {len(notes) - SIDECARS - 1} after it are more than the {SIDECARS} that are read")
        )
    notes = notes[:SIDECARS]
    known = {f"{one.path}.json": one for one in before.assets} if before else {}
    same = {note for note in known if before and before.versions.get(note) == versions.get(note)}
    for one in (known[note] for note in notes if note in same):
        present = one.path in there
        found.append(one if one.present == present else replace(one, present=present))
    async for note, content in store.read_all(note for note in notes if note not in same):
        path = note.removesuffix(".json")
        try:
            found.append(Asset(path, read_sidecar(content), path in there))
        except ForeignError:
            continue
        except ValueError as error:
            if path in there:  # else it is a file of another program
                left_out.append(LeftOut(note, str(error)))
    return Contents(sorted(found, key=lambda one: f"{one.path}.json"), left_out, there, versions)


def in_order(assets: Iterable[Asset]) -> list[Asset]:
    """Sort assets: the newest campaign first; in a campaign by place, and without a place by the time of the step's first file."""
    some = list(assets)
    newest: dict[str, datetime] = {}
    first: dict[tuple[str, str], datetime] = {}
    for told in (one.sidecar for one in some):
        time, step = told.times.stored, (told.campaign, told.step)
        newest[told.campaign] = max(time, newest.get(told.campaign, time))
        first[step] = min(time, first.get(step, time))

    def place(asset: Asset) -> tuple[Any, ...]:
        told = asset.sidecar
        lists = [one.name for one in told.place]
        where = [(one.number, one.value) for one in told.place] or [(first[told.campaign, told.step].timestamp(), told.step)]
        output = told.take, told.output.number or 0, told.times.stored, asset.path
        return -newest[told.campaign].timestamp(), told.campaign, lists, where, *output

    return sorted(some, key=place)


async def read_forgotten(store: Store, contents: Contents) -> list[Asset]:
    """Read what is left in a store of the assets that a person removed for good: their sidecars without words.

    Raises:
        StoreError: The store cannot be read.
    """
    notes = sorted(path for path, size in contents.there.items() if path.startswith(FORGOTTEN) and size <= SIDECAR_BYTES)
    found: list[Asset] = []
    async for note, content in store.read_all(notes):
        with suppress(ValueError):
            found.append(Asset(note, read_sidecar(content), present=False))
    return found
