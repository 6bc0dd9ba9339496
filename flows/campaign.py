"""A campaign over all providers: steps that feed each other, in one flow run."""

from contextlib import suppress
from typing import Any, cast

from prefect.runtime import flow_run

from flows.buying import buying_flow
from genmedia.campaign.file.source import read
from genmedia.campaign.forms import campaign as form
from genmedia.errors import GenmediaError


def _name() -> str:
    """Name of the campaign, for that of its run; the parameters are not checked yet and may be anything."""
    named: Any = flow_run.parameters.get("campaign")
    if isinstance(named, str):
        with suppress(GenmediaError):
            named = read(named).value.get("campaign")
    if not isinstance(named, str):
        named = cast("dict[str, Any]", named).get("name") if isinstance(named, dict) else getattr(named, "name", None)
    return named if isinstance(named, str) else ""


campaign = buying_flow(form.campaign, module=__name__, name="campaign", flow_run_name=_name)
