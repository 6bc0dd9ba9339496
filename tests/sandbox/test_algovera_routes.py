"""Algovera's four routes: the key in its places, the choices where the document is silent, credits, pictures, and faults."""

import io
import json
import re
import subprocess
from collections.abc import Callable, Generator
from contextlib import ExitStack
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.sandboxes import Sandbox, running_sandbox


class Painter:
    """An account whose jobs are done at the first look, and what it does."""

    def __init__(self, sandbox: Sandbox, http: httpx.Client, **options: Any) -> None:
        settings = {"advance": "looks", "looks": [0, 0], **options.pop("settings", {})}
        self.sandbox = sandbox
        self.account = sandbox.new_account("algovera", settings=settings, **options)
        self.url = self.account["base_url"]
        self.key = {"api_key": self.account["api_key"]}
        self.http = http

    def order(self, **fields: Any) -> httpx.Response:
        return self.http.post(f"{self.url}/api/txt2img", json={"prompt": "A lighthouse in a storm", **self.key, **fields})

    def buy(self, **fields: Any) -> str:
        response = self.order(**fields)
        assert response.status_code == 200, response.text
        return response.json()["job_uuid"]

    def status(self, job_uuid: str) -> httpx.Response:
        return self.http.get(f"{self.url}/api/status", params={"job_uuid": job_uuid, **self.key})

    def asset(self, job_uuid: str) -> httpx.Response:
        return self.http.request("GET", f"{self.url}/api/getAsset", json={"job_uuid": job_uuid, **self.key})

    def paint(self, **fields: Any) -> bytes:
        job_uuid = self.buy(**fields)
        assert self.status(job_uuid).json() == {"job_status": "done"}
        return self.asset(job_uuid).content

    @property
    def credits(self) -> float:
        return self.sandbox.account(self.account)["credits"]


PainterFactory = Callable[..., Painter]


@pytest.fixture
def painter(sandbox: Sandbox) -> Generator[PainterFactory]:
    """Opens accounts."""
    with ExitStack() as stack:
        http = stack.enter_context(httpx.Client(timeout=60))

        def opened(*, at: Sandbox = sandbox, **options: Any) -> Painter:
            return Painter(at, http, **options)

        yield opened


@pytest.fixture
def algovera(painter: PainterFactory) -> Painter:
    """An account with nothing special."""
    return painter()


def detail_of(response: httpx.Response) -> tuple[int, Any]:
    return response.status_code, response.json()["detail"]


def missing(place: str, *names: str) -> list[dict[str, Any]]:
    return [{"loc": [place, name], "msg": "field required", "type": "value_error.missing"} for name in names]


def test_the_key_of_the_default_account_is_one_as_algovera_makes_them_and_always_the_same(painter: PainterFactory) -> None:
    keys: set[str] = set()
    for _ in range(2):
        with running_sandbox() as own:
            keys |= {one["api_key"] for one in own.control("GET", "/accounts") if one["provider"] == "algovera"}

    (key,) = keys
    assert re.fullmatch("[0-9a-f]{64}", key)
    assert re.fullmatch("[0-9a-f]{64}", painter().key["api_key"])


def test_a_job_goes_from_created_to_done_and_gives_a_jpeg_at_the_api_itself(painter: PainterFactory) -> None:
    algovera = painter(settings={"looks": [1, 1]})
    job_uuid = algovera.buy()

    assert re.fullmatch("[0-9a-f]{32}", job_uuid)
    assert [algovera.status(job_uuid).json() for _ in range(3)] == [
        {"job_status": status} for status in ("created", "created", "done")
    ]
    answer = algovera.asset(job_uuid)
    assert answer.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(answer.content)).format == "JPEG"


def test_a_body_on_a_get_is_read_as_curl_sends_it(algovera: Painter) -> None:
    picture = algovera.paint(seed=1)
    (job,) = algovera.sandbox.jobs(algovera.account)
    body = json.dumps({"job_uuid": job["id"], **algovera.key})

    done = subprocess.run(
        ["curl", "-sS", "-X", "GET", "-d", body, f"{algovera.url}/api/getAsset"], capture_output=True, check=True, timeout=60
    )

    assert done.stdout == picture


@pytest.mark.parametrize("size", [(512, 512), (896, 320), (64, 1024), (1024, 64), (328, 456)])
def test_a_picture_has_the_size_that_was_bought_whatever_the_sandbox_renders_elsewhere(
    algovera: Painter, size: tuple[int, int]
) -> None:
    assert Image.open(io.BytesIO(algovera.paint(width=size[0], height=size[1]))).size == size


