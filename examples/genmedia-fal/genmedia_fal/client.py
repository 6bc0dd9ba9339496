"""fal: any of its models, by its queue. The README names the sources of the facts.

Only the last answer tells the cost of a purchase: it counts the units that were billed, and a table has the price of a unit.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

from pydantic import BaseModel, ConfigDict, Field

from genmedia import errors
from genmedia.concurrency import leased
from genmedia.jobs.job import Account, Buyer, Job, JobStatus, Output
from genmedia.jobs.watcher import Look, Watcher, look_at_each
from genmedia.providers.terms import Terms
from genmedia.transport.answers import RemoteId, read_number
from genmedia.transport.origins import Origins, check_base_url
from genmedia.transport.session import Explained, Fetched, Gate, Session
from genmedia_fal.prices import PRICES, Price, price_of

if TYPE_CHECKING:  # it loads a database library, which reading this provider's answers does not need
    from genmedia.journal import Attempt, Journal

PROVIDER = "fal"
BASE_URL = "https://queue.fal.run"
STORAGE = {BASE_URL: "https://rest.fal.ai"}
"""Address for uploads of inputs, by the address of the queue; a sandbox has one address for both."""
UNIT = "USD"

POLL_SECONDS = (1.0, 4.0)
NAMESPACES = ("workflows", "comfy")
CANCELLED = "client_cancelled"
CONTENT_REFUSED = "content_policy_violation"

_STATUSES = {"IN_QUEUE": JobStatus.QUEUED, "IN_PROGRESS": JobStatus.RUNNING, "COMPLETED": JobStatus.SUCCEEDED}
_KINDS = ("image", "video", "audio", "model")
_ENDPOINT = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+")
_JOB = re.compile(r"[A-Za-z0-9_-]+")
_NO_CREDITS = re.compile("Exhausted balance|TOP_UP")
"""Words of fal where it has locked a user who has to buy credits; other locks have other reasons."""


class JobRef(NamedTuple):
    """Reference of a job: its address needs the model too, and its charge the price of a unit, which is None where it is unknown."""

    endpoint: str
    request_id: str
    usd: float | None = None

    @property
    def path(self) -> str:
        """Path of the job, with the owner and the name of the app only. The address that an answer names is not used: it could be anywhere.

        Raises:
            NotFoundError: There can be no such job.
        """
        parts = self.endpoint.split("/")
        length = 3 if parts[0] in NAMESPACES else 2
        if not _ENDPOINT.fullmatch(self.endpoint) or len(parts) < length or not _JOB.fullmatch(self.request_id):
            raise errors.NotFoundError(f"fal has no job {self.request_id!r} of {self.endpoint!r}")
        return f"/{'/'.join(parts[:length])}/requests/{self.request_id}"


class FalRequest(BaseModel):
    """Request of a purchase: a model, and its arguments by the names of its own document, which are not checked here."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    endpoint: str = Field(pattern=f"^{_ENDPOINT.pattern}$")
    arguments: dict[str, Any]


class _Queued(BaseModel):
    request_id: RemoteId


class _Status(BaseModel):
    status: str
    error: str | None = None
    error_type: str | None = None


class _Place(BaseModel):
    upload_url: str
    file_url: str


