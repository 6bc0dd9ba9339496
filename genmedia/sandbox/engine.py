"""The job engine that all providers share: acceptance, queue, run, end, money."""

import asyncio
import heapq
import logging
import random
from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

from genmedia.sandbox.accounts import Account
from genmedia.sandbox.clock import Clock
from genmedia.sandbox.drawing.media import Media
from genmedia.sandbox.faults import FaultOrder, Faults

log = logging.getLogger(__name__)

Status = Literal["queued", "running", "succeeded", "failed", "cancelled", "vanished"]
Change = Literal["started", "progress", "ended"]

RENDERING_DEADLINE = 30.0
"""Real seconds that a look waits for a rendering before it shows the job as still running."""
USUAL_RUN = (1.5, 4.0)
"""Shortest and longest run in nominal seconds, where neither the account nor the provider says otherwise."""


@dataclass(frozen=True)
class Made:
    """One output as it comes out of the work: its name, the provider's type for it, media type and bytes.

    A sealed one is served under signed addresses only.
    """

    name: str
    kind: str
    media_type: str
    data: bytes
    sealed: bool = False


@dataclass(frozen=True)
class Output:
    """One output as the provider shows it: `value` is its address, or the text itself; `size` is in bytes."""

    name: str
    kind: str
    media_type: str
    value: str
    size: int


class JobFailedError(Exception):
    """The job ends as failed, with the provider's code and message, and with what it had made by then."""

    def __init__(self, code: str, message: str, made: Sequence[Made] = ()) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.made = made


Work = Callable[[], Awaitable[list[Made]]]


@dataclass(frozen=True)
class Terms:
    """How a provider treats one job.

    Attributes:
        run: Shortest and longest run in nominal seconds, where the account sets none.
        priority: Of the jobs that wait for room, the highest starts first; among equals the oldest.
        prepaid: Take the cost at acceptance, and give it back only when the job never started. Otherwise it is taken on success.
        forgiving: Give a prepaid cost back also when the job fails.
        piecemeal: A job that fails or is aborted keeps what it had made by then; one that is bound to fail works too.
        by_hand: The job starts when the provider says so, not by itself, and runs as long as its work takes.
        patience: Nominal seconds in the queue after which the job fails. None: it waits for ever.
        marks: The shares of its run at which listeners hear of its progress.
        vanishes: It is gone at the end of its run.
    """

    run: tuple[float, float] = USUAL_RUN
    priority: float = 0
    prepaid: bool = False
    forgiving: bool = False
    piecemeal: bool = False
    by_hand: bool = False
    patience: float | None = None
    marks: tuple[float, ...] = ()
    vanishes: bool = False


@dataclass(eq=False)
class Job:
    """One accepted job; all times are nominal Unix seconds.

    Attributes:
        number: Counts all jobs of the sandbox, in the order of their acceptance.
        run_for: Nominal seconds it will run, in `time` mode.
        mishap: The scripted fault that befalls it.
        doom: The failure it is bound to end with, whatever its work says.
        aborting: Somebody wants it to stop, and it has not stopped yet.
        due: When it ends at the earliest, in `time` mode.
        looks: Looks taken in the present status, in `looks` mode.
    """

    account: Account
    number: int
    id: str
    operation: str
    request: dict[str, Any]
    cost: int | float
    work: Work
    terms: Terms
    created_at: float
    run_for: float
    by_looks: tuple[int, int] | None
    mishap: FaultOrder | None
    doom: JobFailedError | None
    status: Status = "queued"
    aborting: bool = False
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

    @property
    def turn(self) -> tuple[float, int]:
        """Its place among the jobs that wait: the smallest starts first."""
        return -self.terms.priority, self.number

    @property
    def never_ends(self) -> bool:
        """Whether a scripted fault keeps it running for ever."""
        return self.mishap is not None and self.mishap.kind == "stuck"


_Happening = Literal["start", "mark", "end", "give_up", "stop"]
_Event = tuple[float, int, _Happening, Job]


