"""What scripted faults do to the bodies of good answers."""

import json
from collections.abc import Callable
from typing import Any, cast

from genmedia.sandbox.faults import FaultOrder

_KEPT = {"id", "jobId", "runId", "run_id", "flow_id", "type", "status", "state", "success"}
_IDS = ("request_id", "jobId", "job_uuid", "runId", "run_id", "asset_id", "flow_id", "id")
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

_AMOUNTS = {"runCost", "run_cost", "chargedCost", "charged_cost", "credits_remaining", "credits_used", "progress"}
_SAID = {"nan": float("nan"), "infinite": float("inf"), "negative": -5, "text": "free"}
_TO_ALL: dict[str, Callable[[_Shown, FaultOrder], _Shown]] = {
    "extra_fields": lambda shown, _: shown | {"wibble": {"wobble": [1, None, "new"]}},
    "same_output_ids": lambda shown, _: _with_equal_outputs(shown),
    "bad_links": lambda shown, fault: _with_link(shown, json.loads(f'"{fault.location}"')),
    "no_amount": lambda shown, fault: _without_amounts(shown, _SAID[fault.says]),
    "nul": lambda shown, _: _with_nul(shown),
    "empty_id": lambda shown, _: _without_id(shown),
}
_LINKS = {"url", "resultUrl", "result_url", "result_urls"}

IN_THE_BODY = {*_TO_A_JOB, *_TO_ALL}
"""The kinds of fault that change a good answer's JSON."""


def spoiled(fault: FaultOrder, content: Any, status: str) -> Any:
    """The answer as the fault leaves it; the same where it has nothing to change.

    Args:
        fault: What happens to it.
        content: The answer's JSON.
        status: The field that makes an object a job: the answer itself, or the items of a list in it.
    """
    if not isinstance(content, dict):
        return content
    shown = cast("_Shown", content)
    if fault.kind in _TO_ALL:
        return _TO_ALL[fault.kind](shown, fault)
    change = _TO_A_JOB.get(fault.kind)
    if change is None:
        return shown
    if status in shown:
        return change(shown, status)
    return {name: _to_the_items(change, value, status) for name, value in shown.items()}


def _with_equal_outputs(shown: _Shown) -> _Shown:
    """Every output of a job that gave several is the first one, by its name and its file."""
    outputs = shown.get("outputs")
    if not isinstance(outputs, list):
        return shown
    given = cast("list[Any]", outputs)
    return shown | {"outputs": given[:1] * len(given)}


def _without_id(shown: _Shown) -> _Shown:
    """With an empty id: its own, or that of the first item of a list in it."""
    if name := next((name for name in _IDS if shown.get(name)), None):
        return shown | {name: ""}
    for name, value in shown.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            first, *others = cast("list[Any]", value)
            return shown | {name: [_without_id(first), *others]}
    return shown


def _to_the_items(change: _Change, value: Any, status: str) -> Any:
    if not isinstance(value, list):
        return value
    items = cast("list[Any]", value)
    return [change(cast("_Shown", item), status) if isinstance(item, dict) and status in item else item for item in items]


def _with_link(told: Any, link: str) -> Any:
    """The same with `link` for the address of each file; what a text output says stands in a field called `url` as well."""
    if isinstance(told, list):
        return [_with_link(one, link) for one in cast("list[Any]", told)]
    if not isinstance(told, dict):
        return told
    fields = cast("_Shown", told)
    if fields.get("type") == "text":
        return fields
    return {name: link if name in _LINKS and value else _with_link(value, link) for name, value in fields.items()}


def _with_nul(told: Any, name: str = "") -> Any:
    """The same with NUL, half a pair and an escape sequence in each text that is no id, status or address."""
    if isinstance(told, str):
        kept = told.startswith("http") or name in _KEPT | {"job_uuid", "job_status"} or name.lower().endswith("id")
        return told if kept else f"{told}\0\ud800\x1b[31m"
    if isinstance(told, list):
        return [_with_nul(one, name) for one in cast("list[Any]", told)]
    return {name: _with_nul(one, name) for name, one in cast("_Shown", told).items()} if isinstance(told, dict) else told


def _without_amounts(told: Any, instead: float | str) -> Any:
    """The same with something else for each price, charge, balance and progress."""
    if isinstance(told, list):
        return [_without_amounts(one, instead) for one in cast("list[Any]", told)]
    if not isinstance(told, dict):
        return told
    fields = cast("_Shown", told)
    return {name: instead if name in _AMOUNTS else _without_amounts(value, instead) for name, value in fields.items()}


def spoils(fault: FaultOrder, content: Any, status: str) -> bool:
    """Whether the fault has something to change; only then does it count as having happened."""
    return spoiled(fault, content, status) != content
