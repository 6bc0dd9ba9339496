"""Starting the sandbox: two loopback sockets, one event loop, no state on disk."""

import asyncio
import contextlib
import pkgutil
import signal
import socket
import sys
from collections.abc import Callable, Generator, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Annotated, Any, Literal

import uvicorn
from pydantic import Field
from pydantic.dataclasses import dataclass
from starlette.types import ASGIApp

from genmedia import sandbox
from genmedia.sandbox.accounts import Accounts
from genmedia.sandbox.clock import FASTEST, Clock
from genmedia.sandbox.control import Control
from genmedia.sandbox.drawing.media import Media
from genmedia.sandbox.drawing.renderer import Renderer
from genmedia.sandbox.engine import Engine
from genmedia.sandbox.faults import Faults
from genmedia.sandbox.fetching import Fetcher
from genmedia.sandbox.gateway import Gateway, LoopbackOnly
from genmedia.sandbox.provider import Provider, Services
from genmedia.sandbox.traffic import Traffic
from genmedia.sandbox.wire import SocketTransportInScope, TransportInScope

HOST = "127.0.0.1"
GROUP = "genmedia.providers"
"""The entry points of packages that bring a provider; the value of each is a package with a module named `sandbox`."""


def _providers() -> Mapping[str, type[Provider]]:
    """The module of each provider that there is, by its name: one of this folder's, or one of an installed package, has it as `API`."""
    own = (f"{sandbox.__name__}.{one.name}.api" for one in pkgutil.iter_modules(sandbox.__path__) if one.ispkg)
    brought = (f"{one.value}.sandbox" for one in entry_points(group=GROUP))
    found: dict[str, type[Provider]] = {}
    for module in (*own, *brought):
        if find_spec(module):
            kind: type[Provider] = import_module(module).API
            found.setdefault(kind.name, kind)
    return dict(sorted(found.items()))


PROVIDERS = tuple(_providers().values())


@dataclass(frozen=True)
class SandboxOptions:
    """How a sandbox is started.

    Attributes:
        port: Main origin on 127.0.0.1; 0: any free one.
        fd: Descriptor of a socket that listens at `port` already; None: there is none yet.
        media_port: Media origin; None: the one after `port`, or any free one when that is 0 or the next is taken.
        seed: Makes durations and failures repeat from start to start.
        clock_scale: Nominal seconds per real second.
        size: Longest side of rendered pictures in pixels.
        input_origins: Origins (scheme://host:port) accepted as inputs besides the documented ones.
        profile: Which generation of the APIs: that of the documents, or what is known of today's.
        switches: Switches of every account of a provider, by provider name; they go before the profile's.

    Raises:
        ValidationError: One of them cannot be.
    """

    port: Annotated[int, Field(ge=0, le=65_535)] = 4280
    fd: int | None = None
    media_port: Annotated[int, Field(ge=0, le=65_535)] | None = None
    seed: int = 0
    clock_scale: Annotated[float, Field(gt=0, le=FASTEST)] = 1.0
    size: Annotated[int, Field(ge=16, le=4096)] = 768
    input_origins: tuple[str, ...] = ()
    profile: Literal["documents", "today"] = "documents"
    switches: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict[str, Mapping[str, Any]])


def run(options: SandboxOptions) -> None:
    """Serve until SIGINT or SIGTERM, on the fast event loop where there is one."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serve(options))


async def serve(options: SandboxOptions) -> None:
    """Serve until SIGINT or SIGTERM; prints one line on stdout when both origins answer.

    Raises:
        SystemExit: A port is taken (one line on stderr, exit code 2).
    """
    with contextlib.closing(_main(options)) as main, contextlib.closing(_media(options)) as media:
        renderer = Renderer()
        gateway, media_origin = _assemble(options, _origin(main), _origin(media), renderer)
        servers = [_Server(gateway), _Server(media_origin)]
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, lambda: [server.stop() for server in servers])
        running = [asyncio.create_task(server.serve([sock])) for server, sock in zip(servers, (main, media), strict=True)]
        try:
            for server in servers:
                await server.listening.wait()
            sys.stdout.write(f"sandbox ready: {_origin(main)}\n")
            sys.stdout.flush()
            await asyncio.gather(*running)
        finally:
            await renderer.close()


def _assemble(options: SandboxOptions, url: str, media_url: str, renderer: Renderer) -> tuple[ASGIApp, ASGIApp]:
    clock, accounts, traffic, faults = Clock(options.clock_scale), Accounts(), Traffic(), Faults()
    media = Media(media_url, clock, accounts, traffic, faults)
    services = Services(
        url=url,
        size=options.size,
        input_origins=tuple(origin.rstrip("/").lower() for origin in options.input_origins),
        clock=clock,
        accounts=accounts,
        media=media,
        faults=faults,
        engine=Engine(clock, faults, media, options.seed),
        renderer=renderer,
        fetcher=Fetcher(media),
    )
    switches = {
        kind.name: {**(kind.today if options.profile == "today" else {}), **options.switches.get(kind.name, {})}
        for kind in PROVIDERS
    }
    providers = {kind.name: kind(services, switches[kind.name]) for kind in PROVIDERS}
    control = Control(services, providers, traffic, faults, options.clock_scale)
    origins = (media_url, *services.input_origins)
    return Gateway(providers, control.app, clock, origins, traffic, faults), LoopbackOnly(media)


def _main(options: SandboxOptions) -> socket.socket:
    return _listen(options.port) if options.fd is None else socket.socket(fileno=options.fd)


def _media(options: SandboxOptions) -> socket.socket:
    if options.media_port is not None:
        return _listen(options.media_port)
    try:
        return socket.create_server((HOST, options.port and options.port + 1))
    except (OSError, OverflowError):  # it is taken, or `port` is the last one that there is
        return _listen(0)


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        why = str(error.strerror).partition(" (while")[0]  # Python adds the address to it
        sys.stderr.write(f"sandbox: cannot listen on {HOST}:{port}: {why}\n")
        sys.exit(2)  # as commands end that were told what cannot be


def _origin(sock: socket.socket) -> str:
    return f"http://{HOST}:{sock.getsockname()[1]}"


class _Server(uvicorn.Server):
    """One origin; signals are handled once for both, and nobody is waited for at the end."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=TransportInScope,
                ws=SocketTransportInScope,
                ws_ping_interval=None,  # a socket that fell silent must look silent
                ws_per_message_deflate=False,
                ws_max_size=64 * 1024 * 1024,  # a worker sends its pictures in one message
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,  # the gateway gives the nominal time
                timeout_graceful_shutdown=0,
            )
        )
        self.listening = asyncio.Event()

    def stop(self) -> None:
        """End at once."""
        self.should_exit = self.force_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 -- absent on Windows
    except ImportError:
        return None
    return uvloop.new_event_loop
