"""A run that is refused bought nothing and says so: a state of its own, every fault with its place, and no traceback in any log."""

from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, ArtifactFilterKey

from deployments.local_run import run_here
from flows.campaign import campaign
from flows.image_batch import image_batch
from flows.technique_chain import technique_chain
from tests.studio import Studio


async def refusal(ended: Any) -> str:
    """The artifact of a refused run."""
    run = ArtifactFilterFlowRunId(any_=[UUID(ended.page.rpartition("/")[2])])
    async with get_client() as client:
        (found,) = await client.read_artifacts(
            artifact_filter=ArtifactFilter(flow_run_id=run, key=ArtifactFilterKey(any_=["refused"]))
        )
    return str(found.data)


def check_quiet(caplog: pytest.LogCaptureFixture) -> None:
    ours = [record for record in caplog.records if record.name.startswith("prefect.")]
    assert not [record.getMessage() for record in ours if record.exc_info]
    assert "Traceback" not in caplog.text
    assert "exception" not in "".join(record.getMessage() for record in ours)


async def test_every_fault_of_a_chain_is_told_in_one_round_by_the_state_and_an_artifact(
    studio: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    steps: list[dict[str, Any]] = [
        {"name": "Warm Light", "technique": "relight-technique", "inptus": []},
        {"name": "soft", "technique": "no-such-one", "inputs": [{"id": "input_image", "step": "Warm Light"}]},
        {"name": "last", "technique": "studio-blur", "inputs": [{"id": "input_image", "file": "gone*.jpg"}]},
    ]
    ended = await run_here(technique_chain, {"chain": {"name": "Frühling", "steps": steps}, **studio.parameters})

    assert ended.name == "Refused"
    assert ended.message.startswith(
        "Nothing was bought. 3 faults in the input: step 1 (warm-light), inptus: is no field; there are "
    )
    assert "step 2 (soft): names the technique 'no-such-one', which FLORA does not know; step 3 (last)" in ended.message
    assert "\n" not in ended.message
    told = await refusal(ended)
    assert told.startswith("# Nothing was bought.\n\n3 faults in the input.\n\n- **step 1 (warm-light), inptus**: is no field; ")
    assert "\n- **step 3 (last), input input_image**: gone\\*.jpg is not there" in told
    assert "'Frühling' is kept under the name fruehling" in caplog.text
    assert studio.jobs == []
    check_quiet(caplog)


async def test_blocks_that_there_are_not_are_told_with_the_faults_of_the_other_steps(studio: Studio) -> None:
    steps: list[dict[str, Any]] = [
        {"name": "sheet", "base_model": "stable", "prompt": "a cup"},
        {"name": "hero", "model": "imagen5", "prompt": "a cup"},
        {"name": "film", "technique": "no-such-one", "inputs": [{"id": "input_image", "step": "sheet"}]},
        {"name": "model", "template": "model_generate_fromimage", "input": {"file": "gone.jpg"}},
    ]
    accounts = {"flora": studio.name, "algovera": "nobody", "generio": "nobody"}
    ended = await run_here(
        campaign, {"campaign": {"name": "c", "steps": steps}, "accounts": accounts, "store": studio.name, "marks": "gone.json"}
    )

    assert ended.name == "Refused"
    for told in (
        "6 faults in the input: account nobody of algovera: no algovera-credentials block is saved as 'nobody'",
        "gone.json: cannot be read",
        "step 2 (hero), model: is 'imagen5', and can be ",
        "did you mean imagen4?",
        "step 3 (film): names the technique 'no-such-one'",
        "; and 1 more, each in the artifact `refused`",
    ):
        assert told in ended.message
    assert "- **step 4 (model), input input**: gone.jpg is not there" in await refusal(ended)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"max_credits": 0}, "Nothing was bought. genova: what is not bought yet would cost 1 credit, more than the 0 allowed."),
        ({"account": "gone"}, "Nothing was bought. no genova-credentials block is saved as 'gone'. Saved: "),
        ({"store": "gone"}, "Nothing was bought. no asset-store block is saved as 'gone'. Saved: "),
        (
            {"models": ["imagen5"], "copies": 0, "name": ""},
            "Nothing was bought. 3 faults in the input: name: is empty; model 1: is 'imagen5', and can be ",
        ),
    ],
)
async def test_what_is_refused_before_it_is_planned_is_told_in_words_too(
    genova: Studio, wrong: dict[str, Any], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    ended = await run_here(image_batch, {"name": "n", "prompts": ["a cup"], **genova.parameters, **wrong})

    assert (ended.name, ended.message[: len(told)]) == ("Refused", told)
    assert (await refusal(ended)).startswith("# Nothing was bought.")
    assert genova.jobs == []
    check_quiet(caplog)


async def test_a_key_that_is_refused_is_told_by_its_task_and_by_the_run(studio: Studio, caplog: pytest.LogCaptureFixture) -> None:
    await studio.save_blocks("sk_live_wrong")
    steps = [{"name": "s", "technique": "studio-blur", "inputs": [{"id": "input_image", "file": "photos/coffee.jpg"}]}]
    ended = await run_here(technique_chain, {"chain": {"name": "c", "steps": steps}, **studio.parameters})

    assert (ended.name, ended.message[:25]) == ("Refused", "Nothing was bought. flora")
    assert "answered 401" in ended.message
    check_quiet(caplog)
