"""What the documents tell people to type is understood as it stands there."""

import json
import re
import shlex
import subprocess

import pytest
import yaml

from genmedia.cli.app import app
from tests.commands import PROJECT, python
from tests.sandboxes import Sandbox, running_sandbox

README = (PROJECT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
DOCUMENTS = "".join(
    [README, CONTRIBUTING, *(path.read_text(encoding="utf-8") for path in sorted((PROJECT / "docs").glob("*.md")))]
)
TYPED = [line for block in re.findall(r"```bash\n(.*?)```", DOCUMENTS, re.DOTALL) for line in block.strip().splitlines()]


def words(line: str) -> list[str]:
    return shlex.split(line, comments=True)


def test_every_command_in_the_documents_is_of_a_kind_that_is_run_here_or_by_ci() -> None:
    known = {"make", "curl", ".venv/bin/genmedia", ".venv/bin/prefect", ".venv/bin/python", ".venv/bin/pytest"}

    assert {next(word for word in words(line) if "=" not in word) for line in TYPED} == known


@pytest.mark.parametrize("line", [line for line in TYPED if ".venv/bin/genmedia " in line])
def test_every_command_line_in_the_documents_is_understood(line: str) -> None:
    typed = words(line)

    app.parse_args(typed[typed.index(".venv/bin/genmedia") + 1 :], exit_on_error=False, print_error=False)


@pytest.mark.parametrize("target", sorted({word for line in TYPED for word in words(line)[1:2] if words(line)[0] == "make"}))
def test_every_make_target_in_the_documents_is_in_the_help(target: str) -> None:
    listed = subprocess.run(["make", "help"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout

    assert re.search(rf"^  make {target} ", listed, re.MULTILINE)


def test_the_steps_in_the_readme_are_of_those_that_run() -> None:
    shown, steps = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    declared = yaml.safe_load((PROJECT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"][0]["parameters"]["chain"]
    chain = yaml.safe_load(shown)["chain"]

    assert chain == {**declared, "steps": declared["steps"][: len(chain["steps"])]}
    deployments = {
        one["name"]: one for one in yaml.safe_load((PROJECT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    }
    launch = deployments["launch"]["parameters"]["campaign"]["steps"]
    assert [step for step in yaml.safe_load(steps)["steps"] if step not in launch] == []


def test_the_campaign_in_the_documents_is_the_one_to_copy() -> None:
    shown = re.findall(r"```yaml\n(.*?)```", (PROJECT / "docs" / "campaigns.md").read_text(encoding="utf-8"), re.DOTALL)[0]
    written = (PROJECT / "deployments" / "campaigns" / "products.yaml").read_text(encoding="utf-8")

    assert yaml.safe_load(shown) == yaml.safe_load(written)


def test_the_curl_lines_of_the_readme_work(sandbox: Sandbox) -> None:
    lines = [line for line in TYPED if line.startswith("curl ")]
    assert lines
    for line in lines:
        command = words(
            line.replace("http://127.0.0.1:4280", sandbox.url).replace('"default"', f'"{sandbox.new_account()["account"]}"')
        )
        done = subprocess.run([*command, "--fail-with-body", "-sS"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("switch", re.findall(r"`(?:--switch )?flora\.(\w+=\w+)`", README))
def test_every_switch_in_the_readme_is_one(switch: str) -> None:
    name, value = switch.split("=")
    wanted = {"true": True, "2": 2}.get(value, value)
    with running_sandbox(json.dumps({"switches": {"flora": {name: wanted}}})) as sandbox:
        account = next(one for one in sandbox.control("GET", "/accounts") if one["provider"] == "flora")

    assert account["switches"][name] == wanted


def test_a_test_can_be_chosen_by_words_of_its_name() -> None:
    (line,) = [line for line in TYPED if line.startswith(".venv/bin/pytest -k")]

    # In its file alone: the modules of all tests take many seconds to import.
    file = "tests/end_to_end/flows/test_technique_chain.py"
    done = python("-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *words(line)[1:], file)

    assert "test_a_run_killed_while_a_technique_runs_is_taken_up_again" in done.stdout
