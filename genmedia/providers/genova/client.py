"""Genova: pictures and videos as jobs, within the limits of a plan, over REST and a WebSocket.

The contract is Genova's "API Documentation"; what a user of the live API reported besides is read as well.
"""

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, cast
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic.alias_generators import to_camel
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from genmedia import errors
from genmedia.concurrency import end_task, leased
from genmedia.forms.prompts import Prompt
from genmedia.jobs.job import Account, Amount, Buyer, Counter, Job, JobStatus, Number, Output, priced
from genmedia.jobs.watcher import Look, Watcher, look_at_each
from genmedia.providers.genova.forms import REFERENCES, FlowRatio, FreepikRatio, Model, ReferenceMode
from genmedia.providers.terms import Terms
from genmedia.transport.answers import ID_CHARACTERS, Id, RemoteId, parse
from genmedia.transport.origins import Origins, check_base_url, is_loopback, join_url
from genmedia.transport.pace import ANSWER_SECONDS, PAGES
from genmedia.transport.session import Explained, Fetched, Gate, Session

if TYPE_CHECKING:  # it loads a database library, which reading this provider's answers does not need
    from genmedia.journal import Attempt, Journal

PROVIDER = "genova"
BASE_URL = "https://autoflow-api.aboessa101.workers.dev"
UNIT = "credits"
PRICE = 1.0
"""Price of a job, in credits, whatever its `count`."""

ROW_TOO_BIG = "SQLITE_TOOBIG"
"""Text in the answer to a request that did not fit into Genova's database (field report)."""

TOO_BIG_ADVICE = "Send fewer references, then run again."

PAGE = 50
DATE_SECONDS = 2
"""Tolerance for a `Date` header, in seconds: it is exact to the second only."""

RECOVER_LOOKS = 3
RECOVER_PAUSE_SECONDS = ANSWER_SECONDS / (RECOVER_LOOKS - 1)
"""Pause between two looks for a lost job, in seconds: at the last one no request can be under way any more that would make it."""

COUNTER_SECONDS = 600.0
"""Largest age of the account's counter at a purchase, in seconds: after a lost answer, all jobs since the counter are looked through."""
_TOO_MANY_JOBS = re.compile(r"(?i)too many (concurrent|open|active|running)|concurrent jobs|open jobs")
_UNSHOWN = ("referenceImages", "priority")

ESTIMATES = 1000
"""Most jobs whose running times, as Genova estimates them when they are made, are remembered."""

PING_SECONDS = 30.0
SILENCE_SECONDS = 75.0
"""Seconds without any message, even an answer to a ping, after which a socket counts as dead."""

Plan = Literal["Free", "Starter", "Pro", "Business"]


@dataclass(frozen=True)
class PlanLimits:
    """Limits of a plan: requests a minute, and open jobs. From the document's table."""

    per_minute: int
    open_jobs: int


PLANS: dict[Plan, PlanLimits] = {
    "Free": PlanLimits(10, 2),
    "Starter": PlanLimits(60, 5),
    "Pro": PlanLimits(100, 10),
    "Business": PlanLimits(300, 25),
}

VIDEO_MODELS = ("veo3_fast", "veo3_quality", "veo2_fast")
FLOW_RATIOS = ("landscape", "portrait", "square")
FREEPIK_RATIOS = ("1:1", "4:3", "3:4", "16:9", "9:16", "3:2", "2:3")
FREEPIK_MODES = ("style", "character", "element", "color", "effects", "camera")
PROMPT_CHARACTERS = 500
NO_PICTURES: Mapping[tuple[str, str], bytes] = {}

_STATUSES = {
    "pending": JobStatus.QUEUED,
    "queued": JobStatus.QUEUED,
    "processing": JobStatus.RUNNING,
    "completed": JobStatus.SUCCEEDED,
    "failed": JobStatus.FAILED,
    "cancelled": JobStatus.CANCELLED,
}


