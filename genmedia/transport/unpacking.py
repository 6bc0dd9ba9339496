"""The content of answers, unpacked safely: one layer of compression at most, bounded sizes."""

import zlib
from collections.abc import AsyncGenerator, Callable

import httpx

ACCEPTED = {"accept-encoding": "identity"}
"""Request header that asks for an answer without compression."""

PIECE_BYTES = 2**20
"""Most bytes of a compressed answer that are unpacked at once."""

_FORMS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


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
