"""A new Genova key in the place of the old one; neither of them is ever shown."""

from typing import Annotated, Any

from prefect.client.schemas.objects import State
from prefect.states import Completed

from blocks import GenovaCredentials, load_block
from blocks.loading import load_all
from genmedia.errors import GenmediaError
from genmedia.forms.fields import field
from genmedia.forms.names import Name
from tasks.genova import create_key, get_profile, key_in_use, list_keys, revoke_key
from tasks.telling import flow


@flow(name="key-rotation", flow_run_name="new Genova key for {account}")
async def key_rotation(
    *,
    name: Annotated[
        Name, field("Name of the key", "What the new key is called at Genova.", example="genmedia-2026")
    ] = "genmedia",
    account: Annotated[
        str, field("Account", "Name of the saved Genova Credentials block that gets the new key.", example="default")
    ] = "default",
) -> State[Any]:
    """Make a key, put it into the credentials block, try it, and only then revoke the old one.

    Every other block that holds the old key gets the new one before that.

    Runs that are under way keep the old key until they load the block again: rotate while nothing runs.

    Raises:
        CredentialsError: Genova refuses the old key; make a new one in Genova's dashboard.
        SettingsError: There is no such block.
    """
    before = await load_block(GenovaCredentials, account)
    # Each block that holds the old key gets the new one: `genmedia up` saves one key under two names.
    alike = {
        block: known
        for _, block, known in await load_all([GenovaCredentials])
        if not isinstance(known, GenmediaError)
        and block != account
        and (known.api_key, known.base_url) == (before.api_key, before.base_url)
    }
    old = key_in_use(before, await list_keys(before))
    made = await create_key(before, name, account)
    after = await load_block(GenovaCredentials, account)
    await get_profile(after)
    for block, known in alike.items():
        await known.model_copy(update={"api_key": after.api_key}).asave(block, overwrite=True)
    if old:
        await revoke_key(after, old.id)
    revoked = f"key {old.prefix} is revoked" if old else "the old one is not in Genova's list; revoke it in the dashboard"
    return Completed(message=f"key {made.prefix} is in block {', '.join([account, *alike])}; {revoked}")
