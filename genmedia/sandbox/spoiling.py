"""What scripted faults do to the bodies of good answers."""

import json
from collections.abc import Callable
from typing import Any, cast

_KEPT = {"id", "jobId", "runId", "run_id", "flow_id", "type", "status", "state", "success"}
_Shown = dict[str, Any]
_Change = Callable[[_Shown, str], _Shown]


def _unknown_status(shown: _Shown, status: str) -> _Shown:
    return shown | {status: "wibble"}


def _nulls(shown: _Shown, _: str) -> _Shown:
    return {name: value if name in _KEPT else None for name, value in shown.items()}


def _as_string(name: str) -> _Change:
    def change(shown: _Shown, _: str) -> _Shown:
        return shown | {name: json.dumps(shown[name])} if shown.get(name) is not None else shown

    return change


_TO_A_JOB: dict[str, _Change] = {
    "unknown_status": _unknown_status,
    "nulls": _nulls,
    "settings_as_string": _as_string("settings"),
    "result_urls_as_string": _as_string("result_urls"),
}

IN_THE_BODY = {*_TO_A_JOB, "extra_fields"}
"""The kinds of fault that change a good answer's JSON."""


def spoiled(kind: str, content: Any, status: str) -> Any:
    """The answer as the fault leaves it; the same where it has nothing to change.

    Args:
        kind: The fault's kind.
        content: The answer's JSON.
        status: The field that makes an object a job: the answer itself, or the items of a list in it.
    """
    if not isinstance(content, dict):
        return content
    shown = cast("_Shown", content)
    if kind == "extra_fields":
        return shown | {"wibble": {"wobble": [1, None, "new"]}}
    change = _TO_A_JOB.get(kind)
    if change is None:
        return shown
    if status in shown:
        return change(shown, status)
    return {name: _to_the_items(change, value, status) for name, value in shown.items()}


def _to_the_items(change: _Change, value: Any, status: str) -> Any:
    if not isinstance(value, list):
        return value
    items = cast("list[Any]", value)
    return [change(cast("_Shown", item), status) if isinstance(item, dict) and status in item else item for item in items]


def spoils(kind: str, content: Any, status: str) -> bool:
    """Whether the fault has something to change; only then does it count as having happened."""
    return spoiled(kind, content, status) != content
