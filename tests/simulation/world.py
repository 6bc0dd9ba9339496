"""One schedule: processes that buy from one account with one journal, what chance does to them, and what must be true at every step.

The code of `genmedia` runs as it is, from the order to the stored file; only what it asks of the world is played: time, the provider's
answers, the journal's file, the place of the store, and the looks at files.
"""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from contextvars import Context
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import httpx
from sqlalchemy.exc import OperationalError

from genmedia.errors import DefectError, GenmediaError, QueueTimeoutError, RunTimeoutError
from genmedia.jobs.job import Account
from genmedia.journal import Journal, Purpose, desk, looks, ownership, reading, transitions
from genmedia.journal import database as journal_database
from genmedia.journal.order import Order
from genmedia.journal.spending import Scope
from genmedia.media.facts import Candidate, MediaFacts
from genmedia.providers.algovera.client import AlgoveraClient
from genmedia.providers.base import at_desk
from genmedia.providers.flora import client as flora
from genmedia.providers.generio import client as generio
from genmedia.providers.generio.steps import submission
from genmedia.providers.steps import Submit
from genmedia.purchasing import buy, receive
from genmedia.purchasing.acquire import acquire
from genmedia.purchasing.buy import Purchase
from genmedia.purchasing.calls import meet_order, wait_for_job
from genmedia.purchasing.patience import Patience
from genmedia.purchasing.receive import Received, receive_outputs
from genmedia.purchasing.recover import harvest
from genmedia.store import Store
from genmedia.transport import pace, session
from tests.simulation.clock import EPOCH, replaced, virtual
from tests.simulation.database import Engine, File, as_time
from tests.simulation.loop import KilledError, Lane, VirtualLoop, current_lane
from tests.simulation.plan import Plan
from tests.simulation.provider import PRICE, PROVIDERS, RemoteJob, Reply
from tests.simulation.shelf import Shelf

ANSWER_SECONDS = 6.0
"""What GENMEDIA_ANSWER_SECONDS says here. It is shorter than in life, as is the window: what waits costs steps."""

WINDOW_SECONDS = 20.0

PAUSES: tuple[tuple[ModuleType, str, float], ...] = (
    (looks, "TICK_SECONDS", 1.0),
    (desk, "ASK_SECONDS", 1.0),
    (buy, "WATCH_SECONDS", 0.5),
    (transitions, "CLAIM_SECONDS", 0.5),
    (ownership, "RENEWALS", 3),
)
"""Pauses between two looks into the journal, longer than in life: each look costs as much as any other step."""

END_SECONDS = 3600.0
"""Longest schedule, in virtual seconds."""

REQUEST_WEIGHT = 4
"""How much more likely chance interferes at a request than at a transaction, of which there are many more."""

KILLS, STOPS = 3, 3
"""Most processes that are killed, and stopped, in one schedule."""

STOPPED_SECONDS = (1.0, 7.0, 1.7 * ANSWER_SECONDS, 4 * ANSWER_SECONDS)
"""Times for which a process is stopped: shorter and longer than the lease of the looks (5 s), and than that of a process (9 s)."""

ROUNDS = 40
"""Number of times that all is looked after in the end."""

CLIENTS = {"flora": flora.FloraClient, "generio": generio.GenerioClient, "algovera": AlgoveraClient}
LOG = logging.getLogger(__name__)
LOG.disabled = True


class _GivenUp:
    """`given_up` of `genmedia.journal.ownership`, one for each process."""

    def __init__(self) -> None:
        self._by_lane: dict[Lane | None, set[str | None]] = {}

    def _own(self) -> set[str | None]:
        return self._by_lane.setdefault(current_lane(), set())

    def __iter__(self) -> Iterator[str | None]:
        return iter(self._own())

    def add(self, claim: str | None) -> None:
        self._own().add(claim)

    def discard(self, claim: str | None) -> None:
        self._own().discard(claim)


class _Wire(httpx.AsyncBaseTransport):
    """The way to the provider and back."""

    def __init__(self, carry: Callable[[httpx.Request], Awaitable[Reply]]) -> None:
        self._carry = carry

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        reply = await self._carry(request)
        return httpx.Response(reply.status, headers={"date": reply.date}, stream=_Content(reply.content))


class _Content(httpx.AsyncByteStream):
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content


