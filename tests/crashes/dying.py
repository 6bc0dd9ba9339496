"""The flows as they are, in a process that is killed where GENMEDIA_TEST_DEATH says; a worker runs them from here."""

import os

from flows.image_batch import image_batch
from flows.technique_chain import technique_chain
from flows.template_run import template_run
from flows.text_to_image import text_to_image
from tests.crashes.errands import die_at

__all__ = ["image_batch", "technique_chain", "template_run", "text_to_image"]

die_at(os.environ["GENMEDIA_TEST_DEATH"])
