"""Genova's tasks one by one, against the sandbox: keys that never leave their block, the profile, the list, cancelling."""

import asyncio
from collections.abc import Generator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from prefect import flow
from prefect.client.schemas.objects import State
from prefect.settings import PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW, temporary_settings
from pydantic import SecretStr

from blocks import AssetStore, GenovaCredentials, load_block
from deployments.local_run import run_here
from genmedia.errors import CredentialsError, InDoubtError, RefusedError
from genmedia.providers.genova.client import ApiKey, JobRequest
from genmedia.providers.genova.steps import job_order, submission
from genmedia.providers.steps import Submit
from tasks.genova import (
    cancel_job,
    create_key,
    get_profile,
    get_stats,
    list_jobs,
    list_keys,
    revoke_key,
    submit_job,
    update_profile,
)
from tests.sandboxes import Sandbox
from tests.studio import Studio


@pytest.fixture(autouse=True)
def quiet(prefect: str) -> Generator[None]:
    """Tasks are called without a flow here; Prefect need not warn that their logs stay in this process."""
    with temporary_settings({PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW: "ignore"}):
        yield


@pytest.fixture
async def genova(prefect: str, sandbox: Sandbox, tmp_path: Path) -> Studio:
    """An account on the Pro plan whose jobs stay in the queue."""
    account = sandbox.new_account("genova", plan="Pro", settings={"queue": [60_000, 60_000]})
    studio = Studio(sandbox, account, tmp_path)
    await studio.save_blocks()
    return studio


@pytest.fixture
async def credentials(genova: Studio) -> GenovaCredentials:
    return await load_block(GenovaCredentials, genova.name)


async def order(credentials: GenovaCredentials, *prompts: str) -> list[str]:
    async with credentials.get_client() as client:
        return [
            (await client.create_job({"type": "image", "prompt": prompt, "model": "nano_banana2"})).job_id for prompt in prompts
        ]


@flow
async def make_key(account: str, name: str, block: str) -> ApiKey:
    return await create_key(await load_block(GenovaCredentials, account), name, block)


def told_by(api: str, block: str) -> str:
    """What a Prefect server shows of its latest runs, logs, events and artifacts, and of a block."""
    newest: dict[str, dict[str, str]] = {
        "flow_runs": {},
        "task_runs": {},
        "logs": {"sort": "TIMESTAMP_DESC"},
        "events": {},
        "artifacts": {},
    }
    answers = [httpx.post(f"{api}/{kind}/filter", json=wish) for kind, wish in newest.items()]
    answers.append(httpx.get(f"{api}/block_types/slug/genova-credentials/block_documents/name/{block}"))
    return "".join(answer.raise_for_status().text for answer in answers)


async def test_a_created_key_is_in_its_block_and_nowhere_else(
    prefect: str, genova: Studio, credentials: GenovaCredentials
) -> None:
    name, block = f"night shift of {genova.name}", f"{genova.name}-night"

    ended = await run_here(make_key, {"account": genova.name, "name": name, "block": block})

    assert ended.name == "Completed", ended.message
    saved = await load_block(GenovaCredentials, block)
    key = saved.api_key.get_secret_value()
    assert key.startswith("af_")
    assert key != genova.account["api_key"]
    assert (saved.payer, saved.plan, saved.base_url) == (credentials.payer, "Pro", credentials.base_url)
    assert (await get_profile(saved)).id == genova.account["user_id"]
    assert (ended.result.name, ended.result.key) == (name, None)
    # A task run reaches the server a little after it ended.
    while f'"create-key {name}"' not in (told := told_by(prefect, block)):
        pass
    assert key not in told
    assert key not in f"{ended!r} {ended.result.model_dump()}"


async def test_the_list_of_keys_shows_every_key_by_its_beginning(genova: Studio, credentials: GenovaCredentials) -> None:
    await create_key(credentials, "second", f"{genova.name}-second")

    keys = {key.name: key for key in await list_keys(credentials)}

    assert keys.keys() == {"Default", "second"}
    assert all(key.key is None for key in keys.values())
    assert genova.account["api_key"].startswith(keys["Default"].prefix)


async def test_the_key_in_use_is_revoked_by_force_only(genova: Studio, credentials: GenovaCredentials) -> None:
    (mine,) = await list_keys(credentials)

    with pytest.raises(RefusedError, match="Default is the one in use"):
        await revoke_key(credentials, mine.id)
    assert [key.id for key in await list_keys(credentials)] == [mine.id]

    await revoke_key(credentials, mine.id, force=True)
    with pytest.raises(CredentialsError):
        await get_profile(credentials)


