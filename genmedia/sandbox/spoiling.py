"""What scripted faults do to the bodies of good answers."""

import json
from collections.abc import Callable
from typing import Any, cast

_KEPT = {"id", "jobId", "runId", "run_id", "type", "status", "success"}


def _nulls(shown: dict[str, Any]) -> dict[str, Any]:
    return {name: value if name in _KEPT else None for name, value in shown.items()}


def _as_string(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def change(shown: dict[str, Any]) -> dict[str, Any]:
        return shown | {name: json.dumps(shown[name])} if shown.get(name) is not None else shown

    return change


_TO_A_JOB: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "unknown_status": lambda shown: shown | {"status": "wibble"},
    "nulls": _nulls,
    "settings_as_string": _as_string("settings"),
    "result_urls_as_string": _as_string("result_urls"),
}

IN_THE_BODY = {*_TO_A_JOB, "extra_fields"}
"""The kinds of fault that change a good answer's JSON."""


def spoiled(kind: str, content: Any) -> Any:
    """The answer as the fault leaves it; the same where it has nothing to change."""
    if not isinstance(content, dict):
        return content
    shown = cast("dict[str, Any]", content)
    if kind == "extra_fields":
        return shown | {"wibble": {"wobble": [1, None, "new"]}}
    change = _TO_A_JOB.get(kind)
    if change is None:
        return shown
    if "status" in shown:
        return change(shown)
    if isinstance(shown.get("jobs"), list):
        return shown | {"jobs": [change(job) for job in shown["jobs"]]}
    return shown


def spoils(kind: str, content: Any) -> bool:
    """Whether the fault has something to change; only then does it count as having happened."""
    return spoiled(kind, content) != content
