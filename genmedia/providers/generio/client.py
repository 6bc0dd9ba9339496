"""Generio Flows: 3D models made from templates, in two phases, so that nothing is paid for before its id is known.

The contract is Generio's "Flow API"; what its newer generations and its quickstart changed is read as well.
"""

import asyncio
import base64
import io
import re
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from hashlib import sha256
from time import monotonic
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, cast
from urllib.parse import quote

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic_core import to_json

from genmedia import errors
from genmedia.concurrency import leased
from genmedia.errors import Fault
from genmedia.jobs.job import Account, Buyer, Job, JobStatus, Number, Output
from genmedia.jobs.watcher import Look, Watcher, look_at_each
from genmedia.providers.terms import Terms
from genmedia.transport.answers import RemoteId, parse
from genmedia.transport.origins import Origins, check_base_url
from genmedia.transport.pace import ANSWER_SECONDS
from genmedia.transport.session import Fetched, Gate, Session
from genmedia.transport.unpacking import PIECE_BYTES

if TYPE_CHECKING:  # it loads a database library, which reading this provider's answers does not need
    from genmedia.journal import Attempt, Journal

PROVIDER = "generio"
BASE_URL = "https://flows.generio.ai"
UNIT = "credits"

POLL_SECONDS = (3.0, 7.0)
"""The vendor's own clients ask every 5 s for each flow; here one list tells of all."""

ABORT_SECONDS = 1.0
"""Seconds between two looks at a flow that is being aborted: a person waits for it."""

ENVELOPE_BYTES = 2**16
"""Most bytes of an output as JSON before its data, and most bytes after its data."""

LARGEST = 2**53
"""Largest whole number that has only one form in JSON."""

SortBy = Literal["status", "progress", "created_at", "started_at", "finished_at"]

