"""A campaign's file that says where its files go: what is delivered, and what is told before anything is bought."""

import csv
import json
from pathlib import Path

import pytest

from genmedia.campaign.direct import Direct
from genmedia.campaign.forms.campaign import campaign
from genmedia.campaign.run import Ended, run_campaign
from genmedia.errors import InputError, SettingsError
from genmedia.journal.reviews import Opinion
from tests.studio import Studio

MUGS = """\
campaign: mugs
edition: 2026-W48
labels: {client: acme}
rows: [{sku: M-1, product: mug}, {sku: M-2, product: big vase}]
steps:
  - {name: hero, model: nano_banana2, prompt: "A {{ row.product }} on oak"}
  - {name: page, model: imagen4, prompt: A page, references: [{step: hero, row: all}]}
deliver:
  to: "handed/{{ client }}/{{ edition }}"
  names: "{row.sku}/{step}.{ext}"
  steps: [hero]
  title: "{{ row.product }}"
  creator: Acme
"""


class Work:
    """A folder with a campaign's file, and an account that pays for it."""

    def __init__(self, studio: Studio, folder: Path) -> None:
        self.studio = studio
        self.folder = folder
        self.place = folder / "handed" / "acme" / "2026-W48"

    async def apply(self, text: str = MUGS, *only_rows: str) -> Ended:
        file = self.folder / "mugs.yaml"
        file.write_text(text)
        return await run_campaign(
            campaign(campaign=str(file), only_rows=list(only_rows)),
            Direct(self.studio.store, lambda _provider, _name: self.studio.credentials),
        )

    @property
    def delivered(self) -> list[str]:
        """The files at the place, without the lists and the page."""
        found = [file.relative_to(self.place) for file in self.place.rglob("*") if file.is_file()]
        return sorted(str(file) for file in found if len(file.parts) > 1 and file.parts[0] != ".genmedia")


@pytest.fixture
def work(genova: Studio, tmp_path_factory: pytest.TempPathFactory) -> Work:
    return Work(genova, tmp_path_factory.mktemp("campaign"))


async def test_what_was_made_is_delivered_under_the_names_of_its_rows_and_once(work: Work) -> None:
    first, second = await work.apply(), await work.apply()

    assert work.delivered == ["M-1/hero.png", "M-2/hero.png"]
    assert first.delivered == f"2 copied: {work.place}"
    assert second.delivered == f"2 left as they are: {work.place}"
    with (work.place / "manifest.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["title"] for row in rows] == ["mug", "big vase"]
    assert len(work.studio.jobs) == 3


async def test_what_a_person_rejects_is_withdrawn_and_with_prune_removed(work: Work) -> None:
    ended = await work.apply()
    (asset,) = next(result for result in ended.results if result.name == "hero-M-2").assets
    async with work.studio.store.get_journal() as journal:
        await journal.reviews.give([(Opinion("reject", "ada", "too dark"), asset.path, asset.sidecar)])

    left = await work.apply()
    gone = await work.apply(MUGS + "  prune: true\n")

    assert left.delivered == f"1 left as they are, 1 withdrawn: {work.place}"
    assert gone.delivered == f"1 left as they are, 1 pruned: {work.place}"
    assert work.delivered == ["M-1/hero.png"]


@pytest.mark.parametrize(
    ("change", "place", "what"),
    [
        (
            ("{row.sku}/{step}.{ext}", "{step}.{ext}"),
            "mugs.yaml:10:10, deliver, names",
            "give hero.ext to 2 items: hero-M-1 and hero-M-2",
        ),
        (("{row.sku}", "{row.skuu}"), "mugs.yaml:10:10, deliver, names", "names row.skuu, which is not there"),
        (("{{ client }}", "{{ row.sku }}"), "mugs.yaml:9:7, deliver", "what differs from file to file belongs into names"),
        (("steps: [hero]", "steps: [heros]"), "mugs.yaml:11:10, deliver", "names the step heros, which is not there"),
        (("creator: Acme", "creator: [Acme]"), "mugs.yaml:13:12, deliver, creator", "should be a text"),
        (("creator:", "createur:"), "mugs.yaml:13:13, deliver, createur", "is no field; there are to, names"),
        (
            ('{{ row.product }}"\n  creator', '{{ row.prodct }}"\n  creator'),
            "mugs.yaml:12:10, deliver, title",
            "did you mean product?",
        ),
    ],
)
async def test_what_is_wrong_with_a_delivery_is_told_before_anything_is_bought(
    work: Work, change: tuple[str, str], place: str, what: str
) -> None:
    with pytest.raises(InputError) as told:
        await work.apply(MUGS.replace(*change))

    assert any(fault.place.startswith(place) and what in fault.what for fault in told.value.faults), str(told.value)
    assert work.studio.jobs == []


async def test_a_place_in_the_store_is_refused_before_anything_is_bought(work: Work) -> None:
    inside = MUGS.replace('"handed/{{ client }}/{{ edition }}"', f'"{work.studio.store.root}/handed"')

    with pytest.raises(SettingsError, match="is not apart from the store"):
        await work.apply(inside)

    assert work.studio.jobs == []


async def test_the_page_tells_of_each_file_what_not_all_of_them_have(work: Work) -> None:
    await work.apply()

    page = (work.place / "index.html").read_text()
    assert "hero · M-1 · mug · " in page
    assert "2026-W48" not in page


async def test_a_run_for_some_rows_delivers_these_and_leaves_what_there_is_of_others(work: Work) -> None:
    first = await work.apply(MUGS, "M-2")
    whole = await work.apply()
    before = (work.place / "manifest.json").read_text()
    second = await work.apply(MUGS + "  prune: true\n", "M-1")

    assert first.delivered == f"1 copied: {work.place}"
    assert whole.delivered == f"1 copied, 1 left as they are: {work.place}"
    assert second.delivered == f"1 left as they are: {work.place}"
    assert work.delivered == ["M-1/hero.png", "M-2/hero.png"]
    assert (work.place / "manifest.json").read_text() == before
    assert len(work.studio.jobs) == 3


async def test_a_run_for_some_rows_withdraws_and_prunes_only_what_is_of_these(work: Work) -> None:
    ended = await work.apply()
    results = {result.name: result for result in ended.results}
    async with work.studio.store.get_journal() as journal:
        for name in ("hero-M-1", "hero-M-2"):
            (asset,) = results[name].assets
            await journal.reviews.give([(Opinion("reject", "ada", "too dark"), asset.path, asset.sidecar)])

    left = await work.apply(MUGS, "M-2")
    gone = await work.apply(MUGS + "  prune: true\n", "M-2")
    manifest = json.loads((work.place / "manifest.json").read_text())

    assert left.delivered == f"1 withdrawn: {work.place}"
    assert gone.delivered == f"1 withdrawn: {work.place}"  # a delivery knows no row of what is withdrawn already
    assert [one["name"] for one in manifest["files"]] == ["M-1/hero.png"]
    assert manifest["withdrawn"] == ["M-2/hero.png"]
    assert work.delivered == ["M-1/hero.png", "M-2/hero.png"]
    assert (await work.apply(MUGS + "  prune: true\n")).delivered == f"2 pruned: {work.place}"


async def test_with_prune_a_run_for_some_rows_removes_what_it_withdraws(work: Work) -> None:
    await work.apply()

    ended = await work.apply(MUGS.replace("{row.sku}/", "{row.sku}/new-") + "  prune: true\n", "M-2")

    assert ended.delivered == f"1 copied, 1 pruned: {work.place}"
    assert work.delivered == ["M-1/hero.png", "M-2/new-hero.png"]
