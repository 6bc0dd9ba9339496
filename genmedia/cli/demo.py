"""The main job in one command: pictures and videos bought, chained, stored and seen, beginning with a real photograph."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import httpx

from genmedia.cli import services
from genmedia.cli.flow_runs import report, results_of
from genmedia.cli.printing import Console
from genmedia.cli.project import Project
from genmedia.cli.terminal import showing_progress
from genmedia.cli.up import run_up
from genmedia.errors import SettingsError
from genmedia.gallery.address import gallery_address
from genmedia.progress import Progress, listener
from genmedia.store import Place

LIVE = "demo"
"""Name of the blocks and of the accounts of a live run, apart from those that people use."""

ACCOUNT = "default"
"""The sandbox's account that the demo pays with: that of the deployments of `genmedia up`, so that each reuses what the other bought."""

PROVIDERS = {
    "coffee": "flora",
    "videos": "genova",
    "variations": "algovera",
    "pictures": "genova",
    "poster": "flora",
    "3d-models": "generio",
}
"""The presets of prefect.yaml that the demo runs, each with its provider."""

SOURCE, FED = "pictures", ("poster", "3d-models")
"""The preset whose picture is an input, and the presets that take it."""


def run_demo(project: Project, console: Console, *, live: bool) -> int:
    """Run the demo against a sandbox, or against the providers themselves; returns the exit code.

    Servers that are needed and not given are started: Prefect unless `PREFECT_API_URL` names one, and a sandbox unless the run is live. They
    are stopped at the end, unless a person at a terminal wants them to go on as `genmedia up` runs them.

    Args:
        project: The checkout.
        console: Where progress and results are shown.
        live: Pay with the keys in the environment, such as `FLORA_API_KEY`; parts whose provider has none are left out.

    Raises:
        SettingsError: There is no key for a live run, or a server did not start.
    """
    os.chdir(project.folder)
    own, begun, before = project.folder / ".genmedia", monotonic(), dict(os.environ)
    keys = [f"{provider.upper()}_API_KEY" for provider in sorted(set(PROVIDERS.values()))]
    if live and not any(map(os.environ.get, keys)):
        raise SettingsError("a live run needs a key", advice=f"Set one or more of {', '.join(keys)}.")
    sandbox = None if live else services.sandbox_service(own)
    prefect = None if os.environ.get("PREFECT_API_URL") else services.prefect_service(own, project.folder)
    if prefect is None:
        _check_prefect(os.environ["PREFECT_API_URL"])
    needed = [service for service in (prefect, sandbox) if service]
    if needed:
        console.print(f"Starting {' and '.join(service.name for service in needed)} on this machine ...")

    def load() -> None:
        if prefect:
            os.environ.update(services.prefect_environment(own) | services.addresses_of(prefect))
        os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "CRITICAL"  # this command shows progress in its own way
        for part in PROVIDERS:
            project.load(project.preset(part).entrypoint)

    with services.running(needed, load):
        for service in needed:
            console.print(f"  {service.name:8} {service.url}")
        if sandbox:
            services.write_off(sandbox, project.folder / "media")
        environment = services.open_accounts(sandbox.url, ACCOUNT) if sandbox else dict(os.environ)
        store, ended = asyncio.run(_run_all(project, console, environment, live=live))
        code, goes_on = _show(project, console, prefect, store, ended, monotonic() - begun)
        if not goes_on:
            return code
        os.environ.clear()
        os.environ.update(before)
        return run_up(project)


def _show(
    project: Project, console: Console, prefect: services.Service | None, store: str, ended: Sequence[Any], seconds: float
) -> tuple[int, bool]:
    """Show how it ended, and ask at a terminal whether the started servers should go on; returns the exit code, and the answer."""
    others = prefect is None or not prefect.fresh  # a person or another command runs the server, and keeps it
    asking = not others and console.is_terminal and sys.stdin.isatty()
    page = f"{project.module('deployments.local_run').ui_url()}{ended[0].page}"
    code = report(
        console,
        ended,
        seconds,
        store=Place(str(project.folder / "media")),
        gallery=gallery_address(store) if others or asking else "",
        page=page if others or asking else f"`make up` shows this run: {page}",
    )
    if prefect and (others or asking):
        key = services.prefect_key(project.folder / ".genmedia")
        console.print(f"Password {key}  (its page asks once, and the browser keeps it)", soft_wrap=True)
    return code, asking and _wants("\nKeep it up, with every deployment ready to run? [Y/n] ")


def _wants(question: str) -> bool:
    with suppress(EOFError, KeyboardInterrupt):
        return input(question).strip().lower() in ("", "y", "yes")
    return False


def _check_prefect(api_url: str) -> None:
    try:
        httpx.get(f"{api_url}/health", timeout=10).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SettingsError(
            f"PREFECT_API_URL is {api_url}, where no Prefect server answers ({type(error).__name__})",
            advice="Start one with `prefect server start`, or unset the variable.",
        ) from None


async def _run_all(
    project: Project, console: Console, environment: Mapping[str, str], *, live: bool
) -> tuple[str, Sequence[Any]]:
    """Run all parts; returns the name of the store that took their files, and the ends of their runs, in the order of the parts."""
    bootstrap = project.module("deployments.bootstrap")
    blocks, account = (LIVE, LIVE) if live else (bootstrap.SANDBOX, ACCOUNT)
    payers = bootstrap.credentials_from(environment, account)
    store = {"root": str(project.folder / "media")}
    await bootstrap.bootstrap(name=blocks, store=store, credentials=payers, sandbox=not live)
    paid = {payer.provider for payer in payers}
    parts = [part for part, provider in PROVIDERS.items() if provider in paid]
    parts = [part for part in parts if part not in FED or SOURCE in parts]
    local = project.module("deployments.local_run")

    async def run(part: str, picture: Path | None = None) -> dict[str, Any]:
        listener.set(lambda news: hear(replace(news, part=part)))
        declared = project.preset(part)
        parameters = {**_fed_with(declared.parameters, picture), "account": blocks, "store": blocks}
        ended = await local.run_here(project.load(declared.entrypoint), parameters)
        if part != SOURCE:
            return {part: ended}
        paths = [project.folder / "media" / asset.path for result in results_of(ended) for asset in result.assets]
        return {part: ended, **(await all_of([one for one in FED if one in parts], paths[0]) if paths else {})}

    async def all_of(names: Sequence[str], picture: Path | None = None) -> dict[str, Any]:
        return {part: one for each in await asyncio.gather(*(run(name, picture) for name in names)) for part, one in each.items()}

    console.print(f"\n{', '.join(parts)}\n")
    with showing_progress(console):
        hear = listener.get()
        for part in parts:
            hear(Progress("", f"after {SOURCE}" if part in FED else "is planned", part=part))
        ended = await all_of([part for part in parts if part not in FED])
    return blocks, [ended[part] for part in parts if part in ended]


def _fed_with(parameters: dict[str, Any], picture: Path | None) -> dict[str, Any]:
    """Return the parameters with a picture as the photo, or as the only input."""
    if not picture:
        return parameters
    return parameters | ({"photo": str(picture)} if "photo" in parameters else {"inputs": [{"file": str(picture)}]})
