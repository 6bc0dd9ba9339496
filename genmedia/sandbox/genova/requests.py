"""Reading and checking what callers send to Genova's API."""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any, cast

from starlette.requests import Request

from genmedia.sandbox.provider import D1_ERROR, Refusal

IMAGE_MODELS = ("imagen4", "nano_banana_pro", "nano_banana2")
VIDEO_MODELS = ("veo3_fast", "veo3_quality", "veo2_fast")
FREEPIK = "freepik"
MODELS = (*IMAGE_MODELS, *VIDEO_MODELS, FREEPIK)
FLOW_RATIOS = ("landscape", "portrait", "square")
FREEPIK_RATIOS = ("1:1", "4:3", "3:4", "16:9", "9:16", "3:2", "2:3")
FLOW_MODES = ("ingredients",)
FREEPIK_MODES = ("style", "character", "element", "color", "effects", "camera")
QUALITIES = ("1K", "2K")
PROMPT_LIMIT = 500
MOST_REFERENCES = 4
ROW_LIMIT = 1_000_000
"""Bytes of reference images that still fit into the row that holds a job."""


class RowTooBigError(Exception):
    """The job does not fit into its row."""

    def __init__(self) -> None:
        super().__init__(D1_ERROR)


@dataclass(frozen=True)
class Wish:
    """A valid request, with the defaults filled in."""

    type: str
    prompt: str
    model: str
    aspect_ratio: str
    count: int
    quality: str
    priority: float
    mode: str | None
    references: tuple[bytes, ...]
    settings: dict[str, Any]


async def read_object(request: Request) -> dict[str, Any]:
    """The request's JSON object.

    Raises:
        Refusal: It is not JSON, or not an object.
    """
    try:
        body = json.loads(await request.body())
    except ValueError:
        raise Refusal(400, "Invalid request body", "The body is not valid JSON") from None
    if not isinstance(body, dict):
        raise Refusal(400, "Invalid request body", "The body must be a JSON object")
    return cast("dict[str, Any]", body)


def read_wish(body: dict[str, Any], *, prompt_limit: bool, quality_on_flow: bool) -> Wish:
    """Check a request for a job; fields that the document does not name are left alone.

    Args:
        body: The request's object.
        prompt_limit: Whether a prompt of more than 500 characters is refused.
        quality_on_flow: Whether a quality for a Flow model is left alone as well; else it is refused.

    Raises:
        Refusal: Something is missing or wrong; all of it is named.
        RowTooBigError: The reference images are larger than 1,000,000 bytes together.
    """
    missing = [f"{name} is required" for name in ("type", "prompt") if body.get(name) in (None, "")]
    wrong = [*_wrong_basics(body, prompt_limit=prompt_limit), *_wrong_settings(body, quality_on_flow=quality_on_flow)]
    references, wrong_references = _read_references(body)
    if missing or wrong or wrong_references:
        title = "Missing required fields" if missing else "Invalid parameters"
        raise Refusal(400, title, "; ".join([*missing, *wrong, *wrong_references]))

    model = body.get("model") or "imagen4"
    count = int(body.get("count") or 1) if body["type"] == "image" else 1
    ratio = body.get("aspectRatio") or ("16:9" if model == FREEPIK else "landscape")
    settings: dict[str, Any] = {"model": model, "aspectRatio": ratio, "count": count}
    if model == FREEPIK:
        settings["quality"] = body.get("quality") or "1K"
    given: dict[str, Any] | None = body.get("referenceImages")
    if given is not None:
        if sum(len(_encoded(item) or "") for item in given["images"]) > ROW_LIMIT:
            raise RowTooBigError
        settings["referenceImages"] = given
    return Wish(
        type=body["type"],
        prompt=body["prompt"],
        model=model,
        aspect_ratio=ratio,
        count=count,
        quality=settings.get("quality", "1K"),
        priority=body.get("priority") or 0,
        mode=given["mode"] if given else None,
        references=tuple(references),
        settings=settings,
    )


