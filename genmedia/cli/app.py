"""The command line `genmedia`."""

import logging
import os
import signal
import sys
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from traceback import format_exception
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from genmedia import __version__
from genmedia.cli import exit_codes
from genmedia.cli.output import Output
from genmedia.cli.printing import Console, complain
from genmedia.errors import ApiError, BudgetError, Fault, GenmediaError, InputError, JournalError, SettingsError
from genmedia.garbage import collect_seldom

if TYPE_CHECKING:
    from genmedia.cli.flow_runs import Directly
    from genmedia.cli.project import Project
    from genmedia.cli.where import Where

_EXTRAS = {"prefect": "prefect", "uvicorn": "sandbox", "httptools": "sandbox"}
"""Modules that some commands need, each with the extra of genmedia that installs it."""

app = App(
    name="genmedia",
    version=__version__,
    help="Buy pictures, videos and 3D models: paid once, never lost, always seen.",
    help_format="plaintext",  # Markdown's parser would take a third of the time that help takes
    help_epilogue=exit_codes.EVERY,
    suppress_keyboard_interrupt=False,
)

ProjectFolder = Annotated[Path | None, Parameter(help="The project's folder; found upwards from here by default.")]
SandboxAddress = Annotated[
    str, Parameter(help="Address of a running sandbox, such as http://127.0.0.1:4280.", show_default=False)
]
Variables = Annotated[tuple[str, ...], Parameter(name="--set", negative=(), show_default=False)]
Rows = Annotated[tuple[str, ...], Parameter(name="--row", negative=(), show_default=False)]
AsJson = Annotated[bool, Parameter(name="--json", negative=(), help="Print JSON.", show_default=False)]

SourceType = Literal[
    "trainedAlgorithmicMedia",
    "compositeWithTrainedAlgorithmicMedia",
    "compositeSynthetic",
    "algorithmicMedia",
    "algorithmicallyEnhanced",
    "composite",
    "digitalCreation",
    "digitalCapture",
    "humanEdits",
]
"""IPTC's digital source types that can be those of a generated file, or of one that was made of photos."""


@Parameter(name="*")
@dataclass(frozen=True)
class OneStore:
    """Options of commands about one store."""

    store: Annotated[str, Parameter(help="The Asset Store block.")] = "default"
    folder: Annotated[
        Path | None, Parameter(help="In its stead, a store's folder; needs neither Prefect nor a project.", show_default=False)
    ] = None
    project: ProjectFolder = None

    def find(self) -> "Where":
        """Return the store that the options mean."""
        from genmedia.cli.where import Where  # noqa: PLC0415

        _mute_prefect()
        return Where(self.store, self.folder, self.project)


@Parameter(name="*")
@dataclass(frozen=True)
class AnyStore(OneStore):
    """Options of commands about the journals of all stores, or of one."""

    store: Annotated[
        str,
        Parameter(help="Only the journal of this Asset Store block; by default those of all that are saved.", show_default=False),
    ] = ""


ONE_STORE, ALL_STORES = OneStore(), AnyStore()


@app.command
def sandbox(
    *,
    port: Annotated[int, Parameter(help="Port of the APIs; 0 takes any free one.")] = 4280,
    fd: Annotated[int | None, Parameter(show=False)] = None,
    media_port: Annotated[
        int | None, Parameter(help="Port that outputs are served from; by default the next one, or any if that is taken.")
    ] = None,
    clock_scale: Annotated[float, Parameter(help="How many times faster than real time jobs run.")] = 1.0,
    size: Annotated[int, Parameter(help="Longest side of rendered pictures, in pixels.")] = 768,
    seed: Annotated[int, Parameter(help="Makes durations and failures repeat.")] = 0,
    input_origin: Annotated[tuple[str, ...], Parameter(help="A further origin that inputs may be at.")] = (),
    profile: Annotated[
        Literal["documents", "today"],
        Parameter(help="The APIs as their documents describe them, or as their own clients see them today."),
    ] = "documents",
    switch: Annotated[
        tuple[str, ...], Parameter(help="Behaviour of all accounts, such as flora.assets=true or flora.casing=snake.")
    ] = (),
) -> None:
    """Serve all providers on this machine, without a key and without a network."""
    from pydantic import ValidationError  # noqa: PLC0415 # `--help` should not wait for what only one command needs

    from genmedia.forms.validation import in_words  # noqa: PLC0415
    from genmedia.sandbox.server import PROVIDERS, SandboxOptions, run  # noqa: PLC0415

    try:
        run(
            SandboxOptions(
                port=port,
                fd=fd,
                media_port=media_port,
                clock_scale=clock_scale,
                size=size,
                seed=seed,
                input_origins=input_origin,
                profile=profile,
                switches=_switches(switch, {kind.name for kind in PROVIDERS}),
            )
        )
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))} {in_words(fault)}" for fault in error.errors())
        raise SettingsError(f"the sandbox cannot be started so: {faults}", advice="See `genmedia sandbox --help`.") from None


