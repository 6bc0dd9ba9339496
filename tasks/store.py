"""What is done to the store as a whole."""

import asyncio
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from blocks import AssetStore
from genmedia.gallery import write_gallery as write_page


@task(task_run_name="write-gallery", cache_policy=NO_CACHE)
async def write_gallery(store: AssetStore) -> Path:
    """Write the page that shows everything in the store, beside the media; returns its path."""
    return await asyncio.to_thread(write_page, store.get_store())
