"""Prepares a Prefect server for this project: registers the block types, saves the blocks, makes the work pool.

Run it as often as you like: `python -m deployments.bootstrap`. It takes what it saves from the environment:

- `FLORA_API_KEY`: saved in the FLORA Credentials block; without it, that block is left as it is.
- `FLORA_BASE_URL`: where FLORA is reached; FLORA itself by default.
- `GENMEDIA_STORE`: the folder of the Asset Store block; `media` in the project's folder by default.
- `GENMEDIA_BLOCKS`: the name both blocks are saved under; `default` by default.
"""

import asyncio
import os
import sys
from pathlib import Path

from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists
from pydantic import SecretStr, ValidationError

from blocks import AssetStore, FloraCredentials
from genmedia.errors import GenmediaError
from genmedia.providers.flora import BASE_URL

WORK_POOL = "genmedia"
BLOCK_TYPES: tuple[type[Block], ...] = (FloraCredentials, AssetStore)
PROJECT = Path(__file__).resolve().parent.parent


async def bootstrap(
    *, name: str = "default", store: str = "", flora_api_key: str = "", flora_base_url: str = BASE_URL
) -> list[str]:
    """Register the block types, save blocks under `name`, make the work pool; returns what was done, a line each.

    Args:
        name: What the blocks are called.
        store: The folder for assets; `media` in the project's folder by default.
        flora_api_key: The key to save; nothing is saved for FLORA without one.
        flora_base_url: Where FLORA is reached.
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
    if not flora_api_key:
        return [*done, f"FLORA Credentials block {name}: left as it is; set FLORA_API_KEY to save it"]
    credentials = FloraCredentials(api_key=SecretStr(flora_api_key), base_url=flora_base_url, account=name)
    await credentials.asave(name, overwrite=True)
    return [*done, f"FLORA Credentials block {name}: {flora_base_url}"]


def main() -> int:
    """Save what the environment names; returns the exit code."""
    given = os.environ.get
    try:
        done = asyncio.run(
            bootstrap(
                name=given("GENMEDIA_BLOCKS") or "default",
                store=given("GENMEDIA_STORE", ""),
                flora_api_key=given("FLORA_API_KEY", ""),
                flora_base_url=given("FLORA_BASE_URL") or BASE_URL,
            )
        )
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