@app.command
def demo(*, live: bool = False, project: ProjectFolder = None) -> int:
    """Run a campaign over all four providers, in a sandbox; see it in a gallery.

    Args:
        live: Pay with the keys in the environment, such as FLORA_API_KEY, at the providers themselves; README.md tells the caps.
        project: The project's folder.
    """
    from genmedia.cli.demo import run_demo  # noqa: PLC0415
    from genmedia.cli.project import find_project  # noqa: PLC0415

    return run_demo(find_project(project), Console(), live=live)


@app.command
def up(*, project: ProjectFolder = None) -> int:
    """Run Prefect, a sandbox and a worker with all deployments on this machine, until Ctrl-C."""
    from genmedia.cli.project import find_project  # noqa: PLC0415
    from genmedia.cli.up import run_up  # noqa: PLC0415

    for module in _EXTRAS:  # in processes of their own they would only say that they did not start
        if not find_spec(module):
            raise ModuleNotFoundError(name=module)
    return run_up(find_project(project))


def _names(_: object) -> list[str]:
    from genmedia.cli.flow_runs import names  # noqa: PLC0415
    from genmedia.cli.project import find_project  # noqa: PLC0415

    return names(find_project())


@app.command
def webhooks(
    *,
    host: Annotated[str, Parameter(help="IP address to listen at.")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="Port to listen at; 0 takes any free one.")] = 4290,
    fd: Annotated[int | None, Parameter(show=False)] = None,
    behind_tls: Annotated[
        bool,
        Parameter(
            negative=(), help="Listen at a --host beyond this machine, for a TLS server on another one.", show_default=False
        ),
    ] = False,
    where: AnyStore = ALL_STORES,
) -> None:
    """Have jobs looked at as soon as their provider tells that they have ended, until Ctrl-C; docs/webhooks.md tells how.

    It believes deliveries of the saved accounts that have a secret for webhooks, or, with --folder, of those whose keys are in the
    environment, such as FLORA_API_KEY and FLORA_WEBHOOK_SECRET. It reads both when it starts, in the project's folder.
    """
    from genmedia.cli.webhooks import receive_webhooks  # noqa: PLC0415

    receive_webhooks(where.find(), host, port, behind_tls=behind_tls, fd=fd)


@app.command(help_flags=(), version_flags=())
def run(
    name: Annotated[str, Parameter(allow_leading_hyphen=True, completer=_names)] = "--help",
    /,
    *parameters: Annotated[str, Parameter(allow_leading_hyphen=True)],
    without_prefect: Annotated[bool, Parameter(negative=())] = False,
    sandbox: SandboxAddress = "",
    folder: str = "",
    project: ProjectFolder = None,
) -> int:
    """Run a flow with its progress on this terminal; `genmedia run --help` lists the flows.

    Args:
        name: A flow, or a deployment in prefect.yaml, whose parameters are the preset.
        parameters: Of the flow; see `genmedia run NAME --help`.
        without_prefect: Run it in this process alone, with no server; the keys in the environment pay, such as FLORA_API_KEY.
        sandbox: Without Prefect: the sandbox at this address is paid instead.
        folder: Without Prefect: the store, a folder or an address; by default GENMEDIA_STORE, or media in the project's folder.
        project: The project's folder.
    """
    from genmedia.cli.flow_runs import run as run_flow  # noqa: PLC0415

    directly = _directly("run", sandbox, folder, without_prefect=without_prefect)
    return run_flow(_project(project), [name, *parameters], Console(), directly)


@app.command
def init(
    given: Annotated[Path, Parameter(name="FOLDER|TABLE", help="A folder of photos, or a CSV or JSONL file.")] = Path("photos"),
    /,
    *,
    out: Annotated[Path, Parameter(help="The file; one that is there is never written over.")] = Path("campaign.yaml"),
    project: ProjectFolder = None,
) -> None:
    """Write a first campaign's file, with comments, of a folder of photos or a table."""
    from genmedia.cli.init import write_first  # noqa: PLC0415
    from genmedia.cli.project import find_project  # noqa: PLC0415

    write_first(find_project(project), given, out, Console())


