"""One table about a campaign's run in the Prefect UI: what is done, runs, waits and failed, and what it costs, while it goes on."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any
from uuid import UUID

import httpx
from prefect.artifacts import acreate_table_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.exceptions import PrefectException

from genmedia.campaign.forecast import tell_time
from genmedia.campaign.prospect import Prospect
from genmedia.concurrency import end_task
from genmedia.jobs.job import add_amounts, priced
from genmedia.journal.order import FREE
from genmedia.progress import WAITING, Progress
from genmedia.purchasing.budget import Foreseen, Outlook
from genmedia.purchasing.buy import Outcome
from genmedia.purchasing.result import WAITING as AFTER_REVIEW
from genmedia.purchasing.result import Result
from genmedia.text.plain import for_markdown

SECONDS = 5.0
"""Shortest pause between two updates of the table, each of which is work for Prefect's server."""

DONE, RUNS, WAITS, FAILED, LEFT = "done", "running", "waiting", "failed", "left out"
_COLUMNS = (DONE, RUNS, WAITS, FAILED, LEFT)

_AT_FIRST: Mapping[Outlook, str] = {
    Outlook.REUSED: DONE,
    Outlook.TO_REVIEW: DONE,
    Outlook.IN_DOUBT: FAILED,
    Outlook.REFUSED: FAILED,
    Outlook.NOT_BOUGHT: LEFT,
}
_ENDS = {"stored", Outcome.REUSED, Outcome.MADE}
"""Words of the progress for an end with files."""


def _fate_of(result: Result) -> str:
    if result.status == AFTER_REVIEW:
        return WAITS
    return DONE if result.done else LEFT if result.left else FAILED


class Overview:
    """The table of one run. Errors of Prefect in it are ignored: it harms no job.

    It is made with the first news of an item, and rewritten at most each `SECONDS` while there is news.
    """

    def __init__(self) -> None:
        self._prospect: Prospect | None = None
        self._items: dict[str, tuple[str, Foreseen]] = {}
        self._fates: dict[str, str] = {}
        self._costs: dict[str, float | None] = {}
        self._key = self._about = ""
        self._begun = monotonic()
        self._news = asyncio.Event()
        self._artifact: UUID | None = None
        self._shown: Any = None
        self._keeping: asyncio.Task[None] | None = None

    def begin(self, key: str, about: str, prospect: Prospect) -> None:
        """Begin with a plan.

        Args:
            key: Key of the artifact.
            about: Markdown that stands above the table after the numbers, such as links.
            prospect: The plan.
        """
        self._key, self._about, self._prospect, self._begun = key, about, prospect, monotonic()
        self._items = {one.name: (prospect.steps.get(one.name) or one.operation, one) for one in prospect.foreseen}
        self._fates = {one.name: _AT_FIRST.get(one.outlook, WAITS) for one in prospect.foreseen}
        self._costs = {}
        self._keeping = self._keeping or asyncio.create_task(self._keep())

    def hear(self, news: Progress) -> None:
        """Take note of a piece of news about an item."""
        if news.step not in self._items or news.what == WAITING:
            return
        if news.what == Outcome.BOUGHT:
            self._costs[news.step] = self._items[news.step][1].price
        fate = LEFT if news.what == Outcome.NOT_BOUGHT else DONE if news.what in _ENDS else FAILED if news.over else RUNS
        if self._fates[news.step] != fate:
            self._fates[news.step] = fate
            self._news.set()

    def conclude(self, results: Sequence[Result]) -> None:
        """Take note of how the items ended, and what they cost."""
        self._fates |= {one.name: _fate_of(one) for one in results}
        self._costs = {one.name: one.charged for one in results}
        self._news.set()

    async def end(self) -> None:
        """Write what is known, where it is not written yet, and write nothing more."""
        if self._keeping:
            await end_task(self._keeping)
            if self._news.is_set() or self._artifact:
                await self._write()

    async def _keep(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            await self._write()
            await asyncio.sleep(SECONDS)

    async def _write(self) -> None:
        table, about = self.table(), self.tell()
        if (table, about) == self._shown:
            return
        with suppress(PrefectException, httpx.HTTPError):
            if self._artifact is None:
                made: Any = await acreate_table_artifact(table=table, key=self._key, description=about)
                self._artifact = made if isinstance(made, UUID) else None
            else:
                async with get_client() as client:
                    await client.update_artifact(self._artifact, ArtifactUpdate(data=json.dumps(table), description=about))
            self._shown = table, about

    def table(self) -> list[dict[str, Any]]:
        """Return the rows: one for each step, and one for all of them."""
        counts: dict[str, Counter[str]] = {}
        spent: dict[str, list[tuple[str, float | None, str]]] = {}
        for name, (step, one) in self._items.items():
            counts.setdefault(step, Counter())[self._fates[name]] += 1
            amounts = spent.setdefault(step, [])
            if name in self._costs and one.unit != FREE:
                amounts.append((one.provider, self._costs[name], one.unit))
        rows = [self._row(for_markdown(step), fates, add_amounts(spent[step])) for step, fates in counts.items()]
        whole = sum(counts.values(), Counter[str]())
        return [*rows, self._row("**all**", whole, self._told_spent())]

    @staticmethod
    def _row(what: str, fates: Mapping[str, int], spent: str) -> dict[str, Any]:
        return {"step": what, "items": sum(fates.values()), **{one: fates.get(one, 0) for one in _COLUMNS}, "spent": spent}

    def _told_spent(self) -> str:
        """Return what this run spends at each provider, with its cap there."""
        assert self._prospect is not None
        amounts = [
            (one.provider, self._costs[name], one.unit)
            for name, (_, one) in self._items.items()
            if name in self._costs and one.unit != FREE
        ]
        told: list[str] = []
        for provider, plan in self._prospect.plans.items():
            mine = [amount for amount in amounts if amount[0] == provider]
            cap = plan.purpose.cap
            if mine or plan.prices:
                of = f" of {priced(cap, plan.unit)}" if cap is not None and plan.unit else ""
                told.append(f"{add_amounts(mine) or f'{provider} nothing'}{of}")
        return "; ".join(told)

    def tell(self) -> str:
        """Return the sentence above the table, as Markdown."""
        fates = Counter(self._fates.values())
        counts = [f"{fates[one]} {one}" for one in (RUNS, WAITS, FAILED, LEFT) if fates[one]]
        told = ", ".join([f"{fates[DONE]} of {len(self._fates)} done", *counts])
        return "; ".join(filter(None, (told, self._time_left()))) + f". {self._about}"

    def _time_left(self) -> str:
        """Return how long the rest takes: by the forecast, or where there is none, by what this run has taken so far."""
        assert self._prospect is not None
        mine = [one.name for one in self._prospect.foreseen if one.outlook is not Outlook.REUSED]
        left = sum(self._fates[name] in (RUNS, WAITS) for name in mine)
        if not left:
            return ""
        whole, gone = self._prospect.seconds, len(mine) - left
        if whole is None and not gone:
            return "time left: not known yet"
        each = whole / len(mine) if whole is not None else (monotonic() - self._begun) / gone
        return f"time left: about {tell_time(each * left)}"
