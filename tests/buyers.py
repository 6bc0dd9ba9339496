"""An account of the sandbox, whose wishes the library buys without Prefect."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from genmedia.jobs.job import Job, JobStatus
from genmedia.jobs.watcher import Trouble
from genmedia.journal import Entry, Journal
from genmedia.purchasing.buy import Purchase, Submit, buy, end_without_result
from genmedia.purchasing.recover import Harvested, harvest
from genmedia.store import Place, Store
from tests.crashes.errands import Errand
from tests.sandboxes import Sandbox

BY_LOOKS = {"advance": "looks", "looks": [0, 0]}
"""Of an account: each job is done when it is looked at."""


class Studio:
    """An account of the sandbox, a store and a journal, and wishes that are bought as the project's tasks buy them."""

    def __init__(self, sandbox: Sandbox, root: Path, provider: str, **options: Any) -> None:
        self.sandbox = sandbox
        self.root = root
        self.journal = Place(str(root)).journal_url()
        plan = {"plan": "Pro"} if provider == "genova" else {}
        self.account = sandbox.new_account(provider, **{"settings": BY_LOOKS, **plan, **options})

    def errand(self, wish: str) -> Errand:
        return Errand(self.account, wish, self.sandbox.sample, str(self.root), self.journal)

    async def buy(self, errand: Errand, **wanted: Any) -> Purchase:
        """Buy; `wanted` changes the order."""
        async with errand.client() as client, Store.lease(errand.root) as store, Journal.lease(self.journal) as journal:
            await errand.ask(client)

            async def prepare() -> Submit:
                return lambda key, gate: errand.submit(client, key, gate)

            return await buy(
                journal,
                replace(errand.order, **wanted),
                prepare,
                has=store.has,
                recover=client.recover,
                repeat_pause=0,
                clock=client.http.server_time,
                buyer=client.buyer,
            )

    async def finish(self, errand: Errand, purchase: Purchase) -> Job:
        """Wait for the end of what was bought, and write down one without a result."""
        async with errand.client() as client, Journal.lease(self.journal) as journal:
            ref: Any = client.reference(await journal.attempt(purchase.attempt))
            job = await client.watcher.wait(ref, about="", queue_seconds=1e6, run_seconds=1e6, seen=_say_nothing)
            if job.status is not JobStatus.SUCCEEDED:
                await end_without_result(journal, purchase, job)
            return job

    async def entries(self) -> Sequence[Entry]:
        async with Journal.lease(self.journal) as journal:
            return await journal.entries()

    async def harvest(self) -> Sequence[Harvested]:
        one = self.errand("anything")
        async with one.client() as client, Store.lease(one.root) as store, Journal.lease(self.journal) as journal:
            return await harvest(journal, store, [client])


async def _say_nothing(_: Job | Trouble) -> None:
    pass
