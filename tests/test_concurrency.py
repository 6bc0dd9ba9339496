"""What belongs to an event loop is shared while leased, and closed with the last lease."""

import asyncio
from contextlib import suppress

import anyio
import pytest

from genmedia.concurrency import end_task, every, leased, to_the_end


class Thing:
    closed = 0

    async def aclose(self) -> None:
        await asyncio.sleep(0)
        self.closed += 1


async def test_two_leases_share_one_thing_until_the_last_ends() -> None:
    async with leased("key", Thing) as first:
        async with leased("key", Thing) as second:
            assert second is first
        assert first.closed == 0
    assert first.closed == 1


async def test_a_thing_is_made_anew_after_the_last_lease_and_for_another_key() -> None:
    async with leased("key", Thing) as first, leased("other", Thing) as other:
        assert other is not first
    async with leased("key", Thing) as second:
        assert second is not first


async def test_the_last_lease_closes_though_it_ends_with_an_error() -> None:
    thing = Thing()
    with pytest.raises(RuntimeError):
        async with leased("key", lambda: thing):
            raise RuntimeError
    assert thing.closed == 1


async def test_what_could_not_be_made_is_made_the_next_time() -> None:
    def fail() -> Thing:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        async with leased("key", fail):
            pass
    async with leased("key", Thing) as thing:
        assert thing.closed == 0


def test_each_event_loop_has_its_own() -> None:
    async def lease() -> Thing:
        async with leased("key", Thing) as thing:
            return thing

    first, second = asyncio.run(lease()), asyncio.run(lease())

    assert first is not second
    assert (first.closed, second.closed) == (1, 1)


async def test_a_cancelled_holder_does_not_close_what_another_still_uses() -> None:
    async with leased("key", Thing) as thing:
        held = asyncio.Event()

        async def hold() -> None:
            async with leased("key", Thing):
                held.set()
                await asyncio.Event().wait()

        holder = asyncio.create_task(hold())
        await held.wait()
        holder.cancel()
        await asyncio.wait([holder])
        assert thing.closed == 0
    assert thing.closed == 1


async def test_a_task_that_loses_a_cancellation_is_ended_all_the_same() -> None:
    async def run() -> None:
        with suppress(asyncio.CancelledError):  # as libraries do, by mischance
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    await end_task(task)

    assert task.cancelled()


async def test_what_is_done_to_the_end_is_done_before_a_cancelled_caller_goes() -> None:
    begun, go_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await go_on.wait()
        done.set()

    caller = asyncio.create_task(to_the_end(work()))
    await begun.wait()
    for _ in range(3):
        caller.cancel()
        await asyncio.sleep(0)
    assert not caller.done()
    go_on.set()

    with pytest.raises(asyncio.CancelledError):
        await caller
    assert done.is_set()


async def test_a_timeout_of_anyio_or_asyncio_comes_out_as_one_after_what_is_done_to_the_end() -> None:
    done: list[str] = []

    async def work(name: str) -> None:
        await asyncio.sleep(0.05)
        done.append(name)

    with pytest.raises(TimeoutError), anyio.fail_after(0.01):
        await to_the_end(work("anyio"))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await to_the_end(work("asyncio"))
    with pytest.raises(TimeoutError), anyio.fail_after(0.02):
        async with asyncio.timeout(0.01):
            await to_the_end(work("both"))

    assert done == ["anyio", "asyncio", "both"]


def test_what_is_done_to_the_end_is_done_though_its_loop_is_about_to_close() -> None:
    """`asyncio.run` cancels all tasks once its own has ended, as after Ctrl-C."""
    done: list[str] = []

    async def work() -> None:
        await asyncio.sleep(0.05)
        done.append("written")

    async def leave() -> None:
        left_behind.append(asyncio.create_task(to_the_end(work())))
        await asyncio.sleep(0)

    left_behind: list[asyncio.Task[None]] = []
    asyncio.run(leave())

    assert done == ["written"]
    assert left_behind[0].cancelled()


async def test_works_at_once_are_all_waited_for_and_an_error_that_is_a_result_is_not_raised() -> None:
    done: list[str] = []

    async def give(value: Exception | str) -> Exception | str:
        await asyncio.sleep(0)
        return value

    async def fail() -> str:
        raise ValueError("the first")

    async def last() -> str:
        await asyncio.sleep(0.05)
        done.append("last")
        return "last"

    error = LookupError("a fault to be told with the others")
    assert await every([give(error), give("fine")]) == [error, "fine"]
    with pytest.raises(ValueError, match="the first"):
        await every([give("fine"), fail(), last()])
    assert done == ["last"]


class Signal(BaseException):
    """As Prefect's handler of `SIGTERM` raises it, wherever the loop is at that moment."""


async def test_a_signal_that_comes_in_one_of_works_at_once_ends_the_others() -> None:
    ended: list[str] = []

    async def is_interrupted() -> None:
        await asyncio.sleep(0)
        raise Signal

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("waiting")

    with pytest.raises(Signal):
        await every([wait(), is_interrupted(), wait()])

    assert ended == ["waiting", "waiting"]


async def test_works_at_once_end_with_their_caller_though_one_of_them_loses_the_cancellation() -> None:
    ended: list[str] = []

    async def lose() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("lost one")

    caller = asyncio.create_task(every([lose(), lose()]))
    await asyncio.sleep(0.01)
    caller.cancel()

    with pytest.raises(asyncio.CancelledError):
        await caller
    assert ended == ["lost one", "lost one"]
