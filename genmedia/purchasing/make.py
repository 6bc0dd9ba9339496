"""One order that this machine carries out itself: the file is made, verified, stored and written down; nobody is paid.

There is nothing to intend, to hold or to settle before: an order that was interrupted is made anew, the same bytes under the same name.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from genmedia import __version__
from genmedia.errors import MediaError
from genmedia.journal.order import Order
from genmedia.media.facts import Candidate, SmallCopy
from genmedia.media.hashing import hash_file
from genmedia.media.probe import inspect_files
from genmedia.progress import tell
from genmedia.providers.steps import HERE
from genmedia.purchasing.buy import Outcome, Purchase
from genmedia.purchasing.calls import Assets
from genmedia.purchasing.publish import publish, traced
from genmedia.purchasing.reuse import all_there, reuse
from genmedia.purchasing.uses import other_uses
from genmedia.store import Store
from genmedia.store.sidecar import UPLOAD, VERSION, Cost, File, Input, Output, Sidecar, Times, coordinates, read_sidecar

Produce = Callable[[Path], Awaitable[None]]
"""Function that writes the file of an order to a path; raises `MediaError` where it cannot be made."""


async def make(assets: Assets, order: Order, output: str, produce: Produce) -> Purchase:
    """Return the file of an order: the one in the store, if there is one, else one that is made now.

    Args:
        assets: The store, and its journal.
        order: The order, with its purpose.
        output: Name of its one output.
        produce: Writes the file.

    Raises:
        MediaError: It cannot be made.
        InputError: An input was changed since it was stored.
        StoreError: The store refused.
        JournalError: The journal cannot be read or written.
    """
    async with assets.get_store() as store, assets.get_journal() as journal:
        known = await journal.answers({order.key})
        if there := (await all_there(list(known.values()), journal, store)).get(order.key):
            return (await reuse(order.purpose.step, order, there, journal, store)).purchase
        tell(order.purpose.step, "running")
        purpose = order.purpose
        with store.incoming() as incoming:
            try:
                await produce(incoming.path)
                (facts,) = await inspect_files([Candidate(incoming.path, small=SmallCopy(incoming.thumbnail))])
                if isinstance(facts, MediaError):
                    raise facts
            except MediaError as error:
                error.job, error.money, error.advice = f"local {order.operation}", "", ""
                raise
            size = incoming.path.stat().st_size
            sidecar = Sidecar(
                genmedia=__version__,
                sidecar=VERSION,
                campaign=purpose.campaign,
                step=purpose.step,
                place=coordinates(purpose.place),
                stands_in=purpose.stands_in or None,
                labels=dict(purpose.labels),
                uses=other_uses(await journal.uses(order.key), purpose.campaign, purpose.step),
                provider=order.account.provider,
                account=str(order.account),
                operation=order.operation,
                remote_id="",
                submission_key=order.key,
                attempt=1,
                take=order.take,
                request=order.request,
                inputs=tuple([Input.model_validate(await traced(journal, one)) for one in purpose.inputs]),
                cost=Cost(price=order.price, charged=order.price, unit=order.unit),
                times=Times(stored=datetime.now(UTC)),
                output=Output(id=output, kind=facts.kind, number=1, of=1),
                file=File(sha256=hash_file(incoming.path), bytes=size, **facts.facts()),
                warnings=facts.warnings,
            )
            labelled = store.embed_provenance and await _comes_of_purchases(sidecar, store)
            made = await publish(store, incoming, sidecar, embed=labelled)
        await journal.keep(order, [made])
        tell(purpose.step, Outcome.MADE, 100, over=True)
        return Purchase(order, order.key, 0, 1, "", Outcome.MADE, (made,))


async def _comes_of_purchases(sidecar: Sidecar, store: Store) -> bool:
    """True if any file that it was made of, at any remove, was bought: then its picture says that a machine has made it."""
    seen, left = set[str](), {one.asset for one in sidecar.inputs if one.asset}
    while left:
        seen |= left
        following = set[str]()
        async for _, content in store.read_all([f"{path}.json" for path in sorted(left)]):
            try:
                told = read_sidecar(content)
            except ValueError:
                continue
            if told.provider not in (UPLOAD, HERE.provider):
                return True
            following |= {one.asset for one in told.inputs if one.asset}
        left = following - seen
    return False
