"""A Genova account's report, and its keys changed without anybody seeing one."""

import pytest
from pydantic import SecretStr

from blocks import GenovaCredentials, load_block
from deployments.local_run import run_here
from flows.account_report import account_report
from flows.key_rotation import key_rotation
from genmedia.errors import CredentialsError
from tests.studio import Studio


async def test_a_report_tells_plan_credits_and_jobs_and_can_rename_the_account(genova: Studio) -> None:
    ended = await run_here(account_report, {"account": genova.name, "rename_to": "Studio North"})

    assert ended.name == "Completed", ended.message
    assert ended.message == "plan pro, credits left: 2000, jobs under way: 0; keys: 1; jobs: 0"
    async with genova.credentials.get_client() as client:
        assert (await client.get_profile()).name == "Studio North"


async def test_a_rotation_leaves_one_key_that_works_and_revokes_the_old(genova: Studio) -> None:
    old = await load_block(GenovaCredentials, genova.name)
    runs = [await run_here(key_rotation, {"name": "rotated", "account": genova.name}) for _ in range(2)]

    assert [ended.name for ended in runs] == ["Completed", "Completed"], runs
    new = await load_block(GenovaCredentials, genova.name)
    async with new.get_client() as client:
        assert [key.name for key in await client.list_keys()] == ["rotated"]
    assert not any(new.api_key.get_secret_value() in ended.message for ended in runs)
    async with old.get_client() as client:
        with pytest.raises(CredentialsError):
            await client.get_profile()


async def test_a_rotation_leaves_no_block_with_the_key_that_it_revokes(genova: Studio) -> None:
    before = await load_block(GenovaCredentials, genova.name)
    await before.model_copy(update={"plan": "Free"}).asave("the-same-key", overwrite=True)
    await before.model_copy(update={"api_key": SecretStr("af_of_another")}).asave("another-key", overwrite=True)

    ended = await run_here(key_rotation, {"name": "rotated", "account": genova.name})

    new = await load_block(GenovaCredentials, genova.name)
    same = await load_block(GenovaCredentials, "the-same-key")
    assert ended.name == "Completed", ended.message
    assert ended.message.startswith(f"key {new.api_key.get_secret_value()[:7]} is in block {genova.name}, the-same-key; key ")
    assert (same.api_key, same.plan) == (new.api_key, "Free")
    assert (await load_block(GenovaCredentials, "another-key")).api_key.get_secret_value() == "af_of_another"
