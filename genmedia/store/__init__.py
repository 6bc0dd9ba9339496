"""The store: where paid files end up, whole or not at all, each with a sidecar that says where it came from.

`Store` knows names, sidecars and the order of things; `files` what any place for files can do; `local` is a folder, `remote` an S3 bucket
or any other file system that fsspec knows.
"""

from genmedia.store.location import Place
from genmedia.store.naming import DEFAULT_TEMPLATE, FIELDS
from genmedia.store.store import Incoming, Store

__all__ = ["DEFAULT_TEMPLATE", "FIELDS", "Incoming", "Place", "Store"]
