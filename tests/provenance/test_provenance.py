"""What sidecars tell: read or refused with the reason, followed through a store, listed, and made into a journal again."""

import csv
import hashlib
import io
import json
import re
from collections.abc import AsyncGenerator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from genmedia.errors import SettingsError
from genmedia.gallery.page import write_gallery
from genmedia.jobs.job import Account
from genmedia.journal import AttemptState, Journal
from genmedia.journal.order import Order
from genmedia.provenance.lineage import LEVELS, Branch, Lineage
from genmedia.provenance.manifest import COLUMNS, make_manifest, write_manifest
from genmedia.provenance.reading import TOO_LONG, LeftOut, in_order, read_assets
from genmedia.provenance.rebuild import Rebuilt, rebuild_journal
from genmedia.store import Place, Store
from genmedia.store.sidecar import read_sidecar, schema
from tests.example_assets import picture, times, write_asset

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "media"


@pytest.fixture
async def store(root: Path) -> AsyncGenerator[Store]:
    async with Store.lease(str(root)) as opened:
        yield opened


# Sidecars


def test_the_published_schema_is_the_models() -> None:
    assert (DOCS / "sidecar.schema.json").read_text(encoding="utf-8") == schema(), "write it with `make schema`"


def test_the_example_in_the_documents_is_a_sidecar_and_its_fields_are_all_told() -> None:
    page = (DOCS / "sidecar.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    told = read_sidecar(example.encode())
    fields = set(re.findall(r"^\| `([\w.\[\]]+)` \|", page, re.MULTILINE))

    assert told.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude={"times"}) == {
        name: value for name, value in json.loads(example).items() if name != "times"
    }
    described = json.loads(schema())
    known = set(described["properties"])
    for name, part in (
        ("uses[]", "Use"),
        ("place[]", "Coordinate"),
        ("inputs[]", "Input"),
        ("cost", "Cost"),
        ("times", "Times"),
        ("output", "Output"),
        ("file", "File"),
    ):
        known |= {f"{name}.{field}" for field in described["$defs"][part]["properties"]}
    assert fields == known - {"uses", "place", "inputs", "cost", "times", "output", "file"}


async def test_a_sidecar_of_a_later_version_is_told_as_such_and_not_guessed_at(root: Path, store: Store) -> None:
    write_asset(root, "spring/blur/a.png", picture("teal"), genmedia="9.0", sidecar=2, cost="free")

    left_out = (await read_assets(store)).left_out

    why = "it is a sidecar of version 2, written by genmedia 9.0; this one reads up to 1"
    assert left_out == [LeftOut("spring/blur/a.png.json", why)]


async def test_a_field_that_a_later_genmedia_adds_is_passed_over(root: Path, store: Store) -> None:
    write_asset(root, "spring/blur/a.png", picture("teal"), mood="calm")

    (asset,) = (await read_assets(store)).assets

    assert asset.sidecar.campaign == "spring"


async def test_what_is_no_sidecar_is_left_out_where_it_stands_beside_a_file(root: Path, store: Store) -> None:
    write_asset(root, "spring/blur/a.png", picture("teal"))
    (root / "spring/blur/a.png.json").write_text("{")
    (root / "marks.json").write_text("{")

    contents = await read_assets(store)

    assert contents.assets == []
    assert contents.left_out == [LeftOut("spring/blur/a.png.json", "it does not read as a sidecar of genmedia")]


@pytest.mark.parametrize("content", ["{}", '{"frames": []}', "[1]", '"genmedia"'])
async def test_json_of_another_program_is_passed_over_wherever_it_stands(root: Path, store: Store, content: str) -> None:
    write_asset(root, "spring/blur/a.png", picture("teal"))
    (root / "atlas.png").write_bytes(picture("red"))
    for name in ("atlas.png.json", "marks.json", "spring/blur/a.json"):
        (root / name).write_text(content)

    contents = await read_assets(store)

    assert [asset.path for asset in contents.assets] == ["spring/blur/a.png"]
    assert contents.left_out == []


