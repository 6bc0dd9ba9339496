"""A new Genova key in the place of the old one, without anybody seeing either."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from blocks import GenovaCredentials, load_block
from genmedia.naming import Name
from tasks.genova import create_key, get_profile, key_in_use, list_keys, revoke_key


@flow(name="key-rotation", flow_run_name="{account}")
async def key_rotation(name: Name = "genmedia", account: str = "default") -> State[Any]:
    """Make a key, put it into the credentials block, try it, and only then revoke the one that was in use.

    What runs meanwhile keeps the old key until it loads the block again: rotate while nothing runs.

    Args:
        name: What the new key is called at Genova.
        account: Name of the Genova Credentials block that gets it.

    Raises:
        CredentialsError: The old key opens nothing; make a new one in Genova's dashboard.
        SettingsError: There is no such block.
    """
    before = await load_block(GenovaCredentials, account)
    old = key_in_use(before, await list_keys(before))
    made = await create_key(before, name, account)
    after = await load_block(GenovaCredentials, account)
    await get_profile(after)
    if old:
        await revoke_key(after, old.id)
    revoked = f"key {old.prefix} is revoked" if old else "the old one is not in Genova's list; revoke it in the dashboard"
    return Completed(message=f"key {made.prefix} is in block {account}; {revoked}")
