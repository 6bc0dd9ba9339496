"""Genova's API under `/genova`: jobs, keys and users over REST, and the WebSockets of users and extensions.

Where the document is silent the sandbox chooses: a cancelled job is shown as failed with the message "Cancelled", a failed one keeps its
credit, more open jobs than the plan allows are refused with 429, and a job of another user is a 403. What was seen of the live API and
differs from its document stands behind switches.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, ClassVar, Literal, cast

from pydantic import BaseModel, ConfigDict
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.websockets import WebSocket

from genmedia.sandbox.accounts import Account
from genmedia.sandbox.drawing.media import SUFFIXES
from genmedia.sandbox.drawing.prompts import Prompt, UnreadableReferenceError
from genmedia.sandbox.engine import Change, Job, JobFailedError, Made, Terms
from genmedia.sandbox.genova.openapi import describe
from genmedia.sandbox.genova.requests import FREEPIK, VIDEO_MODELS, RowTooBigError, Wish, page_of, read_object, read_wish
from genmedia.sandbox.genova.sockets import POLICY_VIOLATION, Line, Sockets, name_results
from genmedia.sandbox.genova.users import KEY_PREFIX, PROVIDER, Users, iso
from genmedia.sandbox.limits import Plan
from genmedia.sandbox.provider import D1_ERROR, Operation, Provider, Refusal, Services

COST = 1
LINK_LIFETIME = 3600.0
"""Nominal seconds that a signed download link holds."""
QUEUE_PATIENCE = 1800.0
"""Nominal seconds after which a job that no worker took fails."""
MARKS = (0.05, 0.3, 0.55, 0.8)
RATIOS = {"landscape": (16, 9), "portrait": (9, 16), "square": (1, 1)}
SECONDS = {"veo2_fast": 3, "veo3_fast": 4, "veo3_quality": 6}
"""How long the clips of the video models are."""
BUSY_RETRY = 10.0

_FOREIGN_PROMPT = "A red bicycle leaning against a yellow wall"


class GenovaSwitches(BaseModel):
    """How far an account departs from the document.

    Attributes:
        prompt_limit: Refuse prompts of more than 500 characters, as the document says, or take them, as was seen.
        quality_on_flow: What becomes of a job on a Flow model that names a `quality`, which the document has for Freepik only: it is
            ignored, as the live API was seen to do; the job is refused; or it is accepted and vanishes, as was reported as well.
        download: Answer with a redirect to a signed link, or with JSON that names a path which asks for the key again.
        cancel: Show a cancelled job as failed, or remove it.
        over_limit: Refuse jobs above the plan's number of open ones, or let them wait as `pending`.
        workers: Who works: the sandbox itself, connected extensions alone, or nobody.
        ws_auth: Let anyone listen who knows the user id, as the document shows it, or ask for a key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt_limit: Literal["on", "off"] = "on"
    quality_on_flow: Literal["ignore", "refuse", "vanish"] = "ignore"
    download: Literal["redirect", "json"] = "redirect"
    cancel: Literal["failed", "remove"] = "failed"
    over_limit: Literal["refuse", "pending"] = "refuse"
    workers: Literal["builtin", "extension", "none"] = "builtin"
    ws_auth: Literal["open", "key"] = "open"


