"""FLORA: techniques, reusable workflows that turn pictures and texts into pictures and videos.

The contract is FLORA's beta document "API - Getting Started"; what later versions changed (snake_case names, lists, assets)
is read as well.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
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
from genmedia.transport.origins import Origins, check_base_url, read_url, why_no_address
from genmedia.transport.pace import ANSWER_SECONDS, PAGES
from genmedia.transport.session import Explained, Fetched, Gate, Session

PROVIDER = "flora"
BASE_URL = "https://app.flora.ai"
CREDITS, USD = "credits", "USD"
"""The units that costs are in: credits where fields are camelCase, as in the beta document, USD where they are snake_case."""

POLL_SECONDS = (2.0, 5.0)
"""The document: "Poll every 2-5 seconds"."""

DATE_SECONDS = 2
"""By so much a `Date` header may be late: it has whole seconds."""

IDEMPOTENCY_SECONDS = 2 * 3600.0
"""How long an equal `idempotency_key` surely finds its run: the strictest of FLORA's three accounts."""

PICTURE_TYPES = ("image/jpeg", "image/png", "image/webp", "image/gif", "image/avif")
"""The pictures that techniques are handed. The assets API takes HEIC as well; that a technique reads it, nobody says."""

DIRECT_UPLOAD_BYTES = 4 * 10**6
"""Up to here a file goes up in one multipart call; beyond, through a signed address."""

ASSET_SECONDS = 120.0
"""How long FLORA may look at a file before it is ready; its own client waits as long."""

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
"""What FLORA calls media, and what everybody else calls them."""
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
    """What tells a cost, whose unit is told by the generation of the answer alone: by how the cost's field is spelled.

    Where it is spelled in both ways, the newer one counts, with its amount.
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
    """What a technique takes, gives and costs. `run_cost` is in `unit`, None where none is told; `slug` stands in lists only."""

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
    """The inputs of an order's request as they are sent.

    Args:
        request: Its inputs are texts, and files that are named by hash.
        addresses: Where FLORA reads each file, by the id of the input.
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

    def as_job(self) -> Job:
        """The run in the words that all providers share; an unknown status counts as running. Failed runs are not charged.

        A charge that is no amount is unknown: only where none is told at all, a failed run is known to be free.
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
    """Where assets and runs belong, in FLORA's newer generations."""

    workspace_id: RemoteId
    name: str = ""


class _Upload(_Answered):
    """Where the bytes of an asset are to be sent, as a multipart form."""

    url: str
    form_fields: dict[str, str] = {}
    file_field: str = "file"


class _Asset(_Answered):
    """A file on its way to where runs read it."""

    asset_id: str = ""
    status: str = "ready"
    url: str | None = None
    upload: _Upload | None = None
    upload_url: str | None = None
    failure_message: str | None = None


def _as_output(output: RunOutput) -> Output:
    """As a file, where the type says so or a type that no document names comes with an address; else as the text that it is."""
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
    """The time as text; empty where none is stated, or none that a calendar has."""
    with suppress(OverflowError, ValueError, OSError, TypeError):
        return datetime.fromtimestamp((milliseconds or 0) / 1000, UTC).isoformat(timespec="milliseconds") if milliseconds else ""
    return ""