@pytest.mark.parametrize("changes", [{"attempt": 10**30}, {"take": 10**30}, {"attempt": 0}, {"submission_key": None}])
async def test_what_says_that_it_is_of_genmedia_and_cannot_be_is_told(
    root: Path, store: Store, journal: Journal, changes: dict[str, Any]
) -> None:
    write_asset(root, "spring/blur/a.png", picture("teal"), **changes)

    found = await rebuilt(store, journal)

    assert (found.found, found.added) == (1, 0)
    assert found.left_out == [LeftOut("spring/blur/a.png.json", "it does not read as a sidecar of genmedia")]


# Lineage


async def lineage_of(store: Store) -> Lineage:
    return Lineage((await read_assets(store)).assets)


def tree(branch: Branch) -> Any:
    """A branch as its name, and those on it."""
    return {f"{branch.name}{' again' if branch.again else ''}": [tree(one) for one in branch.branches]}


async def test_an_input_is_the_asset_that_is_named_and_else_the_latest_of_the_same_content_by_then(
    root: Path, store: Store
) -> None:
    same = picture("teal")
    digest = write_asset(root, "a/x/1.png", same, times=times(1))
    write_asset(root, "a/x/2.png", same, times=times(2))
    write_asset(root, "a/x/3.png", same, times=times(9))
    given = {"id": "image", "sha256": digest}
    write_asset(root, "b/named/1.png", picture("red"), times=times(5), inputs=[{**given, "asset": "a/x/1.png"}])
    write_asset(root, "b/told/1.png", picture("blue"), times=times(5), inputs=[given])
    write_asset(root, "b/moved/1.png", picture("navy"), times=times(5), inputs=[{**given, "asset": "gone.png"}])
    write_asset(root, "b/before/1.png", picture("pink"), times=times(0), inputs=[{**given, "from": "cup.png"}])

    lineage = await lineage_of(store)

    found = {
        step: tree(lineage.before(*lineage.find(f"b/{step}/1.png")))[f"b/{step}/1.png"]
        for step in ("named", "told", "moved", "before")
    }
    assert found == {
        "named": [{"a/x/1.png": []}],
        "told": [{"a/x/2.png": []}],
        "moved": [{"a/x/2.png": []}],
        "before": [{"cup.png": []}],
    }


async def test_an_asset_that_went_in_many_times_has_its_branches_once(root: Path, store: Store) -> None:
    content, inputs = picture("teal"), [{"id": "prompt", "text": "a cup"}]
    for number in range(30):
        digest = write_asset(root, f"a/s{number}/1.png", content, times=times(number), inputs=inputs)
        inputs = [{"id": name, "sha256": digest, "asset": f"a/s{number}/1.png"} for name in ("image", "reference")]
        content = picture(f"#{number:06x}")

    lineage = await lineage_of(store)

    (last,) = lineage.find("a/s2/1.png")
    assert tree(lineage.before(last)) == {
        "a/s2/1.png": [{"a/s1/1.png": [{"a/s0/1.png": [{"a cup": []}]}, {"a/s0/1.png again": []}]}, {"a/s1/1.png again": []}]
    }
    assert len(str(tree(lineage.before(*lineage.find("a/s29/1.png"))))) < 3000


async def test_a_very_long_lineage_is_followed_so_far_and_says_that_it_goes_on(root: Path, store: Store) -> None:
    inputs = [{"id": "prompt", "text": "a cup"}]
    for number in range(LEVELS + 900):
        write_asset(root, f"a/x/{number}.png", b"", times=times(0), inputs=inputs)
        inputs = [{"id": "image", "asset": f"a/x/{number}.png"}]

    lineage = await lineage_of(store)
    branch = lineage.before(*lineage.find(f"a/x/{LEVELS + 899}.png"))

    assert json.dumps(asdict(branch), indent=2)
    for number in range(LEVELS):
        assert branch.name == f"a/x/{LEVELS + 899 - number}.png"
        assert not branch.deeper
        (branch,) = branch.branches
    assert branch.deeper
    assert branch.branches == ()


async def test_what_is_too_long_for_a_sidecar_is_told_and_not_read(root: Path, store: Store) -> None:
    write_asset(root, "a/x/1.png", picture("teal"))
    for name in ("a/x/2.png", "a/x/2.png.json", "other.json"):
        with (root / name).open("wb") as huge:
            huge.truncate(6 * 10**9)

    contents = await read_assets(store)

    assert [asset.path for asset in contents.assets] == ["a/x/1.png"]
    assert contents.left_out == [LeftOut("a/x/2.png.json", TOO_LONG)]
    page = await write_gallery(store, contents)
    assert page.endswith("/index.html")
    assert "a/x/1.png" in make_manifest(contents.assets)


