"""Addresses that work for some time only, as buckets sign them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

_SIGNED = (("x-amz-date", "x-amz-expires"), ("x-goog-date", "x-goog-expires"))


def expires_at(url: str) -> datetime | None:
    """Return the time from which on an address does not work any more, in UTC; None where it does not say one.

    Amazon's, Google's and Azure's signatures say it, and those that name it in `Expires`.
    """
    told = {name.lower(): value for name, value in parse_qsl(urlsplit(url).query)}
    try:
        return _end(told)
    except (ValueError, OverflowError, OSError):
        return None


def _end(told: Mapping[str, str]) -> datetime | None:
    for begun, seconds in _SIGNED:
        if begun in told and seconds in told:
            since = datetime.strptime(told[begun], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            return since + timedelta(seconds=int(told[seconds]))
    if "expires" in told:
        return datetime.fromtimestamp(int(told["expires"]), UTC)
    if "se" in told and "sig" in told:
        end = datetime.fromisoformat(told["se"])
        return end if end.tzinfo else end.replace(tzinfo=UTC)
    return None
