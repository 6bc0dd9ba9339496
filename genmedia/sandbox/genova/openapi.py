"""The OpenAPI description of Genova's routes, as the sandbox serves them."""

from typing import Any

from genmedia.sandbox.genova.requests import (
    FLOW_MODES,
    FLOW_RATIOS,
    FREEPIK,
    FREEPIK_MODES,
    FREEPIK_RATIOS,
    IMAGE_MODELS,
    MOST_REFERENCES,
    PROMPT_LIMIT,
    QUALITIES,
    VIDEO_MODELS,
)
from genmedia.sandbox.genova.users import LONGEST_NAME

Schema = dict[str, Any]

_STATUSES = ["pending", "queued", "processing", "completed", "failed"]
_TIME: Schema = {"type": "string", "format": "date-time"}


def _object(required: Schema, optional: Schema | None = None) -> Schema:
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}


def _or_null(kind: str, **more: Any) -> Schema:
    return {"type": [kind, "null"], **more}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_KEY = _object(
    {"id": {"type": "string"}, "name": {"type": "string"}, "prefix": {"type": "string"}, "created_at": _TIME},
    {"last_used_at": _or_null("string")},
)


def _references(modes: tuple[str, ...]) -> Schema:
    image: Schema = {"type": "string", "pattern": "^(data:image/[a-z]+;base64,)?([A-Za-z0-9+/]{4}){1,64}$"}
    images: Schema = {
        "type": "array",
        "minItems": 1,
        "maxItems": MOST_REFERENCES,
        "items": {"oneOf": [image, _object({"data": image})]},
    }
    return _object({"images": images, "mode": {"enum": list(modes)}})


def _new_job(kind: str, required: Schema, optional: Schema) -> Schema:
    common = {"type": {"const": kind}, "prompt": {"type": "string", "minLength": 1, "maxLength": PROMPT_LIMIT}}
    count: Schema = {"type": "integer", "minimum": 1, "maximum": 4, "default": 1}
    return _object({**common, **required}, {**optional, "count": count, "priority": {"type": "number", "default": 0}})


_FLOW: Schema = {"aspectRatio": {"enum": list(FLOW_RATIOS), "default": "landscape"}, "referenceImages": _references(FLOW_MODES)}
_FREEPIK: Schema = {
    "aspectRatio": {"enum": list(FREEPIK_RATIOS), "default": "16:9"},
    "quality": {"enum": list(QUALITIES), "default": "1K"},
    "referenceImages": _references(FREEPIK_MODES),
}
_SCHEMAS: Schema = {
    "Error": _object({"error": {"type": "string"}}, {"details": {"type": "string"}, "stack": {"type": "string"}}),
    "Success": _object({"success": {"const": True}}),
    "NewJob": {
        "oneOf": [
            _new_job("image", {}, {"model": {"enum": list(IMAGE_MODELS), "default": "imagen4"}, **_FLOW}),
            _new_job("video", {"model": {"enum": list(VIDEO_MODELS)}}, _FLOW),
            _new_job("image", {"model": {"const": FREEPIK}}, _FREEPIK),
        ]
    },
    "Accepted": _object(
        {
            "success": {"const": True},
            "jobId": {"type": "string", "format": "uuid"},
            "status": {"enum": ["pending", "queued"]},
            "queuePosition": {"type": "integer", "minimum": 1},
            "estimatedTime": {"type": "integer", "minimum": 0},
        }
    ),
    "Job": _object(
        {
            "id": {"type": "string", "format": "uuid"},
            "type": {"enum": ["image", "video"]},
            "status": {"enum": _STATUSES},
            "prompt": {"type": "string"},
            "settings": {"type": "object"},
            "result_url": _or_null("string"),
            "result_urls": _or_null("array", items={"type": "string"}),
            "created_at": _TIME,
            "started_at": _or_null("string"),
            "completed_at": _or_null("string"),
            "processing_time": _or_null("integer"),
            "file_size": _or_null("integer"),
            "error_message": _or_null("string"),
        }
    ),
    "Jobs": _object({"jobs": {"type": "array", "items": _ref("Job")}, "total": {"type": "integer", "minimum": 0}}),
    "File": _object(
        {"url": {"type": "string"}, "filename": {"type": "string"}, "size": {"type": "integer"}, "type": {"type": "string"}}
    ),
    "Name": _object({"name": {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME}}),
    "Key": _KEY,
    "NewKey": {"allOf": [_ref("Key"), _object({"key": {"type": "string"}})]},
    "Keys": _object({"keys": {"type": "array", "items": _ref("Key")}}),
    "User": _object(
        {
            "id": {"type": "string", "format": "uuid"},
            "email": {"type": "string"},
            "name": {"type": "string"},
            "plan": _or_null("string"),
            "subscription_status": {"type": "string"},
            "credits_remaining": {"type": "number"},
            "credits_used": {"type": "number"},
        }
    ),
    "Stats": _object(
        {
            name: {"type": "number"}
            for name in (
                "total_jobs", "completed_jobs", "failed_jobs", "active_jobs", "image_count", "video_count", "credits_remaining",
            )
        }
    ),
}  # fmt: skip

