"""What sidecars tell: read or refused with the reason, followed through a store, listed, and made into a journal again."""

import csv
import hashlib
import io
import json
import re
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from genmedia.errors import SettingsError
from genmedia.jobs import Account
from genmedia.journal import AttemptState, Journal, Wish
from genmedia.provenance.lineage import Branch, Lineage
from genmedia.provenance.manifest import COLUMNS, make_manifest, write_manifest
from genmedia.provenance.reading import LeftOut, read_assets
from genmedia.provenance.rebuilding import Rebuilt, rebuild_journal
from genmedia.provenance.sidecar import read_sidecar, schema
from genmedia.store import Place, Store
from tests.library.example_assets import picture, times, write_asset

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
    for name, part in (("inputs[]", "Input"), ("cost", "Cost"), ("times", "Times"), ("output", "Output"), ("file", "File")):
        known |= {f"{name}.{field}" for field in described["$defs"][part]["properties"]}
    assert fields == known - {"inputs", "cost", "times", "output", "file"}


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
    write_asset(root, "a/x/2.png", picture("red"), inputs=[{"id": "prompt", "text": "a cup\nof tea"}])
    write_asset(root, "a/x/3.png", picture("blue"))
    (root / "a/x/3.png").unlink()

    await write_manifest(store, (await read_assets(store)).assets)

    header, first, second = csv.reader(io.StringIO((root / "manifest.csv").read_text(encoding="utf-8")))
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
    assert (line["account"], line["prompt"], line["inputs"]) == ("default", '{"technique": "blur"}', f"{'c' * 64} a/x/0.png")
    assert (line["price"], line["charged"], line["unit"], line["warnings"]) == ("3.0", "3.0", "credits", "odd; old")
    assert "a cup\nof tea" in second


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
async def test_a_text_that_a_spreadsheet_would_run_is_made_harmless(root: Path, store: Store, text: str) -> None:
    write_asset(root, "a/x/1.png", picture("teal"), request={"prompt": text}, remote_id=text, warnings=[text])

    (line,) = csv.DictReader(io.StringIO(make_manifest((await read_assets(store)).assets), newline=""))

    assert (line["prompt"], line["remote id"], line["warnings"]) == (f"'{text}",) * 3


# The journal


@pytest.fixture
async def journal(root: Path) -> AsyncGenerator[Journal]:
    async with Journal.lease(Place(str(root)).journal_url()) as opened:
        yield opened


async def rebuilt(store: Store, journal: Journal) -> Rebuilt:
    return await rebuild_journal(store, journal)


KEY = "ab" * 32


async def missing(_: str) -> bool:
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
    assert assets[0].sidecar == json.loads((root / "a/x/z.png.json").read_text(encoding="utf-8"))
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
    following = await journal.intend(Wish(KEY, "a", "x", {}, 1, 1, "credits"), datetime.now(UTC))
    assert following is not None
    assert following.number == 4


async def test_what_the_journal_knows_stays_as_it_is(root: Path, store: Store, journal: Journal) -> None:
    account = Account("flora", "https://app.flora.ai")
    running = await journal.intend(Wish(KEY, str(account), "x", {}, 1, 1, "credits"), datetime.now(UTC))
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
