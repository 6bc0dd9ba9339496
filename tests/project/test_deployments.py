"""prefect.yaml and the rooms agree, and bootstrap can be run as often as one likes."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.client.orchestration import get_client
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema

from blocks import AssetStore, FloraCredentials, GenovaCredentials, load_block
from deployments.bootstrap import BLOCK_TYPES, CREDENTIALS, WORK_POOL, bootstrap, credentials_from, store_from
from genmedia.cli.project import find_project
from genmedia.errors import SettingsError
from genmedia.store import Place

PROJECT = Path(__file__).parents[2]
ENVIRONMENT = {
    "FLORA_API_KEY": "sk_live_x",
    "FLORA_BASE_URL": "http://127.0.0.1:4280/flora",
    "GENOVA_API_KEY": "af_x",
    "GENOVA_PLAN": "Pro",
}
DECLARED: dict[str, Any] = yaml.safe_load((PROJECT / "prefect.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("deployment", DECLARED["deployments"], ids=lambda one: one["name"])
def test_every_entrypoint_loads_and_takes_its_parameters(deployment: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)

    flow: Flow[..., Any] = load_flow_from_entrypoint(deployment["entrypoint"], use_placeholder_flow=False)

    flow.validate_parameters(deployment["parameters"])


@pytest.mark.parametrize("deployment", DECLARED["deployments"], ids=lambda one: one["name"])
def test_every_field_of_every_form_has_a_help_text(deployment: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    flow: Flow[..., Any] = load_flow_from_entrypoint(deployment["entrypoint"], use_placeholder_flow=False)

    schema = parameter_schema(flow)

    forms = {"": schema.properties, **{name: model.get("properties", {}) for name, model in schema.definitions.items()}}
    bare = [
        f"{form}.{field}" for form, fields in forms.items() for field, about in fields.items() if not about.get("description")
    ]
    assert bare == []


def test_every_deployment_runs_in_the_pool_that_bootstrap_makes() -> None:
    assert {deployment["work_pool"]["name"] for deployment in DECLARED["deployments"]} == {WORK_POOL}


@pytest.mark.usefixtures("prefect")
async def test_bootstrap_registers_saves_and_can_be_repeated(tmp_path: Path) -> None:
    for _ in range(2):
        await bootstrap(name="repeated", store={"root": str(tmp_path)}, credentials=credentials_from(ENVIRONMENT, "repeated"))

    credentials, store = await load_block(FloraCredentials, "repeated"), await load_block(AssetStore, "repeated")
    assert credentials.api_key.get_secret_value() == "sk_live_x"
    assert str(credentials.payer) == "flora|http://127.0.0.1:4280|repeated"
    genova = await load_block(GenovaCredentials, "repeated")
    assert (genova.plan, str(genova.payer)) == ("Pro", "genova|https://autoflow-api.aboessa101.workers.dev|repeated")
    assert store.place.folder == tmp_path
    async with get_client() as client:
        pool = await client.read_work_pool(WORK_POOL)
    assert pool.type == "process"


@pytest.mark.usefixtures("prefect")
async def test_bootstrap_without_a_key_leaves_saved_credentials_alone(tmp_path: Path) -> None:
    await bootstrap(
        name="kept", store={"root": str(tmp_path)}, credentials=credentials_from({"FLORA_API_KEY": "sk_live_kept"}, "kept")
    )

    done = await bootstrap(name="kept", store={"root": str(tmp_path)})

    assert "flora-credentials block kept: left as it is; set FLORA_API_KEY to save it" in done
    assert (await load_block(FloraCredentials, "kept")).api_key.get_secret_value() == "sk_live_kept"


@pytest.mark.usefixtures("prefect")
async def test_bootstrap_changes_of_a_saved_store_only_what_it_is_told(tmp_path: Path) -> None:
    secrets = {"s3_secret": "planted", "journal": "sqlite:////srv/journal.db"}
    await AssetStore.model_validate({"root": "s3://bucket/media", "s3_key": "mine", "max_asset_mb": 7, **secrets}).asave("own")

    untold = await bootstrap(name="own")
    kept = await load_block(AssetStore, "own")
    await bootstrap(name="own", store=store_from({"GENMEDIA_STORE": str(tmp_path), "GENMEDIA_STORE_S3_REGION": "eu-west-1"}))
    changed = await load_block(AssetStore, "own")

    assert "Asset Store block own: s3://bucket/media" in untold
    assert kept.place == Place("s3://bucket/media", key="mine", secret="planted")
    assert changed.place == Place(str(tmp_path), key="mine", secret="planted", region="eu-west-1")
    for block in (kept, changed):
        assert (block.max_asset_mb, block.journal.get_secret_value()) == (7, "sqlite:////srv/journal.db")


@pytest.mark.usefixtures("prefect")
async def test_a_store_that_will_not_last_puts_the_saved_one_aside_until_it_is_brought_back() -> None:
    own = AssetStore.model_validate({"root": "s3://bucket/media", "s3_secret": "planted", "s3_encryption": "aws:kms"})
    await own.asave("aside")
    for port in ("1", "2"):  # the first was not ended in order
        passing = {"root": "s3://genmedia/media", "s3_endpoint": f"http://127.0.0.1:{port}", "journal": "sqlite:////tmp/j.db"}
        await bootstrap(name="aside", store=passing, passing=True)
        await bootstrap(name="aside")
        there = await load_block(AssetStore, "aside")
        assert there.place == Place("s3://genmedia/media", endpoint=f"http://127.0.0.1:{port}")

    for _ in range(2):
        await bootstrap(name="aside", passing=False)
        back = await load_block(AssetStore, "aside")
        assert (back.place, back.journal.get_secret_value()) == (own.place, "")


@pytest.mark.usefixtures("prefect")
async def test_a_store_whose_address_is_mistyped_is_not_saved(tmp_path: Path) -> None:
    await bootstrap(name="typed", store={"root": str(tmp_path)})

    for wrong in ({"root": "s3:/bucket"}, {"root": "s3://bucket", "s3_endpoint": "localhost:9000"}):
        with pytest.raises(SettingsError):
            await bootstrap(name="typed", store=wrong)

    assert (await load_block(AssetStore, "typed")).place == Place(str(tmp_path))


@pytest.mark.parametrize("kind", BLOCK_TYPES, ids=lambda kind: kind.__name__)
def test_every_block_type_meets_the_standards_of_prefect(kind: type[Any]) -> None:
    """Prefect's own suite for block types, without the download of the icon that it makes."""
    assert kind.get_description()
    assert str(kind._documentation_url).startswith("https://")
    assert str(kind._logo_url).endswith(".png")
    assert "```python" in (kind.get_code_example() or "")
    assert kind._block_type_slug == kind.get_block_type_slug()
    for name, field in kind.model_fields.items():
        assert field.description, name


