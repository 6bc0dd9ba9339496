"""A campaign's file on the command line: `genmedia plan` tells what it would do and cost, `apply` does it, `deploy` has Prefect do it."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import join, quote
from typing import TYPE_CHECKING, Any, cast

from genmedia.cli.exit_codes import DONE, FAILED, TO_DO, WAITS, WRONG
from genmedia.cli.flow_runs import Directly, carry_out
from genmedia.cli.printing import Console, print_json, print_table
from genmedia.cli.project import Project
from genmedia.errors import Fault, InputError, sentence

if TYPE_CHECKING:  # `--help` should not wait for pydantic
    from genmedia.campaign.prospect import Prospect

_LEFT = ("to buy", "to make")
"""Outlooks of what a plan would do."""

_OPEN = ("to fetch again", "under way")
"""Outlooks of what it would bring to its end, and what is paid for already."""

_LATER, _UNDECIDED = "after review", "to review"
"""Outlooks of what it would do once people have kept what that is made of, and of what they have to decide on."""

_REFUSED, _DOUBTFUL = "refused before", "in doubt"
"""Outlooks of what gives no file as the provider refused it, and of what gives none until it is known whether it was bought."""

FORMAT = 4
"""Version of saved plans."""

WARNINGS = 10
"""Most warnings that are shown, unless all items are asked for."""

ROWS = 8
"""Most rows that a plan names above its items."""

PLAN_KEY = "genmedia_plan"
SHOWN = 40
"""Most items that are listed with their reasons, unless all are asked for."""


def plan(
    project: Project,
    file: str,
    console: Console,
    directly: Directly | None,
    *,
    typed: Sequence[str],
    rows: Sequence[str],
    out: Path | None,
    as_json: bool,
    items: bool,
) -> int:
    """Show what applying a campaign's file would do and cost, or a saved plan; buys nothing. Returns the exit code.

    Args:
        project: The checkout.
        file: Path of the file, or of a saved plan: then it is told as well whether it would still be carried out.
        console: Where it is shown.
        directly: Options of a run without Prefect; None to plan with the blocks that are saved in Prefect.
        typed: Values of the file's variables, as they are typed: `NAME=VALUE`.
        rows: Names of the rows that are asked for; empty for all.
        out: File for the plan, which `apply` carries out as it is; None for none.
        as_json: True to print one JSON value instead.
        items: True to list every item.

    Raises:
        GenmediaError: It cannot be planned; the class says the cause.
    """
    if saved := _saved(file, typed, rows):
        return _show_saved(project, file, saved, console, directly, as_json=as_json, items=items)
    if out and out.is_file() and _read(out) is None:
        raise InputError([Fault(f"--out {out}", "is there and is no saved plan; name another file")])
    values = values_of(typed)
    told = told_of(file, values, rows, _prospect(project, file, values, rows, directly, {}))
    if out:
        try:
            out.write_text(json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8")
        except OSError as error:
            raise InputError([Fault(f"--out {out}", f"cannot be written: {error.strerror}")]) from None
    if as_json:
        print_json(told)
    else:
        show(console, told, items=items)
        if out and told["refused"]:
            console.print(f"Saved in {out}; it cannot be carried out as it is.", soft_wrap=True)
        elif out:
            console.print(f"Saved: genmedia apply {quote(str(out))}", soft_wrap=True)
    return code_of(told)


def apply(
    project: Project,
    file: str,
    console: Console,
    directly: Directly | None,
    *,
    typed: Sequence[str],
    rows: Sequence[str],
    yes: bool,
) -> int:
    """Show the plan of a campaign's file, or of a saved plan, ask, and carry it out; returns the exit code.

    Args:
        project: The checkout.
        file: Path of the file, or of a saved plan.
        console: Where it is shown.
        directly: See `plan`.
        typed: See `plan`; a saved plan has its own.
        rows: See `plan`; a saved plan has its own.
        yes: True to ask nothing.

    Raises:
        InputError: The saved plan is stale: what it would do now is something else.
        GenmediaError: It cannot be planned or carried out; the class says the cause.
    """
    saved = _saved(file, typed, rows)
    written, values = (saved["file"], saved["variables"]) if saved else (file, values_of(typed))
    rows = saved["rows"] if saved else rows
    less: dict[str, Any] = saved["less"] if saved else {}
    told = told_of(written, values, rows, _prospect(project, written, values, rows, directly, less))
    if saved and (faults := _stale(file, saved, told)):
        stale = Fault(file, f"is stale, and is not carried out; make it anew with {_anew(saved)}")
        raise InputError([stale, *faults])
    show(console, told, items=False)
    if (code := code_of(told)) == WRONG or not (code or told["delivers_to"]):
        return code
    if code == TO_DO and not yes and not _agrees(console, told):
        console.print("Nothing was bought.")
        return FAILED
    parameters = {
        "campaign": str(Path(written).absolute()),
        "variables": dict(values),
        "only_rows": list(rows),
        "less": told["less"],
        "approved": told["hash"],
    }
    return carry_out(project, "campaign", parameters, console, directly)


def _show_saved(
    project: Project,
    file: str,
    saved: Mapping[str, Any],
    console: Console,
    directly: Directly | None,
    *,
    as_json: bool,
    items: bool,
) -> int:
    """Show a saved plan as it was made, and whether it would be carried out now; returns the exit code."""
    now: Mapping[str, Any] = saved
    try:
        asked = saved["file"], saved["variables"], saved["rows"]
        now = told_of(*asked, _prospect(project, *asked, directly, saved["less"]))
        faults = _stale(file, saved, now)
        if now["refused"] and not saved["refused"]:
            faults.append(Fault(file, now["refused"]))
    except InputError as error:
        faults = list(error.faults)
    code = WRONG if faults else code_of(now)
    if as_json:
        print_json({**saved, "stale": [f"{one.place}: {one.what}" for one in faults]})
        return code
    show(console, saved, items=items)
    for one in faults:
        console.print(f"{one.place}: {one.what}", style="red", soft_wrap=True)
    ended = {
        DONE: "It was carried out: nothing of it is left to do.",
        WAITS: "It was carried out as far as it can be before people decide.",
        TO_DO: f"It is as it was made: genmedia apply {quote(str(file))}",
        WRONG: f"It cannot be carried out now: make it anew with {_anew(saved)}",
    }
    console.print(ended[code], soft_wrap=True)
    return code


def deploy(project: Project, files: Sequence[str], console: Console) -> None:
    """Write or update the Prefect deployments of campaigns' files, and show what was changed.

    Raises:
        InputError: Everything that is wrong in the files; nothing was changed.
        UnreachableError: No Prefect server answers.
    """
    _show_changes(project.module("deployments.deploying").deploy(files), console)


def undeploy(project: Project, named: str, console: Console) -> None:
    """Remove what `deploy` made of a campaign, by its file or its name, and show what was removed.

    Raises:
        InputError: It is not deployed.
        UnreachableError: No Prefect server answers.
    """
    _show_changes(project.module("deployments.deploying").undeploy(named), console)


def _show_changes(changes: Mapping[str, Sequence[str]], console: Console) -> None:
    for name, lines in changes.items():
        for line in lines or ["unchanged"]:
            console.print(f"{name}: {line}", soft_wrap=True)


def _agrees(console: Console, told: Mapping[str, Any]) -> bool:
    """Ask whether to buy.

    Raises:
        InputError: Nobody is there to be asked.
    """
    try:
        return console.input(f"Make this for {cost_of(told) or 'nothing'}? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        raise InputError([Fault("genmedia apply", "asks before it buys, and nobody answers here; --yes says yes")]) from None


def values_of(typed: Sequence[str]) -> dict[str, str]:
    """Return the values of variables by name.

    Raises:
        InputError: One is not typed as `NAME=VALUE`, or a name is typed twice.
    """
    pairs = [one.partition("=") for one in typed]
    faults = [
        Fault(f"--set {name}", "needs a value, as in --set product=cup") for name, equals, _ in pairs if not (name and equals)
    ]
    names = Counter(name for name, _, _ in pairs)
    faults += [Fault(f"--set {name}", f"is given {count} times") for name, count in names.items() if count > 1]
    if faults:
        raise InputError(faults)
    return {name: value for name, _, value in pairs}


def file_of(file: str) -> Path:
    """Return the whole path of a campaign's file.

    Raises:
        InputError: There is none.
    """
    path = Path(file).expanduser().absolute()
    if not path.is_file():
        raise InputError([Fault(file, "is no file")])
    return path


def _prospect(
    project: Project,
    file: str,
    values: Mapping[str, Any],
    rows: Sequence[str],
    directly: Directly | None,
    less: Mapping[str, Any],
) -> "Prospect":
    planning = project.module("deployments.planning")
    return planning.plan(str(file_of(file)), values, rows, directly and vars(directly), less)


def _anew(saved: Mapping[str, Any]) -> str:
    """Return the command that makes a saved plan anew."""
    words = [word for name, value in saved["variables"].items() for word in ("--set", f"{name}={value}")]
    words += [word for row in saved["rows"] for word in ("--row", row)]
    return join(["genmedia", "plan", saved["file"], *words])


def _saved(file: str, typed: Sequence[str], rows: Sequence[str]) -> dict[str, Any] | None:
    """Return a saved plan; None for another file.

    Raises:
        InputError: It is of another version or damaged, or values or rows are typed for it.
    """
    from genmedia.cli.saved_plans import faults_of  # noqa: PLC0415 # see `_price`

    plan = _read(Path(file).expanduser())
    if plan is None:
        return None
    if plan[PLAN_KEY] != FORMAT:
        raise InputError([Fault(file, f"is a plan of version {plan[PLAN_KEY]}; this genmedia reads {FORMAT}: make it anew")])
    if typed:
        raise InputError([Fault("--set", "is for a campaign's file; a saved plan has the values that it was made with")])
    if rows:
        raise InputError([Fault("--row", "is for a campaign's file; a saved plan has the rows that it was made with")])
    if faults := faults_of(plan):
        raise InputError([Fault(file, f"is damaged; make it anew with genmedia plan FILE --out {quote(file)}"), *faults])
    return plan


def _read(path: Path) -> dict[str, Any] | None:
    """Return what is in a saved plan of any version; None for another file."""
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", told) if isinstance(told, dict) and PLAN_KEY in told else None


def told_of(file: str, values: Mapping[str, Any], rows: Sequence[str], prospect: "Prospect") -> dict[str, Any]:
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
            "asks": prospect.asks[one.name],
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
        if plan.may_cost
    }
    return {
        PLAN_KEY: FORMAT,
        "file": str(Path(file).absolute()),
        "variables": dict(values),
        "rows": list(rows),
        "edition": prospect.edition,
        "hash": prospect.fingerprint,
        "retakes": list(prospect.retakes),
        "refused": prospect.refused,
        "less": {measure: sorted(names) for measure, names in prospect.less.items()},
        "decided": list(prospect.decided),
        "warnings": list(prospect.warnings),
        "seconds": prospect.seconds,
        "untimed": len(prospect.untimed),
        "delivers_to": prospect.place,
        "costs": costs,
        "items": items,
    }


def _stale(file: str, saved: Mapping[str, Any], now: Mapping[str, Any]) -> list[Fault]:
    """Return what a saved plan would do otherwise than when it was made. What it has done meanwhile may be done."""
    faults: list[Fault] = []
    if saved["edition"] != now["edition"]:
        faults.append(Fault(file, f"is for the edition {saved['edition'] or 'none'}, and now it is {now['edition'] or 'none'}"))
    before: dict[str, dict[str, Any]] = {one["name"]: one for one in saved["items"]}
    after: dict[str, dict[str, Any]] = {one["name"]: one for one in now["items"]}
    for name in {**before, **after}:
        old, new = before.get(name), after.get(name)
        if old is None or new is None:
            faults.append(Fault(name, "is gone" if new is None else "is new"))
        elif new["outlook"] not in (*_LEFT, _LATER):
            continue
        elif old["outlook"] not in (*_LEFT, _LATER):
            faults.append(Fault(name, f"was {old['outlook']}, and is {new['outlook']} now: {new['why']}"))
        elif old["asks"] != new["asks"] or (old["key"] and new["key"] and old["key"] != new["key"]):
            faults.append(Fault(name, f"asks for something else now: {new['why']}"))
        elif old["price"] != new["price"]:
            faults.append(Fault(name, f"costs {_price(new)} now, not {_price(old)}"))
    known = {one.place for one in faults}
    told = "is asked for anew by a person, of which the plan knew nothing"
    faults += [Fault(name, told) for name in now["retakes"] if name not in {*saved["retakes"], *known}]
    if not faults and saved["hash"] != now["hash"]:
        faults.append(
            Fault(file, "is otherwise by now in what it costs, or in how it is bought, paid for, labelled, reviewed or delivered")
        )
    return faults


_NOTHING = {
    WAITS: "Nothing is to buy until people have decided: genmedia review shows what waits for them.",
    DONE: "Nothing is to buy.",
}
"""Sentence about a plan that buys nothing now, by its exit code."""


def show(console: Console, told: Mapping[str, Any], *, items: bool) -> None:
    """Show a plan."""
    every: list[dict[str, Any]] = told["items"]
    fates = Counter(one["outlook"] for one in every)
    edition = f", edition {told['edition']}" if told["edition"] else ""
    told_fates = ", ".join(f"{count} {fate}" for fate, count in fates.items())
    count = "1 item" if len(every) == 1 else f"{len(every)} items"
    console.print(f"{count}{edition}{_of_rows(told['rows'])}: {told_fates or 'nothing is asked for'}", soft_wrap=True)
    left = [one for one in every if one["outlook"] in (*_LEFT, *_OPEN, _LATER, _UNDECIDED, _DOUBTFUL) or one["why"]]
    shown = every if items else left[:SHOWN]
    if shown:
        rows = [[one["name"], f"{one['provider']} {one['operation']}", _why(one), _price(one)] for one in shown]
        print_table(console, ["item", "operation", "why", "price"], rows, ["price"])
    if len(left) > len(shown):
        console.print(f"and {len(left) - len(shown)} more; --items lists all", soft_wrap=True)
    warnings = _some_warnings(told["warnings"], len(told["warnings"]) if items else WARNINGS)
    for line in (*warnings, *(sentence(f"{one[0].upper()}{one[1:]}") for one in told["decided"])):
        console.print(line, style="yellow", soft_wrap=True)
    for provider, one in told["costs"].items():
        console.print(f"{provider}: {one['items']} to buy for {one['told']}", soft_wrap=True)
    if time := _time(told):
        console.print(time, soft_wrap=True)
    if told["refused"]:
        console.print(f"It cannot be bought so: {told['refused']}", style="red", soft_wrap=True)
    elif nothing := _NOTHING.get(code_of(told)):
        console.print(nothing, soft_wrap=True)
    for line in _missing(fates):
        console.print(line, soft_wrap=True)
    if told["delivers_to"]:
        console.print(f"Its files are delivered to {told['delivers_to']}.", soft_wrap=True)


def _missing(fates: Mapping[str, int]) -> list[str]:
    """Return a sentence about what was refused, and one about what is in doubt."""
    told = {
        _REFUSED: ("is missing", "are missing", "for good: refused by the provider, or made of something that was."),
        _DOUBTFUL: ("waits", "wait", "for a word about what is in doubt: genmedia journal --in-doubt lists it."),
    }
    return [
        f"1 item {one} {rest}" if fates[fate] == 1 else f"{fates[fate]} items {many} {rest}"
        for fate, (one, many, rest) in told.items()
        if fates.get(fate)
    ]


def _of_rows(rows: Sequence[str]) -> str:
    more = f" and {len(rows) - ROWS} more" if len(rows) > ROWS else ""
    return f", of the {'row' if len(rows) == 1 else 'rows'} {', '.join(rows[:ROWS])}{more}" if rows else ""


def _time(told: Mapping[str, Any]) -> str:
    """Return a sentence about the time that a plan takes; empty where nothing is to be made."""
    from genmedia.campaign.forecast import tell_time  # noqa: PLC0415 # see `_price`

    if told["seconds"] is not None:
        return f"It takes about {tell_time(told['seconds'])}, as such jobs took before."
    return f"How long it takes is not known: {told['untimed']} of the jobs never ran here before." if told["untimed"] else ""


def _some_warnings(warnings: Sequence[str], most: int) -> list[str]:
    left = len(warnings) - most
    return [*warnings[:most], *([f"and {left} more warnings; --items lists all"] if left > 0 else [])]


def _why(item: Mapping[str, Any]) -> str:
    return f"{item['why']}, {_LATER}" if item["outlook"] == _LATER else item["why"] or item["outlook"]


def _price(item: Mapping[str, Any]) -> str:
    from genmedia.jobs.job import priced  # noqa: PLC0415 # `--help` should not wait for pydantic

    if item["outlook"] not in (*_LEFT, _LATER):
        return "-"
    if not item["unit"]:
        return "free"
    return "?" if item["price"] is None else priced(item["price"], item["unit"])


def cost_of(told: Mapping[str, Any]) -> str:
    """Return what a plan costs, in words; empty where it buys nothing."""
    return " and ".join(f"{one['told']} at {provider}" for provider, one in told["costs"].items())


def code_of(told: Mapping[str, Any]) -> int:
    """Return the exit code of a plan."""
    if told["refused"]:
        return WRONG
    outlooks = {one["outlook"] for one in _items(told)}
    return TO_DO if outlooks & {*_LEFT, *_OPEN} else WAITS if outlooks & {_LATER, _UNDECIDED} else DONE


def _items(told: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    return told["items"]
