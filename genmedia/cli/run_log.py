"""What of a run's log stands on its page in the Prefect UI; `prefect_logging.yml` names it."""

import logging
from importlib.util import find_spec
from pathlib import Path


class OwnLines(logging.Filter):
    """Takes what a run's own code says, warnings of anybody, and how the run ended.

    A run of five steps has thirty lines of the worker and the engine, in which that would not be found.
    """

    def __init__(self) -> None:
        super().__init__()
        prefect = find_spec("prefect")
        assert prefect is not None  # who asks for this filter is Prefect
        assert prefect.origin is not None
        self._theirs = Path(prefect.origin).parent

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record goes there."""
        theirs = record.levelno < logging.WARNING and Path(record.pathname).is_relative_to(self._theirs)
        return not theirs or (record.name == "prefect.flow_runs" and record.getMessage().startswith("Finished in state "))
