"""Where assets go."""

import json
from contextlib import AbstractAsyncContextManager
from typing import Literal

from prefect.blocks.core import Block
from pydantic import Field, HttpUrl, SecretStr, field_validator

from genmedia.journal import Journal
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
        default="media",
        title="Place",
        description="A local folder (a relative one is below the project's folder), s3://bucket/folder, or any address fsspec reads.",
    )
    path_template: str = Field(
        default=DEFAULT_TEMPLATE,
        title="Path template",
        description=f"Where a file goes below it. May name {', '.join(f'{{{name}}}' for name in FIELDS)}.",
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
        description="What was bought: sqlite:////var/lib/genmedia/journal.db, or postgresql://USER:PASSWORD@HOST/NAME for several "
        "machines. Empty: GENMEDIA_JOURNAL_URL, or a file in a local folder; a bucket needs one.",
    )
    s3_key: str = Field(
        default="", title="S3: access key", description="Empty: the usual AWS chain (environment, profile, instance role)."
    )
    s3_secret: SecretStr = Field(default=SecretStr(""), title="S3: secret key", description="What belongs to the access key.")
    s3_endpoint: str = Field(
        default="",
        title="S3: endpoint",
        description="The server's address, such as http://localhost:9000, where it is not Amazon's.",
    )
    s3_region: str = Field(default="", title="S3: region", description="The bucket's region; empty for the usual AWS chain's.")
    s3_encryption: Literal["", "AES256", "aws:kms"] = Field(
        default="", title="S3: encryption", description="What the server encrypts with; empty for the bucket's own setting."
    )
    s3_kms_key: str = Field(default="", title="S3: KMS key", description="Which key of the key service, with aws:kms.")
    options: SecretStr = Field(
        default=SecretStr("{}"), title="Other: options", description="For other addresses: fsspec's options, as a JSON object."
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
        """Where it is."""
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

    def get_journal(self) -> AbstractAsyncContextManager[Journal]:
        """The journal on this event loop; use it with `async with`.

        Raises:
            SettingsError: The store is not on this machine, and nothing names a database.
        """
        return Journal.lease(self.place.journal_url(self.journal.get_secret_value()))
