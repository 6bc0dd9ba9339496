"""Submission keys: the name under which a result is wished for, so that the same wish is never bought twice."""

import hashlib
from typing import Any

import rfc8785

from genmedia.errors import Fault, InputError
from genmedia.jobs.job import Account

SCHEME = 1
"""Part of every key. Raising it, or changing what stands in a key, would buy everything again."""


def submission_key(account: Account, operation: str, request: dict[str, Any], take: int) -> str:
    """The key of one wish: SHA-256, in hex, over the RFC 8785 form of what defines it.

    Args:
        account: Who pays.
        operation: What is bought, such as `technique:studio-blur`.
        request: The fields the caller set, no defaults; a file stands in it as `media_reference`, never by its address.
        take: 1, 2, 3…: the same request bought again on purpose.

    Raises:
        InputError: A value has no canonical form, such as NaN or an integer beyond 2^53.
    """
    wish = {"scheme": SCHEME, "account": str(account), "operation": operation, "request": request, "take": take}
    try:
        return hashlib.sha256(rfc8785.dumps(wish)).hexdigest()
    except rfc8785.CanonicalizationError as error:
        raise InputError([Fault(operation, f"has a value that no key can be made of: {error}")]) from None


def media_reference(sha256: str, preparation: str = "none") -> dict[str, str]:
    """How a file stands in a request: the hash of its original bytes, and the name of what is done to it before it is sent."""
    return {"sha256": sha256, "preparation": preparation}
