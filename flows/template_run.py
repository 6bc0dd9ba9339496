"""3D models from Generio's templates: from texts and pictures, through one template or a chain of them."""

from flows.buying import buying_flow
from genmedia.campaign.forms import template_run as form

template_run = buying_flow(form.template_run, module=__name__, name="template-run")
