import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from genmedia.sandbox.flora.requests import on_allowed_host
from tests.sandbox.flora_customers import FloraCustomer, NewFlora
from tests.sandboxes import Sandbox, running_sandbox

EXAMPLE = Path(__file__).with_name("flora_document_example.py.txt")


def picture_at(url: str) -> Image.Image:
    response = httpx.get(url)
    assert response.status_code == 200
    return Image.open(io.BytesIO(response.content))


def code_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_the_documents_own_example_runs_unchanged_and_yields_a_picture(sandbox: Sandbox, tmp_path: Path) -> None:
    account = sandbox.new_account()
    script = tmp_path / "example.py"
    source = EXAMPLE.read_text()
    for old, new in (
        ("https://app.flora.ai", account["base_url"]),
        ("sk_live_XXXX", account["api_key"]),
        ("https://example.com/photo.jpg", sandbox.sample),
    ):
        assert source.count(f'"{old}"') == 1
        source = source.replace(f'"{old}"', f'"{new}"')
    script.write_text(source)

    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr
    assert "Technique: Portrait Enhancer (cost: 5 credits)" in done.stdout
    (output,) = re.findall(r"^Output: (\S+)$", done.stdout, re.MULTILINE)
    assert max(picture_at(output).size) == 256


def test_a_technique_is_shown_as_the_document_prints_it(flora: FloraCustomer) -> None:
    response = flora.http.get("/api/v1/techniques/portrait-enhancer")
    shown = response.json()
    assert response.status_code == 200
    assert isinstance(shown.pop("techniqueId"), str)
    assert shown == {
        "name": "Portrait Enhancer",
        "description": "Enhance portrait photos with AI",
        "runCost": 5,
        "inputs": [{"id": "input_image", "name": "Input Image", "type": "imageUrl"}],
        "outputs": [{"id": "output_image", "name": "Output Image", "type": "imageUrl"}],
    }


def test_a_run_goes_from_pending_over_running_to_completed_and_is_charged_once(flora: FloraCustomer) -> None:
    created = flora.run()
    assert created.keys() == {"runId", "createdAt", "status", "progress", "pollUrl"}
    assert (created["status"], created["progress"]) == ("pending", 0)
    assert created["pollUrl"].startswith(flora.account["base_url"])

    looks = [flora.poll(created) for _ in range(4)]
    assert [look["status"] for look in looks] == ["pending", "running", "running", "completed"]
    assert [look["progress"] for look in looks] == sorted(look["progress"] for look in looks)
    assert all(look["progress"] < 100 for look in looks[:-1])
    assert looks[0].keys() == {"runId", "status", "progress", "createdAt"}
    done = looks[-1]
    assert done["chargedCost"] == 5
    assert done["progress"] == 100
    assert done["createdAt"] <= done["startedAt"] <= done["completedAt"]
    assert [(output["outputId"], output["type"]) for output in done["outputs"]] == [("output_image", "imageUrl")]
    assert flora.sandbox.account(flora.account)["credits"] == 9995
    assert flora.poll(created) == done


def test_a_text_output_stands_in_the_url_itself(flora: FloraCustomer) -> None:
    done = flora.finish(flora.run(slug="art-directors-critique"))
    outputs = {output["outputId"]: output for output in done["outputs"]}
    assert outputs["critique"]["type"] == "text"
    assert "://" not in outputs["critique"]["url"]
    assert len(outputs["critique"]["url"]) > 20


def test_an_output_is_accepted_as_the_next_input(flora: FloraCustomer) -> None:
    first = flora.finish(flora.run())
    second = flora.finish(flora.run(first["outputs"][0]["url"], slug="studio-blur"))
    assert second["status"] == "completed"
    assert max(picture_at(second["outputs"][0]["url"]).size) == 256


def test_the_poll_address_uses_the_host_that_the_caller_used(flora: FloraCustomer) -> None:
    host = flora.sandbox.url.replace("http://127.0.0.1", "localhost")
    response = flora.http.post("/api/v1/techniques/portrait-enhancer/runs", json=flora.order(), headers={"host": host})
    assert response.json()["pollUrl"].startswith(f"http://{host}/flora/api/v1/techniques/portrait-enhancer/runs/j57")