class FalClient:
    """Calls fal's queue for one account; get it with `FalClient.lease`.

    Args:
        account: Account that pays, with the address of the queue.
        key: An API key.
        prices: Price of a unit of each model.
    """

    def __init__(self, account: Account, key: str, prices: Sequence[Price] = PRICES) -> None:
        self.account = account
        self.buyer = Buyer.of(account, key)
        self.prices = prices
        base_url = check_base_url(account.base_url)

        def session(url: str) -> Session:
            headers, origins = {"Authorization": f"Key {key}"}, Origins(account.base_url)
            return Session(PROVIDER, url, headers=headers, secrets=(key,), origins=origins, explain=_explain)

        self.http = session(base_url)
        self._storage = session(STORAGE.get(base_url, base_url))
        self.terms = Terms("What fal itself fails at is not charged; what a model finds fault with may be.")
        self.watcher = Watcher(self._look, every=lambda: POLL_SECONDS, clock_scale=lambda: self.http.clock_scale)

    @classmethod
    def lease(cls, account: Account, key: str, prices: Sequence[Price] = PRICES) -> AbstractAsyncContextManager["FalClient"]:
        """Lease the account's client on this event loop: all leases share it, and the last one closes it."""
        table = tuple(price.model_dump_json() for price in prices)
        return leased((PROVIDER, account, Buyer.of(account, key), table), lambda: cls(account, key, prices))

    async def aclose(self) -> None:
        """Stop watching and close the connections."""
        await self.watcher.aclose()
        await self.http.aclose()
        await self._storage.aclose()

    async def submit(self, request: FalRequest, gate: Gate | None = None) -> str:
        """Buy one job, and return its id. The call is sent again only when it cannot have been accepted.

        Raises:
            NotAcceptedError: Nothing was bought.
            MaybeAcceptedError: The job may exist; fal offers no way to ask for it.
        """
        answer = await self.http.call("POST", f"/{request.endpoint}", repeatable=False, gate=gate, json=request.arguments)
        return self.http.read(_Queued, answer.body).request_id

    def reference(self, attempt: "Attempt") -> JobRef:
        """Return the reference by which the watcher knows a job."""
        asked = attempt.request
        return self.ref(asked["endpoint"], attempt.remote_id or "", asked["arguments"])

    def ref(self, endpoint: str, request_id: str, arguments: Mapping[str, Any]) -> JobRef:
        """Return the reference of a job that was just bought."""
        price = price_of(self.prices, endpoint, arguments)
        return JobRef(endpoint, request_id, price and price.usd)

    async def look(self, ref: JobRef) -> Job:
        """Return a job as it is now, with its outputs once it has ended.

        Raises:
            NotFoundError: This account has no such job.
        """
        shown = self.http.read(_Status, (await self.http.call("GET", f"{ref.path}/status")).body)
        status = _STATUSES.get(shown.status, JobStatus.RUNNING)
        if status is not JobStatus.SUCCEEDED:
            return Job(ref.request_id, status)
        if shown.error_type == CANCELLED:
            return Job(ref.request_id, JobStatus.CANCELLED)
        if shown.error or shown.error_type:
            # With a type it is fal's own failure, which is never charged; without, it is the model's, which may be.
            reason = " - ".join(filter(None, (shown.error_type, shown.error)))
            charged = 0 if shown.error_type else None
            return Job(ref.request_id, JobStatus.FAILED, charged=charged, error=reason, code=shown.error_type or "")
        return await self._ended(ref)

    async def _ended(self, ref: JobRef) -> Job:
        """Return a job that has ended. fal has no state for a job that failed: its result is the model's error."""
        try:
            answer = await self.http.call("GET", ref.path)
        except errors.RefusedError as error:
            code = CONTENT_REFUSED if isinstance(error, errors.ContentRefusedError) else ""
            return Job(ref.request_id, JobStatus.FAILED, error=error.what, code=code)
        units = read_number(answer.headers.get("x-fal-billable-units", ""))
        charged = None if units is None or ref.usd is None else units * ref.usd
        return Job(ref.request_id, JobStatus.SUCCEEDED, charged=charged, unit=UNIT, outputs=tuple(files_in(answer.body)))

    async def recover(self, attempt: "Attempt", journal: "Journal") -> None:
        """Raise always: fal recognises no repeat, and its queue lists no jobs.

        Raises:
            InDoubtError: Always.
        """
        del attempt, journal
        raise errors.InDoubtError("fal's queue lists no jobs to look for it in")

    async def cancel(self, ref: JobRef) -> Job | None:
        """Cancel a job that is queued; ask one that runs to end, which its model may heed or not, and look at it.

        Raises:
            RefusedError: It has ended already.
            NotFoundError: There is no such job.
        """
        answer = await self.http.call("PUT", f"{ref.path}/cancel", urgent=True)
        return Job(ref.request_id, JobStatus.CANCELLED, charged=0) if answer.status == 200 else await self.look(ref)

    async def upload(self, path: Path, content_type: str) -> str:
        """Upload a local file to where models can read it, and return its address. It costs nothing.

        Raises:
            ApiError: The upload did not succeed.
        """
        about = {"file_name": path.name, "content_type": content_type}
        answer = await self._storage.call("POST", "/storage/upload/initiate", params={"storage_type": "gcs"}, json=about)
        place = self._storage.read(_Place, answer.body)
        await self._storage.upload(place.upload_url, path=path, content_type=content_type)
        return place.file_url

    async def check(self) -> None:
        """Check the key at no cost, by asking for a job that does not exist.

        Raises:
            CredentialsError: fal refuses the key.
        """
        try:
            await self.look(JobRef("fal-ai/flux/dev", "00000000-0000-4000-8000-000000000000"))
        except errors.NotFoundError:
            return

    async def balance(self) -> None:
        """Return None: fal tells the credits left only to the keys of an administrator, at another host."""

    async def fetch_output(self, output: Output, sink: BinaryIO, max_bytes: int) -> Fetched:
        """Stream a file output into a sink; its link needs no key.

        Raises:
            DownloadError: The class says the cause.
        """
        return await self.http.fetch(output.url or "", sink, max_bytes=max_bytes)

    async def _look(self, due: frozenset[JobRef]) -> Look[JobRef]:
        """Look at the jobs with one request for each: the queue lists no jobs."""
        return await look_at_each(due, self.look, self.watcher.hint)


def files_in(result: Any) -> list[Output]:
    """Return the files of a result: each field that is a file, or a list of files, has the address as `url`."""
    found: list[Output] = []
    if not isinstance(result, dict):
        return found
    for name, value in cast("dict[str, Any]", result).items():
        items = cast("list[Any]", value) if isinstance(value, list) else [value]
        files = [cast("dict[str, Any]", one) for one in items if isinstance(one, dict) and isinstance(one.get("url"), str)]  # pyright: ignore[reportUnknownMemberType] # JSON
        one_name = name.removesuffix("s") if isinstance(value, list) else name
        for number, file in enumerate(files, 1):
            label = one_name if len(files) == 1 else f"{one_name}-{number}"
            found.append(Output(label, _kind_of(name, file), url=file["url"]))
    return found


def _kind_of(name: str, file: Mapping[str, Any]) -> str:
    """Return the kind of a file, by its type where that tells the kind, else by the name of its field."""
    told = (str(file.get("content_type") or "").partition("/")[0], name)
    return next((kind for text in told for kind in _KINDS if text.startswith(kind)), name)


def _explain(body: Any) -> Explained:
    """Read an error: faults of the request or of the model are a list; every other error is a sentence, with a type if it is fal's own."""
    detail = body["detail"]
    if isinstance(detail, list):
        faults = cast("list[dict[str, Any]]", detail)
        told = "; ".join(
            f"{'.'.join(map(str, fault.get('loc', ['body'])[1:]))}: {fault['msg']}".removeprefix(": ") for fault in faults
        )
        return str(faults[0].get("type", "")) if faults else "", told
    code, text = str(body.get("error_type") or ""), str(detail)
    return (code, text, errors.CreditsError) if _NO_CREDITS.search(text) else (code, text)
