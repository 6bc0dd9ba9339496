import io
import json
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.sandbox.customers import Customer, CustomerFactory

TECHNIQUE = "/api/v1/techniques/portrait-enhancer"


def output_of(flora: Customer) -> str:
    return flora.finish(flora.run())["outputs"][0]["url"]


def test_a_lost_answer_leaves_the_run_accepted(flora: Customer) -> None:
    flora.sandbox.fault(flora.account, "lose_answer", route="create_run")
    with pytest.raises(httpx.RemoteProtocolError):
        flora.create(idempotency_key="k")
    (job,) = flora.sandbox.jobs(flora.account)
    assert flora.create(idempotency_key="k").json()["runId"] == job["id"]


def test_a_reset_connection_leaves_nothing_accepted(flora: Customer) -> None:
    flora.sandbox.fault(flora.account, "reset", route="create_run")
    with pytest.raises(httpx.ReadError):
        flora.create()
    assert flora.sandbox.jobs(flora.account) == []


@pytest.mark.parametrize("wait", [None, 7])
def test_a_rate_limit_comes_with_and_without_retry_after(flora: Customer, wait: int | None) -> None:
    flora.sandbox.fault(flora.account, "rate_limit", **({} if wait is None else {"retry_after": wait}))
    refused = flora.create()
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limited")
    assert refused.headers.get("retry-after") == (None if wait is None else str(wait))
    assert flora.create().status_code == 201
    assert len(flora.sandbox.jobs(flora.account)) == 1


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_error_comes_in_the_envelope_and_accepts_nothing(flora: Customer, status: int) -> None:
    flora.sandbox.fault(flora.account, "server_error", status=status)
    response = flora.create()
    assert response.status_code == status
    assert response.json()["error"].keys() == {"code", "message"}
    assert flora.sandbox.jobs(flora.account) == []


def test_a_broken_proxy_answers_with_a_page(flora: Customer) -> None:
    flora.sandbox.fault(flora.account, "html_error")
    response = flora.http.get(TECHNIQUE)
    assert response.status_code == 502
    assert response.headers["content-type"].startswith("text/html")


def test_broken_json_is_a_200_that_cannot_be_parsed_although_the_run_was_accepted(flora: Customer) -> None:
    flora.sandbox.fault(flora.account, "broken_json")
    response = flora.create()
    assert response.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        response.json()
    assert response.text.startswith('{"runId":"j57')
    assert len(flora.sandbox.jobs(flora.account)) == 1


@pytest.mark.parametrize("where", ["endless_body", "endless"])
def test_an_endless_body_goes_on_until_the_reader_leaves(flora: Customer, where: str) -> None:
    # An output is asked for without the account's key, which has no business at the media origin.
    http, url = (flora.sandbox.http, output_of(flora)) if where == "endless" else (flora.http, TECHNIQUE)
    flora.sandbox.fault(flora.account, where)
    read = 0
    with http.stream("GET", url) as response:
        assert response.status_code == 200
        assert "content-length" not in response.headers
        for chunk in response.iter_raw():
            read += len(chunk)
            if read > 1_000_000:
                break
    assert read > 1_000_000
    assert flora.http.get(TECHNIQUE).status_code == 200


def test_an_unknown_status_waits_for_an_answer_that_has_one(flora: Customer) -> None:
    flora.sandbox.fault(flora.account, "unknown_status", after=1)
    assert "status" not in flora.http.get(TECHNIQUE).json()
    run = flora.run()
    assert flora.poll(run)["status"] == "wibble"
    assert flora.poll(run)["status"] == "running"


def test_extra_fields_leave_the_others_alone(flora: Customer) -> None:
    plain = flora.http.get(TECHNIQUE).json()
    flora.sandbox.fault(flora.account, "extra_fields")
    extended = flora.http.get(TECHNIQUE).json()
    assert extended.keys() > plain.keys()
    assert {name: extended[name] for name in plain} == plain


def test_a_redirect_points_where_the_script_says(flora: Customer) -> None:
    flora.sandbox.fault(flora.account, "redirect", location="http://127.0.0.1:9/elsewhere")
    response = flora.http.get(TECHNIQUE)
    assert (response.status_code, response.headers["location"]) == (302, "http://127.0.0.1:9/elsewhere")


def test_a_slow_answer_outlasts_an_impatient_caller_who_has_bought_all_the_same(flora: Customer) -> None:
    flora.sandbox.fault(flora.account, "slow", seconds=60)
    with pytest.raises(httpx.ReadTimeout):
        flora.http.post(f"{TECHNIQUE}/runs", json=flora.order(), timeout=0.3)
    assert len(flora.sandbox.jobs(flora.account)) == 1


