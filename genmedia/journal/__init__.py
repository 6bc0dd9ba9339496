"""The journal of orders, of the purchases for them, and of their files. With it nothing is ever paid for twice."""

from genmedia.journal.database import is_made
from genmedia.journal.journal import Journal
from genmedia.journal.ledger import Entry, Line, add_up
from genmedia.journal.order import Purpose
from genmedia.journal.records import (
    NAMED,
    NEVER_SENT,
    TOLERANCE,
    Attempt,
    AttemptState,
    Duplicate,
    Has,
    PastPurchase,
    StoredAsset,
    Waiter,
    are_there,
)
from genmedia.journal.spending import Balance, Hold, Label, Money, Room, Scope, Share, time_zone

__all__ = [
    "NAMED",
    "NEVER_SENT",
    "TOLERANCE",
    "Attempt",
    "AttemptState",
    "Balance",
    "Duplicate",
    "Entry",
    "Has",
    "Hold",
    "Journal",
    "Label",
    "Line",
    "Money",
    "PastPurchase",
    "Purpose",
    "Room",
    "Scope",
    "Share",
    "StoredAsset",
    "Waiter",
    "add_up",
    "are_there",
    "is_made",
    "time_zone",
]
