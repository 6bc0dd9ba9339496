"""The main job in one command: pictures and videos bought, chained, stored and seen, beginning with a real photograph."""

import asyncio
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from genmedia import services
from genmedia.errors import GenmediaError, SettingsError
from genmedia.project import Deployment, Project
from genmedia.results import Result
from genmedia.terminal import showing_progress

NAME = "demo"
"""The name of the blocks and of the accounts, beside those that people use."""

CHAIN, PICTURE, POSTER, VIDEO = "coffee", "still-life", "poster", "teaser"
"""The deployments of prefect.yaml that the demo runs; the picture feeds the poster."""


def run_demo(project: Project, console: Console, *, live: bool) -> int:
    """Run the demo against a sandbox, or against the providers themselves; returns the exit code.

    Servers that are needed and not given are started, and stopped at the end: Prefect unless `PREFECT_API_URL` names one, and a
    sandbox unless the run is live.

    Args:
        project: The checkout.
        console: Where progress and results are shown.
        live: Pay with the keys in the environment: `FLORA_API_KEY`, and `GENOVA_API_KEY` for its part.

    Raises:
        SettingsError: There is no key for a live run, or a server did not start.
    """
    os.chdir(project.folder)
    own = project.folder / ".genmedia"
    if live and not os.environ.get("FLORA_API_KEY"):
        raise SettingsError("a live run needs FLORA_API_KEY", advice="Make a key in FLORA under Settings > API Keys.")
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
        environment = services.open_accounts(sandbox, NAME) if sandbox else dict(os.environ)
        begun = monotonic()
        ended = asyncio.run(_run_all(project, console, environment))
        return _report(project, console, ended, monotonic() - begun, kept=prefect is None)


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
    await bootstrap.bootstrap(name=NAME, credentials=payers)
    declared = {name: project.deployment(name) for name in (CHAIN, PICTURE, POSTER, VIDEO)}
    with_genova = bool(environment.get("GENOVA_API_KEY"))
    console.print(f"\nFLORA{' and Genova' if with_genova else ''}: {', '.join(declared if with_genova else [CHAIN])}\n")

    async def run(name: str, **changes: Any) -> Any:
        parameters = {**declared[name].parameters, "account": NAME, "store": NAME, **changes}
        return await project.module("deployments.local_run").run_here(project.load(declared[name].entrypoint), parameters)

    async def picture_and_poster() -> list[Any]:
        picture = await run(PICTURE)
        paths = [asset.path for result in _results(picture) for asset in result.assets]
        return (
            [picture, await run(POSTER, chain=_fed_with(declared[POSTER], project.folder / "media" / paths[0]))]
            if paths
            else [picture]
        )

    async def others() -> list[Any]:
        return list(await asyncio.gather(run(CHAIN), *([run(VIDEO)] if with_genova else [])))

    with showing_progress(console):
        parts = await asyncio.gather(others(), *([picture_and_poster()] if with_genova else []))
    return [ended for part in parts for ended in part]


def _fed_with(declared: Deployment, picture: Path) -> dict[str, Any]:
    chain = deepcopy(declared.parameters["chain"])
    chain["steps"][0]["inputs"][0]["file"] = str(picture)
    return chain


def _results(ended: Any) -> list[Result]:
    if isinstance(ended.result, BaseException):
        raise ended.result if isinstance(ended.result, GenmediaError) else SettingsError(ended.message)
    return ended.result


def _summary(results: Sequence[Result]) -> str:
    if all(result.status == "Reused" for result in results):
        return "nothing was bought; everything is in the store already."
    counts = Counter(result.status for result in results)
    told = ", ".join(f"{count} {status.lower()}" for status, count in counts.items())
    return f"{told}; {sum(result.charged for result in results):g} credits charged."


def _report(project: Project, console: Console, ended: Sequence[Any], seconds: float, *, kept: bool) -> int:
    results = [result for one in ended for result in _results(one)]
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for title in ("step", "operation", "status", "seconds", "credits", "files"):
        table.add_column(title, no_wrap=title not in ("step", "operation"), overflow="fold")
    for result in results:
        took = "" if result.seconds is None else f"{result.seconds:.1f}"
        table.add_row(result.name, result.operation, result.status, took, f"{result.charged:g}", str(len(result.assets)))
    console.print(table)
    for result in results:
        if result.error:
            console.print(f"{result.name}: {result.error}", style="red", highlight=False, markup=False, soft_wrap=True)
    store = project.folder / "media"
    whole = all(one.name == "Completed" for one in ended)
    console.print(f"\n[bold]{'Completed' if whole else 'Partial'}[/] in {seconds:.0f} s: {_summary(results)}")
    console.print(f"Folder   {store}", highlight=False, soft_wrap=True)
    console.print(f"Gallery  {(store / 'index.html').as_uri()}", highlight=False, soft_wrap=True)
    ui = project.module("deployments.local_run").ui_url() if kept else f"http://127.0.0.1:{services.PREFECT_PORT}"
    hint = "" if kept else "  (run `make up` first)"
    console.print(f"Prefect  {ui}{ended[0].page}{hint}", highlight=False, soft_wrap=True)
    return 0 if whole else 1
