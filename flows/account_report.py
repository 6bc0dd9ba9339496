"""Report of what an account at a provider has, offers and did, on one page of the Prefect UI."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed

from blocks import credentials_of, load_block
from genmedia.errors import Fault, GenmediaError, InputError, NotFoundError, contained
from genmedia.forms.fields import field
from genmedia.providers.registry import providers
from genmedia.text.plain import cut
from tasks.reporting import publish_table
from tasks.runner import tasks_of
from tasks.telling import flow

ROWS = 100
"""Most rows of a list that are shown."""

CHARACTERS = 300
"""Most characters of a cell that are shown."""

if TYPE_CHECKING:
    ProviderName = str
else:
    ProviderName = Literal[tuple(providers())]


@flow(name="account-report", flow_run_name="{provider} account {account}")
async def account_report(
    *,
    provider: Annotated[ProviderName, field("Provider", "At which provider the account is.")] = "genova",
    account: Annotated[
        str, field("Account", "Name of the saved block of that provider's credentials whose account it is.", example="default")
    ] = "default",
    rename_to: Annotated[
        str,
        field(
            "New name",
            "What the account is to be called at its provider, where that can be changed, as at Genova; empty to leave its name.",
            example="Acme Studio",
        ),
    ] = "",
) -> State[Any]:
    """Show what an account offers and what it did, in a table for each list that its provider has. It costs nothing.

    If a list cannot be read, the others are shown all the same, and the run ends failed, named `Partial`.

    Raises:
        ApiError: No list could be read, for example because the provider refuses the key.
        InputError: The account cannot be renamed.
        SettingsError: There is no such block.
    """
    credentials, tasks, title = (
        await load_block(credentials_of(provider), account),
        tasks_of(provider),
        providers()[provider].title,
    )
    if rename_to:
        if tasks.rename is None:
            raise InputError([Fault("rename_to", f"cannot be done: {title} lets no account be renamed by its API")])
        await tasks.rename(credentials, rename_to)
    told: list[str] = []
    unread: list[GenmediaError] = []
    for name, read in tasks.lists.items():
        try:
            with contained(f"the list {name}"):
                listed = await read(credentials)
        except NotFoundError:
            told.append(f"{name}: not offered")
            continue
        except GenmediaError as error:
            get_run_logger().error("%s: %s", name, error)
            told.append(f"{name}: could not be read, {error.what}")
            unread.append(error)
            continue
        count = f"{len(listed.rows)}" if len(listed.rows) <= ROWS else f"{len(listed.rows)}, of which the first {ROWS} are shown"
        rows = [
            {column: cut(cell, CHARACTERS) if isinstance(cell, str) else cell for column, cell in row.items()}
            for row in listed.rows[:ROWS]
        ]
        await publish_table(rows, key=f"{provider}-{name}", description=f"{title} account {account}: {name}, {count}")
        told.append(listed.told or f"{name}: {count}")
    if unread and len(unread) == len(tasks.lists):
        raise unread[0]
    message = "; ".join(told) or f"{title} has no lists"
    return Failed(name="Partial", message=message, data=told) if unread else Completed(message=message, data=told)
