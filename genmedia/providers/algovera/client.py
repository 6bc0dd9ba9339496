"""Algovera: text to image, one picture for each job.

The contract is Algovera's "Using Algovera's API". The key is a field of the query and of bodies there, never a header: it must not get into
anything that shows a request.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from pydantic import BaseModel, ConfigDict, Field

from genmedia import errors
from genmedia.concurrency import leased
from genmedia.forms.prompts import Prompt
from genmedia.jobs.job import Account, Buyer, Job, JobStatus, Output
from genmedia.jobs.watcher import Look, Watcher, look_at_each
from genmedia.providers.terms import Terms
from genmedia.transport.answers import RemoteId
from genmedia.transport.origins import Origins, check_base_url
from genmedia.transport.session import Explained, Fetched, Gate, Session

if TYPE_CHECKING:  # it loads a database library, which reading this provider's answers does not need
    from genmedia.journal import Attempt, Journal

PROVIDER = "algovera"
BASE_URL = "https://api.algovera.ai"
UNIT = "credits"
PRICE = 1.0
"""Price of a job, in credits: the document names none; the vendor's own code took this one."""

POLL_SECONDS = (2.0, 5.0)
NO_REASON = "Algovera gives no reason"

_STATUSES = {"done": JobStatus.SUCCEEDED, "failed": JobStatus.FAILED}


class Txt2Img(BaseModel):
    """One picture to buy; only what the document states is checked. Algovera chooses the fields that are not set.

    `AlgoveraClient.list_base_models` tells which values `base_model` may have.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    prompt: Prompt = Field(min_length=1)
    base_model: str | None = None
    height: int | None = None
    width: int | None = None
    inf_steps: int | None = None
    guidance_scale: float | None = None
    seed: int | None = None

    def fields(self) -> dict[str, Any]:
        """Return the fields that the caller set, by the document's names, without the key."""
        return self.model_dump(mode="json", exclude_none=True)


class _BaseModels(BaseModel):
    base_models: list[str]


class _Created(BaseModel):
    job_uuid: RemoteId


class _Status(BaseModel):
    job_status: str


def as_job(job_id: str, status: str) -> Job:
    """Return a job with this status in the words that all providers share.

    `created` covers waiting and running, which Algovera does not tell apart; it counts as running, as does an unknown status.
    """
    shared = _STATUSES.get(status, JobStatus.RUNNING)
    done = shared is JobStatus.SUCCEEDED
    return Job(
        id=job_id,
        status=shared,
        charged=PRICE if done else None,
        outputs=(Output("image", "image", url=f"/api/getAsset?job_uuid={job_id}"),) if done else (),
        error=NO_REASON if shared is JobStatus.FAILED else "",
    )


class AlgoveraClient:
    """Calls Algovera's API for one account; get it with `AlgoveraClient.lease`.

    Args:
        account: Account that pays, with the address of the API.
        key: An API key, made in the Algovera Flow app.
    """

    def __init__(self, account: Account, key: str) -> None:
        self.account = account
        self.buyer = Buyer.of(account, key)
        self._base_url = check_base_url(account.base_url)
        self._key = {"api_key": key}
        origins = Origins(account.base_url)
        self.http = Session(PROVIDER, self._base_url, headers={}, secrets=(key,), origins=origins, explain=_explain)
        self.terms = Terms("Algovera does not say whether it gives the credit back.")
        self.watcher: Watcher[str] = Watcher(
            self._look, every=lambda: POLL_SECONDS, clock_scale=lambda: self.http.clock_scale, clock=self.http.server_time
        )

    @classmethod
    def lease(cls, account: Account, key: str) -> AbstractAsyncContextManager["AlgoveraClient"]:
        """Lease the account's client on this event loop: all leases share it, and the last one closes it."""
        return leased((PROVIDER, account, Buyer.of(account, key)), lambda: cls(account, key))

    async def aclose(self) -> None:
        """Stop watching and close the connections."""
        await self.watcher.aclose()
        await self.http.aclose()

    async def list_base_models(self) -> list[str]:
        """Return the names that a job's `base_model` may have now; no key is sent."""
        return self.http.read(_BaseModels, (await self.http.call("GET", "/api/basemodels")).body).base_models

    async def create_job(self, request: Mapping[str, Any], gate: Gate | None = None) -> str:
        """Buy one picture, and return the job's id. The call is sent again only when it cannot have been accepted.

        Args:
            request: The request of an order.
            gate: As `Session.call` takes it.

        Raises:
            NotAcceptedError: Nothing was bought.
            MaybeAcceptedError: The job may exist; Algovera offers no way to ask for it.
        """
        answer = await self.http.call("POST", "/api/txt2img", repeatable=False, gate=gate, json={**request, **self._key})
        return self.http.read(_Created, answer.body).job_uuid

    def reference(self, attempt: "Attempt") -> str:
        """Return the job's id, by which the watcher knows it."""
        return attempt.remote_id or ""

    async def look(self, ref: str) -> Job:
        """Return a job as it is now.

        Raises:
            NotFoundError: This account has no such job.
        """
        return as_job(ref, await self.get_status(ref))

    async def recover(self, attempt: "Attempt", journal: "Journal") -> None:
        """Raise always: Algovera recognises no repeat and lists no jobs.

        Raises:
            InDoubtError: Always.
        """
        del attempt, journal
        raise errors.InDoubtError("Algovera lists no jobs to look for it in")

    async def cancel(self, ref: str) -> Job | None:
        """Leave the job alone: Algovera cannot cancel."""
        del ref
        return None

    async def get_status(self, job_id: str) -> str:
        """Return a job's status: `created` while it waits or runs, then `done` or `failed`.

        Raises:
            NotFoundError: This account has no such job.
        """
        answer = await self.http.call("GET", "/api/status", params={"job_uuid": job_id} | self._key)
        return self.http.read(_Status, answer.body).job_status

    async def balance(self) -> None:
        """Return None: Algovera does not tell the credits left."""

    async def fetch_output(self, output: Output, sink: BinaryIO, max_bytes: int) -> Fetched:
        """Stream a job's picture into a sink.

        Raises:
            DownloadError: The class says the cause.
            ApiError: The key was refused.
        """
        path, _, job_id = (output.url or "").partition("?job_uuid=")
        return await self.http.fetch(self._base_url + path, sink, max_bytes=max_bytes, json={"job_uuid": job_id} | self._key)

    async def _look(self, due: frozenset[str]) -> Look[str]:
        """Look at the jobs with one request for each: Algovera lists no jobs."""
        return await look_at_each(due, self.look, self.watcher.hint)


def _explain(body: Any) -> Explained:
    """Read an error: a 403 means a wrong key, an unknown user or no credits, as only its text tells; a 422 lists the faults by field."""
    detail = body["detail"]
    if isinstance(detail, list):
        faults = cast("list[dict[str, Any]]", detail)
        return "", "; ".join(f"{'.'.join(map(str, fault['loc'][1:]))}: {fault['msg']}" for fault in faults)
    return ("", str(detail), errors.CreditsError) if "credit" in str(detail).lower() else ("", str(detail))
