import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.sandbox.generio_customers import GenerioCustomer, NewGenerio, packed, unpacked
from tests.sandboxes import Sandbox

ID = re.compile(r"[0-9a-f]{24}")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
PIXEL = packed(b"\x89PNG\r\n\x1a\n", "image/png")


def detail(response: httpx.Response, status: int) -> Any:
    assert response.status_code == status, response.text
    return response.json()["detail"]


def places(response: httpx.Response) -> list[list[str | int]]:
    problems = detail(response, 422)
    assert all(problem.keys() == {"type", "loc", "msg"} for problem in problems)
    return [problem["loc"] for problem in problems]


# Creating


def test_a_flow_without_inputs_waits_for_them_and_costs_nothing(generio: GenerioCustomer) -> None:
    flow = generio.create(parameters={"quality": "low"}, additional={"job": 7})
    assert ID.fullmatch(flow["flow_id"])
    assert MOMENT.fullmatch(flow["created_at"])
    assert flow == {
        "flow_id": flow["flow_id"],
        "template": "model_generate_fromprompt",
        "state": "created",
        "progress": 0.0,
        "created_at": flow["created_at"],
        "started_at": None,
        "finished_at": None,
        "parameters": {"quality": "low", "seed": -1, "texture": True},
        "additional": {"job": 7},
    }
    assert [generio.look(flow) for _ in range(3)] == [flow] * 3
    assert (generio.credits, generio.sandbox.jobs(generio.account)) == (10_000, [])


@pytest.mark.parametrize("inputs", [None, []])
def test_no_inputs_and_an_empty_list_of_inputs_are_the_same(generio: GenerioCustomer, inputs: list[Any] | None) -> None:
    assert generio.create(inputs=inputs)["state"] == "created"


def test_a_flow_with_inputs_starts_at_once_and_costs_a_credit(generio: GenerioCustomer) -> None:
    flow = generio.create("A cup")
    assert (flow["state"], generio.credits) == ("starting", 9_999)
    (job,) = generio.sandbox.jobs(generio.account)
    assert (job["id"], job["operation"], job["cost"], job["charged"]) == (flow["flow_id"], "create_flow", 1, 1)
    assert "data" not in str(job["request"])


def test_a_template_is_named_by_its_id_as_well(generio: GenerioCustomer) -> None:
    templates = generio.http.get("/templates").json()["templates"]
    for template in templates:
        assert generio.create(template=template["id"])["template"] == template["name"]


def test_an_unknown_template_is_not_found(generio: GenerioCustomer) -> None:
    assert "model_dream" in detail(generio.order(template="model_dream"), 404)
    assert generio.flows() == []


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, [["body", "template"]]),
        ({"template": 7}, [["body", "template"]]),
        ({"template": "model_optimize", "inputs": "x"}, [["body", "inputs"]]),
        (
            {"template": "model_optimize", "inputs": [{}, {"data": 3}]},
            [["body", "inputs", 0, "data"], ["body", "inputs", 1, "data"]],
        ),
        ({"template": "model_optimize", "parameters": {"polygon_count": 0}}, [["body", "parameters", "polygon_count"]]),
        ({"template": "model_optimize", "parameters": {"seed": 1}}, [["body", "parameters", "seed"]]),
        (
            {"template": "model_generate_fromprompt", "parameters": {"quality": "best", "seed": "1", "texture": 1}},
            [["body", "parameters", "quality"], ["body", "parameters", "seed"], ["body", "parameters", "texture"]],
        ),
        (
            {"template": "model_generate_fromprompt", "inputs": [{"data": " "}, {"data": PIXEL}]},
            [["body", "inputs", 0, "data"], ["body", "inputs", 1, "data"]],
        ),
    ],
)
def test_what_is_wrong_with_an_order_is_named_place_by_place(
    generio: GenerioCustomer, body: dict[str, Any], where: list[Any]
) -> None:
    assert places(generio.http.post("/flows", json=body)) == where
    assert generio.flows() == []


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b"NaN", b'{"template":"x","additional":1e999}', b'"\\ud800"', b"[" * 5000]
)
def test_a_body_that_is_no_json_object_is_refused(generio: GenerioCustomer, content: bytes) -> None:
    assert places(generio.http.post("/flows", content=content))[0][0] == "body"


