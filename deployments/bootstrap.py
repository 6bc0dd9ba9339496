"""Prepare a Prefect server for this project: register the block types, save the blocks, make the work pool, deploy its campaigns.

Run it as often as you like: `python -m deployments.bootstrap`. It takes what it saves from the environment:

- `ALGOVERA_API_KEY`, `FLORA_API_KEY`, `GENERIO_API_KEY`, `GENOVA_API_KEY`: saved in the credentials block of that provider; without one,
  that block is left as it is. Other fields of a saved block stay as they are, unless they are named here.
- `FLORA_BASE_URL` and so on: address of the provider's API; the provider's own by default.
- `FLORA_WORKSPACE`: id or name of the workspace that files are uploaded to, where the account has several.
- `FLORA_WEBHOOK_URL`, `FLORA_WEBHOOK_SECRET`: address at which FLORA tells that runs have ended, and the secret it signs that with.
- `GENOVA_PLAN`: Free, Starter, Pro or Business; Free by default.
- `GENMEDIA_STORE`: the folder or address of the Asset Store block; `media` in the project's folder where no block is saved.
- `GENMEDIA_STORE_S3_ENDPOINT`, `GENMEDIA_STORE_S3_KEY`, `GENMEDIA_STORE_S3_SECRET`, `GENMEDIA_STORE_JOURNAL` and so on: its other
  fields. What is not named stays as it is saved.
- `GENMEDIA_NOTIFY`: the notification block that the automation uses, such as `slack-webhook/team`; it is off without one.
- `GENMEDIA_SANDBOX`: 1 if the keys are a sandbox's: they are saved in blocks named `sandbox`, and in the others only if these hold no key
  of a person.
- `GENMEDIA_BLOCKS`: the name all blocks are saved under; `default` by default.
"""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import stamina
from prefect.blocks.core import Block
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from pydantic import ValidationError

import blocks
from blocks import AssetStore, load_block
from blocks.credentials import ProviderCredentials
from blocks.loading import load_all, saved_names
from deployments.automations import NAME, save_automation
from genmedia.cli.project import Project
from genmedia.errors import GenmediaError, InputError, SettingsError
from genmedia.forms.names import check_block_name
from genmedia.journal import database
from genmedia.store import Place
from genmedia.transport.origins import is_loopback
from tasks.lost_runs import end_lost_runs, tell_cut_off

WORK_POOL = "genmedia"
CREDENTIALS: dict[str, type[ProviderCredentials]] = {
    kind.get_block_type_slug().removesuffix("-credentials").upper(): kind for kind in blocks.CREDENTIALS
}
"""The credentials block of each provider, by the beginning of its variables' names: `FLORA`, `GENOVA`."""

BLOCK_TYPES: tuple[type[Block], ...] = (*CREDENTIALS.values(), AssetStore)
RUNS_AT_ONCE = 8
"""Most runs that one machine starts at once, unless a person has set a limit; each is a process of about 150 MB."""

SANDBOX = "sandbox"
"""The name of the blocks that hold the keys of the sandbox of `genmedia up`."""

FORMER = {
    "image-batch/still-life": "pictures",
    "technique-chain/poster": "`genmedia run poster`",
    "long-video/teaser": "videos",
    "template-run/model": "3d-models",
    "account-report/account": "genova-account",
    "key-rotation/rotate-key": "`genmedia run rotate-key`",
    "harvest/open-jobs": "recovery",
    "resolutions/in-doubt": "settle-doubts",
}
"""Former names of this project's deployments, each with its replacement."""

PROJECT = Path(__file__).resolve().parent.parent


