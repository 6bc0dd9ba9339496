"""Memory and time that a file of 1 GB costs from a server to a bucket, beside `curl` and a plain upload."""

import asyncio
import subprocess
import sys
from collections.abc import Generator, Mapping
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

from benchmarks.figures import OURS, Benchmark, Figure, Goal, MissingError, Readings, Stage
from deployments.engines.object_store import ACCESS_KEY, SECRET_KEY, ObjectStore, make_bucket, missing_programs
from deployments.engines.ports import free_port
from genmedia.media.facts import Candidate, MediaFacts, SmallCopy
from genmedia.media.probe import inspect_files
from genmedia.store import FIELDS, Place, Store
from genmedia.store.sidecar import VERSION, Cost, File, Output, Sidecar, Times
from genmedia.transport.origins import Origins
from genmedia.transport.session import Session

BYTES = 2**30
GROWTH = 100
SPEED = 70
PLAIN = "curl and s3fs"

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


async def measure(stage: Stage) -> Readings:
    """Carry the film both ways, in turned order in every second round."""
    endpoint, url = stage.servers["endpoint"], stage.servers["url"]
    place = Place("s3://media/ours", key=ACCESS_KEY, secret=SECRET_KEY, endpoint=endpoint)
    http = Session("local", url, headers={}, secrets=(), origins=Origins(url), explain=lambda _: ("", ""))
    took, growth, name = dict[str, float](), 0, str(stage.round)
    async with Store.lease(place, max_bytes=2 * BYTES) as store:
        await our_way(http, store, f"{url}/small.mp4", f"small {name}")  # from here on everything is imported and connected
        for way in (PLAIN, OURS) if stage.round % 2 == 0 else (OURS, PLAIN):
            if way == PLAIN:
                took[way] = await asyncio.to_thread(plain_way, f"{url}/large.mp4", stage.folder / "plain.mp4", endpoint, name)
                (stage.folder / "plain.mp4").unlink()
            else:
                forget_peak()
                before = resident("VmRSS")
                took[way] = await our_way(http, store, f"{url}/large.mp4", name)
                growth = resident("VmHWM") - before
    await http.aclose()
    speeds = {way: {"speed": stage.servers["size"] / 2**20 / seconds} for way, seconds in took.items()}
    speeds[OURS] |= {"beside the plain way": 100 * took[PLAIN] / took[OURS], "growth": growth / 2**20}
    return speeds


def _program(stage: Stage) -> Readings:
    return asyncio.run(measure(stage))


@contextmanager
def _servers(quick: bool) -> Generator[Mapping[str, Any]]:  # noqa: ARG001 # one size
    if missing := missing_programs():
        raise MissingError(f"not installed: {', '.join(missing)} (Debian: ceph-mon ceph-osd radosgw ceph-common)")
    with TemporaryDirectory() as made:
        folder = Path(made)
        make_film(folder / "small.mp4", 2**25)
        make_film(folder / "large.mp4", BYTES)
        # The server frees overwritten objects much later.
        with ObjectStore(free_port(), free_port(), capacity=8 * BYTES) as server, served(folder) as url:
            make_bucket(server.url, "media")
            yield {"endpoint": server.url, "url": url, "size": (folder / "large.mp4").stat().st_size}


BENCHMARK = Benchmark(
    about="""A film of 1 GiB is fetched from a server on this machine, looked at, and published in a bucket of a real S3
    server (Ceph's), and how much the process grows meanwhile; beside `curl` and a plain upload with s3fs, which neither inspect
    nor check what arrived.""",
    figures=(
        Figure("speed", "MiB a second"),
        Figure("beside the plain way", "% of its speed", {OURS: Goal(SPEED, at_least=True)}),
        Figure("growth", "MiB", {OURS: Goal(GROWTH)}),
    ),
    programs={"both ways": _program},
    servers=_servers,
    seconds=600,
)
