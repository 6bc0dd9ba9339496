import json
from typing import Any

import httpx
import pytest

from tests.sandbox.generio_customers import GenerioCustomer, NewGenerio, triangles, unpacked


def test_a_lost_answer_to_an_order_leaves_a_flow_that_has_started(generio: GenerioCustomer) -> None:
    generio.sandbox.fault(generio.account, "lose_answer", route="create_flow")
    with pytest.raises(httpx.RemoteProtocolError):
        generio.order("A cup", additional="mine")
    (flow,) = generio.flows()
    assert (flow["additional"], flow["state"], generio.credits) == ("mine", "starting", 9_999)


def test_a_lost_answer_in_the_first_phase_leaves_an_idle_flow(generio: GenerioCustomer) -> None:
    generio.sandbox.fault(generio.account, "lose_answer", route="POST /flows")
    with pytest.raises(httpx.RemoteProtocolError):
        generio.order(additional="mine")
    (flow,) = generio.flows()
    assert (flow["additional"], flow["state"], generio.credits) == ("mine", "created", 10_000)


def test_a_lost_answer_to_an_upload_leaves_the_input(generio: GenerioCustomer) -> None:
    flow = generio.create()
    generio.sandbox.fault(generio.account, "lose_answer", route="add_input")
    with pytest.raises(httpx.RemoteProtocolError):
        generio.add(flow, "A cup", additional="mine")
    (asset,) = generio.http.get(f"/flows/{flow['flow_id']}/inputs").json()["inputs"]
    assert asset["additional"] == "mine"


def test_a_lost_answer_to_a_start_leaves_the_flow_started_and_a_second_start_is_refused(generio: GenerioCustomer) -> None:
    flow = generio.create()
    generio.add(flow, "A cup")
    generio.sandbox.fault(generio.account, "lose_answer", route="control_flow")
    with pytest.raises(httpx.RemoteProtocolError):
        generio.act(flow, "start")
    assert generio.act(flow, "start").status_code == 409
    assert generio.credits == 9_999


@pytest.mark.parametrize("kind", ["reset", "server_error", "rate_limit", "html_error"])
def test_what_never_arrived_leaves_nothing(generio: GenerioCustomer, kind: str) -> None:
    generio.sandbox.fault(generio.account, kind)
    if kind == "reset":
        with pytest.raises(httpx.ReadError):
            generio.order("A cup")
    else:
        assert generio.order("A cup").status_code in {429, 500, 502}
    assert (generio.flows(), generio.credits) == ([], 10_000)


@pytest.mark.parametrize(("kind", "status"), [("server_error", 500), ("rate_limit", 429)])
def test_scripted_refusals_speak_fastapis_language(generio: GenerioCustomer, kind: str, status: int) -> None:
    generio.sandbox.fault(generio.account, kind)
    response = generio.http.get("/flows")
    assert response.status_code == status
    assert response.json().keys() == {"detail"}


def test_broken_json_comes_though_the_flow_was_accepted(generio: GenerioCustomer) -> None:
    generio.sandbox.fault(generio.account, "broken_json")
    response = generio.order("A cup")
    assert response.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        response.json()
    assert len(generio.flows()) == 1


@pytest.mark.parametrize(("at", "looks"), [("creation", 0), ("end", 1)])
def test_a_vanished_flow_was_paid_for_and_is_nowhere(new_generio: NewGenerio, at: str, looks: int) -> None:
    generio = new_generio(settings={"looks": [0, 1]})
    generio.sandbox.fault(generio.account, "vanish", at=at)
    flow = generio.create("A cup")
    for _ in range(looks):
        assert generio.look(flow)["state"] == "running"
    for _ in range(2):
        assert generio.http.get(f"/flows/{flow['flow_id']}").json() == {"detail": "Flow not found"}
    assert (generio.flows(), generio.credits) == ([], 9_999)
    assert generio.delete(flow).status_code == 404


def test_a_flow_that_vanishes_while_the_list_looks_at_it_is_not_listed(new_generio: NewGenerio) -> None:
    generio = new_generio(settings={"looks": [0, 0]})
    generio.sandbox.fault(generio.account, "vanish", at="end")
    generio.create("A cup")
    assert generio.flows() == []


def test_a_stuck_flow_never_ends_until_it_is_aborted(generio: GenerioCustomer) -> None:
    generio.sandbox.fault(generio.account, "stuck")
    flow = generio.create("A cup", "A car")
    assert [generio.look(flow)["state"] for _ in range(9)][1:] == ["running"] * 8
    generio.act(flow, "abort")
    assert (generio.look(flow)["state"], generio.outputs(flow)) == ("aborted", [])


@pytest.mark.parametrize("kind", ["fail", "capture_failure"])
def test_a_scripted_failure_says_why_costs_nothing_and_leaves_half_of_several_models(generio: GenerioCustomer, kind: str) -> None:
    generio.sandbox.fault(generio.account, kind, message="The kiln broke.")
    flow = generio.finish(generio.create("A cup", "A car"))
    assert (flow["state"], flow["error"]) == ("failed", "The kiln broke.")
    assert [each["additional"] for each in generio.outputs(flow)] == [0]
    assert generio.http.get(generio.path(flow)).status_code == 200
    assert generio.credits == 10_000
    (job,) = generio.sandbox.jobs(generio.account)
    assert (job["status"], job["charged"]) == ("failed", 0)


