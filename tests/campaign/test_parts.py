"""A campaign that is cut into parts is bought as one: each step once, within its cap, and told as a whole."""

import inspect
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import pytest

from flows.image_batch import image_batch
from flows.technique_chain import technique_chain
from genmedia.campaign.brief import Brief
from genmedia.campaign.direct import Direct
from genmedia.campaign.parts import Part, cut
from genmedia.campaign.run import Ended, run_campaign
from genmedia.errors import InputError
from genmedia.forms.validation import Reading, read_parameters
from genmedia.journal import Attempt, Journal
from genmedia.providers.flora.steps import KINDS
from genmedia.providers.inputs import PendingInput
from genmedia.providers.steps import Operation, PlannedStep
from tests.chains import PHOTO, chain, fed
from tests.studio import Studio

BLUR = Operation(KINDS[0], "studio-blur", 3, {}, {"output_image": "image"}, asked={"input_image": "imageUrl"})
RELIGHT = "relight-technique"


def planned(name: str, *feeds: str) -> PlannedStep:
    return PlannedStep(name, BLUR, tuple(PendingInput(f"input_{feed}", "image", feed, "output_image") for feed in feeds))


def names(parts: Sequence[Sequence[PlannedStep]]) -> list[str]:
    return ["".join(step.name for step in part) for part in parts]


def test_steps_that_feed_each_other_stay_in_one_part() -> None:
    plan = [planned("a"), planned("b"), planned("c", "a"), planned("d"), planned("e", "b", "d"), planned("f")]

    assert names(cut(plan, 3)) == ["ac", "bde", "f"]
    assert names(cut(plan, 2)) == ["ac", "bde", "f"]
    assert names(cut(plan, 6)) == ["acbdef"]


def test_steps_that_ask_for_the_same_stay_in_one_part_which_has_the_money_for_it() -> None:
    plan = [planned("a"), planned("b"), planned("c"), planned("d", "c")]

    assert names(cut(plan, 2, {"a": "1", "b": "2", "c": "1", "d": "3"})) == ["acd", "b"]


def test_steps_that_stand_alone_are_cut_evenly() -> None:
    assert [len(part) for part in cut([planned(f"s{number}") for number in range(501)], 500)] == [251, 250]


class OneByOne:
    """Carries out parts in this process, one after the other."""

    def __init__(self, studio: Studio, brief: Brief) -> None:
        self.studio = studio
        self.brief = brief
        self.parts: Sequence[Part] = ()
        self.ended: list[Ended] = []
        self._runs: list[str] = []

    async def runs(self) -> Collection[str]:
        return self._runs

    async def carry_out(self, parts: Sequence[Part]) -> Collection[str]:
        if parts == self.parts:
            return self._runs[-len(parts) :]  # they were begun before
        self.parts = parts
        hosts = [host_of(self.studio) for _ in parts]
        self._runs += [host.run for host in hosts]
        for host, part in zip(hosts, parts, strict=True):
            host.part = part
            self.ended.append(await run_campaign(self.brief, host))
        return [host.run for host in hosts]

    @property
    def complete(self) -> bool:
        return all(result.done or result.left for one in self.ended for result in one.results)

    async def renew(self) -> None:
        self.parts = ()


def host_of(studio: Studio) -> Direct:
    return Direct(studio.store, lambda _, __: studio.credentials)


def brief_of(studio: Studio, items: int, **parameters: Any) -> Brief:
    asked_for: Any = inspect.unwrap(image_batch.fn)
    prompts = [f"cup {number}" for number in range(items)]
    return replace(asked_for(name="many", prompts=prompts, **studio.parameters, **parameters), items_per_run=2)


async def run_apart(studio: Studio, brief: Brief) -> tuple[Ended, OneByOne]:
    host = host_of(studio)
    host.apart = apart = OneByOne(studio, brief)
    return await run_campaign(brief, host), apart


async def test_parts_buy_each_step_once_and_the_whole_tells_all_of_them(genova: Studio) -> None:
    whole, apart = await run_apart(genova, brief_of(genova, 5, max_credits=7))

    assert [len(ended.results) for ended in apart.ended] == [2, 2, 1]
    assert [(one.name, one.status, one.charged, len(one.assets)) for one in whole.results] == [
        (one.name, "Bought", 1, 1) for ended in apart.ended for one in ended.results
    ]
    assert sum(part.caps["genova"] or 0 for part in apart.parts) == pytest.approx(7)
    assert len(genova.jobs) == 5


async def test_what_is_left_is_bought_by_one_run_when_it_is_few(genova: Studio) -> None:
    await run_apart(genova, brief_of(genova, 4))

    whole, apart = await run_apart(genova, brief_of(genova, 5))

    assert not apart.parts
    assert [one.status for one in whole.results] == ["Reused"] * 4 + ["Bought"]


async def test_parts_in_which_nothing_is_left_to_buy_get_no_run(genova: Studio) -> None:
    await run_apart(genova, brief_of(genova, 4))

    whole, apart = await run_apart(genova, brief_of(genova, 8))

    assert [str(part) for part in apart.parts] == ["part 3 of 4", "part 4 of 4"]
    assert [one.status for one in whole.results] == ["Reused"] * 4 + ["Bought"] * 4


async def test_what_a_part_misses_is_told_by_the_whole_with_the_reason(genova: Studio) -> None:
    genova.sandbox.fault(genova.account, "fail", message="the brush broke")

    whole, apart = await run_apart(genova, brief_of(genova, 3))

    (failed,) = (one for one in whole.results if not one.done)
    (first,) = (one for ended in apart.ended for one in ended.results if not one.done)
    assert (failed.name, failed.status, failed.charged) == (first.name, first.status, first.charged)
    assert "the brush broke" in failed.error


async def test_the_whole_asks_the_journal_once_for_all_steps_that_as_many_others_feed(
    flora: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    tried = Journal.tried

    async def counted(journal: Journal, keys: Collection[str]) -> dict[str, list[Attempt]]:
        asked.append(len(keys))
        return await tried(journal, keys)

    monkeypatch.setattr(Journal, "tried", counted)
    asked_for: Any = inspect.unwrap(technique_chain.fn)
    steps = [{"technique": RELIGHT, "inputs": [PHOTO]}, {"technique": BLUR.name, "inputs": [PHOTO]}]
    steps += [{"technique": BLUR.name, "inputs": fed("s1")}, {"technique": RELIGHT, "inputs": fed("s2")}]
    parameters = read_parameters(asked_for, {"chain": chain("many", *steps), **flora.parameters}, Reading(plans=True))

    whole, apart = await run_apart(flora, replace(asked_for(**parameters), items_per_run=2))

    assert [one.status for one in whole.results] == ["Bought"] * 4
    assert len(apart.ended) == 2
    assert asked == [2, 2]


async def test_a_part_of_another_plan_is_refused(genova: Studio) -> None:
    _, apart = await run_apart(genova, brief_of(genova, 3))
    host = host_of(genova)
    host.part = apart.parts[0]

    with pytest.raises(InputError, match="what it was cut from has changed since; run the whole again"):
        await run_campaign(brief_of(genova, 6), host)