def test_a_fault_waits_for_its_turn_and_its_route_and_happens_so_often(flora: Customer) -> None:
    fault = flora.sandbox.fault(flora.account, "server_error", route="GET /api/v1/techniques/{slug}", after=1, times=2)
    assert flora.create().status_code == 201
    assert [flora.http.get(TECHNIQUE).status_code for _ in range(4)] == [200, 500, 500, 200]
    (shown,) = [each for each in flora.sandbox.control("GET", "/faults") if each["id"] == fault]
    assert (shown["kind"], shown["route"], shown["seen"], shown["fired"]) == ("server_error", "get_technique", 4, 2)


def test_a_fault_of_one_account_spares_the_others_until_it_is_removed(customer: CustomerFactory) -> None:
    unlucky, lucky = customer(), customer()
    unlucky.sandbox.fault(unlucky.account, "server_error", times=None)
    assert [unlucky.http.get(TECHNIQUE).status_code, lucky.http.get(TECHNIQUE).status_code] == [500, 200]
    unlucky.sandbox.control("DELETE", f"/faults?account={unlucky.account['account']}")
    assert unlucky.http.get(TECHNIQUE).status_code == 200


def test_a_vanished_run_was_accepted_and_is_gone(flora: Customer) -> None:
    flora.sandbox.fault(flora.account, "vanish")
    run = flora.run()
    assert run["status"] == "pending"
    assert flora.http.get(run["pollUrl"]).status_code == 404
    (job,) = flora.sandbox.jobs(flora.account)
    assert (job["status"], job["charged"]) == ("vanished", 0)


def test_a_stuck_run_never_ends(flora: Customer) -> None:
    flora.sandbox.fault(flora.account, "stuck")
    run = flora.run()
    assert [flora.poll(run)["status"] for _ in range(12)][1:] == ["running"] * 11


def test_a_scripted_failure_carries_its_code_and_costs_nothing(flora: Customer) -> None:
    flora.sandbox.fault(flora.account, "fail", error_code="model_timeout", message="Too slow.")
    done = flora.finish(flora.run())
    assert (done["status"], done["errorCode"], done["errorMessage"]) == ("failed", "model_timeout", "Too slow.")
    assert done["progress"] < 100
    assert flora.finish(flora.run())["status"] == "completed"
    assert [job["charged"] for job in flora.sandbox.jobs(flora.account)] == [0, 5]


def test_a_truncated_download_breaks_off_before_its_stated_length(flora: Customer) -> None:
    url = output_of(flora)
    flora.sandbox.fault(flora.account, "truncated")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        httpx.get(url)
    assert httpx.get(url).status_code == 200


@pytest.mark.parametrize(("kind", "readable"), [("cut_short", False), ("wrong_bytes", False), ("wrong_type", True)])
def test_a_download_can_look_right_and_be_wrong(flora: Customer, kind: str, readable: bool) -> None:
    url = output_of(flora)
    right = httpx.get(url)
    flora.sandbox.fault(flora.account, kind)
    wrong = httpx.get(url)
    assert wrong.status_code == 200
    assert wrong.headers["content-type"] == right.headers["content-type"]
    assert wrong.content != right.content
    try:
        image = Image.open(io.BytesIO(wrong.content))
        image.load()
        opened = True
        assert Image.MIME[image.format or ""] != right.headers["content-type"]
    except OSError:
        opened = False
    assert opened == readable


def test_a_download_can_be_expired_slow_or_redirected(flora: Customer) -> None:
    url = output_of(flora)
    flora.sandbox.fault(flora.account, "expired")
    assert httpx.get(url).status_code == 403
    flora.sandbox.fault(flora.account, "redirect", route="download", location="http://127.0.0.1:9/")
    assert httpx.get(url).headers["location"] == "http://127.0.0.1:9/"
    flora.sandbox.fault(flora.account, "slow", route="download", seconds=60)
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(url, timeout=0.3)
    assert httpx.get(url).status_code == 200


@pytest.mark.parametrize(
    ("order", "named"),
    [
        ({"kind": "wobble"}, "kind"),
        ({"kind": "redirect"}, "location"),
        ({"kind": "fail", "seconds": 3}, "seconds"),
        ({"kind": "server_error", "status": 418}, "status"),
        ({"kind": "slow", "route": "GET /nowhere"}, "route"),
        ({"kind": "slow", "times": 0}, "times"),
        ({"kind": "slow", "whenever": 1}, "whenever"),
        ({"kind": "slow", "account": "nobody"}, "account"),
        ({"kind": "slow", "provider": "nobody"}, "provider"),
    ],
)
def test_a_senseless_fault_is_refused_and_the_field_named(flora: Customer, order: dict[str, Any], named: str) -> None:
    response = flora.sandbox.http.post(f"{flora.sandbox.url}/sandbox/faults", json={"provider": "flora", **order})
    assert response.status_code == 422
    assert named in response.json()["detail"]
