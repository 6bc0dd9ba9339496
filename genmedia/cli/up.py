"""Everything on one machine until Ctrl-C or the end of its terminal: Prefect, a sandbox, a receiver of webhooks, the deployments' worker."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from time import monotonic
from typing import TextIO

import httpx

from genmedia.cli import services
from genmedia.cli.project import Project
from genmedia.errors import SettingsError
from genmedia.gallery.address import SERVED_AT
from genmedia.store import Place

WORK_POOL = "genmedia"
CONFLICT = 409


def run_up(project: Project) -> int:
    """Start all, print the addresses, wait for the worker; returns the exit code.

    Raises:
        SettingsError: A server did not start, or the deployments could not be made.
    """
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # closing the terminal ends it too, unless nohup runs it
        signal.signal(signal.SIGHUP, signal.default_int_handler)
    own = project.folder / ".genmedia"
    with services.alone(own / "services" / "up") as notice:
        if isinstance(notice, str):
            sys.stdout.write(f"It runs here already; Ctrl-C where it was started stops it.\n{notice}")
            return 0
        return _run_up(project, own, notice)


def _run_up(project: Project, own: Path, notice: TextIO) -> int:
    begun = monotonic()
    sys.stdout.write("Starting Prefect, a sandbox and a worker ...\n")
    sys.stdout.flush()
    prefect, sandbox = services.prefect_service(own, project.folder), services.sandbox_service(own)
    with services.running([prefect, sandbox]), ExitStack() as beside:
        webhooks, accounts = services.webhooks_service(own, project.folder, prefect), services.open_accounts(sandbox.url)
        webhooks.hold_port()
        environment = {
            **os.environ,
            **services.prefect_environment(own),
            **services.addresses_of(prefect),
            **accounts,
            **services.told_to(webhooks, accounts),
            "GENMEDIA_BLOCKS": "default",  # the deployments use these, and what is said below is about them
            "PWD": str(project.folder),
        }
        said = set_up(project, environment, prefect.url, services.prefect_key(own))
        beside.enter_context(services.running([webhooks]))  # it reads what is saved when it starts
        media = next(line.partition(": ")[2] for line in said.splitlines() if line.startswith("Asset Store block"))
        for folder in {project.folder / "media", *([] if Place(media).is_address else [Path(media)])}:
            services.write_off(sandbox, folder)
        told = (
            f"\n  Prefect  {prefect.url}  (choose a deployment, then Run)\n"
            f"  Password {services.prefect_key(own)}  (its page asks once, and the browser keeps it)\n"
            f"  Gallery  {environment[SERVED_AT]}/default/  (what is stored, while it is made; an upload for photos)\n"
            f"  Sandbox  {sandbox.url}/sandbox\n"
            f"  Webhooks {webhooks.url}  (where it tells that a job has ended, as far as its provider does)\n"
            f"  Media    {media}\n{_payers(said)}{_cut_off(said)}\n{_NEXT}\n"
        )
        notice.write(told)
        notice.flush()
        sys.stdout.write(f"Ready in {monotonic() - begun:.0f} s.\n{told}Ctrl-C stops all of it.\n\n")
        sys.stdout.flush()
        return _work(project, environment)


_NEXT = """\
In another terminal, in this folder:
  .venv/bin/genmedia plan deployments/campaigns/products.yaml   what a campaign would make; apply makes it; init writes a first file
  .venv/bin/genmedia run coffee   a chain, with its progress; run --help lists all that can be run
  .venv/bin/genmedia providers    what there is to buy, and what it costs
  .venv/bin/genmedia ledger       what was spent; gallery, lineage and the others of --help need nothing more either
  .venv/bin/genmedia setup        save keys of your own
"""


def set_up(project: Project, environment: Mapping[str, str], server: str, key: str) -> str:
    """Make the pool, save the blocks that the environment names, with the keys of a sandbox, and make all deployments.

    Args:
        project: The checkout.
        environment: Variables for `deployments.bootstrap` and Prefect, with the address of its API.
        server: The address of Prefect's server.
        key: Its password, as `user:password`.

    Returns:
        The output of `deployments.bootstrap`.

    Raises:
        SettingsError: One of them failed.
    """
    _make_pool(server, key)
    with ThreadPoolExecutor() as together:  # both begin with seconds of imports
        saving = together.submit(_run, project, {**environment, "GENMEDIA_SANDBOX": "1"}, ["-m", "deployments.bootstrap"])
        deploying = together.submit(_run, project, environment, ["-m", "prefect", "--no-prompt", "deploy", "--all"])
        said = saving.result()
        deploying.result()
    return said


def _make_pool(server: str, key: str) -> None:
    """Make the pool that deployments name, unless it is there."""
    user, _, secret = key.partition(":")
    wish = {"name": WORK_POOL, "type": "process"}
    made = httpx.post(f"{server}/api/work_pools/", json=wish, auth=(user, secret), timeout=60)
    if made.status_code != CONFLICT:
        made.raise_for_status()


def _payers(said: str) -> str:
    """Text on the accounts that the deployments pay with, from the output of `deployments.bootstrap`."""
    blocks = [line.partition("-credentials block default: ") for line in said.splitlines()]
    theirs = [provider for provider, _, what in blocks if what.startswith("yours")]
    if not theirs:
        return "  Pays     the sandbox: the credentials blocks named default hold its keys\n"
    both = [provider for provider, _, what in blocks if what.endswith("is yours too")]
    but = (
        f",\n           but not at {', '.join(both)}: YOU PAY there, the block of that name holds another key than the sandbox's"
        if both
        else ""
    )
    return (
        f"  Pays     YOUR OWN ACCOUNTS at {', '.join(theirs)}: the deployments use the blocks named default, which hold your keys.\n"
        f"           Have a run use the sandbox by its parameter account (in a campaign: accounts): sandbox{but}\n"
    )


def _cut_off(said: str) -> str:
    """Text on the runs whose process has ended before them, from the output of `deployments.bootstrap`."""
    told = [line.removeprefix("runs: ") for line in said.splitlines() if line.startswith("runs: ")]
    return "".join(f"  Runs     {one}; the same again goes on from there\n" for one in told)


def _run(project: Project, environment: Mapping[str, str], arguments: Sequence[str]) -> str:
    """Run a Python command in the project's folder; returns what it printed."""
    done = subprocess.run(  # noqa: S603 # our own commands
        [sys.executable, *arguments], cwd=project.folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-5:]  # bootstrap's own errors tell of money already
        raise SettingsError(f"`{' '.join(arguments)}` failed: {' / '.join(said).removesuffix('.')}", money="")
    return done.stdout


def _work(project: Project, environment: Mapping[str, str]) -> int:
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", WORK_POOL, "--type", "process"]
    worker: subprocess.Popen[bytes] | None = None
    try:
        with services.uninterrupted():
            worker = subprocess.Popen([*command], cwd=project.folder, env=environment, start_new_session=True)  # noqa: S603
        with suppress(SettingsError):  # its forms work without lists as well
            _run(project, environment, ["-m", "deployments.forms"])
        return worker.wait()
    except KeyboardInterrupt:
        sys.stdout.write("\nStopping ...\n")
        return 0
    finally:
        if worker and worker.poll() is None:
            services.signal_group(worker.pid, signal.SIGTERM)
            try:
                worker.wait(services.STOP_SECONDS)
            except subprocess.TimeoutExpired:
                services.signal_group(worker.pid, signal.SIGKILL)
                worker.wait()
