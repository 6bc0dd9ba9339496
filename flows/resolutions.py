"""Questions to a person in the Prefect UI about purchases in doubt."""

from typing import Annotated, Any

from prefect.client.schemas.objects import State
from prefect.flow_runs import apause_flow_run
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from blocks import AssetStore, load_stores
from genmedia.campaign.forms.parameters import Looked
from genmedia.errors import GenmediaError, SupersededError
from genmedia.forms.fields import field
from genmedia.journal import Attempt
from genmedia.purchasing.resolve import Resolution
from tasks.doubts import LEAVE, Answer, list_doubts, question, settle
from tasks.reporting import name_flow_run
from tasks.telling import flow

POLL_SECONDS = 2


def _name() -> str:
    return f"in doubt: {flow_run.parameters.get('store') or 'all stores'}"


@flow(name="resolutions", flow_run_name=_name)
async def resolutions(
    *,
    store: Looked = "",
    hours: Annotated[
        float,
        field(
            "Hours to wait",
            "How long each question waits for an answer; then the run fails, and what is left stays in doubt.",
            example=24,
            gt=0,
        ),
    ] = 24,
) -> State[Any]:
    """Ask a person about each purchase that is in doubt or gives no file: the run pauses, and its Resume button opens a form.

    Raises:
        SettingsError: There is no such block.
    """
    told: list[str] = []
    asked: set[str] = set()
    failed: list[str] = []
    for name, assets in (await load_stores(store)).items():
        try:
            if isinstance(assets, GenmediaError):
                raise assets
            if assets.journal_url in asked:
                continue
            asked.add(assets.journal_url)
            doubtful = await list_doubts(assets)
        except GenmediaError as error:
            if store:
                raise
            failed.append(name)
            get_run_logger().error("the journal of the store %s could not be looked through: %s", name, error)
        else:
            told += [await _ask(assets, attempt, hours) for attempt in doubtful]
    settled = sum(map(bool, told))
    message = f"{settled} settled, {len(told) - settled} left in doubt" if told else "nothing was found in doubt"
    await name_flow_run(f"in doubt: {message if told else 'nothing'}")
    if failed:
        return Failed(name="Partial", message=f"{message}; not looked through: {', '.join(failed)}, see the log", data=told)
    return Completed(message=message if told else "nothing is in doubt", data=told)


async def _ask(assets: AssetStore, attempt: Attempt, hours: float) -> str:
    """Ask until an answer can be used; returns a sentence on what it means, empty if the purchase is left in doubt."""
    fault = ""
    while True:
        form = Answer.with_initial_data(description=question(attempt, fault))
        answer = await apause_flow_run(wait_for_input=form, timeout=int(hours * 3600), poll_interval=POLL_SECONDS)
        if answer.became == LEAVE:
            return ""
        if not Resolution(answer.became).fits(attempt):
            fault = "It is paid for: write it off, or leave it."
            continue
        if answer.became == Resolution.BOUGHT and not answer.job_id.strip():
            fault = "Say which job it is."
            continue
        try:
            told = await settle(assets, attempt, answer)
        except SupersededError as error:
            fault = error.what
        else:
            get_run_logger().info(told)
            return told
