"""Generio's operations as Prefect tasks."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from prefect.client.schemas.objects import State

from blocks import AssetStore, GenerioCredentials
from genmedia.errors import NotFoundError
from genmedia.jobs.job import Job, JobStatus
from genmedia.journal.order import Order
from genmedia.providers.generio.client import Asset, Flow, SortBy, Template, labels_in
from genmedia.providers.steps import Deliver
from genmedia.purchasing.buy import Purchase
from genmedia.purchasing.patience import Patience
from genmedia.purchasing.receive import Received
from genmedia.transport.session import Gate
from tasks.runner import Listed, Tasks
from tasks.storing import buy_as_state, store_outputs
from tasks.telling import task
from tasks.waiting import wait_for_job


@task(task_run_name="list-templates")
async def list_templates(credentials: GenerioCredentials) -> list[Template]:
    """Every template the account can use."""
    async with credentials.get_client() as generio:
        return await generio.list_templates()


@task(task_run_name="get-template {template}")
async def get_template(credentials: GenerioCredentials, template: str) -> Template:
    """Get a template as Generio describes it now: its inputs and its outputs."""
    async with credentials.get_client() as generio:
        return await generio.get_template(template)


@task(task_run_name="create-flow {order.request[template]} {order.key:.8}")
async def create_flow(credentials: GenerioCredentials, store: AssetStore, order: Order, deliver: Deliver) -> State[Purchase]:
    """Buy the flow that meets an order, unless the journal knows one: make it, upload its input, and start it; the start is what is paid.

    A flow that was interrupted in between is found again: one that was started is taken up; one that was not is deleted, and made anew.
    """
    async with credentials.get_client() as generio:
        return await buy_as_state(generio, store, order, deliver)


@task(task_run_name="upload-input {flow_id}")
async def upload_input(credentials: GenerioCredentials, flow_id: str, data: str, additional: Any) -> Asset:
    """Upload a text or a file into a flow that was not started; an input that is there already is not uploaded twice.

    Args:
        credentials: The account.
        flow_id: The flow.
        data: The text, or a data URI.
        additional: Value that tells this input from the others of the flow.
    """
    async with credentials.get_client() as generio:
        return await generio.upload_input(flow_id, data, additional=additional)


@task(task_run_name="list-inputs {flow_id}")
async def list_inputs(credentials: GenerioCredentials, flow_id: str, *, include_data: bool = False) -> list[Asset]:
    """The inputs that a flow has."""
    async with credentials.get_client() as generio:
        return await generio.list_inputs(flow_id, include_data=include_data)


@task(task_run_name="get-input {flow_id}")
async def get_input(credentials: GenerioCredentials, flow_id: str, asset_id: str) -> Asset:
    """One input, with its data."""
    async with credentials.get_client() as generio:
        return await generio.get_input(flow_id, asset_id)


@task(task_run_name="start-flow {flow_id}")
async def start_flow(credentials: GenerioCredentials, flow_id: str, gate: Gate | None = None) -> None:
    """Start a flow, if the gate permits it; the start is what is paid. A flow that was started before is left to run."""
    async with credentials.get_client() as generio:
        await generio.start_flow(flow_id, gate)


@task(task_run_name="poll-flow {step} {purchase.key:.8}")
async def poll_flow(credentials: GenerioCredentials, store: AssetStore, purchase: Purchase, step: str, patience: Patience) -> Job:
    """Wait until a flow has completed, through outages.

    When a person cancels the flow run, the flow is aborted at Generio.

    Raises:
        JobFailedError: Generio says that it failed or was aborted.
        JobVanishedError: Generio no longer knows it.
        QueueTimeoutError, RunTimeoutError: It took too long; it stays bought and the next run takes it up again.
    """
    async with credentials.get_client() as generio:
        return await wait_for_job(generio, store, purchase, step, patience)


@task(task_run_name="get-flow {flow_id}")
async def get_flow(credentials: GenerioCredentials, flow_id: str) -> Flow:
    """The flow as it is now."""
    async with credentials.get_client() as generio:
        return await generio.get_flow(flow_id)


@task(task_run_name="list-flows")
async def list_flows(credentials: GenerioCredentials, sort_by: SortBy | None = None, filter_by: str = "") -> list[Flow]:
    """The account's flows."""
    async with credentials.get_client() as generio:
        return await generio.list_flows(sort_by=sort_by, filter_by=filter_by)


