"""What a step of a campaign's file says about its purchases: attempts, deadline, doubt, refused files, and what is bought in its place."""

import json
from pathlib import Path

import pytest

from genmedia.campaign.executor import RunResult
from genmedia.campaign.run import Ended
from genmedia.errors import InputError, UnreachableError
from genmedia.journal.reviews import Opinion
from tests.shops import Shop
from tests.studio import Studio

PHOTO = Path(__file__).parents[2] / "photos" / "coffee.jpg"
LOOK = f"technique: wonder-fy, inputs: [{{id: input_image, file: {PHOTO}}}]"
PICTURE = "model: nano_banana2, prompt: A cup"
SKETCH = "base_model: stable, seed: 7, prompt:"
PAGE = "{name: page, model: imagen4, prompt: x, references: [{step: cup}]}"


@pytest.fixture
def shop(flora: Studio) -> Shop:
    return Shop(flora)


def by_name(ended: Ended) -> dict[str, RunResult]:
    return {one.name: one for one in ended.results}


def statuses(ended: Ended) -> dict[str, str]:
    return {one.name: one.status for one in ended.results}


async def test_a_step_is_tried_as_often_as_it_says_itself(shop: Shop) -> None:
    shop.write(f"{{name: cup, {PICTURE}, attempts: 2}}", "{name: mug, model: nano_banana2, prompt: A mug}")
    shop.fault("genova", "fail", times=None)

    ended = await shop.apply()

    assert set(statuses(ended).values()) == {"Failed"}
    assert sorted(job["request"]["prompt"] for job in shop.jobs("genova")) == ["A cup", "A cup", "A mug"]


async def test_a_step_may_stop_all_that_is_not_begun_while_others_do_not(shop: Shop) -> None:
    later = "{name: later, model: imagen4, prompt: later}"
    shop.fault("genova", "fail", times=1)
    shop.write(f"{{name: cup, {PICTURE}, on_failure: stop}}", later, head="at_once: 1\n")
    assert statuses(await shop.apply()) == {"cup": "Failed", "later": "Not started"}

    shop.fault("genova", "fail", times=1)
    shop.write(f"{{name: cup, {PICTURE}, on_failure: continue}}", later, head="at_once: 1\non_failure: stop\n")
    assert statuses(await shop.apply()) == {"cup": "Failed", "later": "Bought"}


async def test_a_step_waits_for_its_jobs_as_long_as_it_says(shop: Shop) -> None:
    shop.fault("genova", "stuck", times=1)
    fallback = "fallback: {model: imagen4}"
    shop.write(f"{{name: cup, {PICTURE}, deadline: 0.02, {fallback}}}")

    ended = await shop.apply()

    assert statuses(ended) == {"cup": "Failed"}
    assert "still paid for" in ended.results[0].error
    assert len(shop.jobs("genova")) == 1, "nothing is bought in the place of what may still come"


async def test_a_file_that_is_refused_is_met_as_the_step_says(shop: Shop) -> None:
    shop.fault("genova", "wrong_bytes", times=None)
    shop.write(
        "{name: kept, model: imagen4, prompt: kept, if_refused: go on}",
        "{name: cup, model: imagen4, prompt: cup, if_refused: fail}",
    )

    assert statuses(await shop.apply()) == {"kept": "Quarantined", "cup": "Failed"}


async def test_a_step_says_what_is_done_in_doubt(shop: Shop) -> None:
    shop.fault("algovera", "lose_answer", times=2)
    shop.write(f"{{name: left, {SKETCH} left, if_in_doubt: abandon}}", f"{{name: held, {SKETCH} held}}", head="at_once: 1\n")

    first, second = await shop.apply(), await shop.apply()

    assert statuses(first) == {"left": "Failed", "held": "Failed"}
    assert statuses(second) == {"left": "Bought", "held": "Failed"}
    assert sorted(job["request"]["prompt"] for job in shop.jobs("algovera")) == ["held", "left", "left"]


