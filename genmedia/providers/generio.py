"""Generio Flows: 3D models made from templates, in two phases, so that nothing is paid for before its id is known.

The contract is Generio's "Flow API"; what its newer generations and its quickstart changed is read as well.
"""

import asyncio
import base64
import binascii
import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, cast
from urllib.parse import quote

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from genmedia import errors
from genmedia.errors import Fault
from genmedia.http import Fetched, Gate, Session
from genmedia.jobs import Account, Job, JobStatus, Output
from genmedia.leasing import leased
from genmedia.origins import Origins, check_base_url
from genmedia.watching import Look, Watcher, look_at_each

if TYPE_CHECKING:  # it loads a database library, which reading this provider's answers does not need
    from genmedia.journal import Attempt, Journal

PROVIDER = "generio"
BASE_URL = "https://flows.generio.ai"
UNIT = "credits"

POLL_SECONDS = (5.0, 7.0)
"""The vendor's own clients ask every 5 s."""

ABORT_SECONDS = 1.0
"""Between two looks at a flow that is being aborted: a person waits for it."""

LARGEST = 2**53
"""No larger whole number has one form in JSON."""

SortBy = Literal["status", "progress", "created_at", "started_at", "finished_at"]

_STATUSES = {
    "created": JobStatus.QUEUED,
    "starting": JobStatus.QUEUED,
    "running": JobStatus.RUNNING,
    "aborting": JobStatus.RUNNING,
    "completed": JobStatus.SUCCEEDED,
    "aborted": JobStatus.CANCELLED,
    "failed": JobStatus.FAILED,
}
_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "integer": (int,),
    "float": (int, float),
    "number": (int, float),
    "bool": (bool,),
    "boolean": (bool,),
    "str": (str,),
    "string": (str,),
}


class _Answered(BaseModel):
    """Ignores what it does not know; null is not there."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_not_there(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {name: one for name, one in value.items() if one is not None}  # pyright: ignore[reportUnknownVariableType] # JSON


class Parameter(_Answered):
    """One parameter of a template; `values` lists what it may be, where that is a choice."""

    name: str
    type: str = ""
    default: Any = None
    values: tuple[Any, ...] = ()


class Template(_Answered):
    """What a template takes and gives, as Generio describes it now."""

    id: str = ""
    name: str
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    input_types: tuple[str, ...] = ()
    output_types: tuple[str, ...] = ()

    def takes(self, media_type: str) -> bool:
        """Whether an input may be of this type; `prompt` is a text, and `image/jpg` is `image/jpeg`."""
        known = {"prompt": "text/plain", "image/jpg": "image/jpeg"}
        return media_type in {known.get(one, one) for one in self.input_types}


class Flow(_Answered):
    """A flow as Generio shows it. `progress` is 0 to 1, and jumps."""

    flow_id: str = Field(validation_alias=AliasChoices("flow_id", "id"))
    template: str = ""
    state: str
    progress: float | None = None
    created_at: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    parameters: dict[str, Any] = {}
    additional: Any = None
    error: str = Field(default="", validation_alias=AliasChoices("error", "message", "detail"))

    @field_validator("template", "error", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        return value if isinstance(value, str) else json.dumps(value)

    def as_job(self, outputs: Sequence["Asset"] = ()) -> Job:
        """The flow in the words that all providers share; an unknown state counts as running."""
        times = {"created": self.created_at, "started": self.started_at, "completed": self.finished_at}
        status = _STATUSES.get(self.state, JobStatus.RUNNING)
        return Job(
            id=self.flow_id,
            status=status,
            progress=100.0 if status is JobStatus.SUCCEEDED else None if self.progress is None else self.progress * 100,
            outputs=tuple(
                Output(f"model-{number}" if len(outputs) > 1 else "model", "model", url=_output(self.flow_id, asset.asset_id))
                for number, asset in enumerate(outputs, 1)
            ),
            error=self.error,
            echo={"template": self.template} if self.template else {},
            times={name: value for name, value in times.items() if value},
        )


class Asset(_Answered):
    """An input or an output of a flow; an input's `additional` comes back on the output it led to."""

    asset_id: str = Field(validation_alias=AliasChoices("asset_id", "id"))
    status: str = "ready"
    additional: Any = None
    data: str | None = None

    @property
    def usable(self) -> bool:
        """Whether there is something to fetch."""
        return self.status != "error"


