"""What became of purchases in doubt, told by a person in the Prefect UI."""

from typing import Annotated, Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.flow_runs import apause_flow_run
from prefect.logging import get_run_logger
from prefect.states import Completed
from pydantic import Field

from blocks import AssetStore, load_block
from genmedia.doubts import Resolution
from genmedia.errors import SupersededError
from genmedia.journal import Attempt
from tasks.doubts import LEAVE, Answer, list_doubts, question, settle

POLL_SECONDS = 2


@flow(name="resolutions", flow_run_name="{store}")
async def resolutions(store: str = "default", hours: Annotated[float, Field(gt=0)] = 24) -> State[Any]:
    """Ask a person about each purchase that nobody can tell about: the run pauses, and its Resume button opens a form.

    Args:
        store: Name of the Asset Store block whose journal it is.
        hours: How long each question waits for an answer; then the run fails, and what is left stays in doubt.

    Raises:
        SettingsError: There is no such block.
    """
    assets = await load_block(AssetStore, store)
    doubtful = await list_doubts(assets)
    told = [await _ask(assets, attempt, hours) for attempt in doubtful]
    settled = sum(map(bool, told))
    return Completed(
        message=f"{settled} settled, {len(told) - settled} left in doubt" if told else "nothing is in doubt", data=told
    )


async def _ask(assets: AssetStore, attempt: Attempt, hours: float) -> str:
    """What the answer means; empty when it is left in doubt."""
    fault = ""
    while True:
        form = Answer.with_initial_data(description=question(attempt, fault))
        answer = await apause_flow_run(wait_for_input=form, timeout=int(hours * 3600), poll_interval=POLL_SECONDS)
        if answer.became == LEAVE:
            return ""
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
