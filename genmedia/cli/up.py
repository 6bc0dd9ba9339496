"""Everything on one machine until Ctrl-C: a Prefect server, a sandbox, the deployments, and a worker that runs them."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from genmedia.cli import object_store, services
from genmedia.cli.project import Project
from genmedia.errors import SettingsError
from genmedia.store import Place

WORK_POOL = "genmedia"
BUCKET = "genmedia"


def run_up(project: Project, *, s3: bool = False) -> int:
    """Start all, print the addresses, wait for the worker; returns the exit code.

    Args:
        project: The checkout.
        s3: Keep the assets in a bucket of an S3 server on this machine, which forgets them when it ends. The store that was saved is put
            aside, and is there again the next time without.

    Raises:
        SettingsError: A server did not start, or the deployments could not be made.
    """
    own = project.folder / ".genmedia"
    bucket = services.object_store_service(own) if s3 else None
    sys.stdout.write(f"Starting Prefect, a sandbox{', an S3 server' if s3 else ''} and a worker ...\n")
    sys.stdout.flush()
    with ExitStack() as held:
        held.enter_context(services.running([bucket] if bucket else []))
        prefect, sandbox = services.prefect_service(own), services.sandbox_service(own, bucket.url if bucket else "")
        held.enter_context(services.running([prefect, sandbox]))
        environment = {
            **os.environ,
            **services.prefect_environment(own),
            "PREFECT_API_URL": f"{prefect.url}/api",
            **services.open_accounts(sandbox.url, "default"),
            "PWD": str(project.folder),
        }
        store = _bucket(bucket, own) if bucket else {"GENMEDIA_STORE_PASSING": "0"}
        said = _run(project, {**environment, **store}, ["-m", "deployments.bootstrap"])
        media = next(line.partition(": ")[2] for line in said.splitlines() if line.startswith("Asset Store block"))
        if not Place(media).is_address:
            services.write_off(sandbox, Path(media))
        _run(project, environment, ["-m", "prefect", "--no-prompt", "deploy", "--all"])
        sys.stdout.write(
            f"\n  Prefect  {prefect.url}  (choose a deployment, then Run)\n  Sandbox  {sandbox.url}/sandbox\n"
            f"  Media    {media}\n\nCtrl-C stops all of it.\n\n"
        )
        sys.stdout.flush()
        return _work(project, environment)


def _bucket(server: services.Service, own: Path) -> dict[str, str]:
    """A bucket, as the environment names it to what saves the block: everything that any command needs to get there."""
    object_store.make_bucket(server.url, BUCKET)
    journal = own / "s3-journal.db"
    if server.fresh:  # what was bought for a bucket that is gone is gone with it
        for file in own.glob(f"{journal.name}*"):
            file.unlink()
    return {
        "GENMEDIA_STORE": f"s3://{BUCKET}/media",
        "GENMEDIA_STORE_JOURNAL": f"sqlite:///{journal}",
        "GENMEDIA_STORE_S3_ENDPOINT": server.url,
        "GENMEDIA_STORE_S3_KEY": object_store.ACCESS_KEY,
        "GENMEDIA_STORE_S3_SECRET": object_store.SECRET_KEY,
        "GENMEDIA_STORE_PASSING": "1",
    }


def _run(project: Project, environment: Mapping[str, str], arguments: Sequence[str]) -> str:
    """Returns what it printed."""
    done = subprocess.run(  # noqa: S603 # our own commands
        [sys.executable, *arguments], cwd=project.folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-5:]
        raise SettingsError(f"`{' '.join(arguments)}` failed: {' / '.join(said)}")
    return done.stdout


def _work(project: Project, environment: Mapping[str, str]) -> int:
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", WORK_POOL, "--type", "process"]
    worker = subprocess.Popen([*command], cwd=project.folder, env=environment, start_new_session=True)  # noqa: S603
    try:
        return worker.wait()
    except KeyboardInterrupt:
        sys.stdout.write("\nStopping ...\n")
        return 0
    finally:
        if worker.poll() is None:
            os.killpg(worker.pid, signal.SIGTERM)
            try:
                worker.wait(services.STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(worker.pid, signal.SIGKILL)
                worker.wait()
