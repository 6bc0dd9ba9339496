"""Memory and time that a file of 1 GB costs: `python benchmarks/large_file.py`.

The library fetches a film from a server on this machine, inspects it, and publishes it in a bucket on a real S3 server. There are two
measures: the growth of the process meanwhile, and the speed beside `curl` and a plain upload with s3fs, which neither inspect nor check what
arrived. Both ways are taken twice in one run, in alternating order; the faster time of each counts.
"""

import asyncio
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from fractions import Fraction
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, sleep
from typing import Any

import av
import httpx
import numpy as np

from deployments.engines.object_store import ACCESS_KEY, SECRET_KEY, ObjectStore, make_bucket, missing_programs
from deployments.engines.ports import free_port
from genmedia.media.facts import Candidate, MediaFacts, SmallCopy
from genmedia.media.probe import inspect_files
from genmedia.store import FIELDS, Place, Store
from genmedia.store.sidecar import VERSION, Cost, File, Output, Sidecar, Times
from genmedia.transport.origins import Origins
from genmedia.transport.session import Session

BYTES = 2**30
GROWTH = 100 * 2**20
SPEED = 0.70
ROUNDS = 2

_PLAIN = """
import sys
from time import perf_counter
import s3fs
fs = s3fs.S3FileSystem(key=sys.argv[1], secret=sys.argv[2], endpoint_url=sys.argv[3])
fs.ls("media")
begun = perf_counter()
fs.put_file(*sys.argv[4:])
print(perf_counter() - begun)
"""


def make_film(path: Path, least: int) -> None:
    """Write a film of at least `least` bytes: the packets of a few pictures of noise, repeated."""
    rate, noise = 24, np.random.default_rng(1)
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=rate, options={"preset": "ultrafast", "crf": "30", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, rate)
        pictures = [av.VideoFrame.from_ndarray(noise.integers(0, 256, (720, 1280, 3), dtype=np.uint8)) for _ in range(rate)]
        packets: list[Any] = []
        for picture in [*pictures, None]:
            packets += stream.encode(picture)
        contents, written = [bytes(packet) for packet in packets], 0
        for number in count():
            if written >= least and number % rate == 0:
                break
            packet = av.Packet(contents[number % rate])
            packet.stream, packet.time_base = stream, Fraction(1, rate)
            packet.pts = packet.dts = number
            packet.duration, packet.is_keyframe = 1, packets[number % rate].is_keyframe
            film.mux_one(packet)
            written += packet.size


@contextmanager
def served(folder: Path) -> Generator[str]:
    """Serve a folder over HTTP from another process; yields the address."""
    port = free_port()
    words = (sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder))
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        while True:
            try:
                httpx.get(url)
            except httpx.ConnectError:
                sleep(0.05)
            else:
                break
        yield url
    finally:
        server.terminate()
        server.wait()


def resident(name: str) -> int:
    """Memory of this process in bytes: `VmRSS` is the current value, `VmHWM` the highest since `forget_peak`."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status[name].split()[0]) * 1024


def forget_peak() -> None:
    """Reset `VmHWM` to the memory in use now; see proc(5), clear_refs."""
    Path("/proc/self/clear_refs").write_text("5")


async def our_way(http: Session, store: Store, url: str, name: str) -> float:
    """Fetch, inspect and publish a film with the library; returns the seconds it took."""
    begun = perf_counter()
    with store.incoming() as incoming:
        with incoming.path.open("w+b") as sink:
            fetched = await http.fetch(url, sink, max_bytes=store.max_bytes)
        (facts,) = await inspect_files([Candidate(incoming.path, "video", SmallCopy(incoming.thumbnail))])
        if not isinstance(facts, MediaFacts):
            raise facts
        sidecar = Sidecar(
            genmedia="0",
            sidecar=VERSION,
            campaign=name,
            step=name,
            provider="flora",
            account="flora||",
            operation=name,
            remote_id=name,
            submission_key=name,
            attempt=1,
            take=1,
            cost=Cost(),
            times=Times(stored=datetime.now(UTC)),
            output=Output(id=name),
            file=File(sha256=fetched.sha256, bytes=fetched.size, **facts.facts()),
        )
        await store.publish(incoming, {**dict.fromkeys(FIELDS, name), "ext": "mp4"}, sidecar)
    return perf_counter() - begun


def plain_way(url: str, target: Path, endpoint: str, name: str) -> float:
    """Fetch a film with `curl` and upload it with `put_file`; returns the seconds they took."""
    begun = perf_counter()
    subprocess.run(("curl", "--silent", "--fail", "--output", str(target), url), check=True)  # noqa: S607 # wherever it is
    fetched = perf_counter() - begun
    words = (sys.executable, "-c", _PLAIN, ACCESS_KEY, SECRET_KEY, endpoint, str(target), f"media/plain/{name}.mp4")
    return fetched + float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


async def measure(folder: Path, endpoint: str, url: str) -> tuple[dict[str, float], int]:
    """Measure both ways; returns the best time of each in seconds, and the most bytes that the process grew by on ours."""
    place = Place("s3://media/ours", key=ACCESS_KEY, secret=SECRET_KEY, endpoint=endpoint)
    http = Session("local", url, headers={}, secrets=(), origins=Origins(url), explain=lambda _: ("", ""))
    best, growth = {"plain": float("inf"), "ours": float("inf")}, 0
    async with Store.lease(place, max_bytes=2 * BYTES) as store:
        await our_way(http, store, f"{url}/small.mp4", "small")  # from here on everything is imported and connected
        for number in range(ROUNDS):
            for way in ("plain", "ours") if number % 2 == 0 else ("ours", "plain"):
                if way == "plain":
                    took = await asyncio.to_thread(plain_way, f"{url}/large.mp4", folder / "plain.mp4", endpoint, str(number))
                else:
                    forget_peak()
                    before = resident("VmRSS")
                    took = await our_way(http, store, f"{url}/large.mp4", str(number))
                    growth = max(growth, resident("VmHWM") - before)
                best[way] = min(best[way], took)
                print(f"round {number + 1}: {way} took {took:.1f} s")
    await http.aclose()
    return best, growth


def main() -> int:
    """Print the two measures; returns 1 when one is missed."""
    if missing := missing_programs():
        sys.exit(f"not installed: {', '.join(missing)} (Debian: ceph-mon ceph-osd radosgw ceph-common)")
    with TemporaryDirectory() as made:
        folder = Path(made)
        make_film(folder / "small.mp4", 2**25)
        make_film(folder / "large.mp4", BYTES)
        size = (folder / "large.mp4").stat().st_size
        # The server frees overwritten objects much later.
        with ObjectStore(free_port(), free_port(), capacity=8 * BYTES) as server, served(folder) as url:
            make_bucket(server.url, "media")
            best, growth = asyncio.run(measure(folder, server.url, url))
    speed = best["plain"] / best["ours"]
    print(f"{size / 2**20:.0f} MiB: the process grew by {growth / 2**20:.0f} MiB (limit {GROWTH / 2**20:.0f})")
    print(
        f"{size / best['ours'] / 2**20:.0f} MiB a second, {speed:.0%} of the {size / best['plain'] / 2**20:.0f} of the plain way"
        f" (at least {SPEED:.0%})"
    )
    return int(growth > GROWTH or speed < SPEED)


if __name__ == "__main__":
    raise SystemExit(main())
