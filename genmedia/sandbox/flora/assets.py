"""FLORA's newer assets routes: how a local file becomes an address that a run accepts."""

import mimetypes
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from genmedia.sandbox.accounts import Account, new_token
from genmedia.sandbox.drawing.media import Upload
from genmedia.sandbox.fetching import UnreachableError, origin_of
from genmedia.sandbox.flora.requests import page_of, read_object
from genmedia.sandbox.flora.workspaces import Workspaces
from genmedia.sandbox.forms import parse_form
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
UNTOLD = {"", "text/plain", "application/octet-stream"}
"""What is said of a file's type by who does not know it; a part without a type counts as text."""
LOOKED_AT_FOR = 1.0
"""Nominal seconds that a file is looked at before it is ready, where there are workspaces."""
RESERVED_FOR = 3600
"""Nominal seconds that a reserved address is said to hold."""
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), "image/avif"),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc"), "image/heic"),
    **dict.fromkeys((b"mif1", b"msf1"), "image/heif"),
    b"qt  ": "video/quicktime",
}
_SIGNATURES = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF8": "image/gif",
    b"\x1a\x45\xdf\xa3": "video/webm",
    b"OggS": "audio/ogg",
    b"ID3": "audio/mpeg",
    **dict.fromkeys((b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"), "audio/mpeg"),
    b"%PDF-": "application/pdf",
}


def type_of(data: bytes) -> str:
    """The media type that a file's first bytes tell; empty for one that FLORA does not take."""
    if data[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(data[8:12], "")
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "video/mp4")
    return next((media_type for first, media_type in _SIGNATURES.items() if data.startswith(first)), "")


@dataclass
class _Asset:
    """A file on its way in, or in: `workspace` is empty where there are none; it is ready at a nominal time, if it is what it says."""

    id: str
    name: str
    media_type: str
    came: Literal["url", "signed_url", "direct"]
    made_at: float
    workspace: str = ""
    project: str = ""
    data: bytes | None = None
    """What came, until it has been looked at."""
    ready_at: float = 0.0
    size: int | None = None
    url: str | None = None
    failure: str | None = None
    upload: Upload | None = None

    @property
    def status(self) -> str:
        return "failed" if self.failure else "ready" if self.url else "pending_upload"


class Assets:
    """The assets of all accounts.

    Args:
        services: The media origin keeps the files and takes the uploads.
        workspaces: Where there are any, an asset needs one, is looked at for a moment, and can be asked for and listed.
    """

    def __init__(self, services: Services, workspaces: Workspaces) -> None:
        self._media = services.media
        self._fetcher = services.fetcher
        self._clock = services.clock
        self._workspaces = workspaces
        self._assets: dict[tuple[Account, str], _Asset] = {}

    def routes(self) -> tuple[Operation, ...]:
        """The three routes that every generation has."""
        return (
            Operation("create_asset", "POST", "/api/v1/assets", self._create),
            Operation("complete_asset", "POST", "/api/v1/assets/{asset_id}/complete", self._complete),
            Operation("retry_asset", "POST", "/api/v1/assets/{asset_id}/retry", self._retry),
        )

    def newer_routes(self) -> tuple[Operation, ...]:
        """Those that came with workspaces."""
        return (
            Operation("list_assets", "GET", "/api/v1/assets", self._list),
            Operation("get_asset", "GET", "/api/v1/assets/{asset_id}", self._get),
        )

    def forget(self, account: Account) -> None:
        """Drop an account's assets."""
        self._assets = {key: asset for key, asset in self._assets.items() if key[0] is not account}

    async def _create(self, request: Request, account: Account) -> Response:
        content_type = request.headers.get("content-type", "")
        if content_type.startswith("multipart/form-data"):
            return self._create_direct(account, content_type, await request.body())
        body = await read_object(request)
        asked = {name: str(body.get(name) or "") for name in ("file_name", "content_type", "workspace_id", "project_id")}
        source = body.get("source")
        if not isinstance(source, str):
            raise _invalid('source must be "signed-url" or an address')
        if source == "signed-url":
            return self._reserve(account, self._new(account, asked["file_name"], asked, "signed_url"))
        if not source.startswith("https://") and origin_of(source) != self._media.url:
            raise _invalid("source must be a public https:// address")
        asset = self._new(account, asked["file_name"] or urlsplit(source).path.rpartition("/")[2], asked, "url")
        try:
            return self._take(account, asset, await self._fetcher.fetch(source))
        except UnreachableError:
            raise _invalid("source could not be fetched") from None

    def _create_direct(self, account: Account, content_type: str, body: bytes) -> Response:
        form = parse_form(content_type, body)
        part = form.pop("file", None)
        if part is None or len(part.data) > DIRECT_BYTES:
            raise _invalid("file must be present and at most 4 MiB; larger ones need a signed-url")
        asked = {name: field.data.decode("utf-8", "replace") for name, field in form.items()}
        if asked.get("content_type", "") in UNTOLD:
            asked["content_type"] = part.content_type
        name = asked.get("file_name") or part.filename or "file"
        return self._take(account, self._new(account, name, asked, "direct", part.data), part.data)

    async def _complete(self, request: Request, account: Account) -> Response:
        if not self._workspaces.ids(account) or await request.body():  # the official client of today sends no body
            await read_object(request)
        asset = self._find(request, account)
        if asset.status == "pending_upload" and asset.data is None:
            if asset.upload is None or asset.upload.data is None:
                raise Refusal(409, "conflict", "The file has not been uploaded yet.")
            return self._take(account, asset, asset.upload.data, 200)
        return JSONResponse(_brief(asset))

    async def _retry(self, request: Request, account: Account) -> Response:
        asset = self._find(request, account)
        if asset.status == "ready":
            raise Refusal(409, "conflict", "The asset is ready.")
        asset.data = asset.failure = None
        return self._reserve(account, asset, 200)

    async def _get(self, request: Request, account: Account) -> Response:
        return JSONResponse(_show(self._find(request, account)))

    async def _list(self, request: Request, account: Account) -> Response:
        asked = request.query_params
        if "workspace_id" in asked:
            self._workspaces.named(account, asked["workspace_id"])
        mine = [self._look(account, asset) for (owner, _), asset in reversed(self._assets.items()) if owner is account]
        found = [
            asset
            for asset in mine
            if asset.workspace == asked.get("workspace_id", asset.workspace)
            and asset.project == asked.get("project_id", asset.project)
            and asked.get("query", "").lower() in asset.name.lower()
        ]
        page, cursor = page_of(request, [(asset.id, asset) for asset in found])
        listed = [_show(asset) | {"created_at": int(asset.made_at * 1000), "project_id": asset.project or None} for asset in page]
        return JSONResponse({"assets": listed, "meta": {"next_cursor": cursor}})

    def _new(
        self,
        account: Account,
        name: str,
        asked: dict[str, str],
        came: Literal["url", "signed_url", "direct"],
        data: bytes = b"",
    ) -> _Asset:
        """A new asset, whose type is told by the request, else by its name, else by its bytes.

        Raises:
            Refusal: It has no name, none of the types, or names no workspace where it must.
        """
        workspace, project = "", ""
        if self._workspaces.ids(account):
            workspace, project = self._workspaces.named(account, asked.get("workspace_id")), asked.get("project_id", "")
            if project and project not in {one.id for one in self._workspaces.projects(account)}:
                raise Refusal(404, "not_found", f"There is no project {project!r}.")
        if not name:
            raise _invalid("file_name is missing")
        stated = asked.get("content_type", "")
        told = [mimetypes.guess_type(name)[0], type_of(data)] if stated in UNTOLD else [stated]
        media_type = next((one for one in told if one in TYPES), None)
        if media_type is None:
            raise _invalid(f"content_type must be one of {', '.join(sorted(TYPES))}")
        asset = _Asset(f"asset_{new_token()}", name, media_type, came, self._clock.now(), workspace, project)
        self._assets[account, asset.id] = asset
        return asset

    def _find(self, request: Request, account: Account) -> _Asset:
        asset = self._assets.get((account, request.path_params["asset_id"]))
        if asset is None:
            raise Refusal(404, "not_found", "There is no such asset.")
        return self._look(account, asset)

    def _look(self, account: Account, asset: _Asset) -> _Asset:
        """The asset, ready or failed by now if it has been looked at for long enough."""
        if asset.data is None or self._clock.now() < asset.ready_at:
            return asset
        data, asset.data, asset.size = asset.data, None, len(asset.data)
        kind = asset.media_type.partition("/")[0]
        if asset.workspace and type_of(data).partition("/")[0] != kind:
            asset.failure = f"The file cannot be read as {asset.media_type}."
        else:
            asset.url = self._media.publish(account, asset.name.rpartition(".")[0] or asset.name, asset.media_type, data)
        return asset

    def _reserve(self, account: Account, asset: _Asset, status: int = 201) -> Response:
        url, asset.upload = self._media.expect_upload(account, asset.media_type)
        form = {
            "url": url,
            "method": "POST",
            "content_type": "multipart/form-data" if asset.workspace else asset.media_type,
            "form_fields": {"Content-Type": asset.media_type},
            "file_field": "file",
        }
        bare = getattr(account.switches, "signed_upload", "form") == "put"
        where: dict[str, Any] = {"upload_url": url} if bare else {"upload": form}
        if asset.workspace:
            where["expires_at"] = _iso(self._clock.now() + RESERVED_FOR)
        return JSONResponse(_brief(asset) | where, status)

    def _take(self, account: Account, asset: _Asset, data: bytes, status: int = 201) -> Response:
        asset.data = data
        asset.ready_at = self._clock.now() + (LOOKED_AT_FOR if asset.workspace else 0)
        return JSONResponse(_brief(self._look(account, asset)), status)


def _brief(asset: _Asset) -> dict[str, Any]:
    """What a request that makes or moves an asset is answered with."""
    shown: dict[str, Any] = {"asset_id": asset.id, "status": asset.status}
    if not asset.workspace:
        return shown | ({"url": asset.url} if asset.url else {})
    shown |= {"url": asset.url, "uploaded_via": asset.came, "visibility": "workspace", "workspace_id": asset.workspace}
    return shown | ({"failure_message": asset.failure} if asset.failure else {})


def _show(asset: _Asset) -> dict[str, Any]:
    """An asset as it is asked for by its id."""
    return {
        "asset_id": asset.id,
        "content_type": asset.media_type,
        "created_at": _iso(asset.made_at),
        "description": None,
        "failure_message": asset.failure,
        "height": None,
        "name": asset.name,
        "size_bytes": asset.size,
        "status": asset.status,
        "upload_content_type": asset.media_type,
        "uploaded_via": asset.came,
        "url": asset.url,
        "width": None,
        "workspace_id": asset.workspace,
    }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _invalid(message: str) -> Refusal:
    return Refusal(400, "input_validation_error", message)
