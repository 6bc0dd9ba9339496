"""Genova's WebSockets: one line to each listening user and each extension, and the jobs that extensions work on.

The document names the extensions' messages but not their fields; the sandbox chooses. The server sends `new_job` with
`job: {id, type, prompt, settings}` to an extension that has nothing to do, or to any that sends `request_job`. The extension answers
with `job_progress` (`jobId`, `progress`, `message`), `job_completed` (`jobId`, and `result` or `results`: data URLs with base64) or
`job_failed` (`jobId`, `error`). A job whose extension leaves fails.
"""

import asyncio
import base64
import binascii
import contextlib
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from starlette.websockets import WebSocket, WebSocketDisconnect
from uvicorn.protocols.utils import ClientDisconnected

from genmedia.sandbox.accounts import Account
from genmedia.sandbox.engine import Job, JobFailedError, Made
from genmedia.sandbox.genova.requests import FREEPIK
from genmedia.sandbox.provider import Services

PATIENCE = 90.0
"""Nominal seconds of silence after which the server closes a line."""
POLICY_VIOLATION = 1008

_GOING_AWAY = 1001
_ABORT = "abort"
_HELD_FOR = 5.0  # nominal seconds that an event out of order waits for one to overtake it

Message = dict[str, Any]


class Line:
    """One WebSocket: what goes out is queued, so that telling never waits.

    Args:
        socket: Not yet accepted.
        account: Whose line it is; its scripted faults happen here.
        path: The route, by which faults know it.
        services: What all providers share.
    """

    def __init__(self, socket: WebSocket, account: Account, path: str, services: Services) -> None:
        self._socket = socket
        self._account = account
        self._path = path
        self._clock = services.clock
        self._faults = services.faults
        self._outbox: asyncio.Queue[str | int] = asyncio.Queue()
        self._held: list[Message] = []
        self._silent = False
        self._heard_at = self._clock.now()

    def say(self, message: Message) -> None:
        """Send a message."""
        if not self._silent:
            self._outbox.put_nowait(json.dumps(message))

    def tell(self, event: Message) -> None:
        """Send an event, or what a scripted fault makes of it."""
        fault = self._faults.take("socket", self._account.provider, self._account, self._path)
        match fault and fault.kind:
            case "silent_socket":
                self._silent = True
            case "drop_socket":
                self._outbox.put_nowait(_ABORT)
            case "out_of_order":
                self._held.append(event)
                asyncio.get_running_loop().call_later(self._clock.real(_HELD_FOR), self._release)
            case "duplicate_events":
                self.say(event)
                self.say(event)
            case _:
                self.say(event)
                self._release()

    def end(self, code: int) -> None:
        """Close the line after what is already queued."""
        self._outbox.put_nowait(code)

    async def serve(self, welcome: Message, hear: Callable[[Message], None]) -> None:
        """Accept, greet, answer pings and hand on what else is heard, until either side leaves."""
        # Before the first wait, so that no event comes ahead of it.
        self.say(welcome)
        await self._socket.accept()
        writer = asyncio.create_task(self._write())
        try:
            while (received := await self._socket.receive())["type"] != "websocket.disconnect":
                self._heard_at = self._clock.now()
                message = _parse(received.get("text"))
                if message.get("type") == "ping":
                    self.say({"type": "pong"})
                elif message:
                    hear(message)
        finally:
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer

    def _release(self) -> None:
        while self._held:
            self.say(self._held.pop(0))

    async def _write(self) -> None:
        # Who hears of a closed line is the reader.
        with contextlib.suppress(WebSocketDisconnect, ClientDisconnected, RuntimeError):
            while True:
                item: str | int | None = None
                with contextlib.suppress(TimeoutError):
                    # The clock may change its pace at any time, so nobody waits long for a nominal moment.
                    async with asyncio.timeout(0.5):
                        item = await self._outbox.get()
                if item == _ABORT:
                    self._socket.scope["state"]["transport"].abort()
                    return
                if isinstance(item, str):
                    await self._socket.send_text(item)
                elif self._clock.now() - self._heard_at >= PATIENCE or item is not None:
                    await self._socket.close(_GOING_AWAY if item is None else item)
                    return


@dataclass(eq=False)
class Worker:
    """One connected extension and the jobs it works on."""

    line: Line
    kind: str
    jobs: set[Job] = field(default_factory=set[Job])


