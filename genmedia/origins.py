"""Which addresses a key may be sent to, and which addresses may be fetched or handed to a provider."""

import asyncio
import ipaddress
import socket
from dataclasses import dataclass

import httpx

from genmedia.errors import ForbiddenAddressError, SettingsError


def origin_of(url: str) -> str:
    """Scheme, host and port of `url`, the port left out where it is the scheme's own: `https://app.flora.ai`."""
    parts = httpx.URL(url)
    return f"{parts.scheme}://{parts.netloc.decode('ascii')}"


def is_loopback(url: str) -> bool:
    """Whether `url` points at this machine's loopback by address or by the name localhost."""
    host = httpx.URL(url).host
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_base_url(url: str) -> str:
    """`url` without a trailing slash, if a key may be sent there: https, or http on the loopback.

    Raises:
        SettingsError: For anything else.
    """
    try:
        parts = httpx.URL(url)
    except (httpx.InvalidURL, TypeError):
        parts = httpx.URL("")
    if not parts.host or parts.userinfo or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(url))):
        raise SettingsError(
            f"{origin_of(url) if parts.host else 'what is given'} cannot be a base URL",
            advice="Use the https address of the provider, or the http address of a sandbox on this machine.",
        )
    return url.rstrip("/")


@dataclass(frozen=True)
class Origins:
    """The addresses that outputs may be fetched from.

    Any public host over https; the account's own host when that is the loopback, on any port (a sandbox serves media from a
    second one); and the origins that the user names.

    Args:
        base_url: The account's base URL.
        named: Further origins, as `https://cdn.example.com` or `http://10.0.0.5:9000`.
    """

    base_url: str
    named: tuple[str, ...] = ()

    def lists(self, url: str) -> bool:
        """Whether `url` is at a named origin, or on the account's own loopback host."""
        own = is_loopback(self.base_url) and httpx.URL(url).host == httpx.URL(self.base_url).host
        return own or origin_of(url) in {origin_of(name) for name in self.named}

    async def check(self, url: str) -> None:
        """Let `url` pass only if it may be fetched.

        Raises:
            ForbiddenAddressError: It is not https, or its host is a private address, and its origin is not listed.
        """
        try:
            parts = httpx.URL(url)
        except httpx.InvalidURL:
            raise ForbiddenAddressError("an output's link is not an address") from None
        if parts.scheme in ("http", "https") and parts.host and self.lists(url):
            return
        if parts.scheme != "https" or not parts.host:
            raise ForbiddenAddressError(f"{origin_of(url)} may not be fetched: only https, or an origin that is listed")
        try:
            found = await asyncio.get_running_loop().getaddrinfo(parts.host, None, type=socket.SOCK_STREAM)
        except UnicodeError:
            raise ForbiddenAddressError("an output's link has a host that is no host name") from None
        except OSError:
            return  # a proxy may know the name; if nobody does, the connection says so
        if not all(ipaddress.ip_address(str(address[0]).split("%")[0]).is_global for *_, address in found):
            raise ForbiddenAddressError(f"{origin_of(url)} may not be fetched: it is a private address")
