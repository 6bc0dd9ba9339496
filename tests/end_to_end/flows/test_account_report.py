"""The report of an account: each list of its provider is a table, and nothing is bought."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

from deployments.local_run import Ended, run_here
from flows import account_report as report
from flows.account_report import account_report
from genmedia.errors import CredentialsError, InputError
from tests.sandboxes import Sandbox
from tests.studio import Studio

NewStudio = Callable[..., Any]


@pytest.fixture
def new_studio(prefect: str, sandbox: Sandbox, tmp_path: Path) -> NewStudio:
    async def make(provider: str, **options: Any) -> Studio:
        studio = Studio(sandbox, sandbox.new_account(provider, **options), tmp_path)
        await studio.save_blocks()
        return studio

    return make


async def reported(studio: Studio, **parameters: Any) -> Ended:
    ended = await run_here(account_report, {"provider": studio.account["provider"], "account": studio.name, **parameters})
    assert studio.jobs == []
    return ended


async def tables(ended: Ended) -> dict[str, Any]:
    """The artifacts of a run, by their keys."""
    of_it = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[UUID(ended.page.rpartition("/")[2])]))
    async with get_client() as client:
        found = await client.read_artifacts(artifact_filter=of_it)
    return {one.key or "": one for one in found}


async def test_a_genova_account_is_reported_where_no_provider_is_named(new_studio: NewStudio) -> None:
    studio = await new_studio("genova", plan="Pro")

    ended = await run_here(account_report, {"account": studio.name})

    assert (ended.name, ended.message) == ("Completed", "plan pro, credits left: 2000, jobs under way: 0; keys: 1; jobs: 0")
    assert (await tables(ended)).keys() == {"genova-account", "genova-keys", "genova-jobs"}
    async with get_client() as client:
        assert (await client.read_flow_run(UUID(ended.page.rpartition("/")[2]))).name == f"genova account {studio.name}"


async def test_techniques_and_runs_of_flora_are_shown_where_it_lists_them(new_studio: NewStudio) -> None:
    ended = await reported(await new_studio("flora", switches={"list_techniques": True, "list_runs": True}))

    assert (ended.name, ended.message) == ("Completed", "techniques: 39; runs: 0")
    assert "studio-blur" in (await tables(ended))["flora-techniques"].data


async def test_a_list_that_a_provider_does_not_offer_is_no_failure(new_studio: NewStudio) -> None:
    ended = await reported(await new_studio("flora"))

    assert (ended.name, ended.message) == ("Completed", "techniques: not offered; runs: not offered")


async def test_templates_flows_inputs_and_outputs_of_generio_are_shown_with_whom_they_are_for(new_studio: NewStudio) -> None:
    studio = await new_studio("generio")
    async with studio.credentials.get_client() as client:
        for additional in ({"genmedia": "key:1", "labels": {"client": "acme"}}, "another program's"):
            flow = await client.create_flow("model_generate_fromprompt", {}, additional=additional)
            await client.upload_input(flow.flow_id, "A chair", additional="text")

    ended = await reported(studio)

    assert (ended.name, ended.message) == ("Completed", "templates: 3; flows: 2; inputs: 2; outputs: 0")
    assert "client=acme" in (await tables(ended))["generio-flows"].data


async def test_the_base_models_of_algovera_are_shown(new_studio: NewStudio) -> None:
    ended = await reported(await new_studio("algovera"))

    assert ended.name == "Completed"
    assert ended.message.startswith("models: ")
    assert "stable" in (await tables(ended))["algovera-models"].data


async def test_a_list_that_cannot_be_read_hides_no_other(new_studio: NewStudio) -> None:
    studio = await new_studio("genova", plan="Pro")
    studio.sandbox.fault(studio.account, "broken_json", route="list_keys", times=None)

    ended = await reported(studio)

    assert ended.name == "Partial"
    assert not isinstance(ended.result, BaseException)
    assert ended.message.startswith("plan pro, credits left: 2000, jobs under way: 0; keys: could not be read, ")
    assert ended.message.endswith("; jobs: 0")
    assert (await tables(ended)).keys() == {"genova-account", "genova-jobs"}


async def test_where_no_list_can_be_read_the_run_says_why(new_studio: NewStudio) -> None:
    studio = await new_studio("generio")
    await studio.save_blocks(api_key="gn_wrong")

    ended = await reported(studio)

    assert isinstance(ended.result, CredentialsError)
    assert "gn_wrong" not in ended.message


async def test_of_a_long_list_the_first_rows_are_shown_and_all_are_counted(
    new_studio: NewStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "ROWS", 2)

    ended = await reported(await new_studio("generio"))

    assert ended.message.startswith("templates: 3, of which the first 2 are shown; ")
    assert "model_optimize" not in (await tables(ended))["generio-templates"].data


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"provider": "flora", "rename_to": "Studio North"}, "rename_to: cannot be done: FLORA lets no account be renamed"),
        ({"provider": "nobody"}, "provider"),
    ],
)
async def test_what_cannot_be_reported_is_told(new_studio: NewStudio, parameters: dict[str, Any], told: str) -> None:
    ended = await reported(await new_studio("flora"), **parameters)

    assert isinstance(ended.result, InputError)
    assert told in "\n".join(map(str, ended.result.faults))