async def test_a_deep_sidecar_is_told_and_hides_no_other(root: Path, store: Store) -> None:
    write_asset(root, "a/x/1.png", picture("teal"))
    write_asset(root, "a/x/2.png", picture("teal"))
    deep = json.loads((root / "a/x/2.png.json").read_text()) | {"request": "@"}
    (root / "a/x/2.png.json").write_text(json.dumps(deep).replace('"@"', '{"a":' * 100_000 + "1" + "}" * 100_000))

    contents = await read_assets(store)

    assert [asset.path for asset in contents.assets] == ["a/x/1.png"]
    assert [one.path for one in contents.left_out] == ["a/x/2.png.json"]
    await write_gallery(store, contents)


async def test_so_many_sidecars_are_read_and_the_others_are_told(
    root: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genmedia.provenance.reading.SIDECARS", 2)
    for number in range(4):
        write_asset(root, f"a/x/{number}.png", picture("teal"))

    contents = await read_assets(store)

    assert len(contents.assets) == 2
    assert contents.left_out == [LeftOut("a/x/2.png.json", "it and 1 after it are more than the 2 that are read")]


async def test_sidecars_that_name_each_other_end_nowhere(root: Path, store: Store) -> None:
    for one, other in (("a/x/1.png", "a/y/1.png"), ("a/y/1.png", "a/x/1.png")):
        write_asset(root, one, picture("teal"), inputs=[{"id": "image", "asset": other}])

    lineage = await lineage_of(store)

    (asset,) = lineage.find("a/x/1.png")
    assert tree(lineage.before(asset)) == {"a/x/1.png": [{"a/y/1.png": [{"a/x/1.png again": []}]}]}
    assert tree(lineage.after(asset)) == {"a/x/1.png": [{"a/y/1.png": [{"a/x/1.png again": []}]}]}


async def test_a_file_is_found_by_path_content_and_the_beginning_of_its_hash_also_one_that_only_went_in(
    root: Path, store: Store, tmp_path: Path
) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"photo")
    source = {"id": "image", "sha256": hashlib.sha256(b"photo").hexdigest(), "from": "photo.jpg"}
    digest = write_asset(root, "a/x/1.png", picture("teal"), inputs=[source])

    lineage = await lineage_of(store)

    for name in ("a/x/1.png", str(root / "a/x/1.png"), digest[:6], digest.upper()):
        assert [lineage.before(one).name for one in lineage.find(name)] == ["a/x/1.png"]
    for name in (str(photo), source["sha256"][:8]):
        assert [tree(lineage.after(one)) for one in lineage.find(name)] == [{"photo.jpg": [{"a/x/1.png": []}]}]
    for name in ("a/x/2.png", digest[:5], "", "ffffff"):
        with pytest.raises(SettingsError, match="is no file of the store"):
            lineage.find(name)


async def test_digits_that_begin_several_hashes_are_refused(root: Path, store: Store) -> None:
    for number in (1, 2):
        inputs = [{"id": "image", "sha256": f"{'a' * 63}{number}"}]
        write_asset(root, f"a/x/{number}.png", picture("teal"), inputs=inputs)

    lineage = await lineage_of(store)

    with pytest.raises(SettingsError, match="begins the SHA-256 of 2 files"):
        lineage.find("aaaaaa")


# The list


