"""FLORA as its official client sees it today: workspaces, assets that are looked at, costs in USD."""

import time
from typing import Any

import httpx
import pytest

from tests.sandbox.flora_customers import FloraCustomer, NewFlora

TODAY = {
    "casing": "snake",
    "list_techniques": True,
    "list_runs": True,
    "assets": True,
    "workspaces": 1,
    "idempotency": "openapi",
}


@pytest.fixture
def today(new_flora: NewFlora) -> FloraCustomer:
    return new_flora(switches=TODAY)


def workspace_of(flora: FloraCustomer) -> str:
    return flora.http.get("/api/v1/workspaces").json()["workspaces"][0]["workspace_id"]


def put_up(flora: FloraCustomer, file: tuple[str, bytes, str], **fields: str) -> httpx.Response:
    return flora.http.post("/api/v1/assets", files={"file": file}, data={"workspace_id": workspace_of(flora), **fields})


def looked_at(flora: FloraCustomer, asset: dict[str, Any]) -> dict[str, Any]:
    """The asset once it is no longer pending."""
    while True:
        shown = flora.http.get(f"/api/v1/assets/{asset['asset_id']}").json()
        if shown["status"] != "pending_upload":
            return shown
        time.sleep(0.01)


def code_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


@pytest.mark.parametrize("count", [1, 3])
def test_an_account_has_as_many_workspaces_as_its_switch_says_each_with_a_project(new_flora: NewFlora, count: int) -> None:
    flora = new_flora(switches={**TODAY, "workspaces": count})
    workspaces = flora.http.get("/api/v1/workspaces").json()["workspaces"]

    assert len({one["workspace_id"] for one in workspaces}) == count
    assert all(one.keys() == {"workspace_id", "name", "role", "created_at"} for one in workspaces)
    for one in workspaces:
        (project,) = flora.http.get("/api/v1/projects", params={"workspace_id": one["workspace_id"]}).json()["projects"]
        assert project["workspace_id"] == one["workspace_id"]
        assert project["project_id"].startswith("prj_")
    assert code_of(flora.http.get("/api/v1/projects")) == (400, "input_validation_error")
    assert code_of(flora.http.get("/api/v1/projects", params={"workspace_id": "ws_x"})) == (404, "not_found")


def test_a_project_is_made_on_either_route_and_found_by_its_name(today: FloraCustomer) -> None:
    workspace = workspace_of(today)
    first = today.http.post("/api/v1/projects", json={"workspace_id": workspace, "name": "Mugs"})
    second = today.http.post(f"/api/v1/workspaces/{workspace}/projects", json={"name": "Cups"})

    assert (first.status_code, second.status_code) == (201, 201)
    listed = today.http.get("/api/v1/projects", params={"workspace_id": workspace, "query": "mug"}).json()
    assert listed == {"projects": [first.json()], "meta": {"next_cursor": None}}
    asset = put_up(today, ("a.png", b"\x89PNG\r\n\x1a\n", "image/png"), project_id=second.json()["project_id"]).json()
    of_cups = today.http.get("/api/v1/assets", params={"project_id": second.json()["project_id"]}).json()["assets"]
    assert [one["asset_id"] for one in of_cups] == [asset["asset_id"]]
    refused = today.http.post("/api/v1/projects", json={"workspace_id": workspace})
    assert code_of(refused) == (400, "input_validation_error")


def test_whichever_way_a_file_comes_its_workspace_must_be_named(today: FloraCustomer, photo: bytes) -> None:
    def sent(way: str, **workspace: str) -> httpx.Response:
        if way == "direct":
            return today.http.post("/api/v1/assets", files={"file": ("cup.jpg", photo, "image/jpeg")}, data=workspace)
        source = "signed-url" if way == "signed" else today.sandbox.sample
        return today.http.post("/api/v1/assets", json={"source": source, "file_name": "cup.jpg", **workspace})

    for way in ("direct", "signed", "link"):
        assert code_of(sent(way)) == (400, "input_validation_error")
        assert code_of(sent(way, workspace_id="ws_x")) == (404, "not_found")


def test_a_file_is_pending_for_a_moment_and_then_ready_and_a_run_takes_it(today: FloraCustomer, photo: bytes) -> None:
    created = put_up(today, ("cup.jpg", photo, "image/jpeg")).json()

    assert created == {
        "asset_id": created["asset_id"],
        "status": "pending_upload",
        "url": None,
        "uploaded_via": "direct",
        "visibility": "workspace",
        "workspace_id": workspace_of(today),
    }
    ready = looked_at(today, created)
    assert (ready["status"], ready["failure_message"], ready["size_bytes"]) == ("ready", None, len(photo))
    assert httpx.get(ready["url"]).content == photo
    assert today.finish(today.run(ready["url"]))["status"] == "completed"


