"""What FLORA signs is told from what others send, on the body as it came and within its time."""

import hmac
import json
from hashlib import sha256
from typing import Any

import pytest

from genmedia.jobs.job import Account
from genmedia.providers.flora.webhooks import WINDOW_SECONDS, FloraWebhook

SECRET = "whsec_0123456789"
NOW = 1_790_000_000
WEBHOOK = FloraWebhook(Account("flora", "https://app.flora.ai"), SECRET)


def event(kind: str = "run.completed", **data: Any) -> bytes:
    told = {"run_id": "run_1", "run_type": "technique", "workspace_id": "ws_1", "status": kind.partition(".")[2], **data}
    return json.dumps({"id": "whd_1", "type": kind, "api_version": "2026-06-11", "created_at": 0, "data": told}).encode()


def signature(body: bytes, at: int | str = NOW, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), f"{at}.".encode() + body, sha256).hexdigest()


def is_genuine(header: str, body: bytes = event(), now: float = NOW) -> bool:
    return WEBHOOK.is_genuine({"flora-signature": header}, body, now)


def test_a_signature_is_of_the_time_and_the_body_as_it_came_with_the_whole_secret() -> None:
    # Worked out by `printf '%s' '1790000000.{"type": "run.completed"}' | openssl dgst -sha256 -hmac whsec_0123456789`.
    known = "14febd6d972e3e44c1acfa05d5275eb999831c314f97d1f438d080f1eb3e14ba"

    assert is_genuine(f"t={NOW},v1={known}", b'{"type": "run.completed"}')
    assert not is_genuine(f"t={NOW},v1={known}", b'{"type":"run.completed"}')
    assert not is_genuine(f"t={NOW},v1={signature(event(), secret=SECRET.removeprefix('whsec_'))}")


def test_while_a_secret_is_replaced_one_of_several_signatures_is_enough() -> None:
    assert is_genuine(f"t={NOW},v1={signature(event(), secret='whsec_next')}, v1={signature(event())}")


@pytest.mark.parametrize(
    ("off", "genuine"), [(0, True), (WINDOW_SECONDS, True), (WINDOW_SECONDS + 1, False), (-WINDOW_SECONDS, True), (-301, False)]
)
def test_a_signature_holds_five_minutes_either_way(off: int, genuine: bool) -> None:
    assert is_genuine(f"t={NOW},v1={signature(event())}", now=NOW + off) is genuine


def test_a_newer_time_does_not_fit_an_older_signature() -> None:
    assert not is_genuine(f"t={NOW + 600},v1={signature(event())}", now=NOW + 600)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "v1=%s",
        "t=,v1=%s",
        f"t={NOW}",
        f"t={NOW},v1=",
        f"t={NOW},v2=%s",
        f"t={NOW}.0,v1=%s",
        f"t=-{NOW},v1=%s",
        f"t={NOW},t={NOW},v1=%s",
        f"t=\u0661{NOW},v1=%s",
        f"t={'9' * 5000},v1=%s",
        f"t={NOW},v1=\u00fc%s",
        f"t={NOW};v1=%s",
    ],
)
def test_a_header_that_is_not_as_flora_writes_it_is_no_signature(header: str) -> None:
    assert not is_genuine(header.replace("%s", signature(event())))


def test_no_other_header_is_believed() -> None:
    headers = {"flora-webhook-id": "whd_1", "flora-event": "run.completed", "authorization": f"Bearer {SECRET}"}

    assert not WEBHOOK.is_genuine(headers, event(), NOW)


def test_a_run_that_has_ended_is_named_however_it_ended() -> None:
    failed = event("run.failed", error_code="safety_blocked", error_message="No.")

    assert (WEBHOOK.ended_job(event()), WEBHOOK.ended_job(failed)) == ("run_1", "run_1")


def test_other_news_names_no_run() -> None:
    assert WEBHOOK.ended_job(event("run.started")) == ""


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"type": "run.completed"}', event(run_id=""), event(run_id=7), event(run_id="r" * 300), b"[" * 9999],
)
def test_what_cannot_be_read_is_a_fault_of_the_delivery(body: bytes) -> None:
    with pytest.raises(ValueError, match="validation error"):
        WEBHOOK.ended_job(body)


def test_the_secret_is_not_shown_with_the_webhook() -> None:
    assert SECRET not in repr(WEBHOOK)
