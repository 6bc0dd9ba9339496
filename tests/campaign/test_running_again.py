"""What is stored costs a run next to nothing. A job that fails is tried again, if its run says so, within its cap."""

from typing import Any

import pytest

from flows.image_batch import image_batch
from genmedia.journal.database import Database
from genmedia.purchasing.calls import Calls
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


async def test_what_is_stored_is_found_for_all_items_at_once_without_the_runner_and_with_one_request(
    genova: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = [f"a cup, number {number}" for number in range(12)]
    first = await run(genova, *prompts)
    assert {result.status for result in first.result} == {"Bought"}
    requests, transactions = asked(genova), list[int]()
    transaction: Any = Database.transaction

    def counted(self: Database, **how: Any) -> Any:
        transactions[-1] += 1
        return transaction(self, **how)

    async def submit(*_: Any) -> Any:
        raise AssertionError("a stored item was submitted")

    monkeypatch.setattr(Database, "transaction", counted)
    monkeypatch.setattr(Calls, "submit", submit)
    for some in (prompts[:2], prompts):
        transactions.append(0)
        ended = await run(genova, *some)
        assert [(one.name, one.status, one.assets) for one in ended.result] == [
            (one.name, "Reused", one.assets) for one in first.result[: len(some)]
        ]
        assert ended.message == f"{len(some)} reused; nothing charged"

    few, many = transactions
    assert many < few + 5, "ten more items, and no query for each"
    assert asked(genova) <= requests + 2, "one for each run"
    assert len(genova.jobs) == len(prompts)


@pytest.mark.parametrize("lost", ["", ".json"])
async def test_a_stored_item_of_which_a_file_is_gone_or_cut_short_is_fetched_again_and_not_bought_again(
    genova: Studio, lost: str
) -> None:
    first = await run(genova, "a cup", "a mug", "a jug")
    gone, cut, kept = (genova.root / result.assets[0].path for result in first.result)
    whole = kept.read_bytes()
    gone.with_name(f"{gone.name}{lost}").unlink()
    cut.write_bytes(cut.read_bytes()[:-1])

    ended = await run(genova, "a cup", "a mug", "a jug")

    assert [result.status for result in ended.result] == ["Resumed", "Resumed", "Reused"]
    assert len(genova.jobs) == 3
    assert gone.with_name(f"{gone.name}{lost}").exists()
    assert kept.read_bytes() == whole


def asked(studio: Studio) -> int:
    return sum(line["count"] for line in studio.sandbox.requests(studio.account))
