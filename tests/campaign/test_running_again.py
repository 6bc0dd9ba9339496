"""A job that fails is tried again, if its run says so, and buys only what its cap allows."""

from typing import Any

from flows.image_batch import image_batch
from tests.studio import Studio

PATIENCE = {"queue_minutes": 900, "run_minutes": 900}


async def run(studio: Studio, *prompts: str, **parameters: Any) -> Any:
    return await studio.run(image_batch, {"name": "batch", "prompts": list(prompts), **PATIENCE, **parameters})


async def test_a_job_that_fails_is_tried_again_as_often_as_the_run_says_and_within_its_cap(genova: Studio) -> None:
    genova.sandbox.fault(genova.account, "fail", times=1)

    ended = await run(genova, "a cup", attempts=2)

    (result,) = ended.result
    assert (ended.name, result.status) == ("Completed", "Bought")
    assert len(genova.jobs) == 2

    genova.sandbox.fault(genova.account, "fail", times=2)
    ended = await run(genova, "a mug", attempts=2)
    assert (ended.name, len(genova.jobs)) == ("Partial", 4)

    genova.sandbox.fault(genova.account, "fail", times=1)
    ended = await run(genova, "a jug", attempts=5, max_credits=1)
    assert (ended.name, len(genova.jobs)) == ("Partial", 5), "a failed job may have cost its credit: the cap leaves no second"
    assert "the job failed" in ended.message
