"""FLORA: techniques, reusable workflows that turn pictures and texts into pictures and videos.

The contract is FLORA's beta document "API - Getting Started"; what later versions changed (snake_case names, lists, assets)
is read as well.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, TypeVar, cast
from urllib.parse import quote

import httpx
from pydantic import AliasChoices, AliasGenerator, BaseModel, ConfigDict, field_validator, model_validator
from pydantic.alias_generators import to_camel

from genmedia import errors
from genmedia.concurrency import leased
from genmedia.jobs.job import Account, Amount, Buyer, Job, JobStatus, Number, Output
from genmedia.jobs.watcher import Look, Watcher, look_at_each
from genmedia.providers.terms import Terms
from genmedia.transport.answers import Id, RemoteId
from genmedia.transport.origins import Origins, check_base_url, is_loopback, read_url, why_no_address
from genmedia.transport.pace import ANSWER_SECONDS, PAGES
from genmedia.transport.session import Explained, Fetched, Gate, Session

PROVIDER = "flora"
BASE_URL = "https://app.flora.ai"
CREDITS, USD = "credits", "USD"
"""Units of costs: credits where the cost's field is camelCase, as in the beta document, USD where it is snake_case."""

POLL_SECONDS = (2.0, 5.0)
"""The document: "Poll every 2-5 seconds"."""

RUNS_A_PAGE = 4
"""Runs that must still be to look at, for each page of the list that was read, so that the next one is read; by id each costs as much."""

AHEAD = timedelta(minutes=5)
"""Longest time by which the clock of FLORA's answers may be ahead of that of its runs."""

DATE_SECONDS = 2
"""Seconds by which a `Date` header may be late: it has whole seconds."""

IDEMPOTENCY_SECONDS = 2 * 3600.0
"""Time for which an equal `idempotency_key` surely finds its run, in seconds: the shortest of the three that FLORA states."""

PICTURE_TYPES = ("image/jpeg", "image/png", "image/webp", "image/gif", "image/avif")
"""Types of pictures that are sent to techniques. The assets API takes HEIC as well, but no document says that a technique reads it."""

DIRECT_UPLOAD_BYTES = 4 * 10**6
"""Largest file that is uploaded in one multipart call, in bytes; a larger one is uploaded to a signed address."""

ASSET_SECONDS = 120.0
"""Longest wait until FLORA has made a file ready, in seconds; its own client waits as long."""

_RUNS = "/api/v1/technique-runs"
_REGION = r"[a-z]{2}(-[a-z]+)+-[0-9]"
_BUCKET = r"([a-z0-9_-]+\.)+"
_HOSTS = re.compile(
    rf"""(?x) media\.flora\.ai | ik\.imagekit\.io | ({_BUCKET})? storage\.googleapis\.com
    | ({_BUCKET})? s3 ([.-]{_REGION} | \.dualstack\.{_REGION})? \.amazonaws\.com
    | {_BUCKET} s3-accelerate (\.dualstack)? \.amazonaws\.com """
)
"""The hosts that the document names: FLORA's own, Google Storage, S3 (its objects, not its web sites) and ImageKit."""

if TYPE_CHECKING:  # it loads a database library, which reading this provider's answers does not need
    from genmedia.journal import Attempt, Journal
    from genmedia.journal.order import Order
MEDIA = {"imageUrl": "image", "videoUrl": "video", "audioUrl": "audio", "documentUrl": "document"}
"""FLORA's names of media, with the names that all providers share."""
_STATUSES = {
    "pending": JobStatus.QUEUED,
    "running": JobStatus.RUNNING,
    "completed": JobStatus.SUCCEEDED,
    "failed": JobStatus.FAILED,
}