class Sockets:
    """All lines of all users.

    Args:
        services: What all providers share.
    """

    def __init__(self, services: Services) -> None:
        self._engine = services.engine
        self._lines: defaultdict[Account, set[Line]] = defaultdict(set)
        self._workers: defaultdict[Account, list[Worker]] = defaultdict(list)
        self._results: dict[Job, asyncio.Future[list[Made] | JobFailedError]] = {}
        self._progress: dict[Job, int] = {}

    async def serve_user(self, line: Line, account: Account, user_id: str) -> None:
        """Keep a listening user's line until it ends."""
        self._lines[account].add(line)
        try:
            await line.serve({"type": "welcome", "userId": user_id}, lambda _: None)
        finally:
            self._lines[account].discard(line)

    async def serve_extension(self, line: Line, account: Account, user_id: str, kind: str) -> None:
        """Keep an extension's line until it ends, and give it work."""
        worker = Worker(line, kind)
        self._workers[account].append(worker)
        asyncio.get_running_loop().call_soon(self.offer, account)
        try:
            welcome = {"type": "welcome", "userId": user_id, "extensionType": kind}
            await line.serve(welcome, lambda message: self._hear(worker, account, message))
        finally:
            if worker in self._workers[account]:
                self._workers[account].remove(worker)
            for job in list(worker.jobs):
                self._settle(worker, job, JobFailedError("worker_lost", "The extension disconnected."))

    def broadcast(self, account: Account, event: Message) -> None:
        """Tell every listening user of the account."""
        for line in self._lines[account]:
            line.tell(event)

    def offer(self, account: Account) -> None:
        """Give waiting jobs to the extensions that have nothing to do."""
        for worker in self._workers[account]:
            if not worker.jobs:
                self._assign_next(worker, account)

    async def result(self, job: Job) -> list[Made]:
        """What the extension makes of a job.

        Raises:
            JobFailedError: It says that it failed.
        """
        outcome = await self._results[job]
        if isinstance(outcome, JobFailedError):
            raise outcome
        return outcome

    def forget(self, account: Account) -> None:
        """Close the account's lines."""
        for line in [*self._lines.pop(account, ()), *(worker.line for worker in self._workers.pop(account, ()))]:
            line.end(_GOING_AWAY)

    def _assign_next(self, worker: Worker, account: Account) -> None:
        room = self._engine.room(account)
        if room is not None and room <= 0:
            return
        for job in self._engine.queue(account):
            if job.terms.by_hand and (job.request["settings"]["model"] == FREEPIK) == (worker.kind == FREEPIK):
                worker.jobs.add(job)
                self._results[job] = asyncio.get_running_loop().create_future()
                self._engine.begin(job)
                shown = {name: job.request[name] for name in ("type", "prompt", "settings")}
                worker.line.tell({"type": "new_job", "job": {"id": job.id, **shown}})
                return

    def _hear(self, worker: Worker, account: Account, message: Message) -> None:
        if message.get("type") == "request_job":
            self._assign_next(worker, account)
            return
        job = next((job for job in worker.jobs if job.id == message.get("jobId")), None)
        if job is None:
            return
        match message.get("type"):
            case "job_progress":
                self._report(account, job, message)
            case "job_completed":
                self._settle(worker, job, _made(job, message))
            case "job_failed":
                self._settle(
                    worker, job, JobFailedError("extension_failed", str(message.get("error") or "The extension failed."))
                )
            case _:
                pass

    def _report(self, account: Account, job: Job, message: Message) -> None:
        progress = message.get("progress")
        if isinstance(progress, int | float):
            self._progress[job] = max(self._progress.get(job, 0), min(100, max(0, int(progress))))
        text = str(message.get("message") or "Generating")
        self.broadcast(
            account, {"type": "job_progress", "jobId": job.id, "progress": self._progress.get(job, 0), "message": text}
        )

    def _settle(self, worker: Worker, job: Job, outcome: list[Made] | JobFailedError) -> None:
        worker.jobs.discard(job)
        self._progress.pop(job, None)
        self._results.pop(job).set_result(outcome)
        # The engine ends the job, and so makes room, when its work has returned.
        asyncio.get_running_loop().call_later(0.01, self.offer, job.account)


def _parse(text: str | None) -> Message:
    try:
        message = json.loads(text or "")
    except ValueError:
        return {}
    return cast("Message", message) if isinstance(message, dict) else {}


def _made(job: Job, message: Message) -> list[Made] | JobFailedError:
    given: Any = message.get("results") or [message.get("result")]
    files = [_decode(item) for item in cast("list[Any]", given)] if isinstance(given, list) else [None]
    if None in files:
        return JobFailedError("unreadable_result", "The extension sent no readable result.")
    return name_results(job.request["type"], [file for file in files if file is not None])


def _decode(item: Any) -> tuple[str, bytes] | None:
    head, comma, body = item.partition(",") if isinstance(item, str) else ("", "", "")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        return None
    try:
        return head.removeprefix("data:").removesuffix(";base64"), base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        return None


def name_results(kind: str, files: list[tuple[str, bytes]]) -> list[Made]:
    """Files (media type and bytes) as the outputs of a job: `result`, or `result_0`, `result_1` ... where there are several."""
    names = [f"result_{number}" for number in range(len(files))] if len(files) > 1 else ["result"]
    return [Made(name, kind, media_type, data, sealed=True) for name, (media_type, data) in zip(names, files, strict=True)]