async def test_what_is_refused_for_its_content_is_asked_of_the_fallback(shop: Shop) -> None:
    shop.fault("genova", "refused", times=1)
    shop.write(f"{{name: cup, {PICTURE}, fallback: {{model: imagen4}}}}", PAGE)

    first = await shop.apply()
    second = await shop.apply()
    prospect = await shop.plan()

    assert statuses(first) == {"cup": "Bought", "page": "Bought"}
    cup = by_name(first)["cup"]
    assert cup.operation == "image imagen4"
    assert cup.note.startswith("a fallback in place of genova image nano_banana2; genova image nano_banana2 failed: ")
    assert json.loads((shop.studios["flora"].root / f"{cup.assets[0].path}.json").read_text())["stands_in"] == (
        "genova image nano_banana2"
    )
    assert statuses(second) == {"cup": "Reused", "page": "Reused"}
    assert {one.outlook.value for one in prospect.foreseen} == {"reused"}
    assert len(shop.jobs("genova")) == 2


async def test_what_failed_for_good_is_bought_of_the_fallback_and_both_count(shop: Shop) -> None:
    shop.fault("flora", "fail", times=1)
    shop.write(
        f"{{name: cup, {LOOK}, fallback: [{{technique: studio-blur}}, {{{PICTURE}}}]}}",
        PAGE,
        head="budget: {flora: 500, genova: 2}\n",
    )
    prospect = await shop.plan()

    ended = await shop.apply()
    again = await shop.apply()

    flora = prospect.plans["flora"]
    assert flora.most is not None
    assert flora.most > flora.cost
    assert prospect.plans["genova"].told == "1 credit, and at most 2 credits with every fallback"
    assert statuses(ended) == {"cup": "Bought", "page": "Bought"}
    cup = by_name(ended)["cup"]
    assert (cup.operation, cup.provider) == ("studio-blur", "flora")
    assert [one[0] for one in cup.before] == ["flora"]
    assert statuses(again) == {"cup": "Reused", "page": "Reused"}
    assert len(shop.jobs("flora")) == 2


async def test_a_fallback_at_another_provider_gives_its_output_under_the_steps_name(shop: Shop) -> None:
    shop.fault("flora", "fail", times=1)
    page = "{name: page, model: imagen4, prompt: x, references: [{step: cup, output: output_image}]}"
    shop.write(f"{{name: cup, {LOOK}, fallback: {{{PICTURE}}}}}", page)

    ended = await shop.apply()
    again = await shop.apply()

    assert statuses(ended) == {"cup": "Bought", "page": "Bought"}
    assert statuses(again) == {"cup": "Reused", "page": "Reused"}
    assert by_name(ended)["page"].assets[0].sidecar.inputs[0].asset == by_name(ended)["cup"].assets[0].path
    assert (len(shop.jobs("flora")), len(shop.jobs("genova"))) == (1, 2)


async def test_a_fallback_waits_until_what_it_is_made_of_is_there(shop: Shop) -> None:
    shop.fault("genova", "refused", times=1, after=1)
    shop.write(
        f"{{name: cup, {PICTURE}}}", PAGE.replace("imagen4", "nano_banana_pro").replace("}]}", "}], fallback: {model: imagen4}}")
    )

    ended = await shop.apply()
    again = await shop.apply()

    assert statuses(ended) == {"cup": "Bought", "page": "Bought"}
    assert by_name(ended)["page"].operation == "image imagen4"
    assert statuses(again) == {"cup": "Reused", "page": "Reused"}


@pytest.mark.parametrize("policy", ["hold", "abandon"])
async def test_a_fallback_is_not_bought_while_it_is_in_doubt_whether_the_step_was(shop: Shop, policy: str) -> None:
    shop.write(f"{{name: cup, {SKETCH} a cup, if_in_doubt: {policy}, fallback: {{{PICTURE}}}}}")
    shop.fault("algovera", "lose_answer", times=1)

    ended = await shop.apply()
    again = await shop.apply()

    assert statuses(ended) == {"cup": "Failed"}
    assert statuses(again) == {"cup": "Failed" if policy == "hold" else "Bought"}
    assert shop.jobs("genova") == []


