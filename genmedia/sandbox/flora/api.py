"""FLORA's techniques API under `/flora`: the beta document's three routes, and the newer ones behind switches.

Where the document is silent the sandbox chooses: a repeated idempotency key answers 200 with the run that exists, another key's run is
a 404, credits are checked at creation against what open runs have not claimed, and charged at completion.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, ClassVar, Literal, cast

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from genmedia.sandbox.accounts import Account, new_token
from genmedia.sandbox.drawing.techniques import CATALOGUE, Technique, UnreadableInputError
from genmedia.sandbox.engine import Change, Job, JobFailedError, Made, Output
from genmedia.sandbox.fetching import UnreachableError
from genmedia.sandbox.flora.assets import Assets
from genmedia.sandbox.flora.requests import page_of, place_problems, read_object, shape_problems
from genmedia.sandbox.flora.webhooks import Webhooks, callback_problems
from genmedia.sandbox.flora.workspaces import Workspaces
from genmedia.sandbox.provider import Handler, Operation, Provider, Refusal, Services

STATUSES = {"queued": "pending", "running": "running", "succeeded": "completed", "failed": "failed", "vanished": "pending"}
VIDEO_WEIGHT = 3.0
"""How many times as long as a picture a video takes."""
KEY_WINDOWS = {"seed": 86_400.0, "docs": 86_400.0, "openapi": 7_200.0}
"""Nominal seconds that an idempotency key is remembered, by account of it."""
CREDITS_PER_USD = 100
"""The documents' own example costs 5 credits in the one generation, and 0.05 USD in the other."""


