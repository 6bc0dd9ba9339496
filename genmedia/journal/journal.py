"""The journal of orders, of the purchases for them, and of their files, in SQL."""

import json
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import sqlalchemy as sa

from genmedia.concurrency import leased
from genmedia.journal.database import Clock, retry_while_unreachable, uncancellable
from genmedia.journal.records import (
    Attempt,
    AttemptState,
    Has,
    PastPurchase,
    StoredAsset,
    are_there,
)
from genmedia.journal.rows import as_row, insert_past, note_uses, paths_among
from genmedia.journal.tables import LIVE, assets, attempts, submissions, verdicts
from genmedia.journal.transitions import Transitions


class Journal(Transitions):
    """The journal, open on one event loop; get it with `Journal.lease`.

    Callers wait while the database is unreachable. Each change may be repeated: the second time it finds its own work.
    """

    @classmethod
    def lease(cls, url: str) -> AbstractAsyncContextManager["Journal"]:
        """Lease the journal at `url`, on this event loop; leases share it, and the end of the last one closes it."""
        return leased(("journal", url), lambda: cls(url))

    async def copy_to(self, target: Path) -> None:
        """Copy the journal as it is at this moment to a file; see `Database.copy_to`."""
        await self.open_attempts()  # this makes a journal that was not used yet
        await self._database.copy_to(target)

    @retry_while_unreachable
    async def retell(self, asset: StoredAsset) -> None:
        """Replace the sidecar of a stored file."""
        known = assets.update().where(assets.c.path == asset.path, assets.c.sha256 == asset.sha256)
        async with self._database.transaction() as connection:
            await connection.execute(known.values(sidecar=json.dumps(asset.sidecar.write(), allow_nan=False)))

    async def forget(self, attempt: Attempt, asset: StoredAsset, left: StoredAsset, *, words: bool) -> None:
        """Write down that a person removed a file for good, and clear what the journal knows of it, except keys, hashes and sums.

        Args:
            attempt: The attempt that gave the file.
            asset: The file.
            left: The record that replaces that of the file.
            words: True to clear prompt, texts and the provider's answer as well, of every attempt at the submission.
        """
        await self._forget(attempt, asset, left, words=words)
        await self._database.scrub()

    @retry_while_unreachable
    async def _forget(self, attempt: Attempt, asset: StoredAsset, left: StoredAsset, *, words: bool) -> None:
        async with self._database.transaction() as connection:
            known = assets.c.attempt == attempt.id, assets.c.path == asset.path
            await connection.execute(assets.update().where(*known).values(as_row(left)))
            said = verdicts.update().where(verdicts.c.key == attempt.key)
            mine = verdicts.c.attempt == attempt.number, verdicts.c.output == asset.output, verdicts.c.number == asset.number
            unsaid = {"why": "", "prompt": ""}
            await connection.execute(said.where(*mine).values(**unsaid, path=left.path))
            if words:
                await connection.execute(said.values(**unsaid))
                await connection.execute(submissions.update().where(submissions.c.key == attempt.key).values(request="{}"))
                for one in await connection.execute(
                    sa.select(attempts.c.id, attempts.c.origin).where(attempts.c.key == attempt.key)
                ):
                    step = json.dumps({"step": json.loads(one.origin).get("step", "")}, allow_nan=False)
                    cleared = attempts.update().where(attempts.c.id == one.id)
                    await connection.execute(cleared.values(origin=step, last_answer=None))

    async def write_off(self, origin: str, has: Has) -> int:
        """Fail every live attempt at an origin whose files are not all in the store; return the number of these attempts.

        For a sandbox that was started anew: it does not know the jobs of the sandbox before it.

        Args:
            origin: Scheme, host and port, as in an account.
            has: Tells if the store still holds a file.
        """
        found = await self._find_all(attempts.c.account.contains(f"|{origin}|"), attempts.c.state.in_(LIVE))
        gone = {"state": AttemptState.FAILED, "owner": None, "ended_at": Clock(), "charged": 0}
        lost = 0
        for attempt in found:
            if attempt.state is AttemptState.STORED and await are_there(await self.assets(attempt.id), has):
                continue
            lost += await self._update(attempts.c.id == attempt.id, reason="its sandbox was stopped", **gone)
        return lost

    @uncancellable
    async def restore(self, purchases: Sequence[PastPurchase]) -> dict[str, str]:
        """Write down purchases made long ago; records that are there already are not changed.

        Of several purchases for one submission the latest answers for it, unless another attempt does already.

        Returns:
            The path of each file that is left out, and the reason.
        """
        passed_over: dict[str, str] = {}
        async with self._database.transaction() as connection:
            for past in sorted(purchases, key=lambda one: -one.number):
                known = attempts.c.key == past.key, attempts.c.number == past.number
                if (await connection.execute(sa.select(attempts.c.id).where(*known))).first():
                    passed_over |= {asset.path: "the journal knows its purchase" for asset in past.assets}
                    continue
                taken = await paths_among(connection, [asset.path for asset in past.assets])
                passed_over |= dict.fromkeys(taken, "the journal knows another purchase's file there")
                attempt = await insert_past(connection, past, whole=past.whole and not taken)
                await note_uses(connection, past.key, past.uses)
                rows = [{**as_row(asset), "attempt": attempt} for asset in past.assets if asset.path not in taken]
                if rows:
                    await connection.execute(assets.insert(), rows)
        return passed_over
