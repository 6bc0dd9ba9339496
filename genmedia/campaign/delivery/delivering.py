"""A delivery carried out: only what changed moves, a file is at its place whole or not at all, and nothing of others is touched."""

import asyncio
import shutil
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from PIL import Image

from genmedia.campaign.delivery.manifest import (
    BEGUN,
    Begun,
    Entry,
    Manifest,
    as_json,
    make_entry,
    make_sheet,
    read_begun,
    read_manifest,
)
from genmedia.campaign.delivery.naming import MANIFEST, PAGE, SHEET, Copy, name_copies, package_of
from genmedia.campaign.delivery.package import pack
from genmedia.campaign.delivery.page import make_page
from genmedia.campaign.delivery.wish import AS_STORED, Item, Wish
from genmedia.concurrency import every
from genmedia.errors import Fault, MediaError, SettingsError, StoreError
from genmedia.media.conversion import convert
from genmedia.media.hashing import hash_file
from genmedia.provenance.labels import is_signed, write_label
from genmedia.store import Store
from genmedia.store.files import explain
from genmedia.store.local import LocalFiles, sweep_folder
from genmedia.store.store import ORPHAN_SECONDS

AT_ONCE = 8
"""Most files that are made and sent at a time."""

NOTED_SECONDS = 5.0
"""Longest time, in seconds, until it is written down which files have arrived: after a delivery that was killed, only others are sent."""


@dataclass
class Report:
    """What a delivery did, or would do.

    Attributes:
        campaign: The campaign.
        place: Address of the place.
        copied: Names of the files that are new there.
        changed: Names of those that were there, and were made of something else or in another way, or that somebody has changed.
        left: Names of those that are there as they should be.
        withdrawn: Names of files of earlier deliveries that are no longer part of it, and still there.
        pruned: Names of those that were removed.
        faults: The files that could not be delivered, by their names, each with the reason. What an earlier delivery put there stays.
        notes: What a person should know of a file that was sent, such as that it has no label.
    """

    campaign: str
    place: str
    copied: list[str] = field(default_factory=list[str])
    changed: list[str] = field(default_factory=list[str])
    left: list[str] = field(default_factory=list[str])
    withdrawn: list[str] = field(default_factory=list[str])
    pruned: list[str] = field(default_factory=list[str])
    faults: list[Fault] = field(default_factory=list[Fault])
    notes: list[Fault] = field(default_factory=list[Fault])

    @property
    def told(self) -> str:
        """A sentence about it."""
        counts = {
            "copied": self.copied,
            "changed": self.changed,
            "left as they are": self.left,
            "withdrawn": self.withdrawn,
            "pruned": self.pruned,
            "not delivered": self.faults,
        }
        return (
            f"{', '.join(f'{len(some)} {what}' for what, some in counts.items() if some) or 'nothing to deliver'}: {self.place}"
        )


async def deliver(
    items: Sequence[Item], wish: Wish, store: Store, place: Store, *, prune: bool = False, dry_run: bool = False
) -> Report:
    """Copy stored files to a place, under their names, in their forms and with their labels; write manifest, list and page.

    It can be run again at any time: it goes on where one was killed, moves what changed, and leaves everything else.

    Args:
        items: The files, in the order in which they are listed.
        wish: What is asked for.
        store: The store of the files.
        place: Where they go.
        prune: True to remove what earlier deliveries put there and this one does not have.
        dry_run: True to write nothing, and only tell what would be done.

    Raises:
        InputError: The names are wrong; nothing was written.
        SettingsError: The place is in the store, or holds something else; nothing was written.
        StoreError: The place cannot be read or written. What arrived before is in its manifest, as far as that could be written.
    """
    copies = name_copies(items, wish)
    check_outside(store, place)
    delivery = await _look(copies, wish, store, place)
    if dry_run:
        delivery.foresee(prune=prune)
    else:
        await delivery.run(prune=prune)
    return delivery.report


class _LeftOutError(Exception):
    """A file that cannot be delivered, which keeps no other from it; its text says why."""