class FloraSwitches(BaseModel):
    """How far an account departs from the beta document.

    Attributes:
        casing: Field names of techniques and runs; `snake` also makes the ids `tech_...` and `run_...`, and the costs USD.
        list_techniques: Serve `GET /api/v1/techniques`.
        list_runs: Serve `GET /api/v1/technique-runs`.
        assets: Serve `/api/v1/assets`.
        workspaces: How many workspaces the account has; with any, an asset needs one, and is looked at before it is ready. 0: none are known.
        signed_upload: What a reserved address takes: a multipart form, or the bytes alone by PUT.
        idempotency: Whose account of repeated keys holds: the beta document's, the newer pages' or the OpenAPI file's.
        webhooks: Take a run's `callback_url`, and tell its end there.
        refuse_inputs: Refuse an input on a foreign host when the run is created, or let the run fail.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    casing: Literal["camel", "snake"] = "camel"
    list_techniques: bool = False
    list_runs: bool = False
    assets: bool = False
    workspaces: int = Field(default=0, ge=0, le=20)
    signed_upload: Literal["form", "put"] = "form"
    idempotency: Literal["seed", "docs", "openapi"] = "seed"
    webhooks: bool = False
    refuse_inputs: Literal["create", "run"] = "create"


@dataclass(frozen=True)
class _Purchase:
    """What an idempotency key stands for, until a nominal time."""

    job: Job
    body: dict[str, Any]
    answer: dict[str, Any]
    until: float


class Flora(Provider):
    """FLORA's API."""

    name: ClassVar[str] = "flora"
    key_prefix: ClassVar[str] = "sk_live_"
    purchase: ClassVar[str] = "create_run"
    refusal: ClassVar[tuple[int, str, str]] = (
        400,
        "safety_blocked",
        "The content was blocked by the safety system.",
    )  # the code is documented, the words are chosen
    switches: ClassVar[type[BaseModel]] = FloraSwitches
    today: ClassVar[Mapping[str, Any]] = {
        "casing": "snake",
        "list_techniques": True,
        "list_runs": True,
        "assets": True,
        "workspaces": 1,
        "idempotency": "openapi",
        "webhooks": True,
    }
    local: ClassVar[Mapping[str, Any]] = {"assets": True, "list_techniques": True, "webhooks": True}

    def __init__(self, services: Services, switches: Mapping[str, Any]) -> None:
        self._purchases: dict[tuple[Account, str], _Purchase] = {}
        self._workspaces = Workspaces(services.clock)
        self._assets = Assets(services, self._workspaces)
        self._webhooks = Webhooks(services.clock, services.faults)
        services.engine.listen(self.name, self._hear)
        self._request_numbers = count(1)
        self._own_origins = (services.media.url, *services.input_origins)
        super().__init__(services, switches)

    def routes(self) -> tuple[Operation, ...]:
        """The three documented routes, then the newer ones."""
        newer = (
            (("list_techniques",), Operation("list_techniques", "GET", "/api/v1/techniques", self._list_techniques)),
            (("list_runs",), Operation("list_runs", "GET", "/api/v1/technique-runs", self._list_runs)),
            *((("assets",), operation) for operation in self._assets.routes()),
            *((("assets", "workspaces"), operation) for operation in self._assets.newer_routes()),
            *((("workspaces",), operation) for operation in self._workspaces.routes()),
        )
        return (
            Operation("get_technique", "GET", "/api/v1/techniques/{slug}", self._get_technique),
            Operation("create_run", "POST", "/api/v1/techniques/{slug}/runs", self._create_run),
            Operation("get_run", "GET", "/api/v1/techniques/{slug}/runs/{run_id}", self._get_run),
            *(operation._replace(handler=_behind(needed, operation.handler)) for needed, operation in newer),
        )

    async def authenticate(self, request: Request) -> Account:
        """The account of the bearer key."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if not scheme:
            raise Refusal(401, "unauthorized", "The Authorization header is missing.")
        account = self.services.accounts.with_key(self.name, key.strip()) if scheme.lower() == "bearer" else None
        if account is None:
            raise Refusal(401, "invalid_api_key", "The API key is wrong or was revoked.")
        return account

    def error(self, status: int, code: str, message: str) -> Response:
        """The document's envelope."""
        return JSONResponse({"error": {"code": code, "message": message}}, status)

    def headers(self) -> dict[str, str]:
        """The request id."""
        return {"request-id": f"req_{next(self._request_numbers):016x}"}

    def forget(self, account: Account) -> None:
        """Drop idempotency keys, assets, projects and events."""
        self._purchases = {key: purchase for key, purchase in self._purchases.items() if key[0] is not account}
        self._assets.forget(account)
        self._workspaces.forget(account)
        self._webhooks.forget(account)

    def show(self, account: Account) -> dict[str, Any]:
        """The secret and the events of its webhooks."""
        return self._webhooks.show(account)

    def _hear(self, job: Job, change: Change) -> None:
        if change == "ended" and _switches(job.account).webhooks:
            self._webhooks.tell(job, STATUSES[job.status], self._workspaces.home(job.account)[0])

    async def _get_technique(self, request: Request, account: Account) -> Response:
        switches = _switches(account)
        return JSONResponse(_show_technique(_technique(request, switches), account))

    async def _create_run(self, request: Request, account: Account) -> Response:
        switches = _switches(account)
        technique = _technique(request, switches)
        body = await read_object(request)
        asked = {"technique": technique.slug, **body}
        key = request.headers.get("idempotency-key") if switches.idempotency == "openapi" else body.get("idempotency_key")
        if isinstance(key, str) and (earlier := self._purchases.get((account, key))):
            answer = self._repeat(request, earlier, asked)
            if answer:
                return answer

        problems = shape_problems(technique, body) + (callback_problems(body) if switches.webhooks else [])
        if not problems and switches.refuse_inputs == "create":
            problems = place_problems(body, self._own_origins)
        if problems:
            raise Refusal(400, "input_validation_error", "; ".join(problems))
        if not account.can_afford(technique.cost):
            left = account.credits - account.promised
            raise Refusal(
                402, "insufficient_credits", f"This run costs {account.price(technique.cost):g} credits and {left:g} are free."
            )

        async def work() -> list[Made]:
            made = await self._render(technique, body)
            return [replace(each, sealed=account.settings.link_lifetime is not None) for each in made]

        video = any(output.type == "videoUrl" for output in technique.outputs)
        job = self.services.engine.accept(
            account,
            f"run_{new_token()}" if switches.casing == "snake" else f"j57{new_token(29)}",
            "create_run",
            asked,
            technique.cost,
            work,
            weight=VIDEO_WEIGHT if video else 1.0,
        )
        answer = self._show_new(request, job)
        if isinstance(key, str):
            until = job.created_at + KEY_WINDOWS[switches.idempotency]
            self._purchases[account, key] = _Purchase(job, asked, answer, until)
        return JSONResponse(answer, 201)

    def _repeat(self, request: Request, earlier: _Purchase, asked: dict[str, Any]) -> Response | None:
        """The answer to a key that was used before, or None when it may buy again."""
        engine = self.services.engine
        if earlier.until <= self.services.clock.now() or engine.find(self.name, earlier.job.id) is None:
            return None
        match _switches(earlier.job.account).idempotency:
            case "openapi":
                raise Refusal(409, "idempotency_duplicate", "Duplicate idempotency key.")
            case "docs" if earlier.body != asked:
                raise Refusal(422, "idempotency_conflict", "This idempotency key was used with another request.")
            case "docs":
                return JSONResponse(earlier.answer, 201, {"idempotent-replayed": "true"})
            case "seed":
                engine.settle()
                return JSONResponse(self._show_run(earlier.job) | self._show_new(request, earlier.job))

    async def _get_run(self, request: Request, account: Account) -> Response:
        technique = _technique(request, _switches(account))
        job = self.services.engine.find(self.name, request.path_params["run_id"])
        if job is None or job.account is not account or job.request["technique"] != technique.slug:
            raise Refusal(404, "not_found", "There is no such run.")
        return JSONResponse(self._show_run(await self.services.engine.look(job)))

    async def _list_techniques(self, request: Request, account: Account) -> Response:
        query = request.query_params.get("query", "").lower()
        found = [each for each in CATALOGUE.values() if query in f"{each.slug} {each.name} {each.description}".lower()]
        page, cursor = page_of(request, [(each.slug, each) for each in found])
        shown = [{"slug": each.slug, **_show_technique(each, account)} for each in page]
        return JSONResponse({"techniques": shown, "meta": {"next_cursor": cursor, "total_estimate": len(found)}})

    async def _list_runs(self, request: Request, account: Account) -> Response:
        engine = self.services.engine
        engine.settle()
        status, technique_id = request.query_params.get("status"), request.query_params.get("technique_id")
        if status not in {None, *STATUSES.values()}:
            raise Refusal(400, "input_validation_error", "status is none of pending, running, completed, failed")
        home = dict(zip(("workspace_id", "project_id"), self._workspaces.home(account), strict=True))
        elsewhere = any(request.query_params.get(name, here) != here for name, here in home.items())
        found = [
            (job.id, job)
            for job in ([] if elsewhere else engine.of(account))
            if status in {None, STATUSES[job.status]} and technique_id in {None, *_names(job.request["technique"], account)}
        ]
        page, cursor = page_of(request, found)
        shown = [self._show_run(await engine.look(job)) | self._show_origin(request, job) for job in page]
        return JSONResponse({"technique_runs": shown, "meta": {"next_cursor": cursor}})

    async def _render(self, technique: Technique, body: dict[str, Any]) -> list[Made]:
        foreign = place_problems(body, self._own_origins)
        if foreign:
            raise JobFailedError("input_unreachable", "; ".join(foreign))
        inputs: dict[str, bytes | str] = {}
        for given in body["inputs"]:
            try:
                inputs[given["id"]] = (
                    given["value"] if given["type"] == "text" else await self.services.fetcher.fetch(given["value"])
                )
            except UnreachableError:
                raise JobFailedError("input_unreachable", f"{given['id']} could not be fetched") from None
        try:
            rendered = await self.services.renderer.render(technique.slug, inputs, self.services.size)
        except UnreadableInputError as error:
            raise JobFailedError("input_unreachable", f"{error.input_id} is not a picture that can be read") from None
        types = {output.id: output.type for output in technique.outputs}
        return [Made(each.output_id, types[each.output_id], each.media_type, each.data) for each in rendered]

    def _show_new(self, request: Request, job: Job) -> dict[str, Any]:
        shown = {
            "run_id": job.id,
            "created_at": _milliseconds(job.created_at),
            "status": STATUSES[job.status],
            "progress": self.services.engine.progress(job),
            "poll_url": self._poll_url(request, job),
        }
        return _cased(shown, job.account)

    def _show_run(self, job: Job) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "run_id": job.id,
            "status": STATUSES[job.status],
            "progress": self.services.engine.progress(job),
            "created_at": _milliseconds(job.created_at),
        }
        if job.started_at is not None:
            shown["started_at"] = _milliseconds(job.started_at)
        if job.ended_at is not None:
            shown["completed_at"] = _milliseconds(job.ended_at)
        if job.status == "succeeded" or job.charged:
            shown["charged_cost"] = _cost(job.charged, _switches(job.account))
        if job.status == "succeeded":
            shown["outputs"] = [
                _cased({"output_id": output.name, "type": output.kind, "url": self._link(output, job.account)}, job.account)
                for output in job.outputs
            ]
        if job.error:
            shown |= {"error_code": job.error.code, "error_message": job.error.message}
        return _cased(shown, job.account)

    def _link(self, output: Output, account: Account) -> str:
        """Where an output is; of a text, the text."""
        lifetime = account.settings.link_lifetime
        if lifetime is None or output.media_type == "text/plain":
            return output.value
        return self.services.media.sign(output.value, lifetime)

    def _show_origin(self, request: Request, job: Job) -> dict[str, Any]:
        """What a list must add, so that its reader knows which technique ran, and where."""
        slug, switches, poll_url = job.request["technique"], _switches(job.account), self._poll_url(request, job)
        technique_id = _technique_id(slug, switches)
        if switches.casing == "camel":
            return _camel({"technique_id": technique_id, "poll_url": poll_url})
        workspace, project = self._workspaces.home(job.account)
        return {
            "technique_run_id": job.id,
            "technique": {"technique_id": technique_id, "name": CATALOGUE[slug].name},
            "workspace_id": workspace,
            "project_id": project,
            "poll_url": poll_url,
        }

    def _poll_url(self, request: Request, job: Job) -> str:
        return f"http://{request.headers['host']}/{self.name}/api/v1/techniques/{job.request['technique']}/runs/{job.id}"


