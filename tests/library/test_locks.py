"""An owner is known by the lock that it holds; the kernel frees it, however the process ends."""

import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from genmedia.journal.locks import is_alive, own_name

_PROGRAM = """
import sys
from pathlib import Path
from genmedia.journal.locks import own_name
print(own_name(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


@contextmanager
def another_process(folder: Path) -> Generator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen([sys.executable, "-c", _PROGRAM, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()


def test_a_process_keeps_its_name_and_counts_as_alive(tmp_path: Path) -> None:
    name = own_name(tmp_path / "owners")

    assert own_name(tmp_path / "owners") == name
    assert is_alive(tmp_path / "owners", name)
    assert own_name(tmp_path / "elsewhere") != name


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, None])
def test_another_process_is_alive_until_it_ends_however_it_ends(tmp_path: Path, end: signal.Signals | None) -> None:
    with another_process(tmp_path) as (process, name):
        assert is_alive(tmp_path, name)
        if end is None:
            process.communicate()
        else:
            process.send_signal(end)
            process.wait()
        assert not is_alive(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_nobody_of_an_unknown_name_is_alive(tmp_path: Path) -> None:
    assert not is_alive(tmp_path, "nobody")
