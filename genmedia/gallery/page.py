"""The gallery: one page beside the media that shows everything in a store, and where each piece came from."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from genmedia.errors import SettingsError
from genmedia.gallery.entries import Entry, make_entry, read_refused
from genmedia.gallery.pages import read_template, seal
from genmedia.gallery.viewer import VIEWER, make_model_page, make_viewer_page
from genmedia.provenance.reading import TOO_LONG, Contents, in_order, read_assets
from genmedia.store import Store
from genmedia.store.naming import PAGE
from genmedia.store.store import SIDECAR_BYTES, THUMBNAILS
from genmedia.transport.origins import origin_of

DATA = ".genmedia/gallery-data.js"
LEFT_OUT = 500
"""Most files without an entry that the page names."""

TEXT_CHARACTERS = 20_000
"""Most characters of a text in the data; the rest is in its file."""


async def write_gallery(store: Store, contents: Contents) -> str:
    """Write `index.html` into the store's root and return its address: a page that opens from the disk, with no server and no network.

    The page is small; its data are in a script beside it (`DATA`), and each model is in a page of its own. A sidecar that is
    damaged or without its file is left out and named on the page.

    Args:
        store: The store.
        contents: Its contents now.

    Raises:
        StoreError: The store cannot be read or written.
    """
    seen = await look_around(store, contents)
    await _draw_models(store, [asset for asset in seen.assets if asset.get("turns") not in contents.there], store.write)
    data, page = make_page(name_of(store), seen)
    await store.write(DATA, [data])
    await store.write(PAGE, [page])
    return store.files.address(PAGE)


async def write_linked_gallery(store: Store, folder: Path, seconds: float) -> Path:
    """Write the gallery of a private bucket into a folder of this machine and return the page's path; it reads files by signed links.

    Args:
        store: The bucket.
        folder: Folder for the page and for the pages of its models.
        seconds: Life of the links, in seconds; after that the page has to be written anew.

    Raises:
        SettingsError: The store signs no links.
        StoreError: The store cannot be read, or the folder cannot be written.
    """
    origin = origin_of(await store.files.link(PAGE, seconds) or "file:///")
    if not origin.startswith("http"):
        raise SettingsError(f"{store.label} signs no links", advice="Its own gallery opens from where it is.", money="")
    seen = await look_around(store, await read_assets(store))
    async with Store.lease(str(folder)) as here:
        await _draw_models(store, seen.assets, here.write)
        for asset in seen.assets:
            for name in ("href", "sidecar", "thumbnail"):
                if asset.get(name):
                    asset[name] = await store.files.link(unquote(asset[name]), seconds)
        data, page = make_page(name_of(store), seen, origin)
        await here.write(DATA, [data])
        await here.write(PAGE, [page])
    return folder / PAGE


async def _draw_models(store: Store, assets: Iterable[Entry], write: Callable[[str, Iterable[str]], Awaitable[None]]) -> None:
    """Write a page for each model among the assets, and the page that draws them."""
    models = [asset for asset in assets if "turns" in asset]
    for asset in models:
        with (await store.files.copy(asset["path"])).open("rb") as model:
            await write(asset["turns"], make_model_page(model))
    if models:
        await write(VIEWER, [make_viewer_page()])


def name_of(store: Store) -> str:
    """Name of a store on a page."""
    return store.label.rstrip("/").rpartition("/")[2]


@dataclass(frozen=True)
class Seen:
    """Contents of a store as a page shows them.

    Attributes:
        assets: An entry for each asset, in the order they are shown; files in quarantine come last.
        left_out: `name` and `why` of each file that is not shown.
        made: Each entry by its path, with a value that changes when the files that it is made from change.
    """

    assets: list[Entry]
    left_out: list[dict[str, str]]
    made: Mapping[str, tuple[Hashable, Entry]]


def make_page(root: str, seen: Seen, origin: str = "", live: Mapping[str, str] | None = None) -> tuple[str, str]:
    """Make the script with the data, and the page.

    Args:
        root: The store's name.
        seen: Contents to show.
        origin: Origin that pictures and videos may come from as well; empty for none but the page's own.
        live: Data by which a server keeps the page up to date; None without a server. See `genmedia.gallery.serving`.

    Returns:
        The text of `DATA`, which is one assignment of one string, and the text of `PAGE`.
    """
    told = {"root": root, "assets": seen.assets, "left_out": seen.left_out} | ({"live": live} if live else {})
    found = json.dumps(told, separators=(",", ":"), allow_nan=False)
    # A string of ASCII without "<" can neither end itself, nor a script, nor a line; only the page's JSON.parse reads what is in it.
    quoted = json.dumps(found.replace("<", r"\u003c"), allow_nan=False)
    data = f"globalThis.galleryData = {quoted};\n"
    # Seen in Chromium: from the disk an integrity hash is refused, 'self' and file: allow every file there is, and a nonce just this
    # script. The nonce is the data's own hash: nothing in the data can name it.
    digest = hashlib.sha256(data.encode()).hexdigest()
    page = seal(read_template("gallery.html")).replace("%nonce%", digest[:32]).replace("%origin%", origin)
    page = page.replace("%connect%", "connect-src 'self'; " if live else "", 1)
    return data, page.replace("%data%", f"{DATA}?{digest[:8]}", 1)  # a browser's cache has no old data for a new page


async def look_around(store: Store, contents: Contents, before: Seen | None = None) -> Seen:
    """Make the entries of a page, and list the files that it leaves out, with the reason.

    Args:
        store: The store.
        contents: Its contents.
        before: Result of an earlier look; entries that have not changed are the same objects.

    Raises:
        StoreError: The store cannot be read.
    """
    there = contents.there
    known: Mapping[str, tuple[Hashable, Entry]] = before.made if before else {}
    thumbnails = {Path(path).stem for path in there if path.startswith(THUMBNAILS)}
    made: dict[str, tuple[Hashable, Entry]] = {}
    left_out = [{"name": one.path, "why": one.why} for one in contents.left_out]
    for asset in in_order(contents.assets):
        shown = asset.sidecar.file.sha256 in thumbnails
        made_of = (contents.versions[f"{asset.path}.json"], contents.versions.get(asset.path), shown)
        try:
            if not asset.present:
                raise FileNotFoundError(asset.path)
            if asset.path in known and known[asset.path][0] == made_of:
                made[asset.path] = known[asset.path]
                continue
            entry = make_entry(asset.path, asset.sidecar, thumbnails)
            if entry["file"]["media_type"].startswith("text/"):
                text = await store.files.read(asset.path, 4 * TEXT_CHARACTERS) if there[asset.path] else b""
                entry["text"] = text.decode(errors="replace")[:TEXT_CHARACTERS]
            made[asset.path] = made_of, entry
        except FileNotFoundError:
            left_out.append({"name": f"{asset.path}.json", "why": "there is no file beside it"})
        except ValueError as error:
            left_out.append({"name": f"{asset.path}.json", "why": str(error)})
    evidence = sorted(path for path in there if path.startswith("quarantine/") and path.endswith(".json"))
    left_out += [{"name": path, "why": TOO_LONG} for path in evidence if there[path] > SIDECAR_BYTES]
    evidence = [path for path in evidence if there[path] <= SIDECAR_BYTES]
    same = {path for path in evidence if known.get(path, ("",))[0] == contents.versions[path]}
    made |= {path: known[path] for path in same}
    async for path, content in store.read_all(path for path in evidence if path not in same):
        try:
            made[path] = contents.versions[path], read_refused(path.removesuffix(".json"), content)
        except ValueError:
            left_out.append({"name": path, "why": "it does not read as evidence"})
    if len(left_out) > LEFT_OUT:
        left_out[LEFT_OUT:] = [{"name": f"{len(left_out) - LEFT_OUT} more", "why": "`genmedia lineage` names them all"}]
    return Seen([entry for _, entry in made.values()], left_out, made)
