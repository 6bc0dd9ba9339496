import base64
import contextlib
import json
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.connection import Connection

from tests.sandbox.genova_customers import END, GenovaCustomer, NewGenova, hear, hear_until
from tests.sandboxes import Sandbox

BY_THE_CLOCK = {"advance": "time", "queue": [1, 1], "run": [20, 20]}


@pytest.fixture
def timed(new_genova: NewGenova) -> GenovaCustomer:
    """A customer whose jobs run twenty nominal seconds."""
    return new_genova(settings=BY_THE_CLOCK)


def say(line: Connection, **message: Any) -> None:
    line.send(json.dumps(message))


def closed_with(line: Connection) -> int:
    with contextlib.suppress(ConnectionClosed):
        while True:
            line.recv(timeout=30)
    assert line.close_code is not None
    return line.close_code


def picture(photo: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(photo).decode()}"


def test_a_line_hears_a_job_from_start_to_end(timed: GenovaCustomer) -> None:
    with timed.line() as line:
        assert hear(line) == {"type": "welcome", "userId": timed.account["user_id"]}
        job_id = timed.buy(count=2)
        heard = hear_until(line, *END)
    assert {event["jobId"] for event in heard} == {job_id}
    started, *progress, completed = heard
    assert started == {"type": "job_started", "jobId": job_id}
    assert {event["type"] for event in progress} == {"job_progress"}
    percents = [event["progress"] for event in progress]
    assert len(percents) >= 3
    assert percents == sorted(percents)
    assert all(0 <= percent <= 100 for percent in percents)
    assert all(event["message"] for event in progress)
    job = timed.look(job_id)
    assert (completed["resultUrl"], completed["resultUrls"]) == (job["result_url"], job["result_urls"])


def test_a_line_hears_of_jobs_that_move_by_looks(genova: GenovaCustomer) -> None:
    with genova.line() as line:
        job_id = genova.buy()
        genova.finish(job_id)
        types = [event["type"] for event in hear_until(line, *END)]
    assert types == ["welcome", "job_started", "job_progress", "job_progress", "job_completed"]


def test_a_failed_job_says_why(genova: GenovaCustomer) -> None:
    genova.sandbox.fault(genova.account, "fail", message="Blocked by the model.")
    with genova.line() as line:
        job_id = genova.buy()
        genova.finish(job_id)
        assert hear_until(line, *END)[-1] == {"type": "job_failed", "jobId": job_id, "error": "Blocked by the model."}


def test_a_cancelled_job_is_told_as_failed(genova: GenovaCustomer) -> None:
    with genova.line() as line:
        job_id = genova.buy()
        genova.http.delete(f"/api/jobs/{job_id}")
        assert hear_until(line, *END)[-1] == {"type": "job_failed", "jobId": job_id, "error": "Cancelled"}


def test_every_line_of_a_user_hears_and_nobody_elses_does(new_genova: NewGenova) -> None:
    mine, other = new_genova(), new_genova()
    with mine.line() as first, mine.line() as second, other.line() as foreign:
        job_id = mine.buy()
        mine.finish(job_id)
        for line in (first, second):
            assert hear_until(line, *END)[-1]["jobId"] == job_id
        say(foreign, type="ping")
        assert [hear(foreign)["type"] for _ in range(2)] == ["welcome", "pong"]


def test_what_was_missed_is_not_told_again(genova: GenovaCustomer) -> None:
    with genova.line() as line:
        hear(line)
    genova.finish(genova.buy())
    with genova.line() as line:
        say(line, type="ping")
        assert [hear(line)["type"] for _ in range(2)] == ["welcome", "pong"]


@pytest.mark.parametrize("message", ["", "nonsense", "[]", '{"type": "wobble"}'])
def test_a_senseless_message_is_left_alone(genova: GenovaCustomer, message: str) -> None:
    with genova.line() as line:
        line.send(message)
        say(line, type="ping")
        assert [hear(line)["type"] for _ in range(2)] == ["welcome", "pong"]


@pytest.mark.parametrize("address", ["/ws/user", "/ws/user?userId=nobody", "/ws/extension", "/ws/extension?userId=nobody"])
def test_a_line_without_a_known_user_is_closed_with_1008(genova: GenovaCustomer, address: str) -> None:
    with genova.line(address) as line:
        assert closed_with(line) == 1008


