import base64
import io
from datetime import datetime
from typing import Any

import av
import httpx
import pytest
from PIL import Image

from tests.sandbox.genova_customers import GenovaCustomer, NewGenova, hear_until
from tests.sandboxes import Sandbox


def refused(response: httpx.Response) -> tuple[int, str, str]:
    body = response.json()
    return response.status_code, body["error"], body.get("details", "")


def picture_of(genova: GenovaCustomer, job: dict[str, Any]) -> Image.Image:
    link = genova.http.get(f"/api/jobs/{job['id']}/download").headers["location"]
    return Image.open(io.BytesIO(httpx.get(link).content))


def test_a_job_goes_from_queued_over_processing_to_completed(genova: GenovaCustomer) -> None:
    job_id = genova.buy()
    looks = [genova.look(job_id) for _ in range(4)]
    assert [look["status"] for look in looks] == ["queued", "processing", "processing", "completed"]
    queued, *_, done = looks
    assert {name for name, value in queued.items() if value is None} == {
        "result_url", "result_urls", "started_at", "completed_at", "processing_time", "file_size", "error_message",
    }  # fmt: skip
    created, started, completed = (datetime.fromisoformat(done[name]) for name in ("created_at", "started_at", "completed_at"))
    assert created <= started <= completed
    assert isinstance(done["processing_time"], int)


def test_everything_wrong_with_a_request_is_named(genova: GenovaCustomer) -> None:
    body = {
        "type": "poem",
        "model": "imagen9",
        "count": 5,
        "priority": "high",
        "referenceImages": {"images": ["!", 7, "QUJD", "QUJD", "QUJD"], "mode": "blend"},
    }
    status, error, details = refused(genova.http.post("/api/jobs", json=body))
    assert (status, error) == (400, "Missing required fields")
    for part in (
        "prompt is required",
        "type must be one of",
        "model must be one of",
        "count must be a number from 1 to 4",
        "priority must be a number",
        "referenceImages.mode must be one of",
        "at most 4; there are 5",
        "referenceImages.images[0]",
        "referenceImages.images[1]",
    ):
        assert part in details
    assert genova.sandbox.jobs(genova.account) == []
    assert genova.credits == 10_000


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ({"prompt": "x" * 501}, "500 characters; this one has 501"),
        ({"aspectRatio": "16:9"}, "aspectRatio must be one of landscape, portrait, square for imagen4"),
        ({"model": "freepik", "aspectRatio": "landscape"}, "aspectRatio must be one of 1:1, 4:3"),
        ({"model": "freepik", "quality": "4K"}, "quality must be one of 1K, 2K"),
        ({"model": "veo3_fast"}, "model veo3_fast makes videos, not images"),
        ({"type": "video"}, "it is imagen4 by default"),
        ({"count": True}, "count must be a number"),
        ({"count": 1.5}, "count must be a number"),
        ({"model": "freepik", "referenceImages": {"images": ["QUJD"], "mode": "ingredients"}}, "mode must be one of style"),
        ({"referenceImages": {"images": ["QUJD"], "mode": "style"}}, "mode must be one of ingredients for imagen4"),
        ({"referenceImages": {"images": [], "mode": "ingredients"}}, "images must be an array"),
        ({"referenceImages": "QUJD"}, "referenceImages must be an object"),
    ],
)
def test_a_wrong_parameter_is_refused_with_its_reason(genova: GenovaCustomer, body: dict[str, Any], part: str) -> None:
    status, error, details = refused(genova.create(**{"prompt": "A cat", **body}))
    assert (status, error) == (400, "Invalid parameters")
    assert part in details


def test_a_quality_for_a_flow_model_is_ignored_refused_or_makes_the_job_vanish_as_the_account_says(new_genova: NewGenova) -> None:
    asked = {"model": "nano_banana2", "quality": "1K"}
    usual = new_genova()
    assert "quality" not in usual.finish(usual.buy(**asked))["settings"]

    strict = new_genova(switches={"quality_on_flow": "refuse"})
    assert refused(strict.create(**asked)) == (400, "Invalid parameters", "quality is for freepik only")
    assert strict.sandbox.jobs(strict.account) == []

    odd = new_genova(switches={"quality_on_flow": "vanish"})
    job = odd.buy(**asked)
    assert odd.look(job)["status"] == "queued"
    for _ in range(5):
        odd.jobs()
    assert odd.http.get(f"/api/jobs/{job}").status_code == 404
    assert odd.jobs() == []
    assert odd.credits == 9_999
    assert odd.finish(odd.buy(model="freepik", quality="2K"))["status"] == "completed"