@app.command(help_epilogue=exit_codes.tell_codes(exit_codes.OF_PLAN))
def plan(
    file: str,
    /,
    *,
    variables: Variables = (),
    rows: Rows = (),
    out: Annotated[Path | None, Parameter(show_default=False)] = None,
    items: Annotated[bool, Parameter(negative=())] = False,
    json: AsJson = False,
    rehearse: Annotated[bool, Parameter(negative=())] = False,
    without_prefect: Annotated[bool, Parameter(negative=())] = False,
    sandbox: SandboxAddress = "",
    folder: str = "",
    project: ProjectFolder = None,
) -> int:
    """Show what a campaign's file would make, why, and what it costs; buys nothing.

    Args:
        file: A campaign, as YAML or JSON.
        variables: A value of a variable of the file, such as product=cup; may be given several times.
        rows: Name of a row: only its items are meant, and what they are made of; may be given several times.
        out: A file for the plan, which `genmedia apply` carries out as it is.
        items: List every item, also what is there already.
        json: Print JSON.
        rehearse: Carry all of it out in a sandbox that is started for it and runs fast, into --folder or a temporary folder.
        without_prefect: Plan with the keys in the environment instead of saved blocks.
        sandbox: Without Prefect: the sandbox at this address would be paid instead.
        folder: Without Prefect: the store, a folder or an address.
        project: The project's folder.
    """
    from genmedia.cli import campaigns  # noqa: PLC0415

    if rehearse:
        from genmedia.cli.rehearsal import rehearse as rehearse_file  # noqa: PLC0415

        if out or json or items or sandbox:
            raise InputError([Fault("genmedia plan --rehearse", "goes with --set, --row, --folder and --without-prefect alone")])
        values = campaigns.values_of(variables)
        return rehearse_file(_project(project), file, values, rows, Console(), folder, without_prefect=without_prefect)
    directly = _directly("plan", sandbox, folder, without_prefect=without_prefect)
    return campaigns.plan(
        _project(project), file, Console(), directly, typed=variables, rows=rows, out=out, as_json=json, items=items
    )


@app.command(help_epilogue=exit_codes.tell_codes(exit_codes.OF_APPLY))
def apply(
    file: str,
    /,
    *,
    variables: Variables = (),
    rows: Rows = (),
    yes: Annotated[bool, Parameter(negative=())] = False,
    without_prefect: Annotated[bool, Parameter(negative=())] = False,
    sandbox: SandboxAddress = "",
    folder: str = "",
    project: ProjectFolder = None,
) -> int:
    """Show the plan of a campaign's file, ask, and make what is not there yet; applying it again goes on where it stopped.

    Args:
        file: A campaign, as YAML or JSON; or a plan that `genmedia plan --out` saved: it is carried out as it is, or refused as stale.
        variables: A value of a variable of the file, such as product=cup; may be given several times.
        rows: Name of a row: only its items are made, and what they are made of; may be given several times.
        yes: Ask nothing.
        without_prefect: Run it in this process alone, with no server; the keys in the environment pay.
        sandbox: Without Prefect: the sandbox at this address is paid instead.
        folder: Without Prefect: the store, a folder or an address.
        project: The project's folder.
    """
    from genmedia.cli import campaigns  # noqa: PLC0415

    directly = _directly("apply", sandbox, folder, without_prefect=without_prefect)
    return campaigns.apply(_project(project), file, Console(), directly, typed=variables, rows=rows, yes=yes)


@app.command
def deploy(
    files: Annotated[tuple[str, ...], Parameter(help="Campaigns, as YAML or JSON.", consume_multiple=True)],
    /,
    *,
    project: ProjectFolder = None,
) -> None:
    """Have Prefect run campaigns as their files say: by a form of their variables, on their schedule, telling whom they notify.

    Again, it changes what has changed in the file; what a person paused or added in the Prefect UI stays.
    """
    from genmedia.cli import campaigns  # noqa: PLC0415

    campaigns.deploy(_project(project), files, Console())


@app.command
def undeploy(
    campaign: Annotated[str, Parameter(help="The campaign's file, or its name.")],
    /,
    *,
    project: ProjectFolder = None,
) -> None:
    """Remove what `genmedia deploy` made of a campaign; what was bought stays."""
    from genmedia.cli import campaigns  # noqa: PLC0415

    campaigns.undeploy(_project(project), campaign, Console())


