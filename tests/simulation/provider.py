"""Scripted providers: FLORA, Generio and Algovera as far as their clients buy, wait and fetch, in virtual time, with perfect memory.

They answer what the client's real code sends, and count what they were asked to do: a job is paid for in the moment in which it is accepted.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from random import Random
from typing import Any
from urllib.parse import parse_qs

import httpx

PRICE = 1.0
"""Price of each job, and its charge where it succeeds, in credits."""


@dataclass(frozen=True)
class Reply:
    """An answer: its status, the provider's time as a header has it, and its content."""

    status: int
    date: str
    content: bytes


@dataclass
class RemoteJob:
    """A job at the provider.

    Attributes:
        key: Submission key and number of the attempt, as far as the provider was told; else the prompt.
        made: Time at which it was made.
        started: Time at which it was paid for; None until then.
        queue: Seconds until it runs.
        run: Seconds for which it runs.
        fails: True if it ends without a result.
    """

    id: str
    key: str
    made: float
    queue: float
    run: float
    fails: bool
    started: float | None = None
    deleted: bool = False

    def ended(self, now: float) -> bool:
        """True if it has ended."""
        return self.started is not None and now >= self.started + self.queue + self.run

    def runs(self, now: float) -> bool:
        """True if it runs."""
        return self.started is not None and now >= self.started + self.queue


@dataclass
class Remote:
    """One account at a provider.

    Args:
        now: Returns the virtual time, in seconds since 1970.
        chance: Chooses how long jobs take, and which fail.
        open_jobs: Number of jobs that it lets be open.
        per_window: Number of requests that it takes in `window` seconds; None for any.
        failing: Share of jobs that fail.
        on_paid: Called with each job when it is paid for.
        on_full: Called when a purchase is refused because too many jobs are open.

    Attributes:
        faults: What should never have been asked of it.
    """

    now: Callable[[], float]
    chance: Random
    open_jobs: int
    per_window: int | None
    window: float
    failing: float
    on_paid: Callable[[RemoteJob], None]
    on_full: Callable[[], None]
    jobs: dict[str, RemoteJob] = field(default_factory=dict[str, RemoteJob])
    faults: list[str] = field(default_factory=list[str])
    times: list[float] = field(default_factory=list[float])
    provider = ""
    shortest = 0.0
    """Shortest time for which a job runs, in seconds."""

    @property
    def open(self) -> list[RemoteJob]:
        """The jobs that were paid for and have not ended."""
        now = self.now()
        return [job for job in self.jobs.values() if job.started is not None and not job.ended(now)]

    def answer(self, request: httpx.Request) -> Reply:
        """Do what is asked, and return the answer."""
        now = self.now()
        if self.per_window is not None and not self.is_file(request.url.path):
            self.times = [time for time in self.times if time > now - self.window]
            if len(self.times) >= self.per_window:
                self.faults.append(f"{len(self.times) + 1} requests within {self.window:g} s, and {self.per_window} are allowed")
                return self.reply(429, self.error("too many requests"))
            self.times.append(now)
        return self.route(request.method, request.url.path, request)

    def route(self, method: str, path: str, request: httpx.Request) -> Reply:
        """Do what one of the API's routes does."""
        raise NotImplementedError

    def is_file(self, path: str) -> bool:
        """True for the address of a file, which is no call of the API: no limit counts it."""
        del path
        return False

    def error(self, what: str) -> Any:
        """Return the body of an error."""
        return {"detail": what}

    def reply(self, status: int, body: Any) -> Reply:
        """Return an answer with the provider's time."""
        return self.reply_raw(status, json.dumps(body).encode())

    def reply_raw(self, status: int, content: bytes) -> Reply:
        """Return an answer that is a file."""
        return Reply(status, format_datetime(datetime.fromtimestamp(int(self.now()), UTC), usegmt=True), content)

    def missing(self) -> Reply:
        return self.reply(404, self.error("not found"))

    def make(self, key: str) -> RemoteJob:
        """Make a job, at no cost."""
        number = str(len(self.jobs) + 1)
        queue, run = self.chance.choice((0.0, 0.5, 3.0)), self.shortest + self.chance.choice((0.2, 1.0, 4.0, 20.0))
        job = RemoteJob(f"job-{number}", key, self.now(), queue, run, self.chance.random() < self.failing)
        self.jobs[job.id] = job
        return job

    def start(self, job: RemoteJob) -> Reply | None:
        """Start a job, which is paid for with that; return an answer where too many are open."""
        if len(self.open) >= self.open_jobs:
            self.on_full()
            return self.reply(429, self.error("too many open jobs"))
        job.started = self.now()
        self.on_paid(job)
        return None


