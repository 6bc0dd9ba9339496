"""A campaign's file on the command line: `genmedia plan` tells what it would do and cost, `genmedia apply` does it."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from genmedia.cli.flow_runs import Directly, carry_out
from genmedia.cli.printing import Console, print_json, print_table
from genmedia.cli.project import Project
from genmedia.errors import Fault, InputError, sentence

if TYPE_CHECKING:  # `--help` should not wait for pydantic
    from genmedia.campaign.run import Prospect

TO_DO = 10
"""The exit code of a plan that has something to buy, or to make on this machine."""

_LEFT = ("to buy", "to make")
"""Outlooks of what a plan would do."""

REFUSED = 2
"""The exit code of a plan that is wrong, or cannot be paid for."""

FORMAT = 1
"""Version of saved plans."""

PLAN_KEY = "genmedia_plan"
SHOWN = 40
"""Most items that are listed with their reasons, unless all are asked for."""


def plan(
    project: Project, file: str, console: Console, directly: Directly | None, *, out: Path | None, as_json: bool, items: bool
) -> int:
    """Show what applying a campaign's file would do and cost; buys nothing. Returns the exit code.

    Args:
        project: The checkout.
        file: Path of the file.
        console: Where it is shown.
        directly: Options of a run without Prefect; None to plan with the blocks that are saved in Prefect.
        out: File for the plan, which `apply` carries out as it is; None for none.
        as_json: True to print one JSON value instead.
        items: True to list every item.

    Raises:
        GenmediaError: It cannot be planned; the class says the cause.
    """
    told = _told(file, _prospect(project, file, directly))
    if out:
        out.write_text(json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    if as_json:
        print_json(told)
    else:
        _show(console, told, items=items)
        if out:
            console.print(f"Saved: genmedia apply {out}", soft_wrap=True)
    return _code(told)


def apply(project: Project, file: str, console: Console, directly: Directly | None, *, yes: bool) -> int:
    """Show the plan of a campaign's file, or of a saved plan, ask, and carry it out; returns the exit code.

    Args:
        project: The checkout.
        file: Path of the file, or of a saved plan.
        console: Where it is shown.
        directly: See `plan`.
        yes: True to ask nothing.

    Raises:
        InputError: The saved plan is stale: what it would do now is something else.
        GenmediaError: It cannot be planned or carried out; the class says the cause.
    """
    saved = _saved(file)
    written = saved["file"] if saved else file
    told = _told(written, _prospect(project, written, directly))
    if saved:
        _check_fresh(file, saved, told)
    _show(console, told, items=False)
    if (code := _code(told)) != TO_DO and not (code == 0 and told["delivers_to"]):
        return code
    if code and not yes and not _agrees(console, told):
        console.print("Nothing was bought.")
        return 1
    parameters = {"campaign": str(Path(written).absolute())}
    return carry_out(project, "campaign", parameters, console, directly)


def _agrees(console: Console, told: Mapping[str, Any]) -> bool:
    """Ask whether to buy.

    Raises:
        InputError: Nobody is there to be asked.
    """
    try:
        return console.input(f"Make this for {_cost(told) or 'nothing'}? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        raise InputError([Fault("genmedia apply", "asks before it buys, and nobody answers here; --yes says yes")]) from None


def _prospect(project: Project, file: str, directly: Directly | None) -> "Prospect":
    if not Path(file).expanduser().is_file():
        raise InputError([Fault(file, "is no file")])
    planning = project.module("deployments.planning")
    return planning.plan(str(Path(file).expanduser().absolute()), directly and vars(directly))


def _saved(file: str) -> dict[str, Any] | None:
    """Return a saved plan; None for another file."""
    try:
        told = json.loads(Path(file).expanduser().read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(told, dict) or PLAN_KEY not in told:
        return None
    plan = cast("dict[str, Any]", told)
    if plan[PLAN_KEY] != FORMAT:
        raise InputError([Fault(file, f"is a plan of version {plan[PLAN_KEY]}; this genmedia reads {FORMAT}: make it anew")])
    return plan


def _told(file: str, prospect: "Prospect") -> dict[str, Any]:
    """Return a plan as JSON has it."""
    prices = {name: price for plan in prospect.plans.values() for name, price in plan.prices.items()}
    items = [
        {
            "name": one.name,
            "provider": one.provider,
            "operation": one.operation,
            "outlook": one.outlook.value,
            "why": prospect.why.get(one.name, ""),
            "price": prices.get(one.name),
            "unit": one.unit,
            "key": one.key,
        }
        for one in prospect.foreseen
    ]
    costs = {
        name: {
            "cost": plan.cost,
            "most": plan.most,
            "unit": plan.unit,
            "known": plan.known,
            "told": plan.told,
            "items": len(plan.prices),
        }
        for name, plan in prospect.plans.items()
        if plan.prices or plan.fallbacks
    }
    return {
        PLAN_KEY: FORMAT,
        "file": str(Path(file).absolute()),
        "edition": prospect.edition,
        "hash": hashlib.sha256(json.dumps([_wish(one) for one in items], allow_nan=False).encode()).hexdigest(),
        "refused": prospect.refused,
        "decided": list(prospect.decided),
        "seconds": prospect.seconds,
        "untimed": len(prospect.untimed),
        "delivers_to": prospect.place,
        "costs": costs,
        "items": items,
    }


def _wish(item: Mapping[str, Any]) -> list[Any]:
    """Return what an item is, whatever becomes of it."""
    return [item["name"], item["provider"], item["operation"]]


def _check_fresh(file: str, saved: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Check that a saved plan would still do the same. What it has done meanwhile may be done.

    Raises:
        InputError: It would not; with what differs.
    """
    faults: list[Fault] = []
    if saved["edition"] != now["edition"]:
        faults.append(Fault(file, f"is for the edition {saved['edition'] or 'none'}, and now it is {now['edition'] or 'none'}"))
    before: dict[str, dict[str, Any]] = {one["name"]: one for one in saved["items"]}
    after: dict[str, dict[str, Any]] = {one["name"]: one for one in now["items"]}
    for name in {**before, **after}:
        old, new = before.get(name), after.get(name)
        if old is None or new is None:
            faults.append(Fault(name, "is gone" if new is None else "is new"))
        elif new["outlook"] not in _LEFT:
            continue
        elif old["outlook"] not in _LEFT:
            faults.append(Fault(name, f"was {old['outlook']}, and is {new['outlook']} now: {new['why']}"))
        elif old["key"] and new["key"] and old["key"] != new["key"]:
            faults.append(Fault(name, f"asks for something else now: {new['why']}"))
        elif (old["price"] or 0) < (new["price"] or 0):
            faults.append(Fault(name, f"costs {new['price']:g} {new['unit']} now, not {old['price'] or 0:g}"))
    if faults:
        stale = Fault(file, f"is stale, and is not carried out; make it anew with genmedia plan {saved['file']}")
        raise InputError([stale, *faults])


