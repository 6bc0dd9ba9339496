"""The gallery: one page beside the media that shows everything in a store, and where each piece came from."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from urllib.parse import unquote

from genmedia.errors import SettingsError
from genmedia.gallery.entries import Entry, in_order, make_entry, read_refused
from genmedia.gallery.pages import read_template, seal
from genmedia.gallery.viewer import VIEWER, make_model_page, make_viewer_page
from genmedia.origins import origin_of
from genmedia.provenance.reading import Contents, read_assets
from genmedia.store import Store
from genmedia.store.store import THUMBNAILS
from genmedia.store.template import PAGE

DATA = ".genmedia/gallery-data.js"
TEXT_CHARACTERS = 20_000
"""How much of a text stands in the data; the rest is in its file."""


async def write_gallery(store: Store, contents: Contents) -> str:
    """Write `index.html` into the store's root and get its address: a page that opens from the disk, with no server and no network.

    The page is small; what it shows stands in a script beside it (`DATA`), and each model in a page of its own. A sidecar that is
    damaged or without its file is left out and named on the page.

    Args:
        store: The store.
        contents: What is in it now.

    Raises:
        StoreError: The store cannot be read or written.
    """
    assets, left_out = await _look_around(store, contents)
    await _draw_models(store, [asset for asset in assets if asset.get("turns") not in contents.there], store.write)
    data, page = make_page(_name(store), assets, left_out)
    await store.write(DATA, [data])
    await store.write(PAGE, [page])
    return store.files.address(PAGE)


async def write_linked_gallery(store: Store, folder: Path, seconds: float) -> Path:
    """Write the gallery of a private bucket into a folder of this machine and get its page: what it shows is read by signed links.

    Args:
        store: The bucket.
        folder: Where the page goes, with what its models need.
        seconds: How long the links live; the page is to be written anew after that.

    Raises:
        SettingsError: The store signs no links.
        StoreError: The store cannot be read, or the folder cannot be written.
    """
    origin = origin_of(await store.files.link(PAGE, seconds) or "file:///")
    if not origin.startswith("http"):
        raise SettingsError(f"{store.label} signs no links", advice="Its own gallery opens from where it is.", money="")
    assets, left_out = await _look_around(store, await read_assets(store))
    async with Store.lease(str(folder)) as here:
        await _draw_models(store, assets, here.write)
        for asset in assets:
            for name in ("href", "sidecar", "thumbnail"):
                if asset.get(name):
                    asset[name] = await store.files.link(unquote(asset[name]), seconds)
        data, page = make_page(_name(store), assets, left_out, origin)
        await here.write(DATA, [data])
        await here.write(PAGE, [page])
    return folder / PAGE


async def _draw_models(store: Store, assets: Iterable[Entry], write: Callable[[str, Iterable[str]], Awaitable[None]]) -> None:
    """A page for each model among the assets, and what draws them."""
    models = [asset for asset in assets if "turns" in asset]
    for asset in models:
        with (await store.files.copy(asset["path"])).open("rb") as model:
            await write(asset["turns"], make_model_page(model))
    if models:
        await write(VIEWER, [make_viewer_page()])


def _name(store: Store) -> str:
    return store.label.rstrip("/").rpartition("/")[2]


def make_page(root: str, assets: list[Entry], left_out: list[dict[str, str]], origin: str = "") -> tuple[str, str]:
    """The script with the data, and the page.

    Args:
        root: The store's name.
        assets: What to show, in this order.
        left_out: For each file that is not shown its `name` and `why`.
        origin: Where pictures and videos may come from, besides from beside the page.

    Returns:
        The text of `DATA`, which is one assignment of one string, and the text of `PAGE`.
    """
    found = json.dumps({"root": root, "assets": assets, "left_out": left_out}, separators=(",", ":"), allow_nan=False)
    # A string of ASCII without "<" can neither end itself, nor a script, nor a line; only the page's JSON.parse reads what is in it.
    quoted = json.dumps(found.replace("<", r"\u003c"))
    data = f"globalThis.galleryData = {quoted};\n"
    # Seen in Chromium: from the disk an integrity hash is refused, 'self' and file: allow every file there is, and a nonce just this
    # script. The nonce is the data's own hash: nothing in the data can name it.
    digest = hashlib.sha256(data.encode()).hexdigest()
    page = seal(read_template("gallery.html")).replace("%nonce%", digest[:32]).replace("%origin%", origin)
    return data, page.replace("%data%", f"{DATA}?{digest[:8]}", 1)  # a browser that keeps files keeps no old data for a new page


async def _look_around(store: Store, contents: Contents) -> tuple[list[Entry], list[dict[str, str]]]:
    """What the page shows of each asset, and the files that it leaves out, with the reason."""
    there = contents.there
    thumbnails = {Path(path).stem for path in there if path.startswith(THUMBNAILS)}
    found: list[Entry] = []
    left_out = [{"name": one.path, "why": one.why} for one in contents.left_out]
    for asset in contents.assets:
        try:
            if not asset.present:
                raise FileNotFoundError(asset.path)
            entry = make_entry(asset.path, asset.sidecar, thumbnails)
            if entry["file"]["media_type"].startswith("text/"):
                text = await store.files.read(asset.path)
                entry["text"] = text[: 4 * TEXT_CHARACTERS].decode(errors="replace")[:TEXT_CHARACTERS]
            found.append(entry)
        except FileNotFoundError:
            left_out.append({"name": f"{asset.path}.json", "why": "there is no file beside it"})
        except ValueError as error:
            left_out.append({"name": f"{asset.path}.json", "why": str(error)})
    async for path, content in store.read_all(
        sorted(path for path in there if path.startswith("quarantine/") and path.endswith(".json"))
    ):
        try:
            found.append(read_refused(path.removesuffix(".json"), content))
        except ValueError:
            left_out.append({"name": path, "why": "it does not read as evidence"})
    return in_order(found), left_out