def _directly(command: str, sandbox: str, folder: str, *, without_prefect: bool) -> "Directly | None":
    """Return the options of a run without Prefect; None for one with it."""
    from genmedia.cli.flow_runs import Directly  # noqa: PLC0415

    if (sandbox or folder) and not without_prefect:
        what = "--sandbox and --folder are for --without-prefect: a Prefect run uses saved blocks"
        raise InputError([Fault(f"genmedia {command}", what)])
    if not without_prefect:
        return None
    if folder:
        from genmedia.store import Place  # noqa: PLC0415

        folder = Place(folder).below(Path.cwd()).root  # the flow runs in the project's folder
    return Directly(sandbox, folder)


@app.command
def setup(
    *,
    name: Annotated[str, Parameter(env_var="GENMEDIA_BLOCKS", help="What the blocks are called.")] = "default",
    sandbox: SandboxAddress = "",
    force: Annotated[bool, Parameter(negative=(), help="Save keys that are refused as well.", show_default=False)] = False,
    project: ProjectFolder = None,
) -> int:
    """Save the keys of your accounts in Prefect, once the providers take them.

    Keys are taken from the environment (FLORA_API_KEY and so on); on a terminal, those that are missing are asked for.
    """
    from genmedia.cli.accounts import set_up  # noqa: PLC0415

    return set_up(_project(project), name=name, sandbox=sandbox, force=force, console=Console())


@app.command
def providers(*, json: AsJson = False, sandbox: SandboxAddress = "", project: ProjectFolder = None) -> int:
    """Show what your accounts offer: models, techniques and templates, plan and credits."""
    from genmedia.cli.accounts import show_offers  # noqa: PLC0415

    return show_offers(_project(project), sandbox=sandbox, as_json=json, console=Console())


@app.command
def doctor(*, json: AsJson = False, project: ProjectFolder = None) -> int:
    """Check everything that a run needs: Prefect, keys, stores, media libraries, clocks. It costs nothing."""
    from genmedia.cli.doctor import examine  # noqa: PLC0415

    _mute_prefect()
    return examine(project, as_json=json)


journal = App(name="journal", help="Look after the journal of what was bought.", version_flags=())
app.command(journal)


@journal.default
def show_journal(
    *,
    in_doubt: Annotated[
        bool, Parameter(negative=(), help="Only those of which it is not known whether they were made.", show_default=False)
    ] = False,
    paid_without_file: Annotated[
        bool, Parameter(negative=(), help="Only what is paid for and gives no file, with what the provider said last.")
    ] = False,
    json: AsJson = False,
    where: OneStore = ONE_STORE,
) -> None:
    """Show what is open: asked for, or bought, and not in the store yet."""
    from genmedia.cli.journal import show_open, show_paid_without_file  # noqa: PLC0415

    if paid_without_file:
        show_paid_without_file(where.find(), as_json=json, console=Console())
        return
    show_open(where.find(), in_doubt=in_doubt, as_json=json, console=Console())


@journal.command
def resolve(
    key: Annotated[str, Parameter(help="The submission key, or its beginning.")],
    /,
    *,
    job: Annotated[str | None, Parameter(help="It was bought: the provider's id of the job.", show_default=False)] = None,
    not_bought: Annotated[bool, Parameter(negative=(), help="It was not bought, and costs nothing.", show_default=False)] = False,
    lost: Annotated[bool, Parameter(negative=(), help="Write it off: it counts as spent.", show_default=False)] = False,
    where: OneStore = ONE_STORE,
) -> None:
    """Say what became of a purchase that is in doubt: one of --job, --not-bought and --lost; --lost of any that gives no file."""
    from genmedia.cli.journal import resolve  # noqa: PLC0415

    resolve(where.find(), key, job=job, not_bought=not_bought, lost=lost, console=Console())


@journal.command
def backup(file: Annotated[Path, Parameter(help="A file that is not there yet.")], /, *, where: OneStore = ONE_STORE) -> None:
    """Write a copy of the journal, while others go on with it. To restore it, put it in its place, then `genmedia journal rebuild`."""
    from genmedia.cli.journal import back_up  # noqa: PLC0415

    back_up(where.find(), file, Console())


@journal.command
def rebuild(*, where: OneStore = ONE_STORE) -> int:
    """Write into the journal what the sidecars of a store tell; what it knows stays as it is. It costs nothing."""
    from genmedia.cli.provenance import rebuild as rebuild_from_sidecars  # noqa: PLC0415

    return rebuild_from_sidecars(where.find(), Console())


