"""Removal of an asset for good, for a person: its traces are found and cleared away. It is neither fetched nor bought again."""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from genmedia.errors import SettingsError
from genmedia.gallery.entries import is_evidence_of
from genmedia.gallery.page import DATA, write_gallery
from genmedia.gallery.viewer import page_of
from genmedia.journal import Attempt, Journal, StoredAsset
from genmedia.provenance.manifest import write_manifest
from genmedia.provenance.reading import Asset, Contents, read_assets
from genmedia.providers.handoff import handed_on
from genmedia.store import Store
from genmedia.store.naming import MANIFEST, PAGE
from genmedia.store.sidecar import Input, Sidecar
from genmedia.store.store import SIDECAR_BYTES, forgotten_path, thumbnail_path


@dataclass(frozen=True)
class Traces:
    """All traces of an asset.

    Attributes:
        path: Its path in the store, now or before.
        asset: The asset as the journal has it.
        attempt: The purchase that gave it; None for an upload of a person.
        files: Paths of all files in the store that are removed.
        pages: Pages that are written anew without it.
        kept: Paths of its job's other outputs, which stay.
        equal: Paths of files with the same content from other purchases, which stay.
        made_of_it: Paths of files that were made of it, which stay.
    """

    path: str
    asset: StoredAsset
    attempt: Attempt | None
    files: Sequence[str]
    pages: Sequence[str]
    kept: Sequence[str]
    equal: Sequence[str]
    made_of_it: Sequence[str]

    @property
    def told(self) -> list[str]:
        """Lines for a person on what goes and what stays."""
        lines = [f"goes   {path}" for path in self.files] + [f"anew   {path}" for path in self.pages]
        if self.attempt is None:
            lines.append("goes   for good: it cannot be fetched again")
        elif self.kept:
            lines.append(
                f"stays  what the journal knows of its prompt: the job's other outputs tell it too ({', '.join(self.kept)})"
            )
        else:
            lines.append("goes   its prompt, the texts and names of its inputs and the provider's last answer in the journal")
        lines += [f"stays  {path}: the same content, which another purchase gave" for path in self.equal]
        lines += [f"stays  {path}: made of it" for path in self.made_of_it]
        lines.append(
            "stays  its keys, hashes, labels, sums and times; what Prefect shows of runs, and copies elsewhere, are not touched"
        )
        return lines


async def find_traces(store: Store, journal: Journal, path: str) -> Traces:
    """Find all traces of an asset.

    Args:
        store: Store of the asset.
        journal: Journal of the store.
        path: Its path below the store's root.

    Raises:
        SettingsError: There is no such asset, or the journal does not know it.
        StoreError: The store cannot be read.
    """
    contents = await read_assets(store)
    standing = next((one for one in contents.assets if one.path == path), None)
    attempt, asset = await _known(journal, path, standing)
    same = [one for one in contents.assets if _is_of(one, attempt, asset)] if attempt else [one for one in (standing,) if one]
    others = [one for one in contents.assets if one not in same]
    digests = {asset.sha256, asset.came_as} | {one.sidecar.file.sha256 for one in same}
    equal = [one for one in others if digests & {one.sidecar.file.sha256, one.sidecar.file.came_as}]
    there = contents.there
    files = {name for one in same for name in (one.path, f"{one.path}.json") if name in there}
    if asset.forgotten_at is None:
        files |= {name for name in (path, f"{path}.json") if name in there}
    if not equal:
        made = {made for digest in digests for made in (thumbnail_path(digest), page_of(digest))}
        files |= {name for name in there if name in made or any(name.startswith(handed_on(digest)) for digest in digests)}
    if PAGE not in there:
        files |= {DATA} & there.keys()  # left over from a page that was removed: it has all that the page showed
    kept: list[str] = []
    if attempt:
        files |= await _evidence(store, contents, attempt, asset)
        kept = [one.path for one in await journal.assets(attempt.id) if one.forgotten_at is None and one != asset]
    return Traces(
        path,
        asset,
        attempt,
        sorted(files),
        [page for page in (PAGE, MANIFEST) if page in there],
        kept,
        [one.path for one in equal],
        _made_of(others, path, digests if not equal else set()),
    )


