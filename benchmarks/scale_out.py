"""Buy pictures over three workers, of which one is killed and one is restarted: `python -m benchmarks.scale_out [ITEMS]`.

`deployments/scale-out/start.py` runs it: PostgreSQL, Redis, S3 and Prefect in processes of their own, and the sandbox as the provider. The
exit code is 1 if a picture was bought twice or is missing, or it took longer than `MOST` times what the account's limits allow.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from benchmarks.small_parts import ITEMS, small_parts
from blocks import AssetStore, load_store
from deployments.bootstrap import CREDENTIALS, PROJECT, WORK_POOL
from flows.image_batch import image_batch
from genmedia.journal import AttemptState, are_there
from genmedia.providers.genova.client import PLANS
from tasks.parts import WHOLE

MANY = 2000
"""Items where none are named."""

MOST = 1.25
"""Most times the makespan that the account's limits allow."""

PLAN = "Business"
ACCOUNT = "scale"
KILLED_AT, RESTARTED_AT = 0.3, 0.5
"""Parts of the items that are made when a worker is killed, and another one is restarted."""

TRIAL_SECONDS = 3 * 3600.0


@dataclass
class ScaleOut:
    """The script while it runs, as it told what it has started.

    Attributes:
        told: What it printed, by the first word of the line.
    """

    process: subprocess.Popen[str]
    told: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def api(self) -> str:
        """The address of Prefect's API."""
        return f"{self.told['Prefect']}/api"

    def read(self) -> None:
        """Read what it prints until everything runs.

        Raises:
            RuntimeError: It ended; with what it printed.
        """
        assert self.process.stdout is not None
        lines: list[str] = []
        for line in self.process.stdout:
            lines.append(line)
            name, _, what = line.strip().partition(" ")
            if line.startswith("  ") and what:
                self.told[name] = what.strip()
            if line.startswith("Ctrl-C"):
                return
        raise RuntimeError("".join(lines))

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask the sandbox's control plane."""
        return httpx.request(method, f"{self.told['Sandbox']}{path}", json=body, timeout=60).raise_for_status().json()

    def end_worker(self, *, kill: bool) -> None:
        """Kill the busiest worker with all that it has started, as when its machine is lost; or end it as a container platform does."""
        workers = [pid for name, pid in self.told.items() if name.startswith("worker-")]
        worker = max(map(int, workers), key=lambda pid: len(descendants(pid)))
        if not kill:
            os.kill(worker, signal.SIGTERM)
            return
        for pid in [worker, *descendants(worker)]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@contextmanager
