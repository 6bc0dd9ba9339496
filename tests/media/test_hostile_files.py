"""Whatever is handed over as a picture, a film or a model gets the verdict it deserves, and takes little to get it."""

import json
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from PIL import Image

from tests.corpus import CORPUS

MEMORY_KIB = 300 * 1024
LARGEST = "png as large as is passed"
"""The sound file that takes longest."""
MOST = 3.0
"""No file may take more than this many times as long as Pillow alone takes to decode that: seconds would say how fast the machine is."""

Look = Callable[[Path, str, Path], tuple[dict[str, Any], float, int]]

# A process counts the memory of the one that started it as its own: so one that is small starts them. Each is a copy of it.
STARTS = """
import json, os, sys
from genmedia.media import worker

while wish := sys.stdin.readline():
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        with os.fdopen(writer, "w") as answer:
            json.dump(worker.work_within_limits(json.loads(wish)), answer)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        said = told.read()
    _, status, used = os.wait4(child, 0)
    print(json.dumps([*json.loads(said), used.ru_utime + used.ru_stime, used.ru_maxrss, status]), flush=True)
"""


@pytest.fixture(scope="module")
def look() -> Generator[Look]:
    """Tells what the looking process says of a file alone, the seconds it computed, and the KiB it took."""
    with subprocess.Popen([sys.executable, "-c", STARTS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as starting:
        wishes, answers = starting.stdin, starting.stdout
        assert wishes
        assert answers

        def look(path: Path, kind: str, small: Path) -> tuple[dict[str, Any], float, int]:
            wishes.write(json.dumps([{"path": str(path), "kind": kind, "small": {"path": str(small)}}]) + "\n")
            wishes.flush()
            said, computed, taken, status = json.loads(answers.readline())
            assert status == 0
            return said, computed, taken

        yield look


@pytest.fixture(scope="module")
def decode(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], float]:
    """Decodes the sound file that takes longest, and does nothing else; the seconds it computed."""
    path = CORPUS[LARGEST].make(tmp_path_factory.mktemp("largest"))

    def decode() -> float:
        begun = process_time()
        with Image.open(path) as opened:
            opened.load()
        return process_time() - begun

    return decode


@pytest.fixture(scope="module")
def usual(decode: Callable[[], float]) -> float:
    """The seconds that it took once."""
    return decode()


@pytest.mark.parametrize("name", CORPUS)
def test_a_hostile_or_broken_file_gets_its_verdict_and_takes_little_to_get_it(
    tmp_path: Path, look: Look, decode: Callable[[], float], usual: float, name: str
) -> None:
    specimen, small = CORPUS[name], tmp_path / "small.webp"
    path = specimen.make(tmp_path)

    said, computed, taken = look(path, specimen.kind, small)
    share = computed / usual
    if share >= MOST:  # a processor that is shared with others counts more seconds for the same work at one time than at another
        share = min(look(path, specimen.kind, small)[1] / decode() for _ in range(3))

    if isinstance(specimen.verdict, str):
        assert said["media_type"] == specimen.verdict
        assert specimen.says in " ".join(said["warnings"])
        assert len(said["warnings"]) == bool(specimen.says)
        assert small.stat().st_size
    else:
        assert said["error"] == specimen.verdict.__name__
        assert specimen.says in said["what"]
        assert "the process that worked on it broke" not in said["what"]
        assert str(tmp_path) not in said["what"]
    assert share < MOST
    assert taken < MEMORY_KIB