def test_pictures_differ_by_prompt_seed_and_model_and_are_the_same_for_the_same(algovera: Painter) -> None:
    asked: list[dict[str, Any]] = [{}, {"seed": 2}, {"base_model": "dalle"}, {"prompt": "A green bottle on a table"}]
    painted = [algovera.paint(**{"seed": 1, "width": 256, "height": 256, **each}) for each in asked]

    pixels = [np.asarray(Image.open(io.BytesIO(each)).convert("RGB"), dtype=np.int16) for each in painted]
    for number, one in enumerate(pixels):
        assert all(np.abs(one - other).mean() > 3 for other in pixels[:number])
    assert algovera.paint(seed=1, width=256, height=256) == painted[0]


@pytest.mark.parametrize("seed", [-1, 0, 10**40])
def test_any_whole_number_is_a_seed(algovera: Painter, seed: int) -> None:
    assert algovera.paint(width=64, height=64, seed=seed)


def test_without_a_seed_every_job_gives_another_picture(algovera: Painter) -> None:
    assert algovera.paint(width=64, height=64) != algovera.paint(width=64, height=64)


def test_the_base_models_are_told_to_anyone(algovera: Painter) -> None:
    bare = httpx.get(f"{algovera.url}/api/basemodels")
    with_key = httpx.get(f"{algovera.url}/api/basemodels", params=algovera.key)

    assert bare.json() == with_key.json()
    assert len(bare.json()["base_models"]) == 7


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": "x" * 1001}, "prompt"),
        ({"base_model": "stable diffusion v9"}, "base_model"),
        ({"width": 100}, "width"),
        ({"height": 56}, "height"),
        ({"width": 1032}, "width"),
        ({"width": "512"}, "width"),
        ({"inf_steps": 0}, "inf_steps"),
        ({"inf_steps": 151}, "inf_steps"),
        ({"guidance_scale": 30.5}, "guidance_scale"),
        ({"seed": None}, "seed"),
        ({"api_key": 7}, "api_key"),
    ],
)
def test_a_field_that_does_not_fit_is_named_and_costs_nothing(algovera: Painter, fields: dict[str, Any], field: str) -> None:
    response = algovera.order(**fields)

    assert response.status_code == 422
    assert [one["loc"] for one in response.json()["detail"]] == [["body", field]]
    assert algovera.key["api_key"] not in response.text
    assert algovera.credits == 10_000


def test_what_is_missing_is_told_all_at_once_in_the_place_where_it_belongs(algovera: Painter) -> None:
    post = algovera.http.post(f"{algovera.url}/api/txt2img")
    status = algovera.http.get(f"{algovera.url}/api/status")
    asset = algovera.http.get(f"{algovera.url}/api/getAsset", params={"job_uuid": "x", **algovera.key})
    broken = algovera.http.post(f"{algovera.url}/api/txt2img", content=b'{"prompt": ')

    assert detail_of(post) == detail_of(broken) == (422, missing("body", "api_key", "prompt"))
    assert detail_of(status) == (422, missing("query", "api_key", "job_uuid"))
    assert detail_of(asset) == (422, missing("body", "api_key", "job_uuid"))


def test_a_field_that_is_not_named_is_left_alone(algovera: Painter) -> None:
    algovera.buy(neg_prompt="ugly")
    (job,) = algovera.sandbox.jobs(algovera.account)

    assert "neg_prompt" not in job["request"]


def test_the_key_is_in_nothing_that_the_control_plane_tells_of_a_job(algovera: Painter) -> None:
    algovera.paint()

    shown = json.dumps([algovera.sandbox.jobs(algovera.account), algovera.sandbox.requests(algovera.account)])
    assert algovera.key["api_key"] not in shown


def test_the_process_of_the_sandbox_prints_no_key(capfd: pytest.CaptureFixture[str]) -> None:
    with running_sandbox() as own, httpx.Client(timeout=60) as http:
        algovera = Painter(own, http)
        algovera.paint(width=64, height=64)
        algovera.order(prompt="")
        algovera.http.get(f"{algovera.url}/api/status", params=algovera.key)
        own.process.terminate()
        assert algovera.key["api_key"] not in own.output.read() + capfd.readouterr().err