def _show(console: Console, told: Mapping[str, Any], *, items: bool) -> None:
    every: list[dict[str, Any]] = told["items"]
    fates = Counter(one["outlook"] for one in every)
    edition = f", edition {told['edition']}" if told["edition"] else ""
    console.print(f"{len(every)} items{edition}: {', '.join(f'{count} {fate}' for fate, count in fates.items())}", soft_wrap=True)
    left = [one for one in every if one["outlook"] in _LEFT]
    shown = every if items else left[:SHOWN]
    if shown:
        rows = [
            [one["name"], f"{one['provider']} {one['operation']}", one["why"] or one["outlook"], _price(one)] for one in shown
        ]
        print_table(console, ["item", "operation", "why", "price"], rows, ["price"])
    if len(left) > len(shown):
        console.print(f"and {len(left) - len(shown)} more; --items lists all", soft_wrap=True)
    for provider, one in told["costs"].items():
        console.print(f"{provider}: {one['items']} to buy for {one['told']}", soft_wrap=True)
    if told["seconds"] is not None:
        console.print(f"It takes about {_duration(told['seconds'])}, as such jobs took before.", soft_wrap=True)
    elif told["untimed"]:
        console.print(f"How long it takes is not known: {told['untimed']} of the jobs never ran here before.", soft_wrap=True)
    for one in told["decided"]:
        console.print(sentence(f"{one[0].upper()}{one[1:]}"), style="yellow", soft_wrap=True)
    if told["refused"]:
        console.print(f"It cannot be bought so: {told['refused']}", style="red", soft_wrap=True)
    elif not left:
        console.print("Nothing is to buy.", soft_wrap=True)
    if told["delivers_to"]:
        console.print(f"Its files are delivered to {told['delivers_to']}.", soft_wrap=True)


def _price(item: Mapping[str, Any]) -> str:
    from genmedia.jobs.job import priced  # noqa: PLC0415 # `--help` should not wait for pydantic

    if item["outlook"] not in _LEFT:
        return "-"
    return "?" if item["price"] is None else priced(item["price"], item["unit"])


def _cost(told: Mapping[str, Any]) -> str:
    return " and ".join(f"{one['told']} at {provider}" for provider, one in told["costs"].items())


def _code(told: Mapping[str, Any]) -> int:
    if told["refused"]:
        return REFUSED
    return TO_DO if any(one["outlook"] in _LEFT for one in _items(told)) else 0


def _items(told: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    return told["items"]


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
