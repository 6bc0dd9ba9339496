"""Connections to hosts that providers name: to trusted origins, to checked public addresses, or through a proxy to known hosts."""

import asyncio
from collections.abc import Iterable
from functools import cache
from ssl import SSLContext
from typing import Any, cast
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

from genmedia.errors import ForbiddenAddressError
from genmedia.transport.origins import Origins, origin_of, public_addresses


@cache
def trusted() -> SSLContext:
    """Certificates that this machine trusts. Reading them takes longer than a request, so all connections of a process share them."""
    return httpx.create_ssl_context()


class OutwardTransport(httpx.AsyncBaseTransport):
    """Sends a request only where it may go: to a trusted origin at any address, to another host at its public addresses only.

    Where the environment names a proxy, requests go through it, to trusted origins and documented hosts only; all others are refused.
    Hosts that the environment exempts from the proxy are connected to directly.

    Args:
        origins: Rules for the addresses that may be fetched.
        proxied: True to use the environment's proxies.
    """

    def __init__(self, origins: Origins, *, proxied: bool) -> None:
        context = trusted()
        proxies = {scheme: url for scheme, url in getproxies().items() if scheme in ("http", "https", "all")} if proxied else {}
        self._origins = origins
        self._trusted = httpx.AsyncHTTPTransport(verify=context)
        self._public = _PublicTransport(verify=context)
        self._proxies = {
            scheme: httpx.AsyncHTTPTransport(verify=context, proxy=url if "://" in url else f"http://{url}")
            for scheme, url in proxies.items()
        }

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request.

        Raises:
            ForbiddenAddressError: Its address may not be connected to.
        """
        url = str(request.url)
        proxy = self._proxies.get(request.url.scheme, self._proxies.get("all"))
        if proxy and not proxy_bypass(request.url.netloc.decode("ascii")):
            if not self._origins.takes_proxy(url):
                raise ForbiddenAddressError(f"{origin_of(url)} may not be fetched through the proxy: its origin is not listed")
            return await proxy.handle_async_request(request)
        return await (self._trusted if self._origins.trusts(url) else self._public).handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        for transport in (self._trusted, self._public, *self._proxies.values()):
            await transport.aclose()


class _PublicTransport(httpx.AsyncHTTPTransport):
    """httpx's own transport, over connections to public addresses only."""

    def __init__(self, verify: SSLContext) -> None:
        super().__init__(verify=verify)
        self._pool = httpcore.AsyncConnectionPool(ssl_context=verify, network_backend=_PublicNetwork())


class _PublicNetwork(httpcore.AsyncNetworkBackend):
    """Resolves a host name once, checks each of its addresses, and connects to one of these; TLS still verifies the name."""

    def __init__(self) -> None:
        self._network = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                addresses = await public_addresses(host, port)
        except TimeoutError:
            raise httpcore.ConnectTimeout(f"{host} was not resolved in time") from None
        except OSError as error:
            raise httpcore.ConnectError(f"{host} does not resolve: {error}") from None
        for left, address in zip(reversed(range(len(addresses))), addresses, strict=True):
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if not left:
                    raise
        raise httpcore.ConnectError(f"{host} has no address")

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)