_MEANINGS = {
    "400": "A parameter is missing or wrong.",
    "401": "The key or the JWT is missing, wrong or expired.",
    "402": "No credits are left.",
    "403": "It belongs to another user.",
    "404": "There is no such thing.",
    "429": "Too many requests a minute, or too many open jobs.",
    "500": "The job does not fit into its row.",
}


def _json(name: str, description: str = "Done.") -> Schema:
    return {"description": description, "content": {"application/json": {"schema": _ref(name)}}}


def _answers(good: Schema, *bad: str) -> Schema:
    refused = {status: _json("Error", _MEANINGS[status]) for status in ("401", "429", *bad)}
    refused["429"] = refused["429"] | {
        "headers": {"Retry-After": {"schema": {"type": "integer"}, "description": "Nominal seconds."}}
    }
    return good | dict(sorted(refused.items()))


def _operation(name: str, answers: Schema, *, body: str | None = None, parameters: tuple[Schema, ...] = ()) -> Schema:
    operation: Schema = {"operationId": name, "responses": answers}
    if body:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(body)}}}
    if parameters:
        operation["parameters"] = list(parameters)
    return operation


def _parameter(name: str, place: str, schema: Schema) -> Schema:
    return {"name": name, "in": place, "required": place == "path", "schema": schema}


def describe(url: str) -> Schema:
    """The OpenAPI 3.1 document.

    Args:
        url: Where the API is served.
    """
    job_id, key_id = (_parameter(name, "path", {"type": "string", "minLength": 1}) for name in ("job_id", "key_id"))
    page = (
        _parameter("status", "query", {"enum": _STATUSES}),
        _parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": 10_000, "default": 50}),
        _parameter("offset", "query", {"type": "integer", "minimum": 0, "maximum": 1_000_000, "default": 0}),
    )
    file: Schema = {"description": "The file.", "content": {"image/png": {}, "video/mp4": {}}}
    accepted = _json("Accepted") | {
        "links": {
            operation: {"operationId": operation, "parameters": {"job_id": "$response.body#/jobId"}}
            for operation in ("get_job", "cancel_job", "download_job")
        }
    }
    made_key = _json("NewKey") | {
        "links": {"revoke_key": {"operationId": "revoke_key", "parameters": {"key_id": "$response.body#/id"}}}
    }
    signed: Schema = {"description": "To a signed link that expires.", "headers": {"Location": {"schema": {"type": "string"}}}}
    renamed = _answers({"200": _json("User")}, "400")
    return {
        "openapi": "3.1.0",
        "info": {"title": "Genova, as the sandbox serves it", "version": "1"},
        "servers": [{"url": url}],
        "security": [{"key": []}, {"jwt": []}],
        "paths": {
            "/api/jobs": {
                "post": _operation("create_job", _answers({"201": accepted}, "400", "402", "500"), body="NewJob"),
                "get": _operation("list_jobs", _answers({"200": _json("Jobs")}, "400"), parameters=page),
            },
            "/api/jobs/{job_id}": {
                "parameters": [job_id],
                "get": _operation("get_job", _answers({"200": _json("Job")}, "403", "404")),
                "delete": _operation("cancel_job", _answers({"200": _json("Success")}, "400", "403", "404")),
            },
            "/api/jobs/{job_id}/download": {
                "parameters": [job_id],
                "get": _operation("download_job", _answers({"200": _json("File"), "302": signed}, "400", "403", "404")),
            },
            "/api/jobs/{job_id}/file": {
                "parameters": [job_id],
                "get": _operation("get_file", _answers({"200": file}, "403", "404")),
            },
            "/api/keys": {
                "post": _operation("create_key", _answers({"201": made_key}, "400"), body="Name"),
                "get": _operation("list_keys", _answers({"200": _json("Keys")})),
            },
            "/api/keys/{key_id}": {
                "parameters": [key_id],
                "delete": _operation("revoke_key", _answers({"200": _json("Success")}, "404")),
            },
            "/api/user/me": {
                "get": _operation("get_me", _answers({"200": _json("User")})),
                "put": _operation("put_me", renamed, body="Name"),
                "patch": _operation("patch_me", renamed, body="Name"),
            },
            "/api/user/stats": {"get": _operation("get_stats", _answers({"200": _json("Stats")}))},
        },
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "jwt": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            },
        },
    }
