"""A campaign's file, carried out: what is bought, and what is not bought again whatever is moved in the file."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from genmedia.campaign.direct import Direct
from genmedia.campaign.executor import RunResult
from genmedia.campaign.forecast import HANDLING_SECONDS
from genmedia.campaign.forms.campaign import campaign
from genmedia.campaign.prospect import Prospect
from genmedia.campaign.run import plan_campaign, run_campaign
from tests.sandboxes import Sandbox
from tests.studio import Studio

STEPS = """\
steps:
  - name: hero
    model: nano_banana2
    prompt: "A {{ row.product }} on oak"
    takes: 2
  - name: page
    model: imagen4
    prompt: "In {{ language }}"
    references: [{step: hero, take: 1}]
"""
MUGS = "campaign: mugs\nrows: products.csv\nmatrix: {language: [de, en]}\n" + STEPS
PRODUCTS = "sku,product\nM-1,mug\nM-2,vase\n"


class Work:
    """A folder with a campaign's file, and an account that pays for it."""

    def __init__(self, studio: Studio, folder: Path) -> None:
        self.studio = studio
        self.file = folder / "mugs.yaml"
        self.rows = folder / "products.csv"
        self.file.write_text(MUGS)
        self.rows.write_text(PRODUCTS)

    def host(self, begun: datetime | None = None) -> Direct:
        host = Direct(self.studio.store, lambda _provider, _name: self.studio.credentials)
        host.begun = begun or host.begun
        return host

    async def apply(self, begun: datetime | None = None) -> dict[str, str]:
        """Carry it out; return what became of each item."""
        ended = await run_campaign(campaign(campaign=str(self.file)), self.host(begun))
        results: Sequence[RunResult] = ended.results
        return {result.name: result.status for result in results}

    async def plan(self, begun: datetime | None = None) -> Prospect:
        return await plan_campaign(campaign(campaign=str(self.file)), self.host(begun))

    async def outlooks(self) -> dict[str, str]:
        """What would become of each item, with the reason if it would be bought."""
        prospect = await self.plan()
        return {one.name: prospect.why.get(one.name, one.outlook.value) for one in prospect.foreseen}


@pytest.fixture
def work(genova: Studio, tmp_path_factory: pytest.TempPathFactory) -> Work:
    return Work(genova, tmp_path_factory.mktemp("campaign"))


async def test_each_item_is_bought_once_and_found_again(work: Work) -> None:
    first, second = await work.apply(), await work.apply()

    assert len(first) == 2 * 2 + 2 * 2
    assert set(first.values()) == {"Bought"}
    assert set(second.values()) == {"Reused"}
    assert len(work.studio.jobs) == 8
    assert sorted(job["request"]["prompt"] for job in work.studio.jobs[:4]) == ["A mug on oak"] * 2 + ["A vase on oak"] * 2


async def test_what_is_moved_renamed_or_spaced_otherwise_is_not_bought_again(work: Work) -> None:
    await work.apply()
    work.rows.write_text("sku;product\nM-0;bowl\nM-2;vase\n\nM-1; mug\n")
    work.file.write_text(
        "# anew\n"
        + MUGS.replace("hero", "still").replace("[de, en]", "[ en,  de ]").replace("campaign: mugs", "campaign:   mugs")
    )

    planned = await work.outlooks()
    applied = await work.apply()

    assert {name: why for name, why in planned.items() if why != "reused"} == {
        "still-M-0": "new",
        "still-M-0-take-2": "new",
        "page-M-0-en": "new",
        "page-M-0-de": "new",
    }
    assert {name for name, status in applied.items() if status != "Reused"} == {name for name in planned if "M-0" in name}
    assert len(work.studio.jobs) == 8 + 4