class World:
    """One schedule.

    Args:
        seed: Decides everything.
        file: The journal's file, empty.
        scratch: Folder for incoming files.
        narrow: Changes the plan, for a test that asks for something.

    Attributes:
        seed: Its seed.
        story: What happened: time, process, and event.
        faults: What must never be.
    """

    def __init__(self, seed: int, file: File, scratch: Path, narrow: Callable[[Plan], Plan] = lambda plan: plan) -> None:
        self.seed = seed
        self._chance = Random(seed)
        self.plan = narrow(Plan.draw(self._chance))
        self.story: list[tuple[float, str, str]] = []
        self.faults: list[str] = []
        self._file = file
        self._loop = VirtualLoop(self._chance, self._interfere)
        self._calm = False
        self._kills, self._stops = KILLS, STOPS
        self._doubted = False
        self._stopped_long = False
        self._engines: dict[Lane, list[Engine]] = {}
        self._given_up = _GivenUp()
        self._shelf = Shelf(scratch, self.comes)
        plan, now = self.plan, self._now
        kind = PROVIDERS[plan.provider]
        self.remote = kind(
            now, self._chance, plan.open_jobs, plan.per_window, WINDOW_SECONDS, plan.failing, self._paid, self._refused
        )
        self._account = Account(plan.provider, "http://127.0.0.1:4280")
        self._numbers = {self._order(number, "").key: number for number in range(10)}
        self._buying = True
        self._inherited = ""

    def told(self) -> str:
        """Return the seed, the plan, the story and the faults, a line each."""
        lines = [f"seed {self.seed}: {self.plan}", *(f"{at:10.3f}  {who:11} {what}" for at, who, what in self.story)]
        return "\n".join([*lines, *(f"seed {self.seed}: {fault}" for fault in self.faults)])

    # What is played

    def run(self) -> None:
        """Play the schedule to its end; `faults` then says what was found."""
        self._file.empty()
        self._file.now = self._now
        self._loop.set_exception_handler(self._unhandled)
        answer = [
            (module, "ANSWER_SECONDS", ANSWER_SECONDS) for module in (pace, session, desk, transitions, ownership, flora, generio)
        ]
        window = [(module, "WINDOW_SECONDS", WINDOW_SECONDS) for module in (pace, desk)]
        with (
            virtual(self._loop.time, self._chance),
            replaced(
                *answer,
                *window,
                *PAUSES,
                (ownership, "LEASE_SECONDS", 1.5 * ANSWER_SECONDS),
                (desk, "SETTLED_SECONDS", 2 * ANSWER_SECONDS),
                *((module, "given_up", self._given_up) for module in (ownership, reading, transitions)),
                (journal_database, "_engine", self._engine),
                (receive, "inspect_files", _look_at),
            ),
        ):
            try:
                self._loop.run_until_complete(self._play())
            except TimeoutError:
                self._fault("somebody still waits: " + ", ".join(sorted(task.get_name() for task in self._pending())))
            except RuntimeError as error:
                self._fault(f"{error}: {', '.join(sorted(task.get_name() for task in self._pending()))}")
            finally:
                for task in self._pending():
                    task._log_destroy_pending = False  # pyright: ignore[reportAttributeAccessIssue] # it is of a schedule that failed
                self._loop.close()

    def _pending(self) -> list[asyncio.Task[Any]]:
        return [task for task in asyncio.all_tasks(self._loop) if not task.done()]

    async def _play(self) -> None:
        async with asyncio.timeout(END_SECONDS):
            await self._prepare()
            buyers = [
                asyncio.create_task(self._keep_alive(f"buyer-{number}", partial(self._buy_all, wishes)), name=f"buyer-{number}")
                for number, wishes in enumerate(self.plan.wishes, 1)
            ]
            watcher = asyncio.create_task(self._keep_alive("watcher", self._watch), name="watcher") if self.plan.watches else None
            await asyncio.gather(*buyers)
            self._buying = False
            if watcher:
                await watcher
            self._calm = True
            self.tell("world", "all is calm: what is left is brought to its end")
            wishes = sorted({number for some in self.plan.wishes for number in some})
            for _ in range(ROUNDS):
                await self._keep_alive("last", partial(self._clear_up, wishes))
                if not self._left_open():
                    break
                await asyncio.sleep(5)
            self._check_end(wishes)

    async def _keep_alive(self, name: str, life: Callable[[Lane], Coroutine[Any, Any, None]]) -> None:
        """Run a process until it ends by itself; begin it anew a while after it was killed."""
        await asyncio.sleep(self._chance.choice((0, 0, 0.3, 4.0)))
        for number in range(1, KILLS + 2):
            lane = Lane(f"{name}.{number}" if number > 1 else name)
            lane.steps = self._chance.randrange(4000) if self._chance.random() < 0.5 else -1
            self._engines[lane] = []
            self.tell(lane.name, "begins")
            task = self._loop.begin(lane, partial(life, lane))
            await asyncio.wait([task])
            while left := [one for one in lane.tasks if not one.done()]:
                await asyncio.wait(left)
            if not lane.killed:
                if error := task.exception():
                    self._fault(f"{lane.name} ended with {type(error).__name__}: {error}")
                self.tell(lane.name, "ends")
                return
            await asyncio.sleep(self._chance.choice((0.2, 2.0, 12.0, 30.0)))

    @asynccontextmanager
    async def _office(self) -> AsyncGenerator[tuple[Any, Journal, Store]]:
        """Open what a process buys with."""
        journal = Journal("postgresql://simulated/journal")
        journal._database._ready = True  # pyright: ignore[reportPrivateUsage] # its tables are made once for all schedules
        client: Any = CLIENTS[self.plan.provider](self._account, "key-of-the-simulation")
        client.http._api = httpx.AsyncClient(headers=client.http._api.headers, transport=_Wire(self._carry))
        client.http._open = httpx.AsyncClient(transport=_Wire(self._carry))
        client.http.pace = pace.Pace(self.plan.per_window, lambda: 1.0)
        client.terms = replace(client.terms, open_jobs=self.plan.open_jobs)
        try:
            yield client, journal, Store(self._shelf)
        finally:
            await client.aclose()
            await journal.aclose()

    async def _buy_all(self, wishes: Sequence[int], lane: Lane) -> None:
        async with self._office() as (client, journal, store):
            await asyncio.gather(*(self._fulfil(number, lane.name, client, journal, store) for number in wishes))

    async def _watch(self, lane: Lane) -> None:
        """Keep the account's desk open, and harvest now and then, as long as somebody buys."""
        async with self._office() as (client, journal, store), at_desk(client, journal):
            while self._buying:
                await asyncio.sleep(self._chance.choice((1.0, 4.0, 10.0)))
                await self._harvest(lane, client, journal, store)

    async def _clear_up(self, wishes: Sequence[int], lane: Lane) -> None:
        async with self._office() as (client, journal, store):
            await self._harvest(lane, client, journal, store)
            await asyncio.gather(*(self._fulfil(number, lane.name, client, journal, store) for number in wishes))

    async def _harvest(self, lane: Lane, client: Any, journal: Journal, store: Store) -> None:
        for found in await harvest(journal, store, [client]):
            self.tell(lane.name, f"harvest: attempt {found.attempt.id} {found.fate.value}: {found.detail}"[:200])

    async def _fulfil(self, number: int, run: str, client: Any, journal: Journal, store: Store) -> None:
        """Carry out one wish, and tell how it ends."""
        order, goods = self._order(number, run), _Goods(store, journal)

        async def deliver(held: AsyncExitStack) -> Submit:
            return await _delivered(client, order, held)

        async def finish(purchase: Purchase) -> Received:
            job = await wait_for_job(client, journal, purchase, f"wish {number}", Patience(20, 20))
            return await receive_outputs(client, store, journal, purchase, job)

        try:
            got = await acquire(f"wish {number}", goods, None, partial(meet_order, client, goods, order, deliver), finish, LOG)
        except (
            DefectError,
            QueueTimeoutError,
            RunTimeoutError,
        ) as error:  # jobs take far less
            self._fault(f"{run}, wish {number}: {error}")
        except GenmediaError as error:
            self.tell(run, f"wish {number} ends with {type(error).__name__}: {error.what}"[:240])
            if self.plan.quiet:
                self._fault(f"{run}, wish {number}: {error}, though nothing happened")
        except Exception as error:
            if not getattr(current_lane(), "killed", False):
                self._fault(f"{run}, wish {number}: {type(error).__name__}: {error}")
            raise
        else:
            self.tell(run, f"wish {number} ends: {got.status}")

    def _order(self, number: int, run: str) -> Order:
        requests: dict[str, tuple[str, dict[str, Any]]] = {
            "flora": (
                "technique",
                {"technique": "technique", "inputs": [{"id": "text", "type": "text", "text": f"wish {number}"}]},
            ),
            "generio": ("template", {"template": "template", "parameters": {"seed": number}, "inputs": []}),
            "algovera": ("txt2img", {"prompt": f"wish {number}"}),
        }
        operation, request = requests[self.plan.provider]
        purpose = Purpose("simulation", f"wish-{number}", run=run)
        window = flora.IDEMPOTENCY_SECONDS if self.plan.provider == "flora" else 0
        return Order(
            self._account, operation, request, PRICE, "credits", repeat_window=window, purpose=purpose, patience=300, attempts=2
        )

    async def _prepare(self) -> None:
        """Set the cap, and leave behind what a program of an older release left, which bound jobs before it started them."""
        async with self._office() as (client, journal, _):
            if self.plan.cap is not None:
                await journal.money.set_caps(str(self._account), {Scope.TOTAL: self.plan.cap})
            if self.plan.inherited:
                attempt = await journal.intend(
                    self._order(0, "older"), datetime.fromtimestamp(self._now(), UTC), buyer=client.buyer
                )
                assert attempt
                job = self.remote.make(f"{attempt.key}:{attempt.number}")
                self._inherited = job.id
                await journal.bind(attempt, job.id, buyer=client.buyer)
                self._loop.call_later(self._chance.uniform(0.5, 8), self._start_late, job, context=Context())

    def _start_late(self, job: RemoteJob) -> None:
        if not job.deleted:
            self.tell("provider", f"the start of {job.id}, sent by a program that is dead, arrives")
            self.remote.start(job)

    def _engine(self, *_: Any, **__: Any) -> Any:
        engine, lane = self._file.engine(self), current_lane()
        if lane:
            self._engines[lane].append(engine)
        return engine

    # What chance does

    def _now(self) -> float:
        return EPOCH + self._loop.time()

    def tell(self, who: str, what: str) -> None:
        """Note an event."""
        self.story.append((self._loop.time(), who, what))

    def _fault(self, what: str) -> None:
        self.faults.append(what)
        self.tell("FAULT", what)

    def _unhandled(self, _: Any, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, KilledError):
            self.tell("world", f"nobody handled {context.get('message')}: {error!r}"[:300])

    def _interfere(self, lane: Lane) -> None:
        """Kill or stop a process between any two of its steps."""
        if not self._calm:
            if self._kills and self._chance.random() < 0.5 and self.plan.kill:
                self._kill(lane, "somewhere")
            elif self._stops and self.plan.stop:
                self._stop(lane, "somewhere")

    def _kill(self, lane: Lane, where: str) -> None:
        self._kills -= 1
        self.tell(lane.name, f"is killed: {where}")
        for engine in self._engines[lane]:
            engine.kill()
        self._loop.kill(lane)

    def _stop(self, lane: Lane, where: str) -> None:
        self._stops -= 1
        seconds = self._chance.choice(STOPPED_SECONDS)
        self._stopped_long |= seconds > WINDOW_SECONDS / 2
        self.tell(lane.name, f"is stopped for {seconds:g} s: {where}")
        self._loop.stop_lane(lane, seconds)

    async def comes(self, what: str, weight: int = 1) -> None:
        """Let chance interfere where a process is about to do something, or has just done it.

        Args:
            what: What it does, for the story.
            weight: How much more likely chance interferes here than elsewhere.
        """
        lane, kill, stop = current_lane(), weight * self.plan.kill, weight * self.plan.stop
        if lane and lane.killed:
            raise KilledError
        if lane and not self._calm:
            roll = self._chance.random()
            if roll < kill and self._kills:
                self._kill(lane, what)
                raise KilledError
            if kill <= roll < kill + stop and self._stops:
                self._stop(lane, what)
            elif roll > 0.9:
                await asyncio.sleep(self._chance.choice((0.001, 0.01, 0.1)))
        await asyncio.sleep(0)
        if lane and lane.killed:
            raise KilledError

    async def waits(self) -> float:
        """Wait for another transaction."""
        seconds = self._chance.choice((0.005, 0.02, 0.1))
        await asyncio.sleep(seconds)
        return seconds

    async def committed(self) -> None:
        """Check what is written now; the process hears of it late, or not."""
        self._check_journal()
        lane = current_lane()
        if lane and not self._calm:
            roll = self._chance.random()
            if roll < self.plan.lost:
                self.tell(lane.name, "does not hear of a commit: the connection is lost")
                raise OperationalError("COMMIT", None, sqlite3.OperationalError("the connection is lost"))
            if self.plan.lost <= roll < self.plan.lost + self.plan.late:
                seconds = self._chance.choice((0.5, 3.0, 8.0))
                self.tell(lane.name, f"hears of a commit {seconds:g} s later")
                await asyncio.sleep(seconds)
        await self.comes("after a commit")

    async def _carry(self, request: httpx.Request) -> Reply:
        """Carry a request to the provider and its answer back; what is on its way arrives though its process dies."""
        lane, plan, chance = current_lane(), self.plan, self._chance
        assert lane
        if lane.killed:
            raise KilledError
        await request.aread()
        what = f"{request.method} {request.url.path}"
        calm = self._calm
        if not calm and chance.random() < plan.unsent:
            self.tell(lane.name, f"{what}: lost on the way")
            await asyncio.sleep(0.1)
            raise httpx.ReadError("lost on the way")
        if not calm and chance.random() < plan.busy:
            self.tell(lane.name, f"{what}: 429")
            await asyncio.sleep(0.1)
            return self.remote.reply(429, self.remote.error("too many requests"))
        slow = not calm and chance.random() < plan.slow
        arrival: asyncio.Future[Reply] = self._loop.create_future()

        def arrive() -> None:
            answer = self.remote.answer(request)
            self.tell("provider", f"{what} of {lane.name}: {answer.status} {answer.content[:120].decode()}")
            if not arrival.done():
                arrival.set_result(answer)

        self._loop.call_later(chance.choice((0.3, 2.0)) if slow else chance.choice((0.01, 0.05)), arrive, context=Context())
        await self.comes(f"{what} is on its way", REQUEST_WEIGHT)
        answer = await arrival
        await self.comes(f"{what} is answered", REQUEST_WEIGHT)
        if not calm and chance.random() < plan.unheard:
            self.tell(lane.name, f"{what}: the answer is lost")
            raise httpx.ReadError("the answer is lost")
        if not calm and chance.random() < plan.broken:
            self.tell(lane.name, f"{what}: an error 500 in place of the answer")
            return self.remote.reply(500, self.remote.error("it broke"))
        if slow:
            await asyncio.sleep(chance.choice((0.5, 2.0, 0.75 * ANSWER_SECONDS, 2 * ANSWER_SECONDS)))
        return answer

    # What must be true

    def _wish_of(self, job: RemoteJob) -> int:
        """Return the number of the wish that a job is for."""
        key = job.key.partition(":")[0]
        return self._numbers[key] if key in self._numbers else int(key.rpartition(" ")[2])

    def _paid(self, job: RemoteJob) -> None:
        """Check a job that was just paid for."""
        now = self._now()
        others = [one for one in self.remote.jobs.values() if one is not job and one.started is not None]
        for one in others:
            if self._wish_of(one) == self._wish_of(job) and not (one.fails and one.ended(now)):
                self._fault(f"wish {self._wish_of(job)} is bought twice: {one.id} and {job.id}")
        charged = PRICE * sum(not (one.fails and one.ended(now)) for one in (*others, job))
        if self.plan.cap is not None and charged > self.plan.cap:
            self._fault(f"{charged:g} credits are paid, and the cap is {self.plan.cap:g}")

    def _refused(self) -> None:
        """Check a purchase that the provider refused, because too many jobs are open."""
        if not self._doubted and not self.plan.inherited:
            self._fault(f"one more job than {self.plan.open_jobs} was to be opened")

    def _check_journal(self) -> None:
        """Check the journal as it is after a commit."""
        now = self._now()
        columns = "id, state, remote_id, over_at, coalesce(charged, reserved), intended_at, bound_at"
        rows = self._file.own.execute(f"SELECT {columns} FROM attempts").fetchall()
        spent, slots = 0.0, 0
        owners: dict[str, int] = {}
        for number, state, remote, over, cost, intended, bound in rows:
            if state != "refused":
                spent += cost
            late = intended < as_time(now - 2 * ANSWER_SECONDS)
            # A job that was seen not started holds no slot; its attempt is intended again, and takes one, when that is settled.
            again = state == "intended" and number == 1 and bool(self._inherited)
            self._doubted |= state == "in_doubt" or (state == "intended" and late) or again
            slots += state in ("intended", "bound") and over is None
            if remote is None:
                continue
            if remote in owners:
                self._fault(f"{remote} is bound to attempts {owners[remote]} and {number}")
            owners[remote] = number
            job = self.remote.jobs.get(remote)
            early = job is None or job.started is None or as_time(job.started) > bound
            if state != "bound" or (early and remote == self._inherited):
                continue  # a job that was bound before it was started may be seen as it was before
            if job is None or job.started is None:
                self._fault(f"attempt {number} is bound to {remote}, which was not bought")
            elif over is not None and not job.ended(now):
                self._fault(f"attempt {number} counts as ended, and {remote} is open")
        if self.plan.cap is not None and spent > self.plan.cap:
            self._fault(f"{spent:g} credits are spent or reserved, and the cap is {self.plan.cap:g}")
        if slots > self.plan.open_jobs and not self._doubted:
            self._fault(f"{slots} slots are taken of {self.plan.open_jobs}")

    def _left_open(self) -> list[Any]:
        return self._file.own.execute("SELECT id, state, key FROM attempts WHERE state IN ('intended', 'bound')").fetchall()

    def _check_end(self, wishes: Sequence[int]) -> None:
        """Check that all is brought to its end, and nothing is lost."""
        for number, state, _ in self._left_open():
            self._fault(f"attempt {number} is still {state} in the end")
        rows = self._file.own.execute("SELECT key, state, remote_id, reason FROM attempts").fetchall()
        owned = {remote for _, _, remote, _ in rows}
        doubtful = {self._numbers[key] for key, state, _, _ in rows if state == "in_doubt"}
        stored = {self._numbers[key] for key, state, _, _ in rows if state == "stored"}
        for job in self.remote.jobs.values():
            if job.started is not None and job.id not in owned and self._wish_of(job) not in doubtful:
                self._fault(f"{job.id} is paid for and belongs to no attempt")
            if job.started is not None and not job.fails and self._wish_of(job) not in stored | doubtful:
                self._fault(f"{job.id} is paid for, and its files are not stored")
        if self.plan.cap is None and not self.plan.failing:
            for number in set(wishes) - stored - doubtful:
                self._fault(f"wish {number} is not fulfilled in the end")
        if not self._stopped_long:
            for what in self.remote.faults:
                self._fault(what)


