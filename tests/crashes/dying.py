"""The flows as they are, in a process that is killed where GENMEDIA_TEST_DEATH says; a worker runs them from here."""

import os

from flows.technique_chain import technique_chain
from flows.text_to_image import text_to_image
from tests.crashes.errands import die_at

__all__ = ["technique_chain", "text_to_image"]

die_at(os.environ["GENMEDIA_TEST_DEATH"])
