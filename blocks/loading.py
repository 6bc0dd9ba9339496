"""Finding a saved block by its name."""

from collections.abc import Iterable
from typing import TypeVar

from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound

from genmedia.errors import GenmediaError, SettingsError

B = TypeVar("B", bound=Block)


async def load_block(kind: type[B], name: str) -> B:
    """The saved block of this type under this name.

    Raises:
        SettingsError: None is saved under this name; the error lists those that are.
    """
    try:
        block = await kind.aload(name)
    except ValueError:
        names = ", ".join(await saved_names(kind)) or "none"
        raise SettingsError(
            f"no {kind.get_block_type_slug()} block is saved as {name!r}",
            advice=f"Saved: {names}. Save one in the Prefect UI, or run `genmedia setup`.",
        ) from None
    assert isinstance(block, kind)
    return block


async def load_all(kinds: Iterable[type[B]]) -> list[tuple[type[B], str, B | GenmediaError]]:
    """Every saved block of these types, with its type and name; in its stead the error where it cannot be used."""
    found: list[tuple[type[B], str, B | GenmediaError]] = []
    for kind in kinds:
        for name in await saved_names(kind):
            try:
                found.append((kind, name, await load_block(kind, name)))
            except GenmediaError as error:
                found.append((kind, name, error))
            except RuntimeError:  # what Prefect raises for a block that no longer fits its type; the message may hold values
                unfit = SettingsError(f"the block {name} does not fit its type", money="", advice="Save it anew.")
                found.append((kind, name, unfit))
    return found


async def saved_names(kind: type[Block]) -> list[str]:
    """The names of all saved blocks of this type."""
    async with get_client() as client:
        try:
            await client.read_block_type_by_slug(kind.get_block_type_slug())
        except ObjectNotFound:  # a server that nobody has prepared
            return []
        documents = await client.read_block_documents_by_type(kind.get_block_type_slug(), include_secrets=False)
    return sorted(document.name for document in documents if document.name)
