"""`genmedia plan --rehearse`: a campaign's file carried out in a sandbox, up to a gallery of stand-ins."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import mkdtemp
from time import monotonic
from typing import Any

from genmedia.cli.campaigns import code_of, cost_of, file_of, show, told_of
from genmedia.cli.flow_runs import log_of, report
from genmedia.cli.printing import Console
from genmedia.cli.project import Project
from genmedia.cli.terminal import showing_progress


def rehearse(
    project: Project,
    file: str,
    values: Mapping[str, Any],
    rows: Sequence[str],
    console: Console,
    folder: str,
    *,
    without_prefect: bool,
) -> int:
    """Carry out a campaign's file in a sandbox, and show what it would have cost and how long it would have taken; returns the exit code.

    Args:
        project: The checkout.
        file: Path of the file.
        values: Values of its variables.
        rows: Names of the rows that are asked for; empty for all.
        console: Where it is shown.
        folder: Folder for the stand-ins; empty for a temporary one.
        without_prefect: See `deployments.rehearsal.rehearse`.

    Raises:
        GenmediaError: It cannot be carried out; the class says the cause.
    """
    from genmedia.campaign.forecast import tell_time  # noqa: PLC0415 # `--help` should not wait for pydantic

    path, begun = file_of(file), monotonic()
    rehearsal = project.module("deployments.rehearsal")
    place = Path(folder or mkdtemp(prefix=f"rehearsal-{path.stem}-")).absolute()
    with showing_progress(console):
        done = rehearsal.rehearse(str(path), values, rows, place, log_of(console), without_prefect=without_prefect)
    told = told_of(file, values, rows, done.prospect)
    if done.ended is None:
        show(console, told, items=False)
        return code_of(told)
    code = report(console, [done.ended], monotonic() - begun, store=done.store, page="")
    if told["delivers_to"]:
        console.print(f"Delivery {told['delivers_to']}", soft_wrap=True)
    limits = ", ".join(f"{provider} {plan}" for provider, plan in done.plans.items())
    took = (
        f"about {tell_time(done.seconds)}"
        if done.seconds is not None
        else "a time that is not known, as a part of it was not made"
    )
    console.print(
        f"This was a rehearsal: nothing is bought. It would cost {cost_of(told) or 'nothing'} and take {took}, "
        f"as the providers' documents have it{f' under the plans {limits}' if limits else ''}.",
        soft_wrap=True,
    )
    return code
