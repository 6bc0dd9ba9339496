"""The tutorial, typed as it stands there: from a folder of photos to a delivered folder."""

import csv
import re
import shlex
import shutil
from pathlib import Path

from tests.commands import PROJECT, genmedia
from tests.sandboxes import Sandbox

TUTORIAL = (PROJECT / "docs" / "tutorial.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```bash\n(.*?)```", TUTORIAL, re.DOTALL) for line in block.strip().splitlines()]
(EDIT,) = re.findall(r"```yaml\n(.*?)```", TUTORIAL, re.DOTALL)
SERVER = ".venv/bin/genmedia sandbox"


def test_whoever_types_the_tutorial_gets_a_delivered_folder(sandbox: Sandbox, tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "photos", tmp_path / "photos")
    told: dict[str, list[str]] = {}

    for line in COMMANDS:
        if line.startswith(SERVER):
            continue  # the tests' own runs
        words = shlex.split(line.replace("http://127.0.0.1:4280", sandbox.url), comments=True)[1:]
        done = genmedia(*words, "--project", str(PROJECT), cwd=tmp_path)
        assert done.returncode == (10 if words[0] == "plan" and "--rehearse" not in words else 0), (
            line + done.stdout + done.stderr
        )
        told.setdefault(words[0], []).append(done.stdout)
        if words[0] == "init":
            _change(tmp_path / words[words.index("--out") + 1])

    assert any(line.startswith(SERVER) for line in COMMANDS)
    plan, rehearsal = told["plan"]
    assert "8 items: 4 to buy, 4 to make" in plan
    assert "This was a rehearsal: nothing is bought." in rehearsal
    first, second = told["apply"]
    assert "4 bought, 4 made" in first
    assert "8 items: 6 reused, 1 rejected, 1 left out" in second
    delivery = tmp_path / "try" / "delivery"
    with (delivery / "manifest.csv").open(encoding="utf-8-sig", newline="") as file:
        listed = [row["name"] for row in csv.DictReader(file)]
    assert "coffee/hero-square.png" in listed
    assert not {"coffee/hero-landscape.png", "coffee/web-landscape.webp"} & set(listed)
    assert {name for name in listed if not (delivery / name).is_file()} == set()
    prompts = {job["request"]["prompt"] for job in sandbox.jobs({"provider": "genova", "account": "default"})}
    assert "The product of the photo on dark slate, in golden evening light, nothing else in the picture" in prompts


def _change(file: Path) -> None:
    """Change the lines that the tutorial says."""
    text = file.read_text(encoding="utf-8")
    for line in EDIT.splitlines():
        name = line.partition(":")[0]
        text, changed = re.subn(rf"^{name}:.*$", line, text, flags=re.MULTILINE)
        assert changed == 1
    file.write_text(text, encoding="utf-8")
