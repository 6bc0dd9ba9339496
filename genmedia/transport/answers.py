"""Reads answers of providers safely: one layer of compression at most, bounded sizes, valid characters, no secrets."""

import json
import re
import zlib
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Annotated, Any, cast

import httpx
from pydantic import AfterValidator, StringConstraints

from genmedia.text.plain import cut
from genmedia.transport.redaction import hide

ACCEPTED = {"accept-encoding": "identity"}
"""Request header that asks for an answer without compression."""

PIECE_BYTES = 2**20
"""Most bytes of a compressed answer that are unpacked at once."""

ID_CHARACTERS = 200
"""Longest id that is accepted, in characters. A longer one makes its answer unreadable: cut, it would name another thing."""

NAME_CHARACTERS = 200
"""Longest name of a field that a provider may choose, such as a parameter's, in characters; a longer one is cut."""

TIME_CHARACTERS = 40
"""Longest time as text, in characters."""

DEPTH = 50
"""Most levels of nested lists and objects."""

VALUES = 500_000
"""Most values of an answer, counted by its commas. The longest lists, which have no pages, have some 15 for each job, and 8 MiB in all."""

Id = Annotated[str, StringConstraints(min_length=1, max_length=ID_CHARACTERS, pattern="^[^\ufffd]+$")]
"""Id that a provider gives to a thing; none of its characters had to be replaced."""


def _check_asked_by(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise ValueError("nothing can be asked for by it")
    return value


RemoteId = Annotated[Id, AfterValidator(_check_asked_by)]
"""Id by which a job or a file is asked for: printable, not blank, and unaltered."""

_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_FORMS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


def clean_text(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text without secrets, and with a replacement character for each control character and each lone surrogate.

    PostgreSQL accepts no NUL, and UTF-8 cannot encode a lone surrogate. Tabs and line breaks stay.
    """
    text = hide(text, secrets)
    return _UNFIT.sub("\ufffd", text)


def parse(text: bytes | str, secrets: Sequence[str] = ()) -> Any:
    """Return JSON as values that can be stored anywhere: clean texts, finite numbers (None for others), bounded in depth and number.

    Raises:
        ValueError: It is not JSON, or exceeds the bounds.
    """
    if (text.count(",") if isinstance(text, str) else text.count(b",")) > VALUES:
        raise ValueError(f"more than {VALUES} values")
    try:
        return _clean(json.loads(text), secrets, DEPTH)
    except RecursionError:
        raise ValueError(f"more than {DEPTH} levels") from None


def _clean(value: Any, secrets: Sequence[str], levels: int) -> Any:
    match value:
        case str():
            return clean_text(value, secrets)
        case float():
            return value if isfinite(value) else None
        case list() | dict() if not levels:
            raise ValueError(f"more than {DEPTH} levels")
        case list():
            return [_clean(one, secrets, levels - 1) for one in cast("list[Any]", value)]
        case dict():
            items = cast("dict[str, Any]", value).items()
            return {cut(clean_text(name, secrets), NAME_CHARACTERS): _clean(one, secrets, levels - 1) for name, one in items}
        case _:
            return value


def read_date(text: str) -> datetime | None:
    """Return a date of an HTTP header, in UTC; None where it cannot be read or is not in the years 2000 to 2999."""
    try:
        date = parsedate_to_datetime(text)
        date = (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return date if 2000 <= date.year < 3000 else None


def read_number(text: str) -> float | None:
    """Return the number in a header; None where it is not a finite number of 0 or more."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) and number >= 0 else None


async def pieces_of(response: httpx.Response) -> AsyncGenerator[bytes]:
    """Yield the content of an answer in pieces. One layer of gzip or deflate, which may come though it was not asked for, is unpacked.

    Raises:
        httpx.DecodingError: It is compressed in another way or several times, or the compressed data is broken or cut.
        httpx.HTTPError: The transfer broke off.
    """
    packed = ",".join(response.headers.get_list("content-encoding")).strip().lower()
    if packed in ("", "identity"):
        async for raw in response.aiter_raw():
            yield raw
        return
    if packed not in _FORMS:
        raise httpx.DecodingError("the answer is packed in a way that was not asked for")
    unpacker = zlib.decompressobj(_FORMS[packed])
    try:
        async for raw in response.aiter_raw():
            left = raw
            while left:
                if unpacker.eof:
                    raise httpx.DecodingError("the packed answer goes on after its end")
                yield unpacker.decompress(left, PIECE_BYTES)
                left = unpacker.unconsumed_tail or unpacker.unused_data
        yield unpacker.flush()  # a few kB at most: what did not fit into the last piece
    except zlib.error as error:
        raise httpx.DecodingError(f"the packed answer is broken: {error}") from None
    if not unpacker.eof:
        raise httpx.DecodingError("the packed answer is cut")


async def read_whole(response: httpx.Response, limit: int, too_much: Callable[[], Exception]) -> bytes:
    """Return the whole content of an answer, unpacked.

    Args:
        response: The answer.
        limit: Most bytes that it may hold, unpacked.
        too_much: Makes the error that is raised for an answer that holds more.
    """
    body = bytearray()
    async for piece in pieces_of(response):
        body += piece
        if len(body) > limit:
            raise too_much()
    return bytes(body)
