"""A Prefect flow that buys pictures from Genova, as one writes it in an afternoon: three tasks and a semaphore."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from prefect import flow, task

from benchmarks.baselines.genova import Api


@task
async def submit(api: Api, prompt: str) -> str:
    """Create a job."""
    return await api.buy(prompt)


@task
async def poll(api: Api, job: str) -> None:
    """Ask for it each 3 s until it has ended."""
    await api.wait_by_id(job)


@task
async def download(api: Api, job: str, file: Path) -> None:
    """Fetch its picture."""
    await api.fetch(job, file)


@flow
async def make_pictures(api: Api, prompts: Sequence[str], open_jobs: int, folder: Path) -> float:
    """Buy a picture for each prompt; returns the seconds from the first task to the last file."""
    room = asyncio.Semaphore(open_jobs)

    async def one(number: int, prompt: str) -> None:
        async with room:
            job = await submit(api, prompt)
            await poll(api, job)
        await download(api, job, folder / f"{number}.png")

    begun = perf_counter()
    await asyncio.gather(*(one(number, prompt) for number, prompt in enumerate(prompts)))
    return perf_counter() - begun