def scaled_out(*options: str) -> Generator[ScaleOut]:
    """Run the script with these options until the block ends."""
    command = [sys.executable, str(PROJECT / "deployments" / "scale-out" / "start.py"), *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        one = ScaleOut(process)
        try:
            one.read()
            yield one
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=300)


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and those that they have, whatever their sessions."""
    found: list[int] = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, children.read_text().split()):
                found += [child, *descendants(child)]
    return found


class Times:
    """CPU seconds of the processes of a trial, by program, as far as they were seen before they ended."""

    def __init__(self, roots: Mapping[str, int]) -> None:
        self._roots = roots
        self._seen: dict[tuple[str, int], float] = {}

    def look(self) -> None:
        """Look at all of them once."""
        for name, root in self._roots.items():
            for pid in [root, *descendants(root)]:
                with suppress(OSError):
                    told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                    called = name or _program(Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace"))
                    self._seen[called, pid] = (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def spent(self) -> dict[str, float]:
        """Seconds by program."""
        sums = defaultdict[str, float](float)
        for (name, _), seconds in self._seen.items():
            sums[name] += seconds
        return dict(sums)


def _program(command: str) -> str:
    words = {
        "worker\0start": "workers",
        "flow-run\0execute": "flow runs",
        "prefect.engine": "flow runs",
        "local_server": "Prefect's API",
        "services\0": "Prefect's services",
        "redis-server": "Redis",
        "ceph": "S3",
        "radosgw": "S3",
        "genmedia\0sandbox": "sandbox",
    }
    return next((name for word, name in words.items() if word in command), "flow runs")


@dataclass(frozen=True)
class Trial:
    """What came of it.

    Attributes:
        state: The state of the run of the whole: its name, and its message.
        parts: Runs of its parts, by the name of their last state.
        starts: How often those were started in all.
        seconds: From the start of the run to its end.
        ideal: What the account's limits allow.
    """

    items: int
    state: tuple[str, str]
    parts: Mapping[str, int]
    starts: int
    paid: int
    stored: int
    there: int
    seconds: float
    ideal: float
    cpu: Mapping[str, float]

    @property
    def faults(self) -> list[str]:
        """All that is wrong, but for the time that it took."""
        told = {"paid": self.paid, "stored in the journal": self.stored, "files in the bucket": self.there}
        wrong = [f"{count} {what} of {self.items}" for what, count in told.items() if count != self.items]
        return wrong + ([] if self.state[0] == "Completed" else [f"it ended as {self.state}"])


async def run_trial(one: ScaleOut, items: int, run_seconds: float, clock_scale: float) -> Trial:
    """Buy this many pictures and end workers meanwhile.

    Args:
        one: The script, with three workers.
        items: Number of pictures.
        run_seconds: What a job takes by the sandbox's clock.
        clock_scale: How much faster that is.
    """
    wish = {"provider": "genova", "account": ACCOUNT, "plan": PLAN, "credits": items * 2}
    account = one.ask("POST", "/accounts", {**wish, "settings": {"queue": [0, 0], "run": [run_seconds, run_seconds]}})
    kind = CREDENTIALS["GENOVA"]
    values = {name: account[name] for name in ("api_key", "base_url", "plan")}
    await kind.model_validate({**values, "account": ACCOUNT}).asave(ACCOUNT, overwrite=True)
    times = Times({"": one.process.pid, "PostgreSQL": int(one.told["Postgres"])})
    run = await _begin(items)
    ended_workers = 0
    begun = monotonic()
    while not (run.state and run.state.is_final()):
        if monotonic() - begun > TRIAL_SECONDS:
            raise RuntimeError(f"it has not ended: {run.state}")
        await asyncio.sleep(min(5.0, run_seconds / clock_scale))
        times.look()
        made = sum(job["status"] == "succeeded" for job in of_account(one, ACCOUNT))
        if ended_workers < 2 and made >= (KILLED_AT, RESTARTED_AT)[ended_workers] * items:
            ended_workers += 1
            print(f"{monotonic() - begun:.0f} s: {made} made, a worker is {'killed' if ended_workers == 1 else 'restarted'}")
            one.end_worker(kill=ended_workers == 1)
        run = await read_run(run.id)
    limits = PLANS[PLAN]
    jobs = of_account(one, ACCOUNT)
    stored, there = await _stored(await load_store("default"))
    parts = await _parts(run.id)
    assert run.state is not None
    assert run.end_time is not None
    assert run.start_time is not None
    return Trial(
        items=items,
        state=(run.state.name or "", run.state.message or ""),
        parts=Counter(part.state.name or "" for part in parts if part.state),
        starts=sum(part.run_count for part in parts),
        paid=len(jobs),
        stored=stored,
        there=there,
        seconds=(run.end_time - run.start_time).total_seconds(),
        ideal=max(items * run_seconds / limits.open_jobs, items / limits.per_minute * 60) / clock_scale,
        cpu=times.spent,
    )


async def _begin(items: int) -> FlowRun:
    """Begin the run of the whole from a deployment of its own."""
    many = items > 8 * ITEMS
    flow, entrypoint = (
        (image_batch, "flows/image_batch.py:image_batch") if many else (small_parts, "benchmarks/small_parts.py:small_parts")
    )
    parameters: dict[str, Any] = {
        "name": "scale-out",
        "prompts": [f"A red cup on a table, number {number}" for number in range(items)],
        "account": ACCOUNT,
        **({"items_per_run": max(200, items // 8)} if many else {}),
    }
    async with get_client() as client:
        deployment = await client.create_deployment(
            await client.create_flow(flow),
            "scale-out",
            entrypoint=entrypoint,
            work_pool_name=WORK_POOL,
            pull_steps=[{"prefect.deployments.steps.set_working_directory": {"directory": str(PROJECT)}}],
        )
        return await client.create_flow_run_from_deployment(deployment, parameters=parameters)


def of_account(one: ScaleOut, account: str) -> list[dict[str, Any]]:
    """Return the jobs that the sandbox's Genova has of an account."""
    return one.ask("GET", f"/jobs?provider=genova&account={account}")


async def read_run(run: UUID) -> FlowRun:
    """Read a flow run from Prefect."""
    async with get_client() as client:
        return await client.read_flow_run(run)


async def _parts(whole: UUID) -> list[FlowRun]:
    async with get_client() as client:
        return [run for run in await client.read_flow_runs(limit=200) if run.labels.get(WHOLE) == str(whole)]


async def _stored(assets: AssetStore) -> tuple[int, int]:
    """How many purchases the journal has as stored, and how many of their files the bucket has."""
    async with assets.get_journal() as journal, assets.get_store() as files:
        mine = [one for one in await journal.purchases() if one.campaign == "scale-out"]
        stored = [one for one in mine if one.state is AttemptState.STORED]
        return len(stored), sum([await are_there(await journal.assets(one.id), files.has) for one in stored])


def main() -> int:
    """Run the trial and print its figures; returns the exit code."""
    items = int(sys.argv[1]) if len(sys.argv) > 1 else MANY
    run_seconds, clock_scale = (15.0, 1.0) if items > 8 * ITEMS else (10.0, 2.0)
    with (
        scaled_out("--size", "128", "--clock-scale", str(clock_scale)) as one,
        temporary_settings({PREFECT_API_URL: one.api, PREFECT_API_AUTH_STRING: one.told["Password"]}),
    ):
        trial = asyncio.run(run_trial(one, items, run_seconds, clock_scale))
    ratio = trial.seconds / trial.ideal
    print(f"{items} items, {trial.paid} paid, {trial.stored} stored, {trial.there} in the bucket: {trial.state}")
    print(f"parts {dict(trial.parts)}, started {trial.starts} times")
    print(f"{trial.seconds:.0f} s, {ratio:.2f} x the {trial.ideal:.0f} s that the limits allow")
    print(*(f"{name}: {seconds * 1000 / items:.0f} ms of CPU an item" for name, seconds in sorted(trial.cpu.items())), sep="\n")
    faults = [*trial.faults, *([f"{ratio:.2f} x is more than {MOST}"] if items == MANY and ratio > MOST else [])]
    print(*faults, sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
