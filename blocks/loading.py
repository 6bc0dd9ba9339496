"""Finding a saved block by its name."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.exceptions import ObjectNotFound

from blocks.store import AssetStore
from genmedia.cli.project import find_project
from genmedia.errors import GenmediaError, SettingsError

B = TypeVar("B", bound=Block)


class NotSavedError(SettingsError):
    """No block of this type is saved under this name."""


async def load_block(kind: type[B], name: str) -> B:
    """The saved block of this type under this name.

    Raises:
        NotSavedError: None is saved under this name; the error lists those that are.
    """
    try:
        block = await kind.aload(name)
    except ValueError:
        names = ", ".join(await saved_names(kind)) or "none"
        raise NotSavedError(
            f"no {kind.get_block_type_slug()} block is saved as {name!r}",
            advice=f"Saved: {names}. Save one in the Prefect UI, or run `genmedia setup`.",
        ) from None
    assert isinstance(block, kind)
    return block


_AT_HOME = "prefect.deployments.steps.set_working_directory"
"""The only pull step that leaves a run in a folder that is there before and after it."""


async def load_store(name: str, run: FlowRun | None = None) -> AssetStore:
    """The saved Asset Store for a flow run, in the same place for every process.

    Args:
        name: Of the block.
        run: The flow run; the one in this context by default.

    Raises:
        NotSavedError: There is no such block.
        SettingsError: It is relative to a folder, and the run has one of its own.
    """
    store, context = await load_block(AssetStore, name), FlowRunContext.get()
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
    """Why the folder that this process works in is not the project's own; empty where it is."""
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
    """The saved Asset Store of this name, or all of them; in the stead of one the error where it cannot be used.

    Raises:
        SettingsError: None is saved under this name, or none at all.
    """
    saved = await saved_names(AssetStore)
    names = [name] if name else saved
    if not set(names) & set(saved):
        await load_store(name or "default")  # says what is saved
    found: dict[str, AssetStore | GenmediaError] = {}
    for one in names:
        try:
            found[one] = await load_store(one)
        except NotSavedError:
            continue  # removed since the names were read
        except GenmediaError as error:
            found[one] = error
        except RuntimeError:
            found[one] = _unfit(one)
    return found


async def load_all(kinds: Iterable[type[B]]) -> list[tuple[type[B], str, B | GenmediaError]]:
    """Every saved block of these types, with its type and name; in its stead the error where it cannot be used."""
    found: list[tuple[type[B], str, B | GenmediaError]] = []
    for kind in kinds:
        for name in await saved_names(kind):
            try:
                found.append((kind, name, await load_block(kind, name)))
            except NotSavedError:
                continue  # removed since the names were read
            except GenmediaError as error:
                found.append((kind, name, error))
            except RuntimeError:
                found.append((kind, name, _unfit(name)))
    return found


def _unfit(name: str) -> SettingsError:
    """What Prefect raises as a RuntimeError for a block that no longer fits its type; its own message may hold values."""
    return SettingsError(f"the block {name} does not fit its type", money="", advice="Save it anew.")


async def saved_names(kind: type[Block]) -> list[str]:
    """The names of all saved blocks of this type."""
    async with get_client() as client:
        try:
            await client.read_block_type_by_slug(kind.get_block_type_slug())
        except ObjectNotFound:  # a server that nobody has prepared
            return []
        documents = await client.read_block_documents_by_type(kind.get_block_type_slug(), include_secrets=False)
    return sorted(document.name for document in documents if document.name)
