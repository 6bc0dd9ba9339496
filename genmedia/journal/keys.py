"""Submission keys: each identifies an order, so that the same order is never bought twice."""

import hashlib
from typing import Any

import rfc8785

from genmedia.errors import Fault, InputError
from genmedia.jobs.job import Account

SCHEME = 1
"""Version of the keys, which is part of every key. To raise it, or to change the contents of a key, would buy everything again."""


def submission_key(account: Account, operation: str, request: dict[str, Any], take: int, edition: str = "") -> str:
    """Return the key of an order: the SHA-256, in hex, of the RFC 8785 form of what defines it.

    Args:
        account: Account that pays.
        operation: Operation that is bought, such as `technique studio-blur`.
        request: The fields that the caller set, no defaults; a file stands in it as `media_reference`, never by its address.
        take: Number of the take: 1, or more where the same request is bought again on purpose.
        edition: Edition of the campaign, such as `2026-W48`; empty for none: then it is no part of the key.

    Raises:
        InputError: A value has no canonical form, such as NaN or an integer beyond 2^53.
    """
    wish = {"scheme": SCHEME, "account": str(account), "operation": operation, "request": request, "take": take}
    wish |= {"edition": edition} if edition else {}
    try:
        return hashlib.sha256(rfc8785.dumps(wish)).hexdigest()
    except rfc8785.CanonicalizationError as error:
        raise InputError([Fault(operation, f"has a value that no key can be made of: {error}")]) from None


def media_reference(sha256: str, preparation: str = "none") -> dict[str, str]:
    """Return the form of a file in a request: the hash of its original bytes, and the name of its preparation before it is sent."""
    return {"sha256": sha256, "preparation": preparation}
