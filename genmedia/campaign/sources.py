"""What feeds a step: what is at hand already, and what another step will give."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from genmedia.campaign.written import At
from genmedia.errors import DownloadError, MediaError, StoreError
from genmedia.http import Session
from genmedia.inspection.media import Candidate, MediaFacts, inspect_files
from genmedia.keys import hash_file
from genmedia.references import why_no_file
from genmedia.store import Store

IN_STORE = "store:"
"""Begins the name of an asset in the store, where a file is named."""


@dataclass(frozen=True)
class Given:
    """An input that is at hand.

    Attributes:
        type: `imageUrl`, `videoUrl`, `model` or `text`.
        text: The text itself.
        sha256: The hash of the file's bytes.
        url: Where the file can be read, if it still can; tried first, because it costs no transfer.
        file: The file on this machine.
        asset: In its stead, the path of a file in the store.
        media_type: The file's type by content; empty where nobody looked.
        at: Of a video that stands for a picture: which one.
        duration: Of a video: how many seconds it lasts, where that is known.
        source: Where it comes from, for people: a path, an address, a step and its output.
    """

    id: str
    type: str
    text: str = ""
    sha256: str = ""
    url: str = ""
    file: Path | None = None
    asset: str = ""
    media_type: str = ""
    at: At | None = None
    duration: float | None = None
    source: str = ""

    @property
    def lack(self) -> str:
        """What to say of a video that ends before the picture that it stands for; empty where it has it."""
        if isinstance(self.at, float) and self.duration is not None and self.at > self.duration:
            return f"asks for the picture at {self.at:g} s, but {self.source} lasts {self.duration:g} s"
        return ""

    def about(self) -> dict[str, str]:
        """What a sidecar says of it."""
        known = {
            "id": self.id,
            "text": self.text,
            "sha256": self.sha256,
            "asset": self.asset,
            "at": "" if self.at is None else str(self.at),
            "from": self.source,
        }
        return {name: value for name, value in known.items() if value}


@dataclass(frozen=True)
class Fed:
    """An input that is an output of another run of the plan."""

    id: str
    type: str
    run: str
    output: str
    at: At | None = None


@dataclass(frozen=True)
class Files:
    """Files and addresses named by steps, looked at: hash and facts, or what is wrong, by the name that was written."""

    found: Mapping[str, tuple[str, MediaFacts]] = field(default_factory=dict[str, tuple[str, MediaFacts]])
    wrong: Mapping[str, str] = field(default_factory=dict[str, str])


async def look_at_files(names: Iterable[str], urls: Iterable[str], http: Session | None, store: Store) -> Files:
    """Hash and inspect files, assets and addresses; files behind addresses are fetched for that, and not kept.

    Args:
        names: Paths on this machine, and assets as `store:PATH`.
        urls: Addresses that may be fetched.
        http: Fetches them.
        store: Where the assets are.
    """
    paths: dict[str, Path] = {}
    wrong: dict[str, str] = {}
    for name in dict.fromkeys(names):
        if name.startswith(IN_STORE):
            try:
                paths[name] = await store.asset(name.removeprefix(IN_STORE))
            except FileNotFoundError:
                wrong[name] = "is not there"
            except StoreError as error:
                wrong[name] = f"cannot be read: {error.what}"
        elif why := why_no_file(Path(name)):
            wrong[name] = why
        else:
            paths[name] = Path(name)
    with ExitStack() as stack:
        for url in dict.fromkeys(urls):
            assert http is not None
            paths[url] = stack.enter_context(store.incoming()).path
            try:
                with paths[url].open("wb") as sink:
                    await http.fetch(url, sink, max_bytes=store.max_bytes)
            except DownloadError as error:
                wrong[url] = f"cannot be fetched: {error.what}"
                del paths[url]
        verdicts = await inspect_files([Candidate(path) for path in paths.values()]) if paths else []
        found: dict[str, tuple[str, MediaFacts]] = {}
        for (name, path), verdict in zip(paths.items(), verdicts, strict=True):
            if isinstance(verdict, MediaError):
                wrong[name] = f"cannot be used: {verdict.what}"
            else:
                found[name] = (hash_file(path), verdict)
    return Files(found, wrong)
