"""What goes wrong on the way to a store: nothing half is ever seen, nothing is lost, and the error says what it was."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from deployments.engines.object_store import ACCESS_KEY, SECRET_KEY, ObjectStore
from deployments.engines.ports import free_port
from genmedia.errors import (
    StoreDeniedError,
    StoreError,
    StoreFullError,
    StoreMissingError,
    StoreTimeoutError,
    StoreUnreachableError,
)
from genmedia.store import DEFAULT_TEMPLATE, Place, Store, remote
from genmedia.store.naming import fill_in
from tests.buckets import Buckets
from tests.store.test_store import NAMES, files, put, write

PATH = fill_in(DEFAULT_TEMPLATE, NAMES)
SMALL, LARGE = os.urandom(4 * 2**20), os.urandom(3 * remote.PART_BYTES)
"""The one goes up whole, the other in three parts."""

LINE = re.compile(rb"(?:GET|PUT|POST|HEAD|DELETE) \S+ HTTP/1.1\r\n")


async def cut() -> None:
    """Nothing more than the cut itself."""


@dataclass
class Fault:
    """Strikes a request, by its line, after so many of its bytes or of its answer's; then its connection is cut."""

    request: str
    act: Callable[[], Awaitable[object]]
    sent: int | None
    answered: int | None
    times: int


@dataclass
class Wire:
    """The way to a server: it notes what is asked, and breaks where a test says."""

    port: int
    requests: list[str] = field(default_factory=list[str])
    change: Callable[[bytes], bytes] = bytes
    """Of the bytes of an answer."""

    def __post_init__(self) -> None:
        self._faults: list[Fault] = []
        self._open: set[asyncio.Task[None]] = set()

    def at(
        self,
        request: str,
        act: Callable[[], Awaitable[object]] = cut,
        *,
        sent: int | None = None,
        answered: int | None = None,
        times: int = 1,
    ) -> None:
        self._faults.append(Fault(request, act, sent, answered, times))

    async def serve(self, client: StreamReader, to_client: StreamWriter) -> None:
        mine = asyncio.current_task()
        assert mine
        self._open.add(mine)
        writers = [to_client]
        try:
            server, to_server = await asyncio.open_connection("127.0.0.1", self.port)
            writers.append(to_server)
            await self._carry(client, to_server, server, to_client)
        except (ConnectionError, asyncio.CancelledError):
            pass  # streams would log that they were cancelled
        finally:
            for writer in writers:
                writer.transport.abort()
            self._open.discard(mine)

    async def _carry(self, client: StreamReader, to_server: StreamWriter, server: StreamReader, to_client: StreamWriter) -> None:
        fault: Fault | None = None
        sent = answered = 0

        async def forth() -> None:
            nonlocal fault, sent, answered
            while data := await client.read(2**16):
                if LINE.match(data):
                    self.requests.append(data.partition(b"\r\n\r\n")[0].decode())
                    line = self.requests[-1].partition("\r\n")[0]
                    fault = next((one for one in self._faults if one.times and re.search(one.request, line)), None)
                    sent = answered = 0
                    if fault:
                        fault.times -= 1
                data = await self._until(data, fault, sent, fault and fault.sent, to_server)
                sent += len(data)

        async def back() -> None:
            nonlocal answered
            while data := await server.read(2**16):
                data = await self._until(self.change(data), fault, answered, fault and fault.answered, to_client)
                answered += len(data)

        ways = {asyncio.create_task(forth()), asyncio.create_task(back())}
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        for way in done:
            way.result()

    async def _until(self, data: bytes, fault: Fault | None, before: int, limit: int | None, to: StreamWriter) -> bytes:
        struck = fault is not None and limit is not None and before + len(data) >= limit
        to.write(data[: limit - before] if struck and limit is not None else data)
        await to.drain()
        if struck and fault:
            await fault.act()
            raise ConnectionAbortedError
        return data

    async def aclose(self) -> None:
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)


@asynccontextmanager
async def listening(serve: Callable[[StreamReader, StreamWriter], Awaitable[None]]) -> AsyncGenerator[str]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@asynccontextmanager
async def wired(place: Place) -> AsyncGenerator[tuple[Wire, Place]]:
    """The place, seen through a wire."""
    wire = Wire(int(place.endpoint.rpartition(":")[2]))
    async with listening(wire.serve) as url:
        yield wire, replace(place, endpoint=url)
        await wire.aclose()


