"""The commands a newcomer types, as they are typed."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from genmedia.cli.app import EXIT_CODES
from genmedia.cli.services import Service, free_port, running
from tests.project.checkouts import PROJECT, genmedia, genmedia_on_a_full_disk, make_checkout, python
from tests.sandboxes import Sandbox


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A project folder of the test's own, with the rooms of this one."""
    return make_checkout(tmp_path)


COMMANDS = (
    "caps",
    "completion",
    "demo",
    "doctor",
    "gallery",
    "hold",
    "journal",
    "ledger",
    "lineage",
    "manifest",
    "providers",
    "run",
    "sandbox",
    "setup",
    "up",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_there(command: str) -> None:
    done = genmedia(command, "--help")

    assert done.returncode == 0
    assert f"Usage: genmedia {command}" in done.stdout


def test_the_help_lists_every_command_and_the_exit_codes_and_needs_neither_prefect_nor_pydantic() -> None:
    program = (
        "import sys\nfrom genmedia.cli.app import main\ntry:\n    main()\n"
        "finally:\n    print({'prefect', 'pydantic', 'httpx', 'sqlalchemy'} & set(sys.modules))"
    )
    done = python("-c", program, "--help", COLUMNS="200")

    assert done.returncode == 0
    assert re.findall(r"^│ ([a-z]+) ", done.stdout, re.MULTILINE) == list(COMMANDS)
    for code, meaning in EXIT_CODES.items():
        assert f"{code} {meaning}" in done.stdout
    assert done.stdout.endswith("set()\n")


def test_the_help_waits_for_no_parser_of_markdown() -> None:
    program = (
        "import sys\nfrom genmedia.cli.app import main\ntry:\n    main()\n"
        "finally:\n    print({'markdown_it', 'pygments'} & set(sys.modules))"
    )
    done = python("-c", program, "demo", "--help")

    assert done.stdout.endswith("set()\n")


def test_a_reader_who_has_enough_is_no_error() -> None:
    done = subprocess.run(
        ["bash", "-c", "set -o pipefail; $0 -m genmedia completion bash | head -1", sys.executable],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("words", ["--help", "--version", "completion bash", "run --help", "providers --json --sandbox {}"])
def test_output_that_cannot_be_written_is_told_in_a_line(words: str, sandbox: Sandbox) -> None:
    done = genmedia_on_a_full_disk(*words.format(sandbox.url).split())

    assert (done.returncode, done.stderr) == (1, "genmedia: the output could not be written: No space left on device\n")


def test_a_closed_output_is_no_error() -> None:
    done = subprocess.run(
        ["bash", "-c", "$0 -m genmedia --help >&-", sys.executable], cwd=PROJECT, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_the_shell_completes_commands_and_the_names_of_flows_and_presets() -> None:
    script = (
        'eval "$(genmedia completion bash)"\n'
        'complete() { COMP_WORDS=(genmedia "$@"); COMP_CWORD=$#; _genmedia; echo "${COMPREPLY[@]}"; }\n'
        "complete do; complete run co; complete run imag\n"
    )
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    done = subprocess.run(
        ["bash", "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True, env={**os.environ, "PATH": path}
    )

    assert done.stdout.splitlines() == ["doctor", "coffee", "image-batch"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_completion_script_for_each_shell(shell: str) -> None:
    done = genmedia("completion", shell)

    assert done.returncode == 0
    assert "__complete" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sandbox", "--switch", "assets"], "is not a switch"),
        (["sandbox", "--switch", "flora.asets=true", "--port", "0"], "asets"),
        (["sandbox", "--switch", "flora.casing=kebab", "--port", "0"], "casing"),
        (["demo", "--live"], "needs a key"),
        (["demo", "--project", "/nowhere"], "no genmedia project"),
        (["up", "--project", "/nowhere"], "no genmedia project"),
        (["run", "coffee", "--project", "/nowhere"], "no genmedia project"),
        (["providers", "--project", "/nowhere"], "no genmedia project"),
        (["setup", "--project", "/nowhere"], "no genmedia project"),
        (["providers", "--jsn"], "--jsn"),
        (["conduct"], "conduct"),
    ],
)
def test_a_wrong_setting_is_told_in_a_line_without_a_traceback(arguments: list[str], words: str) -> None:
    done = genmedia(*arguments, FLORA_API_KEY="")

    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_taken_port_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        done = genmedia("sandbox", "--port", str(taken.getsockname()[1]))

    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_the_sandbox_command_prints_where_it_is_ready_and_ends_on_a_signal() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "genmedia", "sandbox", "--port", "0", "--switch", "flora.assets=true"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    )
    assert process.stdout is not None
    ready = re.fullmatch(r"sandbox ready: (http://127\.0\.0\.1:\d+)\n", process.stdout.readline())
    assert ready is not None

    accounts = httpx.get(f"{ready[1]}/sandbox/accounts").json()
    process.send_signal(signal.SIGTERM)

    assert process.wait(20) == 0
    assert next(one for one in accounts if one["provider"] == "flora")["switches"]["assets"] is True
    process.stdout.close()


def services_of(folder: Path, port: int) -> Service:
    command = [sys.executable, "-m", "genmedia", "sandbox", "--port", "{port}"]
    return Service("sandbox", folder, command, port, "/sandbox")


def test_a_service_is_shared_by_commands_and_stopped_by_the_one_that_started_it(tmp_path: Path) -> None:
    first, second = services_of(tmp_path, free_port()), services_of(tmp_path, 1)
    with running([first]):
        with running([second]):
            assert second.url == first.url
        assert httpx.get(f"{first.url}/sandbox").is_success
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{first.url}/sandbox")


def test_servers_of_a_killed_command_are_taken_over_and_stopped_by_the_next(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom tests.project.test_commands import services_of\n"
        "from genmedia.cli.services import running\n"
        "with running([services_of(Path(sys.argv[1]), int(sys.argv[2]))]):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    port = free_port()
    subprocess.run([sys.executable, "-c", program, str(tmp_path), str(port)], cwd=PROJECT, check=False)
    pid = json.loads((tmp_path / "sandbox.json").read_text())["pid"]
    os.kill(pid, 0)  # its sandbox lives on

    with running([services_of(tmp_path, port)]):
        pass

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_demo_buys_once_shows_what_it_made_and_buys_nothing_the_second_time(
    checkout: Path, sandbox: Sandbox, prefect: str
) -> None:
    accounts = [
        sandbox.new_account(credits=100, switches={"assets": True}),
        sandbox.new_account("genova", plan="Pro"),
        sandbox.new_account("algovera"),
        sandbox.new_account("generio"),
    ]
    payer = {"PREFECT_API_URL": prefect, "GENOVA_PLAN": "Pro"}
    for account in accounts:
        name = account["provider"].upper()
        payer |= {f"{name}_API_KEY": account["api_key"], f"{name}_BASE_URL": account["base_url"]}

    first = genmedia("demo", "--live", cwd=checkout, **payer)
    second = genmedia("demo", "--live", cwd=checkout, **payer)

    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert "15 bought; 47 credits charged" in first.stdout
    assert "motion: stored" in first.stdout
    assert "nothing was bought" in second.stdout
    assert [len(sandbox.jobs(account)) for account in accounts] == [7, 2, 4, 2]
    pictures = {job["request"]["inputs"][0].get("value", "") for job in sandbox.jobs(accounts[0])}
    assert len(pictures) == 5  # two pictures feed two techniques each; the poster begins with Genova's picture
    gallery = re.search(r"Gallery +file://(\S+)", first.stdout)
    assert gallery is not None
    assert Path(gallery[1]).is_file()
    for account in accounts:
        assert account["api_key"] not in first.stdout + first.stderr + second.stdout + second.stderr


def test_a_demo_that_fails_says_which_step_and_why(checkout: Path, sandbox: Sandbox, prefect: str) -> None:
    account = sandbox.new_account(credits=100, switches={"assets": True})
    sandbox.fault(account, "fail", error_code="safety_blocked", message="not this one")
    payer = {"FLORA_API_KEY": account["api_key"], "FLORA_BASE_URL": account["base_url"], "PREFECT_API_URL": prefect}

    done = genmedia("demo", "--live", cwd=checkout, **payer)

    assert done.returncode == 1
    assert "relight: the job failed: safety_blocked - not this one" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
