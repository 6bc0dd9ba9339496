"""A step with `review` in a campaign's file: what is made of it waits, item by item, until people have decided."""

import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from genmedia.campaign.brief import Brief
from genmedia.campaign.direct import Direct
from genmedia.campaign.executor import RunResult
from genmedia.campaign.forms.campaign import campaign
from genmedia.campaign.marks import NONE_LEFT, UNDECIDED_FEED, UNWANTED_FEED
from genmedia.campaign.parts import Part
from genmedia.campaign.review import Again, Answers, given
from genmedia.campaign.run import Ended, Prospect, plan_campaign, run_campaign
from genmedia.errors import BudgetError, InputError
from genmedia.journal.reviews import Opinion
from genmedia.journal.tables import wanted
from genmedia.purchasing.calls import Assets
from genmedia.purchasing.result import tell_spent
from genmedia.store import Store
from tests.campaign.test_parts import OneByOne, run_apart
from tests.studio import Studio

MUGS = """\
campaign: mugs
rows: [{sku: M-1, product: mug}, {sku: M-2, product: vase}]
steps:
  - {name: hero, model: nano_banana2, prompt: "A {{ row.product }} on oak", review: true}
  - {name: small, local: resize, input: {step: hero}, width: 64}
  - {name: page, model: imagen4, prompt: A page, references: [{step: small}]}
  - {name: other, model: imagen4, prompt: "Not of the {{ row.product }}"}
"""
DELIVER = 'deliver: {to: handed, names: "{row.sku}/{step}.{ext}"}\n'


class Work:
    """A folder with a campaign's file, an account that pays for it, and people who decide."""

    def __init__(self, studio: Studio, folder: Path) -> None:
        self.studio = studio
        self.folder = folder
        self.file = folder / "mugs.yaml"
        self.file.write_text(MUGS)
        self.results: Sequence[RunResult] = ()

    def host(self) -> Direct:
        return Direct(self.studio.store, lambda _provider, _name: self.studio.credentials)

    @property
    def brief(self) -> Brief:
        """What a run of one item and what is made of it, or of several such, is asked to do."""
        return replace(campaign(campaign=str(self.file)), items_per_run=1)

    async def apply(self, host: Direct | None = None, **parameters: Any) -> Ended:
        ended = await run_campaign(campaign(campaign=str(self.file), **parameters), host or self.host())
        self.results = ended.results
        return ended

    async def plan(self) -> Prospect:
        return await plan_campaign(campaign(campaign=str(self.file)), self.host())

    async def outlooks(self) -> dict[str, str]:
        return {one.name: one.outlook.value for one in (await self.plan()).foreseen}

    def statuses(self, *names: str) -> list[str]:
        found = {one.name: one.status for one in self.results}
        return [found[name] for name in names]

    async def say(self, name: str, opinion: Opinion) -> None:
        """A verdict on what the last run gave under a name."""
        (result,) = [one for one in self.results if one.name == name]
        async with self.studio.store.get_journal() as journal:
            await journal.reviews.give([(opinion, one.path, one.sidecar) for one in result.assets])

    @property
    def delivered(self) -> list[str]:
        place = self.folder / "handed"
        found = [file.relative_to(place) for file in place.rglob("*") if file.is_file()]
        return sorted(str(file) for file in found if len(file.parts) > 1 and file.parts[0] != ".genmedia")


class Deciding(Direct):
    """A run while which a person decides: before it has shown its results first."""

    def __init__(self, work: Work) -> None:
        super().__init__(work.studio.store, lambda _provider, _name: work.studio.credentials)
        self.shown = 0
        self._work = work

    async def show_results(self, name: str, results: Sequence[Any], assets: Assets, store: Store) -> None:
        del name, assets, store
        self.shown += 1
        self._work.results = results
        if self.shown == 1:
            await self._work.say("hero-M-2", Opinion("keep", "Ann"))


class InParts(OneByOne):
    """Runs of parts; when those of the first round have ended, people decide."""

    def __init__(self, work: Work) -> None:
        super().__init__(work.studio, work.brief)
        self.opinion = Opinion("keep", "Ann")
        self._work = work

    async def carry_out(self, parts: Sequence[Part]) -> Collection[str]:
        runs = await super().carry_out(parts)
        if len(self.ended) == len(parts):
            self._work.results = [result for one in self.ended for result in one.results]
            await self._work.say("hero-M-1", self.opinion)
            await self._work.say("hero-M-2", self.opinion)
        return runs