async def open_uploads(store: Store) -> list[str]:
    s3: Any = store.files
    bucket, _, _ = s3.fs.split_path(s3.base)
    answer = await s3.fs._call_s3("list_multipart_uploads", Bucket=bucket)
    return [upload["UploadId"] for upload in answer.get("Uploads", [])]


async def claims(store: Store) -> list[str]:
    s3: Any = store.files
    return await s3.fs._find(f"{s3.base}/.genmedia/claims")


async def assert_stored(store: Store, content: bytes) -> None:
    assert await put(store, content) == PATH
    assert (await store.files.copy(PATH)).read_bytes() == content
    assert await files(store) == {PATH, f"{PATH}.json"}


@pytest.fixture
async def there(buckets: Buckets) -> AsyncGenerator[tuple[Wire, Store]]:
    """A store in a new bucket, seen through a wire."""
    async with wired(buckets.new()) as (wire, place), Store.lease(place) as store:
        yield wire, store


@pytest.fixture(scope="module")
def own(buckets: Buckets) -> Generator[ObjectStore]:
    """A server to be killed."""
    del buckets  # it has seen to it that there can be one
    with ObjectStore(free_port(), free_port()) as server:
        yield server


@pytest.fixture(scope="module")
def narrow(buckets: Buckets) -> Generator[Buckets]:
    """A server whose buckets hold little."""
    del buckets  # as above
    with ObjectStore(free_port(), free_port(), quota=len(LARGE)) as server:
        yield Buckets(server.url)


# The gateway dies


@pytest.mark.parametrize(("content", "struck"), [(SMALL, "PUT .*png "), (LARGE, "partNumber=2")], ids=["whole", "parts"])
async def test_a_gateway_killed_in_the_middle_of_an_upload_leaves_nothing_to_see_and_the_same_store_goes_on_after_it(
    own: ObjectStore, monkeypatch: pytest.MonkeyPatch, content: bytes, struck: str
) -> None:
    async def kill() -> None:
        own.gateway.kill()
        await asyncio.to_thread(own.gateway.wait)

    async with wired(Buckets(own.url).new()) as (wire, place), Store.lease(place) as store:
        wire.at(struck, kill, sent=2**20)
        with pytest.raises(StoreUnreachableError, match=r"could not be stored: .+run again") as refused:
            await put(store, content)
        await asyncio.to_thread(own.start_gateway)

        assert SECRET_KEY not in str(refused.value)
        assert await files(store) == set()
        assert len(await open_uploads(store)) == (content is LARGE)
        await assert_stored(store, content)
        monkeypatch.setattr("genmedia.store.store.ORPHAN_SECONDS", -60)
        assert await store.sweep() >= 1, "at least its claim"
        assert (await open_uploads(store), await claims(store)) == ([], [])
        await assert_stored(store, content)


async def test_a_gateway_that_is_away_is_told_by_everything_that_is_asked_of_it() -> None:
    away = Place("s3://media/assets", key=ACCESS_KEY, secret=SECRET_KEY, endpoint=f"http://127.0.0.1:{free_port()}")
    async with Store.lease(away) as store:
        told = await all_told(asked(store))

    assert [one for one in told if not isinstance(one, StoreUnreachableError) or SECRET_KEY in str(one)] == []


async def all_told(asks: Sequence[Callable[[], Awaitable[object]]]) -> list[object]:
    """What they end with, asked at once: each is tried again for seconds."""
    return await asyncio.gather(*(ask() for ask in asks), return_exceptions=True)


def asked(store: Store) -> list[Callable[[], Awaitable[object]]]:
    """Everything that asks the server."""
    return [
        lambda: store.files.read(PATH),
        lambda: store.files.copy(PATH),
        lambda: store.has(PATH),
        lambda: store.files.digest(PATH),
        lambda: files(store),
        store.sweep,
        store.check,
        lambda: put(store),
        lambda: put(store, LARGE),
    ]


# The server is there, but


