"""Check of everything that a run needs: `genmedia doctor`."""

import asyncio
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from rich.text import Text

from genmedia import __version__
from genmedia.cli.printing import Console, print_json
from genmedia.cli.project import Project, find_project
from genmedia.errors import GenmediaError, SandboxAwayError
from genmedia.journal import Journal
from genmedia.journal.database import NEWEST
from genmedia.providers.offers import Saved, asked, with_two_keys
from genmedia.store import Place, Store

CLOCK_SECONDS = 60.0
"""Largest error of this machine's clock, in seconds; signed links and tokens tolerate little more."""

ROOM_BYTES = 2 * 10**9
"""Free space that a store should have, in bytes."""

PICTURES = {"jpg": "JPEG", "zlib": "PNG", "webp": "WebP", "avif": "AVIF"}
"""Pillow's names of the features that decode the types of pictures that are kept."""

VIDEOS = ("h264", "hevc", "vp9", "av1")


@dataclass(frozen=True)
class Finding:
    """Result of one check: what was found, and what to do about it."""

    check: str
    status: Literal["ok", "warning", "failure"]
    what: str
    advice: str = ""


def examine(folder: Path | None, *, as_json: bool) -> int:
    """Check everything that a run needs, and print a line for each check; returns the exit code: 1 when something fails.

    Nothing is bought. Each key is tried with a call that costs nothing.

    Args:
        folder: The project's folder; found upwards from here by default.
        as_json: Print a JSON list instead of lines.
    """
    found = f"{__version__} on Python {sys.version.split()[0]}"
    findings = [Finding("genmedia", "ok", found), _pictures(), _videos(), _fonts()]
    try:
        project = find_project(folder)
        project.module("flows")
        findings.append(Finding("project", "ok", f"{project.folder}, where the flows come from"))
        findings += asyncio.run(_prefect(project))
    except GenmediaError as error:
        findings.append(_failed("project", error))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        _print(findings)
    return int(any(finding.status == "failure" for finding in findings))


def _pictures() -> Finding:
    from PIL import features  # noqa: PLC0415 # only here

    return _decodes("Pillow", version("pillow"), {name: bool(features.check(key)) for key, name in PICTURES.items()})


def _videos() -> Finding:
    import av  # noqa: PLC0415 # only here

    return _decodes("PyAV", version("av"), {name: name in av.codecs_available for name in VIDEOS})


def _fonts() -> Finding:
    from genmedia.media.fonts import PACKAGES, NoFontError, fonts_for  # noqa: PLC0415 # only here

    try:
        fonts_for("Aあ")
    except NoFontError as error:
        return Finding("fonts", "warning", f"a text in Latin and Japanese {error}", f"To write on pictures, {PACKAGES}.")
    return Finding("fonts", "ok", "Noto's are installed, for texts on pictures in any script")


def _decodes(library: str, installed: str, known: dict[str, bool]) -> Finding:
    missing = [name for name, there in known.items() if not there]
    if missing:
        advice = f"Install {library} with it: such files go to quarantine."
        return Finding("media", "failure", f"{library} {installed} cannot decode {', '.join(missing)}", advice)
    return Finding("media", "ok", f"{library} {installed} decodes {', '.join(known)}")


async def _prefect(project: Project) -> list[Finding]:
    server = project.module("deployments.server")
    try:
        there = await server.reach_server()
        accounts, stores = await server.saved_credentials(), await server.saved_stores()
    except GenmediaError as error:
        return [_failed("prefect", error), *await _store(Place(str(project.folder / "media")))]
    findings = [
        _versions(there, server.CLIENT_VERSION),
        _workers(await server.live_workers()),
        _accounts(accounts, server.PROVIDERS),
    ]
    keys = await asyncio.gather(*map(_key, accounts))
    findings += [finding for finding, _ in keys]
    findings += _clock([ahead for _, ahead in keys if ahead is not None])
    findings += [Finding("accounts", "warning", told) for told in with_two_keys(accounts).values()]
    findings += await _stores(stores, project.folder)
    if not stores:
        findings.append(Finding("store", "failure", "no Asset Store block is saved", "Run `genmedia setup`."))
    return findings


def _versions(there: Any, client: str) -> Finding:
    what = f"{client} here, {there.version} at {there.url}"
    if there.version not in (client, "Cloud"):
        return Finding("prefect", "warning", what, "Use the same version at both ends.")
    return Finding("prefect", "ok", what)


def _workers(workers: list[str] | None) -> Finding:
    if workers is None:
        return Finding("worker", "warning", "there is no work pool for deployments", "Run `genmedia setup`.")
    if not workers:
        advice = "Start one with `prefect worker start --pool genmedia`; `genmedia run` needs none."
        return Finding("worker", "warning", "no worker is alive: deployments and schedules wait", advice)
    return Finding("worker", "ok", ", ".join(workers))


