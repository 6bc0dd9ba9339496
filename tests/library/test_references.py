"""Reference pictures: what is said of those that cannot be one."""

from pathlib import Path

from genmedia.errors import Fault
from genmedia.references import prepare_references


async def test_a_folder_is_told_from_what_is_not_there(tmp_path: Path) -> None:
    faults: list[Fault] = []

    prepared = await prepare_references([str(tmp_path), str(tmp_path / "gone.png")], faults)

    assert prepared == {}
    assert [str(fault) for fault in faults] == [
        f"reference {tmp_path}: is a folder",
        f"reference {tmp_path}/gone.png: is not there",
    ]
