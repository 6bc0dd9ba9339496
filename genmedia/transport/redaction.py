"""Keeps keys and signed links out of logs, errors, sidecars and screens."""

import logging
import re
from collections.abc import Iterable
from urllib.parse import quote

HIDDEN = "[hidden]"

LIKE_A_WORD = 12
"""Shortest secret that is hidden everywhere, in characters. A shorter one may be part of words: it is hidden only as a word by itself."""

# A code such as `invalid_api_key: The key is wrong` is not a field: a colon in a sentence is followed by a word, not by a value.
_SECRET_FIELD = re.compile(
    r"""(?ix) ((?<![a-z0-9_]) ["']? (?:api[_-]?key|authorization|x-api-key|token|secret|password|signature) ["']?
        \s* (?: = | :(?!\s+ (?-i:[A-Za-z][a-z']{0,14}) (?:[\s.,;:!?] | $)) | :(?=\s*bearer\s) ) \s* ["']? (?:bearer\s+)?) [^\s"'&,}]+"""
)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return `text` without the given secrets, and without the value of any field whose name says that it holds a secret."""
    return _SECRET_FIELD.sub(rf"\1{HIDDEN}", hide(text, secrets))


def hide(text: str, secrets: Iterable[str]) -> str:
    """Return `text` without the given secrets."""
    for secret in secrets:
        if len(secret) >= LIKE_A_WORD:
            text = text.replace(secret, HIDDEN)
        elif secret:
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", HIDDEN, text)
    return text


def spellings(secret: str) -> list[str]:
    """Spellings of a secret: as it is, escaped in an address, and with the slashes escaped as in JSON."""
    return list(dict.fromkeys((secret, quote(secret), quote(secret, safe=""), secret.replace("/", "\\/"))))


def bare_url(url: str) -> str:
    """Return `url` without user, query and fragment, which may hold keys and signatures."""
    import httpx  # noqa: PLC0415 # whoever only reads a journal or a store should not wait for it

    try:
        return str(httpx.URL(url).copy_with(username=None, password=None, query=None, fragment=None))
    except (httpx.InvalidURL, ValueError, TypeError):
        return "an unreadable address"


class _BareUrls(logging.Filter):
    """Cuts the query off every URL that httpx logs."""

    def filter(self, record: logging.LogRecord) -> bool:
        import httpx  # noqa: PLC0415 # its own logger asks

        if isinstance(record.args, tuple):
            record.args = tuple(bare_url(str(arg)) if isinstance(arg, httpx.URL) else arg for arg in record.args)
        return True


logging.getLogger("httpx").addFilter(_BareUrls())
# httpcore prints raw request headers at DEBUG, keys included, in no form that could be cut safely.
logging.getLogger("httpcore").setLevel(logging.INFO)
