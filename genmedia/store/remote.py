"""Any file system that fsspec knows as the store's place, and the further abilities of an S3 bucket.

Nothing here trusts a server to refuse a second writer: conditional writes are ignored for multipart uploads by some servers and altogether by
others (measured on Ceph RADOS Gateway 16 and rclone 1.75). Two writers notice each other by listing claims.
"""

import asyncio
import hashlib
import os
import posixpath
import tempfile
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import groupby
from math import ceil
from mimetypes import guess_type
from operator import itemgetter
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from aiohttp import ClientError as ConnectionBrokenError
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ReadTimeoutError,
)
from fsspec.asyn import AsyncFileSystem
from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper

from genmedia import errors
from genmedia.media.hashing import hash_file
from genmedia.store.files import explain, go_around
from genmedia.store.local import sweep_folder
from genmedia.store.private import make_folder, own_folder

PART_BYTES = 8 * 2**20
"""Size of a part of an upload, in bytes; a file of at least twice that is uploaded in parts."""

AT_ONCE = 3
"""Most parts that are uploaded, and kept in memory, at a time."""

LISTED = 64
"""Least number of files of one campaign that are looked for by a listing, which has a thousand files in each answer."""

ANSWER_SECONDS = 60.0
SLOWEST_BYTES = 2**20
"""Lowest speed of a transfer, in bytes a second: its time limit is `ANSWER_SECONDS` and its size divided by this."""

TIDY_SECONDS = 5.0
"""Longest time for tidying up after a failure, in seconds; the rest is left to `sweep`."""

_CLAIMS = ".genmedia/claims"
_UNREACHABLE = (EndpointConnectionError, ConnectionClosedError, HTTPClientError, ConnectionBrokenError, ConnectionError)
_SLOW = (TimeoutError, ConnectTimeoutError, ReadTimeoutError)
_FULL = {"QuotaExceeded", "InsufficientCapacity", "XMinioStorageFull", "EntityTooLarge", "507"}