@pytest.fixture
def work(genova: Studio, tmp_path_factory: pytest.TempPathFactory) -> Work:
    return Work(genova, tmp_path_factory.mktemp("campaign"))


async def test_what_is_made_of_an_item_waits_until_it_is_kept_item_by_item(work: Work) -> None:
    first = await work.apply()

    assert first.waiting is not None
    assert first.waiting.told == "2 items wait for review: hero-M-1, hero-M-2"
    assert first.waiting.held == 4
    assert work.statuses("hero-M-1", "small-M-1", "page-M-1", "other-M-1") == [
        "Bought",
        "Waiting for review",
        "Waiting for review",
        "Bought",
    ]
    assert {one.error for one in work.results if one.left} == {UNDECIDED_FEED}
    assert len(work.studio.jobs) == 4

    await work.say("hero-M-1", Opinion("keep", "Ann"))
    second = await work.apply()

    assert second.waiting is not None
    assert second.waiting.told == "1 item waits for review: hero-M-2"
    assert work.statuses("hero-M-1", "small-M-1", "page-M-1", "page-M-2") == ["Reused", "Made", "Bought", "Waiting for review"]
    assert len(work.studio.jobs) == 5

    await work.say("hero-M-2", Opinion("keep", "Ben"))
    third, fourth = await work.apply(), await work.apply()

    assert (third.waiting, fourth.waiting) == (None, None)
    assert {one.status for one in fourth.results} == {"Reused"}
    assert len(work.studio.jobs) == 6


async def test_the_plan_tells_what_is_to_review_and_what_comes_after_and_counts_it(work: Work) -> None:
    before = await work.plan()
    assert (await work.outlooks())["page-M-1"] == "after review"
    assert before.plans["genova"].cost == 6

    await work.apply()
    waits = await work.plan()
    found = await work.outlooks()

    assert {name: found[name] for name in ("hero-M-1", "small-M-1", "page-M-1", "other-M-1")} == {
        "hero-M-1": "to review",
        "small-M-1": "after review",
        "page-M-1": "after review",
        "other-M-1": "reused",
    }
    assert waits.why["hero-M-1"] == "nobody has decided yet"
    assert waits.plans["genova"].cost == 2

    await work.say("hero-M-1", Opinion("keep", "Ann"))
    found = await work.outlooks()
    assert (found["hero-M-1"], found["small-M-1"], found["page-M-1"]) == ("reused", "to make", "to buy")


async def test_what_is_rejected_ends_its_branch_and_is_no_failure(work: Work) -> None:
    await work.apply()
    await work.say("hero-M-1", Opinion("reject", "Ann", "no handle"))
    await work.say("hero-M-2", Opinion("keep", "Ann"))

    ended = await work.apply()

    assert ended.waiting is None
    assert work.statuses("hero-M-1", "small-M-1", "page-M-1", "page-M-2") == ["Reused", "Not bought", "Not bought", "Bought"]
    assert next(one.error for one in ended.results if one.name == "small-M-1") == UNWANTED_FEED
    assert all(one.done or one.left for one in ended.results)
    assert len(work.studio.jobs) == 5


async def test_a_retake_is_bought_with_its_prompt_and_waits_again(work: Work) -> None:
    await work.apply()
    await work.say("hero-M-1", Opinion("retake", "Ann", prompt="A mug with a handle"))

    ended = await work.apply()

    assert ended.waiting is not None
    assert [one.name for one in ended.waiting.items] == ["hero-M-1", "hero-M-2"]
    assert work.statuses("hero-M-1", "page-M-1") == ["Bought", "Waiting for review"]
    await work.say("hero-M-1", Opinion("keep", "Ben"))
    await work.apply()
    assert work.statuses("hero-M-1", "page-M-1", "page-M-2") == ["Reused", "Bought", "Waiting for review"]
    assert sorted(job["request"]["prompt"] for job in work.studio.jobs) == [
        "A mug on oak",
        "A mug with a handle",
        "A page",
        "A vase on oak",
        "Not of the mug",
        "Not of the vase",
    ]


async def test_each_take_waits_for_its_own_verdict(work: Work) -> None:
    work.file.write_text(MUGS.replace("review: true", "review: true, takes: 2"))
    await work.apply()
    await work.say("hero-M-1-take-2", Opinion("keep", "Ann"))
    await work.say("hero-M-1", Opinion("reject", "Ann"))

    ended = await work.apply()

    assert ended.waiting is not None
    assert [one.name for one in ended.waiting.items] == ["hero-M-2", "hero-M-2-take-2"]
    assert work.statuses("page-M-1", "page-M-1-take-2", "page-M-2") == ["Not bought", "Bought", "Waiting for review"]