@pytest.mark.parametrize("template", ["model_generate_fromimage", "model_optimize"])
@pytest.mark.parametrize(
    "data",
    [
        "A prompt",
        "data:image/png,base64;AAAA",
        "data:image/gif;base64,AAAA",
        "data:image/png;base64,A",
        "data:image/png;base64,",
        "AAAA",
    ],
)
def test_a_file_has_to_be_a_data_uri_of_a_type_that_the_template_takes(
    generio: GenerioCustomer, template: str, data: str
) -> None:
    assert places(generio.order(data, template=template)) == [["body", "inputs", 0, "data"]]
    flow = generio.create(template=template)
    assert places(generio.add(flow, data)) == [["body", "data"]]


@pytest.mark.parametrize("kind", ["image/png", "image/jpeg", "image/jpg", "image/tiff", "image/webp", "IMAGE/PNG"])
def test_every_documented_picture_type_is_taken(generio: GenerioCustomer, kind: str) -> None:
    flow = generio.create(template="model_generate_fromimage")
    assert generio.add(flow, f"data:{kind};base64,AAAA").status_code == 200


@pytest.mark.parametrize(
    "data", ["A cup", "data: a film by night", packed(b"A cup", "text/plain"), "data:text/plain;charset=utf-8;base64,QQ=="]
)
def test_a_prompt_is_plain_text_or_a_data_uri_of_text(generio: GenerioCustomer, data: str) -> None:
    flow = generio.finish(generio.create(data))
    assert flow["state"] == "completed"


def test_an_input_has_at_most_25_mebibytes(generio: GenerioCustomer) -> None:
    flow = generio.create(template="model_optimize")
    most = 25 * 1024 * 1024
    assert generio.add(flow, packed(bytes(most - 1) + b"x", "model/gltf-binary")).status_code == 200
    assert "26214400 bytes" in detail(generio.add(flow, packed(bytes(most) + b"x", "model/gltf-binary")), 413)


# Inputs


def test_inputs_are_added_one_by_one_listed_and_given_back(generio: GenerioCustomer) -> None:
    flow = generio.create()
    added = [generio.add(flow, prompt, additional=number).json() for number, prompt in enumerate(("A cup", "A car"))]
    for each, number in zip(added, (0, 1), strict=True):
        assert ID.fullmatch(each["asset_id"])
        assert each == {"flow_id": flow["flow_id"], "asset_id": each["asset_id"], "status": "available", "additional": number}
    path = f"/flows/{flow['flow_id']}/inputs"
    listed = generio.http.get(path).json()
    assert listed["flow_id"] == flow["flow_id"]
    assert listed["inputs"] == [{key: each[key] for key in ("asset_id", "status", "additional")} for each in added]
    with_data = generio.http.get(f"{path}?include_data=true").json()["inputs"]
    assert [each["data"] for each in with_data] == ["A cup", "A car"]
    assert generio.http.get(f"{path}/{added[1]['asset_id']}").json() == with_data[1]
    assert detail(generio.http.get(f"{path}/{flow['flow_id']}"), 404) == "Input not found"
    assert places(generio.http.get(f"{path}?include_data=perhaps")) == [["query", "include_data"]]


def test_inputs_are_being_processed_while_the_flow_runs(generio: GenerioCustomer) -> None:
    flow = generio.create("A cup")
    path = f"/flows/{flow['flow_id']}/inputs"
    assert generio.http.get(path).json()["inputs"][0]["status"] == "processing"
    generio.finish(flow)
    assert generio.http.get(path).json()["inputs"][0]["status"] == "available"


# States


def test_a_flow_goes_its_way_by_looks(generio: GenerioCustomer) -> None:
    flow = generio.create()
    generio.add(flow, "A cup")
    started = generio.act(flow, "start").json()
    assert started["flow_id"] == flow["flow_id"]
    seen = [started, *(generio.look(flow) for _ in range(5))]
    assert [each["state"] for each in seen] == ["starting", "starting", "running", "running", "completed", "completed"]
    assert [each["progress"] for each in seen] == [0.0, 0.0, 0.0, 0.0, 1.0, 1.0]
    assert [each["started_at"] is None for each in seen] == [True, True, False, False, False, False]
    assert [each["finished_at"] is None for each in seen] == [True, True, True, True, False, False]
    assert seen[-1]["created_at"] <= seen[-1]["started_at"] <= seen[-1]["finished_at"]
    assert "error" not in seen[-1]


