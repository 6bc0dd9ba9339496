"""A campaign carried out by plain calls, against the sandbox: planned, bought once, stored, with no Prefect anywhere."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from blocks import AssetStore
from blocks.credentials import ProviderCredentials
from deployments.bootstrap import CREDENTIALS
from genmedia.campaign.brief import Brief
from genmedia.campaign.direct import Direct
from genmedia.campaign.run import Ended, run_campaign
from genmedia.campaign.steps import Campaign
from genmedia.errors import BudgetError, InputError, SettingsError
from genmedia.purchasing.patience import Patience
from tests.sandboxes import Sandbox


@dataclass
class Studio:
    """An account at each provider, and a folder."""

    sandbox: Sandbox
    root: Path
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    def payer(self, provider: str, name: str) -> ProviderCredentials:
        if name != "default":
            raise SettingsError(f"nobody is called {name}")
        one = self.accounts.setdefault(provider, self.sandbox.new_account(provider, credits=100))
        asked = {"api_key": one["api_key"], "base_url": one["base_url"], "account": one["account"], "plan": one.get("plan")}
        kind = CREDENTIALS[provider.upper()]
        return kind.model_validate({name: value for name, value in asked.items() if value and name in kind.model_fields})

    def host(self) -> Direct:
        return Direct(AssetStore(root=str(self.root)), self.payer)

    async def run(self, *steps: dict[str, Any], host: Direct | None = None, **wishes: Any) -> Ended:
        return await run_campaign(brief(steps, **wishes), host or self.host())

    def jobs(self, provider: str) -> list[dict[str, Any]]:
        return self.sandbox.jobs(self.accounts[provider])


def brief(steps: Sequence[dict[str, Any]], **wishes: Any) -> Brief:
    campaign = Campaign.model_validate({"name": "test", "steps": list(steps)})
    asked = Brief(
        name=campaign.name,
        steps=campaign.steps,
        accounts=dict.fromkeys(("algovera", "flora", "generio", "genova"), "default"),
        store="default",
        at_once=4,
        patience=Patience(10, 10),
    )
    return replace(asked, **wishes)


@pytest.fixture
def studio(sandbox: Sandbox, tmp_path: Path) -> Studio:
    return Studio(sandbox, tmp_path)


PICTURE = {"name": "hero", "model": "nano_banana2", "prompt": "a red kite", "ratio": "square"}
VIDEO = {"name": "film", "model": "veo3_fast", "prompt": "it rises", "references": [{"step": "hero"}]}


def statuses(ended: Ended) -> list[str]:
    return [result.status for result in ended.results]


async def test_steps_that_feed_each_other_are_bought_stored_and_not_bought_again(studio: Studio) -> None:
    first = await studio.run(PICTURE, VIDEO)
    second = await studio.run(PICTURE, VIDEO)

    assert (statuses(first), statuses(second)) == (["Bought"] * 2, ["Reused"] * 2)
    assert len(studio.jobs("genova")) == 2
    assert [one.asset for one in first.results[1].assets[0].sidecar.inputs] == [first.results[0].assets[0].path]


async def test_what_a_step_that_failed_feeds_is_not_bought_and_all_else_is(studio: Studio) -> None:
    studio.payer("genova", "default")
    studio.sandbox.fault(studio.accounts["genova"], "capture_failure")

    ended = await studio.run(PICTURE, VIDEO, {**PICTURE, "name": "other", "prompt": "a cup"}, at_once=1)

    assert statuses(ended) == ["Failed", "Not started", "Bought"]


async def test_a_job_that_fails_is_tried_again_as_often_as_is_allowed(studio: Studio) -> None:
    studio.payer("genova", "default")
    studio.sandbox.fault(studio.accounts["genova"], "capture_failure")

    ended = await studio.run(PICTURE, attempts=2)

    assert (statuses(ended), ended.results[0].charged) == (["Bought"], 2)


async def test_copies_of_a_picture_are_different_pictures_and_each_its_own_to_buy(studio: Studio) -> None:
    copies = [{**PICTURE, "name": f"hero-{number}", "copy_number": number} for number in (1, 2)]

    ended = await studio.run(*copies)
    again = await studio.run(PICTURE)

    assert (statuses(ended), statuses(again)) == (["Bought"] * 2, ["Reused"])
    assert len({result.assets[0].sha256 for result in ended.results}) == 2


@pytest.mark.parametrize(
    ("steps", "wishes", "error", "told"),
    [
        ([PICTURE, VIDEO], {"max_credits": {"genova": 1}}, BudgetError, "would cost 2 credits, more than the 1 allowed"),
        ([{**PICTURE, "ratio": "16:9"}], {}, InputError, "step 1 (hero), aspect_ratio"),
        ([PICTURE], {"accounts": {"genova": "gone"}}, InputError, "nobody is called gone"),
        ([VIDEO], {}, InputError, "uses step 'hero', which is no earlier step"),
        ([{**VIDEO, "references": [], "copy_number": 2}], {}, InputError, "copy_number: is for pictures only"),
    ],
)
async def test_what_cannot_be_bought_whole_is_refused_before_anything_is_bought(
    studio: Studio, steps: list[dict[str, Any]], wishes: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error) as refused:
        await studio.run(*steps, **wishes)

    assert told in str(refused.value)
    assert "Nothing was bought." in str(refused.value)
    assert "genova" not in studio.accounts or studio.jobs("genova") == []


@pytest.mark.usefixtures("slower_clock")
@pytest.mark.parametrize(("by_a_person", "became"), [(True, "cancelled"), (False, "queued")])
async def test_a_person_who_cancels_ends_what_has_not_started_and_nobody_else_does(
    studio: Studio, by_a_person: bool, became: str
) -> None:
    studio.payer("genova", "default")
    studio.sandbox.control(
        "POST",
        "/accounts",
        {"provider": "genova", "account": studio.accounts["genova"]["account"], "settings": {"queue": [1700, 1700]}},
    )
    host = studio.host()
    running = asyncio.create_task(studio.run(PICTURE, host=host, patience=Patience(10_000, 10)))
    async with AssetStore(root=str(studio.root)).get_journal() as journal:
        while not any(one.remote_id for one in await journal.open_attempts()):
            await asyncio.sleep(0.05)

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    if by_a_person:
        await host.cancel()

    assert [job["status"] for job in studio.jobs("genova")] == [became]
