"""The command that removes an asset for good: `genmedia forget`."""

import asyncio
import sys

from genmedia.cli.printing import Console
from genmedia.cli.where import Where
from genmedia.errors import SettingsError
from genmedia.gallery.forget import find_traces, forget
from genmedia.store.named_files import path_below


def forget_asset(where: Where, file: str, *, yes: bool, console: Console) -> int:
    """List all traces of an asset, and remove them once a person agrees; returns 1 if the person does not, else 0.

    Args:
        where: The store.
        file: A path in the store, or a file of it on this machine.
        yes: True if the person has agreed already.
        console: Console for the list.

    Raises:
        SettingsError: It is no asset of the store, or there is no terminal to ask at.
        StoreError: The store refused.
    """
    return asyncio.run(_forget(where, file, yes=yes, console=console))


async def _forget(where: Where, file: str, *, yes: bool, console: Console) -> int:
    keeper = await where.keeper()
    async with keeper.get_store() as store, keeper.get_journal() as journal:
        traces = await find_traces(store, journal, path_below(file, store))
        for line in traces.told:
            console.print(line, soft_wrap=True)
        if not yes and not _is_meant():
            console.print("nothing was cleared away")
            return 1
        await forget(store, journal, traces)
    bought = ": it is neither fetched nor bought again" if traces.attempt else ""
    console.print(f"{traces.path} is forgotten{bought}", soft_wrap=True)
    return 0


def _is_meant() -> bool:
    if not sys.stdin.isatty():
        raise SettingsError("there is no terminal to ask whether this is meant", advice="Say it with --yes.", money="")
    return input("Clear all that goes away for good? [y/N] ").strip().lower() in ("y", "yes")