def test_a_run_with_several_wrong_inputs_names_every_one(flora: FloraCustomer) -> None:
    inputs = [
        {"id": "first_frame", "type": "videoUrl", "value": flora.sandbox.sample},
        {"id": "first_frame", "type": "imageUrl", "value": " "},
        {"id": "stranger", "type": "text", "value": "x"},
        "nonsense",
    ]
    response = flora.http.post("/api/v1/techniques/seamless-transition/runs", json={"inputs": inputs, "mode": "stream"})
    assert code_of(response) == (400, "input_validation_error")
    message = response.json()["error"]["message"]
    for part in (
        'mode must be "async"',
        "first_frame must have type imageUrl",
        "first_frame is given twice",
        "first_frame needs a value",
        "'stranger' is not an input of seamless-transition",
        "inputs[3] must be an object",
        "last_frame is missing",
    ):
        assert part in message
    assert flora.sandbox.jobs(flora.account) == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "invalid_json"),
        (b"", "invalid_json"),
        (b"[]", "input_validation_error"),
        (b'{"mode": "async"}', "input_validation_error"),
        (b'{"mode": "async", "inputs": {}}', "input_validation_error"),
        (b'{"mode": "async", "inputs": [], "idempotency_key": 7}', "input_validation_error"),
    ],
)
def test_a_body_that_is_no_run_is_refused(flora: FloraCustomer, body: bytes, code: str) -> None:
    assert code_of(flora.http.post("/api/v1/techniques/portrait-enhancer/runs", content=body)) == (400, code)


@pytest.mark.parametrize(
    "url",
    [
        "https://media.flora.ai/a.png",
        "https://storage.googleapis.com/bucket/a.png",
        "https://my-bucket.storage.googleapis.com/a.png?X-Goog-Signature=1",
        "https://bucket.s3.eu-west-1.amazonaws.com/a.png",
        "https://bucket.with.dots.s3.amazonaws.com/a.png",
        "https://s3.us-east-2.amazonaws.com/bucket/a.png",
        "https://s3.amazonaws.com/bucket/a.png",
        "https://s3-us-west-2.amazonaws.com/bucket/a.png",
        "https://s3.dualstack.ap-southeast-1.amazonaws.com/bucket/a.png",
        "https://bucket.s3.dualstack.us-gov-west-1.amazonaws.com/a.png",
        "https://bucket.s3-accelerate.amazonaws.com/a.png",
        "https://bucket.s3-accelerate.dualstack.amazonaws.com/a.png",
        "https://ik.imagekit.io/x/a.png",
        "https://MEDIA.flora.ai:443/a.png",
        "http://127.0.0.1:9000/bucket/a.png",
    ],
)
def test_the_documented_hosts_and_the_named_origins_are_allowed(url: str) -> None:
    assert on_allowed_host(url, ("http://127.0.0.1:9000",))


@pytest.mark.parametrize(
    "url",
    [
        "http://media.flora.ai/a.png",
        "https://example.com/photo.jpg",
        "https://media.flora.ai.example.com/a.png",
        "https://media.flora.ai@example.com/a.png",
        "https://user:secret@media.flora.ai/a.png",
        "https://xmedia.flora.ai/a.png",
        "https://bucket.s3-website-us-east-1.amazonaws.com/a.png",
        "https://ec2.us-east-1.amazonaws.com/a.png",
        "https://s3-accelerate.amazonaws.com/a.png",
        "https://media.flora.ai:8443/a.png",
        "http://127.0.0.1:9001/a.png",
        "data:image/png;base64,AAAA",
        "https://[broken/a.png",
        "photo.jpg",
    ],
)
def test_everything_else_is_refused_and_names_the_input(flora: FloraCustomer, url: str) -> None:
    assert not on_allowed_host(url, ("http://127.0.0.1:9000",))
    response = flora.create(url)
    assert code_of(response) == (400, "input_validation_error")
    assert "input_image must be an https:// address" in response.json()["error"]["message"]


