"""Processes of a test that begin with everything imported: copies of one that has it, in milliseconds where a new one takes seconds."""

import multiprocessing

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.preloaded"])  # the first that is started counts, so there is one list for all tests
