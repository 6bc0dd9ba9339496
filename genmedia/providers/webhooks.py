"""Webhooks of providers, as the receiver knows them: what an account's credentials hold to tell genuine deliveries from others."""

from collections.abc import Mapping
from typing import Protocol

from genmedia.jobs.job import Account


class Webhook(Protocol):
    """Webhook of one account."""

    @property
    def account(self) -> Account:
        """The account whose jobs it tells of."""
        ...

    def is_genuine(self, headers: Mapping[str, str], body: bytes, now: float) -> bool:
        """True if the account's provider signed this body, not long before or after a time.

        Args:
            headers: Headers of the delivery, by names in lower case.
            body: The body as it came.
            now: The present time, in seconds since 1970.
        """
        ...

    def ended_job(self, body: bytes) -> str:
        """Return the provider's id of the job that a genuine delivery says has ended; empty if it tells of something else.

        Raises:
            ValueError: The body cannot be read.
        """
        ...