@task(task_run_name="list-outputs {flow_id}")
async def list_outputs(credentials: GenerioCredentials, flow_id: str, *, include_data: bool = False) -> list[Asset]:
    """List the outputs of a flow; of one that was aborted or failed, those that it gave before its end."""
    async with credentials.get_client() as generio:
        return await generio.list_outputs(flow_id, include_data=include_data)


@task(task_run_name="download-outputs {purchase.order.operation} {purchase.key:.8}")
async def download_outputs(credentials: GenerioCredentials, store: AssetStore, purchase: Purchase, job: Job) -> Received:
    """Fetch the models that a flow gave, verify them, and put them into the store with their provenance."""
    async with credentials.get_client() as generio:
        return await store_outputs(generio, store, purchase, job)


@task(task_run_name="abort-flow {flow_id}")
async def abort_flow(credentials: GenerioCredentials, flow_id: str) -> Flow:
    """Abort a flow, and wait until it has ended: aborted, or with its result if that came first."""
    async with credentials.get_client() as generio:
        return await generio.abort_flow(flow_id)


@task(task_run_name="delete-flow {flow_id}")
async def delete_flow(credentials: GenerioCredentials, flow_id: str) -> None:
    """Delete a flow with everything in it, so that storing it costs nothing; its files should be in the store by then."""
    async with credentials.get_client() as generio:
        await generio.delete_flow(flow_id)


NEWEST = 5
"""Number of the newest flows whose inputs and outputs a report lists: each costs two requests."""


async def _templates(credentials: GenerioCredentials) -> Listed:
    return Listed(
        [
            {
                "template": one.name,
                "takes": ", ".join(one.input_types),
                "gives": ", ".join(one.output_types),
                "parameters": ", ".join(parameter.name for parameter in one.parameters),
                "about": one.description,
            }
            for one in await list_templates(credentials)
        ]
    )


async def _flows(credentials: GenerioCredentials) -> Listed:
    return Listed(
        [
            {
                "flow": one.flow_id,
                "template": one.template,
                "state": one.state,
                "created": one.created_at,
                "labels": ", ".join(f"{name}={value}" for name, value in labels_in(one.additional).items()),
                "error": one.error,
            }
            for one in await list_flows(credentials)
        ]
    )


async def _inputs(credentials: GenerioCredentials) -> Listed:
    return await _assets(credentials, list_inputs, [one.flow_id for one in await list_flows(credentials)])


async def _outputs(credentials: GenerioCredentials) -> Listed:
    jobs = [one.as_job() for one in await list_flows(credentials)]
    over = [job.id for job in jobs if job.status.terminal and job.status is not JobStatus.UNSTARTED]
    return await _assets(credentials, list_outputs, over)


async def _assets(
    credentials: GenerioCredentials, ask: Callable[..., Awaitable[Sequence[Asset]]], flows: Sequence[str]
) -> Listed:
    rows: list[dict[str, Any]] = []
    for flow_id in flows[:NEWEST]:
        with suppress(NotFoundError):  # deleted since the list was read
            rows += [
                {"flow": flow_id, "asset": one.asset_id, "status": one.status, "input": one.named}
                for one in await ask(credentials, flow_id)
            ]
    return Listed(rows)


TASKS = Tasks(
    create_flow,
    poll_flow,
    download_outputs,
    calls={"get_template": get_template, "upload_input": upload_input, "start_flow": start_flow, "delete_flow": delete_flow},
    lists={"templates": _templates, "flows": _flows, "inputs": _inputs, "outputs": _outputs},
)
