"""What callers send to Algovera's API: read, checked and described by the same models."""

import json
import secrets
from typing import Annotated, Any, Literal, cast, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from starlette.requests import Request

BaseModelName = Literal[
    "dalle",
    "stable",
    "stable diffusion v1.5",
    "stable diffusion v2-512x512",
    "stable diffusion v2-768x768",
    "stable diffusion v2.1-512x512",
    "stable diffusion v2.1-768x768",
]
BASE_MODELS: tuple[str, ...] = get_args(BaseModelName)

Place = Literal["body", "query"]


def _as_json_counts(value: Any) -> Any:
    """JSON has one kind of number: 512.0 is whole too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_WHOLE = BeforeValidator(_as_json_counts)
Side = Annotated[int, Field(ge=64, le=1024, multiple_of=8), _WHOLE]


class Keyed(BaseModel):
    """A request of somebody; fields that it does not name are left alone."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    api_key: str


class NewJob(Keyed):
    """A picture to make. The document names the fields; bounds and defaults are the sandbox's choice."""

    prompt: str = Field(min_length=1, max_length=1000)
    base_model: BaseModelName = "stable"
    height: Side = 512
    width: Side = 512
    inf_steps: Annotated[int, Field(ge=1, le=150), _WHOLE] = 30
    guidance_scale: Annotated[float, Field(ge=0, le=30)] = 7.0
    seed: Annotated[int, _WHOLE] = Field(default_factory=lambda: secrets.randbelow(2**31))


class JobQuestion(Keyed):
    """Which job is asked about."""

    job_uuid: str


async def read_fields(request: Request) -> tuple[Place, dict[str, Any]]:
    """Where a request's fields stand, and which: in the body, but for a status, or a GET without one, in the query."""
    body = await request.body()
    if request.method == "GET" and (not body or request.url.path.endswith("/status")):
        return "query", dict(request.query_params)
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        fields = None
    return "body", cast("dict[str, Any]", fields) if isinstance(fields, dict) else {}


def problems(place: Place, error: ValidationError) -> list[dict[str, Any]]:
    """Everything that is wrong, as FastAPI told it in those days; never the values, among which the key is."""
    return [
        {"loc": [place, *one["loc"]], "msg": "field required", "type": "value_error.missing"}
        if one["type"] == "missing"
        else {"loc": [place, *one["loc"]], "msg": one["msg"], "type": one["type"]}
        for one in error.errors(include_input=False, include_context=False, include_url=False)
    ]


_Schema = dict[str, Any]


def describe(url: str) -> _Schema:
    """The OpenAPI 3.1 document.

    The body of getAsset stands on a GET, which OpenAPI allows and many tools ignore.

    Args:
        url: Where the API is served.
    """
    question: _Schema = JobQuestion.model_json_schema()
    asked = [{"name": name, "in": "query", "required": True, "schema": {"type": "string"}} for name in question["required"]]
    made = _answer({"job_uuid": {"type": "string", "pattern": "^[0-9a-f]{32}$"}})
    made["links"] = {"get_status": {"operationId": "get_status", "parameters": {"job_uuid": "$response.body#/job_uuid"}}} | {
        "get_asset": {"operationId": "get_asset", "requestBody": {"job_uuid": "$response.body#/job_uuid"}}
    }
    picture: _Schema = {"description": "The picture.", "content": {"image/jpeg": {}}}
    models = _answer({"base_models": {"type": "array", "items": {"enum": list(BASE_MODELS)}}})
    status = _answer({"job_status": {"enum": ["created", "done", "failed"]}})
    paths = {
        "/api/basemodels": {"get": _operation("list_base_models", models)},
        "/api/txt2img": {"post": _operation("create_job", made, 403, 422, body=NewJob.model_json_schema())},
        "/api/status": {"get": _operation("get_status", status, 403, 404, 422) | {"parameters": asked}},
        "/api/getAsset": {"get": _operation("get_asset", picture, 403, 404, 422, body=question)},
    }
    info = {"title": "Algovera, as the sandbox serves it", "version": "1"}
    return {"openapi": "3.1.0", "info": info, "servers": [{"url": url}], "paths": paths}


def _operation(name: str, good: _Schema, *bad: int, body: _Schema | None = None) -> _Schema:
    meanings = {
        403: "The key is wrong, its user unknown, or no credits are left; the detail says which.",
        404: "There is no such job, or it has no picture.",
        422: "Fields are missing or wrong.",
        429: "Too many requests a minute.",
    }
    refused = {str(status): _answer({"detail": {"type": ["string", "array"]}}, meanings[status]) for status in (*bad, 429)}
    sent = {"requestBody": {"required": True, "content": {"application/json": {"schema": body}}}} if body else {}
    return {"operationId": name, "responses": {"200": good, **refused}, **sent}


def _answer(fields: _Schema, description: str = "Done.") -> _Schema:
    shown = {"type": "object", "properties": fields, "required": list(fields)}
    return {"description": description, "content": {"application/json": {"schema": shown}}}
