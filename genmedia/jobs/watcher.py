"""The wait for remote jobs to end: one watcher for all jobs of an account, through faults and outages, with separate deadlines.

A job is polled until it ends; pushed news only comes earlier. A job never goes back to an earlier status.
"""

import asyncio
import heapq
import random
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Generator, Hashable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from math import inf
from time import monotonic
from typing import Generic, Protocol, TypeVar

from genmedia import errors
from genmedia.concurrency import end_task, every, set_within
from genmedia.jobs.durations import GROWING, OVERDUE, Schedule
from genmedia.jobs.job import Job, JobStatus
from genmedia.transport.pace import ANSWER_SECONDS, LONGEST_HOLD, asking_once

ABSENCES = 4
"""Number of complete looks in a row that must miss a job before it counts as vanished."""

TROUBLE = 2
"""Number of looks in a row that must fail before the trouble is told; a single failure is not."""

EARLY = 1000
"""Most jobs whose pushed end is remembered, for a wait that begins after it."""

LONGEST_PAUSE = 30.0
"""Longest pause between two looks at a job of whose kind nothing is known, at one that waits, or after looks that failed, in seconds."""

DATE_SECONDS = 0.5
"""Seconds by which the time of a provider is ahead of the time that its answers state, on average: they state whole seconds."""

FRESH_SECONDS = 5.0
"""Age up to which a job of another process counts as made just now, in seconds."""

LAST_LOOK_SECONDS = 30.0
"""Longest wait for the look that is taken when a deadline has passed, before the job is given up, in seconds."""

_PASSING = (
    errors.NoAnswerError,
    errors.ServerError,
    errors.UnreachableError,
    errors.RateLimitError,
    errors.UnreadableAnswerError,
)
_UNDER_WAY = _NEVER = inf
_LONGEST_SLEEP = 3600.0
_ROOM = 1000
_ORDER = [JobStatus.QUEUED, JobStatus.RUNNING]

R = TypeVar("R", bound=Hashable)


@dataclass(frozen=True)
class Trouble:
    """What is wrong with a job that goes on: it cannot be looked at now, or runs far longer than others. It is told once."""

    what: str


Seen = Callable[[Job | Trouble], Awaitable[None]]


@dataclass(frozen=True)
class Look(Generic[R]):
    """Result of one look, as far as it was not told before: jobs by reference, references that certainly do not exist, errors of others."""

    jobs: Mapping[R, Job]
    missing: frozenset[R] = frozenset()
    failed: Mapping[R, errors.GenmediaError] = field(default_factory=dict[R, errors.GenmediaError])

    def __or__(self, other: "Look[R]") -> "Look[R]":
        """Return the results of both looks."""
        return Look({**self.jobs, **other.jobs}, self.missing | other.missing, {**self.failed, **other.failed})


async def look_at_each(refs: Iterable[R], ask: Callable[[R], Awaitable[Job]], tell: Callable[[R, Job], None]) -> Look[R]:
    """Look at jobs with one request for each, all at once; a job that cannot be looked at neither hides the others nor delays them.

    Args:
        refs: The provider's references.
        ask: Looks at one job.
        tell: Called with each job as soon as it is seen.
    """
    missing: set[R] = set()
    failed: dict[R, errors.GenmediaError] = {}

    async def look(ref: R) -> None:
        try:
            with errors.contained(f"job {ref}"):
                tell(ref, await ask(ref))
        except errors.NotFoundError:
            missing.add(ref)
        except errors.GenmediaError as error:
            failed[ref] = error

    await every(map(look, refs))
    return Look({}, frozenset(missing), failed)


@dataclass(frozen=True)
class Other:
    """A job that another process waits for: its schedule, and the seconds since it was made."""

    schedule: Schedule
    age: float


class Board(Protocol[R]):
    """Where processes that wait for jobs of one account tell each other what they see, so that one of them looks for all."""

    @property
    def pause(self) -> float | None:
        """Seconds after which to ask again who looks, where another process does; None where this one does."""
        ...

    async def look(self, refs: frozenset[R], ask: Callable[[frozenset[R]], Awaitable[Look[R]]]) -> Look[R]:
        """Look at jobs by `ask`, or return what another process saw of them."""
        ...

    def hint(self, ref: R, job: Job) -> None:
        """Tell the others news of a job that did not come as the result of `look`."""
        ...


