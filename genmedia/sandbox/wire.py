"""Answers that no honest server gives, and the protocol that makes them possible."""

import asyncio
import socket
import struct
import zlib
from collections.abc import AsyncIterator
from itertools import chain, repeat

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request as Handshake

from genmedia.sandbox.traffic import NO_ANSWER

_GZIP = 16 + zlib.MAX_WBITS


class TransportInScope(HttpToolsProtocol):
    """Hands each request its connection, because ASGI knows no way to close one without an answer."""

    def on_message_begin(self) -> None:
        """Put the transport beside the request."""
        super().on_message_begin()
        self.scope.setdefault("state", {})["transport"] = self.transport


class SocketTransportInScope(WebSocketsSansIOProtocol):
    """Hands each WebSocket its connection, so that it can be cut."""

    def handle_connect(self, event: Handshake) -> None:
        """Put the transport beside the handshake; what serves it starts after this."""
        super().handle_connect(event)
        if hasattr(self, "scope"):
            self.scope.setdefault("state", {})["transport"] = self.transport


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def redirect(location: str) -> Response:
    """A redirect to where a script says, which need not be an address."""
    response = Response(status_code=302)
    response.raw_headers.append((b"location", location.encode("utf-8", "surrogatepass")))
    return response


def packed(response: Response, layers: int, zeros: int) -> Response:
    """The answer compressed, so many times over, with so many bytes of nothing behind what it holds."""
    packer, body = zlib.compressobj(wbits=_GZIP), bytearray()
    for piece in chain([bytes(response.body)], repeat(bytes(2**20), zeros // 2**20), [bytes(zeros % 2**20)]):
        body += packer.compress(piece)
    content = bytes(body + packer.flush())
    for _ in range(1, layers):
        content = zlib.compress(content, wbits=_GZIP)
    response.body = content
    response.headers["content-encoding"] = ", ".join(["gzip"] * layers)
    response.headers["content-length"] = str(len(content))
    return response


class NoAnswer(Response):
    """Closes the connection instead of answering.

    Args:
        reset: Send a TCP reset instead of an orderly end.
    """

    def __init__(self, *, reset: bool = False) -> None:
        super().__init__(status_code=NO_ANSWER)
        self._reset = reset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 -- the point is not to send
        """Close the connection."""
        transport = scope["state"]["transport"]
        if self._reset:
            linger = struct.pack("ii", 1, 0)
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            transport.abort()
        else:
            transport.close()
        await _gone(receive)


class Truncated(Response):
    """Promises the whole body by its content-length and closes the connection half way."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the first half, then close."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": bytes(self.body[: len(self.body) // 2]), "more_body": True})
        scope["state"]["transport"].close()
        await _gone(receive)


class Endless(StreamingResponse):
    """A 200 whose body never ends.

    Args:
        start: The first bytes.
        filler: The bytes that follow again and again.
        media_type: The content type it claims.
    """

    def __init__(self, start: bytes, filler: bytes, media_type: str) -> None:
        async def body() -> AsyncIterator[bytes]:
            yield start
            while True:
                yield filler * (65_536 // len(filler))
                # A reader as fast as this one would otherwise take the whole event loop.
                await asyncio.sleep(0.005)

        super().__init__(body(), media_type=media_type)
