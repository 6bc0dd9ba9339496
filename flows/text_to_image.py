"""A variation sheet from Algovera: prompts by seeds by base models."""

from flows.buying import buying_flow
from genmedia.campaign.forms import text_to_image as form

text_to_image = buying_flow(form.text_to_image, module=__name__, name="text-to-image")
