"""Rendering in one low-priority child process, so that pictures never hold up an answer."""

import asyncio
import contextlib
import hashlib
import os
import pickle
import struct
import sys
import traceback
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, BinaryIO

from genmedia.sandbox.drawing.models import Brief, UnreadableSourceError
from genmedia.sandbox.drawing.prompts import Prompt, UnreadableReferenceError, film, paint
from genmedia.sandbox.drawing.techniques import Rendered, UnreadableInputError, render

CACHE_BYTES = 256 * 1024 * 1024
NICENESS = 10
_LENGTH = struct.Struct(">Q")

_Key = tuple[str, bytes]
_Order = tuple[Callable[..., Any], tuple[Any, ...]]


class RendererDiedError(Exception):
    """The child process ended in the middle of a rendering, twice."""


class Renderer:
    """Renders techniques, prompts and models, each equal request once.

    The child starts with the first rendering. Its standard input is its lifeline: when the server ends, even by SIGKILL, the pipe closes
    and the child ends too.
    """

    def __init__(self) -> None:
        self._child: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._cache: OrderedDict[_Key, list[Rendered]] = OrderedDict()
        self._cached_bytes = 0
        self._under_way: dict[_Key, asyncio.Task[list[Rendered]]] = {}

    async def render(self, slug: str, inputs: Mapping[str, bytes | str], size: int) -> list[Rendered]:
        """The outputs of a technique, from the cache, from an equal rendering under way, or new.

        Args:
            slug: The technique.
            inputs: A picture's bytes or a text for each input id.
            size: Longest side of the outputs in pixels.

        Raises:
            UnreadableInputError: An input is not a picture.
            RendererDiedError: The child died on it, and so did its successor.
        """
        return await self._rendered((slug, _digest(inputs, size)), (render, (slug, dict(inputs), size)))

    async def paint(self, prompt: Prompt) -> bytes:
        """A picture (PNG) from a prompt.

        Raises:
            UnreadableReferenceError: A reference is not a picture.
            RendererDiedError: The child died on it, and so did its successor.
        """
        return (await self._rendered(("paint", _digest_prompt(prompt)), (_painted, (prompt,))))[0].data

    async def film(self, prompt: Prompt, seconds: int) -> bytes:
        """A clip (MP4) from a prompt; raises as `paint` does."""
        return (await self._rendered((f"film {seconds}", _digest_prompt(prompt)), (_filmed, (prompt, seconds))))[0].data

    async def model(self, brief: Brief) -> bytes:
        """A 3D model (GLB).

        Raises:
            UnreadableSourceError: The source is not a picture, or not a model.
            RendererDiedError: The child died on it, and so did its successor.
        """
        return (await self._rendered(("model", _digest_brief(brief)), (_modelled, (brief,))))[0].data

    async def _rendered(self, key: _Key, order: _Order) -> list[Rendered]:
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        if key not in self._under_way:
            task = asyncio.create_task(self._render_anew(key, order))
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key))
        return await asyncio.shield(self._under_way[key])

    async def close(self) -> None:
        """End the child process."""
        if self._child is not None and self._child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._child.kill()
            await self._child.wait()

    async def _render_anew(self, key: _Key, order: _Order) -> list[Rendered]:
        async with self._turn:
            verdict, result = await self._ask(order)
        if verdict == "unreadable":
            raise UnreadableInputError(result)
        if verdict == "unreadable reference":
            raise UnreadableReferenceError
        if verdict == "unreadable source":
            raise UnreadableSourceError
        if verdict == "broken":
            raise RuntimeError(result)
        self._remember(key, result)
        return result

    async def _ask(self, order: _Order) -> tuple[str, Any]:
        message = pickle.dumps(order)
        for _ in range(2):
            child = await self._living_child()
            assert child.stdin is not None
            assert child.stdout is not None
            try:
                child.stdin.write(_LENGTH.pack(len(message)) + message)
                await child.stdin.drain()
                (length,) = _LENGTH.unpack(await child.stdout.readexactly(_LENGTH.size))
                return pickle.loads(await child.stdout.readexactly(length))  # noqa: S301 -- written by our own child
            except (OSError, asyncio.IncompleteReadError):
                await self.close()
        raise RendererDiedError

    async def _living_child(self) -> asyncio.subprocess.Process:
        if self._child is None or self._child.returncode is not None:
            self._child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                __name__,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                # A Ctrl-C in the terminal is the server's to handle.
                start_new_session=True,
            )
        return self._child

    def _remember(self, key: _Key, rendered: list[Rendered]) -> None:
        self._cache[key] = rendered
        self._cached_bytes += _bytes_of(rendered)
        while self._cached_bytes > CACHE_BYTES:
            self._cached_bytes -= _bytes_of(self._cache.popitem(last=False)[1])


def _bytes_of(rendered: list[Rendered]) -> int:
    return sum(len(output.data) for output in rendered)


def _painted(prompt: Prompt) -> list[Rendered]:
    return [Rendered("result", "image/png", paint(prompt))]


def _filmed(prompt: Prompt, seconds: int) -> list[Rendered]:
    return [Rendered("result", "video/mp4", film(prompt, seconds))]


def _modelled(brief: Brief) -> list[Rendered]:
    from genmedia.sandbox.drawing.models.making import make  # noqa: PLC0415 -- trimesh must not slow down the server's start

    return [Rendered("result", "model/gltf-binary", make(brief))]


def _digest_brief(brief: Brief) -> bytes:
    source = brief.source.encode() if isinstance(brief.source, str) else brief.source
    return hashlib.sha256(repr(replace(brief, source="")).encode() + source).digest()


def _digest_prompt(prompt: Prompt) -> bytes:
    return hashlib.sha256(repr(prompt).encode()).digest()


def _digest(inputs: Mapping[str, bytes | str], size: int) -> bytes:
    digest = hashlib.sha256(str(size).encode())
    for name, value in sorted(inputs.items()):
        data = value.encode() if isinstance(value, str) else value
        digest.update(f"{name}:{type(value).__name__}:{len(data)}:".encode())
        digest.update(data)
    return digest.digest()


def _serve_parent(orders: BinaryIO, answers: BinaryIO) -> None:
    while head := orders.read(_LENGTH.size):
        (length,) = _LENGTH.unpack(head)
        work, arguments = pickle.loads(orders.read(length))  # noqa: S301 -- written by our own parent
        answer: tuple[str, Any]
        try:
            answer = "rendered", work(*arguments)
        except UnreadableInputError as error:
            answer = "unreadable", error.input_id
        except UnreadableReferenceError:
            answer = "unreadable reference", None
        except UnreadableSourceError:
            answer = "unreadable source", None
        except Exception:  # noqa: BLE001 -- whatever it is, it belongs to this one rendering and not to the process
            answer = "broken", traceback.format_exc()
        message = pickle.dumps(answer)
        answers.write(_LENGTH.pack(len(message)) + message)
        answers.flush()


if __name__ == "__main__":
    os.nice(NICENESS)
    pipe = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Whatever a library prints must not end up among the answers.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    _serve_parent(sys.stdin.buffer, pipe)
