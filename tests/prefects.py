"""A real Prefect server for the tests that need one."""

import fcntl
import shutil
import sqlite3
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from deployments.engines.ports import free_port
from genmedia.cli.services import prefect_service, running

PROJECT = Path(__file__).parents[1]
_DATABASE = "prefect/prefect.db"
_TABLES = "prefect-tables.db"


@dataclass(frozen=True)
class PrefectServer:
    """A server that runs.

    Attributes:
        api: The address of its API.
        read_all: All that it keeps, as bytes in which a text can be looked for.
    """

    api: str
    read_all: Callable[[], bytes]


@contextmanager
def shared_prefect(run_folder: Path) -> Generator[PrefectServer]:
    """One server for all processes of a run of the tests, which have the folder together; others begin with its tables, see `give_tables`."""
    with ExitStack() as stack, (run_folder / "prefect.turn").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # nobody has saved anything in it when its tables are copied
        server = stack.enter_context(running_prefect(run_folder / "prefect"))
        if not (tables := run_folder / _TABLES).exists():
            with closing(sqlite3.connect(run_folder / "prefect" / _DATABASE)) as made, closing(sqlite3.connect(tables)) as copy:
                made.backup(copy)
        fcntl.flock(turn, fcntl.LOCK_UN)
        yield server


def give_tables(run_folder: Path, folder: Path) -> None:
    """Give a server that will have its state in a new folder a database with all tables: to make them takes ten seconds."""
    (folder / _DATABASE).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(run_folder / _TABLES, folder / _DATABASE)


@contextmanager
def running_prefect(folder: Path) -> Generator[PrefectServer]:
    """A server until the block ends, in every process that names the folder; it asks for no key, as somebody's own may not.

    Args:
        folder: Where it keeps its state. The first process that names it starts the server, and the last one ends it.
    """
    service = prefect_service(folder, PROJECT)
    service.port = free_port()
    service.command = [part.replace("deployments.local_server:", "tests.open_prefect:") for part in service.command]
    open_to_all = {name: value for name, value in service.environment.items() if not name.endswith("AUTH_STRING")}
    service.environment = {**open_to_all, "PREFECT_UI_ENABLED": "false"}

    def read_all() -> bytes:
        return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())

    with running([service]):
        yield PrefectServer(f"{service.url}/api", read_all)