_KEY, _INPUT = "genmedia", "input"
_DATA_URI = re.compile(rb'"data:(?:[^",\\]|\\/)*;base64,')
_ESCAPE = re.compile(rb"\\(?:/|u00([0-9a-fA-F]{2}))")
_CUT_ESCAPE = re.compile(rb"\\(?:u[0-9a-fA-F]{0,3})?\Z")
_STATUSES = {
    "created": JobStatus.UNSTARTED,
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
    """Ignores fields that it does not know; a field with null counts as missing."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_not_there(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {name: one for name, one in value.items() if one is not None}  # pyright: ignore[reportUnknownVariableType] # JSON


class Parameter(_Answered):
    """One parameter of a template; `values` lists its possible values, where it is a choice."""

    name: str
    type: str = ""
    default: Any = None
    values: tuple[Any, ...] = ()


class NamedInput(_Answered):
    """One of several inputs from which a template makes one output."""

    id: str
    types: tuple[str, ...]
    required: bool = True


class Template(_Answered):
    """A template, with its inputs and outputs, as Generio describes it now.

    Attributes:
        inputs: Inputs from which it makes one output; empty where each input gives an output of its own, as in all that the documents show.
    """

    id: str = ""
    name: str
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    input_types: tuple[str, ...] = ()
    output_types: tuple[str, ...] = ()
    inputs: tuple[NamedInput, ...] = ()

    @field_validator("inputs", mode="wrap")
    @classmethod
    def _may_be_told_otherwise(cls, value: Any, read: ValidatorFunctionWrapHandler) -> Any:
        """Read this field, which no document shows: in any other form it counts as empty, and the template stays readable."""
        try:
            return read(value)
        except ValidationError:
            return ()

    @property
    def several(self) -> tuple[NamedInput, ...]:
        """Inputs from which it makes one output, told apart by their names; empty where there are fewer than two."""
        return self.inputs if len(self.inputs) > 1 else ()

    def takes(self, media_type: str) -> bool:
        """True if an input may be of this type; `prompt` is a text, and `image/jpg` is `image/jpeg`."""
        known = {"prompt": "text/plain", "image/jpg": "image/jpeg"}
        return media_type in {known.get(one, one) for one in self.input_types}


class Flow(_Answered):
    """A flow as Generio shows it. `progress` is 0 to 1, and jumps."""

    flow_id: RemoteId = Field(validation_alias=AliasChoices("flow_id", "id"))
    template: str = ""
    state: str
    progress: Number = None
    created_at: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    parameters: dict[str, Any] = {}
    additional: Any = None
    error: str = Field(default="", validation_alias=AliasChoices("error", "message", "detail"))

    @field_validator("template", "error", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        return value if isinstance(value, str) else to_json(value).decode()

    def as_job(self, outputs: Sequence["Asset"] = ()) -> Job:
        """Return the flow in the words that all providers share; an unknown state counts as running."""
        times = {"created": self.created_at, "started": self.started_at, "completed": self.finished_at}
        status = _STATUSES.get(self.state, JobStatus.RUNNING)
        usable = [asset for asset in outputs if asset.usable]
        return Job(
            id=self.flow_id,
            status=status,
            progress=100.0 if status is JobStatus.SUCCEEDED else None if self.progress is None else self.progress * 100,
            outputs=tuple(
                Output(
                    (len(outputs) > 1 and asset.named) or (f"model-{number}" if len(usable) > 1 else "model"),
                    "model",
                    url=_output(self.flow_id, asset.asset_id),
                )
                for number, asset in enumerate(usable, 1)
            ),
            error=self.error,
            echo={"template": self.template} if self.template else {},
            times={name: value for name, value in times.items() if value},
        )


class Asset(_Answered):
    """An input or an output of a flow; an input's `additional` comes back on the output it led to."""

    asset_id: RemoteId = Field(validation_alias=AliasChoices("asset_id", "id"))
    status: str = "ready"
    additional: Any = None
    data: str | None = None

    @property
    def usable(self) -> bool:
        """True if there is a file to fetch: the status is not `error`."""
        return self.status != "error"

    @property
    def named(self) -> str:
        """Name of the input that led to it, of several; empty where it has none. See `input_additional`."""
        name: Any = cast("dict[str, Any]", self.additional).get(_INPUT) if isinstance(self.additional, dict) else None
        return name if isinstance(name, str) else ""


class _Templates(BaseModel):
    templates: list[Template]


class GenerioClient:
    """Calls Generio's API for one account; get it with `GenerioClient.lease`.

    Args:
        account: Account that pays, with the address of the API.
        key: Sent as a bearer key, to the account's own origin only.
    """

    def __init__(self, account: Account, key: str) -> None:
        self.account = account
        self.buyer = Buyer.of(account, key)
        self._base_url = check_base_url(account.base_url)
        self.http = Session(
            PROVIDER,
            self._base_url,
            headers={"Authorization": f"Bearer {key}"},
            secrets=(key,),
            origins=Origins(account.base_url),
            explain=_explain,
        )
        self.terms = Terms("Generio does not say whether it charges for it.", repeat_seconds=1)
        self.watcher: Watcher[str] = Watcher(
            self._look, every=lambda: POLL_SECONDS, clock_scale=lambda: self.http.clock_scale, clock=self.http.server_time
        )

    @classmethod
    def lease(cls, account: Account, key: str) -> AbstractAsyncContextManager["GenerioClient"]:
        """Lease the account's client on this event loop: all leases share it, and the last one closes it."""
        return leased((PROVIDER, account, Buyer.of(account, key)), lambda: cls(account, key))

    async def aclose(self) -> None:
        """Stop watching and close the connections."""
        await self.watcher.aclose()
        await self.http.aclose()

    async def list_templates(self) -> list[Template]:
        """Return every template the account can use."""
        return self.http.read(_Templates, (await self.http.call("GET", "/templates")).body).templates

    async def get_template(self, name: str) -> Template:
        """Return a template, with its inputs and outputs, by its name or id.

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
            parameters: The parameters that the caller set.
            additional: Kept with the flow, so that the flow is found again when the answer is lost.
            gate: As `Session.call` takes it.
        """
        body = {"template": template, "parameters": dict(parameters), "inputs": None, "additional": additional}
        return self.http.read(Flow, (await self.http.call("POST", "/flows", repeatable=False, gate=gate, json=body)).body)

    def reference(self, attempt: "Attempt") -> str:
        """Return the flow's id, by which the watcher knows it."""
        return attempt.remote_id or ""

    async def look(self, ref: str) -> Job:
        """Return a flow as it is now, with its outputs once it has ended.

        Raises:
            NotFoundError: This account has no such flow.
        """
        return await self._with_outputs(await self.get_flow(ref))

    async def recover(self, attempt: "Attempt", journal: "Journal") -> str | None:
        """Find the flow that was started for an attempt, by the key in its `additional`; None where there is none.

        Flows that were made for the attempt and never started are deleted: they cost nothing, and cannot be started after that.

        Raises:
            UnreadableAnswerError: A flow in the list cannot be read, and may be the one.
        """
        del journal
        mine, asked = f"{attempt.key}:{attempt.number}", monotonic()
        body = (await self.http.call("GET", "/flows")).body
        listed = self._items(body, "flows")
        flows = list(zip(listed, self.http.read_each(Flow, listed), strict=True))
        if any(flow is None and _may_have(item, mine) for item, flow in flows):
            raise errors.UnreadableAnswerError("generio lists a flow that may be the one and that cannot be read")
        started: str | None = None
        for _, flow in flows:
            if flow and _key_in(flow.additional) == mine and not await self.delete_unstarted(flow, asked):
                started = flow.flow_id
        return started

    async def cancel(self, ref: str) -> Job | None:
        """Abort a flow, and return it when it has ended: as aborted, unless it reached its end first. The cost of that is not documented.

        A flow that was never started is left as it is, and returned as unstarted.
        """
        try:
            flow = await self.abort_flow(ref)
        except errors.RefusedError:
            flow = await self.get_flow(ref)
            if flow.as_job().status is not JobStatus.UNSTARTED:
                raise
        return flow.as_job()

    async def delete_unstarted(self, flow: Flow, asked: float) -> bool:
        """Delete a flow if it was never started; return True if that was done, so that it cannot cost anything any more.

        Args:
            flow: The flow as it was seen.
            asked: Time at which the look began, by `time.monotonic`.

        Raises:
            MaybeAcceptedError: It could not be deleted soon enough after the look.
        """
        if flow.as_job().status is not JobStatus.UNSTARTED:
            return False

        @asynccontextmanager
        async def soon() -> AsyncGenerator[None]:
            # This process may have stood still since: a flow that was started and has ended meanwhile would be deleted with what it gave.
            if (ago := monotonic() - asked) > ANSWER_SECONDS:
                what = f"generio: flow {flow.flow_id} was seen not started {ago:.0f} s ago, too long ago to delete it"
                raise errors.MaybeAcceptedError(
                    what, money="Nothing was bought by that.", advice="Run again: it is looked at anew."
                )
            yield

        try:
            # A deletion without an answer is not repeated: the start may be under way, and the repeat could meet a flow that has ended.
            await self.delete_flow(flow.flow_id, repeatable=False, gate=soon)
        except (errors.RefusedError, errors.MaybeAcceptedError):
            with suppress(errors.NotFoundError):
                if (await self.get_flow(flow.flow_id)).as_job().status is JobStatus.UNSTARTED:
                    raise
                return False  # the start was still under way
        return True

    async def list_flows(self, *, sort_by: SortBy | None = None, filter_by: str = "") -> list[Flow]:
        """Return the account's flows, newest first unless sorted otherwise.

        Args:
            sort_by: Field that orders them.
            filter_by: A state in the newer generation of the API; names of fields in the older one, `flow_id` and `state` among them.

        Raises:
            RefusedError: The generation that this server speaks knows no such `filter_by`.
            UnreadableAnswerError: The answer does not fit the filter: flows in another state, or without an id or a state.
        """
        chosen = {name: value for name, value in (("sort_by", sort_by), ("filter_by", filter_by)) if value}
        body = (await self.http.call("GET", "/flows", params=chosen)).body
        read = self.http.read_each(Flow, self._items(body, "flows"))
        flows = [flow for flow in read if flow]
        if filter_by and (len(flows) < len(read) or (filter_by in _STATUSES and {flow.state for flow in flows} - {filter_by})):
            raise errors.UnreadableAnswerError(
                f"generio understood filter_by={filter_by} in another way than it was meant: "
                f"{len(read)} flows came, {len(flows)} of them with an id and a state",
                advice="One generation of the API takes a state there, the other names of fields, to which flow_id and state must belong.",
            )
        return flows

    async def get_flow(self, flow_id: str) -> Flow:
        """Return the flow as it is now.

        Raises:
            NotFoundError: This account has no such flow.
        """
        return self.http.read(Flow, (await self.http.call("GET", _flow(flow_id))).body)

    async def upload_input(self, flow_id: str, data: str, *, additional: Any) -> Asset:
        """Add an input to a flow that was not started, and return it; one that is there under this `additional` is not added twice.

        Args:
            flow_id: The flow.
            data: A text, or a file as a data URI.
            additional: Tells the inputs of the flow apart.

        Raises:
            RefusedError: The flow has been started, its template takes no such type, or the input that is there is not the one that was sent.
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
        """Return an input that is there already, if it is what was sent: its upload may have broken off. It may be longer than an answer."""
        there = io.BytesIO()
        try:
            url, limit = f"{self._base_url}{_input(flow_id, known.asset_id)}", len(data.encode()) * 3 + ENVELOPE_BYTES
            await self.http.fetch(url, there, max_bytes=limit, keyed=True)
            same = self.http.read(Asset, self.http.parse(there.getvalue())).data in (data, None)
        except (errors.OversizeError, errors.UnreadableAnswerError, ValueError):
            same = False
        except errors.DownloadError as error:
            raise errors.NotAcceptedError(error.what) from None
        if not same:
            raise errors.RefusedError(
                f"generio: input {known.asset_id} of flow {flow_id} is not what was sent",
                advice="Run again: it is made anew.",
            )
        return known

    async def list_inputs(self, flow_id: str, *, include_data: bool = False) -> list[Asset]:
        """Return the inputs that a flow has."""
        return await self._assets(f"{_flow(flow_id)}/inputs", "inputs", include_data=include_data)

    async def get_input(self, flow_id: str, asset_id: str) -> Asset:
        """Return one input, with its data."""
        return self.http.read(Asset, (await self.http.call("GET", _input(flow_id, asset_id))).body)

    async def start_flow(self, flow_id: str, gate: Gate | None = None) -> None:
        """Start a flow, which is what is paid for. One that was started already is left to run: starting twice is one start.

        Args:
            flow_id: The flow.
            gate: As `Session.call` takes it.

        Raises:
            NotAcceptedError: It was not started.
            MaybeAcceptedError: It may have been started; its state tells.
            InDoubtError: It may have been started, and Generio no longer knows it.
        """
        await self._act(flow_id, "start", possible_in=("created",), gate=gate)

    async def abort_flow(self, flow_id: str) -> Flow:
        """Abort a flow, and return it when it has ended: its state is `aborted`, or another if it reached its end first.

        Raises:
            RefusedError: It was never started.
        """
        await self._act(flow_id, "abort", possible_in=("created", "starting", "running"))
        flow = await self.get_flow(flow_id)
        while not flow.as_job().status.terminal:
            await asyncio.sleep(ABORT_SECONDS / self.http.clock_scale)
            flow = await self.get_flow(flow_id)
        return flow

    async def _act(self, flow_id: str, action: str, *, possible_in: Collection[str], gate: Gate | None = None) -> None:
        """Change a flow's state; it is no failure if the flow has already left the states in which that is possible."""
        urgent = action == "abort"
        try:
            await self.http.call("PATCH", _flow(flow_id), urgent=urgent, repeatable=False, gate=gate, json={"action": action})
        except (errors.RefusedError, errors.MaybeAcceptedError) as error:
            try:
                flow = await self.get_flow(flow_id)
            except errors.NotFoundError:
                if action == "start":
                    raise errors.InDoubtError(f"{error.what}, and generio knows flow {flow_id} no more") from None
                raise
            if flow.state in possible_in:
                raise

    async def delete_flow(self, flow_id: str, *, repeatable: bool = True, gate: Gate | None = None) -> None:
        """Delete a flow with everything in it; one that is gone already is no failure.

        Args:
            flow_id: The flow.
            repeatable: As `Session.call` takes it.
            gate: As `Session.call` takes it.

        Raises:
            RefusedError: It runs.
        """
        with suppress(errors.NotFoundError):
            await self.http.call("DELETE", _flow(flow_id), repeatable=repeatable, gate=gate)

    async def list_outputs(self, flow_id: str, *, include_data: bool = False) -> list[Asset]:
        """Return the outputs of a flow; of one that was aborted or failed, those that it gave before.

        Raises:
            RefusedError: It has not ended.
        """
        return await self._assets(f"{_flow(flow_id)}/outputs", "outputs", include_data=include_data)

    async def balance(self) -> None:
        """Return None: Generio does not tell the credits left."""

    async def fetch_output(self, output: Output, sink: BinaryIO, max_bytes: int) -> Fetched:
        """Stream an output into a sink: as it is, or decoded from the JSON that it comes in.

        Raises:
            DownloadError: The class says the cause.
        """
        where = f"generio: GET {output.url}"
        # As base64 in JSON a file is a third larger, some write `/` and `+` as escapes, and there are a few words around it.
        fetched = await self.http.fetch(
            f"{self._base_url}{output.url}", sink, max_bytes=max_bytes * 3 // 2 + ENVELOPE_BYTES, keyed=True
        )
        sink.seek(0)
        if sink.read(1) in (b"{", b'"'):
            try:
                fetched = await asyncio.to_thread(_unwrap, sink)
            except ValueError:
                raise errors.BrokenDownloadError(f"{where} gave JSON without a readable data URI") from None
        if fetched.size > max_bytes:
            raise errors.OversizeError(f"{where} sent more than {max_bytes} bytes")
        return fetched

    async def _assets(self, path: str, name: str, *, include_data: bool) -> list[Asset]:
        params = {"include_data": "true"} if include_data else {}
        body = (await self.http.call("GET", path, params=params)).body
        return [self.http.read(Asset, item) for item in self._items(body, name)]

    def _items(self, body: Any, name: str) -> list[Any]:
        """Return a list, which comes bare or in its envelope."""
        items: Any = cast("dict[str, Any]", body).get(name) if isinstance(body, dict) else body
        if not isinstance(items, list):
            raise errors.UnreadableAnswerError(f"generio answered without a list of {name}")
        return cast("list[Any]", items)

    async def _look(self, due: frozenset[str]) -> Look[str]:
        """Look at many flows by the whole list, since it has no pages; at those that are not in it, and at a single one, by id."""
        found: dict[str, Flow] = {}
        if len(due) > 1:
            with suppress(errors.UnreadableAnswerError):  # one by one they may be read
                found = {flow.flow_id: flow for flow in await self.list_flows()}
        for flow_id in found.keys() & self.watcher.refs - due:
            if (shown := found[flow_id].as_job()).status.terminal:
                self.watcher.look_soon(flow_id)
            else:
                self.watcher.hint(flow_id, shown)

        async def look(flow_id: str) -> Job:
            return await self._with_outputs(found.get(flow_id) or await self.get_flow(flow_id))

        return await look_at_each(due, look, self.watcher.hint)

    async def _with_outputs(self, flow: Flow) -> Job:
        job = flow.as_job()
        if not job.status.terminal or job.status is JobStatus.UNSTARTED:
            return job
        outputs: list[Asset] = []
        with suppress(errors.RefusedError, errors.NotFoundError):
            outputs = await self.list_outputs(flow.flow_id)
        return flow.as_job(outputs)


def check_request(place: str, template: Template, parameters: Mapping[str, Any], media_types: Mapping[str, str]) -> list[Fault]:
    """Return a fault for every parameter and input that the template does not take.

    Args:
        place: Place of the step, for the faults.
        template: The template, as Generio describes it now.
        parameters: The parameters that the caller set.
        media_types: Media type of each input, by its name.
    """
    faults = check_parameters(place, template, parameters)
    offer = ", ".join(template.input_types)
    if not media_types:
        faults.append(Fault(place, f"has no input; {template.name} takes {offer}"))
    if several := template.several:
        faults.append(
            Fault(place, f"takes {' and '.join(one.id for one in several)} together, which only a campaign can give it")
        )
    faults += [
        Fault(f"{place}, input {name}", f"is {media_type}, but {template.name} takes {offer}")
        for name, media_type in media_types.items()
        if not template.takes(media_type)
    ]
    return faults


def check_parameters(place: str, template: Template, parameters: Mapping[str, Any]) -> list[Fault]:
    """Return a fault for every parameter that the template does not take; see `check_request`."""
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
    """Return a file as Generio takes it, as a data URI."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def _fits(value: Any, type_: str) -> bool:
    allowed = _TYPES.get(type_)
    if allowed is None:
        return True
    if isinstance(value, int) and abs(value) > LARGEST:
        return False
    return isinstance(value, allowed) and (bool in allowed or not isinstance(value, bool))


def _unwrap(file: BinaryIO) -> Fetched:
    """Replace JSON that has a file in it, as a data URI, by that file: in place, since the bytes written are never ahead of those read.

    Raises:
        ValueError: It is not such JSON.
    """
    file.seek(0)
    head = file.read(ENVELOPE_BYTES)
    begin = _DATA_URI.search(head)
    if not begin:
        raise ValueError("no data URI")
    read, written, digest, text, closed = begin.end(), 0, sha256(), b"", b""
    while not closed:
        file.seek(read)
        piece = file.read(PIECE_BYTES)
        read += len(piece)
        text, closed, tail = (text + piece).partition(b'"')
        if not piece:
            raise ValueError("the JSON is cut")
        if closed:
            _check_envelope(head[: begin.start()], tail + file.read(ENVELOPE_BYTES))
        usable, text = _split(text, last=bool(closed))
        content = base64.b64decode(usable, validate=True)  # binascii.Error is a ValueError
        file.seek(written)
        file.write(content)
        digest.update(content)
        written += len(content)
    file.truncate(written)
    return Fetched(written, digest.hexdigest())


def _check_envelope(before: bytes, after: bytes) -> None:
    """Check that the text around the data is JSON, and that the data stood where Generio puts it: bare, or as the field `data`."""
    if len(after) > ENVELOPE_BYTES:
        raise ValueError("too much after the data")
    told = parse(before + b'""' + after)
    if (cast("dict[str, Any]", told).get("data") if isinstance(told, dict) else told) != "":
        raise ValueError("the data is something else's")


def _split(text: bytes, *, last: bool) -> tuple[bytes, bytes]:
    """Split a part of base64 in JSON: the bytes that can be decoded now, without JSON's escapes, and the rest, for the next part."""
    whole = text if last else _CUT_ESCAPE.sub(b"", text)
    plain = _ESCAPE.sub(lambda escape: b"/" if escape[1] is None else bytes([int(escape[1], 16)]), whole)
    usable = len(plain) if last else max(len(plain) // 4 - 1, 0) * 4  # the last four may be the end
    if not last and b"=" in plain[:usable]:
        raise ValueError("base64 goes on after its end")
    return plain[:usable], plain[usable:] + text[len(whole) :]


def _explain(body: Any) -> tuple[str, str]:
    """Return code and message of an error, from both of FastAPI's forms of `detail`."""
    detail = body["detail"]
    if isinstance(detail, str):
        return "", detail
    return "", "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in detail)


def additional_of(key: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """Return a flow's `additional`: the key, by which it is found again, and the labels, by which a person finds it at Generio."""
    return {_KEY: key, **({"labels": dict(labels)} if labels else {})}


def labels_in(additional: Any) -> dict[str, str]:
    """Return the labels in the `additional` of a flow; none where genmedia did not write it."""
    told: Any = cast("dict[str, Any]", additional).get("labels") if _key_in(additional) else None
    return {name: f"{value}" for name, value in cast("dict[str, Any]", told).items()} if isinstance(told, dict) else {}


def input_additional(name: str) -> dict[str, str]:
    """Return the `additional` of one of several inputs: its name."""
    return {_INPUT: name}


def _key_in(additional: Any) -> Any:
    return cast("dict[str, Any]", additional).get(_KEY) if isinstance(additional, dict) else None


def _may_have(item: Any, key: str) -> bool:
    """True if a flow that cannot be read may be the one that was made with this key."""
    if not isinstance(item, dict) or "additional" not in item:
        return True
    return _key_in(cast("dict[str, Any]", item)["additional"]) == key


def _flow(flow_id: str) -> str:
    return f"/flows/{quote(flow_id, safe='')}"


def _input(flow_id: str, asset_id: str) -> str:
    return f"{_flow(flow_id)}/inputs/{quote(asset_id, safe='')}"


def _output(flow_id: str, asset_id: str) -> str:
    return f"{_flow(flow_id)}/outputs/{quote(asset_id, safe='')}"
