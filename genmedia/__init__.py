"""Buys pictures, videos and 3D models from generative-media APIs: paid once, never lost, always seen.

The names below are the library's public API; everything else may change. Each is loaded when it is first used: importing genmedia itself
loads no database, no decoder and no HTTP client.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genmedia.errors import (
        ApiError,
        BudgetError,
        Fault,
        GenmediaError,
        InDoubtError,
        InputError,
        JobError,
        JournalError,
        MediaError,
        SettingsError,
        StoreError,
    )
    from genmedia.jobs.job import Account, Job
    from genmedia.journal import Attempt, AttemptState, Journal, StoredAsset
    from genmedia.journal.order import Order, Purpose
    from genmedia.providers.algovera.client import AlgoveraClient
    from genmedia.providers.base import ProviderClient
    from genmedia.providers.flora.client import FloraClient
    from genmedia.providers.generio.client import GenerioClient
    from genmedia.providers.genova.client import GenovaClient
    from genmedia.purchasing.buy import Outcome, Purchase, buy
    from genmedia.purchasing.receive import receive_outputs
    from genmedia.store import Incoming, Place, Store
    from genmedia.store.sidecar import Sidecar, read_sidecar

__all__ = [
    "Account",
    "AlgoveraClient",
    "ApiError",
    "Attempt",
    "AttemptState",
    "BudgetError",
    "Fault",
    "FloraClient",
    "GenerioClient",
    "GenmediaError",
    "GenovaClient",
    "InDoubtError",
    "Incoming",
    "InputError",
    "Job",
    "JobError",
    "Journal",
    "JournalError",
    "MediaError",
    "Order",
    "Outcome",
    "Place",
    "ProviderClient",
    "Purchase",
    "Purpose",
    "SettingsError",
    "Sidecar",
    "Store",
    "StoreError",
    "StoredAsset",
    "__version__",
    "buy",
    "read_sidecar",
    "receive_outputs",
]

__version__ = "0.1.0"

_ROOMS = {
    "genmedia.errors": "ApiError BudgetError Fault GenmediaError InDoubtError "
    "InputError JobError JournalError MediaError SettingsError StoreError",
    "genmedia.jobs.job": "Account Job",
    "genmedia.journal": "Attempt AttemptState Journal StoredAsset",
    "genmedia.journal.order": "Order Purpose",
    "genmedia.providers.algovera.client": "AlgoveraClient",
    "genmedia.providers.base": "ProviderClient",
    "genmedia.providers.flora.client": "FloraClient",
    "genmedia.providers.generio.client": "GenerioClient",
    "genmedia.providers.genova.client": "GenovaClient",
    "genmedia.purchasing.buy": "Outcome Purchase buy",
    "genmedia.purchasing.receive": "receive_outputs",
    "genmedia.store": "Incoming Place Store",
    "genmedia.store.sidecar": "Sidecar read_sidecar",
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """Load a public name from the module that defines it."""
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_ROOM_OF[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
