"""Fetching the inputs of a job from where the caller left them."""

from urllib.parse import urlsplit

import httpx

from genmedia.sandbox.drawing.media import Media

DEADLINE = 10.0
"""Real seconds that one input may take."""
MAX_BYTES = 50 * 1024 * 1024


class UnreachableError(Exception):
    """The input could not be fetched."""


def origin_of(url: str) -> str:
    """Scheme, host and port of an address, in lower case."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


class Fetcher:
    """Reads inputs: the sandbox's own files from memory, everything else over HTTP.

    Args:
        media: The sandbox's own media origin.
    """

    def __init__(self, media: Media) -> None:
        self._media = media

    async def fetch(self, url: str) -> bytes:
        """The bytes behind an address that the provider's rules have already let through.

        Redirects are not followed, for they could leave the hosts that the rules name.

        Raises:
            UnreachableError: No 200 within 10 real seconds, or more than 50 MiB.
        """
        if origin_of(url) == self._media.url:
            data = await self._media.read(url)
            if data is None:
                raise UnreachableError(url)
            return data
        try:
            async with httpx.AsyncClient(timeout=DEADLINE) as client, client.stream("GET", url) as response:
                if response.status_code != 200:
                    raise UnreachableError(url)
                data = bytearray()
                async for chunk in response.aiter_bytes():
                    data += chunk
                    if len(data) > MAX_BYTES:
                        raise UnreachableError(url)
                return bytes(data)
        except httpx.HTTPError as error:
            raise UnreachableError(url) from error
