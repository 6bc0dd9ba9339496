"""Budgets of a campaign's file: for the run, and for a month of a client; and what is done where they are short."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from genmedia.campaign.direct import Direct
from genmedia.campaign.forms.campaign import campaign
from genmedia.campaign.run import Ended, Prospect, plan_campaign, run_campaign
from genmedia.errors import BudgetError
from genmedia.journal import add_up
from genmedia.journal.reviews import Opinion
from tests.sandboxes import Sandbox
from tests.shops import Shop
from tests.studio import Studio

PHOTO = Path(__file__).parents[2] / "photos" / "coffee.jpg"
HERO = "  - {name: hero, model: nano_banana2, prompt: 'A {{ row.sku }}'}\n"
TAKES = "  - {name: hero, model: nano_banana2, prompt: 'A {{ row.sku }}', takes: 3}\n"
FED = "  - {name: page, model: imagen4, prompt: x, references: [{step: hero}]}\n"
SHEET = "  - {name: sheet, local: contact-sheet, inputs: [{step: hero, row: all, take: all}]}\n"


class Agency:
    """Files of several campaigns, which one account pays."""

    def __init__(self, studio: Studio, folder: Path) -> None:
        self.studio = studio
        self.folder = folder

    def write(self, steps: str, *, name: str = "mugs", rows: Sequence[str] = ("a", "b"), head: str = "") -> str:
        file = self.folder / f"{name}.yaml"
        listed = ", ".join(f"{{sku: {one}}}" for one in rows)
        file.write_text(f"campaign: {name}\nrows: [{listed}]\n{head}steps:\n{steps}")
        return str(file)

    def host(self) -> Direct:
        return Direct(self.studio.store, lambda _provider, _name: self.studio.credentials)

    async def apply(self, file: str) -> Ended:
        return await run_campaign(campaign(campaign=file), self.host())

    async def plan(self, file: str) -> Prospect:
        return await plan_campaign(campaign(campaign=file), self.host())


@pytest.fixture
def agency(genova: Studio, tmp_path_factory: pytest.TempPathFactory) -> Agency:
    return Agency(genova, tmp_path_factory.mktemp("campaigns"))


def statuses(ended: Ended) -> dict[str, str]:
    return {one.name: one.status for one in ended.results}


def for_client(client: str, most: str, more: str = "") -> str:
    return f"labels: {{client: {client}}}\nbudget: {{per: {{client: {most}}}{more}}}\n"


async def test_a_files_budget_is_the_most_that_its_run_may_pay(agency: Agency) -> None:
    file = agency.write(HERO, head="budget: {genova: 1, usd: 3}\n")

    with pytest.raises(BudgetError, match="would cost 2 credits, more than the 1 allowed"):
        await agency.apply(file)

    assert agency.studio.jobs == []
    agency.write(HERO, head="budget: {genova: 2}\n")
    assert set(statuses(await agency.apply(file)).values()) == {"Bought"}


async def test_a_month_of_a_client_is_one_budget_for_all_its_campaigns(agency: Agency) -> None:
    await agency.apply(agency.write(HERO, name="mugs", head=for_client("acme", "3")))
    vases = agency.write(HERO, name="vases", rows=("c", "d"), head=for_client("acme", "3"))

    prospect = await agency.plan(vases)
    with pytest.raises(BudgetError) as told:
        await agency.apply(vases)

    month = datetime.now(UTC).strftime("%Y-%m")
    assert f"the cap of 3 credits for client acme until {month}-" in told.value.what
    assert "leaves 1: 2 are spent or reserved, 2 are needed" in told.value.what
    assert told.value.what in prospect.refused
    assert told.value.bought_nothing
    assert len(agency.studio.jobs) == 2, "nothing of a plan is bought that cannot be paid for whole"
    await agency.apply(agency.write(HERO, name="vases", rows=("c", "d"), head=for_client("other", "3")))
    assert len(agency.studio.jobs) == 4, "another client has a month of its own"


async def test_two_runs_at_once_do_not_spend_more_than_the_month_of_their_client(agency: Agency) -> None:
    rows = [chr(ord("a") + number) for number in range(6)]
    files = [
        agency.write(HERO, name=name, rows=[f"{name}-{row}" for row in rows], head=for_client("acme", "8"))
        for name in ("mugs", "vases")
    ]

    ended = await asyncio.gather(*map(agency.apply, files), return_exceptions=True)

    assert len(agency.studio.jobs) <= 8
    async with agency.studio.store.get_journal() as journal:
        assert sum(line.counted for line in add_up(await journal.entries(), "client", UTC)) <= 8
    assert any(isinstance(one, Ended) for one in ended)


async def test_rows_have_labels_of_their_own_with_budgets_of_their_own(agency: Agency) -> None:
    head = "labels: {client: 'client-{{ row.sku }}', team: blue}\nbudget: {per: {client: 2}}\n"
    file = agency.write(TAKES, rows=("a", "b"), head=head)

    with pytest.raises(BudgetError) as told:
        await agency.apply(file)
    assert "client client-a until" in told.value.what
    assert "client client-b until" in told.value.what

    agency.write(HERO, rows=("a", "b"), head=head)
    await agency.apply(file)
    async with agency.studio.store.get_journal() as journal:
        lines = add_up(await journal.entries(), "client", UTC)
        assert [(line.group, line.jobs) for line in lines] == [("client-a", 1), ("client-b", 1)]
        assert [line.group for line in add_up(await journal.entries(), "team", UTC)] == ["blue"]


async def test_a_month_in_credits_says_nothing_of_prices_in_usd(flora: Studio) -> None:
    flora.change(switches={"casing": "snake", "list_runs": True, "assets": True, "workspaces": 1, "idempotency": "openapi"})
    shop = Shop(flora)
    look = f"{{name: look, technique: wonder-fy, inputs: [{{id: input_image, file: {PHOTO}}}]}}"

    shop.write(look, head="labels: {client: acme}\nbudget: {per: {client: 500}}\n")
    with pytest.raises(BudgetError, match="names its prices in USD, of which the cap of 500 credits for client says nothing"):
        await shop.apply()

    shop.write(look, head="labels: {client: acme}\nbudget: {per: {client: {flora: 500, usd: 0.0001}}}\n")
    with pytest.raises(BudgetError, match=r"the cap of 0\.0001 USD for client acme"):
        await shop.apply()

    shop.write(look, head="labels: {client: acme}\nbudget: {per: {client: {usd: 5}}}\n")
    assert statuses(await shop.apply()) == {"look": "Bought"}


async def test_fewer_takes_are_made_from_the_highest_on_and_told_in_plan_and_result(agency: Agency) -> None:
    file = agency.write(TAKES + FED + SHEET, head="budget: {genova: 9, when_short: [fewer takes]}\n")

    prospect = await agency.plan(file)
    ended = await agency.apply(file)

    assert prospect.refused == ""
    assert prospect.plans["genova"].cost == 8
    assert [list(one.decided) for one in (prospect, ended)] == [
        ["the budget is short, fewer takes: without take 3 of hero, page (4 items)"]
    ] * 2
    assert ended.short
    assert statuses(ended) == {
        **dict.fromkeys(("hero-a", "hero-a-take-2", "hero-b", "hero-b-take-2"), "Bought"),
        **dict.fromkeys(("page-a", "page-a-take-2", "page-b", "page-b-take-2"), "Bought"),
        "sheet": "Made",
    }
    assert len(ended.results[-1].assets[0].sidecar.inputs) == 4, "the sheet is made of the takes that there are"


async def test_fewer_takes_may_be_made_before_the_budget_is_spent(agency: Agency) -> None:
    head = "budget: {genova: 10, when_short: [{at: 40%, do: fewer takes}]}\n"
    file = agency.write(TAKES, head=head)

    ended = await agency.apply(file)

    assert list(ended.decided) == ["beyond 40% of the budget, fewer takes: without take 3 of hero (2 items)"]
    assert len(agency.studio.jobs) == 4

    month = agency.write(
        TAKES, rows=("c", "d"), name="vases", head=for_client("acme", "10", ", when_short: [{at: 80 %, do: fewer takes}]")
    )
    assert (await agency.apply(month)).decided == [], "6 of 10 are less than 80 %"


async def test_takes_are_never_fewer_than_one_and_a_plan_that_is_short_then_is_refused(agency: Agency) -> None:
    file = agency.write(TAKES, head="budget: {genova: 1, when_short: [fewer takes]}\n")

    prospect = await agency.plan(file)

    assert "would cost 2 credits, more than the 1 allowed" in prospect.refused
    with pytest.raises(BudgetError, match="would cost 2 credits"):
        await agency.apply(file)
    assert agency.studio.jobs == []


async def test_a_retake_does_not_get_the_number_of_a_take_that_is_left_out(agency: Agency) -> None:
    steps, short = TAKES.replace("takes: 3", "takes: 3, review: true"), "budget: {{genova: {}, when_short: [fewer takes]}}\n"
    file = agency.write(steps, rows=("a",), head=short.format(2))
    first = await agency.apply(file)
    async with agency.studio.store.get_journal() as journal:
        await journal.reviews.give([(Opinion("retake", "Ann"), one.path, one.sidecar) for one in first.results[0].assets])
    agency.write(steps, rows=("a",), head=short.format(1))
    assert statuses(await agency.apply(file)) == {"hero-a": "Bought", "hero-a-take-2": "Reused"}

    agency.write(steps, rows=("a",), head=short.format(5))

    assert statuses(await agency.apply(file)) == {"hero-a": "Reused", "hero-a-take-2": "Reused", "hero-a-take-3": "Bought"}
    assert len(agency.studio.jobs) == 4


async def test_takes_that_are_stored_are_kept_when_the_budget_is_short_later(agency: Agency) -> None:
    file = agency.write(TAKES, rows=("a",), head="budget: {genova: 3, when_short: [fewer takes]}\n")
    await agency.apply(file)
    agency.write(TAKES, rows=("a", "b"), head="budget: {genova: 1, when_short: [fewer takes]}\n")

    ended = await agency.apply(file)

    assert statuses(ended) == {
        **dict.fromkeys(("hero-a", "hero-a-take-2", "hero-a-take-3"), "Reused"),
        "hero-b": "Bought",
    }


async def test_what_fits_is_bought_in_the_order_of_the_file_and_the_rest_by_the_next_run(agency: Agency) -> None:
    file = agency.write(HERO + FED, rows=("a", "b", "c"), head="budget: {genova: 4, when_short: [fewer takes, pause]}\n")

    prospect = await agency.plan(file)
    first = await agency.apply(file)
    second = await agency.apply(file)

    outlooks = {one.name: one.outlook.value for one in prospect.foreseen}
    assert outlooks == {
        **dict.fromkeys(("hero-a", "hero-b", "hero-c", "page-a"), "to buy"),
        **dict.fromkeys(("page-b", "page-c"), "over the budget"),
    }
    assert prospect.decided == ["the budget is short, pause: a later run buys page (2 items)"]
    assert statuses(first) == {name: "Bought" if outlook == "to buy" else "Not bought" for name, outlook in outlooks.items()}
    assert {one.error for one in first.results if one.left} == {"over the budget; a later run buys it"}
    assert set(statuses(second).values()) == {"Reused", "Bought"}
    assert len(agency.studio.jobs) == 6


async def test_nothing_is_bought_for_a_client_whose_month_is_spent_and_the_run_ends_all_the_same(agency: Agency) -> None:
    await agency.apply(agency.write(HERO, name="mugs", head=for_client("acme", "2")))

    ended = await agency.apply(
        agency.write(HERO, name="vases", rows=("c",), head=for_client("acme", "2", ", when_short: [pause]"))
    )

    assert statuses(ended) == {"hero-c": "Not bought"}
    assert ended.short


async def test_an_account_with_too_few_credits_is_short_as_well(sandbox: Sandbox, agency: Agency) -> None:
    poor = sandbox.new_account("genova", plan="Pro", credits=2)
    agency.studio.account = poor
    file = agency.write(HERO, rows=("a", "b", "c"), head="budget: {when_short: [pause]}\n")

    assert list(statuses(await agency.apply(file)).values()) == ["Bought", "Bought", "Not bought"]


async def test_a_cheaper_step_is_bought_where_the_budget_is_short_and_found_again(
    sandbox: Sandbox, flora: Studio, tmp_path: Path
) -> None:
    shop = Shop(flora)
    dear = f"technique: wonder-fy, inputs: [{{id: input_image, file: {PHOTO}}}]"
    cheap = "cheaper: {model: imagen4, prompt: A cup}"
    file = tmp_path / "cups.yaml"
    written = f"campaign: cups\nsteps:\n  - {{name: look, {dear}, {cheap}}}\n"
    written += "  - {name: page, model: nano_banana2, prompt: x, references: [{step: look}]}\n"
    file.write_text(written + "budget: {flora: 1, when_short: [fewer takes, cheaper model, pause]}\n")

    prospect = await shop.plan(file)
    ended = await shop.apply(file)
    file.write_text(written)
    later = await shop.apply(file)

    assert prospect.decided == ["the budget is short, cheaper model: another step in place of look (1 item)"]
    assert statuses(ended) == {"look": "Bought", "page": "Bought"}
    assert ended.results[0].operation == "image imagen4"
    assert ended.results[0].note == "a cheaper step in place of flora wonder-fy"
    assert statuses(later) == {"look": "Reused", "page": "Reused"}, "what stands in its place is not bought again"
    assert (len(flora.jobs), len(shop.jobs("genova"))) == (0, 2)
    sidecar = json.loads((flora.root / f"{ended.results[0].assets[0].path}.json").read_text())
    assert sidecar["stands_in"] == "flora wonder-fy"


async def test_a_step_that_costs_no_less_is_not_taken_for_a_cheaper_one(flora: Studio) -> None:
    shop = Shop(flora)
    head = "budget: {genova: 1, when_short: [cheaper model, pause]}\n"
    shop.write("{name: cup, model: nano_banana2, prompt: A cup, takes: 2, cheaper: {model: imagen4}}", head=head)

    prospect = await shop.plan()

    assert prospect.decided == ["the budget is short, pause: a later run buys cup (1 item)"]


@pytest.mark.parametrize("feeder", ["hero", "copy"], ids=["of one step", "of two that ask for the same themselves"])
async def test_what_several_steps_ask_for_alike_is_counted_once_also_behind_another_step(agency: Agency, feeder: str) -> None:
    steps = HERO + HERO.replace("hero", "copy") + FED + FED.replace("page", "leaf").replace("hero", feeder)
    file = agency.write(steps, rows=("a",), head="budget: {genova: 2}\n")

    prospect = await agency.plan(file)
    ended = await agency.apply(file)

    assert (prospect.plans["genova"].cost, prospect.refused) == (2, "")
    assert statuses(ended) == {"hero-a": "Bought", "copy-a": "Reused", "page-a": "Bought", "leaf-a": "Reused"}
    assert len(agency.studio.jobs) == 2


async def test_what_is_asked_for_alike_is_left_to_a_later_run_with_what_is_made_of_it(agency: Agency) -> None:
    more = "  - {name: last, model: imagen4, prompt: y, references: [{step: leaf}]}\n"
    head = "budget: {genova: 1, when_short: [pause]}\n"
    file = agency.write(HERO + FED + FED.replace("page", "leaf") + more, rows=("a",), head=head)

    prospect = await agency.plan(file)
    ended = await agency.apply(file)

    over = ["page-a", "leaf-a", "last-a"]
    assert [one.name for one in prospect.foreseen if one.outlook == "over the budget"] == over
    assert [one.name for one in ended.results if one.status == "Not bought"] == over
    assert len(agency.studio.jobs) == 1
