"""FLORA's webhooks: one signed delivery to a run's `callback_url` when the run has ended; it has no outputs in it."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

from genmedia.jobs.job import Account
from genmedia.transport.answers import RemoteId

SIGNATURE = "flora-signature"
"""Header with `t=TIME,v1=SIGNATURE`, and another `v1` while a secret is being replaced."""

WINDOW_SECONDS = 300
"""Most seconds between the time in a signature and the present, either way, as FLORA's own client has it."""

ENDS = ("run.completed", "run.failed")


class _Told(BaseModel):
    run_id: RemoteId


class _Delivery(BaseModel):
    type: str
    data: _Told


@dataclass(frozen=True)
class FloraWebhook:
    """Webhook of one FLORA account; a `Webhook` of `genmedia.providers.webhooks`.

    Args:
        account: The account.
        secret: Secret of its signatures, `whsec_...`, all of which is the key.
    """

    account: Account
    secret: str = field(repr=False)

    def is_genuine(self, headers: Mapping[str, str], body: bytes, now: float) -> bool:
        """See `Webhook`. Only the time and the body are signed: no other header is believed."""
        parts = [part.strip().partition("=") for part in headers.get(SIGNATURE, "").split(",")]
        times = [value for name, _, value in parts if name == "t"]
        if len(times) != 1 or not (times[0].isascii() and times[0].isdecimal() and len(times[0]) <= 12):
            return False
        right = hmac.new(self.secret.encode(), f"{times[0]}.".encode() + body, "sha256").hexdigest().encode()
        signed = [hmac.compare_digest(right, value.encode()) for name, _, value in parts if name == "v1"]
        return any(signed) and abs(now - int(times[0])) <= WINDOW_SECONDS

    def ended_job(self, body: bytes) -> str:
        """See `Webhook`."""
        delivery = _Delivery.model_validate_json(body)
        return delivery.data.run_id if delivery.type in ENDS else ""
