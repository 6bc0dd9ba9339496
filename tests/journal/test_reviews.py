"""Verdicts and comments in the journal: which one counts, what stays, and what is refused."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from genmedia.errors import InputError
from genmedia.jobs.job import Account
from genmedia.journal import Journal, Purpose
from genmedia.journal.order import Order
from genmedia.journal.reviews import Opinion, Review
from genmedia.store.sidecar import Sidecar
from tests.example_assets import sidecar_json, stored_asset

KEEP, REJECT = Opinion("keep", "Ann"), Opinion("reject", "Ben", "the handle is missing")
RETAKE = Opinion("retake", "Ann", prompt="a cup\r\nwith a handle", seed=9)


def told(path: str = "coffee/hero/a.png", **changes: Any) -> tuple[str, Sidecar]:
    """A file of a store, and its sidecar."""
    return path, Sidecar.model_validate(sidecar_json(path) | {"request": {"prompt": "a cup", "seed": 7}} | changes)


def words(reviews: list[Review]) -> list[tuple[str, str | None, str, str]]:
    return [(one.subject.path, one.opinion.verdict, one.opinion.who, one.opinion.why) for one in reviews]


async def test_the_last_verdict_counts_and_all_that_was_said_stays(journal: Journal) -> None:
    path, sidecar = told()
    for opinion in (KEEP, REJECT, Opinion(None, "Ann", "look at the handle")):
        await journal.reviews.give([(opinion, path, sidecar)])

    key = sidecar.submission_key
    assert {one: words(some) for one, some in (await journal.reviews.standing({key, "0" * 64})).items()} == {
        key: [(path, "reject", "Ben", "the handle is missing")]
    }
    history = await journal.reviews.history()
    assert words(history) == [
        (path, "keep", "Ann", ""),
        (path, "reject", "Ben", "the handle is missing"),
        (path, None, "Ann", "look at the handle"),
    ]
    assert words(await journal.reviews.history(after=history[1].id)) == words(history[2:])
    assert [one.at for one in history] == sorted(one.at for one in history)
    assert abs((history[0].at - datetime.now(UTC)).total_seconds()) < 600, "the database's clock, in UTC"


async def test_a_verdict_that_is_taken_back_counts_no_more(journal: Journal) -> None:
    path, sidecar = told()
    for opinion in (KEEP, Opinion("withdrawn", "Ann")):
        await journal.reviews.give([(opinion, path, sidecar)])

    assert await journal.reviews.standing([sidecar.submission_key]) == {}
    assert await journal.reviews.standing_in() == []
    assert len(await journal.reviews.history()) == 2


async def test_each_output_of_a_job_has_a_verdict_of_its_own(journal: Journal) -> None:
    key = "ab" * 32
    outputs = [
        told(f"coffee/hero/{name}-{number}.png", submission_key=key, output={"id": name, "kind": "image", "number": number})
        for name, number in (("image", 1), ("image", 2), ("mask", 3))
    ]
    await journal.reviews.give([(KEEP, *one) for one in outputs])
    await journal.reviews.give([(REJECT, *outputs[1])])

    (reviews,) = (await journal.reviews.standing([key])).values()
    assert [(one.subject.output, one.subject.number, one.opinion.verdict) for one in reviews] == [
        ("image", 1, "keep"),
        ("mask", 3, "keep"),
        ("image", 2, "reject"),
    ]


async def test_a_retake_keeps_its_prompt_in_one_form_and_its_seed(journal: Journal) -> None:
    path, sidecar = told()
    await journal.reviews.give([(RETAKE, path, sidecar)])

    (review,) = await journal.reviews.standing_in("coffee")
    assert review.opinion == replace(RETAKE, prompt="a cup\nwith a handle")


async def test_a_campaign_has_the_verdicts_on_what_it_bought_and_on_what_it_uses(journal: Journal) -> None:
    order = Order(Account("genova", "https://genova.example"), "image", {"prompt": "a cup"}, 1, "credits")
    await journal.intend(replace(order, purpose=Purpose("coffee", "hero")), datetime.now(UTC))
    await journal.use(order.key, Purpose("relaunch", "again"))
    hero, other = told(submission_key=order.key), told("tea/hero/b.png")
    await journal.reviews.give([(KEEP, *hero), (REJECT, *other)])

    found = {
        campaign: [one.subject.path for one in await journal.reviews.standing_in(campaign)]
        for campaign in ("coffee", "relaunch", "tea", "nobody", "")
    }
    assert found == {"coffee": [hero[0]], "relaunch": [hero[0]], "tea": [other[0]], "nobody": [], "": [hero[0], other[0]]}
    assert [one.subject.path for one in await journal.reviews.history("relaunch")] == [hero[0]]


@pytest.mark.parametrize(
    ("opinion", "sidecar", "what"),
    [
        (Opinion("keep", " "), {}, "the name has no visible character"),
        (Opinion("keep", "Ann\x1b[2J"), {}, "the name has the control character U+001B as its character 4"),
        (Opinion("keep", "A" * 61), {}, "the name is longer than 60 characters"),
        (Opinion("keep", "Ann", "x" * 2_001), {}, "the reason is longer than 2,000 characters"),
        (Opinion("maybe", "Ann"), {}, "there is no verdict 'maybe'"),  # type: ignore[arg-type] # as it may come from elsewhere
        (Opinion(None, "Ann"), {}, "there is neither a verdict nor a comment"),
        (Opinion("keep", "Ann", prompt="a jug"), {}, "a prompt is for a retake"),
        (Opinion("keep", "Ann", seed=1), {}, "a seed is for a retake"),
        (Opinion("retake", "Ann", seed=2**60), {}, "the seed is too large"),
        (Opinion("retake", "Ann", seed=1), {"request": {"prompt": "a cup"}}, "its request has no seed"),
        (
            Opinion("retake", "Ann", prompt="a jug"),
            {"request": {"inputs": [{"id": "a", "text": "a"}, {"id": "b", "text": "b"}]}},
            "its request has no prompt, or several texts",
        ),
        (Opinion("keep", "Ann"), {"provider": "upload"}, "nobody decides on what a person put into the store"),
    ],
)
async def test_what_cannot_be_meant_is_refused_with_its_place_and_nothing_is_written(
    journal: Journal, opinion: Opinion, sidecar: dict[str, Any], what: str
) -> None:
    with pytest.raises(InputError) as refused:
        await journal.reviews.give([(KEEP, *told("coffee/hero/good.png")), (opinion, *told(**sidecar))])

    assert [(fault.place, fault.what) for fault in refused.value.faults] == [("coffee/hero/a.png", what)]
    assert await journal.reviews.history() == []


async def test_who_waits_for_the_journals_changes_in_another_process_hears_of_a_verdict(journal: Journal, url: str) -> None:
    other = Journal(url)  # with connections of its own, as another process has
    try:
        await other.reviews.history()
        changed = other._database.changes.ahead  # pyright: ignore[reportPrivateUsage] # as the desk listens
        async with asyncio.timeout(60):
            while not changed.is_set():  # it may not listen yet
                await journal.reviews.give([(KEEP, *told())])
                await asyncio.sleep(0.05)
    finally:
        await other.aclose()


async def test_what_was_said_of_a_file_is_forgotten_with_it_and_the_verdict_stays(journal: Journal) -> None:
    asset = stored_asset(request={"prompt": "a cup", "seed": 7})
    order = Order(Account("genova", "https://genova.example"), "image", {"prompt": "a cup"}, 1, "credits")
    attempt = await journal.intend(order, datetime.now(UTC))
    assert attempt is not None
    sidecar = asset.sidecar.model_copy(update={"submission_key": order.key, "attempt": attempt.number})
    await journal.reviews.give([(replace(RETAKE, why="no handle"), asset.path, sidecar)])

    await journal.forget(attempt, asset, replace(asset, path=".genmedia/forgotten/x.json"), words=True)

    (review,) = await journal.reviews.standing_in()
    opinion = review.opinion
    assert (opinion.verdict, opinion.who, opinion.why, opinion.prompt) == ("retake", "Ann", "", "")
    assert review.subject.path == ".genmedia/forgotten/x.json"
