"""Where assets go."""

from contextlib import AbstractAsyncContextManager

from prefect.blocks.core import Block
from pydantic import Field, HttpUrl

from genmedia.journal import Journal, journal_url
from genmedia.store import DEFAULT_TEMPLATE, FIELDS, Store


class AssetStore(Block):
    """A folder for everything that was paid for, and the journal of what was bought.

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
    _description = "A folder for paid media, each file with a sidecar that says where it came from."

    root: str = Field(
        default="media", title="Folder", description="A local folder; a relative one is below the project's folder."
    )
    path_template: str = Field(
        default=DEFAULT_TEMPLATE,
        title="Path template",
        description=f"Where a file goes below the folder. May name {', '.join(f'{{{name}}}' for name in FIELDS)}.",
    )
    max_asset_mb: int = Field(
        default=512, ge=1, title="Largest file (MB)", description="A download that grows beyond this is stopped."
    )

    def get_store(self) -> Store:
        """The folder, ready to take files in."""
        return Store(self.root, template=self.path_template, max_bytes=self.max_asset_mb * 10**6)

    def get_journal(self) -> AbstractAsyncContextManager[Journal]:
        """The journal on this event loop; use it with `async with`."""
        return Journal.lease(journal_url(self.get_store().root))