class FloraClient:
    """Calls FLORA's API for one account; get it with `FloraClient.lease`.

    Args:
        account: Who pays, and where the API lives.
        api_key: Sent as a bearer key, to the account's own origin only.
        input_origins: Origins besides the documented hosts that inputs may be at and outputs may be fetched from.
        workspace: The id or name of the workspace that files are put up in; needed where the account has several.
    """

    def __init__(self, account: Account, api_key: str, *, input_origins: Sequence[str] = (), workspace: str = "") -> None:
        self.account = account
        self.buyer = Buyer.of(account, api_key)
        self._workspace = workspace
        self.http = Session(
            PROVIDER,
            check_base_url(account.base_url),
            headers={"Authorization": f"Bearer {api_key}"},
            secrets=(api_key,),
            origins=Origins(account.base_url, tuple(input_origins), _is_documented),
            explain=_explain,
        )

        self.terms = Terms("FLORA does not charge failed runs.", repeat_seconds=ANSWER_SECONDS, reprice=self._reprice)
        self.watcher = Watcher(self._look, every=lambda: POLL_SECONDS, clock_scale=lambda: self.http.clock_scale)
        self._lists_runs = True  # until it turns out that this FLORA does not

    @classmethod
    def lease(
        cls, account: Account, api_key: str, *, input_origins: Sequence[str] = (), workspace: str = ""
    ) -> AbstractAsyncContextManager["FloraClient"]:
        """The account's client on this event loop: shared while anybody holds it, closed with the last."""
        key = (PROVIDER, account, Buyer.of(account, api_key), tuple(input_origins), workspace)
        return leased(key, lambda: cls(account, api_key, input_origins=input_origins, workspace=workspace))

    async def aclose(self) -> None:
        """Stop watching and close the connections."""
        await self.watcher.aclose()
        await self.http.aclose()

    async def get_technique(self, slug: str) -> Technique:
        """What the technique `slug` takes, gives and costs; its owner may change it at any time.

        Raises:
            NotFoundError: FLORA knows no such technique.
        """
        return await self._get(Technique, _technique_path(slug))

    async def _reprice(self, order: "Order") -> float | None:
        technique = await self.get_technique(order.request["technique"])
        return technique.run_cost if technique.unit == order.unit else None

    async def create_run(self, slug: str, inputs: Sequence[RunInput], *, idempotency_key: str, gate: Gate | None = None) -> Run:
        """Buy one run. An equal `idempotency_key` buys nothing, while FLORA remembers it.

        The key goes as field and as header: some generations of the API read the one, some the other.
        The call is sent again only when it cannot have been accepted.

        Raises:
            NotAcceptedError: Nothing was bought.
            DuplicateError: The key was used before: its run exists, and the answer does not say which it is.
            MaybeAcceptedError: The run may exist; only a call with the same key can tell.
        """
        body = {"inputs": [field.model_dump() for field in inputs], "mode": "async", "idempotency_key": idempotency_key}
        path, headers = f"{_technique_path(slug)}/runs", {"Idempotency-Key": idempotency_key}
        answer = await self.http.call("POST", path, repeatable=False, gate=gate, json=body, headers=headers)
        return self.http.read(Run, answer.body)

    async def get_run(self, slug: str, run_id: str) -> Run:
        """The run as it is now.

        Raises:
            NotFoundError: This account has no such run under this technique.
        """
        return await self._get(Run, f"{_technique_path(slug)}/runs/{quote(run_id, safe='')}")

    async def list_techniques(self, query: str = "") -> list[Technique]:
        """All techniques the account can see, a page of 100 after another.

        Raises:
            NotFoundError: This FLORA has no list yet; the beta document has none.
        """
        return await self._list(Technique, "/api/v1/techniques", "techniques", {"query": query} if query else {})

    async def list_runs(self, *, status: str = "", technique_id: str = "") -> list[Run]:
        """The account's runs, newest first, a page of 100 after another.

        Raises:
            NotFoundError: This FLORA has no list yet; the beta document has none.
        """
        chosen = {"status": status, "technique_id": technique_id}
        return await self._list(Run, _RUNS, "technique_runs", {k: v for k, v in chosen.items() if v})

    def reference(self, attempt: "Attempt") -> tuple[str, str]:
        """A run, as the watcher knows it."""
        return attempt.request["technique"], attempt.remote_id or ""

    async def look(self, ref: RunRef) -> Job:
        """A run as it is now.

        Raises:
            NotFoundError: This account has no such run of this technique.
        """
        return (await self.get_run(*ref)).as_job()

    async def recover(self, attempt: "Attempt", journal: "Journal") -> str | None:
        """What became of an attempt whose idempotency key FLORA may have forgotten, by its list of runs, where it has one.

        A run does not tell its inputs. One that began after the attempt, that no other attempt owns, is the one if none else may be.

        Raises:
            UnlistedError: There is no list, and FLORA still remembers the key: whoever has the order can ask by it.
            InDoubtError: There is no list, or it leaves several possible.
        """
        asked_at = attempt.asked_at or attempt.intended_at
        try:
            technique = await self.get_technique(attempt.request["technique"])
            listed = await self._list_each(Run, _RUNS, "technique_runs", {"technique_id": technique.technique_id})
        except errors.NotFoundError:
            if self.http.server_time() - asked_at < timedelta(seconds=IDEMPOTENCY_SECONDS):
                raise errors.UnlistedError("FLORA can be asked about it by its key, when it is wished for again") from None
            raise errors.InDoubtError("FLORA may have forgotten the key by now, and this one has no list of runs") from None
        owned = await journal.owned_jobs(attempt.account)
        since = asked_at.timestamp() - DATE_SECONDS
        found = [run.run_id for run in listed if run and run.run_id not in owned and _began(run) >= since]
        if len(found) > 1 or (found and not await journal.is_alone(attempt)):
            raise errors.InDoubtError(f"{len(found)} runs in FLORA's list may be the one: {', '.join(found)}")
        if not found and (unread := listed.count(None)):
            raise errors.InDoubtError(f"{unread} runs in FLORA's list cannot be read, and may be the one")
        return found[0] if found else None

    async def cancel(self, ref: RunRef) -> Job | None:
        """Leave the run alone: FLORA cannot cancel."""
        del ref
        return None

    async def list_workspaces(self) -> list[Workspace]:
        """The account's workspaces; none where this FLORA knows none, as the beta document does not."""
        try:
            body = (await self.http.call("GET", "/api/v1/workspaces")).body
        except errors.NotFoundError:
            return []
        return [one for one in self.http.read_each(Workspace, self._field(body, "workspaces")) if one]

    async def workspace(self) -> str:
        """The id of the workspace that files are put up in; empty where this FLORA knows none.

        Raises:
            SettingsError: The account has several, and none of them is chosen.
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
        """Whether this FLORA has the assets API, which the beta document has not; asked by an upload of nothing, which it refuses.

        Raises:
            SettingsError: It has, and in which workspace a file is to be put up is not known.
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
        """Put a local file where a run can read it, and return its address. It costs nothing.

        Raises:
            NotFoundError: This FLORA has no assets API yet; the beta document has none.
            SettingsError: The account has several workspaces, and none of them is chosen.
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
        """Where runs read an asset, once it is ready.

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
        """FLORA does not tell what is left."""

    async def fetch_output(self, output: Output, sink: BinaryIO, max_bytes: int) -> Fetched:
        """Stream a file output into a sink; its link needs no key.

        Raises:
            DownloadError: The class says the cause.
        """
        return await self.http.fetch(output.url or "", sink, max_bytes=max_bytes)

    async def reads(self, url: str) -> bool:
        """Whether a run can take `url` as an input: FLORA reads from there, and the file is still there."""
        return not check_media_url(url, self.http.origins) and await self.http.alive(url)

    async def _look(self, runs: frozenset[RunRef]) -> Look[RunRef]:
        """One request for all that still run, where FLORA lists runs; one for each of the others."""
        jobs: dict[RunRef, Job] = {}
        if len(runs) > 1 and self._lists_runs:
            try:
                listed = {run.run_id: run.as_job() for run in await self._newest_runs()}
                jobs = {ref: listed[ref[1]] for ref in runs if ref[1] in listed and not listed[ref[1]].status.terminal}
            except errors.NotFoundError:
                self._lists_runs = False
            except errors.UnreadableAnswerError:
                pass  # one by one they may be read

        return replace(await look_at_each(runs - set(jobs), self.look, self.watcher.hint), jobs=jobs)

    async def _newest_runs(self) -> list[Run]:
        body = (await self.http.call("GET", _RUNS, params={"limit": "100"})).body
        return [run for run in self.http.read_each(Run, self._field(body, "technique_runs")) if run]

    async def _get(self, model: type[_M], path: str) -> _M:
        return self.http.read(model, (await self.http.call("GET", path)).body)

    async def _list(self, model: type[_M], path: str, name: str, params: dict[str, str]) -> list[_M]:
        return [item for item in await self._list_each(model, path, name, params) if item]

    async def _list_each(self, model: type[_M], path: str, name: str, params: dict[str, str]) -> list[_M | None]:
        """The items of all pages; None for one that cannot be read, which must not hide the others."""
        found: list[_M | None] = []
        cursor: str | None = None
        for _ in range(PAGES):
            page = {**params, "limit": "100"} | ({"cursor": cursor} if cursor else {})
            body = (await self.http.call("GET", path, params=page)).body
            found += self.http.read_each(model, self._field(body, name))
            meta = body.get("meta")
            last, cursor = cursor, _either(meta, "next_cursor") if isinstance(meta, dict) else None
            if not cursor or cursor == last:
                return found
        raise errors.UnreadableAnswerError(f"flora's list of {name} goes on after {PAGES} pages")

    def _field(self, body: Any, name: str) -> Any:
        value = _either(body, name) if isinstance(body, dict) else None
        if value is None:
            raise errors.UnreadableAnswerError(f"flora answered without {name!r}")
        return value


def _began(run: Run) -> float:
    """When, in seconds; a run that does not tell may have begun at any time."""
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
    """What is wrong with `url` as a run's input; empty when nothing is.

    The document: https only, and only FLORA's own media host, Google Storage, S3 and ImageKit; besides these, listed origins.
    """
    if (wrong := why_no_address(url, origins)) or origins.lists(url) or _is_documented(parts := read_url(url)):
        return wrong
    return f"is on {parts.netloc.decode('ascii')}, which FLORA does not read from"


def _is_documented(url: httpx.URL) -> bool:
    return url.scheme == "https" and url.port is None and _HOSTS.fullmatch(url.host) is not None