async def _known(journal: Journal, path: str, standing: Asset | None) -> tuple[Attempt | None, StoredAsset]:
    """Find an asset in the journal: by its sidecar, for the file may have been moved, else by its path.

    The journal knows nothing of a person's uploads: there the sidecar is the only source.
    """
    if standing and standing.sidecar.is_upload:
        told = standing.sidecar
        return None, StoredAsset(path, told.output.id, told.file.sha256, told)
    attempt = await journal.attempt_of(path)
    if standing:
        attempt = await journal.numbered_attempt(standing.sidecar.submission_key, standing.sidecar.attempt)
    for asset in await journal.assets(attempt.id) if attempt else ():
        if attempt and (_is_of(standing, attempt, asset) if standing else asset.path == path):
            return attempt, asset
    if standing:
        advice = "Run `genmedia journal rebuild` first: without the journal nothing keeps it from being bought again."
        raise SettingsError(f"the journal does not know {path}", advice=advice, money="")
    raise SettingsError(f"{path} is no asset of the store", advice="Name its path below the store's root.", money="")


def _is_of(asset: Asset, attempt: Attempt, known: StoredAsset) -> bool:
    """True if a sidecar is that of an asset that the journal knows."""
    told = asset.sidecar
    purchase, output = (told.submission_key, told.attempt), (told.output.id, told.output.number or known.number)
    return (purchase, output) == ((attempt.key, attempt.number), (known.output, known.number))


async def _evidence(store: Store, contents: Contents, attempt: Attempt, asset: StoredAsset) -> set[str]:
    """Paths of the files of the same output in quarantine, with their evidence."""
    notes = [
        one
        for one, size in contents.there.items()
        if one.startswith("quarantine/") and one.endswith(".json") and size <= SIDECAR_BYTES
    ]
    found: set[str] = set()
    async for note, content in store.read_all(sorted(notes)):
        if is_evidence_of(content, attempt.key, asset.output, asset.number):
            found |= {note, note.removesuffix(".json")} & contents.there.keys()
    return found


def _made_of(others: Iterable[Asset], path: str, digests: set[str]) -> list[str]:
    return [one.path for one in others if any(given.asset == path or given.sha256 in digests for given in one.sidecar.inputs)]


async def forget(store: Store, journal: Journal, traces: Traces) -> None:
    """Clear an asset away for good. After an interruption, call it again: what is gone already is passed over.

    Raises:
        StoreError: The store refused.
        JournalError: The journal cannot be written.
    """
    # A process that fetches its files at this moment is waited for: the files that it stores go too.
    attempt = traces.attempt
    busy = (
        journal.claimed(attempt.id, attempt.remote_id) if attempt and attempt.remote_id and attempt.state.live else nullcontext()
    )
    async with busy:
        await _clear_away(store, journal, await find_traces(store, journal, traces.path))


async def _clear_away(store: Store, journal: Journal, traces: Traces) -> None:
    if traces.attempt:
        await _let_stand_for_it(store, journal, traces.attempt, traces.asset, words=not traces.kept)
    for path in traces.files:
        await store.files.remove(path)
    contents = await read_assets(store) if traces.pages else None
    if contents and PAGE in traces.pages:
        await write_gallery(store, contents)
    if contents and MANIFEST in traces.pages:
        await write_manifest(store, contents.assets)


async def _let_stand_for_it(store: Store, journal: Journal, attempt: Attempt, asset: StoredAsset, *, words: bool) -> None:
    """Write into the journal and into the store that the asset was bought and that a person removed it."""
    if asset.forgotten_at is None:
        now = datetime.now(UTC)
        left = _without_words(asset.sidecar, now)
        stands_for_it = replace(
            asset,
            path=forgotten_path(attempt.key, attempt.number, asset.output, asset.number),
            sidecar=left,
            forgotten_at=now.isoformat(timespec="milliseconds"),
        )
        # First the journal: from here on no run fetches or buys it again, even if the rest fails.
        await journal.forget(attempt, asset, stands_for_it, words=words)
        asset = stands_for_it
    # If the journal is lost, this file says that the asset was removed and not lost.
    await store.write_json(asset.path, asset.sidecar.write())


def _without_words(sidecar: Sidecar, now: datetime) -> Sidecar:
    """Return the sidecar of a file that is removed now, without any text that a person or the provider wrote."""
    return sidecar.model_copy(
        update={
            "place": tuple(one.model_copy(update={"value": ""}) for one in sidecar.place),
            "request": {},
            "inputs": tuple(
                Input(**one.model_dump(include={"id", "sha256", "at"}, exclude_unset=True)) for one in sidecar.inputs
            ),
            "output": sidecar.output.model_copy(update={"source": None}),
            "warnings": (f"forgotten on {now.date().isoformat()} by a person: it is neither fetched nor bought again",),
            "forgotten": now,
        }
    )
