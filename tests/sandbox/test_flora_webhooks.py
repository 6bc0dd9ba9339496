"""FLORA's webhooks as it sends them: signed, again while they are refused, and late, twice, forged or not at all where that is scripted."""

import hmac
import json
import re
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from time import sleep, time
from typing import Any

import httpx
import pytest

from tests.sandbox.flora_customers import FloraCustomer, NewFlora
from tests.sandboxes import Sandbox

QUICK = {"settings": {"looks": [0, 0]}, "switches": {"webhooks": True}}


@dataclass
class Received:
    """One delivery as it came."""

    headers: dict[str, str]
    body: bytes

    @property
    def told(self) -> dict[str, Any]:
        return json.loads(self.body)

    def signed_at(self) -> int:
        return int(self.headers["flora-signature"].partition(",")[0].removeprefix("t="))

    def is_signed_with(self, secret: str) -> bool:
        right = hmac.new(secret.encode(), f"{self.signed_at()}.".encode() + self.body, "sha256").hexdigest()
        return self.headers["flora-signature"] == f"t={self.signed_at()},v1={right}"


@dataclass
class Listener:
    """A receiver that answers with the given statuses, the last one again and again."""

    url: str
    answers: list[int] = field(default_factory=lambda: [204])
    received: list[Received] = field(default_factory=list[Received])


