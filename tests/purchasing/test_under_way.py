"""A refusal that says that nothing was bought names the paid work that earlier runs left under way."""

from pathlib import Path

from genmedia.journal import Journal
from genmedia.purchasing.recover import work_under_way
from tests.buyers import Studio
from tests.sandboxes import Sandbox


async def test_what_is_under_way_for_a_campaign_is_named_up_to_a_number(sandbox: Sandbox, tmp_path: Path) -> None:
    studio = Studio(sandbox, tmp_path, "algovera")

    async with Journal.lease(studio.journal) as journal:
        assert await work_under_way(journal, "crashes") == ""
        found = [await studio.buy(studio.errand(f"A red cup, number {number}")) for number in range(2)]
        told = await work_under_way(journal, "crashes")
        for number in range(2, 7):
            await studio.buy(studio.errand(f"A red cup, number {number}"))
        more = await work_under_way(journal, "crashes")

        assert await work_under_way(journal, "coffee") == ""

    for one in found:
        assert f"algovera txt2img stable, job {one.job_id}, submission {one.key[:12]}, since 2" in told
    assert told.count("submission") == 2
    assert told.startswith("Nothing more was bought, but earlier runs of crashes have paid work under way: ")
    assert more.count("submission") == 5
    assert "; and 2 more, which `genmedia journal` lists" in more
