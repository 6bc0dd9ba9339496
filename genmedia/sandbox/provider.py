"""What a provider's module gives to the sandbox, and what it gets."""

import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import compile_path
from starlette.websockets import WebSocket

from genmedia.sandbox.accounts import Account, Accounts, new_token
from genmedia.sandbox.clock import Clock
from genmedia.sandbox.drawing.media import Media
from genmedia.sandbox.drawing.renderer import Renderer
from genmedia.sandbox.engine import Engine
from genmedia.sandbox.faults import Faults
from genmedia.sandbox.fetching import Fetcher
from genmedia.sandbox.limits import Plan

D1_ERROR = "D1_ERROR: string or blob too big: SQLITE_TOOBIG"


class Refusal(Exception):  # noqa: N818 -- an answer, not a defect
    """Ends the handling of a request with the provider's error answer; `retry_after` in nominal seconds goes into its header."""

    def __init__(self, status: int, code: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(status, code, message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after


@dataclass(frozen=True)
class Services:
    """What all providers share.

    Attributes:
        url: The main origin, without a slash at the end.
        size: Longest side of rendered pictures in pixels.
        input_origins: Origins (scheme://host:port) accepted as inputs besides those the provider's document names.
    """

    url: str
    size: int
    input_origins: tuple[str, ...]
    clock: Clock
    accounts: Accounts
    media: Media
    faults: Faults
    engine: Engine
    renderer: Renderer
    fetcher: Fetcher


Handler = Callable[[Request, Account], Awaitable[Response]]


class Operation(NamedTuple):
    """One route of a provider: `route` is the path template without the provider's prefix."""

    name: str
    method: str
    route: str
    handler: Handler


class Provider(ABC):
    """One provider's API.

    Attributes:
        name: The path prefix and the name in the control plane.
        key_prefix: How its keys begin.
        credits: What a new account gets.
        plans: Its plans, the one of the default account first; empty when it has none.
        status_field: What a job's status is called in its answers.
        socket_paths: Where it takes WebSockets, without the provider's prefix.
        purchase: The operation that is paid for.
        refusal: How it says that it will not make what was asked for: the status, the code and the words.
        switches: The model of its switches; the defaults are the document's behaviour.
        today: The switches with which it is as the provider's own clients and its users see it today.
        local: The switches with which it takes files of a user's machine and tells it of ended jobs, where its documents know of no way.
    """

    name: ClassVar[str]
    key_prefix: ClassVar[str]
    credits: ClassVar[int] = 10_000
    plans: ClassVar[tuple[Plan, ...]] = ()
    status_field: ClassVar[str] = "status"
    socket_paths: ClassVar[tuple[str, ...]] = ()
    purchase: ClassVar[str]
    refusal: ClassVar[tuple[int, str, str]]
    switches: ClassVar[type[BaseModel]]
    today: ClassVar[Mapping[str, Any]] = {}
    local: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, services: Services, switches: Mapping[str, Any]) -> None:
        self.services = services
        self.default_switches = self.switches.model_validate(switches)
        self.operations = self.routes()
        self._patterns = [(compile_path(operation.route)[0], operation) for operation in self.operations]

    @abstractmethod
    def routes(self) -> tuple[Operation, ...]:
        """Every route it serves."""

    @abstractmethod
    async def authenticate(self, request: Request) -> Account:
        """The account that calls.

        Raises:
            Refusal: There is no key, or it opens nothing.
        """

    @abstractmethod
    def error(self, status: int, code: str, message: str) -> Response:
        """An error in the provider's envelope."""

    @abstractmethod
    def forget(self, account: Account) -> None:
        """Drop what the module itself keeps about an account."""

    def default_key(self) -> str:
        """The key of the default account, the same at every start."""
        return f"{self.key_prefix}sandbox"

    def new_key(self) -> str:
        """A key for a new account."""
        return self.key_prefix + new_token()

    async def connect(self, path: str, socket: WebSocket) -> None:
        """Serve a WebSocket at one of `socket_paths` until it ends."""
        raise NotImplementedError

    def show(self, account: Account) -> dict[str, Any]:  # noqa: ARG002 -- for those that have something to add
        """What the control plane shows of an account besides what all have."""
        return {}

    def openapi(self) -> dict[str, Any] | None:
        """The OpenAPI description of the routes, where there is one."""
        return None

    def requests_allowed(self, account: Account) -> int | None:
        """How many requests the account may make in any 60 nominal seconds. None: any number."""
        return account.plan and account.plan.requests

    def d1_error(self) -> Response:
        """The answer of a database that found a row too big."""
        return self.error(500, "internal_error", D1_ERROR)

    def headers(self) -> dict[str, str]:
        """Headers that every answer of the provider carries."""
        return {}

    def match(self, method: str, path: str) -> tuple[Operation, re.Match[str]] | None:
        """The operation that serves a path (without the provider's prefix), if there is one."""
        for pattern, operation in self._patterns:
            if operation.method == method and (found := pattern.match(path)):
                return operation, found
        return None
