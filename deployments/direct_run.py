"""Running a flow that buys in this process, without a Prefect server: its form becomes a brief, which plain calls carry out."""

import asyncio
import inspect
import os
import re
from collections.abc import Mapping
from typing import Any

from prefect import Flow
from pydantic import ValidationError

from blocks import AssetStore
from blocks.credentials import ACCOUNT_NAME, ProviderCredentials
from deployments.bootstrap import PROJECT, credentials_from, store_from
from deployments.local_run import Ended
from genmedia.campaign.brief import Brief
from genmedia.campaign.direct import Direct
from genmedia.campaign.run import run_campaign
from genmedia.cli.services import open_accounts
from genmedia.concurrency import end_task
from genmedia.errors import Fault, InputError, SettingsError, StoreError
from genmedia.forms.validation import Reading, faults_in, read_parameters
from genmedia.gallery.page import write_gallery
from genmedia.progress import Log
from genmedia.provenance.manifest import write_manifest
from genmedia.provenance.reading import read_assets
from tasks.states import campaign_state


def store_of(folder: str) -> AssetStore:
    """The store in a folder or at an address; if none is named, that of the environment, or the project's `media`.

    Raises:
        InputError: A field of the store is invalid.
        SettingsError: Its address cannot be used.
    """
    named = {"root": str(PROJECT / "media"), **store_from(os.environ), **({"root": folder} if folder else {})}
    try:
        return AssetStore.model_validate(named).below(PROJECT)
    except ValidationError as error:
        raise InputError(faults_in(error, named)) from None


async def run_directly(
    flow: Flow[..., Any], parameters: Mapping[str, Any], *, assets: AssetStore, sandbox: str, log: Log, stop: asyncio.Event
) -> Ended:
    """Run a flow to its end.

    Args:
        flow: The flow.
        parameters: Parameters of the flow; names of accounts are those in the sandbox, or any names for the keys of the environment.
        assets: Store for everything that is bought, and its journal.
        sandbox: Address of the sandbox that is paid; empty to pay with the keys of the environment.
        log: Log of the run, for the person who started it.
        stop: Set when a person cancels the run: it then ends as `Cancelled`, and its jobs are cancelled where the provider can do that.

    Raises:
        GenmediaError: The flow could not do its work, or cannot be run so; the class says the cause.
    """
    asked_for: Any = inspect.unwrap(flow.fn)
    if inspect.signature(asked_for).return_annotation is not Brief:
        raise InputError([Fault(f"genmedia run {flow.name}", "buys nothing, and needs Prefect: leave out --without-prefect")])
    brief = asked_for(**read_parameters(asked_for, parameters, Reading(plans=True)))
    host = Direct(assets, lambda provider, name: payer_of(provider, name, sandbox), log)
    return await carry_out(brief, host, assets, log, stop)


async def carry_out(brief: Brief, host: Direct, assets: AssetStore, log: Log, stop: asyncio.Event) -> Ended:
    """Carry out a brief to its end, and draw the gallery of its store; see `run_directly`."""
    run = asyncio.ensure_future(run_campaign(brief, host))
    wish = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([run, wish], return_when=asyncio.FIRST_COMPLETED)
        if not run.done():
            await end_task(run)
            await host.cancel()
            return Ended("Cancelled", "", None, "")
        ended = run.result()
        await _draw(assets, log)
    finally:
        wish.cancel()
        await end_task(run)
    state = campaign_state(ended.results, ended.marked, ended.delivered)
    return Ended(state.name or "", state.message or "", ended.results, "")


def payers(environment: Mapping[str, str], name: str) -> list[ProviderCredentials]:
    """Credentials of the accounts whose keys an environment has, under a name.

    Raises:
        SettingsError: A value in the environment is invalid.
    """
    try:
        return credentials_from(environment, name)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_input=False))
        raise SettingsError(f"the environment names no account that can be used: {faults}") from None


def payer_of(provider: str, name: str, sandbox: str) -> ProviderCredentials:
    """Credentials of the account that pays: one of the sandbox, or the one whose key the environment has.

    Raises:
        SettingsError: There is no key, a value in the environment is invalid, or no account can have this name.
        UnreachableError: No sandbox answers there.
    """
    if not re.fullmatch(ACCOUNT_NAME, name):
        advice = "Use letters from A to Z, digits, dots, dashes and underscores."
        raise SettingsError(f"no account can be called {name!r}", advice=advice)
    environment = open_accounts(sandbox, name) if sandbox else os.environ
    found = [one for one in payers(environment, name) if one.provider == provider]
    if not found:
        key = f"{provider.upper()}_API_KEY"
        advice = f"Set {key}, or have a sandbox be paid with --sandbox ADDRESS."
        raise SettingsError(f"nobody pays at {provider}: there is no {key}", advice=advice)
    return found[0]


async def _draw(assets: AssetStore, log: Log) -> None:
    """Write the gallery and the manifest; log a warning where they cannot be written."""
    async with assets.get_store() as store:
        try:
            contents = await read_assets(store)
            await write_manifest(store, contents.assets)
            await write_gallery(store, contents)
        except (StoreError, OSError) as error:
            log.warning("The gallery could not be drawn: %s What was bought is stored; `genmedia gallery` draws it.", error)