class Flora(Remote):
    """FLORA: a key that was used before gives the run that exists; the runs are listed."""

    provider = "flora"

    def error(self, what: str) -> Any:
        return {"error": {"code": "error", "message": what}}

    def route(self, method: str, path: str, request: httpx.Request) -> Reply:
        parts = path.removeprefix("/api/v1/").split("/")
        if method == "POST":
            key = json.loads(request.content)["idempotency_key"]
            known = next((job for job in self.jobs.values() if job.key == key), None)
            if known:
                return self.reply(200, self.shown(known))
            job = self.make(key)
            if busy := self.start(job):
                del self.jobs[job.id]
                return busy
            return self.reply(201, self.shown(job))
        if parts == ["technique-runs"]:
            return self.reply(200, {"technique_runs": [self.shown(job) for job in reversed(self.jobs.values())], "meta": {}})
        if len(parts) == 4:
            return self.reply(200, self.shown(self.jobs[parts[3]])) if parts[3] in self.jobs else self.missing()
        return self.reply(200, {"techniqueId": "technique", "runCost": PRICE, "inputs": [], "outputs": []})

    def shown(self, job: RemoteJob) -> Any:
        now = self.now()
        status = ("failed" if job.fails else "completed") if job.ended(now) else "running" if job.runs(now) else "pending"
        shown = {"runId": job.id, "status": status, "createdAt": round(job.made * 1000)}
        if status == "completed":
            shown |= {"chargedCost": PRICE, "outputs": [{"outputId": "text", "type": "text", "url": f"what {job.id} says"}]}
        if status == "failed":
            shown |= {"errorCode": "internal", "errorMessage": "it broke"}
        return shown


class Generio(Remote):
    """Generio: a flow is made at no cost, with the key in what is kept with it, and paid for when it is started; flows are listed."""

    provider = "generio"
    # A flow takes minutes. One that was listed as not started, started, and ended before its deletion arrived would be deleted unseen.
    shortest = 8.0

    def is_file(self, path: str) -> bool:
        return "/outputs/" in path

    def route(self, method: str, path: str, request: httpx.Request) -> Reply:
        if path != "/flows":
            job = self.jobs.get(path.split("/")[2])
            return self.missing() if job is None or job.deleted else self.route_of(job, method, path.split("/")[3:])
        if method == "POST":
            return self.reply(201, self.shown(self.make(json.loads(request.content)["additional"]["genmedia"])))
        return self.reply(200, {"flows": [self.shown(job) for job in self.jobs.values() if not job.deleted]})

    def route_of(self, job: RemoteJob, method: str, below: list[str]) -> Reply:
        """Do what a route below a flow does."""
        answer: Reply | None = None
        if below == ["outputs"]:
            answer = self.reply(200, {"outputs": [{"id": f"output-of-{job.id}"}] if not job.fails else []})
        elif below:
            answer = self.reply_raw(200, f"model of {job.id}".encode())
        elif method == "PATCH":
            answer = self.reply(409, self.error("it was started before")) if job.started is not None else self.start(job)
        elif method == "DELETE" and job.started is not None and not job.ended(self.now()):
            answer = self.reply(409, self.error("it runs"))
        elif method == "DELETE":
            job.deleted = True
        return answer or self.reply(200, self.shown(job))

    def shown(self, job: RemoteJob) -> Any:
        now = self.now()
        state = "created"
        if job.started is not None:
            state = ("failed" if job.fails else "completed") if job.ended(now) else "running" if job.runs(now) else "starting"
        return {"flow_id": job.id, "template": "template", "state": state, "additional": {"genmedia": job.key}}


class Algovera(Remote):
    """Algovera: it recognises nothing and lists nothing."""

    provider = "algovera"

    def is_file(self, path: str) -> bool:
        return path == "/api/getAsset"

    def route(self, method: str, path: str, request: httpx.Request) -> Reply:
        if method == "POST":
            job = self.make(json.loads(request.content)["prompt"])
            if busy := self.start(job):
                del self.jobs[job.id]
                return busy
            return self.reply(200, {"job_uuid": job.id})
        if path == "/api/getAsset":
            return self.reply_raw(200, f"picture of {json.loads(request.content)['job_uuid']}".encode())
        job = self.jobs.get(parse_qs(request.url.query.decode())["job_uuid"][0])
        if job is None:
            return self.missing()
        return self.reply(200, {"job_status": ("failed" if job.fails else "done") if job.ended(self.now()) else "created"})


PROVIDERS: Mapping[str, type[Remote]] = {one.provider: one for one in (Flora, Generio, Algovera)}
