"""Whatever is handed over as a picture, a film or a model gets the verdict it deserves, and takes little to get it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.corpus import CORPUS

CPU_SECONDS, MEMORY_KIB = 2, 300 * 1024

# A process counts the memory of the one that started it as its own: so one that is small stands between.
MEASURE = """
import json, resource, subprocess, sys
told = subprocess.run([sys.executable, "-m", "genmedia.inspection.process"], stdin=sys.stdin, stdout=subprocess.PIPE, check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
json.dump([*json.loads(told.stdout), used.ru_utime + used.ru_stime, used.ru_maxrss], sys.stdout)
"""


def look(path: Path, kind: str, small: Path) -> tuple[dict[str, Any], float, int]:
    """What the looking process says of a file alone; the seconds it computed, and the KiB it took, its start included."""
    wish = json.dumps([{"path": str(path), "kind": kind, "small": {"path": str(small)}}])
    ended = subprocess.run([sys.executable, "-c", MEASURE], input=wish, stdout=subprocess.PIPE, text=True, check=True)
    said, computed, taken = json.loads(ended.stdout)
    return said, computed, taken


@pytest.mark.parametrize("name", CORPUS)
def test_a_hostile_or_broken_file_gets_its_verdict_and_takes_little_to_get_it(tmp_path: Path, name: str) -> None:
    specimen, small = CORPUS[name], tmp_path / "small.webp"
    path = specimen.make(tmp_path)

    said, computed, taken = look(path, specimen.kind, small)
    if computed >= CPU_SECONDS:  # a processor that is shared with others counts more seconds for the same work, never fewer
        computed = min(look(path, specimen.kind, small)[1] for _ in range(3))

    if isinstance(specimen.verdict, str):
        assert said["media_type"] == specimen.verdict
        assert specimen.says in " ".join(said["warnings"])
        assert len(said["warnings"]) == bool(specimen.says)
        assert small.stat().st_size
    else:
        assert said["error"] == specimen.verdict.__name__
        assert specimen.says in said["what"]
        assert "the process that looked at it broke" not in said["what"]
        assert str(tmp_path) not in said["what"]
    assert computed < CPU_SECONDS
    assert taken < MEMORY_KIB
