"""A real Prefect server for the tests that need one."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from genmedia.cli.services import prefect_service, running
from tests.ports import free_port

PROJECT = Path(__file__).parents[1]


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