async def bootstrap(
    *,
    name: str = "default",
    store: Mapping[str, str] | None = None,
    credentials: Sequence[ProviderCredentials] = (),
    notify: str = "",
    sandbox: bool = False,
) -> list[str]:
    """Register the block types, save blocks under `name`, make work pool and automation, end runs whose process is gone.

    Args:
        name: Name of the blocks.
        store: Fields of the Asset Store block; the others stay as they are saved.
        credentials: Credentials to save; blocks of other providers, and fields that are not set here, stay as they are.
        notify: A notification block; see `save_automation`.
        sandbox: True if the keys are a sandbox's on the one machine that runs everything: they are also saved in blocks of their own, and
            replace no key but an earlier one of the sandbox; and `RUNS_AT_ONCE` limits the runs, unless a person has set a limit.

    Returns:
        Lines that say what was done.

    Raises:
        SettingsError: The store's address cannot be used, or there is no such notification block; or a block named `sandbox`, which is for
            keys of the sandbox alone, holds a key of a person.
        ValidationError: Another field of the store cannot be used.
    """
    async with get_client() as client:
        await asyncio.gather(*(_register(kind, client) for kind in BLOCK_TYPES))
        with suppress(ObjectNotFound):  # their base class, which servers of this project once registered as a type
            await client.delete_block_type((await client.read_block_type_by_slug("providercredentials")).id)
        try:
            await client.create_work_pool(WorkPoolCreate(name=WORK_POOL, type="process"))
            done = [f"work pool {WORK_POOL}: made"]
        except ObjectAlreadyExists:
            done = [f"work pool {WORK_POOL}: is there"]
        if sandbox:
            queue = await client.read_work_queue_by_name("default", WORK_POOL)
            if queue.concurrency_limit is None:
                await client.update_work_queue(queue.id, concurrency_limit=RUNS_AT_ONCE)
    done.append(f"Asset Store block {name}: {await _save_store(name, store or {})}")
    given = {type(block): block for block in credentials}
    for prefix, kind in CREDENTIALS.items():
        if kind not in given:
            done.append(f"{kind.get_block_type_slug()} block {name}: left as it is; set {prefix}_API_KEY to save it")
    done += await asyncio.gather(*(_save_credentials(block, name, sandbox=sandbox) for block in given.values()))
    done += [f"deployment {name}: taken away, {FORMER[name]} is in its place" for name in await _retire()]
    done.append(f"automation {NAME!r}: {await save_automation(PROJECT, notify)}")
    if cut_off := await end_lost_runs():
        done.append(f"runs: {tell_cut_off(cut_off, pages=True)}")
    return done


async def _save_credentials(block: ProviderCredentials, name: str, *, sandbox: bool) -> str:
    """Save credentials; a sandbox's key replaces no key of a person. Returns what was done."""
    kind = type(block)
    there = {one: found for _, one, found in await load_all([kind])}
    theirs, room = sandbox and not _is_the_sandboxes(there, name), sandbox and _is_the_sandboxes(there, SANDBOX)
    if theirs and name == SANDBOX:
        raise SettingsError(
            f"the {kind.get_block_type_slug()} block {SANDBOX} holds a key of yours, and the sandbox's go by that name",
            advice="Save yours under another name in the Prefect UI (Blocks), and delete this one.",
        )
    for one in dict.fromkeys([name] * (not theirs) + [SANDBOX] * room):
        await _save(merged(there.get(one), block), one)
    what = f"yours; {SANDBOX} {'has the key' if room else 'is yours too'}" if theirs else "saved"
    return f"{kind.get_block_type_slug()} block {name}: {what}"


@stamina.retry(on=ObjectAlreadyExists)
async def _register(kind: type[Block], client: PrefectClient) -> None:
    """Register a block type; retry when another process registers it at the same time."""
    await kind.register_type_and_schema(client=client)  # pyright: ignore[reportGeneralTypeIssues] # typed as sync or async


@stamina.retry(on=ObjectAlreadyExists)
async def _save(block: Block, name: str) -> None:
    """Save a block; retry when another process saves it at the same time."""
    await block.asave(name, overwrite=True)


async def _retire() -> list[str]:
    """Delete deployments that have another name now, but none that is declared or has a person's active schedule; returns their names."""
    declared = {f"{one.flow_name}/{one.name}" for one in Project(PROJECT).deployments}
    gone: list[str] = []
    async with get_client() as client:
        for name in FORMER.keys() - declared:
            try:
                there = await client.read_deployment_by_name(name)
            except ObjectNotFound:
                continue
            scheduled = any(one.active and one.slug != "quarter-hourly" for one in there.schedules)
            if is_of(PROJECT, there) and not scheduled:
                await client.delete_deployment(there.id)
                gone.append(name)
    return sorted(gone)


