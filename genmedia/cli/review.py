"""The gallery as a server of its own, in which people decide: `genmedia review`."""

import asyncio
import getpass
import ipaddress
import os
import secrets
import socket
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack, aclosing, closing, suppress
from urllib.parse import quote, urlencode

import uvicorn
from starlette.middleware.trustedhost import TrustedHostMiddleware

from genmedia.cli.where import Where
from genmedia.errors import SettingsError
from genmedia.gallery.access import TOKEN, Access
from genmedia.gallery.serving import Galleries, Keeper

PASSWORD = "GENMEDIA_REVIEW_PASSWORD"  # noqa: S105 # the name of a variable
SHORTEST_PASSWORD = 8
AT_ONCE = 200
"""Most connections at once; others are told to come again."""

ADVICE = "Leave --host out, or write an IPv4 address of this machine, such as 192.168.1.20."


def serve_gallery(where: Where, campaign: str, port: int, *, share: bool, host: str) -> None:
    """Serve the gallery of a store until Ctrl-C, and print the link to it.

    Args:
        where: The store.
        campaign: Campaign that the link shows; empty for all.
        port: Port to listen at; 0 for any free one.
        share: True to listen beyond this machine as well; then a password is asked for instead of a token.
        host: With `share`, IPv4 address to listen at; empty for all addresses of this machine.

    Raises:
        SettingsError: There is no such store, the address cannot be listened at, or the password is too short.
        UnreachableError: No Prefect server answers.
    """
    if host and not share:
        raise SettingsError("--host is for --share: else only this machine is listened to", money="", advice="Add --share.")
    address = _address(host or "0.0.0.0") if share else ipaddress.IPv4Address("127.0.0.1")  # noqa: S104 # asked for with --share
    secret, made_up = _password() if share else (secrets.token_urlsafe(32), False)
    with closing(_listen(address, port)) as listening:
        asyncio.run(_serve(where, campaign, listening, Access(secret, by_link=not share), secret, made_up=made_up))


def _address(host: str) -> ipaddress.IPv4Address:
    try:
        return ipaddress.IPv4Address(host)
    except ValueError:
        raise SettingsError(f"{host!r} is no IPv4 address", money="", advice=ADVICE) from None


def _password() -> tuple[str, bool]:
    """Return the password from the environment, else from a person at the terminal, else a new one; and whether it is a new one."""
    given = os.environ.get(PASSWORD, "")
    if not given and sys.stdin.isatty():
        given = getpass.getpass("Password for those who are to see the gallery (empty for a new one): ")
    if given and len(given) < SHORTEST_PASSWORD:
        advice = f"Give {PASSWORD} {SHORTEST_PASSWORD} characters or more, or leave it out: then one is made up and printed."
        raise SettingsError("the password is too short", money="", advice=advice)
    return given or secrets.token_urlsafe(12), not given


def _listen(address: ipaddress.IPv4Address, port: int) -> socket.socket:
    try:
        return socket.create_server((str(address), port))
    except (OSError, OverflowError) as error:
        what = getattr(error, "strerror", None) or error
        raise SettingsError(
            f"{address}:{port} cannot be listened at: {what}", money="", advice="Choose another --port."
        ) from None


async def _serve(where: Where, campaign: str, listening: socket.socket, access: Access, secret: str, *, made_up: bool) -> None:
    keeper: Keeper = await where.keeper()
    name = (where.local.resolve().name or "store") if where.local else where.store

    async def names() -> list[str]:
        return [name]

    async def find(asked: str) -> Keeper:
        if asked != name:
            raise SettingsError("no such store is shown here", money="")
        return keeper

    address, port = listening.getsockname()[:2]
    hosts = _names_of(address)
    async with AsyncExitStack() as held:
        decided = await held.enter_async_context(aclosing(where.reviews.Resuming())) if where.reviews else _nobody
        galleries = await held.enter_async_context(aclosing(Galleries(access, names, find, decided=decided)))
        # A foreign page whose name is made to lead here (DNS rebinding) is told by its Host header alone.
        app = TrustedHostMiddleware(galleries, allowed_hosts=hosts, www_redirect=False)
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_level="warning",
            access_log=False,  # it would tell the token
            proxy_headers=False,
            server_header=False,
            limit_concurrency=AT_ONCE,
            timeout_graceful_shutdown=1,
        )
        shown = f"#{urlencode({'campaign': campaign})}" if campaign else ""
        shared = not access.by_link
        for host in hosts[2:] or hosts[:1] if shared else hosts[:1]:
            token = "" if shared else f"?{urlencode({TOKEN: secret})}"
            sys.stdout.write(f"Review at http://{host}:{port}/{quote(name, safe='')}/{token}{shown}\n")
        if shared:
            sys.stdout.write(f"The password is {secret}\n" if made_up else "The password is the one that you gave.\n")
            sys.stdout.write("What is sent is not encrypted: share it only in a network that you trust.\n")
        sys.stdout.write("Ctrl-C stops this.\n")
        sys.stdout.flush()
        await uvicorn.Server(config).serve([listening])


def _nobody() -> None:
    """Tell nobody that people have decided: runs without Prefect are begun again by those who began them."""


def _names_of(address: str) -> Sequence[str]:
    """Return the names by which a browser may ask for this server, that of this machine for itself first."""
    here = ["127.0.0.1", "localhost"]
    if ipaddress.ip_address(address).is_loopback:
        return here
    own = socket.gethostname()
    found = [address] if address != "0.0.0.0" else _addresses()  # noqa: S104 # compared
    return list(dict.fromkeys([*here, *found, own.lower(), f"{own.partition('.')[0].lower()}.local"]))


def _addresses() -> list[str]:
    """Return the IPv4 addresses of this machine, as far as they are known, that of its way out first."""
    found: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way_out, suppress(OSError):
        way_out.connect(("192.0.2.1", 9))  # nothing is sent: it only tells which of its addresses would be used
        found.append(way_out.getsockname()[0])
    with suppress(OSError):
        found += [str(one[4][0]) for one in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    return [one for one in dict.fromkeys(found) if not ipaddress.ip_address(one).is_loopback]
