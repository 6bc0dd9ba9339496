"""FLORA: techniques, reusable workflows that turn pictures and texts into pictures and videos.

The contract is FLORA's beta document "API - Getting Started"; what later versions changed (snake_case names, lists, assets)
is read as well.
"""

import re
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar
from urllib.parse import quote

import httpx
from pydantic import AliasChoices, AliasGenerator, BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel

from genmedia import errors
from genmedia.http import Explained, Fetched, Gate, Session
from genmedia.jobs import Account, Job, JobStatus, Output
from genmedia.leasing import leased
from genmedia.origins import Origins, check_base_url
from genmedia.watching import Look, Watcher, look_at_each

PROVIDER = "flora"
BASE_URL = "https://app.flora.ai"
UNIT = "credits"

POLL_SECONDS = (2.0, 5.0)
DATE_SECONDS = 2
"""By so much a `Date` header may be late: it has whole seconds."""
"""The document: "Poll every 2-5 seconds"."""

IDEMPOTENCY_SECONDS = 2 * 3600.0
"""How long an equal `idempotency_key` surely finds its run: the strictest of FLORA's three accounts."""

DIRECT_UPLOAD_BYTES = 4 * 10**6
"""Up to here a file goes up in one multipart call; beyond, through a signed address."""

_INPUT_HOSTS = re.compile(
    r"""(?x) media\.flora\.ai | ik\.imagekit\.io | storage\.googleapis\.com | [a-z0-9._-]+\.storage\.googleapis\.com
    | ([a-z0-9._-]+\.)? s3 ([.-](dualstack\.)?[a-z0-9-]+)? \.amazonaws\.com
    | [a-z0-9.-]+\.s3-accelerate (\.dualstack)? \.amazonaws\.com """
)

if TYPE_CHECKING:  # it loads a database library, which reading this provider's answers does not need
    from genmedia.journal import Attempt, Journal
_KINDS = {"imageUrl": "image", "videoUrl": "video", "audioUrl": "audio", "documentUrl": "document"}
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


_M = TypeVar("_M", bound=_Answered)


RunRef = tuple[str, str]
"""A technique's slug and the id of its run."""


class TechniqueField(_Answered):
    """One input or output of a technique: its id, its name for people, and its type (`imageUrl`, `videoUrl`, `text`)."""

    id: str
    name: str = ""
    type: str
    optional: bool = False


class Technique(_Answered):
    """What a technique takes, gives and costs. `run_cost` is in the account's unit; `slug` stands in lists only."""

    technique_id: str
    slug: str = ""
    name: str = ""
    description: str = ""
    run_cost: float = Field(ge=0, allow_inf_nan=False)
    inputs: tuple[TechniqueField, ...] = ()
    outputs: tuple[TechniqueField, ...] = ()


class RunInput(BaseModel):
    """One input of a run. `type` is `imageUrl`, `videoUrl` or `text`; `value` is an https address, or the text itself."""

    model_config = ConfigDict(frozen=True)

    id: str
    type: str
    value: str


class RunOutput(_Answered):
    """One output of a run; of a text, `url` is the text itself."""

    output_id: str
    type: str
    url: str


class Run(_Answered):
    """One run of a technique. Times are unix milliseconds; `outputs` and `charged_cost` come with `completed`."""

    run_id: str
    status: str
    progress: float | None = None
    created_at: float | None = None
    started_at: float | None = None
    completed_at: float | None = None
    charged_cost: float | None = None
    outputs: tuple[RunOutput, ...] = ()
    error_code: str | None = None
    error_message: str | None = None

    def as_job(self) -> Job:
        """The run in the words that all providers share; an unknown status counts as running. Failed runs are not charged."""
        status = _STATUSES.get(self.status, JobStatus.RUNNING)
        unbilled = status is JobStatus.FAILED and self.charged_cost is None
        times = {"created": self.created_at, "started": self.started_at, "completed": self.completed_at}
        return Job(
            id=self.run_id,
            status=status,
            progress=self.progress,
            charged=0 if unbilled else self.charged_cost,
            outputs=tuple(_as_output(output) for output in self.outputs),
            error=" - ".join(part for part in (self.error_code, self.error_message) if part),
            times={name: stated for name, milliseconds in times.items() if (stated := _iso(milliseconds))},
        )


