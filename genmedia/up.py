"""Everything on one machine until Ctrl-C: a Prefect server, a sandbox, the deployments, and a worker that runs them."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

from genmedia import services
from genmedia.errors import SettingsError
from genmedia.project import Project

WORK_POOL = "genmedia"


def run_up(project: Project) -> int:
    """Start all, print the addresses, wait for the worker; returns the exit code.

    Raises:
        SettingsError: A server did not start, or the deployments could not be made.
    """
    own = project.folder / ".genmedia"
    prefect, sandbox = services.prefect_service(own), services.sandbox_service(own)
    sys.stdout.write("Starting Prefect, a sandbox and a worker ...\n")
    sys.stdout.flush()
    with services.running([prefect, sandbox]):
        services.write_off(sandbox, project.folder / "media")
        environment = {
            **os.environ,
            **services.prefect_environment(own),
            "PREFECT_API_URL": f"{prefect.url}/api",
            **services.open_accounts(sandbox, "default"),
            "PWD": str(project.folder),
        }
        _run(project, environment, ["-m", "deployments.bootstrap"])
        _run(project, environment, ["-m", "prefect", "--no-prompt", "deploy", "--all"])
        sys.stdout.write(
            f"\n  Prefect  {prefect.url}  (choose a deployment, then Run)\n  Sandbox  {sandbox.url}/sandbox\n"
            f"  Media    {project.folder / 'media'}\n\nCtrl-C stops all of it.\n\n"
        )
        sys.stdout.flush()
        return _work(project, environment)


def _run(project: Project, environment: Mapping[str, str], arguments: Sequence[str]) -> None:
    done = subprocess.run(  # noqa: S603 # our own commands
        [sys.executable, *arguments], cwd=project.folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-5:]
        raise SettingsError(f"`{' '.join(arguments)}` failed: {' / '.join(said)}")


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
