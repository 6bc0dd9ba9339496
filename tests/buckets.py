"""A real S3 server for the tests that need one."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from deployments.engines import object_store
from deployments.engines.object_store import ACCESS_KEY, SECRET_KEY, make_bucket
from deployments.engines.ports import free_port
from genmedia.cli.services import Service, running
from genmedia.store import Place


@dataclass(frozen=True)
class Buckets:
    """Makes buckets on the server at an address."""

    url: str

    def new(self) -> Place:
        """A folder in a new bucket."""
        bucket = f"media-{uuid4().hex[:12]}"
        make_bucket(self.url, bucket)
        return Place(f"s3://{bucket}/assets", key=ACCESS_KEY, secret=SECRET_KEY, endpoint=self.url)


@contextmanager
def shared_buckets(run_folder: Path) -> Generator[Buckets]:
    """One server for all processes of a run: the first that comes starts it, and the last that goes ends it."""
    command = [sys.executable, object_store.__file__, "{port}", str(free_port())]
    service = Service("S3", run_folder, command, free_port(), "/")
    with running([service]):
        yield Buckets(service.url)
