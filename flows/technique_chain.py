"""A chain of FLORA techniques, from files and texts to pictures and videos in the store."""

from flows.buying import buying_flow
from genmedia.campaign.forms import technique_chain as form

technique_chain = buying_flow(form.technique_chain, module=__name__, name="technique-chain", flow_run_name="{chain.name}")