def test_a_named_origin_is_fetched_over_http_and_its_redirects_are_not_followed(new_flora: NewFlora) -> None:
    storage = new_flora()
    picture = storage.finish(storage.run())["outputs"][0]["url"]
    options = {"size": 64, "input_origins": [storage.sandbox.media_url], "switches": {"flora": {"casing": "snake"}}}
    with running_sandbox(json.dumps(options)) as other:
        account = other.new_account(settings={"advance": "looks"})
        with httpx.Client(
            timeout=60, base_url=account["base_url"], headers={"authorization": f"Bearer {account['api_key']}"}
        ) as http:
            flora = FloraCustomer(other, account, http)
            assert flora.finish(flora.run(picture))["status"] == "completed"
            storage.sandbox.fault(storage.account, "redirect", route="download", location=storage.sandbox.sample)
            assert flora.finish(flora.run(picture))["error_code"] == "input_unreachable"


def test_a_foreign_host_can_be_refused_by_the_run_instead(new_flora: NewFlora) -> None:
    flora = new_flora(switches={"refuse_inputs": "run"})
    done = flora.finish(flora.run("https://example.com/photo.jpg"))
    assert (done["status"], done["errorCode"]) == ("failed", "input_unreachable")
    assert "input_image" in done["errorMessage"]
    assert "chargedCost" not in done


def test_an_input_that_cannot_be_fetched_fails_the_run_and_costs_nothing(flora: FloraCustomer) -> None:
    for address in ("https://media.flora.ai/not-there.png", f"{flora.sandbox.media_url}/files/not/there.png"):
        done = flora.finish(flora.run(address))
        assert (done["status"], done["errorCode"]) == ("failed", "input_unreachable")
    assert flora.sandbox.account(flora.account)["credits"] == 10_000


def test_an_input_that_is_no_picture_fails_the_run(new_flora: NewFlora) -> None:
    flora = new_flora(switches={"assets": True})
    asset = flora.http.post("/api/v1/assets", files={"file": ("a.png", b"not a picture", "image/png")}).json()
    done = flora.finish(flora.run(asset["url"]))
    assert (done["status"], done["errorCode"]) == ("failed", "input_unreachable")
    assert "input_image" in done["errorMessage"]


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "unauthorized"),
        ("Bearer sk_live_wrong", "invalid_api_key"),
        ("Basic abc", "invalid_api_key"),
        ("Bearer", "invalid_api_key"),
    ],
)
def test_a_missing_key_and_a_wrong_key_are_told_apart(sandbox: Sandbox, header: str | None, code: str) -> None:
    headers = {"authorization": header} if header else {}
    response = httpx.get(f"{sandbox.url}/flora/api/v1/techniques/mugshot", headers=headers)
    assert code_of(response) == (401, code)
    assert response.headers["request-id"].startswith("req_")


def test_what_is_not_there_answers_not_found_in_the_envelope(flora: FloraCustomer, new_flora: NewFlora) -> None:
    run = flora.run()
    path = f"/api/v1/techniques/portrait-enhancer/runs/{run['runId']}"
    stranger = new_flora()
    for response in (
        flora.http.get("/api/v1/techniques/no-such-technique"),
        flora.http.post("/api/v1/techniques/no-such-technique/runs", json=flora.order()),
        flora.http.get("/api/v1/techniques/mugshot/runs/j57nothing"),
        flora.http.get(path.replace("portrait-enhancer", "mugshot")),
        stranger.http.get(path),
        flora.http.delete(path),
        flora.http.get("/api/v2/whatever"),
        flora.http.get("/api/v1/techniques"),
        flora.http.get("/api/v1/technique-runs"),
        flora.http.post("/api/v1/assets", json={}),
    ):
        assert code_of(response) == (404, "not_found")
        assert response.headers["request-id"].startswith("req_")


def test_credits_promised_to_open_runs_cannot_be_spent_again(new_flora: NewFlora) -> None:
    flora = new_flora(credits=9)
    run = flora.run()
    assert code_of(flora.create()) == (402, "insufficient_credits")
    assert flora.finish(run)["chargedCost"] == 5
    assert flora.sandbox.account(flora.account)["credits"] == 4
    assert code_of(flora.create()) == (402, "insufficient_credits")


