"""The Asset Store block: the place of assets, and their journal."""

import json
import os
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Literal

from prefect.blocks.core import Block
from pydantic import Field, HttpUrl, SecretStr, field_validator

from genmedia.errors import SettingsError
from genmedia.gallery.address import gallery_address
from genmedia.journal import Journal, database
from genmedia.store import DEFAULT_TEMPLATE, FIELDS, Place, Store


class AssetStore(Block):
    """A place for everything that was paid for, and the journal of what was bought.

    Example:
        ```python
        async with assets.get_journal() as journal:
            attempt = await journal.live_attempt(key)
        ```
    """

    _block_type_name = "Asset Store"
    _block_type_slug = "asset-store"
    _logo_url = HttpUrl(
        "https://raw.githubusercontent.com/PrefectHQ/prefect/420d0d6a78bb6df1fc18bcf188fdad43c1d22ea9/assets/block-logos/filesystem.png"
    )
    _documentation_url = HttpUrl("https://filesystem-spec.readthedocs.io/")
    _description = "A folder or bucket for paid media, each file with a sidecar that says where it came from."

    root: str = Field(
        title="Place",
        description="An absolute folder of this machine, s3://bucket/folder, or any address that fsspec reads. Example: /srv/media",
    )
    path_template: str = Field(
        default=DEFAULT_TEMPLATE,
        title="Path template",
        description=f"Where a file goes below it, with a suffix at its end. May name {', '.join(f'{{{name}}}' for name in FIELDS)}.",
    )
    max_asset_mb: int = Field(
        default=512, ge=1, title="Largest file (MB)", description="A download that grows beyond this is stopped."
    )
    if_refused: Literal["fail", "buy again", "go on"] = Field(
        default="fail",
        title="When a file is not what it should be",
        description="It goes to quarantine. Then: fail, buy it once more if the cap allows, or go on without it.",
    )
    embed_provenance: bool = Field(
        default=False,
        title="Provenance in pictures",
        description="Write who made it, by what and from which words into each JPEG, PNG and WebP, as XMP. Pixels stay as they came.",
    )
    journal: SecretStr = Field(
        default=SecretStr(""),
        title="Journal",
        description="Where is written down what was bought: a SQLite file, or postgresql://USER:PASSWORD@HOST/NAME for several "
        "machines. Empty: GENMEDIA_JOURNAL_URL, or a file in a local folder; a bucket needs one. Example: sqlite:////var/lib/genmedia/journal.db",
    )
    s3_key: str = Field(
        default="",
        title="S3: access key",
        description="Empty: what AWS tools use here (environment, profile, instance role). Example: AKIA...",
    )
    s3_secret: SecretStr = Field(
        default=SecretStr(""), title="S3: secret key", description="What belongs to the access key. Example: wJalr..."
    )
    s3_endpoint: str = Field(
        default="",
        title="S3: endpoint",
        description="The server's address where it is not Amazon's. Example: http://localhost:9000",
    )
    s3_region: str = Field(
        default="",
        title="S3: region",
        description="The bucket's region; empty for what AWS tools use here. Example: eu-central-1",
    )
    s3_encryption: Literal["", "AES256", "aws:kms"] = Field(
        default="", title="S3: encryption", description="What the server encrypts with; empty for the bucket's own setting."
    )
    s3_kms_key: str = Field(
        default="", title="S3: KMS key", description="Which key of the key service, with aws:kms. Example: alias/media"
    )
    options: SecretStr = Field(
        default=SecretStr("{}"),
        title="Other: options",
        description='For other addresses: fsspec\'s options as a JSON object. Example: {"anon": true}',
    )

    @field_validator("options")
    @classmethod
    def _check_options(cls, value: SecretStr) -> SecretStr:
        try:
            if isinstance(json.loads(value.get_secret_value()), dict):
                return value
        except ValueError:
            pass
        raise ValueError("must be a JSON object, such as {}") from None

    @property
    def place(self) -> Place:
        """Place of the store.

        Raises:
            SettingsError: The address is mistyped, or is in the memory of one process.
        """
        if any(part.startswith("memory:") for part in self.root.split("::")):
            raise SettingsError(
                f"the store's address {self.root!r} is the memory of one process: what is paid for would be gone with it",
                advice="Write an absolute folder such as /srv/media, or s3://bucket/folder.",
            )
        return Place(
            self.root,
            key=self.s3_key,
            secret=self.s3_secret.get_secret_value(),
            endpoint=self.s3_endpoint,
            region=self.s3_region,
            encryption=self.s3_encryption,
            kms_key=self.s3_kms_key,
            options=self.options.get_secret_value(),
        )

    @property
    def journal_address(self) -> str:
        """Address of the journal that the block or `GENMEDIA_JOURNAL_URL` names; empty if neither names one."""
        return self.journal.get_secret_value() or os.environ.get("GENMEDIA_JOURNAL_URL", "")

    def below(self, folder: Path) -> "AssetStore":
        """Return the store with a relative place, and a relative SQLite file as journal, taken as below this folder."""
        told = self.journal_address
        meant = database.below(told, folder) if told else ""
        journal = self.journal if meant == told else SecretStr(meant)
        return self.model_copy(update={"root": self.place.below(folder).root, "journal": journal})

    @property
    def relative(self) -> list[str]:
        """Names of the relative parts, `place` and `journal`: they mean another folder for each process; empty if there are none."""
        meant = self.below(Path("/"))
        names = {"place": (self.root, meant.root), "journal": (self.journal, meant.journal)}
        return [name for name, (here, there) in names.items() if here != there]

    def in_gallery(self, *, campaign: str = "", asset: str = "") -> str:
        """Address of its gallery in a browser, while one is served; empty if none is. See `gallery_address`."""
        name = self._block_document_name
        return gallery_address(name, campaign=campaign, asset=asset) if name else ""

    def get_store(self) -> AbstractAsyncContextManager[Store]:
        """The store on this event loop, ready to take files in; use it with `async with`.

        Raises:
            SettingsError: The address or the path template cannot be used.
        """
        return Store.lease(
            self.place,
            template=self.path_template,
            max_bytes=self.max_asset_mb * 10**6,
            embed_provenance=self.embed_provenance,
        )

    @property
    def journal_url(self) -> str:
        """Address of the journal's database.

        Raises:
            SettingsError: The store is not on this machine, and nothing names a database.
        """
        return self.place.journal_url(self.journal.get_secret_value())

    def get_journal(self) -> AbstractAsyncContextManager[Journal]:
        """The journal on this event loop; use it with `async with`.

        Raises:
            SettingsError: See `journal_url`.
        """
        return Journal.lease(self.journal_url)
