"""Tasks on the store as a whole."""

from typing import Any

from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed

from blocks import AssetStore
from genmedia.errors import StoreError
from genmedia.gallery.page import write_gallery as write_page
from genmedia.provenance.manifest import write_manifest
from genmedia.provenance.reading import read_assets
from tasks.telling import task


@task(task_run_name="write-gallery")
async def write_gallery(store: AssetStore) -> str | State[Any]:
    """Write the gallery page and the manifest of the store beside the media; returns the page's address.

    If they cannot be written, that is a warning and a state named `NotDrawn`: what was bought is stored, and shown in Prefect.
    """
    async with store.get_store() as files:
        try:
            contents = await read_assets(files)
            await write_manifest(files, contents.assets)
            return await write_page(files, contents)
        except (StoreError, OSError) as error:
            told = f"The gallery could not be drawn: {error} What was bought is stored; draw it later with `genmedia gallery`."
    get_run_logger().warning("%s", told)
    return Completed(name="NotDrawn", message=told)
