"""Programs that buy pictures from Genova as one writes them in an afternoon: a semaphore, and a way to learn that jobs have ended."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx

EVERY = 3.0
"""Seconds between two looks: Genova's document names none, FLORA's example sleeps so long."""


class Api:
    """Genova's API, through httpx; a 429 is waited out as its Retry-After says.

    Args:
        base_url: Of the account.
        key: Of the account.
        seconds: Time that each job runs, for the program that is to know it.
        scale: How many times as fast as the world the sandbox's clock is.

    Attributes:
        refused: Number of its requests that were answered with 429.
    """

    def __init__(self, base_url: str, key: str, seconds: float = 0, scale: float = 1) -> None:
        self._http = httpx.AsyncClient(
            base_url=base_url, headers={"x-api-key": key}, timeout=60, limits=httpx.Limits(keepalive_expiry=2)
        )
        self.refused = 0
        self._seconds = seconds
        self._scale = scale
        self._ended: dict[str, asyncio.Event] = {}

    async def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Send a request until it is not refused for its number."""
        while True:
            answer = await self._http.request(method, path, json=body)
            if answer.status_code != 429:
                return answer
            self.refused += 1
            await self._sleep(float(answer.headers.get("retry-after", 1)))

    async def buy(self, prompt: str) -> str:
        """Create a job; returns its id."""
        body = {"type": "image", "model": "nano_banana2", "prompt": prompt}
        return (await self.ask("POST", "/api/jobs", body)).raise_for_status().json()["jobId"]

    async def fetch(self, job: str, file: Path) -> None:
        """Write the picture of a job that has ended into a file."""
        link = (await self.ask("GET", f"/api/jobs/{job}/download")).headers["location"]
        file.write_bytes((await self._http.get(link)).raise_for_status().content)

    async def wait_by_id(self, job: str) -> None:
        """Ask for the job each 3 s until it has ended."""
        while True:
            if (await self.ask("GET", f"/api/jobs/{job}")).raise_for_status().json()["status"] == "completed":
                return
            await self._sleep(EVERY)

    async def wait_by_list(self, job: str) -> None:
        """Wait until a list shows that the job has ended; see `list_all`."""
        await self._ended.setdefault(job, asyncio.Event()).wait()

    async def list_all(self) -> None:
        """List the newest jobs each 3 s, until cancelled."""
        while True:
            listed = (await self.ask("GET", "/api/jobs?limit=50")).raise_for_status().json()["jobs"]
            for job in listed:
                if job["status"] == "completed":
                    self._ended.setdefault(job["id"], asyncio.Event()).set()
            await self._sleep(EVERY)

    async def wait_as_told(self, job: str) -> None:  # noqa: ARG002 # as the others take it
        """Wait as long as the job is known to run."""
        await self._sleep(self._seconds)

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._scale)


async def make(
    api: Api, prompts: Sequence[str], open_jobs: int, folder: Path, wait: Callable[[str], Awaitable[None]], *, lists: bool = False
) -> float:
    """Buy a picture for each prompt, with so many open at once; returns the seconds from the first request to the last file.

    Args:
        api: Who sells.
        prompts: One for each picture.
        open_jobs: Most jobs that are open at once.
        folder: For the pictures.
        wait: Waits for the end of a job, one of the methods of `api`.
        lists: Whether `api` is to list all jobs meanwhile.
    """
    room = asyncio.Semaphore(open_jobs)

    async def one(number: int, prompt: str) -> None:
        async with room:
            job = await api.buy(prompt)
            await wait(job)
        await api.fetch(job, folder / f"{number}.png")

    listing = asyncio.create_task(api.list_all()) if lists else None
    begun = perf_counter()
    async with asyncio.TaskGroup() as group:
        for number, prompt in enumerate(prompts):
            group.create_task(one(number, prompt))
    if listing:
        listing.cancel()
    return perf_counter() - begun