class Engine:
    """Moves jobs by the clock or by looks, and charges for them.

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
        self._waiting: defaultdict[Account, list[Job]] = defaultdict(list)
        self._listeners: dict[str, Callable[[Job, Change], None]] = {}
        self._events: list[_Event] = []
        self._numbers = count()
        self._timer: asyncio.TimerHandle | None = None

    def listen(self, provider: str, listener: Callable[[Job, Change], None]) -> None:
        """Call the listener when a job of the provider starts, gets on or ends, in that order."""
        self._listeners[provider] = listener

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
        terms: Terms | None = None,
    ) -> Job:
        """Take in a job, and promise or take its cost.

        Args:
            account: Who pays.
            job_id: The id in the provider's style.
            operation: The operation's name.
            request: The body as accepted.
            cost: Credits that it usually costs.
            work: Makes the outputs; started when the job starts to run. May raise JobFailedError.
            weight: How many times as long as usual it runs.
            terms: What else the provider's rules ask for; None: nothing.
        """
        settings, terms, cost = account.settings, terms or Terms(), account.price(cost)
        dice = random.Random(f"{self._seed}/{account.provider}/{account.name}/{len(self._of[account])}")  # noqa: S311 -- a simulation
        wait, run = dice.uniform(*settings.queue), dice.uniform(*(settings.run or terms.run)) * weight
        fault = self._faults.take("job", account.provider, account, operation)
        if terms.vanishes:
            fault = FaultOrder(provider=account.provider, kind="vanish", at="end")
        doom = JobFailedError("internal_error", "The model failed.") if dice.random() < settings.failure_rate else None
        if fault and fault.kind in {"fail", "capture_failure", "refused"}:
            doom = JobFailedError(fault.error_code, fault.message)
        job = Job(
            account=account,
            number=next(self._numbers),
            id=job_id,
            operation=operation,
            request=request,
            cost=cost,
            work=work,
            terms=terms,
            created_at=self._clock.now(),
            run_for=0.0 if terms.by_hand else run,
            by_looks=settings.looks if settings.advance == "looks" and not terms.by_hand else None,
            mishap=fault,
            doom=doom,
        )
        self._jobs[account.provider, job_id] = job
        self._of[account].append(job)
        if terms.prepaid:
            account.charge(cost)
            job.charged = cost
        if fault and fault.kind == "vanish" and fault.at == "creation":
            job.status = "vanished"
            return job
        if not terms.prepaid:
            account.promised += cost
        if terms.by_hand:
            insort(self._waiting[account], job, key=lambda each: each.turn)
        elif job.by_looks is None:
            self._schedule(job.created_at + wait, "start", job)
        if terms.patience is not None:
            self._schedule(job.created_at + terms.patience, "give_up", job)
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

    def queue(self, account: Account) -> list[Job]:
        """The account's queued jobs in the order in which they are to start."""
        return sorted((job for job in self._of[account] if job.status == "queued"), key=lambda job: job.turn)

    def ahead(self, job: Job) -> int:
        """How many queued jobs of the account are to start before this one."""
        return sum(each.status == "queued" and each.turn < job.turn for each in self._of[job.account])

    def room(self, account: Account) -> int | None:
        """How many more jobs of the account may run now. None: any number."""
        bounds = [account.settings.max_running, account.plan and account.plan.open_jobs]
        stated = [bound for bound in bounds if bound is not None]
        return min(stated) - self._running[account] if stated else None

    def begin(self, job: Job) -> None:
        """Start a job that is started by hand."""
        self._waiting[job.account].remove(job)
        self._start(job, self._clock.now())

    def cancel(self, job: Job) -> bool:
        """End a queued job and give back what it cost; False, and nothing happens, when it is not queued."""
        if job.status != "queued":
            return False
        self._end(job, "cancelled", self._clock.now())
        return True

    def abort(self, job: Job, moment: float) -> None:
        """Ask an open job to stop: it ends as cancelled a moment later, or at its next look, unless it ends by itself before.

        Args:
            job: The job.
            moment: Nominal seconds that stopping takes, in `time` mode.
        """
        job.aborting = True
        if job in self._waiting[job.account]:
            self._waiting[job.account].remove(job)
        if job.by_looks is None:
            self._schedule(self._clock.now() + moment, "stop", job)

    async def look(self, job: Job) -> Job:
        """Bring a job to the state that the response about to be sent shows."""
        if self._events and self._events[0][0] <= self._clock.now():
            self.settle()
        if job.by_looks is None or not job.open:
            return job
        queued_looks, running_looks = job.by_looks
        if job.aborting and (job.status == "queued" or job.never_ends or job.looks < running_looks):
            await self._until_rendered(job)
            self._stop(job, self._clock.now())
            return job
        job.looks += 1
        if job.status == "queued" and job.looks > queued_looks and self._has_room(job.account):
            self._start(job, self._clock.now())
            job.looks = 1
        if job.status == "running":
            if job.looks > running_looks and not job.never_ends:
                await self._until_rendered(job)
                self._end_if_done(job, self._clock.now())
            else:
                self._tell(job, "progress")
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
            due, _, what, job = heapq.heappop(self._events)
            match what:
                case "start" if job.status == "queued" and not job.aborting and self._has_room(job.account):
                    self._start(job, due)
                case "start" if job.status == "queued" and not job.aborting:
                    insort(self._waiting[job.account], job, key=lambda each: each.turn)
                case "mark" if job.status == "running":
                    self._tell(job, "progress")
                case "end":
                    self._end_if_done(job, due)
                case "stop" if job.open:
                    self._stop(job, due)
                case "give_up" if job.status == "queued":
                    job.error = JobFailedError("not_assigned", "No worker took this job in time.")
                    self._end(job, "failed", due)
                case _:
                    pass
        self._arm()

    def admit(self, account: Account, at: float) -> None:
        """Start the jobs that only waited for room, at the nominal time given."""
        waiting = self._waiting[account]
        while waiting and not waiting[0].terms.by_hand and self._has_room(account):
            self._start(waiting.pop(0), at)

    def forget(self, account: Account) -> None:
        """Drop the account's jobs as if they had never been accepted."""
        for job in self._of.pop(account, []):
            del self._jobs[account.provider, job.id]
        self._events = [event for event in self._events if event[3].account is not account]
        heapq.heapify(self._events)
        self._waiting.pop(account, None)
        self._running.pop(account, None)

    def _has_room(self, account: Account) -> bool:
        room = self.room(account)
        return room is None or room > 0

    def _tell(self, job: Job, change: Change) -> None:
        if listener := self._listeners.get(job.account.provider):
            listener(job, change)

    def _schedule(self, due: float, what: _Happening, job: Job) -> None:
        heapq.heappush(self._events, (due, next(self._numbers), what, job))
        if self._events[0][3] is job:
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
        self._tell(job, "started")
        if (not job.doom or job.terms.piecemeal) and not job.never_ends:
            job.rendering = asyncio.create_task(self._do_work(job))
            job.rendering.add_done_callback(lambda _: self._rendered(job))
        if job.by_looks is None and not job.never_ends:
            job.due = at + job.run_for
            for mark in job.terms.marks:
                self._schedule(at + mark * job.run_for, "mark", job)
            self._schedule(job.due, "end", job)

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

    async def _until_rendered(self, job: Job) -> None:
        if job.rendering:
            await asyncio.wait([job.rendering], timeout=RENDERING_DEADLINE)

    def _end_if_done(self, job: Job, at: float) -> None:
        if job.status != "running" or self._jobs.get((job.account.provider, job.id)) is not job:
            return
        outcome: list[Made] | JobFailedError = []
        if job.rendering:
            if not job.rendering.done() or job.rendering.cancelled():
                return  # cancelled: the server is stopping
            outcome = job.rendering.result()
        if job.mishap and job.mishap.kind == "vanish":
            self._end(job, "vanished", at)
            return
        if job.mishap is None or job.mishap.kind != "no_outputs":
            self._keep(job, _made(outcome))
        job.error = job.doom or (outcome if isinstance(outcome, JobFailedError) else None)
        self._end(job, "failed" if job.error else "succeeded", at)

    def _stop(self, job: Job, at: float) -> None:
        """End a job before its time; it keeps as large a part of its work as it was through with its run."""
        if job.terms.piecemeal and job.rendering and job.rendering.done() and not job.rendering.cancelled():
            made = _made(job.rendering.result())
            self._keep(job, made[: len(made) * self.progress(job) // 100])
        self._end(job, "cancelled", at)

    def _end(self, job: Job, status: Status, at: float) -> None:
        never_started = job.status == "queued"
        job.status, job.ended_at = status, at
        if never_started:
            if job in self._waiting[job.account]:
                self._waiting[job.account].remove(job)
        else:
            self._running[job.account] -= 1
        if not job.terms.prepaid:
            job.account.promised -= job.cost
            job.charged = job.cost if status == "succeeded" else 0
            job.account.charge(job.charged)
        elif never_started or (status == "failed" and job.terms.forgiving):
            job.account.charge(-job.charged)
            job.charged = 0
        if job.mishap and job.mishap.kind == "overcharge":
            job.account.charge(job.cost * job.mishap.factor - job.charged)
            job.charged = job.cost * job.mishap.factor
        if status != "vanished":
            self._tell(job, "ended")
        self.admit(job.account, at)

    def _keep(self, job: Job, made: Sequence[Made]) -> None:
        job.outputs = tuple(self._publish(job, each) for each in made)

    def _publish(self, job: Job, made: Made) -> Output:
        if made.media_type == "text/plain":
            value = made.data.decode()
        else:
            lifetime = job.account.settings.output_lifetime
            value = self._media.publish(job.account, made.name, made.media_type, made.data, lifetime, sealed=made.sealed)
        return Output(made.name, made.kind, made.media_type, value, len(made.data))


def _made(outcome: list[Made] | JobFailedError) -> Sequence[Made]:
    return outcome.made if isinstance(outcome, JobFailedError) else outcome