@pytest.fixture
def listener() -> Generator[Listener]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            listener.received.append(Received({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(listener.answers.pop(0) if len(listener.answers) > 1 else listener.answers[0])
            self.send_header("location", f"{listener.url}/elsewhere")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- as its base has it
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        listener = Listener(f"http://127.0.0.1:{server.server_port}/hooks")
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield listener
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def flora(new_flora: NewFlora) -> FloraCustomer:
    return new_flora(**QUICK)


def deliveries(flora: FloraCustomer) -> list[dict[str, Any]]:
    return flora.sandbox.account(flora.account)["deliveries"]


def await_that(found: Callable[[], bool]) -> None:
    while not found():
        sleep(0.02)


def answered(flora: FloraCustomer, *answers: int | None) -> dict[str, Any]:
    """The one delivery, once it has these answers."""
    await_that(lambda: [one["answers"] for one in deliveries(flora)] == [list(answers)])
    return deliveries(flora)[0]


def test_the_end_of_a_run_is_told_signed_and_without_outputs(flora: FloraCustomer, listener: Listener) -> None:
    run = flora.run(callback_url=listener.url)
    flora.finish(run)
    answered(flora, 204)
    (one,) = listener.received

    assert one.is_signed_with(flora.account["webhook_secret"])
    assert abs(one.signed_at() - time()) < 60, "the sandbox's clock runs fifty times as fast"
    assert one.told["data"] == {
        "run_id": run["runId"],
        "run_type": "technique",
        "workspace_id": "",
        "status": "completed",
    }
    assert one.told.keys() == {"id", "type", "api_version", "created_at", "data"}
    assert (one.headers["flora-webhook-id"], one.headers["flora-event"]) == (one.told["id"], "run.completed")
    assert re.fullmatch(r"whd_\w+", one.told["id"])


def test_a_failed_run_tells_why(flora: FloraCustomer, listener: Listener) -> None:
    flora.sandbox.fault(flora.account, "fail", error_code="safety_blocked", message="No.")
    flora.finish(flora.run(callback_url=listener.url))
    answered(flora, 204)
    told = listener.received[0].told

    assert told["type"] == "run.failed"
    assert told["data"].items() >= {"status": "failed", "error_code": "safety_blocked", "error_message": "No."}.items()


def test_today_the_event_names_the_workspace(new_flora: NewFlora, listener: Listener) -> None:
    flora = new_flora(settings={"looks": [0, 0]}, switches={"webhooks": True, "casing": "snake", "workspaces": 1})
    flora.finish(flora.run(callback_url=listener.url))
    answered(flora, 204)

    workspace = flora.http.get("/api/v1/workspaces").json()["workspaces"][0]["workspace_id"]
    assert listener.received[0].told["data"]["workspace_id"] == workspace


def test_a_run_without_an_address_and_the_beta_tell_nothing(
    new_flora: NewFlora, flora: FloraCustomer, listener: Listener
) -> None:
    beta = new_flora(settings={"looks": [0, 0]})
    beta.finish(beta.run(callback_url=listener.url))
    flora.finish(flora.run())
    flora.finish(flora.run(callback_url=listener.url))
    answered(flora, 204)

    assert (deliveries(beta), len(listener.received)) == ([], 1)


@pytest.mark.parametrize("url", ["http://example.com/hook", "ftp://127.0.0.1/", "hooks", "https://", "http://[::1", 7, ""])
def test_an_address_that_is_neither_https_nor_on_this_machine_is_refused(flora: FloraCustomer, url: object) -> None:
    refused = flora.create(callback_url=url)

    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "input_validation_error")
    assert "callback_url" in refused.json()["error"]["message"]


@pytest.mark.parametrize("host", ["192.0.2.1", "localhost.example.com", "127.0.0.1.example.com", "127.0.0.1@192.0.2.1"])
def test_an_address_on_another_machine_is_taken_and_nothing_is_sent_there(
    flora: FloraCustomer, listener: Listener, host: str
) -> None:
    flora.finish(flora.run(callback_url=f"https://{host}/hook"))
    flora.finish(flora.run(callback_url=listener.url))
    await_that(lambda: len(listener.received) == 1)

    away = next(one for one in deliveries(flora) if host in one["url"])
    assert (away["sent_at"], away["answers"]) == (None, [])


@pytest.fixture
def hasty(own_sandbox: Sandbox) -> Generator[FloraCustomer]:
    """A customer of a sandbox in which minutes pass at once."""
    own_sandbox.control("POST", "/clock", {"scale": 2_000})
    account = own_sandbox.new_account(settings={"advance": "looks", "looks": [0, 0]}, switches={"webhooks": True})
    with httpx.Client(
        base_url=account["base_url"], headers={"authorization": f"Bearer {account['api_key']}"}, timeout=60
    ) as http:
        yield FloraCustomer(own_sandbox, account, http)


def test_what_is_refused_is_sent_again_three_times_with_one_id_and_new_signatures(
    hasty: FloraCustomer, listener: Listener
) -> None:
    listener.answers = [500]
    hasty.finish(hasty.run(callback_url=listener.url))
    answered(hasty, 500, 500, 500, 500)

    assert len({one.told["id"] for one in listener.received}) == 1
    assert all(one.is_signed_with(hasty.account["webhook_secret"]) for one in listener.received)


def test_what_is_taken_is_not_sent_again_and_a_redirect_is_not_followed(hasty: FloraCustomer, listener: Listener) -> None:
    listener.answers = [307, 401, 200]
    hasty.finish(hasty.run(callback_url=listener.url))

    answered(hasty, 307, 401, 200)
    assert len(listener.received) == 3


def test_where_nobody_listens_there_is_no_answer(hasty: FloraCustomer) -> None:
    hasty.finish(hasty.run(callback_url="http://127.0.0.1:9/"))

    answered(hasty, None, None, None, None)


def test_a_reset_account_is_told_nothing_more(hasty: FloraCustomer, listener: Listener) -> None:
    listener.answers = [500]
    hasty.sandbox.control("POST", "/clock", {"scale": 1})
    hasty.finish(hasty.run(callback_url=listener.url))
    answered(hasty, 500)
    hasty.sandbox.control("POST", "/reset", {"provider": "flora", "account": hasty.account["account"]})

    assert deliveries(hasty) == []


def test_a_delivery_comes_late_twice_forged_or_not_at_all(flora: FloraCustomer, listener: Listener) -> None:
    for kind in ("late_delivery", "duplicate_delivery", "forged_delivery", "lost_delivery"):
        flora.sandbox.fault(flora.account, kind)
    listener.answers = [200]
    runs: list[str] = []
    for number in (1, 3, 4, 4, 5):
        runs.append(flora.run(callback_url=listener.url)["runId"])
        flora.finish({"pollUrl": f"/api/v1/techniques/portrait-enhancer/runs/{runs[-1]}"})
        await_that(lambda number=number: len(listener.received) == number)
    late, twice, again, forged, genuine = listener.received
    secret = flora.account["webhook_secret"]

    assert [one.told["data"]["run_id"] for one in listener.received] == [runs[0], runs[1], runs[1], runs[2], runs[4]]
    assert (twice.headers, twice.body) == (again.headers, again.body)
    assert 590 < time() - late.signed_at() < 660
    assert [one.is_signed_with(secret) for one in listener.received] == [True, True, True, False, True]
    assert abs(time() - genuine.signed_at()) < 60
    assert forged.told["data"]["status"] == "completed"


def test_how_late_a_delivery_comes_can_be_told(flora: FloraCustomer, listener: Listener) -> None:
    flora.sandbox.fault(flora.account, "late_delivery", seconds=100)
    flora.finish(flora.run(callback_url=listener.url))
    answered(flora, 204)

    assert 90 < time() - listener.received[0].signed_at() < 160