async def test_each_edition_is_made_once_however_often_it_is_fired(work: Work) -> None:
    work.file.write_text("edition: '{{ week }}'\n" + MUGS)
    monday, sunday, next_week = (
        datetime(2026, 11, 30, tzinfo=UTC),
        datetime(2026, 12, 6, 23, tzinfo=UTC),
        datetime(2026, 12, 7, tzinfo=UTC),
    )

    first, late, second = await work.apply(monday), await work.apply(sunday), await work.apply(next_week)

    assert [set(one.values()) for one in (first, late, second)] == [{"Bought"}, {"Reused"}, {"Bought"}]
    assert len(work.studio.jobs) == 16
    again = await work.plan(datetime(2026, 12, 14, tzinfo=UTC))
    assert again.edition == "2026-W51"
    assert again.why["hero-M-1"] == "new in edition 2026-W51"


async def test_a_plan_says_why_each_item_is_bought(work: Work) -> None:
    await work.apply()
    work.file.write_text(MUGS.replace("on oak", "on walnut").replace("takes: 2", "takes: 3"))

    planned = await work.outlooks()

    assert planned["hero-M-1"] == "prompt: “oak” became “walnut”"
    assert planned["hero-M-1-take-3"] == "new"
    assert planned["page-M-1-de"] == "what it is made of is new"

    work.file.write_text(MUGS.replace("imagen4", "nano_banana_pro"))
    assert (await work.outlooks())["page-M-2-en"] == "made with image nano_banana_pro now, and not with image imagen4"


async def test_a_plan_tells_the_same_as_the_run_does(work: Work) -> None:
    work.rows.write_text("sku,product\nM-1,mug\n")
    await work.apply()
    work.rows.write_text("sku,product\nM-1,mug\nM-2,vase\nM-3,bowl\n")
    work.file.write_text(MUGS.replace("In {{ language }}", "A page in {{ language }}"))

    prospect = await work.plan()
    jobs = len(work.studio.jobs)
    applied = await work.apply()

    told = {"to buy": "Bought", "reused": "Reused"}
    assert {one.name: told[one.outlook.value] for one in prospect.foreseen} == applied
    assert prospect.plans["genova"].cost == len(work.studio.jobs) - jobs == 2 * 2 + 3 * 2


async def test_items_that_ask_for_the_very_same_are_bought_once(work: Work) -> None:
    work.rows.write_text("sku,product\nM-1,mug\nM-2,mug\n")

    applied = await work.apply()

    assert (applied["hero-M-1"], applied["hero-M-2"]) == ("Bought", "Reused")
    assert len(work.studio.jobs) == 2 + 2


async def test_what_failed_is_bought_again_and_the_rest_is_not(work: Work) -> None:
    work.studio.sandbox.fault(work.studio.account, "capture_failure", times=1)

    first, second = await work.apply(), await work.apply()

    assert list(first.values()).count("Failed") == 1
    assert {name for name, status in second.items() if status == "Bought"} == {
        name for name, status in first.items() if status != "Bought"
    }


async def test_the_time_that_a_plan_takes_is_foreseen_by_what_such_jobs_took(sandbox: Sandbox, work: Work) -> None:
    account = sandbox.new_account("genova", plan="Pro", settings={"queue": [0, 0], "run": [10, 10]})
    work.studio = replace(work.studio, account=account)
    work.rows.write_text("sku,product\n" + "".join(f"M-{number},mug {number}\n" for number in range(8)))
    work.file.write_text(MUGS)
    await work.apply()
    work.file.write_text(MUGS.replace("on oak", "on walnut"))

    prospect = await work.plan()

    async with work.studio.store.get_journal() as journal:
        works = {attempt.work for attempt in await journal.purchases()}
        learned = [(await journal.running_times.of(one)).p50 or 0 for one in works]
    # 32 jobs, of which 10 may be open on this plan: four times ten. The sandbox's clock runs 50 times as fast.
    assert not prospect.untimed
    assert prospect.seconds == pytest.approx(4 * (sum(learned) / len(learned) / 50 + HANDLING_SECONDS), rel=0.25)