def test_a_line_can_be_made_to_ask_for_a_key(new_genova: NewGenova) -> None:
    genova, other = new_genova(switches={"ws_auth": "key"}), new_genova()
    with genova.line() as line:
        assert closed_with(line) == 1008
    with genova.line(additional_headers={"x-api-key": other.account["api_key"]}) as line:
        assert closed_with(line) == 1008
    with genova.line(additional_headers={"x-api-key": genova.account["api_key"]}) as line:
        assert hear(line)["type"] == "welcome"


def test_a_line_is_closed_after_ninety_silent_seconds_and_a_ping_keeps_it(own_sandbox: Sandbox, new_genova: NewGenova) -> None:
    genova = new_genova(at=own_sandbox)
    with genova.line() as silent, genova.line() as pinging:
        for line in (silent, pinging):
            assert hear(line)["type"] == "welcome"
        own_sandbox.control("POST", "/clock", {"advance": 80})
        say(pinging, type="ping")
        assert hear(pinging) == {"type": "pong"}
        own_sandbox.control("POST", "/clock", {"advance": 20})
        assert closed_with(silent) == 1001
        say(pinging, type="ping")
        assert hear(pinging) == {"type": "pong"}


def test_a_socket_elsewhere_is_refused(genova: GenovaCustomer) -> None:
    url = genova.sandbox.url
    key = {"sec-websocket-version": "13", "sec-websocket-key": "MDEyMzQ1Njc4OWFiY2RlZg=="}
    response = httpx.get(f"{url}/genova/ws/nowhere", headers={"connection": "Upgrade", "upgrade": "websocket", **key})
    assert response.status_code == 403


def test_a_silent_socket_stays_open_and_says_nothing_more(genova: GenovaCustomer) -> None:
    genova.sandbox.fault(genova.account, "silent_socket", after=1)
    with genova.line() as line:
        genova.finish(genova.buy())
        assert [event["type"] for event in hear_until(line, "job_started")] == ["welcome", "job_started"]
        say(line, type="ping")
        # A later line hears its pong, so the silent one had the time for it too.
        with genova.line() as later:
            say(later, type="ping")
            hear_until(later, "pong")
        with pytest.raises(TimeoutError):
            line.recv(timeout=0)
        assert line.close_code is None


def test_a_dropped_socket_ends_without_a_goodbye(genova: GenovaCustomer) -> None:
    genova.sandbox.fault(genova.account, "drop_socket", after=1)
    with genova.line() as line:
        genova.finish(genova.buy())
        assert [event["type"] for event in hear_until(line, "job_started")] == ["welcome", "job_started"]
        assert closed_with(line) == 1006
    with genova.line() as line:
        assert hear(line)["type"] == "welcome"


def test_events_can_come_twice(genova: GenovaCustomer) -> None:
    genova.sandbox.fault(genova.account, "duplicate_events", times=None)
    with genova.line() as line:
        genova.finish(genova.buy())
        heard = hear_until(line, *END)[1:]
        heard.append(hear(line))
    assert heard[::2] == heard[1::2]


def test_an_event_can_be_overtaken_by_the_next(genova: GenovaCustomer) -> None:
    genova.sandbox.fault(genova.account, "out_of_order", after=2)
    with genova.line() as line:
        genova.finish(genova.buy())
        types = [event["type"] for event in hear_until(line, *END)]
        types.append(hear(line)["type"])
    assert types == ["welcome", "job_started", "job_progress", "job_completed", "job_progress"]


def test_an_event_that_nothing_overtakes_comes_late(genova: GenovaCustomer) -> None:
    genova.sandbox.fault(genova.account, "out_of_order", after=3)
    with genova.line() as line:
        genova.finish(genova.buy())
        assert hear_until(line, *END)[-1]["type"] == "job_completed"


def test_a_reset_closes_the_lines(genova: GenovaCustomer) -> None:
    with genova.line() as line:
        hear(line)
        genova.sandbox.control("POST", "/reset", {"provider": "genova", "account": genova.account["account"]})
        assert closed_with(line) == 1001


