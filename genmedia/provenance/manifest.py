"""The list of everything in a store, for a spreadsheet."""

import csv
import io
import json
from collections.abc import Iterable

from genmedia.provenance.reading import Asset
from genmedia.store import Store
from genmedia.store.template import MANIFEST

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
)
"""`prompt` is the words it was made from, or where there are none the whole request as JSON. Price and cost are the whole job's."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


async def write_manifest(store: Store, assets: Iterable[Asset]) -> str:
    """Write `manifest.csv` into the store's root; returns its address.

    Raises:
        StoreError: The store cannot be written.
    """
    await store.write(MANIFEST, [make_manifest(assets)])
    return store.files.address(MANIFEST)


def make_manifest(assets: Iterable[Asset]) -> str:
    """A line for each file that is there, in order of path, below a line with the names of the columns."""
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(COLUMNS)
    lines.writerows([_harmless(value) for value in _line(asset)] for asset in assets if asset.present)
    return text.getvalue()


def _line(asset: Asset) -> list[str | float | None]:
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
        told.prompt or json.dumps(told.request, ensure_ascii=False),
        " ".join(one.asset or one.sha256 or "" for one in told.inputs if one.text is None),
        cost.price,
        cost.charged,
        cost.unit,
        told.remote_id,
        told.times.stored.isoformat(),
        "; ".join(told.warnings),
    ]


def _harmless(value: str | float | None) -> str | float | None:
    """A text that a spreadsheet would run as a formula gets an apostrophe before it: it is shown as it is."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
