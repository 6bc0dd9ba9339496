import os
import signal
import socket
import subprocess
import sys
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployments.engines.ports import free_port
from tests.sandbox.flora_customers import FloraCustomer, NewFlora
from tests.sandboxes import Sandbox, running_sandbox


def test_the_overview_says_what_runs_where(sandbox: Sandbox) -> None:
    overview = sandbox.control("GET", "")
    assert overview["providers"]["flora"] == f"{sandbox.url}/flora"
    assert overview["media_url"] == sandbox.media_url
    assert overview["switches_for_local_use"] == {"flora": {"assets": True, "list_techniques": True, "webhooks": True}}
    assert overview["clock"]["scale"] == 50
    assert httpx.get(overview["links"]["sample_photo"]).headers["content-type"] == "image/jpeg"
    assert httpx.get(overview["links"]["jobs"]).status_code == 200


def test_each_provider_starts_with_a_default_account(own_sandbox: Sandbox) -> None:
    accounts = {account["provider"]: account for account in own_sandbox.control("GET", "/accounts")}
    assert accounts.keys() == own_sandbox.control("GET", "")["providers"].keys()
    assert {account["account"] for account in accounts.values()} == {"default"}
    assert (accounts["genova"]["api_key"], accounts["genova"]["plan"]) == ("af_sandbox", "Business")
    account = accounts["flora"]
    assert account["api_key"] == "sk_live_sandbox"
    assert account["credits"] == 10_000
    assert account["base_url"] == f"{own_sandbox.url}/flora"
    assert account["settings"]["advance"] == "time"
    assert account["switches"]["casing"] == "camel"


def test_an_account_is_made_once_and_changed_where_it_is_named_again(sandbox: Sandbox) -> None:
    def put(**order: Any) -> httpx.Response:
        return sandbox.http.post(f"{sandbox.url}/sandbox/accounts", json={"provider": "flora", "account": "changed", **order})

    made = put(credits=7, settings={"queue": [1, 2]})
    assert made.status_code == 201
    assert made.json()["api_key"].startswith("sk_live_")
    changed = put(settings={"run": [3, 4]}, switches={"assets": True})
    assert changed.status_code == 200
    assert changed.json()["api_key"] == made.json()["api_key"]
    assert changed.json()["credits"] == 7
    assert (changed.json()["settings"]["queue"], changed.json()["settings"]["run"]) == ([1, 2], [3, 4])
    assert changed.json()["switches"]["assets"] is True


def test_a_rotated_key_revokes_the_old_one(flora: FloraCustomer) -> None:
    flora.sandbox.new_account(account=flora.account["account"], api_key="sk_live_rotated")
    assert flora.http.get("/api/v1/techniques/mugshot").json()["error"]["code"] == "invalid_api_key"
    assert flora.http.get("/api/v1/techniques/mugshot", headers={"authorization": "Bearer sk_live_rotated"}).status_code == 200


@pytest.mark.parametrize(
    ("order", "named"),
    [
        ({"provider": "nobody"}, "provider"),
        ({"wobble": 1}, "wobble"),
        ({"credits": -1}, "credits"),
        ({"plan": "gold"}, "plan"),
        ({"api_key": "sk_live_sandbox"}, "api_key"),
        ({"settings": {"queue": [2, 1]}}, "settings.queue"),
        ({"settings": {"advance": "sometimes"}}, "settings.advance"),
        ({"settings": {"wobble": 1}}, "settings.wobble"),
        ({"settings": {"failure_rate": 2}}, "settings.failure_rate"),
        ({"switches": {"casing": "kebab"}}, "switches.casing"),
        ({"switches": {"wobble": 1}}, "switches.wobble"),
    ],
)
def test_a_senseless_account_is_refused_and_the_field_named(sandbox: Sandbox, order: dict[str, Any], named: str) -> None:
    response = sandbox.http.post(f"{sandbox.url}/sandbox/accounts", json={"provider": "flora", "account": "refused", **order})
    assert response.status_code == 422
    assert response.json()["detail"].startswith(named)
    assert "refused" not in [account["account"] for account in sandbox.control("GET", "/accounts")]