def test_content_is_refused_when_a_flow_is_started_or_where_the_script_says(generio: GenerioCustomer) -> None:
    flow = generio.create()
    generio.sandbox.fault(generio.account, "refused")
    generio.sandbox.fault(generio.account, "refused", route="add_input", message="Not this.")
    assert [generio.add(flow, "A cup").status_code for _ in range(2)] == [400, 200]
    refused = generio.act(flow, "start")
    assert (refused.status_code, refused.json()) == (400, {"detail": "The input was flagged by our content moderation."})
    assert generio.look(flow)["state"] == "created"
    assert generio.act(flow, "start").status_code == 200


def test_a_flow_with_one_input_that_fails_has_no_output(new_generio: NewGenerio) -> None:
    generio = new_generio(settings={"failure_rate": 1})
    flow = generio.finish(generio.create("A cup"))
    assert (flow["state"], generio.outputs(flow)) == ("failed", [])


@pytest.mark.parametrize("query", ["", "?sort_by=status"])
def test_an_unknown_state_comes_by_id_and_in_the_list_and_never_on_an_asset(generio: GenerioCustomer, query: str) -> None:
    flow = generio.create()
    generio.sandbox.fault(generio.account, "unknown_status", times=2)
    assert generio.add(flow, "A cup").json()["status"] == "available"
    assert generio.look(flow)["state"] == "wibble"
    assert generio.flows(query)[0]["state"] == "wibble"
    assert generio.flows(query) == [generio.look(flow)]


def test_nulls_leave_a_flow_its_id_and_state(generio: GenerioCustomer) -> None:
    flow = generio.create(additional="mine")
    generio.sandbox.fault(generio.account, "nulls", times=2)
    for shown in (generio.look(flow), generio.flows()[0]):
        assert {name for name, value in shown.items() if value is not None} == {"flow_id", "state"}
        assert shown.keys() == flow.keys()


def test_extra_fields_leave_the_others_alone(generio: GenerioCustomer) -> None:
    flow = generio.create()
    generio.sandbox.fault(generio.account, "extra_fields", times=2)
    assert generio.look(flow).items() > flow.items()
    listed = generio.http.get("/flows").json()
    assert listed["flows"] == [flow]
    assert listed.keys() > {"flows"}


# Files


@pytest.fixture(params=["json", "raw"])
def finished(new_generio: NewGenerio, request: pytest.FixtureRequest) -> tuple[GenerioCustomer, str]:
    generio = new_generio(switches={"download": request.param})
    return generio, generio.path(generio.finish(generio.create("A cup")))


def content(response: httpx.Response) -> bytes:
    assert response.status_code == 200
    if response.headers["content-type"] == "model/gltf-binary":
        return response.content
    return unpacked(response.json()["data"])


def test_a_truncated_download_breaks_off_before_its_stated_length(finished: tuple[GenerioCustomer, str]) -> None:
    generio, path = finished
    generio.sandbox.fault(generio.account, "truncated")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        generio.http.get(path)
    assert triangles(content(generio.http.get(path))) > 100


def test_a_download_that_is_cut_short_looks_whole_and_is_half_a_model(finished: tuple[GenerioCustomer, str]) -> None:
    generio, path = finished
    whole = content(generio.http.get(path))
    generio.sandbox.fault(generio.account, "cut_short")
    assert content(generio.http.get(path)) == whole[: len(whole) // 2]


@pytest.mark.parametrize(("kind", "start"), [("wrong_bytes", b"<!doctype html>"), ("wrong_type", b"\x89PNG")])
def test_a_download_can_hold_something_else_under_the_models_type(
    finished: tuple[GenerioCustomer, str], kind: str, start: bytes
) -> None:
    generio, path = finished
    generio.sandbox.fault(generio.account, kind)
    assert content(generio.http.get(path)).startswith(start)
    assert content(generio.http.get(path)).startswith(b"glTF")


def test_an_endless_download_goes_on_until_the_reader_leaves(finished: tuple[GenerioCustomer, str]) -> None:
    generio, path = finished
    generio.sandbox.fault(generio.account, "endless")
    read = 0
    with generio.http.stream("GET", path) as response:
        assert "content-length" not in response.headers
        for chunk in response.iter_raw():
            read += len(chunk)
            if read > 5_000_000:
                break
    assert read > 5_000_000


def test_an_expired_download_is_a_flow_that_is_gone(finished: tuple[GenerioCustomer, str]) -> None:
    generio, path = finished
    generio.sandbox.fault(generio.account, "expired")
    response = generio.http.get(path)
    assert (response.status_code, response.json()) == (404, {"detail": "Flow not found"})


def test_a_download_can_be_slow_or_redirected(finished: tuple[GenerioCustomer, str]) -> None:
    generio, path = finished
    generio.sandbox.fault(generio.account, "redirect", route="download", location="http://127.0.0.1:9/")
    assert generio.http.get(path).headers["location"] == "http://127.0.0.1:9/"
    generio.sandbox.fault(generio.account, "slow", route="download", seconds=60)
    with pytest.raises(httpx.ReadTimeout):
        generio.http.get(path, timeout=0.3)


def test_a_completed_flow_can_hold_a_model_of_something_else(new_generio: NewGenerio) -> None:
    right, wrong = new_generio(), new_generio()
    wrong.sandbox.fault(wrong.account, "wrong_picture")
    order: dict[str, Any] = {"parameters": {"seed": 1}}
    models = [each.model("A lighthouse", **order) for each in (right, wrong, wrong)]
    assert models[0] != models[1]
    assert models[0] == models[2]


def test_files_never_leave_by_the_media_origin(generio: GenerioCustomer) -> None:
    generio.model("A cup")
    assert {line["route"] for line in generio.sandbox.requests(generio.account)} == {
        "/flows", "/flows/{flow_id}", "/flows/{flow_id}/outputs", "/flows/{flow_id}/outputs/{asset_id}",
    }  # fmt: skip