class JobRequest(BaseModel):
    """One job to buy, checked against everything the document states, all faults at once."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)

    # Fields that others are checked against come first: a validator sees only the fields before its own.
    model: Model
    type: Literal["image", "video"]
    prompt: Prompt = Field(min_length=1, max_length=PROMPT_CHARACTERS)
    aspect_ratio: FlowRatio | FreepikRatio | None = None
    count: int | None = Field(default=None, ge=1, le=4)
    quality: Literal["1K", "2K"] | None = None
    references: int = Field(default=0, ge=0, le=REFERENCES, exclude=True)
    reference_mode: ReferenceMode | None = Field(default=None, exclude=True, validate_default=True)
    priority: int | None = None

    @field_validator("type")
    @classmethod
    def _is_what_the_model_makes(cls, value: str, info: ValidationInfo) -> str:
        model = info.data.get("model")
        if model and (value == "video") != (model in VIDEO_MODELS):
            raise ValueError(f"{model} makes {'videos' if model in VIDEO_MODELS else 'images'}, not a {value}")
        return value

    @field_validator("aspect_ratio")
    @classmethod
    def _ratio_of_the_model(cls, value: str | None, info: ValidationInfo) -> str | None:
        return _one_of(value, "aspect ratio", info, FLOW_RATIOS, FREEPIK_RATIOS)

    @field_validator("count")
    @classmethod
    def _one_video(cls, value: int | None, info: ValidationInfo) -> int | None:
        if info.data.get("type") == "video" and (value or 1) > 1:
            raise ValueError("a video job gives one video; count must be 1")
        return value

    @field_validator("quality")
    @classmethod
    def _quality_of_the_model(cls, value: str | None, info: ValidationInfo) -> str | None:
        model = info.data.get("model")
        if value and model and model != "freepik":
            raise ValueError(f"quality is for freepik only, not for {model}")
        return value

    @field_validator("reference_mode")
    @classmethod
    def _mode_of_the_model(cls, value: str | None, info: ValidationInfo) -> str | None:
        if not info.data.get("references"):
            return value
        return _one_of(value or "none", "reference mode", info, ("ingredients",), FREEPIK_MODES) and value

    def fields(self) -> dict[str, Any]:
        """Return the fields that the caller set, by the document's names."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    @property
    def fingerprint(self) -> str:
        """Hash of the fields that Genova's list shows; see `fingerprint_of`."""
        return fingerprint_of(self.fields())