async def test_a_key_is_replaced_by_a_new_one_in_the_same_block(genova: Studio, credentials: GenovaCredentials) -> None:
    (old,) = await list_keys(credentials)
    new = await create_key(credentials, "new", genova.name)
    saved = await load_block(GenovaCredentials, genova.name)

    with pytest.raises(RefusedError, match="new is the one in use"):
        await revoke_key(saved, new.id)
    await revoke_key(saved, old.id)

    assert [key.name for key in await list_keys(saved)] == ["new"]
    with pytest.raises(CredentialsError):
        await get_profile(credentials)


async def test_a_queued_job_is_cancelled_and_its_credit_comes_back(genova: Studio, credentials: GenovaCredentials) -> None:
    (job_id,) = await order(credentials, "a boat")
    assert (await get_profile(credentials)).credits_remaining == 1999

    await cancel_job(credentials, job_id)

    assert [(job["status"], job["charged"]) for job in genova.jobs] == [("cancelled", 0)]
    assert (await get_profile(credentials)).credits_remaining == 2000


async def test_a_running_job_cannot_be_cancelled_and_the_refusal_says_so(genova: Studio, credentials: GenovaCredentials) -> None:
    genova.change(settings={"queue": [0, 0], "run": [60_000, 60_000]})
    (job_id,) = await order(credentials, "a boat")

    with pytest.raises(RefusedError, match="Only pending or queued jobs can be cancelled; this one is processing"):
        await cancel_job(credentials, job_id)

    assert [(job["status"], job["charged"]) for job in genova.jobs] == [("running", 1)]


async def test_jobs_are_listed_newest_first_by_status_and_page(genova: Studio, credentials: GenovaCredentials) -> None:
    ids = await order(credentials, "one", "two", "three")
    await cancel_job(credentials, ids[1])

    async def listed(status: str = "", limit: int = 50, offset: int = 0) -> list[str]:
        return [job.prompt for job in await list_jobs(credentials, status, limit, offset)]

    assert await listed() == ["three", "two", "one"]
    assert await listed(status="queued") == ["three", "one"]
    assert await listed(status="failed") == ["two"]
    assert await listed(status="completed") == []
    assert await listed(limit=2) == ["three", "two"]
    assert await listed(limit=2, offset=2) == ["one"]
    assert await listed(status="queued", limit=1, offset=1) == ["one"]
    with pytest.raises(RefusedError, match="status must be one of"):
        await listed(status="lost")


async def test_the_profile_tells_plan_and_credits_and_takes_a_new_name(genova: Studio, credentials: GenovaCredentials) -> None:
    await order(credentials, "a boat")

    changed = await update_profile(credentials, "Picture Desk")

    profile = await get_profile(credentials)
    assert changed == profile
    assert (profile.id, profile.name, profile.plan) == (genova.account["user_id"], "Picture Desk", "pro")
    assert (profile.credits_remaining, profile.credits_used) == (1999, 1)


async def test_the_stats_count_jobs_by_what_became_of_them(credentials: GenovaCredentials) -> None:
    ids = await order(credentials, "one", "two", "three")
    await cancel_job(credentials, ids[0])

    assert (await get_stats(credentials)).model_dump() == {
        "total_jobs": 3,
        "completed_jobs": 0,
        "failed_jobs": 1,
        "active_jobs": 2,
        "image_count": 3,
        "video_count": 0,
        "credits_remaining": 1998,
    }


async def test_doubts_do_not_keep_the_next_job_from_the_plans_slots(sandbox: Sandbox, tmp_path: Path) -> None:
    account = sandbox.new_account("genova", plan="Free")
    credentials = GenovaCredentials(
        api_key=SecretStr(account["api_key"]), base_url=account["base_url"], account=account["account"], plan="Free"
    )
    store = AssetStore(root=str(tmp_path))
    asked = [JobRequest(model="nano_banana2", type="image", prompt=prompt) for prompt in ("one", "two", "three")]
    sandbox.fault(account, "lose_answer", route="create_job", times=2)
    sandbox.fault(account, "nulls", route="list_jobs", times=None)  # no job says what it is

    async def buy(request: JobRequest) -> Any:
        async def deliver(held: AsyncExitStack) -> Submit:
            return submission(await held.enter_async_context(credentials.get_client()), order, {})

        order = job_order(request, [], credentials.payer, 1)
        ended = cast("object", await submit_job.fn(credentials, store, order, deliver))
        return await cast("State[Any]", ended).aresult(raise_on_failure=False) if isinstance(ended, State) else ended

    async with credentials.get_client():
        doubts = await asyncio.gather(*map(buy, asked[:2]))
        await buy(asked[2])

    assert [type(doubt) for doubt in doubts] == [InDoubtError, InDoubtError]
    assert len(sandbox.jobs(account)) == 3