@dataclass(eq=False)
class _Wait(Generic[R]):
    """A wait for one job, by a run; or, without deadlines and with nobody who hears the news, by another process.

    Times are by `time.monotonic`.

    Attributes:
        due: Time of the next look.
        begun: Time at which the job began to run, as far as it is known; before it was seen, the time at which it was made.
        fresh: True if the job was made when the wait began.
        shown: Time of the last look that showed it running.
        last_look: Time until which the look is waited for that is taken when the deadline has passed.
        arranged: Time of its entry in the watcher's agenda.
        over: True once nobody waits any more.
        made: Time at which the job was made, or at which the answer to its purchase came.
    """

    ref: R
    about: str
    queue_seconds: float
    run_seconds: float
    board: Board[R] | None
    schedule: Schedule
    begun: float
    fresh: bool
    silent: bool = False
    due: float = 0
    since: float = field(default_factory=monotonic)
    best: int = -1
    shown: float | None = None
    failures: int = 0
    absences: int = 0
    missed_from: float = 0
    trouble: str = ""
    overdue: bool = False
    asked_soon: bool = False
    last_look: float | None = None
    arranged: float = inf
    over: bool = False
    made: float = field(init=False)
    news: asyncio.Queue[Job | Trouble | errors.GenmediaError] = field(
        default_factory=asyncio.Queue[Job | Trouble | errors.GenmediaError]
    )

    def __post_init__(self) -> None:
        """Keep the time at which it was made."""
        self.made = self.begun

    @property
    def running(self) -> bool:
        return self.best >= _ORDER.index(JobStatus.RUNNING)

    @property
    def settled(self) -> bool:
        """True if its run has heard of the end. For another process it is looked at until the journal has the end."""
        return self.best == len(_ORDER) and not self.silent

    def deadline(self, scale: float) -> float:
        if self.last_look is not None:
            return self.last_look
        return self.since + (self.run_seconds if self.running else self.queue_seconds) / scale

    def put(self, news: Job | Trouble | errors.GenmediaError) -> None:
        if not self.silent:
            self.news.put_nowait(news)

    def tell(self, job: Job, scale: float, clock: datetime | None, *, pushed: bool) -> bool:
        """Take in what was seen of the job; return False if it is older than what is known.

        Args:
            job: The job as it was seen.
            scale: Factor by which the provider's clock runs faster.
            clock: Time by the provider's clock; None where it is not known.
            pushed: True if the provider told it by itself, just when it came to be so.
        """
        now, rank = monotonic(), len(_ORDER) if job.status.terminal else _ORDER.index(job.status)
        if rank < self.best:
            return False
        if rank > self.best:
            self.last_look = None
        if job.status is JobStatus.RUNNING:
            self.shown = now
            if not self.running:
                self.since = now
                self._take_beginning(job, now, scale, clock, pushed=pushed)
        if job.status is JobStatus.SUCCEEDED:
            job = replace(job, ran=self._running_time(job, now, scale, pushed=pushed))
        self.best, self.absences, self.failures, self.trouble = rank, 0, 0, ""
        self.put(job)
        elapsed = (now - self.begun) * scale
        if job.status is JobStatus.RUNNING and not self.overdue and self.schedule.durations.overdue(elapsed):
            self.overdue = True
            usual = self.schedule.durations.p95
            self.put(
                Trouble(f"it has run for {elapsed:.0f} s, over {OVERDUE:g} times as long as 95 % of such jobs: {usual:.0f} s")
            )
        return True

    def _take_beginning(self, job: Job, now: float, scale: float, clock: datetime | None, *, pushed: bool) -> None:
        """Set the time at which the job began to run: as the provider tells it; else now, where it waited until now."""
        started = job.time("started")
        elapsed = ((clock - started).total_seconds() + DATE_SECONDS) / scale if clock and started else None
        if elapsed is not None and 0 <= elapsed <= now - self.begun:
            # It is told in whole seconds: of one that began at once, the time at which it was made is known better.
            if now - self.begun - elapsed > DATE_SECONDS / scale:
                self.begun = now - elapsed
        elif pushed or self.best == _ORDER.index(JobStatus.QUEUED):
            self.begun = now

    def _running_time(self, job: Job, now: float, scale: float, *, pushed: bool) -> float | None:
        """Return the seconds that the job ran: as the provider tells it; else, where that is known, by the looks before and after its end.

        A provider is not believed that a job ran longer than it is there: the next jobs of its kind would be looked at too late.
        """
        started, completed = job.time("started"), job.time("completed")
        if started and completed:
            return min(max(0.0, (completed - started).total_seconds()), (now - self.made) * scale + ANSWER_SECONDS)
        if not self.fresh:
            return None
        after = (now - self.begun) * scale
        before = (self.shown - self.begun) * scale if self.shown is not None else 0.0
        # A first look that comes too late must not make the next jobs' first look as late.
        return after if pushed else max((before + after) / 2, 0.9 * after)

    def pause(self, scale: float) -> float:
        """Return the seconds until the next look at the job as it was seen last, or was made, as far as its schedule tells."""
        now = monotonic()
        if self.best == _ORDER.index(JobStatus.QUEUED):
            return max(self.schedule.pause(0), min((now - self.since) * scale / 10, LONGEST_PAUSE))
        pause = self.schedule.pause((now - self.begun) * scale)
        return pause if self.schedule.learned or not self.running else min(pause, LONGEST_PAUSE)

    def hinder(self, error: errors.GenmediaError) -> None:
        if not isinstance(error, _PASSING):
            self.put(error)
            return
        self.failures += 1
        if self.failures == TROUBLE:
            self.put(Trouble(error.what))
        self.trouble = error.what

    def expire(self) -> None:
        if self.running:
            kind, what = errors.RunTimeoutError, f"it was not done after running for {self.run_seconds:g} s"
        else:
            kind, what = errors.QueueTimeoutError, f"it had not started after {self.queue_seconds:g} s"
        self.put(kind(f"{what}; the last look failed: {self.trouble}" if self.trouble else what, job=self.about))
        self.last_look = _NEVER

    def miss(self, asked: float, apart: float) -> None:
        """Count an absence, unless the look began too soon after the last absence that counts.

        A paid job is not given up within seconds: each absence makes the time until the next one counts longer, however many looks there are.
        """
        self.failures = 0
        if asked < self.missed_from:
            return
        self.absences += 1
        self.missed_from = asked + apart * 2**self.absences
        if self.absences == ABSENCES:
            self.put(errors.JobVanishedError(f"{ABSENCES} looks in a row did not find it", job=self.about))


