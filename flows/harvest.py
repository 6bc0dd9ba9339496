"""Recovery of paid work: purchases of runs that crashed, were stopped or were cancelled are brought to their end."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from prefect.client.schemas.objects import FlowRun, State
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from blocks import AssetStore, load_store, load_stores
from blocks.credentials import ProviderCredentials
from genmedia.campaign.forms.parameters import Looked
from genmedia.errors import GenmediaError, SettingsError
from genmedia.jobs.job import add_amounts, priced
from genmedia.purchasing.recover import Fate, Harvested
from tasks.lost_runs import tell_cut_off
from tasks.parts import look_after_wholes
from tasks.recovery import all_credentials, ask_about_runs, end_lost_runs, harvest_jobs, take_turn
from tasks.reporting import name_flow_run, publish_table
from tasks.review import look_after_reviews
from tasks.telling import flow


def _name() -> str:
    return f"recovery: {flow_run.parameters.get('store') or 'all stores'}"


@flow(name="harvest", flow_run_name=_name)
async def harvest(*, store: Looked = "") -> State[Any]:
    """Find purchases that no running process works on or waits for, and bring them to their end. It buys nothing.

    Jobs that have finished are fetched and stored. The provider is asked about lost answers. Jobs of cancelled runs are cancelled where the
    provider can do that. Jobs that the provider no longer knows are marked so. Flow runs that are shown as running, but whose process is
    gone, are ended; those of them that carried out a part of another are begun again. Where a run of this flow is under way, the next waits
    for its end; a third that comes meanwhile leaves the work to that one, and ends at once.

    Raises:
        SettingsError: There is no such block.
    """
    log = get_run_logger()
    if not await take_turn(UUID(flow_run.id)):
        await name_flow_run("recovery: left to another")
        return Completed(
            message="another recovery is under way, and one more waits for its end and looks after all that is open then"
        )
    found = await load_stores(store)  # those that were saved meanwhile too: another run may have left them to this one
    cut_off = await end_lost_runs()
    payers = await all_credentials(log)
    failed: dict[str, Exception] = {name: one for name, one in found.items() if isinstance(one, GenmediaError)}
    groups = _by_journal({name: one for name, one in found.items() if isinstance(one, AssetStore)}, failed)
    took = await asyncio.gather(*(_look_after(group, payers, failed, cut_off) for group in groups))
    harvested = [one for each in took for one in each]
    await look_after_wholes()
    await look_after_reviews(load_store, log)
    if cut_off:
        log.warning("%s", tell_cut_off(cut_off, pages=True))
    if harvested:
        await publish_table([_row(one) for one in harvested], key="harvest", description="What was open")
    if doubtful := [_row(one) for one in harvested if one.fate is Fate.IN_DOUBT]:
        await publish_table(doubtful, key="in-doubt", description="It is not known whether these were bought")
    if store and failed:
        raise failed[store]
    for name, error in failed.items():
        log.error("the store %s could not be looked after: %s", name, error)
    await name_flow_run(f"recovery: {_counts(cut_off, harvested)}")
    if failed:
        told = f"{_summary(cut_off, harvested)}; not looked after: {', '.join(sorted(failed))}, see the log"
        return Failed(name="Failed" if len(failed) == len(found) else "Partial", message=told, data=harvested)
    return Completed(message=_summary(cut_off, harvested), data=harvested)


def _by_journal(stores: Mapping[str, AssetStore], failed: dict[str, Exception]) -> list[dict[str, AssetStore]]:
    """Group the stores that share a journal, by name, the store `default` first; stores without a journal are added to `failed`."""
    groups = defaultdict[str, dict[str, AssetStore]](dict)
    for name in sorted(stores, key=lambda name: (name != "default", name)):
        try:
            groups[stores[name].journal_url][name] = stores[name]
        except SettingsError as error:
            failed[name] = error
    return [*groups.values()]


async def _look_after(
    stores: Mapping[str, AssetStore], payers: Sequence[ProviderCredentials], failed: dict[str, Exception], cut_off: list[FlowRun]
) -> list[Harvested]:
    """Bring the open purchases of one journal to their end; their files go into the first of its stores that can be used.

    Stores that cannot be used are added to `failed`. Runs that waited and whose process is gone are ended and added to `cut_off`.
    """
    harvested: list[Harvested] | None = None
    for name, store in stores.items():
        try:
            async with store.get_store() as files:
                await files.sweep()
            if harvested is None:
                runs = await ask_about_runs(store)
                cut_off += runs.ended
                harvested = await harvest_jobs(store, payers, runs.cancelled, runs.over)
        except Exception as error:  # noqa: BLE001 # whatever is wrong with one store, the others are looked after
            failed[name] = error
    return harvested or []


def _row(one: Harvested) -> dict[str, Any]:
    return {
        "job": f"{one.attempt.provider} {one.attempt.operation}",
        "became": one.fate.value,
        "may cost": priced(one.attempt.at_stake, one.attempt.unit),
        "run": one.attempt.remote_id or "",
        "submission": one.attempt.key[:12],
        "detail": one.detail,
        "files": " ".join(asset.path for asset in one.assets),
    }


def _counts(cut_off: Sequence[FlowRun], harvested: Sequence[Harvested]) -> str:
    """Summary of what was found, such as `1 run was cut off: coffee; 2 stored`."""
    fates = Counter(one.fate.value for one in harvested)
    counts = ", ".join(f"{count} {fate}" for fate, count in fates.items()) or "nothing was open"
    return f"{tell_cut_off(cut_off)}; {counts}" if cut_off else counts


def _summary(cut_off: Sequence[FlowRun], harvested: Sequence[Harvested]) -> str:
    saved = add_amounts(
        (one.attempt.provider, one.attempt.at_stake, one.attempt.unit) for one in harvested if one.fate is Fate.STORED
    )
    return _counts(cut_off, harvested) + (f"; {saved} saved" if saved else "")
