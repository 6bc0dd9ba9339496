"""The journal made again from the sidecars alone, so that a lost database buys nothing again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from genmedia.journal import Journal, PastPurchase, StoredAsset
from genmedia.provenance.reading import Asset, LeftOut, read_assets
from genmedia.store import Store


@dataclass(frozen=True)
class Rebuilt:
    """What came of it.

    Attributes:
        found: How many sidecars there were.
        passed_over: The path of each that reads and is not in the journal by this, and why.
        left_out: Those that do not read.
    """

    found: int
    passed_over: Mapping[str, str]
    left_out: Sequence[LeftOut]

    @property
    def added(self) -> int:
        """How many are in the journal now and were not before."""
        return self.found - len(self.passed_over) - len(self.left_out)


async def rebuild_journal(store: Store, journal: Journal) -> Rebuilt:
    """Write into a journal every purchase that a store's sidecars tell of; what the journal knows already stays as it is.

    A purchase of which not all outputs are in the store is written down as running: the next wish for it fetches them again.

    Raises:
        StoreError: The store cannot be read.
        SettingsError: The journal cannot be used.
    """
    contents = await read_assets(store)
    assets, left_out = contents.assets, contents.left_out
    latest = {_output(asset): asset for asset in sorted(assets, key=lambda one: one.sidecar.times.stored)}
    older = {asset.path: "a later file is the same output" for asset in assets if latest[_output(asset)] is not asset}
    known = await journal.restore(_purchases(list(latest.values())))
    return Rebuilt(len(assets) + len(left_out), {**older, **known}, left_out)


def _purchases(assets: Sequence[Asset]) -> list[PastPurchase]:
    grouped = groupby(sorted(assets, key=_purchase), _purchase)
    return [_past(sorted(outputs, key=_place)) for _, outputs in grouped]


def _purchase(asset: Asset) -> tuple[str, int]:
    return asset.sidecar.submission_key, asset.sidecar.attempt


def _output(asset: Asset) -> tuple[str, int, str]:
    return *_purchase(asset), asset.sidecar.output.id


def _place(asset: Asset) -> tuple[Any, ...]:
    """Outputs without a number were stored one after the other."""
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
    )


def _stored(asset: Asset) -> StoredAsset:
    sidecar = json.loads(asset.content)
    sidecar["file"]["path"] = asset.path
    return StoredAsset(asset.path, asset.sidecar.output.id, asset.sidecar.file.sha256, sidecar)
