"""The files for several machines keep to their schemas, and have the settings with which the script on one machine really runs."""

import json
import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from compose_spec import PyCompose
from kubernetes_validate import ValidationError

from deployments import bootstrap

FOLDER = Path(__file__).parents[2] / "deployments" / "scale-out"
KUBERNETES = "1.33"


def settings_of_the_script() -> dict[str, str]:
    spec = spec_from_file_location("start", FOLDER / "start.py")
    assert spec is not None
    assert spec.loader is not None
    start: Any = module_from_spec(spec)
    spec.loader.exec_module(start)
    return start.server_settings("postgresql://somebody@db/prefect", "redis://messages/0")


def compose() -> dict[str, Any]:
    return yaml.safe_load((FOLDER / "compose.yaml").read_text())


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text()))


def modules(settings: dict[str, str]) -> dict[str, str]:
    """Those that name a module of prefect-redis."""
    return {name: value for name, value in settings.items() if value.startswith("prefect_redis")}


def test_the_compose_file_keeps_to_the_specification_of_compose() -> None:
    wrong = compose()
    wrong["services"]["worker"]["restrat"] = "always"

    assert "worker" in PyCompose.from_json(json.dumps(compose())).service_names()
    with pytest.raises(ValueError, match="restrat"):
        PyCompose.from_json(json.dumps(wrong))


@pytest.mark.parametrize("manifest", manifests(), ids=lambda one: f"{one['kind']} {one['metadata']['name']}")
def test_the_manifests_keep_to_the_schemas_of_kubernetes(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, KUBERNETES, strict=True)

    with pytest.raises(ValidationError):
        kubernetes_validate.validate({**manifest, "spce": {}}, KUBERNETES, strict=True)


def test_the_server_gets_the_settings_of_the_script_everywhere() -> None:
    script, server = settings_of_the_script(), compose()["services"]["prefect"]["environment"]
    told = {one["metadata"]["name"]: one["data"] for one in manifests() if one["kind"] == "ConfigMap"}

    assert modules(server) == modules(script) == modules(told["genmedia-server"])
    assert script.keys() <= server.keys()
    assert compose()["services"]["prefect-services"]["environment"] == server


def test_the_compose_file_passes_on_every_variable_of_a_provider_that_the_bootstrap_tells_of() -> None:
    told = set(re.findall(r"`((?:ALGOVERA|FLORA|GENERIO|GENOVA)_[A-Z_]+)`", bootstrap.__doc__ or "")) - {"FLORA_BASE_URL"}

    assert len(told) == 8
    assert told <= compose()["services"]["bootstrap"]["environment"].keys()


def test_the_document_names_every_setting_that_holds_a_password() -> None:
    document, script = (FOLDER.parents[1] / "docs" / "scale.md").read_text(), settings_of_the_script()

    assert [name for name in script.keys() - modules(script) if f"`{name}`" not in document] == []