@pytest.mark.parametrize("key", [ACCESS_KEY, "nobody"])
async def test_wrong_credentials_are_told_by_everything_that_is_asked(buckets: Buckets, key: str) -> None:
    async with Store.lease(replace(buckets.new(), key=key, secret="not-the-secret")) as store:
        for ask in asked(store):
            with pytest.raises(StoreDeniedError, match="Check the key") as refused:
                await ask()
            assert "not-the-secret" not in str(refused.value)


async def test_a_missing_bucket_is_told_by_everything_that_is_asked_of_it(buckets: Buckets) -> None:
    async with Store.lease(replace(buckets.new(), root="s3://not-there/assets")) as store:
        for ask in asked(store):
            with pytest.raises(StoreMissingError, match="Make the bucket"):
                await ask()


async def test_a_server_that_accepts_and_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(remote, "TIDY_SECONDS", 0.1)
    waiting: list[asyncio.Task[Any] | None] = []

    async def stay_silent(_: StreamReader, writer: StreamWriter) -> None:
        waiting.append(asyncio.current_task())
        try:
            await asyncio.Event().wait()
        finally:
            writer.transport.abort()

    async with listening(stay_silent) as url:
        async with Store.lease(Place("s3://media/assets", key=ACCESS_KEY, secret=SECRET_KEY, endpoint=url)) as store:
            for ask in asked(store):
                with pytest.raises(StoreTimeoutError, match="did not answer in time"):
                    await ask()
        for task in filter(None, waiting):
            task.cancel()
        await asyncio.gather(*filter(None, waiting), return_exceptions=True)