API = Flora


def _switches(account: Account) -> FloraSwitches:
    return cast("FloraSwitches", account.switches)


def _behind(switches: tuple[str, ...], handler: Handler) -> Handler:
    async def answer(request: Request, account: Account) -> Response:
        if not all(getattr(account.switches, switch) for switch in switches):
            raise Refusal(404, "not_found", f"There is no {request.method} {request.url.path}.")
        return await handler(request, account)

    return answer


def _technique_id(slug: str, switches: FloraSwitches) -> str:
    digest = hashlib.sha256(slug.encode()).hexdigest()
    return f"tech_{digest[:24]}" if switches.casing == "snake" else f"k17{digest[:29]}"


def _cost(amount: float, switches: FloraSwitches) -> float:
    """An amount of credits in the unit of the account's generation."""
    return round(amount / CREDITS_PER_USD, 6) if switches.casing == "snake" else amount


def _names(slug: str, account: Account) -> set[str]:
    return {slug, _technique_id(slug, _switches(account))}


def _technique(request: Request, switches: FloraSwitches) -> Technique:
    name = request.path_params["slug"]
    if name.startswith("tech_"):
        found = next((each for slug, each in CATALOGUE.items() if _technique_id(slug, switches) == name), None)
    else:
        found = CATALOGUE.get(name)
    if found is None:
        raise Refusal(404, "not_found", f"There is no technique {name!r}.")
    return found


def _show_technique(technique: Technique, account: Account) -> dict[str, Any]:
    switches = _switches(account)
    shown = {
        "technique_id": _technique_id(technique.slug, switches),
        "name": technique.name,
        "description": technique.description,
        "run_cost": _cost(account.price(technique.cost), switches),
        "inputs": [{"id": each.id, "name": each.name, "type": each.type} for each in technique.inputs],
        "outputs": [{"id": each.id, "name": each.name, "type": each.type} for each in technique.outputs],
    }
    return shown if switches.casing == "snake" else _camel(shown)


def _cased(fields: dict[str, Any], account: Account) -> dict[str, Any]:
    return fields if _switches(account).casing == "snake" else _camel(fields)


def _camel(fields: dict[str, Any]) -> dict[str, Any]:
    return {first + "".join(map(str.title, rest)): value for name, value in fields.items() for first, *rest in [name.split("_")]}


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)
