"""Filter for the log lines on a run's page in the Prefect UI; `prefect_logging.yml` names it."""

import logging
from importlib.util import find_spec
from pathlib import Path


class OwnLines(logging.Filter):
    """Keeps the lines of a run's own code, all warnings, and the line with the state in which the run ended.

    A run of five steps has thirty lines of the worker and the engine, among which these would be hard to find.
    """

    def __init__(self) -> None:
        super().__init__()
        prefect = find_spec("prefect")
        assert prefect is not None  # only Prefect uses this filter
        assert prefect.origin is not None
        self._theirs = Path(prefect.origin).parent

    def filter(self, record: logging.LogRecord) -> bool:
        """True if the record is kept."""
        theirs = record.levelno < logging.WARNING and Path(record.pathname).is_relative_to(self._theirs)
        return not theirs or (record.name == "prefect.flow_runs" and record.getMessage().startswith("Finished in state "))