async def test_a_retake_of_what_the_fallback_made_is_a_take_of_the_fallback(shop: Shop) -> None:
    shop.fault("genova", "refused", times=1)
    shop.write(f"{{name: cup, {PICTURE}, fallback: {{model: imagen4}}}}")
    (made,) = (await shop.apply()).results[0].assets
    async with shop.studios["flora"].store.get_journal() as journal:
        await journal.reviews.give([(Opinion("retake", "Ann"), made.path, made.sidecar)])
    shop.write(f"{{name: cup, {PICTURE}, fallback: {{model: imagen4}}}}", head="marks: journal\n")

    (retaken,) = (await shop.apply()).results

    assert (retaken.status, retaken.operation) == ("Bought", "image imagen4")
    assert retaken.assets[0].sidecar.take > 1
    assert len(shop.jobs("genova")) == 2


async def test_where_all_fail_the_result_tells_each_reason_and_the_next_run_begins_with_the_step(shop: Shop) -> None:
    shop.fault("genova", "fail", times=2)
    shop.write(f"{{name: cup, {PICTURE}, fallback: {{model: imagen4}}}}", PAGE)

    failed = await shop.apply()
    ended = await shop.apply()

    assert statuses(failed) == {"cup": "Failed", "page": "Not started"}
    assert "genova image nano_banana2 failed" in failed.results[0].note
    assert by_name(ended)["cup"].operation == "image nano_banana2"
    assert statuses(ended) == {"cup": "Bought", "page": "Bought"}


async def test_what_a_step_has_cost_counts_also_where_the_file_of_its_fallback_is_refused(shop: Shop) -> None:
    shop.fault("flora", "fail", times=1)
    shop.fault("genova", "wrong_bytes", times=None)
    shop.write(f"{{name: cup, {LOOK}, fallback: {{{PICTURE}}}}}")

    cup = by_name(await shop.apply())["cup"]

    assert (cup.status, cup.provider) == ("Failed", "genova")
    assert [provider for provider, *_ in cup.before] == ["flora"]
    assert "flora wonder-fy failed" in cup.note


async def test_a_retake_with_another_seed_keeps_the_name_and_the_policy_of_its_item(shop: Shop) -> None:
    shop.write(f"{{name: cup-seed-7, {SKETCH} cup, review: true, if_refused: go on}}")
    (first,) = (await shop.apply()).results
    async with shop.studios["flora"].store.get_journal() as journal:
        said = Opinion("retake", "Ann", seed=8)
        await journal.reviews.give([(said, one.path, one.sidecar) for one in first.assets])
    shop.fault("algovera", "wrong_bytes", times=None)

    (second,) = (await shop.apply()).results

    assert (second.name, second.status) == ("cup-seed-7", "Quarantined")


async def test_a_provider_that_cannot_be_reached_when_it_is_bought_of_is_replaced_by_the_fallback(shop: Shop) -> None:
    shop.away = {"genova"}
    fallback = f"fallback: {{{LOOK}}}"
    shop.write(f"{{name: cup, {PICTURE}, {fallback}}}")

    ended = await shop.apply()

    assert statuses(ended) == {"cup": "Bought"}
    assert ended.results[0].provider == "flora"
    assert len(shop.jobs("flora")) == 1


async def test_a_provider_that_cannot_be_asked_for_the_plan_is_replaced_by_the_fallback(shop: Shop) -> None:
    shop.away = {"flora"}
    shop.write(f"{{name: cup, {LOOK}, fallback: {{{PICTURE}}}}}", PAGE)

    prospect = await shop.plan()
    ended = await shop.apply()
    shop.away = set()
    back = await shop.apply()

    assert prospect.decided == ended.decided
    assert "a provider could not be asked, and fallbacks are used" in prospect.decided[0]
    assert statuses(ended) == {"cup": "Bought", "page": "Bought"}
    assert statuses(back) == {"cup": "Reused", "page": "Reused"}, "what stands in its place is not bought again"
    assert (len(shop.jobs("flora")), len(shop.jobs("genova"))) == (0, 2)


