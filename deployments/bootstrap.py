"""Prepares a Prefect server for this project: registers the block types, saves the blocks, makes the work pool.

Run it as often as you like: `python -m deployments.bootstrap`. It takes what it saves from the environment:

- `FLORA_API_KEY`, `GENOVA_API_KEY`: saved in the credentials block of that provider; without one, that block is left as it is.
- `FLORA_BASE_URL`, `GENOVA_BASE_URL`: where the provider is reached; the provider itself by default.
- `GENOVA_PLAN`: Free, Starter, Pro or Business; Free by default.
- `GENMEDIA_STORE`: the folder or address of the Asset Store block; `media` in the project's folder where no block is saved.
- `GENMEDIA_STORE_S3_ENDPOINT`, `GENMEDIA_STORE_S3_KEY`, `GENMEDIA_STORE_S3_SECRET`, `GENMEDIA_STORE_JOURNAL` and so on: its other
  fields. What is not named stays as it is saved.
- `GENMEDIA_STORE_PASSING`: 1 where the store will not last: what is saved is put aside; 0 brings it back.
- `GENMEDIA_BLOCKS`: the name all blocks are saved under; `default` by default.
"""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists
from pydantic import ValidationError

import blocks
from blocks import AssetStore, load_block
from blocks.credentials import ProviderCredentials
from blocks.loading import saved_names
from genmedia.errors import GenmediaError

WORK_POOL = "genmedia"
CREDENTIALS: dict[str, type[ProviderCredentials]] = {
    kind.get_block_type_slug().removesuffix("-credentials").upper(): kind for kind in blocks.CREDENTIALS
}
"""The credentials block of each provider, by the beginning of its variables' names: `FLORA`, `GENOVA`."""

BLOCK_TYPES: tuple[type[Block], ...] = (*CREDENTIALS.values(), AssetStore)
PROJECT = Path(__file__).resolve().parent.parent


async def bootstrap(
    *,
    name: str = "default",
    store: Mapping[str, str] | None = None,
    passing: bool | None = None,
    credentials: Sequence[ProviderCredentials] = (),
) -> list[str]:
    """Register the block types, save blocks under `name`, make the work pool; returns what was done, a line each.

    Args:
        name: What the blocks are called.
        store: Fields of the Asset Store block; the others stay as they are saved.
        passing: True where that store will not last: what is saved is put aside. False brings back what was put aside.
        credentials: Who pays; blocks of other providers are left as they are.

    Raises:
        SettingsError: The store's address cannot be used.
        ValidationError: Another of its fields cannot.
    """
    async with get_client() as client:
        for kind in BLOCK_TYPES:
            await kind.register_type_and_schema(client=client)  # pyright: ignore[reportGeneralTypeIssues] # typed as sync or async
        try:
            await client.create_work_pool(WorkPoolCreate(name=WORK_POOL, type="process"))
            done = [f"work pool {WORK_POOL}: made"]
        except ObjectAlreadyExists:
            done = [f"work pool {WORK_POOL}: is there"]
    done.append(f"Asset Store block {name}: {await _save_store(name, store or {}, passing)}")
    given = {type(block): block for block in credentials}
    for prefix, kind in CREDENTIALS.items():
        block = given.get(kind)
        if block is None:
            done.append(f"{kind.get_block_type_slug()} block {name}: left as it is; set {prefix}_API_KEY to save it")
            continue
        await block.asave(name, overwrite=True)
        done.append(f"{kind.get_block_type_slug()} block {name}: saved")
    return done


async def _save_store(name: str, given: Mapping[str, str], passing: bool | None) -> str:
    """Save the Asset Store block with what is given; returns its address."""
    saved, aside = await saved_names(AssetStore), f"{name}-put-aside"
    source = aside if passing is not None and aside in saved else name
    new = AssetStore(root=str(PROJECT / "media"))
    own = await load_block(AssetStore, source) if source in saved else new
    base = new if passing else own
    store = AssetStore.model_validate({**{field: getattr(base, field) for field in AssetStore.model_fields}, **given})
    if not store.place.is_address:
        store.root = str(Path(store.root).expanduser().absolute())
    if passing:
        await own.asave(aside, overwrite=True)
    if store != own or source != name or name not in saved:
        await store.asave(name, overwrite=True)
    if passing is False and aside in saved:
        await AssetStore.adelete(aside)
    return store.root


def store_from(environment: Mapping[str, str]) -> dict[str, str]:
    """The fields of an Asset Store block that the environment names."""
    names = {field: f"GENMEDIA_STORE{'' if field == 'root' else f'_{field.upper()}'}" for field in AssetStore.model_fields}
    return {field: environment[name] for field, name in names.items() if environment.get(name)}


def credentials_from(environment: Mapping[str, str], account: str) -> list[ProviderCredentials]:
    """A credentials block for each provider whose key is in the environment.

    Raises:
        ValidationError: A value cannot be used.
    """
    found: list[ProviderCredentials] = []
    for prefix, kind in CREDENTIALS.items():
        values = {
            field: environment[f"{prefix}_{field.upper()}"]
            for field in ("api_key", "base_url", "plan")
            if field in kind.model_fields and environment.get(f"{prefix}_{field.upper()}")
        }
        if "api_key" in values:
            found.append(kind.model_validate({**values, "account": account}))
    return found


def main() -> int:
    """Save what the environment names; returns the exit code."""
    name = os.environ.get("GENMEDIA_BLOCKS") or "default"
    try:
        credentials = credentials_from(os.environ, name)
        passing = {"1": True, "0": False}.get(os.environ.get("GENMEDIA_STORE_PASSING", ""))
        done = asyncio.run(bootstrap(name=name, store=store_from(os.environ), passing=passing, credentials=credentials))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors(include_input=False))
        sys.stderr.write(f"The blocks cannot be saved: {faults}\n")
        return 2
    except GenmediaError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write("\n".join(done) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