def page_of(request: Request) -> tuple[int, int]:
    """The list's limit and offset.

    Raises:
        Refusal: One of them is not a number that can be used.
    """
    limit, offset = request.query_params.get("limit", "50"), request.query_params.get("offset", "0")
    wrong = [
        message
        for usable, message in (
            (_whole(limit) and int(limit) >= 1, "limit must be a whole number from 1"),
            (_whole(offset), "offset must be a whole number from 0"),
        )
        if not usable
    ]
    if wrong:
        raise Refusal(400, "Invalid parameters", "; ".join(wrong))
    return int(limit), int(offset)


def _whole(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 16


def _one_of(name: str, value: Any, allowed: tuple[str, ...], of: str = "") -> list[str]:
    return [] if value is None or value in allowed else [f"{name} must be one of {', '.join(allowed)}{of}"]


def _wrong_basics(body: dict[str, Any], *, prompt_limit: bool) -> list[str]:
    problems = _one_of("type", body.get("type") or None, ("image", "video"))
    prompt, count, priority = body.get("prompt"), body.get("count"), body.get("priority")
    if prompt is not None and not isinstance(prompt, str):
        problems.append("prompt must be a string")
    elif isinstance(prompt, str) and prompt_limit and len(prompt) > PROMPT_LIMIT:
        problems.append(f"prompt must have at most {PROMPT_LIMIT} characters; this one has {len(prompt)}")
    if count is not None and not (_is_number(count) and count in {1, 2, 3, 4}):
        problems.append("count must be a number from 1 to 4")
    if priority is not None and not _is_number(priority):
        problems.append("priority must be a number")
    return problems


def _wrong_settings(body: dict[str, Any], *, quality_on_flow: bool) -> list[str]:
    """What is wrong with model, ratio and quality; what depends on an unknown model is not looked at."""
    kind, model = body.get("type"), body.get("model") or "imagen4"
    if model not in MODELS:
        return _one_of("model", model, MODELS)
    if kind == "video" and model not in VIDEO_MODELS:
        default = "" if body.get("model") else " by default"
        return [f"model must be one of {', '.join(VIDEO_MODELS)} for a video; it is {model}{default}"]
    problems: list[str] = []
    if kind == "image" and model in VIDEO_MODELS:
        problems.append(f"model {model} makes videos, not images")
    ratios = FREEPIK_RATIOS if model == FREEPIK else FLOW_RATIOS
    problems += _one_of("aspectRatio", body.get("aspectRatio"), ratios, f" for {model}")
    if model != FREEPIK and not quality_on_flow and body.get("quality") is not None:
        problems.append("quality is for freepik only")
    return problems + (_one_of("quality", body.get("quality"), QUALITIES) if model == FREEPIK else [])


def _read_references(body: dict[str, Any]) -> tuple[list[bytes], list[str]]:
    """The reference images' bytes, and what is wrong with them."""
    given = body.get("referenceImages")
    if given is None:
        return [], []
    if not isinstance(given, dict):
        return [], ["referenceImages must be an object with images and mode"]
    shown = cast("dict[str, Any]", given)
    problems: list[str] = []
    modes = FREEPIK_MODES if body.get("model") == FREEPIK else FLOW_MODES
    if shown.get("mode") not in modes:
        problems.append(f"referenceImages.mode must be one of {', '.join(modes)} for {body.get('model') or 'imagen4'}")
    images: Any = shown.get("images")
    if not isinstance(images, list) or not images:
        return [], [*problems, "referenceImages.images must be an array of images"]
    items = cast("list[Any]", images)
    if len(items) > MOST_REFERENCES:
        problems.append(f"referenceImages.images must hold at most {MOST_REFERENCES}; there are {len(items)}")
    decoded = [_decode(item) for item in items]
    problems += [
        f"referenceImages.images[{position}] must be a base64 string, a data URL or an object with one as data"
        for position, data in enumerate(decoded)
        if data is None
    ]
    return [data for data in decoded if data is not None], problems


def _encoded(item: Any) -> str | None:
    text = cast("dict[str, Any]", item).get("data") if isinstance(item, dict) else item
    return text if isinstance(text, str) else None


def _decode(item: Any) -> bytes | None:
    text = _encoded(item)
    if text is None:
        return None
    if text.startswith("data:"):
        head, _, text = text.partition(",")
        if not head.endswith(";base64"):
            return None
    try:
        return base64.b64decode(text, validate=True) or None
    except (binascii.Error, ValueError):
        return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value  # noqa: PLR0124 -- JSON may hold NaN
