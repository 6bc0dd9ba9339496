"""The OpenAPI description of Generio's routes, as the sandbox serves them."""

from typing import Any

from genmedia.sandbox.generio.requests import FIELDS, SORTS, STATES
from genmedia.sandbox.generio.templates import GLB, TEMPLATES, TEXT, Template

Schema = dict[str, Any]

_ID: Schema = {"type": "string", "pattern": "^[0-9a-f]{24}$"}
_ANY: Schema = {}
_TIME: Schema = {"type": ["string", "null"], "format": "date-time"}
_PROMPT: Schema = {"type": "string", "pattern": "\\S"}


def _object(required: Schema, optional: Schema | None = None) -> Schema:
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(name: str) -> Schema:
    return {"type": "array", "items": _ref(name)}


def _input(data: Schema) -> Schema:
    return _object({"data": data}, {"additional": _ANY})


def _new_flow(template: Template) -> Schema:
    types = [kind for kind in template.input_types if kind != TEXT]
    # Three bytes of nothing are taken, and found unreadable when the flow runs.
    data = {"enum": [f"data:{kind};base64,AAAA" for kind in types]} if types else _PROMPT
    parameters = template.parameters.model_json_schema() | {"additionalProperties": False}
    inputs: Schema = {"type": ["array", "null"], "items": _input(data)}
    return _object(
        {"template": {"enum": [template.name, template.id]}},
        {"parameters": {"oneOf": [parameters, {"type": "null"}]}, "inputs": inputs, "additional": _ANY},
    )


_ASSET = _object(
    {"status": {"enum": ["available", "processing", "ready", "error"]}, "additional": _ANY},
    {"asset_id": _ID, "id": _ID, "processed": _TIME, "data": {"type": "string"}, "error": {"type": "string"}},
)
_SCHEMAS: Schema = {
    "Error": _object({"detail": {"type": "string"}}),
    "Invalid": _object(
        {
            "detail": {
                "type": "array",
                "items": _object(
                    {"loc": {"type": "array", "items": {"type": ["string", "integer"]}}, "msg": {"type": "string"}}
                    | {"type": {"type": "string"}}
                ),
            }
        }
    ),
    "NewFlow": {"oneOf": [_new_flow(template) for template in TEMPLATES]},
    "NewInput": _input(_PROMPT),
    "Control": _object({"action": {"enum": ["start", "abort"]}}),
    "Flow": _object(
        {
            "flow_id": _ID,
            "template": {"type": "string"},
            "state": {"enum": list(STATES)},
            "progress": {"type": "number", "minimum": 0, "maximum": 1},
            "created_at": _TIME,
            "started_at": _TIME,
            "finished_at": _TIME,
            "parameters": {"type": "object"},
            "additional": _ANY,
        },
        {"error": {"type": "string"}},
    ),
    "Flows": _object({"flows": {"type": "array", "items": {"type": "object"}}}),
    "Deleted": _object({"flow_id": _ID}),
    "Asset": _ASSET,
    "Inputs": _object({"flow_id": _ID, "inputs": _list("Asset")}),
    "Outputs": _object({"flow_id": _ID, "outputs": _list("Asset")}),
    "File": _object({"data": {"type": "string", "pattern": "^data:"}}),
    "Template": _object(
        {
            "id": _ID,
            "name": {"type": "string"},
            "description": {"type": "string"},
            "parameters": {
                "type": "array",
                "items": _object(
                    {"name": {"type": "string"}, "type": {"enum": ["string", "integer", "boolean"]}, "default": _ANY},
                    {"values": {"type": "array"}},
                ),
            },
            "input_types": {"type": "array", "items": {"type": "string"}},
            "output_types": {"type": "array", "items": {"type": "string"}},
        }
    ),
    "Templates": _object({"templates": _list("Template")}),
}

_MEANINGS = {
    "401": "The key is missing or wrong.",
    "402": "No credits are left.",
    "403": "The key is missing or wrong, where a switch says so.",
    "404": "There is no such thing.",
    "409": "The flow's state does not allow it.",
    "413": "An input is too large.",
    "422": "The request is wrong, and how.",
    "429": "Too many requests a minute.",
}


def _json(name: str, description: str = "Done.") -> Schema:
    return {"description": description, "content": {"application/json": {"schema": _ref(name)}}}


