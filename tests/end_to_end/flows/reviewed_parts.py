"""The flow `campaign` with parts of a few items: the smallest that its form allows is too large for a test."""

from dataclasses import replace
from functools import partial

from flows.buying import buying_flow
from genmedia.campaign.brief import Brief
from genmedia.campaign.forms.campaign import campaign as form


@partial(buying_flow, module=__name__, name="reviewed-parts")
def reviewed_parts(*, campaign: str) -> Brief:
    """Carry out a campaign's file, in runs of one item and what is made of it."""
    return replace(form(campaign=campaign), items_per_run=1)
