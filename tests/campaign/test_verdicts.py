"""Runs that go by the verdicts in the journal, against the sandbox: a retake with its prompt, and the end of a branch that is rejected."""

from typing import Any

from flows.image_batch import image_batch
from flows.technique_chain import technique_chain
from genmedia.campaign.executor import RunResult
from genmedia.campaign.marks import UNWANTED_FEED
from genmedia.jobs.job import Account
from genmedia.journal import Journal
from genmedia.journal.reviews import Opinion
from genmedia.providers.genova.client import JobRequest
from genmedia.providers.genova.steps import KINDS, job_order
from genmedia.store import Place
from tests.chains import TWO_STEPS, by_step, chain, fed
from tests.studio import Studio


async def say(studio: Studio, result: RunResult, opinion: Opinion) -> None:
    """A person's verdict on what a run has given."""
    async with Journal.lease(Place(str(studio.root)).journal_url()) as journal:
        await journal.reviews.give([(opinion, asset.path, asset.sidecar) for asset in result.assets])


async def batch(studio: Studio, *prompts: str, **parameters: Any) -> list[RunResult]:
    ended = await studio.run(image_batch, {"name": "batch", "prompts": list(prompts), **parameters})
    assert not isinstance(ended.result, BaseException), ended.result
    return ended.result


def prompts_of(studio: Studio) -> list[str]:
    return [job["request"]["prompt"] for job in studio.jobs]


async def test_a_retake_is_bought_as_another_take_with_its_prompt_once(genova: Studio) -> None:
    cup, jug = await batch(genova, "a cup", "a jug")
    await say(genova, cup, Opinion("retake", "Ann", "it has no handle", prompt="a cup with a handle"))
    await say(genova, jug, Opinion("keep", "Ann"))

    for expected in ("Bought", "Reused"):
        results = await batch(genova, "a cup", "a jug", "a bowl", marks="journal")
        assert [result.status for result in results] == [expected, "Reused", "Not bought"]
        (retake,) = results[0].assets
        assert (retake.sidecar.request["prompt"], retake.sidecar.take) == ("a cup with a handle", cup.assets[0].sidecar.take + 20)
    assert sorted(prompts_of(genova)) == ["a cup", "a cup with a handle", "a jug"]

    await say(genova, results[0], Opinion("retake", "Ben"))
    (again, *_) = await batch(genova, "a cup", "a jug", marks="journal")
    assert (again.status, again.assets[0].sidecar.request["prompt"]) == ("Bought", "a cup with a handle")

    await say(genova, cup, Opinion("withdrawn", "Ann"))
    (first, *_) = await batch(genova, "a cup", "a jug", marks="journal")
    assert first.assets == cup.assets


async def test_a_prompt_that_the_provider_does_not_take_is_told_and_nothing_is_bought_for_it(genova: Studio) -> None:
    cup, jug = await batch(genova, "a cup", "a jug")
    await say(genova, cup, Opinion("retake", "Ann", prompt="a cup " * 100))
    await say(genova, jug, Opinion("retake", "Ann"))

    told = await batch(genova, "a cup", "a jug", marks="journal")

    assert [result.status for result in told] == ["Not bought", "Bought"]
    assert told[0].error.endswith("nothing is bought for it: prompt: is longer than 500 characters")


async def test_verdicts_count_only_where_a_run_is_told_to_go_by_them_and_for_its_own_campaign(genova: Studio) -> None:
    (cup,) = await batch(genova, "a cup")
    await say(genova, cup, Opinion("retake", "Ann"))

    assert [result.status for result in await batch(genova, "a cup")] == ["Reused"]
    assert [result.status for result in await batch(genova, "a bowl", name="other", marks="journal")] == ["Not bought"]
    assert len(genova.jobs) == 1


async def test_nothing_is_made_of_what_is_rejected_though_everything_else_is_bought(flora: Studio) -> None:
    third = {"technique": "relight-technique", "inputs": fed("s2")}

    async def run(*steps: dict[str, Any], **parameters: Any) -> dict[str, RunResult]:
        return by_step(await flora.run(technique_chain, {"chain": chain("launch", *steps), **parameters}))

    first = await run(*TWO_STEPS)
    await say(flora, first["s1"], Opinion("reject", "Ann", "too dark"))
    told = await run(*TWO_STEPS, third, marks="journal", buy_unmarked=True)

    assert [(told[name].status, told[name].error) for name in ("s1", "s2", "s3")] == [
        ("Reused", ""),
        ("Not bought", UNWANTED_FEED),
        ("Not bought", UNWANTED_FEED),
    ]
    assert len(flora.jobs) == 2

    await say(flora, first["s1"], Opinion("keep", "Ben"))
    await say(flora, first["s2"], Opinion("reject", "Ben"))
    told = await run(*TWO_STEPS, third, marks="journal", buy_unmarked=True)
    assert [told[name].status for name in ("s1", "s2", "s3")] == ["Reused", "Reused", "Not bought"]
    assert len(flora.jobs) == 2

    await say(flora, first["s2"], Opinion("keep", "Ben"))
    told = await run(*TWO_STEPS, third, marks="journal", buy_unmarked=True)
    assert [told[name].status for name in ("s1", "s2", "s3")] == ["Reused", "Reused", "Bought"]


def test_a_genova_order_with_another_prompt_is_the_one_that_would_have_been_made_with_it() -> None:
    def order(prompt: str) -> Any:
        request = JobRequest(model="nano_banana2", type="image", prompt=prompt, aspect_ratio="landscape")
        return job_order(request, [], Account("genova", "https://genova.example"), 1)

    assert KINDS[0].reword(order("a cup"), "a jug") == order("a jug")