def test_a_flow_goes_its_way_by_time(own_sandbox: Sandbox, new_generio: NewGenerio) -> None:
    generio = new_generio(at=own_sandbox, settings={"advance": "time", "queue": [100, 100], "run": [100, 100]})
    flow = generio.create("A cup")
    states = [flow["state"]]
    for _ in range(2):
        own_sandbox.control("POST", "/clock", {"advance": 101})
        states.append(generio.look(flow)["state"])
    assert states[:2] == ["starting", "running"]
    while states[-1] == "running":  # pytest's own timeout bounds this
        states.append(generio.look(flow)["state"])
    assert states[-1] == "completed"


IN_STATE = {
    # state: start, abort, delete, upload, outputs
    "created": (409, 409, 200, 200, 409),
    "created, with an input": (200, 409, 200, 200, 409),
    "starting": (409, 200, 409, 409, 409),
    "running": (409, 200, 409, 409, 409),
    "aborting": (409, 409, 409, 409, 409),
    "aborted": (409, 409, 200, 409, 200),
    "completed": (409, 409, 200, 409, 200),
    "failed": (409, 409, 200, 409, 200),
}


@pytest.mark.parametrize("state", IN_STATE)
def test_a_state_allows_what_the_document_says_and_no_more(new_generio: NewGenerio, state: str) -> None:
    def brought() -> tuple[GenerioCustomer, dict[str, Any]]:
        generio = new_generio(settings={"looks": [0, 3]})
        if state == "failed":
            generio.sandbox.fault(generio.account, "fail")
        flow = generio.create(*([] if state.startswith("created") else ["A cup"]))
        if state == "created, with an input":
            generio.add(flow, "A cup")
        if state == "running":
            generio.look(flow)
        if state in {"aborting", "aborted"}:
            assert generio.act(flow, "abort").json()["state"] == "aborting"
        if state in {"aborted", "completed", "failed"}:
            assert generio.finish(flow)["state"] == state
        return generio, flow

    asked: tuple[Callable[[GenerioCustomer, dict[str, Any]], httpx.Response], ...] = (
        lambda generio, flow: generio.act(flow, "start"),
        lambda generio, flow: generio.act(flow, "abort"),
        GenerioCustomer.delete,
        lambda generio, flow: generio.add(flow, "A car"),
        lambda generio, flow: generio.http.get(f"/flows/{flow['flow_id']}/outputs"),
    )
    answers = [ask(*brought()) for ask in asked]
    assert tuple(answer.status_code for answer in answers) == IN_STATE[state]
    assert all(isinstance(answer.json()["detail"], str) for answer in answers if answer.status_code == 409)


def test_an_unknown_action_is_refused(generio: GenerioCustomer) -> None:
    flow = generio.create()
    assert places(generio.act(flow, "pause")) == [["body", "action"]]
    assert places(generio.http.patch(f"/flows/{flow['flow_id']}", json={})) == [["body", "action"]]


def test_a_deleted_flow_is_gone_with_all_it_had(generio: GenerioCustomer) -> None:
    flow = generio.finish(generio.create("A cup"))
    path = generio.path(flow)
    assert generio.delete(flow).json() == {"flow_id": flow["flow_id"]}
    assert generio.flows() == []
    base = f"/flows/{flow['flow_id']}"
    for gone in (base, f"{base}/inputs", f"{base}/outputs", path):
        assert detail(generio.http.get(gone), 404) == "Flow not found"
    assert generio.delete(flow).status_code == 404
    assert len(generio.sandbox.jobs(generio.account)) == 1, "the control plane remembers"


def test_a_flow_belongs_to_its_account(new_generio: NewGenerio) -> None:
    mine, other = new_generio(), new_generio()
    flow = mine.finish(mine.create("A cup"))
    assert other.flows() == []
    for response in (
        other.http.get(f"/flows/{flow['flow_id']}"),
        other.delete(flow),
        other.act(flow, "abort"),
        other.http.get(mine.path(flow)),
    ):
        assert detail(response, 404) == "Flow not found"