def test_the_documents_own_error_example_comes_word_for_word(genova: GenovaCustomer) -> None:
    response = genova.http.post("/api/jobs", json={"type": "image"})
    assert response.json() == {"error": "Missing required fields", "details": "prompt is required"}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"'])
def test_what_is_not_a_json_object_is_a_400(genova: GenovaCustomer, body: bytes) -> None:
    response = genova.http.post("/api/jobs", content=body, headers={"content-type": "application/json"})
    assert refused(response)[:2] == (400, "Invalid request body")


def test_a_long_prompt_passes_where_the_limit_is_switched_off(new_genova: NewGenova) -> None:
    assert new_genova(switches={"prompt_limit": "off"}).create("x" * 600).status_code == 201


def test_a_video_is_always_one_clip_of_three_to_eight_seconds(new_genova: NewGenova) -> None:
    genova = new_genova(settings={"looks": [0, 0]})
    job = genova.finish(genova.buy("Waves", type="video", model="veo2_fast", count=3))
    assert job["settings"]["count"] == 1
    assert job["result_url"].endswith("/result.mp4")
    link = genova.http.get(f"/api/jobs/{job['id']}/download").headers["location"]
    with av.open(io.BytesIO(httpx.get(link).content), "r") as clip:
        assert clip.streams.video[0].codec.name == "h264"
        assert (clip.streams.video[0].width, clip.streams.video[0].height) == (256, 144)
        assert 3 <= (clip.duration or 0) / 1_000_000 <= 8


def test_references_may_be_strings_or_objects(new_genova: NewGenova, photo: bytes) -> None:
    genova = new_genova(settings={"looks": [0, 0]})
    encoded = base64.b64encode(photo).decode()
    images = [encoded, f"data:image/jpeg;base64,{encoded}", {"name": "cup", "data": encoded, "mimeType": "image/jpeg"}]
    job = genova.finish(genova.buy(referenceImages={"images": images, "mode": "ingredients"}))
    assert job["status"] == "completed"
    assert job["settings"]["referenceImages"]["images"] == images


def test_a_reference_that_is_no_picture_fails_the_job(new_genova: NewGenova) -> None:
    genova = new_genova(settings={"looks": [0, 0]})
    job = genova.finish(genova.buy(referenceImages={"images": ["QUJD"], "mode": "ingredients"}))
    assert (job["status"], job["error_message"]) == ("failed", "A reference image could not be read.")


def test_references_of_more_than_a_million_bytes_break_the_insert_and_cost_nothing(genova: GenovaCustomer) -> None:
    half = "A" * 500_004
    response = genova.create(referenceImages={"images": [half, half], "mode": "ingredients"})
    assert response.status_code == 500
    assert response.json()["error"] == "Internal error creating job"
    assert "SQLITE_TOOBIG" in response.json()["details"]
    assert "D1_ERROR" in response.json()["stack"]
    assert (genova.sandbox.jobs(genova.account), genova.credits) == ([], 10_000)


@pytest.mark.parametrize(
    ("ratio", "size"),
    [("1:1", (256, 256)), ("4:3", (256, 192)), ("3:4", (192, 256)), ("16:9", (256, 144)), ("9:16", (144, 256)),
     ("3:2", (256, 170)), ("2:3", (170, 256))],
)  # fmt: skip
def test_freepik_keeps_its_seven_ratios(new_genova: NewGenova, ratio: str, size: tuple[int, int]) -> None:
    genova = new_genova(settings={"looks": [0, 0]})
    assert picture_of(genova, genova.finish(genova.buy(model="freepik", aspectRatio=ratio))).size == size


def test_two_k_is_twice_as_long_as_one_k(new_genova: NewGenova) -> None:
    genova = new_genova(settings={"looks": [0, 0]})
    sizes = [picture_of(genova, genova.finish(genova.buy(model="freepik", quality=each))).size for each in ("1K", "2K")]
    assert sizes == [(256, 144), (512, 288)]


def test_the_list_is_newest_first_and_pages_through_the_stated_total(genova: GenovaCustomer) -> None:
    made = [genova.buy(f"Cat {number}") for number in range(5)]
    assert [job["id"] for job in genova.jobs()] == made[::-1]
    page = genova.http.get("/api/jobs?limit=2&offset=1").json()
    assert ([job["id"] for job in page["jobs"]], page["total"]) == ([made[3], made[2]], 5)
    assert genova.http.get("/api/jobs?offset=9").json() == {"jobs": [], "total": 5}


