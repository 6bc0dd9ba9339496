"""The commands that tell where files came from, as they are typed."""

import csv
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.checkouts import make_checkout
from tests.commands import PROJECT, genmedia, genmedia_anew, genmedia_on_a_full_disk
from tests.example_assets import picture, write_asset


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store in which a picture was made of a text, and a second one of the first."""
    root = tmp_path / "media"
    words = "a cup of tea, " * 10
    digest = write_asset(root, "tea/cup/1.png", picture("teal"), inputs=[{"id": "prompt", "text": words}])
    write_asset(
        root,
        "tea/blur/2.png",
        picture("red"),
        take=2,
        inputs=[{"id": "image", "sha256": digest, "asset": "tea/cup/1.png"}],
        cost={"price": 1.0, "charged": 1.0, "unit": "credits"},
    )
    return root


def test_the_lineage_is_shown_as_trees_and_needs_neither_prefect_nor_a_project(folder: Path) -> None:
    done = genmedia("lineage", str(folder / "tea/cup/1.png"), "--folder", "media", cwd=folder.parent, PREFECT_API_URL="")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "tea/cup/1.png  flora technique:studio-blur, 3 credits",
        "made of",
        f"└── prompt: {('a cup of tea, ' * 10)[:100]}…",
        "went into",
        "└── image: tea/blur/2.png  flora technique:studio-blur, take 2, 1 credit",
    ]


def test_the_lineage_as_json_is_whole(folder: Path) -> None:
    done = genmedia("lineage", "tea/blur/2.png", "--folder", str(folder), "--json")

    (told,) = json.loads(done.stdout)
    (cup,) = told["made_of"]["branches"]
    assert (cup["kind"], cup["name"], cup["input"]) == ("asset", "tea/cup/1.png", "image")
    assert cup["branches"][0]["name"] == "a cup of tea, " * 10
    assert told["went_into"]["branches"] == []


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["lineage", "nowhere.png", "--folder", "media"], 2, "nowhere.png is no file of the store"),
        (["lineage", "x", "--folder", "nowhere"], 2, "nowhere is no folder"),
        (["manifest", "--folder", "media", "--output", "nowhere/list.csv"], 2, "nowhere/list.csv cannot be written"),
        (["manifest", "--project", str(PROJECT), "--store", "studio"], 3, "no Prefect server"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(folder: Path, words: list[str], code: int, told: str) -> None:
    done = genmedia(*words, cwd=folder.parent, PREFECT_API_URL="")

    assert done.returncode == code
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_a_server_a_command_is_about_the_projects_own_store_and_says_so(folder: Path, tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "checkout")
    own = folder.rename(checkout / "media")

    def typed(*words: str, run: Callable[..., CompletedProcess[str]] = genmedia) -> str:
        done = run(*words, cwd=checkout, PREFECT_API_URL="", PREFECT_HOME=str(tmp_path / "prefect"))
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr == f"genmedia: no Prefect server is named or runs here; this is about {own} alone.\n"
        return done.stdout

    assert "2 added to the journal" in typed("journal", "rebuild", run=genmedia_anew)
    assert typed("journal") == "nothing is open\n"
    assert len(typed("manifest").splitlines()) == 3
    assert "went into" in typed("lineage", "tea/cup/1.png")
    assert typed("gallery") == f"Gallery  {(own / 'index.html').as_uri()}\n"
    assert " is held" in typed("hold", "flora", "--reason", "the key leaked")
    assert "the key leaked" in typed("hold", "--json")
    assert json.loads(typed("ledger", "--json"))["totals"][0]["jobs"] == 2
    assert not list(tmp_path.rglob("prefect.db"))


def test_the_list_goes_to_a_file_or_to_standard_output(folder: Path, tmp_path: Path) -> None:
    shown = genmedia("manifest", "--folder", str(folder)).stdout
    saved = genmedia("manifest", "--folder", str(folder), "--output", str(tmp_path / "list.csv"))

    assert (saved.returncode, saved.stdout) == (0, "")
    lines = list(csv.DictReader(shown.splitlines()))
    assert [line["path"] for line in lines] == ["tea/blur/2.png", "tea/cup/1.png"]
    with (tmp_path / "list.csv").open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.DictReader(file)) == lines


def test_a_list_that_cannot_be_written_is_told(folder: Path) -> None:
    assert genmedia_on_a_full_disk("manifest", "--folder", str(folder)).returncode == 1


def test_the_journal_is_made_again_and_what_is_left_out_is_told(folder: Path) -> None:
    write_asset(folder, "tea/odd/3.png", picture("blue"), sidecar=2)

    first = genmedia("journal", "rebuild", "--folder", str(folder))
    second = genmedia("journal", "rebuild", "--folder", str(folder))

    odd = "  tea/odd/3.png.json: it is a sidecar of version 2, written by genmedia 0.1.0; this one reads up to 1"
    assert first.returncode == second.returncode == 1
    assert first.stdout.splitlines() == ["3 sidecars found, 2 added to the journal, 1 passed over", odd]
    assert second.stdout.splitlines() == [
        "3 sidecars found, 0 added to the journal, 3 passed over",
        "  2: the journal knows its purchase",
        odd,
    ]
    with closing(sqlite3.connect(folder / ".genmedia" / "journal.db")) as connection:
        assert connection.execute("SELECT count(*) FROM attempts WHERE state = 'stored'").fetchone() == (2,)


def test_a_file_is_forgotten_only_once_a_person_says_so(folder: Path) -> None:
    where = ("--folder", str(folder))
    unknown = genmedia("forget", "tea/cup/1.png", *where)
    genmedia("journal", "rebuild", *where)
    genmedia("gallery", *where)

    unsaid = genmedia("forget", "tea/cup/1.png", *where)
    assert (folder / "tea/cup/1.png").exists()
    said = genmedia("forget", str(folder / "tea/cup/1.png"), "--yes", *where)
    again = genmedia("forget", "tea/cup/1.png", "--yes", *where)

    assert (unknown.returncode, unsaid.returncode, said.returncode, again.returncode) == (2, 2, 0, 2)
    assert "Run `genmedia journal rebuild` first" in unknown.stderr
    assert "Say it with --yes." in unsaid.stderr
    assert [line for line in unsaid.stdout.splitlines() if not line.startswith("stays  its keys")] == [
        "goes   tea/cup/1.png",
        "goes   tea/cup/1.png.json",
        "anew   index.html",
        "goes   its prompt, the texts and names of its inputs and the provider's last answer in the journal",
        "stays  tea/blur/2.png: made of it",
    ]
    assert said.stdout.splitlines()[-1] == "tea/cup/1.png is forgotten: it is neither fetched nor bought again"
    assert not [path for path in folder.rglob("*") if path.is_file() and b"a cup of tea" in path.read_bytes()]
    assert "1 sidecars found" not in genmedia("journal", "rebuild", *where).stdout