async def test_a_file_that_this_machine_makes_can_be_reviewed_as_well(work: Work) -> None:
    work.file.write_text(MUGS.replace(", review: true", "").replace("width: 64", "width: 64, review: true"))
    first = await work.apply()
    await work.say("small-M-1", Opinion("keep", "Ann"))
    await work.say("small-M-2", Opinion("retake", "Ann"))  # the same again would be the same file

    second = await work.apply()

    assert first.waiting is not None
    assert [one.name for one in first.waiting.items] == ["small-M-1", "small-M-2"]
    assert second.waiting is None
    assert work.statuses("page-M-1", "page-M-2") == ["Bought", "Not bought"]


async def test_what_people_decide_while_the_rest_is_bought_counts_in_the_same_run(work: Work) -> None:
    host = Deciding(work)

    ended = await work.apply(host)

    assert host.shown == 2
    assert ended.waiting is not None
    assert [one.name for one in ended.waiting.items] == ["hero-M-1"]
    assert work.statuses("page-M-1", "page-M-2") == ["Waiting for review", "Bought"]


async def test_what_people_decide_when_the_parts_of_a_run_have_ended_is_bought_in_further_parts(work: Work) -> None:
    work.file.write_text(MUGS.partition("  - {name: other")[0])
    host, apart = work.host(), InParts(work)
    host.apart = apart

    ended = await run_campaign(work.brief, host)

    assert len(apart.ended) == 2 + 2
    assert ended.waiting is None
    assert [one.error for one in ended.results if not one.done] == []
    assert [job["request"]["prompt"] for job in work.studio.jobs].count("A page") == 2
    assert len(work.studio.jobs) == 4


@pytest.mark.parametrize(("default", "becomes", "jobs"), [("keep", "Bought", 6), ("reject", "Not bought", 4)])
async def test_the_default_counts_once_the_deadline_is_over(work: Work, default: str, becomes: str, jobs: int) -> None:
    work.file.write_text(MUGS.replace("review: true", f"review: {{deadline: 48h, default: {default}}}"))
    first = await work.apply()
    assert first.waiting is not None
    assert first.waiting.until is not None
    still = await work.apply()
    assert still.waiting is not None
    assert abs((still.waiting.until or first.waiting.until) - first.waiting.until).total_seconds() < 5, (
        "it is counted from the first wait"
    )

    await let_pass(work, "2020-01-01T00:00:00+00:00")
    planned = await work.outlooks()
    assert planned["small-M-1"] == ("to make" if default == "keep" else "left out"), "the plan tells what the run does"
    over = await work.apply()

    assert over.waiting is None
    assert work.statuses("page-M-1", "page-M-2") == [becomes] * 2
    assert len(work.studio.jobs) == jobs
    async with work.studio.store.get_journal() as journal:
        assert {(one.opinion.verdict, one.opinion.who) for one in await journal.reviews.standing_in("mugs")} == {
            (default, "deadline")
        }


async def let_pass(work: Work, since: str) -> None:
    """Have the run wait since then."""
    async with work.studio.store.get_journal() as journal, journal._database.transaction() as connection:  # pyright: ignore[reportPrivateUsage] # nobody can wait that long
        await connection.execute(sa.update(wanted).values(since=since))


async def test_only_what_is_kept_is_delivered(work: Work) -> None:
    work.file.write_text(MUGS + DELIVER)
    first = await work.apply()
    assert work.delivered == ["M-1/other.png", "M-2/other.png"], first.delivered

    await work.say("hero-M-1", Opinion("keep", "Ann"))
    await work.say("hero-M-2", Opinion("reject", "Ann"))
    await work.apply()

    assert [name for name in work.delivered if "hero" in name or "M-1" in name] == [
        "M-1/hero.png",
        "M-1/other.png",
        "M-1/page.png",
        "M-1/small.png",
    ]


async def test_a_rejection_holds_for_its_edition_and_the_next_one_is_asked_for_again(work: Work) -> None:
    work.file.write_text("edition: one\n" + MUGS)
    await work.apply()
    await work.say("hero-M-1", Opinion("reject", "Ann"))
    work.file.write_text("edition: two\n" + MUGS)

    ended = await work.apply()

    assert work.statuses("hero-M-1", "page-M-1") == ["Bought", "Waiting for review"]
    assert ended.marked == ""


