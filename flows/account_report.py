"""What a Genova account has, did and does, on one page of the Prefect UI."""

from typing import Any

from prefect import flow
from prefect.artifacts import acreate_table_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed

from blocks import GenovaCredentials, load_block
from tasks.genova import get_profile, get_stats, list_jobs, list_keys, update_profile


@flow(name="account-report", flow_run_name="{account}")
async def account_report(account: str = "default", rename_to: str = "") -> State[Any]:
    """Tell the plan, the credits, what was made, which keys there are, and the newest jobs. It costs nothing.

    Args:
        account: Name of the Genova Credentials block.
        rename_to: A new name for the account at Genova; empty to leave it.

    Raises:
        CredentialsError: The key opens nothing.
        SettingsError: There is no such block.
    """
    credentials = await load_block(GenovaCredentials, account)
    profile = await update_profile(credentials, rename_to) if rename_to else await get_profile(credentials)
    facts = {**profile.model_dump(), **(await get_stats(credentials)).model_dump()}
    keys = [key.model_dump(exclude={"key"}) for key in await list_keys(credentials)]
    jobs = [
        {"id": job.id, "type": job.type, "status": job.status, "created": job.created_at, "prompt": job.prompt}
        for job in await list_jobs(credentials, limit=20)
    ]
    for name, table in (
        ("account", [{"what": what, "is": value} for what, value in facts.items()]),
        ("keys", keys),
        ("jobs", jobs),
    ):
        await acreate_table_artifact(table=table, key=f"genova-{name}", description=f"Genova account {account}: {name}")
    left = "unknown" if profile.credits_remaining is None else f"{profile.credits_remaining:g}"
    return Completed(message=f"plan {profile.plan}, credits left: {left}, jobs under way: {facts['active_jobs']}")
