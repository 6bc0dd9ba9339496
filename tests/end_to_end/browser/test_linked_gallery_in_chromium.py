"""The gallery of a private bucket: a page on this machine whose pictures are read by signed links."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest
from playwright.sync_api import Browser, expect

from genmedia.errors import SettingsError
from genmedia.gallery.page import write_linked_gallery
from genmedia.store import Place, Store
from tests.buckets import Buckets
from tests.end_to_end.browser.galleries import opened, tile
from tests.example_assets import pack_glb, picture, pyramid, write_asset

T = TypeVar("T")

pytestmark = pytest.mark.browser


def aside(work: Coroutine[Any, Any, T]) -> T:
    """Run it in a thread: a browser that a test drives has a loop of its own."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def in_bucket(folder: Path, place: Place) -> None:
    """Put everything in a folder into the bucket, as it is."""

    async def put() -> None:
        async with Store.lease(place) as store:
            for file in sorted(folder.rglob("*")):
                if file.is_file():
                    await store.files.put(file, file.relative_to(folder).as_posix())

    aside(put())


def linked(place: Place, folder: Path) -> Path:
    async def write() -> Path:
        async with Store.lease(place) as store:
            return await write_linked_gallery(store, folder, 3600)

    return aside(write())


def test_pictures_of_a_private_bucket_show_on_a_page_of_this_machine(chromium: Browser, buckets: Buckets, tmp_path: Path) -> None:
    made, place = tmp_path / "made", buckets.new()
    write_asset(made, "cups/red/a #1.png", picture("red"), thumbnail=picture("red", form="WEBP"))
    write_asset(made, "cups/chair/chair.glb", pack_glb(*pyramid()), "model/gltf-binary", output={"id": "model", "kind": "model"})
    in_bucket(made, place)

    page = linked(place, tmp_path / "page")

    noise: list[str] = []
    with opened(page, chromium, noise) as shown:
        image = tile(shown, "cups/red/a #1.png").locator("img")
        expect(image).to_have_js_property("complete", value=True)
        assert image.evaluate("(image) => image.naturalWidth") == 96
        assert all(address.startswith(place.endpoint) for address in noise), noise
        assert noise
        noise.clear()
    left = "".join(file.read_text(errors="replace") for file in (tmp_path / "page").rglob("*") if file.is_file())
    assert place.secret not in left


def test_a_folder_signs_no_links(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="signs no links"):
        linked(Place(str(tmp_path)), tmp_path / "page")
    assert not (tmp_path / "page").exists()
