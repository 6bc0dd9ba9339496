"""Base of every flow that buys: its form becomes a brief, which is carried out as Prefect task runs and shown in the Prefect UI."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec

from prefect import Flow
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.exceptions import FailedRun
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from blocks import AssetStore, credentials_of, load_block, load_store
from blocks.credentials import ProviderCredentials, as_saved
from blocks.loading import load_all
from flows.forms import form
from flows.other_journals import warn_of_purchases_elsewhere
from genmedia.campaign.brief import Brief
from genmedia.campaign.run import run_campaign
from genmedia.progress import Log
from genmedia.providers.offers import Credentials, with_two_keys
from genmedia.purchasing.budget import Foreseen, Plan
from genmedia.purchasing.result import FAILED, Result
from genmedia.store import Store
from tasks.parts import PartRuns, look_after_whole, part_of
from tasks.recovery import cancel_jobs
from tasks.reporting import publish_plan, publish_results, tag_flow_run
from tasks.runner import TaskRuns
from tasks.states import campaign_state
from tasks.store import write_gallery
from tasks.telling import flow

P = ParamSpec("P")


def buying_flow(*, name: str, flow_run_name: str = "{name}") -> Callable[[Callable[P, Brief]], Flow[P, Any]]:
    """Make a flow that buys what its function asks for in a brief.

    When a person cancels a run, its jobs are cancelled where the provider can do that.

    Args:
        name: Name of the flow.
        flow_run_name: Name of its runs, with parameters and their fields in braces.
    """

    def made(asked_for: Callable[P, Brief]) -> Flow[P, Any]:
        @wraps(asked_for)
        async def bought(*args: P.args, **kwargs: P.kwargs) -> State[Any]:
            return await _carry_out(asked_for(*args, **kwargs))

        return form(
            flow(name=name, flow_run_name=flow_run_name, on_cancellation=[cancel_jobs], on_end=[look_after_whole])(bought)
        )

    return made


async def _carry_out(brief: Brief) -> State[Any]:
    """Carry out a brief; returns the state in which the run ends.

    Raises:
        FailedRun: A step failed, and Prefect has retries left to run the flow again.
    """
    ended = await run_campaign(brief, _FlowRun())
    state = campaign_state(ended.results, ended.marked)
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
        context = FlowRunContext.get()
        run = context.flow_run if context else None
        self.part = part_of(run)
        self.apart = PartRuns(run) if run and run.deployment_id and not self.part else None

    async def load_store(self, name: str) -> AssetStore:
        """Load the saved Asset Store block."""
        return await load_store(name)

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

    async def show_plan(self, name: str, foreseen: Sequence[Foreseen], plans: Mapping[str, Plan], marked: str) -> None:
        """Show the plan in the log and as an artifact."""
        await publish_plan(name, foreseen, plans, marked)

    async def warn(self, assets: AssetStore, keys: Collection[str]) -> None:
        """Warn of submissions that the journals of other saved stores have already."""
        await warn_of_purchases_elsewhere(assets, keys)

    async def show_results(self, name: str, results: Sequence[Result], assets: AssetStore, store: Store) -> None:
        """Show the results as artifacts and in the gallery, which the run of the whole writes for all its parts."""
        await publish_results(name, results, assets, store, with_sheet=not (self.apart and self.apart.parts))
        if not self.part:
            await write_gallery(assets)
