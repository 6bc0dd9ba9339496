"""prefect.yaml and the rooms agree, and bootstrap can be run as often as one likes."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools import validate
from pydantic import SecretStr

from blocks import AssetStore, FloraCredentials, GenovaCredentials, load_block
from blocks.credentials import ProviderCredentials
from deployments.bootstrap import (
    BLOCK_TYPES,
    CREDENTIALS,
    RUNS_AT_ONCE,
    SANDBOX,
    WORK_POOL,
    bootstrap,
    credentials_from,
    is_of,
    store_from,
)
from deployments.forms import with_lists
from genmedia.cli.project import find_project
from genmedia.errors import SettingsError
from genmedia.store import Place
from tests.commands import python_module
from tests.prefects import give_tables, running_prefect

PROJECT = Path(__file__).parents[3]
ENVIRONMENT = {
    "FLORA_API_KEY": "sk_live_x",
    "FLORA_BASE_URL": "http://127.0.0.1:4280/flora",
    "GENOVA_API_KEY": "af_x",
    "GENOVA_PLAN": "Pro",
}
EVERY_FIELD = {
    "root": "s3://bucket/media",
    "path_template": "{campaign}/{name}.{ext}",
    "max_asset_mb": 7,
    "if_refused": "go on",
    "embed_provenance": True,
    "journal": "sqlite:////srv/journal.db",
    "s3_key": "mine",
    "s3_secret": "planted",
    "s3_endpoint": "http://localhost:9000",
    "s3_region": "eu-west-1",
    "s3_encryption": "AES256",
    "s3_kms_key": "the-kms-key",
    "options": '{"anon": true}',
}
"""Of an Asset Store."""
DECLARED: dict[str, Any] = yaml.safe_load((PROJECT / "prefect.yaml").read_text(encoding="utf-8"))
PRESETS: list[dict[str, Any]] = DECLARED["deployments"] + DECLARED["presets"]


@pytest.mark.parametrize("preset", PRESETS, ids=lambda one: one["name"])
def test_every_entrypoint_loads_and_takes_its_parameters(preset: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)

    flow: Flow[..., Any] = load_flow_from_entrypoint(preset["entrypoint"], use_placeholder_flow=False)

    flow.validate_parameters(preset["parameters"])


@pytest.mark.parametrize("preset", PRESETS, ids=lambda one: one["name"])
def test_every_field_of_every_form_has_a_title_a_help_text_and_an_example_or_a_default(
    preset: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(PROJECT)
    flow: Flow[..., Any] = load_flow_from_entrypoint(preset["entrypoint"], use_placeholder_flow=False)

    schema = parameter_schema(flow)  # as `prefect deploy` does

    forms = {"": schema.properties, **{name: model.get("properties", {}) for name, model in schema.definitions.items()}}
    for form, fields in forms.items():
        for name, about in fields.items():
            shown = {**schema.definitions.get(about.get("$ref", "").rpartition("/")[2], {}), **about}
            place = f"{form}.{name}"
            assert shown["title"].strip() not in ("", name), place
            assert len(shown["description"]) > 10, place
            example = "Example: " in shown["description"]
            assert example or shown.get("default") or _is_chosen(shown), place
            assert shown.get("default", "") is not None, place
            assert {"type": "null"} not in shown.get("anyOf", []), f"{place} is a switch between a value and none"


def _is_chosen(shown: dict[str, Any]) -> bool:
    """Whether a field offers what it may be, or is a form of its own."""
    return any(name in shown for name in ("enum", "items", "properties", "oneOf")) or shown.get("type") == "boolean"


def test_what_is_null_in_a_form_of_before_is_still_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    flow: Flow[..., Any] = load_flow_from_entrypoint("flows/campaign.py:campaign", use_placeholder_flow=False)
    step = {"name": "a", "base_model": "stable", "prompt": "a cup", "seed": None, "width": None}
    caps = {"flora": None, "genova": 5}
    given = {"campaign": {"name": "c", "steps": [step]}, "max_credits": caps, "max_usd": None, "labels": {"team": "c7"}}

    validate(given, parameter_schema(flow).model_dump_for_openapi(), raise_on_error=True)  # as Prefect's server does
    assert flow.validate_parameters(given)["max_usd"] is None


def test_a_form_offers_what_a_provider_lists_and_takes_anything_else_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    offered = {"technique": ["studio-blur", "wonder-fy"], "base_models": ["stable"]}

    def listed(entrypoint: str) -> dict[str, Any]:
        flow: Flow[..., Any] = load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)
        schema = parameter_schema(flow).model_dump_for_openapi()
        once = with_lists(schema, offered)
        assert with_lists(once, offered) == once, "it can be done again"
        return once

    chain = listed("flows/technique_chain.py:technique_chain")
    technique = chain["definitions"]["Step"]["properties"]["technique"]
    assert technique["anyOf"][0]["enum"] == ["studio-blur", "wonder-fy"]
    assert technique["title"] == "Technique"
    for slug in ("studio-blur", "brand-new"):
        steps: list[dict[str, Any]] = [{"name": "a", "technique": slug, "inputs": []}]
        validate({"chain": {"name": "c", "steps": steps}}, chain, raise_on_error=True)
    sheet = listed("flows/text_to_image.py:text_to_image")
    assert sheet["properties"]["base_models"]["items"]["anyOf"][0]["enum"] == ["stable"]
    validate({"name": "n", "prompts": ["p"], "base_models": ["new"]}, sheet, raise_on_error=True)


def test_all_deployments_stand_on_one_page_of_prefects_list_and_say_there_what_they_do() -> None:
    deployments = DECLARED["deployments"]
    assert len(deployments) + len(DECLARED["campaigns"]) <= 10
    assert {"coffee", "launch", "products"} <= {one["name"] for one in deployments}
    for one in deployments:
        assert one["description"].endswith(".")
        assert [10 < len(tag) < 20 for tag in one["tags"]] == [True], "the list shows short tags, and no descriptions"


def test_every_deployment_runs_in_the_pool_that_bootstrap_makes() -> None:
    assert {deployment["work_pool"]["name"] for deployment in DECLARED["deployments"]} == {WORK_POOL}


@pytest.mark.usefixtures("bare_prefect")
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


@pytest.mark.usefixtures("bare_prefect")
async def test_bootstrap_without_a_key_leaves_saved_credentials_alone(tmp_path: Path) -> None:
    await bootstrap(
        name="kept", store={"root": str(tmp_path)}, credentials=credentials_from({"FLORA_API_KEY": "sk_live_kept"}, "kept")
    )

    done = await bootstrap(name="kept", store={"root": str(tmp_path)})

    assert "flora-credentials block kept: left as it is; set FLORA_API_KEY to save it" in done
    assert (await load_block(FloraCredentials, "kept")).api_key.get_secret_value() == "sk_live_kept"


@pytest.mark.usefixtures("bare_prefect")
async def test_bootstrap_takes_away_what_was_named_otherwise_before_but_nothing_that_a_person_switched_on(tmp_path: Path) -> None:
    def step(folder: Path) -> list[dict[str, Any]]:
        return [{"prefect.deployments.steps.set_working_directory": {"directory": str(folder)}}]

    async with get_client() as client:
        for entrypoint, name, folder, active in (
            ("image-batch", "still-life", PROJECT, True),
            ("long-video", "teaser", PROJECT, False),
            ("template-run", "model", tmp_path, False),
        ):
            flow_id = await client.create_flow_from_name(entrypoint)
            every = DeploymentScheduleCreate(schedule=CronSchedule(cron="0 6 * * 1"), active=active)
            await client.create_deployment(flow_id, name, pull_steps=step(folder), schedules=[every])

        done = await bootstrap(name="renamed", store={"root": str(tmp_path)})
        left = {one.name for one in await client.read_deployments()}

    assert {"still-life", "model"} <= left
    assert "teaser" not in left
    assert [line for line in done if line.startswith("deployment ")] == [
        "deployment long-video/teaser: taken away, videos is in its place"
    ]


def held(block: Block) -> dict[str, Any]:
    """Every field of a block."""
    return {name: getattr(block, name) for name in type(block).model_fields}


def changed(kind: type[ProviderCredentials]) -> dict[str, Any]:
    """Another value than the default for every field that a person may set, besides the key and the address."""
    values: dict[str, Any] = {}
    for name, field in kind.model_fields.items():
        if name in ("api_key", "base_url"):
            continue
        match field.default:
            case bool():
                values[name] = not field.default
            case list():
                values[name] = ["https://cdn.example.com"]
            case None:
                values[name] = 7.5
            case _:
                known = {"plan": "Business", "if_in_doubt": "abandon", "webhook_url": "https://hooks.example.com/flora"}
                values[name] = known.get(name, f"the-{name}")
    return values


@pytest.mark.usefixtures("bare_prefect")
@pytest.mark.parametrize("prefix", CREDENTIALS)
async def test_a_new_key_changes_nothing_else_of_a_block(prefix: str) -> None:
    kind, name = CREDENTIALS[prefix], f"changed-{prefix.lower()}"
    fields = {"api_key": "sk_live_old", "base_url": "https://proxy.example.com/api", **changed(kind)}
    assert set(fields) == set(kind.model_fields)
    await kind.model_validate(fields).asave(name)

    await bootstrap(name=name, credentials=credentials_from({f"{prefix}_API_KEY": "sk_live_new"}, name))

    block = await load_block(kind, name)
    assert held(block) == held(kind.model_validate(fields | {"api_key": "sk_live_new"}))


@pytest.mark.usefixtures("bare_prefect")
async def test_a_key_of_a_persons_own_takes_neither_address_nor_plan_from_a_sandbox_before_it() -> None:
    there = {"GENOVA_API_KEY": "af_sandbox", "GENOVA_BASE_URL": "http://127.0.0.1:4280/genova", "GENOVA_PLAN": "Business"}
    await bootstrap(name="tried-first", credentials=credentials_from(there, "tried-first"), sandbox=True)

    await bootstrap(name="tried-first", credentials=credentials_from({"GENOVA_API_KEY": "af_own"}, "tried-first"))

    block = await load_block(GenovaCredentials, "tried-first")
    assert held(block) == held(GenovaCredentials(api_key=SecretStr("af_own"), account="tried-first"))


@pytest.mark.usefixtures("bare_prefect")
async def test_the_webhooks_of_a_sandbox_go_with_it_and_stay_while_its_address_does() -> None:
    there = {"FLORA_API_KEY": "sk_live_sandbox", "FLORA_BASE_URL": "http://127.0.0.1:4280/flora"}
    told = {"FLORA_WEBHOOK_URL": "http://127.0.0.1:4290/flora", "FLORA_WEBHOOK_SECRET": "whsec_sandbox"}
    held: list[tuple[str, str]] = []
    for environment in (there | told, there, {"FLORA_API_KEY": "sk_live_own"}):
        await bootstrap(name="told-first", credentials=credentials_from(environment, "told-first"))
        block = await load_block(FloraCredentials, "told-first")
        held.append((block.webhook_url, block.webhook_secret.get_secret_value()))

    assert held == [("http://127.0.0.1:4290/flora", "whsec_sandbox")] * 2 + [("", "")]


@pytest.mark.usefixtures("bare_prefect")
@pytest.mark.parametrize("prefix", CREDENTIALS)
async def test_a_sandbox_takes_the_place_of_no_key_but_a_sandboxes(prefix: str) -> None:
    kind, free, own = CREDENTIALS[prefix], f"free-{prefix.lower()}", f"own-{prefix.lower()}"
    mine = {"api_key": "sk_live_mine", **changed(kind)}
    await kind.model_validate(mine).asave(own)

    async def start(name: str, key: str) -> list[str]:
        there = {f"{prefix}_API_KEY": key, f"{prefix}_BASE_URL": "http://127.0.0.1:4280/x"}
        return await bootstrap(name=name, credentials=credentials_from(there, name), sandbox=True)

    await start(free, "the-first")
    told = [line for key in ("the-second", "the-third") for line in [*await start(free, key), *await start(own, key)]]

    replaced, kept, sandbox = [await load_block(kind, name) for name in (free, own, "sandbox")]
    assert replaced.api_key.get_secret_value() == sandbox.api_key.get_secret_value() == "the-third"
    assert held(kept) == held(kind.model_validate(mine))
    assert f"{kind.get_block_type_slug()} block {own}: yours; sandbox has the key" in told


@pytest.mark.usefixtures("bare_prefect")
async def test_a_persons_own_block_called_sandbox_is_kept_and_not_said_to_be_the_sandboxes() -> None:
    there = {"FLORA_API_KEY": "the-sandboxes", "FLORA_BASE_URL": "http://127.0.0.1:4280/flora"}
    for name in ("own-too", SANDBOX):
        await FloraCredentials(api_key=SecretStr(f"sk_live_{name}")).asave(name, overwrite=True)
    try:
        told = await bootstrap(name="own-too", credentials=credentials_from(there, "own-too"), sandbox=True)
        kept = [await load_block(FloraCredentials, name) for name in ("own-too", SANDBOX)]
    finally:
        await FloraCredentials.adelete(SANDBOX)

    assert [block.api_key.get_secret_value() for block in kept] == ["sk_live_own-too", "sk_live_sandbox"]
    assert f"flora-credentials block own-too: yours; {SANDBOX} is yours too" in told


@pytest.mark.usefixtures("bare_prefect")
async def test_where_everything_runs_on_one_machine_the_runs_at_once_are_bounded_as_a_person_says() -> None:
    async with get_client() as client:

        async def bounded() -> int | None:
            await bootstrap(name="bounded", sandbox=True)
            return (await client.read_work_queue_by_name("default", WORK_POOL)).concurrency_limit

        first = await bounded()
        queue = await client.read_work_queue_by_name("default", WORK_POOL)
        await client.update_work_queue(queue.id, concurrency_limit=3)

        assert (first, await bounded()) == (RUNS_AT_ONCE, 3)


@pytest.mark.usefixtures("prefect")
def test_processes_that_bootstrap_a_fresh_server_at_once_all_do(run_folder: Path, tmp_path: Path) -> None:
    give_tables(run_folder, tmp_path)
    with running_prefect(tmp_path) as server, ThreadPoolExecutor() as together:
        environment = {**ENVIRONMENT, "PREFECT_API_URL": server.api, "GENMEDIA_STORE": str(tmp_path / "media")}
        started = [together.submit(python_module, "deployments.bootstrap", **environment) for _ in range(3)]
        ended = [one.result() for one in started]

    assert [one.returncode for one in ended] == [0, 0, 0], ended
    assert all("genova-credentials block default: saved" in one.stdout for one in ended)


@pytest.mark.usefixtures("bare_prefect")
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


@pytest.mark.usefixtures("bare_prefect")
async def test_bootstrap_keeps_every_field_of_a_saved_store_whose_address_alone_is_told() -> None:
    own = AssetStore.model_validate({**EVERY_FIELD, "s3_encryption": "aws:kms"})
    assert own.model_fields_set == set(AssetStore.model_fields)
    await own.asave("every")

    await bootstrap(name="every", store={"root": "s3://another/media"})

    assert held(await load_block(AssetStore, "every")) == held(own) | {"root": "s3://another/media"}


@pytest.mark.usefixtures("bare_prefect")
@pytest.mark.parametrize("root", ["memory://media", "memory:media", "simplecache::memory://media"])
def test_a_store_in_the_memory_of_one_process_is_refused(root: str) -> None:
    with pytest.raises(SettingsError, match="what is paid for would be gone with it"):
        AssetStore(root=root, journal=SecretStr("sqlite:////srv/journal.db")).get_store()


@pytest.mark.usefixtures("bare_prefect")
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
    for name, shown in kind.model_json_schema()["properties"].items():
        assert kind.model_fields[name].title, name
        assert shown["description"], name
        chosen = "enum" in shown or shown.get("type") == "boolean" or "$ref" in shown or shown.get("format") == "password"
        assert "Example: " in shown["description"] or shown.get("default") or chosen, name
        assert {"type": "null"} not in shown.get("anyOf", []), f"{name} is a switch between a value and none"


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


def test_every_flow_is_made_where_it_says_which_process_it_is_in() -> None:
    for entrypoint in {one.entrypoint for one in find_project(PROJECT).deployments}:
        flow: Any = load_flow_from_entrypoint(str(PROJECT / entrypoint))
        assert type(flow).__module__ == "tasks.telling", entrypoint


@pytest.mark.parametrize(("folder", "ours"), [("/srv/genmedia", True), ("/srv/genmedia-2", False), ("/srv", False)])
def test_a_deployment_is_ours_only_where_its_runs_work_in_this_very_folder(folder: str, ours: bool) -> None:
    step = {"prefect.deployments.steps.set_working_directory": {"directory": folder}}
    deployment = DeploymentResponse(name="coffee", flow_id=uuid4(), labels={}, pull_steps=[step])

    assert is_of(Path("/srv/genmedia"), deployment) is ours
