"""fal's queue and storage under `/fal`: three models of three kinds, with the key in the `Authorization` header.

Documented: routes, states, status codes, the two forms of errors, what is billed and told in `x-fal-billable-units`. Choices of the
sandbox: a job of an unknown model is refused at once, all other faults of a request come as its result, the words of errors, and the
addresses of uploads.
"""

import asyncio
import base64
import binascii
import io
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any, ClassVar, Literal, cast
from urllib.parse import unquote_to_bytes

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from genmedia.sandbox.accounts import Account, new_token
from genmedia.sandbox.drawing.prompts import Prompt, UnreadableReferenceError
from genmedia.sandbox.engine import Job, JobFailedError, Made, Output
from genmedia.sandbox.fetching import UnreachableError
from genmedia.sandbox.provider import Operation, Provider, Refusal, Services

CONTENT_REFUSED = "content_policy_violation"
CANCELLED = "client_cancelled"
STOPPING = 1.0
"""Time that a running job takes to stop, in nominal seconds."""

_TYPES = {404: "bad_request", 500: "internal_error", 502: "runner_connection_error", 503: "runner_scheduling_failure"}
_STATES = {"queued": "IN_QUEUE", "running": "IN_PROGRESS"}
_SIZES = {
    "square_hd": (1024, 1024),
    "square": (512, 512),
    "portrait_4_3": (768, 1024),
    "portrait_16_9": (576, 1024),
    "landscape_4_3": (1024, 768),
    "landscape_16_9": (1024, 576),
}


