import io
import json
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.sandbox.flora_customers import FloraCustomer, NewFlora
from tests.sandboxes import Sandbox

TECHNIQUE = "/api/v1/techniques/portrait-enhancer"


def output_of(flora: FloraCustomer) -> str:
    return flora.finish(flora.run())["outputs"][0]["url"]


def test_a_lost_answer_leaves_the_run_accepted(flora: FloraCustomer) -> None:
    flora.sandbox.fault(flora.account, "lose_answer", route="create_run")
    with pytest.raises(httpx.RemoteProtocolError):
        flora.create(idempotency_key="k")
    (job,) = flora.sandbox.jobs(flora.account)
    assert flora.create(idempotency_key="k").json()["runId"] == job["id"]


def test_a_reset_connection_leaves_nothing_accepted(flora: FloraCustomer) -> None:
    flora.sandbox.fault(flora.account, "reset", route="create_run")
    with pytest.raises(httpx.ReadError):
        flora.create()
    assert flora.sandbox.jobs(flora.account) == []


@pytest.mark.parametrize("wait", [None, 7])
def test_a_rate_limit_comes_with_and_without_retry_after(flora: FloraCustomer, wait: int | None) -> None:
    flora.sandbox.fault(flora.account, "rate_limit", **({} if wait is None else {"retry_after": wait}))
    refused = flora.create()
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limited")
    assert refused.headers.get("retry-after") == (None if wait is None else str(wait))
    assert flora.create().status_code == 201
    assert len(flora.sandbox.jobs(flora.account)) == 1


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_error_comes_in_the_envelope_and_accepts_nothing(flora: FloraCustomer, status: int) -> None:
    flora.sandbox.fault(flora.account, "server_error", status=status)
    response = flora.create()
    assert response.status_code == status
    assert response.json()["error"].keys() == {"code", "message"}
    assert flora.sandbox.jobs(flora.account) == []


def test_a_broken_proxy_answers_with_a_page(flora: FloraCustomer) -> None:
    flora.sandbox.fault(flora.account, "html_error")
    response = flora.http.get(TECHNIQUE)
    assert response.status_code == 502
    assert response.headers["content-type"].startswith("text/html")


def test_equal_outputs_all_have_the_first_ones_name_and_address(flora: FloraCustomer) -> None:
    flora.sandbox.fault(flora.account, "same_output_ids", times=None)
    run = flora.finish(flora.run(slug="turn-any-product-into-4-ad-visuals"))
    assert len(run["outputs"]) == 4
    assert all(output == run["outputs"][0] for output in run["outputs"])
    assert len(flora.finish(flora.run())["outputs"]) == 1


def test_broken_json_is_a_200_that_cannot_be_parsed_although_the_run_was_accepted(flora: FloraCustomer) -> None:
    flora.sandbox.fault(flora.account, "broken_json")
    response = flora.create()
    assert response.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        response.json()
    assert response.text.startswith('{"runId":"j57')
    assert len(flora.sandbox.jobs(flora.account)) == 1


@pytest.mark.parametrize("where", ["endless_body", "endless"])
def test_an_endless_body_goes_on_until_the_reader_leaves(flora: FloraCustomer, where: str) -> None:
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


def test_an_unknown_status_waits_for_an_answer_that_has_one(flora: FloraCustomer) -> None:
    flora.sandbox.fault(flora.account, "unknown_status", after=1)
    assert "status" not in flora.http.get(TECHNIQUE).json()
    run = flora.run()
    assert flora.poll(run)["status"] == "wibble"
    assert flora.poll(run)["status"] == "running"


def test_extra_fields_leave_the_others_alone(flora: FloraCustomer) -> None:
    plain = flora.http.get(TECHNIQUE).json()
    flora.sandbox.fault(flora.account, "extra_fields")
    extended = flora.http.get(TECHNIQUE).json()
    assert extended.keys() > plain.keys()
    assert {name: extended[name] for name in plain} == plain


