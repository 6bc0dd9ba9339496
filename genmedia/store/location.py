"""The place of a store: its address, and the key and the options that are needed to open it."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from os.path import normpath
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import fsspec
from fsspec.asyn import AsyncFileSystem
from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper

from genmedia.errors import SettingsError
from genmedia.store.files import Files
from genmedia.store.local import LocalFiles

CONNECT_SECONDS, READ_SECONDS = 10, 30

_REMOTE = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl"}
"""Protocols of buckets, as fsspec names them. After another protocol, such as `memory://`, nothing need follow."""

_LOCAL = re.compile(r"^(?:file|local):(?://)?")
_UNWRITABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
"""Control characters, and the characters for bytes that are not UTF-8 in texts from the command line and the environment."""
_ENDPOINT = re.compile(r"https?://[^/:\s]+", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """A place for a store.

    Attributes:
        root: A local folder, or any address that fsspec reads, such as `s3://bucket/prefix`.
        key: For S3: the access key; without one, the usual AWS chain is asked (environment, profile, instance).
        secret: For S3: the secret that belongs to the key.
        endpoint: For S3: the address of the server, where it is not Amazon's.
        region: For S3: the region of the bucket.
        encryption: For S3: `AES256` or `aws:kms`, with which the server encrypts; empty for the bucket's own setting.
        kms_key: For S3: the id of the key in the key service.
        options: For all other places: fsspec's options as JSON.

    Raises:
        SettingsError: The address or the endpoint is mistyped.
    """

    root: str
    key: str = ""
    secret: str = field(default="", repr=False)
    endpoint: str = ""
    region: str = ""
    encryption: str = ""
    kms_key: str = ""
    options: str = field(default="{}", repr=False)

    def __post_init__(self) -> None:
        """Refuse an address that would be read as something else, such as a folder named `s3:`, and an endpoint that is no address."""
        protocol, colon, rest = self.root.partition(":")
        if colon and protocol.lower() in _REMOTE and not (rest.startswith("//") and rest[2:].partition("/")[0]):
            advice = f"Write {protocol}://bucket/folder, or the path of a local folder."
            raise SettingsError(f"the store's address {self.root!r} names no bucket", advice=advice)
        if wrong := _UNWRITABLE.search(self.root):
            what = "a control character" if wrong[0].isascii() else "a byte that is no UTF-8"
            raise SettingsError(f"the store's address {self.root!r} has {what} in it", advice="Write it without.")
        if self.endpoint and not _ENDPOINT.match(self.endpoint):
            raise SettingsError(
                f"the store's S3 endpoint {self.endpoint!r} is no address",
                advice="Write it with http:// or https:// before the server's name, such as http://localhost:9000.",
            )

    def below(self, folder: Path) -> "Place":
        """Return the place, with a relative folder taken as one below `folder`.

        Raises:
            SettingsError: The folder is below the home of a user that this machine does not know.
        """
        here = _LOCAL.sub("", self.root)
        try:
            path = Path(here).expanduser()
        except RuntimeError:
            advice = "Write the whole path of the folder."
            raise SettingsError(f"the store's folder {self.root!r} is in no user's home", advice=advice) from None
        return self if "://" in here or path.is_absolute() else replace(self, root=normpath(folder / path))

    @property
    def is_address(self) -> bool:
        """True if the root is an address, not a path."""
        return "://" in self.root

    @property
    def folder(self) -> Path | None:
        """Path of the folder; None where the place is not a folder on this machine."""
        if self.is_address and not self.root.startswith(("file:", "local:")):
            return None
        return Path(cast("tuple[Any, str]", fsspec.url_to_fs(self.root))[1])

    def address(self, path: str) -> str:
        """Address of a file, for people and programs that have the right to read it."""
        return (self.folder / path).absolute().as_uri() if self.folder else f"{self.root.rstrip('/')}/{quote(path)}"

    def journal_url(self, told: str = "") -> str:
        """Address of the journal of what is bought for this store.

        Args:
            told: The address in the settings; if empty, that in `GENMEDIA_JOURNAL_URL`, else for a folder a SQLite file in it.

        Raises:
            SettingsError: The store is not on this machine and no address is set: a journal beside the work would be lost with it.
        """
        named = told or os.environ.get("GENMEDIA_JOURNAL_URL")
        if named or self.folder:
            return named or f"sqlite:///{self.folder}/.genmedia/journal.db"
        raise SettingsError(
            f"the store is {self.root}, and nothing says where the journal of what was bought is",
            advice="Name a database that outlives the work, in the store's block or as GENMEDIA_JOURNAL_URL: for one machine a file, "
            "such as sqlite:////var/lib/genmedia/journal.db, for several postgresql://USER:PASSWORD@HOST/NAME.",
        )

    def open(self) -> Files:
        """Open the place on this event loop.

        Raises:
            SettingsError: The address cannot be used.
        """
        s3 = self.root.startswith(("s3://", "s3a://"))
        options = self._s3_options() if s3 else cast("Mapping[str, Any]", json.loads(self.options))
        try:
            if self.folder:
                return LocalFiles(self.folder)
            fs, base = cast("tuple[Any, str]", fsspec.url_to_fs(self.root, asynchronous=s3, skip_instance_cache=s3, **options))
        except (ValueError, ImportError, TypeError, OSError) as error:
            raise SettingsError(
                f"{self.root!r} cannot be a store: {error}", advice="Use a local folder or s3://bucket/folder."
            ) from None
        from genmedia.store.remote import RemoteFiles, S3Files  # noqa: PLC0415 # botocore takes a second to import, which a folder does not need

        if s3:
            fs.retries = 2  # on top of botocore's own: with five, a dead server was noticed after 24 s
            return S3Files(fs, base, self.root)
        return RemoteFiles(
            fs if isinstance(fs, AsyncFileSystem) and fs.asynchronous else AsyncFileSystemWrapper(fs, asynchronous=True),
            base,
            self.root,
        )

    def _s3_options(self) -> dict[str, Any]:
        sealed = {"ServerSideEncryption": self.encryption, "SSEKMSKeyId": self.kms_key}
        return {
            "key": self.key or None,
            "secret": self.secret or None,
            "endpoint_url": self.endpoint or None,
            "client_kwargs": {"region_name": self.region} if self.region else {},
            "s3_additional_kwargs": {name: value for name, value in sealed.items() if value},
            "use_listings_cache": False,  # it would hide what another process has written
            "config_kwargs": {
                "signature_version": "s3v4",
                # Uploads carry their MD5; the CRC that botocore would add is one more pass, and not every server knows it.
                "request_checksum_calculation": "when_required",
                # The MD5 is signed with the other headers; a SHA-256 of every body besides, as botocore has it without TLS, is slow.
                "s3": {"payload_signing_enabled": False},
                "connect_timeout": CONNECT_SECONDS,
                "read_timeout": READ_SECONDS,
                "retries": {"max_attempts": 2, "mode": "standard"},
            },
        }
