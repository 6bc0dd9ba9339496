"""Keeps keys and signed links out of logs, errors, sidecars and screens."""

import logging
import re
from collections.abc import Iterable

import httpx

HIDDEN = "[hidden]"

_SECRET_FIELD = re.compile(
    r"""(?ix) (["']? (?:api[_-]?key|authorization|x-api-key|token|secret|password|signature) ["']?
        \s* [:=] \s* ["']? (?:bearer\s+)?) [^\s"'&,}]+"""
)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without the given secrets, and without the value of any field whose name says that it is one."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, HIDDEN)
    return _SECRET_FIELD.sub(rf"\1{HIDDEN}", text)


def bare_url(url: str) -> str:
    """`url` without user, query and fragment, where keys and signatures stand."""
    try:
        return str(httpx.URL(url).copy_with(username=None, password=None, query=None, fragment=None))
    except httpx.InvalidURL:
        return "an unreadable address"


class _BareUrls(logging.Filter):
    """Cuts the query off every URL that httpx logs."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(bare_url(str(arg)) if isinstance(arg, httpx.URL) else arg for arg in record.args)
        return True


logging.getLogger("httpx").addFilter(_BareUrls())
# httpcore prints raw request headers at DEBUG, keys included, in no form that could be cut safely.
logging.getLogger("httpcore").setLevel(logging.INFO)
