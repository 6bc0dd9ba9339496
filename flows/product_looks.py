"""Product photos by looks: every photo in every look, within one budget."""

from flows.buying import buying_flow
from genmedia.campaign.forms import product_looks as form

product_looks = buying_flow(form.product_looks, module=__name__, name="product-looks")
