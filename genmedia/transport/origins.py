"""Rules for addresses: where a key may be sent, and what may be fetched or handed to a provider."""

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING

from genmedia.errors import ForbiddenAddressError, SettingsError

if TYPE_CHECKING:
    import httpx

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""Addresses by which a network without IPv4 reaches IPv4 hosts; the last four bytes are the IPv4 address."""

_UNICAST = ipaddress.ip_network("2000::/3")
"""The only part of IPv6 that public hosts are in."""

_RESERVED = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")))
"""Networks for protocols, for tunnels to IPv6 and for examples in documents; not every supported Python knows them as reserved."""


@lru_cache(maxsize=256)  # those of a provider are asked for with each request
def _parse(url: str) -> "httpx.URL":
    import httpx  # noqa: PLC0415 # whoever only reads a journal or a store should not wait for it

    return httpx.URL(url)


def read_url(url: str) -> "httpx.URL":
    """Return the parts of an address, each of which can be read.

    Raises:
        ForbiddenAddressError: It is not an address, or its port is out of range.
    """
    import httpx  # noqa: PLC0415 # as above

    try:
        parts = _parse(url)
        _ = parts.host, parts.netloc.decode("ascii")  # httpx decodes a host when it is asked for, and may fail then
        port = parts.port
    except (httpx.InvalidURL, ValueError, TypeError):  # UnicodeError, which idna's errors are, is a ValueError
        raise ForbiddenAddressError("a link is not an address") from None
    if port is not None and not 0 < port < 2**16:
        raise ForbiddenAddressError("a link names a port that cannot be")
    return parts


def join_url(base: str, link: str) -> str:
    """Return a link as a full address, resolved against `base`.

    Raises:
        ForbiddenAddressError: One of the two is not an address.
    """
    import httpx  # noqa: PLC0415 # as above

    try:
        return str(read_url(base).join(link))
    except (httpx.InvalidURL, ValueError, TypeError):
        raise ForbiddenAddressError("a link is not an address") from None


def origin_of(url: str) -> str:
    """Scheme, host and port of `url`, without the port where it is the scheme's default: `https://app.flora.ai`.

    Raises:
        ForbiddenAddressError: It is not an address.
    """
    parts = read_url(url)
    return f"{parts.scheme}://{parts.netloc.decode('ascii')}"


def is_loopback(url: str) -> bool:
    """True if `url` points at this machine's loopback, by address or by the name localhost."""
    with suppress(ForbiddenAddressError, ValueError):
        host = read_url(url).host
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    return False


def check_base_url(url: str) -> str:
    """Return `url` without a trailing slash, if a key may be sent there: https, or http on the loopback.

    Raises:
        SettingsError: It is any other address, or has a user in it.
    """
    try:
        parts = read_url(url)
    except ForbiddenAddressError:
        parts = None
    if (
        not parts
        or not parts.host
        or parts.userinfo
        or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(url)))
    ):
        raise SettingsError(
            f"{origin_of(url) if parts and parts.host else 'what is given'} cannot be a base URL",
            advice="Use the https address of the provider, or the http address of a sandbox on this machine.",
        )
    return url.rstrip("/")


def is_public(address: str) -> bool:
    """True if an IP address is public: not in a local network, and not in a tunnel that may lead into one."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or (ipaddress.IPv4Address(int(ip) % 2**32) if ip in _NAT64 else None)
        if inner is None and (ip not in _UNICAST or ip.sixtofour or ip.teredo):
            return False
        ip = inner or ip
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not any(ip in net for net in _RESERVED)


async def public_addresses(host: str, port: int) -> list[str]:
    """Return the addresses of a host, resolved once: a connection to one of these goes to an address that was checked.

    Raises:
        ForbiddenAddressError: One of them is not public, or the host is not a host name.
        OSError: The name does not resolve.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise ForbiddenAddressError("a link has a host that is no host name") from None
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    if not all(map(is_public, addresses)):
        raise ForbiddenAddressError(f"{host} may not be fetched from: it is a private address")
    return addresses


def _named(url: str) -> str:
    with suppress(ForbiddenAddressError):
        parts = read_url(url)
        if parts.scheme in ("http", "https") and parts.host and not parts.userinfo:
            return origin_of(url)
    raise SettingsError(
        "one of the further origins is none", advice="Write each as https://cdn.example.com, in the credentials block."
    )


def _nothing(_: "httpx.URL") -> bool:
    return False


class Origins:
    """Rules for the addresses that outputs may be fetched from.

    Allowed are any public host over https; the account's own origin, if it is on the loopback, with the origins that the sandbox there
    names; and the origins that the user names.

    Args:
        base_url: The account's base URL.
        named: Further origins, as `https://cdn.example.com` or `http://10.0.0.5:9000`.
        documented: Returns True for an address whose host the provider's document names.

    Raises:
        SettingsError: An entry of `named` is not an origin.
    """

    def __init__(self, base_url: str, named: tuple[str, ...] = (), documented: "Callable[[httpx.URL], bool]" = _nothing) -> None:
        self._sandbox = is_loopback(base_url)
        self._own = origin_of(base_url)
        self._documented = documented
        self._listed = {_named(url) for url in named} | ({self._own} if self._sandbox else set())

    def learn(self, origins: str) -> None:
        """List the further origins that a sandbox names, separated by commas: of its media, and of inputs.

        Only a sandbox is believed, and only about this machine.
        """
        if self._sandbox:
            self._listed |= {origin_of(url) for url in origins.split(",") if is_loopback(url)}

    def lists(self, url: str) -> bool:
        """True if `url` is at a listed origin."""
        with suppress(ForbiddenAddressError):
            return origin_of(url) in self._listed
        return False

    def trusts(self, url: str) -> bool:
        """True if `url` is at a listed origin or at the account's own: a person has named it, so it may be in any network."""
        return self.lists(url) or origin_of(url) == self._own

    def takes_proxy(self, url: str) -> bool:
        """True if a proxy may be asked for `url`: a proxy resolves names itself, also those of its own network."""
        return self.trusts(url) or self._documented(read_url(url))

    def check(self, url: str) -> None:
        """Check that `url` may be fetched; the IP addresses of its host are checked at the connection.

        Raises:
            ForbiddenAddressError: It is not an address, has a user in it, or is neither https nor http at a listed origin.
        """
        parts = read_url(url)
        if not (parts.scheme == "https" and parts.host) and not (parts.scheme == "http" and self.lists(url)):
            raise ForbiddenAddressError(f"{origin_of(url)} may not be fetched: only https, or an origin that is listed")
        if parts.userinfo:
            raise ForbiddenAddressError(f"{origin_of(url)} may not be fetched as a user whom the link names")


def why_no_address(url: str, origins: Origins) -> str:
    """Reason why `url` cannot be the address of a file for any reader; empty if it can."""
    try:
        parts = read_url(url)
    except ForbiddenAddressError:
        return "is not an address"
    if parts.userinfo or "\\" in url:
        return "has a user or a backslash in it, which others may read as another host"
    if parts.scheme in ("http", "https") and parts.host and origins.lists(url):
        return ""
    if parts.scheme != "https":
        return f"must be an https address, not {parts.scheme or 'a bare name'}"
    return ""
