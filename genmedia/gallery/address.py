"""Address of a store's gallery in a browser, while a server on this machine serves it."""

import os
from urllib.parse import quote, urlencode

SERVED_AT = "GENMEDIA_GALLERY_URL"
"""The environment variable that names the address of all served galleries, such as `http://127.0.0.1:4200/gallery`."""


def gallery_address(store: str, *, campaign: str = "", asset: str = "") -> str:
    """The address of a store's gallery; empty where none is served.

    Args:
        store: The name of the Asset Store block.
        campaign: Show what this campaign made or uses.
        asset: Open the asset at this path below the store's root.
    """
    served = os.environ.get(SERVED_AT, "").rstrip("/")
    chosen = urlencode({name: value for name, value in (("campaign", campaign), ("open", asset)) if value})
    return f"{served}/{quote(store, safe='')}/{'#' if chosen else ''}{chosen}" if served else ""
