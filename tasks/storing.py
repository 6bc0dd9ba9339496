"""First and last part of every purchase, at any provider: meet the order; store its files and send Prefect an event for each."""

from contextlib import suppress

from prefect.client.schemas.objects import State
from prefect.events import emit_event
from prefect.exceptions import EventTooLarge

from blocks import AssetStore
from genmedia.jobs.job import Job
from genmedia.journal import StoredAsset
from genmedia.journal.order import Order
from genmedia.providers.base import ProviderClient
from genmedia.providers.steps import Deliver
from genmedia.purchasing.buy import Purchase
from genmedia.purchasing.calls import meet_order
from genmedia.purchasing.receive import Received, receive_outputs
from tasks.states import met

EVENT = "genmedia.asset.stored"
PARENTS = 50
"""Most inputs that an event names; Prefect takes 100 related resources, and adds the flow run and what belongs to it."""


async def buy_as_state(client: ProviderClient, store: AssetStore, order: Order, deliver: Deliver) -> State[Purchase]:
    """Buy what an order asks for, unless the journal knows that it is bought; returns the state that says how. See `meet_order`."""
    return await met(meet_order(client, store, order, deliver))


async def store_outputs(client: ProviderClient, store: AssetStore, purchase: Purchase, job: Job) -> Received:
    """Fetch, verify and store the outputs of a job, and emit an event for each file, for automations; see `receive_outputs`."""
    async with store.get_store() as files, store.get_journal() as journal:
        received = await receive_outputs(client, files, journal, purchase, job)
        for asset in received.assets:
            if asset.forgotten_at is None:
                tell_of(asset, files.files.address(asset.path))
    return received


def tell_of(asset: StoredAsset, address: str) -> None:
    """Emit the event of a stored file: Prefect's own thread adds the flow run and sends it; an unreachable server causes no delay here."""
    told = asset.sidecar
    parents = dict.fromkeys(one.sha256 for one in told.inputs if one.sha256)
    named = {"campaign", "step", "provider", "operation", "submission_key", "take", "cost"}
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
                "media_type": told.file.media_type,
                **told.model_dump(mode="json", include=named, exclude_unset=True),
            },
        )