class _Templates(BaseModel):
    templates: list[Template]


class _Data(BaseModel):
    data: str


class GenerioClient:
    """Calls Generio's API for one account; get it with `GenerioClient.lease`.

    Args:
        account: Who pays, and where the API lives.
        key: Sent as a bearer key, to the account's own origin only.
    """

    def __init__(self, account: Account, key: str) -> None:
        self.account = account
        self._base_url = check_base_url(account.base_url)
        self.http = Session(
            PROVIDER,
            self._base_url,
            headers={"Authorization": f"Bearer {key}"},
            secrets=(key,),
            origins=Origins(account.base_url),
            explain=_explain,
        )
        self.watcher = Watcher(self._look, every=lambda: POLL_SECONDS, clock_scale=lambda: self.http.clock_scale)

    @classmethod
    def lease(cls, account: Account, key: str) -> AbstractAsyncContextManager["GenerioClient"]:
        """The account's client on this event loop: shared while anybody holds it, closed with the last."""
        return leased((PROVIDER, account, sha256(key.encode()).digest()), lambda: cls(account, key))

    async def aclose(self) -> None:
        """Stop watching and close the connections."""
        await self.watcher.aclose()
        await self.http.aclose()

    async def list_templates(self) -> list[Template]:
        """Every template the account can use."""
        return self.http.read(_Templates, (await self.http.call("GET", "/templates")).body).templates

    async def get_template(self, name: str) -> Template:
        """What a template takes and gives; by its name or id.

        Raises:
            NotFoundError: Generio knows no such template.
        """
        return self.http.read(Template, (await self.http.call("GET", f"/templates/{quote(name, safe='')}")).body)

    async def create_flow(
        self, template: str, parameters: Mapping[str, Any], *, additional: Any, gate: Gate | None = None
    ) -> Flow:
        """Make a flow without inputs: nothing runs and nothing is paid until it is started.

        Args:
            template: Its name or id.
            parameters: The fields the caller set.
            additional: Kept with the flow, so that it is found again by `find_flow` when the answer is lost.
            gate: As `Session.call` takes it.
        """
        body = {"template": template, "parameters": dict(parameters), "inputs": None, "additional": additional}
        return self.http.read(Flow, (await self.http.call("POST", "/flows", repeatable=False, gate=gate, json=body)).body)

    def reference(self, attempt: "Attempt") -> str:
        """A flow, as the watcher knows it."""
        return attempt.remote_id or ""

    async def recover(self, attempt: "Attempt", journal: "Journal") -> str | None:
        """The flow that an attempt made, by the key that stands in its `additional`, if there is one."""
        del journal
        return await self.find_flow({"genmedia": f"{attempt.key}:{attempt.number}"})

    async def cancel(self, job_id: str) -> Job | None:
        """Abort a flow, and wait until it has ended: as aborted, unless it reached its end first. What that costs is not documented.

        Raises:
            RefusedError: It was never started.
        """
        return (await self.abort_flow(job_id)).as_job()

    async def find_flow(self, additional: Any) -> str | None:
        """The id of the flow that was made with this `additional`, if there is one."""
        return next((flow.flow_id for flow in await self.list_flows() if flow.additional == additional), None)

    async def list_flows(self, *, sort_by: SortBy | None = None, filter_by: str = "") -> list[Flow]:
        """The account's flows, newest first unless sorted otherwise.

        Args:
            sort_by: Which field orders them.
            filter_by: A state in the newer generation of the API, field names in the older one, where what is left out of a flow
                makes it unreadable here.
        """
        chosen = {name: value for name, value in (("sort_by", sort_by), ("filter_by", filter_by)) if value}
        body = (await self.http.call("GET", "/flows", params=chosen)).body
        return [flow for flow in self.http.read_each(Flow, self._items(body, "flows")) if flow]

    async def get_flow(self, flow_id: str) -> Flow:
        """The flow as it is now.

        Raises:
            NotFoundError: This account has no such flow.
        """
        return self.http.read(Flow, (await self.http.call("GET", _flow(flow_id))).body)

    async def upload_input(self, flow_id: str, data: str, *, additional: str) -> Asset:
        """Add an input to a flow that was not started; one that is there already under this `additional` is not added twice.

        Args:
            flow_id: The flow.
            data: A text, or a file as a data URI.
            additional: Tells the inputs of the flow apart.

        Raises:
            RefusedError: The flow has been started, its template takes no such type, or what is there is not what was sent.
        """
        there = await self.list_inputs(flow_id)
        for _ in range(2):
            known = next((asset for asset in there if asset.additional == additional), None)
            if known:
                return await self._whole(flow_id, known, data)
            try:
                answer = await self.http.call(
                    "POST", f"{_flow(flow_id)}/inputs", repeatable=False, json={"data": data, "additional": additional}
                )
            except errors.MaybeAcceptedError:
                there = await self.list_inputs(flow_id)  # a lost answer must not double the input
            else:
                return self.http.read(Asset, answer.body)
        raise errors.NoAnswerError(f"generio took no input {additional} for flow {flow_id}")

    async def _whole(self, flow_id: str, known: Asset, data: str) -> Asset:
        """An input that is there already, if it is what was sent: its upload may have broken off."""
        if (await self.get_input(flow_id, known.asset_id)).data not in (data, None):
            raise errors.RefusedError(
                f"generio: input {known.asset_id} of flow {flow_id} is not what was sent",
                advice="Delete the flow, then run again.",
            )
        return known

    async def list_inputs(self, flow_id: str, *, include_data: bool = False) -> list[Asset]:
        """The inputs that a flow has."""
        return await self._assets(f"{_flow(flow_id)}/inputs", "inputs", include_data=include_data)

    async def get_input(self, flow_id: str, asset_id: str) -> Asset:
        """One input, with its data."""
        return self.http.read(Asset, (await self.http.call("GET", f"{_flow(flow_id)}/inputs/{quote(asset_id, safe='')}")).body)

    async def start_flow(self, flow_id: str) -> None:
        """Start a flow; this is what is paid for. One that was started already is left to run: starting twice is one start.

        Raises:
            NotAcceptedError: It was not started.
            MaybeAcceptedError: It may have been started; its state tells.
        """
        await self._act(flow_id, "start", possible_in=("created",))

    async def abort_flow(self, flow_id: str) -> Flow:
        """Ask a flow to end, and wait until it has: its state is `aborted`, or another if it reached its end first.

        Raises:
            RefusedError: It was never started.
        """
        await self._act(flow_id, "abort", possible_in=("created", "starting", "running"))
        flow = await self.get_flow(flow_id)
        while not flow.as_job().status.terminal:
            await asyncio.sleep(ABORT_SECONDS / self.http.clock_scale)
            flow = await self.get_flow(flow_id)
        return flow

    async def _act(self, flow_id: str, action: str, *, possible_in: Collection[str]) -> None:
        """Change a flow's state; that it has left the states that allow it already is no failure."""
        try:
            await self.http.call("PATCH", _flow(flow_id), urgent=action == "abort", repeatable=False, json={"action": action})
        except (errors.RefusedError, errors.MaybeAcceptedError):
            if (await self.get_flow(flow_id)).state in possible_in:
                raise

    async def delete_flow(self, flow_id: str) -> None:
        """Delete a flow with everything in it; one that is gone already is fine.

        Raises:
            RefusedError: It runs.
        """
        with suppress(errors.NotFoundError):
            await self.http.call("DELETE", _flow(flow_id))

    async def list_outputs(self, flow_id: str, *, include_data: bool = False) -> list[Asset]:
        """What a flow gave; of one that was aborted or failed, what it gave before.

        Raises:
            RefusedError: It has not ended.
        """
        return await self._assets(f"{_flow(flow_id)}/outputs", "outputs", include_data=include_data)

    async def fetch_output(self, output: Output, sink: BinaryIO, max_bytes: int) -> Fetched:
        """Stream an output into a sink: as it is, or out of the JSON that it comes in.

        Raises:
            DownloadError: The class says the cause.
        """
        # As base64 in JSON a file is a third larger, and has a few words around it.
        fetched = await self.http.fetch(f"{self._base_url}{output.url}", sink, max_bytes=max_bytes * 4 // 3 + 1000, keyed=True)
        sink.seek(0)
        if sink.read(1) not in (b"{", b'"'):
            if fetched.size > max_bytes:
                raise errors.OversizeError(f"generio: GET {output.url} sent more than {max_bytes} bytes")
            return fetched
        sink.seek(0)
        try:
            content = _decoded(_Data.model_validate_json(sink.read()).data)
        except (ValidationError, ValueError):
            raise errors.BrokenDownloadError(f"generio: GET {output.url} gave JSON without a readable data URI") from None
        if len(content) > max_bytes:
            raise errors.OversizeError(f"generio: GET {output.url} sent more than {max_bytes} bytes")
        sink.seek(0)
        sink.truncate()
        sink.write(content)
        return Fetched(len(content), sha256(content).hexdigest())

    async def _assets(self, path: str, name: str, *, include_data: bool) -> list[Asset]:
        params = {"include_data": "true"} if include_data else {}
        body = (await self.http.call("GET", path, params=params)).body
        return [self.http.read(Asset, item) for item in self._items(body, name)]

    def _items(self, body: Any, name: str) -> list[Any]:
        """A list, bare or in its envelope."""
        items: Any = cast("dict[str, Any]", body).get(name) if isinstance(body, dict) else body
        if not isinstance(items, list):
            raise errors.UnreadableAnswerError(f"generio answered without a list of {name}")
        return cast("list[Any]", items)

    async def _look(self, due: frozenset[str]) -> Look[str]:
        """The whole list for many flows, since it has no pages; what is not in it, and a single one, by id."""
        found: dict[str, Flow] = {}
        if len(due) > 1:
            found = {flow.flow_id: flow for flow in await self.list_flows() if flow.flow_id in due}

        async def look(flow_id: str) -> Job:
            return await self._with_outputs(found.get(flow_id) or await self.get_flow(flow_id))

        return await look_at_each(due, look, self.watcher.hint)

    async def _with_outputs(self, flow: Flow) -> Job:
        job = flow.as_job()
        if not job.status.terminal:
            return job
        outputs: list[Asset] = []
        with suppress(errors.RefusedError, errors.NotFoundError):
            outputs = [asset for asset in await self.list_outputs(flow.flow_id) if asset.usable]
        return flow.as_job(outputs)


def check_request(place: str, template: Template, parameters: Mapping[str, Any], media_types: Mapping[str, str]) -> list[Fault]:
    """Every parameter and input that the template does not take.

    Args:
        place: Where they stand, for the faults.
        template: As Generio describes it now.
        parameters: The fields the caller set.
        media_types: Each input's name and type.
    """
    faults = check_parameters(place, template, parameters)
    offer = ", ".join(template.input_types)
    if not media_types:
        faults.append(Fault(place, f"has no input; {template.name} takes {offer}"))
    faults += [
        Fault(f"{place}, input {name}", f"is {media_type}, but {template.name} takes {offer}")
        for name, media_type in media_types.items()
        if not template.takes(media_type)
    ]
    return faults


def check_parameters(place: str, template: Template, parameters: Mapping[str, Any]) -> list[Fault]:
    """Every parameter that the template does not take; see `check_request`."""
    known = {parameter.name: parameter for parameter in template.parameters}
    faults = [
        Fault(f"{place}, parameter {name}", f"is unknown to {template.name}; it takes {', '.join(known) or 'none'}")
        for name in parameters
        if name not in known
    ]
    for name, value in parameters.items():
        parameter = known.get(name)
        if parameter is None:
            continue
        if parameter.values and value not in parameter.values:
            faults.append(
                Fault(f"{place}, parameter {name}", f"is {value!r}, not one of {', '.join(map(str, parameter.values))}")
            )
        elif not _fits(value, parameter.type):
            faults.append(Fault(f"{place}, parameter {name}", f"is {value!r}, but {parameter.type} is needed"))
    return faults


def data_uri(media_type: str, content: bytes) -> str:
    """A file as Generio takes it."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def _fits(value: Any, type_: str) -> bool:
    allowed = _TYPES.get(type_)
    if allowed is None:
        return True
    if isinstance(value, int) and abs(value) > LARGEST:
        return False
    return isinstance(value, allowed) and (bool in allowed or not isinstance(value, bool))


def _decoded(uri: str) -> bytes:
    head, comma, data = uri.partition(",")
    if not (head.startswith("data:") and head.endswith(";base64") and comma):
        raise ValueError("no data URI")
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def _explain(body: Any) -> tuple[str, str]:
    """FastAPI's two forms of `detail`."""
    detail = body["detail"]
    if isinstance(detail, str):
        return "", detail
    return "", "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in detail)


def _flow(flow_id: str) -> str:
    return f"/flows/{quote(flow_id, safe='')}"


def _output(flow_id: str, asset_id: str) -> str:
    return f"{_flow(flow_id)}/outputs/{quote(asset_id, safe='')}"
