"""The shape of several machines as processes on this one, until Ctrl-C: `python deployments/scale-out/start.py [--workers 3]`.

PostgreSQL with the database of Prefect and the journal, Redis for Prefect's messages, an S3 store for the files, Prefect's API and its
background services in processes of their own, a sandbox as the provider, and workers. All of it listens on 127.0.0.1 only and asks for a
password; all that it keeps is gone when it ends. A worker that ends is started again, as a container platform does.
"""

import argparse
import os
import secrets
import shutil
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from time import sleep
from typing import TextIO

import httpx

from deployments.engines import object_store, postgres, redis
from deployments.engines.installed import missing_packages
from deployments.engines.ports import free_port
from deployments.engines.process import Process
from genmedia.cli import services
from genmedia.cli.project import Project
from genmedia.cli.up import WORK_POOL, set_up
from genmedia.errors import GenmediaError, SettingsError

PROJECT = Path(__file__).resolve().parents[2]
AGAIN_SECONDS = 5.0
"""Pause before a worker that has ended is started again."""

BUCKET = "media"


@dataclass(frozen=True)
class Wish:
    """What is asked for.

    Attributes:
        workers: Number of workers.
        runs: Most flow runs that a worker has at once.
        recovery: Seconds between two looks of the flow `harvest` for runs whose worker is gone.
        sandbox: Options of `genmedia sandbox`, such as `--clock-scale 50`.
    """

    workers: int
    runs: int
    recovery: int
    sandbox: Sequence[str]