class Switches(BaseModel):
    """Switches of the sandbox; the queue has none."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class _Arguments(BaseModel):
    """Arguments that all three models take; further fields are ignored, as FastAPI does."""

    prompt: str = Field(min_length=1)
    seed: int | None = None


class _Size(BaseModel):
    width: int = Field(ge=64, le=1536)
    height: int = Field(ge=64, le=1536)


class _Pictures(_Arguments):
    num_images: int = Field(default=1, ge=1, le=4)
    output_format: Literal["jpeg", "png"] = "jpeg"
    guidance_scale: float = Field(default=3.5, ge=1, le=20)


class Flux(_Pictures):
    """`fal-ai/flux/dev`."""

    image_size: Literal["square_hd", "square", "portrait_4_3", "portrait_16_9", "landscape_4_3", "landscape_16_9"] | _Size = (
        "landscape_4_3"
    )
    num_inference_steps: int = Field(default=28, ge=1, le=50)

    @property
    def pixels(self) -> tuple[int, int]:
        """Width and height, in pixels."""
        return (self.image_size.width, self.image_size.height) if isinstance(self.image_size, _Size) else _SIZES[self.image_size]


class Kontext(_Pictures):
    """`fal-ai/flux-pro/kontext`."""

    image_url: str
    aspect_ratio: Annotated[str, Field(pattern=r"^\d+:\d+$")] = "1:1"


class Ltx(_Arguments):
    """`fal-ai/ltx-2/image-to-video`; other lengths and resolutions cost more, and look the same here."""

    image_url: str
    duration: Literal["6", "8", "10", 6, 8, 10] = "6"
    resolution: Literal["1080p", "1440p", "2160p"] = "1080p"


MODELS: dict[str, type[_Arguments]] = {
    "fal-ai/flux/dev": Flux,
    "fal-ai/flux-pro/kontext": Kontext,
    "fal-ai/ltx-2/image-to-video": Ltx,
}


def bill(asked: _Arguments) -> tuple[float, float]:
    """Number of units that a request takes, and the price of one in USD."""
    match asked:
        case Flux():
            width, height = asked.pixels
            return -(-width * height // 10**6) * asked.num_images, 0.025
        case Kontext():
            return asked.num_images, 0.04
        case Ltx():
            return int(asked.duration), {"1080p": 0.06, "1440p": 0.12, "2160p": 0.24}[asked.resolution]
        case _:
            raise AssertionError(asked)


class WrongArgumentsError(JobFailedError):
    """The model does not take the arguments."""

    def __init__(self, faults: list[dict[str, Any]]) -> None:
        super().__init__(str(faults[0]["type"]), str(faults[0]["msg"]))
        self.faults = faults


class Fal(Provider):
    """fal's queue, and the storage that inputs are uploaded to."""

    name: ClassVar[str] = "fal"
    key_prefix: ClassVar[str] = ""
    credits: ClassVar[int] = 100
    purchase: ClassVar[str] = "submit"
    refusal: ClassVar[tuple[int, str, str]] = (422, CONTENT_REFUSED, "The content was flagged by a content checker.")
    switches: ClassVar[type[BaseModel]] = Switches

    def __init__(self, services: Services, switches: Mapping[str, Any]) -> None:
        super().__init__(services, switches)
        self._tokens: dict[str, Account] = {}
        self._uploads: dict[str, tuple[Account, str, bytes | None]] = {}
        self._prices: dict[str, float] = {}

    def default_key(self) -> str:
        """Return the key of the default account: an id and a secret, as in all keys."""
        return f"{uuid.UUID(int=0)}:{sha256(b'fal sandbox').hexdigest()[:32]}"

    def new_key(self) -> str:
        """Return a new key: an id and a secret."""
        return f"{uuid.uuid4()}:{uuid.uuid4().hex}"

    def routes(self) -> tuple[Operation, ...]:
        """Return the routes: the storage first, because the queue takes the address of any model."""
        return (
            Operation("initiate_upload", "POST", "/storage/upload/initiate", self._initiate_upload),
            Operation("put_upload", "PUT", "/storage/files/{token}/{name}", self._put_upload),
            Operation("get_upload", "GET", "/storage/files/{token}/{name}", self._get_upload),
            Operation("create_token", "POST", "/storage/auth/token", self._create_token),
            Operation("upload", "POST", "/files/upload", self._upload),
            Operation("status", "GET", "/{owner}/{app}/requests/{request_id}/status", self._status),
            Operation("result", "GET", "/{owner}/{app}/requests/{request_id}", self._result),
            Operation("cancel", "PUT", "/{owner}/{app}/requests/{request_id}/cancel", self._cancel),
            Operation("submit", "POST", "/{endpoint:path}", self._submit),
        )

    async def authenticate(self, request: Request) -> Account:
        """Return the account of the key; at the address of a file that of its owner, at `/files/upload` that of the token."""
        path = request.url.path.removeprefix(f"/{self.name}")
        if path.startswith("/storage/files/"):
            return self._uploaded(path)[0]
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        known = self._tokens.get(key) if path == "/files/upload" else self.services.accounts.with_key(self.name, key)
        if scheme != ("Bearer" if path == "/files/upload" else "Key") or known is None:
            raise Refusal(401, "", "No user found for Key ID and Secret")
        return known

    def error(self, status: int, code: str, message: str) -> Response:
        """Return an error: one sentence, or for refused content the list of faults that a model answers with."""
        if code == CONTENT_REFUSED:
            return JSONResponse({"detail": [_fault(code, message, ["body", "prompt"])]}, status)
        kind = _TYPES.get(status, "") if status >= 500 else ""
        return JSONResponse({"detail": message, **({"error_type": kind} if kind else {})}, status)

    def forget(self, account: Account) -> None:
        """Drop the uploads and tokens of an account."""
        self._uploads = {path: one for path, one in self._uploads.items() if one[0] is not account}
        self._tokens = {token: one for token, one in self._tokens.items() if one is not account}

    # The queue

    async def _submit(self, request: Request, account: Account) -> Response:
        endpoint: str = request.path_params["endpoint"]
        model = MODELS.get(endpoint)
        if model is None:
            raise Refusal(404, "", f"Application '{endpoint}' not found")
        _check_balance(account)
        try:
            given = await request.json()
        except ValueError:
            given = None
        if not isinstance(given, dict):
            fault = _fault("model_attributes_type", "Input should be a valid dictionary", ["body"])
            return JSONResponse({"detail": [fault]}, 422)
        arguments = cast("dict[str, Any]", given)
        asked, units, usd = None, 0.0, 0.0
        faults: list[dict[str, Any]] = []
        try:
            asked = model.model_validate(arguments)
            units, usd = bill(asked)
        except ValidationError as error:
            faults = [_fault(one["type"], one["msg"], ["body", *one["loc"]]) | {"input": one["input"]} for one in error.errors()]

        async def work() -> list[Made]:
            if asked is None:
                raise WrongArgumentsError(faults)
            return await self._make(asked)

        job = self.services.engine.accept(account, str(uuid.uuid4()), endpoint, arguments, units * usd, work)
        self._prices[job.id] = usd
        return JSONResponse({"status": "IN_QUEUE", **self._links(job), "queue_position": self.services.engine.ahead(job)})

    async def _status(self, request: Request, account: Account) -> Response:
        job = await self.services.engine.look(self._job(request, account))
        shown: dict[str, Any] = {"status": _STATES.get(job.status, "COMPLETED"), **self._links(job)}
        if job.status == "queued":
            shown["queue_position"] = self.services.engine.ahead(job)
        else:
            shown["logs"] = _logs(job) if request.query_params.get("logs", "0").lower() in ("1", "true") else None
        if not job.open:
            shown["metrics"] = {"inference_time": (job.ended_at or 0) - (job.started_at or job.ended_at or 0)}
        if job.status == "cancelled":
            shown |= {"error": "The request was cancelled", "error_type": CANCELLED}
        elif job.error and not _is_of_the_model(job.error):
            shown |= {"error": job.error.message, "error_type": job.error.code}
        return JSONResponse(shown, 202 if job.open else 200)

    async def _result(self, request: Request, account: Account) -> Response:
        job = self._job(request, account)
        self.services.engine.settle()
        if job.open:
            raise Refusal(400, "", "Request is still in progress")
        if job.status == "cancelled":
            return JSONResponse({"detail": "The request was cancelled", "error_type": CANCELLED}, 499)
        if isinstance(job.error, WrongArgumentsError):
            return JSONResponse({"detail": job.error.faults}, 422)
        if job.error and _is_of_the_model(job.error):
            return self.error(422, job.error.code, job.error.message)
        if job.error:
            return JSONResponse({"detail": job.error.message, "error_type": job.error.code}, 500)
        usd = self._prices[job.id]
        units = {"x-fal-billable-units": f"{job.charged / usd:g}"} if usd else {}
        return JSONResponse(_as_result(job), headers={"x-fal-request-id": job.id, **units})

    async def _cancel(self, request: Request, account: Account) -> Response:
        job, engine = self._job(request, account), self.services.engine
        engine.settle()
        if not job.open:
            return JSONResponse({"status": "ALREADY_COMPLETED"}, 400)
        if engine.cancel(job):
            return JSONResponse({"status": "OK"})
        engine.abort(job, STOPPING)
        return JSONResponse({"status": "CANCELLATION_REQUESTED"}, 202)

    def _links(self, job: Job) -> dict[str, str]:
        address = f"{self.services.url}/{self.name}/{_app_of(job)}/requests/{job.id}"
        return {
            "request_id": job.id,
            "response_url": address,
            "status_url": f"{address}/status",
            "cancel_url": f"{address}/cancel",
        }

    def _job(self, request: Request, account: Account) -> Job:
        asked = request.path_params
        job = self.services.engine.find(self.name, asked["request_id"])
        if job is None or job.account is not account or _app_of(job) != f"{asked['owner']}/{asked['app']}":
            raise Refusal(404, "", "Request not found")
        return job

    async def _make(self, asked: _Arguments) -> list[Made]:
        renderer = self.services.renderer
        seed = uuid.uuid4().int % 2**32 if asked.seed is None else asked.seed % 2**64  # the renderer knows no negative seeds
        try:
            match asked:
                case Ltx():
                    picture = await self._read(asked.image_url)
                    brief = Prompt(asked.prompt, "ltx", (16, 9), self.services.size, seed, "ingredients", (picture,))
                    return [Made("video", "video", "video/mp4", await renderer.film(brief, int(asked.duration)))]
                case Kontext():
                    across, _, down = asked.aspect_ratio.partition(":")
                    ratio, picture = (int(across), int(down)), await self._read(asked.image_url)
                    brief = Prompt(asked.prompt, "kontext", ratio, self.services.size, seed, "ingredients", (picture,))
                    return await self._paint(brief, asked)
                case Flux():
                    return await self._paint(Prompt(asked.prompt, "flux", asked.pixels, max(asked.pixels), seed), asked)
                case _:
                    raise AssertionError(asked)
        except (UnreachableError, UnreadableReferenceError):
            words = "Could not load image from url. Please make sure the URL is accessible and the image is valid."
            raise WrongArgumentsError([_fault("image_load_error", words, ["body", "image_url"])]) from None

    async def _paint(self, brief: Prompt, asked: _Pictures) -> list[Made]:
        made: list[Made] = []
        for number in range(asked.num_images):
            picture = await self.services.renderer.paint(brief.again(number))
            if asked.output_format == "jpeg":
                picture = await asyncio.to_thread(_as_jpeg, picture)
            made.append(Made(f"image-{number}", "images", f"image/{asked.output_format}", picture))
        return made

    # The storage

    async def _initiate_upload(self, request: Request, account: Account) -> Response:
        _check_balance(account)
        about = await request.json()
        name, media_type = str(about.get("file_name") or "upload.bin"), str(about.get("content_type") or "")
        path = f"/storage/files/{new_token()}/{name.replace('/', '-')}"
        self._uploads[path] = (account, media_type, None)
        address = f"{self.services.url}/{self.name}{path}"
        return JSONResponse({"upload_url": address, "file_url": address})

    async def _put_upload(self, request: Request, account: Account) -> Response:
        path = request.url.path.removeprefix(f"/{self.name}")
        self._uploads[path] = (account, self._uploaded(path)[1], await request.body())
        return Response(status_code=200)

    async def _get_upload(self, request: Request, account: Account) -> Response:  # noqa: ARG002 -- a handler's signature
        _, media_type, data = self._uploaded(request.url.path.removeprefix(f"/{self.name}"))
        if data is None:
            raise Refusal(404, "", "Not found")
        return Response(data, media_type=media_type or "application/octet-stream")

    async def _create_token(self, request: Request, account: Account) -> Response:  # noqa: ARG002 -- a handler's signature
        token = new_token(40)
        self._tokens[token] = account
        told = {"token": token, "token_type": "Bearer", "base_url": f"{self.services.url}/{self.name}"}
        return JSONResponse(told | {"expires_at": "2999-01-01T00:00:00+00:00"})

    async def _upload(self, request: Request, account: Account) -> Response:
        name, media_type = request.headers.get("x-fal-file-name", "upload"), request.headers.get("content-type", "")
        address = self.services.media.publish(account, name.rpartition(".")[0] or name, media_type, await request.body())
        return JSONResponse({"access_url": address})

    def _uploaded(self, path: str) -> tuple[Account, str, bytes | None]:
        if path not in self._uploads:
            raise Refusal(404, "", "Not found")
        return self._uploads[path]

    async def _read(self, url: str) -> bytes:
        own = f"{self.services.url}/{self.name}"
        if url.startswith("data:"):
            head, _, body = url.partition(",")
            try:
                return base64.b64decode(body, validate=True) if head.endswith(";base64") else unquote_to_bytes(body)
            except binascii.Error:
                raise UnreachableError(url[:40]) from None
        if url.startswith(f"{own}/storage/"):
            data = self._uploads.get(url.removeprefix(own), (None, "", None))[2]
            if data is None:
                raise UnreachableError(url)
            return data
        return await self.services.fetcher.fetch(url)