# Aborting


def test_an_aborted_flow_is_aborted_a_moment_later(own_sandbox: Sandbox, new_generio: NewGenerio) -> None:
    generio = new_generio(at=own_sandbox, settings={"advance": "time", "queue": [0, 0], "run": [1000, 1000]})
    flow = generio.create("A cup")
    assert generio.look(flow)["state"] == "running"
    generio.act(flow, "abort")
    assert generio.look(flow)["state"] == "aborting"
    own_sandbox.control("POST", "/clock", {"advance": 1})
    assert generio.look(flow)["state"] == "aborted"
    assert generio.outputs(flow) == []
    assert generio.credits == 9_999, "it ran, so it is paid for"


def test_a_flow_whose_time_is_up_completes_though_it_is_being_aborted(own_sandbox: Sandbox, new_generio: NewGenerio) -> None:
    own_sandbox.control("POST", "/clock", {"scale": 0.001})
    order: dict[str, Any] = {"parameters": {"seed": 1}}
    new_generio(at=own_sandbox).model("A cup", **order)  # so that the model is there in time
    generio = new_generio(at=own_sandbox, settings={"advance": "time", "queue": [0, 0], "run": [100, 100]})
    flow = generio.create("A cup", **order)
    assert generio.look(flow)["state"] == "running"
    own_sandbox.control("POST", "/clock", {"advance": 99.5})
    assert generio.act(flow, "abort").json()["state"] == "aborting"
    own_sandbox.control("POST", "/clock", {"advance": 0.6})
    assert generio.look(flow)["state"] == "completed"
    assert len(generio.outputs(flow)) == 1


def test_a_flow_that_has_had_all_its_looks_completes_though_it_is_being_aborted(new_generio: NewGenerio) -> None:
    generio = new_generio(settings={"looks": [0, 1]})
    flow = generio.create("A cup")
    assert generio.look(flow)["state"] == "running"
    assert generio.act(flow, "abort").json()["state"] == "aborting"
    assert generio.look(flow)["state"] == "completed"


def test_a_flow_that_never_ran_is_aborted_for_nothing(new_generio: NewGenerio) -> None:
    generio = new_generio(settings={"looks": [5, 5]})
    flow = generio.create("A cup")
    assert generio.credits == 9_999
    generio.act(flow, "abort")
    shown = generio.look(flow)
    assert (shown["state"], shown["started_at"], shown["progress"]) == ("aborted", None, 1.0)
    assert (generio.outputs(flow), generio.credits) == ([], 10_000)


def test_a_flow_that_waits_for_room_is_aborted_and_never_runs(own_sandbox: Sandbox, new_generio: NewGenerio) -> None:
    generio = new_generio(at=own_sandbox, settings={"advance": "time", "queue": [0, 0], "run": [100, 100], "max_running": 1})
    first, second = generio.create("A cup"), generio.create("A car")
    assert [generio.look(each)["state"] for each in (first, second)] == ["running", "starting"]
    generio.act(second, "abort")
    own_sandbox.control("POST", "/clock", {"advance": 200})
    assert generio.look(second)["state"] == "aborted"
    assert generio.look(second)["started_at"] is None
    assert generio.credits == 9_999


def test_an_aborted_flow_keeps_what_was_made_by_then(new_generio: NewGenerio) -> None:
    generio = new_generio(settings={"looks": [0, 5]})
    flow = generio.create("A cup", "A car", "A robot", "A house")
    for _ in range(3):
        generio.look(flow)
    generio.act(flow, "abort")
    assert generio.finish(flow)["state"] == "aborted"
    assert [each["additional"] for each in generio.outputs(flow)] == [0, 1]
    assert generio.http.get(generio.path(flow)).status_code == 200


# Outputs