def _operation(name: str, good: Schema, *bad: str, body: str | None = None, parameters: tuple[Schema, ...] = ()) -> Schema:
    refused = {
        status: _json("Invalid" if status == "422" else "Error", _MEANINGS[status])
        for status in sorted({"401", "403", "429", *bad})
    }
    refused["429"]["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Nominal seconds."}}
    operation: Schema = {"operationId": name, "responses": {"200": good, **refused}}
    if body:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(body)}}}
    if parameters:
        operation["parameters"] = list(parameters)
    return operation


def _parameter(name: str, place: str, schema: Schema) -> Schema:
    return {"name": name, "in": place, "required": place == "path", "schema": schema}


def _links(*operations: str, **parameters: str) -> Schema:
    return {"links": {operation: {"operationId": operation, "parameters": parameters} for operation in operations}}


def describe(url: str) -> Schema:
    """The OpenAPI 3.1 document.

    Args:
        url: Where the API is served.
    """
    flow_id, asset_id, template = (
        _parameter(name, "path", {"type": "string", "minLength": 1}) for name in ("flow_id", "asset_id", "template")
    )
    listing = (
        _parameter("sort_by", "query", {"enum": list(SORTS)}),
        _parameter("filter_by", "query", {"enum": [*STATES, *FIELDS, "flow_id,state"]}),
    )
    with_data = (_parameter("include_data", "query", {"type": "boolean", "default": False}),)
    created = _json("Flow") | _links(
        "get_flow", "control_flow", "delete_flow", "list_inputs", "add_input", "list_outputs", flow_id="$response.body#/flow_id"
    )
    created["links"]["abort_flow"] = created["links"]["control_flow"] | {"requestBody": {"action": "abort"}}
    seen = _json("Flow") | _links("get_flow", "list_outputs", "delete_flow", flow_id="$request.path.flow_id")
    added = _json("Asset") | _links("get_input", flow_id="$request.path.flow_id", asset_id="$response.body#/asset_id")
    start = {"operationId": "control_flow", "parameters": {"flow_id": "$request.path.flow_id"}}
    added["links"]["start_flow"] = start | {"requestBody": {"action": "start"}}
    outputs = _json("Outputs") | _links(
        "get_output", "get_output_singular", flow_id="$request.path.flow_id", asset_id="$response.body#/outputs/0/asset_id"
    )
    file = _json("File")
    file["content"][GLB] = {}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Generio Flows, as the sandbox serves it", "version": "1"},
        "servers": [{"url": url}],
        "security": [{"key": []}],
        "paths": {
            "/flows": {
                "get": _operation("list_flows", _json("Flows"), "422", parameters=listing),
                "post": _operation("create_flow", created, "402", "404", "413", "422", body="NewFlow"),
            },
            "/flows/{flow_id}": {
                "parameters": [flow_id],
                "get": _operation("get_flow", seen, "404"),
                "patch": _operation("control_flow", seen, "402", "404", "409", "422", body="Control"),
                "delete": _operation("delete_flow", _json("Deleted"), "404", "409"),
            },
            "/flows/{flow_id}/inputs": {
                "parameters": [flow_id],
                "get": _operation("list_inputs", _json("Inputs"), "404", "422", parameters=with_data),
                "post": _operation("add_input", added, "404", "409", "413", "422", body="NewInput"),
            },
            "/flows/{flow_id}/inputs/{asset_id}": {
                "parameters": [flow_id, asset_id],
                "get": _operation("get_input", _json("Asset"), "404"),
            },
            "/flows/{flow_id}/outputs": {
                "parameters": [flow_id],
                "get": _operation("list_outputs", outputs, "404", "409", "422", parameters=with_data),
            },
            **{
                f"/flows/{{flow_id}}/{path}/{{asset_id}}": {
                    "parameters": [flow_id, asset_id],
                    "get": _operation(name, file, "404", "409"),
                }
                for path, name in (("outputs", "get_output"), ("output", "get_output_singular"))
            },
            "/templates": {"get": _operation("list_templates", _json("Templates"))},
            "/templates/{template}": {
                "parameters": [template],
                "get": _operation("get_template", _json("Template"), "404"),
            },
        },
        "components": {"schemas": _SCHEMAS, "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    }