def test_a_failed_run_gives_its_promise_back(new_flora: NewFlora) -> None:
    flora = new_flora(credits=5)
    flora.sandbox.fault(flora.account, "fail", error_code="safety_blocked")
    assert flora.finish(flora.run())["errorCode"] == "safety_blocked"
    assert flora.finish(flora.run())["status"] == "completed"


def test_a_repeated_key_returns_the_run_that_exists_whatever_is_asked(flora: FloraCustomer) -> None:
    run = flora.run(idempotency_key="k1")
    done = flora.finish(run)
    again = flora.create(slug="mugshot", idempotency_key="k1")
    assert again.status_code == 200
    assert again.json()["runId"] == run["runId"]
    assert again.json()["status"] == "completed"
    assert again.json()["outputs"] == done["outputs"]
    assert len(flora.sandbox.jobs(flora.account)) == 1


def test_a_key_is_one_accounts_own_and_ends_with_its_window(own_sandbox: Sandbox) -> None:
    first, second = own_sandbox.new_account(), own_sandbox.new_account()

    def buy(account: dict[str, str]) -> httpx.Response:
        return httpx.post(
            f"{account['base_url']}/api/v1/techniques/portrait-enhancer/runs",
            headers={"authorization": f"Bearer {account['api_key']}"},
            json={
                "inputs": [{"id": "input_image", "type": "imageUrl", "value": own_sandbox.sample}],
                "mode": "async",
                "idempotency_key": "k",
            },
        )

    assert [buy(first).status_code, buy(first).status_code, buy(second).status_code] == [201, 200, 201]
    own_sandbox.control("POST", "/clock", {"advance": 24 * 3600})
    assert buy(first).status_code == 201


def test_by_the_newer_pages_a_repeat_is_replayed_and_another_body_conflicts(new_flora: NewFlora) -> None:
    flora = new_flora(switches={"idempotency": "docs"})
    run = flora.run(idempotency_key="k")
    flora.finish(run)
    replay = flora.create(idempotency_key="k")
    assert (replay.status_code, replay.json()) == (201, run)
    assert replay.headers["idempotent-replayed"] == "true"
    assert code_of(flora.create(slug="mugshot", idempotency_key="k")) == (422, "idempotency_conflict")


def test_by_the_openapi_file_the_key_is_a_header_and_a_repeat_is_a_duplicate(new_flora: NewFlora) -> None:
    flora = new_flora(switches={"idempotency": "openapi"})
    path, headers = "/api/v1/techniques/portrait-enhancer/runs", {"idempotency-key": "k"}
    assert flora.http.post(path, json=flora.order(), headers=headers).status_code == 201
    assert code_of(flora.http.post(path, json=flora.order(), headers=headers)) == (409, "idempotency_duplicate")
    assert flora.create(idempotency_key="k").status_code == 201


def test_the_snake_profile_renames_every_field_and_id(new_flora: NewFlora) -> None:
    flora = new_flora(switches={"casing": "snake"})
    technique = flora.http.get("/api/v1/techniques/portrait-enhancer").json()
    assert technique.keys() == {"technique_id", "name", "description", "run_cost", "inputs", "outputs"}
    assert flora.http.get(f"/api/v1/techniques/{technique['technique_id']}").json() == technique
    run = flora.run()
    assert run.keys() == {"run_id", "created_at", "status", "progress", "poll_url"}
    assert re.fullmatch(r"run_\S+", run["run_id"])
    done = flora.finish(run)
    assert done.keys() == {
        *("run_id", "status", "progress", "created_at", "started_at", "completed_at", "charged_cost", "outputs"),
    }
    assert done["outputs"][0].keys() == {"output_id", "type", "url"}


