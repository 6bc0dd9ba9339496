"""The end of every purchase, whoever was paid: its files in the store, and told to Prefect, so that automations can act on them."""

from contextlib import suppress

from prefect.events import emit_event
from prefect.exceptions import EventTooLarge

from blocks import AssetStore
from genmedia.buying import Purchase
from genmedia.jobs import Job
from genmedia.journal import StoredAsset
from genmedia.providers.client import ProviderClient
from genmedia.receiving import Received, receive_outputs

EVENT = "genmedia.asset.stored"
PARENTS = 50
"""So many inputs are named in an event; Prefect takes 100 related resources, and adds the flow run and what belongs to it."""


async def store_outputs(client: ProviderClient, store: AssetStore, purchase: Purchase, job: Job) -> Received:
    """Fetch, verify and store what a job gave, and tell of each file in an event; see `receive_outputs`."""
    async with store.get_store() as files, store.get_journal() as journal:
        received = await receive_outputs(client, files, journal, purchase, job)
        for asset in received.assets:
            _tell_of(asset, files.files.address(asset.path))
    return received


def _tell_of(asset: StoredAsset, address: str) -> None:
    """Hand the event to Prefect's own thread, which adds the flow run and sends it; a server that is gone holds nothing up."""
    told = asset.sidecar
    parents = dict.fromkeys(one["sha256"] for one in told["inputs"] if "sha256" in one)
    with suppress(EventTooLarge):  # every other fault is logged by Prefect, and raised nowhere
        emit_event(
            EVENT,
            resource={"prefect.resource.id": f"genmedia.asset.{asset.came_as}", "prefect.resource.name": asset.path},
            related=[
                {"prefect.resource.id": f"genmedia.asset.{digest}", "prefect.resource.role": "input"}
                for digest in list(parents)[:PARENTS]
            ],
            payload={
                "path": asset.path,
                "address": address,
                "media_type": told["file"]["media_type"],
                **{name: told[name] for name in ("campaign", "step", "provider", "operation", "submission_key", "take", "cost")},
            },
        )