def test_every_request_is_counted_by_account_route_and_status(flora: FloraCustomer) -> None:
    run = flora.run()
    done = flora.finish(run)
    httpx.get(done["outputs"][0]["url"])
    flora.http.get("/api/v1/techniques/nothing")
    flora.sandbox.fault(flora.account, "lose_answer")
    with pytest.raises(httpx.RemoteProtocolError):
        flora.create()
    counted = {(line["method"], line["route"], line["status"]): line["count"] for line in flora.sandbox.requests(flora.account)}
    assert counted == {
        ("POST", "/api/v1/techniques/{slug}/runs", 201): 1,
        ("POST", "/api/v1/techniques/{slug}/runs", 0): 1,
        ("GET", "/api/v1/techniques/{slug}/runs/{run_id}", 200): 4,
        ("GET", "/api/v1/techniques/{slug}", 404): 1,
        ("GET", "/files/{token}/{name}", 200): 1,
    }


def test_jobs_are_told_as_they_were_accepted(flora: FloraCustomer) -> None:
    run = flora.run(idempotency_key="k")
    flora.finish(run)
    (job,) = flora.sandbox.jobs(flora.account)
    assert (job["id"], job["operation"], job["status"]) == (run["runId"], "create_run", "succeeded")
    assert job["request"] == {"technique": "portrait-enhancer", **flora.order(idempotency_key="k")}
    assert (job["cost"], job["charged"]) == (5, 5)
    assert job["created_at"] <= job["started_at"] <= job["ended_at"]


def test_the_media_origin_counts_every_credential_that_arrives(own_sandbox: Sandbox) -> None:
    account = own_sandbox.new_account()
    key = account["api_key"]
    httpx.get(own_sandbox.sample)
    assert own_sandbox.leaked() == 0
    httpx.get(own_sandbox.sample, headers={"authorization": f"Bearer {key}"})
    httpx.get(own_sandbox.sample, headers={"cookie": f"session={key}"})
    httpx.get(own_sandbox.sample, params={"whatever": key})
    httpx.get(own_sandbox.sample, headers={"x-api-key": "unknown"})
    httpx.get(own_sandbox.sample, params={"api_key": "unknown"})
    report = own_sandbox.control("GET", "/requests")
    assert report["leaked_total"] == 5
    assert {line["account"]: line["count"] for line in report["leaked_credentials"]} == {account["account"]: 3, None: 2}


def test_files_are_served_whole_in_part_and_by_their_headers_alone(flora: FloraCustomer) -> None:
    url = flora.finish(flora.run())["outputs"][0]["url"]
    whole = httpx.get(url)
    data = whole.content
    assert whole.headers["content-type"] in {"image/jpeg", "image/png"}
    assert int(whole.headers["content-length"]) == len(data)
    head = httpx.head(url)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(data)))
    for asked, expected in (("0-9", data[:10]), ("10-", data[10:]), ("-7", data[-7:]), ("5-999999999", data[5:])):
        part = httpx.get(url, headers={"range": f"bytes={asked}"})
        assert (part.status_code, part.content) == (206, expected)
        assert part.headers["content-range"].endswith(f"/{len(data)}")
    assert httpx.get(url, headers={"range": f"bytes={len(data)}-"}).status_code == 416
    assert httpx.get(f"{url}x").status_code == 404
    assert httpx.delete(url).status_code == 405


def test_the_scale_and_the_nominal_time_stand_on_every_answer(own_sandbox: Sandbox) -> None:
    own_sandbox.control("POST", "/clock", {"scale": 20, "advance": 86_400})
    now = own_sandbox.control("GET", "")["clock"]["now"]
    for path in ("/sandbox", "/flora/api/v1/techniques/x", "/nowhere"):
        response = httpx.get(own_sandbox.url + path)
        assert response.headers["x-sandbox-clock-scale"] == "20"
        assert response.headers["x-sandbox-origins"] == own_sandbox.media_url
        assert parsedate_to_datetime(response.headers["date"]).timestamp() >= int(now)
    foreign = httpx.get(own_sandbox.url, headers={"host": "example.com"})
    assert foreign.headers["x-sandbox-clock-scale"] == "20"


@pytest.mark.parametrize("order", [{}, {"scale": 0}, {"scale": "fast"}, {"advance": -1}, {"wobble": 1}])
def test_a_senseless_clock_order_is_refused(sandbox: Sandbox, order: dict[str, Any]) -> None:
    assert sandbox.http.post(f"{sandbox.url}/sandbox/clock", json=order).status_code == 422


