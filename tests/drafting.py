"""Drafting steps of a form outside of a run: nothing is bought for them."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from genmedia.errors import Fault
from genmedia.progress import Log
from genmedia.providers.registry import kind_of, kinds
from genmedia.providers.steps import Operation
from genmedia.store import Store
from genmedia.store.named_files import Files, files_at_hand, look_at


@dataclass
class Form:
    """What a form asks; see `genmedia.providers.drafts.Drafting`.

    Attributes:
        clients: Of the accounts that pay, by provider.
    """

    store: Store
    clients: Mapping[str, Any] = field(default_factory=dict[str, Any])
    log: Log = field(default_factory=logging.getLogger)
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))
    without: Collection[str] = ()

    async def client(self, provider: str) -> Any:
        return self.clients[provider]

    async def look_at(self, names: Iterable[str], provider: str, kind: str = "") -> Files:
        client = self.clients.get(provider)
        async with files_at_hand(names, self.store, client and client.http) as files:
            return await look_at(files, kind)

    async def describe(self, steps: Sequence[Any]) -> Mapping[str, Operation | Sequence[Fault]]:
        found: dict[str, Operation | Sequence[Fault]] = {}
        for kind in kinds():
            if mine := [step for step in steps if kind_of(step) is kind]:
                found |= await kind.describe(self.clients.get(kind.provider), mine, None)
        return found