class _Answered(BaseModel):
    """Reads camelCase (the document's) and snake_case (later versions'); ignores what it does not know."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=AliasGenerator(validation_alias=lambda name: AliasChoices(to_camel(name), name)),
        populate_by_name=True,
    )

    @field_validator("inputs", "outputs", mode="before", check_fields=False)
    @classmethod
    def _null_is_empty(cls, value: Any) -> Any:
        return value or ()


class _Charged(_Answered):
    """An answer with a cost, whose unit only the generation of the answer tells: by the spelling of the cost's field.

    Where both spellings are there, the newer one counts, which is snake_case, with its amount.
    """

    unit: str = CREDITS
    cost_field: ClassVar[str]

    @model_validator(mode="before")
    @classmethod
    def _find_the_unit(cls, told: Any) -> Any:
        if not isinstance(told, dict):
            return told
        fields = cast("dict[str, Any]", told)
        if cls.cost_field not in fields:
            return {**fields, "unit": CREDITS}
        return {name: value for name, value in fields.items() if name != to_camel(cls.cost_field)} | {"unit": USD}


_M = TypeVar("_M", bound=_Answered)


RunRef = tuple[str, str]
"""A technique's slug and the id of its run."""


class TechniqueField(_Answered):
    """One input or output of a technique: its id, its name for people, and its type (`imageUrl`, `videoUrl`, `text`)."""

    id: str
    name: str = ""
    type: str
    optional: bool = False


class Technique(_Charged):
    """A technique: its inputs, outputs and cost. `run_cost` is in `unit`, None where it is unknown; `slug` is there in lists only."""

    cost_field = "run_cost"
    technique_id: RemoteId
    slug: str = ""
    name: str = ""
    description: str = ""
    run_cost: Amount = None
    inputs: tuple[TechniqueField, ...] = ()
    outputs: tuple[TechniqueField, ...] = ()


class RunInput(BaseModel):
    """One input of a run. `type` is `imageUrl`, `videoUrl` or `text`; `value` is an https address, or the text itself."""

    model_config = ConfigDict(frozen=True)

    id: str
    type: str
    value: str


def run_inputs(request: Mapping[str, Any], addresses: Mapping[str, str]) -> list[RunInput]:
    """Return the inputs of an order's request as they are sent.

    Args:
        request: Request of an order; its inputs are texts, and files that are named by hash.
        addresses: Address at which FLORA reads each file, by the id of the input.
    """
    return [
        RunInput(id=one["id"], type=one["type"], value=one["text"] if "text" in one else addresses[one["id"]])
        for one in request["inputs"]
    ]


class RunOutput(_Answered):
    """One output of a run; of a text, `url` is the text itself."""

    output_id: Id
    type: Id
    url: str


class Run(_Charged):
    """One run of a technique. Times are unix milliseconds; `outputs` and `charged_cost`, in `unit` if it is one, come with `completed`."""

    cost_field = "charged_cost"
    run_id: RemoteId
    status: str
    progress: Number = None
    created_at: Number = None
    started_at: Number = None
    completed_at: Number = None
    charged_cost: Any = None
    outputs: tuple[RunOutput, ...] = ()
    error_code: str | None = None
    error_message: str | None = None

    @property
    def tells_all(self) -> bool:
        """True if a list that shows the run like this leaves nothing to look for: it goes on, or what it gave and cost is told."""
        job = self.as_job()
        complete = job.status is JobStatus.SUCCEEDED and bool(job.outputs) and job.charged is not None
        return complete or not job.status.terminal

    def as_job(self) -> Job:
        """Return the run in the words that all providers share; an unknown status counts as running. Failed runs are not charged.

        A charge that is no amount is unknown: a failed run is known to be free only where FLORA states no charge at all.
        """
        status = _STATUSES.get(self.status, JobStatus.RUNNING)
        unbilled = status is JobStatus.FAILED and self.charged_cost is None
        times = {"created": self.created_at, "started": self.started_at, "completed": self.completed_at}
        return Job(
            id=self.run_id,
            status=status,
            progress=self.progress,
            charged=0 if unbilled else self.charged_cost,
            unit=self.unit,
            outputs=tuple(_as_output(output) for output in self.outputs),
            error=" - ".join(part for part in (self.error_code, self.error_message) if part),
            code=self.error_code or "",
            times={name: stated for name, milliseconds in times.items() if (stated := _iso(milliseconds))},
        )


