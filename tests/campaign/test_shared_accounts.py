"""Several processes that use one account keep to its limits together: nobody is refused, and nothing fails."""

import asyncio
import json
import os
import signal
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from flows.image_batch import image_batch
from genmedia.journal.looks import LEASE_SECONDS
from tests.processes import Program
from tests.sandboxes import Sandbox
from tests.studio import Studio

BUYER = """
import asyncio, json, sys
from pathlib import Path
from flows.image_batch import image_batch
from tests.studio import Studio

account, root, name, number = json.loads(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
prompts = [f"A red cup, {name}, number {one}" for one in range(number)]
ended = asyncio.run(Studio(None, account, root).run(image_batch, {"name": name, "prompts": prompts, "run_minutes": 600}))
print(ended.name, ended.message)
"""


def answers(sandbox: Sandbox, account: dict[str, Any]) -> Counter[int]:
    """How often the sandbox gave an account each status."""
    counted: Counter[int] = Counter()
    for line in sandbox.requests(account):
        counted.update({int(line["status"]): line["count"]})
    return counted


@pytest.mark.parametrize(("plan", "buyers", "each"), [("Free", 2, 4), ("Pro", 3, 20)])
def test_processes_of_one_account_are_refused_nothing_and_lose_nothing(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plan: str, buyers: int, each: int
) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    studio = Studio(sandbox, sandbox.new_account("genova", plan=plan), tmp_path)
    with ExitStack() as running:
        programs = [
            running.enter_context(Program(BUYER, json.dumps(studio.account), tmp_path, f"buyer-{one}", each))
            for one in range(buyers)
        ]
        said = [one.rest() for one in programs]

    assert [one.split()[0] for one in said] == ["Completed"] * buyers, said
    assert len(studio.jobs) == buyers * each
    assert answers(sandbox, studio.account)[429] == 0


def looks(sandbox: Sandbox, account: dict[str, Any]) -> int:
    """How often the account's jobs were listed."""
    return sum(line["count"] for line in sandbox.requests(account) if (line["method"], line["route"]) == ("GET", "/api/jobs"))


def test_of_several_processes_one_looks_for_all(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    settings = {"queue": [0, 0], "run": [150, 150]}  # of the provider's seconds, which are a fiftieth of ours
    alone, shared = (
        Studio(sandbox, sandbox.new_account("genova", plan="Business", settings=settings), tmp_path / name)
        for name in ("alone", "shared")
    )
    for studio, buyers in ((alone, 1), (shared, 3)):
        with ExitStack() as running:
            programs = [
                running.enter_context(Program(BUYER, json.dumps(studio.account), studio.root, f"buyer-{one}", 8))
                for one in range(buyers)
            ]
            assert [one.rest().split()[0] for one in programs] == ["Completed"] * buyers

    assert looks(sandbox, shared.account) <= looks(sandbox, alone.account) + 1


def test_two_processes_that_want_the_same_buy_it_once_and_both_hear_of_its_end(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    settings = {"queue": [0, 0], "run": [100, 100]}
    studio = Studio(sandbox, sandbox.new_account("genova", plan="Pro", settings=settings), tmp_path)
    with ExitStack() as running:
        programs = [running.enter_context(Program(BUYER, json.dumps(studio.account), tmp_path, "the same", 5)) for _ in range(3)]
        said = [one.rest() for one in programs]

    assert [one.split()[0] for one in said] == ["Completed"] * 3, said
    assert len(studio.jobs) == 5
    assert answers(sandbox, studio.account)[429] == 0


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
def test_where_the_process_that_looks_is_killed_or_stands_still_another_looks_and_nobody_loses_a_job(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: signal.Signals
) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    settings = {"queue": [0, 0], "run": [300, 300]}
    studio = Studio(sandbox, sandbox.new_account("genova", plan="Pro", settings=settings), tmp_path)
    with (
        Program(BUYER, json.dumps(studio.account), tmp_path, "first", 6) as first,
        Program(BUYER, json.dumps(studio.account), tmp_path, "second", 6) as second,
    ):
        while studio.waited_for < 10:
            sleep(0.1)
        assert first.process.pid is not None
        os.kill(first.process.pid, end)
        if end is signal.SIGSTOP:
            # Not until the other has ended: stopped within a transaction on SQLite, this one keeps all others from writing.
            second.process.join(2 * LEASE_SECONDS)
            os.kill(first.process.pid, signal.SIGCONT)
        said = [second.rest()] + ([first.rest()] if end is signal.SIGSTOP else [])
    with Program(BUYER, json.dumps(studio.account), tmp_path, "first", 6) as again:
        said.append(again.rest())

    assert {one.split()[0] for one in said} == {"Completed"}, said
    assert len(studio.jobs) == 12
    assert {state for state, _ in studio.attempts} == {"stored"}
    assert answers(sandbox, studio.account)[429] == 0


async def test_jobs_of_a_killed_run_keep_nobody_waiting_once_they_have_ended(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    settings = {"queue": [0, 0], "run": [100, 100]}
    studio = Studio(sandbox, sandbox.new_account("genova", plan="Free", settings=settings), tmp_path)
    with Program(BUYER, json.dumps(studio.account), tmp_path, "killed", 2) as killed:
        while len(studio.jobs) < 2 or studio.attempts.count(("bound", "")) < 2:
            await asyncio.sleep(0.1)
        killed.kill()

    ended = await studio.run(image_batch, {"name": "after it", "prompts": ["A blue cup", "A green cup"]})

    assert (ended.name, len(studio.jobs)) == ("Completed", 4)
    assert studio.attempts.count(("bound", "")) == 2, "the files of the killed run are for the next one"
    assert answers(sandbox, studio.account)[429] == 0


async def test_a_run_of_a_higher_priority_does_not_wait_for_all_that_an_earlier_one_still_wants(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    studio = Studio(sandbox, sandbox.new_account("genova", plan="Starter", settings={"queue": [0, 0], "run": [50, 50]}), tmp_path)
    many = [f"A red cup, number {one}" for one in range(30)]
    nightly = asyncio.create_task(studio.run(image_batch, {"name": "nightly", "prompts": many}))
    while len(studio.jobs) < 5:
        await asyncio.sleep(0.1)

    ended = await studio.run(image_batch, {"name": "quick", "prompts": ["A blue cup", "A green cup"], "priority": 5})

    assert ended.name == "Completed"
    assert len(studio.jobs) < 32, "the other run still has something to buy"
    assert (await nightly).name == "Completed"
