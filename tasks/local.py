"""What this machine does itself, as one Prefect task: all operations are done alike, and the name of a run says which one it is."""

from collections.abc import Awaitable, Callable

from prefect.client.schemas.objects import State

from blocks import AssetStore
from genmedia.journal.order import Order
from genmedia.purchasing.buy import Outcome, Purchase
from tasks.states import met
from tasks.storing import tell_of
from tasks.telling import task


@task(task_run_name="{order.operation} {order.purpose.step} {order.key:.8}")
async def make_file(
    store: AssetStore,
    order: Order,  # noqa: ARG001 # the name of the run is made of it
    work: Callable[[], Awaitable[Purchase]],
) -> State[Purchase]:
    """Make a picture or a video of others on this machine, free of charge, or find it in the store; and emit an event for a new file.

    Raises:
        MediaError: It cannot be made of its inputs.
    """
    return await met(_made(store, work))


async def _made(store: AssetStore, work: Callable[[], Awaitable[Purchase]]) -> Purchase:
    made = await work()
    if made.outcome is Outcome.MADE:
        async with store.get_store() as files:
            for asset in made.assets:
                tell_of(asset, files.files.address(asset.path))
    return made