class _Goods:
    """Store and journal of a process; see `genmedia.purchasing.calls.Assets`."""

    if_refused = "fail"

    def __init__(self, store: Store, journal: Journal) -> None:
        self._store = store
        self._journal = journal

    def get_store(self) -> AbstractAsyncContextManager[Store]:
        return nullcontext(self._store)

    def get_journal(self) -> AbstractAsyncContextManager[Journal]:
        return nullcontext(self._journal)


async def _delivered(client: Any, order: Order, held: AsyncExitStack) -> Submit:
    """Return the function that sends an order, as the provider's step has it."""
    match order.account.provider:
        case "flora":

            async def submit(key: str, gate: session.Gate) -> str:
                sent = flora.run_inputs(order.request, {})
                return (await client.create_run(order.request["technique"], sent, idempotency_key=key, gate=gate)).run_id

            return submit
        case "generio":
            return await submission(client, order, [], held)
        case _:
            return lambda _, gate: client.create_job(order.request, gate)


async def _look_at(files: Sequence[Candidate]) -> list[MediaFacts]:
    """Find every file sound: what is in it is not simulated."""
    return [MediaFacts("model/gltf-binary" if one.kind == "model" else "image/png") for one in files]


@contextmanager
def simulation() -> Generator[Callable[..., World]]:
    """Return the function that plays a schedule: `play(seed)` returns the world at its end."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        file = File(Path(folder))
        scratch = Path(folder, "incoming")

        def play(seed: int, narrow: Callable[[Plan], Plan] = lambda plan: plan) -> World:
            world = World(seed, file, scratch, narrow)
            world.run()
            return world

        try:
            yield play
        finally:
            file.close()