def test_several_inputs_give_several_outputs_each_with_its_inputs_additional(generio: GenerioCustomer) -> None:
    flow = generio.finish(generio.create("A cup", "A car"))
    listed = generio.http.get(f"/flows/{flow['flow_id']}/outputs").json()
    assert listed["flow_id"] == flow["flow_id"]
    assert [(each["status"], each["additional"]) for each in listed["outputs"]] == [("ready", 0), ("ready", 1)]
    inputs = generio.http.get(f"/flows/{flow['flow_id']}/inputs").json()["inputs"]
    ids = [each["asset_id"] for each in (*inputs, *listed["outputs"])]
    assert len(set(ids)) == 4
    assert all(ID.fullmatch(each) for each in ids)


def test_an_output_is_had_under_both_paths_and_in_the_list_as_often_as_wanted(generio: GenerioCustomer) -> None:
    flow = generio.finish(generio.create("A cup"))
    path = generio.path(flow)
    response = generio.http.get(path)
    assert response.headers["content-type"] == "application/json"
    assert response.json().keys() == {"data"}
    assert unpacked(response.json()["data"]).startswith(b"glTF")
    (listed,) = generio.outputs(flow, "?include_data=true")
    for again in (generio.http.get(path), generio.http.get(path.replace("/outputs/", "/output/"))):
        assert again.json()["data"] == response.json()["data"] == listed["data"]
    assert detail(generio.http.get(f"/flows/{flow['flow_id']}/outputs/{flow['flow_id']}"), 404) == "Output not found"


def test_a_flow_with_an_unreadable_input_fails_says_why_and_keeps_the_rest(generio: GenerioCustomer, photo: bytes) -> None:
    inputs = [{"data": packed(data, "image/jpeg"), "additional": key} for key, data in {"good": photo, "bad": photo[:99]}.items()]
    flow = generio.finish(generio.create(template="model_generate_fromimage", inputs=inputs))
    assert (flow["state"], flow["error"]) == ("failed", "The image/jpeg could not be read.")
    assert [(each["additional"], each["status"], each.get("error")) for each in generio.outputs(flow)] == [
        ("good", "ready", None),
        ("bad", "error", "The image/jpeg could not be read."),
    ]
    assert generio.http.get(f"/flows/{flow['flow_id']}/outputs/{generio.outputs(flow)[1]['asset_id']}").status_code == 404
    assert generio.credits == 10_000, "a failed flow is not paid for"


# The list


def test_the_list_shows_all_flows_newest_first(generio: GenerioCustomer) -> None:
    flows = [generio.create(additional=number) for number in range(3)]
    assert generio.flows() == flows[::-1]


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("created_at", "dcba"),
        ("started_at", "cbda"),
        ("finished_at", "bdca"),
        ("progress", "dbca"),
        ("status", "dbac"),
        ("state", "dbac"),
    ],
)
def test_the_list_is_sorted_by_the_field_that_is_asked_for(new_generio: NewGenerio, by: str, expected: str) -> None:
    generio = new_generio(settings={"looks": [0, 0]})
    _, second, third, fourth = [generio.create(additional=name) for name in "abcd"]
    for flow in (fourth, second):
        generio.add(flow, "A cup")
        generio.act(flow, "start")
        generio.finish(flow)
    generio.sandbox.new_account("generio", account=generio.account["account"], settings={"looks": [0, 9]})
    generio.add(third, "A cup")
    generio.act(third, "start")
    generio.look(third)
    assert "".join(each["additional"] for each in generio.flows(f"?sort_by={by}")) == expected


def test_the_list_cannot_be_sorted_by_anything_else(generio: GenerioCustomer) -> None:
    assert places(generio.http.get("/flows?sort_by=colour")) == [["query", "sort_by"]]


def test_the_list_is_filtered_by_state(new_generio: NewGenerio) -> None:
    generio = new_generio(settings={"looks": [0, 9]})
    waiting, running = generio.create(), generio.create("A cup")
    generio.look(running)
    for state, expected in (("created", [waiting]), ("running", [running]), ("starting", []), ("failed", [])):
        assert [each["flow_id"] for each in generio.flows(f"?filter_by={state}")] == [each["flow_id"] for each in expected]


def test_a_flow_that_leaves_the_state_by_being_looked_at_is_not_listed_under_it(new_generio: NewGenerio) -> None:
    generio = new_generio(settings={"looks": [0, 0]})
    flow = generio.create("A cup")
    assert generio.flows("?filter_by=starting") == []
    assert generio.look(flow)["state"] in {"running", "completed"}