@app.command
def status(
    campaign: Annotated[str, Parameter(help="Name of the campaign; all of them by default.", show_default=False)] = "",
    /,
    *,
    watch: Annotated[bool, Parameter(negative=(), help="Show it anew each second, until nothing is open.")] = False,
    json: AsJson = False,
    where: OneStore = ONE_STORE,
) -> int:
    """Show how a campaign stands: what is stored, runs, waits or failed, and what it cost; or all campaigns in a line each.

    It reads the journal alone, and asks no provider.
    """
    from genmedia.cli.status import show_status  # noqa: PLC0415

    return show_status(where.find(), campaign, watch=watch, as_json=json, console=Console())


@app.command
def lineage(
    file: Annotated[str, Parameter(help="A path in the store, a file on this machine, or the beginning of a SHA-256.")],
    /,
    *,
    json: AsJson = False,
    where: OneStore = ONE_STORE,
) -> None:
    """Show what a file was made of, back to photos and texts, and what was made of it."""
    from genmedia.cli.provenance import show_lineage  # noqa: PLC0415

    show_lineage(where.find(), file, as_json=json, console=Console())


@app.command
def gallery(
    *,
    output: Annotated[
        Path | None, Parameter(help="A folder for a page whose pictures are read by signed links.", show_default=False)
    ] = None,
    days: Annotated[float, Parameter(help="With --output: how long the links live, at most 7; write the page anew then.")] = 7,
    where: OneStore = ONE_STORE,
) -> None:
    """Draw the gallery of a store anew; of a private bucket as a page on this machine."""
    from genmedia.cli.provenance import draw_gallery  # noqa: PLC0415

    draw_gallery(where.find(), output, days, Console())


Campaign = Annotated[str, Parameter(help="Only this campaign; all by default.", show_default=False)]


@app.command
def review(
    campaign: Campaign = "",
    /,
    *,
    port: Annotated[int, Parameter(help="Port to listen at; 0 takes any free one.")] = 0,
    share: Annotated[
        bool, Parameter(negative=(), help="Listen beyond this machine, and ask for a password.", show_default=False)
    ] = False,
    host: Annotated[
        str, Parameter(help="With --share: the IPv4 address to listen at; all of this machine's by default.", show_default=False)
    ] = "",
    where: OneStore = ONE_STORE,
) -> None:
    """Serve the gallery, in which people keep, retake and reject; their verdicts stand in the journal at once. Until Ctrl-C.

    Only who has the link gets in. With --share it is a password, from GENMEDIA_REVIEW_PASSWORD, else asked for on a terminal, else made up.
    """
    from genmedia.cli.review import serve_gallery  # noqa: PLC0415

    serve_gallery(where.find(), campaign, port, share=share, host=host)


Item = Annotated[
    str,
    Parameter(
        name="ITEM",
        required=True,
        help="A path in the store, a file of it on this machine, or CAMPAIGN/STEP, which means what it gave last.",
    ),
]
Why = Annotated[str, Parameter(help="Why, for all who look at it.", show_default=False)]
As = Annotated[str, Parameter(name="--as", help="Who says it; your login name by default.", show_default=False)]


@app.command
def keep(*items: Item, why: Why = "", as_: As = "", where: OneStore = ONE_STORE) -> None:
    """Say of assets that they are to be kept; the verdict stands in the journal."""
    _give(where, items, "keep", as_, why)


@app.command
def reject(*items: Item, why: Why, as_: As = "", where: OneStore = ONE_STORE) -> None:
    """Say of assets that they are not to be used: nothing is made of them, nor are they bought again."""
    _give(where, items, "reject", as_, why)


@app.command
def retake(
    *items: Item,
    why: Why,
    prompt: Annotated[str, Parameter(help="Prompt of the new take; that of before by default.", show_default=False)] = "",
    seed: Annotated[
        int | None,
        Parameter(help="Seed of the new take, where the request names one: the same gives the same.", show_default=False),
    ] = None,
    as_: As = "",
    where: OneStore = ONE_STORE,
) -> None:
    """Say of assets that they are to be bought again: a run with `marks: journal` buys another take."""
    _give(where, items, "retake", as_, why, prompt, seed)


def _give(
    where: OneStore,
    items: tuple[str, ...],
    verdict: Literal["keep", "retake", "reject"],
    who: str,
    why: str,
    prompt: str = "",
    seed: int | None = None,
) -> None:
    from genmedia.cli.reviewing import give_verdict, own_name  # noqa: PLC0415
    from genmedia.journal.reviews import Opinion  # noqa: PLC0415

    if verdict != "keep" and not why.strip():
        raise InputError([Fault("--why", f"is empty; say why, for all who look at it: genmedia {verdict} ITEM --why TEXT")])
    give_verdict(where.find(), items, Opinion(verdict, who or own_name(), why, prompt, seed), Console())


