import httpx
import pytest

from genmedia.sandbox.clock import Clock
from tests.sandbox.flora_customers import FloraCustomer, NewFlora
from tests.sandboxes import Sandbox, running_sandbox

LONG = [100_000, 100_000]


def statuses(flora: FloraCustomer) -> list[str]:
    return [job["status"] for job in flora.sandbox.jobs(flora.account)]


def test_looking_at_one_run_moves_no_other(flora: FloraCustomer) -> None:
    looked_at, left_alone = flora.run(), flora.run()
    assert flora.finish(looked_at)["status"] == "completed"
    assert statuses(flora) == ["succeeded", "queued"]
    assert flora.poll(left_alone)["status"] == "pending"


def test_the_number_of_looks_is_a_setting(new_flora: NewFlora) -> None:
    flora = new_flora(settings={"looks": [2, 1]})
    run = flora.run()
    assert [flora.poll(run)["status"] for _ in range(4)] == ["pending", "pending", "running", "completed"]


def test_no_more_jobs_run_at_once_than_the_account_may(new_flora: NewFlora) -> None:
    flora = new_flora(settings={"max_running": 1, "looks": [0, 1]})
    first, second = flora.run(), flora.run()
    assert [flora.poll(first)["status"], flora.poll(second)["status"], flora.poll(second)["status"]] == [
        "running",
        "pending",
        "pending",
    ]
    flora.finish(first)
    assert flora.poll(second)["status"] == "running"


def test_jobs_that_wait_for_room_start_when_one_ends_or_the_bound_is_raised(own_sandbox: Sandbox) -> None:
    account = own_sandbox.new_account(settings={"max_running": 1, "queue": [1, 1], "run": LONG})
    flora = FloraCustomer(own_sandbox, account, _client(account))
    with flora.http:
        for _ in range(4):
            flora.run()
        own_sandbox.control("POST", "/clock", {"advance": 10})
        assert statuses(flora) == ["running", "queued", "queued", "queued"]
        own_sandbox.new_account(account=account["account"], settings={"max_running": 2})
        assert statuses(flora) == ["running", "running", "queued", "queued"]


def _client(account: dict[str, str]) -> httpx.Client:
    return httpx.Client(timeout=60, base_url=account["base_url"], headers={"authorization": f"Bearer {account['api_key']}"})


def test_by_the_clock_a_job_waits_then_runs_then_ends_at_its_time(own_sandbox: Sandbox) -> None:
    account = own_sandbox.new_account(settings={"queue": [1000, 1000], "run": [4000, 4000]})
    flora = FloraCustomer(own_sandbox, account, _client(account))
    with flora.http:
        flora.sandbox.fault(account, "fail", after=1)
        run, doomed = flora.run(), flora.run()
        assert flora.poll(run)["status"] == "pending"
        own_sandbox.control("POST", "/clock", {"advance": 2000})
        look = flora.poll(run)
        assert look["status"] == "running"
        assert 25 <= look["progress"] <= 30
        own_sandbox.control("POST", "/clock", {"advance": 2000})
        assert flora.poll(run)["progress"] >= 75
        own_sandbox.control("POST", "/clock", {"advance": 2000})
        done = flora.poll(doomed)
        assert done["status"] == "failed"
        assert done["startedAt"] - done["createdAt"] == pytest.approx(1_000_000, abs=1)
        assert done["completedAt"] - done["startedAt"] == pytest.approx(4_000_000, abs=1)


def test_failures_come_at_the_rate_asked_for_and_repeat_with_the_seed() -> None:
    def outcomes(seed: int) -> list[str]:
        with running_sandbox(f'{{"size": 64, "seed": {seed}}}') as sandbox:
            account = sandbox.new_account(settings={"advance": "looks", "looks": [0, 0], "failure_rate": 0.5})
            flora = FloraCustomer(sandbox, account, _client(account))
            with flora.http:
                return [flora.poll(flora.run())["status"] for _ in range(24)]

    first = outcomes(1)
    assert 4 <= first.count("failed") <= 20
    assert outcomes(1) == first
    assert outcomes(2) != first


def test_equal_requests_give_equal_pictures_under_different_addresses(flora: FloraCustomer) -> None:
    urls = [flora.finish(flora.run())["outputs"][0]["url"] for _ in range(2)]
    assert urls[0] != urls[1]
    assert httpx.get(urls[0]).content == httpx.get(urls[1]).content


def test_an_output_expires_after_its_nominal_lifetime(own_sandbox: Sandbox) -> None:
    account = own_sandbox.new_account(settings={"advance": "looks", "output_lifetime": 3600})
    flora = FloraCustomer(own_sandbox, account, _client(account))
    with flora.http:
        url = flora.finish(flora.run())["outputs"][0]["url"]
        assert httpx.get(url).status_code == 200
        own_sandbox.control("POST", "/clock", {"advance": 3601})
        assert httpx.get(url).status_code == 403
        assert flora.finish(flora.run(url))["errorCode"] == "input_unreachable"


def test_a_link_to_an_output_expires_and_each_look_at_the_run_shows_a_fresh_one(own_sandbox: Sandbox) -> None:
    account = own_sandbox.new_account(settings={"advance": "looks", "link_lifetime": 3600})
    flora = FloraCustomer(own_sandbox, account, _client(account))
    with flora.http:
        run = flora.run()
        url = flora.finish(run)["outputs"][0]["url"]
        assert httpx.get(url).status_code == 200
        own_sandbox.control("POST", "/clock", {"advance": 3601})
        assert httpx.get(url).status_code == 403
        assert httpx.get(flora.poll(run)["outputs"][0]["url"]).status_code == 200


def test_the_clock_changes_its_pace_without_a_jump() -> None:
    clock = Clock(scale=1.0)
    before = clock.now()
    clock.set_scale(100_000.0)
    clock.set_scale(1.0)
    clock.advance(3600.0)
    after = clock.now()
    assert after >= before + 3600
    assert clock.real(30.0) == 30.0
    clock.set_scale(20.0)
    assert clock.real(30.0) == 1.5