class Workspace(_Answered):
    """A workspace, to which assets and runs belong in FLORA's newer generations."""

    workspace_id: RemoteId
    name: str = ""


class _Upload(_Answered):
    """Address and form fields for sending the bytes of an asset as a multipart form."""

    url: str
    form_fields: dict[str, str] = {}
    file_field: str = "file"


class _Asset(_Answered):
    """A file that is uploaded for runs to read."""

    asset_id: str = ""
    status: str = "ready"
    url: str | None = None
    upload: _Upload | None = None
    upload_url: str | None = None
    failure_message: str | None = None


def _as_output(output: RunOutput) -> Output:
    """Return a file output, where the type says so or an undocumented type comes with a web address; else a text output."""
    named = output.type in MEDIA or output.type.endswith(("Url", "_url"))
    if named or (output.type != "text" and _is_web_address(output.url)):
        return Output(output.output_id, MEDIA.get(output.type, output.type), url=output.url)
    return Output(output.output_id, "text", text=output.url)


def _is_web_address(value: str) -> bool:
    with suppress(errors.ForbiddenAddressError):
        parts = read_url(value)
        return parts.scheme in ("http", "https") and bool(parts.host)
    return False


def _iso(milliseconds: float | None) -> str:
    """Return the time as ISO 8601 in UTC; empty where none is stated, or one that no calendar has."""
    with suppress(OverflowError, ValueError, OSError, TypeError):
        return datetime.fromtimestamp((milliseconds or 0) / 1000, UTC).isoformat(timespec="milliseconds") if milliseconds else ""
    return ""


