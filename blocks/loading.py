"""Finding a saved block by its name."""

from typing import TypeVar

from prefect.blocks.core import Block
from prefect.client.orchestration import get_client

from genmedia.errors import SettingsError

B = TypeVar("B", bound=Block)


async def load_block(kind: type[B], name: str) -> B:
    """The saved block of this type under this name.

    Raises:
        SettingsError: None is saved under this name; the error lists those that are.
    """
    try:
        block = await kind.aload(name)
    except ValueError:
        async with get_client() as client:
            saved = await client.read_block_documents_by_type(kind.get_block_type_slug())
        names = ", ".join(sorted(document.name for document in saved if document.name)) or "none"
        raise SettingsError(
            f"no {kind.get_block_type_slug()} block is saved as {name!r}",
            advice=f"Saved: {names}. Save one in the Prefect UI, or run `python -m deployments.bootstrap`.",
        ) from None
    assert isinstance(block, kind)
    return block
