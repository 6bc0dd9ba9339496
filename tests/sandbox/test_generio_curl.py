import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.generio_customers import NewGenerio, packed, triangles, unpacked
from tests.sandboxes import Sandbox

# The document's routes in the order in which a customer meets them, as its API page shows how to call it.
TEMPLATES = "curl $BASE/templates -H $KEY"
TEMPLATE = "curl $BASE/templates/$TEMPLATE -H $KEY"
CREATE = 'curl -X POST $BASE/flows -H $KEY -H $JSON -d \'{"template":"\'$TEMPLATE\'","parameters":{"quality":"low"}}\''
UPLOAD = "curl -X POST $BASE/flows/$FLOW/inputs -H $KEY -H $JSON -d @input.json"
INPUTS = "curl $BASE/flows/$FLOW/inputs -H $KEY"
INPUT = "curl $BASE/flows/$FLOW/inputs/$ASSET -H $KEY"
START = 'curl -X PATCH $BASE/flows/$FLOW -H $KEY -H $JSON -d \'{"action":"start"}\''
ABORT = 'curl -X PATCH $BASE/flows/$FLOW -H $KEY -H $JSON -d \'{"action":"abort"}\''
DETAILS = "curl $BASE/flows/$FLOW -H $KEY"
LIST = "curl $BASE/flows'?sort_by=created_at' -H $KEY"
OUTPUTS = "curl $BASE/flows/$FLOW/outputs -H $KEY"
OUTPUT = "curl $BASE/flows/$FLOW/outputs/$ASSET -H $KEY"
OUTPUT_IN_THE_OLDER_WAY = "curl $BASE/flows/$FLOW/output/$ASSET -H $KEY"
DELETE = "curl -X DELETE $BASE/flows/$FLOW -H $KEY"


class Shell:
    """Runs curl with a flow, an asset and a template filled in."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        key = '"Authorization: Bearer gn_sandbox"'
        json_type = '"Content-Type: application/json"'
        self._values = {"$BASE": f"{sandbox.url}/generio", "$KEY": key, "$JSON": json_type}
        self._folder = folder

    def run(self, command: str, **values: str) -> Any:
        for name, value in (self._values | {f"${name.upper()}": value for name, value in values.items()}).items():
            command = command.replace(name, value)
        asked = ["bash", "-ec", command.replace("curl ", "curl -sS ")]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True, cwd=self._folder)
        return json.loads(done.stdout)


@pytest.fixture
def shell(own_sandbox: Sandbox, tmp_path: Path) -> Shell:
    own_sandbox.new_account("generio", account="default", settings={"advance": "looks", "looks": [0, 1]})
    return Shell(own_sandbox, tmp_path)


def test_a_model_is_made_route_by_route_as_the_document_tells_it(shell: Shell, tmp_path: Path, photo: bytes) -> None:
    template = shell.run(TEMPLATES)["templates"][1]
    assert shell.run(TEMPLATE, template=template["id"]) == shell.run(TEMPLATE, template=template["name"]) == template

    flow = shell.run(CREATE, template=template["name"])
    assert flow["state"] == "created"
    here = {"flow": flow["flow_id"]}

    (tmp_path / "input.json").write_text(json.dumps({"data": packed(photo, "image/jpeg"), "additional": "coffee"}))
    uploaded = shell.run(UPLOAD, **here)
    assert uploaded["additional"] == "coffee"
    assert [each["asset_id"] for each in shell.run(INPUTS, **here)["inputs"]] == [uploaded["asset_id"]]
    assert unpacked(shell.run(INPUT, **here, asset=uploaded["asset_id"])["data"], "image/jpeg") == photo

    assert isinstance(shell.run(OUTPUTS, **here)["detail"], str), "there is nothing before the end"
    assert shell.run(START, **here)["state"] == "starting"
    assert isinstance(shell.run(UPLOAD, **here)["detail"], str), "nothing is added to a flow that was started"
    assert isinstance(shell.run(DELETE, **here)["detail"], str), "a flow that runs is not deleted"
    assert shell.run(DETAILS, **here)["state"] == "running"
    assert [(each["flow_id"], each["state"]) for each in shell.run(LIST)["flows"]] == [(flow["flow_id"], "completed")]

    (output,) = shell.run(OUTPUTS, **here)["outputs"]
    assert (output["status"], output["additional"]) == ("ready", "coffee")
    model = shell.run(OUTPUT, **here, asset=output["asset_id"])
    assert model == shell.run(OUTPUT_IN_THE_OLDER_WAY, **here, asset=output["asset_id"])
    assert triangles(unpacked(model["data"])) > 100

    assert shell.run(DELETE, **here) == {"flow_id": flow["flow_id"]}
    assert isinstance(shell.run(DETAILS, **here)["detail"], str)
    assert shell.run(LIST) == {"flows": []}


def test_a_flow_is_aborted(shell: Shell, tmp_path: Path) -> None:
    here = {"flow": shell.run(CREATE, template="model_generate_fromprompt")["flow_id"]}
    (tmp_path / "input.json").write_text(json.dumps({"data": "A modern office chair"}))
    shell.run(UPLOAD, **here)
    shell.run(START, **here)
    assert shell.run(ABORT, **here)["state"] == "aborting"
    assert shell.run(DETAILS, **here)["state"] == "aborted"
    assert shell.run(OUTPUTS, **here) == {"flow_id": here["flow"], "outputs": []}


def test_the_documents_example_body_makes_a_chair(new_generio: NewGenerio) -> None:
    generio = new_generio()
    body = {
        "template": "model_generate_fromprompt",
        "parameters": {"quality": "high"},
        "inputs": [{"data": "A modern office chair", "additional": None}],
        "additional": None,
    }
    flow = generio.http.post("/flows", json=body).json()
    assert flow["state"] == "starting"
    assert generio.finish(flow)["state"] == "completed"
