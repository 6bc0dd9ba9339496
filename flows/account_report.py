"""What a Genova account has, did and does, on one page of the Prefect UI."""

from typing import Annotated, Any

from prefect.client.schemas.objects import State
from prefect.states import Completed

from blocks import GenovaCredentials, load_block
from genmedia.forms.fields import field
from tasks.genova import get_profile, get_stats, list_jobs, list_keys, update_profile
from tasks.reporting import publish_table
from tasks.telling import flow


@flow(name="account-report", flow_run_name="Genova account {account}")
async def account_report(
    *,
    account: Annotated[
        str, field("Account", "Name of the saved Genova Credentials block whose account it is.", example="default")
    ] = "default",
    rename_to: Annotated[
        str, field("New name", "What the account is to be called at Genova; empty to leave its name.", example="Acme Studio")
    ] = "",
) -> State[Any]:
    """Tell the plan, the credits, what was made, which keys there are, and the newest jobs. It costs nothing.

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
        await publish_table(table, key=f"genova-{name}", description=f"Genova account {account}: {name}")
    left = "unknown" if profile.credits_remaining is None else f"{profile.credits_remaining:g}"
    return Completed(message=f"plan {profile.plan}, credits left: {left}, jobs under way: {facts['active_jobs']}")
