"""Running a flow in this process, for commands that show its progress, with everything reported to Prefect before it returns."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import State
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.settings import get_current_settings

REPORT_SECONDS = 30.0


@dataclass(frozen=True)
class Ended:
    """How a flow run ended.

    Attributes:
        name: The state's name, such as `Completed` or `Partial`.
        result: What the flow returned, or the exception that ended it.
        page: The run's page in the Prefect UI, without the server's address.
    """

    name: str
    message: str
    result: Any
    page: str


async def run_here(flow: Flow[..., Any], parameters: dict[str, Any]) -> Ended:
    """Run a flow to its end and wait until Prefect has heard of all its tasks."""
    state: State[Any] = await flow(**parameters, return_state=True)
    try:
        result = await state.aresult(raise_on_failure=False)
    except Exception as error:  # noqa: BLE001 # the result of a run that failed is the exception that ended it, whichever it is
        result = error
    # Task runs are reported in the background; a server that is stopped right after the run would never show them.
    for worker in (EventsWorker, APILogWorker):
        drained = worker.drain_all(at_exit=False)
        assert not isinstance(drained, tuple)  # it is one only where no event loop runs
        with suppress(TimeoutError):
            await asyncio.wait_for(drained, REPORT_SECONDS)
    return Ended(state.name or "", state.message or "", result, f"/runs/flow-run/{state.state_details.flow_run_id}")


def ui_url() -> str:
    """Where the Prefect UI answers."""
    return get_current_settings().ui_url or ""
