"""Reading and checking what callers send to FLORA's API."""

import json
import re
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from starlette.requests import Request

from genmedia.sandbox.drawing.techniques import Technique
from genmedia.sandbox.fetching import origin_of
from genmedia.sandbox.provider import Refusal

_T = TypeVar("_T")

# The document's list: media.flora.ai, Google Cloud Storage in path style and virtual-hosted, ImageKit, and S3's object hosts in
# virtual-hosted, path-style, dual-stack and Transfer Acceleration form, with or without a region.
_REGION = r"[a-z]{2}(-[a-z]+)+-\d"
_HOSTS = re.compile(
    r"media\.flora\.ai|ik\.imagekit\.io|([a-z0-9._-]+\.)?storage\.googleapis\.com"
    rf"|([a-z0-9.-]+\.)?s3([.-]{_REGION}|\.dualstack\.{_REGION})?\.amazonaws\.com"
    r"|[a-z0-9.-]+\.s3-accelerate(\.dualstack)?\.amazonaws\.com"
)


async def read_object(request: Request) -> dict[str, Any]:
    """The request's JSON object.

    Raises:
        Refusal: `invalid_json` when the body is not JSON, `input_validation_error` when it is something else than an object.
    """
    try:
        body = json.loads(await request.body())
    except ValueError:
        raise Refusal(400, "invalid_json", "The request body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise Refusal(400, "input_validation_error", "The request body must be a JSON object.")
    return cast("dict[str, Any]", body)


def on_allowed_host(url: str, own_origins: tuple[str, ...]) -> bool:
    """Whether an input may stand at this address: HTTPS on a documented host, or an origin of the sandbox's own list."""
    try:
        if origin_of(url) in own_origins:
            return True
        parts = urlsplit(url)
        return (
            parts.scheme == "https"
            and parts.username is None
            and parts.port in {None, 443}
            and _HOSTS.fullmatch(parts.hostname or "") is not None
        )
    except ValueError:
        return False


def shape_problems(technique: Technique, body: dict[str, Any]) -> list[str]:
    """Everything that is wrong with a run's body, save the places of its inputs; each line names the field or the input."""
    problems: list[str] = []
    if body.get("mode") != "async":
        problems.append('mode must be "async"')
    key = body.get("idempotency_key")
    if key is not None and not (isinstance(key, str) and key):
        problems.append("idempotency_key must be a non-empty string")
    wanted = {expected.id: expected for expected in technique.inputs}
    seen: set[str] = set()
    inputs: Any = body.get("inputs")
    if not isinstance(inputs, list):
        return [*problems, "inputs must be an array"]
    for position, given in enumerate(cast("list[Any]", inputs)):
        if not isinstance(given, dict):
            problems.append(f"inputs[{position}] must be an object")
            continue
        entry = cast("dict[str, Any]", given)
        identity = entry.get("id")
        if not isinstance(identity, str) or identity not in wanted:
            problems.append(f"inputs[{position}]: {identity!r} is not an input of {technique.slug}")
            continue
        if identity in seen:
            problems.append(f"{identity} is given twice")
        seen.add(identity)
        if entry.get("type") != wanted[identity].type:
            problems.append(f"{identity} must have type {wanted[identity].type}")
        value = entry.get("value")
        if not isinstance(value, str) or not value.strip():
            problems.append(f"{identity} needs a value")
    return problems + [f"{identity} is missing" for identity in wanted if identity not in seen]


def place_problems(body: dict[str, Any], own_origins: tuple[str, ...]) -> list[str]:
    """A line for each picture or video that does not stand where FLORA would fetch it; the body's shape has been checked."""
    return [
        f"{entry['id']} must be an https:// address on a supported host"
        for entry in body["inputs"]
        if entry["type"] != "text" and not on_allowed_host(entry["value"], own_origins)
    ]


def page_of(request: Request, found: list[tuple[str, _T]]) -> tuple[list[_T], str | None]:
    """One page of the named things found, and the cursor of the next: the last name on this one.

    Raises:
        Refusal: There is no such page.
    """
    limit = request.query_params.get("limit", "50")
    if not limit.isdecimal() or not 1 <= int(limit) <= 100:
        raise Refusal(400, "input_validation_error", "limit must be between 1 and 100")
    start = 0
    if cursor := request.query_params.get("cursor"):
        start = next((place for place, (name, _) in enumerate(found, 1) if name == cursor), 0)
        if not start:
            raise Refusal(400, "input_validation_error", "cursor is unknown")
    page = found[start : start + int(limit)]
    more = start + len(page) < len(found)
    return [thing for _, thing in page], found[start + len(page) - 1][0] if more else None
