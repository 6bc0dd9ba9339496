"""Lists in the forms of this project's deployments: a person chooses from what the accounts offer now, or types any other value.

Run it after `prefect deploy`, and again when a provider has something new: `python -m deployments.forms`. It uses the keys in the blocks
that have the name in `GENMEDIA_BLOCKS`, `default` by default.
"""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from copy import deepcopy
from operator import attrgetter
from typing import Any, cast

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentUpdate

from blocks import load_block
from deployments.bootstrap import CREDENTIALS, PROJECT, is_of
from genmedia.campaign.file.variables import Variable
from genmedia.errors import GenmediaError
from genmedia.providers.offers import PATIENCE
from tasks.parts import DEPLOYED

LISTED, TYPED = "From the list", "Another"

Schema = dict[str, Any]


async def put_lists(name: str = "default") -> list[str]:
    """Put what the accounts of these blocks offer into the forms of this project's deployments; returns lines that say what was done."""
    offered: dict[str, list[str]] = {}
    done: list[str] = []
    for kind in filter(attrgetter("listed"), CREDENTIALS.values()):
        try:
            async with asyncio.timeout(PATIENCE):
                products = (await (await load_block(kind, name)).offer()).products
        except (GenmediaError, TimeoutError) as error:
            done.append(f"{kind.provider}: nothing to choose from: {error or 'no answer'}")
        else:
            offered |= dict.fromkeys(kind.listed if products else (), sorted(one.name for one in products))
            done.append(f"{kind.provider}: {len(products)} to choose from")
    async with get_client() as client:
        for deployment in await client.read_deployments():
            schema = deployment.parameter_openapi_schema or {}
            listed = with_lists(schema, offered)
            if is_of(PROJECT, deployment) and DEPLOYED not in deployment.labels and listed != schema:
                await client.update_deployment(deployment.id, DeploymentUpdate(parameter_openapi_schema=listed))
    return done


def with_lists(schema: Schema, offered: Mapping[str, Sequence[str]]) -> Schema:
    """Return a form whose fields of these names offer the listed values, and take any other text as before."""
    listed = deepcopy(schema)
    forms = [listed, *listed.get("definitions", {}).values()]
    fields = [
        (name, one) for form in forms for name, one in cast("Schema", form.get("properties", {})).items() if name in offered
    ]
    for name, one in fields:
        holder = one["items"] if one.get("type") == "array" else one
        holder.pop("type", None)
        holder["anyOf"] = [
            {"type": "string", "title": LISTED, "enum": list(offered[name])},
            {"type": "string", "title": TYPED},
        ]
    return listed


_TYPES: Mapping[str, str] = {"text": "string", "number": "number", "yes_no": "boolean"}
"""Types of JSON Schema, by those of variables."""


def producers_form(variables: Mapping[str, Variable]) -> Schema:
    """Return the form of a campaign's file: its variables, and nothing else. Without variables it is empty."""
    fields = {name: _field(one) for name, one in variables.items()}
    needed = [name for name, one in variables.items() if one.default is None]
    shown = {
        "title": "Variables",
        "description": "What this campaign is made of.",
        "type": "object",
        "properties": fields,
        "required": needed,
        "position": 0,
    }
    whole = {"variables": shown} if fields else {}
    return {"title": "Parameters", "type": "object", "properties": whole, "required": [*whole] * bool(needed), "definitions": {}}


def _field(one: Variable) -> Schema:
    about = {"title": one.title, "description": one.description, "default": one.default, "enum": one.choices}
    return {"type": _TYPES[one.type], **{name: value for name, value in about.items() if value not in (None, "", [])}}


def main() -> int:
    """Put the lists of the accounts into the forms; returns the exit code."""
    sys.stdout.write("\n".join(asyncio.run(put_lists(os.environ.get("GENMEDIA_BLOCKS") or "default"))) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
