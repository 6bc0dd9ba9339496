"""The media origin: files under unguessable addresses on a port of their own, where no key belongs."""

import asyncio
import hmac
import io
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote_to_bytes, urlsplit

from PIL import Image
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from genmedia.sandbox.accounts import Account, Accounts, new_token
from genmedia.sandbox.clock import Clock
from genmedia.sandbox.drawing.techniques import sample_photo
from genmedia.sandbox.faults import DOWNLOAD, Faults
from genmedia.sandbox.forms import parse_form
from genmedia.sandbox.traffic import Traffic
from genmedia.sandbox.wire import Endless, Truncated, packed, redirect

SUFFIXES = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "image/avif": ".avif",
    "video/mp4": ".mp4",
    "video/webm": ".webm",
    "video/quicktime": ".mov",
    "model/gltf-binary": ".glb",
}
SAMPLE = "/samples/photo.jpg"
ROUTES = {DOWNLOAD: "GET /files/{token}/{name}", "upload": "POST /uploads/{token}"}

_SIGN_IN_PAGE = b"<!doctype html><title>Please sign in</title><h1>Please sign in</h1>"


Wrapping = Callable[[bytes, str], tuple[bytes, str]]
"""Makes an answer's body and its content type of a file's bytes and media type."""


def _as_it_is(data: bytes, media_type: str) -> tuple[bytes, str]:
    return data, media_type


@dataclass
class Blob:
    """One stored file with its owner; `expires_at` in nominal Unix seconds, None: never; a sealed one asks for a signature."""

    owner: Account
    media_type: str
    data: bytes
    expires_at: float | None = None
    sealed: bool = False


@dataclass
class Upload:
    """A promised upload: who may send what where, and the bytes once they came."""

    owner: Account
    media_type: str
    data: bytes | None = None


