"""Contents of the Prefect server that the settings name: its version, the work pool with its workers, the saved blocks."""

from dataclasses import dataclass

import prefect
from prefect.client.base import ServerType
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import WorkerStatus
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.settings import get_current_settings

from blocks import AssetStore
from blocks.credentials import as_saved
from blocks.loading import load_all
from deployments.bootstrap import CREDENTIALS, WORK_POOL
from genmedia.errors import GenmediaError, UnreachableError
from genmedia.providers.offers import Saved
from genmedia.transport.redaction import bare_url

CLIENT_VERSION = prefect.__version__
UNAUTHORIZED = 401
PROVIDERS = tuple(kind.provider for kind in CREDENTIALS.values())


@dataclass(frozen=True)
class Server:
    """A server that answers: the address of its API, and its version."""

    url: str
    version: str


def is_named() -> bool:
    """True if there is a server to ask: `PREFECT_API_URL` or the profile names one, or `genmedia up` runs one for this project."""
    return bool(get_current_settings().api.url)


async def reach_server() -> Server:
    """Return the server that `PREFECT_API_URL` or the profile names; if none is named, Prefect itself would start a temporary one.

    Raises:
        UnreachableError: None is named, it does not answer, or it refuses the password of `PREFECT_API_AUTH_STRING`.
    """
    if not is_named():
        raise _unreachable("no Prefect server is named: neither PREFECT_API_URL nor the Prefect profile has one")
    url = str(get_current_settings().api.url)
    async with get_client() as client:
        failure = await client.api_healthcheck()
        if failure:
            raise _unreachable(f"no Prefect server answers at {bare_url(url)} ({type(failure).__name__})")
        try:
            version = "Cloud" if client.server_type is ServerType.CLOUD else await client.api_version()
        except PrefectHTTPStatusError as error:
            if error.response.status_code != UNAUTHORIZED:
                raise
            advice = "Name it with PREFECT_API_AUTH_STRING; of a server that `genmedia up` runs it is what that printed as the password."
            raise _unreachable(f"the Prefect server at {bare_url(url)} asks for another key than is named", advice) from None
        return Server(bare_url(url), version)


def _unreachable(
    what: str, advice: str = "Start one with `genmedia up` in this project, or name yours with PREFECT_API_URL."
) -> UnreachableError:
    return UnreachableError(what, money="Nothing was bought.", advice=advice)


async def live_workers() -> list[str] | None:
    """The names of the workers on this project's pool that are alive; None where there is no such pool."""
    async with get_client() as client:
        try:
            await client.read_work_pool(WORK_POOL)
        except ObjectNotFound:
            return None
        workers = await client.read_workers_for_work_pool(WORK_POOL)
    return [worker.name for worker in workers if worker.status == WorkerStatus.ONLINE]


async def saved_credentials() -> list[Saved]:
    """All credentials blocks, by provider and name.

    Raises:
        UnreachableError: See `reach_server`.
    """
    await reach_server()
    return as_saved(await load_all(CREDENTIALS.values()))


async def saved_stores() -> dict[str, AssetStore | GenmediaError]:
    """Every Asset Store block, by its name; one that cannot be used is replaced by its error.

    Raises:
        UnreachableError: See `reach_server`.
    """
    await reach_server()
    return {name: store for _, name, store in await load_all([AssetStore])}