class RemoteFiles:
    """Files behind fsspec; see `Files`.

    Args:
        fs: The file system, on this event loop.
        base: The root as the file system names it, such as `bucket/prefix`.
        label: Its name for people, such as `s3://bucket/prefix`.
    """

    def __init__(self, fs: AsyncFileSystem, base: str, label: str) -> None:
        self.fs: Any = fs
        self._in_one_step = not isinstance(fs, AsyncFileSystemWrapper)
        self.base = base.rstrip("/")
        self.label = label.rstrip("/")
        try:
            own = own_folder(Path(tempfile.gettempdir()) / f"genmedia-{os.getuid()}")
        except OSError as error:
            raise explain("there is no folder for files on their way", error) from None
        home = own / hashlib.sha256(self.label.encode()).hexdigest()[:16]
        self.scratch = home / "incoming"
        self._copies = home / "copies"
        self._me = uuid4().hex

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Do nothing: claims keep other writers out."""
        yield

    async def passable(self, path: str) -> str:
        """Return the path, with another name for each part that something else blocks."""

        async def stands_there(path: str) -> str:
            try:
                async with self._asked(f"{path} could not be looked for"):
                    return str((await self.fs._info(self._full(path)))["type"])
            except FileNotFoundError:
                return ""

        return await go_around(path, stands_there)

    async def claim(self, path: str, identity: str) -> bool:
        """Claim the path; return True if no other identity claims it.

        Each writer writes its claim and then lists all claims: of two writers at once at least one sees the other. If both do, neither takes
        the path.
        """
        name, folder = self._claim(path, identity)
        async with self._asked(f"{path} could not be claimed", writes=True):
            await self.fs._pipe_file(self._full(name), b"")
            found = await self.fs._find(self._full(folder))
        return {str(one).rpartition("/")[2].partition("-")[0] for one in found} <= {identity}

    async def unclaim(self, path: str, identity: str) -> None:
        """Remove the claim; one that stays only keeps others off this path, until it is swept."""
        name, _ = self._claim(path, identity)
        async with self._tidying():
            await self.fs._rm_file(self._full(name))

    def _claim(self, path: str, identity: str) -> tuple[str, str]:
        folder = f"{_CLAIMS}/{hashlib.sha256(path.encode()).hexdigest()}"
        return f"{folder}/{identity}-{self._me}", folder

    async def put(self, source: Path, path: str) -> None:
        """Upload a file, and check that it arrived completely."""
        size, target, arrived = source.stat().st_size, self._full(path), False
        async with self._asked(f"{path} could not be stored", size=size, writes=True):
            tag = await self._upload(source, target, size)
            with suppress(FileNotFoundError):
                info = await self.fs._info(target)
                arrived = info["size"] == size and (
                    str(info.get("ETag")).strip('"') == tag
                    or await self.digest(path) == await asyncio.to_thread(hash_file, source)
                )
        if not arrived:
            async with self._tidying():
                await self.fs._rm_file(target)
            raise errors.StoreError(f"{path} is not in {self.label} as it was sent")

    async def _upload(self, source: Path, target: str, size: int) -> str | None:
        """Upload a file; return the entity tag that it has if all of it arrived, or None where the place gives none.

        Where others would see a file grow, as at a server of SFTP or SMB, it has another name until it is whole: only object stores, whose
        file systems are asynchronous, take a file in one step.
        """
        del size
        if self._in_one_step:
            await self.fs._put_file(str(source), target)
            return None
        folder, _, name = target.rpartition("/")
        partial = f"{folder}/.{name}.{uuid4().hex}.part"
        try:
            await self.fs._put_file(str(source), partial)
            try:
                await self.fs._mv(partial, target)
            except OSError:  # not every server renames over a file
                await self.fs._rm_file(target)
                await self.fs._mv(partial, target)
        except BaseException:
            async with self._tidying():
                await self.fs._rm_file(partial)
            raise
        return None

    async def read(self, path: str, most: int | None = None) -> bytes:
        """Read a small file, or the first bytes of a file."""
        async with self._asked(f"{path} could not be read"):
            return await self.fs._cat_file(self._full(path), **({} if most is None else {"start": 0, "end": most}))

    async def copy(self, path: str) -> Path:
        """Return the path of a copy on this machine, which is fetched once for each content."""
        async with self._asked(f"{path} could not be read"):
            info = await self.fs._info(self._full(path))
        target = self._copy_of(path, info)
        if target.is_file():
            target.touch()
            return target
        make_folder(target.parent)
        partial = target.with_name(f"{target.name}.{os.getpid()}-{id(info)}")
        try:
            async with self._asked(f"{path} could not be read", size=info["size"]):
                await self._download(self._full(path), partial)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        return target

    def _copy_of(self, path: str, info: Mapping[str, Any]) -> Path:
        """Return the path on this machine for the copy of a file as it is now."""
        version = f"{path}|{info['size']}|{_version(info)}"
        return self._copies / f"{hashlib.sha256(version.encode()).hexdigest()}{Path(path).suffix}"

    async def _download(self, source: str, target: Path) -> None:
        await self.fs._get_file(source, str(target))

    async def remove(self, path: str) -> None:
        """Remove a file and its copy on this machine."""
        with suppress(FileNotFoundError):
            async with self._asked(f"{path} could not be removed"):
                info = await self.fs._info(self._full(path))
                self._copy_of(path, info).unlink(missing_ok=True)
                await self.fs._rm_file(self._full(path))

    async def digest(self, path: str) -> str | None:
        """SHA-256 of a file's content; None when there is none."""
        if await self.size(path) is None:
            return None
        return await asyncio.to_thread(hash_file, await self.copy(path))

    async def size(self, path: str) -> int | None:
        """Size of a file in bytes; None when there is none."""
        try:
            async with self._asked(f"{path} could not be looked for"):
                found = await self.fs._info(self._full(path))
        except FileNotFoundError:
            return None
        return int(found["size"]) if found["type"] == "file" else None

    async def sizes(self, paths: Sequence[str]) -> Mapping[str, int]:
        """Sizes of those of the files that are there: of many, by one listing of the folder that they have in common in each campaign."""
        found: dict[str, int] = {}
        few: list[str] = []
        for _, some in groupby(sorted(paths), key=lambda path: path.partition("/")[0]):
            asked = list(some)
            if len(asked) < LISTED:
                few += asked
            else:
                listed = await self._list(posixpath.commonpath([posixpath.dirname(path) for path in asked]))
                found |= {path: int(listed[path]["size"]) for path in asked if path in listed}
        for start in range(0, len(few), LISTED):
            asked = few[start : start + LISTED]
            sizes = zip(asked, await asyncio.gather(*map(self.size, asked)), strict=True)
            found |= {path: size for path, size in sizes if size is not None}
        return found

    async def walk(self) -> AsyncIterator[tuple[str, int, str]]:
        """Yield every file, in order of path: its path, its size in bytes, and its entity tag and time as far as the place gives them."""
        for name, info in sorted((await self._list("")).items(), key=itemgetter(0)):
            if not name.startswith(f"{_CLAIMS}/"):
                yield name, int(info["size"]), _version(info)

    async def _list(self, folder: str) -> Mapping[str, Mapping[str, Any]]:
        """List every file of a folder and of those below it; return what the place tells of each, by its path below the root."""
        found: dict[str, Any] = {}
        with suppress(FileNotFoundError):
            async with self._asked(f"{self.label} could not be listed"):
                found = await self.fs._find(self._full(folder).rstrip("/"), detail=True)
        return {name.removeprefix(f"{self.base}/"): info for name, info in found.items()}

    async def sweep(self, seconds: float) -> int:
        """Remove incoming files and copies on this machine that are older than `seconds`; return the number of files removed."""
        return sweep_folder(self.scratch, seconds) + sweep_folder(self._copies, seconds)

    def address(self, path: str) -> str:
        """Address of a file, as fsspec reads it."""
        return f"{self.label}/{quote(path)}"

    async def link(self, path: str, seconds: float) -> str:
        """Return an empty text: only some places can sign links."""
        del path, seconds
        return ""

    async def aclose(self) -> None:
        """Do nothing: most file systems have nothing open."""

    def _full(self, path: str) -> str:
        return f"{self.base}/{path}"

    @asynccontextmanager
    async def _tidying(self) -> AsyncGenerator[None]:
        """Limit the time for tidying up after a failure, and ignore its errors, so that the first error is raised."""
        with suppress(errors.StoreError, FileNotFoundError):
            async with self._asked("tidying up"), asyncio.timeout(TIDY_SECONDS):
                yield

    @asynccontextmanager
    async def _asked(self, what: str, *, size: int = 0, writes: bool = False) -> AsyncGenerator[None]:
        """End a request that takes too long, and raise the errors of every layer as a `StoreError`.

        `FileNotFoundError` is passed on where one file is not there; on a write it means that the root is not there.
        """
        try:
            async with asyncio.timeout(ANSWER_SECONDS + size / SLOWEST_BYTES):
                yield
        except FileNotFoundError as error:
            if not writes and _answer(error).get("Code") != "NoSuchBucket":
                raise
            raise errors.StoreMissingError(f"{what}: {self.label} is not there ({_said(error)})") from None
        except PermissionError as error:
            raise errors.StoreDeniedError(f"{what}: {_said(error)}") from None
        except _SLOW:
            raise errors.StoreTimeoutError(f"{what}: {self.label} did not answer in time") from None
        except NoCredentialsError as error:
            raise errors.StoreDeniedError(f"{what}: {error}") from None
        except _UNREACHABLE as error:
            raise errors.StoreUnreachableError(f"{what}: {error}") from None
        except OSError as error:
            if _answer(error).get("Code") in _FULL:
                raise errors.StoreFullError(f"{what}: {_said(error)}") from None
            raise explain(what, OSError(error.errno, _said(error))) from None
        except (BotoCoreError, ClientError, NotImplementedError) as error:  # the last has no text: the place can only be read
            raise errors.StoreError(f"{what}: {str(error) or f'{self.label} is of a kind that cannot do this'}") from None


