"""Algovera's API under `/algovera`: text to image, with the key as a field of the query or the body.

Where the document is silent the sandbox chooses: a job costs a credit when it is accepted, which a failed one keeps; pictures are JPEG and
stay for ever; whatever does not fit is told as FastAPI would. 403 has three meanings, which only its text tells apart.
"""

import asyncio
import io
import secrets
import uuid
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from typing import Any, ClassVar, Literal, TypeVar, cast

from PIL import Image
from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from genmedia.sandbox.accounts import Account, Settings
from genmedia.sandbox.algovera.requests import BASE_MODELS, JobQuestion, Keyed, NewJob, Place, describe, problems, read_fields
from genmedia.sandbox.drawing.prompts import Prompt
from genmedia.sandbox.engine import Job, Made, Terms
from genmedia.sandbox.provider import Handler, Operation, Provider, Refusal, Services

COST = 1

_DETAILS = {"rate_limited": "Too Many Requests", "internal_error": "Internal server error", "not_found": "Not Found"}
_M = TypeVar("_M", bound=Keyed)


class AlgoveraSwitches(BaseModel):
    """How an account's API behaves where the document leaves it open.

    Attributes:
        early_asset: The answer when a picture is asked for that is not there yet.
        query_asset: Take the fields of getAsset from the query too.
        rate_limit: Requests in any 60 nominal seconds. None: any number.
        user: Whether the key's user is known; an unknown one is refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    early_asset: Literal["404", "500"] = "404"
    query_asset: Literal["off", "on"] = "off"
    rate_limit: PositiveInt | None = None
    user: Literal["known", "unknown"] = "known"


class Algovera(Provider):
    """Algovera's API."""

    name: ClassVar[str] = "algovera"
    key_prefix: ClassVar[str] = ""
    purchase: ClassVar[str] = "create_job"
    refusal: ClassVar[tuple[int, str, str]] = (400, "", "The prompt was rejected by our content filter.")
    status_field: ClassVar[str] = "job_status"
    switches: ClassVar[type[BaseModel]] = AlgoveraSwitches

    def __init__(self, services: Services, switches: Mapping[str, Any]) -> None:
        super().__init__(services, switches)
        self._nobody = Account(self.name, "(no key)", "", 0, None, Settings(), self.default_switches)

    def default_key(self) -> str:
        """64 hexadecimal digits, as all its keys are."""
        return sha256(b"algovera sandbox").hexdigest()

    def new_key(self) -> str:
        """64 hexadecimal digits."""
        return secrets.token_hex(32)

    def routes(self) -> tuple[Operation, ...]:
        """The documented routes."""
        return (
            Operation("list_base_models", "GET", "/api/basemodels", self._list_base_models),
            Operation("create_job", "POST", "/api/txt2img", _taking(NewJob, "body", self._create_job)),
            Operation("get_status", "GET", "/api/status", _taking(JobQuestion, "query", self._get_status)),
            Operation("get_asset", "GET", "/api/getAsset", _taking(JobQuestion, "body", self._get_asset)),
        )

    async def authenticate(self, request: Request) -> Account:
        """The account of the key; nobody's where there is none, so that a key that is missing is told like any other field."""
        _, fields = await read_fields(request)
        key = fields.get("api_key")
        if not isinstance(key, str):
            return self._nobody
        account = self.services.accounts.with_key(self.name, key)
        if account is None:
            raise Refusal(403, "", "Invalid API key")
        if _switches(account).user == "unknown":
            raise Refusal(403, "", "Unknown user")
        return account

    def error(self, status: int, code: str, message: str) -> Response:
        """FastAPI's envelope."""
        return JSONResponse({"detail": _DETAILS.get(code, message)}, status)

    def openapi(self) -> dict[str, Any] | None:
        """The description of the routes."""
        return describe(f"{self.services.url}/{self.name}")

    def requests_allowed(self, account: Account) -> int | None:
        """What the switch says."""
        return _switches(account).rate_limit

    def forget(self, account: Account) -> None:
        """Nothing is kept here."""

    async def _list_base_models(self, request: Request, account: Account) -> Response:  # noqa: ARG002 -- a handler's signature
        return JSONResponse({"base_models": BASE_MODELS})

    async def _create_job(self, request: Request, account: Account, given: NewJob) -> Response:  # noqa: ARG002 -- as above
        if account.credits <= 0:
            raise Refusal(403, "", "Insufficient credits")
        job_uuid = uuid.uuid4().hex
        size, seed = (given.width, given.height), given.seed % 2**64  # the renderer knows no negative seeds
        prompt = Prompt(given.prompt, given.base_model, size, max(size), seed)

        async def work() -> list[Made]:
            painted = await self.services.renderer.paint(prompt)
            return [Made(job_uuid, "image", "image/jpeg", await asyncio.to_thread(_as_jpeg, painted), sealed=True)]

        asked = given.model_dump(exclude={"api_key"})
        self.services.engine.accept(account, job_uuid, "create_job", asked, COST, work, terms=Terms(prepaid=True))
        return JSONResponse({"job_uuid": job_uuid})

    async def _get_status(self, request: Request, account: Account, given: JobQuestion) -> Response:  # noqa: ARG002 -- as above
        job = await self.services.engine.look(self._job(account, given))
        return JSONResponse({"job_status": {"succeeded": "done", "failed": "failed"}.get(job.status, "created")})

    async def _get_asset(self, request: Request, account: Account, given: JobQuestion) -> Response:
        job = self._job(account, given)
        self.services.engine.settle()
        if job.open and _switches(account).early_asset == "500":
            return self.error(500, "internal_error", "")
        if job.status != "succeeded" or not job.outputs:
            raise Refusal(404, "", "Asset not ready" if job.open else "Asset not found")
        return await self.services.media.deliver(job.outputs[0].value, request, gone=self.error(404, "", "Asset not found"))

    def _job(self, account: Account, given: JobQuestion) -> Job:
        job = self.services.engine.find(self.name, given.job_uuid)
        if job is None or job.account is not account:
            raise Refusal(404, "", "Job not found")
        return job


API = Algovera


def _taking(model: type[_M], place: Place, handler: Callable[[Request, Account, _M], Awaitable[Response]]) -> Handler:
    """Reads a request's fields for a handler, or answers with all that is wrong with them."""

    async def answer(request: Request, account: Account) -> Response:
        found, fields = await read_fields(request)
        if found != place and _switches(account).query_asset == "off":
            fields = {}
        try:
            given = model.model_validate(fields)
        except ValidationError as error:
            return JSONResponse({"detail": problems(place, error)}, 422)
        return await handler(request, account, given)

    return answer


def _switches(account: Account) -> AlgoveraSwitches:
    return cast("AlgoveraSwitches", account.switches)


def _as_jpeg(picture: bytes) -> bytes:
    encoded = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").save(encoded, "JPEG", quality=90)
    return encoded.getvalue()
