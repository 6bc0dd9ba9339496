"""Reference pictures: what is said of those that cannot be one."""

from pathlib import Path

import pytest

from genmedia.errors import InputError
from genmedia.providers.genova.batch import plan_videos
from genmedia.providers.genova.forms import Shot
from genmedia.providers.genova.references import prepare_references
from genmedia.store import Place, Store
from genmedia.store.named_files import files_at_hand
from tests.drafting import Form


async def test_a_folder_is_told_from_what_is_not_there(tmp_path: Path) -> None:
    names = [str(tmp_path), str(tmp_path / "gone.png")]

    async with Store.lease(Place(str(tmp_path / "store"))) as store, files_at_hand(names, store, None) as files:
        prepared, wrong = await prepare_references(files)

        with pytest.raises(InputError) as refused:
            await plan_videos(Form(store), [Shot(prompt="a cup"), Shot(prompt="a jug", references=names)], priority=None)

    assert [str(fault) for fault in refused.value.faults] == [
        f"shot 2, picture 1: {names[0]} is a folder",
        f"shot 2, picture 2: {names[1]} is not there",
    ]
    assert prepared == {}
    assert wrong == {names[0]: "is a folder", names[1]: "is not there"}
