"""The wait for remote jobs to end: one watcher for all jobs of an account, through faults and outages, with separate deadlines.

A job is polled until it ends; pushed news only comes earlier. A job never goes back to an earlier status.
"""

import asyncio
import random
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Generator, Hashable, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Generic, Protocol, TypeVar

from genmedia import errors
from genmedia.concurrency import end_task, every, set_within
from genmedia.jobs.job import Job, JobStatus
from genmedia.transport.session import LONGEST_HOLD, asking_once

ABSENCES = 4
"""Number of complete looks in a row that must miss a job before it counts as vanished."""

TROUBLE = 2
"""Number of looks in a row that must fail before the trouble is told; a single failure is not."""

EARLY = 1000
"""Most jobs whose pushed end is remembered, for a wait that begins after it."""

LONGEST_PAUSE = 30.0

_PASSING = (
    errors.NoAnswerError,
    errors.ServerError,
    errors.UnreachableError,
    errors.RateLimitError,
    errors.UnreadableAnswerError,
)
_UNDER_WAY = float("inf")
_ORDER = [JobStatus.QUEUED, JobStatus.RUNNING]

R = TypeVar("R", bound=Hashable)


@dataclass(frozen=True)
class Trouble:
    """Reason why a job cannot be looked at now; told once, however long it lasts. The wait for the job goes on."""

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
    """A wait for one job."""

    ref: R
    about: str
    queue_seconds: float
    run_seconds: float
    board: Board[R] | None
    due: float
    since: float = field(default_factory=monotonic)
    best: int = -1
    failures: int = 0
    absences: int = 0
    missed_from: float = 0
    trouble: str = ""
    news: asyncio.Queue[Job | Trouble | errors.GenmediaError] = field(
        default_factory=asyncio.Queue[Job | Trouble | errors.GenmediaError]
    )

    @property
    def running(self) -> bool:
        return self.best >= _ORDER.index(JobStatus.RUNNING)

    def deadline(self, scale: float) -> float:
        return self.since + (self.run_seconds if self.running else self.queue_seconds) / scale

    def tell(self, job: Job) -> None:
        rank = len(_ORDER) if job.status.terminal else _ORDER.index(job.status)
        if rank < self.best:
            return
        if rank > self.best and job.status is JobStatus.RUNNING:
            self.since = monotonic()
        self.best, self.absences, self.failures, self.trouble = rank, 0, 0, ""
        self.news.put_nowait(job)

    def hinder(self, error: errors.GenmediaError) -> None:
        if not isinstance(error, _PASSING):
            self.news.put_nowait(error)
            return
        self.failures += 1
        if self.failures == TROUBLE:
            self.news.put_nowait(Trouble(error.what))
        self.trouble = error.what

    def expire(self) -> None:
        if self.running:
            kind, what = errors.RunTimeoutError, f"it was not done after running for {self.run_seconds:g} s"
        else:
            kind, what = errors.QueueTimeoutError, f"it had not started after {self.queue_seconds:g} s"
        self.news.put_nowait(kind(f"{what}; the last look failed: {self.trouble}" if self.trouble else what, job=self.about))

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
            self.news.put_nowait(errors.JobVanishedError(f"{ABSENCES} looks in a row did not find it", job=self.about))