def test_an_extension_gets_the_job_and_its_result_reaches_the_buyer(new_genova: NewGenova, photo: bytes) -> None:
    genova = new_genova(switches={"workers": "extension"})
    job_id = genova.buy("A cat", aspectRatio="square")
    with genova.line() as line, genova.extension() as extension:
        assert hear(extension)["extensionType"] == "flow"
        order = hear(extension)
        assert order == {
            "type": "new_job",
            "job": {
                "id": job_id,
                "type": "image",
                "prompt": "A cat",
                "settings": {"model": "imagen4", "aspectRatio": "square", "count": 1},
            },
        }
        assert genova.look(job_id)["status"] == "processing"
        say(extension, type="job_progress", jobId=job_id, progress=40, message="half way")
        say(extension, type="job_progress", jobId=job_id, progress=30)
        say(extension, type="job_completed", jobId=job_id, result=picture(photo))
        heard = hear_until(line, *END)
    assert [event.get("progress") for event in heard if event["type"] == "job_progress"] == [40, 40]
    job = genova.look(job_id)
    assert (job["status"], job["file_size"], heard[-1]["resultUrl"]) == ("completed", len(photo), job["result_url"])
    assert job["result_url"].endswith("/result.jpg")
    link = genova.http.get(f"/api/jobs/{job_id}/download").headers["location"]
    assert httpx.get(link).content == photo


def test_an_extension_can_send_several_results_or_a_failure(new_genova: NewGenova, photo: bytes) -> None:
    genova = new_genova(switches={"workers": "extension"})
    with genova.line() as line, genova.extension() as extension:
        hear(extension)
        several, failing, broken = genova.buy(count=2), genova.buy(), genova.buy()
        assert hear(extension)["job"]["id"] == several
        say(extension, type="job_completed", jobId=several, results=[picture(photo)] * 2)
        assert hear(extension)["job"]["id"] == failing
        say(extension, type="job_failed", jobId=failing, error="The page changed.")
        assert hear(extension)["job"]["id"] == broken
        say(extension, type="job_completed", jobId=broken, result="nonsense")
        for _ in range(3):
            hear_until(line, *END)
    assert len(genova.look(several)["result_urls"]) == 2
    assert genova.look(failing)["error_message"] == "The page changed."
    assert genova.look(broken)["error_message"] == "The extension sent no readable result."


def test_freepik_jobs_go_to_the_freepik_extension_and_the_others_to_flow(new_genova: NewGenova) -> None:
    genova = new_genova(switches={"workers": "extension"})
    with genova.extension("flow") as flow, genova.extension("freepik") as freepik:
        for extension in (flow, freepik):
            assert hear(extension)["type"] == "welcome"
        pikaso, other = genova.buy(model="freepik"), genova.buy(model="nano_banana2")
        assert (hear(freepik)["job"]["id"], hear(flow)["job"]["id"]) == (pikaso, other)


def test_a_busy_extension_gets_another_job_when_it_asks(new_genova: NewGenova) -> None:
    genova = new_genova(switches={"workers": "extension"})
    with genova.extension() as extension:
        hear(extension)
        first, second = genova.buy(), genova.buy()
        assert hear(extension)["job"]["id"] == first
        assert genova.look(second)["status"] == "queued"
        say(extension, type="request_job")
        assert hear(extension)["job"]["id"] == second


def test_an_extension_that_leaves_fails_its_job(new_genova: NewGenova) -> None:
    genova = new_genova(switches={"workers": "extension"})
    with genova.line() as line:
        with genova.extension() as extension:
            hear(extension)
            job_id = genova.buy()
            hear(extension)
        assert hear_until(line, *END)[-1] == {"type": "job_failed", "jobId": job_id, "error": "The extension disconnected."}


@pytest.mark.parametrize("spoiled", ["token", "extensionType"])
def test_an_extension_needs_its_users_token_and_a_known_type(new_genova: NewGenova, spoiled: str) -> None:
    genova, other = new_genova(), new_genova()
    query = {"userId": genova.account["user_id"], "token": genova.account["jwt"], "extensionType": "flow"}
    query[spoiled] = other.account["jwt"]
    with genova.line(f"/ws/extension?{httpx.QueryParams(query)}") as line:
        assert closed_with(line) == 1008


def test_no_event_is_lost_among_many_jobs_and_lines(new_genova: NewGenova) -> None:
    genova = new_genova(settings={"advance": "time", "queue": [0, 1], "run": [1, 3]})
    with genova.line() as first, genova.line() as second:
        jobs = {genova.buy(f"Cat {number}") for number in range(20)}
        for line in (first, second):
            ended: set[str] = set()
            started: set[str] = set()
            while ended != jobs:
                event = hear(line)
                if event["type"] == "job_started":
                    started.add(event["jobId"])
                elif event["type"] in END:
                    assert event["jobId"] in started
                    ended.add(event["jobId"])
            assert started == jobs