class Watcher(Generic[R]):
    """Looks at all jobs of an account that are waited for, with as few requests as the provider's API allows.

    A look that fails for the time being (no answer, 5xx, 429, an unreadable answer) is repeated with growing pauses for as long as the
    deadlines allow: an outage of the provider does not lose a job that is paid for. A deadline that has passed, perhaps while this machine
    stood still, ends a wait only after one more look.

    Args:
        look: Looks once at the jobs that are due; it may return others as well.
        every: Shortest and longest pause between two looks at a job, in seconds; drawn anew for each look, so that watchers spread. A
            schedule makes it longer.
        clock_scale: Factor by which a sandbox's clock runs faster; every time here is divided by it.
        clock: Returns the time by the provider's clock; None where it is not known.
    """

    def __init__(
        self,
        look: Callable[[frozenset[R]], Awaitable[Look[R]]],
        *,
        every: Callable[[], tuple[float, float]],
        clock_scale: Callable[[], float],
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._look = look
        self._every = every
        self._clock_scale = clock_scale
        self._clock = clock
        self._drawn = 0.0
        self._agenda: list[tuple[float, int, _Wait[R]]] = []  # a heap; entries whose wait has another time by now are void
        self._roomy = _ROOM
        self._numbers = count()
        self._by_ref: defaultdict[R, list[_Wait[R]]] = defaultdict(list)
        self._others: dict[Board[R], dict[R, _Wait[R]]] = {}
        self._boards: Counter[Board[R]] = Counter()
        self._ended_early: deque[R] = deque(maxlen=EARLY)
        self._looks = 0  # under way
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def wait(
        self,
        ref: R,
        *,
        about: str,
        queue_seconds: float,
        run_seconds: float,
        seen: Seen,
        schedule: Schedule = GROWING,
        fresh: bool = False,
        age: float = 0,
        board: Board[R] | None = None,
    ) -> Job:
        """Wait until a job has ended, and return the last look at it.

        Args:
            ref: The provider's reference of the job.
            about: The job's names, for errors.
            queue_seconds: Longest time before it starts, in seconds.
            run_seconds: Longest time that it runs, in seconds.
            seen: Called with each news of the job, for progress, and when looking begins to fail or it runs far longer than others.
            schedule: When such a job is looked at.
            fresh: True for a job that was made just now: it is looked at when its schedule says so; another at once.
            age: Time since it was made, in seconds.
            board: Where processes that wait for the account's jobs tell each other what they see; None for a process that is alone.

        Raises:
            QueueTimeoutError: It did not start in time; it is still paid for.
            RunTimeoutError: It did not end in time; it is still paid for.
            JobVanishedError: Several complete looks in a row did not find it.
            ApiError: The provider refused to show it, for another reason than the above.
        """
        wait = _Wait(ref, about, queue_seconds, run_seconds, board, schedule, monotonic() - age, fresh)
        self._begin(wait)
        try:
            while True:
                news = await wait.news.get()
                if isinstance(news, errors.GenmediaError):
                    raise news
                await seen(news)
                if isinstance(news, Job) and news.status.terminal:
                    return news
        finally:
            self._end(wait)

    @contextmanager
    def telling(self, board: Board[R]) -> Generator[None]:
        """Tell a board what is pushed while the block runs."""
        self._boards[board] += 1
        try:
            yield
        finally:
            self._boards -= Counter([board])
            if board not in self._boards:
                self.look_for_others(board, {})

    def look_for_others(self, board: Board[R], jobs: Mapping[R, Other]) -> None:
        """Look at these jobs of other processes, that nobody waits for here, and no more at others; what is seen goes to the board."""
        known = self._others.setdefault(board, {})
        wanted: Mapping[R, Other] = jobs if board in self._boards else {}
        for ref in known.keys() - wanted.keys():
            self._end(known.pop(ref))
        for ref in wanted.keys() - known.keys() - self._by_ref.keys():
            other = wanted[ref]
            fresh = other.age < FRESH_SECONDS
            known[ref] = _Wait(ref, "", _NEVER, _NEVER, board, other.schedule, monotonic() - other.age, fresh, silent=True)
            self._begin(known[ref])
        if not known:
            del self._others[board]

    def hint(self, ref: R, job: Job) -> None:
        """Pass on news that was pushed, or that came with a look at other jobs."""
        if job.status.terminal:
            self._note_end(ref)
        for board in self._boards:
            board.hint(ref, job)
        # What comes while a look is under way stood in its answer, as a rule: it may have been so for long.
        self._tell(ref, job, pushed=not self._looks)

    def look_soon(self, ref: R | None = None) -> None:
        """Look at a job now, because it may have ended; without `ref` at all jobs, because news may have been missed."""
        if ref is not None:
            self._note_end(ref)
        for wait in self._waits() if ref is None else self._of(ref):
            self._hurry(wait)

    @property
    def refs(self) -> AbstractSet[R]:
        """The jobs that are waited for."""
        return self._by_ref.keys()

    async def aclose(self) -> None:
        """Stop looking."""
        if self._task:
            await end_task(self._task)

    def _note_end(self, ref: R) -> None:
        if ref not in self._ended_early:
            self._ended_early.append(ref)

    def _of(self, ref: R) -> list[_Wait[R]]:
        return list(self._by_ref.get(ref, ()))

    def _waits(self) -> list[_Wait[R]]:
        return [wait for waits in self._by_ref.values() for wait in waits]

    def _begin(self, wait: _Wait[R]) -> None:
        self._by_ref[wait.ref].append(wait)
        if wait.fresh and wait.ref not in self._ended_early:
            self._plan(wait)
        self._arrange(wait)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="watcher")

    def _end(self, wait: _Wait[R]) -> None:
        wait.over = True
        self._by_ref[wait.ref].remove(wait)
        if not self._by_ref[wait.ref]:
            del self._by_ref[wait.ref]
        if not self._by_ref:
            self._woken.set()

    def _arrange(self, wait: _Wait[R]) -> None:
        """See to it that a wait is taken from the agenda no later than at its next look or deadline."""
        time = min(wait.due, wait.deadline(self._clock_scale()))
        if time < wait.arranged and not wait.over:
            wait.arranged = time
            heapq.heappush(self._agenda, (time, next(self._numbers), wait))
            if self._agenda[0][2] is wait:
                self._woken.set()
            if len(self._agenda) > self._roomy:
                self._agenda = [entry for entry in self._agenda if entry[0] == entry[2].arranged and not entry[2].over]
                heapq.heapify(self._agenda)
                self._roomy = 2 * len(self._agenda) + _ROOM

    def _take_due(self, now: float) -> list[_Wait[R]]:
        """Return the waits whose jobs are to be looked at now; end those whose deadlines have passed, after a last look."""
        due: list[_Wait[R]] = []
        while self._agenda and self._agenda[0][0] <= now:
            time, _, wait = heapq.heappop(self._agenda)
            if wait.over or time != wait.arranged:
                continue
            wait.arranged = _NEVER
            if wait.deadline(self._clock_scale()) <= now:
                self._pass_deadline(wait, now)
            if wait.due <= now:
                due.append(wait)
            else:
                self._arrange(wait)
        return due

    def _pass_deadline(self, wait: _Wait[R], now: float) -> None:
        """End a wait whose deadline has passed, unless a last look is still to be taken: this machine may have stood still until now."""
        if wait.last_look is None:
            wait.last_look = now + LAST_LOOK_SECONDS / self._clock_scale()
            wait.due, wait.asked_soon = 0, True
        else:
            wait.expire()

    def _hurry(self, wait: _Wait[R]) -> None:
        """Look at a job now. If a look at it is under way, another follows: that one may have been answered too early."""
        wait.due, wait.asked_soon = 0, True
        self._arrange(wait)

    def _tell(self, ref: R, job: Job, *, pushed: bool) -> None:
        clock = self._clock() if self._clock else None
        for wait in self._of(ref):
            if wait.tell(job, self._clock_scale(), clock, pushed=pushed) and not wait.asked_soon:
                self._plan(wait)
                self._arrange(wait)

    def _plan(self, wait: _Wait[R]) -> None:
        """Set the time of the next look at a job that was seen, or made, just now."""
        if wait.settled:
            wait.due = _NEVER
            return
        shortest, longest = self._every()
        if not shortest <= self._drawn <= longest:
            self._draw()
        scale = self._clock_scale()
        wait.due = monotonic() + max(shortest if wait.schedule.learned else self._drawn, wait.pause(scale)) / scale

    def _draw(self) -> None:
        # Jitter keeps many watchers from asking at the same time; jobs that are looked at together stay together. No secret depends on it.
        self._drawn = random.uniform(*self._every())  # noqa: S311

    async def _run(self) -> None:
        while self._by_ref:
            self._woken.clear()
            due = self._take_due(monotonic())
            for board in {wait.board: None for wait in due}:
                await self._look_once(board, [wait for wait in due if wait.board is board])
            if not due:
                next_time = self._agenda[0][0] if self._agenda else _NEVER
                await set_within(self._woken, min(next_time - monotonic(), _LONGEST_SLEEP))

    async def _look_once(self, board: Board[R] | None, waits: Iterable[_Wait[R]]) -> None:
        """Look at jobs, pass on what is seen, and plan the next look at each."""
        looked_at, asked = [wait for wait in waits if not wait.over], monotonic()
        last = [wait for wait in looked_at if wait.last_look is not None]
        for wait in looked_at:
            wait.due, wait.asked_soon = _UNDER_WAY, False
            self._arrange(wait)
        self._draw()
        if refs := frozenset(wait.ref for wait in looked_at):
            look = await self._look_at(board, refs)
            self.deliver(look, asked)
            for wait in looked_at:
                if wait.due == _UNDER_WAY and not wait.settled:
                    self._plan_again(wait, look.failed.get(wait.ref))
        for wait in last:
            if wait.last_look is not None and wait.best < len(_ORDER):
                wait.expire()

    async def _look_at(self, board: Board[R] | None, due: frozenset[R]) -> Look[R]:
        """Look once at the jobs that are due; that may take long, and deadlines that pass meanwhile are told."""
        deadlines = asyncio.create_task(self._keep_deadlines())
        self._looks += 1
        try:
            with asking_once(), errors.contained("a look at all jobs that are waited for"):
                return await (board.look(due, self._look) if board else self._look(due))
        except errors.GenmediaError as error:
            return Look({}, failed=dict.fromkeys(due, error))
        finally:
            self._looks -= 1
            await end_task(deadlines)

    async def _keep_deadlines(self) -> None:
        while True:
            await asyncio.sleep(1 / self._clock_scale())
            for wait in self._take_due(monotonic()):
                self._arrange(wait)  # it is looked at when this look has ended

    def deliver(self, look: Look[R], asked: float) -> None:
        """Pass on what a look saw.

        Args:
            look: Result of the look.
            asked: Time at which it began, by `time.monotonic`.
        """
        for ref, job in look.jobs.items():
            self._tell(ref, job, pushed=False)
        for ref in look.missing:
            for wait in self._of(ref):
                wait.miss(asked, self._every()[0] / self._clock_scale())
        for ref, error in look.failed.items():
            for wait in self._of(ref):
                wait.hinder(error)

    def _plan_again(self, wait: _Wait[R], error: errors.GenmediaError | None) -> None:
        """Set the time of the next look at a job that the last look did not show."""
        if wait.board and (reading := wait.board.pause) is not None:
            wait.due = monotonic() + reading
        else:
            longest = max(LONGEST_PAUSE, self._every()[1])
            seconds = min(self._drawn * 2 ** min(wait.failures, 10), longest) * 2**wait.absences
            held = min(getattr(error, "retry_after", None) or 0.0, LONGEST_HOLD)
            wait.due = monotonic() + max(seconds, held) / self._clock_scale()
        self._arrange(wait)
