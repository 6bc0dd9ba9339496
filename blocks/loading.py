"""Loading saved blocks by name."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import BlockDocument, FlowRun
from prefect.context import FlowRunContext
from prefect.exceptions import ObjectNotFound

from blocks.store import AssetStore
from genmedia.cli.project import find_project
from genmedia.errors import GenmediaError, SettingsError

B = TypeVar("B", bound=Block)


async def load_block(kind: type[B], name: str) -> B:
    """The saved block of this type under this name.

    Raises:
        SettingsError: None is saved under this name, and the error lists those that are; or it does not fit its type.
    """
    try:
        block = await kind.aload(name)
    except ValueError:
        names = ", ".join(await saved_names(kind)) or "none"
        raise SettingsError(
            f"no {kind.get_block_type_slug()} block is saved as {name!r}",
            advice=f"Saved: {names}. Save one in the Prefect UI, or run `genmedia setup`.",
        ) from None
    except RuntimeError:
        raise _unfit(name) from None
    assert isinstance(block, kind)
    return block


_AT_HOME = "prefect.deployments.steps.set_working_directory"
"""The only pull step after which a run works in a folder that exists before and after the run."""


async def load_store(name: str, run: FlowRun | None = None) -> AssetStore:
    """The saved Asset Store for a flow run, in the same place for every process.

    Args:
        name: Name of the block.
        run: The flow run; the one in this context by default.

    Raises:
        SettingsError: There is no such block; or its place or journal is relative, and the run does not work in the project's folder.
    """
    return await _in_one_place(name, await load_block(AssetStore, name), run)


async def _in_one_place(name: str, store: AssetStore, run: FlowRun | None = None) -> AssetStore:
    """Return the store with its relative place and journal below the project's folder; see `load_store`."""
    context = FlowRunContext.get()
    run = run or (context and context.flow_run) or None
    if not store.relative:
        return store
    here = Path.cwd()
    if why := await _why_not_at_home(run, here):
        meant = store.below(here)
        where = {"place": meant.root, "journal": meant.journal.get_secret_value()}
        parts = " and ".join(f"its {part} is relative and would be {where[part]}" for part in store.relative)
        raise SettingsError(
            f"the Asset Store block {name!r} means another folder for each process: {parts}, and {why}",
            advice="Write an absolute folder such as /srv/media, or s3://bucket/folder, into the block; and its journal as "
            "sqlite:////srv/media/journal.db or postgresql://USER:PASSWORD@HOST/NAME.",
        )
    return store.below(here)


async def _why_not_at_home(run: FlowRun | None, here: Path) -> str:
    """Reason why the folder that this process works in is not the project's own; empty if it is."""
    if run and run.deployment_id:
        async with get_client() as client:
            steps = [name for step in (await client.read_deployment(run.deployment_id)).pull_steps or [] for name in step]
        if set(steps) != {_AT_HOME}:
            return f"its deployment gets its files by {', '.join(steps) or 'no pull step'}"
    try:
        find_project(here)
    except SettingsError:
        return "there is no genmedia project there"
    return ""


async def load_stores(name: str = "") -> dict[str, AssetStore | GenmediaError]:
    """Load the saved Asset Store of this name, or all of them, by name; one that cannot be used is replaced by its error.

    Raises:
        SettingsError: None is saved under this name, or none at all.
    """
    found: dict[str, AssetStore | GenmediaError] = {}
    for _, one, store in await load_all([AssetStore]):
        if not name or one == name:
            try:
                found[one] = store if isinstance(store, GenmediaError) else await _in_one_place(one, store)
            except GenmediaError as error:
                found[one] = error
    if not found:
        await load_store(name or "default")  # raises the error that lists the saved ones
    return found


async def load_all(kinds: Iterable[type[B]]) -> list[tuple[type[B], str, B | GenmediaError]]:
    """Load every saved block of these types, with its type and name; one that cannot be used is replaced by its error.

    One answer of the server has all blocks of a type, so that a block which is deleted meanwhile causes no error.
    """
    found: list[tuple[type[B], str, B | GenmediaError]] = []
    for kind in kinds:
        for document in await _documents(kind, include_secrets=True):
            name = document.name or ""
            try:
                block = kind.model_validate(document.data)
                # As `Block.aload` sets it, which takes a request and an event for each block.
                block._block_document_name = name  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] # as above
                found.append((kind, name, block))
            except GenmediaError as error:
                found.append((kind, name, error))
            except ValueError:  # its own message may hold the block's values
                found.append(
                    (kind, name, SettingsError(f"the block {name} does not fit its type", money="", advice="Save it anew."))
                )
    return found


def _unfit(name: str) -> SettingsError:
    """Error for a block that no longer fits its type; it does not repeat the messages of pydantic and Prefect, which may hold its values."""
    return SettingsError(f"the block {name} does not fit its type", money="", advice="Save it anew.")


async def saved_names(kind: type[Block]) -> list[str]:
    """The names of all saved blocks of this type."""
    return [document.name or "" for document in await _documents(kind, include_secrets=False)]


async def _documents(kind: type[Block], *, include_secrets: bool) -> list[BlockDocument]:
    """All saved blocks of this type as Prefect keeps them, sorted by name."""
    async with get_client() as client:
        try:
            documents = await client.read_block_documents_by_type(kind.get_block_type_slug(), include_secrets=include_secrets)
        except ObjectNotFound:  # the type is not registered on this server
            return []
    return sorted((document for document in documents if document.name), key=lambda document: document.name or "")