def test_a_reset_of_one_account_forgets_what_it_did_and_leaves_the_others(new_flora: NewFlora) -> None:
    first, second = new_flora(credits=20), new_flora(credits=20)
    for flora in (first, second):
        flora.finish(flora.run(idempotency_key="k"))
        flora.sandbox.fault(flora.account, "server_error", route="get_technique")
    first.sandbox.control("POST", "/reset", {"account": first.account["account"]})
    assert first.sandbox.jobs(first.account) == []
    assert first.sandbox.requests(first.account) == []
    assert first.sandbox.account(first.account)["credits"] == 20
    assert first.http.get("/api/v1/techniques/mugshot").status_code == 200
    assert first.create(idempotency_key="k").status_code == 201
    assert len(second.sandbox.jobs(second.account)) == 1
    assert second.sandbox.account(second.account)["credits"] == 15
    assert second.http.get("/api/v1/techniques/mugshot").status_code == 500


def test_a_full_reset_goes_back_to_the_start(own_sandbox: Sandbox) -> None:
    at_first = own_sandbox.control("GET", "/accounts")
    account = own_sandbox.new_account()
    own_sandbox.fault(account, "slow")
    own_sandbox.control("POST", "/clock", {"scale": 20})
    httpx.get(own_sandbox.sample, headers={"x-api-key": "x"})
    own_sandbox.control("POST", "/reset")
    left = own_sandbox.control("GET", "/accounts")
    assert [(one["provider"], one["api_key"]) for one in left] == [(one["provider"], one["api_key"]) for one in at_first]
    assert own_sandbox.control("GET", "/faults") == []
    assert own_sandbox.control("GET", "/requests") == {"counts": [], "leaked_credentials": [], "leaked_total": 0}
    assert own_sandbox.control("GET", "")["clock"]["scale"] == 1
    refused = own_sandbox.http.post(f"{own_sandbox.url}/sandbox/reset", json={"account": "nobody"})
    assert (refused.status_code, refused.json()["detail"][:8]) == (422, "account:")


@pytest.mark.parametrize("host", ["example.com", "example.com:4280", "127.0.0.1.example.com", ""])
def test_a_host_that_is_not_loopback_is_refused_on_both_origins(sandbox: Sandbox, host: str) -> None:
    assert httpx.get(f"{sandbox.url}/sandbox", headers={"host": host}).status_code == 403
    assert httpx.get(sandbox.sample, headers={"host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]:4280", "LOCALHOST:4280"])
def test_every_name_of_this_machine_is_served(sandbox: Sandbox, host: str) -> None:
    assert httpx.get(f"{sandbox.url}/sandbox", headers={"host": host}).status_code == 200


def test_a_taken_port_ends_with_one_line_and_exit_code_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        program = f"from genmedia.sandbox.server import SandboxOptions, run; run(SandboxOptions(port={port}))"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"sandbox: cannot listen on 127.0.0.1:{port}: ")
    assert done.stderr.count("\n") == 1


def test_outputs_are_served_from_any_free_port_where_the_next_one_is_taken() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port + 1)), running_sandbox(f'{{"port": {port}}}') as sandbox:
        assert sandbox.url == f"http://127.0.0.1:{port}"
        assert sandbox.sample.startswith(sandbox.media_url)
        assert httpx.get(sandbox.sample).status_code == 200


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def ended(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to see other processes")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_server_ends_at_once_with_open_connections_and_takes_its_renderer_along(number: signal.Signals) -> None:
    with running_sandbox('{"size": 64}') as sandbox:
        account = sandbox.new_account(settings={"advance": "looks"})
        headers = {"authorization": f"Bearer {account['api_key']}"}
        with httpx.Client(timeout=60, base_url=account["base_url"], headers=headers) as http:
            flora = FloraCustomer(sandbox, account, http)
            flora.finish(flora.run())
            (renderer,) = children_of(sandbox.pid)
            assert os.getpriority(os.PRIO_PROCESS, renderer) >= 10
            sandbox.fault(account, "endless_body")
            with http.stream("GET", "/api/v1/techniques/mugshot") as endless:
                assert endless.status_code == 200
                os.kill(sandbox.pid, number)
                sandbox.process.join(timeout=60)
                assert sandbox.process.exitcode == (-9 if number is signal.SIGKILL else 0)
        while not ended(renderer):  # pytest's own timeout bounds this
            os.sched_yield()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to see other processes")
def test_a_dead_renderer_is_replaced(own_sandbox: Sandbox) -> None:
    account = own_sandbox.new_account(settings={"advance": "looks"})
    with httpx.Client(
        timeout=60, base_url=account["base_url"], headers={"authorization": f"Bearer {account['api_key']}"}
    ) as http:
        flora = FloraCustomer(own_sandbox, account, http)
        flora.finish(flora.run())
        (renderer,) = children_of(own_sandbox.pid)
        os.kill(renderer, signal.SIGKILL)
        assert flora.finish(flora.run(slug="mugshot"))["status"] == "completed"