class S3Files(RemoteFiles):
    """A bucket, or a folder of one, behind s3fs."""

    async def passable(self, path: str) -> str:
        """Return the path as it is: a bucket has no folders, so that nothing can block a name."""
        return path

    async def _upload(self, source: Path, target: str, size: int) -> str:
        """Upload a file; return its entity tag as S3 documents it: the MD5 of the content, or of the MD5s of its parts."""
        bucket, key, _ = self.fs.split_path(target)
        kind, _ = guess_type(target)
        place, content_type = {"Bucket": bucket, "Key": key}, {"ContentType": kind} if kind else {}
        if size < 2 * PART_BYTES:
            content, digest = await asyncio.to_thread(_read_part, source, 0, size)
            await self.fs._call_s3("put_object", Body=content, ContentMD5=_base64(digest), **place, **content_type)
            return digest.hex()
        upload = await self.fs._call_s3("create_multipart_upload", **place, **content_type)
        return await self._send_parts(source, ceil(size / PART_BYTES), {**place, "UploadId": upload["UploadId"]})

    async def _send_parts(self, source: Path, count: int, upload: dict[str, str]) -> str:
        digests, tags = [b""] * count, [""] * count
        waiting = iter(range(count))

        async def send() -> None:
            for number in waiting:
                part, digests[number] = await asyncio.to_thread(_read_part, source, number * PART_BYTES, PART_BYTES)
                async with self._asked(f"part {number + 1} of {count} could not be stored", size=len(part), writes=True):
                    numbered = {"PartNumber": number + 1, "ContentMD5": _base64(digests[number])}
                    answer = await self.fs._call_s3("upload_part", Body=part, **numbered, **upload)
                tags[number] = answer["ETag"]

        senders = [asyncio.create_task(send()) for _ in range(AT_ONCE)]
        try:
            await asyncio.gather(*senders)
            parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
            with suppress(FileNotFoundError):  # it was completed already, and the answer was lost: `put` checks what is there now
                await self.fs._call_s3("complete_multipart_upload", MultipartUpload={"Parts": parts}, **upload)
        except BaseException:  # the parts of a cancelled upload would be paid for as well, by the month
            for sender in senders:
                sender.cancel()
            await asyncio.gather(*senders, return_exceptions=True)
            async with self._tidying():
                await self.fs._call_s3("abort_multipart_upload", **upload)
            raise
        return f"{hashlib.md5(b''.join(digests), usedforsecurity=False).hexdigest()}-{count}"

    async def _download(self, source: str, target: Path) -> None:
        """Download with one connection: s3fs would keep ten blocks of 50 MiB in memory."""
        await self.fs._get_file(source, str(target), max_concurrency=1)

    async def sweep(self, seconds: float) -> int:
        """Remove, besides files on this machine, old claims and uploads in parts that were never completed, which cost money unseen."""
        bucket, prefix, _ = self.fs.split_path(f"{self.base}/")
        latest, removed = datetime.now(UTC) - timedelta(seconds=seconds), await super().sweep(seconds)
        async with self._asked(f"{self.label} could not be swept", writes=True):
            # Where the store has the whole bucket, without a folder of its own, an open upload may be another program's.
            answer = await self.fs._call_s3("list_multipart_uploads", Bucket=bucket, Prefix=prefix)
            for upload in answer.get("Uploads", []):
                if prefix and upload["Initiated"] < latest:
                    named = {"Key": upload["Key"], "UploadId": upload["UploadId"]}
                    await self.fs._call_s3("abort_multipart_upload", Bucket=bucket, **named)
                    removed += 1
            for name, claim in (await self.fs._find(self._full(_CLAIMS), detail=True)).items():
                if claim["LastModified"] < latest:
                    await self.fs._rm_file(name)
                    removed += 1
        return removed

    async def link(self, path: str, seconds: float) -> str:
        """Return a signed link (version 4)."""
        async with self._asked(f"a link to {path} could not be signed"):
            return await self.fs._url(self._full(path), expires=int(seconds))

    async def aclose(self) -> None:
        """Close the connections."""
        client = self.fs._s3
        if client is not None:
            await client.close()


def _version(info: Mapping[str, Any]) -> str:
    return f"{info.get('ETag')}|{info.get('LastModified') or info.get('created')}"


def _answer(error: OSError) -> dict[str, str]:
    """Return the `Code` and `Message` of S3's answer; empty where S3 gave none."""
    response: Any = getattr(error.__cause__, "response", {})
    return response.get("Error", {})


def _said(error: OSError) -> str:
    answer = _answer(error)
    return ": ".join(filter(None, (answer.get("Code"), answer.get("Message")))) or error.strerror or str(error)


def _base64(digest: bytes) -> str:
    return b64encode(digest).decode()


def _read_part(file: Path, start: int, size: int) -> tuple[bytes, bytes]:
    """Read a part of a file; return it and its MD5."""
    with file.open("rb") as content:
        content.seek(start)
        part = content.read(size)
    return part, hashlib.md5(part, usedforsecurity=False).digest()
