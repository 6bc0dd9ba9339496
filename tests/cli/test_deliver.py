"""`genmedia deliver`, as it is typed."""

import csv
import json
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from PIL import Image

from tests.buckets import Buckets
from tests.commands import genmedia
from tests.example_assets import picture, write_asset


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store with two pictures and a text of one campaign."""
    root = tmp_path / "media"
    for step, colour in (("hero", "teal"), ("ground", "red")):
        write_asset(root, f"mugs/{step}/a.png", picture(colour), labels={"client": "Acme"}, request={"prompt": f"a {colour} mug"})
    write_asset(root, "mugs/words/a.txt", b"a mug", "text/plain", labels={"client": "Acme"})
    return root


def deliver(folder: Path, *words: str, to: str = "out", **environment: str) -> CompletedProcess[str]:
    """Deliver from the folder above the store, with neither Prefect nor a project."""
    return genmedia(
        "deliver", "mugs", "--folder", str(folder), "--to", to, *words, cwd=folder.parent, PREFECT_API_URL="", **environment
    )


def test_files_are_named_and_what_was_done_is_told(folder: Path) -> None:
    words = ("--names", "{client}/{step}.{ext}", "--creator", "Acme", "--zip")

    first, second = deliver(folder, *words), deliver(folder, *words)

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert sorted(first.stdout.splitlines()[:4]) == [
        "copied     Acme/ground.png",
        "copied     Acme/hero.png",
        "copied     Acme/words.txt",
        "note       Acme/words.txt: text/plain holds no label",
    ]
    assert first.stdout.splitlines()[4:] == [
        f"3 copied, 0 changed, 0 left as they are: mugs in {folder.parent / 'out'}",
        "index.html shows them, manifest.json lists them, mugs.zip",
    ]
    assert second.stdout.splitlines()[0] == f"0 copied, 0 changed, 3 left as they are: mugs in {folder.parent / 'out'}"
    assert (first.stderr, second.stderr) == ("", "")
    out = folder.parent / "out"
    assert {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()} == {
        *("Acme/hero.png", "Acme/ground.png", "Acme/words.txt"),
        *("index.html", "manifest.csv", "manifest.json", "mugs.zip"),
    }


def test_what_people_rejected_is_not_delivered(folder: Path) -> None:
    told = genmedia("reject", "mugs/hero", "--why", "no handle", "--folder", str(folder), "--as", "Ann")

    done = deliver(folder, "--names", "{step}.{ext}")

    assert (told.returncode, done.returncode) == (0, 0), told.stderr + done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("copied")] == [
        "copied     ground.png",
        "copied     words.txt",
    ]


def test_a_dry_run_writes_nothing_and_json_tells_all(folder: Path) -> None:
    foreseen = deliver(folder, "--dry-run", "--format", "jpg", "--format", "webp", "--max-side", "48", "--step", "hero")
    assert "would be copied   hero-1-1.jpg\nwould be copied   hero-1-1.webp\n" in foreseen.stdout
    assert not (folder.parent / "out").exists()

    done = deliver(folder, "--json", "--format", "jpg", "--max-side", "48", "--title", "{{ step|title }}", "--step", "hero")

    told = json.loads(done.stdout)
    assert (told["copied"], told["faults"], told["dry_run"]) == (["hero-1-1.jpg"], [], False)
    with Image.open(folder.parent / "out/hero-1-1.jpg") as shown:
        assert shown.size == (48, 32)
    with (folder.parent / "out/manifest.csv").open(encoding="utf-8-sig", newline="") as file:
        (line,) = csv.DictReader(file)
    assert (line["title"], line["client"], line["prompt"], line["width"]) == ("Hero", "Acme", "a teal mug", "48")


def test_what_a_colleague_rejected_in_the_gallery_is_withdrawn_and_pruned(folder: Path) -> None:
    deliver(folder)
    told = json.loads((folder / "mugs/hero/a.png.json").read_text())
    mark = {"mark": "reject", "path": "mugs/hero/a.png", "sha256": told["file"]["sha256"], "output": told["output"]["id"]}
    marks = {"marks": 1, "made": "2026-01-01T00:00:00Z", "assets": [{**mark, "submission_key": told["submission_key"]}]}
    (folder.parent / "marks.json").write_text(json.dumps(marks))

    kept = deliver(folder, "--marks", "marks.json")
    assert "withdrawn  hero-1-1.png" in kept.stdout
    assert "1 withdrawn (--prune removes them)" in kept.stdout
    assert (folder.parent / "out/hero-1-1.png").exists()
    pruned = deliver(folder, "--marks", "marks.json", "--prune")

    assert "pruned     hero-1-1.png" in pruned.stdout
    assert not (folder.parent / "out/hero-1-1.png").exists()


def test_a_file_that_cannot_be_delivered_is_told_and_the_exit_code_says_so(folder: Path) -> None:
    (folder / "mugs/hero/a.png").write_bytes(picture("blue"))

    done = deliver(folder)

    assert done.returncode == 1
    assert "fault      hero-1-1.png: mugs/hero/a.png was changed in the store after it was stored" in done.stdout
    assert "2 copied, 0 changed, 0 left as they are, 1 not delivered" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--names", "{step}/{colour}.{ext}"], 2, "names colour, which is not there; there are account, campaign, "),
        (["--names", "{client}.{ext}"], 2, "these tell them apart: {step} ("),
        (["--names", "../{step}.{ext}"], 2, "has to be a name"),
        (["--title", "{{ colour }}"], 2, "the title '{{ colour }}': for mugs/"),
        (["--max-side", "0"], 2, "--max-side: is 0; it can be from 1 to 8192"),
        (["--step", "nowhere"], 2, "The steps are "),
        (["--marks", "nowhere.json"], 2, "nowhere.json: cannot be read"),
        (["--to", "media/mugs"], 2, "is not apart from the store"),
        (["--to", "s3:nowhere"], 2, "names no bucket"),
        (["--to", "nosuch://nowhere"], 2, "cannot be a store"),
        (["--to", "sftp://me:secret@host/out"], 2, "has a password in it"),
        (["--to", "media/mugs/hero/a.png.json/x"], 2, "is not apart from the store"),
        (["--to", "file/x"], 1, "cannot be written"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_written(folder: Path, words: list[str], code: int, told: str) -> None:
    (folder.parent / "file").write_text("")

    done = deliver(folder, *words) if words[0] != "--to" else deliver(folder, to=words[1])

    assert done.returncode == code, done.stdout + done.stderr
    assert told in done.stderr
    assert "secret@" not in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder.parent / "out").exists()


def test_a_bucket_takes_the_keys_of_the_environment(folder: Path, buckets: Buckets) -> None:
    place = buckets.new()
    keys = {"GENMEDIA_DELIVERY_S3_ENDPOINT": place.endpoint, "GENMEDIA_DELIVERY_S3_KEY": place.key}

    done = deliver(folder, to=place.root, **keys, GENMEDIA_DELIVERY_S3_SECRET=place.secret)
    again = deliver(folder, to=place.root, **keys, GENMEDIA_DELIVERY_S3_SECRET=place.secret)
    refused = deliver(folder, to=place.root, **keys, GENMEDIA_DELIVERY_S3_SECRET="wrong")

    assert (done.returncode, again.returncode, refused.returncode) == (0, 0, 1), done.stderr
    assert f"3 copied, 0 changed, 0 left as they are: mugs in {place.root}" in done.stdout
    assert "0 copied, 0 changed, 3 left as they are" in again.stdout
    assert "the keys that GENMEDIA_DELIVERY_S3_KEY" in refused.stderr
    assert "Traceback" not in refused.stderr
