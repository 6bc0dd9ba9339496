"""The main job in one command: a chain of techniques on a real photograph, bought, stored and seen."""

import asyncio
import os
from time import monotonic
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from genmedia import services
from genmedia.errors import GenmediaError, SettingsError
from genmedia.project import Project
from genmedia.providers import flora
from genmedia.terminal import showing_progress

NAME = "demo"
"""The name of the blocks and of the account, beside those that people use."""

DEPLOYMENT = "coffee"


def run_demo(project: Project, console: Console, *, live: bool) -> int:
    """Run the demo chain against a sandbox, or against FLORA itself; returns the exit code.

    Servers that are needed and not given are started, and stopped at the end: Prefect unless `PREFECT_API_URL` names one, and a sandbox
    unless the run is live.

    Args:
        project: The checkout.
        console: Where progress and results are shown.
        live: Pay with `FLORA_API_KEY` at `FLORA_BASE_URL`, FLORA itself by default.

    Raises:
        SettingsError: There is no key for a live run, or a server did not start.
    """
    os.chdir(project.folder)
    own = project.folder / ".genmedia"
    if live and not os.environ.get("FLORA_API_KEY"):
        raise SettingsError("a live run needs FLORA_API_KEY", advice="Make a key in FLORA under Settings > API Keys.")
    sandbox = None if live else services.sandbox_service(own)
    prefect = None if os.environ.get("PREFECT_API_URL") else services.prefect_service(own)
    needed = [service for service in (prefect, sandbox) if service]
    if needed:
        console.print(f"Starting {' and '.join(service.name for service in needed)} on this machine ...")
    with services.running(needed):
        for service in needed:
            console.print(f"  {service.name:8} {service.url}", highlight=False)
        if prefect:
            os.environ.update(services.prefect_environment(own), PREFECT_API_URL=f"{prefect.url}/api")
        os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "CRITICAL"  # this command shows progress in its own way
        api_key, base_url = _sandbox_account(sandbox) if sandbox else _live_account()
        begun = monotonic()
        ended = asyncio.run(_run_chain(project, console, api_key, base_url))
        return _report(project, console, ended, monotonic() - begun, kept=prefect is None)


def _sandbox_account(sandbox: services.Service) -> tuple[str, str]:
    wish = {"provider": flora.PROVIDER, "account": NAME, "api_key": "sk_live_demo", "switches": {"assets": True}}
    account = httpx.post(f"{sandbox.url}/sandbox/accounts", json=wish).raise_for_status().json()
    return account["api_key"], account["base_url"]


def _live_account() -> tuple[str, str]:
    return os.environ["FLORA_API_KEY"], os.environ.get("FLORA_BASE_URL") or flora.BASE_URL


async def _run_chain(project: Project, console: Console, api_key: str, base_url: str) -> Any:
    await project.module("deployments.bootstrap").bootstrap(name=NAME, flora_api_key=api_key, flora_base_url=base_url)
    declared = project.deployment(DEPLOYMENT)
    steps = [step["name"] for step in declared.parameters["chain"]["steps"]]
    console.print(f"\n[bold]{declared.name}[/]: {len(steps)} techniques on {base_url}", highlight=False)
    parameters = {**declared.parameters, "account": NAME, "store": NAME}
    with showing_progress(console, steps):
        return await project.module("deployments.local_run").run_here(project.load(declared.entrypoint), parameters)


def _report(project: Project, console: Console, ended: Any, seconds: float, *, kept: bool) -> int:
    if isinstance(ended.result, BaseException):
        raise ended.result if isinstance(ended.result, GenmediaError) else SettingsError(ended.message)
    table = Table("step", "technique", "status", "seconds", "credits", "files", box=None, header_style="dim", padding=(0, 2))
    for result in ended.result:
        took = "" if result.seconds is None else f"{result.seconds:.1f}"
        table.add_row(result.name, result.operation, result.status, took, f"{result.charged:g}", str(len(result.assets)))
    console.print(table)
    for result in ended.result:
        if result.error:
            console.print(f"{result.name}: {result.error}", style="red", highlight=False, markup=False, soft_wrap=True)
    store = project.folder / "media"
    bought = sum(result.status == "Bought" for result in ended.result)
    spent = sum(result.charged for result in ended.result)
    console.print(
        f"\n[bold]{ended.name}[/] in {seconds:.0f} s: "
        + (
            f"{bought} runs bought for {spent:g} credits."
            if bought
            else "nothing was bought; everything is in the store already."
        )
    )
    console.print(f"Folder   {store / DEPLOYMENT}", highlight=False, soft_wrap=True)
    console.print(f"Gallery  {(store / 'index.html').as_uri()}", highlight=False, soft_wrap=True)
    page = f"{project.module('deployments.local_run').ui_url()}{ended.page}"
    console.print(f"Prefect  {page}{'' if kept else '  (run `make up` first)'}", highlight=False, soft_wrap=True)
    return 0 if ended.name == "Completed" else 1