@pytest.mark.parametrize("kind", CREDENTIALS.values(), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(
    "address", ["http://app.flora.ai", "ftp://127.0.0.1", "app.flora.ai", "https://user:hunter2@app.flora.ai"]
)
def test_credentials_refuse_an_address_that_a_key_may_not_go_to(kind: type[Any], address: str) -> None:
    with pytest.raises((ValueError, SettingsError), match="cannot be a base URL") as refused:
        kind(api_key="sk_live_x", base_url=address)

    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("kind", CREDENTIALS.values(), ids=lambda kind: kind.__name__)
def test_a_key_is_in_no_text_form_of_its_block(kind: type[Any]) -> None:
    credentials = kind(api_key="sk_live_planted")

    assert "planted" not in f"{credentials!r} {credentials} {credentials.model_dump()} {credentials.model_dump_json()}"


def test_a_project_is_found_upwards_and_a_foreign_room_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT / "flows")
    assert find_project().folder == PROJECT

    (tmp_path / "prefect.yaml").write_text("deployments: []\n")
    (tmp_path / "flows").mkdir()
    with pytest.raises(SettingsError, match=r"flows\.technique_chain comes from .*, not from"):
        find_project(tmp_path).load("flows/technique_chain.py:technique_chain")


def test_where_only_the_wheel_is_installed_a_command_says_what_to_clone(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "genmedia", "demo"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": ""},
    )

    assert done.returncode == 2
    assert done.stderr.startswith("genmedia: there is no genmedia project at ")
    assert "Clone the genmedia repository" in done.stderr
