"""One table about a campaign's run in the Prefect UI: what is done, runs, waits and failed, and what it costs, while it goes on."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import islice
from time import monotonic
from typing import Any
from uuid import UUID

import httpx
from prefect.artifacts import acreate_table_artifact
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, ArtifactFilterKey
from prefect.exceptions import PrefectException

from genmedia.campaign.forecast import tell_time
from genmedia.campaign.prospect import Prospect
from genmedia.concurrency import set_within
from genmedia.jobs.job import add_amounts, priced
from genmedia.journal.order import FREE
from genmedia.progress import WAITING, Progress
from genmedia.purchasing import result
from genmedia.purchasing.budget import Foreseen, Outlook
from genmedia.purchasing.buy import Outcome
from genmedia.text.plain import for_markdown

SECONDS = 5.0
"""Shortest pause between two updates of the table, each of which is work for Prefect's server."""

STEPS = 50
"""Most steps that have a row of their own."""

Spent = tuple[str, float | None, str]
"""A provider, what it was paid, None if that is unknown, and the unit."""

DONE, RUNS, WAITS, REVIEW, FAILED, LEFT = "done", "running", "waiting", "to review", "failed", "not made"
_OTHERS = (RUNS, WAITS, REVIEW, FAILED, LEFT)

_AT_FIRST: Mapping[Outlook, str] = {
    Outlook.REUSED: DONE,
    Outlook.REJECTED: DONE,
    Outlook.TO_REVIEW: REVIEW,
    Outlook.IN_DOUBT: FAILED,
    Outlook.REFUSED: FAILED,
    Outlook.LEFT_OUT: LEFT,
    Outlook.OVER_BUDGET: LEFT,
}
_NOT_NOW = (Outlook.REUSED, Outlook.REJECTED, Outlook.TO_REVIEW, Outlook.AFTER_REVIEW)
"""Outlooks of items that this run does not wait for."""

_ENDED = {
    result.WAITING: WAITS,
    result.NOT_STARTED: LEFT,
    Outcome.NOT_BOUGHT: LEFT,
}
_ENDS = {"stored", Outcome.REUSED, Outcome.MADE}
"""Words of the progress for an end with files."""


def _fate(one: result.Result) -> str:
    if one.undecided:
        return REVIEW
    return DONE if one.done else _ENDED.get(one.status, FAILED)


