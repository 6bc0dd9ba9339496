"""The commands that tell where files came from, as they are typed."""

from pathlib import Path

from blocks import AssetStore
from tests.commands import PROJECT, genmedia
from tests.example_assets import picture, write_asset


async def test_a_store_is_named_by_its_block(tmp_path: Path, prefect: str) -> None:
    for path in ("tea/cup/1.png", "tea/blur/2.png"):
        write_asset(tmp_path, path, picture("teal"))
    await AssetStore(root=str(tmp_path)).asave("told", overwrite=True)

    done = genmedia("journal", "rebuild", "--store", "told", cwd=PROJECT, PREFECT_API_URL=prefect)
    wrong = genmedia("lineage", "x", "--store", "nobody", cwd=PROJECT, PREFECT_API_URL=prefect)

    assert done.stdout.splitlines() == ["2 sidecars found, 2 added to the journal, 0 passed over"], done.stderr
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert "no asset-store block is saved as 'nobody'" in wrong.stderr
    assert "told" in wrong.stderr
