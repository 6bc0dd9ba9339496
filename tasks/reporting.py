"""What a flow run shows in the Prefect UI: its tags, and two artifacts. Kept to a few: the server pays for each."""

import asyncio
import base64
import re
from collections.abc import Sequence
from typing import Any

from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact
from prefect.client.orchestration import get_client
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from genmedia.errors import StoreError
from genmedia.gallery.contact_sheet import make_contact_sheet
from genmedia.results import Result
from genmedia.store import Store


async def tag_flow_run(*names: str) -> None:
    """Add tags to the flow run that calls this; the tags it has from its deployment stay."""
    async with get_client() as client:
        await client.update_flow_run(flow_run.id, tags=sorted({*flow_run.tags, *names}))


async def publish_results(name: str, results: Sequence[Result], store: Store) -> None:
    """A table with a row a run, and a contact sheet of all results.

    The sheet stands as a picture inside a markdown artifact of at most 200 kB, so that it shows without any server of ours.
    """
    key = re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")
    await acreate_table_artifact(table=[_row(result, store) for result in results], key=f"{key}-results", description=name)
    try:
        pictures = [
            (f"{result.name} · {asset.output}", await store.thumbnail(asset.sha256))
            for result in results
            for asset in result.assets
        ]
    except (StoreError, OSError) as error:
        get_run_logger().warning("There is no contact sheet: %s", error)
        return
    if pictures:
        sheet = base64.b64encode(await asyncio.to_thread(make_contact_sheet, pictures)).decode()
        text = f"# {name}\n\n{len(pictures)} results in `{store.label}`.\n\n![Contact sheet](data:image/webp;base64,{sheet})\n"
        await acreate_markdown_artifact(markdown=text, key=f"{key}-contact-sheet", description="Every result of the last run")


def _row(result: Result, store: Store) -> dict[str, Any]:
    return {
        "step": result.name,
        "operation": result.operation,
        "status": result.status,
        "seconds": "" if result.seconds is None else round(result.seconds, 1),
        "credits": result.charged,
        "error": result.error,
        "warnings": "; ".join(result.warnings),
        "files": " ".join(store.files.address(asset.path) for asset in result.assets),
        "run": result.job_id,
    }
