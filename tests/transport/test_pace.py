"""An account never does more at once than its plan allows."""

import asyncio
from math import inf
from time import monotonic

import pytest

from genmedia.concurrency import end_task
from genmedia.transport.pace import WINDOW_SECONDS, Pace, ranked

SCALE = 300.0
WINDOW = WINDOW_SECONDS / SCALE


async def test_no_window_sees_more_requests_than_the_plan_allows() -> None:
    pace = Pace(5, lambda: SCALE)
    seen: list[float] = []

    async def request() -> None:
        async with pace.turn():
            await asyncio.sleep(0.01)
            seen.append(monotonic())  # the provider counts somewhere between start and answer

    await asyncio.gather(*(request() for _ in range(17)))

    assert len(seen) == 17
    for first, sixth in zip(seen, seen[5:], strict=False):
        assert sixth - first >= WINDOW


async def test_requests_under_way_count_as_well() -> None:
    pace, answer = Pace(2, lambda: SCALE), asyncio.Event()
    started: list[int] = []

    async def request(number: int) -> None:
        async with pace.turn():
            started.append(number)
            await answer.wait()

    requests = [asyncio.create_task(request(number)) for number in range(3)]
    await asyncio.sleep(2 * WINDOW)  # long enough for the third, if only answered requests counted

    assert started == [0, 1]
    answer.set()
    await asyncio.gather(*requests)
    assert started == [0, 1, 2]


async def test_an_urgent_request_goes_before_those_that_wait() -> None:
    pace, order = Pace(1, lambda: SCALE), list[str]()

    async def request(name: str, *, urgent: bool = False) -> None:
        async with pace.turn(urgent=urgent):
            order.append(name)

    first = asyncio.create_task(request("first"))
    await asyncio.sleep(0)
    later = [asyncio.create_task(request(name)) for name in ("second", "third")]
    await asyncio.sleep(0)
    await asyncio.gather(first, *later, request("abort", urgent=True))

    assert order == ["first", "abort", "second", "third"]


async def test_of_those_that_wait_the_highest_rank_goes_first() -> None:
    pace, order = Pace(1, lambda: SCALE), list[str]()

    async def request(name: str, rank: float) -> None:
        with ranked(rank):
            async with pace.turn():
                order.append(name)

    first = asyncio.create_task(request("first", 0))
    await asyncio.sleep(0)
    later = [asyncio.create_task(request(name, rank)) for name, rank in (("usual", 0), ("usual too", 0), ("a person's", 1))]
    await asyncio.gather(first, *later)

    assert order == ["first", "a person's", "usual", "usual too"]


async def test_a_request_that_is_cancelled_while_it_waits_leaves_the_line() -> None:
    pace, order = Pace(1, lambda: SCALE), list[str]()

    async def request(name: str) -> None:
        async with pace.turn():
            order.append(name)

    await request("first")
    gone, kept = asyncio.create_task(request("gone")), asyncio.create_task(request("kept"))
    await asyncio.sleep(0)
    gone.cancel()
    await kept

    assert order == ["first", "kept"]


@pytest.mark.parametrize("steps", range(6))
async def test_a_request_that_is_cancelled_as_the_line_moves_does_not_go(steps: int) -> None:
    pace, answer = Pace(2, lambda: SCALE), asyncio.Event()

    async def request() -> None:
        async with pace.turn():
            await answer.wait()

    async with pace.turn():
        pass
    under_way, waiting = asyncio.create_task(request()), asyncio.create_task(request())
    await asyncio.sleep(0.01)
    answer.set()
    for _ in range(steps):
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([under_way, waiting])

    assert waiting.cancelled()


async def test_nobody_goes_while_the_provider_asks_to_wait() -> None:
    pace = Pace(100, lambda: SCALE)
    await pace.refused(60)
    begun = monotonic()

    async with pace.turn():
        pass

    assert monotonic() - begun >= WINDOW


async def test_without_a_limit_nobody_waits() -> None:
    pace = Pace(None, lambda: 1.0)

    async with asyncio.timeout(30):
        for _ in range(1000):
            async with pace.turn():
                pass


class Counted:
    """A window with so many requests, which come back when this is told."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.told: list[bool] = []

    async def take(self, rank: float) -> float:
        del rank
        if not self.number:
            return 0.01
        self.number -= 1
        return 0.0

    async def answered(self, *, idle: bool) -> None:
        self.told.append(idle)

    async def refused(self, seconds: float) -> None:
        raise NotImplementedError


class Slow(Counted):
    """A window with one request, which takes its time to note the answer; nobody can say when the request comes back."""

    def __init__(self) -> None:
        super().__init__(1)
        self.noting, self.noted = asyncio.Event(), asyncio.Event()

    async def take(self, rank: float) -> float:
        return await super().take(rank) and inf

    async def answered(self, *, idle: bool) -> None:
        self.noting.set()
        await self.noted.wait()
        self.number += 1
        await super().answered(idle=idle)


async def test_that_a_request_is_over_is_told_to_every_window_and_to_who_waits_though_its_task_is_cancelled_meanwhile() -> None:
    pace, slow, other = Pace(None, lambda: 1.0), Slow(), Counted(2)

    async def request() -> None:
        async with pace.turn():
            pass

    with pace.within(slow), pace.within(other):
        cancelled, waiting = (asyncio.create_task(request()) for _ in range(2))
        await slow.noting.wait()
        cancelled.cancel()
        slow.noted.set()
        _, left = await asyncio.wait([cancelled, waiting], timeout=10)
        await end_task(*left)

    assert cancelled.cancelled()
    assert not left
    assert len(other.told) == 2


async def test_a_request_goes_when_every_window_has_one_for_it_and_takes_one_of_each() -> None:
    pace, shared = Pace(10, lambda: SCALE), Counted(0)
    order: list[int] = []

    async def request(number: int) -> None:
        async with pace.turn():
            order.append(number)

    with pace.within(shared):
        requests = [asyncio.create_task(request(number)) for number in range(3)]
        await asyncio.sleep(0.05)
        assert order == []
        shared.number = 3
        await asyncio.gather(*requests)
    async with pace.turn():
        pass

    assert order == [0, 1, 2]
    assert shared.number == 0
    assert len(shared.told) == 3
    assert shared.told[-1], "the last one leaves nobody in the line"
