"""The tasks that only ask or tidy up, each called inside a Prefect flow run."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest
from prefect import flow

from blocks import FloraCredentials, GenerioCredentials
from genmedia.errors import NotFoundError
from tasks import flora, generio
from tests.sandboxes import Sandbox
from tests.studio import Studio

R = TypeVar("R")


async def within_a_flow(work: Callable[[], Awaitable[R]]) -> R:
    """What the work gives inside a flow run."""

    @flow(name="one-off")
    async def one_off() -> R:
        return await work()

    return await one_off()


@pytest.fixture
def studio_of(prefect: str, sandbox: Sandbox, tmp_path: Path) -> Callable[..., Studio]:
    def make(provider: str, **options: Any) -> Studio:
        return Studio(sandbox, sandbox.new_account(provider, **options), tmp_path)

    return make


async def test_techniques_and_runs_are_listed_where_flora_has_the_lists(studio_of: Callable[..., Studio]) -> None:
    newer = studio_of("flora", switches={"list_techniques": True, "list_runs": True})
    credentials = cast("FloraCredentials", newer.credentials)

    async def work() -> tuple[list[Any], list[Any]]:
        return await flora.list_techniques(credentials, "blur"), await flora.list_runs(credentials)

    techniques, runs = await within_a_flow(work)

    assert "Studio Blur" in [one.name for one in techniques]
    assert runs == []


async def test_a_generio_flow_is_looked_at_aborted_and_deleted(studio_of: Callable[..., Studio]) -> None:
    studio = studio_of("generio", settings={"run": [3000, 3000]})
    credentials = cast("GenerioCredentials", studio.credentials)
    async with credentials.get_client() as client:
        flow_id = (await client.create_flow("model_generate_fromprompt", {}, additional="mine")).flow_id

    async def work() -> None:
        assert len(await generio.list_templates(credentials)) == 3
        uploaded = await generio.upload_input(credentials, flow_id, "A chair", "text")
        assert [one.asset_id for one in await generio.list_inputs(credentials, flow_id)] == [uploaded.asset_id]
        assert (await generio.get_input(credentials, flow_id, uploaded.asset_id)).data == "A chair"
        await generio.start_flow(credentials, flow_id)
        assert (await generio.abort_flow(credentials, flow_id)).state == "aborted"
        assert await generio.list_outputs(credentials, flow_id) == []
        assert [one.additional for one in await generio.list_flows(credentials)] == ["mine"]
        assert (await generio.get_flow(credentials, flow_id)).state == "aborted"
        await generio.delete_flow(credentials, flow_id)
        with pytest.raises(NotFoundError):
            await generio.get_flow(credentials, flow_id)

    await within_a_flow(work)