def test_an_empty_id_is_that_of_the_run_or_of_the_first_in_the_list(new_flora: NewFlora) -> None:
    flora = new_flora(switches={"list_runs": True})
    ids = {flora.run()["runId"] for _ in range(2)}
    flora.sandbox.fault(flora.account, "empty_id", route="create_run")
    flora.sandbox.fault(flora.account, "empty_id", route="list_runs")

    assert flora.create().json()["runId"] == ""
    assert len(flora.sandbox.jobs(flora.account)) == 3
    listed = [run["runId"] for run in flora.http.get("/api/v1/technique-runs").json()["technique_runs"]]
    assert listed[0] == ""
    assert set(listed[1:]) == ids


def test_a_redirect_points_where_the_script_says(flora: FloraCustomer) -> None:
    flora.sandbox.fault(flora.account, "redirect", location="http://127.0.0.1:9/elsewhere")
    response = flora.http.get(TECHNIQUE)
    assert (response.status_code, response.headers["location"]) == (302, "http://127.0.0.1:9/elsewhere")


def test_a_slow_answer_outlasts_an_impatient_caller_who_has_bought_all_the_same(flora: FloraCustomer) -> None:
    flora.sandbox.fault(flora.account, "slow", seconds=60)
    with pytest.raises(httpx.ReadTimeout):
        flora.http.post(f"{TECHNIQUE}/runs", json=flora.order(), timeout=0.3)
    assert len(flora.sandbox.jobs(flora.account)) == 1


def test_a_fault_waits_for_its_turn_and_its_route_and_happens_so_often(flora: FloraCustomer) -> None:
    fault = flora.sandbox.fault(flora.account, "server_error", route="GET /api/v1/techniques/{slug}", after=1, times=2)
    assert flora.create().status_code == 201
    assert [flora.http.get(TECHNIQUE).status_code for _ in range(4)] == [200, 500, 500, 200]
    (shown,) = [each for each in flora.sandbox.control("GET", "/faults") if each["id"] == fault]
    assert (shown["kind"], shown["route"], shown["seen"], shown["fired"]) == ("server_error", "get_technique", 4, 2)


def test_a_fault_of_one_account_spares_the_others_until_it_is_removed(new_flora: NewFlora) -> None:
    unlucky, lucky = new_flora(), new_flora()
    unlucky.sandbox.fault(unlucky.account, "server_error", times=None)
    assert [unlucky.http.get(TECHNIQUE).status_code, lucky.http.get(TECHNIQUE).status_code] == [500, 200]
    unlucky.sandbox.control("DELETE", f"/faults?account={unlucky.account['account']}")
    assert unlucky.http.get(TECHNIQUE).status_code == 200


def test_a_vanished_run_was_accepted_and_is_gone(flora: FloraCustomer) -> None:
    flora.sandbox.fault(flora.account, "vanish")
    run = flora.run()
    assert run["status"] == "pending"
    assert flora.http.get(run["pollUrl"]).status_code == 404
    (job,) = flora.sandbox.jobs(flora.account)
    assert (job["status"], job["charged"]) == ("vanished", 0)


def test_a_stuck_run_never_ends(flora: FloraCustomer) -> None:
    flora.sandbox.fault(flora.account, "stuck")
    run = flora.run()
    assert [flora.poll(run)["status"] for _ in range(12)][1:] == ["running"] * 11


def test_a_scripted_failure_carries_its_code_and_costs_nothing(flora: FloraCustomer) -> None:
    flora.sandbox.fault(flora.account, "fail", error_code="model_timeout", message="Too slow.")
    done = flora.finish(flora.run())
    assert (done["status"], done["errorCode"], done["errorMessage"]) == ("failed", "model_timeout", "Too slow.")
    assert done["progress"] < 100
    assert flora.finish(flora.run())["status"] == "completed"
    assert [job["charged"] for job in flora.sandbox.jobs(flora.account)] == [0, 5]