def is_of(project: Path, deployment: DeploymentResponse) -> bool:
    """True if a deployment's runs work in this folder."""
    steps = [options for step in deployment.pull_steps or () for options in step.values()]
    return any(options.get("directory") == str(project) for options in steps)


def _is_the_sandboxes(there: Mapping[str, ProviderCredentials | GenmediaError], name: str) -> bool:
    """True if a block holds no key of a person: it does not exist, or has the key and the loopback address of the block `sandbox`."""
    mine, known = there.get(SANDBOX), there.get(name)
    if known is None or isinstance(known, GenmediaError) or mine is None or isinstance(mine, GenmediaError):
        return known is None
    return is_loopback(known.base_url) and (known.api_key, known.base_url) == (mine.api_key, mine.base_url)


def merged(known: ProviderCredentials | GenmediaError | None, given: ProviderCredentials) -> ProviderCredentials:
    """Return a saved block with the new key and the other fields that are set. The account's name stays: the journal keeps purchases by it.

    The other fields stay too. But if the saved address is that of a sandbox on this machine, address and plan are those of the new block, and
    so are the webhooks, unless it has the same address.
    """
    if known is None or isinstance(known, GenmediaError):
        return given
    its_own = {"base_url", "plan"} | ({"webhook_url", "webhook_secret"} if known.base_url != given.base_url else set[str]())
    of_a_sandbox = its_own & type(given).model_fields.keys() if is_loopback(known.base_url) else set[str]()
    told = given.model_fields_set - {"account"} | of_a_sandbox
    return known.model_copy(update={field: getattr(given, field) for field in told})


async def _save_store(name: str, given: Mapping[str, str]) -> str:
    """Save the Asset Store block with the given fields; returns its address."""
    is_saved = name in await saved_names(AssetStore)
    own = await load_block(AssetStore, name) if is_saved else AssetStore(root=str(PROJECT / "media"))
    store = AssetStore.model_validate({**{field: getattr(own, field) for field in AssetStore.model_fields}, **_absolute(given)})
    address = store.below(PROJECT).root  # an invalid address is refused before anything is saved
    if store != own or not is_saved:
        await _save(store, name)
    return address


def _absolute(given: Mapping[str, str]) -> Mapping[str, str]:
    """Return the fields with relative addresses taken as below the folder that this process works in."""
    here, meant = Path.cwd(), dict(given)
    if "root" in given:
        place = Place(given["root"]).below(here)
        meant["root"] = place.root if place.is_address else str(Path(place.root).expanduser())
    if "journal" in given:
        meant["journal"] = database.below(given["journal"], here)
    return meant


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
            for field in ("api_key", "base_url", "plan", "workspace", "webhook_url", "webhook_secret")
            if field in kind.model_fields and environment.get(f"{prefix}_{field.upper()}")
        }
        if "api_key" in values:
            found.append(kind.model_validate({**values, "account": account}))
    return found


def _deploy_campaigns() -> list[str]:
    """Deploy the campaigns that prefect.yaml names; what a person has deployed under the name of one is left as it is."""
    from deployments.deploying import deploy  # noqa: PLC0415 # it imports this module

    try:
        changes = deploy(map(str, Project(PROJECT).campaigns))
    except InputError as error:
        return [f"campaigns: left as they are: {fault}" for fault in error.faults]
    return [f"campaign {campaign}: {line}" for campaign, lines in changes.items() for line in lines or ["is there"]]


def main() -> int:
    """Save what the environment names, and deploy the campaigns that prefect.yaml names; returns the exit code."""
    name = os.environ.get("GENMEDIA_BLOCKS") or "default"
    try:
        check_block_name(name)
        credentials = credentials_from(os.environ, name)
        done = asyncio.run(
            bootstrap(
                name=name,
                store=store_from(os.environ),
                credentials=credentials,
                notify=os.environ.get("GENMEDIA_NOTIFY", ""),
                sandbox=os.environ.get("GENMEDIA_SANDBOX") == "1",
            )
        )
        done += _deploy_campaigns()
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
