"""Generio's Flow API under `/generio`: flows made from templates, whose 3D models come base64 inside the answers.

Where the document is silent the sandbox chooses: creating a flow is free, starting it takes one credit, which comes back when the flow
fails or is aborted before it ran; a start that cannot be paid is a 402; what a flow's state forbids is a 409; `sort_by` puts the newest
and the furthest first; a flow that was aborted or failed keeps the outputs it had made.

Each input of a flow leads to an output of its own, which carries the input's `additional`: so the document has it. A template that makes one
output of several inputs, each with a name, stands in none; behind the switch `named_inputs` there is one. It tells them as `inputs`, beside
`input_types`: `[{"id", "types", "required"}]`. An upload names its input in `additional`, as `{"input": id}`: the documented body has
no other place for it. It is a 422 where it names none of them, and a 409 at the start where one is missing or given twice.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, cast

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from genmedia.sandbox.accounts import Account
from genmedia.sandbox.drawing.models import Brief, UnreadableSourceError
from genmedia.sandbox.engine import JobFailedError, Made, Terms
from genmedia.sandbox.generio.assets import Assets
from genmedia.sandbox.generio.flows import ENDED, Flow, Flows, GenerioSwitches, Input, new_id, switches_of, templates_of
from genmedia.sandbox.generio.openapi import describe
from genmedia.sandbox.generio.requests import (
    Control,
    InvalidError,
    NewFlow,
    read_body,
    read_filter,
    read_inputs,
    read_parameters,
    read_sorting,
)
from genmedia.sandbox.generio.templates import GLB, template_named
from genmedia.sandbox.provider import Handler, Operation, Provider, Refusal, Services

COST = 1
RUN = (2.0, 5.0)
DOCUMENTED_RUN = (20.0, 120.0)
"""Shortest and longest run in nominal seconds: the vendor speaks of minutes, and shows a model that took 22 s."""
ABORTING = 1.0
"""Nominal seconds between the wish to abort a flow and its end."""

_DETAILS = {"not_found": "Not Found", "rate_limited": "Too Many Requests", "internal_error": "Internal Server Error"}
_FOREIGN = Brief("model_generate_fromprompt", "A red chair beside a yellow mushroom")


class Generio(Provider):
    """Generio's API."""

    name: ClassVar[str] = "generio"
    key_prefix: ClassVar[str] = "gn_"
    purchase: ClassVar[str] = "control_flow"
    refusal: ClassVar[tuple[int, str, str]] = (400, "", "The input was flagged by our content moderation.")
    status_field: ClassVar[str] = "state"
    switches: ClassVar[type[BaseModel]] = GenerioSwitches
    today: ClassVar[Mapping[str, Any]] = {"asset_key": "id", "download": "raw"}

    def __init__(self, services: Services, switches: Mapping[str, Any]) -> None:
        self._flows = Flows(services)
        self._assets = Assets(services, self._flows)
        super().__init__(services, switches)

    def routes(self) -> tuple[Operation, ...]:
        """The documented routes."""
        routes = (
            Operation("list_flows", "GET", "/flows", self._list_flows),
            Operation("create_flow", "POST", "/flows", self._create_flow),
            Operation("get_flow", "GET", "/flows/{flow_id}", self._get_flow),
            Operation("control_flow", "PATCH", "/flows/{flow_id}", self._control_flow),
            Operation("delete_flow", "DELETE", "/flows/{flow_id}", self._delete_flow),
            *self._assets.routes(),
            Operation("list_templates", "GET", "/templates", self._list_templates),
            Operation("get_template", "GET", "/templates/{template}", self._get_template),
        )
        return tuple(operation._replace(handler=_telling(operation.handler)) for operation in routes)

    async def authenticate(self, request: Request) -> Account:
        """The account of the bearer key."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        account = self.services.accounts.with_key(self.name, key.strip()) if scheme.lower() == "bearer" else None
        if account is None:
            raise Refusal(int(cast("GenerioSwitches", self.default_switches).auth_error), "", "Not authenticated")
        return account

    def error(self, status: int, code: str, message: str) -> Response:
        """FastAPI's envelope."""
        return JSONResponse({"detail": _DETAILS.get(code, message)}, status)

    def openapi(self) -> dict[str, Any] | None:
        """The description of the routes."""
        return describe(f"{self.services.url}/{self.name}")

    def requests_allowed(self, account: Account) -> int | None:
        """What the switch says."""
        return switches_of(account).rate_limit

    def forget(self, account: Account) -> None:
        """Drop the flows."""
        self._flows.forget(account)

    async def _list_flows(self, request: Request, account: Account) -> Response:
        field = read_sorting(request)
        state, fields = read_filter(request, switches_of(account).filter_by)
        chosen = [flow for flow in self._flows.of(account) if state in {None, flow.state}]
        for flow in chosen:
            await self._look(flow)
        # A look can move a flow on, or show that it has vanished.
        left = [flow for flow in self._flows.of(account) if flow in chosen and state in {None, flow.state}]
        shown = [self._show(flow) for flow in left]
        shown.sort(key=lambda each: (each[field] is not None, each[field]), reverse=field != "state")
        return JSONResponse({"flows": [{name: each[name] for name in fields if name in each} for each in shown]})

    async def _create_flow(self, request: Request, account: Account) -> Response:
        body = await read_body(request, NewFlow)
        template = template_named(body.template, templates_of(account))
        if template is None:
            raise Refusal(404, "", f"Template {body.template!r} not found")
        parameters = read_parameters(template, body.parameters)
        now = self.services.clock.now()
        flow = Flow(new_id(now), account, template, parameters, body.additional, now)
        given = body.inputs or []
        plain = switches_of(account).plain_base64 == "accept"
        for one, content in zip(given, read_inputs(template, given, ("body", "inputs"), plain_base64=plain), strict=True):
            self._assets.take(flow, one, content)
        if given:
            self._start(flow, "create_flow")
        self._flows.add(flow)
        return JSONResponse(self._show(flow))

    async def _get_flow(self, request: Request, account: Account) -> Response:
        flow = self._flows.find(request, account)
        await self._look(flow)
        return JSONResponse(self._show(self._flows.find(request, account)))

    async def _control_flow(self, request: Request, account: Account) -> Response:
        flow, action = self._flows.find(request, account), (await read_body(request, Control)).action
        match action:
            case "start":
                flow.hold({"created"}, "started")
                if not flow.inputs:
                    raise Refusal(409, "", "Flow has no inputs")
                self._start(flow, "control_flow")
            case "abort":
                flow.hold({"starting", "running"}, "aborted")
                assert flow.job is not None
                self.services.engine.abort(flow.job, ABORTING)
        return JSONResponse(self._show(flow))

    async def _delete_flow(self, request: Request, account: Account) -> Response:
        flow = self._flows.find(request, account)
        flow.hold({"created", *ENDED}, "deleted")
        self._flows.remove(flow)
        return JSONResponse({"flow_id": flow.id})

    async def _list_templates(self, request: Request, account: Account) -> Response:  # noqa: ARG002 -- a handler's signature
        return JSONResponse({"templates": [template.show() for template in templates_of(account)]})

    async def _get_template(self, request: Request, account: Account) -> Response:
        template = template_named(request.path_params["template"], templates_of(account))
        if template is None:
            raise Refusal(404, "", "Template not found")
        return JSONResponse(template.show())

    def _start(self, flow: Flow, operation: str) -> None:
        account = flow.account
        if missing := flow.template.missing(each.additional for each in flow.inputs):
            raise Refusal(409, "", f"Flow needs one of each of the inputs {', '.join(missing)}")
        if not account.can_afford(COST):
            raise Refusal(402, "", "Insufficient credits")

        async def work() -> list[Made]:
            # One that is bound to fail gets half way.
            leading = flow.leading()
            return await self._make(flow, leading[: len(leading) // 2] if job.doom else leading)

        asked = {
            "template": flow.template.name,
            "parameters": flow.parameters.model_dump(),
            "inputs": [{"asset_id": each.id, "type": each.media_type, "additional": each.additional} for each in flow.inputs],
            "additional": flow.additional,
        }
        run = DOCUMENTED_RUN if account.settings.documented else RUN
        terms = Terms(run=run, prepaid=True, forgiving=True, piecemeal=True)
        job = self.services.engine.accept(account, flow.id, operation, asked, COST, work, weight=len(flow.inputs), terms=terms)
        flow.job = job

    async def _make(self, flow: Flow, inputs: list[Input]) -> list[Made]:
        made: list[Made] = []
        leading = flow.leading()
        for each in inputs:
            chance = int.from_bytes(hashlib.sha256(each.id.encode()).digest()[:4])
            brief = flow.parameters.brief(flow.template.name, each.content, chance)
            for other in flow.inputs:
                if other not in leading and isinstance(other.content, bytes):
                    brief = replace(brief, back=other.content)
            if flow.job and flow.job.mishap and flow.job.mishap.kind == "wrong_picture":
                brief = _FOREIGN
            try:
                made.append(Made(each.output_id, "model", GLB, await self.services.renderer.model(brief)))
            except UnreadableSourceError:
                each.error = f"The {each.media_type} could not be read."
        wrong = [each.error for each in inputs if each.error]
        if wrong:
            raise JobFailedError("unreadable_input", " ".join(wrong), made)
        return made

    async def _look(self, flow: Flow) -> None:
        if flow.job:
            await self.services.engine.look(flow.job)

    def _show(self, flow: Flow) -> dict[str, Any]:
        progress = 1.0 if flow.state in ENDED else 0.0
        if flow.state == "running" and flow.job and switches_of(flow.account).progress == "ramp":
            progress = self.services.engine.progress(flow.job) / 100
        return flow.show(progress)


API = Generio


def _telling(handler: Handler) -> Handler:
    async def answer(request: Request, account: Account) -> Response:
        try:
            return await handler(request, account)
        except InvalidError as error:
            return JSONResponse({"detail": error.problems}, 422)

    return answer
