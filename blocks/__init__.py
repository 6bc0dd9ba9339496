"""Block types: who pays and where files go. They hand out clients and stores; they run nothing, and nothing is saved here."""

from blocks.flora import FloraCredentials
from blocks.genova import GenovaCredentials
from blocks.loading import load_block
from blocks.store import AssetStore

__all__ = ["AssetStore", "FloraCredentials", "GenovaCredentials", "load_block"]
