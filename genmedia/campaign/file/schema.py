"""The JSON Schema of a campaign's file, by which editors complete it and tell faults while it is typed."""

import json
from copy import deepcopy
from typing import Any, cast

from pydantic import TypeAdapter

from genmedia.campaign.file.budget import Budget
from genmedia.campaign.file.delivery import Deliver
from genmedia.campaign.file.policies import policy_schema
from genmedia.campaign.file.review import Review
from genmedia.campaign.file.routine import NOTIFY, OVERLAP, SCHEDULE, Notify, Overlap, Schedule
from genmedia.campaign.file.variables import Variable
from genmedia.campaign.forms.campaign import OF_A_RUN, campaign
from genmedia.campaign.steps import AnyStep
from genmedia.forms.validation import parameters_of

_TEMPLATE: dict[str, Any] = {"title": "Template", "type": "string", "pattern": r"\{[{%]"}
_OR_TEMPLATE = {"$ref": "#/$defs/Template"}
_OWN_OF_A_STEP: dict[str, Any] = {
    "if": {
        "title": "If",
        "description": "Items are made for which this is yes, true or 1, and left out for which it is no, false, 0 or empty.",
        "type": ["string", "boolean"],
    },
    "takes": {
        "title": "Takes",
        "description": "How often the same is asked for.",
        "type": "integer",
        "minimum": 1,
        "maximum": 100,
    },
    "review": {
        "title": "Review",
        "description": "What it gives goes on only where a person keeps it; with a deadline, a default counts after that.",
        "anyOf": [{"type": "boolean"}, Review.model_json_schema()],
    },
    **policy_schema(),
}
_USE: dict[str, Any] = {
    "title": "Steps of another file",
    "description": "Stands for the steps of a file that has variables and steps.",
    "type": "object",
    "required": ["name", "use"],
    "additionalProperties": False,
    "properties": {
        "name": {
            "title": "Name",
            "description": "Begins the names of its steps; as a reference, the last of them.",
            "type": "string",
        },
        "use": {"title": "File", "description": "Its path, from the folder of this file.", "type": "string"},
        "with": {
            "title": "Inputs",
            "description": "What its variables are given: values, or references such as {step: hero}.",
            "type": "object",
            "additionalProperties": {"type": ["string", "number", "boolean", "object"]},
        },
        "if": _OWN_OF_A_STEP["if"],
    },
}
_OF_ALL = {"type": ["string", "number"], "description": "A name, all, or previous; that of the item itself where it is left out."}
_ROWS: dict[str, Any] = {
    "title": "Rows",
    "description": "What steps are repeated for: a CSV or JSONL file, files, or rows written here.",
    "anyOf": [
        {"type": "string"},
        {"type": "array", "items": {"type": "object"}, "minItems": 1},
        {
            "type": "object",
            "properties": {"file": {"type": "string"}, "files": {"type": "string"}, "name": {"type": "string"}},
            "additionalProperties": False,
        },
    ],
}
_MATRIX: dict[str, Any] = {
    "title": "Matrix",
    "description": "Lists of values; a step is repeated for each value of those that it names.",
    "type": "object",
    "additionalProperties": {"type": "array", "items": {"type": ["string", "number"]}, "minItems": 1},
}


def schema() -> str:
    """Return the schema, as it stands in docs/campaign.schema.json."""
    parameters = parameters_of(campaign, without=OF_A_RUN).model_json_schema()
    steps = TypeAdapter[Any](AnyStep).json_schema()
    deliver, variable, budget = Deliver.model_json_schema(), Variable.model_json_schema(), Budget.model_json_schema()
    filled = parameters.get("$defs", {})
    kinds: dict[str, Any] = {
        **steps.pop("$defs", {}),
        **parameters.pop("$defs", {}),
        **budget.pop("$defs", {}),
        "Template": _TEMPLATE,
        "Schedule": Schedule.model_json_schema(),
    }
    for name in {one["$ref"].rpartition("/")[2] for one in steps["oneOf"]}:
        kinds[name]["properties"] |= deepcopy(_OWN_OF_A_STEP)
        _loosen(kinds[name]["properties"])
    for one in (parameters, deliver, budget, *(kinds[name] for name in (*filled, "Amounts"))):
        _loosen(one["properties"])
    for one in kinds.values():
        if "step" in one.get("properties", {}):
            _loosen(one["properties"])
            one["additionalProperties"] = _OF_ALL
    steps.pop("discriminator", None)
    steps["anyOf"] = [*steps.pop("oneOf"), _USE]
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A campaign of genmedia",
        "type": "object",
        "required": ["campaign", "steps"],
        "additionalProperties": False,
        "properties": {
            "campaign": {"title": "Name", "description": "What it is called in the gallery and in the store.", "type": "string"},
            "edition": {
                "title": "Edition",
                "description": 'What makes a run new, such as "{{ week }}"; where it is left out, nothing is bought twice.',
                "type": ["string", "number"],
            },
            "variables": {
                "title": "Variables",
                "description": "What each run may give another value, by name; a bare value is its default.",
                "type": "object",
                "additionalProperties": {"anyOf": [{"type": ["string", "number", "boolean", "null"]}, variable]},
            },
            "rows": _ROWS,
            "matrix": _MATRIX,
            "budget": budget,
            **parameters["properties"],
            "steps": {
                "title": "Steps",
                "description": "In order: a step may use what those above it give.",
                "type": "array",
                "minItems": 1,
                "items": steps,
            },
            "deliver": deliver,
            **_routine(),
        },
        "$defs": kinds,
    }
    return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _routine() -> dict[str, Any]:
    """Return the fields of what `genmedia deploy` reads."""
    one = {"$ref": "#/$defs/Schedule"}
    return {
        SCHEDULE: {
            "title": "Schedule",
            "description": "When it runs by itself, once `genmedia deploy` has told Prefect: one schedule, or a list of them.",
            "anyOf": [one, {"type": "array", "items": one, "minItems": 1}],
        },
        OVERLAP: {
            "title": "Overlap",
            "description": "What becomes of a run that is due while another one runs: queue (it waits) or skip.",
            **TypeAdapter[Any](Overlap).json_schema(),
        },
        NOTIFY: Notify.model_json_schema(),
    }


def _loosen(properties: dict[str, Any]) -> None:
    """Allow a template wherever something else than any text is asked for."""
    for name, one in properties.items():
        if name != "name" and not ("string" in (one.get("type") or ()) and not {"enum", "const", "pattern"} & one.keys()):
            kept = {key: one.pop(key) for key in ("title", "description", "examples", "default") if key in one}
            properties[name] = {**kept, "anyOf": [dict(cast("dict[str, Any]", one)), _OR_TEMPLATE]}