@app.command
def verdicts(
    campaign: Campaign = "",
    /,
    *,
    history: Annotated[
        bool, Parameter(negative=(), help="All that was said, comments as well, not only what counts now.", show_default=False)
    ] = False,
    json: AsJson = False,
    where: OneStore = ONE_STORE,
) -> None:
    """List the verdicts that count, with who gave them, when and why."""
    from genmedia.cli.reviewing import show_verdicts  # noqa: PLC0415

    show_verdicts(where.find(), campaign, history=history, as_json=json, console=Console())


@app.command
def manifest(
    *,
    output: Annotated[Path | None, Parameter(help="Where it goes; standard output by default.", show_default=False)] = None,
    where: OneStore = ONE_STORE,
) -> None:
    """List everything in a store as CSV: a line for each file, with its request, cost and hash."""
    from genmedia.cli.provenance import save_manifest  # noqa: PLC0415

    save_manifest(where.find(), output)


@app.command
def deliver(
    campaign: Annotated[str, Parameter(help="The campaign, chain or batch, as the gallery names it.")],
    /,
    *,
    to: Annotated[str, Parameter(help="A folder, or an address such as s3://bucket/folder.")],
    names: Annotated[
        str,
        Parameter(
            help="Template of the names, such as '{client}/{step}-{n}.{ext}'; by default step, take and number.",
            show_default=False,
        ),
    ] = "",
    step: Annotated[
        tuple[str, ...], Parameter(negative=(), help="Only what this step gave; may be repeated.", show_default=False)
    ] = (),
    format: Annotated[  # noqa: A002 # the option's name
        tuple[Literal["jpg", "png", "webp", "tif"], ...],
        Parameter(negative=(), help="Type of the pictures; may be repeated. As they are stored by default.", show_default=False),
    ] = (),
    max_side: Annotated[int | None, Parameter(help="Most pixels of a picture's longer side.", show_default=False)] = None,
    title: Annotated[
        str, Parameter(help="Template of the titles in the labels, such as '{{ client }}, {{ step }}'.", show_default=False)
    ] = "",
    creator: Annotated[str, Parameter(help="Who made the files, for their labels.", show_default=False)] = "",
    rights: Annotated[str, Parameter(help="Notice of copyright, for their labels.", show_default=False)] = "",
    source_type: Annotated[
        SourceType | None,
        Parameter(
            help="IPTC's digital source type; by default what a file names, else trainedAlgorithmicMedia.", show_default=False
        ),
    ] = None,
    marks: Annotated[
        str,
        Parameter(
            help="A file of marks out of the gallery, by which reject and retake are left out; else the verdicts in the journal.",
            show_default=False,
        ),
    ] = "",
    zip: Annotated[bool, Parameter(negative=(), help="All of it in one zip as well.", show_default=False)] = False,  # noqa: A002 # the option's name
    prune: Annotated[
        bool, Parameter(negative=(), help="Remove what earlier deliveries put there and this one has not.", show_default=False)
    ] = False,
    dry_run: Annotated[bool, Parameter(negative=(), help="Only tell what would be done.", show_default=False)] = False,
    json: AsJson = False,
    where: OneStore = ONE_STORE,
) -> int:
    """Copy what a campaign gave to a place of your own: named, labelled, with a manifest and a page. Run again, it moves what changed.

    The keys of a bucket are what AWS tools use here, or GENMEDIA_DELIVERY_S3_KEY, _S3_SECRET, _S3_ENDPOINT and _S3_REGION; fsspec's options
    for other addresses are GENMEDIA_DELIVERY_OPTIONS. docs/delivery.md tells the names that a template may have.
    """
    from genmedia.cli.delivery import Asked, deliver_campaign  # noqa: PLC0415

    asked = Asked(
        campaign=campaign,
        to=to,
        names=names,
        steps=step,
        formats=format,
        max_side=max_side,
        title=title,
        creator=creator,
        rights=rights,
        source_type=source_type or "",
        marks=marks,
        package=zip,
    )
    return deliver_campaign(where.find(), asked, prune=prune, dry_run=dry_run, as_json=json, console=Console())


@app.command
def forget(
    file: Annotated[str, Parameter(help="A path in the store, or a file of it on this machine.")],
    /,
    *,
    yes: Annotated[bool, Parameter(negative=(), help="Do not ask.", show_default=False)] = False,
    where: OneStore = ONE_STORE,
) -> int:
    """Remove a file for good, with its prompt and all that was made to show it; it is neither fetched nor bought again."""
    from genmedia.cli.forgetting import forget_asset  # noqa: PLC0415

    return forget_asset(where.find(), file, yes=yes, console=Console())


