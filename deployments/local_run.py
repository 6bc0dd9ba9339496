"""Running a flow in this process, for commands that show its progress, with everything reported to Prefect before it returns."""

import asyncio
import signal
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.events.worker import EventsWorker
from prefect.exceptions import TerminationSignal
from prefect.logging.handlers import APILogWorker
from prefect.settings import get_current_settings
from prefect.states import Cancelled, Cancelling
from prefect.utilities.annotations import quote

from genmedia.concurrency import end_task

REPORT_SECONDS = 30.0

Terminated = TerminationSignal
"""Raised out of the event loop when this process gets a SIGTERM while a flow runs."""


@dataclass(frozen=True)
class Ended:
    """End of a flow run.

    Attributes:
        name: The state's name, such as `Completed` or `Partial`.
        result: Return value of the flow, or the exception that ended it.
        page: The run's page in the Prefect UI, without the server's address.
    """

    name: str
    message: str
    result: Any
    page: str


async def run_here(flow: Flow[..., Any], parameters: dict[str, Any], stop: asyncio.Event | None = None) -> Ended:
    """Run a flow to its end and wait until Prefect has the reports of all its tasks.

    Args:
        flow: The flow.
        parameters: Parameters of the flow.
        stop: Set when a person cancels the run: it then ends as `Cancelled`, and its tasks cancel their jobs where the provider can do that.

    Raises:
        Terminated: This process got a SIGTERM; the run has ended, and has cancelled no job.
    """
    begun: list[UUID] = []

    def remember(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001 # Prefect names them
        begun.append(flow_run.id)

    with _sigterm() as terminated:
        run = asyncio.ensure_future(flow.with_options(on_running=[remember])(**parameters, return_state=True))
        wishes = [asyncio.ensure_future(event.wait()) for event in (stop or asyncio.Event(), terminated)]
        try:
            await asyncio.wait([run, *wishes], return_when=asyncio.FIRST_COMPLETED)
            if terminated.is_set():
                raise Terminated(signal.SIGTERM)
            ended = await _as_ended(run.result()) if run.done() else await _cancel(run, begun)
        finally:
            for wish in wishes:
                wish.cancel()
            await _end(run)
    await _report()
    return ended


@contextmanager
def _sigterm() -> Generator[asyncio.Event]:
    """Yield an event that is set when this process gets a SIGTERM in this block.

    While a flow runs, Prefect raises the signal as an exception in the task that the event loop runs just then. If that is a task beside the
    run, such as an account's watcher, the run does not get it. Outside the main thread there are no signals.
    """
    terminated = asyncio.Event()
    if threading.current_thread() is not threading.main_thread():
        yield terminated
        return
    loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)
    loop.add_signal_handler(signal.SIGTERM, terminated.set)
    try:
        yield terminated
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, before)


async def _cancel(run: asyncio.Future[Any], begun: Sequence[UUID]) -> Ended:
    """End a run as Prefect's Cancel button does: its tasks ask for this state before they cancel any job."""
    page = ""
    async with get_client() as client:
        for run_id in begun:
            await client.set_flow_run_state(run_id, Cancelling())
        await _end(run)
        for run_id in begun:  # the engine has set the state Crashed
            await client.set_flow_run_state(run_id, Cancelled(message="Cancelled on the command line."), force=True)
            page = _page(run_id)
    return Ended("Cancelled", "", None, page)


async def _end(run: asyncio.Future[Any]) -> None:
    """Cancel a run, if it goes on, and wait for its end; its result or error is ignored."""
    await end_task(run)
    with suppress(BaseException):
        run.result()


async def _as_ended(state: State[Any]) -> Ended:
    try:
        result: Any = await state.aresult(raise_on_failure=False)
        result = cast("quote[Any]", result).unquote() if isinstance(result, quote) else result
    except Exception as error:  # noqa: BLE001 # the result of a run that failed is the exception that ended it, whichever it is
        result = error
    return Ended(state.name or "", state.message or "", result, _page(state.state_details.flow_run_id))


def _page(run_id: UUID | None) -> str:
    return f"/runs/flow-run/{run_id}"


async def _report() -> None:
    # Task runs are reported in the background; a server that is stopped right after the run would never show them.
    for worker in (EventsWorker, APILogWorker):
        drained = worker.drain_all(at_exit=False)
        assert not isinstance(drained, tuple)  # it is one only where no event loop runs
        with suppress(TimeoutError):
            async with asyncio.timeout(REPORT_SECONDS):
                await drained


def ui_url() -> str:
    """Address of the Prefect UI; empty if none is known."""
    return get_current_settings().ui_url or ""