class Media:
    """Keeps the files of all accounts and serves them without asking for a key.

    Args:
        url: The media origin, without a slash at the end.
        clock: Decides what has expired.
        accounts: Whose keys must never arrive here.
        traffic: Takes the counts.
        faults: Asked at every download.
    """

    def __init__(self, url: str, clock: Clock, accounts: Accounts, traffic: Traffic, faults: Faults) -> None:
        self.url = url
        self._clock = clock
        self._accounts = accounts
        self._traffic = traffic
        self._faults = faults
        self._blobs: dict[str, Blob] = {}
        self._uploads: dict[str, Upload] = {}
        self._sample: bytes | None = None
        self._secret = os.urandom(32)

    def publish(
        self, owner: Account, stem: str, media_type: str, data: bytes, lifetime: float | None = None, *, sealed: bool = False
    ) -> str:
        """Store a file and return its address.

        Args:
            owner: The account it is served for.
            stem: The file's name without its suffix.
            media_type: The content type it is served with.
            data: Its bytes.
            lifetime: Nominal seconds until it answers 403; None: for ever.
            sealed: Serve it only under addresses that `sign` made.
        """
        path = f"/files/{new_token(32)}/{re.sub('[^A-Za-z0-9._-]', '-', stem)}{SUFFIXES.get(media_type, '.bin')}"
        expires_at = None if lifetime is None else self._clock.now() + lifetime
        self._blobs[path] = Blob(owner, media_type, data, expires_at, sealed)
        return self.url + path

    def sign(self, url: str, lifetime: float) -> str:
        """The address of a sealed file with a signature that holds for some nominal seconds."""
        expires = int(self._clock.now() + lifetime)
        return f"{url}?expires={expires}&signature={self._signature(urlsplit(url).path, expires)}"

    def expect_upload(self, owner: Account, media_type: str) -> tuple[str, Upload]:
        """Reserve an address that takes a file without a key, as a multipart POST or a bare PUT; the bytes appear in the Upload."""
        token = new_token(32)
        self._uploads[token] = Upload(owner, media_type)
        return f"{self.url}/uploads/{token}", self._uploads[token]

    async def read(self, url: str) -> bytes | None:
        """The bytes behind an address of this origin, or None when it has none (any more)."""
        parts = urlsplit(url)
        if parts.path == SAMPLE:
            return await self._sample_bytes()
        blob = self._blobs.get(parts.path)
        return None if blob is None or self._expired(blob) or not self._opens(blob, parts.path, parts.query) else blob.data

    def remove(self, url: str) -> None:
        """Drop one file."""
        self._blobs.pop(urlsplit(url).path, None)

    def forget(self, account: Account) -> None:
        """Drop the account's files and promised uploads."""
        self._blobs = {path: blob for path, blob in self._blobs.items() if blob.owner is not account}
        self._uploads = {token: upload for token, upload in self._uploads.items() if upload.owner is not account}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        self._count_credentials(request)
        response = await self._answer(request)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = request.url.path
        if request.method in {"POST", "PUT"} and path.startswith("/uploads/"):
            return await self._take_upload(request, path.removeprefix("/uploads/"))
        if request.method not in {"GET", "HEAD"}:
            return _problem(405, "method not allowed")
        if path == SAMPLE:
            return _file(await self._sample_bytes(), "image/jpeg", request.headers)
        blob = self._blobs.get(path)
        if blob is None:
            return _problem(404, "no such file")
        if self._opens(blob, path, request.url.query):
            response = await self.deliver(path, request)
        else:
            response = _problem(403, "this link is not signed, or its signature has expired")
        self._traffic.count(blob.owner.provider, blob.owner, request.method, ROUTES[DOWNLOAD].split()[1], response.status_code)
        return response

    async def deliver(self, url: str, request: Request, *, wrap: Wrapping = _as_it_is, gone: Response | None = None) -> Response:
        """The answer with the file behind an address, whoever asks; scripted faults happen to it as to any download.

        Args:
            url: The address that `publish` gave.
            request: What is answered.
            wrap: How the file stands in the answer.
            gone: The answer when the file has expired; None: 403.
        """
        blob = self._blobs.get(urlsplit(url).path)
        if blob is None:
            return _problem(404, "no such file")
        fault = self._faults.take("media", blob.owner.provider, blob.owner, DOWNLOAD) if request.method == "GET" else None
        kind = fault and fault.kind
        if self._expired(blob) or kind == "expired":
            return gone or _problem(403, "this link has expired")
        if fault and kind == "redirect":
            return redirect(fault.location or "")
        if fault and kind == "slow":
            await asyncio.sleep(fault.seconds)
        body, media_type = wrap(await self._content(blob, kind), blob.media_type)
        if kind == "truncated":
            return Truncated(body, media_type=media_type)
        if kind == "endless":
            return Endless(body, bytes(65_536), media_type)
        answer = _file(body, media_type, request.headers)
        return await asyncio.to_thread(packed, answer, fault.layers, fault.zeros) if fault and kind == "nested_gzip" else answer

    async def _content(self, blob: Blob, kind: str | None) -> bytes:
        match kind:
            case "cut_short":
                return blob.data[: len(blob.data) // 2]
            case "wrong_bytes":
                return _SIGN_IN_PAGE
            case "wrong_type":
                return _other_format(await self._sample_bytes(), blob.media_type)
            case _:
                return blob.data

    async def _take_upload(self, request: Request, token: str) -> Response:
        upload = self._uploads.get(token)
        if upload is None:
            return _problem(404, "no such upload")
        body = await request.body()
        form = parse_form(request.headers.get("content-type", ""), body)
        response = Response(status_code=204)
        if request.method == "PUT":
            upload.data = body
        elif "file" not in form:
            response = _problem(400, "the form has no field named file")
        elif form.get("Content-Type") and form["Content-Type"].data.decode() != upload.media_type:
            response = _problem(403, "the content type is not the one that was reserved")
        else:
            upload.data = form["file"].data
        self._traffic.count(
            upload.owner.provider, upload.owner, request.method, ROUTES["upload"].split()[1], response.status_code
        )
        return response

    def _expired(self, blob: Blob) -> bool:
        return blob.expires_at is not None and blob.expires_at <= self._clock.now()

    def _opens(self, blob: Blob, path: str, query: str) -> bool:
        if not blob.sealed:
            return True
        asked = parse_qs(query)
        expires, signature = asked.get("expires", [""])[0], asked.get("signature", [""])[0]
        return expires.isdecimal() and int(expires) > self._clock.now() and signature == self._signature(path, int(expires))

    def _signature(self, path: str, expires: int) -> str:
        return hmac.new(self._secret, f"{path}?{expires}".encode(), "sha256").hexdigest()

    async def _sample_bytes(self) -> bytes:
        if self._sample is None:
            self._sample = await asyncio.to_thread(sample_photo)
        return self._sample

    def _count_credentials(self, request: Request) -> None:
        query = request.scope["query_string"]
        carried = b"\n".join([request.scope["raw_path"], query, *(value for _, value in request.scope["headers"])])
        holder = self._accounts.holder_of(unquote_to_bytes(carried).decode("latin-1"))
        if holder or "authorization" in request.headers or "x-api-key" in request.headers or "api_key" in request.query_params:
            self._traffic.leak(holder)


def _problem(status: int, message: str) -> Response:
    return JSONResponse({"detail": message}, status)


def _file(data: bytes, media_type: str, headers: Mapping[str, str]) -> Response:
    asked = re.fullmatch(r"bytes=(\d*)-(\d*)", headers.get("range", ""))
    if asked is None or not any(asked.groups()):
        return Response(data, media_type=media_type, headers={"accept-ranges": "bytes"})
    first, last = asked.groups()
    start = int(first) if first else max(0, len(data) - int(last))
    stop = min(int(last) + 1, len(data)) if first and last else len(data)
    if start >= stop:
        return Response(status_code=416, headers={"content-range": f"bytes */{len(data)}"})
    return Response(
        data[start:stop],
        206,
        media_type=media_type,
        headers={"accept-ranges": "bytes", "content-range": f"bytes {start}-{stop - 1}/{len(data)}"},
    )


def _other_format(photo: bytes, media_type: str) -> bytes:
    encoded = io.BytesIO()
    Image.open(io.BytesIO(photo)).resize((64, 64)).save(encoded, "JPEG" if media_type == "image/png" else "PNG")
    return encoded.getvalue()
