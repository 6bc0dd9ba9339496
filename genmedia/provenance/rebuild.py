"""The journal rebuilt from the sidecars alone, so that a lost database buys nothing again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from genmedia.journal import Journal, PastPurchase, StoredAsset
from genmedia.provenance.reading import Asset, LeftOut, read_assets, read_forgotten
from genmedia.store import Store
from genmedia.store.sidecar import Use
from genmedia.store.store import FORGOTTEN


@dataclass(frozen=True)
class Rebuilt:
    """The result of a rebuild.

    Attributes:
        found: The number of sidecars.
        passed_over: Reason why a sidecar that reads was not written into the journal, by its path.
        left_out: The sidecars that do not read.
    """

    found: int
    passed_over: Mapping[str, str]
    left_out: Sequence[LeftOut]

    @property
    def added(self) -> int:
        """The number of assets that were written into the journal."""
        return self.found - len(self.passed_over) - len(self.left_out)


async def rebuild_journal(store: Store, journal: Journal) -> Rebuilt:
    """Write into a journal every purchase in a store's sidecars; what the journal knows already stays as it is.

    A purchase of which not all outputs are in the store is written as running: the next order for it fetches them again.

    Raises:
        StoreError: The store cannot be read.
        SettingsError: The journal cannot be used.
    """
    contents = await read_assets(store)
    forgotten = await read_forgotten(store, contents)
    bought = [asset for asset in contents.assets if not asset.sidecar.is_upload]
    assets, left_out = [*bought, *forgotten], contents.left_out
    latest = {
        _output(asset): asset for asset in sorted(assets, key=lambda one: (_forgotten_at(one) or "", one.sidecar.times.stored))
    }
    older = {
        asset.path: "a person has removed it for good"
        if _forgotten_at(latest[_output(asset)])
        else "a later file is the same output"
        for asset in assets
        if latest[_output(asset)] is not asset
    }
    known = await journal.restore(_purchases(list(latest.values())))
    for asset in forgotten:
        await _forget_again(journal, asset)
    return Rebuilt(len(assets) + len(left_out), {**older, **known}, left_out)


async def _forget_again(journal: Journal, left: Asset) -> None:
    """Write into a journal from a backup that a person has removed an asset since."""
    attempt = await journal.numbered_attempt(*_purchase(left))
    known = await journal.assets(attempt.id) if attempt else []
    mine = [one for one in known if (one.output, one.number) == _output(left)[2:] and one.forgotten_at is None]
    for one in mine:
        assert attempt
        words = not [other for other in known if other != one and other.forgotten_at is None]
        await journal.forget(attempt, one, _stored(left), words=words)


def _purchases(assets: Sequence[Asset]) -> list[PastPurchase]:
    grouped = groupby(sorted(assets, key=_purchase), _purchase)
    return [_past(sorted(outputs, key=_place)) for _, outputs in grouped]


def _purchase(asset: Asset) -> tuple[str, int]:
    return asset.sidecar.submission_key, asset.sidecar.attempt


def _output(asset: Asset) -> tuple[str, int, str, int]:
    return *_purchase(asset), asset.sidecar.output.id, asset.sidecar.output.number or 1


def _place(asset: Asset) -> tuple[Any, ...]:
    """Sort key of an output: its number, or for one without a number the time at which it was stored."""
    return asset.sidecar.output.number or 0, asset.sidecar.times.stored, asset.path


def _past(assets: Sequence[Asset]) -> PastPurchase:
    told = assets[0].sidecar
    stored = max(asset.sidecar.times.stored for asset in assets)
    return PastPurchase(
        key=told.submission_key,
        account=told.account,
        operation=told.operation,
        request=told.request,
        take=told.take,
        number=told.attempt,
        remote_id=told.remote_id,
        campaign=told.campaign,
        price=told.cost.price,
        charged=told.cost.charged,
        unit=told.cost.unit,
        created=(told.times.created or stored).isoformat(),
        stored=stored.isoformat(),
        whole=len(assets) >= (told.output.of or 0),
        assets=[_stored(asset) for asset in assets],
        labels=told.labels,
        uses=[
            Use(campaign=told.campaign, step=told.step, labels=told.labels, since=told.times.created or stored),
            *(use for asset in assets for use in asset.sidecar.uses),
        ],
    )


def _stored(asset: Asset) -> StoredAsset:
    sidecar = asset.sidecar.at(asset.path)
    return StoredAsset(asset.path, sidecar.output.id, sidecar.file.sha256, sidecar, _forgotten_at(asset))


def _forgotten_at(asset: Asset) -> str | None:
    told = asset.sidecar.forgotten
    return told.isoformat() if told and asset.path.startswith(FORGOTTEN) else None