@pytest.mark.parametrize(
    ("name", "media_type"),
    [("cup.jpg", "image/jpeg"), ("cup", "image/jpeg"), ("cup.bin", "image/jpeg"), ("clip.mov", "video/quicktime")],
)
def test_a_file_without_a_useful_type_is_told_by_its_name_else_by_its_bytes(
    today: FloraCustomer, photo: bytes, name: str, media_type: str
) -> None:
    data = b"\0\0\0\x14ftypqt  " if media_type.startswith("video") else photo
    asset = put_up(today, (name, data, "application/octet-stream"))

    assert looked_at(today, asset.json())["content_type"] == media_type


@pytest.mark.parametrize("data", [b"not a picture", b"RIFF....AVI ", b"%PDF-1.7", b""])
def test_what_is_not_what_it_says_fails_and_says_why_and_may_be_sent_anew(
    today: FloraCustomer, photo: bytes, data: bytes
) -> None:
    failed = looked_at(today, put_up(today, ("cup.jpg", data, "image/jpeg")).json())

    assert (failed["status"], failed["url"]) == ("failed", None)
    assert failed["failure_message"] == "The file cannot be read as image/jpeg."
    fresh = today.http.post(f"/api/v1/assets/{failed['asset_id']}/retry", json={}).json()
    sent = httpx.post(
        fresh["upload"]["url"], data=fresh["upload"]["form_fields"], files={"file": ("cup.jpg", photo, "image/jpeg")}
    )
    assert sent.status_code == 204
    assert today.http.post(f"/api/v1/assets/{failed['asset_id']}/complete").json()["status"] == "pending_upload"
    assert looked_at(today, failed)["status"] == "ready"


def test_a_reserved_address_can_be_one_that_takes_the_bytes_alone(new_flora: NewFlora, photo: bytes) -> None:
    flora = new_flora(switches={**TODAY, "signed_upload": "put"})
    order = {"source": "signed-url", "workspace_id": workspace_of(flora), "file_name": "cup.jpg"}
    asset = flora.http.post("/api/v1/assets", json=order).json()

    assert "upload" not in asset
    assert httpx.put(asset["upload_url"], content=photo).status_code == 204
    assert flora.http.post(f"/api/v1/assets/{asset['asset_id']}/complete").status_code == 200
    assert httpx.get(looked_at(flora, asset)["url"]).content == photo


def test_assets_are_listed_newest_first_page_by_page_and_by_name(today: FloraCustomer, photo: bytes) -> None:
    made = [put_up(today, (f"{name}.jpg", photo, "image/jpeg")).json()["asset_id"] for name in ("cup", "mug", "cups")]
    params = {"workspace_id": workspace_of(today), "limit": "2"}
    first = today.http.get("/api/v1/assets", params=params).json()
    rest = today.http.get("/api/v1/assets", params={**params, "cursor": first["meta"]["next_cursor"]}).json()

    assert [one["asset_id"] for one in first["assets"] + rest["assets"]] == made[::-1]
    assert rest["meta"]["next_cursor"] is None
    found = today.http.get("/api/v1/assets", params={"query": "cup"}).json()["assets"]
    assert [one["name"] for one in found] == ["cups.jpg", "cup.jpg"]
    assert today.http.get("/api/v1/assets/asset_x").status_code == 404


def test_costs_are_usd_and_listed_runs_name_their_technique_workspace_and_project(today: FloraCustomer) -> None:
    technique = today.http.get("/api/v1/techniques/portrait-enhancer").json()
    done = today.finish(today.run())

    assert (technique["run_cost"], done["charged_cost"]) == (0.05, 0.05)
    assert today.sandbox.account(today.account)["credits"] == 9995
    (listed,) = today.http.get("/api/v1/technique-runs", params={"workspace_id": workspace_of(today)}).json()["technique_runs"]
    assert listed["technique"] == {"technique_id": technique["technique_id"], "name": "Portrait Enhancer"}
    assert (listed["run_id"], listed["technique_run_id"]) == (done["run_id"], done["run_id"])
    assert (listed["workspace_id"], listed["charged_cost"]) == (workspace_of(today), 0.05)
    assert listed["project_id"].startswith("prj_")
    elsewhere = today.http.get("/api/v1/technique-runs", params={"workspace_id": "ws_x"}).json()
    assert elsewhere["technique_runs"] == []


def test_the_documents_generations_know_no_workspace(new_flora: NewFlora, photo: bytes) -> None:
    flora = new_flora(switches={"assets": True})
    asset = flora.http.post("/api/v1/assets", files={"file": ("cup.jpg", photo, "image/jpeg")}).json()

    assert asset["status"] == "ready"
    for path in ("workspaces", "projects", "assets", f"assets/{asset['asset_id']}"):
        assert code_of(flora.http.get(f"/api/v1/{path}")) == (404, "not_found")
