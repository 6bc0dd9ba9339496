"""A server for answers that no sandbox gives."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def listening(*answers: bytes) -> AsyncGenerator[tuple[str, list[bytes]]]:
    """A server that says what no sandbox would: its answers in order, the last one again and again; the heads it was sent."""
    left, heads = list(answers), list[bytes]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        content = memoryview(left.pop(0) if len(left) > 1 else left[0])
        with suppress(ConnectionError):  # a reader may have enough
            for start in range(0, len(content), 2**20):
                writer.write(content[start : start + 2**20])
                await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1") as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heads


def response(status: str, body: bytes, *headers: str) -> bytes:
    head = "".join(
        f"{line}\r\n" for line in (f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers)
    )
    return f"{head}\r\n".encode() + body
