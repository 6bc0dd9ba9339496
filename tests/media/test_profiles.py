"""The sandbox as the documents describe the APIs, and as they are today: our clients buy and store at both."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from genmedia.journal import AttemptState, Journal
from tests.crashes.errands import OUTPUTS
from tests.crashes.scenes import BY_LOOKS, Scene
from tests.sandboxes import Sandbox, running_sandbox

TODAY = {
    "flora": {"casing": "snake", "workspaces": 1, "assets": True, "list_runs": True, "idempotency": "openapi"},
    "generio": {"asset_key": "id", "download": "raw"},
    "genova": {"download": "json", "prompt_limit": "off"},
}
DOCUMENTS = {
    "flora": {"casing": "camel", "workspaces": 0, "assets": False, "list_runs": False, "idempotency": "seed"},
    "generio": {"asset_key": "asset_id", "download": "json"},
    "genova": {"download": "redirect", "prompt_limit": "on"},
}


@pytest.fixture(scope="module", params=["documents", "today"])
def profile(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def profiled(profile: str) -> Generator[Sandbox]:
    options = {"profile": profile, "clock_scale": 50, "size": 128, "switches": {"genova": {"cancel": "remove"}}}
    with running_sandbox(json.dumps(options)) as running:
        yield running


def differing(account: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    return {name: account["switches"][name] for name in names}


@pytest.mark.parametrize("provider", sorted(TODAY))
def test_a_profile_is_that_of_the_first_account_and_of_those_made_later_and_a_switch_goes_before_it(
    profile: str, profiled: Sandbox, provider: str
) -> None:
    wanted = (TODAY if profile == "today" else DOCUMENTS)[provider]
    first = next(one for one in profiled.control("GET", "/accounts") if one["provider"] == provider)
    later = profiled.new_account(provider)
    own = next(iter(wanted))
    other = profiled.new_account(provider, switches={own: DOCUMENTS[provider][own]})

    assert differing(first, wanted) == differing(later, wanted) == wanted
    assert other["switches"][own] == DOCUMENTS[provider][own]
    if provider == "genova":
        assert later["switches"]["cancel"] == "remove"


@pytest.mark.parametrize("provider", sorted(OUTPUTS))
async def test_what_is_bought_under_either_profile_is_paid_once_and_stored_whole(
    profiled: Sandbox, tmp_path: Path, provider: str
) -> None:
    scene = Scene(profiled, tmp_path)
    errand = scene.add(profiled.new_account(provider, settings=BY_LOOKS))

    await errand.carry()
    await errand.carry()

    assert await scene.faults() == []
    async with Journal.lease(errand.journal) as journal:
        attempt = await journal.live_attempt(errand.order.key)
    assert attempt is not None
    assert attempt.state is AttemptState.STORED
    if attempt.price is not None:
        assert attempt.charged in (attempt.price, None)
