"""Runs for the parts of a campaign: each is a run of the same deployment, and the run that has them waits without a process.

The run of the whole is suspended while its parts run, which ends its process and frees its worker's slot. A part that ends looks whether
it was the last, and resumes the whole then. A part whose process was killed is begun again. Where nothing of a part is left that could
look, because its worker died with it, recovery does.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from http.client import CONFLICT
from typing import Any
from uuid import UUID, uuid4

from prefect import Flow, Task
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.context import FlowRunContext
from prefect.exceptions import PrefectHTTPStatusError
from prefect.flow_runs import asuspend_flow_run
from prefect.logging import get_run_logger
from prefect.states import AwaitingRetry, Pending
from pydantic import TypeAdapter

from genmedia.campaign.parts import Part
from tasks.lost_runs import read_runs

PART, PARTS, STARTS = "genmedia.part", "genmedia.parts", "genmedia.starts"
"""Labels of flow runs: the part that a run carries out, as JSON; the parts of a run that has some; the start at which it began them last."""

ROUND = "genmedia.round"
"""Label of the run of the whole: how often its parts were forgotten, since people had decided what is to be bought further."""

WHOLE = "genmedia.whole"
"""Label of the run of a part: the id of the run that began it."""

DEPLOYED = "genmedia.campaign"
"""Label of the deployments that `genmedia deploy` makes, and of their runs: one runs at a time, so that none can have parts."""

BEGINNINGS = 4
"""Most starts of a part whose process is killed: what is in it may be what kills it."""

BEGINS = timedelta(minutes=1)
"""Age from which an end of a part is one after which nobody begins it again, though somebody was about to: whoever was has died."""

_PARTS = TypeAdapter(list[Part])


def part_of(run: FlowRun | None) -> Part | None:
    """Return the part that a flow run carries out; None for all."""
    told = run and run.labels.get(PART)
    return Part.model_validate_json(told) if isinstance(told, str) else None


def suffix() -> str:
    """What the name of the current flow run ends with: the part that it carries out; empty for all."""
    context = FlowRunContext.get()
    part = part_of(context.flow_run if context else None)
    return f", {part}" if part else ""


class PartRuns:
    """Further runs of the deployment of a flow run; see `genmedia.campaign.host.Apart`.

    Args:
        run: The flow run, which has a deployment.
    """

    def __init__(self, run: FlowRun) -> None:
        self._run = run
        told = run.labels.get(PARTS)
        self.parts: Sequence[Part] = _PARTS.validate_json(told) if isinstance(told, str) else ()
        self.complete = False

    async def runs(self) -> Collection[str]:
        """Return the ids of all runs that were begun for the parts of this one."""
        if self._run.labels.keys().isdisjoint((PARTS, ROUND)):
            return ()
        async with get_client() as client:
            return {str(one.id) for one in await _runs_of(client, self._run.id)}

    async def carry_out(self, parts: Sequence[Part]) -> Collection[str]:
        """Begin the runs, or find them, and suspend this one until all have ended; returns their ids once they have.

        When a person retries this run, its parts that did not end complete are begun again.
        """
        run = self._run
        async with get_client() as client:
            if not self.parts:
                told: dict[str, bool | int | float | str] = {PARTS: _PARTS.dump_json(list(parts)).decode(), STARTS: run.run_count}
                await client.update_flow_run_labels(run.id, told)
                self.parts = parts
            found = [await _begin(client, run, part) for part in parts]
            if run.run_count > int(run.labels.get(STARTS, run.run_count)):
                await client.update_flow_run_labels(run.id, {STARTS: run.run_count})
                for one in found:
                    if one.state and one.state.is_final() and not one.state.is_completed():
                        await begin_again(client, one)
                found = [await client.read_flow_run(one.id) for one in found]
        if not all(map(_has_ended, found)):
            get_run_logger().info("%d runs carry out the parts of this one, which goes on when they have ended", len(found))
            await asuspend_flow_run(key=str(uuid4()))
        self.complete = all(one.state and one.state.is_completed() for one in found)
        return {str(one.id) for one in found}

    async def renew(self) -> None:
        """Forget the parts: those of the next round are begun as other runs."""
        told: dict[str, bool | int | float | str] = {PARTS: "[]", ROUND: int(self._run.labels.get(ROUND, 0)) + 1}
        self.parts = ()
        self._run.labels.update(told)
        async with get_client() as client:
            await client.update_flow_run_labels(self._run.id, told)


async def _begin(client: PrefectClient, run: FlowRun, part: Part) -> FlowRun:
    """Begin the run of a part; the same one again where it was begun before."""
    assert run.deployment_id is not None
    number = f"{run.labels[ROUND]}.{part.number}" if run.labels.get(ROUND) else str(part.number)
    key = f"{run.id} {number} {part.digest}"
    placeholder: Task[..., Any] = Task(lambda: None, name=str(part))  # what a run's page shows its further runs by
    placeholder.task_key = f"{__name__}.{number}"
    node = await client.create_task_run(placeholder, run.id, dynamic_key=number, state=Pending())
    return await client.create_flow_run_from_deployment(
        run.deployment_id,
        parameters=run.parameters,
        name=f"{run.name}, {part}",
        tags=run.tags,
        idempotency_key=key,
        parent_task_run_id=node.id,
        work_queue_name=run.work_queue_name,
        job_variables=run.job_variables,
        labels={PART: part.model_dump_json(), WHOLE: str(run.id)},
    )


async def begin_again(client: PrefectClient, run: FlowRun) -> None:
    """Begin a run again that was seen ended. Of several that saw that end, the first does, and another where it has not within a minute.

    Prefect takes a state whatever state it follows, but of the inputs of a run only one of each name.
    """
    assert run.state is not None
    try:
        await client.create_flow_run_input(run.id, f"begun-again-{run.state.id}", "")
    except PrefectHTTPStatusError as error:
        if error.response.status_code != CONFLICT:
            raise
        now = await client.read_flow_run(run.id)
        if now.state is None or now.state.id != run.state.id or datetime.now(UTC) - run.state.timestamp < BEGINS:
            return
    await client.set_flow_run_state(run.id, AwaitingRetry())


async def _runs_of(client: PrefectClient, whole: UUID) -> list[FlowRun]:
    return await read_runs(client, FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[whole])))


def _has_ended(run: FlowRun) -> bool:
    return run.state is not None and run.state.is_final()


async def look_after_whole(flow: Flow[..., Any], run: FlowRun, state: State[Any]) -> None:
    """Look after the run that began this one, which has ended; a hook of every flow that buys."""
    del flow, state
    if whole := run.labels.get(WHOLE):
        async with get_client() as client:
            await _look_after(client, UUID(str(whole)))


async def look_after_wholes() -> None:
    """Look after all runs that are suspended until their parts have ended."""
    chosen = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PAUSED])))
    async with get_client() as client:
        for run in await read_runs(client, chosen):
            if PartRuns(run).parts:
                await _look_after(client, run.id)


async def _look_after(client: PrefectClient, whole: UUID) -> None:
    """Begin parts again whose process was killed; resume the run once all its parts have ended. A run that has ended is left as it is."""
    parts = await _runs_of(client, whole)
    run = await client.read_flow_run(whole)
    if _has_ended(run) or (run.state and run.state.is_cancelling()) or not PartRuns(run).parts:
        return
    killed = [one for one in parts if one.state and one.state.is_crashed() and one.run_count < BEGINNINGS]
    for one in killed:
        await begin_again(client, one)
    if not killed and all(map(_has_ended, parts)) and run.state and run.state.is_paused():
        await client.resume_flow_run(whole)