def test_the_list_can_be_narrowed_to_a_status(new_genova: NewGenova) -> None:
    genova = new_genova(settings={"looks": [5, 1]})
    genova.sandbox.fault(genova.account, "fail")
    failed, queued = genova.buy(), genova.buy()
    genova.finish(failed)
    for status, expected in (("failed", [failed]), ("queued", [queued]), ("completed", []), ("pending", [])):
        answer = genova.http.get(f"/api/jobs?status={status}").json()
        assert ([job["id"] for job in answer["jobs"]], answer["total"]) == (expected, len(expected))


@pytest.mark.parametrize("query", ["status=done", "limit=0", "limit=x", "offset=-1"])
def test_a_senseless_query_is_a_400(genova: GenovaCustomer, query: str) -> None:
    assert refused(genova.http.get(f"/api/jobs?{query}"))[:2] == (400, "Invalid parameters")


def test_a_page_holds_fifty_where_no_limit_is_given(new_genova: NewGenova) -> None:
    genova = new_genova(switches={"over_limit": "pending"})
    for _ in range(51):
        genova.buy()
    answer = genova.http.get("/api/jobs").json()
    assert (len(answer["jobs"]), answer["total"]) == (50, 51)


def test_another_users_job_is_forbidden_and_an_unknown_one_not_found(new_genova: NewGenova) -> None:
    mine, other = new_genova(), new_genova()
    job_id = mine.buy()
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/download"), ("GET", "/file")):
        assert other.http.request(method, f"/api/jobs/{job_id}{path}").status_code == 403
        response = other.http.request(method, f"/api/jobs/nobody{path}")
        assert (response.status_code, response.json()) == (404, {"error": "Job not found"})


def test_a_cancelled_job_is_shown_as_failed_and_gives_its_credit_back(genova: GenovaCustomer) -> None:
    job_id = genova.buy()
    assert genova.credits == 9_999
    assert genova.http.delete(f"/api/jobs/{job_id}").json() == {"success": True}
    shown = genova.look(job_id)
    assert (shown["status"], shown["error_message"], shown["started_at"]) == ("failed", "Cancelled", None)
    assert genova.credits == 10_000
    assert genova.http.delete(f"/api/jobs/{job_id}").status_code == 400
    assert genova.credits == 10_000


def test_a_cancelled_job_is_gone_where_the_switch_says_so(new_genova: NewGenova) -> None:
    genova = new_genova(switches={"cancel": "remove"})
    job_id = genova.buy()
    genova.http.delete(f"/api/jobs/{job_id}")
    assert genova.http.get(f"/api/jobs/{job_id}").status_code == 404
    assert genova.http.get("/api/jobs").json() == {"jobs": [], "total": 0}
    assert genova.http.get("/api/user/stats").json()["total_jobs"] == 0


def test_a_job_that_started_or_ended_cannot_be_cancelled_and_keeps_its_credit(genova: GenovaCustomer) -> None:
    job_id = genova.buy()
    genova.look(job_id)
    assert genova.look(job_id)["status"] == "processing"
    assert refused(genova.http.delete(f"/api/jobs/{job_id}"))[:2] == (400, "Cannot cancel job")
    genova.finish(job_id)
    assert refused(genova.http.delete(f"/api/jobs/{job_id}"))[2].endswith("this one is completed")
    assert genova.credits == 9_999


def test_a_failed_job_keeps_its_credit(genova: GenovaCustomer) -> None:
    genova.sandbox.fault(genova.account, "capture_failure")
    job = genova.finish(genova.buy())
    assert (job["status"], job["error_message"]) == (
        "failed",
        "Generation completed but failed to capture result from page.",
    )
    assert genova.credits == 9_999


def test_a_job_without_a_worker_fails_after_thirty_minutes_and_gives_its_credit_back(
    own_sandbox: Sandbox, new_genova: NewGenova
) -> None:
    genova = new_genova(at=own_sandbox, switches={"workers": "none"})
    job_id = genova.buy()
    own_sandbox.control("POST", "/clock", {"advance": 1790})
    assert genova.look(job_id)["status"] == "queued"
    own_sandbox.control("POST", "/clock", {"advance": 11})
    job = genova.look(job_id)
    assert (job["status"], job["error_message"]) == ("failed", "No worker took this job in time.")
    assert genova.credits == 10_000


