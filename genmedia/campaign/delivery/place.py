"""The place that a delivery goes to."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from genmedia.errors import SettingsError
from genmedia.store import Place

SETTINGS = "GENMEDIA_DELIVERY_"
"""Beginning of the names of the environment variables with keys and options of places."""

_S3 = ("key", "secret", "endpoint", "region", "encryption", "kms_key")


def place_from(environment: Mapping[str, str], address: str, folder: Path) -> Place:
    """Return the place at an address, with the keys and options that the environment has for deliveries.

    Args:
        environment: The environment.
        address: The address; a relative path begins in `folder`.
        folder: A folder on this machine.

    Raises:
        SettingsError: The address is mistyped, or has a password in it.
    """
    if "://" in address and urlsplit(address).password:
        raise SettingsError(
            "the address has a password in it, which would be shown",
            money="",
            advice=f'Give it as fsspec\'s options, such as {SETTINGS}OPTIONS=\'{{"password": "..."}}\'.',
        )
    s3 = {name: environment[f"{SETTINGS}S3_{name.upper()}"] for name in _S3 if environment.get(f"{SETTINGS}S3_{name.upper()}")}
    return Place(address, options=environment.get(f"{SETTINGS}OPTIONS") or "{}", **s3).below(folder)
