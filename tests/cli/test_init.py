"""`genmedia init`: a first campaign's file, of what a person has."""

import json
import shutil
from pathlib import Path

import jsonschema
import pytest
import yaml

from tests.commands import PROJECT, genmedia
from tests.sandboxes import Sandbox

TABLE = "\ufeffSKU;Product name;ground\nM-1;Mug, blue;oak\nM-2;„Vase“;slate\n"


def test_a_first_file_of_a_folder_of_photos_or_of_a_table_plans_without_a_fault(sandbox: Sandbox, tmp_path: Path) -> None:
    account = sandbox.new_account("genova")
    keys = {f"GENOVA_{value}".upper(): account[value] for value in ("api_key", "base_url", "plan")}
    photos = tmp_path / "our [photos]"
    photos.mkdir()
    shutil.copy(PROJECT / "photos" / "coffee.jpg", photos / "coffee.jpg")
    shutil.copy(PROJECT / "photos" / "astronaut.jpg", photos / "an astronaut.jpg")
    (photos / "notes.txt").write_text("x")
    (tmp_path / "mugs.csv").write_text(TABLE)

    for given, told, campaign in (("our [photos]", "2 photos", "our-photos"), ("mugs.csv", "2 rows", "mugs")):
        out = tmp_path / f"{campaign}.yaml"
        made = genmedia("init", given, "--out", out.name, "--project", str(PROJECT), cwd=tmp_path)
        options = ("--without-prefect", "--folder", str(tmp_path / "store"), "--project", str(PROJECT))
        planned = genmedia("plan", str(out), "--json", *options, **keys)

        assert made.stdout == f"Wrote {out.name} of {told}. Next, which buys nothing: genmedia plan {out.name}\n", made.stderr
        assert planned.returncode == 10, planned.stderr
        assert [one["outlook"] for one in json.loads(planned.stdout)["items"]] == ["to buy"] * 4 + ["to make"] * 4
        written = out.read_text(encoding="utf-8")
        assert written.startswith(f"# yaml-language-server: $schema={PROJECT / 'docs' / 'campaign.schema.json'}\n")
        schema = json.loads((PROJECT / "docs" / "campaign.schema.json").read_text(encoding="utf-8"))
        jsonschema.validate(yaml.safe_load(written), schema)
        assert yaml.safe_load(written)["campaign"] == campaign


def test_the_columns_of_a_table_stand_in_the_first_prompt(tmp_path: Path) -> None:
    (tmp_path / "mugs.csv").write_text(TABLE)

    genmedia("init", "mugs.csv", "--project", str(PROJECT), cwd=tmp_path)

    (hero, _) = yaml.safe_load((tmp_path / "campaign.yaml").read_text(encoding="utf-8"))["steps"]
    assert hero["prompt"].startswith('{{ row.SKU }}, {{ row["Product name"] }}, {{ row.ground }} on {{ background }}')


def test_a_file_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "mugs.csv").write_text(TABLE)
    (tmp_path / "campaign.yaml").write_text("mine")

    done = genmedia("init", "mugs.csv", "--project", str(PROJECT), cwd=tmp_path)

    assert done.returncode == 2
    assert "campaign.yaml: is there already, and nothing is written over it; --out names another file" in done.stderr
    assert (tmp_path / "campaign.yaml").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("gone", "gone: cannot be read: No such file or directory"),
        ("empty", "empty: has no photo; those end with .jpg"),
        ("gone.csv", "gone.csv cannot be read: No such file or directory"),
        ("twice.csv", "twice.csv:3: has the sku a, as twice.csv:2 has"),
    ],
)
def test_what_cannot_be_begun_with_is_told_and_nothing_is_written(tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "twice.csv").write_text("sku\na\na\n")

    done = genmedia("init", name, "--project", str(PROJECT), cwd=tmp_path)

    assert done.returncode == 2
    assert told in done.stderr
    assert not (tmp_path / "campaign.yaml").exists()


def test_a_file_with_a_space_in_its_name_in_a_folder_that_is_not_there_yet_is_written_with_commands_that_can_be_typed(
    tmp_path: Path,
) -> None:
    (tmp_path / "mugs.csv").write_text("sku\nM-1\n")

    made = genmedia("init", "mugs.csv", "--out", "new/our mugs.yaml", "--project", str(PROJECT), cwd=tmp_path)

    written = (tmp_path / "new" / "our mugs.yaml").read_text(encoding="utf-8")
    assert made.stdout.startswith("Wrote new/our mugs.yaml of 1 row."), made.stderr
    assert "genmedia plan 'new/our mugs.yaml' --set light=evening" in written
    assert yaml.safe_load(written)["rows"] == "../mugs.csv"