def test_techniques_are_listed_page_by_page_and_by_query(new_flora: NewFlora) -> None:
    flora = new_flora(switches={"list_techniques": True})
    slugs: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = flora.http.get("/api/v1/techniques", params={"limit": 10, "cursor": cursor}).json()
        slugs += [technique["slug"] for technique in page["techniques"]]
        cursor = page["meta"]["next_cursor"]
    assert len(slugs) == len(set(slugs)) == 39
    found = flora.http.get("/api/v1/techniques", params={"query": "amsterdam"}).json()["techniques"]
    assert [technique["slug"] for technique in found] == ["live-like-an-amsterdammer"]
    for wrong in ({"limit": 0}, {"limit": 101}, {"limit": "x"}, {"cursor": "nowhere"}):
        assert code_of(flora.http.get("/api/v1/techniques", params=wrong)) == (400, "input_validation_error")


def test_runs_are_listed_newest_first_and_by_status(new_flora: NewFlora) -> None:
    flora = new_flora(switches={"list_runs": True})
    first, second, third = flora.run(), flora.run(slug="mugshot"), flora.run()
    flora.finish(first)

    def listed(**params: str) -> list[str]:
        return [run["runId"] for run in flora.http.get("/api/v1/technique-runs", params=params).json()["technique_runs"]]

    assert listed(status="completed") == [first["runId"]]
    mugshots = flora.http.get("/api/v1/techniques/mugshot").json()["techniqueId"]
    assert listed(technique_id=mugshots) == [second["runId"]]
    page = flora.http.get("/api/v1/technique-runs", params={"limit": 2}).json()
    assert [run["runId"] for run in page["technique_runs"]] == [third["runId"], second["runId"]]
    assert listed(cursor=page["meta"]["next_cursor"]) == [first["runId"]]
    assert flora.http.get("/api/v1/technique-runs", params={"status": "wibble"}).status_code == 400


def test_a_local_file_gets_in_by_a_signed_upload_that_needs_no_key(new_flora: NewFlora, photo: bytes) -> None:
    flora = new_flora(switches={"assets": True})
    order = {"source": "signed-url", "workspace_id": "ws_1", "file_name": "cup.jpg", "content_type": "image/jpeg", "folder": "x"}
    asset = flora.http.post("/api/v1/assets", json=order).json()
    assert asset["status"] == "pending_upload"
    complete = f"/api/v1/assets/{asset['asset_id']}/complete"
    assert code_of(flora.http.post(complete)) == (400, "invalid_json")
    assert code_of(flora.http.post(complete, json={})) == (409, "conflict")

    fresh = flora.http.post(f"/api/v1/assets/{asset['asset_id']}/retry", json={}).json()
    upload = fresh["upload"]
    assert upload["url"] != asset["upload"]["url"]
    sent = httpx.request(
        upload["method"],
        upload["url"],
        data=upload["form_fields"],
        files={upload["file_field"]: ("cup.jpg", photo, "image/jpeg")},
    )
    assert sent.status_code == 204
    ready = flora.http.post(complete, json={}).json()
    assert ready["status"] == "ready"
    assert httpx.get(ready["url"]).content == photo
    assert flora.finish(flora.run(ready["url"]))["status"] == "completed"
    assert code_of(flora.http.post(f"/api/v1/assets/{asset['asset_id']}/retry", json={})) == (409, "conflict")


def test_a_small_file_or_an_address_becomes_an_asset_at_once(new_flora: NewFlora, photo: bytes) -> None:
    flora = new_flora(switches={"assets": True})
    direct = flora.http.post("/api/v1/assets", files={"file": ("cup.jpg", photo, "image/jpeg")}).json()
    assert httpx.get(direct["url"]).content == photo
    copied = flora.http.post("/api/v1/assets", json={"source": direct["url"]}).json()
    assert copied["url"] != direct["url"]
    assert httpx.get(copied["url"]).content == photo
    refused: list[dict[str, Any]] = [
        {"files": {"file": ("big.png", bytes(4 * 1024 * 1024 + 1), "image/png")}},
        {"files": {"file": ("a.exe", b"MZ", "application/x-msdownload")}},
        {"json": {"source": "http://example.com/a.png"}},
        {"json": {"source": "signed-url", "content_type": "image/png"}},
        {"json": {}},
    ]
    for wrong in refused:
        assert code_of(flora.http.post("/api/v1/assets", **wrong)) == (400, "input_validation_error")
