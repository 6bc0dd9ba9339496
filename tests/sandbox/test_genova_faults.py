import io
import json
from typing import Any

import httpx
import pytest
from PIL import Image, ImageChops

from tests.sandbox.genova_customers import GenovaCustomer, NewGenova
from tests.sandboxes import Sandbox


def file_of(genova: GenovaCustomer, job_id: str) -> bytes:
    return httpx.get(genova.http.get(f"/api/jobs/{job_id}/download").headers["location"]).content


def test_a_lost_answer_leaves_the_job_accepted_and_paid(genova: GenovaCustomer) -> None:
    genova.sandbox.fault(genova.account, "lose_answer", route="create_job")
    with pytest.raises(httpx.RemoteProtocolError):
        genova.create("A lost cat")
    (job,) = genova.jobs()
    assert (job["prompt"], genova.credits) == ("A lost cat", 9_999)


def test_a_database_error_comes_on_creation_alone_and_accepts_nothing(genova: GenovaCustomer) -> None:
    genova.sandbox.fault(genova.account, "d1_error")
    assert genova.http.get("/api/jobs").status_code == 200
    response = genova.create()
    assert response.status_code == 500
    assert response.json().keys() == {"error", "details", "stack"}
    assert (genova.jobs(), genova.credits) == ([], 10_000)


@pytest.mark.parametrize("at", ["creation", "end"])
def test_a_vanished_job_leaves_the_list_and_is_not_found(new_genova: NewGenova, at: str) -> None:
    genova = new_genova(settings={"looks": [0, 1]})
    genova.sandbox.fault(genova.account, "vanish", at=at)
    job_id = genova.buy()
    if at == "end":
        assert genova.look(job_id)["status"] == "processing"
        genova.http.get(f"/api/jobs/{job_id}")
    response = genova.http.get(f"/api/jobs/{job_id}")
    assert (response.status_code, response.json()) == (404, {"error": "Job not found"})
    assert genova.http.get("/api/jobs").json() == {"jobs": [], "total": 0}
    assert all(not genova.jobs(f"?status={status}") for status in ("pending", "queued", "processing", "completed", "failed"))
    assert genova.credits == 9_999


def test_a_vanished_job_frees_its_place(new_genova: NewGenova) -> None:
    genova = new_genova(plan="Free", settings={"looks": [0, 0]})
    genova.sandbox.fault(genova.account, "vanish", at="end", times=2)
    for _ in range(2):
        genova.http.get(f"/api/jobs/{genova.buy()}")
    assert genova.create().status_code == 201


def test_a_completed_job_can_hold_a_picture_of_something_else(own_sandbox: Sandbox, new_genova: NewGenova) -> None:
    right, wrong = (new_genova(at=own_sandbox, settings={"looks": [0, 0]}) for _ in range(2))
    own_sandbox.fault(wrong.account, "wrong_picture")
    prompt = "A lighthouse above the sea at night"
    files = [file_of(each, each.finish(each.buy(prompt))["id"]) for each in (right, wrong, wrong)]
    pictures = [Image.open(io.BytesIO(file)) for file in files]
    assert pictures[0].size == pictures[1].size
    assert ImageChops.difference(pictures[0], pictures[1]).getbbox() is not None
    assert file_of(right, right.finish(right.buy(prompt))["id"]) == files[2], "the second of that prompt is right again"


@pytest.mark.parametrize(("kind", "field"), [("settings_as_string", "settings"), ("result_urls_as_string", "result_urls")])
def test_a_column_can_come_as_the_string_it_is_stored_in(new_genova: NewGenova, kind: str, field: str) -> None:
    genova = new_genova(settings={"looks": [0, 0]})
    job = genova.finish(genova.buy(count=2))
    genova.sandbox.fault(genova.account, kind, times=2)
    for shown in (genova.look(job["id"]), genova.jobs()[0]):
        assert isinstance(shown[field], str)
        assert json.loads(shown[field]) == job[field]
    assert genova.look(job["id"]) == job


def test_nulls_leave_id_type_and_status(genova: GenovaCustomer) -> None:
    job_id = genova.buy()
    genova.sandbox.fault(genova.account, "nulls")
    shown = genova.look(job_id)
    assert {name for name, value in shown.items() if value is not None} == {"id", "type", "status"}


@pytest.mark.parametrize("path", ["/api/jobs", "/api/jobs/{job_id}"])
def test_an_unknown_status_can_come_in_the_list_and_by_id(genova: GenovaCustomer, path: str) -> None:
    job_id = genova.buy()
    genova.sandbox.fault(genova.account, "unknown_status")
    shown: dict[str, Any] = genova.http.get(path.format(job_id=job_id)).json()
    assert (shown if "status" in shown else shown["jobs"][0])["status"] == "wibble"


def test_a_stuck_job_never_ends_and_holds_its_place(new_genova: NewGenova) -> None:
    genova = new_genova(plan="Free")
    genova.sandbox.fault(genova.account, "stuck")
    job_id = genova.buy()
    assert [genova.look(job_id)["status"] for _ in range(8)][1:] == ["processing"] * 7
    genova.buy()
    assert genova.create().status_code == 429


def test_a_scripted_rate_limit_speaks_genovas_language(genova: GenovaCustomer) -> None:
    genova.sandbox.fault(genova.account, "rate_limit", retry_after=7)
    response = genova.create()
    assert (response.status_code, response.json()["error"]) == (429, "Rate limit exceeded")
    assert response.headers["retry-after"] == "7"
    genova.sandbox.fault(genova.account, "server_error", status=503)
    assert genova.create().json()["error"] == "Service unavailable"


def test_faults_can_be_meant_for_a_websocket_route(genova: GenovaCustomer) -> None:
    genova.sandbox.fault(genova.account, "drop_socket", route="/ws/user")
    with pytest.raises(httpx.HTTPStatusError):
        genova.sandbox.fault(genova.account, "drop_socket", route="/ws/nowhere")