async def test_one_answer_to_all_that_waits_becomes_verdicts_or_is_refused_with_all_its_faults(work: Work) -> None:
    await work.apply()
    items = {one.name: one.assets for one in work.results if one.undecided}

    said = given(Answers("Ann", retake=[Again("hero-M-2", "A vase")], rest="keep", why="dark"), items, list(items))
    assert [(path, one.verdict, one.prompt, one.who, one.why) for one, path, _ in said] == [
        (items["hero-M-2"][0].path, "retake", "A vase", "Ann", "dark"),
        (items["hero-M-1"][0].path, "keep", "", "Ann", "dark"),
    ]
    assert given(Answers("Ann"), items, list(items)) == []

    with pytest.raises(InputError) as told:
        given(Answers(" ", keep=["hero-M-1", "page-M-1"], reject=["hero-M-1"]), items, list(items))
    assert [str(fault) for fault in told.value.faults] == [
        "hero-M-1: is named more than once; keep it, reject it or make it again",
        "page-M-1: is no item that waits for review; did you mean hero-M-1?",
        "Your name: is missing: it stands beside each verdict",
    ]


async def test_a_review_cannot_go_by_other_marks_than_the_verdicts(work: Work) -> None:
    with pytest.raises(InputError, match="by which a campaign with a `review` goes"):
        await work.apply(marks='{"marks": 1, "made": "2026-11-30T00:00:00Z", "assets": []}')

    assert work.studio.jobs == []


@pytest.mark.parametrize(
    ("review", "place", "what"),
    [
        ("maybe", "mugs.yaml:4:", "should be true, or a deadline with its default"),
        ("{deadline: 48h}", "mugs.yaml:4:", "is missing"),
        ("{deadline: soon, default: keep}", "mugs.yaml:4:", "should be such as 48h"),
        ("{deadline: 48h, default: retake}", "mugs.yaml:4:", "can be keep, reject"),
    ],
)
async def test_a_review_that_is_wrong_is_told_with_its_place(work: Work, review: str, place: str, what: str) -> None:
    work.file.write_text(MUGS.replace("review: true", f"review: {review}"))

    with pytest.raises(InputError) as told:
        await work.apply()

    assert any(fault.place.startswith(place) and what in str(fault) for fault in told.value.faults), str(told.value)
    assert work.studio.jobs == []


async def test_a_run_that_goes_on_after_a_review_tells_of_all_that_it_has_bought_since_it_began(work: Work) -> None:
    host = work.host()
    await work.apply(host)
    await work.say("hero-M-1", Opinion("keep", "Ann"))
    await work.say("hero-M-2", Opinion("retake", "Ann", prompt="A vase with a handle"))
    second = await work.apply(host)
    await work.say("hero-M-2", Opinion("keep", "Ann"))

    ended = await work.apply(host)
    later = await work.apply()

    assert second.waiting is not None
    assert {one.name: one.status for one in ended.results} == {
        **dict.fromkeys(("hero-M-1", "hero-M-2", "page-M-1", "page-M-2", "other-M-1", "other-M-2"), "Bought"),
        **dict.fromkeys(("small-M-1", "small-M-2"), "Made"),
    }
    assert tell_spent(ended.results) == "charged: genova 7 credits"
    assert len(work.studio.jobs) == 7
    assert {one.status for one in later.results} == {"Reused"}
    assert tell_spent(later.results) == "nothing charged"


async def test_the_parts_of_all_rounds_tell_of_one_run_and_keep_to_one_cap(work: Work) -> None:
    work.file.write_text(MUGS.partition("  - {name: other")[0])
    host, apart = work.host(), InParts(work)
    host.apart = apart

    ended = await run_campaign(replace(work.brief, max_credits={"genova": 4}), host)

    assert {one.status for one in ended.results} == {"Bought", "Made"}
    assert tell_spent(ended.results) == "charged: genova 4 credits"


async def test_what_is_bought_again_in_a_later_round_is_told_with_what_was_bought_before(work: Work) -> None:
    alike = "  - {name: same, model: imagen4, prompt: Alike}\n  - {name: other, model: imagen4, prompt: Alike}\n"
    work.file.write_text(MUGS.partition("  - {name: other")[0] + alike)
    host, apart = work.host(), InParts(work)
    host.apart, apart.opinion = apart, Opinion("retake", "Ann")

    ended = await run_campaign(work.brief, host)

    assert ended.waiting is not None
    told = {one.name: (one.status, one.charged) for one in ended.results if one.name in ("same", "other", "hero-M-1")}
    assert told == {"hero-M-1": ("Bought", 1), "same": ("Bought", 1), "other": ("Reused", 0)}
    assert tell_spent(ended.results) == "charged: genova 5 credits"
    assert len(work.studio.jobs) == 5


