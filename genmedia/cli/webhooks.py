"""The receiver of webhooks as a server of its own: `genmedia webhooks`."""

import asyncio
import ipaddress
import socket
import sys
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import uvicorn

from genmedia.cli.printing import complain
from genmedia.cli.where import Where
from genmedia.errors import SettingsError
from genmedia.jobs.job import account_names
from genmedia.providers.webhooks import Webhook
from genmedia.purchasing.webhooks import Receiver

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(message)s"}},
    "handlers": {"shown": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "loggers": {
        "genmedia.purchasing.webhooks": {"handlers": ["shown"], "level": "INFO", "propagate": False},
        "uvicorn": {"handlers": ["shown"], "level": "WARNING", "propagate": False},
    },
}
"""Standard error gets a line for each delivery. The root logger's handler is Prefect's, which is muted in commands."""


def receive_webhooks(where: Where, host: str, port: int, *, behind_tls: bool, fd: int | None = None) -> None:
    """Receive webhooks of all saved accounts that have a secret, until Ctrl-C.

    Args:
        where: The stores whose journals know the jobs.
        host: IP address to listen at.
        port: Port to listen at; 0 for any free one.
        behind_tls: True if a host beyond the loopback is wanted.
        fd: Descriptor of a socket that listens already, in place of host and port.

    Raises:
        SettingsError: The address cannot be listened at, or is beyond the loopback without `behind_tls`.
        UnreachableError: No Prefect server answers.
    """
    listening = _listen(host, port, behind_tls=behind_tls) if fd is None else socket.socket(fileno=fd)
    with closing(listening):
        asyncio.run(_serve(where, listening))


def _listen(host: str, port: int, *, behind_tls: bool) -> socket.socket:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise SettingsError(f"{host!r} is no IP address", money="", advice="Write it as 127.0.0.1.") from None
    if not address.is_loopback and not behind_tls:
        raise SettingsError(
            f"{host} can be reached from other machines, and this server speaks no TLS",
            money="",
            advice="Leave --host out and have your TLS server on this machine pass deliveries on; or add --behind-tls if it is on another.",
        )
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if address.version == 6 else socket.AF_INET)
    except (OSError, OverflowError) as error:
        what = getattr(error, "strerror", None) or error
        raise SettingsError(f"{host}:{port} cannot be listened at: {what}", money="", advice="Choose another --port.") from None


async def _serve(where: Where, listening: socket.socket) -> None:
    webhooks = await where.webhooks()
    async with where.journals() as journals:
        _tell(webhooks, listening)
        config = uvicorn.Config(
            Receiver(webhooks, journals),
            lifespan="off",
            log_config=LOGGING,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        await uvicorn.Server(config).serve([listening])


def _tell(webhooks: Sequence[Webhook], listening: socket.socket) -> None:
    """Print where deliveries are received, for which accounts, and what to set next."""
    host, port = listening.getsockname()[:2]
    own = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    if not webhooks:
        complain(
            f"genmedia: no account has a secret for webhooks, so every delivery to {own} is refused. Put it into the credentials block, or "
            "into the environment, such as FLORA_WEBHOOK_SECRET=whsec_..., and start this again."
        )
        return
    names = account_names(str(one.account) for one in webhooks)
    for provider in sorted({one.account.provider for one in webhooks}):
        those = ", ".join(name for account, name in names.items() if account.startswith(f"{provider}|"))
        sys.stdout.write(f"Receiving webhooks at {own}/{provider} for {those}.\n")
    sys.stdout.write(
        "Set next: have your TLS server pass an address of its own on to that, and put it into the credentials block as the address for\n"
        "webhooks (or into the environment, such as FLORA_WEBHOOK_URL=https://hooks.example.com/flora). Ctrl-C stops this.\n"
    )
    sys.stdout.flush()
