"""What a person agrees to when a plan is applied: that is bought, under these rules, and nothing else."""

from pathlib import Path

import pytest

from genmedia.campaign.forms.campaign import campaign
from genmedia.campaign.run import Ended, run_campaign
from genmedia.errors import InputError
from genmedia.journal.reviews import Opinion
from tests.campaign.test_budgets import Agency, statuses
from tests.studio import Studio

STEPS = """\
  - {name: hero, model: nano_banana2, prompt: 'A {{ row.sku }}', attempts: 2, review: true}
  - {name: page, model: imagen4, prompt: x, references: [{step: hero}]}
"""
HEAD = 'budget: {genova: 9}\nlabels: {client: acme}\ndeliver: {to: out, names: "{row.sku}/{step}-{take}.{ext}"}\n'


@pytest.fixture
def agency(genova: Studio, tmp_path_factory: pytest.TempPathFactory) -> Agency:
    return Agency(genova, tmp_path_factory.mktemp("campaigns"))


async def apply(agency: Agency, file: str, approved: str) -> Ended:
    return await run_campaign(campaign(campaign=file, approved=approved), agency.host())


async def say(agency: Agency, ended: Ended, name: str, opinion: Opinion) -> None:
    (result,) = [one for one in ended.results if one.name == name]
    async with agency.studio.store.get_journal() as journal:
        await journal.reviews.give([(opinion, one.path, one.sidecar) for one in result.assets])


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("'A {{ row.sku }}'", "'Another {{ row.sku }}'"),
        ("attempts: 2", "attempts: 3"),
        ("attempts: 2", "attempts: 2, takes: 2"),
        ("attempts: 2", "attempts: 2, fallback: {model: imagen4}"),
        ("attempts: 2", "attempts: 2, if_refused: buy again"),
        ("review: true", "review: {deadline: 48h, default: keep}"),
        ("genova: 9", "genova: 90"),
        ("acme", "other"),
        ("to: out", "to: elsewhere"),
        ("to: out", "to: out, prune: true"),
    ],
)
async def test_nothing_is_bought_where_the_file_asks_for_something_else_than_was_agreed_to(
    agency: Agency, written: str, instead: str
) -> None:
    file = agency.write(STEPS, head=HEAD)
    agreed = (await agency.plan(file)).fingerprint
    Path(file).write_text(Path(file).read_text().replace(written, instead))

    with pytest.raises(InputError, match="asks by now for something else than the plan that was agreed to") as told:
        await apply(agency, file, agreed)

    assert told.value.bought_nothing
    assert agency.studio.jobs == []


async def test_what_was_bought_and_decided_meanwhile_is_still_agreed_to(agency: Agency) -> None:
    file = agency.write(STEPS, head=HEAD)
    agreed = (await agency.plan(file)).fingerprint
    first = await apply(agency, file, agreed)
    await say(agency, first, "hero-a", Opinion("keep", "Ann"))
    await say(agency, first, "hero-b", Opinion("retake", "Ann", prompt="A darker b"))
    Path(file).write_text("# a comment\n" + Path(file).read_text())

    second = await apply(agency, file, agreed)

    assert statuses(second) == {"hero-a": "Reused", "hero-b": "Bought", "page-a": "Bought", "page-b": "Waiting for review"}


async def test_a_retake_with_another_seed_is_told_as_one(algovera: Studio, tmp_path: Path) -> None:
    agency = Agency(algovera, tmp_path)
    file = agency.write("  - {name: hero, base_model: stable, prompt: 'A {{ row.sku }}', seed: 7}\n", rows=("a",))
    first = await agency.apply(file)
    assert (await agency.plan(file)).retakes == []
    await say(agency, first, "hero-a", Opinion("retake", "Ann", seed=8))

    assert (await agency.plan(file)).retakes == ["hero-a"]


async def test_a_file_without_a_review_of_which_nobody_said_anything_says_nothing_of_marks(agency: Agency) -> None:
    ended = await agency.apply(agency.write(STEPS.replace(", review: true", "")))

    assert ended.marked == ""


async def test_what_several_items_ask_for_alike_is_tried_once_for_all_of_them(agency: Agency) -> None:
    file = agency.write("  - {name: same, model: imagen4, prompt: x, if: \"{{ row.sku != '' }}\"}\n", rows=("a", "b", "c"))
    agency.studio.sandbox.fault(agency.studio.account, "fail", times=2)

    ended = await agency.apply(file)

    assert set(statuses(ended).values()) == {"Failed"}
    assert len(agency.studio.jobs) == 1
    assert sum(one.charged or 0 for one in ended.results) == 1


async def test_attempts_that_end_at_the_budget_are_charged_once_each(agency: Agency) -> None:
    file = agency.write("  - {name: one, model: imagen4, prompt: x, attempts: 3}\n", head="budget: {genova: 2}\n")
    agency.studio.sandbox.fault(agency.studio.account, "fail", times=4)

    (result,) = (await agency.apply(file)).results

    assert (result.charged, len(agency.studio.jobs)) == (2, 2)


async def test_a_retake_and_a_reject_count_in_a_file_without_a_review(agency: Agency) -> None:
    head = 'deliver: {to: out, prune: true, names: "{row.sku}/{step}.{ext}"}\n'
    file = agency.write(STEPS.replace(", review: true", ""), head=head)
    first = await agency.apply(file)
    await say(agency, first, "hero-a", Opinion("retake", "Ann", "too dark"))
    await say(agency, first, "hero-b", Opinion("reject", "Ann", "no handle"))

    prospect = await agency.plan(file)
    second = await agency.apply(file)

    assert {one.name: one.outlook.value for one in prospect.foreseen} == {
        "hero-a": "to buy",
        "page-a": "to buy",
        "hero-b": "rejected",
        "page-b": "left out",
    }
    assert statuses(second) == {"hero-a": "Bought", "page-a": "Bought", "hero-b": "Reused", "page-b": "Not bought"}
    assert sorted(one.name for one in (agency.folder / "out").glob("?/*")) == ["hero.png", "page.png"]


async def test_what_is_delivered_stays_until_what_comes_in_its_place_is_there(agency: Agency) -> None:
    head = 'deliver: {to: out, prune: true, names: "{row.sku}/{step}-{sha256}.{ext}"}\n'
    steps = "  - {name: hero, model: nano_banana2, prompt: 'A {{ row.sku }}'}\n"
    await agency.apply(agency.write(steps, head=head))
    before = sorted((agency.folder / "out").glob("?/*"))
    agency.studio.sandbox.fault(agency.studio.account, "fail", times=1)
    file = agency.write(steps.replace("'A ", "'A blue "), head=head)

    failed = await agency.apply(file)
    kept = sorted((agency.folder / "out").glob("?/*"))
    await agency.apply(file)

    assert "withdrawn" in failed.delivered
    assert set(before) < set(kept)
    assert len(sorted((agency.folder / "out").glob("?/*"))) == 2