def test_403_has_three_meanings(painter: PainterFactory) -> None:
    wrong, unknown, poor = painter(), painter(switches={"user": "unknown"}), painter(credits=0)
    wrong.key = {"api_key": "0" * 64}

    assert detail_of(wrong.order()) == (403, "Invalid API key")
    assert detail_of(unknown.order()) == (403, "Unknown user")
    assert detail_of(poor.order()) == (403, "Insufficient credits")


def test_a_job_costs_a_credit_when_it_is_accepted_and_keeps_it_when_it_fails(algovera: Painter) -> None:
    algovera.sandbox.fault(algovera.account, "fail")
    job_uuid = algovera.buy()
    assert algovera.credits == 9_999

    assert algovera.status(job_uuid).json() == {"job_status": "failed"}
    assert algovera.credits == 9_999
    assert detail_of(algovera.asset(job_uuid)) == (404, "Asset not found")


def test_the_job_of_another_looks_like_none(painter: PainterFactory) -> None:
    owner, stranger = painter(), painter()
    job_uuid = owner.buy()

    for asked in (stranger.status(job_uuid), stranger.asset(job_uuid), owner.status("0" * 32)):
        assert detail_of(asked) == (404, "Job not found")


@pytest.mark.parametrize(("switch", "expected"), [("404", (404, "Asset not ready")), ("500", (500, "Internal server error"))])
def test_a_picture_that_is_not_there_yet_is_never_an_empty_200(
    painter: PainterFactory, switch: str, expected: tuple[int, str]
) -> None:
    algovera = painter(switches={"early_asset": switch})

    assert detail_of(algovera.asset(algovera.buy())) == expected


def test_a_switch_lets_the_query_of_get_asset_count(painter: PainterFactory) -> None:
    algovera = painter(switches={"query_asset": "on"})
    picture = algovera.paint()
    (job,) = algovera.sandbox.jobs(algovera.account)

    asked = algovera.http.get(f"{algovera.url}/api/getAsset", params={"job_uuid": job["id"], **algovera.key})

    assert asked.content == picture


def test_a_switch_limits_the_requests_of_a_minute(painter: PainterFactory) -> None:
    algovera = painter(switches={"rate_limit": 2})

    answers = [algovera.status("0" * 32) for _ in range(3)]

    assert [one.status_code for one in answers] == [404, 404, 429]
    assert answers[-1].json() == {"detail": "Too Many Requests"}
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60


def test_a_picture_can_expire(own_sandbox: Sandbox, painter: PainterFactory) -> None:
    algovera = painter(at=own_sandbox, settings={"output_lifetime": 600})
    algovera.paint()
    (job,) = own_sandbox.jobs(algovera.account)
    own_sandbox.control("POST", "/clock", {"advance": 601})

    assert detail_of(algovera.asset(job["id"])) == (404, "Asset not found")


def test_scripted_faults_happen_to_the_picture_as_to_any_download(algovera: Painter) -> None:
    job_uuid = algovera.buy()
    algovera.status(job_uuid)
    whole = algovera.asset(job_uuid).content
    seen: dict[str, Any] = {}
    for kind in ("wrong_bytes", "cut_short", "wrong_type", "expired"):
        algovera.sandbox.fault(algovera.account, kind)
        seen[kind] = algovera.asset(job_uuid)

    assert seen["wrong_bytes"].content.startswith(b"<!doctype html>")
    assert seen["cut_short"].content == whole[: len(whole) // 2]
    assert seen["wrong_type"].content.startswith(b"\x89PNG")
    assert detail_of(seen["expired"]) == (404, "Asset not found")
    algovera.sandbox.fault(algovera.account, "truncated")
    with pytest.raises(httpx.RemoteProtocolError):
        algovera.asset(job_uuid)
    assert algovera.asset(job_uuid).content == whole


def test_an_unknown_status_can_be_scripted(algovera: Painter) -> None:
    job_uuid = algovera.buy()
    algovera.sandbox.fault(algovera.account, "unknown_status")

    assert algovera.status(job_uuid).json() == {"job_status": "wibble"}


def test_the_answer_to_a_purchase_can_be_lost(algovera: Painter) -> None:
    algovera.sandbox.fault(algovera.account, "lose_answer")

    with pytest.raises(httpx.RemoteProtocolError):
        algovera.order()
    assert len(algovera.sandbox.jobs(algovera.account)) == 1
    assert algovera.credits == 9_999


def test_what_is_not_served_is_not_found(algovera: Painter) -> None:
    assert detail_of(algovera.http.get(f"{algovera.url}/api/jobs")) == (404, "Not Found")