async def test_what_earlier_rounds_have_spent_counts_in_the_cap_of_the_run(work: Work) -> None:
    work.file.write_text(MUGS.partition("  - {name: other")[0])
    host, apart = work.host(), InParts(work)
    host.apart, apart.opinion = apart, Opinion("retake", "Ann")

    with pytest.raises(BudgetError, match="would cost 4 credits, more than the 2 that are left of 4 for this run"):
        await run_campaign(replace(work.brief, max_credits={"genova": 4}), host)

    assert len(work.studio.jobs) == 2


SHEET = """\
campaign: mugs
rows: [{sku: M-1}, {sku: M-2}, {sku: M-3}]
steps:
  - {name: hero, model: nano_banana2, prompt: "{{ row.sku }}", review: true}
  - {name: small, local: resize, input: {step: hero}, width: 64}
  - {name: sheet, local: contact-sheet, inputs: [{step: small, row: all}]}
  - {name: page, model: imagen4, prompt: A page, references: [{step: hero, row: all}]}
  - {name: film, model: imagen4, prompt: A film, references: [{step: sheet}]}
deliver: {to: handed, names: "all/{step}.{ext}", steps: [sheet]}
"""
OUT = "made without {}-M-2, rejected"


async def test_a_step_over_all_rows_takes_what_is_kept_waits_for_the_undecided_and_leaves_out_what_is_rejected(
    work: Work,
) -> None:
    work.file.write_text(SHEET)
    await work.apply()
    await work.say("hero-M-1", Opinion("keep", "Ann"))
    await work.say("hero-M-2", Opinion("reject", "Ann", "blurred"))

    waits = await work.apply()
    waiting = work.statuses("small-M-2", "sheet", "page", "film")
    await work.say("hero-M-3", Opinion("keep", "Ann"))
    planned = await work.plan()
    made = await work.apply()
    notes = {one.name: one.note for one in made.results}
    statuses = work.statuses("sheet", "page", "film")
    again = await work.apply()

    assert waits.waiting is not None
    assert waiting == ["Not bought", "Waiting for review", "Waiting for review", "Waiting for review"]
    assert planned.why["page"] == "new; made without hero-M-2, rejected"
    assert planned.why["sheet"] == "new; made without small-M-2, rejected"
    assert statuses == ["Made", "Bought", "Bought"]
    assert (notes["sheet"], notes["page"]) == (OUT.format("small"), OUT.format("hero"))
    assert len(work.studio.jobs) == 5
    references = [job["request"]["settings"].get("referenceImages", {"images": []})["images"] for job in work.studio.jobs]
    assert sorted(map(len, references)) == [0, 0, 0, 1, 2]
    assert work.statuses("sheet", "page", "film") == ["Reused", "Reused", "Reused"]
    manifest = json.loads((work.folder / "handed" / "manifest.json").read_text())
    assert manifest["notes"] == [f"sheet: {OUT.format('small')}"]
    assert again.waiting is None


async def test_a_step_over_all_rows_of_which_nothing_is_kept_is_withheld(work: Work) -> None:
    work.file.write_text(SHEET)
    await work.apply()
    for name in ("hero-M-1", "hero-M-2", "hero-M-3"):
        await work.say(name, Opinion("reject", "Ann"))

    outlooks, ended = await work.outlooks(), await work.apply()

    assert [outlooks[name] for name in ("sheet", "page", "film")] == ["left out"] * 3
    assert work.statuses("sheet", "page", "film") == ["Not bought"] * 3
    assert {one.name: one.error for one in ended.results if one.name in ("sheet", "page", "film")} == {
        "sheet": NONE_LEFT,
        "page": NONE_LEFT,
        "film": UNWANTED_FEED,
    }
    assert ended.waiting is None


async def test_a_step_over_all_rows_is_recalled_from_its_part_as_it_was_made(work: Work) -> None:
    work.file.write_text(SHEET)
    await work.apply()
    await work.say("hero-M-1", Opinion("keep", "Ann"))
    await work.say("hero-M-2", Opinion("reject", "Ann"))
    await work.say("hero-M-3", Opinion("keep", "Ann"))

    work.file.write_text(SHEET.replace("deliver:", '  - {name: other, model: imagen4, prompt: "No {{ row.sku }}"}\ndeliver:'))
    whole, apart = await run_apart(work.studio, work.brief)

    assert len(apart.ended) == 4
    assert {one.name: one.status for one in whole.results if one.name in ("sheet", "page", "film")} == {
        "sheet": "Made",
        "page": "Bought",
        "film": "Bought",
    }