def _accounts(accounts: Sequence[Saved], providers: Sequence[str]) -> Finding:
    if not accounts:
        return Finding("accounts", "failure", "no account is saved", "Run `genmedia setup`.")
    missing = [provider for provider in providers if provider not in {one.provider for one in accounts}]
    what = ", ".join(f"{one.provider} {one.name}" for one in accounts)
    return Finding("accounts", "ok", f"{what}; none at {', '.join(missing)}" if missing else what)


async def _key(account: Saved) -> tuple[Finding, float | None]:
    """Check that the provider takes the key; returns the finding, and the seconds by which its clock is ahead, None if not known."""
    check = f"{account.provider} {account.name}"
    ahead = await asked(account, lambda known: known.check())
    if isinstance(ahead, SandboxAwayError):  # only runs that pay with this account are affected
        return Finding(check, "warning", ahead.what, ahead.advice), None
    if isinstance(ahead, GenmediaError):
        return _failed(check, ahead), None
    return Finding(check, "ok", "the provider takes the key"), ahead


def _clock(ahead: Sequence[float]) -> list[Finding]:
    """Compare this machine's clock with the providers' own `Date`; the largest difference counts."""
    if not ahead:
        return []
    most = max(ahead, key=abs)
    if abs(most) <= CLOCK_SECONDS:
        return [Finding("clock", "ok", f"within {max(abs(most), 1):.0f} s of the providers' clocks")]
    what = f"{abs(most):.0f} s {'behind' if most > 0 else 'ahead of'} the providers' clocks"
    return [Finding("clock", "warning", what, "Set this machine's clock: signed links and tokens end too early or too late.")]


async def _stores(blocks: Mapping[str, Any], folder: Path) -> list[Finding]:
    """Check each store of the blocks once, with its journal; warn of blocks whose addresses mean another folder for each process."""
    findings: list[Finding] = []
    seen: set[tuple[Place, str]] = set()
    for name, block in blocks.items():
        try:
            if isinstance(block, GenmediaError):
                raise block
            meant = block.below(folder)
            where = meant.place, meant.journal.get_secret_value()
            if block.relative:
                told = f"the block {name} has a relative {' and '.join(block.relative)}: another folder for each process"
                findings.append(Finding("store", "warning", told, "Write an absolute one into the block."))
        except GenmediaError as error:
            findings.append(_failed("store", error))
            continue
        if where not in seen:
            seen.add(where)
            findings += await _store(*where)
    return findings


async def _store(place: Place, journal: str = "") -> list[Finding]:
    """Check that the store takes files, and that its journal opens."""
    try:
        found = _folder(place.folder) if place.folder else await _bucket(place)
    except GenmediaError as error:
        return [_failed("store", error)]
    return [found] if found.status == "failure" else [found, await _journal(place, journal)]


def _folder(root: Path) -> Finding:
    there = next(folder for folder in (root, *root.parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        return Finding("store", "failure", f"{there} is no folder that can be written", "Name another in the Asset Store block.")
    free = shutil.disk_usage(there).free
    what = f"{root}{'' if there == root else ' (it will be made)'}, {free / 10**9:.1f} GB free"
    if free < ROOM_BYTES:
        return Finding("store", "warning", what, "Make room: what finds none has to be fetched again.")
    return Finding("store", "ok", what)


async def _bucket(place: Place) -> Finding:
    async with Store.lease(place) as store:
        await store.check()
    return Finding("store", "ok", f"{place.root} takes files and gives them back")


async def _journal(place: Place, told: str) -> Finding:
    try:
        url = place.journal_url(told)
        own = place.folder / ".genmedia" / "journal.db" if place.folder else None
        if own and url == place.journal_url() and not own.exists() and "GENMEDIA_JOURNAL_URL" not in os.environ:
            return Finding("journal", "ok", f"none in {place.folder} yet: nothing was bought for it")
        async with Journal.lease(url) as journal:
            await journal.live_attempt("")
    except GenmediaError as error:
        return _failed("journal", error)
    return Finding("journal", "ok", f"{journal.label} opens, version {NEWEST}")


def _failed(check: str, error: GenmediaError) -> Finding:
    return Finding(check, "failure", error.what, error.advice)


def _print(findings: Sequence[Finding]) -> None:
    console = Console()
    colours = {"ok": "green", "warning": "yellow", "failure": "red"}
    width = max(len(finding.check) for finding in findings)
    for one in findings:
        said = f"{one.what.rstrip('.')}{f'. {one.advice}' if one.advice else ''}"
        console.print(Text.assemble((f"{one.status:7}", colours[one.status]), f"  {one.check:{width}}  {said}"), soft_wrap=True)
