"""What a run shows in the Prefect UI, which takes every cell of a table for Markdown."""

import json
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from genmedia.campaign.prospect import Prospect
from genmedia.purchasing.budget import Foreseen
from tasks.reporting import Markdown, publish_plan, publish_table

HOSTILE = "a | b <img src=x> [free](javascript:alert(1))"
SHOWN = r"a \| b \<img src=x\> \[free\](javascript:alert(1))"


async def artifact(key: str) -> Any:
    async with get_client() as client:
        (found,) = await client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])))
    return found.data


@pytest.mark.usefixtures("prefect")
async def test_what_others_wrote_is_shown_as_it_is_in_tables_and_plans() -> None:
    @flow
    async def shows() -> None:
        await publish_table(
            [{"prompt": HOSTILE, "cost": 2.5, "files": Markdown("[cup.png](/gallery/)")}], key="hostile-table", description=""
        )
        foreseen = [Foreseen(HOSTILE, "flora", "blur", None, "credits")]
        await publish_plan(
            "hostile", Prospect(foreseen, {}, {HOSTILE: HOSTILE}, HOSTILE, 100.0, (), "", "", {}, (), {}, ()), HOSTILE, ""
        )

    await shows()

    assert json.loads(await artifact("hostile-table")) == [{"prompt": SHOWN, "cost": 2.5, "files": "[cup.png](/gallery/)"}]
    plan = (await artifact("hostile-plan")).split("\n")
    assert SHOWN in plan
    assert f"| {SHOWN} | flora blur | {SHOWN} | - |" in plan
    assert f"Edition {SHOWN}. It takes about 2 min, as such jobs took before." in plan
