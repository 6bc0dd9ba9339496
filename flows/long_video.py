"""Videos from Genova that take minutes to hours; a job is taken up again if the process that waits for it ends."""

from flows.buying import buying_flow
from genmedia.campaign.forms import long_video as form

long_video = buying_flow(form.long_video, module=__name__, name="long-video")
