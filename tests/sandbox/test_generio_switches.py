import base64
import io
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.sandbox.generio_customers import GenerioCustomer, NewGenerio, packed, triangles, unpacked
from tests.sandboxes import Sandbox, running_sandbox


def test_an_asset_can_be_called_by_id_with_the_time_of_its_making(new_generio: NewGenerio) -> None:
    generio = new_generio(switches={"asset_key": "id"})
    flow = generio.create()
    added = generio.add(flow, "A cup", additional=1).json()
    assert added == {"flow_id": flow["flow_id"], "id": added["id"], "status": "available", "processed": None, "additional": 1}
    generio.act(flow, "start")
    done = generio.finish(flow)
    (output,) = generio.outputs(flow)
    assert output == {"id": output["id"], "status": "ready", "processed": done["finished_at"], "additional": 1}
    assert generio.http.get(f"/flows/{flow['flow_id']}/outputs/{output['id']}").status_code == 200


def test_a_download_can_be_the_file_itself(new_generio: NewGenerio) -> None:
    plain, raw = new_generio(), new_generio(switches={"download": "raw"})
    order: dict[str, Any] = {"parameters": {"seed": 1}}
    response = raw.http.get(raw.path(raw.finish(raw.create("A cup", **order))))
    assert response.headers["content-type"] == "model/gltf-binary"
    assert response.content == plain.model("A cup", **order)


def test_progress_can_rise(new_generio: NewGenerio) -> None:
    generio = new_generio(settings={"looks": [1, 3]}, switches={"progress": "ramp"})
    flow = generio.create("A cup")
    assert [generio.look(flow)["progress"] for _ in range(5)] == [0.0, 0.25, 0.5, 0.75, 1.0]


@pytest.mark.parametrize(
    ("template", "start"),
    [
        ("model_generate_fromimage", b"\x89PNG\r\n\x1a\n"),
        ("model_generate_fromimage", b"\xff\xd8\xff"),
        ("model_generate_fromimage", b"II*\0"),
        ("model_generate_fromimage", b"RIFF\0\0\0\0WEBP"),
        ("model_optimize", b"glTF"),
    ],
)
def test_a_file_can_come_as_bare_base64_where_its_kind_is_seen(new_generio: NewGenerio, template: str, start: bytes) -> None:
    generio = new_generio(switches={"plain_base64": "accept"})
    flow = generio.create(template=template)
    assert generio.add(flow, base64.b64encode(start).decode()).status_code == 200
    assert [generio.add(flow, wrong).status_code for wrong in ("AAAA", "no base64", "")] == [422] * 3


def test_bare_base64_of_a_photograph_becomes_a_model(new_generio: NewGenerio, photo: bytes) -> None:
    generio = new_generio(switches={"plain_base64": "accept"})
    assert generio.model(base64.b64encode(photo).decode(), template="model_generate_fromimage").startswith(b"glTF")


def test_the_requests_of_a_minute_can_be_limited(own_sandbox: Sandbox, new_generio: NewGenerio) -> None:
    own_sandbox.control("POST", "/clock", {"scale": 0.001})
    generio = new_generio(at=own_sandbox, switches={"rate_limit": 3})
    answers = [generio.http.get("/templates") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[3].json() == {"detail": "Too Many Requests"}
    assert int(answers[3].headers["retry-after"]) == 60
    own_sandbox.control("POST", "/clock", {"advance": 60})
    assert generio.http.get("/templates").status_code == 200


@pytest.mark.parametrize(
    ("meaning", "value", "status"),
    [
        ("auto", "state", 200),
        ("auto", "running", 200),
        ("fields", "state", 200),
        ("fields", "running", 422),
        ("states", "state", 422),
        ("states", "running", 200),
    ],
)
def test_filter_by_can_be_of_one_generation_only(new_generio: NewGenerio, meaning: str, value: str, status: int) -> None:
    assert new_generio(switches={"filter_by": meaning}).http.get(f"/flows?filter_by={value}").status_code == status


def test_a_missing_key_can_be_forbidden_instead(new_generio: NewGenerio) -> None:
    with running_sandbox('{"switches": {"generio": {"auth_error": "403"}}}') as sandbox:
        for headers in ({}, {"authorization": "Bearer gn_wrong"}):
            response = httpx.get(f"{sandbox.url}/generio/flows", headers=headers)
            assert (response.status_code, response.json()) == (403, {"detail": "Not authenticated"})
        assert new_generio(at=sandbox).flows() == []


VIEWS = "model_generate_fromviews"


def test_a_template_can_make_one_model_of_inputs_that_have_names(new_generio: NewGenerio) -> None:
    generio = new_generio(switches={"named_inputs": True})
    types = ["image/png", "image/jpeg", "image/tiff", "image/webp"]
    assert generio.http.get(f"/templates/{VIEWS}").json()["inputs"] == [
        {"id": "front", "types": types, "required": True},
        {"id": "back", "types": types, "required": False},
    ]
    assert generio.order(template=VIEWS).status_code == 200
    assert new_generio().order(template=VIEWS).status_code == 404

    def made_of(**views: str) -> bytes:
        flow = generio.create(template=VIEWS, parameters={"seed": 1})
        for name, colour in views.items():
            assert generio.add(flow, _picture(colour), additional={"input": name}).status_code == 200
        assert generio.act(flow, "start").status_code == 200
        assert generio.finish(flow)["state"] == "completed"
        (output,) = generio.outputs(flow)
        assert output["additional"] == {"input": "front"}
        return unpacked(generio.http.get(generio.path(flow)).json()["data"])

    both, other, front = made_of(back="blue", front="red"), made_of(back="green", front="red"), made_of(front="red")
    assert both == made_of(front="red", back="blue")
    assert len({both, other, front}) == 3
    assert triangles(both) == 2 * triangles(front)


def test_a_template_with_named_inputs_starts_with_what_it_needs_and_no_other(new_generio: NewGenerio) -> None:
    generio = new_generio(switches={"named_inputs": True})
    flow = generio.create(template=VIEWS)
    for additional in (None, "front", {"input": "top"}, {"view": "front"}):
        assert generio.add(flow, _picture("red"), additional=additional).status_code == 422
    generio.add(flow, _picture("red"), additional={"input": "back"})
    refused = generio.act(flow, "start")
    assert (refused.status_code, refused.json()) == (409, {"detail": "Flow needs one of each of the inputs front"})
    for _ in range(2):
        generio.add(flow, _picture("blue"), additional={"input": "front"})
    assert generio.act(flow, "start").status_code == 409
    assert generio.order(_picture("red"), template=VIEWS).status_code == 422
    assert generio.credits == generio.account["credits"]


def _picture(colour: str) -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (60, 40), colour).save(buffer, "PNG")
    return packed(buffer.getvalue(), "image/png")


@pytest.mark.parametrize(
    "switches",
    [
        {"asset_key": "name"},
        {"download": "zip"},
        {"rate_limit": 0},
        {"progress": 1},
        {"plain_base64": True},
        {"named_inputs": 2},
        {"wobble": 1},
    ],
)
def test_a_senseless_switch_is_refused_and_named(generio: GenerioCustomer, switches: dict[str, Any]) -> None:
    order = {"provider": "generio", "account": generio.account["account"], "switches": switches}
    response = generio.sandbox.http.post(f"{generio.sandbox.url}/sandbox/accounts", json=order)
    assert response.status_code == 422
    assert response.json()["detail"].startswith(f"switches.{next(iter(switches))}")
