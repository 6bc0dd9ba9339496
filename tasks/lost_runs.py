"""Flow runs whose process is gone: Prefect leaves a killed run in the state Running for ever."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from httpx import HTTPError
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.context import FlowRunContext
from prefect.exceptions import PrefectException
from prefect.settings import get_current_settings
from prefect.states import Cancelled, Crashed

from genmedia.journal.locks import is_gone, world_name

PAGE = 200
"""Most flow runs that Prefect returns in one answer."""

PROCESS, SINCE = "genmedia.process", "genmedia.state"
"""Labels of a flow run: the name of its process, and the id of the state that it was in when the labels were set."""

BEGINS = timedelta(minutes=5)
"""Longest time that a new process of a run takes to put its own name in the place of the first one's."""

_AT_WORK = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.CANCELLING])))


async def name_process() -> None:
    """Write the name of this process into the labels of the current flow run. Each flow of ours begins with it."""
    context = FlowRunContext.get()
    run = context and context.flow_run
    if run is None or run.state is None:
        return
    # If no lock can be held, or Prefect takes no label now, the end of the process will not be noticed; the run is not affected.
    with suppress(OSError, PrefectException, HTTPError):
        me = world_name(Path(get_current_settings().home) / "genmedia-processes")
        async with get_client() as client:
            await client.update_flow_run_labels(run.id, {PROCESS: me, SINCE: str(run.state.id)})


async def end_lost_runs(lost: Collection[str] = ()) -> list[FlowRun]:
    """End the flow runs in the states Running and Cancelling whose process has surely ended; returns those runs as they were before.

    A run in a process on another machine is left alone, and so is one that is paused or suspended.

    Args:
        lost: Ids of further runs whose process is known to be gone.
    """
    async with get_client() as client:
        found = [run for run in await read_runs(client, _AT_WORK) if str(run.id) in lost or is_lost(run)]
        for run in found:
            assert run.state is not None
            ended = Cancelled if run.state.is_cancelling() else Crashed
            await client.set_flow_run_state(run.id, ended(message=_told(run.state)), force=True)
    return found


def tell_cut_off(runs: Sequence[FlowRun], *, pages: bool = False) -> str:
    """Sentence about runs that were ended so, such as `1 run was cut off: coffee`; `pages` adds the page of each in the Prefect UI."""
    ui = get_current_settings().ui_url
    names = (f"{run.name} ({ui}/runs/flow-run/{run.id})" if pages and ui else run.name for run in runs)
    return f"{len(runs)} {'run was' if len(runs) == 1 else 'runs were'} cut off: {', '.join(names)}"


async def read_runs(client: PrefectClient, chosen: FlowRunFilter) -> list[FlowRun]:
    """Return all flow runs that a filter chooses, however many they are."""
    found: list[FlowRun] = []
    while True:
        page = await client.read_flow_runs(flow_run_filter=chosen, sort=FlowRunSort.ID_DESC, limit=PAGE, offset=len(found))
        found += page
        if len(page) < PAGE:
            return found


def is_lost(run: FlowRun) -> bool:
    """True if the last process of the run has surely ended."""
    process = run.labels.get(PROCESS)
    if not isinstance(process, str) or run.state is None or not is_gone(process):
        return False
    return str(run.state.id) == run.labels.get(SINCE) or datetime.now(UTC) - run.state.timestamp > BEGINS


def _told(state: State) -> str:
    if state.is_cancelling():
        return "Its process is gone: it was cut off while it was being cancelled."
    return "It was cut off: its process is gone. What it bought is not lost: the deployment `recovery` stores it. Run it again to go on."