async def test_the_list_has_a_line_for_each_file_that_is_there(root: Path, store: Store) -> None:
    inputs = [{"id": "image", "sha256": "c" * 64}, {"id": "second", "sha256": "d" * 64, "asset": "a/x/0.png"}]
    digest = write_asset(
        root, "a/x/1.png", picture("teal"), inputs=inputs, request={"technique": "blur"}, warnings=["odd", "old"]
    )
    write_asset(root, "a/x/2.png", picture("red"), inputs=[{"id": "prompt", "text": "a cup\nof tea"}], cost={"unit": "credits"})
    write_asset(root, "a/x/3.png", picture("blue"))
    (root / "a/x/3.png").unlink()

    await write_manifest(store, (await read_assets(store)).assets)

    header, first, second = csv.reader(io.StringIO((root / "manifest.csv").read_text(encoding="utf-8-sig")))
    line = dict(zip(header, first, strict=True))
    assert header == list(COLUMNS)
    assert line["path"] == "a/x/1.png"
    assert (line["kind"], line["type"], line["width"], line["height"], line["sha256"]) == (
        "image",
        "image/png",
        "96",
        "64",
        digest,
    )
    assert (line["account"], line["prompt"], line["inputs"]) == ("default", "", f"{'c' * 64} a/x/0.png")
    assert (line["price"], line["charged"], line["unit"], line["warnings"]) == ("3.0", "3.0", "credits", "odd; old")
    assert "a cup\nof tea" in second
    assert second.count("unknown") == 2  # its price and its cost: an empty cell would be read as nothing


async def test_the_list_says_a_jobs_cost_once_so_that_a_column_adds_up(root: Path, store: Store) -> None:
    for number in (1, 2, 3):
        output = {"id": "banner", "kind": "image", "number": number, "of": 3}
        write_asset(root, f"a/x/{number}.png", picture("teal"), submission_key="e" * 64, output=output)
    write_asset(root, "a/y/4.png", picture("red"), cost={"price": 2.0, "charged": None, "unit": "credits"})
    (root / "a/x/1.png").unlink()

    lines = csv.DictReader(io.StringIO(make_manifest((await read_assets(store)).assets)))

    assert [(one["path"], one["price"], one["charged"]) for one in lines] == [
        ("a/x/2.png", "3.0", "3.0"),
        ("a/x/3.png", "", ""),
        ("a/y/4.png", "2.0", "unknown"),
    ]


async def test_files_are_listed_as_they_were_asked_for_whatever_was_done_first(root: Path, store: Store) -> None:
    for minute, (prompt, seed) in enumerate([(2, 1), (1, 2), (2, 2), (1, 1)]):
        where = [{"name": "prompt", "number": prompt, "value": "cup"}, {"name": "seed", "number": seed, "value": "7"}]
        write_asset(root, f"sheet/{9 - minute}/{prompt}{seed}.png", picture("teal"), times=times(minute), place=where)
    write_asset(root, "sheet/0/old.png", picture("teal"), times=times(9))

    listed = in_order((await read_assets(store)).assets)

    assert [Path(one.path).stem for one in listed] == ["old", "11", "12", "21", "22"]


@pytest.mark.parametrize("before", ["", " ", "\n", "\r\n", "\t", "\u00a0", "\u200b", "\ufeff", "\n \t"])
@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\uff1d1", "\uff0b1", "\uff0d1", "\uff20SUM(A1)", "\ufe661"])
async def test_a_text_that_a_spreadsheet_would_run_is_made_harmless(root: Path, store: Store, before: str, text: str) -> None:
    told = before + text
    write_asset(root, "a/x/1.png", picture("teal"), request={"prompt": told}, remote_id=told, warnings=[told])

    (line,) = csv.DictReader(io.StringIO(make_manifest((await read_assets(store)).assets), newline=""))

    for name in ("prompt", "remote id", "warnings"):
        assert line[name].startswith("'")
        assert line[name].endswith(text)


@pytest.mark.parametrize("text", ["a cup = a bowl", "1+1", "", "\n", "'=1", "für Übermut", "日本語"])
async def test_any_other_text_stands_in_the_list_as_it_is(root: Path, store: Store, text: str) -> None:
    write_asset(root, "a/x/1.png", picture("teal"), request={"prompt": text}, remote_id=text)

    (line,) = csv.DictReader(io.StringIO(make_manifest((await read_assets(store)).assets), newline=""))

    assert line["remote id"] == text


async def test_the_list_begins_as_excel_wants_it_for_umlauts(root: Path, store: Store) -> None:
    write_asset(root, "a/x/1.png", picture("teal"), inputs=[{"id": "prompt", "text": "Frühling in Łódź"}])

    await write_manifest(store, (await read_assets(store)).assets)

    content = (root / "manifest.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbfpath,")
    assert "Frühling in Łódź" in content.decode("utf-8-sig")


# The journal