class FloraClient:
    """Calls FLORA's API for one account; get it with `FloraClient.lease`.

    Args:
        account: Account that pays, with the address of the API.
        api_key: Sent as a bearer key, to the account's own origin only.
        input_origins: Origins besides the documented hosts that inputs may be at and outputs may be fetched from.
        workspace: Id or name of the workspace that files are uploaded to; needed where the account has several.
        webhook_url: Address at which FLORA tells that a run has ended; empty for none. The beta document knows no such field.
    """

    def __init__(
        self,
        account: Account,
        api_key: str,
        *,
        input_origins: Sequence[str] = (),
        workspace: str = "",
        webhook_url: str = "",
    ) -> None:
        self.account = account
        self.buyer = Buyer.of(account, api_key)
        self._workspace = workspace
        # FLORA itself refuses a run with an address on this machine, which a block keeps that was a sandbox's before.
        told = webhook_url and (is_loopback(account.base_url) or not is_loopback(webhook_url))
        self._callback = {"callback_url": webhook_url} if told else {}
        self.http = Session(
            PROVIDER,
            check_base_url(account.base_url),
            headers={"Authorization": f"Bearer {api_key}"},
            secrets=(api_key,),
            origins=Origins(account.base_url, tuple(input_origins), _is_documented),
            explain=_explain,
        )

        self.terms = Terms(
            "FLORA does not charge failed runs.", repeat_seconds=ANSWER_SECONDS, reprice=self._reprice, webhooks=True
        )
        self.watcher: Watcher[RunRef] = Watcher(
            self._look, every=lambda: POLL_SECONDS, clock_scale=lambda: self.http.clock_scale, clock=self.http.server_time
        )
        self._lists_runs = True  # until it turns out that this FLORA does not

    @classmethod
    def lease(
        cls,
        account: Account,
        api_key: str,
        *,
        input_origins: Sequence[str] = (),
        workspace: str = "",
        webhook_url: str = "",
    ) -> AbstractAsyncContextManager["FloraClient"]:
        """Lease the account's client on this event loop: all leases share it, and the last one closes it."""
        key = (PROVIDER, account, Buyer.of(account, api_key), tuple(input_origins), workspace, webhook_url)
        return leased(
            key,
            lambda: cls(account, api_key, input_origins=input_origins, workspace=workspace, webhook_url=webhook_url),
        )

    async def aclose(self) -> None:
        """Stop watching and close the connections."""
        await self.watcher.aclose()
        await self.http.aclose()

    async def get_technique(self, slug: str) -> Technique:
        """Return the inputs, outputs and cost of the technique `slug`; its owner may change it at any time.

        Raises:
            NotFoundError: FLORA knows no such technique.
        """
        return await self._get(Technique, _technique_path(slug))

    async def _reprice(self, order: "Order") -> float | None:
        technique = await self.get_technique(order.request["technique"])
        return technique.run_cost if technique.unit == order.unit else None

    async def create_run(self, slug: str, inputs: Sequence[RunInput], *, idempotency_key: str, gate: Gate | None = None) -> Run:
        """Buy one run. While FLORA remembers an `idempotency_key`, an equal one buys nothing.

        The key is sent as field and as header: some generations of the API read the one, some the other.
        The call is sent again only when it cannot have been accepted.

        Raises:
            NotAcceptedError: Nothing was bought.
            DuplicateError: The key was used before: its run exists, but the answer does not say which it is.
            MaybeAcceptedError: The run may exist; only a call with the same key can tell.
        """
        sent = [field.model_dump() for field in inputs]
        body = {"inputs": sent, "mode": "async", "idempotency_key": idempotency_key, **self._callback}
        path, headers = f"{_technique_path(slug)}/runs", {"Idempotency-Key": idempotency_key}
        answer = await self.http.call("POST", path, repeatable=False, gate=gate, json=body, headers=headers)
        return self.http.read(Run, answer.body)

    async def get_run(self, slug: str, run_id: str) -> Run:
        """Return the run as it is now.

        Raises:
            NotFoundError: This account has no such run under this technique.
        """
        return await self._get(Run, f"{_technique_path(slug)}/runs/{quote(run_id, safe='')}")

    async def list_techniques(self, query: str = "") -> list[Technique]:
        """Return all techniques the account can see, read in pages of 100.

        Raises:
            NotFoundError: This FLORA has no list yet; the beta document has none.
        """
        return await self._list(Technique, "/api/v1/techniques", "techniques", {"query": query} if query else {})

    async def list_runs(self, *, status: str = "", technique_id: str = "") -> list[Run]:
        """Return the account's runs, newest first, read in pages of 100.

        Raises:
            NotFoundError: This FLORA has no list yet; the beta document has none.
        """
        chosen = {"status": status, "technique_id": technique_id}
        return await self._list(Run, _RUNS, "technique_runs", {k: v for k, v in chosen.items() if v})

    def reference(self, attempt: "Attempt") -> tuple[str, str]:
        """Return the technique's slug and the run's id, by which the watcher knows a run."""
        return attempt.request["technique"], attempt.remote_id or ""

    async def look(self, ref: RunRef) -> Job:
        """Return a run as it is now.

        Raises:
            NotFoundError: This account has no such run of this technique.
        """
        return (await self.get_run(*ref)).as_job()

    async def recover(self, attempt: "Attempt", journal: "Journal") -> str | None:
        """Find the run of an attempt whose idempotency key FLORA may have forgotten, in its list of runs; None where there is no such run.

        A run does not tell its inputs. A run that was made after the attempt, and that no other attempt owns, is the one, if it is the only
        one of this kind and no other attempt may own it. One that was made up to `AHEAD` before that may be the one. Where there is none, the
        list is read again once no request can be under way any more: whoever sent the last one may have ended just now.

        Raises:
            UnlistedError: There is no list, but FLORA still remembers the key: a repeated submission of the order can ask by it.
            InDoubtError: There is no list, or several runs in it are possible, or some cannot be read.
        """
        asked_at = attempt.asked_at or attempt.intended_at
        try:
            technique = await self.get_technique(attempt.request["technique"])
            if not (possible := await self._find_runs(technique, asked_at, attempt.account, journal)):
                await asyncio.sleep(self.terms.repeat_seconds / self.http.clock_scale)
                possible = await self._find_runs(technique, asked_at, attempt.account, journal)
            earlier = [] if possible else await self._find_runs(technique, asked_at - AHEAD, attempt.account, journal)
        except errors.NotFoundError:
            if self.http.server_time() - asked_at < timedelta(seconds=IDEMPOTENCY_SECONDS):
                raise errors.UnlistedError("FLORA can be asked about it by its key, when it is wished for again") from None
            raise errors.InDoubtError("FLORA may have forgotten the key by now, and this one has no list of runs") from None
        found = [run.run_id for run in possible if run]
        if len(found) > 1 or (found and not await journal.is_alone(attempt)):
            raise errors.InDoubtError(f"{len(found)} runs in FLORA's list may be the one: {', '.join(found)}")
        if earlier:
            told = f"{len(earlier)} runs in FLORA's list were made just before it was asked for"
            raise errors.InDoubtError(f"{told}, by the clock of FLORA's answers, and may be the one")
        if possible and not found:
            raise errors.InDoubtError(f"{len(possible)} runs in FLORA's list cannot be read, and may be the one")
        return found[0] if found else None

    async def _find_runs(self, technique: Technique, asked_at: datetime, account: str, journal: "Journal") -> list[Run | None]:
        """Return the runs of a technique that were made since then and that no attempt owns; None for one that cannot be read."""
        listed = await self._list_each(Run, _RUNS, "technique_runs", {"technique_id": technique.technique_id})
        owned, since = await journal.owned_jobs(account), asked_at.timestamp() - DATE_SECONDS
        return [run for run in listed if not run or (run.run_id not in owned and _began(run) >= since)]

    async def cancel(self, ref: RunRef) -> Job | None:
        """Leave the run alone: FLORA cannot cancel."""
        del ref
        return None

    async def list_workspaces(self) -> list[Workspace]:
        """Return the account's workspaces; none where this FLORA has no list of them, as in the beta document."""
        try:
            body = (await self.http.call("GET", "/api/v1/workspaces")).body
        except errors.NotFoundError:
            return []
        return [one for one in self.http.read_each(Workspace, self._field(body, "workspaces")) if one]

    async def workspace(self) -> str:
        """Return the id of the workspace that files are uploaded to; empty where this FLORA knows none.

        Raises:
            SettingsError: The account has several and none of them is chosen, or it does not have the chosen one.
        """
        known = await self.list_workspaces()
        chosen = [one for one in known if self._workspace in ("", one.workspace_id, one.name)]
        if known and len(chosen) != 1:
            what = f"has no workspace {self._workspace!r}" if self._workspace and not chosen else "has several workspaces"
            told = ", ".join(f"{one.workspace_id} ({one.name})" for one in known)
            raise errors.SettingsError(
                f"the FLORA account {self.account.name} {what}, and files are uploaded to one",
                advice=f"Name one in the FLORA Credentials block, under Workspace: {told}.",
            )
        return chosen[0].workspace_id if chosen else ""

    async def takes_files(self) -> bool:
        """True if this FLORA has the assets API, which the beta document has not; an upload of nothing, which it refuses, tells.

        Raises:
            SettingsError: It has, but the workspace for uploads is not known.
        """
        try:
            await self.http.call("POST", "/api/v1/assets", json={})
        except errors.NotFoundError:
            return False
        except errors.RefusedError:
            pass
        await self.workspace()
        return True

    async def upload(self, path: Path, content_type: str) -> str:
        """Upload a local file to where a run can read it, and return its address. It costs nothing.

        Raises:
            NotFoundError: This FLORA has no assets API yet; the beta document has none.
            SettingsError: The workspace for uploads is not known; see `workspace`.
            ApiError: The upload did not succeed.
        """
        workspace = await self.workspace()
        about = {"file_name": path.name, "content_type": content_type, **({"workspace_id": workspace} if workspace else {})}
        direct = path.stat().st_size <= DIRECT_UPLOAD_BYTES
        try:
            if direct:
                file = {"file": (path.name, path.read_bytes(), content_type)}
                asset = await self._move_asset("", data=about, files=file)
            else:
                asset = await self._move_asset("", json={"source": "signed-url", **about})
        except errors.NotFoundError:
            raise errors.NotFoundError(
                f"{path.name} cannot be uploaded: this FLORA has no assets API",
                advice="Give the picture as a url on a host that FLORA reads from, instead of as a file.",
            ) from None
        if not direct:
            await self._send(asset, path, content_type)
            # The body must be `{}`: some generations answer an empty one with 400 invalid_json.
            asset = await self._move_asset(f"/{quote(asset.asset_id, safe='')}/complete", json={})
        return await self._address_of(asset, path.name)

    async def _move_asset(self, path: str, **request: Any) -> _Asset:
        return self.http.read(_Asset, (await self.http.call("POST", f"/api/v1/assets{path}", **request)).body)

    async def _send(self, asset: _Asset, path: Path, content_type: str) -> None:
        """Send a file to the address that was reserved for it."""
        form = asset.upload
        if form:
            await self.http.upload(
                form.url, path=path, content_type=content_type, fields=form.form_fields, file_field=form.file_field
            )
        elif asset.upload_url:
            await self.http.upload(asset.upload_url, path=path, content_type=content_type)
        else:
            raise errors.UnreadableAnswerError(f"flora reserved no address for {path.name}", money="Nothing was bought.")

    async def _address_of(self, asset: _Asset, name: str) -> str:
        """Wait until an asset is ready, and return the address at which runs read it.

        Raises:
            RefusedError: FLORA cannot use the file.
            NotAcceptedError: It was not ready in time.
        """
        deadline = monotonic() + ASSET_SECONDS / self.http.clock_scale
        shown = asset
        while not (shown.status == "ready" and shown.url):
            if shown.status == "failed":
                reason = (shown.failure_message or "").rstrip(". ") or "it names no reason"
                raise errors.RefusedError(
                    f"FLORA cannot use {name}: {reason}",
                    advice="Give another file, then run again.",
                )
            if monotonic() > deadline:
                raise errors.NotAcceptedError(
                    f"{name} was uploaded to FLORA, and was not ready after {ASSET_SECONDS:g} s", advice="Run again later."
                )
            await asyncio.sleep(1 / self.http.clock_scale)
            shown = await self._get(_Asset, f"/api/v1/assets/{quote(asset.asset_id, safe='')}")
        return shown.url

    async def balance(self) -> None:
        """Return None: FLORA does not tell the credits left."""

    async def fetch_output(self, output: Output, sink: BinaryIO, max_bytes: int) -> Fetched:
        """Stream a file output into a sink; its link needs no key.

        Raises:
            DownloadError: The class says the cause.
        """
        return await self.http.fetch(output.url or "", sink, max_bytes=max_bytes)

    async def reads(self, url: str) -> bool:
        """True if a run can take `url` as an input: FLORA reads from its host, and the file is still there."""
        return not check_media_url(url, self.http.origins) and await self.http.alive(url)

    async def _look(self, runs: frozenset[RunRef]) -> Look[RunRef]:
        """Look at runs by FLORA's list, where it has one and that takes fewer requests; at each other run with a request of its own."""
        jobs: dict[RunRef, Job] = {}
        if len(runs) > 1 and self._lists_runs:
            try:
                await self._look_through_list(runs, jobs)
            except errors.NotFoundError:
                self._lists_runs = False
            except errors.UnreadableAnswerError:
                pass  # one by one they may be read

        return replace(await look_at_each(runs - set(jobs), self.look, self.watcher.hint), jobs=jobs)

    async def _look_through_list(self, runs: frozenset[RunRef], jobs: dict[RunRef, Job]) -> None:
        """Add what the list tells of the runs that are waited for; pages are read, newest first, until they cost more than they save."""
        refs = {ref[1]: ref for ref in self.watcher.refs}
        read = 0
        async for page in self._pages(Run, _RUNS, "technique_runs", {}):
            read += 1
            shown = {refs[run.run_id]: run for run in page if run and run.run_id in refs}
            for ref, run in shown.items():
                if run.tells_all:
                    jobs[ref] = run.as_job()
                elif ref not in runs:
                    self.watcher.look_soon(ref)
            if not shown or len(runs - jobs.keys()) < read * RUNS_A_PAGE:
                break

    async def _get(self, model: type[_M], path: str) -> _M:
        return self.http.read(model, (await self.http.call("GET", path)).body)

    async def _list(self, model: type[_M], path: str, name: str, params: dict[str, str]) -> list[_M]:
        return [item for item in await self._list_each(model, path, name, params) if item]

    async def _list_each(self, model: type[_M], path: str, name: str, params: dict[str, str]) -> list[_M | None]:
        return [item async for page in self._pages(model, path, name, params) for item in page]

    async def _pages(self, model: type[_M], path: str, name: str, params: dict[str, str]) -> AsyncGenerator[Sequence[_M | None]]:
        """Read the pages of a list; an item that cannot be read is None, so that it hides no other."""
        cursor: str | None = None
        for _ in range(PAGES):
            page = {**params, "limit": "100"} | ({"cursor": cursor} if cursor else {})
            body = (await self.http.call("GET", path, params=page)).body
            yield self.http.read_each(model, self._field(body, name))
            meta = body.get("meta")
            last, cursor = cursor, _either(meta, "next_cursor") if isinstance(meta, dict) else None
            if not cursor or cursor == last:
                return
        raise errors.UnreadableAnswerError(f"flora's list of {name} goes on after {PAGES} pages")

    def _field(self, body: Any, name: str) -> Any:
        value = _either(body, name) if isinstance(body, dict) else None
        if value is None:
            raise errors.UnreadableAnswerError(f"flora answered without {name!r}")
        return value