async def test_a_provider_that_cannot_be_asked_ends_the_run_where_there_is_no_fallback_or_it_has_sold_the_step(
    shop: Shop,
) -> None:
    shop.write(f"{{name: cup, {LOOK}, fallback: {{{PICTURE}}}}}")
    await shop.apply()
    shop.fault("flora", "server_error", status=503, times=None)

    with pytest.raises(Exception, match="503"):
        await shop.apply()

    shop.away = {"flora"}
    shop.write(f"{{name: mug, {LOOK}}}")
    with pytest.raises(UnreachableError):
        await shop.apply()
    assert shop.jobs("genova") == []


async def test_a_fallback_is_paid_for_within_the_budget(shop: Shop) -> None:
    shop.fault("genova", "refused", times=1)
    shop.write(f"{{name: cup, {PICTURE}, fallback: {{{LOOK}}}}}", head="budget: {genova: 1, flora: 0}\n")

    ended = await shop.apply()

    assert statuses(ended) == {"cup": "Failed"}
    assert "beyond the cap of 0 credits" in ended.results[0].error
    assert shop.jobs("flora") == []


async def test_an_item_that_would_be_run_for_each_of_several_outputs_is_refused_with_its_place(shop: Shop) -> None:
    ads = f"technique: turn-any-product-into-4-ad-visuals, inputs: [{{id: input_image, file: {PHOTO}}}]"
    shop.write(
        f"{{name: ads, {ads}}}", '{name: blur, technique: studio-blur, inputs: [{id: input_image, step: ads, output: "*"}]}'
    )

    with pytest.raises(InputError) as refused:
        await shop.apply()

    assert [str(fault) for fault in refused.value.faults] == [
        f"{shop.file.name}:4:5, step blur: is run once for each output of what feeds it; name the output that it takes, in a step for each"
    ]
    assert shop.jobs("flora") == []


async def test_the_upper_end_of_a_plan_is_what_its_run_may_spend_at_most_with_all_attempts(shop: Shop) -> None:
    shop.write(f"{{name: cup, {PICTURE}, attempts: 2, if_refused: buy again, fallback: {{model: imagen4}}}}")
    shop.fault("genova", "wrong_bytes", times=1)
    shop.fault("genova", "fail", times=4, after=1)

    prospect = await shop.plan()
    await shop.apply()

    genova = prospect.plans["genova"]
    assert (genova.cost, genova.most) == (1, 6)
    assert genova.told == "1 credit, and at most 6 credits with every fallback and further attempt"
    assert len(shop.jobs("genova")) == 5, "the file of the fallback's first job would have to be refused as well"


async def test_the_upper_end_of_a_plan_is_within_the_cap_of_its_run(shop: Shop) -> None:
    shop.write(f"{{name: cup, {PICTURE}, attempts: 5}}", head="budget: {genova: 3}\n")

    assert (await shop.plan()).plans["genova"].told == "1 credit, and at most 3 credits with every further attempt"


async def test_the_upper_end_of_a_plan_has_the_further_attempts_at_a_job_that_is_under_way(shop: Shop) -> None:
    shop.fault("genova", "stuck", times=1)
    shop.write(f"{{name: cup, {PICTURE}, deadline: 0.02, attempts: 3, fallback: {{model: imagen4}}}}")
    await shop.apply()

    genova = (await shop.plan()).plans["genova"]

    assert (genova.cost, genova.most) == (0, 5), "two further attempts at it, and three at its fallback"
    assert genova.told == "0 credits, and at most 5 credits with every fallback and further attempt"
