"""What the commands say of a store and a journal of before the house was rebuilt is what they said then."""

import json
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from genmedia.cli.app import app
from tests.golden import copy_store, expected

Say = Callable[..., str]

COMMANDS = {
    "ledger.txt": ["ledger"],
    **{
        f"ledger-by-{by}.json": ["ledger", "--by", by, "--json"]
        for by in ("day", "campaign", "provider", "operation", "account", "client")
    },
    "ledger-each.csv": ["ledger", "--each", "--csv"],
    "manifest.csv": ["manifest"],
    "journal.json": ["journal", "--json"],
    "journal-in-doubt.json": ["journal", "--in-doubt", "--json"],
    "journal-paid-without-file.json": ["journal", "--paid-without-file", "--json"],
    "lineage-of-the-still.txt": ["lineage", "launch/still/output_image.jpg"],
    "lineage-of-the-cup.txt": ["lineage", "launch/cup/result.png"],
    "lineage-of-the-cup.json": ["lineage", "launch/cup/result.png", "--json"],
    "lineage-of-the-icons.json": ["lineage", "launch/icons/icon_sheet.png", "--json"],
    "lineage-of-the-lighter-model.json": ["lineage", "models/01-cup-2-model_optimize/model.glb", "--json"],
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the store."""
    return copy_store(tmp_path)


@pytest.fixture
def say(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs a command on the store, as it was run then, and returns what it prints."""
    for name in ("GENMEDIA_TIME_ZONE", "GENMEDIA_JOURNAL_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "DO_NOT_TRACK"):  # commands set them where nobody has
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("COLUMNS", "120")

    def run(*words: str) -> str:
        code = app([*words, "--folder", str(root)], exit_on_error=False, result_action="return_value")
        out, err = capsys.readouterr()
        assert (code or 0, err) == (0, "")
        return out

    return run


def _rows(root: Path, table: str, columns: Iterable[str] = "*") -> list[dict[str, Any]]:
    with closing(sqlite3.connect(root / ".genmedia" / "journal.db")) as journal:
        journal.row_factory = sqlite3.Row
        return sorted((dict(row) for row in journal.execute(f"SELECT {', '.join(columns)} FROM {table}")), key=repr)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_of_an_old_store_what_it_said_then(say: Say, name: str) -> None:
    assert say(*COMMANDS[name]).splitlines() == expected(name).splitlines()


def test_the_gallery_of_an_old_store_shows_what_it_showed_then(say: Say, root: Path) -> None:
    say("gallery")

    text = (root / ".genmedia" / "gallery-data.js").read_text(encoding="utf-8")
    data = json.loads(json.loads(text.removeprefix("globalThis.galleryData = ").rstrip().rstrip(";")))
    assert data == json.loads(expected("gallery.json"))


def test_a_journal_made_again_from_the_sidecars_of_an_old_store_holds_what_it_held_then(say: Say, root: Path) -> None:
    (root / ".genmedia" / "journal.db").unlink()

    told = say("journal", "rebuild")

    assert told == expected("journal-rebuild.txt")
    kept: dict[str, list[dict[str, Any]]] = json.loads(expected("rebuilt-journal.json"))
    for table, rows in kept.items():
        assert _rows(root, table, rows[0]) == sorted(rows, key=repr), table
    for asset in _rows(root, "assets", ["path", "sidecar"]):
        forgotten = asset["path"].startswith(".genmedia/forgotten/")
        sidecar = json.loads((root / (asset["path"] if forgotten else f"{asset['path']}.json")).read_bytes())
        assert json.loads(asset["sidecar"]) == sidecar | {"file": sidecar["file"] | {"path": asset["path"]}}


def test_what_an_old_journal_knows_stays_as_it_is_whatever_its_sidecars_tell(say: Say, root: Path) -> None:
    tables = ("submissions", "attempts", "assets", "uses", "interests")
    before = {table: _rows(root, table) for table in tables}

    told = say("journal", "rebuild")

    assert told.startswith("21 sidecars found, 0 added to the journal, 21 passed over\n")
    for table, rows in before.items():
        assert _rows(root, table, rows[0]) == rows, table