def _as_output(output: RunOutput) -> Output:
    if output.type == "text":
        return Output(output.output_id, "text", text=output.url)
    return Output(output.output_id, _KINDS.get(output.type, output.type), url=output.url)


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
    """

    def __init__(self, account: Account, api_key: str, *, input_origins: Sequence[str] = ()) -> None:
        self.account = account
        self.http = Session(
            PROVIDER,
            check_base_url(account.base_url),
            headers={"Authorization": f"Bearer {api_key}"},
            secrets=(api_key,),
            origins=Origins(account.base_url, tuple(input_origins)),
            explain=_explain,
        )

        self.watcher = Watcher(self._look, every=lambda: POLL_SECONDS, clock_scale=lambda: self.http.clock_scale)
        self._lists_runs = True  # until it turns out that this FLORA does not

    @classmethod
    def lease(
        cls, account: Account, api_key: str, *, input_origins: Sequence[str] = ()
    ) -> AbstractAsyncContextManager["FloraClient"]:
        """The account's client on this event loop: shared while anybody holds it, closed with the last."""
        key = (PROVIDER, account, sha256(api_key.encode()).digest(), tuple(input_origins))
        return leased(key, lambda: cls(account, api_key, input_origins=input_origins))

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

    async def create_run(self, slug: str, inputs: Sequence[RunInput], *, idempotency_key: str, gate: Gate | None = None) -> Run:
        """Buy one run. An equal `idempotency_key` gives the run that exists, while FLORA remembers it.

        The call is sent again only when it cannot have been accepted.

        Raises:
            NotAcceptedError: Nothing was bought.
            MaybeAcceptedError: The run may exist; only a call with the same key can tell.
        """
        body = {"inputs": [field.model_dump() for field in inputs], "mode": "async", "idempotency_key": idempotency_key}
        answer = await self.http.call("POST", f"{_technique_path(slug)}/runs", repeatable=False, gate=gate, json=body)
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
        return await self._list(Run, "/api/v1/technique-runs", "technique_runs", {k: v for k, v in chosen.items() if v})

    def reference(self, attempt: "Attempt") -> tuple[str, str]:
        """A run, as the watcher knows it."""
        return attempt.request["technique"], attempt.remote_id or ""

    async def recover(self, attempt: "Attempt", journal: "Journal") -> str | None:
        """What became of an attempt whose idempotency key FLORA may have forgotten, by its list of runs, where it has one.

        A run does not tell its inputs. One that began after the attempt, that no other attempt owns, is the one if none else may be.

        Raises:
            NoAnswerError: There is no list, and FLORA still remembers the key: whoever has the order can ask by it.
            InDoubtError: There is no list, or it leaves several possible.
        """
        asked_at = attempt.asked_at or attempt.intended_at
        try:
            technique = await self.get_technique(attempt.request["technique"])
            runs = await self.list_runs(technique_id=technique.technique_id)
        except errors.NotFoundError:
            if self.http.server_time() - asked_at < timedelta(seconds=IDEMPOTENCY_SECONDS):
                raise errors.NoAnswerError("FLORA can be asked about it by its key, when it is wished for again") from None
            raise errors.InDoubtError("FLORA may have forgotten the key by now, and this one has no list of runs") from None
        owned = await journal.owned_jobs(attempt.account)
        since = asked_at.timestamp() - DATE_SECONDS
        found = [run.run_id for run in runs if run.run_id not in owned and _began(run) >= since]
        if len(found) > 1 or (found and not await journal.is_alone(attempt)):
            raise errors.InDoubtError(f"{len(found)} runs in FLORA's list may be the one: {', '.join(found)}")
        return found[0] if found else None

    async def cancel(self, job_id: str) -> Job | None:
        """Leave the run alone: FLORA cannot cancel."""
        del job_id
        return None

    async def takes_files(self) -> bool:
        """Whether this FLORA has the assets API, which the beta document has not; asked by an upload of nothing, which it refuses."""
        try:
            await self.http.call("POST", "/api/v1/assets", json={})
        except errors.NotFoundError:
            return False
        except errors.RefusedError:
            pass
        return True

    async def upload(self, path: Path, content_type: str) -> str:
        """Put a local file where a run can read it, and return its address. It costs nothing.

        Raises:
            NotFoundError: This FLORA has no assets API yet; the beta document has none.
            ApiError: The upload did not succeed.
        """
        try:
            return await self._upload(path, content_type)
        except errors.NotFoundError:
            raise errors.NotFoundError(
                f"{path.name} cannot be put up: this FLORA has no assets API",
                advice="Give the picture as a url on a host that FLORA reads from, instead of as a file.",
            ) from None

    async def _upload(self, path: Path, content_type: str) -> str:
        about = {"file_name": path.name, "content_type": content_type}
        if path.stat().st_size <= DIRECT_UPLOAD_BYTES:
            file = {"file": (path.name, path.read_bytes(), content_type)}
            answer = await self.http.call("POST", "/api/v1/assets", data=about, files=file)
            return str(self._field(answer.body, "url"))
        asset = (await self.http.call("POST", "/api/v1/assets", json={"source": "signed-url", **about})).body
        target = self._field(asset, "upload")
        await self.http.upload(
            str(self._field(target, "url")),
            fields=_either(target, "form_fields") or {},
            file_field=str(_either(target, "file_field") or "file"),
            path=path,
            content_type=content_type,
        )
        # The body must be `{}`: an empty one is answered with 400 invalid_json.
        done = await self.http.call("POST", f"/api/v1/assets/{self._field(asset, 'asset_id')}/complete", json={})
        return str(self._field(done.body, "url"))

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

        async def look(ref: RunRef) -> Job:
            return (await self.get_run(*ref)).as_job()

        return replace(await look_at_each(runs - set(jobs), look, self.watcher.hint), jobs=jobs)

    async def _newest_runs(self) -> list[Run]:
        body = (await self.http.call("GET", "/api/v1/technique-runs", params={"limit": "100"})).body
        return [run for run in self.http.read_each(Run, self._field(body, "technique_runs")) if run]

    async def _get(self, model: type[_M], path: str) -> _M:
        return self.http.read(model, (await self.http.call("GET", path)).body)

    async def _list(self, model: type[_M], path: str, name: str, params: dict[str, str]) -> list[_M]:
        found: list[_M] = []
        cursor: str | None = None
        while True:
            page = {**params, "limit": "100"} | ({"cursor": cursor} if cursor else {})
            body = (await self.http.call("GET", path, params=page)).body
            found += [self.http.read(model, item) for item in self._field(body, name)]
            last, cursor = cursor, _either(body.get("meta") or {}, "next_cursor")
            if not cursor or cursor == last:
                return found

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
    return (code, message, errors.DuplicateError) if code.startswith("idempotency_") else (code, message)


def _technique_path(slug: str) -> str:
    return f"/api/v1/techniques/{quote(slug, safe='')}"


def _either(body: Any, name: str) -> Any:
    return body.get(name, body.get(to_camel(name)))


def check_media_url(url: str, origins: Origins) -> str:
    """What is wrong with `url` as a run's input; empty when nothing is.

    The document: https only, and only FLORA's own media host, Google Storage, S3 and ImageKit; besides these, listed origins.
    """
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        return "is not an address"
    if parts.scheme in ("http", "https") and parts.host and origins.lists(url):
        return ""
    if parts.scheme != "https":
        return f"must be an https address, not {parts.scheme or 'a bare name'}"
    if not _INPUT_HOSTS.fullmatch(parts.host):
        return f"is on {parts.host}, which FLORA does not read from"
    return ""