def test_a_download_is_a_signed_link_on_the_media_origin_that_expires(own_sandbox: Sandbox, new_genova: NewGenova) -> None:
    genova = new_genova(at=own_sandbox, settings={"looks": [0, 0]})
    job = genova.finish(genova.buy())
    response = genova.http.get(f"/api/jobs/{job['id']}/download")
    link = response.headers["location"]
    assert (response.status_code, link.startswith(own_sandbox.media_url)) == (302, True)
    assert httpx.get(link).status_code == 200
    assert httpx.get(link.partition("?")[0]).status_code == 403
    assert httpx.get(link[:-1] + ("0" if link[-1] != "0" else "1")).status_code == 403
    own_sandbox.control("POST", "/clock", {"advance": 3601})
    assert httpx.get(link).status_code == 403
    assert httpx.get(genova.http.get(f"/api/jobs/{job['id']}/download").headers["location"]).status_code == 200


def test_a_download_before_the_end_is_a_400(genova: GenovaCustomer) -> None:
    assert refused(genova.http.get(f"/api/jobs/{genova.buy()}/download"))[:2] == (400, "Job not completed")


def test_a_download_can_be_json_that_names_a_path_which_asks_for_the_key(new_genova: NewGenova) -> None:
    genova = new_genova(settings={"looks": [0, 0]}, switches={"download": "json"})
    job = genova.finish(genova.buy(count=2))
    answer = genova.http.get(f"/api/jobs/{job['id']}/download").json()
    assert answer == {
        "url": f"/api/jobs/{job['id']}/file",
        "filename": "result_0.png",
        "size": job["file_size"],
        "type": "image/png",
    }
    file = genova.http.get(answer["url"])
    assert (file.headers["content-type"], len(file.content)) == ("image/png", job["file_size"])
    assert httpx.get(genova.account["base_url"] + answer["url"]).status_code == 401
    genova.sandbox.fault(genova.account, "truncated")
    with pytest.raises(httpx.RemoteProtocolError):
        genova.http.get(answer["url"])


def test_the_file_route_is_unknown_where_downloads_are_redirects(new_genova: NewGenova) -> None:
    genova = new_genova(settings={"looks": [0, 0]})
    job = genova.finish(genova.buy())
    assert genova.http.get(f"/api/jobs/{job['id']}/file").status_code == 404


def test_several_pictures_differ_and_all_their_keys_are_named(new_genova: NewGenova) -> None:
    genova = new_genova(settings={"looks": [0, 0]})
    job = genova.finish(genova.buy(count=4))
    assert [key.rpartition("/")[2] for key in job["result_urls"]] == [f"result_{number}.png" for number in range(4)]
    assert job["result_url"] == job["result_urls"][0]
    assert genova.credits == 9_999, "a job costs one credit, whatever its count"


def test_the_same_request_bought_again_gives_another_picture(new_genova: NewGenova) -> None:
    genova = new_genova(settings={"looks": [0, 0]})
    first, second = (picture_of(genova, genova.finish(genova.buy("A quiet harbour"))) for _ in range(2))
    assert first.tobytes() != second.tobytes()


def test_the_higher_priority_starts_first_when_there_is_room_for_one(own_sandbox: Sandbox, new_genova: NewGenova) -> None:
    genova = new_genova(at=own_sandbox, settings={"advance": "time", "queue": [1, 1], "run": [10, 10], "max_running": 1})
    first = genova.buy("first")
    own_sandbox.control("POST", "/clock", {"advance": 2})
    low, high = genova.create("low"), genova.create("high", priority=5)
    assert (low.json()["queuePosition"], high.json()["queuePosition"]) == (1, 1)
    assert genova.create("lower", priority=-1).json()["queuePosition"] == 3
    with genova.line() as line:
        own_sandbox.control("POST", "/clock", {"advance": 15})
        assert hear_until(line, "job_completed")[-1]["jobId"] == first
    assert genova.look(high.json()["jobId"])["status"] == "processing"
    assert genova.look(low.json()["jobId"])["status"] == "pending"


@pytest.mark.parametrize(
    ("settings", "body", "estimate"),
    [
        ({}, {}, 6),
        ({"documented": True}, {}, 30),
        ({"documented": True}, {"type": "video", "model": "veo3_fast"}, 180),
        ({"documented": True}, {"type": "video", "model": "veo3_quality"}, 300),
        ({"run": [40, 60]}, {}, 50),
    ],
)
def test_the_estimate_is_what_the_account_is_set_to(
    new_genova: NewGenova, settings: dict[str, Any], body: dict[str, Any], estimate: int
) -> None:
    assert new_genova(settings=settings).create(**body).json()["estimatedTime"] == estimate
