"""Block types: who pays and where files go. They hand out clients and stores; they run nothing, and nothing is saved here."""

from blocks.algovera import AlgoveraCredentials
from blocks.flora import FloraCredentials
from blocks.generio import GenerioCredentials
from blocks.genova import GenovaCredentials
from blocks.loading import load_block
from blocks.store import AssetStore

CREDENTIALS = (AlgoveraCredentials, FloraCredentials, GenerioCredentials, GenovaCredentials)
"""The credentials block of each provider."""

__all__ = [
    "CREDENTIALS",
    "AlgoveraCredentials",
    "AssetStore",
    "FloraCredentials",
    "GenerioCredentials",
    "GenovaCredentials",
    "load_block",
]
