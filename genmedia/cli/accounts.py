"""Commands about a person's accounts: show their offers (`genmedia providers`), and save their keys (`genmedia setup`)."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from getpass import getpass
from typing import Any

from pydantic import ValidationError
from rich.table import Table
from rich.text import Text

from genmedia.cli.printing import Console, print_json
from genmedia.cli.project import Project
from genmedia.cli.services import accounts_of, open_accounts
from genmedia.errors import CredentialsError, Fault, GenmediaError, InputError, SettingsError, StoreError, sentence
from genmedia.forms.names import check_block_name
from genmedia.forms.validation import in_words
from genmedia.jobs.job import UNKNOWN, priced
from genmedia.providers.offers import Offer, Saved, asked


def show_offers(project: Project, *, sandbox: str, as_json: bool, console: Console) -> int:
    """Print what each account offers, or why that is not known; returns the exit code: 3 when a provider gave no answer.

    Args:
        project: The checkout.
        sandbox: Ask the sandbox at this address with its own keys; else every account that is saved in Prefect.
        as_json: Print a JSON list instead of tables.
        console: Where tables are shown.

    Raises:
        SettingsError: No account is saved.
        UnreachableError: No Prefect server or no sandbox answers.
    """
    rows = asyncio.run(_offers(project, sandbox))
    if not rows:
        raise SettingsError("no account is saved", advice="Save one with `genmedia setup`, or look at a sandbox with --sandbox.")
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            _print_offer(row, console)
    return 3 if any(row["error"] for row in rows) else 0


async def _offers(project: Project, sandbox: str) -> list[dict[str, Any]]:
    if sandbox:
        found = project.module("deployments.bootstrap").credentials_from(accounts_of(sandbox), "default")
        accounts = [Saved(one.provider, "default", one) for one in found]
    else:
        accounts = await project.module("deployments.server").saved_credentials()
    offers = await asyncio.gather(*(asked(account, lambda known: known.offer()) for account in accounts))
    return [_row(account, offer) for account, offer in zip(accounts, offers, strict=True)]


def _row(account: Saved, offer: Offer | GenmediaError) -> dict[str, Any]:
    """One element of the JSON; all keys are always there."""
    known = account.credentials
    return {
        "provider": account.provider,
        "block": account.name,
        "account": "" if isinstance(known, GenmediaError) else known.account,
        "base_url": "" if isinstance(known, GenmediaError) else known.base_url,
        **asdict(Offer(()) if isinstance(offer, GenmediaError) else offer),
        "error": f"{offer.what}. {offer.advice}" if isinstance(offer, GenmediaError) else "",
    }


def _print_offer(row: Mapping[str, Any], console: Console) -> None:
    terms = [f"plan {row['plan']}"] if row["plan"] else []
    terms += [] if row["error"] else [f"credits left: {UNKNOWN if row['credits'] is None else format(row['credits'], '.10g')}"]
    about = "  ".join([row["block"], row["base_url"], ", ".join(terms)])
    console.print(Text.assemble((row["provider"], "bold"), f"  {about.rstrip()}"), soft_wrap=True)
    for words, style in ((row["error"], "red"), (row["note"], "")):
        if words:
            console.print(f"  {words}", style=style, soft_wrap=True)
    table = Table(box=None, show_header=False, padding=(0, 0, 0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in row["products"]:
        lines = [f"{', '.join(one['takes'])} -> {', '.join(one['makes'])}, {_price(one)}"]
        lines += [f"{name}: {what}" for name, what in one["parameters"].items()]
        table.add_row(one["name"], Text("\n".join(lines)))
    console.print(table)
    console.print()


def _price(product: Mapping[str, Any]) -> str:
    return f"price {UNKNOWN}" if product["price"] is None else priced(product["price"], product["unit"])


def set_up(project: Project, *, name: str, sandbox: str, force: bool, console: Console) -> int:
    """Save a person's keys, once the providers take them, and print what is ready; returns the exit code.

    Keys come from a sandbox, or from the environment (`FLORA_API_KEY` and so on); on a terminal the missing ones are asked for. The other
    fields of a saved block are kept; see `deployments.bootstrap.merged`.

    Args:
        project: The checkout.
        name: Name of the blocks.
        sandbox: Address of a sandbox whose accounts' keys are saved; empty for the person's own keys.
        force: True to save keys that are refused or could not be tried, even over others; a key that cannot be sent is never saved, and a
            sandbox's key replaces no other.
        console: Console for the messages.

    Raises:
        InputError: A given value cannot be used.
        SettingsError: The sandbox's keys would replace one that a person saved.
        UnreachableError: No Prefect server or no sandbox answers.
    """
    check_block_name(name)
    server, bootstrap = project.module("deployments.server"), project.module("deployments.bootstrap")
    asyncio.run(server.reach_server())  # before a person types anything
    # The blocks named sandbox hold the keys that `genmedia up` saves in them, and pay with the same account.
    account = "default" if sandbox and name == bootstrap.SANDBOX else name
    environment = open_accounts(sandbox, account) if sandbox else _ask_for_keys(bootstrap.CREDENTIALS)
    try:
        given = bootstrap.credentials_from(environment, account)
        return asyncio.run(_save(server, bootstrap, given, name=name, sandbox=bool(sandbox), force=force, console=console))
    except ValidationError as error:
        faults = [Fault(f"{error.title}, {'.'.join(map(str, one['loc']))}", in_words(one)) for one in error.errors()]
        raise InputError(faults) from None


def _ask_for_keys(prefixes: Sequence[str]) -> dict[str, str]:
    environment = dict(os.environ)
    if not sys.stdin.isatty():
        return environment
    for prefix in prefixes:
        if not environment.get(f"{prefix}_API_KEY"):
            try:
                environment[f"{prefix}_API_KEY"] = getpass(
                    f"{prefix.capitalize()} API key (nothing is shown; Enter leaves it as it is): "
                ).strip()
            except EOFError:
                break
    return environment


async def _save(
    server: Any, bootstrap: Any, given: Sequence[Any], *, name: str, sandbox: bool, force: bool, console: Console
) -> int:
    there = {one.provider: one for one in await server.saved_credentials() if one.name == name}
    known = {provider: one.credentials for provider, one in there.items()}
    if sandbox and (theirs := [one.provider for one in given if _holds_another_key(known.get(one.provider), one)]):
        free = bootstrap.SANDBOX if name != bootstrap.SANDBOX else "NAME"
        raise SettingsError(
            f"the block {name} holds a key of yours for {', '.join(theirs)}, and the sandbox's go over none; nothing was saved",
            money="",
            advice=f"Save them beside it: genmedia setup --sandbox ADDRESS --name {free}.",
        )
    new = {block.provider: Saved(block.provider, name, bootstrap.merged(known.get(block.provider), block)) for block in given}
    tried = {**there, **new}
    answers = dict(
        zip(tried, await asyncio.gather(*(asked(one, lambda known: known.check()) for one in tried.values())), strict=True)
    )
    faults = {provider: answer for provider, answer in answers.items() if isinstance(answer, GenmediaError)}
    hopeless = {provider for provider in new if provider in faults and not await _can_be_sent(new[provider].credentials)}
    # A key that could not be tried may be good; it is saved where there is no other.
    left = hopeless | {
        provider
        for provider in new
        if provider in faults and not force and (isinstance(faults[provider], CredentialsError) or provider in there)
    }
    await bootstrap.bootstrap(
        name=name,
        store=bootstrap.store_from(os.environ),
        credentials=[one.credentials for provider, one in new.items() if provider not in left],
    )
    for provider in server.PROVIDERS:
        what = "saved" if provider in new and provider not in left else "not saved" if provider in left else "saved before"
        if provider not in tried:
            line = f"{provider:9} no key: set {provider.upper()}_API_KEY, or type it here on a terminal"
        elif provider in faults:
            hint = " --force saves it all the same." if provider in left - hopeless else ""
            line = f"{provider:9} NOT READY, {what}: {faults[provider].what}.{hint}"
        else:
            line = f"{provider:9} ready, {what}: the key is taken"
        console.print(line, soft_wrap=True)
    unfit = await _store_fault((await server.saved_stores())[name])
    console.print(f"store     {unfit or 'ready'}", soft_wrap=True)
    if unfit:
        return 1
    if faults:
        return 3
    return 0 if tried else 2


def _holds_another_key(known: Any, given: Any) -> bool:
    """True if a saved block holds another key than the given one, or cannot be read."""
    return known is not None and (isinstance(known, GenmediaError) or known.api_key != given.api_key)


async def _can_be_sent(credentials: Any) -> bool:
    """True if requests can carry the key; a client refuses a key that they cannot carry before it sends any request."""
    try:
        async with credentials.get_client():
            return True
    except CredentialsError:
        return False


async def _store_fault(store: Any) -> str:
    """Reason why nothing can be bought for the store of a block; empty if it takes a file and its journal is known."""
    try:
        if isinstance(store, GenmediaError):
            raise store
        async with store.get_store() as files:
            await files.check()
        async with store.get_journal():
            return ""
    except StoreError as error:
        return f"NOT READY: {error.what}. Name another place with GENMEDIA_STORE, or in the Asset Store block."
    except SettingsError as error:
        return f"NOT READY: {sentence(error.what)} {error.advice}"
