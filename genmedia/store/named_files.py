"""Files as people name them: on this machine, in the store, or at an address.

| written | means |
| --- | --- |
| `photos/mug.jpg`, `/data/mug.jpg`, `~/mug.jpg`, `file:///data/mug.jpg` | a file on this machine; in quotes as well |
| `store:launch/look/output_image.png` | an asset of the store |
| `launch/look/output_image.png`, `s3://bucket/launch/look/output_image.png` | the same, as the gallery shows it and as the store names it |
| `https://cdn.example.com/mug.jpg` | the file at an address: fetched, unless the provider reads it there |
"""

import os
import re
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from genmedia.concurrency import every
from genmedia.errors import DownloadError, ForbiddenAddressError, MediaError, StoreError
from genmedia.media.facts import Candidate, MediaFacts
from genmedia.media.hashing import hash_file
from genmedia.media.probe import inspect_files
from genmedia.store import Store
from genmedia.transport.origins import origin_of
from genmedia.transport.redaction import bare_url
from genmedia.transport.session import Session

IN_STORE = "store:"
"""Beginning of the name of an asset in the store."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")


UNSEEN = MediaFacts("")


@dataclass(frozen=True)
class NamedFile:
    """A file that a name stands for.

    Attributes:
        path: Its path on this machine, valid inside the block of `files_at_hand`.
        asset: Path below the store's root; empty where the file is not an asset.
        url: Address it was fetched from; empty where it was not fetched.
        sha256: SHA-256 of its bytes; empty until `look_at` has read them.
        facts: Facts of the file; of no type until `look_at` has inspected it.
    """

    path: Path
    asset: str = ""
    url: str = ""
    sha256: str = ""
    facts: MediaFacts = UNSEEN

    @property
    def origin(self) -> str:
        """Origin of the file, for people."""
        return bare_url(self.url) if self.url else f"{IN_STORE}{self.asset}" if self.asset else str(self.path)


@dataclass(frozen=True)
class Files:
    """The files that names stand for, and the faults of the other names, by the name as it was written."""

    found: Mapping[str, NamedFile] = field(default_factory=dict[str, NamedFile])
    wrong: Mapping[str, str] = field(default_factory=dict[str, str])

    def in_full(self, name: str) -> str:
        """Return a name that means the same from every folder: a path of this machine is made absolute, another name is not changed."""
        one = self.found.get(name)
        return name if one is None or one.url or one.asset else str(one.path)


class _UnusableError(Exception):
    """The fault of a name; in a message its text follows the name."""


@asynccontextmanager
async def files_at_hand(names: Iterable[str], store: Store, http: Session | None) -> AsyncGenerator[Files]:
    """Find the files that names stand for; each can be read on this machine inside the block.

    Args:
        names: Names as people wrote them.
        store: The store of the assets.
        http: Fetches files from addresses, by the rules of the account that it is for; None where nothing may be fetched.
    """
    with ExitStack() as held:
        found: dict[str, NamedFile] = {}
        wrong: dict[str, str] = {}

        async def find(name: str) -> None:
            try:
                found[name] = await _find(name, store, http, held)
            except _UnusableError as error:
                wrong[name] = str(error)

        asked = list(dict.fromkeys(names))
        await every(map(find, asked))
        yield Files({name: found[name] for name in asked if name in found}, wrong)


async def look_at(files: Files, kind: str = "") -> Files:
    """Return the files with their hashes and facts; one that cannot be used, or is of another kind than `kind`, is among the wrong ones."""
    verdicts = await inspect_files([Candidate(one.path, kind) for one in files.found.values()]) if files.found else []
    looked_at = dict(zip(files.found, verdicts, strict=True))
    wrong = {name: f"cannot be used: {why.what}" for name, why in looked_at.items() if isinstance(why, MediaError)}
    found = {
        name: replace(files.found[name], sha256=hash_file(files.found[name].path), facts=facts)
        for name, facts in looked_at.items()
        if isinstance(facts, MediaFacts)
    }
    return Files(found, {**files.wrong, **wrong})


def path_below(name: str, store: Store) -> str:
    """Return the path of an asset below the store's root, from any of its names; of another file of this machine, its own path."""
    root = f"{store.files.address('').rstrip('/')}/"
    local = local_path(name)
    address = local.absolute().as_uri() if local and local.exists() else name
    if address.startswith(root):
        return unquote(address.removeprefix(root))
    return str(local) if local and local.exists() else name.removeprefix(IN_STORE)


def local_path(name: str) -> Path | None:
    """Return the path on this machine that a name stands for; None for an asset, an address, another machine or an unknown user."""
    try:
        return _path_of(name)
    except _UnusableError:
        return None


def _path_of(name: str) -> Path | None:
    """Return the path on this machine that a name is; None for an asset or an address."""
    scheme = _SCHEME.match(name)
    if name.startswith(IN_STORE) or (scheme and scheme[1].lower() != "file"):
        return None
    if scheme:
        parts = urlsplit(name)
        if parts.netloc not in ("", "localhost"):
            raise _UnusableError("is on another machine")
        return Path(unquote(parts.path))
    try:
        return Path(name).expanduser()
    except RuntimeError:
        raise _UnusableError("is in no user's home") from None


async def _find(name: str, store: Store, http: Session | None, held: ExitStack) -> NamedFile:
    if not name or "\0" in name or not _is_text(name):
        raise _UnusableError("names no file")
    path = _path_of(name)
    if path:
        why = _why_no_file(path)
        if not why:
            return NamedFile(path.absolute())
        if path.is_absolute() or why != _GONE or not await _has(name, store):
            raise _UnusableError(why)
    if name.lower().startswith(("https:", "http:")):
        return await _fetch(name, store, http, held)
    return await _asset(path_below(name, store), store)


def _is_text(name: str) -> bool:
    """True if a file system can be asked for the name: it has no half of a surrogate pair, except those that stand for odd bytes."""
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True


_GONE = "is not there"


def _why_no_file(path: Path) -> str:
    try:
        return "" if path.is_file() else "is a folder" if path.is_dir() else _GONE
    except OSError as error:  # such as a name longer than the file system takes
        return f"cannot be read: {error.strerror}"


async def _has(name: str, store: Store) -> bool:
    try:
        return await store.files.size(name) is not None
    except StoreError:
        return False


async def _asset(asset: str, store: Store) -> NamedFile:
    try:
        path, why = await store.asset(asset), await store.why_changed(asset)
    except FileNotFoundError:
        raise _UnusableError(f"{_GONE}: the store is {store.label}" if _SCHEME.match(asset) else _GONE) from None
    except StoreError as error:
        raise _UnusableError(f"cannot be read: {error.what}") from None
    if why:
        raise _UnusableError(why)
    return NamedFile(path, asset=asset)


async def _fetch(url: str, store: Store, http: Session | None, held: ExitStack) -> NamedFile:
    try:
        if http is None:
            raise ForbiddenAddressError("nothing is fetched here")
        http.origins.learn(origin_of(url))  # an account of a sandbox may read an address of this machine that a person names
        path = held.enter_context(store.incoming()).path
        with path.open("wb") as sink:
            await http.fetch(url, sink, max_bytes=store.max_bytes)
    except DownloadError as error:
        raise _UnusableError(f"cannot be fetched: {error.what}") from None
    return NamedFile(path, url=url)
