"""The store: the place for paid files, each stored completely or not at all, with a sidecar that tells its origin.

`Store` handles names, sidecars and the order of the steps; `files` is the interface of any place for files; `local` is a folder, `remote`
an S3 bucket or any other file system that fsspec knows.
"""

from genmedia.store.location import Place
from genmedia.store.naming import DEFAULT_TEMPLATE, FIELDS
from genmedia.store.store import Incoming, Store

__all__ = ["DEFAULT_TEMPLATE", "FIELDS", "Incoming", "Place", "Store"]