def fingerprint_of(fields: Mapping[str, Any]) -> str:
    """Return the hash of those fields of a request that Genova's list shows: jobs with an equal one cannot be told apart."""
    shown = {name: value for name, value in fields.items() if name not in _UNSHOWN}
    return hashlib.sha256(json.dumps(shown, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _one_of(value: str | None, name: str, info: ValidationInfo, flow: Sequence[str], freepik: Sequence[str]) -> str | None:
    model = info.data.get("model")
    known = freepik if model == "freepik" else flow
    if value and model and value not in known:
        raise ValueError(f"{name} {value} is not one of {model}: {', '.join(known)}")
    return value


class _Answered(BaseModel):
    """Ignores fields that it does not know."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)


class Created(_Answered):
    """The answer to a new job."""

    job_id: RemoteId
    estimated_time: Number = None


class GenovaJob(BaseModel):
    """A job as Genova shows it. Settings may come as JSON text, and nearly everything as null."""

    model_config = ConfigDict(frozen=True)

    id: RemoteId
    type: Id = "image"
    status: str
    prompt: str = ""
    settings: dict[str, Any] = {}
    created_at: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    error_message: str | None = None

    @field_validator("settings", mode="before")
    @classmethod
    def _from_text(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, str):
            with suppress(ValueError):
                return parse(value, info.context or ())
        return value

    @model_validator(mode="before")
    @classmethod
    def _null_is_not_there(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: one for name, one in cast("dict[str, Any]", value).items() if one is not None}

    def as_job(self) -> Job:
        """Return the job in the words that all providers share; an unknown status counts as running.

        The document gives no way to fetch more than one file of a job, so it has one output.
        """
        status = _STATUSES.get(self.status, JobStatus.RUNNING)
        if status is JobStatus.FAILED and (self.error_message or "").lower() == "cancelled":
            status = JobStatus.CANCELLED
        times = {"created": self.created_at, "started": self.started_at, "completed": self.completed_at}
        return Job(
            id=self.id,
            status=status,
            charged=PRICE if status is JobStatus.SUCCEEDED else None,
            outputs=(_result(self.id, self.type),) if status is JobStatus.SUCCEEDED else (),
            error=self.error_message or "",
            echo={
                "type": self.type,
                **({"prompt": self.prompt} if self.prompt else {}),
                # The order has the hashes of references, the job the pictures: a difference says nothing.
                **{name: value for name, value in self.settings.items() if name not in _UNSHOWN},
            },
            times={name: value for name, value in times.items() if value},
        )


def _result(job_id: str, type_: str) -> Output:
    return Output("result", type_, url=f"/api/jobs/{job_id}/download")


class ApiKey(BaseModel):
    """One API key; `key` is there only in the answer that made it."""

    id: str
    name: str = ""
    key: str | None = None
    prefix: str = ""
    created_at: str | None = None
    last_used_at: str | None = None


class Profile(BaseModel):
    """Profile of the account: its user, plan and credits."""

    id: Id
    email: str = ""
    name: str = ""
    plan: str = ""
    subscription_status: str = ""
    credits_remaining: Amount = None
    credits_used: Amount = None


class Stats(BaseModel):
    """Counts of the account's jobs, images and videos so far, and its credits."""

    total_jobs: int = 0
    completed_jobs: int = 0
    failed_jobs: int = 0
    active_jobs: int = 0
    image_count: int = 0
    video_count: int = 0
    credits_remaining: Amount = None


class _JobsPage(BaseModel):
    jobs: list[Any]
    total: int | None = None


class _KeysPage(BaseModel):
    keys: list[ApiKey]


class _FileAt(BaseModel):
    url: str


class GenovaClient:
    """Calls Genova's API for one account, within its plan; get it with `GenovaClient.lease`.

    Args:
        account: Account that pays, with the address of the API.
        key: An API key (`af_…`), or a JWT.
        plan: The account's plan; requests and open jobs are kept to its limits.
        named_origins: Origins that results may be fetched from besides public https hosts.
        push: True to listen to the WebSocket.
    """

    def __init__(
        self, account: Account, key: str, *, plan: Plan = "Free", named_origins: Sequence[str] = (), push: bool = True
    ) -> None:
        self.account = account
        self.buyer = Buyer.of(account, key)
        self.limits = PLANS[plan]
        self._base_url = check_base_url(account.base_url)
        self.http = Session(
            PROVIDER,
            self._base_url,
            headers={"X-API-Key": key} if key.startswith("af_") else {"Authorization": f"Bearer {key}"},
            secrets=(key,),
            origins=Origins(account.base_url, tuple(named_origins)),
            explain=_explain,
            per_minute=self.limits.per_minute,
        )
        self.estimates: dict[str, float] = {}
        self.terms = Terms(
            "Genova does not say whether it gives the credit back.",
            repeat_seconds=1,
            open_jobs=self.limits.open_jobs,
            listen=self.listen,
            hush=self.hush,
            make_ready=self.hear_account,
            counter=lambda: self.counter,
            estimate=self.estimates.get,
        )
        self.watcher: Watcher[str] = Watcher(
            self._look, every=self._every, clock_scale=lambda: self.http.clock_scale, clock=self.http.server_time
        )
        self.counter: Counter | None = None
        self._push = push
        self._pushed = False
        self._listening = 0  # how often it was asked for
        self._listener: asyncio.Task[None] | None = None

    @classmethod
    def lease(
        cls, account: Account, key: str, *, plan: Plan = "Free", named_origins: Sequence[str] = (), push: bool = True
    ) -> AbstractAsyncContextManager["GenovaClient"]:
        """Lease the account's client on this event loop: all leases share it, and the last one closes it."""
        name = (PROVIDER, account, Buyer.of(account, key), plan, tuple(named_origins), push)
        return leased(name, lambda: cls(account, key, plan=plan, named_origins=named_origins, push=push))

    async def aclose(self) -> None:
        """Stop watching and listening, and close the connections."""
        await self._close_socket()
        await self.watcher.aclose()
        await self.http.aclose()

    async def create_job(
        self, request: Mapping[str, Any], pictures: Mapping[tuple[str, str], bytes] = NO_PICTURES, gate: Gate | None = None
    ) -> Created:
        """Buy one job for one credit. The call is sent again only when it cannot have been accepted.

        Args:
            request: The request of an order; its references are named by hash and preparation.
            pictures: The references as JPEG, by hash and preparation.
            gate: As `Session.call` takes it.

        Raises:
            NotAcceptedError: Nothing was bought.
            MaybeAcceptedError: The job may exist; Genova cannot be asked for it by a key, only by its list.
        """
        body = _body(request, pictures)
        try:
            answer = await self.http.call("POST", "/api/jobs", repeatable=False, gate=gate, json=body)
        except errors.ServerError as error:
            if ROW_TOO_BIG not in error.what:
                raise
            # The database row is the job: without a row there is no job, though a 500 usually leaves that open.
            raise errors.RefusedError(
                error.what, money="No job was made; whether a credit was taken is seen in the profile.", advice=TOO_BIG_ADVICE
            ) from None
        created = self.http.read(Created, answer.body)
        if created.estimated_time:
            self.estimates[created.job_id] = created.estimated_time
            if len(self.estimates) > ESTIMATES:
                del self.estimates[next(iter(self.estimates))]
        return created

    async def get_job(self, job_id: str) -> GenovaJob:
        """Return the job as it is now.

        Raises:
            NotFoundError: This account has no such job, or it vanished.
        """
        return self.http.read(GenovaJob, (await self.http.call("GET", _job(job_id))).body)

    async def list_jobs(self, *, status: str = "", limit: int = PAGE, offset: int = 0) -> tuple[list[GenovaJob], int]:
        """Return one page of the account's jobs, newest first, and the number of all jobs; up to this page's end where Genova names none."""
        chosen = {"limit": str(limit), "offset": str(offset)} | ({"status": status} if status else {})
        page = await self._list_page(chosen)
        return [job for job in self.http.read_each(GenovaJob, page.jobs) if job], offset + len(
            page.jobs
        ) if page.total is None else page.total

    async def _list_page(self, chosen: Mapping[str, str]) -> _JobsPage:
        return self.http.read(_JobsPage, (await self.http.call("GET", "/api/jobs", params=chosen)).body)

    async def cancel(self, ref: str) -> Job | None:
        """Cancel a job that has not started; its credit comes back.

        Raises:
            RefusedError: It runs or has ended already.
            NotFoundError: There is no such job.
        """
        await self.http.call("DELETE", _job(ref), urgent=True)
        return Job(ref, JobStatus.CANCELLED, charged=0)

    async def balance(self) -> float | None:
        """Return the credits left of the account, as its profile states them."""
        return (await self.get_profile()).credits_remaining

    async def fetch_output(self, output: Output, sink: BinaryIO, max_bytes: int) -> Fetched:
        """Stream a job's file into a sink: from a signed link, which needs no key, or from the API itself, which does.

        Raises:
            DownloadError: The class says the cause.
            ApiError: Genova did not say where the file is.
        """
        try:
            answer = await self.http.call("GET", output.url or "", redirects=True)
        except errors.RefusedError as error:
            # The socket may have said too early that the job is done; a later look tells.
            raise errors.BrokenDownloadError(error.what) from None
        except errors.NotFoundError as error:
            raise errors.ExpiredLinkError(error.what) from None
        link = answer.headers["location"] if answer.body is None else self.http.read(_FileAt, answer.body).url
        # A path is below the base URL, which may have a path of its own.
        url = f"{self._base_url}{link}" if link.startswith("/") else join_url(f"{self._base_url}/", link)
        return await self.http.fetch(url, sink, max_bytes=max_bytes, keyed=True)

    async def create_key(self, name: str) -> ApiKey:
        """Make an API key; its full text is in this answer and nowhere else."""
        answer = await self.http.call("POST", "/api/keys", repeatable=False, confidential=True, json={"name": name})
        return self.http.read(ApiKey, answer.body)

    async def list_keys(self) -> list[ApiKey]:
        """Return the account's keys that are not revoked; each shows its prefix only."""
        return self.http.read(_KeysPage, (await self.http.call("GET", "/api/keys")).body).keys

    async def revoke_key(self, key_id: str) -> None:
        """Revoke a key for good."""
        await self.http.call("DELETE", f"/api/keys/{quote(key_id, safe='')}")

    async def get_profile(self) -> Profile:
        """Return the account's profile, and keep the credits that it has used as the counter."""
        profile = self.http.read(Profile, (await self.http.call("GET", "/api/user/me")).body)
        if profile.credits_used is not None:
            # Jobs tell the time at which they were made to the second.
            self.counter = Counter(profile.credits_used, self.http.server_time().replace(microsecond=0))
        return profile

    async def hear_account(self) -> None:
        """Ask for Genova's time and the account's counter before a purchase, unless both are known and the counter is recent.

        A job whose answer is lost is looked for among the jobs since the submission by Genova's clock. By this machine's clock, where that
        is ahead, the job would look too old to be the one, and would be bought again.
        """
        now = self.http.server_time()
        if not self.http.knows_time or self.counter is None or now - self.counter.at > timedelta(seconds=COUNTER_SECONDS):
            await self.get_profile()

    async def update_profile(self, name: str) -> Profile:
        """Change the account's name, and return its profile."""
        await self.http.call("PUT", "/api/user/me", json={"name": name})
        return await self.get_profile()

    async def get_stats(self) -> Stats:
        """Return the counts of what the account has made so far."""
        return self.http.read(Stats, (await self.http.call("GET", "/api/user/stats")).body)

    def reference(self, attempt: "Attempt") -> str:
        """Return the job's id, by which the watcher knows it."""
        return attempt.remote_id or ""

    async def look(self, ref: str) -> Job:
        """Return a job as it is now.

        Raises:
            NotFoundError: This account has no such job, or it vanished.
        """
        return (await self.get_job(ref)).as_job()

    async def recover(self, attempt: "Attempt", journal: "Journal") -> str | None:
        """Find the job of an attempt in the list: the one that fits and that no attempt owns; None where three looks find none.

        Raises:
            InDoubtError: Several jobs fit; or none, but some do not say what was asked for, or Genova does not say what was used, or more
                was used than the jobs account for.
        """
        unclear = 0
        for look in range(RECOVER_LOOKS):
            if look:
                await asyncio.sleep(RECOVER_PAUSE_SECONDS / self.http.clock_scale)
            owned = await journal.owned_jobs(attempt.account)
            found, unclear = await self._find_jobs(attempt.request, attempt.asked_at or attempt.intended_at, owned)
            if len(found) > 1:
                raise errors.InDoubtError(f"{len(found)} jobs in Genova's list may be the one: {', '.join(found)}")
            if found:
                return found[0]
        if unclear:
            raise errors.InDoubtError(f"{unclear} jobs in Genova's list may be the one: they do not say what was asked for")
        if attempt.counter and (unexplained := await self._count_unexplained(attempt.counter)) > 0:
            raise errors.InDoubtError(
                f"it is not in Genova's list, but more was used than the jobs in the list account for: {priced(unexplained, UNIT)}"
            )
        return None

    async def _count_unexplained(self, before: Counter) -> float:
        """Credits that were used since the counter and that no job in the list accounts for; a job costs a credit when it is made."""
        profile = await self.get_profile()
        if profile.credits_used is None:
            raise errors.InDoubtError("it is not in Genova's list, and Genova does not say what was used of the account any more")
        # Read after the counter: a purchase in between may hide a loss, but never looks like one.
        jobs = [job async for job in self._list_since(before.at)]
        return profile.credits_used - before.used - PRICE * len(jobs)

    async def _find_jobs(self, fields: Mapping[str, Any], asked_at: datetime, owned: Collection[str]) -> tuple[list[str], int]:
        """Return the jobs that fit, made since then and owned by no attempt; and the number of such jobs that do not say what they are."""
        since = asked_at - timedelta(seconds=DATE_SECONDS)
        free = [job async for job in self._list_since(since) if job is None or job.id not in owned]
        found = [job.id for job in free if job and _echoes(job, fields)]
        return found, sum(job is None or not job.prompt for job in free)

    async def _list_since(self, since: datetime) -> AsyncGenerator[GenovaJob | None]:
        """Yield the account's jobs made since then, newest first; None for one that cannot be read.

        Raises:
            UnreadableAnswerError: The list goes on after `PAGES` pages.
        """
        offset = 0
        for _ in range(PAGES):
            page = await self._list_page({"limit": str(PAGE), "offset": str(offset)})
            listed = self.http.read_each(GenovaJob, page.jobs)
            fresh = [job for job in listed if not job or _time(job.created_at, unknown=since) >= since]
            for job in fresh:
                yield job
            offset += len(page.jobs)
            if len(fresh) < len(page.jobs) or not page.jobs or (page.total is not None and offset >= page.total):
                return
        raise errors.UnreadableAnswerError(f"genova's list of jobs goes on after {PAGES} pages")

    def listen(self) -> None:
        """Pass the WebSocket's messages to the watcher until `hush` was called as often, unless `push` is off."""
        self._listening += 1
        if self._push and (self._listener is None or self._listener.done()):
            self._listener = asyncio.create_task(self._listen(), name="genova socket")

    async def hush(self) -> None:
        """Close the WebSocket, unless it was asked for more often: another journal of this process may share the account."""
        self._listening -= 1
        if not self._listening:
            await self._close_socket()

    async def _close_socket(self) -> None:
        if self._listener:
            await end_task(self._listener)

    async def _listen(self) -> None:
        """Keep a socket open until this task is cancelled; a silent or lost socket is replaced, and looks at the list fill the gap."""
        failures, user = 0, ""
        while True:
            with suppress(OSError, WebSocketException, TimeoutError, errors.ApiError):
                user = user or (await self.get_profile()).id
                scale = self.http.clock_scale  # known from the first answer on
                # The document sends no key here: whoever knows the user's id may listen.
                async with _Connect(
                    self._socket(user), ping_interval=None, proxy=None if is_loopback(self._base_url) else True
                ) as socket:
                    begun, self._pushed = monotonic(), True
                    self.watcher.look_soon()
                    ping = asyncio.create_task(_ping(socket, PING_SECONDS / scale))
                    try:
                        while True:
                            async with asyncio.timeout(SILENCE_SECONDS / scale):
                                news = await socket.recv()
                            self._hear(news)
                    finally:
                        self._pushed = False
                        ping.cancel()
                        # A socket that is lost soon after its opening is opened less and less often.
                        failures = 0 if monotonic() - begun > SILENCE_SECONDS / scale else failures
            self.watcher.look_soon()
            failures += 1
            await asyncio.sleep(min(2.0 ** min(failures, 6), 60) / self.http.clock_scale)

    def _socket(self, user: str) -> str:
        return f"{self._base_url.replace('http', 'ws', 1)}/ws/user?userId={quote(user, safe='')}"

    def _hear(self, text: str | bytes) -> None:
        try:
            message = self.http.parse(text)
            kind, job_id, progress = str(message["type"]), str(message.get("jobId", "")), message.get("progress")
        except (ValueError, LookupError, TypeError, AttributeError):
            return  # the list is the truth: a message that cannot be read is no loss
        if not 0 < len(job_id) <= ID_CHARACTERS:
            return
        if kind == "job_started":
            self.watcher.hint(job_id, Job(job_id, JobStatus.RUNNING))
        elif kind == "job_progress":
            self.watcher.hint(job_id, Job(job_id, JobStatus.RUNNING, progress))
        elif kind == "job_completed":
            self.watcher.hint(job_id, self._completed(job_id, str(message.get("resultUrl") or "")))
        elif kind == "job_failed":
            self.watcher.look_soon(job_id)  # a failure may lead to another purchase: only the list is believed

    def _completed(self, job_id: str, result: str) -> Job:
        """Return a job that is done, by the socket. The download proves it: Genova refuses it before the end."""
        kind = "video" if result.endswith((".mp4", ".webm", ".mov")) else "image"
        return Job(job_id, JobStatus.SUCCEEDED, 100, PRICE, (_result(job_id, kind),))

    def _every(self) -> tuple[float, float]:
        """Shortest and longest pause between looks, in seconds: a fifth of the plan's requests, far fewer while the socket is open."""
        base = max(5.0, 300.0 / self.limits.per_minute)
        return (60.0, 90.0) if self._pushed else (base, base * 1.5)

    async def _look(self, due: frozenset[str]) -> Look[str]:
        """Look at all jobs by the newest page of the list; at those that are not on it by id, or by further pages where these are fewer."""
        absent = set(due)

        async def read_page(offset: int) -> tuple[int, int]:
            jobs, total = await self.list_jobs(offset=offset)
            for job in jobs:
                self.watcher.hint(job.id, job.as_job())
                absent.discard(job.id)
            return offset + len(jobs), total

        last = offset = total = 0
        with suppress(errors.UnreadableAnswerError):  # one by one they may be read
            offset, total = await read_page(0)
        with suppress(errors.ApiError):  # jobs that no page shows are asked for by id
            while last < offset < total and len(absent) > -(-(total - offset) // PAGE):
                last, (offset, total) = offset, await read_page(offset)
        return await look_at_each(absent, self.look, self.watcher.hint)


def _body(request: Mapping[str, Any], pictures: Mapping[tuple[str, str], bytes]) -> dict[str, Any]:
    """Return the body that is sent for a request: the request, with each reference in place of its hash."""
    references = request.get("referenceImages")
    if references is None:
        return dict(request)
    jpegs = [pictures[one["sha256"], one["preparation"]] for one in references["images"]]
    images = [f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}" for jpeg in jpegs]
    return {**request, "referenceImages": {**references, "images": images}}


def _explain(body: Any) -> Explained:
    """Read an error; a 429 may mean that too many jobs are open, as only its words tell."""
    code, message = str(body["error"]), str(body.get("details") or "")
    return (code, message, errors.TooManyJobsError) if _TOO_MANY_JOBS.search(f"{code}. {message}") else (code, message)


class _Connect(connect):
    """A socket to the API itself: no redirect is followed."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


async def _ping(socket: Any, seconds: float) -> None:
    with suppress(OSError, WebSocketException):  # the listener finds out by itself that the socket is lost
        while True:
            await socket.send('{"type": "ping"}')
            await asyncio.sleep(seconds)


def _job(job_id: str) -> str:
    return f"/api/jobs/{quote(job_id, safe='')}"


def _time(stated: str | None, *, unknown: datetime) -> datetime:
    """Time at which a job was made, `unknown` where it cannot be read; a time without a zone is in UTC."""
    try:
        time = datetime.fromisoformat(stated or "")
    except ValueError:
        return unknown
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _echoes(job: GenovaJob, fields: Mapping[str, Any]) -> bool:
    """True if a job is what was asked for, as far as it says: its settings may hold more, or leave defaults out."""
    asked = {name: value for name, value in fields.items() if name not in ("type", "prompt", *_UNSHOWN)}
    same = all(job.settings.get(name, value) == value for name, value in asked.items())
    return job.prompt == fields["prompt"] and job.type == fields["type"] and same
