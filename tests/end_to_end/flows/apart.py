"""Flow runs in processes of their own, which tests may kill."""

import asyncio
import os
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from importlib import import_module
from multiprocessing.context import ForkServerProcess
from signal import Signals
from typing import Any

from prefect import Flow
from prefect.settings import PREFECT_API_URL

from deployments.local_run import run_here
from tests.commands import PROJECT, move_to
from tests.end_to_end.flows.workers import until
from tests.processes import PROCESSES


@contextmanager
def running_apart(flow: Flow[..., Any], parameters: Mapping[str, Any]) -> Generator[ForkServerProcess]:
    """Run a flow in a new process, as `run_here` does in this one; the process is killed if it still runs when the block ends.

    It is a copy of one that has imported everything, works in the project's folder, and uses the Prefect server that this process uses.
    """
    environment = {**os.environ, "PREFECT_API_URL": PREFECT_API_URL.value() or ""}
    process = PROCESSES.Process(target=_run, args=(flow.fn.__module__, flow.fn.__name__, dict(parameters), environment))
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


async def strike(flow: Flow[..., Any], parameters: Mapping[str, Any], deadly: Signals, when: Callable[[], bool]) -> None:
    """Run a flow in a new process, send that a signal once a condition holds, and wait for its end; see `running_apart`."""
    with running_apart(flow, parameters) as process:
        await until(lambda: process.exitcode is not None or when())
        assert process.exitcode is None, "it ended before it could be struck"
        assert process.pid is not None
        os.kill(process.pid, deadly)
        process.join()


def _run(module: str, name: str, parameters: dict[str, Any], environment: dict[str, str]) -> None:
    """What the new process does."""
    move_to(str(PROJECT), environment)
    asyncio.run(run_here(getattr(import_module(module), name), parameters))