def test_the_list_shows_only_the_fields_that_are_asked_for(generio: GenerioCustomer) -> None:
    flow = generio.create()
    assert generio.flows("?filter_by=flow_id,state") == [{"flow_id": flow["flow_id"], "state": "created"}]
    assert generio.flows("?filter_by=progress") == [{"progress": 0.0}]
    assert places(generio.http.get("/flows?filter_by=flow_id,colour")) == [["query", "filter_by"]]


def test_a_list_moves_every_flow_that_it_shows(generio: GenerioCustomer) -> None:
    generio.create("A cup")
    assert [generio.flows()[0]["state"] for _ in range(4)] == ["starting", "running", "running", "completed"]


# Templates, keys, money


def test_the_templates_are_described_alone_and_together(generio: GenerioCustomer) -> None:
    templates = generio.http.get("/templates").json()["templates"]
    assert [each["name"] for each in templates] == ["model_generate_fromprompt", "model_generate_fromimage", "model_optimize"]
    for each in templates:
        assert ID.fullmatch(each["id"])
        assert each["description"]
        assert each["output_types"] == ["model/gltf-binary"]
        assert (
            generio.http.get(f"/templates/{each['id']}").json() == each == generio.http.get(f"/templates/{each['name']}").json()
        )
    assert templates[0]["input_types"] == ["text/plain"]
    assert templates[0]["parameters"] == [
        {"name": "quality", "type": "string", "default": "high", "values": ["low", "high"]},
        {"name": "seed", "type": "integer", "default": -1},
        {"name": "texture", "type": "boolean", "default": True},
    ]
    assert templates[2]["parameters"] == [{"name": "polygon_count", "type": "integer", "default": 100_000}]
    assert detail(generio.http.get("/templates/model_dream"), 404) == "Template not found"


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer gn_wrong", "Basic gn_sandbox", "gn_sandbox"])
def test_nothing_is_open_without_a_key(sandbox: Sandbox, header: str | None) -> None:
    headers = {} if header is None else {"authorization": header}
    for path in ("/flows", "/templates", "/flows/x/outputs/y"):
        assert detail(httpx.get(f"{sandbox.url}/generio{path}", headers=headers), 401) == "Not authenticated"


def test_the_default_account_has_a_known_key(own_sandbox: Sandbox) -> None:
    response = httpx.get(f"{own_sandbox.url}/generio/flows", headers={"authorization": "Bearer gn_sandbox"})
    assert response.json() == {"flows": []}


def test_a_route_that_is_not_there_is_told_in_the_same_envelope(generio: GenerioCustomer) -> None:
    assert detail(generio.http.get("/flow"), 404) == "Not Found"


def test_a_start_that_cannot_be_paid_is_refused_and_leaves_the_flow_as_it_was(new_generio: NewGenerio) -> None:
    generio = new_generio(credits=1)
    flows = [generio.create() for _ in range(2)]
    for flow in flows:
        generio.add(flow, "A cup")
    assert generio.act(flows[0], "start").status_code == 200
    assert detail(generio.act(flows[1], "start"), 402) == "Insufficient credits"
    assert generio.look(flows[1])["state"] == "created"
    assert detail(generio.order("A cup"), 402) == "Insufficient credits"
    assert len(generio.flows()) == 2
    assert generio.credits == 0


def test_a_reset_forgets_the_flows(new_generio: NewGenerio) -> None:
    generio = new_generio()
    flow = generio.create()
    generio.sandbox.control("POST", "/reset", {"account": generio.account["account"]})
    assert generio.flows() == []
    assert generio.http.get(f"/flows/{flow['flow_id']}").status_code == 404


def test_the_outputs_of_an_account_can_have_their_time(own_sandbox: Sandbox, new_generio: NewGenerio) -> None:
    generio = new_generio(at=own_sandbox, settings={"output_lifetime": 1000})
    flow = generio.finish(generio.create("A cup"))
    path = generio.path(flow)
    own_sandbox.control("POST", "/clock", {"advance": 1001})
    assert detail(generio.http.get(path), 404) == "Flow not found"
    assert generio.flows() == []
