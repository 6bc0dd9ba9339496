"""A real S3 server for the tests that need one."""

from dataclasses import dataclass
from uuid import uuid4

from genmedia.cli.object_store import ACCESS_KEY, SECRET_KEY, ObjectStore, make_bucket
from genmedia.store import Place


@dataclass(frozen=True)
class Buckets:
    """Makes buckets on a server."""

    server: ObjectStore

    def new(self) -> Place:
        """A folder in a new bucket."""
        bucket = f"media-{uuid4().hex[:12]}"
        make_bucket(self.server.url, bucket)
        return Place(f"s3://{bucket}/assets", key=ACCESS_KEY, secret=SECRET_KEY, endpoint=self.server.url)