def _began(run: Run) -> float:
    """Time at which a run was made, in unix seconds; infinite where it does not tell, for it may have been made at any time."""
    return inf if run.created_at is None else run.created_at / 1000


def _explain(body: Any) -> Explained:
    code, message = str(body["error"]["code"]), str(body["error"]["message"])
    duplicate = code.startswith("idempotency_") or (code == "conflict" and "idempoten" in message.lower())
    return (code, message, errors.DuplicateError) if duplicate else (code, message)


def _technique_path(slug: str) -> str:
    return f"/api/v1/techniques/{quote(slug, safe='')}"


def _either(body: Any, name: str) -> Any:
    return body.get(name, body.get(to_camel(name)))


def check_media_url(url: str, origins: Origins) -> str:
    """Reason why `url` cannot be a run's input; empty if it can.

    The document: https only, and only FLORA's own media host, Google Storage, S3 and ImageKit; besides these, listed origins.
    """
    if (wrong := why_no_address(url, origins)) or origins.lists(url) or _is_documented(parts := read_url(url)):
        return wrong
    return f"is on {parts.netloc.decode('ascii')}, which FLORA does not read from"


def _is_documented(url: httpx.URL) -> bool:
    return url.scheme == "https" and url.port is None and _HOSTS.fullmatch(url.host) is not None
