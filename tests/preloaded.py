"""What the processes of tests begin with; see `tests.processes`."""

import gc
from importlib import import_module

from genmedia.media.probe import WORKER

for name in (
    "aiosqlite",
    "alembic.config",
    "av",
    "cyclopts.config",
    "cyclopts.help",
    "numpy",
    "PIL.Image",
    "prefect.client.orchestration",
    "prefect.events.worker",
    "prefect.flow_engine",
    "prefect.logging.configuration",
    "prefect.logging.handlers",
    "prefect.task_engine",
    "rich.panel",
    "deployments.local_run",
    "deployments.server",
    "flows.campaign",
    "flows.harvest",
    "genmedia.cli.accounts",
    "genmedia.cli.app",
    "genmedia.cli.doctor",
    "genmedia.cli.flow_runs",
    "genmedia.cli.forgetting",
    "genmedia.cli.journal",
    "genmedia.cli.money",
    "genmedia.cli.parameters",
    "genmedia.cli.provenance",
    "genmedia.journal.migrations",
    "genmedia.sandbox.server",
    "tests.crashes.errands",
):
    import_module(name)

WORKER.ask().close()  # it runs now, and all copies of this process use it

gc.collect()
gc.freeze()  # else a look for garbage in a copy, as at its end, copies all that is imported: 0.14 s for each process
