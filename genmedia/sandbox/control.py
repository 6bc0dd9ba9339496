"""The control plane under `/sandbox`: accounts, jobs, counts, faults, clock and reset, without a key."""

import importlib.metadata
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    ValidationError,
    model_validator,
)
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router

from genmedia.sandbox.accounts import Account, Settings, new_token
from genmedia.sandbox.clock import FASTEST
from genmedia.sandbox.drawing.media import ROUTES, SAMPLE
from genmedia.sandbox.faults import DOWNLOAD, FaultOrder, Faults
from genmedia.sandbox.limits import Plan
from genmedia.sandbox.provider import Provider, Services
from genmedia.sandbox.traffic import Traffic

DEFAULT_ACCOUNT = "default"

Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[!-~]+$")]


class _Order(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AccountOrder(_Order):
    """An account to make, or to change where it exists: only what is set changes."""

    provider: str
    account: Name | None = None
    api_key: Name | None = None
    credits: NonNegativeInt | NonNegativeFloat | None = None
    plan: str | None = None
    settings: dict[str, Any] = {}
    switches: dict[str, Any] = {}


class ClockOrder(_Order):
    """A new pace, a jump forward in nominal seconds, or both."""

    scale: PositiveFloat | None = Field(default=None, le=FASTEST)
    advance: NonNegativeFloat | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.scale is None and self.advance is None:
            message = "scale or advance is needed"
            raise ValueError(message)
        return self


class ResetOrder(_Order):
    """What to put back to the start: one account by name, one provider's, or everything."""

    provider: str | None = None
    account: str | None = None


class BadOrderError(Exception):
    """The order makes no sense; the message names the field."""


class Control:
    """Answers under `/sandbox`.

    Args:
        services: What the providers share.
        providers: The providers by name.
        traffic: The counts.
        faults: The scripted faults.
        scale: The clock scale that a full reset returns to.
    """

    def __init__(
        self, services: Services, providers: Mapping[str, Provider], traffic: Traffic, faults: Faults, scale: float
    ) -> None:
        self._services = services
        self._providers = providers
        self._traffic = traffic
        self._faults = faults
        self._scale = scale
        self.app = Router(
            [
                Route(f"/sandbox{path}", _answering(handler), methods=[method])
                for method, path, handler in (
                    ("GET", "", self._overview),
                    ("GET", "/accounts", self._list_accounts),
                    ("POST", "/accounts", self._put_account),
                    ("GET", "/jobs", self._list_jobs),
                    ("GET", "/requests", self._list_requests),
                    ("GET", "/faults", self._list_faults),
                    ("POST", "/faults", self._add_fault),
                    ("DELETE", "/faults", self._remove_faults),
                    ("POST", "/clock", self._set_clock),
                    ("POST", "/reset", self._reset),
                )
            ]
        )
        self.open_defaults()

    def open_defaults(self) -> None:
        """Give each provider its first account."""
        for provider in self._providers.values():
            self._open(provider, DEFAULT_ACCOUNT, provider.default_key(), next(iter(provider.plans), None))

    def _open(self, provider: Provider, name: str, api_key: str, plan: Plan | None) -> Account:
        account = Account(
            provider=provider.name,
            name=name,
            api_key=api_key,
            granted=plan.credits if plan else provider.credits,
            plan=plan,
            settings=Settings(),
            switches=provider.default_switches,
        )
        self._services.accounts.add(account)
        return account

    async def _overview(self, request: Request) -> Response:  # noqa: ARG002 -- a handler's signature
        url = self._services.url
        return JSONResponse(
            {
                "name": "genmedia sandbox",
                "version": importlib.metadata.version("genmedia"),
                "media_url": self._services.media.url,
                "clock": self._clock(),
                "providers": {name: f"{url}/{name}" for name in self._providers},
                "switches_for_local_use": {name: provider.local for name, provider in self._providers.items() if provider.local},
                "routes": {
                    name: [
                        *(f"{operation.method} {operation.route}" for operation in provider.operations),
                        *(f"WS {path}" for path in provider.socket_paths),
                    ]
                    for name, provider in self._providers.items()
                },
                "links": {
                    **{part: f"{url}/sandbox/{part}" for part in ("accounts", "jobs", "requests", "faults", "clock", "reset")},
                    "sample_photo": self._services.media.url + SAMPLE,
                },
            }
        )

    def _clock(self) -> dict[str, float]:
        clock = self._services.clock
        return {"scale": clock.scale, "now": clock.now()}

    async def _list_accounts(self, request: Request) -> Response:  # noqa: ARG002 -- a handler's signature
        return JSONResponse([self._show(account) for account in self._services.accounts])

    def _show(self, account: Account) -> dict[str, Any]:
        return {
            "provider": account.provider,
            "account": account.name,
            "api_key": account.api_key,
            "base_url": f"{self._services.url}/{account.provider}",
            "credits": account.credits,
            "plan": account.plan and account.plan.name,
            "settings": account.settings.model_dump(mode="json"),
            "switches": account.switches.model_dump(mode="json"),
            **self._providers[account.provider].show(account),
        }

    async def _put_account(self, request: Request) -> Response:
        order = await _read(request, AccountOrder)
        provider = self._provider(order.provider)
        accounts = self._services.accounts
        name = order.account or f"account-{new_token(8)}"
        account = accounts.named(provider.name, name)
        settings = _merged(account.settings if account else Settings(), order.settings, "settings")
        switches = _merged(account.switches if account else provider.default_switches, order.switches, "switches")
        plan = next((each for each in provider.plans if order.plan in {None, each.name}), None)
        if order.plan is not None and plan is None:
            message = f"plan: {provider.name} has {' '.join(each.name for each in provider.plans) or 'no plans'}"
            raise BadOrderError(message)
        if order.api_key and accounts.with_key(provider.name, order.api_key) not in {None, account}:
            message = "api_key: another account has it"
            raise BadOrderError(message)
        created = account is None
        if account is None:
            account = self._open(provider, name, order.api_key or provider.new_key(), plan)
        elif order.api_key:
            accounts.rekey(account, order.api_key)
        account.settings, account.switches = settings, switches
        account.plan = plan if order.plan else account.plan
        if order.credits is not None:
            account.granted = account.credits = order.credits
        self._services.engine.admit(account, self._services.clock.now())
        return JSONResponse(self._show(account), 201 if created else 200)

    async def _list_jobs(self, request: Request) -> Response:
        provider, account = request.query_params.get("provider"), request.query_params.get("account")
        engine = self._services.engine
        engine.settle()
        return JSONResponse(
            [
                {
                    "provider": job.account.provider,
                    "account": job.account.name,
                    "id": job.id,
                    "operation": job.operation,
                    "request": job.request,
                    "status": job.status,
                    "created_at": job.created_at,
                    "started_at": job.started_at,
                    "ended_at": job.ended_at,
                    "cost": job.cost,
                    "charged": job.charged,
                }
                for job in engine.all()
                if provider in {None, job.account.provider} and account in {None, job.account.name}
            ]
        )

    async def _list_requests(self, request: Request) -> Response:  # noqa: ARG002 -- a handler's signature
        return JSONResponse(self._traffic.report())

    async def _list_faults(self, request: Request) -> Response:  # noqa: ARG002 -- a handler's signature
        return JSONResponse(self._faults.report())

    async def _add_fault(self, request: Request) -> Response:
        order = await _read(request, FaultOrder)
        provider = self._provider(order.provider)
        if order.account is not None:
            self._account(provider.name, order.account)
        names = {f"{operation.method} {operation.route}": operation.name for operation in provider.operations}
        names[ROUTES[DOWNLOAD]] = DOWNLOAD
        route = names.get(order.route or "", order.route)
        known = [*names.values(), *provider.socket_paths]
        if route is not None and route not in known:
            message = f"route: {route!r} is none of {', '.join(known)}"
            raise BadOrderError(message)
        _, code, message = provider.refusal
        words = {"error_code": code, "message": message} if order.kind == "refused" else {}
        told = {name: one for name, one in words.items() if name not in order.model_fields_set}
        return JSONResponse({"id": self._faults.add(order.model_copy(update={"route": route, **told}))}, 201)

    async def _remove_faults(self, request: Request) -> Response:
        self._faults.remove(request.query_params.get("provider"), request.query_params.get("account"))
        return Response(status_code=204)

    async def _set_clock(self, request: Request) -> Response:
        order = await _read(request, ClockOrder)
        if order.advance is not None:
            self._services.clock.advance(order.advance)
        if order.scale is not None:
            self._services.clock.set_scale(order.scale)
        self._services.engine.settle()
        return JSONResponse(self._clock())

    async def _reset(self, request: Request) -> Response:
        order = await _read(request, ResetOrder, optional=True)
        if order.provider is not None:
            self._provider(order.provider)
        chosen = [
            account
            for account in self._services.accounts
            if order.provider in {None, account.provider} and order.account in {None, account.name}
        ]
        if order.account is not None and not chosen:
            message = f"account: there is no {order.account!r}"
            raise BadOrderError(message)
        for account in chosen:
            self._services.engine.forget(account)
            self._services.media.forget(account)
            self._providers[account.provider].forget(account)
            self._traffic.forget(account)
            self._faults.remove(account.provider, account.name)
            account.restore()
        if order == ResetOrder():
            self._services.accounts.clear()
            self._traffic.clear()
            self._faults.remove()
            self._services.clock.set_scale(self._scale)
            self._services.engine.settle()
            self.open_defaults()
        return Response(status_code=204)

    def _provider(self, name: str) -> Provider:
        if name not in self._providers:
            message = f"provider: {name!r} is none of {', '.join(self._providers)}"
            raise BadOrderError(message)
        return self._providers[name]

    def _account(self, provider: str, name: str) -> Account:
        account = self._services.accounts.named(provider, name)
        if account is None:
            message = f"account: {provider} has no {name!r}"
            raise BadOrderError(message)
        return account


def _answering(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except BadOrderError as error:
            return JSONResponse({"detail": str(error)}, 422)

    return answer


_Model = TypeVar("_Model", bound=BaseModel)


async def _read(request: Request, model: type[_Model], *, optional: bool = False) -> _Model:
    body = await request.body()
    try:
        return model.model_validate_json(b"{}" if optional and not body else body)
    except ValidationError as error:
        raise BadOrderError(_complaint(error)) from error


def _merged(present: _Model, changes: dict[str, Any], name: str) -> _Model:
    try:
        return type(present).model_validate({**present.model_dump(), **changes})
    except ValidationError as error:
        raise BadOrderError(_complaint(error, name)) from error


def _complaint(error: ValidationError, *prefix: str) -> str:
    problems: list[str] = []
    for problem in error.errors():
        field, message = ".".join(map(str, (*prefix, *problem["loc"]))), problem["msg"].removeprefix("Value error, ")
        problems.append(f"{field}: {message}" if field else message)
    return "; ".join(problems)
