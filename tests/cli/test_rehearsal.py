"""`genmedia plan --rehearse`: the whole campaign in a sandbox of its own, with nothing bought."""

import re
from pathlib import Path

from tests.commands import PROJECT, genmedia
from tests.sandboxes import Sandbox

MUGS = """\
campaign: mugs
rows: [{sku: M-1}, {sku: M-2}]
variables: {ground: oak}
max_credits: {genova: 2}
steps:
  - {name: hero, model: nano_banana2, prompt: "{{ row.sku }} on {{ ground }}", review: true}
  - {name: film, model: veo3_fast, prompt: "A push", ratio: landscape, if: "{{ row.sku == 'M-2' }}", references: [{step: hero}]}
deliver: {to: out, names: "{row.sku}-{step}.{ext}"}
"""


def test_a_rehearsal_makes_and_delivers_stand_ins_in_its_own_folder_and_buys_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    account = sandbox.new_account("genova", plan="Pro")
    keys = {f"GENOVA_{value}".upper(): account[value] for value in ("api_key", "base_url", "plan")}
    file = tmp_path / "mugs.yaml"
    file.write_text(MUGS.replace("genova: 2", "genova: 300"))
    words = ("plan", str(file), "--rehearse", "--without-prefect", "--project", str(PROJECT), "--set", "ground=slate")

    done = genmedia(*words, "--folder", str(tmp_path / "try"), **keys)

    assert done.returncode == 0, done.stderr
    told = " ".join(done.stdout.split())
    assert "3 bought" in told
    assert re.search(
        r"This was a rehearsal: nothing is bought. It would cost at most [\d.]+ credits at genova and take about \d+ (s|min), "
        r"as the providers' documents have it under the plans genova Pro\.",
        told,
    )
    assert sandbox.jobs(account) == []
    delivered = {one.name for one in (tmp_path / "try" / "delivery").iterdir()}
    assert {"M-1-hero.png", "M-2-hero.png", "M-2-film.mp4"} <= delivered
    assert (tmp_path / "try" / "store" / "index.html").is_file()
    assert not (tmp_path / "out").exists()


def test_a_rehearsal_of_what_cannot_be_paid_for_says_so(tmp_path: Path) -> None:
    file = tmp_path / "mugs.yaml"
    file.write_text(MUGS)

    done = genmedia("plan", str(file), "--rehearse", "--without-prefect", "--project", str(PROJECT), "--folder", str(tmp_path))

    assert done.returncode == 2
    assert "It cannot be bought so: genova: what is not bought yet would cost" in done.stdout


def test_some_of_the_rows_can_be_rehearsed(tmp_path: Path) -> None:
    (tmp_path / "mugs.yaml").write_text(MUGS)

    words = ("plan", str(tmp_path / "mugs.yaml"), "--rehearse", "--without-prefect", "--project", str(PROJECT), "--row", "M-1")
    done = genmedia(*words, "--folder", str(tmp_path / "try"))

    assert done.returncode == 0, done.stderr
    assert "1 bought" in done.stdout
    assert "M-1-hero.png" in {one.name for one in (tmp_path / "try" / "delivery").iterdir()}


def test_a_rehearsal_saves_no_plan(tmp_path: Path) -> None:
    done = genmedia("plan", "mugs.yaml", "--rehearse", "--out", str(tmp_path / "plan.json"), "--project", str(PROJECT))

    assert done.returncode == 2
    assert "goes with --set, --row, --folder and --without-prefect alone" in done.stderr


def test_a_store_is_no_folder_for_a_rehearsal(tmp_path: Path) -> None:
    (tmp_path / ".genmedia").mkdir()
    (tmp_path / "mugs.yaml").write_text(MUGS)

    words = ("plan", str(tmp_path / "mugs.yaml"), "--rehearse", "--without-prefect", "--project", str(PROJECT))
    done = genmedia(*words, "--folder", str(tmp_path))

    assert done.returncode == 2
    assert "is a store" in done.stderr
    assert not (tmp_path / "store").exists()