def check_outside(store: Store, place: Store) -> None:
    """Refuse a place that is in the store, or has the store in it.

    Raises:
        SettingsError: It is so.
    """
    roots = [
        one.files.root.resolve().as_uri() if isinstance(one.files, LocalFiles) else one.files.address("")
        for one in (store, place)
    ]
    here, there = (f"{root.rstrip('/')}/" for root in roots)
    if here.startswith(there) or there.startswith(here):
        raise SettingsError(
            f"{place.label} is not apart from the store, {store.label}",
            money="",
            advice="Deliver to another folder: the store keeps what was paid for, and its names are its own.",
        )


async def _look(copies: Sequence[Copy], wish: Wish, store: Store, place: Store) -> "_Delivery":
    """Find out what is at the place.

    Raises:
        SettingsError: The place holds something else.
        StoreError: It cannot be read.
    """
    earlier, begun = await read_manifest(place, wish.campaign), await read_begun(place)
    mine = {MANIFEST, SHEET, PAGE, package_of(wish.campaign)}
    known = {
        *(begun.names if begun else ()),
        *(one.name for one in earlier.files),
        *earlier.withdrawn,
        *([earlier.package.name] if earlier.package else []),
    }
    there = await place.files.sizes(sorted({*known, *mine, *(one.name for one in copies)}))
    expected = {MANIFEST, SHEET, PAGE} if MANIFEST in there or begun else set[str]()
    if strange := sorted((mine & there.keys()) - expected - known):
        raise SettingsError(
            f"{place.files.address(strange[0])} is there already, and is not of a delivery",
            money="",
            advice="Deliver to another folder, such as one below it.",
        )
    return _Delivery(copies, wish, store, place, earlier, begun, frozenset(known), dict(there))