class Overview:
    """The table of one run. Errors of Prefect in it are ignored: it harms no job.

    It is made with the first news of an item, and rewritten at most each `SECONDS` while there is news.

    Args:
        run: Id of the flow run.
    """

    def __init__(self, run: str) -> None:
        self._run = run
        self._prospect: Prospect | None = None
        self._items: dict[str, tuple[str, Foreseen]] = {}
        self._fates: dict[str, str] = {}
        self._paid: dict[str, Sequence[Spent]] = {}
        self._key = self._about = ""
        self._begun = monotonic()
        self._has_begun = False
        self._news, self._over = asyncio.Event(), asyncio.Event()
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
        self._paid = {}
        self._keeping = self._keeping or asyncio.create_task(self._keep())

    def hear(self, news: Progress) -> None:
        """Take note of a piece of news about an item."""
        if news.step not in self._items or news.what == WAITING:
            return
        if news.what == Outcome.BOUGHT:
            one = self._items[news.step][1]
            self._paid[news.step] = [(one.provider, one.price, one.unit)]
        fate = LEFT if news.what == Outcome.NOT_BOUGHT else DONE if news.what in _ENDS else FAILED if news.over else RUNS
        if self._fates[news.step] != fate:
            self._fates[news.step] = fate
            self._has_begun = True
            self._news.set()

    def conclude(self, results: Sequence[result.Result]) -> None:
        """Take note of how the items ended, and what they cost."""
        self._fates |= {one.name: _fate(one) for one in results}
        self._paid = {one.name: [*one.before, (one.provider, one.charged, one.unit)] for one in results}
        self._has_begun = True
        self._news.set()

    async def end(self) -> None:
        """Write what is known, where it is not written yet, and write nothing more.

        A table that cannot be written keeps no run from its end; a signal that came while it was written is raised here.
        """
        if self._keeping:
            self._over.set()
            self._news.set()
            await asyncio.wait([self._keeping])
            error = None if self._keeping.cancelled() else self._keeping.exception()
            if error is not None and not isinstance(error, Exception):
                raise error

    async def _keep(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            if self._has_begun:
                with suppress(PrefectException, httpx.HTTPError):
                    await self._write()
            if self._over.is_set():
                return
            await set_within(self._over, SECONDS)

    async def _write(self) -> None:
        table, about = self.table(), self.tell()
        if (table, about) == self._shown:
            return
        async with get_client() as client:
            self._artifact = self._artifact or await self._find(client)
            if self._artifact:
                await client.update_artifact(
                    self._artifact, ArtifactUpdate(data=json.dumps(table, allow_nan=False), description=about)
                )
            else:
                made: Any = await acreate_table_artifact(table=table, key=self._key, description=about)
                self._artifact = made if isinstance(made, UUID) else None
        self._shown = table, about

    async def _find(self, client: PrefectClient) -> UUID | None:
        """Return the table that the run made before it was begun again; None for none."""
        chosen = ArtifactFilter(
            key=ArtifactFilterKey(any_=[self._key]), flow_run_id=ArtifactFilterFlowRunId(any_=[UUID(self._run)])
        )
        return next((one.id for one in await client.read_artifacts(artifact_filter=chosen)), None)

    def table(self) -> list[dict[str, Any]]:
        """Return the rows: one for each of the first steps, and one for all of them."""
        counts = defaultdict[str, Counter[str]](Counter)
        spent = defaultdict[str, list[Spent]](list)
        for name, (step, _) in self._items.items():
            counts[step][self._fates[name]] += 1
            spent[step] += [one for one in self._paid.get(name, ()) if one[2] != FREE]
        whole = sum(counts.values(), Counter[str]())
        shown = [DONE, *(one for one in _OTHERS if whole[one])]  # more columns than are needed hide the last on a small screen

        def row(what: str, fates: Mapping[str, int], spent: str) -> dict[str, Any]:
            return {"step": what, "items": sum(fates.values()), **{one: fates.get(one, 0) for one in shown}, "spent": spent}

        rows = [row(for_markdown(step), fates, add_amounts(spent[step])) for step, fates in islice(counts.items(), STEPS)]
        return [*rows, row("all", whole, self._told_spent([one for some in spent.values() for one in some]))]

    def _told_spent(self, amounts: Sequence[Spent]) -> str:
        """Return what this run spends at each provider, with its cap there."""
        assert self._prospect is not None
        told: list[str] = []
        for provider, plan in self._prospect.plans.items():
            mine, cap = [one for one in amounts if one[0] == provider], plan.purpose.cap
            if mine or plan.prices:
                of = f" of {priced(cap + plan.gone, plan.unit)}" if cap is not None and plan.unit else ""
                told.append(f"{add_amounts(mine) or f'{provider} nothing'}{of}")
        return "; ".join(told)

    def tell(self) -> str:
        """Return the sentence above the table, as Markdown."""
        fates = Counter(self._fates.values())
        counts = [f"{fates[one]} {one}" for one in _OTHERS if fates[one]]
        told = ", ".join([f"{fates[DONE]} of {len(self._fates)} done", *counts])
        return "; ".join(filter(None, (told, self._time_left()))) + f". {self._about}"

    def _time_left(self) -> str:
        """Return how long the rest takes: by the forecast, or where there is none, by what this run has taken so far."""
        assert self._prospect is not None
        mine = [one.name for one in self._prospect.foreseen if one.outlook not in _NOT_NOW]
        left = sum(self._fates[name] in (RUNS, WAITS) for name in mine)
        if not left:
            return ""
        whole, gone = self._prospect.seconds, len(mine) - left
        if whole is None and not gone:
            return "time left: not known yet"
        each = whole / len(mine) if whole is not None else (monotonic() - self._begun) / gone
        return f"time left: about {tell_time(each * left)}"
