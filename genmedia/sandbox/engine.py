"""The job engine that all providers share: acceptance, queue, run, end, money."""

import asyncio
import heapq
import logging
import random
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

from genmedia.sandbox.accounts import Account
from genmedia.sandbox.clock import Clock
from genmedia.sandbox.faults import Faults
from genmedia.sandbox.media import Media

log = logging.getLogger(__name__)

Status = Literal["queued", "running", "succeeded", "failed", "vanished"]

RENDERING_DEADLINE = 30.0
"""Real seconds that a look waits for a rendering before it shows the job as still running."""


@dataclass(frozen=True)
class Made:
    """One output as it comes out of the work: its name, the provider's type for it, media type and bytes."""

    name: str
    kind: str
    media_type: str
    data: bytes


@dataclass(frozen=True)
class Output:
    """One output as the provider shows it: `value` is its address, or the text itself."""

    name: str
    kind: str
    value: str


class JobFailedError(Exception):
    """The job ends as failed, with the provider's code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


Work = Callable[[], Awaitable[list[Made]]]


@dataclass(eq=False)
class Job:
    """One accepted job; all times are nominal Unix seconds.

    Attributes:
        run_for: Nominal seconds it will run, in `time` mode.
        doom: The failure it is bound to end with, whatever its work says.
        never_ends: A scripted fault keeps it running for ever.
        due: When it ends at the earliest, in `time` mode.
        looks: Looks taken in the present status, in `looks` mode.
    """

    account: Account
    id: str
    operation: str
    request: dict[str, Any]
    cost: int | float
    work: Work
    created_at: float
    run_for: float
    by_looks: tuple[int, int] | None
    doom: JobFailedError | None
    never_ends: bool
    status: Status = "queued"
    started_at: float | None = None
    ended_at: float | None = None
    due: float | None = None
    looks: int = 0
    charged: int | float = 0
    outputs: tuple[Output, ...] = ()
    error: JobFailedError | None = None
    rendering: asyncio.Task[list[Made] | JobFailedError] | None = field(default=None, repr=False)

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.status in {"queued", "running"}


class Engine:
    """Moves jobs by the clock or by looks, and charges for those that succeed.

    Nothing runs per job: one heap holds what happens next and one timer waits for its top.

    Args:
        clock: The nominal clock.
        faults: Asked once per accepted job.
        media: Takes the outputs.
        seed: Makes durations and failures repeat from one start of the sandbox to the next.
    """

    def __init__(self, clock: Clock, faults: Faults, media: Media, seed: int) -> None:
        self._clock = clock
        self._faults = faults
        self._media = media
        self._seed = seed
        self._jobs: dict[tuple[str, str], Job] = {}
        self._of: defaultdict[Account, list[Job]] = defaultdict(list)
        self._running: Counter[Account] = Counter()
        self._waiting: defaultdict[Account, deque[Job]] = defaultdict(deque)
        self._events: list[tuple[float, int, Job]] = []
        self._numbers = count()
        self._timer: asyncio.TimerHandle | None = None

    def accept(
        self,
        account: Account,
        job_id: str,
        operation: str,
        request: dict[str, Any],
        cost: float,
        work: Work,
        *,
        weight: float = 1.0,
    ) -> Job:
        """Take in a job and promise its cost.

        Args:
            account: Who pays.
            job_id: The id in the provider's style.
            operation: The operation's name.
            request: The body as accepted.
            cost: Credits charged when it succeeds.
            work: Makes the outputs; started when the job starts to run. May raise JobFailedError.
            weight: How many times as long as usual it runs.
        """
        settings = account.settings
        dice = random.Random(f"{self._seed}/{account.provider}/{account.name}/{len(self._of[account])}")  # noqa: S311 -- a simulation
        wait, run = dice.uniform(*settings.queue), dice.uniform(*settings.run) * weight
        fault = self._faults.take("job", account.provider, account, operation)
        kind = fault.kind if fault else None
        doom = JobFailedError("internal_error", "The model failed.") if dice.random() < settings.failure_rate else None
        if fault and kind == "fail":
            doom = JobFailedError(fault.error_code, fault.message)
        job = Job(
            account=account,
            id=job_id,
            operation=operation,
            request=request,
            cost=cost,
            work=work,
            created_at=self._clock.now(),
            run_for=run,
            by_looks=settings.looks if settings.advance == "looks" else None,
            doom=doom,
            never_ends=kind == "stuck",
        )
        self._jobs[account.provider, job_id] = job
        self._of[account].append(job)
        if kind == "vanish":
            job.status = "vanished"
            return job
        account.promised += cost
        if job.by_looks is None:
            self._schedule(job.created_at + wait, job)
        return job

    def find(self, provider: str, job_id: str) -> Job | None:
        """The job of that id, unless it vanished."""
        job = self._jobs.get((provider, job_id))
        return job if job and job.status != "vanished" else None

    def of(self, account: Account) -> list[Job]:
        """The account's jobs that have not vanished, newest first."""
        return [job for job in reversed(self._of[account]) if job.status != "vanished"]

    def all(self) -> list[Job]:
        """Every job ever accepted, oldest first."""
        return list(self._jobs.values())

    async def look(self, job: Job) -> Job:
        """Bring a job to the state that the response about to be sent shows."""
        if self._events and self._events[0][0] <= self._clock.now():
            self.settle()
        if job.by_looks is None or not job.open:
            return job
        queued_looks, running_looks = job.by_looks
        job.looks += 1
        if job.status == "queued" and job.looks > queued_looks and self._has_room(job.account):
            self._start(job, self._clock.now())
            job.looks = 1
        if job.status == "running" and job.looks > running_looks and not job.never_ends:
            if job.rendering:
                await asyncio.wait([job.rendering], timeout=RENDERING_DEADLINE)
            self._end_if_done(job, self._clock.now())
        return job

    def progress(self, job: Job) -> int:
        """Percent done: it never falls, and 100 means succeeded."""
        if job.status == "succeeded":
            return 100
        if job.started_at is None:
            return 0
        if job.by_looks:
            return min(99, 100 * job.looks // (job.by_looks[1] + 1))
        until = job.ended_at or self._clock.now()
        return min(99, int(100 * (until - job.started_at) / job.run_for)) if job.run_for else 99

    def settle(self) -> None:
        """Let everything happen that is due by now."""
        now = self._clock.now()
        while self._events and self._events[0][0] <= now:
            due, _, job = heapq.heappop(self._events)
            if job.status == "queued":
                if self._has_room(job.account):
                    self._start(job, due)
                else:
                    self._waiting[job.account].append(job)
            else:
                self._end_if_done(job, due)
        self._arm()

    def admit(self, account: Account, at: float) -> None:
        """Start the jobs that only waited for room, at the nominal time given."""
        waiting = self._waiting[account]
        while waiting and self._has_room(account):
            self._start(waiting.popleft(), at)

    def forget(self, account: Account) -> None:
        """Drop the account's jobs as if they had never been accepted."""
        for job in self._of.pop(account, []):
            del self._jobs[account.provider, job.id]
        self._events = [event for event in self._events if event[2].account is not account]
        heapq.heapify(self._events)
        self._waiting.pop(account, None)
        self._running.pop(account, None)

    def _has_room(self, account: Account) -> bool:
        bound = account.settings.max_running
        return bound is None or self._running[account] < bound

    def _schedule(self, due: float, job: Job) -> None:
        heapq.heappush(self._events, (due, next(self._numbers), job))
        if self._events[0][2] is job:
            self._arm()

    def _arm(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._events:
            delay = self._clock.real(self._events[0][0] - self._clock.now())
            self._timer = asyncio.get_running_loop().call_later(max(0.0, delay), self.settle)

    def _start(self, job: Job, at: float) -> None:
        job.status, job.started_at = "running", at
        self._running[job.account] += 1
        if not job.doom and not job.never_ends:
            job.rendering = asyncio.create_task(self._do_work(job))
            job.rendering.add_done_callback(lambda _: self._rendered(job))
        if job.by_looks is None and not job.never_ends:
            job.due = at + job.run_for
            self._schedule(job.due, job)

    async def _do_work(self, job: Job) -> list[Made] | JobFailedError:
        try:
            return await job.work()
        except JobFailedError as failure:
            return failure
        except Exception:
            log.exception("the work of job %s broke", job.id)
            return JobFailedError("internal_error", "The sandbox could not render this.")

    def _rendered(self, job: Job) -> None:
        now = self._clock.now()
        if job.due is not None and job.due <= now:
            self._end_if_done(job, now)

    def _end_if_done(self, job: Job, at: float) -> None:
        if job.status != "running" or self._jobs.get((job.account.provider, job.id)) is not job:
            return
        outcome = job.doom
        if job.rendering and not job.doom:
            if not job.rendering.done():
                return
            outcome = job.rendering.result()
        job.ended_at = at
        self._running[job.account] -= 1
        job.account.promised -= job.cost
        if isinstance(outcome, JobFailedError):
            job.status, job.error = "failed", outcome
        else:
            job.status, job.charged = "succeeded", job.cost
            job.account.credits -= job.cost
            job.outputs = tuple(self._publish(job, made) for made in outcome or [])
        self.admit(job.account, at)

    def _publish(self, job: Job, made: Made) -> Output:
        if made.media_type == "text/plain":
            return Output(made.name, made.kind, made.data.decode())
        lifetime = job.account.settings.output_lifetime
        return Output(made.name, made.kind, self._media.publish(job.account, made.name, made.media_type, made.data, lifetime))
