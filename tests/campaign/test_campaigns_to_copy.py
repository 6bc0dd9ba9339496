"""The campaign files in deployments/campaigns: each is carried out whole, and buys nothing the second time."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from blocks.credentials import ProviderCredentials
from deployments.bootstrap import CREDENTIALS
from genmedia.campaign.direct import Direct
from genmedia.campaign.file.schema import schema
from genmedia.campaign.forms.campaign import campaign
from genmedia.campaign.run import Ended, run_campaign
from genmedia.journal.reviews import Opinion
from tests.commands import PROJECT
from tests.sandboxes import Sandbox
from tests.studio import Studio

FILES = sorted((PROJECT / "deployments" / "campaigns").glob("*.yaml"))
SCHEMA = (PROJECT / "docs" / "campaign.schema.json").read_text(encoding="utf-8")
ITEMS = {"catalogue": 4, "character": 5, "nightly": 6, "products": 19, "storyboard": 6}
WAITING = {"products": 13, "storyboard": 3}
"""How many of them are bought only once people have kept what they are made of."""


def test_the_published_schema_is_that_of_the_code() -> None:
    assert schema() == SCHEMA, "run `make schema`"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_editor_that_knows_the_schema_finds_nothing_wrong(file: Path) -> None:
    jsonschema.validate(yaml.safe_load(file.read_text(encoding="utf-8")), json.loads(SCHEMA))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"rows": 7}, "rows"),
        ({"colour": "red"}, "colour"),
        ({"matrix": {"ratio": "square"}}, "square"),
        ({"steps": [{"name": "a", "model": "imagen4", "promt": "x"}]}, "promt"),
        ({"steps": [{"name": "a", "model": "imagen4", "prompt": "x", "takes": 0}]}, "takes"),
    ],
)
def test_an_editor_that_knows_the_schema_tells_what_is_wrong(change: dict[str, Any], what: str) -> None:
    right = {"campaign": "a", "steps": [{"name": "a", "model": "imagen4", "prompt": "x", "ratio": "{{ ratio }}"}]}
    jsonschema.validate(right, json.loads(SCHEMA))

    with pytest.raises(jsonschema.ValidationError, match=what):
        jsonschema.validate({**right, **change}, json.loads(SCHEMA))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
async def test_a_campaign_to_copy_is_carried_out_whole_and_once(
    sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    monkeypatch.chdir(PROJECT)
    accounts = {"genova": sandbox.new_account("genova", plan="Business"), "generio": sandbox.new_account("generio")}
    studio = Studio(sandbox, accounts["genova"], tmp_path_factory.mktemp("store"))

    def payer(provider: str, _: str) -> ProviderCredentials:
        account = accounts[provider]
        known = {name: account[name] for name in ("api_key", "base_url", "account")}
        return CREDENTIALS[provider.upper()].model_validate(known)

    delivered = tmp_path_factory.mktemp("delivered")
    place = {"place": str(delivered)} if "  place:" in file.read_text(encoding="utf-8") else {}

    async def run() -> Ended:
        return await run_campaign(campaign(campaign=str(file), variables=place), Direct(studio.store, payer))

    first = await run()
    bought = sum(result.status == "Bought" for result in first.results)
    assert bought == ITEMS[file.stem] - WAITING.get(file.stem, 0), [one.error for one in first.results if one.error]
    if first.waiting:
        assert bought == len(first.waiting.items)
        async with studio.store.get_journal() as journal:
            kept = [(Opinion("keep", "Ann"), one.path, one.sidecar) for item in first.waiting.items for one in item.assets]
            await journal.reviews.give(kept)
        second = await run()
        assert Counter(one.status for one in second.results) == {"Reused": bought, "Bought": WAITING[file.stem]}
    last = await run()
    assert [result.status for result in last.results] == ["Reused"] * ITEMS[file.stem]
