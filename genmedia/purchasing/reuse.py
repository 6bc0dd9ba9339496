"""Orders that stored files answer for: found for many at once, and met without a request to the provider."""

from collections.abc import Sequence
from dataclasses import dataclass

from genmedia.journal import Attempt, AttemptState, Journal, StoredAsset, are_there
from genmedia.journal.order import Order
from genmedia.progress import tell
from genmedia.purchasing.acquire import Acquired
from genmedia.purchasing.buy import reused
from genmedia.purchasing.uses import tell_uses
from genmedia.store import Store


@dataclass(frozen=True)
class Stored:
    """An attempt whose files are all in the store, and the files."""

    attempt: Attempt
    assets: tuple[StoredAsset, ...]


async def all_there(attempts: Sequence[Attempt], journal: Journal, store: Store) -> dict[str, Stored]:
    """Return those of these attempts whose files are all in the store, each of its size and with its sidecar, by submission key.

    Raises:
        StoreError: The store cannot be read.
    """
    stored = [one for one in attempts if one.state is AttemptState.STORED]
    files = await journal.assets_of([one.id for one in stored])
    has = await store.those_there(asset.path for some in files.values() for asset in some if asset.forgotten_at is None)
    return {one.key: Stored(one, tuple(files[one.id])) for one in stored if await are_there(files[one.id], has)}


async def reuse(name: str, order: Order, stored: Stored, journal: Journal, store: Store) -> Acquired:
    """Meet an order by its stored files, and write down where they are used now.

    Args:
        name: Name of the item, for the progress.
        order: The order.
        stored: The attempt that answers for it.
        journal: The journal.
        store: The store of the files.
    """
    purchase = await reused(journal, order, stored.attempt, stored.assets)
    tell(name, purchase.outcome, over=True)
    purchase = await tell_uses(store, journal, purchase)
    return Acquired(purchase, purchase.assets, 0.0)