@pytest.mark.parametrize(
    ("provider", "path", "body"),
    [
        ("algovera", "/api/txt2img", {"prompt": "A cup"}),
        ("flora", f"{TECHNIQUE}/runs", {}),
        ("genova", "/api/jobs", {"type": "image", "prompt": "A cup"}),
    ],
)
def test_content_is_refused_when_it_is_bought_and_at_no_other_call(
    sandbox: Sandbox, provider: str, path: str, body: dict[str, Any]
) -> None:
    account = sandbox.new_account(provider)
    sandbox.fault(account, "refused", times=2)
    sandbox.fault(account, "refused", route="create_job" if provider != "flora" else "create_run", message="Not this.")
    keys = {"x-api-key": account["api_key"]} if provider == "genova" else {"authorization": f"Bearer {account['api_key']}"}
    sent = {**body, "api_key": account["api_key"]} if provider == "algovera" else body
    with httpx.Client(timeout=60, base_url=account["base_url"], headers=keys) as http:
        assert http.get("/api/basemodels").status_code in {200, 404}
        answers = [http.post(path, json=sent) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [400] * 3
    assert all(word in answers[0].text for word in ("content", "prompt" if provider != "flora" else "safety_blocked"))
    assert "Not this." in answers[2].text
    assert sandbox.jobs(account) == []


def test_a_run_can_succeed_and_be_charged_and_give_nothing(flora: FloraCustomer) -> None:
    flora.sandbox.fault(flora.account, "no_outputs")
    before = flora.sandbox.account(flora.account)["credits"]
    done = flora.finish(flora.run())
    assert (done["status"], done["outputs"]) == ("completed", [])
    assert flora.sandbox.account(flora.account)["credits"] == before - done["chargedCost"] < before
    assert len(flora.finish(flora.run())["outputs"]) == 1


def test_a_run_can_end_because_its_content_is_refused(flora: FloraCustomer) -> None:
    flora.sandbox.fault(flora.account, "refused", at="end")
    done = flora.finish(flora.run())
    assert (done["status"], done["errorCode"]) == ("failed", "safety_blocked")
    assert flora.finish(flora.run())["status"] == "completed"


@pytest.mark.parametrize(("says", "stands"), [("nan", "NaN"), ("infinite", "Infinity"), ("negative", "-5"), ("text", '"free"')])
def test_an_answer_may_hold_what_is_no_amount_where_a_price_a_charge_or_progress_should_be(
    flora: FloraCustomer, says: str, stands: str
) -> None:
    flora.sandbox.fault(flora.account, "no_amount", says=says, times=2)

    assert f'"runCost": {stands}' in flora.http.get(TECHNIQUE).text
    run = flora.create()
    assert f'"progress": {stands}' in run.text
    assert run.json()["status"] == "pending"


@pytest.mark.parametrize("failure_rate", [0, 1])
def test_an_overcharged_run_takes_many_times_its_price_however_it_ends(new_flora: NewFlora, failure_rate: int) -> None:
    flora = new_flora(settings={"failure_rate": failure_rate}, credits=10_000)
    flora.sandbox.fault(flora.account, "overcharge", factor=400)

    dear, usual = flora.finish(flora.run()), flora.finish(flora.run())

    assert dear["chargedCost"] == 2000
    assert usual.get("chargedCost", 0) == (0 if failure_rate else 5)
    assert [job["charged"] for job in flora.sandbox.jobs(flora.account)] == [2000, 0 if failure_rate else 5]
    assert flora.sandbox.account(flora.account)["credits"] == 8000 - (0 if failure_rate else 5)


def test_a_price_may_rise_between_two_looks_at_it(flora: FloraCustomer) -> None:
    flora.sandbox.fault(flora.account, "reprice", route="get_technique", after=1, factor=3)

    assert [flora.http.get(TECHNIQUE).json()["runCost"] for _ in range(3)] == [5, 15, 15]
    assert flora.finish(flora.run())["chargedCost"] == 15


def test_a_truncated_download_breaks_off_before_its_stated_length(flora: FloraCustomer) -> None:
    url = output_of(flora)
    flora.sandbox.fault(flora.account, "truncated")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        httpx.get(url)
    assert httpx.get(url).status_code == 200


@pytest.mark.parametrize(("kind", "readable"), [("cut_short", False), ("wrong_bytes", False), ("wrong_type", True)])
def test_a_download_can_look_right_and_be_wrong(flora: FloraCustomer, kind: str, readable: bool) -> None:
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


def test_a_download_can_be_expired_slow_or_redirected(flora: FloraCustomer) -> None:
    url = output_of(flora)
    flora.sandbox.fault(flora.account, "expired")
    assert httpx.get(url).status_code == 403
    flora.sandbox.fault(flora.account, "redirect", route="download", location="http://127.0.0.1:9/")
    assert httpx.get(url).headers["location"] == "http://127.0.0.1:9/"
    flora.sandbox.fault(flora.account, "slow", route="download", seconds=60)
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(url, timeout=0.3)
    assert httpx.get(url).status_code == 200


def test_the_addresses_of_files_are_what_the_script_says_and_texts_stay(flora: FloraCustomer) -> None:
    run = flora.run(slug="art-directors-critique")
    flora.finish(run)
    flora.sandbox.fault(flora.account, "bad_links", location="https://xn--/\\ud800")
    critique, redesign = flora.poll(run)["outputs"]
    assert redesign["url"] == "https://xn--/\ud800"
    assert len(critique["url"]) > 20


def test_texts_hold_what_no_database_takes_and_ids_do_not(flora: FloraCustomer) -> None:
    flora.sandbox.fault(flora.account, "fail", error_code="c", message="Too slow.")
    run = flora.run()
    flora.finish(run)
    flora.sandbox.fault(flora.account, "nul")
    shown = flora.poll(run)
    assert (shown["runId"], shown["status"]) == (run["runId"], "failed")
    assert shown["errorMessage"] == "Too slow.\0\ud800\x1b[31m"


def test_any_answer_can_have_any_header(flora: FloraCustomer) -> None:
    flora.sandbox.fault(flora.account, "odd_header", header="date", value="soon", times=2)
    assert [flora.http.get(TECHNIQUE).headers.get_list("date") for _ in range(2)] == [["soon"], ["soon"]]
    flora.sandbox.fault(flora.account, "rate_limit")
    flora.sandbox.fault(flora.account, "odd_header", header="retry-after", value="never")
    refused = flora.http.get(TECHNIQUE)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "never")


@pytest.mark.parametrize("route", ["get_technique", "download"])
def test_an_answer_can_come_packed_many_times_over_with_nothing_in_it(flora: FloraCustomer, route: str) -> None:
    http, url = (flora.sandbox.http, output_of(flora)) if route == "download" else (flora.http, TECHNIQUE)
    plain = http.get(url).content
    flora.sandbox.fault(flora.account, "nested_gzip", route=route, layers=2, zeros=10**7)
    response = http.get(url)
    assert response.headers["content-encoding"] == "gzip, gzip"
    assert response.content == plain + bytes(10**7)
    assert int(response.headers["content-length"]) < len(plain) + 10_000


@pytest.mark.parametrize(
    ("order", "named"),
    [
        ({"kind": "wobble"}, "kind"),
        ({"kind": "bad_links"}, "location"),
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
def test_a_senseless_fault_is_refused_and_the_field_named(flora: FloraCustomer, order: dict[str, Any], named: str) -> None:
    response = flora.sandbox.http.post(f"{flora.sandbox.url}/sandbox/faults", json={"provider": "flora", **order})
    assert response.status_code == 422
    assert named in response.json()["detail"]