async def test_a_part_that_is_never_answered_ends_the_upload_and_leaves_none_open(
    there: tuple[Wire, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    wire, store = there
    wire.at("partNumber=2", asyncio.Event().wait, sent=2**20)

    with monkeypatch.context() as patched:
        # What is answered must have the time for it on a busy machine too.
        patched.setattr(remote, "ANSWER_SECONDS", 6.0)
        patched.setattr(remote, "SLOWEST_BYTES", remote.PART_BYTES)
        with pytest.raises(StoreTimeoutError, match="part 2 of 3 could not be stored"):
            await put(store, LARGE)

    assert (await files(store), await open_uploads(store), await claims(store)) == (set(), [], [])
    await assert_stored(store, LARGE)


@pytest.mark.parametrize("status", ["200 OK", "502 Bad Gateway"])
async def test_a_server_that_answers_with_something_else_is_told_as_a_fault_of_the_store(status: str) -> None:
    page = b"<html><p>This is not S3</html>"
    answer = f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {len(page)}\r\nConnection: close\r\n\r\n"

    async def answer_a_page(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer.encode() + page)
        await writer.drain()
        writer.close()

    async with (
        listening(answer_a_page) as url,
        Store.lease(Place("s3://media/assets", key=ACCESS_KEY, secret=SECRET_KEY, endpoint=url)) as store,
    ):
        told = await all_told((lambda: files(store), store.sweep, lambda: put(store), lambda: put(store, LARGE)))

    assert [one for one in told if not isinstance(one, StoreError) or SECRET_KEY in str(one)] == []


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["whole", "parts"])
async def test_a_bucket_over_its_quota_takes_nothing_half_and_the_same_file_once_there_is_room(
    content: bytes, narrow: Buckets
) -> None:
    async with Store.lease(narrow.new()) as store:
        await write(store, "in/the/way", LARGE[: -2 * 2**20])
        with pytest.raises(StoreFullError, match=r"QuotaExceeded.+Make room") as refused:
            await put(store, content)
        assert SECRET_KEY not in str(refused.value)
        assert (await files(store), await open_uploads(store)) == ({"in/the/way"}, [])

        s3: Any = store.files
        await s3.fs._rm_file(f"{s3.base}/in/the/way")
        await assert_stored(store, content[: 16 * 2**20])


async def test_a_server_that_holds_writes_because_its_disks_are_full_is_given_up_and_still_read(
    buckets: Buckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    del buckets
    with ObjectStore(free_port(), free_port(), capacity=32 * 2**20) as server:
        async with Store.lease(Buckets(server.url).new()) as store:
            assert await put(store, SMALL) == PATH
            held, number = "", 0
            with monkeypatch.context() as patched:
                patched.setattr(remote, "ANSWER_SECONDS", 3.0)
                patched.setattr(remote, "TIDY_SECONDS", 1.0)
                patched.setattr(remote, "SLOWEST_BYTES", 2**30)
                while not held:
                    try:
                        await put(store, SMALL, step=f"step-{number}")
                    except StoreTimeoutError as error:
                        held = error.what
                    number += 1

            assert "did not answer in time" in held
            assert await store.files.read(PATH) == SMALL


# The way there breaks


async def test_a_read_that_is_cut_in_the_middle_goes_on_where_it_was(there: tuple[Wire, Store]) -> None:
    wire, store = there
    await put(store, LARGE)

    wire.at("GET .*png ", answered=10 * 2**20)
    assert (await store.files.copy(PATH)).read_bytes() == LARGE
    wire.at("GET .*png ", answered=10 * 2**20)
    assert await store.files.read(PATH) == LARGE


async def test_a_read_that_is_cut_every_time_gives_no_half_file(there: tuple[Wire, Store]) -> None:
    wire, store = there
    await put(store, LARGE)
    copies: Path = store.files.scratch.parent / "copies"
    before = set(copies.glob("*"))
    wire.at("GET .*png ", answered=2**20, times=1000)

    for read in (store.files.copy, store.files.read):
        with pytest.raises(StoreUnreachableError, match=f"{PATH} could not be read"):
            await read(PATH)
    assert set(copies.glob("*")) == before


@pytest.mark.parametrize(
    ("content", "request_line"),
    [(SMALL, "PUT .*png "), (LARGE, r"POST .*\?uploads "), (LARGE, "partNumber=2"), (LARGE, "POST .*uploadId=")],
    ids=["whole", "begin", "part", "end"],
)
async def test_an_upload_whose_answer_is_lost_is_stored_all_the_same(
    there: tuple[Wire, Store], content: bytes, request_line: str
) -> None:
    wire, store = there
    wire.at(request_line, answered=0)

    await assert_stored(store, content)

    assert len(await open_uploads(store)) == ("uploads" in request_line), "one that nobody knows of, to be swept"


async def test_an_upload_that_is_cancelled_leaves_neither_file_nor_upload_nor_claim(there: tuple[Wire, Store]) -> None:
    wire, store = there
    reached = asyncio.Event()

    async def hold() -> None:
        reached.set()
        await asyncio.Event().wait()

    wire.at("partNumber=2", hold, sent=2**20)
    publishing = asyncio.create_task(put(store, LARGE))
    await reached.wait()
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await publishing

    assert (await files(store), await open_uploads(store), await claims(store)) == (set(), [], [])
    await assert_stored(store, LARGE)


# The process dies

_PUBLISHER = """
import asyncio, os, signal, sys
from pathlib import Path
from genmedia.store import Place, Store
from tests.store.test_store import put
async def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
async def main(content, dies, *known):
    if dies:
        Store.write = die
    async with Store.lease(Place(*known)) as store:
        print("ready", flush=True)
        sys.stdin.readline()
        print(await put(store, Path(content).read_bytes()))
asyncio.run(main(*sys.argv[1:]))
"""


async def publisher(folder: Path, place: Place, content: bytes, *, dies: bool = False) -> asyncio.subprocess.Process:
    """A process that is ready to publish; it may die where the sidecar would be written."""
    (folder / "content").write_bytes(content)
    told = [str(folder / "content"), "dies" if dies else "", place.root, place.key, place.secret, place.endpoint]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PUBLISHER, *told, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout
    assert await process.stdout.readline() == b"ready\n"
    return process


@pytest.mark.parametrize("kind", ["folder", "bucket"])
async def test_a_process_killed_between_a_file_and_its_sidecar_leaves_a_file_that_is_whole_and_taken_over(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    place = Place(str(tmp_path / "media")) if kind == "folder" else request.getfixturevalue("buckets").new()
    process = await publisher(tmp_path, place, LARGE, dies=True)
    await process.communicate(b"\n")

    assert process.returncode == -signal.SIGKILL
    async with Store.lease(place) as store:
        assert await files(store) == {PATH}
        assert (await store.files.copy(PATH)).read_bytes() == LARGE
        assert not await store.has(PATH)
        await assert_stored(store, LARGE)


async def test_a_process_killed_in_the_middle_of_an_upload_leaves_nothing_to_see_and_what_it_left_is_swept(
    buckets: Buckets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = buckets.new()
    async with wired(place) as (wire, behind), Store.lease(place) as store:
        process = await publisher(tmp_path, behind, LARGE)

        async def kill() -> None:
            process.kill()
            await process.wait()

        wire.at("partNumber=2", kill, sent=2**20)
        await process.communicate(b"\n")

        assert process.returncode == -signal.SIGKILL
        assert (await files(store), len(await open_uploads(store)), len(await claims(store))) == (set(), 1, 1)
        await assert_stored(store, LARGE)
        monkeypatch.setattr("genmedia.store.store.ORPHAN_SECONDS", -60)
        assert await store.sweep() >= 2
        assert (await open_uploads(store), await claims(store)) == ([], [])
        assert await store.has(PATH)


@pytest.mark.parametrize("contents", [(LARGE, LARGE), (LARGE, LARGE[::-1])], ids=["same", "other"])
async def test_two_processes_that_publish_a_large_file_under_one_name_both_have_it_whole(
    buckets: Buckets, tmp_path: Path, contents: tuple[bytes, bytes]
) -> None:
    place = buckets.new()
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
    processes = [await publisher(folder, place, content) for folder, content in zip(folders, contents, strict=True)]
    ended = await asyncio.gather(*(process.communicate(b"\n") for process in processes))
    paths = [stdout.decode().strip() for stdout, _ in ended]

    async with Store.lease(place) as store:
        assert len(set(paths)) == len(set(contents))
        for path, content in zip(paths, contents, strict=True):
            assert (await store.files.copy(path)).read_bytes() == content
        assert await files(store) == {*paths, *(f"{path}.json" for path in paths)}
        assert (await open_uploads(store), await claims(store)) == ([], [])


# The disk of a folder is full

_ON_A_FULL_DISK = """
import asyncio, json, os, subprocess, sys
from contextlib import suppress
from pathlib import Path
from genmedia.errors import StoreError
from genmedia.store import Store
from tests.store.test_store import files, put
async def main(root):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", root], check=True)
    junk, told = Path(root, "junk"), {}
    async with Store.lease(root) as store:
        publish = store.publish
        async def filled_up(*given):
            with suppress(OSError), junk.open("wb", buffering=0) as file:
                while file.write(bytes(4096)):
                    pass
            return await publish(*given)
        store.publish = filled_up
        try:
            await put(store, b"x" * 300_000)
        except StoreError as error:
            told["refused"] = [type(error).__name__, str(error)]
        junk.unlink()
        store.publish = publish
        told["between"] = sorted(await files(store))
        told["path"] = await put(store, b"x" * 300_000)
        told["whole"] = await store.has(told["path"]) and len(await store.files.read(told["path"])) == 300_000
        told["after"] = sorted(await files(store))
    print(json.dumps(told))
asyncio.run(main(sys.argv[1]))
"""


async def test_a_folder_on_a_full_disk_takes_the_same_file_once_there_is_room(tmp_path: Path) -> None:
    unshare = [shutil.which("unshare") or "unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*unshare, "mount", "-t", "tmpfs", "tmpfs", tmp_path], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    process = await asyncio.create_subprocess_exec(
        *unshare, sys.executable, "-c", _ON_A_FULL_DISK, str(tmp_path), stdout=subprocess.PIPE
    )
    stdout, _ = await process.communicate()
    told = json.loads(stdout)

    kind, text = told["refused"]
    assert kind == "StoreFullError"
    assert text.endswith("No space left on device. Make room, then run again: what is paid for is fetched, not bought again.")
    assert told["between"] in ([], [PATH]), "whole or not at all"
    assert (told["path"], told["whole"], told["after"]) == (PATH, True, [PATH, f"{PATH}.json"])


_ON_A_READ_ONLY_DISK = """
import asyncio, subprocess, sys
from genmedia.errors import StoreDeniedError
from genmedia.store import Store
from tests.store.test_store import put
subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", sys.argv[1]], check=True)
async def main(folder):
    async with Store.lease(f"{folder}/media") as store:
        try:
            await put(store)
        except StoreDeniedError as error:
            print(error)
asyncio.run(main(sys.argv[1]))
"""


async def test_a_read_only_disk_is_told_as_one_and_tells_of_no_key(tmp_path: Path) -> None:
    unshare = [shutil.which("unshare") or "unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*unshare, "mount", "-t", "tmpfs", "tmpfs", tmp_path], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    process = await asyncio.create_subprocess_exec(
        *unshare, sys.executable, "-c", _ON_A_READ_ONLY_DISK, str(tmp_path), stdout=subprocess.PIPE
    )
    told = (await process.communicate())[0].decode()

    assert "Read-only file system" in told
    assert "who may write there" in told
    assert "key" not in told


# What the server makes of it


@pytest.mark.parametrize(("content", "first"), [(SMALL, "PUT "), (LARGE, "POST ")], ids=["whole", "parts"])
async def test_the_server_is_asked_to_encrypt_what_it_is_given(buckets: Buckets, content: bytes, first: str) -> None:
    async with wired(replace(buckets.new(), encryption="AES256")) as (wire, place), Store.lease(place) as store:
        with pytest.raises(StoreError):  # this server has no keys to encrypt with
            await write(store, "film.mp4", content)

    asked_for = [head for head in wire.requests if head.startswith(first) and "film.mp4" in head]
    assert asked_for
    assert all("x-amz-server-side-encryption: AES256" in head for head in asked_for)


def other_tag(answer: bytes) -> bytes:
    """What an encrypting server answers: an entity tag that is no MD5."""
    return re.sub(rb'(ETag: ")\w+', lambda tag: tag[0][:6] + b"0" * (len(tag[0]) - 6), answer, flags=re.IGNORECASE)


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["whole", "parts"])
async def test_where_the_entity_tag_is_no_md5_the_file_is_read_back(there: tuple[Wire, Store], content: bytes) -> None:
    wire, store = there
    await write(store, "plain.png", content)
    assert not [head for head in wire.requests if head.startswith("GET") and "plain.png" in head]

    wire.change = lambda answer: other_tag(answer) if b"HTTP/1.1 200" in answer and b"Content-Length: 0" not in answer else answer
    path = await put(store, content)

    assert (await store.files.copy(path)).read_bytes() == content
    assert [head for head in wire.requests if head.startswith("GET") and f"{path} " in head]


async def test_a_file_that_is_not_there_as_it_was_sent_is_removed_and_told(there: tuple[Wire, Store]) -> None:
    wire, store = there
    wire.change = lambda answer: other_tag(answer).replace(SMALL[:16], bytes(16))

    with pytest.raises(StoreError, match=rf"{PATH} is not in .+ as it was sent"):
        await put(store, SMALL)

    wire.change = bytes
    assert await files(store) == set()
    await assert_stored(store, SMALL)


async def test_a_file_has_its_name_only_once_it_is_whole_where_others_would_see_it_grow(tmp_path: Path) -> None:
    async with Store.lease(Place(f"memory://{tmp_path}/media")) as store:
        seen: list[set[str]] = []
        fs: Any = getattr(store.files, "fs")  # noqa: B009 # only remote places have one
        move = fs._mv

        async def watched(*paths: str) -> None:
            seen.append({path.removeprefix("/") for path in await fs._find(str(tmp_path))})
            if len(seen) == 1:
                raise FileExistsError(*paths)  # as a server of SMB does
            await move(*paths)

        await write(store, "a.txt", b"old")
        fs._mv = watched
        await write(store, "a.txt", b"new")

        assert len(seen) == 2
        assert all(len(paths) < 3 for paths in seen)
        assert any(path.endswith(".part") for path in seen[0])
        assert await store.files.read("a.txt") == b"new"
        assert await files(store) == {"a.txt"}

        async def broken(*_: str) -> None:
            raise OSError("gone")

        fs._mv = broken
        with pytest.raises(StoreError):
            await write(store, "b.txt", b"new")
        assert await files(store) == {"a.txt"}
