"""The list of all files in a store, as CSV for a spreadsheet."""

import csv
import io
from collections.abc import Iterable

from genmedia.jobs.job import UNKNOWN
from genmedia.provenance.reading import Asset, in_order
from genmedia.store import Store
from genmedia.store.naming import MANIFEST
from genmedia.text.plain import for_cell

COLUMNS = (
    "path",
    "kind",
    "type",
    "width",
    "height",
    "seconds",
    "bytes",
    "sha256",
    "campaign",
    "step",
    "labels",
    "provider",
    "account",
    "operation",
    "take",
    "prompt",
    "inputs",
    "price",
    "charged",
    "unit",
    "remote id",
    "stored",
    "warnings",
    "used by",
)
"""`prompt` is the text that the file was made from. `price` and `charged` are the whole job's, and are in the first line of each job."""

BOM = "\ufeff"
"""Makes Excel read the file as UTF-8. Python's name of that encoding is utf-8-sig."""


async def write_manifest(store: Store, assets: Iterable[Asset]) -> str:
    """Write `manifest.csv` into the store's root; returns its address.

    Raises:
        StoreError: The store cannot be written.
    """
    await store.write(MANIFEST, [BOM, make_manifest(assets)])
    return store.files.address(MANIFEST)


def make_manifest(assets: Iterable[Asset]) -> str:
    """CSV with a line for each file that is there, in the order of `in_order`, below a line with the names of the columns."""
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(COLUMNS)
    told: set[tuple[str, str, int]] = set()
    for asset in in_order(asset for asset in assets if asset.present):
        job = asset.sidecar.account, asset.sidecar.submission_key, asset.sidecar.attempt
        lines.writerow(map(for_cell, _line(asset, first=job not in told)))
        told.add(job)
    return text.getvalue()


def _line(asset: Asset, *, first: bool) -> list[str | float | None]:
    told = asset.sidecar
    file, cost = told.file, told.cost
    return [
        asset.path,
        told.output.kind,
        file.media_type,
        file.width,
        file.height,
        file.duration,
        file.bytes,
        file.sha256,
        told.campaign,
        told.step,
        "; ".join(f"{name}={value}" for name, value in sorted(told.labels.items())),
        told.provider,
        told.account_name,
        told.operation,
        told.take,
        told.prompt,
        " ".join(one.asset or one.sha256 or "" for one in told.inputs if one.text is None),
        (UNKNOWN if cost.price is None else cost.price) if first else None,
        (UNKNOWN if cost.charged is None else cost.charged) if first else None,
        cost.unit,
        told.remote_id,
        told.times.stored.isoformat(),
        "; ".join(told.warnings),
        "; ".join(f"{campaign}/{step}" for campaign, step in told.used_by),
    ]
