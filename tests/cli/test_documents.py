"""What the documents tell people to type is understood as it stands there."""

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from genmedia.cli.app import app
from tests.commands import PROJECT, python
from tests.sandboxes import Sandbox, running_sandbox

PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs").glob("*.md"))]
DOCUMENTS = "".join(page.read_text(encoding="utf-8") for page in PAGES)
TYPED = [line for block in re.findall(r"```bash\n(.*?)```", DOCUMENTS, re.DOTALL) for line in block.strip().splitlines()]


def words(line: str) -> list[str]:
    return shlex.split(line, comments=True)


def shown_in(document: str) -> list[Any]:
    """Return the YAML that a document shows."""
    return [
        yaml.safe_load(one)
        for one in re.findall(r"```yaml\n(.*?)```", (PROJECT / document).read_text(encoding="utf-8"), re.DOTALL)
    ]


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


def test_the_campaign_in_the_readme_is_of_the_one_to_copy() -> None:
    (shown,) = shown_in("README.md")
    campaign = yaml.safe_load((PROJECT / "deployments" / "campaigns" / "products.yaml").read_text(encoding="utf-8"))

    assert [step for step in shown.pop("steps") if step not in campaign["steps"]] == []
    assert {name: campaign[name] for name in shown} == shown


def test_the_steps_in_the_documents_are_of_those_that_run() -> None:
    shown, steps = shown_in("docs/flows.md")
    declared = yaml.safe_load((PROJECT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"][0]["parameters"]["chain"]
    chain = shown["chain"]

    assert chain == {**declared, "steps": declared["steps"][: len(chain["steps"])]}
    deployments = {
        one["name"]: one for one in yaml.safe_load((PROJECT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    }
    launch = deployments["launch"]["parameters"]["campaign"]["steps"]
    assert [step for step in steps["steps"] if step not in launch] == []


def test_the_campaign_in_the_documents_is_the_one_to_copy() -> None:
    written = (PROJECT / "deployments" / "campaigns" / "products.yaml").read_text(encoding="utf-8")

    assert shown_in("docs/campaigns.md")[0] == yaml.safe_load(written)


def test_the_curl_lines_of_the_documents_work(sandbox: Sandbox) -> None:
    lines = [line for line in TYPED if line.startswith("curl ")]
    assert lines
    for line in lines:
        command = words(
            line.replace("http://127.0.0.1:4280", sandbox.url).replace('"default"', f'"{sandbox.new_account()["account"]}"')
        )
        done = subprocess.run([*command, "--fail-with-body", "-sS"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("switch", re.findall(r"`(?:--switch )?flora\.(\w+=\w+)`", DOCUMENTS))
def test_every_switch_in_the_documents_is_one(switch: str) -> None:
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_in_the_documents_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8"))
    faults: list[str] = []
    for file, heading in links:
        target = page.parent / file if file else page
        there = target.exists()
        if there and heading:
            headings = re.findall(r"(?m)^#+ (.*)$", target.read_text(encoding="utf-8"))
            there = heading in {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}
        if not there:
            faults.append(f"{file}#{heading}")

    assert not faults
