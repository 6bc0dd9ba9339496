"""Which addresses a key may be sent to, and which addresses may be fetched or handed to a provider."""

import asyncio
import ipaddress
import socket

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


class Origins:
    """The addresses that outputs may be fetched from.

    Any public host over https; the account's own origin when that is on the loopback, with those that the sandbox there names; and the
    origins that the user names.

    Args:
        base_url: The account's base URL.
        named: Further origins, as `https://cdn.example.com` or `http://10.0.0.5:9000`.
    """

    def __init__(self, base_url: str, named: tuple[str, ...] = ()) -> None:
        self._sandbox = is_loopback(base_url)
        self._listed = {origin_of(url) for url in (*named, *((base_url,) if self._sandbox else ()))}

    def learn(self, origins: str) -> None:
        """Take in what a sandbox names besides its own origin, with commas between: where its media are, where its inputs may be.

        Only a sandbox is believed, and only about this machine.
        """
        if self._sandbox:
            self._listed |= {origin_of(url) for url in origins.split(",") if is_loopback(url)}

    def lists(self, url: str) -> bool:
        """Whether `url` is at a listed origin."""
        return origin_of(url) in self._listed

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