def main() -> int:
    """Start all, and keep it running; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--workers", type=_positive, default=3, help="number of workers (default 3)")
    parser.add_argument("--runs", type=_positive, default=4, help="most flow runs that a worker has at once (default 4)")
    parser.add_argument(
        "--recovery",
        type=_positive,
        default=60,
        help="seconds between two looks for runs whose worker is gone (default 60; prefect.yaml's 900 suit one machine)",
    )
    known, options = parser.parse_known_args()
    wish = Wish(known.workers, known.runs, known.recovery, options)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # closing the terminal ends it too
        signal.signal(signal.SIGHUP, signal.default_int_handler)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # of a program that a script has put into the background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        check_installed()
        with ExitStack() as held:
            try:
                _run(wish, held, sys.stdout)
            except KeyboardInterrupt:
                sys.stdout.write("\nStopping ...\n")
                sys.stdout.flush()
    except (GenmediaError, RuntimeError) as error:  # a server that does not start says why
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def check_installed() -> None:
    """Check that all servers can be started here.

    Raises:
        SettingsError: Some of them are not installed.
    """
    if packages := missing_packages():
        raise SettingsError("servers are missing", advice=f"Debian: apt-get install {packages}", money="")
    if find_spec("prefect_redis") is None:
        raise SettingsError("prefect-redis is missing", advice="Install it: pip install '.[scale-out]'", money="")


def _run(wish: Wish, held: ExitStack, out: TextIO) -> None:
    out.write(f"Starting PostgreSQL, Redis, S3, Prefect, a sandbox and {wish.workers} workers ...\n")
    out.flush()
    own = _folder(held, "genmedia-scale-out-")
    database = postgres.Postgres(
        _folder(held, "genmedia-postgres-"), password=secrets.token_urlsafe(24), settings={"max_connections": 300}
    )
    held.callback(database.stop)
    messages = redis.Redis(own, secrets.token_urlsafe(24))
    held.callback(messages.stop)
    messages.start()
    secret = secrets.token_urlsafe(24)
    files = object_store.ObjectStore(free_port(), free_port(), secret=secret)
    held.push(files)

    prefect, sandbox = services.prefect_service(own, PROJECT), services.sandbox_service(own)
    server = server_settings(database.create("prefect"), messages.url)
    prefect.environment = {**prefect.environment, **server, "PREFECT__SERVER_WEBSERVER_ONLY": "true"}
    sandbox.command = [*sandbox.command, *wish.sandbox]
    held.enter_context(services.running([prefect, sandbox], meanwhile=files.__enter__))
    object_store.make_bucket(files.url, BUCKET, secret)
    key = services.prefect_key(own)
    addresses = {**services.prefect_environment(own), **services.addresses_of(prefect)}
    background = Process(
        "Prefect's services",
        [sys.executable, "-m", "prefect", "server", "services", "start"],
        own / "services.log",
        {**addresses, **server, "PREFECT_SERVER_API_AUTH_STRING": key},
        own,
    )
    held.callback(background.stop)
    background.start()

    environment = {
        **os.environ,
        **addresses,
        **services.open_accounts(sandbox.url),
        "GENMEDIA_BLOCKS": "default",
        "GENMEDIA_STORE": f"s3://{BUCKET}/assets",
        "GENMEDIA_STORE_S3_ENDPOINT": files.url,
        "GENMEDIA_STORE_S3_KEY": object_store.ACCESS_KEY,
        "GENMEDIA_STORE_S3_SECRET": secret,
        "GENMEDIA_STORE_JOURNAL": database.create("journal"),
        "PWD": str(PROJECT),
    }
    set_up(Project(PROJECT), environment, prefect.url, key)
    _look_every(wish.recovery, f"{prefect.url}/api", key)
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", WORK_POOL, "--type", "process"]
    command += ["--limit", str(wish.runs)]
    workers = [
        Process(f"worker-{number}", [*command, "--name", f"worker-{number}"], own / f"worker-{number}.log", addresses, PROJECT)
        for number in range(1, wish.workers + 1)
    ]
    for worker in workers:
        held.callback(worker.stop)
        worker.start()
    out.write(
        f"\n  Prefect  {prefect.url}\n  Password {key}\n  Sandbox  {sandbox.url}/sandbox\n  Logs     {own}\n  Postgres {database.pid}\n"
        + "".join(f"  {worker.name} {worker.pid}\n" for worker in workers)
        + "Ctrl-C stops all of it.\n"
    )
    out.flush()
    _keep_running([background, *workers], out)


def server_settings(database: str, messages: str) -> dict[str, str]:
    """The settings of Prefect's API and background services that share a PostgreSQL database and a Redis server.

    https://docs.prefect.io/v3/advanced/self-hosted

    Args:
        database: The address of the database, as `postgresql://`.
        messages: The address of the Redis server.
    """
    return {
        "PREFECT_API_DATABASE_CONNECTION_URL": database.replace("postgresql://", "postgresql+asyncpg://"),
        "PREFECT_MESSAGING_BROKER": "prefect_redis.messaging",
        "PREFECT_MESSAGING_CACHE": "prefect_redis.messaging",
        "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.ordering",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect_redis.lease_storage",
        "PREFECT_SERVER_WORKER_CHANNEL_CLEANUP_QUEUE_STORAGE": "prefect_redis.cleanup_queue",
        "PREFECT_REDIS_MESSAGING_URL": messages,
        "PREFECT_REDIS_WORKER_CLEANUP_QUEUE_URL": messages,
        "PREFECT_SERVER_DOCKET_URL": messages,
    }


def _look_every(seconds: int, api: str, key: str) -> None:
    """Have recovery look for lost runs more often than prefect.yaml says."""
    user, _, password = key.partition(":")
    with httpx.Client(base_url=api, auth=(user, password), timeout=60) as client:
        recovery = client.get("/deployments/name/harvest/recovery").raise_for_status().json()
        for schedule in recovery["schedules"]:
            wish = {"schedule": {**schedule["schedule"], "interval": seconds}}
            client.patch(f"/deployments/{recovery['id']}/schedules/{schedule['id']}", json=wish).raise_for_status()


def _keep_running(processes: Sequence[Process], out: TextIO) -> None:
    """Start again what ends, until Ctrl-C."""
    while True:
        sleep(0.5)
        for process in processes:
            if (code := process.ended) is not None:
                sleep(AGAIN_SECONDS)
                process.start()
                out.write(f"{process.name} had ended with {code}, and is started again:\n  {process.name} {process.pid}\n")
                out.flush()


def _folder(held: ExitStack, prefix: str) -> Path:
    """A new folder that only its owner can open, which is removed at the end."""
    folder = Path(mkdtemp(prefix=prefix))
    held.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder


if __name__ == "__main__":
    with suppress(BrokenPipeError):  # nobody reads what it prints any more
        raise SystemExit(main())