class Watcher(Generic[R]):
    """Looks at all jobs of an account that are waited for, with as few requests as the provider's API allows.

    A look that fails for the time being (no answer, 5xx, 429, an unreadable answer) is repeated with growing pauses for as long as the
    deadlines allow: an outage of the provider does not lose a job that is paid for.

    Args:
        look: Looks once at the jobs that are due; it may return others as well.
        every: Shortest and longest pause between two looks at a job, in seconds; drawn anew each time, so that watchers spread.
        clock_scale: Factor by which a sandbox's clock runs faster; every time here is divided by it.
    """

    def __init__(
        self,
        look: Callable[[frozenset[R]], Awaitable[Look[R]]],
        *,
        every: Callable[[], tuple[float, float]],
        clock_scale: Callable[[], float],
    ) -> None:
        self._look = look
        self._every = every
        self._clock_scale = clock_scale
        self._waits: set[_Wait[R]] = set()
        self._by_ref: defaultdict[R, list[_Wait[R]]] = defaultdict(list)
        self._others: dict[Board[R], frozenset[R]] = {}
        self._boards: Counter[Board[R]] = Counter()
        self._ended_early: deque[R] = deque(maxlen=EARLY)
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
        first_after: float = 0,
        board: Board[R] | None = None,
    ) -> Job:
        """Wait until a job has ended, and return the last look at it.

        Args:
            ref: The provider's reference of the job.
            about: The job's names, for errors.
            queue_seconds: Longest time before it starts, in seconds.
            run_seconds: Longest time that it runs, in seconds.
            seen: Called with each news of the job, for progress, and when looking begins to fail.
            first_after: Seconds before which a look would be wasted, as the provider estimates.
            board: Where processes that wait for the account's jobs tell each other what they see; None for a process that is alone.

        Raises:
            QueueTimeoutError: It did not start in time; it is still paid for.
            RunTimeoutError: It did not end in time; it is still paid for.
            JobVanishedError: Several complete looks in a row did not find it.
            ApiError: The provider refused to show it, for another reason than the above.
        """
        due = 0 if ref in self._ended_early else monotonic() + first_after / self._clock_scale()
        wait = _Wait(ref, about, queue_seconds, run_seconds, board, due)
        self._waits.add(wait)
        self._by_ref[ref].append(wait)
        self._wake()
        try:
            while True:
                news = await wait.news.get()
                if isinstance(news, errors.GenmediaError):
                    raise news
                await seen(news)
                if isinstance(news, Job) and news.status.terminal:
                    return news
        finally:
            self._waits.discard(wait)
            self._by_ref[ref].remove(wait)
            if not self._by_ref[ref]:
                del self._by_ref[ref]

    @contextmanager
    def telling(self, board: Board[R]) -> Generator[None]:
        """Tell a board what is pushed while the block runs."""
        self._boards[board] += 1
        try:
            yield
        finally:
            self._boards -= Counter([board])
            if board not in self._boards:
                self._others.pop(board, None)

    def pause(self) -> float:
        """Return the shortest pause between two looks at a job, in seconds of this machine's clock."""
        return self._every()[0] / self._clock_scale()

    def look_for_others(self, board: Board[R], refs: frozenset[R]) -> None:
        """Look at jobs that other processes wait for, and that nobody waits for here."""
        self._others[board] = self._others.get(board, frozenset[R]()) | {ref for ref in refs if ref not in self._by_ref}
        if self._others[board]:
            self._wake()

    def hint(self, ref: R, job: Job) -> None:
        """Pass on news that was pushed."""
        if job.status.terminal:
            self._note_end(ref)
        for board in self._boards:
            board.hint(ref, job)
        for wait in self._of(ref):
            wait.tell(job)

    def look_soon(self, ref: R | None = None) -> None:
        """Look at a job now, because it may have ended; without `ref` at all jobs, because news may have been missed."""
        if ref is not None:
            self._note_end(ref)
        for wait in self._waits if ref is None else self._of(ref):
            wait.due = 0
            self._woken.set()

    async def aclose(self) -> None:
        """Stop looking."""
        if self._task:
            await end_task(self._task)

    def _note_end(self, ref: R) -> None:
        if ref not in self._ended_early:
            self._ended_early.append(ref)

    def _of(self, ref: R) -> Iterable[_Wait[R]]:
        return list(self._by_ref.get(ref, ()))

    def _wake(self) -> None:
        self._woken.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="watcher")

    async def _run(self) -> None:
        while self._waits or any(self._others.values()):
            if await self._pause():
                continue
            now = monotonic()
            due = {wait.ref for wait in self._waits if wait.due <= now}
            others, self._others = self._others, {}
            for board in {wait.board for ref in due for wait in self._of(ref)} | others.keys():
                looked_at = [wait for ref in due for wait in self._of(ref) if wait.board is board]
                for wait in looked_at:
                    wait.due = _UNDER_WAY
                refs = frozenset(wait.ref for wait in looked_at) | (
                    others.get(board, frozenset[R]()) if board else frozenset[R]()
                )
                if refs:
                    look = await self._look_at(board, refs)
                    self.deliver(look, now)
                    self._plan_next(looked_at, look)

    async def _look_at(self, board: Board[R] | None, due: frozenset[R]) -> Look[R]:
        """Look once at the jobs that are due; that may take long, and deadlines that pass meanwhile are told."""
        deadlines = asyncio.create_task(self._keep_deadlines())
        try:
            with asking_once(), errors.contained("a look at all jobs that are waited for"):
                return await (board.look(due, self._look) if board else self._look(due))
        except errors.GenmediaError as error:
            return Look({}, failed=dict.fromkeys(due, error))
        finally:
            await end_task(deadlines)

    async def _keep_deadlines(self) -> None:
        while True:
            self._expire()
            await asyncio.sleep(1 / self._clock_scale())

    def _expire(self) -> None:
        now, scale = monotonic(), self._clock_scale()
        for wait in self._waits:
            if wait.deadline(scale) <= now:
                wait.expire()
                wait.since = float("inf")

    async def _pause(self) -> bool:
        """Sleep until the next look or deadline; return False, without sleep, if a look is due now, else True."""
        self._expire()
        if any(self._others.values()):
            return False
        now, scale = monotonic(), self._clock_scale()
        seconds = min(min(wait.due, wait.deadline(scale)) for wait in self._waits) - now
        if seconds <= 0:
            return False
        self._woken.clear()
        await set_within(self._woken, seconds)
        return True

    def deliver(self, look: Look[R], asked: float) -> None:
        """Pass on what a look saw.

        Args:
            look: Result of the look.
            asked: Time at which it began, by `time.monotonic`.
        """
        for ref, job in look.jobs.items():
            for wait in self._of(ref):
                wait.tell(job)
        for ref in look.missing:
            for wait in self._of(ref):
                wait.miss(asked, self._every()[0] / self._clock_scale())
        for ref, error in look.failed.items():
            for wait in self._of(ref):
                wait.hinder(error)

    def _plan_next(self, looked_at: Iterable[_Wait[R]], look: Look[R]) -> None:
        scale, longest = self._clock_scale(), max(LONGEST_PAUSE, self._every()[1])
        # Jitter keeps many watchers from asking at the same time; jobs that are looked at together stay together. No secret depends on it.
        pause = random.uniform(*self._every())  # noqa: S311
        for wait in looked_at:
            error = look.failed.get(wait.ref)
            # If a look was asked for while this one was under way, another follows: this one may have been answered too early.
            if wait.due == _UNDER_WAY and wait.board and (reading := wait.board.pause) is not None:
                wait.due = monotonic() + reading
            elif wait.due == _UNDER_WAY:
                seconds = min(pause * 2 ** min(wait.failures, 10), longest) * 2**wait.absences
                wait.due = monotonic() + max(seconds, min(getattr(error, "retry_after", None) or 0.0, LONGEST_HOLD)) / scale