class _Delivery:
    """A delivery, from the look at its place to its end.

    Args:
        copies: The files that are asked for.
        wish: What is asked for.
        store: Their store.
        place: Where they go.
        earlier: The manifest that is there.
        begun: What a delivery that did not end has left; None if there is none.
        known: Names of all files that earlier deliveries put there, or began to.
        there: Sizes of those of all these files that are there, by their names.
    """

    def __init__(
        self,
        copies: Sequence[Copy],
        wish: Wish,
        store: Store,
        place: Store,
        earlier: Manifest,
        begun: Begun | None,
        known: frozenset[str],
        there: dict[str, int],
    ) -> None:
        self._copies, self._wish, self._store, self._place = copies, wish, store, place
        self._earlier, self._known, self._there, self._begun = earlier, known, there, begun is not None
        self._entries = {one.name: one for one in (*earlier.files, *(begun.files if begun else ())) if one.name in there}
        self._left_over = {one.name for one in begun.files} if begun else set[str]()
        self._others = self._of_others()
        self._noted = 0.0
        self._new: dict[str, Entry] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._broken: StoreError | None = None
        self._package = package_of(wish.campaign)
        self.report = Report(wish.campaign, place.label)

    def foresee(self, *, prune: bool) -> None:
        """Fill the report with what would be done."""
        report = self.report
        for one in self._copies:
            names = report.left if self._is_there(one) else report.changed if one.name in self._entries else report.copied
            names.append(one.name)
        with_zip = {self._package} if self._wish.package or not (report.changed or report.copied) else set[str]()
        report.withdrawn = self._withdrawn({*with_zip, *self._others, *(one.name for one in self._copies)})
        report.pruned, report.withdrawn = self._parted(report.withdrawn) if prune else ([], report.withdrawn)

    async def run(self, *, prune: bool) -> None:
        """Send what is not there as it should be, then write what goes with it.

        Raises:
            StoreError: The place refused.
        """
        scratch = self._place.files.scratch
        with suppress(StoreError):
            sweep_folder(scratch, ORPHAN_SECONDS)  # what killed deliveries left on its way
        try:
            if work := [one for one in self._copies if not self._is_there(one)]:
                await self._begin()
                await every(map(self._send_or_tell, work))
            if self._broken:
                with suppress(StoreError):  # the cause has to be told
                    await self._conclude(prune=False)
                raise self._broken
            await self._conclude(prune=prune)
            if self._begun:
                await self._place.files.remove(BEGUN)
        finally:
            if scratch.is_relative_to(self._place.label):
                with suppress(OSError):  # it is not empty, or was never made
                    scratch.rmdir()
                    scratch.parent.rmdir()

    async def _begin(self) -> None:
        """Write down which files may be there from now on without being in a manifest, and those that have arrived."""
        self._begun, self._noted = True, monotonic()
        names = {*self._known, *(one.name for one in self._copies if one.name not in self._there or one.name in self._new)}
        names |= {self._package} if self._wish.package else set()
        files = {**{name: one for name, one in self._entries.items() if name in self._left_over}, **self._new}
        begun = Begun(names=tuple(sorted(names)), files=tuple(files.values()))
        await self._place.write(BEGUN, [begun.model_dump_json()])

    def _is_there(self, copy: Copy) -> bool:
        """True if a file is there as it should be, by the manifest and its size."""
        entry = self._entries.get(copy.name)
        return entry is not None and entry.recipe == copy.recipe and entry.bytes == self._there[copy.name]

    def _withdrawn(self, names: Collection[str]) -> list[str]:
        """Names of files of deliveries that are there and not among these. Where upper and lower case are one, both are one file."""
        lower = {name.lower() for name in names}
        return sorted(name for name in self._known if name in self._there and name.lower() not in lower)

    def _of_others(self) -> dict[str, Entry]:
        """Return what is there of items that the run is not for, and stays there, by its name; nothing where it is for everything."""
        if self._wish.of is None:
            return {}
        taken = {one.name.lower() for one in self._copies}
        mine = [as_json(one).items() for one in self._wish.of]
        return {
            name: entry
            for name, entry in self._entries.items()
            if name.lower() not in taken and not any(values <= entry.values.items() for values in mine)
        }

    def _parted(self, withdrawn: Sequence[str]) -> tuple[list[str], list[str]]:
        """Return what of the withdrawn can be removed, and what stays, as nobody knows whether the run is for it."""
        known = withdrawn if self._wish.of is None else {*self._entries, self._package}
        return [name for name in withdrawn if name in known], [name for name in withdrawn if name not in known]

    async def _send_or_tell(self, copy: Copy) -> None:
        async with self._slots:
            if self._broken:
                return
            try:
                self._new[copy.name] = await self._send(copy)
                if monotonic() - self._noted > NOTED_SECONDS:
                    await self._begin()
            except _LeftOutError as error:
                self.report.faults.append(Fault(copy.name, str(error)))
            except StoreError as error:
                self._broken = self._broken or error
                return

    async def _send(self, copy: Copy) -> Entry:
        """Make a file and put it at its place.

        Raises:
            _LeftOutError: It cannot be made, or something else has its name.
            StoreError: The place refused.
        """
        file = copy.item.sidecar.file
        with self._place.incoming() as fetched, self._place.incoming() as converted:
            await self._fetch(copy.item, fetched.path)
            made, sides = fetched.path, (file.width, file.height)
            if copy.form != AS_STORED:
                made, sides = converted.path, await self._convert(copy, fetched.path, converted.path)
            try:
                unlabelled = await asyncio.to_thread(write_label, made, copy.media_type, copy.label)
                digest, size = await asyncio.to_thread(hash_file, made), made.stat().st_size
            except OSError as error:
                raise explain(f"{copy.name} could not be written", error) from None
            if unlabelled:
                self.report.notes.append(Fault(copy.name, unlabelled))
            stands = copy.name in self._there and copy.name not in self._known
            if not stands:
                await self._place.files.put(made, copy.name)
            elif await self._place.files.digest(copy.name) != digest:
                raise _LeftOutError("something else is there under this name, which no delivery put there: it stays as it is")
        self._there[copy.name] = size
        return make_entry(copy, digest, size, sides, unlabelled)

    async def _fetch(self, item: Item, target: Path) -> None:
        """Copy a stored file to where it is worked on.

        Raises:
            _LeftOutError: It is not in the store as it was stored, or the store cannot be read.
            StoreError: There is no room for it.
        """
        try:
            source = await self._store.asset(item.path)
            digest = await asyncio.to_thread(hash_file, source)
        except FileNotFoundError:
            raise _LeftOutError(f"{item.path} is not in the store any more; run its campaign again, which fetches it") from None
        except StoreError as error:
            raise _LeftOutError(f"{item.path}: {error.what}") from None
        if digest != item.sidecar.file.sha256:
            raise _LeftOutError(f"{item.path} was changed in the store after it was stored")
        try:
            await asyncio.to_thread(shutil.copyfile, source, target)
        except OSError as error:
            raise explain(f"{item.path} could not be copied", error) from None

    async def _convert(self, copy: Copy, source: Path, target: Path) -> tuple[int, int]:
        """Write a picture in its form; return its width and height in pixels.

        Raises:
            _LeftOutError: It cannot be converted.
        """
        told = copy.item.sidecar
        try:
            facts = await convert(source, target, copy.form.suffix, copy.form.side)
        except MediaError as error:
            raise _LeftOutError(f"{copy.item.path} cannot be converted: {error.what}") from None
        notes = [one for one in facts.warnings if one not in told.warnings]
        if (facts.frames or 1) > 1:
            notes.append(f"it is the first of {facts.frames} pictures of an animation")
        if await asyncio.to_thread(is_signed, source, told.file.media_type):
            notes.append("the content credentials (C2PA) of the file that it was made from are not in it")
        self.report.notes += [Fault(copy.name, note) for note in notes]
        with Image.open(target) as picture:
            return picture.size

    async def _conclude(self, *, prune: bool) -> None:
        """Write page, list and zip, remove what is to be pruned, and write the manifest last; nothing is written where nothing changed.

        Raises:
            StoreError: The place refused.
        """
        report, earlier = self.report, self._earlier
        failed = {fault.place for fault in report.faults}
        mine = {entry.name: entry for entry in map(self._entry, self._copies) if entry}
        for one in mine.values():
            moved = report.changed if one.name in self._entries else report.copied
            if one.name not in failed:
                (moved if one.name in self._new else report.left).append(one.name)
        # Where the run is not for everything, the files keep their order, and new ones are the last.
        kept = self._others.keys() | mine.keys() if self._others else set[str]()
        before = {name: entry for name, entry in self._entries.items() if name in kept}
        files = list({**before, **mine}.values())
        manifest = Manifest(campaign=self._wish.campaign, files=tuple(files))
        if manifest != earlier.bare() or not {PAGE, SHEET} <= self._there.keys():
            await self._begin()
            digests = list(dict.fromkeys(one.source_sha256 for one in files))
            small = zip(digests, await every(map(self._thumbnail, digests)), strict=True)
            await self._place.write(PAGE, make_page(manifest, {digest: path for digest, path in small if path}))
            await self._place.write(SHEET, [make_sheet(manifest)])
        package = earlier.package
        if package and (package.of != manifest.digest or self._there.get(package.name) != package.bytes):
            package = None
        if self._wish.package and not package and not self._broken:
            await self._begin()
            package = await pack(self._place, manifest, self._package)
        report.withdrawn = self._withdrawn({one.name for one in files} | ({package.name} if package else set()))
        if prune:
            report.pruned, report.withdrawn = self._parted(report.withdrawn)
            for name in report.pruned:
                await self._place.files.remove(name)
        told = {"withdrawn": tuple(report.withdrawn), "package": package, "notes": tuple(self._wish.notes)}
        manifest = manifest.model_copy(update=told)
        if manifest != earlier or MANIFEST not in self._there:
            await self._place.write(MANIFEST, [manifest.write()])

    async def _thumbnail(self, digest: str) -> Path | None:
        async with self._slots:
            return await self._store.thumbnail(digest)

    def _entry(self, copy: Copy) -> Entry | None:
        """Return the entry of a file: that of the one that is there where nothing was sent; None if there is none at all."""
        if copy.name in self._new:
            return self._new[copy.name]
        entry = self._entries.get(copy.name)
        if entry and self._is_there(copy):
            return make_entry(copy, entry.sha256, entry.bytes, (entry.width, entry.height), entry.unlabelled)
        return entry
