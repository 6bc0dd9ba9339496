"""What Generio keeps: flows with their inputs, and how the API shows them."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, PositiveInt
from starlette.requests import Request

from genmedia.sandbox.accounts import Account
from genmedia.sandbox.engine import Job, Output
from genmedia.sandbox.generio.templates import NAMED_INPUTS, TEMPLATES, Parameters, Template, input_named
from genmedia.sandbox.provider import Refusal, Services

ENDED = {"completed", "aborted", "failed"}
_STATES = {"queued": "starting", "succeeded": "completed", "cancelled": "aborted"}


class GenerioSwitches(BaseModel):
    """How far an account departs from the newest document.

    Attributes:
        asset_key: What an asset's id is called; under `id` there is also the time at which it was `processed`, as in the quickstart.
        download: Answer with a data URI in JSON, or with the file itself, as the quickstart expects.
        progress: Let it jump from 0 to 1 at the end, or rise.
        plain_base64: Take a file without a data URI around it, or refuse it.
        rate_limit: Requests in any 60 nominal seconds. None: any number.
        filter_by: What the list's parameter means: a state, names of fields, or whichever its value fits.
        named_inputs: Offer one template more, which makes a model of several inputs that have names; no document shows one.
        auth_error: The status without a valid key; since no account is known then, the sandbox's own setting holds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    asset_key: Literal["asset_id", "id"] = "asset_id"
    download: Literal["json", "raw"] = "json"
    progress: Literal["steps", "ramp"] = "steps"
    plain_base64: Literal["refuse", "accept"] = "refuse"
    rate_limit: PositiveInt | None = None
    filter_by: Literal["auto", "fields", "states"] = "auto"
    named_inputs: bool = False
    auth_error: Literal["401", "403"] = "401"


def switches_of(account: Account) -> GenerioSwitches:
    """The account's switches."""
    return cast("GenerioSwitches", account.switches)


def templates_of(account: Account) -> tuple[Template, ...]:
    """The templates that the account can use."""
    return (*TEMPLATES, NAMED_INPUTS) if switches_of(account).named_inputs else TEMPLATES


def new_id(now: float) -> str:
    """An id in the provider's style: 24 hexadecimal digits that begin with the second of their making."""
    return f"{int(now):08x}{os.urandom(8).hex()}"


@dataclass(eq=False)
class Input:
    """One input.

    Attributes:
        id: Its own.
        output_id: The id of the output that it leads to.
        data: As it was sent.
        media_type: What it is.
        content: What is in it.
        additional: The caller's own; the output gets it too.
        error: Why nothing could be made of it.
    """

    id: str
    output_id: str
    data: str
    media_type: str
    content: bytes | str
    additional: Any
    error: str | None = None


@dataclass(eq=False)
class Flow:
    """One flow; it has a job once it was started. Times are nominal Unix seconds."""

    id: str
    account: Account
    template: Template
    parameters: Parameters
    additional: Any
    created_at: float
    inputs: list[Input] = field(default_factory=list[Input])
    job: Job | None = None

    @property
    def state(self) -> str:
        """The document's word for where it is."""
        if self.job is None:
            return "created"
        if self.job.aborting and self.job.open:
            return "aborting"
        return _STATES.get(self.job.status, self.job.status)

    def leading(self) -> list[Input]:
        """The inputs that lead to an output: all, or the first of those that have names."""
        return [
            each for each in self.inputs if not self.template.inputs or input_named(each.additional) == self.template.inputs[0].id
        ]

    def gone(self, now: float) -> bool:
        """Whether it vanished, or its outputs have had their time."""
        if self.job is None:
            return False
        lifetime, ended_at = self.account.settings.output_lifetime, self.job.ended_at
        spent = lifetime is not None and ended_at is not None and ended_at + lifetime <= now
        return spent or self.job.status == "vanished"

    def hold(self, states: set[str], what: str) -> None:
        """Refuse what the flow's state does not allow.

        Raises:
            Refusal: 409, unless it is in one of the states.
        """
        if self.state not in states:
            raise Refusal(409, "", f"A flow that is {self.state} cannot be {what}")

    def outputs(self) -> list[tuple[Input, Output | None]]:
        """What came of the inputs, in their order; None where nothing could be made of one."""
        made = {output.name: output for output in self.job.outputs} if self.job else {}
        return [(each, made.get(each.output_id)) for each in self.inputs if each.error or each.output_id in made]

    def show(self, progress: float) -> dict[str, Any]:
        """The flow as the API shows it, at a progress from 0 to 1."""
        job = self.job
        shown = {
            "flow_id": self.id,
            "template": self.template.name,
            "state": self.state,
            "progress": progress,
            "created_at": iso(self.created_at),
            "started_at": iso(job.started_at if job else None),
            "finished_at": iso(job.ended_at if job else None),
            "parameters": self.parameters.model_dump(),
            "additional": self.additional,
        }
        return shown | {"error": job.error.message} if job and job.error else shown


class Flows:
    """The flows of all accounts.

    Args:
        services: The clock and the engine.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._flows: dict[str, Flow] = {}

    def add(self, flow: Flow) -> None:
        """Take in a new flow."""
        self._flows[flow.id] = flow

    def find(self, request: Request, account: Account) -> Flow:
        """The flow that the request's path names.

        Raises:
            Refusal: 404, where the account has no such flow (any more).
        """
        self._services.engine.settle()
        flow = self._flows.get(request.path_params["flow_id"])
        if flow is None or flow.account is not account or flow.gone(self._services.clock.now()):
            raise Refusal(404, "", "Flow not found")
        return flow

    def of(self, account: Account) -> Iterator[Flow]:
        """The account's flows, newest first."""
        self._services.engine.settle()
        now = self._services.clock.now()
        return (flow for flow in reversed(list(self._flows.values())) if flow.account is account and not flow.gone(now))

    def remove(self, flow: Flow) -> None:
        """Drop a flow with its inputs and outputs."""
        for output in flow.job.outputs if flow.job else ():
            self._services.media.remove(output.value)
        flow.inputs.clear()
        del self._flows[flow.id]

    def forget(self, account: Account) -> None:
        """Drop an account's flows."""
        self._flows = {key: flow for key, flow in self._flows.items() if flow.account is not account}


def iso(seconds: float | None) -> str | None:
    """A moment as ISO 8601 in UTC, to the millisecond."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
