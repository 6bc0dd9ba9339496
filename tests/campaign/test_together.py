"""Runs of a campaign that are fired together, as late runs of a schedule are when its worker comes back."""

import asyncio
from datetime import UTC, datetime

from genmedia.campaign.direct import Direct
from genmedia.campaign.forms.campaign import campaign
from genmedia.campaign.run import run_campaign
from tests.studio import Studio

TEXT = """\
campaign: nightly
edition: "{{ week }}"
steps:
  - {name: sea, model: imagen4, prompt: the sea, takes: 2}
"""


async def test_late_runs_that_are_fired_together_make_each_edition_once(genova: Studio) -> None:
    this_week, next_week = datetime(2026, 11, 30, 6, tzinfo=UTC), datetime(2026, 12, 7, 6, tzinfo=UTC)

    async def run(begun: datetime) -> list[str]:
        host = Direct(genova.store, lambda _provider, _name: genova.credentials)
        host.begun = begun
        ended = await run_campaign(campaign(campaign=TEXT), host)
        return [result.status for result in ended.results]

    statuses = await asyncio.gather(*(run(begun) for begun in (this_week, this_week, this_week, next_week)))

    assert len(genova.jobs) == 2 * 2, "two takes in each of two editions"
    every = [status for each in statuses for status in each]
    assert every.count("Bought") == 4
    assert set(every) <= {"Bought", "Joined", "Reused"}
