"""What uvicorn serves as the Prefect of the tests; see `tests.prefects`."""

from prefect.server.api.server import create_app
from prefect.server.database import dependencies
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL
from starlette.types import ASGIApp

from deployments.local_server import SqliteInTurn


def create() -> ASGIApp:
    """Prefect's application, for uvicorn, on SQLite as that of `genmedia up`, which serves nobody without a key."""
    address = PREFECT_API_DATABASE_CONNECTION_URL.value()
    if address.startswith("sqlite"):
        dependencies.MODELS_DEPENDENCIES["database_config"] = SqliteInTurn(address)
    return create_app(final=True)
