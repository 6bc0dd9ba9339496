"""Block types: the accounts that pay and the stores of files. They hand out clients and stores; they run nothing and save nothing."""

from importlib import import_module

from blocks.algovera import AlgoveraCredentials
from blocks.credentials import ProviderCredentials
from blocks.flora import FloraCredentials
from blocks.generio import GenerioCredentials
from blocks.genova import GenovaCredentials
from blocks.loading import load_block, load_store, load_stores
from blocks.store import AssetStore
from genmedia.providers.registry import providers


def credentials_of(provider: str) -> type[ProviderCredentials]:
    """The type of a provider's credentials block."""
    return import_module(providers()[provider].blocks).CREDENTIALS


CREDENTIALS = tuple(credentials_of(provider) for provider in sorted(providers()))
"""The credentials block of each provider."""

__all__ = [
    "CREDENTIALS",
    "AlgoveraCredentials",
    "AssetStore",
    "FloraCredentials",
    "GenerioCredentials",
    "GenovaCredentials",
    "credentials_of",
    "load_block",
    "load_store",
    "load_stores",
]
