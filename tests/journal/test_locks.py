"""An owner is known by the lock that it holds; the kernel frees it, however the process ends."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from genmedia.errors import JournalError
from genmedia.journal.locks import is_alive, is_gone, is_held, own_name, world_name
from genmedia.journal.ownership import Locks
from tests.processes import Program

_PROGRAM = """
import sys
from pathlib import Path
from genmedia.journal import locks
print(getattr(locks, sys.argv[2])(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


def test_a_process_keeps_its_name_and_counts_as_alive(tmp_path: Path) -> None:
    name = own_name(tmp_path / "owners")

    assert own_name(tmp_path / "owners") == name
    assert is_alive(tmp_path / "owners", name)
    assert own_name(tmp_path / "elsewhere") != name


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, None])
def test_another_process_is_alive_until_it_ends_however_it_ends(tmp_path: Path, end: signal.Signals | None) -> None:
    with Program(_PROGRAM, tmp_path, "own_name") as another:
        name = another.line().strip()
        assert is_alive(tmp_path, name)
        if end is not None:
            assert another.process.pid
            os.kill(another.process.pid, end)
        assert another.rest() == ""
        assert not is_alive(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_nobody_of_an_unknown_name_is_alive(tmp_path: Path) -> None:
    assert not is_alive(tmp_path, "nobody")


@pytest.mark.parametrize("removed", ["folder", "file"])
def test_a_process_whose_lock_was_removed_knows_it_and_gets_itself_another(tmp_path: Path, removed: str) -> None:
    folder = tmp_path / "owners"
    name = own_name(folder)
    assert is_held(folder, name)

    if removed == "folder":
        shutil.rmtree(folder)
    else:
        (folder / f"{name}.lock").unlink()

    assert not is_held(folder, name)
    assert is_alive(folder, name), "to itself it lives"
    another = own_name(folder)
    assert another != name
    assert is_held(folder, another)
    assert not is_held(folder, name)


@pytest.mark.parametrize("kind", ["file", "loop", "locks that are folders"])
async def test_a_folder_of_locks_that_cannot_be_used_is_told_in_words(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "owners"
    if kind == "file":
        folder.touch()
    elif kind == "loop":
        folder.symlink_to(folder)
    else:
        (folder / "x.lock").mkdir(parents=True)

    with pytest.raises(JournalError) as caught:
        await Locks(folder).me()
    if kind != "file":
        with pytest.raises(JournalError):
            await Locks(folder).lives("x")

    assert str(folder) in caught.value.what
    assert "you may write" in caught.value.advice


def test_a_lock_that_somebody_has_made_anew_is_not_this_processs(tmp_path: Path) -> None:
    name = own_name(tmp_path / "owners")
    lock = tmp_path / "owners" / f"{name}.lock"

    lock.unlink()
    lock.touch()

    assert not is_held(tmp_path / "owners", name)


def test_a_process_is_known_to_be_gone_where_its_lock_was_and_nowhere_else(tmp_path: Path) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    world_name(here)
    with Program(_PROGRAM, here, "world_name") as another:
        name = another.line().strip()
        assert not is_gone(name)
        another.kill()
        assert is_gone(name)

    other_machine = name.replace(str(here), str(elsewhere))  # has a folder of that name, and never had this process
    assert not is_gone(other_machine)
    world_name(elsewhere)
    assert not is_gone(other_machine)
    assert not is_gone("")
