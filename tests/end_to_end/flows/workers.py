"""Flow runs on a real Prefect worker."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.flows import Flow
from prefect.states import Cancelling

from deployments.engines.ports import free_port
from genmedia.cli.services import Service

PROJECT = Path(__file__).parents[3]
POOL = "tests"
"""The pool whose worker all tests use."""


def _worker(api: str, folder: Path, pool: str) -> tuple[list[str], dict[str, str]]:
    """The command line of a worker on a pool, as `make up` starts it, and its settings."""
    settings = {"PREFECT_API_URL": api, "PREFECT_HOME": str(folder), "PREFECT_WORKER_QUERY_SECONDS": "1"}
    return [sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--type", "process"], settings


def shared_worker(api: str, folder: Path) -> Service:
    """The worker of all tests, with its state in a folder."""
    command, settings = _worker(api, folder, POOL)
    settings["PREFECT_WORKER_WEBSERVER_PORT"] = "{port}"
    return Service("worker", folder, [*command, "--with-healthcheck"], free_port(), "/health", settings)


@contextmanager
def working(api: str, pool: str, folder: Path) -> Generator[subprocess.Popen[bytes]]:
    """A worker for one test, which may end it."""
    command, settings = _worker(api, folder, pool)
    with (folder / "worker.log").open("wb") as log:
        environment = {**os.environ, **settings}
        worker = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            yield worker
        finally:
            if worker.poll() is None:
                evict(worker)


def evict(worker: subprocess.Popen[bytes]) -> None:
    """End a worker as a container platform does: SIGTERM, thirty seconds of grace, SIGKILL for all that is left of it and its runs."""
    started = list(_descendants(worker.pid))  # each run has a session of its own
    worker.terminate()
    with suppress(subprocess.TimeoutExpired):
        worker.wait(30)
    for process in (worker.pid, *started):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    worker.wait()


def _descendants(process: int) -> Generator[int]:
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            yield child
            yield from _descendants(child)


@dataclass
class Run:
    """A flow run on a worker, seen through Prefect's API."""

    api: str
    id: UUID

    @property
    def state(self) -> str:
        return self._read()["state_name"]

    @property
    def message(self) -> str:
        return self._read()["state"]["message"]

    @property
    def has_ended(self) -> bool:
        return self._read()["state_type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")

    @property
    def starts(self) -> int:
        """How often a process of it has begun."""
        return sum(state["type"] == "RUNNING" for state in self._states())

    @property
    def process(self) -> int:
        return int(self._read()["infrastructure_pid"])

    @property
    def awaits(self) -> int:
        """How many jobs it waits for: each has its progress bar then."""
        wish = {"artifacts": {"flow_run_id": {"any_": [str(self.id)]}, "type": {"any_": ["progress"]}}}
        return len(httpx.post(f"{self.api}/artifacts/filter", json=wish).raise_for_status().json())

    async def cancel(self) -> None:
        """What the Cancel button does, until Prefect says that it is done."""
        async with get_client() as client:
            await client.set_flow_run_state(self.id, Cancelling())
        await until(lambda: self.state != "Cancelling")
        assert self.state == "Cancelled"

    def _states(self) -> list[dict[str, Any]]:
        return httpx.get(f"{self.api}/flow_run_states/", params={"flow_run_id": str(self.id)}).raise_for_status().json()

    def _read(self) -> dict[str, Any]:
        return httpx.get(f"{self.api}/flow_runs/{self.id}").raise_for_status().json()


async def start(
    api: str,
    pool: str,
    flow: Flow[..., Any],
    parameters: Mapping[str, Any],
    *,
    module: str = "",
    pull: Mapping[str, Any] = {"set_working_directory": {"directory": str(PROJECT)}},
    **environment: str,
) -> Run:
    """Have a worker run a flow, from a deployment of the project's folder.

    Args:
        api: The address of Prefect.
        pool: The worker's.
        flow: Which.
        parameters: Of the run.
        module: Where it is loaded from; by default from that which has its name.
        pull: How the run gets its files: Prefect's steps, by name.
        environment: What else is set where it runs.
    """
    name = flow.fn.__name__
    async with get_client() as client:
        await client.create_work_pool(WorkPoolCreate(name=pool, type="process"), overwrite=True)
        deployment = await client.create_deployment(
            await client.create_flow(flow),
            f"{pool} {module or name}",
            entrypoint=f"{module or f'flows.{name}'}:{name}",
            work_pool_name=pool,
            pull_steps=[{f"prefect.deployments.steps.{step}": inputs} for step, inputs in pull.items()],
        )
        run = await client.create_flow_run_from_deployment(
            deployment, parameters=dict(parameters), job_variables={"env": environment}
        )
        return Run(api, run.id)


async def bars_of(run_id: str) -> list[tuple[float, str]]:
    """How far each progress bar of a flow run is, and how the job ended, as it says."""
    chosen = {"artifacts": {"flow_run_id": {"any_": [run_id]}, "type": {"any_": ["progress"]}}}
    async with get_client() as client:
        found = (await client.request("POST", "/artifacts/filter", json=chosen)).json()
    return sorted((one["data"], one["description"].rpartition(", ")[2]) for one in found)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # what is waited for happens in other processes, which need the machine more than this one
        await asyncio.sleep(0.5)
