"""Prepares a Prefect server for this project: registers the block types, saves the blocks, makes the work pool.

Run it as often as you like: `python -m deployments.bootstrap`. It takes what it saves from the environment:

- `FLORA_API_KEY`, `GENOVA_API_KEY`: saved in the credentials block of that provider; without one, that block is left as it is.
- `FLORA_BASE_URL`, `GENOVA_BASE_URL`: where the provider is reached; the provider itself by default.
- `GENOVA_PLAN`: Free, Starter, Pro or Business; Free by default.
- `GENMEDIA_STORE`: the folder of the Asset Store block; `media` in the project's folder by default.
- `GENMEDIA_BLOCKS`: the name all blocks are saved under; `default` by default.
"""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from prefect.blocks.abstract import CredentialsBlock
from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists
from pydantic import ValidationError

import blocks
from blocks import AssetStore
from genmedia.errors import GenmediaError

WORK_POOL = "genmedia"
CREDENTIALS: dict[str, type[CredentialsBlock]] = {
    kind.get_block_type_slug().removesuffix("-credentials").upper(): kind
    for kind in vars(blocks).values()
    if isinstance(kind, type) and issubclass(kind, CredentialsBlock)
}
"""The credentials block of each provider that `blocks` exports, by the beginning of its variables' names: `FLORA`, `GENOVA`."""

BLOCK_TYPES: tuple[type[Block], ...] = (*CREDENTIALS.values(), AssetStore)
PROJECT = Path(__file__).resolve().parent.parent


async def bootstrap(*, name: str = "default", store: str = "", credentials: Sequence[CredentialsBlock] = ()) -> list[str]:
    """Register the block types, save blocks under `name`, make the work pool; returns what was done, a line each.

    Args:
        name: What the blocks are called.
        store: The folder for assets; `media` in the project's folder by default.
        credentials: Who pays; blocks of other providers are left as they are.
    """
    async with get_client() as client:
        for kind in BLOCK_TYPES:
            await kind.register_type_and_schema(client=client)  # pyright: ignore[reportGeneralTypeIssues] # typed as sync or async
        try:
            await client.create_work_pool(WorkPoolCreate(name=WORK_POOL, type="process"))
            done = [f"work pool {WORK_POOL}: made"]
        except ObjectAlreadyExists:
            done = [f"work pool {WORK_POOL}: is there"]
    root = Path(store).expanduser() if store else PROJECT / "media"
    await AssetStore(root=str(root.absolute())).asave(name, overwrite=True)
    done.append(f"Asset Store block {name}: {root.absolute()}")
    given = {type(block): block for block in credentials}
    for prefix, kind in CREDENTIALS.items():
        block = given.get(kind)
        if block is None:
            done.append(f"{kind.get_block_type_slug()} block {name}: left as it is; set {prefix}_API_KEY to save it")
            continue
        await block.asave(name, overwrite=True)
        done.append(f"{kind.get_block_type_slug()} block {name}: saved")
    return done


def credentials_from(environment: Mapping[str, str], account: str) -> list[CredentialsBlock]:
    """A credentials block for each provider whose key is in the environment.

    Raises:
        ValidationError: A value cannot be used.
    """
    found: list[CredentialsBlock] = []
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
        done = asyncio.run(bootstrap(name=name, store=os.environ.get("GENMEDIA_STORE", ""), credentials=credentials))
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