@pytest.fixture
async def journal(root: Path) -> AsyncGenerator[Journal]:
    async with Journal.lease(Place(str(root)).journal_url()) as opened:
        yield opened


async def rebuilt(store: Store, journal: Journal) -> Rebuilt:
    return await rebuild_journal(store, journal)


ORDER = Order(Account("flora", "https://app.flora.ai"), "x", {}, 1, "credits")
KEY = ORDER.key


async def missing(_: str, _size: int | None) -> bool:
    return False


def output(number: int, of: int) -> dict[str, Any]:
    return {"id": f"out-{number}", "kind": "image", "number": number, "of": of}


async def test_the_files_of_a_purchase_are_in_the_order_of_its_outputs(root: Path, store: Store, journal: Journal) -> None:
    for number, colour in ((2, "red"), (1, "teal"), (3, "blue")):
        path = f"a/x/{'zyx'[number - 1]}.png"
        write_asset(
            root, path, picture(colour), submission_key=KEY, output=output(number, 3), request={"prompt": "é", "size": 512}
        )

    assert (await rebuilt(store, journal)).added == 3

    attempt = await journal.live_attempt(KEY)
    assert attempt is not None
    assert (attempt.state, attempt.number, attempt.take, attempt.remote_id) == (AttemptState.STORED, 1, 1, "j57abc")
    assert (attempt.price, attempt.charged, attempt.unit) == (3, 3, "credits")
    assets = await journal.assets(attempt.id)
    assert [asset.output for asset in assets] == ["out-1", "out-2", "out-3"]
    assert [asset.path for asset in assets] == ["a/x/z.png", "a/x/y.png", "a/x/x.png"]
    assert assets[0].sidecar.write() == json.loads((root / "a/x/z.png.json").read_text(encoding="utf-8"))
    assert await journal.owned_jobs("flora|https://app.flora.ai|default") == {"j57abc"}


async def test_the_latest_attempt_answers_for_its_submission_and_the_next_is_counted_on(
    root: Path, store: Store, journal: Journal
) -> None:
    for number in (1, 3, 2):
        write_asset(root, f"a/x/{number}.png", picture("teal"), submission_key=KEY, attempt=number, remote_id=f"job-{number}")

    assert (await rebuilt(store, journal)).added == 3

    attempt = await journal.live_attempt(KEY)
    assert attempt is not None
    assert (attempt.number, attempt.remote_id) == (3, "job-3")
    assert [asset.path for asset in await journal.assets(attempt.id)] == ["a/x/3.png"]
    await journal.write_off("https://app.flora.ai", missing)
    following = await journal.intend(ORDER, datetime.now(UTC))
    assert following is not None
    assert following.number == 4


async def test_what_the_journal_knows_stays_as_it_is(root: Path, store: Store, journal: Journal) -> None:
    running = await journal.intend(ORDER, datetime.now(UTC))
    assert running is not None
    await journal.bind(running, "running")
    write_asset(root, "a/x/1.png", picture("teal"), submission_key=KEY)
    write_asset(root, "a/x/2.png", picture("red"), submission_key=KEY, attempt=2)

    found = await rebuilt(store, journal)

    assert (found.found, found.added, found.passed_over) == (2, 1, {"a/x/1.png": "the journal knows its purchase"})
    attempt = await journal.live_attempt(KEY)
    assert attempt is not None
    assert (attempt.id, attempt.state, attempt.remote_id) == (running.id, AttemptState.BOUND, "running")


async def test_of_two_files_for_one_output_the_later_one_is_the_purchases(root: Path, store: Store, journal: Journal) -> None:
    for minute in (5, 3):
        write_asset(root, f"a/x/{minute}.png", picture("teal"), submission_key=KEY, times=times(minute))

    found = await rebuilt(store, journal)

    assert (found.found, found.added, found.passed_over) == (2, 1, {"a/x/3.png": "a later file is the same output"})


async def test_a_damaged_sidecar_is_counted_and_told(root: Path, store: Store, journal: Journal) -> None:
    write_asset(root, "a/x/1.png", picture("teal"))
    (root / "a/x/1.png.json").write_text("{")

    found = await rebuilt(store, journal)

    assert (found.found, found.added) == (1, 0)
    assert [one.path for one in found.left_out] == ["a/x/1.png.json"]
