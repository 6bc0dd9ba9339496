"""A real Prefect server for the tests that need one."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from genmedia.cli.services import free_port, prefect_service, running
from tests.databases import Postgres


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
def running_prefect(folder: Path, postgres: Postgres | None) -> Generator[PrefectServer]:
    """A server until the block ends.

    Args:
        folder: Where it keeps its state.
        postgres: Where it makes a database of its own; without one it has SQLite in `folder`.
    """
    service = prefect_service(folder)
    service.port = free_port()
    database = postgres.new() if postgres else ""
    kept = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": database.replace("postgresql://", "postgresql+asyncpg://")}
    service.environment = {**service.environment, "PREFECT_UI_ENABLED": "false", **(kept if database else {})}

    def read_all() -> bytes:
        if postgres:
            return postgres.dump(database)
        return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())

    with running([service]):
        yield PrefectServer(f"{service.url}/api", read_all)