class Genova(Provider):
    """Genova's API."""

    name: ClassVar[str] = PROVIDER
    key_prefix: ClassVar[str] = KEY_PREFIX
    purchase: ClassVar[str] = "create_job"
    refusal: ClassVar[tuple[int, str, str]] = (400, "content_policy_violation", "This prompt violates our content policy.")
    plans: ClassVar[tuple[Plan, ...]] = (
        Plan("Business", 300, 25, 10_000),
        Plan("Free", 10, 2, 50),
        Plan("Starter", 60, 5, 500),
        Plan("Pro", 100, 10, 2_000),
    )
    switches: ClassVar[type[BaseModel]] = GenovaSwitches
    today: ClassVar[Mapping[str, Any]] = {"prompt_limit": "off", "download": "json"}
    socket_paths: ClassVar[tuple[str, ...]] = ("/ws/user", "/ws/extension")

    def __init__(self, services: Services, switches: Mapping[str, Any]) -> None:
        self._users = Users(services)
        self._sockets = Sockets(services)
        self._newest: dict[Account, Callable[[], Awaitable[list[Made]]]] = {}
        services.engine.listen(PROVIDER, self._hear)
        super().__init__(services, switches)

    def routes(self) -> tuple[Operation, ...]:
        """The documented routes, and the one that the JSON form of a download names."""
        return (
            Operation("create_job", "POST", "/api/jobs", self._create_job),
            Operation("list_jobs", "GET", "/api/jobs", self._list_jobs),
            Operation("get_job", "GET", "/api/jobs/{job_id}", self._get_job),
            Operation("cancel_job", "DELETE", "/api/jobs/{job_id}", self._cancel_job),
            Operation("download_job", "GET", "/api/jobs/{job_id}/download", self._download_job),
            Operation("get_file", "GET", "/api/jobs/{job_id}/file", self._get_file),
            Operation("get_stats", "GET", "/api/user/stats", self._get_stats),
            *self._users.routes(),
        )

    async def authenticate(self, request: Request) -> Account:
        """The account of the key or the JWT."""
        return self._caller(request.headers)

    def _caller(self, headers: Headers) -> Account:
        key = headers.get("x-api-key")
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if key is None and not scheme:
            raise Refusal(401, "Unauthorized", "An API key or a JWT is required")
        if key is not None:
            account = self._users.with_key(key)
        else:
            account = self._users.with_token(token.strip()) if scheme.lower() == "bearer" else None
        if account is None:
            raise Refusal(401, "Unauthorized", "The API key is wrong or revoked, or the JWT is invalid or expired")
        return account

    def error(self, status: int, code: str, message: str) -> Response:
        """The document's envelope."""
        title = "Rate limit exceeded" if code == "rate_limited" else code.replace("_", " ")
        return JSONResponse({"error": title[:1].upper() + title[1:], **({"details": message} if message else {})}, status)

    def d1_error(self) -> Response:
        """The answer that was seen when a job did not fit into its row."""
        stack = f"Error: {D1_ERROR}\n    at createJob (index.js:1:1)"
        return JSONResponse({"error": "Internal error creating job", "details": D1_ERROR, "stack": stack}, 500)

    def openapi(self) -> dict[str, Any] | None:
        """The description of the routes."""
        return describe(f"{self.services.url}/{self.name}")

    def show(self, account: Account) -> dict[str, Any]:
        """The user id for the WebSocket, and a fresh JWT."""
        return {"user_id": self._users.id_of(account), "jwt": self._users.token(account)}

    def forget(self, account: Account) -> None:
        """Revoke the keys that were made, and close the WebSockets."""
        self._users.forget(account)
        self._sockets.forget(account)
        self._newest.pop(account, None)

    async def connect(self, path: str, socket: WebSocket) -> None:
        """Serve a user's or an extension's WebSocket; 1008 when the address does not say whose."""
        asked = socket.query_params
        account = self._users.with_id(asked.get("userId"))
        line = account and Line(socket, account, path, self.services)
        if path == "/ws/extension":
            kind = asked.get("extensionType")
            if line and account and self._users.with_token(asked.get("token", "")) is account and kind in {"flow", FREEPIK}:
                await self._sockets.serve_extension(line, account, asked["userId"], kind)
                return
        elif line and account and self._may_listen(account, socket.headers):
            await self._sockets.serve_user(line, account, asked["userId"])
            return
        await socket.accept()
        await socket.close(POLICY_VIOLATION)

    def _may_listen(self, account: Account, headers: Headers) -> bool:
        if _switches(account).ws_auth == "open":
            return True
        try:
            return self._caller(headers) is account
        except Refusal:
            return False

    async def _create_job(self, request: Request, account: Account) -> Response:
        switches, engine = _switches(account), self.services.engine
        body = await read_object(request)
        try:
            wish = read_wish(
                body, prompt_limit=switches.prompt_limit == "on", quality_on_flow=switches.quality_on_flow != "refuse"
            )
        except RowTooBigError:
            return self.d1_error()
        engine.settle()
        bound = account.plan and account.plan.open_jobs
        if bound is not None and switches.over_limit == "refuse" and sum(job.open for job in engine.of(account)) >= bound:
            details = f"This plan allows {bound} jobs at once"
            raise Refusal(429, "Too many concurrent jobs", details, retry_after=BUSY_RETRY)
        if not account.can_afford(COST):
            raise Refusal(402, "Insufficient credits", "Upgrade your plan or purchase more credits")

        asked = {"type": wish.type, "prompt": wish.prompt, "settings": wish.settings}
        take = sum(job.request == asked for job in engine.of(account))

        async def work() -> list[Made]:
            if job.terms.by_hand:
                return await self._sockets.result(job)
            if job.mishap is not None and job.mishap.kind == "wrong_picture":
                # As seen in the field: what the page shows first is taken, whosever it is.
                return await self._newest.get(account, partial(self._render, wish, _FOREIGN_PROMPT, take))()
            render = partial(self._render, wish, wish.prompt, take)
            self._newest[account] = render
            return await render()

        usual = _usual_run(wish, documented=account.settings.documented)
        terms = Terms(
            run=usual,
            priority=wish.priority,
            prepaid=True,
            by_hand=switches.workers != "builtin",
            patience=QUEUE_PATIENCE,
            marks=MARKS if switches.workers == "builtin" else (),
            vanishes=switches.quality_on_flow == "vanish" and wish.model != FREEPIK and body.get("quality") is not None,
        )
        job = engine.accept(account, str(uuid.uuid4()), "create_job", asked, COST, work, terms=terms)
        position = 1 + engine.ahead(job)
        if switches.workers == "extension":
            self._sockets.offer(account)
        return JSONResponse(
            {
                "success": True,
                "jobId": job.id,
                "status": self._status(job),
                "queuePosition": position,
                "estimatedTime": round(sum(account.settings.run or usual) / 2),
            },
            201,
        )

    async def _render(self, wish: Wish, prompt: str, take: int) -> list[Made]:
        width, _, height = wish.aspect_ratio.partition(":")
        brief = Prompt(
            text=prompt,
            model=wish.model,
            ratio=RATIOS.get(wish.aspect_ratio) or (int(width), int(height)),
            size=self.services.size * (2 if wish.quality == "2K" else 1),
            seed=take * 4,
            mode=wish.mode,
            references=wish.references,
        )
        renderer = self.services.renderer
        try:
            if wish.type == "video":
                files = [("video/mp4", await renderer.film(brief, SECONDS[wish.model]))]
            else:
                files = [("image/png", await renderer.paint(brief.again(number))) for number in range(wish.count)]
        except UnreadableReferenceError:
            raise JobFailedError("unreadable_reference", "A reference image could not be read.") from None
        return name_results(wish.type, files)

    async def _list_jobs(self, request: Request, account: Account) -> Response:
        limit, offset = page_of(request)
        status = request.query_params.get("status")
        if status not in {None, "pending", "queued", "processing", "completed", "failed"}:
            raise Refusal(400, "Invalid parameters", "status must be one of pending, queued, processing, completed, failed")
        self.services.engine.settle()
        found = [job for job in self._jobs(account) if status is None or status == self._status(job)]
        shown = [self._show(await self.services.engine.look(job)) for job in found[offset : offset + limit]]
        return JSONResponse({"jobs": shown, "total": len(found)})

    async def _get_job(self, request: Request, account: Account) -> Response:
        return JSONResponse(self._show(await self.services.engine.look(self._job(request, account))))

    async def _cancel_job(self, request: Request, account: Account) -> Response:
        job = self._job(request, account)
        self.services.engine.settle()
        if not self.services.engine.cancel(job):
            details = f"Only pending or queued jobs can be cancelled; this one is {self._status(job)}"
            raise Refusal(400, "Cannot cancel job", details)
        return JSONResponse({"success": True})

    async def _download_job(self, request: Request, account: Account) -> Response:
        job = self._job(request, account)
        self.services.engine.settle()
        if job.status != "succeeded":
            raise Refusal(400, "Job not completed", f"This job is {self._status(job)}")
        if not job.outputs:
            raise Refusal(404, "Result not found", "")
        output = job.outputs[0]
        if _switches(account).download == "redirect":
            return RedirectResponse(self.services.media.sign(output.value, account.settings.link_lifetime or LINK_LIFETIME), 302)
        name = output.name + SUFFIXES.get(output.media_type, ".bin")
        path = f"/api/jobs/{job.id}/file"
        return JSONResponse({"url": path, "filename": name, "size": output.size, "type": output.media_type})

    async def _get_file(self, request: Request, account: Account) -> Response:
        job = self._job(request, account)
        if _switches(account).download == "redirect" or job.status != "succeeded" or not job.outputs:
            raise Refusal(404, "Not found", "")
        return await self.services.media.deliver(job.outputs[0].value, request)

    async def _get_stats(self, request: Request, account: Account) -> Response:  # noqa: ARG002 -- a handler's signature
        self.services.engine.settle()
        jobs = self._jobs(account)
        return JSONResponse(
            {
                "total_jobs": len(jobs),
                "completed_jobs": sum(job.status == "succeeded" for job in jobs),
                "failed_jobs": sum(job.status in {"failed", "cancelled"} for job in jobs),
                "active_jobs": sum(job.open for job in jobs),
                "image_count": sum(job.request["type"] == "image" for job in jobs),
                "video_count": sum(job.request["type"] == "video" for job in jobs),
                "credits_remaining": account.credits,
            }
        )

    def _job(self, request: Request, account: Account) -> Job:
        job = self.services.engine.find(self.name, request.path_params["job_id"])
        if job is None or (job.account is account and not _is_listed(job)):
            raise Refusal(404, "Job not found", "")
        if job.account is not account:
            raise Refusal(403, "Forbidden", "This job belongs to another user")
        return job

    def _jobs(self, account: Account) -> list[Job]:
        return [job for job in self.services.engine.of(account) if _is_listed(job)]

    def _status(self, job: Job) -> str:
        if job.status != "queued":
            return {"running": "processing", "succeeded": "completed"}.get(job.status, "failed")
        room = self.services.engine.room(job.account)
        return "queued" if room is None or self.services.engine.ahead(job) < room else "pending"

    def _show(self, job: Job) -> dict[str, Any]:
        keys = [self._result_key(job, number) for number in range(len(job.outputs))]
        took = int(job.ended_at - job.started_at) if job.ended_at is not None and job.started_at is not None else None
        return {
            "id": job.id,
            "type": job.request["type"],
            "status": self._status(job),
            "prompt": job.request["prompt"],
            "settings": job.request["settings"],
            "result_url": keys[0] if keys else None,
            "result_urls": keys if len(keys) > 1 else None,
            "created_at": iso(job.created_at),
            "started_at": iso(job.started_at),
            "completed_at": iso(job.ended_at),
            "processing_time": took,
            "file_size": job.outputs[0].size if job.outputs else None,
            "error_message": _error_of(job),
        }

    def _result_key(self, job: Job, number: int) -> str:
        output = job.outputs[number]
        return f"generated/{self._users.id_of(job.account)}/{job.id}/{output.name}{SUFFIXES.get(output.media_type, '.bin')}"

    def _hear(self, job: Job, change: Change) -> None:
        """Tell the listening users what became of a job."""
        event: dict[str, Any] = {"type": f"job_{change}", "jobId": job.id}
        if change == "progress":
            progress = self.services.engine.progress(job)
            event |= {"progress": progress, "message": f"Generating: {progress}%"}
        elif change == "ended":
            asyncio.get_running_loop().call_soon(self._sockets.offer, job.account)
            if not _is_listed(job):
                return
            shown = self._show(job)
            if job.status == "succeeded":
                event |= {"type": "job_completed", "resultUrl": shown["result_url"], "resultUrls": shown["result_urls"]}
            else:
                event |= {"type": "job_failed", "error": shown["error_message"]}
        self._sockets.broadcast(job.account, event)


API = Genova


def _switches(account: Account) -> GenovaSwitches:
    return cast("GenovaSwitches", account.switches)


def _is_listed(job: Job) -> bool:
    return job.status != "cancelled" or _switches(job.account).cancel == "failed"


def _error_of(job: Job) -> str | None:
    if job.status == "cancelled":
        return "Cancelled"
    return job.error.message if job.error else None


def _usual_run(wish: Wish, *, documented: bool) -> tuple[float, float]:
    """How long a job runs in nominal seconds: about as the document says, or short enough for a demonstration."""
    if wish.model not in VIDEO_MODELS:
        return (25, 35) if documented else (4, 8)
    if not documented:
        return (8, 15)
    return (280, 320) if wish.model == "veo3_quality" else (170, 190)
