"""FLORA's newer assets routes: how a local file becomes an address that a run accepts."""

import mimetypes
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from genmedia.sandbox.accounts import Account, new_token
from genmedia.sandbox.fetching import UnreachableError, origin_of
from genmedia.sandbox.flora_requests import read_object
from genmedia.sandbox.forms import parse_form
from genmedia.sandbox.media import Upload
from genmedia.sandbox.provider import Operation, Refusal, Services

TYPES = frozenset(
    [
        *(f"image/{kind}" for kind in ("jpeg", "png", "webp", "gif", "avif", "heic", "heif")),
        *(f"video/{kind}" for kind in ("mp4", "webm", "quicktime")),
        *(f"audio/{kind}" for kind in ("mpeg", "wav", "ogg")),
        "application/pdf",
    ]
)
DIRECT_BYTES = 4 * 1024 * 1024
"""The largest file that a direct multipart upload takes."""


@dataclass
class _Asset:
    id: str
    name: str
    media_type: str
    url: str | None = None
    upload: Upload | None = None


class Assets:
    """The assets of all accounts.

    Args:
        services: The media origin keeps the files and takes the uploads.
    """

    def __init__(self, services: Services) -> None:
        self._media = services.media
        self._fetcher = services.fetcher
        self._assets: dict[tuple[Account, str], _Asset] = {}

    def routes(self) -> tuple[Operation, ...]:
        """The three routes."""
        return (
            Operation("create_asset", "POST", "/api/v1/assets", self._create),
            Operation("complete_asset", "POST", "/api/v1/assets/{asset_id}/complete", self._complete),
            Operation("retry_asset", "POST", "/api/v1/assets/{asset_id}/retry", self._retry),
        )

    def forget(self, account: Account) -> None:
        """Drop an account's assets."""
        self._assets = {key: asset for key, asset in self._assets.items() if key[0] is not account}

    async def _create(self, request: Request, account: Account) -> Response:
        content_type = request.headers.get("content-type", "")
        if content_type.startswith("multipart/form-data"):
            part = parse_form(content_type, await request.body()).get("file")
            if part is None or len(part.data) > DIRECT_BYTES:
                raise _invalid("file must be present and at most 4 MiB; larger ones need a signed-url")
            return self._ready(account, self._new(account, part.filename or "file", part.content_type), part.data)
        body = await read_object(request)
        source = body.get("source")
        if not isinstance(source, str):
            raise _invalid('source must be "signed-url" or an address')
        if source == "signed-url":
            asset = self._new(account, str(body.get("file_name") or ""), str(body.get("content_type") or ""))
            return self._reserve(account, asset)
        if not source.startswith("https://") and origin_of(source) != self._media.url:
            raise _invalid("source must be a public https:// address")
        path = urlsplit(source).path
        media_type = body.get("content_type") or mimetypes.guess_type(path)[0] or ""
        asset = self._new(account, path.rpartition("/")[2], str(media_type))
        try:
            return self._ready(account, asset, await self._fetcher.fetch(source))
        except UnreachableError:
            raise _invalid("source could not be fetched") from None

    async def _complete(self, request: Request, account: Account) -> Response:
        await read_object(request)
        asset = self._find(request, account)
        if asset.url is None:
            if asset.upload is None or asset.upload.data is None:
                raise Refusal(409, "conflict", "The file has not been uploaded yet.")
            return self._ready(account, asset, asset.upload.data, 200)
        return JSONResponse(_view(asset))

    async def _retry(self, request: Request, account: Account) -> Response:
        asset = self._find(request, account)
        if asset.url is not None:
            raise Refusal(409, "conflict", "The asset is ready.")
        return self._reserve(account, asset, 200)

    def _new(self, account: Account, name: str, media_type: str) -> _Asset:
        if not name:
            raise _invalid("file_name is missing")
        if media_type not in TYPES:
            raise _invalid(f"content_type must be one of {', '.join(sorted(TYPES))}")
        asset = _Asset(f"asset_{new_token()}", name, media_type)
        self._assets[account, asset.id] = asset
        return asset

    def _find(self, request: Request, account: Account) -> _Asset:
        asset = self._assets.get((account, request.path_params["asset_id"]))
        if asset is None:
            raise Refusal(404, "not_found", "There is no such asset.")
        return asset

    def _reserve(self, account: Account, asset: _Asset, status: int = 201) -> Response:
        url, asset.upload = self._media.expect_upload(account, asset.media_type)
        upload = {
            "url": url,
            "method": "POST",
            "content_type": asset.media_type,
            "form_fields": {"Content-Type": asset.media_type},
            "file_field": "file",
        }
        return JSONResponse(_view(asset) | {"upload": upload}, status)

    def _ready(self, account: Account, asset: _Asset, data: bytes, status: int = 201) -> Response:
        asset.url = self._media.publish(account, asset.name.rpartition(".")[0] or asset.name, asset.media_type, data)
        return JSONResponse(_view(asset), status)


def _view(asset: _Asset) -> dict[str, Any]:
    if asset.url is None:
        return {"asset_id": asset.id, "status": "pending_upload"}
    return {"asset_id": asset.id, "status": "ready", "url": asset.url}


def _invalid(message: str) -> Refusal:
    return Refusal(400, "input_validation_error", message)
