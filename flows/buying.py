"""Base of every flow that buys: its form becomes a brief, which is carried out as Prefect task runs and shown in the Prefect UI."""

import inspect
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from functools import wraps
from types import NoneType
from typing import Annotated, Any, ParamSpec, Union, get_args, get_origin

from prefect import Flow
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.exceptions import FailedRun
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from pydantic_core import MISSING

from blocks import AssetStore, credentials_of, load_block, load_store
from blocks.credentials import ProviderCredentials, as_saved
from blocks.loading import load_all
from flows.other_journals import warn_of_purchases_elsewhere
from genmedia.campaign.brief import Brief
from genmedia.campaign.prospect import Prospect
from genmedia.campaign.review import Waiting
from genmedia.campaign.run import run_campaign
from genmedia.errors import BudgetError
from genmedia.progress import Log, listening_too
from genmedia.providers.offers import Credentials, with_two_keys
from genmedia.purchasing.result import FAILED, Result
from genmedia.store import Store
from tasks.events import BUDGET_SHORT, tell_of_budget
from tasks.overview import Overview
from tasks.parts import DEPLOYED, PartRuns, look_after_whole, part_of
from tasks.recovery import cancel_jobs
from tasks.reporting import key_of, publish_plan, publish_results, tag_flow_run, tell_places
from tasks.review import hear, wait_for_review
from tasks.runner import TaskRuns
from tasks.states import campaign_state
from tasks.store import write_gallery
from tasks.telling import flow

P = ParamSpec("P")


def buying_flow(
    form: Callable[P, Brief], *, module: str, name: str, flow_run_name: str | Callable[[], str] = "{name}"
) -> Flow[P, Any]:
    """Make a flow that buys what its form asks for.

    When a person cancels a run, its jobs are cancelled where the provider can do that.

    Args:
        form: Makes the brief; its parameters are those of the flow.
        module: Name of the module that has the flow, under the form's name; who runs it in another process finds it there.
        name: Name of the flow.
        flow_run_name: Name of its runs; see `tasks.telling.flow`.
    """

    @wraps(form)
    async def bought(*args: P.args, **kwargs: P.kwargs) -> State[Any]:
        return await _carry_out(form(*args, **kwargs))

    bought.__module__ = module
    made = flow(name=name, flow_run_name=flow_run_name, on_cancellation=[cancel_jobs], on_end=[look_after_whole])(bought)
    signature = inspect.signature(form)
    shown = [_without_null(one) for one in signature.parameters.values()]
    made.__signature__ = signature.replace(parameters=shown)  # pyright: ignore[reportAttributeAccessIssue] # what inspect asks for
    return made


def _without_null(parameter: inspect.Parameter) -> inspect.Parameter:
    """Return a parameter which may be null as its other type; see `genmedia.forms.fields.show_plainly`."""
    kind, *rules = get_args(parameter.annotation) if get_origin(parameter.annotation) is Annotated else [parameter.annotation]
    others = tuple(one for one in get_args(kind) if one is not NoneType)
    if NoneType not in get_args(kind):
        return parameter
    plain = Union[others]  # noqa: UP007 # of a tuple
    return parameter.replace(annotation=Annotated[(plain, *rules)] if rules else plain, default=MISSING)


async def _carry_out(brief: Brief) -> State[Any]:
    """Carry out a brief; returns the state in which the run ends.

    Raises:
        FailedRun: A step failed, and Prefect has retries left to run the flow again.
    """
    host = _FlowRun()
    await host.hear()
    with listening_too(host.overview.hear):
        try:
            ended = await run_campaign(brief, host)
        except BudgetError as error:
            tell_of_budget(BUDGET_SHORT, brief.name, error)
            raise
        finally:
            await host.overview.end()
    state = campaign_state(ended.results, ended.marked, ended.delivered)
    # Refused content is not asked for again: a retry would not help.
    if any(result.status == FAILED for result in ended.results) and _has_retries_left():
        # A run whose flow returns a failed state is not retried in its process, and ends as crashed.
        raise FailedRun(state.message)
    return state


def _has_retries_left() -> bool:
    context = FlowRunContext.get()
    run = context and context.flow_run
    return run is not None and run.run_count <= (run.empirical_policy.retries or 0)


class _FlowRun:
    """The current flow run as the host of a campaign; see `genmedia.campaign.host.Host`."""

    def __init__(self) -> None:
        self.run = flow_run.id or ""
        self.log: Log = get_run_logger()
        self.runner = TaskRuns()
        self.overview = Overview()
        context = FlowRunContext.get()
        self._flow_run = run = context.flow_run if context else None
        self._store = ""
        self.part = part_of(run)
        # A run that begins late is for the time of its schedule all the same.
        self.begun = self.part.begun if self.part else (run and run.expected_start_time) or datetime.now(UTC)
        self.by_person = not (run and (run.auto_scheduled or self.part))  # nobody waits for a part of many as for a quick run
        can_have_parts = run and run.deployment_id and DEPLOYED not in run.labels and not self.part
        self.apart = PartRuns(run) if run and can_have_parts else None

    async def load_store(self, name: str) -> AssetStore:
        """Load the saved Asset Store block."""
        self._store = name
        return await load_store(name)

    async def hear(self) -> None:
        """Write down what a person has answered in the form by which the run was resumed."""
        if self._flow_run:
            await hear(self._flow_run, load_store)

    async def load_payer(self, provider: str, name: str) -> ProviderCredentials:
        """Load the saved credentials block."""
        return await load_block(credentials_of(provider), name)

    async def begin(self, name: str, payers: Sequence[Credentials]) -> None:
        """Tag the flow run, and warn of accounts that have several keys."""
        # Tags on task runs would cost a call to Prefect's concurrency limits for each, which its SQLite answers in seconds under load.
        await tag_flow_run(*(payer.provider for payer in payers), f"campaign:{name}")
        for payer in payers:
            kind = credentials_of(payer.provider)
            if told := with_two_keys(as_saved(await load_all([kind]))).get(str(payer.payer)):
                self.log.warning("%s", told)

    async def show_plan(self, name: str, prospect: Prospect, marked: str, assets: AssetStore) -> None:
        """Show the plan in the log and as an artifact, and begin the table of the run."""
        links = tell_places(name, prospect.place, assets)
        await publish_plan(name, prospect, marked, links)
        self.overview.begin(f"{key_of(name)}-progress", links, prospect)

    async def warn(self, assets: AssetStore, keys: Collection[str]) -> None:
        """Warn of submissions that the journals of other saved stores have already."""
        await warn_of_purchases_elsewhere(assets, keys)

    async def show_results(self, name: str, results: Sequence[Result], assets: AssetStore, store: Store) -> None:
        """Show the results as artifacts and in the gallery, which the run of the whole writes for all its parts."""
        self.overview.conclude(results)
        await publish_results(name, results, assets, store, with_sheet=not (self.apart and self.apart.parts))
        if not self.part:
            await write_gallery(assets)

    async def wait_for_review(self, waiting: Waiting, assets: AssetStore) -> None:
        """Suspend the run, if it has a deployment that begins it again, and is no part of another, which waits itself."""
        if self._flow_run and self._flow_run.deployment_id and not self._flow_run.parent_task_run_id:
            await wait_for_review(self._flow_run, self._store, waiting, assets)
