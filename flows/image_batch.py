"""A batch of pictures from Genova: prompts by references by ratios by models."""

from flows.buying import buying_flow
from genmedia.campaign.forms import image_batch as form

image_batch = buying_flow(form.image_batch, module=__name__, name="image-batch")
