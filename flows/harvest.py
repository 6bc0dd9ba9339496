"""Nothing that was paid for is lost: what crashed, was stopped or cancelled is brought to its end."""

from collections import Counter, defaultdict
from typing import Any

from prefect import flow
from prefect.artifacts import acreate_table_artifact
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed

from blocks import AssetStore, load_block
from genmedia.harvesting import Fate, Harvested
from tasks.harvesting import all_credentials, end_lost_runs, harvest_jobs


@flow(name="harvest", flow_run_name="{store}")
async def harvest(store: str = "default") -> State[Any]:
    """Find what was bought and has nobody who waits for it, and bring it to its end. It buys nothing, and may run twice at once.

    Jobs that have finished are fetched and stored. Lost answers are asked about. What a person cancelled is ended at the provider while
    it can be. What the provider knows no more is marked so. Flow runs that say they run, and whose process is gone, are ended.

    Args:
        store: Name of the Asset Store block whose journal is looked through.

    Raises:
        SettingsError: There is no such block.
    """
    assets = await load_block(AssetStore, store)
    async with assets.get_store() as files:
        await files.sweep()
    runs = await end_lost_runs(assets)
    harvested = await harvest_jobs(assets, await all_credentials(get_run_logger()), runs)
    if harvested:
        await acreate_table_artifact(table=[_row(one) for one in harvested], key="harvest", description="What was open")
    if doubtful := [_row(one) for one in harvested if one.fate is Fate.IN_DOUBT]:
        await acreate_table_artifact(table=doubtful, key="in-doubt", description="Nobody can tell whether these were bought")
    return Completed(message=_summary(harvested), data=harvested)


def _row(one: Harvested) -> dict[str, Any]:
    return {
        "job": f"{one.attempt.provider} {one.attempt.operation}",
        "became": one.fate.value,
        "credits": one.credits,
        "unit": one.attempt.unit,
        "run": one.attempt.remote_id or "",
        "submission": one.attempt.key[:12],
        "detail": one.detail,
        "files": " ".join(asset.path for asset in one.assets),
    }


def _summary(harvested: list[Harvested]) -> str:
    if not harvested:
        return "nothing was open"
    counts = ", ".join(f"{count} {fate}" for fate, count in Counter(one.fate.value for one in harvested).items())
    salvaged = defaultdict[str, float](float)
    for one in harvested:
        if one.fate is Fate.STORED:
            salvaged[one.attempt.unit] += one.credits or 0
    worth = ", ".join(f"{amount:g} {unit}" for unit, amount in salvaged.items())
    return f"{counts}; {worth} salvaged" if worth else counts
