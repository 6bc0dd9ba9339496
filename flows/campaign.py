"""A campaign over all providers: steps that feed each other, in one flow run."""

from flows.buying import buying_flow
from genmedia.campaign.forms import campaign as form

campaign = buying_flow(form.campaign, module=__name__, name="campaign", flow_run_name="{campaign.name}")
