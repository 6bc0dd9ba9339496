"""The main job in one command: pictures and videos bought, chained, stored and seen, beginning with a real photograph."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
from rich.console import Console

from genmedia.cli import services
from genmedia.cli.flow_runs import report, results_of
from genmedia.cli.project import Project
from genmedia.cli.terminal import showing_progress
from genmedia.errors import SettingsError
from genmedia.store import Place

NAME = "demo"
"""The name of the blocks and of the accounts, beside those that people use."""

PROVIDERS = {
    "coffee": "flora",
    "teaser": "genova",
    "variations": "algovera",
    "still-life": "genova",
    "poster": "flora",
    "model": "generio",
}
"""The deployments of prefect.yaml that the demo runs, and who is paid for each."""

SOURCE, FED = "still-life", ("poster", "model")
"""The picture of the first goes into the others."""


def run_demo(project: Project, console: Console, *, live: bool) -> int:
    """Run the demo against a sandbox, or against the providers themselves; returns the exit code.

    Servers that are needed and not given are started, and stopped at the end: Prefect unless `PREFECT_API_URL` names one, and a
    sandbox unless the run is live.

    Args:
        project: The checkout.
        console: Where progress and results are shown.
        live: Pay with the keys in the environment, such as `FLORA_API_KEY`; parts whose provider has none are left out.

    Raises:
        SettingsError: There is no key for a live run, or a server did not start.
    """
    os.chdir(project.folder)
    own = project.folder / ".genmedia"
    keys = [f"{provider.upper()}_API_KEY" for provider in sorted(set(PROVIDERS.values()))]
    if live and not any(map(os.environ.get, keys)):
        raise SettingsError("a live run needs a key", advice=f"Set one or more of {', '.join(keys)}.")
    sandbox = None if live else services.sandbox_service(own)
    prefect = None if os.environ.get("PREFECT_API_URL") else services.prefect_service(own)
    if prefect is None:
        _check_prefect(os.environ["PREFECT_API_URL"])
    needed = [service for service in (prefect, sandbox) if service]
    if needed:
        console.print(f"Starting {' and '.join(service.name for service in needed)} on this machine ...")
    with services.running(needed):
        for service in needed:
            console.print(f"  {service.name:8} {service.url}", highlight=False)
        if prefect:
            os.environ.update(services.prefect_environment(own), PREFECT_API_URL=f"{prefect.url}/api")
        os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "CRITICAL"  # this command shows progress in its own way
        if sandbox:
            services.write_off(sandbox, project.folder / "media")
        environment = services.open_accounts(sandbox.url, NAME) if sandbox else dict(os.environ)
        begun = monotonic()
        ended = asyncio.run(_run_all(project, console, environment))
        seconds = monotonic() - begun
        ui = project.module("deployments.local_run").ui_url() if prefect is None else prefect.url
        hint = "  (run `make up` first)" if prefect else ""
        return report(console, ended, seconds, store=Place(str(project.folder / "media")), page=f"{ui}{ended[0].page}{hint}")


def _check_prefect(api_url: str) -> None:
    try:
        httpx.get(f"{api_url}/health", timeout=10).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SettingsError(
            f"PREFECT_API_URL is {api_url}, where no Prefect server answers ({type(error).__name__})",
            advice="Start one with `prefect server start`, or unset the variable.",
        ) from None


async def _run_all(project: Project, console: Console, environment: Mapping[str, str]) -> list[Any]:
    bootstrap = project.module("deployments.bootstrap")
    payers = bootstrap.credentials_from(environment, NAME)
    await bootstrap.bootstrap(name=NAME, store={"root": str(project.folder / "media")}, credentials=payers)
    paid = {payer.provider for payer in payers}
    parts = [name for name, provider in PROVIDERS.items() if provider in paid]
    parts = [name for name in parts if name not in FED or SOURCE in parts]
    console.print(f"\n{', '.join(parts)}\n")
    local = project.module("deployments.local_run")

    async def run(name: str, picture: Path | None = None) -> list[Any]:
        declared = project.deployment(name)
        parameters = {**_fed_with(declared.parameters, picture), "account": NAME, "store": NAME}
        ended = await local.run_here(project.load(declared.entrypoint), parameters)
        if name != SOURCE:
            return [ended]
        paths = [project.folder / "media" / asset.path for result in results_of(ended) for asset in result.assets]
        return [ended, *(await all_of([one for one in FED if one in parts], paths[0]) if paths else [])]

    async def all_of(names: Sequence[str], picture: Path | None = None) -> list[Any]:
        return [one for ended in await asyncio.gather(*(run(name, picture) for name in names)) for one in ended]

    with showing_progress(console):
        return await all_of([name for name in parts if name not in FED])


def _fed_with(parameters: dict[str, Any], picture: Path | None) -> dict[str, Any]:
    """The parameters with a picture in the place of the first input."""
    fed = deepcopy(parameters)
    if picture:
        first = fed["chain"]["steps"][0] if "chain" in fed else fed
        first["inputs"][0]["file"] = str(picture)
    return fed
