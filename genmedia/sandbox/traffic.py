"""What arrived at the sandbox: requests by route and status, and credentials where none belong."""

from collections import Counter
from typing import Any

from genmedia.sandbox.accounts import Account

NO_ANSWER = 0
"""The status counted for a request whose connection was closed instead of answered."""


class Traffic:
    """Counts every request, so that a test can say how often a client really called."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str | None, str, str, int]] = Counter()
        self._leaks: Counter[tuple[str | None, str | None]] = Counter()

    def count(self, provider: str, account: Account | None, method: str, route: str, status: int) -> None:
        """Record one request and the status it was answered with."""
        self._requests[provider, account and account.name, method, route, status] += 1

    def leak(self, account: Account | None) -> None:
        """Record one request that carried a credential to the media origin; None when nobody knows whose."""
        self._leaks[(account.provider, account.name) if account else (None, None)] += 1

    def report(self) -> dict[str, Any]:
        """The counts in the form of the control plane's answer."""
        return {
            "counts": [
                {"provider": provider, "account": account, "method": method, "route": route, "status": status, "count": count}
                for (provider, account, method, route, status), count in self._requests.items()
            ],
            "leaked_credentials": [
                {"provider": provider, "account": account, "count": count} for (provider, account), count in self._leaks.items()
            ],
            "leaked_total": self._leaks.total(),
        }

    def forget(self, account: Account) -> None:
        """Drop what was counted for one account."""
        for key in [key for key in self._requests if key[:2] == (account.provider, account.name)]:
            del self._requests[key]
        del self._leaks[account.provider, account.name]

    def clear(self) -> None:
        """Start counting anew."""
        self._requests.clear()
        self._leaks.clear()
