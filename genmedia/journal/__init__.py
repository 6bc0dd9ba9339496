"""The journal: what was asked for, what was bought for it, and which files came of it. It is how nothing is ever paid for twice."""

from genmedia.journal.journal import Journal
from genmedia.journal.ledger import GROUPS, Entry, Line, add_up
from genmedia.journal.money import Balance, Hold, Money, Scope, time_zone
from genmedia.journal.rows import NAMED, NEVER_SENT, Attempt, AttemptState, Interest, PastPurchase, Purpose, StoredAsset, Wish

__all__ = [
    "GROUPS",
    "NAMED",
    "NEVER_SENT",
    "Attempt",
    "AttemptState",
    "Balance",
    "Entry",
    "Hold",
    "Interest",
    "Journal",
    "Line",
    "Money",
    "PastPurchase",
    "Purpose",
    "Scope",
    "StoredAsset",
    "Wish",
    "add_up",
    "time_zone",
]