API = Fal


def _check_balance(account: Account) -> None:
    if account.credits <= 0:
        raise Refusal(403, "", "User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing.")


def _app_of(job: Job) -> str:
    return "/".join(job.operation.split("/")[:2])


def _is_of_the_model(error: JobFailedError) -> bool:
    """True if the error is the model's, which comes as the result; else it is fal's own, which comes with the status too."""
    return isinstance(error, WrongArgumentsError) or error.code == CONTENT_REFUSED


def _fault(kind: str, message: str, place: list[Any]) -> dict[str, Any]:
    return {"loc": place, "msg": message, "type": kind, "url": f"https://docs.fal.ai/errors#{kind}"}


def _logs(job: Job) -> list[dict[str, str]]:
    if job.started_at is None:
        return []
    begun = datetime.fromtimestamp(job.started_at, UTC).isoformat()
    return [{"timestamp": begun, "level": "INFO", "source": "RUNNER", "message": f"{job.operation} began"}]


def _as_result(job: Job) -> dict[str, Any]:
    if job.operation.endswith("video"):
        return {"video": _as_file(job.outputs[0]) if job.outputs else None}
    seed = job.request.get("seed") or 0
    images = [_as_file(one) for one in job.outputs]
    flagged = [False] * len(images)
    return {"images": images, "timings": {}, "seed": seed, "has_nsfw_concepts": flagged, "prompt": job.request.get("prompt", "")}


def _as_file(output: Output) -> dict[str, Any]:
    name = output.value.rpartition("/")[2]
    return {"url": output.value, "content_type": output.media_type, "file_name": name, "file_size": output.size}


def _as_jpeg(picture: bytes) -> bytes:
    encoded = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").save(encoded, "JPEG", quality=90)
    return encoded.getvalue()
