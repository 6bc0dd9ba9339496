"""FLORA's newer webhooks: the end of a run is told to the run's `callback_url`, signed, and again until it is taken.

Nothing leaves this machine: an event for another machine is listed with the others, and not sent.
"""

import asyncio
import hashlib
import hmac
import ipaddress
import json
import time
from collections import defaultdict, deque
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import httpx

from genmedia.sandbox.accounts import Account, new_token
from genmedia.sandbox.clock import Clock
from genmedia.sandbox.engine import Job
from genmedia.sandbox.faults import Faults

PAUSES = (0.0, 10.0, 60.0, 300.0)
"""Nominal seconds before each try: the first, and the three that follow while there is no answer of 2xx."""
DEADLINE = 10.0
"""Real seconds that a receiver may take to answer."""
API_VERSION = "2026-06-11"
LISTED = 100
"""How many events of an account are listed, the newest."""


@dataclass
class Event:
    """What is told of one run.

    Attributes:
        id: Its id, the same in every try.
        run_id: The run that has ended.
        url: Where it is told.
        sent_at: When it was first sent, in nominal Unix seconds; None until then.
        answers: The status of every answer; None where there was none.
    """

    id: str
    run_id: str
    url: str
    sent_at: float | None = None
    answers: list[int | None] = field(default_factory=list[int | None])


class Webhooks:
    """Tells the ends of runs.

    Args:
        clock: Paces the tries.
        faults: Asked once per event.
    """

    def __init__(self, clock: Clock, faults: Faults) -> None:
        self._clock = clock
        self._faults = faults
        self._events: defaultdict[Account, deque[Event]] = defaultdict(lambda: deque(maxlen=LISTED))
        self._tasks: dict[asyncio.Task[None], Account] = {}

    @cached_property
    def _http(self) -> httpx.AsyncClient:
        # No proxy of the environment, and no connection that a receiver may close meanwhile.
        return httpx.AsyncClient(timeout=DEADLINE, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))

    def forget(self, account: Account) -> None:
        """Drop an account's events, also those on their way."""
        self._events.pop(account, None)
        for task in [task for task, owner in self._tasks.items() if owner is account]:
            task.cancel()

    def show(self, account: Account) -> dict[str, Any]:
        """The secret of the account's signatures, and its events."""
        return {"webhook_secret": secret_of(account), "deliveries": [asdict(event) for event in self._events[account]]}

    def tell(self, job: Job, status: str, workspace: str) -> None:
        """Tell a run's end, in FLORA's word for it, where the run has a `callback_url`."""
        if not (url := job.request.get("callback_url")):
            return
        event = Event(f"whd_{new_token()}", job.id, url)
        data = {"run_id": job.id, "run_type": "technique", "workspace_id": workspace, "status": status}
        if job.error:
            data |= {"error_code": job.error.code, "error_message": job.error.message}
        kind = f"run.{status}"
        body = {
            "id": event.id,
            "type": kind,
            "api_version": API_VERSION,
            "created_at": int(self._clock.now() * 1000),
            "data": data,
        }
        self._events[job.account].append(event)
        task = asyncio.create_task(self._deliver(job.account, event, json.dumps(body).encode(), kind))
        self._tasks[task] = job.account
        task.add_done_callback(self._tasks.pop)

    async def _deliver(self, account: Account, event: Event, body: bytes, kind: str) -> None:
        fault = self._faults.take("delivery", account.provider, account, "webhook")
        mishap = fault.kind if fault else ""
        if mishap == "lost_delivery" or not _is_on_this_machine(event.url):
            return
        secret = "whsec_forged" if mishap == "forged_delivery" else secret_of(account)
        for pause in PAUSES:
            await asyncio.sleep(self._clock.real(pause))
            event.sent_at = event.sent_at or self._clock.now()
            # Not the nominal time: the receiver compares it with this machine's.
            signed_at = int(time.time() - (fault.seconds if fault and mishap == "late_delivery" else 0))
            headers = {
                "content-type": "application/json",
                "flora-signature": f"t={signed_at},v1={sign(secret, signed_at, body)}",
                "flora-webhook-id": event.id,
                "flora-event": kind,
            }
            answers = [await self._send(event.url, headers, body) for _ in range(2 if mishap == "duplicate_delivery" else 1)]
            event.answers += answers
            if any(status and status // 100 == 2 for status in answers):
                return

    async def _send(self, url: str, headers: dict[str, str], body: bytes) -> int | None:
        try:
            return (await self._http.post(url, headers=headers, content=body)).status_code
        except httpx.HTTPError:
            return None


def secret_of(account: Account) -> str:
    """The secret of the account's signatures, the same as long as its key is."""
    return f"whsec_{hashlib.sha256(f'webhooks {account.api_key}'.encode()).hexdigest()[:32]}"


def sign(secret: str, signed_at: int, body: bytes) -> str:
    """The signature of a body at a time in Unix seconds."""
    return hmac.new(secret.encode(), f"{signed_at}.".encode() + body, hashlib.sha256).hexdigest()


def callback_problems(body: dict[str, Any]) -> list[str]:
    """A line if a run's `callback_url` is neither an https address nor one on this machine."""
    url = body.get("callback_url")
    return [] if url is None or (isinstance(url, str) and _can_be_told(url)) else ["callback_url must be an https:// address"]


def _can_be_told(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and _is_on_this_machine(url)))
    except ValueError:
        return False


def _is_on_this_machine(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