caps = App(name="caps", help="Show and set what each account may spend, in its own credits.", version_flags=())
app.command(caps)

AccountName = Annotated[
    str,
    Parameter(help="A provider, provider/BLOCK such as flora/studio, or one with its host such as flora/studio@127.0.0.1:4280."),
]
Amount = Annotated[float | None, Parameter(show_default=False)]


@caps.default
def show_caps(*, json: AsJson = False, where: AnyStore = ALL_STORES) -> int:
    """Show the caps of all accounts."""
    from genmedia.cli.money import show_caps  # noqa: PLC0415

    return show_caps(where.find(), as_json=json, console=Console())


@caps.command(name="set")
def set_caps(
    account: AccountName,
    /,
    *,
    day: Amount = None,
    month: Amount = None,
    campaign: Amount = None,
    total: Amount = None,
    failures: Annotated[int | None, Parameter(show_default=False)] = None,
    unit: Literal["credits", "USD"] = "credits",
    where: AnyStore = ALL_STORES,
) -> int:
    """Set what an account may spend; caps that are not named stay as they are.

    Args:
        account: The account.
        day: In a day, which begins at midnight in the zone that GENMEDIA_TIME_ZONE names, such as Europe/Berlin; UTC by default.
        month: In a month.
        campaign: For any one campaign.
        total: For everything, from the beginning of the journal.
        failures: How many failures in a row that cost something hold the account; 5 by default, 0 for never.
        unit: What the amounts are in: USD where the provider names its prices in that, as FLORA does today.
        where: The journals.
    """
    from genmedia.cli.money import Scope, set_caps  # noqa: PLC0415

    given = {
        Scope.DAY: day,
        Scope.MONTH: month,
        Scope.CAMPAIGN: campaign,
        Scope.TOTAL: total,
        Scope.FAILURES: failures,
    }
    amounts = {scope: amount for scope, amount in given.items() if amount is not None}
    return set_caps(where.find(), account, amounts, Console(), unit=unit)


@caps.command(name="remove")
def remove_caps(
    account: AccountName,
    /,
    *which: Annotated[Literal["day", "month", "campaign", "total", "failures"], Parameter(help="Which; all by default.")],
    where: AnyStore = ALL_STORES,
) -> int:
    """Take away caps of an account."""
    from genmedia.cli.money import Scope, set_caps  # noqa: PLC0415

    amounts = dict.fromkeys(map(Scope, which or list(Scope)))
    return set_caps(where.find(), account, amounts, Console())


@app.command
def hold(
    account: AccountName = "",
    /,
    *,
    reason: Annotated[str, Parameter(help="Why; it is written into the journal.", show_default=False)] = "",
    release: Annotated[bool, Parameter(negative=(), help="Let it spend again.", show_default=False)] = False,
    json: AsJson = False,
    where: AnyStore = ALL_STORES,
) -> int:
    """Let an account spend nothing from now on; without one, show which are held. What is bought already goes on."""
    from genmedia.cli import money  # noqa: PLC0415

    if release and not account:
        raise SettingsError("nobody is named", money="", advice="Name the account: genmedia hold --release ACCOUNT.")
    if release:
        return money.release(where.find(), account, Console())
    if account:
        return money.hold(where.find(), account, reason, Console())
    return money.show_holds(where.find(), as_json=json, console=Console())


@app.command
def ledger(
    *,
    by: Annotated[str, Parameter(help="day, campaign, provider, operation, account, or the name of a label.")] = "day",
    since: Annotated[date | None, Parameter(help="First day, such as 2026-03-01.", show_default=False)] = None,
    until: Annotated[date | None, Parameter(help="Last day; today by default.", show_default=False)] = None,
    check: Annotated[
        bool, Parameter(negative=(), help="Compare with the credits that providers say are left.", show_default=False)
    ] = False,
    json: AsJson = False,
    each: Annotated[
        bool, Parameter(negative=(), help="A line for each purchase, with what a claim for a refund needs.", show_default=False)
    ] = False,
    csv: Annotated[bool, Parameter(name="--csv", negative=(), help="Print CSV.", show_default=False)] = False,
    where: OneStore = ONE_STORE,
) -> int:
    """Show what was spent, is reserved and is in doubt; credits of different providers are never added."""
    from genmedia.cli import money  # noqa: PLC0415

    if check:
        return money.check_ledger(where.find(), as_json=json, console=Console())
    if each:
        money.show_purchases(where.find(), since=since, until=until, form=money.Form(json, csv), console=Console())
        return 0
    money.show_ledger(where.find(), by=by, since=since, until=until, form=money.Form(json, csv), console=Console())
    return 0


