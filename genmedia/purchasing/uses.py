"""The campaigns that use a file, as its sidecar tells them: the one that bought it, and those that reused it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from genmedia.errors import StoreError
from genmedia.journal import Journal, StoredAsset
from genmedia.purchasing.buy import Purchase
from genmedia.store import Store
from genmedia.store.sidecar import Use, coordinates

USES = 500
"""The most uses besides the first that a sidecar tells: the earliest ones. The journal knows all."""


def other_uses(uses: Iterable[Use], campaign: str, step: str) -> tuple[Use, ...]:
    """Return the uses that the sidecar of a file tells besides the campaign and step that bought it: the first `USES`."""
    return tuple(use for use in uses if (use.campaign, use.step) != (campaign, step))[:USES]


async def tell_uses(store: Store, journal: Journal, purchase: Purchase) -> Purchase:
    """Add to the sidecars of reused files the campaign and step that use them now, and their place in what that campaign asks for.

    A sidecar that tells it already is not written. Where the store refuses, the use stands in the journal alone, until the next run.

    Returns:
        The purchase, with the sidecars as they are now.

    Raises:
        JournalError: The journal cannot be read or written.
    """
    wanted = purchase.order.purpose
    if not wanted.campaign or all(asset.tells_use(wanted) and asset.tells_place(wanted) for asset in purchase.assets):
        return purchase
    uses = await journal.uses(purchase.key)
    while (told := await _tell(store, journal, purchase, uses)) and (now := await journal.uses(purchase.key)) != uses:
        uses = now  # another campaign has begun to use it, and may have written its sidecar before this one did
    return told or purchase


async def _tell(store: Store, journal: Journal, purchase: Purchase, uses: Sequence[Use]) -> Purchase | None:
    """Write uses into the sidecars of a purchase; returns it with them, or None where the store refuses."""
    wanted, told = purchase.order.purpose, list[StoredAsset]()
    for asset in purchase.assets:
        fields: dict[str, Any] = {} if asset.tells_place(wanted) else {"place": coordinates(wanted.place)}
        if not asset.tells_use(wanted):
            fields["uses"] = other_uses(uses, asset.sidecar.campaign, asset.sidecar.step)
        sidecar = asset.sidecar.model_copy(update=fields)
        if asset.sidecar != sidecar:
            known = sidecar.write()
            try:
                await store.retell(asset.path, {name: known[name] for name in fields if name in known})
            except StoreError:
                return None
            asset = replace(asset, sidecar=sidecar)  # noqa: PLW2901 # the same file, with its new sidecar
            await journal.retell(asset)
        told.append(asset)
    return replace(purchase, assets=tuple(told))