@app.command
def completion(shell: Annotated[Literal["bash", "zsh", "fish"] | None, Parameter(help="Yours, by default.")] = None, /) -> None:
    """Print a script for completion in your shell, such as for `eval "$(genmedia completion bash)"`."""
    from cyclopts.completion.detect import ShellDetectionError  # noqa: PLC0415

    try:
        sys.stdout.write(app.generate_completion(shell=shell))
    except ShellDetectionError:
        raise SettingsError("which shell this is cannot be told", advice="Name it: bash, zsh or fish.") from None


for _command in app.resolved_commands().values():
    _command.help_epilogue = _command.help_epilogue or exit_codes.tell_codes()


def _project(folder: Path | None) -> "Project":
    from genmedia.cli.project import find_project  # noqa: PLC0415

    _mute_prefect()
    return find_project(folder)


def _mute_prefect() -> None:
    """Set variables that Prefect reads when it is imported: it prints no log lines among a command's own, and sends no telemetry."""
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    # At the end of a command it logs how many events it still has to send, which is of no use here.
    logging.getLogger("EventsWorker").setLevel(logging.ERROR)


def _switches(given: tuple[str, ...], providers: Collection[str]) -> dict[str, dict[str, str | bool]]:
    switches: dict[str, dict[str, str | bool]] = {}
    for one in given:
        name, equals, value = one.partition("=")
        provider, dot, switch = name.partition(".")
        if not (equals and dot and provider in providers and switch and value):
            raise SettingsError(
                f"{one!r} is not a switch", advice="Write it as provider.switch=value, such as flora.assets=true."
            )
        switches.setdefault(provider, {})[switch] = {"true": True, "false": False}.get(value, value)
    return switches


def main() -> None:
    """Run one command; errors are told in a line or two, without a traceback unless GENMEDIA_TRACEBACK is set."""
    collect_seldom()
    Output.install()
    try:
        _run_command()
    except SystemExit as ended:
        if fault := Output.fault():
            sys.stderr.write(f"genmedia: the output could not be written: {fault}\n")
            sys.exit(ended.code or exit_codes.FAILED)
        raise


def _run_command() -> None:
    # A supervisor's SIGTERM ends a command as Ctrl-C does; a script's background jobs inherit an ignored SIGINT, and so would their children.
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, signal.default_int_handler)
    try:
        sys.exit(app())
    except GenmediaError as error:
        complain(f"genmedia: {error}")
        sys.exit(_exit_code(error))
    except KeyboardInterrupt:
        sys.stderr.write("\ngenmedia: stopped. What was bought is in the journal; run the same command again to go on.\n")
        sys.exit(exit_codes.STOPPED)
    except ModuleNotFoundError as error:
        sys.exit(_tell_missing(error))
    except Exception as error:  # noqa: BLE001 # unforeseen errors are told in a line as well
        sys.exit(_tell_unforeseen(error))


def _tell_missing(error: ModuleNotFoundError) -> int:
    """Print which extra of genmedia installs a missing module; returns the exit code."""
    module = (error.name or "").partition(".")[0]
    if module not in _EXTRAS:
        return _tell_unforeseen(error)
    complain(f"genmedia: {module} is not installed, which this command needs. Run: pip install 'genmedia[{_EXTRAS[module]}]'")
    return exit_codes.WRONG


def _tell_unforeseen(error: Exception) -> int:
    from httpx import HTTPError  # noqa: PLC0415

    from genmedia.transport.redaction import redact  # noqa: PLC0415

    if os.environ.get("GENMEDIA_TRACEBACK"):
        complain(redact("".join(format_exception(error))))
        return exit_codes.FAILED
    what = redact(f"{type(error).__name__}: {error}").partition("\n")[0]
    if isinstance(error, HTTPError):  # an error of a provider would be an ApiError
        complain(f"genmedia: the Prefect server does not answer as it should ({what}). Run again once it does.")
        return exit_codes.UNREACHABLE
    complain(f"genmedia: {what}\nThis is a fault of genmedia; with GENMEDIA_TRACEBACK=1 it says where.")
    return exit_codes.FAILED


def _exit_code(error: GenmediaError) -> int:
    if isinstance(error, InputError | SettingsError | BudgetError | JournalError):
        return exit_codes.WRONG
    return exit_codes.UNREACHABLE if isinstance(error, ApiError) else exit_codes.FAILED
